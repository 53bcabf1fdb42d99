//! Findings as SARIF 2.1.0, in the shape that GitHub code scanning understands.
//!
//! The limits are those of GitHub's documentation on SARIF support. Suppressed findings are left
//! out, since code scanning shows them regardless.

use std::fmt::Write as _;

use indexmap::IndexMap;
use serde_json::{Value as Json, json};

use crate::{
    finding::{Applicability, Edit, Finding, Fix, Label, Severity},
    report::{
        Place, Report, TOOL,
        fingerprint::Fingerprints,
        json::{self, object},
        told,
    },
    rules::{RULES, Rule},
    source::{FileId, Position, Sources, Span},
};

/// More results than this are not shown.
const MAX_RESULTS: usize = 5000;

/// More characters than this are refused.
const MAX_TEXT: usize = 1024;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The findings as a SARIF log. Where `failure` says why nothing was judged, they are what is wrong
/// with the configuration.
pub(crate) fn sarif(report: &Report<'_>, failure: Option<&str>) -> String {
    if let Some(message) = failure {
        return failed(report, message);
    }
    let mut lines: IndexMap<(&str, FileId, u32), Vec<&Finding>> = IndexMap::new();
    for finding in &report.findings {
        let Some(label) = finding.primary() else { continue };
        let start = report.sources.start(label.span);
        // Alerts are told apart by rule and line: two of them on one line would become one.
        lines.entry((finding.rule, label.span.file, start.line)).or_default().push(finding);
    }
    let left_out = lines.len().saturating_sub(MAX_RESULTS);
    let mut fingerprints = Fingerprints::default();
    let results = lines.values().take(MAX_RESULTS);
    let results: Vec<Json> =
        results.filter_map(|it| result(report, it, &mut fingerprints)).collect();
    let left_out = (left_out > 0).then(|| format!("{left_out} more results are left out"));
    let notifications = left_out.map(|it| notification("warning", &it, None));
    log(&results, true, notifications.as_slice())
}

/// A log that says why there are no findings: the tool could not do its job.
fn failed(report: &Report<'_>, message: &str) -> String {
    let notice = |it: &Finding| {
        let place = it.primary().map(|label| location(report.sources, label, None, false));
        notification("error", &it.message, place)
    };
    let mut notifications: Vec<Json> = report.findings.iter().map(notice).collect();
    if notifications.is_empty() {
        notifications.push(notification("error", message, None));
    }
    log(&[], false, &notifications)
}

fn log(results: &[Json], successful: bool, notifications: &[Json]) -> String {
    json::pretty(&json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": TOOL,
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_HOMEPAGE"),
                "rules": RULES.iter().map(descriptor).collect::<Json>(),
            }},
            "automationDetails": { "id": format!("{TOOL}/") },
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": successful,
                "toolExecutionNotifications": notifications,
            }],
            "results": results,
        }],
    }))
}

fn notification(level: &str, text: &str, location: Option<Json>) -> Json {
    object([json!({
        "level": level,
        "message": { "text": short(text) },
        "locations": location.map(|it| [it]),
    })])
}

/// A rule's metadata: SARIF's `reportingDescriptor`.
fn descriptor(rule: &Rule) -> Json {
    let text = rule.text.trim();
    let mut markdown = text.to_owned();
    if !rule.references.is_empty() {
        let links = rule.references.iter().map(|it| format!("\n- <{it}>"));
        let _ = write!(markdown, "\n\nRead more:\n{}", links.collect::<String>());
    }
    json!({
        "id": rule.id,
        "name": name(rule),
        "helpUri": rule.page(),
        "shortDescription": { "text": short(rule.title) },
        "fullDescription": { "text": short(&rule.summary) },
        "help": { "text": text, "markdown": markdown },
        "defaultConfiguration": { "level": rule.severity.id() },
        "properties": object([json!({
            "tags": ["kubernetes", rule.category.id()],
            "precision": rule.confidence.id(),
            "problem.severity": match rule.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Note => "recommendation",
            },
            "security-severity": rule.security_severity.map(|it| format!("{it:.1}")),
        })]),
    })
}

/// The findings of one rule on one line: SARIF's `result`.
fn result(
    report: &Report<'_>,
    findings: &[&Finding],
    fingerprints: &mut Fingerprints,
) -> Option<Json> {
    let (first, others) = findings.split_first()?;
    let (primary, rest) = first.labels.split_first()?;
    let sources = report.sources;
    let line = sources.start(primary.span).line;
    let related = rest.iter().zip(1..);
    let related: Vec<Json> =
        related.map(|(label, id)| location(sources, label, Some(id), true)).collect();
    let links = rest.iter().zip(1..).map(|(label, id)| format!("[{}]({id})", linked(&label.text)));
    let links: Vec<_> = links.collect();
    let mut text = sentence(&report.sentence(first));
    for other in others {
        let _ = write!(text, " Also: {}.", report.sentence(other));
    }
    for note in &first.notes {
        let _ = write!(text, " Note: {}", sentence(note));
    }
    if let Some(help) = &first.help {
        let _ = write!(text, " Fix: {}", sentence(help));
    }
    let way = (!links.is_empty()).then(|| format!(" See: {}.", links.join(", ")));
    // What is cut off must not be half a link.
    let way = way.filter(|it| it.chars().count() < MAX_TEXT / 2).unwrap_or_default();
    let text = cut(&text, MAX_TEXT - way.chars().count()) + &way;
    let steps = first.labels.iter().filter(|it| it.via.is_some());
    let steps: Vec<Json> =
        steps.map(|it| json!({ "location": location(sources, it, None, true) })).collect();
    let flow = (steps.len() > 1).then(|| json!([{ "threadFlows": [{ "locations": steps }] }]));
    Some(object([json!({
        "ruleId": first.rule,
        "ruleIndex": RULES.iter().position(|it| it.id == first.rule),
        "level": first.severity.id(),
        "message": { "text": text },
        "locations": [location(sources, primary, None, false)],
        "partialFingerprints": object([json!({
            "primaryLocationLineHash": fingerprints.line_hash(sources, primary.span.file, line),
        })]),
        "relatedLocations": (!related.is_empty()).then_some(related),
        "codeFlows": flow,
        "fixes": first.fix.as_ref().map(|it| [fix_of(sources, first, it)]),
    })]))
}

