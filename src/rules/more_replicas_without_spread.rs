use crate::{
    finding::Findings,
    model::{Cluster, Fact},
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in &cluster.metrics_servers {
        let Some(pod) = &server.pod else { continue };
        let Some((replicas, at)) = server.replicas.known().filter(|(count, _)| **count > 1) else {
            continue;
        };
        // On one node there is nothing to spread over, and no drain that leaves a replica.
        if cluster.nodes.value().is_some_and(|it| it.max == Some(1)) {
            continue;
        }
        // A rule that selects nothing is `affinity-matches-nothing`, a budget without effect
        // `pdb-protects-nothing`.
        let on_host = server.host_network.value() != Some(&false);
        let spread = on_host || pod.may_be_spread || !pod.spreads.is_empty();
        let is_set = |it: &Fact<_>| !it.is_absent();
        let budgeted = is_set(&server.pdb_min_available)
            || is_set(&server.pdb_max_unavailable)
            || cluster.budgets.iter().any(|it| it.namespace == server.namespace)
            || cluster.unseen.is_some();
        let (variant, message, help) = match (spread, budgeted) {
            (true, true) => continue,
            (false, true) => (
                "spread",
                format!("nothing keeps {replicas} replicas from sharing a node"),
                "spread them over nodes by a topologySpreadConstraint or an anti-affinity",
            ),
            (true, false) => (
                "budget",
                format!(
                    "without a PodDisruptionBudget drains may evict all {replicas} replicas at once"
                ),
                "add a PodDisruptionBudget with minAvailable: 1",
            ),
            (false, false) => (
                "both",
                format!("{replicas} replicas may share a node, and a drain may evict all at once"),
                "spread them over nodes, and add a PodDisruptionBudget with minAvailable: 1",
            ),
        };
        let finding = findings.at(&at.or(&server.anchor), &server.subject(), message);
        finding.variant(variant).help(help);
    }
}
