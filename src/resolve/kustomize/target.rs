//! One kustomization after another: the order in which its fields take effect
//! (`kusttarget.go`).

use std::sync::Arc;

use crate::{
    data::kustomization::FILES,
    problem::Problem,
    resolve::{
        kustomize::{
            automatic,
            budget::{MAKE, WALK},
            chart,
            fieldspec::{self, FieldSpec, Rules},
            file::{self, Kustomization, Refused},
            generate::{self, Product},
            layer::Layer,
            load::{Loader, Target, shown},
            patch::{self, PatchEntry},
            plugin, remote, replace,
            resource::{Index, Maker, Resource},
            shape,
            transform::{self, End, Namespace, Subjects},
            value::{Outcome, refusal, text, unresolved},
            vars,
        },
        prepared,
    },
    source::join,
    tree::{Map, Node, Origin},
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
        let path = join(&loader.dir, FILES[0]).unwrap_or_default();
        return Err(prepared::leads_nowhere(loader.context.sources, at, &path, message).into());
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
        let strict = loader.options.artifact.is_none();
        return file::kustomization(loader.context.sources, file, edits, strict);
    }
    automatic::kustomization(loader, at, edits)
}

/// In deeper ones the sides of conditions are not told apart: each of them is built.
const MAX_SIDED: usize = 6;

/// Runs the fields of `kustomization` over what `layer` holds.
///
/// Each entry is a part: one that is refused is told and left out, and the rest goes on.
pub(super) fn accumulate(loader: &Loader<'_>, kustomization: &Kustomization, layer: &mut Layer) {
    if let [first, others @ ..] = &kustomization.sides[..]
        && loader.depth() <= MAX_SIDED
    {
        let before = layer.clone();
        accumulate(loader, first, layer);
        let why = format!("a condition in {} decides", kustomization.path).into();
        for side in others {
            let mut other = before.clone();
            accumulate(loader, side, &mut other);
            layer.join(other, &why);
        }
        return;
    }
    let namespace = kustomization.text("namespace").map(|it| text(Some(it)).into());
    let chart_namespace = namespace.or_else(|| loader.chart_namespace.clone());
    let loader = &Loader { chart_namespace, ..loader.clone() };
    let (adding, changing): (Vec<_>, Vec<_>) =
        kustomization.refused.iter().partition(|it| changes_nothing(&it.field));
    for refused in adding {
        layer.part::<()>(Err(refused.problem.clone()));
    }
    resources(loader, kustomization.list("resources"), layer);
    configurations(loader, kustomization, layer);
    generators(loader, kustomization, layer);
    for component in kustomization.list("components") {
        // It may add objects and change those that are here.
        let included = include_component(loader, component, layer);
        layer.part(included.clone());
        layer.change(included, |_| true);
    }
    transformers(loader, kustomization, layer);
    for refused in changing {
        let why = refused.problem.message.clone();
        let image = (refused.field == "images").then_some(&refused.value);
        let fields = &layer.rules.clone().images;
        let retag =
            |it| transform::retag(&mut layer.resources, it, fields, Some(why.clone())).is_ok();
        let problem = Err(refused.problem.clone());
        if RENAMES.contains(&&*refused.field) {
            layer.told::<()>(problem.map_err(seen_by_all));
        } else if refused.field == "replicas" {
            let fields = &layer.rules.clone().replicas;
            transform::unscale(&mut layer.resources, &refused.value, fields, &why);
            layer.told::<()>(problem.map_err(seen_by_all));
        } else if image.filter(|it| it.get("name").is_some()).is_some_and(retag) {
            layer.told::<()>(problem);
        } else if refused.conditional {
            perhaps(loader, refused, layer);
            layer.told::<()>(problem.map_err(seen_by_all));
        } else {
            layer.change::<()>(problem, patch::selected(&refused.value));
        }
    }
    vars::collect(layer, kustomization.list("vars"));
}

/// Runs an entry of which nobody can tell whether it is there: what it changes is unknown.
fn perhaps(loader: &Loader<'_>, entry: &Refused, layer: &mut Layer) {
    let why = entry.problem.message.clone();
    let start = &entry.value.origin;
    let list = Node::new(vec![entry.value.clone()], start.clone());
    let fields = Node::new(Map::from_iter([(&*entry.field, list)]), start.clone());
    match file::decode(&fields, None, String::new(), start, true) {
        Ok(alone) => {
            let mut with = layer.clone();
            accumulate(loader, &alone, &mut with);
            layer.join(with, &why);
        }
        Err(_) => layer.resources.iter_mut().for_each(|it| it.hide(&why)),
    }
}

