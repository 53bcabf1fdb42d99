//! Where values come from: chains of steps, and what a value is put together from.

use std::{fmt, sync::Arc};

use super::Node;
use crate::source::{FileId, Span};

/// Where a value came from: from the place where it takes effect to the place where it is written.
///
/// Never empty. The **last** step is where a person edits; the steps before it are the places
/// through which it comes to count. Chains share their tails.
///
/// A value that is put together from several has the way of one of them, and knows the others.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The first step.
    pub step: Step,
    /// The steps after it.
    next: Option<Arc<Origin>>,
    /// What the value is put together from, each by what it is, unless it is one value.
    parts: Option<Arc<Vec<Part>>>,
}

/// A part of a value: what it is (`repository`; nothing for an item like the others), and the part.
pub(crate) type Part = (&'static str, Node);

/// What parts of a text are that stand one behind the other in it.
const TEXT: &str = "text";

/// One place on a value's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Step {
    /// What happens there.
    pub via: Via,
    /// The place, unless it is built in.
    pub span: Option<Span>,
}

/// What happens to a value at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Via {
    /// It is written there.
    Written,
    /// A Flux `postBuild` expression there is replaced by the next step's value.
    Substituted,
    /// The value there is overridden by a kustomize patch, the next step.
    Patched,
    /// The value there is overridden by a later layer, the next step.
    Overridden,
    /// A generator entry there reads the next step's file or literal.
    Generated,
    /// A kustomize `replacements` or `vars` target there takes the next step's value.
    Replaced,
    /// The value there is set by an `images`, `replicas`, `namespace` or name field, the next step.
    Transformed,
    /// A reference there brings the next step's values in: `valuesFrom`, `valueFiles`, `values`.
    Values,
    /// A template placeholder of an `ApplicationSet` there is filled from the next step.
    Templated,
    /// A `ClusterResourceSet` applies there what the next step's ConfigMap or Secret holds.
    Applied,
    /// A chart's template prints the next step's value there.
    Rendered,
    /// A manifest named there, which the tool knows.
    UpstreamManifest,
    /// The chart's own default; the span, if any, is the chart's version.
    ChartDefault,
    /// Kubernetes fills it in.
    KubernetesDefault,
    /// The program's default for a flag that is not passed.
    FlagDefault,
    /// The configuration of this tool.
    Configured,
    /// A platform's or installer's own default; the span is what says that it is one.
    PlatformDefault,
}

impl Via {
    /// The name in machine-readable output.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Substituted => "substituted",
            Self::Patched => "patched",
            Self::Overridden => "overridden",
            Self::Generated => "generated",
            Self::Replaced => "replaced",
            Self::Transformed => "transformed",
            Self::Values => "values",
            Self::Templated => "templated",
            Self::Applied => "applied",
            Self::Rendered => "rendered",
            Self::UpstreamManifest => "upstream-manifest",
            Self::ChartDefault => "chart-default",
            Self::KubernetesDefault => "kubernetes-default",
            Self::FlagDefault => "flag-default",
            Self::Configured => "configured",
            Self::PlatformDefault => "platform-default",
        }
    }

    /// Whether another value takes the place of what is written there.
    pub(crate) fn is_overridden(self) -> bool {
        matches!(self, Self::Patched | Self::Overridden | Self::Transformed)
    }

    /// What a label at such a step says.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Written => "written here",
            Self::Substituted => "substituted here by Flux",
            Self::Patched => "this is patched",
            Self::Overridden => "this is overridden",
            Self::Generated => "generated into the ConfigMap here",
            Self::Replaced => "replaced here by kustomize",
            Self::Transformed => "this is set by a kustomize transformer",
            Self::Values => "values come in here",
            Self::Templated => "filled into the template here",
            Self::Applied => "applied by the ClusterResourceSet here",
            Self::Rendered => "printed here by the template",
            Self::UpstreamManifest => "from this upstream manifest",
            Self::ChartDefault => "the chart's default",
            Self::KubernetesDefault => "Kubernetes' default",
            Self::FlagDefault => "metrics-server's default",
            Self::Configured => "configured here",
            Self::PlatformDefault => "what this platform does",
        }
    }
}

impl Origin {
    /// A value that is written at `span`.
    pub(crate) fn written(span: Span) -> Self {
        Self::at(Via::Written, Some(span))
    }

    /// The start of a file, for what concerns the whole of it.
    pub(crate) fn start_of(file: FileId) -> Self {
        Self::written(Span::start_of(file))
    }

    /// A value with one step.
    pub(crate) fn at(via: Via, span: Option<Span>) -> Self {
        Self { step: Step { via, span }, next: None, parts: None }
    }

    /// The value that comes to count through a step at `span` and then the steps of `self`.
    #[must_use]
    pub(crate) fn through(&self, via: Via, span: Option<Span>) -> Self {
        Self { step: Step { via, span }, next: Some(Arc::new(self.clone())), parts: None }
    }

