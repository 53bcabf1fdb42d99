//! ApplicationSets: the elements that generators give, and what is filled into the template.
//!
//! The reference is `applicationset/generators` and `applicationset/utils` of Argo CD 3.

use insta::assert_snapshot;

use super::{fixture, fixture_with, unindented, ways};
use crate::{config::Config, pipeline::analyze};

/// What each environment gets of an ApplicationSet with these fields of `spec` before `template`, and
/// with these files beside it.
fn installed(fields: &str, template: &str, files: &str) -> String {
    let indented = |text: &str, by: &str| -> String {
        unindented(text).split_inclusive('\n').flat_map(|it| [by, it]).collect()
    };
    let text = format!(
        "//- argocd/set.yaml
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {{name: metrics-server, namespace: argocd}}
spec:
{}  template:
    metadata:
      name: 'metrics-server-{{{{ .cluster }}}}'
    spec:
      project: default
      destination: {{name: NAME, namespace: kube-system}}
      source:
        repoURL: https://kubernetes-sigs.github.io/metrics-server/
        chart: metrics-server
        targetRevision: 3.12.2
        helm:
          releaseName: metrics-server
{}{}",
        indented(fields, "  "),
        indented(template, "          "),
        unindented(files),
    );
    let name =
        if fields.contains("goTemplate: true") { "'{{ .cluster }}'" } else { "'{{cluster}}'" };
    let sources = fixture(&text.replace("NAME", name));
    ways::releases(&sources, &analyze(&sources, &Config::default()).0)
}

