//! Strings with holes that something fills in, without a template engine.
//!
//! A hole is masked by text of the same length, so that everything around it keeps its place, and
//! filled in once the text was parsed. What a hole nobody can fill touches is unknown, and so is what
//! stands in a condition.

use std::ops::Range;

use crate::{
    parse::{self, stand_in},
    placeholder::Placeholder,
    scalar::{self, Dialect, Scalar, Style},
    source::Sources,
    tree::{self, Entry, Map, Node, Origin, Reason, Via},
};

/// A part of a string that something fills in.
#[derive(Debug, Clone)]
pub(crate) struct Hole {
    /// Which bytes of the string.
    pub range: Range<usize>,
    /// The scalar that takes their place: its text, or a YAML string when it is quoted. A list or a
    /// map, encoded, takes the place of a whole value.
    pub fill: Result<Node, Reason>,
}

/// How many holes a text may have: the mask over each starts with a [`stand_in`] of its own.
const MAX_HOLES: usize = 6_000;

/// The ranges of `text` between `open` and `close`, both included. An `open` that nothing closes
/// is none.
pub(crate) fn between(text: &str, open: &str, close: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut at = 0;
    while let Some(start) = text.get(at..).and_then(|rest| rest.find(open)).map(|it| it + at) {
        let inner = start + open.len();
        let Some(end) = text.get(inner..).and_then(|rest| rest.find(close)) else { break };
        at = inner + end + close.len();
        ranges.push(start..at);
    }
    ranges
}

/// The YAML in `node`, a string, once its holes are filled: its documents, or why there are none.
///
/// # Errors
/// The text is not YAML around its holes.
pub(crate) fn fill_yaml(
    sources: &Sources,
    node: &Node,
    holes: &[Hole],
) -> Result<Vec<Node>, Reason> {
    let text = node.as_scalar().map_or("", |it| &*it.text);
    fill_text_as_yaml(sources, node, text, holes)
}

/// [`fill_yaml`] of another `text` of the same length.
///
/// # Errors
/// The text is not YAML around its holes.
pub(crate) fn fill_text_as_yaml(
    sources: &Sources,
    node: &Node,
    text: &str,
    holes: &[Hole],
) -> Result<Vec<Node>, Reason> {
    let masked = mask(text, holes).ok_or("it has too many placeholders")?;
    let documents = parse::masked(sources, node, &masked, Dialect::Sigs);
    if let Some(error) = documents.error() {
        return Err(format!("it is not YAML around its placeholders: {}", error.message).into());
    }
    Ok(documents.roots().map(|root| unmask(root, holes)).collect())
}

/// What is there in either case; `perhaps` makes what is there in one of them only.
pub(crate) fn either(
    first: &Node,
    last: &Node,
    why: &Reason,
    perhaps: &impl Fn(&Node) -> Node,
) -> Node {
    if let (Some(items), Some(others)) = (first.as_list(), last.as_list()) {
        let mut others = others.iter().peekable();
        let both =
            items.iter().map(|it| others.next_if_eq(&it).cloned().unwrap_or_else(|| perhaps(it)));
        let both: Vec<Node> = both.collect();
        if others.peek().is_none() {
            return Node::new(both, first.origin.clone());
        }
    }
    let (Some(map), Some(other)) = (first.as_map(), last.as_map()) else {
        return tree::join(first, last, why);
    };
    let mut both = Map::open(map.open.clone().or_else(|| other.open.clone()));
    for (key, entry) in map.iter().chain(other.iter().filter(|(key, _)| map.get(key).is_none())) {
        let value = match (map.get(key), other.get(key)) {
            (Some(first), Some(last)) => either(first, last, why, perhaps),
            _ => perhaps(&entry.value),
        };
        both.insert(key, Entry { key: entry.key, value });
    }
    Node::new(both, first.origin.clone())
}

/// `text` with a mask over every hole, of the same length.
fn mask(text: &str, holes: &[Hole]) -> Option<String> {
    if holes.len() > MAX_HOLES || text.chars().any(stand_in::is_one) {
        return None;
    }
    let mut masked = String::with_capacity(text.len());
    let mut at = 0;
    for (index, hole) in holes.iter().enumerate() {
        masked += text.get(at..hole.range.start)?;
        masked.push(stand_in::numbered(index)?);
        let rest = hole.range.len().checked_sub(stand_in::FIRST.len_utf8())?;
        masked.extend(std::iter::repeat_n('x', rest));
        at = hole.range.end;
    }
    masked += text.get(at..)?;
    Some(masked)
}

