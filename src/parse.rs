//! From text to trees: YAML, YAML inside YAML, and env files.

mod comments;
pub(crate) mod env;
mod outline;
mod partly;
mod quotes;
pub(crate) mod stand_in;
mod template;
mod yaml;

pub(crate) use comments::{comments, in_quotes};
pub(crate) use outline::outline;
pub(crate) use partly::{legible, lines, unknown_lines};
pub(crate) use template::ReadAsTemplate;

use std::ops::Range;

use crate::{
    scalar::{Dialect, Scalar, Style},
    source::{self, FileId, KeptByText, Sources, Span},
    tree::{Kind, Node, Origin},
};

/// The documents of a YAML stream, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Documents {
    /// Empty for a stream without documents.
    pub list: Vec<Document>,
    /// That they are read around the marks of a template.
    pub template: Option<ReadAsTemplate>,
}

/// One document.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    /// What it holds, or where and why it cannot be read.
    pub root: Result<Node, SyntaxError>,
    /// Keys that appear again in their mapping, where they appear again.
    pub repeated: Vec<Span>,
}

/// Text that is not YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    /// What is wrong, without a position.
    pub message: String,
    /// Where, unless the text stands in no file; may be empty.
    pub span: Option<Span>,
    /// What to do, where that is not to correct it.
    pub help: Option<&'static str>,
    /// Whether it is half of a template, which need not be YAML.
    pub template: bool,
    /// Whether it may well be YAML, of which there is more than is read.
    pub cut: bool,
}

impl Documents {
    /// One document, which is read already.
    pub(crate) fn of(root: Node) -> Self {
        Self { list: vec![Document { root: Ok(root), repeated: Vec::new() }], template: None }
    }

    /// The documents that hold something: neither broken nor empty.
    pub(crate) fn roots(&self) -> impl Iterator<Item = &Node> {
        self.list.iter().filter_map(|it| it.root.as_ref().ok()).filter(|root| !root.is_null())
    }

    /// The first thing that is wrong.
    pub(crate) fn error(&self) -> Option<&SyntaxError> {
        self.list.iter().find_map(|it| it.root.as_ref().err())
    }
}

/// Parses the whole text of a file. Never fails: what is broken is in the result.
pub(crate) fn documents(text: &str, file: FileId, dialect: Dialect) -> Documents {
    let whole = Span::new(file, 0..text.len());
    let (text, shift) = match text.strip_prefix('\u{feff}') {
        Some(rest) => (rest, 3),
        None => (text, 0),
    };
    yaml::parse(
        text,
        yaml::ScalarPlace::new(Origin::written(whole), yaml::Offsets::Shift(shift)),
        dialect,
    )
}

/// The documents of a text that stands in no file: the spans of their nodes are bytes of the text,
/// and the file of these means nothing.
pub(crate) fn offsets(text: &str, dialect: Dialect) -> Documents {
    documents(text, FileId::NONE, dialect)
}

/// [`documents`] of the file at `path`; of a template, what can be read of it without evaluating it.
pub(crate) fn file(path: &str, text: &str, file: FileId, dialect: Dialect) -> Documents {
    let documents = documents(text, file, dialect);
    let mut read = match documents.error().is_some() || template::is_hidden(path, text) {
        true => template::read(path, text, file, dialect).unwrap_or(documents),
        false => documents,
    };
    if template::is_named(path) {
        // Nobody reads it as it is written: what it makes may be all right.
        for document in &mut read.list {
            document.repeated.clear();
            if let Err(error) = &mut document.root
                && !error.template
            {
                error.template = true;
                error.help = None;
                error.message = format!("{path} is a template, which is not evaluated");
            }
        }
    }
    read
}

/// The documents of a template as each of the sides of its conditions makes them; none where it has
/// none.
pub(crate) fn sides(sources: &Sources, file: FileId, dialect: Dialect) -> Vec<Documents> {
    template::sides(&sources[file].path, sources.text(file), file, dialect)
}

