//! What a kustomization and its bases amount to (`resaccumulator.go`).

use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};

use crate::{
    data::subject::is_named_in,
    problem::{Problem, ProblemKind},
    resolve::{
        environment::{Deleted, Release},
        kustomize::{
            budget::{BuildBudget, LOOK},
            fieldspec::Rules,
            generate::{self, Behavior, Generated},
            load::Loader,
            resource::{Id, Index, Maker, Resource},
            value::{Outcome, refusal, refusal_of, unresolved},
        },
    },
    source::Span,
    tree::{self, Origin, Reason},
};

/// What a kustomization and its bases amount to, before names are final.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    pub(super) resources: Vec<Resource>,
    /// What patches took out.
    pub(super) deleted: Vec<Deleted>,
    pub(super) rules: Arc<Rules>,
    pub(super) variables: Vec<Var>,
    pub(super) problems: Vec<Problem>,
    /// The charts that were inflated.
    pub(super) releases: Vec<Arc<Release>>,
    /// Why more objects may belong to it than are here.
    pub(super) open: Option<Reason>,
    /// Whether a chart in it takes the namespace of whatever includes it.
    pub(super) takes_namespace: bool,
    /// The directories that it includes, at any depth.
    pub(super) reached: IndexSet<Arc<str>>,
    /// Whether an entry is left out because it leads back to a directory on the way here: on another
    /// way it would not.
    pub(super) cyclic: bool,
    /// What was done for it and the layers in it: see [`MAX_WORK`].
    work: usize,
    /// What was done to the objects.
    pub(super) budget: BuildBudget,
    /// Where its objects stand by what they are called, while objects are only added.
    places: Option<IndexMap<Id, usize>>,
}

/// A layer does not tell more problems than these.
const MAX_PROBLEMS: usize = 100;

/// Nor does it remember more deleted objects: bases that are included twice have theirs twice.
const MAX_DELETED: usize = 100;

/// A layer for which more is done is not built further: two bases that each rename what the same two
/// bases hold make twice as many objects a level. An object counts in every layer that it is part
/// of, and with it the names that it had.
const MAX_WORK: usize = 200_000;

/// What a component counts beside the objects that it runs over.
const COMPONENT: usize = 20;

/// How many objects such a layer keeps.
const KEPT: usize = 100;

/// What taking in `resources` counts.
fn work_for(resources: &[Resource]) -> usize {
    resources.iter().map(|it| 1 + it.previous.len()).sum()
}

/// An entry of `vars`.
#[derive(Debug, Clone)]
pub(super) struct Var {
    pub(super) name: String,
    pub(super) field: String,
    /// The entry.
    pub(super) at: Origin,
}

impl Layer {
    /// With nothing in it.
    pub(super) fn empty() -> Self {
        Self {
            resources: Vec::new(),
            deleted: Vec::new(),
            rules: Arc::default(),
            variables: Vec::new(),
            problems: Vec::new(),
            releases: Vec::new(),
            open: None,
            takes_namespace: false,
            reached: IndexSet::new(),
            cyclic: false,
            work: 0,
            budget: BuildBudget::default(),
            places: None,
        }
    }

    /// Has `f` add objects one after the other, which changes none that is here.
    pub(super) fn adding(&mut self, f: impl FnOnce(&mut Self)) {
        self.places = Some(self.places());
        f(self);
        self.places = None;
    }

    fn places(&self) -> IndexMap<Id, usize> {
        let ids = self.resources.iter().map(|it| it.id().effective());
        ids.enumerate().map(|(at, id)| (id, at)).collect()
    }

    /// What a part that adds something comes to. Without it there may be more than is here.
    pub(super) fn part<T>(&mut self, part: Outcome<T>) -> Option<T> {
        if let Err(problem) = &part {
            self.open.get_or_insert_with(|| problem.message.clone());
        }
        self.told(part)
    }

    /// What a part that changes objects comes to. Without it those that `selects` are unknown.
    pub(super) fn change<T>(
        &mut self,
        mut part: Outcome<T>,
        selects: impl Fn(&Resource) -> bool,
    ) -> Option<T> {
        if let Err(problem) = &mut part {
            problem.unseen.changes = true;
            let why = problem.message.clone();
            self.resources.iter_mut().filter(|it| selects(it)).for_each(|it| it.hide(&why));
        }
        self.told(part)
    }

