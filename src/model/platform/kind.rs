//! kind: `kind: Cluster` of `kind.x-k8s.io`, whose kubeadm patches are texts.

use crate::{
    model::{
        Carrier, ClusterId,
        kubelet::{Flag, Settings},
        nodes,
        platform::{Input, Platform},
    },
    problem::Problem,
    tree::Node,
};

pub(super) fn carrier(input: &Input<'_>, platform: &mut Platform) {
    for document in input.kind("kind.x-k8s.io", "Cluster") {
        if !input.may_be_local(document) {
            continue;
        }
        let cluster = ClusterId::named("kind", document.path);
        let anchor = document.anchor();
        platform.is_local("kind", &anchor);
        let listed = document.node.get("nodes");
        let common = patches(input, document.node, &mut platform.problems);
        for (role, name) in [("control-plane", "control plane"), ("worker", "workers")] {
            let of_role = |it: &&Node| it.str_at("role").unwrap_or("control-plane") == role;
            let members: Vec<&Node> =
                listed.map(Node::items).unwrap_or_default().iter().filter(of_role).collect();
            // Without `nodes` there is one, which is a control plane.
            if members.is_empty() && (role == "worker" || listed.is_some()) {
                continue;
            }
            let mut all = common.clone();
            for member in members {
                all.extend(patches(input, member, &mut platform.problems));
            }
            let facts = settings(&all, role == "worker").facts();
            platform.kubelet(&cluster, name, Carrier::KindCluster, &anchor, facts);
        }
        let count = listed.map_or_else(|| nodes::exactly(1, &anchor), nodes::length);
        platform.pool(&cluster, count);
    }
}

/// The patches to kubeadm's documents that a cluster or one of its nodes has.
fn patches(input: &Input<'_>, node: &Node, problems: &mut Vec<Problem>) -> Vec<Node> {
    let patches = node.items_at("kubeadmConfigPatches");
    patches.iter().flat_map(|it| input.embedded(it, problems)).collect()
}

/// All patches to kubeadm's documents, which need not say of which group these are: kind finds them by
/// their kind (`pkg/internal/patch/kubeyaml.go`).
pub(super) fn all_patches(input: &Input<'_>) -> Vec<Node> {
    let documents = input.kind("kind.x-k8s.io", "Cluster").filter(|it| input.may_be_local(it));
    let holders = documents.flat_map(|it| [it.node].into_iter().chain(it.node.items_at("nodes")));
    // What is no YAML has been told.
    holders.flat_map(|it| patches(input, it, &mut Vec::new())).collect()
}

/// What patches to kubeadm's documents make of a kubelet. A worker's own registration is that of
/// its JoinConfiguration.
fn settings(patches: &[Node], worker: bool) -> Settings {
    let of = |wanted: &'static str| patches.iter().filter(move |it| it.object_kind() == wanted);
    let registration =
        |it: &Node| it.perhaps_at("nodeRegistration.kubeletExtraArgs").as_ref().map(Flag::all);
    let join = of("JoinConfiguration").filter_map(registration);
    let init = of("InitConfiguration").filter(|_| !worker).filter_map(registration);
    Settings {
        layers: patches
            .iter()
            .filter(|it| it.object_kind() == "KubeletConfiguration" || it.unknown().is_some())
            .cloned()
            .collect(),
        flags: init.chain(join).flatten().collect(),
    }
}
