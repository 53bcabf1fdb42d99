//! From what a template printed to trees whose values know where they came from.

use std::ops::Range;

use super::text::{MarkSource, MarkedText, Perhaps};
use crate::{
    emit::UNKNOWN,
    parse::{self, SyntaxError},
    scalar::Dialect,
    source::Span,
    tree::{Entry, Kind, Map, Node, Origin, Reason, Via},
};

/// A document that a template printed.
#[derive(Debug, Clone)]
pub(crate) struct PrintedDocument {
    /// What it holds, or what is wrong with it, and where.
    pub root: Result<Node, (SyntaxError, Origin)>,
    /// Why it may not be there at all.
    pub perhaps: Option<Reason>,
}

impl MarkedText {
    /// The YAML documents of the text.
    pub(crate) fn documents(&self) -> Vec<PrintedDocument> {
        let text = self.unknown_lines_as_entries();
        let read = Reader { text: &text };
        let documents = parse::offsets(&text.text, Dialect::Sigs);
        // What would be there, if other conditions held.
        let ghostly = (!text.ghosts.is_empty()).then(|| text.with_ghosts());
        let others = ghostly.as_ref().map(|(text, _)| parse::offsets(&text.text, Dialect::Sigs));
        let same_count =
            others.as_ref().is_some_and(|others| others.list.len() == documents.list.len());
        let mut list = Vec::new();
        for (index, document) in documents.list.iter().enumerate() {
            let Ok(root) = &document.root else {
                let error = document.root.clone().err();
                list.extend(error.map(|error| {
                    let at = error.span.map_or(0, |it| it.start as usize);
                    let origin = read.near(at);
                    PrintedDocument { root: Err((error, origin)), perhaps: None }
                }));
                continue;
            };
            if root.is_null() {
                continue;
            }
            let range = range_of(root);
            let around: Vec<usize> = text.branches_at(range.start).collect();
            let whole = around.iter().find(|it| text.branches[**it].range.end >= range.end);
            let perhaps = whole.map(|it| text.branches[*it].why.clone());
            let mut node = read.rebuilt(root, &around);
            if let (true, Some((_, by)), Some(others)) = (same_count, &ghostly, &others)
                && let Ok(other) = &others.list[index].root
            {
                note_removed(&mut node, other, by);
            }
            list.push(PrintedDocument { root: Ok(node), perhaps });
        }
        list
    }

    /// The branches that hold the byte at `at`, outermost first.
    fn branches_at(&self, at: usize) -> impl Iterator<Item = usize> {
        let holds = move |it: &Perhaps| it.range.start <= at && at < it.range.end;
        self.branches.iter().enumerate().filter(move |(_, it)| holds(it)).map(|(index, _)| index)
    }

    /// Whether the text is something whatever its unknown parts are.
    pub(super) fn is_surely_something(&self) -> bool {
        let mut known = self.text.char_indices().filter(|(_, it)| !it.is_whitespace());
        known.any(|(at, _)| {
            let unknown = |it: &super::text::TextMark| {
                matches!(it.from, MarkSource::Unknown(..)) && it.range.contains(&at)
            };
            !self.marks.iter().any(unknown) && self.branches_at(at).next().is_none()
        })
    }

    /// The text in which a value that nobody can tell, and that has lines of its own, is an item of
    /// the list or a key of the map around it.
    fn unknown_lines_as_entries(&self) -> Self {
        if !self.text.contains(UNKNOWN) {
            return self.clone();
        }
        let lines: Vec<&str> = self.text.split_inclusive('\n').collect();
        let mut result = Self::default();
        result.text.reserve(self.len());
        let mut at = 0;
        for (index, line) in lines.iter().enumerate() {
            let range = at..at + line.len();
            at = range.end;
            if line.trim() != UNKNOWN {
                result.push_part(self, range);
                continue;
            }
            let indent = line.len() - line.trim_start().len();
            let (start, end) = (range.start + indent, range.start + indent + UNKNOWN.len());
            result.push_part(self, range.start..start);
            let entry = around(&lines[..index], &lines[index + 1..], indent);
            if entry == Some(LineEntry::Item) {
                result.push_made("- ");
            }
            result.push_part(self, start..end);
            if entry == Some(LineEntry::Key) {
                result.push_made(":");
            }
            result.push_part(self, end..range.end);
        }
        result
    }

