//! `vars`: values that are written wherever `$(NAME)` stands.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use indexmap::IndexMap;

use crate::{
    resolve::kustomize::{
        budget::MAX_OBJECT,
        layer::{Layer, Var},
        path,
        resource::{Gvk, Id, Resource},
        shape,
        value::{Outcome, is_null, is_string, refusal, refusal_of, string, text},
    },
    scalar::{self, Dialect, Value},
    tree::{Kind, Map, Node, Origin, Via},
};

/// Notes which objects the variables of a kustomization take their values from.
pub(super) fn collect(layer: &mut Layer, entries: &[Node]) {
    let mut named: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    if !entries.is_empty() {
        for (at, resource) in layer.resources.iter().enumerate() {
            for id in resource.all_ids() {
                named.entry(id.name).or_default().insert(at);
            }
        }
    }
    let mut variables = Vec::new();
    for entry in entries {
        let name = text(entry.get("name"));
        let object = entry.get("objref");
        let part = |field: &str| text(object.and_then(|it| it.get(field)));
        let gvk = match part("apiVersion") {
            "" => object.map(Gvk::selector).unwrap_or_default(),
            version => Gvk::new(version, part("kind")),
        };
        let id = Id { gvk, namespace: part("namespace").into(), name: part("name").into() };
        let exact = !id.namespace.is_empty() || id.gvk.cluster_scoped();
        let same = |other: Id| {
            let named = other.gvk == id.gvk && other.name == id.name;
            named && (!exact || other.space() == id.space())
        };
        let named = named.get(&id.name).into_iter().flatten().copied();
        let found: Vec<usize> =
            named.filter(|at| layer.resources[*at].all_ids().any(same)).collect();
        if found.len() > 1 {
            let message = "several objects could be meant by this variable";
            layer.tell([*refusal_of("several", &entry.origin, message)]);
            continue;
        }
        if let Some(resource) = found.first().and_then(|at| layer.resources.get_mut(*at)) {
            resource.variables.push(name.into());
        }
        let field = entry.get("fieldref").and_then(|it| shape::text(it, "fieldPath"));
        let field = field.map_or("metadata.name", |it| text(Some(it))).to_owned();
        variables.push(Var { name: name.to_owned(), field, at: entry.origin.clone() });
    }
    join(layer, &variables);
}

/// Adds variables, each of which should be new.
pub(super) fn join(layer: &mut Layer, more: &[Var]) {
    if more.is_empty() {
        return;
    }
    let all = layer.variables.iter();
    let mut known: BTreeMap<&str, &Origin> = all.map(|it| (&*it.name, &it.at)).collect();
    let (mut new, mut twice) = (Vec::new(), Vec::new());
    for variable in more {
        if let Some(first) = known.get(&*variable.name) {
            let message = format!("the variable {} is defined twice", variable.name);
            let problem = refusal_of("twice", &variable.at, message);
            twice.push(problem.also(first, "first here"));
            continue;
        }
        known.insert(&variable.name, &variable.at);
        new.push(variable.clone());
    }
    layer.variables.extend(new);
    layer.tell(twice);
}

/// Replaces every `$(NAME)` in the fields where kustomize looks for them.
pub(super) fn resolve(layer: &mut Layer) {
    if layer.variables.is_empty() {
        return;
    }
    let mut refused = Vec::new();
    let mut values: IndexMap<&str, Node> = IndexMap::new();
    let mut sources: BTreeMap<&str, &Resource> = BTreeMap::new();
    for resource in &layer.resources {
        for name in &resource.variables {
            sources.entry(name).or_insert(resource);
        }
    }
    for variable in &layer.variables {
        let value = match sources.get(&*variable.name) {
            Some(source) => path::lookup(&source.node, &indexed(&variable.field), &variable.at)
                .map(Option::<&Node>::cloned),
            None => Ok(layer.open.clone().map(|why| Node::unknown_value(why, &variable.at))),
        };
        let value = value.and_then(|it| {
            let message = format!("the variable {} has no value", variable.name);
            it.ok_or_else(|| refusal(&variable.at, message))
        });
        let value = value.unwrap_or_else(|problem| {
            let unknown = Node::unknown_value(problem.message.clone(), &variable.at);
            refused.push(*problem);
            unknown
        });
        values.insert(&variable.name, value);
    }
    let rules = layer.rules.clone();
    for resource in &mut layer.resources {
        for field in &rules.variables {
            if !field.any(&resource.node, &mut |node| mentions(node)) {
                continue;
            }
            let mut write = |node: &mut Node| set(node, &values);
            resource.attempt(|it| field.visit(&mut it.node, None, &mut write));
        }
    }
    layer.tell(refused);
}

