//! What a change that cannot be made would have changed: as little as possible becomes unknown, and
//! the rest of an object stays what it is.

use std::sync::Arc;

use crate::{
    nearest::nearest,
    resolve::kustomize::value::{is_null, text},
    tree::{Kind, Map, Node, Reason},
};

/// Makes unknown what a change at `keys` may be meant for: what stands there, and where the way ends
/// before that what it may have missed. That is a key that is spelled nearly so, one further in, or
/// another item of the list.
pub(super) fn at(node: &mut Node, keys: &[String], why: &Reason) {
    let [key, rest @ ..] = keys else {
        node.kind = Kind::Unknown(why.clone());
        return;
    };
    let origin = node.origin.clone();
    match &mut node.kind {
        Kind::Unknown(_) => {}
        Kind::Scalar(_) => node.kind = Kind::Unknown(why.clone()),
        Kind::Map(map) => {
            let map = Arc::make_mut(map);
            if let Some(inner) = map.get_mut(key) {
                return at(inner, rest, why);
            }
            let near = nearest(key, map.keys().map(|it| &**it)).map(str::to_owned);
            for (name, entry) in map.iter_mut() {
                match near.as_deref() == Some(name) {
                    true => at(&mut entry.value, rest, why),
                    false => further_in(&mut entry.value, keys, why),
                }
            }
            map.set(&**key, Node::unknown_value(why.clone(), &origin));
        }
        Kind::List(items) => {
            let items = Arc::make_mut(items);
            let index = key.parse().ok().filter(|it: &usize| *it < items.len());
            match (index, rest) {
                (Some(index), _) => at(&mut items[index], rest, why),
                (None, [_, ..]) => items.iter_mut().for_each(|it| at(it, rest, why)),
                (None, []) if items.iter().any(|it| it.as_map().is_some()) => {
                    items.push(Node::unknown_value(why.clone(), &origin));
                }
                (None, []) => node.kind = Kind::Unknown(why.clone()),
            }
        }
    }
}

/// [`at`] wherever below `node` the first of `keys` stands.
fn further_in(node: &mut Node, keys: &[String], why: &Reason) {
    if node.get(&keys[0]).is_some() {
        return at(node, keys, why);
    }
    let entries = node.as_map_mut().into_iter().flat_map(Map::iter_mut);
    entries.for_each(|(_, it)| further_in(&mut it.value, keys, why));
    node.as_list_mut().into_iter().flatten().for_each(|it| further_in(it, keys, why));
}

/// Makes unknown what `patch`, which would be merged into `node`, sets or takes away.
pub(super) fn like(node: &mut Node, patch: &Node, why: &Reason) {
    let origin = node.origin.clone();
    match (&mut node.kind, &patch.kind) {
        (Kind::Map(map), Kind::Map(patch)) if patch.get("$patch").is_none() => {
            let map = Arc::make_mut(map);
            for (key, entry) in patch.iter() {
                match map.get_mut(key) {
                    Some(inner) if !is_null(inner) => like(inner, &entry.value, why),
                    _ => map.set(key, Node::unknown_value(why.clone(), &origin)),
                }
            }
        }
        (Kind::List(items), Kind::List(patches))
            if patches.iter().all(|it| it.get("name").is_some()) =>
        {
            let items = Arc::make_mut(items);
            for patch in patches.iter() {
                let name = |it: &Node| text(it.get("name")).to_owned();
                match items.iter_mut().find(|it| name(it) == name(patch)) {
                    Some(item) => like(item, patch, why),
                    None => items.push(Node::unknown_value(why.clone(), &origin)),
                }
            }
        }
        (Kind::Scalar(a), Kind::Scalar(b)) if a.text == b.text => {}
        _ => node.kind = Kind::Unknown(why.clone()),
    }
}

/// Makes unknown all of an object but what it and its containers are called.
pub(super) fn all(node: &mut Node, why: &Reason) {
    let Some(map) = node.as_map_mut() else { return };
    but(map, &["apiVersion", "kind", "metadata", "spec"], why);
    if let Some(metadata) = map.get_mut("metadata").and_then(Node::as_map_mut) {
        but(metadata, &["name", "namespace"], why);
    }
    if let Some(spec) = map.get_mut("spec") {
        pods(spec, why);
    }
}

/// Makes all below `node` unknown but what containers are called, and says whether there are any.
fn pods(node: &mut Node, why: &Reason) -> bool {
    const WAY: [&str; 4] = ["spec", "jobTemplate", "template", "containers"];
    let origin = node.origin.clone();
    let has_containers = match &mut node.kind {
        Kind::Map(map) => {
            let map = Arc::make_mut(map);
            but(map, &WAY, why);
            WAY.iter().filter(|key| map.get_mut(key).is_some_and(|it| pods(it, why))).count() > 0
        }
        Kind::List(items) => {
            let items = Arc::make_mut(items);
            items.iter_mut().filter_map(Node::as_map_mut).for_each(|it| but(it, &["name"], why));
            items.push(Node::unknown_value(why.clone(), &origin));
            true
        }
        _ => false,
    };
    if !has_containers {
        node.kind = Kind::Unknown(why.clone());
    }
    has_containers
}

/// Makes the entries of `map` unknown but for those at `keys`.
fn but(map: &mut Map, keys: &[&str], why: &Reason) {
    for (_, entry) in map.iter_mut().filter(|(key, _)| !keys.contains(key)) {
        entry.value.kind = Kind::Unknown(why.clone());
    }
    map.open = Some(why.clone());
}
