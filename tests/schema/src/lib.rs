//! Whether the SARIF of every scenario is what the official schema of version 2.1.0 asks for, and its
//! JSON what ours does.
//!
//! The schema's text is that of the crate `serde-sarif` (MIT), which carries the one of OASIS; it is
//! read from where cargo unpacked that crate, so no copy of it is kept here.

#![cfg(test)]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

#[test]
fn every_scenario_gives_valid_sarif() {
    let schema = schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let broken = serde_json::json!({"version": "2.1.0", "runs": [{}]});
    assert!(!validator.is_valid(&broken), "the validator does not see that a run lacks its tool");

    let mut scenarios = 0;
    for scenario in scenarios_below(&repository().join("testdata")) {
        let sarif = output_of(&scenario, "sarif");
        let errors: Vec<String> = validator
            .iter_errors(&sarif)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}:\n{}", scenario.display(), errors.join("\n"));
        scenarios += 1;
    }
    assert!(scenarios >= 8, "only {scenarios} scenarios were found");
}

#[test]
fn every_scenario_gives_json_as_we_say() {
    let path = repository().join("schema/report.schema.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(!validator.is_valid(&serde_json::json!({"version": 1})), "neither findings nor an error");
    let all = scenarios_below(&repository().join("testdata")).into_iter();
    let reports = all.map(|it| (output_of(&it, "json"), it.display().to_string()));
    let nowhere = repository().join("tests/schema/nowhere");
    let failed = (written(&nowhere, "json").1, "a root that is not there".to_owned());
    assert!(failed.0["error"]["message"].is_string(), "{}", failed.0);
    for (report, name) in reports.chain([failed]) {
        let errors: Vec<String> = validator
            .iter_errors(&report)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{name}:\n{}", errors.join("\n"));
    }
}

#[test]
fn what_differs_is_json_as_we_say() {
    let path = repository().join("schema/diff.schema.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(!validator.is_valid(&serde_json::json!({"version": 1})), "neither changes nor an error");
    let [flux, clean] = ["flux-platform", "clean"].map(|it| repository().join("testdata").join(it));
    for (base, head) in [(&flux, &clean), (&flux, &repository().join("tests/schema/nowhere"))] {
        let (_, json) = output(&["diff", "--format", "json"], &[base, head]);
        let errors: Vec<String> = validator
            .iter_errors(&json)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}:\n{}", head.display(), errors.join("\n"));
    }
}

#[test]
fn what_is_posted_is_json_as_we_say() {
    let read = |name: &str| -> Value {
        let path = repository().join("schema").join(name);
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    };
    let validator = jsonschema::validator_for(&read("issue.schema.json")).unwrap();
    let found = jsonschema::validator_for(&read("report.schema.json")).unwrap();
    assert!(!validator.is_valid(&serde_json::json!({"version": 1})), "neither a report nor an error");
    for scenario in scenarios_below(&repository().join("testdata")) {
        let (success, report) = output(&["report", "--root"], &[&scenario]);
        assert!(success && validator.is_valid(&report), "{}: {report}", scenario.display());
        assert!(found.is_valid(&report["check"]), "{}: {report}", scenario.display());
    }
    let (_, failed) = output(&["report", "--root"], &[&repository().join("tests/schema/nowhere")]);
    assert!(validator.is_valid(&failed), "{failed}");
}

/// The repository's root.
fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The directories that hold a scenario; a group of them holds nothing but directories.
fn scenarios_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_dir() {
            continue;
        }
        if is_group(&path) {
            found.extend(scenarios_below(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// As `tests/library/scenarios.rs` says it: a scenario has files of its own.
fn is_group(dir: &Path) -> bool {
    ["argo-cd", "kubeadm", "platforms"].iter().any(|name| dir.ends_with(Path::new("testdata").join(name)))
}

/// The exit status, and what is written about the repository at `root`.
fn written(root: &Path, format: &str) -> (bool, Value) {
    output(&["check", "--fail-on", "never", "--format", format, "--root"], &[root])
}

fn output(arguments: &[&str], paths: &[&Path]) -> (bool, Value) {
    let program = env::var_os("METRICS_SERVER_LINT")
        .map_or_else(|| repository().join("target/debug/metrics-server-lint"), PathBuf::from);
    let output = Command::new(program)
        .args(arguments)
        .args(paths)
        .output()
        .unwrap();
    (output.status.success(), serde_json::from_slice(&output.stdout).unwrap())
}

fn output_of(scenario: &Path, format: &str) -> Value {
    let (success, output) = written(scenario, format);
    assert!(success, "{}: {output}", scenario.display());
    output
}

/// The official schema, from the sources of the crate that carries it.
fn schema() -> Value {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--all-features", "--locked", "--manifest-path"])
        .arg(manifest)
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let carrier = packages.iter().find(|it| it["name"] == "serde-sarif").unwrap();
    let path =
        Path::new(carrier["manifest_path"].as_str().unwrap()).with_file_name("src/schema.json");
    let mut schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    // A pattern with a bracket too many, which the validator refuses to read; nothing of ours has a
    // `language`.
    for owner in ["run", "toolComponent"] {
        let language = &mut schema["definitions"][owner]["properties"]["language"];
        assert!(language.as_object_mut().unwrap().remove("pattern").is_some());
    }
    schema
}
