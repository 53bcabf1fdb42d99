//! Commands of a shell, read without running them: their words as far as these are literal, and in which
//! branches they stand.

use std::ops::Range;

/// How many words of a text are read: what is longer is no script that a person wrote.
const MAX_WORDS: usize = 50_000;

/// How deep conditions may stand in one another.
const MAX_DEPTH: usize = 50;

/// How long what is filled in may be.
const MAX_FILLED: usize = 2_000;

/// A part of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WordPiece {
    /// Text as it is.
    Text(String),
    /// A variable, and what it is where nothing sets it.
    Variable(String, Option<String>),
    /// What a command prints, or an expression of the language around it.
    Computed(String),
}

/// A word, or the text of a here-document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Word {
    /// Its parts and their places in the text.
    pub pieces: Vec<(WordPiece, Range<usize>)>,
    /// Its place in the text, without quotes around all of it.
    pub range: Range<usize>,
    /// Whether any of it is in quotes, so that it stays one word.
    pub quoted: bool,
    /// The words of an array that is assigned.
    pub items: Option<Vec<Word>>,
}

impl Word {
    /// Its text, if that is literal.
    pub(super) fn literal(&self) -> Option<&str> {
        match &*self.pieces {
            [] => Some(""),
            [(WordPiece::Text(text), _)] => Some(text),
            _ => None,
        }
    }

    /// What it assigns as `NAME=value`, and whether to what the name has already.
    pub(super) fn assignment(&self) -> Option<(&str, bool, Word)> {
        let (WordPiece::Text(first), place) = self.pieces.first()? else { return None };
        let (name, value) = first.split_once('=')?;
        let (name, adds) = name.strip_suffix('+').map_or((name, false), |it| (it, true));
        let starts = name.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_');
        if !starts || !name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_') {
            return None;
        }
        let mut word = self.clone();
        match value.is_empty() {
            true => drop(word.pieces.remove(0)),
            false => word.pieces[0].0 = WordPiece::Text(value.to_owned()),
        }
        // Where the first part is in quotes, its place is that without them.
        let start =
            word.pieces.first().map_or(place.end, |(_, it)| it.end - value.len().min(it.len()));
        let is_one = word.literal().is_some() && !value.is_empty();
        word.range.start = if is_one { start } else { word.range.start };
        Some((name, adds, word))
    }
}

/// A command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ShellCommand {
    /// Its words, what it assigns before them included.
    pub words: Vec<Word>,
    /// The arms of the conditions and loops that it stands in, each by the number of the condition.
    pub branch: Vec<(usize, usize)>,
    /// Whether it reads what the one before it prints.
    pub piped: bool,
    /// Where its output goes.
    pub output: Option<Word>,
    /// The text of its here-document, and whether that is filled in.
    pub document: Option<(Word, bool)>,
}

