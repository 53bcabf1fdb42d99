//! What is offered as a fix is one: in random repositories every fix is made, by itself and with all
//! others, and the repository is judged again, by other means than those that decided to offer it.
//!
//! `PROPTEST_CASES` says how many repositories.

mod notation;
mod repositories;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    env, fmt,
    sync::LazyLock,
};

use proptest::{
    prelude::*,
    test_runner::{RngSeed, TestRunner},
};
use serde::Deserialize as _;
use serde_json::Value;

use super::common::fixture::Files;
use crate::{
    config::Config,
    edit,
    finding::{ANY_SETTING, Applicability, Change, Edit, Finding, Fix},
    fix::Prover,
    model::Cluster,
    pipeline,
    resolve::environment::Environment,
    settings,
    settle::{self, Scope},
    source::{self, Sources},
    suppress,
};

/// A repository as it is judged.
struct Judged {
    sources: Sources,
    resolved: (Vec<Environment>, Vec<Cluster>),
    /// What is reported.
    shown: Vec<Finding>,
    /// How often a rule finds something about a subject in an environment.
    findings: BTreeMap<(String, String, String), usize>,
    environments: BTreeMap<String, Seen>,
}

/// What an environment comes to.
struct Seen {
    objects: Vec<Value>,
    /// By what they are of and their names.
    settings: BTreeMap<(String, String), Vec<String>>,
}

impl Judged {
    fn of(files: &Files) -> Self {
        let (sources, config) = (Sources::in_memory(files.iter().cloned()), Config::default());
        let (environments, clusters) = pipeline::analyze(&sources, &config);
        let mut findings = BTreeMap::new();
        let all = pipeline::found(&sources, &clusters);
        for finding in suppress::apply(&sources, all.clone()).kept {
            let mut names: Vec<String> = finding.environments.iter().cloned().collect();
            if names.is_empty() {
                names.push(String::new());
            }
            for name in names {
                let key = (finding.rule.to_owned(), finding.subject.clone(), name);
                *findings.entry(key).or_default() += 1;
            }
        }
        let seen = environments.iter().zip(&clusters).map(|(environment, cluster)| {
            let mut named: BTreeMap<_, Vec<String>> = BTreeMap::new();
            for subject in settings::subjects(environment, cluster) {
                let of = format!("{:?} {}", subject.kind, subject.name);
                for it in subject.settings {
                    let value = format!("{:?}", it.fact.value());
                    named.entry((of.clone(), it.name)).or_default().push(value);
                }
            }
            let objects = environment.objects.iter().map(|it| it.node.to_json()).collect();
            (environment.name.clone(), Seen { objects, settings: named })
        });
        let seen = seen.collect();
        let shown = settle::settle(&sources, &config, &environments, all, &Scope::all()).findings;
        Self { sources, resolved: (environments, clusters), shown, findings, environments: seen }
    }

    /// What is found, with what is offered for it.
    fn offered(&self) -> (Prover<'_>, Vec<Finding>) {
        static CONFIG: LazyLock<Config> = LazyLock::new(Config::default);
        let (environments, clusters) = &self.resolved;
        let prover = Prover::new(&self.sources, &CONFIG, environments, clusters);
        let mut findings = self.shown.clone();
        prover.offer(&mut findings, crate::fix::MOST_MADE);
        (prover, findings)
    }

    fn has(&self, finding: &Finding, environment: &str) -> usize {
        let key = (finding.rule.to_owned(), finding.subject.clone(), environment.to_owned());
        self.findings.get(&key).copied().unwrap_or_default()
    }
}

/// The keys below which an object may be another one when what the rule found is mended; any where the
/// rule is not here.
fn touched(rule: &str) -> Option<&'static [&'static str]> {
    Some(match rule {
        "unused-suppression" => &[],
        "metric-resolution-too-small"
        | "unknown-flag"
        | "argument-is-not-a-flag"
        | "invalid-flag-value" => &["args", "RESOLUTION"],
        "priority-class-not-critical" => &["priorityClassName", "PRIORITY"],
        "image-does-not-exist" => &["image", "tag", "TAG"],
        "rbac-for-another-version" => &["resources"],
        _ => return None,
    })
}

