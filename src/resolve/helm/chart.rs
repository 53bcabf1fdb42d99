//! What the charts that we know have in common: the names and labels of their helpers, and the
//! objects that all of them make.

use std::ops::Deref;

use serde_json::json;

use crate::{
    data::{charts::Behaviour, kinds::is_cluster_scoped},
    resolve::helm::{
        object::{ChartObject, Condition},
        template::{Fields, HelmScope, Rendering, TemplateField, map_text, truth},
    },
    tree::{Node, Reason},
};

/// A chart as its templates see it; `F` is what only one family has.
pub(super) struct FamilyChart<'a, F> {
    pub(super) scope: &'a HelmScope<'a>,
    pub(super) full_name: Node,
    /// Where the objects go.
    pub(super) namespace: Node,
    /// Whether the templates say so, rather than leave it to the release.
    pub(super) namespaced: bool,
    pub(super) labels: Node,
    pub(super) selector: Node,
    /// Why what is not modelled is unknown; nothing when all of it is modelled.
    pub(super) gap: Option<Reason>,
    pub(super) family: F,
}

/// What the roles are called, and what differs of them.
pub(super) struct Roles {
    /// The role that lets viewers read the Metrics API.
    pub(super) reader: Node,
    /// Metrics-server's own role, and the binding to it.
    pub(super) own: Node,
    /// What its own role allows.
    pub(super) rules: Node,
    /// The binding to `system:auth-delegator`.
    pub(super) delegator: Node,
    /// The binding to `extension-apiserver-authentication-reader`.
    pub(super) auth_reader: Node,
    /// Where that binding is.
    pub(super) auth_reader_namespace: Node,
}

/// The scope is read as if it were the chart's own: `chart.get("args")`.
impl<'a, F> Deref for FamilyChart<'a, F> {
    type Target = HelmScope<'a>;

    fn deref(&self) -> &HelmScope<'a> {
        self.scope
    }
}

