//! Tests of the repository as a whole: its scenarios, its house rules, and what it says of itself.
//!
//! One crate, so that one program is linked instead of four.

#![expect(clippy::disallowed_methods, reason = "tests read the repository and run the program")]
#![expect(clippy::unwrap_used, reason = "a test that cannot read its own repository has failed")]
#![expect(
    clippy::case_sensitive_file_extension_comparisons,
    reason = "the repository's own names are in lower case"
)]

mod common;

mod mutation;
mod robustness;
mod scenarios;
mod tidy;
