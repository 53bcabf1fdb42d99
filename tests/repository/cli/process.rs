//! What only a process of its own has: a directory, an environment, streams that close.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use super::{FLAG, flagged, repository};

/// The program in `dir`, with nothing of the surroundings that could change its output.
fn command(dir: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_metrics-server-lint"));
    command.current_dir(dir).args(arguments.split_whitespace()).env_clear();
    command
}

pub(super) fn output(dir: &Path, arguments: &str) -> Output {
    command(dir, arguments).output().expect("the program runs")
}

/// [`output`], with these variables.
pub(super) fn output_with<const N: usize>(
    dir: &Path,
    arguments: &str,
    variables: [(&str, &str); N],
) -> Output {
    command(dir, arguments).envs(variables).output().expect("the program runs")
}

#[test]
fn status_and_streams_are_those_of_the_process() {
    let dir = repository(
        "
        //- a.yaml
        FLAG
        //- b/b.yaml
        b: 1
        ",
    );
    for (arguments, status, streams) in [
        ("check b", 0, [false, true]),
        ("check", 1, [true, false]),
        ("check nowhere", 2, [false, true]),
        ("--help", 0, [true, false]),
        ("--nonsense", 2, [false, true]),
    ] {
        let Output { status: got, stdout, stderr } = output(dir.path(), arguments);
        assert_eq!(got.code(), Some(status), "{arguments}");
        assert_eq!([stdout, stderr].map(|it| !it.is_empty()), streams, "{arguments}");
    }
}

/// The repository is found from within; what is typed there is relative to there.
#[test]
fn paths_are_relative_to_where_one_is() {
    let dir = repository(
        "
        //- a/a.yaml
        FLAG
        //- b/b.yaml
        b: 1
        //- .git/x
        ",
    );
    let status = |arguments| output(&dir.path().join("b"), arguments).status.code();
    assert_eq!(status("check"), Some(0));
    assert_eq!(status("check .."), Some(1));
    assert_eq!(status("check --root .."), Some(1));
}

#[test]
fn the_environment_says_what_a_reader_can_see() {
    let dir = flagged();
    let shown = |variables: &[(&str, &str)]| {
        let mut command = command(dir.path(), "check");
        let output = command.envs(variables.iter().copied()).output().expect("the program runs");
        String::from_utf8(output.stdout).expect("text")
    };
    let plain = shown(&[]);
    assert!(!plain.contains('\x1b') && plain.contains("\n   |\n"), "{plain}");
    assert!(shown(&[("CLICOLOR_FORCE", "1")]).contains('\x1b'));
    assert!(shown(&[("FORCE_COLOR", "1")]).contains('\x1b'));
    for off in [("NO_COLOR", "1"), ("FORCE_COLOR", "0")] {
        assert!(!shown(&[("CLICOLOR_FORCE", "1"), off]).contains('\x1b'));
    }
    let links = [("FORCE_HYPERLINK", "1"), ("FORCE_COLOR", "1")];
    // Paths of Windows are no addresses.
    assert!(cfg!(windows) || shown(&links).contains("\x1b]8;;file://"), "a path is a link");
    assert!(!shown(&links[..1]).contains('\x1b'), "links are for those who have colors");
    assert!(shown(&[("LC_ALL", "C")]).is_ascii());
    let height = |width| shown(&[("COLUMNS", width)]).lines().count();
    assert!(height("60") > height("120"), "a pipe is as wide as it is said to be");
}

#[test]
fn a_runner_of_workflows_reads_no_command_from_a_repository() {
    let dir = flagged();
    let long = format!("{} ::add-mask::a ::add-mask::b ::add-mask::c", "a".repeat(60));
    let text = format!("\"x##[add-mask]y\": 1\n\"{long}\": 2\n");
    std::fs::write(dir.path().join(".metrics-server-lint.yaml"), text).expect("a file");
    for format in
        ["text", "concise", "github", "json", "sarif", "gitlab", "junit", "rdjson", "markdown"]
    {
        let run = |variables: &[(&str, &str)]| {
            let mut command = command(dir.path(), &format!("check --format {format}"));
            let output =
                command.envs(variables.iter().copied()).output().expect("the program runs");
            let said = [output.stdout, output.stderr].concat();
            String::from_utf8(said).expect("text")
        };
        let commands = |said: &str| {
            let is_command = |it: &str| it.trim_start().starts_with("::add-mask");
            said.contains("##[") || said.lines().any(is_command)
        };
        let listens = run(&[("GITHUB_ACTIONS", "true")]);
        assert!(listens.contains("add-mask") && !commands(&listens), "{format}: {listens}");
    }
}

