//! The jobs of pipelines: what they set, what they take from others, and how often they run.

use std::collections::{BTreeMap, BTreeSet};

use super::{carriers::SETTING, gitlab};
use crate::{
    source::Sources,
    tree::{Entry, Node},
};

/// How many jobs one may extend (GitLab: at most 11 levels), and how often a matrix makes it run.
const MAX_JOBS: usize = 50;

/// The keys of a job with its commands, which it has from the nearest that it extends.
const SCRIPTS: [&str; 3] = ["before_script", "script", "after_script"];

/// The names of the jobs of `root` that only others make use of: GitLab does not run those with a dot.
pub(super) fn extended(root: &Node) -> BTreeSet<&str> {
    let jobs = root.entries().filter_map(|(_, it)| it.value.get("extends"));
    jobs.flat_map(names).filter(|it| it.starts_with('.')).collect()
}

fn names(extends: &Node) -> impl Iterator<Item = &str> {
    std::iter::once(extends).chain(extends.items()).filter_map(Node::as_str)
}

/// `job` and what it extends, what counts most last.
pub(super) fn chain<'a>(root: &'a Node, job: &'a Node) -> Vec<&'a Node> {
    let mut chain = vec![job];
    let mut at = 0;
    while let Some(job) = chain.get(at).filter(|_| chain.len() <= MAX_JOBS) {
        // The last of several counts most, and before what these extend themselves.
        let names: Vec<&str> = job.get("extends").into_iter().flat_map(names).collect();
        let jobs: Vec<&Node> = names.iter().rev().filter_map(|it| root.get(it)).collect();
        at += 1;
        chain.splice(at..at, jobs);
    }
    chain.truncate(MAX_JOBS);
    chain.reverse();
    chain
}

/// The keys of a pipeline of GitLab that are no jobs but what its jobs have by default.
const DEFAULTS: [&str; 3] = ["default", "before_script", "after_script"];

/// What the jobs of `root`, which are its own keys, have where they do not say it: `default` of GitLab's
/// `CI/CD YAML syntax reference`, and the keys beside the jobs that it is for. Where `script` is one of
/// these, as in Travis CI's files, there are no jobs.
pub(super) fn defaults(root: &Node) -> Vec<&Node> {
    let is_job = |it: &Node| it.get("script").is_some() || it.get("extends").is_some();
    let has_jobs = root.entries().any(|(key, it)| !DEFAULTS.contains(&key) && is_job(&it.value));
    match has_jobs && root.get("script").is_none() {
        true => root.get("default").into_iter().chain([root]).collect(),
        false => Vec::new(),
    }
}

/// Whether `key` is no job of those that have these `defaults`.
pub(super) fn is_default(key: &str, defaults: &[&Node]) -> bool {
    !defaults.is_empty() && DEFAULTS.contains(&key)
}

/// What the jobs of `chain` say that they take over of `what` (`default`, `variables`) of the pipeline
/// (`inherit` of GitLab's reference).
fn inherited<'a>(chain: &[&'a Node], what: &str) -> Option<&'a Node> {
    chain.iter().rev().find_map(|it| it.get("inherit")?.get(what))
}

/// Whether the jobs of `chain` have `key` by default.
fn has_by_default(chain: &[&Node], key: &str) -> bool {
    inherited(chain, "default").is_none_or(|it| match it.as_list() {
        Some(names) => names.iter().any(|it| it.as_str() == Some(key)),
        None => text_of(it) != Some("false"),
    })
}

/// The only variables of the pipeline that the jobs of `chain` take over, if not all.
pub(super) fn taken(chain: &[&Node]) -> Option<BTreeSet<String>> {
    let said = inherited(chain, "variables")?;
    let names = said.items().iter().filter_map(Node::as_str).map(str::to_owned);
    (said.as_list().is_some() || text_of(said) == Some("false")).then(|| names.collect())
}

