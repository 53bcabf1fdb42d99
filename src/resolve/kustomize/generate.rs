//! `configMapGenerator` and `secretGenerator`, and the hashes in the names of what they make.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use crate::{
    parse::env,
    problem::Problem,
    resolve::kustomize::{
        load::Loader,
        resource::{Resource, metadata},
        shape,
        transform::set_name,
        value::{Outcome, refusal, string, text},
    },
    scalar::Scalar,
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

/// Runs one entry of a generator; `global` is `generatorOptions`.
///
/// # Errors
/// Sources that are missing, malformed, or set a key twice.
pub(super) fn generate(
    loader: &Loader<'_>,
    entry: &Node,
    global: Option<&Node>,
    product: Product,
) -> Outcome<Generated> {
    let name = shape::text(entry, "name")
        .ok_or_else(|| refusal(&entry.origin, "this generator has no name"))?;
    let mut sources = Pairs { loader, data: BTreeMap::new(), problems: Vec::new() };
    for path in shape::items(entry, "envs") {
        sources.env(path)?;
    }
    for literal in shape::items(entry, "literals") {
        sources.literal(literal)?;
    }
    for file in shape::items(entry, "files") {
        sources.file(file)?;
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
    object.set(
        "kind",
        made(match product {
            Product::ConfigMap => "ConfigMap",
            Product::Secret => "Secret",
        }),
    );
    object.set("metadata", Node::new(metadata, entry.origin.clone()));
    if product == Product::Secret {
        let kind = shape::text(entry, "type")
            .map_or_else(|| made("Opaque"), |it| string(text(Some(it)), it.origin.clone()));
        object.set("type", kind);
    }
    let problems = std::mem::take(&mut sources.problems);
    for (field, values) in sources.fields(product) {
        if !values.is_empty() {
            object.set(field, Node::new(values, entry.origin.clone()));
        }
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
    data: BTreeMap<String, (Content, Origin)>,
    problems: Vec<Problem>,
}

enum Content {
    Text(String),
    Unknown(Reason),
}

impl Pairs<'_> {
    fn add(&mut self, key: &str, content: Content, origin: Origin) -> Outcome<()> {
        if let Some((_, first)) = self.data.get(key) {
            let mut problem = refusal(&origin, format!("this generator sets {key} twice"));
            problem.also.push((first.clone(), "first here".into()));
            return Err(problem);
        }
        self.data.insert(key.to_owned(), (content, origin));
        Ok(())
    }

    fn env(&mut self, path: &Node) -> Outcome<()> {
        let Some(file) = self.readable(path)? else { return Ok(()) };
        let sources = self.loader.context.sources;
        let at = path.origin.written_at();
        for variable in env::parse(sources.text(file), file) {
            let written = |span| Origin::written(span).through(Via::Generated, at);
            let content = Content::Text(variable.value.to_owned());
            self.add(variable.key, content, written(variable.value_span))?;
        }
        Ok(())
    }

    fn literal(&mut self, literal: &Node) -> Outcome<()> {
        let written = text(Some(literal));
        let Some((key, value)) = written.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(refusal(&literal.origin, "a literal is written key=value"));
        };
        let quoted = ['"', '\''].iter().find_map(|quote| {
            value.strip_prefix(*quote)?.strip_suffix(*quote).filter(|_| value.len() > 1)
        });
        let value = quoted.unwrap_or(value);
        let origin = self.loader.part_of(literal, value);
        let (key, content) = (key.to_owned(), Content::Text(value.to_owned()));
        self.add(&key, content, origin.through(Via::Generated, literal.origin.written_at()))
    }

    fn file(&mut self, source: &Node) -> Outcome<()> {
        let written = text(Some(source));
        let (key, path) = match written.split_once('=') {
            None => (file_name(written), written),
            Some((key, path)) if !key.is_empty() && !path.is_empty() && !path.contains('=') => {
                (key, path)
            }
            Some(_) => {
                return Err(refusal(&source.origin, "a file is written path or key=path"));
            }
        };
        let mut path_node = source.clone();
        path_node.kind = path.into();
        let file = self.loader.file(&path_node)?;
        let sources = self.loader.context.sources;
        let whole = Origin::written(Span::new(file, 0..sources.text(file).len()));
        let origin = whole.through(Via::Generated, source.origin.written_at());
        let content = match sources.load(file) {
            Text::Utf8(text) => Content::Text(text.clone()),
            Text::Skipped(skip) => self.unreadable(source, file, *skip),
        };
        self.add(key, content, origin)
    }

    /// The env file at `path`, unless it cannot be read.
    fn readable(&mut self, path: &Node) -> Outcome<Option<FileId>> {
        let file = self.loader.file(path)?;
        if let Text::Skipped(skip) = self.loader.context.sources.load(file) {
            self.unreadable(path, file, *skip);
            return Ok(None);
        }
        Ok(Some(file))
    }

    fn unreadable(&mut self, at: &Node, file: FileId, skip: Skip) -> Content {
        let path = &self.loader.context.sources[file].path;
        let message = format!("{path} {skip}");
        self.problems.push(Problem::unresolved(&at.origin, message.clone()));
        Content::Unknown(message.into())
    }

    fn fields(self, product: Product) -> [(&'static str, Map); 1] {
        let mut values = Map::default();
        for (key, (content, origin)) in self.data {
            let value = match content {
                Content::Text(text) if product == Product::Secret => {
                    string(wrapped(&STANDARD.encode(text)), origin)
                }
                Content::Text(text) => string(text, origin),
                Content::Unknown(why) => Node::unknown_value(why, &origin),
            };
            values.set(key, value);
        }
        [("data", values)]
    }
}

/// In lines of 70 characters once there are as many, as kustomize writes the data of Secrets.
fn wrapped(encoded: &str) -> String {
    const LINE: usize = 70;
    if encoded.len() < LINE {
        return encoded.to_owned();
    }
    let mut lines = String::with_capacity(encoded.len() + encoded.len() / LINE + 1);
    let mut rest = encoded;
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        lines.push_str(line);
        lines.push('\n');
        rest = after;
    }
    lines
}

