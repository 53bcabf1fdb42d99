//! Argo CD and the tools beside it, over small repositories: what each environment gets, and where
//! a person edits it.

use std::path::Path;

use crate::{
    config::Config,
    discover,
    model::Cluster,
    pipeline::analyze,
    resolve::environment::{Environment, Release},
    source::{Sources, Span},
    tree::{Node, Origin},
};

/// A repository of `testdata` with what it resolves to.
struct Repository {
    sources: Sources,
    environments: Vec<Environment>,
    clusters: Vec<Cluster>,
}

fn repository(scenario: &str) -> Repository {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(scenario);
    resolved(discover::open(&root, &|| {}).expect("the scenario is a directory"))
}

fn in_memory(files: &[(&str, &str)]) -> Repository {
    resolved(Sources::in_memory(files.iter().copied()))
}

fn resolved(sources: Sources) -> Repository {
    let (environments, clusters) = analyze(&sources, &Config::default());
    Repository { sources, environments, clusters }
}

impl Repository {
    fn names(&self) -> Vec<&str> {
        self.environments.iter().map(|it| it.name.as_str()).collect()
    }

    fn environment(&self, name: &str) -> &Environment {
        let found = self.environments.iter().find(|it| it.name == name);
        found.unwrap_or_else(|| panic!("no environment {name} in {:?}", self.names()))
    }

    fn cluster(&self, name: &str) -> &Cluster {
        self.clusters.iter().find(|it| it.environment == name).expect("a cluster an environment")
    }

    fn release(&self, environment: &str, name: &str) -> &Release {
        let releases = &self.environment(environment).releases;
        let found = releases.iter().find(|it| it.name == name);
        found.unwrap_or_else(|| panic!("no release {name} in {releases:?}"))
    }

    /// A value of a release with the places on its way, each as `file:line text`.
    fn value(&self, environment: &str, release: &str, path: &str) -> (String, Vec<String>) {
        let values = &self.release(environment, release).values;
        let node = values.at(path).unwrap_or_else(|| panic!("no {path} in {}", values.to_json()));
        (text(node), self.way(&node.origin))
    }

    fn way(&self, origin: &Origin) -> Vec<String> {
        let spans = origin.steps().filter_map(|it| it.span);
        let place = |span: Span| {
            let path = &self.sources[span.file].path;
            let text = self.sources.slice(span).lines().next().unwrap_or_default().trim();
            format!("{path}:{} {text}", self.sources.start(span).line)
        };
        spans.map(place).collect()
    }

    fn problems(&self, environment: &str) -> Vec<String> {
        let problems = &self.environment(environment).problems;
        problems.iter().map(|it| format!("{}: {}", it.kind.rule(), it.message)).collect()
    }
}

/// A value as text; an unknown one as why.
fn text(node: &Node) -> String {
    match node.unknown() {
        Some(why) => format!("unknown: {why}"),
        None => node.to_json().to_string(),
    }
}

#[test]
fn an_application_of_applications() {
    let it = repository("argo-cd/app-of-apps");
    assert_eq!(it.names(), ["default"]);
    let value = |path| it.value("default", "metrics-server", path);
    let reference = "apps/metrics-server.yaml:14 $values/values/metrics-server.yaml";
    assert_eq!(
        value("resources.requests.memory"),
        ("\"200Mi\"".into(), vec![reference.into(), "values/metrics-server.yaml:7 200Mi".into()])
    );
    assert_eq!(
        value("replicas"),
        (
            "2".into(),
            vec!["values/metrics-server.yaml:1 1".into(), "apps/metrics-server.yaml:16 2".into()]
        )
    );
    assert_eq!(value("podAnnotations.checksum").0, "\"12\"");
    assert_eq!(
        value("resources.limits.memory"),
        (
            "\"300Mi\"".into(),
            vec![
                "values/metrics-server.yaml:9 250Mi".into(),
                "apps/metrics-server.yaml:19 300Mi".into()
            ]
        )
    );
    let server = &it.cluster("default").metrics_servers[0];
    assert_eq!(server.via, "argo-cd");
    assert_eq!(server.namespace, "kube-system");
    assert_eq!(server.replicas.value(), Some(&2));
    let (insecure, origin) = server.kubelet_insecure_tls.known().expect("it is known");
    assert!(insecure);
    assert_eq!(it.way(origin), [reference, "values/metrics-server.yaml:3 --kubelet-insecure-tls"]);
    assert!(it.problems("default").is_empty(), "{:?}", it.problems("default"));
}

