//! References from objects to others that were renamed (`filters/nameref`).

use std::sync::Arc;

use indexmap::IndexMap;

use crate::{
    resolve::kustomize::{
        fieldspec::{FieldSpec, Reference},
        layer::Layer,
        resource::{Gvk, Id, Resource},
        value::{Outcome, is_null, is_string, overwrite, refusal, string, text, text_at},
    },
    scalar::Tag,
    tree::{Kind, Node},
};

/// An object that others may refer to.
struct Candidate {
    id: Id,
    former: Vec<Id>,
    prefixes: Vec<Arc<str>>,
    suffixes: Vec<Arc<str>>,
    name: Node,
    namespace: Option<Node>,
}

/// Renamed objects, by every name that they had before.
struct Candidates {
    list: Vec<Candidate>,
    by_name: IndexMap<String, Vec<usize>>,
}

/// Fixes the references of all objects, none of which should be able to mean several.
pub(super) fn fix(layer: &mut Layer) {
    layer.resources.iter_mut().for_each(|it| it.attempt(|it| check_subjects(it)));
    let candidates = Candidates::new(&layer.resources);
    if candidates.list.is_empty() {
        return;
    }
    let rules = layer.rules.clone();
    let mut by_kind: IndexMap<&str, Vec<(&Reference, &FieldSpec)>> = IndexMap::new();
    for reference in &rules.references {
        for field in &reference.fields {
            by_kind.entry(&field.gvk.kind).or_default().push((reference, field));
        }
    }
    for resource in &mut layer.resources {
        let original = resource.original().gvk;
        let fields = [original.kind.as_str(), ""].into_iter().filter_map(|it| by_kind.get(it));
        for (reference, field) in fields.flatten() {
            if !original.selected(&field.gvk) {
                continue;
            }
            if !field.any(&resource.node, &mut |node| candidates.mentioned(node)) {
                continue;
            }
            let referrer = Referrer::new(resource, &reference.target, field, &candidates);
            let mut write = |node: &mut Node| referrer.set(node);
            resource.attempt(|it| field.visit_any(&mut it.node, None, &mut write));
        }
    }
}

/// kustomize stops at a service account in a role binding whose namespace is not a string.
fn check_subjects(resource: &Resource) -> Outcome<()> {
    if resource.kind() != "RoleBinding" {
        return Ok(());
    }
    for subject in resource.node.get("subjects").map_or(&[][..], Node::items) {
        let Some(namespace) = subject.get("namespace") else { continue };
        let fine = is_string(namespace) || namespace.unknown().is_some();
        if text(subject.get("kind")) == "ServiceAccount" && !fine {
            return Err(refusal(&namespace.origin, "this namespace is not a string"));
        }
    }
    Ok(())
}

impl Candidates {
    fn new(resources: &[Resource]) -> Self {
        let mut list = Vec::new();
        let mut by_name: IndexMap<String, Vec<usize>> = IndexMap::new();
        for resource in resources.iter().filter(|it| !it.previous.is_empty()) {
            let Some(name) = resource.node.at("metadata.name").cloned() else { continue };
            let former: Vec<Id> = resource.former_ids().collect();
            for id in &former {
                let places = by_name.entry(id.name.clone()).or_default();
                if places.last() != Some(&list.len()) {
                    places.push(list.len());
                }
            }
            list.push(Candidate {
                id: resource.id(),
                former,
                prefixes: resource.prefixes.clone(),
                suffixes: resource.suffixes.clone(),
                name,
                namespace: resource.node.at("metadata.namespace").cloned(),
            });
        }
        Self { list, by_name }
    }

    /// Whether a name in `node` could be one of theirs.
    fn mentioned(&self, node: &Node) -> bool {
        let named = |node: &Node| {
            let name = if node.as_map().is_some() { node.get("name") } else { Some(node) };
            self.by_name.contains_key(text(name))
        };
        let broken = |node: &Node| node.as_map().is_some_and(|it| it.get("name").is_none());
        named(node) || broken(node) || node.items().iter().any(|it| named(it) || broken(it))
    }
}

/// An object with a field that holds names of objects of a kind.
struct Referrer<'a> {
    id: Id,
    kind: String,
    /// Namespaces of the service accounts that a role binding names.
    account_namespaces: Vec<String>,
    /// What `roleRef` says of the object it names.
    role: Option<Gvk>,
    prefixes: Vec<Arc<str>>,
    suffixes: Vec<Arc<str>>,
    target: &'a Gvk,
    candidates: &'a Candidates,
}

impl<'a> Referrer<'a> {
    fn new(
        resource: &Resource,
        target: &'a Gvk,
        field: &FieldSpec,
        candidates: &'a Candidates,
    ) -> Self {
        let subjects = resource.node.get("subjects").map_or(&[][..], Node::items);
        let accounts = subjects.iter().filter(|it| text(it.get("kind")) == "ServiceAccount");
        let role = field.path.ends_with("roleRef/name").then(|| resource.node.get("roleRef"));
        let role = role.flatten().and_then(|it| {
            Some(Gvk {
                group: text(Some(it.get("apiGroup")?)).to_owned(),
                version: String::new(),
                kind: text(Some(it.get("kind")?)).to_owned(),
            })
        });
        Self {
            id: resource.id(),
            kind: resource.kind().to_owned(),
            account_namespaces: accounts.map(|it| text_at(it, "namespace").to_owned()).collect(),
            role,
            prefixes: resource.prefixes.clone(),
            suffixes: resource.suffixes.clone(),
            target,
            candidates,
        }
    }

