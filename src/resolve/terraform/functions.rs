//! Functions that choose among values or put them together. Of what they do not know they make
//! unknown what depends on it.

use super::{
    evaluate::{TerraformScope, absent, element, is_absent},
    operators::{equal, why_unknown},
};
use crate::{
    resolve::install::is_blank,
    scalar::Scalar,
    source::{self, pattern::PathPattern},
    tree::{self, Entry, Kind, Map, Node, Origin, Reason, ReasonKind, Via},
};

impl TerraformScope<'_> {
    /// `name(arguments…)`; `None` where it is no function that is evaluated here.
    pub(super) fn function(&self, name: &str, arguments: &[Node], at: &Origin) -> Option<Node> {
        let truth = |it: Result<bool, Reason>| match it {
            Ok(it) => Node::new(it, at.clone()),
            Err(why) => Node::unknown_value(why, at),
        };
        Some(match (name, arguments) {
            // What is encoded reads as what it is made of.
            (
                "abspath" | "jsonencode" | "nonsensitive" | "sensitive" | "tobool" | "tolist"
                | "tomap" | "tonumber" | "tostring" | "trimspace" | "yamlencode",
                [it],
            ) => it.clone(),
            ("yamldecode" | "jsondecode", [it]) => self.decoded(it),
            ("indent", [_, it]) if it.as_map().is_some() || it.as_list().is_some() => it.clone(),
            ("merge", _) => merged(arguments, at),
            ("concat" | "setunion", _) => {
                Node::new(arguments.iter().flat_map(items).collect::<Vec<_>>(), at.clone())
            }
            ("flatten", [list]) => Node::new(flattened(list), at.clone()),
            ("compact", [list]) => {
                let mut kept = items(list);
                // What has no text is passed over.
                kept.retain(|it| !is_blank(it));
                Node::new(kept, at.clone())
            }
            ("distinct" | "toset", [list]) => {
                let mut kept: Vec<Node> = Vec::new();
                for item in items(list) {
                    if !kept.iter().any(|it| it.value().is_some() && it.value() == item.value()) {
                        kept.push(item);
                    }
                }
                Node::new(kept, at.clone())
            }
            ("coalesce", _) => first(arguments, at, |it| match it.unknown() {
                Some(_) => None,
                None => Some(!is_blank(it)),
            }),
            ("can", [it]) => truth(match it.unknown() {
                _ if is_absent(it) => Ok(false),
                Some(why) => Err(why.clone()),
                None => Ok(true),
            }),
            ("lookup", [map, key, rest @ ..]) => match (element(map, key, at), rest.first()) {
                (found, Some(default)) if is_absent(&found) => default.clone(),
                (found, Some(default)) => match key.unknown() {
                    Some(why) => tree::join(&found, default, why),
                    None => found,
                },
                (found, _) => found,
            },
            ("slice", [list, start, end]) => sliced(list, start, end, at),
            ("max" | "min", _) => extreme(arguments, name == "max", at),
            ("element", [list, index]) => element(list, index, at),
            ("index", [list, wanted]) => position(list, wanted, at),
            ("one", [list]) => match list.items() {
                [] if list.unknown().is_none() => Node::new(Scalar::null(), at.clone()),
                [one] => one.clone(),
                _ => Node::unknown_value(why_unknown(&[list]), at),
            },
            ("keys" | "values", [map]) => match map.as_map().filter(|it| it.open.is_none()) {
                Some(map) => {
                    let mut entries: Vec<_> = map.iter().collect();
                    entries.sort_by_key(|(key, _)| *key);
                    let entries = entries.into_iter().map(|(key, entry)| match name {
                        "keys" => Node::new(key, entry.value.origin.clone()),
                        _ => entry.value.clone(),
                    });
                    Node::new(entries.collect::<Vec<_>>(), at.clone())
                }
                None => Node::unknown_value(why_unknown(&[map]), at),
            },
            ("length", [it]) => match count(it) {
                Some(count) => Node::new(Scalar::plain(count.to_string()), at.clone()),
                None => Node::unknown_value(why_unknown(&[it]), at),
            },
            ("contains", [list, wanted]) => {
                let all: Vec<_> = items(list).iter().map(|it| equal(it, wanted)).collect();
                let is_there = all.contains(&Ok(true));
                let unknown = all.into_iter().find_map(Result::err);
                truth(if is_there { Ok(true) } else { unknown.map_or(Ok(false), Err) })
            }
            ("fileexists", [path]) => truth(match path.as_str().and_then(|it| self.path(it)) {
                Some(path) => Ok(self.sources.find(&path).is_some()),
                None => Err(why_unknown(&[path])),
            }),
            ("fileset", [dir, pattern]) => self.files(dir, pattern, at),
            _ => return of_texts(name, arguments, at),
        })
    }

    /// The files below `dir` whose paths there match `pattern`.
    fn files(&self, dir: &Node, pattern: &Node, at: &Origin) -> Node {
        let below = dir.as_str().and_then(|it| self.path(it));
        let glob = pattern.as_str().and_then(PathPattern::new);
        let (Some(below), Some(glob)) = (below, glob) else {
            return Node::unknown_value(why_unknown(&[dir, pattern]), at);
        };
        let files = self.sources.seen_below(&below).into_iter().filter_map(|(path, _)| {
            let path = path.strip_prefix(&*below)?.trim_start_matches('/');
            glob.is_match(path).then(|| Node::new(path, at.clone()))
        });
        Node::new(files.collect::<Vec<_>>(), at.clone())
    }
}

