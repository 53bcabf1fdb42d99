//! What runs an environment's nodes: the installers and platforms that the repository describes, in
//! their many formats, and all that follows from them for kubelets, approvers, node counts and a
//! bundled metrics-server.
//!
//! A format is a *carrier*: one module, named once in the list of [`Carrier`]s, whose function looks
//! through the documents for what it knows. Documents are recognised by what they say, never by the
//! name of their file alone.

mod bundled;
mod cluster_api;
mod fargate;
mod kind;
mod kubeadm;
mod kubespray;
mod labels;
mod local;
mod managed;
mod misplaced;
mod node_files;
mod proxy;
mod rancher;
mod routing;
mod taints;
mod talos;
mod terraform;

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    data::{
        groups::{self, Role},
        words,
    },
    model::{
        ApiServer, Approver, ClusterId, Count, Fact, Facts as _, Kubelet, KubeletFacts,
        MetricsServer, MetricsServerFacts, Misplaced, Proxy, RunsOn, Signer, approver,
        fargate::FargateProfile, nodes::Pool,
    },
    parse, placeholder,
    problem::{Problem, ProblemKind},
    resolve::{
        environment::{EntryKind, Environment, Object, UNNAMED},
        template,
    },
    scalar::Dialect,
    source::{self, FileId, Sources, Span},
    tree::{Node, Origin, Reason},
};

/// Everything that the carriers in one environment say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Platform {
    /// The kubelets, per group of nodes.
    pub kubelets: Vec<Kubelet>,
    /// What approves, or may: deployed by the environment, or part of a platform or installer.
    pub approvers: Vec<Approver>,
    /// Groups of nodes with their sizes.
    pub pools: Vec<Pool>,
    /// What says that the cluster is on somebody's own machine, and where.
    pub local: Option<(String, Origin)>,
    /// Copies of metrics-server that a platform brings along, one for each cluster.
    pub bundled: Vec<(ClusterId, MetricsServer)>,
    /// Settings of kubelets where nothing reads them.
    pub misplaced: Vec<Misplaced>,
    /// The pods that EKS runs on Fargate.
    pub fargate: Vec<FargateProfile>,
    /// What says that control planes take pods like any other node.
    pub open_control_plane: Option<Origin>,
    /// API servers that are told to use a proxy.
    pub proxies: Vec<Proxy>,
    /// API servers that are configured.
    pub api_servers: Vec<ApiServer>,
    /// The objects that the platform deploys itself, as its configuration says.
    pub manifests: Vec<Object>,
    /// Where that is said, as far as it was read.
    read: BTreeSet<Span>,
    /// What could not be read.
    pub problems: Vec<Problem>,
    /// The files whose templates its tool's carrier has filled in.
    pub filled: Vec<FileId>,
}

