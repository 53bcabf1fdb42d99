//! What refers to what in a repository, without building anything.
//!
//! Environments start where nothing refers to; what no environment that concerns us reaches is
//! never parsed further.

mod addresses;
mod closure;
mod generator;
mod pushed;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

pub(crate) use addresses::{Addresses, is_another, normal};
use closure::Closures;
pub(crate) use closure::{Closure, shared_starts, starts};
use foldhash::fast::RandomState;
pub(crate) use generator::{ArtifactPart, locate};
use indexmap::IndexMap;
pub(crate) use pushed::PushedFrom;
use rayon::prelude::*;

use crate::{
    config::Config,
    data::{
        groups::{self, Role},
        kustomization,
    },
    parse,
    placeholder::Placeholder,
    scalar::Dialect,
    source::{self, FileId, Relevance, Sources, Text},
    tree::Node,
};

/// The references of a repository.
#[derive(Debug)]
pub(crate) struct Layout<'a> {
    sources: &'a Sources,
    config: &'a Config,
    /// Kustomizations by directory.
    kustomizations: IndexMap<&'a str, KustomizationFile, RandomState>,
    /// Flux Kustomization objects, in file order.
    pub flux: Vec<FluxKustomization<'a>>,
    flux_by_file: BTreeMap<FileId, Vec<usize>>,
    /// The charts of this repository that HelmReleases and kustomizations install, by the file of
    /// these.
    charts: BTreeMap<FileId, Vec<String>>,
    /// What cuts this repository into the artifacts that Flux Kustomizations may build from.
    generators: Vec<&'a Node>,
    /// Where artifacts are pushed from.
    pub pushed_from: PushedFrom,
    /// Which repository this is.
    pub addresses: Addresses,
    /// Applications and ApplicationSets of Argo CD with the files that hold them, in file order.
    pub argo: Vec<(FileId, &'a Node)>,
    closures: Closures,
    /// What [`Self::deploying_charts`] says.
    deploying: OnceLock<BTreeSet<String>>,
    /// Whether some Flux Kustomization builds the file that holds it, as `flux bootstrap` has it.
    bootstrapped: OnceLock<bool>,
}

/// A kustomization file and what it names inside the repository.
#[derive(Debug)]
struct KustomizationFile {
    file: FileId,
    component: bool,
    /// Whether it is made of any chart, wherever that is.
    inflates: bool,
    references: Vec<String>,
    /// The charts inside the repository that it installs.
    charts: Vec<String>,
}

/// A Flux Kustomization, or a `FluxInstance` that makes one, as it is written: before any patch or
/// substitution.
#[derive(Debug, Clone)]
pub(crate) struct FluxKustomization<'a> {
    /// The file that holds it.
    pub file: FileId,
    /// The object.
    pub node: &'a Node,
    /// The directory it builds; `None` when that is not written literally, or lies outside.
    pub dir: Option<String>,
}

impl<'a> Layout<'a> {
    /// Reads every file that may connect others.
    pub(crate) fn new(sources: &'a Sources, config: &'a Config) -> Self {
        let mut layout = Self {
            sources,
            config,
            kustomizations: IndexMap::default(),
            flux: Vec::new(),
            flux_by_file: BTreeMap::new(),
            pushed_from: PushedFrom::default(),
            addresses: Addresses::default(),
            argo: Vec::new(),
            charts: BTreeMap::new(),
            generators: Vec::new(),
            closures: Closures::default(),
            deploying: OnceLock::new(),
            bootstrapped: OnceLock::new(),
        };
        let relevant = sources.iter().filter(|(_, it)| it.relevance > Relevance::None);
        let relevant: Vec<FileId> = relevant.map(|(file, _)| file).collect();
        let read = relevant.into_par_iter().filter_map(|file| {
            let is_candidate = is_yaml(&sources[file].path)
                && !layout.is_template_dir(file)
                && connects(sources, file);
            is_candidate.then(|| (file, layout.kustomization_in(file)))
        });
        for (file, kustomization) in read.collect::<Vec<_>>() {
            match kustomization {
                Some(it) => layout.add_kustomization(it),
                None => layout.add_objects(file),
            }
        }
        layout.kustomizations.sort_unstable_keys();
        layout.find_artifacts();
        layout
    }

