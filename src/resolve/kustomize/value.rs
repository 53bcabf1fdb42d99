//! Reading and writing nodes as kyaml does, which looks at texts and tags rather than at types.

use std::sync::Arc;

use crate::{
    parse::SyntaxError,
    placeholder,
    problem::Problem,
    scalar::{self, Dialect, Scalar, Style, Tag, Value},
    tree::{Kind, Map, Node, Origin, Reason, Via},
};

/// What a part of a build comes to, or why there is nothing: the real tool refuses it, or the
/// repository alone cannot tell. See [`Layer`](super::layer::Layer).
pub(super) type Outcome<T> = Result<T, Box<Problem>>;

/// A refusal at `at`.
#[expect(clippy::unnecessary_box_returns, reason = "an error that is passed on all the way")]
pub(super) fn refusal(at: &Origin, message: impl Into<Reason>) -> Box<Problem> {
    Box::new(Problem::refused(at, message))
}

/// That the text at `at`, which is `what`, is not YAML.
#[expect(clippy::unnecessary_box_returns, reason = "an error that is passed on all the way")]
pub(super) fn not_yaml(what: &str, error: &SyntaxError, at: &Origin) -> Box<Problem> {
    if error.template {
        return unresolved(at, &*error.message);
    }
    refusal(at, format!("{what} is not YAML: {}", error.message))
}

/// That kustomize takes no such `node`; of what a template makes of it, nobody can tell.
#[expect(clippy::unnecessary_box_returns, reason = "an error that is passed on all the way")]
pub(super) fn no_such(node: &Node, message: impl Into<Reason>) -> Box<Problem> {
    let open = node.as_map().and_then(|it| it.open.as_ref());
    match (node.unknown().or(open), node.as_scalar()) {
        (Some(why), _) => unresolved(&node.origin, why.clone()),
        (None, Some(scalar)) if placeholder::has_hole(&scalar.text) => {
            unresolved(&node.origin, unfilled(&scalar.text))
        }
        _ => refusal(&node.origin, message),
    }
}

/// That `text` is yet to be filled in.
pub(super) fn unfilled(text: &str) -> String {
    format!("nothing here fills in `{text}`")
}

/// What the repository alone cannot tell.
#[expect(clippy::unnecessary_box_returns, reason = "an error that is passed on all the way")]
pub(super) fn unresolved(at: &Origin, why: impl Into<Reason>) -> Box<Problem> {
    Box::new(Problem::unresolved(at, why))
}

/// That something at `at` would be made deeper than anything is read.
#[expect(clippy::unnecessary_box_returns, reason = "an error that is passed on all the way")]
pub(super) fn too_deep(at: &Origin) -> Box<Problem> {
    unresolved(at, "what is made here is nested too deeply: what it comes to is not known")
}

/// A refusal at `at`, a text that several builds share: `subject` is what one of them stumbles over.
#[expect(clippy::unnecessary_box_returns, reason = "an error that is passed on all the way")]
pub(super) fn refusal_of(
    subject: impl Into<Box<str>>,
    at: &Origin,
    message: impl Into<Reason>,
) -> Box<Problem> {
    Box::new(refusal(at, message).about(subject))
}

/// The text of a scalar whatever its type; `""` for everything else.
pub(super) fn text(node: Option<&Node>) -> &str {
    node.and_then(Node::as_scalar).map_or("", |scalar| &scalar.text)
}

/// The text of the scalar at `path`; `""` for everything else, a null included.
pub(super) fn text_at<'a>(node: &'a Node, path: &str) -> &'a str {
    text(node.at(path).filter(|it| !is_null(it)))
}

/// Whether go-yaml v3 tags the node as null.
pub(super) fn is_null(node: &Node) -> bool {
    node.as_scalar().is_some_and(|it| scalar::value(it, Dialect::Kyaml) == Value::Null)
}

/// Whether go-yaml v3 tags the node as a string.
pub(super) fn is_string(node: &Node) -> bool {
    node.as_scalar().is_some_and(|it| matches!(scalar::value(it, Dialect::Kyaml), Value::Str(_)))
}

/// Whether go-yaml v3 tags the key `key` as a string when it is written without quotes.
pub(super) fn is_text(key: &str) -> bool {
    matches!(scalar::plain(key, Dialect::Kyaml), Value::Str(_)) && !scalar::is_timestamp(key)
}

