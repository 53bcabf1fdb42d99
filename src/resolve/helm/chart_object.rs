//! What templates see of the chart that they are of.

use crate::{
    resolve::{
        gotemplate::{GoData, GoMap, GoValue},
        helm::package::Package,
    },
    scalar::{self, Value},
    tree::Node,
};

/// `.Chart`
pub(super) fn metadata(package: &Package, is_root: bool) -> GoValue {
    let own = &package.metadata;
    let text = |node: Option<&Node>| match node {
        Some(node) => match node.unknown() {
            Some(why) => GoValue::unknown(why.clone(), &node.origin),
            None => GoValue::string(printed(node), &node.origin),
        },
        None => GoValue::string("", &own.origin),
    };
    let mut chart = GoMap::default();
    for (field, key) in [
        ("APIVersion", "apiVersion"),
        ("AppVersion", "appVersion"),
        ("Condition", "condition"),
        ("Description", "description"),
        ("Home", "home"),
        ("Icon", "icon"),
        ("KubeVersion", "kubeVersion"),
        ("Tags", "tags"),
        ("Type", "type"),
        ("Version", "version"),
    ] {
        chart.set(field, text(own.get(key)));
    }
    let literal = |data| GoValue::new(data, &own.origin);
    chart.set(
        "Name",
        match own.get("name") {
            Some(name) if name.as_str() == Some(&package.name) => text(Some(name)),
            _ => GoValue::string(&*package.name, &own.origin),
        },
    );
    chart.set("IsRoot", literal(GoData::Bool(is_root)));
    chart.set("Deprecated", literal(GoData::Bool(own.is_true_at("deprecated"))));
    chart.set("Annotations", {
        // `map[string]string`
        let node = own.get("annotations");
        let is_nil = node.is_none_or(Node::is_null);
        let mut map = GoMap { of_texts: true, is_nil, ..GoMap::default() };
        let texts = node.into_iter().flat_map(Node::entries);
        texts.for_each(|(key, it)| map.set(key, text(Some(&it.value))));
        GoValue::map(map, node.map_or(&own.origin, |it| &it.origin))
    });
    for (field, key) in [("Keywords", "keywords"), ("Sources", "sources")] {
        let items = own.items_at(key).iter().map(|it| text(Some(it))).collect();
        chart.set(field, GoValue::list(items, &own.origin));
    }
    let fields = |node: &Node, fields: &[(&str, &str)]| {
        let mut map = GoMap::default();
        for (field, key) in fields {
            map.set(*field, text(node.get(key)));
        }
        map
    };
    let maintainer = |it: &Node| {
        let map = fields(it, &[("Name", "name"), ("Email", "email"), ("URL", "url")]);
        GoValue::map(map, &it.origin)
    };
    let maintainers = own.items_at("maintainers").iter().map(maintainer).collect();
    chart.set("Maintainers", GoValue::list(maintainers, &own.origin));
    let dependency = |it: &Node| {
        let mut map = fields(
            it,
            &[
                ("Name", "name"),
                ("Version", "version"),
                ("Repository", "repository"),
                ("Condition", "condition"),
                ("Alias", "alias"),
            ],
        );
        map.set("Enabled", literal(GoData::Bool(true)));
        GoValue::map(map, &it.origin)
    };
    let entries = package.dependencies.iter().flatten().map(dependency).collect();
    chart.set("Dependencies", GoValue::list(entries, &own.origin));
    GoValue::map(chart, &own.origin)
}

/// A scalar as it is read into a field that is text.
fn printed(node: &Node) -> String {
    match node.as_scalar().map(scalar::sigs) {
        Some(Value::Str(text)) => text.to_owned(),
        Some(Value::Bool(it)) => it.to_string(),
        Some(Value::Int(it)) => it.to_string(),
        Some(Value::Float(it)) => scalar::go_float(it, -4..21),
        Some(Value::Null) | None => String::new(),
    }
}
