//! What the templates of a chart make of the values that reach it.
//!
//! `pkg/engine/engine.go` and `pkg/release/v1/util/{manifest,kind}_sorter.go` of Helm 4.

use std::rc::Rc;

use semver::Version;

use crate::{
    data::version::Constraint,
    parse,
    problem::Problem,
    relevance,
    resolve::{
        environment::ClusterVersion,
        gotemplate::{
            FunctionCall, GoData, GoError, GoHost, GoMap, GoValue, MarkedText, MissingKey,
            TemplateSet,
        },
        helm::{
            builtin::{self, ApiVersions},
            chart_files::ChartFiles,
            chart_object::metadata,
            chart_values::ChartValues,
            package::{Package, Packed, PackedContent},
            parsed, schema,
        },
    },
    scalar::{Dialect, Scalar},
    source::{self, FirstLook, Relevance, Sources},
    tree::{Kind, Map, Node, Origin, Reason, ReasonKind},
};

/// A release of a chart that is there.
#[derive(Debug)]
pub(crate) struct ChartInstallation<'a> {
    /// `.Release.Name`
    pub name: &'a str,
    /// `.Release.Namespace`
    pub namespace: &'a str,
    /// The user's values.
    pub values: &'a Node,
    /// What names the release.
    pub at: &'a Origin,
    /// The cluster's version, if it is known.
    pub kubernetes: Option<ClusterVersion>,
    /// What is known of the APIs that the cluster has.
    pub apis: ApiVersions,
    /// Whether its values are not held against `values.schema.json`.
    pub skips_schema: bool,
    /// Whether all that it makes is asked for, and not only what can matter to anybody.
    pub needs_all: bool,
}

/// What a release of a chart comes to.
#[derive(Debug, Default)]
pub(crate) struct ChartRendering {
    /// What its templates print, in the order in which Helm installs it; hooks come last.
    pub manifests: Vec<ChartManifest>,
    /// The objects in `crds/`, where all is asked for.
    pub definitions: Vec<Node>,
    /// The entries of `dependencies` that are not there.
    pub missing: Vec<Node>,
    /// What cannot be told, and what Helm refuses: it then makes nothing, and this is what the rest of
    /// the templates would make.
    pub problems: Vec<Problem>,
    /// How much was done for it: see [`TemplateSet::work`].
    pub work: usize,
}

/// An object that a template prints.
#[derive(Debug)]
pub(crate) struct ChartManifest {
    /// The object.
    pub node: Node,
    /// The template, as `# Source:` names it.
    pub template: Rc<str>,
    /// Why it may not be there at all.
    pub perhaps: Option<Reason>,
}

/// Renders `package` as `helm template` does for `release`.
pub(crate) fn render(
    sources: &Sources,
    package: Package,
    release: &ChartInstallation<'_>,
) -> ChartRendering {
    match package.is_built().and_then(|()| package.select(release.values)) {
        Ok(package) => render_selected(sources, &package, release),
        Err(problem) => ChartRendering { problems: vec![problem], ..ChartRendering::default() },
    }
}

/// What the templates of a chart print is read up to this [`MarkedText::cost`], which is some 130 MB of
/// memory.
const MOST_PRINTED: usize = 1 << 27;

/// A chart with so many values is not rendered.
pub(super) const MOST_VALUES: usize = 500_000;

fn too_much(release: &ChartInstallation<'_>, what: &str) -> Problem {
    let message = format!("{what}: the rest of the chart is not looked at");
    Problem::unresolved(release.at, message).hiding_objects()
}

/// [`render`] of a chart whose dependencies are chosen.
pub(crate) fn render_selected(
    sources: &Sources,
    package: &Package,
    release: &ChartInstallation<'_>,
) -> ChartRendering {
    if let Some(problem) = refused(package, release) {
        return ChartRendering { problems: vec![problem], ..ChartRendering::default() };
    }
    match package.complete(release.values) {
        Ok(values) if values.walk().nth(MOST_VALUES).is_some() => {
            let problems =
                vec![too_much(release, &format!("it has more than {MOST_VALUES} values"))];
            ChartRendering { problems, ..ChartRendering::default() }
        }
        Ok(values) => {
            let refused = match release.skips_schema {
                true => Vec::new(),
                false => schema::check(sources, package, &values, release.at),
            };
            let values = package.with_unknown_defaults(values);
            let mut rendering = ChartRun::new(sources, release).of(package, &values);
            if !refused.is_empty() {
                // The templates would not be reached.
                rendering.problems.retain(|it| !it.is_refusal());
                rendering.problems.extend(refused);
            }
            rendering
        }
        Err(problem) => ChartRendering { problems: vec![problem], ..ChartRendering::default() },
    }
}

