//! Trees of Flux Kustomizations: each is built, substituted, and searched for more of them.

mod left_out;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rayon::prelude::*;

use super::{
    artifact::{self, Own},
    cluster::cluster,
    controller::Controller,
    edits,
    store::{ClusterStores, Store},
    substitute,
    variables::{self, Variables},
};
use crate::{
    problem::{Problem, ProblemKind, UnitId},
    resolve::{
        bounds::TOGETHER,
        context::{Context, Purpose},
        environment::{
            DefinedVariable, Deleted, EntryKind, Environment, Object, Release, RemoteCluster, Unit,
        },
        install,
        kustomize::{self, Build, BuildOptions, Extent},
        layout::{ArtifactPart, Layout, has_source},
    },
    source,
    tree::{Map, Node},
};

/// Kustomizations beyond this many end the search; no cluster has so many.
const MAX_MEMBERS: usize = 10_000;

/// Resolves everything that the Flux Kustomizations `roots` make one cluster run, but for what
/// HelmReleases install: see [`releases`](super::releases).
///
/// A root may be a `FluxInstance`; one for an entry directory of the configuration is made up. With
/// `layout`, and to judge only, Kustomizations that reach nothing of our concern are left out.
///
/// What one Kustomization makes, any other may use for substitution, in whatever order: Flux tries
/// again until it is there.
///
/// Returns the directories that they build, as patches and substitution leave their paths.
pub(crate) fn resolve(
    context: &Context<'_>,
    layout: Option<&Layout<'_>>,
    roots: &[Node],
    environment: &mut Environment,
) -> BTreeSet<String> {
    let mut tree = Tree {
        context,
        layout: layout.filter(|_| context.purpose == Purpose::Judge && !context.config.pedantic),
        own: Own::new(layout),
        by_flux: environment.entry.kind == EntryKind::Flux,
        extent: match context.purpose {
            // No rule asks for the schemas of custom resources.
            Purpose::Judge => Extent::Outline,
            Purpose::Render => Extent::Whole,
        },
        stores: ClusterStores::default(),
        controller: Controller::default(),
        members: Vec::new(),
        seen: BTreeSet::new(),
        dirs: BTreeSet::new(),
        recipes: BTreeMap::new(),
        ahead: BTreeMap::new(),
        variables: Vec::new(),
        room: substitute::MAX_SUBSTITUTED,
        problems: Vec::new(),
    };
    tree.stores.of_mut(None).add(environment.objects.iter().map(|it| &it.node));
    tree.controller.learn(environment.objects.iter().map(|it| &it.node).chain(roots));
    for root in roots.iter().filter_map(kustomization) {
        tree.join(&root, Stage::Found, false, None);
    }
    tree.run();
    let left_out = tree.members.iter().filter(|it| it.stage == Stage::LeftOut);
    let left_out = left_out.filter_map(|it| tree.directories(&it.node));
    let mut dirs: BTreeSet<String> = left_out.flat_map(|(_, dirs)| dirs).collect();
    dirs.append(&mut tree.dirs);
    environment.define(std::mem::take(&mut tree.variables));
    // What many wait for is missing once.
    let mut known = BTreeSet::new();
    let cause = |it: &Problem| match &*it.subject {
        "" => (None, it.message.clone()),
        subject => (it.unit, subject.into()),
    };
    tree.problems.retain(|it| it.kind != ProblemKind::Unresolved || known.insert(cause(it)));
    let units = environment.units.len();
    environment.problems.extend(tree.problems.into_iter().map(|mut problem| {
        problem.unit = problem.unit.map(|it| it.shifted(units));
        problem
    }));
    environment.is_partial |= tree.members.iter().any(|it| it.stage == Stage::LeftOut);
    environment.units.extend(
        tree.members
            .iter()
            .map(|it| Unit { cluster: it.target.clone(), ..Unit::of_object(&it.node) }),
    );
    let ids: Vec<String> = environment.units.iter().map(|it| it.id.clone()).collect();
    let homes: Vec<_> = tree.members.iter().map(|it| it.home.clone()).collect();
    let index_of: BTreeMap<(&Option<RemoteCluster>, &str), usize> = homes
        .iter()
        .zip(&ids[units..])
        .enumerate()
        .map(|(index, (home, id))| ((home, &**id), units + index))
        .collect();
    for (index, member) in tree.members.into_iter().enumerate() {
        let unit = units + index;
        for child in member.objects.iter().filter_map(kustomization) {
            let child = Unit::of_object(&child).id;
            let child = index_of
                .get(&(&member.target, &*child))
                .and_then(|it| environment.units.get_mut(*it));
            if let Some(child) = child {
                child.after.extend(ids.get(unit).cloned());
            }
        }
        let suspended = member.suspended;
        environment.releases.extend(member.releases.into_iter().map(|release| {
            let suspended = release.suspended || suspended;
            Release { suspended, unit: Some(UnitId::at(unit)), ..release }
        }));
        environment.deleted.extend(member.deleted);
        environment.objects.extend(member.objects.into_iter().map(|node| {
            let suspended = suspended || is_left_alone(&node);
            Object { suspended, unit: Some(UnitId::at(unit)), ..Object::new(node) }
        }));
    }
    dirs
}

