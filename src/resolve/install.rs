//! What installers share: how they refer to charts and values, and what they give back.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use semver::Version;

use crate::{
    data::{kinds::is_cluster_scoped, upstream},
    nearest::{edits, may_be_edits, most_edits},
    parse,
    problem::{Problem, ProblemKind},
    resolve::{
        context::Context,
        environment::{ClusterVersion, Environment, Object, Release},
        helm::{self, Installed, strvals},
        layout::Closure,
        names,
    },
    scalar::{Dialect, Scalar},
    source::{self, FileId, Sources, Text},
    tree::{Kind, Node, Origin, Reason, Via},
};

/// What one installer finds in the repository.
#[derive(Debug, Default)]
pub(crate) struct Discovery {
    /// Environments, or parts of those that have the same name.
    pub environments: Vec<Environment>,
    /// What they read: nothing of it starts an environment of its own.
    pub reached: Reached,
    /// The files that hold the objects they start from, and in which environments these are: what
    /// else is in such a file is applied with it.
    pub declared: Declared,
    /// Directories of code that others call, and for which environments.
    pub called: Called,
    /// Where something is installed that nobody can tell, in environments that are not among these.
    pub unread: Vec<Origin>,
}

/// Files by the names of the environments that objects in them start.
pub(crate) type Declared = BTreeMap<FileId, BTreeSet<String>>;

/// Directories of code by who calls it: what it makes is made once for each of them.
pub(crate) type Called = BTreeMap<String, BTreeSet<Caller>>;

/// Who runs code: a root module of Terraform.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Caller {
    /// The name of the environment that it makes.
    pub environment: String,
    /// The directory in which it is run.
    pub dir: String,
}

/// Who calls the code that the file at `path` is part of; `None` where it is part of none. What lies
/// below a called directory is part of the code in it, unless its callers lie there, too.
pub(crate) fn callers<'c>(called: &'c Called, path: &str) -> Option<&'c BTreeSet<Caller>> {
    let dir = source::parent(path);
    if let Some(callers) = called.get(dir).filter(|_| source::extension(path) == "tf") {
        return Some(callers);
    }
    let mut dirs = std::iter::successors(Some(dir), |dir| {
        let dir: &str = dir;
        (!dir.is_empty()).then(|| source::parent(dir))
    });
    let (dir, callers) = dirs.find_map(|it| called.get_key_value(it))?;
    callers.iter().all(|it| !source::is_within(&it.dir, dir)).then_some(callers)
}

/// Files and directories that an environment reads.
#[derive(Debug, Default, Clone)]
pub(crate) struct Reached {
    /// Files.
    pub files: BTreeSet<FileId>,
    /// Directories with a kustomization.
    pub dirs: BTreeSet<String>,
}

impl Reached {
    /// Adds what building a directory reaches.
    pub(crate) fn extend(&mut self, closure: &Closure) {
        self.files.extend(&closure.files);
        self.dirs.extend(closure.dirs.iter().cloned());
    }
}

impl Discovery {
    /// Adds what another tool found.
    pub(crate) fn extend(&mut self, other: Self) {
        self.environments.extend(other.environments);
        self.unread.extend(other.unread);
        self.reached.files.extend(other.reached.files);
        self.reached.dirs.extend(other.reached.dirs);
        for (file, names) in other.declared {
            self.declared.entry(file).or_default().extend(names);
        }
        for (dir, callers) in other.called {
            self.called.entry(dir).or_default().extend(callers);
        }
    }
}

impl Environment {
    /// Adds a release, those that it comes to, and what their charts render.
    pub(crate) fn install(&mut self, context: &Context<'_>, release: Release) {
        let installed = self.template(context, release);
        self.problems.extend(installed.problems);
        installed.parts.into_iter().for_each(|(release, objects)| self.add(release, objects));
    }

