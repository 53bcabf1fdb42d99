//! Where a release's chart comes from, and what Helmfile has kustomize do with what it renders
//! (chartify).

use super::{HelmfileRun, release::InstalledAs, state::State, values::LayersFrom};
use crate::{
    data::{
        kinds::is_cluster_scoped,
        version::{Constraint, lenient},
    },
    resolve::{
        environment::{ClusterVersion, Release},
        install,
        kustomize::{self, BuildOptions},
    },
    scalar::Dialect,
    source,
    tree::{Map, Node},
};

/// What changes single objects of a release.
const PATCHES: [&str; 2] = ["jsonPatches", "strategicMergePatches"];

impl HelmfileRun<'_> {
    /// Installs `chart`, and what `dependencies` adds to it.
    pub(super) fn install(
        &mut self,
        state: &State,
        release: &Node,
        chart: &Node,
        version: Option<&Node>,
        values: Node,
        place: &InstalledAs<'_>,
    ) {
        let mut parts = Vec::new();
        let name = chart.as_str().unwrap_or_default();
        let dir = source::join(&state.dir, name);
        let dir = dir.filter(|it| !it.is_empty() && self.context.sources.is_dir(it));
        match &dir {
            Some(dir) if !self.context.sources.is_chart(dir) => {
                let mut objects = self.manifests(dir);
                let namespace = Node::new(place.namespace, chart.origin.clone());
                for object in &mut objects {
                    install::default_namespace(object, Some(&namespace));
                }
                let release = reference(state, chart, Some(dir.as_str()), version, values, place);
                parts.push((Release { shell: true, ..release }, objects));
            }
            _ => {
                for dependency in release.items_at("dependencies") {
                    parts.extend(self.dependency(state, release, dependency, &values, place));
                }
                let dir = dir.as_deref();
                let skips = |it: &Node| it.get("skipSchemaValidation").cloned();
                let skips = skips(release).or_else(|| skips(state.spec.get("helmDefaults")?));
                let skips_schema = skips.is_some_and(|it| it.as_bool() != Some(false));
                let kubernetes = kubernetes(state, release);
                let needs_all = PATCHES.iter().any(|it| release.get(it).is_some());
                let release = reference(state, chart, dir, version, values, place);
                let release = Release { kubernetes, skips_schema, needs_all, ..release };
                let installed = self.environment.template(self.context, release);
                self.environment.problems.extend(installed.problems);
                parts.extend(installed.parts);
            }
        }
        self.patch(state, release, &mut parts);
        for (release, objects) in parts {
            self.environment.add(release, objects);
        }
    }

    /// The version of `chart` that `helmfile deps` has written down: the first that `version` allows
    /// (`mergeLockedDependencies` and `Get` of `pkg/state/chart_dependency.go`).
    pub(super) fn locked(
        &self,
        state: &State,
        chart: &Node,
        version: Option<&Node>,
    ) -> Option<Node> {
        let sources = self.context.sources;
        let (alias, name) = chart.as_str().filter(|it| !it.contains("://"))?.split_once('/')?;
        let is_remote = |it: &Node| it.str_at("name") == Some(alias);
        let repository = state.spec.items_at("repositories").iter().find(|it| is_remote(it))?;
        let lock = match state.spec.get("lockFilePath").filter(|it| !install::is_blank(it)) {
            Some(path) => sources.find_from(&state.dir, path.as_str()?)?,
            None => {
                let file = source::file_name(&sources[state.file].path);
                let stem = file.strip_suffix(".gotmpl").unwrap_or(file);
                let stem = stem.strip_suffix(".yaml").unwrap_or(stem);
                let stem = stem.strip_suffix(".yml").unwrap_or(stem);
                sources.find_from(&state.dir, &format!("{stem}.lock"))?
            }
        };
        let allowed = match version {
            Some(version) => Constraint::parse(version.as_str()?)?,
            None => Constraint::parse("*")?,
        };
        let lock = sources.documents(lock, Dialect::Sigs).roots().next()?;
        let last = Some(source::file_name(name)).filter(|_| repository.is_true_at("oci"));
        let find = |name: &str| {
            let mut all = lock.items_at("dependencies").iter();
            let holds =
                |it: &Node| it.as_str().and_then(lenient).is_some_and(|it| allowed.holds(&it));
            let all = all.by_ref().filter(|it| it.str_at("name") == Some(name));
            all.filter_map(|it| it.get("version")).find(|it| holds(it))
        };
        let locked = last.and_then(find).or_else(|| find(name))?;
        // The lock file is generated: a person edits the version in the Helmfile.
        let origin = version.map_or(&locked.origin, |it| &it.origin);
        Some(Node::new(locked.kind.clone(), origin.clone()))
    }

    /// A chart that `dependencies` adds: what it gets stands below its alias.
    fn dependency(
        &mut self,
        state: &State,
        release: &Node,
        dependency: &Node,
        values: &Node,
        place: &InstalledAs<'_>,
    ) -> Vec<(Release, Vec<Node>)> {
        let Some(chart) = dependency.get("chart").filter(|it| it.as_str().is_some()) else {
            return Vec::new();
        };
        let text = chart.as_str().unwrap_or_default();
        let alias = dependency.str_at("alias");
        let key = alias.unwrap_or_else(|| source::file_name(text));
        let nothing = Node::new(Map::default(), values.origin.clone());
        let own = values.perhaps_at(key).unwrap_or(nothing);
        let dir = source::join(&state.dir, text).filter(|it| self.context.sources.is_chart(it));
        let version = dependency.get("version").filter(|it| !install::is_blank(it));
        let kubernetes = kubernetes(state, release);
        let release = reference(state, chart, dir.as_deref(), version, own, place);
        let alias = alias.map(ToOwned::to_owned);
        let release = Release { alias, kubernetes, ..release };
        let installed = self.environment.template(self.context, release);
        self.environment.problems.extend(installed.problems);
        installed.parts
    }

    /// The objects of a directory that holds no chart: a kustomization, or manifests.
    fn manifests(&mut self, dir: &str) -> Vec<Node> {
        let options =
            BuildOptions { generate: true, unrestricted: true, ..BuildOptions::default() };
        let below: Vec<_> = self.context.sources.below(dir).collect();
        self.read.borrow_mut().extend(below);
        let build = kustomize::build(self.context, dir, &options);
        self.environment.problems.extend(build.problems);
        self.environment.deleted.extend(build.deleted);
        self.built.insert(dir.to_owned());
        build.objects
    }

    /// Patches what a release renders.
    fn patch(&mut self, state: &State, release: &Node, parts: &mut [(Release, Vec<Node>)]) {
        if parts.iter().all(|(_, objects)| objects.is_empty()) {
            return;
        }
        let template = self.release_template(release, state);
        let missing = release.get("missingFileHandler");
        let from = LayersFrom { dir: &state.dir, missing, template: &template };
        let mut patches = Vec::new();
        let [operations, merges] = PATCHES;
        for item in self.documents(release, operations, &from) {
            let patch = item.get("patch").cloned().unwrap_or_else(|| {
                Node::unknown_value("the patch is in another file", &item.origin)
            });
            patches.push(entry(patch, item.get("target")));
        }
        let merges = self.documents(release, merges, &from);
        patches.extend(merges.into_iter().map(|it| entry(it, None)));
        let defaults = state.spec.get("helmDefaults");
        let program = release.get("postRenderer").or_else(|| defaults?.get("postRenderer"));
        let is_some = |it: &&Node| !install::is_blank(it);
        if let Some(program) = program.filter(is_some) {
            let why = "a post-renderer changes what the chart renders";
            patches.push(entry(Node::unknown_value(why, &program.origin), None));
        }
        let transformers = self.documents(release, "transformers", &from);
        if let Some(first) = transformers.first() {
            let why = "a transformer changes what the chart renders";
            patches.push(entry(Node::unknown_value(why, &first.origin), None));
        }
        let Some(first) = patches.first() else {
            return force_namespace(release, parts);
        };
        let at = first.origin.clone();
        let fields = Node::new([("patches", Node::new(patches, at.clone()))], at);
        // They run over all that is rendered: whose an object is gets lost, but for the last's.
        let objects: Vec<Node> =
            parts.iter_mut().flat_map(|(_, its)| std::mem::take(its)).collect();
        let build = kustomize::transform(self.context, objects, &fields);
        self.environment.problems.extend(build.problems);
        self.environment.deleted.extend(build.deleted);
        if let Some((_, its)) = parts.last_mut() {
            *its = build.objects;
        }
        force_namespace(release, parts);
    }

    /// What the items of a list hold, maps or paths of files.
    fn documents(&mut self, release: &Node, key: &str, from: &LayersFrom<'_>) -> Vec<Node> {
        let mut all = Vec::new();
        let Some(list) = release.get(key) else { return all };
        let unknown = list.unknown().map(|_| list.clone());
        for item in list.items().iter().chain(&unknown) {
            if item.as_scalar().is_none() {
                all.push(item.clone());
                continue;
            }
            match self.find(item, from) {
                Err(why) => all.push(Node::unknown_value(why, &item.origin)),
                Ok(files) => {
                    for file in files {
                        self.read.borrow_mut().insert(file);
                        match self.rendered_file(file, from.template) {
                            Ok(documents) => all.extend(documents),
                            Err(why) => {
                                self.unresolved(&item.origin, &why);
                                all.push(Node::unknown_value(why, &item.origin));
                            }
                        }
                    }
                }
            }
        }
        all
    }
}

