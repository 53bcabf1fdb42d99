//! On which nodes a workload's pods may run.

use super::{Fact, fact::written, pod, workload::text};
use crate::tree::Node;

/// What the scheduler is told about nodes.
#[derive(Debug, Clone)]
pub(crate) struct Placement {
    /// The label of control planes that the node selector asks for, and its value.
    pub control_plane: Fact<(&'static str, String)>,
    /// Whether their taint is tolerated.
    pub tolerates_control_plane: Option<bool>,
    /// `nodeSelector`, in the order of its labels.
    pub node_selector: Fact<String>,
    /// `tolerations`, as JSON.
    pub tolerations: Fact<String>,
    /// `affinity.nodeAffinity`, as JSON.
    pub node_affinity: Fact<String>,
}

/// The labels of control planes, which are their taints' keys, too: `constants.go` of kubeadm.
const CONTROL_PLANES: [&str; 2] =
    ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];

/// What `spec`, of a pod, says.
pub(super) fn placement(spec: &Node) -> Placement {
    Placement {
        control_plane: control_plane(spec),
        tolerates_control_plane: tolerates(spec),
        node_selector: told(spec, "nodeSelector", pod::written),
        tolerations: told(spec, "tolerations", json),
        node_affinity: told(spec, "affinity.nodeAffinity", json),
    }
}

/// What `read` makes of the field at `path`; absent where it is empty.
fn told(spec: &Node, path: &str, read: impl Fn(&Node) -> Fact<String>) -> Fact<String> {
    let field = match spec.look(path) {
        Err((why, at)) => return Fact::Unknown(why, Some(at)),
        Ok(field) => field.filter(|it| !it.is_null()),
    };
    let is_empty = |it: &Node| it.items().is_empty() && it.entries().next().is_none();
    match field {
        None => Fact::Absent(None),
        Some(field) if field.unknown().is_none() && is_empty(field) => Fact::Absent(None),
        Some(field) => read(field),
    }
}

fn json(node: &Node) -> Fact<String> {
    match written(node) {
        Some(text) => Fact::Known(text, node.origin.clone()),
        None => Fact::Unknown("a part of it is unknown".into(), Some(node.origin.clone())),
    }
}

fn control_plane(spec: &Node) -> Fact<(&'static str, String)> {
    let selector = match spec.look("nodeSelector") {
        Err((why, at)) => return Fact::Unknown(why, Some(at)),
        Ok(Some(selector)) => selector,
        Ok(None) => return Fact::Absent(None),
    };
    for label in CONTROL_PLANES {
        if let Some(value) = selector.get(label) {
            let value = match (value.unknown(), text(value)) {
                (Some(why), _) => Fact::Unknown(why.clone(), Some(value.origin.clone())),
                (None, Ok(text)) => Fact::Known(text, value.origin.clone()),
                (None, Err(why)) => Fact::Unknown(why.into(), Some(value.origin.clone())),
            };
            return value.map(|it| (label, it.clone()));
        }
    }
    Fact::Absent(None)
}

/// As `ToleratesTaint` of `k8s.io/component-helpers` has it: no key tolerates every taint.
fn tolerates(spec: &Node) -> Option<bool> {
    let tolerations = spec.look("tolerations").ok()?.map(Node::items).unwrap_or_default();
    let mut told = true;
    for it in tolerations {
        let field = |name: &str| it.look(name).map(|it| it.and_then(Node::as_str).unwrap_or(""));
        match (field("key"), field("effect")) {
            (Ok(key), Ok(effect)) => {
                let is_key = key.is_empty() || CONTROL_PLANES.contains(&key);
                if is_key && matches!(effect, "" | "NoSchedule") {
                    return Some(true);
                }
            }
            _ => told = false,
        }
    }
    told.then_some(false)
}
