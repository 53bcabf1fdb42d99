//! The rules. One rule is one page in `rules/`, and one function here.

use crate::{finding::Findings, model::Cluster};

/// What a rule's function looks like.
pub type Check = fn(&Cluster, &mut Findings);
