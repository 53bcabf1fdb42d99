//! How diagnostics are drawn: in the manner of rustc, whose grammar people know.
//!
//! ```text
//! error[rule]: the sentence
//!  --> path:line:column
//!   |
//! 7 | the line
//!   |     ^^^^ words
//!  ::: path:line:column
//! 3 | another line
//!   | ------- words
//!   |
//!   = note: what has no place
//!   = help: what to do
//! 7 - the line
//! 7 + the line as it would be
//! ```

use std::{fmt, iter, ops::Range};

use miette::{Diagnostic, LabeledSpan, ReportHandler, Severity, SourceCode};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::{
    finding,
    problem::ProblemKind,
    report::{
        TerminalOptions,
        excerpt::{harmless, tamed},
        filled,
        patch::PatchLine,
        sarif::uri,
    },
};

/// Lines as far from each other as this are drawn together.
const NEAR: usize = 4;

/// Columns of a tab.
const TAB: &str = "    ";

/// The attributes of frames: of paths' arrows, line numbers and the marks of other places.
const FRAME: &str = "94";

const BOLD: &str = "1";

/// Draws diagnostics. Related ones with labels are further places; those without are notes.
#[derive(Debug)]
pub(super) struct Drawing {
    look: TerminalOptions,
    /// The address of the directory that paths start from, where a terminal can open it.
    root: Option<String>,
}

/// Lines of one file, with the place that they are shown for.
struct Snippet {
    place: String,
    /// What is said of all of the file.
    words: String,
    rows: Vec<Row>,
}

/// A line.
struct Row {
    /// Its number, from 1.
    number: usize,
    /// The byte of the file with which `text` starts, which may be a part of a long line.
    start: usize,
    text: String,
    marks: Vec<Underline>,
}

/// A place in a line.
struct Underline {
    /// The bytes of the line.
    range: Range<usize>,
    /// Whether it goes on in the next line.
    goes_on: bool,
    primary: bool,
    words: String,
}

impl ReportHandler for Drawing {
    fn debug(&self, diagnostic: &dyn Diagnostic, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full(diagnostic, None))
    }
}

impl Drawing {
    /// With the look of `look`; `root` is the address of the directory that paths start from.
    pub(super) fn new(look: TerminalOptions, root: Option<String>) -> Self {
        Self { look, root }
    }

    /// All of `diagnostic`, and the lines that would mend it, with what makes them be written.
    pub(super) fn full(
        &self,
        diagnostic: &dyn Diagnostic,
        fix: Option<(&str, &[PatchLine])>,
    ) -> String {
        let (option, patch) = fix.unwrap_or_default();
        let related: Vec<&dyn Diagnostic> = diagnostic.related().into_iter().flatten().collect();
        let parts = iter::once(diagnostic).chain(related.iter().copied());
        let snippets: Vec<Snippet> = parts.flat_map(snippets).collect();
        let numbers = snippets.iter().flat_map(|it| &it.rows).map(|it| it.number);
        let numbers = numbers.chain(patch.iter().map(|it| it.number));
        let gutter = numbers.max().unwrap_or(0).to_string().len();
        let mut lines = self.header(diagnostic);
        for (index, Snippet { place, words, rows }) in snippets.iter().enumerate() {
            let arrow = if index == 0 { "-->" } else { ":::" };
            let arrow = self.look.paint(FRAME, arrow);
            let line = format!("{:gutter$}{arrow} {}  {words}", "", self.place(place));
            lines.push(line.trim_end().to_owned());
            if index == 0 && !rows.is_empty() {
                lines.push(self.rail(gutter, ""));
            }
            let mut before = None;
            for row in rows {
                if before.is_some_and(|it| it + 1 < row.number) {
                    lines.push(self.look.paint(FRAME, "..."));
                }
                before = Some(row.number);
                lines.extend(self.row(row, gutter, diagnostic));
            }
        }
        let notes = related.iter().filter(|it| it.labels().is_none());
        let notes = notes.map(|it| ("note", it.to_string()));
        let help = diagnostic.help().map(|it| ("help", it.to_string()));
        let last: Vec<_> = notes.chain(help).collect();
        if !last.is_empty() && !snippets.is_empty() {
            lines.push(self.rail(gutter, ""));
        }
        lines.extend(last.iter().flat_map(|(kind, text)| self.footer(gutter, kind, text)));
        if fix.is_some() {
            lines.extend(self.footer(gutter, "fix", &format!("with {option}")));
        }
        lines.extend(patch.iter().flat_map(|it| self.patched(it, gutter)));
        lines.join("\n") + "\n"
    }

