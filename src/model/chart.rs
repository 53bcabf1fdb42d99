//! An installed chart: the versions that it may be of, and the values that it does not read.

use semver::Version;

use crate::{
    data::{
        charts::{self, KnownChart, ValueKey},
        version::Constraint,
    },
    model::{Fact, InstalledChart, UnknownKey},
    placeholder::has_placeholder,
    resolve::environment::Release,
    tree::{Entry, Node, Origin},
};

/// The chart that `release` installs, when it is one that we know.
pub(super) fn installed(release: &Release) -> Option<InstalledChart> {
    let family = release.family?;
    let version = version(release);
    let chart = charts::chart(family);
    // A key must be wrong in all of them.
    let keys: Vec<ValueKey> = versions(chart, &version).iter().map(|it| chart.keys(it)).collect();
    Some(InstalledChart {
        name: release.name.clone(),
        namespace: release.namespace.clone(),
        family,
        version: version.value().and_then(|text| Constraint::parse(text)?.exact().cloned()),
        unknown_keys: unknown(&release.values, &keys),
        anchor: release.anchor.clone(),
    })
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
fn versions(chart: &KnownChart, version: &Fact<String>) -> Vec<Version> {
    let constraint = match version {
        Fact::Known(text, _) => Constraint::parse(text),
        Fact::Absent(_) => Constraint::parse("*"),
        Fact::Unknown(..) | Fact::Invalid { .. } => None,
    };
    let allowed = constraint.map(|it| chart.allowed(&it)).unwrap_or_default();
    if allowed.is_empty() { chart.versions().cloned().collect() } else { allowed }
}

/// The keys of `values` that none of `keys` knows.
fn unknown(values: &Node, keys: &[ValueKey]) -> Vec<UnknownKey> {
    let mut found = Vec::new();
    let keys: Vec<&ValueKey> = keys.iter().collect();
    // Helm has no keys of its own at the top; `x-` is where people keep YAML anchors.
    for (name, entry) in values.entries().filter(|(name, _)| !name.starts_with("x-")) {
        visit(name, name, entry, &keys, &mut found);
    }
    found
}

fn visit(path: &str, name: &str, entry: &Entry, keys: &[&ValueKey], found: &mut Vec<UnknownKey>) {
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
            let key = entry.key.map(Origin::written);
            let origin = key.unwrap_or_else(|| entry.value.origin.clone());
            found.push(UnknownKey { path: path.to_owned(), origin });
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
        let keys: Vec<ValueKey> =
            versions(chart, version).iter().map(|it| chart.keys(it)).collect();
        let values = &roots(&fixture(values), "values.yaml")[0];
        unknown(values, &keys).into_iter().map(|it| it.path).collect()
    }

    fn at(version: &str) -> Fact<String> {
        Fact::Known(version.into(), nowhere())
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
