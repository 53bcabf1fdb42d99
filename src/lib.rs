//! metrics-server-lint: judges everything that `kubectl top` and the Horizontal Pod Autoscaler
//! depend on, in a repository, offline, for every environment.
//!
//! Data flows one way, through the modules in this order.

pub mod config;
pub mod discover;
pub mod source;
pub mod tree;

pub mod parse;
pub mod problem;
pub mod resolve;

pub mod model;

pub mod finding;
pub mod rules;
