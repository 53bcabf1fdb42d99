use super::is_one;
use crate::{finding::Findings, model::Cluster};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    if !is_one(cluster) {
        return;
    }
    let (bundled, own): (Vec<_>, Vec<_>) =
        cluster.metrics_servers.iter().partition(|server| server.managed);
    let Some(bundled) = bundled.first() else { return };
    for server in own {
        findings
            .at(
                &server.anchor,
                &server.subject(),
                "this is a second metrics-server: the platform brings its own",
            )
            .also(&bundled.anchor, "this brings a metrics-server")
            .help("remove one of them: both claim the APIService v1beta1.metrics.k8s.io");
    }
}