/// Refuses a key that kustomize writes itself if go-yaml v3 tags it as no string: it is written without
/// quotes (`yaml.SetField` of kyaml), and what it is read as then is no key in JSON.
pub(super) fn written_key(key: &str, at: &Origin) -> Outcome<()> {
    match is_text(key) {
        true => Ok(()),
        false => {
            let message =
                format!("kustomize writes the key {key} without quotes: it is not a string");
            Err(refusal(at, message))
        }
    }
}

/// `IsNilOrEmpty`: a null, an empty collection, or an empty string.
pub(super) fn is_empty(node: &Node) -> bool {
    match &node.kind {
        Kind::Scalar(scalar) => scalar.text.is_empty() || is_null(node),
        Kind::List(items) => items.is_empty(),
        Kind::Map(map) => map.is_empty() && map.open.is_none(),
        Kind::Unknown(_) => false,
    }
}

/// A string that kustomize makes: tagged as one, without quotes unless it needs them.
pub(super) fn string(text: impl Into<Arc<str>>, origin: Origin) -> Node {
    let text = text.into();
    let style = if text.contains('\n') { Style::Literal } else { Style::Plain };
    Node::new(Scalar { text, style, tag: Some(Tag::Implied) }, origin)
}

/// The entries, every value a string of what is written for it: kustomize reads and writes `data`,
/// labels and annotations so.
pub(super) fn strings(map: &Map) -> Map {
    let mut map = map.clone();
    for (_, entry) in map.iter_mut().filter(|(_, it)| it.value.unknown().is_none()) {
        let text = entry.value.as_scalar().map_or("".into(), |it| it.text.clone());
        entry.value = string(text, entry.value.origin.clone());
    }
    map
}

/// The node as Go's `encoding/json` writes it, unless something in it is unknown.
pub(super) fn go_json(node: &Node, pretty: bool) -> Option<String> {
    let json = known_json(node)?;
    let write = if pretty { serde_json::to_string_pretty } else { serde_json::to_string };
    write(&json).ok().map(go_text)
}

/// JSON as Go writes it, which escapes what HTML or JavaScript would stumble over.
pub(super) fn go_text(json: String) -> String {
    let escapes = [('<', "\\u003c"), ('>', "\\u003e"), ('&', "\\u0026")];
    let lines = [('\u{2028}', "\\u2028"), ('\u{2029}', "\\u2029")];
    let all = escapes.into_iter().chain(lines);
    all.fold(json, |json, (char, escaped)| json.replace(char, escaped))
}

/// JSON with sorted keys, unless something in it is unknown.
pub(super) fn known_json(node: &Node) -> Option<serde_json::Value> {
    match &node.kind {
        Kind::Unknown(_) => None,
        Kind::Map(map) if map.open.is_some() => None,
        Kind::Map(map) => {
            let mut sorted: Vec<_> = map.iter().collect();
            sorted.sort_unstable_by_key(|(key, _)| *key);
            let pairs = sorted.into_iter();
            pairs.map(|(key, entry)| Some((key.to_owned(), known_json(&entry.value)?))).collect()
        }
        Kind::List(items) => items.iter().map(known_json).collect(),
        Kind::Scalar(scalar) => {
            Some(Node::new(scalar::canonical(scalar), node.origin.clone()).to_json())
        }
    }
}

/// Writes `text` over the scalar `node`, whose notation stays; `tag` says what it is.
///
/// kyaml keeps the notation of what it overwrites, so that a number over quotes becomes a string.
pub(super) fn overwrite(
    node: &mut Node,
    text: impl Into<Arc<str>>,
    tag: Option<Tag>,
    origin: &Origin,
) {
    let style = node.as_scalar().map_or(Style::Plain, |it| it.style);
    let text = text.into();
    let same = node.as_scalar().is_some_and(|it| it.text == text);
    node.kind = Scalar { text, style, tag }.into();
    if !same {
        node.origin = origin.over(Via::Transformed, &node.origin);
    }
}

/// The mapping at `key`, made when there is none; `None` when something else stands there.
pub(super) fn child_map<'a>(node: &'a mut Node, key: &str, origin: &Origin) -> Option<&'a mut Map> {
    let map = node.as_map_mut()?;
    if map.get(key).is_none_or(is_null) {
        map.set(key, Node::new(Map::default(), origin.clone()));
    }
    map.get_mut(key)?.as_map_mut()
}