fn unmask(node: &Node, holes: &[Hole]) -> Node {
    node.rewrite(&mut |node| {
        if let Some(scalar) = node.as_scalar() {
            return Some(unmask_scalar(node, scalar, holes));
        }
        let map = node.as_map()?;
        let mut unmasked = Map::open(map.open.clone());
        for (key, entry) in map.iter() {
            match fill_text(&Scalar::plain(key), holes) {
                Ok((key, _)) => {
                    let value = unmask(&entry.value, holes);
                    unmasked.insert(key, Entry { key: entry.key, value });
                }
                Err(why) => unmasked.open = Some(why),
            }
        }
        Some(Node::new(unmasked, node.origin.clone()))
    })
}

fn unmask_scalar(node: &Node, scalar: &Scalar, holes: &[Hole]) -> Node {
    if let Some(quoted) = whole(scalar, holes) {
        return Node::new(quoted.kind.clone(), filled_from(node, quoted));
    }
    match fill_text(scalar, holes) {
        Ok((_, None)) => node.clone(),
        Ok((text, Some(fill))) => {
            let origin = filled_from(node, fill);
            Node::new(Scalar { text: text.into(), ..scalar.clone() }, origin)
        }
        Err(why) => Node::unknown_value(why, &node.origin),
    }
}

/// The origin of a template that `fill` fills; a literal in the template leaves it as it is.
fn filled_from(node: &Node, fill: &Node) -> Origin {
    match fill.origin.written_at() {
        Some(_) => node.origin.filled(Via::Templated, &fill.origin),
        None => node.origin.clone(),
    }
}

/// What fills the one hole that a masked scalar is, when that is quoted or no scalar.
fn whole<'a>(scalar: &Scalar, holes: &'a [Hole]) -> Option<&'a Node> {
    let first = scalar.text.chars().next().filter(|_| scalar.style == Style::Plain)?;
    let hole = holes.get(stand_in::number(first)?)?;
    let fill = hole.fill.as_ref().ok()?;
    let quoted = fill.as_scalar().is_none_or(|it| it.style != Style::Plain);
    (quoted && hole.range.len() == scalar.text.len()).then_some(fill)
}

/// The text of a masked scalar with its holes filled, and what the first was filled with.
fn fill_text<'a>(scalar: &Scalar, holes: &'a [Hole]) -> Result<(String, Option<&'a Node>), Reason> {
    let mut text = String::new();
    let mut first = None;
    let mut rest = &*scalar.text;
    while let Some(at) = rest.find(stand_in::is_one) {
        let (before, masked) = rest.split_at(at);
        text += before;
        let index = masked.chars().next().and_then(stand_in::number);
        let Some(hole) = index.and_then(|it| holes.get(it)) else { break };
        let fill = hole.fill.as_ref().map_err(Clone::clone)?;
        let filled = fill.as_scalar();
        let bare = filled.is_some_and(|it| it.style == Style::Plain);
        let filled = filled.map_or("", |it| &*it.text);
        if !bare || !is_transparent(filled, scalar.style, text.is_empty()) {
            return Err(format!("`{filled}` changes the YAML around it").into());
        }
        text += filled;
        first.get_or_insert(fill);
        rest = masked.get(hole.range.len()..).unwrap_or_default();
    }
    text += rest;
    Ok((text, first))
}

/// Whether `text` stays one piece of a scalar of that style when it is written there.
fn is_transparent(text: &str, style: Style, starts: bool) -> bool {
    if text.contains('\n') {
        return false;
    }
    match style {
        Style::Literal => true,
        Style::Folded => !text.starts_with(' '),
        Style::SingleQuoted => !text.contains('\''),
        Style::DoubleQuoted => !text.contains(['"', '\\']),
        Style::Plain => {
            let indicator = starts
                && (text.starts_with(|it: char| "-?:,[]{}#&*!|>'\"%@` ".contains(it))
                    && !is_word(text));
            !(indicator
                || text.contains(": ")
                || text.contains(" #")
                || text.contains([',', '[', ']'])
                || (text.contains(['{', '}']) && (starts || !text.starts_with("{{")))
                || text.ends_with([':', ' ']))
        }
    }
}

/// Whether a text that starts with `-` is still plain: `--flag`, `-1`.
fn is_word(text: &str) -> bool {
    text.starts_with('-') && text.len() > 1 && !text.starts_with("- ") && !text.starts_with("---")
}

