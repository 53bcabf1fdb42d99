//! Terraform and OpenTofu: managed clusters and their pools, the metrics-server add-on of EKS,
//! Talos' machine configurations, clusters of kind. Variables count with their values in
//! `terraform.tfvars` and `*.auto.tfvars`, else with their defaults.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    model::{
        Carrier, ClusterId, Count, Fact, Kubelet, Signer,
        nodes::{self, Pool},
        platform::{Input, Platform, bundled, extension, talos},
    },
    parse::hcl::{self, Block},
    source::{self, FileId},
    tree::{Node, Origin},
};

pub(super) fn read(input: &Input<'_>, platform: &mut Platform) {
    let dirs: BTreeSet<&str> = input
        .files
        .iter()
        .map(|file| &*input.sources[*file].path)
        .filter(|path| extension(path) == "tf")
        .map(source::parent)
        .collect();
    for dir in dirs {
        module(input, dir, platform);
    }
}

/// All blocks of a directory, which is what Terraform reads as one.
fn module(input: &Input<'_>, dir: &str, platform: &mut Platform) {
    let here = |file: &FileId| source::parent(&input.sources[*file].path) == dir;
    let files = || input.sources.below(dir).filter(here);
    let with = |end: &'static str| {
        files().filter(move |file| {
            let name = source::file_name(&input.sources[*file].path);
            name.ends_with(end)
        })
    };
    let parse = |file: FileId, look: &dyn Fn(&str) -> Option<Node>| {
        hcl::parse(input.sources.text(file), file, look)
    };
    let mut values: BTreeMap<String, Node> = BTreeMap::new();
    let none = |_: &str| None;
    for file in with(".tf") {
        let Ok((blocks, _)) = parse(file, &none) else { continue };
        for block in blocks {
            match &block.labels[..] {
                [kind, name] if kind == "variable" => {
                    let default = block.body.get("default").cloned();
                    values.extend(default.map(|it| (format!("var.{name}"), it)));
                }
                [kind] if kind == "locals" => values.extend(
                    block
                        .body
                        .entries()
                        .map(|(name, it)| (format!("local.{name}"), it.value.clone())),
                ),
                _ => {}
            }
        }
    }
    for file in with("terraform.tfvars").chain(with(".auto.tfvars")) {
        let Ok((_, attributes)) = parse(file, &none) else { continue };
        values
            .extend(attributes.iter().map(|(name, it)| (format!("var.{name}"), it.value.clone())));
    }
    let look = |name: &str| values.get(name).filter(|it| it.unknown().is_none()).cloned();
    let mut blocks: Vec<Block> = Vec::new();
    for file in with(".tf") {
        // What is not HCL is reported by the resolver of what Terraform installs.
        if let Ok((mut more, _)) = parse(file, &look) {
            blocks.append(&mut more);
        }
    }
    // One module makes one cluster, unless it makes several of the same.
    for block in &blocks {
        let Some(kind) = block.labels.first().map(String::as_str) else { continue };
        let of = block.labels.get(1).map_or("", String::as_str);
        match kind {
            "resource" => resource(input, dir, of, block, platform),
            "data" if of == "talos_machine_configuration" => {
                machine_configuration(input, dir, block, platform);
            }
            "module" => called(dir, block, platform),
            _ => {}
        }
    }
}

fn resource(input: &Input<'_>, dir: &str, of: &str, block: &Block, platform: &mut Platform) {
    let body = &block.body;
    let list = |name: &str| body.items_at(name);
    let first = |name: &str| list(name).first();
    let signed = |cloud, carrier, platform: &mut Platform| {
        platform.signed(&ClusterId::named(cloud, dir), "all nodes", carrier, &block.origin);
    };
    match of {
        "aws_eks_cluster" => signed("eks", "EKS cluster in Terraform", platform),
        "aws_eks_node_group" => {
            let scaling = first("scaling_config");
            let get = |name: &str| scaling.and_then(|it| it.get(name));
            pool("eks", dir, nodes::between(get("min_size"), get("max_size")), block, platform);
        }
        "aws_eks_addon" if body.str_at("addon_name") == Some("metrics-server") => {
            let at = body.get("addon_name").map_or(&block.origin, |it| &it.origin);
            platform.bundled.push(bundled::metrics_server("the EKS add-on", "kube-system", at));
        }
        "azurerm_kubernetes_cluster" => {
            signed("aks", "AKS cluster in Terraform", platform);
            let server = bundled::metrics_server("AKS", "kube-system", &block.origin);
            platform.bundled.push(server);
            for default in list("default_node_pool") {
                azure_pool(dir, default, block, platform);
            }
        }
        "azurerm_kubernetes_cluster_node_pool" => azure_pool(dir, body, block, platform),
        "google_container_cluster" => {
            signed("gke", "GKE cluster in Terraform", platform);
            let server = bundled::metrics_server("GKE", "kube-system", &block.origin);
            platform.bundled.push(server);
            if let Some(auto) = body.get("enable_autopilot").filter(|it| it.as_bool() == Some(true))
            {
                pool("gke", dir, Some(unbounded(&auto.origin)), block, platform);
            }
        }
        "google_container_node_pool" => google_pool(dir, body, block, platform),
        "digitalocean_kubernetes_cluster" => {
            signed("doks", "DigitalOcean cluster in Terraform", platform);
            for inner in list("node_pool") {
                ocean_pool(dir, inner, block, platform);
            }
        }
        "digitalocean_kubernetes_node_pool" => ocean_pool(dir, body, block, platform),
        "kind_cluster" if input.is_for_real(dir) => {
            let cluster = ClusterId::named("kind", dir);
            platform.local.get_or_insert_with(|| ("kind runs it".into(), block.origin.clone()));
            let members = list("kind_config")
                .iter()
                .filter_map(|it| it.get("node"))
                .map(|it| it.items().len());
            let count = members.sum::<usize>().max(1);
            let count = Count::exactly(u64::try_from(count).unwrap_or(u64::MAX));
            platform.pools.push(Pool::new(&cluster, Fact::Known(count, block.origin.clone())));
        }
        _ => {}
    }
}

