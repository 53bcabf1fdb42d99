//! Trees whose every node knows where it came from.
//!
//! Children are shared: cloning a node costs one reference count, and changing it copies only the
//! path from the root to the change. An overlay over a base of fifty objects costs what it changes.

mod join;
mod map;
mod origin;
mod reason;

use std::sync::Arc;

pub(crate) use join::{flag_of, join};
pub(crate) use map::{Entry, Map, removed_item};
pub(crate) use origin::{Origin, Step, Via};
pub(crate) use reason::{Reason, ReasonKind};

use crate::{
    scalar::{self, Scalar, Value},
    source::Span,
};

/// How deep what is made may nest: as deep as the YAML that is read (`ParserOptions` of granit-parser).
/// Trees are walked, compared and dropped by recursion.
pub(crate) const MAX_DEPTH: usize = 255;

/// A value of an effective configuration, together with its provenance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// What it is.
    pub kind: Kind,
    /// Where it came from.
    pub origin: Origin,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text with the notation that decides its type.
    Scalar(Scalar),
    /// A sequence.
    List(Arc<Vec<Node>>),
    /// A mapping with string keys.
    Map(Arc<Map>),
    /// The repository alone cannot tell; never read as a value.
    Unknown(Reason),
}

impl Node {
    /// A node of `kind` at `origin`.
    pub(crate) fn new(kind: impl Into<Kind>, origin: Origin) -> Self {
        Self { kind: kind.into(), origin }
    }

    /// A value at `at` that the repository alone cannot tell.
    pub(crate) fn unknown_value(why: impl Into<Reason>, at: &Origin) -> Self {
        Self::new(Kind::Unknown(why.into()), at.clone())
    }

    /// The tree with what `f` puts in the place of its nodes, from the root down.
    ///
    /// What is replaced is not looked into, and what does not change stays shared.
    #[must_use]
    pub(crate) fn rewrite(&self, f: &mut impl FnMut(&Self) -> Option<Self>) -> Self {
        self.rewritten(f).unwrap_or_else(|| self.clone())
    }

    /// The tree with what `f` puts in the place of its scalars, where these are.
    #[must_use]
    pub(crate) fn rewrite_scalars(&self, f: impl Fn(&Scalar) -> Option<Kind>) -> Self {
        self.rewrite(&mut |node| Some(Self::new(f(node.as_scalar()?)?, node.origin.clone())))
    }

    /// [`Node::rewrite`], or nothing when nothing changes.
    fn rewritten(&self, f: &mut impl FnMut(&Self) -> Option<Self>) -> Option<Self> {
        if let Some(node) = f(self) {
            return Some(node);
        }
        let mut copy: Option<Self> = None;
        for (index, item) in self.items().iter().enumerate() {
            if let Some(item) = item.rewritten(f) {
                copy.get_or_insert_with(|| self.clone()).as_list_mut()?[index] = item;
            }
        }
        for (key, entry) in self.entries() {
            if let Some(value) = entry.value.rewritten(f) {
                *copy.get_or_insert_with(|| self.clone()).as_map_mut()?.get_mut(key)? = value;
            }
        }
        copy
    }

    /// Whether what is written at `span` is it or a part of it.
    pub(crate) fn covers(&self, span: Span) -> bool {
        let place = self.origin.written_at().filter(|it| it.file == span.file);
        place.is_some_and(|it| it.start <= span.start && span.end <= it.end)
    }