/// What mends `finding`: the bytes of each file that go, and what comes instead.
fn fix_of(sources: &Sources, finding: &Finding, fix: &Fix) -> Json {
    let what = finding.help.as_deref().unwrap_or("mend it");
    let text = match fix.applicability {
        Applicability::Safe => sentence(what),
        Applicability::Unsafe => {
            format!("{} Look at it: it may not be what is meant.", sentence(what))
        }
    };
    let replacement = |edit: &Edit| {
        let Place { start, end, .. } = Place::of(sources, edit.span);
        json!({
            "deletedRegion": {
                "startLine": start.line,
                "startColumn": start.column,
                "endLine": end.line,
                "endColumn": end.column,
            },
            "insertedContent": { "text": edit.text },
        })
    };
    let files = fix.edits.chunk_by(|one, next| one.span.file == next.span.file);
    let changes = files.filter_map(|edits| {
        let path = sources.path_in_git(edits.first()?.span.file);
        let replacements = edits.iter().map(replacement).collect::<Json>();
        Some(json!({ "artifactLocation": { "uri": uri(&path) }, "replacements": replacements }))
    });
    json!({ "description": { "text": short(&text) }, "artifactChanges": changes.collect::<Json>() })
}

fn location(sources: &Sources, label: &Label, id: Option<usize>, says: bool) -> Json {
    let Place { path, start, end } = Place::in_git(sources, label.span);
    let line = sources.line(label.span.file, start.line);
    let last = sources.line_range(label.span.file, start.line).start + line.len();
    let after = sources.start(Span::new(label.span.file, last..last)).column;
    let (start, end) = match () {
        // What is not there is shown by the line that it is not on.
        () if start == end => {
            let blanks = line.chars().take_while(|it| it.is_whitespace()).count();
            let first = u32::try_from(blanks + 1).unwrap_or(1).min(after);
            (Position { column: first, ..start }, Position { column: after, ..start })
        }
        () if start.line == end.line => (start, end),
        // A pull request shows an alert only if it changes every line of the region.
        () => (start, Position { column: after.max(start.column), ..start }),
    };
    object([json!({
        "id": id,
        "physicalLocation": {
            "artifactLocation": { "uri": uri(&path) },
            "region": {
                "startLine": start.line,
                "startColumn": start.column,
                "endLine": end.line,
                "endColumn": end.column,
            },
        },
        "message": says.then(|| json!({ "text": short(told(label)) })),
    })])
}

/// `KubeletInsecureTls`, as SARIF calls rules beside their ids; `InputSyntax` where that would be the
/// id itself.
fn name(rule: &Rule) -> String {
    let category = Some(rule.category.id()).filter(|_| !rule.id.contains('-'));
    let words = category.into_iter().chain(rule.id.split('-'));
    let capital = |word: &str| match word.split_at_checked(1) {
        // A capital alone would be the start of the next word.
        Some((first, rest)) if !rest.is_empty() => first.to_ascii_uppercase() + rest,
        _ => word.to_owned(),
    };
    words.map(capital).collect()
}

/// `text` with a full stop.
fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

/// `text` as the text of a link.
fn linked(text: &str) -> String {
    let text = if text.is_empty() { "here" } else { text };
    cut(&text.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]"), 100)
}

fn short(text: &str) -> String {
    cut(text, MAX_TEXT)
}

/// At most `most` characters of `text`.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// A path as a relative reference of RFC 3986.
pub(super) fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    // A colon in the first segment would end a scheme.
    if path.split('/').next().is_some_and(|first| first.contains(':')) {
        uri.push_str("./");
    }
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => uri.push(char::from(byte)),
            b'-' | b'.' | b'_' | b'~' | b'/' | b':' | b'@' | b'+' | b',' | b'=' => {
                uri.push(char::from(byte));
            }
            byte => {
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_as_references() {
        assert_eq!(uri("a/b c.yaml"), "a/b%20c.yaml");
        assert_eq!(uri("ä/100%.yaml"), "%C3%A4/100%25.yaml");
        assert_eq!(uri("a:b/c.yaml"), "./a:b/c.yaml");
        assert_eq!(uri("a/b:c.yaml"), "a/b:c.yaml");
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüx", 3), "äö…");
    }
}
