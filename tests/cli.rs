//! The program as it is run: arguments, exit statuses, and what goes where.

#![expect(clippy::disallowed_methods, reason = "tests run the program on files that they write")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;

const FLAG: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: metrics-server, namespace: kube-system}
spec:
  selector: {matchLabels: {k8s-app: metrics-server}}
  template:
    metadata: {labels: {k8s-app: metrics-server}}
    spec:
      priorityClassName: system-cluster-critical
      containers:
        - name: metrics-server
          image: registry.k8s.io/metrics-server/metrics-server:v0.7.2
          args:
            - --kubelet-insecure-tls
";

fn repository(files: &[(&str, &str)]) -> TempDir {
    let dir = TempDir::new().expect("a directory");
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, text).expect("a file");
    }
    dir
}

fn run(dir: &Path, arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_metrics-server-lint"))
        .current_dir(dir)
        .args(arguments.split_whitespace())
        .env_remove("NO_COLOR")
        .env_remove("CLICOLOR_FORCE")
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("the program runs")
}

fn status(dir: &Path, arguments: &str) -> Option<i32> {
    run(dir, arguments).status.code()
}

fn stdout(dir: &Path, arguments: &str) -> String {
    String::from_utf8(run(dir, arguments).stdout).expect("text")
}

fn stderr(dir: &Path, arguments: &str) -> String {
    String::from_utf8(run(dir, arguments).stderr).expect("text")
}

#[test]
fn the_status_says_what_was_found() {
    let clean = repository(&[("a.yaml", "a: 1\n")]);
    assert_eq!(status(clean.path(), "check"), Some(0));
    let found = repository(&[("a.yaml", FLAG)]);
    assert_eq!(status(found.path(), "check"), Some(1));
    assert_eq!(status(found.path(), "check --fail-on error"), Some(0));
    assert_eq!(status(found.path(), "--fail-on never check"), Some(0));
    assert_eq!(status(found.path(), "check --format sarif"), Some(0));
    assert_eq!(status(found.path(), "check --format sarif --fail-on warning"), Some(1));
    assert_eq!(status(found.path(), "check --format json"), Some(1));
}

#[test]
fn what_cannot_be_done_is_said() {
    let dir = repository(&[("a.yaml", FLAG), ("b/c.yaml", "c: 1\n")]);
    for (arguments, said) in [
        ("check nowhere", "cannot read `nowhere`"),
        ("check --root nowhere", "cannot read `nowhere`"),
        ("check --root a.yaml", "is not a directory"),
        ("check --config nowhere", "cannot read `nowhere`"),
        ("check --root b a.yaml", "lies outside the repository"),
        ("check --format xml", "invalid value 'xml'"),
        ("show --format sarif", "`show` has no such format"),
        ("explain kubelet-insecure-tsl", "did you mean `kubelet-insecure-tls`?"),
        ("render --environment nowhere", "there is no environment `nowhere`"),
        ("--nonsense", "unexpected argument"),
    ] {
        assert_eq!(status(dir.path(), arguments), Some(2), "{arguments}");
        let text = stderr(dir.path(), arguments);
        assert!(text.contains(said), "{arguments}: {text}");
        assert_eq!(stdout(dir.path(), arguments), "", "{arguments}");
    }
}

#[test]
fn a_broken_configuration_is_shown_where_it_is_broken() {
    let dir = repository(&[
        ("a.yaml", FLAG),
        (".metrics-server-lint.yaml", "rules:\n  kubelet-insecure-tsl: off\n"),
        ("deep/er.yaml", "a: 1\n"),
    ]);
    assert_eq!(status(dir.path(), "check"), Some(2));
    assert_eq!(
        stderr(dir.path(), "check"),
        "\
error[configuration]

  × there is no rule `kubelet-insecure-tsl`
   ╭─[.metrics-server-lint.yaml:2:3]
 2 │   kubelet-insecure-tsl: off
   ·   ────────────────────
   ╰────
  help: write `kubelet-insecure-tls`

"
    );
    let log: serde_json::Value =
        serde_json::from_str(&stdout(dir.path(), "check --format sarif")).expect("JSON");
    let invocation = &log["runs"][0]["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    assert_eq!(
        invocation["toolExecutionNotifications"][0]["message"]["text"],
        "there is no rule `kubelet-insecure-tsl`"
    );
    // The configuration is found from below.
    assert_eq!(status(dir.path(), "check deep"), Some(2));
}