#[test]
fn an_application_set_with_a_list_and_one_with_files() {
    let it = repository("argo-cd/application-set");
    assert_eq!(it.names(), ["production", "staging"]);
    assert_eq!(
        it.value("production", "metrics-server", "resources.limits.memory"),
        (
            "\"512Mi\"".into(),
            vec![
                "sets/metrics-server.yaml:31 {{memory}}".into(),
                "sets/metrics-server.yaml:14 512Mi".into()
            ]
        )
    );
    let replicas = |name| {
        let server = &it.cluster(name).metrics_servers[0];
        server.replicas.value().copied()
    };
    assert_eq!((replicas("staging"), replicas("production")), (Some(1), Some(2)));
    let approver = |environment, path| it.value(environment, "kubelet-csr-approver", path);
    assert_eq!(approver("staging", "replicas").0, "1");
    assert_eq!(
        approver("production", "replicas"),
        (
            "3".into(),
            vec![
                "sets/approver.yaml:27 {{ default 1 .approver.replicas }}".into(),
                "clusters/production/addons.yaml:4 3".into()
            ]
        )
    );
    assert_eq!(
        approver("staging", "providerRegex"),
        (
            "\"^node-\\\\d+$\"".into(),
            vec![
                "sets/approver.yaml:26 {{ .approver.regex | quote }}".into(),
                "clusters/staging/addons.yaml:2 ^node-\\d+$".into()
            ]
        )
    );
    assert_eq!(approver("staging", "metrics.enable").0, "false");
}

#[test]
fn a_helm_chart_of_k3s_with_its_config() {
    let it = repository("k3s-helm-chart");
    assert_eq!(it.names(), ["default"]);
    let value = |path| it.value("default", "metrics-server", path);
    assert_eq!(
        value("resources.limits.memory"),
        (
            "\"400Mi\"".into(),
            vec![
                "manifests/metrics-server.yaml:18 200Mi".into(),
                "manifests/metrics-server-config.yaml:10 400Mi".into()
            ]
        )
    );
    assert_eq!(
        value("replicas"),
        (
            "2".into(),
            vec![
                "manifests/metrics-server.yaml:13 1".into(),
                "manifests/metrics-server.yaml:20 2".into()
            ]
        )
    );
    assert_eq!(value("podLabels.tier").0, "\"3\"");
    let server = &it.cluster("default").metrics_servers[0];
    assert_eq!((server.via, server.namespace.as_str()), ("helm-chart", "monitoring"));
    assert_eq!(server.replicas.value(), Some(&2));
}

#[test]
fn a_helm_chart_proxy_knows_what_it_does_not_take_from_the_cluster() {
    let it = repository("cluster-api-helm");
    let environment = it.names()[0].to_owned();
    let value = |path| it.value(&environment, "metrics-server", path);
    assert_eq!(
        value("replicas").0,
        "unknown: `{{ .Cluster.spec.topology.controlPlane.replicas }}` is filled in for each cluster"
    );
    assert_eq!(value("podLabels.team").1, ["proxy.yaml:20 platform"]);
    let server = &it.cluster(&environment).metrics_servers[0];
    assert!(server.replicas.is_unknown());
    let (insecure, origin) = server.kubelet_insecure_tls.known().expect("it is known");
    assert!(insecure);
    assert_eq!(it.way(origin), ["proxy.yaml:17 --kubelet-insecure-tls"]);
}

