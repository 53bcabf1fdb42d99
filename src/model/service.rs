//! How the API server reaches a metrics-server: the APIService names a Service, which selects pods.

use std::sync::Arc;

use super::{
    ApiService, Fact,
    index::{Asked, ObjectIndex},
    lower::namespace_of,
    pod::{self, PortRef},
    selector::{certain_pair, has_all, pairs},
    workload::{fact, pod_labels, port},
};
use crate::{
    resolve::environment::Object,
    tree::{Node, Origin},
};

/// A Service that the pods of a metrics-server are meant to be behind.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    /// `kube-system/metrics-server`
    pub name: String,
    /// The labels that it selects by, `k8s-app: metrics-server`; absent where it selects nothing.
    pub selector: Fact<String>,
    /// Whether it asks for labels that these pods have.
    pub fits: bool,
    /// Whether it selects these pods.
    pub selects: Option<bool>,
    /// Whether it selects, or may, pods of another workload in sight.
    pub selects_others: bool,
    /// Its ports.
    pub ports: Fact<Vec<ServicePort>>,
    /// Its name in the file.
    pub anchor: Origin,
}

/// A port of a Service.
#[derive(Debug, Clone)]
pub(crate) struct ServicePort {
    /// `port`
    pub number: Fact<i128>,
    /// `targetPort`, which is the same number unless it says otherwise.
    pub target: Fact<PortRef>,
}

/// The Services that select the pods of `workload`, or that `registration` points at.
pub(super) fn services(
    index: &ObjectIndex<'_>,
    workload: &Object,
    namespace: &str,
    registration: Option<&ApiService>,
) -> Arc<[Service]> {
    let target = registration.and_then(|it| it.service.value());
    let labels = pod_labels(&workload.node);
    let find = || of_labels(index, workload, namespace, labels.as_ref(), target).into();
    let Some(mut key) = pairs(labels.as_ref()) else { return find() };
    key.sort_unstable();
    // Of two workloads with the same labels, each is another one for the other.
    key.extend([namespace, workload.kind(), target.map_or("", |it| it)].map(str::to_owned));
    index.services_of(key, find)
}

fn of_labels(
    index: &ObjectIndex<'_>,
    workload: &Object,
    namespace: &str,
    labels: Option<&Node>,
    target: Option<&String>,
) -> Vec<Service> {
    let mut found = index.services(namespace, labels);
    let named = target.and_then(|it| it.split_once('/'));
    found.extend(named.into_iter().flat_map(|(home, name)| index.named("Service", home, name)));
    // As they stand in the environment, each once.
    found.sort_by_key(|it| std::ptr::from_ref(*it));
    found.dedup_by_key(|it| std::ptr::from_ref(*it));
    let mut services = Vec::new();
    for object in found {
        let home = namespace_of(object);
        let name = format!("{home}/{}", object.name());
        let selector = object.node.perhaps_at("spec.selector").filter(|it| !it.is_null());
        // One without labels selects nothing: somebody else says where it leads.
        let selector = selector.filter(|it| it.entries().next().is_some() || it.as_map().is_none());
        let fits = selector.as_ref().map_or(Some(false), |it| has_all(it, labels).ok());
        let selects = if home == namespace { fits } else { Some(false) };
        if selects != Some(true) && target != Some(&name) {
            continue;
        }
        services.push(Service {
            fits: fits == Some(true),
            selects_others: selector.as_ref().is_some_and(|by| {
                let asked = certain_pair(by).map(|it| vec![it]);
                pod::others(index, workload, asked)
                    .any(|labels| !matches!(has_all(by, labels), Ok(false)))
            }),
            selector: selector.map_or(Fact::Absent(None), |it| pod::written(&it)),
            selects,
            ports: match object.node.look("spec.ports") {
                Err((why, at)) => Fact::Unknown(why, Some(at)),
                Ok(None) => Fact::Absent(None),
                Ok(Some(ports)) => {
                    let all = ports.items().iter().map(service_port).collect();
                    Fact::Known(all, ports.origin.clone())
                }
            },
            name,
            anchor: object.anchor(),
        });
    }
    services
}

/// The label that all pods have which a Service selects, or may.
pub(super) fn asked(service: &Object) -> Asked {
    match service.node.look("spec.selector").ok()? {
        Some(by) => certain_pair(by).map(|it| vec![it]),
        None => Some(Vec::new()),
    }
}

fn service_port(node: &Node) -> ServicePort {
    let number = fact(node, "port", port);
    let target = match fact(node, "targetPort", pod::port_ref) {
        Fact::Absent(_) => number.map(|it| PortRef::Number(*it)),
        target => target,
    };
    ServicePort { number, target }
}
