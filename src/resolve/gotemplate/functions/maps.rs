//! Functions of maps.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use super::{Called, Evaluated, FunctionCall, GoData, GoValue, choice::empty};
use crate::{resolve::gotemplate::value::GoMap, tree::Origin};

/// Those that pass on what they do not look at.
pub(super) fn lenient(call: &FunctionCall<'_>) -> Called {
    let values = &call.values;
    Some(match (call.name, &values[..]) {
        ("dict", _) => Ok(dict(call)),
        ("get", [map, key]) => match (&map.data, &key.data) {
            (GoData::Map(_), GoData::Text(key)) if key.unknown_part().is_none() => {
                let found = map.key(key.as_str()).unwrap_or_else(|| GoValue::nil(&map.origin));
                match found.is_nil() && !map.has(key.as_str()) {
                    true => Ok(GoValue::string("", &found.origin)),
                    false => Ok(found),
                }
            }
            _ => return None,
        },
        ("index", [map, keys @ ..]) => index(call, map, keys),
        ("hasKey", [map, key]) => match (&map.data, &key.data) {
            (GoData::Map(entries), GoData::Text(key)) if key.unknown_part().is_none() => {
                let entries = entries.borrow();
                match (entries.entries.contains_key(key.as_str()), &entries.open) {
                    (false, Some(why)) => Ok(GoValue::unknown(why.clone(), &map.origin)),
                    (has, _) => Ok(GoValue::new(GoData::Bool(has), &map.origin)),
                }
            }
            _ => return None,
        },
        // Without a cluster there is nothing to look up.
        ("lookup", _) => Ok(GoValue::map(GoMap::default(), call.at)),
        ("unset", [map, key]) => match (&map.data, &key.data) {
            (GoData::Map(entries), GoData::Text(key)) if key.unknown_part().is_none() => {
                entries.borrow_mut().entries.shift_remove(key.as_str());
                Ok(map.clone())
            }
            _ => return None,
        },
        ("merge", [first, others @ ..]) => Ok(merged(first, others, false)),
        ("mergeOverwrite", [first, others @ ..]) => Ok(merged(first, others, true)),
        ("pick" | "omit", [map, keys @ ..]) => match &map.data {
            GoData::Map(entries) => {
                let named: Vec<_> = keys.iter().map(|it| it.printed(true)).collect();
                if named.iter().any(|it| it.unknown_part().is_some()) {
                    return None;
                }
                let mut entries = entries.borrow().clone();
                let pick = call.name == "pick";
                entries
                    .entries
                    .retain(|key, _| named.iter().any(|it| it.as_str() == &**key) == pick);
                Ok(GoValue::map(entries, &map.origin))
            }
            _ => return None,
        },
        ("dig", [keys @ .., default, map]) => dig(call, keys, default, map),
        ("dig", _) => call.fail("it takes three arguments or more"),
        ("pluck", [key, maps @ ..]) => match &key.data {
            GoData::Text(key) if key.unknown_part().is_none() => {
                let has = |it: &&GoValue| match &it.data {
                    GoData::Map(map) => map.borrow().entries.contains_key(key.as_str()),
                    _ => false,
                };
                let found = maps.iter().filter(has).filter_map(|it| it.key(key.as_str()));
                Ok(GoValue::list(found.collect(), &call.source()))
            }
            _ => return None,
        },
        _ => return None,
    })
}

