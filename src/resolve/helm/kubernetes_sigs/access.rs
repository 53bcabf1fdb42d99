//! Accounts, roles and their bindings, and what the resizer may do and is told to do.

use serde_json::json;

use super::Chart;
use crate::{
    resolve::helm::{
        object::{Condition, Object},
        print::text,
        template::{Fields, Rendering, map_text},
    },
    tree::Node,
};

pub(super) fn render(chart: &Chart<'_>) -> Rendering<Vec<Node>> {
    let scope = chart.scope;
    let account = Condition::all(scope, &["serviceAccount.create"])?;
    let mut objects = account.made(|| Ok(vec![service_account(chart)?]))?;
    let create = Condition::all(scope, &["rbac.create"])?;
    objects.extend(create.made(|| roles(chart))?);
    if scope.since(3, 9, 0) {
        let resized = Condition::all(scope, &["addonResizer.enabled"])?;
        objects.extend(resized.made(|| Ok(vec![resizer_config(chart)?]))?);
        objects.extend(create.and(resized).made(|| resizer_roles(chart))?);
    }
    Ok(objects)
}

fn service_account(chart: &Chart<'_>) -> Rendering<Node> {
    let scope = chart.scope;
    let name = scope.service_account(&chart.full_name)?;
    let account = chart
        .object("v1", "ServiceAccount", name, true)
        .metadata("annotations", scope.given("serviceAccount.annotations")?);
    Ok(if scope.since(3, 8, 3) {
        account.set("secrets", scope.given("serviceAccount.secrets")?).node()
    } else {
        account.node()
    })
}

fn roles(chart: &Chart<'_>) -> Rendering<Vec<Node>> {
    let scope = chart.scope;
    let read = json!(["get", "list", "watch"]);
    // v0.6.0 of the program asks the kubelets for `/metrics/resource`.
    let rules = if scope.since(3, 8, 0) {
        json!([{"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]},
            {"apiGroups": [""], "resources": ["pods", "nodes", "namespaces", "configmaps"],
                "verbs": read}])
    } else {
        json!([{"apiGroups": [""], "verbs": read,
            "resources": ["pods", "nodes", "nodes/stats", "namespaces", "configmaps"]}])
    };
    let own = map_text(&chart.full_name, |it| format!("system:{it}"));
    let name = if scope.since(3, 14, 0) { chart.full_name.clone() } else { scope.short_name()? };
    let reader = map_text(&name, |it| format!("system:{it}-aggregated-reader"));
    let delegator = map_text(&chart.full_name, |it| format!("{it}:system:auth-delegator"));
    let auth_reader = chart.full_name_and("-auth-reader");
    // 3.8.3 to 3.9.0 bind the role in the release's namespace, where it does not exist.
    let namespace = if scope.since(3, 8, 3) && !scope.since(3, 10, 0) {
        chart.namespace.clone()
    } else {
        scope.own("kube-system")
    };
    let role = "extension-apiserver-authentication-reader";
    Ok(vec![
        cluster_role(chart, reader).aggregates_metrics(scope).node(),
        cluster_role(chart, own.clone()).set("rules", scope.own(rules)).node(),
        binding(
            chart,
            "ClusterRoleBinding",
            delegator,
            "ClusterRole",
            scope.own("system:auth-delegator"),
        )?
        .node(),
        binding(chart, "ClusterRoleBinding", own.clone(), "ClusterRole", own)?.node(),
        binding(chart, "RoleBinding", auth_reader, "Role", scope.own(role))?
            .metadata("namespace", namespace)
            .node(),
    ])
}

fn resizer_config(chart: &Chart<'_>) -> Rendering<Node> {
    let scope = chart.scope;
    let mut lines = Ok("apiVersion: nannyconfig/v1alpha1\nkind: NannyConfiguration".to_owned());
    for (key, value) in [
        ("baseCPU", "cpu"),
        ("cpuPerNode", "extraCpu"),
        ("baseMemory", "memory"),
        ("memoryPerNode", "extraMemory"),
    ] {
        let value = text(&scope.get(&format!("addonResizer.nanny.{value}"))?);
        lines = lines.and_then(|lines| Ok(format!("{lines}\n{key}: {}", value?)));
    }
    let configuration = Node::new(lines, scope.own.clone());
    let data = Fields::new(&scope.own).set("NannyConfiguration", configuration);
    let name = chart.full_name_and("-nanny-config");
    Ok(chart.object("v1", "ConfigMap", name, true).set("data", data.node()).node())
}

fn resizer_roles(chart: &Chart<'_>) -> Rendering<Vec<Node>> {
    let scope = chart.scope;
    let name = map_text(&chart.full_name, |it| format!("system:{it}-nanny"));
    let reads = json!([{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]);
    let names = Node::new(vec![chart.full_name.clone()], scope.own.clone());
    let patches = json!({"apiGroups": ["apps"], "resources": ["deployments"],
        "verbs": ["get", "patch"]});
    let rules = vec![
        scope.own(json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]})),
        Fields::new(&scope.own).all(&scope.own(patches)).set("resourceNames", names).node(),
    ];
    let mut role = chart
        .object("rbac.authorization.k8s.io/v1", "Role", name.clone(), true)
        .set("rules", Node::new(rules, scope.own.clone()));
    // 3.9.0 has the role under one name and binds another.
    let bound =
        if scope.since(3, 10, 0) { name.clone() } else { scope.own("metrics-server-nanny") };
    let nanny = chart.full_name_and("-nanny");
    let mut bind = binding(chart, "RoleBinding", nanny, "Role", bound)?;
    let namespace =
        if scope.since(3, 12, 2) { chart.namespace.clone() } else { scope.own("kube-system") };
    bind = bind.metadata("namespace", namespace);
    role = role.metadata("namespace", chart.namespace.clone());
    Ok(vec![
        cluster_role(chart, name.clone()).set("rules", scope.own(reads)).node(),
        binding(chart, "ClusterRoleBinding", name.clone(), "ClusterRole", name)?.node(),
        role.node(),
        bind.node(),
    ])
}

fn cluster_role(chart: &Chart<'_>, name: Node) -> Object {
    chart.object("rbac.authorization.k8s.io/v1", "ClusterRole", name, false)
}

/// Binds the chart's account to a role.
fn binding(
    chart: &Chart<'_>,
    kind: &str,
    name: Node,
    role_kind: &str,
    role: Node,
) -> Rendering<Object> {
    let subject = chart.scope.subject(&chart.full_name, chart.namespace.clone())?;
    let object = chart.object("rbac.authorization.k8s.io/v1", kind, name, false);
    Ok(object.binds(chart.scope, subject, role_kind, role))
}
