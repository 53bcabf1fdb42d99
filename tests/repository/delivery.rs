//! What people install: versions that agree, and hooks that pre-commit starts at the right time.

use std::{env, fs, sync::LazyLock};

use regex::{Captures, Regex};

use crate::{common::repository, tidy::written};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Where this project's version stands, up to the number.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?x)(
            metrics-server-lint (?:==|@v?|:v|-v|\ )
            | metrics-server-lint/metrics-server-lint/v
            | .program.:\ \{.version.:\ .
            | metrics-server-lint/metrics-server-lint\n\s*rev:\ v
            | metrics-server-lint/metrics-server-lint/releases/download/v
            | release.yml@refs/tags/v
            | <hash\ of\ the\ commit>\ \#\ v
            | ^\{\n\ \ .name.:\ .metrics-server-lint.,\n(?:\ .*\n)*?\ \ .version.:\ .
            | .packages.:\ \{\n\s+..:\ \{\n\s+.name.:\ .metrics-server-lint.,\n\s+.version.:\ .
        )\d+\.\d+\.\d+",
    )
    .unwrap()
});

/// `text` with this version wherever it names a version of this project.
fn with_this_version(path: &str, text: &str) -> String {
    let text = NAMED.replace_all(text, |it: &Captures| format!("{}{VERSION}", &it[1]));
    if path == "pyproject.toml" {
        let own = Regex::new(r#"(?m)^version = ".*"$"#).unwrap();
        return own.replace(&text, format!("version = \"{VERSION}\"")).into_owned();
    }
    text.into_owned()
}

#[test]
fn every_version_is_that_of_the_manifest() {
    let mut files = written();
    let lock = "editors/vscode/package-lock.json";
    files.push((lock.to_owned(), fs::read_to_string(repository().join(lock)).unwrap()));
    let mut stale = Vec::new();
    // The changelog says which version it was, and tests what others may be.
    let old = |path: &str| path == "CHANGELOG.md" || path.ends_with(".rs");
    for (path, text) in files.iter().filter(|(path, _)| !old(path)) {
        let new = with_this_version(path, text);
        if new != *text {
            stale.push(path);
            if env::var_os("UPDATE").is_some() {
                fs::write(repository().join(path), new).unwrap();
            }
        }
    }
    let updated = env::var_os("UPDATE").is_some();
    assert!(stale.is_empty() || updated, "`UPDATE=1 cargo test` sets the version of {stale:?}");
}

#[test]
fn a_version_is_found_wherever_it_is_named() {
    let texts = [
        ("README.md", "uses: metrics-server-lint/metrics-server-lint@v0.0.1\n"),
        (
            "README.md",
            "- repo: https://github.com/metrics-server-lint/metrics-server-lint\n  rev: v0.0.1\n",
        ),
        ("docs/ci.md", "pipx install metrics-server-lint==0.0.1\n"),
        (
            ".pre-commit-hooks.yaml",
            "entry: ghcr.io/metrics-server-lint/metrics-server-lint:v0.0.1 check\n",
        ),
        ("SECURITY.md", "metrics-server-lint-v0.0.1-x86_64-unknown-linux-musl.tar.gz\n"),
        ("pyproject.toml", "version = \"0.0.1\"\n"),
        (
            "editors/vscode/package.json",
            "{\n  \"name\": \"metrics-server-lint\",\n  \"a\": 1,\n  \"version\": \"0.0.1\"\n",
        ),
        (
            "editors/vscode/package-lock.json",
            "  \"packages\": {\n    \"\": {\n      \"name\": \"metrics-server-lint\",\n      \"version\": \"0.0.1\",\n",
        ),
    ];
    for (path, text) in texts {
        assert_eq!(with_this_version(path, text), text.replace("0.0.1", VERSION), "{path}");
    }
    let others = "- repo: https://github.com/crate-ci/typos\n  rev: v0.0.1\nmetrics-server 0.0.1\n";
    assert_eq!(with_this_version("README.md", others), others);
}

/// pre-commit starts no hook for a file that is deleted, and of files it knows only those that are
/// staged: a hook that always runs on everything misses nothing.
#[test]
fn hooks_judge_the_whole_repository_at_every_commit() {
    let hooks = fs::read_to_string(repository().join(".pre-commit-hooks.yaml")).unwrap();
    let hooks: serde_yaml::Value = serde_yaml::from_str(&hooks).unwrap();
    let hooks = hooks.as_sequence().unwrap();
    let languages: Vec<(&str, &str)> = hooks
        .iter()
        .map(|it| (it["id"].as_str().unwrap(), it["language"].as_str().unwrap()))
        .collect();
    let expected = [
        ("metrics-server-lint", "python"),
        ("metrics-server-lint-system", "system"),
        ("metrics-server-lint-docker", "docker_image"),
        ("metrics-server-lint-src", "rust"),
    ];
    assert_eq!(languages, expected);
    for hook in hooks {
        let flag = |name: &str| hook[name].as_bool();
        let flags = ["always_run", "pass_filenames", "require_serial"].map(flag);
        assert_eq!(flags, [Some(true), Some(false), Some(true)], "{hook:?}");
        for filter in ["files", "exclude", "types", "types_or"] {
            assert!(hook[filter].is_null(), "`{filter}` leaves out what the program judges");
        }
    }
}
