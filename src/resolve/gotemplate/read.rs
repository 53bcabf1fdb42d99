//! From what a template printed to trees whose values know where they came from.

use std::ops::Range;

use indexmap::IndexMap;

use super::text::{MarkSource, MarkedText, Perhaps};
use crate::{
    emit::UNKNOWN,
    parse::{self, Documents, SyntaxError},
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

impl PrintedDocument {
    /// What it holds; of one that may not be there at all, what it is if it is there.
    ///
    /// # Errors
    /// It is not YAML, and why.
    pub(crate) fn into_node(self) -> Result<Node, String> {
        let root = self.root.map_err(|(error, _)| error.message)?;
        Ok(match self.perhaps {
            Some(why) => root.perhaps(why, false),
            None => root,
        })
    }
}

impl MarkedText {
    /// The YAML documents of the text.
    pub(crate) fn documents(&self) -> Vec<PrintedDocument> {
        let text = self.unknown_lines_as_entries();
        let read = Reader { text: &text };
        let sides = text.sides();
        let parsed: Vec<Documents> =
            sides.iter().map(|it| parse::offsets(&it.text.text, Dialect::Sigs)).collect();
        // What would be there, if other conditions held.
        let ghostly = sides.first().filter(|it| !it.text.ghosts.is_empty());
        let ghostly = ghostly.map(|it| it.text.with_ghosts());
        let others = ghostly.as_ref().map(|(text, _)| parse::offsets(&text.text, Dialect::Sigs));
        let others = others.filter(|it| it.list.len() == parsed[0].list.len());
        // What stands at the same place is one document.
        let mut list: Vec<(Range<usize>, Vec<Node>, Option<Node>)> = Vec::new();
        let mut errors = Vec::new();
        for (number, (side, documents)) in sides.iter().zip(&parsed).enumerate() {
            for (index, document) in documents.list.iter().enumerate() {
                let root = match &document.root {
                    Ok(root) if root.is_null() => continue,
                    Ok(root) => side.placed(root),
                    Err(error) => {
                        errors.push(error.clone());
                        continue;
                    }
                };
                let range = range_of(&root);
                // What is left out is looked for in the first side, of which the others are made.
                let ghost = others.as_ref().filter(|_| number == 0);
                let ghost = ghost.and_then(|it| it.list.get(index)?.root.clone().ok());
                match list.iter_mut().find(|it| it.0.start < range.end && range.start < it.0.end) {
                    Some((all, roots, _)) => {
                        *all = all.start.min(range.start)..all.end.max(range.end);
                        roots.push(root);
                    }
                    None => list.push((range, vec![root], ghost)),
                }
            }
        }
        list.sort_by_key(|it| it.0.start);
        // A side that is no YAML is none that anybody deploys, unless there is no other.
        if list.is_empty() || sides.len() == 1 {
            let failed = errors.into_iter().map(|error| {
                let origin = read.near(error.span.map_or(0, |it| it.start as usize));
                PrintedDocument { root: Err((error, origin)), perhaps: None }
            });
            let read = list.into_iter().map(|it| read.document(it, 1, ghostly.as_ref()));
            return read.chain(failed).collect();
        }
        list.into_iter().map(|it| read.document(it, sides.len(), ghostly.as_ref())).collect()
    }

    /// The texts that it may be: conditions that nobody can tell hold or do not, all that are as deep
    /// in others alike. Each part of it is in one of them at least.
    fn sides(&self) -> Vec<Side> {
        let mut order: Vec<&Perhaps> = self.branches.iter().collect();
        order.sort_by_key(|it| (it.range.start, std::cmp::Reverse(it.range.end)));
        let (mut open, mut deep) = (Vec::<usize>::new(), Vec::new());
        for branch in order {
            while open.last().is_some_and(|end| *end <= branch.range.start) {
                open.pop();
            }
            deep.push((branch, open.len()));
            open.push(branch.range.end);
        }
        let depth = deep.iter().map(|it| it.1 + 1).max().unwrap_or(0).min(MAX_DEPTH);
        let texts = (0..1_usize << depth).map(|mask| {
            let mut side = Side { text: Self::default(), pieces: Vec::new() };
            let mut at = 0;
            for (branch, depth) in &deep {
                let holds = mask >> depth & 1 == 0;
                if branch.range.start >= at && *depth < MAX_DEPTH && holds != branch.then {
                    side.push(self, at..branch.range.start);
                    at = branch.range.end;
                }
            }
            side.push(self, at..self.len());
            side
        });
        texts.collect()
    }

    /// Whether the text is something whatever its unknown parts are.
    pub(super) fn is_surely_something(&self) -> bool {
        let unknown = self.marks.iter().filter(|it| matches!(it.from, MarkSource::Unknown(..)));
        let unknown = unknown.map(|it| &it.range).chain(self.branches.iter().map(|it| &it.range));
        let mut unknown: Vec<_> = unknown.cloned().collect();
        unknown.sort_by_key(|it| it.start);
        let mut at = 0;
        let end = self.len()..self.len();
        for range in unknown.into_iter().chain(std::iter::once(end)) {
            let between = self.text.get(at..range.start.max(at)).unwrap_or_default();
            if !between.trim().is_empty() {
                return true;
            }
            at = at.max(range.end);
        }
        false
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
        let mut inserted: Vec<(usize, usize)> = Vec::new();
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
                inserted.push((start, 2));
            }
            result.push_part(self, start..end);
            if entry == Some(LineEntry::Key) {
                result.push_made(":");
                inserted.push((end, 1));
            }
            result.push_part(self, end..range.end);
        }
        // What is inserted belongs to the branch around it.
        let moved = |at: usize, last: bool| {
            let before = inserted.iter().filter(|it| it.0 < at || (last && it.0 == at));
            at + before.map(|it| it.1).sum::<usize>()
        };
        let branch = |it: &Perhaps| {
            let range = moved(it.range.start, false)..moved(it.range.end, true);
            Perhaps { range, ..it.clone() }
        };
        result.branches = self.branches.iter().map(branch).collect();
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

/// Conditions that are deeper in one another all hold.
const MAX_DEPTH: usize = 3;

/// What a text may be: a part of it.
struct Side {
    text: MarkedText,
    /// Where each piece begins here and there, in order.
    pieces: Vec<(usize, usize)>,
}

impl Side {
    fn push(&mut self, text: &MarkedText, part: Range<usize>) {
        if !part.is_empty() {
            self.pieces.push((self.text.len(), part.start));
            self.text.push_part(text, part);
        }
    }

    /// Where a byte of it is in the whole text.
    fn place(&self, at: usize) -> usize {
        let piece = self.pieces.partition_point(|it| it.0 <= at).saturating_sub(1);
        self.pieces.get(piece).map_or(at, |(here, there)| there + (at - here))
    }

    fn span(&self, span: Span) -> Span {
        let range = span.range();
        let start = self.place(range.start);
        let end = if range.is_empty() { start } else { self.place(range.end - 1) + 1 };
        Span::new(span.file, start..end.max(start))
    }

    /// A node of it, placed in the whole text.
    fn placed(&self, node: &Node) -> Node {
        let at = node.origin.written_at().map(|it| Origin::written(self.span(it)));
        let origin = at.unwrap_or_else(|| node.origin.clone());
        match &node.kind {
            Kind::Map(map) => {
                let mut placed = Map::open(map.open.clone());
                for (key, entry) in map.iter() {
                    let at = entry.key.map(|it| self.span(it));
                    placed.insert(key, Entry { key: at, value: self.placed(&entry.value) });
                }
                Node::new(placed, origin)
            }
            Kind::List(items) => {
                Node::new(items.iter().map(|it| self.placed(it)).collect::<Vec<_>>(), origin)
            }
            _ => Node::new(node.kind.clone(), origin),
        }
    }
}

/// A text with all that conditions leave out, and where that stands in it and by what.
type GhostlyText = (MarkedText, Vec<(Range<usize>, Origin)>);

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
            Some((
                MarkSource::Value(origin)
                | MarkSource::Unknown(_, origin)
                | MarkSource::Filled(_, origin),
                _,
            )) => origin.clone(),
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

    /// A document of which `roots` are the sides that have it, of `sides` in all.
    fn document(
        &self,
        (range, roots, ghost): (Range<usize>, Vec<Node>, Option<Node>),
        sides: usize,
        ghosts: Option<&GhostlyText>,
    ) -> PrintedDocument {
        let mut node = self.rebuilt(&roots.iter().collect::<Vec<_>>());
        if let (Some(other), Some((_, by))) = (&ghost, ghosts) {
            note_removed(&mut node, other, by);
        }
        let perhaps = (roots.len() < sides).then(|| self.why(&range));
        PrintedDocument { root: Ok(node), perhaps }
    }

    /// Why what stands at `range` may be there or not.
    fn why(&self, range: &Range<usize>) -> Reason {
        let near = self.text.branches.iter().filter(|it| {
            it.range.start < range.end.max(range.start + 1) && range.start < it.range.end
        });
        let inner = near.min_by_key(|it| it.range.len()).or(self.text.branches.first());
        inner.map_or_else(|| "a condition".into(), |it| it.why.clone())
    }

    /// One node of what it is in each of the sides, with its origins.
    fn rebuilt(&self, sides: &[&Node]) -> Node {
        let Some(first) = sides.first() else {
            return Node::new(Kind::from(""), Origin::at(Via::Written, None));
        };
        let range = range_of(first);
        // What is nothing on one side may be there or not, as a key that is missing.
        let some: Vec<&Node> = sides.iter().copied().filter(|it| !it.is_null()).collect();
        if let 1.. = some.len()
            && some.len() < sides.len()
        {
            return self.perhaps(&some, sides.len(), &range_of(some[0]));
        }
        let maps: Vec<&Map> = sides.iter().filter_map(|it| it.as_map()).collect();
        let lists: Vec<&[Node]> = sides.iter().filter_map(|it| it.as_list()).collect();
        if maps.len() == sides.len() {
            return Node::new(self.map(&maps), self.place(&range));
        }
        if lists.len() == sides.len() {
            return Node::new(self.list(&lists), self.place(&range));
        }
        if sides.iter().all(|it| it.as_scalar().is_some()) {
            return self.scalar(sides, range);
        }
        Node::unknown_value(self.why(&range), &self.place(&range))
    }

    fn map(&self, sides: &[&Map]) -> Map {
        let mut rebuilt = Map::default();
        let place = |it: &Entry| it.key.map_or_else(|| range_of(&it.value), Span::range);
        let mut entries: Vec<_> = sides.iter().flat_map(|it| it.iter()).collect();
        entries.sort_by_key(|(_, it)| place(it).start);
        for (key, entry) in entries {
            let place = place(entry);
            if let Some(why) = self.unknown_in(&place) {
                rebuilt.open = Some(why);
                continue;
            }
            if rebuilt.get(key).is_some() {
                continue;
            }
            let values: Vec<&Node> = sides.iter().filter_map(|it| it.get(key)).collect();
            let value = self.perhaps(&values, sides.len(), &place);
            let key_at = self.text.origin_of(place).and_then(|it| it.written_at());
            rebuilt.insert(key, Entry { key: key_at, value });
        }
        rebuilt
    }

    /// The items, those at the same place taken for one.
    fn list(&self, sides: &[&[Node]]) -> Vec<Node> {
        let mut items: IndexMap<usize, Vec<&Node>> = IndexMap::new();
        for item in sides.iter().copied().flatten() {
            items.entry(range_of(item).start).or_default().push(item);
        }
        items.sort_unstable_keys();
        let perhaps = |it: &Vec<&Node>| self.perhaps(it, sides.len(), &range_of(it[0]));
        items.values().map(perhaps).collect()
    }

    /// What some of `count` sides have at `place`.
    fn perhaps(&self, sides: &[&Node], count: usize, place: &Range<usize>) -> Node {
        let value = self.rebuilt(sides);
        match value.unknown() {
            None if sides.len() < count => value.perhaps(self.why(place), false),
            _ => value,
        }
    }

    fn scalar(&self, sides: &[&Node], mut range: Range<usize>) -> Node {
        if range.is_empty() {
            // A value that prints as nothing stands behind the white space that follows the key.
            let rest = self.text.text.get(range.start..).unwrap_or_default();
            range.end += rest.len() - rest.trim_start_matches(' ').len();
        }
        let origin = self.text.origin_of(range.clone()).unwrap_or_else(|| self.near(range.start));
        let differ = || {
            let differ = sides.iter().any(|it| it.kind != sides[0].kind);
            differ.then(|| self.why(&range))
        };
        match sides.iter().find_map(|it| self.unknown_in(&range_of(it))).or_else(differ) {
            Some(why) => Node::unknown_value(why, &origin),
            None => Node::new(sides[0].kind.clone(), origin),
        }
    }

    fn unknown_in(&self, range: &Range<usize>) -> Option<Reason> {
        self.text.marks_in(range).find_map(|it| match &it.from {
            MarkSource::Unknown(why, _) | MarkSource::Filled(why, _) => Some(why.clone()),
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
