//! JSON 6902 patches, with the deviations of the library that kustomize uses
//! (`evanphx/json-patch` v4). What they do to something unknown is unknown.

use serde::de::IgnoredAny;

use crate::{
    parse::Documents,
    problem::Problem,
    resolve::kustomize::{
        blur,
        budget::Room,
        value::{Outcome, is_text, refusal, refusal_of, unresolved},
    },
    scalar::{self, Dialect, Scalar, Style, Tag, Value},
    tree::{self, Entry, Kind, Map, Node, Origin, Reason, Via},
};

/// A decoded patch: its operations, each a mapping.
#[derive(Debug, Clone)]
pub(super) struct JsonPatch(Vec<Node>);

/// The operations in `documents`, whose text is `text`; `None` when that is no list of mappings.
pub(super) fn decode(documents: &Documents, text: &str) -> Option<JsonPatch> {
    // What starts with a bracket must be JSON; of YAML only the first document counts.
    if text.starts_with('[') && serde_json::from_str::<IgnoredAny>(text).is_err() {
        return None;
    }
    operations(documents)
}

/// The operations of a JSON patch that may be YAML, as `kubectl patch` has it
/// (`k8s.io/apimachinery/pkg/util/yaml.ToJSON`).
pub(super) fn operations(documents: &Documents) -> Option<JsonPatch> {
    let root = documents.list.first()?.root.as_ref().ok()?;
    let items = root.as_list().or_else(|| root.is_null().then_some(&[]))?;
    let all_maps = items.iter().all(|it| it.as_map().is_some());
    all_maps.then(|| JsonPatch(items.to_vec()))
}

impl JsonPatch {
    /// Whether it has no operation.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Applies the operations to `object`, in order. Of one that does not apply the first problem is
    /// told; what it may be meant for is unknown then, and after a test what the others change.
    ///
    /// # Errors
    /// An operation that does not apply and does not say where.
    pub(super) fn apply(
        &self,
        object: &Node,
        mut spare: Room<'_>,
    ) -> Outcome<(Node, Option<Box<Problem>>)> {
        let mut root = through_json(object, Dialect::Kyaml);
        let mut refused: Option<Box<Problem>> = None;
        let mut is_tested = true;
        for operation in &self.0 {
            if is_tested {
                // What is taken away has to come back where it cannot be put.
                let before = (operation.str_at("op") == Some("move")).then(|| root.clone());
                let Err(problem) = apply(&mut root, operation, &mut spare) else { continue };
                root = before.unwrap_or(root);
                refused.get_or_insert(problem);
                is_tested = operation.str_at("op") != Some("test");
            }
            let Some(problem) = &refused else { continue };
            let places = ["path", "from"].map(|it| operation.str_at(it).map(segments));
            let [path, from] = places;
            let Some(path) = path.filter(|it| !it.is_empty()) else { return Err(problem.clone()) };
            let from = from.filter(|_| operation.str_at("op") == Some("move"));
            for place in [Some(path), from].into_iter().flatten() {
                blur::at(&mut root, &place, &problem.message);
            }
        }
        Ok((root, refused))
    }
}

