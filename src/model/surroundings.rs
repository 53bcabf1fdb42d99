//! What stands around the settings of a metrics-server, as `show -v` tells it: its pods, the Services
//! before them, what selects them, and what they may do.

use crate::{
    model::{Datum, Fact, MetricsServer, PortRef},
    tree::Origin,
};

impl MetricsServer {
    /// Facts of its pods, Services, network policies and rights, each under the name that `show` gives
    /// it. Lists have the place of their first item.
    pub(crate) fn surroundings(&self) -> Vec<(&'static str, Fact<Datum>)> {
        let mut facts = Vec::new();
        if let Some(pod) = &self.pod {
            facts.push(("pod_labels", pod.labels.datum()));
            let ports = texts(&pod.ports, |it| match &it.name {
                Some(name) => format!("{name}:{}", it.number),
                None => it.number.to_string(),
            });
            facts.push(("ports", ports));
            for probe in &pod.probes {
                let name = match probe.kind {
                    "liveness probe" => "liveness_port",
                    "readiness probe" => "readiness_port",
                    _ => "startup_port",
                };
                facts.push((
                    name,
                    probe.port.map(|it| match it {
                        PortRef::Name(name) => Datum::Text(name.clone()),
                        PortRef::Number(number) => Datum::Int(*number),
                    }),
                ));
            }
            let mounts = texts(&pod.mounts, |it| match it.writable {
                Some(true) => it.path.clone(),
                Some(false) => format!("{} (read-only)", it.path),
                None => format!("{} (unknown)", it.path),
            });
            facts.push(("mounts", mounts));
            let spreads = pod.spreads.iter().map(|it| {
                let over = it.topology.value().map(|it| format!("over {it}"));
                (over, &it.origin)
            });
            facts.push(("spread", list(spreads)));
            let selected =
                pod.placement.control_plane.map(|(label, value)| format!("{label}={value}"));
            facts.push(("node_selector", selected.datum()));
        }
        let services = self.services.iter().map(|it| (Some(it.name.clone()), &it.anchor));
        facts.push(("services", list(services)));
        if let Some(registration) = &self.registration {
            facts.push(("api_service_target", registration.service.datum()));
            facts.push(("api_service_port", registration.port.datum()));
        }
        facts.push(match &self.policies {
            Some(policies) => {
                let policies = policies.iter().map(|it| (Some(it.name.clone()), &it.anchor));
                ("network_policies", list(policies))
            }
            None => {
                let why = "which network policies select its pods cannot be told";
                ("network_policies", Fact::Unknown(why.into(), None))
            }
        });
        facts.push(("service_account", self.access.account.datum()));
        let roles = self.access.bindings.iter().map(|(role, at)| (Some(role.clone()), at));
        facts.push(("cluster_roles", list(roles)));
        let readers = self.access.auth_readers.iter().map(|it| {
            let name = it.namespace.value().map(|namespace| format!("{namespace}/{}", it.name));
            (name, &it.anchor)
        });
        facts.push(("auth_readers", list(readers)));
        let containers = self.beside.iter().map(|it| (Some(it.name.clone()), &it.anchor));
        facts.push(("containers_beside", list(containers)));
        facts
    }
}

/// A list of what there is, as texts; absent when there is nothing in it.
fn texts<T>(items: &Fact<Vec<T>>, text: impl Fn(&T) -> String) -> Fact<Datum> {
    match items {
        Fact::Known(items, _) if items.is_empty() => Fact::Absent(None),
        items => items.map(|items| Datum::List(items.iter().map(|it| Some(text(it))).collect())),
    }
}

/// A list as one fact; absent when there is nothing in it.
fn list<'a>(items: impl Iterator<Item = (Option<String>, &'a Origin)>) -> Fact<Datum> {
    let (texts, origins): (Vec<_>, Vec<_>) = items.unzip();
    match origins.first() {
        Some(first) => Fact::Known(Datum::List(texts), (*first).clone()),
        None => Fact::Absent(None),
    }
}