/// Why Helm installs no such chart, whatever its values say: `pkg/action/install.go`.
fn refused(package: &Package, release: &ChartInstallation<'_>) -> Option<Problem> {
    if package.is_library() {
        let at = package.metadata.get("type").map_or(release.at, |it| &it.origin);
        return Some(Problem::refused(at, "a library chart cannot be installed").hiding_objects());
    }
    let wanted = package.metadata.get("kubeVersion")?;
    let text = wanted.as_str().filter(|it| !it.is_empty())?;
    let ClusterVersion { version, exact, .. } = release.kubernetes.as_ref()?;
    let constraint = Constraint::parse(text)?;
    // Of what is not known, no version may be left.
    let last = Version { patch: u64::MAX, ..version.clone() };
    if constraint.holds(version) || !exact && constraint.holds(&last) {
        return None;
    }
    let shown =
        if *exact { version.to_string() } else { format!("{}.{}", version.major, version.minor) };
    let message = format!("the chart is for Kubernetes {text}, and this is {shown}");
    Some(Problem::refused(&wanted.origin, message).hiding_objects())
}

/// A template, what it sees, and whether its chart may be switched off.
struct Renderable<'a> {
    name: Rc<str>,
    file: &'a Packed,
    dot: GoValue,
    base: Rc<str>,
    perhaps: Option<Reason>,
}

struct ChartRun<'a> {
    sources: &'a Sources,
    release: &'a ChartInstallation<'a>,
    templates: Vec<Renderable<'a>>,
    result: ChartRendering,
    /// Whether any template may look into files.
    files: bool,
}

impl<'a> ChartRun<'a> {
    fn new(sources: &'a Sources, release: &'a ChartInstallation<'a>) -> Self {
        let (templates, result) = (Vec::new(), ChartRendering::default());
        Self { sources, release, templates, result, files: false }
    }

    fn of(mut self, package: &'a Package, values: &Node) -> ChartRendering {
        self.files = reads_files(self.sources, package);
        let root = GoValue::of(values);
        let common = self.common();
        self.chart(package, values, &root, &package.name, &common, None);
        // Deeper ones first, so that those of a chart above take the place of those below.
        let depth = |it: &Renderable<'_>| it.name.matches('/').count();
        self.templates.sort_by(|a, b| (depth(b), &b.name).cmp(&(depth(a), &a.name)));
        let templates = std::mem::take(&mut self.templates);
        let mut set = TemplateSet::default();
        for template in &templates {
            match parsed::template(self.sources, template.file) {
                Ok(Ok(parsed)) => set.insert(&template.name, &parsed),
                Ok(Err(problem)) => self.refuse(problem, template.perhaps.is_some()),
                Err(why) => {
                    self.result.problems.push(Problem::unresolved(self.release.at, &*why));
                }
            }
        }
        let minors = builtin::minors(self.release.kubernetes.as_ref());
        let host = HelmHost { incomplete: !self.result.missing.is_empty(), minors };
        let (mut printed, mut left) = (Vec::new(), MOST_PRINTED);
        for template in &templates {
            let file = template.name.rsplit('/').next().unwrap_or_default();
            if file.starts_with('_') || !set.has(&template.name) {
                continue;
            }
            if let GoData::Map(dot) = &template.dot.clone().opened().data {
                let string = |text: &str| GoValue::string(text, self.release.at);
                let mut about = GoMap::default();
                about.set("Name", string(&template.name));
                about.set("BasePath", string(&template.base));
                let about = ChartValues::of(GoValue::map(about, self.release.at));
                dot.borrow_mut().set("Template", about);
            }
            let (text, failures) = set.execute_all(&template.name, &template.dot, &host);
            for error in failures {
                self.refuse(error.problem(), template.perhaps.is_some());
            }
            // Notes are for people.
            if file.ends_with("NOTES.txt") {
                continue;
            }
            left = left.saturating_sub(text.cost());
            if left == 0 {
                let problem = too_much(self.release, "its templates print too much");
                self.result.problems.push(problem);
                break;
            }
            printed.push((template, text.without_no_value()));
        }
        printed.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
        let mut manifests = Vec::new();
        for (template, text) in &printed {
            let pieces = split(text);
            let needed = pieces.iter().filter(|it| self.release.needs_all || !is_idle(it.as_str()));
            for document in needed.flat_map(MarkedText::documents) {
                let (at, wrong) = match document.root {
                    Ok(node) => match unreadable(&node) {
                        Some(wrong) => wrong,
                        None if is_unknown_hook(&node) => continue,
                        None => {
                            manifests.push(ChartManifest {
                                node,
                                template: template.name.clone(),
                                perhaps: template.perhaps.clone().or(document.perhaps),
                            });
                            continue;
                        }
                    },
                    Err((error, at)) => (at, format!("not YAML: {}", error.message)),
                };
                let unsure = template.perhaps.is_some()
                    || document.perhaps.is_some()
                    || text.unknown_part().is_some();
                let message = format!("what `{}` prints is {wrong}", template.name);
                self.result.problems.push(match unsure {
                    true => Problem::unresolved(&at, message),
                    false => Problem::refused(&at, message),
                });
            }
        }
        manifests.sort_by(|a, b| rank(a).cmp(&rank(b)));
        self.result.manifests = manifests;
        self.result.work = set.work();
        self.result
    }

