use crate::{finding::Findings, model::Cluster};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for variable in cluster.variables.iter().filter(|it| it.is_used == Some(false)) {
        let name = &variable.name;
        findings
            .at(&variable.origin, name, format!("nothing uses the variable `{name}`"))
            .help(format!("write ${{{name}}} where its value belongs, or remove it"));
    }
}
