//! What is known of all files together, worked out once.

use std::{
    any::Any,
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use super::{FileId, Sources};

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
pub(crate) struct KeptByFile<T>(Mutex<(BTreeMap<FileId, T>, usize)>);

/// What is made of so many bytes is kept.
const MOST_KEPT: usize = 8 << 20;

impl<T> Default for KeptByFile<T> {
    fn default() -> Self {
        Self(Mutex::new((BTreeMap::new(), 0)))
    }
}

impl<T: Clone> KeptByFile<T> {
    fn lock(&self) -> MutexGuard<'_, (BTreeMap<FileId, T>, usize)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was made of `file`, if that is kept.
    pub(crate) fn get(&self, file: FileId) -> Option<T> {
        self.lock().0.get(&file).cloned()
    }

    /// Keeps what was made of `file`, which has so many bytes, while there is room.
    pub(crate) fn put(&self, file: FileId, bytes: usize, made: &T) {
        let (known, all) = &mut *self.lock();
        *all += bytes;
        if *all <= MOST_KEPT {
            known.insert(file, made.clone());
        }
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
