//! What counts as an approver of kubelet serving certificates, and how weak it is.

use crate::{
    model::{
        Approver,
        approver::{elsewhere, find},
    },
    problem::Problem,
    resolve::environment::{Entry, EntryKind, Environment, Object, Release},
    scalar::Dialect,
    source::Sources,
    tree::{Node, Origin, Via},
};

const TALOS: &str = "talos-cloud-controller-manager";

/// An environment of the documents in `text` and releases with (chart, values).
fn found(text: &str, releases: &[(&str, &str)]) -> Vec<Approver> {
    let files = [("objects.yaml".to_owned(), text.to_owned())].into_iter().chain(
        releases.iter().map(|(chart, values)| (format!("{chart}.values"), (*values).to_owned())),
    );
    let sources = Sources::in_memory(files);
    let roots = |path: &str| -> Vec<Node> {
        let file = sources.find(path).expect("it is there");
        sources.documents(file, Dialect::Sigs).roots().cloned().collect()
    };
    let nowhere = || Origin::at(Via::Written, None);
    let environment = Environment {
        name: "prod".into(),
        entry: Entry { kind: EntryKind::Manifests, origin: nowhere() },
        objects: roots("objects.yaml").into_iter().map(Object::new).collect(),
        settings: None,
        releases: releases
            .iter()
            .map(|(chart, _)| Release {
                name: "release".into(),
                namespace: "kube-system".into(),
                via: "helm-release",
                family: None,
                chart: (*chart).to_owned(),
                version: None,
                values: roots(&format!("{chart}.values")).remove(0),
                anchor: nowhere(),
                suspended: false,
                alias: None,
                directory: None,
            })
            .collect(),
        files: Vec::new(),
        problems: Vec::new(),
    };
    find(&sources, &environment)
}

fn names(found: &[Approver]) -> Vec<(&str, bool)> {
    found.iter().map(|it| (&*it.name, it.certain)).collect()
}

fn weaknesses(found: &[Approver]) -> Vec<String> {
    found.iter().flat_map(|it| &it.weaknesses).map(|(it, _)| it.to_string()).collect()
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

#[test]
fn a_role_that_a_service_account_has() {
    assert_eq!(names(&found(ROLE, &[])), [("our-approver", false)]);
    let bound = "---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: x}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: our-approver}
subjects: [{kind: ServiceAccount, name: a, namespace: b}]
";
    assert_eq!(names(&found(&format!("{ROLE}{bound}"), &[])), [("our-approver", true)]);
    let built_in = bound
        .replace("name: our-approver", "name: system:certificates.k8s.io:kubelet-serving-approver");
    assert_eq!(names(&found(&built_in, &[])), [("x", true)]);
}

#[test]
fn roles_that_approve_something_else() {
    for (from, to) in [
        ("kubernetes.io/kubelet-serving", "issuers.cert-manager.io/*"),
        ("[signers]", "[certificatesigningrequests]"),
        ("[approve]", "[sign]"),
        ("[certificates.k8s.io]", "['*']"),
    ] {
        assert!(found(&ROLE.replace(from, to), &[]).is_empty(), "{to}");
    }
}

fn deployment(image: &str, rest: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: approver}}\nspec:\n  template:\n    \
         spec:\n      containers:\n        - image: {image}\n          {rest}\n"
    )
}

#[test]
fn known_images() {
    let of = |image, rest| found(&deployment(image, rest), &[]);
    let strict = "env: [{name: PROVIDER_REGEX, value: '^node-[0-9]+$'}]";
    let approver = of("ghcr.io/postfinance/kubelet-csr-approver:v1.2.3", strict);
    assert_eq!(names(&approver), [("kubelet-csr-approver", true)]);
    assert!(approver[0].weaknesses.is_empty());
    let alex = of("ghcr.io/alex1989hu/kubelet-serving-cert-approver:main", "args: [serve]");
    assert_eq!(weaknesses(&alex), ["the image's tag main may change"]);
    let talos = |args| of("ghcr.io/siderolabs/talos-cloud-controller-manager:v1.9.0", args);
    assert_eq!(names(&talos("args: [--controllers=node-csr-approval]")), [(TALOS, true)]);
    assert!(talos("args: [--controllers=cloud-node]").is_empty());
    assert!(of("nginx:1", "").is_empty());
}

