//! Accounts, roles and their bindings, and what the resizer may do and is told to do.

use serde_json::json;

use super::SigsChart;
use crate::{
    resolve::helm::{
        chart::Roles,
        object::Condition,
        print::go_text,
        template::{Fields, Rendering, map_text},
    },
    tree::Node,
};

impl SigsChart<'_> {
    pub(super) fn access(&self) -> Rendering<Vec<Node>> {
        let mut objects = self.service_account(|account| {
            let account =
                account.metadata("annotations", self.given("serviceAccount.annotations")?);
            Ok(if self.since(3, 8, 3) {
                account.set("secrets", self.given("serviceAccount.secrets")?)
            } else {
                account
            })
        })?;
        let create = Condition::all(self, &["rbac.create"])?;
        objects.extend(create.made(|| self.roles())?);
        if self.since(3, 9, 0) {
            let resized = Condition::all(self, &["addonResizer.enabled"])?;
            objects.extend(resized.made(|| Ok(vec![self.resizer_config()?]))?);
            objects.extend(create.and(resized).made(|| self.resizer_roles())?);
        }
        Ok(objects)
    }

    fn roles(&self) -> Rendering<Vec<Node>> {
        let read = json!(["get", "list", "watch"]);
        // v0.6.0 of the program asks the kubelets for `/metrics/resource`.
        let rules = if self.since(3, 8, 0) {
            json!([{"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]},
                {"apiGroups": [""], "resources": ["pods", "nodes", "namespaces", "configmaps"],
                    "verbs": read}])
        } else {
            json!([{"apiGroups": [""], "verbs": read,
                "resources": ["pods", "nodes", "nodes/stats", "namespaces", "configmaps"]}])
        };
        let name = if self.since(3, 14, 0) { self.full_name.clone() } else { self.short_name()? };
        // 3.8.3 to 3.9.0 bind the role in the release's namespace, where it does not exist.
        let namespace = if self.since(3, 8, 3) && !self.since(3, 10, 0) {
            self.namespace.clone()
        } else {
            self.own("kube-system")
        };
        self.roles_of(Roles {
            reader: map_text(&name, |it| format!("system:{it}-aggregated-reader")),
            own: self.affixed("system:", ""),
            rules: self.own(rules),
            delegator: self.affixed("", ":system:auth-delegator"),
            auth_reader: self.affixed("", "-auth-reader"),
            auth_reader_namespace: namespace,
        })
    }

    fn resizer_config(&self) -> Rendering<Node> {
        let mut lines = Ok("apiVersion: nannyconfig/v1alpha1\nkind: NannyConfiguration".to_owned());
        for (key, value) in [
            ("baseCPU", "cpu"),
            ("cpuPerNode", "extraCpu"),
            ("baseMemory", "memory"),
            ("memoryPerNode", "extraMemory"),
        ] {
            let value = go_text(&self.get(&format!("addonResizer.nanny.{value}"))?);
            lines = lines.and_then(|lines| Ok(format!("{lines}\n{key}: {}", value?)));
        }
        let data = Fields::of(self).set("NannyConfiguration", lines);
        let name = self.affixed("", "-nanny-config");
        Ok(self.object_named("v1", "ConfigMap", name).set("data", data).node())
    }

    fn resizer_roles(&self) -> Rendering<Vec<Node>> {
        let name = self.affixed("system:", "-nanny");
        let reads = json!([{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]);
        let patches = json!({"apiGroups": ["apps"], "resources": ["deployments"],
            "verbs": ["get", "patch"]});
        let patches = Fields::of(self)
            .all(&self.own(patches))
            .set("resourceNames", vec![self.full_name.clone()]);
        let gets = json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]});
        let rules = Node::new(vec![self.own(gets), patches.node()], self.own.clone());
        // 3.9.0 has the role under one name and binds another.
        let bound =
            if self.since(3, 10, 0) { name.clone() } else { self.own("metrics-server-nanny") };
        let namespace =
            if self.since(3, 12, 2) { self.namespace.clone() } else { self.own("kube-system") };
        Ok(vec![
            self.role("ClusterRole", name.clone(), self.own(reads)).node(),
            self.binding("ClusterRole", name.clone(), name.clone())?.node(),
            self.role("Role", name, rules).node(),
            self.binding("Role", self.affixed("", "-nanny"), bound)?
                .metadata("namespace", namespace)
                .node(),
        ])
    }
}
