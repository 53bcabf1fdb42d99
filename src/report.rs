//! What was found as bytes: text for people, JSON for everybody's programs, and the forms of those
//! who show findings beside the code.

mod diff;
mod draw;
mod excerpt;
mod explain;
mod files;
mod fingerprint;
mod github;
mod gitlab;
mod issue;
mod json;
mod junit;
mod markdown;
mod patch;
mod private;
mod prose;
mod rdjson;
mod render;
mod sarif;
mod secrets;
mod show;
mod terminal;
mod text;
mod workflow;

pub(crate) use diff::{Compared, diff, diff_json, diff_markdown};
pub(crate) use explain::{explain, here, rules, rules_json};
pub(crate) use files::files;
pub(crate) use github::{as_log, github, without_commands};
pub(crate) use issue::{IssueReport, issue, struck_out};
pub(crate) use json::json;
pub(crate) use markdown::{STEP_SUMMARY, markdown};
pub(crate) use render::{render_json, render_yaml};
pub(crate) use sarif::sarif;
pub(crate) use show::{
    has_setting, show, show_json, show_markdown, show_setting, show_setting_markdown,
    show_settings_json, value,
};
pub(crate) use terminal::{Progress, Screen, TerminalOptions};
pub(crate) use text::{concise, summary, text};
pub(crate) use workflow::Workflow;

use std::{
    borrow::Cow,
    collections::BTreeSet,
    fmt::{self, Write as _},
};

use self::markdown::COMMENT;
use crate::{
    cli::Format,
    finding::{Finding, Label, Severity},
    settle::Counts,
    source::{Position, Sources, Span},
};

/// What the program is called where findings of several stand side by side.
const TOOL: &str = env!("CARGO_PKG_NAME");

/// What a run found.
#[derive(Debug, Clone)]
pub(crate) struct Report<'a> {
    /// The files.
    pub sources: &'a Sources,
    /// The findings, settled.
    pub findings: Vec<Finding>,
    /// The names of all environments, in order.
    pub environments: Vec<String>,
    /// Whether what the user names has a part in no environment, of which there may be any number.
    pub untouched: bool,
    /// How many findings comments suppress.
    pub suppressed: usize,
    /// How many more there are with `--pedantic`.
    pub pedantic: usize,
    /// How many more there are with a lower `--min-severity`.
    pub less_severe: Counts,
    /// How many more there are that the file of `--baseline` lists, if there is one.
    pub baseline: Option<usize>,
    /// How many more there are that the tree of `--since` has too, if there is one.
    pub since: Option<usize>,
    /// What `--fix` or `--diff` mends, if one is given; these are not among the findings.
    pub fixed: Option<Vec<FixedFinding>>,
    /// Whether that is so in a patch only.
    pub is_patch: bool,
    /// The files outside of what the user names that fixes would edit: none of these is made.
    pub elsewhere: BTreeSet<String>,
}

/// A finding that is mended, by its place before that.
#[derive(Debug, Clone)]
pub(crate) struct FixedFinding {
    path: String,
    line: u32,
    rule: &'static str,
}

impl FixedFinding {
    pub(crate) fn of(sources: &Sources, finding: &Finding) -> Self {
        let place = finding.primary().map(|it| Place::of(sources, it.span));
        let (path, line) = place.map_or_else(Default::default, |it| (it.path, it.start.line));
        Self { path: path.into_owned(), line, rule: finding.rule }
    }
}

impl fmt::Display for FixedFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} ({})", self.path, self.line, self.rule)
    }
}

/// A place as people and machines are told it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place<'a> {
    path: Cow<'a, str>,
    start: Position,
    /// The column is that of the character after the last one.
    end: Position,
}

impl<'a> Place<'a> {
    fn of(sources: &'a Sources, span: Span) -> Self {
        let path = sources[span.file].path.as_str().into();
        Self { path, start: sources.start(span), end: sources.end(span) }
    }

    /// The same as pipelines know it, by its path from the root of Git.
    fn in_git(sources: &'a Sources, span: Span) -> Self {
        Self { path: sources.path_in_git(span.file), ..Self::of(sources, span) }
    }
}

