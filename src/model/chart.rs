//! An installed chart: the versions that it may be of, and the values that it does not read.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use semver::Version;

use crate::{
    data::{
        Family,
        charts::{self, KnownChart, ValueKey},
        subject::is_named_in,
        version::Constraint,
    },
    model::{
        Fact, InstalledChart, ReleaseFacts, UnknownKey, WrongValue, WrongValueEffect, drift,
        fact::written,
        index::ObjectIndex,
        workload::{self, fact},
    },
    placeholder::has_placeholder,
    resolve::{environment::Release, helm::truth},
    source::{Relevance, Sources, Span},
    tree::{Entry, Node},
};

/// The charts that `releases` install, of those that we know or that are in the repository.
pub(super) fn all(
    sources: &Sources,
    index: &ObjectIndex<'_>,
    releases: &[Release],
) -> Vec<InstalledChart> {
    let charts = releases
        .iter()
        .enumerate()
        .filter_map(|(at, it)| Some((at, installed(sources, index, it)?)));
    let mut charts: Vec<(usize, InstalledChart)> = charts.collect();
    let mut told = read_by_others(releases, &charts);
    // What belongs below a dependency is no key of the chart above it either, and is said once.
    let keys = charts.iter().flat_map(|(_, it)| &it.unknown_keys);
    told.extend(keys.filter(|it| it.beside).map(WrittenKey::of));
    for (_, chart) in &mut charts {
        chart.unknown_keys.retain(|it| it.beside || !told.contains(&WrittenKey::of(it)));
        chart.unknown_keys.truncate(MOST_UNKNOWN + 1);
    }
    charts.into_iter().map(|(_, chart)| chart).collect()
}

/// A key by its path in the values, and where it is written.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct WrittenKey(String, Option<Span>);

impl WrittenKey {
    fn of(key: &UnknownKey) -> Self {
        Self(key.path.clone(), key.origin.written_at())
    }
}

/// The keys that one of the charts does not read and another one, which is given the same, does or may:
/// values are shared on purpose, and each chart takes what is its own.
fn read_by_others(
    releases: &[Release],
    charts: &[(usize, InstalledChart)],
) -> BTreeSet<WrittenKey> {
    let mut unread: BTreeMap<WrittenKey, BTreeSet<usize>> = BTreeMap::new();
    for (release, chart) in charts {
        for key in &chart.unknown_keys {
            unread.entry(WrittenKey::of(key)).or_default().insert(*release);
        }
    }
    let mut read = BTreeSet::new();
    for (release, it) in releases.iter().enumerate().filter(|_| !unread.is_empty()) {
        let mut open = vec![(String::new(), &it.values)];
        while let Some((above, node)) = open.pop() {
            for (name, entry) in node.entries() {
                let key = WrittenKey(format!("{above}{name}"), entry.origin().written_at());
                let below = format!("{}.", key.0);
                match unread.get(&key) {
                    // Nor what is below it.
                    Some(by) if by.contains(&release) => continue,
                    Some(_) => _ = read.insert(key),
                    None => {}
                }
                open.push((below, &entry.value));
            }
        }
    }
    read
}

/// The chart that `release` installs, when it is one that we know or one of the repository.
fn installed(
    sources: &Sources,
    index: &ObjectIndex<'_>,
    release: &Release,
) -> Option<InstalledChart> {
    let family = release.family;
    let version = version(release);
    // A key must be wrong in all that it may be.
    let keys: Vec<Arc<ValueKey>> = match (&release.reads, family.map(charts::chart)) {
        (Some(reads), _) => vec![Arc::clone(reads)],
        (None, Some(chart)) => versions(chart, &version).iter().map(|it| chart.keys(it)).collect(),
        (None, None) => return None,
    };
    let speaks =
        |dir: &String| sources.sees_below(dir, |it| sources[it].relevance == Relevance::Subject);
    let is_ours = family.is_some()
        || is_named_in(&release.chart)
        || release.directory.as_ref().is_none_or(speaks);
    Some(InstalledChart {
        chart: release.chart.clone(),
        is_ours,
        name: release.name.clone(),
        namespace: release.namespace.clone(),
        family,
        version: exact(release),
        reads: release.reads.clone(),
        wrong_values: family.map(|it| wrong_values(release, it, &keys)).unwrap_or_default(),
        unknown_keys: unknown_keys(release, &keys),
        creates_api_service: fact(&release.values, "apiService.create", workload::boolean),
        drifts: drift::drifts(index, release),
        is_copy: release.directory.is_some(),
        facts: ReleaseFacts::of(index, release, &release.name).unwrap_or_default(),
        anchor: release.anchor.clone(),
    })
}

