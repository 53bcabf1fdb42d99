//! What becomes of findings before they are reported.

use super::{fixture, place};
use crate::{
    config::Config,
    finding::{Finding, Findings, Severity},
    problem::{Problem, ProblemKind},
    rules,
    settle::{Scope, Settled, settle},
    source::Sources,
    tree::Origin,
};

const RULE: &str = "memory-limit-too-low";

fn repository() -> Sources {
    fixture(
        "
        //- a.yaml
        a: 1
        b: 2
        //- dir/b.yaml
        c: 3
        //- dirt
        ",
    )
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
        let config = Config { rules: vec![(RULE.into(), level, at.clone())], ..Config::default() };
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
