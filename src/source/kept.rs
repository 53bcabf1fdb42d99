//! What is known of all files together, worked out once.

use std::{
    any::Any,
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use super::{FileId, Sources, Span};

/// One value for each type that somebody asked for.
#[derive(Default)]
pub(super) struct Kept(Mutex<Vec<Arc<dyn Any + Send + Sync>>>);

impl Sources {
    /// What `make` makes of all files, by whoever asks for this type first: an index that would be
    /// built anew for each object otherwise. `make` may ask neither for its own type
    /// nor for threads of rayon: one that waits for others may take up work that asks for that type.
    pub(crate) fn keep<T: Send + Sync + 'static>(&self, make: impl FnOnce(&Self) -> T) -> Arc<T> {
        let cell = self.kept.cell::<T>();
        Arc::clone(cell.get_or_init(|| Arc::new(make(self))))
    }
}

/// What is made of each of some files, for who comes back to them: to be had by [`Sources::keep`].
pub(crate) type KeptByFile<T> = KeptBy<FileId, T>;

/// What is made of some things, and of how many bytes.
pub(crate) struct KeptBy<K, T>(Mutex<(BTreeMap<K, T>, usize)>);

/// What is made of so many bytes is kept.
const MOST_KEPT: usize = 8 << 20;

impl<K, T> Default for KeptBy<K, T> {
    fn default() -> Self {
        Self(Mutex::new((BTreeMap::new(), 0)))
    }
}

impl<K: Ord, T: Clone> KeptBy<K, T> {
    fn lock(&self) -> MutexGuard<'_, (BTreeMap<K, T>, usize)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was made of `key`, if that is kept.
    pub(crate) fn get(&self, key: &K) -> Option<T> {
        self.lock().0.get(key).cloned()
    }

    /// Keeps what was made of `key`, which has so many bytes, while there is room.
    pub(crate) fn put(&self, key: K, bytes: usize, made: &T) {
        let (known, all) = &mut *self.lock();
        *all += bytes;
        if *all <= MOST_KEPT {
            known.insert(key, made.clone());
        }
    }
}

/// The same of the texts that are written at some places; what stands there may be filled in.
pub(crate) struct KeptByText<T>(KeptBy<Span, (Arc<str>, T)>);

impl<T> Default for KeptByText<T> {
    fn default() -> Self {
        Self(KeptBy::default())
    }
}

impl<T: Clone> KeptByText<T> {
    /// What `make` makes of `text` at `place`, which takes so many bytes for each of its own.
    pub(crate) fn get_or(
        &self,
        place: Span,
        text: &Arc<str>,
        times: usize,
        make: impl FnOnce() -> T,
    ) -> T {
        if let Some((_, value)) = self.0.get(&place).filter(|(known, _)| known == text) {
            return value;
        }
        let entry = (text.clone(), make());
        self.0.put(place, text.len().saturating_mul(times), &entry);
        entry.1
    }
}

impl Kept {
    /// The place of the value of that type, which is made while nothing else waits.
    fn cell<T: Send + Sync + 'static>(&self) -> Arc<OnceLock<Arc<T>>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = all.iter().find_map(|it| Arc::clone(it).downcast().ok());
        found.unwrap_or_else(|| {
            let cell = Arc::<OnceLock<Arc<T>>>::default();
            all.push(cell.clone());
            cell
        })
    }
}