/// The chart's version, when `release` names one completely; without build metadata.
pub(super) fn exact(release: &Release) -> Option<Version> {
    version(release).value().and_then(|text| Constraint::parse(text)?.exact().cloned())
}

/// The chart's version as `release` names it.
pub(super) fn version(release: &Release) -> Fact<String> {
    let Some(version) = &release.version else { return Fact::Absent(None) };
    if let Some(why) = version.unknown() {
        return Fact::Unknown(why.clone(), Some(version.origin.clone()));
    }
    match version.as_scalar() {
        Some(scalar) => Fact::Known(scalar.text.to_string(), version.origin.clone()),
        None => Fact::Absent(None),
    }
}

/// The value of a chart that says where metrics-server listens; `None` when not all that the release
/// may get have the same, or any.
pub(super) fn port_value(family: Family, version: &Fact<String>) -> Option<&'static str> {
    let chart = charts::chart(family);
    let versions = versions(chart, version);
    let keys = ["containerPort", "containerPorts.https", "securePort"];
    keys.into_iter().find(|key| versions.iter().all(|it| chart.reads(key, it)))
}

/// The versions of the program that the chart installs, oldest first; none when the values name an
/// image, or may.
pub(super) fn programs(release: &Release) -> Vec<Version> {
    let Some(family) = release.family else { return Vec::new() };
    if !matches!(release.values.look("image"), Ok(image) if image.is_none_or(|it| it.get("tag").is_none()))
    {
        return Vec::new();
    }
    let chart = charts::chart(family);
    let versions = versions(chart, &version(release));
    let programs: Option<Vec<_>> =
        versions.iter().map(|version| chart.app_version(version).cloned()).collect();
    let mut programs = programs.unwrap_or_default();
    programs.dedup();
    programs
}

/// The versions of `chart` that a release with `version` may get, oldest first; all that are known
/// when nobody can tell.
pub(super) fn versions(chart: &KnownChart, version: &Fact<String>) -> Vec<Version> {
    let constraint = match version {
        Fact::Known(text, _) => Constraint::parse(text),
        Fact::Absent(_) => Constraint::parse("*"),
        Fact::Unknown(..) | Fact::Invalid { .. } => None,
    };
    let allowed = constraint.map(|it| chart.allowed(&it)).unwrap_or_default();
    if allowed.is_empty() { chart.versions().cloned().collect() } else { allowed }
}

/// So many keys that no chart reads are told apart; they may well be another chart's.
pub(crate) const MOST_UNKNOWN: usize = 100;

/// So many are looked for: of values that releases share, others may read most.
const MOST_SOUGHT: usize = 10_000;

/// The keys of a release's values that no chart reads.
fn unknown_keys(release: &Release, keys: &[Arc<ValueKey>]) -> Vec<UnknownKey> {
    let mut found = unknown(&release.values, keys);
    for key in found.iter_mut().filter(|it| it.belongs_below.is_none()) {
        let reads = |keys: &ValueKey| match keys {
            ValueKey::Map(keys) => keys.contains_key(&key.path),
            _ => false,
        };
        let below = release.below.iter().filter(|(_, keys)| reads(keys));
        key.read_below = below.map(|(name, _)| name.clone()).collect();
    }
    // What the chart above it is given may be for somebody else, unless it is as for this one.
    let is_meant = |key: &str| key == release.chart || keys.iter().all(|it| it.has(key));
    let known = release.beside.iter().filter(|(key, _)| is_meant(key));
    let below = release.alias.as_ref().unwrap_or(&release.chart);
    found.extend(known.map(|(key, origin)| UnknownKey {
        path: key.clone(),
        belongs_below: Some(below.clone()),
        beside: true,
        read_below: Vec::new(),
        is_map: false,
        origin: origin.clone(),
    }));
    found
}

/// The keys of `values` that none of `keys` knows, as far as they are told apart.
fn unknown(values: &Node, keys: &[Arc<ValueKey>]) -> Vec<UnknownKey> {
    let mut found = Vec::new();
    let keys: Vec<&ValueKey> = keys.iter().map(|it| &**it).collect();
    // A mapping without anything in it whose keys may have been indented too little.
    let mut empty: Option<&str> = None;
    // Helm has no keys of its own at the top; `x-` is where people keep YAML anchors.
    for (name, entry) in values.entries().filter(|(name, _)| !name.starts_with("x-")) {
        let before = found.len();
        visit(name, name, entry, &keys, &mut found);
        if found.len() == before {
            empty = entry.value.is_null().then_some(name);
            continue;
        }
        let takes = |keys: &ValueKey, below: &str| match keys {
            ValueKey::Map(keys) => {
                matches!(keys.get(below), Some(ValueKey::Map(its)) if its.contains_key(name))
            }
            _ => false,
        };
        let below = empty.filter(|it| keys.iter().any(|keys| takes(keys, it)));
        for key in &mut found[before..] {
            key.belongs_below = below.map(str::to_owned);
        }
    }
    found
}

