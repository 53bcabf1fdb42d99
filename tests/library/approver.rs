//! What counts as an approver of kubelet serving certificates, and how weak it is.

use std::fmt::Write as _;

use insta::assert_snapshot;

use super::{directory, fixture, helm::in_directory, nowhere, roots, unindented, written::read};
use crate::{
    config::Config,
    model::approver::{elsewhere, find},
    pipeline::{analyze, check},
    problem::Problem,
    resolve::environment::{EntryKind, Environment, Object, Release},
    source::Sources,
};

/// The approvers in an environment: `perhaps` one that is not certain, and below it what is weak.
fn found(sources: &Sources, environment: &Environment) -> String {
    let mut text = String::new();
    for approver in find(sources, environment) {
        let certain = if approver.certain { "" } else { "perhaps " };
        _ = writeln!(text, "{certain}{}", approver.name);
        for (weakness, _) in &approver.weaknesses {
            _ = writeln!(text, "  {weakness}");
        }
    }
    text
}

fn environment() -> Environment {
    Environment::new("prod", EntryKind::Manifests, nowhere())
}

/// The approvers among the documents of `text`.
fn objects(text: &str) -> String {
    let sources = Sources::in_memory([("objects.yaml", unindented(text))]);
    let objects = roots(&sources, "objects.yaml").into_iter().map(Object::new).collect();
    found(&sources, &Environment { objects, ..environment() })
}

/// The approver that `chart` installs with `values`.
fn chart(chart: &str, values: &str) -> String {
    let sources = Sources::in_memory([("values.yaml", unindented(values))]);
    let values = roots(&sources, "values.yaml").remove(0);
    let release = Release { chart: chart.into(), values, ..in_directory(None) };
    found(&sources, &Environment { releases: vec![release], ..environment() })
}

/// What stands in its values is for the chart in it, and what that makes is judged itself.
#[test]
fn a_chart_of_the_repository_around_an_approver_has_no_weakness_of_its_own() {
    let sources = Sources::in_memory([("values.yaml", "kubelet-csr-approver: {providerRegex: a}")]);
    let values = roots(&sources, "values.yaml").remove(0);
    let chart = "system/kubelet-csr-approver".to_owned();
    let release = Release { chart, values, ..in_directory(Some("system/kubelet-csr-approver")) };
    let environment = Environment { releases: vec![release], ..environment() };
    assert_eq!(found(&sources, &environment), "kubelet-csr-approver\n");
}

const ROLE: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: our-approver}
rules:
  - apiGroups: [certificates.k8s.io]
    resources: [signers]
    resourceNames: [kubernetes.io/kubelet-serving]
    verbs: [approve]
";

const BINDING: &str = "---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: x}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: our-approver}
subjects: [{kind: ServiceAccount, name: a, namespace: b}]
";

#[test]
fn a_role_that_a_service_account_has() {
    assert_snapshot!(objects(ROLE), @"perhaps our-approver");
    assert_snapshot!(objects(&format!("{ROLE}{BINDING}")), @"our-approver");
    let built_in = "system:certificates.k8s.io:kubelet-serving-approver";
    assert_snapshot!(objects(&BINDING.replace("our-approver", built_in)), @"x");
}

#[test]
fn nothing_approves_is_not_said_where_something_out_of_sight_may() {
    let is_said = |name: &str, text: &str| {
        let sources = fixture(&format!(
            "
            //- kustomization.yaml
            resources: [kubelet.yaml, {}]
            //- kubelet.yaml
            apiVersion: kubelet.config.k8s.io/v1beta1
            kind: KubeletConfiguration
            metadata: {{name: kubelet}}
            serverTLSBootstrap: true
            //- empty.yaml
            {{apiVersion: v1, kind: ConfigMap, metadata: {{name: empty}}}}
            //- {name}
            {text}
            ",
            if name == "other.yaml" { name } else { "empty.yaml" },
        ));
        let (_, clusters) = analyze(&sources, &Config::default());
        check(&clusters).iter().any(|it| it.rule == "serving-bootstrap-without-approver")
    };
    let release = |source: &str, chart: &str| {
        format!(
            "{{apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, metadata: {{name: x}}, \
             spec: {{chart: {{spec: {{chart: {chart}, sourceRef: {{kind: {source}, name: x}}}}}}}}}}"
        )
    };
    let application = |source: &str| {
        format!(
            "{{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {{name: x}}, \
             spec: {{source: {{repoURL: https://x/y, {source}}}, destination: {{namespace: x}}}}}}"
        )
    };
    assert!(!is_said("other.yaml", &release("GitRepository", "./charts/addons")));
    assert!(!is_said("other.yaml", &application("path: addons")));
    // What has a name of its own is that.
    assert!(is_said("other.yaml", &release("HelmRepository", "cilium")));
    assert!(is_said("other.yaml", &application("chart: cilium, targetRevision: 1.16.0")));
    for script in ["up.fish", "Jenkinsfile", "up.zsh", "Vagrantfile"] {
        assert!(!is_said(script, "kubectl certificate approve x"), "{script}");
    }
    assert!(!is_said("approve.py", "api.replace_certificate_signing_request_approval(name, csr)"));
    let pulumi = "{}\n            //- index.ts\n            chart: 'kubelet-csr-approver'";
    assert!(!is_said("Pulumi.yaml", pulumi));
    assert!(is_said("README.md", "kubectl certificate approve x"));
}

