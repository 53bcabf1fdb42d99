//! Talos Linux: machine configurations, patches to them, and talhelper's `talconfig.yaml`, which
//! says what patches which node.
//!
//! `machine.kubelet.extraArgs` are flags; `machine.kubelet.extraConfig` is a part of a
//! KubeletConfiguration; the document `KubeletConfig` of newer versions has both. Talos itself lets
//! each kubelet sign its own certificate. What else it deploys is in `cluster`, or in documents of
//! their own from 1.14 on.

mod manifests;
mod topf;

use std::iter::repeat;

use crate::{
    model::{
        Carrier, ClusterId,
        kubelet::{Flag, Settings},
        nodes,
        platform::{Input, InputDocument, Platform},
    },
    problem::Problem,
    source,
    tree::{Kind, Node, Origin},
};

pub(super) use manifests::deployed;

pub(super) fn carrier(input: &Input<'_>, platform: &mut Platform) {
    let mut used: Vec<String> = Vec::new();
    for document in input.documents.iter().filter(|it| is_talconfig(it.node)) {
        talconfig(input, document, platform, &mut used);
    }
    for document in input.documents.iter().filter(|it| topf::is_topf(it.node)) {
        topf::nodes(input, document, platform, &mut used);
    }
    let of_omni: Vec<(Node, &str)> = input
        .documents
        .iter()
        .flat_map(|it| {
            omni(input, it.node, &mut platform.problems).into_iter().zip(repeat(it.path))
        })
        .collect();
    let of_omni = of_omni.iter().map(|(node, path)| InputDocument { node, path });
    let of_omni: Vec<InputDocument<'_>> = of_omni.collect();
    // Of the patches beside a `talconfig.yaml` talhelper applies those that it names, and no others
    // (`patches` in the reference of its configuration).
    let of_talhelper = input.documents.iter().filter(|it| is_talconfig(it.node));
    let of_talhelper: Vec<ClusterId> = of_talhelper.map(|it| cluster(it.path)).collect();
    let is_used = |it: &&InputDocument<'_>| {
        used.iter().any(|path| path == it.path)
            || is_patch(it.node) && of_talhelper.contains(&cluster(it.path))
    };
    let parts = || input.documents.iter().filter(|it| !is_used(it)).chain(&of_omni);
    let patches: Vec<(&InputDocument<'_>, Settings)> = parts()
        .filter(|it| is_patch(it.node))
        .map(|it| (it, settings(std::slice::from_ref(it.node))))
        .filter(|(_, settings)| settings.has_settings())
        .collect();
    for document in parts().filter(|it| is_machine(it.node)) {
        let mut settings = settings(std::slice::from_ref(document.node));
        if !patches.is_empty() {
            let why = "a patch in this repository may set it";
            settings.layers.insert(0, Node::unknown_value(why, &document.anchor()));
        }
        let role = match document.node.str_at("machine.type") {
            Some("worker" | "join") => "workers",
            _ => "control plane",
        };
        let (cluster, anchor) = (cluster(document.path), &at_kubelet(document.node).origin);
        platform.kubelet(&cluster, role, Carrier::TalosMachine, anchor, settings.facts());
    }
    if patches.is_empty() && used.is_empty() && !parts().any(|it| is_machine(it.node)) {
        // What has both halves is all that a person sets of a control plane.
        let is_whole = |it: &&InputDocument<'_>| {
            is_patch(it.node) && ["machine", "cluster"].iter().all(|key| it.node.get(key).is_some())
        };
        for document in parts().filter(is_whole) {
            let facts = settings(std::slice::from_ref(document.node)).facts();
            let (cluster, anchor) = (cluster(document.path), &at_kubelet(document.node).origin);
            platform.kubelet(&cluster, "control plane", Carrier::TalosMachine, anchor, facts);
        }
    }
    for (document, settings) in patches {
        let (cluster, anchor) = (cluster(document.path), &at_kubelet(document.node).origin);
        let (name, facts) = (source::file_name(document.path), settings.facts());
        platform.kubelet(&cluster, name, Carrier::TalosPatch, anchor, facts).complete = false;
    }
    let parts = parts().map(|it| it.node).filter(|it| is_machine(it) || is_patch(it));
    deployed(input, parts, platform);
}

