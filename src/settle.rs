//! From what the rules say of each environment to what a person should read: each thing once.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    hash::Hash,
};

use indexmap::IndexMap;

use crate::{
    baseline::Baseline,
    config::{Config, EnvironmentConfig, Level},
    finding::{Finding, Findings, Severity},
    nearest::nearest,
    problem::ProblemKind,
    resolve::environment::Environment,
    rules,
    scalar::Dialect,
    selection::Selection,
    source::{self, Sources, Span},
    suppress::{self, Applied},
    tree::Node,
};

/// The findings of a run as they are reported.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// In order: the worst first, then by place.
    pub findings: Vec<Finding>,
    /// How many comments say are meant to be there.
    pub suppressed: usize,
    /// How many more there are for those who ask for pedantic ones.
    pub pedantic: usize,
    /// How many more there are that are less bad than what is to be shown.
    pub less_severe: Counts,
    /// How many more there are that each of the baselines knows.
    pub known: Vec<usize>,
}

impl Settled {
    /// Whether there is none, not even one that is not to be shown.
    pub(crate) fn is_empty(&self) -> bool {
        self.findings.is_empty()
            && self.suppressed == 0
            && self.pedantic == 0
            && self.less_severe.sum() == 0
    }
}

/// Which findings the user wants to see.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    /// Those that touch one of these; `""` is all.
    pub paths: Vec<String>,
    /// Those of these rules.
    pub rules: Selection,
    /// Those of these environments, unless all.
    pub environments: Option<BTreeSet<String>>,
    /// Those that are this bad.
    pub least: Severity,
}

impl Scope {
    /// Everything.
    pub(crate) fn all() -> Self {
        Self::of(vec![String::new()])
    }

    /// Every rule's, at these paths.
    pub(crate) fn of(paths: Vec<String>) -> Self {
        let (rules, environments, least) = (Selection::default(), None, Severity::Note);
        Self { paths, rules, environments, least }
    }

    /// Whether it is about some paths alone.
    pub(crate) fn is_of_paths(&self) -> bool {
        !self.paths.iter().any(String::is_empty)
    }

    /// Whether it is everything.
    pub(crate) fn is_all(&self) -> bool {
        let Self { rules, environments, .. } = self;
        let all_rules = rules.select.is_empty() && rules.ignore.is_empty();
        !self.is_of_paths() && all_rules && environments.is_none()
    }

    /// Whether somebody who is shown this is shown `finding` too.
    pub(crate) fn shows(&self, config: &Config, finding: &Finding) -> bool {
        config.pedantic || !finding.pedantic || self.rules.asks_for(finding)
    }

    /// Whether it is of these rules and environments.
    fn is_about(&self, finding: &Finding) -> bool {
        let names = &finding.environments;
        let environments = self.environments.as_ref();
        self.rules.has(finding) && environments.is_none_or(|it| !it.is_disjoint(names))
    }

    /// Whether one of the same touches these paths.
    fn touches(&self, sources: &Sources, same: &[Finding]) -> bool {
        let mut labels = same.iter().flat_map(|it| &it.labels);
        labels.any(|it| self.covers(&sources[it.span.file].path))
    }

    /// Whether `path` is one of these files or lies in one of these directories.
    pub(crate) fn covers(&self, path: &str) -> bool {
        self.paths.iter().any(|it| source::is_within(path, it))
    }
}

/// Suppresses, sets severities, leaves out, merges over environments, and sorts.
#[cfg(test)]
pub(crate) fn settle(
    sources: &Sources,
    config: &Config,
    environments: &[Environment],
    findings: Vec<Finding>,
    scope: &Scope,
) -> Settled {
    let judged = judge(sources, config, environments, findings);
    select(sources, config, environments, judged, scope, &mut [])
}

