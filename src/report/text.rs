//! Findings for people.

use std::{fmt, fmt::Write as _, time::Duration};

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode, ThemeCharacters,
    ThemeStyles,
};

use crate::{
    cli::Verbosity,
    finding::{Finding, Label, Severity},
    report::{
        Place, Report, TerminalOptions, count,
        excerpt::{self, Excerpt},
        filled,
        secrets::Secrets,
    },
    rules,
    settle::Counts,
    source::{FileId, Sources},
};

/// The findings of `report`, and a line that sums up unless `elapsed` is `None`.
pub(crate) fn text(
    report: &Report<'_>,
    look: TerminalOptions,
    detail: Verbosity,
    elapsed: Option<Duration>,
) -> String {
    let mut out = String::new();
    if detail == Verbosity::Quiet {
        for finding in &report.findings {
            out += &one_line(report, finding, look);
        }
        return out;
    }
    let secrets = Secrets::find(report.sources, &report.findings);
    let handler = handler(look);
    for finding in &report.findings {
        let Some(whole) = FilePart::of(report, finding, look, &secrets) else { continue };
        // Writing to a string does not fail; a finding that could not be drawn is still told.
        if handler.render_report(&mut out, &whole).is_err() {
            out += &one_line(report, finding, look);
        }
        out.push('\n');
    }
    if detail == Verbosity::Verbose {
        out += &skipped(report.sources);
    }
    if let Some(elapsed) = elapsed {
        out += &summary(report, look, elapsed);
    }
    out
}

/// `a.yaml:3:5: error[rule]: message (in …)`
fn one_line(report: &Report<'_>, finding: &Finding, look: TerminalOptions) -> String {
    let Some(label) = finding.primary() else { return String::new() };
    let Place { path, start, .. } = Place::of(report.sources, label.span);
    let where_else = report.environments_of(finding);
    let where_else = where_else.map_or_else(String::new, |it| format!(" ({it})"));
    let rule = format!("{}[{}]", finding.severity.id(), finding.rule);
    let path = excerpt::harmless(path);
    format!(
        "{path}:{}:{}: {}: {}{where_else}\n",
        start.line,
        start.column,
        look.paint(color(finding.severity), &rule),
        finding.message
    )
}

fn handler(look: TerminalOptions) -> GraphicalReportHandler {
    let mut characters =
        if look.unicode { ThemeCharacters::unicode() } else { ThemeCharacters::ascii() };
    // The pointing hand of the theme is missing in many fonts.
    if look.unicode { "•" } else { "*" }.clone_into(&mut characters.advice);
    let styles = if look.color { ThemeStyles::ansi() } else { ThemeStyles::none() };
    GraphicalReportHandler::new_themed(GraphicalTheme { characters, styles })
        .with_width(look.width)
        // It would break paths, too; `filled` breaks what has words.
        .with_wrap_lines(false)
        .with_context_lines(1)
        .with_show_related_as_nested(true)
        .without_syntax_highlighting()
        .with_urls(false)
}

/// One file's worth of a finding, since a [`Diagnostic`] has one source.
struct FilePart {
    code: Option<String>,
    message: String,
    severity: Severity,
    help: Option<String>,
    excerpt: Excerpt,
    labels: Vec<LabeledSpan>,
    related: Vec<FilePart>,
}

impl FilePart {
    /// The whole finding: the file to edit, and the others as parts of it.
    fn of(
        report: &Report<'_>,
        finding: &Finding,
        look: TerminalOptions,
        secrets: &Secrets,
    ) -> Option<Self> {
        let files = by_file(finding).into_iter();
        let mut parts = files.map(|(file, labels)| {
            let secret = |span| secrets.covers(span);
            (Excerpt::new(report.sources, file, &labels, look, &secret), labels)
        });
        let (excerpt, labels) = parts.next()?;
        let title = rules::find(finding.rule).map_or("", |it| it.title);
        // A rule with nothing to add says what its title says.
        let title = Some(title).filter(|it| !it.is_empty() && *it != finding.message);
        let title = title.map_or_else(String::new, |it| format!(": {it}"));
        let mut message = finding.message.clone();
        if let Some(where_else) = report.environments_of(finding) {
            let _ = write!(message, "\n{where_else}");
        }
        Some(Self {
            code: Some(format!("{}[{}]{title}", finding.severity.id(), finding.rule)),
            message: filled(&message, 4, 4, look.width),
            severity: finding.severity,
            help: finding.help.as_ref().map(|it| filled(it, 8, 8, look.width)),
            labels: marked(&excerpt, labels.iter().map(|it| it.text.as_str())),
            excerpt,
            related: parts.map(|(excerpt, labels)| Self::other(excerpt, &labels)).collect(),
        })
    }

