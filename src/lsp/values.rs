//! What a line comes to: the values that are written there or come through there, in every environment.

use std::{collections::BTreeMap, fmt::Write as _};

use indexmap::IndexMap;
use lsp_types::{InlayHint, InlayHintKind, InlayHintLabel, Location};

use super::place::Files;
use crate::{
    finding::disturbs,
    model::Cluster,
    report::value,
    resolve::environment::Environment,
    settings::{self, FactRole, FactSubject, NamedFact},
    source::{FileId, Span},
    tree::{Origin, Step, Via},
};

/// All values of a repository, by the places that they come through.
pub(super) struct Passages {
    known: Vec<KnownValue>,
    by_file: BTreeMap<FileId, Vec<Passage>>,
}

/// A setting of an environment.
struct KnownValue {
    environment: String,
    /// `memory limit of kube-system/metrics-server`
    what: String,
    /// As people read it.
    value: String,
    /// The places on its way, from where it takes effect to where it is written.
    steps: Vec<Step>,
}

/// A place on the way of a value.
#[derive(Clone, Copy)]
struct Passage {
    at: Span,
    /// Which of the values.
    value: usize,
    /// Which of its steps.
    step: usize,
}

/// The environments that have a value by the same way.
type ByValue<'a> = IndexMap<(&'a str, &'a [Step]), Vec<&'a str>>;

/// So many settings are told of one place; of the others, how many there are.
const MOST: usize = 8;

impl Passages {
    /// Those of `environments`, which come to `clusters`.
    pub(super) fn of(environments: &[Environment], clusters: &[Cluster]) -> Self {
        let mut all = Self { known: Vec::new(), by_file: BTreeMap::new() };
        for (environment, cluster) in environments.iter().zip(clusters) {
            for subject in settings::subjects(environment, cluster) {
                for setting in subject.settings.iter().filter(|it| is_own(&subject, it)) {
                    all.add(&environment.name, &subject, setting);
                }
            }
        }
        for passages in all.by_file.values_mut() {
            passages.sort_by_key(|it| (it.at.start, it.at.end));
        }
        all
    }

    fn add(&mut self, environment: &str, subject: &FactSubject, setting: &NamedFact) {
        let Some(way) = setting.fact.way() else { return };
        let name = settings::words(&setting.name);
        let what = match &*subject.name {
            "" => name,
            _ => format!("{name} of {}", subject.words()),
        };
        for origin in [way.clone()].into_iter().chain(way.also()) {
            if is_implied(&origin) {
                continue;
            }
            let steps: Vec<Step> = origin.steps().collect();
            for (step, at) in steps.iter().enumerate().filter_map(|(at, it)| Some((at, it.span?))) {
                let passage = Passage { at, value: self.known.len(), step };
                self.by_file.entry(at.file).or_default().push(passage);
            }
            self.known.push(KnownValue {
                environment: environment.to_owned(),
                what: what.clone(),
                value: value(&setting.fact),
                steps,
            });
        }
    }

    /// What comes through the place of a byte, else through what starts on its line.
    fn at(&self, files: Files<'_>, file: FileId, byte: u32) -> Vec<Passage> {
        let all = self.by_file.get(&file).map(Vec::as_slice).unwrap_or_default();
        let covers = |it: &&Passage| it.at.start <= byte && byte <= it.at.end;
        let size = |it: &Passage| it.at.end - it.at.start;
        if let Some(least) = all.iter().filter(covers).map(size).min() {
            return all.iter().filter(covers).filter(|it| size(it) == least).copied().collect();
        }
        let line = |byte| files.position(file, byte).line;
        let own = line(byte);
        all.iter().filter(|it| line(it.at.start) == own).copied().collect()
    }

    /// Whether a value is written in `file`, or comes through it.
    pub(super) fn touch(&self, file: FileId) -> bool {
        self.by_file.contains_key(&file)
    }

    /// The values at a byte in every environment, with their ways, as Markdown; nothing where there is
    /// none.
    pub(super) fn hover(
        &self,
        files: Files<'_>,
        file: FileId,
        byte: u32,
    ) -> Option<(String, Span)> {
        let passages = self.at(files, file, byte);
        let span = passages.first()?.at;
        // What it is, then the value and its way, then the environments.
        let mut told: IndexMap<&str, ByValue<'_>> = IndexMap::new();
        for it in passages.iter().filter_map(|it| self.known.get(it.value)) {
            let values = told.entry(&it.what).or_default();
            let environments = values.entry((&it.value, &it.steps)).or_default();
            if !environments.contains(&&*it.environment) {
                environments.push(&it.environment);
            }
        }
        let mut text = String::new();
        for (what, values) in told.iter().take(MOST) {
            let _ = writeln!(text, "**{}**\n", plain(what));
            for ((value, steps), environments) in values {
                let environments = environments.join(", ");
                let _ = writeln!(text, "- `{}` in {}", code(value), plain(&environments));
                if steps.len() > 1 {
                    text += &way(files, steps);
                }
            }
            text.push('\n');
        }
        if told.len() > MOST {
            let _ = writeln!(text, "and {} other settings", told.len() - MOST);
        }
        Some((text.trim_end().to_owned(), span))
    }

