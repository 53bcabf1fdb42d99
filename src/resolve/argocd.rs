//! Argo CD: Applications, ApplicationSets, and applications of applications.
//!
//! The reference is Argo CD 3.

mod edits;
mod repository;
mod set;
mod sources;

use std::collections::{BTreeMap, BTreeSet, VecDeque, btree_map::Entry};

use rayon::prelude::*;

use crate::{
    data::{subject::METRICS_API, words},
    problem::Problem,
    resolve::{
        argocd::repository::Repository,
        bounds::Held,
        context::Context,
        environment::{EntryKind, Environment, Object, Release, Unit},
        gotemplate::TemplateWork,
        helm,
        install::{self, Discovery, Reached},
        layout::{self, Layout, is_application},
        names,
    },
    scalar::Scalar,
    source::{self, FileId, Relevance, Span},
    tree::Node,
};

/// What Argo CD calls the cluster that it runs in.
const IN_CLUSTER: &str = "in-cluster";

/// Applications that one environment may have, so that sets of sets end.
const MAX_APPLICATIONS: usize = 10_000;

/// The Argo CD side of a repository.
pub(crate) struct Argo<'a> {
    context: &'a Context<'a>,
    layout: &'a Layout<'a>,
    repository: Repository,
    /// The objects as they are written, in file order.
    written: Vec<WrittenApplication<'a>>,
    /// Which of them are in a file.
    by_file: BTreeMap<FileId, Vec<usize>>,
    /// The directories of those that read the files of others.
    readers: BTreeSet<&'a str>,
}

/// An Application or ApplicationSet and what deploying it reaches.
struct WrittenApplication<'a> {
    file: FileId,
    node: &'a Node,
    reach: Reached,
}

