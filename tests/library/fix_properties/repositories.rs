//! Repositories in which something can be mended: of several layouts, with what differs between their
//! environments.

use serde_json::{Value, json};

use super::notation::{Choices, Notation, file};
use crate::tests::common::fixture::Files;

/// What a layout and its choices come to.
pub(super) fn repository(bytes: Vec<u8>) -> Files {
    let choices = &mut Choices::of(bytes);
    match choices.below(6) {
        0..=2 => manifests(choices),
        3 => overlays(choices, "metrics-server.yaml", deployment),
        4 => overlays(choices, "release.yaml", release),
        _ => substituted(choices),
    }
}

const IMAGE: &str = "registry.k8s.io/metrics-server/metrics-server";

/// The flags of a server: some of them wrong, in all or in some of its versions.
fn args(choices: &mut Choices) -> Value {
    let wrong: [&[&str]; 11] = [
        &["--metric-resolution=5s"],
        &["--metric-resolution", "8s"],
        &["--metric-resolution=15"],
        &["metric-resolution=20s"],
        &["-metric-resolution=20s"],
        &["--metric-resolution 20s"],
        &["--logtostderr"],
        &["--logtostderr=true"],
        &["--kubelet-insecure-tls"],
        &["--kubelet-use-node-status-port"],
        &["--v=2"],
    ];
    let mut args = vec![json!("--cert-dir=/tmp")];
    for _ in 0..=choices.below(3) {
        let at = choices.below(args.len() + 1);
        let more = choices.one_of(&wrong).iter().map(|it| json!(it));
        args.splice(at..at, more);
    }
    if choices.once_in(6) {
        args.remove(0);
    }
    args.into()
}

fn tag(choices: &mut Choices) -> &'static str {
    choices.one_of(&["v0.7.2", "0.7.2", "v0.6.4", "v0.8.0", "0.8.0"])
}

fn priority(choices: &mut Choices) -> Option<Value> {
    let class =
        choices.one_of(&[None, None, Some(""), Some("system-cluster-critical"), Some("own")]);
    class.map(Into::into)
}

fn deployment(choices: &mut Choices) -> Vec<Value> {
    let args = args(choices);
    let image = format!("{IMAGE}:{}", tag(choices));
    let mut container = json!({"name": "metrics-server", "image": image, "args": args});
    let mut containers = Vec::new();
    match choices.below(4) {
        // The same list again, and one of its texts: something to have an alias.
        1 => containers
            .push(json!({"name": "other", "image": "busybox", "command": container["args"]})),
        2 => {
            let variable = json!({"name": "A", "value": container["args"][0]});
            container["env"] = json!([variable]);
        }
        3 => {
            container["resources"] = json!({"requests": {"cpu": "100m", "memory": "200Mi"}});
        }
        _ => {}
    }
    containers.insert(choices.below(containers.len() + 1), container);
    let mut pod = json!({"serviceAccountName": "metrics-server", "containers": containers});
    if let Some(class) = priority(choices) {
        pod["priorityClassName"] = class;
    }
    let labels = json!({"k8s-app": "metrics-server"});
    let object = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "metrics-server", "namespace": "kube-system", "labels": labels,
            "annotations": {"note": "a 'b' #c & *d"}},
        "spec": {"selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod}},
    });
    let mut objects = vec![object];
    if choices.once_in(3) {
        objects.extend(rights(choices));
    }
    objects
}

fn rights(choices: &mut Choices) -> [Value; 2] {
    let reads = choices.one_of(&["nodes/stats", "nodes/metrics"]);
    let resources = choices.one_of(&[&["pods", "nodes"][..], &[]]).iter().copied();
    let resources: Vec<&str> = resources.chain([reads]).collect();
    let group = "rbac.authorization.k8s.io";
    let name = "system:metrics-server";
    let head = |kind: &str| json!({"apiVersion": format!("{group}/v1"), "kind": kind, "metadata": {"name": name}});
    let mut role = head("ClusterRole");
    role["rules"] =
        json!([{"apiGroups": [""], "resources": resources, "verbs": ["get", "list", "watch"]}]);
    let mut binding = head("ClusterRoleBinding");
    binding["roleRef"] = json!({"apiGroup": group, "kind": "ClusterRole", "name": name});
    let account =
        json!({"kind": "ServiceAccount", "name": "metrics-server", "namespace": "kube-system"});
    binding["subjects"] = json!([account]);
    [role, binding]
}

