//! Version constraints as Helm reads them: `github.com/Masterminds/semver` v3.

use semver::{BuildMetadata, Version};

/// A constraint: alternatives, each of which is a list of conditions that all hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Constraint {
    alternatives: Vec<Vec<Bound>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Bound {
    operator: Operator,
    version: Version,
    /// How many of major, minor and patch are written; the rest is a wildcard.
    written: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    Tilde,
    Caret,
}

impl Constraint {
    /// `3.12.2`, `3.12.x`, `~3.12`, `^3`, `>=3.12.0 <4`, `3.11 - 3.12`, `1 || 2`, `*`; `None` for
    /// what Helm refuses.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let alternatives = text.split("||").map(conditions).collect::<Option<Vec<_>>>()?;
        Some(Self { alternatives })
    }

    /// Whether `version` satisfies it. A prerelease does only where one is asked for.
    pub(crate) fn holds(&self, version: &Version) -> bool {
        self.alternatives.iter().any(|all| {
            let prereleases = all.iter().any(|it| !it.version.pre.is_empty());
            (version.pre.is_empty() || prereleases) && all.iter().all(|it| it.holds(version))
        })
    }

    /// Whether it has no upper bound, so that any newer version satisfies it.
    pub(crate) fn is_open(&self) -> bool {
        self.holds(&Version::new(u64::MAX, 0, 0))
    }

    /// Whether nothing but the last number may differ: `~3.12.0`, `3.12.x`.
    pub(crate) fn is_narrow(&self) -> bool {
        let narrow = |it: &Bound| match it.operator {
            Operator::Equal | Operator::Tilde => it.written >= 2,
            _ => false,
        };
        self.alternatives.iter().all(|all| all.iter().any(narrow))
    }

    /// The one version that satisfies it, when it names one completely; without build metadata.
    pub(crate) fn exact(&self) -> Option<&Version> {
        match self.alternatives.as_slice() {
            [all] => match all.as_slice() {
                [Bound { operator: Operator::Equal, version, written: 3 }] => Some(version),
                _ => None,
            },
            _ => None,
        }
    }
}

/// A version with up to three numbers, perhaps after a `v`: `3.12` is `3.12.0`.
pub(crate) fn lenient(text: &str) -> Option<Version> {
    let (version, written) = partial(text.trim())?;
    (written > 0).then_some(version)
}

/// The conditions between two `||`: separated by commas or spaces, or `a - b`.
fn conditions(text: &str) -> Option<Vec<Bound>> {
    if let Some((from, to)) = text.split_once(" - ") {
        return Some(vec![
            condition(Operator::GreaterEqual, from.trim())?,
            condition(Operator::LessEqual, to.trim())?,
        ]);
    }
    let mut list = Vec::new();
    let mut rest = text.trim_matches([' ', ',', '\t']);
    if rest.is_empty() {
        return Some(vec![condition(Operator::Equal, "*")?]);
    }
    while !rest.is_empty() {
        let (operator, after) = operator(rest);
        let after = after.trim_start();
        let end = after
            .find(|it: char| it.is_whitespace() || ",<>=!~^".contains(it))
            .unwrap_or(after.len());
        list.push(condition(operator, &after[..end])?);
        rest = after[end..].trim_start_matches([' ', ',', '\t']);
    }
    Some(list)
}

fn operator(text: &str) -> (Operator, &str) {
    const OPERATORS: [(&str, Operator); 12] = [
        (">=", Operator::GreaterEqual),
        ("=>", Operator::GreaterEqual),
        ("<=", Operator::LessEqual),
        ("=<", Operator::LessEqual),
        ("!=", Operator::NotEqual),
        ("~>", Operator::Tilde),
        ("==", Operator::Equal),
        (">", Operator::Greater),
        ("<", Operator::Less),
        ("=", Operator::Equal),
        ("~", Operator::Tilde),
        ("^", Operator::Caret),
    ];
    OPERATORS
        .iter()
        .find_map(|(sign, operator)| Some((*operator, text.strip_prefix(sign)?)))
        .unwrap_or((Operator::Equal, text))
}

fn condition(operator: Operator, text: &str) -> Option<Bound> {
    let (version, written) = partial(text)?;
    Some(Bound { operator, version, written })
}

/// A version of which the end may be missing or `x`, `X`, `*`, and how many numbers it has.
fn partial(text: &str) -> Option<(Version, usize)> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (text, build) = text.split_once('+').unwrap_or((text, ""));
    let (numbers, pre) = text.split_once('-').unwrap_or((text, ""));
    let mut version = Version::new(0, 0, 0);
    let mut written = 0;
    let mut wild = false;
    for (index, number) in numbers.split('.').enumerate() {
        if matches!(number, "x" | "X" | "*") {
            wild = true;
            continue;
        }
        let number = number.parse().ok()?;
        match index {
            0 => version.major = number,
            1 => version.minor = number,
            2 => version.patch = number,
            _ => return None,
        }
        if !wild {
            written = index + 1;
        }
    }
    if !pre.is_empty() {
        version.pre = pre.parse().ok()?;
    }
    // Build metadata does not order versions; it is only checked.
    if !build.is_empty() {
        build.parse::<BuildMetadata>().ok()?;
    }
    Some((version, written))
}

