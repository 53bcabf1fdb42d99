//! Objects as a cluster would get them, and where their values were written.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json, json};

use crate::{
    emit::{self, Emitted, Parts, Piece},
    parse,
    problem::Problem,
    report::{
        Place,
        excerpt::harmless,
        json,
        show::{origin_json, problems_json},
    },
    source::{FileId, Sources},
    tree::{Kind, Node},
};

/// `objects` as JSON, with each value's origin by its JSON pointer if `origins` says so.
pub(crate) fn render_json(
    sources: &Sources,
    objects: &[&Node],
    problems: &[Problem],
    origins: bool,
) -> String {
    let origins = origins.then(|| {
        let all = objects.iter().map(|object| {
            let mut map = Map::new();
            leaves(object, &mut String::new(), &mut |pointer, node| {
                map.insert(pointer.to_owned(), origin_json(sources, &node.origin));
            });
            Json::Object(map)
        });
        all.collect::<Json>()
    });
    let unknown = objects.iter().map(|object| {
        let mut map = Map::new();
        reasons(object, &mut String::new(), &mut map);
        map
    });
    let unknown: Vec<_> = unknown.collect();
    json::pretty(&json::object([json!({
        "version": 1,
        "objects": objects.iter().map(|it| shown(it)).collect::<Json>(),
        "unknown": unknown.iter().any(|it| !it.is_empty()).then_some(unknown),
        "problems": problems_json(sources, problems),
        "origins": origins,
    })]))
}

/// The object as JSON, with a text in the place of what is unknown.
fn shown(object: &Node) -> Json {
    if let Some(object) = object.if_there() {
        return shown(&object);
    }
    let text =
        |node: &Node| Some(Node::new(node.unknown().map(|_| emit::UNKNOWN)?, node.origin.clone()));
    parse::legible(object, emit::UNKNOWN).rewrite(&mut { text }).to_json()
}

/// Why values of `node` are unknown, or why there may be more in maps than is known, by their JSON
/// pointers.
fn reasons(node: &Node, pointer: &mut String, into: &mut Map<String, Json>) {
    let length = pointer.len();
    if let Some(node) = node.if_there().filter(|_| pointer.is_empty()) {
        reasons(&node, pointer, into);
    }
    if let Some(why) = node.unknown().or_else(|| node.as_map()?.open.as_ref()) {
        into.insert(pointer.clone(), why.to_string().into());
    }
    for (key, entry) in node.entries() {
        let _ = write!(pointer, "/{}", key.replace('~', "~0").replace('/', "~1"));
        reasons(&entry.value, pointer, into);
        pointer.truncate(length);
    }
    for (index, item) in node.items().iter().enumerate() {
        let _ = write!(pointer, "/{index}");
        reasons(item, pointer, into);
        pointer.truncate(length);
    }
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
pub(crate) fn render_yaml(sources: &Sources, objects: &[&Node], origins: bool) -> String {
    let documents = objects.iter().map(|object| {
        if let (Some(why), Some(object)) = (object.unknown(), object.if_there()) {
            let text = render_yaml(sources, &[&object], origins);
            return format!("# perhaps: {}\n{text}", why.replace('\n', " "));
        }
        let object = &parse::legible(object, emit::UNKNOWN);
        let emitted = emit::emit(object);
        if origins { annotated(sources, object, &emitted) } else { emitted.text }
    });
    documents.collect::<Vec<_>>().join("---\n")
}

/// The text of `object` below the name of its own file, with a comment on each value that is not written
/// there, or that got there by more than one step.
fn annotated(sources: &Sources, object: &Node, emitted: &Emitted<'_>) -> String {
    let home = object.at("metadata.name").unwrap_or(object).origin.written_at();
    let home = home.map(|span| span.file);
    // The comments by the line break before which they go; in the order of the text.
    let mut comments: Vec<(usize, String)> = Vec::new();
    each_scalar(&emitted.root, &mut |piece| {
        let Some(comment) = comment(sources, piece.node, home) else { return };
        // In a block a comment would be text; in other text of several lines it would end it.
        let is_block = emitted.text[piece.range.clone()].starts_with(['|', '>']);
        let from = if is_block { piece.range.start } else { piece.range.end };
        let line_break = emitted.text[from..].find('\n').map_or(emitted.text.len(), |it| from + it);
        comments.push((line_break, comment));
    });
    let mut text = String::with_capacity(emitted.text.len());
    if let Some(home) = home {
        let _ = writeln!(text, "# {}", harmless(&sources[home].path));
    }
    let mut written = 0;
    for (at, comment) in comments {
        text += &emitted.text[written..at];
        let _ = write!(text, " # {comment}");
        written = at;
    }
    text + &emitted.text[written..]
}

fn each_scalar<'a>(piece: &Piece<'a>, each: &mut dyn FnMut(&Piece<'a>)) {
    match &piece.parts {
        Parts::None => each(piece),
        Parts::Items(items) => items.iter().for_each(|it| each_scalar(it, each)),
        Parts::Entries(pairs) => pairs.iter().for_each(|it| each_scalar(&it.value, each)),
    }
}

/// Where a value was written, when that is not where it stands.
fn comment(sources: &Sources, node: &Node, home: Option<FileId>) -> Option<String> {
    if let Some(why) = node.unknown() {
        return Some(format!("unknown: {why}"));
    }
    let last = node.origin.last();
    match last.span {
        None => Some(last.via.id().replace('-', " ")),
        Some(span) if Some(span.file) == home && node.origin.steps().count() == 1 => None,
        Some(span) => {
            let Place { path, start, .. } = Place::of(sources, span);
            Some(format!("{path}:{}", start.line))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        tests::{fixture, place, roots},
        tree::{Origin, Via},
    };

    fn sources() -> Sources {
        fixture(
            "
            //- a.yaml
            metadata: {name: a}
            spec:
              b: ${B}
              c: 1
              d: ''
            //- b.env
            B=|
            ",
        )
    }

    fn object(sources: &Sources) -> Node {
        let mut root = roots(sources, "a.yaml").remove(0);
        let variable = place(sources, "b.env", "|");
        let spec = root.as_map_mut().and_then(|it| it.get_mut("spec")).expect("spec");
        let spec = spec.as_map_mut().expect("a map");
        let filled = spec.get("b").expect("b").origin.filled(Via::Substituted, &variable);
        spec.set("b", Node::new("one\ntwo\n", filled.clone()));
        spec.set("d", Node::new("word ".repeat(30), filled));
        spec.set("e", Node::unknown_value("nobody knows", &variable));
        spec.set("f", Node::new("25%", Origin::at(Via::KubernetesDefault, None)));
        root
    }

    #[test]
    fn comments_do_not_change_what_is_printed() {
        let sources = sources();
        let object = object(&sources);
        let plain = render_yaml(&sources, &[&object, &object], false);
        let text = render_yaml(&sources, &[&object, &object], true);
        insta::assert_snapshot!(text);
        let read = |text: String| {
            let sources = Sources::in_memory([("x", text)]);
            roots(&sources, "x").iter().map(Node::to_json).collect::<Vec<_>>()
        };
        assert_eq!(read(text), read(plain));
    }

    #[test]
    fn pointers_lead_to_origins() {
        let sources = sources();
        let json = render_json(&sources, &[&object(&sources)], &[], true);
        let json: Json = serde_json::from_str(&json).expect("it is JSON");
        let steps = &json["origins"][0]["/spec/b"];
        assert_eq!(steps[0]["via"], "substituted");
        assert_eq!(steps[1]["file"], "b.env");
        assert_eq!(json["objects"][0]["spec"]["e"], "<unknown>");
    }
}
