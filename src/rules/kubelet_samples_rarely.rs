use crate::{
    finding::Findings,
    model::{Cluster, Duration},
};

/// The interval of upstream's metrics-server.
const OFTEN: u32 = 15;

/// What autoscalers are slow with, and what metrics-server has no second sample in.
const RARELY: u32 = 60;

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for kubelet in &cluster.kubelets {
        let Some((interval, at)) = kubelet.housekeeping_interval.known() else { continue };
        if *interval <= Duration::seconds(OFTEN) {
            continue;
        }
        let message = format!(
            "kubelets measure containers every {interval}: pods have no metrics for as long ({})",
            kubelet.group
        );
        let finding = findings.at(
            &at.or(&kubelet.anchor),
            &format!("{} {}", kubelet.cluster, kubelet.group),
            message,
        );
        finding.help("leave housekeeping-interval out: the kubelet's default is 10s");
        if *interval <= Duration::seconds(RARELY) {
            finding.pedantic();
        }
    }
}
