//! What the chart of kubernetes-sigs makes of its values, 3.5.0 to 3.14.0.
//!
//! The reference is `charts/metrics-server/templates` in the repository
//! `kubernetes-sigs/metrics-server`, at the tag of each chart version.

mod access;
mod endpoint;

use serde_json::json;

use crate::{
    problem::Problem,
    resolve::helm::{
        chart,
        object::Condition,
        print::{format_text, int},
        template::{
            Fields, HelmScope, Rendering, TemplateField, TextPlace, either, image_of, map_text,
        },
    },
    tree::Node,
};

/// The objects of a release.
pub(super) fn render(scope: &HelmScope<'_>) -> Rendering<Vec<Node>> {
    let chart = SigsChart::new(scope)?;
    let mut objects = chart.access()?;
    objects.push(chart.service()?);
    objects.push(chart.deployment()?);
    objects.extend(chart.pod_disruption_budget()?);
    objects.extend(chart.service_monitor()?);
    objects.extend(chart.api_service()?);
    objects.extend(chart.certificate()?);
    Ok(objects)
}

type SigsChart<'a> = chart::FamilyChart<'a, KubernetesSigs>;

/// What no other chart has.
struct KubernetesSigs {
    /// `.Values.tls.type`
    tls: Node,
}

impl<'a> SigsChart<'a> {
    fn new(scope: &'a HelmScope<'a>) -> Rendering<Self> {
        let selector = Fields::of(scope)
            .set("app.kubernetes.io/name", scope.short_name()?)
            .set("app.kubernetes.io/instance", scope.named(scope.release.name.clone()))
            .node();
        let mut labels = Fields::of(scope)
            .set("helm.sh/chart", scope.chart_label())
            .all(&selector)
            .set("app.kubernetes.io/version", scope.app_version.clone())
            .set("app.kubernetes.io/managed-by", "Helm");
        // Before, an object was left to land in the release's namespace.
        let namespaced = scope.since(3, 8, 3);
        if namespaced {
            labels = labels.all(&scope.whole("commonLabels")?);
        }
        let mut namespace = scope.named(scope.release.namespace.clone());
        if scope.since(3, 14, 0) {
            let other = scope.get("namespaceOverride")?;
            namespace = either(&other, || scope.print(&other), || Ok(namespace))?;
        }
        let tls = if scope.since(3, 13, 0) {
            scope.get("tls.type")?
        } else {
            scope.own("metrics-server")
        };
        Ok(Self {
            scope,
            full_name: scope.full_name()?,
            namespace,
            namespaced,
            labels: labels.node(),
            selector,
            gap: None,
            family: KubernetesSigs { tls },
        })
    }

    /// `{{ if eq .Values.tls.type "kind" }}`
    fn tls_is(&self, kind: &str) -> Condition {
        let tls = &self.family.tls;
        let is = match tls.unknown() {
            Some(why) => Err(why.clone()),
            None => Ok(tls.as_str() == Some(kind)),
        };
        Condition { is, at: tls.origin.clone() }
    }

    /// `{{ if ne .Values.tls.type "metrics-server" }}`: whether the certificate is a Secret's.
    fn with_certificate(&self, node: impl FnOnce() -> Node) -> Option<Node> {
        self.tls_is("metrics-server").negated().then(node)
    }

    fn deployment(&self) -> Rendering<Node> {
        let mut spec = Fields::of(self).set("replicas", self.printed("replicas")?);
        if self.since(3, 12, 0) {
            spec = spec.set("revisionHistoryLimit", self.given_text("revisionHistoryLimit")?);
        }
        let spec = spec.set("strategy", self.given("updateStrategy")?);
        let labels = Fields::of(self).all(&self.selector).all(&self.whole("podLabels")?);
        let annotations = self.given("podAnnotations")?;
        let mut object = self.deployment_of(spec, labels, annotations, self.pod()?);
        if self.since(3, 8, 3) {
            object = object.metadata("annotations", self.given("deploymentAnnotations")?);
        }
        Ok(object.node())
    }

