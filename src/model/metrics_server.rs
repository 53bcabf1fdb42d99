//! One metrics-server, with its settings.

use std::{ops::Deref, sync::Arc};

use semver::Version;

use crate::{
    model::{
        Access, ApiService, Argument, Cpu, Duration, Fact, IntOrPercent, Memory, NetworkPolicy,
        NotText, Pod, ReleaseFacts, Resizer, Service,
        fact::{Datum, Facts, facts},
        mesh::Mesh,
        workload::flag,
    },
    tree::{Origin, Reason, Via},
};

/// One metrics-server.
#[derive(Debug, Clone)]
pub(crate) struct MetricsServer {
    /// The workload's name.
    pub name: String,
    /// Its namespace; `default` when nothing says otherwise.
    pub namespace: String,
    /// Whether that stands for one that nobody can tell.
    pub is_anywhere: bool,
    /// How it gets there: `manifest`, `helm-release`, `values-file`, `helm-chart`, `argo-cd`,
    /// `bundled` …
    pub via: &'static str,
    /// The chart, if it comes from one: its name and version.
    pub chart: Option<(String, Fact<String>)>,
    /// The value of that chart that says where it listens.
    pub port_value: Option<&'static str>,
    /// What a default is reported at: the workload's name, the release's chart version.
    pub anchor: Origin,
    /// Whether the installer sets its flags, not this repository.
    pub managed: bool,
    /// Who brings it along, if the platform does: `k3s`, `the EKS add-on`.
    pub platform: Option<String>,
    /// Whether what applies it is suspended, so that the cluster may run something else.
    pub suspended: bool,
    /// The name of its account, which is in its namespace.
    pub account: Fact<String>,
    /// What RBAC lets it do.
    pub access: Arc<Access>,
    /// The arguments that something took out of its list, and what did.
    pub removed_args: Vec<(String, Origin)>,
    /// The other containers of its pods.
    pub beside: Vec<Container>,
    /// The addon-resizer beside it, which rewrites its requests and limits in the cluster.
    pub resizer: Option<Resizer>,
    /// What is no text where Kubernetes takes nothing else, in it and in what is installed with it.
    pub not_texts: Vec<NotText>,
    /// The service mesh that keeps the API server away from its pods, if one certainly does.
    pub mesh: Option<Mesh>,
    /// What says that its pods run on Fargate, in words, and where.
    pub fargate: Option<(String, Origin)>,
    /// The network policies that select its pods; `None` when nobody can tell.
    pub policies: Option<Vec<NetworkPolicy>>,
    /// How long what installs its chart waits until it is ready; absent where nothing waits.
    pub release_timeout: Fact<Duration>,
    /// The versions of the program that it may be, oldest first, without what a distribution
    /// appends, as in `0.7.2-eksbuild.1`; none when nobody can tell.
    pub versions: Vec<Version>,
    /// What the release of its chart says besides.
    pub release: Option<ReleaseFacts>,
    /// Its pods, where they can be seen.
    pub pod: Option<Pod>,
    /// The APIService that is to lead to it.
    pub registration: Option<ApiService>,
    /// The Services in front of it: those that select its pods, and the one that the APIService names.
    pub services: Arc<[Service]>,
    /// Its settings, which are read as if they were its own: `server.replicas`.
    pub facts: MetricsServerFacts,
}