struct Tree<'c> {
    context: &'c Context<'c>,
    /// What directories reach, when what cannot matter is left out.
    layout: Option<&'c Layout<'c>>,
    own: Own<'c>,
    /// Whether Flux builds the roots.
    by_flux: bool,
    extent: Extent,
    /// What may be referred to: objects after their own Kustomization's substitution.
    stores: ClusterStores,
    /// What applies them all.
    controller: Controller,
    /// In the order in which they were found.
    members: Vec<Member>,
    /// Clusters, namespaces and names of the members.
    seen: BTreeSet<(Option<RemoteCluster>, String, String)>,
    /// The directories that were built, with those of components.
    dirs: BTreeSet<String>,
    /// What is built from a directory, by how: see [`recipe`].
    recipes: BTreeMap<String, Vec<Node>>,
    /// What was built before its turn, by member.
    ahead: BTreeMap<usize, (BuildId, Build)>,
    /// What they substitute.
    variables: Vec<DefinedVariable>,
    /// How many bytes substitution may still make.
    room: usize,
    problems: Vec<Problem>,
}

/// A Flux Kustomization.
struct Member {
    node: Node,
    /// The cluster that it is in, whose sources and variables it has.
    home: Option<RemoteCluster>,
    /// The cluster that gets what it builds.
    target: Option<RemoteCluster>,
    suspended: bool,
    stage: Stage,
    /// Whether it was asked what it builds before its turn.
    asked: bool,
    /// What it builds; final when the stage says so.
    objects: Vec<Node>,
    /// What its patches took out.
    deleted: Vec<Deleted>,
    /// The charts whose objects are among them.
    releases: Vec<Release>,
}

/// What a member builds, and how.
struct BuildPlan {
    part: ArtifactPart,
    options: BuildOptions,
    /// See [`recipe`].
    recipe: Node,
}

/// What decides what a plan for one member comes to: the directory, and the artifact.
type BuildId = (String, Option<Arc<str>>);

impl BuildPlan {
    fn id(&self) -> BuildId {
        (self.part.dir.clone(), self.options.artifact.as_ref().map(|it| it.id.clone()))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Found,
    /// Not built, since nothing in it concerns us; what it makes may be asked for yet.
    LeftOut,
    /// Built, but not substituted.
    Built,
    /// The same, and searched for Kustomizations that substitution will not change.
    Searched,
    Final,
}

impl Tree<'_> {
    fn run(&mut self) {
        loop {
            let mut moved = false;
            let mut index = 0;
            while index < self.members.len() {
                match self.members[index].stage {
                    Stage::Found => {
                        let known = self.problems.len();
                        self.build_ahead(index);
                        self.build(index);
                        self.claim(known, index);
                        moved = true;
                    }
                    Stage::Built | Stage::Searched if self.is_ready(index) => {
                        self.finish(index);
                        moved = true;
                    }
                    _ => {}
                }
                index += 1;
            }
            if !moved && !self.include_left_out() && !self.break_deadlock() {
                break;
            }
        }
    }

