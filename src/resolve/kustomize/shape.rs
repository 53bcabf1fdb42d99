//! Decoding as Go's `encoding/json` does after `sigs.k8s.io/yaml`: field names in any case, strict
//! types, unknown fields refused.

use crate::{
    data::kustomization::{FieldShapes, Shape, each, field},
    nearest::nearest,
    resolve::kustomize::value::{Outcome, no_such, refusal},
    scalar::{self, Dialect, Scalar, Value},
    tree::{Entry, Kind, Map, Node},
};

/// `node` with its field names as in `shape` and without nulls; `None` for a null.
///
/// A kustomization file is read strictly. Elsewhere unknown fields are dropped, and numbers and
/// booleans pass for strings.
///
/// # Errors
/// The place of the first unknown field or wrong type.
pub(super) fn decode(node: &Node, shape: &Shape, strict: bool) -> Outcome<Option<Node>> {
    if node.is_null() {
        return Ok(None);
    }
    let wrong = |wanted: &str| no_such(node, format!("kustomize expects {wanted} here"));
    match shape {
        Shape::Any => Ok(Some(node.clone())),
        Shape::Patch if !strict && node.as_scalar().is_none() => Ok(Some(node.clone())),
        Shape::Text | Shape::Patch | Shape::Path | Shape::KeyedPath => match node.value() {
            Some(Value::Str(_)) => Ok(Some(node.clone())),
            Some(Value::Bool(it)) if !strict => Ok(Some(string(it.to_string(), node))),
            Some(Value::Int(it)) if !strict => Ok(Some(string(it.to_string(), node))),
            Some(Value::Float(it)) if !strict => Ok(Some(string(it.to_string(), node))),
            _ => Err(wrong("a string")),
        },
        Shape::Flag => match node.value() {
            Some(Value::Bool(_)) => Ok(Some(node.clone())),
            _ => Err(wrong("a boolean")),
        },
        Shape::Number => match node.value() {
            Some(Value::Int(_)) => Ok(Some(node.clone())),
            _ => Err(wrong("a whole number")),
        },
        Shape::Texts | Shape::Flags => {
            let map = node.as_map().ok_or_else(|| wrong("a mapping"))?;
            let item = if matches!(shape, Shape::Texts) { &Shape::Text } else { &Shape::Flag };
            let mut decoded = Map::default();
            for (key, entry) in map.iter() {
                let value = decode(&entry.value, item, strict)?;
                let value = value.unwrap_or_else(|| zero(&entry.value, item));
                decoded.insert(key, Entry { key: entry.key, value });
            }
            Ok(Some(Node::new(decoded, node.origin.clone())))
        }
        Shape::List(item) => {
            let items = node.as_list().ok_or_else(|| wrong("a list"))?;
            let items = items
                .iter()
                .map(|it| Ok(decode(it, item, strict)?.unwrap_or_else(|| zero(it, item))));
            Ok(Some(Node::new(items.collect::<Outcome<Vec<_>>>()?, node.origin.clone())))
        }
        Shape::Fields(fields) => {
            let map = node.as_map().ok_or_else(|| wrong("a mapping"))?;
            let mut decoded = Map::default();
            for (key, entry) in map.iter() {
                let Some((name, shape)) = field(fields, key) else {
                    if strict {
                        return Err(unknown_field(key, entry, fields));
                    }
                    continue;
                };
                if let Some(value) = decode(&entry.value, shape, strict)? {
                    decoded.insert(name, Entry { key: entry.key, value });
                }
            }
            Ok(Some(Node::new(decoded, node.origin.clone())))
        }
    }
}

fn string(text: String, node: &Node) -> Node {
    Node::new(text, node.origin.clone())
}

#[expect(clippy::unnecessary_box_returns, reason = "an error that is passed on all the way")]
fn unknown_field(key: &str, entry: &Entry, fields: FieldShapes) -> Box<crate::problem::Problem> {
    let at = match entry.key {
        Some(span) => crate::tree::Origin::written(span),
        None => entry.value.origin.clone(),
    };
    let mut problem = refusal(&at, format!("kustomize knows no field `{key}` here"));
    if let Some(name) = nearest(key, each(fields).map(|(name, _)| name)) {
        problem.help = Some(format!("did you mean `{name}`?").into());
    }
    problem
}

/// What Go has in place of a null item.
fn zero(node: &Node, shape: &Shape) -> Node {
    let kind: Kind = match shape {
        Shape::Fields(_) | Shape::Texts | Shape::Flags => Map::default().into(),
        Shape::List(_) => Vec::new().into(),
        Shape::Flag => false.into(),
        Shape::Number => 0_i64.into(),
        Shape::Text | Shape::Patch | Shape::Path | Shape::KeyedPath => "".into(),
        Shape::Any => Scalar::null().into(),
    };
    Node::new(kind, node.origin.clone())
}

/// The boolean at `key`, or false.
pub(super) fn flag(node: &Node, key: &str) -> bool {
    node.get(key).and_then(Node::as_bool).unwrap_or(false)
}

/// The string at `key` unless it is absent or empty.
pub(super) fn text<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    node.get(key).filter(|it| it.as_str().is_some_and(|text| !text.is_empty()))
}

/// The whole number at `key`, or 0.
pub(super) fn number(node: &Node, key: &str) -> i64 {
    let number = node.get(key).and_then(Node::as_scalar).map(|it| scalar::value(it, Dialect::Sigs));
    match number {
        Some(Value::Int(it)) => i64::try_from(it).unwrap_or(i64::MAX),
        _ => 0,
    }
}

/// The items of the list at `key`.
pub(super) fn items<'a>(node: &'a Node, key: &str) -> &'a [Node] {
    node.get(key).map_or(&[], Node::items)
}
