//! Tests of the repository as a whole: the program as it is used, the house rules, and what the
//! repository says of itself.

#![expect(clippy::disallowed_methods, reason = "tests read the repository and run the program")]
#![expect(clippy::unwrap_used, reason = "a test that cannot read its own repository has failed")]
#![expect(
    clippy::case_sensitive_file_extension_comparisons,
    reason = "the repository's own names are in lower case"
)]

use metrics_server_lint::{Streams, run};

#[path = "../common/mod.rs"]
mod common;

#[cfg(unix)]
mod action;
mod cli;
mod delivery;
mod failure_modes;
mod pages;
mod picture;
mod tables;
mod tidy;