    /// What a release comes to in the Kubernetes of this environment.
    pub(crate) fn template(&self, context: &Context<'_>, mut release: Release) -> Installed {
        if self.is_full() {
            let problem = Self::too_full(&release.name, &release.anchor);
            release.values = Node::unknown_value(problem.message.clone(), &release.anchor);
            return Installed { parts: vec![(release, Vec::new())], problems: vec![problem] };
        }
        let settings = self.settings.as_ref();
        let settings = settings.or_else(|| names::settings_for(context.config, &self.name, ""));
        let kubernetes = settings.and_then(|it| it.kubernetes.as_ref());
        let configured = kubernetes.map(|(version, origin)| ClusterVersion {
            version: version.clone(),
            // `1.31` may be any of them.
            exact: version.patch > 0,
            origin: origin.clone(),
        });
        let kubernetes = release.kubernetes.clone().or(configured);
        helm::install(context, Release { kubernetes, ..release })
    }

    /// Adds a release and the objects that it comes to.
    pub(crate) fn add(&mut self, release: Release, objects: Vec<Node>) {
        let (index, suspended) = (Some(self.releases.len()), release.suspended);
        let object = |node| Object { release: index, suspended, ..Object::new(node) };
        let objects: Vec<Object> = objects.into_iter().map(object).collect();
        self.hold_release(&release);
        self.hold(&objects);
        self.objects.extend(objects);
        self.releases.push(release);
    }
}

/// A chart as a tool refers to it.
#[derive(Debug)]
pub(crate) struct ChartReference<'a> {
    /// Its name, the path of its directory, or an OCI reference.
    pub name: &'a str,
    /// The address of the repository that it comes from, when something says it.
    pub repository: Option<&'a Node>,
    /// The directory of this repository that holds it.
    pub directory: Option<&'a str>,
    /// Its version, exact or a range.
    pub version: Option<Node>,
}

impl ChartReference<'_> {
    /// A release of it, whose anchor is its version, else `otherwise`, where the chart is named.
    pub(crate) fn release(
        self,
        via: &'static str,
        name: impl Into<String>,
        namespace: &str,
        values: Node,
        otherwise: &Origin,
    ) -> Release {
        let archived = match self.directory {
            None => archive_version(self.name, otherwise),
            Some(_) => None,
        };
        let tells = |it: &Node| it.unknown().is_none();
        let whole = match archived {
            Some(told) if tells(&told) || self.version.is_none() => Some(told),
            _ => self.version,
        };
        let version = whole.as_ref().and_then(Node::as_scalar);
        let repository = self.repository.filter(|it| !is_blank(it));
        let address = repository.and_then(Node::as_str);
        let family = match self.directory {
            Some(_) => None,
            None => helm::family(self.name, address, version.map(|it| &*it.text), &values),
        };
        Release {
            name: name.into(),
            is_anywhere: false,
            namespace: if namespace.is_empty() { "default" } else { namespace }.to_owned(),
            via,
            family,
            chart: self.name.to_owned(),
            repository: repository.cloned(),
            directory: self.directory.map(ToOwned::to_owned),
            modified: None,
            reads: None,
            below: Vec::new(),
            alias: None,
            anchor: whole.as_ref().map_or(otherwise, |it| &it.origin).clone(),
            version: whole,
            values,
            shell: false,
            beside: Vec::new(),
            kubernetes: None,
            skips_schema: false,
            needs_all: true,
            suspended: false,
            work: 0,
            unit: None,
        }
    }
}

/// The version of the archive that a chart is referred to by, as far as its name tells it, which stands
/// `at`: `helm package` puts it there, and Helm takes the archive whatever version it is asked for
/// (`ResolveChartVersion` of `pkg/downloader/chart_downloader.go`).
fn archive_version(chart: &str, at: &Origin) -> Option<Node> {
    let name = source::file_name(chart).strip_suffix(".tgz")?;
    let mut rests = name.match_indices('-').map(|(at, _)| &name[at + 1..]);
    let version = rests.find(|it| Version::parse(it.trim_start_matches('v')).is_ok());
    let unknown = || Reason::from("the name of the archive does not tell the chart's version");
    Some(Node::new(version.ok_or_else(unknown), at.clone()))
}

