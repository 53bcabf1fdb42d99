//! Approvers anywhere in the repository, for the claim that nothing approves.

use std::{collections::BTreeSet, sync::LazyLock};

use super::TALOS;
use crate::{
    config,
    data::subject::{APPROVERS, APPROVING, TALOS_CONTROLLER},
    discover::is_candidate,
    literals::Literals,
    model::Approver,
    resolve::script,
    source::{FileId, Relevance, Source, Sources, Span, extension, file_name, is_prose, lines},
    tree::Origin,
};

/// Whatever in the repository speaks of an approver, in any language: manifests of other
/// environments, scripts, templates. None is certain to run where an environment does.
///
/// May read every manifest and every script, so it is for when an approver is missed.
pub(crate) fn elsewhere(sources: &Sources) -> Vec<Approver> {
    let mut found: Vec<Approver> = Vec::new();
    // What is no program of an infrastructure's project is one of its own, but for scripts in Python.
    let programs: BTreeSet<FileId> = script::programs(sources).collect();
    let may_deploy = |file: FileId, source: &Source| {
        let path = &source.path;
        let is_code = source.relevance > Relevance::None
            || is_candidate(path)
            || extension(path) == "py"
            || programs.contains(&file);
        is_code && file_name(path) != config::FILE && !is_prose(path)
    };
    for file in sources.saying(&WORDS, may_deploy) {
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
        TALOS_CONTROLLER => TALOS,
        "certificate approve" => "kubectl certificate approve",
        "certificate_signing_request_approval" => "a program of the repository",
        _ if said.starts_with('H') => "cluster-api-provider-hetzner",
        project => project,
    }
}

/// What a line may say of an approver.
static WORDS: LazyLock<Literals> = LazyLock::new(|| Literals::new(&[APPROVERS, APPROVING]));

/// What a line says of an approver outside a comment, and where in the line.
fn mention(line: &str) -> Option<(&str, usize)> {
    let code = line.find(" #").map_or(line, |at| &line[..at]);
    if code.trim_start().starts_with(['#', ';']) || code.trim_start().starts_with("//") {
        return None;
    }
    WORDS.found(code).next().map(|(at, word)| (word, at))
}
