//! What the steps of commands come to.

use std::collections::{BTreeMap, BTreeSet};

use super::{ObjectPatch, Session, carriers::is_taskfile};
use crate::{
    data::words::LASTING,
    problem::Problem,
    relevance::is_script,
    resolve::{
        context::Context,
        environment::{EntryKind, Environment, Object, Release, Unit},
        helm,
        install::Reached,
        kustomize::{self, BuildOptions},
        layout,
        names::settings_for_any,
        template::placeholders,
    },
    scalar::Dialect,
    source::{FileId, Sources, Span},
    tree::{self, Node, Origin, Reason},
};

/// The environments of the blocks of the file at `path`: one of all that can be of one cluster, for each
/// choice that some of them have.
pub(super) fn together(path: &str, sessions: Vec<Session<'_>>) -> Vec<(Environment, Reached)> {
    let mut sessions = sessions;
    // What a build file starts, its other targets are for; a pipeline has a machine for each job.
    let is_one = is_script(path) || is_taskfile(path) || path.ends_with("package.json");
    let starts = sessions.iter().find_map(|it| it.local.clone()).filter(|_| is_one);
    for session in sessions.iter_mut().filter(|it| it.local.is_none()) {
        let mut words = session.name.split(|it: char| !it.is_alphanumeric());
        if !words.any(|it| LASTING.contains(&it)) {
            session.local.clone_from(&starts);
        }
    }
    let does = |it: &Session<'_>| !it.steps.is_empty() || !it.unused.is_empty();
    let (common, chosen): (Vec<_>, Vec<_>) =
        sessions.into_iter().filter(does).partition(|it| it.chosen.is_empty());
    let mut groups: Vec<Session<'_>> = Vec::new();
    for session in chosen {
        add(&mut groups, session);
    }
    for session in common {
        let fitting = groups.iter_mut().filter(|it| !it.chosen.is_empty() && it.fits(&session));
        let fitting: Vec<_> = fitting.map(|it| it.take_steps(&session)).collect();
        if fitting.is_empty() {
            add(&mut groups, session);
        }
    }
    let several = groups.iter().filter(|it| it.chosen.is_empty()).count() > 1;
    let mut found = Vec::new();
    for mut group in groups {
        let choice = group.chosen.values().map(String::as_str).collect::<Vec<_>>().join(", ");
        let called = match (choice.is_empty(), several) {
            (true, false) => None,
            (true, true) => Some(group.name.clone()),
            (false, _) => Some(choice),
        };
        for (cluster, steps) in by_cluster(std::mem::take(&mut group.steps)) {
            let first = steps.first().map(|it| it.block.clone());
            let is_one = steps.iter().all(|it| Some(&it.block) == first.as_ref());
            let called = match &called {
                Some(_) if group.chosen.is_empty() && is_one => first,
                called => called.clone(),
            };
            // Each of them once.
            let is_said =
                |it: &&str| called.iter().flat_map(|it| it.split(", ")).any(|own| own == *it);
            let cluster = cluster.as_deref().filter(|it| !is_said(it));
            let parts: Vec<&str> = called.as_deref().into_iter().chain(cluster).collect();
            let name = match &*parts {
                [] => path.to_owned(),
                parts => format!("{path} ({})", parts.join(", ")),
            };
            found.push(group.build(steps, name));
        }
    }
    found
}

/// `steps` by the clusters that they are for, where that is more than one; those that do not say it are of
/// one more, and so they are if they install what another cluster has, too.
fn by_cluster(steps: Vec<CommandStep>) -> Vec<(Option<String>, Vec<CommandStep>)> {
    let clusters: BTreeSet<&String> = steps.iter().filter_map(|it| it.cluster.as_ref()).collect();
    let names = |is_said: bool| {
        let those = steps.iter().filter(move |it| it.cluster.is_some() == is_said);
        those.flat_map(CommandStep::installed).collect::<BTreeSet<String>>()
    };
    if clusters.len() < 2 && names(true).is_disjoint(&names(false)) {
        return vec![(None, steps)];
    }
    let mut found: BTreeMap<Option<String>, Vec<CommandStep>> = BTreeMap::new();
    for step in steps {
        found.entry(step.cluster.clone()).or_default().push(step);
    }
    found.into_iter().collect()
}

/// Adds `session` to the first of `groups` that may be of the same cluster.
fn add<'a>(groups: &mut Vec<Session<'a>>, session: Session<'a>) {
    let fits = |it: &&mut Session<'_>| it.chosen == session.chosen && it.fits(&session);
    match groups.iter_mut().find(fits) {
        Some(group) => group.take_steps(&session),
        None => groups.push(session),
    }
}

