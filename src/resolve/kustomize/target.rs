//! One kustomization after another: the order in which its fields take effect
//! (`kusttarget.go`).

use std::sync::Arc;

use crate::{
    problem::Problem,
    resolve::kustomize::{
        automatic, chart,
        fieldspec::{self, FieldSpec, Rules},
        file::{self, Kustomization},
        generate::{self, Product},
        layer::Layer,
        load::{Loader, Target, shown},
        patch::{self, PatchEntry},
        plugin, remote, replace,
        resource::{Index, Maker, Resource},
        shape,
        transform::{self, End, Namespace, Subjects},
        value::{Outcome, refusal, text},
        vars,
    },
    tree::{Node, Origin},
};

/// Reads the kustomization file in `loader`'s directory, which is included at `at`.
///
/// # Errors
/// When there is none, or kustomize refuses it.
pub(super) fn kustomization(
    loader: &Loader<'_>,
    at: &Origin,
    edits: Option<&Node>,
) -> Outcome<Kustomization> {
    let Some(file) = loader.is_kustomization(&loader.dir, at)? else {
        let message = format!("there is no kustomization file in {}", shown(&loader.dir));
        return Err(refusal(at, message));
    };
    file::kustomization(loader.context.sources, file, edits, true)
}

/// [`kustomization`], but a directory without a kustomization file is built from the manifests in
/// it. Flux reads and writes the file that it builds, which drops the fields that kustomize does not
/// know (`kustomize_generator.go` in `fluxcd/pkg`).
///
/// # Errors
/// As [`kustomization`].
pub(super) fn kustomization_or_generated(
    loader: &Loader<'_>,
    at: &Origin,
    edits: Option<&Node>,
) -> Outcome<Kustomization> {
    if let Some(file) = loader.is_kustomization(&loader.dir, at)? {
        let strict = loader.options.left_out.is_none();
        return file::kustomization(loader.context.sources, file, edits, strict);
    }
    automatic::kustomization(loader, at, edits)
}

/// Runs the fields of `kustomization` over what `layer` holds.
///
/// # Errors
/// Why kustomize refuses to build it.
pub(super) fn accumulate(
    loader: &Loader<'_>,
    kustomization: &Kustomization,
    mut layer: Layer,
) -> Outcome<Layer> {
    let namespace = kustomization.text("namespace").map(|it| text(Some(it)).into());
    let chart_namespace = namespace.or_else(|| loader.chart_namespace.clone());
    let loader = &Loader { chart_namespace, ..loader.clone() };
    resources(loader, kustomization.list("resources"), &mut layer)?;
    configurations(loader, kustomization, &mut layer)?;
    generators(loader, kustomization, &mut layer)?;
    for component in kustomization.list("components") {
        layer = include_component(loader, component, layer)?;
    }
    transformers(loader, kustomization, &mut layer)?;
    vars::collect(&mut layer, kustomization.list("vars"))?;
    Ok(layer)
}

/// Adds what the paths of `entries` lead to.
pub(super) fn resources(loader: &Loader<'_>, entries: &[Node], layer: &mut Layer) -> Outcome<()> {
    for entry in entries {
        match loader.target(entry) {
            Target::File(file) => {
                loader.permit(file, &entry.origin)?;
                let objects = loader.objects(file, &entry.origin)?;
                let mut found: Vec<_> = objects.into_iter().map(Resource::new).collect();
                if loader.annotate {
                    let path = &loader.context.sources[file].path;
                    for resource in &mut found {
                        resource.made_by(Maker { path: path.clone(), ..Maker::default() });
                    }
                }
                layer.append(found, &entry.origin)?;
            }
            Target::Directory(dir) => include(loader, &dir, entry, layer)?,
            Target::Remote => remote::include(loader, entry, layer)?,
            Target::Missing => {
                let message = format!("there is no {} in the repository", text(Some(entry)));
                return Err(refusal(&entry.origin, message));
            }
        }
    }
    Ok(())
}

/// Adds the layer of the directory `dir`, which `entry` includes.
fn include(loader: &Loader<'_>, dir: &Arc<str>, entry: &Node, layer: &mut Layer) -> Outcome<()> {
    let inner = loader.enter(dir, &entry.origin)?;
    let base = loader.context.layers.get_or_build(&inner, &entry.origin)?;
    for (reached, at) in &base.reached {
        if inner.chain.closes(reached) {
            let message = format!("{} includes itself in a cycle", shown(reached));
            return Err(refusal(at, message));
        }
    }
    layer.reached.push((dir.clone(), entry.origin.clone()));
    layer.reached.extend(base.reached.iter().cloned());
    layer.append(base.resources.clone(), &entry.origin)?;
    Rules::join(&mut layer.rules, &base.rules, &entry.origin)?;
    vars::join(&mut layer.variables, &base.variables)?;
    layer.problems.extend(base.problems.iter().cloned());
    layer.open = layer.open.take().or_else(|| base.open.clone());
    layer.takes_namespace |= base.takes_namespace;
    Ok(())
}

