//! Which directory of the repository an artifact was pushed from: pipelines push a part of it as often as
//! all, and nothing that Flux reads says which.

use std::collections::{BTreeMap, BTreeSet};

use super::literal_path;
use crate::{
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

    /// The directory of the repository that a Kustomization, or a `FluxInstance`, builds from an artifact.
    pub(super) fn dir(&self, node: &Node) -> Option<String> {
        source::join(self.0.get(&source_of(node)?)?, literal_path(node)?)
    }
}

/// What an object builds from, unless that is a repository of Git.
fn source_of(node: &Node) -> Option<ArtifactSource> {
    let (source, name) = match node.at("spec.sync") {
        Some(sync) => (sync, sync.str_at("name").or_else(|| node.str_at("metadata.namespace"))),
        None => {
            let reference = node.at("spec.sourceRef")?;
            (reference, Some(reference.str_at("name")?))
        }
    };
    let kind = source.str_at("kind").filter(|it| matches!(*it, "OCIRepository" | "Bucket"))?;
    Some((kind.to_owned(), name.unwrap_or("flux-system").to_owned()))
}

/// A path that tells something: any but the root.
fn path_of(node: &Node) -> Option<String> {
    source::join("", literal_path(node)?).filter(|it| !it.is_empty())
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