/// The patches that are written out in a cluster template or a resource of Omni
/// (<https://docs.siderolabs.com/omni/reference/cluster-templates>); those in files are there
/// themselves.
fn omni(input: &Input<'_>, node: &Node, problems: &mut Vec<Problem>) -> Vec<Node> {
    const KINDS: [&str; 4] = ["Cluster", "ControlPlane", "Workers", "Machine"];
    let kind = node.str_at("metadata.type").unwrap_or_default();
    let written: Vec<&Node> = if kind.ends_with("ConfigPatches.omni.sidero.dev") {
        node.at("spec.data").into_iter().collect()
    } else if node.get("apiVersion").is_none() && KINDS.contains(&node.object_kind()) {
        node.items_at("patches").iter().filter_map(|it| it.get("inline")).collect()
    } else {
        return Vec::new();
    };
    written.iter().flat_map(|it| input.embedded(it, problems)).collect()
}

/// The nodes that a `talconfig.yaml` defines, with the patches that each gets.
fn talconfig(
    input: &Input<'_>,
    document: &InputDocument<'_>,
    platform: &mut Platform,
    used: &mut Vec<String>,
) {
    let cluster = cluster(document.path);
    let all = document.node.items_at("nodes");
    let mut load = |node: Option<&Node>, problems: &mut Vec<Problem>| -> Vec<Node> {
        let get = |key| node.and_then(|node| node.get(key));
        let patches = get("patches").map(Node::items).unwrap_or_default();
        // Before version 2 there was a list of JSON 6902 operations and one object.
        let old = [get("configPatches"), get("inlinePatch")].into_iter().flatten().cloned();
        let new = patches.iter().flat_map(|it| patch(input, document, it, problems, used));
        old.chain(new).collect()
    };
    let common = load(Some(document.node), &mut platform.problems);
    for (group, key) in [("control plane", "controlPlane"), ("workers", "worker")] {
        let control_plane = key == "controlPlane";
        let members: Vec<&Node> =
            all.iter().filter(|it| it.is_true_at("controlPlane") == control_plane).collect();
        if members.is_empty() {
            continue;
        }
        let section = document.node.as_map().and_then(|it| it.entry(key));
        let of_group = load(section.map(|it| &it.value), &mut platform.problems);
        let named = |it: &&Node| it.str_at("hostname").unwrap_or(group).to_owned();
        let own =
            members.iter().map(|it| (named(it), load(Some(it), &mut platform.problems))).collect();
        // Where a person sets what all nodes get, or all of this group.
        let place = ["patches", key].iter().find_map(|it| document.node.as_map()?.entry(it)?.key);
        let anchor = match place {
            Some(place) => Origin::written(place),
            None => document.node.get("clusterName").unwrap_or(document.node).origin.clone(),
        };
        Group { name: group, patches: [common.clone(), of_group].concat(), own, anchor }.kubelets(
            input,
            &cluster,
            Carrier::Talhelper,
            platform,
        );
    }
    used.push(document.path.to_owned());
    if let Some(list) = document.node.get("nodes") {
        platform.pool(&cluster, nodes::length(list));
    }
}

/// Nodes of one role, and what patches their machine configurations.
struct Group<'a> {
    name: &'a str,
    /// The patches that all of them get, in order.
    patches: Vec<Node>,
    /// Each by its name, with the patches that it gets after those.
    own: Vec<(String, Vec<Node>)>,
    /// What a missing setting is reported at, unless a patch has something for the kubelet.
    anchor: Origin,
}

