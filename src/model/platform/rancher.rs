//! Rancher's distributions: k3s, RKE2, k3d, clusters that Rancher provisions, and RKE 1.
//!
//! k3s and RKE2 start each kubelet with `--tls-cert-file` and a certificate that the server signs
//! (`pkg/daemons/agent` in `k3s-io/k3s`): nothing has to be approved, and metrics-server, which both
//! bring along, can verify the kubelets.

use crate::{
    model::{
        Carrier, ClusterId, Fact, Signer,
        kubelet::{Flag, Settings, loose_bool},
        nodes,
        platform::{Input, InputDocument, Platform, bundled},
    },
    source,
    tree::{Node, Origin},
};

/// RKE2's chart of metrics-server, and what it installs.
const RKE2_SERVER: &str = "rke2-metrics-server";

pub(super) fn carrier(input: &Input<'_>, platform: &mut Platform) {
    for document in &input.documents {
        match (document.group(), document.kind()) {
            ("k3d.io", "Simple") => k3d(input, document, platform),
            ("provisioning.cattle.io", "Cluster") if !input.is_applied => {
                provisioned(document, platform);
            }
            ("upgrade.cattle.io", "Plan") => upgrade(document, platform),
            ("", "") if document.node.get("k3s_server").is_some() => ansible(document, platform),
            ("", "") if version(document.node).is_some() => versioned(document, platform),
            ("", "") if is_rke1(document.node) => rke1(document, platform),
            ("", "") if document.node.get("rancher_kubernetes_engine_config").is_some() => {
                rke1(document, platform);
            }
            _ => {}
        }
    }
    k3s(input, platform);
    for document in input.kind("helm.cattle.io", "HelmChartConfig") {
        chart_config(input, document, platform);
    }
}

/// `/etc/rancher/k3s/config.yaml`, `/etc/rancher/rke2/config.yaml` and what lies in `config.yaml.d`
/// beside them.
fn k3s(input: &Input<'_>, platform: &mut Platform) {
    let configs: Vec<_> = input.documents.iter().filter(|it| is_config(it)).collect();
    for document in &configs {
        let (tool, carrier) = match product(document) {
            "RKE2" => ("rke2", "RKE2 configuration"),
            _ => ("k3s", "k3s configuration"),
        };
        let flags = document.node.get("kubelet-arg").map(Flag::all).unwrap_or_default();
        let kubelet = platform.signed(&ClusterId::only(tool), carrier, &first(document.node));
        kubelet.group = document.path.into();
        kubelet.facts = Settings { layers: Vec::new(), flags }.facts();
    }
    // Only servers deploy what is bundled; one that disables it is meant to be like the others.
    let servers = || configs.iter().filter(|it| it.node.get("server").is_none());
    let disabled = |it: &Node| it.get("disable").is_some_and(disables_metrics_server);
    if let Some(server) = servers().next().filter(|_| !configs.iter().any(|it| disabled(it.node))) {
        let product = product(server);
        let cluster = ClusterId::only(if product == "RKE2" { "rke2" } else { "k3s" });
        bundle(&cluster, product, &first(server.node), platform);
    }
}

/// A plan of the system upgrade controller for k3s or RKE2 itself. It does not say how they are set
/// up.
fn upgrade(document: &InputDocument<'_>, platform: &mut Platform) {
    let Some(image) = document.node.at("spec.upgrade.image") else { return };
    let name = image.as_str().unwrap_or_default();
    let name = name.rsplit('/').next().unwrap_or_default();
    let (cluster, carrier) = match name.split(':').next() {
        Some("k3s-upgrade") => (ClusterId::only("k3s"), "upgrade plan for k3s"),
        Some("rke2-upgrade") => (ClusterId::only("rke2"), "upgrade plan for RKE2"),
        _ => return,
    };
    if !platform.knows(&cluster) {
        platform.signed(&cluster, carrier, &image.origin);
    }
}

