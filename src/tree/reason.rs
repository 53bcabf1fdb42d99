//! Why something cannot be told.

use std::{fmt, ops::Deref, sync::Arc};

/// Why a value cannot be told from the repository, as a clause: "the Secret `x` is encrypted".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Reason(Arc<Words>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Words {
    text: Box<str>,
    kind: ReasonKind,
}

/// What a reason means to whoever goes on with the value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ReasonKind {
    /// Nothing else is known of it.
    #[default]
    Other,
    /// Nothing is there, so that the tool refuses to take it.
    NoSuchKey,
    /// The version of Kubernetes is not known: what all versions agree on is.
    KubernetesVersion,
    /// It is not the same in all versions that a chart or a release may be.
    Version,
    /// What the repository says sets it in the cluster: an autoscaler.
    SetInCluster,
    /// It is made anew each time: the tool itself does not know more.
    Random,
}

impl Reason {
    /// The same, of which more is known than its words.
    #[must_use]
    pub(crate) fn of_kind(self, kind: ReasonKind) -> Self {
        Self(Arc::new(Words { kind, ..Arc::unwrap_or_clone(self.0) }))
    }

    /// What is known of it beside its words.
    pub(crate) fn kind(&self) -> ReasonKind {
        self.0.kind
    }
}

impl Deref for Reason {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0.text
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.text.fmt(f)
    }
}

impl<T: Into<Box<str>>> From<T> for Reason {
    fn from(text: T) -> Self {
        Self(Arc::new(Words { text: text.into(), kind: ReasonKind::default() }))
    }
}
