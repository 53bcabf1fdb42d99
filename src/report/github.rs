//! Findings as workflow commands, which GitHub Actions shows as annotations.
//!
//! Their form and how they are escaped is that of `toolkit/packages/core/src/command.ts` in
//! `actions/toolkit`.

use std::{borrow::Cow, fmt::Write as _};

use crate::{
    cli::Format,
    finding::{Finding, Severity},
    report::{Place, Report, TOOL, count, excerpt::tamed, told},
};

/// More annotations of one type are dropped, for each step.
const MOST: usize = 10;

/// The annotations of `report`, the worst findings first; the last of them says how many more
/// findings there are. `failure` is why nothing was judged.
pub(crate) fn github(report: &Report<'_>, failure: Option<&str>) -> String {
    let mut out = String::new();
    if let Some(message) = failure.filter(|_| report.findings.is_empty()) {
        out += &command(Severity::Error, &[("title", TOOL.to_owned())], message);
    }
    let mut left_out = 0;
    for severity in [Severity::Error, Severity::Warning, Severity::Note] {
        // One notice is for saying what is left out.
        let most = if severity == Severity::Note { MOST - 1 } else { MOST };
        let all = report.findings.iter().filter(|it| it.severity == severity);
        left_out += all.clone().count().saturating_sub(most);
        out.extend(all.take(most).map(|it| annotation(report, it)));
    }
    if left_out > 0 {
        let more = count(left_out, "more finding");
        let message = format!("{more} without an annotation: the log and the summary have all");
        out += &command(Severity::Note, &[("title", TOOL.to_owned())], &message);
    }
    out
}

fn annotation(report: &Report<'_>, finding: &Finding) -> String {
    let Some((primary, others)) = finding.labels.split_first() else { return String::new() };
    let Place { path, start, end } = Place::in_git(report.sources, primary.span);
    let mut place = vec![("file", path.into_owned()), ("line", start.line.to_string())];
    place.push(("endLine", end.line.to_string()));
    // Columns of several lines would be refused.
    if start.line == end.line {
        place.push(("col", start.column.to_string()));
        place.push(("endColumn", end.column.to_string()));
    }
    place.push(("title", finding.rule.to_owned()));
    let mut text = report.sentence(finding);
    for label in others {
        let Place { path, start, .. } = Place::in_git(report.sources, label.span);
        let _ = write!(text, "\n{}: {path}:{}", told(label), start.line);
    }
    for remark in Report::remarks(finding) {
        let _ = write!(text, "\n{remark}");
    }
    command(finding.severity, &place, &text)
}

fn command(severity: Severity, properties: &[(&str, String)], message: &str) -> String {
    let name = match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    // Who reads the log in a terminal is not to be at the mercy of what stands in files.
    let shown = |it: char| if matches!(it, '\r' | '\n') { it } else { tamed(it) };
    let escaped = |text: &str| {
        let text: String = text.chars().map(shown).collect();
        let text = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
        // The older form of a command.
        text.replace("##[", "## [")
    };
    let property = |(name, value): &(&str, String)| {
        format!("{name}={}", escaped(value).replace(':', "%3A").replace(',', "%2C"))
    };
    let properties: Vec<String> = properties.iter().map(property).collect();
    format!("::{name} {}::{}\n", properties.join(","), escaped(message))
}

/// `log` as the log of a step, in which nothing that it quotes from a file is a command.
pub(crate) fn without_commands(log: &str) -> String {
    let mut out = String::with_capacity(log.len());
    for line in log.split_inclusive(['\n', '\r']) {
        // A runner takes each of these for the end of a line, and leaves out blanks before it looks
        // for a command.
        let quoted = line.trim_start();
        out += &line[..line.len() - quoted.len()];
        if quoted.starts_with("::") {
            out += "./";
        }
        // The older form of a command may stand anywhere in a line.
        out += &quoted.replace("##[", "## [");
    }
    out
}

/// What is printed in a form, without commands. Forms of programs mean the same with other signs, and no line of
/// them begins with a command; what `render` prints is somebody's input, and nobody's log.
pub(crate) fn as_log(format: Format, bytes: &[u8]) -> Cow<'_, [u8]> {
    let text = || String::from_utf8_lossy(bytes);
    match format {
        Format::Text | Format::Concise | Format::Markdown => {
            without_commands(&text()).into_bytes().into()
        }
        Format::Json | Format::Sarif | Format::Gitlab | Format::Rdjson => {
            text().replace("##[", "#\\u0023[").into_bytes().into()
        }
        Format::Junit => text().replace("##[", "#&#35;[").into_bytes().into(),
        // The first writes commands, and quotes none.
        Format::Github | Format::Yaml => bytes.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commands_are_made_of_is_escaped() {
        let place = [("file", "a:b,c%.yaml".to_owned()), ("title", "x".to_owned())];
        assert_eq!(
            command(Severity::Note, &place, "50%: a, b\r\nc"),
            "::notice file=a%3Ab%2Cc%25.yaml,title=x::50%25: a, b%0D%0Ac\n"
        );
    }

    #[test]
    fn a_command_does_nothing_to_a_terminal() {
        assert_eq!(
            command(Severity::Note, &[("title", "a\u{202e}b".to_owned())], "\u{1b}[31mc\0"),
            "::notice title=a\u{fffd}b::\u{fffd}[31mc\u{fffd}\n"
        );
    }

    #[test]
    fn a_log_commands_nothing() {
        let log =
            "::add-mask::a/b.yaml:1:1: x\na.yaml: ##[set-output name=x]y\n  ::error::z\ra\r::b\n";
        let tame = "./::add-mask::a/b.yaml:1:1: x\na.yaml: ## [set-output name=x]y\n  ./::error::z\ra\r./::b\n";
        assert_eq!(without_commands(log), tame);
    }
}
