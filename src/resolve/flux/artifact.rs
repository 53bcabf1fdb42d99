//! What a Flux Kustomization builds from: this repository, a part of it, or something else.

use std::collections::BTreeSet;

use ignore::gitignore::Gitignore;

use super::store::Store;
use crate::{
    problem::{Problem, ProblemKind},
    resolve::layout::generated,
    source::Sources,
    tree::Node,
};

/// The sources that are known to be this repository.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// Kind and name.
    names: BTreeSet<(String, String)>,
}

impl Own {
    /// Whether `kustomization` is known to build from this repository.
    pub(super) fn has(&self, kustomization: &Node) -> bool {
        let Some(reference) = kustomization.at("spec.sourceRef") else { return true };
        let kind = reference.str_at("kind").unwrap_or("GitRepository");
        let name = reference.str_at("name").unwrap_or_default();
        name == "flux-system" || self.names.contains(&(kind.to_owned(), name.to_owned()))
    }
}

/// Where the path of a Kustomization lies in this repository.
///
/// # Errors
/// Why nothing can be built: the source is not here, or the path is not in it.
pub(super) fn directory(
    sources: &Sources,
    store: &Store,
    own: &mut Own,
    kustomization: &Node,
) -> Result<String, Problem> {
    let path_node = kustomization.at("spec.path");
    let origin = path_node.map_or(&kustomization.origin, |it| &it.origin);
    if let Ok(Some(_)) | Err(_) = kustomization.look("spec.kubeConfig") {
        let at = kustomization.at("spec.kubeConfig").map_or(origin, |it| &it.origin);
        let message = "this is applied to another cluster, which is not resolved";
        return Err(Problem::unresolved(at, message));
    }
    let written = match kustomization.look("spec.path") {
        Ok(path) => path.and_then(Node::as_str).unwrap_or_default(),
        Err((why, at)) => {
            return Err(Problem::unresolved(&at, format!("the path: {why}")));
        }
    };
    let path = inside(written);
    let (path, certain) = match judge(sources, store, own, kustomization, &path)? {
        Judged::Here { certain } => (path, certain),
        Judged::Below(dir) => (inside(&format!("{dir}/{path}")), true),
    };
    if !sources.is_dir(&path) {
        let message = format!("there is no directory `{path}` in the repository");
        let kind = if certain { ProblemKind::BuildFails } else { ProblemKind::Unresolved };
        return Err(Problem::new(kind, origin, message));
    }
    // Flux leaves symbolic links out of the artifact that it builds from.
    if sources.follow(&path).is_some_and(|real| real != path) {
        let message = format!("`{path}` leads through a symbolic link, which Flux leaves out");
        return Err(Problem::refused(origin, message));
    }
    Ok(path)
}

enum Judged {
    /// This repository; `certain` unless only the path says so.
    Here { certain: bool },
    /// A directory of this repository is the root of the artifact.
    Below(String),
}

fn judge(
    sources: &Sources,
    store: &Store,
    own: &mut Own,
    kustomization: &Node,
    path: &str,
) -> Result<Judged, Problem> {
    let Some(reference) = kustomization.at("spec.sourceRef") else {
        return Ok(Judged::Here { certain: true });
    };
    let kind = reference.str_at("kind").unwrap_or("GitRepository");
    let name = reference.str_at("name").unwrap_or_default();
    let origin = reference.get("name").map_or(&reference.origin, |it| &it.origin);
    let id = (kind.to_owned(), name.to_owned());
    if own.has(kustomization) {
        own.names.insert(id);
        return Ok(Judged::Here { certain: true });
    }
    let namespace = reference
        .str_at("namespace")
        .or_else(|| kustomization.str_at("metadata.namespace"))
        .unwrap_or_default();
    let elsewhere = |why: String| Err(Problem::unresolved(origin, why));
    match kind {
        "GitRepository" => {
            let url = |node: &Node| Some(normal(node.str_at("spec.url")?));
            let theirs = store.find(kind, namespace, name).and_then(url);
            let ours = own.names.iter().find_map(|(kind, name)| {
                store
                    .of_kind(kind)
                    .find(|it| it.str_at("metadata.name") == Some(name))
                    .and_then(url)
            });
            match (theirs, ours) {
                (Some(theirs), Some(ours)) if theirs == ours => Ok(Judged::Here { certain: true }),
                (Some(theirs), Some(_)) => elsewhere(format!(
                    "GitRepository `{name}` is another repository, which is not read: {theirs}"
                )),
                // Without a word on which repository this is, a path that exists says so.
                _ if !path.is_empty() && sources.is_dir(path) => {
                    own.names.insert(id);
                    Ok(Judged::Here { certain: false })
                }
                _ => elsewhere(format!(
                    "nothing says whether the GitRepository `{name}` is this repository"
                )),
            }
        }
        "ExternalArtifact" => match generated(store.of_kind("ArtifactGenerator"), name) {
            Some(dir) => Ok(Judged::Below(dir)),
            None => elsewhere(format!("what the ExternalArtifact `{name}` holds is not told")),
        },
        _ => elsewhere(format!("what the {kind} `{name}` holds is not in the repository")),
    }
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

/// The patterns of all that an artifact of this repository leaves out: the defaults, and those of
/// `.sourceignore` files.
pub(super) fn left_out(sources: &Sources) -> Gitignore {
    sources.patterns(&EXCLUDED, ".sourceignore")
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

/// A repository's URL without what does not tell repositories apart.
fn normal(url: &str) -> String {
    let url = url.split_once("://").map_or(url, |(_, rest)| rest);
    let url = url.split_once('@').map_or(url, |(_, rest)| rest);
    let url = url.trim_end_matches('/');
    url.strip_suffix(".git").unwrap_or(url).replace(':', "/").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_repository_has_many_urls() {
        let expected = "github.com/acme/fleet";
        for url in [
            "https://github.com/acme/fleet",
            "ssh://git@github.com/acme/fleet.git",
            "git@github.com:acme/fleet.git",
            "https://GitHub.com/acme/fleet/",
        ] {
            assert_eq!(normal(url), expected, "{url}");
        }
        assert_ne!(normal("https://github.com/acme/apps"), expected);
    }

    #[test]
    fn a_path_stays_inside() {
        assert_eq!(inside("./a/../b//c/"), "b/c");
        assert_eq!(inside("../../etc"), "etc");
        assert_eq!(inside("/"), "");
    }
}
