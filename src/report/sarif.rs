//! Findings as SARIF 2.1.0, in the shape that GitHub code scanning understands.
//!
//! The limits are those of GitHub's documentation on SARIF support. Suppressed findings are left
//! out, since code scanning shows them regardless.

use std::fmt::Write as _;

use indexmap::IndexMap;
use serde::Serialize;

use crate::{
    finding::{Finding, Label, Severity},
    report::{Place, Report, fingerprint::Fingerprints, json},
    rules::{RULES, Rule},
    source::{Position, Sources},
};

/// More results than this are not shown.
const MAX_RESULTS: usize = 5000;

/// More characters than this are refused.
const MAX_TEXT: usize = 1024;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The findings as a SARIF log.
pub fn sarif(report: &Report<'_>) -> String {
    let mut lines: IndexMap<(&str, &str, u32), Vec<&Finding>> = IndexMap::new();
    for finding in &report.findings {
        let Some(label) = finding.primary() else { continue };
        let Place { path, start, .. } = Place::of(report.sources, label.span);
        // Alerts are told apart by rule and line: two of them on one line would become one.
        lines.entry((finding.rule, path, start.line)).or_default().push(finding);
    }
    let left_out = lines.len().saturating_sub(MAX_RESULTS);
    let mut fingerprints = Fingerprints::default();
    let results = lines.values().take(MAX_RESULTS);
    let results = results.filter_map(|it| Outcome::of(report, it, &mut fingerprints)).collect();
    let notifications = (left_out > 0).then(|| Notification {
        level: "warning",
        message: Message { text: format!("{left_out} more results are left out") },
        locations: Vec::new(),
    });
    log(results, true, notifications.into_iter().collect())
}

/// A log that says why there are no findings: the tool could not do its job.
pub fn failure(sources: Option<&Sources>, message: &str, findings: &[Finding]) -> String {
    let mut notifications: Vec<_> = findings
        .iter()
        .map(|it| {
            let primary = it.primary().zip(sources);
            Notification {
                level: "error",
                message: Message { text: short(&it.message) },
                locations: primary
                    .map(|(label, sources)| Location::of(sources, label, None, false))
                    .into_iter()
                    .collect(),
            }
        })
        .collect();
    if notifications.is_empty() {
        let message = Message { text: short(message) };
        notifications.push(Notification { level: "error", message, locations: Vec::new() });
    }
    log(Vec::new(), false, notifications)
}

fn log(results: Vec<Outcome>, successful: bool, notifications: Vec<Notification>) -> String {
    json::pretty(&Log {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: env!("CARGO_PKG_NAME"),
                    semantic_version: env!("CARGO_PKG_VERSION"),
                    rules: RULES.iter().map(Descriptor::of).collect(),
                },
            },
            automation_details: Details { id: concat!(env!("CARGO_PKG_NAME"), "/") },
            column_kind: "unicodeCodePoints",
            invocations: [Invocation {
                execution_successful: successful,
                tool_execution_notifications: notifications,
            }],
            results,
        }],
    })
}

#[derive(Serialize)]
struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    automation_details: Details,
    column_kind: &'static str,
    invocations: [Invocation; 1],
    results: Vec<Outcome>,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: &'static str,
    rules: Vec<Descriptor>,
}

#[derive(Serialize)]
struct Details {
    id: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    tool_execution_notifications: Vec<Notification>,
}

#[derive(Serialize)]
struct Notification {
    level: &'static str,
    message: Message,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<Location>,
}

/// A rule's metadata.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    id: &'static str,
    short_description: Message,
    full_description: Message,
    help: Help,
    default_configuration: Configuration,
    properties: Properties,
}

