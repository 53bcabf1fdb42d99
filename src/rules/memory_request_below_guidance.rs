use crate::{
    finding::Findings,
    model::Cluster,
    sizing::{self, MemoryNeeds},
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    let Some((nodes, nodes_at)) = cluster.nodes.known() else { return };
    let Some(MemoryNeeds { request: needed, .. }) = sizing::needed(cluster) else { return };
    for server in cluster.metrics_servers.iter().filter(|it| it.resizer.is_none()) {
        let Some((request, at)) = server.memory_request.known() else { continue };
        // `memory-limit-too-low` says more where the limit does not suffice either.
        let limited = server.memory_limit.value().is_some_and(|limit| *limit < needed);
        if *request >= needed || request.bytes == 0 || limited {
            continue;
        }
        let message = format!(
            "{request} are requested for {} nodes: metrics-server needs about {needed}, and a node \
             that is full evicts it",
            nodes.min
        );
        let finding = findings.at(&at.or(&server.anchor), &server.subject(), message);
        finding
            .weigh([needed.bytes, nodes.min])
            .also(nodes_at, "the cluster's size")
            .help(format!("raise the memory request to {needed}"));
        if !at.is_default() {
            finding.label("the request");
        }
    }
}
