//! The installers, each listed once: the tools that say themselves what their environments are, and
//! the custom resources by which others install charts.
//!
//! They know nothing of each other: what one gives and another needs goes through here.

use std::collections::BTreeSet;

use rayon::prelude::*;

use crate::{
    resolve::{
        argocd::Argo,
        bounds::Held,
        cluster_resource_set,
        context::Context,
        environment::{EntryKind, Environment, Release},
        fleet, flux, helm_chart, helm_chart_proxy, helmfile,
        install::{self, Called, Caller, Declared, Discovery, Reached},
        layout::{Closure, Layout},
        scripts, terraform,
    },
    source::{self, FileId, Relevance, Sources},
    tree::Origin,
};

/// Finds the environments that one tool's own files describe.
type Finder = fn(&Context<'_>, &Layout<'_>) -> Discovery;

/// The tools whose environments do not depend on what others build. Argo CD's do.
const FINDERS: &[Finder] =
    &[fleet::environments, helmfile::environments, terraform::environments, scripts::environments];

/// Turns custom resources of one kind among an environment's objects into releases of charts, and
/// adds what those render.
type Releases = fn(&Context<'_>, &mut Environment);

/// The custom resources that install charts, and those that install manifests, which may be more of
/// them.
const RELEASES: &[Releases] = &[
    cluster_resource_set::releases,
    flux::releases,
    helm_chart::releases,
    helm_chart_proxy::releases,
];

/// What was found with the help of all of these tools.
pub(super) struct Installers<'a> {
    context: &'a Context<'a>,
    argo: Argo<'a>,
    found: Discovery,
}

impl<'a> Installers<'a> {
    /// Finds what does not depend on what others build.
    pub(super) fn new(context: &'a Context<'a>, layout: &'a Layout<'a>) -> Self {
        let argo = Argo::new(context, layout);
        let parts = || FINDERS.par_iter().map(|finder| finder(context, layout)).collect::<Vec<_>>();
        let (mut found, parts) = rayon::join(|| argo.environments(), parts);
        for mut part in parts {
            // What they install may be Applications.
            let applied: Vec<Discovery> =
                part.environments.iter().map(|it| argo.applications(it)).collect();
            for it in applied {
                part.extend(it);
            }
            found.extend(part);
        }
        found.environments = std::mem::take(&mut found.environments)
            .into_iter()
            .flat_map(|it| as_called(context.sources, &found.called, it))
            .collect();
        Self { context, argo, found }
    }

    /// What need not be looked at any more.
    pub(super) fn reached(&self) -> &Reached {
        &self.found.reached
    }

    /// The files that hold what the environments start from.
    pub(super) fn declared(&self) -> &Declared {
        &self.found.declared
    }

    /// Directories of code, and for which environments others call it.
    pub(super) fn called(&self) -> &Called {
        &self.found.called
    }

    /// How what something in a closure makes a tool install can matter most.
    pub(super) fn relevance(&self, closure: &Closure) -> Relevance {
        self.argo.relevance(&closure.files)
    }

    /// Whether what something among the files `from` makes a tool install is in one of `files`.
    pub(super) fn leads_to(&self, from: &BTreeSet<FileId>, files: &BTreeSet<FileId>) -> bool {
        self.argo.leads_to(from, files)
    }

    /// What the objects of `environment` make Argo CD install, here or in other clusters.
    pub(super) fn complete(&self, environment: &Environment) -> Discovery {
        self.argo.applications(environment)
    }

    /// Adds `environment`, in which somebody installs a chart that nothing here installs, with what its
    /// objects make others install; and what of the repository is read for that.
    pub(super) fn deploy(
        &self,
        mut environment: Environment,
        environments: &mut Vec<Environment>,
    ) -> Reached {
        releases(self.context, &mut environment);
        environment.aside &= !installs_ours(&environment);
        let found = self.complete(&environment);
        join(environments, environment);
        self.add(found.environments, environments);
        found.reached
    }

    /// Adds what others deploy, each with what it installs.
    fn add(&self, parts: Vec<Environment>, environments: &mut Vec<Environment>) {
        for mut part in parts {
            releases(self.context, &mut part);
            join(environments, part);
        }
    }

    /// Turns the custom resources of `environment` that install charts into releases and what they
    /// render, and gives what that makes Argo CD deploy.
    fn release(&self, environment: &mut Environment) -> Discovery {
        let written = environment.objects.len();
        releases(self.context, environment);
        self.argo.deployed_by(environment, &environment.objects[written..])
    }

    /// Adds `environment`, in which manifests that nothing refers to are applied.
    pub(super) fn apply(&self, mut environment: Environment, environments: &mut Vec<Environment>) {
        let found = self.release(&mut environment);
        environments.push(environment);
        self.add(found.environments, environments);
    }

