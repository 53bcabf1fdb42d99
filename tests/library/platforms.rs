//! Every carrier of kubelet settings, node counts and platforms: a small repository each in
//! `testdata/platforms/`, the state and the number of nodes that it must yield, and a snapshot of
//! all that is understood, with places.

use std::{fmt::Write as _, fs, path::Path};

use crate::{
    analyze, check,
    config::Config,
    discover,
    finding::Severity,
    model::{Cluster, Count, Datum, Fact},
    report::show_json,
    source::{Sources, Span},
    tree::Origin,
};

/// Scenario, environment, state of the serving certificates, nodes.
const EXPECTED: &[(&str, &str, &str, &str)] = &[
    ("kubeadm", "default", "bootstrapped-and-approved", "absent"),
    ("kubeadm-self-signed", "default", "self-signed", "absent"),
    ("kubeadm-mixed", "default", "mixed", "absent"),
    ("kubeadm-patches", "default", "bootstrapped-without-approver", "absent"),
    ("kubeadm-join-only", "default", "unknown", "absent"),
    ("kubelet-config-map", "default", "bootstrapped-without-approver", "absent"),
    ("kubelet-configuration", "default", "self-signed", "absent"),
    ("kubelet-drop-ins", "default", "static-files", "absent"),
    ("talhelper", "default", "bootstrapped-and-approved", "3"),
    ("talos-no-approver", "default", "bootstrapped-without-approver", "absent"),
    ("talos-extra-manifests", "default", "bootstrapped-and-approved", "absent"),
    ("talos-self-signed", "default", "self-signed", "absent"),
    ("kind", "default", "self-signed", "3"),
    ("kind-bootstrap", "default", "bootstrapped-without-approver", "1"),
    ("kind-for-tests", "metrics-server", "unknown", "absent"),
    ("k3s", "default", "signed-by-platform", "absent"),
    ("k3s-own-metrics-server", "default", "signed-by-platform", "absent"),
    ("rke2", "default", "signed-by-platform", "absent"),
    ("k3d", "default", "signed-by-platform", "3"),
    ("rancher", "default", "signed-by-platform", "8"),
    ("rke1", "default", "self-signed", "2"),
    ("rke1-signed", "default", "signed-by-platform", "1"),
    ("kops", "default", "signed-by-platform", "5 to 23"),
    ("eksctl", "default", "signed-by-platform", "5 to 14"),
    ("gardener", "default", "signed-by-platform", "3 to 9"),
    ("openshift", "default", "signed-by-platform", "4"),
    ("kubeone", "default", "signed-by-platform", "7"),
    ("k0sctl", "default", "signed-by-platform", "2"),
    ("k0sctl-no-approver", "default", "bootstrapped-without-approver", "1"),
    ("eks-aws-auth", "default", "signed-by-platform", "absent"),
    ("aks", "default", "signed-by-platform", "absent"),
    ("cluster-api", "default", "bootstrapped-without-approver", "5 to 13"),
    ("cluster-api-partly", "default", "mixed", "3"),
    ("cluster-api-hetzner", "default", "bootstrapped-and-approved", "1"),
    ("cluster-api-topology", "default", "unknown", "9 to 58"),
    ("cluster-api-class", "default", "unknown", "absent"),
    ("cluster-api-managed", "default", "signed-by-platform", "absent"),
    ("cluster-api-talos", "default", "bootstrapped-and-approved", "3"),
    ("systemd", "default", "self-signed", "absent"),
    ("systemd-drop-in", "default", "bootstrapped-without-approver", "absent"),
    ("cloud-init", "default", "static-files", "absent"),
    ("cloud-init-k3s", "default", "signed-by-platform", "absent"),
    ("butane", "default", "bootstrapped-without-approver", "absent"),
    ("karpenter", "default", "signed-by-platform", "absent"),
    ("kubespray", "default", "bootstrapped-and-approved", "8"),
    ("kubespray-self-signed", "default", "self-signed", "absent"),
    ("terraform-eks", "default", "signed-by-platform", "2 to 40"),
    ("terraform-eks-module", "default", "signed-by-platform", "3 or more"),
    ("terraform-aks", "default", "signed-by-platform", "4 to 23"),
    ("terraform-gke", "default", "signed-by-platform", "1 to 6"),
    ("terraform-talos", "default", "unknown", "absent"),
    ("terraform-kind", "default", "unknown", "2"),
    ("talos-flux", "kubernetes/flux/cluster", "bootstrapped-and-approved", "3"),
    ("k3s-insecure", "default", "signed-by-platform", "absent"),
    ("kind-templated", "default", "unknown", "1"),
    ("cluster-api-templated", "default", "self-signed", "unknown"),
    ("minikube", "default", "unknown", "absent"),
    ("colima", "default", "signed-by-platform", "absent"),
    ("docker-desktop", "default", "unknown", "absent"),
    ("k3s-ansible", "default", "signed-by-platform", "absent"),
    ("k3s-upgrade-plan", "default", "signed-by-platform", "absent"),
    ("openshift-install", "default", "signed-by-platform", "5"),
    ("openshift-autoscaled", "default", "signed-by-platform", "2 to 12"),
    ("cluster-api-management", "clusters/management", "unknown", "absent"),
    ("talos-and-kind", "default", "self-signed", "absent"),
    ("kubeadm-split", "default", "unknown", "absent"),
    ("approver-elsewhere", "default", "unknown", "absent"),
];

