//! Cluster API: control planes, templates for nodes, and the files and flags that they give to
//! kubeadm. Flags are a map up to `v1beta1` and a list of `{name, value}` from `v1beta2`.
//!
//! A control plane's first machine is made with `initConfiguration`, all others with
//! `joinConfiguration`; a setting that only one of them has is not on all nodes.

use crate::{
    model::{
        Approver, Carrier, ClusterId, Count, Fact, Kubelet, Signer,
        kubelet::{Flag, Settings},
        nodes::{self, Pool},
        platform::{Document, Input, Platform, node_files::Written, talos},
    },
    source,
    tree::Node,
};

pub(super) fn read(input: &Input<'_>, platform: &mut Platform) {
    if input.is_applied {
        return;
    }
    let all = Clusters::new(input);
    for document in &input.documents {
        let Some(group) = document.group().strip_suffix("cluster.x-k8s.io") else { continue };
        match (group, document.kind()) {
            ("", "Cluster") => topology(document, platform),
            ("controlplane.", "KubeadmControlPlane") => {
                let spec = document.node.at("spec.kubeadmConfigSpec");
                control_plane(input, &all, document, spec, platform);
                replicas(&all, document, platform);
            }
            ("controlplane.", "KubeadmControlPlaneTemplate") => {
                let spec = document.node.at("spec.template.spec.kubeadmConfigSpec");
                control_plane(input, &all, document, spec, platform);
            }
            ("bootstrap.", "KubeadmConfigTemplate") => {
                workers(input, &all, document, document.node.at("spec.template.spec"), platform);
            }
            ("bootstrap.", "KubeadmConfig") => {
                workers(input, &all, document, document.node.get("spec"), platform);
            }
            ("", "MachineDeployment" | "MachinePool" | "MachineSet") => {
                replicas(&all, document, platform);
            }
            ("controlplane.", "TalosControlPlane") => {
                let spec = document.node.at("spec.controlPlaneConfig.controlplane");
                talos_nodes(input, &all, document, spec, platform);
                replicas(&all, document, platform);
            }
            ("bootstrap.", "TalosConfigTemplate") => {
                let spec = document.node.at("spec.template.spec");
                talos_nodes(input, &all, document, spec, platform);
            }
            ("controlplane.", "RKE2ControlPlane" | "KThreesControlPlane" | "K0sControlPlane") => {
                platform.signed(
                    &all.of(document),
                    "all nodes",
                    "Cluster API control plane with its own signer",
                    &document.anchor(),
                );
                replicas(&all, document, platform);
            }
            (
                "controlplane." | "infrastructure.",
                "AWSManagedControlPlane"
                | "AzureManagedControlPlane"
                | "AzureASOManagedControlPlane"
                | "GCPManagedControlPlane",
            ) => {
                let anchor = document.anchor();
                platform.signed(&all.of(document), "all nodes", "managed control plane", &anchor);
            }
            ("infrastructure.", kind) if is_hetzner(kind) => {
                // Its controller approves for the machines that it made.
                platform.approvers.push(Approver {
                    name: "cluster-api-provider-hetzner".into(),
                    origin: document.anchor(),
                    certain: true,
                    weaknesses: Vec::new(),
                });
            }
            _ => {}
        }
    }
}

fn is_hetzner(kind: &str) -> bool {
    matches!(
        kind,
        "HetznerCluster"
            | "HetznerClusterTemplate"
            | "HCloudMachineTemplate"
            | "HetznerBareMetalMachineTemplate"
    )
}

/// Which cluster an object belongs to.
struct Clusters<'a> {
    /// Clusters by name.
    names: Vec<&'a str>,
    /// Objects that others refer to, by name, with the cluster of the other.
    references: Vec<(&'a str, &'a str)>,
}

impl<'a> Clusters<'a> {
    fn new(input: &Input<'a>) -> Self {
        let mut all = Self { names: Vec::new(), references: Vec::new() };
        for document in input.group("cluster.x-k8s.io") {
            let node = document.node;
            let name = node.object_name();
            if document.kind() == "Cluster" {
                all.names.push(name);
                let control_plane = node.str_at("spec.controlPlaneRef.name");
                all.references.extend(control_plane.map(|it| (it, name)));
            } else if let Some(cluster) = node.str_at("spec.clusterName") {
                let template = node.str_at("spec.template.spec.bootstrap.configRef.name");
                all.references.extend(template.map(|it| (it, cluster)));
                all.references.push((name, cluster));
            }
        }
        all
    }

