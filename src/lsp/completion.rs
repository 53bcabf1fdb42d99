//! What may be written at a place: flags of metrics-server, keys of a chart's values, ids of rules.

use std::sync::Arc;

use lsp_types::{
    CompletionItem, CompletionItemKind, CompletionTextEdit, Documentation, MarkupContent,
    MarkupKind, TextEdit,
};

use super::analysis::{Analysis, EditorOptions};
use crate::{
    config,
    data::{
        charts::{self, KnownChart, ValueKey},
        flags::{self, FlagKind},
    },
    finding::Edit,
    model::{InstalledChart, MetricsServer},
    resolve::layout,
    rules::{self, Rule},
    scalar::Dialect,
    source::{FileId, Sources, Span},
};

/// The maps that hold a chart's values in the objects and files that install it, by their keys; in a
/// file of values it is the whole of it.
const VALUES: [&[&str]; 6] = [
    &["spec", "values"],
    &["spec", "source", "helm", "valuesObject"],
    &["spec", "sources", "helm", "valuesObject"],
    &["helmCharts", "valuesInline"],
    &["releases", "values"],
    &["spec", "chart", "values"],
];

/// What may be written at a byte of `file`.
pub(super) fn completion(
    analysis: &Analysis,
    options: &EditorOptions,
    file: FileId,
    byte: u32,
) -> Vec<CompletionItem> {
    let sources = &analysis.sources;
    let number = sources.start(Span { file, start: byte, end: byte }).line;
    let start = sources.line_range(file, number).start;
    let before = sources.text(file).get(start..byte as usize).unwrap_or_default();
    // What is begun is replaced.
    let is_word = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_');
    let word = before.rsplit(|it: char| !is_word(it)).next().unwrap_or_default();
    let begun = Span { file, start: byte - u32::try_from(word.len()).unwrap_or(0), end: byte };
    let lead = &before[..before.len() - word.len()];
    let replaced = analysis.files().range(begun);
    let item = |label: String, kind, detail: Option<String>, text: Option<String>| CompletionItem {
        text_edit: Some(CompletionTextEdit::Edit(TextEdit {
            range: replaced,
            new_text: label.clone(),
        })),
        label,
        kind: Some(kind),
        detail,
        documentation: text.map(|value| {
            Documentation::MarkupContent(MarkupContent { kind: MarkupKind::Markdown, value })
        }),
        ..CompletionItem::default()
    };
    let path = &*sources[file].path;
    if is_for_rules(analysis, file, path, lead, number) {
        let of = |it: &Rule| {
            let detail = Some(it.title.to_owned());
            item(
                it.id.to_owned(),
                CompletionItemKind::ENUM_MEMBER,
                detail,
                Some(it.summary.clone()),
            )
        };
        return rules::RULES.iter().map(of).collect();
    }
    if word.starts_with("--") && is_of_server(analysis, file) {
        let of = |name: &str| {
            let kind = flags::kind(name).map(|it| words(it).to_owned());
            item(format!("--{name}"), CompletionItemKind::PROPERTY, kind, about(name))
        };
        return flags_of(analysis).map(of).collect();
    }
    let is_key = lead.trim_start_matches(['-', ' ']).is_empty();
    if !is_key || !layout::is_yaml(path) {
        return Vec::new();
    }
    let indent = lead.chars().count();
    let parents = parents(sources.text(file), start, indent);
    let of = |(name, key): (&String, &ValueKey)| {
        item(name.clone(), CompletionItemKind::FIELD, Some(shape(key).to_owned()), None)
    };
    let is_broken = sources.documents(file, Dialect::Sigs).error().is_some();
    let found = keys(analysis, file, &parents).or_else(|| {
        if !is_broken {
            return None;
        }
        // A line that is half written may hide what the file is.
        let line = Span::new(file, sources.line_range(file, number));
        let without = analysis.with(&[Edit { span: line, text: String::new() }], options);
        keys(&without, file, &parents)
    });
    found.map(|it| it.iter().map(of).collect()).unwrap_or_default()
}

