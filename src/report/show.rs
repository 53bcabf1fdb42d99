//! The effective settings of every environment, and where each comes from.

mod columns;
mod full;
mod json;
mod markdown;
mod overview;
mod setting;

pub(crate) use json::show_json;
pub(super) use json::{datum_json, fact_json, origin_json, problems_json, shown_json};
pub(crate) use markdown::show_markdown;
pub(super) use markdown::{code, escaped, row};
pub(crate) use setting::{has_setting, show_setting, show_setting_markdown, show_settings_json};

use indexmap::{IndexMap, IndexSet};

use crate::{
    cli::Verbosity,
    model::{Cluster, Datum, Fact},
    problem::Problem,
    report::{Place, TerminalOptions, excerpt::harmless, filled},
    resolve::environment::Environment,
    source::{Sources, Span},
    tree::{Origin, Step, Via},
};

type Shown = (Environment, Cluster);

/// The environments that only scale workloads, of which there may be one for each program, and all
/// others.
fn apart(environments: &[Shown]) -> (Vec<&Shown>, Vec<&Shown>) {
    environments.iter().partition(|(_, it)| it.only_autoscales())
}

/// What `environments` come to, and the `problems` that are of none of them: environments side by
/// side with what somebody wrote or what differs; with `-v` one after the other with everything.
pub(crate) fn show(
    sources: &Sources,
    environments: &[Shown],
    problems: &[Problem],
    look: TerminalOptions,
    detail: Verbosity,
) -> String {
    let (scaled, shown) = apart(environments);
    let mut parts: Vec<String> = if detail == Verbosity::Verbose {
        shown.iter().map(|it| full::environment(sources, it, look)).collect()
    } else {
        let tables = overview::overviews(&shown);
        tables.iter().map(|it| columns::print(sources, it, look)).collect()
    };
    if parts.is_empty() {
        parts.push(format!("{NONE}\n"));
    }
    if detail < Verbosity::Verbose {
        let told = told_once(of_environments(&shown), true);
        let lines = told.iter().map(|it| {
            let of = if shown.len() > 1 { it.environments() } else { String::new() };
            problem_line("", sources, it.problem, &(it.others() + &of), look)
        });
        parts.extend(Some(lines.collect()).filter(|it: &String| !it.is_empty()));
    }
    if !scaled.is_empty() {
        let names = scaled.iter().map(|(it, _)| &*it.name).collect::<Vec<_>>().join(", ");
        parts.push(wrapped("only autoscalers: ", &names, look));
    }
    if !problems.is_empty() {
        let of_none = problems.iter().map(|it| ("", it));
        let told = told_once(of_none, detail < Verbosity::Verbose).into_iter();
        let lines = told.map(|it| problem_line("", sources, it.problem, &it.others(), look));
        parts.push(lines.collect());
    }
    parts.join("\n")
}

const NONE: &str = "no environment with metrics-server, kubelet configuration or approvers";

/// A problem, where it is met, and how many are like it.
struct ToldProblem<'a> {
    problem: &'a Problem,
    /// The environments that have it, or one like it.
    names: Vec<&'a str>,
    /// How many others differ only in what they name and where they stand.
    like: usize,
}

impl ToldProblem<'_> {
    /// `, and 66 more like it (-v)`
    fn others(&self) -> String {
        match self.like {
            0 => String::new(),
            like => format!(", and {like} more like it (-v)"),
        }
    }

    /// ` in dev, prod`
    fn environments(&self) -> String {
        const NAMED: usize = 6;
        match self.names.len() {
            all if all > NAMED => format!(" in {all} environments"),
            _ => format!(" in {}", self.names.join(", ")),
        }
    }
}

fn of_environments<'a>(shown: &[&'a Shown]) -> impl Iterator<Item = (&'a str, &'a Problem)> {
    shown.iter().flat_map(|(it, _)| it.problems.iter().map(|problem| (&*it.name, problem)))
}