pub(super) fn strict(call: &FunctionCall<'_>) -> Called {
    let values = &call.values;
    Some(match (call.name, &values[..]) {
        ("keys", maps) => {
            let mut keys = Vec::new();
            for map in maps {
                let GoData::Map(entries) = &map.data else {
                    return Some(call.fail("it takes maps"));
                };
                let entries = entries.borrow();
                keys.extend(entries.sorted().iter().map(|key| {
                    let at =
                        entries.entries[key].0.map_or_else(|| map.origin.clone(), Origin::written);
                    GoValue::string(&**key, &at)
                }));
            }
            Ok(GoValue::list(keys, &call.source()))
        }
        ("values", [map]) => match &map.data {
            GoData::Map(entries) => {
                let entries = entries.borrow();
                let values =
                    entries.sorted().iter().map(|it| entries.entries[it].1.clone()).collect();
                Ok(GoValue::list(values, &map.origin))
            }
            _ => call.fail("it takes a map"),
        },
        ("split" | "splitn", _) => {
            let last = values.len().saturating_sub(1);
            let parts = call.str(0).and_then(|separator| {
                let text = call.text(last)?;
                Ok(match call.name {
                    "split" => text.split(separator),
                    _ => {
                        let count = call.size(1)?;
                        let parts = text.as_str().splitn(count, separator);
                        parts.map(|it| text.part_of(it)).collect()
                    }
                })
            });
            match parts {
                Ok(parts) => {
                    let mut map = GoMap::default();
                    for (index, part) in parts.into_iter().enumerate() {
                        map.set(format!("_{index}"), GoValue::text(part, call.at));
                    }
                    Ok(GoValue::map(map, &call.source()))
                }
                Err(error) => Err(error),
            }
        }
        ("chunk", [_, _]) => call.list(1).and_then(|items| {
            let size = call.size(0)?;
            if size == 0 {
                return call.fail("the size is zero or less");
            }
            let chunks = items.chunks(size).map(|it| GoValue::list(it.to_vec(), call.at));
            Ok(GoValue::list(chunks.collect(), &call.source()))
        }),
        _ => return None,
    })
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

/// `index`: of a key that is not there it gives nothing, and of nothing it fails.
fn index(call: &FunctionCall<'_>, map: &GoValue, keys: &[GoValue]) -> Evaluated<GoValue> {
    let mut value = map.clone();
    for key in keys {
        if let Some(why) = key.unknown_part() {
            return Ok(GoValue::unknown(why, &key.origin));
        }
        let next = match (&value.data, &key.data) {
            (GoData::Unknown(why), _) => GoValue::unknown(why.clone(), &value.origin.whole()),
            (GoData::Map(_), GoData::Text(key)) => match value.key(key.as_str()) {
                Some(next) => next,
                None => GoValue::nil(&value.origin),
            },
            (GoData::List(items), GoData::Int(_) | GoData::Int64(_)) => {
                let at = usize::try_from(super::to_int(key)).ok();
                // What may be there or not moves what follows it.
                let before = at.and_then(|at| items.get(..at)).unwrap_or_default();
                let unsure = before.iter().find_map(|it| match &it.data {
                    GoData::Unknown(why) => Some(why.clone()),
                    _ => None,
                });
                match (unsure, at.and_then(|at| items.get(at))) {
                    (Some(why), _) => GoValue::unknown(why, &value.origin),
                    (None, Some(item)) => item.clone(),
                    (None, None) => return call.fail("the index is not in the list"),
                }
            }
            (GoData::Text(text), GoData::Int(at) | GoData::Int64(at)) => {
                let byte =
                    usize::try_from(*at).ok().and_then(|it| text.as_str().as_bytes().get(it));
                match (text.unknown_part(), byte) {
                    (Some(why), _) => GoValue::unknown(why.clone(), &value.origin),
                    (_, Some(byte)) => GoValue::new(GoData::Int(i64::from(*byte)), &value.origin),
                    _ => return call.fail("the index is not in the text"),
                }
            }
            (GoData::Nil, _) => return call.fail("there is nothing to index"),
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
fn merged(first: &GoValue, others: &[GoValue], overwrite: bool) -> GoValue {
    let GoData::Map(target) = &first.data else { return first.clone() };
    for other in others {
        match &other.data {
            GoData::Map(source) if Rc::ptr_eq(source, target) => {}
            GoData::Map(source) => merge_into(target, source, overwrite),
            GoData::Unknown(why) => {
                let mut target = target.borrow_mut();
                target.open = Some(why.clone());
                if overwrite {
                    target
                        .entries
                        .values_mut()
                        .for_each(|(_, it)| *it = GoValue::unknown(why.clone(), &it.origin));
                }
            }
            _ => {}
        }
    }
    first.clone()
}

/// `mergo.Merge`: what is empty counts as not set, on the left. Maps are shared, not copied.
fn merge_into(target: &Rc<RefCell<GoMap>>, source: &Rc<RefCell<GoMap>>, overwrite: bool) {
    let source = source.borrow().clone();
    if let Some(why) = &source.open {
        let mut target = target.borrow_mut();
        target.open = Some(why.clone());
        if overwrite {
            for (key, (_, value)) in &mut target.entries {
                if !source.entries.contains_key(key) {
                    *value = GoValue::unknown(why.clone(), &value.origin);
                }
            }
        }
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

fn dig(
    call: &FunctionCall<'_>,
    keys: &[GoValue],
    default: &GoValue,
    map: &GoValue,
) -> Evaluated<GoValue> {
    if keys.is_empty() {
        return call.fail("it takes three arguments or more");
    }
    let mut value = map.clone();
    for key in keys {
        let key = key.printed(true);
        if let Some(why) = key.unknown_part() {
            return Ok(GoValue::unknown(why.clone(), call.at));
        }
        let next = match &value.data {
            GoData::Unknown(why) => {
                return Ok(GoValue::unknown(why.clone(), &value.origin.whole()));
            }
            GoData::Map(entries) => {
                let entries = entries.borrow();
                match (entries.entries.get(key.as_str()), &entries.open) {
                    (Some((_, next)), _) => Some(next.clone()),
                    (None, Some(why)) => return Ok(GoValue::unknown(why.clone(), &value.origin)),
                    (None, None) => None,
                }
            }
            _ => return call.fail(format!("a {} has no keys", value.type_name())),
        };
        match next {
            Some(next) => value = next,
            None => return Ok(default.clone()),
        }
    }
    Ok(value)
}
