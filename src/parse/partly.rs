//! Texts of which parts are unknown: what these touch is unknown, and nothing else.

use std::ops::Range;

use super::{
    Documents, stand_in,
    yaml::{self, Offsets, ScalarPlace},
};
use crate::{
    scalar::{Dialect, Scalar, Style},
    tree::{Entry, Kind, Map, Node, Origin, Reason},
};

/// The texts that `node` is put together from, if it is unknown because some of them are, and why these are.
fn parts(node: &Node) -> Option<(Vec<Node>, Vec<Reason>)> {
    let why = node.unknown()?;
    let texts = node.origin.texts();
    let reasons: Vec<Reason> = texts.iter().filter_map(|it| it.unknown().cloned()).collect();
    reasons.contains(why).then_some((texts, reasons))
}

/// The documents of `node`, a text that is unknown because parts of it are; `None` where that is not why it
/// is, or nothing can be read around them.
pub(super) fn documents(node: &Node, dialect: Dialect) -> Option<Documents> {
    let (texts, reasons) = parts(node)?;
    if texts.iter().filter_map(Node::as_str).any(|it| it.contains(stand_in::is_one)) {
        return None;
    }
    let mut marks = (0..).map_while(stand_in::numbered);
    let (text, mut starts) = joined(texts, || Some(marks.next()?.to_string()))?;
    let is_unknown = |line: &str| {
        let mut rest = line.chars();
        rest.next().is_some_and(stand_in::is_one) && rest.next().is_none()
    };
    let insertions = unknown_lines(&text, is_unknown);
    let text = inserted(&text, &insertions);
    let (mut before, mut by) = (insertions.iter().peekable(), 0);
    for (start, _) in &mut starts {
        while let Some((_, mark)) = before.next_if(|it| it.0 < *start) {
            by += mark.len();
        }
        *start += by;
    }
    let place = Offsets::Texts(text.as_str().into(), starts);
    let mut documents = yaml::parse(&text, ScalarPlace::new(node.origin.clone(), place), dialect);
    if documents.error().is_some() {
        return None;
    }
    for root in documents.list.iter_mut().filter_map(|it| it.root.as_mut().ok()) {
        *root = without_marks(root, &reasons);
    }
    Some(documents)
}

/// `node` with the known parts of the texts in it that are unknown, and `mark` for the others.
pub(crate) fn legible(node: &Node, mark: &str) -> Node {
    node.rewrite(&mut |node| {
        let (text, _) = joined(parts(node)?.0, || Some(mark.to_owned()))?;
        Some(Node::new(
            Scalar { text: text.into(), style: Style::Literal, tag: None },
            node.origin.clone(),
        ))
    })
}

/// `text` with what is to be written into it.
fn inserted(text: &str, insertions: &[(usize, &str)]) -> String {
    let (mut result, mut at) = (String::with_capacity(text.len()), 0);
    for (before, mark) in insertions {
        result += &text[at..*before];
        result += mark;
        at = *before;
    }
    result + &text[at..]
}

/// `texts` one behind the other, with a `mark` for what is unknown, and where each starts and its way;
/// `None` where there is none.
pub(super) fn joined(
    texts: Vec<Node>,
    mut mark: impl FnMut() -> Option<String>,
) -> Option<(String, Vec<(usize, Origin)>)> {
    let (mut text, mut starts) = (String::new(), Vec::new());
    for part in texts {
        starts.push((text.len(), part.origin));
        match &part.kind {
            Kind::Scalar(it) => text.push_str(&it.text),
            Kind::Unknown(_) => text += &mark()?,
            Kind::List(_) | Kind::Map(_) => return None,
        }
    }
    (!starts.is_empty()).then_some((text, starts))
}

/// The lines of `text`, the first of which starts at the byte `at` of what `origin` gives places of, each
/// with its own; `written` is what they were made of.
pub(crate) fn lines<'t>(
    text: &'t str,
    written: &'t str,
    mut at: usize,
    origin: &impl Fn(Range<usize>) -> Origin,
) -> impl Iterator<Item = Node> {
    text.split_inclusive('\n').zip(written.split_inclusive('\n')).map(move |(text, line)| {
        let way = origin(at..at + line.trim_end_matches('\n').len());
        at += line.len();
        Node::new(Scalar::string(text), way)
    })
}

/// What is unknown in a text, if something is.
fn unknown_in<'r>(text: &str, reasons: &'r [Reason]) -> Option<&'r Reason> {
    reasons.get(text.chars().find_map(stand_in::number)?)
}

fn without_marks(node: &Node, reasons: &[Reason]) -> Node {
    node.rewrite(&mut |node| match &node.kind {
        Kind::Scalar(it) => {
            let why = unknown_in(&it.text, reasons)?;
            Some(Node::unknown_value(why.clone(), &node.origin))
        }
        Kind::Map(map) if map.iter().any(|(key, _)| key.contains(stand_in::is_one)) => {
            let mut known = Map::open(map.open.clone());
            for (key, entry) in map.iter() {
                match unknown_in(key, reasons) {
                    Some(why) => known.open = Some(why.clone()),
                    None => {
                        let value = without_marks(&entry.value, reasons);
                        known.insert(key, Entry { key: entry.key, value });
                    }
                }
            }
            Some(Node::new(known, node.origin.clone()))
        }
        _ => None,
    })
}