#[test]
fn a_helm_release_of_terraform() {
    let it = repository("terraform");
    assert_eq!(it.names(), ["eks", "live/dev", "live/prod"]);
    let value = |path| it.value("eks", "metrics-server", path);
    let file = "file(\"${path.module}/values/metrics-server.yaml\")";
    assert_eq!(
        value("replicas"),
        (
            "2".into(),
            vec!["eks/values/metrics-server.yaml:1 1".into(), "eks/metrics-server.tf:25 2".into()]
        )
    );
    assert_eq!(
        value("priorityClassName"),
        (
            "\"system-node-critical\"".into(),
            vec![
                format!("eks/metrics-server.tf:13 {file}"),
                "eks/values/metrics-server.yaml:2 system-node-critical".into()
            ]
        )
    );
    assert_eq!(value("resources.requests.memory").1, ["eks/metrics-server.tf:17 150Mi"]);
    assert_eq!(
        value("resources.limits.memory").0,
        "unknown: `var.memory_limit` is set outside of the code"
    );
    assert_eq!(value("podLabels.team").1, ["eks/metrics-server.tf:21 platform"]);
    assert_eq!(value("hostNetwork.enabled").0, "unknown: whether it is set is decided elsewhere");
    let server = &it.cluster("eks").metrics_servers[0];
    let (insecure, origin) = server.kubelet_insecure_tls.known().expect("it is known");
    assert!(insecure);
    assert_eq!(
        it.way(origin),
        [
            "eks/values/metrics-server.yaml:4 --v=2",
            "eks/metrics-server.tf:34 \"--kubelet-insecure-tls\""
        ]
    );
    assert!(server.host_network.is_unknown() && server.memory_limit.is_unknown());
    assert_eq!(
        server.chart.as_ref().and_then(|(_, version)| version.value().cloned()).as_deref(),
        Some("3.12.2")
    );
}

#[test]
fn a_terraform_module_has_what_its_callers_pass() {
    let it = repository("terraform");
    let replicas = it.value("live/prod", "metrics-server", "replicas");
    assert_eq!(replicas.0, "2");
    assert_eq!(
        replicas.1,
        [
            "modules/metrics-server/main.tf:21 templatefile(\"${path.module}/values.yaml.tftpl\", { replicas = var.replicas })",
            "modules/metrics-server/values.yaml.tftpl:2 ${replicas}",
            "modules/metrics-server/main.tf:21 var.replicas",
            "live/prod/main.tf:3 2"
        ]
    );
    assert_eq!(it.value("live/dev", "metrics-server", "replicas").0, "1");
    let server = &it.cluster("live/dev").metrics_servers[0];
    assert_eq!(server.via, "terraform");
    assert_eq!(
        server.memory_limit.known().map(|(_, it_)| it.way(it_)),
        Some(vec!["modules/metrics-server/main.tf:26 \"256Mi\"".to_owned()])
    );
    assert!(it.release("live/dev", "metrics-server").suspended);
}

#[test]
fn a_helmfile_with_two_environments() {
    let it = repository("helmfile");
    assert_eq!(it.names(), ["production", "staging"]);
    let value = |path| it.value("production", "metrics-server", path);
    assert_eq!(
        value("replicas"),
        (
            "2".into(),
            vec![
                "helmfile.yaml:21 values/metrics-server.yaml.gotmpl".into(),
                "values/metrics-server.yaml.gotmpl:1 {{ .Values.metricsServer.replicas }}".into(),
                "helmfile.yaml:7 environments/production.yaml".into(),
                "environments/production.yaml:4 2".into()
            ]
        )
    );
    assert_eq!(value("resources.limits.memory").0, "\"300Mi\"");
    assert_eq!(
        value("podLabels.environment"),
        (
            "\"production\"".into(),
            vec![
                "helmfile.yaml:23 {{ .Environment.Name }}".into(),
                "helmfile.yaml:5 production".into()
            ]
        )
    );
    assert_eq!(value("containerPort").1, ["helmfile.yaml:26 4443"]);
    assert!(value("podAnnotations.commit").0.starts_with("unknown: "));
    let default = it.value("staging", "metrics-server", "resources.limits.memory");
    let template = "values/metrics-server.yaml.gotmpl:4";
    let expression = "{{ .Values | get \"metricsServer.memory\" \"200Mi\" }}";
    assert_eq!(default.0, "\"200Mi\"");
    assert_eq!(default.1.last(), Some(&format!("{template} {expression}")));
    let server = &it.cluster("staging").metrics_servers[0];
    assert_eq!((server.via, server.replicas.value()), ("helmfile", Some(&1)));
    let version = server.chart.as_ref().and_then(|(_, it)| it.known().map(|(it, _)| it.clone()));
    assert_eq!(version.as_deref(), Some("3.12.1"));
}

