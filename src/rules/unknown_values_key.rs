use std::sync::Arc;

use semver::Version;

use crate::{
    data::{
        Family,
        charts::{self, KnownChart, ValueKey},
    },
    finding::{ANY_SETTING, Change, Findings, Severity},
    model::{Cluster, InstalledChart, MOST_UNKNOWN, UnknownKey},
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
        for key in chart.unknown_keys.iter().take(MOST_UNKNOWN) {
            report(chart, key, findings);
        }
        if let Some(beyond) = chart.unknown_keys.get(MOST_UNKNOWN) {
            let at = &beyond.origin.or(&chart.anchor);
            let subject = format!("{}/{}", chart.namespace, chart.name);
            let message = format!(
                "more than {MOST_UNKNOWN} values of {subject} are none of its chart's: this and what \
                 comes after it is not compared"
            );
            findings.at(at, &subject, message).variant("beyond");
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
    if !key.read_below.is_empty() {
        let below = key.read_below.join(" or ");
        let message = format!("{path} is not below {below}, so no chart reads it");
        let finding = findings.at(&key.origin.or(&installed.anchor), &subject, message);
        finding.variant("beside").help(format!("indent it below {below}"));
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
    let chart = installed.family.map(charts::chart);
    if let Some(below) = &key.belongs_below {
        finding.help(format!("indent it below {below}, which is empty"));
    } else if let Some(since) = chart.and_then(|it| first_with(it, path)) {
        finding.help(format!("use version {since} of the chart or newer, or remove {path}"));
    } else if let Some(name) = keys(installed).and_then(|it| meant(installed.family, &it, key)) {
        finding.help(format!("use {name} instead"));
        let (_, last) = name.rsplit_once('.').unwrap_or(("", &name));
        let here = path.rsplit_once('.').map_or("", |it| it.0);
        if name.rsplit_once('.').map_or("", |it| it.0) == here {
            finding.unsafe_fix(&[ANY_SETTING], [Change::key(&key.origin, last)]);
        }
    } else {
        finding.help(format!("remove {path}"));
    }
    // Nothing that is measured or scaled depends on it, as far as anybody can tell.
    if !installed.is_ours {
        finding.at_most(Severity::Note);
    }
    // The keys of a newer chart than those that are known are a guess.
    let newest = chart.filter(|_| installed.reads.is_none()).and_then(KnownChart::newest);
    if version.as_ref().is_some_and(|it| newest.is_some_and(|newest| it > newest)) {
        finding.at_most(Severity::Note);
    }
}

/// The values that the chart reads; of one of ours that may be of several versions the newest one's.
fn keys(installed: &InstalledChart) -> Option<Arc<ValueKey>> {
    if let Some(reads) = &installed.reads {
        return Some(Arc::clone(reads));
    }
    let chart = charts::chart(installed.family?);
    Some(chart.keys(installed.version.as_ref().or(chart.newest())?))
}

/// The first version of the chart that knows `path`, when a newer one than that in use does.
fn first_with<'a>(chart: &'a KnownChart, path: &str) -> Option<&'a Version> {
    let newest = chart.newest()?;
    if !chart.keys(newest).has(path) {
        return None;
    }
    chart.versions().find(|version| chart.keys(version).has(path))
}

