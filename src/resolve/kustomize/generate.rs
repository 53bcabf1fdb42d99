//! `configMapGenerator` and `secretGenerator`, and the hashes in the names of what they make.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use crate::{
    parse::env,
    problem::Problem,
    resolve::kustomize::{
        budget::MAX_OBJECT,
        load::Loader,
        resource::{Resource, metadata},
        shape,
        transform::set_name,
        value::{Outcome, go_text, known_json, refusal, string, strings, text, written_key},
    },
    source::{FileId, Skip, Span, Text, file_name},
    tree::{Entry, Kind, Map, Node, Origin, Reason, Via},
};

/// What a generator makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Product {
    ConfigMap,
    Secret,
}

impl Product {
    fn kind(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }

    /// kustomize's name of the generator that makes it.
    pub(super) fn generator(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMapGenerator",
            Self::Secret => "SecretGenerator",
        }
    }
}

/// What happens to an object that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behavior {
    Create,
    Merge,
    Replace,
}

/// A generated object, before it meets what is there.
pub(super) struct Generated {
    pub(super) resource: Resource,
    pub(super) behavior: Behavior,
    pub(super) problems: Vec<Problem>,
}

/// Runs one entry of a generator; `global` is `generatorOptions`. A source that is missing, malformed
/// or sets a key again is told, and its keys are unknown.
///
/// # Errors
/// A generator without a name.
pub(super) fn generate(
    loader: &Loader<'_>,
    entry: &Node,
    global: Option<&Node>,
    product: Product,
) -> Outcome<Generated> {
    let name = shape::text(entry, "name")
        .ok_or_else(|| refusal(&entry.origin, "this generator has no name"))?;
    let mut sources = Pairs::of(loader);
    for path in shape::items(entry, "envs") {
        sources.env(path);
    }
    for literal in shape::items(entry, "literals") {
        sources.literal(literal);
    }
    for file in shape::items(entry, "files") {
        sources.file(file);
    }
    let option = |key: &str| {
        let local = entry.get("options").and_then(|it| it.get(key));
        (local, global.and_then(|it| it.get(key)))
    };
    let flag = |key: &str| {
        let (local, global) = option(key);
        [local, global].into_iter().flatten().any(|it| it.as_bool() == Some(true))
    };
    let mut metadata = Map::default();
    metadata.set("name", name.clone());
    if let Some(namespace) = shape::text(entry, "namespace") {
        metadata.set("namespace", namespace.clone());
    }
    for key in ["labels", "annotations"] {
        let (local, global) = option(key);
        let pairs = || [global, local].into_iter().flatten();
        let mut merged = Map::default();
        for (name, pair) in pairs().flat_map(Node::entries) {
            if let Err(problem) = written_key(name, &pair.value.origin) {
                sources.tell(*problem);
            }
            let value = string(text(Some(&pair.value)), pair.value.origin.clone());
            merged.insert(name, Entry { key: pair.key, value });
        }
        if let (false, Some(from)) = (merged.is_empty(), pairs().next()) {
            metadata.set(key, Node::new(merged, from.origin.clone()));
        }
    }
    let made = |text: &str| string(text, entry.origin.clone());
    let mut object = Map::default();
    object.set("apiVersion", made("v1"));
    object.set("kind", made(product.kind()));
    object.set("metadata", Node::new(metadata, entry.origin.clone()));
    if product == Product::Secret {
        let kind = shape::text(entry, "type")
            .map_or_else(|| made("Opaque"), |it| string(text(Some(it)), it.origin.clone()));
        object.set("type", kind);
    }
    let Pairs { data, binary, open, problems, .. } = sources;
    let secret = product == Product::Secret;
    let (binary, data): (Vec<_>, Vec<_>) =
        data.into_iter().partition(|(key, _)| !secret && binary.contains(key));
    if secret || !data.is_empty() || open.is_some() {
        let value = |it: Node| if secret { encoded(it) } else { it };
        let mut data: Map = data.into_iter().map(|(key, it)| (key, value(it))).collect();
        data.open = open;
        object.set("data", Node::new(data, entry.origin.clone()));
    }
    if !binary.is_empty() {
        let binary: Map = binary.into_iter().collect();
        object.set("binaryData", Node::new(binary, entry.origin.clone()));
    }
    if flag("immutable") {
        object.set("immutable", Node::new(true, entry.origin.clone()));
    }
    let mut resource = Resource::new(Node::new(object, entry.origin.clone()));
    resource.hashed = (!flag("disableNameSuffixHash")).then(|| name.origin.clone());
    Ok(Generated { resource, behavior: behavior(entry), problems })
}

