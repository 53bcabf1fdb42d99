//! Terraform and OpenTofu: managed clusters and their pools, the metrics-server add-on of EKS,
//! Talos' machine configurations, clusters of kind. Variables count with their values in
//! `terraform.tfvars` and `*.auto.tfvars`, else with their defaults.

use std::collections::BTreeSet;

use hcl_edit::structure;

use crate::{
    model::{
        Carrier, ClusterId, Count, Fact, Facts as _,
        nodes::{self, Pool},
        platform::{Input, Platform, bundled, talos},
    },
    resolve::terraform::{
        Module,
        arguments::Arguments,
        evaluate::{TerraformScope, Work},
        head, label,
    },
    source::{self, FileId, Sources},
    tree::{Node, Origin},
};

pub(super) fn carrier(input: &Input<'_>, platform: &mut Platform) {
    let dirs: BTreeSet<&str> = input
        .files
        .iter()
        .map(|file| &*input.sources[*file].path)
        .filter(|path| source::extension(path) == "tf")
        .map(source::parent)
        .collect();
    for dir in dirs {
        module(input, dir, platform);
    }
}

/// A block: `resource "aws_eks_cluster" "this" { … }`.
struct Block {
    /// Its type: `resource`.
    kind: String,
    /// Its first label: `aws_eks_cluster`.
    label: String,
    /// Its attributes and inner blocks.
    body: Node,
    /// Where its type and labels are.
    origin: Origin,
}

