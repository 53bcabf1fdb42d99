//! Provenance is true: changing the text at the last step of a value's origin changes that value,
//! and changes nothing that does not come from there. Of a value that is put together from several,
//! each of these is true.

use std::{collections::BTreeMap, fs};

use rayon::prelude::*;

use super::{
    common::files,
    config_in,
    scenarios::{Scenario, scenarios},
};
use crate::{
    model::{Datum, Fact, Facts as _},
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
    let (mutated, wrong): (Vec<usize>, Vec<Vec<String>>) = scenarios()
        .par_iter()
        .map(|scenario| {
            let mut wrong = Vec::new();
            (mutate(&scenario.name, &read(scenario), &mut wrong), wrong)
        })
        .unzip();
    let (mutated, wrong) = (mutated.into_iter().sum::<usize>(), wrong.concat());
    assert!(wrong.is_empty(), "{} of {mutated}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(mutated >= AT_LEAST, "only {mutated} values were written somewhere");
}

/// A metrics-server whose container says more.
fn server(container: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: metrics-server}}\n\
         spec: {{template: {{spec: {{containers: [{{name: metrics-server,\n{container}}}]}}}}}}\n"
    )
}

/// A Flux HelmRelease of the kubernetes-sigs chart, with more of its specification.
fn release(more: &str) -> String {
    format!(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n\
         metadata: {{name: metrics-server, namespace: kube-system}}\n\
         spec:\n  chart: {{spec: {{chart: metrics-server, version: 3.12.2, \
         sourceRef: {{kind: HelmRepository, name: metrics-server}}}}}}\n{more}"
    )
}

const IMAGE: &str = "image: registry.k8s.io/metrics-server/metrics-server:v0.7.2\n";
const NAME: &str = "registry.k8s.io/metrics-server/metrics-server";

