use crate::{finding::Findings, model::Cluster};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for variable in cluster.variables.iter().filter(|it| it.is_used != Some(false)) {
        let Some((later, at)) = variable.overridden.as_ref().and_then(|it| it.known()) else {
            continue;
        };
        let name = &variable.name;
        let Some(value) = variable.value.value().filter(|it| *it != later) else { continue };
        findings
            .at(
                &variable.origin,
                name,
                format!("`{name}` is defined twice: it is not {value} but {later}"),
            )
            .also(at, "this definition comes later, and counts")
            .help("remove the definition that does not count, or leave it for a default");
    }
}