/// The release of `chart`, which lies in `directory` when that is in the repository.
fn reference(
    state: &State,
    chart: &Node,
    directory: Option<&str>,
    version: Option<&Node>,
    values: Node,
    place: &InstalledAs<'_>,
) -> Release {
    let text = chart.as_str().unwrap_or_default();
    let (repository, name) = match text.split_once('/') {
        Some((name, rest)) if !text.contains("://") => {
            let known = repository(state, name);
            let url = known.unwrap_or_else(|| Node::new(name, chart.origin.clone()));
            (Some(url), rest)
        }
        _ => (None, text),
    };
    let chart_reference = install::ChartReference {
        name: directory.unwrap_or(name),
        repository: repository.as_ref(),
        directory,
        version: version.cloned(),
    };
    let own = if place.name.is_empty() { name } else { place.name };
    let release = chart_reference.release("helmfile", own, place.namespace, values, &chart.origin);
    Release { suspended: place.is_suspended, ..release }
}

/// The version of Kubernetes that `release` is rendered for, if it or the state says one.
fn kubernetes(state: &State, release: &Node) -> Option<ClusterVersion> {
    let own = release.get("kubeVersion").filter(|it| !install::is_blank(it));
    own.or_else(|| state.spec.get("kubeVersion")).and_then(ClusterVersion::told)
}

