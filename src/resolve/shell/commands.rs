//! Which words are a command's, and in which branch or function it stands.

use super::{ShellCommand, ShellToken, Word, WordPiece};

/// How deep conditions may stand in one another until all that is deeper is only somewhere there.
pub(super) const MAX_DEPTH: usize = 50;

#[derive(Default)]
pub(super) struct CommandReader {
    commands: Vec<ShellCommand>,
    open: ShellCommand,
    redirects: Option<&'static str>,
    /// The conditions and loops around the place.
    around: Vec<(usize, usize)>,
    conditions: usize,
    /// How many conditions more there are around the place, and the number of the stretch in there.
    deeper: (usize, usize),
    /// The `case`s among them, whose patterns are no commands.
    pattern: bool,
    /// What is the other side of `||`, or comes after a test.
    otherwise: Option<(usize, usize)>,
    /// The open braces, with the functions whose they are.
    braces: Vec<Option<String>>,
    /// The function whose brace comes next.
    defined: Option<String>,
    /// How many commands there were at a bracket that was just opened.
    bracket: Option<usize>,
    /// The subshells that are open, and how many there were.
    subshells: Vec<usize>,
    started: usize,
}

impl CommandReader {
    pub(super) fn take(&mut self, token: ShellToken) {
        let bracket = self.bracket.take();
        match token {
            ShellToken::Word(word) if self.redirects.is_some() => {
                let redirects = self.redirects.take();
                if redirects.is_some_and(|it| it.starts_with('>')) {
                    self.open.output = Some(word);
                    self.open.appends = redirects == Some(">>");
                }
            }
            ShellToken::Word(word) => self.word(word),
            ShellToken::Redirection(way) => self.redirects = Some(way),
            ShellToken::Document(word, filled) => self.open.document = Some((word, filled)),
            ShellToken::Operator(")") if self.pattern => {
                self.pattern = false;
                self.open = ShellCommand::default();
            }
            ShellToken::Operator(")") if bracket.is_some() => {
                // `name()`
                self.commands.truncate(bracket.unwrap_or_default() + 1);
                let name = self.commands.pop();
                let name = name.as_ref().and_then(|it| it.words.last()?.literal());
                self.defined = name.map(str::to_owned);
            }
            ShellToken::Operator("|") if self.pattern => {}
            ShellToken::Operator(";;") => {
                self.end(false);
                self.next_arm();
                self.pattern = true;
            }
            ShellToken::Operator("||") => {
                self.end(false);
                self.conditions += 1;
                self.otherwise = Some((self.conditions, 1));
            }
            ShellToken::Operator("&&") => {
                let first = self.open.words.first().and_then(Word::literal);
                let is_test = matches!(first, Some("[" | "[[" | "test"));
                let otherwise = self.otherwise;
                self.end(false);
                self.otherwise = otherwise;
                // What else stands there is expected to succeed.
                if is_test {
                    self.conditions += 1;
                    self.otherwise = Some((self.conditions, 1));
                }
            }
            ShellToken::Operator(operator) => {
                let before = self.commands.len();
                let piped = self.open.piped;
                self.end(operator == "|");
                self.bracket =
                    Some(before).filter(|it| operator == "(" && self.commands.len() > *it);
                match operator {
                    "(" if self.bracket.is_none() && !self.pattern => {
                        self.open.piped |= piped;
                        self.started += 1;
                        self.subshells.push(self.started);
                    }
                    ")" => drop(self.subshells.pop()),
                    _ => {}
                }
            }
        }
    }

    fn word(&mut self, word: Word) {
        let keyword = word.literal().filter(|_| self.open.words.is_empty() && !word.quoted);
        match keyword.map(|it| it.trim_start_matches(['@', '-', '+'])) {
            _ if self.pattern && keyword != Some("esac") => {}
            Some("if" | "while" | "until") => self.enter(),
            Some("{") => self.braces.push(self.defined.take()),
            Some("}") => drop(self.braces.pop()),
            Some("then" | "do" | "!" | "time" | "exec" | "sudo" | "") => {}
            Some("elif" | "else") => self.next_arm(),
            Some("fi" | "done" | "esac") => {
                self.pattern = false;
                self.leave();
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
        match &*self.open.words {
            // `case X in` is followed by a pattern.
            [case, .., last] if case.literal() == Some("case") && last.literal() == Some("in") => {
                self.open = ShellCommand::default();
                self.pattern = true;
            }
            [function, name] if function.literal() == Some("function") => {
                self.defined = name.literal().map(str::to_owned);
                self.open = ShellCommand::default();
            }
            _ => {}
        }
    }

    fn enter(&mut self) {
        self.conditions += 1;
        match self.around.len() < MAX_DEPTH {
            true => self.around.push((self.conditions, 0)),
            false => self.deeper = (self.deeper.0 + 1, self.conditions),
        }
    }

    fn next_arm(&mut self) {
        match (self.deeper.0, self.around.last_mut()) {
            (0, Some((_, arm))) => *arm += 1,
            (0, None) => {}
            (deeper, _) => {
                self.conditions += 1;
                self.deeper = (deeper, self.conditions);
            }
        }
    }

    fn leave(&mut self) {
        match self.deeper.0 {
            0 => drop(self.around.pop()),
            deeper => {
                self.conditions += 1;
                self.deeper = (deeper - 1, self.conditions);
            }
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
        let deeper = Some((self.deeper.1, 0)).filter(|_| self.deeper.0 > 0);
        let branch = self.around.iter().copied().chain(deeper).chain(otherwise).collect();
        let function = self.braces.iter().rev().find_map(Clone::clone);
        let subshells = self.subshells.clone();
        self.commands.push(ShellCommand { branch, function, subshells, ..command });
        self.open.piped = piped;
    }

    /// All commands that were read.
    pub(super) fn finish(mut self) -> Vec<ShellCommand> {
        self.end(false);
        self.commands
    }
}
