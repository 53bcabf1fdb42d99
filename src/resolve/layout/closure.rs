//! What is reached from a directory, and where what leads to each other starts.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError},
};

use rayon::prelude::*;
use regex::Regex;

use super::{Layout, is_yaml};
use crate::{
    ascii,
    scalar::Dialect,
    source::{self, FileId, Relevance, Sources, extension, rendered},
};

/// What is reached from a directory.
#[derive(Debug, Default, Clone)]
pub(crate) struct Closure {
    /// Files, kustomization files included.
    pub files: BTreeSet<FileId>,
    /// Directories with a kustomization.
    pub dirs: BTreeSet<String>,
    /// Flux Kustomizations, as indices into [`Layout::flux`].
    pub flux: BTreeSet<usize>,
    /// Whether anything in it speaks of our subject, or leads where we cannot follow.
    pub matters: bool,
    /// Whether anything in it scales workloads.
    pub scales: bool,
    /// Whether it names something that the repository does not have, which may hold anything.
    pub leads_out: bool,
}

/// What was asked for.
#[derive(Debug, Default)]
pub(super) struct Closures {
    /// By directory, and whether they are nested.
    known: [Mutex<BTreeMap<String, Arc<Closure>>>; 2],
    concerning: OnceLock<BTreeMap<String, bool>>,
}

/// A place that leads to others: a file, or a directory as Flux or kustomize builds it.
#[derive(Default)]
struct Place<'d> {
    files: Vec<FileId>,
    next: Vec<&'d str>,
    has_kustomization: bool,
    leads_out: bool,
}

