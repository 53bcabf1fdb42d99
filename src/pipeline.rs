//! From files to findings: resolve → lower → check, for every environment.

use crate::{
    config::Config,
    finding::{Finding, Severity},
    model::{self, Cluster},
    problem::{Problem, ProblemKind},
    resolve::{
        self,
        context::{Context, Purpose},
        environment::Environment,
        layout,
        script::{self, What},
    },
    rules,
    source::{self, FileId, Relevance, Skip, Source, Sources},
    tree::Origin,
};

/// Resolves and types every environment of a repository.
pub(crate) fn analyze(sources: &Sources, config: &Config) -> (Vec<Environment>, Vec<Cluster>) {
    let context = Context::new(sources, config, Purpose::Judge);
    let environments = resolve::resolve(&context);
    let elsewhere = std::sync::OnceLock::new();
    let lower = |environment| model::lower(sources, environment, &elsewhere);
    let clusters: Vec<Cluster> = environments.iter().map(lower).collect();
    // A file may speak of metrics-server and say nothing about it: a pipeline, a document.
    let says_nothing = |(environment, cluster): &(Environment, Cluster)| {
        !is_ours(environment, cluster) && cluster.problems.is_empty()
    };
    environments.into_iter().zip(clusters).filter(|it| !says_nothing(it)).unzip()
}

/// Whether an environment is one that we judge: it has something of our subject, or a person says so.
pub(crate) fn is_ours(environment: &Environment, cluster: &Cluster) -> bool {
    !cluster.is_empty() || environment.settings.as_ref().is_some_and(|it| it.entry.is_some())
}

/// Everything that the rules say of every environment, and what went wrong on the way there.
pub(crate) fn check(clusters: &[Cluster]) -> Vec<Finding> {
    let of = |cluster: &Cluster| {
        let found = rules::RULES.iter().flat_map(|rule| rule.check(cluster));
        let problems = rules::problems(&cluster.problems, Some(&cluster.environment));
        let mut findings: Vec<Finding> = found.chain(problems).collect();
        if cluster.assumed {
            for finding in &mut findings {
                finding.at_most(Severity::Warning);
            }
        }
        findings
    };
    clusters.iter().flat_map(of).collect()
}

/// What may concern us and is not read: files that nobody can read, and what programs install.
pub(crate) fn unread(sources: &Sources, clusters: &[Cluster]) -> Vec<Problem> {
    let problem = |(file, source): (FileId, &Source)| {
        // What is encrypted says nothing of what it is about.
        let skip = source.skipped().filter(|it| *it != Skip::Encrypted)?;
        if source.relevance <= Relevance::Script {
            return None;
        }
        let kind = match skip {
            // Every reader of YAML refuses it.
            Skip::Binary if layout::is_yaml(&source.path) => ProblemKind::Syntax,
            _ => ProblemKind::Unresolved,
        };
        let message = format!("this {skip}, so nothing in it is judged");
        let problem = Problem::new(kind, &Origin::start_of(file), message);
        Some(match skip {
            Skip::Binary | Skip::Utf16 => problem.help("save it as text in UTF-8"),
            Skip::TooLarge => problem.help("split it"),
            Skip::Encrypted | Skip::Unreadable(_) => problem,
        })
    };
    let mut problems: Vec<Problem> = sources.iter().filter_map(problem).collect();
    problems.extend(installed_elsewhere(sources, clusters));
    problems
}

/// What programs install or configure of which no environment has any.
fn installed_elsewhere(sources: &Sources, clusters: &[Cluster]) -> Vec<Problem> {
    let (assumed, certain): (Vec<_>, Vec<_>) = clusters.iter().partition(|it| it.assumed);
    let is_there = |what: What| {
        certain.iter().any(|it| match what {
            What::Server => !it.metrics_servers.is_empty() || !it.charts.is_empty(),
            What::Approver => !it.approvers.is_empty(),
            What::Kubelets => !it.kubelets.is_empty(),
        })
    };
    let is_said = |file: FileId| {
        let mut problems = clusters.iter().flat_map(|it| &it.problems);
        problems.any(|it| it.at.written_at().is_some_and(|span| span.file == file))
    };
    // A values file that nothing else names is judged as a script would have it.
    let is_read = |command: &str| {
        assumed.iter().any(|it| command.contains(source::file_name(&it.environment)))
    };
    let found = script::found(sources, &is_read).into_iter();
    found
        .filter(|(what, file, _)| !is_there(*what) && !is_said(*file))
        .map(|(_, _, problem)| problem)
        .collect()
}
