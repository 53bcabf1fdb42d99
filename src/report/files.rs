//! `check --list-files`: which files are looked into, and why or why not.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::{
    config::{self, Config},
    discover,
    report::excerpt::harmless,
    settle::Scope,
    source::{self, Relevance, Source, Sources},
};

/// A line for each file in `scope`: its path, a tab, and whether and why it is looked into. What git
/// ignores is listed as far as the walk saw it: of a directory only that.
pub(crate) fn files(sources: &Sources, config: &Config, scope: &Scope) -> String {
    let ignored = sources.left_out.iter().map(|path| (&**path, "not: git ignores it".to_owned()));
    let files = sources.iter().map(|(_, it)| (&*it.path, why(sources, config, it)));
    let all: BTreeMap<&str, String> = ignored.chain(files).collect();
    let mut out = String::new();
    for (path, why) in all {
        if scope.covers(path.trim_end_matches('/')) {
            let _ = writeln!(out, "{}\t{why}", harmless(path));
        }
    }
    out
}

fn why(sources: &Sources, config: &Config, source: &Source) -> String {
    let path = &*source.path;
    if path == config::FILE {
        return "the configuration".to_owned();
    }
    if let Some(skip) = source.skipped() {
        return format!("not: it {skip}");
    }
    if let Some(inner) = sources.repositories.iter().find(|it| source::is_within(path, it)) {
        return format!("not: `{inner}` is a repository of its own");
    }
    let what = match source.relevance {
        Relevance::Subject => "it may be about metrics-server or kubelets' certificates",
        Relevance::Scaling => "it scales workloads",
        Relevance::Plumbing => "it may say what is built or installed",
        Relevance::Script => "it is a program that may install metrics-server",
        Relevance::None if source.is_loaded() => "something names it or looks for words in it",
        Relevance::None => {
            let why = match path {
                it if discover::is_hidden(it) => "its directory is hidden",
                it if discover::is_candidate(it) => "nothing in it is about metrics-server",
                _ => "it is no kind of file that is looked into",
            };
            return format!("not: {why}");
        }
    };
    match config.is_excluded(path) {
        true => format!("read for others: `exclude` says to report nothing here; {what}"),
        false => format!("looked into: {what}"),
    }
}
