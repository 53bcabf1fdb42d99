//! Rancher Fleet: bundles that a `fleet.yaml` describes, per target that it customizes.
//!
//! Unlike elsewhere, files of values beat inline values (`rancher/fleet`, `bundlereader`).

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    placeholder::Placeholder,
    problem::Problem,
    resolve::{
        bounds::Held,
        context::Context,
        environment::{EntryKind, Environment, Object, Release, Unit},
        helm,
        install::{self, Discovery},
        kustomize,
        layout::{self, Layout},
        names, prepared,
    },
    scalar::{Dialect, Scalar},
    source::{self, FileId, Relevance, Span},
    tree::{Kind, Map, Node, Origin},
};

/// One `fleet.yaml`.
struct Bundle<'a> {
    context: &'a Context<'a>,
    layout: &'a Layout<'a>,
    file: FileId,
    dir: &'a str,
    root: &'a Node,
}

/// The environments of Fleet's targets that concern us.
pub(crate) fn environments<'a>(context: &'a Context<'a>, layout: &'a Layout<'a>) -> Discovery {
    let sources = context.sources;
    let mut found = Discovery::default();
    let mut bundles = Vec::new();
    for (file, it) in sources.iter() {
        let named = matches!(source::file_name(&it.path), "fleet.yaml" | "fleet.yml");
        if !named || layout.is_excluded(file) {
            continue;
        }
        let dir = source::parent(&it.path);
        if !sources.below(dir).any(|it| sources[it].relevance == Relevance::Subject) {
            continue;
        }
        let root = sources.documents(file, Dialect::Sigs).roots().next();
        // Another tool may call its file like that.
        let ours = |root: &&Node| {
            ["helm", "kustomize", "targetCustomizations", "defaultNamespace", "namespace"]
                .iter()
                .any(|key| root.get(key).is_some())
        };
        if let Some(root) = root.filter(ours) {
            bundles.push(Bundle { context, layout, file, dir, root });
        }
    }
    let (mut environments, mut held) = (BTreeMap::new(), Held::default());
    let targets: BTreeSet<&str> = bundles.iter().flat_map(Bundle::targets).collect();
    for bundle in &bundles {
        found.reached.files.extend(sources.below(bundle.dir));
        if !bundle.dir.is_empty() {
            found.reached.extend(&layout.closure(bundle.dir, true));
        }
        let path = &sources[bundle.file].path;
        let mut deploy = |name: &str, target: Option<&str>| {
            let start = Span::start_of(bundle.file);
            let environment = environments.entry(name.to_owned()).or_insert_with(|| {
                Environment::new(name, EntryKind::Other, Origin::written(start))
            });
            if held.is_full() {
                environment.problems.push(Held::problem(&Origin::start_of(bundle.file)));
                return;
            }
            let start = environment.begin();
            bundle.deploy(target, environment);
            environment.end(start, Unit::of("bundle", name, bundle.dir));
            held.add_since(environment, start);
        };
        // A bundle that customizes nothing goes to every target that another one knows.
        if targets.is_empty() {
            deploy(names::environment_or_unnamed(path), None);
        }
        for target in &targets {
            deploy(target, Some(target));
        }
    }
    found.environments.extend(environments.into_values());
    found
}

