//! Strategic merge, exactly as `kyaml/yaml/merge2` does it: its rules differ from those of the
//! Kubernetes API server in many places.

use crate::{
    resolve::kustomize::{
        schema::{Schema, SchemaField},
        value::{Outcome, is_empty, is_null, refusal, refusal_of, text, text_at},
    },
    scalar::{self, Dialect, Scalar, Style, Tag, Value},
    tree::{self, Entry, Kind, Map, Node, Origin, Via},
};

/// `patch` merged into the object `dest`; `None` when the patch deletes it.
///
/// # Errors
/// Where the patch and the object do not fit together.
pub(super) fn merge(dest: &Node, patch: &Node) -> Outcome<Option<Node>> {
    walk(MergeInput { dest: Some(dest), patch: Some(patch), same: false }, SchemaPlace::default())
}

/// What is merged at one place.
#[derive(Clone, Copy)]
struct MergeInput<'a> {
    dest: Option<&'a Node>,
    patch: Option<&'a Node>,
    /// Whether both are one node. kyaml takes over what only the patch has and then merges it with
    /// itself, which drops its nulls and directives.
    same: bool,
}

#[derive(Clone, Copy, Default)]
struct SchemaPlace<'a> {
    schema: Option<Schema>,
    keys: Option<&'a [&'static str]>,
}

