//! The typed view of one environment: all that a rule sees.

pub(crate) mod access;
mod api_version;
pub(crate) mod approver;
pub(crate) mod autoscaler;
mod budget;
mod chart;
mod drift;
mod fact;
mod fargate;
mod index;
mod kubelet;
mod lower;
mod mesh;
mod metrics_server;
pub(crate) mod nodes;
mod pin;
mod placement;
pub(crate) mod platform;
mod pod;
mod policy;
mod quantity;
mod reach;
mod registration;
mod release;
mod resizer;
mod selector;
mod service;
pub(crate) mod serving;
pub(crate) mod surroundings;
mod texts;
mod unjudged;
mod untold;
mod variables;
pub(crate) mod workload;

pub(crate) use access::{Access, SUBJECT_ACCESS_REVIEWS};
pub(crate) use approver::Weakness;
pub(crate) use autoscaler::Autoscaler;
pub(crate) use budget::Budget;
pub(crate) use chart::MOST_UNKNOWN;
pub(crate) use fact::Facts;
use fact::facts;
pub(crate) use fact::{Datum, Fact, Meaning};
pub(crate) use lower::lower;
pub(crate) use metrics_server::{Arg, Container, MetricsServer, MetricsServerFacts, Resources};
pub(crate) use platform::Carrier;
pub(crate) use pod::{Pod, PortRef, Probe, Spread, is_below};
pub(crate) use policy::{NetworkPolicy, Opening};
pub(crate) use quantity::{Cpu, Duration, IntOrPercent, MI, Memory};
pub(crate) use release::ReleaseFacts;
pub(crate) use resizer::Resizer;
pub(crate) use service::{Service, ServicePort};
pub(crate) use texts::{NotText, NotTextCause};
pub(crate) use unjudged::unjudged;
pub(crate) use workload::flag::{self, Argument, takes};

use std::{fmt, ops::Deref, sync::Arc};

use semver::Version;

use crate::{
    data::{Family, charts::ValueKey},
    problem::Problem,
    source::Span,
    tree::{Origin, Reason},
};

/// One environment, typed.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    /// The environment's name.
    pub environment: String,
    /// Whether something about it is assumed: the version of the chart that reads a values file, or
    /// that the cluster runs what is suspended. Nothing that follows is then worse than a warning.
    pub assumed: bool,
    /// What says that it is a local cluster: the configuration, or kind, minikube, k3d, colima.
    pub local: Option<(String, Origin)>,
    /// What runs its nodes, where all that the repository says agrees on one product.
    pub platform: Option<RunsOn>,
    /// How many nodes it has.
    pub nodes: Fact<Count>,
    /// How many pods a node runs.
    pub pods_per_node: Fact<Count>,
    /// Kubernetes' version, `1.31` as `1.31.0`.
    pub kubernetes: Fact<Version>,
    /// Every metrics-server installation, bundled ones included.
    pub metrics_servers: Vec<MetricsServer>,
    /// Charts that install metrics-server.
    pub charts: Vec<InstalledChart>,
    /// What is known of the kubelets, per group of nodes.
    pub kubelets: Vec<Kubelet>,
    /// Settings of kubelets where nothing reads them.
    pub misplaced: Vec<Misplaced>,
    /// What says that control planes take pods like any other node, if something does.
    pub open_control_plane: Option<Origin>,
    /// API servers that ask metrics-server through a proxy.
    pub proxies: Vec<Proxy>,
    /// API servers that are configured.
    pub api_servers: Vec<ApiServer>,
    /// What approves kubelet serving certificates.
    pub approvers: Vec<Approver>,
    /// APIServices of group `metrics.k8s.io`.
    pub api_services: Vec<ApiService>,
    /// Objects of an API version that Kubernetes removed.
    pub removed_api_versions: Vec<RemovedApiVersion>,
    /// Versions that change without a change in the repository.
    pub moving_versions: Vec<MovingVersion>,
    /// What changes how many pods workloads have, by what these use.
    pub autoscalers: Vec<Autoscaler>,
    /// What registers the Metrics API; absent when certainly nothing does.
    pub metrics_api: Fact<String>,
    /// Whether its metrics-servers and APIServices are applied together: by one tool, or as manifests of
    /// one directory.
    pub together: bool,
    /// PodDisruptionBudgets for metrics-server.
    pub budgets: Vec<Budget>,
    /// Where a part of it may hold objects that are not in sight, if one may.
    pub unseen: Option<Origin>,
    /// What says that cert-manager runs there, which could issue certificates.
    pub cert_manager: Option<Origin>,
    /// How the kubelets get their serving certificates, over all of them.
    pub serving: Serving,
    /// The variables of Flux that are meant for metrics-server.
    pub variables: Vec<VariableUse>,
    /// The commands of scripts that are judged as what they install.
    pub commands: Vec<Span>,
    /// What could not be read or resolved.
    pub problems: Vec<Problem>,
}