facts! {
    /// The settings of a metrics-server.
    pub(crate) struct MetricsServerFacts {
        /// The kind of the workload: `Deployment`, `DaemonSet` …
        pub(crate) kind: Fact<String>,
        /// The image as written.
        pub(crate) image: Fact<String>,
        /// Its repository, with the registry: what stands before the tag.
        pub(crate) image_repository: Fact<String>,
        /// Its tag.
        pub(crate) image_tag: Fact<String>,
        /// `command` (without the program) and `args`, each with where it is written.
        pub(crate) args: Fact<Vec<Arg>>,
        /// `--kubelet-insecure-tls`
        pub(crate) kubelet_insecure_tls: Fact<bool>,
        /// `--kubelet-certificate-authority`
        pub(crate) kubelet_certificate_authority: Fact<String>,
        /// `--kubelet-client-certificate`
        pub(crate) kubelet_client_certificate: Fact<String>,
        /// `--kubelet-client-key`
        pub(crate) kubelet_client_key: Fact<String>,
        /// `--deprecated-kubelet-completely-insecure`
        pub(crate) kubelet_completely_insecure: Fact<bool>,
        /// `--kubelet-port`
        pub(crate) kubelet_port: Fact<i128>,
        /// `--kubelet-preferred-address-types`: in the order in which they are tried, each once.
        pub(crate) kubelet_preferred_address_types: Fact<String>,
        /// `--kubelet-use-node-status-port`
        pub(crate) kubelet_use_node_status_port: Fact<bool>,
        /// `--kubelet-request-timeout`
        pub(crate) kubelet_request_timeout: Fact<Duration>,
        /// `--metric-resolution`
        pub(crate) metric_resolution: Fact<Duration>,
        /// `--secure-port`
        pub(crate) secure_port: Fact<i128>,
        /// The container's port named `https`, or its only one.
        pub(crate) container_port: Fact<i128>,
        /// `hostNetwork`
        pub(crate) host_network: Fact<bool>,
        /// `replicas`
        pub(crate) replicas: Fact<i128>,
        /// `strategy.type`
        pub(crate) strategy_type: Fact<String>,
        /// `strategy.rollingUpdate.maxUnavailable`
        pub(crate) strategy_max_unavailable: Fact<IntOrPercent>,
        /// `strategy.rollingUpdate.maxSurge`
        pub(crate) strategy_max_surge: Fact<IntOrPercent>,
        /// The PodDisruptionBudget's `minAvailable`.
        pub(crate) pdb_min_available: Fact<IntOrPercent>,
        /// The PodDisruptionBudget's `maxUnavailable`.
        pub(crate) pdb_max_unavailable: Fact<IntOrPercent>,
        /// A `ResourceQuota` of its namespace, which may allow classes of priority.
        pub(crate) resource_quota: Fact<String>,
        /// `priorityClassName`
        pub(crate) priority_class: Fact<String>,
        /// `resources.requests.cpu`
        pub(crate) cpu_request: Fact<Cpu>,
        /// `resources.limits.cpu`
        pub(crate) cpu_limit: Fact<Cpu>,
        /// `resources.requests.memory`
        pub(crate) memory_request: Fact<Memory>,
        /// `resources.limits.memory`
        pub(crate) memory_limit: Fact<Memory>,
        /// `--tls-cert-file`
        pub(crate) tls_cert_file: Fact<String>,
        /// `--tls-private-key-file`
        pub(crate) tls_private_key_file: Fact<String>,
        /// `--cert-dir`
        pub(crate) cert_dir: Fact<String>,
        /// The APIService's `insecureSkipTLSVerify`.
        pub(crate) api_service_insecure_skip_tls_verify: Fact<bool>,
        /// The APIService's `caBundle`.
        pub(crate) api_service_ca_bundle: Fact<String>,
    }
}

/// A container, as far as its resources go.
#[derive(Debug, Clone)]
pub(crate) struct Container {
    /// Its name.
    pub name: String,
    /// What a missing setting is reported at: its resources, else its name.
    pub anchor: Origin,
    /// What it asks for.
    pub resources: Resources,
}

facts! {
    /// `resources` of a container.
    pub(crate) struct Resources {
        /// `requests.cpu`
        pub(crate) cpu_request: Fact<Cpu>,
        /// `limits.cpu`
        pub(crate) cpu_limit: Fact<Cpu>,
        /// `requests.memory`
        pub(crate) memory_request: Fact<Memory>,
        /// `limits.memory`
        pub(crate) memory_limit: Fact<Memory>,
    }
}

/// One item of a container's `command` or `args`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Arg {
    /// The item as the program sees it.
    pub text: String,
    /// Where it comes from.
    pub origin: Origin,
    /// Why the item cannot be told; its text is then the `--flag=` that it starts with, or empty.
    pub unknown: Option<Reason>,
    /// Whether it may not be there at all.
    pub perhaps: bool,
    /// Whether it is text, as Kubernetes demands: `true` and `15` without quotes are not.
    pub is_text: bool,
}

