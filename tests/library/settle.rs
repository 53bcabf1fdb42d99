//! What becomes of findings before they are reported.

use insta::assert_snapshot;

use super::{config_in, fixture, nowhere, place, unindented};
use crate::{
    config::{self, Config, Globs, Level},
    finding::{Finding, Findings, Severity},
    problem::{Problem, ProblemKind},
    resolve::environment::{EntryKind, Environment},
    rules,
    selection::{RuleSelector, Selection},
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
    let mut findings = Findings::of(RULE, |_| Severity::Error, Some(environment));
    findings.at(at, "kube-system/metrics-server", message);
    Finding { severity, ..findings.into_vec().remove(0) }
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
    let settled = |findings| settle(&sources, &Config::default(), &[], findings, &Scope::all());
    let notes =
        |it: &Settled| it.findings.iter().flat_map(|it| it.notes.clone()).collect::<Vec<_>>();
    assert_eq!(notes(&settled(findings.clone())), ["these are the numbers of eu"]);
    assert!(notes(&settled(vec![findings[1].clone(), findings[3].clone()])).is_empty());
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
        settle(&sources, &Config::default(), &[], in_two.concat(), &Scope::all()).findings.len()
    };
    assert_eq!(count(ProblemKind::EnvVarUndefined, ["A", "B"]), 2);
    assert_eq!(count(ProblemKind::EnvVarUndefined, ["A", "A"]), 1);
}

#[test]
fn one_cause_is_said_once() {
    let sources = repository();
    let count = |cause: &str| {
        let places = ["1", "2"].map(|text| place(&sources, "a.yaml", text));
        let problems = places.map(|at| Problem::unresolved(&at, "of any words").about(cause));
        let found = rules::problems(&problems, Some("dev"));
        settle(&sources, &Config::default(), &[], found, &Scope::all()).findings.len()
    };
    assert_eq!(count("OCIRepository flux-system/charts"), 1);
    assert_eq!(count(""), 2);
}

/// What [`settle`] makes of findings of [`RULE`] in `a.yaml` and `dir/b.yaml`, in each of the
/// environments `prod`, `local` and none, when `text` is the configuration.
fn configured(text: &str) -> Vec<String> {
    let sources = Sources::in_memory([
        ("a.yaml", "1"),
        ("dir/b.yaml", "3"),
        (config::FILE, &*unindented(text)),
    ]);
    let config = config_in(&sources);
    let environments = ["prod", "local"].map(|name| {
        let mut it = Environment::new(name, EntryKind::Manifests, nowhere());
        it.settings = config.environments.iter().find(|it| it.name == name).cloned();
        it
    });
    let mut findings = Vec::new();
    for (path, text) in [("a.yaml", "1"), ("dir/b.yaml", "3")] {
        let at = place(&sources, path, text);
        findings.push(found(&at, "prod", path, Severity::Warning));
        let mut local = found(&at, "local", &format!("{path} here"), Severity::Error);
        local.variant("local").expected_locally();
        findings.push(local);
    }
    lines(&settle(&sources, &config, &environments, findings, &Scope::all()))
}