/// A definition of a variable that Flux may put into objects.
#[derive(Debug, Clone)]
pub(crate) struct VariableUse {
    /// Its name.
    pub name: String,
    /// Its text.
    pub value: Fact<String>,
    /// What defines it: `ConfigMap flux-system/cluster-vars`.
    pub source: String,
    /// Whether anything uses it; `None` when nobody can tell.
    pub is_used: Option<bool>,
    /// The text of the definition that takes its place.
    pub overridden: Option<Fact<String>>,
    /// Where its value is written.
    pub origin: Origin,
}

/// The product that runs a cluster's nodes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RunsOn {
    /// What people call it: `EKS`, `Talos`, `kubeadm`, `kind`.
    pub name: &'static str,
    /// How its kubelets are told to request their serving certificates, as an imperative; `None`
    /// where it signs them itself, so that there is nothing to set and nothing to approve.
    pub request: Option<&'static str>,
    /// What says that it is this one, and where.
    pub evidence: (String, Origin),
}

/// A number of things as an interval: `3..=3`, or `2..=10` for an autoscaled pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    /// At least this many.
    pub min: u64,
    /// At most this many, if anything says so.
    pub max: Option<u64>,
}

/// A chart that is installed: one of metrics-server, or one of the repository.
#[derive(Debug, Clone)]
pub(crate) struct InstalledChart {
    /// The release's name.
    pub name: String,
    /// Where it is installed.
    pub namespace: String,
    /// The chart as it is referred to: its name or its directory.
    pub chart: String,
    /// Which of metrics-server's charts it is.
    pub family: Option<Family>,
    /// Whether it is one of those, an approver's, or speaks of what we judge: others are there for their own
    /// sake.
    pub is_ours: bool,
    /// Its version, when one is named completely; without build metadata.
    pub version: Option<Version>,
    /// `apiService.create`, when the user's values have it.
    pub creates_api_service: Fact<bool>,
    /// The values that it reads, when it is one of the repository.
    pub reads: Option<Arc<ValueKey>>,
    /// The keys of the user's values that no version that it may be of reads.
    pub unknown_keys: Vec<UnknownKey>,
    /// The values that the chart does not take for what is written.
    pub wrong_values: Vec<WrongValue>,
    /// What Argo CD never finds in the cluster as it applies it.
    pub drifts: Vec<Drift>,
    /// Whether it is a copy in this repository, which may have a version of its own.
    pub is_copy: bool,
    /// What else its release says.
    pub facts: ReleaseFacts,
    /// What a missing thing is reported at.
    pub anchor: Origin,
}

/// What of a chart the cluster has otherwise than Argo CD applies it.
#[derive(Debug, Clone)]
pub(crate) struct Drift {
    /// The kind of the object.
    pub kind: &'static str,
    /// The field that differs.
    pub field: &'static str,
    /// Why.
    pub cause: DriftCause,
    /// The first version of the chart that does not do that, if there is one.
    pub fixed_in: Option<&'static str>,
    /// What is the cause.
    pub origin: Origin,
}

/// Why the cluster never has what Argo CD applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DriftCause {
    /// The chart makes something new each time that it is rendered.
    MadeAnew,
    /// Kubernetes drops a null.
    Null,
    /// Kubernetes leaves out what is false.
    False,
    /// The addon-resizer writes it.
    Resized,
}