/// The fields that change what all objects are called or how they are marked, and nothing else:
/// what belongs together does so afterwards.
const RENAMES: [&str; 6] =
    ["namespace", "namePrefix", "nameSuffix", "labels", "commonLabels", "commonAnnotations"];

/// The same problem, of something that changes objects.
#[expect(clippy::unnecessary_box_returns, reason = "an error that is passed on all the way")]
fn seen_by_all(mut problem: Box<Problem>) -> Box<Problem> {
    problem.unseen.changes = true;
    problem
}

/// Whether a field of a kustomization file says nothing of what other fields add.
fn changes_nothing(field: &str) -> bool {
    let adds = ["resources", "bases", "generators", "validators", "generatorOptions"];
    let tells = ["apiVersion", "metadata", "buildMetadata", "inventory", "sortOptions", "vars"];
    let makes = field.ends_with("Generator") || field.starts_with("helm");
    makes || field.is_empty() || adds.contains(&field) || tells.contains(&field)
}

/// Adds what the paths of `entries` lead to.
pub(super) fn resources(loader: &Loader<'_>, entries: &[Node], layer: &mut Layer) {
    layer.adding(|layer| {
        for entry in entries {
            let included = resource(loader, entry, layer);
            layer.part(included);
        }
    });
}

fn resource(loader: &Loader<'_>, entry: &Node, layer: &mut Layer) -> Outcome<()> {
    match loader.target(entry) {
        Target::File(file) => {
            loader.permit(file, &entry.origin)?;
            let objects = loader.objects(file, &entry.origin)?;
            let objects = objects.into_iter().filter_map(|it| layer.part(it));
            let mut found: Vec<_> = objects.map(Resource::new).collect();
            if loader.annotate {
                let path = &loader.context.sources[file].path;
                for resource in &mut found {
                    resource.made_by(Maker { path: path.clone(), ..Maker::default() });
                }
            }
            layer.append(found, &entry.origin);
            Ok(())
        }
        Target::Directory(dir) => include(loader, &dir, entry, layer),
        Target::Remote => {
            remote::include(loader, entry, layer);
            Ok(())
        }
        Target::Missing => Err(loader.missing(entry, "").hiding_objects().into()),
    }
}

/// Adds the layer of the directory `dir`, which `entry` includes.
fn include(loader: &Loader<'_>, dir: &Arc<str>, entry: &Node, layer: &mut Layer) -> Outcome<()> {
    let inner = enter(loader, dir, entry, layer)?;
    let base = loader.context.layers.get_or_build(&inner, &entry.origin)?;
    layer.reached.extend(base.reached.iter().cloned());
    layer.cyclic |= base.cyclic;
    layer.include(&base, &entry.origin);
    let joined = Rules::join(&mut layer.rules, &base.rules, &entry.origin);
    layer.told(joined);
    vars::join(layer, &base.variables);
    layer.tell(base.problems.iter().cloned());
    layer.open = layer.open.take().or_else(|| base.open.clone());
    layer.takes_namespace |= base.takes_namespace;
    layer.releases.extend(base.releases.iter().cloned());
    Ok(())
}

/// The loader for the directory `dir`, which `entry` includes.
fn enter<'a>(
    loader: &Loader<'a>,
    dir: &Arc<str>,
    entry: &Node,
    layer: &mut Layer,
) -> Outcome<Loader<'a>> {
    layer.reached.insert(dir.clone());
    layer.cyclic |= loader.chain.closes(dir);
    loader.enter(dir, &entry.origin)
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
    let mut layer = Layer::empty();
    accumulate(loader, &kustomization, &mut layer);
    Ok(layer)
}

/// Runs the component at `entry` over `layer`.
fn include_component(loader: &Loader<'_>, entry: &Node, layer: &mut Layer) -> Outcome<()> {
    let dir = match loader.target(entry) {
        Target::Directory(dir) => dir,
        Target::Remote => {
            let why = format!("the component {} is not in the repository", text(Some(entry)));
            return Err(unresolved(&entry.origin, why).hiding_objects().into());
        }
        Target::File(_) => return Err(refusal(&entry.origin, "a component is a directory")),
        Target::Missing => return Err(loader.missing(entry, "").hiding_objects().into()),
    };
    if !layer.admits_component(&entry.origin) {
        return Ok(());
    }
    let inner = enter(loader, &dir, entry, layer)?;
    let kustomization = kustomization(&inner, &entry.origin, None)?;
    if !kustomization.component {
        let message = format!("{} is not of kind Component", shown(&dir));
        return Err(refusal(&entry.origin, message));
    }
    accumulate(&inner, &kustomization, layer);
    Ok(())
}