/// The commands of a job in the order in which they run, from the nearest that it extends where it has none,
/// or by default.
pub(super) fn scripts<'a>(
    chain: &[&'a Node],
    defaults: &[&'a Node],
) -> Vec<(&'static str, &'a Node)> {
    let is_job = chain.iter().any(|it| it.get("script").is_some());
    let found = |key: &'static str| {
        let own = chain.iter().rev().find_map(|it| it.get(key));
        let is_taken = is_job && own.is_none() && has_by_default(chain, key);
        let by_default = defaults.iter().filter(|_| is_taken).find_map(|it| it.get(key));
        Some((key, own.or(by_default)?))
    };
    SCRIPTS.into_iter().filter_map(found).collect()
}

/// Whether `key` of a job is one of those.
pub(super) fn is_script(key: &str) -> bool {
    SCRIPTS.contains(&key)
}

/// What the jobs of `chain`, which are of `root`, set, each and in its steps.
pub(super) fn variables<'a>(
    sources: &Sources,
    root: &'a Node,
    chain: &[&'a Node],
) -> Vec<(String, Option<Node>)> {
    let (mut places, mut found) = (BTreeMap::new(), Vec::<(String, Option<Node>)>::new());
    for job in chain {
        let mut own = BTreeMap::new();
        // A reference is filled in where what a job extends is there already, and takes its place.
        let list = job.get("variables").filter(|it| it.as_list().is_some());
        if let Some(list) = list {
            for known in &mut found {
                known.1 = None;
            }
            let set = gitlab::referenced(sources, root, list).into_iter().flat_map(Node::entries);
            own.extend(set.map(|(name, it)| (name, Some(&it.value))));
        }
        for node in job.walk() {
            let set = SETTING.iter().filter_map(|it| node.get(it)).flat_map(Node::entries);
            for (name, entry) in set {
                let value = Some(&entry.value).filter(|it| it.as_scalar().is_some());
                // Where a step sets it to something else, it is that for some of them.
                let known = own.entry(name).or_insert(value);
                if known.and_then(text_of) != value.and_then(text_of) {
                    *known = None;
                }
            }
        }
        // What is set under conditions is that for some of its runs (`rules:variables`).
        for (name, _) in set_by_rules(job) {
            own.insert(name, None);
        }
        for (name, value) in own {
            let place = *places.entry(name).or_insert_with(|| {
                found.push((name.to_owned(), None));
                found.len() - 1
            });
            found[place].1 = value.cloned();
        }
    }
    found
}

/// What the rules of a job or of a workflow set where they hold.
pub(super) fn set_by_rules(node: &Node) -> impl Iterator<Item = (&str, &Entry)> {
    let rules = node.get("rules").map(Node::items).unwrap_or_default();
    rules.iter().filter_map(|it| it.get("variables")).flat_map(Node::entries)
}

/// What the jobs of `chain` deploy to, by name.
pub(super) fn environment<'a>(chain: &[&'a Node]) -> Option<&'a Node> {
    let environment = chain.iter().rev().find_map(|it| it.get("environment"))?;
    let name = environment.get("name").unwrap_or(environment);
    name.as_str().map(|_| name)
}

/// Whether `job` runs once for each of what it lists.
pub(super) fn has_matrix(job: &Node) -> bool {
    job.at("strategy.matrix").is_some() || job.at("parallel.matrix").is_some()
}

/// What the matrix of `job` sets in each of its runs, and what these are called.
pub(super) fn matrix(job: &Node) -> Vec<(String, Vec<(String, Node)>)> {
    let of_gitlab = job.at("parallel.matrix").map(Node::items).unwrap_or_default();
    let (runs, prefix) = match job.at("strategy.matrix") {
        Some(matrix) => (of_github(matrix), "matrix."),
        None => (of_gitlab.iter().flat_map(|it| product(it, &[])).collect(), ""),
    };
    if runs.is_empty() || runs.len() > MAX_JOBS {
        return vec![(String::new(), Vec::new())];
    }
    let shown = |run: MatrixRun<'_>| {
        let label = run.values().filter_map(|it| text_of(it)).collect::<Vec<_>>().join(", ");
        let mut set = Vec::new();
        for (name, value) in run {
            add_below(&format!("{prefix}{name}"), value, &mut set);
        }
        (label, set)
    };
    runs.into_iter().map(shown).collect()
}

