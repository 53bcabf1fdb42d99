//! What approves kubelet serving certificate requests.
//!
//! Nothing in Kubernetes approves them by itself: kube-controller-manager signs what is approved,
//! and approves client certificates only (`pkg/controller/certificates/approver`).

mod elsewhere;
mod policy;

pub(crate) use elsewhere::elsewhere;
pub(crate) use policy::Weakness;
pub(super) use policy::of_values;

use std::{cell::LazyCell, collections::BTreeSet};

use crate::{
    data::subject::{APPROVERS, TALOS_CONTROLLER},
    model::{Approver, workload::containers},
    problem::ProblemKind,
    resolve::environment::{Environment, Object, Release, Unit},
    source::Sources,
    tree::{Kind, Node, Origin},
};

/// The cloud controller manager of Talos, one of whose controllers approves.
const TALOS: &str = "talos-cloud-controller-manager";

/// The role that Kubernetes itself makes for approvers.
const BUILT_IN_ROLE: &str = "system:certificates.k8s.io:kubelet-serving-approver";

/// The approvers that `environment` deploys, by name, those that are certain first.
pub(crate) fn find(sources: &Sources, environment: &Environment) -> Vec<Approver> {
    let mut found: Vec<Approver> = Vec::new();
    found.extend(environment.releases.iter().filter_map(of_release));
    found.extend(of_objects(&environment.objects));
    for problem in &environment.problems {
        if problem.kind == ProblemKind::Unresolved {
            let text = problem.at.written_at().map_or("", |span| sources.slice(span));
            found.extend(remote(text, &problem.at));
        }
    }
    distinct(found)
}

/// What may approve because it is deployed and lies outside the repository: bases elsewhere, files
/// that are not there.
pub(super) fn unseen(environment: &Environment) -> impl Iterator<Item = Approver> + '_ {
    let parts = environment.problems.iter().filter(|it| it.unseen.objects).map(|it| it.at.clone());
    let charts = environment.releases.iter().filter(|it| is_chart_elsewhere(it));
    let charts = charts.map(|it| it.anchor.clone());
    let objects = || environment.objects.iter();
    let applied = LazyCell::new(move || {
        objects().filter_map(|it| environment.applies(it)).collect::<BTreeSet<_>>()
    });
    let not_built = objects()
        .filter(move |it| is_application(it) && !applied.contains(&Unit::of_object(&it.node).id));
    let elsewhere = parts.chain(charts).chain(not_built.map(Object::anchor));
    elsewhere.map(|it| Approver::new("something that is not in the repository", &it, false))
}

/// Whether the chart of `release` is a directory of a repository that is not this one: its owner's,
/// and called whatever.
fn is_chart_elsewhere(release: &Release) -> bool {
    release.family.is_none() && release.directory.is_none() && release.chart.starts_with(['.', '/'])
}

/// Whether `object` is an Application of manifests.
fn is_application(object: &Object) -> bool {
    let mut sources =
        object.node.at("spec.source").into_iter().chain(object.node.items_at("spec.sources"));
    object.group() == "argoproj.io"
        && object.kind() == "Application"
        && sources.any(|it| it.get("path").is_some())
}

/// The approvers among `objects`.
pub(super) fn of_objects(objects: &[Object]) -> Vec<Approver> {
    let mut found: Vec<Approver> = objects.iter().filter_map(of_workload).collect();
    found.extend(objects.iter().filter_map(of_reference));
    found.extend(of_roles(objects));
    found
}

/// One approver a name: what is certain of any mention is certain of it.
pub(super) fn distinct(found: Vec<Approver>) -> Vec<Approver> {
    let mut distinct: Vec<Approver> = Vec::new();
    for approver in found {
        match distinct.iter_mut().find(|it| it.name == approver.name) {
            None => distinct.push(approver),
            Some(first) => {
                if approver.certain && !first.certain {
                    first.origin = approver.origin;
                    first.certain = true;
                }
                first.denies_all = first.denies_all.take().or(approver.denies_all);
                for weakness in approver.weaknesses {
                    if first.weaknesses.iter().all(|(it, _)| *it != weakness.0) {
                        first.weaknesses.push(weakness);
                    }
                }
            }
        }
    }
    distinct.sort_by_key(|it| !it.certain);
    distinct
}

fn of_release(release: &Release) -> Option<Approver> {
    let chart = release.chart.rsplit('/').next().unwrap_or_default();
    let approver = |name, certain| Approver::new(name, &release.anchor, certain);
    if chart == TALOS {
        let names = |it: &Node| it.as_str().is_some_and(|it| it == TALOS_CONTROLLER || it == "*");
        return match release.values.look("enabledControllers") {
            Ok(list) => list
                .is_some_and(|it| it.items().iter().any(names))
                .then(|| approver(chart, !release.suspended)),
            // It may name the controller or not.
            Err(_) => Some(approver(chart, false)),
        };
    }
    let mut approver = approver(project(chart)?, !release.suspended);
    // What a chart of the repository is given may be for one in it; what it makes is there to be looked at.
    if approver.name == "kubelet-csr-approver" && release.directory.is_none() {
        approver.weaknesses = policy::of_values(&release.values, &release.anchor);
        let version = release.version.as_ref().and_then(Node::as_str);
        approver.denies_all = policy::denies_all_by(&release.values, version);
    }
    Some(approver)
}

impl Approver {
    /// One that has no weakness, as far as is known.
    pub(super) fn new(name: &str, origin: &Origin, certain: bool) -> Self {
        let (name, origin) = (name.into(), origin.clone());
        Self { name, origin, certain, weaknesses: Vec::new(), denies_all: None }
    }
}