/// What a person does not mean to be there, each in its environment, with the severity that it is given.
pub(crate) fn judge(
    sources: &Sources,
    config: &Config,
    environments: &[Environment],
    findings: Vec<Finding>,
) -> Applied {
    let applied = suppress::apply(sources, findings);
    let levels = Levels::new(config, environments);
    let configured = |it: Finding| {
        let path = &sources[it.primary()?.span.file].path;
        if config.is_excluded(path) { None } else { levels.apply(it, path) }
    };
    let mut kept: Vec<_> = applied.kept.into_iter().filter_map(configured).collect();
    outrank(&mut kept, &applied.suppressed);
    Applied { kept, ..applied }
}

/// Of what was judged, what the user wants to see, each thing once: what none of `known` knows.
pub(crate) fn select(
    sources: &Sources,
    config: &Config,
    environments: &[Environment],
    judged: Applied,
    scope: &Scope,
    known: &mut [Baseline],
) -> Settled {
    let mut kept = judged.kept;
    let parted = known.iter_mut().map(|it| {
        let names = environments.iter().map(|it| &*it.name);
        let (new, known) = it.part(sources, names, std::mem::take(&mut kept));
        kept = new;
        merged(sources, config, known, scope).0.len()
    });
    let parted = parted.collect();
    let (mut findings, pedantic) = merged(sources, config, kept, scope);
    let less_severe = findings.extract_if(.., |it| it.severity < scope.least);
    let less_severe = Counts::of(&less_severe.collect::<Vec<_>>());
    findings.sort_by_cached_key(|it| order(sources, it));
    // These two are about the comment itself.
    let of_comments = [suppress::RULE, "value-keeps-comment-or-quotes"];
    let values = findings.iter_mut().filter(|it| !of_comments.contains(&it.rule));
    for label in values.flat_map(|it| &mut it.labels) {
        label.span = suppress::before_comment(sources, label.span);
    }
    for finding in findings.iter_mut().filter(|it| it.rule == ProblemKind::BuildFails.rule()) {
        finding.subject = place(sources, finding);
    }
    let suppressed = judged.suppressed.into_iter().filter(|it| scope.is_about(it));
    let in_scope = |same: &Vec<Finding>| scope.touches(sources, same);
    let suppressed = groups(suppressed).filter(in_scope).count();
    Settled { findings, suppressed, pedantic, less_severe, known: parted }
}

/// What is to be shown of `kept`, each thing once, and how many more nobody has to mend.
fn merged(
    sources: &Sources,
    config: &Config,
    kept: Vec<Finding>,
    scope: &Scope,
) -> (Vec<Finding>, usize) {
    let kept = kept.into_iter().filter(|it| scope.is_about(it));
    let is_shown = |it: &Finding| scope.shows(config, it);
    let merged = |same| merge(same, is_shown);
    let in_scope = |same: &Vec<Finding>| scope.touches(sources, same);
    let merged_over_environments = groups(kept).filter(in_scope).filter_map(merged);
    let at_one_place = alike(merged_over_environments).filter_map(merged);
    let versions = |same: Vec<Finding>| {
        let newest = same.iter().max_by_key(|it| version(sources, it)).cloned();
        let merged = merge(same, is_shown)?;
        Some(Finding { environments: merged.environments, ..newest? })
    };
    let mut findings: Vec<_> = of_versions(sources, at_one_place).filter_map(versions).collect();
    let found = findings.len();
    findings.retain(is_shown);
    let pedantic = found - findings.len();
    (findings, pedantic)
}

/// Takes out what says less than another finding of the same environment at the same place, be that
/// one suppressed or not: one mistake is one finding.
fn outrank(kept: &mut Vec<Finding>, suppressed: &[Finding]) {
    let place = |it: &Finding| it.primary().map(|it| it.span);
    let key = |it: &Finding, rule| (rule, place(it), it.environments.first().cloned());
    let all = kept.iter().chain(suppressed);
    let found: BTreeSet<_> = all.map(|it| key(it, it.rule)).collect();
    kept.retain(|it| {
        let mut ranks = rules::OUTRANKS.iter().filter(|(_, general)| *general == it.rule);
        !ranks.any(|(specific, _)| found.contains(&key(it, *specific)))
    });
}