impl Block {
    /// A block; an add-on, and the configuration of machines, as often as it is repeated. One that is
    /// repeated no time at all where no default counts, in `certain`, is none.
    fn all(
        [scope, certain]: [&TerraformScope<'_>; 2],
        file: FileId,
        block: &structure::Block,
    ) -> Vec<Self> {
        let kind = label(block, 0).unwrap_or_default();
        let bodies = match kind {
            _ if certain.makes_none(file, block) => Vec::new(),
            "aws_eks_addon" => scope.repeated(file, block),
            "talos_machine_configuration" => match scope.repeated(file, block) {
                // Whoever runs Terraform may say otherwise than the defaults.
                none if none.is_empty() => vec![scope.block(file, block)],
                bodies => bodies,
            },
            _ => vec![scope.block(file, block)],
        };
        let made = bodies.into_iter().map(|body| Self {
            kind: block.ident.as_str().to_owned(),
            label: kind.to_owned(),
            body,
            origin: head(file, block),
        });
        made.collect()
    }
}

/// What is in the types of resources and data sources that say something of a cluster: most code makes
/// other things, and what is installed has values of any size.
const OF_CLUSTERS: [&str; 4] = ["cluster", "eks_", "node_pool", "talos_"];

/// Whether a block may say something of a cluster.
fn is_of_clusters(block: &structure::Block) -> bool {
    match block.ident.as_str() {
        "resource" | "data" => {
            label(block, 0).is_some_and(|kind| OF_CLUSTERS.iter().any(|it| kind.contains(it)))
        }
        "module" => block
            .body
            .get_attribute("source")
            .is_some_and(|it| it.value.as_str().is_none_or(|source| source.contains(EKS_MODULE))),
        _ => false,
    }
}

/// The blocks of a directory, which is what Terraform reads as one, that say something of a cluster.
fn blocks(sources: &Sources, dir: &str) -> Vec<Block> {
    let module = Module::new(sources, dir);
    let arguments = Arguments::new(module.variables(sources), true);
    let work = Work::default();
    let scope = TerraformScope::new(sources, &module, dir, &arguments, &work).as_written();
    let given = Arguments::new(arguments.given.clone(), false);
    let certain = TerraformScope::new(sources, &module, dir, &given, &work);
    // What is not HCL is reported by the resolver of what Terraform installs.
    let bodies = module.files.iter();
    let blocks = bodies.flat_map(|(file, body)| body.blocks().map(|it| (*file, it)));
    let blocks = blocks.filter(|(_, it)| is_of_clusters(it));
    blocks.flat_map(|(file, block)| Block::all([&scope, &certain], file, block)).collect()
}

fn module(input: &Input<'_>, dir: &str, platform: &mut Platform) {
    // One module makes one cluster, unless it makes several of the same.
    for block in &blocks(input.sources, dir) {
        match (block.kind.as_str(), block.label.as_str()) {
            ("resource", _) => resource(input, dir, block, platform),
            ("data", "talos_machine_configuration") => {
                machine_configuration(input, dir, block, platform);
            }
            ("data", _) => known(dir, block, platform),
            ("module", _) => called(input, dir, block, platform),
            _ => {}
        }
    }
}

fn resource(input: &Input<'_>, dir: &str, block: &Block, platform: &mut Platform) {
    let body = &block.body;
    let signed = |cloud, carrier, platform: &mut Platform| {
        platform.signed(&ClusterId::named(cloud, dir), carrier, &block.origin);
    };
    match block.label.as_str() {
        "talos_machine_configuration_apply" => {
            config_patches(input, block, platform);
        }
        "aws_eks_cluster" => signed("eks", "EKS cluster in Terraform", platform),
        "aws_eks_node_group" => {
            let scaling = body.items_at("scaling_config").first();
            let get = |name: &str| scaling.and_then(|it| it.get(name));
            pool("eks", dir, nodes::between(get("min_size"), get("max_size")), block, platform);
        }
        "aws_eks_addon" => {
            let cluster = ClusterId::named("eks", dir);
            if !platform.knows(&cluster) {
                platform.signed(&cluster, "add-on of EKS in Terraform", &block.origin);
            }
            if body.str_at("addon_name") != Some("metrics-server") {
                return;
            }
            let at = body.get("addon_name").map_or(&block.origin, |it| &it.origin);
            platform.bundle(&cluster, "the EKS add-on", at);
            bundled::configure(input, &cluster, body.get("configuration_values"), platform);
        }
        "azurerm_kubernetes_cluster" => {
            signed("aks", "AKS cluster in Terraform", platform);
            platform.bundle(&ClusterId::named("aks", dir), "AKS", &block.origin);
            for default in body.items_at("default_node_pool") {
                azure_pool(dir, default, block, platform);
            }
        }
        "azurerm_kubernetes_cluster_node_pool" => azure_pool(dir, body, block, platform),
        "google_container_cluster" => {
            signed("gke", "GKE cluster in Terraform", platform);
            platform.bundle(&ClusterId::named("gke", dir), "GKE", &block.origin);
            if let Some(auto) = body.get("enable_autopilot").filter(|it| it.as_bool() == Some(true))
            {
                pool("gke", dir, Some(nodes::unbounded(&auto.origin)), block, platform);
            }
        }
        "google_container_node_pool" => google_pool(dir, body, block, platform),
        "digitalocean_kubernetes_cluster" => {
            signed("doks", "DigitalOcean cluster in Terraform", platform);
            for inner in body.items_at("node_pool") {
                ocean_pool(dir, inner, block, platform);
            }
        }
        "digitalocean_kubernetes_node_pool" => ocean_pool(dir, body, block, platform),
        "kind_cluster" if input.may_be_local_in(dir) => {
            let cluster = ClusterId::named("kind", dir);
            platform.is_local("kind", &block.origin);
            let members = body
                .items_at("kind_config")
                .iter()
                .filter_map(|it| it.get("node"))
                .map(|it| it.items().len());
            platform.pool(&cluster, nodes::exactly(members.sum::<usize>().max(1), &block.origin));
        }
        _ => {}
    }
}

/// A cluster that something else made, and that the code connects to.
fn known(dir: &str, block: &Block, platform: &mut Platform) {
    let (cloud, carrier) = match block.label.as_str() {
        "aws_eks_cluster" | "aws_eks_cluster_auth" => ("eks", "data source of an EKS cluster"),
        "azurerm_kubernetes_cluster" => ("aks", "data source of an AKS cluster"),
        "google_container_cluster" => ("gke", "data source of a GKE cluster"),
        "digitalocean_kubernetes_cluster" => ("doks", "data source of a DigitalOcean cluster"),
        _ => return,
    };
    let cluster = ClusterId::named(cloud, dir);
    if !platform.knows(&cluster) {
        platform.signed(&cluster, carrier, &block.origin);
    }
}

/// A pool of a size that may not be stated.
fn pool<'a>(
    cloud: &'static str,
    dir: &str,
    size: Option<Fact<Count>>,
    block: &Block,
    platform: &'a mut Platform,
) -> &'a mut Pool {
    let unknown = |why: &str| Fact::Unknown(why.into(), Some(block.origin.clone()));
    // Something may repeat the block, as often as only Terraform knows.
    let size = match block.body.get("count").or_else(|| block.body.get("for_each")) {
        Some(_) => unknown("Terraform repeats this block"),
        None => size.unwrap_or_else(|| unknown("its size is not stated here")),
    };
    platform.pool(&ClusterId::named(cloud, dir), size)
}

