use crate::{finding::Findings, model::Cluster};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in &cluster.metrics_servers {
        let Some(resizer) = &server.resizer else { continue };
        let place = resizer.asked.as_ref().unwrap_or(&resizer.origin).or(&server.anchor);
        let (variant, message, help) = if let Some(volume) = &resizer.undeclared {
            (
                "volume",
                format!(
                    "Kubernetes refuses the Deployment: the resizer mounts {volume}, which is no volume of the pod"
                ),
                ("use version 3.10.0 of the chart or a newer one", "declare the volume"),
            )
        } else if let Some((namespace, _)) = &resizer.bound_elsewhere {
            (
                "role",
                format!(
                    "the resizer may change nothing in {}: its role is bound in {namespace}",
                    server.namespace
                ),
                (
                    "use version 3.12.2 of the chart or a newer one, or install it in kube-system",
                    "bind its role in the namespace of metrics-server",
                ),
            )
        } else {
            continue;
        };
        let finding = findings.at(&place, &server.subject(), message);
        finding.variant(variant).help(if server.chart.is_some() { help.0 } else { help.1 });
        if let Some((_, at)) = &resizer.bound_elsewhere {
            finding.also(at, "its role is bound here");
        }
        if server.chart.is_some() {
            finding.also(&server.anchor, "the version of the chart");
        }
    }
}
