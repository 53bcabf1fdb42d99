//! How the Metrics API is registered, and what its certificate is verified with.

use crate::{
    data::{Family, subject::METRICS_API},
    literals::Literals,
    model::{
        ApiService, Authority, Fact, MetricsServer,
        workload::{self, fact},
    },
    problem::ProblemKind,
    resolve::environment::{EntryKind, Environment, Object, Release},
    source::{self, FileId, Sources},
    tree::{Node, Origin, Reason, ReasonKind},
};

/// Annotations for cert-manager's injector, today's and the former one, and for OpenShift's.
const INJECTORS: &[&str] = &[
    "cert-manager.io/inject-ca-from",
    "cert-manager.io/inject-ca-from-secret",
    "cert-manager.io/inject-apiserver-ca",
    "certmanager.k8s.io/inject-ca-from",
    "certmanager.k8s.io/inject-apiserver-ca",
    "service.beta.openshift.io/inject-cabundle",
    "service.alpha.openshift.io/inject-cabundle",
];

/// What the API server verifies the certificate behind the APIService `node` with.
pub(super) fn authority(node: &Node, release: Option<&Release>) -> Fact<Authority> {
    match fact(node, "spec.caBundle", workload::text) {
        Fact::Known(bundle, origin) if !bundle.is_empty() => Fact::Known(Authority::Bundle, origin),
        // Nobody can tell a bundle that Helm makes, but it is certain to be there.
        Fact::Unknown(why, at) => {
            match release.filter(|_| why.kind() == ReasonKind::Random).and_then(by_helm) {
                Some(tls) => Fact::Known(Authority::Helm, tls),
                None => Fact::Unknown(why, at),
            }
        }
        Fact::Invalid { why, origin, .. } => Fact::Unknown(why, Some(origin)),
        Fact::Known(..) | Fact::Absent(_) => injected(node),
    }
}

/// Where `tls.type: helm` is, which has a bundle made.
fn by_helm(release: &Release) -> Option<Origin> {
    let tls = release.values.at("tls.type").filter(|it| it.as_str() == Some("helm"))?;
    (release.family == Some(Family::KubernetesSigs)).then(|| tls.origin.clone())
}

/// The annotation that asks a controller for the bundle.
fn injected(node: &Node) -> Fact<Authority> {
    let annotations = match node.look("metadata.annotations") {
        Ok(None) => return Fact::Absent(None),
        Ok(Some(annotations)) => annotations,
        Err((why, at)) => return Fact::Unknown(why, Some(at)),
    };
    let origin = &annotations.origin;
    if let Some(asked) = INJECTORS.iter().find_map(|it| annotations.get(it)) {
        return match asked.unknown() {
            Some(why) => Fact::Unknown(why.clone(), Some(asked.origin.clone())),
            None => Fact::Known(Authority::Injected, asked.origin.or(origin)),
        };
    }
    match annotations.as_map().and_then(|it| it.open.clone()) {
        Some(why) => Fact::Unknown(why, Some(origin.clone())),
        None => Fact::Absent(None),
    }
}

/// The registration that the chart of prometheus-adapter makes when it has rules for resources:
/// `templates/resource-metrics-apiservice.yaml`.
pub(super) fn adapter(release: &Release) -> Option<ApiService> {
    let rules = adapter_rules(release)?.ok()??;
    let unknown = || Fact::Unknown("the chart of prometheus-adapter is not modelled".into(), None);
    Some(ApiService {
        name: METRICS_API.to_owned(),
        insecure_skip_tls_verify: Fact::Unknown("it is another program's".into(), None),
        ca_bundle: Fact::Absent(None),
        authority: Fact::Absent(None),
        service: unknown(),
        port: Fact::Unknown("it is another program's".into(), None),
        foreign: true,
        anchor: rules.origin.or(&release.anchor),
        release: Some(release.anchor.clone()),
    })
}

/// The rules by which prometheus-adapter serves the Metrics API, if `release` is of its chart.
fn adapter_rules(release: &Release) -> Option<Result<Option<&Node>, Reason>> {
    if source::file_name(&release.chart) != "prometheus-adapter" {
        return None;
    }
    let rules = release.values.look("rules.resource").map_err(|(why, _)| why);
    Some(rules.map(|it| it.filter(|it| it.as_map().is_some_and(|it| !it.is_empty()))))
}

