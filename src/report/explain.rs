//! The rules, from their pages.

use std::{collections::BTreeSet, fmt::Write as _};

use serde_json::{Value as Json, json};

use crate::{
    report::{
        Place, Report, TerminalOptions, count, excerpt::harmless, filled, json, prose::prose,
    },
    rules::{RULES, Rule},
};

/// The page of a rule: its metadata and its text without the examples.
pub(crate) fn explain(rule: &Rule, look: TerminalOptions) -> String {
    let heading = filled(&format!("{}: {}", rule.id, rule.title), 0, 0, look.width);
    let heading = heading.lines().map(|it| look.paint("1", it)).collect::<Vec<_>>().join("\n");
    let mut out = format!("{heading}\n\n");
    let confidence = format!("{} confidence", rule.confidence.id());
    let since = format!("since {}", rule.since);
    let mut facts = vec![rule.severity.id(), rule.category.id(), &confidence];
    facts.extend(rule.pedantic.then_some("pedantic"));
    facts.push(&since);
    let facts = facts.join(if look.unicode { " · " } else { " - " });
    let _ = write!(out, "{facts}\n\n{}", prose(rule.text, look));
    if !rule.references.is_empty() {
        let _ = writeln!(out, "\n{}", look.paint("1", "Read more"));
        for reference in &rule.references {
            let _ = writeln!(out, "- {reference}");
        }
    }
    out
}

/// What a rule found in a repository: how often, in how many environments, and where.
pub(crate) fn here(report: &Report<'_>, look: TerminalOptions) -> String {
    const SHOWN: usize = 10;
    let findings = &report.findings;
    let mut found = count(findings.len(), "finding");
    let all = report.environments.len();
    let names: BTreeSet<&String> = findings.iter().flat_map(|it| &it.environments).collect();
    let names = names.len();
    if all > 0 && names > 0 {
        let _ = write!(found, " in {names} of {}", count(all, "environment"));
    }
    let mut out = format!("\n{}: {found}\n", look.paint("1", "Here"));
    for finding in findings.iter().take(SHOWN) {
        let Some(label) = finding.primary() else { continue };
        let Place { path, start, .. } = Place::of(report.sources, label.span);
        let (path, line) = (harmless(&path), start.line);
        let text = format!("{path}:{line}:{}: {}", start.column, report.sentence(finding));
        let text = filled(&text, 2, 4, look.width).replace('\n', "\n    ");
        let _ = writeln!(out, "  {text}");
    }
    if findings.len() > SHOWN {
        let _ = writeln!(out, "  and {} more", findings.len() - SHOWN);
    }
    out
}

/// The rules that `wanted` takes, one a line.
pub(crate) fn rules(look: TerminalOptions, wanted: impl Fn(&Rule) -> bool) -> String {
    let rows = RULES.iter().filter(|it| wanted(it)).map(|it| {
        let pedantic = if it.pedantic { "pedantic" } else { "" };
        [it.id, it.severity.id(), it.category.id(), it.confidence.id(), pedantic, it.title]
    });
    let heading = ["rule", "severity", "category", "confidence", "", "what is wrong"];
    let rows: Vec<_> = std::iter::once(heading).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|it| it[column].len()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    let mut out = String::new();
    for (index, [id, columns @ .., title]) in rows.iter().enumerate() {
        let id = format!("{id:width$}", width = widths[0]);
        out += &if index == 0 { id } else { look.paint("1", &id) };
        for (text, width) in columns.iter().zip(&widths[1..]) {
            let _ = write!(out, "  {text:width$}");
        }
        let used = widths.iter().map(|it| it + 2).sum::<usize>();
        if used + title.len() <= look.width {
            let _ = writeln!(out, "  {title}");
        } else {
            let title = filled(title, 4, 4, look.width).replace('\n', "\n    ");
            out = out.trim_end().to_owned() + "\n    " + &title + "\n";
        }
    }
    out
}

/// All rules as JSON.
pub(crate) fn rules_json() -> String {
    let rules = RULES.iter().map(|it| {
        json!({
            "id": it.id,
            "title": it.title,
            "severity": it.severity.id(),
            "category": it.category.id(),
            "confidence": it.confidence.id(),
            "pedantic": it.pedantic,
            "aliases": it.aliases,
            "since": it.since,
        })
    });
    json::pretty(&json!({ "version": 1, "rules": rules.collect::<Json>() }))
}