/// The version of Kubernetes whose schema comes with kustomize (`kubernetesapi`).
const SCHEMA_VERSION: &str = "v1.21.2";

/// Adds the transformer configuration that the kustomization names.
fn configurations(loader: &Loader<'_>, kustomization: &Kustomization, layer: &mut Layer) {
    let joined = match kustomization.list("configurations") {
        [] => {
            let at = &kustomization.fields.origin;
            Rules::join(&mut layer.rules, &Rules::builtin(), at)
        }
        paths => {
            let mut configured = Rules::default();
            for path in paths {
                let rules = loader.value(path).and_then(|it| Rules::decode(&it));
                let merged = rules.and_then(|it| configured.merge(&it, &path.origin));
                layer.told(merged);
            }
            let at = &paths[0].origin;
            let mut all = Rules::builtin();
            let merged = Arc::make_mut(&mut all).merge(&configured, at);
            merged.and_then(|()| Arc::make_mut(&mut layer.rules).merge(&all, at))
        }
    };
    layer.told(joined);
    // Both may change which lists merge and which fields are names, which we do not follow.
    let openapi = |name: &str| kustomization.fields.get("openapi").and_then(|it| it.get(name));
    let schema = openapi("path");
    // The first that a build comes to counts for all of it (`SetSchema` of `kyaml/openapi`): below the top
    // nobody looks at it where another one was before.
    match openapi("version").filter(|_| loader.depth() == 1) {
        Some(version) if schema.is_some() => {
            layer.tell([*refusal(&version.origin, "openapi has both version and path")]);
        }
        Some(version) if !matches!(text(Some(version)), "" | SCHEMA_VERSION) => {
            let message = format!("kustomize has the OpenAPI version {SCHEMA_VERSION} only");
            layer.tell([*refusal(&version.origin, message)]);
        }
        _ => {}
    }
    for path in kustomization.list("crds").iter().chain(schema) {
        let message = format!("how {} changes this build is not known", text(Some(path)));
        let known = loader.file(path).and(Err::<(), _>(unresolved(&path.origin, message)));
        layer.told(known);
    }
}

fn generators(loader: &Loader<'_>, kustomization: &Kustomization, layer: &mut Layer) {
    let global = kustomization.fields.get("generatorOptions");
    let mut index = Index::new(&layer.resources);
    let products =
        [("configMapGenerator", Product::ConfigMap), ("secretGenerator", Product::Secret)];
    for (field, product) in products {
        for entry in kustomization.list(field) {
            let generated = generate::generate(loader, entry, global, product);
            let Some(mut generated) = layer.part(generated) else { continue };
            let room = layer.budget.make(&generated.resource.node, &entry.origin);
            if layer.part(room).is_none() {
                break;
            }
            if loader.annotate {
                generated.resource.made_by(builtin(kustomization, product.generator()));
            }
            let absorbed = layer.absorb(generated, &mut index);
            layer.part(absorbed);
        }
    }
    for chart in kustomization.list("helmCharts") {
        let objects = chart::inflate(loader, kustomization, chart, layer);
        let objects = layer.part(objects).unwrap_or_default();
        layer.append(objects, &chart.origin);
    }
    if !kustomization.list("generators").is_empty() {
        let all = plugin::generators(loader, kustomization.list("generators"), layer);
        let mut index = Index::new(&layer.resources);
        for generated in all {
            let absorbed = layer.absorb(generated, &mut index);
            layer.part(absorbed);
        }
    }
}

/// One of kustomize's own generators or transformers, as a kustomization file configures it.
fn builtin(kustomization: &Kustomization, kind: &str) -> Maker {
    Maker { path: kustomization.path.clone(), kind: kind.into(), ..Maker::default() }
}

