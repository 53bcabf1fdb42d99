//! `generators`, `transformers` and `validators`: kustomize's own, configured in files.

use crate::{
    data::kustomization::{
        FIELD_SPEC, GENERATOR, HELM_CHART, HELM_GLOBALS, IMAGE, PATCH, REPLACEMENT, REPLICA,
        SELECTOR, Shape,
    },
    parse,
    problem::Problem,
    resolve::kustomize::{
        budget::WALK,
        chart,
        fieldspec::FieldSpec,
        generate::{self, Generated, Product},
        layer::Layer,
        load::Loader,
        output,
        patch::{self, PatchEntry},
        path::{self, Make},
        replace,
        resource::{Maker, Resource, all_objects},
        select::Selector,
        shape, target,
        transform::{self, End, Namespace, Subjects},
        value::{Outcome, overwrite, refusal, text, text_at, unresolved},
    },
    scalar::Dialect,
    source::file_name,
    tree::Node,
};

/// What the generators that `entries` configure make; what they inflate is added to `layer`.
pub(super) fn generators(
    loader: &Loader<'_>,
    entries: &[Node],
    layer: &mut Layer,
) -> Vec<Generated> {
    let mut generated = Vec::new();
    let (configs, problems) = configurations(loader, entries, layer);
    for problem in problems {
        layer.part::<()>(Err(problem.hiding_objects().into()));
    }
    for config in configs {
        let product = match (builtin(&config.node), config.kind()) {
            (true, "ConfigMapGenerator") => Product::ConfigMap,
            (true, "SecretGenerator") => Product::Secret,
            (true, "HelmChartInflationGenerator") => {
                let entry = decode(&config.node, &HELM_CHART);
                let globals = decode(&config.node, &HELM_GLOBALS);
                let objects =
                    entry.and_then(|entry| chart::generate(loader, &entry, &globals?, layer));
                let objects = layer.part(objects).unwrap_or_default();
                layer.append(objects, &config.node.origin);
                continue;
            }
            _ => {
                let message = format!("what the generator {} makes is not known", config.kind());
                let problem = unresolved(config.anchor(), message);
                layer.part::<()>(Err(problem.hiding_objects().into()));
                continue;
            }
        };
        let decoded = decode(&config.node, &GENERATOR);
        let Some(mut entry) = layer.part(decoded) else { continue };
        if let Some(fields) = entry.as_map_mut() {
            for key in ["name", "namespace"] {
                let default = config.node.at("metadata").and_then(|it| it.get(key));
                if let (None, Some(default)) = (fields.get(key), default) {
                    fields.set(key, default.clone());
                }
            }
        }
        let made = generate::generate(loader, &entry, None, product);
        let Some(mut made) = layer.part(made) else { continue };
        let room = layer.budget.make(&made.resource.node, config.anchor());
        if layer.part(room).is_none() {
            break;
        }
        if loader.annotate {
            made.resource.made_by(maker(loader, &config));
        }
        generated.push(made);
    }
    generated
}

/// Runs the transformers that `entries` configure.
pub(super) fn transformers(loader: &Loader<'_>, entries: &[Node], layer: &mut Layer) {
    let (configs, problems) = configurations(loader, entries, layer);
    for problem in problems {
        layer.change::<()>(Err(problem.into()), |_| true);
    }
    for config in configs {
        if !builtin(&config.node) {
            let message = format!("what the transformer {} changes is not known", config.kind());
            layer.change::<()>(Err(unresolved(config.anchor(), message)), |_| true);
            continue;
        }
        // Each takes all objects, more than once.
        if !layer.admits_change(WALK, config.anchor()) {
            break;
        }
        let ran = run(loader, &config, layer);
        layer.change(ran, |_| true);
        layer.sweep();
        layer.note(loader, &maker(loader, &config));
    }
}

/// Notes the validators that `entries` configure, none of which is kustomize's own.
pub(super) fn validators(loader: &Loader<'_>, entries: &[Node], layer: &mut Layer) {
    let (configs, problems) = configurations(loader, entries, layer);
    layer.tell(problems);
    for config in configs {
        let message = format!("what the validator {} refuses is not known", config.kind());
        layer.tell([*unresolved(config.anchor(), message)]);
    }
}

