//! Which directory of the repository an artifact was pushed from: pipelines push a part of it as often as
//! all, and nothing that Flux reads says which.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    placeholder::Placeholder,
    source::{self, Sources},
    tree::Node,
};

/// The directories that artifacts are pushed from, where the paths in them are in no other: of what
/// lies at the root of the repository nothing is said.
#[derive(Debug, Default)]
pub(crate) struct PushedFrom(BTreeMap<ArtifactSource, String>);

/// The kind and name of an `OCIRepository` or a `Bucket`.
type ArtifactSource = (String, String);

/// Of so many sources it is found out.
const MOST: usize = 200;

impl PushedFrom {
    /// What the paths of these Kustomizations and `FluxInstance`s tell.
    pub(super) fn new<'n>(sources: &Sources, objects: impl Iterator<Item = &'n Node>) -> Self {
        let mut named: BTreeMap<ArtifactSource, BTreeSet<String>> = BTreeMap::new();
        for (source, path) in objects.filter_map(|it| Some((source_of(it)?, path_of(it)?))) {
            named.entry(source).or_default().insert(path);
        }
        let found = named.into_iter().take(MOST);
        let found = found.filter_map(|(source, paths)| Some((source, only_dir(sources, &paths)?)));
        Self(found.collect())
    }

    /// The directory that `reference`, a `sourceRef` or an entry of a generator's sources, was pushed from.
    pub(crate) fn of(&self, reference: &Node) -> Option<&str> {
        if self.0.is_empty() {
            return None;
        }
        let text = |key: &str| reference.str_at(key).unwrap_or_default().to_owned();
        self.0.get(&(text("kind"), text("name"))).map(String::as_str)
    }

    /// The directory that `reference` is, if it is this repository or a part of it; of what `is_whole`
    /// nothing else is known.
    pub(crate) fn own(&self, reference: &Node, is_whole: bool) -> Option<String> {
        self.of(reference).map(ToOwned::to_owned).or_else(|| is_whole.then(String::new))
    }

    /// The directory of the repository that a Kustomization, or a `FluxInstance`, builds from an artifact.
    pub(super) fn dir(&self, node: &Node) -> Option<String> {
        let root = self.0.get(&source_of(node)?)?;
        let path = written(node)?;
        let is_literal = !Placeholder::Dollar.is_in(path);
        is_literal.then(|| source::join(root, path.trim_start_matches('/')))?
    }
}

/// What an object builds from, unless that is a repository of Git.
fn source_of(node: &Node) -> Option<ArtifactSource> {
    let is_pushed = |kind: &&str| matches!(*kind, "OCIRepository" | "Bucket");
    if let Some(sync) = node.at("spec.sync") {
        let kind = sync.str_at("kind").filter(is_pushed)?;
        let namespace = node.str_at("metadata.namespace").unwrap_or("flux-system");
        return Some((kind.to_owned(), sync.str_at("name").unwrap_or(namespace).to_owned()));
    }
    let reference = node.at("spec.sourceRef")?;
    let kind = reference.str_at("kind").filter(is_pushed)?;
    Some((kind.to_owned(), reference.str_at("name")?.to_owned()))
}

/// The path that a Kustomization or a `FluxInstance` builds, as written: by default the root.
fn written(node: &Node) -> Option<&str> {
    let field = if node.at("spec.sync").is_some() { "spec.sync.path" } else { "spec.path" };
    match node.look(field) {
        Ok(Some(path)) => path.as_str(),
        Ok(None) => Some(""),
        Err(_) => None,
    }
}

/// A path that tells something: a literal one, other than the root.
fn path_of(node: &Node) -> Option<String> {
    let path = source::join("", written(node)?.trim_start_matches('/'))?;
    (!path.is_empty() && !Placeholder::Dollar.is_in(&path)).then_some(path)
}

/// The only directory below the root that has all of `paths`; none where the root has one of them. What
/// is hidden was put away.
fn only_dir(sources: &Sources, paths: &BTreeSet<String>) -> Option<String> {
    let longest = paths.iter().max_by_key(|it| it.len())?;
    if paths.iter().any(|it| sources.is_dir(it)) {
        return None;
    }
    let has_all = |dir: &&str| {
        !dir.split('/').any(|it| it.starts_with('.'))
            && paths.iter().all(|it| sources.is_dir(&format!("{dir}/{it}")))
    };
    let dirs = sources.directories().filter_map(|it| it.strip_suffix(longest.as_str()));
    let mut dirs = dirs.filter_map(|it| it.strip_suffix('/')).filter(has_all);
    let only = dirs.next()?;
    dirs.next().is_none().then(|| only.to_owned())
}