impl From<Option<&'static SchemaField>> for SchemaPlace<'_> {
    fn from(field: Option<&'static SchemaField>) -> Self {
        field.map_or_else(Self::default, |it| Self { schema: it.schema, keys: it.keys.as_deref() })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Directive {
    Merge,
    Replace,
    Delete,
}

fn walk(sources: MergeInput<'_>, place: SchemaPlace<'_>) -> Outcome<Option<Node>> {
    let MergeInput { dest, patch, same } = sources;
    let present = |it: &&Node| !is_null(it);
    let Some(first) = dest.filter(present).or(patch.filter(present)) else {
        // A null that is spelled out survives when the patch does not mention it.
        return Ok(dest.filter(|it| patch.is_none() && !text(Some(it)).is_empty()).cloned());
    };
    let second = patch.filter(present);
    match (&first.kind, second.map(|it| &it.kind)) {
        (Kind::Unknown(_), _) | (_, Some(Kind::Unknown(_))) => unknown(dest, patch, place),
        (Kind::Map(_), None | Some(Kind::Map(_))) => walk_map(sources, place),
        (Kind::List(_), None | Some(Kind::List(_))) => match place.keys {
            Some(keys) => walk_keyed(sources, place, keys),
            None => Ok(replaced(dest, patch)),
        },
        (Kind::Scalar(_), None | Some(Kind::Scalar(_))) if same => Ok(patch.cloned()),
        (Kind::Scalar(_), None | Some(Kind::Scalar(_))) => Ok(replaced(dest, patch)),
        _ => {
            let at = patch.unwrap_or(first);
            let name = |node: &Node| match node.kind {
                Kind::Map(_) => "a mapping",
                Kind::List(_) => "a list",
                _ => "a scalar",
            };
            let message =
                format!("the patch has {} here, the object has {}", name(at), name(first));
            let problem = refusal_of(name(first), &at.origin, message);
            Err(problem.also(&first.origin, "this is patched").into())
        }
    }
}

/// The patch's value in place of the other, unless the patch has none; `None` for a null.
fn replaced(dest: Option<&Node>, patch: Option<&Node>) -> Option<Node> {
    let Some(patch) = patch else { return dest.cloned() };
    if is_null(patch) {
        return None;
    }
    let mut node = patch.clone();
    if let Some(dest) = dest {
        node.origin = patch.origin.over(Via::Patched, &dest.origin);
    }
    Some(node)
}

/// What a patch makes of something unknown: what it writes is known, the rest stays unknown. Of what
/// the patch may write or not, known is what is so in both cases.
fn unknown(
    dest: Option<&Node>,
    patch: Option<&Node>,
    place: SchemaPlace<'_>,
) -> Outcome<Option<Node>> {
    let (Some(dest), Some(patch)) = (dest, patch) else { return Ok(patch.or(dest).cloned()) };
    match (&dest.kind, &patch.kind) {
        (Kind::Unknown(why), Kind::Map(_)) => {
            let below = Node::new(Map::open(Some(why.clone())), dest.origin.clone());
            walk_map(MergeInput { dest: Some(&below), patch: Some(patch), same: false }, place)
        }
        (Kind::Unknown(_), Kind::List(_)) if place.keys.is_some() => Ok(Some(dest.clone())),
        (_, Kind::Unknown(why)) if dest.unknown().is_none() && patch.if_there().is_some() => {
            let there = patch.if_there();
            let patched =
                walk(MergeInput { dest: Some(dest), patch: there.as_ref(), same: false }, place)?;
            let unknown = || Node::unknown_value(why.clone(), &patch.origin);
            Ok(Some(patched.map_or_else(unknown, |it| tree::join(&it, dest, why))))
        }
        _ => Ok(replaced(Some(dest), Some(patch))),
    }
}

fn walk_map(sources: MergeInput<'_>, place: SchemaPlace<'_>) -> Outcome<Option<Node>> {
    let MergeInput { dest, patch, .. } = sources;
    let schema = place.schema.or_else(|| [dest, patch].into_iter().flatten().find_map(schema_of));
    let stripped: Node;
    let (dest, patch, same) = match (dest.filter(|it| !is_null(it)), patch) {
        (None, Some(patch)) => {
            // A directive that kyaml does not know stays as a key here.
            let directive = directive(patch).unwrap_or(Some(Directive::Merge));
            if directive == Some(Directive::Delete) {
                return Ok(None);
            }
            stripped = strip(patch);
            (&stripped, Some(&stripped), true)
        }
        (Some(_), Some(patch)) if is_null(patch) => return Ok(None),
        (Some(dest), Some(patch)) => match directive(patch)? {
            None if sources.same => (dest, Some(patch), true),
            None => (dest, Some(patch), false),
            Some(Directive::Delete) => return Ok(None),
            Some(directive) => {
                stripped = strip(patch);
                match directive {
                    Directive::Replace => (&stripped, Some(&stripped), true),
                    _ if sources.same => (&stripped, Some(&stripped), true),
                    _ => (dest, Some(&stripped), false),
                }
            }
        },
        (Some(dest), None) => (dest, None, false),
        (None, None) => return Ok(None),
    };
    let replaces = sources.dest.filter(|it| !std::ptr::eq(*it, dest) && !sources.same);
    let mut merged = dest.clone();
    if let Some(old) = replaces {
        merged.origin = dest.origin.over(Via::Patched, &old.origin);
    }
    let Some(map) = merged.as_map_mut() else { return Ok(Some(merged)) };
    // What an open mapping has at a key that is not here is unknown.
    let hidden = map.open.clone().map(|why| Node::unknown_value(why, &dest.origin));
    for key in keys_of(dest, patch) {
        let field = schema.and_then(|it| it.field(&key));
        let old = dest.get(&key).or(hidden.as_ref());
        let new = patch.and_then(|it| it.get(&key));
        let value = walk(MergeInput { dest: old, patch: new, same }, field.into())?;
        set(map, &key, old, patch, value, same);
    }
    Ok(Some(merged))
}

/// The keys of both, sorted, as kyaml walks them.
fn keys_of(dest: &Node, patch: Option<&Node>) -> Vec<String> {
    let keys = |node: &Node| node.entries().map(|(key, _)| key.to_owned()).collect::<Vec<_>>();
    let mut all = keys(dest);
    all.extend(patch.map(keys).unwrap_or_default());
    all.sort_unstable();
    all.dedup();
    all
}

/// Puts a merged value in its place.
fn set(
    map: &mut Map,
    key: &str,
    old: Option<&Node>,
    patch: Option<&Node>,
    value: Option<Node>,
    same: bool,
) {
    let entry = patch.and_then(Node::as_map).and_then(|it| it.entry(key));
    match (value, entry) {
        (None, Some(entry)) if !same => {
            map.remove_by(key, entry.value.origin.clone());
        }
        (None, _) => {
            map.remove(key);
        }
        (Some(mut value), Some(patch)) if !same => {
            if let (Some(old), Some(scalar)) = (old, value.as_scalar())
                && !is_null(&value)
            {
                value.kind = restyled(scalar, old.as_scalar()).into();
            }
            let key_span = map.entry(key).map_or(patch.key, |it| it.key);
            if old.is_none() {
                quote(&mut value);
            }
            map.insert(key, Entry { key: key_span, value });
        }
        (Some(mut value), _) => {
            quote(&mut value);
            map.set(key, value);
        }
    }
}

/// Puts quotes around a string that is none in YAML 1.1, as kyaml's `FieldSetter` does with every
/// field of a mapping that it walks: what is merged over it later takes the quotes over.
fn quote(value: &mut Node) {
    let Kind::Scalar(scalar) = &mut value.kind else { return };
    if scalar.style == Style::Plain
        && matches!(scalar.tag, None | Some(Tag::Implied))
        && tag_of(scalar) == Tag::Str
        && !matches!(scalar::plain(&scalar.text, Dialect::Sigs), Value::Str(_))
    {
        scalar.style = Style::DoubleQuoted;
    }
}

/// The scalar in the notation of what it replaces, which kyaml keeps: so a number over quotes
/// becomes a string, and a string stays one. That a tag is written is part of the notation; which one
/// is not.
fn restyled(scalar: &Scalar, old: Option<&Scalar>) -> Scalar {
    let style = old.map_or(Style::Plain, |it| it.style);
    let tagged = old.is_some_and(|it| !matches!(it.tag, None | Some(Tag::Implied)));
    let tag = match tag_of(scalar) {
        tag if tagged => Some(tag),
        Tag::Str => (style == Style::Plain).then_some(Tag::Implied),
        // go-yaml leaves out what the text says without quotes, also where there are some.
        tag => (tag != tag_of(&Scalar::plain(&*scalar.text))).then_some(tag),
    };
    Scalar { text: scalar.text.clone(), style, tag }
}

/// The tag that go-yaml's node has.
fn tag_of(scalar: &Scalar) -> Tag {
    match (scalar.tag, scalar::value(scalar, Dialect::Kyaml)) {
        (Some(Tag::Implied), _) => Tag::Str,
        (Some(tag), _) => tag,
        (None, Value::Null) => Tag::Null,
        (None, Value::Bool(_)) => Tag::Bool,
        (None, Value::Int(_)) => Tag::Int,
        (None, Value::Float(_)) => Tag::Float,
        (None, Value::Str(text)) if scalar.style == Style::Plain && scalar::is_timestamp(text) => {
            Tag::Timestamp
        }
        (None, Value::Str(_)) => Tag::Str,
    }
}

/// The type of something that says itself what it is.
fn schema_of(node: &Node) -> Option<Schema> {
    Schema::for_kind(text_at(node, "apiVersion"), text_at(node, "kind"))
}

fn directive(patch: &Node) -> Outcome<Option<Directive>> {
    let Some(value) = patch.get("$patch") else { return Ok(None) };
    named_directive(value).map(Some)
}

fn named_directive(value: &Node) -> Outcome<Directive> {
    match text(Some(value)) {
        "delete" => Ok(Directive::Delete),
        "replace" => Ok(Directive::Replace),
        "merge" => Ok(Directive::Merge),
        other => Err(refusal(&value.origin, format!("there is no patch strategy `{other}`"))),
    }
}

/// `patch` without a directive that kyaml knows.
fn strip(patch: &Node) -> Node {
    let mut patch = patch.clone();
    if patch.get("$patch").is_some_and(|it| named_directive(it).is_ok())
        && let Some(map) = patch.as_map_mut()
    {
        map.remove("$patch");
    }
    patch
}

/// A list whose items are merged by `keys`, or by value when there are none.
fn walk_keyed(
    sources: MergeInput<'_>,
    place: SchemaPlace<'_>,
    keys: &[&'static str],
) -> Outcome<Option<Node>> {
    let MergeInput { dest, patch, .. } = sources;
    let owned: Vec<Node>;
    let (node, patch, same) = match (dest.filter(|it| !is_null(it)), patch) {
        (None, Some(patch)) => (patch, Some(patch.items()), true),
        (Some(_), Some(patch)) if is_null(patch) => return Ok(None),
        (Some(dest), Some(patch)) => match list_directive(patch)? {
            None => (dest, Some(patch.items()), sources.same),
            Some(Directive::Delete) => return Ok(None),
            Some(directive) => {
                owned = patch.items().iter().filter(|it| !is_directive(it)).cloned().collect();
                match directive {
                    Directive::Replace => (patch, Some(owned.as_slice()), true),
                    _ => (dest, Some(owned.as_slice()), sources.same),
                }
            }
        },
        (Some(dest), None) => (dest, None, false),
        (None, None) => return Ok(None),
    };
    let dest = match patch {
        Some(items) if same => items,
        _ => node.items(),
    };
    let items = if keys.is_empty() {
        union(patch.unwrap_or_default(), dest)
    } else {
        // An unknown item has no keys to be found by, and stays.
        let (unknown, dest): (Vec<_>, Vec<_>) =
            dest.iter().cloned().partition(|it| it.unknown().is_some());
        let mut items = Keyed { keys, schema: place.schema, same, dest, patch }.merge()?;
        items.extend(unknown);
        items
    };
    Ok(Some(Node::new(items, node.origin.clone())))
}

/// A list's directive is an item that holds nothing else.
fn list_directive(patch: &Node) -> Outcome<Option<Directive>> {
    let item = patch.items().iter().find_map(|it| Some((it, it.get("$patch")?)));
    match item {
        Some((item, value)) if item.as_map().is_some_and(|it| it.len() == 1) => {
            named_directive(value).map(Some)
        }
        _ => Ok(None),
    }
}

fn is_directive(item: &Node) -> bool {
    item.get("$patch").is_some()
}

/// Scalars of both lists, each once, those of the patch first.
fn union(patch: &[Node], dest: &[Node]) -> Vec<Node> {
    let mut items: Vec<Node> = Vec::new();
    for item in patch.iter().chain(dest) {
        if !is_empty(item) && !items.iter().any(|it| text(Some(it)) == text(Some(item))) {
            items.push(item.clone());
        }
    }
    items
}

/// The merging of a list by keys (`walk/associative_sequence.go`).
struct Keyed<'a> {
    keys: &'a [&'static str],
    schema: Option<Schema>,
    /// Whether `dest` and `patch` are one list.
    same: bool,
    dest: Vec<Node>,
    patch: Option<&'a [Node]>,
}

impl Keyed<'_> {
    fn merge(mut self) -> Outcome<Vec<Node>> {
        let mut tuples = self.tuples();
        unify(&mut tuples);
        let used: Vec<usize> = (0..self.keys.len())
            .filter(|at| tuples.iter().any(|tuple| !tuple[*at].is_empty()))
            .collect();
        let used = if used.is_empty() { (0..self.keys.len()).collect() } else { used };
        let keys: Vec<&str> = used.iter().map(|at| self.keys[*at]).collect();
        let mut merged: Vec<Node> = Vec::new();
        for tuple in &tuples {
            let values: Vec<&str> = used.iter().map(|at| tuple[*at].as_str()).collect();
            let Some(value) = self.merge_item(&keys, &values)? else {
                element_set(&mut self.dest, &keys, &values, None);
                continue;
            };
            element_set(&mut merged, &keys, &values, Some(&value));
        }
        if tuples.is_empty() {
            return Ok(self.dest);
        }
        for element in &self.dest {
            let mut values = Vec::new();
            for key in &keys {
                match element.get(key) {
                    Some(value) => values.push(text(Some(value))),
                    None => merged.push(element.clone()),
                }
            }
            if keys.len() > 1 {
                element_set(&mut merged, &keys, &values, None);
            }
            element_set(&mut merged, &keys, &values, Some(element));
        }
        Ok(merged)
    }

