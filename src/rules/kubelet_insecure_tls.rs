use super::{Kubelets, insecure_tls_unneeded::reason, kubelets_in};
use crate::{
    finding::Findings,
    model::{Cluster, ServingState},
    tree::Origin,
};

/// No finding names more places of kubelets: a repository may have a template for each of its nodes.
const MOST_PLACES: usize = 6;

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    // `insecure-tls-unneeded` says all that this rule would, and more.
    if reason(cluster).is_some() {
        return;
    }
    for server in cluster.metrics_servers.iter().filter(|server| !server.managed) {
        let Some((true, origin)) = server.kubelet_insecure_tls.known() else { continue };
        let mut message = "metrics-server does not verify the kubelets' certificates".to_owned();
        if cluster.local.is_some() {
            message.push_str(", which is expected in a local cluster");
        }
        let finding = findings.at(&origin.or(&server.anchor), &server.subject(), message);
        finding.help(help(cluster));
        if let Some((evidence, at)) = &cluster.local {
            finding.variant("local").also(at, evidence).expected_locally();
            continue;
        }
        for (text, at) in evidence(cluster).into_iter().take(MOST_PLACES) {
            finding.also(&at, text);
        }
    }
}

/// What says how the kubelets get their certificates.
fn evidence(cluster: &Cluster) -> Vec<(String, Origin)> {
    if cluster.serving.state != ServingState::Unknown {
        return cluster.serving.evidence.clone();
    }
    // Nobody can tell of all clusters in sight, but of these.
    let places = kubelets_in(cluster, ServingState::SelfSigned).into_iter();
    places
        .map(|Kubelets { at, groups, .. }| (format!("these sign their own ({groups})"), at))
        .collect()
}

/// What to do before the flag can go depends on where the certificates come from, and on what makes
/// the cluster.
fn help(cluster: &Cluster) -> String {
    match cluster.serving.state {
        ServingState::BootstrapNoApprover => {
            return "deploy an approver for the kubelets' certificate requests, then remove the flag: \
                    while requests are pending, the flag does not help either"
                .into();
        }
        ServingState::StaticFiles => {
            return "give metrics-server the certificates' authority with \
                    --kubelet-certificate-authority instead"
                .into();
        }
        _ => {}
    }
    let approve = match cluster.approvers.iter().any(|approver| approver.certain) {
        true => "",
        false => " deploy an approver,",
    };
    match cluster.platform.as_ref().map(|it| (it.name, it.request)) {
        Some((platform, None)) => {
            format!("remove the flag: {platform} signs the kubelets' certificates")
        }
        Some((platform, Some(request))) => {
            format!("{request} ({platform}),{approve} then remove the flag")
        }
        None => format!(
            "remove the flag where the platform signs the certificates (EKS, AKS, GKE, k3s); \
             elsewhere set serverTLSBootstrap to true,{approve} then remove it"
        ),
    }
}