/// A text of values is one value, whatever changes in it.
const TEXTS: &str = "values.yaml";

/// `files` with these edits, the last ones first.
fn edited(sources: &Sources, files: &Files, edits: &[Edit]) -> Files {
    let mut edits: Vec<(&str, usize, usize, &str)> = edits
        .iter()
        .map(|it| {
            let (start, end) = (it.span.start as usize, it.span.end as usize);
            (&*sources[it.span.file].path, start, end, &*it.text)
        })
        .collect();
    edits.sort_unstable();
    let apart = |pair: &[(&str, usize, usize, &str)]| {
        pair[0].0 != pair[1].0 || pair[0].2 <= pair[1].1 && pair[0].1 < pair[1].2
    };
    assert!(edits.windows(2).all(apart), "they overlap: {edits:?}");
    let mut files = files.clone();
    for (path, start, end, text) in edits.into_iter().rev() {
        let (_, whole) = files.iter_mut().find(|(it, _)| it == path).expect("a file of ours");
        whole.replace_range(start..end, text);
    }
    files
}

/// Whether `after` is `before` with `mended`, as it should be.
fn holds(before: &Judged, after: &Judged, mended: &[&Finding]) -> Result<(), String> {
    for (key, count) in &after.findings {
        if before.findings.get(key).is_none_or(|it| it < count) {
            return Err(format!("{key:?} is new"));
        }
    }
    for (finding, name) in
        mended.iter().flat_map(|it| it.environments.iter().map(move |name| (it, name)))
    {
        if after.has(finding, name) >= before.has(finding, name) {
            return Err(format!("{}: {} is still there", finding.rule, name));
        }
    }
    let names = |it: &Judged| it.environments.keys().cloned().collect::<Vec<_>>();
    if names(before) != names(after) {
        return Err(format!("{:?} become {:?}", names(before), names(after)));
    }
    for ((name, was), is) in before.environments.iter().zip(after.environments.values()) {
        let here: Vec<&Finding> =
            mended.iter().copied().filter(|it| it.environments.contains(name)).collect();
        same_settings(was, is, &here).map_err(|it| format!("{name}: {it}"))?;
        same_objects(was, is, &here).map_err(|it| format!("{name}: {it}"))?;
    }
    Ok(())
}

fn same_settings(was: &Seen, is: &Seen, mended: &[&Finding]) -> Result<(), String> {
    let normal = |it: &str| it.trim_start_matches('-').replace('-', "_");
    let proposals = mended.iter().filter_map(|it| it.proposal.as_ref());
    let meant: BTreeSet<String> =
        proposals.flat_map(|it| &it.settings).map(|it| normal(it)).collect();
    let keys: BTreeSet<_> = was.settings.keys().chain(is.settings.keys()).collect();
    for key in keys.into_iter().filter(|it| was.settings.get(it) != is.settings.get(it)) {
        let name = normal(&key.1);
        // These are the sum of others: the list of all flags, the parts of an image.
        let is_sum = !mended.is_empty() && ["args", "image_tag", "cert_dir"].contains(&&*name);
        let is_variable = !mended.is_empty() && name.chars().all(|it| it.is_ascii_uppercase());
        if !(meant.contains(ANY_SETTING) || meant.contains(&name) || is_sum || is_variable) {
            let [was, is] = [was, is].map(|it| it.settings.get(key));
            return Err(format!("{key:?} was {was:?} and is {is:?}"));
        }
    }
    Ok(())
}

fn same_objects(was: &Seen, is: &Seen, mended: &[&Finding]) -> Result<(), String> {
    if was.objects.len() != is.objects.len() {
        return Err("the objects are others".to_owned());
    }
    let may: Option<Vec<_>> = mended.iter().map(|it| touched(it.rule)).collect();
    for (was, is) in was.objects.iter().zip(&is.objects) {
        for path in differences(was, is, "") {
            let is_meant = may.as_ref().is_none_or(|all| {
                let keys = path.split('/').collect::<Vec<_>>();
                let touches = |key: &&str| keys.contains(key);
                all.iter().any(|it| it.iter().any(touches))
                    || !all.is_empty() && keys.contains(&TEXTS)
            });
            if !is_meant {
                return Err(format!("{} differs at {path}", was["kind"]));
            }
        }
    }
    Ok(())
}

