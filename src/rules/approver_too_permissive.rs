use crate::{finding::Findings, model::Cluster};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for approver in &cluster.approvers {
        for (weakness, at) in &approver.weaknesses {
            findings
                .at(
                    &at.or(&approver.origin),
                    &format!("approver {}", approver.name),
                    format!("{}: {weakness}", approver.name),
                )
                .variant(weakness.id())
                .help(
                    "restrict what the approver accepts to the names and addresses of your nodes",
                );
        }
    }
}