/// The variables of Ansible's roles for k3s: `k3s_server` holds what goes to the servers'
/// `config.yaml`.
fn ansible(document: &InputDocument<'_>, platform: &mut Platform) {
    let Some(server) = document.node.get("k3s_server") else { return };
    let anchor = first(server);
    let cluster = ClusterId::only("k3s");
    platform.signed(&cluster, "Ansible variables for k3s", &anchor).group = "servers".into();
    let disabled = server.get("disable").is_some_and(disables_metrics_server);
    if server.as_map().is_some() && !disabled {
        bundle(&cluster, "k3s", &anchor, platform);
    }
}

/// The release of k3s that hetzner-k3s, or a role of Ansible's, installs.
fn version(node: &Node) -> Option<&Node> {
    let mut versions = Vec::from_iter(node.get("k3s_version"));
    of_groups(node, 0, &mut versions);
    let first = versions.first()?.as_str().filter(|it| it.contains("+k3s"))?;
    // Which of several a cluster has is not known.
    versions.iter().all(|it| it.as_str() == Some(first)).then_some(versions[0])
}

/// The releases that the groups of an inventory have, `groups` of which each may have `children`.
fn of_groups<'n>(groups: &'n Node, depth: usize, versions: &mut Vec<&'n Node>) {
    const MAX_DEPTH: usize = 8;
    for (_, group) in groups.entries() {
        versions.extend(group.value.at("vars.k3s_version"));
        if let Some(children) = group.value.get("children").filter(|_| depth < MAX_DEPTH) {
            of_groups(children, depth + 1, versions);
        }
    }
}

/// hetzner-k3s starts its servers with `--disable metrics-server`
/// (`templates/master_install_script.sh`); what a role does is not known.
fn versioned(document: &InputDocument<'_>, platform: &mut Platform) {
    let (Some(version), cluster) = (version(document.node), ClusterId::only("k3s")) else { return };
    if !platform.knows(&cluster) {
        platform.signed(&cluster, "version of k3s", &version.origin);
    }
    let masters = document.node.get("masters_pool").into_iter();
    for pool in masters.chain(document.node.items_at("worker_node_pools")) {
        let get = |path| pool.at(path);
        let scaled = pool.is_true_at("autoscaling.enabled").then(|| {
            nodes::between(get("autoscaling.min_instances"), get("autoscaling.max_instances"))
        });
        let size = scaled.flatten();
        let size = size.unwrap_or_else(|| nodes::stated_or(get("instance_count"), 1, &pool.origin));
        platform.pool(&cluster, size);
    }
}

/// A copy that k3s or RKE2 brings along; the APIService of k3s's does not verify it
/// (`manifests/metrics-server/metrics-apiservice.yaml`).
fn bundle(cluster: &ClusterId, product: &str, anchor: &Origin, platform: &mut Platform) {
    let server = platform.bundle(cluster, product, anchor);
    if product == "k3s" {
        server.facts.api_service_insecure_skip_tls_verify = Fact::implied(true, anchor);
    } else {
        server.name = RKE2_SERVER.into();
    }
}

/// `metrics-server`, alone, in a list, or between commas.
fn disables_metrics_server(node: &Node) -> bool {
    let items = node.as_list().unwrap_or(std::slice::from_ref(node));
    let words = items.iter().filter_map(Node::as_str).flat_map(|it| it.split(','));
    words.map(str::trim).any(|it| matches!(it, "metrics-server" | "rke2-metrics-server"))
}

/// Settings that no other program has by these names.
const DISTINCTIVE: [&str; 8] = [
    "kubelet-arg",
    "kube-apiserver-arg",
    "kube-controller-manager-arg",
    "write-kubeconfig-mode",
    "cluster-init",
    "flannel-backend",
    "disable-cloud-controller",
    "etcd-expose-metrics",
];

