use crate::{
    finding::Findings,
    model::{Cluster, Fact, IntOrPercent, MetricsServer, Pod},
    tree::Origin,
};

/// What a rule of the scheduler calls a node.
const HOSTNAME: &str = "kubernetes.io/hostname";

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    let Some((nodes, nodes_at)) = cluster.nodes.known() else { return };
    let Some(nodes) = nodes.max.map(i128::from).filter(|it| *it > 0) else { return };
    for server in &cluster.metrics_servers {
        let Some(pod) = &server.pod else { continue };
        let is_deployment = server.kind.value().is_some_and(|it| it == "Deployment");
        let Some((replicas, replicas_at)) = server.replicas.known().filter(|_| is_deployment)
        else {
            continue;
        };
        let Some((why, apart)) = kept_apart(server, pod) else { continue };
        let (replicas, noun) = (*replicas, if nodes == 1 { "node" } else { "nodes" });
        let place;
        let (variant, message, help) = if replicas > nodes {
            place = replicas_at.or(apart);
            let (left, stay) = match replicas - nodes {
                1 => (1, "stays"),
                more => (more, "stay"),
            };
            let message =
                format!("{replicas} replicas on {nodes} {noun}: {why}, and {left} {stay} Pending");
            ("replicas", message, "run as many replicas as there are nodes, or prefer other nodes")
        } else if replicas == nodes && waits_for_new(server, replicas) {
            place = apart.clone();
            let message = format!(
                "a rollout never ends: its new pod needs a node without one, but {replicas} \
                 replicas have all {nodes} {noun}, since {why}"
            );
            (
                "rollout",
                message,
                "set maxUnavailable: 1, or prefer other nodes rather than require them",
            )
        } else {
            continue;
        };
        let finding = findings.at(&place.or(&server.anchor), &server.subject(), message);
        finding.variant(variant).help(help).also(nodes_at, "the cluster's size");
        finding.also(replicas_at, format!("replicas: {replicas}"));
        if let Some(at) = server.strategy_max_unavailable.origin() {
            finding.also(at, "maxUnavailable, which comes to 0");
        }
    }
}

/// Why no two of its pods run on one node, and what says so.
fn kept_apart<'a>(server: &'a MetricsServer, pod: &'a Pod) -> Option<(&'static str, &'a Origin)> {
    let own = |namespaces: &Fact<Vec<String>>| match namespaces {
        Fact::Known(names, _) => names.is_empty() || names.contains(&server.namespace),
        Fact::Absent(_) => true,
        Fact::Unknown(..) | Fact::Invalid { .. } => false,
    };
    let term = pod.spreads.iter().find(|it| {
        it.is_required
            && !it.is_constraint
            && it.selects_itself == Some(true)
            && it.topology.value().is_some_and(|it| it == HOSTNAME)
            && own(&it.namespaces)
    });
    if let Some(term) = term {
        return Some(("the anti-affinity allows one on each", &term.origin));
    }
    // What a container declares is a port of the host then: `SetDefaults_PodSpec`.
    let (_, at) = server.host_network.known().filter(|(on, _)| **on)?;
    let declares = pod.ports.value().is_some_and(|it| !it.is_empty());
    declares.then_some(("each has the same port of its node", at))
}

/// Whether a rollout takes no pod away before a new one is ready, as `ResolveFenceposts` of
/// `pkg/controller/deployment/util` in Kubernetes counts.
fn waits_for_new(server: &MetricsServer, replicas: i128) -> bool {
    let rolling = server.strategy_type.value().is_some_and(|it| it == "RollingUpdate");
    let count = |fact: &Fact<IntOrPercent>, up| fact.value().map(|it| it.of(replicas, up));
    let unavailable = count(&server.strategy_max_unavailable, false);
    let surge = count(&server.strategy_max_surge, true);
    rolling && unavailable == Some(0) && surge.is_some_and(|it| it > 0)
}
