//! Values files of metrics-server's chart that nothing in the repository names: somebody passes
//! them to `helm upgrade` by hand or in a pipeline.

mod unread;

pub(super) use unread::Unread;

use std::collections::BTreeSet;

use crate::{
    config::EnvironmentConfig,
    data::{Family, subject::is_named_in, words},
    problem::ProblemKind,
    relevance::is_about_it,
    resolve::{
        bounds::Held,
        context::Context,
        environment::{EntryKind, Environment, Release, Unit},
        helm, install, layout,
        names::{environment_of, settings_for},
    },
    scalar::Dialect,
    source::{self, FileId, Relevance, Sources},
    tree::{Entry, Kind, Map, Node, Origin, Reason},
};

/// The values in `file`, when it is a values file of metrics-server's chart by its content, or by
/// its path and its keys, and which chart's.
fn known_values(sources: &Sources, file: FileId) -> Option<(&Node, Family)> {
    let path = &sources[file].path;
    if !layout::is_yaml(path) {
        return None;
    }
    let root = sources.documents(file, Dialect::Sigs).roots().next()?;
    // What is called a values file has keys of a chart; of another file two may tell.
    let keys = is_about_it(path).then(|| if says(path, "values") { 1 } else { 2 });
    helm::recognize_values(root, keys)
}

/// Whether `file` is a values file of metrics-server's chart, for whatever cluster.
pub(super) fn is_values(sources: &Sources, file: FileId) -> bool {
    known_values(sources, file).is_some()
}

/// The environment that `file` describes, if it is a values file.
///
/// Nothing says which version of the chart it is for, nor whether a `values.yaml` beside a
/// `values-prod.yaml` is a layer below it: what depends on either is unknown.
pub(super) fn environment(
    context: &Context<'_>,
    unread: &Unread<'_>,
    file: FileId,
) -> Option<Environment> {
    let sources = context.sources;
    let (values, family) = known_values(sources, file)?;
    let path = &sources[file].path;
    if unread.is_common(path) {
        return None;
    }
    let below = base_of(sources, file).and_then(|base| known_values(sources, base));
    let values = match (below, unread.is_layered(path)) {
        (Some((base, _)), Some(true)) => helm::merge(base, values),
        (Some((base, _)), None) => {
            maybe_over(values, base, &"a `values.yaml` beside it may be a layer below".into())
        }
        (Some(_), Some(false)) | (None, _) => values.clone(),
    };
    let (values, problem) = unread.hide(path, values);
    let mut environment = install(context, file, None, values, Some(family));
    environment.problems.extend(problem);
    Some(environment)
}

/// The environments of the chart in `dir`, which nothing installs: the chart with its own values,
/// and with those of each values file beside or below it that has some for metrics-server, such as
/// `values-prod.yaml`. Where it has none of its own, no cluster runs it with nothing.
pub(super) fn chart(context: &Context<'_>, unread: &Unread<'_>, dir: &str) -> Vec<Environment> {
    let sources = context.sources;
    let Some(file) = sources.find_from(dir, "Chart.yaml") else { return Vec::new() };
    let Some(root) = sources.documents(file, Dialect::Sigs).roots().next() else {
        return Vec::new();
    };
    let keys = helm::keys(context, dir);
    let own = Node::new(Map::default(), root.origin.clone());
    let of = |file: FileId, values: Node| {
        let (values, problem) = unread.hide(dir, values);
        let mut environment = install(context, file, Some((dir, &keys)), values, None);
        environment.problems.extend(problem);
        environment
    };
    let mut alone = of(file, own);
    // With which values it is installed nothing says.
    for problem in alone.problems.iter_mut().filter(|it| it.kind.fails_build()) {
        problem.kind = ProblemKind::Unresolved;
    }
    let mut held = Held::default();
    held.add(&alone);
    let mut environments = vec![alone];
    for file in sources.below(dir) {
        let path = &sources[file].path;
        let has = |values: &Node| match &*keys {
            // What lies beside a chart and is called values is for that chart.
            [] => source::parent(path) == dir || known_values(sources, file).is_some(),
            keys => keys.iter().any(|key| values.get(key).is_some()),
        };
        if is_for_chart(sources, dir, file)
            && !is_for_no_cluster(context, path)
            && let Some(values) = sources.documents(file, Dialect::Sigs).roots().next()
            && values.get("apiVersion").is_none()
            && has(values)
        {
            let environment = match held.is_full() {
                true => Held::left_out(path, EntryKind::Values, &Origin::start_of(file)),
                false => of(file, values.clone()),
            };
            held.add(&environment);
            environments.push(environment);
        }
    }
    let is_beside = |it: &Environment| {
        let file = it.entry.origin.written_at().map(|it| it.file);
        file.is_some_and(|it| source::parent(&sources[it].path) == dir)
    };
    if environments.iter().skip(1).any(is_beside) && has_no_values(sources, dir) {
        environments.remove(0);
    }
    environments.retain(|it| {
        !(it.objects.is_empty() && it.problems.is_empty())
            || it.releases.iter().any(Release::is_ours)
    });
    environments
}

