//! What resolving comes to: environments, their objects, and the charts that they install.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use semver::Version;

use crate::{
    config::EnvironmentConfig,
    data::{Family, charts::ValueKey, subject::is_named_in, version},
    problem::{Problem, UnitId},
    source::{FileId, Span},
    tree::{Node, Origin, Reason},
};

/// What the environment is called that no directory names.
pub(crate) const UNNAMED: &str = "default";

/// One effective world: what one cluster would run, as far as the repository says.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    /// Its name, unique in a run.
    pub name: String,
    /// What it starts from.
    pub entry: EntryPoint,
    /// What the configuration says of it.
    pub settings: Option<EnvironmentConfig>,
    /// The final objects, those rendered from charts included.
    pub objects: Vec<Object>,
    /// What a patch took out of what was built.
    pub deleted: Vec<Deleted>,
    /// Charts that are installed, known or not.
    pub releases: Vec<Release>,
    /// How many values and fields what was installed holds: see [`super::bounds`].
    pub held: usize,
    /// What templates did that say what is in it, beside those of charts: see
    /// [`super::gotemplate::TemplateSet::work`].
    pub work: usize,
    /// Files that belong to it but that nothing builds: kubelet configuration in its many carriers,
    /// installer configuration. In path order.
    pub files: Vec<FileId>,
    /// What could not be read or resolved, or would fail to build.
    pub problems: Vec<Problem>,
    /// What is deployed, or refused, as one.
    pub units: Vec<Unit>,
    /// The variables that Flux may put into objects, each definition once.
    pub variables: Vec<DefinedVariable>,
    /// The commands of scripts that it is made of.
    pub commands: Vec<Span>,
    /// The tool by which these start its cluster on the machine that runs them, and where.
    pub local: Option<(&'static str, Origin)>,
    /// Whether nothing in it speaks of our subject: it is there for what scales workloads.
    pub aside: bool,
    /// Whether something that Flux applies was not built, since it seems to be about others: what is not
    /// here may be there.
    pub is_partial: bool,
}

/// A definition of a variable that Flux may put into objects.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DefinedVariable {
    /// Its name.
    pub name: String,
    /// Its text, or why it cannot be told, and where.
    pub value: Node,
    /// What defines it: `ConfigMap flux-system/cluster-vars`; the Kustomization itself.
    pub source: String,
    /// The definition of the same `postBuild` that is used instead.
    pub overridden: Option<Node>,
    /// Whether anything in the repository speaks of it besides its definitions; `None` where nobody
    /// looked, since it is not about what we judge.
    pub used: Option<bool>,
}

/// Something that a tool deploys as one: a Flux Kustomization, an Argo CD Application, a release of a
/// chart. When one thing in it is refused, nothing of it is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unit {
    /// What others call it: `HelmRelease kube-system/metrics-server`.
    pub id: String,
    /// What has to be deployed before it: what applies it, and what it depends on.
    pub after: Vec<String>,
    /// Whether it is a release of a chart, which is rendered where it is installed.
    pub release: bool,
    /// The cluster that it is deployed to, when that is not the environment's.
    pub cluster: Option<RemoteCluster>,
}

/// A cluster that is not the environment's, as that refers to it which is deployed there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RemoteCluster {
    /// What it is called, which others may be too.
    pub name: String,
    /// What tells it from others.
    pub id: String,
}

/// What an environment starts from.
#[derive(Debug, Clone)]
pub(crate) struct EntryPoint {
    /// What it is.
    pub kind: EntryKind,
    /// Where it is: the object's name, the kustomization file, the first manifest.
    pub origin: Origin,
}

/// The kinds of things that environments start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum EntryKind {
    /// A Flux Kustomization that no other one builds, or a directory that the configuration says
    /// one points at.
    Flux,
    /// An Argo CD Application or ApplicationSet instance.
    ArgoCd,
    /// A kustomization that nothing else includes.
    Kustomization,
    /// A Helm values file.
    Values,
    /// An environment of another tool: Helmfile, Fleet, Terraform.
    Other,
    /// Manifests that nothing includes.
    Manifests,
}

impl Environment {
    /// An environment without anything in it.
    pub(crate) fn new(name: impl Into<String>, kind: EntryKind, origin: Origin) -> Self {
        Self {
            name: name.into(),
            entry: EntryPoint { kind, origin },
            settings: None,
            objects: Vec::new(),
            deleted: Vec::new(),
            releases: Vec::new(),
            held: 0,
            work: 0,
            files: Vec::new(),
            problems: Vec::new(),
            units: Vec::new(),
            variables: Vec::new(),
            commands: Vec::new(),
            local: None,
            aside: false,
            is_partial: false,
        }
    }