/// `release` in the namespace that an installer is told: where nobody can tell it, the one of which
/// nothing is to be said.
pub(crate) fn in_namespace(told: Option<&Node>, release: Release) -> Release {
    let is_anywhere = told.is_some_and(|it| it.unknown().is_some());
    let told = told.and_then(Node::as_str).filter(|it| !it.is_empty()).unwrap_or("default");
    let namespace = if is_anywhere { "kube-system" } else { told }.to_owned();
    Release { namespace, is_anywhere, ..release }
}

/// That metrics-server's repository certainly does not have `path` at `revision`, if so.
pub(crate) fn moved(at: &Origin, revision: &str, path: &str) -> Option<Problem> {
    const HELP: &str = "use a file of a release, as in releases/download/v0.8.1/components.yaml, \
                        or the path of that revision";
    let why = upstream::moved(revision, path)?;
    let message = format!("metrics-server's repository does not have this path: {why}");
    let problem = Problem::new(ProblemKind::UpstreamPathMoved, at, message);
    Some(problem.help(HELP).hiding_objects())
}

/// The version of the chart that the repository of those who publish it has at `revision`; where none is
/// named, that is to be said `at`.
pub(crate) fn chart_version(revision: Option<&Node>, at: &Origin) -> Node {
    let revision = revision.filter(|it| !is_blank(it));
    let at = revision.map_or(at, |it| &it.origin);
    match revision.and_then(Node::as_str).and_then(upstream::chart_version) {
        Some(version) => Node::new(version, at.clone()),
        None => Node::unknown_value("the chart is of the version that its source has", at),
    }
}

/// The values that a file holds.
///
/// # Errors
/// Why nobody can tell them, or why Helm refuses them, at `reference`.
pub(crate) fn read_values(
    sources: &Sources,
    file: FileId,
    reference: &Origin,
) -> Result<Node, Problem> {
    let path = &sources[file].path;
    if let Text::Skipped(skip) = sources.load(file) {
        let message = format!("`{path}` {skip}");
        return Err(Problem::unresolved(reference, message));
    }
    let documents = sources.documents(file, Dialect::Sigs);
    if documents.roots().any(parse::is_sops) {
        let message = format!("`{path}` is encrypted with SOPS");
        return Err(Problem::unresolved(reference, message));
    }
    helm::layer(documents, reference)
}

/// So many layers of values may a release have.
const MOST_LAYERS: usize = 200;

/// The layers of values in a list; where there are more than anybody writes, none of them, and what
/// stands for them, with a problem.
pub(crate) fn layers<'n>(
    list: &'n [Node],
    problems: &mut Vec<Problem>,
) -> (&'n [Node], Option<Node>) {
    let Some(next) = list.get(MOST_LAYERS) else { return (list, None) };
    let why = format!("more than {MOST_LAYERS} layers of values are not read");
    problems.push(Problem::unresolved(&next.origin, &*why));
    (&[], Some(Node::unknown_value(why, &next.origin)))
}

/// A layer of values that `reference` brings in; unknown, with a problem, when there is none.
pub(crate) fn layer(
    values: Result<Node, Problem>,
    reference: &Origin,
    problems: &mut Vec<Problem>,
) -> Node {
    match values {
        Ok(values) => values.through(Via::Values, reference.written_at()),
        Err(problem) => {
            let unknown = Node::unknown_value(problem.message.clone(), reference);
            problems.push(problem);
            unknown
        }
    }
}

/// The values in `node`, a text; unknown, with a problem, when Helm refuses them.
pub(crate) fn values_text(sources: &Sources, node: &Node, problems: &mut Vec<Problem>) -> Node {
    let documents = parse::embedded(sources, node, Dialect::Sigs);
    helm::layer(&documents, &node.origin).unwrap_or_else(|problem| {
        problems.push(problem);
        Node::unknown_value("the values cannot be read", &node.origin)
    })
}

