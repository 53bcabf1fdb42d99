//! How kubelets get their serving certificates, by what is known of them.

use super::nowhere;
use crate::model::{
    Approver, Carrier, ClusterId, Fact, Kubelet, KubeletFacts, ServingState, Signer, serving::state,
};

fn fact<T>(value: Option<T>) -> Fact<T> {
    value.map_or(Fact::Absent(None), |it| Fact::Known(it, nowhere()))
}

fn kubelet(bootstrap: Fact<bool>, file: Fact<String>, signer: Signer, complete: bool) -> Kubelet {
    Kubelet {
        cluster: ClusterId::only("kubeadm"),
        group: "workers".into(),
        carrier: Carrier::KubeletConfiguration,
        signer,
        complete,
        anchor: nowhere(),
        facts: KubeletFacts {
            server_tls_bootstrap: bootstrap,
            tls_cert_file: file,
            ..KubeletFacts::default()
        },
    }
}

fn approvers(certain: Option<bool>) -> Vec<Approver> {
    let one = |certain| Approver {
        name: "approver".into(),
        origin: nowhere(),
        certain,
        weaknesses: Vec::new(),
        denies_all: None,
    };
    certain.into_iter().map(one).collect()
}

/// Every combination of what can be known of one group of nodes and of its approvers.
#[test]
fn truth_table() {
    use ServingState as S;
    let unknown = || Fact::Unknown("it is encrypted".into(), None);
    let invalid =
        || Fact::Invalid { text: "yes".into(), why: "it is text".into(), origin: nowhere() };
    for signer in [Signer::Kubelet, Signer::Platform, Signer::Unknown] {
        for complete in [true, false] {
            for approver in [None, Some(false), Some(true)] {
                for bootstrap in [Some(true), Some(false), None] {
                    for file in [Some("/etc/kubelet.crt".to_owned()), None] {
                        let group = kubelet(fact(bootstrap), fact(file.clone()), signer, complete);
                        let expected = match (signer, bootstrap, &file, approver, complete) {
                            (Signer::Platform, ..) => S::PlatformSigned,
                            (_, Some(false) | None, Some(_), ..) => S::StaticFiles,
                            (_, Some(true), None, None, _) => S::BootstrapNoApprover,
                            (_, Some(true), None, Some(true), _) => S::BootstrapApproved,
                            (Signer::Kubelet, Some(false), None, ..)
                            | (Signer::Kubelet, None, None, _, true) => S::SelfSigned,
                            _ => S::Unknown,
                        };
                        let got = state(&[group], &approvers(approver)).state;
                        let case = (signer, bootstrap, file, approver, complete);
                        assert_eq!(got, expected, "{case:?}");
                    }
                }
                for (bootstrap, file) in [
                    (unknown(), fact(None)),
                    (fact(Some(true)), Fact::Unknown("a template".into(), None)),
                    (fact(None), Fact::Unknown("a template".into(), None)),
                    (invalid(), fact(None)),
                ] {
                    let group = kubelet(bootstrap, file, signer, complete);
                    let expected =
                        if signer == Signer::Platform { S::PlatformSigned } else { S::Unknown };
                    assert_eq!(state(&[group], &approvers(approver)).state, expected);
                }
            }
        }
    }
}

#[test]
fn groups_and_clusters() {
    use ServingState as S;
    let on = || kubelet(fact(Some(true)), fact(None), Signer::Kubelet, true);
    let off = || kubelet(fact(None), fact(None), Signer::Kubelet, true);
    let silent = || kubelet(fact(None), fact(None), Signer::Kubelet, false);
    let elsewhere = |it: Kubelet| Kubelet { cluster: ClusterId::only("talos"), ..it };
    let of = |kubelets: &[Kubelet]| state(kubelets, &approvers(Some(true))).state;
    assert_eq!(of(&[]), S::Unknown);
    assert_eq!(of(&[on(), on()]), S::BootstrapApproved);
    assert_eq!(of(&[on(), off()]), S::Mixed);
    assert_eq!(of(&[on(), silent()]), S::Unknown);
    assert_eq!(of(&[on(), off(), silent()]), S::Mixed);
    assert_eq!(of(&[on(), elsewhere(on())]), S::BootstrapApproved);
    assert_eq!(of(&[on(), elsewhere(off())]), S::Unknown, "two clusters are not a mixed one");
}

#[test]
fn evidence_names_its_place() {
    let serving = state(
        &[kubelet(fact(Some(true)), fact(None), Signer::Kubelet, true)],
        &approvers(Some(true)),
    );
    let says: Vec<_> = serving.evidence.iter().map(|(says, _)| says.as_str()).collect();
    assert_eq!(
        says,
        [
            "KubeletConfiguration (workers): they are requested from the cluster",
            "approver approves kubelet serving certificates"
        ]
    );
}