impl Group<'_> {
    fn kubelets(
        self,
        input: &Input<'_>,
        cluster: &ClusterId,
        carrier: Carrier,
        platform: &mut Platform,
    ) {
        let mut own = self.own.iter().flat_map(|(_, patches)| patches);
        let same = own.all(|it| !settings(std::slice::from_ref(it)).has_settings());
        let groups: Vec<(&str, Vec<Node>)> = if same {
            vec![(self.name, self.patches)]
        } else {
            // Each node is its own group where patches of single nodes matter.
            let with = |own: &Vec<Node>| [self.patches.clone(), own.clone()].concat();
            self.own.iter().map(|(name, own)| (&**name, with(own))).collect()
        };
        for (name, patches) in groups {
            deployed(input, &patches, platform);
            let kubelet = patches.iter().find_map(|it| it.at("machine.kubelet"));
            let anchor = kubelet.map_or(&self.anchor, |it| &it.origin);
            platform.kubelet(cluster, name, carrier, anchor, settings(&patches).facts());
        }
    }
}

/// The documents of one patch: YAML in a text, `@` and a path relative to the `talconfig.yaml`, or
/// an object. What is in a file that is not there is unknown.
fn patch(
    input: &Input<'_>,
    document: &InputDocument<'_>,
    item: &Node,
    problems: &mut Vec<Problem>,
    used: &mut Vec<String>,
) -> Vec<Node> {
    let Some((text, path)) = item.as_str().and_then(|it| Some((it, it.strip_prefix('@')?))) else {
        return input.embedded(item, problems);
    };
    let path = source::join(document.dir(), path.trim());
    let file = path.as_deref().and_then(|path| input.sources.find(path));
    let Some(file) = file else {
        let why = format!("the patch `{text}` is not in this repository");
        return vec![Node::unknown_value(why, &item.origin)];
    };
    used.extend(path);
    let documents = input.sources.documents(file, crate::scalar::Dialect::Sigs);
    if documents.error().is_some() {
        let why = format!("the patch `{text}` is not YAML");
        return vec![Node::unknown_value(why, &item.origin)];
    }
    documents.roots().cloned().collect()
}

/// The kubelet's settings in patches, the later over the earlier.
pub(super) fn settings(patches: &[Node]) -> Settings {
    let mut settings = Settings::default();
    for patch in patches {
        match &patch.kind {
            Kind::Unknown(_) => {
                settings.layers.push(patch.clone());
                settings.flags.extend(Flag::all(patch));
            }
            Kind::Map(_) => {
                let (config, args) = match patch.object_kind() {
                    "KubeletConfig" => ("config", "extraArgs"),
                    _ => ("machine.kubelet.extraConfig", "machine.kubelet.extraArgs"),
                };
                settings.layers.extend(patch.perhaps_at(config));
                let flags = patch.perhaps_at(args);
                settings.flags.extend(flags.as_ref().map(Flag::all).unwrap_or_default());
            }
            // A JSON 6902 patch.
            Kind::List(operations) => {
                for operation in operations.iter() {
                    json_patch(operation, &mut settings);
                }
            }
            Kind::Scalar(_) => {}
        }
    }
    settings
}

fn json_patch(operation: &Node, settings: &mut Settings) {
    let (Some(path), Some(value)) = (operation.str_at("path"), operation.get("value")) else {
        return;
    };
    if path == "/machine/kubelet/extraArgs" {
        settings.flags.extend(Flag::all(value));
    } else if let Some(name) = path.strip_prefix("/machine/kubelet/extraArgs/") {
        settings.flags.push(Flag::named(name, value));
    } else if path == "/machine/kubelet/extraConfig" {
        settings.layers.push(value.clone());
    } else if let Some(config) = value.get("extraConfig").filter(|_| path == "/machine/kubelet") {
        settings.layers.push(config.clone());
    }
    if let Some(args) = value.get("extraArgs").filter(|_| path == "/machine/kubelet") {
        settings.flags.extend(Flag::all(args));
    }
}

fn is_talconfig(node: &Node) -> bool {
    !topf::is_topf(node)
        && node.get("clusterName").is_some()
        && node.get("nodes").is_some_and(|it| it.as_list().is_some())
        && (node.get("talosVersion").is_some() || node.get("endpoint").is_some())
}

/// A machine configuration, or a part of one.
pub(super) fn is_part(node: &Node) -> bool {
    is_machine(node) || node.get("apiVersion").is_none() && node.at("machine").is_some()
}