/// A key of a chart's values that the chart does not read.
#[derive(Debug, Clone)]
pub(crate) struct UnknownKey {
    /// The keys that lead to it, with dots between them: `image.tga`.
    pub path: String,
    /// What it should stand below: a key before it that is empty, or that of the chart's values in
    /// those of the chart above it.
    pub belongs_below: Option<String>,
    /// Whether it is in the values of the chart above it, which reach no chart.
    pub beside: bool,
    /// The keys of the charts that its chart depends on and that read it below theirs.
    pub read_below: Vec<String>,
    /// Whether its value is a mapping.
    pub is_map: bool,
    /// Where it is written.
    pub origin: Origin,
}

/// A value that a chart makes something else of than what is written.
#[derive(Debug, Clone)]
pub(crate) struct WrongValue {
    /// The keys that lead to it, with dots between them.
    pub path: String,
    /// What is written.
    pub text: String,
    /// What becomes of it.
    pub effect: WrongValueEffect,
    /// Where it is written.
    pub origin: Origin,
}

/// What becomes of a value of a type that is not meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WrongValueEffect {
    /// Kubernetes refuses it: it takes a mapping.
    WantsMap,
    /// Kubernetes refuses it: it takes a list.
    WantsList,
    /// Kubernetes refuses it: it takes a list of mappings.
    WantsMaps,
    /// A text is true to a template, whatever it says.
    TextIsTrue,
    /// What is false counts as not given, and the default is true.
    FalseIsTrue,
}

/// An APIService for the Metrics API.
#[derive(Debug, Clone)]
pub(crate) struct ApiService {
    /// `v1beta1.metrics.k8s.io`
    pub name: String,
    /// `insecureSkipTLSVerify`
    pub insecure_skip_tls_verify: Fact<bool>,
    /// `caBundle`
    pub ca_bundle: Fact<String>,
    /// What the API server verifies the service's certificate with.
    pub authority: Fact<Authority>,
    /// The service it points at, `namespace/name`.
    pub service: Fact<String>,
    /// The port of that Service which it asks at.
    pub port: Fact<i128>,
    /// Whether that is another program's: prometheus-adapter serves the Metrics API too.
    pub foreign: bool,
    /// Its name in the file.
    pub anchor: Origin,
    /// What a missing thing of the release that makes it is reported at, if one does.
    pub release: Option<Origin>,
}

/// Who says what the API server verifies the certificate of an APIService with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Authority {
    /// The `caBundle` that is written.
    Bundle,
    /// Helm, which makes one when it installs: `tls.type: helm`.
    Helm,
    /// A controller that writes one in the cluster, as an annotation asks it to.
    Injected,
}

/// An object of an API version that Kubernetes removed.
#[derive(Debug, Clone)]
pub(crate) struct RemovedApiVersion {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// `policy/v1beta1`
    pub api_version: String,
    /// The first release of Kubernetes without it.
    pub by: Version,
    /// The API version that took its place, if one did.
    pub instead: Option<&'static str>,
    /// Whether everything that this object has is called the same there, and means the same.
    pub means_the_same: bool,
    /// Where it is written; for a chart's, the chart's version.
    pub origin: Origin,
}

/// A version that changes without a change in the repository.
#[derive(Debug, Clone)]
pub(crate) struct MovingVersion {
    /// What it is of: the release, the workload, the object that refers to it.
    pub subject: String,
    /// What may come of it.
    pub moves: Moves,
    /// As it is written; empty where nothing is.
    pub text: String,
    /// Where it is written, or would be.
    pub origin: Origin,
}

/// What a version that changes may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moves {
    /// Any newer version of the chart.
    AnyChart,
    /// Versions of the chart up to some bound.
    Chart,
    /// Versions of the chart that differ in their last number.
    Patch,
    /// Another image of the same tag.
    Tag,
    /// The next commit of a branch.
    Branch,
}