    fn refuse(&mut self, problem: Problem, perhaps: bool) {
        let problem = match perhaps {
            true => Problem::unresolved(&problem.at, problem.message.clone()),
            false => problem,
        };
        self.result.problems.push(problem);
    }

    /// What the templates of all charts see.
    fn common(&self) -> GoMap {
        let at = self.release.at;
        let string = |text: &str| GoValue::string(text, at);
        let literal = |data| GoValue::new(data, at);
        let map = |entries: Vec<(&str, GoValue)>| {
            let mut map = GoMap::default();
            for (key, value) in entries {
                map.set(key, value);
            }
            GoValue::map(map, at)
        };
        let release = map(vec![
            ("Name", string(self.release.name)),
            ("Namespace", string(self.release.namespace)),
            ("IsInstall", literal(GoData::Bool(true))),
            ("IsUpgrade", literal(GoData::Bool(false))),
            ("Revision", literal(GoData::Int(1))),
            ("Service", string("Helm")),
        ]);
        let version = self.release.kubernetes.as_ref();
        let kubernetes = version
            .map_or_else(|| GoValue::unknown(builtin::no_version(), at), builtin::kube_version);
        let apis = builtin::Apis::new(self.release.apis, version.cloned(), at);
        let capabilities = map(vec![
            ("KubeVersion", kubernetes),
            ("APIVersions", literal(GoData::Object(Rc::new(apis)))),
            (
                "HelmVersion",
                map(vec![("Version", string("v4.3.1")), ("GitTreeState", string("clean"))]),
            ),
        ]);
        let mut common = GoMap::default();
        common.set("Release", release);
        common.set("Capabilities", capabilities);
        common
    }

