//! Values files of metrics-server's chart that nothing in the repository names: somebody passes
//! them to `helm upgrade` by hand or in a pipeline.

use crate::{
    data::Family,
    resolve::{
        context::Context,
        environment::{EntryKind, Environment, Release, Unit},
        helm, install, layout,
        names::settings_for,
    },
    scalar::Dialect,
    source::{self, FileId, Sources},
    tree::{Entry, Kind, Map, Node, Origin, Reason},
};

/// The values in `file`, when it is a values file of metrics-server's chart by its content, and
/// which chart's.
pub(super) fn known_values(sources: &Sources, file: FileId) -> Option<(&Node, Family)> {
    if !layout::is_yaml(&sources[file].path) {
        return None;
    }
    helm::recognize_values(sources.documents(file, Dialect::Sigs).roots().next()?)
}

/// The environment that `file` describes, if it is a values file.
///
/// Nothing says which version of the chart it is for, nor whether a `values.yaml` beside a
/// `values-prod.yaml` is a layer below it: what depends on either is unknown.
pub(super) fn environment(context: &Context<'_>, file: FileId) -> Option<Environment> {
    let sources = context.sources;
    let (values, family) = known_values(sources, file)?;
    let below = base_of(sources, file).and_then(|base| known_values(sources, base));
    let values = match below {
        Some((base, _)) => {
            maybe_over(values, base, &"a `values.yaml` beside it may be a layer below".into())
        }
        None => values.clone(),
    };
    Some(install(context, file, None, values, Some(family)))
}

/// The environments of the chart in the directory of `file`, a `Chart.yaml` that nothing installs:
/// the chart with its own values, and with those of each values file beside it that has some for
/// metrics-server, such as `values-prod.yaml`.
pub(super) fn chart(context: &Context<'_>, file: FileId) -> Vec<Environment> {
    let sources = context.sources;
    let Some(root) = sources.documents(file, Dialect::Sigs).roots().next() else {
        return Vec::new();
    };
    let ours = |it: &Node| it.str_at("name") == Some("metrics-server");
    let dependency = root.items_at("dependencies").iter().find(|it| ours(it));
    if dependency.is_none() && !ours(root) {
        return Vec::new();
    }
    let dir = source::parent(&sources[file].path);
    let own = Node::new(Map::default(), root.origin.clone());
    let mut environments = vec![install(context, file, Some(dir), own, None)];
    let key = dependency.and_then(|it| it.str_at("alias").or_else(|| it.str_at("name")));
    for (file, source) in sources.iter() {
        if source::parent(&source.path) == dir
            && is_of_a_stage(&source.path)
            && let Some(values) = sources.documents(file, Dialect::Sigs).roots().next()
            && key.is_some_and(|key| values.get(key).is_some())
        {
            environments.push(install(context, file, Some(dir), values.clone(), None));
        }
    }
    environments
}

/// Whether `path` is the file of a chart's own values.
pub(super) fn is_charts_own(sources: &Sources, path: &str) -> bool {
    source::file_name(path) == "values.yaml" && sources.is_chart(source::parent(path))
}

/// Whether an environment installs the chart in `dir`: it says so, or values come from there.
pub(super) fn installs(sources: &Sources, environment: &Environment, dir: &str) -> bool {
    let here = |it: &Node| {
        let span = it.origin.written_at();
        span.is_some_and(|span| source::parent(&sources[span.file].path) == dir)
    };
    environment
        .releases
        .iter()
        .any(|release| release.directory.as_deref() == Some(dir) || release.values.walk().any(here))
}

/// The environment in which somebody installs a chart with `values`: the chart in `directory`, or
/// that of `family`.
fn install(
    context: &Context<'_>,
    file: FileId,
    directory: Option<&str>,
    values: Node,
    family: Option<Family>,
) -> Environment {
    let path = &context.sources[file].path;
    let is_chart = source::file_name(path) == "Chart.yaml";
    let place = format!("{}/{}", source::parent(path), stage(path));
    let anchor = first_key(&values.origin, context.sources);
    let reference = install::ChartReference {
        name: directory.unwrap_or("metrics-server"),
        repository: "",
        directory,
        version: None,
    };
    let release =
        reference.release("values-file", "metrics-server", "kube-system", values, &anchor);
    let release = Release { family, ..release };
    let name = match directory {
        Some(dir) if is_chart && !dir.is_empty() => dir,
        _ => path,
    };
    let origin = release.anchor.clone();
    let mut environment = Environment::new(name.to_owned(), EntryKind::Values, origin);
    environment.settings = settings_for(context.config, path, &place).cloned();
    let expanded = helm::expand(context, &release);
    environment.problems.extend(expanded.problems);
    for release in expanded.releases {
        let start = environment.begin();
        let unit = Unit::of("release", &release.namespace, &release.name);
        environment.install(context, release);
        environment.end(start, unit);
    }
    environment
}

/// Whether `path` is `values-prod.yaml`, `prod.values.yaml` or the like.
fn is_of_a_stage(path: &str) -> bool {
    let name = source::file_name(path);
    layout::is_yaml(path)
        && name.contains("values")
        && !matches!(name, "values.yaml" | "values.yml")
}

