//! What a rule says.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    source::Span,
    tree::{Origin, Step, Via},
};

/// One thing that is wrong, at the line to edit, with the places through which it takes effect.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Finding {
    /// The rule's id.
    pub rule: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong here, with the numbers of the case: one line, no full stop.
    pub message: String,
    /// Where to edit, then the way from there to where it takes effect, then other places.
    /// Never empty.
    pub labels: Vec<Label>,
    /// What else one should know, and what has no place: a default, a reason.
    pub notes: Vec<String>,
    /// What to do, as an imperative.
    pub help: Option<String>,
    /// The environments that have it; empty for what belongs to none (a file that is not YAML).
    pub environments: BTreeSet<String>,
    /// What it is about, without the environment: `kube-system/metrics-server memory_limit`.
    pub subject: String,
    /// Which of the rule's findings it is; `""` when the rule has one kind only. Rule, subject,
    /// variant and place say which findings of several environments are the same, whatever the
    /// message is.
    pub variant: &'static str,
    /// Whether it is less bad than usual because the cluster is a local one.
    pub local: bool,
    /// The numbers of the case: of the same in several environments, the greatest is shown.
    pub weight: Vec<u64>,
    /// Whether nobody has to mend it, so that it is shown to those who ask for such notes only.
    pub pedantic: bool,
    /// What would mend it, as the rule means it.
    pub proposal: Option<Proposal>,
    /// What does mend it, proved by resolving the repository again.
    pub fix: Option<Fix>,
}

/// What a rule means to be edited.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Proposal {
    /// What is edited, all of it or nothing.
    pub changes: Vec<Change>,
    /// The settings, as `show` names them or their flags, that come to be others where the finding is; see
    /// [`ANY_SETTING`].
    pub settings: Vec<String>,
    /// Whether a person has to look at it.
    pub applicability: Applicability,
    /// What is there then that was not, where the finding is.
    pub brings: Option<NewSubject>,
}

/// Of a proposal that may change any setting, where the finding is: what was ignored begins to count.
pub(crate) const ANY_SETTING: &str = "*";

/// Something that a fix may bring about where it is found to be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NewSubject {
    /// The APIService of the Metrics API.
    ApiService,
}

/// An edit in the words of a rule, at places of the repository.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    /// `old`, a part of the text at `at`, becomes `new`.
    Part { at: Span, old: String, new: String },
    /// The scalar at `at` becomes `new`, in the notation that it has.
    Value { at: Span, new: String },
    /// The key at `at` becomes `new`.
    Key { at: Span, new: String },
    /// The item of a list, or the entry of a map, of which `0` is the value goes.
    Remove(Span),
    /// The entry of the map at `map` at `path` below it becomes `value`; it is put in with the maps on
    /// the way to it where there is none.
    Entry { map: Span, path: Vec<String>, value: Value },
    /// What is on one line at `at` becomes `value`, of whatever type these are.
    Scalar { at: Span, value: Value },
    /// The entry of a map of which the value is at `at`, or at `path` below it, becomes another one.
    Other { at: Span, path: Vec<String>, key: String, value: Value },
    /// The map that is so many levels above what is written at `at` gets an entry at `path` below it.
    Beside { at: Span, levels: usize, path: Vec<String>, value: Value },
    /// The list that holds the item at `beside` gets another one at its end.
    Item { beside: Span, value: Value },
    /// The comment at this place goes.
    Comment(Span),
    /// The file of variables that `beside` is in gets one that is called like that of which the value is
    /// at `of`, below it.
    Variable { beside: Span, of: Span, value: String },
    /// The value of a variable in a file of its own loses its quotes, and the comment after it comes to
    /// stand above.
    Bare(Span),
}

/// Bytes of a file and what stands there instead.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edit {
    /// What is replaced; empty where something is put in.
    pub span: Span,
    /// By what.
    pub text: String,
}

/// Edits that mend a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fix {
    /// In order; they do not overlap. Never empty.
    pub edits: Vec<Edit>,
    /// Whether a person has to look at it.
    pub applicability: Applicability,
}

