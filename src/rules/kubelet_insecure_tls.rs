use super::insecure_tls_unneeded::reason;
use crate::{
    finding::{Findings, Severity},
    model::{Cluster, ServingState},
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in cluster.metrics_servers.iter().filter(|server| !server.managed) {
        let Some((true, origin)) = server.kubelet_insecure_tls.known() else { continue };
        // `insecure-tls-unneeded` says all that this rule would, and more.
        if reason(cluster).is_some() {
            continue;
        }
        let origin = origin.or(&server.anchor);
        let message = "metrics-server does not verify the kubelets' certificates";
        let Some((evidence, at)) = &cluster.local else {
            let finding = findings.at(&origin, &server.subject(), message).help(help(cluster));
            if cluster.serving.state != ServingState::Unknown {
                for (text, at) in &cluster.serving.evidence {
                    finding.also(at, text);
                }
            }
            continue;
        };
        findings
            .at(
                &origin,
                &server.subject(),
                format!("{message}, which is expected in a local cluster"),
            )
            .variant("local")
            .at_most(Severity::Note)
            .also(at, evidence);
    }
}

/// What to do before the flag can go depends on where the certificates come from.
fn help(cluster: &Cluster) -> String {
    match cluster.serving.state {
        ServingState::BootstrapNoApprover => {
            "deploy an approver for the kubelets' certificate requests, then remove the flag: \
             while requests are pending, the flag does not help either"
                .into()
        }
        ServingState::StaticFiles => "give metrics-server the certificates' authority with \
             --kubelet-certificate-authority instead"
            .into(),
        _ => {
            let request = cluster.platform.as_ref().and_then(|it| it.request);
            let request = request.unwrap_or(
                "let the kubelets request their serving certificates (serverTLSBootstrap: true)",
            );
            format!("{request}, deploy an approver, then remove the flag")
        }
    }
}
