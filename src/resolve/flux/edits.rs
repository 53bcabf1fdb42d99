//! What Flux's objects add to kustomize: the fields of a Kustomization that go into the kustomization
//! file, the fields of a post-renderer, and the metadata that every object gets.

use crate::{
    emit,
    source::{self, Sources},
    tree::{Entry, Kind, Map, Node, Via},
};

/// The fields of a Kustomization's `spec` that Flux writes into the kustomization file of `dir`.
pub(super) fn fields(sources: &Sources, kustomization: &Node, dir: &str) -> Option<Node> {
    let spec = kustomization.get("spec")?;
    let mut map = shared(spec);
    for (from, to) in [
        ("targetNamespace", "namespace"),
        ("namePrefix", "namePrefix"),
        ("nameSuffix", "nameSuffix"),
        ("components", "components"),
    ] {
        if let Some(value) = spec.get(from).filter(|it| !it.is_null()) {
            map.set(to, value.clone());
        }
    }
    if spec.is_true_at("ignoreMissingComponents")
        && let Some(components) = map.get_mut("components").and_then(Node::as_list_mut)
    {
        components.retain(|component| {
            let path = component.as_str().and_then(|it| source::join(dir, it));
            path.is_none_or(|path| sources.is_dir(&path))
        });
    }
    (!map.is_empty()).then(|| Node::new(map, spec.origin.clone()))
}

/// The kustomization that a HelmRelease's `postRenderers[].kustomize` stands for.
pub(super) fn of_renderer(renderer: &Node) -> Node {
    Node::new(shared(renderer), renderer.origin.clone())
}

/// `patches` and `images`, with the patches that older versions wrote as trees.
fn shared(spec: &Node) -> Map {
    let mut map = Map::default();
    if let Some(images) = spec.get("images").filter(|it| !it.is_null()) {
        map.set("images", images.clone());
    }
    let mut patches = spec.items_at("patches").to_vec();
    patches.extend(spec.items_at("patchesStrategicMerge").iter().map(|it| inline(it, None)));
    let json = spec.items_at("patchesJson6902").iter();
    patches.extend(json.filter_map(|it| Some(inline(it.get("patch")?, it.get("target")))));
    if let Some(first) = patches.first() {
        let origin = spec.get("patches").unwrap_or(first).origin.clone();
        map.set("patches", Node::new(patches, origin));
    }
    map
}

/// `{patch: text, target: …}` for a patch that is written as a tree.
fn inline(patch: &Node, target: Option<&Node>) -> Node {
    let mut map = Map::default();
    // What is not known cannot be written.
    let kind: Kind = match patch.walk().find_map(Node::unknown) {
        Some(why) => Kind::Unknown(why.clone()),
        None => patch.as_str().map_or_else(|| emit::yaml(patch), str::to_owned).into(),
    };
    map.set("patch", Node::new(kind, patch.origin.clone()));
    // What patches nobody knows how still says whom it is for.
    let named = || {
        let mut named = Map::default();
        named.set("kind", patch.get("kind")?.clone());
        named.set("name", patch.at("metadata.name")?.clone());
        Some(Node::new(named, patch.origin.clone()))
    };
    let is_told = map.get("patch").is_some_and(|it| it.unknown().is_none());
    if let Some(target) = target.cloned().or_else(|| if is_told { None } else { named() }) {
        map.set("target", target);
    }
    Node::new(map, patch.origin.clone())
}

/// `node` with the labels and annotations of `spec.commonMetadata`.
pub(super) fn with_common(mut node: Node, common: Option<&Node>) -> Node {
    for field in ["labels", "annotations"] {
        let Some(added) = common.and_then(|it| it.get(field)) else { continue };
        let Some(metadata) = node.at_mut("metadata").and_then(Node::as_map_mut) else { continue };
        if metadata.get(field).is_none_or(|it| it.as_map().is_none()) {
            metadata.set(field, Node::new(Map::default(), added.origin.clone()));
        }
        let Some(map) = metadata.get_mut(field).and_then(Node::as_map_mut) else { continue };
        for (key, entry) in added.entries() {
            let mut value = entry.value.clone();
            if let Some(old) = map.get(key) {
                value.origin = value.origin.over(Via::Transformed, &old.origin);
            }
            map.insert(key, Entry { key: entry.key, value });
        }
    }
    node
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::nowhere;

    #[test]
    fn what_is_unknown_in_a_patch_is_written_into_none() {
        let at = nowhere();
        let node = |kind: Kind| Node::new(kind, at.clone());
        let patch = |replicas: Node| {
            let metadata = [("name", node("metrics-server".into()))];
            let object = [
                ("kind", node("Deployment".into())),
                ("metadata", node(metadata.into())),
                ("replicas", replicas),
            ];
            inline(&node(object.into()), None)
        };
        let unknown = patch(Node::unknown_value("nobody knows", &at));
        assert!(unknown.get("patch").is_some_and(|it| it.unknown().is_some()));
        assert_eq!(unknown.str_at("target.name"), Some("metrics-server"));
        let known = patch(node("2".into()));
        assert!(known.str_at("patch").is_some_and(|it| it.contains("replicas")));
        assert!(known.get("target").is_none());
    }
}
