use crate::{
    finding::{Findings, Severity},
    model::{
        Autoscaler, Cluster, Container, Fact,
        autoscaler::{Need, TargetRef, Workload},
    },
    nearest::nearest,
    tree::Origin,
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for scaler in &cluster.autoscalers {
        let Some((target, at)) = scaler.target.known() else { continue };
        if target.has_no_scale() {
            cannot_scale(scaler, target, at, findings);
            continue;
        }
        match &scaler.workload {
            Fact::Known(workload, origin) => {
                let mut seen = Vec::new();
                for need in &scaler.needs {
                    check_need(scaler, workload, origin, need, &mut seen, findings);
                }
            }
            Fact::Absent(_) => not_there(scaler, target, at, findings),
            Fact::Unknown(..) | Fact::Invalid { .. } => {}
        }
    }
}

fn check_need<'a>(
    scaler: &Autoscaler,
    workload: &'a Workload,
    origin: &Origin,
    need: &Need,
    seen: &mut Vec<(&'a str, &'static str)>,
    findings: &mut Findings,
) {
    let counted: Vec<_> = workload.containers.iter().filter(|it| need.counts(it)).collect();
    if let (Some((name, at)), []) = (&need.container, &*counted) {
        no_such_container(scaler, workload, origin, (name, at), findings);
        return;
    }
    // What a VerticalPodAutoscaler writes is a request.
    if !workload.vertical.is_empty() {
        return;
    }
    // Zero is a request, but nothing can be a share of what is zero in all.
    let in_all_zero = counted.iter().all(|it| it.requests_nothing(need.resource).is_some());
    for container in counted {
        let zero = container.requests_nothing(need.resource).filter(|_| in_all_zero);
        let Some(at) = container.lacks(need.resource).or(zero) else { continue };
        let what = (&*container.name, need.resource.name());
        if !seen.contains(&what) {
            seen.push(what);
            lacks(scaler, container, &at.or(origin), need, findings);
        }
    }
}

fn lacks(
    scaler: &Autoscaler,
    container: &Container,
    at: &Origin,
    need: &Need,
    findings: &mut Findings,
) {
    let (name, resource) = (&container.name, need.resource);
    let is_zero = container.requests_nothing(resource).is_some();
    let (has, because) = match is_zero {
        true => ("requests zero", "of nothing there is no share"),
        false => ("has none", "while one container lacks it, the metric cannot be computed"),
    };
    let label = match need.is_default {
        true => format!("without metrics it targets {}", need.words()),
        false => format!("{} targets {}", scaler.words(), need.words()),
    };
    let finding = findings
        .at(
            at,
            &format!("{} {name} {}", scaler.subject(), resource.name()),
            format!("{} targets {}, but container {name} {has}", scaler.words(), need.words()),
        )
        .also(&need.origin.or(&scaler.anchor), label)
        .help(format!("set resources.requests.{} of container {name}: {because}", resource.name()));
    if scaler.suspended {
        finding.at_most(Severity::Warning);
    }
}

fn no_such_container(
    scaler: &Autoscaler,
    workload: &Workload,
    origin: &Origin,
    (name, at): (&str, &Origin),
    findings: &mut Findings,
) {
    let names = || workload.containers.iter().map(|it| &*it.name);
    // A name that nobody may have seen: of what is added to the pods in the cluster.
    if workload.injected || INJECTED.contains(&name) || names().any(str::is_empty) {
        return;
    }
    let finding = findings
        .at(
            &at.or(&scaler.anchor),
            &format!("{} {name}", scaler.subject()),
            format!("{} looks at container {name}, which its target does not have", scaler.words()),
        )
        .variant("container")
        .also(origin, format!("its containers: {}", names().collect::<Vec<_>>().join(", ")));
    if let Some(near) = nearest(name, names()) {
        finding.help(format!("did you mean `{near}`?"));
    }
    if scaler.suspended {
        finding.at_most(Severity::Warning);
    }
}

/// What meshes and the like call the containers that they add.
const INJECTED: &[&str] = &[
    "istio-proxy",
    "linkerd-proxy",
    "daprd",
    "vault-agent",
    "consul-dataplane",
    "envoy-sidecar",
    "kuma-sidecar",
    "envoy",
];

fn cannot_scale(scaler: &Autoscaler, target: &TargetRef, at: &Origin, findings: &mut Findings) {
    let TargetRef { kind, name, .. } = target;
    let finding = findings
        .at(
            &at.or(&scaler.anchor),
            &scaler.subject(),
            format!(
                "{} cannot scale {kind} {name}: a {kind} has no number of replicas",
                scaler.words()
            ),
        )
        .variant("cannot-scale")
        .help("scale a Deployment or a StatefulSet, or take the autoscaler away");
    if scaler.suspended {
        finding.at_most(Severity::Warning);
    }
}

fn not_there(scaler: &Autoscaler, target: &TargetRef, at: &Origin, findings: &mut Findings) {
    let TargetRef { kind, name, .. } = target;
    findings
        .at(
            &at.or(&scaler.anchor),
            &scaler.subject(),
            format!(
                "{} scales {kind} {name}, which is not in namespace {} of this environment",
                scaler.words(),
                scaler.namespace
            ),
        )
        .variant("target")
        .pedantic();
}
