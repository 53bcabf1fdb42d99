//! From objects to the model. Never fails: a wrong shape is an unknown or absent part.

use std::{collections::BTreeMap, sync::OnceLock};

use rayon::prelude::*;
use semver::{Prerelease, Version};

use crate::{
    data::subject::{is_named_in, is_server_named_in},
    model::{
        ApiService, Approver, Cluster, Fact, IntOrPercent, Kubelet, MetricsServer,
        MetricsServerFacts, ReleaseFacts, Resources, access, api_version, approver, autoscaler,
        budget, chart, fargate,
        index::ObjectIndex,
        mesh, nodes, pin,
        platform::{self, Platform},
        pod, policy,
        reach::Subject,
        registration, release, resizer,
        selector::certain_pair,
        service, serving, texts, untold, variables,
        workload::{self, fact, flag},
    },
    problem::{Problem, ProblemKind},
    resolve::{
        bounds::TOGETHER,
        environment::{EntryKind, Environment, Object, Release},
        environments::defines_nodes,
    },
    source::{self, FileId, Sources},
    tree::{Map, Node, Origin, Reason, ReasonKind, Via},
};

/// So many metrics-servers of one environment are judged, and no more: each is compared with what is
/// beside it.
const MOST_SERVERS: usize = 100;

/// So many are judged in all environments.
const MOST_OF_ALL: usize = 5_000;

/// What the whole repository says, which is read when one environment asks for it.
#[derive(Debug, Default)]
struct Elsewhere {
    approvers: OnceLock<Vec<Approver>>,
    requests: OnceLock<Vec<Node>>,
    registration: OnceLock<Vec<FileId>>,
}

/// The typed views of `environments`.
pub(crate) fn lower(sources: &Sources, environments: &[Environment]) -> Vec<Cluster> {
    let elsewhere = Elsewhere::default();
    let mut clusters = Vec::with_capacity(environments.len());
    let mut left = MOST_OF_ALL;
    for together in environments.chunks(TOGETHER) {
        let most = left.min(MOST_SERVERS);
        let some =
            together.par_iter().map(|it| lower_one(sources, environments, it, &elsewhere, most));
        let some: Vec<Cluster> = some.collect();
        let judged: usize = some.iter().map(|it| it.metrics_servers.len()).sum();
        left = left.saturating_sub(judged);
        clusters.extend(some);
    }
    clusters
}

