use crate::{finding::Findings, model::Cluster};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in &cluster.metrics_servers {
        let Some(release) = &server.release else { continue };
        let (Some((true, monitor)), Some((false, metrics))) =
            (release.service_monitor_enabled.known(), release.metrics_enabled.known())
        else {
            continue;
        };
        let finding = findings.at(
            &monitor.or(&server.anchor),
            &server.subject(),
            "the chart makes no ServiceMonitor: it wants metrics.enabled too",
        );
        finding.help("set metrics.enabled: true");
        if !metrics.is_default() {
            finding.also(metrics, "metrics are off");
        }
    }
}