/// What one carrier says of the kubelets of one group of nodes.
///
/// A fact that is absent is set nowhere in sight; only where the carrier is [`complete`] does the
/// default of the program count, and that default is in the fact where it is known.
///
/// [`complete`]: Self::complete
#[derive(Debug, Clone)]
pub(crate) struct Kubelet {
    /// Which cluster, as far as the carrier tells: two that differ may be two clusters.
    pub cluster: ClusterId,
    /// Which nodes: `control plane`, `workers`, a pool's name, or the carrier's own name.
    pub group: String,
    /// What carries its settings.
    pub carrier: Carrier,
    /// Who signs when the kubelet's own settings say nothing.
    pub signer: Signer,
    /// Whether the carrier defines these nodes, so that what it does not say is a default.
    pub complete: bool,
    /// What an absent setting is reported at.
    pub anchor: Origin,
    /// Its settings, which are read as if they were its own: `kubelet.port`.
    pub facts: KubeletFacts,
}

facts! {
    /// The settings of a kubelet.
    pub(crate) struct KubeletFacts {
        /// `serverTLSBootstrap` or `--rotate-server-certificates`.
        pub(crate) server_tls_bootstrap: Fact<bool>,
        /// `tlsCertFile` or `--tls-cert-file`.
        pub(crate) tls_cert_file: Fact<String>,
        /// `authentication.webhook.enabled` or `--authentication-token-webhook`.
        pub(crate) webhook_authentication: Fact<bool>,
        /// `authentication.anonymous.enabled` or `--anonymous-auth`.
        pub(crate) anonymous_authentication: Fact<bool>,
        /// `authorization.mode` or `--authorization-mode`.
        pub(crate) authorization_mode: Fact<String>,
        /// `readOnlyPort` or `--read-only-port`.
        pub(crate) read_only_port: Fact<i128>,
        /// `address` or `--address`.
        pub(crate) address: Fact<String>,
        /// `port` or `--port`.
        pub(crate) port: Fact<i128>,
        /// `enableServer` or `--enable-server`.
        pub(crate) enable_server: Fact<bool>,
        /// `maxPods` or `--max-pods`.
        pub(crate) max_pods: Fact<i128>,
        /// `--housekeeping-interval`
        pub(crate) housekeeping_interval: Fact<Duration>,
        /// `featureGates.RotateKubeletServerCertificate`, or that gate in `--feature-gates`.
        pub(crate) rotation_gate: Fact<bool>,
    }
}

/// A setting that would have kubelets request their serving certificates, where nothing reads it.
#[derive(Debug, Clone)]
pub(crate) struct Misplaced {
    /// As written: `serverTLSBootstrap`.
    pub key: String,
    /// What becomes of it, as a sentence without its full stop.
    pub says: String,
    /// What to write instead, as an imperative.
    pub belongs: String,
    /// Where it stands.
    pub origin: Origin,
}

/// An API server.
#[derive(Debug, Clone)]
pub(crate) struct ApiServer {
    /// `--enable-aggregator-routing`: whether it asks each replica behind a Service by itself.
    pub aggregator_routing: Fact<bool>,
    /// What an absent flag is reported at.
    pub anchor: Origin,
}

/// The proxy that an API server is told to use for what it asks of others.
#[derive(Debug, Clone)]
pub(crate) struct Proxy {
    /// The variable that names the proxy, and where.
    pub variable: (String, Origin),
    /// The addresses of services.
    pub services: String,
    /// Where it is said what is reached without the proxy, unless that is nowhere.
    pub exceptions: Option<Origin>,
}

/// A cluster, as the carrier of its nodes tells it from others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClusterId {
    /// What makes it: `kubeadm`, `talos`, `eks`, `kind` …
    pub tool: &'static str,
    /// Its name, or the path of what defines it; none where a carrier knows of no second one.
    pub name: Option<String>,
}

/// Who signs a kubelet's serving certificate unless it is configured otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signer {
    /// The kubelet itself.
    Kubelet,
    /// The platform or installer, without any approver.
    Platform,
    /// Not known.
    Unknown,
}

/// Something that approves kubelet serving certificate requests.
#[derive(Debug, Clone)]
pub(crate) struct Approver {
    /// Its name: the project's, or that of the role that lets it approve.
    pub name: String,
    /// Where it is declared.
    pub origin: Origin,
    /// Whether it is certain to run in this environment's cluster. One that is declared elsewhere
    /// in the repository, suspended, or only allowed to approve may not.
    pub certain: bool,
    /// What makes it approve more than it should, or differently tomorrow.
    pub weaknesses: Vec<(Weakness, Origin)>,
    /// The setting with which its version denies every request.
    pub denies_all: Option<Origin>,
}

