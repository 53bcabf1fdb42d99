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

#[test]
fn lines_beside_a_substituted_one_keep_their_places() {
    let release = |values: &str| {
        values_of_release(&format!(
            "
            //- clusters/prod/app.yaml
            apiVersion: kustomize.toolkit.fluxcd.io/v1
            kind: Kustomization
            metadata: {{name: app, namespace: flux-system}}
            spec:
              path: ./app
              sourceRef: {{kind: GitRepository, name: flux-system}}
              postBuild:
                substitute: {{RESOLUTION: 20s, EMPTY: ''}}
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
              {values}
            "
        ))
    };
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
