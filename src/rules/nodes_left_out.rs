use crate::{
    finding::Findings,
    model::{Argument, Cluster},
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in &cluster.metrics_servers {
        let selector = |argument| match argument {
            Argument::Flag { name: "node-selector", value: Some((text, at)), .. } => {
                Some((text, at)).filter(|_| at.unknown.is_none() && !text.is_empty())
            }
            _ => None,
        };
        let Some((text, at)) = server.arguments().into_iter().filter_map(selector).next_back()
        else {
            continue;
        };
        let message = format!(
            "metrics-server reads from nodes with `{text}` alone: pods on all others have no metrics"
        );
        findings
            .at(&at.origin.or(&server.anchor), &server.subject(), message)
            .help("remove --node-selector unless another metrics pipeline has the other nodes");
    }
}