/// `behavior`; what kustomize does not know is `create` to it.
fn behavior(entry: &Node) -> Behavior {
    match text(entry.get("behavior")) {
        "merge" => Behavior::Merge,
        "replace" => Behavior::Replace,
        _ => Behavior::Create,
    }
}

struct Pairs<'a> {
    loader: &'a Loader<'a>,
    /// Strings, or what is unknown.
    data: BTreeMap<String, Node>,
    /// The keys whose values are no text: a ConfigMap has them in `binaryData`.
    binary: BTreeSet<String>,
    /// Why there may be more keys.
    open: Option<Reason>,
    problems: Vec<Problem>,
    /// How many bytes there is room for.
    left: usize,
}

impl<'a> Pairs<'a> {
    fn of(loader: &'a Loader<'a>) -> Self {
        Self {
            loader,
            data: BTreeMap::new(),
            binary: BTreeSet::new(),
            open: None,
            problems: Vec::new(),
            left: MAX_OBJECT,
        }
    }

    fn add(&mut self, key: &str, mut value: Node) {
        if key.is_empty() {
            // `=value` in an env file: without quotes the key is a null, which kyaml leaves out.
            return;
        }
        if let Err(problem) = written_key(key, &value.origin) {
            value.kind = Kind::Unknown(self.tell(*problem));
        }
        if let Some(first) = self.data.get(key) {
            let message = format!("this generator sets {key} twice");
            let problem = refusal(&value.origin, message).also(&first.origin, "first here");
            value.kind = Kind::Unknown(self.tell(problem));
        }
        match self.left.checked_sub(key.len() + text(Some(&value)).len()) {
            Some(left) => self.left = left,
            None => {
                let why = "what is generated here is larger than an object";
                value.kind = Kind::Unknown(self.tell(Problem::unresolved(&value.origin, why)));
            }
        }
        self.data.insert(key.to_owned(), value);
    }

    /// Remembers a problem; its reason.
    fn tell(&mut self, problem: Problem) -> Reason {
        let why = problem.message.clone();
        self.problems.push(problem);
        why
    }

    fn env(&mut self, path: &Node) {
        let file = match self.loader.file(path) {
            Ok(file) => file,
            Err(problem) => {
                self.open = Some(self.tell(*problem));
                return;
            }
        };
        let content = match self.loader.context.sources.load(file) {
            Text::Utf8(text) => text,
            Text::Skipped(skip) => {
                self.open = Some(self.unreadable(path, file, *skip));
                return;
            }
        };
        let at = path.origin.written_at();
        for variable in env::parse(content, file) {
            let origin = Origin::written(variable.value_span).through(Via::Generated, at);
            self.add(variable.key, string(variable.value, origin));
        }
    }

    fn literal(&mut self, literal: &Node) {
        let written = text(Some(literal));
        let Some((key, value)) = written.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            let problem = refusal(&literal.origin, "a literal is written key=value");
            self.open = Some(self.tell(*problem));
            return;
        };
        let quoted = ['"', '\''].iter().find_map(|quote| {
            value.strip_prefix(*quote)?.strip_suffix(*quote).filter(|_| value.len() > 1)
        });
        let value = quoted.unwrap_or(value);
        let origin = self.loader.part_of(literal, value);
        let origin = origin.through(Via::Generated, literal.origin.written_at());
        self.add(key, string(value, origin));
    }

    fn file(&mut self, source: &Node) {
        let written = text(Some(source));
        let (key, path) = match written.split_once('=') {
            None => (file_name(written), written),
            Some((key, path)) if !key.is_empty() && !path.is_empty() && !path.contains('=') => {
                (key, path)
            }
            Some(_) => {
                let problem = refusal(&source.origin, "a file is written path or key=path");
                self.open = Some(self.tell(*problem));
                return;
            }
        };
        let file = match self.loader.file(&Node::new(path, source.origin.clone())) {
            Ok(file) => file,
            Err(problem) => {
                let why = self.tell(*problem);
                return self.add(key, Node::unknown_value(why, &source.origin));
            }
        };
        let sources = self.loader.context.sources;
        let whole = Origin::written(Span::new(file, 0..sources.text(file).len()));
        let origin = whole.through(Via::Generated, source.origin.written_at());
        let value = match sources.load(file) {
            Text::Utf8(text) => string(text.as_str(), origin),
            Text::Skipped(skip) => {
                if matches!(skip, Skip::Binary | Skip::Utf16 | Skip::Utf32) {
                    self.binary.insert(key.to_owned());
                }
                Node::unknown_value(self.unreadable(source, file, *skip), &origin)
            }
        };
        self.add(key, value);
    }

    /// Notes that a file cannot be read; the reason.
    fn unreadable(&mut self, at: &Node, file: FileId, skip: Skip) -> Reason {
        let message = format!("{} {skip}", self.loader.context.sources[file].path);
        self.tell(Problem::unresolved(&at.origin, message))
    }
}

