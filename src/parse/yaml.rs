//! granit-parser's events to our trees. Only this module and `comments` know the parser.

use std::{borrow::Cow, collections::BTreeMap, ops::Range, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, StrInput};

use crate::{
    parse::{
        Document, Documents, SyntaxError,
        quotes::{self, Widened},
    },
    scalar::{self, Dialect, Scalar, Style, Tag, Value},
    source::Span,
    tree::{Entry, Kind, Map, Node, Origin},
};

/// Go refuses a document when aliases make most of it; all of a stream may at most grow to this many
/// nodes.
const MAX_NODES: usize = 1_000_000;

/// How many nodes a document takes as much room as, beside those that it has.
const DOCUMENT: usize = 4;

/// Nodes that aliases may add beyond ten times what is written (`decode.go` of go-yaml is alike).
const MAX_ALIASED: usize = 100_000;

/// How a stream's own offsets become places in a file.
pub(super) struct ScalarPlace {
    /// What every node's origin is, up to the span of its last step.
    origin: Origin,
    offsets: Offsets,
    /// What the text is read as instead.
    widened: Option<Widened>,
}

/// How offsets into the parsed text become offsets into the file.
#[derive(Clone)]
pub(super) enum Offsets {
    /// By adding.
    Shift(u32),
    /// By line: the start of each line in the text and in the file.
    Lines(Arc<[(u32, u32)]>),
    /// By the texts that this one is put together from: where each starts, and its way.
    Texts(Arc<str>, Vec<(usize, Origin)>),
    /// Not at all: everything stands for the whole.
    Whole,
}

impl ScalarPlace {
    pub(super) fn new(origin: Origin, offsets: Offsets) -> Self {
        Self { origin, offsets, widened: None }
    }

    pub(super) fn span(&self, start: usize, end: usize) -> Option<Span> {
        let whole = self.origin.written_at()?;
        let (start, end) = self.before(start, end);
        let (start, end) = match &self.offsets {
            Offsets::Whole => return Some(whole),
            Offsets::Texts(text, texts) => return of_texts(text, texts, start..end).written_at(),
            Offsets::Shift(by) => (narrow(start) + by, narrow(end) + by),
            Offsets::Lines(lines) => {
                let at = |offset: usize| {
                    let offset = narrow(offset);
                    let line = lines.partition_point(|(inner, _)| *inner <= offset);
                    let (inner, outer) =
                        line.checked_sub(1).map_or((0, whole.start), |at| lines[at]);
                    (outer + (offset - inner)).min(whole.end)
                };
                (at(start), at(end))
            }
        };
        Some(Span { file: whole.file, start, end: end.max(start) })
    }

    /// Where these bytes of the text that is read stand in the one that is written.
    fn before(&self, start: usize, end: usize) -> (usize, usize) {
        let before = |at| self.widened.as_ref().map_or(at, |it| it.before(at));
        (before(start), before(end))
    }

    fn origin(&self, start: usize, end: usize) -> Origin {
        if let Offsets::Texts(text, texts) = &self.offsets {
            let (start, end) = self.before(start, end);
            return of_texts(text, texts, start..end);
        }
        match self.span(start, end) {
            Some(span) => self.origin.moved(span),
            None => self.origin.clone(),
        }
    }
}

/// The way of what stands at `range` of `text`, which is put together from `texts`: that of the text that it
/// is in. Of several on one line that of what was filled in, which has the longer way, and of several lines that
/// of the first.
fn of_texts(text: &str, texts: &[(usize, Origin)], range: Range<usize>) -> Origin {
    let first = texts.partition_point(|(at, _)| *at <= range.start).saturating_sub(1);
    let beyond = texts.partition_point(|(at, _)| *at < range.end).max(first + 1);
    let is_of_lines = text.get(range.clone()).is_some_and(|it| it.contains('\n'));
    let several = first + 1 < beyond && !is_of_lines;
    let on_line = if several { first..beyond } else { first..first + 1 };
    let length = |index: &usize| texts[*index].1.steps().count();
    let found = on_line.min_by_key(|it| std::cmp::Reverse(length(it))).unwrap_or(first);
    let (at, origin) = &texts[found];
    let end = texts.get(found + 1).map_or(text.len(), |(next, _)| *next);
    let own = text.get(*at..end).unwrap_or_default().trim_end_matches('\n');
    match origin.written_at() {
        // As it is written there.
        Some(span) if span.range().len() == own.len() => {
            let start = range.start.clamp(*at, end);
            let inner = start - at..range.end.clamp(*at, at + own.len()) - at;
            origin.moved(span.part(inner.start..inner.end.max(inner.start)))
        }
        _ => origin.clone(),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "files are under MAX_FILE bytes")]
