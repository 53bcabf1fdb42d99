//! Characters that stand for parts of a text while it is parsed: those of private use, each by its number.

/// The first of them.
pub(crate) const FIRST: char = '\u{E000}';

/// How many there are (U+E000 to U+F8FF).
const MOST: usize = 6_400;

/// The one of that number.
pub(crate) fn numbered(number: usize) -> Option<char> {
    let number = u32::try_from(number).ok().filter(|_| number < MOST)?;
    char::from_u32(u32::from(FIRST) + number)
}

/// The number of one of them; nothing of another character.
pub(crate) fn number(it: char) -> Option<usize> {
    let number = u32::from(it).checked_sub(u32::from(FIRST))?;
    usize::try_from(number).ok().filter(|it| *it < MOST)
}

/// Whether it is one of them.
pub(crate) fn is_one(it: char) -> bool {
    number(it).is_some()
}