/// The layer of a directory that is included, which must not be a component.
///
/// # Errors
/// Why kustomize refuses to build it.
pub(super) fn base(loader: &Loader<'_>, at: &Origin) -> Outcome<Layer> {
    let kustomization = kustomization(loader, at, None)?;
    if kustomization.component {
        let message = format!("{} is a component", shown(&loader.dir));
        return Err(refusal(at, message).help("list it under components").into());
    }
    accumulate(loader, &kustomization, Layer::empty())
}

/// Runs the component at `entry` over `layer`.
fn include_component(loader: &Loader<'_>, entry: &Node, mut layer: Layer) -> Outcome<Layer> {
    let dir = match loader.target(entry) {
        Target::Directory(dir) => dir,
        Target::Remote => {
            layer.unresolved(
                &entry.origin,
                format!("the component {} is not in the repository", text(Some(entry))),
            );
            return Ok(layer);
        }
        Target::File(_) => return Err(refusal(&entry.origin, "a component is a directory")),
        Target::Missing => {
            let message = format!("there is no {} in the repository", text(Some(entry)));
            return Err(refusal(&entry.origin, message));
        }
    };
    let inner = loader.enter(&dir, &entry.origin)?;
    let kustomization = kustomization(&inner, &entry.origin, None)?;
    if !kustomization.component {
        let message = format!("{} is not of kind Component", shown(&dir));
        return Err(refusal(&entry.origin, message));
    }
    layer.reached.push((dir, entry.origin.clone()));
    accumulate(&inner, &kustomization, layer)
}

/// The version of Kubernetes whose schema comes with kustomize (`kubernetesapi`).
const SCHEMA_VERSION: &str = "v1.21.2";

/// Adds the transformer configuration that the kustomization names.
fn configurations(
    loader: &Loader<'_>,
    kustomization: &Kustomization,
    layer: &mut Layer,
) -> Outcome<()> {
    match kustomization.list("configurations") {
        [] => {
            let at = &kustomization.fields.origin;
            Rules::join(&mut layer.rules, &Rules::builtin(), at)?;
        }
        paths => {
            let mut configured = Rules::default();
            for path in paths {
                configured.merge(&Rules::decode(&loader.value(path)?)?, &path.origin)?;
            }
            let at = &paths[0].origin;
            let mut all = Rules::builtin();
            Arc::make_mut(&mut all).merge(&configured, at)?;
            Arc::make_mut(&mut layer.rules).merge(&all, at)?;
        }
    }
    // Both may change which lists merge and which fields are names, which we do not follow.
    let openapi = |name: &str| kustomization.fields.get("openapi").and_then(|it| it.get(name));
    let schema = openapi("path");
    match openapi("version") {
        Some(version) if schema.is_some() => {
            return Err(refusal(&version.origin, "openapi has both version and path"));
        }
        Some(version) if !matches!(text(Some(version)), "" | SCHEMA_VERSION) => {
            let message = format!("kustomize has the OpenAPI version {SCHEMA_VERSION} only");
            return Err(refusal(&version.origin, message));
        }
        _ => {}
    }
    for path in kustomization.list("crds").iter().chain(schema) {
        loader.file(path)?;
        let message = format!("how {} changes this build is not known", text(Some(path)));
        layer.problems.push(Problem::unresolved(&path.origin, message));
    }
    Ok(())
}

fn generators(
    loader: &Loader<'_>,
    kustomization: &Kustomization,
    layer: &mut Layer,
) -> Outcome<()> {
    let global = kustomization.fields.get("generatorOptions");
    let mut index = Index::new(&layer.resources);
    let products =
        [("configMapGenerator", Product::ConfigMap), ("secretGenerator", Product::Secret)];
    for (field, product) in products {
        for entry in kustomization.list(field) {
            let mut generated = generate::generate(loader, entry, global, product)?;
            if loader.annotate {
                generated.resource.made_by(builtin(kustomization, product.generator()));
            }
            layer.absorb(generated, &mut index)?;
        }
    }
    for chart in kustomization.list("helmCharts") {
        let objects = chart::inflate(loader, kustomization, chart, layer)?;
        let inflated = |node| Resource { inflated: true, ..Resource::new(node) };
        layer.append(objects.into_iter().map(inflated).collect(), &chart.origin)?;
    }
    if !kustomization.list("generators").is_empty() {
        let mut index = Index::new(&layer.resources);
        for generated in plugin::generators(loader, kustomization.list("generators"), layer)? {
            layer.absorb(generated, &mut index)?;
        }
    }
    Ok(())
}