/// What a command does.
#[derive(Debug, Clone)]
pub(super) enum Doing {
    Release(Box<Release>, Vec<Problem>),
    Objects(Vec<Node>, Vec<Problem>),
    /// It applies files of the repository, which are judged where they lie.
    Files(Vec<FileId>),
    /// The same of a directory with a kustomization.
    Build(String),
    Patch(Box<ObjectPatch>),
}

/// What a command does, in which branch, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct CommandStep {
    pub doing: Doing,
    pub branch: Vec<(usize, usize)>,
    pub at: Vec<Span>,
    /// What the cluster is called that it is for, if it says that.
    pub cluster: Option<String>,
    /// What its block is called.
    pub block: String,
    /// The values files that were read for it.
    pub read: BTreeSet<FileId>,
}

impl CommandStep {
    /// Whether it happens whenever `earlier` has.
    fn follows(&self, earlier: &[(usize, usize)]) -> bool {
        earlier.starts_with(&self.branch)
    }

    /// The release or the objects that it is about, in its cluster.
    pub(super) fn names(&self) -> Vec<String> {
        let there = self.cluster.as_deref().unwrap_or_default();
        self.installed().iter().map(|it| format!("{there} {it}")).collect()
    }

    /// The release or the objects that it is about, in whichever cluster.
    fn installed(&self) -> Vec<String> {
        let of_object = |it: &Node| format!("{} {}", it.object_kind(), it.object_name());
        match &self.doing {
            Doing::Release(release, _) => vec![format!("{} {}", release.namespace, release.name)],
            Doing::Objects(objects, _) => objects.iter().map(of_object).collect(),
            _ => Vec::new(),
        }
    }
}

impl Session<'_> {
    /// What the commands install, by name.
    fn names(&self) -> BTreeSet<String> {
        self.steps.iter().flat_map(CommandStep::names).collect()
    }

    /// Whether `other` may be of the same cluster: it installs nothing that this does.
    fn fits(&self, other: &Self) -> bool {
        self.local.is_some() == other.local.is_some() && self.names().is_disjoint(&other.names())
    }

    fn take_steps(&mut self, other: &Self) {
        self.steps.extend(other.steps.iter().cloned());
        self.unused.extend(&other.unused);
        self.cut = self.cut.take().or_else(|| other.cut.clone());
        self.reached.files.extend(&other.reached.files);
        self.reached.dirs.extend(other.reached.dirs.iter().cloned());
    }

    /// What the steps come to.
    fn build(&mut self, steps: Vec<CommandStep>, name: String) -> (Environment, Reached) {
        let all = self.reached.clone();
        let steps = joined(steps);
        let origin = steps.iter().find_map(|it| it.at.last());
        let origin = origin.map_or_else(|| Origin::start_of(self.file), |it| Origin::written(*it));
        let mut environment = Environment::new(name, EntryKind::Other, origin);
        // Its values files are where it starts.
        let files = steps.iter().flat_map(|it| &it.read);
        let paths = files.map(|it| &*self.context.sources[*it].path).chain([""]);
        let settings = settings_for_any(self.context.config, &environment.name, paths);
        environment.settings = settings.cloned();
        environment.local.clone_from(&self.local);
        environment.commands.extend(&self.unused);
        if let Some(at) = &self.cut {
            let why = "there are more commands than are looked at, and these may change anything";
            environment.problems.push(Problem::unresolved(at, why));
        }
        let mut branches: Vec<Vec<(usize, usize)>> = Vec::new();
        let mut open: Vec<CommandStep> = Vec::new();
        for step in steps {
            let is_done = match &step.doing {
                Doing::Release(release, problems) => {
                    let unit = Unit::of("release", &release.namespace, &release.name).release();
                    let start = environment.begin();
                    environment.problems.extend(problems.iter().cloned());
                    environment.install(self.context, Release::clone(release));
                    environment.end(start, unit);
                    true
                }
                Doing::Objects(objects, problems) => {
                    environment.problems.extend(problems.iter().cloned());
                    for node in objects.iter().filter(|it| it.str_at("kind").is_some()) {
                        put(self.context.sources, &mut environment, &branches, &step, node);
                    }
                    true
                }
                Doing::Files(_) | Doing::Build(_) => {
                    open.push(step.clone());
                    true
                }
                Doing::Patch(patch) => {
                    let is_there =
                        |it: &Environment| it.objects.iter().any(|it| patch.is_for(&it.node));
                    if !is_there(&environment) {
                        self.take(patch, &mut open, &mut environment);
                    }
                    branches.resize(environment.objects.len(), Vec::new());
                    patched(self.context, patch, &step, &branches, &mut environment)
                }
            };
            branches.resize(environment.objects.len(), step.branch.clone());
            if is_done {
                environment.commands.extend(step.at);
            }
        }
        if self.local.is_some() {
            // What is tried out there is installed elsewhere, too.
            self.reached = Reached::default();
        }
        (environment, std::mem::replace(&mut self.reached, all))
    }

    /// Takes what was applied of the repository into the environment if `patch` is for an object of it.
    fn take(
        &mut self,
        patch: &ObjectPatch,
        open: &mut Vec<CommandStep>,
        environment: &mut Environment,
    ) {
        let sources = self.context.sources;
        for index in 0..open.len() {
            let (objects, problems) = match &open[index].doing {
                Doing::Files(files) => {
                    let roots = files.iter().flat_map(|it| {
                        layout::objects(sources.documents(*it, Dialect::Sigs).roots())
                    });
                    (roots.map(|it| placeholders(sources, it)).collect(), Vec::new())
                }
                Doing::Build(dir) => {
                    let options =
                        BuildOptions { unrestricted: true, helm: true, ..BuildOptions::default() };
                    let build = kustomize::build(self.context, dir, &options);
                    (build.objects, build.problems)
                }
                _ => continue,
            };
            let objects: Vec<Node> = objects;
            if !objects.iter().any(|it| patch.is_for(it)) {
                continue;
            }
            environment.problems.extend(problems);
            environment.objects.extend(objects.into_iter().map(Object::new));
            match open.remove(index).doing {
                Doing::Files(files) => self.reached.files.extend(files),
                Doing::Build(dir) => self.reached.extend(&self.layout.closure(&dir, false)),
                _ => {}
            }
            return;
        }
    }
}