/// The typed view of `environment`, one of `environments`, of which at most so many metrics-servers are
/// judged.
fn lower_one(
    sources: &Sources,
    environments: &[Environment],
    environment: &Environment,
    elsewhere: &Elsewhere,
    most: usize,
) -> Cluster {
    let approvers = || &**elsewhere.approvers.get_or_init(|| approver::elsewhere(sources));
    // Nothing of it speaks of nodes but labels, which are not worth an environment.
    let mut platform = match environment.aside {
        true => Platform::default(),
        false => platform::facts(sources, environment, approvers),
    };
    let whole;
    let environment = if platform.manifests.is_empty() {
        environment
    } else {
        let mut with = environment.clone();
        with.objects.append(&mut platform.manifests);
        whole = with;
        &whole
    };
    let index = ObjectIndex::new(environment);
    let autoscalers = autoscaler::find(sources, &index, || {
        elsewhere.requests.get_or_init(|| autoscaler::elsewhere(sources, environments))
    });
    let runs_on = platform.runs_on();
    let registrations = index.of_kind("APIService").iter();
    let registrations: Vec<(&Object, ApiService)> =
        registrations.filter_map(|it| Some((*it, api_service(&index, it)?))).collect();
    let nearest = Nearest::new(sources, &registrations);
    let mut running = environment.objects.iter().filter(|it| runs_metrics_server(it).is_some());
    let metrics_servers: Vec<MetricsServer> = (running.by_ref().take(most))
        .filter_map(|object| metrics_server(sources, object, &index, &nearest, &platform.fargate))
        .chain(platform.bundled.into_iter().map(|(_, server)| server))
        .collect();
    let beyond = running.next().map(|it| too_many(it, most));
    let suspended = !metrics_servers.is_empty() && metrics_servers.iter().all(|it| it.suspended);
    let settings = environment.settings.as_ref();
    let configured = settings.and_then(|it| it.local.as_ref());
    let local = configured.map_or(platform.local, |(local, origin)| {
        local.then(|| ("configured as local".to_owned(), origin.clone()))
    });
    let mut problems = environment.problems.clone();
    let subject = subject(environment, &metrics_servers, &platform.kubelets);
    subject.judge(sources, environment, &mut problems);
    problems.extend(beyond);
    let is_filled = |it: &Problem| {
        let file = it.at.written_at().map(|it| it.file);
        it.kind == ProblemKind::Unresolved && file.is_some_and(|it| platform.filled.contains(&it))
    };
    problems.retain(|it| !is_filled(it));
    if environment.aside {
        let lost = unbuilt(&problems);
        problems.retain(|it| it.concerns);
        problems.extend(lost);
    }
    problems.extend(platform.problems);
    let ours = (&*metrics_servers, &*platform.kubelets, &*registrations);
    let untold = untold::untold(sources, environment, ours, &problems);
    problems.extend(untold);
    let (nodes, pods_per_node) = nodes::count(&platform.pools, settings);
    let serving = serving::state(&platform.kubelets, &platform.approvers);
    let moving_versions = pin::moving(environment, &metrics_servers);
    let mut api_services: Vec<ApiService> = registrations.into_iter().map(|(_, it)| it).collect();
    api_services.extend(environment.releases.iter().filter_map(registration::adapter));
    let own = metrics_servers.iter().filter(|it| !it.managed).map(|it| &it.anchor);
    let places = own.chain(api_services.iter().map(|it| &it.anchor));
    let together = registration::together(sources, environment, places);
    let metrics_api = registration::of(environment, &metrics_servers, &api_services, || {
        elsewhere.registration.get_or_init(|| registration::elsewhere(sources))
    });
    Cluster {
        environment: environment.name.clone(),
        assumed: environment.entry.kind == EntryKind::Values || suspended,
        local,
        platform: runs_on,
        nodes,
        pods_per_node,
        kubernetes: settings
            .and_then(|it| it.kubernetes.clone())
            .map_or(Fact::Absent(None), |(version, origin)| Fact::Known(version, origin)),
        metrics_servers,
        // What is wrong with the charts of others is no business of ours.
        charts: match environment.aside {
            true => Vec::new(),
            false => chart::all(sources, &index, &environment.releases),
        },
        kubelets: platform.kubelets,
        misplaced: platform.misplaced,
        open_control_plane: platform.open_control_plane,
        proxies: platform.proxies,
        api_servers: platform.api_servers,
        approvers: platform.approvers,
        removed_api_versions: api_version::removed(environment),
        moving_versions,
        autoscalers,
        api_services,
        metrics_api,
        together,
        budgets: budget::all(&index),
        unseen: registration::unseen(environment).map(|(_, at)| at),
        cert_manager: cert_manager(environment),
        serving,
        variables: variables::of(environment),
        commands: environment.commands.clone(),
        problems,
    }
}

/// That `object` and what comes after it is not judged.
fn too_many(object: &Object, most: usize) -> Problem {
    // What all environments may have left is less only when it comes to an end.
    let (count, of) = if most < MOST_SERVERS {
        (MOST_OF_ALL, "all environments")
    } else {
        (MOST_SERVERS, "one environment")
    };
    let why = format!(
        "there are more than {count} metrics-servers in {of}: this one and what comes after it is not \
         judged"
    );
    Problem::unresolved(&object.anchor(), why)
}

/// That what scales is judged only in part where something else of its environment is not built. What is
/// wrong there nobody has to mend for our sake.
fn unbuilt(problems: &[Problem]) -> Option<Problem> {
    let is_lost = |it: &&Problem| {
        !it.concerns && !it.tolerated && (it.kind.fails_build() || it.kind == ProblemKind::Syntax)
    };
    let lost = problems.iter().find(is_lost)?;
    let what = "what scales here is judged only in part";
    let problem = Problem::unresolved(&lost.at, format!("{what}: {}", lost.message));
    Some(Problem { concerns: false, unit: lost.unit, ..problem })
}

/// What of `environment` is our subject.
fn subject(environment: &Environment, servers: &[MetricsServer], kubelets: &[Kubelet]) -> Subject {
    let mut subject = Subject::default();
    environment.objects.iter().filter(|it| is_subject(it)).for_each(|it| subject.add(it.unit));
    let releases = environment
        .releases
        .iter()
        .filter(|it| it.family.is_some() || is_named_in(&it.chart) || is_named_in(&it.name));
    releases.for_each(|it| subject.add_release(it.unit));
    for server in servers {
        subject.miss(&server.facts);
    }
    for kubelet in kubelets {
        subject.miss(&kubelet.facts);
    }
    subject
}

