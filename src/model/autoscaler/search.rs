//! What the autoscalers of an environment scale.

use std::{cell::OnceCell, collections::BTreeSet};

use crate::{
    data::subject::GIVING_REQUESTS,
    literals::Literals,
    model::{
        Fact,
        autoscaler::{Autoscaler, Measured, Need, TargetRef, Workload, metric, request},
        fact::written,
        index::ObjectIndex,
        lower::{kubernetes_default, namespace_of},
        workload::{self, fact},
    },
    resolve::{
        environment::{EntryKind, Environment, Object},
        layout,
    },
    scalar::Dialect,
    source::{self, FileId, Sources},
    tree::{Node, Origin, Reason, Via},
};

/// What scales workloads in `environment`; `elsewhere` is asked when a request is missed.
pub(in crate::model) fn find<'a>(
    sources: &Sources,
    index: &ObjectIndex<'_>,
    elsewhere: impl Fn() -> &'a [Node],
) -> Vec<Autoscaler> {
    let environment = index.environment;
    let search = Search { sources, environment, index, elsewhere, here: OnceCell::new() };
    environment.objects.iter().filter_map(|it| search.autoscaler(it)).collect()
}

/// Everything in the repository that may give containers requests: `LimitRange`s and
/// `VerticalPodAutoscaler`s, as the `environments` have them, and as they are written.
///
/// May read every manifest, so it is for when a request is missed.
pub(in crate::model) fn elsewhere(sources: &Sources, environments: &[Environment]) -> Vec<Node> {
    let gives = |it: &&Node| GIVING_REQUESTS.contains(&it.object_kind());
    // A file below the directory that an environment starts in is only that one's, which may give it
    // another namespace.
    let (mut found, mut of_one) = (Vec::new(), BTreeSet::new());
    for environment in environments {
        let start = environment.entry.origin.written_at();
        let dir = start.map(|it| source::parent(&sources[it.file].path));
        for object in environment.objects.iter().filter(|it| gives(&&it.node)) {
            let is_inside = |it: &FileId| {
                dir.is_some_and(|dir| !dir.is_empty() && source::is_within(&sources[*it].path, dir))
            };
            of_one.extend(file_of(object).filter(is_inside));
            found.push(object.node.clone());
        }
    }
    let kinds = Literals::new(&[GIVING_REQUESTS]);
    let files = sources.saying(&kinds, |_, it| layout::is_yaml(&it.path));
    let files = files.filter(|it| !of_one.contains(it));
    let roots = files.flat_map(|it| sources.documents(it, Dialect::Sigs).roots());
    found.extend(layout::objects(roots).filter(gives).cloned());
    found
}

/// The search for what an environment's autoscalers scale.
struct Search<'s, 'e, F> {
    sources: &'s Sources,
    environment: &'s Environment,
    index: &'s ObjectIndex<'e>,
    elsewhere: F,
    /// The files of what the environment has that gives containers requests.
    here: OnceCell<BTreeSet<Option<FileId>>>,
}

impl<'a, F: Fn() -> &'a [Node]> Search<'_, '_, F> {
    fn autoscaler(&self, object: &Object) -> Option<Autoscaler> {
        let node = &object.node;
        let (kind, needs) = match (object.group(), object.kind()) {
            ("autoscaling", "HorizontalPodAutoscaler") => (None, metric::of_horizontal(object)),
            ("keda.sh", "ScaledObject") => (Some("Deployment"), metric::of_scaled_object(object)),
            _ => return None,
        };
        let target = TargetRef::read(node, "spec.scaleTargetRef", kind);
        let workload = if needs.is_empty() {
            Fact::Unknown("nothing that it measures is a share of a request".into(), None)
        } else {
            target.and_then(|target, at| self.workload(object, target, at, &needs))
        };
        // Defaults: `autoscaling/v2/defaults.go` of Kubernetes, `scaledobject_types.go` of KEDA.
        let built_in = match kind {
            None => kubernetes_default(),
            Some(_) => Origin::at(Via::PlatformDefault, None),
        };
        let replicas = |field: &str, default: Option<i128>| {
            let field = if kind.is_some() { format!("{field}Count") } else { format!("{field}s") };
            let given = fact(node, &format!("spec.{field}"), workload::count);
            match default {
                Some(default) => given.or_default(default, built_in.clone()),
                None => given,
            }
        };
        let [behavior, measures] = match kind {
            None => ["spec.behavior", "spec.metrics"],
            Some(_) => ["spec.advanced", "spec.triggers"],
        };
        let json = |path: &str| match node.look(path) {
            Err((why, at)) => Fact::Unknown(why, Some(at)),
            Ok(None) => Fact::Absent(None),
            Ok(Some(field)) => match written(field) {
                Some(text) => Fact::Known(text, field.origin.clone()),
                None => {
                    let why = "a part of it is unknown".into();
                    Fact::Unknown(why, Some(field.origin.clone()))
                }
            },
        };
        Some(Autoscaler {
            behavior: json(behavior),
            measures: json(measures),
            min_replicas: replicas("minReplica", Some(i128::from(kind.is_none()))),
            max_replicas: replicas("maxReplica", kind.map(|_| 100)),
            kind: object.kind().to_owned(),
            name: object.name().to_owned(),
            namespace: namespace_of(object).to_owned(),
            anchor: object.anchor(),
            suspended: object.suspended,
            target,
            workload,
            needs,
        })
    }

