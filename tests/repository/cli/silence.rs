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
fn a_dash_is_standard_output() {
    let dir = flagged();
    let run = program("check --output - --root", &[dir.path()]);
    assert!(run.out.contains("kubelet-insecure-tls"), "{}", run.out);
}
