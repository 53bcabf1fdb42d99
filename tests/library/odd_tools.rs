//! Input that no tool would take: nothing panics, nothing runs on, and nothing is guessed.

use insta::assert_snapshot;
use proptest::prelude::*;

use super::{fixture, fixture_with, unindented};
use crate::{
    config::Config, pipeline::analyze, resolve::environment::Environment, source::Sources,
    tree::Node,
};

fn environments(sources: &Sources) -> Vec<Environment> {
    analyze(sources, &Config::default()).0
}

/// The environments of a file alone.
fn alone(path: &str, text: &str) -> Vec<Environment> {
    environments(&Sources::in_memory([(path, text)]))
}

const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: metrics-server}
spec: {template: {spec: {containers: [{name: metrics-server, image: x/metrics-server:v0.7.2}]}}}
";

const APPLICATION: &str = "# metrics-server
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: ms, namespace: argocd}
spec:
  project: default
  sources:
    - repoURL: https://kubernetes-sigs.github.io/metrics-server
      chart: metrics-server
      targetRevision: 3.12.2
      helm:
        releaseName: ms
        valueFiles: [$values/a.yaml]
        values: 'replicas: 2'
        parameters: [{name: a, value: b, forceString: true}]
    - {repoURL: https://example.com/x, ref: values}
    - repoURL: https://example.com/x
      path: dir
      kustomize: {images: [a=b:c], replicas: [{name: a, count: 1}], commonLabels: {a: b}}
      directory: {recurse: true, include: '*.yaml', exclude: x}
  destination: {server: https://kubernetes.default.svc, namespace: kube-system}
";

const SET: &str = r#"# metrics-server
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: set, namespace: argocd}
spec:
  goTemplate: true
  goTemplateOptions: [missingkey=error]
  generators:
    - list: {elements: [{cluster: a, v: 1}], elementsYaml: '- a: 1'}
    - git: {repoURL: https://example.com/x, directories: [{path: dir/*, exclude: false}]}
    - matrix: {generators: [{list: {elements: [{a: b}]}}, {clusters: {values: {x: y}}}]}
    - merge: {mergeKeys: [a], generators: [{list: {elements: [{a: b}]}}, {list: {elements: [{a: b}]}}]}
  template:
    metadata: {name: '{{ .cluster }}-{{ default "x" .v | quote }}'}
    spec:
      source: {repoURL: https://example.com/x, chart: metrics-server, helm: {values: 'a: {{ .v }}'}}
      destination: {name: '{{ .cluster }}'}
  templatePatch: 'spec: {project: x}'
"#;

const CHART: &str = "# metrics-server
apiVersion: helm.cattle.io/v1
kind: HelmChart
metadata: {name: metrics-server, namespace: kube-system}
spec:
  chart: metrics-server
  repo: https://kubernetes-sigs.github.io/metrics-server
  version: 3.12.2
  valuesContent: 'replicas: 1'
  set: {replicas: 2, a.b: c}
  valuesSecrets: [{name: x}]
---
apiVersion: addons.cluster.x-k8s.io/v1alpha1
kind: HelmChartProxy
metadata: {name: ms}
spec: {chartName: metrics-server, repoURL: x, valuesTemplate: 'a: {{ .Cluster }}'}
";

const HELMFILE: &str = "# metrics-server
bases: [base.yaml]
helmfiles: [{path: helmfile.d/*.yaml, values: [{a: b}]}]
environments: {a: {values: [{x: 1}], secrets: [s]}, b: {}}
repositories: [{name: ms, url: https://kubernetes-sigs.github.io/metrics-server}]
templates: {t: {namespace: kube-system}}
releases:
  - name: metrics-server
    chart: ms/metrics-server
    version: 3.12.2
    condition: x.enabled
    inherit: [{template: t}]
    values: [{a: b}, v.yaml]
    set: [{name: a, value: 1}, {name: b, values: [1, 2]}]
";

const FLEET: &str = "# metrics-server
defaultNamespace: kube-system
helm: {chart: metrics-server, repo: x, version: 3.12.2, values: {a: b}, valuesFiles: [v.yaml], valuesFrom: [{}]}
kustomize: {dir: k}
targetCustomizations: [{name: a, helm: {values: {a: c}}, yaml: {overlays: [o]}}]
";

const TERRAFORM: &str = r#"# metrics-server
locals { a = local.b }
variable "x" { default = 1 }
module "m" { source = "./" }
resource "helm_release" "ms" {
  count = 1
  name = "metrics-server"
  chart = "metrics-server"
  repository = "https://kubernetes-sigs.github.io/metrics-server"
  version = "3.12.2"
  values = [file("v.yaml"), yamlencode({ a = local.a }), <<-EOT
    b: ${var.x}
  EOT
  ]
  set {
    name = "a"
    value = 1
  }
}
"#;

const FILES: [(&str, &str); 6] = [
    ("app.yaml", APPLICATION),
    ("set.yaml", SET),
    ("chart.yaml", CHART),
    ("helmfile.yaml", HELMFILE),
    ("fleet/fleet.yaml", FLEET),
    ("main.tf", TERRAFORM),
];

#[test]
fn what_is_right_is_read() {
    for (path, text) in FILES {
        let found = alone(path, text);
        assert!(found.iter().any(|it| !it.releases.is_empty()), "{path}: {found:?}");
    }
}

/// Every value of a YAML text, one after the other, replaced by something of another type.
#[test]
fn wrong_types_everywhere() {
    for (path, text) in FILES.into_iter().filter(|(_, text)| *text != TERRAFORM) {
        for wrong in ["7", "null", "[x, {y: z}]", "{x: [y]}", "''", "{{ .x", "'{{ if }}'"] {
            let mut start = 0;
            while let Some(at) = text[start..].find(": ").map(|at| start + at + 2) {
                start = at;
                let end = text[at..].find([',', '\n', '}', ']']).map_or(text.len(), |it| at + it);
                alone(path, &format!("{}{wrong}{}", &text[..at], &text[end..]));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_cut_and_no_noise_breaks_anything(
        which in 0..FILES.len(),
        from in 0_usize..1_500,
        length in 0_usize..40,
        noise in r#"[ \n:{}\[\]"'$%.a-]{0,8}"#,
    ) {
        let (path, text) = FILES[which];
        let from = from.min(text.len());
        let to = (from + length).min(text.len());
        alone(path, &format!("{}{noise}{}", &text[..from], &text[to..]));
    }
}

#[test]
fn applications_that_deploy_each_other_end() {
    let application = |name: &str, path: &str| {
        let text = "
            # metrics-server
            apiVersion: argoproj.io/v1alpha1
            kind: Application
            metadata: {name: NAME}
            spec:
              source: {repoURL: https://example.com/x, path: PATH}
              destination: {name: c}
        ";
        unindented(text).replace("NAME", name).replace("PATH", path)
    };
    let found = environments(&fixture_with(
        &[("A", &application("a", "b")), ("B", &application("b", "a")), ("DEPLOYMENT", DEPLOYMENT)],
        "
        //- a/a.yaml
        A
        //- b/b.yaml
        B
        //- b/ms.yaml
        DEPLOYMENT
        ",
    ));
    let names: Vec<_> = found.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["c"]);
    assert_eq!(found[0].objects.iter().filter(|it| it.kind() == "Deployment").count(), 1);
    let found = environments(&fixture_with(
        &[("OWN", &application("own", "x")), ("DEPLOYMENT", DEPLOYMENT)],
        "
        //- x/own.yaml
        OWN
        //- x/ms.yaml
        DEPLOYMENT
        ",
    ));
    assert_eq!(found.iter().map(|it| it.objects.len()).sum::<usize>(), 2);
}

#[test]
fn ten_thousand_parameters() {
    let mut text =
        APPLICATION.replace("parameters: [{name: a, value: b, forceString: true}]", "parameters:");
    let at = text.find("parameters:\n").expect("it is there") + "parameters:\n".len();
    let many: Vec<String> = (0..10_000)
        .map(|it| format!("          - {{name: 'podLabels.k{it}', value: '{it}'}}\n"))
        .collect();
    text.insert_str(at, &many.concat());
    let found = alone("app.yaml", &text);
    let release = found.iter().flat_map(|it| &it.releases).next().expect("a release");
    assert_eq!(release.values.at("podLabels.k9999").and_then(Node::as_int), Some(9_999));
}

#[test]
fn locals_that_double_each_other_end() {
    let doubled = |it: usize| format!("l{it} = [local.l{0}, local.l{0}]\n", it - 1);
    let locals: Vec<String> = (1..40).map(doubled).collect();
    let text = r#"
        # metrics-server
        locals {
          l0 = [1]
          LOCALS
        }
        resource "helm_release" "ms" {
          name = "metrics-server"
          chart = "metrics-server"
          values = [yamlencode({ a = local.l39 })]
        }
    "#;
    alone("main.tf", &text.replace("LOCALS", &locals.concat()));
}

/// What is said of the Helmfiles of a repository, and how many releases are found.
fn of_helmfiles(files: &str) -> String {
    let sources = fixture(files);
    let found = environments(&sources);
    let mut said = String::new();
    for environment in found {
        said += &format!("{}: {} releases\n", environment.name, environment.releases.len());
        for problem in &environment.problems {
            let at = problem.at.written_at().expect("a place");
            let line = sources.start(at).line;
            said += &format!("{}:{line} {}\n", sources[at.file].path, problem.message);
        }
    }
    said
}

#[test]
fn a_helmfile_that_includes_itself_is_said_to_be_refused() {
    let itself = "
        //- helmfile.yaml
        helmfiles: [./helmfile.yaml]
        releases: [{name: ms, chart: metrics-server/metrics-server, version: 3.12.2}]
    ";
    assert_snapshot!(of_helmfiles(itself), @"
    default: 1 releases
    helmfile.yaml:1 this Helmfile includes itself
    ");
    let each_other = "
        //- a/helmfile.yaml
        helmfiles: [../b/helmfile.yaml]
        releases: [{name: ms, chart: metrics-server/metrics-server, version: 3.12.2}]
        //- b/helmfile.yaml
        helmfiles: [../a/helmfile.yaml]
    ";
    assert_snapshot!(of_helmfiles(each_other), @"
    default: 1 releases
    b/helmfile.yaml:1 this Helmfile includes itself
    ");
    let base = "
        //- helmfile.yaml
        bases: [base.yaml]
        ---
        releases: [{name: ms, chart: metrics-server/metrics-server, version: 3.12.2}]
        //- base.yaml
        bases: [other.yaml]
        //- other.yaml
        helmDefaults: {wait: true}
    ";
    assert_snapshot!(of_helmfiles(base), @"
    default: 1 releases
    base.yaml:1 a base has no bases of its own
    ");
    // Two files that include a third one are no circle.
    let twice = "
        //- helmfile.yaml
        helmfiles: [b.yaml, b.yaml]
        //- b.yaml
        releases: [{name: ms, chart: metrics-server/metrics-server, version: 3.12.2}]
    ";
    assert_snapshot!(of_helmfiles(twice), @"default: 2 releases");
}

#[test]
fn helmfiles_that_include_each_other_end() {
    environments(&fixture(
        "
        //- helmfile.yaml
        # metrics-server
        bases: [helmfile.yaml, helmfile.yaml]
        helmfiles: [helmfile.yaml, helmfile.yaml, helmfile.yaml]
        ",
    ));
}