    /// Those of `objects` that are certainly in the cluster of `one`, when that is known; all are in
    /// its namespace.
    fn beside<'o>(
        &self,
        one: &Object,
        objects: Vec<&'o Object>,
    ) -> impl Iterator<Item = &'o Object> {
        let known = is_placed(&one.node);
        let file = |it: &Object| it.node.object_anchor().written_at().map(|it| it.file);
        let dir = move |it: &Object| file(it).map(|it| source::parent(&self.sources[it].path));
        // Nothing says that what lies in two directories is of one cluster.
        let own = (self.environment.entry.kind == EntryKind::Manifests).then(|| dir(one));
        objects
            .into_iter()
            .filter(move |it| known && is_placed(&it.node) && own.is_none_or(|own| own == dir(it)))
    }

    /// What `scaler` scales, which it refers to as `target` at `at`.
    fn workload(
        &self,
        scaler: &Object,
        target: &TargetRef,
        at: &Origin,
        needs: &[Need],
    ) -> Fact<Workload> {
        let unknown = |(why, at)| Fact::Unknown(why, Some(at));
        let found = |target: &TargetRef| -> Result<Option<&Object>, (Reason, Origin)> {
            let called = self.index.named(&target.kind, namespace_of(scaler), &target.name);
            let found: Vec<_> = self.beside(scaler, called).filter(|it| target.is(it)).collect();
            match *found {
                [] => Ok(None),
                [object] => Ok(Some(object)),
                _ => Err(("there are several of that name".into(), at.clone())),
            }
        };
        let mut object = match found(target) {
            Ok(Some(object)) => object,
            Ok(None) if self.is_whole() => return Fact::Absent(None),
            Ok(None) => return unknown(("it is not in sight".into(), at.clone())),
            Err(error) => return unknown(error),
        };
        // Nothing is measured where nothing runs.
        if let Fact::Known(0, at) = fact(&object.node, "spec.replicas", workload::count) {
            return unknown(("it is scaled to 0".into(), at));
        }
        if (object.group(), object.kind()) == ("argoproj.io", "Rollout") {
            match TargetRef::read(&object.node, "spec.workloadRef", None) {
                Fact::Absent(_) => {}
                Fact::Known(template, at) => match found(&template) {
                    Ok(Some(found)) => object = found,
                    Ok(None) => return unknown(("its template is not in sight".into(), at)),
                    Err(error) => return unknown(error),
                },
                Fact::Unknown(why, at) => return Fact::Unknown(why, at),
                Fact::Invalid { why, origin, .. } => return Fact::Unknown(why, Some(origin)),
            }
        }
        let templated = matches!(
            (object.group(), object.kind()),
            ("apps" | "extensions", "Deployment" | "StatefulSet" | "ReplicaSet")
                | ("", "ReplicationController")
                | ("argoproj.io", "Rollout")
        );
        if !templated {
            return unknown(("its pods are not known".into(), at.clone()));
        }
        match self.described(object, needs) {
            Ok(workload) => Fact::Known(workload, object.anchor()),
            Err(error) => unknown(error),
        }
    }

    /// Whether every object of the environment is in sight.
    fn is_whole(&self) -> bool {
        let Environment { entry, problems, releases, is_partial, .. } = self.environment;
        matches!(entry.kind, EntryKind::Flux | EntryKind::Kustomization)
            && !is_partial
            && problems.is_empty()
            && releases.iter().all(|it| it.family.is_some())
    }

    /// The workload that `object` is.
    ///
    /// # Errors
    /// Why nobody can tell what its pods request, and where.
    fn described(&self, object: &Object, needs: &[Need]) -> Result<Workload, (Reason, Origin)> {
        let Some(pod) = object.node.look("spec.template.spec")? else {
            return Err(("it has no pods".into(), object.anchor()));
        };
        if let Some(resources) = pod.look("resources")? {
            return Err(("its pods have resources as a whole".into(), resources.origin.clone()));
        }
        // A part outside of the repository may bring what gives requests.
        let mut hidden = self.environment.problems.iter().filter(|it| it.unit == object.unit);
        if let Some(problem) = hidden.find(|it| it.unseen.objects || it.unseen.changes) {
            return Err((problem.message.clone(), problem.at.clone()));
        }
        let mut containers = request::counted(pod)?;
        let ranges = self.index.limit_ranges(namespace_of(object));
        let ranges: Vec<&Node> = self.beside(object, ranges).map(|it| &it.node).collect();
        for container in &mut containers {
            request::give_requests(container, &ranges);
        }
        let named = TargetRef {
            group: Some(object.group().to_owned()),
            kind: object.kind().to_owned(),
            name: object.name().to_owned(),
        };
        let vertical = self.index.verticals(namespace_of(object), object.name());
        let vertical = self.beside(object, vertical);
        let vertical = vertical.filter_map(|it| request::vertical(it, &named, &containers));
        let vertical: Vec<_> = vertical.collect();
        let misses = |need: &&Need| {
            let mut counted = containers.iter().filter(|it| need.counts(it));
            counted.any(|it| it.lacks(need.resource).is_some())
        };
        let lacking: Vec<Measured> = needs.iter().filter(misses).map(|it| it.resource).collect();
        if !lacking.is_empty()
            && let Some(at) = self.given_elsewhere(object, &named, &lacking)
        {
            let why = "something elsewhere in the repository may give its containers requests";
            return Err((why.into(), at));
        }
        Ok(Workload { containers, injected: self.is_injected(object), vertical })
    }

    /// What may give the containers of `object` requests that are `missed`, and is of no object of the
    /// environment.
    fn given_elsewhere(
        &self,
        object: &Object,
        named: &TargetRef,
        missed: &[Measured],
    ) -> Option<Origin> {
        let file = |it: &Node| it.object_anchor().written_at().map(|it| it.file);
        let here = self.here.get_or_init(|| {
            GIVING_REQUESTS
                .iter()
                .flat_map(|it| self.index.of_kind(it))
                .map(|it| file_of(it))
                .collect()
        });
        let may_give = |it: &&Node| {
            let namespace = it.object_namespace();
            let in_namespace = namespace.is_empty() || namespace == namespace_of(object);
            let gives = || match it.object_kind() {
                "LimitRange" => missed.iter().any(|resource| request::may_give(it, *resource)),
                _ => it.str_at("spec.targetRef.name").is_none_or(|it| it == named.name),
            };
            in_namespace && !here.contains(&file(it)) && gives()
        };
        (self.elsewhere)().iter().find(may_give).map(|it| it.object_anchor().clone())
    }

    /// Whether what runs in the cluster adds containers to the pods of `object`, by the marks that
    /// pods and namespaces have for Istio, Linkerd, Dapr, Vault and others; so it may be where a
    /// namespace is not in sight.
    fn is_injected(&self, object: &Object) -> bool {
        let marks = |node: &Node, path: &str| match node.look(path) {
            Ok(found) => found.is_some_and(|it| {
                it.entries().any(|(key, _)| {
                    key.contains("inject") || key.starts_with("dapr.io/") || key == "istio.io/rev"
                })
            }),
            Err(_) => true,
        };
        let namespaces = self.index.named("Namespace", "", namespace_of(object));
        let pods = ["spec.template.metadata.labels", "spec.template.metadata.annotations"];
        pods.iter().any(|it| marks(&object.node, it))
            || namespaces.is_empty() && self.environment.is_partial
            || namespaces.iter().any(|it| {
                let its = ["metadata.labels", "metadata.annotations"];
                its.iter().any(|path| marks(&it.node, path))
            })
    }
}

fn file_of(object: &Object) -> Option<FileId> {
    object.node.object_anchor().written_at().map(|it| it.file)
}

/// Whether an object's name and namespace can be told.
fn is_placed(object: &Node) -> bool {
    let known = |path| match object.look(path) {
        Ok(found) => found.is_none_or(|it| !workload::is_yet_to_fill_in(it)),
        Err(_) => false,
    };
    known("metadata.name") && known("metadata.namespace")
}