    /// Another file's part, which is called what its first label says.
    fn other(excerpt: Excerpt, labels: &[&Label]) -> Self {
        let called = labels.first().map_or("", |it| it.text.as_str());
        let others = labels.iter().skip(1).map(|it| it.text.as_str());
        Self {
            code: None,
            message: if called.is_empty() { "here".to_owned() } else { called.to_owned() },
            severity: Severity::Note,
            help: None,
            labels: marked(&excerpt, std::iter::once("").chain(others)),
            excerpt,
            related: Vec::new(),
        }
    }
}

/// The labels of an excerpt with what they say, if anything.
fn marked<'a>(excerpt: &Excerpt, texts: impl Iterator<Item = &'a str>) -> Vec<LabeledSpan> {
    let marks = excerpt.marks().zip(texts).enumerate();
    let labels = marks.map(|(index, (mark, text))| {
        let text = Some(text.to_owned()).filter(|it| !it.is_empty());
        // The frame's title says where the first label is, which need not be the topmost.
        match index {
            0 => LabeledSpan::new_primary_with_span(text, mark),
            _ => LabeledSpan::new_with_span(text, mark),
        }
    });
    labels.collect()
}

/// Labels by file, that of the primary label first.
fn by_file(finding: &Finding) -> Vec<(FileId, Vec<&Label>)> {
    let mut files: Vec<(FileId, Vec<&Label>)> = Vec::new();
    for label in &finding.labels {
        match files.iter_mut().find(|(file, _)| *file == label.span.file) {
            Some((_, labels)) => labels.push(label),
            None => files.push((label.span.file, vec![label])),
        }
    }
    files
}

impl Diagnostic for FilePart {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.code.as_ref().map(|it| Box::new(it) as _)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Note => miette::Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|it| Box::new(it) as _)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.excerpt)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.related.iter().map(|it| it as &dyn Diagnostic)))
    }
}

impl std::error::Error for FilePart {}

impl fmt::Display for FilePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for FilePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The ANSI attributes of a severity, as in the theme.
fn color(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "31",
        Severity::Warning => "33",
        Severity::Note => "36",
    }
}

/// What was not read, and why.
fn skipped(sources: &Sources) -> String {
    let mut out = String::new();
    for (_, source) in sources.iter() {
        if let Some(skip) = source.skipped() {
            let _ = writeln!(out, "skipped {}: it {skip}", source.path);
        }
    }
    out
}

/// `2 errors and 1 note in 3 environments (120 files, 0.03 s)`
pub(crate) fn summary(report: &Report<'_>, look: TerminalOptions, elapsed: Duration) -> String {
    let Counts { errors, warnings, notes } = Counts::of(&report.findings);
    let parts = [
        (errors, "error", Severity::Error),
        (warnings, "warning", Severity::Warning),
        (notes, "note", Severity::Note),
    ];
    let parts: Vec<_> = parts
        .into_iter()
        .filter(|(number, ..)| *number > 0)
        .map(|(number, name, severity)| look.paint(color(severity), &count(number, name)))
        .collect();
    let found = match &*parts {
        [] if report.baseline.or(report.since).is_some() => look.paint("32", "nothing new"),
        [] => look.paint("32", "nothing found"),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    };
    let environments = match report.environments.len() {
        0 => "no environment with metrics-server".to_owned(),
        number => count(number, "environment"),
    };
    let mut details = vec![count(report.sources.iter().count(), "file")];
    if report.suppressed > 0 {
        details.push(format!("{} suppressed", report.suppressed));
    }
    details.extend(report.baseline.filter(|it| *it > 0).map(|it| format!("{it} in the baseline")));
    details.extend(report.since.filter(|it| *it > 0).map(|it| format!("{it} before")));
    details.push(format!("{:.2} s", elapsed.as_secs_f64()));
    let details = details.join(", ");
    let hidden = match report.pedantic {
        0 => String::new(),
        1 => "; 1 note not shown, --pedantic shows it".to_owned(),
        number => format!("; {number} notes not shown, --pedantic shows them"),
    };
    let less_severe = match report.less_severe.sum() {
        0 => String::new(),
        number => format!("; {number} less severe not shown, see --min-severity"),
    };
    if parts.is_empty() && report.environments.is_empty() {
        return format!("found {environments} ({details}){less_severe}{hidden}\n");
    }
    format!("{found} in {environments} ({details}){less_severe}{hidden}\n")
}