    /// Adds definitions of variables, each that is not known.
    pub(crate) fn define(&mut self, variables: Vec<DefinedVariable>) {
        let id = |it: &DefinedVariable| (it.name.clone(), it.value.origin.written_at());
        let known = self.variables.iter().enumerate();
        let mut known: BTreeMap<_, usize> = known.map(|(index, it)| (id(it), index)).collect();
        for variable in variables {
            match known.entry(id(&variable)) {
                Entry::Occupied(index) => {
                    // It counts where any Kustomization takes it.
                    if variable.overridden.is_none()
                        && let Some(known) = self.variables.get_mut(*index.get())
                    {
                        known.overridden = None;
                    }
                }
                Entry::Vacant(place) => {
                    place.insert(self.variables.len());
                    self.variables.push(variable);
                }
            }
        }
    }

    /// What there is now, for [`Environment::end`].
    pub(crate) fn begin(&self) -> UnitStart {
        UnitStart([self.objects.len(), self.releases.len(), self.problems.len()])
    }

    /// Makes `unit` of what was added since `start`, but for what belongs to a unit already.
    pub(crate) fn end(&mut self, UnitStart([objects, releases, problems]): UnitStart, unit: Unit) {
        let id = UnitId::at(self.units.len());
        let objects = self.objects.iter_mut().skip(objects).map(|it| &mut it.unit);
        let releases = self.releases.iter_mut().skip(releases).map(|it| &mut it.unit);
        let problems = self.problems.iter_mut().skip(problems).map(|it| &mut it.unit);
        for its in objects.chain(releases).chain(problems) {
            its.get_or_insert(id);
        }
        self.units.push(unit);
    }

    /// The unit that `problem` is about.
    pub(crate) fn unit_of(&self, problem: &Problem) -> Option<&Unit> {
        self.units.get(problem.unit?.index())
    }

    /// The release that `object` comes from.
    pub(crate) fn release_of(&self, object: &Object) -> Option<&Release> {
        self.releases.get(object.release?)
    }

    /// What others call the unit that `object` belongs to.
    pub(crate) fn applies(&self, object: &Object) -> Option<String> {
        Some(self.units.get(object.unit?.index())?.id.clone())
    }

    /// The cluster that gets `object`, when that is not the environment's.
    pub(crate) fn cluster_of(&self, object: &Object) -> Option<&RemoteCluster> {
        self.units.get(object.unit?.index())?.cluster.as_ref()
    }
}

/// How much of an environment there was before a unit.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct UnitStart(pub(super) [usize; 3]);

impl UnitStart {
    /// How many objects there were.
    pub(crate) fn objects(self) -> usize {
        self.0[0]
    }
}

impl Unit {
    /// The object of `kind` with that namespace and name.
    pub(crate) fn of(kind: &str, namespace: &str, name: &str) -> Self {
        let id = format!("{kind} {namespace}/{name}");
        Self { id, after: Vec::new(), release: false, cluster: None }
    }

    /// The same as a release of a chart.
    pub(crate) fn release(self) -> Self {
        Self { release: true, ..self }
    }

    /// What `node` deploys, after whatever `spec.dependsOn` names: the same kind in the same
    /// namespace unless it says another.
    pub(crate) fn of_object(node: &Node) -> Self {
        let (kind, own) = (node.object_kind(), node.object_namespace());
        let named = |it: &Node| {
            let namespace = it.str_at("namespace").unwrap_or(own);
            Some(Self::of(kind, namespace, it.str_at("name")?).id)
        };
        let after = node.items_at("spec.dependsOn").iter().filter_map(named).collect();
        Self { after, ..Self::of(kind, own, node.object_name()) }
    }
}

impl RemoteCluster {
    /// The one that is called `name` wherever it is named.
    pub(crate) fn called(name: &str) -> Self {
        Self { name: name.to_owned(), id: name.to_owned() }
    }

    /// The one that `key` of an object says, or the usual key when it is empty.
    pub(crate) fn of(kind: &str, namespace: &str, name: &str, key: &str) -> Self {
        let namespace = if namespace.is_empty() { "default" } else { namespace };
        let id = format!("{kind} {namespace}/{name} {key}");
        Self { name: name.to_owned(), id: id.trim_end().to_owned() }
    }

    /// This one as something names it that runs in `other` itself.
    pub(crate) fn within(self, other: Option<&Self>) -> Self {
        match other {
            Some(other) => Self { id: format!("{}: {}", other.id, self.id), ..self },
            None => self,
        }
    }
}

impl EntryKind {
    /// The name in machine-readable output.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Flux => "flux-kustomization",
            Self::ArgoCd => "argo-cd-application",
            Self::Kustomization => "kustomization",
            Self::Values => "values-file",
            Self::Other => "other",
            Self::Manifests => "manifests",
        }
    }
}

/// A Kubernetes object as the cluster would get it.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    /// The object. Its scalars mean the same to every reader ([`canonical`](crate::scalar::canonical)).
    pub node: Node,
    /// The release that renders it, as an index into [`Environment::releases`].
    pub release: Option<usize>,
    /// Whether what applies it is suspended, so that the cluster may run something else.
    pub suspended: bool,
    /// The unit that it is deployed with; `None` is everything that is in none.
    pub unit: Option<UnitId>,
}

