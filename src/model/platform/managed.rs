//! Platforms that sign the kubelets' certificates themselves, or approve the requests for them:
//! clouds, kOps, Gardener, OpenShift, KubeOne, k0s. Each is known by its objects.

use std::collections::BTreeMap;

use semver::Version;

use crate::{
    data::version::lenient,
    model::{
        Carrier, ClusterId, Fact, KubeletFacts, Signer,
        kubelet::{Flag, Settings},
        nodes,
        platform::{Input, InputDocument, Platform, bundled},
    },
    tree::{Node, Origin},
};

pub(super) fn carrier(input: &Input<'_>, platform: &mut Platform) {
    let groups = kops_groups(input);
    for document in &input.documents {
        let node = document.node;
        match (document.group(), document.kind()) {
            ("kops.k8s.io", "Cluster") => {
                let groups = groups.get(document.node.object_name());
                kops(document, groups.map_or(&[][..], Vec::as_slice), platform);
            }
            ("kops.k8s.io", "InstanceGroup") => instance_group(document, platform),
            ("eksctl.io", "ClusterConfig") => eksctl(input, document, platform),
            ("core.gardener.cloud", "Shoot") if !input.is_applied => shoot(document, platform),
            ("kubeone.k8c.io" | "kubeone.io", "KubeOneCluster") => kubeone(document, platform),
            ("k0s.k0sproject.io", "ClusterConfig") => k0s(document, platform),
            ("k0sctl.k0sproject.io", "Cluster") => k0sctl(document, platform),
            ("machine.openshift.io", "MachineSet") => machine_set(input, document, platform),
            ("", "") if is_install_config(node) => install_config(document, platform),
            ("machineconfiguration.openshift.io" | "config.openshift.io", _) => {
                openshift(document, platform);
            }
            ("", "ConfigMap") => config_map(document, platform),
            ("eks.amazonaws.com", "NodeClass") => {
                cloud("eks", "EKS Auto Mode node class", document, platform);
            }
            ("node.eks.aws", "NodeConfig") => {
                cloud("eks", "EKS NodeConfig", document, platform);
                node_config(document, platform);
            }
            ("karpenter.k8s.aws", "EC2NodeClass") if is_eks_image(node) => {
                cloud("eks", "Karpenter node class with images of EKS", document, platform);
            }
            ("networking.gke.io", _) => cloud("gke", "GKE object", document, platform),
            _ => {}
        }
    }
}

/// An object that only a cluster of that cloud has. What else it defines belongs to others.
fn cloud(
    name: &'static str,
    carrier: &'static str,
    document: &InputDocument<'_>,
    platform: &mut Platform,
) {
    let cluster = ClusterId::only(name);
    if !platform.knows(&cluster) {
        platform.signed(&cluster, carrier, &document.anchor());
    }
}

/// nodeadm merges `spec.kubelet.config` over its own, and passes the flags after it.
fn node_config(document: &InputDocument<'_>, platform: &mut Platform) {
    let Some(kubelet) = document.node.at("spec.kubelet") else { return };
    let settings = Settings {
        layers: kubelet.get("config").cloned().into_iter().collect(),
        flags: kubelet.get("flags").map(Flag::all).unwrap_or_default(),
    };
    let cluster = ClusterId::only("eks");
    let anchor = document.anchor();
    opens(&cluster, "EKS NodeConfig", "a NodeConfig", &anchor, &settings, platform);
}

/// That kubelets whose certificates the platform signs, open their read-only port. What else is set for
/// them the platform may refuse, or set over it.
fn opens(
    cluster: &ClusterId,
    carrier: &'static str,
    group: &str,
    anchor: &Origin,
    settings: &Settings,
    platform: &mut Platform,
) {
    let read_only_port = settings.facts().read_only_port;
    if !read_only_port.is_absent() {
        let facts = KubeletFacts { read_only_port, ..KubeletFacts::default() };
        let carrier = Carrier::Platform(carrier);
        platform.kubelet(cluster, group, carrier, anchor, facts).signer = Signer::Platform;
    }
}

/// Whether a node class starts from images that join EKS clusters and no others.
fn is_eks_image(node: &Node) -> bool {
    let alias = node.items_at("spec.amiSelectorTerms").iter().filter_map(|it| it.str_at("alias"));
    alias.chain(node.str_at("spec.amiFamily")).any(|it| {
        let it = it.to_lowercase();
        it.starts_with("al2") || it.starts_with("bottlerocket")
    })
}