#[derive(Debug)]
enum Token {
    Word(Word),
    Operator(&'static str),
    Redirection(&'static str),
    Document(Word, bool),
}

/// The commands in `text`. With `braces`, `{{ … }}` is filled in before a shell sees it.
pub(super) fn commands(text: &str, braces: bool) -> Vec<ShellCommand> {
    let mut lexer = Lexer::new(text, 0, braces);
    let mut parser = Parser::default();
    let mut count = 0;
    while let Some(token) = lexer.token() {
        count += 1;
        if count > MAX_WORDS {
            break;
        }
        parser.take(token);
    }
    parser.end(false);
    parser.commands
}

/// The words of `text`, none of them a command's.
pub(super) fn words(text: &str) -> Vec<Word> {
    let mut lexer = Lexer::new(text, 0, true);
    let tokens = std::iter::from_fn(|| lexer.token()).take(MAX_WORDS);
    let words = tokens.filter_map(|it| if let Token::Word(word) = it { Some(word) } else { None });
    words.collect()
}

#[derive(Default)]
struct Parser {
    commands: Vec<ShellCommand>,
    open: ShellCommand,
    redirects: Option<&'static str>,
    /// The conditions and loops around the place.
    around: Vec<(usize, usize)>,
    conditions: usize,
    /// The `case`s among them, whose patterns are no commands.
    pattern: bool,
    /// What is the other side of `||`.
    otherwise: Option<(usize, usize)>,
}

impl Parser {
    fn take(&mut self, token: Token) {
        match token {
            Token::Word(word) if self.redirects.is_some() => {
                let redirects = self.redirects.take();
                if redirects.is_some_and(|it| it.starts_with('>')) {
                    self.open.output = Some(word);
                }
            }
            Token::Word(word) => self.word(word),
            Token::Redirection(way) => self.redirects = Some(way),
            Token::Document(word, filled) => self.open.document = Some((word, filled)),
            Token::Operator(")") if self.pattern => {
                self.pattern = false;
                self.open = ShellCommand::default();
            }
            Token::Operator("|") if self.pattern => {}
            Token::Operator(";;") => {
                self.end(false);
                self.next_arm();
                self.pattern = true;
            }
            Token::Operator("||") => {
                self.end(false);
                self.conditions += 1;
                self.otherwise = Some((self.conditions, 1));
            }
            Token::Operator("&&") => {
                let otherwise = self.otherwise;
                self.end(false);
                self.otherwise = otherwise;
            }
            Token::Operator(operator) => self.end(operator == "|"),
        }
    }

    fn word(&mut self, word: Word) {
        let keyword = word.literal().filter(|_| self.open.words.is_empty() && !word.quoted);
        match keyword.map(|it| it.trim_start_matches(['@', '-', '+'])) {
            _ if self.pattern && keyword != Some("esac") => {}
            Some("if" | "while" | "until") => self.enter(),
            Some("then" | "do" | "!" | "{" | "}" | "time" | "exec" | "sudo" | "function" | "") => {}
            Some("elif" | "else") => self.next_arm(),
            Some("fi" | "done" | "esac") => {
                self.pattern = false;
                self.around.pop();
            }
            Some("for" | "case") => {
                self.enter();
                self.open.words.push(word);
            }
            // `sudo -E`, `env --ignore-environment`: options of what only passes a command on.
            Some(bare)
                if keyword.is_some_and(|it| {
                    it.starts_with("--") || (it.starts_with('-') && bare.len() == 1)
                }) => {}
            // What make and just do not print or do not mind.
            Some(bare) if keyword != Some(bare) && !bare.is_empty() && !bare.starts_with('-') => {
                let bare = bare.to_owned();
                let start = word.range.end - bare.len();
                let range = start..word.range.end;
                let pieces = vec![(WordPiece::Text(bare), range.clone())];
                self.word(Word { pieces, range, ..word });
            }
            _ => self.open.words.push(word),
        }
        // `case X in` is followed by a pattern.
        if let [case, .., last] = &*self.open.words
            && case.literal() == Some("case")
            && last.literal() == Some("in")
        {
            self.open = ShellCommand::default();
            self.pattern = true;
        }
    }

    fn enter(&mut self) {
        self.conditions += 1;
        if self.around.len() < MAX_DEPTH {
            self.around.push((self.conditions, 0));
        }
    }

    fn next_arm(&mut self) {
        if let Some((_, arm)) = self.around.last_mut() {
            *arm += 1;
        }
    }

    /// Ends a command, whose output the next one reads when it is `piped`.
    fn end(&mut self, piped: bool) {
        let was_piped = self.open.piped;
        let command = std::mem::take(&mut self.open);
        let otherwise = match piped {
            true => self.otherwise,
            false => self.otherwise.take(),
        };
        if command.words.is_empty() {
            // A line may end behind a pipe.
            self.open.piped = was_piped || piped;
            self.otherwise = otherwise;
            return;
        }
        let branch = self.around.iter().copied().chain(otherwise).collect();
        self.commands.push(ShellCommand { branch, ..command });
        self.open.piped = piped;
    }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    braces: bool,
    /// The here-documents that start after the line: how each ends, whether it is filled in, and
    /// whether tabs before its lines are none of it.
    documents: Vec<(String, bool, bool)>,
    /// Whether it is in an array.
    in_array: bool,
}

const OPERATORS: [&str; 9] = ["&&", "||", ";;", ";", "|&", "|", "&", "(", ")"];

const REDIRECTIONS: [&str; 8] = ["<<<", "&>>", "&>", ">>", ">|", ">&", ">", "<"];

impl<'t> Lexer<'t> {
    fn new(text: &'t str, at: usize, braces: bool) -> Self {
        Self { text, at, braces, documents: Vec::new(), in_array: false }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn token(&mut self) -> Option<Token> {
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
                    return Some(Token::Document(self.document(&end, filled, tabs), filled));
                }
                self.at += 1;
                return Some(Token::Operator("\n"));
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
            return Some(Token::Redirection(way));
        }
        if let Some(operator) = OPERATORS.iter().find(|it| rest.starts_with(**it)) {
            self.at += operator.len();
            let operator = if *operator == "|&" { "|" } else { operator };
            return Some(Token::Operator(operator));
        }
        Some(Token::Word(self.word()))
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
        let [(_, inner)] = &*word.pieces else { return word };
        // Quotes around all of it.
        if inner.start == start + 1 && inner.end + 1 == self.at {
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
                Token::Word(word) => items.push(word),
                Token::Operator(")") => break,
                _ => {}
            }
        }
        items
    }

