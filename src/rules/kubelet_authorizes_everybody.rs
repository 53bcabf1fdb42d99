use crate::{finding::Findings, model::Cluster};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for kubelet in &cluster.kubelets {
        let Some((mode, at)) = kubelet.authorization_mode.known() else { continue };
        // What nobody wrote may be overridden by a file that is not in sight.
        if mode != "AlwaysAllow" || at.is_default() {
            continue;
        }
        let anonymous = kubelet.anonymous_authentication.known().filter(|(it, _)| **it);
        let (variant, who) = match anonymous {
            Some(_) => ("anonymous", "everybody who reaches them, without a name"),
            None => ("", "everybody who has a name in the cluster"),
        };
        let finding = findings.at(
            &at.or(&kubelet.anchor),
            &format!("kubelet {}", kubelet.group),
            format!("kubelets allow everything to {who} ({})", kubelet.group),
        );
        finding.variant(variant).help(
            "set authorization.mode to Webhook, so that the API server is asked; metrics-server's role \
             allows what it needs",
        );
        if let Some((_, at)) = anonymous.filter(|(_, at)| !at.is_default()) {
            finding.also(at, "requests without credentials are let in here");
        }
        if cluster.local.is_some() {
            finding.expected_locally();
        }
    }
}
