//! Mappings that keep the order of their keys, and remember what was taken away.

mod entries;

use std::sync::Arc;

use entries::Entries;

use super::{Node, Origin, Reason};
use crate::source::Span;

/// A mapping that keeps the order of its keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Map {
    entries: Entries,
    /// What was taken away, and by what: a `null`, a `$patch: delete`, a replaced list.
    removed: Vec<(Arc<str>, Origin)>,
    /// When set, keys that are not present are unknown, not absent.
    pub open: Option<Reason>,
}

/// A value in a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where the key is written, when it is.
    pub key: Option<Span>,
    /// The value.
    pub value: Node,
}

impl Entry {
    /// Where its key is written, or else where its value comes from.
    pub(crate) fn origin(&self) -> Origin {
        self.key.map_or_else(|| self.value.origin.clone(), Origin::written)
    }
}

impl Map {
    /// A map without keys; with a reason, none of its keys is known.
    pub(crate) fn open(open: Option<Reason>) -> Self {
        Self { open, ..Self::default() }
    }

    /// The value at `key`.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        #[cfg(test)]
        crate::source::work::count();
        self.entries.get(key).map(|entry| &entry.value)
    }

    /// The value at `key`, to change it.
    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.entries.get_mut(key).map(|entry| &mut entry.value)
    }

    /// The value and the place of `key`.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// Sets `key`; an existing key keeps its place in the order.
    pub(crate) fn insert(&mut self, key: impl Into<Arc<str>>, entry: Entry) -> Option<Entry> {
        let key = key.into();
        self.removed.retain(|(name, _)| *name != key);
        self.entries.insert(key, entry)
    }

    /// Sets `key` to a value whose key is written nowhere, or stays where it is written.
    pub(crate) fn set(&mut self, key: impl Into<Arc<str>>, value: Node) {
        let name = key.into();
        let key = self.entries.get(&name).and_then(|entry| entry.key);
        self.insert(name, Entry { key, value });
    }

    /// Sets every key of `other`.
    pub(crate) fn extend(&mut self, other: &Self) {
        for (key, entry) in other.iter() {
            self.insert(key, entry.clone());
        }
    }

    /// Takes `key` out; the order of the others stays.
    pub(crate) fn remove(&mut self, key: &str) -> Option<Entry> {
        self.entries.remove(key).map(|(_, entry)| entry)
    }

    /// Takes `key` out and remembers by what.
    pub(crate) fn remove_by(&mut self, key: &str, by: Origin) -> Option<Entry> {
        let (name, entry) = self.entries.remove(key)?;
        self.removed.push((name, by));
        Some(entry)
    }

    /// Remembers that `key` would be there but for what is at `by`.
    pub(crate) fn note_removed(&mut self, key: impl Into<Arc<str>>, by: Origin) {
        self.removed.push((key.into(), by));
    }

    /// The items that were taken out of the list at `key`, and by what.
    pub(crate) fn removed_items(&self, key: &str) -> impl Iterator<Item = (&str, &Origin)> {
        self.removed.iter().filter_map(move |(name, by)| {
            let item = name.strip_prefix(key)?.strip_prefix('[')?.strip_suffix(']')?;
            Some((item, by))
        })
    }

    /// What was taken away, and by what.
    pub(crate) fn all_removed(&self) -> &[(Arc<str>, Origin)] {
        &self.removed
    }

    /// What took `key` out, if something did.
    pub(crate) fn removed(&self, key: &str) -> Option<&Origin> {
        self.removed.iter().rev().find(|(name, _)| &**name == key).map(|(_, by)| by)
    }

    /// Keys and entries, in order.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(key, entry)| (&**key, entry))
    }

    /// Values, to change them, in order.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Entry)> {
        self.entries.iter_mut().map(|(key, entry)| (&**key, entry))
    }

    /// Keys, shared, in order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Arc<str>> {
        self.entries.iter().map(|(key, _)| key)
    }

    /// Keeps the entries for which `keep` says so.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&str, &mut Entry) -> bool) {
        self.entries.retain(&mut keep);
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.len() == 0
    }
}

/// The name under which [`Map::note_removed`] has the `item` of the list at `key`.
pub(crate) fn removed_item(key: &str, item: &str) -> String {
    format!("{key}[{item}]")
}

impl<K: Into<Arc<str>>> FromIterator<(K, Node)> for Map {
    fn from_iter<T: IntoIterator<Item = (K, Node)>>(entries: T) -> Self {
        let mut map = Self::default();
        for (key, value) in entries {
            map.set(key, value);
        }
        map
    }
}