/// What the configuration says of severities.
struct Levels<'a> {
    config: &'a Config,
    /// Those of environments, by their names.
    environments: BTreeMap<&'a str, &'a [Level]>,
}

impl<'a> Levels<'a> {
    fn new(config: &'a Config, environments: &'a [Environment]) -> Self {
        let of = |it: &'a Environment| Some((&*it.name, &*it.settings.as_ref()?.rules));
        Self { config, environments: environments.iter().filter_map(of).collect() }
    }

    /// The finding at `path` with the severity that it is given; `None` when that is off.
    ///
    /// What is said of files counts more than what is said of the finding's environment, and that
    /// more than what is said of all. A person who writes a severity gets it, whatever is assumed;
    /// but what is expected in a local cluster is only raised for that one.
    fn apply(&self, mut finding: Finding, path: &str) -> Option<Finding> {
        let of = |levels: &'a [Level]| levels.iter().rev().find(|it| it.rule == finding.rule);
        let mut overrides = self.config.overrides.iter().rev().filter(|it| it.files.is_match(path));
        let here = overrides.find_map(|it| of(&it.rules));
        let in_environment = || {
            let mut named = finding.environments.iter();
            named.find_map(|it| of(self.environments.get(&**it)?))
        };
        let specific = here.or_else(in_environment);
        let Some(level) = specific.or_else(|| of(&self.config.rules)) else { return Some(finding) };
        let is_lowered = finding.local && specific.is_none();
        finding.severity =
            level.severity?.min(if is_lowered { finding.severity } else { Severity::Error });
        // How bad a refusal is does not say that it is one of ours; what a rule leaves to those who
        // ask for it, a person asks for who gives it a severity.
        let is_expected =
            finding.local || rules::find(finding.rule).is_some_and(rules::Rule::judges);
        finding.pedantic &= is_lowered || !is_expected;
        Some(finding)
    }
}

/// What findings have in common that are the same: rule, subject, variant and place, never words.
type Key = (&'static str, String, &'static str, Option<Span>);

/// The findings that are the same in several environments, together.
fn groups(findings: impl Iterator<Item = Finding>) -> impl Iterator<Item = Vec<Finding>> {
    grouped(findings, |finding| -> Key {
        // One cause is one finding, wherever it is met.
        let cause = finding.rule == ProblemKind::Unresolved.rule() && !finding.subject.is_empty();
        let place = finding.primary().filter(|_| !cause).map(|it| it.span);
        (finding.rule, finding.subject.clone(), finding.variant, place)
    })
}

/// Findings that say the same at one place, together: a template that makes a release for each cluster
/// is mended once, whatever the releases are called.
fn alike(findings: impl Iterator<Item = Finding>) -> impl Iterator<Item = Vec<Finding>> {
    grouped(findings, |it| {
        let place = it.primary().map(|it| it.span);
        // Problems of the same words are of several things.
        let judges = rules::find(it.rule).is_some_and(rules::Rule::judges);
        let subject = (!judges).then(|| it.subject.clone());
        (it.rule, subject, it.variant, place, it.message.clone(), it.pedantic, it.severity)
    })
}

/// Findings that say the same of versions of one thing, together: who keeps them in directories that
/// are called by their versions looks at the newest one.
fn of_versions(
    sources: &Sources,
    findings: impl Iterator<Item = Finding>,
) -> impl Iterator<Item = Vec<Finding>> {
    grouped(findings, |it| {
        let span = it.primary().map(|it| it.span);
        let path = span.map_or("", |it| &*sources[it.file].path);
        let names = source::parent(path).split('/');
        let family = names.map(|it| if as_version(it).is_some() { "*" } else { it });
        let family = family.collect::<Vec<_>>().join("/") + "/" + source::file_name(path);
        let place = span.filter(|_| !family.contains('*'));
        let subject = place.map(|_| it.subject.clone());
        let message = it.message.clone();
        (it.rule, it.variant, family, place, subject, message, it.pedantic, it.severity)
    })
}

