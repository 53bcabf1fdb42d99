//! Files that are no YAML because they are templates of it: Go, Jinja, ERB, Terraform.
//!
//! Nothing is evaluated. The marks are masked by text of the same length, so that every place stays
//! true. What stands in a condition or a loop may be there or not: a value or an item is unknown
//! then. A document is judged as a whole, if it is there, unless there is another one in its place.

mod marks;
mod sides;

use std::ops::Range;

use marks::{Mark, MarkKind, Turn, marks};
pub(super) use sides::sides;

use super::{Document, Documents, SyntaxError, documents, stand_in};
use crate::{
    placeholder::Placeholder,
    scalar::{Dialect, Scalar, Style},
    source::{self, FileId, Span},
    tree::{Kind, Map, Node, Reason},
};

/// That a file is a template.
#[derive(Debug, Clone)]
pub(crate) struct ReadAsTemplate {
    /// As a reason why something is unknown.
    pub why: Reason,
    /// The first mark of it.
    pub at: Span,
    /// Whether there are documents of which nothing is read.
    pub is_partial: bool,
}

/// What can be read of the file at `path`, whose `text` is no YAML; `None` when no marks explain that.
pub(super) fn read(path: &str, text: &str, file: FileId, dialect: Dialect) -> Option<Documents> {
    let why: Reason = format!("{path} is a template, which is not evaluated").into();
    let read = |marks: &[Mark]| {
        let first = marks.first()?;
        let at = Span::new(file, first.range.clone());
        let mut masked = Masked::new(text, marks)?;
        let mut read = documents(&masked.text, file, dialect);
        if read.error().is_some() && masked.leave_out_alternatives() {
            let without = documents(&masked.text, file, dialect);
            if without.error().is_none() {
                read = without;
            }
        }
        // Half of a template need not be YAML: the rest of it says what closes a block.
        let whole = read.error().is_none();
        if !whole && masked.blank.is_empty() {
            return None;
        }
        let mut is_partial = !whole;
        for document in &mut read.list {
            if let Err(error) = &mut document.root {
                *error = SyntaxError {
                    message: (*why).into(),
                    span: Some(at),
                    help: None,
                    template: true,
                    cut: error.cut,
                };
            }
            is_partial |= !masked.unmask(document, &why);
        }
        read.template = Some(ReadAsTemplate { why: why.clone(), at, is_partial });
        Some((whole, read))
    };
    // What writes YAML from a file that is called a template reads its comments too.
    let commented = is_named(path);
    // A `${…}` is no mark for whoever writes it as text.
    let first = read(&marks(text, false, commented));
    match first {
        Some((true, read)) => Some(read),
        first => {
            let second = read(&marks(text, true, commented)).filter(|(whole, _)| *whole);
            second.or(first).map(|(_, read)| read)
        }
    }
}

/// Whether the file at `path` is a template although its `text` is YAML: its marks are comments.
pub(super) fn is_hidden(path: &str, text: &str) -> bool {
    let has = |notation: Placeholder| text.contains(notation.closing());
    let hash = [Placeholder::HashBraces, Placeholder::HashStatement].into_iter().any(has);
    let decides = |it: &Mark| text[it.range.clone()].starts_with('#');
    let named = is_named(path) && has(Placeholder::Statement);
    hash && marks(text, false, false).iter().any(decides)
        || named
            && marks(text, false, true).iter().any(|it| it.kind == MarkKind::Control(Turn::Opens))
}

/// Whether a file is called a template.
pub(super) fn is_named(path: &str) -> bool {
    source::rendered(path) != path
}

/// How many holes a text may have: the mask over each starts with a [`stand_in`] of its own.
const MAX_HOLES: usize = 6_000;

/// A template's text as YAML.
struct Masked<'a> {
    template: &'a str,
    text: String,
    /// What each of the private characters stands for.
    holes: Vec<MaskedHole>,
    /// The control lines, which were blanked, in order.
    blank: Vec<Range<usize>>,
    /// What stands in conditions and loops, in the order in which it begins.
    branches: Vec<Branch<'a>>,
    /// From where on which of the branches is the innermost one.
    turns: Vec<(usize, Option<usize>)>,
    /// Whether branches were left out, so that there may be more of everything.
    open: bool,
}

