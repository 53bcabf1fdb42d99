//! What an environment comes to, as lists of named settings: what `show` prints and `diff` compares.

use crate::{
    model::{
        ApiService, Approver, Arg, Argument, Budget, Cluster, Count, Datum, Fact, Facts as _,
        InstalledChart, Kubelet, MetricsServer, MetricsServerFacts, Proxy, ReleaseFacts, Serving,
        Signer, VariableUse, flag, surroundings,
    },
    resolve::environment::Environment,
    tree::{Origin, Via},
};

/// Something in an environment that has settings, or is just there.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FactSubject {
    /// What it is.
    pub kind: SubjectKind,
    /// What it is called: `kube-system/metrics-server`; nothing for the cluster itself.
    pub name: String,
    /// Where it stands.
    pub anchor: Origin,
    /// Its settings, in a fixed order.
    pub settings: Vec<NamedFact>,
}

/// What a name ends in that nobody can tell.
const NAMELESS: &str = ", name unknown";

/// The kinds of things that environments have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum SubjectKind {
    /// The cluster.
    Cluster,
    /// A metrics-server.
    MetricsServer,
    /// The kubelets of a group of nodes.
    Kubelets,
    /// What approves kubelet serving certificates.
    Approver,
    /// An APIService of the Metrics API.
    ApiService,
    /// What scales a workload by what it uses.
    Autoscaler,
}

/// One setting of a subject.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NamedFact {
    /// What it is called: `memory_limit`, `--v`.
    pub name: String,
    /// What is known of it.
    pub fact: Fact<Datum>,
    /// What it is among the others.
    pub role: FactRole,
    /// What else is to be said of it, and where that stands.
    pub remarks: Vec<(String, Origin)>,
}

/// What a setting is among the others of its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FactRole {
    /// It counts by itself.
    Main,
    /// It is a part of another one, which tells it too, or what others are made of.
    Part,
    /// It stands around the settings: of the pods, Services and rights.
    Surrounding,
    /// It lists other subjects.
    Summary,
}

impl SubjectKind {
    /// What it is called.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::MetricsServer => "metrics-server",
            Self::Kubelets => "kubelets",
            Self::Approver => "approver",
            Self::ApiService => "APIService",
            Self::Autoscaler => "autoscaler",
        }
    }
}

impl FactSubject {
    /// Whether its name is known.
    pub(crate) fn is_named(&self) -> bool {
        !self.name.ends_with(NAMELESS)
    }

    /// `kubelets kubeadm workers`; a metrics-server is known by its name.
    pub(crate) fn words(&self) -> String {
        match self.kind {
            SubjectKind::MetricsServer => self.name.clone(),
            kind => format!("{} {}", kind.words(), self.name),
        }
    }
}

impl NamedFact {
    fn new(name: impl Into<String>, fact: Fact<Datum>) -> Self {
        Self { name: name.into(), fact, role: FactRole::Main, remarks: Vec::new() }
    }

    /// Whether a person wrote it, refuses to have it, or wrote it wrongly.
    ///
    /// What follows from the version of a chart or from a manifest of upstream's nobody wrote by itself.
    pub(crate) fn is_written(&self, anchor: &Origin) -> bool {
        let is_implied = |it: &Origin| {
            it.is_default()
                || it.last().via == Via::UpstreamManifest
                || it.last().span.is_none()
                || it.last() == anchor.last()
        };
        match &self.fact {
            Fact::Known(Datum::Text(kind), _) if self.name == "kind" => kind != "Deployment",
            Fact::Known(_, origin) => !is_implied(origin) || !origin.also().iter().all(is_implied),
            Fact::Absent(by) => by.is_some(),
            Fact::Invalid { .. } => true,
            Fact::Unknown(..) => false,
        }
    }
}

/// A setting's name as people read it.
pub(crate) fn words(name: &str) -> String {
    match name {
        _ if name.starts_with('-') => name.to_owned(),
        // A variable's.
        _ if name.contains(|it: char| it.is_ascii_uppercase()) => name.to_owned(),
        "kubernetes" => "Kubernetes".to_owned(),
        _ => name.replace('_', " "),
    }
}

