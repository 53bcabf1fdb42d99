//! HelmReleases: which chart, which values, and what becomes of the objects that it renders.

use sha2::{Digest, Sha256};

use super::{
    artifact,
    cluster::cluster,
    dependency, edits,
    store::{ClusterStores, Store},
    values,
};
use crate::{
    data::{subject::is_server_named_in, upstream},
    problem::Problem,
    resolve::{
        context::Context,
        environment::{Environment, Object, Release, Unit},
        helm, install, kustomize,
        layout::{self, is_another},
    },
    source,
    tree::{Kind, Map, Node, Origin, Reason},
};

/// Names longer than this are cut, and end with a part of their hash.
const MAX_NAME: usize = 53;

/// Charts may make HelmReleases of charts, but not without end.
const MAX_ROUNDS: usize = 8;

/// Turns the HelmReleases among the environment's objects into releases and what they render, which
/// may be HelmReleases.
pub(crate) fn releases(context: &Context<'_>, environment: &mut Environment) {
    let mut done = 0;
    for _ in 0..MAX_ROUNDS {
        let new = environment.objects[done..].iter().filter(|it| is_release(it));
        let new: Vec<Object> = new.cloned().collect();
        if new.is_empty() {
            break;
        }
        done = environment.objects.len();
        install_all(context, environment, new);
    }
    if let Some(left) = environment.objects[done..].iter().find(|it| is_release(it)) {
        let why = format!("charts that install charts are followed {MAX_ROUNDS} times");
        let problem = Problem::unresolved(left.node.object_anchor(), why).hiding_all();
        environment.problems.push(problem);
    }
    let unmet = dependency::unmet(context, environment);
    environment.problems.extend(unmet);
}

fn install_all(context: &Context<'_>, environment: &mut Environment, releases: Vec<Object>) {
    let mut stores = ClusterStores::default();
    for object in &environment.objects {
        stores.of_mut(environment.cluster_of(object)).add([&object.node]);
    }
    for object in releases {
        let mut unit = Unit::of_object(&object.node).release();
        unit.after.extend(environment.applies(&object));
        let home = environment.cluster_of(&object);
        unit.cluster = cluster(&object.node, home);
        let store = stores.of(home);
        let start = environment.begin();
        let mut problems = Vec::new();
        match install(context, environment, store, &object, &mut problems) {
            Ok(parts) => parts.into_iter().for_each(|(release, its)| environment.add(release, its)),
            Err(problem) => problems.push(problem),
        }
        environment.problems.append(&mut problems);
        environment.end(start, unit);
    }
}

fn is_release(object: &Object) -> bool {
    object.kind() == "HelmRelease" && object.group() == "helm.toolkit.fluxcd.io"
}

/// What `node` refers to, if it is a HelmRelease of our concern: kinds, namespaces and names.
pub(super) fn references(node: &Node) -> impl Iterator<Item = (&str, &str, &str)> {
    let named = ["metadata.name", "spec.chart.spec.chart", "spec.chartRef.name"]
        .into_iter()
        .filter_map(|path| node.str_at(path))
        .any(|name| is_server_named_in(name) || name.contains("approver"));
    let release = node.str_at("kind") == Some("HelmRelease");
    let spec = node.get("spec").filter(|_| release && named);
    let own = node.object_namespace();
    let values = spec.map(|it| it.items_at("valuesFrom")).unwrap_or_default();
    let chart = spec.and_then(|it| it.at("chart.spec.sourceRef"));
    let reference = spec.and_then(|it| it.get("chartRef"));
    values.iter().chain(chart).chain(reference).filter_map(move |it| {
        let namespace = it.str_at("namespace").unwrap_or(own);
        Some((it.str_at("kind")?, namespace, it.str_at("name")?))
    })
}

/// The releases that a HelmRelease comes to, each with its objects.
fn install(
    context: &Context<'_>,
    environment: &mut Environment,
    store: &Store,
    object: &Object,
    problems: &mut Vec<Problem>,
) -> Result<Vec<(Release, Vec<Node>)>, Problem> {
    let node = &object.node;
    let chart = chart(context, store, node)?;
    let concern = chart.directory.is_some() || is_server_named_in(&chart.name);
    let mut found = Vec::new();
    let user = values::user(context, store, node, &mut found);
    let version = chart.version.as_ref().and_then(Node::as_str).map(str::to_owned);
    let family = helm::family(
        &chart.name,
        chart.repository.as_ref().and_then(Node::as_str),
        version.as_deref(),
        &user,
    );
    if concern || family.is_some() {
        problems.append(&mut found);
    }
    let user = with_files(context, &chart, user, problems);
    let target = node.str_at("spec.targetNamespace");
    let reference = install::ChartReference {
        name: &chart.name,
        repository: chart.repository.as_ref(),
        directory: chart.directory.as_deref(),
        version: chart.version,
    };
    let anchor = chart.at.unwrap_or_else(|| object.anchor());
    let namespace = target.unwrap_or(object.namespace());
    let name = name(node, target, object.name());
    let release = Release {
        family,
        // What it does at first and what it does later need not be the same.
        skips_schema: ["spec.install", "spec.upgrade"].iter().any(|it| {
            let skips = node.at(it).and_then(|it| it.get("disableSchemaValidation"));
            skips.is_some_and(|it| it.as_bool() != Some(false))
        }),
        suspended: object.suspended || node.is_true_at("spec.suspend"),
        ..reference.release("helm-release", name, namespace, user, &anchor)
    };
    let mut installed = environment.template(context, release);
    problems.append(&mut installed.problems);
    let renderers = node.items_at("spec.postRenderers");
    for renderer in renderers.iter().filter_map(|it| it.get("kustomize")) {
        // They run over all that is rendered: whose an object is gets lost, but for the last's.
        let parts = installed.parts.iter_mut();
        let objects: Vec<Node> = parts.flat_map(|(_, its)| std::mem::take(its)).collect();
        if objects.is_empty() {
            break;
        }
        let build = kustomize::transform(context, objects, &edits::of_renderer(renderer));
        problems.extend(build.problems);
        environment.deleted.extend(build.deleted);
        if let Some((_, its)) = installed.parts.last_mut() {
            *its = build.objects;
        }
    }
    Ok(installed.parts)
}

