//! The words and operators in the text of a shell.

use std::ops::Range;

use super::{ShellToken, Word, WordPiece};

/// How long what is filled in may be.
const MAX_FILLED: usize = 2_000;

/// How long a here-document in a word may be.
const MAX_PRINTED: usize = 10_000;

pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
    braces: bool,
    /// The here-documents that start after the line: how each ends, whether it is filled in, and
    /// whether tabs before its lines are none of it.
    documents: Vec<(String, bool, bool)>,
    /// Whether it is in an array.
    in_array: bool,
    /// Whether it is in what a word prints.
    is_printed: bool,
}

const OPERATORS: [&str; 9] = ["&&", "||", ";;", ";", "|&", "|", "&", "(", ")"];

const REDIRECTIONS: [&str; 8] = ["<<<", "&>>", "&>", ">>", ">|", ">&", ">", "<"];

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str, at: usize, braces: bool) -> Self {
        Self { text, at, braces, documents: Vec::new(), in_array: false, is_printed: false }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn token(&mut self) -> Option<ShellToken> {
        loop {
            let rest = self.rest();
            let first = rest.chars().next()?;
            if let Some(breaks) =
                ["\\\n", "\\\r\n", "`\n", "`\r\n"].iter().find(|it| rest.starts_with(**it))
            {
                self.at += breaks.len();
            } else if first == '\n' {
                if !self.documents.is_empty() {
                    let (end, filled, tabs) = self.documents.remove(0);
                    return Some(ShellToken::Document(self.document(&end, filled, tabs), filled));
                }
                self.at += 1;
                return Some(ShellToken::Operator("\n"));
            } else if first.is_whitespace() {
                self.at += first.len_utf8();
            } else if first == '#' {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("<<") && !rest.starts_with("<<<") {
                let tabs = rest.starts_with("<<-");
                self.at += if tabs { 3 } else { 2 };
                self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
                let word = self.word();
                let end = word.literal().unwrap_or_default().to_owned();
                self.documents.push((end, !word.quoted, tabs));
            } else {
                break;
            }
        }
        let rest = self.rest();
        let digits = rest.len() - rest.trim_start_matches(|it: char| it.is_ascii_digit()).len();
        let after = &rest[digits..];
        let redirection = REDIRECTIONS.iter().find(|it| after.starts_with(**it));
        if let Some(way) = redirection.filter(|_| digits < 2 && !after.starts_with("<(")) {
            self.at += digits + way.len();
            // `2>&1`, and errors, which are no output.
            let way = if rest.starts_with('2') || *way == ">&" { "2" } else { way };
            return Some(ShellToken::Redirection(way));
        }
        if let Some(operator) = OPERATORS.iter().find(|it| rest.starts_with(**it)) {
            self.at += operator.len();
            let operator = if *operator == "|&" { "|" } else { operator };
            return Some(ShellToken::Operator(operator));
        }
        Some(ShellToken::Word(self.word()))
    }

    /// The here-document after this line, up to the line that is `end`.
    fn document(&mut self, end: &str, filled: bool, tabs: bool) -> Word {
        let start = self.at + 1;
        let body = self.text.get(start..).unwrap_or_default();
        let mut length = 0;
        let mut closing = 0;
        for line in body.split_inclusive('\n') {
            let bare = if tabs { line.trim_start_matches('\t') } else { line };
            if bare.trim_end() == end {
                closing = line.trim_end_matches('\n').len();
                break;
            }
            length += line.len();
        }
        let range = start..start + length;
        self.at = range.end + closing;
        let mut word = Word { range: range.clone(), quoted: true, ..Word::default() };
        if filled {
            let mut inner = Lexer::new(&self.text[..range.end], start, self.braces);
            inner.is_printed = self.is_printed;
            inner.until(&mut word, |_| false, true);
        } else {
            word.pieces.push((WordPiece::Text(body[..length].to_owned()), range));
        }
        word
    }

    fn word(&mut self) -> Word {
        let start = self.at;
        let mut word = Word { range: start..start, ..Word::default() };
        while let Some(first) = self.rest().chars().next() {
            match first {
                '\'' => {
                    let from = self.at + 1;
                    let inner = self.text.get(from..).unwrap_or_default();
                    let inner = &inner[..inner.find('\'').unwrap_or(inner.len())];
                    let end = from + inner.len();
                    self.at = (end + 1).min(self.text.len());
                    word.quoted = true;
                    self.single_quoted(&mut word, from..end);
                }
                '"' => {
                    self.at += 1;
                    word.quoted = true;
                    self.until(&mut word, |it| it == '"', true);
                    self.at = (self.at + 1).min(self.text.len());
                }
                '(' if self.text[start..self.at].ends_with('=') && !self.in_array => {
                    self.at += 1;
                    self.in_array = true;
                    word.items = Some(self.array());
                    self.in_array = false;
                }
                it if it.is_whitespace() || ";|&<>()".contains(it) => break,
                _ => self.until(
                    &mut word,
                    |it| it.is_whitespace() || ";|&<>()'\"".contains(it),
                    false,
                ),
            }
        }
        if self.at == start {
            // Whatever it is, it is passed by.
            self.at += self.rest().chars().next().map_or(1, char::len_utf8);
        }
        word.range.end = self.at;
        let [(piece, inner)] = &*word.pieces else { return word };
        // Quotes around all of it, or what prints all of it.
        let is_quoted = inner.start == start + 1 && inner.end + 1 == self.at;
        let is_text = |it: &str| matches!(piece, WordPiece::Text(text) if text == it);
        if is_quoted || self.text.get(inner.clone()).is_some_and(is_text) {
            word.range = inner.clone();
        }
        word
    }

    /// What is in single quotes: an expression of the language around is filled in before.
    fn single_quoted(&self, word: &mut Word, range: Range<usize>) {
        let mut inner = Lexer::new(&self.text[..range.end], range.start, self.braces);
        let mut from = range.start;
        while let Some(at) = inner.rest().find("{{").map(|it| inner.at + it) {
            let at = if inner.text[..at].ends_with('$') { at - 1 } else { at };
            inner.at = at;
            match inner.expression() {
                Some(piece) => {
                    push_text(word, &self.text[from..at], from);
                    word.pieces.push((piece, at..inner.at));
                    from = inner.at;
                }
                None => inner.at = (at + 2).max(inner.at),
            }
        }
        push_text(word, &self.text[from..range.end], from);
    }

    fn array(&mut self) -> Vec<Word> {
        let mut items = Vec::new();
        while let Some(token) = self.token() {
            match token {
                ShellToken::Word(word) => items.push(word),
                ShellToken::Operator(")") => break,
                _ => {}
            }
        }
        items
    }

    /// Adds the text up to what `ends` it, with what is filled in; `quoted` as in double quotes.
    fn until(&mut self, word: &mut Word, ends: impl Fn(char) -> bool, quoted: bool) {
        while let Some(first) = self.rest().chars().next().filter(|it| !ends(*it)) {
            let start = self.at;
            if quoted
                && !self.is_printed
                && let Some(document) = self.printed()
            {
                for (piece, range) in document.pieces {
                    match piece {
                        WordPiece::Text(text) => push_text(word, &text, range.start),
                        _ => word.pieces.push((piece, range)),
                    }
                }
            } else if let Some(piece) = self.expression().or_else(|| self.substitution()) {
                word.pieces.push((piece, start..self.at));
            } else if first == '\\' {
                self.at += 1;
                let Some(next) = self.rest().chars().next() else { return };
                self.at += next.len_utf8();
                match next {
                    '\n' => {}
                    '"' | '\\' | '$' | '`' => {
                        push_text(word, next.encode_utf8(&mut [0; 4]), self.at - 1);
                    }
                    _ if quoted => push_text(word, &self.text[start..self.at], start),
                    _ => push_text(word, next.encode_utf8(&mut [0; 4]), self.at - next.len_utf8()),
                }
            } else {
                self.at += first.len_utf8();
                push_text(word, &self.text[start..self.at], start);
            }
        }
    }

    /// The here-document that `$(cat <<END)` prints: a shell leaves its last line breaks out.
    fn printed(&mut self) -> Option<Word> {
        let rest = self.rest();
        let inner = rest.strip_prefix("$(")?.trim_start().strip_prefix("cat")?.trim_start();
        let redirected = inner.starts_with("<<") && !inner.starts_with("<<<");
        let start = self.at + rest.len() - inner.len();
        let end = self.text.floor_char_boundary(start + MAX_PRINTED);
        let mut lexer = Lexer::new(&self.text[..end], start, self.braces);
        lexer.is_printed = true;
        let Some(ShellToken::Document(mut document, _)) = redirected.then(|| lexer.token())? else {
            return None;
        };
        while let Some(ShellToken::Operator(operator)) = lexer.token() {
            if operator == ")" {
                if let Some((WordPiece::Text(text), range)) = document.pieces.last_mut() {
                    text.truncate(text.trim_end_matches('\n').len());
                    range.end = range.start + text.len();
                }
                self.at = lexer.at;
                return Some(document);
            }
            if operator != "\n" {
                break;
            }
        }
        None
    }

    /// `${{ … }}` of a workflow, `{{ … }}` of what has braces.
    fn expression(&mut self) -> Option<WordPiece> {
        let rest = self.rest();
        let inner = match rest.strip_prefix("${{") {
            Some(inner) => inner,
            None => rest.strip_prefix("{{").filter(|_| self.braces)?,
        };
        let end = near(inner).find("}}")?;
        self.at += rest.len() - inner.len() + end + 2;
        let name = inner[..end].trim();
        let bare = ["env.", "."].iter().find_map(|it| name.strip_prefix(it)).unwrap_or(name);
        let is_name =
            !bare.is_empty() && bare.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_');
        Some(if is_name {
            WordPiece::Variable(bare.to_owned(), None)
        } else {
            WordPiece::Computed(name.to_owned())
        })
    }

    /// What starts with a dollar sign, and commands in backquotes.
    fn substitution(&mut self) -> Option<WordPiece> {
        let rest = self.rest();
        if let Some(inner) = rest.strip_prefix('`') {
            let end = near(inner).find('`')?;
            self.at += end + 2;
            return Some(WordPiece::Computed(inner[..end].to_owned()));
        }
        // Make doubles the dollar signs of the shell.
        let inner = rest.strip_prefix("$$").or_else(|| rest.strip_prefix('$'))?;
        let skipped = rest.len() - inner.len();
        let of_name = |it: char| it.is_ascii_alphanumeric() || it == '_';
        match inner.chars().next()? {
            '(' => {
                let length = nested(inner, '(', ')')?;
                self.at += skipped + length;
                let command = &inner[1..length - 1];
                let is_name = !command.is_empty() && command.chars().all(of_name);
                // One of make, or of Azure.
                Some(match is_name {
                    true => WordPiece::Variable(command.to_owned(), None),
                    false => WordPiece::Computed(command.to_owned()),
                })
            }
            '{' => {
                let length = nested(inner, '{', '}')?;
                self.at += skipped + length;
                let expression = &inner[1..length - 1];
                let end = expression.find(|it| !of_name(it)).unwrap_or(expression.len());
                let (name, after) = expression.split_at(end);
                let default = [":-", "-", ":=", "="].iter().find_map(|it| after.strip_prefix(it));
                Some(match after {
                    "" | "[@]" | "[*]" if !name.is_empty() => {
                        WordPiece::Variable(name.to_owned(), None)
                    }
                    _ if default.is_some() && !name.is_empty() => {
                        WordPiece::Variable(name.to_owned(), default.map(str::to_owned))
                    }
                    _ => WordPiece::Computed(expression.to_owned()),
                })
            }
            it if of_name(it) => {
                let digit = it.is_ascii_digit();
                let length =
                    if digit { 1 } else { inner.find(|it| !of_name(it)).unwrap_or(inner.len()) };
                self.at += skipped + length;
                Some(WordPiece::Variable(inner[..length].to_owned(), None))
            }
            it if "@*#?!-".contains(it) => {
                self.at += skipped + 1;
                Some(WordPiece::Computed(it.to_string()))
            }
            _ => None,
        }
    }
}

fn push_text(word: &mut Word, text: &str, start: usize) {
    if text.is_empty() {
        return;
    }
    match word.pieces.last_mut() {
        Some((WordPiece::Text(last), range)) => {
            last.push_str(text);
            range.end = start + text.len();
        }
        _ => word.pieces.push((WordPiece::Text(text.to_owned()), start..start + text.len())),
    }
}

/// The start of `text`: all of it would be looked through again at each place of a long one.
fn near(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_FILLED)]
}

/// The length of what is between the first bracket of `text` and the one that closes it, both included.
fn nested(text: &str, open: char, close: char) -> Option<usize> {
    let mut depth = 0_usize;
    near(text).char_indices().find_map(|(at, it)| {
        depth += usize::from(it == open);
        if it == close {
            depth = depth.saturating_sub(1);
            return (depth == 0).then_some(at + 1);
        }
        None
    })
}
