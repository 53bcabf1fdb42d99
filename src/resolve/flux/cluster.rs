//! The cluster that a `kubeConfig` leads to.

use crate::{resolve::environment::RemoteCluster, tree::Node};

/// The cluster to which `node`, which is in the cluster `within`, applies or installs things; `None` is
/// the environment's.
///
/// A reference has no namespace, it is the object's own, and its `key` is one of several files
/// (`meta.KubeConfigReference` of fluxcd/pkg/apis/meta).
pub(super) fn cluster(node: &Node, within: Option<&RemoteCluster>) -> Option<RemoteCluster> {
    let Some(config) = node.at("spec.kubeConfig").filter(|it| !it.is_null()) else {
        return within.cloned();
    };
    let namespace = node.object_namespace();
    let kinds = [("Secret", "secretRef"), ("ConfigMap", "configMapRef")];
    let named = kinds.into_iter().find_map(|(kind, field)| {
        let reference = config.get(field)?;
        let key = reference.str_at("key").unwrap_or_default();
        Some(RemoteCluster::of(kind, namespace, reference.str_at("name")?, key))
    });
    // Of one that nobody can tell nothing else is known to be the same.
    let own = || RemoteCluster::of(node.object_kind(), namespace, node.object_name(), "");
    Some(named.unwrap_or_else(own).within(within))
}
