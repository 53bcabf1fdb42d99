//! Objects on their way through a build, and the names under which they can be found.

use std::{collections::VecDeque, sync::Arc};

use indexmap::IndexMap;

use crate::{
    data::kinds::is_cluster_scoped_to_kustomize,
    parse::{Document, Documents},
    problem::Problem,
    resolve::environment::Deleted,
    resolve::kustomize::{
        blur,
        value::{
            Outcome, is_empty, no_such, not_yaml, refusal, strings, text, text_at, unresolved,
        },
    },
    scalar::{self, Scalar, Value},
    source::Span,
    tree::{self, Kind, Map, Node, Origin, Reason},
};

/// Group, version and kind; in a selector an empty part matches all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Gvk {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
}

/// What an object is called.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Id {
    pub(super) gvk: Gvk,
    /// As written; see [`Id::space`].
    pub(super) namespace: String,
    pub(super) name: String,
}

/// An object, and what a build remembers of it.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    /// The object; an empty mapping once it is deleted.
    pub(super) node: Node,
    /// What it was before it was deleted.
    pub(super) deleted: Option<Box<Deleted>>,
    /// What it was called before, oldest first. Group and version are always the current ones.
    pub(super) previous: Vec<Previous>,
    /// Prefixes and suffixes of names that were added, innermost first.
    pub(super) prefixes: Vec<Arc<str>>,
    pub(super) suffixes: Vec<Arc<str>>,
    /// Where the generator is whose content hash goes into the name.
    pub(super) hashed: Option<Origin>,
    /// The variables that take a value from it.
    pub(super) variables: Vec<Arc<str>>,
    /// Whether a chart of `helmCharts` made it: then Helm has set its namespace.
    pub(super) inflated: bool,
    /// What the annotations that `buildMetadata` asks for tell.
    pub(super) record: Option<Box<Record>>,
    /// What was refused of it, until the layer takes that: see [`Resource::attempt`].
    pub(super) refusals: Vec<Problem>,
    /// Whether all but its name is unknown.
    pub(super) hidden: bool,
}

/// Where an object comes from and what it went through.
#[derive(Debug, Clone, Default)]
pub(super) struct Record {
    pub(super) source: Option<Maker>,
    pub(super) transformers: Vec<Maker>,
}

/// A file that holds an object, or what made or changed it.
#[derive(Debug, Clone, Default)]
pub(super) struct Maker {
    /// From the root of the repository.
    pub(super) path: String,
    /// The kind of a generator or transformer; empty for a file that holds the object itself.
    pub(super) kind: String,
    /// What its configuration is called, when that is an object of its own.
    pub(super) name: String,
    pub(super) namespace: String,
}

/// A former name.
#[derive(Debug, Clone)]
pub(super) struct Previous {
    pub(super) kind: String,
    /// Effective: see [`Id::space`].
    pub(super) namespace: String,
    pub(super) name: String,
}

/// The kinds that come first in kustomize's order (`resid/gvk.go`).
pub(super) const FIRST: [&str; 22] = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

/// The kinds that come last.
pub(super) const LAST: [&str; 2] =
    ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// The effective namespace of what has none.
const CLUSTER: &str = "_non_namespaceable_";

impl Gvk {
    /// Of `apiVersion` and `kind`.
    pub(super) fn new(api_version: &str, kind: &str) -> Self {
        let (group, version) = parts_of(api_version);
        Self { group: group.into(), version: version.into(), kind: kind.into() }
    }

    /// Whether it, as a selector, matches what has these.
    pub(super) fn selects(&self, api_version: &str, kind: &str) -> bool {
        let (group, version) = parts_of(api_version);
        self.fits(group, version, kind)
    }

    /// Of the fields `group`, `version` and `kind` of a selector.
    pub(super) fn selector(node: &Node) -> Self {
        let field = |name| text(node.get(name)).to_owned();
        Self { group: field("group"), version: field("version"), kind: field("kind") }
    }