fn azure_pool(dir: &str, body: &Node, block: &Block, platform: &mut Platform) {
    let size = nodes::between(body.get("min_count"), body.get("max_count"));
    let size = size.or_else(|| body.get("node_count").map(nodes::stated));
    pool("aks", dir, size, block, platform).pods_per_node = nodes::pods(body.get("max_pods"));
}

fn ocean_pool(dir: &str, body: &Node, block: &Block, platform: &mut Platform) {
    let size = nodes::between(body.get("min_nodes"), body.get("max_nodes"));
    let size = size.or_else(|| body.get("node_count").map(nodes::stated));
    pool("doks", dir, size, block, platform);
}

/// Counts are per zone, except those that say total: without one zone as the location there are at
/// least that many.
fn google_pool(dir: &str, body: &Node, block: &Block, platform: &mut Platform) {
    let scaling = body.get("autoscaling").and_then(|it| it.items().first());
    let get = |name: &str| scaling.and_then(|it| it.get(name));
    let total = nodes::between(get("total_min_node_count"), get("total_max_node_count"));
    let zonal = body.str_at("location").is_some_and(|it| it.split('-').count() == 3);
    let per_zone = || {
        let size = nodes::between(get("min_node_count"), get("max_node_count"));
        let size = size.or_else(|| body.get("node_count").map(nodes::stated))?;
        Some(match size {
            Fact::Known(count, origin) if !zonal => {
                Fact::Known(Count { max: None, ..count }, origin)
            }
            size => size,
        })
    };
    pool("gke", dir, total.or_else(per_zone), block, platform);
}

const EKS_MODULE: &str = "terraform-aws-modules/eks/aws";

/// [`EKS_MODULE`] and the blueprints' add-ons.
fn called(input: &Input<'_>, dir: &str, block: &Block, platform: &mut Platform) {
    let body = &block.body;
    let source = body.str_at("source").unwrap_or_default();
    if source.contains(EKS_MODULE) && !source.contains("//modules") {
        let cluster = ClusterId::named("eks", dir);
        platform.signed(&cluster, "EKS module in Terraform", &block.origin);
        for groups in ["eks_managed_node_groups", "self_managed_node_groups"] {
            let Some(groups) = body.get(groups) else { continue };
            if let Some(why) = groups.unknown() {
                let size = Fact::Unknown(why.clone(), Some(groups.origin.clone()));
                platform.pool(&cluster, size);
            }
            for (_, group) in groups.entries() {
                let get = |name: &str| group.value.get(name);
                let size = nodes::between(get("min_size"), get("max_size"));
                let why = "its size is the module's default";
                let size = size
                    .unwrap_or_else(|| Fact::Unknown(why.into(), Some(group.value.origin.clone())));
                platform.pool(&cluster, size);
            }
        }
        for addons in ["addons", "cluster_addons"].iter().filter_map(|it| body.get(it)) {
            if let Some(addon) = addons.get("metrics-server") {
                platform.bundle(&cluster, "the EKS add-on", &addon.origin);
                let values = addon.get("configuration_values");
                bundled::configure(input, &cluster, values, platform);
            }
        }
    }
}

/// The documents of the patches for a machine configuration of Talos' provider.
fn config_patches(input: &Input<'_>, block: &Block, platform: &mut Platform) -> Vec<Node> {
    let mut patches: Vec<Node> = Vec::new();
    if let Some(list) = block.body.get("config_patches") {
        if list.as_list().is_none() {
            let why = "Terraform computes the patches";
            patches.push(Node::unknown_value(why, &list.origin));
        }
        for patch in list.items() {
            patches.extend(input.embedded(patch, &mut platform.problems));
        }
    }
    talos::deployed(input, &patches, platform);
    patches
}

