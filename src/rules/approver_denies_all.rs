use crate::{finding::Findings, model::Cluster};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for approver in &cluster.approvers {
        let Some(at) = &approver.denies_all else { continue };
        findings
            .at(
                &at.or(&approver.origin),
                &format!("approver {}", approver.name),
                format!(
                    "{} 1.2.0 denies every request when it is told to resolve no names",
                    approver.name
                ),
            )
            .also(&approver.origin, "the approver")
            .help("use 1.2.1 or newer");
    }
}