/// `spec.releaseName`, else the object's name after its target namespace.
fn name(node: &Node, target: Option<&str>, own: &str) -> String {
    let name = match (node.str_at("spec.releaseName"), target) {
        (Some(name), _) => name.to_owned(),
        (None, Some(target)) => format!("{target}-{own}"),
        (None, None) => own.to_owned(),
    };
    if name.len() <= MAX_NAME {
        return name;
    }
    let hash = format!("{:x}", Sha256::digest(&name));
    let kept = name.get(..MAX_NAME - 13).unwrap_or_default();
    format!("{kept}-{}", hash.get(..12).unwrap_or_default())
}

/// A chart as a HelmRelease refers to it.
#[derive(Default)]
struct Chart {
    /// Its name, its path in this repository, or its OCI reference.
    name: String,
    /// Where its name is, when it is looked for in a repository of charts.
    at: Option<Origin>,
    repository: Option<Node>,
    version: Option<Node>,
    directory: Option<String>,
    /// Values files that take the place of the chart's own.
    files: Vec<Node>,
}

fn chart(context: &Context<'_>, store: &Store, node: &Node) -> Result<Chart, Problem> {
    let namespace = node.object_namespace();
    if let Some(template) = node.look("spec.chart.spec").map_err(chart_unknown)? {
        return chart_of(context, store, template, namespace);
    }
    let Some(reference) = node.look("spec.chartRef").map_err(chart_unknown)? else {
        let why = format!("HelmRelease {} names no chart", node.object_name());
        return Err(Problem::refused(node.object_anchor(), why));
    };
    let (kind, name) = (reference.str_at("kind"), reference.str_at("name"));
    let (kind, name) = (kind.unwrap_or_default(), name.unwrap_or_default());
    let namespace = reference.str_at("namespace").unwrap_or(namespace);
    let origin = reference.get("name").map_or(&reference.origin, |it| &it.origin);
    let cause = format!("{kind} {namespace}/{name}");
    if kind == "ExternalArtifact" {
        return composed(context, store, name, origin, cause);
    }
    let Some(source) = store.find(kind, namespace, name) else {
        let message = format!("{kind} {namespace}/{name} is not in the repository");
        return Err(Problem::unresolved(origin, message).about(cause));
    };
    match kind {
        "HelmChart" => match source.get("spec") {
            Some(spec) => chart_of(context, store, spec, namespace),
            None => Err(Problem::unresolved(origin, format!("HelmChart {name} has no spec"))),
        },
        "OCIRepository" => Ok(Chart {
            name: source.str_at("spec.url").unwrap_or(name).to_owned(),
            version: oci_version(source),
            ..Chart::default()
        }),
        _ => {
            let message = format!("what {kind} {name} holds is not in the repository");
            Err(Problem::unresolved(origin, message).about(cause))
        }
    }
}

/// A chart that an `ArtifactGenerator` copies from this repository.
fn composed(
    context: &Context<'_>,
    store: &Store,
    name: &str,
    at: &Origin,
    cause: String,
) -> Result<Chart, Problem> {
    let generators = store.of_kind("ArtifactGenerator");
    let own = |it: &Node| layout::may_be_own(it).then(String::new);
    match layout::locate(context.sources, generators, name, "", own) {
        Some(Ok(part)) if part.certain && context.sources.is_chart(&part.dir) => {
            let directory = Some(part.dir.clone());
            Ok(Chart { name: part.dir, directory, ..Chart::default() })
        }
        _ => {
            let message = format!("the content of ExternalArtifact {name} is made in the cluster");
            Err(Problem::unresolved(at, message).about(cause))
        }
    }
}

fn chart_unknown((why, at): (Reason, Origin)) -> Problem {
    Problem::unresolved(&at, format!("the chart: {why}"))
}

