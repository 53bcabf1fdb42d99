//! YAML in texts into which something is filled: each value in it is written where its line is, or where
//! what is filled in comes from.

use insta::assert_snapshot;

use super::{fixture, ways::values};
use crate::{config::Config, pipeline::analyze};

/// The values of the only release of metrics-server.
fn values_of_release(files: &str) -> String {
    let sources = fixture(files);
    let (environments, _) = analyze(&sources, &Config::default());
    let releases = environments.iter().flat_map(|it| &it.releases);
    let releases: Vec<_> = releases.filter(|it| it.chart == "metrics-server").collect();
    let [release] = &releases[..] else { panic!("{} releases", releases.len()) };
    values(&sources, &release.values)
}

/// A release with the values of a ConfigMap of that data, in which Flux substitutes what `postBuild` says.
fn substituted(post_build: &str, data: &str) -> String {
    format!(
        "
            //- clusters/prod/app.yaml
            apiVersion: kustomize.toolkit.fluxcd.io/v1
            kind: Kustomization
            metadata: {{name: app, namespace: flux-system}}
            spec:
              path: ./app
              sourceRef: {{kind: GitRepository, name: flux-system}}
              postBuild:{post_build}
            //- app/release.yaml
            apiVersion: helm.toolkit.fluxcd.io/v2
            kind: HelmRelease
            metadata: {{name: metrics-server, namespace: kube-system}}
            spec:
              chart: {{spec: {{chart: metrics-server, version: 3.12.2}}}}
              valuesFrom: [{{kind: ConfigMap, name: values}}]
            ---
            apiVersion: v1
            kind: ConfigMap
            metadata: {{name: values, namespace: kube-system}}
            data:
              {data}
            "
    )
}

