//! Findings for programs. The form is described in `docs/json.md`; what is there stays there.

use serde_json::{Value as Json, json};

use crate::{
    finding::{Edit, Finding, Fix, Label},
    report::{Place, Report},
    settle::Counts,
    source::{Position, Sources, Span},
};

/// The findings as JSON.
pub(crate) fn json(report: &Report<'_>) -> String {
    pretty(&findings_json(report))
}

/// The same before it is text.
pub(super) fn findings_json(report: &Report<'_>) -> Json {
    let Counts { errors, warnings, notes } = Counts::of(&report.findings);
    let findings = report.findings.iter().map(|it| finding_json(report.sources, it));
    json!({
        "version": 1,
        "findings": findings.collect::<Json>(),
        "environments": report.environments,
        "summary": object([json!({
            "errors": errors,
            "warnings": warnings,
            "notes": notes,
            "suppressed": report.suppressed,
            "pedantic": report.pedantic,
            "less_severe": report.less_severe.sum(),
            "baseline": report.baseline,
            "since": report.since,
            "fixed": report.fixed.as_ref().map(Vec::len),
            "files": report.sources.iter().count(),
        })]),
    })
}

/// Why there is no answer, in the place of one: who looks for findings finds no empty list of them.
/// The findings are what is wrong with the configuration.
pub(super) fn failure(report: &Report<'_>, message: &str) -> String {
    let findings = report.findings.iter().map(|it| finding_json(report.sources, it));
    let findings = findings.collect::<Json>();
    pretty(&json!({ "version": 1, "error": { "message": message, "findings": findings } }))
}

/// `value` as indented JSON with a line break at its end.
pub(super) fn pretty(value: &Json) -> String {
    format!("{value:#}\n")
}

/// An object of the members of `parts`, in order, without those that are null.
pub(super) fn object<const N: usize>(parts: [Json; N]) -> Json {
    let members = parts.into_iter().filter_map(|it| match it {
        Json::Object(members) => Some(members),
        _ => None,
    });
    members.flatten().filter(|(_, value)| !value.is_null()).collect()
}

/// The file, line and column at which `span` starts, as members; null for a place in no file.
pub(super) fn place_json(sources: &Sources, span: Option<Span>) -> Json {
    let place = span.map(|span| Place::of(sources, span));
    let members = |Place { path, start, .. }: Place<'_>| json!({ "file": path, "line": start.line, "column": start.column });
    place.map_or(Json::Null, members)
}

/// A finding with its places.
pub(super) fn finding_json(sources: &Sources, finding: &Finding) -> Json {
    let labels = finding.labels.iter().enumerate();
    object([json!({
        "rule": finding.rule,
        "severity": finding.severity.id(),
        "message": finding.message,
        "notes": finding.notes,
        "help": finding.help,
        "subject": finding.subject,
        "environments": finding.environments,
        "labels": labels.map(|(index, it)| label_json(sources, it, index == 0)).collect::<Json>(),
        "fix": finding.fix.as_ref().map(|it| fix_json(sources, it)),
    })])
}

/// What mends a finding: bytes between two places, and what stands there instead.
fn fix_json(sources: &Sources, fix: &Fix) -> Json {
    let edit = |edit: &Edit| {
        let Place { path, start, end } = Place::of(sources, edit.span);
        json!({ "file": path, "start": point(start), "end": point(end), "text": edit.text })
    };
    let edits = fix.edits.iter().map(edit).collect::<Json>();
    json!({ "applicability": fix.applicability.id(), "edits": edits })
}

fn point(it: Position) -> Json {
    json!({ "line": it.line, "column": it.column })
}

fn label_json(sources: &Sources, label: &Label, primary: bool) -> Json {
    let Place { path, start, end } = Place::of(sources, label.span);
    let kind = match label.via {
        _ if primary => "primary",
        Some(_) => "step",
        None => "related",
    };
    object([json!({
        "kind": kind,
        "file": path,
        "start": point(start),
        "end": point(end),
        "text": Some(&label.text).filter(|it| !it.is_empty()),
    })])
}