fn narrow(offset: usize) -> u32 {
    offset as u32
}

pub(super) fn parse(text: &str, mut place: ScalarPlace, dialect: Dialect) -> Documents {
    let (mut documents, mut lacks) = read(text, text, &place, dialect, None);
    if documents.error().is_some()
        && let Some((marked, mark)) = marked(text)
    {
        return read(&marked, text, &place, dialect, Some(mark)).0;
    }
    while let Some(error) = lacks {
        let widened = place.widened.get_or_insert_with(|| Widened::new(text));
        if !widened.widen(&error) {
            break;
        }
        let Some(Widened { text, .. }) = &place.widened else { break };
        (documents, lacks) = read(text, text, &place, dialect, None);
    }
    documents
}

/// `text` with another mark for aliases that are keys, `*name: `: a character that it has nowhere, as
/// long. To YAML 1.2 their colon belongs to the name, and to go-yaml none does (`yaml_parser_scan_anchor`
/// of its `scannerc.go`). `None` where there are none.
fn marked(text: &str) -> Option<(String, char)> {
    let mark = ['~', '^', ';', '_', 'Z', 'Q', 'X'].into_iter().find(|it| !text.contains(*it))?;
    let is_name = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-');
    let (mut marked, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once('*') {
        let past = after.trim_start_matches(is_name);
        let value = past.strip_prefix(':').filter(|_| past.len() < after.len());
        let is_key =
            value.is_some_and(|it| it.is_empty() || it.starts_with([' ', '\t', '\n', '\r']));
        marked.push_str(before);
        marked.push(if is_key { mark } else { '*' });
        rest = after;
    }
    marked.push_str(rest);
    marked.contains(mark).then_some((marked, mark))
}

/// The documents of `source`, which is read as `text`: the same, or with a `mark` what [`marked`] made of
/// it; and the first error that is none to go-yaml.
fn read(
    text: &str,
    source: &str,
    place: &ScalarPlace,
    dialect: Dialect,
    mark: Option<char>,
) -> (Documents, Option<ScanError>) {
    let mut options = granit_parser::options! { emit_unresolved_aliases: true };
    options.set_emit_comments(false);
    let mut parser = Parser::new_from_str_with_options(text, options);
    let (mut list, mut written, mut lacks) = (Vec::new(), 0, None);
    loop {
        match parser.next_event() {
            None | Some(Ok((Event::StreamEnd, _))) => break,
            Some(Ok((Event::DocumentStart(..), _))) => {
                written += DOCUMENT;
                let new = Builder::new(source, place, dialect);
                let builder = Builder { before: written, mark, ..new };
                let (document, after) = builder.document(&mut parser, &mut lacks);
                let broken = document.root.is_err();
                list.push(document);
                written = after;
                if written > MAX_NODES {
                    break;
                }
                if broken && !matches!(parser.proceed_next_document(), Ok(true)) {
                    break;
                }
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                list.push(Document {
                    root: Err(syntax_error(&error, place)),
                    repeated: Vec::new(),
                });
                lacks = lacks.or_else(|| quotes::is_read(&error).then_some(error));
                if !matches!(parser.proceed_next_document(), Ok(true)) {
                    break;
                }
            }
        }
    }
    (Documents { list, template: None }, lacks)
}

/// What helps where the marks of a template are taken for YAML.
const IF_TEMPLATE: &str = "if it is a template of YAML, name it in `exclude` of the configuration";

fn syntax_error(error: &ScanError, place: &ScalarPlace) -> SyntaxError {
    let at = error.marker().byte_offset().unwrap_or(0);
    let kind = error.kind();
    // What engines of templates mark is no text of YAML; not all of their marks are known here.
    let is_mark = matches!(
        kind,
        ErrorKind::UnclosedFlowCollection { .. }
            | ErrorKind::MismatchedFlowCollectionEnd { .. }
            | ErrorKind::MisplacedFlowCollectionEnd
            | ErrorKind::UnexpectedCharacter { .. }
            | ErrorKind::ExpectedFlowMappingSeparator
            | ErrorKind::ExpectedFlowSequenceSeparator
    );
    SyntaxError {
        message: words(kind),
        span: place.span(at, at),
        help: is_mark.then_some(IF_TEMPLATE),
        template: false,
        cut: false,
    }
}

/// What is wrong, in words that do not speak of the parser.
fn words(kind: &ErrorKind) -> String {
    let words = match kind {
        ErrorKind::UnclosedFlowCollection { open } => return format!("`{open}` is never closed"),
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            return format!("`{open}` is closed by `{close}`");
        }
        ErrorKind::UnexpectedCharacter { character } => {
            let character = character.escape_default();
            return format!("a value that begins with `{character}` needs quotes");
        }
        ErrorKind::MisplacedFlowCollectionEnd => "this closes no bracket",
        ErrorKind::ExpectedFlowMappingSeparator => "`,` or `}` is missing before this",
        ErrorKind::ExpectedFlowSequenceSeparator => "`,` or `]` is missing before this",
        ErrorKind::ExpectedBlockMappingKey => {
            "a key should stand here, indented like those of its mapping"
        }
        ErrorKind::ExpectedBlockSequenceEntry => {
            "an item with `-` should stand here, indented like those of its list"
        }
        ErrorKind::InvalidIndentation | ErrorKind::InvalidFlowScalarIndent => {
            "this is indented like nothing above it"
        }
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart => "a tab indents this: YAML takes spaces only",
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => "a key without its `:`",
        ErrorKind::MappingValueNotAllowed => "`: ` in a value needs quotes around it",
        ErrorKind::MappingKeyNotAllowed => "no key can stand here",
        ErrorKind::BlockSequenceEntryNotAllowed | ErrorKind::BlockEntryInFlowCollection => {
            "no item with `-` can stand here"
        }
        ErrorKind::UnclosedQuotedScalar | ErrorKind::DocumentIndicatorInQuotedScalar => {
            "this quote is never closed"
        }
        ErrorKind::InvalidTrailingSingleQuotedScalar
        | ErrorKind::InvalidTrailingDoubleQuotedScalar => "only a comment can follow a quoted text",
        ErrorKind::UnknownQuotedScalarEscape => {
            "no escape of YAML; in single quotes it means itself"
        }
        ErrorKind::InvalidBlockScalarIndent => "this line is indented less than its block",
        ErrorKind::RecursionLimitExceeded => "this is nested too deeply",
        ErrorKind::ExpectedNodeContent => "a value is missing here",
        ErrorKind::ExpectedDocumentStart => "this belongs to nothing above it",
        other => return format!("not YAML here: {other}"),
    };
    words.to_owned()
}

