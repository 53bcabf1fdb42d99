//! kubeadm's files, the `kubelet-config` ConfigMap that it writes, its patches directory, and
//! KubeletConfigurations that stand alone.
//!
//! `kubeadm init` reads InitConfiguration, ClusterConfiguration and KubeletConfiguration from one
//! file and puts the last into the ConfigMap; `kubeadm join` reads nothing but a JoinConfiguration
//! (`cmd/kubeadm/app/util/config/joinconfiguration.go`) and takes the kubelet's settings from
//! the ConfigMap. The node's own `kubeletExtraArgs` and patches then come on top.

use std::collections::BTreeMap;

use crate::{
    model::{
        Carrier, ClusterId,
        kubelet::{Flag, Settings},
        platform::{Input, InputDocument, Platform},
    },
    source,
    tree::{Node, Origin, Via},
};

const KUBEADM: &str = "kubeadm.k8s.io";
pub(super) const KUBELET: &str = "kubelet.config.k8s.io";

/// The kubeadm documents of one file.
#[derive(Default)]
struct File<'a> {
    path: &'a str,
    init: Option<&'a Node>,
    cluster: Option<&'a Node>,
    kubelet: Option<&'a Node>,
    joins: Vec<&'a Node>,
}

pub(super) fn carrier(input: &Input<'_>, platform: &mut Platform) {
    let files = files(input);
    let stored = stored(input, platform);
    let cluster = |inits: &[&File<'_>], path: &str| match inits {
        [] if stored.is_some() => ClusterId::only("kubeadm"),
        [_] => ClusterId::only("kubeadm"),
        _ => {
            let start = of_cluster(inits, path).map_or(path, |it| it.path);
            ClusterId::named("kubeadm", source::parent(start))
        }
    };
    let inits: Vec<&File<'_>> = files.values().filter(|it| it.starts()).collect();
    let joining = files.values().any(|it| !it.joins.is_empty());
    for file in &inits {
        let (node, carrier) = match (file.init, file.cluster) {
            (Some(node), _) => (node, Carrier::InitConfiguration),
            (None, Some(node)) => (node, Carrier::ClusterConfiguration),
            (None, None) => continue,
        };
        let group = if joining { "control plane" } else { "all nodes" };
        let facts = settings(input, node, configuration(file, &files)).facts();
        // The setting that is missing belongs into the KubeletConfiguration, if there is one.
        let anchor = super::anchor(file.kubelet.unwrap_or(node));
        platform.kubelet(&cluster(&inits, file.path), group, carrier, &anchor, facts);
    }
    let drop_ins = DropIns::new(input);
    for file in files.values() {
        let base = base(&inits, file.path, stored.as_ref());
        for join in &file.joins {
            let control_plane = join.get("controlPlane").is_some_and(|it| !it.is_null());
            let group = if control_plane { "control plane" } else { "workers" };
            let carrier = Carrier::JoinConfiguration;
            let facts = settings(input, join, base.clone()).facts();
            let cluster = cluster(&inits, file.path);
            platform.kubelet(&cluster, group, carrier, &super::anchor(join), facts);
        }
        if let (Some(kubelet), false) = (file.kubelet, file.speaks_kubeadm()) {
            alone(input, kubelet, file.path, &drop_ins, platform);
        }
    }
}

/// The KubeletConfiguration that `kubeadm init` is given with `file`. One that stands beside it may
/// be put into the same file first, or be meant for something else.
fn configuration(file: &File<'_>, files: &BTreeMap<&str, File<'_>>) -> Vec<Node> {
    if let Some(kubelet) = file.kubelet {
        return vec![kubelet.clone()];
    }
    let dir = source::parent(file.path);
    let mut beside = files.values().filter(|it| source::parent(it.path) == dir);
    let unknown = beside.find_map(|it| it.kubelet).map(|kubelet| {
        let why = "a KubeletConfiguration beside it may be given to kubeadm too";
        Node::unknown_value(why, &kubelet.origin)
    });
    unknown.into_iter().collect()
}

