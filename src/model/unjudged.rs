//! What may concern us and no environment has.

use std::collections::BTreeSet;

use crate::{
    model::Cluster,
    problem::{Problem, ProblemKind},
    resolve::{
        command, layout,
        script::{self, What},
    },
    source::{FileId, Relevance, Skip, Source, Sources},
    tree::Origin,
};

/// What is not judged beside `clusters`: files that nobody can read, and what programs install.
pub(crate) fn unjudged(sources: &Sources, clusters: &[Cluster]) -> Vec<Problem> {
    let illegible = sources.iter().filter_map(|(file, source)| illegible(file, source));
    illegible.chain(installed(sources, clusters)).collect()
}

/// That nobody can read a file that may matter.
fn illegible(file: FileId, source: &Source) -> Option<Problem> {
    // What is encrypted says nothing of what it is about.
    let skip = source.skipped().filter(|it| *it != Skip::Encrypted)?;
    if !matches!(source.relevance, Relevance::Plumbing | Relevance::Subject) {
        return None;
    }
    let kind = match skip {
        // Every reader of YAML refuses it.
        Skip::Binary | Skip::Nul if layout::is_yaml(&source.path) => ProblemKind::Syntax,
        _ => ProblemKind::Unresolved,
    };
    let message = format!("this {skip}, so nothing in it is judged");
    let problem = Problem::new(kind, &Origin::start_of(file), message);
    Some(match skip {
        Skip::Binary | Skip::Nul | Skip::Utf16 => problem.help("save it as text in UTF-8"),
        Skip::TooLarge => problem.help("split it"),
        Skip::Encrypted | Skip::Unreadable(_) => problem,
    })
}

/// What programs install or configure of which no environment has any.
fn installed(sources: &Sources, clusters: &[Cluster]) -> Vec<Problem> {
    let (assumed, certain): (Vec<_>, Vec<_>) = clusters.iter().partition(|it| it.assumed);
    let is_there = |what: What| {
        certain.iter().any(|it| match what {
            What::Server => !it.metrics_servers.is_empty() || !it.charts.is_empty(),
            What::Approver => !it.approvers.is_empty(),
            What::Kubelets => !it.kubelets.is_empty(),
        })
    };
    // A problem of something else in the file says nothing of this.
    let problems = clusters.iter().flat_map(|it| &it.problems).filter(|it| it.concerns);
    let said: BTreeSet<FileId> = problems.filter_map(|it| Some(it.at.written_at()?.file)).collect();
    // A values file that nothing else names is judged as a command would have it.
    let is_read = |dir: &str, command: &str| {
        assumed.iter().any(|it| command::means_any(dir, command, &it.environment).is_some())
    };
    let found = script::found(sources, &is_read).into_iter();
    found
        .filter(|(what, file, _)| !is_there(*what) && !said.contains(file))
        .map(|(_, _, problem)| problem)
        .collect()
}