    /// `diagnostic` in three lines: the sentence, the place with `remark`, and what to do; one more where
    /// there is no room for the remark beside the place.
    pub(super) fn concise(&self, diagnostic: &dyn Diagnostic, remark: &str) -> String {
        let mut lines = self.header(diagnostic);
        if let Some(Snippet { place, .. }) = snippets(diagnostic).first() {
            let room = self.look.width.saturating_sub(6 + columns(place));
            let (beside, below) = if columns(remark) <= room { (remark, "") } else { ("", remark) };
            let line = format!(" {} {} {beside}", self.look.paint(FRAME, "-->"), self.place(place));
            lines.push(line.trim_end().to_owned());
            let below =
                below.strip_prefix('(').and_then(|it| it.strip_suffix(')')).unwrap_or(below);
            lines.extend(
                (!below.is_empty()).then(|| self.footer(0, "note", below)).into_iter().flatten(),
            );
        }
        let help = diagnostic.help();
        lines.extend(help.iter().flat_map(|it| self.footer(0, "help", &it.to_string())));
        lines.join("\n") + "\n"
    }

    /// The columns beside the primary mark of `diagnostic`.
    pub(super) fn room_for_words(&self, diagnostic: &dyn Diagnostic) -> usize {
        let snippets = snippets(diagnostic);
        let mut rows = snippets.iter().flat_map(|it| &it.rows);
        let Some(row) = rows.find(|it| it.marks.iter().any(|it| it.primary)) else { return 0 };
        let gutter = row.number.to_string().len().max(3);
        let shown = self.shown(row, gutter);
        let mut marks = row.marks.iter().zip(&shown.marks).filter(|(mark, _)| mark.primary);
        let end = marks.next().map_or(0, |(_, it)| it.end);
        self.room(gutter).saturating_sub(end + 1)
    }

    /// `error[rule]: the sentence`
    fn header(&self, diagnostic: &dyn Diagnostic) -> Vec<String> {
        let severity = severity(diagnostic);
        let code = diagnostic.code().map_or_else(String::new, |it| it.to_string());
        let url = diagnostic.url().map(|it| it.to_string());
        let label = format!("{}[{code}]", severity.id());
        let text =
            filled(&harmless(&diagnostic.to_string()), columns(&label) + 2, 4, self.look.width);
        let mut lines = text.split('\n');
        let first = lines.next().unwrap_or_default();
        let code = self.link(url.as_deref(), &code);
        let label = format!("{}[{code}]", severity.id());
        let label = self.look.paint(&format!("{BOLD};{}", color(severity)), &label);
        let first = format!(": {first}");
        let first = format!("{label}{}", self.look.paint(BOLD, first.trim_end()));
        let rest = lines.map(|it| format!("    {}", self.look.paint(BOLD, it)));
        iter::once(first).chain(rest).collect()
    }

    /// `= help: what to do`
    fn footer(&self, gutter: usize, kind: &str, text: &str) -> Vec<String> {
        let indent = gutter + "  = help: ".len() - 1;
        let text = filled(&harmless(text), indent, indent, self.look.width);
        let start = format!(
            "{:gutter$} {} {}: ",
            "",
            self.look.paint(FRAME, "="),
            self.look.paint(BOLD, kind)
        );
        let mut lines = text.split('\n');
        let first = start + lines.next().unwrap_or_default();
        iter::once(first).chain(lines.map(|it| format!("{:indent$}{it}", ""))).collect()
    }