fn apply(root: &mut Node, operation: &Node, spare: &mut Room<'_>) -> Outcome<()> {
    let refuse = |message: String| refusal(&operation.origin, message);
    spare.take_bytes(moved_by(root, operation), &operation.origin)?;
    let field = |name: &str| match operation.look(name) {
        Err((why, at)) => Err(unresolved(&at, why)),
        Ok(Some(node)) => {
            let refuse = || refusal(&node.origin, format!("`{name}` is not a string"));
            node.as_str().ok_or_else(refuse)
        }
        Ok(None) => Err(refuse(format!("this operation has no `{name}`"))),
    };
    let op = field("op")?;
    let path = field("path")?;
    let value = || match operation.perhaps_at("value") {
        Some(value) => as_text_keys(&through_json(&value, Dialect::Sigs)),
        None => Node::new(Scalar::null(), operation.origin.clone()),
    };
    match op {
        "add" | "replace" => {
            let value = value();
            spare.take(&value, &operation.origin)?;
            spare.admits(&value, segments(path).len(), &operation.origin)?;
            set(root, path, value, operation, op == "add")?;
        }
        "remove" => {
            remove(root, path, operation)?;
        }
        "move" => {
            let moved = remove(root, field("from")?, operation)?;
            spare.admits(&moved, segments(path).len(), &operation.origin)?;
            set(root, path, moved, operation, true)?;
        }
        "copy" => {
            let from = field("from")?;
            let copied = match get(root, from) {
                Some(found) => found.clone(),
                // A key that is missing from a mapping is a null to the library.
                None => match parent(root, from, operation)? {
                    Err(why) => Node::unknown_value(why, &operation.origin),
                    Ok((node, _)) if node.as_map().is_some() => {
                        Node::new(Scalar::null(), operation.origin.clone())
                    }
                    Ok((node, key)) => match uncounted(node, &key) {
                        Some(why) => Node::unknown_value(why, &operation.origin),
                        None => return Err(refuse("there is nothing to copy at `from`".into())),
                    },
                },
            };
            spare.take(&copied, &operation.origin)?;
            spare.admits(&copied, segments(path).len(), &operation.origin)?;
            set(root, path, copied, operation, true)?;
        }
        "test" => {
            let wanted = value();
            let holds = match get(root, path) {
                Some(found) => {
                    let mut both = found.walk().chain(wanted.walk());
                    both.any(|it| it.unknown().is_some()) || equal(found, &wanted)
                }
                None => {
                    let open = |(node, key): (&mut Node, String)| {
                        let open = node.as_map().is_some_and(|it| it.open.is_some());
                        open || uncounted(node, &key).is_some()
                    };
                    // A test changes nothing.
                    let parent = parent(&mut root.clone(), path, operation).map(|it| it.map(open));
                    parent.is_ok_and(|it| it.unwrap_or(true) || wanted.is_null())
                }
            };
            if !holds {
                return Err(refuse(format!("the test of {path} fails")));
            }
        }
        other => return Err(refuse(format!("there is no operation `{other}`"))),
    }
    Ok(())
}

/// How many bytes are moved where `operation` makes room in a list or closes a gap, at most.
fn moved_by(root: &Node, operation: &Node) -> usize {
    let lists = ["path", "from"].into_iter().filter_map(|it| {
        let (list, _) = operation.str_at(it)?.rsplit_once('/')?;
        Some(get(root, list)?.items().len() / 16)
    });
    lists.sum()
}

/// The keys of a pointer. What stands before the first slash does not count.
fn segments(path: &str) -> Vec<String> {
    path.split('/').skip(1).map(|it| it.replace("~1", "/").replace("~0", "~")).collect()
}

fn get<'a>(root: &'a Node, path: &str) -> Option<&'a Node> {
    segments(path).iter().try_fold(root, |node, key| child(node, key))
}

fn child<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    match &node.kind {
        Kind::Map(map) => map.get(key),
        Kind::List(items) if uncounted(node, key).is_none() => items.get(index(key, items.len())?),
        _ => None,
    }
}

/// An index into a list; negative ones count from its end.
fn index(key: &str, len: usize) -> Option<usize> {
    let at: i64 = key.parse().ok()?;
    let at = if at < 0 { at + i64::try_from(len).ok()? } else { at };
    usize::try_from(at).ok()
}

/// The node that holds what `path` names, to change it, and the last key; or why that cannot be
/// told. A list of which it is not known how many items stand before one becomes unknown.
fn parent<'a>(
    root: &'a mut Node,
    path: &str,
    operation: &Node,
) -> Outcome<Result<(&'a mut Node, String), Reason>> {
    let missing = || refusal(&operation.origin, format!("there is nothing that holds {path}"));
    let mut keys = segments(path);
    let last = keys.pop().ok_or_else(missing)?;
    let mut node = root;
    for key in &keys {
        if let Some(why) = node.unknown().cloned().or_else(|| uncounted(node, key)) {
            node.kind = Kind::Unknown(why.clone());
            return Ok(Err(why));
        }
        node = match &mut node.kind {
            Kind::Map(map) => {
                let map = std::sync::Arc::make_mut(map);
                if let (None, Some(why)) = (map.get(key), &map.open) {
                    return Ok(Err(why.clone()));
                }
                map.get_mut(key)
            }
            Kind::List(items) => {
                let at = index(key, items.len());
                at.and_then(|at| std::sync::Arc::make_mut(items).get_mut(at))
            }
            _ => None,
        }
        .ok_or_else(missing)?;
    }
    match &node.kind {
        Kind::Map(_) | Kind::List(_) => Ok(Ok((node, last))),
        Kind::Unknown(why) => Ok(Err(why.clone())),
        Kind::Scalar(_) => Err(missing()),
    }
}

