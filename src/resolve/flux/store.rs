//! ConfigMaps, Secrets and sources of an environment, by name.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use crate::{
    problem::{Problem, ProblemKind},
    resolve::{
        config_data::{self, Data},
        environment::RemoteCluster,
    },
    tree::{Node, Origin, Reason},
};

/// The kinds that others refer to.
const KINDS: [&str; 10] = [
    "ConfigMap",
    "Secret",
    "SealedSecret",
    "ExternalSecret",
    "GitRepository",
    "OCIRepository",
    "Bucket",
    "HelmRepository",
    "HelmChart",
    "ArtifactGenerator",
];

/// How long the hash is that kustomize appends to a name.
const HASH: usize = 10;

/// Objects that others refer to by kind, namespace and name.
#[derive(Debug, Default, Clone)]
pub(super) struct Store {
    objects: IndexMap<(String, String, String), Node>,
}

/// What each cluster has that others may refer to; nothing is the environment's own.
#[derive(Debug, Default)]
pub(super) struct ClusterStores {
    stores: BTreeMap<Option<RemoteCluster>, Store>,
    nothing: Store,
}

impl ClusterStores {
    pub(super) fn of(&self, cluster: Option<&RemoteCluster>) -> &Store {
        self.stores.get(&cluster.cloned()).unwrap_or(&self.nothing)
    }

    pub(super) fn of_mut(&mut self, cluster: Option<&RemoteCluster>) -> &mut Store {
        self.stores.entry(cluster.cloned()).or_default()
    }
}

impl Store {
    /// Keeps the objects of `nodes` that others may refer to. The first of a name stays.
    pub(super) fn add<'n>(&mut self, nodes: impl IntoIterator<Item = &'n Node>) {
        for node in nodes {
            let kind = node.object_kind();
            if !KINDS.contains(&kind) {
                continue;
            }
            let target = node.str_at("spec.target.name").filter(|_| kind == "ExternalSecret");
            let name = target.unwrap_or(node.object_name());
            let id = (kind.to_owned(), namespace(node.object_namespace()), name.to_owned());
            self.objects.entry(id).or_insert_with(|| node.clone());
        }
    }

    /// Whether it holds nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The object of that name.
    pub(super) fn find(&self, kind: &str, space: &str, name: &str) -> Option<&Node> {
        self.objects.get(&(kind.to_owned(), namespace(space), name.to_owned()))
    }

    /// `name` without what kustomize adds to it, which is another whenever the content is.
    pub(super) fn lasting<'n>(&self, kind: &str, space: &str, name: &'n str) -> &'n str {
        let is_it = |it: &&Node| {
            namespace(it.object_namespace()) == namespace(space) && it.object_name() == name
        };
        let generated = self.of_kind(kind).find(is_it).filter(|it| is_generated(it));
        let parts = generated.and_then(|_| name.rsplit_once('-'));
        parts.filter(|(_, it)| is_hash(it)).map_or(name, |(it, _)| it)
    }

    /// That the object of that name is generated, with a hash in its name, by which `at` looks for
    /// none.
    pub(super) fn hashed(
        &self,
        kind: &str,
        space: &str,
        name: &str,
        at: &Origin,
    ) -> Option<Problem> {
        let node = self.of_kind(kind).find(|it| {
            namespace(it.object_namespace()) == namespace(space)
                && is_generated(it)
                && (it.object_name().strip_prefix(name))
                    .and_then(|it| it.strip_prefix('-'))
                    .is_some_and(is_hash)
        })?;
        let message =
            format!("Flux looks for the {kind} `{name}`, but kustomize adds a hash to this name");
        let problem = Problem::new(ProblemKind::SourceHasHash, node.object_anchor(), message);
        let problem = problem.about(format!("{kind} {}/{name}", namespace(space)));
        Some(
            problem
                .also(at, format!("`{name}` is looked for here"))
                .help("set options.disableNameSuffixHash to true on this generator"),
        )
    }

    /// All objects of `kind`, in the order in which they were added.
    pub(super) fn of_kind<'s>(&'s self, kind: &'s str) -> impl Iterator<Item = &'s Node> {
        self.objects.iter().filter(move |((own, _, _), _)| own == kind).map(|(_, node)| node)
    }

    /// What the ConfigMap or Secret of that name holds; `None` when nothing here makes it.
    pub(super) fn data(&self, kind: &str, space: &str, name: &str) -> Option<Data> {
        if kind == "ConfigMap" {
            return self.find(kind, space, name).map(config_data::of);
        }
        if let Some(secret) = self.find("Secret", space, name) {
            return Some(config_data::of(secret));
        }
        if let Some(sealed) = self.find("SealedSecret", space, name) {
            let why: Reason = format!("the Secret `{name}` is sealed").into();
            let mut data = Data::default();
            data.hide(sealed.at("spec.encryptedData"), &why);
            data.hide(sealed.at("spec.template.data"), &why);
            return Some(data);
        }
        let external = self.find("ExternalSecret", space, name)?;
        let why: Reason = format!("the Secret `{name}` comes from an external store").into();
        let mut data = Data::default();
        for item in external.items_at("spec.data") {
            if let Some(key) = item.get("secretKey")
                && let Some(name) = key.as_str()
            {
                data.entries.insert(name.into(), Node::unknown_value(why.clone(), &key.origin));
            }
        }
        data.hide(external.at("spec.target.template.data"), &why);
        if external.at("spec.dataFrom").is_some() {
            data.open = Some(why);
        }
        Some(data)
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == HASH && text.bytes().all(|it| it.is_ascii_alphanumeric())
}

/// Whether a generator of kustomize makes `node`, of which it writes every field.
fn is_generated(node: &Node) -> bool {
    let written = |it: &Node| it.origin.written_at();
    node.get("apiVersion").is_some_and(|it| written(it) == written(node))
}

/// No namespace is the one named `default`.
fn namespace(name: &str) -> String {
    if name.is_empty() { "default" } else { name }.to_owned()
}