    /// A line, and its marks, each in a row of its own with its words.
    fn row(&self, row: &Row, gutter: usize, diagnostic: &dyn Diagnostic) -> Vec<String> {
        let shown = self.shown(row, gutter);
        let number = format!("{:gutter$} |", row.number);
        let line = format!("{} {}", self.look.paint(FRAME, &number), shown.text);
        let mut lines = vec![line.trim_end().to_owned()];
        let room = self.room(gutter);
        for (mark, Range { start, end }) in row.marks.iter().zip(shown.marks) {
            let (sign, color) = match mark.primary {
                true => ("^", format!("{BOLD};{}", color(severity(diagnostic)))),
                false => ("-", FRAME.to_owned()),
            };
            let more = Some(self.more()).filter(|it| mark.goes_on && end + columns(it) <= room);
            let more = more.unwrap_or_default();
            let signs = format!("{:start$}{}{more}", "", sign.repeat(end - start));
            let used = columns(&signs) + 1;
            let words = columns(&mark.words);
            let painted = |it: &str| {
                let text = it.trim_start();
                let indent = columns(it) - columns(text);
                self.rail(gutter, &format!("{:indent$}{}", "", self.look.paint(&color, text)))
            };
            if words == 0 || used + words <= room {
                lines.push(painted(format!("{signs} {}", mark.words).trim_end()));
                continue;
            }
            lines.push(painted(&signs));
            let indent = match words <= room {
                true => start.min(room - words),
                false => start.min(room / 3),
            };
            let text = filled(&mark.words, indent, indent, room);
            lines.extend(text.split('\n').map(|it| painted(&format!("{:indent$}{it}", ""))));
        }
        lines
    }

    /// `7 - the line`, after its file where that is another.
    fn patched(&self, line: &PatchLine, gutter: usize) -> Vec<String> {
        let mark = Underline {
            range: line.differs..line.differs,
            goes_on: false,
            primary: true,
            words: String::new(),
        };
        let row = Row { number: line.number, start: 0, text: line.text.clone(), marks: vec![mark] };
        let (sign, color) = if line.is_new { ("+", "32") } else { ("-", "31") };
        let text = format!("{sign} {}", self.shown(&row, gutter).text);
        let number = self.look.paint(FRAME, &format!("{:gutter$}", line.number));
        let path = line.path.iter();
        let arrow = self.look.paint(FRAME, ":::");
        path.map(|it| {
            format!("{:gutter$}{arrow} {}", "", self.place(&format!("{it}:{}:1", line.number)))
        })
        .chain([format!("{number} {}", self.look.paint(color, text.trim_end()))])
        .collect()
    }

    /// `   | what`
    fn rail(&self, gutter: usize, what: &str) -> String {
        let rail = self.look.paint(FRAME, &format!("{:gutter$} |", ""));
        if what.is_empty() { rail } else { format!("{rail} {what}") }
    }

    /// The columns that a line of a file may take.
    fn room(&self, gutter: usize) -> usize {
        self.look.width.saturating_sub(gutter + 3)
    }

