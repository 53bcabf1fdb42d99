//! From what a template printed to trees whose values know where they came from.

use std::ops::Range;

use indexmap::IndexMap;

use super::text::{MarkSource, MarkedText, Perhaps, TextMark};
use crate::{
    emit::UNKNOWN,
    parse::{self, Document, SyntaxError},
    scalar::{Dialect, Scalar},
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
        let sides = text.sides();
        // What stands at the same place is one document.
        let mut list: Vec<(Range<usize>, Vec<Node>)> = Vec::new();
        let mut errors = Vec::new();
        for (number, side) in sides.iter().enumerate() {
            let mut documents = parse::offsets(&side.text.text, Dialect::Sigs).list;
            if number == 0 {
                // Of the first side the others are made.
                side.text.note_ghosts(&mut documents);
            }
            for document in documents {
                let root = match document.root {
                    Ok(root) if root.is_null() => continue,
                    Ok(root) => side.placed(&root),
                    Err(error) => {
                        errors.push(error);
                        continue;
                    }
                };
                let range = range_of(&root);
                match list.iter_mut().find(|it| it.0.start < range.end && range.start < it.0.end) {
                    Some((all, roots)) => {
                        *all = all.start.min(range.start)..all.end.max(range.end);
                        roots.push(root);
                    }
                    None => list.push((range, vec![root])),
                }
            }
        }
        list.sort_by_key(|it| it.0.start);
        let document = |(range, roots): &(Range<usize>, Vec<Node>)| PrintedDocument {
            root: Ok(text.rebuilt(&roots.iter().collect::<Vec<_>>())),
            perhaps: (roots.len() < sides.len()).then(|| text.why(range)),
        };
        let mut documents: Vec<_> = list.iter().map(document).collect();
        // A side that is no YAML is none that anybody deploys, unless there is no other.
        if list.is_empty() || sides.len() == 1 {
            documents.extend(errors.into_iter().map(|error| {
                let origin = text.near(error.span.map_or(0, |it| it.start as usize));
                PrintedDocument { root: Err((error, origin)), perhaps: None }
            }));
        }
        documents
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
                // What is deeper than that is part of both.
                let is_left = || (mask >> depth & 1 == 0) != branch.then;
                if branch.range.start >= at && *depth < MAX_DEPTH && is_left() {
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
        let unknown =
            self.marks.iter().filter(|it| matches!(it.from, MarkSource::Unknown(_, _, false)));
        let unknown = unknown.map(|it| &it.range).chain(self.branches.iter().map(|it| &it.range));
        let unknown: Vec<_> = unknown.collect();
        let mut solid = self.text.char_indices().filter(|(_, it)| !it.is_whitespace());
        solid.any(|(at, _)| !unknown.iter().any(|it| it.contains(&at)))
    }

    /// The text in which a value that nobody can tell, and that has lines of its own, is an item of
    /// the list or a key of the map around it.
    fn unknown_lines_as_entries(&self) -> Self {
        if !self.text.contains(UNKNOWN) {
            return self.clone();
        }
        let inserted = parse::unknown_lines(&self.text, |line| line == UNKNOWN);
        let marks = inserted.iter().map(|(at, mark)| (*at..*at, Self::made_of(mark)));
        let mut result = self.with(marks);
        // What is inserted belongs to the branch around it.
        let moved = |at: usize, last: bool| {
            let before = inserted.iter().filter(|it| it.0 < at || (last && it.0 == at));
            at + before.map(|it| it.1.len()).sum::<usize>()
        };
        let branch = |it: &Perhaps| {
            let range = moved(it.range.start, false)..moved(it.range.end, true);
            Perhaps { range, ..it.clone() }
        };
        result.branches = self.branches.iter().map(branch).collect();
        result
    }

    /// Remembers of the documents of the text what conditions leave out: what would stand there if they
    /// held.
    fn note_ghosts(&self, documents: &mut [Document]) {
        if self.ghosts.is_empty() {
            return;
        }
        let mut ghosts: Vec<_> = self.ghosts.iter().collect();
        ghosts.sort_by_key(|it| it.at);
        let (mut whole, mut by, mut at) = (String::new(), Vec::new(), 0);
        for ghost in ghosts {
            whole.push_str(self.text.get(at..ghost.at).unwrap_or_default());
            let start = whole.len();
            whole.push_str(&ghost.text.text);
            by.push((start..whole.len(), &ghost.by));
            at = ghost.at;
        }
        whole.push_str(self.text.get(at..).unwrap_or_default());
        let others = parse::offsets(&whole, Dialect::Sigs).list;
        if others.len() == documents.len() {
            for (document, other) in documents.iter_mut().zip(&others) {
                if let (Ok(root), Ok(other)) = (&mut document.root, &other.root) {
                    note_removed(root, other, &by);
                }
            }
        }
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
        let place = |it: Span| Origin::written(self.span(it));
        let origin = |it: &Origin| it.written_at().map_or_else(|| it.clone(), place);
        node.map_places(&origin, &|key| key.map(|it| self.span(it)))
    }
}

