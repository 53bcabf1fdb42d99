use semver::Version;

use crate::{
    finding::{Change, Findings},
    model::{Cluster, MetricsServer, SUBJECT_ACCESS_REVIEWS},
};

/// The first version that reads `/metrics/resource` of the kubelets in place of `/stats/summary`.
const METRICS: Version = Version::new(0, 6, 0);

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    // Such kubelets ask nobody.
    let all_may = |mode: &String| mode == "AlwaysAllow";
    let ask = !cluster.kubelets.iter().any(|it| it.authorization_mode.value().is_some_and(all_may));
    for server in cluster.metrics_servers.iter().filter(|it| !it.managed) {
        if server.access.open.is_some() || cluster.unseen.is_some() {
            continue;
        }
        if ask {
            check_kubelets(server, findings);
        }
        check_delegator(server, findings);
    }
}

fn check_kubelets(server: &MetricsServer, findings: &mut Findings) {
    let mut versions = server.versions.iter();
    let (has, needs) = match versions.next().map(|it| *it >= METRICS) {
        Some(true) if versions.all(|it| *it >= METRICS) => ("nodes/stats", "nodes/metrics"),
        Some(false) if versions.all(|it| *it < METRICS) => ("nodes/metrics", "nodes/stats"),
        _ => return,
    };
    let Some(at) = server.access.place_of(has).filter(|_| !server.access.may_use(needs)) else {
        return;
    };
    let image = server.image_tag.origin();
    let of = server.versions.last().map(ToString::to_string).unwrap_or_default();
    let place = if at.is_default() { image.unwrap_or(at) } else { at };
    let finding = findings
        .at(
            &place.or(&server.anchor),
            &server.subject(),
            format!("metrics-server {of} reads {needs}, and its role grants {has}: every kubelet refuses"),
        )
        .help(format!("grant get on {needs}, or use the manifest of this version as a whole"));
    if needs == "nodes/metrics" {
        finding.safe_fix(&["rights"], [Change::item(at, needs)]);
    }
    if let Some(image) = image.filter(|it| it.written_at().is_some() && *it != place) {
        finding.also(image, "the image");
    }
}

/// Without a role for them, no request to the Metrics API is checked, and all are refused.
fn check_delegator(server: &MetricsServer, findings: &mut Findings) {
    let access = &server.access;
    let Some((role, binding)) = access.bindings.first() else { return };
    if server.chart.is_some() || access.may_use(SUBJECT_ACCESS_REVIEWS) {
        return;
    }
    findings
        .at(
            &server.anchor,
            &server.subject(),
            "nothing binds metrics-server's account to system:auth-delegator: it refuses every request",
        )
        .variant("delegator")
        .also(binding, format!("this binds it to {role} alone"))
        .help("add the ClusterRoleBinding to system:auth-delegator of upstream's components.yaml");
}
