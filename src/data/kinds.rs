//! Kinds of Kubernetes' own objects.

/// The kinds whose objects have no namespace, with the versions of their group that kustomize knows
/// to be so (`precomputedIsNamespaceScoped` of `kyaml/openapi`).
const CLUSTER_SCOPED: &[(&str, &[&str], &[&str])] = &[
    ("", &["ComponentStatus", "Namespace", "Node", "PersistentVolume"], &["v1"]),
    ("policy", &["PodSecurityPolicy"], &["v1beta1"]),
    ("flowcontrol.apiserver.k8s.io", &["FlowSchema", "PriorityLevelConfiguration"], &["v1beta1"]),
    ("apiextensions.k8s.io", &["CustomResourceDefinition"], BOTH),
    ("apiregistration.k8s.io", &["APIService"], BOTH),
    ("certificates.k8s.io", &["CertificateSigningRequest"], BOTH),
    ("networking.k8s.io", &["IngressClass"], BOTH),
    ("node.k8s.io", &["RuntimeClass"], BOTH),
    ("scheduling.k8s.io", &["PriorityClass"], BOTH),
    ("rbac.authorization.k8s.io", &["ClusterRole", "ClusterRoleBinding"], BOTH),
    ("storage.k8s.io", &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"], BOTH),
    (
        "admissionregistration.k8s.io",
        &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"],
        BOTH,
    ),
    // cert-manager's; kustomize knows no custom resources.
    ("cert-manager.io", &["ClusterIssuer"], &[]),
];

const BOTH: &[&str] = &["v1", "v1beta1"];

/// The kinds whose objects keep pods running, with those of Argo Rollouts, OpenShift and `OpenKruise`.
pub(crate) const WORKLOADS: &[&str] = &[
    "Deployment",
    "DaemonSet",
    "StatefulSet",
    "ReplicaSet",
    "ReplicationController",
    "Pod",
    "Rollout",
    "DeploymentConfig",
    "CloneSet",
];

/// The kinds of objects that scale workloads by what these use, with KEDA's.
pub(crate) const AUTOSCALERS: &[&str] = &["HorizontalPodAutoscaler", "ScaledObject"];

/// Whether objects of `kind` have no namespace, in whatever group and version.
pub(crate) fn is_cluster_scoped(kind: &str) -> bool {
    CLUSTER_SCOPED.iter().any(|(_, kinds, _)| kinds.contains(&kind))
}

/// Whether kustomize knows that objects of this kind have no namespace; those that it does not know
/// count as namespaced.
pub(crate) fn is_cluster_scoped_to_kustomize(group: &str, version: &str, kind: &str) -> bool {
    CLUSTER_SCOPED.iter().any(|(its, kinds, versions)| {
        *its == group && kinds.contains(&kind) && versions.contains(&version)
    })
}
