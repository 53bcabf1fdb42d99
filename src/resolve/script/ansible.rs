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
    let said = said.filter_map(|it| Some((it.as_str()?, it)));
    let mut said = said.filter(|(text, _)| deploys || !is_aside(text));
    said.find_map(|(text, node)| Some((What::of(text)?, node.origin.clone())))
}

/// Whether `text` is the path of a file that nothing applies to a cluster: a certificate, a request of
/// one as cfssl and openssl take it, a configuration.
fn is_aside(text: &str) -> bool {
    const EXTENSIONS: [&str; 9] =
        ["cfg", "cnf", "conf", "crt", "csr", "kubeconfig", "key", "pem", "service"];
    let path = source::rendered(text.trim());
    path.ends_with("-csr.json") || EXTENSIONS.contains(&source::extension(path))
}

#[cfg(test)]
mod tests {
    use super::found;
    use crate::tests::fixture;

    #[test]
    fn certificates_and_what_is_taken_away_are_no_installations() {
        let told = |module: &str| {
            let sources = fixture(&format!("//- tasks/main.yml\n- {module}\n"));
            let file = sources.find("tasks/main.yml").expect("it is there");
            found(&sources, file).len()
        };
        let aside = [
            "template: {src: metrics-server-csr.json.j2, dest: /opt/metrics-server-csr.json}",
            "copy: {src: '{{ item }}', dest: /etc/ssl/}\n  loop: [metrics-server.pem, metrics-server-key.pem]",
            "copy: {src: metrics-server.crt, dest: /etc/metrics-server.key}",
            "kubernetes.core.helm: {name: metrics-server, release_state: absent}",
        ];
        let installing = [
            "template: {src: metrics-server.yaml.j2, dest: /etc/kubernetes/addons/}",
            "copy: {src: metrics-server.json, dest: /etc/kubernetes/manifests/}",
            "copy: {src: kubelet-csr-approver.yaml, dest: /etc/kubernetes/manifests/}",
            "kubernetes.core.helm: {name: metrics-server, chart_ref: x/metrics-server}",
        ];
        assert_eq!(aside.map(told), [0; 4]);
        assert_eq!(installing.map(told), [1; 4]);
    }
}
