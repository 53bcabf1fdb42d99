//! Charts in the repository: vendored copies of a metrics-server chart, and charts that depend on
//! one.

use crate::{
    data::version,
    problem::Problem,
    resolve::{
        context::Context,
        environment::Release,
        helm::{family, layer, merge, template::truth, values::coalesce},
    },
    scalar::Dialect,
    source,
    tree::{Map, Node, Origin, Reason, Via},
};

/// A chart may depend on one in the repository that depends on another, but not without end.
const MAX_DEPTH: usize = 8;

/// The releases of metrics-server charts that a release comes to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expanded {
    /// The release itself, or those of the charts that its chart depends on. One that may be
    /// disabled counts as suspended.
    pub releases: Vec<Release>,
    /// What cannot be read, and what Helm would refuse.
    pub problems: Vec<Problem>,
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
    if name.contains("metrics-server") && dependencies.is_empty() {
        expanded.releases.push(vendored(release, &chart));
        return Ok(());
    }
    if depth == 0 {
        return Err(unresolved("the charts depend on one another too deeply"));
    }
    let values = inherited(&own_values(context, dir)?, &release.values, &dependencies);
    for dependency in &dependencies {
        let result = match child(context, release, dir, dependency, &values) {
            Ok(Some(child)) => visit(context, &child, depth - 1, expanded),
            Ok(None) => Ok(()),
            Err(problem) => Err(problem),
        };
        expanded.problems.extend(result.err());
    }
    Ok(())
}

/// A release of a copy of a metrics-server chart.
fn vendored(release: &Release, chart: &Node) -> Release {
    let version = chart.get("version").cloned();
    let text = version.as_ref().and_then(Node::as_scalar).map(|it| it.text.clone());
    let home = chart.str_at("home").unwrap_or_default();
    let sources = chart.items_at("sources");
    let from = |part: &str| {
        home.contains(part)
            || sources.iter().any(|url| url.as_str().is_some_and(|it| it.contains(part)))
    };
    let repository = if from("bitnami") {
        Some("https://charts.bitnami.com/bitnami")
    } else if from("kubernetes-sigs/metrics-server") {
        Some("https://kubernetes-sigs.github.io/metrics-server")
    } else {
        None
    };
    let name = chart.str_at("name").unwrap_or_default();
    Release {
        family: family(name, repository, text.as_deref(), &release.values),
        chart: name.to_owned(),
        version,
        ..release.clone()
    }
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

/// `dependencies` of `Chart.yaml`, or of `requirements.yaml` as before Helm 3.
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
    listed.map(Node::items).unwrap_or_default().iter().filter_map(dependency).collect()
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
    let ours = directory.is_some() || dependency.name.contains("metrics-server");
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
            return Err(Problem::refused(&own.origin, message).about(key));
        }
    };
    let repository = dependency.node.str_at("repository");
    let version = dependency.version.as_ref().and_then(Node::as_scalar).map(|it| it.text.clone());
    let anchor = dependency.node.get("version").or_else(|| dependency.node.get("name"));
    let own = without_switch(with_global(own, values), dependency);
    Ok(Some(Release {
        family: family(&dependency.name, repository, version.as_deref(), &own),
        chart: dependency.name.clone(),
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

/// Where the repository holds a dependency: `charts/name`, or what `file://` points at.
fn directory(context: &Context<'_>, dir: &str, dependency: &Dependency) -> Option<String> {
    let unpacked = in_chart(dir, &format!("charts/{}", dependency.name));
    let repository = dependency.node.str_at("repository").unwrap_or_default();
    let beside = repository.strip_prefix("file://").and_then(|path| source::join(dir, path));
    [Some(unpacked), beside].into_iter().flatten().find(|dir| context.sources.is_chart(dir))
}

/// Whether a dependency is installed: by the first of its conditions that is a boolean, else by its
/// tags.
fn enabled(dependency: &Node, values: &Node) -> Result<bool, Reason> {
    for path in dependency.str_at("condition").unwrap_or_default().split(',') {
        let value = values.look(path.trim()).map_err(|(why, _)| why)?;
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
