use crate::{
    finding::{Change, Findings},
    model::{Cluster, Fact},
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in &cluster.metrics_servers {
        let (at, name) = match &server.priority_class {
            Fact::Known(name, origin) => (origin.or(&server.anchor), name.as_str()),
            Fact::Absent(Some(by)) => (by.or(&server.anchor), ""),
            Fact::Absent(None) if !server.managed => (server.anchor.clone(), ""),
            Fact::Absent(None) | Fact::Unknown(..) | Fact::Invalid { .. } => continue,
        };
        let finding = match name {
            "system-cluster-critical" | "system-node-critical" => continue,
            "" => findings.at(
                &at,
                &server.subject(),
                "metrics-server has no priority: it is evicted like any other pod",
            ),
            // Somebody may have given their own class a high value.
            _ => findings
                .at(
                    &at,
                    &server.subject(),
                    format!("metrics-server's priority class {name} is not one of Kubernetes' critical ones"),
                )
                .variant("other")
                .pedantic(),
        };
        finding.help("set priorityClassName to system-cluster-critical");
        let class = "system-cluster-critical";
        match (&server.priority_class, &server.pod, &server.chart) {
            // A null takes the chart's default away, and somebody may mean that.
            (Fact::Absent(Some(at)), ..) => {
                finding.unsafe_fix(&["priority_class"], [Change::value(at, class)]);
            }
            (Fact::Known(name, at), ..) if name.is_empty() => {
                finding.safe_fix(&["priority_class"], [Change::value(at, class)]);
            }
            (Fact::Absent(None), Some(pod), None) => {
                let insert = Change::entry(&pod.spec, &["priorityClassName"], class);
                finding.safe_fix(&["priority_class"], [insert]);
            }
            _ => {}
        }
    }
}