#[test]
fn a_job_that_approves_everything() {
    let job = deployment(
        "bitnami/kubectl:1.31",
        "command: [sh, -c, kubectl get csr -o name | xargs kubectl certificate approve]",
    );
    assert_eq!(names(&found(&job, &[])), [("approver", true)]);
    assert_eq!(weaknesses(&found(&job, &[])).len(), 1);
}

#[test]
fn charts() {
    let of = |chart, values| found("", &[(chart, values)]);
    let chart = "postfinance/kubelet-csr-approver";
    assert_eq!(names(&of(chart, "{}")), [("kubelet-csr-approver", true)]);
    assert_eq!(
        weaknesses(&of(chart, "{}")),
        ["providerRegex is not set, so every host name is accepted"]
    );
    assert!(weaknesses(&of(chart, "providerRegex: ^node-\\d+$")).is_empty());
    assert_eq!(weaknesses(&of(chart, "providerRegex: node-\\d+$")).len(), 1);
    let bypass = "providerRegex: ^node$\nbypassDnsResolution: true\n";
    assert_eq!(weaknesses(&of(chart, bypass)).len(), 1);
    let prefixes = format!("{bypass}providerIpPrefixes: [10.0.0.0/8]\n");
    assert!(weaknesses(&of(chart, &prefixes)).is_empty());
    assert!(weaknesses(&of(chart, "providerRegex: ${REGEX}")).is_empty());
    assert!(weaknesses(&of(chart, "env: [{name: PROVIDER_REGEX, value: x}]")).is_empty());
    assert!(of(TALOS, "{}").is_empty());
    assert_eq!(names(&of(TALOS, "enabledControllers: [node-csr-approval]")), [(TALOS, true)]);
}

#[test]
fn references() {
    let app = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\nspec:\n  source: {repoURL: 'https://github.com/alex1989hu/kubelet-serving-cert-approver', path: deploy}\n";
    assert_eq!(names(&found(app, &[])), [("kubelet-serving-cert-approver", true)]);
    let source = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata: {name: a}\nspec: {url: 'https://postfinance.github.io/kubelet-csr-approver'}\n";
    assert_eq!(names(&found(source, &[])), [("kubelet-csr-approver", false)]);
}

#[test]
fn remote_manifests_that_nobody_fetched() {
    let text = "resources:\n  - https://raw.githubusercontent.com/alex1989hu/kubelet-serving-cert-approver/main/deploy/standalone-install.yaml\n";
    let sources = Sources::in_memory([("kustomization.yaml", text)]);
    let file = sources.find("kustomization.yaml").expect("it is there");
    let root = sources.documents(file, Dialect::Sigs).roots().next().expect("a document");
    let url = &root.get("resources").expect("a list").items()[0];
    let nowhere = Origin::at(Via::Written, None);
    let environment = Environment {
        name: "prod".into(),
        entry: Entry { kind: EntryKind::Kustomization, origin: nowhere },
        settings: None,
        objects: Vec::new(),
        releases: Vec::new(),
        files: Vec::new(),
        problems: vec![Problem::unresolved(&url.origin, "not fetched")],
    };
    let found = find(&sources, &environment);
    assert_eq!(names(&found), [("kubelet-serving-cert-approver", true)]);
    assert_eq!(weaknesses(&found), ["it comes from a branch, which may change"]);
}

#[test]
fn mentions_anywhere_but_in_comments_and_prose() {
    let of = |path: &str, text: &str| {
        let sources = Sources::in_memory([(path, text)]);
        elsewhere(&sources).len()
    };
    assert_eq!(of("other/release.yaml", "chart: kubelet-csr-approver"), 1);
    assert_eq!(of("setup.sh", "kubectl get csr -o name | xargs kubectl certificate approve"), 1);
    assert_eq!(of("kubelet.yaml", "serverTLSBootstrap: true # needs kubelet-csr-approver"), 0);
    assert_eq!(of("kubelet.yaml", "# kubelet-csr-approver"), 0);
    assert_eq!(of("README.md", "install kubelet-csr-approver"), 0);
}
