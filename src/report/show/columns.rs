//! Environments side by side, for a terminal: values in columns, each with the line that it comes from.

use indexmap::IndexSet;
use unicode_width::UnicodeWidthStr as _;

use super::{
    overview::{Cell, CellNote, CellState, Overview},
    place, wrapped,
};
use crate::{
    report::{TerminalOptions, excerpt::harmless},
    source::{FileId, Sources},
};

/// How wide columns may be at most: the first with which all are side by side, else the last.
const WIDEST: [usize; 4] = [48, 38, 30, 24];
/// The name of a setting that is longer does not push the columns to the right.
const LONGEST_NAME: usize = 36;
/// More places than this are not named at one value.
const REFERENCES: usize = 3;

/// The table as text, in as many parts as its columns need.
pub(super) fn print(sources: &Sources, table: &Overview, look: TerminalOptions) -> String {
    let rows = || table.sections.iter().flat_map(|it| &it.rows);
    // Beside other columns long names are broken before the columns are.
    let most = if table.columns.len() == 1 { LONGEST_NAME } else { look.width * 3 / 10 };
    let names = rows().map(|it| it.name.width()).filter(|it| *it <= LONGEST_NAME).max();
    // The name, four blanks before it and two behind it.
    let lead = names.unwrap_or(0).min(most) + 6;
    let mut page =
        Page { sources, table, look, lead, files: IndexSet::new(), remarks: IndexSet::new() };
    if table.columns.len() == 1 {
        return page.only_column() + &page.rest();
    }
    let texts: Vec<Vec<String>> =
        rows().map(|row| row.cells.iter().map(|it| page.text(it, None)).collect()).collect();
    let widths = table.columns.iter().enumerate().map(|(column, names)| {
        let cells = texts.iter().filter_map(|row| Some(row.get(column)?.width()));
        let names = names.iter().map(|it| harmless(it).width() + 1);
        cells.chain(names).max().unwrap_or(0).max(8)
    });
    let mut widths: Vec<usize> = widths.collect();
    for widest in WIDEST {
        for it in &mut widths {
            *it = widest.min(*it);
        }
        if lead + widths.iter().map(|it| it + 2).sum::<usize>() <= look.width + 2 {
            break;
        }
    }
    let mut parts = Vec::new();
    let (mut first, mut left) = (0, &*widths);
    while !left.is_empty() {
        let mut used = lead;
        let fits = left.iter().take_while(|it| {
            used += *it + 2;
            used <= look.width + 2
        });
        let (these, others) = left.split_at(fits.count().max(1));
        parts.push(page.part(first, these));
        (left, first) = (others, first + these.len());
    }
    parts.join("\n") + &page.rest() + &page.legend()
}

struct Page<'a> {
    sources: &'a Sources,
    table: &'a Overview,
    look: TerminalOptions,
    lead: usize,
    /// The files that values refer to by letters.
    files: IndexSet<FileId>,
    /// What values refer to by numbers.
    remarks: IndexSet<String>,
}