/// Values that templates take for a list of objects.
const OBJECTS: &[&str] = &[
    "extraVolumeMounts",
    "extraVolumes",
    "imagePullSecrets",
    "serviceAccount.secrets",
    "tolerations",
    "topologySpreadConstraints",
];

/// Values that the templates of all charts do nothing with but ask whether they are true.
const CONDITIONS: &[&str] = &[
    "addonResizer.enabled",
    "apiService.create",
    "hostNetwork.enabled",
    "metrics.enabled",
    "podDisruptionBudget.enabled",
    "rbac.create",
    "rbac.pspEnabled",
    "serviceAccount.create",
    "serviceMonitor.enabled",
];

/// The values of `release` that its chart hands on and Kubernetes refuses, or takes for something
/// else. What the templates themselves refuse is a problem.
fn wrong_values(release: &Release, family: Family, keys: &[Arc<ValueKey>]) -> Vec<WrongValue> {
    let reads = |path: &str| keys.iter().all(|it| it.has(path));
    let mut found = Vec::new();
    let mut wrong = |path: &str, value: &Node, effect| {
        let Some(text) = written(value).filter(|text| !has_placeholder(text)) else { return };
        let origin = value.origin.or(&release.anchor);
        found.push(WrongValue { path: path.to_owned(), text, effect, origin });
    };
    for path in CONDITIONS.iter().filter(|it| reads(it)) {
        let Some(value) = release.values.at(path) else { continue };
        if value.as_str().is_some_and(|it| matches!(it, "false" | "False" | "no" | "off")) {
            wrong(path, value, WrongValueEffect::TextIsTrue);
        }
    }
    // The templates of Bitnami's chart take text for more templates.
    if family == Family::Bitnami {
        let path = "apiService.insecureSkipTLSVerify";
        let value = release.values.at(path).filter(|it| it.as_bool() == Some(false));
        if let Some(value) = value
            && release.values.is_true_at("apiService.create")
        {
            wrong(path, value, WrongValueEffect::FalseIsTrue);
        }
        return found;
    }
    for path in OBJECTS.iter().filter(|it| reads(it)) {
        let Some(value) = release.values.at(path) else { continue };
        match value.as_list() {
            Some(items) => {
                let scalars = items.iter().filter(|it| it.as_scalar().is_some() && !it.is_null());
                scalars.for_each(|it| wrong(path, it, WrongValueEffect::WantsMaps));
            }
            // The templates ask for a list of volumes themselves.
            None if !path.starts_with("extra") && truth(value) == Ok(true) => {
                wrong(path, value, WrongValueEffect::WantsList);
            }
            None => {}
        }
    }
    let is_open = |name: &str, key: &ValueKey| match key {
        ValueKey::Map(keys) => keys.get(name) == Some(&ValueKey::Open),
        _ => false,
    };
    for (name, entry) in release.values.entries() {
        let value = &entry.value;
        let is_open = keys.iter().all(|it| is_open(name, it)) && name != "global";
        if is_open && value.as_map().is_none() && truth(value) == Ok(true) {
            wrong(name, value, WrongValueEffect::WantsMap);
        }
    }
    found
}

