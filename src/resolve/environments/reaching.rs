//! Which starts of environments can have something to do with the files that somebody asks about: most
//! files that are staged for a commit are some program's, and few environments reach them.

use std::collections::BTreeSet;

use super::{Root, Start};
use crate::{
    data::kinds::AUTOSCALERS,
    resolve::{
        context::Context,
        installers::Installers,
        layout::{self, Layout},
    },
    source::{self, FileId, Relevance, Sources, Text},
};

/// Leaves only the `starts` that reach one of `files`, where what the other ones come to certainly says
/// nothing of these; whether it does. Where there is a doubt, all stay.
pub(super) fn leave(
    context: &Context<'_>,
    layout: &Layout<'_>,
    installers: &Installers<'_>,
    starts: &mut Vec<Start<'_>>,
    files: &BTreeSet<FileId>,
) -> bool {
    let sources = context.sources;
    // What the templates of charts make others deploy is only known once they are rendered.
    let deploys = |file| layout.chart_of(file).is_some() && layout::is_gitops(sources, file);
    let is_certain = !files.is_empty()
        && files.iter().all(|it| is_plain(layout, sources, *it))
        && installers.reached().files.is_disjoint(files)
        && !sources.iter().any(|(file, _)| deploys(file));
    if is_certain {
        let starts_there = |root: &Root| match root {
            Root::Object(index) => files.contains(&layout.flux[*index].file),
            Root::Dir(_) => false,
        };
        let leads_there =
            |it: &BTreeSet<FileId>| !it.is_disjoint(files) || installers.leads_to(it, files);
        starts.retain(|start| {
            start.roots.iter().any(starts_there)
                || start.closures.iter().any(|it| leads_there(&it.files))
        });
    }
    is_certain
}

/// What a file says that may tell of an approver, or of what is asked for where nothing is written.
const TELLING: [&str; 5] = ["approve", "Hetzner", "HCloud", "LimitRange", "Policy"];

/// Whether a file holds nothing but objects that concern us only where Flux or kustomize applies them.
fn is_plain(layout: &Layout<'_>, sources: &Sources, file: FileId) -> bool {
    let path = &sources[file].path;
    if !matches!(sources[file].relevance, Relevance::None | Relevance::Plumbing)
        || layout.charts_of(file).next().is_some()
        || layout.argo.binary_search_by_key(&file, |(it, _)| *it).is_ok()
        || !layout::is_yaml(path)
        || source::rendered(path) != path
        || layout::chart_around(sources, path).is_some()
    {
        return false;
    }
    let Text::Utf8(text) = sources.load(file) else { return false };
    let says = |word: &str| text.contains(word);
    let dir = source::parent(path);
    // Manifests beside an autoscaler are looked at with it.
    let scales = |it: FileId| sources[it].relevance >= Relevance::Scaling;
    (layout::is_kustomization(path) || says("apiVersion:") && says("kind:"))
        && !AUTOSCALERS.iter().chain(&TELLING).any(|it| says(it))
        && !sources.files_in(dir).any(scales)
}