/// The documents of kubeadm and of the kubelet, by file.
fn files<'a>(input: &'a Input<'_>) -> BTreeMap<&'a str, File<'a>> {
    let mut files: BTreeMap<&str, File<'_>> = BTreeMap::new();
    for document in &input.documents {
        let InputDocument { node, path } = *document;
        if !matches!(document.group(), KUBEADM | KUBELET) {
            continue;
        }
        let file = files.entry(path).or_insert_with(|| File { path, ..File::default() });
        match (document.group(), document.kind()) {
            (KUBEADM, "InitConfiguration") => file.init = Some(node),
            (KUBEADM, "ClusterConfiguration") => file.cluster = Some(node),
            (KUBEADM, "JoinConfiguration") => file.joins.push(node),
            (KUBELET, "KubeletConfiguration") => file.kubelet = Some(node),
            _ => {}
        }
    }
    files
}

impl File<'_> {
    /// Whether `kubeadm init` is given this file.
    fn starts(&self) -> bool {
        self.init.is_some() || self.cluster.is_some()
    }

    fn speaks_kubeadm(&self) -> bool {
        self.starts() || !self.joins.is_empty()
    }
}

/// What else a document with a name may come to: kubeadm and the kubelet ask for none, but kustomize
/// does, to put documents together.
fn unbuilt(node: &Node) -> Option<Node> {
    let name = node.at("metadata.name")?;
    let why = "it has a name, so kustomize may put it together with others";
    Some(Node::unknown_value(why, &name.origin))
}

/// The settings of a node that registers as `node` says, over `layers`.
fn settings(input: &Input<'_>, node: &Node, mut layers: Vec<Node>) -> Settings {
    layers.splice(..0, unbuilt(node));
    let flags = node.perhaps_at("nodeRegistration.kubeletExtraArgs");
    let flags = flags.as_ref().map(Flag::all).unwrap_or_default();
    match node.look("patches.directory") {
        Ok(None) => {}
        Ok(Some(directory)) => {
            let patches = patches(input);
            if patches.is_empty() {
                let why = "kubeadm's patches directory is not in this repository";
                layers.push(Node::unknown_value(why, &directory.origin));
            }
            layers.extend(patches);
        }
        Err((why, at)) => layers.push(Node::unknown_value(why, &at)),
    }
    if let Some(config) = flags.iter().rfind(|flag| flag.name == "config") {
        // kubeadm's own file is not read at all then.
        let why = "`--config` points at another file on the node";
        layers = vec![Node::unknown_value(why, &config.value.origin)];
    }
    Settings { layers, flags }
}

/// `kubeletconfiguration[suffix][+type].yaml`, for `--patches` and `patches.directory`.
fn patches(input: &Input<'_>) -> Vec<Node> {
    let patches =
        input.documents.iter().filter(|it| is_patch(it.path) && it.node.as_map().is_some());
    patches.map(|it| it.node.clone()).collect()
}

pub(super) fn is_patch(path: &str) -> bool {
    let name = source::file_name(path);
    // A JSON 6902 patch is a list; what it changes is not followed.
    name.starts_with("kubeletconfiguration") && !name.contains("+json")
}