/// What the flag means that a byte is in, as Markdown, and where the flag stands.
pub(super) fn flag_at(sources: &Sources, file: FileId, byte: u32) -> Option<(String, Span)> {
    let text = sources.text(file);
    let at = byte as usize;
    let is_word = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_');
    let start = text.get(..at)?.rfind(|it| !is_word(it)).map_or(0, |it| it + 1);
    // What is no character of a word may have several bytes.
    let start = (start..=at).find(|it| text.is_char_boundary(*it))?;
    let end = text.get(at..)?.find(|it| !is_word(it)).map_or(text.len(), |it| at + it);
    let flag = text.get(start..end)?.strip_prefix("--")?;
    Some((about(flag)?, Span::new(file, start..end)))
}

/// What a flag of metrics-server means, as Markdown; nothing for what is none.
fn about(name: &str) -> Option<String> {
    let kind = flags::kind(name)?;
    let mut text = format!("`--{name}`, {}", words(kind));
    if let Some(meaning) = flags::meaning(name) {
        text += &format!(": {meaning}");
    }
    let runs = flags::runs(name).iter().map(|it| match &it.last {
        Some(last) => format!("{} to {last}", it.first),
        None => format!("{} and newer", it.first),
    });
    let runs = runs.collect::<Vec<_>>().join(", ");
    Some(if runs.is_empty() { text } else { format!("{text}\n\nmetrics-server {runs}") })
}

/// Whether ids of rules stand there: in a comment that ignores findings, and in the configuration.
fn is_for_rules(analysis: &Analysis, file: FileId, path: &str, lead: &str, number: u32) -> bool {
    let ignores = lead.rsplit_once("metrics-server-lint:");
    if ignores.is_some_and(|(_, rest)| rest.contains("ignore[") && !rest.contains(']')) {
        return true;
    }
    let start = analysis.sources.line_range(file, number).start;
    let parents = parents(analysis.sources.text(file), start, lead.chars().count());
    path == config::FILE && lead.trim().is_empty() && parents.last().is_some_and(|it| it == "rules")
}

/// Whether a metrics-server has arguments in `file`, or is named there.
fn is_of_server(analysis: &Analysis, file: FileId) -> bool {
    analysis.passages().touch(file) || analysis.sources.text(file).contains("metrics-server")
}

/// The flags that a metrics-server of the repository takes; all of them where nobody knows its version.
fn flags_of(analysis: &Analysis) -> impl Iterator<Item = &'static str> {
    let servers = analysis.clusters.iter().flat_map(|it| &it.metrics_servers);
    let versions: Vec<_> = servers.flat_map(|it| it.versions.clone()).collect();
    let is_newest = |name: &str| flags::runs(name).iter().any(|it| it.last.is_none());
    flags::names().filter(move |name| match versions.is_empty() {
        true => is_newest(name),
        false => versions.iter().any(|it| flags::accepts(it, name).unwrap_or(is_newest(name))),
    })
}

/// The keys that the chart reads whose values `file` has, below `parents`.
fn keys(
    analysis: &Analysis,
    file: FileId,
    parents: &[String],
) -> Option<indexmap::IndexMap<String, ValueKey>> {
    let (chart, own) = installed(analysis, file)?;
    let text = analysis.sources.text(file);
    let is_object = |field: &str| text.lines().any(|line| line.starts_with(field));
    let below = |prefix: &[&str]| {
        let is_prefix =
            parents.len() >= prefix.len() && prefix.iter().zip(parents).all(|(a, b)| a == b);
        is_prefix.then(|| parents[prefix.len()..].to_vec())
    };
    let own_file = !is_object("kind:") && !is_object("releases:") && !is_object("helmCharts:");
    let mut path = match VALUES.iter().find_map(|it| below(it)) {
        Some(path) => path,
        None if own_file => parents.to_vec(),
        None => return None,
    };
    let whole = match (&own.reads, &chart, &own.version) {
        (Some(reads), ..) => Arc::clone(reads),
        (None, Some(chart), Some(version)) => chart.keys(version),
        (None, Some(chart), None) => chart.newest_keys()?,
        (None, None, _) => return None,
    };
    // In the values of a chart above it they stand below its name.
    if let (Some(first), ValueKey::Map(map)) = (path.first(), &*whole)
        && !map.contains_key(first)
        && *first == own.chart
    {
        path.remove(0);
    }
    let mut at = &*whole;
    for key in &path {
        let ValueKey::Map(map) = at else { return None };
        at = map.get(key)?;
    }
    match at {
        ValueKey::Map(map) => Some(map.clone()),
        _ => None,
    }
}

