//! One setting in every environment, with its whole way.

use indexmap::IndexMap;
use serde_json::{Value as Json, json};

use super::{Shown, code, datum_json, escaped, fact_json, one_line, place, row, value, wrapped};
use crate::{
    model::Fact,
    report::{Place, TerminalOptions, excerpt::harmless, json},
    settings::{FactSubject, NamedFact, SubjectKind, normal, subjects, words},
    source::{Sources, Span},
    tree::{Origin, Step, Via},
};

/// What has a setting, in an environment.
struct Bearer<'a> {
    environment: &'a str,
    subject: FactSubject,
}

/// What has a setting called `name`, and nothing else of it.
fn bearers<'a>(environments: &'a [Shown], name: &str) -> impl Iterator<Item = Bearer<'a>> {
    let name = normal(name);
    let all = environments.iter().flat_map(|(environment, cluster)| {
        let subjects = subjects(environment, cluster).into_iter();
        subjects.map(|subject| Bearer { environment: &environment.name, subject })
    });
    all.filter_map(move |mut it| {
        it.subject.settings.retain(|it| normal(&it.name) == name);
        (!it.subject.settings.is_empty()).then_some(it)
    })
}

impl Bearer<'_> {
    /// `memory limit of kube-system/metrics-server`
    fn heading(&self) -> String {
        let of = match self.subject.kind {
            SubjectKind::Cluster => String::new(),
            SubjectKind::MetricsServer => format!(" of {}", self.subject.name),
            _ => format!(" of the {}", self.subject.words()),
        };
        let name = self.subject.settings.first().map_or("", |it| &it.name);
        one_line(&format!("{}{of}", words(name)))
    }
}

/// Whether one of `environments` has a setting called `name`.
pub(crate) fn has_setting(environments: &[Shown], name: &str) -> bool {
    bearers(environments, name).next().is_some()
}

/// What is said of each bearer, and the environments in which it is the same.
type ByHeading<'a> = IndexMap<String, IndexMap<String, Vec<&'a str>>>;

fn by_heading<'a>(
    environments: &'a [Shown],
    name: &str,
    told: impl Fn(&NamedFact) -> String,
) -> ByHeading<'a> {
    let mut said = ByHeading::new();
    for it in bearers(environments, name) {
        let text = it.subject.settings.iter().map(&told).collect();
        let values = said.entry(it.heading()).or_default();
        values.entry(text).or_default().push(it.environment);
    }
    said
}

/// The settings called `name` of `environments`, each with every place on its way: where it is written
/// first.
pub(crate) fn show_setting(
    sources: &Sources,
    environments: &[Shown],
    name: &str,
    look: TerminalOptions,
) -> String {
    let said = by_heading(environments, name, |it| told(sources, it, look));
    let parts = said.into_iter().map(|(head, values)| {
        let values = values.into_iter().map(|(text, names)| {
            let names = look.paint("1", wrapped("  ", &names.join(", "), look).trim_end());
            format!("{names}\n{text}")
        });
        format!("{head}\n{}", values.collect::<String>())
    });
    parts.collect::<Vec<_>>().join("\n")
}

/// The same as tables in Markdown.
pub(crate) fn show_setting_markdown(
    sources: &Sources,
    environments: &[Shown],
    name: &str,
) -> String {
    let said = by_heading(environments, name, |it| {
        let at = it.fact.place().map_or_else(String::new, |at| code(&place(sources, Some(at))));
        let why =
            it.fact.untold().map_or_else(String::new, |(why, _)| format!(", {}", escaped(why)));
        format!("{}{why} | {at}\n", code(&value(&it.fact)))
    });
    let parts = said.into_iter().map(|(head, values)| {
        let heads = ["value", "written at"].map(str::to_owned);
        let mut out = format!("### {}\n\n", escaped(&head));
        out += &row("environments", heads.into_iter());
        out += &row("---", ["---"; 2].map(str::to_owned).into_iter());
        for (texts, names) in values {
            let mut names = names.iter().map(|it| escaped(it)).collect::<Vec<_>>().join("<br>");
            // Of a list there is a row for each item.
            for text in texts.lines() {
                out += &row(&std::mem::take(&mut names), std::iter::once(text.to_owned()));
            }
        }
        out
    });
    parts.collect::<Vec<_>>().join("\n")
}

/// The settings that are called by one of `names`, for programs: see `docs/json.md`.
pub(crate) fn show_settings_json(
    sources: &Sources,
    environments: &[Shown],
    names: &[String],
) -> String {
    let bearers = names.iter().flat_map(|name| bearers(environments, name));
    let settings = bearers.flat_map(|Bearer { environment, subject }| {
        let of = |it: &NamedFact| {
            json!({
                "environment": environment,
                "kind": subject.kind.words(),
                "subject": subject.name,
                "setting": it.name,
                "fact": fact_json(sources, &it.fact.map(datum_json)),
            })
        };
        subject.settings.iter().map(of).collect::<Vec<_>>()
    });
    json::pretty(&json!({ "version": 1, "settings": settings.collect::<Json>() }))
}

/// The value and its way, indented.
fn told(sources: &Sources, setting: &NamedFact, look: TerminalOptions) -> String {
    let mut out = String::new();
    let mut line = |code: &str, text: &str| {
        out += &look.paint(code, wrapped("    ", text, look).trim_end());
        out.push('\n');
    };
    let origin = match &setting.fact {
        Fact::Known(value, origin) => {
            line("", &harmless(&value.to_string()));
            Some(origin)
        }
        Fact::Absent(None) => {
            line("2", "not set");
            None
        }
        Fact::Absent(Some(by)) => {
            line("2", "not set: it is taken away here");
            Some(by)
        }
        Fact::Unknown(why, at) => {
            line("33", &format!("unknown, since {why}"));
            at.as_ref()
        }
        Fact::Invalid { text, why, origin } => {
            line("33", &format!("invalid {}: {why}", one_line(text)));
            Some(origin)
        }
    };
    for (words, at) in &setting.remarks {
        line("2", &format!("{words}, {}", place(sources, at.written_at())));
    }
    if let Some(origin) = origin.filter(|_| setting.remarks.is_empty()) {
        way(sources, origin, "-->", look, &mut out);
        for other in origin.also() {
            way(sources, &other, "and", look, &mut out);
        }
    }
    out
}

/// The steps of an origin, from where a person edits to where the value takes effect.
fn way(sources: &Sources, origin: &Origin, first: &str, look: TerminalOptions, out: &mut String) {
    let steps: Vec<Step> = origin.steps().collect();
    for (index, step) in steps.iter().rev().enumerate() {
        // What does not count is no part of the way.
        let mark = match step.via {
            _ if index == 0 => first,
            Via::Overridden => "over",
            _ => ":::",
        };
        let words = match step.via {
            Via::Written => "",
            via => via.label(),
        };
        let text = match step.span {
            None if index > 0 => continue,
            None => words.to_owned(),
            Some(span) if words.is_empty() => position(sources, span),
            Some(span) => format!("{}  {words}", position(sources, span)),
        };
        *out += &look.paint("2", wrapped(&format!("      {mark} "), &text, look).trim_end());
        out.push('\n');
    }
}

/// `path:line:column`
fn position(sources: &Sources, span: Span) -> String {
    let Place { path, start, .. } = Place::of(sources, span);
    format!("{path}:{}:{}", start.line, start.column)
}
