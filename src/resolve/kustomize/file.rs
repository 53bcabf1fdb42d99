//! The kustomization file: where it is, and what may stand in it.

use crate::{
    data::kustomization::{FIELDS, FILES, HELM_CHART_NAMES, KUSTOMIZATION, each},
    nearest::nearest,
    parse,
    placeholder::has_hole,
    problem::Problem,
    resolve::kustomize::{
        shape,
        value::{Outcome, not_yaml, refusal},
    },
    scalar::{Dialect, Scalar},
    source::{self, FileId, Sources},
    tree::{Map, Node, Origin},
};

/// A decoded kustomization file.
#[derive(Debug, Clone)]
pub(super) struct Kustomization {
    /// Its fields, by the names that kustomize documents; the deprecated ones are folded in.
    pub(super) fields: Node,
    /// Whether its kind is `Component`.
    pub(super) component: bool,
    /// The file's path from the root, or the directory's when the file is made up.
    pub(super) path: String,
    /// What kustomize does not take of it.
    pub(super) refused: Vec<Refused>,
    /// What it is instead if it is a template whose conditions have several sides: one of these.
    pub(super) sides: Vec<Kustomization>,
}

/// A field, or an item of a list, that kustomize does not take.
#[derive(Debug, Clone)]
pub(super) struct Refused {
    /// The field, or the one that is probably meant; `""` for a field of another tool.
    pub(super) field: String,
    /// The field's value, or the item.
    pub(super) value: Node,
    pub(super) problem: Box<Problem>,
    /// Whether kustomize takes it if a template lets it stand.
    pub(super) conditional: bool,
}

impl Kustomization {
    /// The items of the list at `field`.
    pub(super) fn list(&self, field: &str) -> &[Node] {
        shape::items(&self.fields, field)
    }

    /// The string at `field`, unless it is empty.
    pub(super) fn text(&self, field: &str) -> Option<&Node> {
        shape::text(&self.fields, field)
    }
}

/// The kustomization file in `dir`.
///
/// # Errors
/// More than one, which kustomize refuses; none is `Ok(None)`.
pub(super) fn find(sources: &Sources, dir: &str, at: &Origin) -> Outcome<Option<FileId>> {
    let mut found = None;
    for name in FILES {
        let Some(file) = sources.find(&(source::inside(dir) + name)) else { continue };
        if let Some(first) = found {
            let name = |file: FileId| sources[file].path.clone();
            return Err(refusal(
                at,
                format!("there are two kustomization files: {} and {}", name(first), name(file)),
            ));
        }
        found = Some(file);
    }
    Ok(found)
}

/// Reads the kustomization `file`, adding the fields of `edits`; unless `strict`, unknown fields
/// are dropped.
///
/// # Errors
/// The first thing that kustomize would refuse, where it stands.
pub(super) fn kustomization(
    sources: &Sources,
    file: FileId,
    edits: Option<&Node>,
    strict: bool,
) -> Outcome<Kustomization> {
    let start = Origin::start_of(file);
    let documents = sources.documents(file, Dialect::Sigs);
    // Only the first document counts.
    let first = documents.list.first().map(|it| &it.root);
    let root = match first {
        Some(Ok(root)) => root.clone(),
        Some(Err(error)) => {
            let at = error.span.map_or_else(|| start.clone(), Origin::written);
            return Err(not_yaml("the kustomization", error, &at));
        }
        None => Node::new(Map::default(), start.clone()),
    };
    let read = |root: &Node| {
        let mut refused = Vec::new();
        let root = match &documents.template {
            Some(it) => what_is_there(sources, root, &Problem::template(it), &mut refused),
            None => root.clone(),
        };
        let root = if strict { root } else { take(&root, false, &mut refused)? };
        let mut kustomization = decode(&root, edits, sources[file].path.clone(), &start, true)?;
        kustomization.refused.extend(refused);
        // There may be more of everything that it adds.
        let template = documents.template.iter().map(|it| Refused {
            field: "resources".to_owned(),
            value: root.clone(),
            problem: Box::new(Problem::template(it)),
            conditional: false,
        });
        kustomization.refused.extend(template);
        Ok(kustomization)
    };
    let mut kustomization = read(&root)?;
    if documents.template.is_some() {
        let sides = parse::sides(sources, file, Dialect::Sigs);
        let sides = sides.iter().filter_map(|it| it.roots().next()).map(&read);
        kustomization.sides = sides.collect::<Outcome<_>>().unwrap_or_default();
        join_names(&mut kustomization.sides);
    }
    Ok(kustomization)
}

/// What objects are called after is one thing on all sides, which a template decides.
fn join_names(sides: &mut [Kustomization]) {
    for field in NAMES {
        let names: Vec<Option<Node>> = sides.iter().map(|it| it.text(field).cloned()).collect();
        let text = |it: &Option<Node>| it.as_ref().and_then(Node::as_str).map(ToOwned::to_owned);
        let same = names.windows(2).all(|it| text(&it[0]) == text(&it[1]));
        let Some(name) = names.iter().flatten().next().filter(|_| !same) else { continue };
        let decided = decided(name, name.as_str().unwrap_or_default());
        for side in &mut *sides {
            side.fields.set(field, decided.clone());
        }
    }
}

