//! What the chart of the archived stable repository makes of its values: 2.11.4, its last version,
//! as it is; other 2.x in what the facts about a metrics-server need.
//!
//! The reference is `stable/metrics-server/templates` in the repository `helm/charts`. All flags
//! stand in `command`.

use serde_json::json;

use crate::{
    resolve::helm::{
        object::{Condition, Object},
        template::{Field, Fields, Rendering, Scope, image_of, items, map_text},
    },
    tree::{Node, Why},
};

/// The objects of a release.
pub(super) fn render(scope: &Scope<'_>) -> Rendering<Vec<Node>> {
    let selector = Fields::new(&scope.own)
        .set("app", scope.short_name()?)
        .set("release", scope.named(scope.release.name.clone()))
        .node();
    let chart = map_text(&scope.version, |it| format!("{}-{it}", scope.name));
    let labels = Fields::new(&scope.own)
        .all(&selector)
        .set("chart", chart)
        .set("heritage", scope.own("Helm"))
        .node();
    let gap = scope.app_version.unknown().cloned();
    let chart = Chart { scope, full_name: scope.full_name()?, labels, selector, gap };
    let account = Condition::all(scope, &["serviceAccount.create"])?;
    let mut objects = account.made(|| {
        let name = scope.service_account(&chart.full_name)?;
        Ok(vec![chart.object("v1", "ServiceAccount", name, true).node()])
    })?;
    objects.extend(chart.roles()?);
    objects.push(chart.service()?);
    objects.push(chart.deployment()?);
    objects.extend(chart.pod_disruption_budget()?);
    objects.extend(chart.api_service()?);
    Ok(objects)
}

struct Chart<'a> {
    scope: &'a Scope<'a>,
    full_name: Node,
    labels: Node,
    selector: Node,
    /// Why what is not modelled is unknown; nothing when all of it is modelled.
    gap: Option<Why>,
}

