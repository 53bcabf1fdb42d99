use super::{
    Kubelets, is_one, kubelets_in, serving_certificates_not_bootstrapped::is_left_to_flag,
};
use crate::{
    finding::Findings,
    model::{Cluster, ServingState},
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    // Elsewhere `serving-certificates-not-bootstrapped` names the approver.
    let idle = cluster.serving.state == ServingState::SelfSigned && is_one(cluster);
    if !idle || !is_left_to_flag(cluster) {
        return;
    }
    for approver in cluster.approvers.iter().filter(|it| it.certain) {
        let finding = findings.at(
            &approver.origin,
            &format!("approver {}", approver.name),
            format!("{} has nothing to approve: no kubelet requests a certificate", approver.name),
        );
        for Kubelets { at, groups, carrier, .. } in kubelets_in(cluster, ServingState::SelfSigned) {
            finding.also(&at, format!("these sign their own ({groups})"));
            finding.help(format!("{}, or remove the approver", carrier.how_to_request()));
        }
    }
}
