//! From trees to YAML text, byte for byte as `sigs.k8s.io/yaml` writes it.
//!
//! That is go-yaml v2: the styles are decided as in its `encode.go`, the bytes written as in its
//! `emitterc.go` (keys sorted, lists not indented, plain text folded after column 80). Flux
//! substitutes variables in such text, so that its exact notation decides what a value becomes.

mod order;
mod style;

use std::{borrow::Cow, ops::Range};

use crate::{
    scalar::{self, Value},
    tree::{Kind, Map, Node},
};
use style::EmitStyle;

/// Text after this column is folded at the next space.
const WIDTH: usize = 80;

/// The spaces that one level is indented by.
const INDENT: usize = 2;

/// Longer keys are written after a `? `, as are keys of several lines.
const MAX_SIMPLE_KEY: usize = 128;

/// What stands for a value that is unknown, as in the tables of `kubectl`; a null would be a value.
pub(crate) const UNKNOWN: &str = "<unknown>";

/// A tree as text, and where in the text each of its values stands.
#[derive(Debug, Clone)]
pub(crate) struct Emitted<'a> {
    /// One YAML document that ends with a line break.
    pub text: String,
    /// The whole of it.
    pub root: Piece<'a>,
}

/// A value in the text.
#[derive(Debug, Clone)]
pub(crate) struct Piece<'a> {
    /// The value.
    pub node: &'a Node,
    /// Its bytes in the text, quotes included; those of a block from its `|` to its last line.
    pub range: Range<usize>,
    /// What it holds.
    pub parts: Parts<'a>,
}

/// What a value in the text holds.
#[derive(Debug, Clone)]
pub(crate) enum Parts<'a> {
    /// Nothing: a scalar, or what is unknown and stands as [`UNKNOWN`].
    None,
    /// Items, in order.
    Items(Vec<Piece<'a>>),
    /// Entries, in the order of the text, which is sorted by key.
    Entries(Vec<Pair<'a>>),
}

/// An entry of a mapping in the text.
#[derive(Debug, Clone)]
pub(crate) struct Pair<'a> {
    /// The key.
    pub key: &'a str,
    /// The key's bytes in the text.
    pub range: Range<usize>,
    /// The value.
    pub value: Piece<'a>,
}

/// `node` as one YAML document.
pub(crate) fn yaml(node: &Node) -> String {
    emit(node).text
}

/// `node` as one YAML document with a map of it.
pub(crate) fn emit(node: &Node) -> Emitted<'_> {
    let mut writer =
        Writer { text: String::new(), column: 0, indent: None, blank: true, fresh: true };
    let root = writer.node(node, false);
    writer.indent = None;
    writer.new_line();
    Emitted { text: writer.text, root }
}

/// The state of go-yaml's emitter that outlives a token.
struct Writer {
    text: String,
    /// In characters, from 0.
    column: usize,
    indent: Option<usize>,
    /// Whether white space, or nothing, was written last (`whitespace` upstream).
    blank: bool,
    /// Whether the line holds nothing but indentation and indicators (`indention` upstream).
    fresh: bool,
}