/// What registers the Metrics API in `environment`; unknown where something out of sight may.
///
/// `elsewhere` are the files of the repository that name it, which one environment may ask for.
pub(super) fn of<'a>(
    environment: &Environment,
    servers: &[MetricsServer],
    services: &[ApiService],
    elsewhere: impl FnOnce() -> &'a [FileId],
) -> Fact<String> {
    if let Some(service) = services.iter().find(|it| it.name == METRICS_API) {
        let by = service.service.value().cloned().unwrap_or_else(|| service.name.clone());
        return Fact::Known(by, service.anchor.clone());
    }
    if let Some(service) = services.first() {
        let why = format!("{} is another version of it", service.name);
        return Fact::Unknown(why.into(), Some(service.anchor.clone()));
    }
    if let Some(server) = servers.iter().find(|it| it.managed) {
        let why = "the platform brings a metrics-server".into();
        return Fact::Unknown(why, Some(server.anchor.clone()));
    }
    if let Some((why, at)) = unseen(environment) {
        return Fact::Unknown(why, Some(at));
    }
    // Who deploys it without its Service does not do the whole of it here.
    let mut kinds = environment.objects.iter().map(Object::kind);
    if !kinds.any(|it| it == "Service") {
        return Fact::Unknown("its Service is elsewhere".into(), None);
    }
    let told =
        |it: &Release| it.family.is_some() || it.shell || matches!(adapter_rules(it), Some(Ok(_)));
    let unknown = |it: &&Release| !told(it);
    if let Some(release) = environment.releases.iter().find(unknown) {
        let why = format!("what the chart {} installs is not known", release.chart);
        return Fact::Unknown(why.into(), Some(release.anchor.clone()));
    }
    // What Flux reads is a whole cluster; of anything else more may lie in other directories.
    let whole = environment.entry.kind == EntryKind::Flux;
    // Without a metrics-server nobody asks.
    let looks = !whole && !servers.is_empty();
    let deleted = environment.deleted.iter().find(|it| it.node.object_name() == METRICS_API);
    // What is deleted here and what deletes it are no other part.
    let own = deleted.map(|it| [it.node.object_anchor(), &it.by].map(file_of));
    let is_other = |file: &&FileId| own.is_none_or(|own| !own.contains(&Some(**file)));
    match looks.then(elsewhere).and_then(|it| it.iter().find(is_other)) {
        Some(file) => {
            let why = "another part of the repository speaks of an APIService".into();
            Fact::Unknown(why, Some(Origin::start_of(*file)))
        }
        None => Fact::Absent(deleted.map(|it| it.by.clone())),
    }
}

fn file_of(origin: &Origin) -> Option<FileId> {
    Some(origin.written_at()?.file)
}

/// The files that name the APIService. Any file may be read for this, so once for all environments.
pub(super) fn elsewhere(sources: &Sources) -> Vec<FileId> {
    sources.saying(&Literals::new(&[&[METRICS_API]]), |_, _| true).collect()
}

/// What may hold objects of `environment` that are not in sight: why, and where.
pub(super) fn unseen(environment: &Environment) -> Option<(Reason, Origin)> {
    let mut problems = environment.problems.iter().filter(|it| {
        // What only changes objects brings none: those that it may change are unknown themselves.
        let brings = !it.unseen.changes;
        it.unseen.objects
            || brings
                && matches!(
                    it.kind,
                    ProblemKind::Unresolved | ProblemKind::BuildFails | ProblemKind::Syntax
                )
    });
    let problem = problems.next().map(|it| (it.message.clone(), it.at.clone()));
    let suspended = |it: &&Object| it.suspended;
    problem.or_else(|| {
        let object = environment.objects.iter().find(suspended)?;
        Some(("a part of it is suspended".into(), object.anchor()))
    })
}

/// Whether one tool applies `places`, or they are manifests of one directory.
pub(super) fn together<'a>(
    sources: &Sources,
    environment: &Environment,
    places: impl Iterator<Item = &'a Origin>,
) -> bool {
    let mut dirs = places.filter_map(Origin::written_at);
    let mut dirs = dirs.by_ref().map(|it| source::parent(&sources[it.file].path));
    environment.entry.kind != EntryKind::Manifests
        || dirs.next().is_none_or(|first| dirs.all(|it| it == first))
}