fn config_map(document: &InputDocument<'_>, platform: &mut Platform) {
    let name = document.node.object_name();
    let namespace = document.node.object_namespace();
    let has = |key| document.node.get("data").is_some_and(|it| it.get(key).is_some());
    match (namespace, name) {
        ("kube-system", "aws-auth") if has("mapRoles") => {
            cloud("eks", "aws-auth ConfigMap of EKS", document, platform);
        }
        ("kube-system", "metrics-server-config") if has("NannyConfiguration") => {
            cloud("aks", "metrics-server-config ConfigMap of AKS", document, platform);
            platform.bundle(&ClusterId::only("aks"), "AKS", &document.anchor());
        }
        ("openshift-monitoring", "cluster-monitoring-config") if has("config.yaml") => {
            openshift(document, platform);
        }
        _ => {}
    }
}

/// The machine approver approves, and monitoring brings its own Metrics API.
fn openshift(document: &InputDocument<'_>, platform: &mut Platform) {
    let cluster = ClusterId::only("openshift");
    if platform.knows(&cluster) {
        return;
    }
    let anchor = document.anchor();
    platform.signed(&cluster, "OpenShift object", &anchor);
    platform.bundle(&cluster, "OpenShift", &anchor).namespace = "openshift-monitoring".into();
}

/// `spec.replicas`, or what a `MachineAutoscaler` may make of them.
fn machine_set(input: &Input<'_>, document: &InputDocument<'_>, platform: &mut Platform) {
    openshift(document, platform);
    let name = document.node.str_at("metadata.name");
    let scaler = input
        .kind("autoscaling.openshift.io", "MachineAutoscaler")
        .find(|it| name.is_some() && it.node.str_at("spec.scaleTargetRef.name") == name);
    let get = |path| scaler.and_then(|it| it.node.at(path));
    let size = nodes::between(get("spec.minReplicas"), get("spec.maxReplicas"));
    let replicas = document.node.at("spec.replicas");
    let size = size.unwrap_or_else(|| nodes::stated_or(replicas, 1, &document.anchor()));
    platform.pool(&ClusterId::only("openshift"), size);
}

/// `install-config.yaml`: `apiVersion: v1` without a kind.
fn is_install_config(node: &Node) -> bool {
    node.get("controlPlane").is_some()
        && node.get("compute").is_some()
        && node.get("baseDomain").is_some()
}

fn install_config(document: &InputDocument<'_>, platform: &mut Platform) {
    openshift(document, platform);
    let compute = document.node.items_at("compute");
    for pool in document.node.get("controlPlane").into_iter().chain(compute) {
        platform.pool(
            &ClusterId::only("openshift"),
            nodes::stated_or(pool.get("replicas"), 3, &pool.origin),
        );
    }
}

/// Whether kops-controller certainly signs the nodes' serving certificates: on AWS from kOps 1.19 on
/// (`UseKopsControllerForNodeBootstrap`, kubernetes/kops#10022), on other clouds later, the last of which
/// was Scaleway with 1.27 (kubernetes/kops#15474). kOps is never older than the Kubernetes that it installs;
/// where no version is written, it is one of today.
fn signs(spec: Option<&Node>) -> bool {
    let get = |path| spec.and_then(|it| it.look(path).transpose());
    let is_aws = match get("cloudProvider") {
        None => true,
        Some(Ok(it)) => it.as_str() == Some("aws") || it.get("aws").is_some(),
        Some(Err(_)) => false,
    };
    match get("kubernetesVersion") {
        None => true,
        Some(Ok(it)) => it
            .as_str()
            .and_then(lenient)
            .is_some_and(|it| it >= Version::new(1, if is_aws { 19 } else { 27 }, 0)),
        Some(Err(_)) => false,
    }
}

/// A kOps cluster, with the metrics-server that kOps deploys where it is asked to.
fn kops(document: &InputDocument<'_>, groups: &[KopsGroup], platform: &mut Platform) {
    let cluster = document.cluster("kops", document.node.object_name());
    let anchor = document.anchor();
    let kubelet = platform.signed(&cluster, "kOps cluster", &anchor);
    if !signs(document.node.get("spec")) {
        kubelet.signer = Signer::Unknown;
    }
    cluster_kubelets(document, groups, &cluster, platform);
    let Some(settings) = document.node.at("spec.metricsServer") else { return };
    let enabled = settings.get("enabled");
    if enabled.and_then(Node::as_bool) != Some(true) {
        return;
    }
    let at = enabled.map_or(&anchor, |it| &it.origin);
    // The add-on's template asks for the insecure way unless `insecure: false`.
    let insecure = match settings.get("insecure") {
        None => Fact::implied(true, at),
        Some(node) => match node.as_bool() {
            Some(insecure) => Fact::Known(insecure, node.origin.clone()),
            None => Fact::Unknown("it is not a boolean".into(), Some(node.origin.clone())),
        },
    };
    let server = platform.bundle(&cluster, "kOps", at);
    server.facts.api_service_insecure_skip_tls_verify = insecure;
}

/// What an `InstanceGroup` says of the settings of its cluster's kubelets.
struct KopsGroup {
    is_control_plane: bool,
    /// Whether it sets the read-only port itself, or may.
    sets_port: bool,
}

