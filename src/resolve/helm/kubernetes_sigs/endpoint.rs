//! What others reach metrics-server through: the Service, the APIService, its certificate.

use base64::Engine;
use serde_json::{Value as Json, json};

use super::SigsChart;
use crate::{
    resolve::helm::{
        object::{ChartObject, Condition},
        print::go_text,
        template::{Fields, Rendering, TemplateField, map_text, truth},
    },
    tree::{Node, Reason, ReasonKind},
};

impl SigsChart<'_> {
    pub(super) fn service(&self) -> Rendering<Node> {
        let labels = self.whole("service.labels")?;
        let annotations = self.given("service.annotations")?;
        let mut port =
            Fields::of(self).set("name", "https").set("port", self.printed("service.port")?);
        if self.since(3, 12, 2) {
            port = port.set("appProtocol", "https");
        }
        let object = self.service_of(port, Fields::of(self))?;
        // Until then the labels stood below the annotations, and became some if there were any.
        let object = match (annotations, self.since(3, 9, 0)) {
            (TemplateField::Is(annotations), false) if annotations.unknown().is_none() => {
                let all = Fields::of(self).at(&annotations.origin).all(&annotations).all(&labels);
                object.metadata("annotations", all)
            }
            // The unknown annotations may have taken the labels in.
            (TemplateField::Is(annotations), false) if truth(&labels) != Ok(false) => {
                object.labels(&annotations).metadata("annotations", annotations)
            }
            (annotations, _) => object.labels(&labels).metadata("annotations", annotations),
        };
        Ok(object.node())
    }

    pub(super) fn pod_disruption_budget(&self) -> Rendering<Vec<Node>> {
        Condition::all(self, &["podDisruptionBudget.enabled"])?.made(|| {
            let mut spec = Fields::of(self).set("selector", self.match_labels());
            let mut given = vec!["minAvailable", "maxUnavailable"];
            given.extend(self.since(3, 13, 0).then_some("unhealthyPodEvictionPolicy"));
            for key in given {
                spec = spec.set(key, self.given_text(&format!("podDisruptionBudget.{key}"))?);
            }
            // `policy/v1beta1` before Kubernetes 1.21, which no other part of this supports.
            Ok(vec![self.object("policy/v1", "PodDisruptionBudget").set("spec", spec).node()])
        })
    }

    pub(super) fn service_monitor(&self) -> Rendering<Vec<Node>> {
        if !self.since(3, 8, 0) {
            return Ok(Vec::new());
        }
        Condition::all(self, &["serviceMonitor.enabled", "metrics.enabled"])?.made(|| {
            let endpoint = json!({"port": "https", "path": "/metrics", "scheme": "https",
                "tlsConfig": {"insecureSkipVerify": true}});
            let mut endpoint = Fields::of(self)
                .all(&self.own(endpoint))
                .set("interval", self.given_text("serviceMonitor.interval")?)
                .set("scrapeTimeout", self.given_text("serviceMonitor.scrapeTimeout")?);
            if self.since(3, 8, 3) {
                endpoint = endpoint
                    .set("metricRelabelings", self.given("serviceMonitor.metricRelabelings")?)
                    .set("relabelings", self.given("serviceMonitor.relabelings")?);
            }
            let job = if self.since(3, 12, 2) {
                self.own("app.kubernetes.io/instance")
            } else {
                self.named(self.release.name.clone())
            };
            let names = Fields::of(self).set("matchNames", vec![self.namespace.clone()]);
            let spec = Fields::of(self)
                .set("jobLabel", job)
                .set("namespaceSelector", names)
                .set("selector", self.match_labels())
                .set("endpoints", vec![endpoint.node()]);
            let object = self
                .object("monitoring.coreos.com/v1", "ServiceMonitor")
                .labels(&self.whole("serviceMonitor.additionalLabels")?)
                .set("spec", spec);
            Ok(vec![object.node()])
        })
    }

    pub(super) fn api_service(&self) -> Rendering<Vec<Node>> {
        Condition::all(self, &["apiService.create"])?.made(|| {
            if !self.since(3, 8, 3) {
                let spec = Fields::of(self).set("insecureSkipTLSVerify", true);
                return Ok(vec![self.api_service_of(TemplateField::Not(None), spec).node()]);
            }
            let insecure = "apiService.insecureSkipTLSVerify";
            let insecure = if self.since(3, 13, 1) {
                self.given_text(insecure)?
            } else {
                self.printed(insecure)?.into()
            };
            let spec = Fields::of(self)
                .set("caBundle", self.ca_bundle()?)
                .set("insecureSkipTLSVerify", insecure);
            let object = self.api_service_of(self.printed("service.port")?.into(), spec);
            Ok(vec![self.api_service_annotations(object)?.node()])
        })
    }

    fn api_service_annotations(&self, object: ChartObject) -> Rendering<ChartObject> {
        let given = self.whole("apiService.annotations")?;
        let mut annotations = Fields::of(self);
        let tls = &self.family.tls.origin;
        let mut inject = Condition { is: Ok(false), at: tls.clone() };
        if self.since(3, 13, 0) {
            let wanted = Condition::all(self, &["tls.certManager.addInjectorAnnotations"])?;
            inject = self.tls_is("cert-manager").and(wanted);
            let secret = go_text(&self.namespace)
                .and_then(|namespace| Ok(format!("{namespace}/{}", go_text(&self.full_name)?)));
            if let Some(secret) = inject.then(|| Node::new(secret, tls.clone())) {
                annotations = annotations.set("cert-manager.io/inject-ca-from", secret);
            }
        }
        let annotations = annotations.all(&given).node();
        Ok(match (truth(&given), inject.is) {
            (Ok(true), _) | (_, Ok(true)) => object.metadata("annotations", annotations),
            (Err(why), _) | (_, Err(why)) => {
                object.metadata("annotations", Node::unknown_value(why, &given.origin))
            }
            // 3.13.0 alone writes an empty map of them as a null.
            _ if self.since(3, 13, 0) && !self.since(3, 13, 1) => {
                object.metadata("annotations", self.own(Json::Null))
            }
            _ => object,
        })
    }

    /// The certificate of the authority that signs metrics-server's own.
    fn ca_bundle(&self) -> Rendering<TemplateField> {
        let bundle = self.get("apiService.caBundle")?;
        let encode = |it: &str| base64::engine::general_purpose::STANDARD.encode(it);
        let tls = &self.family.tls.origin;
        Ok(match (self.tls_is("helm").is, self.tls_is("cert-manager").is) {
            (Err(why), _) => Node::unknown_value(why, tls).into(),
            (Ok(true), _) => {
                let why = Reason::from("Helm makes this certificate when it installs");
                Node::unknown_value(why.of_kind(ReasonKind::Random), tls).into()
            }
            (_, Ok(true)) => TemplateField::Not(None),
            _ => TemplateField::when(&bundle, map_text(&bundle, encode)),
        })
    }

    /// What cert-manager makes the serving certificate from.
    pub(super) fn certificate(&self) -> Rendering<Vec<Node>> {
        if !self.since(3, 13, 0) {
            return Ok(Vec::new());
        }
        self.tls_is("cert-manager").made(|| {
            let existing = Condition::all(self, &["tls.certManager.existingIssuer.enabled"])?;
            let object = |kind: &str, name: Node| {
                let object = ChartObject::new(self, "cert-manager.io/v1", kind, name);
                object.metadata("namespace", self.namespace.clone())
            };
            let issuer_name = self.affixed("", "-issuer");
            let mut issuer = object("Issuer", issuer_name.clone());
            let mut certificate = object("Certificate", self.full_name.clone());
            if self.since(3, 14, 0) {
                certificate = certificate
                    .metadata("labels", self.given("tls.certManager.labels")?)
                    .metadata("annotations", self.given("tls.certManager.annotations")?);
            } else {
                issuer = issuer.metadata("annotations", self.own(Json::Null));
            }
            let issuer = issuer.set("spec", self.own(json!({"selfSigned": {}}))).node();
            let mut objects = existing.clone().negated().made(|| Ok(vec![issuer]))?;

            let domain = self.get("tls.clusterDomain")?;
            let dns_name = |suffix: &str| {
                let domain = if suffix == ".svc." { go_text(&domain)? } else { String::new() };
                let (name, namespace) = (go_text(&self.full_name)?, go_text(&self.namespace)?);
                Ok(format!("{name}.{namespace}{suffix}{domain}"))
            };
            let names = ["", ".svc", ".svc."].map(|it| Node::new(dns_name(it), self.own.clone()));
            let issuer_ref = match existing.is {
                Ok(true) => Fields::of(self)
                    .set("name", self.printed("tls.certManager.existingIssuer.name")?)
                    .set("kind", self.printed("tls.certManager.existingIssuer.kind")?)
                    .set("group", self.printed("tls.certManager.existingIssuer.group")?)
                    .node(),
                Ok(false) => Fields::of(self)
                    .set("name", issuer_name)
                    .set("kind", "Issuer")
                    .set("group", "cert-manager.io")
                    .node(),
                Err(why) => Node::unknown_value(why, &existing.at),
            };
            let spec = Fields::of(self)
                .set("commonName", self.full_name.clone())
                .set("dnsNames", names.to_vec())
                .set("secretName", self.full_name.clone())
                .set("usages", self.own(json!(["server auth", "client auth"])))
                .set("privateKey", self.own(json!({"algorithm": "RSA", "size": 2048})))
                .set("duration", self.given_text("tls.certManager.duration")?)
                .set("renewBefore", self.given_text("tls.certManager.renewBefore")?)
                .set("issuerRef", issuer_ref);
            objects.push(certificate.set("spec", spec).node());
            Ok(objects)
        })
    }
}
