//! What the chart of the archived stable repository makes of its values.
//!
//! The reference is `stable/metrics-server/templates` in the repository `helm/charts`. All flags
//! stand in `command`.

use serde_json::json;

use crate::{
    data::charts::Behaviour,
    problem::Problem,
    resolve::helm::{
        chart::{self, Roles},
        object::Condition,
        template::{Fields, HelmScope, Rendering, TemplateField, image_of, items, map_text, truth},
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
            namespaced: scope.does(Behaviour::Namespaced),
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
        let replicas = self.printed_if_read("replicas")?;
        let spec = self.part().set("replicas", replicas);
        Ok(self.deployment_of(spec, labels, annotations, pod).node())
    }

    fn pod(&self) -> Rendering<Node> {
        let priority = self.get("priorityClassName")?;
        let mut containers = items(&self.whole("extraContainers")?);
        containers.push(self.container()?);
        let volumes = self.with_own("extraVolumes", json!({"name": "tmp", "emptyDir": {}}))?;
        Ok(self
            .part()
            .set("priorityClassName", TemplateField::when(&priority, HelmScope::quote(&priority)))
            .set("imagePullSecrets", self.pull_secrets()?)
            .set("serviceAccountName", self.account()?)
            .set("hostNetwork", self.when("hostNetwork.enabled", true)?)
            .set("containers", containers)
            .set("nodeSelector", self.handed_on("nodeSelector")?)
            .set("affinity", self.handed_on("affinity")?)
            .set("tolerations", self.handed_on("tolerations")?)
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

    /// What older versions leave out when it is empty.
    fn handed_on(&self, path: &str) -> Rendering<TemplateField> {
        if self.does(Behaviour::OwnFlags) { Ok(self.whole(path)?.into()) } else { self.given(path) }
    }

    /// The list at `path` behind the item that newer versions have of their own.
    fn with_own(&self, path: &str, own: serde_json::Value) -> Rendering<TemplateField> {
        if !self.does(Behaviour::OwnFlags) {
            return self.given(path);
        }
        let mut list = vec![self.own(own)];
        list.extend(items(&self.whole(path)?));
        Ok(list.into())
    }

    fn container(&self) -> Rendering<Node> {
        let scope = self.scope;
        let own_flags = self.does(Behaviour::OwnFlags);
        let mut command = vec![scope.own("/metrics-server")];
        match &self.gap {
            None if self.does(Behaviour::SourceFlag) => {
                command.push(scope.own("--source=kubernetes.summary_api:''"));
            }
            None if own_flags => command.extend(
                ["--cert-dir=/tmp", "--logtostderr", "--secure-port=8443"].map(|it| scope.own(it)),
            ),
            None => {}
            Some(why) => command.push(Node::unknown_value(why.clone(), &scope.own)),
        }
        let args = scope.range("args")?;
        if self.does(Behaviour::ArgsInQuotes) {
            command.extend(items(&scope.whole("args")?).iter().map(HelmScope::quote));
        } else {
            command.extend(args);
        }
        let ports = self.own(json!([{"containerPort": 8443, "name": "https"}]));
        let ports = if own_flags { self.in_full(ports).into() } else { TemplateField::Not(None) };
        let mounts = json!({"name": "tmp", "mountPath": "/tmp"});
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
            .set("args", self.no_args())
            .set("ports", ports)
            .set("livenessProbe", self.handed_on("livenessProbe")?)
            .set("readinessProbe", self.handed_on("readinessProbe")?)
            .set("resources", self.handed_on("resources")?)
            .set("securityContext", self.handed_on("securityContext")?)
            .set("volumeMounts", self.with_own("extraVolumeMounts", mounts)?)
            .node())
    }

    /// Refuses values at `path` in the versions that indent them too deep.
    fn refuse(&self, broken: Behaviour, path: &str) -> Rendering<()> {
        let value = self.get(path)?;
        if !self.does(broken) || truth(&value) != Ok(true) {
            return Ok(());
        }
        let message = format!("this version of the chart indents `{path}` too deep: not YAML");
        Err(Problem::refused(&value.origin, message))
    }

    fn service(&self) -> Rendering<Node> {
        self.refuse(Behaviour::BrokenServiceLabels, "service.labels")?;
        self.refuse(Behaviour::BrokenVolumes, "extraVolumes")?;
        let labels = self.whole("service.labels")?;
        let port = match self.reads("service.port") {
            true => Fields::of(self).set("port", self.printed("service.port")?),
            false => Fields::of(self).set("port", self.own(443)).set("targetPort", self.own(443)),
        };
        let object = self.service_of(port, Fields::of(self))?.labels(&labels);
        Ok(object.metadata("annotations", self.handed_on("service.annotations")?).node())
    }

    fn pod_disruption_budget(&self) -> Rendering<Vec<Node>> {
        Condition::all(self, &["podDisruptionBudget.enabled"])?.made(|| {
            let app = Fields::of(self).set("app", self.short_name()?);
            let spec = Fields::of(self)
                .set("minAvailable", self.given_text("podDisruptionBudget.minAvailable")?)
                .set("maxUnavailable", self.given_text("podDisruptionBudget.maxUnavailable")?)
                .set("selector", Fields::of(self).set("matchLabels", app));
            Ok(vec![self.budget_of(spec).metadata("namespace", self.namespace.clone()).node()])
        })
    }

    fn api_service(&self) -> Rendering<Vec<Node>> {
        Condition::all(self, &["apiService.create"])?.made(|| {
            let spec = Fields::of(self).set("insecureSkipTLSVerify", true);
            Ok(vec![self.api_service_of(TemplateField::Not(None), spec).node()])
        })
    }

    fn roles(&self) -> Rendering<Vec<Node>> {
        Condition::all(self, &["rbac.create"])?.made(|| {
            let resources =
                match (self.does(Behaviour::ReadsStats), self.does(Behaviour::ReadsNamespaces)) {
                    (true, true) => json!(["pods", "nodes", "nodes/stats", "namespaces"]),
                    (true, false) => json!(["pods", "nodes", "nodes/stats"]),
                    (false, _) => json!(["pods", "nodes", "namespaces"]),
                };
            let mut rules = vec![self.own(json!({"apiGroups": [""], "resources": resources,
                "verbs": ["get", "list", "watch"]}))];
            if self.does(Behaviour::CreatesStats) {
                rules.push(self.own(json!({"apiGroups": [""], "resources": ["nodes/stats"],
                    "verbs": ["get", "create"]})));
            }
            let policies = self.get("rbac.pspEnabled")?;
            if truth(&policies) != Ok(false) {
                let why = "what the chart does for PodSecurityPolicies is not modelled";
                rules.push(Node::unknown_value(why, &policies.origin));
            }
            let short = self.short_name()?;
            self.roles_of(Roles {
                reader: map_text(&short, |it| format!("system:{it}-aggregated-reader")),
                own: self.affixed("system:", ""),
                rules: self.in_full(Node::new(rules, self.own.clone())),
                delegator: self.affixed("", ":system:auth-delegator"),
                auth_reader: self.affixed("", "-auth-reader"),
                auth_reader_namespace: self.own("kube-system"),
            })
        })
    }
}
