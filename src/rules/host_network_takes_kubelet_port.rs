use crate::{
    finding::{Change, Findings},
    model::{Cluster, Fact, Kubelet},
};

/// Where a kubelet serves, unless it is told otherwise: its API, and its own health, which
/// `pkg/kubelet/apis/config/v1beta1/defaults.go` of Kubernetes puts at 10250 and 10248.
const API: i128 = 10250;
const HEALTH: i128 = 10248;

/// What metrics-server may listen on instead.
const FREE: &str = "4443";

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
        let changes = match &server.container_port {
            // Beside `hostNetwork`, which is a map in the one chart and none in the other.
            _ if takes.is_default() => {
                let free = FREE.parse::<i64>().ok();
                let levels = if server.port_value == Some("containerPort") { 2 } else { 1 };
                vec![server.port_value.and_then(|key| Change::beside(at, levels, key, free))]
            }
            // The chart passes the port that the container declares.
            Fact::Known(declared, at) if at.written_at() == takes.written_at() => {
                vec![Change::part(at, declared.to_string(), FREE)]
            }
            Fact::Known(declared, at) if declared == port => {
                [takes, at].map(|it| Change::part(it, port.to_string(), FREE)).into()
            }
            _ => vec![Change::part(takes, port.to_string(), FREE)],
        };
        finding.unsafe_fix(&["secure_port", "container_port", "ports"], changes);
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
