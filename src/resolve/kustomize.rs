//! kustomize builds, natively, with provenance. The reference is kustomize 5.5.

mod chart;
mod fieldspec;
mod file;
mod generate;
mod json;
mod layer;
mod load;
mod merge;
mod names;
mod patch;
mod path;
mod plugin;
mod remote;
mod replace;
mod resource;
mod schema;
mod select;
mod shape;
mod transform;
mod value;
mod vars;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    parse::scalar,
    problem::Problem,
    resolve::{
        Context,
        kustomize::{layer::Layer, load::Loader, resource::Resource, value::Outcome},
    },
    source::Span,
    tree::{Kind, Node, Origin, Via},
};

/// Layers that were built already, by directory.
///
/// A layer is what a kustomization and its bases amount to before names are final, so that many
/// overlays over one base cost what they change.
#[derive(Default)]
pub struct Layers(Mutex<HashMap<LayerKey, Arc<Layer>>>);

type LayerKey = (Arc<str>, bool, bool);

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Layers")
    }
}

impl Layers {
    /// The layer of the loader's directory, built on the first call.
    ///
    /// Two threads may build one layer at once: waiting for each other could go in a circle.
    fn get_or_build(&self, loader: &Loader<'_>, at: &Origin) -> Outcome<Arc<Layer>> {
        let options = loader.options;
        let key = (loader.dir.clone(), options.unrestricted, options.helm);
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(layer) = known().get(&key) {
            return Ok(layer.clone());
        }
        let layer = Arc::new(layer::base(loader, at)?);
        Ok(known().entry(key).or_insert(layer).clone())
    }
}

/// How to build.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Whether files may lie outside the directory of the kustomization that names them
    /// (`--load-restrictor LoadRestrictionsNone`, and what Flux does).
    pub unrestricted: bool,
    /// Whether a directory without a kustomization file is built from the manifests in it, as Flux
    /// does.
    pub generate: bool,
    /// Whether `helmCharts` may be inflated (`--enable-helm`).
    pub helm: bool,
    /// What a controller adds to the kustomization file: fields with its names. Lists are appended
    /// (`images` by name), scalars replace.
    pub edits: Option<Node>,
}

/// The result of a build.
#[derive(Debug, Clone, Default)]
pub struct Build {
    /// The objects, canonical; empty when the build is refused.
    pub objects: Vec<Node>,
    /// What could not be resolved, and why the build is refused (`ProblemKind::BuildFails`).
    pub problems: Vec<Problem>,
}

/// Builds the kustomization in the directory `dir`.
pub fn build(context: &Context<'_>, dir: &str, options: &Options) -> Build {
    let loader = Loader::new(context, options, dir);
    let at = start_of(&loader);
    Build::of(layer_of(&loader, &at).and_then(|layer| finish(&loader, layer)))
}

/// Runs the fields of `kustomization` (`patches`, `images`, …) over `objects`: a post-renderer.
pub fn transform(context: &Context<'_>, objects: Vec<Node>, kustomization: &Node) -> Build {
    let options = Options { unrestricted: true, ..Options::default() };
    let loader = Loader::new(context, &options, "");
    let mut layer = Layer::empty();
    layer.resources = objects.iter().cloned().map(Resource::new).collect();
    if kustomization.entries().next().is_none() {
        return Build { objects, problems: Vec::new() };
    }
    let start = &kustomization.origin;
    let result = file::decode(kustomization, None, String::new(), start)
        .and_then(|fields| layer::accumulate(&loader, &fields, layer))
        .and_then(|layer| finish(&loader, layer));
    Build::of(result)
}

impl Build {
    fn of(result: Outcome<Self>) -> Self {
        result.unwrap_or_else(|problem| Self { objects: Vec::new(), problems: vec![*problem] })
    }
}

/// The layer at the top of a build.
fn layer_of(loader: &Loader<'_>, at: &Origin) -> Outcome<Layer> {
    let edits = loader.options.edits.as_ref();
    if loader.options.generate && loader.is_kustomization(&loader.dir, at)?.is_none() {
        let mut kustomization = layer::generated(loader, at)?;
        if let Some(edits) = edits {
            kustomization =
                file::decode(&kustomization.fields, Some(edits), kustomization.path, at)?;
        }
        return layer::accumulate(loader, &kustomization, Layer::empty());
    }
    layer::build(loader, at, edits)
}

/// What happens once, at the top: content hashes, references to names, variables.
fn finish(loader: &Loader<'_>, mut layer: Layer) -> Outcome<Build> {
    layer.resources.iter_mut().for_each(generate::add_hash);
    names::fix(&mut layer)?;
    vars::resolve(&mut layer)?;
    let local = "config.kubernetes.io/local-config";
    layer.resources.retain(|it| {
        let marked = it.node.at("metadata.annotations").and_then(|it| it.get(local));
        marked.is_none_or(|it| value::text(Some(it)) == "false")
    });
    let _ = loader;
    let objects = layer.resources.into_iter().map(|it| canonical(it.node)).collect();
    Ok(Build { objects, problems: layer.problems })
}

/// The node with scalars that mean the same to every reader; what is so already stays shared.
fn canonical(node: Node) -> Node {
    changed(&node).unwrap_or(node)
}

fn changed(node: &Node) -> Option<Node> {
    let kind: Kind = match &node.kind {
        Kind::Unknown(_) => return None,
        Kind::Scalar(scalar) => {
            let canonical = scalar::canonical(scalar);
            if canonical == *scalar {
                return None;
            }
            canonical.into()
        }
        Kind::List(items) => {
            let first = items.iter().position(|it| changed(it).is_some())?;
            let mut items = Vec::clone(items);
            for item in items.iter_mut().skip(first) {
                if let Some(node) = changed(item) {
                    *item = node;
                }
            }
            items.into()
        }
        Kind::Map(map) => {
            let mut copy = None;
            for (key, entry) in map.iter() {
                if let Some(node) = changed(&entry.value) {
                    let copy = copy.get_or_insert_with(|| crate::tree::Map::clone(map));
                    if let Some(slot) = copy.get_mut(key) {
                        *slot = node;
                    }
                }
            }
            copy?.into()
        }
    };
    Some(Node::new(kind, node.origin.clone()))
}

/// Where the build starts: its kustomization file, or else the first file in its directory.
fn start_of(loader: &Loader<'_>) -> Origin {
    let sources = loader.context.sources;
    let named =
        file::NAMES.iter().find_map(|name| sources.find(&crate::source::join(&loader.dir, name)?));
    let file = named.or_else(|| sources.below(&loader.dir).next());
    match file {
        Some(file) => Origin::written(Span { file, start: 0, end: 0 }),
        None => Origin::at(Via::Written, None),
    }
}