/// The groups of each kOps cluster, by its name.
fn kops_groups<'a>(input: &Input<'a>) -> BTreeMap<&'a str, Vec<KopsGroup>> {
    let mut groups: BTreeMap<&str, Vec<KopsGroup>> = BTreeMap::new();
    for document in input.kind("kops.k8s.io", "InstanceGroup") {
        let node = document.node;
        let role = node.str_at("spec.role");
        let Some(cluster) = kops_cluster(node).filter(|_| role != Some("Bastion")) else {
            continue;
        };
        let port = node.at("spec.kubelet").map(read_only_port);
        groups.entry(cluster).or_default().push(KopsGroup {
            is_control_plane: matches!(role, Some("ControlPlane" | "Master")),
            sets_port: port.is_some_and(|it| !it.is_absent()),
        });
    }
    groups
}

/// The name of the cluster that an `InstanceGroup` is of.
fn kops_cluster(group: &Node) -> Option<&str> {
    group.at("metadata.labels")?.get("kops.k8s.io/cluster")?.as_str()
}

/// The read-only port of a `KubeletConfigSpec`, which calls it as a KubeletConfiguration does.
fn read_only_port(kubelet: &Node) -> Fact<i128> {
    Settings::from_layers(vec![kubelet.clone()]).facts().read_only_port
}

/// What a kOps cluster says of its kubelets, as far as one has it: a group's own counts last, and
/// before it that for control planes (`JSONMergeStruct` in `upup/pkg/fi/cloudup` and in
/// `pkg/nodelabels` of kubernetes/kops). Where no group of a role is known, there is one.
fn cluster_kubelets(
    document: &InputDocument<'_>,
    groups: &[KopsGroup],
    cluster: &ClusterId,
    platform: &mut Platform,
) {
    let get = |field| document.node.get("spec").and_then(|it| it.get(field));
    let has_it = |is_control_plane: bool| {
        let mut groups = groups.iter().filter(|it| it.is_control_plane == is_control_plane);
        let first = groups.next();
        first.into_iter().chain(groups).any(|it| !it.sets_port) || first.is_none()
    };
    let (nodes, mut control_plane) = (has_it(false), has_it(true));
    let anchor = document.anchor();
    for field in ["controlPlaneKubelet", "masterKubelet"] {
        let Some(kubelet) = get(field).filter(|_| control_plane) else { continue };
        let settings = Settings::from_layers(vec![kubelet.clone()]);
        opens(cluster, "kOps cluster", "control plane", &anchor, &settings, platform);
        control_plane = read_only_port(kubelet).is_absent();
    }
    let group = match (nodes, control_plane) {
        (true, true) => "all nodes",
        (true, false) => "nodes",
        (false, true) => "control plane",
        (false, false) => return,
    };
    if let Some(kubelet) = get("kubelet") {
        let settings = Settings::from_layers(vec![kubelet.clone()]);
        opens(cluster, "kOps cluster", group, &anchor, &settings, platform);
    }
}

fn instance_group(document: &InputDocument<'_>, platform: &mut Platform) {
    let Some(spec) = document.node.get("spec") else { return };
    if spec.str_at("role") == Some("Bastion") {
        return;
    }
    let anchor = document.anchor();
    let size = nodes::between(spec.get("minSize"), spec.get("maxSize"));
    let size = match spec.str_at("manager") {
        Some("Karpenter") => nodes::unbounded(&anchor),
        _ => size.unwrap_or_else(|| Fact::Unknown("its size is not set".into(), Some(anchor))),
    };
    let cluster = document.cluster("kops", kops_cluster(document.node).unwrap_or_default());
    platform.pool(&cluster, size);
    if let Some(kubelet) = spec.get("kubelet") {
        let settings = Settings::from_layers(vec![kubelet.clone()]);
        let (group, anchor) = (document.node.object_name(), document.anchor());
        opens(&cluster, "kOps instance group", group, &anchor, &settings, platform);
    }
}

