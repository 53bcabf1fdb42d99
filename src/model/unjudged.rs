//! What may concern us and no environment has.

use std::collections::BTreeSet;

use crate::{
    data::subject::What,
    model::Cluster,
    problem::{Problem, ProblemKind},
    resolve::{
        command, layout,
        script::{self, UnreadInstallation},
    },
    source::{self, FileId, Relevance, Skip, Source, Sources, Span},
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
    let is_list = match skip {
        Skip::Unreadable(_) => source::is_list_of_patterns(&source.path),
        skip => matches!(skip, Skip::Link | Skip::Patterns),
    };
    let so = if is_list { "so it leaves nothing out" } else { "so nothing in it is judged" };
    let message = format!("{} {skip}, {so}", source.path);
    let problem = Problem::new(kind, &Origin::start_of(file), message);
    Some(match skip {
        Skip::Binary | Skip::Nul | Skip::Utf16 | Skip::Utf32 => {
            problem.help("save it as text in UTF-8")
        }
        Skip::TooLarge => problem.help("split it"),
        _ => problem,
    })
}

/// What programs install or configure of which no environment has any, and a metrics-server that they
/// install from elsewhere or change: whatever is judged, it is not that.
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
    let commands: Vec<Span> = clusters.iter().flat_map(|it| it.commands.iter().copied()).collect();
    let is_read = |dir: &str, command: &str, at: Span| {
        let means = |it: &&&Cluster| command::means_any(dir, command, &it.environment).is_some();
        (!command.contains("--set") && assumed.iter().any(|it| means(&it)))
            || commands
                .iter()
                .any(|it| it.file == at.file && it.range().contains(&(at.start as usize)))
    };
    let is_apart = |it: &UnreadInstallation| it.apart && it.what == What::Server;
    // What a ConfigMap holds is judged there when something that is read applies it.
    let servers = clusters.iter().flat_map(|it| &it.metrics_servers).map(|it| &it.anchor);
    let approvers = clusters.iter().flat_map(|it| &it.approvers).map(|it| &it.origin);
    let judged: BTreeSet<Span> = servers.chain(approvers).filter_map(Origin::written_at).collect();
    let is_judged = |it: &UnreadInstallation| {
        it.problem.at.written_at().is_some_and(|span| {
            let within = judged.range(Span { end: span.start, ..span }..).next();
            within.is_some_and(|it| it.file == span.file && it.end <= span.end)
        })
    };
    let found = script::found(sources, &is_read).into_iter();
    found
        .filter(|it| (!is_there(it.what) || is_apart(it)) && !said.contains(&it.file))
        .filter(|it| !is_judged(it))
        .map(|it| it.problem)
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::{config::Config, model, pipeline::analyze, source::Sources};

    #[test]
    fn a_script_is_told_of_beside_manifests_unless_it_applies_those() {
        let manifest = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: metrics-server}\n\
             spec: {template: {spec: {containers: [{name: metrics-server,\n\
             image: registry.k8s.io/metrics-server/metrics-server:v0.8.0}]}}}\n";
        let told = |command: &str| {
            let files = [("clusters/a/metrics-server.yaml", manifest), ("scripts/up.sh", command)];
            let sources = Sources::in_memory(files);
            let (_, clusters) = analyze(&sources, &Config::default());
            model::unjudged(&sources, &clusters).len()
        };
        assert_eq!(told("kubectl apply -f ../clusters/a/metrics-server.yaml\n"), 0);
        assert_eq!(told("kubectl apply -f clusters/a/metrics-server.yaml\n"), 0);
        assert_eq!(told("kubectl apply -f clusters/$CLUSTER/metrics-server.yaml\n"), 0);
        assert_eq!(told("helm install metrics-server metrics-server/metrics-server\n"), 0);
        assert_eq!(told("kubectl apply -f https://example.com/metrics-server.yaml\n"), 1);
        let patch = "kubectl -n kube-system patch deployment metrics-server --patch-file p.json\n";
        assert_eq!(told(patch), 1);
    }

    #[test]
    fn what_is_read_through_a_variable_is_not_told_of_where_that_is_set() {
        let told = |task: &str| {
            let files = [
                ("roles/ms/defaults/main.yml", "chart: metrics-server/metrics-server\n"),
                ("roles/ms/tasks/main.yml", task),
            ];
            let sources = Sources::in_memory(files);
            let (_, clusters) = analyze(&sources, &Config::default());
            model::unjudged(&sources, &clusters).len()
        };
        let task = "- name: x\n  kubernetes.core.helm:\n    name: metrics-server\n    chart_ref: '{{ chart }}'\n    \
             release_namespace: kube-system\n";
        assert_eq!(told(task), 0);
        assert_eq!(told("- debug: {msg: '{{ chart }}'}\n"), 1);
    }
}
