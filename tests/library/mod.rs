//! The tests that look inside: the stages of the library against real tools, the examples of the
//! rules' pages, and the repositories in `testdata/`.
//!
//! They are part of the library's own test build, so that nothing is public for their sake.

#![expect(clippy::disallowed_methods, reason = "tests read cases and run real tools")]

use crate::{
    Streams,
    config::{self, Config},
    resolve::context::{Context, Purpose},
    run,
    scalar::Dialect,
    source::{Sources, Span},
    tree::{Node, Origin, Via},
};

#[path = "../common/mod.rs"]
mod common;

pub(crate) use common::fixture::unindented;
pub(crate) use gotemplate::printed_of;

use common::fixture::files;

mod scenarios;
mod ways;
mod written;

mod fuzzed;
mod growth;
mod mutation;
mod platforms;
mod robustness;
mod rules;

mod fix_properties;
mod fixes;
mod flux;
mod formats;
mod gotemplate;
mod helm;
mod helm_properties;
mod helmfile;
mod kustomize;
mod kustomize_output;
mod kustomize_properties;

mod app_of_apps;
mod application_sets;
mod approver;
mod autoscalers;
mod bounds;
mod charts;
mod configuration;
mod diff;
mod emit;
mod inner_texts;
mod issue;
mod links;
mod lower;
mod reach;
mod report;
mod serving;
mod settings;
mod settle;
mod show;
mod staged;
mod templates;
mod terraform;
mod tolerant;
mod upstream;
mod yaml;

mod conformance_flux;
mod conformance_helm;
mod conformance_kustomize;
mod differential_charts;
mod differential_helm;
mod differential_helmfile;

mod odd_tools;
mod other_tools;

/// The repository that `text` holds.
pub(crate) fn fixture(text: &str) -> Sources {
    fixture_with(&[], text)
}

/// The repository that `text` holds with `parts` in it.
pub(crate) fn fixture_with(parts: &[(&str, &str)], text: &str) -> Sources {
    Sources::in_memory(files(parts, text))
}

/// A directory with the files that `text` holds.
pub(crate) fn directory(text: &str) -> tempfile::TempDir {
    common::fixture::directory(&files(&[], text))
}

/// What `f` makes of what `sources` hold, without a configuration.
pub(crate) fn with<T>(sources: &Sources, f: impl FnOnce(&Context<'_>) -> T) -> T {
    f(&Context::new(sources, &Config::default(), Purpose::Judge))
}

/// The documents of the file at `path`.
pub(crate) fn roots(sources: &Sources, path: &str) -> Vec<Node> {
    let file = sources.find(path).expect(path);
    sources.documents(file, Dialect::Sigs).roots().cloned().collect()
}

/// The first `text` in the file at `path`, as a value that is written there.
pub(crate) fn place(sources: &Sources, path: &str, text: &str) -> Origin {
    let file = sources.find(path).expect(path);
    let start = sources.text(file).find(text).expect(text);
    let [start, end] = [start, start + text.len()].map(|it| u32::try_from(it).expect("short"));
    Origin::written(Span { file, start, end })
}

/// The origin of what a test makes up.
pub(crate) fn nowhere() -> Origin {
    Origin::at(Via::Written, None)
}

/// The configuration that lies in `sources`.
fn config_in(sources: &Sources) -> Config {
    let file = sources.find(config::FILE);
    file.map(|it| config::parse(sources, it, &crate::rules::names()).expect("it is valid"))
        .unwrap_or_default()
}