/// The chart that gets values from `file`, and what we know of it.
fn installed(
    analysis: &Analysis,
    file: FileId,
) -> Option<(Option<&'static KnownChart>, &InstalledChart)> {
    let mut all = analysis
        .clusters
        .iter()
        .flat_map(|it| it.charts.iter().map(move |chart| (chart, &it.metrics_servers)));
    let is_at =
        |at: &crate::tree::Origin| at.steps().any(|it| it.span.is_some_and(|it| it.file == file));
    let is_in = |server: &MetricsServer| {
        let facts = server.facts();
        let mut ways = facts.iter().filter_map(|(_, it)| it.way());
        ways.any(|it| !it.is_default() && is_at(it))
    };
    let (chart, _) = all.find(|(chart, servers)| {
        is_at(&chart.anchor)
            || chart.unknown_keys.iter().any(|it| is_at(&it.origin))
            || servers.iter().any(&is_in)
    })?;
    Some((chart.family.map(charts::chart), chart))
}

/// The keys of the maps around a line that starts at `start` and whose content is indented by `indent`,
/// the outermost first. Lines count by their indentation, since what is being written need not be YAML yet.
fn parents(text: &str, start: usize, indent: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut least = indent;
    for line in text.get(..start).unwrap_or_default().lines().rev() {
        if least == 0 || line.starts_with("---") {
            break;
        }
        let trimmed = line.trim_start();
        let content = trimmed.trim_start_matches(['-', ' ']);
        let (outer, inner) = (line.len() - trimmed.len(), line.len() - content.len());
        if content.is_empty() || content.starts_with('#') || inner >= least {
            continue;
        }
        let Some((key, rest)) = content.split_once(':') else { continue };
        if !rest.is_empty() && !rest.starts_with(' ') {
            continue;
        }
        found.push(key.trim_matches(['"', '\'']).to_owned());
        // The key of a list may stand as far left as its dashes.
        least = if inner > outer { outer + 1 } else { inner };
    }
    found.reverse();
    found
}

fn words(kind: FlagKind) -> &'static str {
    match kind {
        FlagKind::Text => "text",
        FlagKind::Boolean => "true or false",
        FlagKind::Duration => "a duration such as 15s",
        FlagKind::Integer => "a whole number",
        FlagKind::List => "texts with commas between them",
    }
}

fn shape(key: &ValueKey) -> &'static str {
    match key {
        ValueKey::Any => "any value",
        ValueKey::Bool => "true or false",
        ValueKey::Number => "a number",
        ValueKey::Text => "text",
        ValueKey::List => "a list",
        ValueKey::Open | ValueKey::Map(_) => "a map",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_below_the_keys_around_it() {
        let of = |text: &str| {
            let start = text.rfind('\n').map_or(0, |it| it + 1);
            parents(text, start, text.len() - start).join(".")
        };
        assert_eq!(of("spec:\n  chart: {}\n  values:\n    a: 1\n    "), "spec.values");
        assert_eq!(of("a:\n  b: 1\nresources:\n  limits:\n    "), "resources.limits");
        assert_eq!(of("a: 1\n"), "");
        let list = "releases:\n- name: a\n  values:\n  - resources:\n      ";
        assert_eq!(of(list), "releases.values.resources");
        let chart = "helmCharts:\n  - name: a\n    valuesInline:\n      ";
        assert_eq!(of(chart), "helmCharts.valuesInline");
        assert_eq!(of("x: 1\n---\nvalues:\n  # half:\n\n  "), "values");
    }
}