    /// The first item of each list with these values, merged; what comes from the object is merged
    /// in its place there.
    fn merge_item(&mut self, keys: &[&str], values: &[&str]) -> Outcome<Option<Node>> {
        let filled = || keys.iter().zip(values).filter(|(_, value)| !value.is_empty());
        let wanted: Vec<(&str, &str)> = match filled().next() {
            Some(_) => filled().map(|(key, value)| (*key, *value)).collect(),
            None => keys.iter().copied().zip(values.iter().copied()).collect(),
        };
        let in_dest = find(&self.dest, &wanted);
        let in_patch = match self.patch {
            Some(_) if self.same => in_dest.map(|at| self.dest[at].clone()),
            Some(patch) => find(patch, &wanted).map(|at| patch[at].clone()),
            None => None,
        };
        let sources = MergeInput {
            dest: in_dest.map(|at| &self.dest[at]),
            patch: in_patch.as_ref(),
            same: self.same,
        };
        let replaces =
            !self.same && text(in_patch.as_ref().and_then(|it| it.get("$patch"))) == "replace";
        let merged = walk(sources, SchemaPlace { schema: self.schema, keys: None })?;
        let Some(mut merged) = merged.filter(|it| !is_null(it) && !is_empty_map(it)) else {
            // kyaml takes a directive away as it reads it, also from an item that stays after all
            // because not all of its keys are there to be found by.
            if let Some(item) = in_dest.filter(|_| self.same).and_then(|at| self.dest.get_mut(at)) {
                *item = strip(item);
            }
            return Ok(None);
        };
        for (key, text) in filled() {
            if let Some(map) = merged.as_map_mut()
                && map.get(key).is_none()
            {
                map.set(*key, Node::new(Scalar::plain(*text), Origin::at(Via::Transformed, None)));
            }
        }
        if let Some(slot) = in_dest.filter(|_| !replaces).and_then(|at| self.dest.get_mut(at)) {
            *slot = merged.clone();
        }
        Ok(Some(merged))
    }