    /// The origin of a value that is put together from `parts`, of which the one at `self` is the
    /// main one.
    #[must_use]
    pub(crate) fn joined(&self, parts: impl IntoIterator<Item = Part>) -> Self {
        Self { parts: Some(Arc::new(parts.into_iter().collect())), ..self.clone() }
    }

    /// The origin of a text that is put together from `texts`, in their order: what is read of it has
    /// the way of the text that it stands in. Some may be unknown, and then the text is.
    #[must_use]
    pub(crate) fn of_texts(&self, texts: impl IntoIterator<Item = Node>) -> Self {
        let is_empty = |it: &Node| it.as_scalar().is_some_and(|it| it.text.is_empty());
        self.joined(texts.into_iter().filter(|it| !is_empty(it)).map(|it| (TEXT, it)))
    }

    /// The texts that a text is put together from, in their order; none where it is one.
    pub(crate) fn texts(&self) -> Vec<Node> {
        let parts = self.parts();
        let are_texts = parts.iter().all(|(name, _)| *name == TEXT);
        if are_texts { parts.into_iter().map(|it| it.1).collect() } else { Vec::new() }
    }

    /// The value at `self` that took the place of the one at `old`, whose place stays on the way.
    ///
    /// Only where `old` is written is kept: what it had itself replaced does not count any more.
    #[must_use]
    pub(crate) fn over(&self, via: Via, old: &Self) -> Self {
        match old.written_at() {
            Some(span) if self.steps().all(|step| step.span != Some(span)) => {
                self.through(via, Some(span))
            }
            _ => self.clone(),
        }
    }

    /// The template at `self` whose expression is replaced by the value at `source`.
    ///
    /// Every place of the template stays on the way, the last one as a `via` step.
    #[must_use]
    pub(crate) fn filled(&self, via: Via, source: &Self) -> Self {
        let filled = match &self.next {
            None => source.through(via, self.step.span),
            Some(next) => {
                let next = Some(Arc::new(next.filled(via, source)));
                Self { step: self.step, next, parts: None }
            }
        };
        // What holds the expression is not that part any more, and the texts are others.
        let whole = |(name, part): &&Part| {
            let text = part.as_scalar().filter(|_| *name != TEXT);
            text.is_some_and(|it| !it.text.contains('$') && !it.text.contains("{{"))
        };
        match &self.parts {
            None => filled,
            Some(parts) => filled.joined(parts.iter().filter(whole).cloned()),
        }
    }

    /// The same way, but written at `span`: a part of the value at `self`.
    #[must_use]
    pub(crate) fn moved(&self, span: Span) -> Self {
        match &self.next {
            None => Self::at(self.step.via, Some(span)),
            Some(next) => {
                Self { step: self.step, next: Some(Arc::new(next.moved(span))), parts: None }
            }
        }
    }

    /// The same way of a value whose parts do not count.
    #[must_use]
    pub(crate) fn whole(&self) -> Self {
        let next = self.next.as_ref().map(|it| Arc::new(it.whole()));
        Self { step: self.step, next, parts: None }
    }

    /// The same way without the steps of `via` before the last one.
    #[must_use]
    pub(crate) fn without(&self, via: Via) -> Self {
        match &self.next {
            Some(next) if self.step.via == via => next.without(via),
            Some(next) => Self { next: Some(Arc::new(next.without(via))), ..self.clone() },
            None => self.clone(),
        }
    }

