//! Network policies that select the pods of a metrics-server.

use super::{
    Fact,
    index::{Asked, ObjectIndex},
    lower::namespace_of,
    pod::{PortRef, port_ref},
    selector::{certain_pairs, selects},
    workload::{fact, number, pod_labels, text},
};
use crate::{
    resolve::environment::Object,
    tree::{Node, Origin},
};

/// A policy for who may reach pods, and whom they may reach.
#[derive(Debug, Clone)]
pub(crate) struct NetworkPolicy {
    /// Its name.
    pub name: String,
    /// Who may reach the pods; `None` when it is not about that.
    pub ingress: Option<Vec<Opening>>,
    /// Whom the pods may reach; `None` when it is not about that.
    pub egress: Option<Vec<Opening>>,
    /// Its name in the file.
    pub anchor: Origin,
}

/// A rule of a policy.
#[derive(Debug, Clone)]
pub(crate) struct Opening {
    /// Whether it is open to what is no pod; `None` where nobody can tell.
    pub beyond_pods: Option<bool>,
    /// The ports; absent is all of them.
    pub ports: Fact<Vec<OpenPort>>,
    /// Where it is written.
    pub origin: Origin,
}

/// A port, or a range of them, that a policy opens.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OpenPort {
    /// The port.
    pub port: PortRef,
    /// The last one of a range.
    pub last: Option<i128>,
}

/// What else opens and closes ports: other projects' policies, and those of administrators.
const OTHERS: [&str; 4] =
    ["cilium.io", "crd.projectcalico.org", "projectcalico.org", "policy.networking.k8s.io"];

/// The policies that select the pods of `workload`; `None` when nobody can tell.
pub(super) fn policies(index: &ObjectIndex<'_>, workload: &Object) -> Option<Vec<NetworkPolicy>> {
    if index.has_other_policies() {
        return None;
    }
    let labels = pod_labels(&workload.node);
    let mut found = Vec::new();
    for object in index.policies(namespace_of(workload), labels.as_ref()) {
        let selector = object.node.look("spec.podSelector").ok()?;
        let is_of = match selector.filter(|it| !it.is_null()) {
            Some(selector) => selects(selector, labels.as_ref()).ok()?,
            None => true,
        };
        if is_of {
            found.push(policy(object)?);
        }
    }
    Some(found)
}

/// Whether `object` opens and closes ports in another way than a `NetworkPolicy` of Kubernetes.
pub(super) fn is_other(object: &Object) -> bool {
    object.kind().ends_with("NetworkPolicy") && OTHERS.contains(&object.group())
}

/// The labels one of which all pods have that `policy` selects, or may.
pub(super) fn asked(policy: &Object) -> Asked {
    certain_pairs(policy.node.look("spec.podSelector").ok()??)
}

/// What `object` says; `None` when nobody can tell.
///
/// As `SetDefaults_NetworkPolicy` of `pkg/apis/networking/v1/defaults.go` has it: without types it is
/// about ingress, and about egress where it has such rules.
fn policy(object: &Object) -> Option<NetworkPolicy> {
    let spec = object.node.look("spec").ok()??;
    let rules = |field: &str, peers: &str| -> Option<Option<Vec<Opening>>> {
        let rules = spec.look(field).ok()?.filter(|it| !it.is_null());
        let types = spec.look("policyTypes").ok()?.filter(|it| !it.is_null());
        let is_about = match types {
            Some(types) => types
                .items()
                .iter()
                .any(|it| it.as_str().is_some_and(|it| it.eq_ignore_ascii_case(field))),
            None => field == "ingress" || rules.is_some(),
        };
        // What is no list is a placeholder, or refused.
        if rules.is_some_and(|it| it.as_list().is_none()) {
            return None;
        }
        let rules = rules.map(Node::items).unwrap_or_default();
        Some(is_about.then(|| rules.iter().map(|it| opening(it, peers)).collect()))
    };
    Some(NetworkPolicy {
        name: object.name().to_owned(),
        ingress: rules("ingress", "from")?,
        egress: rules("egress", "to")?,
        anchor: object.anchor(),
    })
}

fn opening(rule: &Node, peers: &str) -> Opening {
    let beyond_pods = match rule.look(peers) {
        Err(_) => None,
        Ok(peers) => match peers.filter(|it| !it.is_null()).map(Node::items) {
            None | Some([]) => Some(true),
            Some(peers) => beyond_pods(peers),
        },
    };
    let ports = match rule.look("ports") {
        Err((why, at)) => Fact::Unknown(why, Some(at)),
        Ok(ports) => match ports.filter(|it| !it.items().is_empty()) {
            None => Fact::Absent(None),
            Some(ports) => open_ports(ports),
        },
    };
    // What admits pods alone is where to edit.
    let closes = rule.items_at(peers).first().filter(|_| beyond_pods == Some(false));
    Opening { beyond_pods, ports, origin: closes.unwrap_or(rule).origin.clone() }
}

/// Whether some of `peers` are no pods: an `ipBlock` may be the API server's, or the nodes'.
fn beyond_pods(peers: &[Node]) -> Option<bool> {
    let pods = |it: &Node| it.get("podSelector").is_some() || it.get("namespaceSelector").is_some();
    let is_closed = |it: &Node| it.as_map().is_some_and(|it| it.open.is_none());
    peers.iter().all(|it| pods(it) && is_closed(it)).then_some(false)
}

fn open_ports(ports: &Node) -> Fact<Vec<OpenPort>> {
    let mut open = Vec::new();
    for node in ports.items() {
        let protocol = fact(node, "protocol", text);
        if protocol.value().is_some_and(|it| it != "TCP") {
            continue;
        }
        let last = fact(node, "endPort", number);
        match (fact(node, "port", port_ref), protocol.untold().or(last.untold())) {
            (_, Some((why, at))) => return Fact::Unknown(why.clone(), at.cloned()),
            (Fact::Known(port, _), None) => {
                open.push(OpenPort { port, last: last.value().copied() });
            }
            // Every port of the protocol.
            (Fact::Absent(_), None) => return Fact::Absent(None),
            (told, None) => return told.map(|_| Vec::new()),
        }
    }
    Fact::Known(open, ports.origin.clone())
}