impl Writer {
    fn node<'a>(&mut self, node: &'a Node, in_map: bool) -> Piece<'a> {
        let (range, parts) = match &node.kind {
            Kind::List(items) if items.is_empty() => (self.indicator("[]"), Parts::None),
            Kind::List(items) => {
                let outer = self.indent;
                // A list in a mapping is as deep as its key.
                if !in_map || self.fresh {
                    self.deeper();
                }
                let pieces: Vec<_> = items
                    .iter()
                    .map(|item| {
                        self.new_line();
                        self.nesting_indicator("-");
                        self.node(item, false)
                    })
                    .collect();
                self.indent = outer;
                (hull(pieces.iter().map(|it| &it.range)), Parts::Items(pieces))
            }
            Kind::Map(map) if map.is_empty() => (self.indicator("{}"), Parts::None),
            Kind::Map(map) => {
                let outer = self.indent;
                self.deeper();
                let pairs: Vec<_> = sorted(map).map(|(key, node)| self.pair(key, node)).collect();
                self.indent = outer;
                (
                    hull(pairs.iter().flat_map(|it| [&it.range, &it.value.range])),
                    Parts::Entries(pairs),
                )
            }
            Kind::Unknown(_) => (self.scalar(UNKNOWN, EmitStyle::Plain, true), Parts::None),
            Kind::Scalar(scalar) => {
                let range = match typed(scalar::sigs(scalar)) {
                    Ok(text) => self.scalar(&text, EmitStyle::Plain, true),
                    Err(text) => self.scalar(text, style::scalar_style(text, false), true),
                };
                (range, Parts::None)
            }
        };
        Piece { node, range, parts }
    }

    fn pair<'a>(&mut self, key: &'a str, node: &'a Node) -> Pair<'a> {
        self.new_line();
        if key.len() <= MAX_SIMPLE_KEY && !key.contains(style::is_break) {
            let range = self.simple_key(key);
            self.put(":");
            (self.blank, self.fresh) = (false, false);
            let value = self.node(node, true);
            return Pair { key, range, value };
        }
        self.nesting_indicator("?");
        let range = self.scalar(key, style::scalar_style(key, false), true);
        self.new_line();
        self.nesting_indicator(":");
        let value = self.node(node, true);
        Pair { key, range, value }
    }

    fn simple_key(&mut self, key: &str) -> Range<usize> {
        self.scalar(key, style::scalar_style(key, true), false)
    }

    fn deeper(&mut self) {
        self.indent = Some(self.indent.map_or(0, |indent| indent + INDENT));
    }

    /// Starts a line at the indentation, unless the cursor is there already.
    fn new_line(&mut self) {
        let indent = self.indent.unwrap_or(0);
        if !self.fresh || self.column > indent || (self.column == indent && !self.blank) {
            self.text.push('\n');
            self.column = 0;
        }
        while self.column < indent {
            self.put(" ");
        }
        (self.blank, self.fresh) = (true, true);
    }

    /// `-`, `?` or `:` before a value that may go on in the same line.
    fn nesting_indicator(&mut self, indicator: &str) {
        self.space();
        self.put(indicator);
        (self.blank, self.fresh) = (false, self.fresh);
    }

    fn indicator(&mut self, indicator: &str) -> Range<usize> {
        self.space();
        let start = self.text.len();
        self.put(indicator);
        (self.blank, self.fresh) = (false, false);
        start..self.text.len()
    }

    fn space(&mut self) {
        if !self.blank {
            self.put(" ");
        }
    }

    fn put(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += text.chars().count();
    }

    fn put_char(&mut self, char: char) {
        self.text.push(char);
        self.column += 1;
    }

    /// Writes a scalar; `fold` says whether it may be broken into lines.
    fn scalar(&mut self, text: &str, style: EmitStyle, fold: bool) -> Range<usize> {
        let outer = self.indent;
        self.indent = Some(outer.unwrap_or(0) + INDENT);
        self.space();
        let start = self.text.len();
        match style {
            EmitStyle::Plain => self.plain(text, fold),
            EmitStyle::Single => self.single_quoted(text, fold),
            EmitStyle::Double => self.double_quoted(text, fold),
            EmitStyle::Literal => self.literal(text),
        }
        self.indent = outer;
        start..self.text.len()
    }

    fn plain(&mut self, text: &str, fold: bool) {
        let mut after_space = false;
        let mut chars = text.chars().peekable();
        while let Some(char) = chars.next() {
            let space = char == ' ';
            let wide = fold && !after_space && self.column > WIDTH;
            if space && wide && chars.peek() != Some(&' ') {
                self.new_line();
            } else {
                self.put_char(char);
            }
            after_space = space;
        }
        (self.blank, self.fresh) = (false, false);
    }

    fn single_quoted(&mut self, text: &str, fold: bool) {
        self.put("'");
        (self.blank, self.fresh) = (false, false);
        let (mut after_space, mut after_break) = (false, false);
        let last = text.chars().count().saturating_sub(1);
        let mut chars = text.chars().enumerate().peekable();
        while let Some((at, char)) = chars.next() {
            if style::is_break(char) {
                if !after_break && char == '\n' {
                    self.line_break('\n');
                }
                self.line_break(char);
                self.fresh = true;
                after_break = true;
                continue;
            }
            let wide = fold && !after_space && self.column > WIDTH && at > 0 && at < last;
            let more = chars.peek().is_some_and(|(_, next)| *next == ' ');
            if char == ' ' && wide && !more {
                self.new_line();
            } else {
                if after_break && char != ' ' {
                    self.new_line();
                }
                if char == '\'' {
                    self.put("'");
                }
                self.put_char(char);
            }
            if char != ' ' {
                self.fresh = false;
                after_break = false;
            }
            after_space = char == ' ';
        }
        self.put("'");
        (self.blank, self.fresh) = (false, false);
    }

    fn double_quoted(&mut self, text: &str, fold: bool) {
        self.put("\"");
        (self.blank, self.fresh) = (false, false);
        let mut after_space = false;
        let last = text.chars().count().saturating_sub(1);
        let mut chars = text.chars().enumerate().peekable();
        while let Some((at, char)) = chars.next() {
            if let Some(escaped) = style::escape(char) {
                self.put(&escaped);
                after_space = false;
                continue;
            }
            let wide = fold && !after_space && self.column > WIDTH && at > 0 && at < last;
            if char == ' ' && wide {
                self.new_line();
                if chars.peek().is_some_and(|(_, next)| *next == ' ') {
                    self.put("\\");
                }
            } else {
                self.put_char(char);
            }
            after_space = char == ' ';
        }
        self.put("\"");
        (self.blank, self.fresh) = (false, false);
    }

    fn literal(&mut self, text: &str) {
        self.put("|");
        if text.starts_with([' ', '\n']) || text.starts_with(style::is_break) {
            self.put("2");
        }
        let mut ends = text.chars().rev().map(style::is_break);
        match (ends.next(), ends.next()) {
            (Some(true), Some(false)) => {}
            (Some(true), _) => self.put("+"),
            _ => self.put("-"),
        }
        self.line_break('\n');
        (self.blank, self.fresh) = (true, true);
        let mut at_start = true;
        for char in text.chars() {
            if style::is_break(char) {
                self.line_break(char);
                self.fresh = true;
                at_start = true;
            } else {
                if at_start {
                    self.new_line();
                }
                self.put_char(char);
                self.fresh = false;
                at_start = false;
            }
        }
    }

    fn line_break(&mut self, char: char) {
        self.text.push(char);
        self.column = 0;
    }
}