/// Whether an edit is made by `--fix`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Applicability {
    /// A choice among several, or something starts to apply that did not: `--unsafe-fixes`.
    Unsafe,
    /// What was meant, and nothing else.
    Safe,
}

impl Applicability {
    /// The name in machine-readable output.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Unsafe => "unsafe",
            Self::Safe => "safe",
        }
    }
}

impl Change {
    /// `old`, a part of what is written at `origin`, becomes `new`; nothing where nobody wrote it.
    pub(crate) fn part(
        origin: &Origin,
        old: impl Into<String>,
        new: impl Into<String>,
    ) -> Option<Self> {
        Some(Self::Part { at: written(origin)?, old: old.into(), new: new.into() })
    }

    /// The scalar that is written at `origin` becomes `new`.
    pub(crate) fn value(origin: &Origin, new: impl Into<String>) -> Option<Self> {
        Some(Self::Value { at: written(origin)?, new: new.into() })
    }

    /// The key that is written at `origin` becomes `new`.
    pub(crate) fn key(origin: &Origin, new: impl Into<String>) -> Option<Self> {
        Some(Self::Key { at: written(origin)?, new: new.into() })
    }

    /// The item or entry whose value is written at `origin` goes.
    pub(crate) fn remove(origin: &Origin) -> Option<Self> {
        written(origin).map(Self::Remove)
    }

    /// The scalar that is written at `origin` becomes `value`, of whatever type that is.
    pub(crate) fn scalar(origin: &Origin, value: impl Into<Value>) -> Option<Self> {
        Some(Self::Scalar { at: written(origin)?, value: value.into() })
    }

    /// The entry whose value is written at `origin` becomes another one.
    pub(crate) fn other(origin: &Origin, key: &str, value: impl Into<Value>) -> Option<Self> {
        Self::other_below(origin, &[], key, value)
    }

    /// The entry at `path` below the map that is written at `origin` becomes another one.
    pub(crate) fn other_below(
        origin: &Origin,
        path: &[&str],
        key: &str,
        value: impl Into<Value>,
    ) -> Option<Self> {
        let path = path.iter().map(|it| (*it).to_owned()).collect();
        Some(Self::Other { at: written(origin)?, path, key: key.to_owned(), value: value.into() })
    }

    /// The entry at `path` below the map that is written at `origin` becomes `value`.
    pub(crate) fn entry(origin: &Origin, path: &[&str], value: impl Into<Value>) -> Option<Self> {
        let path = path.iter().map(|it| (*it).to_owned()).collect();
        Some(Self::Entry { map: written(origin)?, path, value: value.into() })
    }

    /// The map so many levels above what is written at `origin` gets an entry at a dotted path below
    /// it: the map that holds it is one above.
    pub(crate) fn beside(
        origin: &Origin,
        levels: usize,
        path: &str,
        value: impl Into<Value>,
    ) -> Option<Self> {
        let path = path.split('.').map(Into::into).collect();
        Some(Self::Beside { at: written(origin)?, levels, path, value: value.into() })
    }

    /// What is written at `origin` becomes `new` for those alone that have what is written at `beside`:
    /// there where both are in one file, else by a variable that is put beside that.
    pub(crate) fn with(origin: &Origin, beside: &Origin, new: impl Into<String>) -> Option<Self> {
        let (of, beside, value) = (written(origin)?, written(beside)?, new.into());
        Some(match of.file == beside.file {
            true => Self::Value { at: of, new: value },
            false => Self::Variable { beside, of, value },
        })
    }

    /// The value of a variable that is written at `origin` is what is meant, and nothing else.
    pub(crate) fn bare(origin: &Origin) -> Option<Self> {
        written(origin).map(Self::Bare)
    }

    /// The list that holds what is written at `origin` gets another item.
    pub(crate) fn item(origin: &Origin, value: impl Into<Value>) -> Option<Self> {
        Some(Self::Item { beside: written(origin)?, value: value.into() })
    }
}

