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
        object::{Condition, Object},
        print::{format_text, int},
        template::{Field, Fields, Place, Rendering, Scope, image_of, map_text, truth},
    },
    tree::Node,
};

/// The objects of a release.
pub(super) fn render(scope: &Scope<'_>) -> Rendering<Vec<Node>> {
    let chart = Chart::new(scope)?;
    let mut objects = Vec::new();
    objects.extend(access::render(&chart)?);
    objects.push(chart.service()?);
    objects.push(chart.deployment()?);
    objects.extend(chart.pod_disruption_budget()?);
    objects.extend(chart.service_monitor()?);
    objects.extend(chart.api_service()?);
    objects.extend(chart.certificate()?);
    Ok(objects)
}

/// What several templates share.
struct Chart<'a> {
    scope: &'a Scope<'a>,
    /// `metrics-server.fullname`
    full_name: Node,
    /// `metrics-server.namespace`
    namespace: Node,
    /// `metrics-server.labels`
    labels: Node,
    /// `metrics-server.selectorLabels`
    selector: Node,
    /// `.Values.tls.type`
    tls: Node,
}

impl<'a> Chart<'a> {
    fn new(scope: &'a Scope<'a>) -> Rendering<Self> {
        let selector = Fields::new(&scope.own)
            .set("app.kubernetes.io/name", scope.short_name()?)
            .set("app.kubernetes.io/instance", scope.named(scope.release.name.clone()))
            .node();
        let mut labels = Fields::new(&scope.own)
            .set("helm.sh/chart", scope.chart_label())
            .all(&selector)
            .set("app.kubernetes.io/version", scope.app_version.clone())
            .set("app.kubernetes.io/managed-by", scope.own("Helm"));
        if scope.since(3, 8, 3) {
            labels = labels.all(&scope.whole("commonLabels")?);
        }
        let released = scope.named(scope.release.namespace.clone());
        let namespace = if scope.since(3, 14, 0) {
            let namespace = scope.get("namespaceOverride")?;
            match truth(&namespace) {
                Ok(true) => scope.print(&namespace)?,
                Ok(false) => released,
                Err(why) => Node::unknown_value(why, &namespace.origin),
            }
        } else {
            released
        };
        let tls = if scope.since(3, 13, 0) {
            scope.get("tls.type")?
        } else {
            scope.own("metrics-server")
        };
        Ok(Self {
            scope,
            full_name: scope.full_name()?,
            namespace,
            labels: labels.node(),
            selector,
            tls,
        })
    }

    /// An object with the chart's labels, outside all namespaces when `namespaced` is false.
    fn object(&self, api: &str, kind: &str, name: Node, namespaced: bool) -> Object {
        let object = Object::new(self.scope, api, kind, name).labels(&self.labels);
        // Before, an object was left to land in the release's namespace.
        if namespaced && self.scope.since(3, 8, 3) {
            object.metadata("namespace", self.namespace.clone())
        } else {
            object
        }
    }

    fn full_name_and(&self, suffix: &str) -> Node {
        map_text(&self.full_name, |it| format!("{it}{suffix}"))
    }

    /// `{{ if eq .Values.tls.type "kind" }}`
    fn tls_is(&self, kind: &str) -> Condition {
        let is = match self.tls.unknown() {
            Some(why) => Err(why.clone()),
            None => Ok(self.tls.as_str() == Some(kind)),
        };
        Condition { is, at: self.tls.origin.clone() }
    }

    /// `{{ if ne .Values.tls.type "metrics-server" }}`: whether the certificate is a Secret's.
    fn with_certificate(&self, node: impl FnOnce() -> Node) -> Option<Node> {
        self.tls_is("metrics-server").negated().then(node)
    }

    fn deployment(&self) -> Rendering<Node> {
        let scope = self.scope;
        let mut object = self.object("apps/v1", "Deployment", self.full_name.clone(), true);
        if scope.since(3, 8, 3) {
            object = object.metadata("annotations", scope.given("deploymentAnnotations")?);
        }
        let mut spec = Fields::new(&scope.own).set("replicas", scope.printed("replicas")?);
        if scope.since(3, 12, 0) {
            spec = spec.set("revisionHistoryLimit", scope.given_text("revisionHistoryLimit")?);
        }
        let labels = Fields::new(&scope.own).all(&self.selector);
        let metadata = Fields::new(&scope.own)
            .set("labels", labels.all(&scope.whole("podLabels")?).node())
            .set("annotations", scope.given("podAnnotations")?);
        let template =
            Fields::new(&scope.own).set("metadata", metadata.node()).set("spec", self.pod()?);
        let match_labels = Fields::new(&scope.own).set("matchLabels", self.selector.clone());
        let spec = spec
            .set("strategy", scope.given("updateStrategy")?)
            .set("selector", match_labels.node())
            .set("template", template.node());
        Ok(object.set("spec", spec.node()).node())
    }