impl Layout<'_> {
    /// What building `dir` reaches; with `nested`, also what the Flux Kustomizations in it build.
    pub(crate) fn closure(&self, dir: &str, nested: bool) -> Arc<Closure> {
        let known = || {
            let known = &self.closures.known[usize::from(nested)];
            known.lock().unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(closure) = known().get(dir) {
            return Arc::clone(closure);
        }
        let closure = Arc::new(self.closure_of_all([dir], nested));
        known().insert(dir.to_owned(), Arc::clone(&closure));
        closure
    }

    /// What building any of `dirs` reaches, in the time that it takes to go there once.
    pub(crate) fn closure_of_all<'d>(
        &'d self,
        dirs: impl IntoIterator<Item = &'d str>,
        nested: bool,
    ) -> Closure {
        let mut closure = Closure::default();
        let mut open: Vec<&str> = dirs.into_iter().collect();
        let mut seen = BTreeSet::new();
        while let Some(path) = open.pop() {
            if !seen.insert(path) {
                continue;
            }
            let place = self.place(path);
            open.extend(place.next);
            closure.leads_out |= place.leads_out;
            if place.has_kustomization {
                closure.dirs.insert(path.to_owned());
            }
            for file in place.files {
                self.reach(file, nested, &mut closure, &mut open);
            }
        }
        closure
    }

    /// Whether anything that building `dir`, and the Flux Kustomizations in it, reaches may concern us,
    /// scale workloads, issue certificates for what does, or lie outside.
    pub(crate) fn may_concern(&self, dir: &str) -> bool {
        let known = self.closures.concerning.get_or_init(|| self.concerning());
        known.get(dir).copied().unwrap_or_else(|| {
            let closure = self.closure(dir, true);
            let concerns = |file: &FileId| self.concerns(*file);
            closure.matters || closure.leads_out || closure.files.iter().any(concerns)
        })
    }

    /// Parses in all threads the manifests that building `dirs` will read, of those that `is_there` takes.
    pub(crate) fn parse_ahead<'d>(
        &'d self,
        dirs: impl IntoIterator<Item = &'d str>,
        is_there: impl Fn(&str) -> bool + Sync,
    ) {
        let sources = self.sources;
        let files = self.manifests(dirs).into_par_iter();
        files.filter(|it| is_there(&sources[*it].path)).for_each(|it| {
            sources.outline(it);
        });
    }

    /// The manifests that building `dirs` reads as such, and nothing that is only named there: files of
    /// generators and charts may be of any size.
    fn manifests<'d>(&'d self, dirs: impl IntoIterator<Item = &'d str>) -> BTreeSet<FileId> {
        let mut files = BTreeSet::new();
        let mut open: Vec<&str> = dirs.into_iter().collect();
        let mut seen = BTreeSet::new();
        while let Some(dir) = open.pop() {
            if !seen.insert(dir) {
                continue;
            }
            let Some(kustomization) = self.kustomizations.get(dir) else {
                let mut place = Place::default();
                self.all_below(dir, &mut place);
                // Flux takes these.
                let is_built = |it: &FileId| {
                    matches!(extension(rendered(&self.sources[*it].path)), "yaml" | "yml")
                };
                files.extend(place.files.into_iter().filter(is_built));
                open.extend(place.next);
                continue;
            };
            let documents = self.sources.documents(kustomization.file, Dialect::Sigs);
            let lists = ["resources", "bases", "components"];
            let entries =
                documents.roots().take(1).flat_map(|it| lists.map(|key| it.items_at(key)));
            let paths = entries.flatten().filter_map(|it| source::join(dir, it.as_str()?));
            for path in paths {
                match self.sources.find(&path) {
                    Some(file) => files.extend(Some(file).filter(|_| is_yaml(&path))),
                    None => open.extend(self.kustomizations.get_key_value(&*path).map(|it| *it.0)),
                }
            }
        }
        files
    }

    /// What `path` itself leads to.
    fn place<'d>(&'d self, path: &'d str) -> Place<'d> {
        let mut place = Place::default();
        if let Some(file) = self.sources.find(path).filter(|_| !path.is_empty()) {
            place.files.push(file);
        } else if let Some(kustomization) = self.kustomizations.get(path) {
            place.files.push(kustomization.file);
            place.next.extend(kustomization.references.iter().map(String::as_str));
            place.has_kustomization = true;
        } else {
            place.leads_out = !self.sources.is_dir(path);
            self.all_below(path, &mut place);
        }
        place
    }

    /// Flux's way with a directory without a kustomization file: every manifest below it, and
    /// directories with a kustomization file as a whole.
    fn all_below<'d>(&'d self, dir: &'d str, place: &mut Place<'d>) {
        let mut inner: Option<String> = None;
        for file in self.sources.below(dir) {
            let path = self.sources[file].path.as_str();
            if inner.as_ref().is_some_and(|inner| path.starts_with(inner.as_str())) {
                continue;
            }
            let mut ancestors =
                path[dir.len()..].match_indices('/').map(|(at, _)| &path[..dir.len() + at]);
            if let Some(found) =
                ancestors.find(|it| it.len() > dir.len() && self.has_kustomization(it))
            {
                place.next.push(found);
                inner = Some(format!("{found}/"));
            } else if is_yaml(path) {
                place.files.push(file);
            }
        }
    }

    fn reach<'d>(
        &'d self,
        file: FileId,
        nested: bool,
        closure: &mut Closure,
        open: &mut Vec<&'d str>,
    ) {
        let add = |closure: &mut Closure, file| {
            closure.matters |= self.sources[file].relevance == Relevance::Subject;
            closure.scales |= self.sources[file].relevance == Relevance::Scaling;
            closure.files.insert(file)
        };
        if !add(closure, file) {
            return;
        }
        for dir in self.charts.get(&file).into_iter().flatten() {
            for (_, file) in self.sources.seen_below(dir) {
                add(closure, file);
            }
        }
        for index in self.flux_by_file.get(&file).into_iter().flatten() {
            closure.flux.insert(*index);
            if nested {
                match &self.flux[*index].dir {
                    Some(dir) => open.push(dir),
                    None => closure.matters = true,
                }
            }
        }
    }

    /// Whether a file speaks of our subject, scales workloads, or installs what issues certificates.
    fn concerns(&self, file: FileId) -> bool {
        matches!(self.sources[file].relevance, Relevance::Subject | Relevance::Scaling)
            || issues(self.sources, file)
    }

    /// For every directory that a Flux Kustomization builds, what [`Self::may_concern`] says: found
    /// backwards from what concerns us, since what each of them reaches may be almost everything.
    fn concerning(&self) -> BTreeMap<String, bool> {
        let mut at: BTreeMap<&str, usize> = BTreeMap::new();
        let mut led_by: Vec<Vec<usize>> = Vec::new();
        let mut concerning: Vec<usize> = Vec::new();
        let mut charts: BTreeMap<&str, bool> = BTreeMap::new();
        let mut open: Vec<(&str, Option<usize>)> =
            self.flux.iter().filter_map(|it| Some((it.dir.as_deref()?, None))).collect();
        while let Some((path, from)) = open.pop() {
            let known = at.len();
            let node = *at.entry(path).or_insert(known);
            if node == known {
                led_by.push(Vec::new());
            }
            led_by[node].extend(from);
            if node < known {
                continue;
            }
            let place = self.place(path);
            let mut concerns = place.leads_out;
            open.extend(place.next.into_iter().map(|it| (it, Some(node))));
            for file in place.files {
                concerns |= self.concerns(file);
                for dir in self.charts.get(&file).into_iter().flatten() {
                    let ours = || self.sources.sees_below(dir, |it| self.concerns(it));
                    concerns |= *charts.entry(dir).or_insert_with(ours);
                }
                for index in self.flux_by_file.get(&file).into_iter().flatten() {
                    match &self.flux[*index].dir {
                        Some(dir) => open.push((dir, Some(node))),
                        None => concerns = true,
                    }
                }
            }
            if concerns {
                concerning.push(node);
            }
        }
        let mut concerns = vec![false; at.len()];
        while let Some(node) = concerning.pop() {
            if !std::mem::replace(&mut concerns[node], true) {
                concerning.append(&mut led_by[node]);
            }
        }
        at.into_iter().map(|(path, node)| (path.to_owned(), concerns[node])).collect()
    }
}

