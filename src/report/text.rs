//! Findings for people.

use std::{fmt, fmt::Write as _};

use miette::{Diagnostic, LabeledSpan, SourceCode};

use crate::{
    cli::Verbosity,
    finding::{Applicability, Edit, Finding, Fix, Label, Severity},
    report::{
        Place, Report, TerminalOptions, UNTOUCHED, count,
        draw::{Drawing, color, columns},
        excerpt::{Excerpt, harmless},
        patch::{self, PatchLine},
        sarif::uri,
        secrets::Secrets,
    },
    rules,
    settle::Counts,
    source::{FileId, Sources},
};

/// The findings of `report`, and what was not read where the user wants to hear of it.
pub(crate) fn text(report: &Report<'_>, look: TerminalOptions, detail: Verbosity) -> String {
    if detail == Verbosity::Quiet {
        return report.findings.iter().map(|it| one_line(report, it, look)).collect();
    }
    let mut out = drawn(report, look, |drawing, diagnostic, where_else| {
        let room = drawing.room_for_words(diagnostic);
        let fix = diagnostic.fix.map(|it| (it, &*diagnostic.patch));
        drawing.full(&diagnostic.clone().found(where_else, room), fix) + "\n"
    });
    if detail == Verbosity::Verbose {
        out += &skipped(report.sources);
    }
    out
}

/// The findings of `report` in three lines each.
pub(crate) fn concise(report: &Report<'_>, look: TerminalOptions) -> String {
    drawn(report, look, |drawing, diagnostic, where_else| {
        let where_else = where_else.map_or_else(String::new, |it| format!("({it})"));
        drawing.concise(diagnostic, &where_else)
    })
}

/// What `form` makes of each finding and the environments that it is in.
fn drawn(
    report: &Report<'_>,
    look: TerminalOptions,
    form: impl Fn(&Drawing, &FilePart<'_>, Option<String>) -> String,
) -> String {
    let secrets = Secrets::find(report.sources, &report.findings);
    let root = look.links.zip(report.sources.root.as_deref());
    let root = root.map(|(host, root)| format!("file://{host}{}", uri(root)));
    let drawing = Drawing::new(look, root);
    let draw = |finding: &Finding| {
        let diagnostic = FilePart::of(report.sources, finding, &secrets)?;
        Some(form(&drawing, &diagnostic, report.environments_of(finding)))
    };
    report.findings.iter().filter_map(draw).collect()
}

/// `a.yaml:3:5: error[rule]: message (in …); help: …`
fn one_line(report: &Report<'_>, finding: &Finding, look: TerminalOptions) -> String {
    let Some(label) = finding.primary() else { return String::new() };
    let Place { path, start, .. } = Place::of(report.sources, label.span);
    let where_else = report.environments_of(finding);
    let where_else = where_else.map_or_else(String::new, |it| format!(" ({it})"));
    let remarks = Report::remarks(finding).fold(String::new(), |all, it| all + "; " + &it);
    let rule = format!("{}[{}]", finding.severity.id(), finding.rule);
    let rule = look.paint(color(finding.severity), &rule);
    let (path, line, column) = (harmless(&path), start.line, start.column);
    format!("{path}:{line}:{column}: {rule}: {}{where_else}{remarks}\n", finding.message)
}

/// One file's worth of a finding, since a [`Diagnostic`] has one source; or a note, which has none.
#[derive(Clone)]
struct FilePart<'a> {
    rule: Option<&'static str>,
    severity: Severity,
    message: String,
    help: Option<&'a str>,
    excerpt: Option<Excerpt<'a>>,
    labels: Vec<LabeledSpan>,
    related: Vec<FilePart<'a>>,
    /// The option that mends it.
    fix: Option<&'static str>,
    patch: Vec<PatchLine>,
}

impl<'a> FilePart<'a> {
    /// The whole finding: the file to edit, and others and notes as what is related to it.
    fn of(sources: &'a Sources, finding: &'a Finding, secrets: &'a Secrets) -> Option<Self> {
        let (overridden, labels): (Vec<_>, Vec<_>) = finding
            .labels
            .iter()
            .enumerate()
            .partition(|(index, it)| *index > 0 && it.is_overridden());
        let mut files: Vec<(FileId, Vec<LabeledSpan>)> = Vec::new();
        for (index, label) in labels {
            let file = label.span.file;
            let label = labeled(label, index == 0);
            match files.iter_mut().find(|(it, _)| *it == file) {
                Some((_, labels)) => labels.push(label),
                None => files.push((file, vec![label])),
            }
        }
        let mut parts = files.into_iter().map(|(file, labels)| Self {
            excerpt: Some(Excerpt::of(sources, file, secrets)),
            labels,
            ..Self::note(String::new())
        });
        let first = parts.next()?;
        let file = finding.primary()?.span.file;
        let overridden = overridden.into_iter().map(|(_, it)| overrides(sources, it, secrets));
        let notes = overridden.chain(finding.notes.iter().cloned()).map(Self::note);
        Some(Self {
            rule: Some(finding.rule),
            severity: finding.severity,
            message: finding.message.clone(),
            help: finding.help.as_deref(),
            fix: finding.fix.as_ref().map(|it| match it.applicability {
                Applicability::Safe => "--fix",
                Applicability::Unsafe => "--fix --unsafe-fixes",
            }),
            patch: finding
                .fix
                .as_ref()
                .map(|it| patch::lines(sources, it, secrets, file))
                .unwrap_or_default(),
            related: parts.chain(notes).collect(),
            ..first
        })
    }

