//! Text that knows where each of its bytes came from.

use std::{ops::Range, sync::Arc};

use super::value::NO_VALUE;
use crate::{
    emit::{self, Parts, Piece},
    parse,
    source::{FileId, Sources, Span},
    tree::{Node, Origin, Reason, Via},
};

/// A text that grows longer, or of more parts, is cut.
pub(super) const MAX_TEXT: usize = 4 * 1024 * 1024;
const MAX_MARKS: usize = 100_000;

/// A text, and where its parts came from.
#[derive(Debug, Clone, Default)]
pub(crate) struct MarkedText {
    pub(super) text: String,
    /// In order and apart from one another. What none covers was made on the way. An empty one is a
    /// value that prints as nothing.
    pub(super) marks: Vec<TextMark>,
    /// What may be there or not, in order of their starts.
    pub(super) branches: Vec<Perhaps>,
    /// What would stand at a place if something were otherwise.
    pub(super) ghosts: Vec<Ghost>,
    /// Whether it became too long, and is not all there.
    pub(crate) is_cut: bool,
}

/// A part of a text.
#[derive(Debug, Clone)]
pub(super) struct TextMark {
    pub(super) range: Range<usize>,
    pub(super) from: MarkSource,
}

/// Where a part of a text came from.
#[derive(Debug, Clone)]
pub(super) enum MarkSource {
    /// It is a file's own, from this byte on.
    File(FileId, usize),
    /// A value, or a part of one.
    Value(Origin),
    /// A value that nobody can tell, for which [`emit::UNKNOWN`] stands; whether it is known that it is
    /// something, and all of it in one line.
    Unknown(Reason, Origin, bool),
}

/// A part of a text that is there under a condition that nobody can tell.
#[derive(Debug, Clone)]
pub(super) struct Perhaps {
    pub(super) range: Range<usize>,
    pub(super) why: Reason,
    /// Whether it is there if the condition holds, or if it does not.
    pub(super) then: bool,
}

/// What is not there, and what decides that.
#[derive(Debug, Clone)]
pub(super) struct Ghost {
    pub(super) at: usize,
    pub(super) text: Arc<MarkedText>,
    pub(super) by: Origin,
}

impl MarkedText {
    /// The text of a file.
    pub(crate) fn file(text: &str, file: FileId) -> Self {
        // A byte order mark is no part of the text, but of the file.
        match text.strip_prefix('\u{feff}') {
            Some(rest) => Self::from(rest, MarkSource::File(file, text.len() - rest.len())),
            None => Self::from(text, MarkSource::File(file, 0)),
        }
    }

    /// A text that is made on the way.
    pub(super) fn made_of(text: &str) -> Self {
        Self { text: text.to_owned(), ..Self::default() }
    }

    /// The text of `span`, which is all of one file.
    pub(crate) fn written(text: &str, span: Span) -> Self {
        Self::from(text, MarkSource::File(span.file, span.range().start))
    }

    /// A text all of which came from `origin`.
    pub(crate) fn value(text: impl Into<String>, origin: &Origin) -> Self {
        Self::from(text, MarkSource::Value(origin.clone()))
    }

    /// What stands for a value that nobody can tell.
    pub(crate) fn unknown(why: &Reason, origin: &Origin) -> Self {
        Self::from(emit::UNKNOWN, MarkSource::Unknown(why.clone(), origin.clone(), false))
    }

    /// What stands for a text that is made at random, which is not empty.
    pub(crate) fn random(why: impl Into<Reason>, origin: &Origin) -> Self {
        Self::from(emit::UNKNOWN, MarkSource::Unknown(why.into(), origin.clone(), true))
    }

    fn from(text: impl Into<String>, from: MarkSource) -> Self {
        let text = text.into();
        let marks = vec![TextMark { range: 0..text.len(), from }];
        Self { text, marks, ..Self::default() }
    }

    /// The text of a node.
    pub(crate) fn of_node(node: &Node) -> Self {
        match (node.unknown(), node.as_scalar()) {
            (Some(why), _) => Self::unknown(why, &node.origin),
            (None, Some(scalar)) => Self::value(&*scalar.text, &node.origin),
            (None, None) => Self::default(),
        }
    }

