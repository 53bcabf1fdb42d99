//! Words that say nothing of whoever uses them, since everybody in the field does.

use super::{CHARTS, FIELDS, MANIFESTS, MERGE_KEYS};

/// What files end in.
pub(crate) const EXTENSIONS: &[&str] = &[
    "yaml",
    "yml",
    "json",
    "jsonnet",
    "toml",
    "env",
    "tf",
    "tfvars",
    "hcl",
    "sh",
    "tpl",
    "tmpl",
    "tftpl",
    "gotmpl",
    "j2",
    "tgz",
    "txt",
    "md",
    "sops",
    "enc",
    "py",
    "go",
    "ts",
    "cue",
    "lock",
    "properties",
    "conf",
    "service",
    "ini",
    "mk",
];

/// What clusters and environments are commonly called, and what the program and its documents call
/// things.
const WORDS: &str = "
    metrics-server-lint report show check environment root config output keep
    true false null yes no none known absent unknown invalid cluster clusters
    primary step related other manifests values-file argo cd application helm release flux
    kustomization kustomize terraform helmfile fleet k3s k3d kind kubeadm talos rke rke2 k0s kops
    gardener kubeone minikube docker desktop colima eks aks gke eksctl rancher ansible pulumi karpenter
    keda crossplane capi topf talhelper talconfig kubespray
    manifest bundled helm-release chart charts
    self-signed bootstrapped-without-approver bootstrapped-and-approved signed-by-platform
    static-files mixed workers worker control plane all nodes node pool first of the master masters
    etc kubernetes pki var lib run tmp opt usr local bin
    apps app base bases overlay overlays component components infrastructure infra environments envs
    env stages stage staging prod production prd dev development test tests testing qa
    lab sandbox main master default common shared core system platform addons addon
    services controllers configs crds crd sources repositories repos resources patches patch
    values helmrelease helmrepository ocirepository gitrepository
    helmfile kustomizeconfig ks namespace deployment configmap secret secrets vars variables outputs
    providers versions settings files templates template scripts modules module examples example docs
    gotk-sync gotk-components flux-system gitops bootstrap argocd applicationset applicationsets
    rbac apiservice apiservices serviceaccount clusterrole clusterrolebinding rolebinding role hpa vpa
    pdb networkpolicy servicemonitor podmonitor github workflows action actions gitlab ci
    Makefile Taskfile Justfile justfile Dockerfile Chart Tiltfile skaffold
    monitoring observability kube-system kube-public kube-node-lease kube-prometheus-stack prometheus
    cert-manager cilium calico istio istio-system linkerd kubernetes-dashboard
    metrics-server metrics-server-nanny addon-resizer kubelet-csr-approver
    kubelet-serving-cert-approver kubelet-rubber-stamp kubelet kubelets kube-apiserver
    HorizontalPodAutoscaler VerticalPodAutoscaler ScaledObject HelmRelease HelmRepository
    OCIRepository GitRepository Bucket HelmChart HelmChartConfig HelmChartProxy ClusterResourceSet
    Kustomization Component Application ApplicationSet AppProject ConfigMap Secret Namespace Deployment
    DaemonSet StatefulSet ReplicaSet Pod Job CronJob Rollout Service ServiceAccount ClusterRole
    ClusterRoleBinding Role RoleBinding APIService PodDisruptionBudget NetworkPolicy PriorityClass
    ServiceMonitor PodMonitor Certificate Issuer ClusterIssuer List GitRepo Bundle
    KubeletConfiguration ClusterConfiguration InitConfiguration JoinConfiguration KubeadmConfig
    KubeadmConfigTemplate KubeadmControlPlane KubeadmControlPlaneTemplate Cluster ClusterClass
    MachineDeployment MachinePool MachineConfig InstanceGroup ClusterConfig Shoot KubeOneCluster
    v1 v2 v1alpha1 v1alpha2 v1alpha3 v1alpha4 v1beta1 v1beta2 v1beta3 v2beta1 v2beta2 policy batch
    kustomize.toolkit.fluxcd.io helm.toolkit.fluxcd.io source.toolkit.fluxcd.io
    notification.toolkit.fluxcd.io image.toolkit.fluxcd.io fluxcd.controlplane.io
    source.extensions.fluxcd.io rbac.authorization.k8s.io apiregistration.k8s.io metrics.k8s.io
    v1beta1.metrics.k8s.io networking.k8s.io scheduling.k8s.io cert-manager.io argoproj.io
    monitoring.coreos.com kubelet.config.k8s.io kubeadm.k8s.io controlplane.cluster.x-k8s.io
    bootstrap.cluster.x-k8s.io cluster.x-k8s.io kustomize.config.k8s.io kind.x-k8s.io
    apiextensions.k8s.io autoscaling policy
    https http oci git ssh file
    kubernetes-sigs.github.io github.com raw.githubusercontent.com registry.k8s.io k8s.gcr.io gcr.io
    ghcr.io quay.io docker.io registry-1.docker.io public.ecr.aws mcr.microsoft.com
    charts.bitnami.com charts.helm.sh kubernetes-charts.storage.googleapis.com
    rke2-charts.rancher.io kubernetes.default.svc kubernetes-sigs kubernetes-incubator bitnami
    bitnamicharts bitnamilegacy stable google-containers google_containers rancher postfinance
    alex1989hu releases download components.yaml high-availability autoscale
    app.kubernetes.io helm.sh managed-by part-of Helm instance kubernetes.io node-role.kubernetes.io topology.kubernetes.io hostname
    authentication.k8s.io authorization.k8s.io tokenreviews subjectaccessreviews pods nodes namespaces
    get list watch create update delete endpoints endpointslices services deployments replicasets
    statefulsets daemonsets horizontalpodautoscalers scale nodemetrics podmetrics
    rotate server serving machine extraArgs kubeletExtraArgs extraConfig extraManifests machineConfig
    Provider Alert Receiver ImagePolicy ImageRepository ImageUpdateAutomation FluxInstance
    ResourceSet ResourceSetInputProvider ExternalArtifact ArtifactGenerator
    tokenreviews.authentication.k8s.io subjectaccessreviews.authorization.k8s.io tls.crt tls.key ca.crt
    readiness liveness startup probe certificates certificate approve approver kubectl request requests
    limit read-only built not that join from to anyone over preferred required something is in the
    repository it some other any on with without key operator value effect group_vars host_vars k8s
    k0sctl shoot install-config controlplane global inventory talos-machine cluster-api csr-approver
    Resource resource target type Utilization averageUtilization cpu memory utilization metrics
    AverageValue averageValue spec metadata template containers data stringData configMapGenerator
    secretGenerator envs literals spec.path resources.0 arguments UTF-8 UTF-16
    aws-auth systemd kubelet-serving rotate-server-certificates topologySpreadConstraint
    ignoreDifferences postBuild providerIpPrefixes PROVIDER_IP_PREFIXES enable-aggregator-routing
    authorization mode generate_serving_certificate exclude cluster-api-provider-hetzner example.com
    linux amd64 arm64 arm64v8
    InternalIP ExternalIP Hostname InternalDNS ExternalDNS InternalIP,ExternalIP,Hostname
    RuntimeDefault restricted baseline privileged Always IfNotPresent Never ClusterFirst
    RollingUpdate Recreate RequiredDuringScheduling Exists Equal NoSchedule NoExecute
    system-cluster-critical system-node-critical
