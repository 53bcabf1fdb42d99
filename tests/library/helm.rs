//! Values in, objects and origins out.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use semver::Version;

use crate::{
    config::Config,
    data::{Family, charts},
    problem::ProblemKind,
    resolve::{
        context::{Context, Purpose},
        environment::Release,
        helm::{Expanded, Rendered, expand, layer, merge, render},
    },
    scalar::{Dialect, Scalar},
    source::Sources,
    tree::{Map, Node, Origin, Via},
};

/// A release of a chart from a repository, with `values` from `values.yaml` and its version from
/// `release.yaml`.
fn rendered(family: Family, version: &str, values: &str) -> (Sources, Rendered) {
    let release = format!("version: \"{version}\"\nname: metrics-server\n");
    let sources = Sources::in_memory([("release.yaml", release.as_str()), ("values.yaml", values)]);
    let rendered = {
        let file = sources.find("release.yaml").expect("it is there");
        let root = sources.documents(file, Dialect::Sigs).roots().next().expect("a document");
        let version = root.get("version").expect("a version").clone();
        let release = Release {
            family: Some(family),
            anchor: version.origin.clone(),
            version: Some(version),
            values: values_of(&sources, "values.yaml"),
            ..in_directory(None)
        };
        with(&sources, |context| render(context, &release))
    };
    (sources, rendered)
}

fn sigs(version: &str, values: &str) -> (Sources, Rendered) {
    rendered(Family::KubernetesSigs, version, values)
}

fn with<T>(sources: &Sources, f: impl FnOnce(&Context<'_>) -> T) -> T {
    let config = Config::default();
    f(&Context::new(sources, &config, Purpose::Judge))
}

fn values_of(sources: &Sources, path: &str) -> Node {
    let nowhere = Origin::at(Via::Written, None);
    let file = sources.find(path).expect("it is there");
    layer(sources.documents(file, Dialect::Sigs), &nowhere).expect("values")
}

/// A release named `metrics-server` in `kube-system` of the chart in `directory`, without values.
pub(crate) fn in_directory(directory: Option<&str>) -> Release {
    let nowhere = Origin::at(Via::Written, None);
    Release {
        name: "metrics-server".into(),
        namespace: "kube-system".into(),
        via: "helm-release",
        family: None,
        chart: "metrics-server".into(),
        directory: directory.map(Into::into),
        alias: None,
        version: None,
        values: Node::new(Map::default(), nowhere.clone()),
        anchor: nowhere,
        suspended: false,
    }
}

fn object<'a>(rendered: &'a Rendered, kind: &str) -> &'a Node {
    let found = rendered.objects.iter().find(|it| it.str_at("kind") == Some(kind));
    found.unwrap_or_else(|| panic!("no {kind}: {:?}", rendered.problems))
}

fn container(rendered: &Rendered) -> &Node {
    let pod = object(rendered, "Deployment").at("spec.template.spec").expect("a pod");
    &pod.get("containers").expect("containers").items()[0]
}

/// Each step of a value's way: what happens there, and the text.
fn way(sources: &Sources, node: &Node) -> String {
    let mut text = String::new();
    for step in node.origin.steps() {
        let at = step.span.map_or("-", |span| sources.slice(span));
        let file = step.span.map_or("", |span| &sources[span.file].path);
        let _ = writeln!(text, "{}: {file} {at}", step.via.id());
    }
    text
}

#[test]
fn a_value_keeps_its_place_and_a_default_has_the_version_s() {
    let (sources, rendered) = sigs("3.12.2", "resources: {limits: {memory: 64Mi}}\nreplicas: 2\n");
    let container = container(&rendered);
    let limit = container.at("resources.limits.memory").expect("a limit");
    assert_eq!(way(&sources, limit), "written: values.yaml 64Mi\n");
    let request = container.at("resources.requests.memory").expect("a request");
    assert_eq!(request.as_str(), Some("200Mi"));
    assert_eq!(way(&sources, request), "chart-default: release.yaml \"3.12.2\"\n");
    let replicas = object(&rendered, "Deployment").at("spec.replicas").expect("replicas");
    assert_eq!(way(&sources, replicas), "written: values.yaml 2\n");
}

