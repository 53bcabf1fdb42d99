//! Which address is that of the repository that is looked at.
//!
//! Nothing in a work tree says so. An address is taken for ours when the paths that Applications
//! name in it exist here: all of them, or most of them in the address for which most do. The root
//! of a repository is no evidence, since every repository has one. Everything else is somebody
//! else's, and what comes from it cannot be told.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    placeholder::Placeholder,
    resolve::template::between,
    source::{self, FileId, Sources, pattern::PathPattern},
    tree::Node,
};

/// The addresses that are ours.
#[derive(Debug)]
pub(super) struct Repository {
    ours: BTreeSet<String>,
    /// Every address that a file names together with a path.
    seen: BTreeSet<String>,
}

/// How many of the paths in an address exist here.
#[derive(Debug, Default, Clone, Copy)]
struct Evidence {
    found: usize,
    missing: usize,
}

impl Evidence {
    fn add(&mut self, exists: bool) {
        *if exists { &mut self.found } else { &mut self.missing } += 1;
    }
}

impl Repository {
    pub(super) fn new(sources: &Sources, objects: &[(FileId, &Node)]) -> Self {
        let mut evidence: BTreeMap<String, Evidence> = BTreeMap::new();
        let mut count = |url: &str, exists: bool| {
            evidence.entry(normalized(url)).or_default().add(exists);
        };
        let mut known = BTreeMap::new();
        for (_, node) in objects {
            for spec in [node.get("spec"), node.at("spec.template.spec")].into_iter().flatten() {
                in_sources(sources, spec, &mut count);
            }
            for generator in node.items_at("spec.generators") {
                in_generator(sources, generator, 0, &mut known, &mut count);
            }
        }
        let seen = evidence.keys().cloned().collect();
        let most = evidence.values().map(|it| it.found).max().unwrap_or(0);
        let ours = evidence.into_iter().filter(|(_, it)| {
            it.found > 0 && (it.missing == 0 || (it.found == most && it.found > it.missing))
        });
        Self { ours: ours.map(|(url, _)| url).collect(), seen }
    }

    /// Whether there is any evidence about an address, for or against it.
    pub(super) fn has_seen(&self, url: &str) -> bool {
        self.seen.contains(&normalized(url))
    }

    pub(super) fn is_ours(&self, url: &str) -> bool {
        self.ours.contains(&normalized(url))
    }

    /// Whether the address of a `git` generator is ours by what it looks for alone. A chart may print one
    /// that no file names beside a path.
    pub(super) fn is_ours_by_itself(&self, sources: &Sources, git: &Node) -> bool {
        let mut evidence = Evidence::default();
        let url = git.str_at("repoURL").filter(|it| !it.is_empty() && !self.has_seen(it));
        if url.is_some() {
            in_git(sources, git, &mut BTreeMap::new(), &mut |_, exists| evidence.add(exists));
        }
        evidence.found > 0 && evidence.missing == 0
    }
}

/// Paths of sources, and values files in sources that others refer to.
fn in_sources(sources: &Sources, spec: &Node, count: &mut impl FnMut(&str, bool)) {
    let all: Vec<&Node> = match spec.get("sources") {
        Some(several) => several.items().iter().collect(),
        None => spec.get("source").into_iter().collect(),
    };
    for source in &all {
        let Some(url) = source.str_at("repoURL") else { continue };
        if let Some(path) =
            literal(sources, source.get("path")).filter(|_| source.get("chart").is_none())
        {
            count(url, sources.is_dir(&path));
        }
        let Some(name) = source.str_at("ref") else { continue };
        let prefix = format!("${name}/");
        let files = all.iter().filter_map(|it| it.at("helm.valueFiles")).flat_map(Node::items);
        for file in files.filter_map(Node::as_str).filter_map(|it| it.strip_prefix(&prefix)) {
            if Placeholder::Braces.is_in(file) {
                let pattern = without_holes(file);
                let pattern = PathPattern::new(&pattern).filter(|_| !pattern.starts_with('*'));
                if pattern.is_some_and(|it| it.files(sources).next().is_some()) {
                    count(url, true);
                }
            }
            if let Some(file) = sources.below_root(file).filter(|_| !file.contains(['*', '{', '$']))
            {
                count(url, sources.find(&file).is_some());
            }
        }
    }
}

