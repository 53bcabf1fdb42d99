use super::is_one;
use crate::{
    finding::{Change, Findings, Severity},
    model::{Cluster, Kubelet, MetricsServer},
};

/// The port at which a kubelet serves plain HTTP to everybody when it is told to.
const READ_ONLY_PORT: i128 = 10255;

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    let opened = |it: &&Kubelet| it.read_only_port.value() == Some(&READ_ONLY_PORT);
    let open = cluster.kubelets.iter().find(opened).filter(|_| is_one(cluster));
    for server in &cluster.metrics_servers {
        let port = server.kubelet_port.known().filter(|(port, _)| **port == READ_ONLY_PORT);
        let plain = server.kubelet_completely_insecure.known().filter(|(on, _)| **on);
        let (variant, message, at) = match (port, plain) {
            (_, Some((_, at))) => (
                "plain",
                "metrics-server reads from kubelets without TLS, which they serve at their read-only port alone",
                at,
            ),
            (Some((_, at)), None) => (
                "port",
                "metrics-server reads from the kubelets' read-only port, which serves no TLS and is closed by default",
                at,
            ),
            (None, None) => continue,
        };
        let finding = findings
            .at(&at.or(&server.anchor), &server.subject(), message)
            .variant(variant)
            .help("remove it: kubelets serve metrics with TLS at port 10250");
        let mut changes = vec![Change::remove(at)];
        if let (Some((_, port)), Some(_)) = (port, plain) {
            finding.also(port, "the port");
            changes.push(Change::remove(port));
        }
        finding.unsafe_fix(&["kubelet_completely_insecure", "kubelet_port"], changes);
        if let Some(kubelet) = open
            && let Some(at) = kubelet.read_only_port.origin()
        {
            finding.also(at, "these kubelets open it").at_most(Severity::Warning);
        }
    }
    // A metrics-server that reads there would read nothing any more.
    let reads = |it: &MetricsServer| {
        it.kubelet_port.value() == Some(&READ_ONLY_PORT)
            || it.kubelet_completely_insecure.value() == Some(&true)
    };
    let is_read = cluster.metrics_servers.iter().any(reads);
    for kubelet in &cluster.kubelets {
        let Some((port, origin)) = kubelet.read_only_port.known() else { continue };
        if *port == 0 || origin.is_default() {
            continue;
        }
        let message = format!(
            "kubelets ({}) serve what runs on their nodes to everybody, without TLS, at port {port}",
            kubelet.group
        );
        let subject = format!("{} {}", kubelet.cluster, kubelet.group);
        let finding = findings.at(&origin.or(&kubelet.anchor), &subject, message);
        finding.variant("kubelet").at_most(Severity::Warning).help("remove it, or set it to 0");
        if !is_read {
            finding.safe_fix(&["read_only_port"], [Change::part(origin, port.to_string(), "0")]);
        }
    }
}
