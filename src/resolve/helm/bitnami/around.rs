//! What stands around the Deployment.

use serde_json::{Value as Json, json};

use super::BitnamiChart;
use crate::{
    data::charts::Behaviour,
    problem::Problem,
    resolve::helm::{
        chart::Roles,
        object::Condition,
        print::go_text,
        template::{Fields, Rendering, TemplateField, either, truth},
    },
    tree::Node,
};

impl BitnamiChart<'_> {
    pub(super) fn service(&self) -> Rendering<Node> {
        let labels = self.rendered("service.labels")?;
        let annotations = self.given_rendered("service.annotations")?;
        let path = match self.reads("service.ports.https") {
            true => "service.ports.https",
            false => "service.port",
        };
        let mut port = Fields::of(self);
        port = match self.reads(path) {
            true => port.set("name", "https").set("port", self.printed_or_gap(path)?),
            false => port.set("port", self.own(443)).set("targetPort", self.own(8443)),
        };
        let mut spec = self.part();
        if self.gap.is_none() {
            port = match self.does(Behaviour::OldLabels) {
                true => port.set("nodePort", self.given_text("service.nodePort")?),
                false => port.set("nodePort", self.own(Json::Null)),
            };
            spec = spec.set("sessionAffinity", self.given_text("service.sessionAffinity")?);
        }
        let object = self.service_of(port, spec)?.labels(&labels);
        Ok(object.metadata("annotations", annotations).node())
    }

    pub(super) fn pod_disruption_budget(&self) -> Rendering<Vec<Node>> {
        let (prefix, create) = match self.reads("pdb.create") {
            true => ("pdb", "pdb.create"),
            false => ("podDisruptionBudget", "podDisruptionBudget.enabled"),
        };
        Condition::all(self, &[create])?.made(|| {
            if self.does(Behaviour::BrokenBudget) {
                let message = "this version of the chart cannot make a PodDisruptionBudget";
                return Err(Problem::refused(&self.get(create)?.origin, message));
            }
            let least = self.get(&format!("{prefix}.minAvailable"))?;
            let most = self.get(&format!("{prefix}.maxUnavailable"))?;
            let max_unavailable = match (truth(&least), truth(&most)) {
                (_, Ok(true)) => TemplateField::Is(self.print(&most)?),
                (Ok(false), Ok(false)) if self.of_one() => {
                    TemplateField::Is(self.in_full(self.own(1)))
                }
                (Ok(_), Ok(false)) => TemplateField::Not(None),
                (Err(why), _) | (_, Err(why)) => {
                    TemplateField::Is(Node::unknown_value(why, &most.origin))
                }
            };
            let spec = Fields::of(self)
                .set("minAvailable", TemplateField::when(&least, self.print(&least)?))
                .set("maxUnavailable", max_unavailable)
                .set("selector", self.match_labels());
            Ok(vec![self.budget_of(spec).node()])
        })
    }

    /// Whether a PodDisruptionBudget without numbers has one, or may.
    fn of_one(&self) -> bool {
        self.gap.is_some() || self.does(Behaviour::BudgetOfOne)
    }

    pub(super) fn api_service(&self) -> Rendering<Vec<Node>> {
        Condition::all(self, &["apiService.create"])?.made(|| {
            // `| default true`: what is false to a template, an unquoted `false` too, becomes true.
            let insecure = self.get("apiService.insecureSkipTLSVerify")?;
            let verified = || Ok(Node::new(true, insecure.origin.clone()));
            let spec = Fields::of(self)
                .set(
                    "insecureSkipTLSVerify",
                    either(&insecure, || self.print(&insecure), verified)?,
                )
                .set("caBundle", self.given_text("apiService.caBundle")?);
            Ok(vec![self.api_service_of(TemplateField::Not(None), spec).node()])
        })
    }

    pub(super) fn network_policy(&self) -> Rendering<Vec<Node>> {
        Condition::all(self, &["networkPolicy.enabled"])?.made(|| {
            let given = |key: &str| Condition::all(self, &[&format!("networkPolicy.{key}")]);
            let (external, egress) = (given("allowExternal")?, given("allowExternalEgress")?);
            let pods_alone =
                given("extraIngress")?.negated().and(given("ingressNSMatchLabels")?.negated());
            let port = Fields::of(self).set("port", self.printed(self.port())?);
            let mut ingress = Fields::of(self).set("ports", vec![port.node()]);
            let open = if external.is == Ok(false) {
                // Pods with the labels of its own, or with one for its clients.
                let why = "which pods a policy admits is not modelled";
                let pods = Node::unknown_value(why, &external.at);
                let pods = Fields::of(self).at(&external.at).set("podSelector", pods).node();
                ingress = ingress.set("from", vec![pods.clone(), pods]);
                pods_alone.and(egress)
            } else {
                external.and(egress)
            };
            let spec = Fields::of(self)
                .set("podSelector", self.match_labels())
                .set("policyTypes", self.own(json!(["Ingress", "Egress"])))
                .set("egress", self.own(json!([{}])))
                .set("ingress", vec![ingress.node()]);
            let spec = if open.is == Ok(true) && self.gap.is_none() {
                spec.node()
            } else {
                Node::unknown_value("narrower network policies are not modelled", &open.at)
            };
            let object = self.object("networking.k8s.io/v1", "NetworkPolicy");
            Ok(vec![object.set("spec", spec).node()])
        })
    }

    pub(super) fn roles(&self) -> Rendering<Vec<Node>> {
        Condition::all(self, &["rbac.create"])?.made(|| {
            let in_roles = self.does(Behaviour::NamespaceInRoles);
            let named = |prefix: &str, suffix: &str| {
                let name = go_text(&self.full_name).and_then(|name| {
                    let namespace = match in_roles {
                        true => format!("-{}", go_text(&self.namespace)?),
                        false => String::new(),
                    };
                    Ok(format!("{prefix}{name}{namespace}{suffix}"))
                });
                Node::new(name, self.release.anchor.clone())
            };
            let mut rules = vec![json!({"apiGroups": [""],
                "resources": ["pods", "nodes", "namespaces"], "verbs": ["get", "list", "watch"]})];
            let of_nodes = match (self.does(Behaviour::CreatesStats), self.does(Behaviour::NoStats))
            {
                (true, _) => Some("nodes/stats"),
                (false, true) => None,
                (false, false) => Some("nodes/metrics"),
            };
            rules.extend(of_nodes.map(|resource| {
                json!({"apiGroups": [""], "resources": [resource], "verbs": ["get", "create"]})
            }));
            let system = self.does(Behaviour::SystemRoles);
            let [prefix, reader, delegator] = match system {
                true => ["system:", "-aggregated-reader", ":system:auth-delegator"],
                false => ["", "-view", "-auth-delegator"],
            };
            self.roles_of(Roles {
                reader: named(prefix, reader),
                own: named(prefix, ""),
                rules: self.in_full(self.own(Json::from(rules))),
                delegator: named("", delegator),
                auth_reader: named("", "-auth-reader"),
                auth_reader_namespace: self.own("kube-system"),
            })
        })
    }
}
