//! The lines that a fix takes away and puts in.

use similar::{ChangeTag, TextDiff};

use crate::{
    edit,
    finding::{Edit, Fix},
    report::secrets::Secrets,
    source::{FileId, Sources, Span},
};

/// More lines tell less than the patch itself, which `--diff` prints.
const MOST: usize = 6;

/// A line that is taken away or put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PatchLine {
    /// The file, where it is another than that of the line before.
    pub path: Option<String>,
    pub is_new: bool,
    /// From 1, in the file before or after.
    pub number: usize,
    /// Without its line break.
    pub text: String,
    /// The byte of it from which on it is another.
    pub differs: usize,
}

/// What `fix` does to the lines of files, of which the first is `file`; nothing of lines that hold
/// secrets, and of more than can be looked over.
pub(super) fn lines(
    sources: &Sources,
    fix: &Fix,
    secrets: &Secrets,
    mut file: FileId,
) -> Vec<PatchLine> {
    let mut lines = Vec::new();
    for edits in fix.edits.chunk_by(|one, next| one.span.file == next.span.file) {
        let Some(first) = edits.first().map(|it| it.span.file) else { continue };
        let mut path = Some(&sources[first].path).filter(|_| first != file).cloned();
        file = first;
        for line in of_file(sources, file, edits, secrets) {
            lines.push(PatchLine { path: path.take(), ..line });
        }
    }
    if lines.len() > MOST { Vec::new() } else { lines }
}

fn of_file(sources: &Sources, file: FileId, edits: &[Edit], secrets: &Secrets) -> Vec<PatchLine> {
    let (Some(first), Some(last)) = (edits.first(), edits.last()) else { return Vec::new() };
    let [start, end] = [sources.start(first.span).line, sources.end(last.span).line];
    let range = sources.line_range(file, start).start..sources.line_range(file, end).end;
    let whole = Span::new(file, range);
    if secrets.touch(whole) {
        return Vec::new();
    }
    let was = sources.slice(whole);
    let is = edit::edited(sources, whole, edits);
    let diff = TextDiff::from_lines(was, &*is);
    let changes: Vec<_> =
        diff.iter_all_changes().filter(|it| it.tag() != ChangeTag::Equal).collect();
    let common = |one: &str, other: &str| {
        let pairs = one.char_indices().zip(other.chars());
        pairs.take_while(|((_, one), other)| one == other).last().map_or(0, |((at, _), _)| at)
    };
    let line = |index: usize| {
        let change = &changes[index];
        let is_new = change.tag() == ChangeTag::Insert;
        let other = if is_new { index.checked_sub(1) } else { Some(index + 1) };
        let other = other.and_then(|it| changes.get(it)).filter(|it| it.tag() != change.tag());
        let number = if is_new { change.new_index() } else { change.old_index() };
        PatchLine {
            path: None,
            is_new,
            number: start as usize + number.unwrap_or_default(),
            text: change.value().trim_end_matches(['\n', '\r']).to_owned(),
            differs: other.map_or(0, |it| common(change.value(), it.value())),
        }
    };
    (0..changes.len()).map(line).collect()
}