/// A value of a Secret: in base64, and in lines of 70 characters once there are as many.
fn encoded(value: Node) -> Node {
    let Some(scalar) = value.as_scalar() else { return value };
    let mut text = STANDARD.encode(&*scalar.text);
    if text.len() >= 70 {
        let lines: Vec<_> = text.as_bytes().chunks(70).map(String::from_utf8_lossy).collect();
        text = lines.join("\n") + "\n";
    }
    string(text, value.origin)
}

/// `new` over `old`, the object that is there already: key by key, or only its metadata stays.
pub(super) fn merge(old: &Resource, new: Resource, behavior: Behavior) -> Resource {
    let mut merged = new;
    let mut paths = vec!["metadata.labels", "metadata.annotations"];
    if behavior != Behavior::Replace {
        paths.extend(["data", "binaryData"]);
    }
    for path in paths {
        let Some(base) = old.node.at(path) else { continue };
        let Some(mut values) = base.as_map().map(strings) else { continue };
        // It writes the data again, and what it made itself was looked at.
        if !path.starts_with("metadata.") {
            let by_hand = values.iter().filter(|(_, it)| it.key.is_some());
            let refused = by_hand.filter_map(|(key, it)| written_key(key, &it.value.origin).err());
            merged.refusals.extend(refused.map(|it| *it));
        }
        for (name, entry) in merged.node.at(path).into_iter().flat_map(Node::entries) {
            let mut value = entry.value.clone();
            if let Some(old) = values.get(name) {
                value.origin = value.origin.over(Via::Overridden, &old.origin);
            }
            values.insert(name, Entry { key: entry.key, value });
        }
        if values.is_empty() {
            continue;
        }
        let values = Node::new(values, base.origin.clone());
        match (path.strip_prefix("metadata."), metadata(&mut merged.node)) {
            (Some(key), Some(metadata)) => metadata.set(key, values),
            _ => merged.node.set(path, values),
        }
    }
    if let Some(metadata) = metadata(&mut merged.node) {
        for key in ["name", "namespace"] {
            match old.node.at("metadata").and_then(|it| it.get(key)) {
                Some(kept) => metadata.set(key, kept.clone()),
                None => {
                    metadata.remove(key);
                }
            }
        }
    }
    // The hash stays only if both want it.
    merged.hashed = merged.hashed.filter(|_| old.hashed.is_some());
    merged.previous.clone_from(&old.previous);
    merged.prefixes.clone_from(&old.prefixes);
    merged.suffixes.clone_from(&old.suffixes);
    merged.variables.clone_from(&old.variables);
    merged.refusals.extend_from_slice(&old.refusals);
    if behavior == Behavior::Merge {
        merged.record.clone_from(&old.record);
    }
    merged
}

/// Adds the content hash to the name of what was generated; without all content there is none.
pub(super) fn add_hash(resource: &mut Resource) {
    let Some(origin) = resource.hashed.clone() else { return };
    let Some(hash) = hash(&resource.node) else { return };
    resource.remember();
    let name = format!("{}-{hash}", resource.name());
    set_name(resource, name, &origin);
}

/// The hash of an object's content (`kyaml`'s `hasher.go`), unless some of it is unknown.
fn hash(node: &Node) -> Option<String> {
    let mut fields: BTreeMap<&str, serde_json::Value> = BTreeMap::new();
    let field = |name: &str| match node.get(name) {
        None => Some("".into()),
        Some(node) => known_json(node),
    };
    let kind = text(node.get("kind"));
    fields.insert("kind", kind.into());
    // kustomize looks for the name at the key "metadata/name", where it never is.
    fields.insert("name", "".into());
    fields.insert("data", field("data")?);
    let extra = match kind {
        "Secret" => {
            fields.insert("type", text(node.get("type")).into());
            "stringData"
        }
        _ => "binaryData",
    };
    if node.get(extra).is_some_and(|it| it.as_map().is_some()) {
        fields.insert(extra, field(extra)?);
    }
    let json = go_text(serde_json::to_string(&fields).ok()?);
    let digest = Sha256::digest(json.as_bytes());
    // The first ten hexadecimal digits, some of them as letters that spell no words.
    let alphabet = b"gh2k456789mbcdtf";
    let digits = digest.iter().take(5).flat_map(|byte| [byte >> 4, byte & 15]);
    Some(digits.filter_map(|it| alphabet.get(usize::from(it))).map(|it| char::from(*it)).collect())
}
