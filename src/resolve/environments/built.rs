//! What Flux builds where that is not what is written: the path of a Kustomization may be patched, or
//! substituted. And charts that a kustomization builds, or is built instead of.

use std::collections::{BTreeMap, BTreeSet};

use super::{Root, Start};
use crate::{
    data::{
        kinds::WORKLOADS,
        subject::{METRICS_API, is_server_named_in},
    },
    resolve::{
        environment::{Environment, Object},
        layout::{self, Closure, Layout},
    },
    source::{self, Sources},
};

/// What is reached from those of the directories `dirs`, which were built for `start`, that nothing
/// written leads to.
pub(super) fn beyond(layout: &Layout<'_>, start: &Start<'_>, dirs: &BTreeSet<String>) -> Closure {
    let objects = start.closures.iter().flat_map(|it| &it.flux);
    let roots = start.roots.iter().filter_map(|root| match root {
        Root::Object(index) => Some(index),
        Root::Dir(_) => None,
    });
    let written = objects.chain(roots).filter_map(|index| layout.flux[*index].dir.as_deref());
    let entries = start.roots.iter().filter_map(|root| match root {
        Root::Dir(dir) => Some(dir.as_str()),
        Root::Object(_) => None,
    });
    let written: BTreeSet<&str> = written.chain(entries).collect();
    let others = dirs.iter().map(String::as_str).filter(|dir| !written.contains(dir));
    layout.closure_of_all(others, true)
}

/// Those of `starts` that are none: another one was seen to build all that they start from. `beyond`
/// says of each what else it reaches.
pub(super) fn by_others(starts: &[Start<'_>], beyond: &[&Closure]) -> BTreeSet<usize> {
    let mut dirs: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut objects: BTreeMap<usize, usize> = BTreeMap::new();
    // What the configuration names is one in any case.
    let named = |it: &Start<'_>| it.settings.is_some_and(|it| it.entry.is_some());
    for (index, start) in starts.iter().enumerate().filter(|(_, it)| !named(it)) {
        for root in &start.roots {
            match root {
                Root::Dir(dir) => dirs.entry(dir).or_default().push(index),
                Root::Object(object) => {
                    objects.insert(*object, index);
                }
            }
        }
    }
    let next = beyond.iter().map(|closure| {
        let mut roots: BTreeMap<usize, usize> = BTreeMap::new();
        let of_dirs = closure.dirs.iter().filter_map(|dir| dirs.get(&**dir)).flatten();
        let of_objects = closure.flux.iter().filter_map(|object| objects.get(object));
        for start in of_dirs.chain(of_objects) {
            *roots.entry(*start).or_default() += 1;
        }
        let whole = roots.into_iter().filter(|(start, count)| starts[*start].roots.len() == *count);
        whole.map(|(start, _)| start).collect()
    });
    let next: Vec<BTreeSet<usize>> = next.collect();
    let first: BTreeSet<usize> = layout::starts(&BTreeSet::new(), &next).into_iter().collect();
    (0..starts.len()).filter(|index| !first.contains(index)).collect()
}

/// Whether the kustomization in a directory is what the chart there comes to, so that the chart is
/// nothing for itself: it inflates charts, holds one's objects, or something installs it, and who
/// finds both takes the kustomization (`util/app/discovery/discovery.go` of Argo CD). Then the file
/// of the chart is for who updates it. Any other may hold what the chart lacks, such as its namespace.
pub(super) fn inside<'a>(
    sources: &'a Sources,
    layout: &'a Layout<'_>,
    built: &'a BTreeSet<String>,
    environments: &[Environment],
) -> impl Fn(&str) -> bool + use<'a> {
    let mut holding = BTreeSet::new();
    for environment in environments {
        let objects = environment.objects.iter().filter(|it| is_of_server(it));
        let objects: Vec<_> = objects.map(|it| &it.node.origin).collect();
        // What is written elsewhere is held where it is built.
        if !objects.is_empty() || environment.releases.iter().any(|it| it.family.is_some()) {
            let places = objects.into_iter().chain([&environment.entry.origin]);
            let files = places.filter_map(|it| Some(it.written_at()?.file));
            holding.extend(files.map(|it| source::parent(&sources[it].path)));
        }
    }
    move |dir| layout.inflates_charts(dir) || built.contains(dir) || holding.contains(dir)
}

/// Whether `object` is one of those that a metrics-server consists of, as far as its name says.
pub(super) fn is_of_server(object: &Object) -> bool {
    (WORKLOADS.contains(&object.kind()) || object.kind() == "APIService")
        && (is_server_named_in(object.name()) || object.name() == METRICS_API)
}