/// Builds one document from events, without recursion.
struct Builder<'a> {
    text: &'a str,
    place: &'a ScalarPlace,
    dialect: Dialect,
    stack: Vec<Frame>,
    root: Option<Built>,
    /// Anchored nodes by the parser's identifier.
    anchors: Vec<(usize, Built)>,
    /// What stands for the mark of aliases that are keys.
    mark: Option<char>,
    /// Anchored scalars by name, where there is such a mark.
    names: BTreeMap<&'a str, Built>,
    repeated: Vec<Span>,
    /// How many nodes are written in the documents before.
    before: usize,
    written: usize,
    aliased: usize,
    error: Option<SyntaxError>,
}

/// A finished node, where it ends in the text, and how many nodes it is with all in it.
#[derive(Clone)]
struct Built {
    node: Node,
    start: usize,
    end: usize,
    size: usize,
}

struct Frame {
    start: usize,
    end: usize,
    size: usize,
    anchor: usize,
    children: Children,
}

enum Children {
    List(Vec<Node>),
    Map { map: Map, merged: Vec<Arc<str>>, key: Option<Key> },
}

enum Key {
    Plain(Arc<str>, Option<Span>),
    Merge,
}

impl<'a> Builder<'a> {
    fn new(text: &'a str, place: &'a ScalarPlace, dialect: Dialect) -> Self {
        Self {
            text,
            place,
            dialect,
            stack: Vec::new(),
            root: None,
            anchors: Vec::new(),
            mark: None,
            names: BTreeMap::new(),
            repeated: Vec::new(),
            before: 0,
            written: 0,
            aliased: 0,
            error: None,
        }
    }

