//! Findings for programs. The form is described in `docs/json.md`; what is there stays there.

use serde::Serialize;

use crate::{
    finding::{Finding, Label},
    report::{Place, Report},
    settle::Counts,
    source::{Position, Sources},
};

/// The findings as JSON.
pub fn json(report: &Report<'_>) -> String {
    let Counts { errors, warnings, notes } = Counts::of(&report.findings);
    pretty(&Document {
        version: 1,
        findings: report.findings.iter().map(|it| Found::of(report.sources, it)).collect(),
        environments: &report.environments,
        summary: Summary {
            errors,
            warnings,
            notes,
            suppressed: report.suppressed,
            files: report.sources.iter().count(),
        },
    })
}

/// `value` as indented JSON with a line break at its end.
pub(super) fn pretty(value: &impl Serialize) -> String {
    // Our own types serialize: no maps with other keys than strings, no failing implementations.
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    findings: Vec<Found<'a>>,
    environments: &'a [String],
    summary: Summary,
}

#[derive(Serialize)]
struct Summary {
    errors: usize,
    warnings: usize,
    notes: usize,
    suppressed: usize,
    files: usize,
}

#[derive(Serialize)]
struct Found<'a> {
    rule: &'a str,
    severity: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
    subject: &'a str,
    environments: Vec<&'a str>,
    labels: Vec<Labelled<'a>>,
}

#[derive(Serialize)]
struct Labelled<'a> {
    kind: &'a str,
    file: &'a str,
    start: Point,
    end: Point,
    #[serde(skip_serializing_if = "str::is_empty")]
    text: &'a str,
}

#[derive(Serialize)]
struct Point {
    line: u32,
    column: u32,
}

impl<'a> Found<'a> {
    fn of(sources: &'a Sources, finding: &'a Finding) -> Self {
        let labels = finding.labels.iter().enumerate();
        Self {
            rule: finding.rule,
            severity: finding.severity.id(),
            message: &finding.message,
            help: finding.help.as_deref(),
            subject: &finding.subject,
            environments: finding.environments.iter().map(String::as_str).collect(),
            labels: labels.map(|(index, it)| Labelled::of(sources, it, index == 0)).collect(),
        }
    }
}

impl<'a> Labelled<'a> {
    fn of(sources: &'a Sources, label: &'a Label, primary: bool) -> Self {
        let Place { path, start, end } = Place::of(sources, label.span);
        let kind = match label.step {
            _ if primary => "primary",
            true => "step",
            false => "related",
        };
        Self { kind, file: path, start: start.into(), end: end.into(), text: &label.text }
    }
}

impl From<Position> for Point {
    fn from(it: Position) -> Self {
        Self { line: it.line, column: it.column }
    }
}
