use super::is_one;
use crate::{
    finding::Findings,
    model::{Cluster, Fact, Kubelet, MetricsServer},
    tree::Origin,
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    let Some(server) = cluster.metrics_servers.first().filter(|_| is_one(cluster)) else { return };
    let token = cluster.metrics_servers.iter().find(|server| uses_its_token(server));
    for kubelet in &cluster.kubelets {
        let refusals =
            [token.and_then(|_| no_token_review(kubelet)), no_port(kubelet), no_start(kubelet)];
        for (variant, at, message, help) in refusals.into_iter().flatten() {
            findings
                .at(
                    &at.or(&kubelet.anchor),
                    &format!("kubelet {}", kubelet.group),
                    format!("{message} ({})", kubelet.group),
                )
                .variant(variant)
                .also(&token.unwrap_or(server).anchor, "this metrics-server reads from them")
                .help(help);
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
