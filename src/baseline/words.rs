//! What is written at a place, told apart from what stands around it.

use crate::{
    parse,
    scalar::{Dialect, Style},
    source::{self, Sources, Span},
    tree::{Kind, Node},
};

/// More of a line than this does not tell it apart from others, in characters.
const LONGEST: usize = 200;

/// What an item of a list is called by, in the order of preference.
const NAMES: [&str; 6] = ["name", "metadata.name", "target.name", "path", "key", "type"];

/// What is written at `span`, whatever its neighbours are: the words of its line.
///
/// A list, a mapping or a block of text begins with another line as soon as something is put above what
/// is in it: it is known by the keys that lead to it. What shares its line with others, as in
/// `[a, b]`, is itself.
pub(super) fn words(sources: &Sources, span: Span) -> String {
    let words = match source::is_yaml(source::rendered(&sources[span.file].path)) {
        true => {
            let mut roots = sources.documents(span.file, Dialect::Sigs).roots();
            let is_about = |it: &&Node| {
                it.covers(span) || it.origin.written_at().is_some_and(|it| it.start == span.start)
            };
            roots.find(is_about).and_then(|it| below(sources, it, span, String::new()))
        }
        false => None,
    };
    let words = words.unwrap_or_else(|| line(sources, span));
    words.chars().take(LONGEST).collect()
}

/// What is written at `span` in the document `root`, to which `keys` lead; `None` if that is its line.
fn below(sources: &Sources, root: &Node, span: Span, mut keys: String) -> Option<String> {
    if !root.object_kind().is_empty() {
        keys += &format!("{}/{}", root.object_kind(), root.object_name());
    }
    let (mut node, mut own) = (root, None);
    while let Some((key, inner)) = inner(node, span) {
        let is_flow = node.origin.written_at().is_some_and(|it| is_flow(sources, it));
        let text = || sources.slice(span).split_whitespace().collect::<Vec<_>>().join(" ");
        own = is_flow.then(|| key.map_or_else(text, |key| format!("{key}: {}", text())));
        match key {
            Some(key) if keys.is_empty() => keys += key,
            Some(key) => keys += &format!(".{key}"),
            None => keys += &format!("[{}]", name(inner)),
        }
        node = inner;
    }
    let place = node.origin.written_at()?;
    let is_all = place.start == span.start && span.end >= place.end;
    match &node.kind {
        // The marks of a template make the end of a list uncertain, and nothing is in front of it.
        Kind::List(_) if is_all || place.start == span.start => Some(keys),
        Kind::Map(_) if is_all => Some(keys),
        Kind::List(_) | Kind::Map(_) => {
            let key = node.entries().any(|(_, it)| it.key == Some(span));
            (key && is_flow(sources, place)).then(|| sources.slice(span).to_owned())
        }
        Kind::Scalar(it) if matches!(it.style, Style::Literal | Style::Folded) => {
            if is_all {
                return Some(keys);
            }
            let documents = parse::embedded(sources, node, Dialect::Sigs);
            let within = documents.roots().find(|it| it.covers(span) && it.as_scalar().is_none());
            within.and_then(|it| below(sources, it, span, keys))
        }
        Kind::Scalar(_) => own,
        Kind::Unknown(_) => None,
    }
}

/// The value in `node` that covers `span`, and its key, unless it is an item.
fn inner(node: &Node, span: Span) -> Option<(Option<&str>, &Node)> {
    let item = node.items().iter().find(|it| it.covers(span)).map(|it| (None, it));
    let entry = || node.entries().find(|(_, it)| it.value.covers(span));
    let found = item.or_else(|| entry().map(|(key, it)| (Some(key), &it.value)));
    // Where all of a text is the place of everything in it, nobody can tell.
    found.filter(|(_, it)| it.origin.written_at() != node.origin.written_at())
}

fn is_flow(sources: &Sources, place: Span) -> bool {
    sources.slice(place).starts_with(['[', '{'])
}

fn name(item: &Node) -> &str {
    NAMES.iter().find_map(|it| item.str_at(it)).unwrap_or_default()
}

