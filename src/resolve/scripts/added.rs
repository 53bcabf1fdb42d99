//! Variables that are put together from what commands add to them.

use super::argument::ShellArgument;
use crate::tree::{Origin, Via};

/// What a variable is to which something is added.
#[derive(Debug, Clone, Default)]
pub(super) struct AddedValue {
    /// The words of an array, or the texts that are put together.
    pub parts: Vec<ShellArgument>,
    pub is_list: bool,
}

impl AddedValue {
    /// One of which nothing is known.
    pub(super) fn unknown(name: &str, origin: &Origin) -> Self {
        let part = ShellArgument { wild: true, ..ShellArgument::unknown(name, origin) };
        Self { parts: vec![part], is_list: false }
    }

    /// It with `more`, which stands behind it.
    pub(super) fn with(mut self, more: Self) -> Self {
        let is_apart = |first: &ShellArgument, last: &ShellArgument| {
            let ends = first.text.as_deref().is_none_or(|it| it.ends_with(char::is_whitespace));
            ends || last.text.as_deref().is_none_or(|it| it.starts_with(char::is_whitespace))
        };
        self.is_list |= more.is_list;
        for part in more.parts {
            match self.parts.last_mut().filter(|it| !self.is_list && !is_apart(it, &part)) {
                Some(last) => {
                    let text = last.text.take().zip(part.text).map(|(it, more)| it + &more);
                    *last = ShellArgument::plain(&text.unwrap_or_default(), &last.origin);
                }
                None => self.parts.push(part),
            }
        }
        self
    }

    /// All of it as one word.
    pub(super) fn whole(&self) -> Option<ShellArgument> {
        let texts: Option<Vec<&str>> = self.parts.iter().map(|it| it.text.as_deref()).collect();
        let nowhere = Origin::at(Via::Written, None);
        let origin = self.parts.first().map_or(&nowhere, |it| &it.origin);
        texts.filter(|_| !self.is_list).map(|it| ShellArgument::plain(&it.concat(), origin))
    }
}