/// Values of a chart, of which some are called wrongly.
fn values(choices: &mut Choices) -> Value {
    let mut values = json!({"args": args(choices)});
    if let Some(class) = priority(choices) {
        values["priorityClassName"] = class;
    }
    if choices.once_in(3) {
        values["image"] = json!({"tag": tag(choices)});
    }
    let (key, value) = match choices.below(4) {
        0 => return values,
        1 => ("podLabel", json!({"team": "a"})),
        2 => ("deploymentStrategy", json!({"rollingUpdate": {"maxUnavailable": 0}})),
        _ => ("extraVolume", json!([{"name": "tmp", "emptyDir": {}}])),
    };
    values[key] = value;
    values
}

fn release(choices: &mut Choices) -> Vec<Value> {
    let name = json!({"name": "metrics-server", "namespace": "kube-system"});
    let url = "https://kubernetes-sigs.github.io/metrics-server/";
    let repository = json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "HelmRepository",
        "metadata": name,
        "spec": {"url": url},
    });
    let source = json!({"kind": "HelmRepository", "name": "metrics-server"});
    let version = choices.one_of(&["3.12.2", "3.8.0", "3.13.0"]);
    let chart = json!({"chart": "metrics-server", "version": version, "sourceRef": source});
    let mut release = json!({
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": name,
        "spec": {"chart": {"spec": chart}},
    });
    let mut objects = vec![repository];
    // In the release, in a text beside it, or both.
    let how = choices.below(4);
    if how != 1 {
        release["spec"]["values"] = values(choices);
    }
    if how == 1 || how == 2 {
        release["spec"]["valuesFrom"] = json!([{"kind": "ConfigMap", "name": "values"}]);
        let values = values(choices);
        objects.push(json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "values", "namespace": "kube-system"},
            "data": {"values.yaml": Notation::document(choices, &values)},
        }));
    }
    objects.push(release);
    objects
}

fn manifests(choices: &mut Choices) -> Files {
    let objects = deployment(choices);
    match choices.below(4) {
        0 => vec![("metrics-server.yaml".into(), file(choices, &objects))],
        1 => {
            let text = serde_json::to_string_pretty(&json!({"kind": "List", "items": objects}));
            vec![("metrics-server.json".into(), text.unwrap())]
        }
        _ => {
            let other = deployment(choices);
            vec![
                ("a/metrics-server.yaml".into(), file(choices, &objects)),
                ("b/metrics-server.yaml".into(), file(choices, &other)),
            ]
        }
    }
}

/// A base and overlays that patch what it has, or leave it as it is.
fn overlays(
    choices: &mut Choices,
    name: &str,
    objects: impl Fn(&mut Choices) -> Vec<Value>,
) -> Files {
    let base = objects(choices);
    let subject = base.iter().find(|it| it["spec"]["template"].is_object()).or(base.last());
    let subject = subject.unwrap().clone();
    let mut files = vec![
        (format!("base/{name}"), file(choices, &base)),
        ("base/kustomization.yaml".into(), file(choices, &[json!({"resources": [name]})])),
    ];
    for overlay in &["dev", "prod", "test"][..=choices.below(3)] {
        let mut kustomization = json!({"resources": ["../../base"]});
        match choices.below(6) {
            1 => {
                kustomization["images"] = json!([{"name": IMAGE, "newTag": tag(choices)}]);
            }
            2 => {
                kustomization["images"] =
                    json!([{"name": IMAGE, "newName": "mirror.example.com/metrics-server"}]);
            }
            3 => {
                kustomization["patches"] = json!([{"path": "patch.yaml"}]);
                let patch = strategic(choices, &subject);
                files.push((format!("overlays/{overlay}/patch.yaml"), file(choices, &[patch])));
            }
            4 => {
                let patch = operations(choices, &subject).to_string();
                let target = json!({"kind": subject["kind"]});
                kustomization["patches"] = json!([{"target": target, "patch": patch}]);
            }
            _ => {}
        }
        let path = format!("overlays/{overlay}/kustomization.yaml");
        files.push((path, file(choices, &[kustomization])));
    }
    files
}