    /// Adds the text up to what `ends` it, with what is filled in; `quoted` as in double quotes.
    fn until(&mut self, word: &mut Word, ends: impl Fn(char) -> bool, quoted: bool) {
        while let Some(first) = self.rest().chars().next().filter(|it| !ends(*it)) {
            let start = self.at;
            if let Some(piece) = self.expression().or_else(|| self.substitution()) {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The commands as their words between bars, what is not literal as `$`.
    fn read(text: &str) -> Vec<String> {
        let shown = |word: &Word| word.literal().map_or("$".to_owned(), str::to_owned);
        let line = |it: &ShellCommand| it.words.iter().map(shown).collect::<Vec<_>>().join("|");
        commands(text, true).iter().map(line).collect()
    }

    #[test]
    fn words_end_as_in_a_shell() {
        let text = "@helm upgrade -i a \\\n  'b c'\"d\" --set \"x={a,\\\"b\\\"}\" # no\nkubectl apply -f - | tee x; y";
        assert_eq!(
            read(text),
            ["helm|upgrade|-i|a|b cd|--set|x={a,\"b\"}", "kubectl|apply|-f|-", "tee|x", "y"]
        );
        let text = "a $X \"${Y:-z}\" $(b c) `d` '${{ env.Z }}' {{ w }} '$q'";
        assert_eq!(read(text), ["a|$|$|$|$|$|$|$q"]);
        assert_eq!(
            read("if [ a ]; then b; else c; fi && for x in y; do d; done"),
            ["[|a|]", "b", "c", "for|x|in|y", "d"]
        );
        assert_eq!(read("case $x in a|b) c ;; *) d ;; esac; e"), ["c", "d", "e"]);
        assert_eq!(read("f() { a; }\nx=(a 'b c' \"$d\")"), ["f", "a", "x="]);
    }

    #[test]
    fn a_branch_says_what_excludes_what() {
        let found = commands("a; if b; then c; else d; fi; e || f; g", false);
        let branches: Vec<_> = found.iter().map(|it| it.branch.clone()).collect();
        assert_eq!(branches[0], []);
        assert_eq!(branches[2], [(1, 0)]);
        assert_eq!(branches[3], [(1, 1)]);
        assert_eq!(branches[4], []);
        assert_eq!(branches[5], [(2, 1)]);
        assert_eq!(branches[6], []);
    }

    #[test]
    fn here_documents_are_the_text_after_the_line() {
        let text = "cat <<'EOF' > a.yaml\na: $b\nEOF\nkubectl apply -f - <<-X\n\tc: ${d}\n\tX\ne";
        let found = commands(text, false);
        assert_eq!(found.len(), 3);
        let (document, filled) = found[0].document.as_ref().expect("a document");
        assert_eq!((document.literal(), *filled), (Some("a: $b\n"), false));
        assert_eq!(found[0].output.as_ref().and_then(Word::literal), Some("a.yaml"));
        let (document, filled) = found[1].document.as_ref().expect("a document");
        assert_eq!((&text[document.range.clone()], *filled), ("\tc: ${d}\n", true));
        assert_eq!(found[2].words[0].literal(), Some("e"));
    }

    #[test]
    fn whatever_a_text_is_it_is_read_to_its_end() {
        for text in [
            "'", "\"", "$(", "${", "`", "<<", "<<EOF", "a\\", "((", "))", ";;", "case", "é'é",
            "x=(", "${{", "<<E\né", "&>", "\\é",
        ] {
            commands(text, true);
        }
        commands(&"((".repeat(100_000), true);
        commands(&"if ".repeat(100_000), true);
        commands(&"x=(".repeat(100_000), true);
        commands(&"<< ".repeat(100_000), true);
        commands(&"$(".repeat(20_000), true);
    }
}