fn transformers(loader: &Loader<'_>, kustomization: &Kustomization, layer: &mut Layer) {
    let ran = |layer: &mut Layer, kind: &str| {
        layer.sweep();
        layer.note(loader, &builtin(kustomization, kind));
    };
    let rules = layer.rules.clone();
    patches(loader, kustomization, layer);
    if let Some(to) = kustomization.text("namespace") {
        let fields = &rules.namespace;
        let namespace = Namespace { to, fields, unset_only: false, subjects: Subjects::Default };
        namespace.apply(&mut layer.resources);
        ran(layer, "NamespaceTransformer");
    }
    for (field, end, specs) in [
        ("namePrefix", End::Prefix, &rules.name_prefix),
        ("nameSuffix", End::Suffix, &rules.name_suffix),
    ] {
        if let Some(affix) = kustomization.text(field) {
            transform::rename(&mut layer.resources, affix, end, specs);
            ran(layer, end.transformer());
        }
    }
    for label in kustomization.list("labels") {
        if !layer.admits_change(label_steps(label.get("pairs")), &label.origin) {
            break;
        }
        let fields = label_fields(label, &rules);
        if let (Some(pairs), Some(fields)) = (label.get("pairs"), layer.told(fields)) {
            transform::label(&mut layer.resources, pairs, &fields);
        }
        ran(layer, "LabelTransformer");
    }
    let common = |layer: &mut Layer, field| {
        let pairs = kustomization.fields.get(field);
        pairs.filter(|it| layer.admits_change(label_steps(Some(it)), &it.origin))
    };
    if let Some(pairs) = common(layer, "commonLabels") {
        transform::label(&mut layer.resources, pairs, &rules.common_labels);
        ran(layer, "LabelTransformer");
    }
    if let Some(pairs) = common(layer, "commonAnnotations") {
        transform::label(&mut layer.resources, pairs, &rules.common_annotations);
        ran(layer, "AnnotationsTransformer");
    }
    for entry in kustomization.list("patchesJson6902") {
        if !layer.admits_change(0, &entry.origin) {
            break;
        }
        let patch = PatchEntry::json(loader, entry, "patch");
        if let Some(patch) = layer.change(patch, patch::selected(entry)) {
            patch.apply(layer, &mut None);
        }
        ran(layer, "PatchJson6902Transformer");
    }
    for replica in kustomization.list("replicas") {
        if !layer.admits_change(0, &replica.origin) {
            break;
        }
        let open = layer.open.is_some();
        let scaled = transform::scale(&mut layer.resources, replica, &rules.replicas, open);
        layer.told(scaled);
        ran(layer, "ReplicaCountTransformer");
    }
    for image in kustomization.list("images") {
        if !layer.admits_change(WALK, &image.origin) {
            break;
        }
        let tagged = transform::retag(&mut layer.resources, image, &rules.images, None);
        layer.told(tagged);
        ran(layer, "ImageTagTransformer");
    }
    let replacements = kustomization.list("replacements");
    if !replacements.is_empty() {
        replace::all(loader, replacements, layer);
        ran(layer, "ReplacementTransformer");
    }
    plugin::transformers(loader, kustomization.list("transformers"), layer);
    plugin::validators(loader, kustomization.list("validators"), layer);
    layer.sweep();
}

/// Applies `patchesStrategicMerge` and `patches`.
fn patches(loader: &Loader<'_>, kustomization: &Kustomization, layer: &mut Layer) {
    let mut index = None;
    let strategic = kustomization.list("patchesStrategicMerge").iter();
    let paths = kustomization.list("patches").iter().filter_map(|it| shape::text(it, "path"));
    layer.tell(strategic.chain(paths).filter_map(|it| loader.template(it)));
    let strategic = patch::strategic(loader, kustomization.list("patchesStrategicMerge"), layer);
    for patch in &strategic {
        if !layer.admits_change(0, &patch.origin) {
            break;
        }
        patch::apply_by_id(layer, &mut index, patch, (false, false));
    }
    if !strategic.is_empty() {
        layer.sweep();
        index = None;
        layer.note(loader, &builtin(kustomization, "PatchStrategicMergeTransformer"));
    }
    for entry in kustomization.list("patches") {
        if !layer.admits_change(0, &entry.origin) {
            break;
        }
        let patch = PatchEntry::new(loader, entry);
        if let Some(patch) = layer.change(patch, patch::selected(entry)) {
            patch.apply(layer, &mut index);
        }
        if layer.resources.iter().any(Resource::is_gone) {
            layer.sweep();
            index = None;
        }
        layer.note(loader, &builtin(kustomization, "PatchTransformer"));
    }
}

/// The steps of writing the labels `pairs` to an object.
fn label_steps(pairs: Option<&Node>) -> usize {
    pairs.map_or(0, |it| MAKE * it.entries().count())
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
