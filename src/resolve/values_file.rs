//! Values files of metrics-server's chart that nothing in the repository names: somebody passes
//! them to `helm upgrade` by hand or in a pipeline.

use crate::{
    model::{Family, workload::is_metrics_server},
    parse::Dialect,
    resolve::{
        Context, Entry, EntryKind, Environment, Object, Release, environments::settings_for, helm,
        layout,
    },
    source::{self, FileId, Sources},
    tree::{Entry as MapEntry, Kind, Map, Node, Origin, Why},
};

/// The values in `file`, when it is a values file of metrics-server's chart by its content, and
/// which chart's.
pub(super) fn read(sources: &Sources, file: FileId) -> Option<(&Node, Family)> {
    if !layout::is_yaml(&sources[file].path) {
        return None;
    }
    let root = sources.documents(file, Dialect::Sigs).roots().next()?;
    is_ours(root).then(|| (root, family(root)))
}

/// Whose chart the values are for. Only the project's own has `defaultArgs`, and values that are
/// like any chart's are taken for the project's, the only one that is maintained.
fn family(values: &Node) -> Family {
    match helm::family("metrics-server", None, None, values) {
        Some(family) if values.get("defaultArgs").is_none() => family,
        _ => Family::KubernetesSigs,
    }
}

/// Whether a mapping can only be values of metrics-server's chart: it passes flags that no other
/// program has, or names the image.
fn is_ours(values: &Node) -> bool {
    const FLAGS: [&str; 5] = [
        "--kubelet-insecure-tls",
        "--kubelet-preferred-address-types",
        "--kubelet-use-node-status-port",
        "--kubelet-request-timeout",
        "--metric-resolution",
    ];
    if values.get("apiVersion").is_some() || values.get("kind").is_some() {
        return false;
    }
    let lists = ["args", "defaultArgs", "extraArgs"].into_iter().filter_map(|key| values.get(key));
    let passes = lists.flat_map(Node::items).filter_map(Node::as_str).any(|arg| {
        let flag = arg.split_once('=').map_or(arg, |(flag, _)| flag);
        FLAGS.contains(&flag)
    });
    passes || values.str_at("image.repository").is_some_and(is_metrics_server)
}

/// The environment that `file` describes, if it is a values file.
///
/// Nothing says which version of the chart it is for, nor whether a `values.yaml` beside a
/// `values-prod.yaml` is a layer below it: what depends on either is unknown.
pub(super) fn environment(context: &Context<'_>, file: FileId) -> Option<Environment> {
    let sources = context.sources;
    let (values, family) = read(sources, file)?;
    let path = &sources[file].path;
    let below = base_of(sources, file).and_then(|base| read(sources, base));
    let values = match below {
        Some((base, _)) => {
            maybe_over(values, base, &"a `values.yaml` beside it may be a layer below".into())
        }
        None => values.clone(),
    };
    let origin = values.origin.clone();
    let release = Release {
        name: "metrics-server".to_owned(),
        namespace: "kube-system".to_owned(),
        via: "values-file",
        family: Some(family),
        chart: "metrics-server".to_owned(),
        directory: None,
        alias: None,
        version: None,
        values,
        anchor: first_key(&origin, sources),
        suspended: false,
    };
    let rendered = helm::render(context, &release);
    Some(Environment {
        name: path.clone(),
        entry: Entry { kind: EntryKind::Values, origin: release.anchor.clone() },
        settings: settings_for(
            context.config,
            path,
            &format!("{}/{}", source::parent(path), stage(path)),
        )
        .cloned(),
        objects: rendered
            .objects
            .into_iter()
            .map(|node| Object { release: Some(0), ..Object::new(node) })
            .collect(),
        releases: vec![release],
        files: Vec::new(),
        problems: rendered.problems,
    })
}

/// What names an environment in a values file's name: `prod` of `values-prod.yaml`,
/// `values.prod.yaml`, `prod.values.yaml`; else the directory's name.
pub(super) fn stage(path: &str) -> &str {
    let name = source::file_name(path);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let stripped = ["values-", "values.", "values_"].iter().find_map(|it| stem.strip_prefix(it));
    let stripped = stripped
        .or_else(|| [".values", "-values", "_values"].iter().find_map(|it| stem.strip_suffix(it)));
    match stripped {
        Some(stage) => stage,
        None if stem == "values" => source::file_name(source::parent(path)),
        None => stem,
    }
}

/// The `values.yaml` beside a values file of another name.
fn base_of(sources: &Sources, file: FileId) -> Option<FileId> {
    let path = &sources[file].path;
    let dir = source::parent(path);
    ["values.yaml", "values.yml"]
        .iter()
        .filter_map(|name| sources.find(&source::join(dir, name)?))
        .find(|base| *base != file)
        .filter(|_| !matches!(source::file_name(path), "values.yaml" | "values.yml"))
}

/// `over` as it is alone or merged over `base`: what only `base` says is unknown.
fn maybe_over(over: &Node, base: &Node, why: &Why) -> Node {
    let (Kind::Map(upper), Kind::Map(lower)) = (&over.kind, &base.kind) else {
        return over.clone();
    };
    let mut map: Map = (**upper).clone();
    for (key, entry) in lower.iter() {
        let value = match upper.get(key) {
            Some(value) => maybe_over(value, &entry.value, why),
            None => Node::new(Kind::Unknown(why.clone()), entry.value.origin.clone()),
        };
        match map.get_mut(key) {
            Some(there) => *there = value,
            None => {
                map.insert(key, MapEntry { key: entry.key, value });
            }
        }
    }
    Node { kind: map.into(), origin: over.origin.clone() }
}

/// The first line of a file's values: what a missing value is reported at.
fn first_key(origin: &Origin, sources: &Sources) -> Origin {
    let Some(span) = origin.written_at() else { return origin.clone() };
    let text = sources.slice(span);
    let end = text.find([':', '\n']).unwrap_or(text.len());
    let end = span.start + u32::try_from(end).unwrap_or(0);
    Origin::written(source::Span { end: end.min(span.end), ..span })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages() {
        assert_eq!(stage("ms/values-prod.yaml"), "prod");
        assert_eq!(stage("ms/values.prod.yaml"), "prod");
        assert_eq!(stage("ms/prod.values.yml"), "prod");
        assert_eq!(stage("prod/values.yaml"), "prod");
        assert_eq!(stage("ms/prod.yaml"), "prod");
    }
}