    /// The kustomization that `file` is, if it is one; parses it in any case.
    fn kustomization_in(&self, file: FileId) -> Option<KustomizationFile> {
        let sources = self.sources;
        let path = sources[file].path.as_str();
        let documents = match is_kustomization(path) {
            true => sources.documents(file, Dialect::Sigs),
            false => sources.outline(file),
        };
        let root = documents.roots().next();
        let version = root.and_then(|root| root.str_at("apiVersion")).unwrap_or_default();
        // A Flux object may be kept in a file of this name.
        if !is_kustomization(path) || version.starts_with("kustomize.toolkit.fluxcd.io") {
            return None;
        }
        let dir = source::parent(path);
        let references = match root {
            Some(root) => {
                let sides = documents
                    .template
                    .iter()
                    .flat_map(|_| parse::sides(sources, file, Dialect::Sigs));
                let sides: Vec<_> = sides.collect();
                let roots = sides.iter().filter_map(|it| it.roots().next());
                let roots = std::iter::once(root).chain(roots);
                let roots: Vec<Node> = roots.map(|it| it.rewrite(&mut Node::if_there)).collect();
                let paths = roots.iter().flat_map(kustomization::paths);
                let mut paths: BTreeSet<String> =
                    paths.filter_map(|it| source::join(dir, it)).collect();
                paths.extend(roots.iter().flat_map(|it| self.paths_of_generators(dir, it)));
                paths.into_iter().collect()
            }
            None => self.guessed_references(file, dir),
        };
        let component = root.and_then(|root| root.str_at("kind")) == Some("Component");
        // One that is no YAML may.
        let inflates = root.is_none_or(|root| self.inflates(dir, root));
        let charts = root.into_iter().flat_map(|root| {
            let home = root.str_at("helmGlobals.chartHome");
            let names = root.items_at("helmCharts").iter().filter_map(|it| it.str_at("name"));
            names.filter_map(move |it| {
                source::join(dir, &format!("{}/{it}", home.unwrap_or("charts")))
            })
        });
        let charts = charts.filter(|it| sources.is_chart(it)).collect();
        Some(KustomizationFile { file, component, inflates, references, charts })
    }

    /// What the charts read that the generators of a kustomization in `dir` inflate.
    fn paths_of_generators(&self, dir: &str, root: &Node) -> Vec<String> {
        let mut paths = Vec::new();
        self.chart_generators(dir, root, |it| {
            paths.extend(
                kustomization::chart_paths(it).into_iter().filter_map(|it| source::join(dir, it)),
            );
        });
        paths
    }

    /// Whether the kustomization `root` in `dir` has Helm inflate charts, or Helm has it change one.
    fn inflates(&self, dir: &str, root: &Node) -> bool {
        let mut inflates = ["helmCharts", "helmChartInflationGenerator"]
            .iter()
            .filter_map(|it| root.get(it))
            .any(|it| it.as_list().is_none_or(|it| !it.is_empty()));
        self.chart_generators(dir, root, |_| inflates = true);
        inflates || self.renders_what_is_printed(dir, root)
    }

    /// Whether a file of the kustomization `root` in `dir` is not there yet: a post-renderer of Helm puts
    /// what the chart prints there (<https://helm.sh/docs/topics/advanced/#post-rendering>).
    fn renders_what_is_printed(&self, dir: &str, root: &Node) -> bool {
        let files = root.items_at("resources").iter().filter_map(Node::as_str);
        let files = files.filter(|it| is_yaml(it) && !it.contains("://"));
        let mut paths = files.filter_map(|it| source::join(dir, it));
        paths.any(|it| self.sources.find(&it).is_none() && !self.sources.is_dir(&it))
    }

