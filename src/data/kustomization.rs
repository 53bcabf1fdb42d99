//! The kustomization file: what it is called, and which fields it has (`api/types` and
//! `api/konfig` of kustomize 5.8.1).

use crate::tree::Node;

/// The names that kustomize looks for, in its order (`konfig/general.go`).
pub(crate) const FILES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// What a field may hold.
#[derive(Debug)]
pub(crate) enum Shape {
    /// A string.
    Text,
    /// A string, or what other tools write as a tree.
    Patch,
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
    Fields(FieldShapes),
}

/// The fields of a structure, those of one shape together.
pub(crate) type FieldShapes = &'static [(&'static [&'static str], Shape)];

/// The names of `fields`, each with its shape.
pub(crate) fn each(fields: FieldShapes) -> impl Iterator<Item = (&'static str, &'static Shape)> {
    fields.iter().flat_map(|(names, shape)| names.iter().map(move |name| (*name, shape)))
}

/// The field of that name, which Go decodes without regard to case.
pub(crate) fn field(fields: FieldShapes, name: &str) -> Option<(&'static str, &'static Shape)> {
    let exact = each(fields).find(|(known, _)| *known == name);
    exact.or_else(|| each(fields).find(|(known, _)| known.eq_ignore_ascii_case(name)))
}

/// The paths that a kustomization file names, as written.
pub(crate) fn paths(kustomization: &Node) -> Vec<&str> {
    let mut found = Vec::new();
    collect_paths(kustomization, &KUSTOMIZATION, &mut found);
    found
}

/// The same of a `HelmChartInflationGenerator`.
pub(crate) fn chart_paths(generator: &Node) -> Vec<&str> {
    let mut found = Vec::new();
    collect_paths(generator, &HELM_CHART, &mut found);
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
        Shape::Text
        | Shape::Patch
        | Shape::Flag
        | Shape::Number
        | Shape::Any
        | Shape::Texts
        | Shape::Flags => {}
    }
}

const TEXT_LIST: Shape = Shape::List(&Shape::Text);

const PATHS: Shape = Shape::List(&Shape::Path);

/// `types.FieldSpec`
pub(crate) const FIELD_SPEC: Shape = Shape::Fields(&[
    (&["group", "version", "kind", "path"], Shape::Text),
    (&["create"], Shape::Flag),
]);

/// `types.Selector`
pub(crate) const SELECTOR: Shape = Shape::Fields(&[
    (&["group", "version", "kind", "name", "namespace"], Shape::Text),
    (&["annotationSelector", "labelSelector"], Shape::Text),
]);

/// `types.Patch`
pub(crate) const PATCH: Shape = Shape::Fields(&[
    (&["path"], Shape::Path),
    (&["patch"], Shape::Patch),
    (&["target"], SELECTOR),
    (&["options"], Shape::Fields(&[(&["allowNameChange", "allowKindChange"], Shape::Flag)])),
]);

/// `types.Image`
pub(crate) const IMAGE: Shape =
    Shape::Fields(&[(&["name", "newName", "tagSuffix", "newTag", "digest"], Shape::Text)]);

/// `types.Replica`
pub(crate) const REPLICA: Shape =
    Shape::Fields(&[(&["name"], Shape::Text), (&["count"], Shape::Number)]);

const REPLACEMENT_OPTIONS: Shape = Shape::Fields(&[
    (&["delimiter", "encoding"], Shape::Text),
    (&["index"], Shape::Number),
    (&["create"], Shape::Flag),
]);

const REPLACEMENT_TARGETS: Shape = Shape::List(&Shape::Fields(&[
    (&["select"], SELECTOR),
    (&["reject"], Shape::List(&SELECTOR)),
    (&["fieldPaths"], TEXT_LIST),
    (&["options"], REPLACEMENT_OPTIONS),
]));

const REPLACEMENT_SOURCE: Shape = Shape::Fields(&[
    (&["group", "version", "kind", "name", "namespace", "fieldPath"], Shape::Text),
    (&["options"], REPLACEMENT_OPTIONS),
]);

/// `types.ReplacementField`
pub(crate) const REPLACEMENT: Shape = Shape::Fields(&[
    (&["path"], Shape::Path),
    (&["source"], REPLACEMENT_SOURCE),
    (&["sourceValue"], Shape::Text),
    (&["targets"], REPLACEMENT_TARGETS),
]);

const GENERATOR_OPTIONS: Shape = Shape::Fields(&[
    (&["labels", "annotations"], Shape::Texts),
    (&["disableNameSuffixHash", "immutable"], Shape::Flag),
]);