/// What joining nodes start from: the configuration that the cluster was made with.
fn base(inits: &[&File<'_>], path: &str, stored: Option<&Node>) -> Vec<Node> {
    if let Some(init) = of_cluster(inits, path) {
        return init.kubelet.cloned().into_iter().collect();
    }
    let why = "joining nodes take it from the cluster's `kubelet-config` ConfigMap";
    let unknown = || Node::unknown_value(why, &Origin::at(Via::Written, None));
    vec![stored.cloned().unwrap_or_else(unknown)]
}

/// The file that starts the cluster which the nodes of `path` join: the only one, or the one in
/// the same directory.
fn of_cluster<'a, 'b>(inits: &[&'a File<'b>], path: &str) -> Option<&'a File<'b>> {
    let mut near = inits.iter().filter(|it| source::parent(it.path) == source::parent(path));
    match (inits, near.next(), near.next()) {
        ([only], ..) => Some(only),
        (_, Some(near), None) => Some(near),
        _ => None,
    }
}

/// The `kubelet-config` ConfigMap, or `kubelet-config-1.20` as it was called before 1.24.
fn stored(input: &Input<'_>, platform: &mut Platform) -> Option<Node> {
    let mut stored = None;
    for document in input.kind("", "ConfigMap") {
        let name = document.node.object_name();
        let Some(version) = name.strip_prefix("kubelet-config") else { continue };
        let text = document.node.at("data.kubelet");
        let Some(text) = text.filter(|_| version.is_empty() || version.starts_with("-1.")) else {
            continue;
        };
        for config in input.embedded(text, &mut platform.problems) {
            if config.object_kind() != "KubeletConfiguration" && config.unknown().is_none() {
                continue;
            }
            let cluster = ClusterId::only("kubeadm");
            let carrier = Carrier::KubeletConfigMap;
            let facts = Settings::from_layers(vec![config.clone()]).facts();
            platform.kubelet(&cluster, "nodes that join", carrier, &super::anchor(&config), facts);
            stored = Some(config);
        }
    }
    stored
}

/// A KubeletConfiguration that no kubeadm document stands beside.
fn alone(
    input: &Input<'_>,
    config: &Node,
    path: &str,
    drop_ins: &DropIns<'_>,
    platform: &mut Platform,
) {
    // A patch belongs to nodes of kubeadm, a drop-in to the only file beside its directory.
    if is_patch(path) && input.group(KUBEADM).next().is_some() {
        return;
    }
    let part = is_patch(path) || is_drop_in(path) || unbuilt(config).is_some();
    if is_drop_in(path) && drop_ins.base(home(path)).is_some() {
        return;
    }
    let mut layers = vec![config.clone()];
    layers.extend(drop_ins.over(path));
    let settings = Settings::from_layers(layers);
    if part && !settings.has_settings() {
        return;
    }
    let cluster = ClusterId::named("kubelet", source::parent(path));
    let (group, carrier) = (source::file_name(path), Carrier::KubeletConfiguration);
    let anchor = super::anchor(config);
    platform.kubelet(&cluster, group, carrier, &anchor, settings.facts()).complete = !part;
}

/// Whether `path` is in a directory for `--config-dir`, in which only `*.conf` counts.
fn is_drop_in(path: &str) -> bool {
    let dir = source::parent(path);
    source::extension(dir) == "d" && source::extension(path) == "conf"
}

/// The KubeletConfigurations by where they stand: drop-ins, and what they may be over.
#[derive(Default)]
struct DropIns<'a> {
    /// By the directories above theirs, in the order of their names.
    all: BTreeMap<&'a str, Vec<(&'a str, &'a Node)>>,
    /// The paths of others, by their directories.
    bases: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> DropIns<'a> {
    fn new(input: &'a Input<'_>) -> Self {
        let mut found = Self::default();
        for document in input.kind(KUBELET, "KubeletConfiguration") {
            let InputDocument { node, path } = *document;
            match is_drop_in(path) {
                true => found.all.entry(home(path)).or_default().push((path, node)),
                false => found.bases.entry(document.dir()).or_default().push(path),
            }
        }
        found.all.values_mut().for_each(|it| it.sort_by_key(|it| it.0));
        found
    }

    /// What drop-ins below `dir` are over: the only one in it.
    fn base(&self, dir: &str) -> Option<&'a str> {
        match self.bases.get(dir).map_or(&[][..], Vec::as_slice) {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Those over the base at `path`.
    fn over(&self, path: &str) -> Vec<Node> {
        let dir = source::parent(path);
        let all = self.all.get(dir).filter(|_| self.base(dir) == Some(path));
        all.into_iter().flatten().map(|it| it.1.clone()).collect()
    }
}

/// The directory above the one of a drop-in.
fn home(path: &str) -> &str {
    source::parent(source::parent(path))
}