#[test]
fn lines_beside_a_substituted_one_keep_their_places() {
    let variables = "
                substitute: {RESOLUTION: 20s, EMPTY: ''}";
    let release = |data: &str| values_of_release(&substituted(variables, data));
    assert_snapshot!(release("
              values.yaml: |
                replicas: 2
                args:
                  - --metric-resolution=${RESOLUTION}
                  - --v=2
                podLabels: {a: '$${X}', b: c}
                ${EMPTY}nodeSelector: {d: e}
    ".trim()), @"
    replicas: 2  app/release.yaml:6 values `{kind: ConfigMap, name: values}` < app/release.yaml:13
    args:
      - --metric-resolution=20s  app/release.yaml:6 values `{kind: ConfigMap, name: values}` < app/release.yaml:15 substituted `${RESOLUTION}` < clusters/prod/app.yaml:8 `20s`
      - --v=2  app/release.yaml:6 values `{kind: ConfigMap, name: values}` < app/release.yaml:16
    podLabels.a: ${X}  app/release.yaml:6 values `{kind: ConfigMap, name: values}` < app/release.yaml:17 `podLabels: {a: '$${X}', b: c}`
    podLabels.b: c  app/release.yaml:6 values `{kind: ConfigMap, name: values}` < app/release.yaml:17 `podLabels: {a: '$${X}', b: c}`
    nodeSelector.d: e  app/release.yaml:6 values `{kind: ConfigMap, name: values}` < app/release.yaml:18
    ");
    assert_snapshot!(release(r#"values.yaml: "replicas: 2\nargs: [--v=${RESOLUTION}]\n""#), @r#"
    replicas: 2  app/release.yaml:6 values `{kind: ConfigMap, name: values}` < app/release.yaml:12 `"replicas: 2\nargs: [--v=${RESOLUTION}]\n"`
    args:
      - --v=20s  app/release.yaml:6 values `{kind: ConfigMap, name: values}` < app/release.yaml:12 substituted `"replicas: 2\nargs: [--v=${RESOLUTION}]\n"` < clusters/prod/app.yaml:8 `20s`
    "#);
}

#[test]
fn lines_that_a_chart_prints_into_a_text_keep_their_places() {
    assert_snapshot!(values_of_release("
        //- apps/Chart.yaml
        apiVersion: v2
        name: apps
        version: 0.1.0
        //- apps/values.yaml
        resolution: 20s
        more:
          replicas: 3
          nodeSelector: {a: b}
        //- apps/templates/application.yaml
        apiVersion: argoproj.io/v1alpha1
        kind: Application
        metadata: {name: metrics-server, namespace: argocd}
        spec:
          destination: {server: 'https://kubernetes.default.svc', namespace: kube-system}
          source:
            chart: metrics-server
            repoURL: https://kubernetes-sigs.github.io/metrics-server/
            targetRevision: 3.12.2
            helm:
              values: |
                args:
                  - --metric-resolution={{ .Values.resolution }}
                  - --v=2
                {{- toYaml .Values.more | nindent 8 }}
                podLabels: {c: d}
    "), @"
    args:
      - --metric-resolution=20s  apps/templates/application.yaml:13 rendered `.Values.resolution` < apps/values.yaml:1 `20s`
      - --v=2  apps/templates/application.yaml:14
    nodeSelector.a: b  apps/templates/application.yaml:15 rendered `toYaml .Values.more | nindent 8` < apps/values.yaml:4
    replicas: 3  apps/templates/application.yaml:15 rendered `toYaml .Values.more | nindent 8` < apps/values.yaml:3
    podLabels.c: d  apps/templates/application.yaml:16
    ");
}

#[test]
fn an_unknown_part_of_a_text_hides_what_it_touches() {
    let variables = " {substituteFrom: [{kind: Secret, name: elsewhere}]}";
    let release = |inner: &str| {
        let data = format!(
            "values.yaml: |
                replicas: 2
                {inner}"
        );
        values_of_release(&substituted(variables, &data))
    };
    let of = |inner: &[&str]| release(&inner.join(&format!("\n{}", " ".repeat(16))));
    assert_snapshot!(of(&[
        "args:",
        "  - --metric-resolution=${RESOLUTION}",
        "  - ${FLAG}",
        "  - --v=2",
        "podLabels: {${KEY}: a, b: 'x${KEY}'}",
        "# ${COMMENT}",
        "nodeSelector:",
        "  ${PAIR}",
        "  c: d",
    ]), @"
    replicas: 2  app/release.yaml:6 values `{kind: ConfigMap, name: values}` < app/release.yaml:13
    args:
      - unknown: the Secret `flux-system/elsewhere` is not in the repository  app/release.yaml:6 values `{kind: ConfigMap, name: values}` < app/release.yaml:15 `--metric-resolution=`
      - unknown: the Secret `flux-system/elsewhere` is not in the repository  app/release.yaml:6 values `{kind: ConfigMap, name: values}` < app/release.yaml:16 `${FLAG}`
      - --v=2  app/release.yaml:6 values `{kind: ConfigMap, name: values}` < app/release.yaml:17
    podLabels.b: unknown: the Secret `flux-system/elsewhere` is not in the repository  app/release.yaml:6 values `{kind: ConfigMap, name: values}` < app/release.yaml:18 `'x`
    podLabels.*: unknown: the Secret `flux-system/elsewhere` is not in the repository
    nodeSelector.c: d  app/release.yaml:6 values `{kind: ConfigMap, name: values}` < app/release.yaml:22
    nodeSelector.*: unknown: the Secret `flux-system/elsewhere` is not in the repository
    ");
    // Nothing can be told of what is no YAML around it.
    assert_snapshot!(of(&["args: [${FLAG}"]), @"*: unknown: the Secret `flux-system/elsewhere` is not in the repository");
}

#[test]
fn an_unknown_part_of_a_patch_hides_what_it_sets() {
    let sources = fixture(
        "
        //- clusters/prod/app.yaml
        apiVersion: kustomize.toolkit.fluxcd.io/v1
        kind: Kustomization
        metadata: {name: app, namespace: flux-system}
        spec:
          path: ./app
          sourceRef: {kind: GitRepository, name: flux-system}
          postBuild: {substituteFrom: [{kind: Secret, name: elsewhere}]}
        //- app/release.yaml
        apiVersion: helm.toolkit.fluxcd.io/v2
        kind: HelmRelease
        metadata: {name: metrics-server, namespace: kube-system}
        spec:
          chart: {spec: {chart: metrics-server, version: 3.12.2}}
          postRenderers:
          - kustomize:
              patches:
              - target: {kind: Deployment}
                patch: |
                  - op: add
                    path: /spec/template/spec/containers/0/args/-
                    value: --metric-resolution=5s
                  - {op: replace, path: /spec/replicas, value: ${REPLICAS}}
              - patch: |
                  apiVersion: apps/v1
                  kind: Deployment
                  metadata: {name: metrics-server, namespace: kube-system, annotations: {a: '${A}'}}
                  spec: {template: {spec: {priorityClassName: low}}}
        ",
    );
    let (_, clusters) = analyze(&sources, &Config::default());
    let server = &clusters[0].metrics_servers[0];
    let resolution = server.metric_resolution.value().expect("it is known");
    assert_eq!(resolution.to_string(), "5s");
    assert!(server.replicas.is_unknown());
    assert_eq!(server.priority_class.value().map(String::as_str), Some("low"));
}

#[test]
fn an_unknown_value_that_a_chart_prints_hides_what_it_touches() {
    assert_snapshot!(values_of_release("
        //- apps/Chart.yaml
        apiVersion: v2
        name: apps
        version: 0.1.0
        //- apps/templates/app.yaml
        apiVersion: argoproj.io/v1alpha1
        kind: Application
        metadata: {name: metrics-server, namespace: argocd}
        spec:
          destination: {server: https://kubernetes.default.svc, namespace: kube-system}
          source:
            repoURL: https://kubernetes-sigs.github.io/metrics-server/
            chart: metrics-server
            targetRevision: 3.12.2
            helm:
              values: |
                podAnnotations: {a: '{{ randAlphaNum 5 }}'}
                args:
                  {{- fromYaml (randAlphaNum 5) | toYaml | nindent 10 }}
                  - --v=2
                nodeSelector:
                  {{- fromYaml (randAlphaNum 5) | toYaml | nindent 10 }}
                  c: d
                replicas: 2
        //- root.yaml
        apiVersion: argoproj.io/v1alpha1
        kind: Application
        metadata: {name: root, namespace: argocd}
        spec:
          destination: {server: https://kubernetes.default.svc, namespace: argocd}
          source: {repoURL: https://github.com/acme/gitops, path: apps}
    "), @"
    podAnnotations.a: unknown: `randAlphaNum` gives something else each time  apps/templates/app.yaml:12 `'`
    args:
      - unknown: `randAlphaNum` gives something else each time  apps/templates/app.yaml:14 `randAlphaNum 5`
      - --v=2  apps/templates/app.yaml:15
    nodeSelector.c: d  apps/templates/app.yaml:18
    nodeSelector.*: unknown: `randAlphaNum` gives something else each time
    replicas: 2  apps/templates/app.yaml:19
    ");
}

/// The name that kustomize generates is another one whenever the content is: what is accepted in a
/// baseline would be new then.
#[test]
fn what_cannot_be_told_of_generated_values_is_not_called_after_their_content() {
    let sources = fixture(
        "
            //- clusters/prod/app.yaml
            apiVersion: kustomize.toolkit.fluxcd.io/v1
            kind: Kustomization
            metadata: {name: app, namespace: flux-system}
            spec:
              path: ./app
              sourceRef: {kind: GitRepository, name: flux-system}
              postBuild: {substituteFrom: [{kind: Secret, name: cs}]}
            //- clusters/prod/secret.yaml
            apiVersion: v1
            kind: Secret
            metadata: {name: cs, namespace: flux-system}
            stringData: {A: 'ENC[AES256_GCM,data:a,iv:a,tag:a,type:str]'}
            sops: {mac: x}
            //- app/kustomization.yaml
            resources: [release.yaml]
            namespace: kube-system
            configMapGenerator: [{name: values, files: [values.yaml]}]
            configurations: [names.yaml]
            //- app/names.yaml
            nameReference:
              - kind: ConfigMap
                version: v1
                fieldSpecs: [{path: spec/valuesFrom/name, kind: HelmRelease}]
            //- app/values.yaml
            ${A}
            //- app/release.yaml
            apiVersion: helm.toolkit.fluxcd.io/v2
            kind: HelmRelease
            metadata: {name: metrics-server, namespace: kube-system}
            spec:
              chart: {spec: {chart: metrics-server, version: 3.12.2}}
              valuesFrom: [{kind: ConfigMap, name: values}]
        ",
    );
    let (environments, _) = analyze(&sources, &Config::default());
    let problems = environments.iter().flat_map(|it| &it.problems);
    let subjects: Vec<&str> = problems.map(|it| &*it.subject).collect();
    assert!(subjects.contains(&"ConfigMap kube-system/values"), "{subjects:?}");
}