/// Text that is there or not.
struct Branch<'a> {
    range: Range<usize>,
    /// What opened it.
    opening: (Placeholder, &'a str),
    /// Why nobody knows which.
    why: Reason,
    /// The branch that it stands in.
    outer: Option<usize>,
    /// How many others it is there instead of.
    nth: usize,
    /// Whether there is another one instead of it.
    turns: bool,
    /// Whether it is there whenever none of these others is.
    otherwise: bool,
}

impl Branch<'_> {
    /// Whether there is another text instead of it.
    fn has_alternative(&self) -> bool {
        self.turns || self.nth > 0
    }
}

/// Where something is filled in.
struct MaskedHole {
    /// Its first line.
    text: Range<usize>,
    /// Whether it stands alone on its line, for any number of entries or items.
    part: bool,
}

impl<'a> Masked<'a> {
    fn new(template: &'a str, marks: &[Mark<'a>]) -> Option<Self> {
        if marks.len() > MAX_HOLES || template.chars().any(|it| index_of(it).is_some()) {
            return None;
        }
        let mut this = Self {
            template,
            text: template.to_owned(),
            holes: Vec::new(),
            blank: Vec::new(),
            branches: Vec::new(),
            turns: Vec::new(),
            open: false,
        };
        this.find_branches(marks);
        // Together are the marks that share a line.
        let together = |a: &Mark, b: &Mark| !template[a.range.end..b.range.start].contains('\n');
        for group in marks.chunk_by(together) {
            if let [first, ..] = group
                && let [.., last] = group
            {
                let whole = first.range.start..last.range.end;
                let start = template[..whole.start].rfind('\n').map_or(0, |it| it + 1);
                let end = template[whole.end..].find('\n');
                let end = end.map_or(template.len(), |it| whole.end + it);
                this.mask_lines(group, start..end, whole);
            }
        }
        Some(this)
    }

    fn find_branches(&mut self, marks: &[Mark<'a>]) {
        let mut inner: Option<usize> = None;
        for mark in marks {
            let MarkKind::Control(turn) = mark.kind else { continue };
            // What another notation or another word opened is still there.
            let innermost = inner.and_then(|it| self.branches.get_mut(it));
            let ended = innermost.filter(|it| {
                let (notation, word) = it.opening;
                let closes = mark.word.is_empty() || mark.word == word;
                let ends = turn == Turn::Turns || turn == Turn::Closes && closes;
                notation == mark.notation && ends
            });
            let ended = ended.map(|it| {
                it.range.end = mark.range.start;
                it.turns |= turn == Turn::Turns;
                (it.outer, it.opening, it.why.clone(), it.nth + 1)
            });
            let branch = match (turn, ended) {
                (Turn::Opens, _) => Some((inner, (mark.notation, mark.word), self.why(mark), 0)),
                (Turn::Turns, Some(next)) => Some(next),
                (Turn::Closes, Some((outer, ..))) => {
                    inner = outer;
                    None
                }
                _ => None,
            };
            if let Some((outer, opening, why, nth)) = branch {
                inner = Some(self.branches.len());
                let range = mark.range.end..self.template.len();
                let inside = self.template.get(mark.range.clone()).unwrap_or_default();
                let otherwise = inside.trim_matches(|it: char| !it.is_alphanumeric()) == "else";
                let branch = Branch { range, opening, why, outer, nth, turns: false, otherwise };
                self.branches.push(branch);
            }
            self.turns.push((mark.range.end, inner));
        }
    }

    /// Why nobody knows what is there that `mark` decides about.
    fn why(&self, mark: &Mark) -> Reason {
        let text = self.template.get(mark.range.clone()).unwrap_or_default();
        let first = text.lines().next().unwrap_or_default().trim();
        let dots = if first.len() < text.trim().len() { " …" } else { "" };
        format!("it depends on `{first}{dots}`, which is not evaluated").into()
    }

    /// The innermost branch at a place.
    fn branch_at(&self, place: usize) -> Option<usize> {
        let next = self.turns.partition_point(|(start, _)| *start <= place);
        self.turns.get(next.checked_sub(1)?)?.1
    }

    /// A branch and those that it stands in, from the inside.
    fn outwards(&self, branch: Option<usize>) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(branch, |it| self.branches.get(*it)?.outer)
    }

    /// The branch that decides whether there is what stands at `place`, for what is there whenever
    /// `within` is.
    fn decides(&self, place: usize, within: Option<usize>) -> Option<usize> {
        let at = self.branch_at(place)?;
        let is_around = within.and_then(|it| self.branches.get(it)).is_some_and(|within| {
            let start = within.range.start;
            self.branches.get(at).is_some_and(|it| it.range.start <= start && start < it.range.end)
        });
        (within != Some(at) && !is_around).then_some(at)
    }

    /// Whether there is another text instead of a branch.
    fn has_alternative(&self, branch: usize) -> bool {
        self.branches.get(branch).is_none_or(Branch::has_alternative)
    }

    /// Blanks what is there instead of something else; false if that changes nothing.
    fn leave_out_alternatives(&mut self) -> bool {
        let turned = self.branches.iter().filter(|it| it.nth > 0);
        let ranges: Vec<_> = turned.map(|it| it.range.clone()).collect();
        self.open = !ranges.is_empty();
        let mut end = 0;
        for range in ranges {
            // One that stands in another one is blank already.
            if range.end > end {
                end = range.end;
                self.put(range, "");
            }
        }
        self.open
    }

    /// Masks `marks`, which are all of `lines` and go from the start to the end of `whole`.
    fn mask_lines(&mut self, marks: &[Mark], lines: Range<usize>, whole: Range<usize>) {
        let mut rest = lines.start;
        let mut is_blank = |to: usize, next: usize| {
            let between = self.template.get(rest..to).unwrap_or_default();
            rest = next;
            between.trim().is_empty()
        };
        let alone = marks.iter().all(|it| is_blank(it.range.start, it.range.end))
            && is_blank(lines.end, lines.end);
        let is_control = |it: &Mark| matches!(it.kind, MarkKind::Control(_));
        let is_blank =
            |range: Range<usize>| self.template.get(range).is_none_or(|it| it.trim().is_empty());
        // A line in a condition of its own: `{{ if .x }}- a{{ end }}`.
        let enclosed = marks.first().is_some_and(is_control)
            && marks.last().is_some_and(is_control)
            && is_blank(lines.start..whole.start)
            && is_blank(whole.end..lines.end);
        if alone && marks.iter().any(|it| it.kind == MarkKind::Hole) || enclosed && !alone {
            return self.mask_part(lines.start, whole);
        }
        if alone {
            if marks.iter().any(is_control) {
                self.blank.push(whole.clone());
            }
            return self.put(whole, "");
        }
        for mark in marks {
            let range = mark.range.clone();
            if mark.kind == MarkKind::Comment {
                self.put(range, "");
            } else {
                let mask = self.hole(&range, false);
                self.put(range, &mask);
            }
        }
    }

    /// Masks what stands alone on the line that starts at `line`: any number of entries or items,
    /// whichever there are before it.
    fn mask_part(&mut self, line: usize, range: Range<usize>) {
        let written = range.start - line;
        let indent = indentation(&self.template[range.clone()]).unwrap_or(written);
        let outer = self.text[..line].lines().rev().filter(|it| !it.trim().is_empty());
        let mut outer = outer.map(|it| (it.len() - it.trim_start().len(), it.trim_start()));
        let item = outer
            .find(|(at, _)| *at <= indent)
            .is_some_and(|(at, text)| at == indent && (text.starts_with("- ") || text == "-"));
        let (before, after) = if item { ("- ", "") } else { ("", ":") };
        let indent = " ".repeat(indent.max(written));
        let end = self.template[range.clone()].find('\n').map_or(range.end, |it| range.start + it);
        let room = (end - line).saturating_sub(indent.len() + before.len() + after.len());
        if room < stand_in::FIRST.len_utf8() {
            return self.put(range, "");
        }
        let mask = self.hole(&range, true);
        let mask = mask.get(..room).unwrap_or(&mask);
        self.put(line..range.end, &format!("{indent}{before}{mask}{after}"));
    }

    /// The mask of a hole at `range`: as long as its first line.
    fn hole(&mut self, range: &Range<usize>, part: bool) -> String {
        let first = self.template[range.clone()].lines().next().unwrap_or_default();
        let mask = stand_in::numbered(self.holes.len()).unwrap_or(stand_in::FIRST);
        let rest = first.len().saturating_sub(mask.len_utf8());
        self.holes.push(MaskedHole { text: range.start..range.start + first.len(), part });
        std::iter::once(mask).chain(std::iter::repeat_n('x', rest)).collect()
    }

    /// Puts `text` at the start of `range`, and blanks the rest of it but for line breaks.
    fn put(&mut self, range: Range<usize>, text: &str) {
        let rest = self.text.get(range.start + text.len()..range.end).unwrap_or_default();
        let blank =
            rest.bytes().map(|it| if matches!(it, b'\n' | b'\r') { it.into() } else { ' ' });
        let new: String = text.chars().chain(blank).collect();
        self.text.replace_range(range, &new);
    }

    /// Makes of a masked document what the template says; false when nothing can be told of it.
    fn unmask(&self, document: &mut Document, why: &Reason) -> bool {
        let Ok(root) = &mut document.root else { return false };
        let span = root.origin.written_at().map(Span::range).unwrap_or_default();
        // What decides about all of it.
        let around = |it: &usize| self.branches.get(*it).is_some_and(|it| span.end <= it.range.end);
        let within = self.outwards(self.branch_at(span.start)).find(around);
        let mut new = self.node(root, within, &document.repeated, why);
        // It may be no document at all.
        let alternative = self.outwards(within).any(|it| self.has_alternative(it));
        let is_read = new.unknown().is_none() && !alternative;
        if !is_read {
            new.kind = Scalar::null().into();
        }
        *root = new;
        if !self.turns.is_empty() {
            document.repeated.clear();
        }
        is_read
    }

    /// What is there whenever the branch `within` is.
    fn node(&self, node: &Node, within: Option<usize>, repeated: &[Span], why: &Reason) -> Node {
        let unknown = || Node::unknown_value(why.clone(), &node.origin);
        let node_of = |kind: Kind| Node::new(kind, node.origin.clone());
        let place_of = |node: &Node| node.origin.written_at().map(|it| it.range().start);
        let decides = |place: Option<usize>| self.decides(place?, within);
        match &node.kind {
            Kind::Unknown(_) => node.clone(),
            Kind::Scalar(scalar) => match self.scalar(scalar) {
                _ if self.is_cut(node) => unknown(),
                _ if !scalar.text.is_empty() && decides(place_of(node)).is_some() => unknown(),
                Some(text) if scalar.style == Style::Plain && text == scalar.text => node.clone(),
                Some(text) => node_of(Scalar { text, ..scalar.clone() }.into()),
                None => unknown(),
            },
            Kind::List(items) => {
                let items = items.iter().map(|item| match decides(place_of(item)) {
                    Some(branch) => self.perhaps(item, branch, repeated, why),
                    None => self.node(item, within, repeated, why),
                });
                node_of(items.collect::<Vec<_>>().into())
            }
            Kind::Map(map) => {
                let mut new =
                    Map::open(map.open.clone().or_else(|| self.open.then(|| why.clone())));
                for (key, entry) in map.iter() {
                    if key.contains(|it| index_of(it).is_some()) {
                        new.open = Some(why.clone());
                        continue;
                    }
                    let mut entry = entry.clone();
                    // Of the branches of a condition, nobody knows which one counts.
                    let again = entry.key.is_some_and(|it| repeated.contains(&it));
                    let branch = decides(entry.key.map(|it| it.range().start));
                    entry.value = match branch {
                        _ if again && !self.turns.is_empty() => {
                            Node::unknown_value(why.clone(), &entry.value.origin)
                        }
                        Some(branch) => self.perhaps(&entry.value, branch, repeated, why),
                        None => self.node(&entry.value, within, repeated, why),
                    };
                    new.insert(key, entry);
                }
                let is_open = new.is_empty() && !map.is_empty() && new.open.is_some();
                if is_open { unknown() } else { node_of(new.into()) }
            }
        }
    }

    /// What is there if `branch` is.
    fn perhaps(&self, node: &Node, branch: usize, repeated: &[Span], why: &Reason) -> Node {
        let value = self.node(node, Some(branch), repeated, why);
        let decides = self.branches.get(branch).map_or(why, |it| &it.why);
        value.perhaps(decides.clone(), self.has_alternative(branch))
    }

    /// Whether control lines stand in a scalar.
    fn is_cut(&self, node: &Node) -> bool {
        node.origin.written_at().is_some_and(|span| {
            let span = span.range();
            let next = self.blank.partition_point(|it| it.end <= span.start);
            self.blank.get(next).is_some_and(|it| it.start < span.end)
        })
    }

    /// The text of a scalar as it is written in the template; `None` when a hole is all of it.
    fn scalar(&self, scalar: &Scalar) -> Option<std::sync::Arc<str>> {
        let mut text = String::new();
        let mut rest = &*scalar.text;
        let hole = |it: char| self.holes.get(index_of(it)?);
        while let Some((at, hole)) = rest.char_indices().find_map(|(at, it)| Some((at, hole(it)?)))
        {
            let whole = scalar.style == Style::Plain && hole.text.len() == scalar.text.len();
            if whole || hole.part && scalar.style == Style::Plain {
                return None;
            }
            text += &rest[..at];
            text += self.template.get(hole.text.clone())?;
            rest = rest.get(at + hole.text.len()..).unwrap_or_default();
        }
        text += rest;
        Some(text.into())
    }
}

