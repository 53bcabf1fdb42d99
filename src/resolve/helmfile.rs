//! Helmfile: state files, their environments, and the releases of each.
//!
//! The reference is Helmfile 0.166, which renders every state file; Helmfile 1 renders those that
//! end in `.gotmpl`, and reads the others in the same way.

mod patches;
mod release;
mod render;
mod state;
mod values;

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use crate::{
    problem::Problem,
    resolve::{
        bounds::Held,
        context::Context,
        environment::{EntryKind, Environment, Release, UNNAMED},
        gotemplate::TemplateWork,
        helmfile::{
            render::{FilesRead, HelmfileTemplate},
            state::{Selectors, StateValues},
        },
        install::Discovery,
        layout::Layout,
        names,
    },
    scalar::Scalar,
    source::{self, FileId, Relevance, Sources},
    tree::{Node, Origin, Via},
};

/// How deep `helmfiles` may refer to each other.
const MAX_DEPTH: usize = 8;

/// How many files one environment may read.
const MAX_FILES: usize = 1_000;

/// The environment that Helmfile takes when none is named.
const DEFAULT: &str = "default";

/// The environments of Helmfiles that install charts which concern us.
pub(crate) fn environments(context: &Context<'_>, layout: &Layout<'_>) -> Discovery {
    let sources = context.sources;
    let files: Vec<FileId> = sources
        .iter()
        .filter(|(file, it)| is_helmfile(&it.path) && !layout.is_template_dir(*file))
        .map(|(file, _)| file)
        .collect();
    let mut starts = Vec::new();
    let work = Rc::new(TemplateWork::share(4));
    for file in first(context, &files, &work).into_iter().filter(|it| !layout.is_excluded(*it)) {
        for name in state::names(context, file, &work) {
            let called = match names::environment_of(&sources[file].path) {
                Some(place) if name == DEFAULT => place.to_owned(),
                Some(place) => format!("{place}/{name}"),
                None => name.clone(),
            };
            // Where templates ended early, it may be included by others, or have other environments.
            starts.push(HelmfileStart { file, name, called, is_untold: work.is_all() });
        }
    }
    let left_out = |start: &HelmfileStart| {
        let at = Origin::start_of(start.file);
        let mut left_out = Discovery::default();
        left_out.environments.push(Held::left_out(&start.called, EntryKind::Other, &at));
        left_out.reached.files.insert(start.file);
        left_out
    };
    let each = Held::each(
        &starts,
        |start| match start.is_untold {
            true => left_out(start),
            false => start.resolve(context, layout),
        },
        left_out,
        |found| found.environments.iter().collect(),
    );
    let mut found = Discovery::default();
    // The files and environments of Helmfile that those found are of.
    let mut places: Vec<(FileId, String)> = Vec::new();
    for (start, its) in starts.into_iter().zip(each) {
        places.extend(its.environments.iter().map(|_| (start.file, start.name.clone())));
        found.extend(its);
    }
    tell_apart(sources, &places, &mut found.environments);
    found
}

/// Names those of one name by their directories where two install a release of one name, which no cluster
/// can have.
fn tell_apart(sources: &Sources, places: &[(FileId, String)], environments: &mut [Environment]) {
    let mut named: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, environment) in environments.iter().enumerate() {
        named.entry(environment.name.clone()).or_default().push(index);
    }
    for same in named.into_values().filter(|it| it.len() > 1) {
        let mut known = BTreeSet::new();
        let installed = same.iter().flat_map(|it| &environments[*it].releases);
        let collides = |it: &Release| !known.insert((it.namespace.clone(), it.name.clone()));
        if !installed.filter(|it| !it.suspended).any(collides) {
            continue;
        }
        for index in same {
            let Some((file, name)) = places.get(index) else { continue };
            let dir = names::environment_dir(source::parent(&sources[*file].path));
            environments[index].name = match (dir.as_str(), name.as_str()) {
                (UNNAMED, name) => name.to_owned(),
                (_, DEFAULT) => dir,
                (dir, name) => format!("{dir}/{name}"),
            };
        }
    }
}

/// An environment of a Helmfile.
struct HelmfileStart {
    file: FileId,
    /// Its name there.
    name: String,
    /// What it is called here.
    called: String,
    /// Whether nobody looked whether it is one.
    is_untold: bool,
}

impl HelmfileStart {
    fn resolve(&self, context: &Context<'_>, layout: &Layout<'_>) -> Discovery {
        let sources = context.sources;
        let mut found = Discovery::default();
        let mut run = HelmfileRun::new(context, &self.name);
        run.visit(self.file, None, &Selectors::default());
        run.forget_only_cluster();
        let matters = |file: FileId| sources[file].relevance == Relevance::Subject;
        let releases = run.environment.releases.iter();
        let dirs: Vec<&str> = releases.filter_map(|it| it.directory.as_deref()).collect();
        let speaks = run.read.borrow().iter().copied().any(matters)
            || dirs.iter().any(|dir| sources.sees_below(dir, matters));
        let deploys = || dirs.iter().any(|it| layout.deploying_charts().contains(*it));
        let scales = |it: FileId| sources[it].relevance == Relevance::Scaling;
        let scales = || dirs.iter().any(|dir| sources.sees_below(dir, scales));
        if !speaks && !deploys() && !scales() {
            found.unread.extend(run.environment.problems.into_iter().map(|it| it.at));
            return found;
        }
        found.reached.files.extend(run.read.borrow().iter());
        for dir in &run.built {
            found.reached.extend(&layout.closure(dir, true));
        }
        run.environment.name.clone_from(&self.called);
        run.environment.aside = !speaks;
        run.environment.work = run.work.done();
        found.environments.push(run.environment);
        found
    }
}

