//! Functions of maps.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc, sync::Arc};

use super::{
    Evaluated, FunctionCall, GoData, GoList, GoMap, GoValue,
    Look::{Inside, Outside, Passes, Prints},
    MarkedText, Row,
    Run::{Call, Value},
    choice::empty,
};
use crate::tree::{Origin, Reason};

#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Row] = &[
    ("dict", "a*", Passes, Value(dict)),
    ("dig", "a*", Passes, Call(dig)),
    ("get", "ms", Passes, Call(get)),
    ("hasKey", "ms", Passes, Call(has_key)),
    ("index", "aa*", Passes, Call(index)),
    ("keys", "m*", Outside, Call(keys)),
    // Without a cluster there is nothing to look up.
    ("lookup", "ssss", Prints, Value(|it| GoValue::map(GoMap::default(), it.at))),
    ("merge mustMerge", "mm*", Prints, Value(|it| merged(it, false))),
    ("mergeOverwrite mustMergeOverwrite", "mm*", Prints, Value(|it| merged(it, true))),
    ("omit", "ms*", Passes, Call(|it| chosen(it, false))),
    ("pick", "ms*", Passes, Call(|it| chosen(it, true))),
    ("pluck", "sm*", Passes, Call(plucked)),
    ("set", "msa", Passes, Call(|it| it.value(0).cloned())),
    ("split", "ss", Inside, Call(|it| Ok(numbered(it, it.text(1)?.split(it.str(0)?))))),
    ("splitn", "sis", Inside, Call(split_n)),
    ("unset", "ms", Passes, Call(unset)),
    ("values", "m", Outside, Call(values)),
];

/// The map that is the argument at `index`.
fn map<'c>(call: &'c FunctionCall<'_>, index: usize) -> Evaluated<&'c Rc<RefCell<GoMap>>> {
    match &call.value(index)?.data {
        GoData::Map(map) => Ok(map),
        _ => call.fail("it takes a map"),
    }
}

fn dict(call: &FunctionCall<'_>) -> GoValue {
    let mut map = GoMap::default();
    for pair in call.values.chunks(2) {
        let key = pair[0].printed(true);
        if let Some(why) = key.unknown_part() {
            map.open = Some(why.clone());
            continue;
        }
        let value = pair.get(1).cloned().unwrap_or_else(|| GoValue::string("", call.at));
        let at = pair[0].origin.written_at();
        map.entries.insert(key.as_str().into(), (at, value));
    }
    GoValue::map(map, call.at)
}

fn get(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let (map, key) = (call.value(0)?, call.str(1)?);
    let found = map.key(key).unwrap_or_else(|| GoValue::nil(&map.origin));
    Ok(match found.is_nil() && !map.has(key) {
        true => GoValue::string("", &found.origin),
        false => found,
    })
}

fn has_key(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let (entries, at) = (map(call, 0)?.borrow(), &call.value(0)?.origin);
    Ok(match (entries.entries.contains_key(call.str(1)?), &entries.open) {
        (false, Some(why)) => GoValue::unknown(why.clone(), at),
        (has, _) => GoValue::new(GoData::Bool(has), at),
    })
}

fn unset(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    map(call, 0)?.borrow_mut().entries.shift_remove(call.str(1)?);
    call.value(0).cloned()
}

/// The values at a key of those maps that have it; of one that may have it, what may be there.
fn plucked(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let key = call.str(0)?;
    let maps = call.values[1..].iter();
    let maps = maps.filter(|it| it.has(key) || it.unknown_outside().is_some());
    Ok(GoValue::list(maps.filter_map(|it| it.key(key)).collect(), &call.source()))
}

fn chosen(call: &FunctionCall<'_>, pick: bool) -> Evaluated<GoValue> {
    let mut chosen = map(call, 0)?.borrow().clone();
    let names = call.values[1..].iter().map(|it| it.printed(true).as_str().to_owned());
    let names: BTreeSet<String> = names.collect();
    chosen.entries.retain(|key, _| names.contains(&**key) == pick);
    Ok(GoValue::map(chosen, &call.origin(0)))
}

fn keys(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let (mut keys, mut one_by_one) = (Vec::new(), true);
    for (index, value) in call.values.iter().enumerate() {
        let map = map(call, index)?.borrow();
        one_by_one &= map.entries.len() < 2;
        keys.extend(map.sorted().iter().map(|key| {
            let at = map.entries[key].0.map_or_else(|| value.origin.clone(), Origin::written);
            GoValue::string(&**key, &at)
        }));
    }
    let keys = GoList { items: keys, of_texts: true, ..GoList::default() };
    let keys = GoValue::of_list(keys, &call.source());
    Ok(if one_by_one { keys } else { keys.shuffled() })
}

fn values(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let map = map(call, 0)?.borrow();
    let values = map.sorted().iter().map(|it| map.entries[it].1.clone()).collect();
    Ok(GoValue::list(values, &call.origin(0)).shuffled())
}

fn split_n(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let count = usize::try_from(call.int(1)?).unwrap_or(usize::MAX);
    Ok(numbered(call, call.text(2)?.split_n(call.str(0)?, count)))
}

/// Texts by `_0`, `_1` and so on, as Sprig gives them; others are empty texts.
fn numbered(call: &FunctionCall<'_>, parts: Vec<MarkedText>) -> GoValue {
    let mut map = GoMap { of_texts: true, ..GoMap::default() };
    for (index, part) in parts.into_iter().enumerate() {
        map.set(format!("_{index}"), GoValue::text(part, call.at));
    }
    GoValue::map(map, &call.source())
}