    fn pod(&self) -> Rendering<Node> {
        let scope = self.scope;
        let mut pod = Fields::new(&scope.own);
        if scope.since(3, 12, 2) {
            pod = pod.set("schedulerName", scope.given_text("schedulerName")?);
        } else if scope.since(3, 8, 3) {
            pod = pod.set("schedulerName", scope.printed("schedulerName")?);
        }
        pod = pod
            .set("imagePullSecrets", scope.given("imagePullSecrets")?)
            .set("serviceAccountName", scope.service_account(&self.full_name)?)
            .set("securityContext", scope.given("podSecurityContext")?);
        let priority = scope.get("priorityClassName")?;
        pod = pod
            .set("priorityClassName", Field::when(&priority, Scope::quote(&priority)))
            .set("hostNetwork", scope.when("hostNetwork.enabled", true)?);
        if scope.since(3, 14, 0) {
            let host_users = scope.whole("hostUsers")?;
            if !host_users.is_null() {
                pod = pod.set("hostUsers", host_users);
            }
        }
        let mut containers = vec![self.container()?];
        if let Some(resizer) = self.resizer()? {
            containers.push(resizer);
        }
        pod = pod
            .set("containers", self.list(containers))
            .set("volumes", self.volumes()?)
            .set("nodeSelector", scope.given("nodeSelector")?)
            .set("affinity", scope.given("affinity")?)
            .set("tolerations", scope.given("tolerations")?);
        if scope.since(3, 8, 3) {
            let constraints = scope.given("topologySpreadConstraints")?;
            pod = pod.set("topologySpreadConstraints", constraints);
        }
        if scope.since(3, 12, 0) {
            pod = pod.set("dnsConfig", scope.given("dnsConfig")?);
        }
        Ok(pod.node())
    }

    fn container(&self) -> Rendering<Node> {
        let scope = self.scope;
        let port = Fields::new(&scope.own)
            .set("name", scope.own("https"))
            .set("protocol", scope.own("TCP"))
            .set("containerPort", scope.printed("containerPort")?);
        let mut container = Fields::new(&scope.own)
            .set("name", scope.own("metrics-server"))
            .set("securityContext", scope.given("securityContext")?)
            .set("image", self.image("image")?)
            .set("imagePullPolicy", scope.printed("image.pullPolicy")?)
            .set("args", self.list(self.args()?))
            .set("ports", self.list(vec![port.node()]));
        for probe in ["livenessProbe", "readinessProbe"] {
            // Until then a probe was always there, if only as a null.
            container = if scope.since(3, 8, 2) {
                container.set(probe, scope.given(probe)?)
            } else {
                container.set(probe, scope.whole(probe)?)
            };
        }
        let mut mounts = vec![scope.own(json!({"name": "tmp", "mountPath": "/tmp"}))];
        let certs = json!({"name": "certs", "mountPath": "/tmp/tls-certs", "readOnly": true});
        mounts.extend(self.with_certificate(|| scope.own(certs)));
        self.extend(&mut mounts, "extraVolumeMounts")?;
        container = container
            .set("volumeMounts", self.list(mounts))
            .set("resources", scope.given("resources")?);
        Ok(container.node())
    }

    /// The arguments, in the order of the template; `args` come last, so that they win.
    fn args(&self) -> Rendering<Vec<Node>> {
        let scope = self.scope;
        let port = scope.get("containerPort")?;
        let flag = int(&port).map(|number| format!("--secure-port={number}"));
        let port = Node::new(flag, port.origin);
        let mut args = if scope.since(3, 6, 0) {
            let mut args = vec![port];
            args.extend(scope.range("defaultArgs")?);
            args
        } else {
            vec![
                scope.own("--cert-dir=/tmp"),
                port,
                scope.own("--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname"),
                scope.own("--kubelet-use-node-status-port"),
            ]
        };
        if scope.since(3, 8, 0) {
            let paths = "--authorization-always-allow-paths=/metrics";
            if let Field::Is(paths) = scope.when("metrics.enabled", paths)? {
                args.push(paths);
            }
        }
        for flag in ["cert-file=/tmp/tls-certs/tls.crt", "private-key-file=/tmp/tls-certs/tls.key"]
        {
            let origin = self.tls.origin.clone();
            args.extend(self.with_certificate(|| Node::new(format!("--tls-{flag}"), origin)));
        }
        args.extend(scope.range("args")?);
        Ok(args)
    }

    /// `repository:tag`; of a metrics-server without a tag, the version that the chart is made for.
    fn image(&self, path: &str) -> Rendering<Node> {
        let scope = self.scope;
        let repository = scope.get(&format!("{path}.repository"))?;
        let mut tag = scope.get(&format!("{path}.tag"))?;
        if path == "image" {
            match truth(&tag) {
                Ok(true) => {}
                Ok(false) => {
                    tag = map_text(&scope.app_version, |version| format!("v{version}"));
                }
                Err(why) => tag = Node::unknown_value(why, &tag.origin),
            }
        }
        let [repository, tag] = [repository, tag].map(|it| match format_text(&it) {
            Ok(text) => Node::new(text, it.origin),
            Err(why) => Node::unknown_value(why, &it.origin),
        });
        let user = |node: &Node| !node.origin.is_default();
        let by_tag = user(&tag) || !user(&repository) || tag.unknown().is_some();
        let main = if by_tag && repository.unknown().is_none() { &tag } else { &repository };
        let image = image_of(&repository, ':', &tag, &main.origin);
        match image.as_str() {
            Some(text) => scope.read(Place::Value, text, &image.origin),
            None => Ok(image),
        }
    }