impl<F> FamilyChart<'_, F> {
    /// An object that is called as the release is.
    pub(super) fn object(&self, api: &str, kind: &str) -> ChartObject {
        self.object_named(api, kind, self.full_name.clone())
    }

    pub(super) fn object_named(&self, api: &str, kind: &str, name: Node) -> ChartObject {
        let object = ChartObject::new(self, api, kind, name).labels(&self.labels);
        if self.namespaced && !is_cluster_scoped(kind) {
            object.metadata("namespace", self.namespace.clone())
        } else {
            object
        }
    }

    /// The release's name between others.
    pub(super) fn affixed(&self, prefix: &str, suffix: &str) -> Node {
        map_text(&self.full_name, |it| format!("{prefix}{it}{suffix}"))
    }

    /// A mapping of which the rest is unknown unless the version is known in full.
    pub(super) fn part(&self) -> Fields {
        match &self.gap {
            Some(why) => Fields::of(self).open(why.clone()),
            None => Fields::of(self),
        }
    }

    /// `node`, unless it is known of versions only that are known in full.
    pub(super) fn in_full(&self, node: Node) -> Node {
        match &self.gap {
            Some(why) => Node::unknown_value(why.clone(), &self.own),
            None => node,
        }
    }

    /// Nothing, which is said of a version that is not known, too: flags stand in one list.
    pub(super) fn no_args(&self) -> TemplateField {
        match &self.gap {
            Some(_) => self.own(json!(null)).into(),
            None => TemplateField::Not(None),
        }
    }

    /// What selects the pods.
    pub(super) fn match_labels(&self) -> Fields {
        let labels = Fields::of(self).all(&self.selector);
        let labels = match self.does(Behaviour::ChartOnPods) {
            true => labels.set("chart", self.chart_label()),
            false => labels,
        };
        Fields::of(self).set("matchLabels", labels)
    }

    /// The API version of a kind, which older charts take from another group or version.
    fn api(&self, old: Behaviour, beta: &'static str, stable: &'static str) -> &'static str {
        if self.does(old) { beta } else { stable }
    }

    /// The account's name: its own, else that of everything, else `default`.
    pub(super) fn account(&self) -> Rendering<Node> {
        let create = self.get("serviceAccount.create")?;
        let name = self.get("serviceAccount.name")?;
        Ok(match (truth(&create), truth(&name)) {
            (_, Ok(true)) => self.print(&name)?,
            (Ok(true), Ok(false)) => self.full_name.clone(),
            (Ok(false), Ok(false)) => Node::new("default", create.origin),
            (_, Err(why)) | (Err(why), _) => Node::unknown_value(why, &name.origin),
        })
    }

    /// The account's name where older charts take that of everything.
    fn account_unless(&self, old: Behaviour) -> Rendering<Node> {
        if self.does(old) { Ok(self.full_name.clone()) } else { self.account() }
    }

    /// The account, if one is made, with what `more` adds.
    pub(super) fn service_account(
        &self,
        more: impl FnOnce(ChartObject) -> Rendering<ChartObject>,
    ) -> Rendering<Vec<Node>> {
        Condition::all(self, &["serviceAccount.create"])?.made(|| {
            let name = self.account_unless(Behaviour::AccountOfRelease)?;
            let account = self.object_named("v1", "ServiceAccount", name);
            Ok(vec![more(account)?.node()])
        })
    }

    /// What metrics-server may do, and who may read what it serves.
    pub(super) fn roles_of(&self, roles: Roles) -> Rendering<Vec<Node>> {
        let mut aggregates = json!({});
        for role in ["admin", "edit", "view"] {
            aggregates[format!("rbac.authorization.k8s.io/aggregate-to-{role}")] = "true".into();
        }
        let only_pods = self.does(Behaviour::ReaderOfPods);
        let pods = if only_pods { json!(["pods"]) } else { json!(["pods", "nodes"]) };
        let reads = json!([{"apiGroups": ["metrics.k8s.io"], "resources": pods,
            "verbs": ["get", "list", "watch"]}]);
        let delegator = self.own("system:auth-delegator");
        let auth_reader = self.own("extension-apiserver-authentication-reader");
        let mut objects = vec![
            self.role("ClusterRole", roles.own.clone(), roles.rules).node(),
            self.binding("ClusterRole", roles.delegator, delegator)?.node(),
            self.binding("ClusterRole", roles.own.clone(), roles.own)?.node(),
            self.binding("Role", roles.auth_reader, auth_reader)?
                .metadata("namespace", roles.auth_reader_namespace)
                .node(),
        ];
        if !self.does(Behaviour::NoReaderRole) {
            let reader = self.role("ClusterRole", roles.reader, self.own(reads));
            objects.push(reader.labels(&self.own(aggregates)).node());
        }
        Ok(objects)
    }

    pub(super) fn role(&self, kind: &str, name: Node, rules: Node) -> ChartObject {
        self.object_named("rbac.authorization.k8s.io/v1", kind, name).set("rules", rules)
    }

    /// Binds the account to a role of `kind`.
    pub(super) fn binding(&self, kind: &str, name: Node, role: Node) -> Rendering<ChartObject> {
        let reference = Fields::of(self)
            .set("apiGroup", "rbac.authorization.k8s.io")
            .set("kind", kind)
            .set("name", role);
        let subject = Fields::of(self)
            .set("kind", "ServiceAccount")
            .set("name", self.account_unless(Behaviour::BindsRelease)?)
            .set("namespace", self.namespace.clone());
        let api = "rbac.authorization.k8s.io/v1";
        let api = match kind {
            "Role" => {
                self.api(Behaviour::BetaRoleBinding, "rbac.authorization.k8s.io/v1beta1", api)
            }
            _ => api,
        };
        Ok(self
            .object_named(api, &format!("{kind}Binding"), name)
            .set("roleRef", reference)
            .set("subjects", vec![subject.node()]))
    }

    /// The Service on `port`, with `spec` beside what all have.
    ///
    /// It leads to the container's port unless older charts name another.
    pub(super) fn service_of(&self, port: Fields, spec: Fields) -> Rendering<ChartObject> {
        let target = Fields::of(self).set("protocol", "TCP").set("targetPort", "https");
        let port = target.all(&port.node());
        let spec = spec
            .set("type", self.printed_if_read("service.type")?)
            .set("ports", vec![port.node()])
            .set("selector", self.selector.clone());
        Ok(self.object("v1", "Service").set("spec", spec))
    }

    /// A PodDisruptionBudget.
    pub(super) fn budget_of(&self, spec: Fields) -> ChartObject {
        let api = self.api(Behaviour::BetaBudget, "policy/v1beta1", "policy/v1");
        self.object(api, "PodDisruptionBudget").set("spec", spec)
    }

    /// The APIService, whose `spec` says how it verifies metrics-server.
    pub(super) fn api_service_of(&self, port: TemplateField, spec: Fields) -> ChartObject {
        let service = Fields::of(self)
            .set("name", self.full_name.clone())
            .set("namespace", self.namespace.clone())
            .set("port", port);
        let priorities = json!({"groupPriorityMinimum": 100, "versionPriority": 100});
        let spec = spec
            .set("group", "metrics.k8s.io")
            .set("version", "v1beta1")
            .set("service", service)
            .all(&self.own(priorities));
        let [beta, stable] = ["apiregistration.k8s.io/v1beta1", "apiregistration.k8s.io/v1"];
        let api = self.api(Behaviour::BetaApiService, beta, stable);
        let misnamed = self.does(Behaviour::MisnamedApiService);
        let name = if misnamed { "v1.metrics.k8s.io" } else { "v1beta1.metrics.k8s.io" };
        self.object_named(api, "APIService", self.named(name.to_owned())).set("spec", spec)
    }

    /// The Deployment of such a pod, with `spec` beside what all have.
    pub(super) fn deployment_of(
        &self,
        spec: Fields,
        labels: Fields,
        annotations: TemplateField,
        pod: Node,
    ) -> ChartObject {
        let metadata = Fields::of(self).set("labels", labels).set("annotations", annotations);
        let template = Fields::of(self).set("metadata", metadata).set("spec", pod);
        let spec = spec.set("selector", self.match_labels()).set("template", template);
        let api = self.api(Behaviour::BetaDeployment, "apps/v1beta2", "apps/v1");
        self.object(api, "Deployment").set("spec", spec)
    }
}