/// What makes a line an item of a list, or a key of a map.
const ITEM: &str = "- ";
const KEY: &str = ":";

/// What makes of each line of `text` that is nothing but unknown an item of the list or a key of the map
/// around it: before which byte what is to be written, in order.
pub(crate) fn unknown_lines(
    text: &str,
    is_unknown: impl Fn(&str) -> bool,
) -> Vec<(usize, &'static str)> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let (mut insertions, mut at) = (Vec::new(), 0);
    for (index, line) in lines.iter().enumerate() {
        let own = line.trim();
        if is_unknown(own) {
            let start = at + width(line);
            match around(&lines[..index], &lines[index + 1..], width(line)) {
                Some(mark @ ITEM) => insertions.push((start, mark)),
                Some(mark) => insertions.push((start + own.len(), mark)),
                None => {}
            }
        }
        at += line.len();
    }
    insertions
}

fn width(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// What makes an entry of the line between `before` and `after` that is indented by `indent`; nothing
/// where it is a value by itself.
fn around(before: &[&str], after: &[&str], indent: usize) -> Option<&'static str> {
    let solid = |it: &&&str| !it.trim().is_empty() && !it.trim_start().starts_with('#');
    let next = after.iter().find(solid);
    let in_flow = |it: &&&str| {
        let line = it.trim();
        line.ends_with(['[', '{']) || line.ends_with(',') && !line.starts_with(ITEM)
    };
    if before.iter().rev().find(solid).is_some_and(|it| in_flow(&it))
        || next.is_some_and(|it| it.trim_start().starts_with([']', '}', ',']))
    {
        return None;
    }
    let kind = |line: &str| match line.trim_start() {
        it if it.starts_with(ITEM) || it.trim_end() == "-" => ITEM,
        _ => KEY,
    };
    let mut above = before.iter().rev().filter(solid);
    let last = above.find(|it| width(it) <= indent || it.trim_start().starts_with(ITEM));
    // `- a: b` holds a map that is indented by two more.
    let inside = |it: &str| {
        let rest = it.trim_start().strip_prefix(ITEM)?;
        Some(it.len() - rest.trim_start().len())
    };
    match last {
        Some(it) if width(it) == indent && it.trim_end().ends_with(':') && kind(it) == KEY => {
            Some(ITEM)
        }
        Some(it) if width(it) == indent && !it.trim_start().starts_with("---") => Some(kind(it)),
        Some(it) if inside(it) == Some(indent) => Some(KEY),
        _ => {
            let next = next?;
            (width(next) == indent && !next.starts_with("---")).then(|| kind(next))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::nowhere;

    /// A text of which what is between `<` and `>` is unknown, for that reason.
    fn text(text: &str, why: &str) -> Node {
        let parts = text.split_inclusive(['<', '>']).map(|it| match it.strip_suffix('>') {
            Some(why) => Node::unknown_value(why, &nowhere()),
            None => Node::new(Scalar::string(it.trim_end_matches('<')), nowhere()),
        });
        Node::unknown_value(why, &nowhere().of_texts(parts))
    }

    fn read(node: &Node) -> Option<Node> {
        let documents = documents(node, Dialect::Sigs)?;
        documents.roots().next().cloned()
    }

    #[test]
    fn only_what_an_unknown_part_touches_is_unknown() {
        let root =
            read(&text("a: 1\nb: x<B>y\n<C>d: e\nf:\n- <F>\n- g\n", "B")).expect("it is YAML");
        assert_eq!(root.at("a").and_then(Node::as_int), Some(1));
        assert_eq!(root.at("b").and_then(Node::unknown).map(|it| &**it), Some("B"));
        assert_eq!(root.as_map().and_then(|it| it.open.as_deref()), Some("C"));
        let [unknown, known] = root.items_at("f") else { panic!("two items") };
        assert_eq!(unknown.unknown().map(|it| &**it), Some("F"));
        assert_eq!(known.as_str(), Some("g"));
    }

    #[test]
    fn a_line_of_its_own_is_what_is_around_it() {
        let whole = read(&text("a:\n  # n\n  <A>\nb: 1\n", "A")).expect("it is YAML");
        assert!(whole.get("a").is_some_and(|it| it.unknown().is_some()));
        assert_eq!(whole.get("b").and_then(Node::as_int), Some(1));
        let flow = read(&text("a: [\n  b,\n  <A>\n]\nc: {\n  <B>\n}\n", "A")).expect("it is YAML");
        let [known, unknown] = flow.items_at("a") else { panic!("two items") };
        assert_eq!(known.as_str(), Some("b"));
        assert!(unknown.unknown().is_some());
        assert!(flow.get("c").and_then(Node::as_map).is_some_and(|it| it.open.is_some()));
        let list = read(&text("- a\n# n\n<A>\n", "A")).expect("it is YAML");
        assert_eq!(list.items().len(), 2);
    }

    #[test]
    fn a_text_that_is_hidden_for_another_reason_stays_hidden() {
        assert!(read(&text("a: <B>\n", "B")).is_some());
        assert!(read(&text("a: <B>\n", "a patch may replace it")).is_none());
        assert!(read(&text("a: [<B>\n", "B")).is_none(), "it is no YAML around it");
    }
}
