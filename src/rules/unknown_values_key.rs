use semver::Version;

use crate::{
    data::{
        Family,
        charts::{self, KnownChart, ValueKey},
    },
    finding::{ANY_SETTING, Change, Findings, Severity},
    model::{Cluster, InstalledChart, UnknownKey},
    nearest::nearest,
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
    for chart in &cluster.charts {
        for key in &chart.unknown_keys {
            report(chart, key, findings);
        }
    }
}

fn report(installed: &InstalledChart, key: &UnknownKey, findings: &mut Findings) {
    let InstalledChart { version, .. } = installed;
    let path = &key.path;
    let subject = format!("{}/{} {path}", installed.namespace, installed.name);
    if let (Some(below), true) = (&key.belongs_below, key.beside) {
        // The name of a chart that has an alias is no key of the chart above it.
        let (message, help) = if path == "metrics-server" {
            (format!("{path} has the alias {below}, so no chart reads this"), "call it")
        } else {
            (format!("{path} is not below {below}, so no chart reads it"), "indent it below")
        };
        let finding = findings.at(&key.origin, &subject, message).variant("beside");
        finding.help(format!("{help} {below}"));
        return;
    }
    let name = if installed.family.is_some() { "metrics-server" } else { &installed.chart };
    let of = version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
    let finding = findings.at(
        &key.origin.or(&installed.anchor),
        &subject,
        format!("the chart {name}{of} has no value {path}, so it is ignored"),
    );
    if let Some(version) = version {
        finding.variant("version").weigh([version.major, version.minor, version.patch]);
    }
    let Some((family, chart)) = installed.family.map(|it| (it, charts::chart(it))) else {
        finding.help(format!("remove {path}"));
        return;
    };
    if let Some(below) = &key.belongs_below {
        finding.help(format!("indent it below {below}, which is empty"));
    } else if let Some(since) = first_with(chart, path) {
        finding.help(format!("use version {since} of the chart or newer, or remove {path}"));
    } else if let Some(name) = meant(family, chart, version.as_ref(), key) {
        finding.help(format!("use {name} instead"));
        let (_, last) = name.rsplit_once('.').unwrap_or(("", &name));
        let here = path.rsplit_once('.').map_or("", |it| it.0);
        if name.rsplit_once('.').map_or("", |it| it.0) == here {
            finding.unsafe_fix(&[ANY_SETTING], [Change::key(&key.origin, last)]);
        }
    } else {
        finding.help(format!("remove {path}"));
    }
    // The keys of a newer chart than those that are known are a guess.
    if version.as_ref().is_some_and(|it| chart.newest().is_some_and(|newest| it > newest)) {
        finding.at_most(Severity::Note);
    }
}

/// The first version of the chart that knows `path`, when a newer one than that in use does.
fn first_with<'a>(chart: &'a KnownChart, path: &str) -> Option<&'a Version> {
    let newest = chart.newest()?;
    if !chart.keys(newest).has(path) {
        return None;
    }
    chart.versions().find(|version| chart.keys(version).has(path))
}

/// What was probably meant by `path`.
fn meant(
    family: Family,
    chart: &KnownChart,
    version: Option<&Version>,
    UnknownKey { path, is_map, .. }: &UnknownKey,
) -> Option<String> {
    let classics = match family {
        Family::KubernetesSigs => KUBERNETES_SIGS,
        Family::Bitnami => BITNAMI,
        Family::Stable => &[],
    };
    let keys = chart.keys(version.or(chart.newest())?);
    let classic = classics.iter().find(|(wrong, name)| wrong == path && keys.has(name));
    if let Some((_, name)) = classic {
        return Some((*name).to_owned());
    }
    let mut all = Vec::new();
    flatten("", &keys, &mut all);
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_lowercase();
    let parent = |path: &str| path.rsplit_once('.').map(|(parent, _)| parent.to_owned());
    let only = |mut found: Vec<&String>| found.pop().filter(|_| found.is_empty()).cloned();
    // What takes the same shape is meant before what is called the same.
    let fits = |it: &&String| keys.is_map(it) == *is_map;
    // The same name elsewhere in the chart is a key in the wrong place, if it is there but once.
    let same = || only(all.iter().filter(fits).filter(|it| last(it) == last(path)).collect());
    let siblings = || all.iter().filter(|it| parent(it) == parent(path)).filter(fits);
    let longer = || only(siblings().filter(|it| last(it).ends_with(&last(path))).collect());
    let names: Vec<String> = siblings().map(|it| last(it)).collect();
    let near = nearest(&last(path), names.iter().map(String::as_str));
    let near = near.and_then(|near| siblings().find(|it| last(it) == near)).cloned();
    near.or_else(|| longer().filter(|_| path.contains('.'))).or_else(same)
}

/// Every path below `key`.
fn flatten(path: &str, key: &ValueKey, all: &mut Vec<String>) {
    let ValueKey::Map(children) = key else { return };
    for (name, child) in children {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        flatten(&path, child, all);
        all.push(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Origin, Via};

    fn key(path: &str, is_map: bool) -> UnknownKey {
        let origin = Origin::at(Via::Written, None);
        UnknownKey { path: path.to_owned(), belongs_below: None, beside: false, is_map, origin }
    }

    #[test]
    fn what_was_meant() {
        let sigs = |path| {
            let chart = charts::chart(Family::KubernetesSigs);
            meant(Family::KubernetesSigs, chart, None, &key(path, false)).unwrap_or_default()
        };
        assert_eq!(sigs("deploymentStrategy"), "updateStrategy");
        assert_eq!(sigs("image.tga"), "image.tag");
        assert_eq!(sigs("addonResizer.nanny.extraCPU"), "addonResizer.nanny.extraCpu");
        assert_eq!(sigs("insecureSkipTLSVerify"), "apiService.insecureSkipTLSVerify");
        assert_eq!(sigs("somethingElse"), "");
        assert_eq!(sigs("enabled"), "", "several are called so");
        // What is a map is no scalar.
        let chart = charts::chart(Family::KubernetesSigs);
        let map = |path| meant(Family::KubernetesSigs, chart, None, &key(path, true));
        assert_eq!(
            map("serviceMonitor.labels").as_deref(),
            Some("serviceMonitor.additionalLabels")
        );
        // What it is called depends on the version.
        let bitnami = |version: &str, path| {
            let version = Version::parse(version).expect("a version");
            let chart = charts::chart(Family::Bitnami);
            meant(Family::Bitnami, chart, Some(&version), &key(path, true)).unwrap_or_default()
        };
        assert_eq!(bitnami("7.4.13", "podDisruptionBudget"), "pdb");
        assert_eq!(bitnami("5.2.0", "podDisruptionBudget"), "");
    }
}
