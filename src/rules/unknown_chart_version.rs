use semver::Version;

use crate::{
    data::{charts, leads_to},
    finding::{Findings, Severity},
    model::{Cluster, InstalledChart},
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for chart in &cluster.charts {
        let Some(version) = chart.version.as_ref().filter(|it| never_existed(chart, it)) else {
            continue;
        };
        let Some(family) = chart.family else { continue };
        let around = charts::chart(family).around(version);
        let around: Vec<_> = around.iter().map(ToString::to_string).collect();
        let finding = findings.at(
            &chart.anchor,
            &format!("{}/{}", chart.namespace, chart.name),
            format!("there never was a version {version} of the chart metrics-server"),
        );
        finding.help(format!("use {}", around.join(" or ")));
        if !is_official(chart) {
            finding.at_most(Severity::Warning);
        }
    }
}

/// Whether nobody published `version`: all versions up to the newest that is known are known.
fn never_existed(chart: &InstalledChart, version: &Version) -> bool {
    let Some(known) = chart.family.map(charts::chart) else { return false };
    let mut versions = known.versions();
    if chart.is_copy || versions.any(|it| it == version) {
        return false;
    }
    let is_newer = known.newest().is_none_or(|newest| version > newest);
    let is_older = known.versions().next().is_none_or(|first| version < first);
    // A mirror may have builds of its own, and charts of the time before.
    let is_upstreams =
        version.pre.is_empty() && !is_older && chart.facts.chart_repository.is_absent();
    !is_newer && (is_official(chart) || is_upstreams)
}

fn is_official(chart: &InstalledChart) -> bool {
    let address = chart.facts.chart_repository.value();
    let (Some(address), Some(family)) = (address, chart.family) else { return false };
    leads_to(address, family.repository())
}
