//! Cases made with the real kustomize, in the folder that `CONFORMANCE_DIR` names.
//!
//! Each has a tree `in/`, a `case.json` that says where to build and whether the real tool refuses,
//! and, unless it does, the objects in `expected.json`. `CASE` selects by a part of the name.

use std::{collections::BTreeMap, env, fs, path::Path};

use indexmap::IndexMap;
use serde_json::Value;
use walkdir::WalkDir;

use crate::{
    config::Config,
    problem::ProblemKind,
    resolve::{
        context::{Context, Purpose},
        kustomize::{self, BuildOptions},
    },
    source::{Relevance, Skip, Sources, Text, join},
    tree::Node,
};

#[derive(Debug, PartialEq)]
enum Outcome {
    Passed,
    Skipped(String),
    Failed(String),
}

/// Core cases of which we say that we cannot tell: how YAML inside a scalar is written again is up to
/// go-yaml's own emitter.
const UNTOLD: &[&str] = &["up-repl-valueinlinestructureddata-8f123ca2"];

#[test]
fn kustomize_builds_as_the_real_one() {
    let Ok(dir) = env::var("CONFORMANCE_DIR") else {
        println!("skipped: CONFORMANCE_DIR is not set");
        return;
    };
    let only = env::var("CASE").unwrap_or_default();
    let mut cases: Vec<_> = ["kustomize", "kustomize-next"]
        .iter()
        .flat_map(|set| fs::read_dir(Path::new(&dir).join(set)).expect("the folder of cases"))
        .map(|it| it.expect("an entry").path())
        .filter(|it| it.join("case.json").exists() && it.to_string_lossy().contains(&only))
        .collect();
    cases.sort();
    let (mut passed, mut skipped, mut failed) = (0, 0, 0);
    for path in cases {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let case: Value = read_json(&path.join("case.json"));
        let outcome = match run(&path, &case) {
            Outcome::Skipped(why) if case["priority"] == "core" && !UNTOLD.contains(&&*name) => {
                Outcome::Failed(why)
            }
            outcome => outcome,
        };
        match outcome {
            Outcome::Passed => passed += 1,
            Outcome::Skipped(why) => {
                println!("skipped {name}: {why}");
                skipped += 1;
            }
            Outcome::Failed(why) => {
                println!("failed {name}: {why}");
                failed += 1;
            }
        }
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    assert_eq!(failed, 0, "kustomize cases failed");
}

fn run(path: &Path, case: &Value) -> Outcome {
    let sources = load(&path.join("in"));
    let config = Config::default();
    let context = Context::new(&sources, &config, Purpose::Judge);
    let root = join("", case["root"].as_str().unwrap_or(".")).unwrap_or_default();
    let options = BuildOptions {
        unrestricted: case["load_restrictor"] == "LoadRestrictionsNone",
        helm: case["enable_helm"] == true,
        ..BuildOptions::default()
    };
    let build = kustomize::build(&context, &root, &options);
    let first = |kind| build.problems.iter().find(|it| it.kind == kind).map(|it| &it.message);
    let refused = first(ProblemKind::BuildFails);
    let unresolved = first(ProblemKind::Unresolved);
    if case["outcome"] == "error" {
        return match (refused, unresolved) {
            (Some(_), _) => Outcome::Passed,
            (None, Some(why)) => Outcome::Skipped(why.to_string()),
            _ => Outcome::Failed("the real build is refused, ours is not".into()),
        };
    }
    if let Some(why) = refused {
        return Outcome::Failed(format!("refused: {why}"));
    }
    let objects = build.objects.iter().map(Node::to_json).collect();
    let expected = read_json(&path.join("expected.json"));
    let wanted = by_id(expected.as_array().cloned().unwrap_or_default());
    match (by_id(objects), unresolved) {
        (got, _) if got == wanted => Outcome::Passed,
        (_, Some(why)) => Outcome::Skipped(why.to_string()),
        (got, None) => Outcome::Failed(difference(&wanted, &got)),
    }
}

fn by_id(objects: Vec<Value>) -> BTreeMap<String, Vec<Value>> {
    let mut by_id: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for object in objects {
        let metadata = &object["metadata"];
        let id =
            [&object["apiVersion"], &object["kind"], &metadata["namespace"], &metadata["name"]];
        let id = id.map(ToString::to_string).join(" ");
        by_id.entry(id).or_default().push(normal(object));
    }
    by_id
}

/// Numbers that are equal look equal.
fn normal(value: Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().map_or(Value::Null, Value::from),
        Value::Array(items) => items.into_iter().map(normal).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, normal(value))).collect(),
        other => other,
    }
}

fn difference(wanted: &BTreeMap<String, Vec<Value>>, got: &BTreeMap<String, Vec<Value>>) -> String {
    for (id, objects) in wanted {
        match got.get(id) {
            None => return format!("{id} is missing; there are {:?}", got.keys()),
            Some(found) if found != objects => {
                let text = |it: &Vec<Value>| serde_json::to_string(it).unwrap_or_default();
                return format!("{id} differs:\n  want {}\n  got  {}", text(objects), text(found));
            }
            Some(_) => {}
        }
    }
    let extra = got.keys().find(|id| !wanted.contains_key(*id));
    format!("{extra:?} is too much")
}

/// The files below `root`, with symbolic links that lead inside it.
fn load(root: &Path) -> Sources {
    let root = root.canonicalize().expect("the tree of a case");
    let relative =
        |path: &Path| path.strip_prefix(&root).ok().map(|it| it.to_string_lossy().into_owned());
    let mut listing = Vec::new();
    let mut links = IndexMap::new();
    for entry in WalkDir::new(&root).sort_by_file_name() {
        let entry = entry.expect("a file");
        let Some(path) = relative(entry.path()) else { continue };
        if entry.path_is_symlink() {
            let target = entry.path().canonicalize().ok();
            if let Some(target) = target.as_deref().and_then(relative) {
                links.insert(path, target);
            }
        } else if entry.file_type().is_file() {
            let bytes = fs::read(entry.path()).expect("a readable file");
            let text = String::from_utf8(bytes).map_or(Text::Skipped(Skip::Binary), Text::Utf8);
            listing.push((path, Relevance::None.into(), Some(text)));
        }
    }
    Sources::new(listing, links, std::sync::Arc::new(|_: &str| Err(Skip::Binary)))
}

fn read_json(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("a readable file");
    serde_json::from_str(&text).expect("JSON")
}
