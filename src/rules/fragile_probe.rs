use semver::Version;

use crate::{
    finding::{Finding, Findings, Severity},
    model::{Cluster, MetricsServer, Pod, Probe},
    tree::Origin,
};

/// The first version that answers at `/livez` and `/readyz`.
const CHECKS: Version = Version::new(0, 4, 0);

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in &cluster.metrics_servers {
        let Some(pod) = &server.pod else { continue };
        let answers = server.versions.first().is_some_and(|it| *it >= CHECKS);
        if answers {
            missing(server, pod, findings);
        }
        for probe in &pod.probes {
            check_probe(server, pod, probe, answers, findings);
        }
    }
}

/// Reports what is wrong with a probe of that kind.
fn report<'f>(
    server: &MetricsServer,
    kind: &str,
    at: &Origin,
    message: String,
    findings: &'f mut Findings,
) -> &'f mut Finding {
    findings.at(&at.or(&server.anchor), &format!("{} {kind}", server.subject()), message)
}

fn missing(server: &MetricsServer, pod: &Pod, findings: &mut Findings) {
    let lacks = |kind: &str| pod.unprobed.iter().find(|(it, _)| *it == kind);
    let place = |by: &Option<Origin>| by.clone().unwrap_or_else(|| server.anchor.clone());
    if let Some((kind, by)) = lacks("readiness probe") {
        let message = "without a readiness probe a version that does not work takes the place of \
                       one that does"
            .to_owned();
        let finding = report(server, kind, &place(by), message, findings);
        finding.variant("missing").help("ask for /readyz over HTTPS at metrics-server's port");
        if let Some((_, Some(by))) = lacks("liveness probe") {
            finding.also(by, "nor is there a liveness probe");
        }
    } else if let Some((kind, by)) = lacks("liveness probe") {
        let message = "without a liveness probe a metrics-server that hangs is not restarted";
        report(server, kind, &place(by), message.to_owned(), findings)
            .variant("missing")
            .help("ask for /livez over HTTPS at metrics-server's port")
            .pedantic();
    }
}

fn check_probe(
    server: &MetricsServer,
    pod: &Pod,
    probe: &Probe,
    answers: bool,
    findings: &mut Findings,
) {
    let kind = probe.kind;
    let port = probe.port.value().and_then(|it| pod.declared(it, true)).map(|it| it.number);
    let listens = server.listens_on().map(|(port, _)| port);
    if let Some((scheme, at)) = probe.scheme.known()
        && scheme == "HTTP"
        && port.is_some()
        && port == listens
    {
        let at = if at.is_default() { &probe.origin } else { at };
        let message = format!("the {kind} speaks HTTP to a port that takes HTTPS: it always fails");
        report(server, kind, at, message, findings).variant("scheme").help("set scheme: HTTPS");
    }
    if let Some((path, at)) = probe.path.known()
        && path == "/healthz"
        && answers
    {
        let (misses, path) = match kind {
            "readiness probe" => ("whether there are metrics", "/readyz"),
            _ => ("whether metrics are still read", "/livez"),
        };
        let message = format!("the {kind} asks for /healthz, which does not tell {misses}");
        report(server, kind, at, message, findings).variant("path").help(format!("ask for {path}"));
    }
    if let Some((1, at)) = probe.failure_threshold.known().map(|(most, at)| (*most, at))
        && kind != "startup probe"
    {
        let then = match kind {
            "readiness probe" => "takes metrics-server out of the Service",
            _ => "restarts metrics-server",
        };
        let message = format!("one slow answer to the {kind} {then}");
        report(server, kind, at, message, findings)
            .variant("threshold")
            .at_most(Severity::Warning)
            .help("set failureThreshold: 3");
    }
}
