//! The command-line flags of metrics-server, by the program's version.

use std::{collections::BTreeMap, sync::LazyLock};

use indexmap::IndexMap;
use semver::Version;
use serde::Deserialize;

/// A run of consecutive versions that accept a flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VersionRange {
    /// The first version that accepts it.
    pub first: Version,
    /// The last; `None` when the newest known version still does.
    pub last: Option<Version>,
}

/// What the value of a flag is, as pflag reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FlagKind {
    /// Anything, to the parser.
    Text,
    /// What `strconv.ParseBool` takes; without a value it is `true`.
    Boolean,
    /// What `time.ParseDuration` takes.
    Duration,
    /// A whole number.
    Integer,
    /// Texts with commas between them, read as CSV.
    List,
}

/// Whether `flag`, without its dashes, is accepted by `version`; `None` when the program's version
/// is older or newer than all that are known.
pub(crate) fn accepts(version: &Version, flag: &str) -> Option<bool> {
    let (first, last) = (TABLE.versions.first()?, TABLE.versions.last()?);
    if version < first || version > last {
        return None;
    }
    Some(runs(flag).iter().any(|run| run.holds(version)))
}

/// The release before `version`, if that certainly is none: upstream mends its last two minor versions
/// alone.
pub(crate) fn last_before(version: &Version) -> Option<&'static Version> {
    let newest = TABLE.versions.last()?;
    let is_old = version.major == newest.major && version.minor + 1 < newest.minor;
    if !is_old || TABLE.versions.contains(version) {
        return None;
    }
    TABLE.versions.iter().rev().find(|it| *it < version)
}

/// The versions that accept `flag`, oldest first; none for a flag that never existed.
pub(crate) fn runs(flag: &str) -> &'static [VersionRange] {
    TABLE.flags.get(flag).map_or(&[], Vec::as_slice)
}

/// What the value of `flag` is; `None` for a flag that never existed.
pub(crate) fn kind(flag: &str) -> Option<FlagKind> {
    let is_text = || TABLE.flags.contains_key(flag).then_some(FlagKind::Text);
    TABLE.kinds.get(flag).copied().or_else(is_text)
}

/// What `flag` is for, as a clause, where it is one of metrics-server's own.
pub(crate) fn meaning(flag: &str) -> Option<&'static str> {
    TABLE.meanings.get(flag).map(String::as_str)
}

/// Every flag of any version, without dashes.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    TABLE.flags.keys().map(String::as_str)
}

impl VersionRange {
    fn holds(&self, version: &Version) -> bool {
        self.first <= *version && self.last.as_ref().is_none_or(|last| version <= last)
    }
}

#[derive(Default)]
struct Table {
    versions: Vec<Version>,
    flags: IndexMap<String, Vec<VersionRange>>,
    kinds: BTreeMap<String, FlagKind>,
    meanings: BTreeMap<String, String>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(TEXT).unwrap_or_default());

const TEXT: &str = include_str!("flags.json");

/// The data file as it is written.
#[derive(Deserialize)]
struct File {
    versions: Vec<String>,
    flags: IndexMap<String, Vec<String>>,
    kinds: BTreeMap<FlagKind, Vec<String>>,
    meanings: BTreeMap<String, String>,
}

impl Table {
    /// A test reads the file, so that a broken one never ships.
    fn read(text: &str) -> Option<Self> {
        let file: File = serde_json::from_str(text).ok()?;
        let versions = file.versions.iter().map(|it| Version::parse(it).ok());
        let flags = file.flags.into_iter().map(|(flag, runs)| {
            let runs = runs.iter().map(|it| run(it)).collect::<Option<Vec<_>>>()?;
            Some((flag, runs))
        });
        let kinds = file.kinds.into_iter();
        Some(Self {
            kinds: kinds
                .flat_map(|(kind, its)| its.into_iter().map(move |it| (it, kind)))
                .collect(),
            versions: versions.collect::<Option<_>>()?,
            meanings: file.meanings,
            flags: flags.collect::<Option<_>>()?,
        })
    }
}

/// `0.6.0-0.6.4`, or `0.7.0-` for a run that goes on.
fn run(text: &str) -> Option<VersionRange> {
    let (first, last) = text.split_once('-')?;
    let last = if last.is_empty() { None } else { Some(Version::parse(last).ok()?) };
    Some(VersionRange { first: Version::parse(first).ok()?, last })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).expect("a version")
    }

    #[test]
    fn the_file_is_consistent() {
        let table = Table::read(TEXT).expect("the file is in its form");
        assert!(table.versions.is_sorted_by(|a, b| a < b));
        for flag in table.kinds.keys().chain(table.meanings.keys()) {
            assert!(flag == "help" || table.flags.contains_key(flag), "{flag}");
        }
        for (flag, runs) in &table.flags {
            assert!(!runs.is_empty(), "{flag} existed once");
            for run in runs {
                assert!(table.versions.contains(&run.first), "{flag}");
                let last = run.last.as_ref().unwrap_or(&run.first);
                assert!(table.versions.contains(last) && run.first <= *last, "{flag}");
            }
            let gaps = runs.windows(2);
            assert!(gaps.into_iter().all(|it| it[0].last.as_ref() < Some(&it[1].first)), "{flag}");
        }
    }

    #[test]
    fn as_the_program_does() {
        assert_eq!(accepts(&version("0.6.4"), "logtostderr"), Some(true));
        assert_eq!(accepts(&version("0.6.0"), "logtostderr"), Some(false));
        assert_eq!(accepts(&version("0.7.0"), "logtostderr"), Some(false));
        assert_eq!(accepts(&version("0.7.0"), "kubelet-request-timeout"), Some(true));
        assert_eq!(accepts(&version("0.3.7"), "kubelet-use-node-status-port"), Some(false));
        assert_eq!(accepts(&version("0.8.0"), "kubelet-insecure-tsl"), Some(false));
        assert_eq!(accepts(&version("0.99.0"), "kubelet-insecure-tls"), None);
    }
}
