//! A setting: what it is, where it comes from, or why it has no value.

use std::fmt;

use crate::{
    placeholder,
    source::Span,
    tree::{Node, Origin, Reason, Via},
};

/// What is known of one setting. A default is a known value whose origin says so.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fact<T> {
    /// It is this.
    Known(T, Origin),
    /// It is certainly not set; what took it away, if something did.
    Absent(Option<Origin>),
    /// The repository alone cannot tell.
    Unknown(Reason, Option<Origin>),
    /// It is written, and whoever reads it refuses it.
    Invalid {
        /// What is written; JSON when it is no scalar.
        text: String,
        /// Why it is refused, as a clause.
        why: Reason,
        /// Where it comes from.
        origin: Origin,
    },
}

/// The settings of one thing, each a [`Fact`].
pub(crate) trait Facts {
    /// Facts that nobody can tell, because of what stands at `origin`.
    fn unknown(why: &Reason, origin: &Origin) -> Self;

    /// Every fact under the name that `show` gives it, in a fixed order.
    fn facts(&self) -> Vec<(&'static str, Fact<Datum>)>;
}

/// Declares a struct of facts, so that each is named in one list.
macro_rules! facts {
    (
        $(#[$about:meta])*
        pub(crate) struct $name:ident {
            $($(#[$doc:meta])* pub(crate) $fact:ident: Fact<$type:ty>,)*
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Default)]
        pub(crate) struct $name {
            $($(#[$doc])* pub(crate) $fact: Fact<$type>,)*
        }

        impl Facts for $name {
            fn unknown(why: &Reason, origin: &Origin) -> Self {
                Self { $($fact: Fact::Unknown(why.clone(), Some(origin.clone()))),* }
            }

            fn facts(&self) -> Vec<(&'static str, Fact<Datum>)> {
                vec![$((stringify!($fact), self.$fact.datum())),*]
            }
        }
    };
}

pub(super) use facts;

/// A fact's value for people and machines.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Datum {
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// Text.
    Text(String),
    /// An amount as it is written, and what it is worth in the smallest unit of its kind.
    Amount(String, i128),
    /// A list of texts; `None` is one that nobody can tell.
    List(Vec<Option<String>>),
}

/// What a value comes to, however it is written: `60s` is `1m`, and lists have no order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// A number, an amount, or 0 and 1 for a boolean.
    Number(i128),
    /// Texts that are taken as they are.
    Texts(Vec<Option<String>>),
}

impl Datum {
    /// What it comes to.
    pub(crate) fn meaning(&self) -> Meaning {
        match self {
            Self::Bool(it) => Meaning::Number((*it).into()),
            Self::Int(worth) | Self::Amount(_, worth) => Meaning::Number(*worth),
            Self::Text(text) => Meaning::Texts(vec![Some(text.clone())]),
            Self::List(items) => {
                let mut items = items.clone();
                items.sort();
                Meaning::Texts(items)
            }
        }
    }
}

impl fmt::Display for Datum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(it) => it.fmt(f),
            Self::Int(it) => it.fmt(f),
            Self::Text(it) | Self::Amount(it, _) => it.fmt(f),
            Self::List(items) => {
                let items = items.iter().map(|it| it.as_deref().unwrap_or("unknown"));
                items.collect::<Vec<_>>().join(", ").fmt(f)
            }
        }
    }
}

impl<T> Fact<T> {
    /// A value that the platform chooses because of what stands at `anchor`.
    pub(crate) fn implied(value: T, anchor: &Origin) -> Self {
        Self::Known(value, Origin::at(Via::PlatformDefault, anchor.written_at()))
    }

    /// The value and where it comes from, when it is known.
    pub(crate) fn known(&self) -> Option<(&T, &Origin)> {
        match self {
            Self::Known(value, origin) => Some((value, origin)),
            _ => None,
        }
    }

    /// The value, when it is known.
    pub(crate) fn value(&self) -> Option<&T> {
        self.known().map(|(value, _)| value)
    }

    /// Where it comes from, when it is known.
    pub(crate) fn origin(&self) -> Option<&Origin> {
        self.known().map(|(_, origin)| origin)
    }

    /// Where a person edits it, or what took it away or makes it unknown.
    pub(crate) fn place(&self) -> Option<Span> {
        self.way().and_then(Origin::written_at)
    }

    /// Where it comes from, or what took it away or makes it unknown.
    pub(crate) fn way(&self) -> Option<&Origin> {
        match self {
            Self::Known(_, origin) | Self::Invalid { origin, .. } => Some(origin),
            Self::Absent(by) => by.as_ref(),
            Self::Unknown(_, at) => at.as_ref(),
        }
    }

