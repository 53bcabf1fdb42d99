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

/// A chart in `DIR` that makes an Application of each of its values.
const ROOT: &str = "
//- DIR/Chart.yaml
{name: root, version: 0.0.0}
//- DIR/values.yaml
repo: https://example.org/own.git
system: {metricsServer: {deploy: true}, other: {deploy: false}}
//- DIR/templates/all.yaml
{{- range $name, $it := .Values.system }}
{{- if $it.deploy }}
---
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: {{ kebabcase $name }}, namespace: argocd}
spec:
  source: {repoURL: {{ $.Values.repo }}, path: system/{{ kebabcase $name }}}
  destination: {name: in-cluster, namespace: kube-system}
{{- end }}
{{- end }}
";

#[test]
fn who_installs_a_chart_need_not_say_what_its_applications_bring() {
    let of = |dir: &str, installer: &str| {
        servers(&format!("{WRAPPER}{}{installer}\n", ROOT.replace("DIR", dir)))
    };
    for (dir, installer, name) in [
        ("boot/root", "", "boot/root"),
        ("root", "//- up.sh\nhelm template root root | kubectl apply -f -", "up.sh"),
        ("boot/root", "//- up.sh\ncd boot/root && helm upgrade -i root .", "up.sh"),
        ("boot/root", "//- Makefile\nup:\n\thelm upgrade -i root \"boot/root\"", "Makefile"),
        (
            "root",
            "//- .github/workflows/up.yaml\njobs: {up: {steps: [{run: helm upgrade -i root ./root}]}}",
            ".github/workflows/up.yaml",
        ),
        (
            "boot/root",
            "//- setup/helmfile.yaml\nreleases: [{name: root, chart: ../boot/root}]",
            "default",
        ),
        (
            "boot/root",
            "//- infra/main.tf\nresource \"helm_release\" \"root\" {\n  name = \"root\"
  chart = \"${path.module}/../boot/root\"\n}",
            "infra",
        ),
        (
            "boot/root",
            "//- roles/argo/tasks/main.yml\n- name: root
  kubernetes.core.helm: {name: root, chart_ref: boot/root, release_namespace: argocd}",
            "roles/argo/tasks/main.yml",
        ),
    ] {
        assert_eq!(of(dir, installer), [format!("{name}: v0.7.2 2")], "{installer}");
    }
}

#[test]
fn what_charts_deploy_that_bring_nothing_of_ours_is_no_environment() {
    let root = ROOT.replace("DIR", "root").replace("metricsServer", "somethingElse");
    for installer in [
        "",
        "//- up.sh\nhelm upgrade -i root ./root",
        "//- helmfile.yaml
releases: [{name: root, chart: ./root}]",
    ] {
        let files = format!(
            "{WRAPPER}{root}//- system/something-else/cm.yaml\nkind: ConfigMap\n{installer}\n"
        );
        let (environments, _) = analyze(&fixture(&files), &Config::default());
        let names: Vec<&str> = environments.iter().map(|it| &*it.name).collect();
        assert_eq!(names, ["system/metrics-server"], "{installer}");
    }
}

#[test]
fn charts_that_deploy_each_other_are_one_environment() {
    let argo = "//- argo/Chart.yaml\n{name: argo, version: 0.0.0}\n//- argo/templates/root.yaml
apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: root, namespace: argocd}
spec:\n  source: {repoURL: 'https://example.org/own.git', path: root}
  destination: {name: in-cluster, namespace: argocd}\n";
    let root = ROOT.replace("DIR", "root");
    assert_eq!(servers(&format!("{WRAPPER}{root}{argo}")), ["argo: v0.7.2 2"]);
    let root = root.replace("root/", "a/").replace("path: root", "path: a");
    let argo = argo.replace("path: root", "path: a").replace("argo/", "b/");
    // What starts the other one starts, whichever is the first.
    assert_eq!(servers(&format!("{WRAPPER}{root}{argo}")), ["b: v0.7.2 2"]);
}

#[test]
fn a_value_that_only_an_unread_command_gives_is_unknown() {
    let of = |script: &str| {
        servers(&format!(
            "//- up.sh\n{script}\n//- charts/ms/Chart.yaml\n{{name: ms, version: 0.0.0}}
//- charts/ms/templates/app.yaml
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: metrics-server, namespace: argocd}}
spec:
  source: {{repoURL: 'https://kubernetes-sigs.github.io/metrics-server/', chart: metrics-server,
    targetRevision: {{{{ .Values.version }}}}}}
  destination: {{name: in-cluster, namespace: kube-system}}
"
        ))
    };
    let command = "helm template charts/ms --set version=3.12.2 | ";
    assert_eq!(of(&format!("{command}kubectl apply -f -")), ["up.sh: v0.7.2 1"]);
    assert_eq!(of(&format!("{command}./apply.py")), ["charts/ms: ? 1"]);
}

#[test]
fn what_a_chart_without_values_of_its_own_deploys_has_those_beside_it() {
    let root = ROOT.replace("DIR/values", "DIR/values-prod").replace("DIR", "root");
    assert_eq!(servers(&format!("{WRAPPER}{root}")), ["root/values-prod.yaml: v0.7.2 2"]);
}

#[test]
fn roots_of_several_stages_in_one_directory_are_of_several_clusters() {
    let application = |path: &str, name: &str, source: &str| {
        format!(
            "//- {path}\napiVersion: argoproj.io/v1alpha1\nkind: Application
metadata: {{name: {name}, namespace: argocd}}
spec:\n  source: {source}
  destination: {{server: 'https://kubernetes.default.svc', namespace: kube-system}}\n"
        )
    };
    let root = |name: &str, path: &str| {
        let source = format!("{{repoURL: 'https://example.org/own.git', path: {path}}}");
        application(&format!("bootstrap/{name}.yaml"), name, &source)
    };
    let server = |path: &str, name: &str, version: &str| {
        let source = format!(
            "{{repoURL: 'https://kubernetes-sigs.github.io/metrics-server/', chart: metrics-server,
    targetRevision: {version}}}"
        );
        application(path, name, &source)
    };
    let of = |one: &str, two: &str| {
        let roots = [root("one", one), root("two", two)].concat();
        let first = server(&format!("{one}/a.yaml"), "a-metrics-server", "3.12.1");
        let second = server(&format!("{two}/b.yaml"), "b-metrics-server", "3.12.2");
        let both = servers(&format!("{roots}{first}{second}"));
        let alone = servers(&format!("{roots}{first}//- {two}/b.yaml\nkind: ConfigMap\n"));
        assert_eq!(alone, ["default: v0.7.1 1"], "one cluster has the parts of several stages");
        both
    };
    assert_eq!(of("apps/dev", "apps/prod"), ["dev: v0.7.1 1", "prod: v0.7.2 1"]);
    assert_eq!(of("prod-apps", "stage-apps"), ["prod: v0.7.1 1", "stage: v0.7.2 1"]);
    assert_eq!(of("clusters/a/x", "clusters/b/x"), ["a: v0.7.1 1", "b: v0.7.2 1"]);
    // Two in one cluster are a mistake.
    assert_eq!(of("apps/one", "apps/two"), ["default: v0.7.1 1", "default: v0.7.2 1"]);
}
