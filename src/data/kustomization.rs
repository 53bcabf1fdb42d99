//! The kustomization file: what it is called, and which fields it has (`api/types` and
//! `api/konfig` of kustomize 5.6).

use crate::tree::Node;

/// The names that kustomize looks for, in its order (`konfig/general.go`).
pub(crate) const FILES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// What a field may hold.
#[derive(Debug)]
pub(crate) enum Shape {
    /// A string.
    Text,
    /// A string that is the path of a file or a directory.
    Path,
    /// The same, perhaps after a name and `=`.
    KeyedPath,
    /// A boolean.
    Flag,
    /// A whole number.
    Number,
    /// Anything.
    Any,
    /// A mapping to strings.
    Texts,
    /// A mapping to booleans.
    Flags,
    /// A list of one shape.
    List(&'static Shape),
    /// A structure with these fields.
    Fields(&'static [(&'static str, Shape)]),
}

/// The field of that name, which Go decodes without regard to case.
pub(crate) fn field<'f>(
    fields: &'f [(&'static str, Shape)],
    name: &str,
) -> Option<&'f (&'static str, Shape)> {
    let exact = fields.iter().find(|(known, _)| *known == name);
    exact.or_else(|| fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)))
}

/// The paths that a kustomization file names, as written.
pub(crate) fn paths(kustomization: &Node) -> Vec<&str> {
    let mut found = Vec::new();
    collect_paths(kustomization, &KUSTOMIZATION, &mut found);
    found
}

fn collect_paths<'n>(node: &'n Node, shape: &Shape, found: &mut Vec<&'n str>) {
    match shape {
        Shape::Path => found.extend(node.as_str()),
        Shape::KeyedPath => {
            let entry = node.as_str();
            found.extend(entry.map(|it| it.split_once('=').map_or(it, |(_, path)| path)));
        }
        Shape::List(item) => {
            node.items().iter().for_each(|it| collect_paths(it, item, found));
        }
        Shape::Fields(fields) => {
            for (name, entry) in node.entries() {
                if let Some((_, shape)) = field(fields, name) {
                    collect_paths(&entry.value, shape, found);
                }
            }
        }
        Shape::Text | Shape::Flag | Shape::Number | Shape::Any | Shape::Texts | Shape::Flags => {}
    }
}

const TEXT_LIST: Shape = Shape::List(&Shape::Text);

const PATHS: Shape = Shape::List(&Shape::Path);

/// `types.FieldSpec`
pub(crate) const FIELD_SPEC: Shape = Shape::Fields(&[
    ("group", Shape::Text),
    ("version", Shape::Text),
    ("kind", Shape::Text),
    ("path", Shape::Text),
    ("create", Shape::Flag),
]);

/// `types.Selector`
pub(crate) const SELECTOR: Shape = Shape::Fields(&[
    ("group", Shape::Text),
    ("version", Shape::Text),
    ("kind", Shape::Text),
    ("name", Shape::Text),
    ("namespace", Shape::Text),
    ("annotationSelector", Shape::Text),
    ("labelSelector", Shape::Text),
]);

/// `types.Patch`
pub(crate) const PATCH: Shape = Shape::Fields(&[
    ("path", Shape::Path),
    ("patch", Shape::Text),
    ("target", SELECTOR),
    ("options", Shape::Flags),
]);

/// `types.Image`
pub(crate) const IMAGE: Shape = Shape::Fields(&[
    ("name", Shape::Text),
    ("newName", Shape::Text),
    ("tagSuffix", Shape::Text),
    ("newTag", Shape::Text),
    ("digest", Shape::Text),
]);

/// `types.Replica`
pub(crate) const REPLICA: Shape = Shape::Fields(&[("name", Shape::Text), ("count", Shape::Number)]);

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
pub(crate) const REPLACEMENT: Shape = Shape::Fields(&[
    ("path", Shape::Path),
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
pub(crate) const GENERATOR: Shape = Shape::Fields(&[
    ("namespace", Shape::Text),
    ("name", Shape::Text),
    ("behavior", Shape::Text),
    ("literals", TEXT_LIST),
    ("files", Shape::List(&Shape::KeyedPath)),
    ("envs", PATHS),
    ("env", Shape::Path),
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
pub(crate) const HELM_CHART: Shape = Shape::Fields(&[
    ("name", Shape::Text),
    ("version", Shape::Text),
    ("repo", Shape::Text),
    ("releaseName", Shape::Text),
    ("namespace", Shape::Text),
    ("nameTemplate", Shape::Text),
    ("valuesFile", Shape::Path),
    ("additionalValuesFiles", PATHS),
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
pub(crate) const KUSTOMIZATION: Shape = Shape::Fields(&[
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
    ("patchesStrategicMerge", PATHS),
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
    ("resources", PATHS),
    ("components", PATHS),
    ("crds", PATHS),
    ("bases", PATHS),
    ("configMapGenerator", Shape::List(&GENERATOR)),
    ("secretGenerator", Shape::List(&GENERATOR)),
    ("helmGlobals", Shape::Fields(&[("chartHome", Shape::Text), ("configHome", Shape::Text)])),
    ("helmCharts", Shape::List(&HELM_CHART)),
    ("helmChartInflationGenerator", Shape::List(&HELM_CHART)),
    ("generatorOptions", GENERATOR_OPTIONS),
    ("configurations", PATHS),
    ("generators", PATHS),
    ("transformers", PATHS),
    ("validators", PATHS),
    ("inventory", Shape::Any),
    ("buildMetadata", TEXT_LIST),
]);

#[cfg(test)]
mod tests {
    use crate::tests::{fixture, roots};

    #[test]
    fn every_field_that_names_a_file_is_followed() {
        let sources = fixture(
            "
            //- kustomization.yaml
            Resources: [a]
            bases: [b]
            patches: [{path: c, patch: 'no: path'}]
            configMapGenerator: [{envs: [d], env: e, files: [f, key=g], literals: [h=i]}]
            helmCharts: [{name: no, valuesFile: j, additionalValuesFiles: [k]}]
            replacements: [{path: l, source: {fieldPath: no}}]
            namespace: no
            ",
        );
        let expected = ["a", "b", "c", "d", "e", "f", "g", "j", "k", "l"];
        assert_eq!(super::paths(&roots(&sources, "kustomization.yaml")[0]), expected);
    }
}