    /// Says that the problems after the first `known` are those of a member.
    fn claim(&mut self, known: usize, index: usize) {
        for problem in self.problems.iter_mut().skip(known) {
            problem.unit = Some(UnitId::at(index));
        }
    }

    /// Makes `node`, which is in the cluster `home`, a member unless it is one.
    fn join(&mut self, node: &Node, stage: Stage, suspended: bool, home: Option<&RemoteCluster>) {
        let name = node.object_name().to_owned();
        let id = (home.cloned(), node.object_namespace().to_owned(), name);
        if !self.seen.insert(id) {
            return;
        }
        if self.seen.len() > MAX_MEMBERS {
            if self.seen.len() == MAX_MEMBERS + 1 {
                let message = format!("no more than {MAX_MEMBERS} Kustomizations are looked at");
                self.problems.push(Problem::unresolved(&node.origin, message).hiding_all());
            }
            return;
        }
        let suspended = suspended || node.is_true_at("spec.suspend");
        self.members.push(Member {
            node: node.clone(),
            home: home.cloned(),
            target: cluster(node, home),
            suspended,
            stage,
            asked: false,
            objects: Vec::new(),
            deleted: Vec::new(),
            releases: Vec::new(),
        });
    }

    /// What a member builds as far as is known now; what that shows of sources is added to `own`.
    fn plan(
        &self,
        member: &Member,
        own: &mut Own<'_>,
        problems: &mut Vec<Problem>,
    ) -> Result<BuildPlan, Problem> {
        let (sources, node) = (self.context.sources, &member.node);
        let store = self.stores.of(member.home.as_ref());
        let part = artifact::directory(sources, store, own, node, problems)?;
        let edits = edits::fields(sources, node, &part.dir);
        // What is made up for a directory that kustomize builds is built from it as it is.
        let by_flux = self.by_flux || node.at("spec.sourceRef").is_some();
        let artifact = by_flux.then(|| artifact::without(sources, &part.left_out));
        // Who builds a directory with charts in it otherwise does so with `--enable-helm`.
        let helm = artifact.is_none();
        let (unrestricted, generate, extent) = (true, true, self.extent);
        let options = BuildOptions { unrestricted, generate, helm, extent, artifact, edits };
        Ok(BuildPlan { part, options, recipe: recipe(member) })
    }

    /// Builds in all threads the members from `first` on that are found and not built. In its turn each is
    /// planned again: where that comes to something else, what is built here is dropped.
    ///
    /// Who waits for the others may take up another environment meanwhile; of these no more are in work
    /// than [`Held::each`](crate::resolve::bounds::Held::each) takes at once, and building waits for nobody.
    fn build_ahead(&mut self, first: usize) {
        if self.members.get(first).is_none_or(|it| it.asked) {
            return;
        }
        let mut own = self.own.clone();
        let mut recipes: BTreeMap<String, Vec<Node>> = BTreeMap::new();
        let mut plans = Vec::new();
        let waiting = self.members.iter().enumerate().skip(first);
        for (index, member) in waiting.filter(|(_, it)| it.stage == Stage::Found && !it.asked) {
            let Ok(plan) = self.plan(member, &mut own, &mut Vec::new()) else { continue };
            let known = recipes.entry(plan.part.dir.clone()).or_default();
            let mut all = self.recipes.get(&plan.part.dir).into_iter().flatten().chain(&*known);
            if all.all(|it| !it.is_same(&plan.recipe)) {
                known.push(plan.recipe.clone());
                plans.push((index, plan));
            }
        }
        self.members.iter_mut().skip(first).for_each(|it| it.asked = true);
        if let Some(layout) = self.layout {
            let artifact = plans.iter().find_map(|(_, plan)| plan.options.artifact.as_ref());
            let is_there = |path: &str| artifact.is_none_or(|it| !it.leaves_out(path));
            layout.parse_ahead(plans.iter().map(|(_, plan)| &*plan.part.dir), is_there);
        }
        if plans.len() < 2 {
            return;
        }
        let context = self.context;
        for some in plans.chunks(TOGETHER) {
            let built = some.par_iter().map(|(index, plan)| {
                let build = kustomize::build(context, &plan.part.dir, &plan.options);
                (*index, (plan.id(), build))
            });
            self.ahead.par_extend(built);
        }
    }

