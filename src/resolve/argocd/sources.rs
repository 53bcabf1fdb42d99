//! What the sources of an Application give: objects, or a chart with values.

mod values;

use std::{borrow::Cow, collections::BTreeSet};

use globset::GlobSet;

use crate::{
    data::{subject::is_server_named_in, upstream},
    problem::Problem,
    resolve::{
        argocd::{Argo, edits},
        environment::{Deleted, Release},
        helm,
        install::{self, Reached},
        kustomize::{self, Build, BuildOptions, Extent, remote},
        layout, prepared,
    },
    scalar::Dialect,
    source::{self, FileId, Relevance},
    tree::{Node, Origin, Reason},
};

/// What deploying an Application gives.
#[derive(Debug, Default)]
pub(super) struct Deployed {
    pub(super) objects: Vec<Node>,
    /// What patches took out.
    pub(super) deleted: Vec<Deleted>,
    /// What is to be installed.
    pub(super) releases: Vec<Release>,
    /// The charts whose objects are here.
    pub(super) inflated: Vec<Release>,
    pub(super) problems: Vec<Problem>,
    pub(super) reached: Reached,
    /// Whether what cannot be told may be about what we judge.
    pub(super) concerns: bool,
}

/// How Argo CD makes manifests of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tool {
    Helm,
    Kustomize,
    Directory,
    Plugin,
}

/// Builds every source of `application`.
pub(super) fn deploy(argo: &Argo<'_>, application: &Node) -> Deployed {
    let mut deployed = Deployed::default();
    let Some(spec) = application.get("spec") else { return deployed };
    if let Some(why) = spec.unknown() {
        deployed.problems.push(Problem::unresolved(&spec.origin, why.clone()));
        return deployed;
    }
    let all = sources(spec);
    for source in &all {
        let source = overridden(argo, application, source);
        let part = SourcePart { argo, application, spec, source: &source, all: &all };
        part.deploy(&mut deployed);
    }
    // What nothing but this Application refers to is read by it alone.
    reach(argo, application, &mut deployed.reached);
    deployed
}

/// Adds what deploying `application` reads, without building anything.
pub(super) fn reach(argo: &Argo<'_>, application: &Node, reached: &mut Reached) {
    let Some(spec) = application.get("spec") else { return };
    let all = sources(spec);
    for source in &all {
        let part = SourcePart { argo, application, spec, source, all: &all };
        part.reach(reached);
    }
}

/// `spec.sources`, which counts even next to `spec.source`.
fn sources(spec: &Node) -> Vec<Node> {
    match spec.get("sources").map(Node::items) {
        Some(several) if !several.is_empty() => several.to_vec(),
        _ => spec.get("source").into_iter().cloned().collect(),
    }
}

/// What to do about a repository that may be this one.
const ELSEWHERE: &str = "if it is, check its root, where the paths of Applications start: --root";

/// A source with what `.argocd-source.yaml` and `.argocd-source-<application>.yaml` in its
/// directory change.
fn overridden(argo: &Argo<'_>, application: &Node, source: &Node) -> Node {
    let Some(path) = source.str_at("path").and_then(|path| argo.context.sources.below_root(path))
    else {
        return source.clone();
    };
    let mut changed = source.clone();
    let name = application.object_name();
    for file in [".argocd-source.yaml".to_owned(), format!(".argocd-source-{name}.yaml")] {
        let Some(file) = argo.context.sources.find_from(&path, &file) else { continue };
        for root in argo.context.sources.documents(file, Dialect::Sigs).roots().take(1) {
            let mut over = root.clone();
            if let Some(map) = over.as_map_mut() {
                // Argo CD drops what would make it another source.
                const FIXED: [&str; 4] = ["path", "chart", "repoURL", "targetRevision"];
                map.retain(|key, _| !FIXED.contains(&key));
            }
            changed = helm::merge(&changed, &over);
        }
    }
    changed
}

/// One source in its Application.
struct SourcePart<'r, 'a> {
    argo: &'r Argo<'a>,
    application: &'r Node,
    spec: &'r Node,
    source: &'r Node,
    all: &'r [Node],
}