/// `new` over `old`, the object that is there already: key by key, or only its metadata stays.
pub(super) fn merge(old: &Resource, new: Resource, behavior: Behavior) -> Resource {
    let mut merged = new;
    let mut paths = vec!["metadata.labels", "metadata.annotations"];
    if behavior != Behavior::Replace {
        paths.extend(["data", "binaryData"]);
    }
    for path in paths {
        let Some(base) = old.node.at(path).filter(|it| it.as_map().is_some()) else { continue };
        let mut values = strings(base);
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
    if behavior == Behavior::Merge {
        merged.record.clone_from(&old.record);
    }
    merged
}

/// The entries, every value a string: kustomize reads them as such.
fn strings(node: &Node) -> Map {
    let mut map = node.as_map().cloned().unwrap_or_default();
    for (_, entry) in map.iter_mut() {
        if let Some(scalar) = entry.value.as_scalar() {
            entry.value.kind = string(scalar.text.clone(), entry.value.origin.clone()).kind;
        }
    }
    map
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
    let json = serde_json::to_string(&fields).ok()?;
    // Go writes these so that JSON can stand in HTML.
    let json = json
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029");
    let digest = Sha256::digest(json.as_bytes());
    // The first ten hexadecimal digits, some of them as letters that spell no words.
    let alphabet = b"gh2k456789mbcdtf";
    let digits = digest.iter().take(5).flat_map(|byte| [byte >> 4, byte & 15]);
    Some(digits.filter_map(|it| alphabet.get(usize::from(it))).map(|it| char::from(*it)).collect())
}

/// JSON with sorted keys, unless something in it is unknown.
fn known_json(node: &Node) -> Option<serde_json::Value> {
    match &node.kind {
        Kind::Unknown(_) => None,
        Kind::Map(map) => {
            let mut sorted: Vec<_> = map.iter().collect();
            sorted.sort_unstable_by_key(|(key, _)| *key);
            let pairs = sorted.into_iter();
            pairs.map(|(key, entry)| Some((key.to_owned(), known_json(&entry.value)?))).collect()
        }
        Kind::List(items) => items.iter().map(known_json).collect(),
        Kind::Scalar(scalar) => {
            let scalar: Scalar = crate::scalar::canonical(scalar);
            Some(Node::new(scalar, node.origin.clone()).to_json())
        }
    }
}