#[test]
fn a_bundle_of_fleet_with_two_targets() {
    let it = repository("fleet");
    assert_eq!(it.names(), ["dev", "prod"]);
    let replicas = |name| it.cluster(name).metrics_servers[0].replicas.value().copied();
    assert_eq!((replicas("dev"), replicas("prod")), (Some(1), Some(2)));
    assert_eq!(
        it.value("prod", "metrics-server", "resources.limits.memory"),
        (
            "\"500Mi\"".into(),
            vec![
                "metrics-server/values.yaml:3 250Mi".into(),
                "metrics-server/fleet.yaml:23 500Mi".into()
            ]
        )
    );
    assert_eq!(
        it.value("dev", "metrics-server", "resources.limits.memory").1,
        ["metrics-server/fleet.yaml:12 values.yaml", "metrics-server/values.yaml:3 250Mi"]
    );
    let region = it.value("dev", "metrics-server", "podLabels.region").0;
    assert_eq!(region, "unknown: Fleet fills in `${ .ClusterLabels.region }` for each cluster");
    let insecure = |name| it.cluster(name).metrics_servers[0].kubelet_insecure_tls.value().copied();
    assert_eq!((insecure("dev"), insecure("prod")), (Some(true), Some(false)));
}

/// An Application of this repository: its name, path, and more of its spec.
fn application(name: &str, path: &str, more: &str) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}, namespace: argocd}}\n\
         spec:\n  source:\n    repoURL: https://git.example.com/fleet\n    path: {path}\n{more}"
    )
}

const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: metrics-server}
spec:
  replicas: 1
  template:
    spec:
      containers:
        - name: metrics-server
          image: registry.k8s.io/metrics-server/metrics-server:v0.7.2
          args: [--secure-port=10250]
";

#[test]
fn a_kustomize_source_with_edits() {
    let more = "    kustomize:
      images: ['registry.k8s.io/metrics-server/metrics-server:v0.7.1']
      replicas: [{name: metrics-server, count: 3}]
      patches:
        - target: {kind: Deployment}
          patch: |-
            - op: add
              path: /spec/template/spec/containers/0/args/-
              value: --kubelet-insecure-tls
  destination: {name: prod, namespace: kube-system}
";
    let it = in_memory(&[
        ("argo/ms.yaml", &application("ms", "apps/ms", more)),
        ("apps/ms/kustomization.yaml", "resources: [deployment.yaml]"),
        ("apps/ms/deployment.yaml", DEPLOYMENT),
    ]);
    assert_eq!(it.names(), ["prod"], "{:?}", it.environments);
    assert!(it.problems("prod").is_empty(), "{:?}", it.problems("prod"));
    let server = &it.cluster("prod").metrics_servers[0];
    assert_eq!(server.namespace, "kube-system");
    let way = |origin: Option<&Origin>| it.way(origin.expect("it is known"));
    assert_eq!(server.replicas.value(), Some(&3));
    assert_eq!(way(server.replicas.origin()), ["apps/ms/deployment.yaml:5 1", "argo/ms.yaml:10 3"]);
    assert_eq!(server.image_tag.value().map(String::as_str), Some("v0.7.1"));
    assert_eq!(
        way(server.kubelet_insecure_tls.origin()).last().map(String::as_str),
        Some("argo/ms.yaml:16 --kubelet-insecure-tls")
    );
}