/// What was probably meant by `path` of a chart that reads `keys`.
fn meant(
    family: Option<Family>,
    keys: &ValueKey,
    UnknownKey { path, is_map, .. }: &UnknownKey,
) -> Option<String> {
    let classics = match family {
        Some(Family::KubernetesSigs) => KUBERNETES_SIGS,
        Some(Family::Bitnami) => BITNAMI,
        Some(Family::Stable) | None => &[],
    };
    let classic = classics.iter().find(|(wrong, name)| wrong == path && keys.has(name));
    if let Some((_, name)) = classic {
        return Some((*name).to_owned());
    }
    let mut all = Vec::new();
    flatten("", keys, &mut all);
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_lowercase();
    let parent = |path: &str| path.rsplit_once('.').map(|(parent, _)| parent.to_owned());
    let only = |mut found: Vec<&String>| found.pop().filter(|_| found.is_empty()).cloned();
    // What takes the same shape is meant before what is called the same.
    all.retain(|(_, key)| match key {
        ValueKey::Any => true,
        ValueKey::Open => *is_map,
        // A template that reads a value as it is tells nothing of what is in it.
        ValueKey::Map(keys) => keys.is_empty() != *is_map,
        _ => !is_map,
    });
    let all: Vec<String> = all.into_iter().map(|(path, _)| path).collect();
    // The same name elsewhere in the chart is a key in the wrong place, if it is there but once.
    let same = || only(all.iter().filter(|it| last(it) == last(path)).collect());
    let siblings = || all.iter().filter(|it| parent(it) == parent(path));
    let longer = || only(siblings().filter(|it| last(it).ends_with(&last(path))).collect());
    let names: Vec<String> = siblings().map(|it| last(it)).collect();
    let near = nearest(&last(path), names.iter().map(String::as_str));
    let near = near.and_then(|near| siblings().find(|it| last(it) == near)).cloned();
    near.or_else(|| longer().filter(|_| path.contains('.'))).or_else(same)
}

/// Every path below `key`, with what it takes.
fn flatten<'k>(path: &str, key: &'k ValueKey, all: &mut Vec<(String, &'k ValueKey)>) {
    let ValueKey::Map(children) = key else { return };
    for (name, child) in children {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        flatten(&path, child, all);
        all.push((path, child));
    }
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;

    use super::*;
    use crate::tree::{Origin, Via};

    fn key(path: &str, is_map: bool) -> UnknownKey {
        let origin = Origin::at(Via::Written, None);
        UnknownKey {
            path: path.to_owned(),
            belongs_below: None,
            beside: false,
            read_below: Vec::new(),
            is_map,
            origin,
        }
    }

    #[test]
    fn what_was_meant_of_a_chart_of_the_repository() {
        let map = |keys: [(&str, ValueKey); 2]| {
            ValueKey::Map(keys.map(|(name, it)| (name.to_owned(), it)).into())
        };
        let scalar = ValueKey::Map(IndexMap::new());
        let server = map([("priorityClassName", scalar), ("resources", ValueKey::Any)]);
        let keys = map([("server", server), ("global", ValueKey::Any)]);
        let meant = |path, is_map| meant(None, &keys, &key(path, is_map)).unwrap_or_default();
        assert_eq!(meant("servr", true), "server");
        assert_eq!(meant("resources", true), "server.resources");
        assert_eq!(meant("server.resource", true), "server.resources");
        assert_eq!(meant("server.priorityClasName", false), "server.priorityClassName");
        assert_eq!(meant("server.priorityClasName", true), "", "it is printed as it is");
        assert_eq!(meant("replicaCount", false), "", "that is another chart's");
    }

    #[test]
    fn what_was_meant() {
        let chart = charts::chart(Family::KubernetesSigs);
        let newest = chart.keys(chart.newest().expect("a version"));
        let sigs = |path| {
            meant(Some(Family::KubernetesSigs), &newest, &key(path, false)).unwrap_or_default()
        };
        assert_eq!(sigs("deploymentStrategy"), "updateStrategy");
        assert_eq!(sigs("image.tga"), "image.tag");
        assert_eq!(sigs("addonResizer.nanny.extraCPU"), "addonResizer.nanny.extraCpu");
        assert_eq!(sigs("insecureSkipTLSVerify"), "apiService.insecureSkipTLSVerify");
        assert_eq!(sigs("somethingElse"), "");
        assert_eq!(sigs("enabled"), "", "several are called so");
        // What is a map is no scalar.
        let map = |path| meant(Some(Family::KubernetesSigs), &newest, &key(path, true));
        assert_eq!(
            map("serviceMonitor.labels").as_deref(),
            Some("serviceMonitor.additionalLabels")
        );
        // What it is called depends on the version.
        let bitnami = |version: &str, path| {
            let version = Version::parse(version).expect("a version");
            let keys = charts::chart(Family::Bitnami).keys(&version);
            meant(Some(Family::Bitnami), &keys, &key(path, true)).unwrap_or_default()
        };
        assert_eq!(bitnami("7.4.13", "podDisruptionBudget"), "pdb");
        assert_eq!(bitnami("5.2.0", "podDisruptionBudget"), "");
    }
}
