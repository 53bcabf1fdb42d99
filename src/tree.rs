//! Trees whose every node knows where it came from.
//!
//! Children are shared: cloning a node costs one reference count, and changing it copies only the
//! path from the root to the change. An overlay over a base of fifty objects costs what it changes.

mod join;
mod map;

use std::{fmt, sync::Arc};

pub use join::join;
pub use map::{Entry, Map};

use crate::{
    scalar::{self, Scalar, Value},
    source::Span,
};

/// A value of an effective configuration, together with its provenance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Where it came from.
    pub origin: Origin,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Text with the notation that decides its type.
    Scalar(Scalar),
    /// A sequence.
    List(Arc<Vec<Node>>),
    /// A mapping with string keys.
    Map(Arc<Map>),
    /// The repository alone cannot tell; never read as a value.
    Unknown(Why),
}

/// Why a value cannot be told from the repository, as a clause: "the Secret `x` is encrypted".
pub type Why = Arc<str>;

/// Where a value came from: from the place where it takes effect to the place where it is written.
///
/// Never empty. The **last** step is where a person edits; the steps before it are the places
/// through which it comes to count. Chains share their tails.
///
/// A value that is put together from several has the way of one of them, and knows the others.
#[derive(Clone, PartialEq, Eq)]
pub struct Origin {
    /// The first step.
    pub step: Step,
    /// The steps after it.
    next: Option<Arc<Origin>>,
    /// What the value is put together from, each by what it is, unless it is one value.
    parts: Option<Arc<Vec<Part>>>,
}

/// A part of a value: what it is (`repository`; nothing for an item like the others), and the part.
pub type Part = (&'static str, Node);

/// One place on a value's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Step {
    /// What happens there.
    pub via: Via,
    /// The place, unless it is built in.
    pub span: Option<Span>,
}

/// What happens to a value at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Via {
    /// It is written there.
    Written,
    /// A Flux `postBuild` expression there is replaced by the next step's value.
    Substituted,
    /// The value there is overridden by a kustomize patch, the next step.
    Patched,
    /// The value there is overridden by a later layer, the next step.
    Overridden,
    /// A generator entry there reads the next step's file or literal.
    Generated,
    /// A kustomize `replacements` or `vars` target there takes the next step's value.
    Replaced,
    /// The value there is set by an `images`, `replicas`, `namespace` or name field, the next step.
    Transformed,
    /// A reference there brings the next step's values in: `valuesFrom`, `valueFiles`, `values`.
    Values,
    /// A template placeholder of an `ApplicationSet` there is filled from the next step.
    Templated,
    /// A manifest named there, which the tool knows.
    UpstreamManifest,
    /// The chart's own default; the span, if any, is the chart's version.
    ChartDefault,
    /// Kubernetes fills it in.
    KubernetesDefault,
    /// The program's default for a flag that is not passed.
    FlagDefault,
    /// The configuration of this tool.
    Configured,
    /// A platform's or installer's own default; the span is what says that it is one.
    PlatformDefault,
}

impl Via {
    /// The name in machine-readable output.
    pub fn id(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Substituted => "substituted",
            Self::Patched => "patched",
            Self::Overridden => "overridden",
            Self::Generated => "generated",
            Self::Replaced => "replaced",
            Self::Transformed => "transformed",
            Self::Values => "values",
            Self::Templated => "templated",
            Self::UpstreamManifest => "upstream-manifest",
            Self::ChartDefault => "chart-default",
            Self::KubernetesDefault => "kubernetes-default",
            Self::FlagDefault => "flag-default",
            Self::Configured => "configured",
            Self::PlatformDefault => "platform-default",
        }
    }

    /// What a label at such a step says.
    pub fn label(self) -> &'static str {
        match self {
            Self::Written => "written here",
            Self::Substituted => "substituted here by Flux",
            Self::Patched => "this is patched",
            Self::Overridden => "this is overridden",
            Self::Generated => "generated into the ConfigMap here",
            Self::Replaced => "replaced here by kustomize",
            Self::Transformed => "set here by a kustomize transformer",
            Self::Values => "values come in here",
            Self::Templated => "filled in here by the ApplicationSet",
            Self::UpstreamManifest => "from this upstream manifest",
            Self::ChartDefault => "the chart's default",
            Self::KubernetesDefault => "Kubernetes' default",
            Self::FlagDefault => "metrics-server's default",
            Self::Configured => "configured here",
            Self::PlatformDefault => "what this platform does",
        }
    }
}

impl Origin {
    /// A value that is written at `span`.
    pub fn written(span: Span) -> Self {
        Self::at(Via::Written, Some(span))
    }

    /// A value with one step.
    pub fn at(via: Via, span: Option<Span>) -> Self {
        Self { step: Step { via, span }, next: None, parts: None }
    }

