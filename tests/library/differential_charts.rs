//! Charts that depend on one another against a real Helm, the program that `HELM` names: which of
//! them are installed, and with which values.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use proptest::{
    prelude::*,
    sample::{select, subsequence},
    test_runner::{Config as Cases, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Value as Json, json};

use super::{
    common::fixture::{Files, directory},
    helm::values_of,
    nowhere, roots,
};
use crate::{
    resolve::helm::package::{self, Package},
    source::Sources,
    tree::Node,
};

const SHOW: &str = "\
kind: Show
metadata: {name: {{ .Template.BasePath | quote }}}
values: {{ toJson .Values }}
";

/// What a chart's `dependencies` may say of one of the charts in it.
fn entry(name: &'static str) -> impl Strategy<Value = Json> {
    let condition = select(vec![
        "",
        "one.enabled",
        "two.enabled",
        "a.b,two.enabled",
        "a.b, one.enabled",
        "global.x",
        "deep.enabled",
    ]);
    let imports = subsequence(
        vec![
            json!("data"),
            json!("none"),
            json!({"child": "a", "parent": "b"}),
            json!({"child": "exports.data", "parent": "."}),
            json!({"child": "a", "parent": "c.d"}),
        ],
        0..3,
    );
    let tags = subsequence(vec!["t", "u"], 0..=2);
    let version = select(vec!["1.0.0", "*", "~1", ">=1", "2.x"]);
    let alias = proptest::option::weighted(0.3, select(vec!["uno", "due", "a"]));
    (condition, imports, tags, version, alias).prop_map(
        move |(condition, imports, tags, version, alias)| {
            json!({"name": name, "version": version, "condition": condition, "tags": tags,
                "import-values": imports, "alias": alias.unwrap_or_default()})
        },
    )
}