impl Bundle<'_> {
    fn targets(&self) -> impl Iterator<Item = &str> {
        self.root.items_at("targetCustomizations").iter().filter_map(|it| it.str_at("name"))
    }

    /// Adds what the bundle deploys to `target`.
    fn deploy(&self, target: Option<&str>, environment: &mut Environment) {
        let items = self.root.items_at("targetCustomizations");
        let custom = items.iter().find(|it| it.str_at("name") == target && target.is_some());
        if custom.is_some_and(|it| it.is_true_at("doNotDeploy")) {
            return;
        }
        // A customization's field takes the place of the bundle's.
        let field = |path: &str| {
            custom
                .and_then(|it| it.at(path))
                .or_else(|| self.root.at(path))
                .filter(|it| !it.is_null() && it.as_str() != Some(""))
        };
        let namespace = field("namespace").or_else(|| field("defaultNamespace"));
        let chart = field("helm.chart");
        let local = match chart.and_then(Node::as_str) {
            Some(chart) => {
                source::join(self.dir, chart).filter(|it| self.context.sources.is_chart(it))
            }
            None => Some(self.dir.to_owned()).filter(|it| self.context.sources.is_chart(it)),
        };
        if chart.is_some() || local.is_some() {
            let values = self.values(custom, &mut environment.problems);
            let version = field("helm.version").cloned();
            let origin = chart.map_or(&self.root.origin, |it| &it.origin);
            let name = chart.and_then(Node::as_str).unwrap_or_default();
            let release = install::ChartReference {
                name: local.as_deref().unwrap_or(name),
                repository: field("helm.repo"),
                directory: local.as_deref(),
                version,
            };
            // Without a name, Fleet makes one of the GitRepo's and the path.
            let called = field("helm.releaseName").and_then(Node::as_str);
            let called = called.unwrap_or(source::file_name(self.dir)).to_owned();
            let skips = field("helm.skipSchemaValidation");
            let release = Release {
                skips_schema: skips.is_some_and(|it| it.as_bool() != Some(false)),
                ..release.release("fleet", called, "", values, origin)
            };
            let release = install::in_namespace(namespace, release);
            return environment.install(self.context, release);
        }
        let dir = field("kustomize.dir").and_then(Node::as_str);
        let dir = source::join(self.dir, dir.unwrap_or(".")).unwrap_or_default();
        let objects = if self.layout.has_kustomization(&dir) {
            let build = kustomize::build(self.context, &dir, &kustomize::BuildOptions::default());
            environment.problems.extend(build.problems);
            environment.deleted.extend(build.deleted);
            environment.releases.extend(build.releases);
            build.objects
        } else {
            self.manifests(custom, &mut environment.problems)
        };
        for mut node in objects {
            install::default_namespace(&mut node, namespace);
            environment.objects.push(Object::new(node));
        }
    }

    /// The bundle's values, then its files, then the target's values, then its files.
    fn values(&self, custom: Option<&Node>, problems: &mut Vec<Problem>) -> Node {
        let mut values = Node::new(Map::default(), self.root.origin.clone());
        for helm in [self.root.get("helm"), custom.and_then(|it| it.get("helm"))] {
            let Some(helm) = helm else { continue };
            if let Some(inline) = helm.get("values").filter(|it| !it.is_null()) {
                values = helm::merge(&values, inline);
            }
            let (files, unread) = install::layers(helm.items_at("valuesFiles"), problems);
            for entry in files {
                values = helm::merge(&values, &self.values_file(entry, problems));
            }
            if let Some(unread) = unread {
                values = helm::merge(&values, &unread);
            }
            let why = "values come from the cluster's ConfigMaps or Secrets";
            problems.extend(install::hide(&mut values, helm.get("valuesFrom"), why));
        }
        let raw = self.root.is_true_at("helm.disablePreProcess");
        if raw { values } else { preprocessed(&values) }
    }

    fn values_file(&self, entry: &Node, problems: &mut Vec<Problem>) -> Node {
        let sources = self.context.sources;
        let missing = || {
            let name = entry.as_str().unwrap_or("this values file");
            let path = source::join(self.dir, name).unwrap_or_default();
            prepared::leads_nowhere(sources, &entry.origin, &path, format!("{name} does not exist"))
        };
        let file = entry.as_str().and_then(|it| sources.find_from(self.dir, it));
        let read = file.ok_or_else(missing);
        let read = read.and_then(|it| install::read_values(sources, it, &entry.origin));
        install::layer(read, &entry.origin, problems)
    }

    /// The manifests below the bundle's directory. Those of `overlays/` count only for the targets
    /// that name them, in the place of the file of the same path.
    fn manifests(&self, custom: Option<&Node>, problems: &mut Vec<Problem>) -> Vec<Node> {
        let sources = self.context.sources;
        let overlays = custom.map(|it| it.items_at("yaml.overlays")).unwrap_or_default();
        let mut files: BTreeMap<String, FileId> = BTreeMap::new();
        for file in sources.below(self.dir) {
            let path = sources[file].path.get(self.dir.len()..).unwrap_or_default();
            let path = path.trim_start_matches('/');
            let relative = match path.strip_prefix("overlays/").and_then(|it| it.split_once('/')) {
                Some((name, rest)) => {
                    if !overlays.iter().any(|it| it.as_str() == Some(name)) {
                        continue;
                    }
                    if rest.contains("_patch.") {
                        let message = "Fleet's patches of manifests are not evaluated";
                        let at = Origin::start_of(file);
                        problems.push(Problem::unresolved(&at, message));
                        continue;
                    }
                    rest
                }
                None => path,
            };
            let fleet = matches!(source::file_name(relative), "fleet.yaml" | "fleet.yml");
            let wanted = layout::is_yaml(relative) && sources[file].relevance > Relevance::None;
            if wanted && !fleet && !source::file_name(relative).starts_with('.') {
                // An overlay's file takes the place of the bundle's own at that path.
                let overlaid = path != relative;
                if overlaid || !files.contains_key(relative) {
                    files.insert(relative.to_owned(), file);
                }
            }
        }
        let mut objects = Vec::new();
        for file in files.into_values() {
            let documents = sources.documents(file, Dialect::Sigs);
            if let Some(error) = documents.error() {
                problems.push(Problem::syntax(error, &Origin::start_of(file)));
            }
            let nodes = layout::objects(documents.roots());
            objects.extend(nodes.filter(|it| it.str_at("kind").is_some()).cloned());
        }
        objects
    }
}

/// Values whose `${ … }` Fleet fills in from the labels of each cluster.
fn preprocessed(node: &Node) -> Node {
    node.rewrite_scalars(|Scalar { text, .. }| {
        let why = || format!("Fleet fills in `{text}` for each cluster").into();
        Placeholder::Dollar.is_in(text).then(|| Kind::Unknown(why()))
    })
}