#[test]
fn overlays_of_applications_are_environments_and_what_they_deploy_belongs_to_them() {
    let more =
        "  destination: {server: 'https://kubernetes.default.svc', namespace: kube-system}\n";
    let patch = "- {op: replace, path: /spec/source/path, value: apps/prod}";
    let it = in_memory(&[
        ("argo/base/kustomization.yaml", "resources: [ms.yaml]"),
        ("argo/base/ms.yaml", &application("ms", "apps/dev", more)),
        ("argo/overlays/dev/kustomization.yaml", "resources: [../../base]"),
        (
            "argo/overlays/prod/kustomization.yaml",
            &format!(
                "resources: [../../base]\npatches: [{{target: {{kind: Application}}, patch: '{patch}'}}]"
            ),
        ),
        ("apps/base/kustomization.yaml", "resources: [deployment.yaml]"),
        ("apps/base/deployment.yaml", DEPLOYMENT),
        ("apps/dev/kustomization.yaml", "resources: [../base]"),
        (
            "apps/prod/kustomization.yaml",
            "resources: [../base]\nreplicas: [{name: metrics-server, count: 2}]",
        ),
    ]);
    assert_eq!(it.names(), ["argo/overlays/dev", "argo/overlays/prod"]);
    let replicas = |name| it.cluster(name).metrics_servers[0].replicas.value().copied();
    assert_eq!(replicas("argo/overlays/dev"), Some(1));
    assert_eq!(replicas("argo/overlays/prod"), Some(2));
}

#[test]
fn a_set_over_directories() {
    let set = "apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: apps, namespace: argocd}
spec:
  generators:
    - git:
        repoURL: https://git.example.com/fleet
        directories: [{path: clusters/*/apps/*}, {path: clusters/*/apps/old, exclude: true}]
  template:
    metadata: {name: '{{path[1]}}-{{path.basename}}'}
    spec:
      source: {repoURL: 'https://git.example.com/fleet', path: '{{path}}'}
      destination: {name: '{{path[1]}}', namespace: kube-system}
";
    let it = in_memory(&[
        ("set.yaml", set),
        ("clusters/dev/apps/ms/ms.yaml", DEPLOYMENT),
        ("clusters/prod/apps/ms/kustomization.yaml", "resources: [ms.yaml]"),
        ("clusters/prod/apps/ms/ms.yaml", DEPLOYMENT),
        ("clusters/prod/apps/old/ms.yaml", "kind: X # metrics-server"),
    ]);
    assert!(it.names().contains(&"dev") && it.names().contains(&"prod"), "{:?}", it.names());
    assert_eq!(it.cluster("dev").metrics_servers.len(), 1);
    assert_eq!(it.cluster("prod").metrics_servers.len(), 1);
}

#[test]
fn an_umbrella_chart_of_this_repository() {
    let more = "    helm:
      valueFiles: [values-prod.yaml]
      parameters: [{name: metrics-server.replicas, value: '2'}]
  destination: {name: prod, namespace: kube-system}
";
    let it = in_memory(&[
        ("argo/ms.yaml", &application("ms", "charts/ms", more)),
        (
            "charts/ms/Chart.yaml",
            "apiVersion: v2\nname: ms\nversion: 0.1.0\ndependencies:\n  - {name: metrics-server, version: 3.12.2, repository: 'https://kubernetes-sigs.github.io/metrics-server'}\n",
        ),
        ("charts/ms/values.yaml", "metrics-server:\n  replicas: 1\n  args: [--v=2]\n"),
        ("charts/ms/values-prod.yaml", "metrics-server:\n  args: [--kubelet-insecure-tls]\n"),
    ]);
    assert_eq!(it.names(), ["prod"]);
    let server = &it.cluster("prod").metrics_servers[0];
    assert_eq!(server.replicas.value(), Some(&2));
    assert_eq!(server.kubelet_insecure_tls.value(), Some(&true));
}

