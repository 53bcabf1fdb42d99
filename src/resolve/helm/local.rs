//! Charts in the repository: what their templates make, and the metrics-server charts among them and
//! those that they depend on.

use std::sync::Arc;

use crate::{
    data::{
        Family,
        charts::{self, ValueKey},
        kinds::WORKLOADS,
        subject::{METRICS_API, is_named_in},
        version::Constraint,
    },
    problem::Problem,
    resolve::{
        context::{Context, Purpose},
        environment::Release,
        gotemplate::{self, TemplateSet},
        helm::{
            builtin::ApiVersions,
            dependencies::{key, table, with_globals},
            family, layer, merge,
            object::identity_only,
            package::{self, Package},
            parsed,
            render::{self, ChartInstallation, ChartManifest, ChartRendering},
            values::coalesce,
        },
        layout,
    },
    scalar::Dialect,
    source::{self, FileId, Relevance, Sources, Span},
    tree::{Map, Node, Origin, Via},
};

/// What is in the name of every chart of metrics-server.
const NAME: &str = "metrics-server";

/// What a release of a chart comes to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expanded {
    /// The release itself, or those of the metrics-server charts in its chart, each with what its
    /// templates make; nothing of a chart that is elsewhere. One that may be disabled counts as
    /// suspended.
    pub releases: Vec<(Release, Option<Vec<Node>>)>,
    /// What the other charts make.
    pub objects: Vec<Node>,
    /// What cannot be read, and what Helm would refuse.
    pub problems: Vec<Problem>,
    /// Whether there are charts between the release and these.
    pub nested: bool,
    /// Whether such a chart has something of its own, or depends on a chart that is not followed.
    pub more: bool,
    /// The values that such a chart reads.
    pub reads: Option<Arc<ValueKey>>,
    /// The values that the charts read which it depends on, by their keys in its values.
    pub below: Vec<(String, Arc<ValueKey>)>,
    /// The version of such a chart, as it says itself.
    pub version: Option<Node>,
    /// How much was done to render it: see [`ChartRendering::work`].
    pub work: usize,
}

/// What `release` installs: what the templates of its chart make when that is in the repository, and
/// the releases of metrics-server charts that it depends on.
pub(crate) fn expand(context: &Context<'_>, release: &Release) -> Expanded {
    let mut expanded = Expanded::default();
    let Some(dir) = release.directory.as_deref() else {
        expanded.releases.push((release.clone(), None));
        return expanded;
    };
    if !matters(context, dir) {
        return Expanded { nested: true, more: true, ..expanded };
    }
    match render(context, dir, release) {
        Ok((package, rendering)) => {
            expanded.objects.extend(rendering.definitions);
            let is_hidden = rendering.problems.iter().any(|it| it.unseen.objects)
                && names_subject(context, dir);
            expanded.problems.extend(
                rendering
                    .problems
                    .into_iter()
                    .map(|it| if is_hidden && it.unseen.objects { it.hiding_all() } else { it }),
            );
            expanded.work = rendering.work;
            let mut parts = ChartTree { context, manifests: rendering.manifests, expanded };
            parts.visit(&package, release, &package.name, &release.values);
            parts.expanded
        }
        Err(problem) => {
            let problem = concerning(context, dir, problem);
            let problem = match names_subject(context, dir) {
                true => problem.hiding_all(),
                false => problem,
            };
            let problems = vec![problem];
            Expanded { nested: true, problems, ..expanded }
        }
    }
}

/// The chart in `dir` as `release` installs it, and what its templates make.
///
/// # Errors
/// The chart cannot be read, or Helm refuses it.
fn render(
    context: &Context<'_>,
    dir: &str,
    release: &Release,
) -> Result<(Package, ChartRendering), Problem> {
    let package = package::load(context.sources, dir, &release.anchor)?.select(&release.values)?;
    // What Helm would refuse of it keeps all of it from the cluster.
    let is_ours = is_named_in(dir) || is_named_in(&release.name);
    let installation = ChartInstallation {
        name: &release.name,
        namespace: &release.namespace,
        values: &release.values,
        at: &release.anchor,
        kubernetes: release.kubernetes.clone(),
        apis: ApiVersions::Cluster,
        skips_schema: release.skips_schema,
        needs_all: release.needs_all || is_ours || context.purpose == Purpose::Render,
    };
    let rendering = render::render_selected(context.sources, &package, &installation);
    Ok((package, rendering))
}

