//! kustomize builds, natively, with provenance. The reference is kustomize 5.8.1.

mod automatic;
mod blur;
mod budget;
mod chart;
mod fieldspec;
mod file;
mod generate;
mod json;
mod layer;
mod load;
mod merge;
mod names;
mod output;
mod patch;
mod path;
mod plugin;
pub(crate) mod remote;
mod replace;
mod resource;
mod schema;
mod select;
mod shape;
mod target;
mod transform;
mod value;
mod vars;

use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use ignore::gitignore::Gitignore;
use indexmap::IndexMap;

use crate::{
    data::kustomization::FILES,
    parse,
    problem::Problem,
    resolve::{
        context::{Context, Purpose},
        environment::{Deleted, Release},
        helm,
        kustomize::{
            budget::{BuildBudget, Room},
            file::Kustomization,
            layer::Layer,
            load::Loader,
            resource::Resource,
            value::Outcome,
        },
    },
    scalar::Dialect,
    source::Sources,
    tree::{Node, Origin, Via},
};

/// Layers that were built already, by directory.
///
/// A layer is what a kustomization and its bases amount to before names are final, so that many
/// overlays over one base cost what they change.
#[derive(Default)]
pub(crate) struct Layers(Mutex<IndexMap<LayerKey, Arc<Layer>>>);

/// The directory, and what else a layer depends on.
type LayerKey = (Arc<str>, [bool; 4], [Option<Arc<str>>; 2]);

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Layers")
    }
}

impl Layers {
    /// The layer of the loader's directory, built on the first call; if charts in it take the
    /// namespace of what includes them, on the first call for that namespace, and if a cycle cuts it
    /// short, on every call.
    ///
    /// Two threads may build one layer at once: waiting for each other could go in a circle.
    fn get_or_build(&self, loader: &Loader<'_>, at: &Origin) -> Outcome<Arc<Layer>> {
        let alone = Loader { chart_namespace: None, ..loader.clone() };
        let layer = self.get_or_build_for(&alone, at)?;
        if layer.takes_namespace && loader.chart_namespace.is_some() {
            return self.get_or_build_for(loader, at);
        }
        Ok(layer)
    }

    fn get_or_build_for(&self, loader: &Loader<'_>, at: &Origin) -> Outcome<Arc<Layer>> {
        let options = loader.options;
        let flags = [
            options.unrestricted,
            options.helm,
            options.extent == Extent::Outline,
            loader.annotate,
        ];
        let artifact = options.artifact.as_ref().map(|it| it.id.clone());
        let key = (loader.dir.clone(), flags, [loader.chart_namespace.clone(), artifact]);
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let circles = |layer: &Layer| layer.reached.iter().any(|dir| loader.chain.closes(dir));
        if let Some(layer) = known().get(&key).filter(|it| !circles(it)) {
            return Ok(layer.clone());
        }
        let layer = Arc::new(target::base(loader, at)?);
        if layer.cyclic {
            loader.cyclic.set(loader.cyclic.get() + 1);
            return Ok(layer);
        }
        Ok(known().entry(key).or_insert(layer).clone())
    }
}

/// How to build.
#[derive(Debug, Clone, Default)]
pub(crate) struct BuildOptions {
    /// Whether files may lie outside the directory of the kustomization that names them
    /// (`--load-restrictor LoadRestrictionsNone`, and what Flux does).
    pub unrestricted: bool,
    /// Whether a directory without a kustomization file is built from the manifests in it, as Flux
    /// does.
    pub generate: bool,
    /// Whether `helmCharts` may be inflated (`--enable-helm`).
    pub helm: bool,
    /// How much of the files is read.
    pub extent: Extent,
    /// What a controller builds from instead of the repository as it is.
    pub artifact: Option<Artifact>,
    /// What a controller adds to the kustomization file: fields with its names. Lists are appended
    /// (`images` by name), scalars replace.
    pub edits: Option<Node>,
}

/// How much of the files with objects is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Extent {
    /// All.
    #[default]
    Whole,
    /// What is left without the schemas of custom resources, which are most of the work where there
    /// are many; these are unknown.
    Outline,
}

/// A copy of the repository, or of a part of it, without symbolic links.
#[derive(Debug, Clone)]
pub(crate) struct Artifact {
    /// What tells it from others: layers are kept for each.
    pub id: Arc<str>,
    /// What is not in it.
    pub left_out: Arc<Gitignore>,
}

impl Artifact {
    /// Whether the file at `path` is not in it.
    pub(crate) fn leaves_out(&self, path: &str) -> bool {
        self.left_out.matched_path_or_any_parents(path, false).is_ignore()
    }

    /// The pattern by which it does, and the file that has the pattern: none where that is no file's.
    pub(crate) fn pattern(&self, path: &str) -> Option<(&str, Option<&str>)> {
        let found = self.left_out.matched_path_or_any_parents(path, false);
        let glob = found.inner().filter(|_| found.is_ignore())?;
        Some((glob.original(), glob.from().and_then(Path::to_str)))
    }
}

/// The result of a build.
#[derive(Debug, Clone, Default)]
pub(crate) struct Build {
    /// The objects, canonical. To print them, none when the real tool refuses the build; to judge
    /// them, all that do not depend on what it refuses.
    pub objects: Vec<Node>,
    /// What patches took out, as it was.
    pub deleted: Vec<Deleted>,
    /// The charts whose objects are among them. A patch may have changed those.
    pub releases: Vec<Release>,
    /// What could not be resolved, and why the build is refused (`ProblemKind::BuildFails`).
    pub problems: Vec<Problem>,
}

