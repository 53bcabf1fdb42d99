//! What words in paths and in the names of environments commonly say.

/// It is for tests.
pub(crate) const TESTS: &[&str] = &["test", "tests", "testing", "testdata", "e2e", "fixtures"];

/// It is for readers.
pub(crate) const EXAMPLES: &[&str] = &["example", "examples", "sample", "samples"];

/// Others depend on the cluster.
pub(crate) const LASTING: &[&str] =
    &["prod", "production", "prd", "live", "stage", "staging", "stg"];

/// Developers try things there.
pub(crate) const DEVELOPMENT: &[&str] = &["dev", "development"];
