//! What stands around the Deployment.

use serde_json::{Value as Json, json};

use super::{Chart, evaluated};
use crate::{
    resolve::helm::{
        object::{Condition, Object},
        print::text,
        template::{Field, Fields, Rendering, truth},
    },
    tree::Node,
};

impl Chart<'_> {
    pub(super) fn service(&self) -> Rendering<Node> {
        let scope = self.scope;
        let object = self
            .object("v1", "Service", self.full_name.clone())
            .labels(&evaluated(&scope.whole("service.labels")?));
        let annotations = scope.whole("service.annotations")?;
        let object =
            object.metadata("annotations", Field::when(&annotations, evaluated(&annotations)));
        let port = if scope.since(6, 0, 0) { "service.ports.https" } else { "service.port" };
        let mut port = Fields::new(&scope.own)
            .set("name", scope.own("https"))
            .set("port", self.printed(port)?)
            .set("protocol", scope.own("TCP"))
            .set("targetPort", scope.own("https"));
        let mut spec = self.fields().set("type", scope.printed("service.type")?);
        if self.gap.is_none() {
            port = port.set("nodePort", scope.own(Json::Null));
            spec = spec.set("sessionAffinity", scope.given_text("service.sessionAffinity")?);
        }
        let spec = spec
            .set("ports", Node::new(vec![port.node()], scope.own.clone()))
            .set("selector", self.selector.clone());
        Ok(object.set("spec", spec.node()).node())
    }

    pub(super) fn pod_disruption_budget(&self) -> Rendering<Vec<Node>> {
        let scope = self.scope;
        let (prefix, create) = match (scope.since(6, 0, 0), scope.since(5, 3, 0)) {
            (true, _) => ("pdb", "pdb.create"),
            (_, true) => ("podDisruptionBudget", "podDisruptionBudget.enabled"),
            _ => return Ok(Vec::new()),
        };
        Condition::all(scope, &[create])?.made(|| {
            let least = scope.get(&format!("{prefix}.minAvailable"))?;
            let most = scope.get(&format!("{prefix}.maxUnavailable"))?;
            let max_unavailable = match (truth(&least), truth(&most)) {
                (_, Ok(true)) => Field::Is(scope.print(&most)?),
                (Ok(true), Ok(false)) => Field::Not(None),
                (Ok(false), Ok(false)) => Field::Is(match &self.gap {
                    None => scope.own(1),
                    Some(why) => Node::unknown_value(why.clone(), &scope.own),
                }),
                (Err(why), _) | (_, Err(why)) => Field::Is(Node::unknown_value(why, &most.origin)),
            };
            let selector = Fields::new(&scope.own).set("matchLabels", self.selector.clone());
            let spec = Fields::new(&scope.own)
                .set("minAvailable", Field::when(&least, scope.print(&least)?))
                .set("maxUnavailable", max_unavailable)
                .set("selector", selector.node());
            let object = self.object("policy/v1", "PodDisruptionBudget", self.full_name.clone());
            Ok(vec![object.set("spec", spec.node()).node()])
        })
    }

    pub(super) fn api_service(&self) -> Rendering<Vec<Node>> {
        let scope = self.scope;
        Condition::all(scope, &["apiService.create"])?.made(|| {
            // `| default true`: what is false to a template, an unquoted `false` too, becomes true.
            let insecure = scope.get("apiService.insecureSkipTLSVerify")?;
            let insecure = match truth(&insecure) {
                Ok(true) => scope.print(&insecure)?,
                Ok(false) => Node::new(true, insecure.origin),
                Err(why) => Node::unknown_value(why, &insecure.origin),
            };
            let service = Fields::new(&scope.own)
                .set("name", self.full_name.clone())
                .set("namespace", self.namespace.clone());
            let spec = Fields::new(&scope.own)
                .set("service", service.node())
                .set("group", scope.own("metrics.k8s.io"))
                .set("version", scope.own("v1beta1"))
                .set("insecureSkipTLSVerify", insecure)
                .set("caBundle", scope.given_text("apiService.caBundle")?)
                .set("groupPriorityMinimum", scope.own(100))
                .set("versionPriority", scope.own(100));
            let name = scope.named("v1beta1.metrics.k8s.io".to_owned());
            let object = self.object("apiregistration.k8s.io/v1", "APIService", name);
            Ok(vec![object.set("spec", spec.node()).node()])
        })
    }

    pub(super) fn network_policy(&self) -> Rendering<Vec<Node>> {
        let scope = self.scope;
        if !scope.since(7, 0, 0) {
            return Ok(Vec::new());
        }
        Condition::all(scope, &["networkPolicy.enabled"])?.made(|| {
            let open = Condition::all(
                scope,
                &["networkPolicy.allowExternal", "networkPolicy.allowExternalEgress"],
            )?;
            let port = Fields::new(&scope.own).set("port", scope.printed(self.port())?).node();
            let ports = Node::new(vec![port], scope.own.clone());
            let ingress = Fields::new(&scope.own).set("ports", ports).node();
            let spec = Fields::new(&scope.own)
                .set(
                    "podSelector",
                    Fields::new(&scope.own).set("matchLabels", self.selector.clone()).node(),
                )
                .set("policyTypes", scope.own(json!(["Ingress", "Egress"])))
                .set("egress", scope.own(json!([{}])))
                .set("ingress", Node::new(vec![ingress], scope.own.clone()))
                .node();
            let spec = if open.is == Ok(true) && self.gap.is_none() {
                spec
            } else {
                Node::unknown_value("narrower network policies are not modelled", &open.at)
            };
            let object =
                self.object("networking.k8s.io/v1", "NetworkPolicy", self.full_name.clone());
            Ok(vec![object.set("spec", spec).node()])
        })
    }

    pub(super) fn roles(&self) -> Rendering<Vec<Node>> {
        let scope = self.scope;
        Condition::all(scope, &["rbac.create"])?.made(|| {
            let named = |suffix: &str| match (text(&self.full_name), text(&self.namespace)) {
                (Ok(name), Ok(namespace)) => scope.named(format!("{name}-{namespace}{suffix}")),
                (Err(why), _) | (_, Err(why)) => Node::unknown_value(why, &scope.own),
            };
            let api = "rbac.authorization.k8s.io/v1";
            let read = json!(["get", "list", "watch"]);
            let rules = json!([
            {"apiGroups": [""], "resources": ["pods", "nodes", "namespaces"], "verbs": read},
            {"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get", "create"]}]);
            let rules = match &self.gap {
                None => scope.own(rules),
                Some(why) => Node::unknown_value(why.clone(), &scope.own),
            };
            let subject = scope.subject(&self.full_name, self.namespace.clone())?;
            let bind = |object: Object, kind: &str, role: Node| {
                object.binds(scope, subject.clone(), kind, role).node()
            };
            let reader = self
                .object(api, "RoleBinding", named("-auth-reader"))
                .metadata("namespace", scope.own("kube-system"));
            let all = [
                self.object(api, "ClusterRole", named("")).set("rules", rules).node(),
                self.object(api, "ClusterRole", named("-view")).aggregates_metrics(scope).node(),
                bind(
                    self.object(api, "ClusterRoleBinding", named("-auth-delegator")),
                    "ClusterRole",
                    scope.own("system:auth-delegator"),
                ),
                bind(self.object(api, "ClusterRoleBinding", named("")), "ClusterRole", named("")),
                bind(reader, "Role", scope.own("extension-apiserver-authentication-reader")),
            ];
            Ok(all.into())
        })
    }
}
