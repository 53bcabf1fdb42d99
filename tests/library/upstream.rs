//! What the rules say of upstream's own defaults: every version of every chart that is known, with no
//! values, and every manifest that a release attaches. Above a note there is only what is true of that
//! version; the snapshot is read by a person.

use insta::assert_snapshot;

use crate::{
    config::Config,
    data::{Family, charts},
    pipeline::{analyze, check},
    resolve::kustomize::remote,
    settle::{Scope, settle},
    source::Sources,
};

/// A release with the defaults of a chart.
const RELEASE: &str = "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {name: charts, namespace: kube-system}
spec: {url: \"URL\"}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: metrics-server, namespace: kube-system}
spec:
  chart:
    spec:
      chart: metrics-server
      version: VERSION
      sourceRef: {kind: HelmRepository, name: charts}
";

/// The rules with findings above a note in a repository of one file, each with how bad it is.
fn above_notes(path: &str, text: &str) -> String {
    let sources = Sources::in_memory([(path, text)]);
    let (environments, clusters) = analyze(&sources, &Config::default());
    let found = check(&clusters);
    let is_there = clusters.iter().any(|it| !it.metrics_servers.is_empty());
    assert!(is_there || found.iter().any(|it| it.rule == "build-fails"), "none in\n{text}");
    let settled = settle(&sources, &Config::default(), &environments, found, &Scope::all());
    let shown = settled.findings.iter().filter(|it| it.severity.id() != "note");
    let mut rules: Vec<_> = shown.map(|it| format!("{} {}", it.severity.id(), it.rule)).collect();
    rules.dedup();
    if rules.is_empty() { "nothing".to_owned() } else { rules.join(", ") }
}

/// Versions in a row of which the same is said, as `first to last: what`.
fn runs(said: impl Iterator<Item = (String, String)>) -> String {
    let mut runs: Vec<(String, String, String)> = Vec::new();
    for (version, what) in said {
        match runs.last_mut() {
            Some((_, last, its)) if *its == what => *last = version,
            _ => runs.push((version.clone(), version, what)),
        }
    }
    let line = |(first, last, what): &(String, String, String)| match first == last {
        true => format!("{first}: {what}\n"),
        false => format!("{first} to {last}: {what}\n"),
    };
    runs.iter().map(line).collect()
}

#[test]
fn defaults_of_charts_have_the_faults_of_their_versions() {
    let charts = [
        (Family::KubernetesSigs, "https://kubernetes-sigs.github.io/metrics-server/"),
        (Family::Bitnami, "https://charts.bitnami.com/bitnami"),
        (Family::Stable, "https://charts.helm.sh/stable"),
    ];
    let mut said = String::new();
    for (family, url) in charts {
        let of = |version: &semver::Version| {
            let text = RELEASE.replace("URL", url).replace("VERSION", &version.to_string());
            (version.to_string(), above_notes("release.yaml", &text))
        };
        said += &format!("{url}\n{}\n", runs(charts::chart(family).versions().map(of)));
    }
    assert_snapshot!("charts", said);
}

#[test]
fn manifests_of_releases_have_the_faults_of_their_versions() {
    let mut said = String::new();
    for file in ["components.yaml", "high-availability.yaml", "high-availability-1.21+.yaml"] {
        let of = |tag: &str| {
            let url = "https://github.com/kubernetes-sigs/metrics-server/releases/download";
            let text = format!("resources:\n- {url}/{tag}/{file}\n");
            (tag.to_owned(), above_notes("kustomization.yaml", &text))
        };
        let tags = remote::released(file);
        said += &format!("{file}\n{}\n", runs(tags.map(of)));
    }
    assert_snapshot!("manifests", said);
}