#[test]
fn the_configuration_sets_severities() {
    assert_snapshot!(configured("rules: {memory-limit-too-low: off}").join("\n"), @"");
    // What is expected in a local cluster is not raised with the rest.
    assert_snapshot!(configured("rules: {memory-limit-too-low: error}").join("\n"), @"
    error a.yaml in prod
    error dir/b.yaml in prod
    ");
    assert_snapshot!(configured("rules: {memory-limit-too-low: note}").join("\n"), @"
    note a.yaml in prod
    note dir/b.yaml in prod
    ");
}

#[test]
fn what_is_said_of_less_counts_more() {
    // Off in one environment is still found in another, and only what is said of the local one
    // raises what is found there.
    assert_snapshot!(configured("
        rules: {memory-limit-too-low: note}
        environments:
          prod: {rules: {memory-limit-too-low: off}}
          local: {rules: {memory-limit-too-low: error}}
    ").join("\n"), @"
    error a.yaml here in local
    error dir/b.yaml here in local
    ");
    // The last that matches counts.
    assert_snapshot!(configured("
        rules: {memory-limit-too-low: off}
        environments:
          prod: {rules: {memory-limit-too-low: note}}
        overrides:
        - {files: dir, rules: {memory-limit-too-low: warning}}
        - {files: dir/*.yaml, rules: {memory-limit-too-low: error}}
        - {files: dir, rules: {unknown-flag: off}}
    ").join("\n"), @"
    error dir/b.yaml in prod
    error dir/b.yaml here in local
    note a.yaml in prod
    ");
}

#[test]
fn a_severity_shows_nothing_that_nobody_has_to_mend() {
    let text = "rules: {build-fails: error}";
    let sources = Sources::in_memory([("a.yaml", "1 2"), (config::FILE, text)]);
    let [elsewhere, here] = ["1", "2"].map(|it| place(&sources, "a.yaml", it));
    let problem = |at, concerns| Problem { concerns, ..Problem::refused(at, "it is refused") };
    let mut findings = rules::problems(&[problem(&elsewhere, false)], Some("dev"));
    findings.extend(rules::problems(&[problem(&here, false)], Some("dev")));
    findings.extend(rules::problems(&[problem(&here, true)], Some("prod")));
    let mut config = config_in(&sources);
    let settled = settle(&sources, &config, &[], findings.clone(), &Scope::all());
    assert_eq!(lines(&settled), ["error it is refused in dev, prod"]);
    assert_eq!(settled.pedantic, 1);
    config.pedantic = true;
    let all = settle(&sources, &config, &[], findings, &Scope::all());
    assert_eq!(lines(&all)[0], "error it is refused in dev");
}

#[test]
fn a_scope_is_any_of_the_places() {
    let sources = repository();
    let mut finding = found(&place(&sources, "a.yaml", "1"), "prod", "x", Severity::Error);
    finding.also(&place(&sources, "dir/b.yaml", "3"), "there");
    let count = |scope: &[&str]| {
        let scope = Scope::of(scope.iter().map(|it| (*it).to_owned()).collect());
        settle(&sources, &Config::default(), &[], vec![finding.clone()], &scope).findings.len()
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
    let globs = vec![("dir/".to_owned(), nowhere())];
    let config = Config { exclude: Globs::new(globs), ..Config::default() };
    let findings = vec![
        found(&place(&sources, "a.yaml", "1"), "prod", "x", Severity::Error),
        found(&place(&sources, "dir/b.yaml", "3"), "prod", "x", Severity::Error),
    ];
    let count = |config: &Config| {
        settle(&sources, config, &[], findings.clone(), &Scope::all()).findings.len()
    };
    assert_eq!(count(&config), 1);
    let named = Config { included: vec!["dir/b.yaml".into()], ..config };
    assert_eq!(count(&named), 2);
}

#[test]
fn a_selection_is_of_rules_categories_and_pedantic() {
    let sources = fixture(
        "
        //- a.yaml
        [1, 2, 3, 4]
    ",
    );
    let of = |rule: &'static str, line: &str| {
        let finding = found(&place(&sources, "a.yaml", line), "prod", "x", Severity::Error);
        Finding { rule, ..finding }
    };
    let mut findings =
        vec![of("kubelet-insecure-tls", "1"), of("unknown-flag", "2"), of("syntax", "3")];
    findings.push(of("apiservice-insecure-skip-tls-verify", "4"));
    for finding in findings.iter_mut().skip(3) {
        finding.pedantic();
    }
    let rules = |select: &str, ignore: &str| {
        let list = |text: &str| -> Vec<RuleSelector> {
            let names = text.split(',').filter(|it| !it.is_empty());
            names.map(|it| RuleSelector::parse(it).unwrap()).collect()
        };
        let rules = Selection { select: list(select), ignore: list(ignore) };
        let scope = Scope { rules, ..Scope::all() };
        let settled = settle(&sources, &Config::default(), &[], findings.clone(), &scope);
        let mut rules: Vec<_> = settled.findings.iter().map(|it| it.rule).collect();
        rules.sort_unstable();
        rules.join(" ")
    };
    assert_eq!(rules("", ""), "kubelet-insecure-tls syntax unknown-flag");
    // What cannot be read is said unless somebody does not want to know.
    assert_eq!(rules("unknown-flag", ""), "syntax unknown-flag");
    assert_eq!(rules("unknown-flag", "input"), "unknown-flag");
    assert_eq!(rules("security", ""), "kubelet-insecure-tls syntax");
    assert_eq!(rules("pedantic", "input"), "apiservice-insecure-skip-tls-verify");
    assert_eq!(rules("security,availability", "syntax"), "kubelet-insecure-tls unknown-flag");
    assert_eq!(rules("", "security,input"), "unknown-flag");
}

#[test]
fn the_most_specific_rule_speaks_of_one_mistake() {
    let sources = fixture(
        "
        //- a.yaml
        [1, 2]
        # metrics-server-lint: ignore[invalid-quantity]
        x: 3
    ",
    );
    let of = |rule: &'static str, text: &str, environment: &str| {
        let finding = found(&place(&sources, "a.yaml", text), environment, "x", Severity::Error);
        Finding { rule, ..finding }
    };
    let said = |findings: &[Finding], config: &Config| {
        let settled = settle(&sources, config, &[], findings.to_vec(), &Scope::all());
        let rules =
            settled.findings.iter().map(|it| it.rule).filter(|it| *it != "unused-suppression");
        rules.collect::<Vec<_>>().join(" ")
    };
    let (specific, general) = ("invalid-quantity", "memory-limit-too-low");
    let both = [of(specific, "1", "prod"), of(general, "1", "prod")];
    let default = Config::default();
    assert_eq!(said(&both, &default), specific);
    // At another place, and in another environment, the other is another mistake.
    assert_eq!(
        said(&[of(specific, "1", "a"), of(general, "2", "a")], &default),
        format!("{specific} {general}")
    );
    assert_eq!(
        said(&[of(specific, "1", "a"), of(general, "1", "b")], &default),
        format!("{specific} {general}")
    );
    // What is meant to be there does not come back under another name; what is off may.
    assert_eq!(said(&[of(specific, "3", "a"), of(general, "3", "a")], &default), "");
    let off = Level { rule: specific.into(), severity: None };
    assert_eq!(said(&both, &Config { rules: vec![off], ..Config::default() }), general);
}

#[test]
fn versions_of_one_thing_are_one_finding_at_the_newest() {
    let said = |dirs: &[&str]| {
        let files = dirs.iter().map(|it| format!("\n//- {it}/a.yaml\n[1]"));
        let sources = fixture(&files.collect::<String>());
        let of = |dir: &&str| {
            let path = format!("{dir}/a.yaml");
            found(&place(&sources, &path, "1"), dir, "the same", Severity::Warning)
        };
        let findings = dirs.iter().map(of).collect();
        let settled = settle(&sources, &Config::default(), &[], findings, &Scope::all());
        let line = |it: &Finding| {
            let at = it.primary().map(|it| sources[it.span.file].path.clone()).unwrap_or_default();
            format!("{at} {}", it.environments.len())
        };
        settled.findings.iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(said(&["ms/0.9.1", "ms/0.10.0", "ms/0.6.x"]), ["ms/0.10.0/a.yaml 3"]);
    assert_eq!(said(&["ms/v1.2.3-r1/base", "ms/v1.3/base"]), ["ms/v1.3/base/a.yaml 2"]);
    // Other things, addresses and clusters.
    for dirs in [["ms/0.9.1", "cni/0.9.1"], ["n/10.0.0.1", "n/10.0.0.2"], ["c/prod", "c/dev"]] {
        assert_eq!(said(&dirs).len(), 2, "{dirs:?}");
    }
    assert_eq!(said(&["ms/0.9.1", "ms/template"]).len(), 2);
}

#[test]
fn one_line_that_is_wrong_for_many_is_one_finding() {
    let sources = fixture(
        "
        //- a.yaml
        [1]
    ",
    );
    let of = |subject: &str, environment: &str| {
        found(&place(&sources, "a.yaml", "1"), environment, subject, Severity::Error)
    };
    let findings = vec![of("a/ms-dev", "dev"), of("a/ms-prod", "prod")];
    let settled = settle(&sources, &Config::default(), &[], findings, &Scope::all());
    let environments: Vec<_> = settled.findings.iter().map(|it| it.environments.len()).collect();
    assert_eq!(environments, [2]);
}
