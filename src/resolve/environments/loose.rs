//! Manifests that nothing refers to, by what can be one cluster.

use std::collections::{BTreeMap, BTreeSet};

use super::defines_nodes;
use crate::{
    data::groups::{self, Role},
    problem::{Problem, ProblemKind},
    resolve::{
        context::Context,
        environment::{EntryKind, Environment, Object, UNNAMED},
        installers,
        layout::{self, Layout},
        names::settings_for,
        template::placeholders,
        ytt,
    },
    scalar::Dialect,
    source::{self, FileId, Sources},
    tree::{Node, Origin},
};

/// Files by the environment that they lie in, each with what was found in it.
pub(super) type Groups<'a> = BTreeMap<&'a str, Vec<(&'a str, Loose)>>;

/// What was found in files that nothing refers to, by what can be one cluster, and its name.
pub(super) fn sets(groups: Groups<'_>) -> Vec<(&str, Loose)> {
    let of = |(name, files)| apart(name, if name == UNNAMED { "" } else { name }, files);
    let mut sets: Vec<_> = groups.into_iter().flat_map(of).collect();
    // An overlay without anything to match beside it is for what lies elsewhere.
    let elsewhere: Vec<_> = sets.iter_mut().flat_map(|(_, it)| it.take_overlays()).collect();
    sets.retain(|(_, it)| !it.is_empty());
    for (_, set) in &mut sets {
        set.overlays.extend_from_slice(&elsewhere);
    }
    sets
}

/// The files below `dir`, which are of the environment `name`, as those that can be of one cluster.
///
/// Two objects of one kind, namespace and name cannot: the directories that have them are sets of
/// their own, and so are the files when they lie in one directory. What collides with nothing stays
/// together.
fn apart<'a>(name: &'a str, dir: &str, files: Vec<(&'a str, Loose)>) -> Vec<(&'a str, Loose)> {
    let start = if dir.is_empty() { 0 } else { dir.len() + 1 };
    let mut parts: BTreeMap<&str, Vec<(&str, Loose)>> = BTreeMap::new();
    for (path, loose) in files {
        let end = path[start..].find('/').map_or(path.len(), |at| start + at);
        parts.entry(&path[..end]).or_default().push((path, loose));
    }
    let is_file = |part: &str, files: &[(&str, Loose)]| files.iter().any(|(it, _)| *it == part);
    let mut holders: BTreeMap<Identity, Vec<(&str, bool)>> = BTreeMap::new();
    for (part, files) in &parts {
        for identity in files.iter().flat_map(|(_, it)| it.identities()) {
            holders.entry(identity).or_default().push((part, is_file(part, files)));
        }
    }
    // The files of one directory belong together as long as they can.
    let mut colliding = BTreeSet::new();
    for holders in holders.values().filter(|it| it.len() > 1) {
        let files = holders.iter().filter(|(_, is_file)| *is_file).count();
        let collides = |(_, is_file): &&(&str, bool)| !is_file || files > 1;
        colliding.extend(holders.iter().filter(collides).map(|(part, _)| (*part).to_owned()));
    }
    let only = parts.len() == 1;
    let (mut rest, mut sets) = (Loose::default(), Vec::new());
    for (part, files) in parts {
        if is_file(part, &files) || !colliding.contains(part) {
            let merged = files.into_iter().fold(Loose::default(), |mut all, (_, it)| {
                all.append(it);
                all
            });
            if colliding.contains(part) { sets.push((part, merged)) } else { rest.append(merged) }
        } else {
            sets.extend(apart(if only { name } else { part }, part, files));
        }
    }
    sets.push((name, rest));
    sets
}

/// Whether the parse that found what tools follow in `file` says that there is nothing else.
fn is_all_followed(sources: &Sources, file: FileId) -> bool {
    if !layout::is_yaml(&sources[file].path) || ytt::first_line(sources, file).is_some() {
        return false;
    }
    let known = sources.outline(file);
    // It takes keys that are null, which the other one refuses.
    let may_be_null = |key: &str| matches!(key, "" | "~" | "null" | "Null" | "NULL");
    let mut keys = known.roots().flat_map(Node::walk).flat_map(Node::entries);
    known.error().is_none()
        && known.template.is_none()
        && !keys.any(|(key, _)| may_be_null(key))
        && layout::objects(known.roots()).all(layout::is_followed)
}

/// The group, kind, namespace and name of an object; of an APIService the service's name.
type Identity = [String; 4];

/// The kinds that `substituteFrom` names, and those that make them.
const VARIABLES: [&str; 4] = ["ConfigMap", "Secret", "SealedSecret", "ExternalSecret"];

/// What was found in files that nothing refers to.
#[derive(Default, Clone)]
pub(super) struct Loose {
    objects: Vec<Node>,
    files: Vec<FileId>,
    problems: Vec<Problem>,
    /// What ytt merges over the objects.
    overlays: Vec<ytt::Overlay>,
    /// Where it is first said what ytt makes of them.
    by_ytt: Option<Origin>,
}

impl Loose {
    pub(super) fn add(&mut self, sources: &Sources, file: FileId) {
        if !layout::is_yaml(&sources[file].path) {
            self.files.push(file);
            return;
        }
        let documents = sources.documents(file, Dialect::Sigs);
        let broken = documents.error().map(|it| Problem::syntax(it, &Origin::start_of(file)));
        self.problems.extend(broken.or(documents.template.as_ref().map(Problem::template)));
        let mut plain = false;
        let template = ytt::first_line(sources, file);
        if template.is_some() {
            self.overlays = ytt::overlays(sources, file, &documents.roots().collect::<Vec<_>>());
        }
        for node in layout::objects(documents.roots()) {
            if self.overlays.iter().any(|it| it.is(node)) {
                continue;
            }
            if node.str_at("kind").is_some() && node.get("apiVersion").is_some() {
                let mut object = node.clone();
                if template.is_some() {
                    object = ytt::computed(sources, file, node);
                }
                let filled = placeholders(sources, &object);
                if layout::lacks_chart(&filled) {
                    continue;
                }
                if object != *node {
                    self.by_ytt.clone_from(&template);
                }
                self.objects.push(filled);
            } else {
                plain = true;
            }
        }
        if plain {
            self.files.push(file);
        }
    }

    /// What is in `file` beside the objects that tools follow.
    pub(super) fn beside(sources: &Sources, file: FileId) -> Self {
        let mut found = Self::default();
        if is_all_followed(sources, file) {
            return found;
        }
        found.add(sources, file);
        found.objects.retain(|it| !layout::is_followed(it));
        if found.objects.is_empty() && found.files.is_empty() {
            found.problems.retain(|it| it.kind != ProblemKind::Unresolved);
        }
        found.overlaid(sources)
    }

    /// The ConfigMaps and Secrets in files beside `starts` that are not `reached`: who applies a directory
    /// without a kustomization applies all that is in it. Of those of one name nobody can tell which.
    pub(super) fn variables(
        layout: &Layout<'_>,
        sources: &Sources,
        starts: impl Iterator<Item = FileId>,
        reached: &BTreeSet<FileId>,
    ) -> Self {
        let dirs: BTreeSet<&str> = starts.map(|it| source::parent(&sources[it].path)).collect();
        let dirs = dirs.into_iter().filter(|it| !layout.has_kustomization(it));
        let files = dirs.flat_map(|dir| sources.files_in(dir)).filter(|it| {
            layout::is_yaml(&sources[*it].path)
                && !reached.contains(it)
                && !layout.is_excluded(*it)
                && VARIABLES.iter().any(|kind| sources.text(*it).contains(kind))
        });
        let roots = files.flat_map(|it| sources.documents(it, Dialect::Sigs).roots());
        let mut named: BTreeMap<(&str, &str, &str), Vec<&Node>> = BTreeMap::new();
        for it in layout::objects(roots) {
            if VARIABLES.contains(&it.object_kind()) && !defines_nodes(it) {
                let id = (it.object_kind(), it.object_namespace(), it.object_name());
                named.entry(id).or_default().push(it);
            }
        }
        let only = named.values().filter_map(|it| match **it {
            [one] => Some(placeholders(sources, one)),
            _ => None,
        });
        Self { objects: only.collect(), ..Self::default() }
    }

    /// What of its objects a cluster has only one of. The others are said wherever they are needed:
    /// a namespace, and where charts come from. What different programs register under one name are
    /// two of one cluster rather than one of two.
    fn identities(&self) -> BTreeSet<Identity> {
        let objects = self.objects.iter().filter(|it| {
            let kind = it.object_kind();
            kind != "Namespace" && !kind.ends_with("Repository") && !it.object_name().is_empty()
        });
        let known = objects.filter(|it| it.look("metadata.namespace").is_ok());
        let identity = |it: &Node| {
            let of = match it.object_kind() {
                "APIService" => it.str_at("spec.service.name").unwrap_or_default(),
                _ => it.object_namespace(),
            };
            [it.api_group(), it.object_kind(), of, it.object_name()].map(str::to_owned)
        };
        known.map(identity).collect()
    }

    pub(super) fn append(&mut self, mut other: Self) {
        self.objects.append(&mut other.objects);
        self.files.append(&mut other.files);
        self.problems.append(&mut other.problems);
        self.overlays.append(&mut other.overlays);
        self.by_ytt = self.by_ytt.take().or(other.by_ytt);
    }

    /// The overlays that match none of its objects.
    fn take_overlays(&mut self) -> Vec<ytt::Overlay> {
        let overlays = std::mem::take(&mut self.overlays).into_iter();
        let matches = |it: &ytt::Overlay| self.objects.iter().any(|object| it.matches(object));
        let (mine, others) = overlays.partition(matches);
        self.overlays = mine;
        others
    }

    /// The same, with all unknown that its overlays may touch.
    fn overlaid(mut self, sources: &Sources) -> Self {
        for overlay in std::mem::take(&mut self.overlays) {
            let (matched, mut objects): (Vec<_>, Vec<_>) =
                self.objects.into_iter().partition(|it| overlay.matches(it));
            if !matched.is_empty() {
                self.by_ytt.get_or_insert_with(|| overlay.at.clone());
            }
            objects.extend(matched.iter().filter_map(|it| overlay.over(sources, it)));
            self.objects = objects;
        }
        let problem = |at| Problem::unresolved(&at, ytt::WHY);
        self.problems.extend(self.by_ytt.take().map(problem));
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.files.is_empty() && self.problems.is_empty()
    }

    /// What of it defines a cluster's nodes. Workloads stay: nothing says that the cluster runs
    /// them.
    pub(super) fn take_definitions(&mut self) -> Self {
        let objects = std::mem::take(&mut self.objects).into_iter();
        let (definitions, workloads) = objects.partition(defines_nodes);
        self.objects = workloads;
        let files = std::mem::take(&mut self.files);
        Self { objects: definitions, files, ..Self::default() }
    }

    /// Whether all of it are objects of the cluster that they are applied to. Who does not apply them to
    /// a cluster says nothing of that one.
    pub(super) fn is_of_its_own_cluster(&self) -> bool {
        let is_own = |it: &Node| groups::role(it.api_group()) == Some(Role::DefinesOwnNodes);
        self.files.is_empty() && self.objects.iter().all(is_own)
    }

    /// The directory of its first object.
    pub(super) fn dir<'s>(&self, sources: &'s Sources) -> &'s str {
        let file = self.objects.first().and_then(|it| it.origin.written_at()).map(|it| it.file);
        file.map_or("", |file| source::parent(&sources[file].path))
    }

    /// Makes it part of `environment`.
    pub(super) fn join(mut self, environment: &mut Environment) {
        environment.objects.extend(self.objects.into_iter().map(Object::new));
        environment.files.append(&mut self.files);
        environment.problems.append(&mut self.problems);
    }

    /// An environment of these files alone, unless there is nothing in them.
    pub(super) fn found(self, context: &Context<'_>, name: &str) -> Option<Environment> {
        let mut environment = self.written(context, name)?;
        installers::releases(context, &mut environment);
        Some(environment)
    }

    /// The same, with nothing that it installs.
    pub(super) fn written(self, context: &Context<'_>, name: &str) -> Option<Environment> {
        let this = self.overlaid(context.sources);
        let object = this.objects.first().map(|it| it.object_anchor().clone());
        let problem = this.problems.first().map(|it| it.at.clone());
        let file = this.files.first().map(|file| Origin::start_of(*file));
        let origin = object.or(problem).or(file)?;
        Some(Environment {
            settings: settings_for(context.config, name, name).cloned(),
            objects: this.objects.into_iter().map(Object::new).collect(),
            files: this.files,
            problems: this.problems,
            ..Environment::new(name, EntryKind::Manifests, origin)
        })
    }
}