    /// What stands where something is left out.
    fn more(&self) -> &'static str {
        if self.look.unicode { "…" } else { "..." }
    }

    /// A place, as a link to its file.
    fn place(&self, place: &str) -> String {
        let path = place.rsplitn(3, ':').last().unwrap_or_default();
        let url = self.root.as_ref().map(|root| format!("{root}/{}", uri(path)));
        self.link(url.as_deref(), &harmless(place))
    }

    /// `text` as a link to `url`, where the terminal has links (OSC 8).
    fn link(&self, url: Option<&str>, text: &str) -> String {
        match url.filter(|_| self.look.links.is_some()) {
            Some(url) => format!("\x1b]8;;{url}\x1b\\{text}\x1b]8;;\x1b\\"),
            None => text.to_owned(),
        }
    }

    /// What is shown of a line, cut to its room around the first mark.
    fn shown(&self, row: &Row, gutter: usize) -> Shown {
        let room = self.room(gutter);
        let first = row.marks.iter().map(|it| it.range.start).min().unwrap_or(0);
        // So much can be in sight at most, so that a file of one line costs no more than others.
        let [from, to] = [first.saturating_sub(4 * room), first.saturating_add(8 * room)]
            .map(|it| row.text.floor_char_boundary(it));
        let cells = row.text[from..to].char_indices().map(|(at, it)| (from + at, it));
        let cells: Vec<(usize, char)> = cells.collect();
        let width =
            |cells: &[(usize, char)]| cells.iter().map(|(_, it)| cell_columns(*it)).sum::<usize>();
        let (mut from, mut to) = (0, cells.len());
        let more = self.more();
        if width(&cells) > room {
            let inside = room.saturating_sub(2 * columns(more)).max(1);
            // The cell that the last `limit` columns before `end` start with.
            let back = |end: usize, limit: usize| {
                let mut at = end;
                while at > 0 && width(&cells[at - 1..end]) <= limit {
                    at -= 1;
                }
                at
            };
            let first = cells.partition_point(|(at, _)| *at < first);
            // Some of what stands before the mark stays in sight, more where nothing comes after it.
            from = back(first, inside / 3).min(back(cells.len(), inside));
            to = from;
            while to < cells.len() && width(&cells[from..=to]) <= inside {
                to += 1;
            }
        }
        let mut text = String::new();
        let mut places = Vec::new();
        let cut = |at: Option<&(usize, char)>| at.is_some_and(|(at, _)| *at > 0);
        if cut(cells.get(from)) {
            text.push_str(more);
        }
        for (at, cell) in &cells[from..to] {
            places.push((*at, text.len()));
            match cell {
                '\t' => text.push_str(TAB),
                '\u{feff}' => {}
                it => text.push(tamed(*it)),
            }
        }
        let end = cells.get(to).map_or(row.text.len(), |(at, _)| *at);
        places.push((end, text.len()));
        let column = |offset: usize| {
            let next = places.partition_point(|(at, _)| *at < offset);
            let place = places.get(next).or(places.last()).map_or(0, |(_, shown)| *shown);
            columns(&text[..place])
        };
        let mark = |it: &Underline| {
            let start = column(it.range.start).min(room.saturating_sub(1));
            start..column(it.range.end).max(start + 1)
        };
        let marks = row.marks.iter().map(mark).collect();
        if end < row.text.len() {
            text.push_str(more);
        }
        Shown { text, marks }
    }
}

/// A line as it is shown, with the columns of its marks.
struct Shown {
    text: String,
    marks: Vec<Range<usize>>,
}

/// The columns of a character in a line. Variation selectors count, since what they make wide is
/// counted as narrow.
fn cell_columns(it: char) -> usize {
    match it {
        '\t' => TAB.len(),
        '\u{fe0f}' => 1,
        it => tamed(it).width().unwrap_or(0),
    }
}

/// The columns that `text` takes in a terminal.
pub(super) fn columns(text: &str) -> usize {
    text.width()
}