impl<'a> Argo<'a> {
    /// Collects what is written; nothing is built yet.
    pub(crate) fn new(context: &'a Context<'a>, layout: &'a Layout<'a>) -> Self {
        let repository = Repository::new(context.sources, &layout.argo);
        let (written, readers) = (Vec::new(), BTreeSet::new());
        let mut by_file: BTreeMap<FileId, Vec<usize>> = BTreeMap::new();
        for (index, (file, _)) in layout.argo.iter().enumerate() {
            by_file.entry(*file).or_default().push(index);
        }
        let mut argo = Self { context, layout, repository, written, by_file, readers };
        let written = layout.argo.par_iter().map(|(file, node)| {
            let (applications, _) = argo.instances(node, &share_of_sets(layout.argo.len()));
            let mut reach = Reached::default();
            for application in &applications {
                sources::reach(&argo, application, &mut reach);
            }
            WrittenApplication { file: *file, node, reach }
        });
        argo.written = written.collect();
        let reads_others = |it: &&WrittenApplication<'_>| {
            it.reach.files.iter().any(|file| *file != it.file && argo.by_file.contains_key(file))
        };
        let readers = argo.written.iter().filter(reads_others);
        argo.readers = readers.map(|it| source::parent(&context.sources[it.file].path)).collect();
        argo
    }

    /// Whether a file holds an Application or a set of them.
    fn is_application_file(&self, file: FileId) -> bool {
        self.by_file.contains_key(&file)
    }

    /// Whether a repository's address is that of the one that is looked at.
    fn is_ours(&self, url: &str) -> bool {
        self.repository.is_ours(url)
    }

    /// An Application itself, or the Applications that a set makes, whose templates add to `work`.
    fn instances(&self, node: &Node, work: &TemplateWork) -> (Vec<Node>, Vec<Problem>) {
        match node.str_at("kind") {
            Some("ApplicationSet") => set::instances(self, node, work),
            _ => (vec![node.clone()], Vec::new()),
        }
    }

    /// The environments of Applications that nothing else in the repository builds.
    pub(crate) fn environments(&self) -> Discovery {
        let mut found = Discovery::default();
        if self.written.is_empty() {
            return found;
        }
        for written in &self.written {
            found.reached.files.extend(&written.reach.files);
            // A kustomization that builds an Application which deploys that same kustomization
            // starts there all the same.
            let dirs = written.reach.dirs.iter();
            let own = |dir: &str| self.layout.closure(dir, true).files.contains(&written.file);
            found.reached.dirs.extend(dirs.filter(|dir| !own(dir)).cloned());
        }
        let mut homes: BTreeMap<String, Vec<&WrittenApplication<'_>>> = BTreeMap::new();
        for written in self.roots(&found.reached) {
            if self.layout.is_excluded(written.file) {
                continue;
            }
            let path = &self.context.sources[written.file].path;
            let home = names::environment_or_unnamed(path);
            homes.entry(home.to_owned()).or_default().push(written);
        }
        let deployed =
            homes.par_iter().map(|(home, roots)| self.deployed(home, roots, homes.len()));
        deployed.collect::<Vec<_>>().into_iter().for_each(|it| found.extend(it));
        found
    }

    /// What the Applications `roots` deploy from the Argo CD of the cluster `home`; from that of
    /// several clusters, taken apart by stage, directory, else by name, file or line, when one Argo CD
    /// cannot have all of it. There are so many `homes`.
    fn deployed(&self, home: &str, roots: &[&WrittenApplication<'_>], homes: usize) -> Discovery {
        let mut deployment = Deployment::new(self, None, homes);
        for (index, root) in roots.iter().enumerate() {
            let parked = self.is_parked(root);
            let name = home.to_owned();
            let place = Home { name, root: index, parked, ..Home::default() };
            deployment.open.push_back((root.node.clone(), place));
        }
        let (mut found, unique, servers) = deployment.run();
        // Roots of several stages that bring a metrics-server each are of several clusters.
        let places = servers.iter().map(|its| {
            let places = its.iter().filter_map(|it| place_of(roots.get(*it)?.node));
            places.collect::<BTreeSet<_>>().len()
        });
        let is_staged = unique && places.max().unwrap_or_default() > 1;
        let dir = |root: &WrittenApplication<'_>| {
            names::environment_dir(source::parent(&self.context.sources[root.file].path))
        };
        let name = |root: &WrittenApplication<'_>| root.node.object_name().to_owned();
        let sources = self.context.sources;
        let file = |root: &WrittenApplication<'_>| sources[root.file].path.clone();
        let line = |root: &WrittenApplication<'_>| {
            let line = root.node.origin.written_at().map_or(0, |it| sources.start(it).line);
            format!("{}:{line}", file(root))
        };
        let apart = |by: &dyn Fn(&WrittenApplication<'_>) -> String| {
            let mut parts: BTreeMap<String, Vec<&WrittenApplication<'_>>> = BTreeMap::new();
            for root in roots {
                parts.entry(by(root)).or_default().push(root);
            }
            (parts.len() > 1).then_some(parts)
        };
        let by: [&dyn Fn(&WrittenApplication<'_>) -> String; 4] = [&dir, &name, &file, &line];
        let place = |root: &WrittenApplication<'_>| place_of(root.node).unwrap_or(home).to_owned();
        let parts = match is_staged {
            true => apart(&place),
            false => by.into_iter().filter(|_| !unique).find_map(apart),
        };
        let Some(parts) = parts else {
            for root in roots {
                found.declared.entry(root.file).or_default().insert(home.to_owned());
            }
            return found;
        };
        let mut all = Discovery::default();
        let homes = homes * parts.len();
        for (home, roots) in parts {
            all.extend(self.deployed(&home, &roots, homes));
        }
        all
    }

    /// Whether nothing that is seen reads the file of an Application, while others of the repository
    /// are deployed by Applications that do.
    fn is_parked(&self, root: &WrittenApplication<'_>) -> bool {
        let dir = source::parent(&self.context.sources[root.file].path);
        !self.readers.is_empty() && !self.readers.contains(dir)
    }

    /// What the Applications among the objects of `environment` deploy, there and elsewhere.
    pub(crate) fn applications(&self, environment: &Environment) -> Discovery {
        self.deployed_by(environment, &environment.objects)
    }

    /// What the Applications among `objects` of `environment` deploy, there and elsewhere.
    pub(crate) fn deployed_by(&self, environment: &Environment, objects: &[Object]) -> Discovery {
        let mut deployment = Deployment::new(self, Some(&environment.name), 1);
        for object in objects.iter().filter(|it| is_application(&it.node)) {
            let place = Home {
                name: environment.name.clone(),
                built: true,
                unit: environment.applies(object),
                ..Home::default()
            };
            deployment.open.push_back((object.node.clone(), place));
        }
        deployment.run().0
    }

    /// How what the Applications in these files lead to can matter most.
    pub(crate) fn relevance(&self, files: &BTreeSet<FileId>) -> Relevance {
        self.led(files).map(|it| self.most(&it.files)).max().unwrap_or_default()
    }

    /// Whether what the Applications in the files `from` lead to is one of `files`.
    pub(crate) fn leads_to(&self, from: &BTreeSet<FileId>, files: &BTreeSet<FileId>) -> bool {
        self.led(from).any(|it| !it.files.is_disjoint(files))
    }

    /// What the Applications in these files deploy, and those in what that is.
    fn led(&self, files: &BTreeSet<FileId>) -> impl Iterator<Item = &Reached> {
        let mut seen: BTreeSet<usize> = BTreeSet::new();
        let mut open: Vec<FileId> = files.iter().copied().collect();
        while let Some(file) = open.pop() {
            for index in self.by_file.get(&file).into_iter().flatten() {
                if seen.insert(*index) {
                    open.extend(&self.written[*index].reach.files);
                }
            }
        }
        seen.into_iter().map(|it| &self.written[it].reach)
    }

    /// How one of `files` can matter most.
    fn most<'f>(&self, files: impl IntoIterator<Item = &'f FileId>) -> Relevance {
        let sources = self.context.sources;
        files.into_iter().map(|it| sources[*it].relevance).max().unwrap_or_default()
    }

    /// The objects that no kustomization and no other Application builds.
    fn roots(&self, reached: &Reached) -> Vec<&WrittenApplication<'a>> {
        if self.written.is_empty() {
            return Vec::new();
        }
        let kustomizations = self.layout.roots().filter(|dir| !reached.dirs.contains(*dir));
        let flux = self.layout.flux.iter().filter_map(|flux| flux.dir.as_deref());
        let kustomized = self.layout.closure_of_all(kustomizations.chain(flux), true).files;
        let written = || self.written.iter().enumerate();
        let outside = written().filter(|(_, it)| kustomized.contains(&it.file));
        let outside: BTreeSet<usize> = outside.map(|(index, _)| index).collect();
        let next = self.written.iter().map(|from| {
            // Objects of one file are deployed together.
            let others = from.reach.files.iter().filter(|file| **file != from.file);
            others.filter_map(|file| self.by_file.get(file)).flatten().copied().collect()
        });
        let next: Vec<BTreeSet<usize>> = next.collect();
        let starts = layout::starts(&outside, &next);
        starts.into_iter().map(|index| &self.written[index]).collect()
    }
}