    fn pod(&self) -> Rendering<Node> {
        let mut pod = Fields::of(self);
        if self.since(3, 12, 2) {
            pod = pod.set("schedulerName", self.given_text("schedulerName")?);
        } else if self.since(3, 8, 3) {
            pod = pod.set("schedulerName", self.printed("schedulerName")?);
        }
        let priority = self.get("priorityClassName")?;
        pod = pod
            .set("serviceAccountName", self.account()?)
            .set("priorityClassName", TemplateField::when(&priority, HelmScope::quote(&priority)))
            .set("hostNetwork", self.when("hostNetwork.enabled", true)?);
        if self.since(3, 14, 0) {
            let host_users = self.whole("hostUsers")?;
            if !host_users.is_null() {
                pod = pod.set("hostUsers", host_users);
            }
        }
        let mut containers = vec![self.container()?];
        containers.extend(self.resizer()?);
        pod = pod
            .set("containers", containers)
            .set("volumes", self.volumes()?)
            .set("securityContext", self.given("podSecurityContext")?);
        let mut given = vec!["imagePullSecrets", "nodeSelector", "affinity", "tolerations"];
        given.extend(self.since(3, 8, 3).then_some("topologySpreadConstraints"));
        given.extend(self.since(3, 12, 0).then_some("dnsConfig"));
        for key in given {
            pod = pod.set(key, self.given(key)?);
        }
        Ok(pod.node())
    }

    fn container(&self) -> Rendering<Node> {
        let port = Fields::of(self)
            .set("name", "https")
            .set("protocol", "TCP")
            .set("containerPort", self.printed("containerPort")?);
        let mut container = Fields::of(self)
            .set("name", "metrics-server")
            .set("securityContext", self.given("securityContext")?)
            .set("image", self.image("image")?)
            .set("imagePullPolicy", self.printed("image.pullPolicy")?)
            .set("args", self.args()?)
            .set("ports", vec![port.node()]);
        for probe in ["livenessProbe", "readinessProbe"] {
            // Until then a probe was always there, if only as a null.
            container = if self.since(3, 8, 2) {
                container.set(probe, self.given(probe)?)
            } else {
                container.set(probe, self.whole(probe)?)
            };
        }
        let mut mounts = vec![self.own(json!({"name": "tmp", "mountPath": "/tmp"}))];
        let certs = json!({"name": "certs", "mountPath": "/tmp/tls-certs", "readOnly": true});
        mounts.extend(self.with_certificate(|| self.own(certs)));
        self.extend(&mut mounts, "extraVolumeMounts")?;
        Ok(container.set("volumeMounts", mounts).set("resources", self.given("resources")?).node())
    }

    /// The arguments, in the order of the template; `args` come last, so that they win. Whoever sets
    /// `defaultArgs` replaces what the chart passes: that is where the list is written.
    fn args(&self) -> Rendering<Node> {
        let mut origin = self.own.clone();
        let port = self.get("containerPort")?;
        let flag = int(&port).map(|number| format!("--secure-port={number}"));
        let port = Node::new(flag, port.origin);
        let mut args = if self.since(3, 6, 0) {
            let mut args = vec![port];
            args.extend(self.range("defaultArgs")?);
            let replaced = self.get("defaultArgs")?.origin;
            if !replaced.is_default() {
                origin = replaced;
            }
            args
        } else {
            vec![
                self.own("--cert-dir=/tmp"),
                port,
                self.own("--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname"),
                self.own("--kubelet-use-node-status-port"),
            ]
        };
        if self.since(3, 8, 0) {
            let paths = "--authorization-always-allow-paths=/metrics";
            if let TemplateField::Is(paths) = self.when("metrics.enabled", paths)? {
                args.push(paths);
            }
        }
        for flag in ["cert-file=/tmp/tls-certs/tls.crt", "private-key-file=/tmp/tls-certs/tls.key"]
        {
            let origin = self.family.tls.origin.clone();
            args.extend(self.with_certificate(|| Node::new(format!("--tls-{flag}"), origin)));
        }
        args.extend(self.range("args")?);
        Ok(Node::new(args, origin))
    }