/// What names an environment in a values file's name: `prod` of `values-prod.yaml`,
/// `values.prod.yaml`, `prod.values.yaml`; else the directory's name.
pub(super) fn stage(path: &str) -> &str {
    let name = source::file_name(path);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let stripped = ["values-", "values.", "values_"].iter().find_map(|it| stem.strip_prefix(it));
    let stripped = stripped
        .or_else(|| [".values", "-values", "_values"].iter().find_map(|it| stem.strip_suffix(it)));
    match stripped {
        Some(stage) => stage,
        None if stem == "values" => source::file_name(source::parent(path)),
        None => stem,
    }
}

/// The `values.yaml` beside a values file of another name.
fn base_of(sources: &Sources, file: FileId) -> Option<FileId> {
    let path = &sources[file].path;
    let dir = source::parent(path);
    ["values.yaml", "values.yml"]
        .iter()
        .filter_map(|name| sources.find_from(dir, name))
        .find(|base| *base != file)
        .filter(|_| !matches!(source::file_name(path), "values.yaml" | "values.yml"))
}

/// `over` as it is alone or merged over `base`: what only `base` says is unknown.
fn maybe_over(over: &Node, base: &Node, why: &Reason) -> Node {
    let (Kind::Map(upper), Kind::Map(lower)) = (&over.kind, &base.kind) else {
        return over.clone();
    };
    let mut map: Map = (**upper).clone();
    for (key, entry) in lower.iter() {
        let value = match upper.get(key) {
            Some(value) => maybe_over(value, &entry.value, why),
            None => Node::unknown_value(why.clone(), &entry.value.origin),
        };
        let key_span = upper.entry(key).map_or(entry.key, |it| it.key);
        map.insert(key, Entry { key: key_span, value });
    }
    Node { kind: map.into(), origin: over.origin.clone() }
}

/// The first line of a file's values: what a missing value is reported at.
fn first_key(origin: &Origin, sources: &Sources) -> Origin {
    let Some(span) = origin.written_at() else { return origin.clone() };
    let text = sources.slice(span);
    let end = text.find([':', '\n']).unwrap_or(text.len());
    Origin::written(span.part(0..end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Config, model::MetricsServer, pipeline::analyze, tests::fixture};

    /// The metrics-server of each environment.
    fn servers(sources: &Sources) -> Vec<(String, MetricsServer)> {
        let (_, clusters) = analyze(sources, &Config::default());
        let one = |mut servers: Vec<MetricsServer>| servers.pop().expect("a metrics-server");
        clusters.into_iter().map(|it| (it.environment, one(it.metrics_servers))).collect()
    }

    #[test]
    fn a_chart_that_nothing_installs() {
        let sources = fixture(
            "
            //- charts/a/Chart.yaml
            name: a
            version: 1.0.0
            dependencies:
            - name: metrics-server
              version: 3.12.2
              repository: https://kubernetes-sigs.github.io/metrics-server/
            //- charts/a/values.yaml
            metrics-server:
              args: [--kubelet-insecure-tls]
            ",
        );
        let [(environment, server)] = &servers(&sources)[..] else { panic!("one environment") };
        assert_eq!(environment, "charts/a");
        let (value, origin) = server.kubelet_insecure_tls.known().expect("known");
        assert!(*value);
        let span = origin.written_at().expect("written");
        assert_eq!(sources.slice(span), "--kubelet-insecure-tls");
    }

    #[test]
    fn a_chart_that_nothing_installs_is_installed_with_each_values_file_beside_it() {
        let sources = fixture(
            "
            //- a/Chart.yaml
            name: a
            version: 1.0.0
            dependencies:
            - name: metrics-server
              version: 3.12.2
              repository: https://kubernetes-sigs.github.io/metrics-server/
            //- a/values.yaml
            metrics-server:
              replicas: 2
            //- a/values-dev.yaml
            other: {}
            //- a/values-prod.yaml
            metrics-server:
              args: [--kubelet-insecure-tls]
            ",
        );
        let servers = servers(&sources);
        let found = servers.iter().map(|(environment, it)| {
            (&**environment, it.kubelet_insecure_tls.value(), it.replicas.value())
        });
        let expected =
            [("a", Some(&false), Some(&2)), ("a/values-prod.yaml", Some(&true), Some(&2))];
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_file_of_one_stage_may_lie_over_the_common_one() {
        let sources = fixture(
            "
            //- ms/values.yaml
            args: [--metric-resolution=15s]
            replicas: 2
            //- ms/values-prod.yaml
            args: [--metric-resolution=30s]
            ",
        );
        let servers = servers(&sources);
        let replicas = servers.iter().map(|(name, it)| (&**name, it.replicas.is_unknown()));
        let expected = [("ms/values-prod.yaml", true), ("ms/values.yaml", false)];
        assert_eq!(replicas.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn stages() {
        assert_eq!(stage("ms/values-prod.yaml"), "prod");
        assert_eq!(stage("ms/values.prod.yaml"), "prod");
        assert_eq!(stage("ms/prod.values.yml"), "prod");
        assert_eq!(stage("prod/values.yaml"), "prod");
        assert_eq!(stage("ms/prod.yaml"), "prod");
    }
}
