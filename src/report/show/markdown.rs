//! Environments side by side, for a wiki or the summary of a pipeline.

use super::{
    NONE, Shown, ToldProblem, apart, of_environments,
    overview::{Cell, CellNote, CellState, Overview, overviews},
    place, told_once,
};
use crate::{
    problem::Problem,
    report::{Place, markdown::inline, sarif::uri},
    source::{Sources, Span},
};

/// What `environments` come to as tables in Markdown, and the `problems` that are of none of them.
pub(crate) fn show_markdown(
    sources: &Sources,
    environments: &[Shown],
    problems: &[Problem],
) -> String {
    let (scaled, shown) = apart(environments);
    let mut parts: Vec<String> = overviews(&shown).iter().map(|it| overview(sources, it)).collect();
    if parts.is_empty() {
        parts.push(format!("{NONE}\n"));
    }
    if !scaled.is_empty() {
        let names = scaled.iter().map(|(it, _)| escaped(&it.name)).collect::<Vec<_>>().join(", ");
        parts.push(format!("Only autoscalers: {names}\n"));
    }
    let of_none = problems.iter().map(|it| ("", it));
    let told = told_once(of_environments(&shown).chain(of_none), true).into_iter().map(|told| {
        let ToldProblem { problem: it, .. } = &told;
        let place =
            it.at.written_at().map_or_else(String::new, |at| format!(" ({})", link(sources, at)));
        format!("- `{}`: {}{place}{}\n", it.kind.rule(), inline(&it.message), told.others())
    });
    let mut told: Vec<String> = told.collect();
    told.sort();
    told.dedup();
    parts.extend(Some(told.concat()).filter(|it| !it.is_empty()));
    parts.join("\n")
}

fn overview(sources: &Sources, table: &Overview) -> String {
    let heads = table.sections.iter().map(|it| &it.heading).filter(|it| !it.is_empty());
    let heads = heads.map(|it| escaped(it)).collect::<Vec<_>>().join(", ");
    let mut out = if heads.is_empty() { String::new() } else { format!("### {heads}\n\n") };
    let columns = table.columns.iter().map(|names| {
        let names: Vec<String> = names.iter().map(|it| escaped(it)).collect();
        names.join("<br>")
    });
    out += &row("", columns);
    out += &row("---", table.columns.iter().map(|_| "---".to_owned()));
    for section in &table.sections {
        if table.sections.len() > 2 && !section.heading.is_empty() {
            let heading = format!("**{}**", escaped(&section.heading));
            out += &row(&heading, table.columns.iter().map(|_| String::new()));
        }
        for it in &section.rows {
            out += &row(&escaped(&it.name), it.cells.iter().map(|it| cell(sources, it)));
        }
    }
    let rest = table.rest();
    if !rest.is_empty() {
        out.push('\n');
        for it in rest {
            out += &format!("- {}\n", inline(&it));
        }
    }
    out
}

fn cell(sources: &Sources, cell: &Cell) -> String {
    const NAMED: usize = 3;
    let notes = cell.notes.iter().map(|CellNote { words, at }| {
        let parts =
            [Some(escaped(words)).filter(|it| !it.is_empty()), at.map(|it| link(sources, it))];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    });
    let mut notes: Vec<String> = notes.take(NAMED + 1).collect();
    if notes.len() > NAMED {
        notes.truncate(NAMED);
        notes.push(format!("+{}", cell.notes.len() - NAMED));
    }
    let default = if cell.is_default { " (default)" } else { "" };
    let value = if cell.state == CellState::Unset { cell.text.clone() } else { code(&cell.text) };
    let value = value + default;
    std::iter::once(value).chain(notes).collect::<Vec<_>>().join("<br>")
}

/// A row of a table.
pub(in crate::report) fn row(first: &str, cells: impl Iterator<Item = String>) -> String {
    format!("| {first} | {} |\n", cells.collect::<Vec<_>>().join(" | "))
}

/// `` `text` ``, whatever it holds.
pub(in crate::report) fn code(text: &str) -> String {
    let text = super::one_line(text).replace('|', "\\|");
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

/// Text on one line of which nothing but code is markup.
pub(in crate::report) fn escaped(text: &str) -> String {
    inline(&super::one_line(text))
}

/// `[path:12](path#L12)`, relative to the repository's root.
fn link(sources: &Sources, span: Span) -> String {
    let Place { path, start, .. } = Place::of(sources, span);
    let target = uri(&path);
    format!("[{}](<{target}#L{}>)", escaped(&place(sources, Some(span))), start.line)
}