impl Chart<'_> {
    fn object(&self, api: &str, kind: &str, name: Node, namespaced: bool) -> Object {
        let object = Object::new(self.scope, api, kind, name).labels(&self.labels);
        if namespaced {
            let namespace = self.scope.release.namespace.clone();
            object.metadata("namespace", self.scope.named(namespace))
        } else {
            object
        }
    }

    fn fields(&self) -> Fields {
        let fields = Fields::new(&self.scope.own);
        match &self.gap {
            Some(why) => fields.open(why.clone()),
            None => fields,
        }
    }

    fn deployment(&self) -> Rendering<Node> {
        let scope = self.scope;
        let labels =
            Fields::new(&scope.own).all(&self.selector).all(&scope.whole("podLabels")?).node();
        let metadata = Fields::new(&scope.own)
            .set("labels", labels)
            .set("annotations", scope.given("podAnnotations")?);
        let template =
            Fields::new(&scope.own).set("metadata", metadata.node()).set("spec", self.pod()?);
        let selector = Fields::new(&scope.own).set("matchLabels", self.selector.clone());
        let spec = self
            .fields()
            .set("selector", selector.node())
            .set("replicas", scope.printed("replicas")?)
            .set("template", template.node());
        let object = self.object("apps/v1", "Deployment", self.full_name.clone(), true);
        Ok(object.set("spec", spec.node()).node())
    }

    fn pod(&self) -> Rendering<Node> {
        let scope = self.scope;
        let priority = scope.get("priorityClassName")?;
        let mut containers = vec![self.container()?];
        containers.extend(items(&scope.whole("extraContainers")?));
        let mut volumes = vec![scope.own(json!({"name": "tmp", "emptyDir": {}}))];
        volumes.extend(items(&scope.whole("extraVolumes")?));
        Ok(self
            .fields()
            .set("priorityClassName", Field::when(&priority, Scope::quote(&priority)))
            .set("imagePullSecrets", self.pull_secrets()?)
            .set("serviceAccountName", scope.service_account(&self.full_name)?)
            .set("hostNetwork", scope.when("hostNetwork.enabled", true)?)
            .set("containers", Node::new(containers, scope.own.clone()))
            .set("nodeSelector", scope.whole("nodeSelector")?)
            .set("affinity", scope.whole("affinity")?)
            .set("tolerations", scope.whole("tolerations")?)
            .set("volumes", Node::new(volumes, scope.own.clone()))
            .node())
    }

    fn pull_secrets(&self) -> Rendering<Field> {
        let names = self.scope.get("imagePullSecrets")?;
        let secrets = self.scope.range("imagePullSecrets")?.into_iter();
        let secrets = secrets.map(|name| Fields::new(&name.origin).set("name", name).node());
        let secrets = Node::new(secrets.collect::<Vec<_>>(), names.origin.clone());
        Ok(Field::when(&names, secrets))
    }

    fn container(&self) -> Rendering<Node> {
        let scope = self.scope;
        let mut command = vec![scope.own("/metrics-server")];
        match &self.gap {
            None => command.extend(
                ["--cert-dir=/tmp", "--logtostderr", "--secure-port=8443"].map(|it| scope.own(it)),
            ),
            Some(why) => command.push(Node::unknown_value(why.clone(), &scope.own)),
        }
        command.extend(scope.range("args")?);
        let ports = match &self.gap {
            None => scope.own(json!([{"containerPort": 8443, "name": "https"}])),
            Some(why) => Node::unknown_value(why.clone(), &scope.own),
        };
        let mut mounts = vec![scope.own(json!({"name": "tmp", "mountPath": "/tmp"}))];
        mounts.extend(items(&scope.whole("extraVolumeMounts")?));
        let repository = scope.get("image.repository")?;
        let tag = scope.get("image.tag")?;
        let origin = if tag.origin.is_default() { &repository.origin } else { &tag.origin };
        let image = image_of(&Scope::quote(&repository), ':', &Scope::quote(&tag), origin);
        Ok(self
            .fields()
            .set("name", scope.own("metrics-server"))
            .set("image", image)
            .set("imagePullPolicy", scope.printed("image.pullPolicy")?)
            .set("command", Node::new(command, scope.own.clone()))
            .set("ports", ports)
            .set("livenessProbe", scope.whole("livenessProbe")?)
            .set("readinessProbe", scope.whole("readinessProbe")?)
            .set("resources", scope.whole("resources")?)
            .set("securityContext", scope.whole("securityContext")?)
            .set("volumeMounts", Node::new(mounts, scope.own.clone()))
            .node())
    }

    fn service(&self) -> Rendering<Node> {
        let scope = self.scope;
        let port = Fields::new(&scope.own)
            .set("port", scope.printed("service.port")?)
            .set("protocol", scope.own("TCP"))
            .set("targetPort", scope.own("https"));
        let spec = Fields::new(&scope.own)
            .set("ports", Node::new(vec![port.node()], scope.own.clone()))
            .set("selector", self.selector.clone())
            .set("type", scope.printed("service.type")?);
        Ok(self
            .object("v1", "Service", self.full_name.clone(), true)
            .labels(&scope.whole("service.labels")?)
            .metadata("annotations", scope.whole("service.annotations")?)
            .set("spec", spec.node())
            .node())
    }

    fn pod_disruption_budget(&self) -> Rendering<Vec<Node>> {
        let scope = self.scope;
        Condition::all(scope, &["podDisruptionBudget.enabled"])?.made(|| {
            let app = self.selector.get("app").cloned();
            let app = app.into_iter().fold(Fields::new(&scope.own), |it, app| it.set("app", app));
            let selector = Fields::new(&scope.own).set("matchLabels", app.node());
            let spec = Fields::new(&scope.own)
                .set("minAvailable", scope.given_text("podDisruptionBudget.minAvailable")?)
                .set("maxUnavailable", scope.given_text("podDisruptionBudget.maxUnavailable")?)
                .set("selector", selector.node());
            let object =
                self.object("policy/v1beta1", "PodDisruptionBudget", self.full_name.clone(), true);
            Ok(vec![object.set("spec", spec.node()).node()])
        })
    }

    fn api_service(&self) -> Rendering<Vec<Node>> {
        let scope = self.scope;
        Condition::all(scope, &["apiService.create"])?.made(|| {
            let service = Fields::new(&scope.own)
                .set("name", self.full_name.clone())
                .set("namespace", scope.named(scope.release.namespace.clone()));
            let spec = json!({"group": "metrics.k8s.io", "version": "v1beta1",
            "insecureSkipTLSVerify": true, "groupPriorityMinimum": 100, "versionPriority": 100});
            let spec =
                Fields::new(&scope.own).set("service", service.node()).all(&scope.own(spec)).node();
            let name = scope.named("v1beta1.metrics.k8s.io".to_owned());
            let object = self.object("apiregistration.k8s.io/v1beta1", "APIService", name, false);
            Ok(vec![object.set("spec", spec).node()])
        })
    }

    fn roles(&self) -> Rendering<Vec<Node>> {
        let scope = self.scope;
        Condition::all(scope, &["rbac.create"])?.made(|| {
            let api = "rbac.authorization.k8s.io/v1";
            let read = json!(["get", "list", "watch"]);
            let rules = json!([{"apiGroups": [""], "verbs": read,
            "resources": ["pods", "nodes", "nodes/stats", "namespaces"]}]);
            let rules = match &self.gap {
                None => scope.own(rules),
                Some(why) => Node::unknown_value(why.clone(), &scope.own),
            };
            let namespace = scope.named(scope.release.namespace.clone());
            let subject = scope.subject(&self.full_name, namespace)?;
            let bind = |object: Object, kind: &str, role: Node| {
                object.binds(scope, subject.clone(), kind, role).node()
            };
            let named = |prefix: &str, suffix: &str| {
                map_text(&self.full_name, |it| format!("{prefix}{it}{suffix}"))
            };
            let object = |kind: &str, name: Node| self.object(api, kind, name, false);
            let reader = object("RoleBinding", named("", "-auth-reader"))
                .metadata("namespace", scope.own("kube-system"));
            let all = [
                object("ClusterRole", named("system:", "-aggregated-reader"))
                    .aggregates_metrics(scope)
                    .node(),
                object("ClusterRole", named("system:", "")).set("rules", rules).node(),
                bind(
                    object("ClusterRoleBinding", named("", ":system:auth-delegator")),
                    "ClusterRole",
                    scope.own("system:auth-delegator"),
                ),
                bind(
                    object("ClusterRoleBinding", named("system:", "")),
                    "ClusterRole",
                    named("system:", ""),
                ),
                bind(reader, "Role", scope.own("extension-apiserver-authentication-reader")),
            ];
            Ok(all.into())
        })
    }
}
