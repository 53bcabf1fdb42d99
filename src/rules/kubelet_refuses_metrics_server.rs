use super::is_one;
use crate::{
    finding::{Findings, Severity},
    model::{Cluster, Fact, Kubelet, MetricsServer},
    tree::Origin,
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    let servers = || cluster.metrics_servers.iter().filter(|_| is_one(cluster));
    let token = servers().find(|server| uses_its_token(server));
    let any = servers().next();
    let by_port = servers().find(|server| asks_the_usual_port(server));
    let nobody = cluster.metrics_servers.is_empty();
    for kubelet in &cluster.kubelets {
        let mut report = |server: Option<&MetricsServer>,
                          (variant, at, message, help): Refusal<'_>| {
            let finding = findings.at(
                &at.or(&kubelet.anchor),
                &format!("kubelet {}", kubelet.group),
                format!("{message} ({})", kubelet.group),
            );
            finding.variant(variant).help(help);
            match server {
                Some(it) => finding.also(&it.anchor, "this metrics-server reads from them"),
                // Without one in sight nobody may read from them, but all kubelets have to start.
                None if variant != "no-start" => finding.at_most(Severity::Note),
                None => finding,
            };
        };
        if let Some(refusal) = no_start(kubelet) {
            report(any, refusal);
        }
        if let Some(refusal) = no_port(kubelet).filter(|_| any.is_some() || nobody) {
            report(any, refusal);
        }
        if let Some(refusal) = no_token_review(kubelet).filter(|_| token.is_some() || nobody) {
            report(token, refusal);
        }
        if let Some(refusal) = by_port.and_then(|_| other_port(kubelet)) {
            report(by_port, refusal);
        }
    }
}

/// The variant, where it is decided, the message, and the help.
type Refusal<'a> = (&'static str, &'a Origin, &'static str, &'static str);

/// metrics-server's token is checked by a `TokenReview`, which is what the webhook asks for.
fn no_token_review(kubelet: &Kubelet) -> Option<Refusal<'_>> {
    let (false, at) = written(&kubelet.webhook_authentication)? else { return None };
    // Who lets everybody in does not look at tokens; nor is it known to, when nobody can tell.
    let closed = kubelet.anonymous_authentication.value() == Some(&false)
        || kubelet.anonymous_authentication.is_absent()
        || kubelet.authorization_mode.value().is_some_and(|mode| mode != "AlwaysAllow");
    closed.then_some((
        "token-review",
        at,
        "kubelets refuse metrics-server's token: they do not authenticate by webhook",
        "set authentication.webhook.enabled to true",
    ))
}

fn no_port(kubelet: &Kubelet) -> Option<Refusal<'_>> {
    if let Some((false, at)) = written(&kubelet.enable_server) {
        let message = "kubelets do not listen at all";
        return Some(("no-server", at, message, "set enableServer to true"));
    }
    let (address, at) = written(&kubelet.address)?;
    let local = address.starts_with("127.") || address == "::1" || address == "localhost";
    local.then_some((
        "local-address",
        at,
        "kubelets listen where only their own node can connect",
        "set address to 0.0.0.0, or leave it out",
    ))
}

/// The default of `--kubelet-port` (`cmd/metrics-server/app/options/kubelet_client.go`).
const USUAL_PORT: i128 = 10250;

fn other_port(kubelet: &Kubelet) -> Option<Refusal<'_>> {
    // 0 is what the kubelet takes for "not set".
    let (port, at) = written(&kubelet.port)?;
    (*port != USUAL_PORT && *port != 0).then_some((
        "port",
        at,
        "metrics-server connects to port 10250, where kubelets do not listen",
        "pass --kubelet-use-node-status-port to metrics-server",
    ))
}

/// Whether `server` certainly connects to [`USUAL_PORT`].
fn asks_the_usual_port(server: &MetricsServer) -> bool {
    let mut args = server.args.value().into_iter().flatten();
    server.kubelet_use_node_status_port.value() == Some(&false)
        && args.all(|arg| !arg.text.starts_with("--kubelet-port"))
}

/// The validation of a `KubeletConfiguration` refuses `serverTLSBootstrap` without its gate.
fn no_start(kubelet: &Kubelet) -> Option<Refusal<'_>> {
    let (false, at) = written(&kubelet.rotation_gate)? else { return None };
    (kubelet.server_tls_bootstrap.value() == Some(&true)).then_some((
        "no-start",
        at,
        "kubelets do not start: serverTLSBootstrap needs RotateKubeletServerCertificate",
        "remove the feature gate, which is on by default",
    ))
}

/// What somebody wrote; a default may be that of a flag which a file in some other place overrides.
fn written<T>(fact: &Fact<T>) -> Option<(&T, &Origin)> {
    fact.known().filter(|(_, origin)| !origin.is_default())
}

/// Whether `server` has no client certificate to show instead.
fn uses_its_token(server: &MetricsServer) -> bool {
    server.args.value().is_some_and(|args| {
        args.iter().all(|arg| !arg.text.starts_with("--kubelet-client-certificate"))
    })
}
