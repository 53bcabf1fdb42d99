//! metrics-server-lint: judges everything that `kubectl top` and the Horizontal Pod Autoscaler
//! depend on, in a repository, offline, for every environment.
//!
//! A group imports only from those below it. They are no interface: what is public is for `main`
//! and for the tests of the whole program.

#[cfg(any(test, feature = "internals"))]
#[doc(hidden)]
pub mod internals;

mod cli;
mod run;

mod lsp;

mod compare;
mod fix;
mod pipeline;
mod report;

mod baseline;
mod selection;
mod settle;
mod suppress;

mod model;
mod rules;
mod settings;
mod sizing;

mod discover;
mod relevance;
mod resolve;

mod config;
mod data;
mod edit;
mod emit;
mod finding;
mod problem;

mod ascii;
mod literals;
mod nearest;
mod parse;
mod placeholder;
mod scalar;
mod source;
mod tree;

pub use run::{Streams, run};

#[cfg(test)]
#[path = "../tests/library/mod.rs"]
mod tests;
