//! What a release of a chart says besides the objects that come of it.

use semver::{Prerelease, Version};

use crate::{
    data::{
        Family,
        charts::{self, KnownChart},
    },
    model::{
        Duration, Fact, chart,
        fact::{Datum, Facts, facts},
        index::ObjectIndex,
        workload::{self, fact},
    },
    resolve::environment::{Object, Release},
    tree::{Node, Origin, Reason, ReasonKind, Via},
};

facts! {
    /// The settings of what installs a chart, and of the chart, that none of its objects shows.
    pub(crate) struct ReleaseFacts {
        /// The version of metrics-server that the chart is made for.
        pub(crate) chart_app_version: Fact<Version>,
        /// The address of the repository that the chart comes from.
        pub(crate) chart_repository: Fact<String>,
        /// `metrics.enabled`
        pub(crate) metrics_enabled: Fact<bool>,
        /// `serviceMonitor.enabled`
        pub(crate) service_monitor_enabled: Fact<bool>,
        /// `tls.type`
        pub(crate) tls_type: Fact<String>,
        /// `tls.existingSecret.name`
        pub(crate) tls_existing_secret_name: Fact<String>,
        /// `tls.existingSecret.lookup`
        pub(crate) tls_existing_secret_lookup: Fact<bool>,
        /// What else makes the Secret that the chart mounts where its own name is the Secret's.
        pub(crate) tls_secret: Fact<String>,
    }
}

impl ReleaseFacts {
    /// What `release` of an environment says, if its chart is one that we know; `name` is what the
    /// chart calls its objects.
    pub(super) fn of(index: &ObjectIndex<'_>, release: &Release, name: &str) -> Option<Self> {
        let chart = charts::chart(release.family?);
        let versions = chart::versions(chart, &chart::version(release));
        let (boolean, text) = (workload::boolean, workload::text);
        let tls_type = value(release, &versions, "tls.type", text);
        // The default needs none.
        let is_asked = tls_type.origin().is_some_and(|it| !it.is_default());
        let asked = is_asked.then(|| secret(index, &release.namespace, name));
        Some(Self {
            chart_app_version: app_version(release, chart, &versions),
            chart_repository: address(release),
            metrics_enabled: value(release, &versions, "metrics.enabled", boolean),
            service_monitor_enabled: value(release, &versions, "serviceMonitor.enabled", boolean),
            tls_type,
            tls_existing_secret_name: value(release, &versions, "tls.existingSecret.name", text),
            tls_existing_secret_lookup: value(
                release,
                &versions,
                "tls.existingSecret.lookup",
                boolean,
            ),
            tls_secret: asked.unwrap_or_default(),
        })
    }
}

/// The user's value at `path`, else the chart's; absent where one of `versions` does not read it.
pub(super) fn value<T>(
    release: &Release,
    versions: &[Version],
    path: &str,
    read: impl Fn(&Node) -> Result<T, String>,
) -> Fact<T> {
    let chart = charts::chart(Family::KubernetesSigs);
    if release.family != Some(Family::KubernetesSigs)
        || !versions.iter().all(|it| chart.reads(path, it))
    {
        return Fact::Absent(None);
    }
    let own = fact(&release.values, path, &read);
    let at = Origin::at(Via::ChartDefault, release.anchor.written_at());
    // What is taken away is a null to the templates.
    match (own, versions.last()) {
        (Fact::Absent(None), Some(version)) if release.directory.is_none() => {
            fact(&chart.default_at(path, version, &at), path, read)
        }
        (own, _) => own,
    }
}

/// The program of the chart's version; of several that differ in more than their last number,
/// nobody can tell which it is.
fn app_version(release: &Release, chart: &KnownChart, versions: &[Version]) -> Fact<Version> {
    let unknown = |why: &str| {
        let why = Reason::from(why).of_kind(ReasonKind::Version);
        Fact::Unknown(why, Some(release.anchor.clone()))
    };
    let minor = |it: &Version| (it.major, it.minor);
    let programs: Option<Vec<_>> = versions.iter().map(|it| chart.app_version(it)).collect();
    let Some(programs) = programs else { return unknown("the version of the chart is not known") };
    match programs.split_last() {
        Some((newest, others)) if others.iter().all(|it| minor(it) == minor(newest)) => {
            let program = Version { pre: Prerelease::EMPTY, ..(*newest).clone() };
            Fact::Known(program, Origin::at(Via::ChartDefault, release.anchor.written_at()))
        }
        _ => unknown("the version of the chart is not told"),
    }
}

/// The address of the repository that `release` takes its chart from; of an OCI reference, all
/// of it.
fn address(release: &Release) -> Fact<String> {
    match &release.repository {
        Some(address) => match (address.unknown(), address.as_str()) {
            (Some(why), _) => Fact::Unknown(why.clone(), Some(address.origin.clone())),
            (None, Some(text)) => Fact::Known(text.to_owned(), address.origin.clone()),
            (None, None) => Fact::Absent(None),
        },
        None if release.chart.contains("://") => {
            Fact::Known(release.chart.clone(), release.anchor.clone())
        }
        None => Fact::Absent(None),
    }
}

/// What makes the Secret `name`: itself, or an object that some controller makes one of.
fn secret(index: &ObjectIndex<'_>, namespace: &str, name: &str) -> Fact<String> {
    let found = index.secrets(namespace, name).into_iter().find(|it| it.release.is_none());
    found.map_or(Fact::Absent(None), |it| Fact::Known(it.kind().to_owned(), it.anchor()))
}

/// What the Secrets that `object` is or makes may be called.
pub(super) fn secrets(object: &Object) -> Vec<String> {
    let made = ["spec.secretName", "spec.target.name"].map(|it| object.node.str_at(it));
    [Some(object.name())].into_iter().chain(made).flatten().map(str::to_owned).collect()
}

/// How long Flux waits until what `release` installs is ready; absent where nothing waits.
///
/// As `api/v2/helmrelease_types.go` of `fluxcd/helm-controller` has it: an action's own timeout, else
/// that of the release, else 5 minutes; `disableWait` is each action's own.
pub(super) fn timeout(index: &ObjectIndex<'_>, release: &Release) -> Fact<Duration> {
    let Some(object) = installer(index, release, "HelmRelease") else {
        return Fact::Absent(None);
    };
    let duration = |path: &str| {
        fact(&object.node, path, |it| {
            let text = workload::text(it)?;
            Duration::parse(&text).ok_or_else(|| format!("`{text}` is no duration"))
        })
    };
    let default = Duration::parse("5m").unwrap_or_else(|| Duration::seconds(300));
    let built_in = Origin::at(Via::PlatformDefault, None);
    for action in ["install", "upgrade"] {
        match fact(&object.node, &format!("spec.{action}.disableWait"), workload::boolean) {
            Fact::Known(true, _) => continue,
            Fact::Unknown(why, at) => return Fact::Unknown(why, at),
            _ => {}
        }
        return match duration(&format!("spec.{action}.timeout")) {
            Fact::Absent(_) => duration("spec.timeout").or_default(default, built_in),
            own => own,
        };
    }
    Fact::Absent(None)
}

/// The object of `kind` that installs `release`.
pub(super) fn installer<'e>(
    index: &ObjectIndex<'e>,
    release: &Release,
    kind: &str,
) -> Option<&'e Object> {
    let unit = index.environment.units.get(release.unit?.index())?;
    let (namespace, name) = unit.id.strip_prefix(kind)?.strip_prefix(' ')?.split_once('/')?;
    let home = if namespace.is_empty() { "default" } else { namespace };
    index.named(kind, home, name).into_iter().find(|it| it.namespace() == namespace)
}