/// Settings that others may have too.
const COMMON: [&str; 12] = [
    "token",
    "server",
    "tls-san",
    "disable",
    "node-label",
    "node-taint",
    "node-ip",
    "cni",
    "cluster-cidr",
    "service-cidr",
    "selinux",
    "secrets-encryption",
];

fn is_config(document: &InputDocument<'_>) -> bool {
    let has = |keys: &[&str]| keys.iter().filter(|it| document.node.get(it).is_some()).count();
    let named = document.path.contains("k3s") || document.path.contains("rke2");
    document.node.get("apiVersion").is_none()
        && (has(&DISTINCTIVE) > 0 && has(&DISTINCTIVE) + has(&COMMON) > 1
            || named && has(&DISTINCTIVE) + has(&COMMON) > 1
            || document.node.get("disable").is_some_and(disables_metrics_server) && named)
}

fn product(document: &InputDocument<'_>) -> &'static str {
    let disables = document.node.items_at("disable");
    let rke2 = document.path.contains("rke2")
        || document.node.get("cni").is_some()
        || disables.iter().filter_map(Node::as_str).any(|it| it.starts_with("rke2-"));
    if rke2 { "RKE2" } else { "k3s" }
}

/// The first value of a configuration without a name: a place on its first line.
fn first(node: &Node) -> Origin {
    node.entries().next().map_or_else(|| node.origin.clone(), |(_, it)| it.value.origin.clone())
}

fn k3d(input: &Input<'_>, document: &InputDocument<'_>, platform: &mut Platform) {
    if !input.may_be_local(document) {
        return;
    }
    let cluster = ClusterId::named("k3d", document.path);
    let anchor = document.anchor();
    platform.is_local("k3d", &anchor);
    platform.signed(&cluster, "k3d cluster", &anchor);
    for (key, default) in [("servers", 1), ("agents", 0)] {
        platform.pool(&cluster, nodes::stated_or(document.node.get(key), default, &anchor));
    }
    let args = document.node.items_at("options.k3s.extraArgs");
    let disabled = args.iter().filter_map(|it| it.str_at("arg")).any(|arg| {
        let listed = arg.strip_prefix("--disable=");
        listed.is_some_and(|list| list.split(',').any(|it| it == "metrics-server"))
    });
    if !disabled {
        bundle(&cluster, "k3s", &anchor, platform);
    }
}

/// A cluster that Rancher provisions with RKE2 or k3s.
fn provisioned(document: &InputDocument<'_>, platform: &mut Platform) {
    let Some(config) = document.node.at("spec.rkeConfig") else { return };
    let cluster = document.cluster("rancher", document.node.object_name());
    let anchor = document.anchor();
    platform.signed(&cluster, "Rancher cluster", &anchor);
    for pool in config.items_at("machinePools") {
        platform.pool(&cluster, nodes::stated_or(pool.get("quantity"), 1, &pool.origin));
    }
    let version = document.node.str_at("spec.kubernetesVersion").unwrap_or_default();
    let product = if version.contains("k3s") { "k3s" } else { "RKE2" };
    let disabled = config.at("machineGlobalConfig.disable").is_some_and(disables_metrics_server);
    if !disabled {
        bundle(&cluster, product, &anchor, platform);
    }
}

/// RKE2 takes settings of its own charts, which are named after it, from such an object.
fn chart_config(input: &Input<'_>, document: &InputDocument<'_>, platform: &mut Platform) {
    let name = document.node.object_name();
    if !name.starts_with("rke2-") {
        return;
    }
    let anchor = document.anchor();
    let cluster = ClusterId::only("rke2");
    let is_server = name == RKE2_SERVER;
    if !platform.knows(&cluster) {
        platform.signed(&cluster, "RKE2 chart configuration", &anchor);
        if is_server {
            bundle(&cluster, "RKE2", &anchor, platform);
        }
    }
    if is_server {
        let of_rke2 = platform.bundled.iter().filter(|(_, it)| it.name == RKE2_SERVER);
        let clusters: Vec<ClusterId> = of_rke2.map(|(it, _)| it.clone()).collect();
        for cluster in &clusters {
            bundled::configure(input, cluster, document.node.at("spec.valuesContent"), platform);
        }
    }
}

/// `cluster.yml` of RKE 1.
fn is_rke1(node: &Node) -> bool {
    let nodes = node.items_at("nodes");
    node.get("services").is_some_and(|it| it.get("kubelet").is_some() || it.get("etcd").is_some())
        && nodes.iter().any(|it| it.get("address").is_some() && it.get("role").is_some())
        || node.at("services.kubelet.generate_serving_certificate").is_some()
}

fn rke1(document: &InputDocument<'_>, platform: &mut Platform) {
    let root = document.node.get("rancher_kubernetes_engine_config").unwrap_or(document.node);
    let cluster = ClusterId::named("rke", source::parent(document.path));
    let kubelet = root.at("services.kubelet");
    let signs = kubelet.and_then(|it| it.get("generate_serving_certificate"));
    let anchor = signs.or(kubelet).map_or_else(|| first(root), |it| it.origin.clone());
    let flags = kubelet.and_then(|it| it.get("extra_args")).map(Flag::all).unwrap_or_default();
    let signer = match signs.map(loose_bool) {
        Some(Some(true)) => Signer::Platform,
        None | Some(Some(false)) => Signer::Kubelet,
        Some(None) => Signer::Unknown,
    };
    let facts = Settings { layers: Vec::new(), flags }.facts();
    let carrier = Carrier::RkeCluster;
    platform.kubelet(&cluster, "all nodes", carrier, &anchor, facts).signer = signer;
    if let Some(list) = root.get("nodes").filter(|it| it.as_list().is_some()) {
        platform.pool(&cluster, nodes::length(list));
    }
    let monitoring = root.get("monitoring");
    if monitoring.and_then(|it| it.str_at("provider")) != Some("none") {
        let anchor = monitoring.map_or(anchor, |it| it.origin.clone());
        platform.bundle(&cluster, "RKE", &anchor);
    }
}

#[cfg(test)]
mod tests {
    use crate::{config::Config, pipeline::analyze, tests::fixture};

    #[test]
    fn the_version_of_k3s_that_others_install() {
        let told = |file: &str| {
            let (_, clusters) = analyze(&fixture(file), &Config::default());
            let cluster = clusters.into_iter().find(|it| it.platform.is_some())?;
            let count = cluster.nodes.known().map(|(it, _)| (it.min, it.max));
            Some((cluster.platform?.name, count, cluster.metrics_servers.len()))
        };
        let hetzner = "
            //- cluster_config.yaml
            cluster_name: main
            k3s_version: v1.32.0+k3s1
            masters_pool: {instance_type: cpx21, instance_count: 3}
            worker_node_pools:
              - {name: a, instance_count: 2}
              - {name: b, autoscaling: {enabled: true, min_instances: 1, max_instances: 4}}
        ";
        assert_eq!(told(hetzner), Some(("k3s", Some((6, Some(9))), 0)));
        let ansible = "
            //- inventory.yml
            k3s_cluster: {vars: {k3s_version: v1.30.2+k3s1}}
        ";
        assert_eq!(told(ansible), Some(("k3s", None, 0)));
        let nested = "
            //- inventory.yml
            all:
              children:
                k3s_cluster: {vars: {k3s_version: v1.30.2+k3s1}}
                edge: {children: {agents: {vars: {k3s_version: v1.30.2+k3s1}}}}
        ";
        assert_eq!(told(nested), Some(("k3s", None, 0)));
        assert_eq!(told(&nested.replacen("v1.30", "v1.29", 1)), None);
        assert_eq!(told("//- vars.yml\nk3s_version: '{{ version }}'\n"), None);
    }
}
