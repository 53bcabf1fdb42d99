//! What JSON Schema makes of JSON: types, sizes, and what is equal.

use serde_json::Value as Json;

use crate::{scalar::Value, tree::Node};

/// The schemas in a schema, and everything else that is in it.
pub(super) fn inner(schema: &Json) -> impl Iterator<Item = &Json> {
    fn below(schema: &Json) -> Vec<&Json> {
        match schema {
            Json::Object(map) => map.values().collect(),
            Json::Array(items) => items.iter().collect(),
            _ => Vec::new(),
        }
    }
    let mut open = below(schema);
    std::iter::from_fn(move || {
        let next = open.pop()?;
        open.extend(below(next));
        Some(next)
    })
}

pub(super) fn is_known(node: &Node) -> bool {
    node.walk().all(|it| it.unknown().is_none() && it.as_map().is_none_or(|it| it.open.is_none()))
}

/// What JSON Schema calls the type of a value.
pub(super) fn type_of(node: &Node) -> Option<&'static str> {
    Some(match node.value() {
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "boolean",
        Some(Value::Int(_)) => "integer",
        Some(Value::Float(it)) if it.fract() == 0.0 => "integer",
        Some(Value::Float(_)) => "number",
        Some(Value::Str(_)) => "string",
        None if node.as_map().is_some() => "object",
        None if node.as_list().is_some() => "array",
        None => return None,
    })
}

pub(super) fn with_article(name: &str) -> &str {
    match name {
        "boolean" => "a boolean",
        "integer" => "an integer",
        "number" => "a number",
        "string" => "a string",
        "object" => "a map",
        "array" => "a list",
        other => other,
    }
}

pub(super) fn size(argument: &Json) -> Option<usize> {
    argument.as_u64().and_then(|it| usize::try_from(it).ok())
}

/// Whether two values are the same to JSON Schema, to which 1 and 1.0 are.
pub(super) fn equal(one: &Json, other: &Json) -> bool {
    match (one, other) {
        // Floats cannot tell large integers apart.
        (Json::Number(one), Json::Number(other)) if one.is_f64() || other.is_f64() => {
            one.as_f64() == other.as_f64()
        }
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| equal(a, b))
        }
        (Json::Object(one), Json::Object(other)) => {
            let same = |(key, it): (&String, &Json)| other.get(key).is_some_and(|o| equal(it, o));
            one.len() == other.len() && one.iter().all(same)
        }
        _ => one == other,
    }
}
