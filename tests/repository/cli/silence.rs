//! Where a run has nothing to report, or cannot be done, it says why.

use std::fs;

use super::{flagged, repository};
use crate::common::program;

#[test]
fn a_wrong_configuration_is_said_with_what_to_write() {
    let dir = flagged();
    fs::write(dir.path().join(".metrics-server-lint.yaml"), "rules: {unknown-flag: warn}\n")
        .unwrap();
    let quiet = program("check -q", &[dir.path()]);
    assert_eq!((quiet.status, &*quiet.out), (2, ""));
    let line =
        "expected `error`, `warning`, `note` or `off`, found `warn`; help: write `warning`\n";
    assert!(quiet.err.ends_with(line), "{}", quiet.err);
}

#[test]
fn two_repositories_under_one_root_are_said_to_be_apart() {
    let dir = repository(
        "
        //- one/.git/HEAD
        ref: refs/heads/main
        //- one/a.yaml
        FLAG
        //- two/.git/HEAD
        ref: refs/heads/main
        //- two/b.yaml
        FLAG
        ",
    );
    let run = program("check", &[dir.path()]);
    assert!(run.err.starts_with("found no environment with metrics-server"), "{}", run.err);
    let said = "note: repositories of their own are not looked into, see --root: one, two\n";
    assert!(run.err.contains(said), "{}", run.err);
    assert!(run.err.contains("--list-files says which files are looked into"), "{}", run.err);
    let quiet = program("check -q", &[dir.path()]);
    assert_eq!(quiet.err.lines().count(), 1, "{}", quiet.err);
    let one = program("check --root", &[&dir.path().join("one")]);
    assert_eq!((one.status, &*one.err), (1, ""));
}

#[test]
fn one_file_gets_one_format_whatever_it_is_called() {
    let dir = flagged();
    let path = |name: &str| dir.path().join(name).display().to_string();
    #[cfg(unix)]
    std::os::unix::fs::symlink("a.json", dir.path().join("link")).unwrap();
    fs::write(dir.path().join("a.json"), "before").unwrap();
    let others = ["a.json", "./a.json", "../{}/a.json", "link"];
    let name = dir.path().file_name().unwrap().to_str().unwrap();
    for other in others.iter().take(if cfg!(unix) { 4 } else { 3 }) {
        let other = path(&other.replace("{}", name));
        let formats = format!("--format json:{} --format sarif:{other}", path("a.json"));
        let run = program(&format!("check {formats}"), &[dir.path()]);
        assert!(run.status == 2 && run.err.contains("two formats go to"), "{other}: {}", run.err);
    }
    assert_eq!(fs::read_to_string(dir.path().join("a.json")).unwrap(), "before");
    let formats = format!("--format json:{} --format sarif:{}", path("new"), path("./new"));
    assert_eq!(program(&format!("check {formats}"), &[dir.path()]).status, 2);
    assert!(!dir.path().join("new").exists());
}

#[test]
fn a_dash_is_standard_output() {
    let dir = flagged();
    let run = program("check --output - --root", &[dir.path()]);
    assert!(run.out.contains("kubelet-insecure-tls"), "{}", run.out);
}

/// What a values file is of stands in its path, not in words that a mistake may have misspelt.
#[test]
fn a_values_file_is_known_by_its_path() {
    for path in ["metrics-server/values.yaml", "apps/metrics-server/values-prod.yml"] {
        let dir = repository(&format!("\n//- {path}\nreplcas: 2\nresources: {{}}\n"));
        let output = program("check --format concise", &[dir.path()]);
        let place = format!("has no value replcas, so it is ignored\n --> {path}:1:1\n");
        assert!(output.status == 1 && output.out.contains(&place), "{path}: {}", output.out);
    }
    // Another's is none of ours, whatever its keys.
    let dir = repository("\n//- blog/values.yaml\nreplcas: 2\nresources: {}\n");
    let output = program("check", &[dir.path()]);
    assert!(output.out.is_empty() && output.err.contains("no environment"), "{}", output.err);
}