/// `index`: of a key that is not there it gives nothing, and of nothing it fails.
fn index(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let mut value = call.value(0)?.clone();
    if value.is_nil() {
        return call.fail("there is nothing to index");
    }
    for key in &call.values[1..] {
        if let Some(why) = key.unknown_part() {
            return Ok(GoValue::unknown(why, &key.origin));
        }
        let at = || match key.data {
            GoData::Int(it) | GoData::Int64(it) => Some(usize::try_from(it).unwrap_or(usize::MAX)),
            _ => None,
        };
        let next = match (&value.data, &key.data, at()) {
            (GoData::Unknown(why), ..) => GoValue::unknown(why.clone(), &value.origin.whole()),
            (GoData::Map(_), GoData::Text(key), _) => {
                value.key(key.as_str()).unwrap_or_else(|| GoValue::nil(&value.origin))
            }
            (GoData::List(items), _, Some(at)) => {
                // What may be there or not moves what follows it.
                let mut before = items.iter().take(at);
                match (before.find_map(GoValue::is_perhaps), items.get(at)) {
                    (Some(why), _) => GoValue::unknown(why, &value.origin),
                    (None, Some(item)) => item.clone(),
                    (None, None) => return call.fail("the index is not in the list"),
                }
            }
            (GoData::Text(text), _, Some(at)) => {
                match (text.unknown_part(), text.as_str().as_bytes().get(at)) {
                    (Some(why), _) => GoValue::unknown(why.clone(), &value.origin),
                    (_, Some(byte)) => GoValue::new(GoData::Int(i64::from(*byte)), &value.origin),
                    _ => return call.fail("the index is not in the text"),
                }
            }
            (GoData::Nil, ..) => return call.fail("there is nothing to index"),
            _ => {
                let (value, key) = (value.type_name(), key.type_name());
                return call.fail(format!("a {value} has no index that is a {key}"));
            }
        };
        value = next;
    }
    Ok(value)
}

/// `merge`, which changes its first argument; the first that is set wins, or the last one.
fn merged(call: &FunctionCall<'_>, overwrite: bool) -> GoValue {
    let first = call.values[0].clone();
    let GoData::Map(target) = &first.data else { return first };
    for other in &call.values[1..] {
        match &other.data {
            GoData::Map(source) if Rc::ptr_eq(source, target) => {}
            GoData::Map(source) => merge_into(target, source, overwrite),
            GoData::Unknown(why) => opened(target, why, |_| overwrite),
            _ => {}
        }
    }
    first
}

/// Makes unknown which keys there are, and those that `may` be others.
pub(super) fn opened(map: &RefCell<GoMap>, why: &Reason, may: impl Fn(&str) -> bool) {
    let mut map = map.borrow_mut();
    map.open.get_or_insert_with(|| why.clone());
    for (_, (_, value)) in map.entries.iter_mut().filter(|(key, _)| may(key)) {
        *value = GoValue::unknown(why.clone(), &value.origin);
    }
}

/// `mergo.Merge`: what is empty counts as not set, on the left. Maps are shared, not copied.
fn merge_into(target: &Rc<RefCell<GoMap>>, source: &Rc<RefCell<GoMap>>, overwrite: bool) {
    let source = source.borrow().clone();
    if let Some(why) = &source.open {
        opened(target, why, |key| overwrite && !source.entries.contains_key(key));
    }
    for (key, (at, value)) in source.entries {
        let old = target.borrow().entries.get(&key).map(|it| it.1.clone());
        let new = match (old.as_ref().map(|it| &it.data), &value.data) {
            (Some(GoData::Map(below)), GoData::Map(above)) => {
                if !Rc::ptr_eq(below, above) {
                    merge_into(below, above, overwrite);
                }
                continue;
            }
            // What is not known of the target may be that key.
            (None, _) => match target.borrow().open.clone().filter(|_| !overwrite) {
                Some(why) => GoValue::unknown(why, &value.origin),
                None => value.clone(),
            },
            (Some(_), _) if overwrite => value.clone(),
            (Some(_), _) => match old.as_ref().map(empty) {
                Some(Ok(true)) => value.clone(),
                Some(Err(why)) => GoValue::unknown(why, &value.origin),
                _ => continue,
            },
        };
        target.borrow_mut().entries.insert(Arc::clone(&key), (at, new));
    }
}

fn dig(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let [keys @ .., default, map] = &call.values[..] else {
        return call.fail("it takes three arguments or more");
    };
    if keys.is_empty() {
        return call.fail("it takes three arguments or more");
    }
    let mut value = map.clone();
    for key in keys {
        let key = key.printed(true);
        let next = match (&value.data, key.unknown_part()) {
            (_, Some(why)) => return Ok(GoValue::unknown(why.clone(), call.at)),
            (GoData::Unknown(why), _) => {
                return Ok(GoValue::unknown(why.clone(), &value.origin.whole()));
            }
            (GoData::Map(_), _) => value.key(key.as_str()),
            // It takes no other type, as that of `.Values`.
            _ => return call.fail(format!("a {} has no keys", value.type_name())),
        };
        match next.filter(|it| !it.is_nil() || value.has(key.as_str())) {
            Some(next) => value = next,
            None => return Ok(default.clone()),
        }
    }
    Ok(value)
}