/// The paths at which two values differ; lists of another length differ as a whole.
fn differences(one: &Value, other: &Value, path: &str) -> Vec<String> {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            let of = |key: &String| {
                let path = format!("{path}/{key}");
                match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => differences(a, b, &path),
                    _ => vec![path],
                }
            };
            keys.into_iter().flat_map(of).collect()
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let pairs = a.iter().zip(b).enumerate();
            pairs.flat_map(|(at, (a, b))| differences(a, b, &format!("{path}/{at}"))).collect()
        }
        _ if one == other => Vec::new(),
        _ => vec![path.to_owned()],
    }
}

/// What is at the end of each line that is a comment alone, or has one, with the line.
fn comments(text: &str) -> Vec<(&str, &str)> {
    let of = |line: &'_ str| {
        let bare = line.trim_start_matches('\u{feff}').trim();
        if bare.starts_with('#') { Some(0) } else { line.find(" #").map(|it| it + 1) }
    };
    text.lines().filter_map(|line| Some((line, &line[of(line)?..]))).collect()
}

/// Whether a file is what it was around the edits.
fn same_notation(path: &str, was: &str, is: &str, edits: usize) -> Result<(), String> {
    let windows = |it: &str| it.matches("\r\n").count() == it.matches('\n').count();
    if windows(was) != windows(is) && was.contains('\n') {
        return Err("the line ends are others".to_owned());
    }
    if was.starts_with('\u{feff}') != is.starts_with('\u{feff}') {
        return Err("the byte order mark is not kept".to_owned());
    }
    if was.ends_with('\n') != is.ends_with('\n') {
        return Err("the end of the file is another".to_owned());
    }
    let mut left: Vec<&str> = comments(is).into_iter().map(|(_, it)| it).collect();
    for (line, comment) in comments(was) {
        if let Some(at) = left.iter().position(|it| *it == comment) {
            left.remove(at);
            continue;
        }
        // A comment behind an item goes with it, and one to us when it ignores nothing.
        let alone = line.trim() == comment.trim();
        let is_gone = !alone && !is.lines().any(|it| it == line);
        if !is_gone && !comment.contains("ignore[") {
            return Err(format!("the comment `{comment}` is lost"));
        }
    }
    if source::extension(path) == "env" {
        return Ok(());
    }
    let (was, is) = (parsed(was)?, parsed(is)?);
    if was.len() != is.len() {
        return Err("the documents are others".to_owned());
    }
    let differ: Vec<String> =
        was.iter().zip(&is).flat_map(|(was, is)| differences(was, is, "")).collect();
    if differ.len() > edits {
        return Err(format!("{edits} edits make {differ:?}"));
    }
    Ok(())
}

/// The documents of a text, as another parser than ours reads them.
fn parsed(text: &str) -> Result<Vec<Value>, String> {
    let text = text.trim_start_matches('\u{feff}');
    let documents = serde_yaml::Deserializer::from_str(text);
    let read = documents.map(|it| serde_yaml::Value::deserialize(it).map_err(|it| it.to_string()));
    read.map(|it| serde_json::to_value(it?).map_err(|it| it.to_string())).collect()
}

/// Makes `edits`, and holds everything against what was.
fn mend(
    files: &Files,
    before: &Judged,
    edits: &[Edit],
    mended: &[&Finding],
) -> Result<(Files, Judged), (String, Files)> {
    let after = edited(&before.sources, files, edits);
    let judged = Judged::of(&after);
    let notation = || {
        for ((path, was), (_, is)) in files.iter().zip(&after) {
            let count =
                edits.iter().filter(|it| before.sources[it.span.file].path == *path).count();
            // A key that becomes another is a difference at both.
            let changes = mended.iter().filter_map(|it| it.proposal.as_ref());
            let changes = changes.flat_map(|it| &it.changes);
            let keys = changes.filter(|it| matches!(it, Change::Key { .. })).count();
            same_notation(path, was, is, if count == 0 { 0 } else { count + keys })
                .map_err(|it| format!("{path}: {it}"))?;
            if count == 0 && was != is {
                return Err(format!("{path} is another file"));
            }
        }
        holds(before, &judged, mended)
    };
    match notation() {
        Ok(()) => Ok((after, judged)),
        Err(why) => Err((why, after)),
    }
}

