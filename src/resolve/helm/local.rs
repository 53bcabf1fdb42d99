//! Charts in the repository: vendored copies of a metrics-server chart, and charts that depend on
//! one.

use crate::{
    data::{Family, kinds::WORKLOADS, subject::is_named_in, version},
    problem::Problem,
    resolve::{
        context::Context,
        environment::Release,
        helm::{copy, family, gitops, layer, merge, template::truth, values::coalesce},
        layout::is_application,
    },
    scalar::Dialect,
    source::{self, FileId, Relevance, Sources, Span},
    tree::{Entry, Map, Node, Origin, Reason, Via},
};

/// What is in the name of every chart of metrics-server.
const NAME: &str = "metrics-server";

/// A chart may depend on one in the repository that depends on another, but not without end.
const MAX_DEPTH: usize = 8;

/// The releases of metrics-server charts that a release comes to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expanded {
    /// The release itself, or those of the charts that its chart depends on. One that may be
    /// disabled counts as suspended.
    pub releases: Vec<Release>,
    /// What makes other installers deploy something, but for the Applications of Argo CD.
    pub objects: Vec<Node>,
    /// What cannot be read, and what Helm would refuse.
    pub problems: Vec<Problem>,
    /// Whether there are charts between the release and these.
    pub nested: bool,
    /// Whether such a chart has something of its own, or depends on a chart that is not followed.
    pub more: bool,
}

/// What `release` installs of metrics-server charts, when its chart stands in the repository.
///
/// A vendored chart becomes a release of its family. A chart that depends on metrics-server's
/// becomes releases of these, with the values that reach them. Any other release stays as it is.
pub(crate) fn expand(context: &Context<'_>, release: &Release) -> Expanded {
    let mut expanded = Expanded::default();
    let result = visit(context, release, MAX_DEPTH, &mut expanded);
    expanded.problems.extend(result.err());
    expanded
}

fn visit(
    context: &Context<'_>,
    release: &Release,
    depth: usize,
    expanded: &mut Expanded,
) -> Result<(), Problem> {
    let Some(dir) = release.directory.as_deref() else {
        expanded.releases.push(release.clone());
        return Ok(());
    };
    let unresolved = |message: &str| Problem::unresolved(&release.anchor, message);
    let chart = document(context, dir, "Chart.yaml")
        .ok_or_else(|| unresolved(&format!("there is no readable chart in `{dir}`")))?;
    let dependencies = dependencies(context, dir, &chart);
    let name = chart.str_at("name").unwrap_or_default();
    // What else such a chart depends on are libraries.
    if name.contains(NAME) && !dependencies.iter().any(|it| it.name.contains(NAME)) {
        expanded.releases.push(vendored(context, dir, release, &chart));
        return Ok(());
    }
    expanded.nested = true;
    expanded.more |= has_templates(context, dir);
    let (objects, problems) = gitops(context, dir, release);
    expanded.objects.extend(objects.into_iter().filter(|it| !is_application(it)));
    expanded.problems.extend(problems);
    if depth == 0 {
        return Err(unresolved("the charts depend on one another too deeply"));
    }
    let own = own_values(context, dir).map_err(|problem| concerning(problem, &dependencies))?;
    let values = inherited(&own, &release.values, &dependencies);
    let beside = read_by_nobody(context, dir, &values, &dependencies);
    for dependency in &dependencies {
        let result = match child(context, release, dir, dependency, &values) {
            Ok(Some(child)) => {
                let beside = beside.clone();
                visit(context, &Release { beside, ..child }, depth - 1, expanded)
            }
            Ok(None) => {
                expanded.more |= enabled(&dependency.node, &values) != Ok(false);
                Ok(())
            }
            Err(problem) => Err(problem),
        };
        expanded.problems.extend(result.err());
    }
    expanded.problems.extend(own_templates(context, dir));
    Ok(())
}

