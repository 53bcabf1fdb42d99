//! What the chart of the archived stable repository makes of its values: 2.11.4, its last version,
//! as it is; other 2.x in what the facts about a metrics-server need.
//!
//! The reference is `stable/metrics-server/templates` in the repository `helm/charts`. All flags
//! stand in `command`.

use serde_json::json;

use crate::{
    resolve::helm::{
        chart::{self, Roles},
        object::Condition,
        template::{Fields, HelmScope, Rendering, TemplateField, image_of, items, map_text},
    },
    tree::Node,
};

/// The objects of a release.
pub(super) fn render(scope: &HelmScope<'_>) -> Rendering<Vec<Node>> {
    let chart = StableChart::new(scope)?;
    let mut objects = chart.service_account(Ok)?;
    objects.extend(chart.roles()?);
    objects.push(chart.service()?);
    objects.push(chart.deployment()?);
    objects.extend(chart.pod_disruption_budget()?);
    objects.extend(chart.api_service()?);
    Ok(objects)
}

type StableChart<'a> = chart::FamilyChart<'a, Stable>;

struct Stable;

impl<'a> StableChart<'a> {
    fn new(scope: &'a HelmScope<'a>) -> Rendering<Self> {
        let selector = Fields::of(scope)
            .set("app", scope.short_name()?)
            .set("release", scope.named(scope.release.name.clone()))
            .node();
        let labels = Fields::of(scope)
            .all(&selector)
            .set("chart", map_text(&scope.version, |it| format!("{}-{it}", scope.name)))
            .set("heritage", "Helm")
            .node();
        Ok(Self {
            scope,
            full_name: scope.full_name()?,
            namespace: scope.named(scope.release.namespace.clone()),
            namespaced: true,
            labels,
            selector,
            gap: scope.app_version.unknown().cloned(),
            family: Stable,
        })
    }

    fn deployment(&self) -> Rendering<Node> {
        let labels = Fields::of(self).all(&self.selector).all(&self.whole("podLabels")?);
        let annotations = self.given("podAnnotations")?;
        let pod = self.pod()?;
        let spec = self.part().set("replicas", self.printed("replicas")?);
        Ok(self.deployment_of(spec, labels, annotations, pod).node())
    }

    fn pod(&self) -> Rendering<Node> {
        let priority = self.get("priorityClassName")?;
        let mut containers = vec![self.container()?];
        containers.extend(items(&self.whole("extraContainers")?));
        let mut volumes = vec![self.own(json!({"name": "tmp", "emptyDir": {}}))];
        volumes.extend(items(&self.whole("extraVolumes")?));
        Ok(self
            .part()
            .set("priorityClassName", TemplateField::when(&priority, HelmScope::quote(&priority)))
            .set("imagePullSecrets", self.pull_secrets()?)
            .set("serviceAccountName", self.account()?)
            .set("hostNetwork", self.when("hostNetwork.enabled", true)?)
            .set("containers", containers)
            .set("nodeSelector", self.whole("nodeSelector")?)
            .set("affinity", self.whole("affinity")?)
            .set("tolerations", self.whole("tolerations")?)
            .set("volumes", volumes)
            .node())
    }

    fn pull_secrets(&self) -> Rendering<TemplateField> {
        let names = self.get("imagePullSecrets")?;
        let secrets = self.range("imagePullSecrets")?.into_iter();
        let secrets =
            secrets.map(|name| Fields::of(self).at(&name.origin).set("name", name).node());
        let secrets = Node::new(secrets.collect::<Vec<_>>(), names.origin.clone());
        Ok(TemplateField::when(&names, secrets))
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
        let ports = self.own(json!([{"containerPort": 8443, "name": "https"}]));
        let mut mounts = vec![scope.own(json!({"name": "tmp", "mountPath": "/tmp"}))];
        mounts.extend(items(&scope.whole("extraVolumeMounts")?));
        let repository = scope.get("image.repository")?;
        let tag = scope.get("image.tag")?;
        let origin = if tag.origin.is_default() { &repository.origin } else { &tag.origin };
        let image = image_of(&HelmScope::quote(&repository), ':', &HelmScope::quote(&tag), origin);
        Ok(self
            .part()
            .set("name", "metrics-server")
            .set("image", image)
            .set("imagePullPolicy", scope.printed("image.pullPolicy")?)
            .set("command", command)
            .set("ports", self.in_full(ports))
            .set("livenessProbe", scope.whole("livenessProbe")?)
            .set("readinessProbe", scope.whole("readinessProbe")?)
            .set("resources", scope.whole("resources")?)
            .set("securityContext", scope.whole("securityContext")?)
            .set("volumeMounts", mounts)
            .node())
    }

    fn service(&self) -> Rendering<Node> {
        let port = Fields::of(self).set("port", self.printed("service.port")?);
        Ok(self
            .service_of(port, Fields::of(self))?
            .labels(&self.whole("service.labels")?)
            .metadata("annotations", self.whole("service.annotations")?)
            .node())
    }

    fn pod_disruption_budget(&self) -> Rendering<Vec<Node>> {
        Condition::all(self, &["podDisruptionBudget.enabled"])?.made(|| {
            let app = Fields::of(self).set("app", self.short_name()?);
            let spec = Fields::of(self)
                .set("minAvailable", self.given_text("podDisruptionBudget.minAvailable")?)
                .set("maxUnavailable", self.given_text("podDisruptionBudget.maxUnavailable")?)
                .set("selector", Fields::of(self).set("matchLabels", app));
            Ok(vec![self.object("policy/v1beta1", "PodDisruptionBudget").set("spec", spec).node()])
        })
    }

    fn api_service(&self) -> Rendering<Vec<Node>> {
        Condition::all(self, &["apiService.create"])?.made(|| {
            let api = "apiregistration.k8s.io/v1beta1";
            let spec = Fields::of(self).set("insecureSkipTLSVerify", true);
            Ok(vec![self.api_service_of(api, TemplateField::Not(None), spec).node()])
        })
    }

    fn roles(&self) -> Rendering<Vec<Node>> {
        Condition::all(self, &["rbac.create"])?.made(|| {
            let rules = json!([{"apiGroups": [""], "verbs": ["get", "list", "watch"],
                "resources": ["pods", "nodes", "nodes/stats", "namespaces"]}]);
            self.roles_of(Roles {
                reader: self.affixed("system:", "-aggregated-reader"),
                own: self.affixed("system:", ""),
                rules: self.in_full(self.own(rules)),
                delegator: self.affixed("", ":system:auth-delegator"),
                auth_reader: self.affixed("", "-auth-reader"),
                auth_reader_namespace: self.own("kube-system"),
            })
        })
    }
}
