use crate::{
    finding::{Change, Findings},
    model::{Cluster, Fact, IntOrPercent, MetricsServer},
    tree::{Origin, Via},
};

/// What a fix of a strategy changes.
const STRATEGY: [&str; 3] = ["strategy_type", "strategy_max_unavailable", "strategy_max_surge"];

/// What Kubernetes makes of a strategy that does not say.
const DEFAULT: IntOrPercent = IntOrPercent::Percent(25);

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in &cluster.metrics_servers {
        // The pods of a DaemonSet serve together: a rollout takes them one by one.
        if server.kind.value().is_some_and(|kind| kind == "Deployment") {
            check_server(server, findings);
        }
    }
}

fn check_server(server: &MetricsServer, findings: &mut Findings) {
    let subject = server.subject();
    match &server.strategy_type {
        Fact::Known(kind, origin) if kind == "Recreate" => {
            let finding = findings
                .at(
                    &origin.or(&server.anchor),
                    &subject,
                    "Recreate stops every replica before a rollout starts a new one",
                )
                .variant("recreate")
                .help("use RollingUpdate with maxUnavailable: 0");
            // A port of the host cannot be had twice on a node.
            if server.host_network.value() != Some(&true) {
                finding.unsafe_fix(&STRATEGY, [Change::value(origin, "RollingUpdate")]);
            }
            return;
        }
        Fact::Known(kind, _) if kind != "RollingUpdate" => return,
        Fact::Unknown(..) | Fact::Invalid { .. } => return,
        Fact::Known(..) | Fact::Absent(_) => {}
    }
    let Some((replicas, _)) = or_default(&server.replicas, 1).filter(|(count, _)| *count > 0)
    else {
        return;
    };
    let Some((unavailable, at)) = or_default(&server.strategy_max_unavailable, DEFAULT) else {
        return;
    };
    let surge = or_default(&server.strategy_max_surge, DEFAULT);
    if is_zero(unavailable) && surge.is_some_and(|(surge, _)| is_zero(surge)) {
        // One of the two is written, since the defaults are not 0; validation refuses both.
        let at = at.filter(|origin| !origin.is_default()).unwrap_or(&server.anchor);
        findings
            .at(
                &at.or(&server.anchor),
                &subject,
                "Kubernetes refuses a strategy with maxUnavailable and maxSurge both 0",
            )
            .variant("refused")
            .help("leave maxSurge out, or set it to 1")
            .unsafe_fix(&STRATEGY, [raised(server)]);
        return;
    }
    let Some((away, at)) = away(replicas, (unavailable, at), surge) else { return };
    let Some(at) = at.filter(|origin| !origin.is_default()) else { return };
    let (all, count) = if replicas == 1 {
        ("only", "the only replica".into())
    } else {
        ("all", format!("{away} of {replicas} replicas"))
    };
    let numbers = [away, replicas].map(|it| u64::try_from(it).unwrap_or(u64::MAX));
    if away >= replicas {
        let finding = findings.at(
            at,
            &subject,
            format!("a rollout may take {count} away before a new one is ready"),
        );
        finding.variant(all).weigh(numbers);
        finding.help("set maxUnavailable to 0, which needs a maxSurge above 0");
        let none = server.strategy_max_unavailable.origin().map(|it| Change::scalar(it, 0));
        let surges = surge.is_none_or(|(surge, _)| surge.of(replicas, true) > 0);
        let one = (!surges).then(|| raised(server));
        finding.unsafe_fix(&STRATEGY, none.into_iter().chain(one));
    } else if at.last().via != Via::UpstreamManifest {
        findings
            .at(
                at,
                &subject,
                format!("a rollout may take {count} away, which leaves {}", replicas - away),
            )
            .variant("some")
            .weigh(numbers)
            .help("set maxUnavailable to 0 unless replicas must not share a node")
            .pedantic();
    }
}

/// A surge that lets a rollout begin.
fn raised(server: &MetricsServer) -> Option<Change> {
    server.strategy_max_surge.origin().and_then(|it| Change::scalar(it, 1))
}

/// How many of `replicas` a rollout may take away, and what decides that, when it is any.
///
/// As `ResolveFenceposts` does in `pkg/controller/deployment/util` of Kubernetes: a share of the
/// replicas is rounded down here and up for the surge, and when both come to 0, 1 may go.
fn away<'a>(
    replicas: i128,
    unavailable: (IntOrPercent, Option<&'a Origin>),
    surge: Option<(IntOrPercent, Option<&'a Origin>)>,
) -> Option<(i128, Option<&'a Origin>)> {
    let count = unavailable.0.of(replicas, false);
    if count > 0 {
        return Some((count.min(replicas), unavailable.1));
    }
    let (surge, at) = surge?;
    (surge.of(replicas, true) == 0).then_some((1, at))
}

/// Whether it is 0 as written, not only for so few replicas.
fn is_zero(count: IntOrPercent) -> bool {
    matches!(count, IntOrPercent::Int(0) | IntOrPercent::Percent(0))
}

/// The value and who says so, unless nobody can tell.
fn or_default<T: Copy>(fact: &Fact<T>, default: T) -> Option<(T, Option<&Origin>)> {
    match fact {
        Fact::Known(value, origin) => Some((*value, Some(origin))),
        Fact::Absent(by) => Some((default, by.as_ref())),
        Fact::Unknown(..) | Fact::Invalid { .. } => None,
    }
}