/// A setting's name without what people write differently: `memory-limit`, `Memory limit`.
pub(crate) fn normal(name: &str) -> String {
    let name = name.trim().trim_start_matches('-').to_lowercase();
    name.replace(['-', ' ', '_'], "_")
}

/// The names of what can be asked for by name, as people type them.
pub(crate) fn names() -> Vec<String> {
    let cluster = [
        "local",
        "nodes",
        "pods_per_node",
        "kubernetes",
        "serving_certificates",
        "chart_version",
        "installed_by",
    ];
    let servers = MetricsServerFacts::default().facts();
    let releases = ReleaseFacts::default().facts();
    let facts = servers.into_iter().chain(releases).map(|(name, _)| name);
    cluster.into_iter().chain(facts).map(|it| it.replace('_', "-")).collect()
}

/// Everything in an environment, the cluster first.
///
/// The structures of the model are taken apart by their fields, so that a field that comes is told or
/// left out on purpose.
pub(crate) fn subjects(environment: &Environment, cluster: &Cluster) -> Vec<FactSubject> {
    let mut all = vec![of_cluster(environment, cluster)];
    all.extend(cluster.metrics_servers.iter().map(of_server));
    all.extend(cluster.kubelets.iter().map(of_kubelet));
    all.extend(cluster.approvers.iter().map(of_approver));
    all.extend(cluster.api_services.iter().map(|it| of_api_service(cluster, it)));
    all.extend(cluster.autoscalers.iter().map(|it| {
        let settings = surrounding(it.surroundings()).collect();
        named(SubjectKind::Autoscaler, it.subject(), &it.anchor, settings)
    }));
    all
}

