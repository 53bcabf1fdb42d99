//! Tests of the repository as a whole: its scenarios, its house rules, and what it says of itself.
//!
//! One crate, so that one program is linked instead of four.

#![expect(clippy::disallowed_methods, reason = "tests read the repository and run the program")]

mod common;

mod mutation;
mod robustness;
mod scenarios;
mod tidy;
