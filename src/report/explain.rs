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
        "{} · {} · since {}\n\n{}\n",
        rule.severity.id(),
        rule.category.id(),
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
    let width = RULES.iter().map(|it| it.id.len()).max().unwrap_or(0);
    let lines = RULES.iter().map(|it| {
        let id = look.paint("1", &format!("{:width$}", it.id));
        format!("{id}  {:7}  {}\n", it.severity.id(), it.title)
    });
    lines.collect()
}

/// All rules as JSON.
pub(crate) fn rules_json() -> String {
    let rules = RULES.iter().map(|it| {
        json!({
            "id": it.id,
            "title": it.title,
            "severity": it.severity.id(),
            "category": it.category.id(),
            "since": it.since,
        })
    });
    json::pretty(&json!({ "version": 1, "rules": rules.collect::<Json>() }))
}
