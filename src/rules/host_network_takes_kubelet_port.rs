use crate::{
    finding::Findings,
    model::{Cluster, Kubelet},
};

/// Where a kubelet serves, unless it is told otherwise: its API, and its own health, which
/// `pkg/kubelet/apis/config/v1beta1/defaults.go` of Kubernetes puts at 10250 and 10248.
const API: i128 = 10250;
const HEALTH: i128 = 10248;

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    let kubelets = &cluster.kubelets;
    let listens = |port: i128| match port {
        // A kubelet that listens elsewhere leaves its port free.
        API => {
            kubelets.is_empty()
                || kubelets.iter().any(|it| it.port.value().is_none_or(|it| *it == API))
        }
        HEALTH => true,
        _ => kubelets.iter().any(|it| opens(it, port)),
    };
    for server in &cluster.metrics_servers {
        let Some((_, at)) = server.host_network.known().filter(|(on, _)| **on) else { continue };
        let Some((port, takes)) = server.secure_port.known().filter(|(it, _)| listens(**it)) else {
            continue;
        };
        let message = format!(
            "on the host's network port {port} belongs to the kubelet: metrics-server cannot start"
        );
        let finding = findings.at(&at.or(&server.anchor), &server.subject(), message);
        finding.help(match server.port_value {
            Some(key) => format!("give metrics-server another port, such as {key}: 4443"),
            None => "give metrics-server another port: the same in --secure-port, ports and probes, such as 4443".to_owned(),
        });
        finding.also(takes, format!("metrics-server listens on {port}"));
        for kubelet in kubelets.iter().filter(|it| opens(it, *port)) {
            for fact in [&kubelet.port, &kubelet.read_only_port] {
                if let Some((_, at)) = fact.known().filter(|(it, _)| *it == port) {
                    finding.also(at, "this kubelet listens there too");
                }
            }
        }
    }
}

/// Whether the kubelet is told to listen there.
fn opens(kubelet: &Kubelet, port: i128) -> bool {
    [&kubelet.port, &kubelet.read_only_port].into_iter().any(|it| it.value() == Some(&port))
}