/// The chart of a `HelmChartSpec`, in a HelmRelease or a HelmChart.
fn chart_of(
    context: &Context<'_>,
    store: &Store,
    spec: &Node,
    namespace: &str,
) -> Result<Chart, Problem> {
    let written = spec.look("chart").map_err(chart_unknown)?;
    let name = written.and_then(Node::as_str).unwrap_or_default().to_owned();
    let mut files: Vec<Node> = spec.get("valuesFile").cloned().into_iter().collect();
    files.extend(spec.items_at("valuesFiles").iter().cloned());
    let mut chart = Chart {
        name,
        at: written.map(|it| it.origin.clone()),
        version: spec.get("version").filter(|it| !it.is_null()).cloned(),
        files,
        ..Chart::default()
    };
    let kind = spec.str_at("sourceRef.kind").unwrap_or_default();
    let source = spec.str_at("sourceRef.name").unwrap_or_default();
    let namespace = spec.str_at("sourceRef.namespace").unwrap_or(namespace);
    if !matches!(kind, "GitRepository" | "Bucket") {
        let repository = store.find(kind, namespace, source);
        chart.repository = repository.and_then(|it| it.at("spec.url")).cloned();
        return Ok(chart);
    }
    // A chart in a repository: in this one if it is there. Its `version` is ignored.
    let dir = context.sources.below_root(chart.name.trim_start_matches('/')).unwrap_or_default();
    chart.version = None;
    let repository = |namespace, name| store.find("GitRepository", namespace, name);
    let url = |namespace, name| repository(namespace, name)?.str_at("spec.url");
    let (theirs, ours) = (url(namespace, source), url("flux-system", "flux-system"));
    let is_here = !theirs.zip(ours).is_some_and(|(theirs, ours)| is_another(ours, theirs));
    if kind == "GitRepository" && is_here && context.sources.is_chart(&dir) {
        chart.directory = Some(dir);
        chart.at = None;
    } else if kind == "GitRepository"
        && let Some(repository) = repository(namespace, source)
        && theirs.is_some_and(|it| upstream::is_chart(it, &dir))
    {
        chart.repository = repository.at("spec.url").cloned();
        let revision = artifact::revision(repository);
        chart.version = Some(install::chart_version(revision.as_ref(), &spec.origin));
    } else {
        let why = "the chart is of the version that its source has";
        chart.version = Some(Node::unknown_value(why, &spec.origin));
    }
    Ok(chart)
}

/// `ref` of an `OCIRepository`: a digest wins over a range, a range over a tag, the tag `latest` is
/// the default.
fn oci_version(source: &Node) -> Option<Node> {
    let reference = match source.look("spec.ref") {
        Ok(reference) => reference,
        Err((why, at)) => return Some(Node::unknown_value(why, &at)),
    };
    let of = |key: &str| reference.and_then(|it| it.get(key)).filter(|it| !it.is_null()).cloned();
    let unknown = |node: Node, why: &str| Node::unknown_value(why, &node.origin);
    let tag = of("tag");
    if let Some(digest) = of("digest") {
        // Beside a digest a tag is what it was when somebody looked.
        return Some(unknown(tag.unwrap_or(digest), "a digest does not tell the chart's version"));
    }
    of("semver").or(tag).or_else(|| {
        let open = reference.and_then(|it| Some((it.as_map()?.open.clone()?, &it.origin)));
        Some(match open {
            Some((why, at)) => Node::unknown_value(why, at),
            None => Node::new("latest", source.at("spec.url")?.origin.clone()),
        })
    })
}

/// The user's values over those of the chart's `valuesFiles`, which replace the chart's own.
fn with_files(
    context: &Context<'_>,
    chart: &Chart,
    user: Node,
    problems: &mut Vec<Problem>,
) -> Node {
    let mut layers = Node::new(Map::default(), user.origin.clone());
    let own = |file: &Node| match (&chart.directory, file.as_str()) {
        (Some(dir), Some(path)) => {
            context.sources.below_root(path) == source::join(dir, "values.yaml")
        }
        (None, path) => path == Some("values.yaml"),
        _ => false,
    };
    match chart.files.split_first() {
        None => return user,
        Some((first, rest)) if own(first) && rest.is_empty() => return user,
        Some((first, _)) if !own(first) => {
            let message = "the chart's own values are replaced by other files of it";
            problems.push(Problem::unresolved(&first.origin, message));
            layers.kind = Kind::Unknown(message.into());
        }
        Some(_) => {}
    }
    let (files, unread) = install::layers(chart.files.get(1..).unwrap_or_default(), problems);
    layers = unread.unwrap_or(layers);
    for file in files {
        let path = file.as_str().filter(|_| chart.directory.is_some());
        let found = path.and_then(|path| {
            context.sources.below_root(path).and_then(|it| context.sources.find(&it))
        });
        let layer = match found {
            Some(found) => values::file(context, found, &file.origin),
            None => {
                let name = file.as_str().unwrap_or("a values file");
                let why = format!("{name} is not in the repository");
                Err(Problem::unresolved(&file.origin, why))
            }
        };
        match layer {
            Ok(layer) => layers = helm::merge(&layers, &layer),
            Err(problem) => {
                layers.kind = Kind::Unknown(problem.message.clone());
                problems.push(problem);
            }
        }
    }
    helm::merge(&layers, &user)
}