    /// Shows `see` what configures the generators of a kustomization in `dir` that inflate charts.
    fn chart_generators(&self, dir: &str, root: &Node, mut see: impl FnMut(&Node)) {
        const INFLATES: &str = "HelmChartInflationGenerator";
        let mut of = |configs: &mut dyn Iterator<Item = &Node>| {
            configs.filter(|it| it.str_at("kind") == Some(INFLATES)).for_each(&mut see);
        };
        for entry in root.items_at("generators") {
            let text = entry.as_str().unwrap_or_default();
            let file = source::join(dir, text).and_then(|it| self.sources.find(&it));
            match file {
                Some(file) => of(&mut self.sources.outline(file).roots()),
                // It may stand there itself.
                None if text.contains(INFLATES) => {
                    of(&mut parse::embedded(self.sources, entry, Dialect::Sigs).roots());
                }
                None => {}
            }
        }
    }

    /// Adds the first kustomization of a directory.
    fn add_kustomization(&mut self, kustomization: KustomizationFile) {
        let dir = source::parent(&self.sources[kustomization.file].path);
        if !self.kustomizations.contains_key(dir) {
            if !kustomization.charts.is_empty() {
                self.charts.insert(kustomization.file, kustomization.charts.clone());
            }
            self.kustomizations.insert(dir, kustomization);
        }
    }

    /// What a kustomization file that is not YAML most likely names, so that the environment it
    /// breaks is known and says so.
    fn guessed_references(&self, file: FileId, dir: &str) -> Vec<String> {
        let words =
            self.sources.text(file).split(|it: char| it.is_whitespace() || "[]{},\"'".contains(it));
        words
            .filter(|word| !matches!(*word, "" | "." | ".."))
            .filter_map(|word| source::join(dir, word))
            .filter(|path| {
                path != dir && (self.sources.find(path).is_some() || self.sources.is_dir(path))
            })
            .collect()
    }

    fn add_objects(&mut self, file: FileId) {
        let sources = self.sources;
        for node in objects(sources.outline(file).roots()) {
            self.addresses.add(node);
            if flux_path(node).is_some() {
                let dir = literal_path(node).and_then(|path| sources.below_root(path));
                let dir = dir.filter(|dir| may_be_here(node, dir));
                self.flux_by_file.entry(file).or_default().push(self.flux.len());
                self.flux.push(FluxKustomization { file, node, dir });
            } else if node.str_at("kind") == Some("ArtifactGenerator") {
                self.generators.push(node);
            } else if is_application(node) {
                self.argo.push((file, node));
            } else if node.str_at("kind") == Some("HelmRelease")
                && let Some(chart) = node.str_at("spec.chart.spec.chart")
                && let Some(dir) = sources.below_root(chart.trim_start_matches('/'))
                && sources.is_chart(&dir)
            {
                self.charts.entry(file).or_default().push(dir);
            }
        }
    }

    /// Finds the directories of the Flux Kustomizations that build from artifacts, pushed or generated, and
    /// leaves those that build from other repositories without one.
    fn find_artifacts(&mut self) {
        let sources = self.sources;
        self.pushed_from = PushedFrom::new(sources, self.flux.iter().map(|it| it.node));
        let (pushed_from, addresses) = (&self.pushed_from, &self.addresses);
        let own = |it: &Node| {
            let pushed_from = pushed_from.of(it).map(ToOwned::to_owned);
            let may_be_own = may_be_own(it) && !addresses.is_elsewhere(it);
            pushed_from.or_else(|| may_be_own.then(String::new))
        };
        for flux in &mut self.flux {
            if flux.node.at("spec.sourceRef").is_some_and(|it| addresses.is_elsewhere(it)) {
                flux.dir = None;
            } else if let Some(dir) = pushed_from.dir(flux.node) {
                flux.dir = Some(dir);
            } else if flux.node.str_at("spec.sourceRef.kind") == Some("ExternalArtifact") {
                let name = flux.node.str_at("spec.sourceRef.name").unwrap_or_default();
                let path = flux.node.str_at("spec.path").unwrap_or_default();
                let generators = self.generators.iter().copied();
                flux.dir = match locate(sources, generators, name, path, own) {
                    Some(part) => part.ok().map(|it| it.dir),
                    // A path that exists here says where it comes from.
                    None => sources
                        .below_root(path.trim_start_matches('/'))
                        .filter(|it| !it.is_empty() && sources.is_dir(it)),
                };
            }
        }
    }