/// An object that would be there but for a patch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Deleted {
    /// What it was.
    pub node: Node,
    /// What says that it goes.
    pub by: Origin,
}

/// A chart that is installed, with the user's values.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Release {
    /// The release's name.
    pub name: String,
    /// Where it is installed.
    pub namespace: String,
    /// Whether that stands for one that nobody can tell.
    pub is_anywhere: bool,
    /// What installs it, as `show` names it: `helm-release`, `argo-cd` …
    pub via: &'static str,
    /// Which chart, when it is one that we know.
    pub family: Option<Family>,
    /// The chart as referred to: its name or path.
    pub chart: String,
    /// The address of the repository that it comes from, when something says it.
    pub repository: Option<Node>,
    /// The directory of this repository that holds the chart, when one does.
    pub directory: Option<String>,
    /// Why nobody can tell what becomes of what its chart makes, if something changes that.
    pub modified: Option<Reason>,
    /// The values that its templates read, when they are in the repository.
    pub reads: Option<Arc<ValueKey>>,
    /// The values that those charts read which its chart depends on, by their keys in its values, as far as
    /// they are known.
    pub below: Vec<(String, Arc<ValueKey>)>,
    /// The name under which an umbrella chart depends on it: what its templates take for the
    /// chart's name.
    pub alias: Option<String>,
    /// The version as written, exact or a range; `None` means the newest.
    pub version: Option<Node>,
    /// The user's layers merged, without the chart's defaults; a map, or `Kind::Unknown`.
    pub values: Node,
    /// Whether its chart has nothing of its own: the charts that it depends on are releases beside it.
    pub shell: bool,
    /// The values of the chart above it that reach no chart, each with its key.
    pub beside: Vec<(String, Origin)>,
    /// What a missing thing is reported at: the chart's version, else the release's name.
    pub anchor: Origin,
    /// The version of Kubernetes that its templates are told, where something says it.
    pub kubernetes: Option<ClusterVersion>,
    /// Whether what installs it has Helm not look at `values.schema.json`.
    pub skips_schema: bool,
    /// Whether all that its chart makes is needed, since something may patch any of it.
    pub needs_all: bool,
    /// Whether it is suspended, so that the cluster may run something else.
    pub suspended: bool,
    /// What the templates of its chart did: see [`super::gotemplate::TemplateSet::work`].
    pub work: usize,
    /// The unit that it is.
    pub unit: Option<UnitId>,
}

/// The version of the Kubernetes that something is installed in.
#[derive(Debug, Clone)]
pub(crate) struct ClusterVersion {
    /// The version.
    pub version: Version,
    /// Whether it is this one to the last number, and not one of its minor version.
    pub exact: bool,
    /// What says it.
    pub origin: Origin,
}

impl Release {
    /// Whether it installs what we judge, as far as its chart's name says.
    pub(crate) fn is_ours(&self) -> bool {
        self.family.is_some() || is_named_in(&self.chart)
    }
}

impl ClusterVersion {
    /// The version that Helm is told by `node`.
    pub(crate) fn told(node: &Node) -> Option<Self> {
        let version = version::lenient(&node.as_scalar()?.text)?;
        Some(Self { version, exact: true, origin: node.origin.clone() })
    }
}

impl Object {
    /// An object that no chart renders.
    pub(crate) fn new(node: Node) -> Self {
        Self { node, release: None, suspended: false, unit: None }
    }

    /// `kind`
    pub(crate) fn kind(&self) -> &str {
        self.node.object_kind()
    }

    /// The group of `apiVersion`; `""` is the core group.
    pub(crate) fn group(&self) -> &str {
        self.node.api_group()
    }

    /// `metadata.name`
    pub(crate) fn name(&self) -> &str {
        self.node.object_name()
    }

    /// `metadata.namespace`, or `""`.
    pub(crate) fn namespace(&self) -> &str {
        self.node.object_namespace()
    }

    /// The place of its name where the object itself is written, or of the whole object: who renames
    /// it, or moves it to another namespace, wrote nothing else of it.
    pub(crate) fn anchor(&self) -> Origin {
        let name = self.node.object_anchor();
        let via = self.node.origin.last().via;
        let is_inside = |it: &Span| self.node.covers(*it);
        if !name.steps().any(|it| it.via.is_overridden())
            || name.written_at().is_some_and(|it| is_inside(&it))
        {
            return name.clone();
        }
        let metadata = self.node.get("metadata").and_then(Node::as_map);
        let key = metadata.and_then(|it| it.entry("name")?.key);
        let place = name.steps().filter_map(|it| it.span).chain(key).find(is_inside);
        place.map_or_else(|| name.clone(), |it| Origin::at(via, Some(it)))
    }
}
