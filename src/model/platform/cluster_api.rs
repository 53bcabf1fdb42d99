//! Cluster API: control planes, templates for nodes, and the files and flags that they give to
//! kubeadm. Flags are a map up to `v1beta1` and a list of `{name, value}` from `v1beta2`.
//!
//! A control plane's first machine is made with `initConfiguration`, all others with
//! `joinConfiguration`; a setting that only one of them has is not on all nodes.

use std::collections::BTreeSet;

use crate::{
    model::{
        Approver, Carrier, ClusterId, Count, Fact,
        kubelet::{Flag, Settings},
        nodes,
        platform::{Input, InputDocument, Platform, node_files::WrittenFile, talos},
    },
    source,
    tree::{Map, Node, Origin},
};

pub(super) fn carrier(input: &Input<'_>, platform: &mut Platform) {
    if input.is_applied {
        return;
    }
    let mut clusters = Clusters::new(input, platform);
    for document in &input.documents {
        clusters.read(document);
    }
}

/// What Cluster API's objects come to.
struct Clusters<'a> {
    input: &'a Input<'a>,
    platform: &'a mut Platform,
    /// Clusters by name.
    names: Vec<&'a str>,
    /// Objects that others refer to, by name, with the cluster of the other.
    references: Vec<(&'a str, &'a str)>,
    /// The names of objects that some object means.
    meant: BTreeSet<&'a str>,
    /// The names of control planes that a cluster takes as they are.
    whole: BTreeSet<&'a str>,
}

