//! From what a rule means to the bytes that change.
//!
//! Comments, quotes, indentation and line ends stay as they are: what is put in is written like what
//! stands beside it. Where that cannot be told there is no edit.

use serde_json::Value;

use crate::{
    data::charts,
    emit,
    finding::{Change, Edit},
    parse::{self, env},
    scalar::{self, Dialect, Style},
    source::{self, FileId, Sources, Span},
    tree::{Node, Origin, Via},
};

/// The bytes that `changes` replace, in order; nothing where one of them cannot be made, or where two
/// are about the same bytes.
pub(crate) fn edits(sources: &Sources, changes: &[Change]) -> Option<Vec<Edit>> {
    let filled: Vec<Span> = changes.iter().filter_map(|it| filled(sources, it)).collect();
    let edits = changes.iter().map(|it| edit(sources, it, &filled)).collect::<Option<_>>()?;
    merged(edits)
}

/// The map that gets an entry by `change`.
fn filled(sources: &Sources, change: &Change) -> Option<Span> {
    let (Change::Beside { at, .. } | Change::Entry { map: at, .. }) = *change else { return None };
    map_of(&YamlFile { sources, file: at.file }, change, at)?.node.origin.written_at()
}

/// The map at `place`, or around it, that `change` puts an entry into.
fn map_of(file: &YamlFile<'_>, change: &Change, place: Span) -> Option<Located> {
    match change {
        Change::Beside { levels, .. } => file.locate_around(place)?.above(*levels),
        _ => file.locate(place),
    }
}

/// `edits` in order; nothing where two are about the same bytes.
pub(crate) fn merged(mut edits: Vec<Edit>) -> Option<Vec<Edit>> {
    edits.sort();
    edits.dedup();
    let apart = |pair: &[Edit]| {
        let (one, next) = (pair[0].span, pair[1].span);
        one.file != next.file || one.end < next.start || one.end == next.start && one != next
    };
    edits.windows(2).all(apart).then_some(edits)
}

/// What stands at `whole` with `edits` of it, which are in order and do not overlap.
pub(crate) fn edited(sources: &Sources, whole: Span, edits: &[Edit]) -> String {
    let text = sources.text(whole.file);
    let mut edited = String::new();
    let mut done = whole.start as usize;
    for edit in edits {
        let range = edit.span.range();
        edited.push_str(text.get(done..range.start).unwrap_or_default());
        edited.push_str(&edit.text);
        done = range.end;
    }
    edited.push_str(text.get(done..whole.end as usize).unwrap_or_default());
    edited
}

/// The bytes that `change` replaces; the maps that are `filled` beside it stay, whatever goes.
fn edit(sources: &Sources, change: &Change, filled: &[Span]) -> Option<Edit> {
    let (Change::Part { at: place, .. }
    | Change::Value { at: place, .. }
    | Change::Key { at: place, .. }
    | Change::Remove(place)
    | Change::Comment(place)
    | Change::Bare(place)
    | Change::Scalar { at: place, .. }
    | Change::Other { at: place, .. }
    | Change::Beside { at: place, .. }
    | Change::Entry { map: place, .. }
    | Change::Variable { beside: place, .. }
    | Change::Item { beside: place, .. }) = *change;
    if !is_ours_to_edit(sources, place.file) {
        return None;
    }
    let file = &YamlFile { sources, file: place.file };
    match change {
        Change::Part { old, new, .. } => part(file, place, old, new),
        Change::Value { new, .. } => value(file, place, new),
        Change::Key { new, .. } => key(file, place, new),
        Change::Remove(_) => remove(file, &file.locate(place)?, filled),
        Change::Scalar { value, .. } => whole(file, &file.locate(place)?, value),
        Change::Other { path, key, value, .. } => {
            let below = path.iter().try_fold(file.locate(place)?, |it, key| file.child(it, key));
            other(file, &below?, key, value)
        }
        Change::Beside { path, value, .. } | Change::Entry { path, value, .. } => {
            entry(file, &map_of(file, change, place)?, path, value)
        }
        Change::Item { value, .. } => item(file, file.locate_around(place)?, value),
        Change::Comment(_) => Some(comment(file, place)),
        Change::Variable { of, value, .. } => variable(file, place, *of, value),
        Change::Bare(_) => bare(file, place),
    }
}