/// Names every carrier: what it is called, and how its kubelets are told to request their serving
/// certificates, under the module that reads it.
///
/// The modules are declared above, not here, because rustfmt does not look into macros.
macro_rules! carriers {
    ($($module:ident { $($carrier:ident: $words:literal, $request:expr;)* })*) => {
        /// What carries the settings of kubelets.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Carrier {
            $($(#[doc = $words] $carrier,)*)*
            /// What says that a platform signs the kubelets' certificates itself, in words.
            Platform(&'static str),
        }

        impl Carrier {
            /// What it is called.
            pub(crate) fn words(self) -> &'static str {
                match self {
                    $($(Self::$carrier => $words,)*)*
                    Self::Platform(words) => words,
                }
            }

            /// How its kubelets are told to request their serving certificates, as an imperative.
            pub(crate) fn how_to_request(self) -> &'static str {
                match self {
                    $($(Self::$carrier => $request,)*)*
                    Self::Platform(_) => IN_CONFIGURATION,
                }
            }
        }

        const CARRIERS: &[fn(&Input<'_>, &mut Platform)] = &[$($module::carrier),*];
    };
}

const IN_CONFIGURATION: &str = "set serverTLSBootstrap to true";
const BY_KUBEADM: &str = "set rotate-server-certificates to \"true\" in kubeletExtraArgs";
const BY_TALOS: &str = "set machine.kubelet.extraArgs.rotate-server-certificates to true";
const BY_FLAG: &str = "start the kubelet with --rotate-server-certificates";

// The most frequent come first.
carriers! {
    kubeadm {
        InitConfiguration: "kubeadm InitConfiguration", IN_CONFIGURATION;
        ClusterConfiguration: "kubeadm ClusterConfiguration", IN_CONFIGURATION;
        JoinConfiguration: "kubeadm JoinConfiguration", BY_KUBEADM;
        KubeletConfigMap: "kubelet-config ConfigMap", IN_CONFIGURATION;
        KubeletConfiguration: "KubeletConfiguration", IN_CONFIGURATION;
    }
    talos {
        TalosMachine: "Talos machine configuration", BY_TALOS;
        TalosPatch: "Talos patch", BY_TALOS;
        Talhelper: "talhelper configuration", BY_TALOS;
        Topf: "topf configuration", BY_TALOS;
    }
    kind {
        KindCluster: "kind cluster", IN_CONFIGURATION;
    }
    cluster_api {
        ClusterApiKubeadm: "Cluster API kubeadm configuration", BY_KUBEADM;
        ClusterApiTalos: "Cluster API Talos configuration", BY_TALOS;
    }
    rancher {
        RkeCluster: "RKE cluster", "set services.kubelet.generate_serving_certificate to true";
    }
    kubespray {
        Kubespray: "kubespray variables", "set kubelet_rotate_server_certificates to true";
    }
    managed {
        K0sctl: "k0sctl cluster", IN_CONFIGURATION;
    }
    node_files {
        SystemdUnit: "systemd unit of the kubelet", BY_FLAG;
        EnvironmentFile: "kubelet environment file", BY_FLAG;
        NodeFiles: "files written to a node", IN_CONFIGURATION;
    }
    terraform {
        TerraformTalos: "Talos machine configuration in Terraform", BY_TALOS;
    }
    misplaced {}
    proxy {}
    taints {}
    fargate {}
    routing {}
    labels {}
    local {}
}

/// What the carriers in `environment` say, and what approves for their kubelets.
///
/// `elsewhere` holds the approvers that the whole repository speaks of: it is asked for only when
/// kubelets request certificates and nothing in the environment is certain to approve them.
pub(crate) fn facts<'a>(
    sources: &Sources,
    environment: &Environment,
    elsewhere: impl FnOnce() -> &'a [Approver],
) -> Platform {
    let input = Input::new(sources, environment);
    let mut platform = Platform::default();
    for read in CARRIERS {
        read(&input, &mut platform);
    }
    if platform.kubelets.iter().any(|it| !it.cluster.is_local()) && !input.is_called_local() {
        // Where a real cluster is defined too, a local one is for trying things out.
        platform.local = None;
        platform.kubelets.retain(|it| !it.cluster.is_local());
        platform.pools.retain(|it| !it.cluster.is_local());
    }
    let mut approvers = approver::find(sources, environment);
    approvers.append(&mut platform.approvers);
    let requested = |it: &Kubelet| it.server_tls_bootstrap.value() == Some(&true);
    if platform.kubelets.iter().any(requested) && !approvers.iter().any(|it| it.certain) {
        approvers.extend_from_slice(elsewhere());
        approvers.extend(approver::unseen(environment));
    }
    platform.approvers = approver::distinct(approvers);
    platform
}

impl Platform {
    /// The product that runs all nodes in sight, unless it is of a version that may not sign their
    /// certificates, and has nothing to set for that.
    pub(crate) fn runs_on(&self) -> Option<RunsOn> {
        let is_old = |it: &Kubelet| {
            it.signer == Signer::Unknown && matches!(it.carrier, Carrier::Platform(_))
        };
        if self.kubelets.iter().any(is_old) {
            return None;
        }
        let mut named = self.kubelets.iter().filter(|it| it.cluster.product().is_some()).peekable();
        let first = *named.peek()?;
        let name = first.cluster.product()?;
        let says = format!("{} ({})", first.carrier.words(), first.group);
        let mut runs_on = RunsOn { name, request: None, evidence: (says, first.anchor.clone()) };
        for kubelet in named {
            if kubelet.cluster.product() != Some(name) {
                return None;
            }
            if kubelet.signer != Signer::Platform {
                runs_on.request.get_or_insert(kubelet.carrier.how_to_request());
            }
        }
        Some(runs_on)
    }

    /// Kubelets of nodes that `carrier` defines, each of which signs its own certificate unless its
    /// settings say otherwise.
    fn kubelet(
        &mut self,
        cluster: &ClusterId,
        group: &str,
        carrier: Carrier,
        anchor: &Origin,
        facts: KubeletFacts,
    ) -> &mut Kubelet {
        self.kubelets.push_mut(Kubelet {
            cluster: cluster.clone(),
            group: group.to_owned(),
            carrier,
            signer: Signer::Kubelet,
            complete: true,
            anchor: anchor.clone(),
            facts,
        })
    }

    /// Kubelets whose certificates the platform signs, as `carrier` says in words.
    fn signed(
        &mut self,
        cluster: &ClusterId,
        carrier: &'static str,
        anchor: &Origin,
    ) -> &mut Kubelet {
        let carrier = Carrier::Platform(carrier);
        let kubelet = self.kubelet(cluster, "all nodes", carrier, anchor, KubeletFacts::default());
        kubelet.signer = Signer::Platform;
        kubelet
    }

    /// Whether what is said at `at` was not read before.
    fn is_new(&mut self, at: &Origin) -> bool {
        at.written_at().is_none_or(|span| self.read.insert(span))
    }

    /// Whether a carrier before this one spoke of `cluster`.
    fn knows(&self, cluster: &ClusterId) -> bool {
        self.kubelets.iter().any(|it| it.cluster == *cluster)
    }

    /// A group of nodes.
    fn pool(&mut self, cluster: &ClusterId, nodes: Fact<Count>) -> &mut Pool {
        self.pools.push_mut(Pool::new(cluster, nodes))
    }

    /// The metrics-server that `platform` brings along in `cluster`, as `anchor` says; nothing else
    /// is known of it.
    ///
    /// A carrier then fills in what its settings imply.
    fn bundle(
        &mut self,
        cluster: &ClusterId,
        platform: &str,
        anchor: &Origin,
    ) -> &mut MetricsServer {
        if let Some(index) = self.bundled.iter().position(|(it, _)| it == cluster) {
            return &mut self.bundled[index].1;
        }
        let why: Reason = format!("{platform} decides").into();
        let server = MetricsServer {
            name: "metrics-server".into(),
            namespace: "kube-system".into(),
            is_anywhere: false,
            via: "bundled",
            chart: None,
            port_value: None,
            anchor: anchor.clone(),
            managed: true,
            platform: Some(platform.to_owned()),
            account: Fact::Absent(None),
            access: Arc::default(),
            suspended: false,
            removed_args: Vec::new(),
            beside: Vec::new(),
            resizer: None,
            not_texts: Vec::new(),
            mesh: None,
            fargate: None,
            policies: None,
            release_timeout: Fact::Absent(None),
            versions: Vec::new(),
            release: None,
            pod: None,
            registration: None,
            services: Arc::default(),
            facts: MetricsServerFacts::unknown(&why, anchor),
        };
        &mut self.bundled.push_mut((cluster.clone(), server)).1
    }

    /// `tool` runs the cluster on somebody's own machine.
    fn is_local(&mut self, tool: &str, at: &Origin) {
        self.local.get_or_insert_with(|| (format!("{tool} runs it"), at.clone()));
    }
}

/// What a carrier looks through.
struct Input<'a> {
    sources: &'a Sources,
    environment: &'a Environment,
    /// The directory of what it starts from.
    home: &'a str,
    /// Whether its objects are applied to a running cluster. Clusters among them are others then,
    /// which that one manages.
    is_applied: bool,
    /// Objects and the documents of loose files, each once.
    documents: Vec<InputDocument<'a>>,
    /// Loose files, whatever is in them.
    files: Vec<FileId>,
}

