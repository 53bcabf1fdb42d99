//! Which files there are, and which of them can matter.

use std::{path::Path, sync::LazyLock};

use regex::bytes::Regex;

use crate::source::Relevance;

/// How a file can matter, judged by its bytes.
pub fn relevance(text: &[u8]) -> Relevance {
    static SUBJECT: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            "metrics-server|metrics\\.k8s\\.io|serverTLSBootstrap|KubeletConfiguration|rotate-server-certificates\
             |kubelet-serving|kubelet-csr-approver|METRICS_SERVER|kubelet",
        )
        .ok()
    });
    static PLUMBING: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new("kustomize\\.(toolkit\\.fluxcd|config\\.k8s)\\.io|argoproj\\.io|fluxcd\\.io")
            .ok()
    });
    let matches = |regex: &Option<Regex>| regex.as_ref().is_some_and(|it| it.is_match(text));
    if matches(&SUBJECT) {
        Relevance::Subject
    } else if matches(&PLUMBING) {
        Relevance::Plumbing
    } else {
        Relevance::None
    }
}

#[expect(dead_code, reason = "the walk comes with the pipeline")]
fn walk(_root: &Path) {}
