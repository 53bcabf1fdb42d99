use crate::{
    finding::{Finding, Findings, Severity},
    model::{Budget, Cluster, Fact, IntOrPercent},
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    let (bundled, own): (Vec<_>, Vec<_>) =
        cluster.metrics_servers.iter().partition(|server| server.managed);
    for budget in &cluster.budgets {
        if check_numbers(budget, findings) {
            continue;
        }
        // Pods that are not in sight may be meant.
        if cluster.unseen.is_some() || !bundled.is_empty() || own.is_empty() {
            continue;
        }
        if let Some((false, _)) = budget.selects.known() {
            let subject = budget.subject();
            let finding = findings
                .at(
                    &budget.anchor,
                    &subject,
                    format!("PodDisruptionBudget {} selects no pod of metrics-server", budget.name),
                )
                .variant("pods")
                .at_most(Severity::Warning)
                .help("select the labels that the pods have, in their namespace");
            for server in own.iter().filter(|it| it.namespace != budget.namespace) {
                finding.also(&server.anchor, format!("metrics-server is in {}", server.namespace));
            }
        }
    }
}

/// Whether the numbers of `budget` are none.
fn check_numbers(budget: &Budget, findings: &mut Findings) -> bool {
    let subject = budget.subject();
    match (&budget.min_available, &budget.max_unavailable) {
        (Fact::Known(_, least), Fact::Known(_, most)) => {
            findings
                .at(
                    &least.or(&budget.anchor),
                    &subject,
                    "Kubernetes refuses a PodDisruptionBudget with both minAvailable and maxUnavailable",
                )
                .variant("both")
                .also(most, "maxUnavailable beside minAvailable")
                .help("remove one of them");
        }
        (Fact::Absent(least), Fact::Absent(most)) => {
            let at = least.as_ref().or(most.as_ref()).unwrap_or(&budget.anchor);
            warn(findings.at(
                &at.or(&budget.anchor),
                &subject,
                "a PodDisruptionBudget with neither minAvailable nor maxUnavailable allows no eviction",
            ))
            .variant("neither");
        }
        (Fact::Known(IntOrPercent::Int(0) | IntOrPercent::Percent(0), at), Fact::Absent(_)) => {
            warn(findings.at(
                &at.or(&budget.anchor),
                &subject,
                "the PodDisruptionBudget wants no pod to stay: all may be evicted at once",
            ))
            .variant("zero");
        }
        _ => return false,
    }
    true
}

fn warn(finding: &mut Finding) -> &mut Finding {
    finding.at_most(Severity::Warning).help("set maxUnavailable: 1")
}