fn visit(path: &str, name: &str, entry: &Entry, keys: &[&ValueKey], found: &mut Vec<UnknownKey>) {
    if found.len() > MOST_SOUGHT {
        return;
    }
    let mut below = Vec::new();
    for key in keys {
        // What is not a map with fixed keys takes anything.
        let ValueKey::Map(children) = key else { return };
        below.extend(children.get(name));
    }
    if below.is_empty() {
        // A null takes a default away, or nothing: both are harmless. A placeholder is no name yet.
        let is_name = !has_placeholder(name);
        if !keys.is_empty() && is_name && !entry.value.is_null() {
            let origin = entry.origin();
            let is_map = entry.value.as_map().is_some();
            found.push(UnknownKey {
                path: path.to_owned(),
                belongs_below: None,
                beside: false,
                read_below: Vec::new(),
                is_map,
                origin,
            });
        }
        return;
    }
    for (name, entry) in entry.value.entries() {
        visit(&format!("{path}.{name}"), name, entry, &below, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        data::Family,
        tests::{fixture, nowhere, roots},
    };

    fn paths(values: &str, version: &Fact<String>) -> Vec<String> {
        paths_of(Family::KubernetesSigs, values, version)
    }

    fn paths_of(family: Family, values: &str, version: &Fact<String>) -> Vec<String> {
        let chart = charts::chart(family);
        let keys: Vec<Arc<ValueKey>> =
            versions(chart, version).iter().map(|it| chart.keys(it)).collect();
        let values = &roots(&fixture(values), "values.yaml")[0];
        unknown(values, &keys).into_iter().map(|it| it.path).collect()
    }

    fn at(version: &str) -> Fact<String> {
        Fact::Known(version.into(), nowhere())
    }

    #[test]
    fn each_chart_has_its_own_value_for_the_port() {
        assert_eq!(port_value(Family::KubernetesSigs, &at("3.12.2")), Some("containerPort"));
        assert_eq!(port_value(Family::Bitnami, &at("6.0.0")), Some("containerPorts.https"));
        assert_eq!(port_value(Family::Bitnami, &at("5.10.12")), Some("securePort"));
        assert_eq!(port_value(Family::Bitnami, &Fact::Absent(None)), Some("containerPorts.https"));
        assert_eq!(port_value(Family::Bitnami, &at(">=5.10.0, <6.1.0")), None);
        assert_eq!(port_value(Family::Stable, &at("2.11.4")), None);
    }

    #[test]
    fn a_key_counts_in_the_versions_that_have_it() {
        let values = "
            //- values.yaml
            tls: {type: helm}
            x-anchors: {a: 1}
            global: {b: 1}
            image: {tga: v1}
        ";
        assert_eq!(paths(values, &at("3.12.2")), ["tls", "image.tga"]);
        assert_eq!(paths(values, &at("3.13.0")), ["image.tga"]);
        // One of the versions that the range allows has it.
        assert_eq!(paths(values, &at(">=3.12.0")), ["image.tga"]);
        assert_eq!(paths(values, &at("3.12.x")), ["tls", "image.tga"]);
        assert_eq!(paths(values, &Fact::Absent(None)), ["image.tga"]);
        let unknown = Fact::Unknown("it is a variable".into(), None);
        assert_eq!(paths(values, &unknown), ["image.tga"]);
    }

    #[test]
    fn keys_that_only_templates_know_are_keys() {
        let values = "
            //- values.yaml
            nameOverride: a
            fullnameOverride: b
            service: {nameOverride: c, nodePort: 1}
            image: {pullSecrets: [d]}
            metrics: {image: {pullSecrets: [e]}}
        ";
        let unknown = |family, version| paths_of(family, values, &at(version));
        assert_eq!(
            unknown(Family::Stable, "2.9.0"),
            ["service.nodePort", "image.pullSecrets", "metrics"]
        );
        assert_eq!(unknown(Family::Bitnami, "2.3.0"), ["fullnameOverride", "service.nameOverride"]);
        assert_eq!(unknown(Family::Bitnami, "4.1.0"), ["service.nameOverride", "metrics"]);
    }

    #[test]
    fn a_key_after_an_empty_one_that_has_it_belongs_below() {
        let chart = charts::chart(Family::KubernetesSigs);
        let keys: Vec<Arc<ValueKey>> =
            chart.newest().map(|it| chart.keys(it)).into_iter().collect();
        let files = fixture(
            "
            //- values.yaml
            serviceMonitor:
            enabled: true
            interval: 1m
            nodeSelector:
            labels: {a: b}
            replicas: 1
            create: true
            ",
        );
        let found = unknown(&roots(&files, "values.yaml")[0], &keys);
        let found: Vec<_> =
            found.iter().map(|it| (&*it.path, it.belongs_below.as_deref())).collect();
        let monitor = Some("serviceMonitor");
        let expected =
            [("enabled", monitor), ("interval", monitor), ("labels", None), ("create", None)];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_the_chart_hands_on_takes_any_key() {
        let values = "
            //- values.yaml
            updateStrategy: {rollingUpdate: {maxUnavailable: 0}}
            resources: {limits: {memory: 1Gi}}
            nodeSelector: {a.b/c: d}
            foo: null
            '${KEY}': 1
        ";
        assert_eq!(paths(values, &at("3.12.2")), [""; 0]);
    }
}
