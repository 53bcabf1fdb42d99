//! What somebody posts with an issue: see `docs/json.md`.

use std::{
    collections::BTreeMap,
    env::consts::{ARCH, OS},
    fmt::Write as _,
};

use serde_json::{Value as Json, json};

use crate::{
    data::public,
    model::Cluster,
    problem::Problem,
    report::{
        Report, TOOL, count,
        json::findings_json,
        private::{StandIns, is_public},
        show::shown_json,
    },
    resolve::environment::Environment,
    scalar::Dialect,
    source::{Relevance, Sources},
};

/// What is told of a repository, and what made the report.
#[derive(Debug)]
pub(crate) struct IssueReport<'a> {
    /// What is found.
    pub found: &'a Report<'a>,
    /// What `show` tells.
    pub environments: &'a [(Environment, Cluster)],
    /// The problems that are of none of the environments.
    pub problems: &'a [Problem],
    /// What was typed.
    pub command: &'a str,
    /// The words that the user says are public.
    pub kept: &'a [String],
}

/// The report without what is private, and how much of that there was, in words.
pub(crate) fn issue(it: &IssueReport<'_>) -> (String, String) {
    let sources = it.found.sources;
    let names = objects(sources).flat_map(|(_, _, names)| names);
    let paths = sources.iter().map(|(_, it)| &*it.path);
    let mut private = StandIns::new(it.kept, paths.chain(names));
    let mut all = json!({
        "format": format!("{TOOL} report"),
        "version": 1,
        "program": { "version": env!("CARGO_PKG_VERSION"), "target": format!("{ARCH}-{OS}") },
        "command": it.command,
        "repository": repository(sources),
        "show": shown_json(sources, it.environments, it.problems),
        "check": findings_json(it.found),
    });
    // A sentence may come before the name of which it is a word.
    private.strike("", &mut all.clone());
    private.strike("", &mut all);
    let struck = private.counts();
    let told: Vec<String> = struck.iter().map(|(kind, it)| count(*it, kind)).collect();
    all["redacted"] = json!(struck);
    (dense(&all), if told.is_empty() { "nothing".to_owned() } else { told.join(", ") })
}

/// What is said in JSON in the place of a report, without what is private.
pub(crate) fn struck_out(text: &str) -> String {
    let mut all: Json = serde_json::from_str(text).unwrap_or_else(|_| text.into());
    StandIns::new(&[], std::iter::empty()).strike("", &mut all);
    dense(&all)
}

/// `value` as JSON in which what is short has one line: an issue holds only so much.
fn dense(value: &Json) -> String {
    let mut out = String::new();
    add_dense(&mut out, value, 0);
    out + "\n"
}

fn add_dense(out: &mut String, value: &Json, indent: usize) {
    const SHORT: usize = 160;
    let whole = value.to_string();
    let (open, close, members): (_, _, Vec<_>) = match value {
        Json::Object(all) if whole.len() > SHORT => {
            ('{', '}', all.iter().map(|(key, it)| (Some(key), it)).collect())
        }
        Json::Array(all) if whole.len() > SHORT => {
            ('[', ']', all.iter().map(|it| (None, it)).collect())
        }
        _ => return out.push_str(&whole),
    };
    out.push(open);
    for (at, (key, member)) in members.into_iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        let _ = write!(out, "{comma}\n{:indent$}", "", indent = indent + 1);
        if let Some(key) = key {
            let _ = write!(out, "{}: ", Json::from(key.as_str()));
        }
        add_dense(out, member, indent + 1);
    }
    let _ = write!(out, "\n{:indent$}{close}", "");
}

/// How many files there are of each kind, and objects in those that were looked into.
fn repository(sources: &Sources) -> Json {
    let mut extensions: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, source) in sources.iter() {
        let (_, extension) = source.path.rsplit_once('.').unwrap_or_default();
        let is_known = public::EXTENSIONS.contains(&extension);
        *extensions.entry(if is_known { extension } else { "other" }).or_default() += 1;
    }
    let mut kinds: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (version, kind, _) in objects(sources) {
        let is_known = [version, kind].into_iter().flat_map(|it| it.split('/')).all(is_public);
        *kinds.entry(if is_known { (version, kind) } else { ("other", "other") }).or_default() += 1;
    }
    let kinds = kinds.into_iter().map(
        |((version, kind), count)| json!({ "api_version": version, "kind": kind, "count": count }),
    );
    json!({
        "files": sources.iter().count(),
        "extensions": extensions,
        "objects": kinds.collect::<Json>(),
    })
}

/// The objects in files that were looked into: version of the API, kind, name and namespace.
fn objects(sources: &Sources) -> impl Iterator<Item = (&str, &str, Vec<&str>)> {
    let files = sources.iter().filter(|(_, it)| it.relevance > Relevance::None);
    let roots = files.flat_map(|(file, _)| sources.documents(file, Dialect::Sigs).roots());
    roots.filter_map(|root| {
        let names = ["metadata.name", "metadata.namespace"].iter();
        let names = names.filter_map(|path| root.str_at(path)).collect();
        Some((root.str_at("apiVersion")?, root.str_at("kind")?, names))
    })
}
