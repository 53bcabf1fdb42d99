//! Tasks of Ansible that install something.

use crate::{
    data::subject::What,
    resolve::{command, layout},
    scalar::Dialect,
    source::{self, FileId, Sources},
    tree::{Node, Origin},
};

/// Modules that bring something into a cluster, or onto a node where something applies it, by the
/// last part of their names.
const MODULES: &[&str] = &["helm", "k8s", "get_url", "template", "copy"];

/// Where plays and blocks hold tasks.
const TASKS: &[&str] =
    &["tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always"];

/// What the tasks in `file` install that is named in them, and where. Files of tasks and plays are
/// lists, those of nearly everything else are maps.
pub(super) fn found(sources: &Sources, file: FileId) -> Vec<(What, Origin)> {
    let path = source::rendered(&sources[file].path);
    if !layout::is_yaml(path) || !sources.text(file).contains("- ") {
        return Vec::new();
    }
    let documents = sources.documents(file, Dialect::Sigs);
    let roots = documents.list.iter().filter_map(|it| it.root.as_ref().ok());
    roots.flat_map(|it| of_tasks(it.items())).collect()
}

fn of_tasks(tasks: &[Node]) -> Vec<(What, Origin)> {
    let of = |task: &Node| {
        let inner = TASKS.iter().flat_map(|it| of_tasks(task.items_at(it)));
        of_task(task).into_iter().chain(inner).collect::<Vec<_>>()
    };
    tasks.iter().flat_map(of).collect()
}

fn of_task(task: &Node) -> Option<(What, Origin)> {
    let (module, entry) = task
        .entries()
        .map(|(key, entry)| (key.rsplit('.').next().unwrap_or(key), entry))
        .find(|(module, _)| MODULES.contains(module))?;
    if command::is_absent(&entry.value) {
        return None;
    }
    let deploys = matches!(module, "helm" | "k8s");
    let loops = ["loop", "with_items", "with_fileglob"].into_iter().filter_map(|it| task.get(it));
    let title = task.get("name").filter(|_| deploys);
    let said = std::iter::once(&entry.value).chain(loops).flat_map(Node::walk).chain(title);
    let mut said = said.filter_map(|it| Some((it.as_str()?, it)));
    said.find_map(|(text, node)| Some((What::of(text)?, node.origin.clone())))
}
