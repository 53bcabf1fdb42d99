//! topf: a `topf.yaml` that lists the nodes, and directories of patches beside it. Each node gets those
//! of `all`, of its role and of `node/<host>`, each directory in the order of its files' names
//! (`docs/configuration-model.md` in `postfinance/topf`).

use super::{Group, cluster};
use crate::{
    model::{
        Carrier, Fact, nodes,
        platform::{Input, InputDocument, Platform},
    },
    parse,
    resolve::gotemplate::{self, MarkedText},
    scalar::Dialect,
    source::{self, FileId},
    tree::{Node, Origin, Reason},
};

pub(super) fn is_topf(node: &Node) -> bool {
    node.get("clusterName").is_some()
        && node.get("clusterEndpoint").is_some()
        && ["nodes", "nodesProvider"].iter().any(|it| node.get(it).is_some())
}

/// The nodes that a `topf.yaml` defines, with the patches that each gets.
pub(super) fn nodes(
    input: &Input<'_>,
    document: &InputDocument<'_>,
    platform: &mut Platform,
    used: &mut Vec<String>,
) {
    // It was called `configDir` once, and `all` was `patches`.
    let dir = ["patchesDir", "configDir"].iter().find_map(|it| document.node.str_at(it));
    let Some(dir) = source::join(document.dir(), dir.unwrap_or(".")) else { return };
    let cluster = cluster(document.path);
    let provider = document.node.get("nodesProvider");
    let mut load = |folders: &[&str]| -> Vec<Node> {
        let dirs = folders.iter().filter_map(|it| source::join(&dir, it));
        dirs.flat_map(|dir| patches(input, &dir, used)).collect()
    };
    let all = load(&["patches", "all"]);
    for (name, role) in [("control plane", "control-plane"), ("workers", "worker")] {
        let members = document.node.items_at("nodes").iter();
        let hosts: Vec<&str> = members
            .filter(|it| it.str_at("role") == Some(role))
            .map(|it| it.str_at("host").unwrap_or(name))
            .collect();
        if hosts.is_empty() && provider.is_none() {
            continue;
        }
        let own =
            hosts.iter().map(|it| ((*it).to_owned(), load(&[&format!("node/{it}")]))).collect();
        let anchor = document.node.get("clusterName").unwrap_or(document.node).origin.clone();
        let patches = [all.clone(), load(&[role])].concat();
        Group { name, patches, own, anchor }.kubelets(input, &cluster, Carrier::Topf, platform);
    }
    let filled = used.iter().filter(|it| source::extension(it) == "tpl");
    platform.filled.extend(filled.filter_map(|it| input.sources.find(it)));
    used.push(document.path.to_owned());
    match (provider, document.node.get("nodes")) {
        (Some(provider), _) => {
            let why = "a program tells topf which nodes there are";
            platform.pool(&cluster, Fact::Unknown(why.into(), Some(provider.origin.clone())));
        }
        (None, Some(list)) => {
            platform.pool(&cluster, nodes::length(list));
        }
        (None, None) => {}
    }
}

/// The documents of the patches in `dir`.
fn patches(input: &Input<'_>, dir: &str, used: &mut Vec<String>) -> Vec<Node> {
    let mut found = Vec::new();
    for file in input.sources.below(dir) {
        let path = &input.sources[file].path;
        let name = path.strip_suffix(".tpl").unwrap_or(path);
        if !matches!(source::extension(name), "yaml" | "yml") {
            continue;
        }
        used.push(path.clone());
        match documents(input, file) {
            Ok(documents) => found.extend(documents),
            // What it may say of kubelets it says by that name.
            Err(why) if input.sources.text(file).to_lowercase().contains("kubelet") => {
                found.push(Node::unknown_value(why, &Origin::start_of(file)));
            }
            Err(_) => {}
        }
    }
    found
}

/// The documents of one patch, in which a Go template fills in single values.
///
/// # Errors
/// Why they cannot be told.
fn documents(input: &Input<'_>, file: FileId) -> Result<Vec<Node>, Reason> {
    let sources = input.sources;
    if source::extension(&sources[file].path) == "tpl" {
        let text = MarkedText::file(sources.text(file), file);
        return gotemplate::of_unknown(text, "topf fills it in");
    }
    let documents = sources.documents(file, Dialect::Sigs);
    if documents.error().is_some() {
        return Err("the patch is not YAML".into());
    }
    if documents.roots().any(parse::is_sops) {
        return Err("the patch is encrypted with SOPS".into());
    }
    Ok(documents.roots().cloned().collect())
}

#[cfg(test)]
mod tests {
    use crate::{config::Config, pipeline::analyze, tests::fixture};

    /// Each group of nodes with what is known of its certificates.
    fn told(files: &str) -> Vec<(String, Option<bool>)> {
        let (_, clusters) = analyze(&fixture(files), &Config::default());
        let kubelets = clusters.iter().flat_map(|it| &it.kubelets);
        kubelets.map(|it| (it.group.clone(), it.server_tls_bootstrap.value().copied())).collect()
    }

    #[test]
    fn what_is_left_to_its_default_or_to_a_program() {
        let nodes = |nodes: &str, files: &str| {
            told(&format!(
                "
        //- topf.yaml
        clusterName: home
        clusterEndpoint: https://10.0.0.5:6443
        {nodes}
        {files}"
            ))
        };
        let one = "nodes: [{host: a, role: control-plane}]";
        let group = |name: &str, known| (name.to_owned(), known);
        assert_eq!(nodes(one, ""), [group("control plane", None)]);
        let provided = "nodesProvider: ./nodes.sh\n        patchesDir: ./conf";
        let patch = "//- conf/all/a.yaml
        machine: {kubelet: {extraArgs: {rotate-server-certificates: true}}}";
        let both = [group("control plane", Some(true)), group("workers", Some(true))];
        assert_eq!(nodes(provided, patch), both);
        let encrypted = "//- all/a.yaml
        machine: {kubelet: {extraArgs: {rotate-server-certificates: 'ENC[x]'}}}
        sops: {mac: x}";
        assert_eq!(nodes(one, encrypted), [group("control plane", None)]);
        let old = "//- patches/a.yaml
        machine: {kubelet: {extraConfig: {serverTLSBootstrap: true}}}
        //- node/a/a.yml
        machine: {kubelet: {extraConfig: {serverTLSBootstrap: false}}}";
        assert_eq!(nodes(one, old), [group("a", Some(false))]);
    }
}
