use super::{Kubelets, kubelets_in};
use crate::{
    finding::Findings,
    model::{Cluster, ServingState},
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for Kubelets { at, groups, .. } in kubelets_in(cluster, ServingState::BootstrapNoApprover) {
        findings
            .at(
                &at,
                &format!("kubelets {groups}"),
                format!(
                    "kubelets request serving certificates that nothing here approves ({groups})"
                ),
            )
            .help("deploy an approver for kubelet-serving requests, such as kubelet-csr-approver");
    }
}