    fn build(&mut self, index: usize) {
        let ahead = self.ahead.remove(&index);
        let Some(member) = self.members.get(index) else { return };
        let (mut own, mut problems) = (std::mem::take(&mut self.own), Vec::new());
        let plan = self.plan(member, &mut own, &mut problems);
        self.own = own;
        self.problems.append(&mut problems);
        let Some(member) = self.members.get_mut(index) else { return };
        let plan = match plan {
            Ok(plan) => plan,
            Err(problem) => {
                let store = self.stores.of(member.home.as_ref());
                match artifact::upstream(self.context, store, &member.node) {
                    Some(build) => {
                        self.problems.extend(build.problems);
                        member.stage = Stage::Built;
                        member.objects = build.objects;
                        member.deleted = build.deleted;
                    }
                    None => {
                        member.stage = Stage::Final;
                        self.problems.push(problem);
                    }
                }
                return;
            }
        };
        let components = member.node.items_at("spec.components").iter();
        let dir = &plan.part.dir;
        self.dirs.extend(components.filter_map(|it| source::join(dir, it.as_str()?)));
        self.dirs.insert(dir.clone());
        // Of several that build the same, each would come to what the first does.
        let known = self.recipes.entry(plan.part.dir.clone()).or_default();
        if known.iter().any(|it| it.is_same(&plan.recipe)) {
            member.stage = Stage::Final;
            return;
        }
        known.push(plan.recipe.clone());
        let build = match ahead {
            Some((planned, build)) if planned == plan.id() => build,
            _ => kustomize::build(self.context, &plan.part.dir, &plan.options),
        };
        let (sources, part) = (self.context.sources, plan.part);
        // A made-up one has no place to show.
        let path =
            member.node.at("spec.path").filter(|_| member.node.at("spec.sourceRef").is_some());
        let chain = path.map(|path| {
            let who = install::introduced(sources, &member.node);
            let written = path.as_str().unwrap_or_default();
            (path.origin.clone(), format!("built because {who} has path {written}"))
        });
        self.problems.extend(build.problems.into_iter().map(|mut problem| {
            if !problem.kind.fails_build() {
                return problem;
            }
            if !part.certain {
                problem.kind = ProblemKind::Unresolved;
            }
            problem.also.extend(chain.clone());
            problem
        }));
        member.stage = Stage::Built;
        member.objects = build.objects;
        member.deleted = build.deleted;
        member.releases = build.releases;
        if member.target.is_none() {
            self.controller.learn(&member.objects);
        }
        // What its own substitution leaves alone others can use at once.
        let store = self.stores.of_mut(member.target.as_ref());
        store.add(member.objects.iter().filter(|it| !substitute::has_dollar(it)));
    }

    /// Whether everything that a member substitutes from is there.
    fn is_ready(&self, index: usize) -> bool {
        let Some(member) = self.members.get(index) else { return true };
        let namespace = member.node.object_namespace();
        let store = self.stores.of(member.home.as_ref());
        variables::sources(&member.node)
            .all(|(kind, name)| store.data(kind, namespace, name).is_some())
    }

    fn finish(&mut self, index: usize) {
        let known = self.problems.len();
        self.substitute(index);
        self.claim(known, index);
    }

