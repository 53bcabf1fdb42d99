//! Repositories as text that a user could have written.

use std::fs;

use tempfile::TempDir;

/// Path and text of each file.
pub(crate) type Files = Vec<(String, String)>;

/// The files that `text` holds: a line `//- path` starts each of them.
///
/// ```text
/// //- clusters/a/kustomization.yaml
/// resources: [../../base]
/// //- base/ms.yaml
/// kind: Deployment
/// ```
///
/// The indentation that all lines share is not theirs, so that a repository may stand in line with
/// the code around it. A line that is the name of one of `parts` stands for its text.
pub(crate) fn files(parts: &[(&str, &str)], text: &str) -> Files {
    let mut files: Files = Vec::new();
    for line in unindented(text).split_inclusive('\n') {
        let part = parts.iter().find(|(name, _)| *name == line.trim_end());
        match (line.strip_prefix("//- "), files.last_mut()) {
            (Some(path), _) => files.push((path.trim_end().to_owned(), String::new())),
            (None, Some((_, text))) => text.push_str(part.map_or(line, |(_, part)| part)),
            (None, None) => panic!("no line `//- path` before {line:?}"),
        }
    }
    files
}

/// `text` from its second line on when the first is empty, without the indentation that all lines
/// share.
pub(crate) fn unindented(text: &str) -> String {
    let text = text.strip_prefix('\n').unwrap_or(text);
    let written = text.lines().filter(|it| !it.trim().is_empty());
    let indentation = written.map(|it| it.len() - it.trim_start_matches(' ').len()).min();
    let indentation = " ".repeat(indentation.unwrap_or_default());
    let lines = text.split_inclusive('\n');
    lines.map(|it| it.strip_prefix(&indentation).unwrap_or(it.trim_start_matches(' '))).collect()
}

/// A directory with `files`, which is gone when it is dropped.
pub(crate) fn directory(files: &[(String, String)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

#[test]
fn a_fixture_is_files_without_their_indentation() {
    let found = files(
        &[("REST", "G=2\n")],
        "
        //- a/b.yaml
        c:

          d: 1
        //- empty
        //- e.env
        F=1
        REST
        ",
    );
    let expected = [("a/b.yaml", "c:\n\n  d: 1\n"), ("empty", ""), ("e.env", "F=1\nG=2\n")];
    assert_eq!(found, expected.map(|(path, text)| (path.to_owned(), text.to_owned())));
}