impl SourcePart<'_, '_> {
    fn deploy(&self, deployed: &mut Deployed) {
        if let Some(why) = self.source.unknown() {
            let problem = Problem::unresolved(&self.source.origin, why.clone());
            return deployed.problems.push(problem);
        }
        if let Some(chart) = self.source.get("chart").filter(|it| !it.is_null()) {
            let release = self.release(chart, None, deployed);
            return deployed.releases.push(release);
        }
        // An OCI artefact is a chart when it is asked to be one by its values.
        let url = self.source.get("repoURL");
        if let Some(url) = url.filter(|url| {
            url.as_str().is_some_and(|it| it.starts_with("oci://"))
                && self.source.get("ref").is_none()
        }) {
            let release = self.release(url, None, deployed);
            return deployed.releases.push(release);
        }
        let Some(path) = self.source.get("path") else {
            if self.source.get("ref").is_none() && self.source.get("repoURL").is_some() {
                self.build(&self.source.clone(), "", deployed);
            }
            return;
        };
        if let Some(why) = path.unknown() {
            let problem = Problem::unresolved(&path.origin, why.clone());
            return deployed.problems.push(problem);
        }
        let written = self.environment(path.as_str().unwrap_or_default());
        match self.argo.context.sources.below_root(&written) {
            Some(dir) => self.build(path, &dir, deployed),
            None => {
                let message =
                    format!("Argo CD refuses the path `{written}`, which leaves the repository");
                let problem = Problem::refused(&path.origin, message);
                deployed.problems.push(problem.about(written));
            }
        }
    }

    /// Builds the directory `dir`, which `at` names.
    fn build(&self, at: &Node, dir: &str, deployed: &mut Deployed) {
        if let Err(why) = self.checked_out(dir) {
            if self.build_upstream(at, dir, deployed) {
                return;
            }
            let at = self.source.get("repoURL").unwrap_or(at);
            if self.concerns(dir) {
                deployed.concerns = true;
                let problem = Problem::unresolved(&at.origin, &*why).hiding_objects();
                // What only another revision holds is ours.
                deployed.problems.push(match self.argo.is_ours(at.as_str().unwrap_or_default()) {
                    true => problem,
                    false => problem.help(ELSEWHERE),
                });
            }
            return;
        }
        if !self.argo.context.sources.is_dir(dir) {
            let sources = self.argo.context.sources;
            let who = install::introduced(sources, self.application);
            let message = format!("{who} has path {dir}, which is not in the repository");
            let problem = prepared::leads_nowhere(sources, &at.origin, dir, message);
            let problem = problem.about(dir).hiding_objects();
            deployed.problems.push(match install::near(sources, dir) {
                Some(near) => problem.help(format!("write `{near}`")),
                None => problem,
            });
            return;
        }
        match self.tool(dir) {
            Tool::Helm => {
                let release = self.release(at, Some(dir), deployed);
                deployed.releases.push(release);
            }
            Tool::Kustomize => self.kustomize(dir, deployed),
            Tool::Directory => {
                let manifests = self.manifests(dir, Some(&mut deployed.problems));
                deployed.objects.extend(manifests.into_iter().map(|(_, node)| node));
            }
            Tool::Plugin => {
                let at = self.source.get("plugin").unwrap_or(at);
                let message =
                    "what a configuration management plugin makes is not in the repository";
                deployed.problems.push(Problem::unresolved(&at.origin, message).hiding_objects());
            }
        }
    }

    /// Builds `dir`, which `at` names, of a repository of which it is known: metrics-server's own, and those
    /// of its charts. Whether it is one.
    fn build_upstream(&self, at: &Node, dir: &str, deployed: &mut Deployed) -> bool {
        let url = self.source.str_at("repoURL").unwrap_or_default();
        let revision = self.source.get("targetRevision").filter(|it| !install::is_blank(it));
        let tool = self.tool_told();
        if upstream::is_chart(url, dir) && tool.is_none_or(|it| it == Tool::Helm) {
            let version = Some(install::chart_version(revision, &at.origin));
            let release = self.release(at, None, deployed);
            deployed.releases.push(Release { version, ..release });
            return true;
        }
        if !upstream::is_repository(url) || tool.is_some_and(|it| it != Tool::Kustomize) {
            return false;
        }
        let edits = self.source.get("kustomize").and_then(edits::fields);
        let place = (dir, &at.origin);
        let build = remote::checked_out(self.argo.context, revision, place, edits.as_ref());
        deployed.concerns |= build.objects.is_empty();
        self.add(build, dir, deployed);
        true
    }