/// `types.ConfigMapArgs` and `types.SecretArgs`, which has a `type` besides.
pub(crate) const GENERATOR: Shape = Shape::Fields(&[
    (&["namespace", "name", "behavior", "type"], Shape::Text),
    (&["literals"], TEXT_LIST),
    (&["files"], Shape::List(&Shape::KeyedPath)),
    (&["envs"], PATHS),
    (&["env"], Shape::Path),
    (&["options"], GENERATOR_OPTIONS),
]);

const LABEL: Shape = Shape::Fields(&[
    (&["pairs"], Shape::Texts),
    (&["includeSelectors", "includeTemplates", "includeVolumeClaimTemplates"], Shape::Flag),
    (&["fields"], Shape::List(&FIELD_SPEC)),
]);

const VARIABLE: Shape = Shape::Fields(&[
    (&["name"], Shape::Text),
    (
        &["objref"],
        Shape::Fields(&[(
            &["apiVersion", "group", "version", "kind", "name", "namespace"],
            Shape::Text,
        )]),
    ),
    (&["fieldref"], Shape::Fields(&[(&["fieldPath"], Shape::Text)])),
]);

const METADATA: Shape = Shape::Fields(&[
    (&["name", "namespace"], Shape::Text),
    (&["labels", "annotations"], Shape::Texts),
]);

/// `types.HelmChart`
pub(crate) const HELM_CHART: Shape = Shape::Fields(&[
    (&["name", "version", "repo", "releaseName", "namespace", "nameTemplate"], Shape::Text),
    (&["valuesFile"], Shape::Path),
    (&["additionalValuesFiles"], PATHS),
    (&["valuesInline"], Shape::Any),
    (&["valuesMerge", "kubeVersion"], Shape::Text),
    (&["includeCRDs", "skipHooks", "skipTests", "debug", "devel"], Shape::Flag),
    (&["apiVersions"], TEXT_LIST),
]);

/// `types.HelmGlobals`
pub(crate) const HELM_GLOBALS: Shape =
    Shape::Fields(&[(&["chartHome", "configHome"], Shape::Text)]);

/// `types.HelmChartArgs`
const HELM_CHART_ARGS: Shape = Shape::Fields(&[
    (&["chartName", "chartVersion", "chartRepoUrl", "chartHome", "chartRepoName"], Shape::Text),
    (&["values"], Shape::Path),
    (&["valuesLocal"], Shape::Any),
    (&["valuesMerge", "releaseName", "releaseNamespace", "helmBin", "helmHome"], Shape::Text),
    (&["extraArgs"], TEXT_LIST),
]);

/// What a field of `types.HelmChartArgs` is called in `types.HelmChart`; the others count for nothing
/// there (`makeHelmChartFromHca`), `releaseNamespace` among them.
pub(crate) const HELM_CHART_NAMES: [(&str, &str); 7] = [
    ("chartName", "name"),
    ("chartVersion", "version"),
    ("chartRepoUrl", "repo"),
    ("values", "valuesFile"),
    ("valuesLocal", "valuesInline"),
    ("valuesMerge", "valuesMerge"),
    ("releaseName", "releaseName"),
];

const SORT_OPTIONS: Shape = Shape::Fields(&[
    (&["order"], Shape::Text),
    (&["legacySortOptions"], Shape::Fields(&[(&["orderFirst", "orderLast"], TEXT_LIST)])),
]);

/// `types.Kustomization`
pub(crate) const KUSTOMIZATION: Shape = Shape::Fields(FIELDS);

/// The fields of a kustomization file.
pub(crate) const FIELDS: FieldShapes = &[
    (&["apiVersion", "kind", "namePrefix", "nameSuffix", "namespace"], Shape::Text),
    (&["metadata"], METADATA),
    (&["openapi", "commonLabels", "commonAnnotations"], Shape::Texts),
    (&["labels"], Shape::List(&LABEL)),
    (&["resources", "components", "crds", "bases", "patchesStrategicMerge"], PATHS),
    (&["configurations", "generators", "transformers", "validators"], PATHS),
    (&["patches", "patchesJson6902"], Shape::List(&PATCH)),
    (&["images", "imageTags"], Shape::List(&IMAGE)),
    (&["replacements"], Shape::List(&REPLACEMENT)),
    (&["replicas"], Shape::List(&REPLICA)),
    (&["vars"], Shape::List(&VARIABLE)),
    (&["sortOptions"], SORT_OPTIONS),
    (&["configMapGenerator", "secretGenerator"], Shape::List(&GENERATOR)),
    (&["generatorOptions"], GENERATOR_OPTIONS),
    (&["helmGlobals"], HELM_GLOBALS),
    (&["helmCharts"], Shape::List(&HELM_CHART)),
    (&["helmChartInflationGenerator"], Shape::List(&HELM_CHART_ARGS)),
    (&["inventory"], Shape::Any),
    (&["buildMetadata"], TEXT_LIST),
];

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
