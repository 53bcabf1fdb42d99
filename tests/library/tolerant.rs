//! What one part that cannot be built leaves known of a metrics-server.

use super::fixture_with;
use crate::{config::Config, model::Facts as _, pipeline::analyze};

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: metrics-server, namespace: kube-system, labels: {app: metrics-server}}
spec:
  replicas: 1
  template:
    spec:
      priorityClassName: system-cluster-critical
      containers:
      - name: metrics-server
        image: registry.k8s.io/metrics-server/metrics-server:v0.7.2
        args: [--secure-port=10250, --metric-resolution=5s]
        resources: {requests: {cpu: 100m, memory: 200Mi}}
";

/// The facts of the only metrics-server that are unknown.
fn unknown(files: &str) -> Vec<&'static str> {
    let sources = fixture_with(&[("DEPLOYMENT", DEPLOYMENT)], files);
    let (_, clusters) = analyze(&sources, &Config::default());
    let servers: Vec<_> = clusters.iter().flat_map(|it| &it.metrics_servers).collect();
    let [server] = servers[..] else { panic!("{} metrics-servers", servers.len()) };
    let facts = server.facts.facts().into_iter();
    facts.filter(|(_, fact)| fact.untold().is_some()).map(|(name, _)| name).collect()
}

/// [`unknown`] with `fields` in the kustomization file.
fn unknown_with(fields: &str) -> Vec<&'static str> {
    unknown(&format!(
        "
        //- ms.yaml
        DEPLOYMENT
        //- kustomization.yaml
        resources: [ms.yaml]
        {fields}
        "
    ))
}