/// Which hole a private character stands for.
fn index_of(mask: char) -> Option<usize> {
    stand_in::number(mask).filter(|it| *it < MAX_HOLES)
}

/// How far Helm's and Sprig's `indent` and `nindent` indent what an action gives.
fn indentation(action: &str) -> Option<usize> {
    let (_, after) = action.rsplit_once("indent ")?;
    let end = after.find(|it: char| !it.is_ascii_digit()).unwrap_or(after.len());
    after[..end].parse().ok().filter(|it| *it < 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    /// What is read of a template, as JSON with `null` for what is unknown, or the error.
    fn read(text: &str) -> Vec<String> {
        let sources = Sources::in_memory([("a.yaml", text)]);
        let file = sources.find("a.yaml").expect("it is there");
        let documents = sources.documents(file, Dialect::Sigs);
        let roots = documents.list.iter().map(|it| match &it.root {
            Ok(root) => serde_json::to_string(&json(root)).expect("it is JSON"),
            Err(error) if error.template => "half".to_owned(),
            Err(error) => format!("error: {}", error.message),
        });
        roots.collect()
    }

    fn json(node: &Node) -> serde_json::Value {
        match &node.kind {
            Kind::Unknown(_) => "?".into(),
            Kind::Map(map) => {
                let pairs = map.iter().map(|(key, it)| (key.to_owned(), json(&it.value)));
                pairs.chain(map.open.iter().map(|_| ("?".to_owned(), "?".into()))).collect()
            }
            Kind::List(items) => items.iter().map(json).collect(),
            Kind::Scalar(_) => node.to_json(),
        }
    }

    #[test]
    fn what_stands_between_control_lines_may_be_there() {
        let jinja = "a: [x]\n{%- for it in them %}\n  {# why #}\nb: 1\n{% endfor %}\nc: 2\n";
        assert_eq!(read(jinja), [r#"{"a":["x"],"b":"?","c":2}"#]);
        let items = "a:\n  - b\n  <% if x %>\n  - c: 1\n  <% end %>\n  - d\n";
        assert_eq!(read(items), [r#"{"a":["b","?","d"]}"#]);
        let within = "a:\n  b: 1\n  {{- range .x }}\n  {{ . }}: 1\n  {{- end }}\n";
        assert_eq!(read(within), [r#"{"a":{"b":1,"?":"?"}}"#]);
        let value = "a:\n%{ if x }\n  1\n%{ else }\n  2\n%{ endif }\nb: 3\n";
        assert_eq!(read(value), [r#"{"a":"?","b":3}"#]);
        let line = "a:\n  - b\n  {{ if .x }}- c{{ end }}\n  - d\n";
        assert_eq!(read(line), [r#"{"a":["b","?","d"]}"#]);
        let always = "a: {{ x }}\n{% raw %}\nb: 1\n{% endraw %}\n{% set c = 2 %}\nd: 3\n";
        assert_eq!(read(always), [r#"{"a":"?","b":1,"d":3}"#]);
        let inner = "{% if x %}\na: 1\n{% if y %}\nb: 2\n{% endif %}\nc: 3\n{% endif %}\n";
        assert_eq!(read(inner), [r#"{"a":1,"b":"?","c":3}"#], "whenever a is there");
        let code = "a:\n<% x.each do |it| -%>\n  - <%= it %>\n<% end -%>\nb: 1\n";
        assert_eq!(read(code), [r#"{"a":["?"],"b":1}"#]);
    }

    #[test]
    fn an_end_closes_what_its_word_opened() {
        for inner in [
            "{% cache %}\nb: 1\n{% endcache %}",
            "{% my_tag 'it' %}\nb: 1\n{% endmy_tag %}",
            "{% import 'x' as y %}\n{% for y in z %}\nb: 1\n{% endfor %}",
            "{% call x() %}\nb: 1\n{% endcall %}",
            "{% raw %}\nb: 1\n{% endraw %}",
            "{% set x %}\nb: 1\n{% endset %}",
            "{{ range .x }}\nb: 1\n{{ end }}",
            "{{#each x}}\nb: 1\n{{/each}}",
            "<% y = if x %>\nb: 1\n<% end %>",
            "<% if y then z end %>\nb: 1",
        ] {
            let text = format!("a: 1\n{{% if x %}}\n{inner}\nc: 2\n{{% endif %}}\nd: 3\n");
            assert_eq!(read(&text), [r#"{"a":1,"b":"?","c":"?","d":3}"#], "{inner}");
        }
        for inner in
            ["{{ if .x }}\nb: 1", "{% endfor %}\nb: 1", "{{ end }}\nb: 1", "<% end %>\nb: 1"]
        {
            let text = format!("a: 1\n{{% if x %}}\n{inner}\n");
            assert_eq!(read(&text), [r#"{"a":1,"b":"?"}"#], "{inner}");
        }
        let nested = "{{#if x}}\na: 1\n{{#if.y z}}\nb: 1\n{{/if.y}}\nc: 2\n{{/if}}\nd: {e: 1}\n";
        assert_eq!(read(nested), [r#"{"a":"?","b":"?","c":"?","d":{"e":1}}"#]);
    }

    #[test]
    fn what_an_unknown_word_opens_may_be_there() {
        for text in [
            "{% unless x %}\nb: 1\n{% endunless %}",
            "{% case x %}\n{% when 1 %}\nb: 1\n{% when 2 %}\nb: 2\n{% endcase %}",
            "{% switch x %}\n{% case 1 %}\nb: 1\n{% default %}\nb: 2\n{% endswitch %}",
            "{% macro x() %}\nb: 1\n{% endmacro %}",
            "{% block x %}\nb: 1\n{% endblock x %}",
            "{% while x %}\n{% if y %}\nb: 1\n{% end %}\nb: 2\n{% end %}",
            "{{ define \"x\" }}\nb: 1\n{{ end }}",
            "{{#x}}\nb: 1\n{{/x}}",
        ] {
            let text = format!("a: 1\n{text}\nc: 2\n");
            assert_eq!(read(&text), [r#"{"a":1,"b":"?","c":2}"#], "{text}");
        }
        let once = "a: {{ x }}\n{% tag %}\nb: 1\n{% tag %}\nc: 2\n{% endtag %}\nd: 3\n";
        assert_eq!(read(once), [r#"{"a":"?","b":1,"c":"?","d":3}"#]);
    }

    #[test]
    fn a_whole_document_is_judged_unless_it_has_an_alternative() {
        let go =
            "{{- $x := .Y -}}\n{{/* why\n  so */}}\na: 1\n{{- if $x }}\n---\nb: 2\n{{- end }}\n";
        assert_eq!(read(go), [r#"{"a":1}"#, r#"{"b":2}"#]);
        assert_eq!(read("<% if x %>\na: <%= x %>\n<% end %>\n"), [r#"{"a":"?"}"#]);
        assert_eq!(read("[[ if .x ]]\na: 1\n[[ end ]]\n"), [r#"{"a":1}"#]);
        assert_eq!(read("%{ if x ~}\na: 1\n%{ endif ~}\n"), [r#"{"a":1}"#]);
        assert_eq!(read("{{#if x}}\na: 1\n{{/if}}\n"), [r#"{"a":1}"#]);
        let two = "{% if x %}\na: 1\n---\nb: 1\n{% else %}\n---\nb: 2\n{% endif %}\n---\nc: 3\n";
        assert_eq!(read(two), ["null", "null", "null", r#"{"c":3}"#]);
    }

    #[test]
    fn marks_that_yaml_takes_for_comments() {
        let text = "a: #{ x }#\n#% if y %#\nb: 1\n#% else %#\nb: 2\n#% endif %#\nc: '#{ z }#/d'\n";
        assert_eq!(read(text), [r##"{"a":"?","b":"?","c":"#{ z }#/d"}"##]);
        assert_eq!(read("#| why\n  so #|\na: #{ x }#-#{ y }#\n"), [r##"{"a":"#{ x }#-#{ y }#"}"##]);
        let closed = "#| one |#\na: #{ x }#\nb: 1\n#| two\n  more |#\nc: 2\n";
        assert_eq!(read(closed), [r#"{"a":"?","b":1,"c":2}"#]);
        let plain = "a: 1 #{ it\nb: 2 #| x | y #|\n#100%# or not\n";
        assert_eq!(read(plain), [r#"{"a":1,"b":2}"#]);
        let sources = Sources::in_memory([
            ("a.yaml", "# {% if x %}\na: 1\n# {% endif %}\nb: 2\n"),
            ("a.yaml.j2", "# {% if x %}\na: 1\n# {% endif %}\nb: 2\n"),
        ]);
        let of = |path| {
            let file = sources.find(path).expect("it is there");
            let root = sources.documents(file, Dialect::Sigs).roots().next().map(json);
            root.expect("a document").to_string()
        };
        assert_eq!(of("a.yaml"), r#"{"a":1,"b":2}"#);
        assert_eq!(of("a.yaml.j2"), r#"{"a":"?","b":2}"#);
    }

    #[test]
    fn of_the_branches_of_a_condition_nobody_knows_which_counts() {
        let text = "a: {b: 0}\n{% if x %}\nc: 1\n{% else %}\nc: 2\n{% endif %}\n";
        assert_eq!(read(text), [r#"{"a":{"b":0},"c":"?"}"#]);
    }

    #[test]
    fn what_holds_a_hole_is_no_value() {
        assert_eq!(read("a: {{ x }}\nb: z\n"), [r#"{"a":"?","b":"z"}"#]);
        assert_eq!(read("a: {{ x }}/y\n"), [r#"{"a":"{{ x }}/y"}"#]);
        assert_eq!(read("a: \"{{ x | d(\"y\") }}z\"\n"), [r#"{"a":"{{ x | d(\"y\") }}z"}"#]);
        assert_eq!(read("a: [${x}, '${y}', z]\n"), [r#"{"a":["?","${y}","z"]}"#]);
        assert_eq!(
            read("a: [[ .x ]]\nb: [[ index .y 1 ]]:2\n"),
            [r#"{"a":"?","b":"[[ index .y 1 ]]:2"}"#]
        );
        assert_eq!(read("a: {{ x }}\nb: |\n  c: {{ d }}\n"), [r#"{"a":"?","b":"c: {{ d }}\n"}"#]);
    }

    #[test]
    fn a_block_with_control_lines_is_unknown() {
        let text = "a: |\n  b\n  {% if x %}\n  c\n  {% endif %}\n{% if y %}\nd: 1\n{% endif %}\n";
        assert_eq!(read(text), [r#"{"a":"?","d":"?"}"#]);
    }

    #[test]
    fn a_line_of_its_own_is_any_number_of_entries_or_items() {
        let entries = "a:\n  b: 1\n  {{ toYaml .c }}\nd: 2\n";
        assert_eq!(read(entries), [r#"{"a":{"b":1,"?":"?"},"d":2}"#]);
        let indented = "a:\n  b: 1\n{{ toYaml .c | indent 2 }}\nd: 2\n";
        assert_eq!(read(indented), [r#"{"a":{"b":1,"?":"?"},"d":2}"#]);
        let items = "a:\n- b: 1\n  c: 2\n{{ toYaml .c }}\nd: 2\n";
        assert_eq!(read(items), [r#"{"a":[{"b":1,"c":2},"?"],"d":2}"#]);
        assert_eq!(read("a:\n  {{ x }}\nb: 1\n"), [r#"{"a":"?","b":1}"#]);
        let included = "a:\n  - b\n  {% include 'c' %}\n#% include 'd' %#\ne: 1\n";
        assert_eq!(read(included), [r#"{"a":["b","?"],"e":1,"?":"?"}"#]);
        assert_eq!(read("{{ x }}: 1\nb: 2\n"), [r#"{"b":2,"?":"?"}"#]);
    }

    #[test]
    fn half_of_a_template_is_no_mistake() {
        assert_eq!(read("{% if x %}\na:\n  - b\n c: 1\n{% endif %}\n"), ["half"]);
    }

    #[test]
    fn an_alternative_that_is_no_yaml_with_the_first_is_left_out() {
        let text = "a:\n{% if x %}\n  - b\n{% else %}\n  c: 1\n{% endif %}\nd: {e: 2}\n";
        assert_eq!(read(text), [r#"{"a":["?"],"d":{"e":2,"?":"?"},"?":"?"}"#]);
    }

    #[test]
    fn a_mistake_that_no_mark_explains_stays_one() {
        for text in [
            "a: [b\n# {{ x }}\n",
            "a: {{ x }}\nb: [c\n",
            "a: [b\n# {% if x %}\n",
            "a: ${x\n  b: c\n",
        ] {
            assert!(read(text)[0].starts_with("error"), "{text}: {:?}", read(text));
        }
        assert_eq!(read("a: {b: ['{{ x }}']}\n"), [r#"{"a":{"b":["{{ x }}"]}}"#]);
    }

    #[test]
    fn every_place_stays_true() {
        let text = "{% if é %}\na: {{ é }}-é\n{% endif %}\nb: [é, {{ x }}]\n";
        let sources = Sources::in_memory([("a.yaml", text)]);
        let file = sources.find("a.yaml").expect("it is there");
        let documents = sources.documents(file, Dialect::Kyaml);
        let root = documents.roots().next().expect("a document");
        let slice = |node: Option<&Node>| node?.origin.written_at().map(|it| sources.slice(it));
        assert_eq!(slice(root.get("a")), Some("{{ é }}-é"));
        let items = root.get("b").map_or(&[][..], Node::items);
        assert_eq!(
            items.iter().map(|it| slice(Some(it))).collect::<Vec<_>>(),
            [Some("é"), Some("{{ x }}")]
        );
        let template = documents.template.as_ref().expect("it is one");
        assert_eq!(sources.slice(template.at), "{% if é %}");
        assert_eq!(&*template.why, "a.yaml is a template, which is not evaluated");
    }
}