    /// All environments, given those that the others start from, each with the directory where it
    /// starts and what [`Installers::complete`] found; where something is installed in others that
    /// nobody can tell; and what is read for what releases make others deploy. What is `beside` the objects that some start from is part of those
    /// environments, or for itself when it concerns us.
    pub(super) fn finish(
        &mut self,
        resolved: Vec<(&str, Environment, Discovery)>,
        beside: Vec<(Relevance, Environment)>,
    ) -> (Vec<Environment>, Vec<Origin>, Reached) {
        let mut environments: Vec<Environment> = Vec::new();
        let mut reached = Reached::default();
        // What patches and substitution leave of their paths may be other ones than are written.
        reached.files.extend(resolved.iter().flat_map(|(_, _, it)| &it.reached.files));
        let others = std::mem::take(&mut self.found.environments);
        let mut unread = std::mem::take(&mut self.found.unread);
        let built: Vec<BTreeSet<String>> =
            resolved.iter().map(|(_, _, found)| found.reached.dirs.clone()).collect();
        for (index, (path, environment, found)) in resolved.into_iter().enumerate() {
            // An overlay that an Application of another environment builds is part of that one.
            let elsewhere =
                built.iter().enumerate().any(|(other, dirs)| other != index && dirs.contains(path));
            if environment.entry.kind == EntryKind::Kustomization && elsewhere {
                continue;
            }
            join(&mut environments, environment);
            unread.extend(found.unread);
            found.environments.into_iter().for_each(|part| join(&mut environments, part));
        }
        reached.dirs.extend(self.found.reached.dirs.iter().chain(built.iter().flatten()).cloned());
        for part in others {
            join(&mut environments, part);
        }
        for (relevance, part) in beside {
            let aside = relevance != Relevance::Subject;
            if relevance >= Relevance::Scaling || environments.iter().any(|it| it.name == part.name)
            {
                join(&mut environments, Environment { aside, ..part });
            }
        }
        let release = |it: &mut Environment| {
            let found = self.release(it);
            it.aside &= !installs_ours(it);
            found
        };
        for found in Held::each_of(&mut environments, release) {
            unread.extend(found.unread);
            reached.files.extend(found.reached.files);
            reached.dirs.extend(found.reached.dirs);
            self.add(found.environments, &mut environments);
        }
        (environments, unread, reached)
    }
}

/// `environment` as often as something calls the code with the commands that it is made of; as it is
/// where these stand in no code.
fn as_called(sources: &Sources, called: &Called, environment: Environment) -> Vec<Environment> {
    let entry = environment.entry.origin.written_at();
    let path = entry.map_or("", |it| &*sources[it.file].path);
    let callers = install::callers(called, path).filter(|_| source::extension(path) == "tf");
    let (Some(callers), Some(choice)) = (callers, environment.name.strip_prefix(path)) else {
        return vec![environment];
    };
    let named = |it: &Caller| Environment {
        name: format!("{}{choice}", it.environment),
        ..environment.clone()
    };
    callers.iter().map(named).collect()
}

/// Whether an environment installs what we judge, whatever the files say that make it do so.
fn installs_ours(environment: &Environment) -> bool {
    environment.releases.iter().any(Release::is_ours)
}

/// Turns the custom resources that install a chart into releases and what they render.
pub(super) fn releases(context: &Context<'_>, environment: &mut Environment) {
    for releases in RELEASES {
        releases(context, environment);
    }
}

/// Adds `part` to the environment of its name.
pub(super) fn join(environments: &mut Vec<Environment>, part: Environment) {
    let Some(whole) = environments.iter_mut().find(|it| it.name == part.name) else {
        environments.push(part);
        return;
    };
    let (releases, units) = (whole.releases.len(), whole.units.len());
    whole.aside &= part.aside;
    whole.objects.extend(part.objects.into_iter().map(|mut object| {
        object.release = object.release.map(|index| index + releases);
        object.unit = object.unit.map(|it| it.shifted(units));
        object
    }));
    whole.deleted.extend(part.deleted);
    whole.releases.extend(part.releases.into_iter().map(|mut release| {
        release.unit = release.unit.map(|it| it.shifted(units));
        release
    }));
    whole.held += part.held;
    whole.work = whole.work.saturating_add(part.work);
    whole.files.extend(part.files);
    whole.problems.extend(part.problems.into_iter().map(|mut problem| {
        problem.unit = problem.unit.map(|it| it.shifted(units));
        problem
    }));
    whole.units.extend(part.units);
    whole.commands.extend(part.commands);
    whole.local = whole.local.take().or(part.local);
    whole.define(part.variables);
}
