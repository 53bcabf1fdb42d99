//! The tests that look inside: the stages of the library against real tools, the examples of the
//! rules' pages, and the repositories in `testdata/`.
//!
//! They are part of the library's own test build, so that nothing is public for their sake.

#![expect(clippy::disallowed_methods, reason = "tests read cases and run real tools")]

use crate::{
    Streams,
    config::{self, Config},
    run,
    source::Sources,
};

#[path = "../common/mod.rs"]
mod common;

mod scenarios;
mod written;

mod mutation;
mod platforms;
mod robustness;
mod rules;

mod conformance_flux;
mod conformance_helm;
mod conformance_kustomize;
mod differential_helm;
mod kustomize_properties;

mod odd_tools;
mod other_tools;

/// The configuration that lies in `sources`.
fn config_in(sources: &Sources) -> Config {
    let file = sources.find(config::FILE);
    file.map(|it| config::read(sources, it, &crate::rules::ids()).expect("it is valid"))
        .unwrap_or_default()
}