/// Problems, each with the environments that have it. Where `alike` says so, several that differ only
/// in what they name are told as the first of them.
fn told_once<'a>(
    of: impl Iterator<Item = (&'a str, &'a Problem)>,
    alike: bool,
) -> Vec<ToldProblem<'a>> {
    const SEVERAL: usize = 3;
    let mut told: IndexMap<(&str, Option<Span>), ToldProblem<'_>> = IndexMap::new();
    for (name, problem) in of {
        let new = || ToldProblem { problem, names: Vec::new(), like: 0 };
        let it = told.entry((&problem.message, problem.at.written_at())).or_insert_with(new);
        if !it.names.contains(&name) {
            it.names.push(name);
        }
    }
    // What is in backticks is what a sentence is about, and so is a path or a URL.
    let is_named = |word: &&str| word.trim_end_matches(['.', ',', ':']).contains(['/', '.']);
    let shape = |it: &ToldProblem<'_>| -> String {
        let rest = it.problem.message.split('`').step_by(2);
        rest.flat_map(|it| it.split(' ').filter(|it| !is_named(it))).collect()
    };
    let mut groups: IndexMap<(&str, String), Vec<ToldProblem<'_>>> = IndexMap::new();
    for it in told.into_values() {
        groups.entry((it.problem.kind.rule(), shape(&it))).or_default().push(it);
    }
    let groups = groups.into_values().flat_map(|mut all| {
        if alike && all.len() >= SEVERAL {
            let others = all.split_off(1);
            for first in &mut all {
                first.like = others.len();
                let names = others.iter().flat_map(|it| &it.names);
                let names: IndexSet<&str> = first.names.iter().chain(names).copied().collect();
                first.names = names.into_iter().collect();
            }
        }
        all
    });
    groups.collect()
}

/// `unresolved: metrics-server is installed by a script in a way that is not read (up.sh:3)`
fn problem_line(
    indent: &str,
    sources: &Sources,
    problem: &Problem,
    suffix: &str,
    look: TerminalOptions,
) -> String {
    let at = place(sources, problem.at.written_at());
    let lead = format!("{indent}{}: ", problem.kind.rule());
    wrapped(&lead, &format!("{} ({at}){suffix}", problem.message), look)
}

/// Where a value is written and then through what it comes to count, for people.
fn way(sources: &Sources, origin: &Origin) -> Vec<String> {
    let mut steps: Vec<Step> = origin.steps().collect();
    let Some(last) = steps.pop() else { return Vec::new() };
    let written = match (last.via, last.span) {
        (Via::Written | Via::Configured, span) => place(sources, span),
        // The chart's version is told once, with the chart.
        (Via::ChartDefault, _) => {
            steps.clear();
            via_text(last.via)
        }
        (via, None) => via_text(via),
        (via, span) => format!("{}, {}", via_text(via), place(sources, span)),
    };
    let through = steps.iter().rev().filter(|it| it.span.is_some()).map(|step| {
        let how = match step.via {
            Via::Patched | Via::Overridden | Via::Transformed => "over".to_owned(),
            Via::Values => "through".to_owned(),
            via => format!("{} at", via_text(via)),
        };
        format!("{how} {}", place(sources, step.span))
    });
    let also = origin.also().into_iter().filter_map(|it| way(sources, &it).into_iter().next());
    let also = also.map(|it| format!("and {it}"));
    std::iter::once(written).chain(through).chain(also).collect()
}

fn via_text(via: Via) -> String {
    via.id().replace('-', " ").replace("kubernetes", "Kubernetes")
}

/// `apps/helmrelease.yaml:12`
pub(super) fn place(sources: &Sources, span: Option<Span>) -> String {
    span.map_or_else(
        || "built in".to_owned(),
        |span| {
            let Place { path, start, .. } = Place::of(sources, span);
            format!("{}:{}", harmless(&path), start.line)
        },
    )
}

/// A value on one line, without what does more to a terminal than appear, and not without end.
pub(super) fn one_line(text: &str) -> String {
    const LONGEST: usize = 160;
    let mut shown: String = text.chars().take(LONGEST).collect();
    if shown.len() < text.len() {
        shown.push_str("...");
    }
    harmless(&shown)
}

/// What a setting comes to, on one line.
pub(crate) fn value(fact: &Fact<Datum>) -> String {
    match fact {
        Fact::Known(value, _) => match one_line(&value.to_string()) {
            text if text.is_empty() => "\"\"".to_owned(),
            text => text,
        },
        Fact::Absent(_) => "not set".to_owned(),
        Fact::Unknown(..) => "unknown".to_owned(),
        Fact::Invalid { text, .. } => format!("invalid {}", one_line(text)),
    }
}

/// `text` after `lead`, broken between words, the rest indented below.
fn wrapped(lead: &str, text: &str, look: TerminalOptions) -> String {
    let indent = lead.chars().take_while(|it| *it == ' ').count() + 2;
    let rest = " ".repeat(indent);
    let text = filled(&harmless(text), lead.chars().count(), indent, look.width);
    format!("{lead}{}\n", text.replace('\n', &format!("\n{rest}")))
}
