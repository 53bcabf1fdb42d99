//! The pods of a workload: what they listen on, who asks there, what they may write.

use super::{
    Fact,
    fact::{Datum, Facts, facts},
    index::{Asked, ObjectIndex},
    lower::kubernetes_default,
    placement::{Placement, placement},
    selector::{certain_pairs, selects},
    workload::{boolean, fact, in_pods, number, pod_labels, port, text, volumes},
};
use crate::{
    resolve::environment::Object,
    tree::{Kind, Node, Origin, Reason, Via},
};

/// The pods of a metrics-server.
#[derive(Debug, Clone)]
pub(crate) struct Pod {
    /// Where their spec is written.
    pub spec: Origin,
    /// Their labels, `k8s-app: metrics-server`, and where these are written.
    pub labels: Fact<String>,
    /// The ports that their containers declare.
    pub ports: Fact<Vec<ContainerPort>>,
    /// The probes of metrics-server's container that ask over the network.
    pub probes: Vec<Probe>,
    /// The probes that its container does not have, and what took each away, if something did.
    pub unprobed: Vec<(&'static str, Option<Origin>)>,
    /// What is mounted into metrics-server's container.
    pub mounts: Fact<Vec<VolumeMount>>,
    /// `workingDir` of metrics-server's container.
    pub working_dir: Fact<String>,
    /// What they are to be kept apart by.
    pub spreads: Vec<Spread>,
    /// Whether nobody can tell what they are kept apart by.
    pub may_be_spread: bool,
    /// The nodes that they may run on.
    pub placement: Placement,
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
        /// `allowPrivilegeEscalation`
        pub(crate) allow_privilege_escalation: Fact<bool>,
        /// `privileged`
        pub(crate) privileged: Fact<bool>,
        /// `seccompProfile.type`
        pub(crate) seccomp_profile: Fact<String>,
        /// `capabilities.add`, with blanks between them.
        pub(crate) capabilities_added: Fact<String>,
        /// `capabilities.drop`, with blanks between them.
        pub(crate) capabilities_dropped: Fact<String>,
        /// The sysctl `net.ipv4.ip_unprivileged_port_start`, as the pod sets it.
        pub(crate) first_unprivileged_port: Fact<i128>,
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
    /// `httpGet.path`; absent where it asks otherwise.
    pub path: Fact<String>,
    /// `httpGet.scheme`; absent where it asks otherwise.
    pub scheme: Fact<String>,
    /// After how many answers it counts as failed.
    pub failure_threshold: Fact<i128>,
    /// Where it is written.
    pub origin: Origin,
}

/// A probe's kind, and the field of a container that holds it.
const PROBES: [(&str, &str); 3] = [
    ("liveness probe", "livenessProbe"),
    ("readiness probe", "readinessProbe"),
    ("startup probe", "startupProbe"),
];

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
    /// Whether a pod waits rather than go against it.
    pub is_required: bool,
    /// `topologyKey`
    pub topology: Fact<String>,
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
pub(super) fn pod(index: &ObjectIndex<'_>, object: &Object, container: &Node) -> Pod {
    let workload = &object.node;
    let spec = workload.at(&in_pods(workload, "spec"));
    let labels = pod_labels(workload);
    Pod {
        spec: spec.unwrap_or(workload).origin.clone(),
        labels: match &labels {
            Some(labels) => written(labels),
            None => Fact::Absent(None),
        },
        ports: spec.map_or(Fact::Absent(None), |spec| ports(spec, container)),
        probes: probes(container),
        unprobed: unprobed(container),
        mounts: mounts(workload, container),
        working_dir: fact(container, "workingDir", text),
        spreads: spec
            .map(|spec| spreads(spec, labels.as_ref(), |asked| others(index, object, asked)))
            .unwrap_or_default(),
        may_be_spread: ["affinity", "topologySpreadConstraints"].iter().any(|field| {
            let field = spec.map_or(Ok(None), |spec| spec.look(field));
            field.is_err() || field.is_ok_and(|it| it.is_some_and(|it| it.walk().any(is_untold)))
        }),
        placement: placement(spec.unwrap_or(workload)),
        security: security(workload, container),
    }
}

/// The labels of the pods that everything but `object` makes, whatever their namespace, and that may
/// have one of those that are asked for.
pub(super) fn others<'s>(
    index: &'s ObjectIndex<'_>,
    object: &'s Object,
    asked: Asked,
) -> impl Iterator<Item = Option<&'s Node>> {
    let pods = index.pods(None, asked).filter(|it| it.is_workload);
    pods.filter(|it| !std::ptr::eq(it.object, object)).map(|it| it.labels.as_ref())
}