    /// The next places on the way to where the values at a byte are written.
    pub(super) fn definition(&self, files: Files<'_>, file: FileId, byte: u32) -> Vec<Location> {
        let passages = self.at(files, file, byte);
        let found = passages
            .iter()
            .filter_map(|it| next(self.known.get(it.value)?.steps.get(it.step + 1..)?));
        let mut spans: Vec<Span> = found.collect();
        // What is written here is its own definition.
        spans.extend(passages.first().filter(|_| spans.is_empty()).map(|it| it.at));
        locations(files, spans)
    }

    /// All places that the values at a byte come through; that of the byte only where it is asked for.
    pub(super) fn references(
        &self,
        files: Files<'_>,
        file: FileId,
        byte: u32,
        with_own: bool,
    ) -> Vec<Location> {
        let passages = self.at(files, file, byte);
        let steps =
            passages.iter().filter_map(|it| self.known.get(it.value)).flat_map(|it| &it.steps);
        let own: Vec<Span> = passages.iter().map(|it| it.at).collect();
        let spans = steps.filter_map(|it| it.span).filter(|it| with_own || !own.contains(it));
        locations(files, spans.collect())
    }

    /// What takes the place of the expressions between two bytes of a file.
    pub(super) fn hints(&self, files: Files<'_>, within: Span) -> Vec<InlayHint> {
        let all = self.by_file.get(&within.file).into_iter().flatten();
        let all = all.filter(|it| within.start <= it.at.end && it.at.start <= within.end);
        // The place, then what is written there instead, then the environments.
        let mut filled: BTreeMap<Span, IndexMap<&str, Vec<&str>>> = BTreeMap::new();
        for passage in all {
            let Some(known) = self.known.get(passage.value) else { continue };
            let [here, rest @ ..] = known.steps.get(passage.step..).unwrap_or_default() else {
                continue;
            };
            let (Via::Substituted | Via::Templated, Some(span)) = (here.via, next(rest)) else {
                continue;
            };
            let text = files.sources.slice(span).trim_matches(['"', '\'']);
            let environments = filled.entry(passage.at).or_default().entry(text).or_default();
            if !environments.contains(&&*known.environment) {
                environments.push(&known.environment);
            }
        }
        filled.into_iter().map(|(at, values)| hint(files, at, &values)).collect()
    }
}

/// Whether a setting says something of the line that it comes from: others just stand there because of
/// what does, such as the version of a chart, or say it once more.
fn is_own(subject: &FactSubject, setting: &NamedFact) -> bool {
    let is_part = setting.role == FactRole::Part && setting.name == "args";
    let follows = setting.fact.way().is_some_and(|it| it.last() == subject.anchor.last());
    !is_part && (!follows || setting.name == "chart_version")
}

/// Whether nobody wrote a value, so that its place is just what it follows from.
fn is_implied(origin: &Origin) -> bool {
    origin.is_default() || origin.last().via == Via::UpstreamManifest
}

/// The first of these places whose value no other takes the place of.
fn next(steps: &[Step]) -> Option<Span> {
    let is_over = |it: &&Step| !it.via.is_overridden();
    steps.iter().filter(is_over).find_map(|it| it.span)
}

fn locations(files: Files<'_>, mut spans: Vec<Span>) -> Vec<Location> {
    spans.sort_unstable();
    spans.dedup();
    spans.into_iter().filter_map(|it| files.location(it)).collect()
}

/// The places that a value comes through, what a person edits first.
fn way(files: Files<'_>, steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps.iter().rev() {
        let _ = match step.span {
            Some(span) => {
                let path = &files.sources[span.file].path;
                let line = files.position(span.file, span.start).line + 1;
                let shown = format!("{}:{line}", code(path));
                match files.uri(path) {
                    Some(uri) => {
                        let uri = uri.as_str();
                        writeln!(text, "  - {}: [`{shown}`]({uri}#L{line})", step.via.label())
                    }
                    None => writeln!(text, "  - {}: `{shown}`", step.via.label()),
                }
            }
            None => writeln!(text, "  - {}", step.via.label()),
        };
    }
    text
}

fn hint(files: Files<'_>, at: Span, values: &IndexMap<&str, Vec<&str>>) -> InlayHint {
    const SHOWN: usize = 3;
    let label = match values.first() {
        Some((value, _)) if values.len() == 1 => format!("= {}", code(value)),
        _ => {
            let each = values.iter().take(SHOWN).map(|(value, environments)| {
                let first =
                    environments.first().map_or("", |it| it.rsplit('/').next().unwrap_or(it));
                let more = environments.len().saturating_sub(1);
                let more = if more > 0 { format!(" +{more}") } else { String::new() };
                format!("{}{more}: {}", code(first), code(value))
            });
            let each = each.collect::<Vec<_>>().join(", ");
            let more = values.len().saturating_sub(SHOWN);
            if more > 0 { format!("= {each}, +{more}") } else { format!("= {each}") }
        }
    };
    InlayHint {
        position: files.position(at.file, at.end),
        label: InlayHintLabel::String(label),
        kind: Some(InlayHintKind::PARAMETER),
        text_edits: None,
        tooltip: None,
        padding_left: Some(true),
        padding_right: None,
        data: None,
    }
}

/// `text` on one line, where nothing in it is Markdown: in a code span, in a label.
fn code(text: &str) -> String {
    text.replace('`', "'").replace(disturbs, " ")
}

/// `text` on one line, as it is and no Markdown.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        if matches!(character, '*' | '_' | '`' | '[' | ']' | '<' | '>' | '\\' | '|') {
            out.push('\\');
        }
        out.push(if disturbs(character) { ' ' } else { character });
    }
    out
}
