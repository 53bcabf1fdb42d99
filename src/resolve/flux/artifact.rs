//! What a Flux Kustomization builds from: this repository, a part of it, or something else.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use super::{edits, store::Store};
use crate::{
    data::upstream::is_repository,
    problem::Problem,
    resolve::{
        context::Context,
        install,
        kustomize::{Artifact, Build, remote},
        layout::{Addresses, ArtifactPart, Layout, PushedFrom, locate, normal},
        prepared,
    },
    source::{self, Sources},
    tree::Node,
};

/// The sources that are known to be this repository.
#[derive(Default, Clone)]
pub(super) struct Own<'a> {
    /// Kind and name; shared, since who plans ahead has a copy.
    names: Arc<BTreeSet<(String, String)>>,
    /// What artifacts are pushed from.
    pushed_from: Option<&'a PushedFrom>,
    /// Which repository this is.
    addresses: Option<&'a Addresses>,
}

impl<'a> Own<'a> {
    pub(super) fn new(layout: Option<&'a Layout<'_>>) -> Self {
        let pushed_from = layout.map(|it| &it.pushed_from);
        Self { pushed_from, addresses: layout.map(|it| &it.addresses), ..Self::default() }
    }

    /// The directory that the source of `kustomization` was pushed from.
    pub(super) fn root(&self, kustomization: &Node) -> Option<&'a str> {
        self.root_of(kustomization.at("spec.sourceRef")?)
    }

    fn root_of(&self, reference: &Node) -> Option<&'a str> {
        self.pushed_from?.of(reference)
    }

    /// Whether `kustomization` is known to build from this repository.
    pub(super) fn has(&self, kustomization: &Node) -> bool {
        kustomization.at("spec.sourceRef").is_none_or(|it| self.is(it))
    }

    fn add(&mut self, id: (String, String)) {
        if !self.names.contains(&id) {
            Arc::make_mut(&mut self.names).insert(id);
        }
    }

    fn is(&self, reference: &Node) -> bool {
        let kind = reference.str_at("kind").unwrap_or("GitRepository");
        let name = reference.str_at("name").unwrap_or_default();
        name == "flux-system"
            || self.root_of(reference).is_some()
            || self.names.contains(&(kind.to_owned(), name.to_owned()))
    }
}

/// Where the path of a Kustomization lies in this repository.
///
/// # Errors
/// Why nothing can be built: the source is not here, or the path is not in it.
pub(super) fn directory(
    sources: &Sources,
    store: &Store,
    own: &mut Own<'_>,
    kustomization: &Node,
    problems: &mut Vec<Problem>,
) -> Result<ArtifactPart, Problem> {
    let path_node = kustomization.at("spec.path");
    let origin = path_node.map_or(&kustomization.origin, |it| &it.origin);
    let written = match kustomization.look("spec.path") {
        Ok(path) => path.and_then(Node::as_str).unwrap_or_default(),
        Err((why, at)) => {
            return Err(Problem::unresolved(&at, format!("the path: {why}")));
        }
    };
    let part = part(sources, store, own, kustomization, &inside(written), problems);
    let part = part.map_err(Problem::hiding_objects)?;
    let path = &part.dir;
    if !sources.is_dir(path) {
        let who = install::introduced(sources, kustomization);
        let message = format!("{who} has path {written}, which is not in the repository");
        let problem = match part.certain {
            true => prepared::leads_nowhere(sources, origin, path, message),
            false => Problem::unresolved(origin, message),
        };
        let problem = problem.about(path.as_str()).hiding_objects();
        if written.contains("${") {
            let help = "nothing substitutes variables in it: set spec.postBuild in the \
                Kustomization that applies it";
            return Err(problem.help(help));
        }
        return Err(match install::near(sources, path) {
            Some(near) => problem.help(format!("write `./{near}`")),
            None => problem,
        });
    }
    // Flux leaves symbolic links out of the artifact that it builds from.
    if sources.follow(path).is_some_and(|real| real != *path) {
        let message = format!("`{path}` leads through a symbolic link, which Flux leaves out");
        return Err(Problem::refused(origin, message).about(path.as_str()));
    }
    Ok(part)
}