#[test]
fn states_and_node_counts() {
    let mut wrong = Vec::new();
    for (scenario, environment, state, nodes) in EXPECTED {
        let (_, clusters) = read(scenario);
        let got: Vec<_> = clusters
            .iter()
            .map(|it| (&*it.environment, it.serving.state.id(), count(&it.nodes)))
            .collect();
        if !got.contains(&(environment, state, (*nodes).to_owned())) {
            wrong.push(format!("{scenario}: expected {environment} {state} {nodes}, got {got:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Platforms that sign the certificates, and clusters on one's own machine, are never accused of
/// what is right there: nothing is worse than a note.
#[test]
fn what_a_platform_does_is_no_finding() {
    let local = ["kind", "terraform-kind", "minikube", "docker-desktop"];
    let signed = EXPECTED.iter().filter(|(name, _, state, _)| {
        // One is there for the flag that its platform makes pointless.
        (*state == "signed-by-platform" && *name != "k3s-insecure") || local.contains(name)
    });
    for (scenario, ..) in signed {
        let (_, clusters) = read(scenario);
        let worse = check(&clusters).into_iter().filter(|it| it.severity > Severity::Note);
        assert_eq!(
            worse.map(|it| it.message).collect::<Vec<_>>(),
            Vec::<String>::new(),
            "{scenario}"
        );
    }
}

#[test]
fn every_scenario_is_expected_and_has_its_snapshot() {
    let mut scenarios: Vec<String> = fs::read_dir(root())
        .expect("the scenarios are there")
        .map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8"))
        .collect();
    scenarios.sort();
    for scenario in scenarios {
        let expected = EXPECTED.iter().any(|(name, ..)| *name == scenario);
        assert!(expected, "{scenario} is not in the table of expectations");
        let (sources, clusters) = read(&scenario);
        let mut text: String = clusters.iter().map(|it| describe(&sources, it)).collect();
        for finding in check(&clusters) {
            let at = finding.primary().map(|it| place(&sources, it.span)).unwrap_or_default();
            let severity = finding.severity.id();
            _ = writeln!(text, "{severity}[{}] {} ({at})", finding.rule, finding.message);
        }
        insta::with_settings!({
            snapshot_path => format!("{}/{scenario}", root()),
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!("expected", text);
            insta::assert_snapshot!("show", shown(&scenario));
        });
    }
}

fn root() -> &'static str {
    concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/platforms")
}

fn read(scenario: &str) -> (Sources, Vec<Cluster>) {
    let path = Path::new(root()).join(scenario);
    let sources = discover::open(&path, &|| ()).expect("the scenario is readable");
    let (_, clusters) = analyze(&sources, &Config::default());
    (sources, clusters)
}

/// What `show --format json` prints.
fn shown(scenario: &str) -> String {
    let path = Path::new(root()).join(scenario);
    let sources = discover::open(&path, &|| ()).expect("the scenario is readable");
    let (environments, clusters) = analyze(&sources, &Config::default());
    let all: Vec<_> = environments.into_iter().zip(clusters).collect();
    show_json(&sources, &all)
}

fn count(count: &Fact<Count>) -> String {
    match count {
        Fact::Known(Count { min, max: Some(max) }, _) if min == max => min.to_string(),
        Fact::Known(Count { min, max: Some(max) }, _) => format!("{min} to {max}"),
        Fact::Known(Count { min, max: None }, _) => format!("{min} or more"),
        Fact::Absent(_) => "absent".into(),
        Fact::Unknown(..) => "unknown".into(),
    }
}

fn place(sources: &Sources, span: Span) -> String {
    let start = sources.start(span);
    format!("{}:{}:{}", sources[span.file].path, start.line, start.column)
}

/// One line a thing, each with its place.
fn describe(sources: &Sources, cluster: &Cluster) -> String {
    let mut text = format!("environment {}\n", cluster.environment);
    let at = |origin: &Origin| {
        let steps = origin.steps().filter_map(|step| Some(place(sources, step.span?)));
        steps.collect::<Vec<_>>().join(" > ")
    };
    let fact = |fact: &Fact<Datum>| match fact {
        Fact::Known(Datum::Bool(it), origin) => format!("{it} ({})", at(origin)),
        Fact::Known(Datum::Int(it), origin) => format!("{it} ({})", at(origin)),
        Fact::Known(Datum::Text(it), origin) => format!("{it} ({})", at(origin)),
        Fact::Known(Datum::List(it), origin) => format!(
            "{} ({})",
            it.iter().map(|it| it.as_deref().unwrap_or("unknown")).collect::<Vec<_>>().join(" "),
            at(origin)
        ),
        Fact::Absent(_) => "absent".into(),
        Fact::Unknown(why, _) => format!("unknown: {why}"),
    };
    let mut line = |level: usize, it: String| {
        _ = writeln!(text, "{}{it}", "  ".repeat(level));
    };
    line(1, format!("serving {}", cluster.serving.state.id()));
    for (says, origin) in &cluster.serving.evidence {
        line(2, format!("{says} ({})", at(origin)));
    }
    if let Some((why, origin)) = &cluster.local {
        line(1, format!("local: {why} ({})", at(origin)));
    }
    for (name, it) in [("nodes", &cluster.nodes), ("pods per node", &cluster.pods_per_node)] {
        match it {
            Fact::Known(_, origin) => line(1, format!("{name} {} ({})", count(it), at(origin))),
            Fact::Unknown(why, _) => line(1, format!("{name} unknown: {why}")),
            Fact::Absent(_) => {}
        }
    }
    for kubelet in &cluster.kubelets {
        line(1, format!("kubelet {} / {}: {}", kubelet.cluster, kubelet.group, kubelet.carrier));
        for (name, it) in kubelet.facts() {
            if !it.is_absent() {
                line(2, format!("{name} {}", fact(&it)));
            }
        }
    }
    for approver in &cluster.approvers {
        let certain = if approver.certain { "" } else { "perhaps " };
        line(1, format!("{certain}approver {} ({})", approver.name, at(&approver.origin)));
        for (says, origin) in &approver.weaknesses {
            line(2, format!("{says} ({})", at(origin)));
        }
    }
    for server in &cluster.metrics_servers {
        line(
            1,
            format!(
                "metrics-server {} via {} managed {}",
                server.subject(),
                server.via,
                server.managed
            ),
        );
        if server.managed {
            for (name, it) in server.facts() {
                if it.known().is_some() {
                    line(2, format!("{name} {}", fact(&it)));
                }
            }
        }
    }
    for problem in &cluster.problems {
        line(1, format!("{}: {} ({})", problem.kind.rule(), problem.message, at(&problem.at)));
    }
    text
}