    /// Whether the source is what lies here.
    fn checked_out(&self, dir: &str) -> Result<(), Reason> {
        let url = self.source.get("repoURL");
        if let Some(why) = url.and_then(Node::unknown) {
            return Err(why.clone());
        }
        let url = url.and_then(Node::as_str).unwrap_or_default();
        let exists = !dir.is_empty() && self.argo.context.sources.is_dir(dir);
        // An address that an overlay puts in, which no file shows next to a path.
        let unseen = exists && !self.argo.repository.has_seen(url);
        if !self.argo.is_ours(url) && !unseen {
            return Err(format!("`{url}` is not known to be this repository").into());
        }
        match self.source.str_at("targetRevision") {
            Some(revision) if is_pinned(revision) => Err(format!(
                "it is deployed from the revision `{revision}`, which may not be what lies here"
            )
            .into()),
            _ => Ok(()),
        }
    }

    /// Whether a source of another repository may be about what we judge.
    fn concerns(&self, dir: &str) -> bool {
        let texts =
            [self.source.str_at("repoURL"), Some(dir), self.application.str_at("metadata.name")];
        let sources = self.argo.context.sources;
        let here = !dir.is_empty()
            && sources.below(dir).any(|it| sources[it].relevance == Relevance::Subject);
        here || texts.into_iter().flatten().any(is_server_named_in)
    }

    fn tool(&self, dir: &str) -> Tool {
        if let Some(told) = self.tool_told() {
            told
        } else if self.argo.layout.has_kustomization(dir) {
            // Of a directory that is both, too: the last in alphabetical order counts
            // (`util/app/discovery/discovery.go`).
            Tool::Kustomize
        } else if self.argo.context.sources.is_chart(dir) {
            Tool::Helm
        } else {
            Tool::Directory
        }
    }

    /// The tool that the source asks for.
    fn tool_told(&self) -> Option<Tool> {
        let given = |key: &str| {
            self.source.get(key).is_some_and(|block| {
                block.unknown().is_some() || block.as_map().is_some_and(|it| !it.is_empty())
            })
        };
        [
            ("plugin", Tool::Plugin),
            ("helm", Tool::Helm),
            ("kustomize", Tool::Kustomize),
            ("directory", Tool::Directory),
        ]
        .into_iter()
        .find_map(|(block, tool)| given(block).then_some(tool))
    }

    fn kustomize(&self, dir: &str, deployed: &mut Deployed) {
        let closure = self.argo.layout.closure(dir, true);
        let nested = closure.files.iter().any(|file| self.argo.is_application_file(*file));
        let render = self.argo.context.purpose == crate::resolve::context::Purpose::Render;
        let wanted = nested || render || self.argo.context.config.pedantic;
        let whole = closure.matters || closure.leads_out || wanted;
        if !(whole || closure.scales) {
            return;
        }
        let options = BuildOptions {
            // No rule asks for the schemas of custom resources.
            extent: if render { Extent::Whole } else { Extent::Outline },
            // `kustomize.buildOptions` of a cluster's Argo CD may allow both, and an Application
            // that its own Argo CD refuses would have been noticed.
            unrestricted: true,
            helm: true,
            generate: false,
            artifact: None,
            edits: self.source.get("kustomize").and_then(edits::fields),
        };
        self.add(kustomize::build(self.argo.context, dir, &options), dir, deployed);
    }

    /// Adds what building `dir` came to.
    fn add(&self, build: Build, dir: &str, deployed: &mut Deployed) {
        deployed.objects.extend(build.objects);
        deployed.deleted.extend(build.deleted);
        deployed.inflated.extend(build.releases);
        let who = install::introduced(self.argo.context.sources, self.application);
        let at = self.source.get("path").map_or(&self.source.origin, |it| &it.origin);
        deployed.problems.extend(build.problems.into_iter().map(
            |it| match it.kind.fails_build() {
                true => it.also(at, format!("{who} builds {dir}")),
                false => it,
            },
        ));
    }