    /// The text with all that conditions leave out, and where that stands in it and by what.
    fn with_ghosts(&self) -> (Self, Vec<(Range<usize>, Origin)>) {
        let mut ghosts: Vec<_> = self.ghosts.iter().collect();
        ghosts.sort_by_key(|it| it.at);
        let (mut result, mut by, mut at) = (Self::default(), Vec::new(), 0);
        for ghost in ghosts {
            result.text.push_str(self.text.get(at..ghost.at).unwrap_or_default());
            let start = result.len();
            result.text.push_str(&ghost.text.text);
            by.push((start..result.len(), ghost.by.clone()));
            at = ghost.at;
        }
        result.text.push_str(self.text.get(at..).unwrap_or_default());
        (result, by)
    }
}

/// What a line is, between its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineEntry {
    Item,
    Key,
}

/// What the line between `before` and `after` has to be that is indented by `indent`; nothing where
/// it is a value by itself.
fn around(before: &[&str], after: &[&str], indent: usize) -> Option<LineEntry> {
    let width = |line: &str| line.len() - line.trim_start().len();
    let kind = |line: &str| match line.trim_start() {
        it if it.starts_with("- ") || it.trim_end() == "-" => LineEntry::Item,
        _ => LineEntry::Key,
    };
    let mut solid = before.iter().rev().filter(|it| !it.trim().is_empty());
    let last = solid.find(|it| width(it) <= indent || it.trim_start().starts_with("- "));
    let inside_item = |it: &str| {
        // `- a: b` holds a map that is indented by two more.
        let rest = it.trim_start().strip_prefix("- ")?;
        let inner = it.len() - rest.trim_start().len();
        (inner == indent).then_some(LineEntry::Key)
    };
    match last {
        Some(it)
            if width(it) == indent
                && it.trim_end().ends_with(':')
                && kind(it) == LineEntry::Key =>
        {
            Some(LineEntry::Item)
        }
        Some(it) if width(it) == indent && !it.trim_start().starts_with("---") => Some(kind(it)),
        Some(it) if inside_item(it).is_some() => Some(LineEntry::Key),
        _ => {
            let next = after.iter().find(|it| !it.trim().is_empty())?;
            (width(next) == indent && !next.starts_with("---")).then(|| kind(next))
        }
    }
}

fn range_of(node: &Node) -> Range<usize> {
    node.origin.written_at().map_or(0..0, Span::range)
}

/// Puts the origins of a text into the tree that was parsed of it.
struct Reader<'a> {
    text: &'a MarkedText,
}