    /// The value that comes to count through a step at `span` and then the steps of `self`.
    #[must_use]
    pub fn through(&self, via: Via, span: Option<Span>) -> Self {
        Self { step: Step { via, span }, next: Some(Arc::new(self.clone())), parts: None }
    }

    /// The origin of a value that is put together from `parts`, of which the one at `self` is the
    /// main one.
    #[must_use]
    pub fn joined(&self, parts: impl IntoIterator<Item = Part>) -> Self {
        Self { parts: Some(Arc::new(parts.into_iter().collect())), ..self.clone() }
    }

    /// The value at `self` that took the place of the one at `old`, whose place stays on the way.
    ///
    /// Only where `old` is written is kept: what it had itself replaced does not count any more.
    #[must_use]
    pub fn over(&self, via: Via, old: &Self) -> Self {
        match old.written_at() {
            Some(span) if self.steps().all(|step| step.span != Some(span)) => {
                self.through(via, Some(span))
            }
            _ => self.clone(),
        }
    }

    /// The template at `self` whose expression is replaced by the value at `source`.
    ///
    /// Every place of the template stays on the way, the last one as a `via` step.
    #[must_use]
    pub fn filled(&self, via: Via, source: &Self) -> Self {
        let filled = match &self.next {
            None => source.through(via, self.step.span),
            Some(next) => {
                let next = Some(Arc::new(next.filled(via, source)));
                Self { step: self.step, next, parts: None }
            }
        };
        // What holds the expression is not that part any more.
        let whole = |part: &Node| {
            part.as_scalar().is_some_and(|it| !it.text.contains('$') && !it.text.contains("{{"))
        };
        match &self.parts {
            None => filled,
            Some(parts) => filled.joined(parts.iter().filter(|(_, it)| whole(it)).cloned()),
        }
    }

    /// The same way, but written at `span`: a part of the value at `self`.
    #[must_use]
    pub fn moved(&self, span: Span) -> Self {
        match &self.next {
            None => Self::at(self.step.via, Some(span)),
            Some(next) => {
                Self { step: self.step, next: Some(Arc::new(next.moved(span))), parts: None }
            }
        }
    }

    /// The same way without the steps of `via` before the last one.
    #[must_use]
    pub fn without(&self, via: Via) -> Self {
        match &self.next {
            Some(next) if self.step.via == via => next.without(via),
            Some(next) => Self { next: Some(Arc::new(next.without(via))), ..self.clone() },
            None => self.clone(),
        }
    }

    /// From where it takes effect to where it is written.
    pub fn steps(&self) -> impl Iterator<Item = Step> + '_ {
        std::iter::successors(Some(self), |origin| origin.next.as_deref()).map(|origin| origin.step)
    }

    /// The last step.
    pub fn last(&self) -> Step {
        let mut origin = self;
        while let Some(next) = &origin.next {
            origin = next;
        }
        origin.step
    }

    /// The parts that the value is put together from; none of one that is not.
    pub fn parts(&self) -> Vec<Part> {
        match (&self.parts, &self.next) {
            (Some(parts), _) => parts.to_vec(),
            (None, None) => Vec::new(),
            (None, Some(next)) => {
                let Step { via, span } = self.step;
                let through = |(name, part): Part| {
                    let origin = part.origin.through(via, span);
                    (name, Node { origin, ..part })
                };
                next.parts().into_iter().map(through).collect()
            }
        }
    }

    /// The ways of the other parts, one for each place where else a person edits.
    pub fn also(&self) -> Vec<Self> {
        let mut ways: Vec<Self> = vec![self.clone()];
        for (_, part) in self.parts() {
            for way in std::iter::once(part.origin.clone()).chain(part.origin.also()) {
                if ways.iter().all(|it| it.last() != way.last()) {
                    ways.push(way);
                }
            }
        }
        ways.split_off(1)
    }

    /// Where the part of the value comes from that says `text`; where all of it does, if that is
    /// not a part of its own.
    #[must_use]
    pub fn of(&self, text: &str) -> Self {
        let says = |part: &Node| part.as_scalar().is_some_and(|it| &*it.text == text);
        let found = self.parts().into_iter().find(|(_, part)| says(part));
        found.map_or_else(|| self.clone(), |(_, part)| part.origin)
    }

    /// Where a person edits, unless the value is built in.
    pub fn written_at(&self) -> Option<Span> {
        self.last().span
    }

    /// Whether nobody wrote the value: it is a default of a chart, of Kubernetes, of a program.
    pub fn is_default(&self) -> bool {
        matches!(
            self.last().via,
            Via::ChartDefault | Via::KubernetesDefault | Via::FlagDefault | Via::PlatformDefault
        )
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.steps()).finish()
    }
}

impl Node {
    /// A node of `kind` at `origin`.
    pub fn new(kind: impl Into<Kind>, origin: Origin) -> Self {
        Self { kind: kind.into(), origin }
    }

