//! What the tests inside the library and the tests around it share.
//!
//! Whoever has this as a module has [`run`](super::run) and [`Streams`] in scope.

pub(crate) mod fixture;

use std::path::Path;

use super::{Streams, run};

/// The repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What a run of the program printed, and its exit status.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) status: u8,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the program, in this process, with what `arguments` say in one line and then `paths`.
pub(crate) fn program(arguments: &str, paths: &[&Path]) -> Output {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let words = arguments.split_whitespace().map(Into::into);
    let arguments = ["metrics-server-lint".into()].into_iter().chain(words);
    let arguments = arguments.chain(paths.iter().map(Into::into));
    let status = run(arguments, &mut Streams::plain(&mut out, &mut err));
    let [out, err] = [out, err].map(|it| String::from_utf8(it).unwrap());
    Output { status, out, err }
}

/// Every file below `dir` whose path relative to it `wanted` takes, in order; links are not followed.
pub(crate) fn files(dir: &Path, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found: Vec<String> = walkdir::WalkDir::new(dir)
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| entry.path().strip_prefix(dir).unwrap().to_str().unwrap().replace('\\', "/"))
        .filter(|path| wanted(path))
        .collect();
    found.sort();
    found
}