impl Bound {
    fn holds(&self, version: &Version) -> bool {
        let version = &Version { build: BuildMetadata::EMPTY, ..version.clone() };
        let bound = &self.version;
        let next = |count: usize| next(bound, count);
        let below = |next: Option<Version>| next.is_none_or(|next| *version < next);
        match self.operator {
            Operator::Equal if self.written == 3 => version == bound,
            // `3.12`, `3.12.x` and `=3.12` are all `~3.12`.
            Operator::Equal => version >= bound && below(next(self.written)),
            Operator::NotEqual if self.written == 3 => version != bound,
            Operator::NotEqual => version < bound || !below(next(self.written)),
            Operator::Greater if self.written == 3 => version > bound,
            Operator::Greater => self.written > 0 && !below(next(self.written)),
            Operator::GreaterEqual => version >= bound,
            Operator::Less => version < bound,
            Operator::LessEqual if self.written == 3 => version <= bound,
            Operator::LessEqual => below(next(self.written)),
            Operator::Tilde => version >= bound && below(next(self.written.min(2))),
            Operator::Caret => {
                // The first number that is not zero must not change.
                let fixed = match (bound.major, bound.minor) {
                    (1.., _) => 1,
                    (0, 1..) => 2,
                    (0, 0) => 3,
                };
                version >= bound && below(next(fixed.min(self.written)))
            }
        }
    }
}

/// The first version that differs from `version` in its first `count` numbers; `None` when that is
/// no bound.
fn next(version: &Version, count: usize) -> Option<Version> {
    match count {
        0 => None,
        1 => Some(Version::new(version.major.checked_add(1)?, 0, 0)),
        2 => Some(Version::new(version.major, version.minor.checked_add(1)?, 0)),
        _ => Some(Version::new(version.major, version.minor, version.patch.checked_add(1)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(constraint: &str, version: &str) -> bool {
        let version = Version::parse(version).expect("a version");
        Constraint::parse(constraint).expect("a constraint").holds(&version)
    }

    #[test]
    fn as_helm_reads_them() {
        for (constraint, yes, no) in [
            ("3.12.2", "3.12.2", "3.12.1"),
            ("v3.12.2", "3.12.2", "3.12.3"),
            ("3.12", "3.12.2", "3.13.0"),
            ("3.12.x", "3.12.0", "3.13.0"),
            ("3.x", "3.99.0", "4.0.0"),
            ("3.*", "3.5.0", "2.11.4"),
            ("~3.12.1", "3.12.2", "3.13.0"),
            ("~3.12", "3.12.0", "3.13.0"),
            ("~3", "3.13.0", "4.0.0"),
            ("~> 3.12", "3.12.9", "3.13.0"),
            ("^3.12.1", "3.13.0", "3.12.0"),
            ("^0.6.1", "0.6.4", "0.7.0"),
            (">=3.12.0 <4", "3.14.0", "4.0.0"),
            (">= 3.12.0, < 3.13.0", "3.12.2", "3.13.0"),
            (">=3.12.0<3.13.0", "3.12.2", "3.13.0"),
            (">3.12", "3.13.0", "3.12.9"),
            ("<=3.12", "3.12.9", "3.13.0"),
            ("3.11.0 - 3.12.1", "3.12.0", "3.12.2"),
            ("3.5.0 || 3.12.x", "3.12.1", "3.6.0"),
            ("!=3.12.0 3.x", "3.12.1", "3.12.0"),
            ("*", "3.0.0", "3.0.0-rc.1"),
            ("", "3.0.0", "3.0.0-rc.1"),
            (">=3.0.0-0", "3.1.0-rc.1", "2.0.0"),
        ] {
            assert!(holds(constraint, yes), "{constraint} allows {yes}");
            assert!(!holds(constraint, no), "{constraint} forbids {no}");
        }
        assert_eq!(Constraint::parse("latest"), None);
        assert_eq!(Constraint::parse("3.a"), None);
    }

    #[test]
    fn exact_versions() {
        let exact = |text| Constraint::parse(text)?.exact().map(ToString::to_string);
        assert_eq!(exact("3.12.2"), Some("3.12.2".to_owned()));
        assert_eq!(exact("=v3.12.2"), Some("3.12.2".to_owned()));
        assert_eq!(exact("3.12.2+build.1"), Some("3.12.2".to_owned()));
        assert_eq!(exact("3.12"), None);
        assert_eq!(exact("3.12.x"), None);
        assert_eq!(exact("^3.12.2"), None);
    }
}
