//! metrics-server-lint: judges everything that `kubectl top` and the Horizontal Pod Autoscaler
//! depend on, in a repository, offline, for every environment.
//!
//! Data flows one way, down these groups. They are no interface: what is public is for `main` and
//! for the tests of the whole program.

pub mod cli;
mod run;

pub mod pipeline;
pub mod report;

pub mod settle;
pub mod suppress;

pub mod model;
pub mod rules;
pub mod sizing;

pub mod discover;
pub mod relevance;
pub mod resolve;

pub mod config;
pub mod data;
pub mod emit;
pub mod finding;
pub mod problem;

pub mod nearest;
pub mod parse;
pub mod placeholder;
pub mod scalar;
pub mod source;
pub mod tree;

pub use run::{Streams, run};

#[cfg(test)]
#[path = "../tests/library/mod.rs"]
mod tests;
