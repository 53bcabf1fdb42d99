//! Findings as a `JUnit` report: a test case for each rule in each file that it has something to say
//! about, and one for each environment in which nothing is wrong.
//!
//! There is no schema; the elements are those that the plugin of Jenkins and GitLab read.

use std::{borrow::Cow, fmt::Write as _};

use indexmap::IndexMap;

use crate::{
    finding::{Finding, Severity},
    report::{Place, Report, TOOL, UNTOUCHED},
    source::FileId,
};

/// A test case, and what came of it.
struct Case<'a> {
    /// The file, or the environment.
    of: Cow<'a, str>,
    name: &'a str,
    line: Option<u32>,
    /// The element that says so, unless it passed.
    outcome: Option<&'static str>,
    /// The first sentence of what it says.
    message: String,
    text: String,
}

/// The findings as XML; notes fail nothing. `failure` is why nothing was judged.
pub(crate) fn junit<'a>(report: &'a Report<'_>, failure: Option<&str>) -> String {
    let mut cases: Vec<Case<'_>> = Vec::new();
    let mut files: IndexMap<(FileId, &str), Vec<&Finding>> = IndexMap::new();
    for finding in &report.findings {
        let Some(label) = finding.primary() else { continue };
        files.entry((label.span.file, finding.rule)).or_default().push(finding);
    }
    for ((file, rule), findings) in files {
        cases.push(of_rule(report, file, rule, &findings, failure.is_some()));
    }
    let plain = |of: &'a str, outcome, message: &str| {
        let (of, message) = (of.into(), message.to_owned());
        Case { of, name: TOOL, line: None, outcome, text: message.clone(), message }
    };
    match failure {
        Some(message) if cases.is_empty() => cases.push(plain(TOOL, Some("error"), message)),
        Some(_) => {}
        None => {
            let wrong = |it: &&Finding| it.severity > Severity::Note;
            let wrong: Vec<&Finding> = report.findings.iter().filter(wrong).collect();
            // What is hidden for being less bad may be wrong all the same.
            let is_whole = report.less_severe.sum() == 0;
            let is_right =
                |it: &&String| is_whole && wrong.iter().all(|has| !has.environments.contains(*it));
            let right = report.environments.iter().filter(is_right);
            cases.extend(right.map(|it| plain(it, None, "")));
            if report.environments.is_empty() && cases.is_empty() {
                let message = match report.untouched {
                    true => UNTOUCHED,
                    false => "found no environment with metrics-server",
                };
                cases.push(plain(TOOL, Some("skipped"), message));
            }
        }
    }
    document(&cases)
}

fn of_rule<'a>(
    report: &'a Report<'_>,
    file: FileId,
    rule: &'a str,
    findings: &[&Finding],
    failed: bool,
) -> Case<'a> {
    let worst = findings.iter().map(|it| it.severity).max();
    let outcome = match worst {
        _ if failed => Some("error"),
        Some(Severity::Note) | None => None,
        Some(_) => Some("failure"),
    };
    let path = report.sources.path_in_git(file);
    let mut case = Case {
        of: path.clone(),
        name: rule,
        line: None,
        outcome,
        message: String::new(),
        text: String::new(),
    };
    for finding in findings {
        let Some(label) = finding.primary() else { continue };
        let Place { start, .. } = Place::of(report.sources, label.span);
        let sentence = report.sentence(finding);
        let _ = writeln!(
            case.text,
            "{path}:{}:{}: {}: {sentence}",
            start.line,
            start.column,
            finding.severity.id()
        );
        for remark in Report::remarks(finding) {
            let _ = writeln!(case.text, "  {remark}");
        }
        if case.line.is_none() {
            (case.line, case.message) = (Some(start.line), sentence);
        }
    }
    if findings.len() > 1 {
        let _ = write!(case.message, ", and {} more", findings.len() - 1);
    }
    case
}

fn document(cases: &[Case<'_>]) -> String {
    let mut suites: IndexMap<&str, Vec<&Case<'_>>> = IndexMap::new();
    for case in cases {
        suites.entry(&*case.of).or_default().push(case);
    }
    let counts = |cases: &[&Case<'_>]| {
        let of = |outcome| cases.iter().filter(|it| it.outcome == Some(outcome)).count();
        let [failures, errors, skipped] = ["failure", "error", "skipped"].map(of);
        let tests = cases.len();
        format!(r#"tests="{tests}" failures="{failures}" errors="{errors}" skipped="{skipped}""#)
    };
    let all: Vec<&Case<'_>> = cases.iter().collect();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(out, r#"<testsuites name="{TOOL}" {}>"#, counts(&all));
    for (name, cases) in &suites {
        let _ = writeln!(out, r#"  <testsuite name="{}" {}>"#, attribute(name), counts(cases));
        out.extend(cases.iter().map(|it| element(it)));
        out += "  </testsuite>\n";
    }
    out + "</testsuites>\n"
}

fn element(case: &Case<'_>) -> String {
    let (name, of, text) = (attribute(case.name), attribute(&case.of), escaped(&case.text));
    let mut out = format!(r#"    <testcase name="{name}" classname="{of}""#);
    if let Some(line) = case.line {
        let _ = write!(out, r#" file="{of}" line="{line}""#);
    }
    match case.outcome {
        Some(outcome) => {
            let message = attribute(&case.message);
            let _ = write!(out, ">\n      <{outcome} message=\"{message}\">{text}</{outcome}>\n");
            out + "    </testcase>\n"
        }
        None if text.is_empty() => out + "/>\n",
        None => out + &format!(">\n      <system-out>{text}</system-out>\n    </testcase>\n"),
    }
}

/// `text` inside of an attribute, where readers make a space of a line break (XML 1.0, 3.3.3).
fn attribute(text: &str) -> String {
    escaped(text).replace('\n', "&#10;").replace('\t', "&#9;")
}

/// `text` inside of an element. What XML cannot hold at all is replaced.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\n' | '\t' => out.push(it),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            it => out.push(it),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{attribute, escaped};

    #[test]
    fn what_xml_cannot_hold_is_replaced() {
        assert_eq!(attribute("a\nb.yaml"), "a&#10;b.yaml");
        assert_eq!(
            escaped("<a b=\"&\">\u{1b}\u{0}é🦀"),
            "&lt;a b=&quot;&amp;&quot;&gt;\u{fffd}\u{fffd}é🦀"
        );
    }
}