    /// Whether it is certainly not set.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent(_))
    }

    /// Whether nobody can tell.
    pub(crate) fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(..))
    }

    /// Why there is no value although something is said, and where: it is unknown, or invalid.
    pub(crate) fn untold(&self) -> Option<(&Reason, Option<&Origin>)> {
        match self {
            Self::Unknown(why, origin) => Some((why, origin.as_ref())),
            Self::Invalid { why, origin, .. } => Some((why, Some(origin))),
            Self::Known(..) | Self::Absent(_) => None,
        }
    }

    /// What stands at `node` and is refused for the reason `why`; what something has yet to fill in
    /// nobody can tell.
    pub(super) fn refused(node: &Node, why: impl Into<Reason>) -> Self {
        let (why, origin) = (why.into(), node.origin.clone());
        match written(node).filter(|text| !has_hole(text)) {
            Some(text) => Self::Invalid { text, why, origin },
            None => Self::Unknown(why, Some(origin)),
        }
    }

    /// The same fact of another type.
    pub(crate) fn map<U>(&self, f: impl FnOnce(&T) -> U) -> Fact<U> {
        self.and_then(|value, origin| Fact::Known(f(value), origin.clone()))
    }

    /// The fact that is read out of this one; what cannot be read is unknown, with the reason.
    pub(crate) fn read<U>(&self, read: impl FnOnce(&T) -> Result<U, String>) -> Fact<U> {
        self.and_then(|value, origin| match read(value) {
            Ok(value) => Fact::Known(value, origin.clone()),
            Err(why) => Fact::Unknown(why.into(), Some(origin.clone())),
        })
    }

    /// The fact that follows from this one when it is known.
    pub(crate) fn and_then<U>(&self, f: impl FnOnce(&T, &Origin) -> Fact<U>) -> Fact<U> {
        match self {
            Self::Known(value, origin) => f(value, origin),
            Self::Absent(by) => Fact::Absent(by.clone()),
            Self::Unknown(why, origin) => Fact::Unknown(why.clone(), origin.clone()),
            Self::Invalid { text, why, origin } => {
                Fact::Invalid { text: text.clone(), why: why.clone(), origin: origin.clone() }
            }
        }
    }

    /// This fact, or `default` from `origin` when it is absent.
    #[must_use]
    pub(crate) fn or_default(self, default: T, origin: Origin) -> Self {
        match self {
            Self::Absent(None) => Self::Known(default, origin),
            // What was taken away is why the default counts: that is where to edit.
            Self::Absent(Some(by)) => Self::Known(default, by),
            known => known,
        }
    }
}

/// What is written at `node`, if all of it can be told.
pub(super) fn written(node: &Node) -> Option<String> {
    fn is_known(node: &Node) -> bool {
        let open = node.as_map().is_some_and(|it| it.open.is_some());
        node.unknown().is_none()
            && !open
            && node.items().iter().all(is_known)
            && node.entries().all(|(_, entry)| is_known(&entry.value))
    }
    let text = || node.as_scalar().map(|it| it.text.to_string());
    is_known(node).then(|| text().unwrap_or_else(|| node.to_json().to_string()))
}

/// Whether a template, Flux, Kubernetes or some script fills a part of `text` in.
pub(super) fn has_hole(text: &str) -> bool {
    placeholder::has_hole(text) || text.contains("$(")
}

impl<T> Default for Fact<T> {
    fn default() -> Self {
        Self::Absent(None)
    }
}

impl<T: Clone + Into<Datum>> Fact<T> {
    /// The fact as people and machines see it.
    pub(crate) fn datum(&self) -> Fact<Datum> {
        self.map(|value| value.clone().into())
    }
}

impl From<bool> for Datum {
    fn from(it: bool) -> Self {
        Self::Bool(it)
    }
}

impl From<i128> for Datum {
    fn from(it: i128) -> Self {
        Self::Int(it)
    }
}

impl From<semver::Version> for Datum {
    fn from(it: semver::Version) -> Self {
        Self::Text(it.to_string())
    }
}

impl From<String> for Datum {
    fn from(it: String) -> Self {
        Self::Text(it)
    }
}

impl From<Vec<super::Arg>> for Datum {
    fn from(args: Vec<super::Arg>) -> Self {
        Self::List(args.into_iter().map(|it| it.unknown.is_none().then_some(it.text)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{KubeletFacts, MetricsServerFacts};

    #[test]
    fn facts_are_shown_as_their_fields_are_declared() {
        let origin = Origin::at(crate::tree::Via::Written, None);
        let server = MetricsServerFacts {
            replicas: Fact::Known(2, origin.clone()),
            ..MetricsServerFacts::default()
        };
        let facts = server.facts();
        let debug = format!("{server:?}");
        let places: Vec<_> = facts.iter().map(|(it, _)| debug.find(&format!(" {it}: "))).collect();
        assert!(places.is_sorted() && places.iter().all(Option::is_some), "{places:?}");
        assert!(facts.contains(&("replicas", Fact::Known(Datum::Int(2), origin))));
    }

    #[test]
    fn all_facts_are_unknown_for_one_reason() {
        let origin = Origin::at(crate::tree::Via::Written, None);
        let unknown = Fact::Unknown("k3s decides".into(), Some(origin.clone()));
        let server = MetricsServerFacts::unknown(&"k3s decides".into(), &origin);
        assert!(server.facts().iter().all(|(_, fact)| *fact == unknown));
        let kubelet = KubeletFacts::unknown(&"k3s decides".into(), &origin);
        assert!(kubelet.facts().iter().all(|(_, fact)| *fact == unknown));
        assert!(KubeletFacts::default().facts().iter().all(|(_, fact)| fact.is_absent()));
    }
}
