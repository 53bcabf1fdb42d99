//! How the kubelets of an environment get their serving certificates, and what says so.

use std::collections::BTreeMap;

use crate::{
    model::{Approver, ClusterId, Fact, Kubelet, Serving, ServingState, Signer},
    tree::Origin,
};

/// The state of `kubelets`, which `approvers` of the environment or of elsewhere in the repository
/// may approve.
///
/// The absence of evidence is [`ServingState::Unknown`]: only a carrier that defines its nodes says
/// something by saying nothing.
pub(crate) fn state(kubelets: &[Kubelet], approvers: &[Approver]) -> Serving {
    let mut evidence = Vec::new();
    let mut clusters: BTreeMap<&ClusterId, Vec<ServingState>> = BTreeMap::new();
    for kubelet in kubelets {
        let (state, why, origin) = kubelet_state(kubelet, approvers);
        clusters.entry(&kubelet.cluster).or_default().push(state);
        evidence.push((why, origin));
    }
    evidence.extend(approvers.iter().map(|approver| {
        let verb = if approver.certain { "approves" } else { "may approve" };
        let says = format!("{} {verb} kubelet serving certificates", approver.name);
        (says, approver.origin.clone())
    }));
    // Clusters that differ say nothing of the one that this environment runs on.
    let state = clusters
        .values()
        .map(|states| within(states))
        .reduce(|a, b| if a == b { a } else { ServingState::Unknown })
        .unwrap_or(ServingState::Unknown);
    Serving { state, evidence }
}

/// The state of one cluster with groups of nodes in `states`.
fn within(states: &[ServingState]) -> ServingState {
    let known = || states.iter().filter(|it| **it != ServingState::Unknown);
    let Some(first) = known().next() else { return ServingState::Unknown };
    if known().any(|it| it != first) {
        ServingState::Mixed
    } else if known().count() < states.len() {
        ServingState::Unknown
    } else {
        *first
    }
}

/// The state of one group of nodes, with what says so and where.
pub(crate) fn kubelet_state(
    kubelet: &Kubelet,
    approvers: &[Approver],
) -> (ServingState, String, Origin) {
    let told = |state, says: &str, at: Option<&Origin>| {
        let says = format!("{} ({}): {says}", kubelet.carrier.words(), kubelet.group);
        (state, says, at.unwrap_or(&kubelet.anchor).or(&kubelet.anchor))
    };
    let unknown = |says: &str, at| told(ServingState::Unknown, says, at);
    if kubelet.signer == Signer::Platform {
        // A platform's own signer works through bootstrapping too, where it has one.
        return told(ServingState::PlatformSigned, "the platform signs them", None);
    }
    if let Some((why, at)) = kubelet.server_tls_bootstrap.untold() {
        return unknown(&format!("whether they are requested is not known: {why}"), at);
    }
    if let Some((why, at)) = kubelet.tls_cert_file.untold() {
        return unknown(&format!("whether files provide them is not known: {why}"), at);
    }
    let bootstrap = kubelet.server_tls_bootstrap.known().filter(|(requested, _)| **requested);
    match (kubelet.tls_cert_file.known(), bootstrap) {
        // Go prefers the file for clients that send no host name and the requested one for others.
        (Some((_, file)), Some(_)) => {
            unknown("a file provides them, and they are requested as well", Some(file))
        }
        (Some((_, file)), None) => {
            told(ServingState::StaticFiles, "a file provides them", Some(file))
        }
        (None, Some(_)) if kubelet.rotation_gate.value() == Some(&false) => {
            // The validation of KubeletConfiguration refuses this, and the kubelet does not start.
            let gate = kubelet.rotation_gate.origin();
            unknown("they are requested, with the feature gate for that off", gate)
        }
        (None, Some((_, origin))) => {
            let state = match approvers {
                [] => ServingState::BootstrapNoApprover,
                some if some.iter().any(|it| it.certain) => ServingState::BootstrapApproved,
                _ => ServingState::Unknown,
            };
            told(state, "they are requested from the cluster", Some(origin))
        }
        (None, None) => match (&kubelet.server_tls_bootstrap, kubelet.signer) {
            (_, Signer::Unknown | Signer::Platform) => unknown("nothing says who signs them", None),
            (Fact::Known(_, origin), _) if !origin.is_default() => {
                told(ServingState::SelfSigned, "they are not requested", Some(origin))
            }
            (bootstrap, _) if kubelet.complete || bootstrap.value().is_some() => {
                told(ServingState::SelfSigned, "each kubelet signs its own by default", None)
            }
            _ => unknown("nothing says whether they are requested", None),
        },
    }
}
