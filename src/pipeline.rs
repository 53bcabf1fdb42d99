//! From files to findings: resolve → lower → check, for every environment.

use std::collections::BTreeSet;

use rayon::prelude::*;

use crate::{
    config::Config,
    finding::{Finding, Severity},
    model::{self, Cluster},
    resolve::{
        self,
        context::{Context, Purpose},
        environment::Environment,
    },
    rules,
    settings::{NamedFact, subjects},
    settle::Scope,
    source::{FileId, Sources, Span},
    tree::Origin,
};

/// Resolves and types every environment of a repository in which something may be found.
pub(crate) fn analyze(sources: &Sources, config: &Config) -> (Vec<Environment>, Vec<Cluster>) {
    analyze_for(sources, config, &BTreeSet::new()).0
}

/// The same for somebody who asks about these files, unless there are none; and whether environments that
/// have nothing to do with these are left out.
pub(crate) fn analyze_for(
    sources: &Sources,
    config: &Config,
    files: &BTreeSet<FileId>,
) -> ((Vec<Environment>, Vec<Cluster>), bool) {
    // The names of all of them matter to what the configuration says of environments.
    let spares = config.environments.is_empty();
    let context = Context { spares, ..Context::new(sources, config, Purpose::Judge) };
    let (environments, some) = resolve::resolve_for(&context, files);
    (lowered(sources, environments), some)
}

/// Resolves and types every environment of a repository, to show them.
pub(crate) fn survey(sources: &Sources, config: &Config) -> (Vec<Environment>, Vec<Cluster>) {
    lowered(sources, resolve::resolve(&Context::new(sources, config, Purpose::Judge)))
}

/// Those in which something may be found, each with what it is typed as.
fn lowered(sources: &Sources, environments: Vec<Environment>) -> (Vec<Environment>, Vec<Cluster>) {
    let clusters = model::lower(sources, &environments);
    // A file may speak of metrics-server and say nothing about it: a pipeline, a document.
    let says_nothing = |(environment, cluster): &(Environment, Cluster)| {
        // Where only autoscalers are looked for, what is told of is that some may be missing.
        let mut problems = cluster.problems.iter();
        !is_ours(environment, cluster) && problems.all(|it| environment.aside && it.concerns)
    };
    environments.into_iter().zip(clusters).filter(|it| !says_nothing(it)).unzip()
}

/// Whether an environment is one that we judge: it has something of our subject, or a person says so.
pub(crate) fn is_ours(environment: &Environment, cluster: &Cluster) -> bool {
    !cluster.is_empty() || environment.settings.as_ref().is_some_and(|it| it.entry.is_some())
}

/// Whether a file that `scope` covers has a part in what is told of an environment: it starts it, a
/// setting comes from there or through there, or a finding has a place there.
pub(crate) fn concerns(
    sources: &Sources,
    scope: &Scope,
    environment: &Environment,
    cluster: &Cluster,
) -> bool {
    let covers = |span: Span| scope.covers(&sources[span.file].path);
    let is_through = |at: &Origin| {
        let mut ways = at.also().into_iter().chain([at.clone()]);
        ways.any(|it| it.steps().filter_map(|it| it.span).any(covers))
    };
    let is_of = |it: &NamedFact| {
        it.fact.way().is_some_and(is_through) || it.remarks.iter().any(|(_, at)| is_through(at))
    };
    let mut subjects = subjects(environment, cluster).into_iter();
    is_through(&environment.entry.origin)
        || subjects.any(|it| is_through(&it.anchor) || it.settings.iter().any(is_of))
        || check(std::slice::from_ref(cluster))
            .iter()
            .any(|it| it.labels.iter().any(|it| covers(it.span)))
}

/// Why something that is assumed is at most a warning, unless somebody sets its severity.
const LOWERED: &str = "by itself no error, since nothing here is known to install it";

/// Everything that the rules say of every environment, and what went wrong on the way there.
pub(crate) fn check(clusters: &[Cluster]) -> Vec<Finding> {
    let of = |cluster: &Cluster| {
        let found = rules::RULES.iter().flat_map(|rule| rule.check(cluster));
        let problems = rules::problems(&cluster.problems, Some(&cluster.environment));
        let mut findings: Vec<Finding> = found.chain(problems).collect();
        if cluster.assumed {
            for finding in findings.iter_mut().filter(|it| it.severity > Severity::Warning) {
                finding.at_most(Severity::Warning).note(LOWERED);
            }
        }
        findings
    };
    clusters.par_iter().flat_map_iter(of).collect()
}

/// What the rules say of the clusters, and what was met on the way there.
pub(crate) fn found(sources: &Sources, clusters: &[Cluster]) -> Vec<Finding> {
    let mut findings = check(clusters);
    findings.extend(rules::problems(&model::unjudged(sources, clusters), None));
    findings
}