/// Why it cannot be told which item of a list is at `key`: one before it, or the one that seems to be
/// there, may stand for any number of items.
fn uncounted(list: &Node, key: &str) -> Option<Reason> {
    let items = list.items();
    let at: i64 = key.parse().ok()?;
    let before = match usize::try_from(at) {
        Ok(at) => items.get(..=at).unwrap_or(items),
        Err(_) => items.get(index(key, items.len()).unwrap_or(0)..).unwrap_or(items),
    };
    before.iter().find(|it| !it.is_one_item())?.unknown().cloned()
}

/// Sets what `path` names; in a list as a `new` item, or in the place of one.
fn set(root: &mut Node, path: &str, mut value: Node, operation: &Node, new: bool) -> Outcome<()> {
    if path.is_empty() && !new {
        *root = value;
        return Ok(());
    }
    if segments(path).is_empty() {
        let message =
            "an operation without a path into the object can replace it, and nothing else";
        return Err(refusal(&operation.origin, message));
    }
    let Ok((node, key)) = parent(root, path, operation)? else { return Ok(()) };
    if let Some(map) = node.as_map_mut() {
        // Unlike in RFC 6902 a key that is replaced need not exist.
        put(map, key, value);
        return Ok(());
    }
    let refuse = || {
        let verb = if new { "add at" } else { "replace" };
        refusal_of("index", &operation.origin, format!("there is no index {key} to {verb}"))
    };
    let uncounted = uncounted(node, &key);
    let Some(items) = node.as_list_mut() else { return Err(refuse()) };
    if let Some(why) = uncounted {
        // Among the others is enough for what is added.
        let at = index(&key, items.len() + 1).unwrap_or(items.len()).min(items.len());
        match new {
            true => items.insert(at, value),
            false => node.kind = Kind::Unknown(why),
        }
    } else if new {
        // A negative index counts from the end of the list as it will be.
        let at = if key == "-" { Some(items.len()) } else { index(&key, items.len() + 1) };
        items.insert(at.filter(|at| *at <= items.len()).ok_or_else(refuse)?, value);
    } else {
        let slot = index(&key, items.len()).and_then(|at| items.get_mut(at)).ok_or_else(refuse)?;
        value.origin = value.origin.over(Via::Patched, &slot.origin);
        let by = value.origin.clone();
        let old = std::mem::replace(slot, value);
        note_item(root, path, &old, &by);
    }
    Ok(())
}

/// Remembers, where the list is, that `by` took an argument out of it: as [`Map::removed`], which
/// has no place for items.
fn note_item(root: &mut Node, path: &str, item: &Node, by: &Origin) {
    let Some(text) = item.as_str().filter(|it| it.starts_with('-')) else { return };
    let mut keys = segments(path);
    let (Some(_), Some(list)) = (keys.pop(), keys.pop()) else { return };
    let holder = keys.iter().try_fold(root, |node, key| match &mut node.kind {
        Kind::Map(map) => std::sync::Arc::make_mut(map).get_mut(key),
        Kind::List(items) => {
            let at = index(key, items.len())?;
            std::sync::Arc::make_mut(items).get_mut(at)
        }
        _ => None,
    });
    if let Some(map) = holder.and_then(Node::as_map_mut) {
        map.note_removed(tree::removed_item(&list, text), by.clone());
    }
}

fn put(map: &mut Map, key: String, mut value: Node) {
    let old = map.entry(&key);
    if let Some(old) = old {
        value.origin = value.origin.over(Via::Patched, &old.value.origin);
    }
    let key_span = old.and_then(|it| it.key);
    map.insert(key, Entry { key: key_span, value });
}