/// The files that are read for themselves: what another one includes is read with its values. Of those
/// that include each other it is the first.
fn first(context: &Context<'_>, files: &[FileId], work: &Rc<TemplateWork>) -> Vec<FileId> {
    let includes = |file: &FileId| -> Vec<FileId> {
        let dir = source::parent(&context.sources[*file].path);
        let parts = state::outline(context, *file, work);
        parts.iter().flat_map(|it| state::children(context, dir, it)).map(|it| it.file).collect()
    };
    let edges: BTreeMap<FileId, Vec<FileId>> = files.iter().map(|it| (*it, includes(it))).collect();
    let inner: BTreeSet<FileId> = edges.values().flatten().copied().collect();
    let outer = files.iter().filter(|it| !inner.contains(it));
    let (mut first, mut reached) = (Vec::new(), BTreeSet::new());
    for file in outer.chain(files) {
        if reached.contains(file) {
            continue;
        }
        first.push(*file);
        let mut open = vec![*file];
        while let Some(file) = open.pop() {
            if reached.insert(file) {
                open.extend(edges.get(&file).into_iter().flatten());
            }
        }
    }
    first
}

fn is_helmfile(path: &str) -> bool {
    let name = source::file_name(path);
    let name = name.strip_suffix(".gotmpl").unwrap_or(name);
    let yaml = matches!(source::extension(name), "yaml" | "yml");
    let stem = name.split('.').next().unwrap_or_default();
    yaml && (stem == "helmfile" || source::file_name(source::parent(path)) == "helmfile.d")
}

/// One environment of one Helmfile and what it includes.
struct HelmfileRun<'a> {
    context: &'a Context<'a>,
    name: String,
    environment: Environment,
    read: FilesRead,
    /// What the templates of all files did.
    work: Rc<TemplateWork>,
    /// The directories of kustomizations that are installed.
    built: BTreeSet<String>,
    /// The files whose `helmfiles` are being read.
    open: Vec<FileId>,
    /// How many files may still be read, so that what doubles on every level ends.
    left: usize,
}

impl<'a> HelmfileRun<'a> {
    fn new(context: &'a Context<'a>, name: &str) -> Self {
        let origin = Origin::at(Via::Written, None);
        Self {
            context,
            name: name.to_owned(),
            environment: Environment::new(name, EntryKind::Other, origin),
            read: FilesRead::default(),
            work: Rc::default(),
            built: BTreeSet::new(),
            open: Vec::new(),
            left: MAX_FILES,
        }
    }

    /// Resolves `file` and what it includes, the values `passed` to it over its own.
    fn visit(&mut self, file: FileId, passed: Option<&Node>, selectors: &Selectors) {
        let state = self.load(file, passed);
        if self.environment.entry.origin.written_at().is_none() {
            self.environment.entry.origin = Origin::start_of(file);
        }
        let Some(state) = state else { return };
        self.open.push(file);
        for child in state::children(self.context, &state.dir, &state.spec) {
            if self.open.contains(&child.file) {
                self.refused(&child.at, "this Helmfile includes itself");
            } else if self.open.len() <= MAX_DEPTH {
                let passed = child.values.as_ref().map(|it| self.passed(&state, it));
                let selectors = child.selectors.as_ref().unwrap_or(selectors);
                self.visit(child.file, passed.as_ref(), selectors);
            }
        }
        self.open.pop();
        let releases = state.spec.at("releases").cloned();
        // Where a condition decides whether there are any, each may be there or not.
        let releases = match releases.as_ref().and_then(|it| Some((it.unknown()?.clone(), it))) {
            Some((why, it)) => match it.if_there() {
                Some(there) => {
                    let items =
                        there.items().iter().map(|it| it.clone().perhaps(why.clone(), false));
                    items.collect()
                }
                None => {
                    self.unresolved(&it.origin, &format!("which releases there are: {why}"));
                    Vec::new()
                }
            },
            None => releases.as_ref().map(Node::items).unwrap_or_default().to_vec(),
        };
        for release in &releases {
            self.release(release, &state, selectors);
        }
    }

    /// One cluster to which everything goes is the environment's.
    fn forget_only_cluster(&mut self) {
        let units = &mut self.environment.units;
        let clusters: BTreeSet<_> = units.iter().map(|it| &it.cluster).collect();
        if clusters.len() < 2 {
            for unit in units {
                unit.cluster = None;
            }
        }
    }

    /// What templates of a state file in `dir` may refer to.
    fn state_template<'t>(&self, dir: &'t str, values: &StateValues) -> HelmfileTemplate<'t>
    where
        'a: 't,
    {
        HelmfileTemplate::state(self.context, dir, &self.named(), values, &self.read, &self.work)
    }

    /// The name of the environment, which stands where the environment is first named.
    fn named(&self) -> Node {
        Node::new(Scalar::string(&*self.name), self.environment.entry.origin.clone())
    }

    /// Says, once, that Helmfile ends with an error at `at`.
    fn refused(&mut self, at: &Origin, why: &str) {
        self.problem(Problem::refused(at, why));
    }

    /// Notes that nothing of `file` is read.
    fn unread(&mut self, file: FileId, why: &str) {
        self.problem(Problem::unresolved(&Origin::start_of(file), why).hiding_objects());
    }

    fn unresolved(&mut self, at: &Origin, why: &str) {
        self.problem(Problem::unresolved(at, why));
    }

    /// Adds a problem, once: parts of files are read more than once.
    fn problem(&mut self, problem: Problem) {
        if !self.environment.problems.contains(&problem) {
            self.environment.problems.push(problem);
        }
    }
}
