//! kubespray: variables in `group_vars` and the inventory beside them.
//!
//! `kubelet_rotate_server_certificates` makes the kubelets request their certificates, and deploys
//! `kubelet-csr-approver` unless `kubelet_csr_approver_enabled` says otherwise
//! (`roles/kubernetes-apps/kubelet-csr-approver`). The metrics-server that `metrics_server_enabled`
//! deploys has `--kubelet-insecure-tls` by default
//! (`roles/kubernetes-apps/metrics_server/defaults/main.yml`).

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    model::{
        Approver, Carrier, ClusterId, Count, Fact, KubeletFacts, approver,
        kubelet::loose_bool,
        nodes,
        platform::{Input, Platform},
    },
    source::{self, FileId, Sources, Span},
    tree::{Map, Node, Origin, Via},
};

pub(super) fn carrier(input: &Input<'_>, platform: &mut Platform) {
    // Variables by inventory; the later file wins, as Ansible reads a directory.
    let mut inventories: BTreeMap<&str, Vec<&Node>> = BTreeMap::new();
    for document in &input.documents {
        let Some((inventory, _)) = document.path.split_once("group_vars/") else { continue };
        if document.node.as_map().is_some() && document.node.get("apiVersion").is_none() {
            inventories.entry(inventory.trim_end_matches('/')).or_default().push(document.node);
        }
    }
    for (inventory, files) in inventories {
        let variables = GroupVars { files };
        if variables.are_kubesprays() {
            cluster(input, inventory, &variables, platform);
        }
    }
}

struct GroupVars<'a> {
    files: Vec<&'a Node>,
}

impl<'a> GroupVars<'a> {
    fn get(&self, name: &str) -> Option<&'a Node> {
        self.files.iter().rev().find_map(|file| file.get(name))
    }

    /// A boolean; templates cannot be told.
    fn bool(&self, name: &str, default: bool, anchor: &Origin) -> Fact<bool> {
        match self.get(name) {
            None => Fact::implied(default, anchor),
            Some(node) => match loose_bool(node) {
                Some(it) => Fact::Known(it, node.origin.clone()),
                None => Fact::Unknown("Ansible fills it in".into(), Some(node.origin.clone())),
            },
        }
    }

    /// Whether these are variables of kubespray: several roles have some of them.
    fn are_kubesprays(&self) -> bool {
        let names = [
            "metrics_server_enabled",
            "kubelet_rotate_server_certificates",
            "kubelet_csr_approver_enabled",
            "kube_network_plugin",
            "kube_service_addresses",
        ];
        names.iter().any(|it| self.get(it).is_some())
    }

    /// The place of the first variable that there is.
    fn anchor(&self) -> Origin {
        let names = ["kubelet_rotate_server_certificates", "metrics_server_enabled"];
        let said = names.iter().find_map(|it| self.get(it));
        let first = || self.files.iter().find_map(|it| it.entries().next());
        said.map(|it| it.origin.clone())
            .or_else(|| Some(first()?.1.value.origin.clone()))
            .unwrap_or_else(|| Origin::at(Via::Written, None))
    }
}

fn cluster(input: &Input<'_>, inventory: &str, variables: &GroupVars<'_>, platform: &mut Platform) {
    let cluster = ClusterId::named("kubespray", inventory);
    let anchor = variables.anchor();
    let rotate = variables.bool("kubelet_rotate_server_certificates", false, &anchor);
    let approver = variables.get("kubelet_csr_approver_enabled");
    let approver = approver.is_none_or(|it| loose_bool(it) == Some(true));
    if let (Fact::Known(true, origin), true) = (&rotate, approver) {
        let values = variables.get("kubelet_csr_approver_values").cloned();
        let values = values.unwrap_or_else(|| Node::new(Map::default(), origin.clone()));
        platform.approvers.push(Approver {
            weaknesses: approver::of_values(&values, origin),
            ..Approver::new("kubelet-csr-approver", origin, true)
        });
    }
    let facts = KubeletFacts { server_tls_bootstrap: rotate, ..KubeletFacts::default() };
    platform.kubelet(&cluster, "all nodes", Carrier::Kubespray, &anchor, facts);
    if let Some(enabled) =
        variables.get("metrics_server_enabled").filter(|it| loose_bool(it) == Some(true))
    {
        let at = &enabled.origin;
        let insecure = variables.bool("metrics_server_kubelet_insecure_tls", true, at);
        let server = platform.bundle(&cluster, "kubespray", at);
        server.facts.kubelet_insecure_tls = insecure.clone();
        server.facts.api_service_insecure_skip_tls_verify = insecure;
    }
    if let Some(count) =
        hosts(input.sources, inventory).or_else(|| linked(input.sources, inventory))
    {
        platform.pool(&cluster, count);
    }
}