/// `steps` in which each release stands once: what a later one may replace is unknown where they differ.
fn joined(steps: Vec<CommandStep>) -> Vec<CommandStep> {
    let why: Reason = "commands in different branches install this differently".into();
    let mut joined: Vec<CommandStep> = Vec::new();
    for step in steps {
        let names = step.names();
        let same = |it: &&mut CommandStep| {
            matches!((&it.doing, &step.doing), (Doing::Release(a, _), Doing::Release(b, _)) if a.chart == b.chart)
                && it.names() == names
        };
        let Some(known) = joined.iter_mut().find(same) else {
            joined.push(step);
            continue;
        };
        let follows = step.follows(&known.branch);
        if let (Doing::Release(old, before), Doing::Release(new, problems)) =
            (&mut known.doing, &step.doing)
        {
            let mut release = Release::clone(new);
            if !follows {
                release.values = tree::join(&new.values, &old.values, &why);
                release.version = match (&new.version, &old.version) {
                    (Some(new), Some(old)) => Some(tree::join(new, old, &why)),
                    (None, None) => None,
                    (one, other) => one
                        .as_ref()
                        .or(other.as_ref())
                        .map(|it| Node::unknown_value(why.clone(), &it.origin)),
                };
            }
            **old = release;
            before.extend(problems.iter().cloned());
        }
        known.at.extend(step.at);
    }
    joined
}

/// Adds an object, in the place of the one of its name.
fn put(
    sources: &Sources,
    environment: &mut Environment,
    branches: &[Vec<(usize, usize)>],
    step: &CommandStep,
    node: &Node,
) {
    let why: Reason = "commands in different branches apply this differently".into();
    let identity =
        |it: &Node| [it.object_kind(), it.object_namespace(), it.object_name()].map(str::to_owned);
    let own = identity(node);
    let known = environment.objects.iter().position(|it| identity(&it.node) == own);
    let Some(index) = known else {
        return environment.objects.push(Object::new(placeholders(sources, node)));
    };
    let object = &mut environment.objects[index].node;
    *object = match branches.get(index).is_none_or(|it| step.follows(it)) {
        true => node.clone(),
        false => tree::join(node, object, &why),
    };
}

/// Patches the objects of `environment` that `patch` is for; whether there is one.
fn patched(
    context: &Context<'_>,
    patch: &ObjectPatch,
    step: &CommandStep,
    branches: &[Vec<(usize, usize)>],
    environment: &mut Environment,
) -> bool {
    let why: Reason = "a command in a branch patches this".into();
    let mut found = false;
    let mut problems = Vec::new();
    for (index, object) in environment.objects.iter_mut().enumerate() {
        if !patch.is_for(&object.node) {
            continue;
        }
        if let Some(why) = patch.patch.unknown() {
            let message = format!("what this changes of {} is not known: {why}", patch.name);
            problems.push(Problem::unresolved(&patch.patch.origin, message));
            object.node = helm::identity_only(&object.node, why, None);
            found = true;
            continue;
        }
        match kustomize::patched(context.sources, &object.node, &patch.patch, patch.way) {
            Ok(node) => {
                let follows = branches.get(index).is_none_or(|it| step.follows(it));
                object.node = if follows { node } else { tree::join(&node, &object.node, &why) };
            }
            Err(problem) => problems.push(*problem),
        }
        found = true;
    }
    environment.problems.extend(problems);
    found
}
