//! ConfigMaps, Secrets and sources of an environment, by name.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use indexmap::IndexMap;

use crate::{
    parse,
    placeholder::Placeholder,
    problem::{Problem, ProblemKind},
    scalar::Scalar,
    tree::{Kind, Node, Origin, Reason},
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

/// What a ConfigMap or Secret holds, as far as the repository tells.
#[derive(Debug, Default, Clone)]
pub(super) struct Data {
    /// Scalars, or what is unknown and why.
    pub(super) entries: IndexMap<String, Node>,
    /// Why it may hold more.
    pub(super) open: Option<Reason>,
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
                    .is_some_and(|it| {
                        it.len() == HASH && it.bytes().all(|it| it.is_ascii_alphanumeric())
                    })
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
            return self.find(kind, space, name).map(config_map);
        }
        if let Some(secret) = self.find("Secret", space, name) {
            return Some(self::secret(secret, name));
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

/// Whether a generator of kustomize makes `node`, of which it writes every field.
fn is_generated(node: &Node) -> bool {
    let written = |it: &Node| it.origin.written_at();
    node.get("apiVersion").is_some_and(|it| written(it) == written(node))
}

/// No namespace is the one named `default`.
fn namespace(name: &str) -> String {
    if name.is_empty() { "default" } else { name }.to_owned()
}

fn config_map(node: &Node) -> Data {
    let mut data = Data::default();
    data.read(node.get("data"), Node::clone);
    data
}

fn secret(node: &Node, name: &str) -> Data {
    let encrypted: Reason = format!("the Secret `{name}` is encrypted").into();
    let mut data = Data::default();
    if parse::is_sops(node) {
        data.hide(node.get("data"), &encrypted);
        data.hide(node.get("stringData"), &encrypted);
        return data;
    }
    data.read(node.get("data"), |value| {
        let text = value.as_str().map(str::trim).and_then(|text| STANDARD.decode(text).ok());
        let kind = match text.and_then(|bytes| String::from_utf8(bytes).ok()) {
            Some(text) => Scalar::string(text).into(),
            None => Kind::Unknown(format!("the Secret `{name}` is not text in base64").into()),
        };
        Node::new(kind, value.origin.clone())
    });
    data.read(node.get("stringData"), Node::clone);
    for value in data.entries.values_mut() {
        if value.as_str().is_some_and(|it| Placeholder::Encrypted.is_in(it)) {
            value.kind = Kind::Unknown(encrypted.clone());
        }
    }
    data
}

impl Data {
    fn read(&mut self, map: Option<&Node>, value: impl Fn(&Node) -> Node) {
        let Some(map) = map else { return };
        self.open = match &map.kind {
            Kind::Unknown(why) => Some(why.clone()),
            Kind::Map(map) => map.open.clone(),
            _ => None,
        }
        .or(self.open.take());
        for (key, entry) in map.entries() {
            let node = match &entry.value.kind {
                Kind::Unknown(_) => entry.value.clone(),
                Kind::Scalar(_) => value(&entry.value),
                _ => {
                    let why = Kind::Unknown(format!("`{key}` is not text").into());
                    Node::new(why, entry.value.origin.clone())
                }
            };
            self.entries.insert(key.to_owned(), node);
        }
    }

    /// The keys of `map`, every value unknown.
    fn hide(&mut self, map: Option<&Node>, why: &Reason) {
        for (key, entry) in map.into_iter().flat_map(Node::entries) {
            let hidden = Node::unknown_value(why.clone(), &entry.value.origin);
            self.entries.insert(key.to_owned(), hidden);
        }
    }
}
