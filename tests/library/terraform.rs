//! What Terraform makes of its code: modules and who calls them, what is repeated, texts that are
//! filled in, modules from elsewhere that a table knows.

use insta::assert_snapshot;

use super::{fixture, ways};
use crate::{config::Config, model::Kubelet, pipeline::analyze, tree::Node};

/// What the releases of each environment get.
fn installed(text: &str) -> String {
    let sources = fixture(text);
    ways::releases(&sources, &analyze(&sources, &Config::default()).0)
}

#[test]
fn charts_of_a_list_in_a_file_are_installed_one_by_one() {
    assert_snapshot!(installed(
        r#"
        //- main.tf
        locals { all = yamldecode(file("${path.module}/charts.yaml")) }
        resource "helm_release" "all" {
          for_each   = { for it in local.all.charts : it.name => it if try(it.enabled, true) }
          name       = each.key
          chart      = each.value.chart
          repository = each.value.repository
          version    = try(each.value.version, null)
          namespace  = lookup(each.value, "namespace", "kube-system")
          values     = [yamlencode(lookup(each.value, "values", {}))]
        }
        //- charts.yaml
        charts:
          - name: metrics-server
            chart: metrics-server
            repository: https://kubernetes-sigs.github.io/metrics-server/
            version: 3.12.2
            values:
              args: [--kubelet-insecure-tls]
          - name: not-here
            enabled: false
            chart: metrics-server
            repository: https://kubernetes-sigs.github.io/metrics-server/
        "#
    ), @r#"
    default:
      metrics-server 3.12.2  main.tf:7 values `each.value.version` < main.tf:3 values `local.all.charts` < main.tf:1 values `file("${path.module}/charts.yaml")` < charts.yaml:5 `3.12.2`
        args:
          - --kubelet-insecure-tls  main.tf:9 values `each.value` < main.tf:3 values `local.all.charts` < main.tf:1 values `file("${path.module}/charts.yaml")` < charts.yaml:7
    "#);
}

#[test]
fn each_item_of_a_list_that_is_set_is_where_it_is_written() {
    assert_snapshot!(installed(
        r#"
        //- main.tf
        variable "more" {}
        locals {
          types = [
            "--kubelet-preferred-address-types=InternalIP\\,Hostname",
            "--v=2,--kubelet-insecure-tls",
          ]
        }
        resource "helm_release" "block" {
          name       = "metrics-server"
          chart      = "metrics-server"
          repository = "https://kubernetes-sigs.github.io/metrics-server/"
          version    = "3.12.2"
          set_list {
            name = "args"
            value = [
              "--metric-resolution=30s",
              var.more,
            ]
          }
        }
        resource "helm_release" "list" {
          name       = "metrics-server"
          chart      = "metrics-server"
          repository = "https://kubernetes-sigs.github.io/metrics-server/"
          version    = "3.12.2"
          set_list = [{ name = "args", value = local.types }]
        }
        resource "helm_release" "brace" {
          name       = "metrics-server"
          chart      = "metrics-server"
          repository = "https://kubernetes-sigs.github.io/metrics-server/"
          version    = "3.12.2"
          set_list = [{ name = "args", value = ["a\\", "b"] }]
        }
        "#
    ), @r#"
    default:
      metrics-server 3.12.2  main.tf:12 `"3.12.2"`
        args:
          - --metric-resolution=30s  main.tf:16 `"--metric-resolution=30s"`
          - unknown: `var.more` is set outside of the code  main.tf:17 `var.more`
      metrics-server 3.12.2  main.tf:25 `"3.12.2"`
        args:
          - --kubelet-preferred-address-types=InternalIP,Hostname  main.tf:26 values `local.types` < main.tf:4 `"--kubelet-preferred-address-types=InternalIP\\,Hostname"`
          - --v=2  main.tf:26 values `local.types` < main.tf:5 `"--v=2,--kubelet-insecure-tls"`
          - --kubelet-insecure-tls  main.tf:26 values `local.types` < main.tf:5 `"--v=2,--kubelet-insecure-tls"`
      metrics-server 3.12.2  main.tf:32 `"3.12.2"`
        args:
          - a,b  main.tf:33 `["a\\", "b"]`
    "#);
}

#[test]
fn a_module_is_what_each_of_its_callers_passes() {
    assert_snapshot!(installed(
        r#"
        //- live/blue/main.tf
        module "charts" {
          source   = "../../modules/platform"
          for_each = {
            metrics-server = {
              repository = "https://kubernetes-sigs.github.io/metrics-server/"
              set        = { "args[0]" = "--kubelet-insecure-tls" }
            }
          }
          name   = each.key
          config = each.value
        }
        //- live/green/main.tf
        module "charts" {
          source = "../../modules/platform"
          name   = "metrics-server"
          config = { repository = "https://kubernetes-sigs.github.io/metrics-server/", version = "3.12.1" }
        }
        //- modules/platform/main.tf
        variable "name" {}
        variable "config" {
          type = object({
            repository = string
            version    = optional(string, "3.12.2")
            set        = optional(map(string), {})
          })
        }
        module "chart" {
          source = "../chart"
          name   = var.name
          config = var.config
        }
        //- modules/chart/main.tf
        variable "name" {}
        variable "config" {}
        variable "replicas" { default = 2 }
        resource "helm_release" "this" {
          name       = var.name
          chart      = var.name
          repository = var.config.repository
          version    = var.config.version
          dynamic "set" {
            for_each = merge({ replicas = var.replicas }, var.config.set)
            content {
              name  = set.key
              value = set.value
            }
          }
        }
        "#
    ), @r#"
    live/blue:
      metrics-server 3.12.2  modules/chart/main.tf:8 values `var.config.version` < modules/platform/main.tf:12 values `var.config` < modules/platform/main.tf:5 `"3.12.2"`
        args:
          - --kubelet-insecure-tls  modules/chart/main.tf:13 values `set.value` < modules/chart/main.tf:10 values `var.config.set` < modules/platform/main.tf:12 values `var.config` < live/blue/main.tf:10 values `each.value` < live/blue/main.tf:6 `"--kubelet-insecure-tls"`
        replicas: 2  modules/chart/main.tf:13 values `set.value` < modules/chart/main.tf:10 values `var.replicas` < modules/chart/main.tf:3
    live/green:
      metrics-server 3.12.1  modules/chart/main.tf:8 values `var.config.version` < modules/platform/main.tf:12 values `var.config` < live/green/main.tf:4 `"3.12.1"`
        replicas: 2  modules/chart/main.tf:13 values `set.value` < modules/chart/main.tf:10 values `var.replicas` < modules/chart/main.tf:3
    "#);
}

#[test]
fn what_is_optional_in_a_type_has_its_default() {
    assert_snapshot!(installed(
        r#"
        //- main.tf
        module "nothing" {
          source = "./modules/addons"
        }
        module "some" {
          source   = "./modules/addons"
          replicas = null
          config   = { version = "3.12.1", args = null, limits = null }
          charts   = { metrics-server = { values = [{ name = "replicas" }] } }
        }
        //- modules/addons/main.tf
        variable "replicas" {
          default  = 2
          nullable = false
        }
        variable "config" {
          type = object({
            version = optional(string, "3.12.2")
            args    = optional(list(string), ["--kubelet-insecure-tls"])
            limits  = optional(object({ memory = optional(string, "100Mi") }), {})
          })
          default = {}
        }
        variable "charts" {
          type = map(object({
            namespace = optional(string, "kube-system")
            values    = optional(list(object({ name = string, value = optional(string, "3") })), [])
          }))
          default = { metrics-server = {} }
        }
        resource "helm_release" "this" {
          for_each   = var.charts
          name       = each.key
          chart      = each.key
          namespace  = each.value.namespace
          repository = "https://kubernetes-sigs.github.io/metrics-server/"
          version    = var.config.version
          values = [yamlencode({
            args      = var.config.args
            replicas  = var.replicas
            resources = { limits = var.config.limits }
          })]
          dynamic "set" {
            for_each = each.value.values
            content {
              name  = set.value.name
              value = set.value.value
            }
          }
        }
        "#
    ), @r#"
    default:
      metrics-server 3.12.2  modules/addons/main.tf:26 values `var.config.version` < modules/addons/main.tf:7 `"3.12.2"`
        args:
          - --kubelet-insecure-tls  modules/addons/main.tf:28 values `var.config.args` < modules/addons/main.tf:8 `"--kubelet-insecure-tls"`
        replicas: 2  modules/addons/main.tf:29 values `var.replicas` < modules/addons/main.tf:2
        resources.limits.memory: 100Mi  modules/addons/main.tf:30 values `var.config.limits` < modules/addons/main.tf:9 `"100Mi"`
      metrics-server 3.12.1  modules/addons/main.tf:26 values `var.config.version` < main.tf:7 `"3.12.1"`
        args:
          - --kubelet-insecure-tls  modules/addons/main.tf:28 values `var.config.args` < modules/addons/main.tf:8 `"--kubelet-insecure-tls"`
        replicas: 3  modules/addons/main.tf:2 overridden `2` < modules/addons/main.tf:36 values `set.value.value` < modules/addons/main.tf:33 values `each.value.values` < modules/addons/main.tf:21 values `var.charts` < modules/addons/main.tf:16 `"3"`
        resources.limits.memory: 100Mi  modules/addons/main.tf:30 values `var.config.limits` < modules/addons/main.tf:9 `"100Mi"`
    "#);
}

#[test]
fn a_chart_is_found_by_its_index_in_a_list() {
    let sources = fixture(
        r#"
        //- main.tf
        variable "other" { default = {} }
        locals {
          charts = yamldecode(file("${path.module}/charts.yaml")).charts
          other = merge({ chart = local.charts[index(local.charts.*.name, "other")].name }, var.other)
          server = local.charts[index(local.charts[*].name, "metrics-server")]
        }
        resource "helm_release" "other" {
          name   = "other"
          chart  = local.other["chart"]
          values = [local.other["values"]]
        }
        resource "helm_release" "metrics_server" {
          name       = local.server.name
          chart      = local.server.name
          repository = "https://kubernetes-sigs.github.io/metrics-server/"
          version    = local.server.version
        }
        //- charts.yaml
        charts:
          - {name: other, version: 1.0.0}
          - {name: metrics-server, version: 3.12.2}
        "#,
    );
    let (environments, _) = analyze(&sources, &Config::default());
    let [environment] = &environments[..] else { panic!("one root module") };
    assert!(environment.problems.is_empty(), "nothing of the other: {:?}", environment.problems);
    let versions = environment.releases.iter().filter(|it| it.family.is_some());
    let versions: Vec<_> = versions.map(|it| it.version.as_ref().and_then(Node::as_str)).collect();
    assert_eq!(versions, [Some("3.12.2")]);
}

/// What the kubelets and the metrics-servers of each environment are.
fn clusters(text: &str) -> String {
    let sources = fixture(text);
    let (_, clusters) = analyze(&sources, &Config::default());
    let mut lines: Vec<String> = Vec::new();
    for cluster in &clusters {
        let of_kubelet = |it: &Kubelet| format!("{} ({})", it.carrier.words(), it.group);
        let kubelets: Vec<String> = cluster.kubelets.iter().map(of_kubelet).collect();
        let servers: Vec<String> =
            cluster.metrics_servers.iter().map(crate::settings::name_of).collect();
        lines.push(format!(
            "{}: {} | {}",
            cluster.environment,
            servers.join(", "),
            kubelets.join(", ")
        ));
    }
    lines.join("\n")
}

/// Modules that install metrics-server, and that make a cluster at two depths.
const MODULES: &str = r#"
        //- modules/addons/main.tf
        resource "helm_release" "metrics_server" {
          name       = "metrics-server"
          repository = "https://kubernetes-sigs.github.io/metrics-server/"
          chart      = "metrics-server"
          namespace  = "kube-system"
        }
        //- modules/cluster/main.tf
        variable "nodes" { default = true }
        module "control_plane" { source = "./control-plane" }
        module "nodes" {
          count  = var.nodes ? 1 : 0
          source = "./nodes"
        }
        //- modules/cluster/control-plane/main.tf
        resource "aws_eks_cluster" "this" { name = "one" }
        //- modules/cluster/nodes/main.tf
        data "talos_machine_configuration" "this" {
          machine_type   = "worker"
          config_patches = [file("${path.module}/patches/kubelet.yaml")]
        }
        //- modules/cluster/nodes/patches/kubelet.yaml
        machine: {kubelet: {extraArgs: {rotate-server-certificates: true}}}
"#;

#[test]
fn what_a_called_module_defines_is_of_each_root_module() {
    let all = |callers: &str| clusters(&format!("{callers}{MODULES}"));
    let addons = r#"module "addons" { source = "../../modules/addons" }"#;
    let cluster = r#"module "cluster" { source = "../../modules/cluster" }"#;
    let smaller = r#"module "cluster" {
          source = "../../modules/cluster"
          nodes  = false
        }"#;
    assert_snapshot!(all(&format!(
        r"
        //- live/blue/main.tf
        {addons}
        {cluster}
        //- live/green/main.tf
        {addons}
        {smaller}
        //- live/red/main.tf
        {addons}
        "
    )), @"
    live/blue: kube-system/metrics-server | Talos patch (kubelet.yaml), EKS cluster in Terraform (all nodes), Talos machine configuration in Terraform (workers)
    live/green: kube-system/metrics-server | EKS cluster in Terraform (all nodes)
    live/red: kube-system/metrics-server |
    ");
    // Those that Terragrunt calls for one environment lie beside each other.
    let unit = |module: &str| format!("terraform {{ source = \"../../../modules//{module}\" }}");
    let (addons, control_plane) = (unit("addons"), unit("cluster/control-plane"));
    assert_snapshot!(all(&format!(
        r"
        //- live/blue/metrics/terragrunt.hcl
        {addons}
        //- live/blue/eks/terragrunt.hcl
        {control_plane}
        //- live/green/metrics/terragrunt.hcl
        {addons}
        "
    )), @"
    default:  | Talos patch (kubelet.yaml), Talos machine configuration in Terraform (workers)
    live/blue/metrics: kube-system/metrics-server | EKS cluster in Terraform (all nodes)
    live/green/metrics: kube-system/metrics-server |
    ");
}

#[test]
fn commands_of_a_module_are_of_each_root_module() {
    let code = r#"
        //- modules/metrics/main.tf
        resource "terraform_data" "metrics_server" {
          provisioner "local-exec" {
            command = "helm upgrade -i metrics-server metrics-server --repo https://kubernetes-sigs.github.io/metrics-server/ -n kube-system"
          }
        }
        //- live/blue/main.tf
        module "metrics" { source = "../../modules/metrics" }
        resource "helm_release" "other" {
          name       = "cilium"
          chart      = "cilium"
          repository = "https://helm.cilium.io/"
        }
        data "talos_machine_configuration" "this" { machine_type = "controlplane" }
        //- live/green/main.tf
        module "metrics" { source = "../../modules/metrics" }
        data "http" "address" { url = "https://ipv4.icanhazip.com" }
        data "talos_machine_configuration" "this" { machine_type = "worker" }
        "#;
    assert_snapshot!(clusters(code), @"
    live/blue: kube-system/metrics-server | Talos machine configuration in Terraform (control plane)
    live/green: kube-system/metrics-server | Talos machine configuration in Terraform (workers)
    ");
}

#[test]
fn machines_have_the_roles_that_they_are_repeated_with() {
    let code = |role: &str| {
        clusters(&format!(
            r#"
        //- main.tf
        variable "role" {{}}
        variable "none" {{ default = {{}} }}
        locals {{
          nodes = {{ a = {{ role = "worker" }}, b = {{ role = "controlplane" }}, c = {{ role = "worker" }} }}
        }}
        data "talos_machine_configuration" "this" {{
          {role}
          config_patches = [yamlencode({{ machine = {{ network = {{ hostname = each.key }} }} }})]
        }}
        "#
        ))
    };
    let each = "for_each = local.nodes\n          machine_type = each.value.role";
    assert_snapshot!(code(each), @"default:  | Talos machine configuration in Terraform (workers), Talos machine configuration in Terraform (control plane)");
    let none = "for_each = var.none\n          machine_type = each.value.role";
    assert_snapshot!(code(none), @"default:  | Talos machine configuration in Terraform (all nodes)");
    assert_snapshot!(code("machine_type = var.role"), @"default:  | Talos machine configuration in Terraform (all nodes)");
}

#[test]
fn a_namespace_is_the_one_of_a_resource_or_not_told() {
    let code = |namespace: &str| {
        clusters(&format!(
            r#"
        //- main.tf
        variable "namespace" {{ default = "apps" }}
        locals {{ name = "metrics" }}
        resource "kubernetes_namespace" "this" {{
          metadata {{ name = local.name }}
        }}
        resource "kubernetes_namespace" "kept" {{
          metadata {{ name = "kept" }}
          lifecycle {{ ignore_changes = [metadata] }}
        }}
        resource "helm_release" "metrics_server" {{
          name       = "metrics-server"
          repository = "https://kubernetes-sigs.github.io/metrics-server/"
          chart      = "metrics-server"
          {namespace}
        }}
        "#
        ))
    };
    assert_snapshot!(code("namespace = kubernetes_namespace.this.metadata[0].name"), @"default: metrics/metrics-server |");
    assert_snapshot!(code("namespace = kubernetes_namespace.kept.metadata[0].name"), @"default: metrics-server, namespace unknown |");
    assert_snapshot!(code("namespace = kubernetes_namespace.this.metadata[0].uid"), @"default: metrics-server, namespace unknown |");
    assert_snapshot!(code("namespace = var.namespace"), @"default: metrics-server, namespace unknown |");
    assert_snapshot!(code(""), @"default: default/metrics-server |");
}

#[test]
fn a_root_module_is_for_as_many_clusters_as_files_and_providers_say() {
    let release = r#"
        resource "helm_release" "metrics_server" {
          name       = "metrics-server"
          chart      = "metrics-server"
          repository = "https://kubernetes-sigs.github.io/metrics-server/"
          version    = "3.12.2"
          values     = [yamlencode({ replicas = var.replicas })]
        }
    "#;
    let code = r#"
        //- main.tf
        variable "replicas" {}
        RELEASE
        //- terraform.tfvars
        replicas = 1
        //- envs/dev.tfvars
        other = true
        //- envs/prod.tfvars
        replicas = 3
        //- envs/example.prod.tfvars
        replicas = 4
        //- aliases/main.tf
        module "one" {
          source    = "./module"
          providers = { helm = helm.one }
          replicas  = 5
        }
        module "two" {
          source    = "./module"
          providers = { helm = helm.two }
          replicas  = 6
        }
        //- aliases/module/main.tf
        variable "replicas" {}
        RELEASE
        //- modules/unit/main.tf
        variable "replicas" { default = 7 }
        RELEASE
        //- live/clusters/east/metrics-server/terragrunt.hcl
        terraform { source = "../../../..//modules/unit" }
        locals { count = 8 }
        inputs = { replicas = local.count }
        //- live/clusters/west/metrics-server/terragrunt.hcl
        terraform { source = "../../../..//modules/unit" }
        include "root" { path = find_in_parent_folders() }
    "#;
    assert_snapshot!(installed(&code.replace("RELEASE", release)), @r#"
    aliases/one:
      metrics-server 3.12.2  aliases/module/main.tf:7 `"3.12.2"`
        replicas: 5  aliases/module/main.tf:8 values `var.replicas` < aliases/main.tf:4
    aliases/two:
      metrics-server 3.12.2  aliases/module/main.tf:7 `"3.12.2"`
        replicas: 6  aliases/module/main.tf:8 values `var.replicas` < aliases/main.tf:9
    live/clusters/east:
      metrics-server 3.12.2  modules/unit/main.tf:7 `"3.12.2"`
        replicas: 8  modules/unit/main.tf:8 values `var.replicas` < live/clusters/east/metrics-server/terragrunt.hcl:3 values `local.count` < live/clusters/east/metrics-server/terragrunt.hcl:2
    live/clusters/west:
      metrics-server 3.12.2  modules/unit/main.tf:7 `"3.12.2"`
        replicas: unknown: `var.replicas` is set outside of the code  modules/unit/main.tf:8 `var.replicas`
    prod:
      metrics-server 3.12.2  main.tf:7 `"3.12.2"`
        replicas: 3  main.tf:8 values `var.replicas` < envs/prod.tfvars:1
    "#);
}

#[test]
fn files_of_variables_that_give_the_same_are_each_an_environment() {
    let code = r#"
        //- main.tf
        variable "replicas" {}
        variable "region" {}
        resource "helm_release" "metrics_server" {
          name       = "metrics-server"
          chart      = "metrics-server"
          repository = "https://kubernetes-sigs.github.io/metrics-server/"
          values     = [yamlencode({ replicas = var.replicas, podLabels = { region = var.region } })]
        }
    "#;
    let environments = |files: &[&str]| {
        let file = |it: &&str| {
            let (path, text) = it.split_once(": ").expect("a path and a text");
            format!("        //- {path}.tfvars\n        {text}\n")
        };
        let sources = fixture(&format!("{code}\n{}", files.iter().map(file).collect::<String>()));
        let environments = analyze(&sources, &Config::default()).0;
        environments.into_iter().map(|it| it.name).collect::<Vec<_>>().join(" ")
    };
    let one = "replicas = 1";
    let many = |all: &[&str]| {
        let files: Vec<String> = all.iter().map(|it| format!("{it}: {one}")).collect();
        environments(&files.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert_eq!(many(&["env/prod", "env/lab"]), "lab prod");
    assert_eq!(many(&["env/eu-west-1", "env/us-east-1"]), "eu-west-1 us-east-1");
    assert_eq!(many(&["env/prod/eu", "env/prod/us"]), "prod/eu prod/us");
    assert_eq!(many(&["env/prod/terraform", "env/lab/terraform"]), "lab prod");
    assert_eq!(many(&["eu/prod", "us/prod"]), "eu/prod us/prod");
    assert_eq!(many(&["env/one", "env/two", "env/common"]), "one two", "it is for all");
    assert_eq!(many(&["env/lab"]), "default", "it may be for all");
    let apart = ["env/prod/a: replicas = 1", "env/prod/b: region = 2", "env/lab/a: replicas = 3"];
    assert_eq!(environments(&apart), "lab prod", "two say different things of one");
    let names = ["env/prod: replicas = 1", "env/qa: replicas = 2", "env/names: region = 2"];
    assert_eq!(environments(&names), "prod qa");
    let inner = "env/main.tf\n        locals {}\n        //- env/one: replicas = 1";
    let inner = inner.replacen(": ", ".tfvars\n        ", 1);
    let sources = fixture(&format!(
        "{code}\n        //- {inner}\n        //- env/two.tfvars\n        {one}\n"
    ));
    let names: Vec<_> =
        analyze(&sources, &Config::default()).0.into_iter().map(|it| it.name).collect();
    assert_eq!(names, ["default"], "they are another module's");
}

#[test]
fn what_is_not_known_of_a_template_is_all_that_it_makes_unknown() {
    assert_snapshot!(installed(
        r#"
        //- main.tf
        variable "cluster" {}
        variable "debug" {}
        variable "tolerated" {}
        resource "helm_release" "metrics_server" {
          name       = "metrics-server"
          chart      = "metrics-server"
          repository = "https://kubernetes-sigs.github.io/metrics-server/"
          version    = "3.12.2"
          values = [
            templatefile("${path.module}/values.tftpl", {
              cluster   = var.cluster
              debug     = var.debug
              flags     = ["kubelet-insecure-tls", var.debug]
              tolerated = var.tolerated
            }),
          ]
        }
        //- values.tftpl
        podLabels:
          cluster: ${cluster}
          tier: one
        args:
        %{ for it in flags ~}
          - --${it}
        %{ endfor ~}
        tolerations:
        %{ for it in tolerated ~}
          - key: ${it}
        %{ endfor ~}
        %{ if debug ~}
        replicas: 1
        %{ else ~}
        replicas: 2
        %{ endif ~}
        %{ if debug ~}
        priorityClassName: low
        %{ endif ~}
        resources:
          limits:
            memory: 100Mi
        "#
    ), @r#"
    default:
      metrics-server 3.12.2  main.tf:8 `"3.12.2"`
        podLabels.cluster: unknown: `var.cluster` is set outside of the code  main.tf:10 values `templatefile("${path.module}/values.tftpl", {` < values.tftpl:2 `${cluster}`
        podLabels.tier: one  main.tf:10 values `templatefile("${path.module}/values.tftpl", {` < values.tftpl:3
        args:
          - --kubelet-insecure-tls  main.tf:10 values `templatefile("${path.module}/values.tftpl", {` < values.tftpl:6 templated `${it}` < main.tf:13 `"kubelet-insecure-tls"`
          - unknown: `var.debug` is set outside of the code  main.tf:10 values `templatefile("${path.module}/values.tftpl", {` < values.tftpl:6 `${it}`
        tolerations: unknown: `var.tolerated` is set outside of the code  main.tf:10 values `templatefile("${path.module}/values.tftpl", {` < values.tftpl:10 `- key: ${it}`
        replicas: unknown: `var.debug` is set outside of the code  main.tf:10 values `templatefile("${path.module}/values.tftpl", {` < values.tftpl:13 `1`
        priorityClassName: unknown: `var.debug` is set outside of the code  main.tf:10 values `templatefile("${path.module}/values.tftpl", {` < values.tftpl:18 `low`
        resources.limits.memory: 100Mi  main.tf:10 values `templatefile("${path.module}/values.tftpl", {` < values.tftpl:22
    "#);
}

#[test]
fn a_template_is_read_around_what_fills_it() {
    assert_snapshot!(installed(
        r#"
        //- main.tf
        resource "helm_release" "metrics_server" {
          name       = "metrics-server"
          chart      = "metrics-server"
          repository = "https://kubernetes-sigs.github.io/metrics-server/"
          version    = "3.12.2"
          values = [
            templatefile("${path.module}/values.tftpl", {
              args      = ["--kubelet-insecure-tls", "--v=2"]
              resources = { limits = { memory = "300Mi" } }
              budget    = true
              mine      = var.mine
            }),
            templatefile("${path.module}/lines.tftpl", { tolerated = ["a", "b"] }),
            var.mine ? <<-EOT
              podLabels:
                team: ${local.team}
              EOT
            : "",
          ]
        }
        locals { team = "one" }
        //- values.tftpl
        args: ${jsonencode(args)}
        resources:
          ${indent(2, yamlencode(resources))}
        %{ if budget ~}
        podDisruptionBudget:
          enabled: true
        %{ else ~}
        replicas: 2
        %{ endif ~}
        %{ if mine ~}
        priorityClassName: high
        %{ else ~}
        priorityClassName: low
        revisionHistoryLimit: 1
        %{ endif ~}
        //- lines.tftpl
        tolerations:
        %{ for it in tolerated ~}
          - key: ${it}
        %{ endfor ~}
        "#
    ), @r#"
    default:
      metrics-server 3.12.2  main.tf:5 `"3.12.2"`
        args:
          - --kubelet-insecure-tls  main.tf:7 values `templatefile("${path.module}/values.tftpl", {` < main.tf:8 `"--kubelet-insecure-tls"`
          - --v=2  main.tf:7 values `templatefile("${path.module}/values.tftpl", {` < main.tf:8 `"--v=2"`
        resources.limits.memory: 300Mi  main.tf:7 values `templatefile("${path.module}/values.tftpl", {` < main.tf:9 `"300Mi"`
        podDisruptionBudget.enabled: true  main.tf:7 values `templatefile("${path.module}/values.tftpl", {` < values.tftpl:6
        priorityClassName: unknown: `var.mine` is set outside of the code  main.tf:7 values `templatefile("${path.module}/values.tftpl", {` < values.tftpl:11 `high`
        revisionHistoryLimit: unknown: `var.mine` is set outside of the code  main.tf:7 values `templatefile("${path.module}/values.tftpl", {` < values.tftpl:14 `1`
        tolerations[0].key: a  main.tf:13 values `templatefile("${path.module}/lines.tftpl", { tolerated = ["a", "b"] })` < lines.tftpl:3 templated `${it}` < main.tf:13 `"a"`
        tolerations[1].key: b  main.tf:13 values `templatefile("${path.module}/lines.tftpl", { tolerated = ["a", "b"] })` < lines.tftpl:3 templated `${it}` < main.tf:13 `"b"`
        podLabels: unknown: `var.mine` is set outside of the code  main.tf:16 `team: ${local.team}`
    "#);
}

#[test]
fn modules_that_are_known_make_a_release_of_their_arguments() {
    assert_snapshot!(installed(
        r#"
        //- addons/main.tf
        module "addons" {
          source                = "aws-ia/eks-blueprints-addons/aws"
          version               = "~> 1.16"
          enable_metrics_server = true
          metrics_server        = { values = [file("${path.module}/values.yaml")] }
        }
        //- addons/values.yaml
        replicas: 2
        //- any/main.tf
        module "addons" {
          source                = "aws-ia/eks-blueprints-addons/aws"
          version               = "~> 1.0"
          enable_metrics_server = var.enabled
          metrics_server        = var.metrics_server
        }
        module "off" {
          source                = "aws-ia/eks-blueprints-addons/aws"
          enable_metrics_server = false
        }
        //- older/main.tf
        module "addons" {
          source                     = "github.com/aws-ia/terraform-aws-eks-blueprints//modules/kubernetes-addons?ref=v4.32.1"
          enable_metrics_server      = true
          metrics_server_helm_config = { set = [{ name = "replicas", value = 3 }] }
        }
        //- release/main.tf
        module "release" {
          source     = "terraform-module/release/helm"
          repository = "https://kubernetes-sigs.github.io/metrics-server/"
          app        = { name = "metrics-server", chart = "metrics-server", version = "3.12.1", deploy = 1 }
          values     = ["hostNetwork: {enabled: true}"]
        }
        //- live/prod/terragrunt.hcl
        terraform { source = "tfr:///aws-ia/eks-blueprints-addons/aws?version=1.16.0" }
        inputs = {
          enable_metrics_server = true
          metrics_server        = { values = ["args: [--v=4]"] }
        }
        //- kubernetes/main.tf
        module "addons" {
          source         = "particuleio/addons/kubernetes//modules/aws"
          metrics-server = { enabled = true, extra_values = "args: [--v=2]" }
        }
        "#
    ), @r#"
    addons:
      metrics-server 3.12.0  addons/main.tf:3 platform-default `"~> 1.16"`
        replicas: 2  addons/main.tf:5 values `file("${path.module}/values.yaml")` < addons/values.yaml:1
    any:
      metrics-server unknown: `var.metrics_server` is set outside of the code (suspended)  any/main.tf:5 `var.metrics_server`
    unresolved: `var.metrics_server` is set outside of the code  any/main.tf:5:27 `var.metrics_server`
    kubernetes:
      metrics-server unknown: the module decides which version of the chart it installs  kubernetes/main.tf:2 `"particuleio/addons/kubernetes//modules/aws"`
        apiService: unknown: the module sets it  kubernetes/main.tf:2 `"particuleio/addons/kubernetes//modules/aws"`
        priorityClassName: unknown: the module sets it  kubernetes/main.tf:2 `"particuleio/addons/kubernetes//modules/aws"`
        args:
          - --v=2  kubernetes/main.tf:3
    live/prod:
      metrics-server 3.12.0  live/prod/terragrunt.hcl:1 platform-default `"tfr:///aws-ia/eks-blueprints-addons/aws?version=1.16.0"`
        args:
          - --v=4  live/prod/terragrunt.hcl:4
    older:
      metrics-server 3.8.2  older/main.tf:2 platform-default `"github.com/aws-ia/terraform-aws-eks-blueprints//modules/kubernetes-addons?ref=v4.32.1"`
        replicas: 3  older/main.tf:4
    release:
      metrics-server 3.12.1  release/main.tf:4 `"3.12.1"`
        hostNetwork.enabled: true  release/main.tf:5
    "#);
}

#[test]
fn what_is_chosen_by_something_unknown_is_what_the_choices_have_in_common() {
    assert_snapshot!(installed(
        r#"
        //- main.tf
        locals {
          sizes = {
            dev  = { replicas = 1, podLabels = { team = "one" } }
            prod = { replicas = 2, podLabels = { team = "one" } }
          }
        }
        resource "helm_release" "metrics_server" {
          count      = contains(keys(local.sizes), "prod") ? 1 : 0
          name       = join("-", ["metrics", "server"])
          chart      = "metrics-server"
          repository = format("https://%s/metrics-server/", "kubernetes-sigs.github.io")
          version    = "3.12.2"
          values = [
            yamlencode(local.sizes[terraform.workspace]),
            yamlencode({ args = flatten([["--v=2"], var.insecure ? ["--kubelet-insecure-tls"] : []]) }),
          ]
          set = [for name, value in { revisionHistoryLimit = 3 } : { name = name, value = value }]
        }
        resource "helm_release" "none" {
          for_each   = toset([])
          name       = "none"
          chart      = "metrics-server"
          repository = "https://kubernetes-sigs.github.io/metrics-server/"
        }
        "#
    ), @r#"
    default:
      metrics-server 3.12.2  main.tf:12 `"3.12.2"`
        replicas: unknown: `terraform.workspace` is known only to Terraform  main.tf:14 values `local.sizes[terraform.workspace]` < main.tf:3 `1`
        podLabels.team: one  main.tf:14 values `local.sizes[terraform.workspace]` < main.tf:3 `"one"`
        args:
          - --v=2  main.tf:15 `"--v=2"`
          - unknown: `var.insecure` is set outside of the code  main.tf:15 `"--kubelet-insecure-tls"`
        revisionHistoryLimit: 3  main.tf:17
    "#);
}

#[test]
fn manifests_and_applications_are_installed_as_they_are_written() {
    assert_snapshot!(installed(
        r#"
        //- application/main.tf
        resource "argocd_application" "metrics_server" {
          metadata {
            name      = "metrics-server"
            namespace = "argocd"
          }
          spec {
            source {
              repo_url        = "https://kubernetes-sigs.github.io/metrics-server/"
              chart           = "metrics-server"
              target_revision = "3.12.2"
              helm {
                values = yamlencode({ replicas = 2 })
                parameter {
                  name  = "args[0]"
                  value = "--kubelet-insecure-tls"
                }
              }
            }
            destination {
              server    = "https://kubernetes.default.svc"
              namespace = "kube-system"
            }
          }
        }
        //- manifest/main.tf
        resource "kubectl_manifest" "metrics_server" {
          yaml_body = yamlencode({
            apiVersion = "argoproj.io/v1alpha1"
            kind       = "Application"
            metadata   = { name = "metrics-server", namespace = "argocd" }
            spec = {
              source = {
                repoURL        = "https://kubernetes-sigs.github.io/metrics-server/"
                chart          = "metrics-server"
                targetRevision = "3.12.1"
                helm           = { values = file("${path.module}/values.yaml") }
              }
              destination = { server = "https://kubernetes.default.svc", namespace = "kube-system" }
            }
          })
        }
        //- manifest/values.yaml
        replicas: 3
        //- chart/main.tf
        resource "kubernetes_manifest" "metrics_server" {
          manifest = {
            apiVersion = "helm.cattle.io/v1"
            kind       = "HelmChart"
            metadata   = { name = "metrics-server", namespace = "kube-system" }
            spec = {
              repo          = "https://kubernetes-sigs.github.io/metrics-server/"
              chart         = "metrics-server"
              version       = "3.12.2"
              valuesContent = yamlencode({ args = ["--kubelet-insecure-tls"] })
            }
          }
        }
        "#
    ), @r#"
    application:
      metrics-server 3.12.2  application/main.tf:10 `"3.12.2"`
        replicas: 2  application/main.tf:12
        args:
          - --kubelet-insecure-tls  application/main.tf:15 `"--kubelet-insecure-tls"`
    chart:
      metrics-server 3.12.2  chart/main.tf:9 `"3.12.2"`
        args:
          - --kubelet-insecure-tls  chart/main.tf:10 `"--kubelet-insecure-tls"`
    manifest:
      metrics-server 3.12.1  manifest/main.tf:10 `"3.12.1"`
        replicas: 3  manifest/main.tf:11 values `file("${path.module}/values.yaml")` < manifest/values.yaml:1
    "#);
}

#[test]
fn typed_resources_are_the_objects_that_they_describe() {
    let sources = fixture(
        r#"
        //- main.tf
        resource "kubernetes_deployment_v1" "metrics_server" {
          metadata {
            name      = "metrics-server"
            namespace = "kube-system"
            labels    = { k8s-app = "metrics-server" }
          }
          spec {
            replicas = 2
            template {
              spec {
                host_network = true
                container {
                  name  = "metrics-server"
                  image = "registry.k8s.io/metrics-server/metrics-server:v0.7.2"
                  args  = concat(["--kubelet-insecure-tls"], var.more)
                  resources {
                    limits = { memory = "300Mi" }
                  }
                }
              }
            }
          }
        }
        resource "kubernetes_api_service_v1" "metrics_server" {
          metadata { name = "v1beta1.metrics.k8s.io" }
          spec {
            group                    = "metrics.k8s.io"
            version                  = "v1beta1"
            insecure_skip_tls_verify = true
            group_priority_minimum   = 100
            version_priority         = 100
            service {
              name      = "metrics-server"
              namespace = "kube-system"
            }
          }
        }
        "#,
    );
    let (_, clusters) = analyze(&sources, &Config::default());
    let server = clusters.iter().flat_map(|it| &it.metrics_servers).next().expect("it is there");
    let facts = server.facts().into_iter().filter_map(|(name, fact)| {
        let (value, at) = fact.known().map(|(it, at)| (it.to_string(), at))?;
        let line = sources.start(at.written_at().filter(|_| !at.is_default())?).line;
        Some(format!("{name} {value} {line}"))
    });
    assert_snapshot!(facts.collect::<Vec<_>>().join("\n"), @r#"
    kind Deployment 3
    image registry.k8s.io/metrics-server/metrics-server:v0.7.2 14
    image_repository registry.k8s.io/metrics-server/metrics-server 14
    image_tag v0.7.2 14
    args --kubelet-insecure-tls, unknown 15
    host_network true 11
    replicas 2 8
    memory_limit 300Mi 17
    api_service_insecure_skip_tls_verify true 29
    "#);
}

#[test]
fn a_text_is_from_where_its_first_part_is() {
    assert_snapshot!(installed(
        r#"
        //- main.tf
        locals {
          charts = [{ name = "metrics-server", version = "3.12.2" }]
        }
        module "metrics_server" {
          source  = "./module"
          version = local.charts.*.version[0]
          args    = ["--kubelet-insecure-tls", "--v=2"]
        }
        //- module/main.tf
        variable "args" {}
        variable "version" {}
        resource "helm_release" "this" {
          name       = "metrics-server"
          chart      = "metrics-server"
          repository = "https://kubernetes-sigs.github.io/metrics-server/"
          version    = var.version
          values     = [templatefile("${path.module}/values.tftpl", {})]
          set {
            name  = "args"
            value = "{${join(",", var.args)}}"
          }
        }
        //- module/values.tftpl
        replicas: 2
        podAnnotations: { a: "$${B}" }
        "#
    ), @r#"
    default:
      metrics-server 3.12.2  module/main.tf:7 values `var.version` < main.tf:6 values `local.charts.*.version[0]` < main.tf:2 `"3.12.2"`
        replicas: 2  module/main.tf:8 values `templatefile("${path.module}/values.tftpl", {})` < module/values.tftpl:1
        podAnnotations.a: ${B}  module/main.tf:8 values `templatefile("${path.module}/values.tftpl", {})` < module/values.tftpl:2 `"$${B}"`
        args:
          - --kubelet-insecure-tls  module/main.tf:11 values `"{${join(",", var.args)}}"` < module/main.tf:11 values `join(",", var.args)` < module/main.tf:11 values `var.args` < main.tf:7 `"--kubelet-insecure-tls"`
          - --v=2  module/main.tf:11 values `"{${join(",", var.args)}}"` < module/main.tf:11 values `join(",", var.args)` < module/main.tf:11 values `var.args` < main.tf:7 `"--kubelet-insecure-tls"`
    "#);
}

#[test]
fn what_a_template_prints_keeps_its_lines() {
    assert_snapshot!(installed(
        r#"
        //- main.tf
        locals {
          high = true
          args = [
            "--v=2",
            "--kubelet-insecure-tls",
          ]
        }
        resource "helm_release" "metrics_server" {
          name       = "metrics-server"
          chart      = "metrics-server"
          repository = "https://kubernetes-sigs.github.io/metrics-server/"
          version    = "3.12.2"
          values = [
            templatefile("${path.module}/values.tftpl", { args = local.args, ha = true }),
            <<-EOT
              revisionHistoryLimit: 1
              tolerations: [${join(", ", local.args)}]
              ${local.high ? "priorityClassName: high" : ""}
              ${yamlencode({ podLabels = { team = "one" } })}
            EOT
            ,
            try(file("${path.module}/nowhere.yaml"), ""),
            yamlencode({
              minReadySeconds = max(2, "10")
              imagePullSecrets = slice(local.args, 1, 2)
            }),
          ]
        }
        //- values.tftpl
        replicas: 2
        resources:
        %{ if ha ~}
          limits:
            memory: 64Mi
        %{ endif ~}
        args:
        %{ for it in args ~}
          - ${it}
        %{ endfor ~}
        podAnnotations: ${jsonencode({ of = args })}
        "#
    ), @r#"
    default:
      metrics-server 3.12.2  main.tf:12 `"3.12.2"`
        replicas: 2  main.tf:14 values `templatefile("${path.module}/values.tftpl", { args = local.args, ha = true })` < values.tftpl:1
        resources.limits.memory: 64Mi  main.tf:14 values `templatefile("${path.module}/values.tftpl", { args = local.args, ha = true })` < values.tftpl:5
        args:
          - --v=2  main.tf:14 values `templatefile("${path.module}/values.tftpl", { args = local.args, ha = true })` < values.tftpl:9 templated `${it}` < main.tf:14 values `local.args` < main.tf:4 `"--v=2"`
          - --kubelet-insecure-tls  main.tf:14 values `templatefile("${path.module}/values.tftpl", { args = local.args, ha = true })` < values.tftpl:9 templated `${it}` < main.tf:14 values `local.args` < main.tf:5 `"--kubelet-insecure-tls"`
        podAnnotations.of:
          - --v=2  main.tf:14 values `templatefile("${path.module}/values.tftpl", { args = local.args, ha = true })` < values.tftpl:11 templated `${jsonencode({ of = args })}` < main.tf:14 values `local.args` < main.tf:4 `"--v=2"`
          - --kubelet-insecure-tls  main.tf:14 values `templatefile("${path.module}/values.tftpl", { args = local.args, ha = true })` < values.tftpl:11 templated `${jsonencode({ of = args })}` < main.tf:14 values `local.args` < main.tf:5 `"--kubelet-insecure-tls"`
        revisionHistoryLimit: 1  main.tf:16
        tolerations:
          - --v=2  main.tf:17 templated `${join(", ", local.args)}` < main.tf:17 values `local.args` < main.tf:4 `"--v=2"`
          - --kubelet-insecure-tls  main.tf:17 templated `${join(", ", local.args)}` < main.tf:17 values `local.args` < main.tf:5 `"--kubelet-insecure-tls"`
        priorityClassName: high  main.tf:18 templated `${local.high ? "priorityClassName: high" : ""}` < main.tf:18 `"priorityClassName: high"`
        podLabels.team: one  main.tf:19 templated `${yamlencode({ podLabels = { team = "one" } })}` < main.tf:19 `"one"`
        minReadySeconds: 10  main.tf:24 `"10"`
        imagePullSecrets:
          - --kubelet-insecure-tls  main.tf:25 values `local.args` < main.tf:5 `"--kubelet-insecure-tls"`
    "#);
}
