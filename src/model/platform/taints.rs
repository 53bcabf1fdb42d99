//! What says that control planes take pods like any other node: their taint is taken away.

use crate::{
    model::platform::{Input, Platform},
    tree::{Node, Origin},
};

/// Talos' setting, and its name before 1.2 (`cluster` in its machine configuration), which talhelper
/// has, too.
const TALOS: [&str; 2] = ["allowSchedulingOnControlPlanes", "allowSchedulingOnMasters"];

pub(super) fn carrier(input: &Input<'_>, platform: &mut Platform) {
    let mut open = |at: Origin| _ = platform.open_control_plane.get_or_insert(at);
    for document in &input.documents {
        for node in document.node.walk() {
            for key in TALOS {
                if let Some(value) = node.get(key).filter(|it| it.as_bool() != Some(false)) {
                    open(value.origin.clone());
                }
            }
            // kubeadm's own taint is the default for a list that is not written.
            let taints = node.at("nodeRegistration.taints").and_then(Node::as_list);
            let taints = taints.filter(|it| !it.iter().any(is_of_control_planes));
            if let Some(taints) = taints {
                let first = taints.first().unwrap_or(node);
                open(first.origin.clone());
            }
        }
    }
    // In patches that are texts, and in what is not YAML.
    for file in &input.files {
        let text = input.sources.text(*file);
        if TALOS.iter().any(|key| text.contains(&format!("{key}: true"))) {
            open(Origin::start_of(*file));
        }
    }
}

fn is_of_control_planes(taint: &Node) -> bool {
    let key = taint.str_at("key");
    key.is_none_or(|it| it.starts_with("node-role.kubernetes.io/"))
        && taint.str_at("effect") == Some("NoSchedule")
}