/// Whether templates of the chart in `dir` make other installers deploy something: Applications,
/// HelmReleases, Kustomizations.
pub(crate) fn deploys(context: &Context<'_>, dir: &str) -> bool {
    let templates = in_chart(dir, "templates");
    context.sources.sees_below(&templates, |it| layout::is_gitops(context.sources, it))
}

/// Whether a file of the chart in `dir` names our subject, which nobody sees where the chart is not
/// looked at.
fn names_subject(context: &Context<'_>, dir: &str) -> bool {
    let sources = context.sources;
    let is_named = |it: FileId| {
        sources[it].relevance == Relevance::Subject && is_named_in(sources.text(it))
            || is_named_in(&sources[it].path)
    };
    sources.sees_below(dir, is_named)
}

/// Whether anything in the chart in `dir` may be what we judge, or lead to it.
fn matters(context: &Context<'_>, dir: &str) -> bool {
    let sources = context.sources;
    let is_ours = |file: FileId| {
        let source = &sources[file];
        source.relevance >= Relevance::Plumbing || is_named_in(&source.path)
    };
    let beside = |it: &Node| {
        let path = it.str_at("repository").and_then(|it| it.strip_prefix("file://"));
        path.and_then(|path| source::join(dir, path))
    };
    let lists = ["Chart.yaml", "requirements.yaml"].map(|it| document(context, dir, it));
    let entries = lists.iter().flatten().flat_map(|it| it.items_at("dependencies"));
    let mut besides = entries.filter_map(beside);
    sources.sees_below(dir, is_ours) || besides.any(|it| sources.sees_below(&it, is_ours))
}

/// An object of a chart; of one that may be there or not it is known what it is.
fn object(manifest: ChartManifest) -> Node {
    match &manifest.perhaps {
        Some(why) => identity_only(&manifest.node, why, None),
        None => manifest.node,
    }
}

/// That nobody can tell whether an object of metrics-server's is there.
fn untold(manifest: &ChartManifest) -> Option<Problem> {
    let why = manifest.perhaps.as_ref()?;
    let (kind, name) = (manifest.node.object_kind(), manifest.node.object_name());
    let is_ours = is_named_in(name) && WORKLOADS.contains(&kind);
    let message = format!("whether {kind} {name} is installed is not known: {why}");
    is_ours.then(|| Problem::unresolved(&manifest.node.origin, message).about(&**why))
}

/// `problem`, which keeps Helm from installing the chart in `dir`, about metrics-server if that is
/// what it depends on: what cannot be read need not name it.
fn concerning(context: &Context<'_>, dir: &str, problem: Problem) -> Problem {
    match keys(context, dir).pop() {
        Some(ours) if problem.subject.is_empty() => problem.about(ours),
        _ => problem,
    }
}

/// The walk through the charts of a release.
struct ChartTree<'c, 'a> {
    context: &'c Context<'a>,
    /// The objects that no chart took yet.
    manifests: Vec<ChartManifest>,
    expanded: Expanded,
}