impl<'a> Clusters<'a> {
    fn new(input: &'a Input<'_>, platform: &'a mut Platform) -> Self {
        let meant = input.documents.iter().flat_map(|it| meant(it.node)).collect();
        let is_whole =
            |it: &&InputDocument<'_>| it.kind() == "KubeadmControlPlane" && !is_in_part(it);
        let whole = input.documents.iter().filter(is_whole);
        let whole = whole.map(|it| it.node.object_name()).collect();
        let (names, references) = (Vec::new(), Vec::new());
        let mut all = Self { input, platform, names, references, meant, whole };
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

    fn read(&mut self, document: &InputDocument<'_>) {
        let Some(group) = document.group().strip_suffix("cluster.x-k8s.io") else { return };
        let node = document.node;
        if self.makes_no_node(document) {
            return;
        }
        match (group, document.kind()) {
            ("", "Cluster") => self.topology(document),
            ("controlplane.", "KubeadmControlPlane") => {
                self.control_plane(document, node.at("spec.kubeadmConfigSpec"));
                self.replicas(document);
            }
            ("controlplane.", "KubeadmControlPlaneTemplate") => {
                self.control_plane(document, node.at("spec.template.spec.kubeadmConfigSpec"));
            }
            ("bootstrap.", "KubeadmConfigTemplate") => {
                self.workers(document, node.at("spec.template.spec"));
            }
            ("bootstrap.", "KubeadmConfig") => self.workers(document, node.get("spec")),
            ("", "MachineDeployment" | "MachinePool" | "MachineSet") => self.replicas(document),
            ("controlplane.", "TalosControlPlane") => {
                self.talos(document, node.at("spec.controlPlaneConfig.controlplane"));
                self.replicas(document);
            }
            ("bootstrap.", "TalosConfigTemplate") => {
                self.talos(document, node.at("spec.template.spec"));
            }
            ("controlplane.", "RKE2ControlPlane" | "KThreesControlPlane" | "K0sControlPlane") => {
                self.signed(document, "Cluster API control plane with its own signer");
                self.replicas(document);
            }
            (
                "controlplane." | "infrastructure.",
                "AWSManagedControlPlane"
                | "AzureManagedControlPlane"
                | "AzureASOManagedControlPlane"
                | "GCPManagedControlPlane",
            ) => self.signed(document, "managed control plane"),
            ("infrastructure.", kind) if is_hetzner(kind) => {
                // Its controller approves for the machines that it made.
                let name = "cluster-api-provider-hetzner";
                self.platform.approvers.push(Approver::new(name, &document.anchor(), true));
            }
            _ => {}
        }
    }

    /// Whether an object is a part that another one is patched with, since it is no whole one, and that is
    /// here or it says nothing of its nodes, or since nothing means it and it makes no machines of its own; or
    /// is there because a managed control plane wants one.
    fn makes_no_node(&self, document: &InputDocument<'_>) -> bool {
        let node = document.node;
        let name = node.object_name();
        let is_bare =
            matches!(node.look("spec.kubeadmConfigSpec"), Ok(None)) && !self.meant.contains(name);
        if is_in_part(document) && (is_bare || self.whole.contains(name)) {
            return true;
        }
        let spec = match document.kind() {
            "KubeadmControlPlane" | "KubeadmConfig" => node.get("spec"),
            "KubeadmControlPlaneTemplate" | "KubeadmConfigTemplate" | "TalosConfigTemplate" => {
                node.at("spec.template.spec")
            }
            _ => return false,
        };
        let of_itself = ["spec.replicas", "spec.machineTemplate", "metadata.labels"];
        let is_part = of_itself.iter().all(|it| node.at(it).is_none())
            && node.str_at("metadata.name").is_some_and(|name| !self.meant.contains(name));
        let is_empty = spec.is_none_or(|it| it.as_map().is_some_and(Map::is_empty));
        let is_managed = |it: &InputDocument<'_>| it.kind().contains("ManagedControlPlane");
        is_part || is_empty && self.input.documents.iter().any(is_managed)
    }

    /// The cluster of an object: what its label says, what refers to it, or the only one.
    fn of(&self, document: &InputDocument<'_>) -> ClusterId {
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

    fn signed(&mut self, document: &InputDocument<'_>, carrier: &'static str) {
        self.platform.signed(&self.of(document), carrier, &document.anchor());
    }

    fn control_plane(&mut self, document: &InputDocument<'_>, spec: Option<&Node>) {
        // One replica is made by `init` alone.
        if document.node.at("spec.replicas").and_then(Node::as_int) == Some(1) {
            self.kubelet(document, spec, "initConfiguration", "control plane");
        } else {
            self.kubelet(document, spec, "initConfiguration", "first of the control plane");
            self.kubelet(document, spec, "joinConfiguration", "control plane");
        }
    }

    fn workers(&mut self, document: &InputDocument<'_>, spec: Option<&Node>) {
        let name = document.node.str_at("metadata.name").unwrap_or("workers");
        self.kubelet(document, spec, "joinConfiguration", name);
    }

    fn kubelet(
        &mut self,
        document: &InputDocument<'_>,
        spec: Option<&Node>,
        phase: &str,
        name: &str,
    ) {
        let settings = spec.map(|spec| of_spec(self.input, spec, phase, self.platform));
        let mut settings = settings.unwrap_or_default();
        if let Some(patch) = class_patch(self.input) {
            let why = "a patch of the ClusterClass may set it";
            settings.layers.push(Node::unknown_value(why, &patch.origin));
        }
        let (cluster, carrier) = (self.of(document), Carrier::ClusterApiKubeadm);
        self.platform.kubelet(&cluster, name, carrier, &document.anchor(), settings.facts());
    }

    fn talos(&mut self, document: &InputDocument<'_>, spec: Option<&Node>) {
        let Some(spec) = spec else { return };
        let strategic = spec.items_at("strategicPatches").iter();
        let mut patches: Vec<Node> =
            strategic.flat_map(|it| self.input.embedded(it, &mut self.platform.problems)).collect();
        patches.extend(spec.get("configPatches").cloned());
        talos::deployed(self.input, &patches, self.platform);
        let (cluster, carrier) = (self.of(document), Carrier::ClusterApiTalos);
        let facts = talos::settings(&patches).facts();
        let name = document.node.object_name();
        self.platform.kubelet(&cluster, name, carrier, &document.anchor(), facts);
    }

    /// `spec.replicas`, or what the cluster autoscaler may make of them.
    fn replicas(&mut self, document: &InputDocument<'_>) {
        let node = document.node;
        let count = sized(node.get("metadata"), node.at("spec.replicas"), &document.anchor());
        self.platform.pool(&self.of(document), count);
    }

    /// The sizes in a Cluster that is made from a ClusterClass.
    fn topology(&mut self, document: &InputDocument<'_>) {
        let Some(topology) = document.node.at("spec.topology") else { return };
        let cluster = ClusterId::named("cluster-api", document.node.object_name());
        let anchor = document.anchor();
        let control_plane = nodes::stated_or(topology.at("controlPlane.replicas"), 1, &anchor);
        self.platform.pool(&cluster, control_plane);
        let lists = ["workers.machineDeployments", "workers.machinePools"];
        for pool in lists.iter().flat_map(|it| topology.items_at(it)) {
            let at = pool.get("name").map_or(&pool.origin, |it| &it.origin);
            let count = sized(pool.get("metadata"), pool.get("replicas"), at);
            self.platform.pool(&cluster, count);
        }
    }
}

/// Whether a control plane certainly lacks what its CRD requires: `version`, and `machineTemplate` of
/// `KubeadmControlPlaneSpec` (`api/controlplane/kubeadm`, from `v1beta1` on; `infrastructureTemplate`
/// before). No cluster takes one that does.
fn is_in_part(document: &InputDocument<'_>) -> bool {
    let lacks = |path: &str| matches!(document.node.look(path), Ok(None));
    document.kind() == "KubeadmControlPlane"
        && (lacks("spec.version")
            || lacks("spec.machineTemplate") && lacks("spec.infrastructureTemplate"))
}

/// The names of the objects that a Cluster, its class or a group of machines means.
fn meant(node: &Node) -> impl Iterator<Item = &str> {
    const REFERENCES: [&str; 4] = ["controlPlaneRef", "configRef", "ref", "templateRef"];
    let cluster_api = node.api_group() == "cluster.x-k8s.io";
    let nodes = cluster_api.then(|| node.walk()).into_iter().flatten();
    nodes.flat_map(move |it| REFERENCES.iter().filter_map(|name| it.get(name)?.str_at("name")))
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

/// The settings of nodes that `phase` of a kubeadm configuration makes.
fn of_spec(input: &Input<'_>, spec: &Node, phase: &str, platform: &mut Platform) -> Settings {
    let mut settings = Settings::default();
    let phase = spec.get(phase);
    let flags = phase.and_then(|it| it.perhaps_at("nodeRegistration.kubeletExtraArgs"));
    let flags = flags.as_ref().map(Flag::all).unwrap_or_default();
    let files: Vec<WrittenFile<'_>> =
        spec.items_at("files").iter().filter_map(WrittenFile::from_node).collect();
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
    let mut commands =
        ["preKubeadmCommands", "postKubeadmCommands"].into_iter().flat_map(|it| spec.items_at(it));
    let changes = |it: &&Node| {
        it.as_str().is_some_and(|it| {
            it.contains("serverTLSBootstrap") || it.contains("rotate-server-certificates")
        })
    };
    if let Some(command) = commands.find(changes) {
        settings.layers.push(unknown("a command changes it", command));
    }
    settings
}

/// A patch of a ClusterClass that touches what the kubelet gets.
fn class_patch<'a>(input: &Input<'a>) -> Option<&'a Node> {
    let class = input.kind("cluster.x-k8s.io", "ClusterClass");
    let patches = class.flat_map(|it| it.node.items_at("spec.patches"));
    let definitions = patches.flat_map(|it| it.items_at("definitions"));
    let operations = definitions.flat_map(|it| it.items_at("jsonPatches"));
    operations.filter_map(|it| it.get("path")).find(|it| {
        let path = it.as_str().unwrap_or_default();
        path.contains("kubeletExtraArgs")
            || path.contains("/files")
            || path.ends_with("nodeRegistration")
            || path.ends_with("kubeadmConfigSpec")
    })
}

fn sized(metadata: Option<&Node>, replicas: Option<&Node>, anchor: &Origin) -> Fact<Count> {
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

#[cfg(test)]
mod tests {
    use crate::{config::Config, pipeline::analyze, tests::fixture};

    #[test]
    fn what_nothing_means_makes_no_node() {
        let kubelets = |files: &str| {
            let (_, clusters) = analyze(&fixture(files), &Config::default());
            clusters.iter().map(|it| it.kubelets.len()).sum::<usize>()
        };
        let template = "
            //- template.yaml
            apiVersion: bootstrap.cluster.x-k8s.io/v1beta1
            kind: KubeadmConfigTemplate
            metadata: {name: workers}
            spec: {template: {spec: SPEC}}
        ";
        let class = "
            ---
            apiVersion: cluster.x-k8s.io/v1beta1
            kind: ClusterClass
            metadata: {name: class}
            spec:
              controlPlane: {ref: {kind: KIND, name: control-plane}}
              workers: {machineDeployments: [{template: {bootstrap: {ref: {name: workers}}}}]}
            ---
            apiVersion: controlplane.cluster.x-k8s.io/v1beta1
            kind: KIND
            metadata: {name: control-plane}
        ";
        let with = |spec: &str, kind: &str| {
            kubelets(&format!("{template}{class}").replace("SPEC", spec).replace("KIND", kind))
        };
        assert_eq!(kubelets(&template.replace("SPEC", "{joinConfiguration: {}}")), 0);
        assert_eq!(with("{}", "KubeadmControlPlaneTemplate"), 3);
        assert_eq!(with("{}", "GCPManagedControlPlaneTemplate"), 0);
        assert_eq!(with("{joinConfiguration: {}}", "GCPManagedControlPlaneTemplate"), 1);
    }

    #[test]
    fn what_no_cluster_takes_is_the_text_of_a_patch() {
        let told = |files: &str| {
            let (_, clusters) = analyze(&fixture(files), &Config::default());
            let nodes = clusters.iter().map(|it| it.nodes.value().map_or(0, |it| it.min));
            let kubelets = clusters.iter().map(|it| it.kubelets.len());
            (kubelets.sum::<usize>(), nodes.sum::<u64>())
        };
        let control_plane = "
            //- cp.yaml
            apiVersion: controlplane.cluster.x-k8s.io/v1beta1
            kind: KubeadmControlPlane
            metadata: {name: cp, labels: {cluster.x-k8s.io/cluster-name: a}}
            spec: {replicas: 1, version: v1.33.0, machineTemplate: {}, kubeadmConfigSpec: {}}
            ---
            apiVersion: cluster.x-k8s.io/v1beta1
            kind: MachineDeployment
            metadata: {name: workers}
            spec: {replicas: 2, clusterName: a, template: {}}
        ";
        let cluster = "
            ---
            apiVersion: cluster.x-k8s.io/v1beta1
            kind: Cluster
            metadata: {name: a}
            spec: {controlPlaneRef: {name: cp}}
        ";
        let patch = |spec: &str| {
            format!(
                "
            //- patches/cp.yaml
            apiVersion: controlplane.cluster.x-k8s.io/v1beta1
            kind: KubeadmControlPlane
            metadata: {{name: cp}}
            spec: {{{spec}}}
        "
            )
        };
        let replicas = patch("replicas: 3");
        let place = patch("machineTemplate: {}");
        for patch in ["", &replicas, &place] {
            assert_eq!(told(&format!("{control_plane}{patch}")), (1, 3), "{patch}");
            assert_eq!(told(&format!("{control_plane}{cluster}{patch}")), (1, 3), "{patch}");
        }
        assert_eq!(told(&replicas), (0, 0));
    }
}