/// Directories of what others wrote, of which there is another copy elsewhere.
const OTHERS: [&str; 4] = ["vendor", "node_modules", ".terraform", "third_party"];

/// Whether a person of this repository edits the file as it is: it is no template, not encrypted, and
/// no copy of what somebody else maintains.
fn is_ours_to_edit(sources: &Sources, file: FileId) -> bool {
    let path = &sources[file].path;
    let mut parents = std::iter::successors(Some(source::parent(path)), |it| {
        (!it.is_empty()).then(|| source::parent(it))
    });
    let is_others = |dir: &str| {
        let name = source::file_name(dir);
        OTHERS.contains(&name)
            || name == "charts" && sources.is_chart(source::parent(dir))
            || sources.repositories.iter().any(|it| it == dir)
    };
    // A name that is not in UTF-8 is shown with this in it, and names no file.
    !path.contains(char::REPLACEMENT_CHARACTER)
        && !parents.any(is_others)
        && !sources.is_template(file)
        && !sources.documents(file, Dialect::Sigs).roots().any(parse::is_sops)
}

fn part(file: &YamlFile<'_>, at: Span, old: &str, new: &str) -> Option<Edit> {
    let raw = file.sources.slice(at);
    let close = raw.trim_end_matches(['"', '\'']).len();
    let mut found = raw.match_indices(old);
    let start = match (found.next(), found.next()) {
        (Some((start, _)), None) => start,
        // What a flag is given stands at its end.
        (Some(_), Some(_)) => raw[..close].strip_suffix(old)?.len(),
        (None, _) => return None,
    };
    let span = at.part(start..start + old.len());
    let whole = format!("{}{new}{}", &raw[..start], &raw[start + old.len()..]);
    if file.is_yaml() {
        let located = file.locate_around(at)?;
        let style = located.node.as_scalar()?.style;
        let fits = match style {
            Style::Plain => reads_plain(&whole),
            Style::SingleQuoted => !new.contains('\''),
            Style::DoubleQuoted => !new.contains(['"', '\\']),
            Style::Literal | Style::Folded => !new.contains('\n'),
        };
        if !fits {
            return None;
        }
    }
    Some(Edit { span, text: new.to_owned() })
}

/// Whether `text` can stand in YAML without quotes, and be read as it is.
fn reads_plain(text: &str) -> bool {
    let read = parse::offsets(&format!("- {text}"), Dialect::Sigs);
    let item = read.roots().next().and_then(|it| it.items().first());
    let scalar = item.and_then(Node::as_scalar);
    scalar.is_some_and(|it| it.style == Style::Plain && &*it.text == text)
}

fn value(file: &YamlFile<'_>, at: Span, new: &str) -> Option<Edit> {
    let raw = file.sources.slice(at);
    if !file.is_yaml() {
        // A comment behind a value is part of it, and stays.
        let value = env::before_comment(raw);
        let quote = ['"', '\''].into_iter().find(|it| value.len() > 1 && value.starts_with(*it));
        let quote = quote.filter(|it| value.ends_with(*it)).map_or_else(String::new, String::from);
        let fits = !new.contains(['"', '\'', '\\', '\n', '$']);
        let text = format!("{quote}{new}{quote}");
        return fits.then_some(Edit { span: at.part(0..value.len()), text });
    }
    let located = file.locate(at)?;
    let scalar = located.node.as_scalar()?;
    let text = match scalar.style {
        Style::SingleQuoted if !new.contains('\'') => format!("'{new}'"),
        Style::DoubleQuoted if !new.contains(['"', '\\']) => format!("\"{new}\""),
        Style::Plain if reads_plain(new) => new.to_owned(),
        _ => return None,
    };
    // Nothing stands between a key and where its value would be.
    let before = file.text().get(..at.start as usize).unwrap_or_default();
    let space = if before.ends_with([':', '-']) { " " } else { "" };
    Some(Edit { span: at, text: format!("{space}{text}") })
}

