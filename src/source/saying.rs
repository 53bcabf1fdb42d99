//! What is asked of all files.

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
}
