use super::{Kubelets, is_one, kubelets_in};
use crate::{
    finding::{Findings, Severity},
    model::{Cluster, MetricsServer, ServingState},
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    let mut servers = cluster.metrics_servers.iter().filter(|_| is_one(cluster));
    let refusing = servers.find(|server| verifies(server));
    for Kubelets { at, groups, carrier } in kubelets_in(cluster, ServingState::SelfSigned) {
        let mut message = format!("kubelets sign their own serving certificates ({groups})");
        if refusing.is_some() {
            message.push_str(", and metrics-server refuses those");
        }
        let finding = findings.at(&at, &format!("kubelets {groups}"), message);
        if let Some(server) = refusing {
            finding.variant("refused").also(&server.anchor, "this metrics-server verifies them");
        }
        let mut approvers = cluster.approvers.iter().filter(|approver| approver.certain);
        if let Some(approver) = approvers.next() {
            finding
                .also(&approver.origin, "this would approve their requests")
                .help(carrier.how_to_request());
        } else {
            finding.help(format!(
                "{} and deploy an approver for the requests",
                carrier.how_to_request()
            ));
        }
        if cluster.local.is_some() {
            finding.at_most(Severity::Note);
        }
    }
}

/// Whether `server` certainly refuses a certificate that the cluster did not sign.
fn verifies(server: &MetricsServer) -> bool {
    !server.managed
        && server.kubelet_insecure_tls.value() == Some(&false)
        && server.kubelet_certificate_authority.is_absent()
}