fn range_of(node: &Node) -> Range<usize> {
    node.origin.written_at().map_or(0..0, Span::range)
}

impl MarkedText {
    /// What is known of the place of a byte, or the last one before it.
    fn near(&self, at: usize) -> Origin {
        let here = at..at + 1;
        let mark = self.marks_in(&here).next().or_else(|| {
            let before = self.marks.partition_point(|it| it.range.start <= at);
            self.marks.get(before.saturating_sub(1))
        });
        match mark.map(|it| (&it.from, it.range.start)) {
            Some((MarkSource::File(file, start), from)) => {
                let at = start + at.saturating_sub(from);
                Origin::written(Span::new(*file, at..at))
            }
            Some((MarkSource::Value(origin) | MarkSource::Unknown(_, origin, _), _)) => {
                origin.clone()
            }
            None => Origin::at(Via::Written, None),
        }
    }

    /// The place of a map or a list: from where it begins to where the same file ends it.
    fn place(&self, range: &Range<usize>) -> Origin {
        let start = self.near(range.start);
        let last = self.text.floor_char_boundary(range.end.saturating_sub(1));
        let end = self.near(last.max(range.start));
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

    /// Why what stands at `range` may be there or not.
    fn why(&self, range: &Range<usize>) -> Reason {
        let near = self.branches.iter().filter(|it| {
            it.range.start < range.end.max(range.start + 1) && range.start < it.range.end
        });
        let inner = near.min_by_key(|it| it.range.len()).or(self.branches.first());
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
            let key_at = self.origin_of(place).and_then(|it| it.written_at());
            rebuilt.insert(key, Entry { key: key_at, value });
        }
        for (key, by) in sides.iter().flat_map(|it| it.all_removed()) {
            if rebuilt.get(key).is_none() {
                rebuilt.note_removed(key.clone(), by.clone());
            }
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
            let rest = self.text.get(range.start..).unwrap_or_default();
            range.end += rest.len() - rest.trim_start_matches(' ').len();
        }
        let origin = self.origin_of(range.clone()).unwrap_or_else(|| self.near(range.start));
        let differ = || {
            let differ = sides.iter().any(|it| it.kind != sides[0].kind);
            differ.then(|| self.why(&range))
        };
        let unknown = sides.iter().find_map(|it| self.unknown_in(&range_of(it))).or_else(differ);
        let origin = self.of_lines(sides[0], &range, origin);
        match unknown {
            Some(why) => Node::unknown_value(why, &origin),
            None => Node::new(sides[0].kind.clone(), origin),
        }
    }

    /// `origin` of the scalar that `read` is at `range`; of a text of several lines into which values are
    /// printed, with the places of what stands in it: something may read it as YAML.
    fn of_lines(&self, read: &Node, range: &Range<usize>, origin: Origin) -> Origin {
        let is_value = |it: &TextMark| !matches!(it.from, MarkSource::File(..));
        let (Some(scalar), Some(block)) = (read.as_scalar(), self.text.get(range.clone())) else {
            return origin;
        };
        if !scalar.text.contains('\n') || !self.marks_in(range).any(is_value) {
            return origin;
        }
        let Some(lines) = parse::lines_in(block, scalar) else { return origin };
        let mut texts: Vec<Node> = Vec::new();
        for (line, at) in scalar.text.split_inclusive('\n').zip(lines) {
            let start = range.start + at;
            let bare = line.trim_end_matches('\n').len();
            let whole = start..start + bare;
            let ends = self.marks_in(&whole).map(|it| it.range.end.saturating_sub(start));
            let mut ends: Vec<usize> = ends.filter(|it| (1..bare).contains(it)).collect();
            ends.push(bare);
            ends.dedup();
            let mut from = 0;
            for end in ends {
                let part = start + from..start + end;
                let way = self.origin_of(part.clone()).unwrap_or_else(|| origin.whole());
                let to = if end == bare { line.len() } else { end };
                let known = |text: &str| Node::new(Scalar::string(text), way.clone());
                match (self.unknown_in(&part), line[from..to].split_once(UNKNOWN)) {
                    // The white space before what is printed on lines of its own counts.
                    (Some(why), Some((before, after))) => {
                        texts.extend([known(before), Node::unknown_value(why, &way), known(after)]);
                    }
                    (Some(why), None) => texts.push(Node::unknown_value(why, &way)),
                    (None, _) => texts.push(known(&line[from..to])),
                }
                from = end;
            }
        }
        origin.of_texts(texts)
    }

    fn unknown_in(&self, range: &Range<usize>) -> Option<Reason> {
        self.marks_in(range).find_map(|it| match &it.from {
            MarkSource::Unknown(why, ..) => Some(why.clone()),
            _ => None,
        })
    }
}

/// Remembers of `node` what `other` has more, where conditions left that out.
fn note_removed(node: &mut Node, other: &Node, by: &[(Range<usize>, &Origin)]) {
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
                    map.note_removed(key, (*by).clone());
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
