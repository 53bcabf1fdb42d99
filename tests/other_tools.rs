//! Argo CD and the tools beside it, over small repositories: what each environment gets, and where
//! a person edits it.

use std::path::Path;

use metrics_server_lint::{
    analyze,
    config::Config,
    discover,
    model::Cluster,
    resolve::{Environment, Release},
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
