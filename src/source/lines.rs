//! Lines and columns.

use std::ops::Range;

use super::{FileId, Position, Sources, Span};

/// In lines that are longer, characters are counted in blocks of so many bytes, and once: all of a file
/// may be one line, with thousands of places that are asked for.
const BLOCK: usize = 4096;

impl Sources {
    /// Where `span` starts.
    pub(crate) fn start(&self, span: Span) -> Position {
        self.position(span.file, span.start)
    }

    /// Where `span` ends; the column is that of the character after it.
    pub(crate) fn end(&self, span: Span) -> Position {
        self.position(span.file, span.end)
    }

    /// The text of a line, counted from 1, without its line break.
    pub(crate) fn line(&self, file: FileId, line: u32) -> &str {
        let range = self.line_range(file, line);
        self.text(file).get(range).unwrap_or_default().trim_end_matches(['\n', '\r'])
    }

    /// The bytes of a line, counted from 1, its line break included.
    pub(crate) fn line_range(&self, file: FileId, line: u32) -> Range<usize> {
        let starts = self.line_starts(file);
        let at = |line: usize| starts.get(line).map_or(self.text(file).len(), |at| *at as usize);
        let line = line.max(1) as usize;
        at(line - 1)..at(line)
    }

    fn position(&self, file: FileId, byte: u32) -> Position {
        let text = self.text(file);
        let starts = self.line_starts(file);
        let line = starts.partition_point(|start| *start <= byte).max(1);
        let start = starts.get(line - 1).copied().unwrap_or(0) as usize;
        // A byte order mark is in no column.
        let start =
            start + if text[start..].starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let before = match text.get(start..byte as usize) {
            Some(before) if before.len() < BLOCK => before.chars().count(),
            Some(_) => {
                self.characters_before(file, byte as usize) - self.characters_before(file, start)
            }
            None => 0,
        };
        Position {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(before + 1).unwrap_or(u32::MAX),
        }
    }

    /// The characters of `file` that start before a byte.
    fn characters_before(&self, file: FileId, byte: usize) -> usize {
        let bytes = self.text(file).as_bytes();
        let blocks = self[file].characters.get_or_init(|| characters(bytes));
        let block = byte / BLOCK;
        let known = blocks.get(block).copied().unwrap_or(0) as usize;
        known + characters_of(&bytes[block * BLOCK..byte])
    }

    /// The byte at which each line starts.
    pub(crate) fn line_starts(&self, file: FileId) -> &[u32] {
        self[file].lines.get_or_init(|| {
            let text = self.text(file);
            let breaks = memchr::memchr_iter(b'\n', text.as_bytes());
            // `MAX_FILE` keeps offsets below 2^32.
            #[expect(clippy::cast_possible_truncation, reason = "files are under MAX_FILE bytes")]
            [0].into_iter().chain(breaks.map(|at| at as u32 + 1)).collect()
        })
    }
}

/// How many characters start before each block of a file.
fn characters(bytes: &[u8]) -> Vec<u32> {
    let counts = bytes.chunks(BLOCK).scan(0, |before, block| {
        let count = *before;
        *before += characters_of(block);
        u32::try_from(count).ok()
    });
    counts.collect()
}

/// How many characters of UTF-8 start in `bytes`.
fn characters_of(bytes: &[u8]) -> usize {
    bytes.iter().filter(|it| **it & 0xc0 != 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_long_lines_are_those_of_short_ones() {
        for unit in ["x", "aé", "\u{1f600}", "漢字 ="] {
            let long = unit.repeat(3 * BLOCK / unit.len() + 7);
            for before in ["", "\u{feff}", "k: v\n", "\u{feff}k: v\n"] {
                let text = format!("{before}{long}\nlast: 1\n");
                let sources = Sources::in_memory([("a.yaml", &*text)]);
                let file = sources.find("a.yaml").expect("it is there");
                let start = text.find(unit).expect("a start");
                for (column, (at, _)) in (1..).zip(long.char_indices()).step_by(97) {
                    let byte = start + at;
                    let position = sources.start(Span::new(file, byte..byte));
                    assert_eq!(position.column, column, "{unit} at {byte}");
                }
                let last = text.find("st: 1").expect("it is there");
                assert_eq!(sources.start(Span::new(file, last..last)).column, 3);
            }
        }
    }
}
