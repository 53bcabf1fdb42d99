//! Everything that is known of an environment, as a list.

use std::fmt::Write as _;

use indexmap::IndexMap;

use super::{place, problem_line, way, wrapped};
use crate::{
    model::{Autoscaler, Cluster, Fact, MetricsServer},
    report::{TerminalOptions, excerpt::harmless},
    resolve::environment::Environment,
    settings::name_of,
    source::Sources,
};

/// The environment with all that is known of it.
pub(super) fn environment(
    sources: &Sources,
    (environment, cluster): &(Environment, Cluster),
    look: TerminalOptions,
) -> String {
    let entry = &environment.entry;
    let start = place(sources, entry.origin.written_at());
    let mut out = look.paint("1", &environment.name);
    let _ = writeln!(out, "  ({} {start})", entry.kind.id().replace('-', " "));
    let mut table = Table::default();
    if let Some((why, origin)) = &cluster.local {
        table.row("local", "yes", &format!("{why}, {}", place(sources, origin.written_at())));
    }
    table.fact("nodes", &cluster.nodes.map(ToString::to_string), sources);
    if !cluster.pods_per_node.is_absent() {
        table.fact("pods per node", &cluster.pods_per_node.map(ToString::to_string), sources);
    }
    if !cluster.kubernetes.is_absent() {
        table.fact("Kubernetes", &cluster.kubernetes.map(ToString::to_string), sources);
    }
    let state = cluster.serving.state.id().replace('-', " ");
    table.row("serving certificates", &state, "");
    for (text, origin) in &cluster.serving.evidence {
        table.remark(&format!("{text}, {}", place(sources, origin.written_at())));
    }
    for approver in &cluster.approvers {
        table.row("approver", &approver.name, &place(sources, approver.origin.written_at()));
    }
    for it in &cluster.removed_api_versions {
        let what = format!("{} {}", it.api_version, it.kind);
        table.row("removed API version", &what, &place(sources, it.origin.written_at()));
    }
    for it in &cluster.api_servers {
        if !it.aggregator_routing.is_absent() {
            table.fact("aggregator routing", &it.aggregator_routing.map(bool::to_string), sources);
        }
    }
    for it in cluster.charts.iter().flat_map(|it| &it.drifts) {
        let what = format!("{} of the {}", it.field, it.kind);
        table.row("never in sync", &what, &place(sources, it.origin.written_at()));
    }
    for it in &cluster.moving_versions {
        let text = if it.text.is_empty() { "none" } else { &it.text };
        table.row("moving version", text, &place(sources, it.origin.written_at()));
    }
    for variable in &cluster.variables {
        table.fact(&variable.name, &variable.value, sources);
        let what = match (variable.is_used, &variable.overridden) {
            (Some(false), _) => ", which nothing uses",
            (_, Some(_)) => ", which another definition overrides",
            _ => "",
        };
        table.remark(&format!("a variable of the {}{what}", variable.source));
    }
    if !cluster.autoscalers.is_empty() {
        let names: Vec<String> = cluster.autoscalers.iter().map(Autoscaler::subject).collect();
        table.row("autoscalers", &names.len().to_string(), &names.join(", "));
    }
    out += &table.print(look);
    for server in &cluster.metrics_servers {
        let name = look.paint("1", &name_of(server));
        let _ = writeln!(out, "\n  {name} ({})", how(sources, server));
        let mut table = Table::default();
        let mut rest: IndexMap<String, Vec<String>> = IndexMap::new();
        let mut facts = server.facts();
        facts.extend(server.surroundings());
        for (name, fact) in facts {
            let name = name.replace('_', " ");
            match fact {
                Fact::Absent(None) => rest.entry("not set".into()).or_default().push(name),
                // What is unknown for one reason is told once.
                Fact::Unknown(why, _) => {
                    rest.entry(format!("unknown, since {why}")).or_default().push(name);
                }
                _ if name == "args" => table.args(server, sources),
                fact => table.fact(&name, &fact.map(ToString::to_string), sources),
            }
        }
        out += &table.print(look);
        for (state, names) in &rest {
            // A name is not broken between its words.
            let names = names.join(", ").replace(' ', "\u{a0}").replace(",\u{a0}", ", ");
            out += &wrapped(&format!("    {state}: "), &names, look).replace('\u{a0}', " ");
        }
    }
    for problem in &environment.problems {
        out += &problem_line("  ", sources, problem, "", look);
    }
    out
}