impl ChartTree<'_, '_> {
    /// Adds what `package` comes to, which `release` installs and whose templates stand at `path`;
    /// `user` are the values that reach it, without its own.
    fn visit(&mut self, package: &Package, release: &Release, path: &str, user: &Node) {
        let sources = self.context.sources;
        let templates = format!("{path}/templates/");
        let is_own = |it: &ChartManifest| it.template.starts_with(&templates);
        let (own, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.manifests).into_iter().partition(is_own);
        self.manifests = others;
        self.expanded.problems.extend(own.iter().filter_map(untold));
        let own: Vec<Node> = own.into_iter().map(object).collect();
        let own: Vec<Node> = layout::objects(own.iter()).cloned().collect();
        let inner = package.charts.iter().filter_map(|it| it.metadata.str_at("name"));
        let elsewhere = package.missing.iter().filter_map(|(it, _)| it.str_at("name"));
        let depends_on_it = inner.chain(elsewhere).any(|it| it.contains(NAME));
        let reads = Some(Arc::new(reads(sources, package, user)));
        // What else such a chart depends on are libraries.
        if chart_name(package).contains(NAME) && !depends_on_it {
            let release = Release { reads, ..vendored(release, package) };
            // Without any template it is one of which the repository keeps the values only.
            let own = (!package.templates.is_empty()).then_some(own);
            return self.expanded.releases.push((release, own));
        }
        if path == package.name {
            self.expanded.reads = reads;
            self.expanded.below = below(sources, package, user);
            self.expanded.version = package.metadata.get("version").cloned();
        }
        self.expanded.nested = true;
        self.expanded.more |= !package.templates.is_empty();
        self.expanded.objects.extend(own);
        let values = inherited(package, user);
        let beside = read_by_nobody(package, &values);
        for chart in &package.charts {
            let mut entries = package.dependencies.iter().flatten();
            let entry = entries.find(|it| it.str_at("name") == Some(&chart.name));
            let child = child(release, chart_name(chart), &chart.name, entry, &values);
            let Some(child) = self.or_told(child) else { continue };
            let child = Release {
                beside: beside.clone(),
                directory: directory(sources, chart),
                version: chart.metadata.get("version").cloned(),
                suspended: release.suspended || chart.perhaps.is_some(),
                ..child
            };
            self.visit(chart, &child, &format!("{path}/charts/{}", chart.name), &child.values);
        }
        for (entry, perhaps) in &package.missing {
            let name = entry.str_at("name").unwrap_or_default();
            if !is_named_in(name) {
                self.expanded.more = true;
                continue;
            }
            let version = locked(self.context, package, entry);
            let child = child(release, name, key(entry), Some(entry), &values);
            let Some(child) = self.or_told(child) else { continue };
            let text = version.as_ref().and_then(Node::as_scalar).map(|it| &*it.text);
            let child = Release {
                family: family(name, entry.str_at("repository"), text, &child.values),
                beside: beside.clone(),
                version,
                suspended: release.suspended || perhaps.is_some(),
                ..child
            };
            self.expanded.releases.push((child, None));
        }
    }

    /// What there is, or nothing and a problem.
    fn or_told(&mut self, release: Result<Release, Problem>) -> Option<Release> {
        release.map_err(|problem| self.expanded.problems.push(problem)).ok()
    }
}

fn chart_name(package: &Package) -> &str {
    package.metadata.str_at("name").unwrap_or_default()
}

/// Where the repository holds a chart that is not packed.
fn directory(sources: &Sources, package: &Package) -> Option<String> {
    let file = package.metadata.origin.written_at()?.file;
    let path = &sources[file].path;
    (source::file_name(path) == "Chart.yaml").then(|| source::parent(path).to_owned())
}

/// The release of the chart `name` that the chart of `release` depends on as `key`.
///
/// # Errors
/// Helm refuses values for it that are no mapping.
fn child(
    release: &Release,
    name: &str,
    key: &str,
    entry: Option<&Node>,
    values: &Node,
) -> Result<Release, Problem> {
    let own = match values.look(key) {
        Ok(Some(own)) if !own.is_null() => table(key, own.clone())?,
        Ok(own) => {
            let at = own.map_or(&values.origin, |it| &it.origin);
            Node::new(Map::default(), at.clone())
        }
        Err((why, origin)) => Node::unknown_value(why, &origin),
    };
    let anchor = entry.and_then(|it| it.get("version").or_else(|| it.get("name")));
    let own = if values.get("global").is_some() { with_globals(own, values) } else { own };
    Ok(Release {
        family: None,
        below: Vec::new(),
        chart: name.to_owned(),
        repository: entry.and_then(|it| it.get("repository")).cloned(),
        directory: None,
        alias: (key != name).then(|| key.to_owned()),
        version: entry.and_then(|it| it.get("version")).cloned(),
        values: match entry {
            Some(entry) => without_switch(own, key, entry),
            None => own,
        },
        anchor: anchor.map_or_else(|| release.anchor.clone(), |it| it.origin.clone()),
        ..release.clone()
    })
}

