use semver::Version;

use super::versions;
use crate::{
    data::{
        Family,
        charts::{self, Chart, Key},
        version::Constraint,
    },
    finding::{Findings, Severity},
    model::{Cluster, Release},
    nearest::nearest,
    tree::{Entry, Node, Origin},
};

/// Keys of other charts and of Deployments, and what the chart of `kubernetes-sigs` calls them.
const KUBERNETES_SIGS: &[(&str, &str)] = &[
    ("containerPorts", "containerPort"),
    ("containerSecurityContext", "securityContext"),
    ("deploymentStrategy", "updateStrategy"),
    ("extraArgs", "args"),
    ("image.registry", "image.repository"),
    ("pdb", "podDisruptionBudget"),
    ("replicaCount", "replicas"),
    ("securePort", "containerPort"),
    ("strategy", "updateStrategy"),
];

/// The same for Bitnami's chart.
const BITNAMI: &[(&str, &str)] = &[
    ("containerPort", "containerPorts.https"),
    ("defaultArgs", "extraArgs"),
    ("deploymentStrategy", "updateStrategy"),
    ("podDisruptionBudget", "pdb"),
    ("replicaCount", "replicas"),
    ("securePort", "containerPorts.https"),
    ("securityContext", "containerSecurityContext"),
    ("service.nodePort", "service.nodePorts.https"),
    ("service.port", "service.ports.https"),
    ("strategy", "updateStrategy"),
];

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for release in &cluster.releases {
        let Some(family) = release.family else { continue };
        let chart = charts::of(family);
        // A key must be wrong in all of them.
        let versions = versions::of_chart(chart, &release.version);
        let keys: Vec<Key> = versions.iter().map(|version| chart.keys(version)).collect();
        for (path, origin) in unknown(&release.values, &keys) {
            report(release, family, chart, &path, &origin, findings);
        }
    }
}

fn report(
    release: &Release,
    family: Family,
    chart: &Chart,
    path: &str,
    at: &Origin,
    findings: &mut Findings,
) {
    let version =
        release.version.value().and_then(|text| Constraint::parse(text)?.exact().cloned());
    let of = version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
    let finding = findings.at(
        &at.or(&release.anchor),
        &format!("{}/{} {path}", release.namespace, release.name),
        format!("the chart metrics-server{of} has no value {path}, so it is ignored"),
    );
    if let Some(version) = &version {
        finding.variant("version").weigh([version.major, version.minor, version.patch]);
    }
    if let Some(since) = first_with(chart, path) {
        finding.help(format!("use version {since} of the chart or newer, or remove {path}"));
    } else if let Some(name) = meant(family, chart, version.as_ref(), path) {
        finding.help(format!("use {name} instead"));
    } else {
        finding.help(format!("remove {path}"));
    }
    // The keys of a newer chart than those that are known are a guess.
    if version.is_some_and(|version| chart.newest().is_some_and(|newest| version > *newest)) {
        finding.at_most(Severity::Note);
    }
}

/// The paths of `values` that none of `keys` knows, and where each is.
fn unknown(values: &Node, keys: &[Key]) -> Vec<(String, Origin)> {
    let mut found = Vec::new();
    let keys: Vec<&Key> = keys.iter().collect();
    // Helm has no keys of its own at the top; `x-` is where people keep YAML anchors.
    for (name, entry) in values.entries().filter(|(name, _)| !name.starts_with("x-")) {
        visit(name, name, entry, &keys, &mut found);
    }
    found
}

fn visit(path: &str, name: &str, entry: &Entry, keys: &[&Key], found: &mut Vec<(String, Origin)>) {
    let mut below = Vec::new();
    for key in keys {
        // What is not a map with fixed keys takes anything.
        let Key::Map(children) = key else { return };
        below.extend(children.get(name));
    }
    if below.is_empty() {
        // A null takes a default away, or nothing: both are harmless. A placeholder is no name yet.
        let is_name = !name.contains("${") && !name.contains("{{");
        if !keys.is_empty() && is_name && !entry.value.is_null() {
            let key = entry.key.map(Origin::written);
            found.push((path.to_owned(), key.unwrap_or_else(|| entry.value.origin.clone())));
        }
        return;
    }
    for (name, entry) in entry.value.entries() {
        visit(&format!("{path}.{name}"), name, entry, &below, found);
    }
}

