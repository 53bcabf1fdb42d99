//! The metrics-server charts: their versions, their values, and the defaults of these.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use indexmap::IndexMap;
use semver::{Prerelease, Version};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::{
    data::{CHARTS, Family, version::Constraint},
    scalar::Scalar,
    tree::{Entry, Kind, Map, Node, Origin, Reason},
};

/// One chart in all its versions.
#[derive(Debug, Default)]
pub(crate) struct KnownChart {
    /// Every version, and what its image is tagged with or which program it is.
    versions: IndexMap<Version, DefaultTag>,
    floating: Option<Version>,
    /// Whether nothing newer will come.
    closed: bool,
    open: Vec<String>,
    /// What the templates do, and in which versions.
    behaviours: IndexMap<Behaviour, Constraint>,
    /// Dotted key, and the versions that no longer have it.
    removed: IndexMap<String, Constraint>,
    /// Dotted key, and its default from a version on until the next one.
    values: IndexMap<String, Vec<(Version, Json)>>,
    /// What [`Self::keys`] said.
    known_keys: Mutex<BTreeMap<Version, Arc<ValueKey>>>,
}

/// The key of the image's tag, whose default the list of versions has.
const TAG: &str = "image.tag";

/// What a version of a chart installs by default.
#[derive(Debug)]
struct DefaultTag {
    /// As it is written: the default of `image.tag`, unless the values have another.
    text: Json,
    /// The version of the program: what is left without a `v` before and a build behind.
    program: Version,
}

/// What the templates of some versions do and those of others do not, as far as the keys that they
/// read do not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Behaviour {
    /// The account is called as the release is, whatever its name should be.
    AccountOfRelease,
    /// Pods stay away from others in the release's namespace, rather than in their own.
    AffinityNamespaces,
    /// Each of `args` is quoted, so that YAML does not read it again.
    ArgsInQuotes,
    /// A flag whose value is false or empty is passed without it.
    BareFlags,
    /// The APIService is of `v1beta1`, which Kubernetes 1.22 removed.
    BetaApiService,
    /// The PodDisruptionBudget is of `v1beta1`, which Kubernetes 1.25 removed.
    BetaBudget,
    /// The Deployment is of `v1beta2`, which Kubernetes 1.16 removed.
    BetaDeployment,
    /// The `RoleBinding` is of `v1beta1`, which Kubernetes 1.22 removed.
    BetaRoleBinding,
    /// Roles are bound to an account that is called as the release is.
    BindsRelease,
    /// The template of the PodDisruptionBudget uses others that do not exist.
    BrokenBudget,
    /// The labels of the Service are indented too deep.
    BrokenServiceLabels,
    /// The volumes are indented too deep.
    BrokenVolumes,
    /// A PodDisruptionBudget without numbers lets one pod go.
    BudgetOfOne,
    /// The chart's label is on the pods, too.
    ChartOnPods,
    /// The labels for all objects are on the pods, too.
    CommonLabelsOnPods,
    /// Its role may `get` and `create` what `nodes/stats` is.
    CreatesStats,
    /// A probe of the user's wins over one that is enabled.
    CustomProbeFirst,
    /// Flags stand in `command`.
    FlagsInCommand,
    /// `global.imageRegistry` is read.
    GlobalRegistry,
    /// `extraArgs` maps flags to values.
    MappedArgs,
    /// The APIService is called after a version that it does not serve.
    MisnamedApiService,
    /// Objects name the release's namespace.
    Namespaced,
    /// The namespace is a part of the roles' names.
    NamespaceInRoles,
    /// There is no role for viewers.
    NoReaderRole,
    /// Its role may read no statistics of nodes.
    NoStats,
    /// The labels are those from before `app.kubernetes.io`.
    OldLabels,
    /// The presets `xlarge` and `2xlarge` ask for 1.5 CPUs.
    OneAndAHalfCores,
    /// An image without a registry is one without a slash before it.
    OptionalRegistry,
    /// The program gets flags, probes and a directory that nobody asked for.
    OwnFlags,
    /// The role for viewers reads the metrics of pods alone.
    ReaderOfPods,
    /// Its role may read namespaces.
    ReadsNamespaces,
    /// Its role may read `nodes/stats`.
    ReadsStats,
    /// Names are cut after 24 letters.
    ShortName,
    /// Names are cut and have no hyphens of the chart's own.
    ShortNameOfLetters,
    /// The program gets the flag `--source`.
    SourceFlag,
    /// Presets limit the ephemeral storage to 1 GiB.
    StorageOfOneGibibyte,
    /// Presets limit the ephemeral storage to 2 GiB.
    StorageOfTwoGibibytes,
    /// The names of the roles begin with `system:`.
    SystemRoles,
    /// The container has a directory for temporary files.
    TemporaryDirectory,
    /// The presets `xlarge` and `2xlarge` ask for 2 and 4 CPUs.
    TwoOrFourCores,
    /// The labels are those of the version of the program, too.
    VersionLabel,
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
    static KUBERNETES_SIGS: LazyLock<KnownChart> = LazyLock::new(|| KnownChart::read(CHARTS[0]));
    static BITNAMI: LazyLock<KnownChart> = LazyLock::new(|| KnownChart::read(CHARTS[1]));
    static STABLE: LazyLock<KnownChart> = LazyLock::new(|| KnownChart::read(CHARTS[2]));
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
    #[serde(default)]
    closed: bool,
    #[serde(default)]
    open: Vec<String>,
    #[serde(default)]
    behaviours: IndexMap<Behaviour, String>,
    #[serde(default)]
    removed: IndexMap<String, String>,
    values: IndexMap<String, IndexMap<String, Json>>,
}

