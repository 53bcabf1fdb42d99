use crate::{
    finding::Findings,
    model::{Cluster, MetricsServer, NetworkPolicy, Opening, Pod, PortRef},
    tree::Origin,
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    // What is not in sight may hold the policy that opens the port.
    if cluster.unseen.is_some() {
        return;
    }
    for server in &cluster.metrics_servers {
        // Policies leave alone what is on the host's network.
        let (Some(pod), Some(false)) = (&server.pod, server.host_network.value()) else { continue };
        let Some(policies) = &server.policies else { continue };
        let (inward, outward) = (inward(server, pod, policies), outward(server, policies));
        match (inward, outward) {
            // One that closes both ways is one mistake.
            (Some(closed), Some(other)) if closed.is_same(&other) => {
                report(server, &closed, Way::Both, findings);
            }
            (inward, outward) => {
                for (closed, way) in [(inward, Way::In), (outward, Way::Out)] {
                    if let Some(closed) = closed {
                        report(server, &closed, way, findings);
                    }
                }
            }
        }
    }
}

/// Which way is closed.
#[derive(Clone, Copy)]
enum Way {
    In,
    Out,
    Both,
}

fn report(server: &MetricsServer, closed: &Closed, way: Way, findings: &mut Findings) {
    let Closed { policy, ports, port, port_at, at } = closed;
    let message = match (way, ports) {
        (Way::In, Some(ports)) => {
            format!("{policy} opens {ports}, but metrics-server's pods listen on {port}")
        }
        (Way::Out, Some(ports)) => {
            format!("{policy} lets metrics-server reach {ports}, but kubelets listen on {port}")
        }
        (Way::In, None) => {
            format!("{policy} lets pods alone reach metrics-server, and the API server is none")
        }
        (Way::Out, None) => {
            format!("{policy} lets metrics-server reach pods alone, and kubelets are on nodes")
        }
        (Way::Both, _) => format!(
            "{policy} closes metrics-server to all but pods: the API server and kubelets are none"
        ),
    };
    let (variant, help, listens) = match way {
        Way::In => (
            "ingress",
            format!(
                "add an ingress rule for port {port} without `from`, or with an ipBlock of the API servers"
            ),
            format!("metrics-server listens on {port}"),
        ),
        Way::Out => (
            "egress",
            format!(
                "add an egress rule for port {port} without `to`, or with an ipBlock of the nodes"
            ),
            format!("kubelets are asked at {port}"),
        ),
        Way::Both => (
            "both",
            format!(
                "add a policy with an ingress rule for port {port}, and egress to nodes and API servers"
            ),
            format!("metrics-server listens on {port}"),
        ),
    };
    let finding = findings.at(at, &server.subject(), message);
    finding.variant(variant).help(help).also(port_at, listens);
}

/// Why the API server cannot ask the pod, at its own port: a Service's is translated before.
fn inward(server: &MetricsServer, pod: &Pod, policies: &[NetworkPolicy]) -> Option<Closed> {
    let (port, at) = server.listens_on()?;
    let number = |it: &PortRef| match it {
        PortRef::Number(number) => *number,
        named @ PortRef::Name(_) => pod.declared(named, false).map_or(0, |it| it.number),
    };
    let rules = policies.iter().filter_map(|it| Some((it, it.ingress.as_deref()?)));
    closed(rules, (port, at), number)
}

/// Why it cannot ask kubelets, which are asked at their nodes.
fn outward(server: &MetricsServer, policies: &[NetworkPolicy]) -> Option<Closed> {
    let (port, at) = server.kubelet_port.known()?;
    // A name is one of the pods that are reached: nodes have none.
    let number = |it: &PortRef| match it {
        PortRef::Number(number) => *number,
        PortRef::Name(_) => 0,
    };
    let rules = policies.iter().filter_map(|it| Some((it, it.egress.as_deref()?)));
    closed(rules, (*port, at), number)
}

/// Why no rule lets through what is no pod.
struct Closed {
    /// The policy.
    policy: String,
    /// The ports that it opens, where it is about others.
    ports: Option<String>,
    /// The port that matters, and what says so.
    port: i128,
    port_at: Origin,
    /// Where to edit.
    at: Origin,
}

impl Closed {
    fn is_same(&self, other: &Self) -> bool {
        self.ports.is_none() && other.ports.is_none() && self.at == other.at
    }
}

/// What closes the way to `port`, if any policy is about it and none opens it: together they allow
/// whatever one of them does.
fn closed<'a>(
    policies: impl Iterator<Item = (&'a NetworkPolicy, &'a [Opening])>,
    (port, port_at): (i128, &Origin),
    number: impl Fn(&PortRef) -> i128,
) -> Option<Closed> {
    let opens = |rule: &Opening| {
        rule.ports.value().is_none_or(|ports| {
            ports.iter().any(|it| {
                let first = number(&it.port);
                (first..=it.last.unwrap_or(first)).contains(&port)
            })
        })
    };
    let mut closed = None;
    for (policy, rules) in policies {
        let because = |ports, at: &Origin| Closed {
            policy: format!("NetworkPolicy {}", policy.name),
            ports,
            port,
            port_at: port_at.clone(),
            at: at.or(&policy.anchor),
        };
        for rule in rules.iter().filter(|it| it.beyond_pods != Some(false)) {
            if opens(rule) {
                return None;
            }
            let ports = rule.ports.value().into_iter().flatten().map(|it| match &it.port {
                PortRef::Number(number) => format!("port {number}"),
                PortRef::Name(name) => format!("port {name}"),
            });
            let ports: Vec<_> = ports.collect();
            let ports = if ports.is_empty() { "no TCP port".to_owned() } else { ports.join(", ") };
            let at = rule.ports.origin().unwrap_or(&rule.origin);
            closed = Some(because(Some(ports), at));
        }
        let at = rules.first().map_or(&policy.anchor, |it| &it.origin);
        closed.get_or_insert_with(|| because(None, at));
    }
    closed
}
