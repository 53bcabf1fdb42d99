//! The program as it is used: arguments, exit statuses, and what goes where.
//!
//! What depends on the process itself is tested with one: [`process`].

use std::{fs, path::Path};

use tempfile::TempDir;

use crate::common::{
    fixture::{directory, files},
    program,
};

mod process;

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

/// A directory with the files of `text`, in which the line `FLAG` stands for [`FLAG`].
fn repository(text: &str) -> TempDir {
    directory(&files(&[("FLAG", FLAG)], text))
}

/// A directory with one finding.
fn flagged() -> TempDir {
    directory(&[("a.yaml".to_owned(), FLAG.to_owned())])
}

/// Exit status of the program with `arguments` and a path.
fn status(arguments: &str, path: &Path) -> u8 {
    program(arguments, &[path]).status
}

fn stdout(arguments: &str, path: &Path) -> String {
    program(arguments, &[path]).out
}

#[test]
fn the_status_says_what_was_found() {
    let clean = repository(
        "
        //- a.yaml
        a: 1
        ",
    );
    assert_eq!(status("check", clean.path()), 0);
    let found = flagged();
    let status = |arguments| status(arguments, found.path());
    assert_eq!(status("check"), 1);
    assert_eq!(status("check --fail-on error"), 0);
    assert_eq!(status("--fail-on never check"), 0);
    assert_eq!(status("check --format sarif"), 0);
    assert_eq!(status("check --format sarif --fail-on warning"), 1);
    assert_eq!(status("check --format json"), 1);
}

#[test]
fn what_cannot_be_done_is_said() {
    let dir = repository(
        "
        //- a.yaml
        FLAG
        //- b/c.yaml
        c: 1
        ",
    );
    let (file, below) = (dir.path().join("a.yaml"), dir.path().join("b"));
    let empty = repository("");
    for (arguments, paths, said) in [
        ("check nowhere", &[][..], "cannot read `nowhere`"),
        ("check --root nowhere", &[], "cannot read `nowhere`"),
        ("check --root", &[&*file], "is not a directory"),
        ("check --config nowhere", &[dir.path()], "cannot read `nowhere`"),
        ("check --root", &[&*below, &*file], "lies outside the repository"),
        ("check --format xml", &[], "invalid value 'xml'"),
        ("show --format sarif", &[], "`show` has no such format"),
        ("explain kubelet-insecure-tsl", &[], "did you mean `kubelet-insecure-tls`?"),
        ("render --environment nowhere --root", &[dir.path()], "no environment `nowhere`"),
        ("render --root", &[empty.path(), empty.path()], "there is no kustomization file"),
        ("--nonsense", &[], "unexpected argument"),
    ] {
        let output = program(arguments, paths);
        assert_eq!(output.status, 2, "{arguments}");
        assert!(output.err.contains(said), "{arguments}: {}", output.err);
        assert_eq!(output.out, "", "{arguments}");
    }
}

#[test]
fn help_that_was_asked_for_is_the_answer() {
    for arguments in ["--help", "check --help", "help show", "--version"] {
        let output = program(arguments, &[]);
        assert_eq!((output.status, output.err.as_str()), (0, ""), "{arguments}");
        assert!(output.out.contains("metrics-server-lint"), "{arguments}: {}", output.out);
    }
}

#[test]
fn a_broken_configuration_is_shown_where_it_is_broken() {
    let dir = repository(
        "
        //- a.yaml
        FLAG
        //- .metrics-server-lint.yaml
        rules:
          kubelet-insecure-tsl: off
        //- deep/er.yaml
        a: 1
        ",
    );
    let output = program("check", &[dir.path()]);
    assert_eq!(output.status, 2);
    assert_eq!(
        output.err,
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
        serde_json::from_str(&stdout("check --format sarif", dir.path())).expect("JSON");
    let invocation = &log["runs"][0]["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    assert_eq!(
        invocation["toolExecutionNotifications"][0]["message"]["text"],
        "there is no rule `kubelet-insecure-tsl`"
    );
    // The configuration is found from below.
    assert_eq!(status("check", &dir.path().join("deep")), 2);
}

#[test]
fn a_configuration_may_lie_outside() {
    let dir = repository(
        "
        //- repository/a.yaml
        FLAG
        //- off.yaml
        rules: {kubelet-insecure-tls: off}
        //- broken.yaml
        rulez: {}
        ",
    );
    let root = dir.path().join("repository");
    let with = |config: &str| {
        let config = format!("--config={}", dir.path().join(config).display());
        program("check --root", &[&root, Path::new(&config)])
    };
    assert_eq!(status("check --root", &root), 1);
    assert_eq!(with("off.yaml").status, 0);
    let text = with("broken.yaml").err;
    assert!(text.contains("broken.yaml:1:1") && text.contains("write `rules`"), "{text}");
}

#[test]
fn paths_are_a_filter() {
    let dir = repository(
        "
        //- a/a.yaml
        FLAG
        //- b/b.yaml
        b: 1
        //- .git/x
        ",
    );
    let [a, b] = ["a", "b"].map(|it| dir.path().join(it));
    assert_eq!(status("check", &a), 1);
    assert_eq!(program("check", &[&b.join("b.yaml"), &a.join("a.yaml")]).status, 1);
    assert_eq!(status("check", &b), 0);
}

#[test]
fn output_goes_to_a_file() {
    let dir = flagged();
    let file = dir.path().join("out.json");
    let output = program("check --format json --root", &[dir.path(), Path::new("--output"), &file]);
    assert_eq!(output.out, "");
    assert!(output.err.contains("1 warning"), "a summary is for who waits: {}", output.err);
    let text = fs::read_to_string(file).expect("the file");
    let report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(report["findings"][0]["rule"], "kubelet-insecure-tls");
    assert_eq!(status("check --output no/such/dir", dir.path()), 2);
}

#[test]
fn colors_are_for_those_who_want_them() {
    let dir = flagged();
    assert!(!stdout("check", dir.path()).contains('\x1b'));
    assert!(!stdout("check --color never", dir.path()).contains('\x1b'));
    assert!(stdout("--color always check", dir.path()).contains('\x1b'));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let dir = repository(
        "
        //- a.yaml
        FLAG
        //- b.yaml
        FLAG
        //- c/d.yaml
        FLAG
        ",
    );
    for arguments in ["check --format sarif", "check --format json", "show", "show --format json"] {
        let [one, other] = [(); 2].map(|()| stdout(arguments, dir.path()));
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
    let dir = directory(&[("a.yaml".to_owned(), text)]);
    assert_eq!(status("check --fail-on note", dir.path()), 0);
    assert!(stdout("check", dir.path()).contains("1 suppressed"));
    assert_eq!(stdout("check -q", dir.path()), "");
}

#[test]
fn completions_are_scripts() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = program(&format!("completions {shell}"), &[]).out;
        assert!(script.contains("metrics-server-lint"), "{shell}");
    }
}