/// A name that is `text`, if a template does not decide otherwise: text with a hole.
fn decided(node: &Node, text: &str) -> Node {
    let mark = if has_hole(text) { "" } else { "{% … %}" };
    Node::new(Scalar::string(format!("{mark}{text}")), node.origin.clone())
}

/// Decodes the kustomization `root`, adding the fields of `edits`.
///
/// # Errors
/// The first thing that kustomize would refuse, where it stands.
pub(super) fn decode(
    root: &Node,
    edits: Option<&Node>,
    path: String,
    start: &Origin,
    strict: bool,
) -> Outcome<Kustomization> {
    let mut refused = Vec::new();
    let mut fields = take(root, strict, &mut refused)?;
    if let Some(edits) = edits {
        edit(&mut fields, &take(edits, true, &mut refused)?);
    }
    if refused.is_empty()
        && fields.entries().all(|(key, _)| matches!(key, "apiVersion" | "kind" | "metadata"))
    {
        return Err(refusal(start, "the kustomization is empty"));
    }
    let kind = fields.get("kind").and_then(Node::as_str).unwrap_or("Kustomization");
    let component = match kind {
        "" | "Kustomization" => false,
        "Component" => true,
        _ => {
            let at = fields.get("kind").map_or(start, |it| &it.origin);
            return Err(refusal(at, "kind should be Kustomization or Component"));
        }
    };
    let wanted = if component {
        "kustomize.config.k8s.io/v1alpha1"
    } else {
        "kustomize.config.k8s.io/v1beta1"
    };
    if let Some(version) = shape::text(&fields, "apiVersion")
        && version.as_str() != Some(wanted)
    {
        // It fails the build, and what it would build is there to judge all the same.
        let (value, message) = (version.clone(), format!("apiVersion should be {wanted}"));
        let problem = refusal(&version.origin, message);
        refused.push(Refused {
            field: "apiVersion".to_owned(),
            value,
            problem,
            conditional: false,
        });
    }
    fold_deprecated(&mut fields);
    Ok(Kustomization { fields, component, path, refused, sides: Vec::new() })
}

/// The fields of `root` as kustomize takes them, unless `strict` without those that it does not know;
/// what it refuses is left out.
///
/// # Errors
/// Something that has no fields.
fn take(root: &Node, strict: bool, refused: &mut Vec<Refused>) -> Outcome<Node> {
    let empty = || Node::new(Map::default(), root.origin.clone());
    let whole = shape::decode(root, &KUSTOMIZATION, strict);
    let Some(written) = root.as_map().filter(|_| whole.is_err()) else {
        return whole.map(|it| it.unwrap_or_else(empty));
    };
    let mut fields = Map::default();
    for (key, entry) in written.iter() {
        // Each item of a list is a part of its own.
        let items = entry.value.as_list().filter(|it| !it.is_empty());
        for value in items.unwrap_or(std::slice::from_ref(&entry.value)) {
            let mut part = entry.clone();
            if items.is_some() {
                part.value.kind = vec![value.clone()].into();
            }
            let mut field = Map::default();
            field.insert(key, part);
            match shape::decode(&Node::new(field, root.origin.clone()), &KUSTOMIZATION, strict) {
                Ok(taken) => taken.iter().flat_map(Node::entries).for_each(|(name, new)| {
                    match fields.get_mut(name).and_then(Node::as_list_mut) {
                        Some(old) => old.extend(new.value.items().iter().cloned()),
                        None => {
                            fields.insert(name, new.clone());
                        }
                    }
                }),
                Err(problem) => {
                    let names = each(FIELDS).map(|(name, _)| name);
                    let field = nearest(key, names).unwrap_or_default().to_owned();
                    let value = value.clone();
                    refused.push(Refused { field, value, problem, conditional: false });
                }
            }
        }
    }
    Ok(Node::new(fields, root.origin.clone()))
}

/// The fields whose entries change what others add, in ways that matter.
const CHANGES: [&str; 10] = [
    "components",
    "patches",
    "patchesStrategicMerge",
    "patchesJson6902",
    "images",
    "imageTags",
    "replicas",
    "replacements",
    "transformers",
    "configurations",
];

/// The fields of which objects are called after whatever fills in a hole.
const NAMES: [&str; 3] = ["namespace", "namePrefix", "nameSuffix"];

