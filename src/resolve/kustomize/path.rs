//! Paths of `replacements` and `vars` into objects (`PathGetter` and `PathMatcher` of kyaml).

use regex::Regex;

use crate::{
    resolve::kustomize::value::{Outcome, is_null, refusal, refusal_of, string, text, too_deep},
    scalar::{Scalar, Style},
    tree::{Kind, MAX_DEPTH, Map, Node, Origin},
};

/// What a path makes where nothing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Make {
    Scalar,
    List,
    Map,
}

impl Make {
    /// Something like `node`.
    pub(super) fn like(node: &Node) -> Self {
        match node.kind {
            Kind::Map(_) => Self::Map,
            Kind::List(_) => Self::List,
            _ => Self::Scalar,
        }
    }

    fn node(self, origin: &Origin) -> Node {
        let kind: Kind = match self {
            Self::Scalar => Scalar::plain("").into(),
            Self::List => Vec::new().into(),
            Self::Map => Map::default().into(),
        };
        Node::new(kind, origin.clone())
    }
}

/// The parts between separators, of which one may lead; one after a backslash is inside a part
/// (`PathSplitter`).
pub(super) fn split_unescaped(path: &str, separator: char) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut joins = false;
    for part in path.strip_prefix(separator).unwrap_or(path).split(separator) {
        match parts.last_mut() {
            Some(last) if joins => {
                last.pop();
                last.push(separator);
                last.push_str(part);
            }
            _ => parts.push(part.to_owned()),
        }
        joins = part.ends_with('\\');
    }
    parts
}

/// The parts of a path: separated by dots, but not by those after a backslash or in brackets
/// (`SmarterPathSplitter`).
pub(super) fn split(path: &str) -> Vec<String> {
    let mut result = Vec::new();
    let mut parts = split_unescaped(path, '.').into_iter();
    while let Some(part) = parts.next() {
        if !part.starts_with('[') || part.ends_with(']') {
            result.push(part);
            continue;
        }
        let mut whole = part;
        for next in parts.by_ref() {
            let last = next.ends_with(']');
            whole.push('.');
            whole.push_str(&next);
            if last {
                break;
            }
        }
        result.push(match whole.contains('=') {
            true => whole,
            false => whole.trim_matches(['[', ']']).to_owned(),
        });
    }
    result
}

/// What stands in brackets: `key=value`, of which the key may be empty.
fn selector(part: &str) -> Option<&str> {
    part.strip_prefix('[')?.strip_suffix(']')
}

/// The node at `path`; the first one that fits.
///
/// # Errors
/// A step that does not fit what is there.
pub(super) fn lookup<'a>(
    node: &'a Node,
    path: &[String],
    at: &Origin,
) -> Outcome<Option<&'a Node>> {
    let mut node = node;
    for part in path.iter().map(|it| it.trim()).filter(|it| !it.is_empty()) {
        let found = step(node, part, at)?;
        match found {
            Some(found) => node = found,
            None => return Ok(None),
        }
    }
    Ok(Some(node))
}

fn step<'a>(node: &'a Node, part: &str, at: &Origin) -> Outcome<Option<&'a Node>> {
    if is_null(node) {
        return Ok(None);
    }
    let list = || {
        node.as_list().ok_or_else(|| {
            refusal_of(part, at, format!("`{part}` wants a list, but there is none"))
        })
    };
    if let Ok(index) = part.parse::<i64>() {
        let index =
            usize::try_from(index).map_err(|_| refusal(at, "an index cannot be negative"))?;
        return Ok(list()?.get(index));
    }
    if part == "-" {
        return Ok(list()?.last());
    }
    if let Some(selector) = selector(part) {
        let Some((key, value)) = selector.split_once('=') else {
            return Err(refusal(at, format!("`{part}` must be [key=value]")));
        };
        return Ok(list()?.iter().find(|item| match key {
            "" => text(Some(item)) == value,
            key => item.get(key).is_some_and(|it| text(Some(it)) == value),
        }));
    }
    match &node.kind {
        Kind::Map(map) => Ok(map.get(part)),
        Kind::Unknown(_) => Ok(Some(node)),
        _ => Err(refusal_of(part, at, format!("`{part}` wants a mapping, but there is none"))),
    }
}