/// The findings of `report` in a format that programs read, or that comments hold. `failure` is why
/// nothing was judged; the findings then are what is wrong with the configuration. `files` is where
/// links lead.
pub(crate) fn for_programs(
    format: Format,
    report: &Report<'_>,
    failure: Option<&str>,
    files: Option<&str>,
) -> String {
    match (format, failure) {
        (Format::Json, Some(failure)) => json::failure(report, failure),
        (Format::Json, None) => json(report),
        (Format::Sarif, _) => sarif(report, failure),
        (Format::Github, _) => github(report, failure),
        (Format::Gitlab, _) => gitlab::gitlab(report, failure),
        (Format::Junit, _) => junit::junit(report, failure),
        (Format::Rdjson, _) => rdjson::rdjson(report, failure),
        (Format::Markdown, _) => markdown(report, failure, files, COMMENT),
        (Format::Text | Format::Concise | Format::Yaml, _) => String::new(),
    }
}

/// That what the user names has a part in no environment.
const UNTOUCHED: &str = "what is named has no part in the metrics-server of any environment";

impl<'a> Report<'a> {
    /// Whether there is no environment at all, as far as somebody looked.
    pub(crate) fn is_empty(&self) -> bool {
        self.environments.is_empty() && !self.untouched
    }

    /// That nothing was found in these files.
    pub(crate) fn of(sources: &'a Sources) -> Self {
        Self {
            sources,
            findings: Vec::new(),
            environments: Vec::new(),
            untouched: false,
            suppressed: 0,
            pedantic: 0,
            less_severe: Counts::default(),
            baseline: None,
            since: None,
            fixed: None,
            is_patch: false,
            elsewhere: BTreeSet::new(),
        }
    }

    /// Whether there is a finding that is at least so bad, be it shown or not.
    pub(crate) fn has(&self, least: Severity) -> bool {
        self.less_severe.has(least) || self.findings.iter().any(|it| it.severity >= least)
    }
}

impl Report<'_> {
    /// The same without what mends each finding.
    pub(crate) fn without_fixes(&self) -> Self {
        let mut report = self.clone();
        report.findings.iter_mut().for_each(|it| it.fix = None);
        report
    }

    /// What is wrong, and where: `256Mi is too little (in 1 of 2 environments: prod)`.
    pub(crate) fn sentence(&self, finding: &Finding) -> String {
        let names = self.environments_of(finding).map(|names| format!(" ({names})"));
        format!("{}{}", finding.message, names.unwrap_or_default())
    }

    /// What else is said of a finding, each on a line of its own.
    pub(crate) fn remarks(finding: &Finding) -> impl Iterator<Item = String> {
        let notes = finding.notes.iter().map(|it| format!("note: {it}"));
        notes.chain(finding.help.iter().map(|it| format!("help: {it}")))
    }

    /// `in 2 of 5 environments: prod-eu, prod-us`; `None` when there is nothing to tell apart.
    fn environments_of(&self, finding: &Finding) -> Option<String> {
        let path = finding.primary().map(|it| &self.sources[it.span.file].path);
        // A values file that nothing names is an environment of its own name.
        let says_it = finding.environments.len() == 1 && finding.environments.first() == path;
        if says_it { None } else { environments(finding, &self.environments) }
    }
}

fn environments(finding: &Finding, all: &[String]) -> Option<String> {
    const NAMED: usize = 5;
    let names: Vec<&str> = finding.environments.iter().map(String::as_str).collect();
    if names.is_empty() || all.len() < 2 {
        return None;
    }
    if names.len() >= all.len() {
        return Some(match all.len() {
            2 => "in both environments".to_owned(),
            all => format!("in all {all} environments"),
        });
    }
    let mut list = excerpt::harmless(&names[..names.len().min(NAMED)].join(", "));
    if names.len() > NAMED {
        let _ = write!(list, ", +{}", names.len() - NAMED);
    }
    Some(format!("in {} of {} environments: {list}", names.len(), all.len()))
}

/// `text` broken between words where a line would be longer than `width`, when the first line starts
/// in column `first` and the others in column `rest`. A word is never broken, so that a path stays in
/// one piece, which terminals and editors make a link of.
fn filled(text: &str, first: usize, rest: usize, width: usize) -> String {
    let mut out = String::new();
    let mut column = first;
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
            column = rest;
        }
        for (index, word) in line.split(' ').enumerate() {
            let (blank, length) = (usize::from(index > 0), draw::columns(word));
            let helps = column > rest && rest + length <= width;
            if column + blank + length > width && (index > 0 || helps) {
                out.push('\n');
                column = rest;
            } else if index > 0 {
                out.push(' ');
                column += blank;
            }
            out += word;
            column += length;
        }
    }
    out
}

/// What a place has to do with its finding.
pub(crate) fn told(label: &Label) -> &str {
    if label.text.is_empty() { "written here" } else { &label.text }
}

/// `1 file`, `2 files`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}
