//! Facts that change with versions of other projects, kept as data files rather than as code.

pub mod charts;
pub mod flags;