/// Whether the chart in `dir` has no values of its own.
fn has_no_values(sources: &Sources, dir: &str) -> bool {
    let file = sources.find_from(dir, "values.yaml");
    let root = file.and_then(|it| sources.documents(it, Dialect::Sigs).roots().next());
    root.is_none_or(|it| it.is_null() || it.as_map().is_some_and(Map::is_empty))
}

/// Whether `file` may hold values for the chart in `dir`: it is called so and lies beside it, or it
/// speaks of our subject and lies in one of its directories.
fn is_for_chart(sources: &Sources, dir: &str, file: FileId) -> bool {
    let path = &sources[file].path;
    let name = source::file_name(path);
    if !layout::is_yaml(path) || matches!(name, "values.yaml" | "Chart.yaml" | "Chart.lock") {
        return false;
    }
    if source::parent(path) == dir {
        return name.contains("values");
    }
    let mut nearest = source::parent(path);
    while nearest != dir && !sources.is_chart(nearest) {
        nearest = source::parent(nearest);
    }
    let inner = path[dir.len()..].trim_start_matches('/').split('/').next().unwrap_or_default();
    sources[file].relevance == Relevance::Subject
        && nearest == dir
        && !matches!(inner, "templates" | "crds")
}

/// The environments in which somebody installs the chart in `dir`, for what its templates make other
/// installers deploy: with its own values, and with those of each values file beside it, as in [`chart`].
pub(super) fn deploying(context: &Context<'_>, unread: &Unread<'_>, dir: &str) -> Vec<Environment> {
    let sources = context.sources;
    let Some(file) = sources.find_from(dir, "Chart.yaml") else { return Vec::new() };
    let files = sources.below(dir).filter(|file| {
        is_for_chart(sources, dir, *file) && !is_for_no_cluster(context, &sources[*file].path)
    });
    let values = files.filter_map(|file| {
        let root = sources.documents(file, Dialect::Sigs).roots().next()?;
        (root.as_map().is_some() && root.get("apiVersion").is_none()).then(|| (file, root.clone()))
    });
    let values: Vec<(FileId, Node)> = values.collect();
    let own = (file, Node::new(Map::default(), Origin::start_of(file)));
    let own = Some(own).filter(|_| values.is_empty() || !has_no_values(sources, dir));
    let keys = helm::keys(context, dir);
    let environments = own.into_iter().chain(values).map(|(file, values)| {
        let (values, problem) = unread.hide(dir, values);
        let mut environment = install(context, file, Some((dir, &keys)), values, None);
        environment.problems.extend(problem);
        environment
    });
    environments.filter(|it| !it.objects.is_empty() || !it.problems.is_empty()).collect()
}

/// Whether `path` is the file of a chart's own values.
pub(super) fn is_charts_own(sources: &Sources, path: &str) -> bool {
    source::file_name(path) == "values.yaml" && sources.is_chart(source::parent(path))
}

