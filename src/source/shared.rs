//! Files that several versions of a repository have in common.

use std::{
    borrow::Borrow,
    hash::{Hash, Hasher},
    sync::Arc,
};

use super::{FirstLook, Source, Text};

/// A file in all repositories that differ in others; it is known by its path.
#[derive(Clone)]
pub(super) struct SharedSource(pub(super) Arc<Source>);

impl SharedSource {
    pub(super) fn new(path: String, look: FirstLook, text: Option<Text>) -> Self {
        Self(Arc::new(Source::new(path, look, text)))
    }
}

impl Borrow<str> for SharedSource {
    fn borrow(&self) -> &str {
        &self.0.path
    }
}

impl Hash for SharedSource {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (*self.0.path).hash(state);
    }
}

impl PartialEq for SharedSource {
    fn eq(&self, other: &Self) -> bool {
        self.0.path == other.0.path
    }
}

impl Eq for SharedSource {}