/// Settings that stand around others.
fn surrounding(
    facts: impl IntoIterator<Item = (&'static str, Fact<Datum>)>,
) -> impl Iterator<Item = NamedFact> {
    facts
        .into_iter()
        .map(|(name, fact)| NamedFact { role: FactRole::Surrounding, ..NamedFact::new(name, fact) })
}

fn of_kubelet(kubelet: &Kubelet) -> FactSubject {
    let Kubelet {
        cluster,
        group,
        carrier,
        signer,
        // Says what an absent setting means.
        complete: _,
        anchor,
        facts,
    } = kubelet;
    let mut settings = vec![text("carrier", carrier.words(), anchor)];
    settings.extend(facts.facts().into_iter().map(|(name, fact)| NamedFact::new(name, fact)));
    let signer = match signer {
        Signer::Kubelet => "the kubelet",
        Signer::Platform => "the platform",
        Signer::Unknown => "unknown",
    };
    let signer = Fact::Known(Datum::Text(signer.to_owned()), anchor.clone());
    settings.extend(surrounding([("signed_by_default_by", signer)]));
    named(SubjectKind::Kubelets, format!("{cluster} {group}"), anchor, settings)
}

fn of_approver(approver: &Approver) -> FactSubject {
    let Approver { name, origin, certain, weaknesses, denies_all } = approver;
    let known = |value: Datum, at: &Origin| Fact::Known(value, at.clone());
    let mut facts = vec![("certain_to_run", known(Datum::Bool(*certain), origin))];
    if let Some((_, at)) = weaknesses.first() {
        let all = weaknesses.iter().map(|(it, _)| Some(it.to_string()));
        facts.push(("weaknesses", known(Datum::List(all.collect()), at)));
    }
    facts.extend(denies_all.as_ref().map(|at| ("denies_all", known(Datum::Bool(true), at))));
    named(SubjectKind::Approver, name.clone(), origin, surrounding(facts).collect())
}

fn of_api_service(cluster: &Cluster, it: &ApiService) -> FactSubject {
    let ApiService {
        name,
        insecure_skip_tls_verify,
        ca_bundle,
        authority,
        service,
        port,
        foreign,
        anchor,
        // A place.
        release: _,
    } = it;
    // What leads to a metrics-server is told among its settings.
    let registers =
        |server: &MetricsServer| server.registration.as_ref().is_some_and(|own| own.name == *name);
    let mut settings = Vec::new();
    if !cluster.metrics_servers.iter().any(registers) {
        settings.push(NamedFact::new("service", service.datum()));
        settings.push(NamedFact::new("insecure_skip_tls_verify", insecure_skip_tls_verify.datum()));
        settings.push(NamedFact::new("ca_bundle", ca_bundle.datum()));
        settings.extend(surrounding([
            ("port", port.datum()),
            ("authority", surroundings::authority(authority)),
            ("is_of_another_program", Fact::Known(Datum::Bool(*foreign), anchor.clone())),
        ]));
    }
    named(SubjectKind::ApiService, name.clone(), anchor, settings)
}

fn named(
    kind: SubjectKind,
    name: String,
    anchor: &Origin,
    settings: Vec<NamedFact>,
) -> FactSubject {
    FactSubject { kind, name, anchor: anchor.clone(), settings }
}

fn text(name: &str, value: &str, at: &Origin) -> NamedFact {
    NamedFact::new(name, Fact::Known(Datum::Text(value.to_owned()), at.clone()))
}

fn of_cluster(environment: &Environment, cluster: &Cluster) -> FactSubject {
    let Cluster {
        // Its name, and what is remarked about it.
        environment: _,
        assumed: _,
        unseen: _,
        problems: _,
        // Subjects of their own.
        metrics_servers: _,
        kubelets: _,
        api_services: _,
        // Follow from where things stand, and from the APIServices.
        metrics_api: _,
        together: _,
        commands: _,
        local,
        platform,
        nodes,
        pods_per_node,
        kubernetes,
        charts,
        misplaced,
        open_control_plane,
        proxies,
        api_servers,
        approvers,
        removed_api_versions,
        moving_versions,
        autoscalers,
        budgets,
        cert_manager,
        serving,
        variables,
    } = cluster;
    let anchor = environment.entry.origin.clone();
    let mut settings = Vec::new();
    let local = local.as_ref().map(|(why, at)| Fact::Known(Datum::Text(why.clone()), at.clone()));
    settings.push(NamedFact::new("local", local.unwrap_or_default()));
    let count =
        |name, it: &Fact<Count>| NamedFact::new(name, it.map(|it| Datum::Text(it.to_string())));
    settings.push(count("nodes", nodes));
    settings.push(count("pods_per_node", pods_per_node));
    settings.push(NamedFact::new("kubernetes", kubernetes.datum()));
    settings.push(serving_certificates(serving));
    let approvers = approvers.iter().map(|it| (it.name.clone(), &it.origin));
    settings.extend(summary(several("approver", approvers)));
    settings.extend(several(
        "removed_api_version",
        removed_api_versions
            .iter()
            .map(|it| (format!("{} {} {}", it.api_version, it.kind, it.name), &it.origin)),
    ));
    for it in api_servers {
        if !it.aggregator_routing.is_absent() {
            settings.push(NamedFact::new("aggregator_routing", it.aggregator_routing.datum()));
        }
    }
    let drifts = charts.iter().flat_map(|it| &it.drifts);
    settings.extend(several(
        "never_in_sync",
        drifts.map(|it| (format!("{} of the {}", it.field, it.kind), &it.origin)),
    ));
    settings.extend(several(
        "moving_version",
        moving_versions.iter().map(|it| {
            let text = if it.text.is_empty() { "none" } else { &it.text };
            (text.to_owned(), &it.origin)
        }),
    ));
    let scaled = autoscalers.iter().map(|it| (it.subject(), &it.anchor));
    settings.extend(summary(several("autoscalers", scaled)));
    settings.extend(variables.iter().map(variable));
    let known = |value: &str, at: &Origin| Fact::Known(Datum::Text(value.to_owned()), at.clone());
    let evidence = platform.as_ref().map(|it| ("platform", known(it.name, &it.evidence.1)));
    let taints = open_control_plane.as_ref().map(|at| ("control_plane_taint", known("none", at)));
    let issuer = cert_manager.as_ref().map(|at| ("certificate_issuer", known("cert-manager", at)));
    settings.extend(surrounding(evidence.into_iter().chain(taints).chain(issuer)));
    // What installs a metrics-server is told among its settings.
    let installs = |it: &&InstalledChart| {
        let at = it.anchor.written_at();
        cluster.metrics_servers.iter().any(|server| server.anchor.written_at() == at)
    };
    let charts = charts.iter().filter(|it| !installs(it));
    let lists = [
        several("without_effect", misplaced.iter().map(|it| (it.key.clone(), &it.origin))),
        several("proxy", proxies.iter().map(|it| (of_proxy(it), &it.variable.1))),
        several("disruption_budgets", budgets.iter().map(|it| (of_budget(it), &it.anchor))),
        several("charts", charts.map(|it| (of_chart(it), &it.anchor))),
    ];
    let lists = lists.into_iter().flatten();
    settings.extend(lists.map(|it| NamedFact { role: FactRole::Surrounding, ..it }));
    FactSubject { kind: SubjectKind::Cluster, name: String::new(), anchor, settings }
}

fn serving_certificates(serving: &Serving) -> NamedFact {
    let Serving { state, evidence } = serving;
    let state = state.id();
    let fact = match evidence.first() {
        Some((_, at)) if state != "unknown" => {
            Fact::Known(Datum::Text(state.replace('-', " ")), at.clone())
        }
        at => {
            let why = "nothing in sight says how the kubelets get them";
            Fact::Unknown(why.into(), at.map(|(_, at)| at.clone()))
        }
    };
    let remarks = evidence.clone();
    NamedFact { remarks, ..NamedFact::new("serving_certificates", fact) }
}

fn variable(variable: &VariableUse) -> NamedFact {
    let VariableUse { name, value, source, is_used, overridden, origin } = variable;
    let what = match (is_used, overridden) {
        (Some(false), _) => ", which nothing uses",
        (_, Some(_)) => ", which another definition overrides",
        _ => "",
    };
    let remark = format!("a variable of the {source}{what}");
    NamedFact {
        role: FactRole::Part,
        remarks: vec![(remark, origin.clone())],
        ..NamedFact::new(name.clone(), value.datum())
    }
}

/// `HTTPS_PROXY of 10.96.0.0/12`
fn of_proxy(proxy: &Proxy) -> String {
    let Proxy { variable: (variable, _), services, exceptions } = proxy;
    let but = if exceptions.is_some() { " with exceptions" } else { "" };
    format!("{variable} of {services}{but}")
}

/// `kube-system/metrics-server (min available 1)`
fn of_budget(budget: &Budget) -> String {
    let Budget { name: _, namespace: _, selects, min_available, max_unavailable, anchor: _ } =
        budget;
    let mut parts = Vec::new();
    for (what, fact) in [("min available", min_available), ("max unavailable", max_unavailable)] {
        match fact {
            Fact::Absent(_) => {}
            Fact::Known(value, _) => parts.push(format!("{what} {value}")),
            Fact::Unknown(..) | Fact::Invalid { .. } => parts.push(format!("{what} unknown")),
        }
    }
    if selects.is_absent() {
        parts.push("selects no pods".to_owned());
    }
    format!("{} ({})", budget.subject(), parts.join(", "))
}

/// `kube-system/metrics-server of metrics-server 3.12.2`
fn of_chart(chart: &InstalledChart) -> String {
    let InstalledChart {
        name,
        namespace,
        chart,
        version,
        creates_api_service,
        // Which of the charts that we know it is, and what it is known to read.
        family: _,
        is_ours: _,
        reads: _,
        is_copy: _,
        // What is wrong with its values is a finding and no setting.
        unknown_keys: _,
        wrong_values: _,
        // Stands among the settings of the cluster, or of what it installs.
        drifts: _,
        facts: _,
        // A place.
        anchor: _,
    } = chart;
    let version = version.as_ref().map(|it| format!(" {it}")).unwrap_or_default();
    let api = match creates_api_service.value() {
        Some(false) => " without APIService",
        _ => "",
    };
    format!("{namespace}/{name} of {chart}{version}{api}")
}

/// A setting of which there may be several, in the order of their texts; none when there is none.
fn several<'a>(name: &str, items: impl Iterator<Item = (String, &'a Origin)>) -> Option<NamedFact> {
    let mut items: Vec<(String, &Origin)> = items.collect();
    items.sort_by(|(a, _), (b, _)| a.cmp(b));
    let (mut texts, origins): (Vec<String>, Vec<&Origin>) = items.into_iter().unzip();
    let origin = (*origins.first()?).clone();
    let mut remarks: Vec<(String, Origin)> =
        texts.iter().cloned().zip(origins.into_iter().cloned()).collect();
    if remarks.len() == 1 {
        remarks.clear();
    }
    texts.dedup();
    let value = Datum::Text(texts.join(", "));
    Some(NamedFact { remarks, ..NamedFact::new(name, Fact::Known(value, origin)) })
}

