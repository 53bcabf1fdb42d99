//! The pods of a workload: what they listen on, who asks there, what they may write.

use super::{
    Fact,
    fact::{Datum, Facts, facts},
    selector::selects,
    workload::{boolean, fact, in_pods, number, port, text},
};
use crate::{
    data::kinds::WORKLOADS,
    resolve::environment::{Environment, Object},
    tree::{Kind, Node, Origin, Reason},
};

/// The pods of a metrics-server.
#[derive(Debug, Clone)]
pub(crate) struct Pod {
    /// Their labels, `k8s-app: metrics-server`, and where these are written.
    pub labels: Fact<String>,
    /// The ports that their containers declare.
    pub ports: Fact<Vec<ContainerPort>>,
    /// The probes of metrics-server's container.
    pub probes: Vec<Probe>,
    /// What is mounted into metrics-server's container.
    pub mounts: Fact<Vec<VolumeMount>>,
    /// `workingDir` of metrics-server's container.
    pub working_dir: Fact<String>,
    /// What they are to be kept apart by.
    pub spreads: Vec<Spread>,
    /// Their rights.
    pub security: SecurityFacts,
}

facts! {
    /// The security context of metrics-server's container, or that of the pod where it says nothing.
    pub(crate) struct SecurityFacts {
        /// `readOnlyRootFilesystem`
        pub(crate) read_only_root_filesystem: Fact<bool>,
        /// `runAsNonRoot`
        pub(crate) run_as_non_root: Fact<bool>,
        /// `runAsUser`
        pub(crate) run_as_user: Fact<i128>,
    }
}

/// A port that a container declares.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ContainerPort {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Its number.
    pub number: i128,
    /// Whether it is one of metrics-server's container.
    pub own: bool,
    /// Where its number is written.
    pub origin: Origin,
}

/// A port as probes and Services refer to it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PortRef {
    /// By its number.
    Number(i128),
    /// By the name that a container gives it.
    Name(String),
}

/// A question that the kubelet asks metrics-server over the network.
#[derive(Debug, Clone)]
pub(crate) struct Probe {
    /// `liveness probe`, `readiness probe` or `startup probe`.
    pub kind: &'static str,
    /// The port.
    pub port: Fact<PortRef>,
}

/// Something that is mounted into a container.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct VolumeMount {
    /// Where.
    pub path: String,
    /// Whether the container can write there; `None` where nobody can tell.
    pub writable: Option<bool>,
    /// Where the path is written.
    pub origin: Origin,
}

/// A rule of the scheduler that is to keep pods apart.
#[derive(Debug, Clone)]
pub(crate) struct Spread {
    /// Whether it is one of `topologySpreadConstraints`, not a term of `podAntiAffinity`.
    pub is_constraint: bool,
    /// The pods that it looks for: `app: metrics-server`; absent is none at all.
    pub selector: Fact<String>,
    /// Whether these are pods of this workload, as far as their labels go.
    pub selects_itself: Option<bool>,
    /// Whether it selects, or may, pods of another workload in sight.
    pub selects_others: bool,
    /// The namespaces in which it looks; absent is the pod's own.
    pub namespaces: Fact<Vec<String>>,
    /// Where it is written.
    pub origin: Origin,
}

/// What the pods of `object` are, whose metrics-server runs in `container`.
pub(super) fn pod(environment: &Environment, object: &Object, container: &Node) -> Pod {
    let workload = &object.node;
    let spec = workload.at(&in_pods(workload, "spec"));
    let labels = workload.perhaps_at(&in_pods(workload, "metadata.labels"));
    Pod {
        labels: match &labels {
            Some(labels) => written(labels),
            None => Fact::Absent(None),
        },
        ports: spec.map_or(Fact::Absent(None), |spec| ports(spec, container)),
        probes: probes(container),
        mounts: mounts(workload, container),
        working_dir: fact(container, "workingDir", text),
        spreads: spec
            .map(|spec| spreads(spec, labels.as_ref(), &others(environment, object)))
            .unwrap_or_default(),
        security: security(workload, container),
    }
}

/// The labels of the pods that everything but `object` makes, whatever their namespace.
pub(super) fn others(environment: &Environment, object: &Object) -> Vec<Option<Node>> {
    let others = environment.objects.iter().filter(|it| !std::ptr::eq(*it, object));
    let makers = others.filter(|it| WORKLOADS.contains(&it.kind()) || it.kind() == "Job");
    let labels = makers.map(|it| it.node.perhaps_at(&in_pods(&it.node, "metadata.labels")));
    labels.collect()
}

