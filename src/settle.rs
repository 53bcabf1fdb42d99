//! From what the rules say of each environment to what a person should read: each thing once.

use std::cmp::Reverse;

use indexmap::IndexMap;

use crate::{
    config::{self, Config, EnvironmentConfig},
    finding::{Finding, Findings, Severity},
    nearest::nearest,
    resolve::environment::Environment,
    rules,
    source::{self, Sources, Span},
    suppress,
};

/// The findings of a run as they are reported.
#[derive(Debug, Default)]
pub struct Settled {
    /// In order: the worst first, then by place.
    pub findings: Vec<Finding>,
    /// How many comments say are meant to be there.
    pub suppressed: usize,
}

/// Which findings the user wants to see: those that touch one of these paths; `""` is all.
#[derive(Debug, Clone)]
pub struct Scope(pub Vec<String>);

impl Scope {
    /// Everything.
    pub fn all() -> Self {
        Self(vec![String::new()])
    }

    /// Whether `path` is one of these files or lies in one of these directories.
    pub fn covers(&self, path: &str) -> bool {
        self.0.iter().any(|it| {
            it.is_empty()
                || path
                    .strip_prefix(it.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

/// Suppresses, sets severities, leaves out, merges over environments, and sorts.
pub fn settle(
    sources: &Sources,
    config: &Config,
    findings: Vec<Finding>,
    scope: &Scope,
) -> Settled {
    let applied = suppress::apply(sources, findings);
    let excludes = config::globs(&config.exclude);
    let is_left_out = |finding: &Finding| {
        finding.primary().is_none_or(|label| excludes.is_match(&sources[label.span.file].path))
    };
    let in_scope = |group: &Group| {
        let labels = group.findings.iter().flat_map(|it| &it.labels);
        labels.into_iter().any(|it| scope.covers(&sources[it.span.file].path))
    };
    let kept = applied.kept.into_iter();
    let kept = kept.filter(|it| !is_left_out(it)).filter_map(|it| configured(it, config));
    let groups = groups(kept).into_iter().filter(in_scope);
    let mut findings: Vec<_> = groups.filter_map(Group::merge).collect();
    findings.sort_by_cached_key(|it| order(sources, it));
    let suppressed = groups_of(applied.suppressed, in_scope);
    Settled { findings, suppressed }
}

fn groups_of(findings: Vec<Finding>, in_scope: impl Fn(&Group) -> bool) -> usize {
    groups(findings.into_iter()).iter().filter(|it| in_scope(it)).count()
}

/// The finding with the severity that the configuration gives its rule; `None` when that is off.
fn configured(mut finding: Finding, config: &Config) -> Option<Finding> {
    let setting = config.rules.iter().rev().find(|(id, ..)| id == finding.rule);
    let Some((_, level, _)) = setting else { return Some(finding) };
    let level = (*level)?;
    // What a rule itself says less loudly than usual stays less loud: a local cluster, say.
    let usual = rules::find(finding.rule).map_or(finding.severity, |it| it.severity);
    let lowered = finding.severity < usual;
    finding.severity = if lowered { finding.severity.min(level) } else { level };
    Some(finding)
}

/// The same finding in several environments.
struct Group {
    findings: Vec<Finding>,
}

/// What findings have in common that are the same: rule, subject, variant and place, never words.
type Key = (&'static str, String, &'static str, Option<Span>);

fn groups(findings: impl Iterator<Item = Finding>) -> Vec<Group> {
    let mut groups: IndexMap<Key, Group> = IndexMap::new();
    for finding in findings {
        let place = finding.primary().map(|it| it.span);
        let key = (finding.rule, finding.subject.clone(), finding.variant, place);
        let group = groups.entry(key).or_insert_with(|| Group { findings: Vec::new() });
        group.findings.push(finding);
    }
    groups.into_values().collect()
}

impl Group {
    /// One finding for all: the worst, with the greatest numbers, and all environments.
    fn merge(self) -> Option<Finding> {
        let environments = self.findings.iter().flat_map(|it| it.environments.clone()).collect();
        // Of equals, `max_by` takes the last one; the first environment is more natural.
        let worst = self.findings.into_iter().rev();
        let mut worst =
            worst.max_by(|a, b| (a.severity, &a.weight).cmp(&(b.severity, &b.weight)))?;
        worst.environments = environments;
        Some(worst)
    }
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

/// The entries of `environments` that are none of the environments that were found.
pub fn unmatched(config: &Config, environments: &[Environment]) -> Vec<Finding> {
    let mut found = Findings::of("unmatched-environment", Severity::Note, None);
    let is_matched = |name: &str| {
        let mut settings = environments.iter().filter_map(|it| it.settings.as_ref());
        settings.any(|it| it.name == name)
    };
    for EnvironmentConfig { name, globs, origin, .. } in &config.environments {
        if is_matched(name) {
            continue;
        }
        let how = if globs.is_empty() { "called" } else { "matched by" };
        let message = format!("no environment is {how} `{name}`, so this counts nowhere");
        let finding = found.at(origin, name, message);
        let names = || environments.iter().map(|it| it.name.as_str());
        if let Some(near) = nearest(name, names().chain(names().map(source::file_name))) {
            finding.help(format!("write `{near}`"));
        } else if environments.len() <= 10 && !environments.is_empty() {
            finding.help(format!("use the names: {}", names().collect::<Vec<_>>().join(", ")));
        }
    }
    found.into_vec()
}

/// How many findings of each severity there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Of [`Severity::Error`].
    pub errors: usize,
    /// Of [`Severity::Warning`].
    pub warnings: usize,
    /// Of [`Severity::Note`].
    pub notes: usize,
}

impl Counts {
    /// The counts of `findings`.
    pub fn of(findings: &[Finding]) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        finding::Findings,
        problem::{Problem, ProblemKind},
        tree::Origin,
    };

    const RULE: &str = "memory-limit-too-low";

    fn repository() -> Sources {
        Sources::in_memory([("a.yaml", "a: 1\nb: 2\n"), ("dir/b.yaml", "c: 3\n"), ("dirt", "")])
    }

    fn place(sources: &Sources, path: &str, text: &str) -> Origin {
        let file = sources.find(path).expect(path);
        let start = u32::try_from(sources.text(file).find(text).expect(text)).expect("short");
        Origin::written(Span {
            file,
            start,
            end: start + u32::try_from(text.len()).expect("short"),
        })
    }

    fn found(at: &Origin, environment: &str, message: &str, severity: Severity) -> Finding {
        let mut findings = Findings::of(RULE, severity, Some(environment));
        findings.at(at, "kube-system/metrics-server", message);
        findings.into_vec().remove(0)
    }

    fn lines(settled: &Settled) -> Vec<String> {
        let lines = settled.findings.iter().map(|it| {
            let environments: Vec<_> = it.environments.iter().cloned().collect();
            format!("{} {} in {}", it.severity.id(), it.message, environments.join(", "))
        });
        lines.collect()
    }

    #[test]
    fn the_same_in_several_environments_is_one() {
        let sources = repository();
        let at = place(&sources, "a.yaml", "1");
        let other = place(&sources, "a.yaml", "2");
        let of = |at, environment, needed: u64, severity| {
            let message = format!("{environment} needs {needed}Mi");
            let mut finding = found(at, environment, &message, severity);
            finding.weigh([needed]);
            finding
        };
        let mut another = of(&at, "eu", 1, Severity::Error);
        another.variant("another");
        let findings = vec![
            of(&at, "us", 200, Severity::Error),
            of(&at, "eu", 1000, Severity::Error),
            of(&at, "dev", 9000, Severity::Note),
            of(&other, "eu", 600, Severity::Error),
            another,
        ];
        let settled = |findings| settle(&sources, &Config::default(), findings, &Scope::all());
        assert_eq!(
            lines(&settled(findings.clone())),
            [
                "error eu needs 1000Mi in dev, eu, us",
                "error eu needs 1Mi in eu",
                "error eu needs 600Mi in eu",
            ]
        );
        // However it is worded: all alike, or each in its own way.
        for reword in [|_| "bad".to_owned(), |it: usize| "bad ".repeat(it)] {
            let mut findings = findings.clone();
            for (index, finding) in findings.iter_mut().enumerate() {
                finding.message = reword(index);
            }
            let environments = settled(findings).findings.into_iter().map(|it| it.environments);
            let counts: Vec<_> = environments.map(|it| it.len()).collect();
            assert_eq!(counts.iter().sum::<usize>(), 5);
            assert_eq!(counts.len(), 3);
        }
    }

    #[test]
    fn problems_are_told_apart_by_what_they_are_about() {
        let sources = repository();
        let at = place(&sources, "a.yaml", "1");
        let count = |kind, subjects: [&str; 2]| {
            let problems = subjects.map(|it| Problem::new(kind, &at, "of any words").about(it));
            let in_two = ["dev", "prod"].map(|it| rules::problems(&problems, Some(it)));
            settle(&sources, &Config::default(), in_two.concat(), &Scope::all()).findings.len()
        };
        assert_eq!(count(ProblemKind::EnvVarUndefined, ["A", "B"]), 2);
        assert_eq!(count(ProblemKind::EnvVarUndefined, ["A", "A"]), 1);
        assert_eq!(count(ProblemKind::Unresolved, ["a/b", "a/c"]), 1);
    }

    #[test]
    fn the_configuration_sets_severities() {
        let sources = repository();
        let at = place(&sources, "a.yaml", "1");
        let level = |level| {
            let config =
                Config { rules: vec![(RULE.into(), level, at.clone())], ..Config::default() };
            let mut local = found(&at, "local", "y", Severity::Note);
            local.variant("local");
            let all = vec![found(&at, "prod", "x", Severity::Error), local];
            lines(&settle(&sources, &config, all, &Scope::all()))
        };
        assert_eq!(level(None), [""; 0]);
        assert_eq!(level(Some(Severity::Warning)), ["warning x in prod", "note y in local"]);
    }

    #[test]
    fn a_scope_is_any_of_the_places() {
        let sources = repository();
        let mut finding = found(&place(&sources, "a.yaml", "1"), "prod", "x", Severity::Error);
        finding.also(&place(&sources, "dir/b.yaml", "3"), "there");
        let count = |scope: &[&str]| {
            let scope = Scope(scope.iter().map(|it| (*it).to_owned()).collect());
            settle(&sources, &Config::default(), vec![finding.clone()], &scope).findings.len()
        };
        assert_eq!(count(&[""]), 1);
        assert_eq!(count(&["dir"]), 1);
        assert_eq!(count(&["a.yaml"]), 1);
        assert_eq!(count(&["dir/b.yaml", "c"]), 1);
        assert_eq!(count(&["di"]), 0);
        assert_eq!(count(&[]), 0);
    }

    #[test]
    fn nothing_is_reported_in_what_is_excluded() {
        let sources = repository();
        let config = Config { exclude: vec!["dir/".into()], ..Config::default() };
        let findings = vec![
            found(&place(&sources, "a.yaml", "1"), "prod", "x", Severity::Error),
            found(&place(&sources, "dir/b.yaml", "3"), "prod", "x", Severity::Error),
        ];
        assert_eq!(settle(&sources, &config, findings, &Scope::all()).findings.len(), 1);
    }
}