/// Merges into `values` what the list `from`, unless it is empty, takes from outside the repository.
pub(crate) fn hide(values: &mut Node, from: Option<&Node>, why: &str) -> Option<Problem> {
    let from = from.filter(|it| !it.items().is_empty())?;
    *values = helm::merge(values, &Node::unknown_value(why, &from.origin));
    Some(Problem::unresolved(&from.origin, why))
}

/// A value as `--set` takes it for one, commas and all.
pub(crate) fn escaped(value: &Node) -> Node {
    let Some(scalar) = value.as_scalar() else { return value.clone() };
    let text = scalar.text.replace("\\,", ",").replace(',', "\\,");
    Node::new(Scalar::string(text), value.origin.clone())
}

/// Sets `name` to `value` in `values` as `--set` does, or `--set-string` when `strings`.
///
/// # Errors
/// What Helm refuses; the values are then unknown.
pub(crate) fn set(
    values: &mut Node,
    name: &str,
    value: &Node,
    strings: bool,
) -> Result<(), Problem> {
    let Some(scalar) = value.as_scalar() else {
        // What is set cannot be told, but where it is set can.
        return put(values, name, value);
    };
    let assignment = format!("{name}={}", scalar.text);
    let result = strvals::set(values, &assignment, strvals::Notation::of(strings), &value.origin);
    result.map_err(|why| refused(values, name, value, &why))
}

/// Sets `name` to `value`, whatever that is, as `--set-file` does.
///
/// # Errors
/// As of [`set`].
pub(crate) fn put(values: &mut Node, name: &str, value: &Node) -> Result<(), Problem> {
    let assignments = strvals::parse(&format!("{name}=x"), strvals::Notation::Typed, &value.origin);
    let result = assignments.and_then(|all| {
        all.iter().try_for_each(|it| strvals::assign(values, &it.path, value.clone()))
    });
    result.map_err(|why| refused(values, name, value, &why))
}

fn refused(values: &mut Node, name: &str, value: &Node, why: &str) -> Problem {
    let why = format!("Helm refuses to set `{name}`: {why}");
    values.kind = Kind::Unknown(why.as_str().into());
    Problem::refused(&value.origin, why).about(name)
}

/// `Kustomization apps (clusters/prod/apps.yaml:3)`: an object in a message.
pub(crate) fn introduced(sources: &Sources, object: &Node) -> String {
    let (kind, name) = (object.object_kind(), object.object_name());
    match object.object_anchor().written_at() {
        Some(span) => {
            let line = sources.start(span).line;
            format!("{kind} {name} ({}:{line})", sources[span.file].path)
        }
        None => format!("{kind} {name}"),
    }
}

/// The directory that was probably meant by `path`, where there is none: one as deep, with the fewest
/// edits of its names, and at most one for three letters of each.
pub(crate) fn near(sources: &Sources, path: &str) -> Option<String> {
    // Where one path is gone, many name it.
    let known = sources.keep(|_| NearKnown::default());
    let mut known = known.0.lock().unwrap_or_else(PoisonError::into_inner);
    let found = known.entry(path.into()).or_insert_with(|| {
        let mut search = NearSearch { sources, left: MAX_COMPARED };
        search.below("", path, usize::MAX).map(|(_, dir)| dir)
    });
    found.clone()
}

/// The answers of [`near`] so far.
#[derive(Default)]
struct NearKnown(Mutex<BTreeMap<Box<str>, Option<String>>>);

/// So many names are compared with one, and no more: it is advice.
const MAX_COMPARED: usize = 500;

/// A search for the directory that is most like a path.
struct NearSearch<'a> {
    sources: &'a Sources,
    /// How many names may still be compared.
    left: usize,
}