    /// The cluster of an object: what its label says, what refers to it, or the only one.
    fn of(&self, document: &Document<'_>) -> ClusterId {
        let name = document.node.object_name();
        let labels = document.node.at("metadata.labels");
        let label = labels.and_then(|it| it.get("cluster.x-k8s.io/cluster-name"));
        let referred = || self.references.iter().find(|(it, _)| *it == name).map(|it| it.1);
        let only = || match self.names[..] {
            [only] => Some(only),
            _ => None,
        };
        let cluster = label.and_then(Node::as_str).or_else(referred).or_else(only);
        ClusterId::named("cluster-api", cluster.unwrap_or_else(|| source::parent(document.path)))
    }
}

fn control_plane(
    input: &Input<'_>,
    all: &Clusters<'_>,
    document: &Document<'_>,
    spec: Option<&Node>,
    platform: &mut Platform,
) {
    // One replica is made by `init` alone.
    let single = document.node.at("spec.replicas").and_then(Node::as_int) == Some(1);
    let phases: &[_] = if single {
        &[("initConfiguration", "control plane")]
    } else {
        &[
            ("initConfiguration", "first of the control plane"),
            ("joinConfiguration", "control plane"),
        ]
    };
    for (phase, name) in phases {
        kubelet(input, all, document, spec, (phase, name), platform);
    }
}

fn workers(
    input: &Input<'_>,
    all: &Clusters<'_>,
    document: &Document<'_>,
    spec: Option<&Node>,
    platform: &mut Platform,
) {
    let name = document.node.str_at("metadata.name").unwrap_or("workers").to_owned();
    kubelet(input, all, document, spec, ("joinConfiguration", &name), platform);
}

fn kubelet(
    input: &Input<'_>,
    all: &Clusters<'_>,
    document: &Document<'_>,
    spec: Option<&Node>,
    (phase, name): (&str, &str),
    platform: &mut Platform,
) {
    let mut settings = spec.map(|spec| of_spec(input, spec, phase, platform)).unwrap_or_default();
    if let Some(patch) = class_patch(input) {
        let why = "a patch of the ClusterClass may set it";
        settings.layers.push(Node::unknown_value(why, &patch.origin));
    }
    platform.kubelets.push(Kubelet {
        cluster: all.of(document),
        group: name.to_owned(),
        carrier: Carrier::ClusterApiKubeadm,
        signer: Signer::Kubelet,
        complete: true,
        anchor: document.anchor(),
        facts: settings.facts(),
    });
}

/// The settings of nodes that `phase` of a kubeadm configuration makes.
fn of_spec(input: &Input<'_>, spec: &Node, phase: &str, platform: &mut Platform) -> Settings {
    let mut settings = Settings::default();
    let phase = spec.get(phase);
    let flags = phase.and_then(|it| it.at("nodeRegistration.kubeletExtraArgs"));
    let flags = flags.map(Flag::all).unwrap_or_default();
    let files: Vec<Written<'_>> = spec.items_at("files").iter().filter_map(Written::of).collect();
    let unknown = |why: &str, node: &Node| Node::unknown_value(why, &node.origin);
    if let Some(directory) = phase.and_then(|it| it.at("patches.directory")) {
        let dir = directory.as_str().unwrap_or_default().trim_end_matches('/');
        let patches: Vec<_> = files
            .iter()
            .filter(|it| source::parent(it.path) == dir && super::kubeadm::is_patch(it.path))
            .collect();
        if patches.iter().any(|it| it.content.is_none()) {
            settings.layers.push(unknown("a patch comes from outside this file", directory));
        }
        for patch in patches {
            settings.layers.extend(patch.settings(input, &mut platform.problems).layers);
        }
    }
    if let Some(config) = flags.iter().rfind(|it| it.name == "config") {
        // The kubelet reads this file instead of kubeadm's.
        let path = config.value.as_str().unwrap_or_default();
        let file = files.iter().find(|it| it.path == path && it.content.is_some());
        settings.layers = match file {
            Some(file) => file.settings(input, &mut platform.problems).layers,
            None => vec![unknown("`--config` points at a file that is not here", &config.value)],
        };
    }
    // `KUBELET_EXTRA_ARGS` and units come after kubeadm's own flags.
    settings.flags = flags;
    for file in &files {
        settings.flags.extend(file.settings(input, &mut platform.problems).flags);
    }
    let commands = ["preKubeadmCommands", "postKubeadmCommands"];
    let commands = commands.iter().filter_map(|it| spec.get(it)).flat_map(Node::items);
    let changes = |it: &&Node| {
        it.as_str().is_some_and(|it| {
            it.contains("serverTLSBootstrap") || it.contains("rotate-server-certificates")
        })
    };
    if let Some(command) = commands.into_iter().find(changes) {
        settings.layers.push(unknown("a command changes it", command));
    }
    settings
}

