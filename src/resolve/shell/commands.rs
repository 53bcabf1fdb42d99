//! Which words are a command's, and in which branch, group or function it stands.

use std::sync::Arc;

use super::{FunctionDefinition, ShellCommand, ShellGroup, ShellToken, Word, WordPiece};

/// How deep conditions may stand in one another until all that is deeper is only somewhere there.
pub(super) const MAX_DEPTH: usize = 50;

/// The arms of what stands behind a command that may have left: all, or no more than the place.
const EXITED: usize = usize::MAX;
const LEFT: usize = usize::MAX - 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LevelKind {
    /// The text as a whole.
    Text,
    Condition,
    Loop,
    Braces,
    /// A subshell.
    Brackets,
}

/// Whether a command leaves what stands behind it out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Leaving {
    #[default]
    No,
    /// All fails where it comes here, so that nothing else is to be said of it.
    Failing,
    Loop,
    Return,
    All,
}

/// What is open around a place.
#[derive(Debug)]
struct ShellLevel {
    kind: LevelKind,
    /// How many commands and conditions there were before it.
    start: usize,
    depth: usize,
    deeper: usize,
    /// The place of its arm among the conditions.
    arm: Option<usize>,
    /// The conditions around a function, which are around its definition only.
    outer: Option<Vec<(usize, usize)>>,
    /// The function that it is in.
    function: Option<Arc<FunctionDefinition>>,
    /// Where the list of commands began in which it stands, and of what it is the other side.
    list: usize,
    otherwise: Option<(usize, usize)>,
    is_negated: bool,
    /// Whether a command in it leaves, and whether that is certain here and was before it.
    leaving: Leaving,
    is_dead: bool,
    was_dead: bool,
}

#[derive(Default)]
pub(super) struct CommandReader {
    commands: Vec<ShellCommand>,
    open: ShellCommand,
    redirects: Option<&'static str>,
    /// What is open, the text first.
    levels: Vec<ShellLevel>,
    /// What was closed last, while what it writes is read.
    closed: Option<ShellLevel>,
    /// The conditions and loops around the place.
    around: Vec<(usize, usize)>,
    conditions: usize,
    /// How many conditions more there are around the place, and the number of the stretch in there.
    deeper: (usize, usize),
    /// The `case`s among them, whose patterns are no commands.
    pattern: bool,
    /// What is the other side of `||`, or comes after a test.
    otherwise: Option<(usize, usize)>,
    /// Whether it runs where the command before `&&` fails.
    is_negated: bool,
    /// The function whose body comes next, and how many there are.
    defined: Option<String>,
    definitions: usize,
    /// How many commands there were at a bracket that was just opened.
    bracket: Option<usize>,
    /// Where the list of commands began that `&` would end.
    list: usize,
    groups: usize,
}