    fn set(&self, node: &mut Node) -> Outcome<()> {
        if is_null(node) {
            return Ok(());
        }
        match &mut node.kind {
            Kind::Scalar(_) => self.set_scalar(node),
            Kind::Map(_) => self.set_map(node),
            Kind::List(_) => {
                let items = node.as_list_mut();
                items.into_iter().flatten().try_for_each(|item| match item.kind {
                    Kind::Map(_) => self.set_map(item),
                    Kind::Scalar(_) => self.set_scalar(item),
                    Kind::Unknown(_) => Ok(()),
                    Kind::List(_) => {
                        Err(refusal(&item.origin, "a name or a mapping is expected here"))
                    }
                })
            }
            Kind::Unknown(_) => Ok(()),
        }
    }

    fn set_scalar(&self, node: &mut Node) -> Outcome<()> {
        let found =
            self.select(text(Some(node)), None, node, |one, other| one.id.name == other.id.name)?;
        if let Some(found) = found {
            rename(node, found);
        }
        Ok(())
    }

    /// A mapping holds a name and, maybe, a namespace.
    fn set_map(&self, node: &mut Node) -> Outcome<()> {
        let Some(name) = node.get("name") else {
            return Err(refusal(&node.origin, "this reference has no name"));
        };
        let old = text(Some(name)).to_owned();
        let namespace = node.get("namespace").map(|it| text(Some(it)).to_owned());
        let found = self.select(&old, namespace.as_deref(), node, |one, other| {
            one.id.name == other.id.name && one.id.namespace == other.id.namespace
        })?;
        let Some(found) = found else { return Ok(()) };
        if found.id.name == old && found.id.namespace.is_empty() {
            return Ok(());
        }
        let Some(map) = node.as_map_mut() else { return Ok(()) };
        if let Some(name) = map.get_mut("name") {
            rename(name, found);
        }
        let Some(to) = found.namespace.as_ref().filter(|it| !text(Some(it)).is_empty()) else {
            return Ok(());
        };
        match map.get_mut("namespace") {
            Some(namespace) => overwrite(namespace, text(Some(to)), None, &to.origin),
            None => map.set("namespace", string(text(Some(to)), to.origin.clone())),
        }
        Ok(())
    }

    /// The object that is meant by `name`.
    fn select(
        &self,
        name: &str,
        namespace: Option<&str>,
        node: &Node,
        same: impl Fn(&Candidate, &Candidate) -> bool,
    ) -> Outcome<Option<&'a Candidate>> {
        let Some(places) = self.candidates.by_name.get(name) else { return Ok(None) };
        let all = || places.iter().filter_map(|at| self.candidates.list.get(*at));
        let original =
            |it: &Candidate| it.former.first().map_or("", Id::space) == namespace.unwrap_or("");
        let by_original = namespace.is_some() && self.candidates.list.iter().any(original);
        let mut found: Vec<&Candidate> = all()
            .filter(|it| self.reachable(it))
            .filter(|it| match namespace {
                None => true,
                Some(_) if by_original => original(it),
                Some(namespace) => it.id.space() == namespace,
            })
            .filter(|it| it.former.iter().any(|id| id.gvk.selected(self.target)))
            .filter(|it| {
                let role = self.role.as_ref();
                role.is_none_or(|role| it.former.iter().any(|id| id.gvk.selected(role)))
            })
            .filter(|it| self.same_namespace(it))
            .collect();
        for empty_fits in [true, false] {
            if found.len() < 2 {
                break;
            }
            found.retain(|it| self.same_affixes(it, empty_fits));
        }
        match found[..] {
            [] => Ok(None),
            [first, ref rest @ ..] if rest.iter().all(|it| same(first, it)) => Ok(Some(first)),
            [..] => {
                let message = format!("`{name}` could mean any of {} objects", found.len());
                let mut problem = refusal(&node.origin, message);
                let places = found.iter().map(|it| (it.name.origin.clone(), "this one".into()));
                problem.also.extend(places);
                Err(problem)
            }
        }
    }

    fn reachable(&self, candidate: &Candidate) -> bool {
        self.id.gvk.cluster_scoped()
            || candidate.id.gvk.cluster_scoped()
            || candidate.id.space() == self.id.space()
            || (self.kind == "RoleBinding"
                && self.account_namespaces.contains(&candidate.id.namespace))
    }

    fn same_namespace(&self, candidate: &Candidate) -> bool {
        self.id.gvk.cluster_scoped()
            || candidate.id.gvk.cluster_scoped()
            || candidate.id.gvk.kind == "ServiceAccount"
            || candidate.id.space() == self.id.space()
    }

    /// Whether both were given the same prefixes and suffixes, as far as both have any.
    fn same_affixes(&self, candidate: &Candidate, empty_fits: bool) -> bool {
        let same = |one: &[Arc<str>], other: &[Arc<str>]| {
            if one.is_empty() || other.is_empty() {
                return empty_fits || one.len() == other.len();
            }
            one.ends_with(other) || other.ends_with(one)
        };
        same(&self.prefixes, &candidate.prefixes) && same(&self.suffixes, &candidate.suffixes)
    }
}

fn rename(node: &mut Node, to: &Candidate) {
    let tag =
        node.as_scalar().and_then(|it| it.tag).filter(|it| matches!(it, Tag::Str | Tag::Implied));
    overwrite(node, to.id.name.clone(), tag, &to.name.origin);
}