fn is_untold(node: &Node) -> bool {
    node.unknown().is_some() || node.as_map().is_some_and(|it| it.open.is_some())
}

/// The labels or the selector at `node` as one text, in the order of their keys.
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
    all.sort();
    match (node.unknown(), node.as_map().and_then(|it| it.open.as_ref())) {
        (Some(why), _) | (_, Some(why)) => Fact::Unknown(why.clone(), Some(node.origin.clone())),
        _ => Fact::Known(all.join(", "), node.changed_at()),
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
///
/// What Kubernetes fills in is what `SetDefaults_Probe` and `SetDefaults_HTTPGetAction` of
/// `pkg/apis/core/v1/defaults.go` do.
fn probes(container: &Node) -> Vec<Probe> {
    let mut probes = Vec::new();
    for (kind, field) in PROBES {
        let Some(probe) = container.get(field) else { continue };
        let asks = ["httpGet", "tcpSocket", "grpc"].into_iter().find_map(|how| {
            let port = fact(probe, &format!("{how}.port"), port_ref);
            (!port.is_absent()).then_some((how == "httpGet", port))
        });
        let Some((gets, port)) = asks else { continue };
        let of_get = |field: &str, default: &str| match gets {
            true => fact(probe, &format!("httpGet.{field}"), text)
                .or_default(default.to_owned(), kubernetes_default()),
            false => Fact::Absent(None),
        };
        probes.push(Probe {
            kind,
            port,
            path: of_get("path", "/"),
            scheme: of_get("scheme", "HTTP"),
            failure_threshold: fact(probe, "failureThreshold", number)
                .or_default(3, kubernetes_default()),
            origin: probe.origin.clone(),
        });
    }
    probes
}

/// The probes that `container` certainly does not have.
fn unprobed(container: &Node) -> Vec<(&'static str, Option<Origin>)> {
    let missing = |(kind, field)| match fact(container, field, |_| Ok(())) {
        Fact::Absent(by) => Some((kind, by)),
        _ => None,
    };
    PROBES.into_iter().filter_map(missing).collect()
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
    let field = "volumeMounts";
    let mounts = match container.look(field) {
        Err((why, at)) => return Fact::Unknown(why, Some(at)),
        Ok(mounts) => mounts.map(Node::items).unwrap_or_default(),
    };
    let removed = container.as_map().and_then(|it| it.removed(field)).filter(|_| mounts.is_empty());
    let origin = match removed {
        Some(by) => by.over(Via::Patched, &container.origin),
        None => container.origin.clone(),
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
    Fact::Known(all, origin)
}

/// Whether what is mounted can be written to: the kubelet mounts what comes from the API read-only.
fn is_writable(workload: &Node, mount: &Node) -> Option<bool> {
    match fact(mount, "readOnly", boolean) {
        Fact::Known(false, _) | Fact::Absent(_) => {}
        Fact::Known(true, _) => return Some(false),
        Fact::Unknown(..) | Fact::Invalid { .. } => return None,
    }
    let name = mount.str_at("name")?;
    let volume = volumes(workload)?.iter().find(|it| it.str_at("name") == Some(name))?;
    let of_the_api = ["configMap", "secret", "downwardAPI", "projected", "image"];
    match volume.as_map()?.open.is_some() {
        true => None,
        false => Some(of_the_api.into_iter().all(|it| volume.get(it).is_none())),
    }
}

/// What the scheduler is told to keep the pods of `spec`, which have `labels`, apart by.
fn spreads<'a, I: Iterator<Item = Option<&'a Node>>>(
    spec: &Node,
    labels: Option<&Node>,
    others: impl Fn(Asked) -> I,
) -> Vec<Spread> {
    let mut spreads = Vec::new();
    let mut add = |is_constraint, is_required, node: &Node| {
        let selector = node.perhaps_at("labelSelector").filter(|it| !it.is_null());
        let namespaces = match node.look("namespaceSelector") {
            Ok(None) => fact(node, "namespaces", texts),
            Ok(Some(it)) => Fact::Unknown("it selects namespaces".into(), Some(it.origin.clone())),
            Err((why, at)) => Fact::Unknown(why, Some(at)),
        };
        spreads.push(Spread {
            is_constraint,
            is_required,
            topology: fact(node, "topologyKey", text),
            selects_others: selector.as_ref().is_some_and(|by| {
                others(certain_pairs(by)).any(|labels| !matches!(selects(by, labels), Ok(false)))
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
        add(false, true, term);
    }
    for term in spec.items_at(&format!("{anti}.preferredDuringSchedulingIgnoredDuringExecution")) {
        if let Some(term) = term.get("podAffinityTerm") {
            add(false, false, term);
        }
    }
    for constraint in spec.items_at("topologySpreadConstraints") {
        add(true, constraint.str_at("whenUnsatisfiable") == Some("DoNotSchedule"), constraint);
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

/// The list of texts at `path` as one, with blanks between them, which comes from the first.
fn words(node: &Node, path: &str) -> Fact<String> {
    fact(node, path, texts).and_then(|words, at| match node.items_at(path) {
        [] => Fact::Absent(Some(at.clone())),
        [first, ..] => Fact::Known(words.join(" "), first.origin.clone()),
    })
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
        allow_privilege_escalation: fact(
            container,
            "securityContext.allowPrivilegeEscalation",
            boolean,
        ),
        privileged: fact(container, "securityContext.privileged", boolean),
        seccomp_profile: either(workload, container, "seccompProfile.type", text),
        capabilities_added: words(container, "securityContext.capabilities.add"),
        capabilities_dropped: words(container, "securityContext.capabilities.drop"),
        first_unprivileged_port: first_unprivileged_port(workload),
    }
}

/// The sysctl that says from which port on everybody may listen.
fn first_unprivileged_port(workload: &Node) -> Fact<i128> {
    let sysctls = match workload.look(&in_pods(workload, "spec.securityContext.sysctls")) {
        Err((why, at)) => return Fact::Unknown(why, Some(at)),
        Ok(sysctls) => sysctls.map(Node::items).unwrap_or_default(),
    };
    for sysctl in sysctls {
        match sysctl.look("name") {
            Err((why, at)) => return Fact::Unknown(why, Some(at)),
            Ok(Some(name)) if name.as_str() == Some("net.ipv4.ip_unprivileged_port_start") => {
                return fact(sysctl, "value", |it| {
                    let port = it.as_scalar().and_then(|it| it.text.parse().ok());
                    port.ok_or_else(|| "this is no port".to_owned())
                });
            }
            Ok(_) => {}
        }
    }
    Fact::Absent(None)
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

    /// What is mounted at `path`, or nearest above it, as far as the mounts are known.
    pub(crate) fn mount_of(&self, path: &str) -> Option<&VolumeMount> {
        let mounts = self.mounts.value()?.iter().filter(|it| is_below(path, &it.path));
        mounts.max_by_key(|it| it.path.len())
    }

    /// What `show` tells of them: their rights, and where they are asked.
    pub(crate) fn facts(&self) -> Vec<(&'static str, Fact<Datum>)> {
        let mut facts = self.security.facts();
        let paths = [("liveness_path", "liveness probe"), ("readiness_path", "readiness probe")];
        for (name, kind) in paths {
            let probe = self.probes.iter().find(|it| it.kind == kind);
            facts.extend(probe.map(|it| (name, it.path.datum())));
        }
        facts
    }
}

/// Whether `path` is `dir`, or in it.
pub(crate) fn is_below(path: &str, dir: &str) -> bool {
    let rest = path.strip_prefix(dir.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
