//! What the tests of the whole program share: the scenarios, and running the program over them.

use std::path::Path;

/// The repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `dir` whose path relative to it `wanted` takes, in order; links are not followed.
pub(crate) fn files(dir: &Path, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found: Vec<String> = walkdir::WalkDir::new(dir)
        .sort_by_file_name()
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| entry.path().strip_prefix(dir).unwrap().to_str().unwrap().to_owned())
        .filter(|path| wanted(path))
        .collect();
    found.sort();
    found
}