    /// What a part comes to; a problem is told, and leaves the rest as it is.
    pub(super) fn told<T>(&mut self, part: Outcome<T>) -> Option<T> {
        part.map_err(|problem| self.tell([*problem])).ok()
    }

    /// Adds problems: one cause once.
    pub(super) fn tell(&mut self, problems: impl IntoIterator<Item = Problem>) {
        for problem in problems {
            let same = |it: &&mut Problem| {
                it.kind == problem.kind
                    && it.message == problem.message
                    && (it.kind == ProblemKind::Unresolved || it.at == problem.at)
            };
            if let Some(known) = self.problems.iter_mut().find(same) {
                known.unseen.objects |= problem.unseen.objects;
                known.unseen.changes |= problem.unseen.changes;
            } else if self.problems.len() < MAX_PROBLEMS {
                self.problems.push(problem);
            }
        }
    }

    /// Whether a component may still run over what is here.
    pub(super) fn admits_component(&mut self, at: &Origin) -> bool {
        let work = work_for(&self.resources) + COMPONENT;
        self.admits(&[], work, at)
    }

    /// Whether `resources`, for which `work` was done, may still be added. If that is too much, one of
    /// the objects that are copies of each other is kept, and nothing is added any more.
    fn admits(&mut self, resources: &[Resource], work: usize, at: &Origin) -> bool {
        let before = self.work;
        self.work = before.saturating_add(work).saturating_add(work_for(resources));
        if self.work <= MAX_WORK {
            return true;
        }
        if before <= MAX_WORK {
            let mut known: IndexSet<Id> = IndexSet::new();
            let mut is_new = |it: &Resource| known.insert(it.original().effective());
            self.resources.retain(&mut is_new);
            self.resources.extend(resources.iter().filter(|it| is_new(it)).take(KEPT).cloned());
            self.resources.truncate(KEPT);
        }
        // The layer that was too much itself has told it.
        if before <= MAX_WORK && work <= MAX_WORK {
            self.unresolved(at, "too many objects are built here: not all of them are read");
        }
        false
    }

    /// Whether an entry may still change the objects, which takes `steps` for each beside a look. If not,
    /// all that they come to is unknown.
    pub(super) fn admits_change(&mut self, steps: usize, at: &Origin) -> bool {
        let part = self.budget.look((LOOK + steps).saturating_mul(self.resources.len()), at);
        self.change(part, |it| !it.hidden).is_some()
    }

    /// Adds what the layer `base` holds, which `at` includes.
    pub(super) fn include(&mut self, base: &Self, at: &Origin) {
        self.budget.include(base.budget);
        self.forget(base.deleted.iter().cloned());
        if self.admits(&base.resources, base.work, at) {
            self.add(base.resources.clone(), at);
        }
    }

    /// Adds `resources`, each of which should be new.
    pub(super) fn append(&mut self, resources: Vec<Resource>, at: &Origin) {
        if self.admits(&resources, 0, at) {
            self.add(resources, at);
        }
    }

    fn add(&mut self, resources: Vec<Resource>, at: &Origin) {
        let kept = self.places.take();
        let is_kept = kept.is_some();
        let mut known = kept.unwrap_or_else(|| self.places());
        for resource in resources {
            if resource.unknown_name().is_some() {
                self.resources.push(resource);
                continue;
            }
            let id = resource.id();
            let first = *known.entry(id.clone().effective()).or_insert(self.resources.len());
            let Some(old) = self.resources.get_mut(first) else {
                self.resources.push(resource);
                continue;
            };
            let message = format!("{} is defined twice in this build", id.describe());
            let problem = refusal_of(id.describe(), at, message).also(old.anchor(), "first here");
            old.meet(&resource, problem.also(resource.anchor(), "again here"));
        }
        self.places = is_kept.then_some(known);
    }

