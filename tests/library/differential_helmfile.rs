//! Helmfiles against the real one, the program that `HELMFILE` names, which runs the Helm that `HELM`
//! names: which releases an environment has, where, and with which values.

use std::{collections::BTreeMap, process::Command};

use proptest::{
    prelude::*,
    sample::select,
    test_runner::{Config as Cases, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Value as Json, json};

use super::{common::fixture::directory, differential_helm, helmfile, roots};
use crate::{config::Config, pipeline::analyze, source::Sources};

const ENVIRONMENTS: [&str; 2] = ["default", "prod"];

/// What the only chart shows of a release.
const SHOW: &str = "\
kind: Show
name: {{ .Release.Name | quote }}
namespace: {{ .Release.Namespace | quote }}
values: {{ toJson .Values }}
";

/// What a template prints, without a quote of either kind.
fn expression() -> BoxedStrategy<&'static str> {
    select(vec![
        "{{ .Environment.Name }}",
        "{{ .Values | get `a` `none` }}",
        "{{ .Values | get `b.a` `none` }}",
        "{{ .Values | getOrNil `c.b` | default `x` }}",
        "{{ .StateValues | get `c` `none` }}",
        "{{ if .Values | get `a` false }}y{{ else }}n{{ end }}",
        "{{ if eq .Environment.Name `prod` }}p{{ else if hasKey .Values `b` }}b{{ end }}",
        "{{- $x := .Values | get `b` `no` }}{{ kindOf $x }}",
        "{{ range $i, $k := keys .Values | sortAlpha }}{{ if $i }}-{{ end }}{{ $k }}{{ end }}",
        "{{ with .Values | getOrNil `b.b` }}<{{ . }}>{{ end }}",
        "{{ dig `c` `a` `dug` .Values }}",
        "{{ coalesce (.Values | getOrNil `a`) (.Values | getOrNil `c.a`) `c` }}",
        "{{ ternary `t` `f` (hasKey .Values `a`) }}",
        "{{ tpl `{{ .Environment.Name | upper }}` . }}",
        "{{ len .Values }}",
    ])
    .boxed()
}

