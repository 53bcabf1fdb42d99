//! What went wrong on the way from files to a model. Data, like everything else: a problem becomes
//! a finding of a built-in rule.

use crate::{
    parse::{ReadAsTemplate, SyntaxError},
    tree::{Origin, Reason},
};

/// Something that could not be read or resolved, or that the real tool would refuse.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Problem {
    /// Which built-in rule reports it.
    pub kind: ProblemKind,
    /// What it is about, where a place can have several problems of this kind or another one in
    /// each environment: a variable, an object. Kind, subject and place say which problems are the
    /// same, whatever the message is. An unresolved one is about its cause, and the same wherever
    /// that is met.
    pub subject: Box<str>,
    /// What is wrong, as a sentence without its full stop.
    pub message: Reason,
    /// Where a person looks first.
    pub at: Origin,
    /// Other places, each with what it has to do with it.
    pub also: Vec<(Origin, String)>,
    /// What to do.
    pub help: Option<Box<str>>,
    /// What is refused with it; `None` is everything that is in no unit.
    pub unit: Option<UnitId>,
    /// What nobody sees because of it.
    pub unseen: Unseen,
    /// Whether it can change anything about metrics-server, kubelets or approvers.
    pub concerns: bool,
    /// Whether the tool that deploys this goes on all the same: a warning at most.
    pub tolerated: bool,
}

/// What a part may be that is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Unseen {
    /// Objects that no file of the repository shows.
    pub objects: bool,
    /// Changes of the objects that are deployed with it.
    pub changes: bool,
    /// Anything whatever: nobody looked.
    pub all: bool,
}

/// One of an environment's units: what is deployed, or refused, as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UnitId(u32);

impl UnitId {
    /// The unit at `index` of its environment's.
    pub(crate) fn at(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// Where it is among its environment's.
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }

    /// The same where `count` others come first.
    pub(crate) fn shifted(self, count: usize) -> Self {
        Self::at(self.index() + count)
    }
}

/// The built-in rules that report problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ProblemKind {
    /// A file is not what it should be: not YAML, a repeated key, a wrong type.
    Syntax,
    /// The repository alone cannot tell; what depends on it is unknown.
    Unresolved,
    /// The real tool refuses to build this.
    BuildFails,
    /// Helm refuses to build a chart, since its templates do not take what is written.
    WrongValueType,
    /// A variable that no substitution source defines.
    EnvVarUndefined,
    /// Flux looks for a generated object by the name to which kustomize adds a hash.
    SourceHasHash,
    /// The value of a variable has quotes in it.
    KeepsQuotes,
    /// The value of a variable has a comment in it.
    KeepsComment,
    /// Flux waits for something that is not there.
    DependencyNotFound,
    /// What is fetched from elsewhere is another version from time to time.
    MovingVersion,
    /// What is fetched from metrics-server's repository is not there in that revision.
    UpstreamPathMoved,
}

impl ProblemKind {
    /// Whether nothing is built because of it.
    pub(crate) fn fails_build(self) -> bool {
        matches!(self, Self::BuildFails | Self::WrongValueType)
    }

    /// The rule's id.
    pub(crate) fn rule(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::Unresolved => "unresolved",
            Self::BuildFails => "build-fails",
            Self::WrongValueType => "wrong-value-type",
            Self::EnvVarUndefined => "env-var-undefined",
            Self::SourceHasHash => "substitution-source-has-hash",
            Self::KeepsQuotes | Self::KeepsComment => "value-keeps-comment-or-quotes",
            Self::DependencyNotFound => "dependency-not-found",
            Self::MovingVersion => "moving-version",
            Self::UpstreamPathMoved => "upstream-path-moved",
        }
    }
}

impl Problem {
    /// A problem of `kind` at `at`.
    pub(crate) fn new(kind: ProblemKind, at: &Origin, message: impl Into<Reason>) -> Self {
        let (subject, message) = (Box::default(), message.into());
        Self {
            kind,
            subject,
            message,
            at: at.clone(),
            also: Vec::new(),
            help: None,
            unit: None,
            unseen: Unseen::default(),
            concerns: true,
            tolerated: false,
        }
    }

    /// The same, about `subject`.
    #[must_use]
    pub(crate) fn about(mut self, subject: impl Into<Box<str>>) -> Self {
        self.subject = subject.into();
        self
    }

    /// The repository alone cannot tell what `at` comes to.
    pub(crate) fn unresolved(at: &Origin, why: impl Into<Reason>) -> Self {
        Self::new(ProblemKind::Unresolved, at, why)
    }

    /// The real tool refuses to build what is at `at`.
    pub(crate) fn refused(at: &Origin, why: impl Into<Reason>) -> Self {
        Self::new(ProblemKind::BuildFails, at, why)
    }

    /// The templates of a chart do not take the value at `at`.
    pub(crate) fn wrong_type(at: &Origin, why: impl Into<Reason>) -> Self {
        Self::new(ProblemKind::WrongValueType, at, why)
    }

    /// Text that cannot be parsed, which begins at `start`.
    pub(crate) fn syntax(error: &SyntaxError, start: &Origin) -> Self {
        let at = error.span.map_or_else(|| start.clone(), Origin::written);
        let kind = if error.template { ProblemKind::Unresolved } else { ProblemKind::Syntax };
        let unseen = Unseen { objects: error.cut, ..Unseen::default() };
        Self { help: error.help.map(Into::into), unseen, ..Self::new(kind, &at, &*error.message) }
    }

    /// That a file is a template, which nothing here evaluates.
    pub(crate) fn template(template: &ReadAsTemplate) -> Self {
        Self::unresolved(&Origin::written(template.at), &*template.why)
    }

    /// Whether the real tool builds nothing of what this is about.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(
            self.kind,
            ProblemKind::BuildFails | ProblemKind::WrongValueType | ProblemKind::EnvVarUndefined
        ) && !self.tolerated
    }

    /// Why something cannot be told, without what follows from that: `…; the values in it are unknown`.
    pub(crate) fn cause(&self) -> &str {
        self.message.split_once("; ").map_or(&self.message, |(why, _)| why)
    }

    /// The same, about something outside the repository that may hold any objects.
    #[must_use]
    pub(crate) fn hiding_objects(self) -> Self {
        Self { unseen: Unseen { objects: true, ..self.unseen }, ..self }
    }

    /// The same, where nobody looked any further.
    #[must_use]
    pub(crate) fn hiding_all(self) -> Self {
        Self { unseen: Unseen { objects: true, all: true, ..self.unseen }, ..self }
    }

    /// The same, with another place.
    #[must_use]
    pub(crate) fn also(mut self, at: &Origin, label: impl Into<String>) -> Self {
        self.also.push((at.clone(), label.into()));
        self
    }

    /// The same, with advice.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<Box<str>>) -> Self {
        self.help = Some(help.into());
        self
    }
}