    /// Adds what a generator made to what is there.
    ///
    /// # Errors
    /// Nothing to merge with or replace, or something that is there although it is to be created.
    pub(super) fn absorb(&mut self, generated: Generated, index: &mut Index) -> Outcome<()> {
        let Generated { resource, behavior, problems } = generated;
        self.tell(problems);
        let id = resource.id();
        let found = index.find(id.clone()).to_vec();
        match (found[..].split_first(), behavior) {
            (None, Behavior::Create) => {}
            // What it merges with may be where we cannot see; then what it adds is known.
            (None, _) if self.open.is_some() => {}
            (None, _) => {
                let message = format!("there is no {} to merge with or replace", id.describe());
                return Err(refusal(resource.anchor(), message));
            }
            (Some((first, _)), Behavior::Create) => {
                let message = format!("{} is defined twice in this build", id.describe());
                let problem = refusal_of("again", resource.anchor(), message);
                let old = &mut self.resources[*first];
                let problem = problem.also(old.anchor(), "first here");
                old.meet(&resource, problem.help("set behavior: merge or replace"));
                return Ok(());
            }
            (Some((first, [])), behavior) => {
                if let Some(old) = self.resources.get_mut(*first) {
                    match self.budget.make(&old.node, resource.anchor()) {
                        Ok(()) => *old = generate::merge(old, resource, behavior),
                        Err(problem) => old.give_up(&problem),
                    }
                }
                return Ok(());
            }
            (Some(_), _) => {
                let message = format!("several objects are called {}", id.describe());
                return Err(refusal_of("several", resource.anchor(), message));
            }
        }
        index.add(self.resources.len(), &resource);
        self.resources.push(resource);
        Ok(())
    }

    /// Makes unknown in what the layer that this may also be, `other`, differs. What only one of them has
    /// is what it is if it is there.
    pub(super) fn join(&mut self, other: Self, why: &Reason) {
        let mut index = Index::new(&self.resources);
        for new in other.resources {
            let old = index.find(new.original()).first().copied();
            match old.and_then(|it| self.resources.get_mut(it)) {
                Some(old) => {
                    old.lose(why, |node, why| *node = tree::join(&new.node, node, why));
                    old.hidden |= new.hidden;
                }
                None => {
                    index.add(self.resources.len(), &new);
                    self.resources.push(new);
                }
            }
        }
        self.tell(other.problems.into_iter().filter(|it| it.kind == ProblemKind::Unresolved));
        self.open = self.open.take().or(other.open);
        self.takes_namespace |= other.takes_namespace;
        let known = |it: &Arc<Release>| self.releases.iter().any(|known| Arc::ptr_eq(known, it));
        let new: Vec<_> = other.releases.into_iter().filter(|it| !known(it)).collect();
        self.releases.extend(new);
        self.reached.extend(other.reached);
        self.cyclic |= other.cyclic;
        self.work = self.work.max(other.work);
        self.budget.include(other.budget);
    }

    /// Notes that a transformer ran.
    pub(super) fn note(&mut self, loader: &Loader<'_>, maker: &Maker) {
        if !loader.annotate {
            return;
        }
        for resource in &mut self.resources {
            resource.record.get_or_insert_default().transformers.push(maker.clone());
        }
    }

    /// Drops what was deleted, and tells what was refused of the objects.
    pub(super) fn sweep(&mut self) {
        let refused = self.resources.iter_mut().flat_map(|it| {
            let ours = is_named_in(it.name());
            std::mem::take(&mut it.refusals).into_iter().map(move |problem| (ours, problem))
        });
        let mut told: Vec<(bool, Problem)> = Vec::new();
        let mut places: IndexMap<(Span, ProblemKind), usize> = IndexMap::new();
        for (ours, problem) in refused {
            let place = problem.at.written_at().map(|it| (it, problem.kind));
            let known = place.map(|it| *places.entry(it).or_insert(told.len()));
            // What one entry does to many objects is one mistake, told of the one that concerns us.
            match known.and_then(|it| told.get_mut(it)) {
                None => told.push((ours, problem)),
                Some(first) if ours && !first.0 => *first = (ours, problem),
                Some(_) => {}
            }
        }
        self.tell(told.into_iter().map(|(_, it)| it));
        let gone = self.resources.extract_if(.., |it| it.is_gone());
        let deleted: Vec<Deleted> = gone.filter_map(|it| it.deleted).map(|it| *it).collect();
        self.forget(deleted);
    }

    /// Remembers what was deleted, each once.
    fn forget(&mut self, deleted: impl IntoIterator<Item = Deleted>) {
        for it in deleted {
            if self.deleted.len() < MAX_DELETED && !self.deleted.contains(&it) {
                self.deleted.push(it);
            }
        }
    }

    /// Remembers that something cannot be told, and why.
    pub(super) fn unresolved(&mut self, at: &Origin, why: impl Into<Reason>) {
        self.part::<()>(Err(unresolved(at, why)));
    }
}