    /// The keys' values of every item, each tuple once: those of the patch first.
    fn tuples(&self) -> Vec<Vec<String>> {
        let mut tuples: Vec<Vec<String>> = Vec::new();
        for item in self.patch.unwrap_or_default().iter().chain(&self.dest) {
            let value = |key: &&str| item.get(key).filter(|it| !is_empty(it));
            let tuple: Vec<String> =
                self.keys.iter().map(|key| text(value(key)).to_owned()).collect();
            if !tuples.contains(&tuple) {
                tuples.push(tuple);
            }
        }
        tuples
    }
}

/// Makes tuples equal that share a value and differ only where one of them has none.
fn unify(tuples: &mut [Vec<String>]) {
    if tuples.first().is_none_or(|it| it.len() < 2) {
        return;
    }
    for first in 0..tuples.len() {
        let one = tuples[first].clone();
        for second in 0..tuples.len() {
            let pairs = || one.iter().zip(&tuples[second]);
            let shares = pairs().any(|(a, b)| a == b);
            let fits = pairs().all(|(a, b)| a == b || a.is_empty() || b.is_empty());
            if shares && fits {
                let filled = pairs().map(|(a, b)| if a.is_empty() { b } else { a }.clone());
                let filled: Vec<String> = filled.collect();
                tuples[first].clone_from(&filled);
                tuples[second] = filled;
            }
        }
    }
}

