//! Objects as a cluster would get them, and where their values were written.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json, json};

use crate::{
    parse::{self, Dialect},
    problem::Problem,
    report::{
        Place, json,
        show::{origin_json, problems_json},
    },
    source::{FileId, Sources},
    tree::{Kind, Node, Origin},
};

/// `objects` as JSON, with each value's origin by its JSON pointer if `origins` says so.
pub fn render_json(
    sources: &Sources,
    objects: &[&Node],
    problems: &[Problem],
    origins: bool,
) -> String {
    let mut shown = Map::new();
    shown.insert("version".into(), 1.into());
    shown.insert("objects".into(), objects.iter().map(|it| it.to_json()).collect());
    shown.insert("problems".into(), problems_json(sources, problems).into());
    if origins {
        let all = objects.iter().map(|object| {
            let mut map = Map::new();
            leaves(object, &mut String::new(), &mut |pointer, node| {
                map.insert(pointer.to_owned(), origin_json(sources, &node.origin));
            });
            Json::Object(map)
        });
        shown.insert("origins".into(), all.collect());
    }
    json::pretty(&json!(shown))
}

/// Calls `each` with every value that holds no others, and its JSON pointer (RFC 6901).
fn leaves<'a>(node: &'a Node, pointer: &mut String, each: &mut dyn FnMut(&str, &'a Node)) {
    let length = pointer.len();
    match &node.kind {
        Kind::Map(map) if !map.is_empty() => {
            for (key, entry) in map.iter() {
                let _ = write!(pointer, "/{}", key.replace('~', "~0").replace('/', "~1"));
                leaves(&entry.value, pointer, each);
                pointer.truncate(length);
            }
        }
        Kind::List(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                let _ = write!(pointer, "/{index}");
                leaves(item, pointer, each);
                pointer.truncate(length);
            }
        }
        _ => each(pointer, node),
    }
}

/// `objects` as a stream of YAML documents, as `kubectl kustomize` prints them.
pub fn render_yaml(sources: &Sources, objects: &[&Node], origins: bool) -> String {
    let documents = objects.iter().map(|object| {
        // JSON values always have a form in YAML.
        let text = serde_yaml::to_string(&object.to_json()).unwrap_or_default();
        if origins { annotated(sources, object, &text) } else { text }
    });
    documents.collect::<Vec<_>>().join("---\n")
}

/// `text`, the YAML of `object`, with a comment on each value that is not written in the object's
/// own file, or that got there by more than one step.
fn annotated(sources: &Sources, object: &Node, text: &str) -> String {
    let home = object.str_at("metadata.name").and(object.at("metadata.name"));
    let home = home.unwrap_or(object).origin.written_at().map(|span| span.file);
    let printed = Sources::in_memory([("printed", text)]);
    let Some(file) = printed.find("printed") else { return text.to_owned() };
    let documents = parse::documents(text, file, Dialect::Sigs);
    let mut comments: Vec<(u32, String)> = Vec::new();
    if let Some(root) = documents.roots().next() {
        pairs(object, root, &mut |origin, printed_at| {
            let Some(comment) = comment(sources, origin, home) else { return };
            let line = printed_at.written_at().map_or(1, |span| printed.start(span).line);
            comments.push((line, comment));
        });
    }
    let lines = text.lines().zip(1..).map(|(line, number)| {
        let here = comments.iter().filter(|(at, _)| *at == number);
        let mut here: Vec<_> = here.map(|(_, comment)| comment.as_str()).collect();
        here.dedup();
        match &*here {
            [] => format!("{line}\n"),
            here => format!("{line} # {}\n", here.join("; ")),
        }
    });
    lines.collect()
}

/// Calls `each` with the origin of every scalar of `object` and the place of the same in `printed`.
fn pairs(object: &Node, printed: &Node, each: &mut dyn FnMut(&Origin, &Origin)) {
    match &object.kind {
        Kind::Map(map) if !map.is_empty() => {
            for (key, entry) in map.iter() {
                let Some(other) = printed.as_map().and_then(|it| it.entry(key)) else { continue };
                let is_block = other.value.as_scalar().is_some_and(|it| it.text.contains('\n'));
                match other.key.filter(|_| is_block) {
                    // A comment in a block would be part of it; it goes to the line of its key.
                    Some(key) => each(&entry.value.origin, &Origin::written(key)),
                    None => pairs(&entry.value, &other.value, each),
                }
            }
        }
        Kind::List(items) if !items.is_empty() => {
            let others = printed.items().iter();
            items.iter().zip(others).for_each(|(item, other)| pairs(item, other, each));
        }
        _ if printed.as_scalar().is_some_and(|it| it.text.contains('\n')) => {}
        _ => each(&object.origin, &printed.origin),
    }
}

/// Where a value was written, when that is not where it stands.
fn comment(sources: &Sources, origin: &Origin, home: Option<FileId>) -> Option<String> {
    let last = origin.last();
    match last.span {
        None => Some(last.via.id().replace('-', " ")),
        Some(span) if Some(span.file) == home && origin.steps().count() == 1 => None,
        Some(span) => {
            let Place { path, start, .. } = Place::of(sources, span);
            Some(format!("{path}:{}", start.line))
        }
    }
}
