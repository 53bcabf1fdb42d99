//! The lines of a file that a diagnostic shows, without what is secret.

use std::ops::Range;

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
    /// The line in which `span` starts, of a long one what is near it, at the line and column of that
    /// start; two lines are a span that goes on. What stands for a secret is not as long as what it covers.
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
        let goes_on = rest.is_some_and(|it| !it.trim().is_empty());
        let near = near(text, span.range().start.saturating_sub(range.start));
        let start = if hidden { range.start } else { range.start + near.start };
        let text = if hidden { HIDDEN } else { &text[near] };
        Ok(Box::new(MietteSpanContents::new_named(
            sources[file].path.clone(),
            text.as_bytes(),
            SourceSpan::new(start.into(), if hidden { usize::MAX } else { text.len() }),
            line.saturating_sub(1) as usize,
            column.saturating_sub(1) as usize,
            1 + usize::from(goes_on),
        )))
    }
}

/// Of a line that is longer than three of these, only what is near a place is looked at: all of a file may
/// be one line, with thousands of findings. No screen is as wide.
const BLOCK: usize = 4096;

/// The bytes of `line` that are near `at`, which are the same for what is in one block.
fn near(line: &str, at: usize) -> Range<usize> {
    let before = (at.min(line.len()) / BLOCK).saturating_sub(1) * BLOCK;
    let after = before.saturating_add(3 * BLOCK);
    line.floor_char_boundary(before)..line.floor_char_boundary(after)
}

/// `text`, such as a file's name, without what does more to a terminal than appear.
pub(super) fn harmless(text: &str) -> String {
    text.chars().map(tamed).collect()
}

/// A character, unless it is a control or turns the direction of writing.
pub(super) fn tamed(it: char) -> char {
    if disturbs(it) { '\u{fffd}' } else { it }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_line_what_is_near_is_read() {
        let text = format!("a: 1\n{}\nb: 2\n", "aé漢".repeat(20_000));
        let sources = Sources::in_memory([("a.yaml", &*text)]);
        let file = sources.find("a.yaml").expect("it is there");
        let secrets = Secrets::default();
        let excerpt = Excerpt::of(&sources, file, &secrets);
        for (place, (at, _)) in (1..).zip(text[5..].char_indices()).step_by(1009).take(50) {
            let contents = excerpt.read_span(&(5 + at, 1).into(), 0, 0).expect("a line");
            let start = contents.span().offset();
            assert!(
                contents.data().len() <= 3 * BLOCK + 4
                    && std::str::from_utf8(contents.data()).is_ok()
            );
            assert_eq!((contents.line(), contents.column() + 1), (1, place));
            assert!((start..start + contents.data().len()).contains(&(5 + at)));
            assert_eq!(&text.as_bytes()[start..][..contents.data().len()], contents.data());
        }
        let contents = excerpt.read_span(&(2, 1).into(), 0, 0).expect("a line");
        assert_eq!((contents.data(), contents.line_count()), (&b"a: 1"[..], 1));
    }
}