    /// `repository:tag`; of a metrics-server without a tag, the version that the chart is made for.
    fn image(&self, path: &str) -> Rendering<Node> {
        let scope = self.scope;
        let repository = scope.get(&format!("{path}.repository"))?;
        let mut tag = scope.get(&format!("{path}.tag"))?;
        if path == "image" {
            let own = || Ok(map_text(&scope.app_version, |version| format!("v{version}")));
            tag = either(&tag, || Ok(tag.clone()), own)?;
        }
        let [repository, tag] = [repository, tag].map(|it| Node::new(format_text(&it), it.origin));
        let user = |node: &Node| !node.origin.is_default();
        let by_tag = user(&tag) || !user(&repository) || tag.unknown().is_some();
        let main = if by_tag && repository.unknown().is_none() { &tag } else { &repository };
        let image = image_of(&repository, ':', &tag, &main.origin);
        match image.as_str() {
            Some(text) => scope.parsed(TextPlace::Value, text, &image.origin),
            None => Ok(image),
        }
    }

    fn volumes(&self) -> Rendering<Vec<Node>> {
        let tmp = Fields::of(self).set("name", "tmp");
        let tmp = if self.since(3, 12, 0) {
            tmp.all(&self.whole("tmpVolume")?)
        } else {
            tmp.set("emptyDir", Fields::of(self))
        };
        let mut volumes = vec![tmp.node()];
        let secret = Fields::of(self).set("secretName", self.tls_secret()?);
        let certs = Fields::of(self).set("name", "certs").set("secret", secret);
        volumes.extend(self.with_certificate(|| certs.node()));
        if self.since(3, 10, 0) {
            let config = Fields::of(self).set("name", self.affixed("", "-nanny-config"));
            let nanny =
                Fields::of(self).set("name", "nanny-config-volume").set("configMap", config);
            let resizer = Condition::all(self, &["addonResizer.enabled"])?;
            volumes.extend(resizer.then(|| nanny.node()));
        }
        self.extend(&mut volumes, "extraVolumes")?;
        Ok(volumes)
    }

    /// The Secret with the serving certificate; a missing name leaves one that nothing makes.
    fn tls_secret(&self) -> Rendering<Node> {
        let made = || Ok(self.full_name.clone());
        if self.tls_is("existingSecret").is != Ok(true) {
            return made();
        }
        let name = self.get("tls.existingSecret.name")?;
        either(&name, || self.print(&name), made)
    }

    /// The container that resizes the first one, if it is asked for.
    fn resizer(&self) -> Rendering<Option<Node>> {
        if !self.since(3, 9, 0) {
            return Ok(None);
        }
        let enabled = Condition::all(self, &["addonResizer.enabled"])?;
        match &enabled.is {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(why) => return Ok(Some(Node::unknown_value(why.clone(), &enabled.at))),
        }
        let flag = |name: &str, path: &str| -> Rendering<Node> {
            Ok(map_text(&self.get(path)?, |it| format!("--{name}={it}")))
        };
        let command = vec![
            self.own("/pod_nanny"),
            self.own("--config-dir=/etc/config"),
            self.affixed("--deployment=", ""),
            self.own("--container=metrics-server"),
            flag("threshold", "addonResizer.nanny.threshold")?,
            flag("poll-period", "addonResizer.nanny.pollPeriod")?,
            self.own("--estimator=exponential"),
            flag("minClusterSize", "addonResizer.nanny.minClusterSize")?,
            self.own("--use-metrics=true"),
        ];
        let mut container = Fields::of(self).set("name", "metrics-server-nanny");
        if self.since(3, 12, 0) {
            container =
                container.set("securityContext", self.given("addonResizer.securityContext")?);
        }
        let env = [("MY_POD_NAME", "metadata.name"), ("MY_POD_NAMESPACE", "metadata.namespace")]
            .map(|(name, path)| {
                json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}})
            });
        let mount = json!([{"name": "nanny-config-volume", "mountPath": "/etc/config"}]);
        let container = container
            .set("image", self.image("addonResizer.image")?)
            .set("env", self.own(json!(env)))
            .set("command", command)
            .set("volumeMounts", self.own(mount))
            .set("resources", self.given("addonResizer.resources")?);
        Ok(Some(container.node()))
    }

    /// `{{ with .Values.path }}{{ toYaml . }}{{ end }}` at the end of a list.
    fn extend(&self, list: &mut Vec<Node>, path: &str) -> Rendering<()> {
        if let TemplateField::Is(more) = self.given(path)? {
            match more.as_list() {
                Some(items) => list.extend_from_slice(items),
                None if more.unknown().is_some() => list.push(more),
                None => {
                    let message = format!("`{path}` must be a list");
                    return Err(Problem::wrong_type(&more.origin, message).about(path));
                }
            }
        }
        Ok(())
    }
}