    /// The manifests of a directory source, in path order.
    fn manifests(&self, dir: &str, mut problems: Option<&mut Vec<Problem>>) -> Vec<(FileId, Node)> {
        let options = self.source.get("directory");
        let option = |key: &str| options.and_then(|it| it.get(key));
        let recurse = option("recurse").and_then(Node::as_bool).unwrap_or(false);
        let globs = |key: &str| option(key).and_then(Node::as_str).filter(|it| !it.is_empty());
        let (include, exclude) = (globs("include").map(patterns), globs("exclude").map(patterns));
        let sources = self.argo.context.sources;
        let mut found = Vec::new();
        // What is scaled lies beside what scales it, and says nothing of that.
        let scaled: BTreeSet<&str> = sources
            .below(dir)
            .filter(|it| sources[*it].relevance == Relevance::Scaling)
            .map(|it| source::parent(&sources[it].path))
            .collect();
        for file in sources.below(dir) {
            let path = sources[file].path.as_str();
            let relative = source::rendered(path).get(dir.len()..).unwrap_or_default();
            let relative = relative.trim_start_matches('/');
            let here = recurse || !relative.contains('/');
            let wanted = include.as_ref().is_none_or(|it| it.is_match(relative))
                && !exclude.as_ref().is_some_and(|it| it.is_match(relative));
            match source::extension(relative) {
                "yaml" | "yml" | "json" if here && wanted => {}
                "jsonnet" if here && wanted => {
                    if let Some(problems) = problems.as_deref_mut() {
                        let at = Origin::start_of(file);
                        problems.push(Problem::unresolved(&at, "jsonnet is not evaluated"));
                    }
                    continue;
                }
                _ => continue,
            }
            // A file that says nothing of interest is not worth parsing.
            if sources[file].relevance == Relevance::None
                && !scaled.contains(source::parent(path))
                && self.argo.context.purpose == crate::resolve::context::Purpose::Judge
            {
                continue;
            }
            let documents = sources.documents(file, Dialect::Sigs);
            if let (Some(error), Some(problems)) = (documents.error(), problems.as_deref_mut()) {
                problems.push(Problem::syntax(error, &Origin::start_of(file)));
            }
            let objects = layout::objects(documents.roots());
            let objects = objects.filter(|it| it.str_at("kind").is_some());
            found.extend(objects.map(|it| (file, it.clone())));
        }
        found
    }

    fn reach(&self, reached: &mut Reached) {
        reached.files.extend(self.values_files());
        let path = self.source.get("path").filter(|_| self.source.get("chart").is_none());
        let Some(path) = path.and_then(Node::as_str) else { return };
        let Some(dir) = self.argo.context.sources.below_root(&self.environment(path)) else {
            return;
        };
        if self.checked_out(&dir).is_err() || !self.argo.context.sources.is_dir(&dir) {
            return;
        }
        match self.tool(&dir) {
            Tool::Helm => {
                let sources = self.argo.context.sources;
                // A chart below it that is none of its own is installed by something else.
                let apart = |file: &FileId| {
                    let path = &sources[*file].path;
                    let rest = path[dir.len()..].trim_start_matches('/');
                    source::file_name(rest) == "Chart.yaml"
                        && rest.contains('/')
                        && !rest.starts_with("charts/")
                };
                reached.files.extend(sources.below(&dir).filter(|it| !apart(it)));
            }
            Tool::Kustomize => reached.extend(&self.argo.layout.closure(&dir, true)),
            Tool::Directory => {
                reached.files.extend(self.manifests(&dir, None).into_iter().map(|(file, _)| file));
            }
            Tool::Plugin => {}
        }
    }

    /// `text` with the build environment's variables that are known.
    fn environment<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !text.contains("ARGOCD_") {
            return Cow::Borrowed(text);
        }
        let name = self.application.str_at("metadata.name");
        let known = [
            ("ARGOCD_APP_NAMESPACE", self.spec.str_at("destination.namespace")),
            ("ARGOCD_APP_NAME", name),
            ("ARGOCD_APP_PROJECT_NAME", self.spec.str_at("project")),
            ("ARGOCD_APP_SOURCE_PATH", self.source.str_at("path")),
            ("ARGOCD_APP_SOURCE_REPO_URL", self.source.str_at("repoURL")),
            ("ARGOCD_APP_SOURCE_TARGET_REVISION", self.source.str_at("targetRevision")),
        ];
        let mut text = text.to_owned();
        for (variable, value) in known {
            let Some(value) = value else { continue };
            text = text.replace(&format!("${{{variable}}}"), value);
            text = text.replace(&format!("${variable}"), value);
        }
        Cow::Owned(text)
    }
}

/// `{a.yaml,b.yaml}` or a single pattern, relative to the source's directory.
fn patterns(text: &str) -> GlobSet {
    let mut builder = globset::GlobSetBuilder::new();
    if let Ok(glob) = globset::Glob::new(text) {
        builder.add(glob);
    }
    builder.build().unwrap_or_else(|_| GlobSet::empty())
}

/// Whether a revision names one commit for good: a whole hash, or a version.
fn is_pinned(revision: &str) -> bool {
    let hash = revision.len() == 40 && revision.bytes().all(|it| it.is_ascii_hexdigit());
    let version = revision.strip_prefix('v').unwrap_or(revision);
    hash || semver::Version::parse(version).is_ok()
}
