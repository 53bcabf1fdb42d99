//! What Helmfile installs, compared with what the real one gave Helm.
//!
//! The cases lie in `tests/library/helmfile/`: the files of a repository, and in `expected.json` the
//! releases of each environment as `helm template` was called for them by Helmfile 0.166.0.

use std::{collections::BTreeMap, fs};

use insta::assert_snapshot;
use serde_json::{Value as Json, json};

use super::{common, fixture, written};
use crate::{config::Config, pipeline::analyze, resolve::environment::Environment};

#[test]
fn releases_are_those_of_the_real_helmfile() {
    let dir = common::repository().join("tests/library/helmfile");
    let mut cases: Vec<_> = fs::read_dir(dir)
        .expect("the folder of cases")
        .map(|it| it.expect("an entry").path())
        .collect();
    cases.sort();
    let only = std::env::var("CASE").unwrap_or_default();
    let mut wrong = Vec::new();
    for path in cases.iter().filter(|it| it.to_string_lossy().contains(&only)) {
        let sources = fixture(&fs::read_to_string(path).expect("a case"));
        let file = sources.find("expected.json").expect("what is expected");
        let expected: BTreeMap<String, Json> =
            serde_json::from_str(sources.text(file)).expect("JSON");
        let (environments, _) = analyze(&sources, &Config::default());
        for (name, expected) in expected {
            // The releases of files beside each other may be environments of one name.
            let found: Vec<Json> = environments
                .iter()
                .filter(|it| it.name == name || it.name.ends_with(&format!("/{name}")))
                .flat_map(releases)
                .collect();
            let expected: Vec<Json> =
                expected.as_array().expect("a list").iter().map(without_nulls).collect();
            if sorted(found.clone()) != sorted(expected.clone()) {
                let problems = environments.iter().flat_map(|it| &it.problems);
                let problems: Vec<_> = problems.map(|it| &it.message).collect();
                wrong.push(format!(
                    "{}, {name}:\n  {}\nexpected\n  {}\n{problems:#?}",
                    path.display(),
                    json!(found),
                    json!(expected),
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The releases of an environment: name, namespace, version, values.
fn releases(environment: &Environment) -> Vec<Json> {
    let installed = environment.releases.iter().filter(|it| !it.suspended);
    let all = installed.map(|it| {
        let version = it.version.as_ref().and_then(|it| it.as_scalar());
        let namespace = if it.namespace == "default" { "" } else { &it.namespace };
        without_nulls(&json!({
            "name": it.name,
            "namespace": namespace,
            "version": version.map(|it| it.text.to_string()),
            "values": it.values.to_json(),
        }))
    });
    all.collect()
}

fn sorted(mut all: Vec<Json>) -> Vec<Json> {
    all.sort_by_key(ToString::to_string);
    all
}

/// Helm 3 drops nulls.
pub(super) fn without_nulls(value: &Json) -> Json {
    match value {
        Json::Object(map) => {
            let kept = map.iter().filter(|(_, it)| !it.is_null());
            kept.map(|(key, it)| (key.clone(), without_nulls(it))).collect()
        }
        Json::Array(items) => items.iter().map(without_nulls).collect(),
        _ => value.clone(),
    }
}

/// What is written of each environment.
fn described(text: &str) -> String {
    let sources = fixture(text);
    let (environments, clusters) = analyze(&sources, &Config::default());
    let all = environments.into_iter().zip(clusters);
    all.map(|it| written::describe(&sources, &it)).collect()
}

#[test]
fn what_a_release_renders_is_patched() {
    assert_snapshot!(described(
        "
        //- helmfile.yaml
        repositories:
          - {name: sigs, url: https://kubernetes-sigs.github.io/metrics-server/}
        releases:
          - name: metrics-server
            namespace: kube-system
            chart: sigs/metrics-server
            version: 3.12.2
            jsonPatches:
              - target: {kind: Deployment, name: metrics-server}
                patch:
                  - {op: replace, path: /spec/replicas, value: 2}
              - patches/insecure.yaml
            strategicMergePatches:
              - apiVersion: apps/v1
                kind: Deployment
                metadata: {name: metrics-server, namespace: kube-system}
                spec:
                  template:
                    spec:
                      priorityClassName: system-node-critical
            forceNamespace: monitoring
        //- patches/insecure.yaml
        target:
          kind: Deployment
        patch:
          - op: add
            path: /spec/template/spec/containers/0/args/-
            value: --kubelet-insecure-tls
        "
    ), @"
    environment default  other  helmfile.yaml:1:1
      serving  unknown
      metrics-server monitoring/metrics-server  helmfile  helmfile.yaml:7:14
        chart metrics-server  3.12.2  helmfile.yaml:7:14
        arg  --kubelet-insecure-tls  patches/insecure.yaml:6:12
        kind  Deployment  helmfile.yaml:7:14
        kubelet_insecure_tls  true  patches/insecure.yaml:6:12
        replicas  2  helmfile.yaml:7:14 patched < helmfile.yaml:11:56
        priority_class  system-node-critical  helmfile.yaml:7:14 patched < helmfile.yaml:20:34
        chart_repository  https://kubernetes-sigs.github.io/metrics-server/  helmfile.yaml:2:23
      APIService v1beta1.metrics.k8s.io  helmfile.yaml:7:14
        service  kube-system/metrics-server  helmfile.yaml:7:14
    ");
}

#[test]
fn what_nobody_knows_of_a_release_is_unknown() {
    assert_snapshot!(described(
        "
        //- helmfile.yaml
        repositories:
          - {name: sigs, url: https://kubernetes-sigs.github.io/metrics-server/}
        releases:
          - name: metrics-server
            namespace: kube-system
            chart: sigs/metrics-server
            version: 3.12.2
            secrets: [secrets.yaml]
            values:
              - priorityClassName: ref+vault://secret/class
              - nobody-has-this.yaml
            missingFileHandler: Info
          - name: rendered
            namespace: other
            chart: sigs/metrics-server
            version: 3.12.2
            postRenderer: ./edit.sh
        //- secrets.yaml
        replicas: ENC[AES256_GCM,data:Mg==,type:int]
        hostNetwork:
          enabled: true
        sops:
          version: 3.9.0
          mac: ENC[AES256_GCM,data:eA==,type:str]
        "
    ), @"
    environment default  other  helmfile.yaml:1:1
      serving  unknown
      metrics-server kube-system/metrics-server  helmfile  helmfile.yaml:7:14
        chart metrics-server  3.12.2  helmfile.yaml:7:14
        kind  Deployment  helmfile.yaml:7:14
        host_network  true  helmfile.yaml:8:15 values < secrets.yaml:3:12
        chart_repository  https://kubernetes-sigs.github.io/metrics-server/  helmfile.yaml:2:23
        replicas  unknown: it is encrypted with SOPS  helmfile.yaml:8:15 values < secrets.yaml:1:11
        priority_class  unknown: `vals` takes it from elsewhere  helmfile.yaml:10:28
      metrics-server other/rendered-metrics-server  helmfile  helmfile.yaml:16:14
        chart metrics-server  3.12.2  helmfile.yaml:16:14
        kind  Deployment  helmfile.yaml:16:14
        chart_repository  https://kubernetes-sigs.github.io/metrics-server/  helmfile.yaml:2:23
        all but kind image_repository image_tag pdb_min_available pdb_max_unavailable resource_quota chart_app_version chart_repository metrics_enabled service_monitor_enabled tls_type tls_existing_secret_name tls_existing_secret_lookup tls_secret  unknown: a post-renderer changes what the chart renders  helmfile.yaml:16:14 chart-default
      APIService v1beta1.metrics.k8s.io  helmfile.yaml:7:14
        service  kube-system/metrics-server  helmfile.yaml:7:14
      APIService v1beta1.metrics.k8s.io  helmfile.yaml:16:14
        all  unknown: a post-renderer changes what the chart renders  helmfile.yaml:16:14 chart-default
      unresolved: values may come from encrypted files  helmfile.yaml:8:14
      unresolved: a post-renderer changes what the chart renders  helmfile.yaml:17:19
      unresolved: the replicas of metrics-server cannot be told: it is encrypted with SOPS  helmfile.yaml:8:15 values < secrets.yaml:1:11
      unresolved: the priority class of metrics-server cannot be told: `vals` takes it from elsewhere  helmfile.yaml:10:28
    ");
}

#[test]
fn a_directory_without_a_chart_is_a_kustomization_or_manifests() {
    assert_snapshot!(described(
        "
        //- helmfile.yaml
        releases:
          - name: metrics-server
            namespace: kube-system
            chart: ./metrics-server
        //- metrics-server/kustomization.yaml
        resources: [deployment.yaml]
        replicas: [{name: metrics-server, count: 3}]
        //- metrics-server/deployment.yaml
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: metrics-server}
        spec:
          template:
            spec:
              containers:
                - name: metrics-server
                  image: registry.k8s.io/metrics-server/metrics-server:v0.7.2
                  args: [--kubelet-insecure-tls]
        "
    ), @"
    environment default  other  helmfile.yaml:1:1
      serving  unknown
      metrics-server kube-system/metrics-server  helmfile  helmfile.yaml:4:12
        arg  --kubelet-insecure-tls  metrics-server/deployment.yaml:10:18
        kind  Deployment  metrics-server/deployment.yaml:3:18
        image  registry.k8s.io/metrics-server/metrics-server:v0.7.2  metrics-server/deployment.yaml:9:18
        image_repository  registry.k8s.io/metrics-server/metrics-server  metrics-server/deployment.yaml:9:18
        image_tag  v0.7.2  metrics-server/deployment.yaml:9:18
        kubelet_insecure_tls  true  metrics-server/deployment.yaml:10:18
        replicas  3  metrics-server/deployment.yaml:5:3 transformed < metrics-server/kustomization.yaml:2:42
    ");
}

#[test]
fn a_dependency_gets_what_stands_below_its_alias() {
    assert_snapshot!(described(
        "
        //- helmfile.yaml
        repositories:
          - {name: sigs, url: https://kubernetes-sigs.github.io/metrics-server/}
        releases:
          - name: platform
            namespace: kube-system
            chart: example/platform
            dependencies:
              - {chart: sigs/metrics-server, version: 3.12.2, alias: ms}
            values:
              - ms: {args: [--kubelet-insecure-tls]}
        "
    ), @"
    environment default  other  helmfile.yaml:1:1
      serving  unknown
      metrics-server kube-system/platform-ms  helmfile  helmfile.yaml:8:47
        chart metrics-server  3.12.2  helmfile.yaml:8:47
        arg  --kubelet-insecure-tls  helmfile.yaml:10:21
        kind  Deployment  helmfile.yaml:8:47
        kubelet_insecure_tls  true  helmfile.yaml:10:21
        chart_repository  https://kubernetes-sigs.github.io/metrics-server/  helmfile.yaml:2:23
      APIService v1beta1.metrics.k8s.io  helmfile.yaml:8:47
        service  kube-system/platform-ms  helmfile.yaml:8:47
    ");
}

/// As the real Helmfile calls Helm: a release's own version counts, else that of the state.
#[test]
fn templates_are_told_the_version_of_the_release_or_the_state() {
    let text = described(
        "
        //- helmfile.yaml
        kubeVersion: v1.30.0
        releases:
          - {name: one, chart: ./chart}
          - {name: two, chart: ./chart, kubeVersion: v1.33.2}
        //- chart/Chart.yaml
        {apiVersion: v2, name: chart, version: 0.1.0}
        //- chart/templates/deployment.yaml
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: '{{ .Release.Name }}', namespace: kube-system}
        spec:
          replicas: {{ .Capabilities.KubeVersion.Minor }}
          template:
            spec:
              containers:
                - name: metrics-server
                  image: registry.k8s.io/metrics-server/metrics-server:v0.7.2
        ",
    );
    let replicas: Vec<&str> = text.lines().filter(|it| it.contains(" replicas ")).collect();
    assert_snapshot!(replicas.join("\n"), @"
    replicas  30  chart/templates/deployment.yaml:5:16 rendered < helmfile.yaml:1:14
    replicas  33  chart/templates/deployment.yaml:5:16 rendered < helmfile.yaml:4:46
    ");
}

#[test]
fn helmfiles_that_install_one_release_twice_are_of_two_clusters() {
    let releases = |chart: &str| {
        format!("releases:\n- {{name: {chart}, namespace: kube-system, chart: x/{chart}}}\n")
    };
    let names = |files: &str| {
        let (environments, _) = analyze(&fixture(files), &Config::default());
        environments.into_iter().map(|it| it.name).collect::<Vec<_>>()
    };
    let file = |path: &str, text: &str| format!("//- {path}\n{text}");
    let server = releases("metrics-server");
    let two = file("kubernetes/edge/bootstrap/helmfile.yaml", &server)
        + &file("kubernetes/main/bootstrap/helmfile.yaml", &server);
    assert_eq!(names(&two), ["kubernetes/edge", "kubernetes/main"]);
    let staged = format!("environments: {{dev: {{}}, prod: {{}}}}\n---\n{server}");
    let two = file("a/helmfile.yaml", &staged) + &file("b/helmfile.yaml", &staged);
    assert_eq!(names(&two), ["a/dev", "a/prod", "b/dev", "b/prod"]);
    let parts = file("kubernetes/main/bootstrap/helmfile.yaml", &server)
        + &file("kubernetes/main/apps/helmfile.yaml", &releases("kubelet-csr-approver"));
    assert_eq!(names(&parts), ["default"]);
}