#[test]
fn arguments_keep_their_places() {
    let values =
        "args:\n  - --kubelet-insecure-tls\ncontainerPort: 4443\nmetrics: {enabled: true}\n";
    let (sources, rendered) = sigs("3.13.1", values);
    let args = container(&rendered).get("args").expect("arguments").items();
    let text: Vec<_> = args.iter().filter_map(Node::as_str).collect();
    assert_eq!(
        text,
        [
            "--secure-port=4443",
            "--cert-dir=/tmp",
            "--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname",
            "--kubelet-use-node-status-port",
            "--metric-resolution=15s",
            "--authorization-always-allow-paths=/metrics",
            "--kubelet-insecure-tls",
        ]
    );
    assert_eq!(way(&sources, &args[0]), "written: values.yaml 4443\n");
    assert_eq!(way(&sources, &args[4]), "chart-default: release.yaml \"3.13.1\"\n");
    assert_eq!(way(&sources, &args[5]), "written: values.yaml true\n");
    assert_eq!(way(&sources, &args[6]), "written: values.yaml --kubelet-insecure-tls\n");
}

#[test]
fn what_is_taken_away_remembers_by_what() {
    for values in ["resources: null\n", "resources: {requests: null}\n"] {
        let (sources, rendered) = sigs("3.12.2", values);
        let container = container(&rendered).as_map().expect("a map");
        assert_eq!(container.get("resources"), None, "{values}");
        let by = container.removed("resources").and_then(Origin::written_at).expect("a place");
        assert!(values.contains(sources.slice(by)), "{values}");
    }
}

#[test]
fn unquoted_items_are_read_again() {
    let values = "args: ['--v=2 # more', 3, 'on', 'a: b', '--x=1e3', ~]\n";
    let (_, rendered) = sigs("3.12.2", values);
    let args = container(&rendered).get("args").expect("arguments").to_json();
    let user = &args.as_array().expect("a list")[5..];
    assert_eq!(
        user,
        [json!("--v=2"), json!(3), json!(true), json!({"a": "b"}), json!("--x=1e3"), Json::Null]
    );
}

#[test]
fn the_combinations_that_helm_refuses() {
    for (values, at) in [
        ("hostNetwork: true\n", "true"),
        ("args: --kubelet-insecure-tls\n", "--kubelet-insecure-tls"),
        ("podDisruptionBudget: null\n", "null"),
        ("args: ['--x: : y']\n", "'--x: : y'"),
        ("nameOverride: 3\n", "3"),
        ("extraVolumes: {a: b}\n", "{a: b}"),
    ] {
        let (sources, rendered) = sigs("3.12.2", values);
        assert!(rendered.objects.is_empty(), "{values}");
        let problem = &rendered.problems[0];
        assert_eq!(problem.kind, ProblemKind::BuildFails, "{values}");
        let span = problem.at.written_at().expect("a place");
        assert_eq!(sources.slice(span), at, "{values}");
    }
}

#[test]
fn a_range_tells_what_its_versions_agree_on() {
    let (_, rendered) = sigs("3.12.x", "{}\n");
    let server = container(&rendered);
    assert!(server.look("image").is_err(), "each version has its own");
    assert_eq!(server.str_at("resources.requests.cpu"), Some("100m"));
    let (_, rendered) = sigs("3.10.0 - 3.11.0", "{}\n");
    assert!(container(&rendered).look("resources.requests.cpu").is_err());
    assert!(container(&rendered).look("args").is_ok());
    let (_, rendered) = sigs(">=3.0.0", "image: {tag: v0.7.2}\n");
    let image = container(&rendered).str_at("image");
    assert_eq!(image, Some("registry.k8s.io/metrics-server/metrics-server:v0.7.2"));
    assert_eq!(container(&rendered).str_at("resources.requests.cpu"), Some("100m"));
}

#[test]
fn of_a_newer_chart_only_what_is_set_is_known() {
    let values = "args: [--kubelet-insecure-tls]\nresources: {limits: {memory: 1Gi}}\n";
    let (_, rendered) = sigs("3.99.0", values);
    let server = container(&rendered);
    assert_eq!(server.str_at("resources.limits.memory"), Some("1Gi"));
    assert!(server.look("resources.requests.memory").is_err());
    assert!(server.look("image").is_err());
    let args = server.get("args").expect("arguments").items();
    assert_eq!(args.last().and_then(Node::as_str), Some("--kubelet-insecure-tls"));
    assert!(args.iter().any(|it| it.unknown().is_some()));
    let api = object(&rendered, "APIService");
    assert!(api.look("spec.insecureSkipTLSVerify").is_err());
    let pod = object(&rendered, "Deployment").at("spec.template.spec").expect("a pod");
    assert!(pod.look("hostNetwork").is_err());
}

