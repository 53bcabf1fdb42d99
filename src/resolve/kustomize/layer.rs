//! What a kustomization and its bases amount to (`resaccumulator.go`).

use std::sync::Arc;

use indexmap::IndexMap;

use crate::{
    problem::Problem,
    resolve::kustomize::{
        fieldspec::Rules,
        generate::{self, Behavior, Generated},
        load::Loader,
        resource::{Id, Index, Maker, Resource},
        value::{Outcome, refusal, refusal_of},
    },
    tree::{Origin, Reason},
};

/// What a kustomization and its bases amount to, before names are final.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    pub(super) resources: Vec<Resource>,
    pub(super) rules: Arc<Rules>,
    pub(super) variables: Vec<Var>,
    pub(super) problems: Vec<Problem>,
    /// Why more objects may belong to it than are here.
    pub(super) open: Option<Reason>,
    /// Whether a chart in it takes the namespace of whatever includes it.
    pub(super) takes_namespace: bool,
    /// The directories that it includes, at any depth, and where.
    pub(super) reached: Vec<(Arc<str>, Origin)>,
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
            rules: Arc::default(),
            variables: Vec::new(),
            problems: Vec::new(),
            open: None,
            takes_namespace: false,
            reached: Vec::new(),
        }
    }

    /// Adds `resources`, each of which must be new.
    ///
    /// # Errors
    /// One that is there already.
    pub(super) fn append(&mut self, resources: Vec<Resource>, at: &Origin) -> Outcome<()> {
        let mut known: IndexMap<Id, usize> = IndexMap::new();
        for (at, resource) in self.resources.iter().enumerate() {
            known.insert(resource.id().effective(), at);
        }
        for resource in resources {
            let id = resource.id();
            if let Some(first) = known.insert(id.clone().effective(), self.resources.len()) {
                let message = format!("{} is here already", id.describe());
                let problem = refusal_of(id.describe(), at, message);
                let problem = problem.also(self.resources[first].anchor(), "first here");
                return Err(problem.also(resource.anchor(), "again here").into());
            }
            self.resources.push(resource);
        }
        Ok(())
    }

    /// Adds what a generator made to what is there.
    ///
    /// # Errors
    /// Nothing to merge with or replace, or something that is there although it is to be created.
    pub(super) fn absorb(&mut self, generated: Generated, index: &mut Index) -> Outcome<()> {
        let Generated { resource, behavior, problems } = generated;
        self.problems.extend(problems);
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
                let message = format!("{} is here already", id.describe());
                let problem = refusal_of("again", resource.anchor(), message);
                let problem = problem.also(self.resources[*first].anchor(), "first here");
                return Err(problem.help("set behavior: merge or replace").into());
            }
            (Some((first, [])), behavior) => {
                if let Some(old) = self.resources.get_mut(*first) {
                    *old = generate::merge(old, resource, behavior);
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

    /// Notes that a transformer ran.
    pub(super) fn note(&mut self, loader: &Loader<'_>, maker: &Maker) {
        if !loader.annotate {
            return;
        }
        for resource in &mut self.resources {
            resource.record.get_or_insert_default().transformers.push(maker.clone());
        }
    }

    /// Drops what was deleted.
    pub(super) fn sweep(&mut self) {
        self.resources.retain(|it| !it.is_gone());
    }

    /// Remembers that something cannot be told, and why.
    pub(super) fn unresolved(&mut self, at: &Origin, why: impl Into<String>) {
        let why = why.into();
        self.open.get_or_insert_with(|| why.as_str().into());
        self.problems.push(Problem::unresolved(at, why));
    }
}
