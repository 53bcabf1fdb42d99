//! Functions of lists.

use super::{
    Called, Evaluated, FunctionCall, GoData, GoValue, MarkedText,
    choice::{empty, same},
};

/// Those that pass on what they do not look at.
pub(super) fn lenient(call: &FunctionCall<'_>) -> Called {
    let values = &call.values;
    Some(match (call.name, &values[..]) {
        ("list" | "tuple", _) => Ok(GoValue::list(values.clone(), call.at)),
        ("append" | "push", [list, item]) => match &list.data {
            GoData::List(items) => {
                let items = items.iter().chain([item]).cloned().collect();
                Ok(GoValue::list(items, &list.origin))
            }
            _ => return None,
        },
        ("prepend", [list, item]) => match &list.data {
            GoData::List(items) => {
                let items = std::iter::once(item).chain(items.iter()).cloned().collect();
                Ok(GoValue::list(items, &list.origin))
            }
            _ => return None,
        },
        ("concat", _) => {
            let mut all = Vec::new();
            for value in values {
                match &value.data {
                    GoData::List(items) => all.extend(items.iter().cloned()),
                    GoData::Unknown(_) => all.push(value.clone()),
                    _ => return Some(call.fail("it takes lists")),
                }
            }
            Ok(GoValue::list(all, &call.source()))
        }
        ("join", [separator, list]) => match (&separator.data, &list.data) {
            (GoData::Text(separator), GoData::List(items)) => {
                let mut text = MarkedText::default();
                let some = items.iter().filter(|it| !matches!(it.data, GoData::Nil));
                for (index, item) in some.enumerate() {
                    if index > 0 {
                        text.push(separator);
                    }
                    text.push(&item.printed(true));
                }
                call.marked(text)
            }
            (GoData::Text(_), GoData::Unknown(why)) => {
                Ok(GoValue::unknown(why.clone(), &list.origin))
            }
            (GoData::Text(_), GoData::Nil) => call.string(""),
            (GoData::Text(_), _) => call.marked(list.printed(true)),
            _ => return None,
        },
        ("compact", [list]) => match &list.data {
            GoData::List(items) => {
                let kept = items.iter().filter(|it| empty(it) != Ok(true)).cloned().collect();
                Ok(GoValue::list(kept, &list.origin))
            }
            _ => return None,
        },
        ("first" | "last", [list]) => match &list.data {
            GoData::List(items) => {
                let item = if call.name == "first" { items.first() } else { items.last() };
                Ok(item.cloned().unwrap_or_else(|| GoValue::nil(&list.origin)))
            }
            _ => return None,
        },
        _ => return None,
    })
}

pub(super) fn strict(call: &FunctionCall<'_>) -> Called {
    let values = &call.values;
    Some(match (call.name, &values[..]) {
        // What is a list was told of already.
        ("append" | "push" | "prepend" | "compact" | "first" | "last", _) => {
            call.list(0).map(|_| GoValue::nil(call.at))
        }
        ("has", [_, list]) if list.is_nil() => call.bool(false),
        ("has", [item, _]) => {
            call.list(1).and_then(|items| call.bool(items.iter().any(|it| same(it, item))))
        }
        ("without", [_, without @ ..]) => call.list(0).map(|items| {
            let kept = items.iter().filter(|it| !without.iter().any(|other| same(it, other)));
            GoValue::list(kept.cloned().collect(), &call.origin(0))
        }),
        ("uniq", [_]) => call.list(0).map(|items| {
            let mut kept: Vec<GoValue> = Vec::new();
            for item in items {
                if !kept.iter().any(|it| same(it, item)) {
                    kept.push(item.clone());
                }
            }
            GoValue::list(kept, &call.origin(0))
        }),
        ("rest", [_]) => call
            .list(0)
            .map(|items| GoValue::list(items.iter().skip(1).cloned().collect(), &call.origin(0))),
        ("initial", [_]) => call.list(0).map(|items| {
            let kept = items[..items.len().saturating_sub(1)].to_vec();
            GoValue::list(kept, &call.origin(0))
        }),
        ("reverse", [_]) => call
            .list(0)
            .map(|items| GoValue::list(items.iter().rev().cloned().collect(), &call.origin(0))),
        ("slice", [value, bounds @ ..]) => {
            let bounds: Vec<usize> =
                (0..bounds.len()).map(|it| call.size(it + 1).unwrap_or(0)).collect();
            call.list(0).and_then(|items| {
                let start = bounds.first().copied().unwrap_or(0);
                let end = bounds.get(1).copied().unwrap_or(items.len());
                match items.get(start..end) {
                    Some(items) => Ok(GoValue::list(items.to_vec(), &value.origin)),
                    None => call.fail("the bounds are not in the list"),
                }
            })
        }
        ("sortAlpha" | "toStrings", [value]) => {
            let mut texts: Vec<MarkedText> = match &value.data {
                GoData::List(items) => {
                    items.iter().filter(|it| !it.is_nil()).map(|it| it.printed(true)).collect()
                }
                GoData::Nil if call.name == "toStrings" => Vec::new(),
                _ => vec![value.printed(true)],
            };
            if call.name == "sortAlpha" {
                texts.sort_by(|a, b| a.as_str().cmp(b.as_str()));
            }
            let items = texts.into_iter().map(|it| GoValue::text(it, &value.origin));
            Ok(GoValue::list(items.collect(), &value.origin))
        }
        ("splitList", [_, _]) => call.str(0).and_then(|separator| {
            let parts = call.text(1)?.split(separator);
            let parts = parts.into_iter().map(|it| GoValue::text(it, call.at)).collect();
            Ok(GoValue::list(parts, &call.origin(1)))
        }),
        ("until", [_]) => call.int(0).and_then(|end| counted(call, 0, end, 1)),
        ("untilStep", [_, _, _]) => call.int(0).and_then(|start| {
            let (end, step) = (call.int(1)?, call.int(2)?);
            counted(call, start, end, step)
        }),
        ("seq", _) => seq(call),
        _ => return None,
    })
}

/// From `start` on, without `end`.
fn counted(call: &FunctionCall<'_>, start: i64, end: i64, step: i64) -> Evaluated<GoValue> {
    let step = if call.name == "until" && end < 0 { -1 } else { step };
    let mut items = Vec::new();
    let mut at = start;
    while step != 0 && ((step > 0 && at < end) || (step < 0 && at > end)) {
        if items.len() > 100_000 {
            return call.fail("the list is too long");
        }
        items.push(GoValue::new(GoData::Int(at), call.at));
        let Some(next) = at.checked_add(step) else { break };
        at = next;
    }
    Ok(GoValue::list(items, &call.source()))
}

/// Sprig's `seq`, as the program of that name: a text.
fn seq(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let numbers: Vec<i64> =
        (0..call.values.len()).map(|it| call.int(it)).collect::<Evaluated<_>>()?;
    let (start, step, end) = match numbers[..] {
        [end] => (1, if end < 1 { -1 } else { 1 }, end),
        [start, end] => (start, if end < start { -1 } else { 1 }, end),
        [start, step, end] => (start, step, end),
        _ => return call.string(""),
    };
    let mut items = Vec::new();
    let mut at = start;
    while step != 0 && ((step > 0 && at <= end) || (step < 0 && at >= end)) && items.len() < 100_000
    {
        items.push(at.to_string());
        let Some(next) = at.checked_add(step) else { break };
        at = next;
    }
    call.string(items.join(" "))
}
