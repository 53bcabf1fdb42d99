//! What several possible versions of a chart have in common.

use semver::Version;

use crate::tree::{Kind, Map, Node, Why};

/// The objects on which all `renderings` agree; where they do not, a value is unknown.
///
/// The renderings are those of rising versions; the last one's places are kept.
pub(super) fn all(renderings: Vec<(&Version, Vec<Node>)>) -> Vec<Node> {
    let mut renderings = renderings.into_iter().rev();
    let Some((newest, mut objects)) = renderings.next() else { return Vec::new() };
    for (version, others) in renderings {
        let why: Why = format!("it differs between chart versions {version} and {newest}").into();
        objects = join_objects(&objects, &others, &why);
    }
    objects
}

fn join_objects(newer: &[Node], older: &[Node], why: &Why) -> Vec<Node> {
    let same = |a: &Node, b: &Node| {
        ["kind", "metadata.name"].iter().all(|path| a.str_at(path) == b.str_at(path))
    };
    let mut objects: Vec<Node> = (newer.iter())
        .map(|object| match older.iter().find(|other| same(object, other)) {
            Some(other) => join(object, other, why),
            None => hollow(object, why),
        })
        .collect();
    let missing = older.iter().filter(|other| !newer.iter().any(|object| same(object, other)));
    objects.extend(missing.map(|other| hollow(other, why)));
    objects
}

/// An object of which only what it is, is known.
pub(super) fn hollow(object: &Node, why: &Why) -> Node {
    let Kind::Map(map) = &object.kind else { return object.clone() };
    let mut map = Map::clone(map);
    for (key, entry) in map.iter_mut() {
        if !matches!(key, "apiVersion" | "kind" | "metadata") {
            entry.value = Node::new(Kind::Unknown(why.clone()), entry.value.origin.clone());
        }
    }
    Node::new(map, object.origin.clone())
}

fn join(newer: &Node, older: &Node, why: &Why) -> Node {
    let unknown = || Node::new(Kind::Unknown(why.clone()), newer.origin.clone());
    match (&newer.kind, &older.kind) {
        (Kind::Unknown(_), _) => newer.clone(),
        (_, Kind::Unknown(_)) => older.clone(),
        (Kind::Scalar(_), Kind::Scalar(_)) if newer.value() == older.value() => newer.clone(),
        (Kind::List(a), Kind::List(b)) if a.len() == b.len() => {
            let items = a.iter().zip(b.iter()).map(|(a, b)| join(a, b, why));
            Node::new(items.collect::<Vec<_>>(), newer.origin.clone())
        }
        (Kind::Map(a), Kind::Map(b)) => {
            let mut map = Map::clone(a);
            for (key, entry) in map.iter_mut() {
                match b.get(key) {
                    Some(other) => entry.value = join(&entry.value, other, why),
                    None if entry.value.is_null() => {}
                    None => {
                        let origin = entry.value.origin.clone();
                        entry.value = Node::new(Kind::Unknown(why.clone()), origin);
                    }
                }
            }
            for (key, entry) in b.iter() {
                if a.get(key).is_none() && !entry.value.is_null() {
                    let origin = entry.value.origin.clone();
                    map.set(key, Node::new(Kind::Unknown(why.clone()), origin));
                }
            }
            map.open = map.open.or_else(|| b.open.clone());
            Node::new(map, newer.origin.clone())
        }
        _ => unknown(),
    }
}