fn remove(root: &mut Node, path: &str, operation: &Node) -> Outcome<Node> {
    let unknown = |why: Reason| Node::unknown_value(why, &operation.origin);
    let (node, key) = match parent(root, path, operation)? {
        Ok(found) => found,
        Err(why) => return Ok(unknown(why)),
    };
    let missing = || refusal(&operation.origin, format!("there is nothing to remove at {path}"));
    if let Some(map) = node.as_map_mut() {
        let open = map.open.clone();
        let removed = map.remove_by(&key, operation.origin.clone());
        return removed.map(|it| it.value).or_else(|| open.map(unknown)).ok_or_else(missing);
    }
    if let Some(why) = uncounted(node, &key) {
        node.kind = Kind::Unknown(why.clone());
        return Ok(unknown(why));
    }
    let Some(items) = node.as_list_mut() else { return Err(missing()) };
    let at = index(&key, items.len()).filter(|at| *at < items.len()).ok_or_else(missing)?;
    let removed = items.remove(at);
    let by = operation.origin.over(Via::Patched, &removed.origin);
    note_item(root, path, &removed, &by);
    Ok(removed)
}

fn equal(one: &Node, other: &Node) -> bool {
    one.to_json() == other.to_json() || {
        let number = |node: &Node| match node.value() {
            #[expect(clippy::cast_precision_loss, reason = "JSON compares numbers as float64")]
            Some(Value::Int(it)) => Some(it as f64),
            Some(Value::Float(it)) => Some(it),
            _ => None,
        };
        number(one).is_some() && number(one) == number(other)
    }
}

/// What a node becomes on its way through JSON and back: notations are forgotten, nulls are spelled
/// out, and large integers lose their last digits. `dialect` is how its scalars are read.
pub(super) fn through_json(node: &Node, dialect: Dialect) -> Node {
    node.rewrite_scalars(|written| {
        let meant = match dialect {
            Dialect::Kyaml => &scalar::canonical(written),
            Dialect::Sigs => written,
        };
        Some(match scalar::sigs(meant) {
            Value::Null => Scalar::null().into(),
            Value::Int(it) => Scalar::plain(rounded(it)).into(),
            Value::Bool(it) => it.into(),
            Value::Float(it) => Scalar::plain(scalar::printed_float(it)).into(),
            Value::Str(text) => Scalar {
                style: style_of(text),
                tag: (style_of(text) == Style::Plain).then_some(Tag::Implied),
                text: text.into(),
            }
            .into(),
        })
    })
}

/// The node with keys that are strings in JSON, whatever they look like where they are written.
fn as_text_keys(node: &Node) -> Node {
    node.rewrite(&mut |node| {
        let map = node.as_map().filter(|it| it.keys().any(|key| !is_text(key)))?;
        let entry = |(key, entry): (&str, &Entry)| (key.to_owned(), as_text_keys(&entry.value));
        Some(Node::new(map.iter().map(entry).collect::<Map>(), node.origin.clone()))
    })
}

/// A whole number as go-yaml writes the float64 that holds it: with the fewest digits that tell it.
#[expect(clippy::cast_precision_loss, reason = "this is the loss that happens there")]
fn rounded(it: i128) -> String {
    scalar::printed_float(it as f64)
}

/// How go-yaml v3 writes a string.
fn style_of(text: &str) -> Style {
    if text.contains('\n') {
        return Style::Literal;
    }
    if !matches!(scalar::plain(text, Dialect::Sigs), Value::Str(_)) {
        return Style::DoubleQuoted;
    }
    let indicator = |it: char| "#,[]{}&*!|>'\"%@`".contains(it);
    let blank_after = |at: usize| text[at + 1..].chars().next().is_none_or(|it| it == ' ');
    let special = text.starts_with(indicator)
        || text.starts_with("---")
        || text.starts_with("...")
        || (text.starts_with(['-', '?', ':']) && blank_after(0))
        || text.starts_with(' ')
        || text.ends_with(' ')
        || text.contains(" #")
        || text.match_indices(':').any(|(at, _)| blank_after(at));
    if special { Style::SingleQuoted } else { Style::Plain }
}
