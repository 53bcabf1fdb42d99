//! The keys and values of a mapping.

use std::sync::Arc;

use foldhash::fast::RandomState;
use indexmap::{IndexMap, map};

use super::Entry;

/// Keys and values in order. Most mappings have few: to look at each key takes less time than to hash
/// one, and a list takes half the memory.
#[derive(Debug, Clone)]
pub(super) enum Entries {
    Few(Vec<(Arc<str>, Entry)>),
    Many(IndexMap<Arc<str>, Entry, RandomState>),
}

/// So many are few.
const FEW: usize = 12;

impl Default for Entries {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl PartialEq for Entries {
    /// In whatever order.
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(key, entry)| other.get(key) == Some(entry))
    }
}

impl Eq for Entries {}

impl Entries {
    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        match self {
            Self::Few(list) => list.iter().find(|(it, _)| **it == *key).map(|(_, entry)| entry),
            Self::Many(map) => map.get(key),
        }
    }

    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Entry> {
        match self {
            Self::Few(list) => list.iter_mut().find(|(it, _)| **it == *key).map(|(_, entry)| entry),
            Self::Many(map) => map.get_mut(key),
        }
    }

    /// Sets `key`, which keeps its place, and gives what was there.
    pub(super) fn insert(&mut self, key: Arc<str>, entry: Entry) -> Option<Entry> {
        if let Some(known) = self.get_mut(&key) {
            return Some(std::mem::replace(known, entry));
        }
        match self {
            Self::Few(list) if list.len() < FEW => list.push((key, entry)),
            Self::Few(list) => {
                let all = std::mem::take(list).into_iter().chain([(key, entry)]);
                *self = Self::Many(all.collect());
            }
            Self::Many(map) => {
                map.insert(key, entry);
            }
        }
        None
    }

    /// Takes `key` out; the order of the others stays.
    pub(super) fn remove(&mut self, key: &str) -> Option<(Arc<str>, Entry)> {
        match self {
            Self::Few(list) => {
                let at = list.iter().position(|(it, _)| **it == *key)?;
                Some(list.remove(at))
            }
            Self::Many(map) => map.shift_remove_entry(key),
        }
    }

    pub(super) fn iter(&self) -> EntriesIter<'_> {
        match self {
            Self::Few(list) => EntriesIter::Few(list.iter()),
            Self::Many(map) => EntriesIter::Many(map.iter()),
        }
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&Arc<str>, &mut Entry)> {
        let (few, many) = match self {
            Self::Few(list) => (Some(list.iter_mut()), None),
            Self::Many(map) => (None, Some(map.iter_mut())),
        };
        let few = few.into_iter().flatten().map(|(key, entry)| (&*key, entry));
        few.chain(many.into_iter().flatten())
    }

    pub(super) fn retain(&mut self, keep: &mut impl FnMut(&str, &mut Entry) -> bool) {
        match self {
            Self::Few(list) => list.retain_mut(|(key, entry)| keep(key, entry)),
            Self::Many(map) => map.retain(|key, entry| keep(key, entry)),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few(list) => list.len(),
            Self::Many(map) => map.len(),
        }
    }
}

/// Keys and values in order.
pub(super) enum EntriesIter<'a> {
    Few(std::slice::Iter<'a, (Arc<str>, Entry)>),
    Many(map::Iter<'a, Arc<str>, Entry>),
}

impl<'a> Iterator for EntriesIter<'a> {
    type Item = (&'a Arc<str>, &'a Entry);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Few(list) => list.next().map(|(key, entry)| (key, entry)),
            Self::Many(map) => map.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Few(list) => list.size_hint(),
            Self::Many(map) => map.size_hint(),
        }
    }
}

impl DoubleEndedIterator for EntriesIter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Self::Few(list) => list.next_back().map(|(key, entry)| (key, entry)),
            Self::Many(map) => map.next_back(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Node, Origin, Via};

    #[test]
    fn many_do_what_few_do() {
        let entry = |value: usize| Entry {
            key: None,
            value: Node::new(value.to_string(), Origin::at(Via::Written, None)),
        };
        for count in [3, FEW, FEW + 1, 5 * FEW] {
            let mut entries = Entries::default();
            let mut others = Entries::default();
            for at in 0..count {
                assert_eq!(entries.insert(at.to_string().into(), entry(at)), None);
                others.insert((count - 1 - at).to_string().into(), entry(count - 1 - at));
            }
            assert_eq!(entries, others, "the order is no part of what it is");
            assert_eq!(entries.insert("1".into(), entry(7)), Some(entry(1)));
            assert_ne!(entries, others);
            assert_eq!(entries.remove("0").map(|(key, _)| key), Some("0".into()));
            assert_eq!(entries.remove("0"), None);
            let keys: Vec<String> = entries.iter().map(|(key, _)| key.to_string()).collect();
            let expected: Vec<String> = (1..count).map(|it| it.to_string()).collect();
            assert_eq!(keys, expected);
            assert_eq!(
                entries.iter().next_back().map(|it| it.1),
                entries.get(&expected[count - 2])
            );
            assert!(entries.iter().map(|it| it.0).eq(entries.clone().iter_mut().map(|it| it.0)));
            entries.retain(&mut |key, _| key == "2");
            assert_eq!(entries.len(), 1);
            assert_eq!(entries.get("2"), Some(&entry(2)));
            assert_eq!(entries.get_mut("3"), None);
        }
    }
}