    /// Whether nothing that is seen applies a Flux Kustomization whose directory is gone: others
    /// start from a Kustomization that builds itself, as `flux bootstrap` makes it.
    pub(crate) fn is_parked(&self, flux: &FluxKustomization<'_>) -> bool {
        let builds_itself = |it: &FluxKustomization<'_>| {
            let path = self.sources[it.file].path.as_str();
            it.dir.as_deref().is_some_and(|dir| {
                path.strip_prefix(dir).is_some_and(|rest| dir.is_empty() || rest.starts_with('/'))
            })
        };
        flux.dir.as_deref().is_some_and(|dir| !self.sources.is_dir(dir))
            && *self.bootstrapped.get_or_init(|| self.flux.iter().any(builds_itself))
    }

    /// Whether `file` is excluded by the configuration.
    pub(crate) fn is_excluded(&self, file: FileId) -> bool {
        self.config.is_excluded(&self.sources[file].path)
    }

    /// Whether `file` is a template of a Helm chart.
    pub(crate) fn is_template_dir(&self, file: FileId) -> bool {
        self.chart_of(file).is_some()
    }

    /// The directory of the chart that `file` is a template of.
    pub(crate) fn chart_of(&self, file: FileId) -> Option<&'a str> {
        let path = self.sources[file].path.as_str();
        path.match_indices("templates/").find_map(|(at, _)| {
            let bounded = at == 0 || path[..at].ends_with('/');
            let chart = path[..at].trim_end_matches('/');
            (bounded && self.sources.is_chart(chart)).then_some(chart)
        })
    }

    /// The charts of this repository that something in `file` installs and that speak of our subject.
    pub(crate) fn charts_of(&self, file: FileId) -> impl Iterator<Item = &str> {
        let dirs = self.charts.get(&file).into_iter().flatten().map(String::as_str);
        let is_ours = |it: FileId| self.sources[it].relevance == Relevance::Subject;
        dirs.filter(move |it| self.sources.sees_below(it, is_ours))
    }

    /// The directories of charts in which something speaks of our subject.
    pub(crate) fn own_charts(&self) -> BTreeSet<&'a str> {
        let sources = self.sources;
        let ours = sources.iter().filter(|(_, it)| it.relevance == Relevance::Subject);
        let charts = ours.filter_map(|(file, it)| {
            self.chart_of(file).or_else(|| chart_around(sources, &it.path))
        });
        charts.filter(|it| !it.is_empty()).collect()
    }

    /// The directories of charts that scale workloads.
    pub(crate) fn scaling_charts(&self) -> BTreeSet<&'a str> {
        let sources = self.sources;
        let scaling = sources.iter().filter(|(_, it)| it.relevance == Relevance::Scaling);
        let charts = scaling.filter_map(|(file, _)| Some(outermost(sources, self.chart_of(file)?)));
        charts.filter(|it| !it.is_empty()).collect()
    }

    /// The directories of charts whose templates make other installers deploy something. What that is their
    /// values or the paths in the repository may say alone, so that neither these templates nor who installs
    /// them need name it. None where nothing in the repository speaks of our subject.
    pub(crate) fn deploying_charts(&self) -> &BTreeSet<String> {
        self.deploying.get_or_init(|| {
            let sources = self.sources;
            if sources.iter().all(|(_, it)| it.relevance != Relevance::Subject) {
                return BTreeSet::new();
            }
            let connecting = sources.iter().filter(|(_, it)| it.relevance >= Relevance::Plumbing);
            let templates = connecting.filter_map(|(file, _)| Some((file, self.chart_of(file)?)));
            let deploying =
                templates.filter(|(file, _)| is_gitops(sources, *file) && !self.is_excluded(*file));
            deploying.map(|(_, dir)| outermost(sources, dir).to_owned()).collect()
        })
    }

    /// The directories whose kustomization is not a component, in order.
    pub(crate) fn roots(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.kustomizations.iter().filter(|(_, it)| !it.component).map(|(dir, _)| *dir)
    }

    /// Whether `dir` has a kustomization file.
    pub(crate) fn has_kustomization(&self, dir: &str) -> bool {
        self.kustomizations.contains_key(dir)
    }

    /// Whether the kustomization of `dir` has Helm inflate charts, or Helm has it change one.
    pub(crate) fn inflates_charts(&self, dir: &str) -> bool {
        self.kustomizations.get(dir).is_some_and(|it| it.inflates)
    }

    /// The kustomization file of `dir`.
    pub(crate) fn kustomization(&self, dir: &str) -> Option<FileId> {
        self.kustomizations.get(dir).map(|it| it.file)
    }

    /// Every directory that some kustomization names.
    pub(crate) fn included_dirs(&self) -> BTreeSet<&str> {
        let all = self.kustomizations.iter().flat_map(|(dir, it)| {
            it.references.iter().map(String::as_str).filter(move |reference| reference != dir)
        });
        all.filter(|reference| self.kustomizations.contains_key(*reference)).collect()
    }
}