/// A patch of a ClusterClass that touches what the kubelet gets.
fn class_patch<'a>(input: &Input<'a>) -> Option<&'a Node> {
    let class = input.kind("cluster.x-k8s.io", "ClusterClass");
    let patches = class.filter_map(|it| it.node.at("spec.patches")).flat_map(Node::items);
    let definitions = patches.filter_map(|it| it.get("definitions")).flat_map(Node::items);
    let operations = definitions.filter_map(|it| it.get("jsonPatches")).flat_map(Node::items);
    operations.filter_map(|it| it.get("path")).find(|it| {
        let path = it.as_str().unwrap_or_default();
        path.contains("kubeletExtraArgs")
            || path.contains("/files")
            || path.ends_with("nodeRegistration")
            || path.ends_with("kubeadmConfigSpec")
    })
}

fn talos_nodes(
    input: &Input<'_>,
    all: &Clusters<'_>,
    document: &Document<'_>,
    spec: Option<&Node>,
    platform: &mut Platform,
) {
    let Some(spec) = spec else { return };
    let strategic = spec.items_at("strategicPatches");
    let mut patches: Vec<Node> =
        strategic.iter().flat_map(|it| input.embedded(it, &mut platform.problems)).collect();
    patches.extend(spec.get("configPatches").cloned());
    for patch in &patches {
        platform.approvers.extend(talos::approvers(input, patch, &mut platform.problems));
    }
    platform.kubelets.push(Kubelet {
        cluster: all.of(document),
        group: document.node.object_name().to_owned(),
        carrier: Carrier::ClusterApiTalos,
        signer: Signer::Kubelet,
        complete: true,
        anchor: document.anchor(),
        facts: talos::settings(&patches).facts(),
    });
}

/// `spec.replicas`, or what the cluster autoscaler may make of them.
fn replicas(all: &Clusters<'_>, document: &Document<'_>, platform: &mut Platform) {
    let node = document.node;
    let count = sized(node.get("metadata"), node.at("spec.replicas"), &document.anchor());
    platform.pools.push(Pool::new(&all.of(document), count));
}

fn sized(
    metadata: Option<&Node>,
    replicas: Option<&Node>,
    anchor: &crate::tree::Origin,
) -> Fact<Count> {
    let annotations = metadata.and_then(|it| it.get("annotations"));
    let limit = |end: &str| {
        let key = format!("cluster.x-k8s.io/cluster-api-autoscaler-node-group-{end}-size");
        annotations.and_then(|it| it.get(&key))
    };
    match (limit("min"), limit("max")) {
        (Some(min), Some(max)) => nodes::between(Some(min), Some(max)),
        _ => None,
    }
    .unwrap_or_else(|| nodes::stated_or(replicas, 1, anchor))
}

/// The sizes in a Cluster that is made from a ClusterClass.
fn topology(document: &Document<'_>, platform: &mut Platform) {
    let Some(topology) = document.node.at("spec.topology") else { return };
    let name = document.node.object_name();
    let cluster = ClusterId::named("cluster-api", name);
    let anchor = document.anchor();
    let control_plane = nodes::stated_or(topology.at("controlPlane.replicas"), 1, &anchor);
    platform.pools.push(Pool::new(&cluster, control_plane));
    let lists = ["workers.machineDeployments", "workers.machinePools"];
    for pool in lists.iter().filter_map(|it| topology.at(it)).flat_map(Node::items) {
        let at = pool.get("name").map_or(&pool.origin, |it| &it.origin);
        let count = sized(pool.get("metadata"), pool.get("replicas"), at);
        platform.pools.push(Pool::new(&cluster, count));
    }
}
