//! What happens to the finished objects: order, annotations, notation.

use indexmap::IndexMap;

use crate::{
    emit,
    resolve::kustomize::{
        file::Kustomization,
        layer::Layer,
        load::Loader,
        resource::{FIRST, Id, LAST, Maker, Resource, metadata, or},
        shape,
        value::{Outcome, refusal, string, text},
    },
    scalar,
    tree::{Map, Node, Origin, Via},
};

/// The node with scalars that mean the same to every reader; what is so already stays shared.
pub(super) fn canonical(node: &Node) -> Node {
    node.rewrite_scalars(|scalar| {
        let canonical = scalar::canonical(scalar);
        (canonical != *scalar).then(|| canonical.into())
    })
}

/// Makes every annotation a string of what is written for it, as kustomize does when it takes its own
/// out; without any there is no mapping.
///
/// # Errors
/// As [`Resource::stringify`].
pub(super) fn stringify_annotations(resource: &mut Resource) -> Outcome<()> {
    resource.stringify("annotations")
}

/// Drops the objects that are only for local use, and those that a patch left without kind or name.
pub(super) fn drop_local(layer: &mut Layer) {
    let mark = "config.kubernetes.io/local-config";
    let mut refused = Vec::new();
    layer.resources.retain(|resource| {
        if !resource.is_complete() {
            let message = "a patch leaves this object without a kind or a name";
            refused.push(*refusal(resource.anchor(), message));
            return false;
        }
        let value = resource.node.at("metadata.annotations").and_then(|it| it.get(mark));
        value.is_none_or(|it| text(Some(it)) == "false")
    });
    layer.tell(refused);
}

/// Puts the objects in the order in which kustomize prints them: by kind, or as they came.
///
/// # Errors
/// Options that contradict each other.
pub(super) fn sort(kustomization: &Kustomization, resources: &mut [Resource]) -> Outcome<()> {
    let options = kustomization.fields.get("sortOptions");
    let legacy = options.and_then(|it| it.get("legacySortOptions"));
    let order = options.and_then(|it| it.get("order"));
    match (options, text(order)) {
        (None, _) | (_, "legacy") => {}
        (Some(_), "fifo") if legacy.is_none() => return Ok(()),
        (Some(options), "fifo") => {
            let at = legacy.unwrap_or(options);
            return Err(refusal(&at.origin, "legacySortOptions does not go with the order fifo"));
        }
        (Some(options), _) => {
            let at = order.unwrap_or(options);
            return Err(refusal(&at.origin, "sortOptions.order must be fifo or legacy"));
        }
    }
    let listed = |key: &str| -> Vec<&str> {
        let items = legacy.map_or(&[][..], |it| shape::items(it, key));
        items.iter().map(|it| text(Some(it))).collect()
    };
    let (first, last) = match legacy {
        Some(_) => (listed("orderFirst"), listed("orderLast")),
        None => (FIRST.to_vec(), LAST.to_vec()),
    };
    let ranks: IndexMap<&str, i64> =
        (i64::MIN..).zip(first).chain((1..).zip(last)).map(|(rank, kind)| (kind, rank)).collect();
    resources.sort_by_cached_key(|it| {
        let id = it.id();
        (ranks.get(id.gvk.kind.as_str()).copied().unwrap_or(0), sort_key(&id))
    });
    Ok(())
}

/// What kustomize compares when the kinds do not decide.
fn sort_key(id: &Id) -> [String; 2] {
    let gvk = id.gvk.sort_key();
    let full = [&*gvk, or(&id.namespace, "~X"), or(&id.name, "~N")].join("|");
    [gvk, full]
}

/// Adds what `buildMetadata` asks for.
pub(super) fn annotate(
    loader: &Loader<'_>,
    kustomization: &Kustomization,
    resources: &mut [Resource],
) {
    for option in kustomization.list("buildMetadata") {
        for resource in resources.iter_mut() {
            let record = resource.record.clone().unwrap_or_default();
            let at = &option.origin;
            match text(Some(option)) {
                "originAnnotations" => {
                    let source = record.source.map(|it| string(it.origin(&loader.dir), at.clone()));
                    put(resource, "annotations", "config.kubernetes.io/origin", source);
                }
                "transformerAnnotations" => {
                    let steps = record.transformers.iter().map(|it| it.step(&loader.dir));
                    let all = steps.collect::<String>();
                    let all = (!all.is_empty()).then(|| string(all, at.clone()));
                    let key = "alpha.config.kubernetes.io/transformations";
                    put(resource, "annotations", key, all);
                }
                "managedByLabel" => {
                    let value = Node::unknown_value("kustomize writes its own version here", at);
                    put(resource, "labels", "app.kubernetes.io/managed-by", Some(value));
                }
                _ => {}
            }
        }
    }
}

fn put(resource: &mut Resource, map: &str, key: &str, value: Option<Node>) {
    let (Some(value), Some(metadata)) = (value, metadata(&mut resource.node)) else { return };
    if metadata.get(map).is_none_or(|it| it.as_map().is_none()) {
        metadata.set(map, Node::new(Map::default(), value.origin.clone()));
    }
    if let Some(map) = metadata.get_mut(map).and_then(Node::as_map_mut) {
        map.set(key, value);
    }
}

impl Maker {
    /// As the annotation about an object's origin has it.
    fn origin(&self, from: &str) -> String {
        let path = relative(from, &self.path);
        if self.kind.is_empty() {
            return format!("path: {path}\n");
        }
        let mut lines = format!(
            "configuredIn: {path}\nconfiguredBy:\n  apiVersion: builtin\n  kind: {}\n",
            self.kind
        );
        for (key, value) in [("name", &self.name), ("namespace", &self.namespace)] {
            if !value.is_empty() {
                let value = Node::new(value.as_str(), Origin::at(Via::Transformed, None));
                lines.extend(["  ", key, ": ", &emit::yaml(&value)]);
            }
        }
        lines
    }

    /// As an item of the annotation about transformers.
    fn step(&self, from: &str) -> String {
        let lines = self.origin(from);
        format!("- {}\n", lines.trim_end().replace('\n', "\n  "))
    }
}

/// `path` as seen from the directory `from`.
fn relative(from: &str, path: &str) -> String {
    let from: Vec<&str> = from.split('/').filter(|it| !it.is_empty()).collect();
    let path: Vec<&str> = path.split('/').collect();
    let shared = from.iter().zip(&path).take_while(|(a, b)| a == b).count();
    let up = vec![".."; from.len() - shared];
    [&up[..], &path[shared..]].concat().join("/")
}
