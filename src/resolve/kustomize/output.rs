//! What happens to the finished objects: order, annotations, notation.

use indexmap::IndexMap;

use crate::{
    resolve::kustomize::{
        file::Kustomization,
        load::Loader,
        resource::{Id, Maker, Resource, metadata},
        shape,
        value::{Outcome, refusal, string, text},
    },
    scalar,
    tree::{Map, Node},
};

/// The node with scalars that mean the same to every reader; what is so already stays shared.
pub(super) fn canonical(node: &Node) -> Node {
    node.rewrite_scalars(|scalar| {
        let canonical = scalar::canonical(scalar);
        (canonical != *scalar).then(|| canonical.into())
    })
}

/// Drops the objects that are only for local use.
///
/// # Errors
/// An object that a patch left without kind or name.
pub(super) fn drop_local(resources: &mut Vec<Resource>) -> Outcome<()> {
    if let Some(nameless) = resources.iter().find(|it| it.kind().is_empty() || it.name().is_empty())
    {
        let at = nameless.anchor();
        return Err(refusal(at, "a patch leaves this object without a kind or a name"));
    }
    let mark = "config.kubernetes.io/local-config";
    resources.retain(|resource| {
        let value = resource.node.at("metadata.annotations").and_then(|it| it.get(mark));
        value.is_none_or(|it| text(Some(it)) == "false")
    });
    Ok(())
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
        (ranks.get(id.gvk.kind.as_str()).copied().unwrap_or(0), sort_key(id))
    });
    Ok(())
}

/// What kustomize compares when the kinds do not decide.
fn sort_key(id: Id) -> [String; 2] {
    let or = |text: String, empty: &str| if text.is_empty() { empty.to_owned() } else { text };
    let gvk = [or(id.gvk.group, "~G"), or(id.gvk.version, "~V"), or(id.gvk.kind, "~K")].join("_");
    let full = [gvk.clone(), or(id.namespace, "~X"), or(id.name, "~N")].join("|");
    [gvk, full]
}

/// The kinds that come first (`LegacyOrderTransformer`).
const FIRST: [&str; 22] = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

/// The kinds that come last.
const LAST: [&str; 2] = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

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
        let Self { kind, name, .. } = self;
        let name = name.as_ref().map_or_else(String::new, |name| format!("  name: {name}\n"));
        format!(
            "configuredIn: {path}\nconfiguredBy:\n  apiVersion: builtin\n  kind: {kind}\n{name}"
        )
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