impl CommandReader {
    pub(super) fn new() -> Self {
        let mut reader = Self::default();
        reader.enter(LevelKind::Text);
        reader
    }

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
                self.list = self.list.min(self.commands.len());
            }
            ShellToken::Operator("|") if self.pattern => {}
            ShellToken::Operator(";;") => {
                self.end(";");
                self.next_arm();
                self.pattern = true;
            }
            ShellToken::Operator("||") => {
                self.end("||");
                self.conditions += 1;
                self.otherwise = Some((self.conditions, 1));
            }
            ShellToken::Operator("&&") => {
                // What comes before it is expected to succeed, but for a test; and so is one side of `||`.
                let otherwise = self.otherwise.filter(|it| it.1 == 0);
                self.end("&&");
                let is_test = self.commands.last().is_some_and(ShellCommand::is_test);
                self.otherwise = otherwise;
                if std::mem::take(&mut self.is_negated) || is_test {
                    self.conditions += 1;
                    self.otherwise = Some((self.conditions, 0));
                }
            }
            ShellToken::Operator("(") => {
                let (before, piped) = (self.commands.len(), self.open.piped);
                self.end("(");
                self.bracket = Some(before).filter(|it| self.commands.len() > *it);
                if self.bracket.is_none() && !self.pattern {
                    self.open.piped |= piped;
                    self.enter(LevelKind::Brackets);
                }
            }
            ShellToken::Operator(")") => {
                self.end(";");
                self.close(&[LevelKind::Brackets]);
            }
            ShellToken::Operator(operator) => self.end(operator),
        }
    }

    fn word(&mut self, word: Word) {
        let keyword = word.literal().filter(|_| self.open.words.is_empty() && !word.quoted);
        match keyword.map(|it| it.trim_start_matches(['@', '-', '+'])) {
            _ if self.pattern && keyword != Some("esac") => {}
            Some("if") => self.enter(LevelKind::Condition),
            Some("while" | "until") => self.enter(LevelKind::Loop),
            Some("{") => self.enter(LevelKind::Braces),
            Some("}") => self.close(&[LevelKind::Braces]),
            Some("!") => self.is_negated = true,
            Some("then" | "do" | "time" | "exec" | "sudo" | "") => {}
            Some("elif" | "else") => self.next_arm(),
            Some("fi" | "done" | "esac") => {
                self.pattern = false;
                self.close(&[LevelKind::Condition, LevelKind::Loop]);
            }
            Some(compound @ ("for" | "case")) => {
                let is_loop = compound == "for";
                self.enter(if is_loop { LevelKind::Loop } else { LevelKind::Condition });
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
            _ => {
                self.closed = None;
                self.open.words.push(word);
            }
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

    /// What is open innermost.
    fn level(&mut self) -> Option<&mut ShellLevel> {
        self.levels.last_mut()
    }

    /// Goes below one more condition.
    fn condition(&mut self, arm: (usize, usize)) {
        match self.around.len() < MAX_DEPTH {
            true => self.around.push(arm),
            false => self.deeper = (self.deeper.0 + 1, arm.0),
        }
    }

    fn enter(&mut self, kind: LevelKind) {
        let (depth, deeper) = (self.around.len(), self.deeper.0);
        let otherwise = self.otherwise.take();
        if let Some(otherwise) = otherwise {
            self.condition(otherwise);
        }
        let parent = self.levels.last();
        let was_dead = parent.is_some_and(|it| it.is_dead);
        let mut function = parent.and_then(|it| it.function.clone());
        let is_body = matches!(kind, LevelKind::Braces | LevelKind::Brackets);
        let mut outer = None;
        if let Some(name) = self.defined.take().filter(|_| is_body) {
            self.definitions += 1;
            // Whoever calls it got as far as its definition.
            let arms: Vec<_> = self.around.iter().copied().filter(|it| it.1 < LEFT).collect();
            let (number, depth) = (self.definitions, arms.len());
            outer = Some(std::mem::replace(&mut self.around, arms));
            function = Some(Arc::new(FunctionDefinition { name, number, depth }));
        }
        let mut arm = None;
        if matches!(kind, LevelKind::Condition | LevelKind::Loop) {
            self.conditions += 1;
            arm = Some(self.around.len()).filter(|it| *it < MAX_DEPTH);
            self.condition((self.conditions, 0));
        }
        self.levels.push(ShellLevel {
            kind,
            start: self.commands.len(),
            depth,
            deeper,
            arm,
            outer,
            function,
            list: self.list,
            otherwise,
            is_negated: std::mem::take(&mut self.is_negated),
            leaving: Leaving::No,
            is_dead: was_dead,
            was_dead,
        });
        self.list = self.commands.len();
    }

    /// The place of what is open that is of one of `kinds`.
    fn opened(&self, kinds: &[LevelKind]) -> Option<usize> {
        let from = self.levels.len().saturating_sub(MAX_DEPTH).max(1);
        let found = self.levels.get(from..)?.iter().rposition(|it| kinds.contains(&it.kind))?;
        Some(from + found)
    }

    fn next_arm(&mut self) {
        let Some(at) = self.opened(&[LevelKind::Condition, LevelKind::Loop]) else { return };
        let level = &mut self.levels[at];
        level.is_dead = level.was_dead;
        match level.arm.filter(|it| *it < self.around.len()) {
            Some(arm) => {
                self.around.truncate(arm + 1);
                self.around[arm].1 += 1;
                self.deeper.0 = 0;
            }
            None => {
                self.conditions += 1;
                self.deeper.1 = self.conditions;
            }
        }
    }

    fn close(&mut self, kinds: &[LevelKind]) {
        let Some(at) = self.opened(kinds) else { return };
        while self.levels.len() > at {
            let Some(level) = self.levels.pop() else { return };
            if let Some(outer) = &level.outer {
                self.around.clone_from(outer);
            }
            self.around.truncate(level.depth);
            if self.deeper.0 > level.deeper {
                self.conditions += 1;
                self.deeper = (level.deeper, self.conditions);
            }
            (self.list, self.otherwise, self.is_negated) =
                (level.list, level.otherwise, level.is_negated);
            let leaving = match (level.kind, level.leaving) {
                (LevelKind::Brackets, _) | (LevelKind::Loop, Leaving::Loop) => Leaving::No,
                _ if level.outer.is_some() => Leaving::No,
                (_, leaving) => leaving,
            };
            if level.kind == LevelKind::Brackets && level.start == self.commands.len() {
                // `function name()`
                let name = level.function.as_ref().map(|it| it.name.clone());
                self.defined = name.filter(|_| level.outer.is_some());
            }
            // `((…))` tells something.
            if let Some(outer) = self.levels.last_mut().filter(|it| {
                level.kind == LevelKind::Brackets
                    && (it.kind, it.start) == (level.kind, level.start)
            }) {
                outer.is_negated = true;
            }
            let is_sure =
                level.kind == LevelKind::Braces && level.is_dead && level.otherwise.is_none();
            self.leave(leaving, is_sure && level.outer.is_none());
            self.closed = Some(level);
        }
    }

    /// Notes that a command leaves the place, whatever holds if that `is_sure`.
    fn leave(&mut self, leaving: Leaving, is_sure: bool) {
        let Some(level) = self.level() else { return };
        level.is_dead |= is_sure;
        level.leaving = level.leaving.max(leaving);
        if leaving > Leaving::Failing {
            self.conditions += 1;
            let after = (self.conditions, if leaving == Leaving::All { EXITED } else { LEFT });
            let is_full = self.around.len() == MAX_DEPTH;
            match self.around.last_mut().filter(|it| is_full && it.1 >= LEFT) {
                Some(last) => *last = after,
                _ => self.condition(after),
            }
        }
    }

    /// Puts what begins at the command `start` into one group, which stands below `depth` conditions.
    fn group(&mut self, start: usize, depth: usize, apart: bool) {
        let (output, appends) = (self.open.output.take(), self.open.appends);
        let is_one = apart || output.is_some();
        if !is_one || self.levels.len() > MAX_DEPTH {
            return;
        }
        self.groups += 1;
        let group = Arc::new(ShellGroup { number: self.groups, apart, output, appends, depth });
        for command in self.commands.iter_mut().skip(start) {
            command.groups.push(group.clone());
        }
    }

    /// Ends a command.
    fn end(&mut self, operator: &str) {
        let piped = operator == "|";
        let otherwise = self.otherwise;
        let depth = match self.closed.take() {
            Some(closed) if self.open.words.is_empty() => {
                let is_piped = self.commands.get(closed.start).is_some_and(|it| it.piped);
                let apart = piped || is_piped || closed.kind == LevelKind::Brackets;
                let depth = match (&closed.outer, &closed.function) {
                    (Some(_), Some(function)) => function.depth,
                    _ => closed.depth + usize::from(closed.otherwise.is_some()),
                };
                self.group(closed.start, depth, apart && closed.outer.is_none());
                self.open = ShellCommand { piped, ..ShellCommand::default() };
                depth
            }
            _ if self.open.words.is_empty() && self.open.output.is_none() => {
                // A line may end behind a pipe, or behind what a command is joined to.
                self.open.piped |= piped;
                return;
            }
            _ => self.push(piped),
        };
        if !piped {
            self.otherwise = None;
        }
        match operator {
            "&" => {
                self.group(self.list, depth.saturating_sub(usize::from(otherwise.is_some())), true);
                self.list = self.commands.len();
            }
            "&&" | "||" | "|" => {}
            _ => self.list = self.commands.len(),
        }
        if !matches!(operator, "&&" | "|") {
            self.is_negated = false;
        }
    }

    /// Adds the command that is open, and gives below how many conditions it stands.
    fn push(&mut self, piped: bool) -> usize {
        let command = std::mem::take(&mut self.open);
        let deeper = Some((self.deeper.1, 0)).filter(|_| self.deeper.0 > 0);
        let around = self.around.iter().copied();
        let branch: Vec<_> = around.chain(deeper).chain(self.otherwise).collect();
        let (depth, is_piped) = (branch.len(), command.piped);
        let leaving = command.leaves();
        let level = self.levels.last();
        let function = level.and_then(|it| it.function.clone());
        let is_dead = level.is_some_and(|it| it.is_dead);
        self.commands.push(ShellCommand { branch, function, is_dead, ..command });
        if piped || is_piped {
            self.group(self.commands.len() - 1, depth, true);
        }
        if let Some(leaving) = leaving {
            self.leave(leaving, self.otherwise.is_none());
        }
        self.open.piped = piped;
        depth
    }

    /// All commands that were read.
    pub(super) fn finish(mut self) -> Vec<ShellCommand> {
        self.end(";");
        self.commands
    }
}

/// What assigns the words behind it.
const DECLARE: [&str; 5] = ["export", "local", "readonly", "declare", "typeset"];

impl ShellCommand {
    /// What it assigns, as [`Word::assignment`] has it, and whether that lasts: before another command it
    /// is for that one only.
    pub(in crate::resolve) fn assigned(&self) -> (Vec<(&str, bool, Word)>, bool) {
        let first = self.words.first().and_then(Word::literal).unwrap_or_default();
        if DECLARE.contains(&first) {
            // Any of them may be a name alone.
            return (self.words.iter().skip(1).filter_map(Word::assignment).collect(), true);
        }
        let of_env = |it: &&Word| it.literal().is_some_and(|it| it == "env" || it.starts_with('-'));
        let words = self.words.iter().skip_while(|it| first == "env" && of_env(it));
        let found: Vec<_> = words.map_while(Word::assignment).collect();
        let lasts = first != "env" && found.len() == self.words.len();
        (found, lasts)
    }

    /// The names that it makes a function's own, whatever they are outside.
    pub(in crate::resolve) fn local(&self) -> impl Iterator<Item = &str> {
        let first = self.words.first().and_then(Word::literal);
        let is_local = matches!(first, Some("local" | "declare" | "typeset"));
        self.words.iter().skip(1).filter(move |_| is_local).filter_map(|it| match it.assignment() {
            Some((name, ..)) => Some(name),
            None => it.literal().filter(|it| !it.starts_with('-')),
        })
    }

    /// Whether it changes nothing for those after it.
    pub(in crate::resolve) fn is_apart(&self) -> bool {
        self.groups.iter().any(|it| it.apart)
    }

    /// Whether it runs whenever those after it do, unless nothing calls the function that it is in.
    pub(in crate::resolve) fn is_sure(&self) -> bool {
        self.branch.iter().all(|it| it.1 == EXITED)
    }

    /// Whether it is there to tell something that may be either way.
    fn is_test(&self) -> bool {
        let mut words = self.words.iter().filter_map(Word::literal);
        match words.next().unwrap_or_default() {
            "[" | "[[" | "test" | "grep" | "egrep" | "fgrep" | "pgrep" | "which" | "type"
            | "hash" | "cmp" | "diff" | "false" => true,
            "command" => matches!(words.next(), Some("-v" | "-V")),
            _ => false,
        }
    }

    /// How it leaves what stands behind it out, if it does.
    fn leaves(&self) -> Option<Leaving> {
        let mut words = self.words.iter().map(|it| it.literal().unwrap_or("?"));
        match (words.next()?, words.next()) {
            ("return", _) => Some(Leaving::Return),
            // What ends with the status of something may end well.
            ("exit", Some(status)) if status != "0" && status.parse::<u8>().is_ok() => {
                Some(Leaving::Failing)
            }
            ("exit", _) => Some(Leaving::All),
            ("break" | "continue", _) => Some(Leaving::Loop),
            _ => None,
        }
    }
}
