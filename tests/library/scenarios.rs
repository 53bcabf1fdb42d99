//! What the program says of every repository in `testdata/`, each a test of its own.
//!
//! Whoever accepts a snapshot has read it: a wrong finding is a bug, also when it is recorded.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rayon::ThreadPoolBuilder;
use serde_json::Value;

use super::{
    common::{files, fixture::directory, program, repository},
    written::{self, read},
};

/// A test for each scenario, and their names.
macro_rules! scenarios {
    ($($name:ident)*) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];

        $(#[test]
        fn $name() {
            let scenario = scenario(stringify!($name));
            let sarif = holds(&scenario);
            record(&scenario, sarif);
        })*
    };
}

scenarios! {
    argo_cd_app_of_apps
    argo_cd_application_set
    argo_cd_sites
    broken
    broken_neighbours
    clean
    cluster_api_helm
    fleet
    flux_platform
    helm_values
    helmfile
    k3s_helm_chart
    kubeadm_approved
    kubeadm_no_approver
    kubeadm_self_signed
    kustomize_cases
    kustomize_overlay
    own_charts
    terraform
    umbrella_chart
}

/// Directories of `testdata/` that hold scenarios instead of being one.
///
/// `tests/schema` has the same list.
const GROUPS: [&str; 3] = ["argo-cd", "kubeadm", "platforms"];

/// A small repository in `testdata/`.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// Its path in `testdata/`, with `-` for `/`.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) dir: PathBuf,
}

/// Every scenario, by name.
pub(crate) fn scenarios() -> Vec<Scenario> {
    let mut found = Vec::new();
    for dir in directories(&repository().join("testdata")) {
        let name = name_of(&dir);
        if GROUPS.contains(&name.as_str()) {
            for dir in directories(&dir) {
                found.push(Scenario { name: format!("{name}-{}", name_of(&dir)), dir });
            }
        } else {
            found.push(Scenario { name, dir });
        }
    }
    found
}

/// The scenario whose test is called `name`, with `_` for `-`.
pub(crate) fn scenario(name: &str) -> Scenario {
    let name = name.replace('_', "-");
    let found = scenarios().into_iter().find(|it| it.name == name);
    found.unwrap_or_else(|| panic!("testdata has no scenario {name}"))
}