/// A pool of a size that may not be stated.
fn pool(
    cloud: &'static str,
    dir: &str,
    size: Option<Fact<Count>>,
    block: &Block,
    platform: &mut Platform,
) {
    let unknown =
        || Fact::Unknown("its size is not stated here".into(), Some(block.origin.clone()));
    let mut size = size.unwrap_or_else(unknown);
    // Something repeats the block, as often as only Terraform knows.
    if block.body.get("count").or_else(|| block.body.get("for_each")).is_some() {
        size = Fact::Unknown("Terraform repeats this block".into(), Some(block.origin.clone()));
    }
    platform.pools.push(Pool::new(&ClusterId::named(cloud, dir), size));
}

fn azure_pool(dir: &str, body: &Node, block: &Block, platform: &mut Platform) {
    let size = nodes::between(body.get("min_count"), body.get("max_count"));
    let size = size.or_else(|| body.get("node_count").map(nodes::stated));
    pool("aks", dir, size, block, platform);
    if let Some(pods) = body.get("max_pods") {
        limit_pods(pods, platform);
    }
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

fn limit_pods(node: &Node, platform: &mut Platform) {
    let count = node.as_int().and_then(|it| u64::try_from(it).ok());
    if let (Some(count), Some(pool)) = (count, platform.pools.last_mut()) {
        pool.pods_per_node = Some((count, node.origin.clone()));
    }
}

fn unbounded(origin: &Origin) -> Fact<Count> {
    Fact::Known(Count { min: 0, max: None }, bundled::origin(origin))
}

/// `terraform-aws-modules/eks/aws` and the blueprints' add-ons.
fn called(dir: &str, block: &Block, platform: &mut Platform) {
    let body = &block.body;
    let source = body.str_at("source").unwrap_or_default();
    if source.contains("terraform-aws-modules/eks/aws") && !source.contains("//modules") {
        let cluster = ClusterId::named("eks", dir);
        platform.signed(&cluster, "all nodes", "EKS module in Terraform", &block.origin);
        for groups in ["eks_managed_node_groups", "self_managed_node_groups"] {
            let Some(groups) = body.get(groups) else { continue };
            if let Some(why) = groups.unknown() {
                let size = Fact::Unknown(why.clone(), Some(groups.origin.clone()));
                platform.pools.push(Pool::new(&cluster, size));
            }
            for (_, group) in groups.entries() {
                let get = |name: &str| group.value.get(name);
                let size = nodes::between(get("min_size"), get("max_size"));
                let why = "its size is the module's default";
                let size = size
                    .unwrap_or_else(|| Fact::Unknown(why.into(), Some(group.value.origin.clone())));
                platform.pools.push(Pool::new(&cluster, size));
            }
        }
        for addons in ["addons", "cluster_addons"].iter().filter_map(|it| body.get(it)) {
            if let Some(addon) = addons.get("metrics-server") {
                let server =
                    bundled::metrics_server("the EKS add-on", "kube-system", &addon.origin);
                platform.bundled.push(server);
            }
        }
    }
}

/// Patches for the machine configurations of Talos' provider.
fn machine_configuration(input: &Input<'_>, dir: &str, block: &Block, platform: &mut Platform) {
    let mut patches: Vec<Node> = Vec::new();
    if let Some(list) = block.body.get("config_patches") {
        if list.as_list().is_none() {
            let why = "Terraform computes the patches";
            patches.push(Node::unknown_value(why, &list.origin));
        }
        for patch in list.items() {
            match patch.as_scalar() {
                Some(_) => patches.extend(input.embedded(patch, &mut platform.problems)),
                None => patches.push(patch.clone()),
            }
        }
    }
    for patch in &patches {
        platform.approvers.extend(talos::approvers(input, patch, &mut platform.problems));
    }
    let worker = block.body.str_at("machine_type") == Some("worker");
    platform.kubelets.push(Kubelet {
        cluster: ClusterId::named("talos", dir),
        group: if worker { "workers" } else { "control plane" }.into(),
        carrier: Carrier::TerraformTalos,
        signer: Signer::Kubelet,
        complete: true,
        anchor: block.origin.clone(),
        facts: talos::settings(&patches).facts(),
    });
}