/// The entries of `map` in go-yaml's order of keys.
fn sorted(map: &Map) -> impl Iterator<Item = (&str, &Node)> {
    let mut entries: Vec<_> = map.iter().map(|(key, entry)| (key, &entry.value)).collect();
    entries.sort_by(|a, b| order::compare(a.0, b.0));
    entries.into_iter()
}

/// From the first range's start to the last one's end.
fn hull<'r>(mut ranges: impl Iterator<Item = &'r Range<usize>>) -> Range<usize> {
    let Some(first) = ranges.next() else { return 0..0 };
    first.start..ranges.last().unwrap_or(first).end
}

/// What is written without quotes for a value that is no string, else the string.
fn typed(value: Value<'_>) -> Result<Cow<'static, str>, &str> {
    match value {
        Value::Null => Ok("null".into()),
        Value::Bool(true) => Ok("true".into()),
        Value::Bool(false) => Ok("false".into()),
        Value::Int(it) => Ok(it.to_string().into()),
        Value::Float(it) => Ok(float(it).into()),
        Value::Str(text) => Err(text),
    }
}

/// A float after its way through JSON: whole numbers that fit become integers, others are written
/// as Go's `strconv.FormatFloat(value, 'g', -1, 64)` does.
fn float(value: f64) -> String {
    if value.is_nan() {
        return ".nan".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.into();
    }
    let whole = format!("{value}");
    if whole.parse::<i64>().is_ok() || whole.parse::<u64>().is_ok() {
        return if whole == "-0" { "0".into() } else { whole };
    }
    scalar::printed_float(value)
}