    fn note(message: String) -> Self {
        Self {
            rule: None,
            severity: Severity::Note,
            message,
            help: None,
            excerpt: None,
            labels: Vec::new(),
            related: Vec::new(),
            fix: None,
            patch: Vec::new(),
        }
    }

    /// The same, found in environments: beside the first mark if there are as many columns, else as
    /// a note.
    fn found(mut self, environments: Option<String>, room: usize) -> Self {
        let Some(environments) = environments else { return self };
        let Some(first) = self.labels.first_mut() else { return self };
        let words = match first.label() {
            None => environments.clone(),
            Some(text) => format!("{text}, {environments}"),
        };
        match columns(&words) <= room {
            true => first.set_label(Some(words)),
            false => self.related.push(Self::note(environments)),
        }
        self
    }
}

/// A label as miette has them.
fn labeled(label: &Label, primary: bool) -> LabeledSpan {
    let text = Some(label.text.clone()).filter(|it| !it.is_empty());
    match primary {
        true => LabeledSpan::new_primary_with_span(text, label.span.range()),
        false => LabeledSpan::new_with_span(text, label.span.range()),
    }
}

/// What is said of a value that does not count.
fn overrides(sources: &Sources, label: &Label, secrets: &Secrets) -> String {
    /// A longer text tells less than its place.
    const LONGEST: usize = 40;
    let Place { path, start, .. } = Place::of(sources, label.span);
    let text = sources.slice(label.span);
    let is_short = !text.is_empty() && text.len() <= LONGEST && !text.contains('\n');
    let value = if is_short && !secrets.touch(label.span) { text } else { "what is" };
    format!("overrides {value} in {path}:{}", start.line)
}

impl Diagnostic for FilePart<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.rule.map(|it| Box::new(it) as _)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Note => miette::Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.map(|it| Box::new(it) as _)
    }

    fn url<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(rules::find(self.rule?)?.page()))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.excerpt.as_ref().map(|it| it as _)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
            .filter(|_| !self.labels.is_empty())
            .map(|it| it as _)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.related.iter().map(|it| it as &dyn Diagnostic)))
    }
}

impl std::error::Error for FilePart<'_> {}

impl fmt::Display for FilePart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for FilePart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
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

/// How many findings were mended, how many more can be, and which of these are none of this run's.
fn fixable(report: &Report<'_>) -> String {
    let is_here = |it: &Edit| !report.elsewhere.contains(&report.sources[it.span.file].path);
    let fixes = report.findings.iter().filter_map(|it| it.fix.as_ref());
    let (here, others): (Vec<&Fix>, Vec<&Fix>) = fixes.partition(|it| it.edits.iter().all(is_here));
    let of = |wanted| here.iter().filter(|it| it.applicability == wanted).count();
    let (safe, risky) = (of(Applicability::Safe), of(Applicability::Unsafe));
    let mut parts = Vec::new();
    let by = if report.is_patch { " by the patch" } else { "" };
    parts.extend(report.fixed.as_ref().map(|it| format!("{} fixed{by}", it.len())));
    parts.extend((safe > 0).then(|| format!("{safe} fixable with --fix")));
    parts.extend((risky > 0).then(|| format!("{risky} more with --unsafe-fixes")));
    parts.extend((!others.is_empty()).then(|| {
        let paths: Vec<_> = report.elsewhere.iter().map(|it| format!("`{it}`")).collect();
        format!("{} not fixed, outside of what is checked: {}", others.len(), paths.join(", "))
    }));
    parts.iter().flat_map(|it| ["; ", it]).collect()
}

/// `2 errors, 1 note in 3 environments (120 files)`
pub(crate) fn summary(report: &Report<'_>, look: TerminalOptions) -> String {
    let Counts { errors, warnings, notes } = Counts::of(&report.findings);
    let parts = [
        (errors, "error", Severity::Error),
        (warnings, "warning", Severity::Warning),
        (notes, "note", Severity::Note),
    ];
    let is_compared = report.baseline.or(report.since).is_some();
    let found = |look: TerminalOptions| {
        let parts = parts.iter().filter(|(number, ..)| *number > 0);
        let parts: Vec<_> = parts
            .map(|(number, name, severity)| look.paint(color(*severity), &count(*number, name)))
            .collect();
        match parts.is_empty() {
            true if is_compared => look.paint("32", "nothing new"),
            true => look.paint("32", "nothing found"),
            false => parts.join(", "),
        }
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
    let details = details.join(", ");
    let hidden = match report.pedantic {
        0 => String::new(),
        1 => "; 1 note not shown, --pedantic shows it".to_owned(),
        number => format!("; {number} notes not shown, --pedantic shows them"),
    };
    let hidden = match report.less_severe.sum() {
        0 => hidden,
        number => format!("; {number} less severe not shown, see --min-severity{hidden}"),
    };
    let is_empty = report.findings.is_empty() && report.environments.is_empty();
    let all = |look| match is_empty {
        true if report.untouched => format!("{}: {UNTOUCHED} ({details})", found(look)),
        true => format!("found {environments} ({details})"),
        false => format!("{} in {environments} ({details})", found(look)),
    };
    let hidden = fixable(report) + &hidden;
    // Colors take no columns.
    let width = columns(&all(TerminalOptions::PLAIN)) + columns(&hidden);
    let hidden = if width > look.width { hidden.replacen("; ", "\n", 1) } else { hidden };
    // A patch says it itself.
    let fixed = report.fixed.iter().filter(|_| !report.is_patch).flatten();
    let fixed = fixed.map(|it| format!("fixed {}\n", harmless(&it.to_string())));
    fixed.collect::<String>() + &all(look) + &hidden + "\n"
}
