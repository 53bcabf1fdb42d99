//! Values and templates against a real Helm, the program that `HELM` names.
//!
//! The charts here are small ones of our own: one shows the values that reach it and a chart below
//! it, one prints values as metrics-server's chart prints them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use proptest::{
    prelude::*,
    test_runner::{Config as Cases, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Value as Json, json};

use super::{
    common::fixture::{Files, directory, files},
    helm::{in_directory, values_of},
    nowhere, roots, with,
};
use crate::{
    data::Family,
    resolve::{environment::Release, helm},
    scalar::Scalar,
    source::Sources,
    tree::Node,
};

/// A chart and the one below it, which show the values that reach them.
const CHARTS: &str = "
//- chart/Chart.yaml
apiVersion: v2
name: addons
version: 1.0.0
dependencies:
  - name: metrics-server
    version: 0.1.0
    condition: a.b,metrics-server.c
    tags: [b, d]
//- chart/values.yaml
PARENT
//- chart/templates/show.yaml
{{ toJson .Values }}
//- chart/charts/metrics-server/Chart.yaml
apiVersion: v2
name: metrics-server
version: 0.1.0
//- chart/charts/metrics-server/values.yaml
CHILD
//- chart/charts/metrics-server/templates/show.yaml
{{ toJson .Values }}
";

/// What metrics-server's chart does with its values, in little.
const PRINTS: &str = r#"
//- chart/Chart.yaml
apiVersion: v2
name: metrics-server
version: 3.12.2
//- chart/templates/print.yaml
kind: Deployment
spec:
  replicas: {{ .Values.replicas }}
  {{- with .Values.updateStrategy }}
  strategy:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  template:
    spec:
      {{- with .Values.priorityClassName }}
      priorityClassName: {{ . | quote }}
      {{- end }}
      {{- if .Values.hostNetwork.enabled }}
      hostNetwork: true
      {{- end }}
      containers:
        - name: metrics-server
          image: {{ printf "%s:%s" .Values.image.repository (default "v0.7.2" .Values.image.tag) }}
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          args:
            - {{ printf "--secure-port=%d" (int .Values.containerPort) }}
          {{- range .Values.defaultArgs }}
            - {{ . }}
          {{- end }}
          {{- range .Values.args }}
            - {{ . }}
          {{- end }}
          ports:
            - containerPort: {{ .Values.containerPort }}
          {{- with .Values.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
//- chart/values.yaml
replicas: 1
updateStrategy: {}
priorityClassName: system-cluster-critical
hostNetwork: {enabled: false}
image:
  repository: registry.k8s.io/metrics-server/metrics-server
  tag: ""
  pullPolicy: IfNotPresent
containerPort: 10250
defaultArgs:
  - --cert-dir=/tmp
  - --kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname
  - --kubelet-use-node-status-port
  - --metric-resolution=15s
args: []
resources: {requests: {cpu: 100m, memory: 200Mi}}
"#;

pub(crate) fn program() -> Option<PathBuf> {
    let program = std::env::var_os("HELM").map(PathBuf::from);
    if program.is_none() {
        println!("skipped: HELM names no program");
    }
    program
}

/// A chart's files in a folder of their own, and what Helm makes of it.
struct KnownChart {
    dir: tempfile::TempDir,
    files: Files,
}

impl KnownChart {
    fn new(files: Files) -> Self {
        Self { dir: directory(&files), files }
    }

    /// The documents that Helm renders; `None` when it refuses.
    fn render(&self, program: &Path, layers: &[String]) -> Option<Vec<Json>> {
        let mut command = Command::new(program);
        command.args(["template", "metrics-server", "--namespace", "kube-system"]);
        command.arg(self.dir.path().join("chart"));
        for (index, layer) in layers.iter().enumerate() {
            let path = self.dir.path().join(format!("values-{index}.yaml"));
            fs::write(&path, layer).expect("it can be written");
            command.arg("-f").arg(path);
        }
        let output = command.output().expect("Helm runs");
        if !output.status.success() {
            return None;
        }
        let text = String::from_utf8(output.stdout).expect("text");
        let sources = Sources::in_memory([("out.yaml", text)]);
        Some(roots(&sources, "out.yaml").iter().map(Node::to_json).collect())
    }
}

/// Values with few keys, so that layers meet; some of them steer the dependency.
fn values() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        (0..3_i64).prop_map(Json::from),
        Just(json!("x")),
        Just(json!([1])),
        Just(json!({})),
    ];
    let tree = leaf.prop_recursive(3, 16, 3, |inner| {
        proptest::collection::btree_map("[a-d]", inner, 0..3)
            .prop_map(|map| Json::Object(map.into_iter().collect()))
    });
    let map = || {
        proptest::collection::btree_map("[a-d]", tree.clone(), 0..4)
            .prop_map(|map| Json::Object(map.into_iter().collect()))
    };
    let optional = |name: &'static str, map: BoxedStrategy<Json>| {
        proptest::option::of(map).prop_map(move |it| it.map(|it| (name.to_owned(), it)))
    };
    let parts = (
        map(),
        optional("metrics-server", map().boxed()),
        // Of nulls and mappings in `global`, Helm keeps what its charts happen to be read first.
        optional("global", Just(json!({"a": 1})).boxed()),
        optional("tags", map().boxed()),
    );
    parts.prop_map(|(base, child, global, tags)| {
        let mut base = base;
        if let Some(object) = base.as_object_mut() {
            object.extend([child, global, tags].into_iter().flatten());
        }
        base
    })
}

