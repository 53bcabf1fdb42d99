use crate::{
    finding::{Change, Findings, Severity},
    model::{Cluster, Count, MI, Memory},
    sizing::{self, MemoryNeeds, most},
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    let nodes = cluster.nodes.known();
    let pods = cluster.pods_per_node.value().map(|pods| pods.min);
    // With a resizer, what is written counts only until it has looked at the cluster.
    for server in cluster.metrics_servers.iter().filter(|server| server.resizer.is_none()) {
        let limit = server.memory_limit.known().filter(|(it, _)| !it.lacks_unit());
        let Some((limit, origin)) = limit else { continue };
        let origin = origin.or(&server.anchor);
        let subject = server.subject();
        if let Some((nodes, at)) = nodes
            && let Some(MemoryNeeds { request: requested, limit: needed }) = sizing::needed(cluster)
            && limit.bytes > 0
            && *limit < needed
        {
            let (variant, amount) = describe(*nodes);
            // A limit below what is requested is refused.
            let request = server.memory_request.value().filter(|it| **it > needed);
            let mut changes = vec![Change::value(&origin, request.unwrap_or(&needed).to_string())];
            // What is requested is to suffice as well.
            if let Some((request, at)) = server.memory_request.known()
                && *request < requested
            {
                let text = requested.to_string();
                changes.push(match at.is_default() {
                    true => Change::beside(&origin, 2, "requests.memory", text),
                    false => Change::with(at, &origin, text),
                });
            }
            let finding = findings
                .at(
                    &origin,
                    &subject,
                    format!(
                        "{limit} is too little for {amount}: metrics-server needs about {needed}"
                    ),
                )
                .variant(variant)
                .weigh([needed.bytes, most(*nodes)])
                .label("the limit")
                .also(at, "the cluster's size")
                .help(format!("raise the memory limit to {needed} or more"))
                .unsafe_fix(&["memory_limit", "memory_request"], changes);
            if let Some((_, at)) = cluster.pods_per_node.known() {
                finding.also(at, "pods on a node");
            }
            let least = sizing::least(nodes.min, pods, server.versions.last());
            if limit.bytes >= least {
                finding.at_most(Severity::Warning);
            } else {
                let least = Memory::mebibytes(least.div_ceil(MI));
                finding.note(format!(
                    "with less than {least} it is killed once it has seen all nodes"
                ));
            }
        } else if limit.bytes > 0 && limit.bytes <= sizing::SMALLEST {
            findings
                .at(
                    &origin,
                    &subject,
                    format!(
                        "{limit} is too little for any cluster: a few nodes need nearly as much"
                    ),
                )
                .variant("any-cluster")
                .at_most(Severity::Warning)
                .help(
                    "raise the memory limit to at least 64Mi, plus 2Mi a node in larger clusters",
                );
        }
    }
}

/// The variant, and the size in words.
fn describe(nodes: Count) -> (&'static str, String) {
    let most = most(nodes);
    let noun = if most == 1 { "node" } else { "nodes" };
    match nodes.max {
        None => ("at-least", format!("{most} {noun} or more")),
        Some(_) if most == nodes.min => ("", format!("{most} {noun}")),
        Some(_) => ("at-most", format!("up to {most} {noun}")),
    }
}
