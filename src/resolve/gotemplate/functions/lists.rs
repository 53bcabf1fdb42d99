//! Functions of lists.

use super::{
    Evaluated, FunctionCall, GoData, GoList, GoValue,
    Look::{Inside, Outside, Passes, Prints},
    MarkedText, Row,
    Run::{Call, Items, Value},
    choice::{empty, same},
    to_int,
};

#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Row] = &[
    ("append mustAppend push mustPush", "la", Passes, Items(|it, all| [all, &it.values[1..]].concat())),
    ("prepend mustPrepend", "la", Passes, Items(|it, all| [&it.values[1..], all].concat())),
    ("chunk mustChunk", "il", Passes, Call(chunked)),
    ("compact mustCompact", "l", Passes, Items(|_, all| kept(all, |it| empty(it) != Ok(true)))),
    ("concat", "a*", Passes, Call(concat)),
    ("first mustFirst", "l", Passes, Call(|it| Ok(one(it, it.list(0)?.first())))),
    ("last mustLast", "l", Passes, Call(|it| Ok(one(it, it.list(0)?.last())))),
    ("has mustHas", "aa", Inside, Call(has)),
    ("initial mustInitial", "l", Outside, Call(|it| shortened(it, |all| Some(all.split_last()?.1)))),
    ("rest mustRest", "l", Outside, Call(|it| shortened(it, |all| Some(all.split_first()?.1)))),
    ("reverse mustReverse", "l", Outside, Items(|_, all| all.iter().rev().cloned().collect())),
    ("join", "sa", Prints, Call(join)),
    ("list tuple", "a*", Passes, Value(|it| GoValue::list(it.values.clone(), it.at))),
    ("seq", "i*", Inside, Call(sequence)),
    ("slice mustSlice", "aa*", Inside, Call(slice)),
    ("sortAlpha", "a", Inside, Call(|it| texts(it, true))),
    ("toStrings", "a", Inside, Call(|it| texts(it, false))),
    ("splitList", "ss", Inside, Call(split_list)),
    ("uniq mustUniq", "l", Inside, Items(|_, all| uniq(all))),
    ("until", "i", Inside, Call(|it| match it.int(0)? {
        end @ ..0 => counted(it, 0, end, -1),
        end => counted(it, 0, end, 1),
    })),
    ("untilStep", "iii", Inside, Call(|it| counted(it, it.int(0)?, it.int(1)?, it.int(2)?))),
    ("without mustWithout", "la*", Inside, Items(|call, all| {
        kept(all, |it| !call.values[1..].iter().any(|other| same(it, other)))
    })),
];

fn kept(items: &[GoValue], f: impl Fn(&GoValue) -> bool) -> Vec<GoValue> {
    items.iter().filter(|it| f(it)).cloned().collect()
}

fn uniq(items: &[GoValue]) -> Vec<GoValue> {
    let mut kept: Vec<GoValue> = Vec::new();
    for item in items {
        if !kept.iter().any(|it| same(it, item)) {
            kept.push(item.clone());
        }
    }
    kept
}

fn one(call: &FunctionCall<'_>, item: Option<&GoValue>) -> GoValue {
    item.cloned().unwrap_or_else(|| GoValue::nil(&call.origin(0)))
}

fn concat(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let mut all = Vec::new();
    for value in &call.values {
        match &value.data {
            GoData::List(items) => all.extend(items.iter().cloned()),
            GoData::Unknown(_) => all.push(value.clone()),
            _ => return call.fail("it takes lists"),
        }
    }
    // Go appends to nil.
    let is_nil = all.is_empty();
    Ok(GoValue::of_list(GoList { items: all, is_nil, ..GoList::default() }, &call.source()))
}

/// A list without one of its items; Sprig gives nil where there is none.
fn shortened(
    call: &FunctionCall<'_>,
    f: fn(&[GoValue]) -> Option<&[GoValue]>,
) -> Evaluated<GoValue> {
    let items = f(call.list(0)?);
    let list = GoList {
        items: items.map(<[GoValue]>::to_vec).unwrap_or_default(),
        is_nil: items.is_none(),
        ..GoList::default()
    };
    Ok(GoValue::of_list(list, &call.origin(0)))
}