/// The first version of the chart that knows `path`, when a newer one than that in use does.
fn first_with<'a>(chart: &'a Chart, path: &str) -> Option<&'a Version> {
    let newest = chart.newest()?;
    if !has(&chart.keys(newest), path) {
        return None;
    }
    chart.versions().find(|version| has(&chart.keys(version), path))
}

fn has(keys: &Key, path: &str) -> bool {
    let mut key = keys;
    for name in path.split('.') {
        let Key::Map(children) = key else { return true };
        let Some(child) = children.get(name) else { return false };
        key = child;
    }
    true
}

/// What was probably meant by `path`.
fn meant(family: Family, chart: &Chart, version: Option<&Version>, path: &str) -> Option<String> {
    let classics = match family {
        Family::KubernetesSigs => KUBERNETES_SIGS,
        Family::Bitnami => BITNAMI,
        Family::Stable => &[],
    };
    if let Some((_, name)) = classics.iter().find(|(wrong, _)| *wrong == path) {
        return Some((*name).to_owned());
    }
    let mut all = Vec::new();
    flatten("", &chart.keys(version.or(chart.newest())?), &mut all);
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_lowercase();
    let parent = |path: &str| path.rsplit_once('.').map(|(parent, _)| parent.to_owned());
    // The same name elsewhere in the chart is a key in the wrong place.
    let same = || all.iter().find(|it| last(it) == last(path)).cloned();
    let siblings = || all.iter().filter(|it| parent(it) == parent(path));
    let names: Vec<String> = siblings().map(|it| last(it)).collect();
    let near = nearest(&last(path), names.iter().map(String::as_str));
    let near = near.and_then(|near| siblings().find(|it| last(it) == near)).cloned();
    near.or_else(same)
}

/// Every path below `key`.
fn flatten(path: &str, key: &Key, all: &mut Vec<String>) {
    let Key::Map(children) = key else { return };
    for (name, child) in children {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        flatten(&path, child, all);
        all.push(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::Fact, source::Sources};

    fn paths(values: &str, version: &Fact<String>) -> Vec<String> {
        let sources = Sources::in_memory([("values.yaml", values)]);
        let file = sources.find("values.yaml").unwrap();
        let documents = sources.documents(file, crate::scalar::Dialect::Sigs);
        let chart = charts::of(Family::KubernetesSigs);
        let versions = versions::of_chart(chart, version);
        let keys: Vec<Key> = versions.iter().map(|version| chart.keys(version)).collect();
        let roots = documents.roots();
        roots.flat_map(|root| unknown(root, &keys)).map(|(path, _)| path).collect()
    }

    fn at(version: &str) -> Fact<String> {
        Fact::Known(version.into(), Origin::at(crate::tree::Via::Written, None))
    }

    #[test]
    fn a_key_counts_in_the_versions_that_have_it() {
        let values = "tls: {type: helm}\nx-anchors: {a: 1}\nglobal: {b: 1}\nimage: {tga: v1}\n";
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
    fn what_the_chart_hands_on_takes_any_key() {
        let values = "updateStrategy: {rollingUpdate: {maxUnavailable: 0}}\n\
                      resources: {limits: {memory: 1Gi}}\nnodeSelector: {a.b/c: d}\nfoo: null\n'${KEY}': 1\n";
        assert_eq!(paths(values, &at("3.12.2")), [""; 0]);
    }

    #[test]
    fn what_was_meant() {
        let sigs = |path| {
            let chart = charts::of(Family::KubernetesSigs);
            meant(Family::KubernetesSigs, chart, None, path).unwrap_or_default()
        };
        assert_eq!(sigs("deploymentStrategy"), "updateStrategy");
        assert_eq!(sigs("image.tga"), "image.tag");
        assert_eq!(sigs("addonResizer.nanny.extraCPU"), "addonResizer.nanny.extraCpu");
        assert_eq!(sigs("insecureSkipTLSVerify"), "apiService.insecureSkipTLSVerify");
        assert_eq!(sigs("somethingElse"), "");
    }
}