    /// Whether the other one is the same value, wherever either came from.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Scalar(one), Kind::Scalar(other)) => one == other,
            (Kind::List(one), Kind::List(other)) => {
                let mut pairs = one.iter().zip(&**other);
                one.len() == other.len() && pairs.all(|(one, other)| one.is_same(other))
            }
            (Kind::Map(one), Kind::Map(other)) => {
                let same = |key, value: &Self| other.get(key).is_some_and(|it| value.is_same(it));
                one.len() == other.len()
                    && one.open.is_some() == other.open.is_some()
                    && one.iter().all(|(key, it)| same(key, &it.value))
            }
            (Kind::Unknown(_), Kind::Unknown(_)) => true,
            _ => false,
        }
    }

    /// This value and those in it, the outer ones first, in order.
    pub(crate) fn walk(&self) -> impl Iterator<Item = &Self> {
        let mut open = vec![self];
        std::iter::from_fn(move || {
            let node = open.pop()?;
            let entries = node.as_map().into_iter().flat_map(|it| it.iter().rev());
            open.extend(entries.map(|(_, it)| &it.value).chain(node.items().iter().rev()));
            Some(node)
        })
    }

    /// How many values lie in one another in it, itself included.
    pub(crate) fn depth(&self) -> usize {
        let (mut depth, mut open) = (0, vec![(self, 1)]);
        while let Some((node, at)) = open.pop() {
            depth = depth.max(at);
            let entries = node.as_map().into_iter().flat_map(Map::iter).map(|(_, it)| &it.value);
            open.extend(entries.chain(node.items()).map(|it| (it, at + 1)));
        }
        depth
    }

    /// How many values there are in it that it does not share with others; what is shared is one.
    ///
    /// What a second thread can reach, the files or the layers hold, too: no timing changes the count.
    pub(crate) fn held(&self) -> usize {
        let inner = match &self.kind {
            Kind::List(items) if Arc::strong_count(items) == 1 => {
                items.iter().map(Self::held).sum()
            }
            Kind::Map(map) if Arc::strong_count(map) == 1 => {
                map.iter().map(|(_, it)| it.value.held()).sum()
            }
            _ => 0,
        };
        1 + inner
    }

    /// The same value with `f` of every place in it.
    #[must_use]
    pub(crate) fn map_origins(&self, f: &impl Fn(&Origin) -> Origin) -> Self {
        self.map_places(f, &|key| key)
    }

    /// The same value, all of it made at `origin`: its keys are written nowhere.
    #[must_use]
    pub(crate) fn relocated(&self, origin: &Origin) -> Self {
        self.map_places(&|_| origin.clone(), &|_| None)
    }

    /// The same value with `f` of every place in it, and `key` of where its keys are written.
    pub(crate) fn map_places(
        &self,
        f: &impl Fn(&Origin) -> Origin,
        key: &impl Fn(Option<Span>) -> Option<Span>,
    ) -> Self {
        let mut node = Self::new(self.kind.clone(), f(&self.origin));
        for item in node.as_list_mut().into_iter().flatten() {
            *item = item.map_places(f, key);
        }
        for (_, entry) in node.as_map_mut().into_iter().flat_map(Map::iter_mut) {
            *entry = Entry { key: key(entry.key), value: entry.value.map_places(f, key) };
        }
        node
    }

    /// The same value, all of which comes to count through a step at `span`.
    #[must_use]
    pub(crate) fn through(&self, via: Via, span: Option<Span>) -> Self {
        self.map_origins(&|origin| origin.through(via, span))
    }

    /// The value at `key`, when this is a map that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.get(key)
    }

    /// `node.at("spec.template.spec")`; a key with a dot in it needs [`Node::get`].
    pub(crate) fn at(&self, path: &str) -> Option<&Node> {
        path.split('.').try_fold(self, |node, key| node.get(key))
    }

    /// [`Node::at`], but the first unknown on the way is the answer.
    ///
    /// `Ok(None)` is "certainly absent".
    ///
    /// # Errors
    /// The reason, and the origin of what is not known.
    pub(crate) fn look(&self, path: &str) -> Result<Option<&Node>, (Reason, Origin)> {
        let mut node = self;
        let mut rest = path;
        for key in path.split('.') {
            match &node.kind {
                Kind::Unknown(why) => {
                    let there = node.if_there();
                    return match there.is_some_and(|it| matches!(it.look(rest), Ok(None))) {
                        true => Ok(None),
                        false => Err((why.clone(), node.way())),
                    };
                }
                Kind::Map(map) => match (map.get(key), &map.open) {
                    (Some(value), _) => node = value,
                    (None, Some(why)) => return Err((why.clone(), node.origin.clone())),
                    (None, None) => return Ok(None),
                },
                _ => return Ok(None),
            }
            rest = rest.get(key.len() + 1..).unwrap_or_default();
        }
        match &node.kind {
            Kind::Unknown(why) => Err((why.clone(), node.way())),
            _ => Ok(Some(node)),
        }
    }

    /// Where an unknown value came from: what it is if it is there tells nothing of what is in it.
    fn way(&self) -> Origin {
        if self.if_there().is_some() { self.origin.whole() } else { self.origin.clone() }
    }

    /// [`Node::at`], but unknown where nobody can tell whether there is something.
    pub(crate) fn perhaps_at(&self, path: &str) -> Option<Self> {
        let unknown = || self.look(path).err().map(|(why, at)| Self::unknown_value(why, &at));
        self.at(path).cloned().or_else(unknown)
    }

    /// The text at `path`, when a string stands there.
    pub(crate) fn str_at(&self, path: &str) -> Option<&str> {
        self.at(path)?.as_str()
    }

    /// The items of the sequence at `path`, or none.
    pub(crate) fn items_at(&self, path: &str) -> &[Self] {
        self.at(path).map(Self::items).unwrap_or_default()
    }

    /// Whether `true` stands at `path`.
    pub(crate) fn is_true_at(&self, path: &str) -> bool {
        self.at(path).and_then(Self::as_bool) == Some(true)
    }

    /// The value at `path`, to change it; shared structure is copied.
    pub(crate) fn at_mut(&mut self, path: &str) -> Option<&mut Self> {
        path.split('.').try_fold(self, |node, key| node.as_map_mut()?.get_mut(key))
    }

    /// Sets `key`, when this is a map.
    pub(crate) fn set(&mut self, key: &str, value: Self) {
        if let Some(map) = self.as_map_mut() {
            map.set(key, value);
        }
    }

    /// The `kind` of a Kubernetes object, or `""`.
    pub(crate) fn object_kind(&self) -> &str {
        self.str_at("kind").unwrap_or_default()
    }

    /// The group of a Kubernetes object's `apiVersion`; `""` is the core group.
    pub(crate) fn api_group(&self) -> &str {
        let version = self.str_at("apiVersion").unwrap_or_default();
        version.split_once('/').map_or("", |(group, _)| group)
    }

    /// The `metadata.name` of a Kubernetes object, or `""`.
    pub(crate) fn object_name(&self) -> &str {
        self.str_at("metadata.name").unwrap_or_default()
    }

    /// The `metadata.namespace` of a Kubernetes object, or `""`.
    pub(crate) fn object_namespace(&self) -> &str {
        self.str_at("metadata.namespace").unwrap_or_default()
    }

    /// The place of a Kubernetes object's name, or of the whole object.
    pub(crate) fn object_anchor(&self) -> &Origin {
        &self.at("metadata.name").unwrap_or(self).origin
    }

    /// The mapping.
    pub(crate) fn as_map(&self) -> Option<&Map> {
        match &self.kind {
            Kind::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The mapping, to change it; shared structure is copied.
    pub(crate) fn as_map_mut(&mut self) -> Option<&mut Map> {
        match &mut self.kind {
            Kind::Map(map) => Some(Arc::make_mut(map)),
            _ => None,
        }
    }

    /// The sequence.
    pub(crate) fn as_list(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::List(items) => Some(items),
            _ => None,
        }
    }

    /// The sequence, to change it; shared structure is copied.
    pub(crate) fn as_list_mut(&mut self) -> Option<&mut Vec<Node>> {
        match &mut self.kind {
            Kind::List(items) => Some(Arc::make_mut(items)),
            _ => None,
        }
    }

    /// The items of a sequence, or none.
    pub(crate) fn items(&self) -> &[Node] {
        self.as_list().unwrap_or_default()
    }

    /// Where the mapping was last changed: by the last of what was written elsewhere and merged into
    /// it or took a key out, else where all of it is.
    pub(crate) fn changed_at(&self) -> Origin {
        let own = self.origin.last();
        let (Some(map), Some(span)) = (self.as_map(), own.span) else { return self.origin.clone() };
        let is_inside =
            |it: Span| it.file == span.file && it.start >= span.start && it.end <= span.end;
        let entries = map.iter().map(|(_, entry)| &entry.value.origin);
        let by = entries.chain(map.all_removed().iter().map(|(_, by)| by)).rfind(|it| {
            // What tools fill in or have as a default changes nothing.
            let is_merged = |via| matches!(via, Via::Written) || via.is_overridden();
            it.steps().all(|step| is_merged(step.via))
                && it.written_at().is_some_and(|it| !is_inside(it))
        });
        match (by, own.via) {
            (Some(by), Via::Written | Via::UpstreamManifest) => by.over(Via::Patched, &self.origin),
            _ => self.origin.clone(),
        }
    }

    /// The entries of a mapping, or none.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.as_map().into_iter().flat_map(Map::iter)
    }

    /// The scalar.
    pub(crate) fn as_scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The scalar's meaning to Kubernetes (`sigs.k8s.io/yaml`, YAML 1.1 as go-yaml v2 reads it).
    pub(crate) fn value(&self) -> Option<Value<'_>> {
        Some(scalar::sigs(self.as_scalar()?))
    }

    /// The text, when it is a string to Kubernetes.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self.value()? {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The boolean, when it is one to Kubernetes.
    pub(crate) fn as_bool(&self) -> Option<bool> {
        match self.value()? {
            Value::Bool(it) => Some(it),
            _ => None,
        }
    }

    /// The whole number, when it is one to Kubernetes.
    pub(crate) fn as_int(&self) -> Option<i128> {
        match self.value()? {
            Value::Int(it) => Some(it),
            _ => None,
        }
    }

    /// Whether it is a null.
    pub(crate) fn is_null(&self) -> bool {
        self.value() == Some(Value::Null)
    }

    /// Whether the repository alone cannot tell what it is.
    pub(crate) fn unknown(&self) -> Option<&Reason> {
        match &self.kind {
            Kind::Unknown(why) => Some(why),
            _ => None,
        }
    }

    /// The value as JSON, as Kubernetes would read it; what is unknown becomes null.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.kind {
            Kind::Unknown(_) => Json::Null,
            Kind::List(items) => items.iter().map(Node::to_json).collect(),
            Kind::Map(map) => {
                map.iter().map(|(key, entry)| (key.to_owned(), entry.value.to_json())).collect()
            }
            Kind::Scalar(scalar) => match scalar::sigs(scalar) {
                Value::Null => Json::Null,
                Value::Bool(it) => it.into(),
                Value::Int(it) => match (i64::try_from(it), u64::try_from(it)) {
                    (Ok(it), _) => it.into(),
                    (_, Ok(it)) => it.into(),
                    #[expect(clippy::cast_precision_loss, reason = "as Go's JSON does")]
                    _ => serde_json::Number::from_f64(it as f64).into(),
                },
                // Go writes a whole float64 with the fewest digits that tell it, and no point.
                Value::Float(it) => match (it.to_string().parse::<i64>(), it.to_string().parse()) {
                    (Ok(it), _) => it.into(),
                    (_, Ok::<u64, _>(it)) => it.into(),
                    _ => serde_json::Number::from_f64(it).into(),
                },
                Value::Str(text) => text.into(),
            },
        }
    }
}