/// The environment or the stage that the paths of an Application's sources say, if they say one.
fn place_of(application: &Node) -> Option<&str> {
    let several = application.items_at("spec.sources").iter();
    let sources = application.at("spec.source").into_iter().chain(several);
    let mut paths = sources.filter_map(|it| it.str_at("path"));
    paths.find_map(|path| {
        let mut words = path.split(|it: char| !it.is_alphanumeric());
        let is_stage = |it: &&str| [words::LASTING, words::DEVELOPMENT].concat().contains(it);
        let place = names::environment_of_dir(path).map(source::file_name);
        place.or_else(|| words.find(is_stage))
    })
}

/// Which environment's Argo CD has an Application, and whether it is among its objects already.
#[derive(Debug, Default, Clone)]
struct Home {
    name: String,
    built: bool,
    /// The unit that applies it.
    unit: Option<String>,
    /// Which of the first Applications led to it.
    root: usize,
    /// Whether nothing that is seen deploys it.
    parked: bool,
}

/// Deploying Applications until there are no more.
struct Deployment<'r, 'a> {
    argo: &'r Argo<'a>,
    /// The environment whose objects the first Applications are, when others resolved it.
    home: Option<String>,
    /// Applications and the environment whose Argo CD has them.
    open: VecDeque<(Node, Home)>,
    /// Those that were deployed, and by which root: environment, kind, namespace, name.
    seen: BTreeMap<[String; 4], (usize, Node)>,
    /// Whether each was one thing only.
    unique: bool,
    /// The roots that led to a metrics-server, by environment.
    servers: BTreeMap<String, BTreeSet<usize>>,
    environments: BTreeMap<String, Environment>,
    /// Where each environment has the object that is written at a place.
    places: BTreeMap<(String, Option<Span>), usize>,
    /// What each environment reads.
    read: BTreeMap<String, BTreeSet<FileId>>,
    /// Environments that may have what we judge from elsewhere.
    concerned: BTreeSet<String>,
    reached: Reached,
    held: Held,
    /// What the templates of ApplicationSets did.
    work: TemplateWork,
}

