//! What differs in the objects of two trees, but in nothing that is judged.

use std::collections::{BTreeMap, BTreeSet};

use super::{ComparedTree, NamedSubjects};
use crate::{resolve::environment::Environment, source::Span, tree::Node};

/// The objects that are not the same in environments of the same name, in something that no setting
/// comes from: `Deployment apps/web`.
pub(crate) fn objects_that_differ(
    (base, old): (&ComparedTree, &[Environment]),
    (head, new): (&ComparedTree, &[Environment]),
) -> Vec<String> {
    let told = SettingPlaces { old: places(&base.environments), new: places(&head.environments) };
    let now: BTreeMap<&str, &Environment> = new.iter().map(|it| (&*it.name, it)).collect();
    let names: BTreeSet<&str> = base.environments.iter().map(|(name, _)| &**name).collect();
    let mut found = BTreeSet::new();
    for was in old.iter().filter(|it| names.contains(&*it.name)) {
        let Some(is) = now.get(&*was.name) else { continue };
        let (old, new) = (objects(was), objects(is));
        let differs = |name: &&&String| match (old.get(**name), new.get(**name)) {
            (Some(old), Some(new)) => {
                old.len() != new.len() || old.iter().zip(new).any(|(a, b)| told.leaves_out(a, b))
            }
            _ => true,
        };
        found.extend(old.keys().chain(new.keys()).filter(|it| differs(&it)).cloned());
    }
    found.into_iter().collect()
}

/// The places that settings come from, in either tree.
struct SettingPlaces {
    old: BTreeSet<Span>,
    new: BTreeSet<Span>,
}

impl SettingPlaces {
    /// Whether the two nodes differ in something that no setting comes from.
    fn leaves_out(&self, old: &Node, new: &Node) -> bool {
        if old.is_same(new) {
            return false;
        }
        let (has_old, has_new) = (Self::holds(&self.old), Self::holds(&self.new));
        if old.as_map().is_some() && new.as_map().is_some() {
            let gone = old.entries().any(|(key, it)| match new.get(key) {
                Some(now) => self.leaves_out(&it.value, now),
                None => has_old(&it.value),
            });
            return gone
                || new.entries().any(|(key, it)| old.get(key).is_none() && has_new(&it.value));
        }
        if old.as_list().is_some()
            && new.as_list().is_some()
            && old.items().len() == new.items().len()
        {
            return old.items().iter().zip(new.items()).any(|(old, new)| self.leaves_out(old, new));
        }
        has_old(old) || has_new(new)
    }

    /// Whether something in a node is at none of `places`.
    fn holds(places: &BTreeSet<Span>) -> impl Fn(&Node) -> bool {
        let is_leaf = |it: &&Node| it.entries().next().is_none() && it.items().is_empty();
        let is_told = |it: &Node| it.origin.written_at().is_some_and(|it| places.contains(&it));
        move |node| !is_told(node) && node.walk().filter(is_leaf).any(|it| !is_told(it))
    }
}

/// Where the settings of `environments` come from.
fn places(environments: &[NamedSubjects]) -> BTreeSet<Span> {
    let settings = environments.iter().flat_map(|(_, all)| all).flat_map(|it| &it.settings);
    let ways = settings.filter_map(|it| it.fact.way()).flat_map(|it| {
        let also = it.also();
        also.into_iter().chain([it.clone()])
    });
    ways.filter_map(|it| it.written_at()).collect()
}

fn objects(environment: &Environment) -> BTreeMap<String, Vec<&Node>> {
    let mut all: BTreeMap<String, Vec<&Node>> = BTreeMap::new();
    for it in &environment.objects {
        let namespace = it.namespace();
        let slash = if namespace.is_empty() { "" } else { "/" };
        let name = format!("{} {namespace}{slash}{}", it.kind(), it.name());
        all.entry(name).or_default().push(&it.node);
    }
    all
}