    /// A value at `at` that the repository alone cannot tell.
    pub fn unknown_value(why: impl Into<Why>, at: &Origin) -> Self {
        Self::new(Kind::Unknown(why.into()), at.clone())
    }

    /// The tree with what `f` puts in the place of its nodes, from the root down.
    ///
    /// What is replaced is not looked into, and what does not change stays shared.
    #[must_use]
    pub fn rewrite(&self, f: &mut impl FnMut(&Self) -> Option<Self>) -> Self {
        self.rewritten(f).unwrap_or_else(|| self.clone())
    }

    /// The tree with what `f` puts in the place of its scalars, where these are.
    #[must_use]
    pub fn rewrite_scalars(&self, f: impl Fn(&Scalar) -> Option<Kind>) -> Self {
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

    /// This value and those in it, the outer ones first, in order.
    pub fn walk(&self) -> impl Iterator<Item = &Self> {
        let mut open = vec![self];
        std::iter::from_fn(move || {
            let node = open.pop()?;
            let entries = node.as_map().into_iter().flat_map(|it| it.iter().rev());
            open.extend(entries.map(|(_, it)| &it.value).chain(node.items().iter().rev()));
            Some(node)
        })
    }

    /// The same value with `f` of every place in it.
    #[must_use]
    pub fn map_origins(&self, f: &impl Fn(&Origin) -> Origin) -> Self {
        self.map_places(f, &|key| key)
    }

    /// The same value, all of it made at `origin`: its keys are written nowhere.
    #[must_use]
    pub fn relocated(&self, origin: &Origin) -> Self {
        self.map_places(&|_| origin.clone(), &|_| None)
    }

    fn map_places(
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
    pub fn through(&self, via: Via, span: Option<Span>) -> Self {
        self.map_origins(&|origin| origin.through(via, span))
    }

    /// The value at `key`, when this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.get(key)
    }

    /// `node.at("spec.template.spec")`; a key with a dot in it needs [`Node::get`].
    pub fn at(&self, path: &str) -> Option<&Node> {
        path.split('.').try_fold(self, |node, key| node.get(key))
    }

    /// [`Node::at`], but the first unknown on the way is the answer.
    ///
    /// `Ok(None)` is "certainly absent".
    ///
    /// # Errors
    /// The reason, and the origin of what is not known.
    pub fn look(&self, path: &str) -> Result<Option<&Node>, (Why, Origin)> {
        let mut node = self;
        for key in path.split('.') {
            match &node.kind {
                Kind::Unknown(why) => return Err((why.clone(), node.origin.clone())),
                Kind::Map(map) => match (map.get(key), &map.open) {
                    (Some(value), _) => node = value,
                    (None, Some(why)) => return Err((why.clone(), node.origin.clone())),
                    (None, None) => return Ok(None),
                },
                _ => return Ok(None),
            }
        }
        match &node.kind {
            Kind::Unknown(why) => Err((why.clone(), node.origin.clone())),
            _ => Ok(Some(node)),
        }
    }

    /// The text at `path`, when a string stands there.
    pub fn str_at(&self, path: &str) -> Option<&str> {
        self.at(path)?.as_str()
    }

    /// The items of the sequence at `path`, or none.
    pub fn items_at(&self, path: &str) -> &[Self] {
        self.at(path).map(Self::items).unwrap_or_default()
    }

    /// Whether `true` stands at `path`.
    pub fn is_true_at(&self, path: &str) -> bool {
        self.at(path).and_then(Self::as_bool) == Some(true)
    }

    /// The value at `path`, to change it; shared structure is copied.
    pub fn at_mut(&mut self, path: &str) -> Option<&mut Self> {
        path.split('.').try_fold(self, |node, key| node.as_map_mut()?.get_mut(key))
    }

    /// Sets `key`, when this is a map.
    pub fn set(&mut self, key: &str, value: Self) {
        if let Some(map) = self.as_map_mut() {
            map.set(key, value);
        }
    }

    /// The `kind` of a Kubernetes object, or `""`.
    pub fn object_kind(&self) -> &str {
        self.str_at("kind").unwrap_or_default()
    }

    /// The group of a Kubernetes object's `apiVersion`; `""` is the core group.
    pub fn api_group(&self) -> &str {
        let version = self.str_at("apiVersion").unwrap_or_default();
        version.split_once('/').map_or("", |(group, _)| group)
    }

    /// The `metadata.name` of a Kubernetes object, or `""`.
    pub fn object_name(&self) -> &str {
        self.str_at("metadata.name").unwrap_or_default()
    }

    /// The `metadata.namespace` of a Kubernetes object, or `""`.
    pub fn object_namespace(&self) -> &str {
        self.str_at("metadata.namespace").unwrap_or_default()
    }

    /// The place of a Kubernetes object's name, or of the whole object.
    pub fn object_anchor(&self) -> &Origin {
        &self.at("metadata.name").unwrap_or(self).origin
    }

    /// The mapping.
    pub fn as_map(&self) -> Option<&Map> {
        match &self.kind {
            Kind::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The mapping, to change it; shared structure is copied.
    pub fn as_map_mut(&mut self) -> Option<&mut Map> {
        match &mut self.kind {
            Kind::Map(map) => Some(Arc::make_mut(map)),
            _ => None,
        }
    }

    /// The sequence.
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::List(items) => Some(items),
            _ => None,
        }
    }

    /// The sequence, to change it; shared structure is copied.
    pub fn as_list_mut(&mut self) -> Option<&mut Vec<Node>> {
        match &mut self.kind {
            Kind::List(items) => Some(Arc::make_mut(items)),
            _ => None,
        }
    }

    /// The items of a sequence, or none.
    pub fn items(&self) -> &[Node] {
        self.as_list().unwrap_or_default()
    }

    /// The entries of a mapping, or none.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.as_map().into_iter().flat_map(Map::iter)
    }

