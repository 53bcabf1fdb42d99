use crate::{
    finding::Findings,
    model::{Cluster, ServingState, serving},
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for kubelet in &cluster.kubelets {
        let (state, _, at) = serving::of(kubelet, &cluster.approvers);
        if state != ServingState::BootstrapNoApprover {
            continue;
        }
        findings
            .at(
                &at,
                &format!("kubelet {}", kubelet.group),
                format!(
                    "kubelets request serving certificates that nothing here approves ({})",
                    kubelet.group
                ),
            )
            .help("deploy an approver for kubelet-serving requests, such as kubelet-csr-approver");
    }
}