/// Whether the file at `path` says what a chart depends on where Helm 2 had it.
pub(super) fn lists_charts(sources: &Sources, path: &str) -> bool {
    source::file_name(path) == "requirements.yaml" && sources.is_chart(source::parent(path))
}

/// The directories of the charts that `environments` install: they say so, or values come from there.
pub(super) fn installed(sources: &Sources, environments: &[Environment]) -> BTreeSet<String> {
    let releases = || environments.iter().flat_map(|it| &it.releases);
    let values = releases().flat_map(|it| it.values.walk());
    let files: BTreeSet<FileId> =
        values.filter_map(|it| Some(it.origin.written_at()?.file)).collect();
    let dirs = files.into_iter().map(|it| source::parent(&sources[it].path));
    dirs.chain(releases().filter_map(|it| it.directory.as_deref())).map(str::to_owned).collect()
}

/// What a name says of a file that is for no cluster, unless it is an example or for tests.
const FOR_NOBODY: &[&str] = &["old", "bak", "orig", "template", "templates"];

/// Whether what is at `path` is for no cluster that stays: its name says that it is old, an example
/// or a test, or it is what `ct install` of helm/chart-testing takes (`ci/*-values.yaml` in a chart).
///
/// A configuration that matches it by that name, or has an environment of it, asks for it, and so does
/// who names it.
pub(super) fn is_for_no_cluster(context: &Context<'_>, path: &str) -> bool {
    let sources = context.sources;
    let dir = source::parent(path);
    let reason = if source::file_name(dir) == "ci" && sources.is_chart(source::parent(dir)) {
        Some("ci")
    } else {
        words_of(path).find(|(start, word)| says_so(sources, path, *start, word)).map(|(_, it)| it)
    };
    reason.is_some_and(|word| {
        let settings = settings_for(context.config, path, "");
        let asks = |it: &EnvironmentConfig| {
            it.globs.name(word) || (it.globs.is_empty() && says(&it.name, word))
        };
        let named = |it: &String| says(it, word) && source::is_within(path, it);
        !settings.is_some_and(asks) && !context.config.named.iter().any(named)
    })
}

/// Whether `word` is one of the words of `path`.
fn says(path: &str, word: &str) -> bool {
    words_of(path).any(|(_, it)| it == word)
}

/// Whether a word of `path` says that it is for no cluster.
fn says_so(sources: &Sources, path: &str, start: usize, word: &str) -> bool {
    let stage = |it: &&str| {
        let (before, after) = (&path[..start], &path[start + word.len()..]);
        sources.find(&format!("{before}{it}{after}")).is_some()
    };
    let place = environment_of(path).map_or(0, str::len);
    // Beside those of other stages, what is for tests is for a cluster of that name.
    let mut stages = [words::LASTING, words::DEVELOPMENT, &["qa"]].into_iter().flatten();
    FOR_NOBODY.contains(&word)
        || words::EXAMPLES.contains(&word)
        || (words::TESTS.contains(&word) && start >= place && !stages.any(stage))
}

/// The words of a path, each with where it starts. The dots in a directory's name are those of a
/// domain or of a version.
fn words_of(path: &str) -> impl Iterator<Item = (usize, &str)> {
    let name = source::parent(path).len();
    let ends = move |(at, it): (usize, char)| {
        (matches!(it, '/' | '-' | '_') || (it == '.' && at > name)).then_some(at)
    };
    let ends = path.char_indices().filter_map(ends).chain([path.len()]);
    ends.scan(0, |start, end| {
        let word = (*start, &path[*start..end]);
        *start = end + 1;
        Some(word)
    })
}