/// A path in which `ports[0]` is written for `ports.0`.
fn indexed(path: &str) -> Vec<String> {
    let mut parts = Vec::new();
    for part in path::split(path) {
        match part.split_once('[') {
            Some((name, index)) if !name.is_empty() && part.ends_with(']') => {
                parts.push(name.to_owned());
                let index = index.trim_end_matches(']');
                match index.parse::<usize>() {
                    Ok(_) => parts.push(index.to_owned()),
                    Err(_) => parts.push(format!("[{index}]")),
                }
            }
            _ => parts.push(part),
        }
    }
    parts
}

fn mentions(node: &Node) -> bool {
    let has = |node: &Node| text(Some(node)).contains('$');
    has(node)
        || node.items().iter().any(|it| has(it) || !is_string(it))
        || node.entries().any(|(_, entry)| has(&entry.value))
}

fn set(node: &mut Node, values: &IndexMap<&str, Node>) -> Outcome<()> {
    if is_null(node) {
        return Ok(());
    }
    let origin = node.origin.clone();
    match &mut node.kind {
        Kind::Scalar(_) => expand(node, values),
        Kind::List(_) => {
            for item in node.as_list_mut().into_iter().flatten() {
                if item.unknown().is_none() && !is_string(item) {
                    return Err(refusal(&origin, "variables can only stand in a list of strings"));
                }
                expand(item, values);
            }
        }
        Kind::Map(_) => {
            for (_, entry) in node.as_map_mut().into_iter().flat_map(Map::iter_mut) {
                expand(&mut entry.value, values);
            }
        }
        Kind::Unknown(_) => {}
    }
    Ok(())
}

/// Replaces the references in one string. One that is the whole string keeps its value's type.
fn expand(node: &mut Node, values: &IndexMap<&str, Node>) {
    if !is_string(node) {
        return;
    }
    let Some(scalar) = node.as_scalar() else { return };
    let old = scalar.text.clone();
    let mut new = String::new();
    let mut source: Option<&Node> = None;
    let mut rest = &*old;
    while let Some(at) = rest.find('$').filter(|at| at + 1 < rest.len()) {
        new.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(inner) = rest.strip_prefix('(')
            && let Some((name, after)) = inner.split_once(')')
        {
            if let Some(value) = values.get(name) {
                source = Some(value);
                if after.is_empty() && old.len() == name.len() + 3 {
                    node.kind = whole(value);
                    node.origin = node.origin.filled(Via::Replaced, &value.origin);
                    return;
                }
                if value.unknown().is_some() {
                    node.kind = value.kind.clone();
                    node.origin = node.origin.filled(Via::Replaced, &value.origin);
                    return;
                }
                new.push_str(&inside(value));
                if new.len() > MAX_OBJECT {
                    node.kind = Kind::Unknown("what stands here is larger than an object".into());
                    return;
                }
            } else {
                new.extend(["$(", name, ")"]);
            }
            rest = after;
        } else if let Some(after) = rest.strip_prefix('$') {
            // A doubled sign is a single one.
            new.push('$');
            rest = after;
        } else {
            let first = rest.chars().next().map_or(0, char::len_utf8);
            new.push('$');
            new.push_str(&rest[..first]);
            rest = &rest[first..];
        }
    }
    new.push_str(rest);
    if *new == *old {
        return;
    }
    let origin = match source {
        Some(source) => node.origin.filled(Via::Replaced, &source.origin),
        None => node.origin.clone(),
    };
    *node = string(new, origin);
}

/// The value in place of a whole string.
fn whole(value: &Node) -> Kind {
    match value.as_scalar() {
        Some(scalar) if is_string(value) => string(scalar.text.clone(), value.origin.clone()).kind,
        _ => value.kind.clone(),
    }
}

/// The value inside a longer string, as Go prints it.
fn inside(value: &Node) -> Cow<'_, str> {
    match value.as_scalar().map(|it| scalar::value(it, Dialect::Kyaml)) {
        Some(Value::Int(it)) => it.to_string().into(),
        Some(Value::Bool(it)) => it.to_string().into(),
        _ => text(Some(value)).into(),
    }
}