/// What says that cert-manager runs in `environment`: its chart, or objects that only it reads.
fn cert_manager(environment: &Environment) -> Option<Origin> {
    let mut releases = environment.releases.iter();
    let chart = releases.find(|it| source::file_name(&it.chart) == "cert-manager");
    let mut objects = environment.objects.iter();
    let object = || objects.find(|it| it.group() == "cert-manager.io").map(Object::anchor);
    chart.map(|it| it.anchor.clone()).or_else(object)
}

/// Whether `object` is of what we judge.
fn is_subject(object: &Object) -> bool {
    workload::container(&object.node).is_some()
        || serves_metrics(object)
        || defines_nodes(&object.node)
        || !approver::of_objects(std::slice::from_ref(object)).is_empty()
        || is_lost(object)
}

/// Whether `object` is called like our subject, and what it is cannot be told any more.
fn is_lost(object: &Object) -> bool {
    is_named_in(object.name()) && object.node.look("spec").is_err()
}

/// Whether `object` is an APIService of the Metrics API.
fn serves_metrics(object: &Object) -> bool {
    let group = match object.node.look("spec.group") {
        Ok(group) => group.and_then(Node::as_str),
        // The name is the version and the group: kube-aggregator validates that.
        Err(_) => object.name().split_once('.').map(|(_, group)| group),
    };
    object.kind() == "APIService" && group == Some("metrics.k8s.io")
}

/// The APIService that `object` is, if it is one of the Metrics API.
fn api_service(index: &ObjectIndex<'_>, object: &Object) -> Option<ApiService> {
    if !serves_metrics(object) {
        return None;
    }
    let node = &object.node;
    let name = fact(node, "spec.service.name", workload::text);
    let namespace = fact(node, "spec.service.namespace", workload::text);
    let service = match (&namespace, &name) {
        (Fact::Known(namespace, _), Fact::Known(name, origin)) => {
            Fact::Known(format!("{namespace}/{name}"), origin.clone())
        }
        (told, _) | (_, told) if told.untold().is_some() => told.clone(),
        _ => Fact::Absent(None),
    };
    let foreign = service.value().is_some_and(|service| {
        service.split_once('/').is_some_and(|(at, name)| is_foreign(index, object, at, name))
    });
    let release = index.environment.release_of(object);
    Some(ApiService {
        name: object.name().to_owned(),
        foreign,
        authority: registration::authority(node, release),
        release: release.map(|it| it.anchor.clone()),
        insecure_skip_tls_verify: fact(node, "spec.insecureSkipTLSVerify", workload::boolean)
            .or_default(false, kubernetes_default()),
        ca_bundle: fact(node, "spec.caBundle", workload::text),
        port: fact(node, "spec.service.port", workload::port).or_default(443, kubernetes_default()),
        service,
        anchor: object.anchor(),
    })
}

/// Whether the Service that `registration` names is another program's: it is not called like
/// metrics-server, does not select its pods, and is there or may be elsewhere. What the file of a
/// metrics-server names in its namespace and nobody has is a name that is wrong.
fn is_foreign(index: &ObjectIndex<'_>, registration: &Object, namespace: &str, name: &str) -> bool {
    let services = index.named("Service", namespace, name);
    let selector = services.first().and_then(|it| it.node.at("spec.selector"));
    let by = selector.and_then(Node::as_map);
    // What the pods have that it selects, or their workload is called.
    let words = match selector {
        Some(by) => certain_pair(by).map(|it| vec![it, name.to_owned()]),
        None => Some(vec![name.to_owned()]),
    };
    let mut workloads = index.pods(Some(namespace), words).filter(|it| it.is_server);
    let file = |it: &Object| it.node.origin.written_at().map(|it| it.file);
    let mut servers = index.pods(Some(namespace), None).filter(|it| it.is_server);
    let leads_to = |it: &Object| it.name() == name || by.is_some_and(|by| selects(by, &it.node));
    if is_server_named_in(name) || workloads.any(|it| leads_to(it.object)) {
        return false;
    }
    !services.is_empty() || servers.all(|it| file(it.object) != file(registration))
}

/// The APIServices of metrics-servers, by how near they are to what they may be for.
struct Nearest<'a> {
    sources: &'a Sources,
    /// The first of each namespace (unknown may be any), release and place; `None` stands for all.
    first: BTreeMap<Nearness<'a>, (usize, &'a ApiService)>,
    /// The only one.
    only: Option<&'a ApiService>,
}

