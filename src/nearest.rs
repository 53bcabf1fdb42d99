//! "Did you mean": the one way in which a name that nobody knows is matched with those that are.

/// What is said of a rule that there is not, and that is like none.
pub(crate) const BY_THEIR_IDS: &str = "each rule goes by its id, which `rules` lists";

/// The one of `known` that was probably meant by `typed`: the one with the fewest edits, a swap of
/// two letters being one, and at most one edit for three letters, as rustc has it.
pub(crate) fn nearest<'a>(
    typed: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    let most = most_edits(&typed);
    let known = known.into_iter().filter(|it| may_be_edits(most, it, &typed));
    let scored = known.map(|name| (edits(name, &typed), name));
    scored.filter(|(edits, _)| *edits <= most).min().map(|(_, name)| name)
}

/// How many edits a name may be away from what is probably meant by it.
pub(crate) fn most_edits(typed: &str) -> usize {
    typed.chars().count().max(3) / 3
}

/// Whether there may be so few edits between two names: one adds or takes away one letter at most.
pub(crate) fn may_be_edits(most: usize, one: &str, other: &str) -> bool {
    one.len().abs_diff(other.len()) <= most * MOST_BYTES
}

/// Of one letter, which may become another in lower case.
const MOST_BYTES: usize = char::MAX_LEN_UTF8;

/// How many edits there are between two names, whatever their case; a swap of two letters is one.
pub(crate) fn edits(one: &str, other: &str) -> usize {
    strsim::damerau_levenshtein(&one.to_lowercase(), &other.to_lowercase())
}

/// The one of `known` that is one edit away from `typed`, if no other one is.
pub(crate) fn only_one_edit_away<'a>(
    typed: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    let is_near = |it: &&str| strsim::damerau_levenshtein(&it.to_lowercase(), &typed) == 1;
    let mut near = known.into_iter().filter(is_near);
    near.next().filter(|_| near.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::{nearest, only_one_edit_away};

    #[test]
    fn one_edit_is_sure_where_no_other_name_is_as_near() {
        let known = ["cert-dir", "v", "port", "sort"];
        assert_eq!(only_one_edit_away("certdir", known), Some("cert-dir"));
        assert_eq!(only_one_edit_away("certdr", known), None);
        assert_eq!(only_one_edit_away("fort", known), None);
    }

    #[test]
    fn a_third_of_the_letters_may_differ() {
        let known = ["metric-resolution", "secure-port", "kubelet-insecure-tls"];
        assert_eq!(nearest("kubelet-insecure-tsl", known), Some("kubelet-insecure-tls"));
        assert_eq!(nearest("metricResolution", known), Some("metric-resolution"));
        assert_eq!(nearest("v", known), None);
        assert_eq!(nearest("port", known), None);
    }
}