";

/// Words of messages that no rule's page has.
const SENTENCES: &str = "
    evaluated full standard texts computes cycle includes overridden joining nested deeply links
    layer raise printed sharing aliases expand alias filled configured percentage code substituted
    hangs withdrawn seen inject indent mean searched installer decides self fills tab indents spaces
    illegal placement indicator anchor expected become provides provide declares bypassed prefixes
    managed plan agent control-plane drop evict lies outside written generated templated rendered
    replaced applied patched transformed takes fill merged guess refers circle block decrypted
    encrypted remote fetched fetch branch downloaded parsed parse duplicate colon comma quote quotes
    bracket brace mapping sequence scalar token character characters line column begins ends end
    HCL hcl body newline identifier generator generators clusters function functions EKS eks add-on
    controller controllers writes write cluster key keys list lists map maps string strings number
    byte bytes larger longer shorter exist exists does did are is in and or s t ll re ve
";

/// Words that may stand anywhere.
pub(crate) fn words() -> impl Iterator<Item = &'static str> {
    // The values and flags of charts, fields, kinds and names of upstream.
    let data = CHARTS.into_iter().chain([FIELDS, MERGE_KEYS, MANIFESTS]);
    let lines = data.flat_map(str::lines).filter(|it| !it.trim().starts_with('#'));
    let data = lines.flat_map(|it| it.split(|it: char| !is_part(it)));
    data.map(|it| it.trim_matches(['.', '-'])).chain(WORDS.split_whitespace())
}

/// Further words that may stand in our own sentences.
pub(crate) fn of_sentences() -> impl Iterator<Item = &'static str> {
    SENTENCES.split_whitespace()
}

/// Whether a word goes on with `it`.
fn is_part(it: char) -> bool {
    it.is_alphanumeric() || ['.', '-', '_', '+'].contains(&it)
}