/// What the templates of ApplicationSets may do, of which there are so many: a quarter of what those of a
/// chart may, since they are run both to see what there is and to deploy it.
fn share_of_sets(count: usize) -> TemplateWork {
    TemplateWork::share(4 * count)
}

impl<'r, 'a> Deployment<'r, 'a> {
    fn new(argo: &'r Argo<'a>, home: Option<&str>, homes: usize) -> Self {
        Self {
            argo,
            home: home.map(ToOwned::to_owned),
            open: VecDeque::new(),
            seen: BTreeMap::new(),
            unique: true,
            servers: BTreeMap::new(),
            environments: BTreeMap::new(),
            places: BTreeMap::new(),
            read: BTreeMap::new(),
            concerned: BTreeSet::new(),
            reached: Reached::default(),
            held: Held::default(),
            work: share_of_sets(homes),
        }
    }

    /// What was found, whether no two roots made different things of one name, and the roots that led to a
    /// metrics-server in each environment.
    fn run(mut self) -> (Discovery, bool, Vec<BTreeSet<usize>>) {
        let mut left = MAX_APPLICATIONS;
        while let Some((node, place)) = self.open.pop_front() {
            if !self.is_new(&node, &place) {
                continue;
            }
            let (applications, problems) = self.argo.instances(&node, &self.work);
            let set = node.str_at("kind") == Some("ApplicationSet");
            let set = set.then_some(&node);
            if !problems.is_empty() {
                let first = applications.first();
                let name = &place.name;
                let target = first.map_or_else(|| name.clone(), |it| destination(it, name, set));
                self.environment(&target, &node).problems.extend(problems);
            }
            for application in applications {
                let Some(rest) = left.checked_sub(1) else {
                    let message = format!("only the first {MAX_APPLICATIONS} are looked at");
                    let problem = Problem::unresolved(node.object_anchor(), message);
                    self.environment(&place.name, &node).problems.push(problem);
                    return (self.found(), true, Vec::new());
                };
                left = rest;
                self.deploy(&application, &place, set);
            }
        }
        let unique = self.unique;
        let servers = std::mem::take(&mut self.servers).into_values().collect();
        (self.found(), unique, servers)
    }

    /// Whether the Argo CD of a place has had no object of that name yet.
    fn is_new(&mut self, node: &Node, place: &Home) -> bool {
        let text = |path: &str| node.str_at(path).unwrap_or_default().to_owned();
        let [kind, namespace, name] = ["kind", "metadata.namespace", "metadata.name"].map(text);
        match self.seen.entry([place.name.clone(), kind, namespace, name]) {
            Entry::Vacant(entry) => {
                entry.insert((place.root, node.clone()));
                true
            }
            Entry::Occupied(entry) => {
                let (root, known) = entry.get();
                self.unique &= *root == place.root || known == node;
                false
            }
        }
    }

    /// The environment of that name, made at the first Application that deploys to it.
    fn environment(&mut self, name: &str, application: &Node) -> &mut Environment {
        self.environments.entry(name.to_owned()).or_insert_with(|| {
            Environment::new(name, EntryKind::ArgoCd, application.object_anchor().clone())
        })
    }

