//! What a text says when it speaks of what we judge.

/// Projects that approve kubelet serving certificate requests, as their charts, images, workloads
/// and repositories are called.
pub(crate) const APPROVERS: &[&str] =
    &["kubelet-csr-approver", "kubelet-serving-cert-approver", "kubelet-rubber-stamp"];

/// metrics-server and its API, and what configures kubelets for it.
const OTHERS: &[&str] = &[
    "metrics-server",
    "metrics_server",
    "METRICS_SERVER",
    "metrics.k8s.io",
    "kubelet-insecure-tls",
    "KubeletConfiguration",
    "kubelet-config",
    "serverTLSBootstrap",
    "rotate-server-certificates",
];

/// Whether `text` names metrics-server, a kubelet's configuration or an approver.
pub(crate) fn is_named_in(text: &str) -> bool {
    let has = |it: &&str| memchr::memmem::find(text.as_bytes(), it.as_bytes()).is_some();
    APPROVERS.iter().chain(OTHERS).any(has)
}