impl From<Scalar> for Kind {
    fn from(scalar: Scalar) -> Self {
        Self::Scalar(scalar)
    }
}

impl From<Vec<Node>> for Kind {
    fn from(items: Vec<Node>) -> Self {
        Self::List(Arc::new(items))
    }
}

impl From<Map> for Kind {
    fn from(map: Map) -> Self {
        Self::Map(Arc::new(map))
    }
}

impl<K: Into<Arc<str>>, const N: usize> From<[(K, Node); N]> for Kind {
    fn from(entries: [(K, Node); N]) -> Self {
        entries.into_iter().collect::<Map>().into()
    }
}

impl From<&str> for Kind {
    fn from(text: &str) -> Self {
        Scalar::string(text).into()
    }
}

impl From<String> for Kind {
    fn from(text: String) -> Self {
        Scalar::string(text).into()
    }
}

impl From<bool> for Kind {
    fn from(it: bool) -> Self {
        Scalar::plain(if it { "true" } else { "false" }).into()
    }
}

impl From<i64> for Kind {
    fn from(it: i64) -> Self {
        Scalar::plain(it.to_string()).into()
    }
}

/// What is not known for a reason is unknown.
impl<T: Into<Self>> From<Result<T, Reason>> for Kind {
    fn from(value: Result<T, Reason>) -> Self {
        value.map_or_else(Self::Unknown, Into::into)
    }
}