    fn volumes(&self) -> Rendering<Node> {
        let scope = self.scope;
        let tmp = Fields::new(&scope.own).set("name", scope.own("tmp"));
        let tmp = if scope.since(3, 12, 0) {
            tmp.all(&scope.whole("tmpVolume")?)
        } else {
            tmp.set("emptyDir", scope.own(json!({})))
        };
        let mut volumes = vec![tmp.node()];
        let secret = Fields::new(&scope.own).set("secretName", self.tls_secret()?);
        let certs =
            Fields::new(&scope.own).set("name", scope.own("certs")).set("secret", secret.node());
        volumes.extend(self.with_certificate(|| certs.node()));
        if scope.since(3, 10, 0) {
            let name = self.full_name_and("-nanny-config");
            let config = Fields::new(&scope.own).set("name", name).node();
            let nanny = Fields::new(&scope.own)
                .set("name", scope.own("nanny-config-volume"))
                .set("configMap", config);
            let resizer = Condition::all(scope, &["addonResizer.enabled"])?;
            volumes.extend(resizer.then(|| nanny.node()));
        }
        self.extend(&mut volumes, "extraVolumes")?;
        Ok(self.list(volumes))
    }

    /// The Secret with the serving certificate; a missing name leaves one that nothing makes.
    fn tls_secret(&self) -> Rendering<Node> {
        let existing = self.tls_is("existingSecret");
        if existing.is == Ok(true) {
            let name = self.scope.get("tls.existingSecret.name")?;
            match truth(&name) {
                Ok(true) => return self.scope.print(&name),
                Ok(false) => {}
                Err(why) => return Ok(Node::unknown_value(why, &name.origin)),
            }
        }
        Ok(self.full_name.clone())
    }

    /// The container that resizes the first one, if it is asked for.
    fn resizer(&self) -> Rendering<Option<Node>> {
        let scope = self.scope;
        if !scope.since(3, 9, 0) {
            return Ok(None);
        }
        let enabled = Condition::all(scope, &["addonResizer.enabled"])?;
        match &enabled.is {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(why) => return Ok(Some(Node::unknown_value(why.clone(), &enabled.at))),
        }
        let flag = |name: &str, path: &str| -> Rendering<Node> {
            let value = scope.get(path)?;
            Ok(map_text(&value, |it| format!("--{name}={it}")))
        };
        let command = vec![
            scope.own("/pod_nanny"),
            scope.own("--config-dir=/etc/config"),
            map_text(&self.full_name, |it| format!("--deployment={it}")),
            scope.own("--container=metrics-server"),
            flag("threshold", "addonResizer.nanny.threshold")?,
            flag("poll-period", "addonResizer.nanny.pollPeriod")?,
            scope.own("--estimator=exponential"),
            flag("minClusterSize", "addonResizer.nanny.minClusterSize")?,
            scope.own("--use-metrics=true"),
        ];
        let mut container = Fields::new(&scope.own).set("name", scope.own("metrics-server-nanny"));
        if scope.since(3, 12, 0) {
            container =
                container.set("securityContext", scope.given("addonResizer.securityContext")?);
        }
        let field = |path: &str| json!({"valueFrom": {"fieldRef": {"fieldPath": path}}});
        let mut env = [field("metadata.name"), field("metadata.namespace")];
        for (variable, name) in env.iter_mut().zip(["MY_POD_NAME", "MY_POD_NAMESPACE"]) {
            variable["name"] = name.into();
        }
        let mount = json!([{"name": "nanny-config-volume", "mountPath": "/etc/config"}]);
        let container = container
            .set("image", self.image("addonResizer.image")?)
            .set("env", scope.own(json!(env)))
            .set("command", self.list(command))
            .set("volumeMounts", scope.own(mount))
            .set("resources", scope.given("addonResizer.resources")?);
        Ok(Some(container.node()))
    }

    fn list(&self, items: Vec<Node>) -> Node {
        Node::new(items, self.scope.own.clone())
    }

    /// `{{ with .Values.path }}{{ toYaml . }}{{ end }}` at the end of a list.
    fn extend(&self, list: &mut Vec<Node>, path: &str) -> Rendering<()> {
        if let Field::Is(more) = self.scope.given(path)? {
            match more.as_list() {
                Some(items) => list.extend_from_slice(items),
                None if more.unknown().is_some() => list.push(more),
                None => {
                    let message = format!("`{path}` must be a list");
                    return Err(Problem::refused(&more.origin, message).about(path));
                }
            }
        }
        Ok(())
    }
}
