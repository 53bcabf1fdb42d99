//! What the tests of the whole program share: the scenarios, and running the program over them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Directories of `testdata/` that hold scenarios instead of being one.
///
/// `tests/schema` has the same list.
pub(crate) const GROUPS: [&str; 3] = ["argo-cd", "kubeadm", "platforms"];

/// The repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A small repository in `testdata/`.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// Its path in `testdata/`, with `-` for `/`.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) dir: PathBuf,
}

impl Scenario {
    /// Whether it shows one carrier of kubelet settings or node counts, for which `platforms.rs`
    /// records what is understood.
    pub(crate) fn is_platform(&self) -> bool {
        self.name.starts_with("platforms-")
    }
}

/// Every scenario, by name.
pub(crate) fn scenarios() -> Vec<Scenario> {
    let mut found = Vec::new();
    for dir in directories(&repository().join("testdata")) {
        let name = name_of(&dir);
        if GROUPS.contains(&name.as_str()) {
            for dir in directories(&dir) {
                found.push(Scenario { name: format!("{name}-{}", name_of(&dir)), dir });
            }
        } else {
            found.push(Scenario { name, dir });
        }
    }
    found
}

fn directories(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

/// The program, in `dir`, with nothing of the surroundings that could change its output.
pub(crate) fn program(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_metrics-server-lint"));
    command.current_dir(dir).env_clear().env("NO_COLOR", "1").env("COLUMNS", "100");
    command
}

/// Runs the program with `args` in `dir`.
pub(crate) fn run(dir: &Path, args: &[&str]) -> Output {
    program(dir).args(args).output().unwrap()
}

/// What the program printed, as text.
pub(crate) fn stdout(output: &Output) -> &str {
    str::from_utf8(&output.stdout).unwrap()
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
