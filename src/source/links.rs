//! Symbolic links inside of the repository, and what lies in directories for programs that follow them.

use super::{FileId, Sources, inside, is_within, parent};

/// How deep directories that links lead to may hold such links.
const MAX_DEPTH: usize = 4;

/// How many files and directories links add to a listing, so that those that multiply each other end.
const MAX_LINKED: usize = 20_000;

/// What is listed so far.
struct Listing {
    /// Files, each by the path that leads to it.
    files: Vec<(String, FileId)>,
    left: usize,
}

impl Sources {
    /// `path` with every symbolic link in it resolved, or `None` when it leads through too many.
    pub(crate) fn follow(&self, path: &str) -> Option<String> {
        let mut path = path.to_owned();
        for _ in 0..40 {
            let Some((end, target)) = path
                .match_indices('/')
                .map(|(at, _)| at)
                .chain([path.len()])
                .find_map(|end| Some((end, self.links.get(&path[..end])?)))
            else {
                return Some(path);
            };
            path = format!("{target}{}", &path[end..]);
        }
        None
    }

    /// The files in `dir`, not deeper, as programs see them that follow symbolic links: each by the path
    /// that leads to it from there, in the order of these. `""` is the root.
    pub(crate) fn seen_in(&self, dir: &str) -> Vec<(String, FileId)> {
        let Some(real) = self.follow(dir) else { return Vec::new() };
        let own = self.files_in(&real).map(|it| (through(dir, &real, &self[it].path), it));
        let links = self.links_below(&real).filter(|(link, _)| parent(link) == real);
        let linked =
            links.filter_map(|(link, it)| Some((through(dir, &real, link), self.exact(it)?)));
        let mut found: Vec<_> = own.chain(linked).collect();
        found.sort_unstable();
        found
    }

    /// The same at any depth below `dir`. What leads back to where it is listed already is left out.
    pub(crate) fn seen_below(&self, dir: &str) -> Vec<(String, FileId)> {
        let Some(real) = self.follow(dir) else { return Vec::new() };
        let mut found = Listing { files: Vec::new(), left: MAX_LINKED };
        found.files.extend(self.below(&real).map(|it| (through(dir, &real, &self[it].path), it)));
        self.list_links(dir, &real, &mut Vec::new(), &mut found);
        found.files.sort_unstable();
        found.files
    }

    /// Whether any of [`Self::seen_below`] is `wanted`: what takes no listing is looked at first.
    pub(crate) fn sees_below(&self, dir: &str, wanted: impl Fn(FileId) -> bool) -> bool {
        let Some(real) = self.follow(dir) else { return false };
        self.below(&real).any(&wanted)
            || self.links_below(&real).next().is_some()
                && self.seen_below(dir).iter().any(|(_, it)| wanted(*it))
    }