impl Reader<'_> {
    /// What is known of the place of a byte, or the last one before it.
    fn near(&self, at: usize) -> Origin {
        let here = at..at + 1;
        let mark = self.text.marks_in(&here).next().or_else(|| {
            let before = self.text.marks.partition_point(|it| it.range.start <= at);
            self.text.marks.get(before.saturating_sub(1))
        });
        match mark.map(|it| (&it.from, it.range.start)) {
            Some((MarkSource::File(file, start), from)) => {
                let at = start + at.saturating_sub(from);
                Origin::written(Span::new(*file, at..at))
            }
            Some((MarkSource::Value(origin) | MarkSource::Unknown(_, origin), _)) => origin.clone(),
            None => Origin::at(Via::Written, None),
        }
    }

    /// The place of a map or a list: from where it begins to where the same file ends it.
    fn place(&self, range: &Range<usize>) -> Origin {
        let start = self.near(range.start);
        let end = self.near(range.end.saturating_sub(1).max(range.start));
        match (start.written_at(), end.written_at()) {
            (Some(first), Some(last))
                if start.steps().count() == 1
                    && first.file == last.file
                    && first.start < last.end =>
            {
                Origin::written(Span { end: last.end, ..first })
            }
            _ => start,
        }
    }

    /// `node` with its origins; `around` are the branches that are told of further out.
    fn rebuilt(&self, node: &Node, around: &[usize]) -> Node {
        let range = range_of(node);
        match &node.kind {
            Kind::Map(map) => {
                let mut rebuilt = Map::default();
                for (key, entry) in map.iter() {
                    let place = entry.key.map_or_else(|| range_of(&entry.value), Span::range);
                    if let Some(why) = self.unknown_in(&place) {
                        rebuilt.open = Some(why);
                        continue;
                    }
                    let value = self.child(&entry.value, place.start, around);
                    let key_at = self.text.origin_of(place).and_then(|it| it.written_at());
                    rebuilt.insert(key, Entry { key: key_at, value });
                }
                Node::new(rebuilt, self.place(&range))
            }
            Kind::List(items) => {
                let items = items.iter().map(|it| self.child(it, range_of(it).start, around));
                Node::new(items.collect::<Vec<_>>(), self.place(&range))
            }
            Kind::Scalar(_) | Kind::Unknown(_) => self.scalar(node, range, around),
        }
    }

    /// What stands in a list or a map, whose item or key starts at `start`.
    fn child(&self, node: &Node, start: usize, around: &[usize]) -> Node {
        let here: Vec<usize> = self.text.branches_at(start).collect();
        let new = here.iter().find(|it| !around.contains(it));
        let value = self.rebuilt(node, &here);
        match new {
            Some(index) if value.unknown().is_none() => {
                value.perhaps(self.text.branches[*index].why.clone(), false)
            }
            _ => value,
        }
    }

    fn scalar(&self, node: &Node, mut range: Range<usize>, around: &[usize]) -> Node {
        if range.is_empty() {
            // A value that prints as nothing stands behind the white space that follows the key.
            let rest = self.text.text.get(range.start..).unwrap_or_default();
            range.end += rest.len() - rest.trim_start_matches(' ').len();
        }
        let origin = self.text.origin_of(range.clone()).unwrap_or_else(|| self.near(range.start));
        let branch = self.text.branches.iter().enumerate().find(|(index, it)| {
            it.range.start < range.end && range.start < it.range.end && !around.contains(index)
        });
        match self.unknown_in(&range).or_else(|| branch.map(|(_, it)| it.why.clone())) {
            Some(why) => Node::unknown_value(why, &origin),
            None => Node::new(node.kind.clone(), origin),
        }
    }

    fn unknown_in(&self, range: &Range<usize>) -> Option<Reason> {
        self.text.marks_in(range).find_map(|it| match &it.from {
            MarkSource::Unknown(why, _) => Some(why.clone()),
            _ => None,
        })
    }
}

/// Remembers of `node` what `other` has more, where conditions left that out.
fn note_removed(node: &mut Node, other: &Node, by: &[(Range<usize>, Origin)]) {
    match &other.kind {
        Kind::Map(others) => {
            let Some(map) = node.as_map_mut() else { return };
            for (key, entry) in others.iter() {
                if let Some(value) = map.get_mut(key) {
                    note_removed(value, &entry.value, by);
                    continue;
                }
                let at = entry.key.map_or(0, |it| it.start as usize);
                if let Some((_, by)) = by.iter().find(|(range, _)| range.contains(&at)) {
                    map.note_removed(key, by.clone());
                }
            }
        }
        Kind::List(others) => {
            let Some(items) = node.as_list_mut() else { return };
            if items.len() == others.len() {
                for (item, other) in items.iter_mut().zip(others.iter()) {
                    note_removed(item, other, by);
                }
            }
        }
        Kind::Scalar(_) | Kind::Unknown(_) => {}
    }
}
