//! Every page in `rules/` is a rule, and its examples find what their comments say, and no more.

mod example;
mod mended;

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
};

use self::example::{Example, Mark, Outcome, differences, examples, renewed};
use super::{common::repository, config_in, fixture};
use crate::{
    config::Config,
    finding::{Applicability, Finding, Label},
    fix::{self, Prover},
    model::{self, Cluster},
    pipeline::{analyze, check},
    resolve::environment::Environment,
    rules::{self, RULES, Rule},
    settle::{Scope, settle, unmatched},
    source::Sources,
};

#[test]
fn pages_are_well_formed() {
    assert_eq!(rules::broken(), Vec::<String>::new());
}

#[test]
fn every_page_is_a_rule_and_in_order() {
    let pages: BTreeSet<String> = fs::read_dir("rules")
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|name| name != "README")
        .collect();
    let rules: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(pages.iter().map(String::as_str).collect::<Vec<_>>(), rules);
}

#[test]
fn examples_find_what_they_say() {
    let mut wrong = String::new();
    for rule in &RULES {
        let path = format!("rules/{}.md", rule.id);
        let page = fs::read_to_string(repository().join(&path)).unwrap();
        let examples = examples(&page);
        let found: BTreeMap<String, Outcome> =
            examples.iter().map(|it| (it.title.clone(), outcome(rule, it))).collect();
        assert_eq!(found.len(), examples.len(), "{}: a title twice", rule.id);
        let is_clean = |it: &Outcome| it.marks.is_empty();
        assert!(found.values().any(is_clean), "{}: no clean example", rule.id);
        assert!(!found.values().all(is_clean), "{}: nothing fails", rule.id);
        let renewed = renewed(&page, found);
        if env::var_os("UPDATE").is_none() {
            wrong += &differences(&path, &page, &renewed);
        } else if renewed != page {
            fs::write(repository().join(&path), renewed).unwrap();
        }
    }
    assert!(
        wrong.is_empty(),
        "{wrong}\n- is in the page and is not so, + is so and not in the page; \
         `UPDATE=1 cargo test rules` writes what is found and fixed"
    );
}

#[test]
fn findings_that_say_different_things_are_told_apart() {
    let words = |it: &Finding| it.message.replace(|it: char| it.is_ascii_digit(), "");
    let identity = |it: &Finding| {
        let place = it.primary().map(|it| it.span);
        (it.rule, it.subject.clone(), it.variant, place)
    };
    for Rule { id, source, .. } in &RULES {
        for example in examples(source) {
            let (.., found) = checked(&example);
            // One cause may hide several things.
            let found: Vec<_> = found.iter().filter(|it| it.rule != "unresolved").collect();
            for (index, one) in found.iter().enumerate() {
                for other in &found[index + 1..] {
                    let same = identity(one) == identity(other);
                    assert!(
                        !same || words(one) == words(other),
                        "{}: {}: give one of these a variant:\n{}\n{}",
                        id,
                        example.title,
                        one.message,
                        other.message
                    );
                }
            }
        }
    }
}

#[test]
fn findings_quote_files_without_their_control_characters() {
    let sources = fixture(
        r#"
        //- values.yaml
        image: {repository: registry.k8s.io/metrics-server/metrics-server}
        priorityClassName: "a\e[31m\nb\u202e"
        "#,
    );
    let config = Config::default();
    let (_, clusters) = analyze(&sources, &config);
    let found = check(&clusters);
    let finding = found.iter().find(|it| it.rule == "priority-class-not-critical");
    let message = &finding.expect("it is not critical").message;
    assert!(message.contains(r"class a\u{1b}[31m\nb\u{202e} is not"), "{message}");
}

/// What `rule` finds in `example`, and what its fixes make of the files.
fn outcome(rule: &Rule, example: &Example) -> Outcome {
    let (sources, config, environments, clusters, found) = checked(example);
    let mut findings = settle(&sources, &config, &environments, found, &Scope::all()).findings;
    findings.retain(|finding| finding.rule == rule.id);
    let marks = findings.iter().flat_map(|finding| labels(&sources, finding)).collect();
    if findings.iter().all(|it| it.proposal.is_none()) {
        return Outcome { marks, ..Outcome::default() };
    }
    let prover = Prover::new(&sources, &config, &environments, &clusters);
    let (all, _) = prover.edits(&findings, |_, _| true);
    let (safe, _) = prover.edits(&findings, |_, it| it.applicability == Applicability::Safe);
    let path = |(file, text)| (sources[file].path.clone(), text);
    let fixed = fix::texts(&sources, &all).into_iter().map(path).collect();
    Outcome { marks, fixed, is_unsafe: safe != all }
}

/// Everything that is found in `example`, each environment for itself.
fn checked(example: &Example) -> (Sources, Config, Vec<Environment>, Vec<Cluster>, Vec<Finding>) {
    let files = example.files.iter().map(|(path, text)| (&**path, &**text));
    let sources = Sources::in_memory(files);
    let config = Config { pedantic: true, ..config_in(&sources) };
    let (environments, clusters) = analyze(&sources, &config);
    let mut found = check(&clusters);
    found.extend(rules::problems(&model::unjudged(&sources, &clusters), None));
    found.extend(unmatched(&sources, &config, &environments));
    (sources, config, environments, clusters, found)
}

fn labels(sources: &Sources, finding: &Finding) -> Vec<Mark> {
    let label = |(index, label): (usize, &Label)| {
        let (start, end) = (sources.start(label.span), sources.end(label.span));
        // A place of several lines, or of no width, is marked where it starts; no mark starts
        // before the second column.
        let end = if end.line == start.line { end.column } else { 0 };
        let first = start.column.max(2);
        // What is missing at the end is marked under the last line.
        let last = u32::try_from(sources.text(label.span.file).lines().count()).unwrap();
        Mark {
            path: sources[label.span.file].path.clone(),
            line: start.line.min(last),
            columns: (first, end.max(first + 1)),
            primary: index == 0,
            text: match index {
                0 if finding.pedantic => format!("pedantic: {}", finding.message),
                0 => format!("{}: {}", finding.severity.id(), finding.message),
                _ => label.text.clone(),
            },
        }
    };
    finding.labels.iter().enumerate().map(label).collect()
}

/// A measurement, not a test: `just bench` runs it as a release. All rules over one environment are to
/// take less than a millisecond.
#[test]
#[ignore = "it measures"]
fn time_of_all_rules_on_one_environment() {
    let (_, read) = super::written::read(&repository().join("testdata/flux-platform"));
    let clusters: Vec<_> = read.into_iter().map(|(_, cluster)| cluster).collect();
    let rounds = 1000;
    let start = std::time::Instant::now();
    let found: usize = (0..rounds).map(|_| check(&clusters).len()).sum();
    let each = start.elapsed() / rounds / u32::try_from(clusters.len()).unwrap();
    println!("{each:?} for all rules on one of {} environments, {found} findings", clusters.len());
}