/// One document.
struct InputDocument<'a> {
    node: &'a Node,
    /// The file that it is written in, or `""` for one that is written nowhere.
    path: &'a str,
}

impl<'a> Input<'a> {
    fn new(sources: &'a Sources, environment: &'a Environment) -> Self {
        let mut seen: BTreeSet<Option<Span>> = BTreeSet::new();
        let home = environment.entry.origin.written_at();
        let home = home.map_or("", |span| source::parent(&sources[span.file].path));
        // What nothing builds, and other programs are tested with, is no cluster of anybody's.
        let built = environment.entry.kind != EntryKind::Manifests && is_test_data(home);
        let counts = |path: &str| built || !is_test_data(path);
        let objects = environment.objects.iter().map(|it| as_written(sources, &it.node));
        let files = environment.files.iter().copied();
        let files: Vec<FileId> = files.filter(|it| counts(&sources[*it].path)).collect();
        let loose = files
            .iter()
            .filter(|file| may_hold_yaml(&sources[**file].path))
            .flat_map(|file| sources.documents(*file, Dialect::Sigs).roots());
        let documents = objects
            .chain(loose)
            .filter(|node| node.origin.written_at().is_none_or(|span| seen.insert(Some(span))))
            .map(|node| {
                let span = node.origin.written_at();
                InputDocument { node, path: span.map_or("", |span| &sources[span.file].path) }
            })
            .filter(|it| counts(it.path))
            .collect();
        Self {
            sources,
            environment,
            is_applied: matches!(environment.entry.kind, EntryKind::Flux | EntryKind::ArgoCd),
            home,
            documents,
            files,
        }
    }