#[test]
fn a_configuration_may_lie_outside() {
    let dir = repository(&[
        ("repository/a.yaml", FLAG),
        ("off.yaml", "rules: {kubelet-insecure-tls: off}\n"),
        ("broken.yaml", "rulez: {}\n"),
    ]);
    assert_eq!(status(dir.path(), "check --root repository"), Some(1));
    assert_eq!(status(dir.path(), "check --root repository --config off.yaml"), Some(0));
    let text = stderr(dir.path(), "check --root repository --config broken.yaml");
    assert!(text.contains("broken.yaml:1:1") && text.contains("write `rules`"), "{text}");
}

#[test]
fn paths_are_a_filter() {
    let dir = repository(&[("a/a.yaml", FLAG), ("b/b.yaml", "b: 1\n"), (".git/x", "")]);
    assert_eq!(status(dir.path(), "check a"), Some(1));
    assert_eq!(status(dir.path(), "check b/b.yaml a/a.yaml"), Some(1));
    assert_eq!(status(dir.path(), "check b"), Some(0));
    // The repository is found from within; what is typed there is relative to there.
    assert_eq!(status(&dir.path().join("b"), "check"), Some(0));
    assert_eq!(status(&dir.path().join("b"), "check .."), Some(1));
    assert_eq!(status(&dir.path().join("b"), "check --root .."), Some(1));
}

#[test]
fn output_goes_to_a_file() {
    let dir = repository(&[("a.yaml", FLAG)]);
    assert_eq!(stdout(dir.path(), "check --format json --output out.json"), "");
    let text = fs::read_to_string(dir.path().join("out.json")).expect("the file");
    let report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(report["findings"][0]["rule"], "kubelet-insecure-tls");
    assert_eq!(status(dir.path(), "check --output no/such/dir"), Some(2));
}

#[test]
fn colors_are_for_those_who_want_them() {
    let dir = repository(&[("a.yaml", FLAG)]);
    assert!(!stdout(dir.path(), "check").contains('\x1b'));
    assert!(!stdout(dir.path(), "check --color never").contains('\x1b'));
    assert!(stdout(dir.path(), "--color always check").contains('\x1b'));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let dir = repository(&[("a.yaml", FLAG), ("b.yaml", FLAG), ("c/d.yaml", FLAG)]);
    for arguments in ["check --format sarif", "check --format json", "show", "show --format json"] {
        let [one, other] = [(); 2].map(|()| stdout(dir.path(), arguments));
        assert_eq!(one, other, "{arguments}");
        assert!(!one.is_empty());
    }
}

#[test]
fn suppressed_findings_are_gone() {
    let text = FLAG.replace(
        "--kubelet-insecure-tls",
        "--kubelet-insecure-tls # metrics-server-lint: ignore[kubelet-insecure-tls] lab",
    );
    let dir = repository(&[("a.yaml", &text)]);
    assert_eq!(status(dir.path(), "check --fail-on note"), Some(0));
    assert!(stdout(dir.path(), "check").contains("1 suppressed"));
    assert_eq!(stdout(dir.path(), "check -q"), "");
}

#[test]
fn a_pipe_may_close() {
    let dir = repository(&[("a.yaml", FLAG)]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_metrics-server-lint"))
        .current_dir(dir.path())
        .arg("rules")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the program runs");
    drop(child.stdout.take());
    assert!(child.wait().expect("it ends").code().is_some_and(|it| it < 101));
}

#[test]
fn completions_are_scripts() {
    let dir = repository(&[]);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stdout(dir.path(), &format!("completions {shell}"));
        assert!(script.contains("metrics-server-lint"), "{shell}");
    }
}
