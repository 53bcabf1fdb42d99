//! Charts that make Applications, of which neither their templates nor who installs them say
//! metrics-server.

use super::fixture;
use crate::{config::Config, pipeline::analyze};

/// Each metrics-server with its environment, its version and how many replicas it has.
fn servers(files: &str) -> Vec<String> {
    let (_, clusters) = analyze(&fixture(files), &Config::default());
    let told = clusters.iter().flat_map(|it| {
        it.metrics_servers.iter().map(|server| {
            let version = server.image_tag.value().map_or("?", |it| it);
            let replicas = server.replicas.value().map_or("?".to_owned(), ToString::to_string);
            format!("{}: {version} {replicas}", it.environment)
        })
    });
    told.collect()
}

/// A chart at `system/metrics-server` that wraps metrics-server's.
const WRAPPER: &str = "
//- system/metrics-server/Chart.yaml
name: metrics-server
version: 0.0.0
dependencies:
- {name: metrics-server, version: 3.12.2, repository: 'https://kubernetes-sigs.github.io/metrics-server/'}
//- system/metrics-server/values.yaml
metrics-server: {replicas: 2}
";

#[test]
fn a_generator_tells_by_its_paths_that_an_address_which_a_chart_prints_is_ours() {
    let of = |generator: &str| {
        servers(&format!(
            "{WRAPPER}//- root/Chart.yaml\n{{name: root, version: 0.0.0}}
//- root/values.yaml\nrepo: https://example.org/own.git
//- root/templates/all.yaml
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {{name: system, namespace: argocd}}
spec:
  generators: [{{git: {{repoURL: '{{{{ .Values.repo }}}}', {generator}}}}}]
  goTemplate: true
  template:
    metadata: {{name: '{{{{`{{{{ .path.basename }}}}`}}}}'}}
    spec:
      destination: {{name: in-cluster, namespace: kube-system}}
      source: {{repoURL: '{{{{ .Values.repo }}}}', path: '{{{{`{{{{ .path.path }}}}`}}}}'}}
//- up.sh\n# metrics-server\nhelm upgrade --install root ./root\n"
        ))
    };
    let known = ["up.sh: v0.7.2 2"];
    assert_eq!(of("directories: [{path: 'system/*'}]"), known);
    assert_eq!(of("files: [{path: 'system/*/values.yaml'}]"), known);
    // Of what is not here, or what every repository has, nothing is told.
    let alone = ["system/metrics-server: v0.7.2 2"];
    assert_eq!(of("directories: [{path: 'system/*'}, {path: 'apps/*'}]"), alone);
    assert_eq!(of("directories: [{path: '*/*'}]"), alone);
}