/// The labels or the selector at `node` as one text.
pub(super) fn written(node: &Node) -> Fact<String> {
    let mut all = Vec::new();
    for (key, entry) in node.entries() {
        match &entry.value.kind {
            Kind::Unknown(why) => {
                return Fact::Unknown(why.clone(), Some(entry.value.origin.clone()));
            }
            Kind::Scalar(scalar) => all.push(format!("{key}: {}", scalar.text)),
            _ => all.push(format!("{key}: {}", entry.value.to_json())),
        }
    }
    match (node.unknown(), node.as_map().and_then(|it| it.open.as_ref())) {
        (Some(why), _) | (_, Some(why)) => Fact::Unknown(why.clone(), Some(node.origin.clone())),
        _ => Fact::Known(all.join(", "), node.origin.clone()),
    }
}

/// The ports that the containers of a pod declare, and those of its sidecars.
fn ports(spec: &Node, container: &Node) -> Fact<Vec<ContainerPort>> {
    let mut declared = Vec::new();
    for field in ["containers", "initContainers"] {
        let containers = match spec.look(field) {
            Err((why, at)) => return Fact::Unknown(why, Some(at)),
            Ok(containers) => containers.map(Node::items).unwrap_or_default(),
        };
        for it in containers {
            let ports = match it.look("ports") {
                Err((why, at)) => return Fact::Unknown(why, Some(at)),
                Ok(ports) => ports.map(Node::items).unwrap_or_default(),
            };
            for node in ports {
                let (name, number) = (fact(node, "name", text), fact(node, "containerPort", port));
                match (name.untold(), number) {
                    (None, Fact::Known(number, origin)) => declared.push(ContainerPort {
                        name: name.value().cloned(),
                        number,
                        own: std::ptr::eq(it, container),
                        origin,
                    }),
                    (Some((why, at)), _) => return Fact::Unknown(why.clone(), at.cloned()),
                    (None, number) => {
                        let why = "a port of the pod has no number".into();
                        return number.map(|_| Vec::new()).untold_or(why, &node.origin);
                    }
                }
            }
        }
    }
    Fact::Known(declared, container.origin.clone())
}

/// The probes that ask over the network.
fn probes(container: &Node) -> Vec<Probe> {
    let mut probes = Vec::new();
    for (kind, field) in [
        ("liveness probe", "livenessProbe"),
        ("readiness probe", "readinessProbe"),
        ("startup probe", "startupProbe"),
    ] {
        let port = ["httpGet", "tcpSocket", "grpc"].into_iter().find_map(|how| {
            let port = fact(container, &format!("{field}.{how}.port"), port_ref);
            (!port.is_absent()).then_some(port)
        });
        probes.extend(port.map(|port| Probe { kind, port }));
    }
    probes
}

/// `IntOrString`, as far as it is a port.
pub(super) fn port_ref(node: &Node) -> Result<PortRef, String> {
    match node.as_str() {
        // The kubelet's last effort, `ResolveContainerPort` of `pkg/probe`.
        Some(text) => Ok(match text.parse() {
            Ok(number) => PortRef::Number(number),
            Err(_) => PortRef::Name(text.to_owned()),
        }),
        None => port(node).map(PortRef::Number),
    }
}

/// What is mounted into `container`.
fn mounts(workload: &Node, container: &Node) -> Fact<Vec<VolumeMount>> {
    let mounts = match container.look("volumeMounts") {
        Err((why, at)) => return Fact::Unknown(why, Some(at)),
        Ok(mounts) => mounts.map(Node::items).unwrap_or_default(),
    };
    let mut all = Vec::new();
    for mount in mounts {
        match fact(mount, "mountPath", text) {
            Fact::Known(path, origin) => {
                all.push(VolumeMount { path, writable: is_writable(workload, mount), origin });
            }
            path => {
                return path
                    .map(|_| Vec::new())
                    .untold_or("a mount has no path".into(), &mount.origin);
            }
        }
    }
    Fact::Known(all, container.origin.clone())
}

/// Whether what is mounted can be written to: the kubelet mounts what comes from the API read-only.
fn is_writable(workload: &Node, mount: &Node) -> Option<bool> {
    match fact(mount, "readOnly", boolean) {
        Fact::Known(false, _) | Fact::Absent(_) => {}
        Fact::Known(true, _) => return Some(false),
        Fact::Unknown(..) | Fact::Invalid { .. } => return None,
    }
    let name = mount.str_at("name")?;
    let volumes = workload.look(&in_pods(workload, "spec.volumes")).ok()??.items();
    let volume = volumes.iter().find(|it| it.str_at("name") == Some(name))?;
    let of_the_api = ["configMap", "secret", "downwardAPI", "projected", "image"];
    match volume.as_map()?.open.is_some() {
        true => None,
        false => Some(of_the_api.into_iter().all(|it| volume.get(it).is_none())),
    }
}