fn key(file: &YamlFile<'_>, at: Span, new: &str) -> Option<Edit> {
    let raw = file.sources.slice(at);
    let text = match raw.chars().next()? {
        quote @ ('"' | '\'') => format!("{quote}{new}{quote}"),
        _ if reads_plain(new) => new.to_owned(),
        _ => return None,
    };
    let map = file.locate_around(at)?.node;
    let is_free = map.as_map().is_some_and(|it| it.get(new).is_none());
    is_free.then_some(Edit { span: at, text })
}

fn literal(file: &YamlFile<'_>, located: &Located, value: &Value) -> Option<Edit> {
    located.node.as_scalar()?;
    whole(file, located, value)
}

/// `value` in the place of all that is there, a scalar or not, on one line.
fn whole(file: &YamlFile<'_>, located: &Located, value: &Value) -> Option<Edit> {
    let span = located.node.origin.written_at()?;
    let raw = file.sources.slice(span);
    let is_one_line = !raw.is_empty() && !raw.contains('\n');
    is_one_line.then(|| Edit { span, text: inline(value, file.is_json()) })
}

fn other(file: &YamlFile<'_>, located: &Located, key: &str, value: &Value) -> Option<Edit> {
    let Link { parent, child: child @ ChildPlace::Entry(_) } = located.way.last()? else {
        return None;
    };
    let is_free = parent.as_map().is_some_and(|it| it.get(key).is_none());
    let span = file.whole_of(parent, child).filter(|_| is_free)?;
    let is_json = file.is_json();
    let name = if is_json { format!("\"{key}\"") } else { key.to_owned() };
    let text = format!("{name}: {}", inline(value, is_json));
    (!file.sources.slice(span).contains('\n')).then_some(Edit { span, text })
}

