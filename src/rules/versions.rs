//! Which versions a cluster may run, where it is not said exactly.

use semver::{Prerelease, Version};

use crate::{
    data::{
        charts::{self, Chart},
        version::Constraint,
    },
    model::{Cluster, Fact, MetricsServer, Release},
};

/// The versions of `chart` that a release with `version` may get, oldest first.
pub(super) fn of_chart(chart: &Chart, version: &Fact<String>) -> Vec<Version> {
    let constraint = match version {
        Fact::Known(text, _) => Constraint::parse(text),
        Fact::Absent(_) => Constraint::parse("*"),
        Fact::Unknown(..) => None,
    };
    let allowed = constraint.map(|it| chart.allowed(&it)).unwrap_or_default();
    if allowed.is_empty() { chart.versions().cloned().collect() } else { allowed }
}

/// The versions of the program that `server` may be, oldest first; none when nobody can tell.
///
/// Without what a distribution appends to a version, as in `0.7.2-eksbuild.1`.
pub(super) fn of_program(cluster: &Cluster, server: &MetricsServer) -> Vec<Version> {
    if let Some(version) = server.version.value() {
        return vec![Version { pre: Prerelease::EMPTY, ..version.clone() }];
    }
    let release = cluster.releases.iter().find(|release| release.anchor == server.anchor);
    release.map(by_default).unwrap_or_default()
}

/// The versions that the chart installs, unless the values name an image.
fn by_default(release: &Release) -> Vec<Version> {
    let Some(family) = release.family else { return Vec::new() };
    if !matches!(release.values.look("image"), Ok(image) if image.is_none_or(|it| it.get("tag").is_none()))
    {
        return Vec::new();
    }
    let chart = charts::of(family);
    let versions = of_chart(chart, &release.version);
    let programs: Option<Vec<_>> =
        versions.iter().map(|version| chart.app_version(version).cloned()).collect();
    let mut programs = programs.unwrap_or_default();
    programs.dedup();
    programs
}