    /// The documents of an API group; versions do not matter.
    fn group(&self, group: &str) -> impl Iterator<Item = &InputDocument<'a>> {
        self.documents.iter().filter(move |it| it.group() == group)
    }

    /// The documents of a kind.
    fn kind(&self, group: &str, kind: &str) -> impl Iterator<Item = &InputDocument<'a>> {
        self.group(group).filter(move |it| it.kind() == kind)
    }

    /// Whether a local cluster's definition may be that of this environment: not when it is there
    /// for tests, or when the environment's name says that it is not local.
    fn may_be_local(&self, document: &InputDocument<'_>) -> bool {
        self.may_be_local_in(document.dir())
    }

    /// The same for what lies in `dir`.
    fn may_be_local_in(&self, dir: &str) -> bool {
        let of_tools = ["ci", "github"];
        !has_word(dir, &[words::TESTS, words::EXAMPLES, &of_tools])
            && !has_word(&self.environment.name, &[words::LASTING])
    }

    fn is_called_local(&self) -> bool {
        let of_tools = ["local", "kind", "k3d", "minikube", "colima"];
        has_word(&self.environment.name, &[words::DEVELOPMENT, &of_tools])
    }

    /// The files of such names that are about this environment's cluster: beside what it starts
    /// from, and above that where it is called local or is all there is.
    fn own_scripts(&self, names: &[&str]) -> Vec<FileId> {
        let local = self.environment.name == UNNAMED || self.is_called_local();
        let dirs = std::iter::successors(Some(self.home), |dir| {
            let dir: &str = dir;
            (!dir.is_empty()).then_some(source::parent(dir))
        });
        dirs.take(if local { usize::MAX } else { 1 })
            .filter(|dir| self.may_be_local_in(dir))
            .flat_map(|dir| names.iter().filter_map(move |it| self.sources.find_from(dir, it)))
            .collect()
    }

    /// The documents in a string, or the tree that stands where others write one; what is broken in it
    /// becomes a problem. A string that cannot be told, or is not YAML, is one unknown document.
    fn embedded(&self, node: &Node, problems: &mut Vec<Problem>) -> Vec<Node> {
        let documents = parse::embedded(self.sources, node, Dialect::Sigs);
        if let Some(error) = documents.error() {
            let text = node.as_scalar().map_or("", |it| &it.text);
            let at = error.span.map_or_else(|| node.origin.clone(), |it| node.origin.moved(it));
            let template = placeholder::is_template(text);
            problems.push(if template {
                Problem::unresolved(&at, "this text is a template, which is not evaluated")
            } else {
                Problem::new(ProblemKind::Syntax, &at, error.message.clone())
            });
            let why = if template { "it is a template" } else { "it is not YAML" };
            return vec![Node::unknown_value(why, &node.origin)];
        }
        documents.roots().cloned().collect()
    }
}