/// `problem`, which keeps Helm from installing `dependencies`, about metrics-server's if it is among
/// them: the values that cannot be read need not name it.
fn concerning(problem: Problem, dependencies: &[Dependency]) -> Problem {
    match dependencies.iter().find(|it| is_named_in(&it.name)) {
        Some(ours) if problem.subject.is_empty() => problem.about(ours.name.as_str()),
        _ => problem,
    }
}

/// The values of a chart that reach none of those that it depends on, where it has no templates of
/// its own that could read them.
fn read_by_nobody(
    context: &Context<'_>,
    dir: &str,
    values: &Node,
    dependencies: &[Dependency],
) -> Vec<(String, Origin)> {
    if has_templates(context, dir) {
        return Vec::new();
    }
    let is_switch = |key: &str, it: &Dependency| {
        let conditions = it.node.str_at("condition").unwrap_or_default();
        conditions.split(',').any(|path| path.trim().split('.').next() == Some(key))
    };
    let is_read = |key: &str| {
        matches!(key, "global" | "tags")
            || dependencies.iter().any(|it| it.key() == key || is_switch(key, it))
    };
    let nobodys = values.entries().filter(|(key, _)| !is_read(key));
    let at = |entry: &Entry| entry.key.map_or_else(|| entry.value.origin.clone(), Origin::written);
    nobodys.map(|(key, entry)| (key.to_owned(), at(entry))).collect()
}

fn has_templates(context: &Context<'_>, dir: &str) -> bool {
    context.sources.below(&in_chart(dir, "templates")).next().is_some()
}

/// What is said of a chart whose own templates install a metrics-server: they are not rendered.
fn own_templates(context: &Context<'_>, dir: &str) -> Option<Problem> {
    let folder = in_chart(dir, "templates");
    let sources = context.sources;
    let place = sources.below(&folder).find_map(|file| template_of_it(sources, file))?;
    let path = &sources[place.file].path;
    let message = format!(
        "`{path}` is the chart's own template of metrics-server, which is not rendered: what it \
         installs is unknown"
    );
    Some(Problem::unresolved(&Origin::written(place), message))
}

/// Where the template of a chart in `file` names the metrics-server that it makes, if it makes one.
pub(crate) fn template_of_it(sources: &Sources, file: FileId) -> Option<Span> {
    if sources[file].relevance < Relevance::Subject {
        return None;
    }
    let text = sources.text(file);
    let value = |line: &str, key: &str| line.split_once(key).map(|(_, value)| value.to_owned());
    let is_of = |kinds: &[&str]| {
        text.lines().filter_map(|it| value(it, "kind:")).any(|it| kinds.contains(&it.trim()))
    };
    let runs = is_of(WORKLOADS);
    // What else serves this API is an adapter.
    let serves = is_of(&["APIService"]) && !sources[file].path.contains("adapter");
    let names = |line: &str| {
        let is_it = |key: &&str| value(line, key).is_some_and(|it| it.contains(NAME));
        let flags = ["--metric-resolution", "--kubelet-insecure-tls"];
        let runs_it =
            ["name:", "image:"].iter().any(is_it) || flags.iter().any(|it| line.contains(it));
        (runs && runs_it) || (serves && line.contains("v1beta1.metrics.k8s.io"))
    };
    let is_comment = |line: &str| line.trim_start().starts_with(['#', '/']);
    let (start, line) = source::lines(text).find(|(_, line)| !is_comment(line) && names(line))?;
    let indent = line.len() - line.trim_start().len();
    Some(Span::new(file, start + indent..start + line.trim_end().len()))
}

/// The keys of a chart's values below which stand those of the metrics-server charts that it depends
/// on.
pub(crate) fn keys(context: &Context<'_>, dir: &str) -> Vec<String> {
    let Some(chart) = document(context, dir, "Chart.yaml") else { return Vec::new() };
    let dependencies = dependencies(context, dir, &chart);
    let ours = dependencies.iter().filter(|it| it.name.contains(NAME));
    ours.map(|it| it.key().to_owned()).collect()
}