    /// Adds the templates of `package`, whose values are `own` and the same as templates see them.
    /// What they see themselves.
    fn chart(
        &mut self,
        package: &'a Package,
        own: &Node,
        values: &GoValue,
        path: &str,
        common: &GoMap,
        perhaps: Option<&Reason>,
    ) -> GoValue {
        let at = self.release.at;
        let is_root = !path.contains('/');
        let mut dot = common.clone();
        dot.set("Chart", metadata(package, is_root));
        dot.set("Values", ChartValues::of(values.clone()));
        let files =
            if self.files { ChartFiles::of(self.sources, package) } else { ChartFiles::default() };
        dot.set("Files", GoValue::new(GoData::Object(Rc::new(files)), &package.metadata.origin));
        let mut subcharts = GoMap::default();
        for chart in &package.charts {
            let name = &*chart.name;
            let nothing = || GoValue::map(GoMap::default(), &values.origin);
            let below = match &values.data {
                GoData::Map(map) => {
                    map.borrow().entries.get(name).map_or_else(nothing, |it| it.1.clone())
                }
                _ => values.clone(),
            };
            let node = own.perhaps_at_key(name);
            let perhaps = perhaps.or(chart.perhaps.as_ref());
            let path = format!("{path}/charts/{name}");
            subcharts.set(name, self.chart(chart, &node, &below, &path, common, perhaps));
        }
        self.result.missing.extend(package.missing.iter().map(|(entry, _)| entry.clone()));
        dot.set("Subcharts", GoValue::map(subcharts, at));
        let dot = GoValue::map(dot, &package.metadata.origin);
        let base: Rc<str> = format!("{path}/templates").into();
        for file in &package.templates {
            let name = file.name.rsplit('/').next().unwrap_or_default();
            if !package.is_library() || name.starts_with('_') {
                self.templates.push(Renderable {
                    name: format!("{path}/{}", file.name).into(),
                    file,
                    dot: ChartValues::of(dot.clone()),
                    base: base.clone(),
                    perhaps: perhaps.cloned(),
                });
            }
        }
        let definitions = package.files.iter().filter(|it| is_definition(&it.name));
        for file in definitions.filter(|_| self.release.needs_all) {
            let documents = match &file.content {
                PackedContent::File(file) => self.sources.documents(*file, Dialect::Sigs).clone(),
                PackedContent::Packed(_, place) => {
                    let text = file.text(self.sources).unwrap_or_default();
                    let node = Node::new(Scalar::string(text), place.clone());
                    parse::embedded(self.sources, &node, Dialect::Sigs)
                }
            };
            self.result.definitions.extend(documents.roots().cloned());
        }
        dot
    }
}

/// The manifests in what a template prints (`SplitManifests`); what is no YAML keeps to itself.
fn split(text: &MarkedText) -> Vec<MarkedText> {
    let whole = text.as_str();
    let ends = source::lines(whole).filter(|(_, line)| line.starts_with("---"));
    let mut manifests = Vec::new();
    let mut start = 0;
    for (end, next) in ends.map(|(at, _)| (at, at + 3)).chain([(whole.len(), 0)]) {
        // With the white space before it goes the indentation of its first line.
        let manifest = whole[start..end].trim_start();
        if !manifest.is_empty() {
            let mut manifest = text.part_of(manifest);
            // As it is sent to the cluster.
            manifest.push_made("\n");
            manifests.push(manifest);
        }
        start = next;
    }
    manifests
}

/// What many charts have more of than of all else, and what is judged by nobody, whatever it says.
const IDLE: [&str; 6] = [
    "Assign",
    "ConstraintTemplate",
    "CustomResourceDefinition",
    "GrafanaDashboard",
    "ModifySet",
    "PrometheusRule",
];

/// Whether a manifest, which no more is read of then, is nothing that anybody asks about.
fn is_idle(manifest: &str) -> bool {
    let mut kinds = source::lines(manifest).filter_map(|(_, line)| line.strip_prefix("kind:"));
    let kind = kinds.next().map(|it| it.trim().trim_matches(['"', '\'']));
    let is_silent = || {
        let silent = FirstLook { relevance: Relevance::None, is_silent: true };
        relevance::look_at(manifest.as_bytes()) == silent
    };
    kind.is_some_and(|it| IDLE.contains(&it) || it == "ConfigMap" && is_silent())
        && kinds.next().is_none()
}

/// Whether the file of that name holds custom resource definitions.
fn is_definition(name: &str) -> bool {
    name.starts_with("crds/") && [".yaml", ".yml", ".json"].iter().any(|it| name.ends_with(it))
}

fn reads_files(sources: &Sources, package: &Package) -> bool {
    let reads = |it: &Packed| it.text(sources).is_ok_and(|it| it.contains(".Files"));
    package.templates.iter().any(reads)
        || package.charts.iter().any(|it| reads_files(sources, it))
        || package.values.walk().any(|it| it.as_str().is_some_and(|it| it.contains(".Files")))
}

impl Node {
    /// The value at `key` of a map; nothing where there is none, unknown where nobody can tell.
    fn perhaps_at_key(&self, key: &str) -> Self {
        match self.look(key) {
            Ok(Some(it)) => it.clone(),
            Ok(None) => Self::new(Map::default(), self.origin.clone()),
            Err((why, at)) => Self::unknown_value(why, &at),
        }
    }
}

/// What Helm adds to the functions of Sprig.
struct HelmHost {
    /// Whether a chart that it depends on is not there.
    incomplete: bool,
    /// The minor versions that the cluster may have.
    minors: Vec<u64>,
}

