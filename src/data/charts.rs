//! The metrics-server charts: their versions, their values, and the defaults of these.

use std::sync::LazyLock;

use indexmap::IndexMap;
use semver::Version;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::{
    data::{Family, version::Constraint},
    scalar::Scalar,
    tree::{Entry, Kind, Map, Node, Origin},
};

/// One chart in all its versions.
#[derive(Debug, Default)]
pub(crate) struct KnownChart {
    versions: IndexMap<Version, Version>,
    floating: Option<Version>,
    covered: Option<Version>,
    open: Vec<String>,
    /// Dotted key, and the first version without it.
    removed: IndexMap<String, Version>,
    /// Files of the `templates` folder, by the version that brought them.
    templates: IndexMap<Version, Vec<String>>,
    /// Dotted key, and its default from a version on until the next one.
    values: IndexMap<String, Vec<(Version, Json)>>,
}

/// What a chart takes at a place in its values, by the type of its default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ValueKey {
    /// Anything: the default is null.
    Any,
    /// A boolean.
    Bool,
    /// A number.
    Number,
    /// Text.
    Text,
    /// A sequence.
    List,
    /// A mapping whose keys are the user's.
    Open,
    /// A mapping with these keys; the chart ignores every other.
    Map(IndexMap<String, ValueKey>),
}

/// The chart of `family`.
pub(crate) fn chart(family: Family) -> &'static KnownChart {
    static KUBERNETES_SIGS: LazyLock<KnownChart> =
        LazyLock::new(|| KnownChart::read(include_str!("charts/kubernetes-sigs.yaml")));
    static BITNAMI: LazyLock<KnownChart> =
        LazyLock::new(|| KnownChart::read(include_str!("charts/bitnami.yaml")));
    static STABLE: LazyLock<KnownChart> =
        LazyLock::new(|| KnownChart::read(include_str!("charts/stable.yaml")));
    match family {
        Family::KubernetesSigs => &KUBERNETES_SIGS,
        Family::Bitnami => &BITNAMI,
        Family::Stable => &STABLE,
    }
}

/// The data file as it is written.
#[derive(Deserialize)]
struct File {
    versions: IndexMap<String, String>,
    floating: Option<String>,
    covered: Option<String>,
    #[serde(default)]
    open: Vec<String>,
    #[serde(default)]
    removed: IndexMap<String, String>,
    #[serde(default)]
    templates: IndexMap<String, Vec<String>>,
    values: IndexMap<String, IndexMap<String, Json>>,
}

impl KnownChart {
    /// Reads a data file. A test reads every one of them, so that a broken one never ships.
    fn read(text: &str) -> Self {
        let Ok(file) = serde_yaml::from_str::<File>(text) else { return Self::default() };
        let version = |text: &String| Version::parse(text).ok();
        let since = |(from, default): (String, Json)| Some((version(&from)?, default));
        Self {
            versions: (file.versions.iter())
                .filter_map(|(chart, app)| Some((version(chart)?, version(app)?)))
                .collect(),
            floating: file.floating.as_ref().and_then(version),
            covered: file.covered.as_ref().and_then(version),
            open: file.open,
            removed: (file.removed.into_iter())
                .filter_map(|(key, from)| Some((key, version(&from)?)))
                .collect(),
            templates: (file.templates.into_iter())
                .filter_map(|(from, files)| Some((version(&from)?, files)))
                .collect(),
            values: (file.values.into_iter())
                .map(|(key, runs)| (key, runs.into_iter().filter_map(since).collect()))
                .collect(),
        }
    }

    /// The versions that are known, oldest first.
    pub(crate) fn versions(&self) -> impl DoubleEndedIterator<Item = &Version> {
        self.versions.keys()
    }

    /// The newest version that is known.
    pub(crate) fn newest(&self) -> Option<&Version> {
        self.versions.keys().next_back()
    }

    /// The versions that a release with this constraint may get, oldest first: the one that it
    /// names, known or not, else those that are known.
    pub(crate) fn allowed(&self, constraint: &Constraint) -> Vec<Version> {
        if let Some(exact) = constraint.exact() {
            return vec![exact.clone()];
        }
        let is_open = |newest: &Version| {
            let next = Version::new(newest.major, newest.minor + 1, 0);
            constraint.holds(newest) || constraint.holds(&next)
        };
        // Whatever installs an open range takes the newest version that there is.
        let oldest = self.floating.as_ref().filter(|_| self.newest().is_some_and(is_open));
        let allowed = self.versions().filter(|it| constraint.holds(it));
        allowed.filter(|it| oldest.is_none_or(|oldest| *it >= oldest)).cloned().collect()
    }

    /// Whether the values at `version` are known, though perhaps not the image.
    pub(crate) fn covers(&self, version: &Version) -> bool {
        self.covered.as_ref().is_some_and(|from| from <= version)
            && self.newest().is_some_and(|newest| version <= newest)
    }