    /// Adds what links below the directory `real` lead to, of which `dir` is the path.
    fn list_links<'a>(
        &'a self,
        dir: &str,
        real: &'a str,
        open: &mut Vec<&'a str>,
        found: &mut Listing,
    ) {
        open.push(real);
        for (link, target) in self.links_below(real) {
            if found.left == 0 {
                break;
            }
            let place = through(dir, real, link);
            if let Some(file) = self.exact(target) {
                found.left -= 1;
                found.files.push((place, file));
                continue;
            }
            let leads_back = is_within(link, target) || open.iter().any(|it| is_within(it, target));
            if !leads_back && open.len() <= MAX_DEPTH {
                found.left -= 1;
                let files: Vec<FileId> = self.below(target).take(found.left).collect();
                found.left -= files.len();
                let seen = |it: FileId| (through(&place, target, &self[it].path), it);
                found.files.extend(files.into_iter().map(seen));
                self.list_links(&place, target, open, found);
            }
        }
        open.pop();
    }

    /// Symbolic links below `dir`, each with what it resolves to, in order; `""` is the root.
    fn links_below(&self, dir: &str) -> impl Iterator<Item = (&str, &str)> {
        let prefix = inside(dir);
        let start = self.links.partition_point(|link, _| *link < prefix);
        let from = self.links[start..].iter();
        from.map(|(link, target)| (link.as_str(), target.as_str()))
            .take_while(move |(link, _)| link.starts_with(&prefix))
    }

    /// Symbolic links to files, in order, each with its file.
    pub(crate) fn linked_files(&self) -> impl Iterator<Item = (&str, FileId)> {
        self.links.iter().filter_map(|(link, target)| Some((link.as_str(), self.exact(target)?)))
    }

    /// What symbolic links lead to that are, or lie in, directories of this name, with what holds these.
    pub(crate) fn linked_below(&self, name: &str) -> Vec<(&str, FileId)> {
        let (mut found, name) = (Vec::new(), format!("/{name}/"));
        for (link, target) in &self.links {
            if let Some(at) = format!("/{link}/").find(&name) {
                let files = self.exact(target).into_iter().chain(self.below(target));
                let outer = &link[..at.saturating_sub(1)];
                found.extend(files.take(MAX_LINKED).map(|it| (outer, it)));
            }
        }
        found
    }

    /// Other paths of what lies at `path`, through one symbolic link each.
    pub(crate) fn aliases<'a>(&'a self, path: &'a str) -> impl Iterator<Item = String> + 'a {
        let its = self.links.iter().filter(|(_, target)| is_within(path, target));
        its.map(|(link, target)| through(link, target, path))
    }
}

/// `path`, which lies in the directory `real`, where `dir` is another path of that.
fn through(dir: &str, real: &str, path: &str) -> String {
    let rest = path.strip_prefix(real).unwrap_or(path).trim_start_matches('/');
    if rest.is_empty() { dir.to_owned() } else { inside(dir) + rest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixture;

    fn paths(sources: &Sources, found: Vec<(String, FileId)>) -> Vec<String> {
        let shown = |(path, file): (String, FileId)| match &sources[file].path {
            real if *real == path => path,
            real => format!("{path} -> {real}"),
        };
        found.into_iter().map(shown).collect()
    }

    #[test]
    fn listings_follow_links() {
        let sources = fixture(
            "
            //- app/a.tf
            //- app/deep/b.tf
            //- shared/c.tf
            //- shared/lib/d.tf
            ",
        )
        .linked(&[
            ("all", ""),
            ("app/b.tf", "shared/c.tf"),
            ("app/gone.tf", "nowhere.tf"),
            ("app/lib", "shared"),
            ("app/up", "app"),
            ("shared/back", "app"),
            ("way", "app"),
        ]);
        let seen_in = |dir: &str| paths(&sources, sources.seen_in(dir));
        assert_eq!(seen_in("app"), ["app/a.tf", "app/b.tf -> shared/c.tf"]);
        assert_eq!(seen_in("way"), ["way/a.tf -> app/a.tf", "way/b.tf -> shared/c.tf"]);
        assert_eq!(seen_in("app/lib/lib"), ["app/lib/lib/d.tf -> shared/lib/d.tf"]);
        assert_eq!(seen_in(""), [""; 0]);
        assert_eq!(
            paths(&sources, sources.seen_below("app")),
            [
                "app/a.tf",
                "app/b.tf -> shared/c.tf",
                "app/deep/b.tf",
                "app/lib/c.tf -> shared/c.tf",
                "app/lib/lib/d.tf -> shared/lib/d.tf",
            ]
        );
        assert_eq!(sources.aliases("app/deep").collect::<Vec<_>>().len(), 4);
    }

    #[test]
    fn links_that_multiply_each_other_end() {
        let files: Vec<String> = (0..30).map(|it| format!("d{it}/x.tf")).collect();
        let sources = Sources::in_memory(files.iter().map(|it| (&**it, "")));
        let links: Vec<(String, String)> = (0..30)
            .flat_map(|a| (0..30).map(move |b| (format!("d{a}/l{b}"), format!("d{b}"))))
            .collect();
        let links: Vec<(&str, &str)> = links.iter().map(|(a, b)| (&**a, &**b)).collect();
        let seen = sources.linked(&links).seen_below("d0").len();
        assert!((30..=MAX_LINKED).contains(&seen), "{seen}");
    }
}
