//! What others reach metrics-server through: the Service, the APIService, its certificate.

use base64::Engine;
use serde_json::json;

use super::Chart;
use crate::{
    resolve::helm::{
        object::{Condition, Object},
        print::text,
        template::{Field, Fields, Rendering, map_text, truth},
    },
    tree::Node,
};

impl Chart<'_> {
    pub(super) fn service(&self) -> Rendering<Node> {
        let scope = self.scope;
        let labels = scope.whole("service.labels")?;
        let annotations = scope.given("service.annotations")?;
        let mut object = self.object("v1", "Service", self.full_name.clone(), true);
        // Until then the labels stood below the annotations, and became some if there were any.
        object = match annotations {
            Field::Is(annotations) if !scope.since(3, 9, 0) => match annotations.unknown().cloned()
            {
                Some(why) => {
                    let labels = match truth(&labels) {
                        Ok(false) => labels,
                        _ => Node::unknown_value(why, &annotations.origin),
                    };
                    object.labels(&labels).metadata("annotations", annotations)
                }
                None => {
                    let annotations =
                        Fields::new(&annotations.origin).all(&annotations).all(&labels);
                    object.metadata("annotations", annotations.node())
                }
            },
            annotations => object.labels(&labels).metadata("annotations", annotations),
        };
        let mut port = Fields::new(&scope.own)
            .set("name", scope.own("https"))
            .set("port", scope.printed("service.port")?)
            .set("protocol", scope.own("TCP"))
            .set("targetPort", scope.own("https"));
        if scope.since(3, 12, 2) {
            port = port.set("appProtocol", scope.own("https"));
        }
        let spec = Fields::new(&scope.own)
            .set("type", scope.printed("service.type")?)
            .set("ports", self.list(vec![port.node()]))
            .set("selector", self.selector.clone());
        Ok(object.set("spec", spec.node()).node())
    }

    pub(super) fn pod_disruption_budget(&self) -> Rendering<Vec<Node>> {
        let scope = self.scope;
        Condition::all(scope, &["podDisruptionBudget.enabled"])?.made(|| {
            let selector = Fields::new(&scope.own).set("matchLabels", self.selector.clone()).node();
            let mut spec = Fields::new(&scope.own)
                .set("minAvailable", scope.given_text("podDisruptionBudget.minAvailable")?)
                .set("maxUnavailable", scope.given_text("podDisruptionBudget.maxUnavailable")?);
            if scope.since(3, 13, 0) {
                let path = "podDisruptionBudget.unhealthyPodEvictionPolicy";
                spec = spec.set("unhealthyPodEvictionPolicy", scope.given_text(path)?);
            }
            let spec = spec.set("selector", selector).node();
            // `policy/v1beta1` before Kubernetes 1.21, which no other part of this supports.
            let object =
                self.object("policy/v1", "PodDisruptionBudget", self.full_name.clone(), true);
            Ok(vec![object.set("spec", spec).node()])
        })
    }

    pub(super) fn service_monitor(&self) -> Rendering<Vec<Node>> {
        let scope = self.scope;
        if !scope.since(3, 8, 0) {
            return Ok(Vec::new());
        }
        Condition::all(scope, &["serviceMonitor.enabled", "metrics.enabled"])?.made(|| {
            let endpoint = scope
                .own(json!({"port": "https", "path": "/metrics", "scheme": "https",
            "tlsConfig": {"insecureSkipVerify": true}}));
            let mut endpoint = Fields::new(&scope.own)
                .all(&endpoint)
                .set("interval", scope.given_text("serviceMonitor.interval")?)
                .set("scrapeTimeout", scope.given_text("serviceMonitor.scrapeTimeout")?);
            if scope.since(3, 8, 3) {
                endpoint = endpoint
                    .set("metricRelabelings", scope.given("serviceMonitor.metricRelabelings")?)
                    .set("relabelings", scope.given("serviceMonitor.relabelings")?);
            }
            let names = Fields::new(&scope.own)
                .set("matchNames", self.list(vec![self.namespace.clone()]))
                .node();
            let job = if scope.since(3, 12, 2) {
                scope.own("app.kubernetes.io/instance")
            } else {
                scope.named(scope.release.name.clone())
            };
            let spec = Fields::new(&scope.own)
                .set("jobLabel", job)
                .set("namespaceSelector", names)
                .set(
                    "selector",
                    Fields::new(&scope.own).set("matchLabels", self.selector.clone()).node(),
                )
                .set("endpoints", self.list(vec![endpoint.node()]));
            let name = self.full_name.clone();
            let object = self
                .object("monitoring.coreos.com/v1", "ServiceMonitor", name, true)
                .labels(&scope.whole("serviceMonitor.additionalLabels")?)
                .set("spec", spec.node());
            Ok(vec![object.node()])
        })
    }

    pub(super) fn api_service(&self) -> Rendering<Vec<Node>> {
        let scope = self.scope;
        Condition::all(scope, &["apiService.create"])?.made(|| {
            let name = scope.named("v1beta1.metrics.k8s.io".to_owned());
            let mut object = self.object("apiregistration.k8s.io/v1", "APIService", name, false);
            let mut service = Fields::new(&scope.own)
                .set("name", self.full_name.clone())
                .set("namespace", self.namespace.clone());
            let mut spec = Fields::new(&scope.own);
            if scope.since(3, 8, 3) {
                object = self.api_service_annotations(object)?;
                service = service.set("port", scope.printed("service.port")?);
                let insecure = "apiService.insecureSkipTLSVerify";
                let insecure = if scope.since(3, 13, 1) {
                    scope.given_text(insecure)?
                } else {
                    scope.printed(insecure)?.into()
                };
                spec =
                    spec.set("caBundle", self.ca_bundle()?).set("insecureSkipTLSVerify", insecure);
            } else {
                spec = spec.set("insecureSkipTLSVerify", scope.own(true));
            }
            let spec = spec
                .set("group", scope.own("metrics.k8s.io"))
                .set("groupPriorityMinimum", scope.own(100))
                .set("service", service.node())
                .set("version", scope.own("v1beta1"))
                .set("versionPriority", scope.own(100));
            Ok(vec![object.set("spec", spec.node()).node()])
        })
    }

    pub(super) fn api_service_annotations(&self, object: Object) -> Rendering<Object> {
        let scope = self.scope;
        let given = scope.whole("apiService.annotations")?;
        let mut annotations = Fields::new(&scope.own);
        let mut inject = Condition { is: Ok(false), at: self.tls.origin.clone() };
        if scope.since(3, 13, 0) {
            let wanted = Condition::all(scope, &["tls.certManager.addInjectorAnnotations"])?;
            inject = self.tls_is("cert-manager").and(wanted);
            let secret = text(&self.namespace)
                .and_then(|namespace| Ok(format!("{namespace}/{}", text(&self.full_name)?)));
            let secret = Node::new(secret, self.tls.origin.clone());
            if let Some(secret) = inject.then(|| secret) {
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
            _ if scope.since(3, 13, 0) && !scope.since(3, 13, 1) => {
                object.metadata("annotations", scope.own(serde_json::Value::Null))
            }
            _ => object,
        })
    }

    /// The certificate of the authority that signs metrics-server's own.
    pub(super) fn ca_bundle(&self) -> Rendering<Field> {
        let bundle = self.scope.get("apiService.caBundle")?;
        let encode = |it: &str| base64::engine::general_purpose::STANDARD.encode(it);
        let given = Field::when(&bundle, map_text(&bundle, encode));
        let helm = self.tls_is("helm");
        Ok(match (helm.is, self.tls_is("cert-manager").is) {
            (Err(why), _) => Node::unknown_value(why, &self.tls.origin).into(),
            (Ok(true), _) => Node::unknown_value(
                "Helm makes this certificate when it installs",
                &self.tls.origin,
            )
            .into(),
            (_, Ok(true)) => Field::Not(None),
            _ => given,
        })
    }

    /// What cert-manager makes the serving certificate from.
    pub(super) fn certificate(&self) -> Rendering<Vec<Node>> {
        let scope = self.scope;
        if !scope.since(3, 13, 0) {
            return Ok(Vec::new());
        }
        self.tls_is("cert-manager").made(|| {
            let existing = Condition::all(scope, &["tls.certManager.existingIssuer.enabled"])?;
            let meta = |name: Node| {
                Fields::new(&scope.own).set("name", name).set("namespace", self.namespace.clone())
            };
            let object = |kind: &str, metadata: Fields, spec: Node| {
                Fields::new(&scope.release.anchor)
                    .set("apiVersion", scope.own("cert-manager.io/v1"))
                    .set("kind", scope.own(kind))
                    .set("metadata", metadata.node())
                    .set("spec", spec)
                    .node()
            };
            let issuer_name = self.full_name_and("-issuer");
            let mut issuer = meta(issuer_name.clone());
            let mut certificate = meta(self.full_name.clone());
            if scope.since(3, 14, 0) {
                certificate = certificate
                    .set("labels", scope.given("tls.certManager.labels")?)
                    .set("annotations", scope.given("tls.certManager.annotations")?);
            } else {
                issuer = issuer.set("annotations", scope.own(serde_json::Value::Null));
            }
            let issuer = object("Issuer", issuer, scope.own(json!({"selfSigned": {}})));
            let mut objects = existing.clone().negated().made(|| Ok(vec![issuer]))?;

            let domain = scope.get("tls.clusterDomain")?;
            let names = ["", ".svc", ".svc."].map(|suffix| {
                let domain = if suffix == ".svc." { text(&domain) } else { Ok(String::new()) };
                match (text(&self.full_name), text(&self.namespace), domain) {
                    (Ok(name), Ok(namespace), Ok(domain)) => {
                        scope.own(format!("{name}.{namespace}{suffix}{domain}"))
                    }
                    (Err(why), ..) | (_, Err(why), _) | (.., Err(why)) => {
                        Node::unknown_value(why, &scope.own)
                    }
                }
            });
            let issuer_ref = match existing.is {
                Ok(true) => Fields::new(&scope.own)
                    .set("name", scope.printed("tls.certManager.existingIssuer.name")?)
                    .set("kind", scope.printed("tls.certManager.existingIssuer.kind")?)
                    .set("group", scope.printed("tls.certManager.existingIssuer.group")?)
                    .node(),
                Ok(false) => Fields::new(&scope.own)
                    .set("name", issuer_name)
                    .set("kind", scope.own("Issuer"))
                    .set("group", scope.own("cert-manager.io"))
                    .node(),
                Err(why) => Node::unknown_value(why, &existing.at),
            };
            let spec = Fields::new(&scope.own)
                .set("commonName", self.full_name.clone())
                .set("dnsNames", self.list(names.to_vec()))
                .set("secretName", self.full_name.clone())
                .set("usages", scope.own(json!(["server auth", "client auth"])))
                .set("privateKey", scope.own(json!({"algorithm": "RSA", "size": 2048})))
                .set("duration", scope.given_text("tls.certManager.duration")?)
                .set("renewBefore", scope.given_text("tls.certManager.renewBefore")?)
                .set("issuerRef", issuer_ref);
            objects.push(object("Certificate", certificate, spec.node()));
            Ok(objects)
        })
    }
}
