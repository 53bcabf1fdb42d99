//! What deployments say of the nodes that they run on: labels and annotations that only one platform
//! has, and the names of a local cluster's nodes. It counts where no file defines the cluster.

use std::collections::BTreeMap;

use crate::{
    model::{
        ClusterId,
        platform::{Input, Platform},
        workload,
    },
    resolve::environment::Object,
    tree::{Node, Origin},
};

/// The starts of keys that a platform sets on its nodes, or reads from what runs there, with the
/// platform, whose certificates are signed as `managed` says.
const KEYS: [(&str, &str, &str); 7] = [
    ("eks.amazonaws.com/", "eks", "label or annotation of EKS"),
    ("alpha.eksctl.io/", "eks", "label of eksctl"),
    ("cloud.google.com/gke-", "gke", "label of GKE"),
    ("iam.gke.io/", "gke", "annotation of GKE"),
    ("networking.gke.io/", "gke", "annotation of GKE"),
    ("kubernetes.azure.com/", "aks", "label of AKS"),
    ("doks.digitalocean.com/", "doks", "label of DigitalOcean Kubernetes"),
];

/// The label that holds a node's name.
const HOSTNAME: &str = "kubernetes.io/hostname";

pub(super) fn carrier(input: &Input<'_>, platform: &mut Platform) {
    if platform.kubelets.iter().any(|it| !it.cluster.is_local()) {
        return;
    }
    let environment = input.environment;
    let is_server = |it: &&Object| {
        let release = environment.release_of(it);
        release.is_some_and(|it| it.family.is_some()) || workload::container(&it.node).is_some()
    };
    let (servers, others): (Vec<_>, Vec<_>) = environment.objects.iter().partition(is_server);
    let values = environment.releases.iter().map(|it| &it.values);
    let others = others.into_iter().map(|it| &it.node).chain(values);
    // What metrics-server itself says comes first: others may be made for several platforms.
    for nodes in [servers.into_iter().map(|it| &it.node).collect(), others.collect::<Vec<_>>()] {
        let mut found = Evidence::default();
        for node in nodes {
            found.look(node);
        }
        if let Some((tool, at)) = found.local.filter(|_| input.may_be_local_in("")) {
            platform.is_local(tool, &at);
        }
        if let (1, Some((tool, (words, at)))) = (found.platforms.len(), found.platforms.pop_first())
        {
            platform.signed(&ClusterId::only(tool), words, &at);
            return;
        }
    }
}

#[derive(Default)]
struct Evidence {
    /// The first place of each platform, with what stands there.
    platforms: BTreeMap<&'static str, (&'static str, Origin)>,
    /// A local cluster's tool, and where one of its nodes is named.
    local: Option<(&'static str, Origin)>,
}

impl Evidence {
    fn look(&mut self, root: &Node) {
        for node in root.walk() {
            let excludes = matches!(node.str_at("operator"), Some("NotIn" | "DoesNotExist"));
            let keys = ["key", "topologyKey"].iter().filter_map(|it| node.get(it));
            for key in keys.filter(|_| !excludes) {
                let text = key.as_str().unwrap_or_default();
                self.key(text, &key.origin);
                if text == HOSTNAME {
                    node.items_at("values").iter().for_each(|it| self.node(it));
                }
            }
            for (key, entry) in node.entries() {
                self.key(key, &entry.value.origin);
                if matches!(key, HOSTNAME | "nodeName") {
                    self.node(&entry.value);
                }
            }
        }
    }

    fn key(&mut self, key: &str, at: &Origin) {
        for (_, tool, words) in KEYS.iter().filter(|(start, ..)| key.starts_with(start)) {
            self.platforms.entry(tool).or_insert_with(|| (words, at.clone()));
        }
    }