/// The objects that `entries` hold or lead to, and why there may be others.
fn configurations(
    loader: &Loader<'_>,
    entries: &[Node],
    layer: &mut Layer,
) -> (Vec<Resource>, Vec<Problem>) {
    if entries.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let mut found = Layer::empty();
    let mut paths = Vec::new();
    for entry in entries {
        let documents = parse::embedded(loader.context.sources, entry, Dialect::Kyaml);
        match all_objects(&documents, &entry.origin) {
            Ok(objects) => found.resources.extend(objects.into_iter().map(Resource::new)),
            Err(_) => paths.push(entry.clone()),
        }
    }
    target::resources(loader, &paths, &mut found);
    found.sweep();
    layer.reached.append(&mut found.reached);
    layer.cyclic |= found.cyclic;
    (found.resources, found.problems)
}

/// Whether the object configures something that comes with kustomize.
fn builtin(config: &Node) -> bool {
    text_at(config, "apiVersion") == "builtin"
}

fn maker(loader: &Loader<'_>, config: &Resource) -> Maker {
    let file = config.node.origin.written_at().map(|span| span.file);
    let path = file.map_or_else(String::new, |it| loader.context.sources[it].path.clone());
    let [kind, name, namespace] =
        [config.kind(), config.name(), config.namespace()].map(Into::into);
    Maker { path, kind, name, namespace }
}

/// The configuration's fields; those that kustomize does not know are dropped.
fn decode(config: &Node, shape: &Shape) -> Outcome<Node> {
    let config = output::canonical(config);
    Ok(shape::decode(&config, shape, false)?.unwrap_or(config))
}

const TEXTS: Shape = Shape::List(&Shape::Text);

const CONFIG: Shape = Shape::Fields(&[
    (&["metadata"], Shape::Fields(&[(&["name", "namespace"], Shape::Text)])),
    (&["annotations", "labels"], Shape::Texts),
    (&["imageTag"], IMAGE),
    (&["unsetOnly"], Shape::Flag),
    (&["setRoleBindingSubjects", "prefix", "suffix", "jsonOp", "patches", "path"], Shape::Text),
    (&["patch", "value", "targetFilePath"], Shape::Text),
    (&["replacements"], Shape::List(&REPLACEMENT)),
    (&["replica"], REPLICA),
    (&["paths"], TEXTS),
    (&["target"], SELECTOR),
    (&["options"], Shape::Flags),
    (&["targets"], TARGETS),
    (&["fieldSpecs"], Shape::List(&FIELD_SPEC)),
]);

const TARGETS: Shape = Shape::List(&Shape::Fields(&[
    (&["selector"], SELECTOR),
    (&["fieldPath"], Shape::Text),
    (&["filePathPosition"], Shape::Number),
]));

fn run(loader: &Loader<'_>, config: &Resource, layer: &mut Layer) -> Outcome<()> {
    let open = layer.open.is_some();
    let fields = decode(&config.node, &CONFIG)?;
    let specs: Vec<FieldSpec> =
        shape::items(&fields, "fieldSpecs").iter().map(FieldSpec::new).collect();
    let resources = &mut layer.resources;
    match config.kind() {
        kind @ ("AnnotationsTransformer" | "LabelTransformer") => {
            let field = if kind == "LabelTransformer" { "labels" } else { "annotations" };
            if let Some(pairs) = fields.get(field) {
                transform::label(resources, pairs, &specs);
            }
            Ok(())
        }
        "ImageTagTransformer" => {
            let image = fields.get("imageTag");
            image.map_or(Ok(()), |it| transform::retag(resources, it, &specs, None))
        }
        "ReplicaCountTransformer" => match fields.get("replica") {
            Some(replica) => {
                let scaled = transform::scale(resources, replica, &specs, open);
                layer.told(scaled);
                Ok(())
            }
            None => Err(refusal(&config.node.origin, "this has no replica")),
        },
        "NamespaceTransformer" => set_namespace(&fields, &specs, resources),
        kind @ ("PrefixTransformer" | "SuffixTransformer" | "PrefixSuffixTransformer") => {
            if fields.get("fieldSpecs").is_none() {
                let message = format!("this {kind} has no fieldSpecs");
                return Err(refusal(&config.node.origin, message));
            }
            for (field, end) in [("prefix", End::Prefix), ("suffix", End::Suffix)] {
                let runs = kind == "PrefixSuffixTransformer" || kind == end.transformer();
                if let Some(affix) = fields.get(field).filter(|_| runs) {
                    transform::rename(resources, affix, end, &specs);
                }
            }
            Ok(())
        }
        "PatchTransformer" => {
            let entry = decode(&config.node, &PATCH)?;
            PatchEntry::new(loader, &entry)?.apply(layer, &mut None);
            Ok(())
        }
        "PatchJson6902Transformer" => {
            PatchEntry::json(loader, &fields, "jsonOp")?.apply(layer, &mut None);
            Ok(())
        }
        "PatchStrategicMergeTransformer" => {
            let mut entries = shape::items(&fields, "paths").to_vec();
            entries.extend(shape::text(&fields, "patches").cloned());
            let patches = patch::strategic(loader, &entries, layer);
            if entries.is_empty() {
                return Err(refusal(&config.node.origin, "this has no patches"));
            }
            let mut index = None;
            for patch in &patches {
                patch::apply_by_id(layer, &mut index, patch, (false, false));
            }
            Ok(())
        }
        "ReplacementTransformer" => {
            replace::all(loader, shape::items(&fields, "replacements"), layer);
            Ok(())
        }
        "ValueAddTransformer" => add_value(loader, &fields, resources),
        "HashTransformer" => {
            resources.iter_mut().for_each(generate::add_hash);
            Ok(())
        }
        other => {
            let message = format!("kustomize has no transformer {other}");
            Err(refusal(config.anchor(), message))
        }
    }
}

