//! Functions that choose, compare and refuse.

use std::cmp::Ordering;

use super::{Called, Evaluated, FunctionCall, GoData, GoError, GoValue};
use crate::tree::Reason;

/// Those that pass on what they do not look at.
pub(super) fn lenient(call: &FunctionCall<'_>) -> Called {
    let values = &call.values;
    Some(match (call.name, &values[..]) {
        ("default", [default, value]) => match empty(value) {
            Ok(true) => Ok(default.clone()),
            Ok(false) => Ok(value.clone()),
            Err(why) => Ok(GoValue::unknown(why, &value.origin)),
        },
        ("default", [value]) => Ok(value.clone()),
        ("coalesce", _) => {
            for value in values {
                match empty(value) {
                    Ok(true) => {}
                    Ok(false) => return Some(Ok(value.clone())),
                    Err(why) => return Some(Ok(GoValue::unknown(why, &value.origin))),
                }
            }
            Ok(GoValue::nil(call.at))
        }
        ("ternary", [yes, no, test]) => match test.truth() {
            Ok(true) => Ok(yes.clone()),
            Ok(false) => Ok(no.clone()),
            Err(why) => Ok(GoValue::unknown(why, &test.origin)),
        },
        ("empty", [value]) => match empty(value) {
            Ok(it) => Ok(GoValue::new(GoData::Bool(it), &value.origin)),
            Err(why) => Ok(GoValue::unknown(why, &value.origin)),
        },
        ("not", [value]) => match value.truth() {
            Ok(it) => Ok(GoValue::new(GoData::Bool(!it), &value.origin)),
            Err(why) => Ok(GoValue::unknown(why, &value.origin)),
        },
        ("all" | "any", _) => {
            let all = call.name == "all";
            let mut unknown = None;
            for value in values {
                match empty(value) {
                    Ok(empty) if empty == all => return Some(call.bool(!all)),
                    Ok(_) => {}
                    Err(why) => unknown = Some(why),
                }
            }
            match unknown {
                Some(why) => Ok(GoValue::unknown(why, &call.source())),
                None => call.bool(all),
            }
        }
        ("required", [message, value]) => match &value.data {
            GoData::Nil => required(call, message),
            GoData::Text(text) if text.as_str().is_empty() => required(call, message),
            _ => Ok(value.clone()),
        },
        ("kindIs", [kind, value]) if value.unknown_outside().is_some() => {
            match (&kind.data, &value.data) {
                (_, GoData::Unknown(_)) => return None,
                (GoData::Text(kind), _) => call.bool(kind.as_str() == value.kind()),
                _ => return None,
            }
        }
        ("fail", [message]) => {
            required(call, message).map_err(|error| Box::new(GoError { said: true, ..*error }))
        }
        _ => return None,
    })
}

fn required(call: &FunctionCall<'_>, message: &GoValue) -> Evaluated<GoValue> {
    call.fail(message.printed(true).as_str())
}

pub(super) fn strict(call: &FunctionCall<'_>) -> Called {
    let values = &call.values;
    Some(match (call.name, &values[..]) {
        ("eq", [first, others @ ..]) if !others.is_empty() => {
            for other in others {
                match equal(call, first, other) {
                    Ok(true) => return Some(call.bool(true)),
                    Ok(false) => {}
                    Err(error) => return Some(Err(error)),
                }
            }
            call.bool(false)
        }
        ("ne", [first, second]) => equal(call, first, second).and_then(|it| call.bool(!it)),
        ("lt" | "le" | "gt" | "ge", [first, second]) => {
            let order = match compared(call, first, second) {
                Ok(order) => order,
                Err(error) => return Some(Err(error)),
            };
            call.bool(match call.name {
                "lt" => order == Ordering::Less,
                "le" => order != Ordering::Greater,
                "gt" => order == Ordering::Greater,
                _ => order != Ordering::Less,
            })
        }
        ("len", [value]) => match &value.data {
            GoData::Text(text) => Ok(length(call, text.len())),
            GoData::List(items) => Ok(length(call, items.len())),
            GoData::Map(map) => Ok(length(call, map.borrow().entries.len())),
            _ => call.fail(format!("a {} has no length", value.type_name())),
        },
        ("kindIs", [kind, value]) => call.bool(kind.printed(true).as_str() == value.kind()),
        ("kindOf", [value]) => call.string(value.kind()),
        ("typeIs", [kind, value]) => call.bool(kind.printed(true).as_str() == value.type_name()),
        ("typeIsLike", [kind, value]) => {
            let (kind, name) = (kind.printed(true), value.type_name());
            call.bool(kind.as_str() == name || format!("*{}", kind.as_str()) == name)
        }
        ("typeOf", [value]) => call.string(value.type_name()),
        ("deepEqual", [first, second]) => call.bool(same(first, second)),
        ("deepCopy", [value]) if value.is_nil() => call.fail("there is nothing to copy"),
        ("deepCopy", [value]) => Ok(value.copied()),
        _ => return None,
    })
}

