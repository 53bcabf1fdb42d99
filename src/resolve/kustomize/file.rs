//! The kustomization file: where it is, and what may stand in it.

use crate::{
    resolve::kustomize::{
        shape::{self, Shape},
        value::{Outcome, refusal},
    },
    scalar::Dialect,
    source::{FileId, Sources, Span},
    tree::{Map, Node, Origin},
};

/// The names that kustomize looks for (`konfig/general.go`).
pub(super) const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// A decoded kustomization file.
#[derive(Debug, Clone)]
pub(super) struct Kustomization {
    /// Its fields, by the names that kustomize documents; the deprecated ones are folded in.
    pub(super) fields: Node,
    /// Whether its kind is `Component`.
    pub(super) component: bool,
    /// The file's path from the root, or the directory's when the file is made up.
    pub(super) path: String,
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
    for name in NAMES {
        let path = if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") };
        let Some(file) = sources.find(&path) else { continue };
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
pub(super) fn read(
    sources: &Sources,
    file: FileId,
    edits: Option<&Node>,
    strict: bool,
) -> Outcome<Kustomization> {
    let start = Origin::written(Span::start_of(file));
    let documents = sources.documents(file, Dialect::Sigs);
    // Only the first document counts.
    let first = documents.list.first().map(|it| &it.root);
    let root = match first {
        Some(Ok(root)) => root.clone(),
        Some(Err(error)) => {
            let at = error.span.map_or_else(|| start.clone(), Origin::written);
            return Err(refusal(&at, format!("the kustomization is not YAML: {}", error.message)));
        }
        None => Node::new(Map::default(), start.clone()),
    };
    let root = if strict { Some(root) } else { shape::decode(&root, &KUSTOMIZATION, false)? };
    let root = root.unwrap_or_else(|| Node::new(Map::default(), start.clone()));
    decode(&root, edits, sources[file].path.clone(), &start)
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
) -> Outcome<Kustomization> {
    let mut fields = shape::decode(root, &KUSTOMIZATION, true)?
        .unwrap_or_else(|| Node::new(Map::default(), start.clone()));
    if let Some(edits) = edits {
        let edits = shape::decode(edits, &KUSTOMIZATION, true)?;
        if let Some(edits) = edits {
            edit(&mut fields, &edits);
        }
    }
    if fields.entries().all(|(key, _)| matches!(key, "apiVersion" | "kind" | "metadata")) {
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
        return Err(refusal(&version.origin, format!("apiVersion should be {wanted}")));
    }
    fold_deprecated(&mut fields);
    Ok(Kustomization { fields, component, path })
}

/// Moves the contents of `bases`, `imageTags` and `env` to where kustomize moves them.
fn fold_deprecated(fields: &mut Node) {
    let Some(map) = fields.as_map_mut() else { return };
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
            for (key, entry) in new.iter() {
                old.insert(key, entry.clone());
            }
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
    for (key, entry) in edit.entries() {
        map.insert(key, entry.clone());
    }
}

const TEXT_LIST: Shape = Shape::List(&Shape::Text);

/// `types.FieldSpec`
pub(super) const FIELD_SPEC: Shape = Shape::Fields(&[
    ("group", Shape::Text),
    ("version", Shape::Text),
    ("kind", Shape::Text),
    ("path", Shape::Text),
    ("create", Shape::Flag),
]);

/// `types.Selector`
pub(super) const SELECTOR: Shape = Shape::Fields(&[
    ("group", Shape::Text),
    ("version", Shape::Text),
    ("kind", Shape::Text),
    ("name", Shape::Text),
    ("namespace", Shape::Text),
    ("annotationSelector", Shape::Text),
    ("labelSelector", Shape::Text),
]);

/// `types.Patch`
pub(super) const PATCH: Shape = Shape::Fields(&[
    ("path", Shape::Text),
    ("patch", Shape::Text),
    ("target", SELECTOR),
    ("options", Shape::Flags),
]);

/// `types.Image`
pub(super) const IMAGE: Shape = Shape::Fields(&[
    ("name", Shape::Text),
    ("newName", Shape::Text),
    ("tagSuffix", Shape::Text),
    ("newTag", Shape::Text),
    ("digest", Shape::Text),
]);

/// `types.Replica`
pub(super) const REPLICA: Shape = Shape::Fields(&[("name", Shape::Text), ("count", Shape::Number)]);

const REPLACEMENT_OPTIONS: Shape = Shape::Fields(&[
    ("delimiter", Shape::Text),
    ("index", Shape::Number),
    ("encoding", Shape::Text),
    ("create", Shape::Flag),
]);

const REPLACEMENT_TARGETS: Shape = Shape::List(&Shape::Fields(&[
    ("select", SELECTOR),
    ("reject", Shape::List(&SELECTOR)),
    ("fieldPaths", TEXT_LIST),
    ("options", REPLACEMENT_OPTIONS),
]));

const REPLACEMENT_SOURCE: Shape = Shape::Fields(&[
    ("group", Shape::Text),
    ("version", Shape::Text),
    ("kind", Shape::Text),
    ("name", Shape::Text),
    ("namespace", Shape::Text),
    ("fieldPath", Shape::Text),
    ("options", REPLACEMENT_OPTIONS),
]);

/// `types.ReplacementField`; `sourceValue` came with 5.6.
pub(super) const REPLACEMENT: Shape = Shape::Fields(&[
    ("path", Shape::Text),
    ("source", REPLACEMENT_SOURCE),
    ("sourceValue", Shape::Text),
    ("targets", REPLACEMENT_TARGETS),
]);

const GENERATOR_OPTIONS: Shape = Shape::Fields(&[
    ("labels", Shape::Texts),
    ("annotations", Shape::Texts),
    ("disableNameSuffixHash", Shape::Flag),
    ("immutable", Shape::Flag),
]);

/// `types.ConfigMapArgs` and `types.SecretArgs`, which has a `type` besides.
pub(super) const GENERATOR: Shape = Shape::Fields(&[
    ("namespace", Shape::Text),
    ("name", Shape::Text),
    ("behavior", Shape::Text),
    ("literals", TEXT_LIST),
    ("files", TEXT_LIST),
    ("envs", TEXT_LIST),
    ("env", Shape::Text),
    ("type", Shape::Text),
    ("options", GENERATOR_OPTIONS),
]);

const LABEL: Shape = Shape::Fields(&[
    ("pairs", Shape::Texts),
    ("includeSelectors", Shape::Flag),
    ("includeTemplates", Shape::Flag),
    ("includeVolumeClaimTemplates", Shape::Flag),
    ("fields", Shape::List(&FIELD_SPEC)),
]);

const VARIABLE: Shape = Shape::Fields(&[
    ("name", Shape::Text),
    (
        "objref",
        Shape::Fields(&[
            ("apiVersion", Shape::Text),
            ("group", Shape::Text),
            ("version", Shape::Text),
            ("kind", Shape::Text),
            ("name", Shape::Text),
            ("namespace", Shape::Text),
        ]),
    ),
    ("fieldref", Shape::Fields(&[("fieldPath", Shape::Text)])),
]);

const METADATA: Shape = Shape::Fields(&[
    ("name", Shape::Text),
    ("namespace", Shape::Text),
    ("labels", Shape::Texts),
    ("annotations", Shape::Texts),
]);

/// `types.HelmChart`, with the fields of `types.HelmChartArgs`; `devel` came with 5.6.
pub(super) const HELM_CHART: Shape = Shape::Fields(&[
    ("name", Shape::Text),
    ("version", Shape::Text),
    ("repo", Shape::Text),
    ("releaseName", Shape::Text),
    ("namespace", Shape::Text),
    ("nameTemplate", Shape::Text),
    ("valuesFile", Shape::Text),
    ("additionalValuesFiles", TEXT_LIST),
    ("valuesInline", Shape::Any),
    ("valuesMerge", Shape::Text),
    ("includeCRDs", Shape::Flag),
    ("skipHooks", Shape::Flag),
    ("skipTests", Shape::Flag),
    ("apiVersions", TEXT_LIST),
    ("kubeVersion", Shape::Text),
    ("debug", Shape::Flag),
    ("devel", Shape::Flag),
    ("chartName", Shape::Text),
    ("chartVersion", Shape::Text),
    ("chartRepoUrl", Shape::Text),
    ("chartHome", Shape::Text),
    ("chartRepoName", Shape::Text),
    ("helmBin", Shape::Text),
    ("helmHome", Shape::Text),
    ("values", Shape::Text),
    ("valuesLocal", Shape::Any),
    ("releaseNamespace", Shape::Text),
    ("extraArgs", TEXT_LIST),
]);

/// `types.Kustomization`
const KUSTOMIZATION: Shape = Shape::Fields(&[
    ("apiVersion", Shape::Text),
    ("kind", Shape::Text),
    ("metadata", METADATA),
    ("openapi", Shape::Texts),
    ("namePrefix", Shape::Text),
    ("nameSuffix", Shape::Text),
    ("namespace", Shape::Text),
    ("commonLabels", Shape::Texts),
    ("labels", Shape::List(&LABEL)),
    ("commonAnnotations", Shape::Texts),
    ("patchesStrategicMerge", TEXT_LIST),
    ("patchesJson6902", Shape::List(&PATCH)),
    ("patches", Shape::List(&PATCH)),
    ("images", Shape::List(&IMAGE)),
    ("imageTags", Shape::List(&IMAGE)),
    ("replacements", Shape::List(&REPLACEMENT)),
    ("replicas", Shape::List(&REPLICA)),
    ("vars", Shape::List(&VARIABLE)),
    (
        "sortOptions",
        Shape::Fields(&[
            ("order", Shape::Text),
            (
                "legacySortOptions",
                Shape::Fields(&[("orderFirst", TEXT_LIST), ("orderLast", TEXT_LIST)]),
            ),
        ]),
    ),
    ("resources", TEXT_LIST),
    ("components", TEXT_LIST),
    ("crds", TEXT_LIST),
    ("bases", TEXT_LIST),
    ("configMapGenerator", Shape::List(&GENERATOR)),
    ("secretGenerator", Shape::List(&GENERATOR)),
    ("helmGlobals", Shape::Fields(&[("chartHome", Shape::Text), ("configHome", Shape::Text)])),
    ("helmCharts", Shape::List(&HELM_CHART)),
    ("helmChartInflationGenerator", Shape::List(&HELM_CHART)),
    ("generatorOptions", GENERATOR_OPTIONS),
    ("configurations", TEXT_LIST),
    ("generators", TEXT_LIST),
    ("transformers", TEXT_LIST),
    ("validators", TEXT_LIST),
    ("inventory", Shape::Any),
    ("buildMetadata", TEXT_LIST),
]);