/// `global` is always there in Helm, and empty means nothing.
fn without_empty_global(mut values: Json) -> Json {
    let empty = values.get("global").is_some_and(|it| it == &json!({}) || it.is_null());
    if let Some(map) = values.as_object_mut().filter(|_| empty) {
        map.remove("global");
    }
    values
}

/// What `condition` of [`CHARTS`] reads means nothing to the chart below, and is taken from it.
fn without_switch(mut values: Json) -> Json {
    if let Some(map) = values.as_object_mut() {
        map.remove("c");
    }
    values
}

#[test]
fn values_reach_a_chart_and_the_one_below_it_as_in_helm() {
    let Some(program) = program() else { return };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let cases = Cases { cases: 60, failure_persistence: None, ..Cases::default() };
    let mut runner = TestRunner::new_with_rng(cases, rng);
    let strategy = (values(), values(), values(), values());
    let outcome = runner.run(&strategy, |(parent, child, first, second)| {
        let (parent, child) = (parent.to_string(), child.to_string());
        let layers = [first.to_string(), second.to_string()];
        let chart = KnownChart::new(files(&[("PARENT", &parent), ("CHILD", &child)], CHARTS));
        let expected = chart.render(&program, &layers);
        let mut all = chart.files.clone();
        all.extend(layers.iter().enumerate().map(|(i, it)| (format!("{i}.yaml"), it.clone())));
        let sources = Sources::in_memory(all);
        let user = helm::merge(&values_of(&sources, "0.yaml"), &values_of(&sources, "1.yaml"));
        let ours = Release { values: user, ..in_directory(Some("chart")) };
        let expanded = with(&sources, |context| helm::expand(context, &ours));
        let Some(expected) = expected else {
            prop_assert!(!expanded.problems.is_empty(), "Helm refuses this");
            return Ok(());
        };
        prop_assert!(expanded.problems.is_empty(), "{:?}", expanded.problems);
        let defaults = values_of(&sources, "chart/charts/metrics-server/values.yaml");
        let got: Vec<Json> = (expanded.releases.iter())
            .map(|(it, _)| without_empty_global(helm::coalesce(&it.values, &defaults).to_json()))
            .map(without_switch)
            .collect();
        // Helm renders the chart below first, then the one above, which we have no business with.
        let below = expected.len() - 1;
        let expected: Vec<Json> = expected
            .into_iter()
            .take(below)
            .map(without_empty_global)
            .map(without_switch)
            .collect();
        prop_assert_eq!(got, expected);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

/// Scalars that mean something to somebody on the way.
const SCALARS: &[&str] = &[
    "3",
    "1000000",
    "1.0",
    "0.7",
    "1e3",
    "010",
    "0x1F",
    "true",
    "yes",
    "'yes'",
    "off",
    "null",
    "~",
    "\"\"",
    "''",
    "x",
    "'3'",
    "'true'",
    "'a: b'",
    "'a #b'",
    "'#b'",
    "'- x'",
    "'[a, b]'",
    "'{a: b}'",
    "'*x'",
    "'&x y'",
    "'!x y'",
    "'%x'",
    "'@x'",
    "'`x`'",
    "'x:'",
    "' x '",
    "'|'",
    "'>'",
    "'? x'",
    "'\"q\"'",
    "\"it's\"",
    "'a\\b'",
    "'--x=a: b'",
    "'--x=#a'",
    "'--x: y'",
    "'---'",
    "'...'",
    "'1e3'",
    "'1_000'",
    "'2001-01-01'",
    "2001-01-01",
    "'12:30:45'",
    "[a, b]",
    "{a: b}",
    "[]",
    "{}",
    "'null'",
    "'~'",
    "'='",
    "'<<'",
    "'a, b'",
    "'[a'",
    "'x]'",
    "'\"x'",
    "\"'x\"",
    "'é'",
    "'10250'",
    "-5",
    "1e21",
    "123456789",
    "'v0.7.2'",
    "'sha256:abc'",
    "v1 # c",
];

#[test]
fn values_are_printed_as_helm_prints_them() {
    let Some(program) = program() else { return };
    let chart = KnownChart::new(files(&[], PRINTS));
    let mut differences = Vec::new();
    for scalar in SCALARS {
        for template in [
            "args: [--a, X]",
            "args: {b: X, a: --a}",
            "args: X",
            "image: {tag: X}",
            "image: {pullPolicy: X}",
            "replicas: X",
            "containerPort: X",
            "priorityClassName: X",
            "hostNetwork: {enabled: X}",
            "hostNetwork: X",
            "updateStrategy: X",
            "resources: {limits: {cpu: X}, requests: X}",
        ] {
            let block = template.replace('X', scalar);
            if scalar.contains(" #") && template.contains(['}', ']']) && !scalar.contains('\'') {
                continue;
            }
            let expected = chart.render(&program, &[format!("{block}\n")]);
            let got = ours(&format!("{block}\n"));
            let expected = expected.and_then(|it| it.last().map(facts));
            if got != expected {
                differences.push(format!("{block}\n  want {expected:?}\n  got  {got:?}"));
            }
        }
    }
    assert!(differences.is_empty(), "{}\n{}", differences.len(), differences.join("\n"));
}

/// What the little chart has, out of the whole one; `None` when it is refused.
fn ours(values: &str) -> Option<Json> {
    let sources = Sources::in_memory([("values.yaml", values)]);
    let version = Some(Node::new(Scalar::string("3.12.2"), nowhere()));
    let family = Some(Family::KubernetesSigs);
    let values = values_of(&sources, "values.yaml");
    let release = Release { family, version, values, ..in_directory(None) };
    let rendered = with(&sources, |context| super::helm::whole(helm::template(context, release)));
    let deployment = rendered.objects.iter().find(|it| it.str_at("kind") == Some("Deployment"))?;
    Some(facts(&deployment.to_json()))
}

fn facts(deployment: &Json) -> Json {
    let spec = &deployment["spec"];
    let pod = &spec["template"]["spec"];
    let container = &pod["containers"][0];
    let number = |value: &Json| value.as_f64().map_or_else(|| value.clone(), Json::from);
    json!({
        "replicas": number(&spec["replicas"]),
        "strategy": spec["strategy"],
        "priority": pod["priorityClassName"],
        "host": pod["hostNetwork"],
        "image": container["image"],
        "pull": number(&container["imagePullPolicy"]),
        "port": number(&container["ports"][0]["containerPort"]),
        "args": container["args"].as_array().map(|it| it.iter().map(number).collect::<Vec<_>>()),
        "limits": number(&container["resources"]["limits"]["cpu"]),
        "requests": container["resources"]["requests"],
    })
}