/// The version of a chart that is not here, as `Chart.lock` pins it, else as it is written.
fn locked(context: &Context<'_>, package: &Package, entry: &Node) -> Option<Node> {
    let written = entry.get("version");
    let dir = directory(context.sources, package);
    let lock = dir.and_then(|dir| {
        document(context, &dir, "Chart.lock")
            .or_else(|| document(context, &dir, "requirements.lock"))
    });
    let locked = lock.as_ref().map(|it| it.items_at("dependencies")).unwrap_or_default();
    let is_it =
        |it: &&Node| it.str_at("name") == entry.str_at("name") && same_repository(it, entry);
    let pinned = locked.iter().find(is_it).and_then(|it| it.get("version"));
    // The lock file is generated: a person edits the version in the chart's file.
    match (pinned, written) {
        (Some(pinned), Some(written)) => {
            Some(Node::new(pinned.kind.clone(), written.origin.clone()))
        }
        (pinned, written) => pinned.or(written).cloned(),
    }
}

fn same_repository(locked: &Node, written: &Node) -> bool {
    let repository = |node: &Node| node.str_at("repository").unwrap_or_default().to_owned();
    let (locked, written) = (repository(locked), repository(written));
    // An `@alias` of a repository is resolved in the lock file.
    locked == written || written.starts_with('@') || written.starts_with("alias:")
}

/// The values that the templates of a chart read; those of the charts in it are theirs.
fn reads(sources: &Sources, package: &Package, user: &Node) -> ValueKey {
    let mut set = TemplateSet::default();
    add(sources, package, &mut set);
    let mut keys = set.reads();
    let texts = user.walk().chain(package.values.walk()).filter_map(Node::as_str);
    for text in texts.filter(|it| it.contains("{{")) {
        gotemplate::both(&mut keys, gotemplate::reads_of(text).unwrap_or(ValueKey::Any));
    }
    gotemplate::both(&mut keys, shape(&package.values));
    let entries =
        package.dependencies.iter().flatten().chain(package.missing.iter().map(|it| &it.0));
    let mut open: Vec<&str> = vec!["global", "tags"];
    for entry in entries {
        open.push(key(entry));
        open.extend(switches(entry));
    }
    open.extend(package.charts.iter().map(|it| &*it.name));
    let open = open.into_iter().map(|it| (it.to_owned(), ValueKey::Any));
    gotemplate::both(&mut keys, ValueKey::Map(open.collect()));
    keys
}

/// The values that the charts in a chart read, and a metrics-server chart that it depends on, by their
/// keys in its values; nothing of those of which nobody can tell.
fn below(sources: &Sources, package: &Package, user: &Node) -> Vec<(String, Arc<ValueKey>)> {
    let nowhere = Node::new(Map::default(), Origin::at(Via::Written, None));
    let of_child = |it: &Package| {
        let values = user.get(&it.name).unwrap_or(&nowhere);
        (it.name.clone(), Arc::new(reads(sources, it, values)))
    };
    let inside = package.charts.iter().filter(|it| !it.is_library()).map(of_child);
    let of_entry = |entry: &Node| {
        let version = entry.str_at("version");
        let values = user.get(key(entry)).unwrap_or(&nowhere);
        let family = family(entry.str_at("name")?, entry.str_at("repository"), version, values);
        let chart = charts::chart(family?);
        let exact = version.and_then(|it| Constraint::parse(it)?.exact().cloned());
        Some((key(entry).to_owned(), chart.keys(exact.as_ref().or(chart.newest())?)))
    };
    inside.chain(package.missing.iter().filter_map(|(it, _)| of_entry(it))).collect()
}

/// The keys of the values that switch a dependency on and off, or hold what does.
fn switches(entry: &Node) -> impl Iterator<Item = &str> {
    let conditions = entry.str_at("condition").unwrap_or_default().split(',');
    conditions.filter_map(|path| path.trim().split('.').next())
}

/// Adds the templates of a chart, and of the libraries in it.
fn add(sources: &Sources, package: &Package, set: &mut TemplateSet) {
    for template in &package.templates {
        // What is no template is refused elsewhere.
        if let Ok(Ok(parsed)) = parsed::template(sources, template) {
            set.insert(&template.name, &parsed);
        }
    }
    package.charts.iter().filter(|it| it.is_library()).for_each(|it| add(sources, it, set));
}

/// The keys of a chart's own values: a map without any is the user's.
fn shape(values: &Node) -> ValueKey {
    match values.as_map() {
        Some(map) => {
            let keys = map.iter().map(|(key, it)| (key.to_owned(), shape(&it.value)));
            ValueKey::Map(keys.collect())
        }
        None if values.unknown().is_some() => ValueKey::Any,
        None => ValueKey::Map(indexmap::IndexMap::new()),
    }
}