/// The fields of a template of a kustomization: what may be there is judged as if it were, but what
/// it changes nobody can tell.
fn what_is_there(
    sources: &Sources,
    root: &Node,
    problem: &Problem,
    refused: &mut Vec<Refused>,
) -> Node {
    let Some(written) = root.as_map() else { return root.clone() };
    let mut fields = written.clone();
    // Other fields may change any object.
    if fields.open.take().is_some() {
        let (field, value) = ("patches".to_owned(), root.clone());
        let problem = Box::new(problem.clone());
        refused.push(Refused { field, value, problem, conditional: false });
    }
    for (key, entry) in written.iter() {
        let hole = entry.value.origin.written_at().filter(|_| entry.value.unknown().is_some());
        if let Some(hole) = hole.filter(|_| NAMES.contains(&key)) {
            let there = entry.value.if_there();
            let text = there.as_ref().and_then(Node::as_str).unwrap_or_else(|| sources.slice(hole));
            fields.set(key, decided(&entry.value, text));
            continue;
        }
        let mut refuse = |value: Node| {
            let field = if key == "imageTags" { "images" } else { key }.to_owned();
            let problem = Box::new(problem.clone());
            refused.push(Refused { field, value, problem, conditional: true });
        };
        let items = |list: Node| list.as_list().map_or_else(|| vec![list.clone()], <[_]>::to_vec);
        match (CHANGES.contains(&key), entry.value.if_there()) {
            (true, Some(value)) => {
                items(value).into_iter().for_each(&mut refuse);
                fields.remove(key);
            }
            (false, Some(value)) => fields.set(key, value),
            (changes, None) => {
                let Some(list) = fields.get_mut(key).and_then(Node::as_list_mut) else { continue };
                for item in std::mem::take(list) {
                    match item.if_there() {
                        Some(it) if changes => refuse(it),
                        Some(it) => list.push(it),
                        None => list.push(item),
                    }
                }
            }
        }
    }
    Node::new(fields, root.origin.clone())
}

/// Makes entries of `helmCharts` of those of `helmChartInflationGenerator`, where what is for all of them
/// counts when `helmGlobals` is not there (`types.SplitHelmParameters`).
fn split_charts(fields: &mut Map) {
    let charts = fields.get_mut("helmChartInflationGenerator").and_then(Node::as_list_mut);
    let mut home = None;
    for chart in charts.into_iter().flatten() {
        let Some(old) = chart.as_map_mut().map(std::mem::take) else { continue };
        let named = old.entry("chartHome").filter(|it| it.value.as_str() != Some(""));
        home = named.cloned().or(home);
        let mut new = Map::default();
        new.open.clone_from(&old.open);
        for (from, to) in HELM_CHART_NAMES {
            if let Some(entry) = old.entry(from) {
                new.insert(to, entry.clone());
            }
        }
        chart.kind = new.into();
    }
    if let (None, Some(home)) = (fields.get("helmGlobals"), home) {
        let origin = home.value.origin.clone();
        let mut globals = Map::default();
        globals.insert("chartHome", home);
        fields.set("helmGlobals", Node::new(globals, origin));
    }
}

/// Moves the contents of `bases`, `imageTags` and `env` to where kustomize moves them.
fn fold_deprecated(fields: &mut Node) {
    let Some(map) = fields.as_map_mut() else { return };
    split_charts(map);
    for (old, new) in [
        ("bases", "resources"),
        ("imageTags", "images"),
        ("helmChartInflationGenerator", "helmCharts"),
    ] {
        let Some(entry) = map.remove(old) else { continue };
        match map.get_mut(new).and_then(Node::as_list_mut) {
            Some(items) => items.extend(entry.value.items().iter().cloned()),
            None => {
                map.insert(new, entry);
            }
        }
    }
    for generator in ["configMapGenerator", "secretGenerator"] {
        let Some(items) = map.get_mut(generator).and_then(Node::as_list_mut) else { continue };
        for item in items.iter_mut().filter_map(Node::as_map_mut) {
            let Some(env) = item.remove("env") else { continue };
            if env.value.as_str().is_none_or(str::is_empty) {
                continue;
            }
            match item.get_mut("envs").and_then(Node::as_list_mut) {
                Some(envs) => envs.push(env.value),
                None => item.set("envs", Node::new(vec![env.value.clone()], env.value.origin)),
            }
        }
    }
}

/// Adds what a controller adds: lists are appended (`images` by name), scalars replace.
fn edit(fields: &mut Node, edits: &Node) {
    let Some(map) = fields.as_map_mut() else { return };
    for (key, entry) in edits.entries() {
        let Some(old) = map.get_mut(key) else {
            map.insert(key, entry.clone());
            continue;
        };
        if let (Some(old), Some(new)) = (old.as_list_mut(), entry.value.as_list()) {
            for item in new {
                let name = item.get("name").and_then(Node::as_str);
                let same = |it: &&mut Node| it.get("name").and_then(Node::as_str) == name;
                match old.iter_mut().find(same) {
                    Some(image) if key == "images" => edit_image(image, item),
                    _ => old.push(item.clone()),
                }
            }
        } else if let (Some(old), Some(new)) = (old.as_map_mut(), entry.value.as_map()) {
            old.extend(new);
        } else {
            map.insert(key, entry.clone());
        }
    }
}

/// A tag and a digest are replaced together; a new name only when there is one.
fn edit_image(image: &mut Node, edit: &Node) {
    let Some(map) = image.as_map_mut() else { return };
    if edit.get("newTag").is_some() || edit.get("digest").is_some() {
        map.remove("newTag");
        map.remove("digest");
    }
    edit.as_map().into_iter().for_each(|it| map.extend(it));
}
