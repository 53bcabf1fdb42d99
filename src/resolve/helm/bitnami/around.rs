//! What stands around the Deployment.

use serde_json::{Value as Json, json};

use super::BitnamiChart;
use crate::{
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
        let port = if self.since(6, 0, 0) { "service.ports.https" } else { "service.port" };
        let mut port =
            Fields::of(self).set("name", "https").set("port", self.printed_or_gap(port)?);
        let mut spec = self.part();
        if self.gap.is_none() {
            port = port.set("nodePort", self.own(Json::Null));
            spec = spec.set("sessionAffinity", self.given_text("service.sessionAffinity")?);
        }
        let object = self.service_of(port, spec)?.labels(&labels);
        Ok(object.metadata("annotations", annotations).node())
    }

    pub(super) fn pod_disruption_budget(&self) -> Rendering<Vec<Node>> {
        let (prefix, create) = match (self.since(6, 0, 0), self.since(5, 3, 0)) {
            (true, _) => ("pdb", "pdb.create"),
            (_, true) => ("podDisruptionBudget", "podDisruptionBudget.enabled"),
            _ => return Ok(Vec::new()),
        };
        Condition::all(self, &[create])?.made(|| {
            let least = self.get(&format!("{prefix}.minAvailable"))?;
            let most = self.get(&format!("{prefix}.maxUnavailable"))?;
            let max_unavailable = match (truth(&least), truth(&most)) {
                (_, Ok(true)) => TemplateField::Is(self.print(&most)?),
                (Ok(true), Ok(false)) => TemplateField::Not(None),
                (Ok(false), Ok(false)) => TemplateField::Is(self.in_full(self.own(1))),
                (Err(why), _) | (_, Err(why)) => {
                    TemplateField::Is(Node::unknown_value(why, &most.origin))
                }
            };
            let spec = Fields::of(self)
                .set("minAvailable", TemplateField::when(&least, self.print(&least)?))
                .set("maxUnavailable", max_unavailable)
                .set("selector", self.match_labels());
            Ok(vec![self.object("policy/v1", "PodDisruptionBudget").set("spec", spec).node()])
        })
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
            let api = "apiregistration.k8s.io/v1";
            Ok(vec![self.api_service_of(api, TemplateField::Not(None), spec).node()])
        })
    }

    pub(super) fn network_policy(&self) -> Rendering<Vec<Node>> {
        if !self.since(7, 0, 0) {
            return Ok(Vec::new());
        }
        Condition::all(self, &["networkPolicy.enabled"])?.made(|| {
            let open = Condition::all(
                self,
                &["networkPolicy.allowExternal", "networkPolicy.allowExternalEgress"],
            )?;
            let port = Fields::of(self).set("port", self.printed(self.port())?);
            let ingress = Fields::of(self).set("ports", vec![port.node()]);
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
            let named = |suffix: &str| {
                let name = go_text(&self.full_name)
                    .and_then(|name| Ok(format!("{name}-{}{suffix}", go_text(&self.namespace)?)));
                Node::new(name, self.release.anchor.clone())
            };
            let rules = json!([
                {"apiGroups": [""], "resources": ["pods", "nodes", "namespaces"],
                    "verbs": ["get", "list", "watch"]},
                {"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get", "create"]}]);
            self.roles_of(Roles {
                reader: named("-view"),
                own: named(""),
                rules: self.in_full(self.own(rules)),
                delegator: named("-auth-delegator"),
                auth_reader: named("-auth-reader"),
                auth_reader_namespace: self.own("kube-system"),
            })
        })
    }
}