/// The document as it stands in its file, if all that was done to it is to make unknown whatever has
/// a placeholder: what is not in doubt in a long text is then still known.
fn as_written<'a>(sources: &'a Sources, node: &'a Node) -> &'a Node {
    // These hold texts in which a placeholder makes the rest unknown too.
    if groups::role(node.api_group()) != Some(Role::ConfiguresKubelets) {
        return node;
    }
    let Some(span) = node.origin.written_at() else { return node };
    let mut documents = sources.documents(span.file, Dialect::Sigs).roots();
    let written = documents.find(|it| it.origin.written_at() == Some(span));
    written.filter(|it| template::placeholders(sources, it) == *node).unwrap_or(node)
}

impl InputDocument<'_> {
    fn group(&self) -> &str {
        self.node.api_group()
    }

    fn kind(&self) -> &str {
        self.node.object_kind()
    }

    /// The directory of its file.
    fn dir(&self) -> &str {
        source::parent(self.path)
    }

    /// The cluster of `tool` that it defines, which is called after its file where it has no `name`.
    fn cluster(&self, tool: &'static str, name: &str) -> ClusterId {
        ClusterId::named(tool, if name.is_empty() { self.path } else { name })
    }

    /// The place of its name, else of its kind, else of all of it.
    fn anchor(&self) -> Origin {
        anchor(self.node)
    }
}

fn anchor(node: &Node) -> Origin {
    let named = node.at("metadata.name").or_else(|| node.get("kind"));
    named.map_or_else(|| node.origin.clone(), |it| it.origin.clone())
}

/// Whether a word of `text` is one of a list.
fn has_word(text: &str, lists: &[&[&str]]) -> bool {
    text.split(['/', '-', '_', '.']).any(|it| lists.iter().any(|list| list.contains(&it)))
}

/// Whether a program's tests have the file at `path`, or all in the directory, for their input.
fn is_test_data(path: &str) -> bool {
    let words = ["testdata", "test-data", "test_data", "fixtures", "e2e", "golden"];
    path.starts_with("tests/") || path.split('/').any(|it| words.contains(&it))
}

fn may_hold_yaml(path: &str) -> bool {
    source::is_yaml(source::rendered(path)) || matches!(source::extension(path), "conf" | "j2")
}

#[cfg(test)]
mod tests {
    use crate::{
        config::Config,
        model::ClusterId,
        pipeline::{analyze, check},
        tests::fixture,
    };

    /// What the kubelets of one file are called, and how they are told to request certificates.
    fn told(file: &str) -> (String, Option<String>) {
        let (_, clusters) = analyze(&fixture(file), &Config::default());
        let kubelet = clusters.iter().find_map(|it| it.kubelets.first()).expect("a kubelet");
        let findings = check(&clusters).into_iter();
        let mut findings = findings.filter(|it| it.rule == "serving-certificates-not-bootstrapped");
        let called = format!("{} / {}", kubelet.cluster, kubelet.carrier.words());
        (called, findings.next().and_then(|it| it.help))
    }

    #[test]
    fn each_carrier_is_told_in_its_own_words() {
        let approve = |request: &str| Some(format!("{request} and deploy an approver"));
        for (file, called, request) in [
            (
                "
                //- rke/cluster.yml
                nodes: [{address: a, role: [controlplane]}]
                services: {kubelet: {extra_args: {v: 2}}}
                ",
                "rke rke / RKE cluster",
                "set services.kubelet.generate_serving_certificate to true",
            ),
            (
                "
                //- group_vars/k8s_cluster/k8s-cluster.yml
                kube_network_plugin: cilium
                kubelet_rotate_server_certificates: false
                ",
                "kubespray  / kubespray variables",
                "set kubelet_rotate_server_certificates to true",
            ),
            (
                "
                //- talos/talconfig.yaml
                clusterName: home
                talosVersion: v1.9.0
                nodes: [{hostname: a, controlPlane: true}]
                ",
                "talos talos / talhelper configuration",
                "set machine.kubelet.extraArgs.rotate-server-certificates to true",
            ),
            (
                "
                //- node/kubelet.service
                [Service]
                ExecStart=/usr/bin/kubelet --anonymous-auth=false
                ",
                "kubelet node / systemd unit of the kubelet",
                "start the kubelet with --rotate-server-certificates",
            ),
        ] {
            assert_eq!(told(file), (called.into(), approve(request)), "{file}");
        }
    }