#[test]
fn unknown_values_stay_unknown() {
    let sources = Sources::in_memory([("values.yaml", "replicas: 3\n")]);
    let nowhere = Origin::at(Via::Written, None);
    let secret = Node::unknown_value("it is encrypted", &nowhere);
    let release = Release {
        family: Some(Family::KubernetesSigs),
        version: Some(Node::new(Scalar::string("3.12.2"), nowhere)),
        values: merge(&secret, &values_of(&sources, "values.yaml")),
        ..in_directory(None)
    };
    let rendered = with(&sources, |context| render(context, &release));
    let deployment = object(&rendered, "Deployment");
    assert_eq!(deployment.at("spec.replicas").and_then(Node::as_int), Some(3));
    let server = container(&rendered);
    for path in ["image", "resources.requests.cpu", "securityContext"] {
        assert!(server.look(path).is_err(), "{path}");
    }
    assert!(deployment.look("spec.template.spec.priorityClassName").is_err());
    assert!(object(&rendered, "PodDisruptionBudget").look("spec").is_err());
}

#[test]
fn bitnami_takes_an_unquoted_false_for_true() {
    let values = "apiService: {create: true, insecureSkipTLSVerify: false}\nextraArgs: [--v=2]\n";
    let (_, full) = rendered(Family::Bitnami, "7.4.13", values);
    let insecure = object(&full, "APIService").at("spec.insecureSkipTLSVerify");
    assert_eq!(insecure.and_then(Node::as_bool), Some(true));
    let quoted = values.replace("false", "\"false\"");
    let (_, full) = rendered(Family::Bitnami, "7.4.13", &quoted);
    let insecure = object(&full, "APIService").at("spec.insecureSkipTLSVerify");
    assert_eq!(insecure.and_then(Node::as_bool), Some(false));
}

#[test]
fn of_older_bitnami_charts_the_arguments_and_the_port_are_known() {
    let (_, old) = rendered(Family::Bitnami, "5.11.2", "extraArgs: {kubelet-insecure-tls: true}\n");
    let command = container(&old).get("command").expect("a command").to_json();
    let expected = json!(["metrics-server", "--secure-port=8443", "--kubelet-insecure-tls=true"]);
    assert_eq!(command, expected);
    assert!(container(&old).look("image").is_err());
    assert!(container(&old).look("securityContext").is_err());
    let (_, newer) = rendered(Family::Bitnami, "6.4.2", "extraArgs: [--kubelet-insecure-tls]\n");
    let args = container(&newer).get("args").expect("arguments").to_json();
    assert_eq!(args, json!(["--secure-port=8443", "--kubelet-insecure-tls"]));
    assert!(newer.objects.iter().all(|it| it.str_at("kind") != Some("PodDisruptionBudget")));
}

const UMBRELLA: &str = "\
apiVersion: v2
name: addons
version: 1.0.0
dependencies:
  - name: metrics-server
    alias: ms
    version: 3.x
    repository: https://kubernetes-sigs.github.io/metrics-server/
    condition: ms.enabled,addons.metrics
    tags: [monitoring]
";

fn umbrella(files: &[(&str, &str)], user: &str) -> (Sources, Expanded) {
    let mut all = vec![("addons/Chart.yaml", UMBRELLA), ("user.yaml", user)];
    all.extend_from_slice(files);
    let sources = Sources::in_memory(all);
    let release =
        Release { values: values_of(&sources, "user.yaml"), ..in_directory(Some("addons")) };
    let expanded = with(&sources, |context| expand(context, &release));
    (sources, expanded)
}

#[test]
fn an_umbrella_hands_on_values() {
    let own = "ms: {replicas: 2, resources: {limits: {memory: 1Gi}}}\nglobal: {a: 1}\n";
    let lock = "dependencies:\n  - name: metrics-server\n    version: 3.12.2\n    \
                repository: https://kubernetes-sigs.github.io/metrics-server/\n";
    let files = [("addons/values.yaml", own), ("addons/Chart.lock", lock)];
    let user = "ms: {replicas: 3, resources: {requests: null}}\nreplicas: 9\n";
    let (sources, expanded) = umbrella(&files, user);
    let [release] = expanded.releases.as_slice() else { panic!("{expanded:?}") };
    assert_eq!(release.family, Some(Family::KubernetesSigs));
    let version = release.version.as_ref().expect("a version");
    assert_eq!(version.as_str(), Some("3.12.2"), "as the lock file pins it");
    assert_eq!(way(&sources, version), "written: addons/Chart.yaml 3.x\n");
    let rendered = with(&sources, |context| render(context, release));
    let deployment = object(&rendered, "Deployment");
    assert_eq!(deployment.at("metadata.name").and_then(Node::as_str), Some("metrics-server-ms"));
    let replicas = deployment.at("spec.replicas").expect("replicas");
    let expected = "overridden: addons/values.yaml 2\nwritten: user.yaml 3\n";
    assert_eq!(way(&sources, replicas), expected);
    let resources = container(&rendered).get("resources").map(Node::to_json);
    assert_eq!(resources, Some(json!({"limits": {"memory": "1Gi"}})));
}

