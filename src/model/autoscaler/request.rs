//! What the containers of a pod request in the cluster, and what rewrites that.

use crate::{
    model::{
        Container, Cpu, Fact, Memory,
        autoscaler::{Measured, TargetRef, VerticalAutoscaler},
        workload::{self, fact},
    },
    resolve::environment::Object,
    tree::{Node, Origin, Reason, Via},
};

/// The containers of a pod whose use and requests are summed: those that run as long as it does.
pub(super) fn counted(pod: &Node) -> Result<Vec<Container>, (Reason, Origin)> {
    let mut counted = Vec::new();
    for field in ["containers", "initContainers"] {
        let list = pod.look(field)?.map(Node::items).unwrap_or_default();
        for container in list {
            let sidecar = match container.look("restartPolicy")? {
                Some(policy) => policy.as_str() == Some("Always"),
                None => false,
            };
            container.look("name")?;
            if field == "containers" || sidecar {
                counted.push(workload::described(container));
            }
        }
    }
    Ok(counted)
}

/// Fills in the requests that `container` does not have, as Kubernetes does.
///
/// A limit is the request where there is none (`SetDefaults_Pod` of `pkg/apis/core/v1`); before
/// that the admission plugin `LimitRanger` adds what the namespace's `ranges` have as defaults.
pub(super) fn give_requests(container: &mut Container, ranges: &[&Node]) {
    let Container { resources, .. } = container;
    let (cpu, memory) = (cpu_of(ranges), memory_of(ranges));
    resources.cpu_request = given(&resources.cpu_request, &resources.cpu_limit, cpu);
    resources.memory_request = given(&resources.memory_request, &resources.memory_limit, memory);
}

/// Whether a `LimitRange` gives containers requests of `resource`, or may.
pub(super) fn may_give(node: &Node, resource: Measured) -> bool {
    match resource {
        Measured::Cpu => !cpu_of(&[node]).is_absent(),
        Measured::Memory => !memory_of(&[node]).is_absent(),
    }
}

fn cpu_of(ranges: &[&Node]) -> Fact<Cpu> {
    range(ranges, Measured::Cpu, &workload::cpu)
}

fn memory_of(ranges: &[&Node]) -> Fact<Memory> {
    range(ranges, Measured::Memory, &workload::memory)
}

fn given<T: Clone>(request: &Fact<T>, limit: &Fact<T>, default: Fact<T>) -> Fact<T> {
    match (request, limit) {
        (Fact::Absent(by), Fact::Absent(_)) => match default {
            Fact::Absent(_) => Fact::Absent(by.clone()),
            default => default,
        },
        (Fact::Absent(_), limit) => limit.clone(),
        (request, _) => request.clone(),
    }
}

/// What the `LimitRange`s of a namespace give a container that requests nothing: the default, the
/// default limit, else the greatest or smallest that is allowed (`SetDefaults_LimitRangeItem` of
/// `pkg/apis/core/v1`).
fn range<T>(
    ranges: &[&Node],
    resource: Measured,
    read: &dyn Fn(&Node) -> Result<T, String>,
) -> Fact<T> {
    for range in ranges {
        let items = match range.look("spec.limits") {
            Err((why, at)) => return Fact::Unknown(why, Some(at)),
            Ok(items) => items.map(Node::items).unwrap_or_default(),
        };
        for item in items {
            match item.look("type") {
                Err((why, at)) => return Fact::Unknown(why, Some(at)),
                Ok(kind) if kind.and_then(Node::as_str) == Some("Container") => {}
                Ok(_) => continue,
            }
            for field in ["defaultRequest", "default", "max", "min"] {
                let given = fact(item, &format!("{field}.{}", resource.name()), read);
                if !given.is_absent() {
                    return given;
                }
            }
        }
    }
    Fact::Absent(None)
}

/// What rewrites the requests of the workload `named`, if `object` does.
pub(super) fn vertical(
    object: &Object,
    named: &TargetRef,
    containers: &[Container],
) -> Option<VerticalAutoscaler> {
    if (object.group(), object.kind()) != ("autoscaling.k8s.io", "VerticalPodAutoscaler") {
        return None;
    }
    let node = &object.node;
    let is_it = match TargetRef::read(node, "spec.targetRef", None) {
        Fact::Known(target, _) => target.kind == named.kind && target.name == named.name,
        Fact::Absent(_) => false,
        Fact::Unknown(..) | Fact::Invalid { .. } => true,
    };
    let mode = fact(node, "spec.updatePolicy.updateMode", workload::text)
        .or_default("Recreate".to_owned(), Origin::at(Via::KubernetesDefault, None));
    if !is_it || mode.value().is_some_and(|it| it == "Off") {
        return None;
    }
    let sets = match &mode {
        Fact::Known(..) => {
            let of = |it: &Container| {
                let sets = resources_set(node, &it.name).into_iter();
                sets.map(|resource| (it.name.clone(), resource)).collect::<Vec<_>>()
            };
            containers.iter().flat_map(of).collect()
        }
        _ => Vec::new(),
    };
    let anchor = mode.origin().map_or_else(|| object.anchor(), |it| it.or(&object.anchor()));
    Some(VerticalAutoscaler { name: object.name().to_owned(), anchor, sets })
}

/// What a `VerticalPodAutoscaler` certainly sets for `container`: CPU and memory unless its policy,
/// or the one for all, says otherwise.
fn resources_set(node: &Node, container: &str) -> Vec<Measured> {
    let policies = match node.look("spec.resourcePolicy.containerPolicies") {
        Ok(policies) => policies.map(Node::items).unwrap_or_default(),
        Err(_) => return Vec::new(),
    };
    let named = |name: &str| policies.iter().find(|it| it.str_at("containerName") == Some(name));
    let Some(policy) = named(container).or_else(|| named("*")) else {
        return vec![Measured::Cpu, Measured::Memory];
    };
    let is_off = policy.look("mode").map_or(true, |it| it.and_then(Node::as_str) == Some("Off"));
    match policy.look("controlledResources") {
        _ if is_off => Vec::new(),
        Err(_) => Vec::new(),
        Ok(None) => vec![Measured::Cpu, Measured::Memory],
        Ok(Some(list)) => {
            list.items().iter().filter_map(|it| Measured::parse(it.as_str()?)).collect()
        }
    }
}
