//! What stands around the settings of a metrics-server and of what scales workloads, as `show -v` tells
//! it and `diff` compares it.
//!
//! Each structure of the model is taken apart by its fields, so that a field that comes is told or left
//! out on purpose.

use crate::{
    model::{
        Access, Authority, Autoscaler, Container, Datum, Fact, Facts as _, MetricsServer,
        NetworkPolicy, Opening, Pod, PortRef, Probe, Resizer, Service, Spread,
        access::AuthReader,
        autoscaler::{VerticalAutoscaler, Workload},
        pod::VolumeMount,
        policy::OpenPort,
    },
    tree::{Origin, Reason},
};

/// Facts under the names that `show` gives them.
type NamedFacts = Vec<(&'static str, Fact<Datum>)>;

impl MetricsServer {
    /// Facts of its pods, Services, network policies and rights. Lists have the place of their first
    /// item.
    pub(crate) fn surroundings(&self) -> NamedFacts {
        let Self {
            // What it is called, and its settings, are told by others.
            name: _,
            namespace: _,
            is_anywhere: _,
            chart: _,
            facts: _,
            release: _,
            release_timeout: _,
            mesh: _,
            // What is wrong with them is a finding and no setting.
            not_texts: _,
            fargate: _,
            // Follow from how it is installed, and from its image.
            via: _,
            managed: _,
            port_value: _,
            versions: _,
            anchor,
            platform,
            suspended,
            account,
            access,
            removed_args: _,
            beside,
            resizer,
            policies,
            pod,
            registration,
            services,
        } = self;
        let mut facts = pod.as_ref().map(of_pod).unwrap_or_default();
        let unlabelled = pod.as_ref().and_then(|it| Some(it.labels.untold()?.0));
        facts.push(("services", unless(unlabelled, list(services.iter().map(of_service)))));
        if let Some(registration) = registration {
            facts.push(("api_service_target", registration.service.datum()));
            facts.push(("api_service_port", registration.port.datum()));
            facts.push(("api_service_authority", authority(&registration.authority)));
        }
        facts.push(match policies {
            Some(policies) => ("network_policies", list(policies.iter().map(of_policy))),
            None => {
                let why = "which network policies select its pods cannot be told";
                ("network_policies", Fact::Unknown(why.into(), None))
            }
        });
        facts.extend(of_access(account, access));
        facts.push(("containers_beside", list(beside.iter().map(of_container))));
        facts.extend(resizer.iter().flat_map(of_resizer));
        let text = |it: &String| Fact::Known(Datum::Text(it.clone()), anchor.clone());
        facts.extend(platform.iter().map(|it| ("brought_by", text(it))));
        facts.extend(suspension(*suspended, anchor));
        facts
    }
}

impl Autoscaler {
    /// What it scales, and by what.
    pub(crate) fn surroundings(&self) -> NamedFacts {
        let Self {
            // What it is called.
            kind: _,
            name: _,
            namespace: _,
            anchor,
            suspended,
            target,
            workload,
            needs,
            behavior,
            measures,
            min_replicas,
            max_replicas,
        } = self;
        let target = target.map(|it| Datum::Text(format!("{} {}", it.kind, it.name)));
        let needs = needs.iter().map(|it| {
            let of = it.container.as_ref().map(|(name, _)| format!(" of {name}"));
            (Some(it.words() + &of.unwrap_or_default()), &it.origin)
        });
        let mut facts = vec![
            ("target", target),
            ("shares", list(needs)),
            ("metrics", measures.datum()),
            ("behavior", behavior.datum()),
            ("min_replicas", min_replicas.datum()),
            ("max_replicas", max_replicas.datum()),
        ];
        match workload {
            Fact::Known(Workload { containers, injected, vertical }, at) => {
                facts.push(("requests", list(containers.iter().map(of_container))));
                facts.push(("vertical_autoscalers", list(vertical.iter().map(of_vertical))));
                if *injected {
                    facts.push(("injected_containers", Fact::Known(Datum::Bool(true), at.clone())));
                }
            }
            untold => facts.push(("requests", untold.map(|_| Datum::Bool(true)))),
        }
        facts.extend(suspension(*suspended, anchor));
        facts
    }
}

/// Who says what the API server verifies a certificate with.
pub(crate) fn authority(fact: &Fact<Authority>) -> Fact<Datum> {
    let words = |it: &Authority| match it {
        Authority::Bundle => "the CA bundle that is written",
        Authority::Helm => "a certificate that Helm makes",
        Authority::Injected => "what a controller writes",
    };
    fact.map(|it| Datum::Text(words(it).to_owned()))
}

/// Whether what applies it is suspended, where it is.
fn suspension(suspended: bool, anchor: &Origin) -> Option<(&'static str, Fact<Datum>)> {
    suspended.then(|| ("suspended", Fact::Known(Datum::Bool(true), anchor.clone())))
}

fn of_pod(pod: &Pod) -> NamedFacts {
    let Pod {
        // A place.
        spec: _,
        // Stands among the settings.
        security: _,
        labels,
        ports,
        probes,
        unprobed,
        mounts,
        working_dir,
        spreads,
        may_be_spread,
        placement,
    } = pod;
    let mut facts = vec![("pod_labels", labels.datum())];
    let declared = texts(ports, |it| match &it.name {
        Some(name) => format!("{name}:{}", it.number),
        None => it.number.to_string(),
    });
    facts.push(("ports", declared));
    facts.extend(probes.iter().flat_map(of_probe));
    // What was taken away is said; one that nobody asks for is just not there.
    let taken =
        unprobed.iter().filter_map(|(kind, by)| Some((Some((*kind).to_owned()), by.as_ref()?)));
    facts.push(("probes_taken_away", list(taken)));
    facts.push(("mounts", texts(mounts, of_mount)));
    facts.push(("working_dir", working_dir.datum()));
    let untold = may_be_spread.then(|| "what keeps its pods apart cannot be told".into());
    facts.push(("spread", unless(untold.as_ref(), list(spreads.iter().map(of_spread)))));
    facts.extend([
        ("node_selector", placement.node_selector.datum()),
        ("tolerations", placement.tolerations.datum()),
        ("node_affinity", placement.node_affinity.datum()),
    ]);
    facts
}

fn of_probe(probe: &Probe) -> NamedFacts {
    let Probe { kind, port, path, scheme, failure_threshold, origin: _ } = probe;
    let names = match *kind {
        // Their paths are among the settings.
        "liveness probe" => ["liveness_port", "", "liveness_scheme", "liveness_failures"],
        "readiness probe" => ["readiness_port", "", "readiness_scheme", "readiness_failures"],
        _ => ["startup_port", "startup_path", "startup_scheme", "startup_failures"],
    };
    let port = port.map(|it| match it {
        PortRef::Name(name) => Datum::Text(name.clone()),
        PortRef::Number(number) => Datum::Int(*number),
    });
    let facts = [port, path.datum(), scheme.datum(), failure_threshold.datum()];
    names.into_iter().zip(facts).filter(|(name, _)| !name.is_empty()).collect()
}

fn of_mount(mount: &VolumeMount) -> String {
    let VolumeMount { path, writable, origin: _ } = mount;
    match writable {
        Some(true) => path.clone(),
        Some(false) => format!("{path} (read-only)"),
        None => format!("{path} (unknown)"),
    }
}

/// `required over kubernetes.io/hostname of app: metrics-server`
fn of_spread(spread: &Spread) -> (Option<String>, &Origin) {
    let Spread {
        is_constraint: _,
        is_required,
        topology,
        selector,
        // Follow from the selector.
        selects_itself: _,
        selects_others: _,
        namespaces,
        origin,
    } = spread;
    let told = || {
        if selector.is_unknown() || namespaces.is_unknown() {
            return None;
        }
        let how = if *is_required { "required" } else { "preferred" };
        let of = selector.value().map(|it| format!(" of {it}")).unwrap_or_default();
        let within = namespaces.value().map(|it| format!(" in {}", it.join(" ")));
        Some(format!("{how} over {}{of}{}", topology.value()?, within.unwrap_or_default()))
    };
    (told(), origin)
}

/// `kube-system/metrics-server (app: metrics-server; 443 to https)`
fn of_service(service: &Service) -> (Option<String>, &Origin) {
    let Service {
        name,
        selector,
        // Follow from the selector.
        fits: _,
        selects: _,
        selects_others: _,
        ports,
        anchor,
    } = service;
    let port = |it: &crate::model::ServicePort| {
        let target = it.target.value().map_or_else(unknown, port_words);
        format!("{} to {target}", it.number.value().map_or_else(unknown, i128::to_string))
    };
    let selector = match selector {
        Fact::Known(text, _) => text.clone(),
        Fact::Absent(_) => "no selector".to_owned(),
        Fact::Unknown(..) | Fact::Invalid { .. } => "selector unknown".to_owned(),
    };
    let ports = match ports {
        Fact::Known(all, _) => all.iter().map(port).collect::<Vec<_>>().join(", "),
        Fact::Absent(_) => "no ports".to_owned(),
        Fact::Unknown(..) | Fact::Invalid { .. } => "ports unknown".to_owned(),
    };
    (Some(format!("{name} ({selector}; {ports})")), anchor)
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn port_words(port: &PortRef) -> String {
    match port {
        PortRef::Name(name) => name.clone(),
        PortRef::Number(number) => number.to_string(),
    }
}

/// `deny-all (from nobody)`, `allow (from pods on 10250; to anyone)`
fn of_policy(policy: &NetworkPolicy) -> (Option<String>, &Origin) {
    let NetworkPolicy { name, ingress, egress, anchor } = policy;
    let side = |word: &str, openings: &Option<Vec<Opening>>| {
        let openings: Vec<String> = openings.as_ref()?.iter().map(of_opening).collect();
        let whom = if openings.is_empty() { "nobody".to_owned() } else { openings.join(", ") };
        Some(format!("{word} {whom}"))
    };
    let sides = [side("from", ingress), side("to", egress)];
    let sides = sides.into_iter().flatten().collect::<Vec<_>>().join("; ");
    (Some(with(name, &sides)), anchor)
}

fn of_opening(opening: &Opening) -> String {
    let Opening { beyond_pods, ports, origin: _ } = opening;
    let whom = match beyond_pods {
        Some(true) => "anyone",
        Some(false) => "pods",
        None => "unknown",
    };
    let port = |it: &OpenPort| match it.last {
        Some(last) => format!("{}-{last}", port_words(&it.port)),
        None => port_words(&it.port),
    };
    match ports {
        Fact::Known(all, _) => {
            format!("{whom} on {}", all.iter().map(port).collect::<Vec<_>>().join(" "))
        }
        Fact::Absent(_) => whom.to_owned(),
        Fact::Unknown(..) | Fact::Invalid { .. } => format!("{whom} on unknown ports"),
    }
}

fn of_access(account: &Fact<String>, access: &Access) -> NamedFacts {
    // The resources are those of the rights that can be read or asked.
    let Access { auth_readers, bindings, resources: _, rights, open } = access;
    let roles = bindings.iter().map(|(role, at)| (Some(role.clone()), at));
    let readers = auth_readers.iter().map(|it| {
        let AuthReader { name, namespace, anchor, decided: _ } = it;
        (namespace.value().map(|namespace| format!("{namespace}/{name}")), anchor)
    });
    let rights = rights.iter().map(|(name, at)| (Some(name.clone()), at));
    vec![
        ("service_account", account.datum()),
        ("cluster_roles", unless(open.as_ref(), list(roles))),
        ("auth_readers", unless(open.as_ref(), list(readers))),
        ("rights", unless(open.as_ref(), list(rights))),
    ]
}

/// `told`; where that is nothing, and something is `unknown`, that.
fn unless(unknown: Option<&Reason>, told: Fact<Datum>) -> Fact<Datum> {
    match (told, unknown) {
        (Fact::Absent(_), Some(why)) => Fact::Unknown(why.clone(), None),
        (told, _) => told,
    }
}

/// `proxy`, `proxy (cpu request 10m, memory limit 64Mi)`
fn of_container(container: &Container) -> (Option<String>, &Origin) {
    let Container { name, anchor, resources } = container;
    let told = resources.facts().into_iter().filter_map(|(what, fact)| {
        let what = what.replace('_', " ");
        match fact {
            Fact::Known(value, _) => Some(format!("{what} {value}")),
            Fact::Absent(_) => None,
            Fact::Unknown(..) | Fact::Invalid { .. } => Some(format!("{what} unknown")),
        }
    });
    let told = told.collect::<Vec<_>>().join(", ");
    // One without a name may be anything.
    let named = (!name.is_empty()).then(|| with(name, &told));
    (named, anchor)
}

/// `name (more)`
fn with(name: &str, more: &str) -> String {
    if more.is_empty() { name.to_owned() } else { format!("{name} ({more})") }
}

/// `web (cpu of app)`
fn of_vertical(vertical: &VerticalAutoscaler) -> (Option<String>, &Origin) {
    let VerticalAutoscaler { name, anchor, sets } = vertical;
    let sets = sets.iter().map(|(container, of)| format!("{} of {container}", of.name()));
    let sets = sets.collect::<Vec<_>>().join(", ");
    (Some(with(name, &sets)), anchor)
}

fn of_resizer(resizer: &Resizer) -> NamedFacts {
    let Resizer {
        // Places.
        origin: _,
        asked: _,
        // Stand among the settings.
        base: _,
        per_node: _,
        smallest: _,
        undeclared,
        bound_elsewhere,
    } = resizer;
    let text = |it: &str, at: &Origin| Fact::Known(Datum::Text(it.to_owned()), at.clone());
    let mut facts = Vec::new();
    facts.extend(
        undeclared.as_ref().map(|it| ("resizer_volume_missing", text(it, &resizer.origin))),
    );
    facts.extend(bound_elsewhere.as_ref().map(|(it, at)| ("resizer_bound_in", text(it, at))));
    facts
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