/// What the scheduler is told to keep the pods of `spec`, which have `labels`, apart by.
fn spreads(spec: &Node, labels: Option<&Node>, others: &[Option<Node>]) -> Vec<Spread> {
    let mut spreads = Vec::new();
    let mut add = |is_constraint, node: &Node| {
        let selector = node.perhaps_at("labelSelector").filter(|it| !it.is_null());
        let namespaces = match node.look("namespaceSelector") {
            Ok(None) => fact(node, "namespaces", texts),
            Ok(Some(it)) => Fact::Unknown("it selects namespaces".into(), Some(it.origin.clone())),
            Err((why, at)) => Fact::Unknown(why, Some(at)),
        };
        spreads.push(Spread {
            is_constraint,
            selects_others: selector.as_ref().is_some_and(|by| {
                others.iter().any(|labels| !matches!(selects(by, labels.as_ref()), Ok(false)))
            }),
            selects_itself: match &selector {
                Some(selector) => selects(selector, labels).ok(),
                // As `LabelSelectorAsSelector` has it, none is nothing at all.
                None => Some(false),
            },
            selector: selector.map_or(Fact::Absent(None), |it| selector_text(&it)),
            namespaces,
            origin: node.origin.clone(),
        });
    };
    let anti = "affinity.podAntiAffinity";
    for term in spec.items_at(&format!("{anti}.requiredDuringSchedulingIgnoredDuringExecution")) {
        add(false, term);
    }
    for term in spec.items_at(&format!("{anti}.preferredDuringSchedulingIgnoredDuringExecution")) {
        if let Some(term) = term.get("podAffinityTerm") {
            add(false, term);
        }
    }
    for constraint in spec.items_at("topologySpreadConstraints") {
        add(true, constraint);
    }
    spreads
}

/// `app: metrics-server, tier In (a, b)`
fn selector_text(selector: &Node) -> Fact<String> {
    let mut all = Vec::new();
    if let Some(wanted) = selector.get("matchLabels") {
        match written(wanted) {
            Fact::Known(text, _) => all.extend(Some(text).filter(|it| !it.is_empty())),
            untold => return untold,
        }
    }
    for it in selector.items_at("matchExpressions") {
        let values: Vec<&str> = it.items_at("values").iter().filter_map(Node::as_str).collect();
        let [key, operator] = ["key", "operator"].map(|field| it.str_at(field).unwrap_or("?"));
        all.push(match values.is_empty() {
            true => format!("{key} {operator}"),
            false => format!("{key} {operator} ({})", values.join(", ")),
        });
    }
    Fact::Known(all.join(", "), selector.origin.clone())
}

fn texts(node: &Node) -> Result<Vec<String>, String> {
    node.items().iter().map(text).collect()
}

/// What the container may do; what it does not say the pod says, for the fields that both have.
fn security(workload: &Node, container: &Node) -> SecurityFacts {
    fn either<T>(
        workload: &Node,
        container: &Node,
        field: &str,
        read: impl Fn(&Node) -> Result<T, String>,
    ) -> Fact<T> {
        match fact(container, &format!("securityContext.{field}"), &read) {
            Fact::Absent(_) => {
                fact(workload, &in_pods(workload, &format!("spec.securityContext.{field}")), read)
            }
            its => its,
        }
    }
    SecurityFacts {
        read_only_root_filesystem: fact(
            container,
            "securityContext.readOnlyRootFilesystem",
            boolean,
        ),
        run_as_non_root: either(workload, container, "runAsNonRoot", boolean),
        run_as_user: either(workload, container, "runAsUser", number),
    }
}

impl<T> Fact<T> {
    /// The same if nobody can tell it, else unknown because of `why`.
    fn untold_or(self, why: Reason, at: &Origin) -> Self {
        match self {
            Self::Known(..) | Self::Absent(_) => Self::Unknown(why, Some(at.clone())),
            untold => untold,
        }
    }
}

impl Pod {
    /// The declared port that `to` leads to. A name in a probe is one of metrics-server's container;
    /// everything else may be another's.
    pub(crate) fn declared(&self, to: &PortRef, probe: bool) -> Option<&ContainerPort> {
        let ports = self.ports.value()?;
        let is = |it: &&ContainerPort| match to {
            PortRef::Number(number) => it.number == *number,
            PortRef::Name(name) => it.name.as_ref() == Some(name) && (it.own || !probe),
        };
        ports.iter().find(|it| it.own && is(it)).or_else(|| ports.iter().find(is))
    }
}
