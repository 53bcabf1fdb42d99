use crate::{
    finding::{Findings, Severity},
    model::{Cluster, Fact, Kubelet, Signer},
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for kubelet in cluster.kubelets.iter().filter(|kubelet| is_self_signed(kubelet)) {
        let (Fact::Known(_, at) | Fact::Absent(Some(at))) = &kubelet.server_tls_bootstrap else {
            report(cluster, kubelet, &kubelet.anchor, findings);
            continue;
        };
        report(cluster, kubelet, &at.or(&kubelet.anchor), findings);
    }
}

fn report(cluster: &Cluster, kubelet: &Kubelet, at: &crate::tree::Origin, findings: &mut Findings) {
    let verifying = cluster.metrics_servers.iter().find(|server| {
        let insecure = &server.kubelet_insecure_tls;
        !server.managed && (insecure.is_absent() || insecure.value() == Some(&false))
    });
    let mut message = format!("kubelets sign their own serving certificates ({})", kubelet.group);
    if verifying.is_some() {
        message.push_str(", and metrics-server refuses those");
    }
    let finding = findings.at(at, &format!("kubelet {}", kubelet.group), message);
    if let Some(server) = verifying {
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

/// Whether these kubelets certainly serve certificates that they made themselves.
fn is_self_signed(kubelet: &Kubelet) -> bool {
    let not_bootstrapped = match &kubelet.server_tls_bootstrap {
        Fact::Known(true, _) | Fact::Unknown(..) => false,
        Fact::Known(false, origin) => kubelet.complete || !origin.is_default(),
        Fact::Absent(_) => kubelet.complete,
    };
    not_bootstrapped && kubelet.tls_cert_file.is_absent() && kubelet.signer == Signer::Kubelet
}