impl Page<'_> {
    /// The columns from `first` on, as many as `widths`.
    fn part(&mut self, first: usize, widths: &[usize]) -> String {
        let table = self.table;
        let columns = table.columns.iter().skip(first);
        let heads: Vec<_> = columns.map(|it| (heading(it), "1")).collect();
        let mut out = self.line("", &heads, widths);
        for section in &table.sections {
            out += &self.heading(&section.heading);
            for row in &section.rows {
                let mut left: Option<&Cell> = None;
                let mut cells = Vec::new();
                for cell in row.cells.iter().skip(first).take(widths.len()) {
                    let like = left.filter(|it| it.is_like(cell));
                    let code = if like.is_some() { "2" } else { color(cell) };
                    cells.push((self.text(cell, like), code));
                    left = Some(cell);
                }
                out += &self.line(&row.name, &cells, widths);
            }
        }
        out
    }

    fn heading(&self, text: &str) -> String {
        let text = wrapped("  ", text, self.look);
        if text.trim().is_empty() {
            String::new()
        } else {
            self.look.paint("1", text.trim_end()) + "\n"
        }
    }

    /// The value with where it comes from: `64Mi [b:28]`; `=` where it is that of the column to the left.
    fn text(&mut self, cell: &Cell, like: Option<&Cell>) -> String {
        let mut text = if like.is_some() { "=" } else { &*cell.text }.to_owned();
        if cell.is_default && like.is_none_or(|it| !it.is_default) {
            text += " (default)";
        }
        let is_new = |it: &&CellNote| like.is_none_or(|left| !left.notes.contains(it));
        let notes: Vec<&CellNote> = cell.notes.iter().filter(is_new).collect();
        let mut references: Vec<String> =
            notes.iter().take(REFERENCES).map(|it| self.reference(it)).collect();
        if notes.len() > REFERENCES {
            references.push(format!("+{}", notes.len() - REFERENCES));
        }
        if !references.is_empty() {
            // What belongs together stays on one line.
            text += &format!(" [{}]", references.join(","));
        }
        text
    }

    fn reference(&mut self, note: &CellNote) -> String {
        match (note.at, &*note.words) {
            (Some(at), "") => {
                let (file, _) = self.files.insert_full(at.file);
                format!("{}:{}", letters(file), self.sources.start(at).line)
            }
            _ => (self.remarks.insert_full(self.note(note)).0 + 1).to_string(),
        }
    }

    fn note(&self, note: &CellNote) -> String {
        match (note.at, &*note.words) {
            (at, "") => place(self.sources, at),
            (None, words) => words.to_owned(),
            (at, words) => format!("{words}, {}", place(self.sources, at)),
        }
    }

    /// What letters and numbers stand for.
    fn legend(&self) -> String {
        let files = self.files.iter().enumerate();
        let files = files.map(|(index, it)| (letters(index), harmless(&self.sources[*it].path)));
        let remarks =
            self.remarks.iter().zip(1..).map(|(it, index)| (index.to_string(), it.clone()));
        let lines = files.chain(remarks).map(|(key, text)| {
            let line = wrapped(&format!("  [{key}] "), &text, self.look);
            self.look.paint("2", line.trim_end()) + "\n"
        });
        lines.collect()
    }

    /// What is left out.
    fn rest(&self) -> String {
        self.table.rest().iter().map(|it| wrapped("    ", it, self.look)).collect()
    }

    /// A table of one column, with the places beside the values.
    fn only_column(&self) -> String {
        let names = self.table.columns.first().map_or_else(String::new, |it| heading(it));
        let mut out = self.look.paint("1", wrapped("", &names, self.look).trim_end()) + "\n";
        for section in &self.table.sections {
            out += &self.heading(&section.heading);
            for row in &section.rows {
                out += &row.cells.first().map_or_else(String::new, |it| self.alone(&row.name, it));
            }
        }
        out
    }

    /// The setting of the only column, with its places beside it or below.
    fn alone(&self, name: &str, cell: &Cell) -> String {
        let Self { look, lead, .. } = *self;
        let head = pad(&format!("    {name}  "), lead);
        let text =
            if cell.is_default { format!("{} (default)", cell.text) } else { cell.text.clone() };
        let value = fold(&text, look.width.saturating_sub(lead));
        let longest = value.iter().map(|it| it.width()).max().unwrap_or(0);
        let below = format!("\n{}", " ".repeat(lead));
        let painted: Vec<String> = value.iter().map(|it| look.paint(color(cell), it)).collect();
        let mut out = head.clone() + &painted.join(&below);
        let notes: Vec<String> = cell.notes.iter().map(|it| self.note(it)).collect();
        let beside = notes.join(", ");
        let gap = longest.max(look.width / 6) + 2;
        if value.len() == 1 && head.width() + gap + beside.width() <= look.width {
            out += &" ".repeat(gap - longest);
            out += &look.paint("2", &beside);
            return out.trim_end().to_owned() + "\n";
        }
        let indent = if lead <= look.width * 2 / 5 { lead } else { look.width / 5 };
        let indent = " ".repeat(indent + 2);
        for note in notes {
            out = out.trim_end().to_owned() + "\n";
            out += &look.paint("2", wrapped(&indent, &note, look).trim_end());
        }
        out + "\n"
    }

    /// A name and values in their columns, in as many lines as they need.
    fn line(&self, name: &str, cells: &[(String, &'static str)], widths: &[usize]) -> String {
        let folded: Vec<Vec<String>> =
            cells.iter().zip(widths).map(|((text, _), width)| fold(text, *width)).collect();
        let names = fold(name, self.lead.saturating_sub(6));
        let height = folded.iter().map(Vec::len).chain([names.len()]).max().unwrap_or(0);
        let mut out = String::new();
        for index in 0..height {
            let name = names.get(index).map_or("", |it| it);
            let mut line = pad(&format!("    {name}"), self.lead);
            for (((_, code), lines), width) in cells.iter().zip(&folded).zip(widths) {
                let text = lines.get(index).map_or("", |it| it);
                line += &self.look.paint(code, text);
                line += &" ".repeat((width + 2).saturating_sub(text.width()));
            }
            out += line.trim_end();
            out.push('\n');
        }
        out
    }
}

/// `a` to `z`, then `aa` and so on.
fn letters(index: usize) -> String {
    let letter = |it: usize| char::from(b'a' + u8::try_from(it % 26).unwrap_or(0));
    match index.checked_sub(26) {
        None => letter(index).to_string(),
        Some(more) => format!("{}{}", letters(more / 26), letter(more)),
    }
}

/// `dev, test`; of many the first ones.
fn heading(names: &[String]) -> String {
    const NAMED: usize = 6;
    let mut text = names.iter().take(NAMED).map(|it| harmless(it)).collect::<Vec<_>>().join(", ");
    if names.len() > NAMED {
        text += &format!(", +{}", names.len() - NAMED);
    }
    text
}

fn color(cell: &Cell) -> &'static str {
    match cell.state {
        CellState::Told => "",
        CellState::Unset => "2",
        CellState::Odd => "33",
    }
}

fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// `text` in lines of at most `width` columns: broken between words, else behind what parts names, else
/// anywhere.
fn fold(text: &str, width: usize) -> Vec<String> {
    let width = width.max(8);
    let mut lines = vec![String::new()];
    let push = |lines: &mut Vec<String>, piece: &str| {
        let last = lines.last().map_or(0, |it| it.width());
        if last > 0 && last + piece.trim_end().width() > width {
            lines.push(String::new());
        }
        for character in piece.chars() {
            let is_full =
                lines.last().is_some_and(|it| it.width() + character.to_string().width() > width);
            if is_full && character == ' ' {
                continue;
            }
            if is_full {
                lines.push(String::new());
            }
            if let Some(line) = lines.last_mut() {
                line.push(character);
            }
        }
    };
    for word in text.split_inclusive(' ') {
        if word.trim_end().width() <= width {
            push(&mut lines, word);
        } else {
            word.split_inclusive(['/', ',', '=', ':']).for_each(|it| push(&mut lines, it));
        }
    }
    lines.into_iter().map(|it| it.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn text_is_broken_where_it_hurts_least() {
        assert_eq!(fold("one two three", 8), ["one two", "three"]);
        assert_eq!(
            fold("registry.k8s.io/metrics-server", 20),
            ["registry.k8s.io/", "metrics-server"]
        );
        assert_eq!(fold("abcdefghijkl", 8), ["abcdefgh", "ijkl"]);
        assert_eq!(fold("広い広い広い", 8), ["広い広い", "広い"]);
        assert_eq!(fold("", 8), [""]);
    }
}