/// The whole text of a file as one string, for what is no YAML yet.
pub(crate) fn whole(sources: &Sources, file: FileId) -> Node {
    let text = sources.text(file);
    let span = Span { file, start: 0, end: u32::try_from(text.len()).unwrap_or(u32::MAX) };
    let scalar = Scalar { text: text.into(), style: Style::Literal, tag: None };
    Node::new(scalar, Origin::written(span))
}

/// Parses a string that is itself YAML: a block scalar, a file that a ConfigMap holds. What is a tree
/// already, where others write a text, is the one document; so is what is unknown, but for a text of
/// which parts are known.
///
/// Every inner node has its exact bytes in the outer file where the notation allows that (blocks
/// after `|`, quotes without escapes, whole files), else the whole scalar's.
pub(crate) fn embedded(sources: &Sources, node: &Node, dialect: Dialect) -> Documents {
    match &node.kind {
        Kind::Scalar(scalar) => yaml::parse(&scalar.text, place_of(sources, node, scalar), dialect),
        _ => partly::documents(node, dialect).unwrap_or_else(|| Documents::of(node.clone())),
    }
}

/// [`embedded`], of another text of the same length that stands for the scalar's.
///
/// What cannot be parsed yet, such as the expressions of a template, is masked by it.
pub(crate) fn masked(sources: &Sources, node: &Node, text: &str, dialect: Dialect) -> Documents {
    let Some(scalar) = node.as_scalar() else { return Documents::default() };
    yaml::parse(text, place_of(sources, node, scalar), dialect)
}

/// The origin of some of a scalar's text, given as bytes of the text: exact where [`embedded`] is.
pub(crate) fn part(sources: &Sources, node: &Node, range: Range<usize>) -> Origin {
    parts(sources, node)(range)
}

/// [`part`] for any range of a scalar's text.
pub(crate) fn parts(sources: &Sources, node: &Node) -> impl Fn(Range<usize>) -> Origin {
    let place = node.as_scalar().map(|scalar| place_of(sources, node, scalar));
    let whole = node.origin.clone();
    move |range| {
        let span = place.as_ref().and_then(|it| it.span(range.start, range.end));
        span.map_or_else(|| whole.clone(), |span| whole.moved(span))
    }
}

fn place_of(sources: &Sources, node: &Node, scalar: &Scalar) -> yaml::ScalarPlace {
    if let Some((text, starts)) = partly::joined(node.origin.texts(), || None)
        && *text == *scalar.text
    {
        let offsets = yaml::Offsets::Texts(scalar.text.clone(), starts);
        return yaml::ScalarPlace::new(node.origin.clone(), offsets);
    }
    let offsets = node
        .origin
        .written_at()
        .map_or(yaml::Offsets::Whole, |span| kept_offsets(sources, span, scalar));
    yaml::ScalarPlace::new(node.origin.clone(), offsets)
}

/// [`offsets_of`] of a scalar that is written at `span`, kept for the next part that somebody asks for: to
/// compare a whole script for each of its words takes long.
fn kept_offsets(sources: &Sources, span: Span, scalar: &Scalar) -> yaml::Offsets {
    let found = || offsets_of(sources.slice(span), span.start, &scalar.text, scalar.style);
    if scalar.text.len() < SHORT {
        return found();
    }
    sources.keep(|_| KeptByText::<yaml::Offsets>::default()).get_or(span, &scalar.text, 1, found)
}

/// To find where a shorter text stands takes no longer than to remember it.
const SHORT: usize = 256;

/// Where the bytes of a decoded scalar stand in the source text that it was decoded from.
fn offsets_of(source: &str, start: u32, text: &str, style: Style) -> yaml::Offsets {
    let shift = |by: usize| yaml::Offsets::Shift(start + u32::try_from(by).unwrap_or(0));
    let is_quoted = style.is_quoted();
    // What is not quoted has no escapes: folding makes it shorter, or turns a line break into a blank.
    if source.len() == text.len() && !is_quoted || source == text {
        return shift(0);
    }
    if is_quoted {
        let inner = source.get(1..source.len().saturating_sub(1));
        return if inner == Some(text) { shift(1) } else { yaml::Offsets::Whole };
    }
    let lines = lines_of(source, start, text);
    lines.map_or(yaml::Offsets::Whole, |it| yaml::Offsets::Lines(it.into()))
}