impl NearSearch<'_> {
    /// The directory below `dir` that is most like `rest`, and how many edits away, which are `most`.
    fn below(&mut self, dir: &str, rest: &str, most: usize) -> Option<(usize, String)> {
        let (name, rest) = rest.split_once('/').map_or((rest, None), |(it, rest)| (it, Some(rest)));
        let at = |name: &str| source::inside(dir) + name;
        let mut best = self.at(at(name), rest, most);
        let sources = self.sources;
        let of_name = most_edits(name);
        for other in sources.names_in(dir).filter(|it| *it != name) {
            let better = best.as_ref().map_or(Some(most), |(edits, _)| edits.checked_sub(1));
            let (Some(most), Some(left)) = (better, self.left.checked_sub(1)) else { break };
            self.left = left;
            if !may_be_edits(of_name, other, name) {
                continue;
            }
            let edits = edits(other, name);
            let found = (edits <= most.min(of_name))
                .then(|| self.at(at(other), rest, most - edits))
                .flatten();
            best = found.map(|(more, dir)| (edits + more, dir)).or(best);
        }
        best
    }

    /// The directory at `dir`, or the one below it that is most like `rest`.
    fn at(&mut self, dir: String, rest: Option<&str>, most: usize) -> Option<(usize, String)> {
        match rest {
            Some(rest) => self.below(&dir, rest, most),
            None => self.sources.is_dir(&dir).then_some((0, dir)),
        }
    }
}

/// Whether there is nothing in a field.
pub(crate) fn is_blank(node: &Node) -> bool {
    node.is_null() || node.as_str() == Some("")
}

/// Gives a namespaced object without a namespace the one that it is deployed to.
pub(crate) fn default_namespace(node: &mut Node, namespace: Option<&Node>) {
    let Some(namespace) = namespace.filter(|it| !is_blank(it)) else { return };
    let scoped = node.str_at("kind").is_none_or(is_cluster_scoped);
    if scoped || node.at("metadata.namespace").is_some_and(|it| !is_blank(it)) {
        return;
    }
    if let Some(metadata) = node.at_mut("metadata") {
        metadata.set("namespace", namespace.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixture;

    #[test]
    fn an_archive_says_its_version_in_its_name() {
        let told = |chart: &str, written: Option<&str>| {
            let at = Origin::at(Via::Written, None);
            let version = written.map(|it| Node::new(it, at.clone()));
            let reference =
                ChartReference { name: chart, repository: None, directory: None, version };
            let release = reference.release("helmfile", "x", "", Node::new("", at.clone()), &at);
            release.version.map(|it| it.as_str().unwrap_or("?").to_owned())
        };
        for (chart, version) in [
            ("https://example.com/metrics-server-3.12.2.tgz", Some("3.12.2")),
            ("https://example.com/rke2-metrics-server-3.12.203.tgz", Some("3.12.203")),
            ("charts/metrics-server-v3.12.2-rc.1.tgz", Some("v3.12.2-rc.1")),
            ("https://example.com/3.12.2/metrics-server.tgz", Some("?")),
            ("https://example.com/metrics-server-3.tgz", Some("?")),
            ("oci://example.com/metrics-server", None),
            ("metrics-server-3.12.2", None),
        ] {
            assert_eq!(told(chart, None).as_deref(), version, "{chart}");
        }
        // Helm takes what is there, whatever it is asked for.
        assert_eq!(told("a/x-1.2.3.tgz", Some("9.9.9")).as_deref(), Some("1.2.3"));
        assert_eq!(told("a/x.tgz", Some("9.9.9")).as_deref(), Some("9.9.9"));
    }

    #[test]
    fn a_directory_that_is_meant_differs_little_in_each_of_its_names() {
        let sources = fixture(
            "
            //- clusters/prod/apps/a.yaml
            //- clusters/production-of-old/apps/a.yaml
            //- infra/prod/base/a.yaml
            ",
        );
        let near = |path| near(&sources, path);
        assert_eq!(near("cluster/prd/app").as_deref(), Some("clusters/prod/apps"));
        assert_eq!(near("clusters/prod/base"), None);
        assert_eq!(near("clusters/production/apps"), None);
    }
}