/// Where a Flux Kustomization, or the object of the operator that makes one, says what it builds.
fn flux_path(node: &Node) -> Option<&'static str> {
    let (group, _) = node.str_at("apiVersion")?.split_once('/')?;
    match (group, node.str_at("kind")?) {
        ("kustomize.toolkit.fluxcd.io", "Kustomization") if has_source(node) => Some("spec.path"),
        ("fluxcd.controlplane.io", "FluxInstance") if sync(node).is_some() => {
            Some("spec.sync.path")
        }
        _ => None,
    }
}

/// What a `FluxInstance` syncs its cluster from, also as the values of the chart that makes one
/// (`charts/flux-instance` of controlplaneio-fluxcd/charts): the operator makes a source and a
/// Kustomization of it.
pub(crate) fn sync(node: &Node) -> Option<&Node> {
    match node.object_kind() {
        "FluxInstance" if node.api_group() == "fluxcd.controlplane.io" => node.at("spec.sync"),
        "HelmRelease" => {
            let named = ["spec.chartRef.name", "spec.chart.spec.chart", "metadata.name"];
            let is_instance = |path: &&str| node.str_at(path) == Some("flux-instance");
            node.at("spec.values.instance.sync").filter(|_| named.iter().any(is_instance))
        }
        _ => None,
    }
}

/// What it builds, by default all of its source; `None` where that is not written literally.
fn literal_path(node: &Node) -> Option<&str> {
    let path = match node.look(flux_path(node)?) {
        Ok(Some(path)) => path.as_str(),
        Ok(None) => Some("."),
        Err(_) => None,
    };
    path.filter(|it| !Placeholder::Dollar.is_in(it)).map(|it| it.trim_start_matches('/'))
}

/// Whether what `node` makes a tool deploy is found by following it, wherever it is written.
pub(crate) fn is_followed(node: &Node) -> bool {
    flux_path(node).is_some() || is_application(node)
}

/// Whether a Flux Kustomization says what it builds from. No cluster takes one that does not (its CRD
/// requires `sourceRef`): it is the text of a patch, and builds nothing.
pub(crate) fn has_source(kustomization: &Node) -> bool {
    !matches!(kustomization.look("spec.sourceRef"), Ok(None))
}

/// Whether a HelmRelease names no chart. No cluster takes one that does not: its CRD has "either chart or
/// chartRef must be set", and `spec.chart.spec.chart` is required. Where nothing builds it, it is the text of a
/// patch.
pub(crate) fn lacks_chart(node: &Node) -> bool {
    let lacks = |path: &str| matches!(node.look(path), Ok(None));
    node.str_at("apiVersion").is_some_and(|it| it.starts_with("helm.toolkit.fluxcd.io/"))
        && node.str_at("kind") == Some("HelmRelease")
        && lacks("spec.chart.spec.chart")
        && lacks("spec.chartRef")
}

/// Whether an entry of an `ArtifactGenerator`'s `spec.sources` may be this repository.
pub(crate) fn may_be_own(source: &Node) -> bool {
    source.str_at("name") == Some("flux-system") || source.str_at("kind") == Some("GitRepository")
}