#[test]
fn an_operation_that_fails_hides_what_it_may_be_meant_for() {
    let unknown = |operation: &str| {
        unknown_with(&format!(
            "patches: [{{target: {{kind: Deployment}}, patch: '[{operation}]'}}]"
        ))
    };
    let nothing: [&str; 0] = [];
    let spec = "/spec/template/spec";
    for (operation, expected) in [
        // Something else of the pods.
        (format!(r#"{{"op": "add", "path": "{spec}/tolerations/-", "value": {{}}}}"#), &nothing[..]),
        (format!(r#"{{"op": "remove", "path": "{spec}/volumes/0"}}"#), &nothing),
        (r#"{"op": "remove", "path": "/metadata/annotations/a"}"#.to_owned(), &nothing),
        // Another item of the list, a key that is misspelt, one that stands further in.
        (format!(r#"{{"op": "replace", "path": "{spec}/containers/1/resources/requests/cpu", "value": 1}}"#), &["cpu_request"]),
        (format!(r#"{{"op": "remove", "path": "{spec}/container/0/resources/requests/memory"}}"#), &["memory_request"]),
        (r#"{"op": "remove", "path": "/spec/containers/0/resources/requests/cpu"}"#.to_owned(), &["cpu_request"]),
        (format!(r#"{{"op": "remove", "path": "{spec}/hostAliases/0"}}"#), &nothing),
        (format!(r#"{{"op": "remove", "path": "{spec}/priorityClasName"}}"#), &["priority_class"]),
        // What is not only to be done if a test fails.
        (r#"{"op": "test", "path": "/spec/replicas", "value": 3}, {"op": "remove", "path": "/spec/replicas"}"#.to_owned(), &["replicas"]),
        (r#"{"op": "dele", "path": "/spec/replicas"}"#.to_owned(), &["replicas"]),
    ] {
        assert_eq!(unknown(&operation), expected, "{operation}");
    }
    // One that does not say where may change anything.
    assert!(unknown(r#"{"op": "remove"}"#).len() > 20);
    // The operations around it count.
    let around = r#"{"op": "remove", "path": "/spec/gone/0"}, {"op": "replace", "path": "/spec/template/spec/containers/0/args/1", "value": "--v=$(V)"}"#;
    assert_eq!(unknown(around), nothing);
}

#[test]
fn a_merge_that_fails_hides_what_it_would_change() {
    let unknown = |metadata: &str, spec: &str| {
        unknown_with(&format!(
            "
        patches:
        - patch: |-
            apiVersion: apps/v1
            kind: Deployment
            metadata: {metadata}
            spec: {spec}
        "
        ))
    };
    let elsewhere = "{name: metrics-server, namespace: monitoring}";
    assert_eq!(unknown(elsewhere, "{replicas: 2}"), ["replicas"]);
    let requests = "{containers: [{name: metrics-server, resources: {requests: {cpu: 1}}}]}";
    assert_eq!(unknown(elsewhere, &format!("{{template: {{spec: {requests}}}}}")), ["cpu_request"]);
    let here = "{name: metrics-server, namespace: kube-system}";
    let of_pods = "{template: {$patch: other, spec: {priorityClassName: a}}}";
    assert!(unknown(here, of_pods).contains(&"priority_class"));
}

#[test]
fn a_replacement_that_fails_hides_what_it_would_replace() {
    let unknown = |path: &str| {
        unknown_with(&format!(
            "
        replacements:
        - sourceValue: a
          targets: [{{select: {{kind: Deployment}}, fieldPaths: ['{path}']}}]
        "
        ))
    };
    let nothing: [&str; 0] = [];
    assert_eq!(unknown("spec.template.spec.volumes.0.name"), nothing);
    let requests = "spec.template.spec.containers.[name=other].resources.requests";
    assert_eq!(unknown(&format!("{requests}.cpu")), ["cpu_request"]);
}

#[test]
fn what_may_change_anything_leaves_the_server() {
    for fields in [
        "patches: [{path: gone.yaml}]",
        "patchesStrategicMerge: [gone.yaml]",
        "patches: [{path: 'https://example.com/patch.yaml'}]",
        "components: [../gone]",
        "components: ['https://example.com/component?ref=v1']",
        "transformers: [gone.yaml]",
    ] {
        let unknown = unknown_with(fields);
        assert!(unknown.contains(&"args") && unknown.contains(&"replicas"), "{fields}");
    }
    let other = "patches: [{path: gone.yaml, target: {kind: Service}}]";
    assert!(unknown_with(other).is_empty());
}

#[test]
fn what_a_template_may_leave_out_hides_what_it_changes() {
    let unknown = |lines: &str| {
        let fields = format!("
        {}
        //- ha/kustomization.yaml
        apiVersion: kustomize.config.k8s.io/v1alpha1
        kind: Component
        patches:
        - patch: |-
            {{apiVersion: apps/v1, kind: Deployment, metadata: {{name: metrics-server, namespace: kube-system}}, spec: {{replicas: 2}}}}
        - target: {{kind: Deployment}}
          patch: |-
            - {{op: add, path: /spec/template/spec/containers/0/args/-, value: --kubelet-port=10251}}
        ", lines.replace('\n', "\n        "));
        unknown_with(&fields)
    };
    let expected = ["kubelet_port", "replicas"];
    for lines in [
        "{{#if ha}}\ncomponents:\n- ha\n{{/if}}",
        "components:\n{% if ha %}\n- ha\n{% endif %}",
        "{{- if .ha }}\ncomponents: [ha]\n{{- end }}",
        "components:\n<% if ha %>\n- ha\n<% endif %>",
    ] {
        assert_eq!(unknown(lines), expected, "{lines}");
    }
    let patch = "{{- if .ha }}\npatches:\n- target: {kind: Deployment}\n  patch: '[{\"op\": \"replace\", \"path\": \"/spec/replicas\", \"value\": 2}]'\n{{- end }}";
    assert_eq!(unknown(patch), ["replicas"]);
    let gone = unknown("components:\n{% if ha %}\n- gone\n{% endif %}");
    assert!(gone.contains(&"args"));
}
