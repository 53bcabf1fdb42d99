use semver::Version;

use crate::{
    data::{
        flags,
        upstream::{FIRST_IMAGE, IMAGE},
    },
    finding::{Change, Findings},
    model::{Cluster, Fact, MetricsServer},
};

/// What upstream publishes to, and the name that it had.
const UPSTREAM: [&str; 2] = [IMAGE, "k8s.gcr.io/metrics-server/metrics-server"];

/// Where the images of each processor were until then.
const FORMER: [&str; 3] = [
    "k8s.gcr.io/metrics-server-",
    "registry.k8s.io/metrics-server-",
    "gcr.io/google_containers/metrics-server-",
];

/// Names of the repository whose versions were withdrawn: `bitnami/containers#83267`.
const BITNAMI: [&str; 3] = [
    "docker.io/bitnami/metrics-server",
    "bitnami/metrics-server",
    "registry-1.docker.io/bitnami/metrics-server",
];

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in &cluster.metrics_servers {
        let is_pinned = server.image.value().is_some_and(|it| it.contains('@'));
        if let Some(Missing { variant, message, help }) = missing(server).filter(|_| !is_pinned) {
            let at = server.image_tag.origin().or(server.image_repository.origin());
            let at = at.map_or_else(|| server.anchor.clone(), |it| it.or(&server.anchor));
            let finding = findings.at(&at, &server.subject(), message);
            finding.variant(variant).help(help);
            // Whether that tag is there is found out by the proof.
            if let Some(tag) = server.image_tag.value().filter(|it| !it.starts_with('v')) {
                finding.safe_fix(
                    &["image", "version"],
                    [Change::part(&at, &**tag, format!("v{tag}"))],
                );
            }
        }
    }
}

/// An image that is not where it is said to be.
struct Missing {
    variant: &'static str,
    message: String,
    help: String,
}

fn missing(server: &MetricsServer) -> Option<Missing> {
    let repository = &**server.image_repository.value()?;
    let tag = server.image_tag.value();
    let version = tag.and_then(|it| Version::parse(it.strip_prefix('v').unwrap_or(it)).ok());
    if UPSTREAM.contains(&repository) {
        let tag = tag?;
        let (message, help) = match &version {
            Some(version) if !tag.starts_with('v') => (
                format!("{repository} has no tag `{tag}`: all of them begin with v"),
                format!("write v{version}"),
            ),
            Some(version) if !version.pre.is_empty() => (
                format!("{repository} has no tag `{tag}`: it has releases alone"),
                format!("write v{}.{}.{}", version.major, version.minor, version.patch),
            ),
            Some(version) if *version < FIRST_IMAGE => (
                format!("{repository} has no tag `{tag}`: its first is v{FIRST_IMAGE}"),
                format!("use v{FIRST_IMAGE} or newer"),
            ),
            Some(version) => {
                let before = flags::last_before(version)?;
                (
                    format!("{repository} has no tag `{tag}`: there never was a version {version}"),
                    format!("use v{before}"),
                )
            }
            None => (
                format!(
                    "{repository} has no tag `{tag}`: its tags are those of releases, such as v0.8.1"
                ),
                "write the tag of a release, such as v0.8.1".to_owned(),
            ),
        };
        return Some(Missing { variant: "tag", message, help });
    }
    if FORMER.iter().any(|it| repository.starts_with(it)) {
        version.filter(|it| *it >= FIRST_IMAGE)?;
        let tag = tag?;
        let (latest, new) = (format!("{repository} has no tag `{tag}`: its last is v0.3.6"), IMAGE);
        return Some(Missing {
            variant: "name",
            message: latest,
            help: format!("use {new}:{tag}"),
        });
    }
    // The default tags of Bitnami's chart are versions, whichever it is.
    let is_default = matches!(&server.image_tag, Fact::Unknown(_, Some(at)) if at.is_default());
    let is_version = version.is_some() || (is_default && !server.versions.is_empty());
    (BITNAMI.contains(&repository) && is_version).then(|| Missing {
        variant: "withdrawn",
        message: format!(
            "{repository} has no versions any more: they were withdrawn in August 2025"
        ),
        help: match server.chart {
            Some(_) => "install the chart of kubernetes-sigs, whose values are others".to_owned(),
            None => format!("use {IMAGE}"),
        },
    })
}