fn directories(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn every_scenario_is_a_test_and_has_its_snapshots() {
    // Those in `platforms/` are tests of `platforms.rs`.
    let all = scenarios().into_iter().map(|it| it.name).filter(|it| !it.starts_with("platforms-"));
    let all: Vec<String> = all.collect();
    assert_eq!(NAMES.iter().map(|it| it.replace('_', "-")).collect::<Vec<_>>(), all);
    let is_snapshot = |path: &str| Path::new(path).extension().is_some_and(|it| it == "snap");
    let recorded = files(&repository().join("tests/snapshots"), is_snapshot);
    let kinds = ["check", "sarif", "show"];
    let snapshots = all.iter().flat_map(|name| kinds.map(|kind| format!("{name}@{kind}.snap")));
    let mut snapshots: Vec<String> = snapshots.collect();
    snapshots.sort();
    assert_eq!(recorded, snapshots);
}

fn record(scenario: &Scenario, sarif: Value) {
    let (sources, environments) = read(&scenario.dir);
    let described = environments.iter().map(|it| written::describe(&sources, it));
    insta::with_settings!({
        snapshot_path => "../snapshots",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        let text = output("check", scenario);
        insta::assert_snapshot!(format!("{}@check", scenario.name), text);
        insta::assert_snapshot!(format!("{}@sarif", scenario.name), results(sarif));
        let text = described.collect::<Vec<_>>().join("\n");
        insta::assert_snapshot!(format!("{}@show", scenario.name), text);
    });
}

/// Checks what holds for every scenario; its SARIF.
pub(crate) fn holds(scenario: &Scenario) -> Value {
    let sarif = sarif(scenario);
    every_region_exists(scenario, &sarif);
    indexes_lead_to_rules(&sarif);
    threads_change_nothing(scenario);
    sarif
}

/// What the program prints of the scenario.
fn output(arguments: &str, scenario: &Scenario) -> String {
    let output = program(&format!("{arguments} --fail-on never --root"), &[&scenario.dir]);
    assert_eq!((output.status, output.err.as_str()), (0, ""), "{}", scenario.name);
    output.out
}

pub(crate) fn sarif(scenario: &Scenario) -> Value {
    serde_json::from_str(&output("check --format sarif", scenario)).unwrap()
}

/// SARIF without its tool, so that a new rule or version changes only what it finds.
fn results(mut sarif: Value) -> String {
    let run = sarif["runs"][0].as_object_mut().unwrap();
    run.shift_remove("tool");
    for result in run["results"].as_array_mut().unwrap() {
        result.as_object_mut().unwrap().shift_remove("ruleIndex");
    }
    serde_json::to_string_pretty(&sarif).unwrap()
}

fn indexes_lead_to_rules(sarif: &Value) {
    let run = &sarif["runs"][0];
    for result in run["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
    }
}

fn threads_change_nothing(scenario: &Scenario) {
    let pools = [1, 7].map(|it| ThreadPoolBuilder::new().num_threads(it).build().unwrap());
    for arguments in ["check --format json", "show --format json"] {
        let outputs = pools.each_ref().map(|it| it.install(|| output(arguments, scenario)));
        let [one, seven] = outputs;
        assert!(one == seven, "{}: {arguments} differs between runs", scenario.name);
    }
}

#[test]
fn the_model_repository_is_clean() {
    let clean = scenario("clean");
    let output = program("check --fail-on note --root", &[&clean.dir]);
    assert_eq!(output.status, 0, "{}", output.out);
}

#[test]
fn what_is_broken_beside_metrics_server_changes_nothing_about_it() {
    let broken = scenario("broken_neighbours").dir;
    let is_well = |path: &str| !path.starts_with("apps/") && !path.starts_with("charts/");
    let well = files(&broken, is_well).into_iter().map(|path| {
        let text = fs::read_to_string(broken.join(&path)).unwrap();
        let lines = text.lines().filter(|it| {
            !["- apps.yaml", "- dns", "- service-monitors.yaml"].contains(&it.trim_start())
        });
        (path, lines.flat_map(|it| [it, "\n"]).collect())
    });
    let well = directory(&well.collect::<Vec<_>>());
    // What is said of metrics-server, and what is said of files that are broken.
    let said = |dir: &Path, arguments: &str| -> (Vec<Value>, Vec<Value>) {
        let arguments = format!("check --format json --fail-on never {arguments} --root");
        let report: Value = serde_json::from_str(&program(&arguments, &[dir]).out).unwrap();
        let findings = report["findings"].as_array().unwrap().iter().cloned();
        let of_files = ["syntax", "unresolved", "build-fails", "env-var-undefined"];
        findings.partition(|it| !of_files.contains(&it["rule"].as_str().unwrap()))
    };
    for arguments in ["", "--pedantic"] {
        let (about_it, _) = said(&broken, arguments);
        assert!(about_it.len() > 1);
        assert_eq!((about_it, Vec::new()), said(well.path(), arguments));
    }
    let (_, shown) = said(&broken, "");
    assert!(shown.len() == 2 && shown.iter().all(|it| it["severity"] == "error"));
    let (_, all) = said(&broken, "--pedantic");
    assert!(shown.iter().all(|it| all.contains(it)));
    let apps = directories(&broken.join("apps")).iter().map(|it| name_of(it)).collect::<Vec<_>>();
    // Nobody looks for a chart that has nothing to do with metrics-server.
    for app in apps.iter().filter(|it| *it != "search") {
        let is_there = |it: &Value| {
            it["severity"] == "note" && it["labels"].to_string().contains(&format!("apps/{app}"))
        };
        assert!(all.iter().any(is_there), "{app}");
    }
}

#[test]
fn output_does_not_depend_on_where_the_repository_lies() {
    let here = scenario("flux_platform");
    let elsewhere = tempfile::tempdir().unwrap();
    let dir = elsewhere.path().join("another name");
    copy_dir(&here.dir, &dir);
    let there = Scenario { name: "elsewhere".into(), dir };
    for arguments in ["check --format sarif", "check --format json"] {
        assert_eq!(output(arguments, &here), output(arguments, &there));
    }
}

fn every_region_exists(scenario: &Scenario, sarif: &Value) {
    let mut regions = Vec::new();
    collect_locations(sarif, &mut regions);
    for location in &regions {
        assert_region(scenario, location);
    }
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert!(results.iter().all(|it| it["locations"].as_array().is_some_and(|it| !it.is_empty())));
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
