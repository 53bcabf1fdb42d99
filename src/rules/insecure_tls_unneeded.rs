use crate::{
    finding::{Change, Findings},
    model::{Cluster, ServingState},
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    let Some(reason) = reason(cluster) else { return };
    // What an installer passes is known only where its settings, which people write, decide.
    for server in &cluster.metrics_servers {
        let Some((true, origin)) = server.kubelet_insecure_tls.known() else { continue };
        let finding = findings.at(
            &origin.or(&server.anchor),
            &server.subject(),
            format!("--kubelet-insecure-tls is not needed: {reason}"),
        );
        finding.variant(cluster.serving.state.id());
        for (text, at) in &cluster.serving.evidence {
            finding.also(at, text);
        }
        if server.managed {
            finding.help("tell the installer not to pass --kubelet-insecure-tls");
            continue;
        }
        finding.help("remove --kubelet-insecure-tls");
        // Whether the kubelets really have such certificates is seen on the cluster alone.
        finding.unsafe_fix(&["kubelet_insecure_tls"], [Change::remove(origin)]);
    }
}

/// Why metrics-server could verify the kubelets of this cluster.
pub(super) fn reason(cluster: &Cluster) -> Option<String> {
    match cluster.serving.state {
        ServingState::BootstrapApproved => {
            Some("the kubelets' certificates are signed by the cluster and approved".into())
        }
        ServingState::PlatformSigned => {
            let platform = cluster.platform.as_ref().map_or("the platform", |it| it.name);
            Some(format!("{platform} signs the kubelets' certificates"))
        }
        _ => None,
    }
}