/// What is told of several subjects, in short.
fn summary(setting: Option<NamedFact>) -> Option<NamedFact> {
    let mut setting = setting?;
    setting.role = FactRole::Summary;
    let count = setting.remarks.len();
    if let (Fact::Known(value, _), true) = (&mut setting.fact, count > 3) {
        *value = Datum::Text(count.to_string());
    }
    Some(setting)
}

/// What a metrics-server is called, also where nobody can tell its name or namespace.
pub(crate) fn name_of(server: &MetricsServer) -> String {
    match (server.is_anywhere, server.name.is_empty()) {
        (true, true) => format!("namespace{NAMELESS}"),
        (true, false) => format!("{}, namespace unknown", server.name),
        (false, true) => format!("{}{NAMELESS}", server.namespace),
        (false, false) => server.subject(),
    }
}

fn of_server(server: &MetricsServer) -> FactSubject {
    let mut settings = vec![text("installed_by", &server.via.replace('-', " "), &server.anchor)];
    if let Some((name, version)) = &server.chart {
        settings.push(text("chart", name, &server.anchor));
        settings.push(NamedFact::new("chart_version", version.datum()));
    }
    let facts = server.facts();
    let known = |name: &str| facts.iter().any(|(it, fact)| *it == name && fact.value().is_some());
    let image_is_known = known("image");
    for (name, fact) in &facts {
        let is_part = match *name {
            "args" => !fact.is_unknown(),
            "image_repository" | "image_tag" => image_is_known,
            _ => false,
        };
        let role = if is_part { FactRole::Part } else { FactRole::Main };
        match server.args.value().filter(|_| *name == "args") {
            Some(args) => {
                settings.extend(args.iter().map(|it| NamedFact {
                    role,
                    ..NamedFact::new(*name, of_argument(Datum::Text(it.text.clone()), it))
                }));
            }
            None => settings.push(NamedFact { role, ..NamedFact::new(*name, fact.clone()) }),
        }
        if *name == "args" {
            let is_told = |flag: &str| {
                let flag = flag.replace('-', "_");
                facts.iter().any(|(it, _)| flag.trim_start_matches("deprecated_") == *it)
            };
            settings.extend(other_arguments(server, is_told));
        }
    }
    settings.extend(surrounding(server.surroundings()));
    named(SubjectKind::MetricsServer, name_of(server), &server.anchor, settings)
}