    /// The text of a scalar that is a template: each line where it is written, as far as the notation
    /// of the scalar allows that.
    pub(crate) fn of_template(sources: &Sources, node: &Node) -> Self {
        let Some(scalar) = node.as_scalar() else { return Self::of_node(node) };
        let mut text = Self::default();
        let part = parse::parts(sources, node);
        for (start, line) in crate::source::lines(&scalar.text) {
            let bare = line.trim_end_matches('\n');
            let origin = part(start..start + bare.len());
            let is_exact = |it: &Span| origin.steps().count() == 1 && sources.slice(*it) == bare;
            text.push(&match origin.written_at().filter(is_exact) {
                Some(span) => Self::written(line, span),
                None => Self::value(line, &origin),
            });
        }
        text
    }

    /// The bytes.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Why some of it cannot be told, if that is so.
    pub(crate) fn unknown_part(&self) -> Option<&Reason> {
        let mark = self.marks.iter().find_map(|it| match &it.from {
            MarkSource::Unknown(why, ..) => Some(why),
            _ => None,
        });
        mark.or_else(|| self.branches.first().map(|it| &it.why))
    }

    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    /// Adds what was made on the way.
    pub(crate) fn push_made(&mut self, text: &str) {
        if self.fits(text) {
            self.text.push_str(text);
        }
    }

    fn fits(&mut self, text: &str) -> bool {
        self.is_cut |= self.len() + text.len() > MAX_TEXT || self.marks.len() > MAX_MARKS;
        !self.is_cut
    }

    /// What it takes to make or to look through it.
    pub(crate) fn cost(&self) -> usize {
        2 * self.len() + 200 * self.marks.len()
    }

    pub(crate) fn push(&mut self, other: &Self) {
        self.push_part(other, 0..other.len());
    }

    /// Adds a part of another text.
    pub(crate) fn push_part(&mut self, other: &Self, part: Range<usize>) {
        let Some(text) = other.text.get(part.clone()) else { return };
        if !self.fits(text) {
            return;
        }
        self.is_cut |= other.is_cut;
        let shift = self.len();
        let moved = |at: usize| at.clamp(part.start, part.end) - part.start + shift;
        self.text.push_str(text);
        let first = other.marks.partition_point(|it| it.range.end < part.start);
        for mark in other.marks[first..].iter().take_while(|it| it.range.start <= part.end) {
            let range = moved(mark.range.start)..moved(mark.range.end);
            if range.is_empty() && !mark.range.is_empty() {
                continue;
            }
            let from = match &mark.from {
                MarkSource::File(file, at) => {
                    MarkSource::File(*file, at + part.start.saturating_sub(mark.range.start))
                }
                from => from.clone(),
            };
            self.add_mark(TextMark { range, from });
        }
        for branch in &other.branches {
            let range = moved(branch.range.start)..moved(branch.range.end);
            if !range.is_empty() {
                self.branches.push(Perhaps { range, ..branch.clone() });
            }
        }
        let ghosts = other.ghosts.iter().filter(|it| part.start <= it.at && it.at <= part.end);
        self.ghosts.extend(ghosts.map(|it| Ghost { at: moved(it.at), ..it.clone() }));
    }

    /// Adds a mark, which goes on from the last one where both are of one file.
    fn add_mark(&mut self, mark: TextMark) {
        if let (Some(last), MarkSource::File(file, at)) = (self.marks.last_mut(), &mark.from)
            && let MarkSource::File(before, start) = &last.from
            && before == file
            && last.range.end == mark.range.start
            && start + last.range.len() == *at
        {
            last.range.end = mark.range.end;
            return;
        }
        self.marks.push(mark);
    }

    /// A part of it.
    pub(super) fn part(&self, range: Range<usize>) -> Self {
        let mut part = Self::default();
        part.push_part(self, range);
        part
    }

