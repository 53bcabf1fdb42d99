use super::kubelets_in;
use crate::{
    finding::{Findings, Severity},
    model::{Cluster, MetricsServer, ServingState},
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    let refusing = cluster.metrics_servers.iter().find(|server| verifies(server));
    for (at, groups) in kubelets_in(cluster, ServingState::SelfSigned) {
        let mut message = format!("kubelets sign their own serving certificates ({groups})");
        if refusing.is_some() {
            message.push_str(", and metrics-server refuses those");
        }
        let finding = findings.at(&at, &format!("kubelets {groups}"), message);
        if let Some(server) = refusing {
            finding.also(&server.anchor, "this metrics-server verifies them");
        }
        let mut approvers = cluster.approvers.iter().filter(|approver| approver.certain);
        if let Some(approver) = approvers.next() {
            finding
                .also(&approver.origin, "this would approve their requests")
                .help("set serverTLSBootstrap: true");
        } else {
            finding.help("set serverTLSBootstrap: true and deploy an approver for the requests");
        }
        if cluster.local.is_some() {
            finding.at_most(Severity::Note);
        }
    }
}

/// Whether `server` certainly refuses a certificate that it cannot verify.
fn verifies(server: &MetricsServer) -> bool {
    let insecure = &server.kubelet_insecure_tls;
    !server.managed && (insecure.is_absent() || insecure.value() == Some(&false))
}