/// The words of the line at which `span` starts. Of a very long one, as whole files are that programs
/// write, only what the span covers: the rest is about other things.
fn line(sources: &Sources, span: Span) -> String {
    let whole = sources.line(span.file, sources.start(span).line);
    let text = if whole.chars().nth(LONGEST).is_some() { sources.slice(span) } else { whole };
    // In quotes it may be no comment, and what differs behind it is another line.
    let text = match text.split_once(" #") {
        Some((before, _)) if !before.contains(['"', '\'']) => before,
        _ => text,
    };
    let mut words = text.split_whitespace().peekable();
    // Which of its keys an item begins with says nothing.
    while words.next_if_eq(&"-").is_some() {}
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words at `«…»` of a file.
    fn at(path: &str, marked: &str) -> String {
        let (start, rest) = marked.split_once('«').expect("a start");
        let (inner, _) = rest.split_once('»').expect("an end");
        let text = marked.replace(['«', '»'], "");
        let sources = Sources::in_memory([(path, &*text)]);
        let file = sources.find(path).expect("it is there");
        words(&sources, Span::new(file, start.len()..start.len() + inner.len()))
    }

    fn of(marked: &str) -> String {
        at("a.yaml", marked)
    }

    #[test]
    fn one_value_is_its_line() {
        assert_eq!(of("a:\n  b:   «1»  # why\n"), "b: 1");
        assert_eq!(of("a:\n- «x y»\n"), "x y");
        assert_eq!(of("- «b»: 1\n  a: 2\n"), "b: 1");
        assert_eq!(of("- a: 2\n  «b»: 1\n"), "b: 1");
        assert_eq!(at("a.env", "X=«1»\n"), "X=1");
    }

    #[test]
    fn what_begins_with_another_is_the_keys_that_lead_to_it() {
        let list = "kind: Deployment\nmetadata: {name: m}\nspec:\n- name: c\n  args:\n";
        // With and without an item above, indented and not.
        for items in ["    «- x»\n", "    «- y\n    - x»\n", "  «- x»\n", "  «- y\n  - x»\n"]
        {
            assert_eq!(of(&format!("{list}{items}")), "Deployment/m.spec[c].args", "{items}");
        }
        assert_eq!(of("a:\n  b:\n    «c: 1\n    d: 2»\n"), "a.b");
        assert_eq!(of("a:\n  b: |\n    «first\n    second»\n"), "a.b");
        assert_eq!(of("«kind: A\nmetadata: {name: b}\nx: 1»\n"), "A/b");
        assert_eq!(of("a:\n- «x: 1\n  y: 2»\n"), "a[]");
    }

    #[test]
    fn what_shares_its_line_is_itself() {
        assert_eq!(of("a: [x, «y», z]\n"), "y");
        assert_eq!(of("a: {x: 1, b: «2», z: 3}\n"), "b: 2");
        assert_eq!(of("a: {x: 1, «b»: 2}\n"), "b");
        assert_eq!(of("a: «[x, y]»\n"), "a");
        assert_eq!(at("a.json", "{\n \"a\": {\n  \"b\": «1»,\n  \"c\": 2\n }\n}\n"), "b: 1");
    }

    #[test]
    fn texts_that_are_yaml_are_looked_into() {
        let text = "kind: ConfigMap\nmetadata: {name: m}\ndata:\n  values.yaml: |\n    args:\n";
        assert_eq!(of(&format!("{text}    «- x\n    - y»\n")), "ConfigMap/m.data.values.yaml.args");
        assert_eq!(of(&format!("{text}    - x\n    - «y»\n")), "y");
        assert_eq!(
            of("run: |\n  a\n  «helm upgrade m x/m \\\n  -f y»\n  b\n"),
            "helm upgrade m x/m \\"
        );
    }

    #[test]
    fn what_cannot_be_read_is_its_line() {
        assert_eq!(of("a: [«b»\n"), "a: [b");
        assert_eq!(of("«»"), "");
    }
}