type Nearness<'a> = (Option<&'a str>, Of, Option<Place<'a>>);

/// Whether it is of this release, or of none, or of any.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Of {
    Release(Option<usize>),
    Any,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place<'a> {
    File(Option<FileId>),
    Directory(Option<&'a str>),
}

impl<'a> Nearest<'a> {
    fn new(sources: &'a Sources, registrations: &'a [(&Object, ApiService)]) -> Self {
        let own = || registrations.iter().filter(|(_, it)| !it.foreign);
        let mut first = BTreeMap::new();
        for (at, (object, service)) in own().enumerate() {
            let namespace = service.service.value().and_then(|it| it.split_once('/'));
            for (release, place) in nearness(sources, object) {
                let key = (namespace.map(|(it, _)| it), release, place);
                first.entry(key).or_insert((at, service));
            }
        }
        let only = own().next().filter(|_| own().nth(1).is_none()).map(|(_, it)| it);
        Self { sources, first, only }
    }

    /// The APIService of the metrics-server that `object` runs: the one of the same chart or file,
    /// then of the same directory, of those that point into its namespace or may.
    fn to(&self, object: &Object) -> Option<&'a ApiService> {
        let of_key = |(release, place): (_, Option<Place<'_>>)| {
            let namespaces = [Some(namespace_of(object)), None];
            let found = namespaces.map(|it| self.first.get(&(it, release, place.clone())).copied());
            found.into_iter().flatten().min_by_key(|(at, _)| *at).map(|(_, it)| it)
        };
        nearness(self.sources, object).into_iter().find_map(of_key).or(self.only)
    }
}

