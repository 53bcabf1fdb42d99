//! Objects that install something else: containers that run a command for it, and ConfigMaps that
//! hold manifests.

use crate::{
    data::{kinds::WORKLOADS, subject::What},
    parse,
    resolve::{command, layout},
    scalar::Dialect,
    source::{FileId, Sources},
    tree::{Node, Origin},
};

/// What the objects in `file` install, by what, and where.
pub(super) fn found(sources: &Sources, file: FileId) -> Vec<(What, &'static str, Origin)> {
    let text = sources.text(file);
    let may_hold = ["command", "args", "ConfigMap", "Secret"].iter().any(|it| text.contains(it));
    if !may_hold || !text.contains("kind") || !layout::is_yaml(&sources[file].path) {
        return Vec::new();
    }
    let of = |root: &Node| {
        let commands = root.walk().filter_map(of_container);
        let commands = commands.map(|(what, at)| (what, "the command of a container", at));
        commands.chain(of_data(sources, root)).collect::<Vec<_>>()
    };
    sources.documents(file, Dialect::Sigs).roots().flat_map(of).collect()
}

/// What the command of a container installs.
fn of_container(node: &Node) -> Option<(What, Origin)> {
    node.get("image")?;
    let words = || ["command", "args"].into_iter().flat_map(|it| node.items_at(it));
    let line: Vec<&str> = words().filter_map(Node::as_str).collect();
    let line = line.join(" ");
    let all = command::lines(&line);
    let mut commands = all.iter().flat_map(|(_, line)| command::installing(line, true));
    let what = commands.find_map(|it| What::of(it.command))?;
    let at = words().find(|it| it.as_str().and_then(What::of) == Some(what))?;
    Some((what, at.origin.clone()))
}

/// What the manifests in a ConfigMap or a Secret run.
fn of_data(sources: &Sources, object: &Node) -> Option<(What, &'static str, Origin)> {
    let by = match object.object_kind() {
        "ConfigMap" => "manifests in a ConfigMap",
        "Secret" => "manifests in a Secret",
        _ => return None,
    };
    let data = ["data", "stringData"].into_iter().filter_map(|it| object.get(it));
    let texts = data.flat_map(Node::entries).map(|(_, entry)| &entry.value);
    let mut texts = texts.filter(|it| it.as_str().is_some_and(|it| What::of(it).is_some()));
    texts.find_map(|text| {
        let documents = parse::embedded(sources, text, Dialect::Sigs);
        let mut workloads = documents.roots().filter(|it| WORKLOADS.contains(&it.object_kind()));
        workloads.find_map(|it| {
            let images = it.walk().filter_map(|it| it.get("image"));
            let mut names = it.at("metadata.name").into_iter().chain(images);
            names.find_map(|it| Some((What::of(it.as_str()?)?, by, it.origin.clone())))
        })
    })
}