/// A function of texts, all of which are known.
fn of_texts(name: &str, arguments: &[Node], at: &Origin) -> Option<Node> {
    const KNOWN: [&str; 14] = [
        "basename",
        "dirname",
        "endswith",
        "format",
        "join",
        "lower",
        "replace",
        "split",
        "startswith",
        "title",
        "trimprefix",
        "trimsuffix",
        "upper",
        "chomp",
    ];
    if !KNOWN.contains(&name) {
        return None;
    }
    let unknown =
        || Some(Node::unknown_value(why_unknown(&arguments.iter().collect::<Vec<_>>()), at));
    let mut texts: Vec<&str> = Vec::new();
    for node in arguments.iter().flat_map(|it| match it.as_list() {
        Some(items) => items.iter().collect(),
        None => vec![it],
    }) {
        let Some(scalar) = node.as_scalar() else {
            return match node.unknown() {
                Some(why) => Some(Node::unknown_value(why.clone(), at)),
                None => unknown(),
            };
        };
        texts.push(&scalar.text);
    }
    // Where the first of them comes from that is written elsewhere.
    let here = |it: &Origin| match (it.written_at(), at.written_at()) {
        (Some(it), Some(at)) => it.file == at.file && at.start <= it.start && it.end <= at.end,
        _ => true,
    };
    let texts_of = arguments.iter().flat_map(Node::walk).filter(|it| it.as_scalar().is_some());
    let elsewhere = texts_of.map(|it| &it.origin).find(|it| !here(it));
    let origin = elsewhere.map_or_else(|| at.clone(), |it| at.filled(Via::Values, it));
    let text = match (name, &texts[..]) {
        ("lower", [it]) => it.to_lowercase(),
        ("upper", [it]) => it.to_uppercase(),
        ("chomp", [it]) => it.trim_end_matches(['\n', '\r']).to_owned(),
        ("basename", [it]) => source::file_name(it).to_owned(),
        ("dirname", [it]) => source::parent(it).to_owned(),
        ("trimprefix", [it, part]) => it.strip_prefix(part).unwrap_or(it).to_owned(),
        ("trimsuffix", [it, part]) => it.strip_suffix(part).unwrap_or(it).to_owned(),
        ("replace", [it, old, new]) if !(old.starts_with('/') && old.len() > 1) => {
            // A text that grows by every part of it is none that anybody writes.
            let more = it.matches(*old).count().saturating_mul(new.len());
            if it.len().saturating_add(more) > super::evaluate::MAX_TEXT {
                return None;
            }
            it.replace(old, new)
        }
        ("join", [separator, items @ ..]) => items.join(separator),
        ("startswith", [it, part]) => return Some(Node::new(it.starts_with(part), at.clone())),
        ("endswith", [it, part]) => return Some(Node::new(it.ends_with(part), at.clone())),
        ("split", [separator, it]) => {
            let parts = it.split(separator).map(|it| Node::new(it, at.clone()));
            return Some(Node::new(parts.collect::<Vec<_>>(), at.clone()));
        }
        ("format", [format, rest @ ..]) => match formatted(format, rest) {
            Some(text) => text,
            None => return unknown(),
        },
        _ => return unknown(),
    };
    Some(Node::new(text, origin))
}

/// `format`, as far as its verbs are `%s`, `%v` and `%d`.
fn formatted(format: &str, values: &[&str]) -> Option<String> {
    let mut values = values.iter();
    let mut text = String::new();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('%') {
        text += before;
        let verb = after.chars().next()?;
        match verb {
            's' | 'v' | 'd' => text += values.next()?,
            '%' => text.push('%'),
            _ => return None,
        }
        rest = after.get(verb.len_utf8()..)?;
    }
    Some(text + rest)
}

/// How many entries something has.
fn count(node: &Node) -> Option<usize> {
    match &node.kind {
        Kind::Map(map) => {
            let certain =
                map.open.is_none() && map.iter().all(|(_, it)| it.value.if_there().is_none());
            certain.then(|| map.len())
        }
        Kind::List(items) => {
            // An item that nobody can tell stands for any number.
            items.iter().all(|it| it.unknown().is_none()).then_some(items.len())
        }
        Kind::Scalar(it) => Some(it.text.chars().count()),
        Kind::Unknown(_) => None,
    }
}

