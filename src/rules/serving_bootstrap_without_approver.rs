use crate::{
    finding::Findings,
    model::{Cluster, ServingState, Signer},
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    let pending =
        matches!(cluster.serving.state, ServingState::BootstrapNoApprover | ServingState::Mixed);
    if !pending || !cluster.approvers.is_empty() {
        return;
    }
    for kubelet in cluster.kubelets.iter().filter(|kubelet| kubelet.signer != Signer::Platform) {
        let Some((true, origin)) = kubelet.server_tls_bootstrap.known() else { continue };
        findings
            .at(
                &origin.or(&kubelet.anchor),
                &format!("kubelet {}", kubelet.group),
                format!(
                    "kubelets request serving certificates that nothing here approves ({})",
                    kubelet.group
                ),
            )
            .help("deploy an approver for kubelet-serving requests, such as kubelet-csr-approver");
    }
}