/// Counts what the patterns of a generator match; `known` has those that were looked for.
fn in_generator(
    sources: &Sources,
    generator: &Node,
    depth: usize,
    known: &mut BTreeMap<String, Option<bool>>,
    count: &mut impl FnMut(&str, bool),
) {
    for kind in ["matrix", "merge"] {
        let inner = generator.get(kind).and_then(|it| it.get("generators"));
        for generator in inner.map(Node::items).unwrap_or_default() {
            if depth < 4 {
                in_generator(sources, generator, depth + 1, known, count);
            }
        }
    }
    if let Some(git) = generator.get("git") {
        in_git(sources, git, known, count);
    }
}

/// The same of a `git` generator alone.
fn in_git(
    sources: &Sources,
    git: &Node,
    known: &mut BTreeMap<String, Option<bool>>,
    count: &mut impl FnMut(&str, bool),
) {
    let Some(url) = git.str_at("repoURL") else { return };
    for field in ["directories", "files"] {
        for item in git.items_at(field) {
            let exclude = item.is_true_at("exclude");
            let Some(path) = item.str_at("path") else { continue };
            // What another generator fills in may be anything, and then what is missing tells nothing.
            let pattern = &*without_holes(path);
            let is_filled = pattern != path;
            // A pattern that matches everything says nothing.
            if !exclude && pattern.starts_with(|it: char| it.is_alphanumeric() || it == '.') {
                let matching = *known.entry(pattern.to_owned()).or_insert_with(|| {
                    PathPattern::new(pattern).map(|it| leads_somewhere(sources, &it))
                });
                let Some(matching) = matching else { continue };
                if matching || !is_filled {
                    count(url, matching);
                }
            }
        }
    }
}

/// Whether a file matches, or a directory that holds one.
fn leads_somewhere(sources: &Sources, pattern: &PathPattern) -> bool {
    pattern
        .candidate_dirs(sources)
        .any(|it| pattern.is_match(it) || pattern.is_match(&sources.made_of(it)))
        || pattern.candidates(sources).any(|file| {
            let own = source::rendered(&sources[file].path);
            pattern.is_match(own) || pattern.is_match(&sources.made_of(own))
        })
}

/// `path` with `*` for each placeholder.
fn without_holes(path: &str) -> String {
    let mut text = path.to_owned();
    for range in between(path, "{{", "}}").into_iter().rev() {
        text.replace_range(range, "*");
    }
    text
}

/// A path below the root without placeholders.
fn literal(sources: &Sources, node: Option<&Node>) -> Option<String> {
    let path = node?.as_str().filter(|it| !Placeholder::Braces.is_in(it))?;
    sources.below_root(path).filter(|it| !it.is_empty())
}

/// `host/path` of an address, however it is spelled: `https://`, `ssh://`, `git@host:path`.
pub(super) fn normalized(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (user, bare) = rest.split_once('@').unwrap_or(("", rest));
    let rest = if user.contains('/') { rest } else { bare };
    let (host, path) = match rest.split_once('/') {
        // `git@host:owner/name`: the part before the first slash holds both.
        Some((host, path)) if host.contains(':') => {
            let (host, first) = host.rsplit_once(':').unwrap_or((host, ""));
            let port = first.bytes().all(|it| it.is_ascii_digit());
            (host, if port { path.to_owned() } else { format!("{first}/{path}") })
        }
        Some((host, path)) => (host, path.to_owned()),
        None => (rest, String::new()),
    };
    let path = path.trim_matches('/');
    format!("{host}/{}", path.strip_suffix(".git").unwrap_or(path)).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_address() {
        for url in [
            "https://github.com/Acme/Infra",
            "https://user:token@github.com/acme/infra.git",
            "git@github.com:acme/infra.git",
            "ssh://git@github.com:22/acme/infra/",
        ] {
            assert_eq!(normalized(url), "github.com/acme/infra", "{url}");
        }
        assert_eq!(normalized("x"), "x/");
    }
}