    fn substitute(&mut self, index: usize) {
        let Some(member) = self.members.get_mut(index) else { return };
        member.stage = Stage::Final;
        let built = std::mem::take(&mut member.objects);
        let (node, suspended) = (member.node.clone(), member.suspended);
        let (store, defined) = (self.stores.of(member.home.as_ref()), self.variables.len());
        let target = member.target.clone();
        let substituted = match variables::gather(&node, store, &self.controller, defined) {
            Ok(None) => built,
            Ok(Some(mut variables)) => {
                self.problems.append(&mut variables.misnamed);
                self.variables.append(&mut variables.defined);
                if variables.controller.told().is_none() {
                    variables.controller = variables.controller.or_installed(self.context.sources);
                }
                let each = built.iter().filter_map(|it| self.substituted(it, &variables));
                each.collect()
            }
            Err(problem) => {
                let left = built.iter().filter_map(|it| self.left_of(it, &problem)).collect();
                self.problems.push(problem);
                left
            }
        };
        let metadata = node.at("spec.commonMetadata");
        let objects: Vec<Node> =
            substituted.into_iter().map(|it| edits::with_common(it, metadata)).collect();
        self.stores.of_mut(target.as_ref()).add(&objects);
        self.join_children(&objects, suspended, target.as_ref());
        self.members[index].objects = objects;
    }

    /// What substitution makes of an object; nothing when it fails and objects are to be printed.
    fn substituted(&mut self, object: &Node, variables: &Variables) -> Option<Node> {
        let known = self.problems.len();
        let node = substitute::substitute(
            self.context,
            object,
            variables,
            &mut self.room,
            &mut self.problems,
        );
        match node {
            Ok(node) => {
                let refused = self.problems.iter().skip(known).any(Problem::is_refusal);
                (self.context.purpose == Purpose::Judge || !refused).then_some(node)
            }
            Err(problem) => {
                let left = self.left_of(object, &problem);
                self.problems.push(problem);
                left
            }
        }
    }

    /// What is left to judge of an object whose substitution fails: all that no variable changes.
    fn left_of(&self, object: &Node, problem: &Problem) -> Option<Node> {
        let why = format!("its substitution fails: {}", problem.message).into();
        (self.context.purpose == Purpose::Judge).then(|| substitute::hidden(object, &why))
    }

    fn join_children(&mut self, objects: &[Node], suspended: bool, home: Option<&RemoteCluster>) {
        for node in objects.iter().filter_map(kustomization).filter(has_source) {
            let stage = if self.matters(&node) { Stage::Found } else { Stage::LeftOut };
            self.join(&node, stage, suspended, home);
        }
    }

    /// Goes on when everything waits for something: `false` when nothing does.
    fn break_deadlock(&mut self) -> bool {
        let waits = |it: &Member| matches!(it.stage, Stage::Built | Stage::Searched);
        let waiting: Vec<usize> =
            (0..self.members.len()).filter(|index| waits(&self.members[*index])).collect();
        // A child that needs no substitution may make what its parent waits for.
        let known = self.members.len();
        for index in &waiting {
            let member = &mut self.members[*index];
            if member.stage == Stage::Built {
                member.stage = Stage::Searched;
                let (suspended, target) = (member.suspended, member.target.clone());
                let unchanged = member.objects.iter().filter(|it| !substitute::has_dollar(it));
                let children: Vec<Node> = unchanged.filter_map(kustomization).collect();
                self.join_children(&children, suspended, target.as_ref());
            }
        }
        if self.members.len() > known {
            return true;
        }
        // Then nothing in the repository makes it, or each waits for the other: those that wait for
        // no other go first, or else the first of all.
        let made: Vec<(usize, Store)> = waiting
            .iter()
            .map(|index| {
                let mut made = Store::default();
                made.add(&self.members[*index].objects);
                (*index, made)
            })
            .filter(|(_, made)| !made.is_empty())
            .collect();
        let is_blocked = |index: &usize| {
            let member = &self.members[*index];
            let namespace = member.node.object_namespace();
            let has = |store: &Store, (kind, name)| store.data(kind, namespace, name).is_some();
            let here = |other: &usize| other != index && self.members[*other].target == member.home;
            variables::sources(&member.node).any(|source| {
                !has(self.stores.of(member.home.as_ref()), source)
                    && made.iter().any(|(other, made)| here(other) && has(made, source))
            })
        };
        let mut next: Vec<usize> =
            waiting.iter().copied().filter(|index| !is_blocked(index)).collect();
        if next.is_empty() {
            next.extend(waiting.first());
        }
        for index in &next {
            // What it makes itself was applied before, or will not be.
            let member = &self.members[*index];
            self.stores.of_mut(member.target.as_ref()).add(&member.objects);
            self.finish(*index);
        }
        !next.is_empty()
    }
}

