//! What shells make of the completion scripts, and `man` of the manual pages; each where it is there.

use std::{fs, path::Path, process::Command};

use tempfile::TempDir;

use super::program;

const PROGRAM: &str = env!("CARGO_BIN_EXE_metrics-server-lint");

/// A directory with the script for `shell` in a file `script`.
fn script(shell: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let script = program(&format!("completions {shell}"), &[]).out;
    fs::write(dir.path().join("script"), script).unwrap();
    dir
}

/// What a shell prints in `dir`; `None` where there is no such shell.
fn printed(dir: &Path, shell: &str, arguments: &[&str]) -> Option<String> {
    let bin = Path::new(PROGRAM).parent().unwrap().display().to_string();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(shell);
    command.current_dir(dir).args(arguments).env("PATH", format!("{bin}:{path}"));
    let output = command.env("HOME", dir).env("TERM", "dumb").output().ok()?;
    Some(String::from_utf8(output.stdout).unwrap())
}

/// A line that is typed, and what its last word may become: some of the words, and one that is not.
const TYPED: [(&str, &[&str], &str); 9] = [
    ("metrics-server-lint check --fo", &["--format", "--force-exclude"], "--root"),
    ("metrics-server-lint che", &["check"], "show"),
    ("metrics-server-lint explain kub", &["kubelet-insecure-tls"], "syntax"),
    ("metrics-server-lint check --format ", &["json", "gitlab", "markdown"], "check"),
    ("metrics-server-lint check --select unknown-", &["unknown-flag"], "syntax"),
    ("metrics-server-lint check --ignore secu", &["security"], "syntax"),
    ("metrics-server-lint check --min-severity ", &["error", "note"], "check"),
    ("metrics-server-lint explain --", &["--root", "--color"], "--fail-on"),
    ("metrics-server-lint man ch", &["check"], "show"),
];

#[test]
fn completions_are_scripts() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = program(&format!("completions {shell}"), &[]).out;
        assert!(script.contains("metrics-server-lint"), "{shell}");
    }
}

#[test]
fn bash_completes() {
    let dir = script("bash");
    for (line, expected, other) in TYPED {
        let words: Vec<&str> = line.split(' ').collect();
        let [.., previous, current] = &*words else { continue };
        let (at, words) = (words.len() - 1, words.join("' '"));
        let press = format!(
            "source ./script; COMP_WORDS=('{words}'); COMP_CWORD={at}; \
             _metrics__server__lint metrics-server-lint '{current}' '{previous}' 2>/dev/null; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let Some(offered) = printed(dir.path(), "bash", &["--norc", "-c", &press]) else { return };
        offers(line, &offered, expected, other);
    }
}

#[test]
fn fish_completes() {
    let dir = script("fish");
    for (line, expected, other) in TYPED {
        let press = format!("source ./script; complete -C '{line}'");
        let arguments = ["--no-config", "-c", &press];
        let Some(offered) = printed(dir.path(), "fish", &arguments) else { return };
        offers(line, &offered, expected, other);
    }
}

#[test]
fn zsh_reads_its_script() {
    // A colon would end a field of what an option is, in the middle of its value's name.
    let script_of = program("completions zsh", &[]).out;
    assert!(!script_of.contains("[:FILE]"), "{script_of}");
    let dir = script("zsh");
    let Some(said) = printed(dir.path(), "zsh", &["-fnc", "source ./script && echo read"]) else {
        return;
    };
    assert_eq!(said, "");
    let load = "autoload -U compinit && compinit -u -D && source ./script && echo read";
    assert_eq!(printed(dir.path(), "zsh", &["-fc", load]).as_deref(), Some("read\n"));
}

#[track_caller]
fn offers(line: &str, offered: &str, expected: &[&str], other: &str) {
    let words: Vec<&str> = offered.lines().filter_map(|it| it.split('\t').next()).collect();
    for word in expected {
        assert!(words.contains(word), "{line}: no {word} in\n{offered}");
    }
    assert!(!words.contains(&other), "{line}: {other} in\n{offered}");
}

#[test]
fn manual_pages_render() {
    let page = program("man", &[]).out;
    assert!(page.contains(".TH metrics-server-lint 1") && page.contains("check"), "{page}");
    let dir = tempfile::tempdir().unwrap();
    for command in ["", "check", "show", "render", "explain", "rules", "completions", "man"] {
        let page = program(&format!("man {command}"), &[]).out;
        fs::write(dir.path().join("page.1"), &page).unwrap();
        let mut groff = Command::new("groff");
        groff.args(["-man", "-Tascii", "-P-cbou", "-ww", "page.1"]).current_dir(dir.path());
        let Ok(output) = groff.output() else { continue };
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{command}");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("SYNOPSIS") && text.contains("--help"), "{command}: {text}");
    }
    let check = program("man check", &[]).out;
    assert!(check.contains(".TH metrics-server-lint-check 1"), "{check}");
    let run = program("man chek", &[]);
    assert_eq!(
        (run.status, &*run.err),
        (2, "error: there is no command `chek`; did you mean `check`?\n")
    );
    assert!(check.contains("fail\\-on") && !program("man show", &[]).out.contains("fail\\-on"));
}