impl MetricsServer {
    /// Its settings and its rights, each under the name that `show` gives it.
    pub(crate) fn facts(&self) -> Vec<(&'static str, Fact<Datum>)> {
        let mut facts = self.facts.facts();
        facts.extend(self.pod.iter().flat_map(Pod::facts));
        if !self.release_timeout.is_absent() {
            facts.push(("release_timeout", self.release_timeout.datum()));
        }
        if let Some(resizer) = &self.resizer {
            facts.push(("resizer_memory", resizer.base.datum()));
            facts.push(("resizer_extra_memory", resizer.per_node.datum()));
            facts.push(("resizer_min_cluster_size", resizer.smallest.datum()));
        }
        let text = |it: &str, at: &Origin| Fact::Known(Datum::Text(it.to_owned()), at.clone());
        facts.extend(self.mesh.iter().map(|it| ("mesh", text(it.name, &it.strict))));
        facts.extend(self.fargate.iter().map(|(_, at)| ("runs_on", text("Fargate", at))));
        facts.extend(self.release.iter().flat_map(Facts::facts));
        facts
    }

    /// Where a flag that is not passed is missing: at what took it out, or else at the list.
    pub(crate) fn lacks(&self, flag: &str) -> Origin {
        let name = |text: &str| text.strip_prefix("--")?.split('=').next().map(|it| it == flag);
        let removed = self.removed_args.iter().rfind(|(text, _)| name(text) == Some(true));
        let place = removed.map(|(_, by)| by).or(self.args.origin());
        place.map_or_else(|| self.anchor.clone(), |it| it.or(&self.anchor))
    }

    /// The port that it listens on, once it is told or known: the default is that of 0.3.0 and newer.
    pub(crate) fn listens_on(&self) -> Option<(i128, &Origin)> {
        let (port, at) = self.secure_port.known().filter(|(port, _)| **port > 0)?;
        let default = at.last().via == Via::FlagDefault;
        let has_default = || self.versions.first().is_some_and(|it| *it >= Version::new(0, 3, 0));
        (!default || has_default()).then_some((*port, at))
    }

    /// Whether it certainly is not root: upstream's images have a user of their own since 0.4.0.
    pub(crate) fn is_not_root(&self) -> bool {
        let Some(security) = self.pod.as_ref().map(|it| &it.security) else { return false };
        let by_image = || {
            let own = self.versions.first().is_some_and(|it| *it >= Version::new(0, 4, 0));
            own && security.run_as_user.is_absent() && self.has_upstream_image()
        };
        security.run_as_user.value().is_some_and(|it| *it != 0)
            || security.run_as_non_root.value() == Some(&true)
            || by_image()
    }

    /// Whether the image is upstream's own, which holds the program and nothing else.
    pub(crate) fn has_upstream_image(&self) -> bool {
        let repository = self.image_repository.value().map(String::as_str);
        matches!(
            repository,
            Some(
                "registry.k8s.io/metrics-server/metrics-server"
                    | "k8s.gcr.io/metrics-server/metrics-server"
            )
        )
    }

    /// What its arguments are to the program; nothing when nobody can tell them.
    pub(crate) fn arguments(&self) -> Vec<Argument<'_>> {
        self.args.value().map(|args| flag::arguments(args)).unwrap_or_default()
    }

    /// The version that its chart is made for and the one that its image is, where somebody names
    /// an image of another minor version.
    pub(crate) fn differs_from_chart(&self) -> Option<(&Version, &Version)> {
        let made_for = self.release.as_ref()?.chart_app_version.value()?;
        let [image] = self.versions.as_slice() else { return None };
        let is_named = self.image_tag.origin().is_some_and(|it| !it.is_default());
        let differs = image.major == made_for.major && image.minor != made_for.minor;
        (is_named && differs).then_some((made_for, image))
    }

    /// `kube-system/metrics-server`
    pub(crate) fn subject(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

impl Deref for MetricsServer {
    type Target = MetricsServerFacts;

    fn deref(&self) -> &MetricsServerFacts {
        &self.facts
    }
}