/// The Flux Kustomization that `node` is or, for a `FluxInstance`, the one that it makes.
pub(super) fn kustomization(node: &Node) -> Option<Node> {
    match (node.api_group(), node.object_kind()) {
        ("kustomize.toolkit.fluxcd.io", "Kustomization") => Some(node.clone()),
        ("fluxcd.controlplane.io", "FluxInstance") => instance(node),
        _ => None,
    }
}

/// The operator makes a source and a Kustomization of one name, that of its namespace by default.
/// A root is as it is written: where what builds it gives it its namespace, that is the usual one.
fn instance(node: &Node) -> Option<Node> {
    let sync = node.at("spec.sync")?;
    let written = |text: &str| Node::new(text, sync.origin.clone());
    let usual = written("flux-system");
    let namespace = node.at("metadata.namespace").unwrap_or(&usual);
    let name = sync.get("name").unwrap_or(namespace);
    let map = |entries: Vec<(&str, Option<&Node>)>| {
        let entries = entries.into_iter().filter_map(|(key, it)| Some((key, it?.clone())));
        Node::new(entries.collect::<Map>(), sync.origin.clone())
    };
    let reference = map(vec![("kind", sync.get("kind")), ("name", Some(name))]);
    let spec = map(vec![("path", sync.get("path")), ("sourceRef", Some(&reference))]);
    let metadata = map(vec![("name", Some(name)), ("namespace", Some(namespace))]);
    Some(map(vec![
        ("apiVersion", Some(&written("kustomize.toolkit.fluxcd.io/v1"))),
        ("kind", Some(&written("Kustomization"))),
        ("metadata", Some(&metadata)),
        ("spec", Some(&spec)),
    ]))
}

/// All that decides what a Kustomization makes of its directory, and for which cluster.
fn recipe(member: &Member) -> Node {
    let (node, suspended) = (&member.node, member.suspended);
    let spec = node.get("spec").into_iter().flat_map(Node::entries);
    // When and how it is applied makes no other objects.
    let applied = ["interval", "retryInterval", "timeout", "dependsOn", "healthChecks", "wait"];
    let spec = spec.filter(|(key, _)| !applied.contains(key));
    let mut recipe: Map = spec.map(|(key, it)| (key, it.value.clone())).collect();
    recipe.set("namespace", Node::new(node.object_namespace(), node.origin.clone()));
    let home = member.home.as_ref().map_or("", |it| &it.id);
    recipe.set("home", Node::new(home, node.origin.clone()));
    recipe.set("suspended", Node::new(suspended.to_string(), node.origin.clone()));
    Node::new(recipe, node.origin.clone())
}

/// Whether annotations keep Flux from applying the object or from updating it.
fn is_left_alone(node: &Node) -> bool {
    ["metadata.labels", "metadata.annotations"].into_iter().any(|path| {
        let text = |key: &str| node.at(path)?.get(key)?.as_str();
        text("kustomize.toolkit.fluxcd.io/reconcile") == Some("disabled")
            || matches!(
                text("kustomize.toolkit.fluxcd.io/ssa"),
                Some("Ignore" | "IfNotPresent" | "Merge")
            )
    })
}
