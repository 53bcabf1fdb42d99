//! The lines of a file that a diagnostic shows, made fit to be shown.
//!
//! miette would search the whole file for each label, wrap long lines, and pass on whatever bytes
//! the file holds. It gets only the lines that carry labels, cleaned and cut to the width.

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use crate::{
    finding::Label,
    report::TerminalOptions,
    source::{FileId, Sources, Span},
};

/// What stands where a secret does.
const HIDDEN: &str = "<redacted>";

/// The columns that frames, line numbers and marks of cuts take, nested ones included.
const FRAME: usize = 24;

/// Lines of one file in a row, as if they were all of it.
pub(super) struct Excerpt {
    path: String,
    text: String,
    lines: Vec<Line>,
    /// Each label's place in `text`, and its true column, from 0.
    marks: Vec<(SourceSpan, usize)>,
}

/// Where a line starts in the excerpt, and its number in the file, from 1.
struct Line {
    start: usize,
    number: u32,
}

impl Excerpt {
    /// The lines of `file` in which `labels` start, cut to what `look` has room for.
    ///
    /// `secret` says what must not be shown.
    pub(super) fn new(
        sources: &Sources,
        file: FileId,
        labels: &[&Label],
        look: TerminalOptions,
        secret: &dyn Fn(Span) -> bool,
    ) -> Self {
        let mut numbers: Vec<u32> = labels.iter().map(|it| sources.start(it.span).line).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let mut excerpt = Self {
            path: harmless(&sources[file].path),
            text: String::new(),
            lines: Vec::new(),
            marks: vec![(SourceSpan::new(0.into(), 0), 0); labels.len()],
        };
        for number in numbers {
            let range = sources.line_range(file, number);
            let here: Vec<(usize, Span)> = labels
                .iter()
                .map(|it| it.span)
                .enumerate()
                .filter(|(_, span)| sources.start(*span).line == number)
                .collect();
            let source = sources.line(file, number);
            let hidden = here.iter().any(|(_, span)| secret(*span));
            let line = Shown::new(source, range.start, &here, look);
            let text = if hidden { HIDDEN } else { &line.text };
            let start = excerpt.text.len();
            for (index, span) in here {
                let (from, to) = if hidden {
                    (0, HIDDEN.len())
                } else {
                    (line.offset(span.start), line.offset(span.end))
                };
                let column = sources.start(span).column.saturating_sub(1) as usize;
                let mark = SourceSpan::new((start + from).into(), to.max(from) - from);
                if let Some(place) = excerpt.marks.get_mut(index) {
                    *place = (mark, column);
                }
            }
            excerpt.lines.push(Line { start, number });
            excerpt.text.push_str(text);
            excerpt.text.push('\n');
        }
        excerpt
    }

    /// Where each label is, in the order in which they were given.
    pub(super) fn marks(&self) -> impl Iterator<Item = SourceSpan> + '_ {
        self.marks.iter().map(|(mark, _)| *mark)
    }
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        context_before: usize,
        _context_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let line_at = |offset: usize| {
            self.lines.partition_point(|line| line.start <= offset).saturating_sub(1)
        };
        let first = line_at(span.offset());
        let last = line_at(span.offset() + span.len().saturating_sub(1));
        let line = self.lines.get(first).ok_or(MietteError::OutOfBounds)?;
        let end = self.lines.get(last + 1).map_or(self.text.len(), |next| next.start);
        let data = self.text.as_bytes().get(line.start..end).ok_or(MietteError::OutOfBounds)?;
        // Without context miette wants to know where the label is, else what to draw.
        let column = match context_before {
            0 => self.marks.iter().find(|(mark, _)| mark == span).map_or(0, |(_, column)| *column),
            _ => 0,
        };
        Ok(Box::new(MietteSpanContents::new_named(
            self.path.clone(),
            data,
            SourceSpan::new(line.start.into(), data.len()),
            line.number.saturating_sub(1) as usize,
            column,
            last + 1 - first,
        )))
    }
}

/// A line as it is shown, with the way from bytes of the file to bytes of it.
struct Shown {
    text: String,
    /// Pairs of an offset in the file and one in the text, both rising.
    map: Vec<(u32, usize)>,
}

impl Shown {
    fn new(source: &str, start: usize, labels: &[(usize, Span)], look: TerminalOptions) -> Self {
        // The rest of the width is the frame's.
        let width = look.width.saturating_sub(FRAME);
        let more = if look.unicode { "…" } else { "..." };
        let characters: Vec<(usize, char)> = source.char_indices().collect();
        let first =
            labels.iter().map(|(_, span)| (span.start as usize).saturating_sub(start)).min();
        let first = characters.partition_point(|(at, _)| *at < first.unwrap_or(0));
        // When the line must be cut, some of what stands before the label stays in sight.
        let from = match characters.len() {
            len if len <= width => 0,
            len => first.saturating_sub(width / 3).min(len - width),
        };
        let to = characters.len().min(from + width);
        let mut shown = Self { text: String::new(), map: Vec::new() };
        if from > 0 {
            shown.text.push_str(more);
        }
        for (at, character) in characters.get(from..to).unwrap_or_default() {
            shown.map.push((u32::try_from(start + at).unwrap_or(u32::MAX), shown.text.len()));
            match character {
                '\t' => shown.text.push_str("  "),
                '\u{feff}' => {}
                it => shown.text.push(tamed(*it)),
            }
        }
        let end = characters.get(to).map_or(source.len(), |(at, _)| *at);
        shown.map.push((u32::try_from(start + end).unwrap_or(u32::MAX), shown.text.len()));
        if to < characters.len() {
            shown.text.push_str(more);
        }
        shown
    }

    /// Where the byte at `offset` of the file is shown, or the nearest place that is.
    fn offset(&self, offset: u32) -> usize {
        let next = self.map.partition_point(|(at, _)| *at < offset);
        self.map.get(next).or(self.map.last()).map_or(0, |(_, shown)| *shown)
    }
}

/// `text`, such as a file's name, without what does more to a terminal than appear.
pub(super) fn harmless(text: &str) -> String {
    text.chars().map(tamed).collect()
}

/// A character, unless it is a control or turns the direction of writing.
fn tamed(it: char) -> char {
    let turns = matches!(it, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if it.is_control() || turns { '\u{fffd}' } else { it }
}