fn length(call: &FunctionCall<'_>, length: usize) -> GoValue {
    call.made(GoData::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

/// Sprig's `empty`: zero, nothing, and what has no length.
pub(super) fn empty(value: &GoValue) -> Result<bool, Reason> {
    value.truth().map(|it| !it)
}

/// Go's `eq`, which refuses to compare what is of two kinds.
fn equal(call: &FunctionCall<'_>, first: &GoValue, second: &GoValue) -> Evaluated<bool> {
    Ok(match (&first.data, &second.data) {
        (GoData::Nil, GoData::Nil) => true,
        (GoData::Nil, _) | (_, GoData::Nil) => false,
        (GoData::Bool(a), GoData::Bool(b)) => a == b,
        (GoData::Int(a) | GoData::Int64(a), GoData::Int(b) | GoData::Int64(b)) => a == b,
        (GoData::Float(a), GoData::Float(b)) => a.partial_cmp(b) == Some(Ordering::Equal),
        (GoData::Text(a), GoData::Text(b)) => a.as_str() == b.as_str(),
        _ => return wrong_types(call, first, second),
    })
}

fn compared(call: &FunctionCall<'_>, first: &GoValue, second: &GoValue) -> Evaluated<Ordering> {
    Ok(match (&first.data, &second.data) {
        (GoData::Int(a) | GoData::Int64(a), GoData::Int(b) | GoData::Int64(b)) => a.cmp(b),
        (GoData::Float(a), GoData::Float(b)) => a.total_cmp(b),
        (GoData::Text(a), GoData::Text(b)) => a.as_str().cmp(b.as_str()),
        _ => return wrong_types(call, first, second),
    })
}

fn wrong_types<T>(call: &FunctionCall<'_>, first: &GoValue, second: &GoValue) -> Evaluated<T> {
    let (first, second) = (first.type_name(), second.type_name());
    call.fail(format!("a {first} is not compared with a {second}"))
}

/// `reflect.DeepEqual`
pub(super) fn same(first: &GoValue, second: &GoValue) -> bool {
    match (&first.data, &second.data) {
        (GoData::Int(a), GoData::Int(b)) | (GoData::Int64(a), GoData::Int64(b)) => a == b,
        (GoData::Float(a), GoData::Float(b)) => a.partial_cmp(b) == Some(Ordering::Equal),
        (GoData::Nil, GoData::Nil) => true,
        (GoData::Bool(a), GoData::Bool(b)) => a == b,
        (GoData::Text(a), GoData::Text(b)) => a.as_str() == b.as_str(),
        (GoData::List(a), GoData::List(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same(a, b))
        }
        (GoData::Map(a), GoData::Map(b)) => {
            let (a, b) = (a.borrow(), b.borrow());
            a.entries.len() == b.entries.len()
                && a.entries.iter().all(|(key, (_, value))| {
                    b.entries.get(key).is_some_and(|(_, other)| same(value, other))
                })
        }
        _ => false,
    }
}
