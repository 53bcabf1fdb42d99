use crate::{finding::Findings, model::Cluster};

/// The classes that GKE allows only where a `ResourceQuota` names them, as its own does in kube-system.
const CRITICAL: [&str; 2] = ["system-cluster-critical", "system-node-critical"];

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    let Some(platform) = cluster.platform.as_ref().filter(|it| it.name == "GKE") else { return };
    if cluster.unseen.is_some() {
        return;
    }
    for server in cluster.metrics_servers.iter().filter(|it| !it.managed) {
        let Some((class, at)) = server.priority_class.known() else { continue };
        if !CRITICAL.contains(&&**class)
            || server.namespace == "kube-system"
            || !server.resource_quota.is_absent()
        {
            continue;
        }
        let (says, evidence) = &platform.evidence;
        findings
            .at(
                &at.or(&server.anchor),
                &server.subject(),
                format!(
                    "GKE refuses pods of {class} in {}: no ResourceQuota there allows them",
                    server.namespace
                ),
            )
            .also(evidence, says)
            .help("install it into kube-system, or add a ResourceQuota with that PriorityClass");
    }
}
