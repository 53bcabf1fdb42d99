//! Findings as Markdown, for the summary of a pipeline's run or a comment on a merge request.

use crate::{
    finding::Finding,
    report::{Place, Report, TOOL, count, sarif::uri, told},
    rules::{self, Rule},
    settle::Counts,
};

/// What a comment may hold on GitHub, in bytes at least; GitLab takes more.
pub(crate) const COMMENT: usize = 65_536;

/// What GitHub takes as the summary of a step, in bytes.
pub(crate) const STEP_SUMMARY: usize = 1024 * 1024;

/// What the last line may take.
const RESERVE: usize = 256;

/// A heading and a table of the findings, the worst first, in at most `most` bytes. The links lead
/// below `files`. `failure` is why nothing was judged.
pub(crate) fn markdown(
    report: &Report<'_>,
    failure: Option<&str>,
    files: Option<&str>,
    most: usize,
) -> String {
    let mut out = format!("### {TOOL}: {}\n", headline(report, failure));
    if let Some(message) = failure {
        out += &format!("\n{}\n", inline(message));
    }
    let mut left_out = 0;
    for (index, finding) in report.findings.iter().enumerate() {
        let mut row = String::new();
        if index == 0 {
            row += "\n| | What is wrong | Where |\n|---|---|---|\n";
        }
        row += &self::row(report, finding, files.unwrap_or_default());
        // After the first that finds no room, none does: they are in order.
        if left_out > 0 || out.len() + row.len() + RESERVE > most {
            left_out += 1;
        } else {
            out += &row;
        }
    }
    if left_out > 0 {
        let more = count(left_out, "more finding");
        out += &format!("\n{more} not shown: this may be {} KiB at most.\n", most / 1024);
    }
    out
}

/// `1 error, 2 warnings in 3 environments`
fn headline(report: &Report<'_>, failure: Option<&str>) -> String {
    if failure.is_some() {
        return "it could not be checked".to_owned();
    }
    let Counts { errors, warnings, notes } = Counts::of(&report.findings);
    let found = [(errors, "error"), (warnings, "warning"), (notes, "note")];
    let found = found.into_iter().filter(|(number, _)| *number > 0);
    let found: Vec<String> = found.map(|(number, name)| count(number, name)).collect();
    let found = if found.is_empty() { "nothing found".to_owned() } else { found.join(", ") };
    let found = match report.environments.len() {
        0 if report.untouched => format!("{found} in what is named"),
        0 => format!("{found}, no environment with metrics-server"),
        all => format!("{found} in {}", count(all, "environment")),
    };
    match report.less_severe.sum() {
        0 => found,
        number => format!("{found}; {number} less severe not shown"),
    }
}

fn row(report: &Report<'_>, finding: &Finding, files: &str) -> String {
    let Some((primary, others)) = finding.labels.split_first() else { return String::new() };
    let link = |span| {
        let Place { path, start, end } = Place::in_git(report.sources, span);
        let lines = if start.line == end.line { "" } else { &format!("-L{}", end.line) };
        let target = uri(&path);
        // What is below something needs no help to be a relative reference.
        let target = if files.is_empty() { &target } else { target.trim_start_matches("./") };
        format!("[{}:{}](<{files}{target}#L{}{lines}>)", inline(&path), start.line, start.line)
    };
    let rule = match rules::find(finding.rule).map(Rule::page) {
        Some(page) => format!("[`{}`]({page})", finding.rule),
        None => format!("`{}`", finding.rule),
    };
    let notes = finding.notes.iter().map(|it| format!("<br>note: {}", inline(it)));
    let help = finding.help.as_ref().map(|it| format!("<br>**help:** {}", inline(it)));
    let remarks: String = notes.chain(help).collect();
    let others = others.iter().map(|it| format!("<br>{}: {}", inline(told(it)), link(it.span)));
    format!(
        "| {} | {}<br>{rule}{} | {}{} |\n",
        finding.severity.id(),
        inline(&report.sentence(finding)),
        remarks,
        link(primary.span),
        others.collect::<String>(),
    )
}

/// `text` in a line of a table, in which only its own `code` is markup: it mentions nobody, refers
/// to no issue and has no HTML.
pub(super) fn inline(text: &str) -> String {
    let has_code = text.matches('`').count().is_multiple_of(2);
    let mut out = String::with_capacity(text.len());
    let mut in_code = false;
    for it in text.chars() {
        match it {
            '`' if has_code => {
                in_code = !in_code;
                out.push(it);
            }
            '|' => out += "\\|",
            it if it.is_control() => out.push(' '),
            it if in_code => out.push(it),
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '&' => out += "&amp;",
            '$' => out += "&#36;",
            '@' | '#' => {
                out.push(it);
                out += "<!-- -->";
            }
            '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '!' => {
                out.push('\\');
                out.push(it);
            }
            it => out.push(it),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::inline;

    #[test]
    fn text_is_no_markup() {
        assert_eq!(inline("a_b | `x|_y` <z> @me"), "a\\_b \\| `x\\|_y` &lt;z&gt; @<!-- -->me");
        assert_eq!(
            inline("half a ` is\none $x$ ![i](j)"),
            "half a \\` is one &#36;x&#36; \\!\\[i\\](j)"
        );
    }
}
