use super::own_label;
use crate::{
    data::subject::is_server_named_in,
    finding::{Change, Findings},
    model::{Cluster, MetricsServer, Pod, Spread},
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in &cluster.metrics_servers {
        let Some(pod) = &server.pod else { continue };
        for spread in &pod.spreads {
            match spread.selects_itself {
                Some(false) if is_meant_for_itself(server, pod, spread) => {
                    selects_none(server, pod, spread, findings);
                }
                Some(true) => elsewhere(cluster, server, spread, findings),
                _ => {}
            }
        }
    }
}

/// Whether a rule of the scheduler is to keep metrics-server's own pods apart. One that keeps others
/// away may well look for others.
fn is_meant_for_itself(server: &MetricsServer, pod: &Pod, spread: &Spread) -> bool {
    if spread.is_constraint || spread.selector.is_absent() {
        return true;
    }
    let names_it = |text: &String| is_server_named_in(text) || text.contains(&server.name);
    let alone = || {
        let several = server.replicas.value().is_some_and(|it| *it > 1);
        several && !spread.selects_others && pod.spreads.len() == 1
    };
    spread.selector.value().is_some_and(|it| names_it(it) || alone())
}

fn selects_none(server: &MetricsServer, pod: &Pod, spread: &Spread, findings: &mut Findings) {
    let kind = if spread.is_constraint { "spread constraint" } else { "anti-affinity" };
    let message = match spread.selector.value() {
        Some(selector) => format!(
            "metrics-server's {kind} looks for pods with `{selector}`, which its own do not have"
        ),
        None => format!("metrics-server's {kind} has no labelSelector, so it looks for no pods"),
    };
    let at = spread.selector.origin().unwrap_or(&spread.origin);
    let finding = findings.at(&at.or(&server.anchor), &server.subject(), message);
    finding.variant("selector").help("select by labels that metrics-server's pods have");
    if let Some((labels, at)) = pod.labels.known() {
        finding.also(at, format!("the pods' labels are `{labels}`"));
        if let Some((selector, at)) = spread.selector.known() {
            let own = own_label(selector, labels, at, &["matchLabels"]);
            finding.unsafe_fix(&["spread"], [own]);
        }
    }
}

/// Only the namespaces that a term lists count; without any, the pod's own.
fn elsewhere(cluster: &Cluster, server: &MetricsServer, spread: &Spread, findings: &mut Findings) {
    let Some((namespaces, at)) = spread.namespaces.known() else { return };
    // Nothing says where a values file is installed.
    if namespaces.is_empty() || namespaces.contains(&server.namespace) || cluster.assumed {
        return;
    }
    let message = format!(
        "metrics-server's anti-affinity looks for pods in {}, but it runs in {}",
        namespaces.join(", "),
        server.namespace
    );
    findings
        .at(&at.or(&server.anchor), &server.subject(), message)
        .variant("namespace")
        .also(&server.anchor, format!("metrics-server runs in {}", server.namespace))
        .help("leave namespaces out: the pod's own is the default")
        .unsafe_fix(&["spread"], [Change::remove(at)]);
}
