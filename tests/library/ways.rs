//! Values and the ways that they took, as text to stand beside a test.

use std::{fmt::Write as _, slice};

use super::written::place;
use crate::{
    emit,
    problem::Problem,
    resolve::environment::Environment,
    source::Sources,
    tree::{Kind, Node, Origin, Via},
};

/// A line for each value below `node`: `path: value  way`.
///
/// What is unknown is `path: unknown: why`, and so is any other key of an open map.
pub(crate) fn values(sources: &Sources, node: &Node) -> String {
    values_if(sources, node, &|_| true)
}

/// The same, of the values for whose origin `wanted` says so; a list of scalars is one value.
pub(crate) fn values_if(
    sources: &Sources,
    node: &Node,
    wanted: &dyn Fn(&Origin) -> bool,
) -> String {
    let mut lines = Lines { sources, wanted, text: String::new() };
    lines.add("", node);
    lines.text
}

/// The same, of what `node` has at `path`, which may be nothing.
pub(crate) fn values_at(sources: &Sources, node: &Node, path: &str) -> String {
    let mut lines = Lines { sources, wanted: &|_| true, text: String::new() };
    match node.look(path) {
        Ok(Some(node)) => lines.add(path, node),
        Ok(None) => lines.text = format!("{path}: absent\n"),
        Err((why, _)) => lines.text = format!("{path}: unknown: {why}\n"),
    }
    lines.text
}

struct Lines<'a> {
    sources: &'a Sources,
    wanted: &'a dyn Fn(&Origin) -> bool,
    text: String,
}

impl Lines<'_> {
    fn add(&mut self, path: &str, node: &Node) {
        let is_nested = |it: &Node| it.as_list().is_some() || it.as_map().is_some();
        match &node.kind {
            Kind::Map(map) if !map.is_empty() || map.open.is_some() => {
                let path = if path.is_empty() { String::new() } else { format!("{path}.") };
                for (key, entry) in map.iter() {
                    self.add(&format!("{path}{key}"), &entry.value);
                }
                if let Some(why) = &map.open {
                    _ = writeln!(self.text, "{path}*: unknown: {why}");
                }
            }
            Kind::List(items) if items.iter().any(is_nested) => {
                for (index, item) in items.iter().enumerate() {
                    self.add(&format!("{path}[{index}]"), item);
                }
            }
            _ if path.is_empty() => {}
            _ => {
                let items = node.items();
                let values = if items.is_empty() { slice::from_ref(node) } else { items };
                if !values.iter().any(|it| (self.wanted)(&it.origin)) {
                    return;
                }
                if items.is_empty() {
                    self.line(&format!("{path}: "), node);
                } else {
                    _ = writeln!(self.text, "{path}:");
                    for item in items {
                        self.line("  - ", item);
                    }
                }
            }
        }
    }

    fn line(&mut self, start: &str, node: &Node) {
        let line = format!("{start}{}  {}", value(node), way_of(self.sources, node));
        _ = writeln!(self.text, "{}", line.trim_end());
    }
}

/// The releases of each environment with their values, and what is wrong.
pub(crate) fn releases(sources: &Sources, environments: &[Environment]) -> String {
    let mut text = String::new();
    for environment in environments {
        _ = writeln!(text, "{}:", environment.name);
        for release in &environment.releases {
            let version = release.version.as_ref().map(|it| format!(" {}", value(it)));
            let version = version.unwrap_or_default();
            let anchor = way(sources, &release.anchor);
            let suspended = if release.suspended { " (suspended)" } else { "" };
            _ = writeln!(text, "  {}{version}{suspended}  {anchor}", release.name);
            for line in values(sources, &release.values).lines() {
                _ = writeln!(text, "    {line}");
            }
        }
        text += &problems(sources, &environment.problems);
    }
    text
}

/// What is wrong and where, and below it what else has to do with it, a line each.
pub(crate) fn problems(sources: &Sources, problems: &[Problem]) -> String {
    let place = |origin: &Origin| {
        let Some(span) = origin.written_at() else { return String::new() };
        let text = sources.slice(span).lines().next().unwrap_or_default();
        format!("  {} `{text}`", place(sources, span))
    };
    let mut text = String::new();
    for problem in problems {
        let at = place(&problem.at);
        _ = writeln!(text, "{}: {}{at}", problem.kind.rule(), problem.message);
        for (origin, says) in &problem.also {
            _ = writeln!(text, "  {says}{}", place(origin));
        }
    }
    text
}

/// A value in YAML, or why it is unknown.
pub(crate) fn value(node: &Node) -> String {
    match node.unknown() {
        Some(why) => format!("unknown: {why}"),
        None if node.as_str().is_some_and(|it| it.contains('\n')) => node.to_json().to_string(),
        None => emit::yaml(node).trim_end().to_owned(),
    }
}

/// The way of `node`, in which a place that just says its value says nothing.
pub(crate) fn way_of(sources: &Sources, node: &Node) -> String {
    let value = value(node);
    way(sources, &node.origin).replace(&format!(" `{value}`"), "")
}

/// Every place from where a value takes effect to where it is written, with what stands there:
/// ``base.env:2 overridden `128Mi` < prod.env:2 `256Mi` ``.
pub(crate) fn way(sources: &Sources, origin: &Origin) -> String {
    let steps = origin.steps().map(|step| {
        let place = step.span.map(|span| {
            let (path, line) = (&sources[span.file].path, sources.start(span).line);
            let text = sources.slice(span).lines().next().unwrap_or_default();
            (format!("{path}:{line}"), format!("`{text}`"))
        });
        let (place, text) = place.unzip();
        let via = (step.via != Via::Written).then(|| step.via.id().to_owned());
        place.into_iter().chain(via).chain(text).collect::<Vec<_>>().join(" ")
    });
    steps.filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" < ")
}
