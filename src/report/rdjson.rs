//! Findings in the Reviewdog Diagnostic Format, `rdjson`.
//!
//! Its definition is `proto/rdf/reviewdog.proto` in `reviewdog/reviewdog`.

use serde_json::{Value as Json, json};

use crate::{
    edit,
    finding::{Finding, Fix, Label, Severity},
    report::{
        Report, TOOL,
        json::{self, object},
        told,
    },
    rules,
    source::{Sources, Span},
};

/// The findings as one `DiagnosticResult`. `failure` is why nothing was judged.
pub(crate) fn rdjson(report: &Report<'_>, failure: Option<&str>) -> String {
    let findings = report.findings.iter();
    let mut diagnostics: Vec<Json> = findings.filter_map(|it| diagnostic(report, it)).collect();
    if let Some(message) = failure.filter(|_| diagnostics.is_empty()) {
        diagnostics.push(json!({
            "message": message,
            // It has no place, and reviewdog shows nothing that has none.
            "location": { "path": "." },
            "severity": level(Severity::Error),
        }));
    }
    json::pretty(&json!({
        "source": { "name": TOOL, "url": env!("CARGO_PKG_HOMEPAGE") },
        "diagnostics": diagnostics,
    }))
}

fn diagnostic(report: &Report<'_>, finding: &Finding) -> Option<Json> {
    let (primary, others) = finding.labels.split_first()?;
    let sources = report.sources;
    let mut message = report.sentence(finding);
    for remark in Report::remarks(finding) {
        message += &format!("\n{remark}");
    }
    let related = others.iter().map(|it| related(sources, it));
    Some(object([json!({
        "message": message,
        "location": location(sources, primary.span),
        "severity": level(finding.severity),
        "code": object([json!({
            "value": finding.rule,
            "url": rules::find(finding.rule).map(rules::Rule::page),
        })]),
        "suggestions": finding.fix.as_ref().and_then(|it| suggestion(sources, primary.span, it)).map(|it| [it]),
        "related_locations": (!others.is_empty()).then(|| related.collect::<Json>()),
    })]))
}

/// What `fix` makes of the lines around it, where all of it is in the file that the finding is in.
fn suggestion(sources: &Sources, primary: Span, fix: &Fix) -> Option<Json> {
    let (first, last) = (fix.edits.first()?.span, fix.edits.last()?.span);
    if first.file != primary.file || last.file != primary.file {
        return None;
    }
    let whole = Span { end: last.end, ..first };
    let text = edit::edited(sources, whole, &fix.edits);
    Some(json!({ "range": location(sources, whole)["range"], "text": text }))
}

fn related(sources: &Sources, label: &Label) -> Json {
    json!({ "message": told(label), "location": location(sources, label.span) })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "ERROR",
        Severity::Warning => "WARNING",
        Severity::Note => "INFO",
    }
}

/// Lines and columns count from 1; columns are bytes of UTF-8, and the end is the place after.
fn location(sources: &Sources, span: Span) -> Json {
    let position = |line: u32, byte: u32| {
        let start = sources.line_range(span.file, line).start;
        json!({ "line": line, "column": (byte as usize).saturating_sub(start) + 1 })
    };
    let start = position(sources.start(span).line, span.start);
    let end = position(sources.end(span).line, span.end);
    let range = json!({ "start": start, "end": Some(end).filter(|it| *it != start) });
    json!({ "path": sources.path_in_git(span.file), "range": object([range]) })
}