    fn deploy(&mut self, application: &Node, place: &Home, set: Option<&Node>) {
        if set.is_some() && !self.is_new(application, place) {
            return;
        }
        let target = destination(application, &place.name, set);
        if self.held.is_full() {
            let problem = Held::problem(application.object_anchor());
            self.environment(&target, application).problems.push(problem);
            self.concerned.insert(target);
            // It is no environment of its own.
            sources::reach(self.argo, application, &mut self.reached);
            return;
        }
        let argo = self.argo;
        let mut deployed = sources::deploy(argo, application);
        if place.parked {
            deployed.problems.retain(|it| !it.kind.fails_build());
        }
        let read = self.read.entry(target.clone()).or_default();
        read.extend(&deployed.reached.files);
        read.extend(application.origin.written_at().map(|it| it.file));
        if deployed.concerns {
            self.concerned.insert(target.clone());
        }
        self.reached.files.extend(deployed.reached.files);
        self.reached.dirs.extend(deployed.reached.dirs);
        let namespace = application.at("spec.destination.namespace");
        let environment = self.environments.entry(target.clone()).or_insert_with(|| {
            let origin = application.object_anchor().clone();
            Environment::new(target.as_str(), EntryKind::ArgoCd, origin)
        });
        let mut unit = Unit::of_object(application);
        unit.after.extend(place.unit.clone());
        let start = environment.begin();
        environment.problems.extend(deployed.problems);
        environment.deleted.extend(deployed.deleted);
        if set.is_some() || !place.built || target != place.name {
            push(environment, &mut self.places, Object::new(application.clone()));
        }
        let mut inner = Vec::new();
        let places = &mut self.places;
        let mut deploy = |environment: &mut Environment, mut node: Node| {
            install::default_namespace(&mut node, namespace);
            if is_application(&node) {
                let unit = Some(unit.id.clone());
                let place = Home { name: target.clone(), built: true, unit, ..place.clone() };
                inner.push((node.clone(), place));
            }
            push(environment, places, Object::new(node));
        };
        for node in deployed.objects {
            deploy(environment, node);
        }
        environment.releases.extend(deployed.inflated);
        for release in deployed.releases {
            let (objects, problems) = (environment.objects.len(), environment.problems.len());
            let dir = release.directory.clone();
            environment.install(argo.context, release);
            if environment.problems.len() > problems
                && dir.is_some_and(|it| helm::deploys(argo.context, &it))
            {
                self.concerned.insert(target.clone());
            }
            let made = environment.objects.extract_if(objects.., |it| is_application(&it.node));
            for object in made.collect::<Vec<_>>() {
                deploy(environment, object.node);
            }
        }
        let registers = |it: &Object| it.kind() == "APIService" && it.name() == METRICS_API;
        if environment.objects.iter().skip(start.objects()).any(registers) {
            self.servers.entry(target).or_default().insert(place.root);
        }
        environment.end(start, unit);
        self.held.add_since(environment, start);
        self.open.extend(inner);
    }

    /// The environments that concern us: something they read speaks of our subject, or scales
    /// workloads.
    fn found(self) -> Discovery {
        let Self { argo, home, environments, read, concerned, mut reached, .. } = self;
        let mut found = Discovery::default();
        for (name, mut environment) in environments {
            let most = argo.most(read.get(&name).into_iter().flatten());
            // What values name, the files that are read need not.
            let matters = most == Relevance::Subject
                || concerned.contains(&name)
                || environment.releases.iter().any(Release::is_ours);
            environment.aside = !matters;
            // What belongs to an environment that exists already is part of it in any case.
            let belongs = home.as_ref() == Some(&name);
            if !matters && !belongs {
                found.unread.extend(environment.problems.iter().map(|it| it.at.clone()));
            }
            if matters || belongs || most == Relevance::Scaling {
                found.environments.push(environment);
            }
        }
        found.reached.files.append(&mut reached.files);
        found.reached.dirs.append(&mut reached.dirs);
        found
    }
}

/// Adds an object, unless the environment has the very same one from another Application.
fn push(
    environment: &mut Environment,
    places: &mut BTreeMap<(String, Option<Span>), usize>,
    object: Object,
) {
    let place = (environment.name.clone(), object.node.origin.written_at());
    let before = places.get(&place).and_then(|index| environment.objects.get(*index));
    if before.is_none_or(|it| it.node != object.node) {
        places.insert(place, environment.objects.len());
        environment.objects.push(object);
    }
}

/// The environment that an Application deploys to: its cluster by name or by host. Argo CD's own
/// cluster is the one that has the Application.
fn destination(application: &Node, place: &str, set: Option<&Node>) -> String {
    let name = application.at("spec.destination.name").filter(|it| !install::is_blank(it));
    let server = application.at("spec.destination.server").filter(|it| !install::is_blank(it));
    let unknown = || {
        let set = set.and_then(|set| set.str_at("metadata.name"));
        set.unwrap_or(place).to_owned()
    };
    match (name.map(Node::as_str), server.map(Node::as_str)) {
        (Some(Some(IN_CLUSTER)), _) | (None, None) => place.to_owned(),
        (Some(Some(name)), _) => name.to_owned(),
        (None, Some(Some(server))) => {
            let host = server.split_once("://").map_or(server, |(_, rest)| rest);
            let host = host.split('/').next().unwrap_or(host);
            if host == "kubernetes.default.svc" || host == "kubernetes.default.svc:443" {
                place.to_owned()
            } else {
                host.split(':').next().unwrap_or(host).to_owned()
            }
        }
        _ => unknown(),
    }
}

/// A string that Argo CD makes up from others, at the origin of `from`.
fn made(text: impl Into<std::sync::Arc<str>>, from: &Node) -> Node {
    Node::new(Scalar::string(text), from.origin.clone())
}