/// A release of a copy of a metrics-server chart.
fn vendored(context: &Context<'_>, dir: &str, release: &Release, chart: &Node) -> Release {
    let version = chart.get("version").cloned();
    let text = version.as_ref().and_then(Node::as_scalar).map(|it| it.text.clone());
    let home = chart.str_at("home").unwrap_or_default();
    let sources = chart.items_at("sources");
    let from = |part: &str| {
        home.contains(part)
            || sources.iter().any(|url| url.as_str().is_some_and(|it| it.contains(part)))
    };
    let repository = if from("bitnami") {
        Some(Family::Bitnami.repository())
    } else if from("kubernetes-sigs/metrics-server") {
        Some(Family::KubernetesSigs.repository())
    } else {
        None
    };
    let name = chart.str_at("name").unwrap_or_default();
    let copy = Release {
        family: family(name, repository, text.as_deref(), &release.values),
        chart: name.to_owned(),
        repository: None,
        version,
        ..release.clone()
    };
    let modified = copy.family.and_then(|_| copy::modified(context, dir, &copy));
    Release { modified, ..copy }
}

/// A chart that another one depends on.
struct Dependency {
    /// The entry of `dependencies`.
    node: Node,
    name: String,
    alias: Option<String>,
    /// Its version as `Chart.lock` pins it, else as it is written.
    version: Option<Node>,
}

impl Dependency {
    /// The key of the values that reach it.
    fn key(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.name)
    }
}

/// `dependencies` of `Chart.yaml`, or of `requirements.yaml` as before Helm 3, and the charts in
/// `charts/` that are not listed: Helm loads them all the same, and nothing switches them off.
/// <https://helm.sh/docs/topics/charts/#managing-dependencies-manually-via-the-charts-directory>
fn dependencies(context: &Context<'_>, dir: &str, chart: &Node) -> Vec<Dependency> {
    let old = document(context, dir, "requirements.yaml");
    let listed = chart.get("dependencies").or_else(|| old.as_ref()?.get("dependencies"));
    let lock = document(context, dir, "Chart.lock")
        .or_else(|| document(context, dir, "requirements.lock"));
    let locked = lock.as_ref().map(|it| it.items_at("dependencies")).unwrap_or_default();
    let dependency = |node: &Node| {
        let name = node.str_at("name")?.to_owned();
        let pinned = locked
            .iter()
            .find(|it| it.str_at("name") == Some(&name) && same_repository(it, node))
            .and_then(|it| it.get("version"));
        let written = node.get("version");
        let packed =
            archive(context, dir, &name).map(|version| Node::new(version, node.origin.clone()));
        let pinned = packed.as_ref().or(pinned);
        // The lock file is generated: a person edits the version in the chart's file.
        let version = match (pinned, written) {
            (Some(pinned), Some(written)) => {
                Some(Node::new(pinned.kind.clone(), written.origin.clone()))
            }
            (pinned, written) => pinned.or(written).cloned(),
        };
        let alias = node.str_at("alias").filter(|it| !it.is_empty()).map(str::to_owned);
        Some(Dependency { node: node.clone(), name, alias, version })
    };
    let listed = listed.map(Node::items).unwrap_or_default().iter();
    let mut all: Vec<Dependency> = listed.filter_map(dependency).collect();
    for (_, chart) in subcharts(context, dir) {
        let Some(name) = chart.str_at("name").map(str::to_owned) else { continue };
        if all.iter().all(|it| it.name != name) {
            let version = chart.get("version").cloned();
            // The other fields of a chart's file mean something else than those of an entry.
            let fields = ["name", "version"].into_iter();
            let fields = fields.filter_map(|key| Some((key, chart.get(key)?.clone())));
            let node = Node::new(fields.collect::<Map>(), chart.origin.clone());
            all.push(Dependency { node, name, alias: None, version });
        }
    }
    all
}