fn set_namespace(fields: &Node, specs: &[FieldSpec], resources: &mut [Resource]) -> Outcome<()> {
    let mode = fields.get("setRoleBindingSubjects");
    let subjects = match text(mode) {
        "" | "defaultOnly" => Subjects::Default,
        "allServiceAccounts" => Subjects::Accounts,
        "none" => Subjects::None,
        other => {
            let at = mode.map_or(&fields.origin, |it| &it.origin);
            return Err(refusal(at, format!("setRoleBindingSubjects cannot be {other}")));
        }
    };
    let Some(to) = fields.get("metadata").and_then(|it| shape::text(it, "namespace")) else {
        return Ok(());
    };
    let unset_only = shape::flag(fields, "unsetOnly");
    Namespace { to, fields: specs, unset_only, subjects }.apply(resources);
    Ok(())
}

/// `ValueAddTransformer`: a value at paths of selected objects, or one part of what is a path.
fn add_value(loader: &Loader<'_>, fields: &Node, resources: &mut [Resource]) -> Outcome<()> {
    let mut targets = shape::items(fields, "targets").to_vec();
    if let Some(path) = shape::text(fields, "targetFilePath") {
        let file = shape::decode(&loader.value(path)?, &CONFIG, false)?;
        targets.extend(file.iter().flat_map(|it| shape::items(it, "targets")).cloned());
    }
    let default = Node::new(file_name(&loader.dir), fields.origin.clone());
    let value = shape::text(fields, "value").unwrap_or(&default);
    for target in &targets {
        let selector = target.get("selector").map(Selector::new).transpose()?;
        let field = target.get("fieldPath");
        let path: Vec<String> = text(field).split('/').map(str::to_owned).collect();
        let position = usize::try_from(shape::number(target, "filePathPosition")).unwrap_or(0);
        let at = field.map_or(&target.origin, |it| &it.origin);
        let namespace = text(field) == "metadata/namespace";
        for resource in resources.iter_mut() {
            if selector.as_ref().is_some_and(|it| !it.matches(resource))
                || (namespace && resource.gvk().cluster_scoped())
            {
                continue;
            }
            if namespace {
                resource.remember();
            }
            let mut write = |node: &mut Node| {
                let mut parts: Vec<&str> = text(Some(node)).split('/').collect();
                let new = match position.checked_sub(1) {
                    None => text(Some(value)).to_owned(),
                    Some(at) => {
                        parts.insert(at.min(parts.len()), text(Some(value)));
                        parts.join("/")
                    }
                };
                overwrite(node, new, None, &value.origin);
                Ok(())
            };
            resource.attempt(|it| {
                path::visit(&mut it.node, &path, Some(Make::Scalar), at, &mut write).map(|_| ())
            });
        }
    }
    Ok(())
}