/// The environment in which somebody installs a chart with `values`: `chart`, a directory and its keys
/// for metrics-server, or that of `family`.
fn install(
    context: &Context<'_>,
    file: FileId,
    chart: Option<(&str, &[String])>,
    values: Node,
    family: Option<Family>,
) -> Environment {
    let directory = chart.map(|(dir, _)| dir);
    let path = &context.sources[file].path;
    let is_chart = source::file_name(path) == "Chart.yaml";
    let place = format!("{}/{}", source::parent(path), stage(path));
    let reference = install::ChartReference {
        name: directory.unwrap_or("metrics-server"),
        repository: None,
        directory,
        version: None,
    };
    // What is missing is missing in all of the file.
    let anchor = Origin::start_of(file);
    // Metrics-server is where everybody has it; a chart of something else is called as it is.
    let (name, namespace) = match chart {
        Some((dir, [])) if !dir.is_empty() && !is_named_in(dir) => {
            (source::file_name(dir), "default")
        }
        _ => ("metrics-server", "kube-system"),
    };
    let release = reference.release("values-file", name, namespace, values, &anchor);
    let release = Release { family, ..release };
    let name = match directory {
        Some(dir) if is_chart && !dir.is_empty() => dir,
        _ => path,
    };
    let mut environment = Environment::new(name.to_owned(), EntryKind::Values, anchor);
    environment.settings = settings_for(context.config, path, &place).cloned();
    let installed = environment.template(context, release);
    environment.problems.extend(installed.problems);
    for (release, objects) in installed.parts {
        let start = environment.begin();
        let unit = Unit::of("release", &release.namespace, &release.name).release();
        environment.add(release, objects);
        environment.end(start, unit);
    }
    environment
}

/// What names an environment in a values file's name: `prod` of `values-prod.yaml`,
/// `values.prod.yaml`, `prod.values.yaml`; else the directory's name.
fn stage(path: &str) -> &str {
    let path = source::rendered(path);
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
    common_of(path)
        .filter_map(|it| sources.find(&it))
        .find(|base| *base != file)
        .filter(|_| !matches!(source::file_name(path), "values.yaml" | "values.yml"))
}

