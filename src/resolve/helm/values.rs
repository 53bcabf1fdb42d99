//! Layers of values, as Helm's `MergeMaps` and `CoalesceValues` put them together.

use std::sync::Arc;

use crate::{
    parse::Documents,
    problem::Problem,
    scalar::Value,
    tree::{self, Entry, Kind, Map, Node, Origin, Reason, Via},
};

/// `over` merged into `base` as Helm merges values files: maps deeply, everything else replaced,
/// nulls kept.
///
/// A value that takes the place of one that a person wrote keeps that place on its way. What an
/// unknown layer may have set is unknown, unless `over` sets it again.
pub(crate) fn merge(base: &Node, over: &Node) -> Node {
    // The first of some layers, as it mostly is, stays shared.
    if let (Kind::Map(below), Kind::Map(above)) = (&base.kind, &over.kind)
        && below.is_empty()
        && [below, above].iter().all(|it| it.open.is_none() && it.all_removed().is_empty())
    {
        return over.clone();
    }
    let (Some(below), Some(above)) = (entries(base), entries(over)) else {
        return match (&base.kind, &over.kind, over.if_there()) {
            (_, Kind::Unknown(why), Some(it)) => either(&it, base, why),
            (Kind::Unknown(why), ..) => opened(over, why),
            _ => replaced(over, base),
        };
    };
    let mut map = Map::clone(&below);
    if let Some(why) = &above.open {
        hide(&mut map, &above, why);
    }
    for (key, entry) in above.iter() {
        let value = match (below.get(key), &below.open) {
            (Some(old), _) => merge(old, &entry.value),
            (None, Some(why)) => opened(&entry.value, why),
            (None, None) => entry.value.clone(),
        };
        map.insert(key, Entry { key: entry.key, value });
    }
    Node::new(map, over.origin.clone())
}

/// The entries of a mapping; of one that may be there or not, each may be.
fn entries(node: &Node) -> Option<Arc<Map>> {
    let there = match &node.kind {
        Kind::Map(map) => return Some(map.clone()),
        Kind::Unknown(why) => Some((node.if_there()?, why)),
        _ => None,
    };
    let (mut there, why) = there?;
    let map = there.as_map_mut()?;
    for (_, entry) in map.iter_mut() {
        entry.value = entry.value.clone().perhaps(why.clone(), false);
    }
    Some(Arc::new(map.clone()))
}

/// What is known of `over`, which may be there or not, in the place of `base`.
fn either(over: &Node, base: &Node, why: &Reason) -> Node {
    match (over.as_list(), base.as_list()) {
        (Some(items), Some([])) => {
            let items = items.iter().map(|it| it.clone().perhaps(why.clone(), false));
            Node::new(items.collect::<Vec<_>>(), over.origin.clone())
        }
        _ => tree::join(over, base, why),
    }
}

/// The user's values `over` the chart's own, as Helm's `CoalesceValues` completes them.
///
/// A null deletes what the chart has at that place; a null where the chart has nothing stays, as in
/// Helm 4 (Helm 3 drops it where both have the map around it, which no template here can tell from
/// a null that is kept).
pub(crate) fn coalesce(over: &Node, defaults: &Node) -> Node {
    let (Some(above), Kind::Map(below)) = (entries(over), &defaults.kind) else {
        return match (over.unknown(), over.if_there()) {
            (Some(why), Some(it)) => either(&it, defaults, why),
            _ => over.clone(),
        };
    };
    let mut map = Map::clone(&above);
    for (key, entry) in below.iter() {
        match above.get(key) {
            Some(value) if value.is_null() => {
                map.remove_by(key, value.origin.clone());
            }
            Some(value) => {
                let value = coalesce(value, &entry.value);
                map.set(key, value);
            }
            None => {
                let value = match &above.open {
                    Some(why) => Node::unknown_value(why.clone(), &over.origin),
                    None => entry.value.clone(),
                };
                map.insert(key, Entry { key: entry.key, value });
            }
        }
    }
    Node::new(map, over.origin.clone())
}

/// The values that a file holds, its documents merged in order as Helm 4 does.
///
/// # Errors
/// Helm refuses a file that is not YAML or whose documents are not mappings.
pub(crate) fn layer(documents: &Documents, origin: &Origin) -> Result<Node, Problem> {
    let mut values = Node::new(Map::default(), origin.clone());
    for document in &documents.list {
        match &document.root {
            Ok(root) if root.is_null() => {}
            Ok(root) if root.as_map().is_some() || root.unknown().is_some() => {
                values = merge(&values, root);
            }
            Ok(root) => {
                let message = "Helm refuses values that are not a mapping";
                return Err(Problem::refused(&root.origin, message));
            }
            Err(error) => return Err(Problem::syntax(error, origin)),
        }
        let root = document.root.iter();
        let mut all = root.flat_map(Node::walk);
        if let Some(it) =
            all.find(|it| matches!(it.value(), Some(Value::Float(it)) if !it.is_finite()))
        {
            // They are read by way of JSON (`sigs.k8s.io/yaml`).
            let message = "Helm refuses values that JSON does not have: infinity and NaN";
            return Err(Problem::refused(&it.origin, message));
        }
    }
    Ok(values)
}

/// Makes unknown what a layer above with `open` keys may have replaced.
fn hide(map: &mut Map, above: &Map, why: &Reason) {
    for (key, entry) in map.iter_mut() {
        if above.get(key).is_none() {
            entry.value = Node::unknown_value(why.clone(), &entry.value.origin);
        }
    }
    map.open = Some(why.clone());
}

