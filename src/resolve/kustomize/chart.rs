//! Charts that kustomize has Helm inflate: those of `helmCharts`, and of generators that are configured in
//! files.

use std::sync::Arc;

use crate::{
    resolve::{
        environment::{ClusterVersion, Release},
        helm, install,
        kustomize::{
            file::Kustomization,
            layer::Layer,
            load::Loader,
            merge::merge,
            resource::Resource,
            shape,
            value::{Outcome, not_yaml, refusal, text},
        },
    },
    scalar::Dialect,
    source::join,
    tree::{Map, Node, Origin},
};

/// The objects of the chart that `entry` of `helmCharts` names.
///
/// # Errors
/// When charts may not be inflated, or Helm would refuse to.
pub(super) fn inflate(
    loader: &Loader<'_>,
    kustomization: &Kustomization,
    entry: &Node,
    layer: &mut Layer,
) -> Outcome<Vec<Resource>> {
    let globals = kustomization.fields.get("helmGlobals");
    let inherited = loader.chart_namespace.as_deref();
    let none = kustomization.text("namespace").is_none();
    layer.takes_namespace |= none && shape::text(entry, "namespace").is_none();
    template(loader, entry, globals, inherited, layer)
}

/// The same of a `HelmChartInflationGenerator`, whose configuration has the fields of `helmGlobals` too
/// and takes no namespace from kustomizations.
///
/// # Errors
/// As [`inflate`].
pub(super) fn generate(
    loader: &Loader<'_>,
    entry: &Node,
    globals: &Node,
    layer: &mut Layer,
) -> Outcome<Vec<Resource>> {
    template(loader, entry, Some(globals), None, layer)
}

fn template(
    loader: &Loader<'_>,
    entry: &Node,
    globals: Option<&Node>,
    inherited: Option<&str>,
    layer: &mut Layer,
) -> Outcome<Vec<Resource>> {
    if !loader.options.helm {
        if loader.options.artifact.is_some() {
            let message = "Flux builds this directory and never inflates helmCharts";
            return Err(refusal(&entry.origin, message).help("use a HelmRelease").into());
        }
        let message = "kustomize inflates charts only with --enable-helm";
        return Err(refusal(&entry.origin, message));
    }
    let Some(name) = shape::text(entry, "name") else {
        return Err(refusal(&entry.origin, "this chart has no name"));
    };
    let directory = directory(loader, globals, entry, text(Some(name)));
    let values = values(loader, entry, directory.as_deref(), layer)?;
    let version = shape::text(entry, "version");
    let repository = shape::text(entry, "repo");
    // Without a name Helm makes one up.
    let release_name = shape::text(entry, "releaseName");
    let anchor = &release_name.unwrap_or(name).origin;
    if release_name.is_none() {
        layer.unresolved(&entry.origin, "Helm makes up the name of this release; set releaseName");
    }
    let namespace = shape::text(entry, "namespace").map(|it| text(Some(it)));
    let namespace = namespace.or(inherited).unwrap_or("default");
    let chart = text(Some(name));
    let reference = install::ChartReference {
        name: chart,
        repository,
        directory: directory.as_deref(),
        version: version.cloned(),
    };
    let release_name = release_name.map_or("release-name", |it| text(Some(it)));
    let release = Release {
        kubernetes: entry.get("kubeVersion").and_then(ClusterVersion::told),
        ..reference.release("kustomize", release_name, namespace, values, anchor)
    };
    let rendered = helm::template(loader.context, release);
    for problem in rendered.problems {
        if problem.kind.fails_build() {
            return Err(Box::new(problem));
        }
        layer.part::<()>(Err(problem.into()));
    }
    let mut objects: Vec<Resource> = Vec::new();
    for (release, its) in rendered.parts {
        // Only the charts that we know are rendered: another one may make what is patched.
        if release.family.is_none() && !release.shell {
            let why = || format!("what the chart {} makes is not known", release.chart).into();
            layer.open.get_or_insert_with(why);
        }
        layer.releases.push(Arc::new(release));
        let inflated = |node| Resource { inflated: true, ..Resource::new(node) };
        objects.extend(its.into_iter().map(inflated));
    }
    Ok(objects)
}

/// The chart's directory in the repository, when there is one: kustomize fetches it into there.
fn directory(
    loader: &Loader<'_>,
    globals: Option<&Node>,
    entry: &Node,
    name: &str,
) -> Option<String> {
    let home = globals.and_then(|it| shape::text(it, "chartHome"));
    let home = home.map_or("charts", |it| text(Some(it)));
    let version = text(entry.get("version"));
    let repository = shape::text(entry, "repo").is_some();
    let inside = if repository && !version.is_empty() {
        format!("{home}/{name}-{version}/{name}")
    } else {
        format!("{home}/{name}")
    };
    join(&loader.dir, &inside).filter(|dir| loader.context.sources.is_chart(dir))
}

/// The values that Helm gets, merged: kustomize first makes one file of `valuesInline` and
/// `valuesFile`, by its own merge, which loses nulls. What a file holds that cannot be read is
/// unknown, and `layer` is told.
fn values(
    loader: &Loader<'_>,
    entry: &Node,
    directory: Option<&str>,
    layer: &mut Layer,
) -> Outcome<Node> {
    let empty = || Node::new(Map::default(), entry.origin.clone());
    let sources = loader.context.sources;
    let mut told = |values: Outcome<Node>, path: &Node| {
        let unknown = || Node::unknown_value("a values file cannot be read", &path.origin);
        layer.told(values).unwrap_or_else(unknown)
    };
    // Helm merges the documents of a file.
    let read = |path: &Node| {
        loader.file(path).and_then(|it| Ok(install::read_values(sources, it, &path.origin)?))
    };
    // kustomize reads the first one alone.
    let first = |path: &Node| {
        let documents = sources.documents(loader.file(path)?, Dialect::Kyaml);
        match (documents.error(), documents.roots().next()) {
            (Some(error), _) => {
                let at = error.span.map_or_else(|| path.origin.clone(), Origin::written);
                Err(not_yaml("the values file", error, &at))
            }
            (None, Some(root)) if root.as_map().is_none() && root.unknown().is_none() => {
                Err(refusal(&root.origin, "Helm refuses values that are not a mapping"))
            }
            (None, root) => Ok(root.cloned().unwrap_or_else(empty)),
        }
    };
    let inline = entry.get("valuesInline").filter(|it| it.as_map().is_some());
    let file = shape::text(entry, "valuesFile");
    let mut values = match (inline, file) {
        (None, None) => empty(),
        (None, Some(file)) => told(read(file), file),
        (Some(inline), file) => {
            let base = match (file, directory) {
                (Some(file), _) => told(first(file), file),
                // The chart's own defaults lie below in any case.
                (None, _) => empty(),
            };
            let merged = match text(entry.get("valuesMerge")) {
                "" | "override" => merge(&base, inline)?,
                "merge" => merge(inline, &base)?,
                "replace" => Some(inline.clone()),
                other => {
                    let at = entry.get("valuesMerge").map_or(&entry.origin, |it| &it.origin);
                    return Err(refusal(at, format!("valuesMerge cannot be {other}")));
                }
            };
            merged.unwrap_or_else(empty)
        }
    };
    for path in shape::items(entry, "additionalValuesFiles") {
        values = helm::merge(&values, &told(read(path), path));
    }
    Ok(values)
}