#[derive(Serialize)]
struct Help {
    text: String,
    markdown: String,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
struct Properties {
    tags: [&'static str; 2],
    precision: &'static str,
    #[serde(rename = "problem.severity")]
    severity: &'static str,
    #[serde(rename = "security-severity", skip_serializing_if = "Option::is_none")]
    security: Option<String>,
}

#[derive(Serialize)]
struct Message {
    text: String,
}

/// SARIF's `result`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    rule_id: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_index: Option<usize>,
    level: &'static str,
    message: Message,
    locations: [Location; 1],
    partial_fingerprints: Hashes,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    code_flows: Vec<CodeFlow>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Hashes {
    #[serde(skip_serializing_if = "Option::is_none")]
    primary_location_line_hash: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "SARIF's own names")]
struct Location {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    physical_location: Physical,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
    region: Region,
}

#[derive(Serialize)]
struct Artifact {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
    start_column: u32,
    end_line: u32,
    end_column: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CodeFlow {
    thread_flows: [ThreadFlow; 1],
}

#[derive(Serialize)]
struct ThreadFlow {
    locations: Vec<FlowLocation>,
}

#[derive(Serialize)]
struct FlowLocation {
    location: Location,
}

impl Descriptor {
    fn of(rule: &Rule) -> Self {
        let text = rule.text.trim();
        let mut markdown = text.to_owned();
        if !rule.references.is_empty() {
            let links = rule.references.iter().map(|it| format!("\n- <{it}>"));
            let _ = write!(markdown, "\n\nRead more:\n{}", links.collect::<String>());
        }
        Self {
            id: rule.id,
            short_description: Message { text: short(rule.title) },
            full_description: Message { text: short(&rule.summary) },
            help: Help { text: text.to_owned(), markdown },
            default_configuration: Configuration { level: rule.severity.id() },
            properties: Properties {
                tags: ["kubernetes", rule.category.id()],
                precision: "high",
                severity: match rule.severity {
                    Severity::Error => "error",
                    Severity::Warning => "warning",
                    Severity::Note => "recommendation",
                },
                security: rule.security_severity.map(|it| format!("{it:.1}")),
            },
        }
    }
}

impl Outcome {
    /// The findings of one rule on one line.
    fn of(
        report: &Report<'_>,
        findings: &[&Finding],
        fingerprints: &mut Fingerprints,
    ) -> Option<Self> {
        let (first, others) = findings.split_first()?;
        let (primary, rest) = first.labels.split_first()?;
        let sources = report.sources;
        let line = sources.start(primary.span).line;
        let related = rest.iter().zip(1..);
        let related: Vec<_> =
            related.map(|(label, id)| Location::of(sources, label, Some(id), true)).collect();
        let links =
            rest.iter().zip(1..).map(|(label, id)| format!("[{}]({id})", linked(&label.text)));
        let links: Vec<_> = links.collect();
        let where_else = |it: &Finding| {
            let names = report.environments_of(it);
            names.map_or_else(String::new, |names| format!(" ({names})"))
        };
        let mut text = sentence(&format!("{}{}", first.message, where_else(first)));
        for other in others {
            let _ = write!(text, " Also: {}{}.", other.message, where_else(other));
        }
        if let Some(help) = &first.help {
            let _ = write!(text, " Fix: {}", sentence(help));
        }
        let way = (!links.is_empty()).then(|| format!(" See: {}.", links.join(", ")));
        // What is cut off must not be half a link.
        let way = way.filter(|it| it.chars().count() < MAX_TEXT / 2).unwrap_or_default();
        let text = cut(&text, MAX_TEXT - way.chars().count()) + &way;
        let steps: Vec<&Label> = first.labels.iter().filter(|it| it.step).collect();
        let flow = (steps.len() > 1).then(|| CodeFlow {
            thread_flows: [ThreadFlow {
                locations: steps
                    .into_iter()
                    .map(|it| FlowLocation { location: Location::of(sources, it, None, true) })
                    .collect(),
            }],
        });
        Some(Self {
            rule_id: first.rule,
            rule_index: RULES.iter().position(|it| it.id == first.rule),
            level: first.severity.id(),
            message: Message { text },
            locations: [Location::of(sources, primary, None, false)],
            partial_fingerprints: Hashes {
                primary_location_line_hash: fingerprints.of(sources, primary.span.file, line),
            },
            related_locations: related,
            code_flows: flow.into_iter().collect(),
        })
    }
}

impl Location {
    fn of(sources: &Sources, label: &Label, id: Option<usize>, told: bool) -> Self {
        let Place { path, start, end } = Place::of(sources, label.span);
        let line = sources.line(label.span.file, start.line);
        let after = u32::try_from(line.chars().count() + 1).unwrap_or(u32::MAX);
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
        let text = match &*label.text {
            "" => "written here".to_owned(),
            text => short(text),
        };
        Self {
            id,
            physical_location: Physical {
                artifact_location: Artifact { uri: uri(path) },
                region: Region {
                    start_line: start.line,
                    start_column: start.column,
                    end_line: end.line,
                    end_column: end.column,
                },
            },
            message: told.then_some(Message { text }),
        }
    }
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
fn uri(path: &str) -> String {
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
