//! What is written for programs is what these take, whatever stands in it.

use std::collections::BTreeSet;

use clap::ValueEnum as _;
use serde_json::Value;

use super::{
    halves,
    repository::{Archive, StagedRepository},
};
use crate::{
    cli::{Format, Verbosity},
    finding::{Finding, Label, Severity},
    report::{self, Report, TerminalOptions},
    rules,
    source::{FileId, Sources, Span},
};

/// The report in the format of this name.
pub(super) fn written(report: &Report<'_>, format: &str) -> String {
    match Format::from_str(format, false) {
        Ok(Format::Concise) => report::concise(report, TerminalOptions::PLAIN),
        Ok(Format::Text) | Err(_) => {
            report::text(report, TerminalOptions::PLAIN, Verbosity::Normal)
        }
        Ok(format) => {
            report::for_programs(format, report, None, Some("https://example.com/{path}"))
        }
    }
}

/// Every format of the report is what it should be.
pub(super) fn assert_written(report: &Report<'_>) {
    for format in Format::OF_FINDINGS {
        let name =
            format.to_possible_value().map(|it| it.get_name().to_owned()).unwrap_or_default();
        let text = written(report, &name);
        match format {
            Format::Json | Format::Gitlab | Format::Rdjson => assert_json(&text),
            Format::Sarif => assert_sarif(&text),
            Format::Junit => {
                let is_char = |it: char| {
                    !it.is_control() || matches!(it, '\t' | '\n' | '\r' | '\u{7f}'..='\u{9f}')
                };
                let is_char = |it: char| is_char(it) && !matches!(it, '\u{fffe}' | '\u{ffff}');
                assert!(text.chars().all(is_char), "no XML: {text:?}");
            }
            _ => assert_plain(&text),
        }
        assert_no_command(&String::from_utf8_lossy(&report::as_log(format, text.as_bytes())));
    }
}

/// It is JSON.
pub(super) fn assert_json(text: &str) {
    let parsed = serde_json::from_str::<Value>(text);
    assert!(parsed.is_ok(), "{parsed:?}: {text}");
}

/// No character does anything to a terminal.
pub(super) fn assert_plain(text: &str) {
    let control = text.chars().find(|it| it.is_control() && *it != '\n' && *it != '\t');
    assert!(control.is_none(), "{control:?} in {text:?}");
}

/// No line is a command to what runs a pipeline but those of findings.
fn assert_no_command(log: &str) {
    const OURS: [&str; 5] = ["::error", "::warning", "::notice", "::group::", "::endgroup::"];
    for line in log.split(['\n', '\r']).map(str::trim_start) {
        let is_ours = OURS.iter().any(|it| line.starts_with(it));
        assert!(is_ours || !line.starts_with("::"), "{line:?} is a command");
        assert!(!line.contains("##["), "{line:?} has a command");
    }
}

/// It is SARIF whose regions are ones.
fn assert_sarif(text: &str) {
    let log: Value = serde_json::from_str(text).unwrap_or_default();
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().map_or(0, Vec::len) as u64;
    assert!(log["version"] == "2.1.0" && rules > 0, "no SARIF: {text}");
    for result in run["results"].as_array().into_iter().flatten() {
        // What is wrong with the configuration is no rule's.
        assert!(result["ruleIndex"].as_u64().is_none_or(|it| it < rules), "{result}");
        assert!(result["message"]["text"].is_string(), "{result}");
        let locations = result["locations"].as_array().into_iter().flatten();
        for region in locations.map(|it| &it["physicalLocation"]["region"]) {
            let at = |name: &str, or: u64| region[name].as_u64().unwrap_or(or);
            let (line, column) = (at("startLine", 1), at("startColumn", 1));
            let (last, end) = (at("endLine", line), at("endColumn", u64::MAX));
            assert!(line > 0 && column > 0 && (line, column) <= (last, end), "{region}");
        }
    }
}

/// What is written of findings that say the lines of the second half about places of the files of the
/// first.
pub fn writers(text: &str) {
    let (files, lines) = halves(text);
    let repository = StagedRepository::new(Archive::of(files.as_bytes()));
    let sources = repository.sources();
    let ids: Vec<FileId> = sources.iter().map(|(id, _)| id).collect();
    let rules = rules::ids();
    let (Some(_), Some(_)) = (ids.first(), rules.first()) else { return };
    let mut findings = Vec::new();
    for (at, line) in lines.split('\n').enumerate().take(64) {
        // A line is its own choice of what else is so.
        let choice = line.bytes().fold(at, |sum, it| sum.wrapping_mul(31) + usize::from(it));
        let label = |choice: usize| Label {
            span: place(sources, ids[choice % ids.len()], choice),
            text: line.chars().rev().collect(),
            via: None,
        };
        findings.push(Finding {
            rule: rules[choice % rules.len()],
            severity: [Severity::Error, Severity::Warning, Severity::Note][choice % 3],
            message: line.to_owned(),
            labels: (0..=choice % 4).map(|it| label(choice / 7 + it * 13)).collect(),
            notes: vec![line.to_owned(); choice % 3],
            help: (choice % 2 == 0).then(|| line.to_owned()),
            environments: line.split(' ').take(choice % 5).map(str::to_owned).collect(),
            subject: line.to_owned(),
            variant: "",
            local: false,
            weight: Vec::new(),
            pedantic: choice % 7 == 0,
            proposal: None,
            fix: None,
        });
    }
    let environments: BTreeSet<String> =
        findings.iter().flat_map(|it| it.environments.iter().cloned()).collect();
    let environments = environments.into_iter().collect();
    assert_written(&Report { findings, environments, ..Report::of(sources) });
}

/// A place of `file`, between characters.
fn place(sources: &Sources, file: FileId, choice: usize) -> Span {
    let text = sources.text(file);
    let at = |byte: usize| text.floor_char_boundary(byte % (text.len() + 1));
    let (one, other) = (at(choice), at(choice / 3));
    Span::new(file, one.min(other)..one.max(other))
}
