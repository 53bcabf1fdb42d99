use crate::{finding::Findings, model::Cluster};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for misplaced in &cluster.misplaced {
        findings.at(&misplaced.origin, &misplaced.key, &*misplaced.says).help(&*misplaced.belongs);
    }
}