/// The `dependencies` of a chart with those charts in it; some of them are listed twice.
fn dependencies(names: [&'static str; 2]) -> impl Strategy<Value = Option<Vec<Json>>> {
    let [one, two] = names.map(|it| proptest::collection::vec(entry(it), 0..3));
    let both = (one, two).prop_map(|(mut one, two)| {
        one.extend(two);
        one
    });
    proptest::option::weighted(0.9, both)
}

/// Values with few keys, so that layers meet and steer what is installed.
fn values() -> impl Strategy<Value = Json> {
    let leaf = || {
        prop_oneof![
            1 => Just(Json::Null),
            3 => any::<bool>().prop_map(Json::from),
            1 => (0..3_i64).prop_map(Json::from),
            1 => Just(json!([1])),
            1 => Just(json!({})),
        ]
    };
    let map = |keys: Vec<&'static str>, value: BoxedStrategy<Json>| {
        proptest::collection::btree_map(select(keys), value, 0..4).prop_map(|map| {
            Json::Object(map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
        })
    };
    let scalars = map(vec!["a", "b", "enabled", "x"], leaf().boxed()).boxed();
    let inner = prop_oneof![3 => leaf(), 2 => scalars.clone()].boxed();
    let maps = map(vec!["a", "b", "c", "enabled"], inner.clone()).boxed();
    let exports = maps.clone().prop_map(|it| json!({"data": it}));
    let global = select(vec![
        json!({"x": true}),
        json!({"x": false}),
        json!({"y": {"a": 1}}),
        json!({"y": {"b": 2}}),
    ]);
    let tags = map(vec!["t", "u"], any::<bool>().prop_map(Json::from).boxed());
    let chart = || proptest::option::weighted(0.5, maps.clone());
    (
        maps.clone(),
        [chart(), chart(), chart(), chart()],
        proptest::option::weighted(0.3, exports),
        proptest::option::weighted(0.3, global),
        proptest::option::weighted(0.3, tags),
    )
        .prop_map(|(mut base, charts, exports, global, tags)| {
            let charts = ["one", "two", "uno", "deep"].into_iter().zip(charts);
            let others = [("exports", exports), ("global", global), ("tags", tags)];
            if let Some(map) = base.as_object_mut() {
                let more = charts.chain(others);
                map.extend(more.filter_map(|(key, it)| Some((key.to_owned(), it?))));
            }
            base
        })
}

/// A chart in `dir` that shows its values.
fn chart(dir: &str, values: &Json, dependencies: Option<&Vec<Json>>, version: u8) -> Files {
    let name = dir.rsplit('/').next().unwrap_or_default();
    let mut metadata = json!({"apiVersion": "v2", "name": name, "version": "1.0.0"});
    if let Some(dependencies) = dependencies {
        if version == 2 {
            metadata["dependencies"] = json!(dependencies);
        } else {
            metadata["apiVersion"] = json!("v1");
        }
    }
    let mut files = vec![
        (format!("{dir}/Chart.yaml"), metadata.to_string()),
        (format!("{dir}/values.yaml"), values.to_string()),
        (format!("{dir}/templates/show.yaml"), SHOW.to_owned()),
    ];
    if let Some(dependencies) = dependencies.filter(|_| version == 1) {
        let text = json!({"dependencies": dependencies}).to_string();
        files.push((format!("{dir}/requirements.yaml"), text));
    }
    files
}

/// The values of each chart by the path of its templates, as Helm shows them; `None` when it refuses.
fn shown(program: &Path, files: &Files, values: &Json) -> Option<BTreeMap<String, Json>> {
    let dir = directory(files);
    let path = dir.path().join("values.json");
    fs::write(&path, values.to_string()).expect("it can be written");
    let output = Command::new(program)
        .args(["template", "x"])
        .arg(dir.path().join("top"))
        .arg("-f")
        .arg(path)
        .output()
        .expect("Helm runs");
    if !output.status.success() {
        return None;
    }
    let text = String::from_utf8(output.stdout).expect("text");
    let sources = Sources::in_memory([("out.yaml", text)]);
    let shown = roots(&sources, "out.yaml").into_iter().map(|it| it.to_json());
    Some(shown.map(|it| (name_of(&it), it["values"].clone())).collect())
}

fn name_of(shown: &Json) -> String {
    shown["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

/// The same of a chart that was chosen, with those below it.
fn ours(package: &Package, path: &str, values: &Node, all: &mut BTreeMap<String, Json>) {
    all.insert(format!("{path}/templates"), values.to_json());
    for chart in &package.charts {
        let values = values.get(&chart.name).expect("it has values");
        ours(chart, &format!("{path}/charts/{}", chart.name), values, all);
    }
}

#[test]
fn values_reach_the_charts_that_are_switched_on_as_in_helm() {
    let Some(program) = super::differential_helm::program() else { return };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[11; 32]);
    let count = std::env::var("CASES").ok().and_then(|it| it.parse().ok()).unwrap_or(60);
    let cases = Cases { cases: count, failure_persistence: None, ..Cases::default() };
    let mut runner = TestRunner::new_with_rng(cases, rng);
    let strategy = (
        dependencies(["one", "two"]),
        dependencies(["deep", "flat"]),
        [values(), values(), values(), values(), values()],
        1..=2_u8,
    );
    let outcome = runner.run(&strategy, |(top, one, values, version)| {
        let [of_top, of_one, of_two, of_deep, of_user] = &values;
        let mut files = chart("top", of_top, top.as_ref(), version);
        files.extend(chart("top/charts/one", of_one, one.as_ref(), version));
        files.extend(chart("top/charts/two", of_two, None, version));
        files.extend(chart("top/charts/one/charts/deep", of_deep, None, version));
        files.extend(chart("top/charts/one/charts/flat", of_deep, None, version));
        let expected = shown(&program, &files, of_user);
        files.push(("user.yaml".to_owned(), of_user.to_string()));
        let sources = Sources::in_memory(files);
        let user = values_of(&sources, "user.yaml");
        let package = package::load(&sources, "top", &nowhere());
        let chosen = package.and_then(|it| it.select(&user));
        let got = chosen.and_then(|it| {
            let mut all = BTreeMap::new();
            ours(&it, "top", &it.complete(&user)?, &mut all);
            Ok(all)
        });
        let Some(expected) = expected else {
            prop_assert!(got.is_err(), "Helm refuses this");
            return Ok(());
        };
        let got = got.map_err(|it| TestCaseError::fail(it.message.to_string()))?;
        prop_assert_eq!(got, expected);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}