/// `helm release, chart metrics-server 3.12.2, version from apps/helmrelease.yaml:12`
fn how(sources: &Sources, server: &MetricsServer) -> String {
    let mut how = server.via.replace('-', " ");
    if let Some((name, version)) = &server.chart {
        let _ = write!(how, ", chart {name}");
        match version.known() {
            Some((version, origin)) => {
                let from = place(sources, origin.written_at());
                let _ = write!(how, " {version}, version from {from}");
            }
            None => how += ", version unknown",
        }
    }
    how
}

/// Rows of a name, a value, and where it comes from.
#[derive(Default)]
struct Table {
    rows: Vec<Row>,
}

struct Row {
    name: String,
    value: String,
    /// The places on the value's way, what a person edits first; or a remark.
    from: Vec<String>,
}

impl Table {
    fn row(&mut self, name: &str, value: &str, from: &str) {
        let from = Some(from.to_owned()).filter(|it| !it.is_empty());
        self.came(name, value, from.as_slice());
    }

    fn came(&mut self, name: &str, value: &str, from: &[String]) {
        let from = from.iter().map(|it| harmless(it)).collect();
        self.rows.push(Row { name: name.to_owned(), value: harmless(value), from });
    }

    /// More about the row before.
    fn remark(&mut self, text: &str) {
        self.row("", "", text);
    }

    fn fact(&mut self, name: &str, fact: &Fact<String>, sources: &Sources) {
        match fact {
            Fact::Known(value, origin) => self.came(name, value, &way(sources, origin)),
            Fact::Absent(None) => self.row(name, "not set", ""),
            Fact::Absent(Some(by)) => {
                let by = place(sources, by.written_at());
                self.row(name, "not set", &format!("taken away at {by}"));
            }
            Fact::Unknown(why, _) => self.row(name, "unknown", why),
            Fact::Invalid { text, why, origin } => {
                self.came(name, &format!("invalid  {text}"), &way(sources, origin));
                self.remark(why);
            }
        }
    }

    /// Each argument with where it comes from: patches and values add them one by one.
    fn args(&mut self, server: &MetricsServer, sources: &Sources) {
        for (index, arg) in server.args.value().into_iter().flatten().enumerate() {
            let name = if index == 0 { "args" } else { "" };
            match &arg.unknown {
                None => self.came(name, &arg.text, &way(sources, &arg.origin)),
                // Why is told with the other unknown facts, which depend on it.
                Some(_) => self.row(name, "unknown", ""),
            }
        }
    }

    fn print(&self, look: TerminalOptions) -> String {
        // A few long texts must not push everything else to the right.
        let width = |text: fn(&Row) -> &str, most: usize| {
            let widths = self.rows.iter().map(|row| text(row).chars().count());
            widths.filter(|it| *it <= most).max().unwrap_or(0)
        };
        let (name_width, value_width) = (width(|it| &it.name, 31), width(|it| &it.value, 24));
        let mut out = String::new();
        for Row { name, value, from } in &self.rows {
            if name.is_empty() && value.is_empty() {
                out += &wrapped("      ", &from.concat(), look);
                continue;
            }
            let lead = format!("    {name:name_width$}  ");
            let value = format!("{value:value_width$}");
            let used = lead.chars().count() + value.chars().count() + 2;
            let line = format!("{lead}{}", look.paint(value_color(&value), &value));
            let on_one_line = from.join(", ");
            if from.is_empty() {
                out += line.trim_end();
                out.push('\n');
            } else if used + on_one_line.chars().count() <= look.width {
                let _ = writeln!(out, "{line}  {}", look.paint("2", &on_one_line));
            } else {
                let _ = writeln!(out, "{}", line.trim_end());
                let below = " ".repeat(4 + name_width + 4);
                for step in from {
                    out += &look.paint("2", wrapped(&below, step, look).trim_end());
                    out.push('\n');
                }
            }
        }
        out
    }
}

fn value_color(value: &str) -> &'static str {
    if value.trim_end() == "unknown" || value.starts_with("invalid  ") { "33" } else { "" }
}