/// `node`, below whose maps there may be more than is written.
fn opened(node: &Node, why: &Reason) -> Node {
    let Kind::Map(map) = &node.kind else { return node.clone() };
    let mut map = Map::clone(map);
    for (_, entry) in map.iter_mut() {
        entry.value = opened(&entry.value, why);
    }
    map.open.get_or_insert_with(|| why.clone());
    Node::new(map, node.origin.clone())
}

/// `new` in the place of `old`.
fn replaced(new: &Node, old: &Node) -> Node {
    let origin = if old.origin.is_default() {
        new.origin.clone()
    } else {
        new.origin.over(Via::Overridden, &old.origin)
    };
    Node::new(new.kind.clone(), origin)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::{
        data::charts,
        tests::{fixture, roots},
    };

    fn node(value: &Json) -> Node {
        charts::from_json(value, &Origin::at(Via::Written, None))
    }

    #[test]
    fn layers_merge_maps_and_replace_the_rest() {
        let base = json!({"a": {"x": 1, "y": 2}, "l": [1, 2], "s": {"k": 1}, "n": 1});
        let over = json!({"a": {"y": 3}, "l": [3], "s": "text", "n": null, "m": {}});
        let merged = merge(&node(&base), &node(&over)).to_json();
        let expected = json!({"a": {"x": 1, "y": 3}, "l": [3], "s": "text", "n": null, "m": {}});
        assert_eq!(merged, expected);
    }

    #[test]
    fn nulls_delete_what_the_chart_has() {
        let user = json!({"resources": {"requests": {"memory": null}, "limits": {"cpu": null}},
            "args": null, "hostNetwork": {}, "image": "x"});
        let chart = json!({"resources": {"requests": {"cpu": "100m", "memory": "200Mi"}},
            "args": ["--a"], "hostNetwork": {"enabled": false}, "image": {"tag": ""}});
        let values = coalesce(&node(&user), &node(&chart));
        let expected = json!({"resources": {"requests": {"cpu": "100m"}, "limits": {"cpu": null}},
            "hostNetwork": {"enabled": false}, "image": "x"});
        assert_eq!(values.to_json(), expected);
        let requests = values.at("resources.requests").and_then(Node::as_map).expect("a map");
        assert!(requests.removed("memory").is_some(), "what deleted it is remembered");
    }

    #[test]
    fn an_override_remembers_what_a_person_wrote_but_no_default() {
        let sources = fixture(
            "
            //- a.yaml
            k: 1
            //- b.yaml
            k: 2
            ",
        );
        let read = |path: &str| roots(&sources, path).remove(0);
        let merged = merge(&read("a.yaml"), &read("b.yaml"));
        let steps: Vec<_> =
            merged.at("k").expect("a value").origin.steps().map(|it| it.via).collect();
        assert_eq!(steps, [Via::Overridden, Via::Written]);
        let default = charts::from_json(&json!({"k": 1}), &Origin::at(Via::ChartDefault, None));
        let values = coalesce(&read("b.yaml"), &default);
        assert_eq!(values.at("k").expect("a value").origin.steps().count(), 1);
    }

    #[test]
    fn an_unknown_layer_hides_what_is_below_it() {
        let unknown = Node::unknown_value("encrypted", &Origin::at(Via::Written, None));
        let below = node(&json!({"replicas": 2, "resources": {"requests": {"cpu": "1"}}}));
        let above = node(&json!({"resources": {"limits": {"cpu": "2"}}}));
        let values = merge(&merge(&below, &unknown), &above);
        let values = coalesce(&values, &node(&json!({"replicas": 1, "args": []})));
        assert!(values.look("replicas").is_err());
        assert!(values.look("args").is_err());
        assert!(values.look("resources.requests").is_err());
        let limit = values.look("resources.limits.cpu").expect("it is known");
        assert_eq!(limit.map(Node::to_json), Some("2".into()));
    }

    /// Values with few keys, so that layers meet.
    fn values() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            (0..3_i64).prop_map(Json::from),
            "[a-c]{0,2}".prop_map(Json::from),
            proptest::collection::vec(0..3_i64, 0..3).prop_map(Json::from),
        ];
        let tree = leaf.prop_recursive(3, 24, 4, |inner| {
            proptest::collection::btree_map("[a-d]", inner, 0..4)
                .prop_map(|map| Json::Object(map.into_iter().collect()))
        });
        proptest::collection::btree_map("[a-d]", tree, 0..4)
            .prop_map(|map| Json::Object(map.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn merging_nothing_changes_nothing(x in values()) {
            prop_assert_eq!(merge(&node(&x), &node(&json!({}))).to_json(), x.clone());
            prop_assert_eq!(merge(&node(&json!({})), &node(&x)).to_json(), x);
        }

        #[test]
        fn merging_again_changes_nothing(x in values(), y in values()) {
            let once = merge(&node(&x), &node(&y));
            prop_assert_eq!(merge(&once, &node(&y)).to_json(), once.to_json());
        }

        #[test]
        fn merging_is_associative_for_layers_without_type_changes(x in values(), y in values()) {
            let z = json!({"a": {"b": 1}, "c": [2]});
            let left = merge(&merge(&node(&x), &node(&y)), &node(&z)).to_json();
            let right = merge(&node(&x), &merge(&node(&y), &node(&z))).to_json();
            // A map over a scalar over a map forgets the lowest map only when merged from below.
            if y.get("a").is_none_or(Json::is_object) {
                prop_assert_eq!(left, right);
            }
        }

        #[test]
        fn completing_twice_is_completing_once_without_nulls(x in values(), y in values()) {
            let once = coalesce(&node(&x), &node(&y));
            if !format!("{x}{y}").contains("null") {
                prop_assert_eq!(coalesce(&once, &node(&y)).to_json(), once.to_json());
            }
        }
    }
}