/// The values of a chart that reach none of those that it depends on, where it has no templates of
/// its own that could read them.
fn read_by_nobody(package: &Package, values: &Node) -> Vec<(String, Origin)> {
    if !package.templates.is_empty() {
        return Vec::new();
    }
    // What is switched off is somebody's all the same.
    let listed = package.metadata.items_at("dependencies").iter();
    let entries: Vec<&Node> = package.dependencies.iter().flatten().chain(listed).collect();
    let is_read = |name: &str| {
        matches!(name, "global" | "tags")
            || entries.iter().any(|it| key(it) == name || switches(it).any(|it| it == name))
            || package.charts.iter().any(|it| it.name == name)
    };
    let nobodys = values.entries().filter(|(name, _)| !is_read(name));
    nobodys.map(|(name, entry)| (name.to_owned(), entry.origin())).collect()
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
        (runs && runs_it) || (serves && line.contains(METRICS_API))
    };
    let is_comment = |line: &str| line.trim_start().starts_with(['#', '/']);
    let (start, line) = source::lines(text).find(|(_, line)| !is_comment(line) && names(line))?;
    let indent = line.len() - line.trim_start().len();
    Some(Span::new(file, start + indent..start + line.trim_end().len()))
}

/// The keys of a chart's values below which stand those of the metrics-server charts that it depends
/// on.
pub(crate) fn keys(context: &Context<'_>, dir: &str) -> Vec<String> {
    let nowhere = Origin::at(Via::Written, None);
    let Ok(package) = package::load(context.sources, dir, &nowhere) else { return Vec::new() };
    let entries = package.dependencies.iter().flatten();
    let listed = entries.filter(|it| it.str_at("name").is_some_and(|it| it.contains(NAME)));
    let mut keys: Vec<String> = listed.map(|it| key(it).to_owned()).collect();
    for chart in package.charts.iter().filter(|it| chart_name(it).contains(NAME)) {
        if !package.dependencies.iter().flatten().any(|it| it.str_at("name") == Some(&chart.name)) {
            keys.push(chart.name.clone());
        }
    }
    keys
}

/// A release of a copy of a metrics-server chart.
fn vendored(release: &Release, package: &Package) -> Release {
    let version = package.metadata.get("version").cloned();
    let text = version.as_ref().and_then(Node::as_scalar).map(|it| it.text.clone());
    let home = package.metadata.str_at("home").unwrap_or_default();
    let sources = package.metadata.items_at("sources");
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
    let name = chart_name(package);
    Release {
        family: family(name, repository, text.as_deref(), &release.values),
        chart: name.to_owned(),
        repository: None,
        version,
        ..release.clone()
    }
}

/// `values` without what only switches the dependency on and off, and means nothing to its chart.
fn without_switch(mut values: Node, key: &str, entry: &Node) -> Node {
    for path in entry.str_at("condition").unwrap_or_default().split(',') {
        let key = path.trim().strip_prefix(key).and_then(|it| it.strip_prefix('.'));
        if let (Some(key), Some(map)) = (key, values.as_map_mut()) {
            map.remove(key);
        }
    }
    values
}

/// The values of a chart that others hang on: the user's over its own.
///
/// For the charts below it, nulls stay: they delete what those have.
fn inherited(package: &Package, user: &Node) -> Node {
    let merged = merge(&package.values, user);
    let mut values = coalesce(user, &package.values);
    let missing = package.missing.iter().map(|(it, _)| key(it));
    for key in package.charts.iter().map(|it| &*it.name).chain(missing) {
        if let Some(value) = merged.get(key) {
            values.set(key, value.clone());
        }
    }
    values
}

/// `values.yaml` of a chart whose templates are elsewhere: its defaults.
pub(super) fn defaults(context: &Context<'_>, dir: &str) -> Result<Node, Problem> {
    let nowhere = Origin::at(Via::Written, None);
    let default = |it: &Origin| Origin::at(Via::ChartDefault, it.written_at());
    match context.sources.find_from(dir, "values.yaml") {
        Some(file) => layer(context.sources.documents(file, Dialect::Sigs), &nowhere),
        None => Ok(Node::new(Map::default(), nowhere)),
    }
    .map(|values| values.map_origins(&default))
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