/// The project that `name` is, or is part of.
fn project(name: &str) -> Option<&'static str> {
    APPROVERS.iter().find(|it| name.contains(**it)).copied()
}

fn of_workload(object: &Object) -> Option<Approver> {
    let containers = containers(&object.node);
    let origin = object.anchor();
    let named =
        |name: &str, weaknesses| Approver { weaknesses, ..Approver::new(name, &origin, true) };
    containers.iter().find_map(|container| {
        let image = container.get("image")?;
        let repository = image.as_str().map_or("", |it| it.split('@').next().unwrap_or(it));
        let image_name = repository.rsplit('/').next().unwrap_or_default();
        let image_name = image_name.split(':').next().unwrap_or_default();
        if let Some(name) = APPROVERS.iter().find(|it| **it == image_name) {
            let mut weaknesses = policy::of_image(image);
            let mut denies_all = None;
            match *name {
                "kubelet-csr-approver" => {
                    weaknesses.extend(policy::of_container(container, &origin));
                    denies_all = policy::denies_all(container);
                }
                "kubelet-rubber-stamp" => {
                    weaknesses.push((Weakness::Unmaintained, image.origin.clone()));
                }
                _ => {}
            }
            return Some(Approver { denies_all, ..named(name, weaknesses) });
        }
        let words = || ["command", "args"].into_iter().flat_map(|it| container.items_at(it));
        let line: Vec<&str> = words().filter_map(Node::as_scalar).map(|it| &*it.text).collect();
        let line = line.join(" ");
        if image_name == TALOS && line.contains(TALOS_CONTROLLER) {
            return Some(named(TALOS, Vec::new()));
        }
        let approves = line.contains("certificate approve");
        approves.then(|| {
            let at = words()
                .find(|arg| arg.as_scalar().is_some_and(|it| it.text.contains("certificate")))
                .map_or_else(|| origin.clone(), |it| it.origin.clone());
            named(object.name(), vec![(Weakness::Blind, at)])
        })
    })
}

/// Roles that may approve, by what they allow, whoever wrote them. One counts as an approver for
/// certain when a service account has it.
fn of_roles(objects: &[Object]) -> Vec<Approver> {
    let rbac = |kind: &'static str| {
        objects
            .iter()
            .filter(move |it| it.group() == "rbac.authorization.k8s.io" && it.kind() == kind)
    };
    let bound = |role: &str| {
        rbac("ClusterRoleBinding").find(|binding| {
            binding.node.str_at("roleRef.name") == Some(role)
                && (binding.node.items_at("subjects").iter())
                    .any(|it| it.str_at("kind") == Some("ServiceAccount"))
        })
    };
    let approver = |role: &str, origin: &Origin, certain| {
        Approver::new(project(role).unwrap_or(role), origin, certain)
    };
    let roles = rbac("ClusterRole").filter_map(|role| {
        let rule = role.node.items_at("rules").iter().find(|it| may_approve(it))?;
        let certain = bound(role.name()).is_some();
        // Talos' role allows it whether the controller is on or not.
        (!role.name().contains(TALOS)).then(|| approver(role.name(), &rule.origin, certain))
    });
    let built_in = bound(BUILT_IN_ROLE).map(|it| approver(it.name(), &it.anchor(), true));
    roles.chain(built_in).collect()
}

/// Whether an RBAC rule lets its subject approve for the signer of kubelet serving certificates,
/// as the admission plugin `CertificateApproval` asks.
///
/// A rule for everything is that of an administrator or a deployer, not of an approver.
fn may_approve(rule: &Node) -> bool {
    let has = |field: &str, wanted: &[&str]| {
        rule.items_at(field).iter().filter_map(Node::as_str).any(|it| wanted.contains(&it))
    };
    has("apiGroups", &["certificates.k8s.io"])
        && has("resources", &["signers"])
        && has("verbs", &["approve", "*"])
        && (rule.get("resourceNames").is_none_or(|it| it.items().is_empty())
            || has("resourceNames", &["kubernetes.io/kubelet-serving", "kubernetes.io/*"]))
}

/// An Argo CD Application or Flux source that gets an approver from its project's repository.
fn of_reference(object: &Object) -> Option<Approver> {
    let (certain, paths): (bool, &[&str]) = match (object.group(), object.kind()) {
        ("argoproj.io", "Application") => {
            (true, &["spec.source.repoURL", "spec.source.chart", "spec.sources"])
        }
        // A source alone deploys nothing.
        ("source.toolkit.fluxcd.io", "GitRepository" | "OCIRepository" | "HelmRepository") => {
            (false, &["spec.url"])
        }
        _ => return None,
    };
    paths.iter().filter_map(|path| object.node.at(path)).find_map(|node| match &node.kind {
        Kind::List(sources) => sources
            .iter()
            .flat_map(|it| [it.get("repoURL"), it.get("chart")])
            .flatten()
            .find_map(|it| remote(it.as_str()?, &it.origin)),
        _ => remote(node.as_str()?, &node.origin).map(|it| Approver { certain, ..it }),
    })
}

/// The approver that a URL or path of a manifest brings in.
pub(super) fn remote(text: &str, at: &Origin) -> Option<Approver> {
    let mut approver = Approver::new(project(text)?, at, true);
    let moving = ["/main/", "/master/", "/latest/", "ref=main", "ref=master"];
    if moving.iter().any(|it| text.contains(it)) {
        approver.weaknesses.push((Weakness::Branch, at.clone()));
    }
    Some(approver)
}