/// `value` as it is written on one line.
fn inline(value: &Value, is_json: bool) -> String {
    match value {
        Value::String(text) if !is_json && reads_as_text(text) => text.clone(),
        Value::Object(map) if !is_json => {
            let entries = map.iter().map(|(key, it)| format!("{key}: {}", inline(it, is_json)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        value => value.to_string(),
    }
}

/// Whether `text` needs no quotes anywhere, and is a text without them.
fn reads_as_text(text: &str) -> bool {
    let is_text = matches!(scalar::plain(text, Dialect::Sigs), scalar::Value::Str(_));
    is_text && reads_plain(text) && !text.contains(FLOW)
}

fn remove(file: &YamlFile<'_>, located: &Located, filled: &[Span]) -> Option<Edit> {
    let (Link { parent, child }, above) = located.way.split_last()?;
    // A list or a map of which nothing is left goes as a whole: `args:` alone would be null.
    let is_only = parent.items().len().max(parent.entries().count()) == 1;
    if is_only && parent.origin.written_at().is_none_or(|it| !filled.contains(&it)) {
        let above = Located { way: above.to_vec(), node: parent.clone() };
        let edit = remove(file, &above, filled)?;
        // What is said in there may be worth more than what goes.
        let around = parent.origin.written_at()?;
        let before = file.text().get(edit.span.start as usize..around.start as usize)?;
        let inside = file.sources.slice(around);
        let is_said = before.split_once('\n').is_some_and(|(_, it)| it.contains('#'))
            || inside.starts_with(['[', '{']) && inside.lines().count() > 1 && inside.contains('#');
        return (!is_said).then_some(edit);
    }
    let text = file.text();
    let outer = parent.origin.written_at()?;
    let whole = file.whole_of(parent, child)?;
    if file.sources.slice(outer).starts_with(['[', '{']) {
        let siblings = file.places_in(parent)?;
        let at = siblings.iter().position(|it| it.start == whole.start)?;
        let (start, end) = match siblings.get(at + 1) {
            Some(next) => (whole.start, next.start),
            None => (siblings.get(at.checked_sub(1)?)?.end, whole.end),
        };
        let line_end = file.line_of(end as usize).end;
        let before = if at == 0 { outer.start } else { start };
        let around = [before..whole.start, whole.end..end, end..u32::try_from(line_end).ok()?];
        let is_one_line = !file.sources.slice(Span { start, end, ..whole }).contains('\n');
        let is_said =
            |it: &std::ops::Range<u32>| text[it.start as usize..it.end as usize].contains('#');
        // Whose comment it is cannot be told.
        if !is_one_line && around.iter().any(is_said) {
            return None;
        }
        return Some(Edit { span: Span { start, end, ..whole }, text: String::new() });
    }
    let line = file.line_of(whole.start as usize);
    let before = &text[line.start..whole.start as usize];
    if !before.trim().is_empty() {
        return None;
    }
    let end = file.line_of(whole.end as usize).end;
    let after = text[whole.end as usize..end].trim();
    // What is said of something goes with it, and not where it moves.
    if !(after.is_empty() || after.starts_with('#') && filled.is_empty()) {
        return None;
    }
    Some(Edit { span: file.without_lines(line.start..end), text: String::new() })
}

fn entry(file: &YamlFile<'_>, located: &Located, path: &[String], value: &Value) -> Option<Edit> {
    let (key, deeper) = path.split_first()?;
    let map = located.node.as_map()?;
    if map.get(key).is_some() && !deeper.is_empty() {
        return entry(file, &file.child(located.clone(), key)?, deeper, value);
    }
    if map.get(key).is_some() {
        return literal(file, &file.child(located.clone(), key)?, value);
    }
    let value = deeper.iter().rev().fold(value.clone(), |value, key| {
        Value::Object([(key.clone(), value)].into_iter().collect())
    });
    let new = Value::Object([(key.clone(), value)].into_iter().collect());
    let span = located.node.origin.written_at()?;
    if file.sources.slice(span).starts_with('{') {
        return flow(file, located, &new);
    }
    let first = map.iter().next().and_then(|(_, it)| it.key)?;
    let indent = file.blank_before(first.start as usize)?;
    below(file, span, &indent, &new)
}

fn item(file: &YamlFile<'_>, mut located: Located, value: &Value) -> Option<Edit> {
    while located.node.as_list().is_none() {
        located.node = located.way.pop()?.parent;
    }
    let located = &located;
    let span = located.node.origin.written_at()?;
    let new = Value::Array(vec![value.clone()]);
    if file.sources.slice(span).starts_with('[') {
        return flow(file, located, &new);
    }
    let first = file.whole_of(&located.node, &ChildPlace::Item(0))?;
    let indent = file.blank_before(first.start as usize)?;
    below(file, span, &indent, &new)
}

/// The lines of `new`, indented, below the line in which `span` ends.
fn below(file: &YamlFile<'_>, span: Span, indent: &str, new: &Value) -> Option<Edit> {
    // It stands nowhere yet.
    let lines = emit::yaml(&charts::from_json(new, &Origin::at(Via::Written, None)));
    let text = file.text();
    let line = file.line_of((span.end as usize).checked_sub(1)?);
    let (end, line_end) = match text[line.clone()].strip_suffix('\n') {
        Some(it) if it.ends_with('\r') => (line.end, "\r\n"),
        Some(_) => (line.end, "\n"),
        None => (line.end, file.line_end()),
    };
    let after = text[span.end as usize..end].trim();
    if !(after.is_empty() || after.starts_with('#')) {
        return None;
    }
    let mut put = String::new();
    if !text[..end].ends_with('\n') {
        put.push_str(line_end);
    }
    for line in lines.lines() {
        put.extend([indent, line, line_end]);
    }
    if !text[..end].ends_with('\n') {
        put.truncate(put.len() - line_end.len());
    }
    Some(Edit { span: Span::new(file.file, end..end), text: put })
}

/// What `new` holds, put into a list or a map in brackets, which stands on one line.
fn flow(file: &YamlFile<'_>, located: &Located, new: &Value) -> Option<Edit> {
    let span = located.node.origin.written_at()?;
    let raw = file.sources.slice(span);
    if raw.contains('\n') {
        return None;
    }
    let json = new.to_string();
    let inner = json.get(1..json.len() - 1)?;
    let siblings = file.places_in(&located.node)?;
    let last = siblings.last().copied();
    let is_json = last.is_some_and(|it| file.sources.slice(it).starts_with('"')) || file.is_json();
    let parts: Vec<String> = match new {
        _ if is_json => vec![inner.to_owned()],
        Value::Object(map) => {
            map.iter().map(|(key, it)| format!("{key}: {}", inline(it, false))).collect()
        }
        Value::Array(items) => items.iter().map(|it| inline(it, false)).collect(),
        _ => return None,
    };
    let inner = parts.join(", ");
    let (at, text) = match last {
        Some(last) => (last.end, format!(", {inner}")),
        None => (span.start + 1, inner),
    };
    Some(Edit { span: Span { start: at, end: at, ..span }, text })
}

/// What ends a text without quotes between brackets.
const FLOW: [char; 5] = [',', '[', ']', '{', '}'];

fn comment(file: &YamlFile<'_>, at: Span) -> Edit {
    let text = file.text();
    let line = file.line_of(at.start as usize);
    let before = &text[line.start..at.start as usize];
    let is_alone = before.trim().is_empty() && text[at.end as usize..line.end].trim().is_empty();
    let span = match is_alone {
        true => file.without_lines(line),
        false => Span::new(at.file, line.start + before.trim_end().len()..at.end as usize),
    };
    Edit { span, text: String::new() }
}

fn variable(file: &YamlFile<'_>, beside: Span, of: Span, value: &str) -> Option<Edit> {
    let theirs = YamlFile { sources: file.sources, file: of.file };
    if file.is_yaml() || theirs.is_yaml() {
        return None;
    }
    let line = theirs.line_of(of.start as usize);
    let name = theirs.text()[line.start..of.start as usize].strip_suffix('=')?;
    let name = name.trim_start_matches('\u{feff}').trim();
    let (text, line) = (file.text(), file.line_of(beside.start as usize));
    let is_there =
        |it: &str| it.trim_start().strip_prefix(name).is_some_and(|it| it.starts_with('='));
    let is_plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '.' | '-');
    if text.lines().any(is_there) || !name.chars().chain(value.chars()).all(is_plain) {
        return None;
    }
    let line_end = file.line_end();
    let text = match text[line.clone()].ends_with('\n') {
        true => format!("{name}={value}{line_end}"),
        false => format!("{line_end}{name}={value}"),
    };
    Some(Edit { span: Span::new(file.file, line.end..line.end), text })
}

fn bare(file: &YamlFile<'_>, at: Span) -> Option<Edit> {
    let (raw, line) = (file.sources.slice(at), file.line_of(at.start as usize));
    let text = file.text();
    let mark = if text[line.clone()].starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let line = line.start + mark..line.end;
    let name = &text[line.start..at.start as usize];
    let line_end = file.line_end();
    if file.is_yaml() || raw.contains('\n') || !name.ends_with('=') {
        return None;
    }
    let value = env::before_comment(raw);
    let comment = match raw[value.len()..].trim() {
        "" => String::new(),
        comment => format!("{comment}{line_end}"),
    };
    let inner = ['"', '\''].into_iter().find_map(|quote| {
        value.strip_prefix(quote)?.strip_suffix(quote).filter(|it| !it.contains(quote))
    });
    let span = Span::new(at.file, line.start..at.end as usize);
    Some(Edit { span, text: format!("{comment}{name}{}", inner.unwrap_or(value)) })
}

/// A file in which places are looked up.
struct YamlFile<'a> {
    sources: &'a Sources,
    file: FileId,
}

/// A value in a file, with the way to it from its document.
#[derive(Debug, Clone)]
struct Located {
    way: Vec<Link>,
    node: Node,
}

impl Located {
    /// The map so many levels above.
    fn above(&self, levels: usize) -> Option<Self> {
        let keep = self.way.len().checked_sub(levels)?;
        let node = self.way.get(keep)?.parent.clone();
        Some(Self { way: self.way[..keep].to_vec(), node })
    }
}

/// A step down in a document.
#[derive(Debug, Clone)]
struct Link {
    parent: Node,
    child: ChildPlace,
}

#[derive(Debug, Clone)]
enum ChildPlace {
    Item(usize),
    Entry(String),
    /// A document in a text.
    Inside,
}

impl YamlFile<'_> {
    fn text(&self) -> &str {
        self.sources.text(self.file)
    }

    fn is_yaml(&self) -> bool {
        let path = &self.sources[self.file].path;
        source::is_yaml(path) || source::extension(path) == "json"
    }

    fn is_json(&self) -> bool {
        source::extension(&self.sources[self.file].path) == "json"
    }

    /// What ends a line where none says so itself.
    fn line_end(&self) -> &'static str {
        if self.text().contains("\r\n") { "\r\n" } else { "\n" }
    }

    /// The line that holds a byte, with what ends it.
    fn line_of(&self, at: usize) -> std::ops::Range<usize> {
        let line = self.sources.start(Span::new(self.file, at..at)).line;
        self.sources.line_range(self.file, line)
    }

    /// What goes with whole lines: the last one of a file may have no end of its own.
    fn without_lines(&self, lines: std::ops::Range<usize>) -> Span {
        let text = self.text();
        let start = match text[..lines.end].ends_with('\n') {
            true => lines.start,
            false => text[..lines.start].trim_end_matches(['\n', '\r']).len(),
        };
        Span::new(self.file, start..lines.end)
    }

    /// As many spaces as stand, with the dashes of lists, before a byte in its line.
    fn blank_before(&self, at: usize) -> Option<String> {
        let before = &self.text()[self.line_of(at).start..at];
        let before = before.strip_prefix('\u{feff}').unwrap_or(before);
        let is_blank = before.bytes().all(|it| matches!(it, b' ' | b'-'));
        is_blank.then(|| " ".repeat(before.len()))
    }

    /// The value that stands at `span`, unless an alias repeats it elsewhere.
    fn locate(&self, span: Span) -> Option<Located> {
        let located = self.locate_around(span)?;
        (located.node.origin.written_at() == Some(span)).then_some(located)
    }

    /// The innermost value around `span`.
    fn locate_around(&self, span: Span) -> Option<Located> {
        let mut roots = self.sources.documents(self.file, Dialect::Sigs).roots();
        let root = roots.find(|it| it.covers(span))?;
        let mut located = Located { way: Vec::new(), node: root.clone() };
        while let Some((child, node)) = self.step(&located.node, span) {
            if self.is_anchored(&located.node, &child, &node) {
                return None;
            }
            let parent = std::mem::replace(&mut located.node, node);
            located.way.push(Link { parent, child });
        }
        Some(located)
    }

    /// The value of `key` in a map, unless an alias repeats it elsewhere.
    fn child(&self, mut of: Located, key: &str) -> Option<Located> {
        let (child, node) = (ChildPlace::Entry(key.to_owned()), of.node.get(key)?.clone());
        if self.is_anchored(&of.node, &child, &node) {
            return None;
        }
        of.way.push(Link { parent: std::mem::replace(&mut of.node, node), child });
        Some(of)
    }

    /// What is in `node` and holds `span`.
    fn step(&self, node: &Node, span: Span) -> Option<(ChildPlace, Node)> {
        let items = node.items().iter().enumerate().map(|(at, it)| (ChildPlace::Item(at), it));
        let entries =
            node.entries().map(|(key, it)| (ChildPlace::Entry(key.to_owned()), &it.value));
        let found = items.chain(entries).find(|(_, it)| it.covers(span));
        if let Some((child, node)) = found {
            return Some((child, node.clone()));
        }
        let scalar = node.as_scalar().filter(|it| it.text.contains('\n'))?;
        let is_part = node.origin.written_at() != Some(span) && !scalar.text.is_empty();
        let inside = is_part.then(|| parse::embedded(self.sources, node, Dialect::Sigs))?;
        let whole = node.origin.written_at();
        let mut roots = inside.roots().filter(|it| it.as_scalar().is_none());
        let root = roots.find(|it| it.covers(span) && it.origin.written_at() != whole)?;
        Some((ChildPlace::Inside, root.clone()))
    }

    /// Whether an anchor stands before `node`, so that an alias may repeat it.
    fn is_anchored(&self, parent: &Node, child: &ChildPlace, node: &Node) -> bool {
        let (Some(outer), Some(inner)) = (parent.origin.written_at(), node.origin.written_at())
        else {
            return true;
        };
        let start = match child {
            ChildPlace::Inside => return false,
            ChildPlace::Item(at) => at
                .checked_sub(1)
                .and_then(|it| parent.items().get(it)?.origin.written_at())
                .map_or(outer.start, |it| it.end),
            ChildPlace::Entry(key) => {
                let entry = parent.as_map().and_then(|it| it.entry(key));
                let Some(key) = entry.and_then(|it| it.key) else { return true };
                if self.is_merged(outer.start, key.start) {
                    return true;
                }
                key.end
            }
        };
        let before = self.text().get(start as usize..inner.start as usize);
        before.is_none_or(|it| it.lines().any(|line| marks(line).contains('&')))
    }

    /// Whether the key at `key` of a map that starts at `map` may stand in what is merged into it, and has
    /// an anchor.
    fn is_merged(&self, map: u32, key: u32) -> bool {
        let Some(before) = self.text().get(map as usize..key as usize) else { return true };
        let merge = before.rfind("<<").map_or("", |at| &before[at..]);
        merge.lines().any(|line| marks(line).contains('&'))
    }

    /// The bytes of an item with its dash, or of an entry with its key.
    fn whole_of(&self, parent: &Node, child: &ChildPlace) -> Option<Span> {
        match child {
            ChildPlace::Inside => None,
            ChildPlace::Entry(key) => {
                let entry = parent.as_map()?.entry(key)?;
                Some(Span { start: entry.key?.start, ..entry.value.origin.written_at()? })
            }
            ChildPlace::Item(at) => {
                let span = parent.items().get(*at)?.origin.written_at()?;
                let is_flow = self.sources.slice(parent.origin.written_at()?).starts_with('[');
                let before = self.text().get(..span.start as usize)?.trim_end();
                match (is_flow, before.strip_suffix('-')) {
                    (true, _) => Some(span),
                    (false, Some(before)) => {
                        Some(Span { start: u32::try_from(before.len()).ok()?, ..span })
                    }
                    (false, None) => None,
                }
            }
        }
    }

    /// The places of what a list or a map holds, in order; nothing where one of them stands elsewhere:
    /// an alias, what is merged.
    fn places_in(&self, node: &Node) -> Option<Vec<Span>> {
        let items = (0..node.items().len()).map(ChildPlace::Item);
        let entries = node.entries().map(|(key, _)| ChildPlace::Entry(key.to_owned()));
        let places = items.chain(entries).map(|it| self.whole_of(node, &it));
        let places: Vec<Span> = places.collect::<Option<_>>()?;
        let in_order = places.windows(2).all(|pair| pair[0].end <= pair[1].start);
        (in_order && places.iter().all(|it| node.covers(*it))).then_some(places)
    }
}

/// A line up to its comment.
fn marks(line: &str) -> &str {
    line.find('#').map_or(line, |at| &line[..at])
}
