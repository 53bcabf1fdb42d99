//! Mending everything that can be mended, in every example and every scenario: it comes to an end, only
//! takes findings away, keeps comments, and the patch does what the program does.

use std::{collections::BTreeMap, fs, io::ErrorKind, path::Path, process::Command};

use serde_json::Value;
use tempfile::TempDir;

use super::{examples, repository};
use crate::{
    rules::RULES,
    tests::{
        common::{self, fixture::directory, program},
        scenarios::scenarios,
    },
};

/// Text of each file by its path.
type Tree = BTreeMap<String, String>;

fn tree(dir: &Path) -> Tree {
    let text = |path: String| {
        let bytes = fs::read(dir.join(&path)).unwrap();
        (path, String::from_utf8_lossy(&bytes).into_owned())
    };
    common::files(dir, |_| true).into_iter().map(text).collect()
}

fn copy(tree: &Tree) -> TempDir {
    directory(&tree.clone().into_iter().collect::<Vec<_>>())
}

/// How often each rule finds something in each environment, at whatever place.
fn findings(dir: &TempDir) -> BTreeMap<(String, String), usize> {
    let told = program("check --pedantic --format json --root", &[dir.path()]).out;
    let report: Value = serde_json::from_str(&told).unwrap();
    let mut found = BTreeMap::new();
    for finding in report["findings"].as_array().unwrap() {
        for environment in finding["environments"].as_array().into_iter().flatten() {
            let key = [&finding["rule"], environment].map(|it| it.as_str().unwrap().to_owned());
            *found.entry(key.into()).or_default() += 1;
        }
    }
    found
}

/// Comments on lines of their own; those for us go with what they were about.
fn comments(tree: &Tree) -> usize {
    let lines = tree.values().flat_map(|it| it.lines());
    lines.filter(|it| it.trim().starts_with('#') && !it.contains("metrics-server-lint")).count()
}

/// Whether something was mended in the repository `name`, which holds `before`.
fn holds(name: &str, before: &Tree) -> bool {
    let dir = copy(before);
    let patch = program("check --pedantic --diff --unsafe-fixes --root", &[dir.path()]).out;
    assert_eq!(&tree(dir.path()), before, "{name}: --diff writes nothing");
    if patch.is_empty() {
        return false;
    }
    let found = findings(&dir);
    assert!(!found.is_empty(), "{name}: what is mended is found in an environment");
    let mend = "check --pedantic --fix --unsafe-fixes --root";
    program(mend, &[dir.path()]);
    let after = tree(dir.path());
    assert!(comments(&after) >= comments(before), "{name}: a comment is lost\n{patch}");
    for (what, times) in findings(&dir) {
        // An APIService that was missing is as the chart makes it, which is a pedantic note.
        let is_brought = what.0 == "apiservice-insecure-skip-tls-verify"
            && found.contains_key(&("apiservice-missing".to_owned(), what.1.clone()));
        assert!(
            is_brought || found.get(&what).is_some_and(|it| *it >= times),
            "{name}: {what:?} is new\n{patch}"
        );
    }
    program(mend, &[dir.path()]);
    assert_eq!(tree(dir.path()), after, "{name}: a second run mends more\n{patch}");
    let other = copy(before);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &patch).unwrap();
    let apply = Command::new("git").arg("apply").arg(file.path()).current_dir(&other).output();
    match apply {
        // There may be none on a machine that has but Rust.
        Err(error) if error.kind() == ErrorKind::NotFound => return true,
        told => {
            let told = told.unwrap();
            let said = String::from_utf8_lossy(&told.stderr);
            assert!(told.status.success(), "{name}: {said}\n{patch}");
        }
    }
    assert_eq!(tree(other.path()), after, "{name}: the patch does something else\n{patch}");
    true
}

#[test]
fn examples_are_mended_once_and_for_all() {
    let mut mended = 0;
    for rule in &RULES {
        let page = fs::read_to_string(repository().join(format!("rules/{}.md", rule.id))).unwrap();
        for example in examples(&page) {
            let name = format!("{}: {}", rule.id, example.title);
            mended += usize::from(holds(&name, &example.files.into_iter().collect()));
        }
    }
    assert!(mended > 10, "only {mended} examples have something to mend");
}

#[test]
fn scenarios_are_mended_once_and_for_all() {
    let mended = scenarios().into_iter().filter(|it| holds(&it.name, &tree(&it.dir))).count();
    assert!(mended > 2, "only {mended} scenarios have something to mend");
}