#[test]
fn a_chart_of_applications() {
    let more = "  destination: {name: in-cluster, namespace: argocd}\n";
    let template = "apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: metrics-server
  namespace: {{ .Release.Namespace }}
spec:
  source:
    repoURL: https://kubernetes-sigs.github.io/metrics-server
    chart: metrics-server
    targetRevision: {{ .Values.metricsServer.version }}
    helm:
      valuesObject:
        replicas: {{ .Values.metricsServer.replicas | default 1 }}
        podLabels: {cluster: {{ include \"cluster\" . }}}
  destination: {name: in-cluster, namespace: kube-system}
";
    let it = in_memory(&[
        ("root.yaml", &application("root", "charts/apps", more)),
        ("charts/apps/Chart.yaml", "{apiVersion: v2, name: apps, version: 0.1.0}"),
        ("charts/apps/values.yaml", "metricsServer: {version: 3.12.2, replicas: 2}\n"),
        ("charts/apps/templates/metrics-server.yaml", template),
        (
            "charts/apps/templates/other.yaml",
            "{{ range .Values.others }}\napiVersion: argoproj.io/v1alpha1\n{{ end }}\n",
        ),
    ]);
    assert_eq!(it.names(), ["default"]);
    assert_eq!(
        it.value("default", "metrics-server", "replicas"),
        (
            "2".into(),
            vec![
                "charts/apps/templates/metrics-server.yaml:13 {{ .Values.metricsServer.replicas | default 1 }}".into(),
                "charts/apps/values.yaml:1 2".into()
            ]
        )
    );
    assert!(it.value("default", "metrics-server", "podLabels.cluster").0.starts_with("unknown"));
    assert_eq!(it.cluster("default").metrics_servers[0].replicas.value(), Some(&2));
}

#[test]
fn what_argo_cd_takes_from_elsewhere_is_not_guessed() {
    let more = "    targetRevision: v1.2.0\n  destination: {name: prod, namespace: kube-system}\n";
    let chart = "apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: metrics-server, namespace: argocd}
spec:
  sources:
    - repoURL: https://kubernetes-sigs.github.io/metrics-server
      chart: metrics-server
      targetRevision: 3.12.2
      helm:
        valueFiles: [$values/ms.yaml, $values/missing.yaml]
        valuesObject: {args: [--kubelet-insecure-tls]}
    - {repoURL: 'https://git.example.com/values', ref: values}
  destination: {name: lab, namespace: kube-system}
";
    let it = in_memory(&[
        ("argo/pinned.yaml", &application("ms", "apps/ms", more)),
        ("argo/chart.yaml", chart),
        ("apps/ms/ms.yaml", DEPLOYMENT),
    ]);
    assert!(it.cluster("prod").metrics_servers.is_empty());
    assert_eq!(
        it.problems("prod"),
        ["unresolved: it is deployed from the revision `v1.2.0`, which may not be what lies here"]
    );
    let foreign = "`https://git.example.com/values` is not known to be this repository";
    assert_eq!(it.problems("lab"), vec![format!("unresolved: {foreign}"); 2]);
    let server = &it.cluster("lab").metrics_servers[0];
    assert!(server.replicas.is_unknown(), "a values file that is not here may set it");
    assert_eq!(server.kubelet_insecure_tls.value(), Some(&true));
}

#[test]
fn a_values_file_that_does_not_exist_fails_the_application() {
    let more =
        "    helm: {valueFiles: [missing.yaml]}\n  destination: {name: prod, namespace: x}\n";
    let it = in_memory(&[
        ("argo/metrics-server.yaml", &application("ms", "charts/ms", more)),
        (
            "charts/ms/Chart.yaml",
            "{apiVersion: v2, name: ms, version: 0.1.0, dependencies: [{name: metrics-server, version: 3.12.2, repository: 'https://kubernetes-sigs.github.io/metrics-server'}]}",
        ),
    ]);
    let problems = it.problems("prod");
    assert!(problems.iter().any(|it| it.starts_with("build-fails: ")), "{problems:?}");
    for server in &it.cluster("prod").metrics_servers {
        assert!(server.replicas.is_unknown());
    }
    let ignored = more.replace("{valueFiles", "{ignoreMissingValueFiles: true, valueFiles");
    let it = in_memory(&[
        ("argo/metrics-server.yaml", &application("ms", "charts/ms", &ignored)),
        (
            "charts/ms/Chart.yaml",
            "{apiVersion: v2, name: ms, version: 0.1.0, dependencies: [{name: metrics-server, version: 3.12.2, repository: 'https://kubernetes-sigs.github.io/metrics-server'}]}",
        ),
    ]);
    assert!(it.problems("prod").is_empty());
    assert_eq!(it.cluster("prod").metrics_servers[0].replicas.value(), Some(&1));
}
