//! What pipelines are told: they know files by their paths from the root of Git.

use std::fs;

use super::{process::output, repository};

const FORMATS: [&str; 7] = ["github", "gitlab", "sarif", "rdjson", "junit", "markdown", "json"];

#[test]
fn paths_are_those_of_git_where_the_root_lies_below_it() {
    let dir = repository(
        "
        //- .git
        gitdir: elsewhere
        //- deploy/a b/.metrics-server-lint.yaml
        rules: {}
        //- deploy/a b/apps/ms.yaml
        FLAG
        ",
    );
    let root = dir.path().join("deploy/a b");
    let out = tempfile::tempdir().unwrap();
    let file = |format: &str| out.path().join(format);
    let formats = FORMATS.map(|it| format!("--format {it}:{}", file(it).display())).join(" ");
    let written = |root: &std::path::Path| {
        output(root, &format!("check --format text {formats} --root ."));
        FORMATS.map(|it| fs::read_to_string(file(it)).unwrap())
    };
    let texts = written(&root);
    let expected = [
        "::warning file=deploy/a b/apps/ms.yaml,line=14,",
        "\"path\": \"deploy/a b/apps/ms.yaml\"",
        "\"uri\": \"deploy/a%20b/apps/ms.yaml\"",
        "\"path\": \"deploy/a b/apps/ms.yaml\"",
        " file=\"deploy/a b/apps/ms.yaml\"",
        "[deploy/a b/apps/ms.yaml:14](<deploy/a%20b/apps/ms.yaml#L14>)",
        // Programs of one's own, as people, know the root.
        "\"file\": \"apps/ms.yaml\"",
    ];
    for ((format, text), expected) in FORMATS.iter().zip(&texts).zip(expected) {
        assert!(text.contains(expected), "{format}: {text}");
    }
    fs::remove_file(dir.path().join(".git")).unwrap();
    for (format, text) in FORMATS.iter().zip(written(&root)) {
        assert!(text.contains("apps/ms.yaml") && !text.contains("deploy/a"), "{format}: {text}");
    }
}
