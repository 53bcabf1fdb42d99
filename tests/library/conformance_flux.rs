//! Cases made with the real tools, read from the folder that `CONFORMANCE_DIR` names.
//!
//! Without that variable there is nothing to do: the cases are no part of this repository.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use indexmap::IndexMap;
use serde_json::{Value, json};

use crate::{
    config::Config,
    emit,
    problem::ProblemKind,
    resolve::{
        context::{Context, Purpose},
        environment::{EntryKind, Environment},
        flux::{self, envsubst},
    },
    scalar::Dialect,
    source::Sources,
    tree::Node,
};

fn folder() -> Option<PathBuf> {
    std::env::var_os("CONFORMANCE_DIR").map(PathBuf::from)
}

fn lines(name: &str) -> Vec<Value> {
    let Some(folder) = folder() else { return Vec::new() };
    let text = fs::read_to_string(folder.join(name)).expect("the cases are readable");
    text.lines().map(|line| serde_json::from_str(line).expect("a case is JSON")).collect()
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_default()
}

fn variables(case: &Value) -> IndexMap<String, String> {
    let entries = case["vars"].as_object().expect("variables");
    let value = |it: &Value| it.as_str().expect("a variable is text").replace('\n', "");
    entries.iter().map(|(key, it)| (key.clone(), value(it))).collect()
}

/// Fails with every case that went wrong, not only the first.
fn all_pass(failures: &[String], of: usize) {
    assert!(of > 0 || folder().is_none(), "there are cases");
    assert!(failures.is_empty(), "{} of {of}:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn substitution_of_text() {
    let cases = lines("envsubst.jsonl");
    let mut failures = Vec::new();
    for case in &cases {
        let result = envsubst::substitute(text(case, "template"), &variables(case));
        let strict = case["strict"] == true;
        let got = match &result {
            Err(error) => Err(error.message.to_owned()),
            Ok(output) => match output.filled.iter().flat_map(|it| &it.missing).next() {
                Some(name) if strict => Err(format!("variable not set (strict mode): {name:?}")),
                _ => Ok(output.text.as_str()),
            },
        };
        let expected = match case.get("error") {
            Some(error) => Err(error.as_str().expect("text").to_owned()),
            None => Ok(text(case, "output")),
        };
        if got != expected {
            failures.push(format!("{}: {got:?}, not {expected:?}", text(case, "template")));
        }
    }
    all_pass(&failures, cases.len());
}

/// JSON numbers as numbers, whichever notation they have.
fn normal(value: &Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.as_i64().is_none() && number.as_u64().is_none() => json!(float),
            _ => value.clone(),
        },
        Value::Array(items) => items.iter().map(normal).collect(),
        Value::Object(map) => map.iter().map(|(key, it)| (key.clone(), normal(it))).collect(),
        _ => value.clone(),
    }
}

fn first_document(sources: &Sources, path: &str) -> Node {
    let file = sources.find(path).expect("the file is there");
    sources.documents(file, Dialect::Sigs).roots().next().expect("a document").clone()
}

#[test]
fn substitution_in_objects() {
    let cases = lines("varsub-objects.jsonl");
    let mut failures = Vec::new();
    for case in &cases {
        let strategy = if case["always"] == true { "Always" } else { "WithVariables" };
        let kustomization = json!({"spec": {"postBuild": {
            "substitute": case["vars"], "substituteStrategy": strategy}}});
        let sources = Sources::in_memory([
            ("object.yaml", case["object"].to_string()),
            ("flux.yaml", kustomization.to_string()),
        ]);
        let object = first_document(&sources, "object.yaml");
        let id = text(case, "id");
        if case["yaml_before"].as_str().is_some_and(|it| it != emit::yaml(&object)) {
            failures.push(format!("{id}: {}", emit::yaml(&object)));
        }
        let config = Config::default();
        let context = Context::new(&sources, &config, Purpose::Render);
        let flux = first_document(&sources, "flux.yaml");
        let mut problems = Vec::new();
        let result = flux::post_build(&context, &flux, &[object], &mut problems);
        let undefined = problems.iter().find(|it| it.kind == ProblemKind::EnvVarUndefined);
        let got = match result {
            Err(problem) => Err(problem.message.to_string()),
            Ok(_) if case["strict"] == true && undefined.is_some() => Err("undefined".to_owned()),
            Ok(objects) => Ok(normal(&objects[0].to_json())),
        };
        match (&got, case.get("result")) {
            (Ok(got), Some(expected)) if *got == normal(expected) => {}
            (Err(_), None) => {}
            (got, expected) => failures.push(format!(
                "{id} ({}): {got:?}\n  not {expected:?}\n  {:?}",
                text(case, "note"),
                case.get("error")
            )),
        }
    }
    all_pass(&failures, cases.len());
}

