//! Approvers anywhere in the repository, for the claim that nothing approves.

use std::sync::LazyLock;

use regex::Regex;

use crate::{
    config,
    model::Approver,
    source::{Relevance, Sources, Span, extension, file_name, is_prose, lines},
    tree::Origin,
};

/// Whatever in the repository speaks of an approver, in any language: manifests of other
/// environments, scripts, templates. None is certain to run where an environment does.
///
/// Reads every manifest and every script, so it is for when an approver is missed.
pub(crate) fn elsewhere(sources: &Sources) -> Vec<Approver> {
    let mut found: Vec<Approver> = Vec::new();
    for (file, source) in sources.iter() {
        if file_name(&source.path) == config::FILE
            || is_prose(&source.path)
            || !(source.relevance > Relevance::None || may_deploy(&source.path))
        {
            continue;
        }
        for (start, line) in lines(sources.text(file)) {
            if let Some((said, at)) = mention(line)
                && let name = name(said)
                && found.iter().all(|it| it.name != name)
            {
                let at = start + at;
                let span = Span::new(file, at..at + said.len());
                found.push(Approver::new(name, &Origin::written(span), false));
            }
        }
    }
    found
}

/// What approves, where `said` stands.
fn name(said: &str) -> &str {
    match said {
        "kubernetes.io/kubelet-serving" | "kubelet-serving-approver" => {
            "a role for kubelet-serving"
        }
        "node-csr-approval" => super::TALOS,
        "certificate approve" => "kubectl certificate approve",
        _ if said.starts_with('H') => "cluster-api-provider-hetzner",
        project => project,
    }
}

/// What a line says of an approver outside a comment, and where in the line.
fn mention(line: &str) -> Option<(&str, usize)> {
    static WORDS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            "kubelet-csr-approver|kubelet-serving-cert-approver|kubelet-rubber-stamp\
             |kubernetes\\.io/kubelet-serving|kubelet-serving-approver|node-csr-approval\
             |certificate approve|Hetzner(Cluster|BareMetalMachineTemplate)|HCloudMachineTemplate",
        )
        .ok()
    });
    let code = line.find(" #").map_or(line, |at| &line[..at]);
    if code.trim_start().starts_with(['#', ';']) || code.trim_start().starts_with("//") {
        return None;
    }
    let found = WORDS.as_ref()?.find(code)?;
    Some((found.as_str(), found.start()))
}

/// Manifests and scripts, in whatever language.
fn may_deploy(path: &str) -> bool {
    let name = file_name(path);
    matches!(
        extension(name),
        "yaml"
            | "yml"
            | "json"
            | "sh"
            | "bash"
            | "ps1"
            | "mk"
            | "just"
            | "j2"
            | "tpl"
            | "tmpl"
            | "gotmpl"
            | "tf"
            | "py"
    ) || matches!(name, "Makefile" | "makefile" | "justfile" | "Justfile" | "Vagrantfile")
}