    #[test]
    fn the_product_is_named_where_all_agree() {
        let runs_on = |files: &str| {
            let (_, clusters) = analyze(&fixture(files), &Config::default());
            clusters.into_iter().find_map(|it| it.platform).map(|it| (it.name, it.request))
        };
        let eks = "//- a.yaml\napiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\nmetadata: {name: a}\n";
        let other = eks.replace("a.yaml", "b.yaml").replace("name: a", "name: b");
        let kubelet = "//- node/kubelet.service\n[Service]\nExecStart=/usr/bin/kubelet --v=2\n";
        let talos = "//- talconfig.yaml\nclusterName: home\ntalosVersion: v1.9.0\n\
            nodes: [{hostname: a, controlPlane: true}]\n";
        assert_eq!(runs_on(eks), Some(("EKS", None)));
        assert_eq!(runs_on(&format!("{eks}{other}{kubelet}")), Some(("EKS", None)));
        assert_eq!(runs_on(talos), Some(("Talos", Some(super::BY_TALOS))));
        assert_eq!(runs_on(&format!("{eks}{talos}")), None);
        assert_eq!(runs_on(kubelet), None);
    }

    #[test]
    fn kops_signs_certificates_from_some_version_on() {
        let state = |spec: &str| {
            let file = format!(
                "//- a.yaml\napiVersion: kops.k8s.io/v1alpha2\nkind: Cluster\n\
                metadata: {{name: a}}\nspec: {spec}\n"
            );
            let (_, clusters) = analyze(&fixture(&file), &Config::default());
            clusters[0].serving.state.id()
        };
        for spec in [
            "{}",
            "{kubernetesVersion: 1.19.0, cloudProvider: aws}",
            "{kubernetesVersion: v1.22.1, cloudProvider: {aws: {}}}",
            "{kubernetesVersion: 1.27.0, cloudProvider: gce}",
        ] {
            assert_eq!(state(spec), "signed-by-platform", "{spec}");
        }
        for spec in [
            "{kubernetesVersion: 1.18.20, cloudProvider: aws}",
            "{kubernetesVersion: 1.19.0, cloudProvider: gce}",
            "{kubernetesVersion: '${VERSION}'}",
            "{kubernetesVersion: 1.15.7, kubelet: {readOnlyPort: 10255}}",
        ] {
            assert_eq!(state(spec), "unknown", "{spec}");
        }
    }

    #[test]
    fn the_kubelets_of_kops_have_what_their_group_says_last() {
        let open = |spec: &str, groups: &[&str]| {
            let head = "---\napiVersion: kops.k8s.io/v1alpha2\nkind: ";
            let mut file =
                format!("//- a.yaml\n{head}Cluster\nmetadata: {{name: a}}\nspec: {spec}\n");
            for (index, group) in groups.iter().enumerate() {
                let name = format!("{{name: g{index}, labels: {{kops.k8s.io/cluster: a}}}}");
                file += &format!("{head}InstanceGroup\nmetadata: {name}\nspec: {group}\n");
            }
            let (_, clusters) = analyze(&fixture(&file), &Config::default());
            let kubelets = clusters[0].kubelets.iter();
            let open = kubelets.filter(|it| it.read_only_port.value() == Some(&10255));
            open.map(|it| it.group.clone()).collect::<Vec<_>>().join(", ")
        };
        let all = "{kubelet: {readOnlyPort: 10255}}";
        let closed = "kubelet: {readOnlyPort: 0}}";
        let (node, master) =
            (format!("{{role: Node, {closed}"), format!("{{role: Master, {closed}"));
        assert_eq!(open(all, &[]), "all nodes");
        assert_eq!(open(all, &[&node, &master]), "");
        assert_eq!(open(all, &[&node, &node.replace("Node", "ControlPlane")]), "");
        assert_eq!(open(all, &[&node, "{role: Node}", &master]), "nodes");
        assert_eq!(open(all, &[&node]), "control plane");
        assert_eq!(open(all, &[&node, "{role: Master}"]), "control plane");
        assert_eq!(open(all, &[&node, &master, "{role: Bastion}"]), "");
        assert_eq!(open(all, &["{role: Node, kubelet: {maxPods: 9}}"]), "all nodes");
        let both = "{kubelet: {readOnlyPort: 10255}, controlPlaneKubelet: {readOnlyPort: 0}}";
        assert_eq!(open(both, &[]), "nodes");
        assert_eq!(open(both, &[&node]), "");
        let masters = "{kubelet: {readOnlyPort: 0}, masterKubelet: {readOnlyPort: 10255}}";
        assert_eq!(open(masters, &[&node]), "control plane");
        assert_eq!(open(masters, &[&node, &master]), "");
        assert_eq!(open("{}", &["{role: Node, kubelet: {readOnlyPort: 10255}}"]), "g0");
    }

