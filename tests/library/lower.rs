//! What the model says of a metrics-server, and what it cannot say.

use super::fixture;
use crate::{
    config::Config,
    finding::Severity,
    model::{Fact, MetricsServer},
    pipeline::{analyze, check},
    source::Sources,
    tree::Origin,
};

fn server(files: &str) -> MetricsServer {
    server_in(&fixture(files))
}

fn server_in(sources: &Sources) -> MetricsServer {
    let (_, clusters) = analyze(sources, &Config::default());
    clusters.into_iter().find_map(|mut it| it.metrics_servers.pop()).expect("one")
}

#[test]
fn flags_that_a_shell_or_the_environment_passes_are_unknown() {
    let insecure = |container: &str| {
        let deployment = "
            //- ms.yaml
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: metrics-server}
            spec:
              template:
                spec:
                  containers:
                  - {name: metrics-server, image: x/metrics-server:v0.7.2, CONTAINER}
        ";
        server(&deployment.replace("CONTAINER", container)).kubelet_insecure_tls.clone()
    };
    let unknown = [
        "command: [/bin/sh, -c, exec /metrics-server --kubelet-insecure-tls]",
        "args: [$(TLS)], env: [{name: TLS, value: --kubelet-insecure-tls}]",
        "args: [--kubelet-insecure-tls=$(TLS)], envFrom: [{configMapRef: {name: tls}}]",
    ];
    for container in unknown {
        assert!(matches!(insecure(container), Fact::Unknown(..)), "{container}");
    }
    let known = [
        "args: [--v=$(LEVEL)], env: [{name: LEVEL, value: '2'}]",
        "args: [--v=$$(TLS)], env: [{name: TLS, value: '2'}]",
    ];
    for container in known {
        assert!(matches!(insecure(container), Fact::Known(false, _)), "{container}");
    }
}

#[test]
fn what_an_unknown_layer_may_switch_off_is_unknown_and_not_absent() {
    let server = server(
        "
        //- release.yaml
        apiVersion: helm.toolkit.fluxcd.io/v2
        kind: HelmRelease
        metadata: {name: metrics-server, namespace: kube-system}
        spec:
          chart:
            spec:
              chart: metrics-server
              version: 3.12.2
              sourceRef: {kind: HelmRepository, name: metrics-server}
          valuesFrom: [{kind: Secret, name: hidden}]
        ",
    );
    assert!(matches!(server.pdb_min_available, Fact::Unknown(..)));
    assert!(matches!(server.pdb_max_unavailable, Fact::Unknown(..)));
    assert!(matches!(server.api_service_insecure_skip_tls_verify, Fact::Unknown(..)));
    assert!(matches!(server.api_service_ca_bundle, Fact::Unknown(..)));
}

/// What is known of an image, its repository and its tag: `?` for what is not.
fn image(server: &MetricsServer) -> [String; 3] {
    [&server.image, &server.image_repository, &server.image_tag]
        .map(|it| it.value().map_or("?", String::as_str).to_owned())
}

#[test]
fn a_part_of_an_image_is_known_without_the_whole() {
    let release = |version: &str, values: &str| {
        let release = "
            //- release.yaml
            apiVersion: helm.toolkit.fluxcd.io/v2
            kind: HelmRelease
            metadata: {name: metrics-server, namespace: kube-system}
            spec:
              chart:
                spec:
                  chart: metrics-server
                  version: 'VERSION'
                  sourceRef: {kind: HelmRepository, name: metrics-server}
              VALUES
            ---
            apiVersion: source.toolkit.fluxcd.io/v1
            kind: HelmRepository
            metadata: {name: metrics-server, namespace: kube-system}
            spec: {url: https://kubernetes-sigs.github.io/metrics-server/}
        ";
        image(&server(&release.replace("VERSION", version).replace("VALUES", values)))
    };
    let name = "eu.example.com/metrics-server";
    let repository = "values: {image: {repository: eu.example.com/metrics-server}}";
    assert_eq!(release(">=3.12.0", repository), ["?", name, "?"]);
    assert_eq!(release("99.0.0", repository), ["?", name, "?"], "a version of the future");
    let unknown = "values: {image: {repository: eu.example.com/metrics-server, tag: '${TAG}'}}";
    assert_eq!(release("3.12.2", unknown), ["?", name, "?"]);
    // The chart's own registry changed.
    let tag = "values: {image: {tag: v0.6.4}}";
    assert_eq!(release(">=3.8.0 <3.13.0", tag), ["?", "?", "v0.6.4"]);
    assert_eq!(release("99.0.0", tag), ["?", "?", "v0.6.4"]);
    let hidden = "valuesFrom: [{kind: Secret, name: hidden}]";
    assert_eq!(release("3.12.2", hidden), ["?", "?", "?"]);
}

#[test]
fn what_fills_a_part_of_an_image_in_leaves_the_others() {
    let sources = fixture(
        "
        //- cluster/apps.yaml
        apiVersion: kustomize.toolkit.fluxcd.io/v1
        kind: Kustomization
        metadata: {name: apps, namespace: flux-system}
        spec: {path: ./apps, postBuild: {substitute: {TAG: v0.8.0}}}
        //- apps/kustomization.yaml
        resources: [ms.yaml]
        images:
        - name: a.io/metrics-server
          newTag: ${TAG}
        //- apps/ms.yaml
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: metrics-server}
        spec:
          template:
            spec:
              containers:
              - {name: metrics-server, image: a.io/metrics-server:v0.7.2}
        ",
    );
    let server = server_in(&sources);
    let parts = ["a.io/metrics-server:v0.8.0", "a.io/metrics-server", "v0.8.0"];
    assert_eq!(image(&server), parts);
    let at = |fact: &Fact<String>| {
        let span = fact.origin().and_then(Origin::written_at).expect("it is written");
        (sources[span.file].path.clone(), sources.slice(span).to_owned())
    };
    assert_eq!(at(&server.image_tag), ("cluster/apps.yaml".into(), "v0.8.0".into()));
    let whole = "a.io/metrics-server:v0.7.2".to_owned();
    assert_eq!(at(&server.image_repository), ("apps/ms.yaml".into(), whole));
}

/// The worst finding of a limit below its request, applied by a Flux Kustomization.
fn worst(suspend: &str) -> Option<Severity> {
    let files = "
        //- cluster/apps.yaml
        apiVersion: kustomize.toolkit.fluxcd.io/v1
        kind: Kustomization
        metadata: {name: apps, namespace: flux-system}
        spec: {path: ./apps, suspend: SUSPEND}
        //- apps/ms.yaml
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: metrics-server}
        spec:
          template:
            spec:
              containers:
              - name: metrics-server
                image: registry.k8s.io/metrics-server/metrics-server:v0.7.2
                resources: {requests: {memory: 2Mi}, limits: {memory: 1Mi}}
    ";
    let (_, clusters) = analyze(&fixture(&files.replace("SUSPEND", suspend)), &Config::default());
    let findings = check(&clusters);
    findings.iter().filter(|it| it.rule == "limit-below-request").map(|it| it.severity).max()
}

#[test]
fn what_is_suspended_is_no_error() {
    assert_eq!(worst("false"), Some(Severity::Error));
    assert_eq!(worst("true"), Some(Severity::Warning));
}
