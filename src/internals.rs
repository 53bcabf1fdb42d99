//! What fuzz targets and benchmarks see: the stages over a repository in memory, and for each language
//! that is read an entry that asserts what always holds.
//!
//! Compiled for these and for tests alone, with the feature `internals`; it is no interface.

mod languages;
mod output;
mod places;
mod repository;

pub use languages::{env, envsubst, hcl, patch, strvals, template, yaml};
pub use output::writers;
pub use repository::{
    Archive, StagedEnvironments, StagedFindings, StagedRepository, fixes, repository,
};

/// What stands before a line with nothing but `//-`, and what stands after it; all is after it where
/// there is none.
fn halves(text: &str) -> (&str, &str) {
    const LINE: &str = "//-\n";
    match text.strip_prefix(LINE) {
        Some(rest) => ("", rest),
        None => match text.split_once(&format!("\n{LINE}")) {
            Some((first, _)) => text.split_at(first.len() + 1),
            None => ("", text),
        },
    }
}