/// The version that the directory of a finding is called by.
fn version(sources: &Sources, finding: &Finding) -> Vec<Vec<u64>> {
    let path = finding.primary().map_or("", |it| &*sources[it.span.file].path);
    source::parent(path).split('/').filter_map(as_version).collect()
}

/// The numbers of a directory's name that is a version, `v1.2.x`; four numbers are an address.
fn as_version(name: &str) -> Option<Vec<u64>> {
    let numbers = name.strip_prefix('v').unwrap_or(name).split(['-', '+']).next()?;
    let parts: Vec<&str> = numbers.split('.').collect();
    let of_part = |it: &&str| if *it == "x" { Some(u64::MAX) } else { it.parse().ok() };
    let version: Option<Vec<u64>> = parts.iter().map(of_part).collect();
    version.filter(|it| matches!(it.len(), 2 | 3))
}

fn grouped<K: Eq + Hash>(
    findings: impl Iterator<Item = Finding>,
    key: impl Fn(&Finding) -> K,
) -> impl Iterator<Item = Vec<Finding>> {
    let mut groups: IndexMap<K, Vec<Finding>> = IndexMap::new();
    for finding in findings {
        groups.entry(key(&finding)).or_default().push(finding);
    }
    groups.into_values()
}

/// One finding for all: the worst that is shown, with the greatest numbers, and all environments. Where
/// others say something else, it is told whose numbers these are.
fn merge(mut same: Vec<Finding>, is_shown: impl Fn(&Finding) -> bool) -> Option<Finding> {
    let environments = same.iter().flat_map(|it| it.environments.clone()).collect();
    let key = |at: &usize| {
        let it = &same[*at];
        (is_shown(it), it.severity, !it.pedantic, it.weight.clone())
    };
    // Of equals, `max_by` takes the last one; the first environment is more natural.
    let at = (0..same.len()).rev().max_by(|a, b| key(a).cmp(&key(b)))?;
    // Problems of one cause are worded as they were met.
    let judges = rules::find(same[at].rule).is_some_and(rules::Rule::judges);
    let is_other = |it: &&Finding| judges && is_shown(it) == is_shown(&same[at]);
    let differ = same.iter().filter(is_other).any(|it| it.message != same[at].message);
    let mut worst = same.swap_remove(at);
    if let Some(environment) = worst.environments.first().filter(|_| differ)
        && worst.environments.len() == 1
    {
        let note = format!("these are the numbers of {environment}");
        worst.note(note);
    }
    worst.environments = environments;
    Some(worst)
}

/// The one order of findings.
fn order(sources: &Sources, finding: &Finding) -> impl Ord + use<> {
    let place = finding.primary().map(|it| it.span);
    (
        Reverse(finding.severity),
        place.map(|it| sources[it.file].path.clone()),
        place.map(|it| (it.start, it.end)),
        finding.rule,
        finding.message.clone(),
        finding.subject.clone(),
    )
}