/// Every file below `folder`, by its path in it.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).expect("a folder").map(|it| it.expect("an entry").path()) {
            if entry.is_dir() {
                open.push(entry);
            } else {
                let path = entry.strip_prefix(folder).expect("it is inside");
                let text = fs::read_to_string(&entry).expect("text");
                files.push((path.to_string_lossy().into_owned(), text));
            }
        }
    }
    files
}

/// Objects by what they are called.
fn by_id(objects: impl IntoIterator<Item = Value>) -> BTreeMap<String, Vec<Value>> {
    let mut ids: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for object in objects {
        let metadata = &object["metadata"];
        let id =
            [&object["apiVersion"], &object["kind"], &metadata["namespace"], &metadata["name"]]
                .map(Value::to_string);
        ids.entry(id.join(" ")).or_default().push(normal(&object));
    }
    ids
}

#[test]
fn kustomization_trees() {
    let Some(folder) = folder().map(|it| it.join("flux")) else { return };
    let mut failures = Vec::new();
    let mut count = 0;
    for case in fs::read_dir(&folder).expect("cases").map(|it| it.expect("an entry").path()) {
        let read = |name: &str| -> Value {
            let text = fs::read_to_string(case.join(name)).expect("a file");
            serde_json::from_str(&text).expect("JSON")
        };
        let (settings, expected) = (read("case.json"), read("expected.json"));
        for (name, roots) in settings["environments"].as_object().expect("environments") {
            count += 1;
            let mut listing = files(&case.join("in"));
            listing.push(("roots.json".into(), roots.to_string()));
            let sources = Sources::in_memory(listing);
            let roots = first_document(&sources, "roots.json");
            let config = Config::default();
            let context = Context::new(&sources, &config, Purpose::Render);
            let mut environment =
                Environment::new(name.clone(), EntryKind::Flux, roots.origin.clone());
            flux::resolve(&context, None, roots.items(), &mut environment);
            flux::releases(&context, &mut environment);
            let id = format!("{} {name}", settings["id"]);
            compare(&id, &environment, &expected[name.as_str()], &mut failures);
        }
    }
    all_pass(&failures, count);
}

fn compare(id: &str, environment: &Environment, expected: &Value, failures: &mut Vec<String>) {
    let refused = environment
        .problems
        .iter()
        .find(|it| matches!(it.kind, ProblemKind::BuildFails | ProblemKind::Unresolved));
    if expected["errors"].as_object().is_some_and(|it| !it.is_empty()) {
        if refused.is_none() {
            failures.push(format!("{id}: this is refused: {}", expected["errors"]));
        }
        return;
    }
    let built = environment.objects.iter().filter(|it| it.release.is_none() && !it.suspended);
    let got = by_id(built.map(|it| it.node.to_json()));
    let all = expected["kustomizations"].as_object().expect("Kustomizations").values();
    let expected_objects = by_id(all.flat_map(|it| it.as_array().expect("objects").clone()));
    for (object, value) in &expected_objects {
        if got.get(object) != Some(value) {
            failures.push(format!("{id}: {object}\n  {value:?}\n  {:?}", got.get(object)));
        }
    }
    for object in got.keys().filter(|it| !expected_objects.contains_key(*it)) {
        failures.push(format!("{id}: {object} is not expected"));
    }
    let Some(releases) = expected["helm"].as_object() else { return };
    for (name, expected) in releases {
        let release = environment.releases.iter().find(|it| expected["release"] == it.name);
        let got = release.map(|it| normal(&it.values.to_json()));
        if got.as_ref() != Some(&normal(&expected["values"])) {
            failures.push(format!("{id}: values of {name}: {got:?}, not {}", expected["values"]));
        }
    }
}