fn machine_configuration(input: &Input<'_>, dir: &str, block: &Block, platform: &mut Platform) {
    let patches = config_patches(input, block, platform);
    let role = block.body.get("machine_type");
    let group = match role.and_then(Node::as_str) {
        Some("worker") => "workers",
        None if role.is_some() => "all nodes",
        _ => "control plane",
    };
    let cluster = ClusterId::named("talos", dir);
    let facts = talos::settings(&patches).facts();
    // Most of what repeats a block differs in nothing that matters here.
    let mut of_block = platform.kubelets.iter().rev().take_while(|it| it.anchor == block.origin);
    let last = of_block.find(|it| it.group == group);
    if last.is_none_or(|it| it.facts.facts() != facts.facts()) {
        platform.kubelet(&cluster, group, Carrier::TerraformTalos, &block.origin, facts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Config, parse, pipeline::analyze, scalar::Dialect, tests::fixture};

    #[test]
    fn variables_have_their_values_and_locals_refer_to_them() {
        let sources = fixture(
            r#"
            //- main.tf
            variable "size" { default = 3 }
            locals {
              most = var.size
              name = "prod-${var.size}"
            }
            resource "a_cluster" "b" {
              size  = var.size
              most  = local.most
              name  = local.name
              other = var.other
              pool { max = 3 }
              pool { max = 4 }
              tags  = { x = "y" }
            }
            //- terraform.tfvars
            size = 5
            "#,
        );
        let [.., block] = &blocks(&sources, "")[..] else { panic!("there are blocks") };
        let slice = |it: &Origin| sources.slice(it.written_at().expect("written"));
        assert_eq!((block.kind.as_str(), block.label.as_str()), ("resource", "a_cluster"));
        assert_eq!(slice(&block.origin), r#"resource "a_cluster" "b""#);
        let get = |name: &str| block.body.at(name).expect("an attribute");
        assert_eq!(get("size").as_int(), Some(5));
        assert_eq!(slice(&get("size").origin), "5");
        assert_eq!(get("most").as_int(), Some(5));
        assert_eq!(get("name").as_str(), Some("prod-5"));
        assert_eq!(get("other").unknown().map(|it| &**it), Some("Terraform computes `var.other`"));
        assert_eq!(get("pool").items()[1].get("max").and_then(Node::as_int), Some(4));
        assert_eq!(get("tags.x").as_str(), Some("y"));
    }

    #[test]
    fn what_is_certainly_not_made_is_no_block() {
        let count = |repeats: &str, values: &str| {
            let text = format!(
                r#"
                //- main.tf
                variable "on" {{ default = false }}
                variable "workers" {{ default = {{}} }}
                data "talos_machine_configuration" "a" {{
                  {repeats}
                  machine_type = "worker"
                }}
                resource "aws_eks_cluster" "b" {{
                  {repeats}
                }}
                //- terraform.tfvars
                {values}
                "#
            );
            blocks(&fixture(&text), "").len()
        };
        for none in ["count = 0", "for_each = {}", "for_each = toset([])", "count = 1 > 2 ? 1 : 0"]
        {
            assert_eq!(count(none, ""), 0, "{none}");
        }
        // Who runs Terraform may pass others than the defaults.
        for perhaps in ["count = var.on ? 1 : 0", "for_each = var.workers", "count = 1", ""] {
            assert_eq!(count(perhaps, ""), 2, "{perhaps}");
        }
        assert_eq!(count("for_each = var.workers", "workers = {}"), 0);
        assert_eq!(count("count = var.on ? 1 : 0", "on = true"), 2);
    }

    #[test]
    fn what_the_code_connects_to_tells_the_platform() {
        let code = r#"
            //- data.tf
            data "KIND" "this" { name = var.cluster }
            //- main.tf
            resource "helm_release" "metrics_server" {
              name       = "metrics-server"
              repository = "https://kubernetes-sigs.github.io/metrics-server/"
              chart      = "metrics-server"
              version    = "3.12.2"
            }
        "#;
        for (kind, name) in [
            ("aws_eks_cluster_auth", Some("EKS")),
            ("azurerm_kubernetes_cluster", Some("AKS")),
            ("google_container_cluster", Some("GKE")),
            ("aws_eks_addon", None),
        ] {
            let (_, clusters) = analyze(&fixture(&code.replace("KIND", kind)), &Config::default());
            let [cluster] = &clusters[..] else { panic!("{} clusters", clusters.len()) };
            assert_eq!(cluster.platform.as_ref().map(|it| it.name), name, "{kind}");
            assert_eq!(cluster.metrics_servers.len(), 1, "{kind}");
        }
    }

    #[test]
    fn yaml_in_a_heredoc_keeps_its_places_and_its_holes() {
        let sources = fixture(
            r#"
            //- main.tf
            data "talos_x" "y" {
              patch = <<-EOT
                machine:
                  type: worker
                  token: ${var.token}
              EOT
            }
            "#,
        );
        let blocks = blocks(&sources, "");
        let patch = blocks[0].body.get("patch").expect("the attribute");
        let documents = parse::embedded(&sources, patch, Dialect::Sigs);
        let root = documents.roots().next().expect("a document");
        assert_eq!(root.str_at("machine.token"), Some("${var.token}"));
        let value = root.at("machine.type").expect("the key");
        assert_eq!(sources.slice(value.origin.written_at().expect("written")), "worker");
    }
}
