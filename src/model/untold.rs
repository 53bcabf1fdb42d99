//! What of our subject nobody can tell, and nothing else says so.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::{
    model::{ApiService, Arg, Fact, Facts, Kubelet, MetricsServer, reach, workload},
    problem::{Problem, ProblemKind},
    resolve::environment::{Environment, Object, Release},
    source::{FileId, Sources, Span},
    tree::{Origin, Reason, ReasonKind},
};

/// The metrics-servers, kubelets and registrations of an environment.
type Ours<'a> = (&'a [MetricsServer], &'a [Kubelet], &'a [(&'a Object, ApiService)]);

/// What cannot be told of `ours` and of what that is installed with, where none of `told`, the
/// problems of `environment`, says why. These are about our subject, whatever they say.
pub(super) fn untold(
    sources: &Sources,
    environment: &Environment,
    ours: Ours<'_>,
    told: &[Problem],
) -> Vec<Problem> {
    let mut found: Vec<Problem> = Vec::new();
    let mut said = Said::default();
    said.add(sources, told);
    let mut hidden = BTreeSet::new();
    for server in ours.0 {
        let Some(problem) = arguments(server, &said) else { continue };
        found.push(problem);
        // Whatever else hides flags, that they are hidden is said.
        let args = server.args.value().into_iter().flatten();
        hidden.extend(args.filter_map(|it| it.unknown.as_deref()));
    }
    found.extend(environment.releases.iter().filter_map(|it| values(it, &said)));
    said.add(sources, &found);
    said.causes.append(&mut hidden);
    let settings = settings(ours, &said);
    found.extend(settings);
    found
}

/// What is said already.
#[derive(Default)]
struct Said<'a> {
    /// Why something cannot be told.
    causes: BTreeSet<&'a str>,
    /// Where that stands.
    places: BTreeSet<(FileId, u32)>,
    /// The files that are templates.
    templates: BTreeSet<FileId>,
}

impl<'a> Said<'a> {
    fn add(&mut self, sources: &Sources, problems: &'a [Problem]) {
        for problem in problems.iter().filter(|it| it.concerns) {
            self.causes.extend([&*problem.message, problem.cause(), &*problem.subject]);
            let Some(span) = problem.at.written_at() else { continue };
            self.places.insert((span.file, span.start));
            if problem.kind == ProblemKind::Unresolved && reach::template(sources, span).is_some() {
                self.templates.insert(span.file);
            }
        }
    }

    /// Whether it is said why something at `at` cannot be told, which is `why`.
    fn has(&self, why: &str, at: &Origin) -> bool {
        let is_place = |it: Span| {
            self.places.contains(&(it.file, it.start)) || self.templates.contains(&it.file)
        };
        self.causes.contains(why) || at.written_at().is_none_or(is_place)
    }
}

const KUBELETS: &str = "the kubelets";

/// The settings that nobody can tell, by why that is so: each cause once, at the first of them.
fn settings((servers, kubelets, registrations): Ours<'_>, said: &Said<'_>) -> Vec<Problem> {
    // What an installer brings along is not of this repository.
    let servers = servers.iter().filter(|it| !it.managed);
    let of_servers = servers.flat_map(|it| {
        let release = it.release.as_ref().map(Facts::facts).unwrap_or_default();
        it.facts.facts().into_iter().chain(release).map(|it| ("metrics-server", it))
    });
    let of_kubelets = kubelets.iter().flat_map(|it| it.facts.facts());
    let of_kubelets = of_kubelets.map(|it| (KUBELETS, it));
    let of_api_services = registrations.iter();
    let of_api_services =
        of_api_services.map(|(_, it)| ("the APIService", ("service", it.service.datum())));
    let mut by_cause: IndexMap<(&str, Reason), (&str, Origin, BTreeSet<&str>)> = IndexMap::new();
    for (whose, (name, fact)) in of_servers.chain(of_kubelets).chain(of_api_services) {
        let Fact::Unknown(why, Some(at)) = fact else { continue };
        if said.has(&why, &at) || !is_cause(&why) {
            continue;
        }
        let first = || (name, at, BTreeSet::new());
        by_cause.entry((whose, why)).or_insert_with(first).2.insert(name);
    }
    // Whether they ask for certificates says most of the kubelets; nobody waits for the rest alone.
    let matters = |whose: &str, names: &BTreeSet<&str>| {
        whose != KUBELETS || names.contains("server_tls_bootstrap")
    };
    by_cause.retain(|(whose, _), (.., names)| matters(whose, names));
    let problems = by_cause.into_iter().map(|((whose, why), (name, at, names))| {
        let name = name.replace('_', " ");
        let more = match names.len() {
            0 | 1 => String::new(),
            2 => " and one more setting".to_owned(),
            count => format!(" and {} more settings", count - 1),
        };
        let message = format!("the {name}{more} of {whose} cannot be told: {why}");
        Problem::unresolved(&at, message).about(&*why)
    });
    problems.collect()
}

/// Whether the repository has `why` something cannot be told, so that a person may want to hear of it.
fn is_cause(why: &Reason) -> bool {
    match why.kind() {
        ReasonKind::Other | ReasonKind::NoSuchKey => true,
        // Which version that is, is said by who judges versions.
        ReasonKind::Version
        | ReasonKind::KubernetesVersion
        | ReasonKind::Random
        | ReasonKind::SetInCluster => false,
    }
}

/// That flags are not judged, since one of the arguments may be any of them, unless that is `said`.
fn arguments(server: &MetricsServer, said: &Said<'_>) -> Option<Problem> {
    let one = |args: &[Arg]| {
        let untold = args.iter().find(|it| it.unknown.is_some() && it.text.is_empty())?;
        Some((untold.unknown.clone()?, untold.origin.clone()))
    };
    let (why, at) = match &server.args {
        Fact::Known(args, _) => one(args)?,
        Fact::Unknown(why, Some(at)) => (why.clone(), at.clone()),
        _ => return None,
    };
    // What a chart makes of values that nobody can tell is said of the values.
    let is_ours = server.chart.is_none() && !server.managed || *why == **workload::TOO_MANY_ARGS;
    let what = "which flags metrics-server has";
    problem(what, &why, &at, said).filter(|_| is_ours)
}

/// That `what` cannot be told because of `why`, unless that is `said`.
fn problem(what: &str, why: &Reason, at: &Origin, said: &Said<'_>) -> Option<Problem> {
    let message = format!("{what} cannot be told: {why}");
    let problem = Problem::unresolved(at, message).about(&**why);
    Some(problem).filter(|_| !said.has(why, at))
}

/// That nothing of the values of a chart that we know can be told, unless it is `said` why.
fn values(release: &Release, said: &Said<'_>) -> Option<Problem> {
    let why = release.values.unknown().filter(|_| release.family.is_some())?;
    let what = format!("what {} is installed with", release.chart);
    let problem = problem(&what, why, &release.values.origin, said)?;
    Some(Problem { unit: release.unit, ..problem })
}