impl KnownChart {
    /// Reads a data file. A test reads every one of them, so that a broken one never ships.
    fn read(text: &str) -> Self {
        let Ok(file) = serde_json::from_str::<File>(text) else { return Self::default() };
        let version = |text: &String| Version::parse(text).ok();
        let since = |(from, default): (String, Json)| Some((version(&from)?, default));
        Self {
            versions: (file.versions.iter())
                .filter_map(|(chart, tag)| Some((version(chart)?, DefaultTag::read(tag)?)))
                .collect(),
            floating: file.floating.as_ref().and_then(version),
            closed: file.closed,
            open: file.open,
            behaviours: (file.behaviours.into_iter())
                .filter_map(|(behaviour, of)| Some((behaviour, Constraint::parse(&of)?)))
                .collect(),
            removed: (file.removed.into_iter())
                .filter_map(|(key, from)| Some((key, Constraint::parse(&from)?)))
                .collect(),
            values: (file.values.into_iter())
                .map(|(key, runs)| (key, runs.into_iter().filter_map(since).collect()))
                .collect(),
            known_keys: Mutex::default(),
        }
    }

    /// The versions that are known, oldest first.
    pub(crate) fn versions(&self) -> impl DoubleEndedIterator<Item = &Version> {
        self.versions.keys()
    }

