//! The `kustomize` block of a source as fields of a kustomization file.

use crate::{
    scalar::Scalar,
    tree::{Entry, Map, Node},
};

/// What Argo CD edits into the kustomization file before it builds it.
pub(super) fn fields(block: &Node) -> Option<Node> {
    let mut map = Map::default();
    for (key, entry) in block.entries() {
        let value = match key {
            "namePrefix" | "nameSuffix" | "namespace" | "patches" | "components"
            | "commonAnnotations" | "replicas" => entry.value.clone(),
            "images" => images(&entry.value),
            "commonLabels" => {
                if flag(block, "labelWithoutSelector") == Some(true) {
                    let templates = flag(block, "labelIncludeTemplates").unwrap_or(false);
                    map.set("labels", labels(&entry.value, templates));
                    continue;
                }
                entry.value.clone()
            }
            _ => continue,
        };
        map.insert(key, Entry { key: entry.key, value });
    }
    (!map.is_empty()).then(|| Node::new(map, block.origin.clone()))
}

fn flag(block: &Node, key: &str) -> Option<bool> {
    block.get(key)?.as_bool()
}

/// `commonLabels` that no selector gets.
fn labels(pairs: &Node, templates: bool) -> Node {
    let mut map = Map::default();
    map.set("pairs", pairs.clone());
    map.set("includeTemplates", Node::new(templates, pairs.origin.clone()));
    Node::new(vec![Node::new(map, pairs.origin.clone())], pairs.origin.clone())
}

/// `name=new:tag`, `name:tag` and `name@digest` as kustomize's own fields (`kustomize edit set
/// image`).
fn images(list: &Node) -> Node {
    let entries = list.items().iter().map(|item| {
        let Some(text) = item.as_str() else { return item.clone() };
        let (name, new) = text.split_once('=').map_or((None, text), |(name, it)| (Some(name), it));
        let (new, digest) =
            new.split_once('@').map_or((new, None), |(it, digest)| (it, Some(digest)));
        let tag_at = new.rfind(':').filter(|at| !new[*at..].contains('/'));
        let (new, tag) = tag_at.map_or((new, None), |at| (&new[..at], Some(&new[at + 1..])));
        let mut map = Map::default();
        let mut set = |key: &str, text: &str| {
            map.set(key, Node::new(Scalar::string(text), item.origin.clone()));
        };
        set("name", name.unwrap_or(new));
        if name.is_some_and(|name| name != new) {
            set("newName", new);
        }
        if let Some(tag) = tag.filter(|_| digest.is_none()) {
            set("newTag", tag);
        }
        if let Some(digest) = digest {
            set("digest", digest);
        }
        Node::new(map, item.origin.clone())
    });
    Node::new(entries.collect::<Vec<_>>(), list.origin.clone())
}