    /// The version of metrics-server that `version` of the chart installs by default.
    pub(crate) fn app_version(&self, version: &Version) -> Option<&Version> {
        self.versions.get(version)
    }

    /// The files in the chart's `templates` folder at `version`, when they are known.
    pub(crate) fn templates(&self, version: &Version) -> Option<Vec<&str>> {
        self.versions.get(version)?;
        let since = self.templates.iter().filter(|(since, _)| *since <= version);
        let files: Vec<_> = since.flat_map(|(_, files)| files).map(String::as_str).collect();
        (!files.is_empty()).then_some(files)
    }

    /// The chart's own values at `version`, every one of them at `origin`.
    ///
    /// A version that is not known has those of the one before it.
    pub(crate) fn defaults(&self, version: &Version, origin: &Origin) -> Node {
        let mut root = Node::new(Map::default(), origin.clone());
        for (path, default) in self.at(version) {
            let value = from_json(default, origin);
            put(&mut root, path, value);
        }
        root
    }

    /// The keys that the chart reads at `version`.
    pub(crate) fn keys(&self, version: &Version) -> ValueKey {
        let mut root = IndexMap::from([("global".to_owned(), ValueKey::Open)]);
        for (path, default) in self.at(version) {
            let open = self.open.iter().find(|open| {
                path.strip_prefix(open.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            });
            let (path, key) = match open {
                Some(open) => (open.as_str(), ValueKey::Open),
                None => (path, ValueKey::of(default)),
            };
            declare(&mut root, path, key);
        }
        ValueKey::Map(root)
    }

    /// Each key that exists at `version`, with its default then.
    fn at(&self, version: &Version) -> impl Iterator<Item = (&str, &Json)> {
        self.values.iter().filter_map(move |(path, runs)| {
            if self.removed.get(path).is_some_and(|from| from <= version) {
                return None;
            }
            let (_, default) = runs.iter().rfind(|(since, _)| since <= version)?;
            Some((path.as_str(), default))
        })
    }
}

impl ValueKey {
    /// Whether the dotted `path` leads to something that the chart reads.
    pub(crate) fn has(&self, path: &str) -> bool {
        let (name, rest) = path.split_once('.').unwrap_or((path, ""));
        match self {
            Self::Open | Self::Any => true,
            Self::Map(keys) => match keys.get(name) {
                Some(_) if rest.is_empty() => true,
                Some(key) => key.has(rest),
                None => false,
            },
            Self::Bool | Self::Number | Self::Text | Self::List => false,
        }
    }