/// Builds the kustomization in the directory `dir`.
pub(crate) fn build(context: &Context<'_>, dir: &str, options: &BuildOptions) -> Build {
    let loader = Loader::new(context, options, dir);
    let at = start_of(&loader);
    let edits = options.edits.as_ref();
    let kustomization = if options.generate {
        target::kustomization_or_generated(&loader, &at, edits)
    } else {
        target::kustomization(&loader, &at, edits)
    };
    run(loader, kustomization, Layer::empty())
}

/// How a patch of the API changes an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PatchKind {
    /// Lists are merged by their keys.
    Strategic,
    /// RFC 7386.
    Merge,
    /// RFC 6902.
    Json,
}

/// `object` with the patch in `text`, or that it is, as `kubectl patch` has it.
///
/// # Errors
/// What is no patch of that kind, or does not fit.
pub(crate) fn patched(
    sources: &Sources,
    object: &Node,
    text: &Node,
    kind: PatchKind,
) -> Result<Node, Box<Problem>> {
    let refused = || Box::new(Problem::refused(&text.origin, "this is not a patch of that type"));
    let documents = parse::embedded(sources, text, Dialect::Sigs);
    let patch = documents.roots().next().filter(|it| it.as_map().is_some());
    match kind {
        PatchKind::Json => {
            let operations = json::operations(&documents).ok_or_else(refused)?;
            let mut budget = BuildBudget::default();
            let room = Room::of(object, &mut budget);
            let (patched, problem) = operations.apply(object, room)?;
            problem.map_or(Ok(patched), Err)
        }
        PatchKind::Merge => Ok(helm::coalesce(patch.ok_or_else(refused)?, object)),
        PatchKind::Strategic => {
            let merged = merge::merge(object, patch.ok_or_else(refused)?)?;
            merged.map(|it| output::canonical(&it)).ok_or_else(refused)
        }
    }
}

/// Runs the fields of `kustomization` (`patches`, `images`, …) over `objects`: a post-renderer.
pub(crate) fn transform(context: &Context<'_>, objects: Vec<Node>, kustomization: &Node) -> Build {
    if kustomization.entries().next().is_none() {
        return Build { objects, ..Build::default() };
    }
    let options = BuildOptions { unrestricted: true, ..BuildOptions::default() };
    let loader = Loader::new(context, &options, "");
    let mut layer = Layer::empty();
    layer.resources = objects.into_iter().map(Resource::new).collect();
    let start = &kustomization.origin;
    let fields = file::decode(kustomization, None, String::new(), start, false);
    run(loader, fields, layer)
}

/// Everything from the kustomization at the top to the objects.
fn run(mut loader: Loader<'_>, kustomization: Outcome<Kustomization>, mut layer: Layer) -> Build {
    // What is post-rendered is the text of another tool, with quotes where they are needed.
    let post_renders = !layer.resources.is_empty();
    // Without a kustomization nothing happens to what is there, and what would is not known.
    if let Some(kustomization) = layer.change(kustomization, |_| true) {
        loader.annotate = !kustomization.list("buildMetadata").is_empty();
        target::accumulate(&loader, &kustomization, &mut layer);
        // What happens once, at the top: content hashes, references to names, variables.
        layer.resources.iter_mut().for_each(generate::add_hash);
        names::fix(&mut layer);
        vars::resolve(&mut layer);
        output::drop_local(&mut layer);
        output::annotate(&loader, &kustomization, &mut layer.resources);
        for resource in &mut layer.resources {
            resource.attempt(output::stringify_annotations);
        }
        let sorted = output::sort(&kustomization, &mut layer.resources);
        layer.told(sorted);
        for resource in layer.resources.iter_mut().filter(|it| !post_renders && !it.inflated) {
            resource.attempt(|it| loader.check_keys(&it.node));
        }
    }
    layer.sweep();
    let refused = layer.problems.iter().any(|it| it.kind.fails_build());
    if refused && loader.context.purpose == Purpose::Render {
        layer.resources.clear();
    }
    let objects = layer.resources.into_iter().map(|it| output::canonical(&it.node)).collect();
    let releases = layer.releases.into_iter().map(Arc::unwrap_or_clone).collect();
    Build { objects, deleted: layer.deleted, releases, problems: layer.problems }
}

/// Where the build starts: its kustomization file, or else the first file in its directory.
fn start_of(loader: &Loader<'_>) -> Origin {
    let sources = loader.context.sources;
    let named =
        FILES.iter().find_map(|name| sources.find(&crate::source::join(&loader.dir, name)?));
    let file = named.or_else(|| sources.below(&loader.dir).next());
    match file {
        Some(file) => Origin::start_of(file),
        None => Origin::at(Via::Written, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Config, resolve::context::Purpose, tests::fixture};

    #[test]
    fn a_base_is_read_once_for_all_its_overlays() {
        let sources = fixture(
            "
            //- base/kustomization.yaml
            configMapGenerator: [{name: a}, {name: b}]
            //- dev/kustomization.yaml
            resources: [../base]
            //- prod/kustomization.yaml
            resources: [../base]
            namespace: prod
            //- test/kustomization.yaml
            resources: [../base]
            namePrefix: test-
            ",
        );
        let config = Config::default();
        let context = Context::new(&sources, &config, Purpose::Judge);
        for dir in ["dev", "prod", "test"] {
            assert_eq!(build(&context, dir, &BuildOptions::default()).objects.len(), 2);
        }
        assert_eq!(context.layers.0.lock().expect("not poisoned").len(), 1);
    }
}