    /// Whether `selector` matches.
    pub(super) fn selected(&self, selector: &Self) -> bool {
        selector.fits(&self.group, &self.version, &self.kind)
    }

    fn fits(&self, group: &str, version: &str, kind: &str) -> bool {
        let fits = |wanted: &str, have: &str| wanted.is_empty() || wanted == have;
        fits(&self.kind, kind) && fits(&self.group, group) && fits(&self.version, version)
    }

    /// What decides the order of kinds: the place of the kind, then the text.
    pub(super) fn order(&self) -> (i64, String) {
        let known = (i64::MIN..).zip(FIRST).chain((1..).zip(LAST));
        let rank = known.into_iter().find(|(_, kind)| *kind == self.kind);
        (rank.map_or(0, |(rank, _)| rank), self.sort_key())
    }

    /// The text that decides the order of kinds that have no place of their own.
    pub(super) fn sort_key(&self) -> String {
        let Self { group, version, kind } = self;
        [or(group, "~G"), or(version, "~V"), or(kind, "~K")].join("_")
    }

    /// Whether kustomize knows that objects of this kind have no namespace.
    pub(super) fn cluster_scoped(&self) -> bool {
        is_cluster_scoped_to_kustomize(&self.group, &self.version, &self.kind)
    }
}

/// The group and the version in an `apiVersion`.
fn parts_of(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// `text`, or what stands for nothing where kustomize sorts.
pub(super) fn or<'a>(text: &'a str, nothing: &'static str) -> &'a str {
    if text.is_empty() { nothing } else { text }
}

impl Id {
    /// The effective namespace: `default` when there is none, a name of its own for what cannot
    /// have any.
    pub(super) fn space(&self) -> &str {
        if self.gvk.cluster_scoped() {
            CLUSTER
        } else if self.namespace.is_empty() {
            "default"
        } else {
            &self.namespace
        }
    }

    /// The same, so that equal objects have equal ids.
    #[must_use]
    pub(super) fn effective(mut self) -> Self {
        if self.space() != self.namespace {
            self.namespace = self.space().to_owned();
        }
        self
    }

    /// Whether the id is selected by the fields of `selector`, without patterns.
    pub(super) fn selected(&self, selector: &Self) -> bool {
        (selector.name.is_empty() || selector.name == self.name)
            && (selector.namespace.is_empty() || selector.space() == self.space())
            && self.gvk.selected(&selector.gvk)
    }

    /// `Deployment kube-system/metrics-server`
    pub(super) fn describe(&self) -> String {
        let Self { gvk, namespace, name } = self;
        if namespace.is_empty() || namespace == CLUSTER {
            format!("{} {name}", gvk.kind)
        } else {
            format!("{} {namespace}/{name}", gvk.kind)
        }
    }
}

impl Resource {
    /// An object as it was read.
    pub(super) fn new(node: Node) -> Self {
        Self {
            node,
            previous: Vec::new(),
            deleted: None,
            prefixes: Vec::new(),
            suffixes: Vec::new(),
            hashed: None,
            variables: Vec::new(),
            inflated: false,
            record: None,
            refusals: Vec::new(),
            hidden: false,
        }
    }

    /// Changes the object. Where that is refused, what it comes to is unknown but for its name, and
    /// [`Layer::sweep`](super::layer::Layer::sweep) tells why; what is unknown is refused nothing.
    pub(super) fn attempt(&mut self, change: impl FnOnce(&mut Self) -> Outcome<()>) {
        if let Err(problem) = change(self)
            && !self.hidden
        {
            self.hide(&problem.message);
            self.refusals.push(*problem);
        }
    }

    /// [`Resource::attempt`]; with a reason why nobody knows whether this is changed at all, what the
    /// change leaves as it is.
    pub(super) fn attempt_if(
        &mut self,
        unsure: Option<Reason>,
        change: impl FnOnce(&mut Self) -> Outcome<()>,
    ) {
        let Some(why) = unsure else { return self.attempt(change) };
        let before = self.clone();
        match change(self) {
            Ok(()) if !self.is_gone() => self.node = tree::join(&self.node, &before.node, &why),
            _ => {
                *self = before;
                self.hide(&why);
            }
        }
    }

    /// Why nobody knows what it is called, if so.
    pub(super) fn unknown_name(&self) -> Option<&Reason> {
        self.node.at("metadata.name")?.unknown()
    }

    /// Changes the object. Where that is refused, what `blur` makes unknown is, and what the object is
    /// called is not.
    pub(super) fn attempt_or(
        &mut self,
        blur: impl FnOnce(&mut Node, &Reason),
        change: impl FnOnce(&mut Self) -> Outcome<()>,
    ) {
        if let Err(problem) = change(self)
            && !self.hidden
        {
            self.lose(&problem.message, blur);
            self.refusals.push(*problem);
        }
    }

    /// Makes all of the object unknown that [`Self::hide`] does, because of `problem`.
    pub(super) fn give_up(&mut self, problem: &Problem) {
        if !self.hidden {
            self.hide(&problem.message);
            self.refusals.push(problem.clone());
        }
    }

    /// Makes all of the object unknown but what it and its containers are called.
    pub(super) fn hide(&mut self, why: &Reason) {
        if !self.is_gone() {
            self.hidden = true;
            blur::all(&mut self.node, why);
        }
    }

    /// Makes unknown what `blur` does, but never what the object is called.
    pub(super) fn lose(&mut self, why: &Reason, blur: impl FnOnce(&mut Node, &Reason)) {
        let before = self.node.clone();
        blur(&mut self.node, why);
        let names = ["apiVersion", "kind", "metadata.name", "metadata.namespace"];
        let containers = [
            "spec.containers",
            "spec.template.spec.containers",
            "spec.jobTemplate.spec.template.spec.containers",
        ];
        for path in names.into_iter().chain(containers) {
            match (before.at(path), self.node.at_mut(path)) {
                (Some(old), Some(new)) if names.contains(&path) => *new = old.clone(),
                (Some(old), Some(new)) if new.unknown().is_none() || old.unknown().is_some() => {}
                (None, _) if !names.contains(&path) => {}
                (None, None) => {}
                // All that it is called by may be another.
                (Some(_), _) | (None, Some(_)) => {
                    self.node = before;
                    self.hide(why);
                    return;
                }
            }
        }
    }

    /// Another object of the same name, which `problem` refuses: known is what both have in common,
    /// and what this one is called now.
    pub(super) fn meet(&mut self, other: &Self, problem: Problem) {
        let mut met = tree::join(&self.node, &other.node, &problem.message);
        let own = self.node.get("metadata");
        if let (Some(own), Some(metadata)) = (own, metadata(&mut met)) {
            for key in ["name", "namespace"] {
                if let Some(value) = own.get(key) {
                    metadata.set(key, value.clone());
                }
            }
        }
        self.node = met;
        self.refusals.push(problem);
    }

    /// Remembers who made it, unless that is known already.
    pub(super) fn made_by(&mut self, maker: Maker) {
        let record = self.record.get_or_insert_default();
        record.source.get_or_insert(maker);
    }

    pub(super) fn gvk(&self) -> Gvk {
        Gvk::new(text_at(&self.node, "apiVersion"), self.kind())
    }

    pub(super) fn kind(&self) -> &str {
        text_at(&self.node, "kind")
    }

    pub(super) fn name(&self) -> &str {
        text_at(&self.node, "metadata.name")
    }

    /// As written.
    pub(super) fn namespace(&self) -> &str {
        text_at(&self.node, "metadata.namespace")
    }

    /// What it is called now.
    pub(super) fn id(&self) -> Id {
        Id { gvk: self.gvk(), namespace: self.namespace().into(), name: self.name().into() }
    }

    /// What it was called first.
    pub(super) fn original(&self) -> Id {
        self.previous.first().map_or_else(|| self.id(), |it| self.former(it))
    }

    /// What it was called before, oldest first.
    pub(super) fn former_ids(&self) -> impl Iterator<Item = Id> {
        self.previous.iter().map(|it| self.former(it))
    }

    /// What it was ever called.
    pub(super) fn all_ids(&self) -> impl Iterator<Item = Id> {
        self.former_ids().chain([self.id()])
    }

    fn former(&self, previous: &Previous) -> Id {
        let gvk = Gvk { kind: previous.kind.clone(), ..self.gvk() };
        Id { gvk, namespace: previous.namespace.clone(), name: previous.name.clone() }
    }

    /// Remembers what it is called, before that changes.
    pub(super) fn remember(&mut self) {
        let id = self.id();
        self.previous.push(Previous {
            namespace: id.space().into(),
            kind: id.gvk.kind,
            name: id.name,
        });
    }

    /// Makes the values at `metadata.key` strings of what is written for them; without any there is no
    /// mapping (`setMapInMetadata`).
    ///
    /// # Errors
    /// A list of which kustomize takes every other item for a key, when the last one has no value.
    pub(super) fn stringify(&mut self, key: &str) -> Outcome<()> {
        let Some(metadata) = metadata(&mut self.node) else { return Ok(()) };
        let Some(old) = metadata.get(key) else { return Ok(()) };
        let texts = match &old.kind {
            Kind::Unknown(_) => return Ok(()),
            Kind::Map(map) if !map.is_empty() || map.open.is_some() => strings(map),
            Kind::List(items) if !items.is_empty() => {
                let pairs = items.chunks(2).map(|pair| match pair {
                    [key, value] => Ok((text(Some(key)), value.clone())),
                    _ => Err(refusal(&old.origin, "kustomize expects a mapping here")),
                });
                strings(&pairs.collect::<Outcome<Map>>()?)
            }
            _ => {
                metadata.remove(key);
                return Ok(());
            }
        };
        metadata.set(key, Node::new(texts, old.origin.clone()));
        Ok(())
    }

    /// Whether it has the kind and the name that every object has when it is printed.
    pub(super) fn is_complete(&self) -> bool {
        let named = is_named(self.kind(), self.name()) || self.unknown_name().is_some();
        !self.kind().is_empty() && named
    }

    /// Whether it was deleted.
    pub(super) fn is_gone(&self) -> bool {
        is_empty(&self.node)
    }

    /// Where its name is, or else the object.
    pub(super) fn anchor(&self) -> &Origin {
        self.node.at("metadata.name").map_or(&self.node.origin, |it| &it.origin)
    }
}

/// Where objects stand in a list, by every id that they ever had.
#[derive(Debug, Default)]
pub(super) struct Index(IndexMap<Id, Vec<usize>>);

impl Index {
    pub(super) fn new(resources: &[Resource]) -> Self {
        let mut index = Self::default();
        for (at, resource) in resources.iter().enumerate() {
            index.add(at, resource);
        }
        index
    }

    /// Adds the ids of the object at `at`.
    pub(super) fn add(&mut self, at: usize, resource: &Resource) {
        if resource.is_gone() {
            return;
        }
        for id in resource.all_ids() {
            let places = self.0.entry(id.effective()).or_default();
            if !places.contains(&at) {
                places.push(at);
            }
        }
    }

    /// The objects that were ever called `id`.
    pub(super) fn find(&self, id: Id) -> &[usize] {
        self.0.get(&id.effective()).map_or(&[], Vec::as_slice)
    }
}

/// The objects of `documents`, those of lists unpacked, and what is none, where it stands.
///
/// `whole` is what is reported when a problem has no place of its own.
pub(super) fn objects(documents: &Documents, whole: &Origin) -> Vec<Outcome<Node>> {
    let at = |span: Option<Span>| span.map_or_else(|| whole.clone(), |span| whole.moved(span));
    let root = |document: &Document| match (&document.root, document.repeated.first()) {
        (Err(error), _) => Err(not_yaml("this", error, &at(error.span))),
        (Ok(_), Some(again)) => {
            Err(refusal(&at(Some(*again)), "this key is already set in the same mapping"))
        }
        (Ok(root), None) => Ok(root.clone()),
    };
    let mut objects = Vec::new();
    // The items of a list come after the rest, as kustomize queues them.
    let mut queue: VecDeque<Outcome<Node>> = documents.list.iter().map(root).collect();
    queue.retain(|it| it.as_ref().map_or(true, |root| !is_empty(root)));
    let alone = queue.len() == 1;
    while let Some(node) = queue.pop_front() {
        let node = match node.and_then(|it| check(&it).map(|()| it)) {
            Ok(node) if is_list(text_at(&node, "kind")) && node.get("items").is_some() => node,
            object => {
                objects.push(object);
                continue;
            }
        };
        let Some(items) = node.get("items").filter(|it| !it.is_null()) else { continue };
        // Of a `List` the items are taken as they are; others take the way through JSON.
        let direct = alone && matches!(text_at(&node, "kind"), "List" | "ResourceList");
        let item = |it: &Node| {
            if direct { it.clone() } else { it.rewrite_scalars(|it| Some(as_json(it))) }
        };
        match items.as_list() {
            Some(items) => {
                queue.extend(items.iter().filter(|it| !is_empty(it)).map(item).map(Ok));
            }
            None => {
                let message = "the items of a list of objects are not a list";
                objects.push(Err(refusal(&items.origin, message)));
            }
        }
    }
    objects
}

/// [`objects`], when all are some.
///
/// # Errors
/// The first thing that is none.
pub(super) fn all_objects(documents: &Documents, whole: &Origin) -> Outcome<Vec<Node>> {
    objects(documents, whole).into_iter().collect()
}

/// The scalar as JSON has it.
fn as_json(scalar: &Scalar) -> Kind {
    match scalar::sigs(&scalar::canonical(scalar)) {
        Value::Null => Scalar::null().into(),
        Value::Bool(it) => it.into(),
        Value::Int(it) => Scalar::plain(it.to_string()).into(),
        Value::Float(it) => Scalar::plain(scalar::json_float(it)).into(),
        Value::Str(it) => it.into(),
    }
}

/// Whether kustomize takes `node` for an object (`GetValidatedMetadata`).
fn check(node: &Node) -> Outcome<()> {
    if node.as_map().is_none() {
        return Err(no_such(node, "this is not a Kubernetes object"));
    }
    for path in ["kind", "metadata.name"] {
        node.look(path).map_err(|(why, at)| unresolved(&at, &*why))?;
    }
    let kind = text_at(node, "kind");
    if kind.is_empty() {
        return Err(refusal(&node.origin, "this object has no kind"));
    }
    if let Some(metadata) = node.get("metadata")
        && !matches!(metadata.kind, Kind::Map(_))
        && !metadata.is_null()
    {
        return Err(no_such(metadata, "metadata is not a mapping"));
    }
    if !is_named(kind, text_at(node, "metadata.name")) {
        return Err(refusal(&node.origin, format!("this {kind} has no metadata.name")));
    }
    Ok(())
}

/// Whether kustomize takes objects of `kind` for lists of others, if they have `items`.
fn is_list(kind: &str) -> bool {
    kind.ends_with("List")
}

/// Whether an object has the name that it needs; lists need none.
fn is_named(kind: &str, name: &str) -> bool {
    !name.is_empty() || is_list(kind)
}

/// The mapping `metadata`, to change it.
pub(super) fn metadata(node: &mut Node) -> Option<&mut Map> {
    let origin = node.origin.clone();
    crate::resolve::kustomize::value::child_map(node, "metadata", &origin)
}