    fn of(default: &Json) -> Self {
        match default {
            Json::Null => Self::Any,
            Json::Bool(_) => Self::Bool,
            Json::Number(_) => Self::Number,
            Json::String(_) => Self::Text,
            Json::Array(_) => Self::List,
            Json::Object(_) => Self::Open,
        }
    }
}

/// Sets `path` below `root`, with the maps on the way.
fn put(root: &mut Node, path: &str, value: Node) {
    let origin = root.origin.clone();
    let Some(map) = root.as_map_mut() else { return };
    let Some((key, rest)) = path.split_once('.') else {
        map.set(path, value);
        return;
    };
    if map.get(key).and_then(Node::as_map).is_none() {
        map.set(key, Node::new(Map::default(), origin));
    }
    if let Some(child) = map.get_mut(key) {
        put(child, rest, value);
    }
}

/// Sets `path` below `keys`, with the maps on the way; what is open stays open.
fn declare(keys: &mut IndexMap<String, ValueKey>, path: &str, key: ValueKey) {
    let Some((name, rest)) = path.split_once('.') else {
        keys.insert(path.to_owned(), key);
        return;
    };
    let child = keys.entry(name.to_owned()).or_insert_with(|| ValueKey::Map(IndexMap::new()));
    if let ValueKey::Map(children) = child {
        declare(children, rest, key);
    }
}

/// `value` as a tree whose every node is at `origin`.
pub(crate) fn from_json(value: &Json, origin: &Origin) -> Node {
    let kind: Kind = match value {
        Json::Null => Scalar::null().into(),
        Json::Bool(it) => (*it).into(),
        Json::Number(it) => Scalar::plain(it.to_string()).into(),
        Json::String(it) => it.as_str().into(),
        Json::Array(items) => {
            items.iter().map(|item| from_json(item, origin)).collect::<Vec<_>>().into()
        }
        Json::Object(entries) => {
            let mut map = Map::default();
            for (key, value) in entries {
                let value = from_json(value, origin);
                map.insert(key.as_str(), Entry { key: None, value });
            }
            map.into()
        }
    };
    Node::new(kind, origin.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Via;

    const FAMILIES: [Family; 3] = [Family::KubernetesSigs, Family::Bitnami, Family::Stable];

    #[test]
    fn every_file_is_read_completely() {
        for text in [
            include_str!("charts/kubernetes-sigs.yaml"),
            include_str!("charts/bitnami.yaml"),
            include_str!("charts/stable.yaml"),
        ] {
            let file: File = serde_yaml::from_str(text).expect("the file is in its form");
            let chart = KnownChart::read(text);
            assert_eq!(chart.versions.len(), file.versions.len(), "versions are semantic");
            assert_eq!(chart.floating.is_some(), file.floating.is_some());
            assert_eq!(chart.covered.is_some(), file.covered.is_some());
            assert_eq!(chart.removed.len(), file.removed.len(), "versions are semantic");
            assert_eq!(chart.templates.len(), file.templates.len(), "versions are semantic");
            assert!(file.removed.keys().all(|key| file.values.contains_key(key)));
            for (key, runs) in &file.values {
                assert_eq!(chart.values[key].len(), runs.len(), "{key}: versions are semantic");
            }
        }
    }

    #[test]
    fn versions_rise_and_every_change_belongs_to_one() {
        for family in FAMILIES {
            let chart = chart(family);
            assert!(chart.versions().is_sorted(), "{family:?}");
            assert!(chart.floating.as_ref().is_none_or(|it| chart.versions.contains_key(it)));
            for (key, runs) in &chart.values {
                assert!(!runs.is_empty(), "{family:?} {key} has a default");
                assert!(runs.is_sorted_by(|a, b| a.0 < b.0), "{family:?} {key} rises");
                for pair in runs.windows(2) {
                    assert_ne!(pair[0].1, pair[1].1, "{family:?} {key} changes");
                }
            }
        }
    }

    #[test]
    fn an_open_range_gets_one_of_the_newest() {
        let allowed = |constraint: &str| {
            let constraint = Constraint::parse(constraint).expect("a constraint");
            let allowed = chart(Family::KubernetesSigs).allowed(&constraint);
            (allowed.first().map(ToString::to_string), allowed.len())
        };
        let newest = chart(Family::KubernetesSigs).newest().expect("there are some");
        let floating = allowed("*");
        assert_eq!(floating.0, Some("3.12.0".to_owned()));
        assert_eq!(allowed(">=3.8.0"), floating);
        // So is a range that ends with the newest version, or leaves it out.
        assert_eq!(allowed(&format!(">=3.8.0 <={newest}")), floating);
        let but_newest = (floating.0.clone(), floating.1 - 1);
        assert_eq!(allowed(&format!(">=3.8.0 !={newest}")), but_newest);
        assert_eq!(allowed(">=3.8.0 <3.12.1"), (Some("3.8.0".to_owned()), 9));
        assert_eq!(allowed("3.12.9"), (Some("3.12.9".to_owned()), 1));
        assert_eq!(allowed("<1"), (None, 0));
    }

    #[test]
    fn open_maps_exist() {
        for family in FAMILIES {
            let chart = chart(family);
            for open in &chart.open {
                let below = format!("{open}.");
                let known = |key: &String| key == open || key.starts_with(&below);
                assert!(chart.values.keys().any(known), "{family:?} {open}");
            }
        }
    }

    #[test]
    fn defaults_follow_the_version() {
        let origin = Origin::at(Via::ChartDefault, None);
        let chart = chart(Family::KubernetesSigs);
        let at = |version: &str, path: &str| {
            let version = Version::parse(version).expect("a version");
            chart.defaults(&version, &origin).at(path).map(Node::to_json)
        };
        assert_eq!(at("3.9.0", "containerPort"), Some(4443.into()));
        assert_eq!(at("3.10.0", "containerPort"), Some(10250.into()));
        assert_eq!(at("3.10.0", "resources"), Some(serde_json::json!({})));
        assert_eq!(at("3.11.0", "resources.requests.memory"), Some("200Mi".into()));
        assert_eq!(at("3.12.2", "tls"), None);
        assert_eq!(at("3.5.0", "args"), Some(serde_json::json!(["--metric-resolution=15s"])));
    }

    #[test]
    fn keys_follow_the_version() {
        let keys = |version: &str| {
            let version = Version::parse(version).expect("a version");
            match chart(Family::KubernetesSigs).keys(&version) {
                ValueKey::Map(keys) => keys,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(keys("3.5.0").get("resources"), Some(&ValueKey::Open));
        assert_eq!(keys("3.5.0").get("tls"), None);
        assert_eq!(keys("3.13.0").get("replicas"), Some(&ValueKey::Number));
        let Some(ValueKey::Map(tls)) = keys("3.13.0").swap_remove("tls") else { panic!("a map") };
        assert_eq!(tls.get("type"), Some(&ValueKey::Text));
    }
}
