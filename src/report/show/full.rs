//! Everything that is known of an environment, as a list.

use std::fmt::Write as _;

use indexmap::IndexMap;

use super::{place, problem_line, way, wrapped};
use crate::{
    model::{Cluster, Fact, MetricsServer},
    report::{TerminalOptions, excerpt::harmless, filled},
    resolve::environment::Environment,
    settings::{FactRole, FactSubject, SubjectKind, subjects, words},
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
    let mut out = look.paint("1", &harmless(&environment.name));
    let _ = writeln!(out, "  ({} {start})", entry.kind.id().replace('-', " "));
    for (subject, server) in with_servers(environment, cluster) {
        // Approvers are listed with the cluster, and APIServices lead to a metrics-server.
        let least = if subject.kind == SubjectKind::Approver { 2 } else { 1 };
        if subject.kind != SubjectKind::Cluster && subject.settings.len() < least {
            continue;
        }
        match (subject.kind, server) {
            (SubjectKind::Cluster, _) => {}
            (_, Some(server)) => {
                let name = look.paint("1", &harmless(&subject.name));
                let _ = writeln!(out, "\n  {name} ({})", how(sources, server));
            }
            (_, None) => {
                let name = look.paint("1", &harmless(&subject.words()));
                let _ =
                    writeln!(out, "\n  {name}  {}", place(sources, subject.anchor.written_at()));
            }
        }
        out += &settings(sources, &subject, look);
    }
    for problem in &environment.problems {
        out += &problem_line("  ", sources, problem, "", look);
    }
    out
}

/// The subjects of an environment, and which of them is which metrics-server.
fn with_servers<'a>(
    environment: &Environment,
    cluster: &'a Cluster,
) -> impl Iterator<Item = (FactSubject, Option<&'a MetricsServer>)> {
    let mut servers = cluster.metrics_servers.iter();
    subjects(environment, cluster).into_iter().map(move |it| {
        let server = if it.kind == SubjectKind::MetricsServer { servers.next() } else { None };
        (it, server)
    })
}

/// What is known of a subject: what is set row by row, then what is not.
fn settings(sources: &Sources, subject: &FactSubject, look: TerminalOptions) -> String {
    let mut table = Table::default();
    let mut rest: IndexMap<String, Vec<String>> = IndexMap::new();
    let mut before = "";
    // An argument without a setting of its own is among the arguments; the rest is in the heading.
    let is_told = |name: &str| {
        name.starts_with('-') || matches!(name, "installed_by" | "chart" | "chart_version")
    };
    for setting in subject.settings.iter().filter(|it| !is_told(&it.name)) {
        let name = words(&setting.name);
        match &setting.fact {
            Fact::Absent(None) => rest.entry("not set".into()).or_default().push(name),
            Fact::Unknown(_, _) if setting.name == "args" && setting.role == FactRole::Part => {
                // Why is told with the other unknown facts, which depend on it.
                table.row(if before == "args" { "" } else { &name }, "unknown", "");
            }
            Fact::Unknown(_, _) if !setting.remarks.is_empty() => table.row(&name, "unknown", ""),
            // What is unknown for one reason is told once.
            Fact::Unknown(why, _) => {
                rest.entry(format!("unknown, since {why}")).or_default().push(name);
            }
            fact => {
                let shown = if setting.name == before { "" } else { &*name };
                table.fact(shown, &fact.map(ToString::to_string), sources);
            }
        }
        before = &setting.name;
        for (text, origin) in &setting.remarks {
            table.remark(&format!("{text}, {}", place(sources, origin.written_at())));
        }
    }
    let mut out = table.print(look);
    for (state, names) in &rest {
        // A name is not broken between its words.
        let names = names.join(", ").replace(' ', "\u{a0}").replace(",\u{a0}", ", ");
        out += &wrapped(&format!("    {state}: "), &names, look).replace('\u{a0}', " ");
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
        self.rows.push(Row { name: harmless(name), value: harmless(value), from });
    }

    /// More about the row before.
    fn remark(&mut self, text: &str) {
        self.row("", "", text);
    }

    fn fact(&mut self, name: &str, fact: &Fact<String>, sources: &Sources) {
        match fact {
            Fact::Known(value, origin) => self.came(name, value, &way(sources, origin)),
            Fact::Absent(by) => {
                let by = by.as_ref().map(|it| place(sources, it.written_at()));
                let by = by.map(|it| format!("taken away at {it}")).unwrap_or_default();
                self.row(name, "not set", &by);
            }
            Fact::Unknown(why, _) => self.row(name, "unknown", why),
            Fact::Invalid { text, why, origin } => {
                self.came(name, &format!("invalid  {text}"), &way(sources, origin));
                self.remark(why);
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
            let start = lead.chars().count();
            let value = filled(&format!("{value:value_width$}"), start, start, look.width);
            let last = value.rsplit('\n').next().unwrap_or_default();
            let used = start + last.chars().count() + 2;
            let rest = format!("\n{}", " ".repeat(start));
            let painted = look.paint(value_color(&value), &value.replace('\n', &rest));
            let line = format!("{lead}{painted}");
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