#[test]
fn of_a_matrix_the_second_generator_uses_what_the_first_gives() {
    assert_snapshot!(installed(
        "
        goTemplate: true
        generators:
        - matrix:
            generators:
            - list:
                elements: [{tier: gold, replicas: 9}, {tier: none, replicas: 8}]
            - git:
                repoURL: https://github.com/acme/platform.git
                files: [{path: 'fleet/{{ .tier }}/*.yaml'}, {path: fleet/gold/old.yaml, exclude: true}]
        ",
        "
        valuesObject:
          replicas: '{{ .replicas }}'
          podLabels: {file: '{{ .path.filename }}', '{{ .tier }}': '{{ index .path.segments 1 }}'}
        ",
        "
        //- fleet/gold/a.yaml
        cluster: one
        replicas: 1
        //- fleet/gold/deep/b.yaml
        - {cluster: two}
        - {cluster: three}
        //- fleet/gold/old.yaml
        cluster: old
        "
    ), @r#"
    one:
      metrics-server 3.12.2  argocd/set.yaml:23 `3.12.2`
        replicas: "9"  argocd/set.yaml:27 rendered `.replicas` < fleet/gold/a.yaml:2 overridden `1` < argocd/set.yaml:10 `9`
        podLabels.file: a.yaml  argocd/set.yaml:13 rendered `.tier` < argocd/set.yaml:10 `gold`
        podLabels.gold: gold  argocd/set.yaml:13 rendered `.tier` < argocd/set.yaml:10
    three:
      metrics-server 3.12.2  argocd/set.yaml:23 `3.12.2`
        replicas: "9"  argocd/set.yaml:27 rendered `.replicas` < argocd/set.yaml:10 `9`
        podLabels.file: b.yaml  argocd/set.yaml:13 rendered `.tier` < argocd/set.yaml:10 `gold`
        podLabels.gold: gold  argocd/set.yaml:13 rendered `.tier` < argocd/set.yaml:10
    two:
      metrics-server 3.12.2  argocd/set.yaml:23 `3.12.2`
        replicas: "9"  argocd/set.yaml:27 rendered `.replicas` < argocd/set.yaml:10 `9`
        podLabels.file: b.yaml  argocd/set.yaml:13 rendered `.tier` < argocd/set.yaml:10 `gold`
        podLabels.gold: gold  argocd/set.yaml:13 rendered `.tier` < argocd/set.yaml:10
    "#);
}

#[test]
fn parameters_without_go_templates_are_names() {
    assert_snapshot!(installed(
        "
        generators:
        - git:
            repoURL: https://github.com/acme/platform.git
            pathParamPrefix: at
            directories: [{path: clusters/*}, {path: clusters/parked, exclude: true}]
            values: {cluster: '{{at.path.basename}}', zone: 'eu-{{at.path[1]}}'}
        - list:
            elements: [{at.path.basename: listed, values: {zone: x}, cluster: listed}]
          selector: {matchLabels: {values.zone: x}}
        - list:
            elements: [{cluster: unpicked, values: {zone: z}}]
          selector: {matchExpressions: [{key: values.zone, operator: In, values: [x]}]}
        ",
        "
        values: |
          args:
            - --kubelet-preferred-address-types={{values.zone}},{{ at.path.basename }}
          podLabels: {whose: '{{nobody}}', name: {{values.zone}}}
        ",
        "
        //- clusters/West.1/a.txt
        //- clusters/parked/a.txt
        "
    ), @"
    {{cluster}}:
      metrics-server 3.12.2  argocd/set.yaml:26 `3.12.2`
        args:
          - --kubelet-preferred-address-types=eu-West.1,West.1  argocd/set.yaml:31 templated `{{ at.path.basename }}` < argocd/set.yaml:9 `clusters/*`
        podLabels.whose: '{{nobody}}'  argocd/set.yaml:32
        podLabels.name: eu-West.1  argocd/set.yaml:32 templated `{{values.zone}}` < argocd/set.yaml:10 templated `{{at.path[1]}}` < argocd/set.yaml:9 `clusters/*`
    ");
}

#[test]
fn a_generator_may_have_a_template_and_a_set_a_patch() {
    assert_snapshot!(installed(
        "
        goTemplate: true
        goTemplateOptions: [missingkey=error]
        templatePatch: |
          spec:
            project: another
            source:
              {{- if .exact }}
              targetRevision: {{ .exact }}
              {{- end }}
              helm:
                {{- with .drop }}
                parameters: null
                {{- end }}
                valuesObject:
                  podLabels: {{- toYaml .labels | nindent 12 }}
        generators:
        - list:
            elements:
            - {cluster: a, exact: 3.13.0, drop: yes, labels: {x: 1}}
            - {cluster: b, exact: '', drop: false, labels: {z: two}}
            template:
              metadata: {}
              spec:
                project: ''
                destination: {namespace: monitoring}
        ",
        "
        parameters: [{name: replicas, value: '{{ .cluster | len }}'}]
        ",
        ""
    ), @"
    a:
      metrics-server 3.13.0  argocd/set.yaml:39 overridden `3.12.2` < argocd/set.yaml:12 rendered `.exact` < argocd/set.yaml:23 `3.13.0`
        podLabels.x: 1  argocd/set.yaml:19 rendered `toYaml .labels | nindent 12` < argocd/set.yaml:23
    b:
      metrics-server 3.12.2  argocd/set.yaml:39 `3.12.2`
        podLabels.z: two  argocd/set.yaml:19 rendered `toYaml .labels | nindent 12` < argocd/set.yaml:24
        replicas: 1  argocd/set.yaml:42 rendered `.cluster | len` < argocd/set.yaml:24 `b`
    ");
}

#[test]
fn what_only_a_cluster_can_tell_is_unknown_and_nothing_else() {
    assert_snapshot!(installed(
        "
        goTemplate: true
        generators:
        - matrix:
            generators:
            - clusters: {selector: {matchLabels: {env: live}}}
            - list: {elements: [{cluster: live, replicas: 2}]}
        ",
        "
        values: |
          replicas: {{ .replicas }}
          args:
            - --kubelet-insecure-tls
            - --metric-resolution={{ .metadata.labels.resolution }}
          {{- if .metadata.labels.small }}
          priorityClassName: low
          {{- end }}
        ",
        ""
    ), @"
    live:
      metrics-server 3.12.2  argocd/set.yaml:20 `3.12.2`
        replicas: 2  argocd/set.yaml:24 rendered `.replicas` < argocd/set.yaml:10
        args:
          - --kubelet-insecure-tls  argocd/set.yaml:26
          - unknown: what the `clusters` generator gives is not in the repository  argocd/set.yaml:27 rendered `.metadata.labels.resolution` < argocd/set.yaml:9 `clusters`
        priorityClassName: unknown: what the `clusters` generator gives is not in the repository  argocd/set.yaml:29 `low`
    unresolved: what the `clusters` generator gives is not in the repository  argocd/set.yaml:9:9 `clusters`
    ");
}

#[test]
fn merged_parameters_are_those_of_the_first_generator() {
    assert_snapshot!(installed(
        "
        goTemplate: true
        generators:
        - merge:
            mergeKeys: [cluster]
            generators:
            - list: {elements: [{cluster: a, deep: {x: 1, z: 1}}, {cluster: b, deep: {x: 2}}]}
            - list: {elementsYaml: '[{cluster: a, deep: {z: 9}}, {cluster: c, deep: {x: 3}}]'}
        ",
        "
        valuesObject:
          replicas: '{{ .deep.x }}'
          podLabels: {z: '{{ .deep.z }}', name: '{{ normalize \"A_b.C-\" }}'}
        ",
        ""
    ), @r#"
    a:
      metrics-server 3.12.2  argocd/set.yaml:21 `3.12.2`
        replicas: "1"  argocd/set.yaml:25 rendered `.deep.x` < argocd/set.yaml:10 `1`
        podLabels.z: "9"  argocd/set.yaml:26 rendered `.deep.z` < argocd/set.yaml:10 overridden `1` < argocd/set.yaml:11 `9`
        podLabels.name: a-b.c  argocd/set.yaml:26 `normalize "A_b.C-"`
    b:
      metrics-server 3.12.2  argocd/set.yaml:21 `3.12.2`
        replicas: "2"  argocd/set.yaml:25 rendered `.deep.x` < argocd/set.yaml:10 `2`
        podLabels.z: <no value>  argocd/set.yaml:26 rendered `.deep.z` < argocd/set.yaml:10 `{x: 2}`
        podLabels.name: a-b.c  argocd/set.yaml:26 `normalize "A_b.C-"`
    "#);
}

/// Many a chart is inflated by the kustomization beside its `Chart.yaml`.
#[test]
fn a_directory_that_is_a_chart_and_a_kustomization_is_built_by_kustomize() {
    let said = |source: &str| {
        let text = "
            //- argocd/app.yaml
            apiVersion: argoproj.io/v1alpha1
            kind: Application
            metadata: {name: metrics-server, namespace: argocd}
            spec:
              destination: {name: prod, namespace: kube-system}
              source: SOURCE
            //- apps/metrics-server/Chart.yaml
            {apiVersion: v2, name: ours, version: 1.0.0}
            //- apps/metrics-server/templates/a.yaml
            DEPLOYMENT
              labels: {of: chart}
            //- apps/metrics-server/Kustomization
            resources: [b.yaml]
            //- apps/metrics-server/b.yaml
            DEPLOYMENT
              labels: {of: kustomization}
        ";
        let deployment = "\
apiVersion: apps/v1
kind: Deployment
spec: {template: {spec: {containers: [{name: metrics-server, image: registry.k8s.io/metrics-server/metrics-server:v0.8.0}]}}}
metadata:
  name: metrics-server
";
        let sources = fixture_with(&[("DEPLOYMENT", deployment)], &text.replace("SOURCE", source));
        let environments = analyze(&sources, &Config::default()).0;
        let objects = environments.iter().flat_map(|it| &it.objects);
        let labels = objects.filter_map(|it| it.node.str_at("metadata.labels.of"));
        labels.collect::<Vec<_>>().join(" ")
    };
    let url = "repoURL: https://github.com/acme/platform.git, path: apps/metrics-server";
    assert_eq!(said(&format!("{{{url}}}")), "kustomization");
    // Who else builds the kustomization is another matter.
    assert_eq!(said(&format!("{{{url}, helm: {{releaseName: a}}}}")), "kustomization chart");
}