fn text_of(node: &Node) -> Option<&str> {
    node.as_scalar().map(|it| &*it.text)
}

/// What one run of a job has, by name.
type MatrixRun<'a> = BTreeMap<&'a str, &'a Node>;

/// Adds the scalars of `value`, which is called `name`.
fn add_below(name: &str, value: &Node, set: &mut Vec<(String, Node)>) {
    if value.as_scalar().is_some() {
        set.push((name.to_owned(), value.clone()));
    }
    for (key, entry) in value.entries().filter(|(_, it)| it.value.as_scalar().is_some()) {
        set.push((format!("{name}.{key}"), entry.value.clone()));
    }
}

/// Each of what the lists of `matrix` have with each of the others, but for the keys in `but`; nothing where
/// one is filled in.
fn product<'a>(matrix: &'a Node, but: &[&str]) -> Vec<MatrixRun<'a>> {
    let mut runs = vec![MatrixRun::new()];
    for (name, entry) in matrix.entries().filter(|(name, _)| !but.contains(name)) {
        let values = match entry.value.as_list() {
            Some(values) => values.iter().collect(),
            None => vec![&entry.value],
        };
        if values.len() * runs.len() > MAX_JOBS {
            return Vec::new();
        }
        let with = |run: &MatrixRun<'a>, value: &'a Node| {
            run.iter().map(|(name, it)| (*name, *it)).chain([(name, value)]).collect()
        };
        runs = runs
            .iter()
            .flat_map(|run| values.iter().map(move |it| (run, *it)))
            .map(|(run, value)| with(run, value))
            .collect();
    }
    runs
}

/// The runs of a matrix of GitHub (`Running variations of jobs in a workflow` of its documentation).
fn of_github(matrix: &Node) -> Vec<MatrixRun<'_>> {
    const OTHERS: [&str; 2] = ["include", "exclude"];
    let axes: BTreeSet<&str> =
        matrix.entries().map(|(name, _)| name).filter(|it| !OTHERS.contains(it)).collect();
    let mut runs = if axes.is_empty() { Vec::new() } else { product(matrix, &OTHERS) };
    let is_like = |run: &MatrixRun<'_>, some: &Node| {
        let mut own = some.entries().filter(|(name, _)| axes.contains(name));
        own.all(|(name, it)| {
            run.get(name).is_some_and(|other| text_of(other) == text_of(&it.value))
        })
    };
    for some in matrix.items_at("exclude") {
        runs.retain(|run| !is_like(run, some));
    }
    let made = runs.len();
    for some in matrix.items_at("include") {
        let own = || some.entries().map(|(name, it)| (name, &it.value));
        let mut is_new = true;
        for run in runs.iter_mut().take(made).filter(|run| is_like(run, some)) {
            run.extend(own());
            is_new = false;
        }
        if is_new && runs.len() < 2 * MAX_JOBS {
            runs.push(own().collect());
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{fixture, roots};

    #[test]
    fn a_matrix_has_each_with_each_and_what_is_included() {
        let runs = |text: &str| {
            let sources = fixture(&format!("\n//- a.yaml\nmatrix: {text}\n"));
            let root = &roots(&sources, "a.yaml")[0];
            let job = root.get("matrix").expect("a key");
            let all = of_github(job).into_iter();
            let shown = all.map(|it| {
                let all =
                    it.iter().map(|(name, it)| format!("{name}{}", text_of(it).unwrap_or("")));
                all.collect::<Vec<_>>().join(" ")
            });
            shown.collect::<Vec<String>>()
        };
        assert_eq!(runs("{a: [x, w], b: [z]}"), ["ax bz", "aw bz"]);
        assert_eq!(runs("{a: [x, w], exclude: [{a: x}]}"), ["aw"]);
        assert_eq!(runs("{include: [{a: x}, {a: y}]}"), ["ax", "ay"]);
        assert_eq!(
            runs("{a: [x, y], include: [{a: x, m: s}, {a: q}, {k: t}]}"),
            ["ax kt ms", "ay kt", "aq"]
        );
    }
}
