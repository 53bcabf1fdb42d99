//! The hashes by which GitHub and GitLab follow a finding from commit to commit.
//!
//! That of GitHub is a port of `src/fingerprints.ts` in `github/codeql-action`: if it differs in a single bit, the
//! upload warns and alerts come back as new ones.

use indexmap::IndexMap;
use sha2::{Digest as _, Sha256};

use crate::{
    baseline::FindingIdentity,
    finding::Finding,
    source::{FileId, Sources},
};

/// How many characters from the start of a line count, blanks left out.
const BLOCK: usize = 100;
const BASE: u64 = 37;
const END: u16 = 65535;

/// Hashes of the lines of files, each file hashed once.
#[derive(Debug, Default)]
pub(super) struct Fingerprints {
    files: IndexMap<FileId, Vec<String>>,
}

impl Fingerprints {
    /// The hash of a line, counted from 1.
    pub(super) fn line_hash(
        &mut self,
        sources: &Sources,
        file: FileId,
        line: u32,
    ) -> Option<String> {
        let hashes = self.files.entry(file).or_insert_with(|| hashes(sources.text(file)));
        hashes.get(line.checked_sub(1)? as usize).cloned()
    }
}

/// What tells the findings of a report apart without saying on which line they are.
#[derive(Debug, Default)]
pub(super) struct Identities {
    seen: IndexMap<String, u32>,
}

impl Identities {
    /// What `finding` is at any time, as a hash.
    pub(super) fn of_finding(&mut self, sources: &Sources, finding: &Finding) -> String {
        let it = FindingIdentity::of(sources, finding);
        self.of(&[&it.rule, &it.subject, &it.variant, &it.path, &it.line])
    }

    /// The hash of `parts`; of those that were there before, their number is a part.
    pub(super) fn of(&mut self, parts: &[&str]) -> String {
        let mut text = parts.join("\0");
        let count = self.seen.entry(text.clone()).or_insert(0);
        *count += 1;
        if *count > 1 {
            text += &format!("\0{count}");
        }
        format!("{:x}", Sha256::digest(text))
    }
}

/// The hash of each line of `text`.
fn hashes(text: &str) -> Vec<String> {
    let mut roll = Roll {
        window: [0; BLOCK],
        lines: [None; BLOCK],
        index: 0,
        hash: 0,
        first: (0..BLOCK).fold(1, |it: u64, _| it.wrapping_mul(BASE)),
        seen: IndexMap::new(),
        found: Vec::new(),
    };
    let (mut line, mut at_start, mut after_return) = (0, true, false);
    for unit in text.encode_utf16().chain([END]) {
        let skipped = matches!(unit, 0x20 | 0x09) || (after_return && unit == 0x0a);
        after_return = unit == 0x0d;
        if skipped {
            continue;
        }
        let unit = if after_return { 0x0a } else { unit };
        roll.output();
        if at_start {
            roll.lines[roll.index] = Some(line);
            line += 1;
        }
        at_start = unit == 0x0a;
        roll.update(unit);
    }
    for _ in 0..BLOCK {
        roll.output();
        roll.update(0);
    }
    roll.found
}

struct Roll {
    /// The last characters, in a ring.
    window: [u16; BLOCK],
    /// Which of them start a line, and which.
    lines: [Option<usize>; BLOCK],
    index: usize,
    hash: u64,
    first: u64,
    seen: IndexMap<u64, u32>,
    found: Vec<String>,
}

impl Roll {
    /// The line that starts where the ring comes round again is complete.
    fn output(&mut self) {
        let Some(line) = self.lines[self.index].take() else { return };
        let count = self.seen.entry(self.hash).or_insert(0);
        *count += 1;
        let text = format!("{:x}:{count}", self.hash);
        if self.found.len() <= line {
            self.found.resize(line + 1, String::new());
        }
        self.found[line] = text;
    }

    fn update(&mut self, unit: u16) {
        let begin = std::mem::replace(&mut self.window[self.index], unit);
        self.hash = self
            .hash
            .wrapping_mul(BASE)
            .wrapping_add(unit.into())
            .wrapping_sub(self.first.wrapping_mul(begin.into()));
        self.index = (self.index + 1) % BLOCK;
    }
}

#[cfg(test)]
mod tests {
    use super::hashes;

    #[test]
    fn as_codeql_action_tests_it() {
        assert_eq!(hashes(""), ["c129715d7a2bc9a3:1"]);
        let expected =
            ["271789c17abda88f:1", "54703d4cd895b18:1", "180aee12dab6264:1", "a23a3dc5e078b07b:1"];
        assert_eq!(hashes(" a\nb\n  \t\tc\n d"), expected);
        assert_eq!(hashes(" a\r\nb\r\n  \t\tc\r\n d"), expected);
        assert_eq!(hashes(" a\rb\r  \t\tc\r d"), expected);
        let lorem = hashes(&"Lorem ipsum dolor sit amet.\n".repeat(10));
        assert_eq!(lorem[..6], [1, 2, 3, 4, 5, 6].map(|it| format!("a7f2ff13bc495cf2:{it}")));
        assert_eq!(lorem[6], "a7f2ff1481e87703:1");
    }
}
