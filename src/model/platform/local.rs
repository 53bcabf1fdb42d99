//! Clusters on somebody's own machine that no file of their own defines: contexts that tools are
//! told to use, colima's configuration, scripts that start minikube.

use crate::{
    model::{
        ClusterId,
        platform::{Input, InputDocument, Platform},
    },
    source::{self, FileId, Span},
    tree::{Node, Origin},
};

pub(super) fn carrier(input: &Input<'_>, platform: &mut Platform) {
    for document in &input.documents {
        if is_colima(document.node) {
            colima(input, document, platform);
        }
        let contexts = ["deploy.kubeContext", "helmDefaults.kubeContext"];
        for context in contexts.iter().filter_map(|it| document.node.at(it)) {
            let tool = context.as_str().and_then(tool);
            if let Some(tool) = tool.filter(|_| input.may_be_local(document)) {
                platform.is_local(tool, &context.origin);
            }
        }
    }
    if let Some((tool, at)) = &input.environment.local
        && input.may_be_local_in("")
    {
        platform.is_local(tool, at);
    }
    for file in input.own_scripts(SCRIPTS) {
        script(input, file, platform);
    }
}

/// Scripts that start clusters lie under such names beside what is deployed.
const SCRIPTS: &[&str] =
    &["Makefile", "justfile", "Justfile", "Taskfile.yml", "Taskfile.yaml", "Tiltfile"];

/// The tool that names a kubeconfig context so.
fn tool(context: &str) -> Option<&'static str> {
    match context {
        "minikube" => Some("minikube"),
        "docker-desktop" | "docker-for-desktop" => Some("Docker Desktop"),
        "rancher-desktop" => Some("Rancher Desktop"),
        "orbstack" => Some("OrbStack"),
        "colima" => Some("colima"),
        _ if context.starts_with("kind-") => Some("kind"),
        _ if context.starts_with("k3d-") => Some("k3d"),
        _ => None,
    }
}

/// `colima.yaml`: a virtual machine with Kubernetes in it, which is k3s.
fn is_colima(node: &Node) -> bool {
    node.is_true_at("kubernetes.enabled")
        && node.at("kubernetes.k3sArgs").is_some()
        && node.get("apiVersion").is_none()
}

fn colima(input: &Input<'_>, document: &InputDocument<'_>, platform: &mut Platform) {
    let Some(args) = document.node.at("kubernetes.k3sArgs") else { return };
    if !input.may_be_local(document) {
        return;
    }
    let at = document.node.at("kubernetes.enabled").map_or(&args.origin, |it| &it.origin);
    platform.is_local("colima", at);
    let cluster = ClusterId::named("colima", document.path);
    platform.signed(&cluster, "colima configuration", at);
    let disabled = |it: &Node| it.as_str().is_some_and(|it| it.contains("metrics-server"));
    if !args.items().iter().any(disabled) {
        platform.bundle(&cluster, "k3s", at);
    }
}

/// A script beside what is deployed that starts the cluster for it.
fn script(input: &Input<'_>, file: FileId, platform: &mut Platform) {
    for (start, line) in source::lines(input.sources.text(file)) {
        let command = ["minikube start", "colima start --kubernetes", "minikube addons enable"];
        let found = command.iter().find_map(|it| Some((it, line.find(it)?)));
        if let Some((command, at)) = found.filter(|_| !line.trim_start().starts_with('#')) {
            let at = start + at;
            let origin = Origin::written(Span::new(file, at..at + command.len()));
            let tool = command.split(' ').next().unwrap_or_default();
            platform.is_local(tool, &origin);
            if line.contains("metrics-server") {
                platform.bundle(&ClusterId::only(tool), tool, &origin);
            }
        }
    }
}
