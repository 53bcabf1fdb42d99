//! Provenance is true: changing the text at the last step of a value's origin changes that value,
//! and changes nothing that does not come from there.

use std::{collections::BTreeMap, fs};

use super::{
    common::files,
    config_in,
    scenarios::{Scenario, scenarios},
};
use crate::{
    model::{Datum, Fact},
    pipeline::analyze,
    source::{Sources, Span},
    tree::{Origin, Via},
};

/// A scenario in memory: path and text of every file that is text.
type Files = BTreeMap<String, String>;

/// One fact of one metrics-server: environment, server, name.
type Name = (String, String, &'static str);

/// How long the origins are that this test relies on: fewer would be a test of nothing.
const AT_LEAST: usize = 30;

#[test]
fn what_an_origin_names_is_what_counts() {
    let mut mutated = 0;
    let mut wrong = Vec::new();
    for scenario in scenarios() {
        let files = read(&scenario);
        let (sources, before) = facts(&files);
        for (name, fact) in &before {
            let Some(place) = place(fact) else { continue };
            let text = sources.slice(place);
            let Some(other) = different(name.2, fact, text) else { continue };
            let path = sources[place.file].path.clone();
            let mut changed = files.clone();
            changed.get_mut(&path).unwrap().replace_range(place.range(), &other);
            let (_, after) = facts(&changed);
            let about = format!(
                "{}: {name:?}: {path}:{}: `{text}` changed to `{other}`",
                scenario.name,
                sources.start(place).line
            );
            mutated += 1;
            match after.get(name) {
                None => wrong.push(format!("{about}, and the fact is gone")),
                Some(now) if value(now) == value(fact) => {
                    wrong.push(format!("{about}, but the value stays {:?}", value(fact)));
                }
                Some(_) => {}
            }
            for (other_name, old) in &before {
                let same = after.get(other_name).is_some_and(|new| value(new) == value(old));
                if !same && !depends(old, place) && !follows(name.2, other_name.2) {
                    wrong.push(format!(
                        "{about}: {other_name:?} changed from {:?} to {:?}",
                        value(old),
                        after.get(other_name).map(value)
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {mutated}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(mutated >= AT_LEAST, "only {mutated} values were written somewhere");
}

fn read(scenario: &Scenario) -> Files {
    let text =
        |path: String| Some((path.clone(), fs::read_to_string(scenario.dir.join(path)).ok()?));
    files(&scenario.dir, |_| true).into_iter().filter_map(text).collect()
}

/// What is known of every metrics-server of every environment.
fn facts(files: &Files) -> (Sources, BTreeMap<Name, Fact<Datum>>) {
    let sources = Sources::in_memory(files.clone());
    let (_, clusters) = analyze(&sources, &config_in(&sources));
    let mut facts = BTreeMap::new();
    for cluster in clusters {
        for (index, server) in cluster.metrics_servers.iter().enumerate() {
            for (name, fact) in server.facts() {
                let server = format!("{index} {}", server.via);
                facts.insert((cluster.environment.clone(), server, name), fact);
            }
        }
    }
    (sources, facts)
}

/// Where a person edits a value that is known and that somebody wrote.
fn place(fact: &Fact<Datum>) -> Option<Span> {
    let (_, origin) = fact.known()?;
    let last = origin.last();
    let written = matches!(last.via, Via::Written | Via::Configured);
    last.span.filter(|_| written)
}

/// The value without where it comes from.
fn value(fact: &Fact<Datum>) -> Option<&Datum> {
    fact.value()
}

/// Whether a fact may change when the text at `place` does: it passes through there, or it is the
/// default for something that does.
fn depends(fact: &Fact<Datum>, place: Span) -> bool {
    let touches =
        |span: Span| span.file == place.file && span.start <= place.end && place.start <= span.end;
    let passes = |origin: &Origin| {
        origin.is_default() || origin.steps().any(|step| step.span.is_some_and(touches))
    };
    match fact {
        Fact::Known(_, origin) | Fact::Invalid { origin, .. } => passes(origin),
        Fact::Absent(by) => by.as_ref().is_none_or(passes),
        Fact::Unknown(..) => true,
    }
}

/// Whether the fact `other` is bound to change with `changed`, wherever it comes from: Kubernetes
/// gives it up, or it is the list that the item is in.
fn follows(changed: &str, other: &str) -> bool {
    other == "args" || changed == "strategy_type" && other.starts_with("strategy_max_")
}

/// Another value of the same type, as text in place of `text`.
fn different(name: &str, fact: &Fact<Datum>, text: &str) -> Option<String> {
    // Another kind of workload is another workload; a list is the sum of its items.
    if matches!(name, "kind" | "args") {
        return None;
    }
    // A flag: its value changes, or it gets one.
    if let Some((flag, old)) = text.split_once('=').filter(|_| text.trim_start().starts_with("--"))
    {
        return Some(format!("{flag}={}", other(fact, old)?));
    }
    if text.starts_with("--") {
        return Some(format!("{text}=false"));
    }
    other(fact, text)
}

/// Words that choose among others.
const CHOICES: &[(&str, &str)] =
    &[("RollingUpdate", "Recreate"), ("cert-manager", "metrics-server"), ("nano", "small")];

fn other(fact: &Fact<Datum>, text: &str) -> Option<String> {
    if let Some((_, other)) = CHOICES.iter().find(|(word, _)| *word == text) {
        return Some((*other).to_owned());
    }
    match (fact.value()?, text) {
        (Datum::Bool(_), "true") => Some("false".to_owned()),
        (Datum::Bool(_), "false") => Some("true".to_owned()),
        (Datum::Bool(_) | Datum::List(_), _) => None,
        (Datum::Int(_), _) => Some((text.parse::<i64>().ok()? + 1).to_string()),
        (Datum::Text(_), _) => Some(match text.find(|it: char| it.is_ascii_digit()) {
            // `v0.7.2`, `256Mi`, `15s`, `25%`: another number, and still of that kind.
            Some(at) if text.len() < 12 => {
                let number: String = text[at..].chars().take_while(char::is_ascii_digit).collect();
                let rest = &text[at + number.len()..];
                format!("{}{}{rest}", &text[..at], number.parse::<u64>().ok()? + 1)
            }
            _ => format!("{text}x"),
        }),
    }
}