/// What a refusal is about: its file, where in that it is, and what it is about there.
fn place(sources: &Sources, finding: &Finding) -> String {
    let Some(span) = finding.primary().map(|it| it.span) else { return finding.subject.clone() };
    let path = &sources[span.file].path;
    let inside = source::is_yaml(path).then(|| {
        let mut roots = sources.documents(span.file, Dialect::Sigs).roots();
        roots.find(|it| it.covers(span)).map(|it| path_to(it, span))
    });
    let inside = inside.flatten().unwrap_or_default();
    let parts = [path, &inside, &finding.subject].into_iter().filter(|it| !it.is_empty());
    parts.map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// The dotted path from `node` to what is written at `span` below it.
fn path_to(mut node: &Node, span: Span) -> String {
    let mut path: Vec<String> = Vec::new();
    loop {
        let mut entries = node.entries();
        let entry = entries.find(|(_, it)| it.key == Some(span) || it.value.covers(span));
        let mut items = node.items().iter().enumerate();
        let (part, child) = match (entry, items.find(|(_, it)| it.covers(span))) {
            (Some((key, entry)), _) => (key.to_owned(), &entry.value),
            (None, Some((index, item))) => (index.to_string(), item),
            (None, None) => return path.join("."),
        };
        path.push(part);
        node = child;
    }
}

/// What the configuration says of what is not there: environments, files.
pub(crate) fn unmatched(
    sources: &Sources,
    config: &Config,
    environments: &[Environment],
) -> Vec<Finding> {
    let mut found = unmatched_patterns(sources, config);
    found.append(&mut unmatched_environments(config, environments));
    found
}

/// The patterns over files that match none.
fn unmatched_patterns(sources: &Sources, config: &Config) -> Vec<Finding> {
    let mut found = Findings::of("unmatched-pattern", |_| Severity::Note, None);
    let files = config.overrides.iter().map(|it| &it.files);
    let kubelets = config.environments.iter().map(|it| &it.kubelets);
    for globs in files.chain(kubelets).chain([&config.exclude]) {
        for (pattern, origin) in globs.unmatched(sources.iter().map(|(_, it)| &*it.path)) {
            let message = format!("`{pattern}` matches no file of the repository");
            let finding = found.at(origin, pattern, message);
            let absolute = pattern.trim_start_matches("./").trim_start_matches('/');
            let inside = format!("/{pattern}/");
            if absolute != pattern {
                finding.help(format!("write `{absolute}`: paths start at the root"));
            } else if sources.iter().any(|(_, it)| it.path.contains(&inside)) {
                finding.help(format!("write `**/{pattern}`: patterns start at the root"));
            }
        }
    }
    found.into_vec()
}

/// So many names of environments that there are not are compared with those that there are; of others it
/// is not said which one may be meant.
const MOST_COMPARED: usize = 50;

/// The entries of `environments` that are none of the environments that were found.
fn unmatched_environments(config: &Config, environments: &[Environment]) -> Vec<Finding> {
    let mut found = Findings::of("unmatched-environment", |_| Severity::Note, None);
    let matched = environments.iter().filter_map(|it| it.settings.as_ref());
    let matched: BTreeSet<&str> = matched.map(|it| &*it.name).collect();
    let mut compared = 0;
    for EnvironmentConfig { name, globs, origin, .. } in &config.environments {
        if matched.contains(&**name) {
            continue;
        }
        compared += 1;
        let how = if globs.is_empty() { "called" } else { "matched by" };
        let message = format!("no environment is {how} `{name}`, so this counts nowhere");
        let finding = found.at(origin, name, message);
        let names = || environments.iter().map(|it| it.name.as_str());
        if !globs.is_empty() && names().chain(names().map(source::file_name)).any(|it| it == name) {
            finding
                .help("leave `match` out: it takes the place of the name, which is one of these");
        } else if compared <= MOST_COMPARED
            && let Some(near) = nearest(name, names().chain(names().map(source::file_name)))
        {
            finding.help(format!("write `{near}`"));
        } else if environments.len() <= 10 && !environments.is_empty() {
            finding.help(format!("use the names: {}", names().collect::<Vec<_>>().join(", ")));
        }
    }
    found.into_vec()
}

/// How many findings of each severity there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    /// Of [`Severity::Error`].
    pub errors: usize,
    /// Of [`Severity::Warning`].
    pub warnings: usize,
    /// Of [`Severity::Note`].
    pub notes: usize,
}

impl Counts {
    /// Whether there is one that is at least so bad.
    pub(crate) fn has(self, least: Severity) -> bool {
        let Self { errors, warnings, notes } = self;
        let all =
            [(errors, Severity::Error), (warnings, Severity::Warning), (notes, Severity::Note)];
        all.iter().any(|(count, severity)| *count > 0 && *severity >= least)
    }

    /// How many there are.
    pub(crate) fn sum(self) -> usize {
        self.errors + self.warnings + self.notes
    }

    /// The counts of `findings`.
    pub(crate) fn of(findings: &[Finding]) -> Self {
        let mut counts = Self::default();
        for finding in findings {
            match finding.severity {
                Severity::Error => counts.errors += 1,
                Severity::Warning => counts.warnings += 1,
                Severity::Note => counts.notes += 1,
            }
        }
        counts
    }
}
