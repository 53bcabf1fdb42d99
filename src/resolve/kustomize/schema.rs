//! Which lists a strategic merge patch merges by key.

use std::sync::LazyLock;

use indexmap::IndexMap;

use crate::data;

/// The type of a place in an object, as far as merging needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Schema(&'static str);

/// How a field's value is merged.
#[derive(Debug, Clone)]
pub(super) struct SchemaField {
    /// The type of the mapping, or of the list's items.
    pub(super) schema: Option<Schema>,
    /// The keys of a list that is merged; without keys, by value.
    pub(super) keys: Option<Vec<&'static str>>,
}

struct Table {
    /// By kind and API version.
    kinds: IndexMap<&'static str, IndexMap<&'static str, Schema>>,
    /// By type and field.
    fields: IndexMap<&'static str, IndexMap<&'static str, SchemaField>>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let text = data::MERGE_KEYS;
    let mut blocks = text.split("\n\n").skip(1);
    let mut lines = || blocks.next().unwrap_or_default().lines();
    let kinds = lines().map(|line| {
        let mut words = line.split(' ');
        let kind = words.next().unwrap_or_default();
        let schema = Schema(words.next().unwrap_or_default());
        (kind, words.map(|version| (version, schema)).collect())
    });
    let kinds = kinds.collect();
    let fields = lines().map(|line| {
        let mut words = line.split(' ');
        (words.next().unwrap_or_default(), words.map(field).collect())
    });
    Table { kinds, fields: fields.collect() }
});

fn field(word: &'static str) -> (&'static str, SchemaField) {
    let (place, schema) = match word.split_once('>') {
        Some((place, schema)) => (place, Some(Schema(schema))),
        None => (word, None),
    };
    let (name, keys) = match place.trim_end_matches(')').split_once('(') {
        Some((name, keys)) => (name, Some(keys.split(',').filter(|key| !key.is_empty()).collect())),
        None => (place, None),
    };
    (name, SchemaField { schema, keys })
}

impl Schema {
    /// The type of objects of this `apiVersion` and `kind`.
    pub(super) fn for_kind(api_version: &str, kind: &str) -> Option<Self> {
        TABLE.kinds.get(kind)?.get(api_version).copied()
    }

    /// How the value at `key` is merged.
    pub(super) fn field(self, key: &str) -> Option<&'static SchemaField> {
        TABLE.fields.get(self.0)?.get(key)
    }
}
