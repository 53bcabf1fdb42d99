//! Which of many literals a text holds.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

/// Literals to look for at once. Built in a fraction of the time that a pattern of them takes, which
/// counts in a program that often looks through a handful of files.
pub(crate) struct Literals(Option<AhoCorasick>);

impl Literals {
    /// Those of all of `groups`; of two that start at one place, the one that comes first is found.
    pub(crate) fn new(groups: &[&[&str]]) -> Self {
        let mut builder = AhoCorasick::builder();
        builder.kind(Some(AhoCorasickKind::NoncontiguousNFA));
        builder.match_kind(MatchKind::LeftmostFirst);
        Self(builder.build(groups.concat()).ok())
    }

    /// Whether `text` holds one of them. Were they too many to be built, everything would.
    pub(crate) fn are_in(&self, text: impl AsRef<[u8]>) -> bool {
        self.0.as_ref().is_none_or(|it| it.is_match(text.as_ref()))
    }

    /// Each that `text` holds, as often as it does, in order, with where it starts.
    pub(crate) fn found<'t>(&self, text: &'t str) -> impl Iterator<Item = (usize, &'t str)> {
        let found = self.0.iter().flat_map(move |it| it.find_iter(text));
        found.map(move |it| (it.start(), &text[it.range()]))
    }
}

#[cfg(test)]
mod tests {
    use super::Literals;

    #[test]
    fn of_two_at_one_place_the_first_is_found() {
        let literals = Literals::new(&[&["kube", "kubelet"], &["let"]]);
        let found: Vec<_> = literals.found("a kubelet").collect();
        assert_eq!(found, [(2, "kube"), (6, "let")]);
        assert!(literals.are_in(b"outlet") && !literals.are_in("Kube"));
    }
}
