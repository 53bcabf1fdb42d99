//! Every page in `rules/` is a rule, and its examples find what their comments say, and no more.

use std::{collections::BTreeSet, fmt::Write as _, fs};

use super::config_in;
use crate::{
    config::Config,
    finding::{Finding, Label},
    pipeline::{analyze, check},
    rules::{self, Example, Expected, RULES, Rule},
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
fn every_rule_has_an_example_that_fails_and_one_that_does_not() {
    for rule in RULES.iter() {
        let examples = rules::examples(rule.page);
        assert!(examples.iter().any(|it| it.expected.is_empty()), "{}: no clean example", rule.id);
        assert!(examples.iter().any(|it| !it.expected.is_empty()), "{}: nothing fails", rule.id);
    }
}

#[test]
fn examples_find_what_they_say() {
    let mut failures = String::new();
    for rule in RULES.iter() {
        for example in rules::examples(rule.page) {
            let name = format!("{}: {}", rule.id, example.title);
            let found = shortened(found(rule, &example), &example.expected);
            if found == example.expected {
                continue;
            }
            let _ = writeln!(failures, "\n{name}");
            for missing in example.expected.difference(&found) {
                let _ = writeln!(failures, "  missing {missing:?}");
            }
            for surplus in found.difference(&example.expected) {
                let _ = writeln!(failures, "  surplus {surplus:?}");
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn findings_that_say_different_things_are_told_apart() {
    let words = |it: &Finding| it.message.replace(|it: char| it.is_ascii_digit(), "");
    let identity = |it: &Finding| {
        let place = it.primary().map(|it| it.span);
        (it.rule, it.subject.clone(), it.variant, place)
    };
    for rule in RULES.iter() {
        for example in rules::examples(rule.page) {
            let (_, _, found) = checked(&example);
            // One cause may hide several things.
            let found: Vec<_> = found.iter().filter(|it| it.rule != "unresolved").collect();
            for (index, one) in found.iter().enumerate() {
                for other in &found[index + 1..] {
                    let same = identity(one) == identity(other);
                    assert!(
                        !same || words(one) == words(other),
                        "{}: {}: give one of these a variant:\n{}\n{}",
                        rule.id,
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
    let values = "image: {repository: registry.k8s.io/metrics-server/metrics-server}\n\
                  priorityClassName: \"a\\e[31m\\nb\\u202e\"\n";
    let sources = Sources::in_memory([("values.yaml", values)]);
    let config = Config::default();
    let (_, clusters) = analyze(&sources, &config);
    let found = check(&clusters);
    let finding = found.iter().find(|it| it.rule == "priority-class-not-critical");
    let message = &finding.expect("it is not critical").message;
    assert!(message.starts_with(r"a\u{1b}[31m\nb\u{202e} is not"), "{message}");
}

/// What is found, with texts cut where an expected text at the same place ends in `…`.
fn shortened(found: BTreeSet<Expected>, expected: &BTreeSet<Expected>) -> BTreeSet<Expected> {
    let is_short_of = |found: &Expected, expected: &Expected| {
        let place = |it: &Expected| (it.path.clone(), it.line, it.columns, it.primary);
        place(found) == place(expected)
            && expected.text.strip_suffix('…').is_some_and(|start| found.text.starts_with(start))
    };
    let shorten = |found: Expected| {
        expected.iter().find(|it| is_short_of(&found, it)).cloned().unwrap_or(found)
    };
    found.into_iter().map(shorten).collect()
}

/// The labels of what `rule` finds in `example`.
fn found(rule: &Rule, example: &Example) -> BTreeSet<Expected> {
    let (sources, config, found) = checked(example);
    let mut findings = settle(&sources, &config, found, &Scope::all()).findings;
    findings.retain(|finding| finding.rule == rule.id);
    findings.iter().flat_map(|finding| labels(&sources, finding)).collect()
}

/// Everything that is found in `example`, each environment for itself.
fn checked(example: &Example) -> (Sources, Config, Vec<Finding>) {
    let files = example.files.iter().map(|file| (file.path.as_str(), file.text.as_str()));
    let sources = Sources::in_memory(files);
    let config = config_in(&sources);
    let (environments, clusters) = analyze(&sources, &config);
    let mut found = check(&clusters);
    found.extend(unmatched(&config, &environments));
    (sources, config, found)
}

fn labels(sources: &Sources, finding: &Finding) -> Vec<Expected> {
    let label = |(index, label): (usize, &Label)| {
        let (start, end) = (sources.start(label.span), sources.end(label.span));
        // A place of several lines, or of no width, is marked where it starts.
        let end = if end.line == start.line { end.column } else { 0 };
        Expected {
            path: sources[label.span.file].path.clone(),
            line: start.line,
            columns: (start.column, end.max(start.column + 1)),
            primary: index == 0,
            text: match index {
                0 => format!("{}: {}", finding.severity.id(), finding.message),
                _ => label.text.clone(),
            },
        }
    };
    finding.labels.iter().enumerate().map(label).collect()
}
