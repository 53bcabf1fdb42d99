use super::own_label;
use crate::{
    finding::{Change, Findings},
    model::{ApiService, Cluster, MetricsServer, Pod, PortRef, Service, ServicePort},
    tree::Origin,
};

/// What a fix changes.
const SETTINGS: [&str; 3] = ["api_service_target", "api_service_port", "services"];

/// The way that the API server goes: the APIService names a Service and a port of it, the Service
/// selects pods, and its port leads to one of theirs.
pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in &cluster.metrics_servers {
        let (Some(pod), Some(registration)) = (&server.pod, &server.registration) else { continue };
        let Some((name, _)) = registration.service.known() else { continue };
        match server.services.iter().find(|it| it.name == *name) {
            None => names_none(server, registration, findings),
            Some(service) if service.selects == Some(true) => {
                ports(server, pod, registration, service, findings);
            }
            Some(service) => selects_none(server, pod, registration, service, findings),
        }
    }
}

/// The Service may be installed elsewhere, unless another one does what it is to do.
fn names_none(server: &MetricsServer, registration: &ApiService, findings: &mut Findings) {
    let [other] = &server.services[..] else { return };
    let Some((name, at)) = registration.service.known() else { return };
    let bare = other.name.rsplit('/').next().unwrap_or(&other.name);
    let message = format!(
        "the APIService names Service {name}, but the one in front of metrics-server is {}",
        other.name
    );
    findings
        .at(&at.or(&registration.anchor), &server.subject(), message)
        .variant("name")
        .also(&other.anchor, "this Service selects metrics-server's pods")
        .help("name that Service in spec.service of the APIService")
        .unsafe_fix(&SETTINGS, [Change::value(at, bare)]);
}

fn selects_none(
    server: &MetricsServer,
    pod: &Pod,
    registration: &ApiService,
    service: &Service,
    findings: &mut Findings,
) {
    let Some((selector, at)) = service.selector.known().filter(|_| !service.selects_others) else {
        return;
    };
    let subject = server.subject();
    if service.fits && service.selects == Some(false) {
        let message = format!(
            "Service {} selects pods of its own namespace, but metrics-server runs in {}",
            service.name, server.namespace
        );
        findings
            .at(&service.anchor, &subject, message)
            .variant("namespace")
            .also(&server.anchor, "metrics-server")
            .also(&registration.anchor, "the APIService that names the Service")
            .help("put the Service beside metrics-server, and name it there in the APIService");
        return;
    }
    let Some((labels, there)) = pod.labels.known().filter(|_| service.selects == Some(false))
    else {
        return;
    };
    let name = &service.name;
    let message =
        format!("Service {name} selects `{selector}`, which metrics-server's pods do not have");
    // Where an overlay has other labels than its base, what selects them may suit others.
    if there.is_later_than(at) {
        findings
            .at(there, &subject, message)
            .variant("selector")
            .also(&at.or(&service.anchor), "the Service selects by these")
            .help("select by labels that the pods have, or leave them");
        return;
    }
    findings
        .at(&at.or(&service.anchor), &subject, message)
        .variant("selector")
        .also(there, format!("the pods' labels are `{labels}`"))
        .help("select by labels that the pods have")
        .unsafe_fix(&SETTINGS, [own_label(selector, labels, at, &[])]);
}

/// The only port of metrics-server's container instead of what is written at `at`.
fn lead_to_own(pod: &Pod, at: &Origin) -> Option<Change> {
    let mut own = pod.ports.value()?.iter().filter(|it| it.own);
    let (port, None) = (own.next()?, own.next()) else { return None };
    match &port.name {
        Some(name) => Change::scalar(at, &**name),
        None => Change::scalar(at, i64::try_from(port.number).ok()?),
    }
}

fn ports(
    server: &MetricsServer,
    pod: &Pod,
    registration: &ApiService,
    service: &Service,
    findings: &mut Findings,
) {
    let Some((wanted, asked)) = registration.port.known() else { return };
    let Some(ports) = service.ports.value() else { return };
    if ports.iter().any(|it| it.number.untold().is_some()) {
        return;
    }
    let subject = server.subject();
    let of_number = |it: &&ServicePort| it.number.value() == Some(wanted);
    if let Some(port) = ports.iter().find(of_number) {
        let Some((target, at)) = port.target.known() else { return };
        if pod.ports.value().is_none() || pod.declared(target, false).is_some() {
            return;
        }
        let of = &service.name;
        let message = match target {
            PortRef::Name(name) => {
                format!("Service {of} leads to port `{name}`, which no container of the pods has")
            }
            // What is not declared may be listened at all the same, by another container too.
            PortRef::Number(number) => {
                let alone = server.beside.len() == usize::from(server.resizer.is_some());
                let secure = server.listens_on().filter(|(port, _)| alone && port != number);
                let Some((secure, _)) = secure else { return };
                format!(
                    "Service {of} leads to port {number}, but metrics-server listens on {secure}"
                )
            }
        };
        let declared = server.container_port.known();
        if let Some((_, later)) = declared.filter(|(_, it)| it.is_later_than(at)) {
            let finding = findings.at(later, &subject, message).variant("target");
            finding.also(&at.or(&service.anchor), "the Service leads there");
            finding.help("name the port of metrics-server's container in targetPort");
            return;
        }
        let finding = findings.at(&at.or(&service.anchor), &subject, message);
        finding.variant("target").help("name the port of metrics-server's container in targetPort");
        finding.unsafe_fix(&SETTINGS, [lead_to_own(pod, at)]);
        if let Some((port, at)) = declared {
            finding.also(at, format!("the container's port is {port}"));
        }
        return;
    }
    let [only] = &ports[..] else { return };
    let Some((number, at)) = only.number.known() else { return };
    let unsaid = asked.written_at().is_none();
    let default = if unsaid { ", its default," } else { "," };
    let message = format!(
        "the APIService asks at port {wanted}{default} but its Service {} has port {number}",
        service.name
    );
    let from_service = unsaid || at.is_later_than(asked);
    let (place, other) = if from_service { (at, asked) } else { (asked, at) };
    let finding = findings.at(&place.or(&service.anchor), &subject, message);
    let theirs = if from_service { "this APIService asks there" } else { "its only port" };
    let fits = match (unsaid, registration.service.origin()) {
        (true, Some(name)) => Change::beside(name, 1, "port", i64::try_from(*number).ok()),
        _ => Change::value(asked, number.to_string()),
    };
    if unsaid || !from_service {
        finding.unsafe_fix(&SETTINGS, [fits]);
    }
    finding.variant("port").also(&other.or(&registration.anchor), theirs);
    finding.help(match server.chart {
        Some(_) => {
            "leave service.port at 443, or use chart 3.8.3 or newer, which tells the APIService"
        }
        None => "use the port of the Service in spec.service.port of the APIService",
    });
}
