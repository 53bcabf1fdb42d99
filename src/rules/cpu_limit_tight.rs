use crate::{finding::Findings, model::Cluster, sizing};

/// Above so many nodes the guidance's own request leaves nothing to spare.
const FEW: u64 = 50;

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    let Some((nodes, nodes_at)) = cluster.nodes.known().filter(|(it, _)| it.min > FEW) else {
        return;
    };
    let needed = sizing::cpu(nodes.min);
    for server in cluster.metrics_servers.iter().filter(|it| it.resizer.is_none()) {
        let Some((limit, at)) = server.cpu_limit.known() else { continue };
        if limit.millis > needed || limit.millis == 0 {
            continue;
        }
        let message = format!(
            "a CPU limit of {limit} is not above the {needed}m that metrics-server is to request for \
             {} nodes: it is throttled, and fails its probes",
            nodes.min
        );
        findings
            .at(&at.or(&server.anchor), &server.subject(), message)
            .weigh([nodes.min])
            .label("the limit")
            .also(nodes_at, "the cluster's size")
            .help("leave the CPU limit out, or at least double it");
    }
}