#[test]
fn a_step_of_github_gets_its_summary() {
    let dir = flagged();
    let summary = dir.path().join("summary.md");
    std::fs::write(&summary, "of another step\n").expect("a file");
    let run = |arguments: &str| {
        command(dir.path(), arguments)
            .env("GITHUB_STEP_SUMMARY", &summary)
            .env("GITHUB_SERVER_URL", "https://github.example")
            .env("GITHUB_REPOSITORY", "a/b")
            .env("GITHUB_SHA", "1234")
            .output()
            .expect("the program runs")
    };
    let text = || std::fs::read_to_string(&summary).expect("text");
    run("check");
    assert_eq!(text(), "of another step\n");
    let out = run("check --format github --format sarif:a.sarif");
    assert!(
        text().starts_with("of another step\n### metrics-server-lint: 1 warning"),
        "{}",
        text()
    );
    let link = "[a.yaml:14](<https://github.example/a/b/blob/1234/a.yaml#L14>)";
    assert!(text().contains(link), "{}", text());
    let out = String::from_utf8(out.stdout).expect("text");
    assert!(out.contains("\n::warning file=a.yaml,line=14,"), "{out}");
    run("check --format github --config nowhere");
    assert!(text().contains("it could not be checked\n\ncannot read `nowhere`"), "{}", text());
}

#[test]
fn a_pipe_may_close() {
    let dir = flagged();
    let mut child =
        command(dir.path(), "rules").stdout(Stdio::piped()).spawn().expect("the program runs");
    drop(child.stdout.take());
    assert!(child.wait().expect("it ends").success());
}

/// What `check` says of `text` on standard input, in `dir`.
fn piped(dir: &Path, arguments: &str, text: &str) -> Output {
    let mut command = command(dir, arguments);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program runs");
    // Who refuses the arguments reads nothing.
    let _ = child.stdin.take().expect("a pipe").write_all(text.as_bytes());
    child.wait_with_output().expect("the program ends")
}

#[test]
fn standard_input_is_one_file_that_stands_alone() {
    let dir = repository(
        "
        //- a.yaml
        FLAG
        //- .metrics-server-lint.yaml
        exclude: [nowhere]
        //- lab/.metrics-server-lint.yaml
        rules: {kubelet-insecure-tls: off}
        ",
    );
    let check = |arguments, text: &str| {
        let Output { status, stdout, stderr } = piped(dir.path(), arguments, text);
        let [out, err] = [stdout, stderr].map(|it| String::from_utf8(it).expect("text"));
        (status.code(), out, err)
    };
    let text = format!("---\n# Source: metrics-server/templates/a.yaml\n{FLAG}---\n");
    let (status, out, err) = check("check -q -", &text);
    assert_eq!((status, &*err), (Some(1), ""));
    let line = "<stdin>:16:15: warning[kubelet-insecure-tls]: ";
    assert!(out.lines().any(|it| it.starts_with(line)), "{out}");
    assert!(out.lines().all(|it| it.starts_with("<stdin>:")), "{out}");
    // The configuration is that of the directory, of --root, or the one that is named.
    assert_eq!(check("check --root lab -", &text).0, Some(0));
    assert_eq!(check("check --config lab/.metrics-server-lint.yaml -", &text).0, Some(0));
    let (status, _, err) = check("check -q -", "kind: [\n");
    assert_eq!(status, Some(2), "what cannot be read is not clean");
    assert!(err.starts_with("error: standard input cannot be read: "), "{err}");
    assert_eq!(check("check -", "metrics-server: [\n").0, Some(1));
    let kustomization = "apiVersion: kustomize.config.k8s.io/v1beta1\nresources: [a.yaml]\n";
    let (status, _, err) = check("check -", kustomization);
    assert_eq!(status, Some(2), "what it names is not there");
    assert!(err.contains("pipe what `kubectl kustomize` prints"), "{err}");
    let (status, _, err) = check("check -", "");
    assert_eq!(status, Some(0));
    assert!(err.starts_with("found no environment with metrics-server"), "{err}");
    assert_eq!(check("check --fail-on-empty -", "").0, Some(1));
    for arguments in [
        "check - a.yaml",
        "check - --since lab",
        "check --list-files -",
        "check - --baseline b --write-baseline",
    ] {
        let (status, out, err) = check(arguments, &text);
        assert_eq!((status, &*out), (Some(2), ""), "{arguments}");
        assert!(err.contains("stands alone"), "{err}");
    }
}