/// Values with few keys, so that layers meet; some of them are printed by templates.
fn values() -> BoxedStrategy<Json> {
    let leaf = || {
        prop_oneof![
            1 => Just(Json::Null),
            2 => any::<bool>().prop_map(Json::from),
            2 => (0..3_i64).prop_map(Json::from),
            2 => select(vec!["x", "y"]).prop_map(Json::from),
            1 => select(vec![json!([1]), json!(["x", {"a": 1}]), json!([])]),
        ]
    };
    let map = |value: BoxedStrategy<Json>| {
        proptest::collection::btree_map(select(vec!["a", "b", "c"]), value, 0..4).prop_map(|map| {
            Json::Object(map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
        })
    };
    let inner = prop_oneof![2 => leaf(), 1 => map(leaf().boxed())].boxed();
    map(prop_oneof![3 => leaf(), 2 => map(inner)].boxed()).boxed()
}

/// Values that are written in a state file, or what its `values` name.
#[derive(Debug, Clone)]
enum Layer {
    Inline(Json, &'static str),
    File(Json),
    Template(Json, &'static str),
    Missing,
}

fn layer() -> impl Strategy<Value = Layer> {
    prop_oneof![
        3 => (values(), expression()).prop_map(|(it, text)| Layer::Inline(it, text)),
        2 => values().prop_map(Layer::File),
        3 => (values(), expression()).prop_map(|(it, text)| Layer::Template(it, text)),
        1 => Just(Layer::Missing),
    ]
}

/// Everything that is written for one release.
#[derive(Debug, Clone)]
struct Written {
    condition: Option<&'static str>,
    installed: Option<&'static str>,
    namespace: Option<&'static str>,
    inherits: bool,
    layers: Vec<Layer>,
    set: Vec<(&'static str, &'static str)>,
    label: &'static str,
}

fn release() -> impl Strategy<Value = Written> {
    let rarely = |all: Vec<&'static str>| proptest::option::weighted(0.3, select(all));
    let set = (select(vec!["a", "b.a", "c.b", "d[0]"]), select(vec!["1", "true", "x", "null"]));
    (
        rarely(vec!["on.enabled", "off.enabled"]),
        rarely(vec!["true", "false", "{{ eq .Environment.Name `prod` }}"]),
        rarely(vec!["ns", "'{{ .Environment.Name }}-ns'"]),
        any::<bool>(),
        proptest::collection::vec(layer(), 0..4),
        proptest::collection::vec(set, 0..3),
        select(vec!["one", "two"]),
    )
        .prop_map(|(condition, installed, namespace, inherits, layers, set, label)| Written {
            condition,
            installed,
            namespace,
            inherits,
            layers,
            set,
            label,
        })
}

/// A state file, without its parts that are other files.
#[derive(Debug, Clone)]
struct State {
    /// The values of each environment.
    environments: [Vec<Layer>; 2],
    root: Option<Json>,
    common: Vec<Layer>,
    releases: Vec<Written>,
    /// Whether its environments are in a part of their own, and in a base.
    apart: (bool, bool),
}

fn state(releases: std::ops::Range<usize>) -> impl Strategy<Value = State> {
    let layers = || proptest::collection::vec(layer(), 0..3);
    (
        [layers(), layers()],
        proptest::option::weighted(0.2, values()),
        layers(),
        proptest::collection::vec(release(), releases),
        any::<(bool, bool)>(),
    )
        .prop_map(|(environments, root, common, releases, apart)| State {
            environments,
            root,
            common,
            releases,
            apart,
        })
}

/// The repository that is written, file by file.
#[derive(Default)]
struct Repository {
    files: Vec<(String, String)>,
}

impl Repository {
    /// The `values` of something in a state file in `dir`; what they name is written.
    fn layers(&mut self, dir: &str, layers: &[Layer]) -> String {
        let mut items = String::from("[");
        for layer in layers {
            let name = format!("v{}.yaml", self.files.len());
            let item = match layer {
                Layer::Inline(values, text) => {
                    let mut values = values.clone();
                    values["t"] = json!(text);
                    values.to_string()
                }
                Layer::File(values) => {
                    self.files.push((format!("{dir}{name}"), values.to_string()));
                    name
                }
                Layer::Template(values, text) => {
                    let name = format!("{name}.gotmpl");
                    let mut lines = format!("t: '{text}'\n");
                    for (key, value) in values.as_object().into_iter().flatten() {
                        lines += &format!("{key}: {{{{ `{value}` }}}}\n");
                    }
                    self.files.push((format!("{dir}{name}"), lines));
                    name
                }
                Layer::Missing => "missing.yaml".to_owned(),
            };
            items += &item;
            items += ", ";
        }
        items.trim_end_matches(", ").to_owned() + "]"
    }

    /// Writes a state file, whose releases are called by `prefix`.
    fn state(&mut self, dir: &str, prefix: &str, state: &State, nested: &str) {
        let mut environments = "environments:\n".to_owned();
        for (name, layers) in ENVIRONMENTS.iter().zip(&state.environments) {
            let switches = json!({"on": {"enabled": true}, "off": {"enabled": false}});
            let mut all = vec![Layer::Inline(switches, "")];
            all.extend(layers.iter().cloned());
            let layers = self.layers(dir, &all);
            environments +=
                &format!("  {name}:\n    missingFileHandler: Info\n    values: {layers}\n");
        }
        let mut text = String::new();
        let (is_part, is_base) = state.apart;
        if is_base {
            text += "bases: [base.yaml]\n";
            self.files.push((format!("{dir}base.yaml"), environments));
        } else {
            text += &environments;
        }
        if is_part || is_base {
            text += "---\n";
        }
        if let Some(root) = &state.root {
            text += &format!("values: [{root}]\n");
        }
        let common = self.layers(dir, &state.common);
        text += &format!(
            "templates:\n  common:\n    namespace: common\n    missingFileHandler: Info\n    \
             values: {common}\n"
        );
        text += nested;
        text += "releases:\n";
        for (index, it) in state.releases.iter().enumerate() {
            let up = if dir.is_empty() { "." } else { ".." };
            text += &format!(
                "- name: {prefix}{index}\n  chart: {up}/charts/metrics-server\n  \
                 missingFileHandler: Info\n  labels: {{label: {}}}\n",
                it.label
            );
            if it.inherits {
                text += "  inherit: [{template: common}]\n";
            }
            for (key, value) in [
                ("condition", it.condition),
                ("installed", it.installed),
                ("namespace", it.namespace),
            ] {
                text += &value.map_or_else(String::new, |it| format!("  {key}: {it}\n"));
            }
            // Those of what it inherits are replaced by any of its own.
            if !it.layers.is_empty() {
                let layers = self.layers(dir, &it.layers);
                text += &format!("  values: {layers}\n");
            }
            if !it.set.is_empty() {
                text += "  set:\n";
            }
            for (name, value) in &it.set {
                text += &format!("  - {{name: '{name}', value: {value}}}\n");
            }
        }
        self.files.push((format!("{dir}helmfile.yaml.gotmpl"), text));
    }
}

/// A release as it is compared.
type Shown = (String, String, String);

/// Values as text, in which the order of keys and nulls, which Helm drops, do not count.
fn canonical(values: &Json) -> String {
    fn in_order(value: &mut Json) {
        match value {
            Json::Object(map) => {
                map.sort_keys();
                map.values_mut().for_each(in_order);
            }
            Json::Array(items) => items.iter_mut().for_each(in_order),
            _ => {}
        }
    }
    let mut values = helmfile::without_nulls(values);
    in_order(&mut values);
    values.to_string()
}

/// The releases of each environment as Helm shows them; `None` where Helmfile refuses.
fn shown(
    program: &std::ffi::OsStr,
    helm: &std::path::Path,
    files: &[(String, String)],
    name: &str,
) -> Option<Vec<Shown>> {
    let dir = directory(files);
    let output = Command::new(program)
        .current_dir(dir.path())
        .env("HELMFILE_CACHE_HOME", dir.path().join("cache"))
        .arg("--helm-binary")
        .arg(helm)
        .args(["-e", name, "--quiet", "template", "--skip-deps"])
        .output()
        .expect("Helmfile runs");
    let text = String::from_utf8(output.stdout).expect("text");
    let told = String::from_utf8_lossy(&output.stderr);
    // No release is an error to it.
    if !output.status.success() && !told.contains("no releases found") {
        return None;
    }
    let sources = Sources::in_memory([("out.yaml", text)]);
    let shown = roots(&sources, "out.yaml").into_iter().map(|it| it.to_json());
    let mut all: Vec<Shown> = shown
        .map(|it| {
            let text = |key: &str| it[key].as_str().unwrap_or_default().to_owned();
            (text("name"), text("namespace"), canonical(&it["values"]))
        })
        .collect();
    all.sort();
    Some(all)
}

#[test]
fn releases_have_the_values_that_helmfile_gives_them() {
    let (Some(program), Some(helm)) = (std::env::var_os("HELMFILE"), differential_helm::program())
    else {
        println!("skipped: HELMFILE and HELM name no programs");
        return;
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[10; 32]);
    let count = std::env::var("CASES").ok().and_then(|it| it.parse().ok()).unwrap_or(20);
    let cases = Cases {
        cases: count,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Cases::default()
    };
    let mut runner = TestRunner::new_with_rng(cases, rng);
    let nested = proptest::option::weighted(
        0.5,
        (state(1..3), proptest::option::of(values()), select(vec!["", "label=one", "label!=one"])),
    );
    let outcome = runner.run(&(state(1..5), nested), |(root, nested)| {
        let mut written = Repository::default();
        written.files.push((
            "charts/metrics-server/Chart.yaml".to_owned(),
            "{apiVersion: v2, name: metrics-server, version: 1.0.0}".to_owned(),
        ));
        written
            .files
            .push(("charts/metrics-server/templates/show.yaml".to_owned(), SHOW.to_owned()));
        let mut named = String::new();
        if let Some((state, values, selector)) = &nested {
            written.state("sub/", "s", state, "");
            named = "helmfiles:\n- path: sub/helmfile.yaml.gotmpl\n".to_owned();
            if !selector.is_empty() {
                named += &format!("  selectors: ['{selector}']\n");
            }
            if let Some(values) = values {
                named += &format!("  values: [{values}]\n");
            }
        }
        written.state("", "r", &root, &named);
        let sources = Sources::in_memory(written.files.clone());
        let (environments, _) = analyze(&sources, &Config::default());
        for name in ENVIRONMENTS {
            let Some(expected) = shown(&program, &helm, &written.files, name) else { continue };
            let of_name = environments.iter().filter(|it| it.name == name);
            let releases = of_name.flat_map(|it| &it.releases).filter(|it| !it.suspended);
            let mut found: Vec<Shown> = releases
                .map(|it| {
                    let values = canonical(&it.values.to_json());
                    (it.name.clone(), it.namespace.clone(), values)
                })
                .collect();
            found.sort();
            let problems: Vec<_> =
                environments.iter().flat_map(|it| &it.problems).map(|it| &it.message).collect();
            let files: BTreeMap<_, _> = written.files.iter().cloned().collect();
            prop_assert!(
                found == expected,
                "{name}\n{found:#?}\nexpected\n{expected:#?}\n{problems:#?}\n{}",
                files.iter().map(|(a, b)| format!("//- {a}\n{b}\n")).collect::<Vec<_>>().concat()
            );
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}