/// Calls `write` with every node that `path` matches, and counts them. With `make`, what is missing
/// is made.
///
/// # Errors
/// Those of `write`, and a step that does not fit what is there.
pub(super) fn visit(
    node: &mut Node,
    path: &[String],
    make: Option<Make>,
    at: &Origin,
    write: &mut dyn FnMut(&mut Node) -> Outcome<()>,
) -> Outcome<usize> {
    let Some((part, rest)) = path.split_first() else {
        write(node)?;
        return Ok(1);
    };
    if path.len() > MAX_DEPTH {
        return Err(too_deep(at));
    }
    if node.unknown().is_some() {
        return Ok(1);
    }
    let wants_list = part.parse::<usize>().is_ok() || selector(part).is_some() || part == "*";
    if !wants_list {
        return visit_field(node, part, rest, make, at, write);
    }
    if is_null(node) {
        node.kind = Vec::new().into();
    }
    let origin = node.origin.clone();
    let Some(items) = node.as_list_mut() else {
        return Err(refusal_of(
            part.as_str(),
            at,
            format!("`{part}` wants a list, but there is none"),
        ));
    };
    if let Ok(index) = part.parse::<usize>() {
        if let (true, Some(make)) = (index == items.len(), make) {
            items.push(kind_for(rest, make).node(&origin));
        }
        let count = items.len();
        let item = items.get_mut(index).ok_or_else(|| {
            refusal_of("item", at, format!("there is no item {index} in this list of {count}"))
        })?;
        return visit(item, rest, make, at, write);
    }
    if part == "*" {
        let mut count = 0;
        for item in items {
            count += visit(item, rest, make, at, write)?;
        }
        return Ok(count);
    }
    let Some((key, pattern)) = selector(part).and_then(|it| it.split_once('=')) else {
        return Err(refusal(at, format!("`{part}` must be [key=value]")));
    };
    let regex =
        Regex::new(pattern).map_err(|_| refusal(at, format!("`{pattern}` is no pattern")))?;
    let count = visit_matching(items, (key, &regex), rest, make, at, write)?;
    let Some(_) = make.filter(|_| count == 0) else { return Ok(count) };
    let value = Node::new(Scalar::plain(pattern), at.clone());
    items.push(if key.is_empty() {
        value
    } else {
        let mut map = Map::default();
        map.set(key, value);
        Node::new(map, at.clone())
    });
    visit_matching(items, (key, &regex), rest, make, at, write)
}

fn visit_matching(
    items: &mut [Node],
    (key, regex): (&str, &Regex),
    rest: &[String],
    make: Option<Make>,
    at: &Origin,
    write: &mut dyn FnMut(&mut Node) -> Outcome<()>,
) -> Outcome<usize> {
    let mut count = 0;
    for item in items {
        if key.is_empty() {
            // kyaml does not look any further here.
            if regex.is_match(&shown(item)) {
                write(item)?;
                count += 1;
            }
        } else if item.get(key).is_some_and(|it| regex.is_match(&shown(it))) {
            count += visit(item, rest, make, at, write)?;
        }
    }
    Ok(count)
}

fn visit_field(
    node: &mut Node,
    part: &str,
    rest: &[String],
    make: Option<Make>,
    at: &Origin,
    write: &mut dyn FnMut(&mut Node) -> Outcome<()>,
) -> Outcome<usize> {
    if part.is_empty() {
        // A part without a name is the scalar itself, which is made empty.
        if node.as_scalar().is_none() {
            return Err(refusal(at, "a part of this path is empty"));
        }
        if make.is_none() {
            return Ok(0);
        }
        *node = string("", at.clone());
        return Ok(1);
    }
    if is_null(node) {
        if make.is_none() {
            return Ok(0);
        }
        node.kind = Map::default().into();
    }
    let Some(map) = node.as_map_mut() else {
        return Err(refusal_of(part, at, format!("`{part}` wants a mapping, but there is none")));
    };
    if map.get(part).is_none() {
        let Some(make) = make else { return Ok(0) };
        map.set(part, kind_for(rest, make).node(at));
    }
    map.get_mut(part).map_or(Ok(0), |child| visit(child, rest, make, at, write))
}

/// What has to stand before the rest of a path.
fn kind_for(rest: &[String], leaf: Make) -> Make {
    match rest.first() {
        None => leaf,
        Some(next) if next == "-" || next.parse::<i64>().is_ok() || selector(next).is_some() => {
            Make::List
        }
        Some(_) => Make::Map,
    }
}

/// A scalar as it is written: patterns are matched against that.
fn shown(node: &Node) -> String {
    let text = text(Some(node));
    match node.as_scalar().map(|it| it.style) {
        Some(Style::DoubleQuoted) => format!("\"{text}\""),
        Some(Style::SingleQuoted) => format!("'{text}'"),
        _ => text.to_owned(),
    }
}