/// The arguments that are no setting of their own, each by its flag; the last of a repeated one wins.
fn other_arguments(server: &MetricsServer, is_told: impl Fn(&str) -> bool) -> Vec<NamedFact> {
    let mut found: Vec<NamedFact> = Vec::new();
    for argument in server.arguments() {
        let text = |it: &str| Datum::Text(it.to_owned());
        let (name, value, arg) = match argument {
            Argument::Flag { name, .. } if is_told(name) => continue,
            Argument::Flag { name, value, arg } => {
                let (value, arg) = value.unwrap_or(("true", arg));
                (format!("--{name}"), flag::datum(name, value), arg)
            }
            Argument::Word(arg) => (arg.text.clone(), text("passed"), arg),
            Argument::Untold(arg) => (arg.text.trim_end_matches('=').to_owned(), text(""), arg),
        };
        let fact = of_argument(value, arg);
        if name.is_empty() || is_told(name.trim_start_matches('-')) {
            continue;
        }
        match found.iter_mut().find(|it| it.name == name) {
            Some(before) => before.fact = fact,
            None => found.push(NamedFact::new(name, fact)),
        }
    }
    found
}

/// What `value`, which `arg` passes, is known to be.
fn of_argument(value: Datum, arg: &Arg) -> Fact<Datum> {
    match &arg.unknown {
        Some(why) => Fact::Unknown(why.clone(), Some(arg.origin.clone())),
        None => Fact::Known(value, arg.origin.clone()),
    }
}