/// `slice(list, start, end)`, which refuses to take what is not there.
fn sliced(list: &Node, start: &Node, end: &Node, at: &Origin) -> Node {
    let index = |it: &Node| usize::try_from(it.as_int()?).ok();
    let (Some(_), Some(items)) = (count(list), list.as_list()) else {
        return Node::unknown_value(why_unknown(&[list]), at);
    };
    match (index(start), index(end)) {
        (Some(start), Some(end)) => match items.get(start..end) {
            Some(part) => Node::new(part.to_vec(), at.clone()),
            None => {
                let why = Reason::from("its list is shorter").of_kind(ReasonKind::NoSuchKey);
                Node::unknown_value(why, at)
            }
        },
        _ => Node::unknown_value(why_unknown(&[start, end]), at),
    }
}

/// `max` or `min`: that of its arguments.
fn extreme(numbers: &[Node], is_max: bool, at: &Origin) -> Node {
    let unknown = || Node::unknown_value(why_unknown(&numbers.iter().collect::<Vec<_>>()), at);
    let mut found: Option<(f64, &Node)> = None;
    for node in numbers {
        let number = node.as_scalar().and_then(|it| it.text.parse::<f64>().ok());
        let Some(number) = number.filter(|it| it.is_finite()) else { return unknown() };
        if found.is_none_or(|(best, _)| if is_max { best < number } else { number < best }) {
            found = Some((number, node));
        }
    }
    match found.and_then(|(_, node)| Some((node, node.as_scalar()?))) {
        Some((node, it)) => Node::new(Scalar::plain(&*it.text), node.origin.clone()),
        None => unknown(),
    }
}

/// The items of lists in lists.
fn flattened(list: &Node) -> Vec<Node> {
    let inner = |it: &Node| match it.as_list() {
        Some(_) => flattened(it),
        None => vec![it.clone()],
    };
    items(list).iter().flat_map(inner).collect()
}

/// `try(arguments…)`; those that are `taken` are references.
pub(super) fn tried(arguments: &[Node], taken: &[bool], at: &Origin) -> Node {
    let is_it = |(it, taken): (&Node, bool)| match it.unknown() {
        _ if is_absent(it) => Some(false),
        // What is unknown may be one of the errors that it passes over.
        why => (if taken { why.is_none() } else { unknown_in(it).is_none() }).then_some(true),
    };
    let of = |node: &Node| {
        let index = arguments.iter().position(|it| std::ptr::eq(it, node));
        is_it((node, index.and_then(|it| taken.get(it)) == Some(&true)))
    };
    first(arguments, at, of)
}

/// Why something that is in it cannot be told.
pub(super) fn unknown_in(node: &Node) -> Option<Reason> {
    let why = |it: &Node| it.unknown().or_else(|| it.as_map()?.open.as_ref()).cloned();
    node.walk().find_map(why)
}

/// The first of `arguments` that `is_it`; of those that may be it what they have in common with it.
fn first(arguments: &[Node], at: &Origin, is_it: impl Fn(&Node) -> Option<bool>) -> Node {
    let mut found: Option<Node> = None;
    for argument in arguments.iter().filter(|it| is_it(it) != Some(false)) {
        found = Some(match &found {
            Some(before) => tree::join(before, argument, &"it is computed".into()),
            None => argument.clone(),
        });
        if is_it(argument) == Some(true) {
            break;
        }
    }
    found.unwrap_or_else(|| Node::unknown_value("none of its arguments counts", at))
}

/// `index(list, value)`: where in a list the first item is that is equal.
fn position(list: &Node, wanted: &Node, at: &Origin) -> Node {
    for (index, item) in items(list).iter().enumerate() {
        match equal(item, wanted) {
            Ok(true) => return Node::new(Scalar::plain(index.to_string()), at.clone()),
            Ok(false) => {}
            Err(why) => return Node::unknown_value(why, at),
        }
    }
    Node::unknown_value(absent(), at)
}

/// The items of a list; of an unknown one an unknown item, which stands for any number.
pub(super) fn items(list: &Node) -> Vec<Node> {
    match list.as_list() {
        Some(items) => items.to_vec(),
        None => vec![Node::unknown_value(why_unknown(&[list]), &list.origin)],
    }
}

/// `merge(a, b)`: the entries of all, the later ones for the earlier ones.
fn merged(maps: &[Node], at: &Origin) -> Node {
    let mut all = Map::default();
    for node in maps.iter().filter(|it| !it.is_null()) {
        let map = node.as_map();
        let open = match map {
            Some(map) => map.open.clone(),
            None => Some(why_unknown(&[node])),
        };
        if let Some(why) = open {
            let hidden =
                all.iter_mut().filter(|(key, _)| map.is_none_or(|it| it.get(key).is_none()));
            hidden.for_each(|(_, it)| it.value = Node::unknown_value(why.clone(), &node.origin));
            all.open = Some(why);
        }
        for (key, entry) in node.entries() {
            // One that may be there or not leaves what was there before possible.
            let value = match (all.get(key), entry.value.if_there(), entry.value.unknown()) {
                (Some(before), Some(there), Some(why)) => tree::join(&there, before, why),
                _ => entry.value.clone(),
            };
            all.insert(key, Entry { key: entry.key, value });
        }
    }
    Node::new(all, at.clone())
}
