//! Charts rendered by the real Helm, read from the folder that `CONFORMANCE_DIR` names.
//!
//! A case is a folder with `case.json` (chart, release, namespace, values files in their order) and
//! the objects that Helm made of it, or that it refused.

use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use crate::{
    config::Config,
    data::{Family, charts},
    resolve::{
        context::{Context, Purpose},
        environment::Release,
        helm::{
            self,
            strvals::{self, Notation},
        },
    },
    scalar::{Dialect, Scalar},
    source::Sources,
    tree::{Kind, Map, Node, Origin, Via},
};

/// Cases that we cannot or need not render as the real Helm does, and why.
const SKIPPED: [(&str, &str); 4] = [
    ("args-typed", "what Helm made was read back by a reader for which `y` is text"),
    ("replicas-big", "of a number that is printed with an exponent nothing is said"),
    ("kube-1-20", "policy/v1beta1 is for Kubernetes before 1.21"),
    ("umbrella", "its chart is not part of the case"),
];

#[test]
fn charts_render_as_helm_renders_them() {
    let Some(dir) = std::env::var_os("CONFORMANCE_DIR").map(PathBuf::from) else {
        println!("skipped: CONFORMANCE_DIR names no folder");
        return;
    };
    let mut cases: Vec<_> = std::fs::read_dir(dir.join("helm"))
        .expect("the folder has Helm cases")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.join("case.json").is_file())
        .collect();
    cases.sort();
    let (mut equal, mut skipped, mut wrong) = (0, 0, Vec::new());
    for case in &cases {
        let name = case.file_name().expect("a name").to_string_lossy().into_owned();
        if let Some((_, why)) = SKIPPED.iter().find(|(part, _)| name.contains(part)) {
            println!("skipped {name}: {why}");
            skipped += 1;
            continue;
        }
        match check(case) {
            Ok(()) => equal += 1,
            Err(differences) => wrong.push(format!("{name}\n  {}", differences.join("\n  "))),
        }
    }
    println!("{equal} equal, {} different, {skipped} skipped", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn check(case: &Path) -> Result<(), Vec<String>> {
    let read = |name: &str| std::fs::read_to_string(case.join(name)).expect("it can be read");
    let meta: Json = serde_json::from_str(&read("case.json")).expect("JSON");
    let text = |key: &str| meta[key].as_str().expect("text").to_owned();
    let files: Vec<String> = (meta["values"].as_array().expect("a list").iter())
        .map(|it| it.as_str().expect("text").to_owned())
        .collect();
    let sources = Sources::in_memory(files.iter().map(|name| (name.clone(), read(name))));
    let nowhere = Origin::at(Via::Written, None);
    let mut values = Node::new(Map::default(), nowhere.clone());
    for name in &files {
        let file = sources.find(name).expect("it is there");
        let layer = helm::layer(sources.documents(file, Dialect::Sigs), &nowhere);
        values = helm::merge(&values, &layer.expect("values"));
    }
    // The order of the kinds is Helm's, whatever the order on the command line.
    for kind in ["--set-json", "--set", "--set-string"] {
        for set in meta["sets"].as_array().expect("a list").iter().filter(|it| it[0] == kind) {
            let text = set[1].as_str().expect("text");
            values = set_value(&values, kind, text, &nowhere);
        }
    }
    let chart = text("chart");
    let (family, version) = match chart.split_once('-').unwrap_or((&chart, "")) {
        ("ks", version) => (Family::KubernetesSigs, version),
        ("bitnami", "") => (Family::Bitnami, "7.4.13"),
        ("bitnami", version) => (Family::Bitnami, version),
        (_, "") => (Family::Stable, "2.11.4"),
        (_, version) => (Family::Stable, version),
    };
    let release = Release {
        name: text("release"),
        namespace: text("namespace"),
        is_anywhere: false,
        via: "helm-release",
        family: Some(family),
        chart: "metrics-server".into(),
        repository: None,
        directory: None,
        modified: None,
        reads: None,
        below: Vec::new(),
        alias: None,
        version: Some(Node::new(Scalar::string(version), nowhere.clone())),
        values,
        anchor: nowhere,
        shell: false,
        beside: Vec::new(),
        kubernetes: None,
        skips_schema: false,
        needs_all: true,
        suspended: false,
        work: 0,
        unit: None,
    };
    let config = Config::default();
    let context = Context::new(&sources, &config, Purpose::Judge);
    let rendered = super::helm::whole(helm::template(&context, release));
    if meta["outcome"] == "error" {
        let refused = rendered.objects.is_empty() && !rendered.problems.is_empty();
        return if refused { Ok(()) } else { Err(vec!["Helm refuses this".into()]) };
    }
    let expected: Json = serde_json::from_str(&read("expected.json")).expect("JSON");
    let mut differences: Vec<String> =
        rendered.problems.iter().map(|it| format!("problem: {}", it.message)).collect();
    let expected = expected.as_array().expect("a list");
    let wanted =
        expected.iter().filter(|it| it["metadata"]["annotations"]["helm.sh/hook"].is_null());
    let key = |object: &Json| {
        format!("{}/{}", object["kind"].as_str().unwrap_or("?"), object["metadata"]["name"])
    };
    let mut objects: Vec<Json> = rendered.objects.iter().map(as_json).collect();
    for want in wanted {
        match objects.iter().position(|it| key(it) == key(want)) {
            Some(at) => compare(&objects.remove(at), want, &key(want), &mut differences),
            None => differences.push(format!("{} is missing", key(want))),
        }
    }
    differences.extend(objects.iter().map(|it| format!("{} is too much", key(it))));
    if differences.is_empty() { Ok(()) } else { Err(differences) }
}

fn set_value(values: &Node, kind: &str, text: &str, origin: &Origin) -> Node {
    if kind == "--set-json" {
        let (key, json) = text.split_once('=').expect("a key and a value");
        let json: Json = serde_json::from_str(json).expect("JSON");
        return helm::merge(values, &charts::from_json(&json!({ key: json }), origin));
    }
    let mut values = values.clone();
    strvals::set(&mut values, text, Notation::of(kind == "--set-string"), origin)
        .expect("Helm takes it");
    values
}

/// A node as JSON, in which what is unknown shows.
fn as_json(node: &Node) -> Json {
    match &node.kind {
        Kind::Unknown(why) => json!(format!("<unknown: {why}>")),
        Kind::List(items) => items.iter().map(as_json).collect(),
        Kind::Map(map) => {
            map.iter().map(|(key, entry)| (key.to_owned(), as_json(&entry.value))).collect()
        }
        Kind::Scalar(_) => node.to_json(),
    }
}

fn compare(got: &Json, want: &Json, path: &str, differences: &mut Vec<String>) {
    match (got, want) {
        (Json::Object(a), Json::Object(b)) => {
            for (key, want) in b {
                match a.get(key) {
                    Some(got) => compare(got, want, &format!("{path}.{key}"), differences),
                    None => differences.push(format!("{path}.{key}: want {want}, got nothing")),
                }
            }
            for (key, got) in a.iter().filter(|(key, _)| !b.contains_key(*key)) {
                differences.push(format!("{path}.{key}: want nothing, got {got}"));
            }
        }
        (Json::Array(a), Json::Array(b)) if a.len() == b.len() => {
            for (index, (got, want)) in a.iter().zip(b).enumerate() {
                compare(got, want, &format!("{path}[{index}]"), differences);
            }
        }
        (Json::Number(a), Json::Number(b)) if a.as_f64() == b.as_f64() => {}
        _ if got == want => {}
        _ => differences.push(format!("{path}: want {want}, got {got}")),
    }
}