fn has(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let item = call.value(0)?;
    match call.value(1)? {
        list if list.is_nil() => call.bool(false),
        _ => call.bool(call.list(1)?.iter().any(|it| same(it, item))),
    }
}

fn join(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let list = call.value(1)?;
    let GoData::Text(separator) = &call.value(0)?.data else { return Ok(call.value(0)?.clone()) };
    call.marked(match &list.data {
        GoData::Nil => MarkedText::default(),
        GoData::List(items) => {
            let texts = items.iter().filter(|it| !it.is_nil()).map(|it| it.printed(true));
            MarkedText::joined(texts, separator)
        }
        _ => list.printed(true),
    })
}

fn slice(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let (value, items) = (call.value(0)?, call.list(0)?);
    let bound = |index: usize, none: usize| match call.values.len() > index {
        // What is negative is no bound.
        true => call.int(index).map(|it| usize::try_from(it).unwrap_or(usize::MAX)),
        false => Ok(none),
    };
    match items.get(bound(1, 0)?..bound(2, items.len())?) {
        _ if items.is_empty() => Ok(GoValue::nil(&value.origin)),
        Some(items) => {
            let of_texts = value.type_name() == "[]string";
            let list = GoList { items: items.to_vec(), of_texts, ..GoList::default() };
            Ok(GoValue::of_list(list, &value.origin))
        }
        None => call.fail("the bounds are not in the list"),
    }
}

fn texts(call: &FunctionCall<'_>, sorted: bool) -> Evaluated<GoValue> {
    let value = call.value(0)?;
    let mut texts: Vec<MarkedText> = match &value.data {
        GoData::List(items) => {
            items.iter().filter(|it| !it.is_nil()).map(|it| it.printed(true)).collect()
        }
        GoData::Nil if !sorted => Vec::new(),
        _ => vec![value.printed(true)],
    };
    if sorted {
        texts.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    }
    call.texts(texts)
}

fn split_list(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    call.texts(call.text(1)?.split(call.str(0)?))
}

fn chunked(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let (size, items) = (call.size(0)?, call.list(1)?);
    if size == 0 {
        return Ok(GoValue::unknown("chunks of that size", call.at));
    }
    let at = call.origin(1);
    let chunks = items.chunks(size).map(|it| GoValue::list(it.to_vec(), &at));
    Ok(GoValue::list(chunks.collect(), &at))
}

/// `seq`, as the program of that name, but for what leads elsewhere than it says.
fn sequence(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let numbers: Vec<i64> = call.values.iter().map(to_int).collect();
    let (start, step, end) = match numbers[..] {
        [end] => (1, 0, end),
        [start, end] => (start, 0, end),
        [start, step, end] => (start, step, end),
        _ => return call.string(""),
    };
    let direction = if end < start { -1 } else { 1 };
    // One number is its own end.
    let step = if numbers.len() < 3 { direction } else { step };
    if step.signum() != direction {
        return call.string("");
    }
    let counted = counted(call, start, end.saturating_add(direction), step)?;
    let GoData::List(items) = &counted.data else { return Ok(counted) };
    let texts = items.iter().map(|it| it.printed(true));
    call.marked(MarkedText::joined(texts, &MarkedText::made_of(" ")))
}

/// From `start` on, without `end`.
fn counted(call: &FunctionCall<'_>, start: i64, end: i64, step: i64) -> Evaluated<GoValue> {
    let way = i128::from(end) - i128::from(start);
    let step = i128::from(step);
    // Which nothing is made for where it is too long.
    let count = match step {
        0 => 0,
        _ => (way + step - step.signum()) / step,
    };
    let count = usize::try_from(count).unwrap_or(0);
    if count > 100_000 {
        return call.fail("the list is too long");
    }
    let item = |at: i128| i64::try_from(at).ok().map(|at| GoValue::new(GoData::Int(at), call.at));
    let all = std::iter::successors(Some(i128::from(start)), |at| Some(at + step));
    Ok(GoValue::list(all.take(count).filter_map(item).collect(), &call.source()))
}
