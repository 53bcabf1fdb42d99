use crate::{
    finding::Findings,
    model::{
        Autoscaler, Cluster,
        autoscaler::{Need, VerticalAutoscaler},
    },
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for scaler in &cluster.autoscalers {
        let vertical = scaler.workload.value().map(|it| &it.vertical);
        for vertical in vertical.into_iter().flatten() {
            let fights = |need: &&Need| {
                let mut sets = vertical.sets.iter();
                sets.any(|(name, resource)| {
                    *resource == need.resource
                        && need.container.as_ref().is_none_or(|(only, _)| only == name)
                })
            };
            if let Some(need) = scaler.needs.iter().find(fights) {
                report(scaler, vertical, need, findings);
            }
        }
    }
}

fn report(
    scaler: &Autoscaler,
    vertical: &VerticalAutoscaler,
    need: &Need,
    findings: &mut Findings,
) {
    let (resource, name) = (need.resource, &vertical.name);
    findings
        .at(
            &vertical.anchor,
            &format!("{} {name} {}", scaler.subject(), resource.name()),
            format!(
                "the VerticalPodAutoscaler {name} changes the {} request of which {} targets a share",
                resource.words(),
                scaler.words()
            ),
        )
        .also(
            &need.origin.or(&scaler.anchor),
            format!("{} targets {}", scaler.words(), need.words()),
        )
        .help(format!(
            "take {} out of controlledResources, set updateMode: \"Off\", or scale by another metric",
            resource.name()
        ));
}