/// The part of this repository that a Kustomization builds, whether it exists or not.
fn part(
    sources: &Sources,
    store: &Store,
    own: &mut Own<'_>,
    kustomization: &Node,
    path: &str,
    problems: &mut Vec<Problem>,
) -> Result<ArtifactPart, Problem> {
    let dir = sources.below_root(path).unwrap_or_else(|| path.to_owned());
    let here = |certain| ArtifactPart { dir: dir.clone(), left_out: Vec::new(), certain };
    let Some(reference) = kustomization.at("spec.sourceRef") else { return Ok(here(true)) };
    let namespace = kustomization.object_namespace();
    if let Some(dir) = own.root(kustomization).and_then(|it| source::join(it, path)) {
        // Its paths say where it comes from, and not that all beside them does.
        return Ok(ArtifactPart { dir, left_out: Vec::new(), certain: false });
    }
    if reference.str_at("kind") != Some("ExternalArtifact") {
        let exists = !path.is_empty() && sources.is_dir(&dir);
        return judge(store, own, reference, namespace, exists).map(here);
    }
    let name = reference.str_at("name").unwrap_or_default();
    let origin = reference.get("name").map_or(&reference.origin, |it| &it.origin);
    let generators = store.of_kind("ArtifactGenerator");
    let own = |source: &Node| {
        let root = own.root_of(source).map(ToOwned::to_owned);
        root.or_else(|| judge(store, own, source, namespace, true).is_ok().then(String::new))
    };
    match locate(sources, generators, name, path, own) {
        Some(Ok(part)) => Ok(part),
        Some(Err((why, at))) => Err(Problem::unresolved(&at, &*why).about("ArtifactGenerator")),
        None => {
            let message = format!(
                "nothing here makes the ExternalArtifact {name}: its content is made in the cluster"
            );
            let problem = Problem::unresolved(origin, message).about("ExternalArtifact");
            // As for a GitRepository: a path that exists says so.
            if path.is_empty() || !sources.is_dir(&dir) {
                return Err(problem);
            }
            problems.push(problem);
            Ok(here(false))
        }
    }
}

/// Whether `reference`, from an object in `namespace`, leads to this repository: `true` unless only
/// that what is taken from it `exists` here says so.
///
/// # Errors
/// It leads elsewhere, or nothing says where.
fn judge(
    store: &Store,
    own: &mut Own<'_>,
    reference: &Node,
    namespace: &str,
    exists: bool,
) -> Result<bool, Problem> {
    let kind = reference.str_at("kind").unwrap_or("GitRepository");
    let name = reference.str_at("name").unwrap_or_default();
    let origin = reference.get("name").map_or(&reference.origin, |it| &it.origin);
    let id = (kind.to_owned(), name.to_owned());
    // What an artifact was pushed from is any directory of the repository: of its root nobody can tell.
    if own.is(reference) && (kind == "GitRepository" || exists) {
        own.add(id);
        return Ok(true);
    }
    let namespace = reference.str_at("namespace").unwrap_or(namespace);
    let elsewhere =
        |why: String| Err(Problem::unresolved(origin, why).about(format!("{kind} {name}")));
    if kind != "GitRepository" {
        return elsewhere(format!("what the {kind} {name} holds is not in the repository"));
    }
    let url = |node: &Node| Some(normal(node.str_at("spec.url")?));
    let theirs = store.find(kind, namespace, name).and_then(url);
    let ours = own.names.iter().find_map(|(kind, name)| {
        let mut all = store.of_kind(kind);
        all.find(|it| it.str_at("metadata.name") == Some(name)).and_then(url)
    });
    let excludes = |url: &String| own.addresses.is_some_and(|it| it.excludes(url));
    match (theirs, ours) {
        (Some(theirs), Some(ours)) if theirs == ours => Ok(true),
        (Some(theirs), ours) if ours.is_some() || excludes(&theirs) => elsewhere(format!(
            "GitRepository `{name}` is another repository, which is not read: {theirs}"
        )),
        // Without a word on which repository this is, a path that exists says so.
        _ if exists => {
            own.add(id);
            Ok(false)
        }
        _ => elsewhere(format!("nothing says whether GitRepository {name} is this repository")),
    }
}

