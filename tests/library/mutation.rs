//! Provenance is true: changing the text at the last step of a value's origin changes that value,
//! and changes nothing that does not come from there. Of a value that is put together from several,
//! each of these is true.

use std::{collections::BTreeMap, fs};

use insta::assert_snapshot;
use rayon::prelude::*;

use super::{
    charts::archive,
    common::{files, fixture},
    config_in,
    scenarios::{Scenario, scenarios},
    unindented,
    written::place,
};
use crate::{
    model::{Datum, Fact},
    pipeline::analyze,
    source::{Sources, Span},
    tree::{Origin, Via},
};

/// A scenario in memory: path and text of every file that is text.
type Files = BTreeMap<String, String>;

/// How the files of a scenario become sources.
type Load<'a> = &'a dyn Fn(&Files) -> Sources;

fn in_memory(files: &Files) -> Sources {
    Sources::in_memory(files.clone())
}

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
            (mutate(&scenario.name, &read(scenario), &in_memory, &mut wrong), wrong)
        })
        .unzip();
    let (mutated, wrong) = (mutated.into_iter().sum::<usize>(), wrong.concat());
    assert!(wrong.is_empty(), "{} of {mutated}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(mutated >= AT_LEAST, "only {mutated} values were written somewhere");
}

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: metrics-server}
spec:
  template:
    spec:
      containers:
      - name: metrics-server
        image: registry.k8s.io/metrics-server/metrics-server:v0.7.2
";

/// What a repository makes of a fact that is put together: its value, and where its parts are
/// written, each of which counts.
fn joined(name: &str, text: &str) -> String {
    joined_in(name, text, &in_memory)
}