#[test]
fn roles_that_approve_something_else() {
    for (from, to) in [
        ("kubernetes.io/kubelet-serving", "issuers.cert-manager.io/*"),
        ("[signers]", "[certificatesigningrequests]"),
        ("[approve]", "[sign]"),
        ("[certificates.k8s.io]", "['*']"),
    ] {
        assert_eq!(objects(&ROLE.replace(from, to)), "", "{to}");
    }
}

/// The approver that a Deployment of `container` is.
fn container(container: &str) -> String {
    let deployment = "
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: approver}
        spec: {template: {spec: {containers: [CONTAINER]}}}
    ";
    objects(&deployment.replace("CONTAINER", container))
}

#[test]
fn known_images() {
    assert_snapshot!(container("{
        image: ghcr.io/postfinance/kubelet-csr-approver:v1.2.3,
        env: [{name: PROVIDER_REGEX, value: '^node-[0-9]+$'}],
    }"), @"kubelet-csr-approver");
    assert_snapshot!(container("{
        image: ghcr.io/alex1989hu/kubelet-serving-cert-approver:main,
        args: [serve],
    }"), @"
    kubelet-serving-cert-approver
      the image's tag main may change
    ");
    assert_snapshot!(container("{
        image: ghcr.io/siderolabs/talos-cloud-controller-manager:v1.9.0,
        args: [--controllers=node-csr-approval],
    }"), @"talos-cloud-controller-manager");
    assert_snapshot!(container("{
        image: ghcr.io/siderolabs/talos-cloud-controller-manager:v1.9.0,
        args: [--controllers=cloud-node],
    }"), @"");
    assert_snapshot!(container("{image: nginx:1}"), @"");
}

#[test]
fn a_job_that_approves_everything() {
    assert_snapshot!(container("{
        image: bitnami/kubectl:1.31,
        command: [sh, -c, kubectl get csr -o name | xargs kubectl certificate approve],
    }"), @"
    approver
      `kubectl certificate approve` accepts every request without a look at it
    ");
}

#[test]
fn charts() {
    let approver = |values: &str| chart("postfinance/kubelet-csr-approver", values);
    assert_snapshot!(approver("{}"), @"
    kubelet-csr-approver
      providerRegex is not set, so every host name is accepted
    ");
    assert_snapshot!(approver(r"providerRegex: ^node-\d+$"), @"kubelet-csr-approver");
    for block in ["|", ">", "|+"] {
        let regex = format!("providerRegex: {block}\n  ^(node-a|node-b)$\n\n");
        assert_eq!(approver(&regex), "kubelet-csr-approver\n", "{block}");
    }
    assert_snapshot!(approver(r"providerRegex: node-\d+$"), @"
    kubelet-csr-approver
      providerRegex is not anchored with ^ and $, so it also accepts longer host names
    ");
    assert_snapshot!(approver("
        providerRegex: ^node$
        bypassDnsResolution: true
    "), @"
    kubelet-csr-approver
      IP addresses are not checked: DNS is bypassed and no prefixes are set
    ");
    assert_snapshot!(approver("
        providerRegex: ^node$
        bypassDnsResolution: true
        providerIpPrefixes: [10.0.0.0/8]
    "), @"kubelet-csr-approver");
    assert_snapshot!(approver("providerRegex: ${REGEX}"), @"kubelet-csr-approver");
    assert_snapshot!(approver("env: [{name: PROVIDER_REGEX, value: x}]"), @"kubelet-csr-approver");
    let talos = |values| chart("talos-cloud-controller-manager", values);
    assert_snapshot!(talos("{}"), @"");
    assert_snapshot!(talos("enabledControllers: [node-csr-approval]"), @"talos-cloud-controller-manager");
}

#[test]
fn references() {
    assert_snapshot!(objects("
        apiVersion: argoproj.io/v1alpha1
        kind: Application
        metadata: {name: a}
        spec:
          source:
            repoURL: https://github.com/alex1989hu/kubelet-serving-cert-approver
            path: deploy
    "), @"kubelet-serving-cert-approver");
    assert_snapshot!(objects("
        apiVersion: source.toolkit.fluxcd.io/v1
        kind: HelmRepository
        metadata: {name: a}
        spec: {url: 'https://postfinance.github.io/kubelet-csr-approver'}
    "), @"perhaps kubelet-csr-approver");
}

#[test]
fn remote_manifests_that_nobody_fetched() {
    let sources = fixture(
        "
        //- kustomization.yaml
        resources:
          - https://raw.githubusercontent.com/alex1989hu/kubelet-serving-cert-approver/main/deploy/standalone-install.yaml
        ",
    );
    let kustomization = roots(&sources, "kustomization.yaml").remove(0);
    let url = &kustomization.items_at("resources")[0].origin;
    let problems = vec![Problem::unresolved(url, "not fetched")];
    assert_snapshot!(found(&sources, &Environment { problems, ..environment() }), @"
    kubelet-serving-cert-approver
      it comes from a branch, which may change
    ");
}

#[test]
fn mentions_anywhere_but_in_comments_and_prose() {
    let of = |path: &str, text: &str| elsewhere(&Sources::in_memory([(path, text)])).len();
    assert_eq!(of("other/release.yaml", "chart: kubelet-csr-approver"), 1);
    assert_eq!(of("setup.sh", "kubectl get csr -o name | xargs kubectl certificate approve"), 1);
    assert_eq!(of("kubelet.yaml", "serverTLSBootstrap: true # needs kubelet-csr-approver"), 0);
    assert_eq!(of("kubelet.yaml", "# kubelet-csr-approver"), 0);
    assert_eq!(of("README.md", "install kubelet-csr-approver"), 0);
}

/// How the kubelets get their certificates where Flux builds a directory `apps` of `kustomization`.
fn serving(kustomization: &str, more: &str) -> &'static str {
    let files = format!(
        "
        //- clusters/prod/flux.yaml
        apiVersion: kustomize.toolkit.fluxcd.io/v1
        kind: Kustomization
        metadata: {{name: apps, namespace: flux-system}}
        spec: {{path: ./apps, sourceRef: {{kind: GitRepository, name: flux-system}}}}
        ---
        apiVersion: kustomize.toolkit.fluxcd.io/v1
        kind: Kustomization
        metadata: {{name: metrics-server, namespace: flux-system}}
        spec: {{path: ./metrics, sourceRef: {{kind: GitRepository, name: flux-system}}}}
        {more}
        //- metrics/deployment.yaml
        apiVersion: apps/v1
        kind: Deployment
        metadata: {{name: metrics-server, namespace: kube-system}}
        spec: {{template: {{spec: {{containers: [{{name: metrics-server, image: metrics-server:v0.7.2}}]}}}}}}
        //- nodes/kubelet.yaml
        apiVersion: kubelet.config.k8s.io/v1beta1
        kind: KubeletConfiguration
        serverTLSBootstrap: true
        //- apps/kustomization.yaml
        {kustomization}
        //- apps/names.yaml
        {{apiVersion: v1, kind: Namespace, metadata: {{name: blog}}}}
        "
    );
    let directory = directory(&files);
    let (_, clusters) = read(directory.path());
    let [(_, cluster)] = &clusters[..] else { panic!("{} environments", clusters.len()) };
    cluster.serving.state.id()
}

#[test]
fn what_lies_outside_the_repository_may_approve() {
    let none = "bootstrapped-without-approver";
    let flux = |spec: &str| {
        format!(
            "---\n        apiVersion: kustomize.toolkit.fluxcd.io/v1\n        kind: Kustomization\n        \
             metadata: {{name: more, namespace: flux-system}}\n        spec: {spec}"
        )
    };
    assert_eq!(serving("resources: [names.yaml]", ""), none);
    for unseen in [
        "resources: [names.yaml, https://example.com/all.yaml]",
        "resources: [names.yaml, 'https://github.com/example/platform//addons?ref=v1']",
        "resources: [names.yaml, gone.yaml]",
        "resources: [names.yaml, ../gone]",
        "{resources: [names.yaml], components: [../gone]}",
        "{resources: [names.yaml], components: ['https://github.com/example/platform//a']}",
    ] {
        assert_eq!(serving(unseen, ""), "unknown", "{unseen}");
    }
    for elsewhere in [
        "{path: ./gone, sourceRef: {kind: GitRepository, name: flux-system}}",
        "{path: ./addons, sourceRef: {kind: GitRepository, name: platform}}",
        "{sourceRef: {kind: OCIRepository, name: platform}}",
    ] {
        assert_eq!(serving("resources: [names.yaml]", &flux(elsewhere)), "unknown", "{elsewhere}");
    }
    // What these may hold or change approves nothing.
    for seen in [
        "{resources: [names.yaml], patches: [{path: 'https://example.com/patch.yaml'}]}",
        "{resources: [names.yaml], configMapGenerator: [{name: a, envs: [gone.env]}]}",
        "{resources: [names.yaml], patches: [{path: gone.yaml}]}",
        "{resources: [names.yaml], field: 1}",
        "resources: [names.yaml, ../apps]",
    ] {
        assert_eq!(serving(seen, ""), none, "{seen}");
    }
    let release = "---
        apiVersion: helm.toolkit.fluxcd.io/v2
        kind: HelmRelease
        metadata: {name: grafana, namespace: grafana}
        spec: {chart: {spec: {chart: grafana, sourceRef: {kind: HelmRepository, name: grafana}}}}";
    assert_eq!(serving("resources: [names.yaml]", release), none);
}