    /// The document, and how many nodes are written up to its end.
    fn document<'b>(
        mut self,
        parser: &mut Parser<'b, StrInput<'b>>,
        lacks: &mut Option<ScanError>,
    ) -> (Document, usize) {
        loop {
            match parser.next_event() {
                None | Some(Ok((Event::DocumentEnd | Event::StreamEnd, _))) => break,
                Some(Ok((event, span))) => {
                    let start = span.start.byte_offset().unwrap_or(0);
                    let end = span.end.byte_offset().unwrap_or(start);
                    self.event(event, start, end);
                    if self.error.is_some() {
                        break;
                    }
                }
                Some(Err(error)) => {
                    self.error = Some(syntax_error(&error, self.place));
                    if lacks.is_none() && quotes::is_read(&error) {
                        *lacks = Some(error);
                    }
                    break;
                }
            }
        }
        let root = match (self.error, self.root) {
            (Some(error), _) => Err(error),
            (None, Some(built)) => Ok(built.node),
            (None, None) => Ok(Node::new(Scalar::plain(""), self.place.origin.clone())),
        };
        (Document { root, repeated: self.repeated }, self.before + self.written)
    }

    fn event(&mut self, event: Event<'_>, start: usize, end: usize) {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_plain = style == ScalarStyle::Plain;
                let is_alias = is_plain && self.mark.is_some_and(|it| text.starts_with(it));
                if is_alias && self.text.get(start..).is_some_and(|it| it.starts_with('*')) {
                    let name = &text[1..];
                    return match self.names.get(name).cloned() {
                        Some(built) => self.alias(Built { start, end, ..built }),
                        None => self.no_anchor(name, start, end),
                    };
                }
                let built = self.scalar(&text, style, tag.as_deref(), start, end);
                if let Some(name) = self.anchor_before(start).filter(|_| anchor != 0) {
                    self.names.insert(name, built.clone());
                }
                self.push(built, anchor);
            }
            Event::SequenceStart(_, anchor, _) => {
                self.open(self.first_dash(start), end, anchor, Children::List(Vec::new()));
            }
            Event::MappingStart(_, anchor, _) => {
                let children = Children::Map { map: Map::default(), merged: Vec::new(), key: None };
                self.open(start, end, anchor, children);
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(start, end),
            Event::Alias(anchor) => match self.anchors.iter().rev().find(|(id, _)| *id == anchor) {
                Some((_, built)) => self.alias(Built { start, end, ..built.clone() }),
                None => self.fail("this alias stands inside the value it refers to", start, end),
            },
            Event::UnresolvedAlias(name) => {
                self.no_anchor(&name, start, end);
            }
            _ => {}
        }
    }

    /// Adds what an alias stands for.
    fn alias(&mut self, built: Built) {
        self.aliased += built.size;
        if self.aliased > MAX_ALIASED.max(10 * self.written) {
            let message = "aliases expand to more than a document may hold";
            self.fail(message, built.start, built.end);
        } else {
            self.push(built, 0);
        }
    }

    fn no_anchor(&mut self, name: &str, start: usize, end: usize) {
        self.fail(&format!("there is no anchor `&{name}` before this alias"), start, end);
    }

    /// The name of the anchor of the scalar at `start`, where names are asked for.
    fn anchor_before(&self, start: usize) -> Option<&'a str> {
        self.mark?;
        let before = self.text.get(..start)?.trim_end();
        let line = before.rfind('\n').map_or(before, |at| &before[at..]);
        // A tag may stand between the two.
        let mut words = line.rsplit([' ', '\t', '\n', '[', '{', ',']).take(2);
        words.find_map(|it| it.strip_prefix('&'))
    }

    fn fail(&mut self, message: &str, start: usize, end: usize) {
        let span = self.place.span(start, end);
        self.error = Some(SyntaxError {
            message: message.into(),
            span,
            help: None,
            template: false,
            cut: false,
        });
    }

    /// Where a list starts that the parser says to start at `start`: of one that is not indented below
    /// its key that is its first item, not the dash before that.
    fn first_dash(&self, start: usize) -> usize {
        let (before, after) = self.text.split_at_checked(start).unwrap_or_default();
        let is_dash = |it: &str| {
            it.starts_with('[')
                || matches!(it.as_bytes(), [b'-', b' ' | b'\t' | b'\r' | b'\n', ..] | b"-")
        };
        let before = before.trim_end();
        if !is_dash(after) && before.ends_with('-') { before.len() - 1 } else { start }
    }

    fn open(&mut self, start: usize, end: usize, anchor: usize, children: Children) {
        self.stack.push(Frame { start, end, size: 1, anchor, children });
    }

    fn close(&mut self, start: usize, end: usize) {
        let Some(frame) = self.stack.pop() else { return };
        // A flow collection ends with its bracket, a block one with its last child.
        let closes = self.text.get(start..end).is_some_and(|it| matches!(it, "]" | "}"));
        let end = if closes { end } else { frame.end };
        let kind: Kind = match frame.children {
            Children::List(items) => items.into(),
            Children::Map { map, .. } => map.into(),
        };
        let node = Node::new(kind, self.place.origin(frame.start, end));
        self.push(Built { node, start: frame.start, end, size: frame.size }, frame.anchor);
    }

    fn scalar(
        &self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&granit_parser::Tag>,
        start: usize,
        end: usize,
    ) -> Built {
        let mut text = match self.mark.filter(|it| text.contains(*it)) {
            Some(mark) => Cow::Owned(text.replace(mark, "*")),
            None => Cow::Borrowed(text),
        };
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::SingleQuoted,
            ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
            ScalarStyle::Literal => Style::Literal,
            ScalarStyle::Folded => Style::Folded,
        };
        if style == Style::Plain && start == end {
            // The parser says `~` for nothing; kustomize tells the two apart.
            text = Cow::Borrowed("");
        }
        let mut end = end;
        if matches!(style, Style::Literal | Style::Folded) {
            // At the end of a file without a line break go-yaml adds none to a block.
            if end >= self.text.len() && !self.text.ends_with('\n') && text.ends_with('\n') {
                text = Cow::Owned(text[..text.len() - 1].to_owned());
            }
            let covered = self.text.get(start..end).unwrap_or_default();
            end = start + covered.trim_end_matches(['\n', '\r', ' ']).len();
        }
        let kind = match tag.map(known_tag) {
            Some(Tag::Binary) => decoded(&text, style),
            tag => Scalar { text: text.as_ref().into(), style, tag }.into(),
        };
        let node = Node::new(kind, self.place.origin(start, end));
        Built { node, start, end, size: 1 }
    }

    fn push(&mut self, built: Built, anchor: usize) {
        self.written += 1;
        if self.before + self.written > MAX_NODES {
            self.fail("nothing is read after a million values", built.start, built.end);
            if let Some(error) = &mut self.error {
                // Others read it.
                (error.template, error.cut) = (true, true);
            }
            return;
        }
        if anchor != 0 {
            self.anchors.push((anchor, built.clone()));
        }
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(built);
            return;
        };
        frame.end = frame.end.max(built.end);
        frame.size += built.size;
        match &mut frame.children {
            Children::List(items) => items.push(built.node),
            Children::Map { key: key @ None, .. } => {
                let span = self.place.span(built.start, built.end);
                match &built.node.kind {
                    Kind::Scalar(scalar) if is_merge(scalar) => *key = Some(Key::Merge),
                    Kind::Scalar(scalar) => {
                        let null = scalar::value(scalar, self.dialect) == Value::Null;
                        let text = scalar::key(scalar, self.dialect);
                        *key = Some(Key::Plain(text.into(), span));
                        if null && self.dialect == Dialect::Sigs {
                            self.fail("a key of a mapping is null", built.start, built.end);
                        }
                    }
                    _ => {
                        self.fail("a key of a mapping is not a scalar", built.start, built.end);
                        // As `{{ .Values.name }}` is to YAML.
                        if let Some(error) = &mut self.error {
                            error.help = Some(IF_TEMPLATE);
                        }
                    }
                }
            }
            Children::Map { map, merged, key } => match key.take() {
                Some(Key::Plain(name, span)) => {
                    let again = map.get(&name).is_some() && !merged.contains(&name);
                    if let (true, Some(span)) = (again, span) {
                        self.repeated.push(span);
                    }
                    merged.retain(|it| *it != name);
                    map.insert(name, Entry { key: span, value: built.node });
                }
                Some(Key::Merge) if !merge(map, merged, &built.node, self.dialect) => {
                    let message = "`<<` takes a mapping or a list of mappings";
                    self.fail(message, built.start, built.end);
                }
                Some(Key::Merge) | None => {}
            },
        }
    }
}

