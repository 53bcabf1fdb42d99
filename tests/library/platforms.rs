//! Every carrier of kubelet settings, node counts and platforms: a small repository each in
//! `testdata/platforms/`, the state and the number of nodes that it must yield, and a snapshot of
//! all that is understood, with places.

use std::fmt::Write as _;

use super::{
    scenarios::{self, Scenario, scenario, scenarios},
    written::{self, place, read},
};
use crate::{
    finding::Severity,
    model::{Count, Fact},
    pipeline::check,
};

/// A test for each scenario: its environment, the state of its serving certificates, its nodes.
macro_rules! platforms {
    ($($name:ident: $environment:literal, $state:literal, $nodes:literal;)*) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];

        $(#[test]
        fn $name() {
            let scenario = scenario(concat!("platforms_", stringify!($name)));
            yields(&scenario, ($environment, $state, $nodes));
            scenarios::holds(&scenario);
        })*
    };
}

platforms! {
    kubeadm: "default", "bootstrapped-and-approved", "absent";
    kubeadm_self_signed: "default", "self-signed", "absent";
    kubeadm_mixed: "default", "mixed", "absent";
    kubeadm_patches: "default", "bootstrapped-without-approver", "absent";
    kubeadm_join_only: "default", "unknown", "absent";
    kubelet_config_map: "default", "bootstrapped-without-approver", "absent";
    kubelet_configuration: "default", "self-signed", "absent";
    kubelet_drop_ins: "default", "static-files", "absent";
    talhelper: "default", "bootstrapped-and-approved", "3";
    topf: "default", "unknown", "3";
    talos_no_approver: "default", "bootstrapped-without-approver", "absent";
    talos_extra_manifests: "default", "bootstrapped-and-approved", "absent";
    talos_self_signed: "default", "self-signed", "absent";
    kind: "default", "self-signed", "3";
    kind_bootstrap: "default", "bootstrapped-without-approver", "1";
    kind_for_tests: "metrics-server", "unknown", "absent";
    k3s: "default", "signed-by-platform", "absent";
    k3s_own_metrics_server: "default", "signed-by-platform", "absent";
    rke2: "default", "signed-by-platform", "absent";
    k3d: "default", "signed-by-platform", "3";
    rancher: "default", "signed-by-platform", "8";
    rke1: "default", "self-signed", "2";
    rke1_signed: "default", "signed-by-platform", "1";
    kops: "default", "signed-by-platform", "5 to 23";
    eksctl: "default", "signed-by-platform", "5 to 14";
    gardener: "default", "signed-by-platform", "3 to 9";
    openshift: "default", "signed-by-platform", "4";
    kubeone: "default", "signed-by-platform", "7";
    k0sctl: "default", "signed-by-platform", "2";
    k0sctl_no_approver: "default", "bootstrapped-without-approver", "1";
    eks_aws_auth: "default", "signed-by-platform", "absent";
    aks: "default", "signed-by-platform", "absent";
    cluster_api: "default", "bootstrapped-without-approver", "5 to 13";
    cluster_api_partly: "default", "mixed", "3";
    cluster_api_hetzner: "default", "bootstrapped-and-approved", "1";
    cluster_api_topology: "default", "unknown", "9 to 58";
    cluster_api_class: "default", "unknown", "absent";
    cluster_api_managed: "default", "signed-by-platform", "absent";
    cluster_api_talos: "default", "bootstrapped-and-approved", "3";
    systemd: "default", "self-signed", "absent";
    systemd_drop_in: "default", "bootstrapped-without-approver", "absent";
    cloud_init: "default", "static-files", "absent";
    cloud_init_k3s: "default", "signed-by-platform", "absent";
    butane: "default", "bootstrapped-without-approver", "absent";
    karpenter: "default", "signed-by-platform", "absent";
    kubespray: "default", "bootstrapped-and-approved", "8";
    kubespray_self_signed: "default", "self-signed", "absent";
    terraform_eks: "default", "signed-by-platform", "2 to 40";
    terraform_eks_module: "default", "signed-by-platform", "3 or more";
    terraform_aks: "default", "signed-by-platform", "4 to 23";
    terraform_gke: "default", "signed-by-platform", "1 to 6";
    terraform_talos: "default", "unknown", "absent";
    terraform_kind: "default", "unknown", "2";
    talos_flux: "kubernetes/flux/cluster", "bootstrapped-and-approved", "3";
    k3s_insecure: "default", "signed-by-platform", "absent";
    kind_templated: "default", "unknown", "1";
    cluster_api_templated: "default", "self-signed", "unknown";
    minikube: "default", "unknown", "absent";
    colima: "default", "signed-by-platform", "absent";
    docker_desktop: "default", "unknown", "absent";
    k3s_ansible: "default", "signed-by-platform", "absent";
    k3s_upgrade_plan: "default", "signed-by-platform", "absent";
    openshift_install: "default", "signed-by-platform", "5";
    openshift_autoscaled: "default", "signed-by-platform", "2 to 12";
    cluster_api_management: "clusters/management", "unknown", "absent";
    talos_and_kind: "default", "self-signed", "absent";
    kubeadm_split: "default", "unknown", "absent";
    approver_elsewhere: "default", "unknown", "absent";
}

#[test]
fn every_scenario_is_a_test() {
    let all = scenarios().into_iter();
    let all: Vec<_> =
        all.filter_map(|it| it.name.strip_prefix("platforms-").map(str::to_owned)).collect();
    let mut names: Vec<_> = NAMES.iter().map(|it| it.replace('_', "-")).collect();
    names.sort();
    assert_eq!(names, all);
}

fn yields(scenario: &Scenario, expected: (&str, &str, &str)) {
    let (sources, environments) = read(&scenario.dir);
    let nodes = |fact: &Fact<Count>| match fact {
        Fact::Known(it, _) => it.to_string(),
        Fact::Absent(_) => "absent".into(),
        Fact::Unknown(..) => "unknown".into(),
        Fact::Invalid { text, .. } => format!("invalid {text}"),
    };
    let mut text: String = environments.iter().map(|it| written::describe(&sources, it)).collect();
    let clusters: Vec<_> = environments.into_iter().map(|(_, cluster)| cluster).collect();
    let states =
        clusters.iter().map(|it| (&*it.environment, it.serving.state.id(), nodes(&it.nodes)));
    let (environment, state, count) = expected;
    let got: Vec<_> = states.collect();
    assert!(got.contains(&(environment, state, count.to_owned())), "{got:?}, not {expected:?}");
    let findings = check(&clusters);
    if is_never_accused(&scenario.name, state) {
        let worse = findings.iter().filter(|it| it.severity > Severity::Note);
        assert_eq!(worse.map(|it| it.message.as_str()).collect::<Vec<_>>(), [""; 0]);
    }
    for finding in findings {
        let at = finding.primary().map(|it| place(&sources, it.span)).unwrap_or_default();
        _ = writeln!(
            text,
            "{}[{}]  {}  {at}",
            finding.severity.id(),
            finding.rule,
            finding.message
        );
    }
    insta::with_settings!({
        snapshot_path => &scenario.dir,
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!("expected", text);
    });
}

/// Platforms that sign the certificates, and clusters on one's own machine, do nothing wrong: nothing
/// is worse than a note.
fn is_never_accused(scenario: &str, state: &str) -> bool {
    match scenario.trim_start_matches("platforms-") {
        "kind" | "terraform-kind" | "minikube" | "docker-desktop" => true,
        // It is there for the flag that its platform makes pointless.
        "k3s-insecure" => false,
        _ => state == "signed-by-platform",
    }
}
