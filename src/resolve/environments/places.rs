//! Which environments' clusters a file defines, by where it lies.

use std::collections::{BTreeMap, BTreeSet};

use super::built;
use crate::{
    problem::ProblemKind,
    resolve::{
        environment::{EntryKind, Environment, UNNAMED},
        install::{self, Called},
        names::{environment_of, environment_of_dir, environment_or_unnamed},
    },
    source::{self, FileId, Sources},
};

/// The environments, of those at `places` with these `names`, whose clusters the file at `path`
/// defines, and the names of others.
///
/// Code defines the cluster of each environment that something calls it for. It then counts as lying
/// where its callers do.
pub(super) fn homes<'p>(
    places: &[ClusterPlace],
    names: &BTreeMap<String, usize>,
    called: &'p Called,
    path: &'p str,
) -> (BTreeSet<usize>, BTreeSet<&'p str>) {
    let (mut homes, mut others) = (BTreeSet::new(), BTreeSet::new());
    let callers = install::callers(called, path);
    let callers = || callers.into_iter().flatten();
    for caller in callers() {
        let place = environment_of_dir(&caller.dir);
        let same = names.get(&caller.environment).copied();
        match same.or_else(|| inside(places, place?)) {
            Some(index) => homes.insert(index),
            None => others.insert(place.unwrap_or(UNNAMED)),
        };
    }
    if homes.is_empty() {
        homes.extend(callers().filter_map(|it| home(places, &format!("{}/", it.dir), |_| true)));
        if homes.is_empty() {
            homes.extend(home(places, path, |_| true));
        }
        if homes.is_empty() && others.is_empty() {
            others.insert(environment_or_unnamed(path));
        }
    }
    // One that its directories do not tell from the others is no environment beside these.
    if !homes.is_empty() {
        others.remove(UNNAMED);
    }
    (homes, others)
}

/// An environment as one whose cluster files may define.
pub(super) struct ClusterPlace {
    /// The directory that it starts in.
    dir: String,
    /// Whether it is not only manifests that nothing refers to.
    built: bool,
    /// Whether it is a cluster's: what Flux or Argo CD starts from, or what has a metrics-server or
    /// may have one.
    certain: bool,
    /// Whether a controller applies it.
    is_applied: bool,
    /// The directories of the repository's root that it consists of: the one that it starts in, or those
    /// of manifests that nothing refers to.
    tops: BTreeSet<String>,
}

impl ClusterPlace {
    /// `environment`, which is run in the directory `root`, if that is known; `builders` are the files of Flux
    /// Kustomizations, by the directories that these build.
    pub(super) fn new(
        sources: &Sources,
        builders: &BTreeMap<&str, Vec<FileId>>,
        environment: &Environment,
        root: Option<&str>,
    ) -> Self {
        let file = environment.entry.origin.written_at().map(|it| it.file);
        let dir = root.or(file.map(|file| source::parent(&sources[file].path)));
        let dir = dir.unwrap_or_default();
        let kind = environment.entry.kind;
        // What lies in a directory that Flux builds, and is not reached from there, starts no cluster:
        // it is parked.
        let is_built_elsewhere = |it: &str| {
            builders.get(it).is_some_and(|files| files.iter().any(|it| Some(*it) != file))
        };
        let is_parked = || {
            std::iter::successors(Some(dir), |it| (!it.is_empty()).then(|| source::parent(it)))
                .any(is_built_elsewhere)
        };
        // Other tools often do no more than start a cluster off.
        let certain = kind == EntryKind::ArgoCd
            || kind == EntryKind::Flux && !is_parked()
            || environment.problems.iter().any(|it| it.kind != ProblemKind::Unresolved)
            || environment.releases.iter().any(|it| it.family.is_some())
            || environment.objects.iter().any(built::is_of_server);
        let built = kind != EntryKind::Manifests;
        let objects = environment.objects.iter().filter_map(|it| it.node.origin.written_at());
        let mut tops: BTreeSet<String> = objects
            .filter(|_| !built)
            .map(|it| top(source::parent(&sources[it.file].path)).to_owned())
            .collect();
        tops.insert(top(dir).to_owned());
        let is_applied = matches!(kind, EntryKind::ArgoCd | EntryKind::Flux);
        Self { dir: dir.to_owned(), built, certain, is_applied, tops }
    }

    /// Whether the file at `path` is near what it consists of: in the same directory of the
    /// repository's root. What is in the root itself is near everything, except that Flux and Argo CD
    /// apply what they say they apply.
    pub(super) fn is_beside(&self, path: &str) -> bool {
        let top = top(source::parent(path));
        let is_root = top.is_empty() || self.tops.contains("");
        self.tops.contains(top) || is_root && !self.is_applied
    }

    /// The path of something in its directory.
    pub(super) fn path(&self) -> String {
        format!("{}/", self.dir)
    }
}

/// The first directory of a path.
fn top(dir: &str) -> &str {
    dir.split_once('/').map_or(dir, |(top, _)| top)
}

/// The environment, of those at `places`, whose cluster the file at `path` defines.
///
/// A file in the directory of an environment belongs to that environment or to none. Any other
/// belongs to the one that shares most of its directories, if that is one, or to the only one. What
/// nothing builds counts where nothing is built. Beside a name in its path, only a place that `may` be
/// it counts.
pub(super) fn home(
    places: &[ClusterPlace],
    path: &str,
    may: impl Fn(&ClusterPlace) -> bool,
) -> Option<usize> {
    let all = || places.iter().enumerate().filter(|(_, it)| may(it));
    if let Some(place) = environment_of(path) {
        return inside(places, place);
    }
    let some = |wanted: fn(&ClusterPlace) -> bool| -> Vec<(usize, &ClusterPlace)> {
        all().filter(|(_, it)| wanted(it)).collect()
    };
    let found = [some(|it| it.built && it.certain), some(|it| it.certain), some(|it| it.built)];
    let places = found.into_iter().find(|it| !it.is_empty()).unwrap_or_else(|| all().collect());
    if let [(index, _)] = &*places {
        return Some(*index);
    }
    let shared = |place: &ClusterPlace| {
        let pairs = place.dir.split('/').zip(source::parent(path).split('/'));
        pairs.take_while(|(a, b)| a == b && !a.is_empty()).count()
    };
    let most = places.iter().map(|(_, it)| shared(it)).max().filter(|most| *most > 0)?;
    let mut best = places.iter().filter(|(_, it)| shared(it) == most);
    best.next().filter(|_| best.next().is_none()).map(|(index, _)| *index)
}

/// The first environment, of those at `places`, that starts in `dir`, rather one that is certain.
fn inside(places: &[ClusterPlace], dir: &str) -> Option<usize> {
    let all = places.iter().enumerate().filter(|(_, it)| source::is_within(&it.dir, dir));
    let all: Vec<_> = all.collect();
    let found = all.iter().find(|(_, it)| it.certain).or(all.first());
    found.map(|(index, _)| *index)
}
