//! What a text says when it speaks of what we judge.

/// metrics-server, as it is spelled in names, paths, keys and variables.
pub(crate) const SERVER: &[&str] = &[
    "metrics-server",
    "metrics_server",
    "METRICS_SERVER",
    "metricsserver",
    "metricsServer",
    "MetricsServer",
];

/// Projects that approve kubelet serving certificate requests, as their charts, images, workloads
/// and repositories are called.
pub(crate) const APPROVERS: &[&str] =
    &["kubelet-csr-approver", "kubelet-serving-cert-approver", "kubelet-rubber-stamp"];

/// The controller of Talos' cloud controller manager that approves them; off unless
/// `enabledControllers` or `--controllers` names it.
pub(crate) const TALOS_CONTROLLER: &str = "node-csr-approval";

/// What else says that they are approved.
pub(crate) const APPROVING: &[&str] = &[
    "kubernetes.io/kubelet-serving",
    "kubelet-serving-approver",
    TALOS_CONTROLLER,
    "certificate approve",
    "certificate_signing_request_approval",
    "HetznerCluster",
    "HetznerBareMetalMachineTemplate",
    "HCloudMachineTemplate",
];

/// The kinds of objects that may give containers requests which their workloads do not have.
pub(crate) const GIVING_REQUESTS: &[&str] = &["LimitRange", "VerticalPodAutoscaler"];

/// The APIService that metrics-server is reached through.
pub(crate) const METRICS_API: &str = "v1beta1.metrics.k8s.io";

/// metrics-server's API and flags, and what configures kubelets for it.
pub(crate) const OTHERS: &[&str] = &[
    "metrics.k8s.io",
    "metric-resolution",
    "kubelet-insecure-tls",
    "kubelet-preferred-address-types",
    "kubelet-use-node-status-port",
    "kubelet-request-timeout",
    "KubeletConfiguration",
    "kubelet-config",
    "serverTLSBootstrap",
    "rotate-server-certificates",
];

/// What of our subject something is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    /// metrics-server.
    Server,
    /// What approves the kubelets' certificates.
    Approver,
    /// The kubelets, as far as their serving certificates go.
    Kubelets,
}

impl What {
    /// What `text`, which says what is installed, names.
    pub(crate) fn of(text: &str) -> Option<Self> {
        match () {
            () if is_server_named_in(text) => Some(Self::Server),
            () if is_approver_named_in(text) => Some(Self::Approver),
            () => None,
        }
    }

    /// How a sentence about it begins.
    pub(crate) fn is(self) -> &'static str {
        match self {
            Self::Server => "metrics-server is",
            Self::Approver => "an approver is",
            Self::Kubelets => "kubelets are",
        }
    }
}

/// Whether `text` names metrics-server, a kubelet's configuration or an approver.
pub(crate) fn is_named_in(text: &str) -> bool {
    [SERVER, APPROVERS, OTHERS].into_iter().any(|words| has(text, words))
}

/// Whether `text` names metrics-server; an exporter of its metrics, `metrics-server-exporter`, is
/// another program.
pub(crate) fn is_server_named_in(text: &str) -> bool {
    let of_name = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '_';
    let is_server = |(at, word): (usize, &str)| {
        let before = text[..at].rsplit(|it| !of_name(it)).next().unwrap_or_default();
        let after = text[at + word.len()..].split(|it| !of_name(it)).next().unwrap_or_default();
        !before.contains("exporter") && !after.contains("exporter")
    };
    // Most texts name none, which is told faster than where one is.
    let named = SERVER.iter().filter(|it| text.contains(**it));
    named.flat_map(|it| text.match_indices(it)).any(is_server)
}

/// Whether `text` names what approves the kubelets' certificates.
pub(crate) fn is_approver_named_in(text: &str) -> bool {
    has(text, APPROVERS)
}

fn has(text: &str, words: &[&str]) -> bool {
    words.iter().any(|it| memchr::memmem::find(text.as_bytes(), it.as_bytes()).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exporter_is_another_program_and_what_stands_beside_it_is_not() {
        for text in [
            "kubectl apply -f metrics-server.yaml -f node-exporter.yaml",
            "[\"node-exporter\", \"metrics-server\"]",
            "new addons.MetricsServerAddOn()",
            "metrics-server-exporter metrics_server",
        ] {
            assert!(is_server_named_in(text), "{text}");
        }
        for text in ["metrics-server-exporter", "exporter-metrics-server", "node-exporter", ""] {
            assert!(!is_server_named_in(text), "{text}");
        }
    }
}
