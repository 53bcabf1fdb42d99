//! The lines of a file that a diagnostic shows, without what is secret.

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use crate::{
    finding::disturbs,
    report::secrets::Secrets,
    source::{FileId, Position, Sources, Span},
};

/// What stands where a secret does.
const HIDDEN: &str = "<redacted>";

/// A file of which the first line of a span can be shown.
#[derive(Clone, Copy)]
pub(super) struct Excerpt<'a> {
    sources: &'a Sources,
    file: FileId,
    secrets: &'a Secrets,
}

impl<'a> Excerpt<'a> {
    /// `file`, of which `secrets` must not be shown.
    pub(super) fn of(sources: &'a Sources, file: FileId, secrets: &'a Secrets) -> Self {
        Self { sources, file, secrets }
    }
}

impl SourceCode for Excerpt<'_> {
    /// The line in which `span` starts, at the line and column of that start; the number of lines is
    /// that of the span. What stands for a secret is not as long as what it covers.
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        _context_before: usize,
        _context_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let Self { sources, file, secrets } = *self;
        let span = Span::new(file, span.offset()..span.offset() + span.len());
        let Position { line, column } = sources.start(span);
        let range = sources.line_range(file, line);
        let text = sources.line(file, line);
        let hidden = secrets.touch(Span::new(file, range.start..range.start + text.len()));
        let rest = sources.text(file).get(range.end..span.range().end);
        let more = rest.map_or(0, |it| it.trim().lines().count());
        Ok(Box::new(MietteSpanContents::new_named(
            sources[file].path.clone(),
            if hidden { HIDDEN } else { text }.as_bytes(),
            SourceSpan::new(range.start.into(), if hidden { usize::MAX } else { text.len() }),
            line.saturating_sub(1) as usize,
            column.saturating_sub(1) as usize,
            1 + more,
        )))
    }
}

/// `text`, such as a file's name, without what does more to a terminal than appear.
pub(super) fn harmless(text: &str) -> String {
    text.chars().map(tamed).collect()
}

/// A character, unless it is a control or turns the direction of writing.
pub(super) fn tamed(it: char) -> char {
    if disturbs(it) { '\u{fffd}' } else { it }
}