    /// The scalar.
    pub fn as_scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The scalar's meaning to Kubernetes (`sigs.k8s.io/yaml`, YAML 1.1 as go-yaml v2 reads it).
    pub fn value(&self) -> Option<Value<'_>> {
        Some(scalar::sigs(self.as_scalar()?))
    }

    /// The text, when it is a string to Kubernetes.
    pub fn as_str(&self) -> Option<&str> {
        match self.value()? {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The boolean, when it is one to Kubernetes.
    pub fn as_bool(&self) -> Option<bool> {
        match self.value()? {
            Value::Bool(it) => Some(it),
            _ => None,
        }
    }

    /// The whole number, when it is one to Kubernetes.
    pub fn as_int(&self) -> Option<i128> {
        match self.value()? {
            Value::Int(it) => Some(it),
            _ => None,
        }
    }

    /// Whether it is a null.
    pub fn is_null(&self) -> bool {
        self.value() == Some(Value::Null)
    }

    /// Whether the repository alone cannot tell what it is.
    pub fn unknown(&self) -> Option<&Why> {
        match &self.kind {
            Kind::Unknown(why) => Some(why),
            _ => None,
        }
    }

    /// The value as JSON, as Kubernetes would read it; what is unknown becomes null.
    pub fn to_json(&self) -> serde_json::Value {
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
                Value::Float(it) if it.fract() == 0.0 && it.abs() < 1e19 => it
                    .to_string()
                    .parse::<i64>()
                    .map_or_else(|_| serde_json::Number::from_f64(it).into(), Into::into),
                Value::Float(it) => serde_json::Number::from_f64(it).into(),
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
impl<T: Into<Self>> From<Result<T, Why>> for Kind {
    fn from(value: Result<T, Why>) -> Self {
        value.map_or_else(Self::Unknown, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    /// The place of a word in a file that holds some.
    fn place(word: &str) -> Origin {
        let sources = Sources::in_memory([("a", "repository tag variable override")]);
        let file = sources.find("a").expect("it is there");
        let start = sources.text(file).find(word).expect("a word");
        let [start, end] = [start, start + word.len()].map(|it| u32::try_from(it).expect("short"));
        Origin::written(Span { file, start, end })
    }

    fn image(tag: &str) -> Origin {
        let part = |name, text: &str| (name, Node::new(text, place(name)));
        place("tag").joined([part("repository", "a.io/b"), part("tag", tag)])
    }

    #[test]
    fn a_joined_value_knows_its_parts_whatever_it_goes_through() {
        let image = image("v1");
        assert_eq!(image.steps().count(), 1);
        assert_eq!(image.also(), [place("repository")], "the main way is not told again");
        let over = image.through(Via::Values, place("override").step.span);
        assert_eq!(over.of("v1"), place("tag").through(Via::Values, place("override").step.span));
        assert_eq!(over.also()[0].steps().count(), 2);
        assert_eq!(over.of("something else"), over);
        assert!(place("tag").also().is_empty() && place("tag").parts().is_empty());
        let nested = place("variable").joined([("", Node::new("a.io/b:v1", image))]);
        assert_eq!(nested.also().len(), 2, "parts have parts");
    }

    #[test]
    fn a_part_with_an_expression_is_none_once_it_is_filled() {
        let filled = image("${TAG}").filled(Via::Substituted, &place("variable"));
        let vias: Vec<_> = filled.steps().map(|it| it.via).collect();
        assert_eq!(vias, [Via::Substituted, Via::Written]);
        assert_eq!(filled.of("a.io/b"), place("repository"));
        assert_eq!(filled.of("v2"), filled);
        assert_eq!(filled.also(), [place("repository")]);
    }
}
