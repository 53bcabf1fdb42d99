use semver::Version;

use crate::{
    finding::{Findings, Severity},
    model::{Cluster, Fact, MetricsServer, Pod},
};

/// The first port that everybody may listen on, unless the network says otherwise.
const FIRST: i128 = 1024;

/// The versions whose image lets the program itself take `NET_BIND_SERVICE`: `setcap` in their
/// `Dockerfile`.
const SETCAP: [Version; 3] = [Version::new(0, 4, 4), Version::new(0, 5, 0), Version::new(0, 5, 1)];

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    // k3s has had containerd open low ports since 1.24, and so have kind and minikube.
    let opens =
        cluster.local.is_some() || cluster.platform.as_ref().is_some_and(|it| it.name == "k3s");
    for server in &cluster.metrics_servers {
        if let Some(pod) = &server.pod {
            check_server(server, pod, opens, findings);
        }
    }
}

fn check_server(server: &MetricsServer, pod: &Pod, opens: bool, findings: &mut Findings) {
    let is_setcap = |it: &Version| SETCAP.contains(it);
    if !server.versions.is_empty() && server.versions.iter().all(is_setcap) {
        if server.has_upstream_image() {
            cannot_execute(server, pod, findings);
        }
        return;
    }
    if server.versions.iter().any(is_setcap) || may_bind(&pod.security.capabilities_added) {
        return;
    }
    let Some((port, at)) = server.listens_on().filter(|(port, _)| *port < FIRST) else { return };
    // Below 1024 only who has the capability may listen, which is root here.
    let opened = match &pod.security.first_unprivileged_port {
        Fact::Known(first, _) => *first <= port,
        Fact::Absent(_) => false,
        Fact::Unknown(..) | Fact::Invalid { .. } => true,
    };
    if opened || !server.is_not_root() {
        return;
    }
    let on_host = server.host_network.value() == Some(&true);
    if opens && !on_host {
        return;
    }
    let message = match on_host {
        true => format!(
            "on the host's network only root may listen on port {port}: metrics-server does not start"
        ),
        false => format!("metrics-server is not root, and may not listen on port {port}"),
    };
    let place = at.or(&server.lacks("secure-port"));
    let finding = findings.at(&place, &server.subject(), message);
    finding.variant("port").help(match (server.port_value, at.is_default()) {
        (Some(key), false) => format!("set {key}: 10250, or another port above 1023"),
        _ => "add --secure-port=10250, and use that port in ports and probes".to_owned(),
    });
    if !on_host {
        // containerd does since 2.0, CRI-O does not.
        finding.at_most(Severity::Warning).note("unless the container runtime lets everybody");
    }
    if let Some((user, at)) = pod.security.run_as_user.known().filter(|it| !it.1.is_default()) {
        finding.also(at, format!("it runs as user {user}"));
    }
}

/// These images cannot be executed where the capability that their program asks for is dropped.
fn cannot_execute(server: &MetricsServer, pod: &Pod, findings: &mut Findings) {
    let Some((dropped, at)) = pod.security.capabilities_dropped.known() else { return };
    let drops = dropped.split(' ').any(|it| matches!(it, "ALL" | "all") || is_bind(it));
    if !drops || may_bind(&pod.security.capabilities_added) {
        return;
    }
    let Some(version) = server.versions.first() else { return };
    let message = format!(
        "the image of {version} cannot be executed without NET_BIND_SERVICE, which is dropped"
    );
    let finding = findings.at(&at.or(&server.anchor), &server.subject(), message);
    finding.variant("dropped").help("use 0.5.2 or newer, or add the capability NET_BIND_SERVICE");
    if let Some((tag, at)) = server.image_tag.known() {
        finding.also(at, format!("the image is {tag}"));
    }
}

/// Whether the capability is added, or may be.
fn may_bind(added: &Fact<String>) -> bool {
    match added {
        Fact::Known(added, _) => added.split(' ').any(|it| it == "ALL" || is_bind(it)),
        Fact::Absent(_) => false,
        Fact::Unknown(..) | Fact::Invalid { .. } => true,
    }
}

fn is_bind(capability: &str) -> bool {
    matches!(capability, "NET_BIND_SERVICE" | "CAP_NET_BIND_SERVICE")
}