/// Where in `block`, which `scalar` is written as, each of its lines starts, unless these are folded or
/// escaped.
pub(crate) fn lines_in(block: &str, scalar: &Scalar) -> Option<Vec<usize>> {
    match offsets_of(block, 0, &scalar.text, scalar.style) {
        yaml::Offsets::Lines(lines) => Some(lines.iter().map(|(_, at)| *at as usize).collect()),
        yaml::Offsets::Shift(by) => {
            let lines = source::lines(&scalar.text).map(|(at, _)| at + by as usize);
            Some(lines.collect())
        }
        _ => None,
    }
}

/// The start of each line of `text`, in `text` and in the file, when every line of `text` is the
/// end of the same line of `source`: what a literal block is once its indentation is gone.
fn lines_of(source: &str, start: u32, text: &str) -> Option<Vec<(u32, u32)>> {
    let mut lines = Vec::new();
    let (mut inner, mut outer) = (0_usize, 0_usize);
    let mut source_lines = source.split('\n');
    for line in text.split('\n') {
        let Some(whole) = source_lines.next() else {
            // The text may end with line breaks that the block's span leaves out.
            let rest = text.get(inner..).unwrap_or_default();
            return rest.bytes().all(|it| it == b'\n').then_some(lines);
        };
        let bare = whole.strip_suffix('\r').unwrap_or(whole);
        let indent = bare.strip_suffix(line)?;
        if !indent.bytes().all(|byte| byte == b' ') {
            return None;
        }
        let at = start as usize + outer + indent.len();
        lines.push((u32::try_from(inner).ok()?, u32::try_from(at).ok()?));
        inner += line.len() + 1;
        outer += whole.len() + 1;
    }
    Some(lines)
}

/// Whether `node` is a document that SOPS encrypted: values are `ENC[…]`, `sops` holds the keys.
pub(crate) fn is_sops(node: &Node) -> bool {
    node.get("sops").is_some_and(|sops| {
        matches!(&sops.kind, Kind::Map(map) if map.get("mac").is_some() || map.get("version").is_some())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every node's span lies in the file, on character boundaries, and within its parent's.
    fn check(sources: &Sources, node: &Node, outer: Span) {
        let span = node.origin.written_at().expect("parsed nodes are written");
        assert!(span.start <= span.end && outer.start <= span.start && span.end <= outer.end);
        assert!(sources.text(span.file).get(span.range()).is_some());
        // An aliased node keeps the place of its anchor, outside of what refers to it.
        let all = Span {
            start: 0,
            end: u32::try_from(sources.text(span.file).len()).expect("small"),
            ..span
        };
        node.items().iter().for_each(|it| check(sources, it, all));
        node.entries().for_each(|(_, it)| check(sources, &it.value, all));
    }

    fn parses(text: &str) {
        let sources = Sources::in_memory([("a.yaml", text)]);
        let file = sources.find("a.yaml").expect("it is there");
        for dialect in [Dialect::Sigs, Dialect::Kyaml] {
            let whole = Span { file, start: 0, end: u32::try_from(text.len()).expect("small") };
            for root in
                sources.documents(file, dialect).list.iter().filter_map(|it| it.root.as_ref().ok())
            {
                check(&sources, root, whole);
                for (_, entry) in root.entries() {
                    for inner in embedded(&sources, &entry.value, dialect).roots() {
                        check(&sources, inner, whole);
                    }
                }
            }
            sources.documents(file, dialect).error();
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_parser(text in r"([a-c:\-#|>&*!'\[\]{},?%é ] ?|\n *|\r\n|\t|<<: |'|---\n){0,60}") {
            parses(&text);
        }
    }

    #[test]
    fn odd_texts() {
        for text in [
            "",
            "\u{feff}",
            "\0",
            "- - - -",
            "? ?",
            "a: *a",
            "a: &a [*a]",
            "|\n",
            "a: |",
            "a: |2\n  b",
            "a: >-\r\n  b\r\n",
        ] {
            parses(text);
        }
        parses(&"[".repeat(100_000));
        parses(&"- ".repeat(50_000));
    }
}