/// The address of a repository of that name.
fn repository(state: &State, name: &str) -> Option<Node> {
    let mut all = state.spec.items_at("repositories").iter();
    let found = all.find(|it| it.str_at("name") == Some(name))?;
    let url = found.get("url")?;
    let oci = found.is_true_at("oci").then(|| url.as_str()).flatten();
    let oci = oci.map(|it| Node::new(format!("oci://{it}"), url.origin.clone()));
    Some(oci.unwrap_or_else(|| url.clone()))
}

/// An entry of `patches` of a kustomization, whose patch is a tree.
fn entry(patch: Node, target: Option<&Node>) -> Node {
    let at = patch.origin.clone();
    let mut map = Map::default();
    map.set("patch", patch);
    if let Some(target) = target {
        map.set("target", target.clone());
    }
    Node::new(map, at)
}

/// `forceNamespace`: the namespace of every object that has one.
fn force_namespace(release: &Node, parts: &mut [(Release, Vec<Node>)]) {
    let Some(namespace) = release.get("forceNamespace").filter(|it| !install::is_blank(it)) else {
        return;
    };
    for object in parts.iter_mut().flat_map(|(_, its)| its) {
        if !object.str_at("kind").is_none_or(is_cluster_scoped)
            && let Some(metadata) = object.at_mut("metadata")
        {
            metadata.set("namespace", namespace.clone());
        }
    }
}
