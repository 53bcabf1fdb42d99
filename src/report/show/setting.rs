//! One setting in every environment, with its whole way.

use indexmap::IndexMap;

use super::{Shown, one_line, place, wrapped};
use crate::{
    model::Fact,
    report::{Place, TerminalOptions, excerpt::harmless},
    settings::{NamedFact, SubjectKind, normal, subjects, words},
    source::{Sources, Span},
    tree::{Origin, Step, Via},
};

/// The settings called `name` of `environments`, each with every place on its way: where it is written
/// first; `None` where there is none of that name.
pub(crate) fn show_setting(
    sources: &Sources,
    environments: &[Shown],
    name: &str,
    look: TerminalOptions,
) -> Option<String> {
    // What is said of each subject, and the environments in which it is the same.
    let mut said: IndexMap<String, IndexMap<String, Vec<&str>>> = IndexMap::new();
    for (environment, cluster) in environments {
        for subject in subjects(environment, cluster) {
            let of = match subject.kind {
                SubjectKind::Cluster => String::new(),
                SubjectKind::Kubelets => format!(" of the kubelets {}", subject.name),
                kind => format!(" of {} {}", kind.words(), subject.name),
            };
            let of = of.replace(" of metrics-server ", " of ");
            let all = subject.settings.iter().filter(|it| normal(&it.name) == normal(name));
            let all: Vec<&NamedFact> = all.collect();
            if let Some(first) = all.first() {
                let head = one_line(&format!("{}{of}", words(&first.name)));
                let text = all.iter().map(|it| told(sources, it, look)).collect();
                said.entry(head).or_default().entry(text).or_default().push(&environment.name);
            }
        }
    }
    let parts = said.into_iter().map(|(head, values)| {
        let values = values.into_iter().map(|(text, names)| {
            let names = look.paint("1", wrapped("  ", &names.join(", "), look).trim_end());
            format!("{names}\n{text}")
        });
        format!("{head}\n{}", values.collect::<String>())
    });
    let text = parts.collect::<Vec<_>>().join("\n");
    Some(text).filter(|it| !it.is_empty())
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
        let mark = if index == 0 { first } else { ":::" };
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
