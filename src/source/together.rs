//! What is asked of many files at once.

use rayon::prelude::*;

use super::{FileId, Source, Sources};
use crate::literals::Literals;

impl Sources {
    /// The files, of those that are `wanted`, that hold one of `words`, in path order. Each of these words
    /// has a part that the first look searches for: what it found silent is not read again.
    pub(crate) fn saying(
        &self,
        words: &Literals,
        wanted: impl Fn(FileId, &Source) -> bool,
    ) -> impl Iterator<Item = FileId> {
        let may_say = self.iter().filter(move |(file, it)| !it.is_silent && wanted(*file, it));
        may_say.map(|(file, _)| file).filter(|file| words.are_in(self.text(*file)))
    }

    /// Does `parse` with each of `files` in all threads, so that who then does so with one after the other
    /// need not wait for that. Nothing, where this is one of these threads: others have their own work.
    pub(crate) fn ahead(files: &[FileId], parse: impl Fn(FileId) + Sync) {
        if files.len() > 1 && rayon::current_thread_index().is_none() {
            files.par_iter().for_each(|it| parse(*it));
        }
    }
}
