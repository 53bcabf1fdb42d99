//! The patterns of `${name#pattern}` and its kin: Go's `path.Match`, where `*` and `?` also match
//! a slash. Bytes, since Go tries every cut through a character too.

/// `text` without the shortest or longest start that `pattern` matches.
///
/// A start is never empty; a malformed pattern matches nothing.
pub(super) fn trim_prefix<'t>(text: &'t [u8], pattern: &[u8], longest: bool) -> &'t [u8] {
    let Some(tokens) = parse(pattern) else { return text };
    // The ends of all the starts that match, in one pass for the whole text.
    let mut ends = ends(&tokens, text).into_iter().filter(|end| *end > 0);
    let end = if longest { ends.next_back() } else { ends.next() };
    end.map_or(text, |end| &text[end..])
}

enum Token {
    /// `*`
    Any,
    /// `?`
    One,
    Char(char),
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

/// Every offset, rising, at which a match of the whole pattern can end.
fn ends(tokens: &[Token], text: &[u8]) -> Vec<usize> {
    let mut reached = vec![0];
    for token in tokens {
        reached = match token {
            Token::Any => match reached.first() {
                Some(first) => (*first..=text.len()).collect(),
                None => return Vec::new(),
            },
            token => {
                let step = |at: usize| {
                    let (char, width) = decode(text.get(at..)?)?;
                    token.accepts(char).then_some(at + width)
                };
                let mut next: Vec<usize> = reached.into_iter().filter_map(step).collect();
                next.sort_unstable();
                next.dedup();
                next
            }
        };
    }
    reached
}

impl Token {
    fn accepts(&self, char: char) -> bool {
        match self {
            Self::Any | Self::One => true,
            Self::Char(own) => *own == char,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&char)) != *negated
            }
        }
    }
}

/// The tokens, or `None` for a pattern that Go calls malformed.
fn parse(pattern: &[u8]) -> Option<Vec<Token>> {
    let pattern = String::from_utf8_lossy(pattern);
    let mut rest = pattern.chars().peekable();
    let mut tokens = Vec::new();
    while let Some(char) = rest.next() {
        tokens.push(match char {
            '*' => Token::Any,
            '?' => Token::One,
            '\\' => Token::Char(rest.next()?),
            '[' => {
                let negated = rest.next_if_eq(&'^').is_some();
                let mut ranges = Vec::new();
                while ranges.is_empty() || rest.next_if_eq(&']').is_none() {
                    let low = bound(&mut rest)?;
                    let high = match rest.next_if_eq(&'-') {
                        Some(_) => bound(&mut rest)?,
                        None => low,
                    };
                    ranges.push((low, high));
                }
                Token::Class { negated, ranges }
            }
            char => Token::Char(char),
        });
    }
    Some(tokens)
}

/// One end of a range in a class; something must follow it.
fn bound(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<char> {
    let char = match rest.next()? {
        '-' | ']' => return None,
        '\\' => rest.next()?,
        char => char,
    };
    rest.peek().map(|_| char)
}

/// The first character and its width; a byte that starts none counts as U+FFFD, as in Go.
fn decode(text: &[u8]) -> Option<(char, usize)> {
    let head = &text[..text.len().min(4)];
    if head.is_empty() {
        return None;
    }
    let valid = match std::str::from_utf8(head) {
        Ok(valid) => valid,
        Err(error) => std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default(),
    };
    let char = valid.chars().next();
    Some(char.map_or((char::REPLACEMENT_CHARACTER, 1), |it| (it, it.len_utf8())))
}
