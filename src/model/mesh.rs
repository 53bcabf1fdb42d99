//! A service mesh that lets only its own members reach the pods of a metrics-server.

use super::{
    index::{Asked, ObjectIndex},
    lower::namespace_of,
    selector::{certain_pairs, selects},
    workload::in_pods,
};
use crate::{
    resolve::environment::Object,
    tree::{Node, Origin},
};

/// A mesh that the API server is no member of.
#[derive(Debug, Clone)]
pub(crate) struct Mesh {
    /// Its name.
    pub name: &'static str,
    /// What has its proxy put into the pods.
    pub injected: Origin,
    /// What has that proxy refuse whoever is no member.
    pub strict: Origin,
}

/// The mesh that certainly keeps the API server away from the pods of `object`.
pub(super) fn mesh(index: &ObjectIndex<'_>, object: &Object) -> Option<Mesh> {
    let metadata = object.node.look(&in_pods(&object.node, "metadata")).ok()??;
    let [labels, annotations] =
        ["labels", "annotations"].map(|field| metadata.look(field).map(Option::<&Node>::cloned));
    let (labels, annotations) = (labels.ok()?, annotations.ok()?);
    let namespaces = index.named("Namespace", "", namespace_of(object));
    let namespace = namespaces.first();
    let of_namespace = |field: &str| {
        let field = namespace.and_then(|it| it.node.at(&format!("metadata.{field}")));
        field.cloned()
    };
    let pods = Pods { labels, annotations };
    istio(index, object, &pods, of_namespace("labels").as_ref())
        .or_else(|| linkerd(index, &pods, of_namespace("annotations").as_ref()))
}

/// What is said of pods.
struct Pods {
    labels: Option<Node>,
    annotations: Option<Node>,
}

/// The value of `key`, if there is one.
fn value<'a>(of: Option<&'a Node>, key: &str) -> Option<(&'a str, &'a Origin)> {
    let node = of?.get(key)?;
    Some((node.as_str().unwrap_or_default(), &node.origin))
}

/// The namespace whose `PeerAuthentication` is the whole mesh's.
const ROOT: &str = "istio-system";

/// Istio's sidecar refuses what is not mutual TLS where the `PeerAuthentication` that is nearest to
/// the pods says STRICT: one that selects them, that of their namespace, that of the mesh.
fn istio(
    index: &ObjectIndex<'_>,
    object: &Object,
    pods: &Pods,
    namespace: Option<&Node>,
) -> Option<Mesh> {
    let key = "sidecar.istio.io/inject";
    let own = value(pods.labels.as_ref(), key).or_else(|| value(pods.annotations.as_ref(), key));
    let injected = match own {
        Some(("true", at)) => at,
        Some(_) => return None,
        None => {
            let by_label = value(namespace, "istio-injection").filter(|(it, _)| *it == "enabled");
            by_label.or_else(|| value(namespace, "istio.io/rev"))?.1
        }
    };
    let excluded = "traffic.sidecar.istio.io/excludeInboundPorts";
    if value(pods.annotations.as_ref(), excluded).is_some() {
        return None;
    }
    let mut nearest: Option<(u8, &Node)> = None;
    let own = namespace_of(object);
    let said = |namespace| index.peer_authentications(namespace, pods.labels.as_ref());
    let root = if own == ROOT { Vec::new() } else { said(ROOT) };
    for it in said(own).into_iter().chain(root) {
        let selector = it.node.look("spec.selector").ok()?.filter(|it| !it.is_null());
        let here = namespace_of(it) == own;
        let rank = match selector {
            Some(by) if here && selects(by, pods.labels.as_ref()).ok()? => 3,
            None if here => 2,
            None => 1,
            Some(_) => continue,
        };
        // It may leave out metrics-server's port.
        if it.node.look("spec.portLevelMtls").ok()?.is_some() {
            return None;
        }
        let Some(mode) = it.node.look("spec.mtls.mode").ok()? else { continue };
        if mode.as_str() != Some("UNSET") && nearest.is_none_or(|(other, _)| other < rank) {
            nearest = Some((rank, mode));
        }
    }
    let (_, mode) = nearest.filter(|(_, mode)| mode.as_str() == Some("STRICT"))?;
    Some(Mesh { name: "Istio", injected: injected.clone(), strict: mode.origin.clone() })
}

/// The labels one of which all pods have that a `PeerAuthentication` selects, or may.
pub(super) fn asked(object: &Object) -> Asked {
    certain_pairs(object.node.look("spec.selector").ok()??)
}

/// Linkerd's proxy refuses what is not mutual TLS where its default policy says so.
fn linkerd(index: &ObjectIndex<'_>, pods: &Pods, namespace: Option<&Node>) -> Option<Mesh> {
    let said = |key: &str| value(pods.annotations.as_ref(), key).or_else(|| value(namespace, key));
    let (_, injected) = said("linkerd.io/inject").filter(|(it, _)| *it == "enabled")?;
    let policy = said("config.linkerd.io/default-inbound-policy");
    let closed = ["deny", "all-authenticated", "cluster-authenticated"];
    let (_, strict) = policy.filter(|(it, _)| closed.contains(it))?;
    let opened = said("config.linkerd.io/skip-inbound-ports").is_some()
        || index.has_group("policy.linkerd.io");
    (!opened).then(|| Mesh { name: "Linkerd", injected: injected.clone(), strict: strict.clone() })
}