/// The charts that lie unpacked in `charts/`, each with its directory and its file.
fn subcharts(context: &Context<'_>, dir: &str) -> Vec<(String, Node)> {
    let folder = in_chart(dir, "charts");
    let files = context.sources.below(&folder).filter_map(|file| {
        let dir = source::parent(&context.sources[file].path);
        let name = dir.strip_prefix(&*folder)?.strip_prefix('/')?;
        let is_chart = context.sources[file].path.ends_with("/Chart.yaml");
        // Helm passes over what begins like this.
        (is_chart && !name.contains('/') && !name.starts_with(['_', '.'])).then_some(dir)
    });
    files.filter_map(|dir| Some((dir.to_owned(), document(context, dir, "Chart.yaml")?))).collect()
}

/// The version of the archive of a chart in `charts/`, when there is just one.
fn archive(context: &Context<'_>, dir: &str, name: &str) -> Option<String> {
    let folder = in_chart(dir, "charts");
    let versions = context.sources.below(&folder).filter_map(|file| {
        let file = source::file_name(&context.sources[file].path);
        let version = file.strip_prefix(name)?.strip_prefix('-')?.strip_suffix(".tgz")?;
        version::lenient(version).map(|_| version.to_owned())
    });
    let versions: Vec<_> = versions.collect();
    <[String; 1]>::try_from(versions).ok().map(|[version]| version)
}

fn same_repository(locked: &Node, written: &Node) -> bool {
    let repository = |node: &Node| node.str_at("repository").unwrap_or_default().to_owned();
    let (locked, written) = (repository(locked), repository(written));
    // An `@alias` of a repository is resolved in the lock file.
    locked == written || written.starts_with('@') || written.starts_with("alias:")
}

/// The release of a dependency, unless it is disabled or no business of ours.
///
/// # Errors
/// Helm refuses values for it that are no mapping.
fn child(
    context: &Context<'_>,
    release: &Release,
    dir: &str,
    dependency: &Dependency,
    values: &Node,
) -> Result<Option<Release>, Problem> {
    let directory = directory(context, dir, dependency);
    let enabled = enabled(&dependency.node, values);
    let ours = directory.is_some() || is_named_in(&dependency.name);
    if !ours || enabled == Ok(false) {
        return Ok(None);
    }
    let key = dependency.key();
    let own = match values.look(key) {
        Ok(None) => Node::new(Map::default(), values.origin.clone()),
        Ok(Some(own)) if own.as_map().is_some() => own.clone(),
        Ok(Some(own)) if own.is_null() => Node::new(Map::default(), own.origin.clone()),
        Err((why, origin)) => Node::unknown_value(why, &origin),
        Ok(Some(own)) => {
            let message = format!("`{key}` takes the values of a chart, and is not a map");
            return Err(Problem::wrong_type(&own.origin, message).about(key));
        }
    };
    let repository = dependency.node.str_at("repository");
    let version = dependency.version.as_ref().and_then(Node::as_scalar).map(|it| it.text.clone());
    let anchor = dependency.node.get("version").or_else(|| dependency.node.get("name"));
    let own = without_switch(with_global(own, values), dependency);
    Ok(Some(Release {
        family: family(&dependency.name, repository, version.as_deref(), &own),
        chart: dependency.name.clone(),
        repository: dependency.node.get("repository").cloned(),
        directory,
        alias: dependency.alias.clone(),
        version: dependency.version.clone(),
        values: own,
        anchor: anchor.map_or_else(|| release.anchor.clone(), |it| it.origin.clone()),
        suspended: release.suspended || enabled.is_err(),
        ..release.clone()
    }))
}

/// `values` without what only switches the dependency on and off, and means nothing to its chart.
fn without_switch(mut values: Node, dependency: &Dependency) -> Node {
    for path in dependency.node.str_at("condition").unwrap_or_default().split(',') {
        let key = path.trim().strip_prefix(dependency.key()).and_then(|it| it.strip_prefix('.'));
        if let (Some(key), Some(map)) = (key, values.as_map_mut()) {
            map.remove(key);
        }
    }
    values
}