/// How many hosts the one inventory has that shares the variables of `inventory` by a symbolic link.
fn linked(sources: &Sources, inventory: &str) -> Option<Fact<Count>> {
    let variables = source::join(inventory, "group_vars")?;
    let mut counts = sources.aliases(&variables).filter_map(|alias| {
        let sharing = alias.strip_suffix("group_vars")?.trim_end_matches('/');
        hosts(sources, sharing)
    });
    counts.next().filter(|_| counts.next().is_none())
}

/// How many hosts the inventory has in the groups of nodes.
fn hosts(sources: &Sources, inventory: &str) -> Option<Fact<Count>> {
    let find = |names: &[&str]| names.iter().find_map(|name| sources.find_from(inventory, name));
    if let Some(file) = find(&["hosts.yaml", "hosts.yml", "inventory.yaml", "inventory.yml"]) {
        return yaml_hosts(sources, file);
    }
    ini_hosts(sources, find(&["inventory.ini", "hosts.ini", "hosts", "inventory"])?)
}

/// Groups whose hosts are nodes; the names with dashes are those before 2.17.
const GROUPS: [&str; 5] =
    ["kube_control_plane", "kube_node", "kube-master", "kube-node", "kube-control-plane"];

fn yaml_hosts(sources: &Sources, file: FileId) -> Option<Fact<Count>> {
    let root = sources.documents(file, crate::scalar::Dialect::Sigs).roots().next()?;
    let children = root.at("all.children")?;
    let groups: Vec<&Node> =
        GROUPS.iter().filter_map(|it| children.get(it)?.get("hosts")).collect();
    let hosts: BTreeSet<&str> =
        groups.iter().flat_map(|it| it.entries()).map(|(host, _)| host).collect();
    counted(hosts.len(), &groups.first()?.origin)
}

/// `[kube_node]`, then a host a line; `node[1:5]` is five of them.
fn ini_hosts(sources: &Sources, file: FileId) -> Option<Fact<Count>> {
    let mut hosts: BTreeSet<String> = BTreeSet::new();
    let mut inside = false;
    let mut first = None;
    for (start, line) in source::lines(sources.text(file)) {
        let bare = line.split(['#', ';']).next().unwrap_or_default().trim();
        if let Some(section) = bare.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            inside = GROUPS.contains(&section);
            if inside && first.is_none() {
                let end = start + line.trim_end().len();
                first = Some(Origin::written(Span::new(file, start..end)));
            }
        } else if let Some(host) = bare.split_whitespace().next().filter(|_| inside) {
            hosts.extend(expand(host)?);
        }
    }
    counted(hosts.len(), &first?)
}

fn counted(hosts: usize, origin: &Origin) -> Option<Fact<Count>> {
    (hosts > 0).then(|| nodes::exactly(hosts, origin))
}

/// The hosts of a pattern; `None` for one that cannot be told.
fn expand(pattern: &str) -> Option<Vec<String>> {
    let Some((before, rest)) = pattern.split_once('[') else {
        return Some(vec![pattern.to_owned()]);
    };
    let (range, after) = rest.split_once(']')?;
    let (from, to) = range.split_once(':')?;
    let (first, last): (u32, u32) = (from.parse().ok()?, to.parse().ok()?);
    if last < first || last - first > 10_000 {
        return None;
    }
    Some(
        (first..=last)
            .map(|it| format!("{before}{it:0width$}{after}", width = from.len()))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixture;

    #[test]
    fn inventories() {
        let count = |file: &str| {
            let hosts = hosts(&fixture(file), "inventory/prod");
            hosts.and_then(|it| it.value().copied())
        };
        let ini = "
            //- inventory/prod/inventory.ini
            node1 ansible_host=10.0.0.1
            [kube_control_plane]
            node1
            [etcd]
            x
            [kube_node]
            node[1:5] # five
        ";
        assert_eq!(count(ini), Some(Count::exactly(5)));
        let yaml = "
            //- inventory/prod/hosts.yaml
            all:
              children:
                kube_control_plane: {hosts: {a: null}}
                kube_node: {hosts: {a: null, b: null}}
        ";
        assert_eq!(count(yaml), Some(Count::exactly(2)));
        let letters = "
            //- inventory/prod/inventory.ini
            [kube_node]
            node[a:c]
        ";
        assert_eq!(count(letters), None);
    }
}
