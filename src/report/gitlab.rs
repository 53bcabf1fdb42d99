//! Findings as a Code Quality report of GitLab.
//!
//! The members are those of GitLab's documentation, "Code Quality report format".

use serde_json::{Value as Json, json};

use crate::{
    finding::{Finding, Severity},
    report::{
        Place, Report, TOOL,
        fingerprint::Identities,
        json::{self, object},
    },
};

/// The findings as an array of issues. `failure` is why nothing was judged.
pub(crate) fn gitlab(report: &Report<'_>, failure: Option<&str>) -> String {
    let mut identities = Identities::default();
    let findings = report.findings.iter();
    let mut issues: Vec<Json> =
        findings.filter_map(|it| issue(report, it, failure.is_some(), &mut identities)).collect();
    if let Some(message) = failure.filter(|_| issues.is_empty()) {
        issues.push(json!({
            "description": message,
            "check_name": TOOL,
            "fingerprint": identities.of(&[TOOL, message]),
            "severity": "blocker",
            // It has no place, and GitLab wants one.
            "location": { "path": ".", "lines": { "begin": 1 } },
        }));
    }
    json::pretty(&issues.into())
}

fn issue(
    report: &Report<'_>,
    finding: &Finding,
    failed: bool,
    identities: &mut Identities,
) -> Option<Json> {
    let label = finding.primary()?;
    let Place { path, start, end } = Place::in_git(report.sources, label.span);
    let remarks: Vec<String> = Report::remarks(finding).collect();
    let body = Some(remarks.join("\n")).filter(|it| !it.is_empty());
    Some(object([json!({
        "description": report.sentence(finding),
        "content": body.map(|it| json!({ "body": it })),
        "check_name": finding.rule,
        "fingerprint": identities.of_finding(report.sources, finding),
        "severity": match finding.severity {
            _ if failed => "blocker",
            Severity::Error => "critical",
            Severity::Warning => "major",
            Severity::Note => "info",
        },
        "location": { "path": path, "lines": { "begin": start.line, "end": end.line } },
    })]))
}
