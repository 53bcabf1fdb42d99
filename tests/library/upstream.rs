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
        let tags = remote::tags_with(file);
        said += &format!("{file}\n{}\n", runs(tags.map(of)));
    }
    assert_snapshot!("manifests", said);
}

/// What is above a note, for what upstream's repository has at a revision.
fn checked_out(files: &str) -> String {
    above_notes("upstream.yaml", files)
}

const APPLICATION: &str = "\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: ms, namespace: argocd}
spec:
  destination: {server: https://kubernetes.default.svc, namespace: kube-system}
  source:
    repoURL: https://github.com/kubernetes-sigs/metrics-server
    path: PATH
    targetRevision: REVISION
    TOOL
";

const FLUX: &str = "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: ms, namespace: kube-system}
spec: {url: \"ssh://git@github.com/kubernetes-sigs/metrics-server.git\", ref: {tag: REVISION}}
---
";

const KUSTOMIZATION: &str = "\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: ms, namespace: kube-system}
spec:
  path: ./PATH
  sourceRef: {kind: GitRepository, name: ms}
  patches:
  - target: {kind: Deployment}
    patch: '- {op: add, path: /spec/template/spec/containers/0/args/-, value: --kubelet-insecure-tls}'
";

const HELM_RELEASE: &str = "\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: ms, namespace: kube-system}
spec:
  chart: {spec: {chart: ./PATH, sourceRef: {kind: GitRepository, name: ms}}}
  values: {args: [--kubelet-insecure-tls]}
";

#[test]
fn upstreams_own_repository_is_a_source() {
    let helm = "helm: {valuesObject: {args: [--kubelet-insecure-tls]}}";
    let patch = "kustomize: {patches: [{target: {kind: Deployment}, patch: '- {op: add, \
        path: /spec/template/spec/containers/0/args/-, value: --kubelet-insecure-tls}'}]}";
    let release = "manifests/overlays/release";
    let of = |template: &str, path: &str, revision: &str, tool: &str| {
        let text = template.replace("PATH", path).replace("REVISION", revision);
        checked_out(&text.replace("TOOL", tool))
    };
    let argo = |path, revision, tool| of(APPLICATION, path, revision, tool);
    let insecure = "warning kubelet-insecure-tls";
    let chart = "charts/metrics-server";
    assert_eq!(argo(chart, "metrics-server-helm-chart-3.12.2", helm), insecure);
    assert_eq!(argo(chart, "HEAD", helm), format!("warning moving-version, {insecure}"));
    assert_eq!(argo(release, "v0.7.2", patch), insecure);
    let [flux, install] = [KUSTOMIZATION, HELM_RELEASE].map(|it| format!("{FLUX}{it}"));
    assert_eq!(of(&flux, release, "v0.7.2", ""), insecure);
    assert_eq!(of(&install, chart, "metrics-server-helm-chart-3.12.2", ""), insecure);
    assert_eq!(of(&install, chart, "v0.7.2", ""), insecure);
}

#[test]
fn what_a_source_reads_beside_upstreams_manifests_is_not_known() {
    let said = |tool: &str, path: &str, revision: &str| {
        let text = APPLICATION.replace("PATH", path).replace("REVISION", revision);
        let sources = Sources::in_memory([("upstream.yaml", &text.replace("TOOL", tool))]);
        let (environments, _) = analyze(&sources, &Config::default());
        let problems = environments.iter().flat_map(|it| &it.problems);
        problems.map(|it| it.message.to_string()).collect::<Vec<_>>().join("\n")
    };
    let release = "manifests/overlays/release";
    let unknown = |at: &str| {
        format!("what metrics-server's repository has in `{release}` at {at} is not known")
    };
    let components = "kustomize: {components: [../../components/high-availability]}";
    assert_eq!(said(components, release, "v0.7.2"), unknown("v0.7.2"));
    assert_eq!(said("", release, "master"), unknown("master"));
    let gone = said("", release, "v0.6.4");
    assert!(gone.contains("v0.7.0 is the first"), "{gone}");
    assert_eq!(said("", release, "v0.7.2"), "");
}