/// The chart of cert-manager, which may issue the certificates of what we judge: where it is named, or an
/// address that ends with it.
static ISSUER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    ascii::pattern(r#"(?m)\b(?:chart|url):\s*["']?(?:\S*/)?cert-manager["']?\s*$"#)
});

/// Whether `file`, as far as it was looked into, says that cert-manager is installed.
fn issues(sources: &Sources, file: FileId) -> bool {
    if sources[file].relevance < Relevance::Plumbing {
        return false;
    }
    let text = sources.text(file);
    text.contains("cert-manager") && ISSUER.as_ref().is_none_or(|it| it.is_match(text))
}

/// Where a graph starts: at what no other node leads to, and, where some only lead to each other, at
/// the first of them. What is `outside` has its start elsewhere; `next` says what each node leads to.
pub(crate) fn starts(outside: &BTreeSet<usize>, next: &[BTreeSet<usize>]) -> Vec<usize> {
    let next: Vec<&BTreeSet<usize>> = next.iter().collect();
    shared_starts(&(0..next.len()).collect::<Vec<_>>(), outside, &next)
}

/// The same of a graph in which many nodes lead to the same ones: `groups` says for each which of `next`
/// these are.
pub(crate) fn shared_starts(
    groups: &[usize],
    outside: &BTreeSet<usize>,
    next: &[&BTreeSet<usize>],
) -> Vec<usize> {
    let mut leading: Vec<Vec<usize>> = vec![Vec::new(); next.len()];
    for (node, group) in groups.iter().enumerate() {
        leading[*group].push(node);
    }
    let mut led_to = vec![false; groups.len()];
    for (next, leading) in next.iter().zip(&leading) {
        for to in next.iter().filter(|to| leading.iter().any(|from| from != *to)) {
            led_to[*to] = true;
        }
    }
    for node in outside {
        led_to[*node] = true;
    }
    let (inner, outer): (Vec<usize>, Vec<usize>) = (0..groups.len()).partition(|it| led_to[*it]);
    let (mut seen, mut followed) = (vec![false; groups.len()], vec![false; next.len()]);
    let mut is_new = |start: &usize| {
        let mut open = vec![*start];
        let mut found = false;
        while let Some(node) = open.pop() {
            if std::mem::replace(&mut seen[node], true) {
                continue;
            }
            found = true;
            if !std::mem::replace(&mut followed[groups[node]], true) {
                open.extend(next[groups[node]]);
            }
        }
        found
    };
    let all = outside.iter().copied().chain(outer).chain(inner);
    all.filter(|it| is_new(it) && !outside.contains(it)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_leads_to_each_other_starts_at_the_first() {
        // 0 → 1 → 3 ← 5, 2 ⇄ 4, and 6 leads to itself.
        let edges: [&[usize]; 7] = [&[1], &[3], &[4], &[], &[2], &[3], &[6]];
        let next: Vec<BTreeSet<usize>> =
            edges.iter().map(|it| it.iter().copied().collect()).collect();
        assert_eq!(starts(&BTreeSet::new(), &next), [0, 5, 6, 2]);
        assert_eq!(starts(&BTreeSet::from([0, 4]), &next), [5, 6]);
    }

    #[test]
    fn what_leads_to_the_same_starts_at_the_first() {
        let all: BTreeSet<usize> = (0..3).collect();
        assert_eq!(shared_starts(&[0, 0, 0], &BTreeSet::new(), &[&all]), [0]);
        let (one, none) = (BTreeSet::from([1]), BTreeSet::new());
        assert_eq!(shared_starts(&[0, 1], &BTreeSet::new(), &[&one, &none]), [0]);
        assert_eq!(
            shared_starts(&[1, 0], &BTreeSet::new(), &[&one, &none]),
            [0, 1],
            "1 leads to itself"
        );
    }
}
