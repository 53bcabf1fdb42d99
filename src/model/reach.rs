//! Which problems can change anything about what we judge: of those a reader has to know.
//!
//! What is refused takes everything with it that is deployed as one with it, or after it. What
//! nobody can tell takes nothing away; it matters where a setting is unknown because of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    data::subject::is_named_in,
    model::Facts,
    parse::ReadAsTemplate,
    problem::{Problem, ProblemKind, UnitId},
    resolve::environment::Environment,
    scalar::Dialect,
    source::{self, Sources, Span},
    tree::{Origin, Reason},
};

/// What of an environment is our subject.
#[derive(Debug, Default)]
pub(super) struct Subject {
    /// The units that hold any of it; `None` is everything that is in none.
    units: BTreeSet<Option<UnitId>>,
    /// Those of them that are releases of our charts.
    releases: BTreeSet<Option<UnitId>>,
    /// Why settings of it cannot be told.
    whys: BTreeSet<Reason>,
    /// Where that stands.
    places: BTreeSet<Span>,
}

impl Subject {
    /// Adds a unit that holds some of it.
    pub(super) fn add(&mut self, unit: Option<UnitId>) {
        self.units.insert(unit);
    }

    /// Adds a release of a chart that is our subject itself.
    pub(super) fn add_release(&mut self, unit: Option<UnitId>) {
        self.releases.insert(unit);
        self.add(unit);
    }

    /// Adds what cannot be told of `facts`.
    pub(super) fn miss(&mut self, facts: &impl Facts) {
        for (_, fact) in facts.facts() {
            let Some((why, at)) = fact.untold() else { continue };
            self.whys.insert(why.clone());
            self.places.extend(at.and_then(Origin::written_at));
        }
    }

    /// Says of each problem of `environment` whether it concerns this subject.
    pub(super) fn judge(
        mut self,
        sources: &Sources,
        environment: &Environment,
        problems: &mut [Problem],
    ) {
        self.precede(environment);
        for problem in problems {
            let of_unit = environment.unit_of(problem);
            problem.concerns = problem.unseen.all
                || is_named(sources, problem)
                || match problem.kind {
                    ProblemKind::Unresolved => {
                        self.releases.contains(&problem.unit)
                            || of_unit.is_some_and(|it| is_named_in(&it.id))
                            || self.misses(sources, problem)
                            || (is_unread(sources, problem) || problem.unseen.objects)
                                && is_about(sources, problem)
                            || problem.unseen.changes && self.holds(problem.unit)
                    }
                    // A file that nothing builds stands alone.
                    ProblemKind::Syntax if problem.unit.is_none() => is_about(sources, problem),
                    // Nothing else is refused with it.
                    _ if problem.tolerated => {
                        is_about(sources, problem) || self.misses(sources, problem)
                    }
                    // Others are installed by the same file, each for itself.
                    _ if of_unit.is_some_and(|it| it.release) => self.holds(problem.unit),
                    _ => self.holds(problem.unit) || is_about(sources, problem),
                };
        }
    }

    /// Adds the units that come before those which hold our subject.
    fn precede(&mut self, environment: &Environment) {
        let units = &environment.units;
        let mut called: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, unit) in units.iter().enumerate() {
            called.entry(&unit.id).or_default().push(index);
        }
        let mut open: Vec<usize> = self.units.iter().flatten().map(|it| it.index()).collect();
        while let Some(unit) = open.pop().and_then(|it| units.get(it)) {
            let before = unit.after.iter().filter_map(|id| called.get(&**id)).flatten();
            open.extend(
                before.copied().filter(|index| self.units.insert(Some(UnitId::at(*index)))),
            );
        }
    }

    /// Whether what is refused with `unit` holds any of it, or comes before it.
    fn holds(&self, unit: Option<UnitId>) -> bool {
        self.units.contains(&unit) || unit.is_none() && !self.units.is_empty()
    }

    /// Whether a setting cannot be told because of `problem`.
    fn misses(&self, sources: &Sources, problem: &Problem) -> bool {
        self.whys.contains(&problem.message)
            || self.whys.contains(&Reason::from(problem.cause()))
            || problem.at.written_at().is_some_and(|span| {
                let same_file = |it: &Span| it.file == span.file;
                // What a template leaves open stands anywhere in it.
                self.places.contains(&span)
                    || template(sources, span).is_some() && self.places.iter().any(same_file)
            })
    }
}

/// The template whose first mark is at `span`.
pub(super) fn template(sources: &Sources, span: Span) -> Option<&ReadAsTemplate> {
    if !source::is_yaml(source::rendered(&sources[span.file].path)) {
        return None;
    }
    let template = sources.documents(span.file, Dialect::Sigs).template.as_ref();
    template.filter(|it| it.at == span)
}

/// Whether the problem is a template of which a part is not read at all.
fn is_unread(sources: &Sources, problem: &Problem) -> bool {
    let span = problem.at.written_at();
    span.and_then(|it| template(sources, it)).is_some_and(|it| it.is_partial)
}

/// Whether the file that is refused names our subject, which may be missing for that very reason.
fn is_about(sources: &Sources, problem: &Problem) -> bool {
    let file = problem.at.written_at().map(|it| it.file);
    file.is_some_and(|it| is_named_in(sources.text(it)))
}

/// Whether what the problem is about, its place or the path of its file names our subject.
fn is_named(sources: &Sources, problem: &Problem) -> bool {
    is_named_in(&problem.subject)
        || problem.at.written_at().is_some_and(|span| {
            is_named_in(&sources[span.file].path) || is_named_in(sources.slice(span))
        })
}