fn is_merge(scalar: &Scalar) -> bool {
    &*scalar.text == "<<"
        && scalar.style == Style::Plain
        && matches!(scalar.tag, None | Some(Tag::Merge))
}

/// Merges what `<<` names into `map`; `merged` is which of its keys came that way.
///
/// To go-yaml v3 a key that is written always wins. To v2 the later of the two wins.
fn merge(map: &mut Map, merged: &mut Vec<Arc<str>>, from: &Node, dialect: Dialect) -> bool {
    let maps: Vec<&Map> = match &from.kind {
        Kind::Map(map) => vec![map],
        // Of several, the first wins.
        Kind::List(items) => match items.iter().rev().map(Node::as_map).collect() {
            Some(maps) => maps,
            None => return false,
        },
        _ => return false,
    };
    for other in maps {
        for (key, (name, entry)) in other.keys().zip(other.iter()) {
            let written = map.get(name).is_some() && !merged.contains(key);
            if written && dialect == Dialect::Kyaml {
                continue;
            }
            merged.push(key.clone());
            map.insert(key.clone(), entry.clone());
        }
    }
    true
}

/// What `!!binary` says, which go-yaml reads as a string of the bytes; it refuses what is no base64, and
/// what is not UTF-8 is another text in JSON.
fn decoded(text: &str, style: Style) -> Kind {
    // As Go's decoder.
    let bare: String = text.chars().filter(|it| !matches!(it, '\n' | '\r')).collect();
    match STANDARD.decode(bare).map(String::from_utf8) {
        Ok(Ok(text)) => Scalar { text: text.into(), style, tag: Some(Tag::Str) }.into(),
        Ok(Err(_)) => Kind::Unknown("the bytes of this are not text in UTF-8".into()),
        Err(_) => Kind::Unknown("this is not base64".into()),
    }
}

fn known_tag(tag: &granit_parser::Tag) -> Tag {
    match tag.core_suffix() {
        Some("str") => Tag::Str,
        Some("int") => Tag::Int,
        Some("float") => Tag::Float,
        Some("bool") => Tag::Bool,
        Some("null") => Tag::Null,
        _ => match tag.suffix_in_namespace("tag:yaml.org,2002:").as_deref() {
            Some("binary") => Tag::Binary,
            Some("timestamp") => Tag::Timestamp,
            Some("merge") => Tag::Merge,
            _ => Tag::Other,
        },
    }
}