/// How many fixes of one repository are made by themselves.
const ALONE: usize = 3;

/// Makes each fix of a repository, and all of them, as often as there are any more.
fn check(files: &Files, seen: &mut BTreeMap<&'static str, usize>) -> Result<(), (String, Files)> {
    let before = Judged::of(files);
    let (_, findings) = before.offered();
    let offered: Vec<&Finding> = findings.iter().filter(|it| it.fix.is_some()).collect();
    // Each once, the rarest rule first.
    let mut alone = offered.clone();
    alone.sort_by_key(|it| seen.get(it.rule).copied().unwrap_or_default());
    for finding in alone.into_iter().take(ALONE) {
        *seen.entry(finding.rule).or_default() += 1;
        let edits = finding.fix.as_ref().map_or(&[][..], |it| &it.edits);
        mend(files, &before, edits, &[finding])
            .map_err(|(why, after)| (format!("{} alone: {why}", finding.rule), after))?;
    }
    let least = match seen.values().sum::<usize>() % 2 {
        0 => Applicability::Safe,
        _ => Applicability::Unsafe,
    };
    all(files.clone(), before, least)
}

/// Makes all fixes that are at least `least`, until there are no more.
fn all(mut files: Files, mut before: Judged, least: Applicability) -> Result<(), (String, Files)> {
    for round in 0..10 {
        let (prover, findings) = before.offered();
        let is_wanted = |it: &Fix| it.applicability >= least;
        let (edits, mended) = prover.edits(&findings, |_, it| is_wanted(it));
        let count = mended.len();
        if count == 0 {
            let left = findings.iter().find(|it| it.fix.as_ref().is_some_and(is_wanted));
            let left = left.map(|it| (format!("{} is offered, and not made", it.rule), files));
            return left.map_or(Ok(()), Err);
        }
        // What no fix of its own mends may be mended with others.
        let is_made = |it: &&Finding| {
            let proposal = it.proposal.as_ref();
            let own = proposal.and_then(|it| edit::edits(&before.sources, &it.changes));
            own.is_some_and(|own| own.iter().all(|it| edits.contains(it)))
        };
        let made: Vec<&Finding> = findings.iter().filter(is_made).collect();
        if made.len() < count {
            return Err((
                format!("{count} are mended, and the edits are of {}", made.len()),
                files,
            ));
        }
        let mended = mend(&files, &before, &edits, &made);
        let mended = mended.map_err(|(why, after)| (format!("round {round}: {why}"), after))?;
        drop((prover, findings));
        (files, before) = mended;
    }
    Err(("it does not end".to_owned(), files))
}

#[test]
fn what_is_offered_mends_its_finding_and_nothing_else() {
    let cases = env::var("PROPTEST_CASES").ok().and_then(|it| it.parse().ok()).unwrap_or(48);
    // The same cases in every run: a failure is a change of ours. More of them find what is rarer.
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20_261_127),
        max_shrink_iters: 150,
        ..ProptestConfig::default()
    };
    let seen = RefCell::new(BTreeMap::new());
    let bytes = prop::collection::vec(any::<u8>(), 0..600);
    let cases = bytes.prop_map(|it| Case(repositories::repository(it)));
    let result = TestRunner::new(config).run(&cases, |Case(files)| {
        let checked = check(&files, &mut seen.borrow_mut());
        prop_assert!(checked.is_ok(), "{}", checked.map_err(told).unwrap_err());
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    let seen = seen.into_inner();
    assert!(seen.len() > 5, "only these have been mended: {seen:?}");
}

/// A repository, as a failure shows it.
struct Case(Files);

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&told(("a repository".to_owned(), self.0.clone())))
    }
}

/// What is wrong with which files.
fn told((why, files): (String, Files)) -> String {
    let mut out = format!("{why}\n");
    for (path, text) in &files {
        out.extend(["//- ", path, "\n", &text.replace('\r', "␍").replace('\u{feff}', "␂"), "\n"]);
    }
    out
}
