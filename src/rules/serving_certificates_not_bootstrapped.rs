use crate::{
    finding::{Findings, Severity},
    model::{Cluster, MetricsServer, ServingState, serving},
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    let refusing = cluster.metrics_servers.iter().find(|server| verifies(server));
    for kubelet in &cluster.kubelets {
        let (state, _, at) = serving::of(kubelet, &cluster.approvers);
        if state != ServingState::SelfSigned {
            continue;
        }
        let mut message =
            format!("kubelets sign their own serving certificates ({})", kubelet.group);
        if refusing.is_some() {
            message.push_str(", and metrics-server refuses those");
        }
        let finding = findings.at(&at, &format!("kubelet {}", kubelet.group), message);
        if let Some(server) = refusing {
            finding.also(&server.anchor, "this metrics-server verifies them");
        }
        for approver in &cluster.approvers {
            finding.also(&approver.origin, "this would approve their requests");
        }
        finding.help(if cluster.approvers.is_empty() {
            "set serverTLSBootstrap: true and deploy an approver for the requests"
        } else {
            "set serverTLSBootstrap: true"
        });
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