/// What is of the same release and place as `object`, the nearest first.
fn nearness<'a>(sources: &'a Sources, object: &Object) -> [(Of, Option<Place<'a>>); 6] {
    let file = object.node.origin.written_at().map(|it| it.file);
    let directory = file.map(|it| source::parent(&sources[it].path));
    let places = [Some(Place::File(file)), Some(Place::Directory(directory)), None];
    let [file, directory, anywhere] = places;
    let release = Of::Release(object.release);
    [
        (release, file.clone()),
        (release, directory.clone()),
        (release, anywhere.clone()),
        (Of::Any, file),
        (Of::Any, directory),
        (Of::Any, anywhere),
    ]
}

/// Whether `registration` belongs to what `object` runs: manifests that nothing builds may be of
/// several programs, unless they lie together.
fn is_beside(
    sources: &Sources,
    index: &ObjectIndex<'_>,
    object: &Object,
    registration: &ApiService,
) -> bool {
    let dir = |it: &Origin| it.written_at().map(|it| source::parent(&sources[it.file].path));
    index.environment.entry.kind != EntryKind::Manifests
        || dir(&object.anchor()) == dir(&registration.anchor)
}

/// What an object without a namespace of its own is in.
pub(super) fn namespace_of(object: &Object) -> &str {
    match object.namespace() {
        "" => "default",
        namespace => namespace,
    }
}

/// The container of metrics-server in the pods of `object`.
pub(super) fn runs_metrics_server(object: &Object) -> Option<&Node> {
    workload::container(&object.node).filter(|_| !matches!(object.kind(), "Job" | "CronJob"))
}

/// What is missing is reported at the release; in a chart of the repository's own, at its template.
fn anchor(object: &Object, release: Option<&Release>) -> Origin {
    match release {
        Some(it) if it.family.is_none() && it.reads.is_some() => object.node.origin.clone(),
        Some(release) => release.anchor.clone(),
        None => object.anchor(),
    }
}

/// The metrics-server that `object` runs, if it runs one.
///
/// The defaults of its flags are those of `cmd/metrics-server/app/options` and `pkg/utils` in
/// `kubernetes-sigs/metrics-server`; that of `--secure-port` is `SecureServingOptions`' in
/// `k8s.io/apiserver`.
fn metrics_server(
    sources: &Sources,
    object: &Object,
    index: &ObjectIndex<'_>,
    nearest: &Nearest<'_>,
    profiles: &[fargate::FargateProfile],
) -> Option<MetricsServer> {
    let container = runs_metrics_server(object)?;
    let node = &object.node;
    let pod = node.at(&workload::in_pods(node, "spec"))?;
    let release = index.environment.release_of(object);
    let namespace = namespace_of(object);
    let [image, image_repository, image_tag] = workload::image(container);
    let version = workload::version(&image_tag);
    let args = workload::args(sources, container);
    let flags = flag::Flags::new(&args);
    let rollout = Rollout::of(object);
    let Resources { cpu_request, cpu_limit, memory_request, memory_limit } =
        workload::resources(container);
    let budget = budget::of(index, namespace, node);
    let budgeted = |path| match &budget {
        Ok(Some(budget)) => fact(budget, path, workload::int_or_part),
        Ok(None) => Fact::Absent(None),
        Err((why, at)) => Fact::Unknown(why.clone(), Some(at.clone())),
    };
    let api_service = nearest.to(object);
    let facts = MetricsServerFacts {
        kind: Fact::Known(object.kind().to_owned(), object.anchor()),
        kubelet_insecure_tls: flags.boolean("kubelet-insecure-tls", false),
        kubelet_certificate_authority: flags.text("kubelet-certificate-authority"),
        kubelet_client_certificate: flags.text("kubelet-client-certificate"),
        kubelet_client_key: flags.text("kubelet-client-key"),
        kubelet_completely_insecure: flags.boolean("deprecated-kubelet-completely-insecure", false),
        kubelet_port: flags.port("kubelet-port", 10250),
        kubelet_preferred_address_types: flags.order("kubelet-preferred-address-types").or_default(
            "Hostname,InternalDNS,InternalIP,ExternalDNS,ExternalIP".to_owned(),
            flag::default_origin(),
        ),
        kubelet_use_node_status_port: flags.boolean("kubelet-use-node-status-port", false),
        kubelet_request_timeout: flags.request_timeout(&version),
        metric_resolution: flags.duration("metric-resolution", Some(60)),
        secure_port: flags.port("secure-port", 443),
        container_port: workload::https_port(container),
        host_network: fact(pod, "hostNetwork", workload::boolean)
            .or_default(false, kubernetes_default()),
        replicas: replicas(index, object),
        strategy_type: rollout.strategy,
        strategy_max_unavailable: rollout.max_unavailable,
        strategy_max_surge: rollout.max_surge,
        pdb_min_available: budgeted("spec.minAvailable"),
        pdb_max_unavailable: budgeted("spec.maxUnavailable"),
        resource_quota: quota(index, namespace),
        priority_class: fact(pod, "priorityClassName", workload::text),
        cpu_request,
        cpu_limit,
        memory_request,
        memory_limit,
        tls_cert_file: flags.text("tls-cert-file"),
        tls_private_key_file: flags.text("tls-private-key-file"),
        cert_dir: flags
            .text("cert-dir")
            .or_default("apiserver.local.config/certificates".to_owned(), flag::default_origin()),
        api_service_insecure_skip_tls_verify: api_service
            .map_or(Fact::Absent(None), |it| it.insecure_skip_tls_verify.clone()),
        api_service_ca_bundle: api_service.map_or(Fact::Absent(None), |it| it.ca_bundle.clone()),
        image,
        image_repository,
        image_tag,
        args,
    };
    let account = access::account(object);
    Some(MetricsServer {
        name: object.name().to_owned(),
        namespace: namespace.to_owned(),
        is_anywhere: release.is_some_and(|it| it.is_anywhere && it.namespace == namespace),
        via: release.map_or("manifest", |it| it.via),
        chart: release.map(|it| (it.chart.clone(), chart::version(it))),
        port_value: release.and_then(|it| chart::port_value(it.family?, &chart::version(it))),
        anchor: anchor(object, release),
        managed: false,
        platform: None,
        access: access::of(index, namespace, &account),
        account,
        suspended: object.suspended || release.is_some_and(|it| it.suspended),
        removed_args: workload::removed_args(container),
        beside: workload::beside(node, container),
        resizer: resizer::resizer(sources, index, object),
        not_texts: texts::not_texts(sources, index.environment, object),
        mesh: mesh::mesh(index, object),
        fargate: fargate::evidence(object, profiles),
        policies: policy::policies(index, object),
        release_timeout: release.map_or(Fact::Absent(None), |it| release::timeout(index, it)),
        versions: match version.value() {
            Some(version) => vec![Version { pre: Prerelease::EMPTY, ..version.clone() }],
            None => release.map(chart::programs).unwrap_or_default(),
        },
        release: release.and_then(|it| ReleaseFacts::of(index, it, object.name())),
        pod: Some(pod::pod(index, object, container)),
        services: service::services(index, object, namespace, api_service),
        registration: api_service.filter(|it| is_beside(sources, index, object, it)).cloned(),
        facts,
    })
}

/// How many pods a workload has; what scales it decides that.
fn replicas(index: &ObjectIndex<'_>, object: &Object) -> Fact<i128> {
    match scaler(index, object) {
        _ if matches!(object.kind(), "DaemonSet" | "Pod") => Fact::Absent(None),
        Some((why, at)) => Fact::Unknown(why, Some(at)),
        None => {
            fact(&object.node, "spec.replicas", workload::count).or_default(1, kubernetes_default())
        }
    }
}

/// A `ResourceQuota` of `namespace`.
fn quota(index: &ObjectIndex<'_>, namespace: &str) -> Fact<String> {
    let mut quotas = index.of_kind("ResourceQuota").iter();
    let found = quotas.find(|it| namespace_of(it) == namespace);
    found.map_or(Fact::Absent(None), |it| Fact::Known(it.name().to_owned(), it.anchor()))
}

/// How the pods of a workload are replaced.
#[derive(Default)]
struct Rollout {
    strategy: Fact<String>,
    max_unavailable: Fact<IntOrPercent>,
    max_surge: Fact<IntOrPercent>,
}

impl Rollout {
    /// What Kubernetes fills in is what `SetDefaults_Deployment` and `SetDefaults_DaemonSet` of
    /// `pkg/apis/apps/v1/defaults.go` do: a quarter and a quarter, or one after the other. Other kinds
    /// have no strategy, or one of their own.
    fn of(object: &Object) -> Self {
        let (field, unavailable, surge) = match object.kind() {
            "DaemonSet" => ("spec.updateStrategy", IntOrPercent::Int(1), IntOrPercent::Int(0)),
            "Deployment" => ("spec.strategy", IntOrPercent::Percent(25), IntOrPercent::Percent(25)),
            _ => return Self::default(),
        };
        let workload = &object.node;
        let strategy = fact(workload, &format!("{field}.type"), workload::text)
            .or_default("RollingUpdate".to_owned(), kubernetes_default());
        let rolling = |name: &str, default: IntOrPercent| {
            if strategy.value().is_some_and(|it| it != "RollingUpdate") {
                return Fact::Absent(None);
            }
            let more_than_all = name == "maxSurge" && object.kind() == "Deployment";
            let read = if more_than_all { workload::int_or_percent } else { workload::int_or_part };
            match fact(workload, &format!("{field}.rollingUpdate.{name}"), read) {
                // Only a rolling update has a default, and Kubernetes refuses both of a Deployment's
                // with any other type.
                Fact::Absent(by) => match strategy.untold() {
                    Some((why, at)) => Fact::Unknown(why.clone(), at.cloned()),
                    None => Fact::Absent(by).or_default(default, kubernetes_default()),
                },
                written => written,
            }
        };
        let max_unavailable = rolling("maxUnavailable", unavailable);
        let max_surge = rolling("maxSurge", surge);
        Self { strategy, max_unavailable, max_surge }
    }
}

pub(super) fn kubernetes_default() -> Origin {
    Origin::at(Via::KubernetesDefault, None)
}

/// What sets the replicas of `object` in the cluster, or may: why they cannot be told, and where.
fn scaler(index: &ObjectIndex<'_>, object: &Object) -> Option<(Reason, Origin)> {
    let scalers = index.scalers(namespace_of(object), object.name());
    // KEDA's target is a Deployment unless it says otherwise.
    let is = |it: &Object, path, wanted, missing| match it.node.look(path) {
        Ok(found) => found.map_or(missing, |it| it.as_str() == Some(wanted)),
        Err(_) => true,
    };
    let scaler = scalers.into_iter().find(|it| {
        is(it, "spec.scaleTargetRef.name", object.name(), false)
            && is(it, "spec.scaleTargetRef.kind", object.kind(), object.kind() == "Deployment")
    })?;
    let why = Reason::from(format!("the {} {} sets it", scaler.kind(), scaler.name()));
    Some((why.of_kind(ReasonKind::SetInCluster), scaler.anchor()))
}

/// Whether `selector` has at least one label, all of which the pods of `workload` have.
fn selects(selector: &Map, workload: &Node) -> bool {
    let labels = workload.at(&workload::in_pods(workload, "metadata.labels"));
    !selector.is_empty()
        && selector.iter().all(|(key, it)| {
            let label = labels.and_then(|labels| labels.get(key)).and_then(Node::as_str);
            label.is_some() && label == it.value.as_str()
        })
}