    #[test]
    fn objects_of_a_running_cluster_are_of_what_lies_beside_them() {
        let on_openshift = |files: &str| {
            let (_, clusters) = analyze(&fixture(files), &Config::default());
            let of = clusters.into_iter().filter(|it| it.platform.is_some());
            of.map(|it| it.environment).collect::<Vec<_>>().join(", ")
        };
        let object = |dir: &str| {
            format!(
                "//- {dir}oauth.yaml\napiVersion: config.openshift.io/v1\nkind: OAuth\n\
                metadata: {{name: cluster}}\n"
            )
        };
        let server = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: metrics-server}\n";
        let flux = format!(
            "//- k8s/apps.yaml\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n\
            metadata: {{name: apps}}\n\
            spec: {{path: ./apps, sourceRef: {{kind: GitRepository, name: flux-system}}}}\n\
            //- apps/ms.yaml\n{server}"
        );
        let overlay =
            format!("//- ms/kustomization.yaml\nresources: [d.yaml]\n//- ms/d.yaml\n{server}");
        let loose = format!("//- ms/d.yaml\n{server}");
        for (files, dir, expected) in [
            (&flux, "openshift/", "default"),
            (&flux, "", "default"),
            (&flux, "k8s/machines/", "k8s"),
            (&overlay, "openshift/", "default"),
            (&overlay, "ms/", "ms"),
            (&overlay, "", "ms"),
            (&loose, "openshift/auth/", "openshift/auth"),
            (&loose, "ms/machines/", "default"),
            (&loose, "", "default"),
        ] {
            assert_eq!(on_openshift(&format!("{files}{}", object(dir))), expected, "{files}{dir}");
        }
        // A file that makes a cluster is of the only one, wherever it lies.
        let kops = "//- kops/a.yaml\napiVersion: kops.k8s.io/v1alpha2\nkind: Cluster\nmetadata: {name: a}\n";
        assert_eq!(on_openshift(&format!("{overlay}{kops}")), "ms");
    }

    #[test]
    fn test_data_is_no_cluster_of_anybody() {
        let kubelets = |dir: &str| {
            let kubeadm = format!(
                "//- {dir}/init.yaml\napiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n"
            );
            let (_, clusters) = analyze(&fixture(&kubeadm), &Config::default());
            clusters.iter().map(|it| it.kubelets.len()).sum::<usize>()
        };
        for dir in ["pkg/kubeadm/testdata", "tests/integration/a", "internal/fixtures/x", "e2e"] {
            assert_eq!(kubelets(dir), 0, "{dir}");
        }
        for dir in ["clusters/test", "test", "clusters/e2e-1"] {
            assert_eq!(kubelets(dir), 1, "{dir}");
        }
    }

    #[test]
    fn a_cluster_has_one_metrics_server_of_its_platform() {
        let bundled = |files: &str| {
            let (_, clusters) = analyze(&fixture(files), &Config::default());
            clusters.iter().map(|it| it.metrics_servers.len()).sum::<usize>()
        };
        let nameless = "---\napiVersion: kubeone.k8c.io/v1beta2\nkind: KubeOneCluster\n";
        let named = |name: &str| format!("{nameless}name: {name}\n");
        let files = format!("//- a.yaml\n{}", nameless.repeat(8));
        assert_eq!(bundled(&files), 1);
        assert_eq!(bundled(&format!("//- a.yaml\n{}{}{}", named("a"), named("b"), named("a"))), 2);
    }

    #[test]
    fn a_cluster_without_a_name_is_not_the_only_one() {
        assert_ne!(ClusterId::only("eks"), ClusterId::named("eks", ""));
        assert!(ClusterId::named("k3d", "dev.yaml").is_local());
        assert!(!ClusterId::named("k3s", "kind").is_local());
    }
}