/// What the common values beside those at `path` may be called.
fn common_of(path: &str) -> impl Iterator<Item = String> {
    let dir = source::parent(path);
    ["values.yaml", "values.yml"].into_iter().filter_map(|name| source::join(dir, name))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{self, Config},
        model::MetricsServer,
        pipeline::analyze,
        tests::{fixture, fixture_with},
    };

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
    fn a_chart_that_nothing_installs_may_list_its_dependencies_apart() {
        let chart = |dependency: &str| {
            let files = "
            //- helm/a/Chart.yaml
            apiVersion: v1
            name: a
            version: 1.0.0
            //- helm/a/requirements.yaml
            dependencies: [DEPENDENCY]
            //- helm/a/values.yaml
            metrics-server: {args: [--kubelet-insecure-tls]}
            ";
            let sources = fixture(&files.replace("DEPENDENCY", dependency));
            let servers = servers(&sources).into_iter();
            let found =
                servers.map(|(name, it)| (name, it.kubelet_insecure_tls.value() == Some(&true)));
            found.collect::<Vec<_>>()
        };
        let repository = "https://kubernetes-sigs.github.io/metrics-server/";
        let dependency =
            format!("{{name: metrics-server, version: 3.13.0, repository: '{repository}'}}");
        assert_eq!(chart(&dependency), [("helm/a".to_owned(), true)]);
        assert_eq!(chart("{name: other, version: 1.0.0, repository: 'https://example.org'}"), []);
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
    fn a_chart_without_values_of_its_own_is_installed_with_those_beside_it() {
        let files = "
            //- addons/Chart.yaml
            ADDONS
            //- addons/values-prod.yaml
            metrics-server: {replicas: 2}
        ";
        let prod = "addons/values-prod.yaml";
        let indent = " ".repeat(12);
        let own =
            |it: &str| names(&format!("{files}\n{indent}//- addons/values.yaml\n{indent}{it}\n"));
        assert_eq!(names(files), [prod]);
        assert_eq!(own("# see values-*.yaml"), [prod]);
        assert_eq!(own("metrics-server: {}"), ["addons", prod]);
    }

    /// The names of the environments of a repository with [`ADDONS`] in it.
    fn names(files: &str) -> Vec<String> {
        let sources = fixture_with(&[("ADDONS", ADDONS)], files);
        let config = sources.find(config::FILE);
        let config = config.map(|file| config::parse(&sources, file, &[]).expect("right"));
        let (environments, _) = analyze(&sources, &config.unwrap_or_default());
        environments.into_iter().map(|it| it.name).collect()
    }

    const ADDONS: &str = "\
name: addons
version: 1.0.0
dependencies:
- name: metrics-server
  version: 3.12.2
  repository: https://kubernetes-sigs.github.io/metrics-server/
";

    #[test]
    fn what_is_old_or_an_example_or_tried_is_no_environment_unless_asked_for() {
        let files = "
            //- addons/Chart.yaml
            ADDONS
            //- addons/ci/a-values.yaml
            metrics-server: {replicas: 2}
            //- addons/values-old.yaml
            metrics-server: {replicas: 2}
            //- addons/values-test.yaml
            metrics-server: {replicas: 2}
            //- metrics-server/values.yaml
            {args: [--kubelet-insecure-tls]}
            //- metrics-server/values_bak.yaml
            {args: [--kubelet-insecure-tls]}
            //- metrics-server/values.example.yaml
            {args: [--kubelet-insecure-tls]}
            //- examples/metrics-server/Chart.yaml
            ADDONS
            ";
        assert_eq!(names(files), ["addons", "metrics-server/values.yaml"]);
        let asked = "
            //- .metrics-server-lint.yaml
            environments:
              tried: {match: [addons/ci/*]}
              all: {match: ['**']}
            ";
        assert_eq!(
            names(&format!("{files}\n{asked}")),
            ["addons", "addons/ci/a-values.yaml", "metrics-server/values.yaml"]
        );
        let by_name = "
            //- .metrics-server-lint.yaml
            environments:
              addons/values-old.yaml: {nodes: 3}
              values.example.yaml:
            ";
        assert_eq!(
            names(&format!("{files}\n{by_name}")),
            [
                "addons/values-old.yaml",
                "metrics-server/values.example.yaml",
                "metrics-server/values.yaml"
            ]
        );
    }

    #[test]
    fn a_cluster_for_tests_is_one_of_the_stages() {
        assert_eq!(
            names(
                "
                //- addons/Chart.yaml
                ADDONS
                //- addons/values-test.yaml
                metrics-server: {replicas: 2}
                //- addons/values/prod.yaml
                metrics-server: {replicas: 2}
                //- addons/values-prod.yaml
                metrics-server: {replicas: 2}
                //- envs/test/metrics-server.yaml
                args: [--kubelet-insecure-tls]
                "
            ),
            [
                "addons/values-prod.yaml",
                "addons/values-test.yaml",
                "addons/values/prod.yaml",
                "envs/test/metrics-server.yaml"
            ]
        );
    }

    #[test]
    fn a_chart_in_charts_is_a_part_of_the_one_around_it() {
        assert_eq!(
            names(
                "
                //- platform/Chart.yaml
                {name: platform, version: 1.0.0}
                //- platform/charts/metrics-server/Chart.yaml
                {name: metrics-server, version: 3.12.2, home: https://github.com/kubernetes-sigs/metrics-server}
                //- platform/charts/metrics-server/values.yaml
                args: [--kubelet-insecure-tls]
                //- wrapper/Chart.yaml
                name: wrapper
                version: 1.0.0
                dependencies:
                - {name: addons, version: 1.0.0, repository: 'file://../addons'}
                //- addons/Chart.yaml
                ADDONS
                "
            ),
            ["addons", "platform"]
        );
    }

    #[test]
    fn a_chart_of_ones_own_is_not_silent() {
        let sources = fixture(
            "
            //- own/Chart.yaml
            {name: metrics, version: 1.0.0}
            //- own/templates/deployment.yaml
            kind: Deployment
            metadata: {name: metrics-server}
            spec: {replicas: {{ .Values.replicas }}}
            //- own/values.yaml
            replicas: 2
            //- unrelated/Chart.yaml
            {name: x, version: 1.0.0, description: reads from metrics-server}
            ",
        );
        let (environments, _) = analyze(&sources, &Config::default());
        let [own] = &environments[..] else { panic!("{environments:?}") };
        assert_eq!((&*own.name, own.problems.len(), own.objects.len()), ("own", 0, 1));
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

    /// What is known of the replicas (written) and of the resolution (the chart's default) in a
    /// repository with [`ADDONS`] in `charts/ms` and `values/ms.yaml`, one line an environment.
    fn known(installer: &str) -> Vec<String> {
        let files = format!(
            "
            //- charts/ms/Chart.yaml
            ADDONS
            //- charts/ms/values.yaml
            metrics-server: {{replicas: 2}}
            //- values/ms.yaml
            {{replicas: 2, args: [--kubelet-request-timeout=20s]}}
            {installer}
            "
        );
        let sources = fixture_with(&[("ADDONS", ADDONS)], &files);
        let told = servers(&sources).into_iter().map(|(environment, it)| {
            let known = |known| if known { "known" } else { "unknown" };
            let replicas = known(!it.replicas.is_unknown());
            let resolution = known(!it.memory_limit.is_unknown());
            format!("{environment}: {replicas} {resolution}")
        });
        told.collect()
    }

    #[test]
    fn what_is_not_read_may_change_what_it_may_install() {
        let (chart, file) = ("charts/ms: known known", "values/ms.yaml: known known");
        assert_eq!(known(""), [chart, file]);
        let helmfile = "
            //- helmfile.yaml
            releases:
            {{ range .Values.charts }}
            - {name: a, chart: './charts/{{ . }}', values: [a.yaml]}
            {{ end }}";
        assert_eq!(known(helmfile), ["charts/ms: unknown unknown", file]);
        let elsewhere = "
            //- helmfile.yaml
            releases:
            {{ range .Values.charts }}
            - {name: a, chart: './other/{{ . }}', values: [a.yaml]}
            {{ end }}";
        assert_eq!(known(elsewhere), [chart, file]);
        let named = "
            //- deploy/helmfile.yaml
            releases:
            {{ range .Values.charts }}
            - {name: a, chart: a/ms, values: [b.yaml, ../values/ms.yaml]}
            {{ end }}";
        assert_eq!(known(named), [chart, "values/ms.yaml: known unknown"]);
        let terraform = r#"
            //- main.tf
            resource "helm_release" "all" {
              for_each = toset(var.charts)
              chart    = "${path.module}/charts/${each.key}"
              values   = [var.values]
            }"#;
        assert_eq!(known(terraform), ["charts/ms: unknown unknown", file]);
        let resource = r#"
            //- main.tf
            resource "argocd_application" "ms" {
              spec {
                source {
                  path = "charts/ms"
                  helm { values = yamlencode(local.values) }
                }
              }
            }"#;
        assert_eq!(known(resource), ["charts/ms: unknown unknown", file]);
        let module = r#"
            //- deploy/main.tf
            module "ms" {
              source = "example/addon/aws"
              values = [file("${path.module}/../values/ms.yaml"), var.more]
            }"#;
        assert_eq!(known(module), [chart, "values/ms.yaml: known unknown"]);
        let set = "
            //- applications.yaml
            apiVersion: argoproj.io/v1alpha1
            kind: ApplicationSet
            metadata: {name: a}
            spec:
              generators: [{clusters: {}}]
              template:
                spec:
                  source: {path: 'charts/{{name}}', helm: {valueFiles: [a.yaml]}}";
        assert_eq!(known(set), ["charts/ms: unknown unknown", file]);
    }

    #[test]
    fn a_script_may_set_values() {
        let (chart, file) = ("charts/ms: known known", "values/ms.yaml: known known");
        let script = |command: &str| {
            let indent = "            ";
            known(&format!("\n{indent}//- scripts/up.sh\n{indent}{command}\n"))
        };
        assert_eq!(
            script("helm upgrade --install ms \\\n              charts/ms --set a=b"),
            ["scripts/up.sh: known known", file]
        );
        assert_eq!(script("helm upgrade ms a/ms -f values/ms.yaml"), [chart, file]);
        assert_eq!(
            script("helm upgrade ms a/ms -f a.yaml -f values/ms.yaml"),
            [chart, "values/ms.yaml: known unknown"]
        );
        assert_eq!(
            script("helm upgrade ms a/ms -f values/ms.yaml $MORE"),
            [chart, "values/ms.yaml: unknown unknown"]
        );
        assert_eq!(script("# helm upgrade ms charts/ms --set a=b"), [chart, file]);
    }

    #[test]
    fn a_command_takes_each_file_that_its_pattern_can_mean() {
        let of = |path: &str, command: &str| {
            let sources = fixture(&format!(
                "
            //- ms/values.yaml
            replicas: 2
            args: [--metric-resolution=15s]
            //- ms/values-dev.yaml
            args: [--metric-resolution=30s]
            //- ms/values-prod.yaml
            args: [--metric-resolution=60s]
            //- {path}
            {command}
            "
            ));
            let servers = servers(&sources);
            let known = |it: &MetricsServer| {
                let replicas = it.replicas.value().map_or("unknown".into(), ToString::to_string);
                let resolution = it.metric_resolution.value();
                format!("{replicas} {}", resolution.map_or("unknown".into(), ToString::to_string))
            };
            let stages = servers.iter().filter(|(name, _)| name.contains('-'));
            let is_alone = servers.iter().any(|(name, _)| name == "ms/values.yaml");
            assert_ne!(is_alone, command.contains("ms/values.yaml"), "it is common to them");
            stages.map(|(_, it)| known(it)).collect::<Vec<_>>().join(", ")
        };
        let common = "helm upgrade ms a/ms -f ms/values.yaml -f";
        for (path, stage) in [
            ("up.sh", "ms/values-${STAGE}.yaml"),
            ("up.sh", "\"ms/values-$STAGE.yaml\" --wait"),
            ("up.sh", "ms/values-$(stage).yaml"),
            ("Makefile", "ms/values-$(STAGE).yaml"),
            ("bin/up.sh", "../ms/values-${1:-dev}.yaml"),
        ] {
            assert_eq!(of(path, &format!("{common} {stage}")), "2 30s, 2 60s", "{path} {stage}");
        }
        for pipeline in [".github/workflows/up.yaml", ".circleci/config.yml", ".drone.yml"] {
            let run = format!("- run: {common} ms/values-${{{{ matrix.stage }}}}.yaml");
            assert_eq!(of(pipeline, &run), "2 30s, 2 60s", "{pipeline}");
        }
        let list = "helm upgrade ms a/ms --values=ms/values.yaml,ms/values-$STAGE.yaml";
        assert_eq!(of("up.sh", list), "2 30s, 2 60s");
        // Alone, it is all that there is.
        assert_eq!(of("up.sh", "helm upgrade ms a/ms -f ms/values-$STAGE.yaml"), "1 30s, 1 60s");
        // What is set, or lies elsewhere, may say anything.
        let set = format!("{common} ms/values-$STAGE.yaml --set a=b");
        assert_eq!(of("up.sh", &set), "unknown unknown, unknown unknown");
        let elsewhere = "helm upgrade ms a/ms -f /etc/ms.yaml -f ms/values-$STAGE.yaml";
        assert_eq!(of("up.sh", elsewhere), "unknown 30s, unknown 60s");
    }

    #[test]
    fn a_default_stands_nowhere_in_a_values_file() {
        let sources = fixture(
            "
            //- metrics-server/values.yaml
            replicas: 2
            resources:
              limits: {memory: 64Mi}
            ",
        );
        let [(_, server)] = &servers(&sources)[..] else { panic!("one environment") };
        let (request, origin) = server.memory_request.known().expect("known");
        assert_eq!(request.to_string(), "200Mi");
        assert_eq!(origin.written_at(), None);
        let (limit, origin) = server.memory_limit.known().expect("known");
        assert_eq!(limit.to_string(), "64Mi");
        assert_eq!(origin.written_at().map(|it| sources.slice(it)), Some("64Mi"));
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