/// The first mapping with exactly these values (`ElementMatcher`).
fn find(items: &[Node], wanted: &[(&str, &str)]) -> Option<usize> {
    items.iter().position(|item| {
        item.as_map().is_some()
            && wanted.iter().all(|(key, value)| {
                item.get(key).is_some_and(|it| it.as_scalar().is_some() && text(Some(it)) == *value)
            })
    })
}

/// Replaces the items with these values by `element`, or removes them (`ElementSetter`).
///
/// An empty value stands for any; without values everything else goes.
fn element_set(items: &mut Vec<Node>, keys: &[&str], values: &[&str], element: Option<&Node>) {
    let wants_map = values.first().is_some_and(|it| !it.is_empty());
    let mut matched = false;
    let mut kept = Vec::with_capacity(items.len() + 1);
    for item in items.drain(..) {
        if is_null(&item) || is_empty_map(&item) {
            continue;
        }
        if item.as_map().is_none() && wants_map {
            kept.push(item);
            continue;
        }
        let mut found = false;
        for (at, key) in keys.iter().enumerate() {
            if let Some(value) = values.get(at) {
                found =
                    item.get(key).is_some_and(|it| value.is_empty() || text(Some(it)) == *value);
            }
            if !found {
                break;
            }
        }
        if !found {
            if !values.is_empty() {
                kept.push(item);
            }
            continue;
        }
        matched = true;
        kept.extend(element.cloned());
    }
    *items = kept;
    if let (Some(element), false) = (element, matched) {
        items.push(element.clone());
    }
}

fn is_empty_map(node: &Node) -> bool {
    node.as_map().is_some_and(|it| it.is_empty() && it.open.is_none())
}