/// The lines that `part` has labels for, the primary one's first.
fn snippets(part: &dyn Diagnostic) -> Vec<Snippet> {
    let mut snippets: Vec<Snippet> = Vec::new();
    let labels: Vec<LabeledSpan> = part.labels().into_iter().flatten().collect();
    let Some(source) = part.source_code() else { return snippets };
    // What has no line is of all of the file; YAML may be wrong from its first byte on.
    let is_whole = part.code().is_none_or(|it| it.to_string() != ProblemKind::Syntax.rule());
    for label in &labels {
        let Some((place, row)) = row(source, label) else { continue };
        let words = label.label().unwrap_or_default();
        let is_whole = is_whole || row.text.is_empty();
        if is_whole && label.offset() == 0 && label.is_empty() {
            let path = place.trim_end_matches(":1:1").to_owned();
            snippets.push(Snippet { place: path, words: harmless(words), rows: Vec::new() });
            continue;
        }
        let near = |it: &Row| it.number.abs_diff(row.number) <= NEAR;
        let Some(snippet) = snippets.iter_mut().find(|it| it.rows.iter().any(near)) else {
            snippets.push(Snippet { place, words: String::new(), rows: vec![row] });
            continue;
        };
        let rows = &mut snippet.rows;
        match rows.binary_search_by_key(&row.number, |it| it.number) {
            Ok(at) => rows[at].add(row),
            Err(at) => rows.insert(at, row),
        }
    }
    snippets
}

/// The line in which `label` starts, and that place.
fn row(source: &dyn SourceCode, label: &LabeledSpan) -> Option<(String, Row)> {
    let contents = source.read_span(label.inner(), 0, 0).ok()?;
    let text = String::from_utf8_lossy(contents.data()).into_owned();
    let (number, column) = (contents.line() + 1, contents.column() + 1);
    let place = format!("{}:{number}:{column}", contents.name().unwrap_or_default());
    let start = contents.span().offset();
    let at = |offset: usize| offset.saturating_sub(start).min(text.len());
    let end = label.offset() + label.len();
    // What stands for something else stands for all of it.
    let whole = contents.span().len() != text.len();
    let mark = Underline {
        range: if whole { 0..text.len() } else { at(label.offset())..at(end) },
        goes_on: !whole && contents.line_count() > 1,
        primary: label.primary(),
        words: harmless(label.label().unwrap_or_default()),
    };
    Some((place, Row { number, start, text, marks: vec![mark] }))
}

impl Row {
    /// Adds the marks of another one of the same line. Of a long one, the first part is shown.
    fn add(&mut self, mut other: Self) {
        if other.start < self.start {
            std::mem::swap(&mut self.start, &mut other.start);
            std::mem::swap(&mut self.text, &mut other.text);
            // Those that were there are drawn first.
            self.shift(other.start - self.start);
        } else {
            other.shift(other.start - self.start);
        }
        self.marks.extend(other.marks);
    }

    /// Counts its marks from so many bytes before.
    fn shift(&mut self, by: usize) {
        for mark in &mut self.marks {
            mark.range = mark.range.start + by..mark.range.end + by;
        }
    }
}

fn severity(diagnostic: &dyn Diagnostic) -> finding::Severity {
    match diagnostic.severity() {
        None | Some(Severity::Error) => finding::Severity::Error,
        Some(Severity::Warning) => finding::Severity::Warning,
        Some(Severity::Advice) => finding::Severity::Note,
    }
}

/// The ANSI attributes of a severity.
pub(super) fn color(severity: finding::Severity) -> &'static str {
    match severity {
        finding::Severity::Error => "31",
        finding::Severity::Warning => "33",
        finding::Severity::Note => "36",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_one_line_are_in_its_first_part() {
        let row = |start: usize, text: &str, range: Range<usize>| {
            let mark = Underline { range, goes_on: false, primary: false, words: String::new() };
            Row { number: 1, start, text: text.to_owned(), marks: vec![mark] }
        };
        for (mut one, other) in [
            (row(100, "second", 2..4), row(20, "first", 1..3)),
            (row(20, "first", 82..84), row(100, "second", 1..3)),
        ] {
            let own = one.marks[0].range.start + one.start;
            let its = other.marks[0].range.start + other.start;
            one.add(other);
            assert_eq!((one.start, &*one.text), (20, "first"));
            let starts: Vec<usize> = one.marks.iter().map(|it| it.range.start + 20).collect();
            assert_eq!(starts, [own, its]);
        }
    }
}