    /// Whether it is an archive, to which nothing is added.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
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
        let oldest = if self.closed { self.newest() } else { self.floating.as_ref() };
        let oldest = oldest.filter(|_| self.newest().is_some_and(is_open));
        let allowed = self.versions().filter(|it| constraint.holds(it));
        allowed.filter(|it| oldest.is_none_or(|oldest| *it >= oldest)).cloned().collect()
    }

    /// The known versions right before and right after `version`, which is not one of them.
    pub(crate) fn around(&self, version: &Version) -> Vec<Version> {
        let before = self.versions().rfind(|it| *it < version);
        let after = self.versions().find(|it| *it > version);
        before.into_iter().chain(after).cloned().collect()
    }

    /// The version of metrics-server that `version` of the chart installs by default.
    pub(crate) fn app_version(&self, version: &Version) -> Option<&Version> {
        self.versions.get(version).map(|it| &it.program)
    }

    /// Whether the templates of `version` do what `behaviour` says.
    pub(crate) fn does(&self, behaviour: Behaviour, version: &Version) -> bool {
        self.behaviours.get(&behaviour).is_some_and(|of| of.holds(version))
    }

    /// The chart's own values at `version`, every one of them at `origin`.
    ///
    /// Of a version that is not known, for the reason `unknown`, only what never changed in an
    /// archive that is closed.
    pub(crate) fn defaults(
        &self,
        version: &Version,
        origin: &Origin,
        unknown: Option<&Reason>,
    ) -> Node {
        let mut root = Node::new(Map::default(), origin.clone());
        for (path, default) in self.at(version, |_| true) {
            let value = from_json(default, origin);
            let value = match unknown {
                Some(why) if !self.never_changed(path) => keys_only(&value, why),
                _ => value,
            };
            put(&mut root, path, value);
        }
        root
    }

    /// Those of its values at `version` that the one at `path` is in or has in it.
    pub(crate) fn default_at(&self, path: &str, version: &Version, origin: &Origin) -> Node {
        let leads = |outer: &str, inner: &str| {
            let rest = inner.strip_prefix(outer);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let mut root = Node::new(Map::default(), origin.clone());
        for (its, default) in self.at(version, |it| leads(it, path) || leads(path, it)) {
            put(&mut root, its, from_json(default, origin));
        }
        root
    }

    /// Whether the default at `path` is the same, or empty, in every version that has one.
    fn never_changed(&self, path: &str) -> bool {
        let empty = |default: &Json| match default {
            Json::Null => true,
            Json::String(it) => it.is_empty(),
            Json::Array(it) => it.is_empty(),
            Json::Object(it) => it.is_empty(),
            Json::Bool(_) | Json::Number(_) => false,
        };
        let runs = self.values.get(path).filter(|_| self.closed);
        runs.is_some_and(|it| it.len() == 1 || it.iter().all(|(_, default)| empty(default)))
    }

    /// Whether the chart has a value at `path` at `version`.
    pub(crate) fn reads(&self, path: &str, version: &Version) -> bool {
        match self.values.get(path) {
            Some(runs) => self.run(path, runs, version).is_some(),
            None => path == TAG && self.versions().any(|it| it <= version),
        }
    }

    /// The keys that the chart reads at `version`: those of its values, and those that only its
    /// templates know.
    pub(crate) fn keys(&self, version: &Version) -> Arc<ValueKey> {
        let mut known = self.known_keys.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = known.entry(version.clone()).or_insert_with(|| self.read_keys(version).into());
        Arc::clone(keys)
    }

    fn read_keys(&self, version: &Version) -> ValueKey {
        let mut root = IndexMap::from([("global".to_owned(), ValueKey::Open)]);
        for (path, default) in self.at(version, |_| true) {
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

    /// The keys that it reads in its newest version.
    pub(crate) fn newest_keys(&self) -> Option<Arc<ValueKey>> {
        Some(self.keys(self.newest()?))
    }

    /// Each of the keys that are asked for and that exists at `version`, with its default then.
    fn at(
        &self,
        version: &Version,
        is_asked: impl Fn(&str) -> bool,
    ) -> impl Iterator<Item = (&str, &Json)> {
        let asks_tag = is_asked(TAG) && !self.values.contains_key(TAG);
        let values = self.values.iter().filter(move |(path, _)| is_asked(path));
        let values =
            values.filter_map(move |(path, runs)| Some((&**path, self.run(path, runs, version)?)));
        let tag = self.versions.iter().rfind(|(it, _)| asks_tag && *it <= version);
        values.chain(tag.map(|(_, tag)| (TAG, &tag.text)))
    }

    /// The default at `path` at `version`, of its `runs`.
    fn run<'a>(
        &self,
        path: &str,
        runs: &'a [(Version, Json)],
        version: &Version,
    ) -> Option<&'a Json> {
        if self.removed.get(path).is_some_and(|of| of.holds(version)) {
            return None;
        }
        let (_, default) = runs.iter().rfind(|(since, _)| since <= version)?;
        Some(default)
    }
}

impl DefaultTag {
    fn read(text: &str) -> Option<Self> {
        let mut program = Version::parse(text.trim_start_matches('v')).ok()?;
        program.pre = Prerelease::EMPTY;
        Some(Self { text: text.into(), program })
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

/// `node` with the same keys, but nothing known of their values.
pub(crate) fn keys_only(node: &Node, why: &Reason) -> Node {
    node.rewrite(&mut |it| match it.as_map() {
        Some(map) if map.is_empty() => {
            Some(Node::new(Map::open(Some(why.clone())), it.origin.clone()))
        }
        Some(_) => None,
        None => Some(Node::unknown_value(why.clone(), &it.origin)),
    })
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

    #[test]
    fn every_file_is_read_completely() {
        for text in CHARTS {
            let file: File = serde_json::from_str(text).expect("the file is in its form");
            let chart = KnownChart::read(text);
            assert_eq!(chart.versions.len(), file.versions.len(), "versions are semantic");
            assert_eq!(chart.floating.is_some(), file.floating.is_some());
            assert_eq!(chart.behaviours.len(), file.behaviours.len(), "these are ranges");
            assert_eq!(chart.removed.len(), file.removed.len(), "these are ranges");
            assert!(file.removed.keys().all(|key| file.values.contains_key(key)));
            for (key, runs) in &file.values {
                assert_eq!(chart.values[key].len(), runs.len(), "{key}: versions are semantic");
            }
        }
    }

    #[test]
    fn versions_rise_and_every_change_belongs_to_one() {
        for family in Family::ALL {
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
        for family in Family::ALL {
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
            chart.defaults(&version, &origin, None).at(path).map(Node::to_json)
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
            match chart(Family::KubernetesSigs).read_keys(&version) {
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
