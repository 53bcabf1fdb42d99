use super::is_one;
use crate::{finding::Findings, model::Cluster};

/// Where the kubelet beside a pod on Fargate listens.
const KUBELET: i128 = 10250;

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    if !is_one(cluster) {
        return;
    }
    for server in &cluster.metrics_servers {
        let Some((why, evidence)) = &server.fargate else { continue };
        let Some((_, at)) = server.listens_on().filter(|(port, _)| *port == KUBELET) else {
            continue;
        };
        let message = "on Fargate port 10250 belongs to the kubelet beside the pod: \
                       metrics-server is not reached";
        let finding = findings.at(&at.or(&server.anchor), &server.subject(), message);
        finding.also(evidence, why.as_str()).help(match server.port_value {
            Some(key) => format!("set {key}: 10251"),
            None => "use another port in --secure-port, ports and probes, such as 10251".to_owned(),
        });
    }
}