/// The text of a scalar as Go's `%v` prints it, for what is no text either.
pub(crate) fn printed(node: &Node) -> Option<String> {
    let scalar = node.as_scalar()?;
    Some(match scalar::sigs(scalar) {
        crate::scalar::Value::Bool(it) => it.to_string(),
        crate::scalar::Value::Int(it) => it.to_string(),
        _ => scalar.text.to_string(),
    })
}

/// A manifest that nothing builds, with what something outside the repository must fill in unknown.
pub(crate) fn placeholders(sources: &Sources, node: &Node) -> Node {
    let nothing = |text: &str| Reason::from(format!("nothing in the repository fills in `{text}`"));
    node.rewrite(&mut |node| {
        let text = &*node.as_scalar()?.text;
        let dollar = Placeholder::Dollar.is_in(text);
        if dollar && text.contains('\n') {
            return Some(with_unknown(sources, node, text, nothing));
        }
        let why = match dollar {
            true => nothing(text),
            false if Placeholder::Encrypted.is_in(text) => "it is encrypted with SOPS".into(),
            false => return None,
        };
        Some(Node::unknown_value(why, &node.origin))
    })
}

/// `node`, a text of several lines of which what is between `${` and `}` is unknown: something may read
/// what stands around that.
fn with_unknown(sources: &Sources, node: &Node, text: &str, why: impl Fn(&str) -> Reason) -> Node {
    let origin = parse::parts(sources, node);
    let (mut texts, mut at) = (Vec::new(), 0);
    let beyond = text.len()..text.len();
    for hole in between(text, "${", "}").into_iter().chain(std::iter::once(beyond)) {
        let before = &text[at..hole.start];
        texts.extend(parse::lines(before, before, at, &origin));
        if !hole.is_empty() {
            texts.push(Node::unknown_value(why(&text[hole.clone()]), &origin(hole.clone())));
        }
        at = hole.end;
    }
    let first = texts.iter().find_map(Node::unknown).cloned();
    Node::unknown_value(first.unwrap_or_else(|| why(text)), &node.origin.of_texts(texts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{fixture, roots};

    fn node(sources: &Sources) -> Node {
        roots(sources, "a.yaml")[0].get("values").expect("a key").clone()
    }

    fn holes(text: &str, fill: impl Fn(&str) -> Result<Node, Reason>) -> Vec<Hole> {
        between(text, "{{", "}}")
            .into_iter()
            .map(|range| {
                let name = text[range.clone()].trim_matches(['{', '}']).trim();
                Hole { fill: fill(name), range }
            })
            .collect()
    }

    #[test]
    fn what_is_not_filled_is_unknown_and_nothing_else() {
        let sources = fixture(
            "
            //- a.yaml
            values: |
              replicas: {{n}}
              args:
                - --a={{ x }}
                - --b
              {{k}}: 1
            ",
        );
        let node = node(&sources);
        let inner = node.as_str().expect("a string").to_owned();
        let two = Node::new(Scalar::plain("2"), node.origin.clone());
        let holes =
            holes(&inner, |name| if name == "n" { Ok(two.clone()) } else { Err("nobody".into()) });
        let [filled] = &fill_yaml(&sources, &node, &holes).expect("it is YAML")[..] else {
            panic!("one document");
        };
        let replicas = filled.get("replicas").expect("a key");
        assert_eq!(replicas.as_int(), Some(2));
        let template = replicas.origin.steps().next().and_then(|it| it.span).expect("a place");
        assert_eq!(sources.slice(template), "{{n}}");
        let args = filled.get("args").expect("a key").items();
        assert_eq!(args[0].unknown().map(|it| &**it), Some("nobody"));
        assert_eq!(args[1].as_str(), Some("--b"));
        assert_eq!(filled.as_map().and_then(|it| it.open.as_deref()), Some("nobody"));
    }

    #[test]
    fn what_would_change_the_yaml_is_unknown() {
        let sources = fixture(
            "
            //- a.yaml
            values: |
              a: {{x}}
              b: '{{x}}'
            ",
        );
        let node = node(&sources);
        let inner = node.as_str().expect("a string").to_owned();
        let fill = Node::new(Scalar::plain("c: d"), node.origin.clone());
        let holes = holes(&inner, |_| Ok(fill.clone()));
        let filled = fill_yaml(&sources, &node, &holes).expect("it is YAML");
        assert!(filled[0].get("a").is_some_and(|it| it.unknown().is_some()));
        assert_eq!(filled[0].str_at("b"), Some("c: d"));
    }
}
