use semver::Version;

use crate::{finding::Findings, model::Cluster};

/// The first Kubernetes that each minor version says it is for, in the README of its own time: later
/// ones only tell what is still tested.
const FIRST: &[(Version, Version)] = &[
    (Version::new(0, 9, 0), Version::new(1, 34, 0)),
    (Version::new(0, 8, 0), Version::new(1, 31, 0)),
    (Version::new(0, 6, 0), Version::new(1, 19, 0)),
];

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    let Some((kubernetes, configured)) = cluster.kubernetes.known() else { return };
    for server in cluster.metrics_servers.iter().filter(|it| !it.managed) {
        // The oldest that it may be must be too new.
        let Some(version) = server.versions.first() else { continue };
        let first = FIRST.iter().find(|(since, _)| version >= since).map(|(_, first)| first);
        let Some(first) = first.filter(|it| kubernetes < it) else { continue };
        let at = server.image_tag.origin().unwrap_or(&server.anchor);
        findings
            .at(
                &at.or(&server.anchor),
                &server.subject(),
                format!(
                    "metrics-server {version} is for Kubernetes {}.{} and newer, not {}.{}",
                    first.major, first.minor, kubernetes.major, kubernetes.minor
                ),
            )
            .also(configured, "the version of Kubernetes")
            .help("use an older metrics-server, or a newer Kubernetes");
    }
}