/// What `files` make of a fact that is put together: its value, and where its parts are written,
/// each of which counts.
fn joined(name: &str, files: &[(&str, &str)]) -> (Datum, String) {
    let files: Files = files.iter().map(|(path, it)| ((*path).into(), (*it).into())).collect();
    let mut wrong = Vec::new();
    mutate(name, &files, &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let (sources, facts) = facts(&files);
    let (_, fact) = facts.iter().find(|((.., it), _)| *it == name).unwrap();
    let place = |it: Span| format!("{}:{}", sources[it.file].path, sources.start(it).line);
    let places: Vec<_> = places(fact).into_iter().map(place).collect();
    (value(fact).expect("it is known").clone(), places.join(" "))
}

#[test]
fn all_parts_of_an_image_count() {
    let text = |it: &str| Datum::Text(it.to_owned());
    let manifest = server(IMAGE);
    let kustomize = |name: &str, more: &str| {
        let kustomization = format!("resources: [ms.yaml]\n{more}");
        joined(name, &[("ms/kustomization.yaml", &kustomization), ("ms/ms.yaml", &manifest)])
    };
    let tag = format!("images:\n- name: {NAME}\n  newTag: v0.8.0\n");
    let both = "ms/kustomization.yaml:4 ms/ms.yaml:5";
    assert_eq!(kustomize("image", &tag), (text(&format!("{NAME}:v0.8.0")), both.into()));
    assert_eq!(kustomize("image_repository", &tag), (text(NAME), "ms/ms.yaml:5".into()));
    assert_eq!(kustomize("image_tag", &tag), (text("v0.8.0"), "ms/kustomization.yaml:4".into()));
    let name = format!("images:\n- name: {NAME}\n  newName: eu.example.com/metrics-server\n");
    let image = text("eu.example.com/metrics-server:v0.7.2");
    assert_eq!(kustomize("image", &name), (image, both.into()));
    assert_eq!(kustomize("image_tag", &name), (text("v0.7.2"), "ms/ms.yaml:5".into()));
    // kustomize runs over lists of containers first, and then over the fields that it knows.
    let suffix = format!("images:\n- name: {NAME}\n  tagSuffix: -fips\n");
    assert_eq!(kustomize("image_tag", &suffix), (text("v0.7.2-fips-fips"), both.into()));
    let replacement = "replacements:\n- sourceValue: v0.8.0\n  targets:\n  - select: {kind: Deployment}\n    \
         fieldPaths: [spec.template.spec.containers.0.image]\n    options: {delimiter: ':', index: 1}\n";
    let both = "ms/kustomization.yaml:3 ms/ms.yaml:5";
    assert_eq!(kustomize("image", replacement), (text(&format!("{NAME}:v0.8.0")), both.into()));
    assert_eq!(kustomize("image_repository", replacement), (text(NAME), "ms/ms.yaml:5".into()));
}

#[test]
fn all_parts_of_a_charts_image_count() {
    let text = |it: &str| Datum::Text(it.to_owned());
    let values = "  valuesFrom: [{kind: ConfigMap, name: tag}]\n  values:\n    image:\n      \
         repository: eu.example.com/metrics-server\n";
    let files = [
        ("a/kustomization.yaml", "resources: [release.yaml, tag.yaml]\n"),
        ("a/release.yaml", &*release(values)),
        (
            "a/tag.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: tag, namespace: kube-system}\n\
          data:\n  values.yaml: |\n    image: {tag: v0.7.1}\n",
        ),
    ];
    let image = text("eu.example.com/metrics-server:v0.7.1");
    assert_eq!(joined("image", &files), (image, "a/tag.yaml:6 a/release.yaml:9".into()));
    let name = text("eu.example.com/metrics-server");
    assert_eq!(joined("image_repository", &files), (name, "a/release.yaml:9".into()));
    let bitnami = "global:\n  imageRegistry: eu.example.com\nimage:\n  repository: mirror/metrics-server\n  \
         tag: 0.7.2\nextraArgs: [--kubelet-insecure-tls]\napiService: {create: true}\n";
    let files = [("metrics-server/values.yaml", bitnami)];
    let image = text("eu.example.com/mirror/metrics-server:0.7.2");
    let all =
        "metrics-server/values.yaml:5 metrics-server/values.yaml:4 metrics-server/values.yaml:2";
    assert_eq!(joined("image", &files), (image, all.into()));
}

#[test]
fn all_of_a_repeated_list_counts() {
    let list = |args: &str| {
        let manifest = server(&format!("args: [\n{args}], {IMAGE}"));
        joined("kubelet_preferred_address_types", &[("ms.yaml", &manifest)])
    };
    let text = |it: &str| Datum::Text(it.to_owned());
    let types = "--kubelet-preferred-address-types";
    let twice = list(&format!("{types}=InternalIP,\n{types}=Hostname\n"));
    assert_eq!(twice, (text("InternalIP,Hostname"), "ms.yaml:7 ms.yaml:6".into()));
    let thrice = list(&format!("{types}=InternalIP,\n{types},\nHostname,\n{types}=\n"));
    assert_eq!(thrice, (text("InternalIP,Hostname"), "ms.yaml:9 ms.yaml:6 ms.yaml:8".into()));
    let once = list(&format!("{types}=ExternalIP\n"));
    assert_eq!(once, (text("ExternalIP"), "ms.yaml:6".into()));
}

/// Changes the text at each place that an origin names; how many there were.
fn mutate(scenario: &str, files: &Files, wrong: &mut Vec<String>) -> usize {
    let mut mutated = 0;
    // Facts share places: an image and its tag, an argument and what it means, all environments.
    let mut analyzed = BTreeMap::new();
    let (sources, before) = facts(files);
    let places = before
        .iter()
        .flat_map(|(name, fact)| places(fact).into_iter().map(move |place| (name, fact, place)));
    for (name, fact, place) in places {
        let text = sources.slice(place);
        let Some(other) = different(name.2, fact, text) else { continue };
        let path = sources[place.file].path.clone();
        let after = analyzed.entry((place, other.clone())).or_insert_with(|| {
            let mut changed = files.clone();
            changed.get_mut(&path).unwrap().replace_range(place.range(), &other);
            facts(&changed).1
        });
        let about = format!(
            "{scenario}: {name:?}: {path}:{}: `{text}` changed to `{other}`",
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
    mutated
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

/// Where a person edits a value that is known: each place that somebody wrote.
fn places(fact: &Fact<Datum>) -> Vec<Span> {
    let ways =
        fact.origin().into_iter().flat_map(|it| std::iter::once(it.clone()).chain(it.also()));
    let written =
        ways.map(|it| it.last()).filter(|it| matches!(it.via, Via::Written | Via::Configured));
    written.filter_map(|it| it.span).collect()
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
    let through = |origin: &Origin| origin.steps().any(|it| it.span.is_some_and(touches));
    let passes = |origin: &Origin| {
        origin.is_default() || through(origin) || origin.also().iter().any(through)
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
    // An image stays metrics-server's; of a whole one, name and tag change.
    if name == "image_repository" || name == "image" && text.contains("metrics-server") {
        let bare = text.trim_start_matches(['"', '\'']);
        let tagged = bare.rsplit_once(':').filter(|_| name == "image");
        let image = tagged.map_or(bare.to_owned(), |(name, tag)| format!("{name}:x{tag}"));
        let quote = &text[..text.len() - bare.len()];
        return Some(format!("{quote}mirror.example.com/{image}"));
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