/// Where the repository holds a dependency: the chart of its name in `charts/`, or what `file://`
/// points at.
fn directory(context: &Context<'_>, dir: &str, dependency: &Dependency) -> Option<String> {
    let is_it = |chart: &Node| chart.str_at("name") == Some(&dependency.name);
    let unpacked = subcharts(context, dir).into_iter().find(|(_, chart)| is_it(chart));
    let repository = dependency.node.str_at("repository").unwrap_or_default();
    let beside = repository.strip_prefix("file://").and_then(|path| source::join(dir, path));
    let beside = beside.filter(|dir| context.sources.is_chart(dir));
    unpacked.map(|(dir, _)| dir).or(beside)
}

/// Whether a dependency is installed: by the first of its conditions that is a boolean, else by its
/// tags.
fn enabled(dependency: &Node, values: &Node) -> Result<bool, Reason> {
    let conditions = dependency.str_at("condition").unwrap_or_default().split(',').map(str::trim);
    for path in conditions.filter(|it| !it.is_empty()) {
        let value = values.look(path).map_err(|(why, _)| why)?;
        if let Some(enabled) = value.and_then(Node::as_bool) {
            return Ok(enabled);
        }
    }
    let mut any_false = false;
    for tag in dependency.items_at("tags").iter().filter_map(Node::as_str) {
        let tags = values.look("tags").map_err(|(why, _)| why)?;
        match tags.and_then(|it| it.get(tag)?.as_bool()) {
            Some(true) => return Ok(true),
            Some(false) => any_false = true,
            None => {}
        }
    }
    Ok(!any_false)
}

/// The values of a chart that others hang on: `user`'s over its `own`.
///
/// For the charts below it, nulls stay: they delete what those have.
fn inherited(own: &Node, user: &Node, dependencies: &[Dependency]) -> Node {
    let merged = merge(own, user);
    let mut values = coalesce(user, own);
    for key in dependencies.iter().map(Dependency::key) {
        if let Some(value) = merged.get(key) {
            values.set(key, value.clone());
        }
    }
    values
}

/// `values` of a chart with `global` of the chart above it, which wins.
fn with_global(mut values: Node, above: &Node) -> Node {
    if let Some(global) = above.get("global").filter(|it| truth(it) != Ok(false)) {
        let merged = values.get("global").map_or_else(|| global.clone(), |own| merge(own, global));
        values.set("global", merged);
    }
    values
}

/// `values.yaml` of the chart in `dir`; an empty mapping when there is none.
pub(super) fn own_values(context: &Context<'_>, dir: &str) -> Result<Node, Problem> {
    let nowhere = Origin::at(Via::Written, None);
    match context.sources.find_from(dir, "values.yaml") {
        Some(file) => layer(context.sources.documents(file, Dialect::Sigs), &nowhere),
        None => Ok(Node::new(Map::default(), nowhere)),
    }
}

/// `values.yaml` of a vendored chart: its defaults, which stand in the repository.
pub(super) fn defaults(context: &Context<'_>, dir: &str) -> Result<Node, Problem> {
    let default = |it: &Origin| Origin::at(Via::ChartDefault, it.written_at());
    Ok(own_values(context, dir)?.map_origins(&default))
}

/// The path of a file of the chart in `dir`, which may be the root.
pub(super) fn in_chart(dir: &str, path: &str) -> String {
    source::join(dir, path).unwrap_or_default()
}

/// The first document of a YAML file of the chart in `dir`.
fn document(context: &Context<'_>, dir: &str, name: &str) -> Option<Node> {
    let file = context.sources.find_from(dir, name)?;
    context.sources.documents(file, Dialect::Sigs).roots().next().cloned()
}