/// Functions that give something else each time.
const RANDOM: &[&str] = &[
    "now",
    "randAlphaNum",
    "randAlpha",
    "randAscii",
    "randNumeric",
    "randBytes",
    "randInt",
    "shuffle",
    "uuidv4",
    "genPrivateKey",
    "genCA",
    "genCAWithKey",
    "genSelfSignedCert",
    "genSelfSignedCertWithKey",
    "genSignedCert",
    "genSignedCertWithKey",
    "htpasswd",
    "bcrypt",
    "encryptAES",
];

impl GoHost for HelmHost {
    /// As in Go; it is taken out at the end.
    fn missing(&self) -> MissingKey {
        MissingKey::NoValue
    }

    fn function(&self, call: &FunctionCall<'_>) -> Option<Result<GoValue, Box<GoError>>> {
        Some(Ok(match call.name {
            "getHostByName" => GoValue::string("", call.at),
            name if RANDOM.contains(&name) => {
                let why = Reason::from(format!("`{name}` gives something else each time"))
                    .of_kind(ReasonKind::Random);
                match name {
                    "randAlpha" | "randAlphaNum" | "randNumeric"
                        if call.size(0).is_ok_and(|it| it > 0) =>
                    {
                        GoValue::text(MarkedText::random(why, call.at), call.at)
                    }
                    _ => GoValue::unknown(why, call.at),
                }
            }
            "semverCompare" => return builtin::compare_unknown(call, &self.minors),
            _ => return None,
        }))
    }

    fn elsewhere(&self) -> Option<Reason> {
        let why = || "a chart that has the template is not in the repository".into();
        self.incomplete.then(why)
    }
}

/// What is wrong with a manifest, and where, of which Helm cannot read what it is (`SimpleHead`). A
/// scalar of any type is read as text, and null is nothing.
fn unreadable(manifest: &Node) -> Option<(Origin, String)> {
    let annotations = manifest.at("metadata.annotations").into_iter().flat_map(Node::entries);
    let fields = [
        ("metadata", true),
        ("metadata.annotations", true),
        ("apiVersion", false),
        ("kind", false),
        ("metadata.name", false),
    ];
    let fields = fields.iter().filter_map(|(path, map)| Some((*path, manifest.at(path)?, *map)));
    let texts = annotations.map(|(key, it)| (key, &it.value, false));
    let mut all = std::iter::once((".", manifest, true)).chain(fields).chain(texts);
    all.find_map(|(name, it, is_mapping)| {
        let wanted = if is_mapping { "mapping" } else { "text" };
        let what = match &it.kind {
            Kind::Unknown(_) => return None,
            Kind::Map(_) if is_mapping => return None,
            Kind::Scalar(_) if !is_mapping || it.is_null() => return None,
            Kind::Map(_) => "mapping",
            Kind::List(_) => "list",
            Kind::Scalar(_) => "scalar",
        };
        Some((it.origin.clone(), format!("no manifest: `{name}` is a {what}, not a {wanted}")))
    })
}

/// What Helm calls hooks; others it leaves out.
const HOOKS: &[&str] = &[
    "pre-install",
    "post-install",
    "pre-delete",
    "post-delete",
    "pre-upgrade",
    "post-upgrade",
    "pre-rollback",
    "post-rollback",
    "test",
    "test-success",
];

/// Whether Helm leaves an object out, since it is a hook for something that it does not know.
fn is_unknown_hook(node: &Node) -> bool {
    let hooks = node.at("metadata.annotations").and_then(|it| it.get("helm.sh/hook")?.as_str());
    let is_known = |it: &str| HOOKS.contains(&&*it.trim().to_lowercase());
    hooks.is_some_and(|it| !it.split(',').all(is_known))
}

/// Where Helm installs an object: hooks apart, by kinds in its order, others by their names.
fn rank(manifest: &ChartManifest) -> (bool, usize, &str) {
    let kind = manifest.node.object_kind();
    let annotations = manifest.node.at("metadata.annotations");
    let hook = annotations.is_some_and(|it| it.get("helm.sh/hook").is_some());
    match INSTALL_ORDER.iter().position(|it| *it == kind) {
        Some(at) => (hook, at, ""),
        None => (hook, INSTALL_ORDER.len(), kind),
    }
}

/// `InstallOrder`
const INSTALL_ORDER: &[&str] = &[
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];
