use crate::{
    finding::{Findings, Severity},
    model::Cluster,
};

/// Whose control planes have the taint unless somebody takes it away.
const TAINTED: [&str; 4] = ["kubeadm", "Talos", "kOps", "Cluster API"];

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    // The only node of a cluster takes any pod, or none would run.
    let single = cluster.nodes.value().is_some_and(|it| it.max == Some(1));
    if cluster.local.is_some() || cluster.open_control_plane.is_some() || single {
        return;
    }
    for server in &cluster.metrics_servers {
        let Some(placement) = server.pod.as_ref().map(|it| &it.placement) else { continue };
        let Some(((label, value), at)) = placement.control_plane.known() else { continue };
        // k3s and RKE2 give this label the value `true`, and no taint.
        if !value.is_empty() || placement.tolerates_control_plane != Some(false) {
            continue;
        }
        let message = format!(
            "metrics-server asks for nodes with {label}, and does not tolerate their taint: its \
             pods stay Pending"
        );
        let finding = findings.at(&at.or(&server.anchor), &server.subject(), message);
        finding.help("tolerate it: {key: node-role.kubernetes.io/control-plane, effect: NoSchedule, operator: Exists}");
        match &cluster.platform {
            Some(runs_on) if TAINTED.contains(&runs_on.name) => {
                finding
                    .also(&runs_on.evidence.1, format!("{} taints control planes", runs_on.name));
            }
            _ => _ = finding.at_most(Severity::Warning),
        }
    }
}
