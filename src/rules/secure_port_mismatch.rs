use crate::{
    finding::{Change, Findings},
    model::{ApiService, Cluster, MetricsServer, Pod, PortRef},
    tree::Origin,
};

/// Something that goes to a port at which metrics-server does not listen.
struct Use<'a> {
    /// What it is: `readiness probe`.
    what: &'static str,
    port: i128,
    /// Where the port is written.
    at: &'a Origin,
}

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in &cluster.metrics_servers {
        if let Some(pod) = &server.pod {
            check_server(server, pod, findings);
        }
    }
}

fn check_server(server: &MetricsServer, pod: &Pod, findings: &mut Findings) {
    let Some((secure, at)) = server.listens_on() else { return };
    let mut uses = uses(server, pod, secure);
    // A port that is declared and that nobody goes to has no effect.
    if let Some((port, at)) = server.container_port.known().filter(|_| uses.is_empty()) {
        uses.push(Use { what: "container port", port: *port, at });
    }
    uses.retain(|it| it.port != secure);
    let Some(Use { port, .. }) = uses.first() else { return };
    let same = || uses.iter().filter(|it| it.port == *port);
    let probes = match same().filter(|it| it.what != "Service").collect::<Vec<_>>()[..] {
        [] => None,
        [one] => Some(one.what),
        _ => Some("probes"),
    };
    let whose = match (probes, same().any(|it| it.what == "Service")) {
        (Some(port @ "container port"), _) => format!("{port} is"),
        (Some(probes), true) => format!("{probes} and Service use"),
        (Some("probes"), false) => "probes use".to_owned(),
        (Some(probe), false) => format!("{probe} uses"),
        (None, _) => "Service uses".to_owned(),
    };
    let default = if at.is_default() { ", its default," } else { "," };
    let message = format!("metrics-server listens on {secure}{default} but its {whose} {port}");
    // A default is reported at the list that lacks the flag.
    let list = server.args.origin().map(|it| it.or(&server.anchor));
    let flag = at.or(list.as_ref().unwrap_or(&server.anchor));
    let missing = at.or(&server.lacks("secure-port"));
    // An overlay that changes the port that a base declares is where both have to fit.
    let later = same().map(|it| it.at).find(|it| it.is_later_than(&missing));
    let finding = findings.at(later.unwrap_or(&missing), &server.subject(), message);
    finding.help(match (at.is_default(), server.port_value) {
        (true, _) => format!("add --secure-port={port}"),
        (_, Some(key)) => format!("set {key}: {secure} and remove --secure-port"),
        _ => "use one number in --secure-port, ports and probes".to_owned(),
    });
    if later.is_none() && uses.iter().all(|it| it.port == *port) {
        let change = match (at.is_default(), &server.chart) {
            (true, _) => Change::item(&flag, format!("--secure-port={port}")),
            // The chart passes the port that it is given otherwise.
            (false, Some(_)) => Change::remove(at),
            (false, None) => Change::part(at, secure.to_string(), port.to_string()),
        };
        finding.unsafe_fix(&["secure_port"], [change]);
    }
    if later.is_some() {
        finding.also(&missing, format!("it listens on {secure}"));
    }
    for it in uses.iter().filter(|it| later != Some(it.at)) {
        match it.port == *port {
            true => finding.also(it.at, format!("its {whose} {port}")),
            false => finding.also(it.at, format!("its {} uses {}", it.what, it.port)),
        };
    }
}

/// Who goes to metrics-server's container, and to which port.
fn uses<'a>(server: &'a MetricsServer, pod: &'a Pod, secure: i128) -> Vec<Use<'a>> {
    let mut uses = Vec::new();
    for probe in &pod.probes {
        let port = probe.port.known().and_then(|(to, at)| leads(pod, to, at, secure, true));
        uses.extend(port.map(|(port, at)| Use { what: probe.kind, port, at }));
    }
    for service in &*server.services {
        let named = |it: &ApiService| it.service.value() == Some(&service.name);
        if service.selects != Some(true) || !server.registration.as_ref().is_none_or(named) {
            continue;
        }
        let Some(ports) = service.ports.value() else { continue };
        let ports = ports.iter().filter_map(|it| it.target.known());
        let ports: Vec<_> =
            ports.filter_map(|(to, at)| leads(pod, to, at, secure, false)).collect();
        // Another port beside the one that metrics-server is reached at may be anything.
        let one = ports.iter().find(|(port, _)| *port == secure).or(ports.first());
        uses.extend(one.map(|&(port, at)| Use { what: "Service", port, at }));
    }
    uses
}

/// The port that `to`, which is written at `at`, leads to, and where that number is written; nothing
/// where it leads to another container, or nowhere.
fn leads<'a>(
    pod: &'a Pod,
    to: &PortRef,
    at: &'a Origin,
    secure: i128,
    probe: bool,
) -> Option<(i128, &'a Origin)> {
    if *to == PortRef::Number(secure) {
        return Some((secure, at));
    }
    match (to, pod.declared(to, probe)) {
        (_, Some(declared)) if !declared.own => None,
        (PortRef::Name(_), Some(declared)) => Some((declared.number, &declared.origin)),
        // A Service that goes to a port that nobody declares is mistaken itself.
        (PortRef::Number(number), Some(_)) => Some((*number, at)),
        (PortRef::Number(number), None) if probe => Some((*number, at)),
        _ => None,
    }
}
