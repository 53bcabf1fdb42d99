//! The keys and values of a mapping.

use std::sync::Arc;

use foldhash::fast::RandomState;
use indexmap::IndexMap;

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
        let list = match self {
            Self::Few(list) => list,
            Self::Many(map) => return map.insert(key, entry),
        };
        if let Some((_, known)) = list.iter_mut().find(|(it, _)| *it == key) {
            return Some(std::mem::replace(known, entry));
        }
        list.push((key, entry));
        if list.len() > FEW {
            *self = Self::Many(std::mem::take(list).into_iter().collect());
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

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&Arc<str>, &Entry)> {
        let (few, many) = match self {
            Self::Few(list) => (Some(list), None),
            Self::Many(map) => (None, Some(map)),
        };
        let few = few.into_iter().flatten().map(|(key, entry)| (key, entry));
        few.chain(many.into_iter().flatten())
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tree::{Node, Origin, Via};

    fn entry(value: usize) -> Entry {
        let at = Origin::at(Via::Written, None);
        Entry { key: None, value: Node::new(value.to_string(), at) }
    }

    proptest! {
        #[test]
        fn they_are_what_an_indexed_map_is(
            steps in proptest::collection::vec((0..3_usize, 0..3 * FEW), 0..6 * FEW),
        ) {
            let (mut entries, mut map) = (Entries::default(), IndexMap::new());
            for (index, (step, number)) in steps.into_iter().enumerate() {
                let key: Arc<str> = number.to_string().into();
                match step {
                    0 => prop_assert_eq!(entries.remove(&key), map.shift_remove_entry(&*key)),
                    _ => {
                        let was = entries.insert(key.clone(), entry(index));
                        prop_assert_eq!(was, map.insert(key, entry(index)));
                    }
                }
                prop_assert!(entries.iter().eq(map.iter()));
                prop_assert!(entries.iter().rev().eq(map.iter().rev()));
                prop_assert_eq!(entries.len(), map.len());
            }
            let others: Vec<(Arc<str>, Entry)> =
                map.iter().rev().map(|(key, it)| (key.clone(), it.clone())).collect();
            let mut turned = Entries::default();
            for (key, entry) in others {
                turned.insert(key, entry);
            }
            prop_assert_eq!(&entries, &turned);
            entries.retain(&mut |key, _| key.len() > 1);
            map.retain(|key, _| key.len() > 1);
            prop_assert!(entries.iter_mut().map(|it| it.0).eq(map.keys()));
            prop_assert!(map.iter_mut().all(|(key, it)| entries.get_mut(key) == Some(it)));
        }
    }
}