/// A whole machine configuration.
fn is_machine(node: &Node) -> bool {
    node.str_at("version") == Some("v1alpha1") && node.at("machine.type").is_some()
}

/// A part of one.
fn is_patch(node: &Node) -> bool {
    let list = || node.items().iter().filter_map(|it| it.str_at("path"));
    let kinds = ["KubeletConfig", "KubeExternalManifestConfig", "KubeInlineManifestConfig"];
    let document =
        node.str_at("apiVersion") == Some("v1alpha1") && kinds.contains(&node.object_kind());
    let strategic = node.get("apiVersion").is_none()
        && node.at("machine.type").is_none()
        && (node.at("machine.kubelet").is_some()
            || node.at("cluster.extraManifests").is_some()
            || node.at("cluster.inlineManifests").is_some());
    let said = ["/machine/kubelet", "/cluster/extraManifests", "/cluster/inlineManifests"];
    document || strategic || list().any(|it| said.iter().any(|said| it.starts_with(said)))
}

/// One cluster has one directory, below which its patches lie.
fn cluster(path: &str) -> ClusterId {
    let dir = source::parent(path);
    let home = dir.split_once("/patches").map_or(dir, |(home, _)| home);
    let home = home.strip_suffix("patches").unwrap_or(home);
    ClusterId::named("talos", home.trim_end_matches('/'))
}

/// What a missing kubelet setting is reported at.
fn at_kubelet(node: &Node) -> &Node {
    node.at("machine.kubelet").or_else(|| node.get("machine")).unwrap_or(node)
}

#[cfg(test)]
mod tests {
    use crate::{
        config::Config,
        pipeline::{analyze, check},
        tests::fixture,
    };

    /// The lines at which kubelets are told to sign their own certificates.
    fn lines(talconfig: &str) -> Vec<u32> {
        let nodes = "
            //- talconfig.yaml
            clusterName: home
            talosVersion: v1.9.0
            nodes: [{hostname: a, controlPlane: true}, {hostname: b}]";
        let sources = fixture(&format!("{nodes}{talconfig}"));
        let (_, clusters) = analyze(&sources, &Config::default());
        let findings = check(&clusters).into_iter();
        let found = findings.filter(|it| it.rule == "serving-certificates-not-bootstrapped");
        found.filter_map(|it| Some(sources.start(it.primary()?.span).line)).collect()
    }

    #[test]
    fn a_missing_setting_is_reported_where_it_would_be_written() {
        let patches = "
            patches: ['machine: {time: {disabled: true}}']";
        let kubelet = "
            controlPlane:
              patches: ['machine: {kubelet: {nodeIP: {validSubnets: [10.0.0.0/8]}}}']";
        let worker = "
            worker: {schematic: {}}";
        assert_eq!(lines(""), [1]);
        assert_eq!(lines(patches), [4]);
        assert_eq!(lines(worker), [1, 4]);
        assert_eq!(lines(&format!("{patches}{kubelet}{worker}")), [6, 4]);
    }

    #[test]
    fn a_patch_that_is_not_named_patches_no_node() {
        let patch = "machine: {kubelet: {extraArgs: {rotate-server-certificates: BOOL}}}";
        let named = patch.replace("BOOL", "true");
        let (spare, own) = (patch.replace("BOOL", "false"), patch.replace("BOOL", "false"));
        let files = format!(
            "
            patches: ['@./patches/all.yaml']
            //- patches/all.yaml
            {named}
            //- patches/lab-vm.yaml
            {spare}"
        );
        assert!(lines(&files).is_empty());
        // Another cluster's is one.
        let other = format!("{files}\n            //- other/patches/all.yaml\n            {own}");
        assert_eq!(lines(&other), [1]);
    }

    #[test]
    fn a_patch_that_cannot_be_told_may_set_flags() {
        let patches = "
            patches:
              - 'machine: {kubelet: {extraArgs: {rotate-server-certificates: false}}}'
              - '@./patches/generated.yaml'";
        assert!(lines(patches).is_empty());
    }
}