    /// A part of it that is a part of its bytes, such as what trimming leaves.
    pub(crate) fn part_of(&self, part: &str) -> Self {
        let start = (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        self.part(start..start + part.len())
    }

    /// The texts between two of `separator`.
    pub(crate) fn split(&self, separator: &str) -> Vec<Self> {
        self.split_n(separator, usize::MAX)
    }

    /// The same, the last of `count` with all that follows.
    pub(super) fn split_n(&self, separator: &str, count: usize) -> Vec<Self> {
        if !separator.is_empty() {
            return self.text.splitn(count, separator).map(|it| self.part_of(it)).collect();
        }
        let mut starts: Vec<usize> = self.text.char_indices().map(|it| it.0).take(count).collect();
        starts.push(self.len());
        starts.windows(2).map(|it| self.part(it[0]..it[1])).collect()
    }

    /// Texts with `separator` between them.
    pub(crate) fn joined(texts: impl IntoIterator<Item = Self>, separator: &Self) -> Self {
        let mut all = Self::default();
        for (index, text) in texts.into_iter().enumerate() {
            if index > 0 {
                all.push(separator);
            }
            all.push(&text);
        }
        all
    }

    /// The text with others in the place of some parts, which are in order.
    pub(super) fn with(&self, others: impl IntoIterator<Item = (Range<usize>, Self)>) -> Self {
        let (mut result, mut at) = (Self::default(), 0);
        for (part, other) in others {
            result.push_part(self, at..part.start);
            result.push(&other);
            at = part.end;
            if result.is_cut {
                break;
            }
        }
        result.push_part(self, at..self.len());
        result
    }

    /// Each `old` replaced by `new`.
    pub(crate) fn replaced(&self, old: &str, new: &Self) -> Self {
        let starts = self.text.match_indices(old).map(|it| it.0);
        self.with(starts.map(|start| (start..start + old.len(), new.clone())))
    }

    /// The text without what Go prints for values that are not there.
    pub(crate) fn without_no_value(self) -> Self {
        if !self.text.contains(NO_VALUE) {
            return self;
        }
        let starts = self.text.match_indices(NO_VALUE).map(|it| it.0);
        self.with(starts.map(|start| {
            let part = start..start + NO_VALUE.len();
            let nothing = self.origin_of(part.clone()).map(|it| Self::value("", &it));
            (part, nothing.unwrap_or_default())
        }))
    }

    /// Every line indented, as Sprig's `indent`.
    pub(super) fn indented(&self, width: usize) -> Self {
        let indent = " ".repeat(width);
        let mut result = Self::made_of(&indent);
        result.push(&self.replaced("\n", &Self::made_of(&format!("\n{indent}"))));
        result
    }

    /// Another text that was made of all of this one.
    pub(super) fn made(&self, text: String) -> Self {
        if text.len() > MAX_TEXT {
            return Self { is_cut: true, ..Self::default() };
        }
        match self.origin_of(0..self.len()) {
            Some(origin) => Self::value(text, &origin),
            None => Self { text, ..Self::default() },
        }
    }

    /// The same text, whose values came to count at `span`; what is put together in one line is one
    /// value that has parts, unless that is a list or a map, as JSON is.
    pub(super) fn through(mut self, span: Option<Span>) -> Self {
        let Some(span) = span else { return self };
        let is_value = |it: &TextMark| matches!(it.from, MarkSource::Value(_));
        if self.marks.len() > 1
            && !self.text.contains('\n')
            && !self.text.starts_with(['{', '['])
            && self.marks.iter().all(is_value)
            && self.unknown_part().is_none()
            && let Some(origin) = self.origin_of(0..self.len())
        {
            self.marks = vec![TextMark { range: 0..self.len(), from: MarkSource::Value(origin) }];
        }
        for mark in &mut self.marks {
            if let MarkSource::Value(origin) | MarkSource::Unknown(_, origin, _) = &mut mark.from
                && origin.step.via != Via::Rendered
                && !origin.step.span.is_some_and(|it| within(it, span))
            {
                *origin = origin.through(Via::Rendered, Some(span));
            }
        }
        self
    }

    /// Marks all from `start` on as there or not, `then` if the condition holds.
    pub(crate) fn perhaps_from(&mut self, start: usize, why: &Reason, then: bool) {
        if start < self.len() {
            self.branches.push(Perhaps { range: start..self.len(), why: why.clone(), then });
        }
    }

    /// The marks that touch `range`; empty ones at its edges too.
    pub(super) fn marks_in(&self, range: &Range<usize>) -> impl Iterator<Item = &TextMark> {
        let first = self.marks.partition_point(|it| it.range.end < range.start);
        let Range { start, end } = range.clone();
        self.marks[first..]
            .iter()
            .take_while(move |it| it.range.start <= end)
            .filter(move |it| it.range.is_empty() || (it.range.start < end && start < it.range.end))
    }

    /// Where the text of `range` came from; nothing where it was made on the way.
    pub(super) fn origin_of(&self, range: Range<usize>) -> Option<Origin> {
        /// A part: where from, its text, and whether it is a value.
        struct Part<'a>(Origin, &'a str, bool, Option<&'a Reason>);
        let mut parts: Vec<Part<'_>> = Vec::new();
        for mark in self.marks_in(&range) {
            let inside = mark.range.start.max(range.start)..mark.range.end.min(range.end);
            let text = self.text.get(inside.clone()).unwrap_or_default();
            parts.push(match &mark.from {
                MarkSource::File(file, at) => {
                    let start = at + (inside.start - mark.range.start);
                    let span = Span::new(*file, start..start + inside.len());
                    Part(Origin::written(span), text, false, None)
                }
                MarkSource::Value(origin) => Part(origin.clone(), text, true, None),
                MarkSource::Unknown(why, origin, _) => Part(origin.clone(), text, true, Some(why)),
            });
        }
        // Quotes and what separates values is no value.
        if parts.iter().any(|it| it.2) {
            parts.retain(|it| it.2 || it.1.contains(char::is_alphanumeric));
        }
        parts.dedup_by(|part, last| match (last.2, part.2) {
            (false, false) => {
                last.0 = hull(&last.0, &part.0).unwrap_or_else(|| last.0.clone());
                true
            }
            (true, true) => last.0 == part.0,
            _ => false,
        });
        let main = parts.iter().rposition(|it| it.2).unwrap_or(0);
        let origin = parts.get(main)?.0.clone();
        if parts.len() == 1 {
            return Some(origin);
        }
        Some(origin.joined(parts.into_iter().map(|Part(origin, text, _, why)| {
            let node = match why {
                Some(why) => Node::unknown_value(why.clone(), &origin),
                None => Node::new(text, origin),
            };
            ("", node)
        })))
    }

    /// Where the values in it came from.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Origin> {
        self.marks.iter().filter_map(|it| match &it.from {
            MarkSource::Value(origin) => Some(origin),
            _ => None,
        })
    }

