//! What only a process of its own has: a directory, an environment, streams that close.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

use super::{flagged, repository};

/// The program in `dir`, with nothing of the surroundings that could change its output.
fn command(dir: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_metrics-server-lint"));
    command.current_dir(dir).args(arguments.split_whitespace()).env_clear();
    command
}

fn output(dir: &Path, arguments: &str) -> Output {
    command(dir, arguments).output().expect("the program runs")
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
    assert!(!plain.contains('\x1b') && plain.contains('╭'), "{plain}");
    assert!(shown(&[("CLICOLOR_FORCE", "1")]).contains('\x1b'));
    assert!(!shown(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]).contains('\x1b'));
    assert!(shown(&[("LC_ALL", "C")]).is_ascii());
}

#[test]
fn a_pipe_may_close() {
    let dir = flagged();
    let mut child =
        command(dir.path(), "rules").stdout(Stdio::piped()).spawn().expect("the program runs");
    drop(child.stdout.take());
    assert!(child.wait().expect("it ends").success());
}