#[test]
fn conditions_and_tags_decide_what_an_umbrella_installs() {
    for (user, count, suspended) in [
        ("{}\n", 1, false),
        ("ms: {enabled: false}\n", 0, false),
        ("ms: {enabled: \"false\"}\naddons: {metrics: false}\n", 0, false),
        ("addons: {metrics: false}\n", 0, false),
        ("tags: {monitoring: false}\n", 0, false),
        ("tags: {monitoring: false}\nms: {enabled: true}\n", 1, false),
        ("tags: {monitoring: true}\nms: {enabled: false}\n", 0, false),
    ] {
        let (_, expanded) = umbrella(&[], user);
        assert_eq!(expanded.releases.len(), count, "{user}");
        assert!(expanded.releases.iter().all(|it| it.suspended == suspended), "{user}");
    }
    let (_, expanded) = umbrella(&[], "ms: 3\n");
    assert!(expanded.releases.is_empty());
    assert_eq!(expanded.problems[0].kind, ProblemKind::BuildFails);
}

#[test]
fn a_vendored_chart_has_its_defaults_in_the_repository() {
    let chart = "apiVersion: v2\nname: metrics-server\nversion: 3.12.2\nappVersion: 0.7.2\n\
                 home: https://github.com/kubernetes-sigs/metrics-server\n";
    let values = "replicas: 1\nimage: {repository: mirror.example.com/metrics-server, tag: \"\"}\n\
                  hostNetwork: {enabled: false}\npodDisruptionBudget: {enabled: false}\n\
                  addonResizer: {enabled: false}\nserviceMonitor: {enabled: false}\n\
                  metrics: {enabled: false}\nserviceAccount: {create: true}\n\
                  rbac: {create: true}\napiService: {create: true}\nservice: {port: 443}\n\
                  containerPort: 10250\n";
    let render_with = |change: Option<(&str, &str)>| {
        let version = Version::new(3, 12, 2);
        let chart_of = charts::of(Family::KubernetesSigs);
        let names = chart_of.templates(&version).expect("files");
        let mut files: Vec<(String, String)> = names
            .iter()
            .map(|name| (format!("c/templates/{name}"), "kind: ConfigMap\n".to_owned()))
            .collect();
        // A template that reads all that the chart has stands for those that do so together.
        let charts::Key::Map(keys) = chart_of.keys(&version) else { panic!("a map") };
        let all: Vec<_> = keys.keys().map(|key| format!("{{{{ .Values.{key} }}}}")).collect();
        let all = all.join("\n");
        files.retain(|(path, _)| path != "c/templates/service.yaml");
        files.push(("c/templates/service.yaml".into(), all.replace("{{ .Values.global }}", "")));
        if let Some((path, text)) = change {
            files.retain(|(other, _)| other != path);
            files.push((path.to_owned(), text.to_owned()));
        }
        files.push(("c/Chart.yaml".into(), chart.into()));
        files.push(("c/values.yaml".into(), values.into()));
        let sources = Sources::in_memory(files);
        let release = in_directory(Some("c"));
        let expanded = with(&sources, |context| expand(context, &release));
        assert_eq!(expanded.releases[0].family, Some(Family::KubernetesSigs));
        let rendered = with(&sources, |context| render(context, &expanded.releases[0]));
        (sources, rendered)
    };
    let (sources, rendered) = render_with(None);
    let image = container(&rendered).get("image").expect("an image");
    assert_eq!(image.as_str(), Some("mirror.example.com/metrics-server:v0.7.2"));
    let replicas = object(&rendered, "Deployment").at("spec.replicas").expect("replicas");
    assert_eq!(way(&sources, replicas), "chart-default: c/values.yaml 1\n");
    for change in [
        ("c/templates/networkpolicy.yaml", "kind: NetworkPolicy\n"),
        ("c/templates/pdb.yaml", "{{ .Values.ourOwn }}\n"),
        ("c/templates/pdb.yaml", "args: [--kubelet-insecure-tls]\n"),
        ("c/templates/service.yaml", "{{ .Values.replicas }}\n"),
    ] {
        let (_, rendered) = render_with(Some(change));
        assert_eq!(rendered.problems[0].kind, ProblemKind::Unresolved);
        assert!(object(&rendered, "Deployment").look("spec.replicas").is_err());
    }
}
