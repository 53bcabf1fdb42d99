//! Kustomizations that nothing in a tree needs: they are not built.

use std::collections::{BTreeMap, BTreeSet};

use memchr::memmem;

use super::{Stage, Tree};
use crate::{
    literals::Literals,
    resolve::{
        environment::{RemoteCluster, Unit},
        flux::{artifact, release, variables},
        layout::Layout,
    },
    source::{self, FileId},
    tree::Node,
};

impl Tree<'_> {
    /// Whether anything that a Kustomization builds may concern us.
    pub(super) fn matters(&self, node: &Node) -> bool {
        let dirs = self.directories(node);
        dirs.is_none_or(|(layout, dirs)| dirs.iter().any(|it| layout.may_concern(it)))
    }

    /// The directories that a Kustomization builds, in the layout; `None` when everything is built
    /// anyway, or nothing says where it leads.
    pub(super) fn directories(&self, node: &Node) -> Option<(&Layout<'_>, Vec<String>)> {
        let layout = self.layout.filter(|_| self.own.has(node))?;
        let path = node.look("spec.path").ok()?;
        let dir = artifact::inside(path.map_or(Some(""), Node::as_str)?);
        let dir = match self.own.root(node) {
            Some(root) => source::join(root, &dir)?,
            None => self.context.sources.below_root(&dir)?,
        };
        if !self.context.sources.is_dir(&dir) {
            return None;
        }
        let components = node.items_at("spec.components");
        let components = components.iter().map(|it| source::join(&dir, it.as_str()?));
        let mut dirs = components.collect::<Option<Vec<_>>>()?;
        dirs.push(dir);
        Some((layout, dirs))
    }

    /// Builds what was left out if it has to be deployed before what was not, or may make what is
    /// asked for by name and is not there: what others refer to, and what autoscalers scale.
    pub(super) fn include_left_out(&mut self) -> bool {
        let left_out: Vec<usize> = (0..self.members.len())
            .filter(|index| self.members[*index].stage == Stage::LeftOut)
            .collect();
        if left_out.is_empty() {
            return false;
        }
        let mut found = false;
        let built = self.members.iter().filter(|it| it.stage != Stage::LeftOut);
        let before: BTreeSet<String> =
            built.flat_map(|it| Unit::of_object(&it.node).after).collect();
        for member in self.members.iter_mut().filter(|it| it.stage == Stage::LeftOut) {
            if before.contains(&Unit::of_object(&member.node).id) {
                member.stage = Stage::Found;
                found = true;
            }
        }
        let (names, targets) = (self.asked_for(), self.targets());
        if found || names.is_empty() && targets.is_empty() {
            return found;
        }
        let targets = Words::new(&targets);
        let sources = self.context.sources;
        // What several build is looked into once.
        let mut known: BTreeMap<FileId, bool> = BTreeMap::new();
        let mut names_one = |file: &FileId| {
            *known.entry(*file).or_insert_with(|| {
                let text = sources.text(*file);
                let find = |name: &String| memmem::find(text.as_bytes(), name.as_bytes()).is_some();
                names.iter().any(find) || targets.are_in(text)
            })
        };
        for index in left_out {
            let Some((layout, dirs)) = self.directories(&self.members[index].node) else {
                continue;
            };
            let closures: Vec<_> = dirs.iter().map(|dir| layout.closure(dir, true)).collect();
            if closures.iter().flat_map(|it| &it.files).any(&mut names_one) {
                self.members[index].stage = Stage::Found;
                found = true;
            }
        }
        found
    }

    /// The names of what is referred to and not there.
    fn asked_for(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let mut ask = |home: &Option<RemoteCluster>, kind: &str, space: &str, name: &str| {
            let store = self.stores.of(home.as_ref());
            let there =
                store.data(kind, space, name).is_some() || store.find(kind, space, name).is_some();
            if !there {
                names.insert(name.to_owned());
            }
        };
        for member in &self.members {
            let space = member.node.object_namespace();
            if matches!(member.stage, Stage::Built | Stage::Searched) {
                for (kind, name) in variables::sources(&member.node) {
                    ask(&member.home, kind, space, name);
                }
            }
            for node in &member.objects {
                for (kind, space, name) in release::references(node) {
                    ask(&member.target, kind, space, name);
                }
            }
        }
        names
    }

    /// The names of what autoscalers scale that nothing built makes; what is built without it says
    /// nothing of them.
    fn targets(&self) -> BTreeSet<&str> {
        let objects = || self.members.iter().flat_map(|it| &it.objects);
        let target = |it| {
            let (_, path) = SCALING.iter().find(|(kind, _)| *kind == Node::object_kind(it))?;
            Some((it.at(path)?, it.object_namespace()))
        };
        let targets: Vec<(&Node, &str)> = objects().filter_map(target).collect();
        if targets.is_empty() {
            return BTreeSet::new();
        }
        let id = |it| (Node::object_kind(it), Node::object_namespace(it), Node::object_name(it));
        let there: BTreeSet<(&str, &str, &str)> = objects().map(id).collect();
        let refers = targets.into_iter().filter_map(|(target, space)| {
            // Only a `ScaledObject` need not say it.
            let kind = target.str_at("kind").unwrap_or("Deployment");
            let name = target.str_at("name").filter(|it| !it.is_empty())?;
            (!there.contains(&(kind, space, name))).then_some(name)
        });
        refers.collect()
    }
}

/// What refers to a workload that it says nothing more of, and where.
const SCALING: [(&str, &str); 3] = [
    ("HorizontalPodAutoscaler", "spec.scaleTargetRef"),
    ("ScaledObject", "spec.scaleTargetRef"),
    ("Rollout", "spec.workloadRef"),
];

/// Names of objects to look for as whole words: short ones are a part of many others.
struct Words(Literals);

impl Words {
    fn new(names: &BTreeSet<&str>) -> Self {
        let mut names: Vec<&str> = names.iter().copied().collect();
        // Of those that start at one place only the longest can end where a word does.
        names.sort_by_key(|it| std::cmp::Reverse(it.len()));
        Self(Literals::new(&[&names]))
    }

    fn are_in(&self, text: &str) -> bool {
        let is_inner = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '.');
        self.0.found(text).any(|(at, name)| {
            let (before, after) = (text.get(..at), text.get(at + name.len()..));
            !before.is_some_and(|it| it.ends_with(is_inner))
                && !after.is_some_and(|it| it.starts_with(is_inner))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_whole_words() {
        let words = Words::new(&BTreeSet::from(["web", "web-app", "b"]));
        for (text, is_there) in [
            ("name: web", true),
            ("name: \"web\"", true),
            ("{name: web-app}", true),
            ("name: web-apps", false),
            ("name: my-web", false),
            ("website", false),
            ("", false),
        ] {
            assert_eq!(words.are_in(text), is_there, "{text}");
        }
        assert!(!Words::new(&BTreeSet::new()).are_in("web"));
    }
}