/// How the kubelets of an environment get their serving certificates.
#[derive(Debug, Clone)]
pub(crate) struct Serving {
    /// The state.
    pub state: ServingState,
    /// What says so: each place with what it says.
    pub evidence: Vec<(String, Origin)>,
}

/// The states of `kubelet serving certificates`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServingState {
    /// Each kubelet signs its own: nobody can verify them.
    SelfSigned,
    /// Requested from the cluster, but nothing in sight approves the requests.
    BootstrapNoApprover,
    /// Requested from the cluster, and approved.
    BootstrapApproved,
    /// Signed by the platform.
    PlatformSigned,
    /// From files that somebody provides.
    StaticFiles,
    /// Not the same on all nodes.
    Mixed,
    /// The repository does not tell.
    Unknown,
}

impl ServingState {
    /// The name in machine-readable output.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::SelfSigned => "self-signed",
            Self::BootstrapNoApprover => "bootstrapped-without-approver",
            Self::BootstrapApproved => "bootstrapped-and-approved",
            Self::PlatformSigned => "signed-by-platform",
            Self::StaticFiles => "static-files",
            Self::Mixed => "mixed",
            Self::Unknown => "unknown",
        }
    }
}

impl Deref for Kubelet {
    type Target = KubeletFacts;

    fn deref(&self) -> &KubeletFacts {
        &self.facts
    }
}

impl ClusterId {
    /// The only cluster of `tool`.
    pub(crate) fn only(tool: &'static str) -> Self {
        Self { tool, name: None }
    }

    /// The cluster `name` of `tool`.
    pub(crate) fn named(tool: &'static str, name: impl Into<String>) -> Self {
        Self { tool, name: Some(name.into()) }
    }

    /// What people call what makes it; `None` where that is told only by files of its nodes.
    pub(crate) fn product(&self) -> Option<&'static str> {
        Some(match self.tool {
            "aks" => "AKS",
            "cluster-api" => "Cluster API",
            "doks" => "DigitalOcean Kubernetes",
            "eks" => "EKS",
            "gardener" => "Gardener",
            "gke" => "GKE",
            "kops" => "kOps",
            "kubeone" => "KubeOne",
            "openshift" => "OpenShift",
            "rancher" => "Rancher",
            "rke" => "RKE",
            "rke2" => "RKE2",
            "talos" => "Talos",
            "kubelet" | "nodes" => return None,
            // The others write their names in small letters: kubeadm, kind, k3s, k3d, k0s.
            tool => tool,
        })
    }

    /// Whether its tool makes clusters on one's own machine.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self.tool, "kind" | "k3d" | "colima")
    }
}

/// `3`, `3 to 9`, `3 or more`.
impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self { min, max: Some(max) } if min == max => min.fmt(f),
            Self { min, max: Some(max) } => write!(f, "{min} to {max}"),
            Self { min, max: None } => write!(f, "{min} or more"),
        }
    }
}

/// `kind kind.yaml`
impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tool)?;
        self.name.iter().try_for_each(|name| write!(f, " {name}"))
    }
}

impl Cluster {
    /// Whether nothing in the environment concerns us.
    pub(crate) fn is_empty(&self) -> bool {
        self.only_scales() && self.autoscalers.is_empty()
    }

    /// Whether all that concerns us in the environment scales workloads.
    pub(crate) fn only_autoscales(&self) -> bool {
        self.only_scales() && !self.autoscalers.is_empty()
    }

    /// Whether nothing in the environment concerns us but what scales workloads, if anything does.
    pub(crate) fn only_scales(&self) -> bool {
        self.metrics_servers.is_empty()
            && self.charts.is_empty()
            && self.kubelets.is_empty()
            && self.misplaced.is_empty()
            && self.approvers.is_empty()
            && self.api_services.is_empty()
            && self.nodes.is_absent()
            && self.problems.iter().all(|it| !it.concerns)
    }
}