/// One of kustomize's own generators or transformers, as a kustomization file configures it.
fn builtin(kustomization: &Kustomization, kind: &str) -> Maker {
    Maker { path: kustomization.path.clone(), kind: kind.into(), ..Maker::default() }
}

fn transformers(
    loader: &Loader<'_>,
    kustomization: &Kustomization,
    layer: &mut Layer,
) -> Outcome<()> {
    let ran = |layer: &mut Layer, kind: &str| {
        layer.sweep();
        layer.note(loader, &builtin(kustomization, kind));
    };
    let rules = layer.rules.clone();
    patches(loader, kustomization, layer)?;
    if let Some(to) = kustomization.text("namespace") {
        let fields = &rules.namespace;
        let namespace = Namespace { to, fields, unset_only: false, subjects: Subjects::Default };
        namespace.apply(&mut layer.resources)?;
        ran(layer, "NamespaceTransformer");
    }
    for (field, end, specs) in [
        ("namePrefix", End::Prefix, &rules.name_prefix),
        ("nameSuffix", End::Suffix, &rules.name_suffix),
    ] {
        if let Some(affix) = kustomization.text(field) {
            transform::rename(&mut layer.resources, affix, end, specs)?;
            ran(layer, end.transformer());
        }
    }
    for label in kustomization.list("labels") {
        if let Some(pairs) = label.get("pairs") {
            transform::label(&mut layer.resources, pairs, &label_fields(label, &rules)?)?;
        }
        ran(layer, "LabelTransformer");
    }
    if let Some(pairs) = kustomization.fields.get("commonLabels") {
        transform::label(&mut layer.resources, pairs, &rules.common_labels)?;
        ran(layer, "LabelTransformer");
    }
    if let Some(pairs) = kustomization.fields.get("commonAnnotations") {
        transform::label(&mut layer.resources, pairs, &rules.common_annotations)?;
        ran(layer, "AnnotationsTransformer");
    }
    let open = layer.open.is_some();
    for entry in kustomization.list("patchesJson6902") {
        let entry = PatchEntry::json(loader, entry, "patch")?;
        entry.apply(&mut layer.resources, &mut None, open)?;
        ran(layer, "PatchJson6902Transformer");
    }
    for replica in kustomization.list("replicas") {
        transform::scale(&mut layer.resources, replica, &rules.replicas, open)?;
        ran(layer, "ReplicaCountTransformer");
    }
    for image in kustomization.list("images") {
        transform::retag(&mut layer.resources, image, &rules.images)?;
        ran(layer, "ImageTagTransformer");
    }
    let replacements = kustomization.list("replacements");
    if !replacements.is_empty() {
        replace::all(loader, replacements, &mut layer.resources, open)?;
        ran(layer, "ReplacementTransformer");
    }
    plugin::transformers(loader, kustomization.list("transformers"), layer)?;
    plugin::validators(loader, kustomization.list("validators"), layer)?;
    layer.sweep();
    Ok(())
}

/// Applies `patchesStrategicMerge` and `patches`.
fn patches(loader: &Loader<'_>, kustomization: &Kustomization, layer: &mut Layer) -> Outcome<()> {
    let open = layer.open.is_some();
    let mut index = None;
    let listed = kustomization.list("patchesStrategicMerge");
    let strategic = patch::strategic(loader, listed)?;
    if let (Some(first), []) = (listed.first(), &strategic[..]) {
        return Err(refusal(&first.origin, "these patches are empty"));
    }
    for patch in &strategic {
        patch::apply_by_id(&mut layer.resources, &mut index, patch, (false, false), open)?;
    }
    if !strategic.is_empty() {
        layer.sweep();
        index = None;
        layer.note(loader, &builtin(kustomization, "PatchStrategicMergeTransformer"));
    }
    for entry in kustomization.list("patches") {
        PatchEntry::new(loader, entry)?.apply(&mut layer.resources, &mut index, open)?;
        if layer.resources.iter().any(Resource::is_gone) {
            layer.sweep();
            index = None;
        }
        layer.note(loader, &builtin(kustomization, "PatchTransformer"));
    }
    Ok(())
}

/// Where the labels of an entry of `labels` go.
fn label_fields(label: &Node, rules: &Rules) -> Outcome<Vec<FieldSpec>> {
    let mut fields: Vec<FieldSpec> =
        shape::items(label, "fields").iter().map(FieldSpec::new).collect();
    let mut add = |specs: &[FieldSpec]| fieldspec::add(&mut fields, specs, &label.origin);
    add(&rules.labels)?;
    if shape::flag(label, "includeSelectors") {
        add(&rules.common_labels)?;
    } else {
        if shape::flag(label, "includeTemplates") {
            add(&rules.template_labels)?;
        }
        add(&[FieldSpec::everywhere("metadata/labels", true)])?;
    }
    Ok(fields)
}
