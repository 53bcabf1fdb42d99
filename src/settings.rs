//! What an environment comes to, as lists of named settings: what `show` prints and `diff` compares.

use crate::{
    model::{
        Arg, Argument, Cluster, Count, Datum, Fact, Facts as _, MetricsServer, MetricsServerFacts,
        ReleaseFacts, flag,
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
pub(crate) fn subjects(environment: &Environment, cluster: &Cluster) -> Vec<FactSubject> {
    let mut all = vec![of_cluster(environment, cluster)];
    all.extend(cluster.metrics_servers.iter().map(of_server));
    for kubelet in &cluster.kubelets {
        let name = format!("{} {}", kubelet.cluster, kubelet.group);
        let mut settings = vec![text("carrier", kubelet.carrier.words(), &kubelet.anchor)];
        settings.extend(kubelet.facts().into_iter().map(|(name, fact)| NamedFact::new(name, fact)));
        all.push(named(SubjectKind::Kubelets, name, &kubelet.anchor, settings));
    }
    for it in &cluster.approvers {
        all.push(named(SubjectKind::Approver, it.name.clone(), &it.origin, Vec::new()));
    }
    for it in &cluster.api_services {
        // What leads to a metrics-server is told among its settings.
        let registers = |server: &MetricsServer| {
            server.registration.as_ref().is_some_and(|own| own.name == it.name)
        };
        let settings = vec![
            NamedFact::new("service", it.service.datum()),
            NamedFact::new("insecure_skip_tls_verify", it.insecure_skip_tls_verify.datum()),
            NamedFact::new("ca_bundle", it.ca_bundle.datum()),
        ];
        let told = cluster.metrics_servers.iter().any(registers);
        let settings = if told { Vec::new() } else { settings };
        all.push(named(SubjectKind::ApiService, it.name.clone(), &it.anchor, settings));
    }
    for it in &cluster.autoscalers {
        all.push(named(SubjectKind::Autoscaler, it.subject(), &it.anchor, Vec::new()));
    }
    all
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
    let anchor = environment.entry.origin.clone();
    let mut settings = Vec::new();
    let local = cluster.local.as_ref();
    let local = local.map(|(why, at)| Fact::Known(Datum::Text(why.clone()), at.clone()));
    settings.push(NamedFact::new("local", local.unwrap_or_default()));
    let count =
        |name, it: &Fact<Count>| NamedFact::new(name, it.map(|it| Datum::Text(it.to_string())));
    settings.push(count("nodes", &cluster.nodes));
    settings.push(count("pods_per_node", &cluster.pods_per_node));
    settings.push(NamedFact::new("kubernetes", cluster.kubernetes.datum()));
    let serving = &cluster.serving;
    let state = serving.state.id();
    let fact = match serving.evidence.first() {
        Some((_, at)) if state != "unknown" => {
            Fact::Known(Datum::Text(state.replace('-', " ")), at.clone())
        }
        at => {
            let why = "nothing in sight says how the kubelets get them";
            Fact::Unknown(why.into(), at.map(|(_, at)| at.clone()))
        }
    };
    let remarks = serving.evidence.clone();
    settings.push(NamedFact { remarks, ..NamedFact::new("serving_certificates", fact) });
    let approvers = cluster.approvers.iter().map(|it| (it.name.clone(), &it.origin));
    settings.extend(summary(several("approver", approvers)));
    settings.extend(several(
        "removed_api_version",
        cluster
            .removed_api_versions
            .iter()
            .map(|it| (format!("{} {} {}", it.api_version, it.kind, it.name), &it.origin)),
    ));
    for it in &cluster.api_servers {
        if !it.aggregator_routing.is_absent() {
            settings.push(NamedFact::new("aggregator_routing", it.aggregator_routing.datum()));
        }
    }
    let drifts = cluster.charts.iter().flat_map(|it| &it.drifts);
    settings.extend(several(
        "never_in_sync",
        drifts.map(|it| (format!("{} of the {}", it.field, it.kind), &it.origin)),
    ));
    settings.extend(several(
        "moving_version",
        cluster.moving_versions.iter().map(|it| {
            let text = if it.text.is_empty() { "none" } else { &it.text };
            (text.to_owned(), &it.origin)
        }),
    ));
    let scaled = cluster.autoscalers.iter().map(|it| (it.subject(), &it.anchor));
    settings.extend(summary(several("autoscalers", scaled)));
    for it in &cluster.variables {
        let what = match (it.is_used, &it.overridden) {
            (Some(false), _) => ", which nothing uses",
            (_, Some(_)) => ", which another definition overrides",
            _ => "",
        };
        let remark = format!("a variable of the {}{what}", it.source);
        settings.push(NamedFact {
            role: FactRole::Part,
            remarks: vec![(remark, it.origin.clone())],
            ..NamedFact::new(it.name.clone(), it.value.datum())
        });
    }
    FactSubject { kind: SubjectKind::Cluster, name: String::new(), anchor, settings }
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

/// What a metrics-server is called, also where nobody can tell its name.
pub(crate) fn name_of(server: &MetricsServer) -> String {
    match server.name.is_empty() {
        true => format!("{}{NAMELESS}", server.namespace),
        false => server.subject(),
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
    for (name, fact) in server.surroundings() {
        settings.push(NamedFact { role: FactRole::Surrounding, ..NamedFact::new(name, fact) });
    }
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