/// Whether a Flux Kustomization may build `dir` of this repository: another one's root says nothing
/// here.
fn may_be_here(node: &Node, dir: &str) -> bool {
    let (reference, of_cluster) = match (node.at("spec.sourceRef"), node.at("spec.sync")) {
        (Some(reference), _) => (reference, reference.str_at("name") == Some("flux-system")),
        // That of a `FluxInstance` is the cluster's.
        (None, Some(sync)) => (sync, true),
        (None, None) => return true,
    };
    let is_git = reference.str_at("kind").is_none_or(|it| it == "GitRepository");
    // What an artifact was pushed from is any directory.
    if dir.is_empty() { of_cluster && is_git } else { of_cluster || is_git }
}

/// The directory of the innermost chart that the file at `path` lies in.
pub(crate) fn chart_around<'p>(sources: &Sources, path: &'p str) -> Option<&'p str> {
    let mut dirs = path.rmatch_indices('/').map(|(at, _)| &path[..at]).chain([""]);
    dirs.find(|it| sources.is_chart(it))
}

/// The chart that the one in `dir` is part of, by lying in its `charts/`; else itself.
pub(crate) fn outermost<'d>(sources: &Sources, dir: &'d str) -> &'d str {
    let folder = source::parent(dir);
    let above = source::parent(folder);
    if source::file_name(folder) == "charts" && sources.is_chart(above) {
        return outermost(sources, above);
    }
    dir
}

/// Whether a file holds objects that install or connect something: Applications, HelmReleases,
/// Kustomizations.
pub(crate) fn is_gitops(sources: &Sources, file: FileId) -> bool {
    let Text::Utf8(text) = sources.load(file) else { return false };
    is_yaml(&sources[file].path)
        && ["fluxcd.io/", "argoproj.io/", "cattle.io/"].iter().any(|it| text.contains(it))
        && ["Application", "ApplicationSet", "HelmRelease", "HelmChart", "Kustomization"]
            .iter()
            .any(|kind| text.contains(&format!("kind: {kind}")))
}

/// Whether the file at `path` lies in a chart that packs it and does not apply it: Helm applies what
/// `templates/` print, and what is in `crds/`. A chart in the repository's root has all around it that is
/// there, and only `files/` is by convention its own.
pub(crate) fn is_packed(sources: &Sources, path: &str) -> bool {
    let Some(dir) = chart_around(sources, path) else { return false };
    let inner = path[dir.len()..].trim_start_matches('/');
    let is_applied = ["templates/", "crds/"].iter().any(|it| inner.starts_with(it));
    !is_applied && (!dir.is_empty() || inner.starts_with("files/"))
}

/// Whether `node` is an object that says what Argo CD deploys.
pub(crate) fn is_application(node: &Node) -> bool {
    node.str_at("apiVersion").is_some_and(|it| it.starts_with("argoproj.io/"))
        && matches!(node.str_at("kind"), Some("Application" | "ApplicationSet"))
}

/// The objects of a stream, lists of objects flattened.
pub(crate) fn objects<'a>(roots: impl Iterator<Item = &'a Node>) -> impl Iterator<Item = &'a Node> {
    roots.flat_map(|root| {
        let list = root.str_at("kind").is_some_and(|kind| kind.ends_with("List"));
        match root.get("items").and_then(Node::as_list).filter(|_| list) {
            Some(items) => items.iter().collect(),
            None => vec![root],
        }
    })
}

/// Whether a path's name says YAML (JSON is YAML too).
pub(crate) fn is_yaml(path: &str) -> bool {
    source::is_yaml(source::rendered(path))
}

/// Whether a path names a kustomization file.
pub(crate) fn is_kustomization(path: &str) -> bool {
    kustomization::FILES.contains(&source::file_name(source::rendered(path)))
}

/// Whether a file can say what refers to what. A manifest that cannot is parsed only when an
/// environment reaches it.
fn connects(sources: &Sources, file: FileId) -> bool {
    let text = sources.text(file).as_bytes();
    let says = |word: &str| memchr::memmem::find(text, word.as_bytes()).is_some();
    is_kustomization(&sources[file].path)
        || groups::that(Role::Connects).any(says)
        || (says("GitRepository") && (says("HelmRelease") || says("url:")))
}

/// Whether a file's text can be looked at.
pub(crate) fn is_text(sources: &Sources, file: FileId) -> bool {
    matches!(sources.load(file), Text::Utf8(_))
}