/// Where a person wrote it; nothing for a default, whose place is not its own.
fn written(origin: &Origin) -> Option<Span> {
    origin.written_at().filter(|_| origin.last().via == Via::Written)
}

/// A place with what it has to do with a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Label {
    /// The place.
    pub span: Span,
    /// What it is; the primary label of a finding may have none.
    pub text: String,
    /// What happens there, where it is a step on the value's way and not another value.
    pub via: Option<Via>,
}

impl Label {
    /// Whether another value takes the place of what is written there.
    pub(crate) fn is_overridden(&self) -> bool {
        self.via.is_some_and(Via::is_overridden)
    }
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Severity {
    /// Worth knowing.
    Note,
    /// Likely a defect, or a risk.
    Warning,
    /// Broken, or soon to be.
    Error,
}

impl Severity {
    /// `error`, `warning`, `note`: as in SARIF and in the configuration.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    /// The severity of that name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Note, Self::Warning, Self::Error].into_iter().find(|it| it.id() == name)
    }
}

/// The findings of one rule in one environment, as it makes them.
#[derive(Debug)]
pub(crate) struct Findings {
    rule: &'static str,
    /// How bad they are by themselves. Most rules find nothing, and nobody has to know.
    severity: fn(&str) -> Severity,
    environment: Option<String>,
    list: Vec<Finding>,
}

impl Findings {
    /// None yet; `severity` is told the rule.
    pub(crate) fn of(
        rule: &'static str,
        severity: fn(&str) -> Severity,
        environment: Option<&str>,
    ) -> Self {
        Self { rule, severity, environment: environment.map(Into::into), list: Vec::new() }
    }

    /// Reports `message` where the value at `origin` is written, and how it comes to count.
    ///
    /// A value that is written nowhere cannot be reported, so a rule gives the origin of something
    /// a person can edit: see [`Origin::or`].
    pub(crate) fn at(
        &mut self,
        origin: &Origin,
        subject: &str,
        message: impl Into<String>,
    ) -> &mut Finding {
        let mut finding = Finding {
            rule: self.rule,
            severity: (self.severity)(self.rule),
            message: plain(message.into()),
            labels: way(origin),
            notes: Vec::new(),
            help: None,
            environments: self.environment.iter().cloned().collect(),
            subject: subject.to_owned(),
            variant: "",
            local: false,
            weight: Vec::new(),
            pedantic: false,
            proposal: None,
            fix: None,
        };
        finding.labels.dedup_by(|a, b| a.span == b.span);
        self.list.push_mut(finding)
    }

    /// What was found. A finding without a place is a mistake of its rule, and is left out.
    pub(crate) fn into_vec(self) -> Vec<Finding> {
        let has_place = |it: &Finding| {
            debug_assert!(!it.labels.is_empty(), "{} has no place: {}", it.rule, it.message);
            !it.labels.is_empty()
        };
        self.list.into_iter().filter(has_place).collect()
    }
}

/// The labels of an origin: where it is written, then the steps back to where it takes effect.
fn way(origin: &Origin) -> Vec<Label> {
    let steps: Vec<Step> = origin.steps().collect();
    let mut labels = Vec::new();
    for (index, step) in steps.iter().enumerate().rev() {
        let Some(span) = step.span else { continue };
        let primary = index + 1 == steps.len();
        let text = match step.via {
            Via::Written if primary => String::new(),
            via => via.label().to_owned(),
        };
        labels.push(Label { span, text, via: Some(step.via) });
    }
    labels
}

/// What a finding may say at most of one thing, in characters.
const LONGEST: usize = 600;

/// The text without what would move the cursor of a terminal or hide what follows: a finding quotes
/// names and values from files that anybody may have written.
fn plain(text: String) -> String {
    if text.len() <= LONGEST && !text.contains(disturbs) {
        return text;
    }
    let mut plain = String::new();
    for (index, it) in text.chars().enumerate() {
        if index == LONGEST {
            plain.push('…');
            break;
        }
        if disturbs(it) { plain.extend(it.escape_default()) } else { plain.push(it) }
    }
    plain
}

