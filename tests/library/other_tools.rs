//! Argo CD and the tools beside it, over small repositories: what each environment gets, and where
//! a person edits it.

use insta::assert_snapshot;

use super::{common, fixture, fixture_with, ways, written};
use crate::{
    config::{self, Config},
    discover,
    pipeline::{analyze, check},
    problem::Problem,
    source::Sources,
    tree::Node,
};

/// What the releases of a scenario get. What becomes of it is in the snapshot `show` of the scenario.
fn scenario(path: &str) -> String {
    let root = common::repository().join("testdata").join(path);
    installed(&discover::open(&root, &[], &[], &|| {}).expect("the scenario is a directory"))
}

/// What the releases of each environment get.
fn installed(sources: &Sources) -> String {
    ways::releases(sources, &analyze(sources, &Config::default()).0)
}

/// What is written of each environment.
fn described(sources: &Sources) -> String {
    let (environments, clusters) = analyze(sources, &Config::default());
    let all = environments.into_iter().zip(clusters);
    all.map(|it| written::describe(sources, &it)).collect()
}

/// A repository in which the line `DEPLOYMENT` stands for a metrics-server.
fn repository(text: &str) -> Sources {
    fixture_with(&[("DEPLOYMENT", DEPLOYMENT)], text)
}

#[test]
fn an_application_of_applications() {
    assert_snapshot!(scenario("argo-cd/app-of-apps"), @r#"
    default:
      ingress 4.11.3  apps/ingress.yaml:11 `4.11.3`
      metrics-server 3.12.2  apps/metrics-server.yaml:11 `3.12.2`
        replicas: 2  values/metrics-server.yaml:1 overridden `1` < apps/metrics-server.yaml:16
        args:
          - --kubelet-insecure-tls  apps/metrics-server.yaml:14 values `$values/values/metrics-server.yaml` < values/metrics-server.yaml:3
        resources.requests.cpu: 100m  apps/metrics-server.yaml:14 values `$values/values/metrics-server.yaml` < values/metrics-server.yaml:6
        resources.requests.memory: 200Mi  apps/metrics-server.yaml:14 values `$values/values/metrics-server.yaml` < values/metrics-server.yaml:7
        resources.limits.memory: 300Mi  values/metrics-server.yaml:9 overridden `250Mi` < apps/metrics-server.yaml:19
        podAnnotations.checksum: "12"  apps/metrics-server.yaml:21
    "#);
}

#[test]
fn an_application_set_with_a_list_and_one_with_files() {
    assert_snapshot!(scenario("argo-cd/application-set"), @r#"
    production:
      kubelet-csr-approver 1.2.14  sets/approver.yaml:22 `1.2.14`
        providerRegex: ^prod-\d+$  sets/approver.yaml:26 rendered `.approver.regex | quote` < clusters/production/addons.yaml:2
        replicas: 3  sets/approver.yaml:27 rendered `default 1 .approver.replicas` < clusters/production/addons.yaml:4
        metrics.enable: true  sets/approver.yaml:30 rendered `.approver.metrics` < clusters/production/addons.yaml:3
      metrics-server 3.12.2  sets/metrics-server.yaml:24 `3.12.2`
        replicas: 2  sets/metrics-server.yaml:28 templated `{{replicas}}` < sets/metrics-server.yaml:15 `"2"`
        resources.limits.memory: 512Mi  sets/metrics-server.yaml:31 templated `{{memory}}` < sets/metrics-server.yaml:14
        args:
          - --kubelet-request-timeout=5s  sets/metrics-server.yaml:33
    staging:
      kubelet-csr-approver 1.2.14  sets/approver.yaml:22 `1.2.14`
        providerRegex: ^node-\d+$  sets/approver.yaml:26 rendered `.approver.regex | quote` < clusters/staging/addons.yaml:2
        replicas: 1  sets/approver.yaml:27
        metrics.enable: false  sets/approver.yaml:30 rendered `.approver.metrics` < clusters/staging/addons.yaml:3
      metrics-server 3.12.2  sets/metrics-server.yaml:24 `3.12.2`
        replicas: 1  sets/metrics-server.yaml:28 templated `{{replicas}}` < sets/metrics-server.yaml:12 `"1"`
        resources.limits.memory: 128Mi  sets/metrics-server.yaml:31 templated `{{memory}}` < sets/metrics-server.yaml:11
        args:
          - --kubelet-request-timeout=5s  sets/metrics-server.yaml:33
    "#);
}

#[test]
fn a_helm_chart_of_k3s_with_its_config() {
    assert_snapshot!(scenario("k3s-helm-chart"), @r#"
    default:
      metrics-server 3.12.2  manifests/metrics-server.yaml:10 `3.12.2`
        replicas: 2  manifests/metrics-server.yaml:13 overridden `1` < manifests/metrics-server.yaml:20
        args:
          - --kubelet-preferred-address-types=InternalIP  manifests/metrics-server.yaml:15
        resources.limits.memory: 400Mi  manifests/metrics-server.yaml:18 overridden `200Mi` < manifests/metrics-server-config.yaml:10
        podLabels.tier: "3"  manifests/metrics-server.yaml:21
    "#);
}

#[test]
fn a_helm_chart_proxy_knows_what_it_does_not_take_from_the_cluster() {
    assert_snapshot!(scenario("cluster-api-helm"), @"
    default:
      metrics-server 3.12.1  proxy.yaml:12 `3.12.1`
        replicas: unknown: it is filled in for each cluster  proxy.yaml:15 rendered `.Cluster.spec.topology.controlPlane.replicas`
        args:
          - --kubelet-insecure-tls  proxy.yaml:17
        podLabels.cluster: unknown: it is filled in for each cluster  proxy.yaml:19 rendered `.Cluster.metadata.name`
        podLabels.team: platform  proxy.yaml:20
    ");
}

#[test]
fn a_root_module_of_terraform_may_be_the_repository() {
    let sources = fixture(
        r#"
        //- main.tf
        resource "helm_release" "metrics_server" {
          name       = "metrics-server"
          repository = "https://kubernetes-sigs.github.io/metrics-server/"
          chart      = "metrics-server"
          version    = "3.12.2"
          values     = [file("${path.module}/values.yaml"), file("${path.root}/more/values.yaml")]
        }
        //- values.yaml
        args: [--kubelet-insecure-tls]
        //- more/values.yaml
        replicas: 2
        "#,
    );
    let installed = installed(&sources);
    assert!(installed.contains("--kubelet-insecure-tls  main.tf:6"), "{installed}");
    assert!(installed.contains("replicas: 2  main.tf:6"), "{installed}");
    assert_eq!(installed.matches("metrics-server 3.12.2").count(), 1);
}

#[test]
fn a_helm_release_and_a_module_of_terraform() {
    assert_snapshot!(scenario("terraform"), @r#"
    eks:
      metrics-server 3.12.2  eks/metrics-server.tf:9 values `local.metrics_server_version` < eks/metrics-server.tf:2 `"3.12.2"`
        replicas: 2  eks/values/metrics-server.yaml:1 overridden `1` < eks/metrics-server.tf:25
        priorityClassName: system-node-critical  eks/metrics-server.tf:13 values `file("${path.module}/values/metrics-server.yaml")` < eks/values/metrics-server.yaml:2
        args:
          - --kubelet-insecure-tls  eks/values/metrics-server.yaml:4 overridden `--v=2` < eks/metrics-server.tf:34 `"--kubelet-insecure-tls"`
        resources.requests.memory: 150Mi  eks/metrics-server.tf:17
        resources.limits.memory: unknown: `var.memory_limit` is set outside of the code  eks/metrics-server.tf:19 `${var.memory_limit}`
        podLabels.team: platform  eks/metrics-server.tf:21
        podAnnotations.example.com/cluster: unknown: `data.aws_eks_cluster` is known only to Terraform  eks/metrics-server.tf:27 `data.aws_eks_cluster.this.name`
        hostNetwork.enabled: unknown: `var.host_network` is set outside of the code  eks/metrics-server.tf:41 `true`
    live/dev:
      metrics-server 3.12.1  modules/metrics-server/main.tf:18 values `var.chart_version` < modules/metrics-server/main.tf:2 `"3.12.1"`
        replicas: 1  modules/metrics-server/main.tf:21 values `templatefile("${path.module}/values.yaml.tftpl", { replicas = var.replicas })` < modules/metrics-server/values.yaml.tftpl:2 templated `${replicas}` < modules/metrics-server/main.tf:21 values `var.replicas` < live/dev/main.tf:3
        podDisruptionBudget.enabled: true  modules/metrics-server/main.tf:21 values `templatefile("${path.module}/values.yaml.tftpl", { replicas = var.replicas })` < modules/metrics-server/values.yaml.tftpl:4
        podDisruptionBudget.minAvailable: 1  modules/metrics-server/main.tf:21 values `templatefile("${path.module}/values.yaml.tftpl", { replicas = var.replicas })` < modules/metrics-server/values.yaml.tftpl:5
        resources.limits.memory: 256Mi  modules/metrics-server/main.tf:26 `"256Mi"`
    live/prod:
      metrics-server 3.12.1  modules/metrics-server/main.tf:18 values `var.chart_version` < modules/metrics-server/main.tf:2 `"3.12.1"`
        replicas: 2  modules/metrics-server/main.tf:21 values `templatefile("${path.module}/values.yaml.tftpl", { replicas = var.replicas })` < modules/metrics-server/values.yaml.tftpl:2 templated `${replicas}` < modules/metrics-server/main.tf:21 values `var.replicas` < live/prod/main.tf:3
        podDisruptionBudget.enabled: true  modules/metrics-server/main.tf:21 values `templatefile("${path.module}/values.yaml.tftpl", { replicas = var.replicas })` < modules/metrics-server/values.yaml.tftpl:4
        podDisruptionBudget.minAvailable: 1  modules/metrics-server/main.tf:21 values `templatefile("${path.module}/values.yaml.tftpl", { replicas = var.replicas })` < modules/metrics-server/values.yaml.tftpl:5
        resources.limits.memory: 256Mi  modules/metrics-server/main.tf:26 `"256Mi"`
    "#);
}

#[test]
fn a_root_module_of_terraform_whose_values_cannot_all_be_told() {
    let sources = fixture(
        r#"
        //- main.tf
        locals {
          chart = { version = "3.12.1", "version" = "3.12.2" }
          pod = {
            "example.org/a" = 1
            team            = "one"
            "example.org/a" = 2
            team            = "two"
          }
        }
        resource "helm_release" "metrics_server" {
          name       = "metrics-server"
          repository = "https://kubernetes-sigs.github.io/metrics-server/"
          chart      = "metrics-server"
          version    = local.chart.version
          values = [
            file("${path.module}/values/a.yaml"),
            file("${path.cwd}/values/b.yaml"),
            yamlencode({ podLabels = local.pod }),
          ]
        }
        resource "helm_release" "unknown" {
          name       = "second"
          repository = "https://kubernetes-sigs.github.io/metrics-server/"
          chart      = "metrics-server"
          version    = "3.12.2"
          values     = compact([var.values, data.http.values.response_body])
          set_list {
            name  = "args"
            value = ["--kubelet-insecure-tls"]
          }
          set {
            name  = "hostNetwork.enabled"
            value = true
          }
        }
        //- values/a.yaml
        replicas: 2
        //- values/b.yaml
        revisionHistoryLimit: 1
        "#,
    );
    assert_snapshot!(installed(&sources), @r#"
    default:
      metrics-server 3.12.2  main.tf:14 values `local.chart.version` < main.tf:2 `"3.12.2"`
        replicas: 2  main.tf:16 values `file("${path.module}/values/a.yaml")` < values/a.yaml:1
        revisionHistoryLimit: 1  main.tf:17 values `file("${path.cwd}/values/b.yaml")` < values/b.yaml:1
        podLabels.example.org/a: 2  main.tf:18 values `local.pod` < main.tf:6
        podLabels.team: two  main.tf:18 values `local.pod` < main.tf:7 `"two"`
      second 3.12.2  main.tf:25 `"3.12.2"`
        hostNetwork.enabled: true  main.tf:33
        hostNetwork.*: unknown: `data.http` is known only to Terraform
        args:
          - --kubelet-insecure-tls  main.tf:29 `"--kubelet-insecure-tls"`
        *: unknown: `data.http` is known only to Terraform
    unresolved: `var.values` is set outside of the code  main.tf:26:25 `var.values`
    unresolved: `data.http` is known only to Terraform  main.tf:26:37 `data.http.values.response_body`
    "#);
}

#[test]
fn a_module_of_terraform_that_installs_any_chart() {
    let sources = fixture(
        r#"
        //- modules/chart/main.tf
        resource "helm_release" "this" {
          name       = var.name
          repository = var.repository
          chart      = var.name
          version    = var.chart_version
          values     = concat(var.values, [yamlencode({ podLabels = { team = "one" } })])
        }
        variable "values" { default = [] }
        //- live/main.tf
        module "metrics_server" {
          source        = "../modules/chart"
          name          = "metrics-server"
          repository    = "https://kubernetes-sigs.github.io/metrics-server/"
          chart_version = "3.12.2"
          values = [
            "replicas: 2",
            yamlencode({ args = ["--kubelet-insecure-tls"] }),
            file("metrics-server.yaml"),
          ]
        }
        //- live/metrics-server.yaml
        revisionHistoryLimit: 1
        "#,
    );
    assert_snapshot!(installed(&sources), @r#"
    live:
      metrics-server 3.12.2  modules/chart/main.tf:5 values `var.chart_version` < live/main.tf:5 `"3.12.2"`
        replicas: 2  modules/chart/main.tf:6 values `var.values` < live/main.tf:7
        args:
          - --kubelet-insecure-tls  modules/chart/main.tf:6 values `var.values` < live/main.tf:8 `"--kubelet-insecure-tls"`
        revisionHistoryLimit: 1  modules/chart/main.tf:6 values `var.values` < live/main.tf:9 values `file("metrics-server.yaml")` < live/metrics-server.yaml:1
        podLabels.team: one  modules/chart/main.tf:6 `"one"`
    "#);
}

/// The problems of every environment: `path:line message`.
fn problems(text: &str) -> String {
    let sources = fixture(text);
    let (environments, _) = analyze(&sources, &Config::default());
    let line = |it: &Problem| {
        let at = it.at.written_at().expect("a place");
        format!("{}:{} {}\n", sources[at.file].path, sources.start(at).line, it.message)
    };
    environments.iter().flat_map(|it| &it.problems).map(line).collect()
}

#[test]
fn a_chart_of_another_program_is_none_that_is_missed() {
    assert_snapshot!(problems(
        r#"
        //- main.tf
        resource "helm_release" "own" {
          name  = "a"
          chart = "example/our_metrics_server"
        }
        resource "helm_release" "exporter" {
          name  = "b"
          chart = "example/metrics-server-exporter"
        }
        "#,
    ), @"main.tf:3 `example/our_metrics_server` is not a metrics-server chart that this tool knows: what it installs is unknown");
}

#[test]
fn a_module_of_terraform_from_elsewhere_is_said_to_be_unread() {
    assert_snapshot!(problems(
        r#"
        //- main.tf
        module "addons" {
          source                = "aws-ia/eks-blueprints-addons/aws"
          enable_metrics_server = true
        }
        module "more_addons" {
          source                = "aws-ia/eks-blueprints-addons/aws"
          enable_metrics_server = false
          metrics_server        = { chart_version = "3.12.2" }
        }
        module "others" {
          source         = "example/addons/aws"
          metrics_server = { enabled = false }
          # metrics-server comes with the cluster
          depends_on = [module.metrics_server]
        }
        module "named" {
          source = "example/metrics-server/aws"
        }
        module "cluster" {
          source = "terraform-aws-modules/eks/aws"
          addons = { metrics-server = {} }
        }
        "#,
    ), @r"
    main.tf:17 the module `named` (example/metrics-server/aws) is not in the repository: what it installs is unknown
    ");
}

#[test]
fn what_terraform_installs_by_other_resources_is_said_to_be_unread() {
    assert_snapshot!(problems(
        r#"
        //- application/main.tf
        resource "argocd_application" "metrics_server" {
          spec {
            source {
              chart = "metrics-server"
            }
          }
        }
        //- url/main.tf
        data "http" "it" {
          url = "https://github.com/kubernetes-sigs/metrics-server/releases/latest/download/components.yaml"
        }
        resource "kubectl_manifest" "metrics_server" {
          yaml_body = data.http.it.response_body # metrics-server
        }
        //- manifests/main.tf
        resource "kubernetes_manifest" "service" {
          manifest = { kind = "Service", metadata = { name = "metrics-server" } }
        }
        resource "kubernetes_manifest" "deployment" {
          manifest = { kind = "Deployment", metadata = { name = "metrics-server" } }
        }
        //- approver/main.tf
        resource "kubectl_manifest" "approver" {
          yaml_body = file("/opt/kubelet-csr-approver.yaml")
        }
        //- fetched/main.tf
        data "http" "approver" {
          url = "https://example.com/kubelet-csr-approver/${var.version}/install.yaml"
        }
        //- nothing/main.tf
        resource "kubectl_manifest" "settings" {
          yaml_body = <<-YAML
            kind: ConfigMap
            metadata: {name: metrics-server-config}
          YAML
        }
        resource "kubectl_manifest" "never" {
          count     = 0
          yaml_body = file("/opt/metrics-server.yaml")
        }
        "#,
    ), @r#"
    application/main.tf:4 `metrics-server` may be any chart of that name: what it installs is unknown
    approver/main.tf:2 an approver is installed by `kubectl_manifest`, which is not read
    fetched/main.tf:2 an approver is fetched by `http`, and what becomes of it is not read
    manifests/main.tf:5 metrics-server is installed by `kubernetes_manifest`, which is not read
    url/main.tf:2 https://github.com/kubernetes-sigs/metrics-server/releases/latest/download/components.yaml is another version from time to time
    "#);
}

#[test]
fn lists_of_charts_that_terraform_installs_are_said_to_be_unread() {
    assert_snapshot!(problems(
        r#"
        //- encoded/main.tf
        locals { charts = yamldecode(base64decode(file("${path.module}/charts.yaml"))) }
        resource "helm_release" "all" {
          for_each = local.charts
          chart    = each.value.chart
        }
        //- encoded/charts.yaml
        nginx: {chart: nginx}
        # metrics-server: not here
        metrics: {chart: metrics-server}
        //- variables/main.tf
        variable "charts" {}
        module "releases" {
          source = "./releases"
          list   = var.charts
        }
        //- variables/releases/main.tf
        variable "list" {}
        resource "helm_release" "all" {
          for_each = var.list
          chart    = each.key
        }
        //- variables/more.tfvars
        charts = {
          metrics-server = { version = "3.12.2" }
        }
        //- none/main.tf
        resource "helm_release" "all" {
          for_each = toset(["nginx"])
          chart    = each.key
        }
        //- live/addons/terragrunt.hcl
        terraform { source = "tfr:///example/addons/aws" }
        inputs = {
          # enable_metrics_server = true
          enable_metrics_server = true
        }
        //- live/others/terragrunt.hcl
        terraform { source = "tfr:///example/addons/aws" }
        inputs = { enable_metrics_server = false }
        "#,
    ), @r#"
    encoded/charts.yaml:3 metrics-server is in a list of charts, which is not read
    live/addons/terragrunt.hcl:4 what Terragrunt passes to a module is not read: what it installs is unknown
    variables/more.tfvars:2 metrics-server is in a list of charts, which is not read
    "#);
}

#[test]
fn a_helmfile_with_two_environments() {
    assert_snapshot!(scenario("helmfile"), @r#"
    production:
      metrics-server 3.12.2  helmfile.yaml:17 rendered `.Values.metricsServer.version` < helmfile.yaml:7 values `environments/production.yaml` < environments/production.yaml:3 `3.12.2`
        args:
          - --kubelet-preferred-address-types=InternalIP  helmfile.yaml:20 values `values/metrics-server.yaml` < values/metrics-server.yaml:2
        replicas: 2  helmfile.yaml:21 values `values/metrics-server.yaml.gotmpl` < values/metrics-server.yaml.gotmpl:1 rendered `.Values.metricsServer.replicas` < helmfile.yaml:7 values `environments/production.yaml` < environments/production.yaml:4
        resources.limits.memory: 300Mi  helmfile.yaml:21 values `values/metrics-server.yaml.gotmpl` < values/metrics-server.yaml.gotmpl:4 rendered `.Values | get "metricsServer.memory" "200Mi"` < helmfile.yaml:7 values `environments/production.yaml` < environments/production.yaml:5
        podAnnotations.commit: unknown: `requiredEnv` asks whoever runs Helmfile  helmfile.yaml:21 values `values/metrics-server.yaml.gotmpl` < values/metrics-server.yaml.gotmpl:6 `requiredEnv "COMMIT"`
        podLabels.environment: production  helmfile.yaml:23 rendered `.Environment.Name` < helmfile.yaml:5
        containerPort: 4443  helmfile.yaml:26
      ingress 4.11.3  helmfile.yaml:29 `4.11.3`
    staging:
      metrics-server 3.12.1  helmfile.yaml:17 rendered `.Values.metricsServer.version` < helmfile.yaml:4 values `environments/staging.yaml` < environments/staging.yaml:3 `3.12.1`
        args:
          - --kubelet-preferred-address-types=InternalIP  helmfile.yaml:20 values `values/metrics-server.yaml` < values/metrics-server.yaml:2
        replicas: 1  helmfile.yaml:21 values `values/metrics-server.yaml.gotmpl` < values/metrics-server.yaml.gotmpl:1 rendered `.Values.metricsServer.replicas` < helmfile.yaml:4 values `environments/staging.yaml` < environments/staging.yaml:4
        resources.limits.memory: 200Mi  helmfile.yaml:21 values `values/metrics-server.yaml.gotmpl` < values/metrics-server.yaml.gotmpl:4 `"200Mi"`
        podAnnotations.commit: unknown: `requiredEnv` asks whoever runs Helmfile  helmfile.yaml:21 values `values/metrics-server.yaml.gotmpl` < values/metrics-server.yaml.gotmpl:6 `requiredEnv "COMMIT"`
        podLabels.environment: staging  helmfile.yaml:23 rendered `.Environment.Name` < helmfile.yaml:2
        containerPort: 4443  helmfile.yaml:26
      ingress 4.11.3  helmfile.yaml:29 `4.11.3`
    "#);
}

#[test]
fn a_bundle_of_fleet_with_two_targets() {
    assert_snapshot!(scenario("fleet"), @"
    dev:
      metrics-server 3.12.2  metrics-server/fleet.yaml:6 `3.12.2`
        replicas: 1  metrics-server/fleet.yaml:8
        podLabels.region: unknown: Fleet fills in `${ .ClusterLabels.region }` for each cluster  metrics-server/fleet.yaml:10 `${ .ClusterLabels.region }`
        resources.limits.memory: 250Mi  metrics-server/fleet.yaml:12 values `values.yaml` < metrics-server/values.yaml:3
        args:
          - --kubelet-insecure-tls  metrics-server/fleet.yaml:31
    prod:
      metrics-server 3.12.2  metrics-server/fleet.yaml:6 `3.12.2`
        replicas: 2  metrics-server/fleet.yaml:8 overridden `1` < metrics-server/fleet.yaml:20
        podLabels.region: unknown: Fleet fills in `${ .ClusterLabels.region }` for each cluster  metrics-server/fleet.yaml:10 `${ .ClusterLabels.region }`
        resources.limits.memory: 500Mi  metrics-server/values.yaml:3 overridden `250Mi` < metrics-server/fleet.yaml:23
        args:
          - --v=1  metrics-server/fleet.yaml:12 values `values.yaml` < metrics-server/values.yaml:5
    ");
}

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: metrics-server}
spec:
  replicas: 1
  template:
    spec:
      containers:
        - name: metrics-server
          image: registry.k8s.io/metrics-server/metrics-server:v0.7.2
          args: [--secure-port=10250]
";

#[test]
fn a_kustomize_source_with_edits() {
    assert_snapshot!(described(&repository("
        //- argo/ms.yaml
        apiVersion: argoproj.io/v1alpha1
        kind: Application
        metadata: {name: ms, namespace: argocd}
        spec:
          source:
            repoURL: https://git.example.com/fleet
            path: apps/ms
            kustomize:
              images: ['registry.k8s.io/metrics-server/metrics-server:v0.7.1']
              replicas: [{name: metrics-server, count: 3}]
              patches:
                - target: {kind: Deployment}
                  patch: |-
                    - op: add
                      path: /spec/template/spec/containers/0/args/-
                      value: --kubelet-insecure-tls
          destination: {name: prod, namespace: kube-system}
        //- apps/ms/kustomization.yaml
        resources: [deployment.yaml]
        //- apps/ms/deployment.yaml
        DEPLOYMENT
    ")), @"
    environment prod  argo-cd-application  argo/ms.yaml:3:18
      serving  unknown
      metrics-server kube-system/metrics-server  manifest  apps/ms/deployment.yaml:3:18
        arg  --secure-port=10250  apps/ms/deployment.yaml:11:18
        arg  --kubelet-insecure-tls  argo/ms.yaml:16:22
        kind  Deployment  apps/ms/deployment.yaml:3:18
        image  registry.k8s.io/metrics-server/metrics-server:v0.7.1  apps/ms/deployment.yaml:10:18 transformed < argo/ms.yaml:9:16 + apps/ms/deployment.yaml:10:18
        image_repository  registry.k8s.io/metrics-server/metrics-server  apps/ms/deployment.yaml:10:18
        image_tag  v0.7.1  apps/ms/deployment.yaml:10:18 transformed < argo/ms.yaml:9:16
        kubelet_insecure_tls  true  argo/ms.yaml:16:22
        secure_port  10250  apps/ms/deployment.yaml:11:18
        replicas  3  apps/ms/deployment.yaml:5:13 transformed < argo/ms.yaml:10:48
    ");
}

#[test]
fn overlays_of_applications_are_environments_and_what_they_deploy_belongs_to_them() {
    assert_snapshot!(described(&repository("
        //- argo/base/kustomization.yaml
        resources: [ms.yaml]
        //- argo/base/ms.yaml
        apiVersion: argoproj.io/v1alpha1
        kind: Application
        metadata: {name: ms, namespace: argocd}
        spec:
          source: {repoURL: 'https://git.example.com/fleet', path: apps/dev}
          destination: {server: 'https://kubernetes.default.svc', namespace: kube-system}
        //- argo/overlays/dev/kustomization.yaml
        resources: [../../base]
        //- argo/overlays/prod/kustomization.yaml
        resources: [../../base]
        patches:
          - target: {kind: Application}
            patch: '- {op: replace, path: /spec/source/path, value: apps/prod}'
        //- apps/base/kustomization.yaml
        resources: [deployment.yaml]
        //- apps/base/deployment.yaml
        DEPLOYMENT
        //- apps/dev/kustomization.yaml
        resources: [../base]
        //- apps/prod/kustomization.yaml
        resources: [../base]
        replicas: [{name: metrics-server, count: 2}]
    ")), @"
    environment argo/overlays/dev  kustomization  argo/overlays/dev/kustomization.yaml:1:1
      serving  unknown
      metrics-server kube-system/metrics-server  manifest  apps/base/deployment.yaml:3:18
        arg  --secure-port=10250  apps/base/deployment.yaml:11:18
        kind  Deployment  apps/base/deployment.yaml:3:18
        image  registry.k8s.io/metrics-server/metrics-server:v0.7.2  apps/base/deployment.yaml:10:18
        image_repository  registry.k8s.io/metrics-server/metrics-server  apps/base/deployment.yaml:10:18
        image_tag  v0.7.2  apps/base/deployment.yaml:10:18
        secure_port  10250  apps/base/deployment.yaml:11:18
        replicas  1  apps/base/deployment.yaml:5:13
    environment argo/overlays/prod  kustomization  argo/overlays/prod/kustomization.yaml:1:1
      serving  unknown
      metrics-server kube-system/metrics-server  manifest  apps/base/deployment.yaml:3:18
        arg  --secure-port=10250  apps/base/deployment.yaml:11:18
        kind  Deployment  apps/base/deployment.yaml:3:18
        image  registry.k8s.io/metrics-server/metrics-server:v0.7.2  apps/base/deployment.yaml:10:18
        image_repository  registry.k8s.io/metrics-server/metrics-server  apps/base/deployment.yaml:10:18
        image_tag  v0.7.2  apps/base/deployment.yaml:10:18
        secure_port  10250  apps/base/deployment.yaml:11:18
        replicas  2  apps/base/deployment.yaml:5:13 transformed < apps/prod/kustomization.yaml:2:42
    ");
}

#[test]
fn a_set_over_directories() {
    assert_snapshot!(described(&repository("
        //- set.yaml
        apiVersion: argoproj.io/v1alpha1
        kind: ApplicationSet
        metadata: {name: apps, namespace: argocd}
        spec:
          generators:
            - git:
                repoURL: https://git.example.com/fleet
                directories: [{path: clusters/*/apps/*}, {path: clusters/*/apps/old, exclude: true}]
          template:
            metadata: {name: '{{path[1]}}-{{path.basename}}'}
            spec:
              source: {repoURL: 'https://git.example.com/fleet', path: '{{path}}'}
              destination: {name: '{{path[1]}}', namespace: kube-system}
        //- clusters/dev/apps/ms/ms.yaml
        DEPLOYMENT
        //- clusters/prod/apps/ms/kustomization.yaml
        resources: [ms.yaml]
        //- clusters/prod/apps/ms/ms.yaml
        DEPLOYMENT
        //- clusters/prod/apps/old/ms.yaml
        kind: X # metrics-server
    ")), @"
    environment dev  argo-cd-application  set.yaml:10:35 templated < set.yaml:8:30
      serving  unknown
      metrics-server kube-system/metrics-server  manifest  clusters/dev/apps/ms/ms.yaml:3:18
        arg  --secure-port=10250  clusters/dev/apps/ms/ms.yaml:11:18
        kind  Deployment  clusters/dev/apps/ms/ms.yaml:3:18
        image  registry.k8s.io/metrics-server/metrics-server:v0.7.2  clusters/dev/apps/ms/ms.yaml:10:18
        image_repository  registry.k8s.io/metrics-server/metrics-server  clusters/dev/apps/ms/ms.yaml:10:18
        image_tag  v0.7.2  clusters/dev/apps/ms/ms.yaml:10:18
        secure_port  10250  clusters/dev/apps/ms/ms.yaml:11:18
        replicas  1  clusters/dev/apps/ms/ms.yaml:5:13
    environment prod  argo-cd-application  set.yaml:10:35 templated < set.yaml:8:30
      serving  unknown
      metrics-server kube-system/metrics-server  manifest  clusters/prod/apps/ms/ms.yaml:3:18
        arg  --secure-port=10250  clusters/prod/apps/ms/ms.yaml:11:18
        kind  Deployment  clusters/prod/apps/ms/ms.yaml:3:18
        image  registry.k8s.io/metrics-server/metrics-server:v0.7.2  clusters/prod/apps/ms/ms.yaml:10:18
        image_repository  registry.k8s.io/metrics-server/metrics-server  clusters/prod/apps/ms/ms.yaml:10:18
        image_tag  v0.7.2  clusters/prod/apps/ms/ms.yaml:10:18
        secure_port  10250  clusters/prod/apps/ms/ms.yaml:11:18
        replicas  1  clusters/prod/apps/ms/ms.yaml:5:13
    ");
}

#[test]
fn an_umbrella_chart_of_this_repository() {
    assert_snapshot!(described(&repository("
        //- argo/ms.yaml
        apiVersion: argoproj.io/v1alpha1
        kind: Application
        metadata: {name: ms, namespace: argocd}
        spec:
          source:
            repoURL: https://git.example.com/fleet
            path: charts/ms
            helm:
              valueFiles: [values-prod.yaml]
              parameters: [{name: metrics-server.replicas, value: '2'}]
          destination: {name: prod, namespace: kube-system}
        //- charts/ms/Chart.yaml
        apiVersion: v2
        name: ms
        version: 0.1.0
        dependencies:
          - name: metrics-server
            version: 3.12.2
            repository: https://kubernetes-sigs.github.io/metrics-server
        //- charts/ms/values.yaml
        metrics-server:
          replicas: 1
          args: [--v=2]
        //- charts/ms/values-prod.yaml
        metrics-server:
          args: [--kubelet-insecure-tls]
    ")), @"
    environment prod  argo-cd-application  argo/ms.yaml:3:18
      serving  unknown
      metrics-server kube-system/ms-metrics-server  argo-cd  charts/ms/Chart.yaml:6:14
        chart metrics-server  3.12.2  charts/ms/Chart.yaml:6:14
        arg  --kubelet-insecure-tls  argo/ms.yaml:9:20 values < charts/ms/values-prod.yaml:2:10
        kind  Deployment  charts/ms/Chart.yaml:6:14
        kubelet_insecure_tls  true  argo/ms.yaml:9:20 values < charts/ms/values-prod.yaml:2:10
        replicas  2  charts/ms/values.yaml:2:13 overridden < argo/ms.yaml:10:59
        chart_repository  https://kubernetes-sigs.github.io/metrics-server  charts/ms/Chart.yaml:7:17
      APIService v1beta1.metrics.k8s.io  charts/ms/Chart.yaml:6:14
        service  kube-system/ms-metrics-server  charts/ms/Chart.yaml:6:14
    ");
}

#[test]
fn a_chart_of_applications() {
    let sources = repository(
        r#"
        //- root.yaml
        apiVersion: argoproj.io/v1alpha1
        kind: Application
        metadata: {name: root, namespace: argocd}
        spec:
          source: {repoURL: 'https://git.example.com/fleet', path: charts/apps}
          destination: {name: in-cluster, namespace: argocd}
        //- charts/apps/Chart.yaml
        {apiVersion: v2, name: apps, version: 0.1.0}
        //- charts/apps/values.yaml
        metricsServer: {version: 3.12.2, replicas: 2}
        //- charts/apps/templates/metrics-server.yaml
        apiVersion: argoproj.io/v1alpha1
        kind: Application
        metadata:
          name: metrics-server
          namespace: {{ .Release.Namespace }}
        spec:
          source:
            repoURL: https://kubernetes-sigs.github.io/metrics-server
            chart: metrics-server
            targetRevision: {{ .Values.metricsServer.version }}
            helm:
              valuesObject:
                replicas: {{ .Values.metricsServer.replicas | default 1 }}
                podLabels: {cluster: {{ include "cluster" . }}}
          destination: {name: in-cluster, namespace: kube-system}
        //- charts/apps/templates/other.yaml
        {{ range .Values.others }}
        apiVersion: argoproj.io/v1alpha1
        {{ end }}
        "#,
    );
    assert_snapshot!(installed(&sources), @r#"
    default:
      root 0.1.0  root.yaml:5 `charts/apps`
      metrics-server 3.12.2  charts/apps/templates/metrics-server.yaml:10 rendered `.Values.metricsServer.version` < charts/apps/values.yaml:1 `3.12.2`
        replicas: 2  charts/apps/templates/metrics-server.yaml:13 rendered `.Values.metricsServer.replicas | default 1` < charts/apps/values.yaml:1
        podLabels.cluster: unknown: there is no template "cluster"  charts/apps/templates/metrics-server.yaml:14 `include "cluster" .`
    build-fails: there is no template "cluster"  charts/apps/templates/metrics-server.yaml:14:33 `include "cluster" .`
    "#);
    assert_snapshot!(described(&sources), @r#"
    environment default  argo-cd-application  root.yaml:3:18
      serving  unknown
      metrics-server kube-system/metrics-server  argo-cd  charts/apps/templates/metrics-server.yaml:10:24 rendered < charts/apps/values.yaml:1:26
        chart metrics-server  3.12.2  charts/apps/templates/metrics-server.yaml:10:24 rendered < charts/apps/values.yaml:1:26
        kind  Deployment  charts/apps/templates/metrics-server.yaml:10:24 rendered < charts/apps/values.yaml:1:26
        replicas  2  charts/apps/templates/metrics-server.yaml:13:22 rendered < charts/apps/values.yaml:1:44
        chart_repository  https://kubernetes-sigs.github.io/metrics-server  charts/apps/templates/metrics-server.yaml:8:14
      APIService v1beta1.metrics.k8s.io  charts/apps/templates/metrics-server.yaml:10:24 rendered < charts/apps/values.yaml:1:26
        service  kube-system/metrics-server  charts/apps/templates/metrics-server.yaml:10:24 rendered < charts/apps/values.yaml:1:26
      build-fails: there is no template "cluster"  charts/apps/templates/metrics-server.yaml:14:33
    "#);
}

#[test]
fn what_argo_cd_takes_from_elsewhere_is_not_guessed() {
    assert_snapshot!(described(&repository("
        //- argo/pinned.yaml
        apiVersion: argoproj.io/v1alpha1
        kind: Application
        metadata: {name: ms, namespace: argocd}
        spec:
          source:
            repoURL: https://git.example.com/fleet
            path: apps/ms
            targetRevision: v1.2.0
          destination: {name: prod, namespace: kube-system}
        //- argo/chart.yaml
        apiVersion: argoproj.io/v1alpha1
        kind: Application
        metadata: {name: metrics-server, namespace: argocd}
        spec:
          sources:
            - repoURL: https://kubernetes-sigs.github.io/metrics-server
              chart: metrics-server
              targetRevision: 3.12.2
              helm:
                valueFiles: [$values/ms.yaml, $values/missing.yaml]
                valuesObject: {args: [--kubelet-insecure-tls]}
            - {repoURL: 'https://git.example.com/values', ref: values}
          destination: {name: lab, namespace: kube-system}
        //- apps/ms/ms.yaml
        DEPLOYMENT
    ")), @"
    environment default  manifests  apps/ms/ms.yaml:3:18
      serving  unknown
      metrics-server default/metrics-server  manifest  apps/ms/ms.yaml:3:18
        arg  --secure-port=10250  apps/ms/ms.yaml:11:18
        kind  Deployment  apps/ms/ms.yaml:3:18
        image  registry.k8s.io/metrics-server/metrics-server:v0.7.2  apps/ms/ms.yaml:10:18
        image_repository  registry.k8s.io/metrics-server/metrics-server  apps/ms/ms.yaml:10:18
        image_tag  v0.7.2  apps/ms/ms.yaml:10:18
        secure_port  10250  apps/ms/ms.yaml:11:18
        replicas  1  apps/ms/ms.yaml:5:13
    environment lab  argo-cd-application  argo/chart.yaml:3:18
      serving  unknown
      metrics-server kube-system/  argo-cd  argo/chart.yaml:8:23
        chart metrics-server  3.12.2  argo/chart.yaml:8:23
        arg  unknown: `https://git.example.com/values` is not known to be this repository  argo/chart.yaml:11:23
        arg  unknown: `https://git.example.com/values` is not known to be this repository  argo/chart.yaml:11:23
        arg  unknown: `https://git.example.com/values` is not known to be this repository  argo/chart.yaml:11:23
        arg  --kubelet-insecure-tls  argo/chart.yaml:11:31
        kind  Deployment  argo/chart.yaml:11:23
        kubelet_insecure_tls  true  argo/chart.yaml:11:31
        chart_repository  https://kubernetes-sigs.github.io/metrics-server  argo/chart.yaml:6:16
        all but kind kubelet_insecure_tls resource_quota chart_app_version chart_repository tls_type tls_existing_secret_name tls_existing_secret_lookup tls_secret  unknown: `https://git.example.com/values` is not known to be this repository  argo/chart.yaml:11:23
      APIService v1beta1.metrics.k8s.io  argo/chart.yaml:8:23
        all  unknown: `https://git.example.com/values` is not known to be this repository  argo/chart.yaml:11:23
      unresolved: `https://git.example.com/values` is not known to be this repository  argo/chart.yaml:10:22
      unresolved: `https://git.example.com/values` is not known to be this repository  argo/chart.yaml:10:39
    environment prod  argo-cd-application  argo/pinned.yaml:3:18
      serving  unknown
      unresolved: it is deployed from the revision `v1.2.0`, which may not be what lies here  argo/pinned.yaml:6:14
    ");
}

#[test]
fn a_file_parameter_is_the_content_of_its_file() {
    let application = "
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: ms, namespace: argocd}
spec:
  source:
    repoURL: https://git.example.com/fleet
    path: charts/ms
    helm:
      fileParameters:
        - {name: 'metrics-server.args[0]', path: flag.yaml}
        - {name: metrics-server.priorityClassName, path: gone.yaml}
  destination: {name: prod, namespace: x}
";
    let chart = "
apiVersion: v2
name: ms
version: 0.1.0
dependencies:
  - {name: metrics-server, version: 3.12.2, repository: 'https://kubernetes-sigs.github.io/metrics-server'}
";
    let sources = crate::source::Sources::in_memory([
        ("argo/metrics-server.yaml", application),
        ("charts/ms/Chart.yaml", chart),
        ("charts/ms/flag.yaml", "--kubelet-preferred-address-types=Hostname,InternalIP"),
    ]);
    let said = described(&sources);
    let lines =
        |word: &str| said.lines().filter(|it| it.contains(word)).collect::<Vec<_>>().join("\n");
    let flag =
        "arg  --kubelet-preferred-address-types=Hostname,InternalIP  charts/ms/flag.yaml:1:1";
    assert!(lines("flag.yaml").contains(flag), "{said}");
    assert!(lines("gone.yaml").contains("gone.yaml does not exist"), "{said}");
    assert!(lines("priority_class").contains("it is the content of a file"), "{said}");
}

#[test]
fn a_values_file_that_does_not_exist_fails_the_application() {
    let files = "
        //- argo/metrics-server.yaml
        apiVersion: argoproj.io/v1alpha1
        kind: Application
        metadata: {name: ms, namespace: argocd}
        spec:
          source:
            repoURL: https://git.example.com/fleet
            path: charts/ms
            helm: {valueFiles: [missing.yaml]}
          destination: {name: prod, namespace: x}
        //- charts/ms/Chart.yaml
        apiVersion: v2
        name: ms
        version: 0.1.0
        dependencies:
          - name: metrics-server
            version: 3.12.2
            repository: https://kubernetes-sigs.github.io/metrics-server
    ";
    assert_snapshot!(described(&repository(files)), @"
    environment prod  argo-cd-application  argo/metrics-server.yaml:3:18
      serving  unknown
      metrics-server x/  argo-cd  charts/ms/Chart.yaml:6:14
        chart metrics-server  3.12.2  charts/ms/Chart.yaml:6:14
        arg  unknown: a values file does not exist  argo/metrics-server.yaml:8:11 overridden < argo/metrics-server.yaml:8:25 values < argo/metrics-server.yaml:8:25
        arg  unknown: a values file does not exist  argo/metrics-server.yaml:8:11 overridden < argo/metrics-server.yaml:8:25 values < argo/metrics-server.yaml:8:25
        arg  unknown: a values file does not exist  argo/metrics-server.yaml:8:11 overridden < argo/metrics-server.yaml:8:25 values < argo/metrics-server.yaml:8:25
        arg  unknown: a values file does not exist  argo/metrics-server.yaml:8:11 overridden < argo/metrics-server.yaml:8:25 values < argo/metrics-server.yaml:8:25
        kind  Deployment  argo/metrics-server.yaml:8:11 overridden < argo/metrics-server.yaml:8:25 values < argo/metrics-server.yaml:8:25
        chart_repository  https://kubernetes-sigs.github.io/metrics-server  charts/ms/Chart.yaml:7:17
        all but kind resource_quota chart_app_version chart_repository tls_type tls_existing_secret_name tls_existing_secret_lookup tls_secret  unknown: a values file does not exist  argo/metrics-server.yaml:8:11 overridden < argo/metrics-server.yaml:8:25 values < argo/metrics-server.yaml:8:25
      APIService v1beta1.metrics.k8s.io  charts/ms/Chart.yaml:6:14
        all  unknown: a values file does not exist  argo/metrics-server.yaml:8:11 overridden < argo/metrics-server.yaml:8:25 values < argo/metrics-server.yaml:8:25
      build-fails: missing.yaml does not exist, so Argo CD cannot render the chart  argo/metrics-server.yaml:8:25
    ");
    let ignored = files.replace("helm: {", "helm: {ignoreMissingValueFiles: true, ");
    assert_snapshot!(described(&repository(&ignored)), @"
    environment prod  argo-cd-application  argo/metrics-server.yaml:3:18
      serving  unknown
      metrics-server x/ms-metrics-server  argo-cd  charts/ms/Chart.yaml:6:14
        chart metrics-server  3.12.2  charts/ms/Chart.yaml:6:14
        kind  Deployment  charts/ms/Chart.yaml:6:14
        chart_repository  https://kubernetes-sigs.github.io/metrics-server  charts/ms/Chart.yaml:7:17
      APIService v1beta1.metrics.k8s.io  charts/ms/Chart.yaml:6:14
        service  x/ms-metrics-server  charts/ms/Chart.yaml:6:14
    ");
}

/// What `check` says of a repository, a line each: severity, rule, message.
fn said(text: &str) -> Vec<String> {
    let (_, clusters) = analyze(&repository(text), &Config::default());
    let findings = check(&clusters).into_iter().filter(|it| !it.pedantic);
    findings.map(|it| format!("{} {}: {}", it.severity.id(), it.rule, it.message)).collect()
}

const APPLICATION: &str = "apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: NAME, namespace: argocd}
spec:
  source: {repoURL: 'https://example.org/own', path: PATH}
  destination: {server: 'https://kubernetes.default.svc', namespace: kube-system}
";

fn application(name: &str, path: &str) -> String {
    APPLICATION.replace("NAME", name).replace("PATH", path)
}

#[test]
fn one_argo_cd_has_one_application_of_a_name() {
    let cluster = |name: &str| {
        let root = application(&format!("root-{name}"), &format!("argo/{name}"));
        let server = application("metrics-server", &format!("overlays/{name}"));
        format!(
            "//- roots/{name}.yaml\n{root}//- argo/{name}/ms.yaml\n{server}\
             //- overlays/{name}/ms.yaml\n{DEPLOYMENT}"
        )
    };
    let sources = fixture(&(cluster("blue") + &cluster("green")));
    let (environments, clusters) = analyze(&sources, &Config::default());
    let names: Vec<&str> = environments.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["root-blue", "root-green"]);
    assert!(clusters.iter().all(|it| it.metrics_servers.len() == 1));
}

#[test]
fn roots_of_one_name_are_those_of_several_clusters() {
    let of = |files: [&str; 2]| {
        let cluster = |name: &str, file: &str| {
            let server = application("metrics-server", &format!("overlays/{name}"));
            let files = format!(
                "//- argo/{name}/ms.yaml\n{server}//- overlays/{name}/ms.yaml\n{DEPLOYMENT}"
            );
            (format!("{file}{}", application("root", &format!("argo/{name}"))), files)
        };
        let (roots, rest): (Vec<_>, Vec<_>) =
            [cluster("blue", files[0]), cluster("green", files[1])].into_iter().unzip();
        let sources = fixture(&(roots.concat() + &rest.concat()));
        let (environments, clusters) = analyze(&sources, &Config::default());
        assert!(clusters.iter().all(|it| it.metrics_servers.len() == 1));
        environments.into_iter().map(|it| it.name).collect::<Vec<_>>()
    };
    let apart = of(["//- roots/blue.yaml\n", "//- roots/green.yaml\n"]);
    assert_eq!(apart, ["roots/blue.yaml", "roots/green.yaml"]);
    assert_eq!(of(["//- roots/all.yaml\n", "---\n"]), ["roots/all.yaml:1", "roots/all.yaml:8"]);
}

#[test]
fn what_no_application_reads_is_parked() {
    let [root, server] =
        [application("root", "argocd"), application("metrics-server", "manifests/ms")];
    let repository = |dir: &str| {
        let gone = application("gone", "manifests/gone");
        said(&format!(
            "//- argocd/root.yaml\n{root}//- argocd/ms.yaml\n{server}//- {dir}/gone.yaml\n{gone}\
             //- manifests/ms/ms.yaml\n{DEPLOYMENT}"
        ))
    };
    let errors = |found: &[String]| found.iter().filter(|it| it.contains("build-fails")).count();
    assert_eq!(errors(&repository("argocd-disabled")), 0);
}

#[test]
fn a_path_that_is_not_there_is_told_with_the_one_that_is() {
    let server = application("metrics-server", "manifests/metrics-servr");
    let other = application("other", "manifests/other");
    let found = said(&format!(
        "//- argocd/ms.yaml\n{server}//- argocd/other.yaml\n{other}\
         //- manifests/other/ns.yaml\nkind: Namespace\napiVersion: v1\nmetadata: {{name: x}}\n\
         //- manifests/metrics-server/ms.yaml\n{DEPLOYMENT}\
         //- argocd/third.yaml\n{}",
        application("third", "manifests")
    ));
    let expected = "error build-fails: Application metrics-server (argocd/ms.yaml:3) has path \
        manifests/metrics-servr, which is not in the repository";
    assert!(found.iter().any(|it| it == expected), "{found:?}");
}

#[test]
fn what_a_patch_is_for_may_come_from_a_chart_that_is_not_read() {
    let is_refused = |charts: &str| {
        let found = said(&format!(
            "//- app.yaml\n{}//- ms/ms.yaml\n{DEPLOYMENT}//- ms/kustomization.yaml\n\
             resources: [ms.yaml]\n{charts}\npatches:\n  - patch: |\n      \
             {{apiVersion: v1, kind: ConfigMap, metadata: {{name: vault, labels: {{a: b}}}}}}\n",
            application("metrics-server", "ms")
        ));
        found.iter().any(|it| it.contains("no ConfigMap vault to patch"))
    };
    assert!(is_refused(""));
    assert!(is_refused(
        "helmCharts: [{name: metrics-server, releaseName: second, version: 3.12.2, \
         repo: 'https://kubernetes-sigs.github.io/metrics-server'}]"
    ));
    assert!(!is_refused(
        "helmCharts: [{name: vault, releaseName: vault, repo: 'https://example.org'}]"
    ));
}

#[test]
fn a_kubeadm_document_with_a_name_is_a_part_of_one() {
    let signed = |metadata: &str, last: &str| {
        let found = said(&format!(
            "//- addons/aws/init.yml\napiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n{metadata}\
             //- addons/aws/kubelet.yml\napiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n\
             {metadata}{last}\n"
        ));
        found.into_iter().filter(|it| it.contains("serving-")).collect::<Vec<_>>().join("\n")
    };
    let name = "metadata: {name: kubelet-configuration}\n";
    assert_eq!(signed(name, "maxPods: 200"), "");
    assert!(signed("", "maxPods: 200").contains("sign their own"));
    // What it says is said.
    assert!(
        signed(name, "serverTLSBootstrap: true").contains("serving-bootstrap-without-approver")
    );
}

#[test]
fn a_variable_in_a_path_is_not_mistaken_for_a_typing_error() {
    let sources = repository(
        "
        //- clusters/prod/flux-system/gotk-sync.yaml
        apiVersion: source.toolkit.fluxcd.io/v1
        kind: GitRepository
        metadata: {name: flux-system, namespace: flux-system}
        spec: {url: 'https://example.org/own'}
        ---
        apiVersion: kustomize.toolkit.fluxcd.io/v1
        kind: Kustomization
        metadata: {name: flux-system, namespace: flux-system}
        spec: {path: ./clusters/prod, sourceRef: {kind: GitRepository, name: flux-system}}
        //- clusters/prod/apps.yaml
        apiVersion: kustomize.toolkit.fluxcd.io/v1
        kind: Kustomization
        metadata: {name: metrics-server, namespace: flux-system}
        spec: {path: './apps/ms-${CLUSTER:=prod}', sourceRef: {kind: GitRepository, name: flux-system}}
        //- apps/ms-prod/ms.yaml
        DEPLOYMENT
        ",
    );
    let (_, clusters) = analyze(&sources, &Config::default());
    let found = check(&clusters);
    let found: Vec<_> = found.iter().filter(|it| it.rule == "build-fails").collect();
    let [finding] = found[..] else { panic!("{found:?}") };
    let help = finding.help.as_deref().unwrap_or_default();
    assert!(help.contains("spec.postBuild"), "{help}");
}

/// A chart with one template, which an Application deploys or not.
fn chart(template: &str, deployed: bool) -> Vec<String> {
    let root = if deployed { application("apps", "apps") } else { String::new() };
    said(&format!(
        "//- apps.yaml\n{root}//- apps/Chart.yaml\nname: apps\nversion: 1.0.0\n\
         //- apps/values.yaml\ninsecure: true\n//- apps/templates/all.yaml\n{template}"
    ))
}

const RELEASE: &str = "apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: metrics-server, namespace: kube-system}
spec:
  chart: {spec: {chart: metrics-server, version: 3.12.2, sourceRef: {kind: HelmRepository, name: x}}}
  values: {args: [--kubelet-insecure-tls]}
";

#[test]
fn a_helm_release_in_a_chart_is_one_like_any_other() {
    for deployed in [true, false] {
        let found = chart(RELEASE, deployed);
        assert!(found.iter().any(|it| it.contains("kubelet-insecure-tls:")), "{found:?}");
    }
}

/// A chart that says metrics-server, in a list of objects, of which the installers say nothing.
const PLATFORM: &str = "
//- charts/platform/Chart.yaml
{apiVersion: v2, name: platform, version: 1.0.0}
//- charts/platform/values.yaml
resolution: 15s
//- charts/platform/templates/all.yaml
apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: metrics-server, namespace: kube-system}
  spec:
    template:
      spec:
        containers:
        - name: metrics-server
          args: [--metric-resolution={{ .Values.resolution }}]
";

#[test]
fn an_installer_need_not_name_what_a_chart_of_the_repository_installs() {
    let helmfile = "
//- helmfile.yaml
releases:
- {name: platform, namespace: kube-system, chart: ./charts/platform, values: [{resolution: 5s}]}
";
    let terraform = "
//- main.tf
resource \"helm_release\" \"platform\" {
  name   = \"platform\"
  chart  = \"${path.module}/charts/platform\"
  values = [yamlencode({ resolution = \"5s\" })]
}
";
    let release = "
//- release.yaml
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: platform, namespace: kube-system}
spec:
  chart: {spec: {chart: ./charts/platform, sourceRef: {kind: GitRepository, name: flux-system}}}
  values: {resolution: 5s}
//- kustomization.yaml
resources: [release.yaml]
";
    let script = "
//- install.sh
helm upgrade --install platform ./charts/platform -n kube-system --set resolution=5s
";
    for installer in [helmfile, terraform, release, script] {
        let found = said(&format!("{PLATFORM}{installer}"));
        let small = found.iter().any(|it| it.contains("metric-resolution-too-small"));
        assert!(small, "{installer}: {found:?}");
    }
}

/// What the chart of an installer makes other installers install is installed with its values.
#[test]
fn a_chart_that_deploys_others_is_followed_whatever_installs_it() {
    let application = "apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: ms, namespace: argocd}
spec:
  destination: {namespace: kube-system}
  source: {repoURL: 'https://kubernetes-sigs.github.io/metrics-server/', chart: metrics-server,
    targetRevision: 3.12.2, helm: {valuesObject: {args: [--metric-resolution={{ .Values.every }}]}}}
";
    let release = "apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: ms, namespace: kube-system}
spec:
  chart: {spec: {chart: metrics-server, version: 3.12.2, sourceRef: {kind: HelmRepository, name: x}}}
  values: {args: [--metric-resolution={{ .Values.every }}]}
";
    let helm_release = "//- clusters/a/release.yaml
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: apps, namespace: argocd}
spec:
  chart: {spec: {chart: ./apps, sourceRef: {kind: GitRepository, name: flux-system}}}
  values: {every: 5s}
";
    let flux = "//- clusters/b/apps.yaml
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec: {path: ./clusters/a, sourceRef: {kind: GitRepository, name: flux-system}}
";
    let installers = [
        "//- main.tf\nresource \"helm_release\" \"apps\" {
  name   = \"apps\"\n  chart  = \"${path.module}/apps\"
  values = [yamlencode({ every = \"5s\" })]\n}",
        "//- helmfile.yaml\nreleases:\n- {name: apps, chart: ./apps, values: [{every: 5s}]}",
        "//- kustomization.yaml\nhelmGlobals: {chartHome: .}
helmCharts: [{name: apps, releaseName: apps, valuesInline: {every: 5s}}]",
        "//- apps/fleet.yaml\nhelm: {releaseName: apps, values: {every: 5s}}",
        "//- install.sh\nhelm upgrade --install apps ./apps --set every=5s",
        helm_release,
        &format!("{helm_release}{flux}"),
    ];
    for (template, installer) in
        [application, release].iter().flat_map(|it| installers.iter().map(move |by| (it, by)))
    {
        let found = said(&format!(
            "//- apps/Chart.yaml\n{{apiVersion: v2, name: apps, version: 1.0.0}}
//- apps/values.yaml\nevery: 60s\n//- apps/templates/all.yaml\n{template}\n{installer}\n"
        ));
        let small = found.iter().filter(|it| it.contains("metric-resolution-too-small")).count();
        assert_eq!(small, 1, "{installer}: {found:?}");
    }
}

#[test]
fn what_a_chart_prints_of_its_files_is_the_charts() {
    let of = |template: &str, more: &str| {
        let sources = repository(&format!(
            "//- ms/Chart.yaml\n{{apiVersion: v2, name: ms, version: 1.0.0}}
//- ms/values.yaml\nevery: 20s\n//- ms/templates/all.yaml\n{template}
//- ms/files/server.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {{name: metrics-server, namespace: kube-system}}
every: '{{{{ .Values.every }}}}'
{more}"
        ));
        let (environments, _) = analyze(&sources, &Config::default());
        let told = environments.iter().flat_map(|it| {
            let objects = it.objects.iter().filter(|it| it.kind() == "Deployment");
            objects.map(|object| {
                let every = object.node.str_at("every").unwrap_or("?");
                format!("{} {} {every}", it.name, it.entry.kind.id())
            })
        });
        told.collect::<Vec<_>>().join("\n")
    };
    let prints = "{{ tpl (.Files.Get \"files/server.yaml\") . }}";
    let all = "{{ range $path, $_ := .Files.Glob \"files/*.yaml\" }}
{{ tpl ($.Files.Get $path) $ }}\n{{ end }}";
    assert_snapshot!(of(prints, ""), @"ms values-file 20s");
    assert_snapshot!(of(all, ""), @"ms values-file 20s");
    let script = "//- install.sh\nhelm upgrade --install ms ./ms --set every=30s\n";
    assert_snapshot!(of(prints, script), @"install.sh other 30s");
}

/// A chart is told the version that the configuration or what installs it says; of `1.30` nobody
/// knows which one it is.
#[test]
fn a_chart_is_rendered_for_the_kubernetes_of_its_environment() {
    let sources = repository(
        "
        //- .metrics-server-lint.yaml
        environments:
          a: {kubernetes: '1.30'}
          b: {kubernetes: 1.28.3}
        //- ms/Chart.yaml
        {apiVersion: v2, name: ms, version: 1.0.0}
        //- ms/templates/all.yaml
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: metrics-server, namespace: kube-system}
        minor: {{ .Capabilities.KubeVersion.Minor }}
        version: {{ .Capabilities.KubeVersion.Version }}
        new: {{ semverCompare \">=1.29-0\" .Capabilities.KubeVersion.Version }}
        newer: {{ semverCompare \">=1.30.2-0\" .Capabilities.KubeVersion.GitVersion }}
        flow: {{ .Capabilities.APIVersions.Has \"flowcontrol.apiserver.k8s.io/v1\" }}
        //- a/kustomization.yaml
        resources: [../b/release.yaml]
        //- b/kustomization.yaml
        resources: [release.yaml]
        //- b/release.yaml
        apiVersion: helm.toolkit.fluxcd.io/v2
        kind: HelmRelease
        metadata: {name: metrics-server, namespace: kube-system}
        spec:
          chart: {spec: {chart: ./ms, sourceRef: {kind: GitRepository, name: flux-system}}}
        //- c/kustomization.yaml
        helmGlobals: {chartHome: ..}
        helmCharts: [{name: ms, releaseName: metrics-server, kubeVersion: '1.29'}]
        //- d/app.yaml
        apiVersion: argoproj.io/v1alpha1
        kind: Application
        metadata: {name: d, namespace: argocd}
        spec:
          source: {repoURL: 'https://example.org/own', path: ms, helm: {kubeVersion: v1.27.1}}
          destination: {name: in-cluster, namespace: kube-system}
        ",
    );
    let file = sources.find(config::FILE).expect("it is there");
    let config = config::parse(&sources, file, &[]).expect("it is right");
    let (environments, _) = analyze(&sources, &config);
    let mut told = Vec::new();
    for environment in &environments {
        let objects = environment.objects.iter().filter(|it| it.kind() == "Deployment");
        for object in objects {
            let fields = ["minor", "version", "new", "newer", "flow"].map(|it| {
                let field = object.node.get(it).and_then(Node::as_scalar);
                field.map_or("?", |it| &it.text).to_owned()
            });
            told.push(format!("{}: {}", environment.name, fields.join(" ")));
        }
    }
    assert_snapshot!(told.join("\n"), @"
    a: 30 ? true ? true
    b: 28 v1.28.3 false false false
    c: 29 v1.29.0 true false true
    default: 27 v1.27.1 false false false
    ");
}

#[test]
fn what_a_condition_of_a_chart_leaves_out_is_not_there() {
    for (values, there) in [("insecure: true", true), ("other: true", false)] {
        for deployed in [true, false] {
            let template = format!("{{{{- if .Values.insecure }}}}\n{RELEASE}{{{{- end }}}}\n");
            let root = if deployed { application("apps", "apps") } else { String::new() };
            let found = said(&format!(
                "//- apps.yaml\n{root}//- apps/Chart.yaml\nname: apps\nversion: 1.0.0\n\
                 //- apps/values.yaml\n{values}\n//- apps/templates/all.yaml\n{template}"
            ));
            let flag = found.iter().any(|it| it.contains("kubelet-insecure-tls:"));
            assert_eq!(flag, there, "{values} {deployed}: {found:?}");
        }
    }
}

#[test]
fn a_chart_whose_application_is_in_no_file_is_one_that_nothing_installs() {
    let root = application("apps", "apps");
    let nested = format!(
        "//- apps.yaml\n{root}//- apps/Chart.yaml\nname: apps\nversion: 1.0.0\n\
         //- apps/templates/all.yaml\n{{{{- range $path, $_ := .Files.Glob \"*/app.yaml\" }}}}\n\
         {}{{{{- end }}}}\n\
         //- apps/ms/Chart.yaml\nname: ms\nversion: 1.0.0\ndependencies:\n\
         - {{name: metrics-server, version: 3.12.2, \
         repository: 'https://kubernetes-sigs.github.io/metrics-server/'}}\n",
        application("ms", "apps/{{ dir $path }}\n    helm: {values: '{{ $path }}'}")
            .replace(
                "{repoURL: 'https://example.org/own', path: ",
                "\n    repoURL: https://example.org/own\n    path: "
            )
            .replace("'}}", "'}")
    );
    let of = |more: &str| {
        let (_, clusters) = analyze(&repository(&format!("{nested}{more}")), &Config::default());
        let found: Vec<_> = clusters
            .iter()
            .flat_map(|it| it.metrics_servers.iter().map(|server| (it.environment.clone(), server)))
            .map(|(name, server)| (name, server.kubelet_insecure_tls.is_unknown()))
            .collect();
        found
    };
    assert_eq!(of(""), [("apps/ms".to_owned(), false)]);
    let [(name, _)] = &of("//- apps/ms/app.yaml\nx: 1\n")[..] else { panic!("one server") };
    assert_eq!(name, "default");
}

#[test]
fn what_both_sides_of_a_condition_of_terraform_have_in_common_is_known() {
    let sources = fixture(
        r#"
        //- main.tf
        variable "ha" { default = true }
        locals {
          env  = "prod"
          args = concat(["--kubelet-insecure-tls"], var.ha ? ["--v=2"] : [])
          pods = merge({ team = "one", tier = "x" }, var.ha ? { tier = "y" } : {}, { who = "me" })
        }
        resource "helm_release" "metrics_server" {
          name       = "metrics-server"
          repository = "https://kubernetes-sigs.github.io/metrics-server/"
          chart      = "metrics-server"
          version    = local.env != "prod" ? "3.12.1" : "3.12.2"
          values = [
            yamlencode({
              replicas             = local.env == "prod" && !false ? 2 : var.replicas
              revisionHistoryLimit = var.ha ? 3 : 3
              args                 = local.args
              podLabels            = local.pods
              resources = var.ha ? {
                requests = { memory = "200Mi", cpu = "100m" }
                } : {
                requests = { memory = "200Mi", cpu = "50m" }
              }
              podAnnotations = {
                a = coalesce("", "first")
                b = try(local.env, "other")
                c = lookup({ prod = "p" }, local.env, "none")
                d = lookup({ dev = "p" }, local.env, "none")
                e = true ? 1 : "text"
              }
            }),
            var.ha ? yamlencode({ priorityClassName = "system-cluster-critical" }) : "",
          ]
        }
        resource "helm_release" "second" {
          name       = "second"
          repository = "https://kubernetes-sigs.github.io/metrics-server/"
          chart      = "metrics-server"
          version    = "3.12.2"
          values     = var.ha ? [file("ha.yaml")] : []
          set = concat(
            [{ name = "args", value = "{--kubelet-insecure-tls}" }],
            var.ha ? [{ name = "hostNetwork.enabled", value = true }] : [],
          )
        }
        //- ha.yaml
        replicas: 2
        podDisruptionBudget: {enabled: true, minAvailable: 1}
        "#,
    );
    assert_snapshot!(installed(&sources), @r#"
    default:
      metrics-server 3.12.2  main.tf:11 `"3.12.2"`
        replicas: 2  main.tf:14
        revisionHistoryLimit: 3  main.tf:15
        args:
          - --kubelet-insecure-tls  main.tf:16 values `local.args` < main.tf:4 `"--kubelet-insecure-tls"`
          - unknown: `var.ha` is set outside of the code  main.tf:16 values `local.args` < main.tf:4 `"--v=2"`
        podLabels.team: one  main.tf:17 values `local.pods` < main.tf:5 `"one"`
        podLabels.tier: unknown: `var.ha` is set outside of the code  main.tf:17 values `local.pods` < main.tf:5 `"y"`
        podLabels.who: me  main.tf:17 values `local.pods` < main.tf:5 `"me"`
        resources.requests.memory: 200Mi  main.tf:19 `"200Mi"`
        resources.requests.cpu: unknown: `var.ha` is set outside of the code  main.tf:19 `"100m"`
        podAnnotations.a: first  main.tf:24 `"first"`
        podAnnotations.b: prod  main.tf:25 values `local.env` < main.tf:3 `"prod"`
        podAnnotations.c: p  main.tf:26 `"p"`
        podAnnotations.d: none  main.tf:27 `"none"`
        podAnnotations.e: "1"  main.tf:28 `1`
        priorityClassName: unknown: `var.ha` is set outside of the code  main.tf:31 `"system-cluster-critical"`
      second 3.12.2  main.tf:38 `"3.12.2"`
        replicas: unknown: `var.ha` is set outside of the code  main.tf:39 values `file("ha.yaml")` < ha.yaml:1 `2`
        podDisruptionBudget: unknown: `var.ha` is set outside of the code  main.tf:39 values `file("ha.yaml")` < ha.yaml:2 `{enabled: true, minAvailable: 1}`
        args:
          - --kubelet-insecure-tls  main.tf:41 `"{--kubelet-insecure-tls}"`
        hostNetwork.enabled: unknown: `var.ha` is set outside of the code  main.tf:42 `true`
    "#);
}

#[test]
fn an_item_of_a_set_list_that_is_not_known_hides_its_own_flag() {
    let sources = fixture(
        r#"
        //- main.tf
        resource "helm_release" "metrics_server" {
          name       = "metrics-server"
          repository = "https://kubernetes-sigs.github.io/metrics-server/"
          chart      = "metrics-server"
          version    = "3.12.2"
          set_list {
            name  = "args"
            value = ["--kubelet-insecure-tls", "--metric-resolution=${var.resolution}"]
          }
        }
        "#,
    );
    let (_, clusters) = crate::pipeline::analyze(&sources, &crate::config::Config::default());
    let server = &clusters[0].metrics_servers[0];
    assert_eq!(server.kubelet_insecure_tls.value(), Some(&true));
    assert!(server.metric_resolution.is_unknown());
    assert!(server.secure_port.value().is_some());
}
