//! The rules, from their pages.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use crate::{
    report::{TerminalOptions, json},
    rules::{RULES, Rule},
};

/// The page of a rule: its metadata and its text without the examples.
pub(crate) fn explain(rule: &Rule, look: TerminalOptions) -> String {
    let mut out = format!("{}: {}\n\n", look.paint("1", rule.id), look.paint("1", rule.title));
    let _ = write!(
        out,
        "{} · {} · {} confidence{} · since {}\n\n{}\n",
        rule.severity.id(),
        rule.category.id(),
        rule.confidence.id(),
        if rule.pedantic { " · pedantic" } else { "" },
        rule.since,
        rule.text.trim()
    );
    if !rule.references.is_empty() {
        out += "\nRead more:\n";
        for reference in &rule.references {
            let _ = writeln!(out, "- {reference}");
        }
    }
    out
}

/// All rules, one a line.
pub(crate) fn rules(look: TerminalOptions) -> String {
    let rows = RULES.iter().map(|it| {
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
        let _ = writeln!(out, "  {title}");
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