    /// From where it takes effect to where it is written.
    pub(crate) fn steps(&self) -> impl Iterator<Item = Step> + '_ {
        std::iter::successors(Some(self), |origin| origin.next.as_deref()).map(|origin| origin.step)
    }

    /// The last step.
    pub(crate) fn last(&self) -> Step {
        let mut origin = self;
        while let Some(next) = &origin.next {
            origin = next;
        }
        origin.step
    }

    /// The parts that the value is put together from; none of one that is not.
    pub(crate) fn parts(&self) -> Vec<Part> {
        match (&self.parts, &self.next) {
            (Some(parts), _) => parts.to_vec(),
            (None, None) => Vec::new(),
            (None, Some(next)) => {
                let Step { via, span } = self.step;
                let through = |(name, part): Part| {
                    let origin = part.origin.through(via, span);
                    (name, Node { origin, ..part })
                };
                next.parts().into_iter().map(through).collect()
            }
        }
    }

    /// The ways of the other parts, one for each place where else a person edits.
    pub(crate) fn also(&self) -> Vec<Self> {
        let mut ways: Vec<Self> = vec![self.clone()];
        for (_, part) in self.parts().into_iter().filter(|(name, _)| *name != TEXT) {
            for way in std::iter::once(part.origin.clone()).chain(part.origin.also()) {
                if ways.iter().all(|it| it.last() != way.last()) {
                    ways.push(way);
                }
            }
        }
        ways.split_off(1)
    }

    /// Where the part of the value comes from that says `text`; where all of it does, if that is
    /// not a part of its own.
    #[must_use]
    pub(crate) fn of(&self, text: &str) -> Self {
        let says = |part: &Node| part.as_scalar().is_some_and(|it| &*it.text == text);
        let found = self.parts().into_iter().find(|(_, part)| says(part));
        found.map_or_else(|| self.clone(), |(_, part)| part.origin)
    }

    /// Where the first part comes from that is a list, separated by commas, with `item`; where all of
    /// it does, if none is.
    #[must_use]
    pub(crate) fn of_item(&self, item: &str) -> Self {
        let has = |part: &Node| {
            part.as_scalar().is_some_and(|it| it.text.split(',').any(|it| it == item))
        };
        let found = self.parts().into_iter().find(|(_, part)| has(part));
        found.map_or_else(|| self.clone(), |(_, part)| part.origin)
    }

    /// Where a person edits, unless the value is built in.
    pub(crate) fn written_at(&self) -> Option<Span> {
        self.last().span
    }

    /// Whether nobody wrote the value: it is a default of a chart, of Kubernetes, of a program.
    pub(crate) fn is_default(&self) -> bool {
        matches!(
            self.last().via,
            Via::ChartDefault | Via::KubernetesDefault | Via::FlagDefault | Via::PlatformDefault
        )
    }

    /// Whether what is written there was certainly decided after what is at `other`: it takes the place
    /// of something, or is of this repository and the other is not. A base also serves others than the
    /// overlay that does not fit it.
    pub(crate) fn is_later_than(&self, other: &Self) -> bool {
        let rank = |it: &Self| match it.last().via {
            _ if it.written_at().is_none() || it.is_default() => 0,
            Via::UpstreamManifest => 1,
            _ if it.steps().any(|step| step.via.is_overridden()) => 3,
            _ => 2,
        };
        rank(self) > rank(other) && rank(other) > 0
    }

    /// This origin if a person wrote it, else `other`: what a default is reported at.
    #[must_use]
    pub(crate) fn or(&self, other: &Self) -> Self {
        if self.written_at().is_some() { self.clone() } else { other.clone() }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.steps()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    /// The place of a word in a file that holds some.
    fn place(word: &str) -> Origin {
        let sources = Sources::in_memory([("a", "repository tag variable override")]);
        let file = sources.find("a").expect("it is there");
        let start = sources.text(file).find(word).expect("a word");
        let [start, end] = [start, start + word.len()].map(|it| u32::try_from(it).expect("short"));
        Origin::written(Span { file, start, end })
    }

    fn image(tag: &str) -> Origin {
        let part = |name, text: &str| (name, Node::new(text, place(name)));
        place("tag").joined([part("repository", "a.io/b"), part("tag", tag)])
    }

    #[test]
    fn a_joined_value_knows_its_parts_whatever_it_goes_through() {
        let image = image("v1");
        assert_eq!(image.steps().count(), 1);
        assert_eq!(image.also(), [place("repository")], "the main way is not told again");
        let over = image.through(Via::Values, place("override").step.span);
        assert_eq!(over.of("v1"), place("tag").through(Via::Values, place("override").step.span));
        assert_eq!(over.also()[0].steps().count(), 2);
        assert_eq!(over.of("something else"), over);
        assert!(place("tag").also().is_empty() && place("tag").parts().is_empty());
        let nested = place("variable").joined([("", Node::new("a.io/b:v1", image))]);
        assert_eq!(nested.also().len(), 2, "parts have parts");
    }

    #[test]
    fn what_takes_the_place_of_something_is_later() {
        let written = place("variable");
        let patched = place("override").over(Via::Patched, &place("tag"));
        let upstream = Origin::at(Via::UpstreamManifest, place("repository").written_at());
        assert!(patched.is_later_than(&written) && !written.is_later_than(&patched));
        assert!(written.is_later_than(&upstream) && patched.is_later_than(&upstream));
        assert!(!written.is_later_than(&place("tag")), "nobody can tell");
        let default = Origin::at(Via::FlagDefault, None);
        assert!(!patched.is_later_than(&default), "a default is for others to judge");
    }

    #[test]
    fn a_part_with_an_expression_is_none_once_it_is_filled() {
        let filled = image("${TAG}").filled(Via::Substituted, &place("variable"));
        let vias: Vec<_> = filled.steps().map(|it| it.via).collect();
        assert_eq!(vias, [Via::Substituted, Via::Written]);
        assert_eq!(filled.of("a.io/b"), place("repository"));
        assert_eq!(filled.of("v2"), filled);
        assert_eq!(filled.also(), [place("repository")]);
    }
}
