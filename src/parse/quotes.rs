//! Quoted texts that go-yaml reads and YAML 1.2 does not have: lines that are indented no more than
//! what the text is in, and `\'` in double quotes (`yaml_parser_scan_flow_scalar` of its `scannerc.go`).

use granit_parser::{ErrorKind, ScanError};

/// How many bytes are read again, for all such texts of a stream.
const MAX_AGAIN: usize = 1 << 20;

/// A text as YAML 1.2 has it, longer than the one that it stands for.
pub(super) struct Widened {
    pub text: String,
    /// Up to where something is inserted, in order, and how many bytes are up to there.
    inserted: Vec<(usize, usize)>,
    again: usize,
    /// Where what was indented last ends.
    indented: usize,
}

impl Widened {
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), inserted: Vec::new(), again: 0, indented: 0 }
    }

    /// Inserts what the quoted text lacks that `error` is about; whether there is something, and bytes may
    /// be read again. Of several it is told in their order.
    pub(super) fn widen(&mut self, error: &ScanError) -> bool {
        let Some(at) = error.marker().byte_offset() else { return false };
        self.again += self.text.len();
        if self.again > MAX_AGAIN || !self.text.is_char_boundary(at) {
            return false;
        }
        let rest = self.text.split_off(match error.kind() {
            ErrorKind::UnknownQuotedScalarEscape => at,
            _ => self.text[..at].rfind('\n').map_or(0, |it| it + 1),
        });
        let mut added = Vec::new();
        let taken = match error.kind() {
            ErrorKind::UnknownQuotedScalarEscape => self.escape(&rest, &mut added),
            _ => self.indent(&rest, &mut added),
        };
        self.text.push_str(&rest[taken..]);
        self.insert(&added);
        !added.is_empty()
    }

    /// Of the double quotes that `rest` starts with, each `\'` as another escape.
    /// Where something is added in the text as it was, and how much, is told.
    fn escape(&mut self, rest: &str, added: &mut Vec<(usize, usize)>) -> usize {
        let start = self.text.len();
        let (mut is_escaped, mut taken) = (false, rest.len());
        for (at, character) in rest.char_indices() {
            match character {
                '\'' if is_escaped => {
                    self.text.push_str("x27");
                    added.push((start + at + 1, 2));
                }
                _ => self.text.push(character),
            }
            if character == '"' && !is_escaped && at > 0 {
                taken = at + 1;
                break;
            }
            is_escaped = character == '\\' && !is_escaped;
        }
        taken
    }

    /// Indents the lines that `rest` starts with, up to the first that may close the quotes.
    fn indent(&mut self, rest: &str, added: &mut Vec<(usize, usize)>) -> usize {
        let start = self.text.len();
        let last = self.text.lines().next_back().filter(|_| self.text.len() == self.indented);
        let ended = |mark| last.is_some_and(|it| ends(it, mark));
        // A mark that did not end the text is not its own.
        let is_end = match (ended('"'), ended('\'')) {
            (true, _) => |line: &str| ends(line, '\''),
            (_, true) => |line: &str| ends(line, '"'),
            _ => |line: &str| line.contains(['"', '\'']),
        };
        let above = self.text.lines().rev().find(|it| !it.trim().is_empty()).unwrap_or_default();
        let inner = above.trim_start_matches([' ', '-', '?', ':']);
        let width = above.len() - inner.len() + 1;
        let mut taken = 0;
        for line in rest.split_inclusive('\n') {
            if line.starts_with("---") || line.starts_with("...") {
                break;
            }
            self.text.extend(std::iter::repeat_n(' ', width));
            added.push((start + taken, width));
            self.text.push_str(line);
            taken += line.len();
            if is_end(line) {
                break;
            }
        }
        self.indented = self.text.len();
        taken
    }

    /// Takes note of what is `added`, some of it before what was before.
    fn insert(&mut self, added: &[(usize, usize)]) {
        let mut all: Vec<(usize, usize, usize)> = Vec::new();
        let mut before = 0;
        for (end, up_to) in std::mem::take(&mut self.inserted) {
            all.push((end, up_to - before, 0));
            before = up_to;
        }
        all.extend(added.iter().map(|(at, bytes)| (*at, *bytes, *bytes)));
        all.sort_by_key(|it| it.0);
        let (mut shift, mut up_to) = (0, 0);
        for (end, bytes, new) in all {
            (shift, up_to) = (shift + new, up_to + bytes);
            self.inserted.push((end + shift, up_to));
        }
    }

    /// Where a byte of the wider text stands in the other.
    pub(super) fn before(&self, offset: usize) -> usize {
        let at = self.inserted.partition_point(|(end, _)| *end <= offset);
        offset.saturating_sub(at.checked_sub(1).map_or(0, |it| self.inserted[it].1))
    }
}

/// Whether `line` ends quotes of that `mark`: where it stands neither twice nor behind a backslash.
fn ends(line: &str, mark: char) -> bool {
    if mark == '\'' {
        return line.split(|it| it != mark).any(|it| it.len() % 2 == 1);
    }
    let mut is_escaped = false;
    line.chars().any(|it| {
        let ends = it == mark && !is_escaped;
        is_escaped = it == '\\' && !is_escaped;
        ends
    })
}

/// Whether `error` is about what go-yaml reads.
pub(super) fn is_read(error: &ScanError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidQuotedScalarIndent | ErrorKind::UnknownQuotedScalarEscape
    )
}
