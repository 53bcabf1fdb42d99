//! Settings that would have a kubelet request its serving certificate, where nothing reads them.
//!
//! `serverTLSBootstrap` is a field of KubeletConfiguration, `rotate-server-certificates` a flag.
//! kubeadm and Cluster API warn about a field that they do not know, and go on without it
//! (`cmd/kubeadm/app/util/config/strict`); kubelets and Talos ignore or refuse it.

use crate::{
    model::{
        Misplaced,
        kubelet::loose_bool,
        platform::{Input, Platform, kind, kubeadm, talos},
    },
    tree::{Node, Origin},
};

/// The field, as KubeletConfiguration spells it.
const FIELD: &str = "serverTLSBootstrap";

/// The flag, without its dashes.
const FLAG: &str = "rotate-server-certificates";

pub(super) fn carrier(input: &Input<'_>, platform: &mut Platform) {
    for document in &input.documents {
        let (node, group) = (document.node, document.group());
        let whole = group == kubeadm::KUBELET;
        let is_talos = talos::is_part(node);
        if !(whole || is_talos || KUBEADM.contains(&group)) {
            continue;
        }
        let what = match document.kind() {
            "" => "a Talos machine configuration",
            kind => kind,
        };
        Search { what, is_talos, found: &mut platform.misplaced }.map(node, "", whole);
    }
    for patch in kind::all_patches(input) {
        let what = patch.object_kind();
        let whole = what == "KubeletConfiguration";
        if whole || PATCHED.contains(&what) {
            Search { what, is_talos: false, found: &mut platform.misplaced }.map(&patch, "", whole);
        }
    }
}

/// The kinds of kubeadm's documents.
const PATCHED: [&str; 3] = ["ClusterConfiguration", "InitConfiguration", "JoinConfiguration"];

/// The API groups of kubeadm's files and of those that hold them.
const KUBEADM: [&str; 3] =
    ["kubeadm.k8s.io", "controlplane.cluster.x-k8s.io", "bootstrap.cluster.x-k8s.io"];

struct Search<'a> {
    what: &'a str,
    is_talos: bool,
    found: &'a mut Vec<Misplaced>,
}

impl Search<'_> {
    /// Looks through a map below `parent`, which may be a KubeletConfiguration.
    fn map(&mut self, node: &Node, parent: &str, is_config: bool) {
        let is_flags = self.is_flags(parent);
        for (key, entry) in node.entries() {
            let value = &entry.value;
            let fits = is_config && key == FIELD || is_flags && key == FLAG;
            if is_meant(key) && !fits && loose_bool(value) == Some(true) {
                self.misplaced(key, is_flags, is_config, entry.origin());
            }
            let config = ["kubeletConfiguration", "baseConfig"].contains(&key)
                || self.is_talos && key == "extraConfig";
            self.map(value, key, config);
        }
        for item in node.items() {
            // Since v1beta4 kubeadm has a list of names and values.
            let name = item.get("name").filter(|_| is_flags);
            let key = name.and_then(Node::as_str).filter(|it| is_meant(it) && *it != FLAG);
            let is_on = item.get("value").and_then(loose_bool) == Some(true);
            if let (Some(key), Some(name), true) = (key, name, is_on) {
                self.misplaced(key, true, false, name.origin.clone());
            }
            self.map(item, parent, false);
        }
    }

    /// Whether a map of that name holds the flags of kubelets.
    fn is_flags(&self, name: &str) -> bool {
        name == "kubeletExtraArgs" || self.is_talos && name == "extraArgs"
    }

    fn misplaced(&mut self, key: &str, is_flags: bool, is_config: bool, at: Origin) {
        let belongs = match (is_flags, is_config, self.is_talos) {
            (true, ..) => format!("write {FLAG}, as the flag is called"),
            (_, true, _) => format!("write {FIELD}: true, as the field is called, at the top"),
            (.., true) => format!("move it to machine.kubelet.extraArgs as {FLAG}: true"),
            _ => format!("write {FIELD}: true into a KubeletConfiguration"),
        };
        let says = match is_flags {
            true => format!("{key} is no flag of kubelets, which do not start with it"),
            false => format!("{key} has no effect in {}", self.what),
        };
        self.found.push(Misplaced { key: key.to_owned(), says, belongs, origin: at });
    }
}

/// Whether a key means either, whatever its spelling.
fn is_meant(key: &str) -> bool {
    let letters = key.chars().filter(char::is_ascii_alphabetic);
    let letters: String = letters.map(|it| it.to_ascii_lowercase()).collect();
    matches!(&*letters, "servertlsbootstrap" | "rotateservercertificates")
}