/// The same where files are read otherwise.
fn joined_in(name: &str, text: &str, load: Load<'_>) -> String {
    let files = fixture::files(&[("DEPLOYMENT", DEPLOYMENT)], text).into_iter().collect();
    let mut wrong = Vec::new();
    mutate(name, &files, load, &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let (sources, facts) = facts(load(&files));
    let (_, fact) = facts.iter().find(|((.., it), _)| *it == name).unwrap();
    let place = |it: Span| format!("{} `{}`\n", place(&sources, it), sources.slice(it));
    let places: Vec<_> = places(fact).into_iter().map(place).collect();
    format!("{}\n{}", value(fact).expect("it is known"), places.concat())
}

#[test]
fn all_parts_of_an_image_count() {
    let kustomize = |name: &str, more: &str| {
        let files = "
            //- ms/kustomization.yaml
            resources: [ms.yaml]
            MORE
            //- ms/ms.yaml
            DEPLOYMENT
        ";
        joined(name, &unindented(files).replace("MORE\n", &unindented(more)))
    };
    let tag = "
        images:
        - name: registry.k8s.io/metrics-server/metrics-server
          newTag: v0.8.0
    ";
    assert_snapshot!(kustomize("image", tag), @"
    registry.k8s.io/metrics-server/metrics-server:v0.8.0
    ms/kustomization.yaml:4:11 `v0.8.0`
    ms/ms.yaml:9:16 `registry.k8s.io/metrics-server/metrics-server:v0.7.2`
    ");
    assert_snapshot!(kustomize("image_repository", tag), @"
    registry.k8s.io/metrics-server/metrics-server
    ms/ms.yaml:9:16 `registry.k8s.io/metrics-server/metrics-server:v0.7.2`
    ");
    assert_snapshot!(kustomize("image_tag", tag), @"
    v0.8.0
    ms/kustomization.yaml:4:11 `v0.8.0`
    ");
    let name = "
        images:
        - name: registry.k8s.io/metrics-server/metrics-server
          newName: eu.example.com/metrics-server
    ";
    assert_snapshot!(kustomize("image", name), @"
    eu.example.com/metrics-server:v0.7.2
    ms/kustomization.yaml:4:12 `eu.example.com/metrics-server`
    ms/ms.yaml:9:16 `registry.k8s.io/metrics-server/metrics-server:v0.7.2`
    ");
    assert_snapshot!(kustomize("image_tag", name), @"
    v0.7.2
    ms/ms.yaml:9:16 `registry.k8s.io/metrics-server/metrics-server:v0.7.2`
    ");
    // kustomize runs over lists of containers first, and then over the fields that it knows.
    let suffix = "
        images:
        - name: registry.k8s.io/metrics-server/metrics-server
          tagSuffix: -fips
    ";
    assert_snapshot!(kustomize("image_tag", suffix), @"
    v0.7.2-fips-fips
    ms/kustomization.yaml:4:14 `-fips`
    ms/ms.yaml:9:16 `registry.k8s.io/metrics-server/metrics-server:v0.7.2`
    ");
    let replacement = "
        replacements:
        - sourceValue: v0.8.0
          targets:
          - select: {kind: Deployment}
            fieldPaths: [spec.template.spec.containers.0.image]
            options: {delimiter: ':', index: 1}
    ";
    assert_snapshot!(kustomize("image", replacement), @"
    registry.k8s.io/metrics-server/metrics-server:v0.8.0
    ms/kustomization.yaml:3:16 `v0.8.0`
    ms/ms.yaml:9:16 `registry.k8s.io/metrics-server/metrics-server:v0.7.2`
    ");
    assert_snapshot!(kustomize("image_repository", replacement), @"
    registry.k8s.io/metrics-server/metrics-server
    ms/ms.yaml:9:16 `registry.k8s.io/metrics-server/metrics-server:v0.7.2`
    ");
}

#[test]
fn all_parts_of_a_charts_image_count() {
    let release = "
        //- a/kustomization.yaml
        resources: [release.yaml, tag.yaml]
        //- a/release.yaml
        apiVersion: helm.toolkit.fluxcd.io/v2
        kind: HelmRelease
        metadata: {name: metrics-server, namespace: kube-system}
        spec:
          chart:
            spec:
              chart: metrics-server
              version: 3.12.2
              sourceRef: {kind: HelmRepository, name: metrics-server}
          valuesFrom: [{kind: ConfigMap, name: tag}]
          values:
            image:
              repository: eu.example.com/metrics-server
        //- a/tag.yaml
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: tag, namespace: kube-system}
        data:
          values.yaml: |
            image: {tag: v0.7.1}
    ";
    assert_snapshot!(joined("image", release), @"
    eu.example.com/metrics-server:v0.7.1
    a/tag.yaml:6:18 `v0.7.1`
    a/release.yaml:13:19 `eu.example.com/metrics-server`
    ");
    assert_snapshot!(joined("image_repository", release), @"
    eu.example.com/metrics-server
    a/release.yaml:13:19 `eu.example.com/metrics-server`
    ");
    let bitnami = "
        //- metrics-server/values.yaml
        global:
          imageRegistry: eu.example.com
        image:
          repository: mirror/metrics-server
          tag: 0.7.2
        extraArgs: [--kubelet-insecure-tls]
        apiService: {create: true}
    ";
    assert_snapshot!(joined("image", bitnami), @"
    eu.example.com/mirror/metrics-server:0.7.2
    metrics-server/values.yaml:5:8 `0.7.2`
    metrics-server/values.yaml:4:15 `mirror/metrics-server`
    metrics-server/values.yaml:2:18 `eu.example.com`
    ");
}

#[test]
fn what_reaches_a_packed_chart_counts() {
    let template = DEPLOYMENT
        .replace("spec:\n  template", "spec:\n  replicas: {{ .Values.replicas }}\n  template")
        .replace("metrics-server:v0.7.2", "{{ .Values.name }}:{{ include \"tag\" . }}")
        + "        args:\n        {{- toYaml .Values.args | nindent 8 }}\n";
    let archive = archive(&[
        ("own/Chart.yaml", "{apiVersion: v2, name: own, version: 1.0.0}"),
        ("own/values.yaml", "{name: metrics-server, replicas: 1, tag: v0.6.0, args: []}"),
        (
            "own/templates/_tag.tpl",
            "{{ define \"tag\" }}{{ .Values.tag | default \"v0.7.1\" }}{{ end }}",
        ),
        ("own/templates/server.yaml", &template),
    ]);
    let blobs = vec![("ms/charts/own-1.0.0.tgz".to_owned(), archive)];
    let load = |files: &Files| Sources::of_bytes(files.clone(), blobs.clone());
    let files = "
        //- ms/Chart.yaml
        apiVersion: v2
        name: ms
        version: 1.0.0
        dependencies:
        - {name: own, version: 1.0.0}
        //- ms/values.yaml
        own:
          name: metrics-server
          tag: v0.7.2
          replicas: 2
          args:
          - --metric-resolution=15s
    ";
    assert_snapshot!(joined_in("image", files, &load), @r"
    registry.k8s.io/metrics-server/metrics-server:v0.7.2
    ms/values.yaml:3:8 `v0.7.2`
    ms/values.yaml:2:9 `metrics-server`
    ");
    assert_snapshot!(joined_in("replicas", files, &load), @r"
    2
    ms/values.yaml:4:13 `2`
    ");
    assert_snapshot!(joined_in("metric_resolution", files, &load), @r"
    15s
    ms/values.yaml:6:5 `--metric-resolution=15s`
    ");
}

#[test]
fn all_of_a_repeated_list_counts() {
    let list = |args: &str| {
        let files = "
            //- ms.yaml
            DEPLOYMENT
                    args: ARGS
        ";
        joined("kubelet_preferred_address_types", &files.replace("ARGS", args))
    };
    let twice = "[--kubelet-preferred-address-types=InternalIP, --kubelet-preferred-address-types=Hostname]";
    assert_snapshot!(list(twice), @"
    InternalIP,Hostname
    ms.yaml:10:62 `--kubelet-preferred-address-types=Hostname`
    ms.yaml:10:16 `--kubelet-preferred-address-types=InternalIP`
    ");
    let thrice = "[--kubelet-preferred-address-types=InternalIP, --kubelet-preferred-address-types, Hostname, --kubelet-preferred-address-types=]";
    assert_snapshot!(list(thrice), @"
    InternalIP,Hostname
    ms.yaml:10:107 `--kubelet-preferred-address-types=`
    ms.yaml:10:16 `--kubelet-preferred-address-types=InternalIP`
    ms.yaml:10:97 `Hostname`
    ");
    assert_snapshot!(list("[--kubelet-preferred-address-types=ExternalIP]"), @"
    ExternalIP
    ms.yaml:10:16 `--kubelet-preferred-address-types=ExternalIP`
    ");
}

/// Changes the text at each place that an origin names; how many there were.
fn mutate(scenario: &str, files: &Files, load: Load<'_>, wrong: &mut Vec<String>) -> usize {
    let mut mutated = 0;
    // Facts share places: an image and its tag, an argument and what it means, all environments.
    let mut analyzed = BTreeMap::new();
    let (sources, before) = facts(load(files));
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
            facts(load(&changed)).1
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
fn facts(sources: Sources) -> (Sources, BTreeMap<Name, Fact<Datum>>) {
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
        (Datum::Text(_) | Datum::Amount(..), _) => {
            Some(match text.find(|it: char| it.is_ascii_digit()) {
                // `v0.7.2`, `256Mi`, `15s`, `25%`: another number, and still of that kind.
                Some(at) if text.len() < 12 => {
                    let number: String =
                        text[at..].chars().take_while(char::is_ascii_digit).collect();
                    let rest = &text[at + number.len()..];
                    format!("{}{}{rest}", &text[..at], number.parse::<u64>().ok()? + 1)
                }
                // HCL's texts have their quotes.
                _ => match text.strip_suffix('"') {
                    Some(text) => format!("{text}x\""),
                    None => format!("{text}x"),
                },
            })
        }
    }
}