/// Whether a character does more to a terminal than appear: a control, or one that breaks lines or
/// turns the direction of writing (Unicode, `Bidi_Control`).
pub(crate) fn disturbs(it: char) -> bool {
    it.is_control()
        || matches!(it, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl Finding {
    /// Another place that matters, with what it has to do with this; a note where nobody wrote the
    /// value.
    pub(crate) fn also(&mut self, origin: &Origin, text: impl Into<String>) -> &mut Self {
        let text = text.into();
        if origin.is_default() {
            return self.note(format!("{text}, {}", origin.last().via.label()));
        }
        if let Some(span) = origin.written_at()
            && self.labels.iter().all(|it| it.span != span)
        {
            self.labels.push(Label { span, text: plain(text), via: None });
        }
        self
    }

    /// Something that one should know and that has no place.
    pub(crate) fn note(&mut self, text: impl Into<String>) -> &mut Self {
        self.notes.push(plain(text.into()));
        self
    }

    /// What the primary place is, unless it is a default, which says so.
    pub(crate) fn label(&mut self, text: impl Into<String>) -> &mut Self {
        if let Some(first) = self.labels.first_mut().filter(|it| it.text.is_empty()) {
            first.text = plain(text.into());
        }
        self
    }

    /// What to do.
    pub(crate) fn help(&mut self, text: impl Into<String>) -> &mut Self {
        self.help = Some(plain(text.into()));
        self
    }

    /// An edit that does what was meant; the `settings` with it come to be others, where the finding
    /// is. Nothing is proposed unless all of `changes` can be made.
    pub(crate) fn safe_fix(
        &mut self,
        settings: &[&str],
        changes: impl IntoIterator<Item = Option<Change>>,
    ) -> &mut Self {
        self.propose(Applicability::Safe, settings, changes)
    }

    /// An edit that a person has to look at.
    pub(crate) fn unsafe_fix(
        &mut self,
        settings: &[&str],
        changes: impl IntoIterator<Item = Option<Change>>,
    ) -> &mut Self {
        self.propose(Applicability::Unsafe, settings, changes)
    }

    fn propose(
        &mut self,
        applicability: Applicability,
        settings: &[&str],
        changes: impl IntoIterator<Item = Option<Change>>,
    ) -> &mut Self {
        let changes: Option<Vec<Change>> = changes.into_iter().collect();
        let settings: Vec<String> = settings.iter().map(|it| (*it).to_owned()).collect();
        let proposal = |changes| Proposal { changes, settings, applicability, brings: None };
        self.proposal = changes.map(proposal);
        self
    }

    /// What the edit brings about, if there is one.
    pub(crate) fn brings(&mut self, subject: NewSubject) -> &mut Self {
        self.proposal.iter_mut().for_each(|it| it.brings = Some(subject));
        self
    }

    /// Which of the rule's findings it is, when it has several that can stand at one place.
    pub(crate) fn variant(&mut self, variant: &'static str) -> &mut Self {
        self.variant = variant;
        self
    }

    /// The numbers of the case, the one that matters most first.
    pub(crate) fn weigh(&mut self, numbers: impl Into<Vec<u64>>) -> &mut Self {
        self.weight = numbers.into();
        self
    }

    /// A pedantic note, since it is expected in a local cluster.
    pub(crate) fn expected_locally(&mut self) -> &mut Self {
        self.local = true;
        self.pedantic()
    }

    /// At most this bad: a note when it is a guess, a warning when something is assumed.
    pub(crate) fn at_most(&mut self, severity: Severity) -> &mut Self {
        self.severity = self.severity.min(severity);
        self
    }

    /// A note that nobody has to mend: shown with `--pedantic` only.
    pub(crate) fn pedantic(&mut self) -> &mut Self {
        self.pedantic = true;
        self.at_most(Severity::Note)
    }

    /// Where to edit.
    pub(crate) fn primary(&self) -> Option<&Label> {
        self.labels.first()
    }
}
