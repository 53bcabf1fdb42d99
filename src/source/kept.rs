//! What is known of all files together, worked out once.

use std::{
    any::Any,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use super::Sources;

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