/// EKS approves its nodes' requests; eksctl turns them on.
fn eksctl(input: &Input<'_>, document: &InputDocument<'_>, platform: &mut Platform) {
    let node = document.node;
    let cluster = document.cluster("eks", node.object_name());
    let anchor = document.anchor();
    platform.signed(&cluster, "eksctl cluster", &anchor);
    let groups = ["nodeGroups", "managedNodeGroups"];
    for group in groups.iter().filter_map(|it| node.get(it)).flat_map(Node::items) {
        let size = nodes::between(group.get("minSize"), group.get("maxSize"));
        // `DefaultNodeCount` of eksctl's API.
        let size = size.unwrap_or_else(|| {
            let named = group.get("name").map_or(&group.origin, |it| &it.origin);
            nodes::stated_or(group.get("desiredCapacity"), 2, named)
        });
        platform.pool(&cluster, size).pods_per_node = nodes::pods(group.get("maxPodsPerNode"));
    }
    // Groups that EKS manages have no such field.
    for group in node.items_at("nodeGroups") {
        let Some(kubelet) = group.get("kubeletExtraConfig") else { continue };
        let settings = Settings::from_layers(vec![kubelet.clone()]);
        let name = group.str_at("name").unwrap_or("node group");
        opens(&cluster, "eksctl cluster", name, &group.origin, &settings, platform);
    }
    for open in ["fargateProfiles", "karpenter"].iter().filter_map(|it| node.get(it)) {
        platform.pool(&cluster, nodes::unbounded(&open.origin));
    }
    if let Some(auto) = node.at("autoModeConfig.enabled").filter(|it| it.as_bool() == Some(true)) {
        platform.pool(&cluster, nodes::unbounded(&auto.origin));
    }
    let addons = node.items_at("addons");
    if let Some(addon) = addons.iter().find(|it| it.str_at("name") == Some("metrics-server")) {
        let at = addon.get("name").map_or(&anchor, |it| &it.origin);
        platform.bundle(&cluster, "the EKS add-on", at);
        bundled::configure(input, &cluster, addon.get("configurationValues"), platform);
    }
}

/// gardener-resource-manager approves, and Gardener runs metrics-server in every shoot.
fn shoot(document: &InputDocument<'_>, platform: &mut Platform) {
    let cluster = document.cluster("gardener", document.node.object_name());
    let anchor = document.anchor();
    platform.signed(&cluster, "Gardener Shoot", &anchor);
    platform.bundle(&cluster, "Gardener", &anchor);
    for worker in document.node.items_at("spec.provider.workers") {
        if let Some(size) = nodes::between(worker.get("minimum"), worker.get("maximum")) {
            platform.pool(&cluster, size);
        }
    }
}

/// The machine controller approves, and metrics-server is on by default.
fn kubeone(document: &InputDocument<'_>, platform: &mut Platform) {
    let node = document.node;
    let name = node.str_at("name").unwrap_or_default();
    let cluster = document.cluster("kubeone", name);
    let anchor = node.get("name").map_or_else(|| document.anchor(), |it| it.origin.clone());
    platform.signed(&cluster, "KubeOne cluster", &anchor);
    let enabled = node.at("features.metricsServer.enable");
    if enabled.and_then(Node::as_bool) != Some(false) {
        let at = enabled.map_or(&anchor, |it| &it.origin);
        platform.bundle(&cluster, "KubeOne", at);
    }
    for hosts in ["controlPlane.hosts", "staticWorkers.hosts"].iter().filter_map(|it| node.at(it)) {
        platform.pool(&cluster, nodes::length(hosts));
    }
    for workers in node.items_at("dynamicWorkers") {
        platform.pool(&cluster, nodes::stated_or(workers.get("replicas"), 1, &workers.origin));
    }
}

/// A configuration for `k0s install`, whose own flags are not in it.
fn k0s(document: &InputDocument<'_>, platform: &mut Platform) {
    let anchor = document.anchor();
    let cluster = ClusterId::only("k0s");
    platform.signed(&cluster, "k0s configuration", &anchor);
    platform.bundle(&cluster, "k0s", &anchor);
}

/// k0s requests the certificates and approves them with a component that can be turned off.
fn k0sctl(document: &InputDocument<'_>, platform: &mut Platform) {
    let cluster = document.cluster("k0s", document.node.object_name());
    let anchor = document.anchor();
    let Some(list) = document.node.at("spec.hosts") else { return };
    // A plain controller runs no kubelet.
    let is_node = |it: &&Node| it.str_at("role").is_none_or(|role| role != "controller");
    let workers = list.items().iter().filter(is_node).count();
    platform.pool(&cluster, nodes::exactly(workers, &list.origin));

    let disabled = |component: &str| {
        let hosts = list.items().iter().filter_map(|it| it.get("installFlags"));
        hosts.flat_map(Node::items).find(|flag| {
            let flag = flag.as_str().map(str::trim);
            let listed = flag.and_then(|it| it.strip_prefix("--disable-components"));
            listed.is_some_and(|list| {
                list.trim_start_matches(['=', ' ']).split(',').any(|it| it == component)
            })
        })
    };
    let mut facts = KubeletFacts::default();
    let mut signer = Signer::Platform;
    if let Some(flag) = disabled("csr-approver") {
        facts.server_tls_bootstrap = Fact::implied(true, &flag.origin);
        signer = Signer::Kubelet;
    }
    platform.kubelet(&cluster, "workers", Carrier::K0sctl, &anchor, facts).signer = signer;
    if disabled("metrics-server").is_none() {
        platform.bundle(&cluster, "k0s", &anchor);
    }
}
