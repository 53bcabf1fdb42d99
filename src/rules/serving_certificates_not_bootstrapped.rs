use super::{Kubelets, is_one, kubelets_in};
use crate::{
    finding::{Change, Findings},
    model::{Cluster, MetricsServer, ServingState},
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    // `serving-bootstrap-in-wrong-place` says why they do.
    if is_left_to_flag(cluster) || is_one(cluster) && !cluster.misplaced.is_empty() {
        return;
    }
    let refusing = refusing(cluster);
    let requesting = cluster.kubelets.iter().filter(|_| is_one(cluster));
    let requesting = requesting.filter(|it| it.server_tls_bootstrap.value() == Some(&true));
    let requesting: Vec<_> = requesting.collect();
    for Kubelets { at, also, groups, carrier, is_said } in
        kubelets_in(cluster, ServingState::SelfSigned)
    {
        let mut message = format!("kubelets sign their own serving certificates ({groups})");
        if let [first, ..] = requesting[..] {
            message.push_str(&format!(", but others request theirs ({})", first.group));
        }
        if refusing.is_some() {
            message.push_str(", and metrics-server refuses those");
        }
        let finding = findings.at(&at, &format!("kubelets {groups}"), message);
        if let Some(server) = refusing {
            finding.variant("refused").also(&server.anchor, "this metrics-server verifies them");
        }
        for at in &also {
            finding.also(at, "these too");
        }
        for kubelet in &requesting {
            let says = kubelet.server_tls_bootstrap.origin().unwrap_or(&kubelet.anchor);
            finding.also(&says.or(&kubelet.anchor), format!("requested here ({})", kubelet.group));
        }
        let mut approvers = cluster.approvers.iter().filter(|approver| approver.certain);
        if let Some(approver) = approvers.next() {
            finding
                .also(&approver.origin, "this would approve their requests")
                .help(carrier.how_to_request());
            let requested = |at| match is_said {
                true => Change::value(at, "true"),
                // Beside the kind of a KubeletConfiguration; elsewhere it would have no effect.
                false => Change::beside(at, 1, "serverTLSBootstrap", true),
            };
            let places = [&at].into_iter().chain(&also);
            finding.unsafe_fix(
                &["server_tls_bootstrap", "serving_certificates"],
                places.map(requested),
            );
        } else {
            finding.help(format!("{} and deploy an approver", carrier.how_to_request()));
        }
        if cluster.local.is_some() {
            finding.expected_locally();
        }
    }
}

/// Whether `kubelet-insecure-tls` says it, of a metrics-server that takes any certificate.
pub(super) fn is_left_to_flag(cluster: &Cluster) -> bool {
    refusing(cluster).is_none() && cluster.metrics_servers.iter().any(takes_any)
}

/// A metrics-server that gets no metrics because of it.
fn refusing(cluster: &Cluster) -> Option<&MetricsServer> {
    let mut servers = cluster.metrics_servers.iter().filter(|_| is_one(cluster));
    servers.find(|server| verifies(server))
}

/// Whether `server` certainly refuses a certificate that the cluster did not sign.
fn verifies(server: &MetricsServer) -> bool {
    !server.managed
        && server.kubelet_insecure_tls.value() == Some(&false)
        && server.kubelet_certificate_authority.is_absent()
}

/// Whether `server` certainly takes any certificate, because somebody told it to.
fn takes_any(server: &MetricsServer) -> bool {
    !server.managed && server.kubelet_insecure_tls.value() == Some(&true)
}