/// Where a subject has its arguments, and its priority.
fn fields(subject: &Value) -> (&'static [&'static str], &'static str, &'static str) {
    match subject["kind"].as_str() {
        Some("Deployment") => {
            let spec = "/spec/template/spec";
            (&["spec", "template", "spec"], spec, "/spec/template/spec/containers/0/args")
        }
        _ => (&["spec", "values"], "/spec/values", "/spec/values/args"),
    }
}

fn strategic(choices: &mut Choices, subject: &Value) -> Value {
    let (path, ..) = fields(subject);
    let mut inner = json!({});
    let args = args(choices);
    match (choices.below(3), path.contains(&"template")) {
        (0, true) => inner["containers"] = json!([{"name": "metrics-server", "args": args}]),
        (0, false) => inner["args"] = args,
        (1, _) => inner["priorityClassName"] = json!("system-cluster-critical"),
        _ => inner["priorityClassName"] = json!(""),
    }
    let inner = path.iter().rev().fold(inner, |inner, key| json!({*key: inner}));
    json!({
        "apiVersion": subject["apiVersion"],
        "kind": subject["kind"],
        "metadata": subject["metadata"],
        "spec": inner["spec"],
    })
}

fn operations(choices: &mut Choices, subject: &Value) -> Value {
    let (_, spec, args) = fields(subject);
    let at = choices.below(3);
    let operation = match choices.below(5) {
        0 => json!({"op": "replace", "path": format!("{args}/{at}"), "value": "--v=4"}),
        1 => json!({"op": "remove", "path": format!("{args}/{at}")}),
        2 => json!({"op": "add", "path": format!("{args}/{at}"), "value": "--logtostderr"}),
        3 => json!({"op": "add", "path": format!("{args}/-"), "value": "--metric-resolution=5s"}),
        _ => json!({"op": "add", "path": format!("{spec}/priorityClassName"), "value": ""}),
    };
    json!([operation])
}

/// Clusters that Flux fills in with variables of their own.
fn substituted(choices: &mut Choices) -> Files {
    let mut files = Files::new();
    let mut objects = deployment(choices);
    let pod = &mut objects[0]["spec"]["template"]["spec"];
    let resolution = choices.one_of(&["${RESOLUTION}", "${RESOLUTION:-5s}", "${RESOLUTION:=20s}"]);
    let containers = pod["containers"].as_array_mut().unwrap();
    let container = containers.iter_mut().find(|it| it["name"] == "metrics-server").unwrap();
    let args = container["args"].as_array_mut().unwrap();
    args.push(format!("--metric-resolution={resolution}").into());
    if choices.once_in(2) {
        container["image"] = format!("{IMAGE}:${{TAG:-{}}}", tag(choices)).into();
    }
    if choices.once_in(2) {
        pod["priorityClassName"] = "${PRIORITY:=}".into();
    }
    files.push(("apps/metrics-server.yaml".into(), file(choices, &objects)));
    for cluster in &["a", "b", "c"][..=choices.below(3)] {
        let dir = format!("clusters/{cluster}");
        let from = json!([{"kind": "ConfigMap", "name": "vars"}]);
        let sync = json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": {"name": "apps", "namespace": "flux-system"},
            "spec": {"path": "./apps", "postBuild": {"substituteFrom": from},
                "sourceRef": {"kind": "GitRepository", "name": "flux-system"}},
        });
        let generator = json!({"name": "vars", "namespace": "flux-system", "envs": ["vars.env"]});
        let kustomization = json!({
            "resources": ["sync.yaml"],
            "configMapGenerator": [generator],
            "generatorOptions": {"disableNameSuffixHash": true},
        });
        let mut variables = "# c0 variables\n".to_owned();
        let mut define = |name: &str, values: &[&str]| {
            if !choices.once_in(3) {
                let value = choices.one_of(values);
                variables.extend([name, "=", value, "\n"]);
            }
        };
        define("RESOLUTION", &["5s", "15s", "20"]);
        define("TAG", &["v0.7.2", "0.7.2", "v0.6.4"]);
        define("PRIORITY", &["system-cluster-critical", "own"]);
        files.push((format!("{dir}/sync.yaml"), file(choices, &[sync])));
        files.push((format!("{dir}/kustomization.yaml"), file(choices, &[kustomization])));
        files.push((format!("{dir}/vars.env"), variables));
    }
    files
}
