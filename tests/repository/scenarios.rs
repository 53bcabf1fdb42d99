//! What the program says of every repository in `testdata/`.
//!
//! Whoever accepts a snapshot has read it: a wrong finding is a bug, also when it is recorded.

use std::{fs, path::Path};

use serde_json::Value;

use crate::common::{Scenario, program, run, scenarios, stdout};

#[test]
fn snapshots() {
    for scenario in scenarios().into_iter().filter(|it| !it.is_platform()) {
        let text = check(&scenario, "text");
        record(&scenario, "check", &without_time(&text));
        record(&scenario, "sarif", &without_help(&check(&scenario, "sarif")));
        let show = run(&scenario.dir, &["show", "--root", ".", "--format", "json"]);
        record(&scenario, "show", stdout(&show));
    }
}

#[test]
fn the_model_repository_is_clean() {
    let clean = scenarios().into_iter().find(|it| it.name == "clean").unwrap();
    let output = run(&clean.dir, &["check", "--root", ".", "--fail-on", "note"]);
    assert!(output.status.success(), "{}", stdout(&output));
}

#[test]
fn output_does_not_depend_on_threads_or_runs() {
    for scenario in scenarios() {
        for arguments in [
            ["check", "--root", ".", "--format", "json"],
            ["show", "--root", ".", "--format", "json"],
        ] {
            let outputs = ["1", "7"].map(|threads| {
                program(&scenario.dir)
                    .env("RAYON_NUM_THREADS", threads)
                    .args(arguments)
                    .output()
                    .unwrap()
                    .stdout
            });
            let same = outputs.windows(2).all(|pair| pair[0] == pair[1]);
            assert!(same, "{}: {arguments:?} differs between runs", scenario.name);
        }
    }
}

#[test]
fn output_does_not_depend_on_where_the_repository_lies() {
    let scenario = scenarios().into_iter().find(|it| it.name == "flux-platform").unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("another name");
    copy_dir(&scenario.dir, &copy);
    for format in ["sarif", "json"] {
        let arguments = ["check", "--root", ".", "--format", format];
        assert_eq!(stdout(&run(&scenario.dir, &arguments)), stdout(&run(&copy, &arguments)));
    }
}

#[test]
fn every_region_exists() {
    for scenario in scenarios() {
        let sarif: Value = serde_json::from_str(&check(&scenario, "sarif")).unwrap();
        let mut regions = Vec::new();
        collect_locations(&sarif, &mut regions);
        for location in &regions {
            assert_region(&scenario, location);
        }
        let results = sarif["runs"][0]["results"].as_array().unwrap();
        assert!(
            results.iter().all(|it| it["locations"].as_array().is_some_and(|it| !it.is_empty()))
        );
    }
}

fn check(scenario: &Scenario, format: &str) -> String {
    let arguments = ["check", "--root", ".", "--format", format, "--fail-on", "never"];
    let output = run(&scenario.dir, &arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{}: {errors}", scenario.name);
    assert!(!errors.contains("panicked"), "{}: {errors}", scenario.name);
    stdout(&output).to_owned()
}

fn record(scenario: &Scenario, kind: &str, text: &str) {
    insta::with_settings!({
        snapshot_path => "../snapshots",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!(format!("{}@{kind}", scenario.name), text);
    });
}

/// The same without the time that the run took.
pub(crate) fn without_time(text: &str) -> String {
    let time = regex::Regex::new(r", [0-9.]+ s\)\n$").unwrap();
    time.replace(text, ")\n").into_owned()
}

/// SARIF without the rules' pages, which have tests of their own, and with line breaks.
fn without_help(sarif: &str) -> String {
    let mut sarif: Value = serde_json::from_str(sarif).unwrap();
    let driver = &mut sarif["runs"][0]["tool"]["driver"];
    for rule in driver["rules"].as_array_mut().unwrap() {
        *rule = serde_json::json!({"id": rule["id"]});
    }
    serde_json::to_string_pretty(&sarif).unwrap()
}

/// Every object that has a `physicalLocation`, wherever it stands.
fn collect_locations<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_locations(item, found)),
        Value::Object(entries) => {
            found.extend(entries.get("physicalLocation"));
            entries.values().for_each(|value| collect_locations(value, found));
        }
        _ => {}
    }
}

/// The region lies in a file of the scenario, and its columns in its lines.
#[track_caller]
fn assert_region(scenario: &Scenario, location: &Value) {
    let uri = location["artifactLocation"]["uri"].as_str().unwrap();
    let path = percent_decoded(uri);
    assert!(!path.starts_with('/') && !path.contains(".."), "{uri} is not inside the repository");
    let region = &location["region"];
    let bytes = fs::read(scenario.dir.join(&path));
    let bytes = bytes.unwrap_or_else(|error| panic!("{}: {path}: {error}", scenario.name));
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_start_matches('\u{feff}');
    let lines: Vec<&str> = text.split('\n').collect();
    let number = |name: &str| region[name].as_u64().map(|it| usize::try_from(it).unwrap());
    let Some(start_line) = number("startLine") else { return };
    let end_line = number("endLine").unwrap_or(start_line);
    assert!(
        start_line >= 1 && end_line >= start_line && end_line <= lines.len(),
        "{path}: {region}"
    );
    let length = |line: usize| lines[line - 1].trim_end_matches('\r').encode_utf16().count();
    let start = number("startColumn").unwrap_or(1);
    let end = number("endColumn").unwrap_or(length(end_line) + 1);
    assert!(start >= 1 && start <= length(start_line) + 1, "{path}: {region}");
    assert!(end >= 1 && end <= length(end_line) + 1, "{path}: {region}");
    assert!(start_line < end_line || start <= end, "{path}: {region}");
}

fn percent_decoded(uri: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = uri.strip_prefix("./").unwrap_or(uri).bytes();
    while let Some(byte) = rest.next() {
        let code = (byte == b'%').then(|| [rest.next().unwrap(), rest.next().unwrap()]);
        bytes.push(
            code.map_or(byte, |code| {
                u8::from_str_radix(str::from_utf8(&code).unwrap(), 16).unwrap()
            }),
        );
    }
    String::from_utf8(bytes).unwrap()
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
