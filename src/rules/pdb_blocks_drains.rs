use crate::{
    finding::{Change, Findings},
    model::{Cluster, Fact},
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in &cluster.metrics_servers {
        // Drains leave the pods of a DaemonSet alone.
        if server.kind.value().is_none_or(|kind| kind != "Deployment") {
            continue;
        }
        let replicas = server.replicas.known();
        let count = replicas.map(|(count, _)| *count);
        let (message, at, change) = match (&server.pdb_min_available, &server.pdb_max_unavailable) {
            (Fact::Known(least, at), Fact::Absent(_)) => {
                let Some(count) = count.filter(|it| *it > 0) else { continue };
                if least.of(count, true) < count {
                    continue;
                }
                (
                    format!(
                        "the PodDisruptionBudget keeps {least} of {count} available: nothing may be evicted"
                    ),
                    at,
                    Change::other(at, "maxUnavailable", 1),
                )
            }
            (Fact::Absent(_), Fact::Known(most, at)) => {
                // A share is rounded up, so that only 0 of it is none.
                if count == Some(0) || most.of(count.unwrap_or(1), true) > 0 {
                    continue;
                }
                (
                    format!(
                        "the PodDisruptionBudget has maxUnavailable {most}: nothing may be evicted"
                    ),
                    at,
                    Change::scalar(at, 1),
                )
            }
            _ => continue,
        };
        let finding = findings
            .at(
                &at.or(&server.anchor),
                &server.subject(),
                format!("{message}, and drains wait for ever"),
            )
            .help("set maxUnavailable: 1 in place of minAvailable, or run another replica")
            .unsafe_fix(
                &["disruption_budgets", "pdb_min_available", "pdb_max_unavailable"],
                [change],
            );
        if let Some((count, at)) = replicas {
            finding.also(at, format!("replicas: {count}"));
        }
    }
}
