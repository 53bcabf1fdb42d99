//! Functions that choose, compare and refuse.

use std::cmp::Ordering;

use super::{
    Evaluated, FunctionCall, GoData, GoError, GoValue,
    Look::{Inside, Outside, Passes, Prints},
    Row,
    Run::{Call, NotEvaluated, Value},
};
use crate::tree::Reason;

#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Row] = &[
    ("all", "a*", Passes, Call(|it| every(it, true))),
    ("any", "a*", Passes, Call(|it| every(it, false))),
    ("and or call", "aa*", Passes, NotEvaluated),
    ("coalesce", "a*", Passes, Value(coalesce)),
    ("deepCopy mustDeepCopy", "a", Prints, Call(copy)),
    ("deepEqual", "aa", Inside, Call(|it| it.bool(same(it.value(0)?, it.value(1)?)))),
    ("default", "aa*", Passes, Call(default)),
    ("empty not", "a", Passes, Call(not)),
    ("eq", "aaa*", Inside, Call(equal_to_any)),
    ("ne", "aa", Inside, Call(|it| it.bool(!equal(it, it.value(0)?, it.value(1)?)?))),
    ("lt", "aa", Inside, Call(|it| ordered(it, Ordering::is_lt))),
    ("le", "aa", Inside, Call(|it| ordered(it, Ordering::is_le))),
    ("gt", "aa", Inside, Call(|it| ordered(it, Ordering::is_gt))),
    ("ge", "aa", Inside, Call(|it| ordered(it, Ordering::is_ge))),
    ("fail", "s", Prints, Call(fail)),
    ("kindIs", "sa", Passes, Call(|it| is_named(it, GoValue::kind))),
    ("typeIs typeIsLike", "sa", Passes, Call(|it| is_named(it, GoValue::type_name))),
    ("kindOf", "a", Outside, Call(|it| it.string(it.value(0)?.kind()))),
    ("typeOf", "a", Outside, Call(|it| it.string(it.value(0)?.type_name()))),
    ("len", "a", Outside, Call(length)),
    ("required", "sa", Prints, Call(required)),
    ("ternary", "aab", Passes, Call(ternary)),
];

fn not(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let value = call.value(0)?;
    let not = value.truth().map_or_else(GoData::Unknown, |truth| GoData::Bool(!truth));
    Ok(GoValue::new(not, &value.origin))
}

fn every(call: &FunctionCall<'_>, all: bool) -> Evaluated<GoValue> {
    let truths = || call.values.iter().map(GoValue::truth);
    match (truths().any(|it| it == Ok(!all)), truths().find_map(Result::err)) {
        (true, _) => call.bool(!all),
        (false, Some(why)) => Ok(GoValue::unknown(why, &call.source())),
        (false, None) => call.bool(all),
    }
}

fn coalesce(call: &FunctionCall<'_>) -> GoValue {
    for value in &call.values {
        match value.truth() {
            Ok(false) => {}
            Ok(true) => return value.clone(),
            Err(why) => return GoValue::unknown(why, &value.origin),
        }
    }
    GoValue::nil(call.at)
}

fn default(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let default = call.value(0)?;
    let value = call.values.get(1).unwrap_or(default);
    Ok(match value.truth() {
        Ok(true) => value.clone(),
        Ok(false) => default.clone(),
        Err(why) => GoValue::unknown(why, &value.origin),
    })
}

fn ternary(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let is_true = matches!(call.value(2)?.data, GoData::Bool(true));
    call.value(usize::from(!is_true)).cloned()
}

fn required(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let value = call.value(1)?;
    match &value.data {
        GoData::Nil => call.fail(call.value(0)?.printed(true).as_str()),
        GoData::Text(text) if text.len() == 0 => call.fail(call.value(0)?.printed(true).as_str()),
        _ => Ok(value.clone()),
    }
}

fn fail(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let failed = call.fail(call.value(0)?.printed(true).as_str());
    failed.map_err(|error| Box::new(GoError { said: true, ..*error }))
}

/// What a value is can be told of one that holds what is unknown.
fn is_named(call: &FunctionCall<'_>, name: fn(&GoValue) -> &'static str) -> Evaluated<GoValue> {
    let (named, value) = (call.str(0)?, call.value(1)?);
    match &value.data {
        GoData::Unknown(why) => Ok(GoValue::unknown(why.clone(), &value.origin)),
        _ => call.bool(named == name(value)),
    }
}

fn length(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let value = call.value(0)?;
    let length = match &value.data {
        GoData::Text(text) => text.len(),
        GoData::List(items) => items.len(),
        GoData::Map(map) => map.borrow().entries.len(),
        // Some are maps in Helm, as `.Files` is.
        GoData::Object(_) => return Ok(GoValue::unknown("its length is not evaluated", call.at)),
        _ => return call.fail(format!("a {} has no length", value.type_name())),
    };
    Ok(call.made(GoData::Int(i64::try_from(length).unwrap_or(i64::MAX))))
}

fn copy(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    match call.value(0)? {
        value if value.is_nil() => call.fail("there is nothing to copy"),
        value => Ok(value.copied()),
    }
}

fn equal_to_any(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let first = call.value(0)?;
    for other in &call.values[1..] {
        if equal(call, first, other)? {
            return call.bool(true);
        }
    }
    call.bool(false)
}

/// Sprig's `empty`: zero, nothing, and what has no length.
pub(super) fn empty(value: &GoValue) -> Result<bool, Reason> {
    value.truth().map(|it| !it)
}

/// Go's `eq`, which refuses to compare what is of two kinds.
fn equal(call: &FunctionCall<'_>, first: &GoValue, second: &GoValue) -> Evaluated<bool> {
    match (&first.data, &second.data) {
        (GoData::Nil, GoData::Nil) => Ok(true),
        (GoData::Nil, _) | (_, GoData::Nil) => Ok(false),
        (GoData::Bool(a), GoData::Bool(b)) => Ok(a == b),
        _ => order(call, first, second).map(Ordering::is_eq),
    }
}

fn ordered(call: &FunctionCall<'_>, f: fn(Ordering) -> bool) -> Evaluated<GoValue> {
    call.bool(f(order(call, call.value(0)?, call.value(1)?)?))
}

fn order(call: &FunctionCall<'_>, first: &GoValue, second: &GoValue) -> Evaluated<Ordering> {
    Ok(match (&first.data, &second.data) {
        (GoData::Int(a) | GoData::Int64(a), GoData::Int(b) | GoData::Int64(b)) => a.cmp(b),
        (GoData::Float(a), GoData::Float(b)) => a.partial_cmp(b).unwrap_or(Ordering::Less),
        (GoData::Text(a), GoData::Text(b)) => a.as_str().cmp(b.as_str()),
        _ => {
            let (first, second) = (first.type_name(), second.type_name());
            return call.fail(format!("a {first} is not compared with a {second}"));
        }
    })
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
            (a.of_texts, a.is_nil) == (b.of_texts, b.is_nil)
                && a.len() == b.len()
                && a.iter().zip(b.iter()).all(|(a, b)| same(a, b))
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