    /// The name of a node, as the tools call theirs that are told nothing else.
    fn node(&mut self, name: &Node) {
        let tool = match name.as_str() {
            Some("minikube") => "minikube",
            Some("docker-desktop") => "Docker Desktop",
            Some(it) if it == "kind-control-plane" || it.starts_with("kind-worker") => "kind",
            _ => return,
        };
        self.local.get_or_insert_with(|| (tool, name.origin.clone()));
    }
}

#[cfg(test)]
mod tests {
    use crate::{config::Config, pipeline::analyze, tests::fixture};

    const SERVER: &str = "
        //- server.yaml
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: metrics-server, namespace: kube-system, labels: {LABEL: x}}
        spec:
          template:
            spec:
              nodeName: NODE
              affinity: {nodeAffinity: {a: {b: [{matchExpressions: [EXPRESSION]}]}}}
              containers:
                - name: metrics-server
                  image: registry.k8s.io/metrics-server/metrics-server:v0.7.2
                  args: [--kubelet-insecure-tls]
    ";
    const OTHER: &str = "
        ---
        apiVersion: v1
        kind: ServiceAccount
        metadata: {name: other, annotations: {OTHER: x}}
    ";

    /// The platform, or what runs a local cluster, and the line that says it.
    fn server(replaced: &[(&str, &str)], more: &str) -> Option<(String, u32)> {
        let mut text = format!("{SERVER}{more}");
        for (from, to) in replaced {
            text = text.replacen(from, to, 1);
        }
        let sources = fixture(&text);
        let (_, clusters) = analyze(&sources, &Config::default());
        let cluster = clusters.into_iter().find(|it| !it.metrics_servers.is_empty())?;
        let named = cluster.platform.map(|it| (it.name.to_owned(), it.evidence.1));
        let (name, at) = named.or(cluster.local)?;
        Some((name, sources.start(at.written_at()?).line))
    }

    #[test]
    fn keys_that_one_platform_has() {
        for (key, name) in [
            ("eks.amazonaws.com/role-arn", "EKS"),
            ("cloud.google.com/gke-nodepool", "GKE"),
            ("kubernetes.azure.com/mode", "AKS"),
            ("doks.digitalocean.com/node-pool", "DigitalOcean Kubernetes"),
        ] {
            let at = |line| Some((name.to_owned(), line));
            assert_eq!(server(&[("LABEL", key)], ""), at(3), "{key}");
            assert_eq!(server(&[("OTHER", key)], OTHER), at(17), "{key}");
            let expression = |operator| {
                let it = format!("{{key: {key}, operator: {operator}, values: [x]}}");
                server(&[("EXPRESSION", &it)], "")
            };
            assert_eq!(expression("In"), at(8), "{key}");
            assert_eq!(expression("NotIn"), None, "{key}");
        }
        let two = "eks.amazonaws.com/a: x, iam.gke.io/a";
        assert_eq!(server(&[("LABEL", two)], ""), None, "it may be either");
        let others = [("LABEL", "iam.gke.io/a"), ("OTHER", "eks.amazonaws.com/a")];
        assert_eq!(server(&others, OTHER), Some(("GKE".into(), 3)), "its own counts for more");
    }

    #[test]
    fn names_of_nodes() {
        for (node, tool) in [("kind-worker2", "kind"), ("minikube", "minikube")] {
            let says = Some((format!("{tool} runs it"), 7));
            assert_eq!(server(&[("NODE", node)], ""), says);
        }
        assert_eq!(server(&[("NODE", "worker2")], ""), None);
        let hostname = "{key: kubernetes.io/hostname, operator: In, values: [kind-control-plane]}";
        assert!(server(&[("EXPRESSION", hostname)], "").is_some());
    }

    #[test]
    fn a_file_that_defines_the_cluster_counts_for_more() {
        let talos = "
        //- talos/patch.yaml
        machine: {kubelet: {extraArgs: {rotate-server-certificates: false}}}
        ";
        let found = server(&[("LABEL", "eks.amazonaws.com/role-arn")], talos);
        assert_eq!(found.map(|it| it.0).as_deref(), Some("Talos"));
    }
}