/// The revision that a `GitRepository` names; of several the one that counts.
pub(super) fn revision(repository: &Node) -> Option<Node> {
    let reference = match repository.look("spec.ref") {
        Ok(reference) => reference?,
        Err((why, at)) => return Some(Node::unknown_value(why, &at)),
    };
    let fields = ["commit", "name", "semver", "tag", "branch"].into_iter();
    fields.filter_map(|it| reference.get(it)).find(|it| !install::is_blank(it)).cloned()
}

/// What a Kustomization builds from metrics-server's repository; `None` where that is not its source.
pub(super) fn upstream(
    context: &Context<'_>,
    store: &Store,
    kustomization: &Node,
) -> Option<Build> {
    let reference = kustomization.at("spec.sourceRef")?;
    let kind = reference.str_at("kind").filter(|it| *it == "GitRepository")?;
    let namespace = reference.str_at("namespace").unwrap_or(kustomization.object_namespace());
    let repository = store.find(kind, namespace, reference.str_at("name")?)?;
    repository.str_at("spec.url").filter(|it| is_repository(it))?;
    let path = kustomization.look("spec.path").ok()?;
    let dir = inside(path.map_or(Some(""), Node::as_str)?);
    let revision = revision(repository);
    let at = path.map_or(&kustomization.origin, |it| &it.origin);
    let edits = edits::fields(context.sources, kustomization, &dir);
    Some(remote::checked_out(context, revision.as_ref(), (&dir, at), edits.as_ref()))
}

/// What source-controller leaves out of an artifact by default (`excludeCI`, `excludeExt` and
/// `excludeExtra` of `fluxcd/pkg/sourceignore`).
const EXCLUDED: [&str; 27] = [
    ".git/",
    ".gitignore",
    ".gitmodules",
    ".gitattributes",
    "*.jpg",
    "*.jpeg",
    "*.gif",
    "*.png",
    "*.wmv",
    "*.flv",
    "*.tar.gz",
    "*.zip",
    ".github/",
    ".circleci/",
    ".travis.yml",
    ".gitlab-ci.yml",
    "appveyor.yml",
    ".drone.yml",
    "cloudbuild.yaml",
    "codeship-services.yml",
    "codeship-steps.yml",
    "**/.goreleaser.yml",
    "**/.goreleaser.yaml",
    "**/.goreleaser.brew.yml",
    "**/.sops.yaml",
    "**/.sops.yml",
    "**/.flux.yaml",
];

/// The artifact of this repository without what the patterns `more`, the defaults and `.sourceignore`
/// files leave out.
pub(super) fn without(sources: &Sources, more: &[String]) -> Artifact {
    /// By identifier: most Kustomizations build from one, and all files are looked through for each.
    #[derive(Default)]
    struct Artifacts(Mutex<BTreeMap<Arc<str>, Artifact>>);
    let known = sources.keep(|_| Artifacts::default());
    let id: Arc<str> = more.join("\n").into();
    let mut known = known.0.lock().unwrap_or_else(PoisonError::into_inner);
    let make = || {
        let patterns: Vec<&str> = more.iter().map(String::as_str).chain(EXCLUDED).collect();
        let left_out = Arc::new(sources.patterns(&patterns, ".sourceignore"));
        Artifact { id: id.clone(), left_out }
    };
    known.entry(id.clone()).or_insert_with(make).clone()
}

/// A path that stays below the root however many `..` it has, as Flux joins it.
pub(super) fn inside(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_inside() {
        assert_eq!(inside("./a/../b//c/"), "b/c");
        assert_eq!(inside("../../etc"), "etc");
        assert_eq!(inside("/"), "");
    }
}