    /// Where `range` is written, when it is all of one file.
    pub(super) fn file_span(&self, range: &Range<usize>) -> Option<Span> {
        let mut marks = self.marks_in(range);
        let mark = marks.next()?;
        match (&mark.from, marks.next()) {
            (MarkSource::File(file, at), None) => {
                let start = at + range.start.saturating_sub(mark.range.start);
                Some(Span::new(*file, start..start + range.len()))
            }
            _ => None,
        }
    }

    /// `node` as `toYaml` writes it, without the last line break.
    pub(crate) fn yaml(node: &Node) -> Self {
        let emitted = emit::emit(node);
        let mut marks = Vec::new();
        collect(&emitted.root, &mut marks);
        let mut text = emitted.text;
        if text.ends_with('\n') {
            text.pop();
        }
        for mark in &mut marks {
            mark.range.end = mark.range.end.min(text.len());
        }
        Self { text, marks, ..Self::default() }
    }
}

/// Whether a place is a part of another one.
fn within(part: Span, whole: Span) -> bool {
    part.file == whole.file && whole.start <= part.start && part.end <= whole.end
}

/// From the one place to the other of the same file.
fn hull(first: &Origin, last: &Origin) -> Option<Origin> {
    let (first, last) = (first.step.span?, last.step.span?);
    let is_one = first.file == last.file && first.start <= last.end;
    is_one.then(|| Origin::written(Span { end: last.end, ..first }))
}

/// The marks of the keys and scalars of `piece`.
fn collect(piece: &Piece<'_>, into: &mut Vec<TextMark>) {
    match &piece.parts {
        Parts::None => {
            let origin = piece.node.origin.clone();
            let from = match piece.node.unknown() {
                Some(why) => MarkSource::Unknown(why.clone(), origin, false),
                None => MarkSource::Value(origin),
            };
            into.push(TextMark { range: piece.range.clone(), from });
        }
        Parts::Items(items) => items.iter().for_each(|it| collect(it, into)),
        Parts::Entries(pairs) => {
            for pair in pairs {
                let entry = piece.node.as_map().and_then(|it| it.entry(pair.key));
                let written = entry.and_then(|it| it.key).map(Origin::written);
                let origin = written.unwrap_or_else(|| pair.value.node.origin.clone());
                let from = match (pair.key == emit::UNKNOWN, pair.value.node.unknown()) {
                    (true, Some(why)) => MarkSource::Unknown(why.clone(), origin, false),
                    _ => MarkSource::Value(origin),
                };
                into.push(TextMark { range: pair.range.clone(), from });
                collect(&pair.value, into);
            }
        }
    }
}
