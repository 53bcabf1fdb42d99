//! What the words of a command come to.

use std::{cell::Cell, collections::BTreeMap, ops::Range};

use crate::{
    parse,
    resolve::shell::{self, ShellCommand, Word, WordPiece},
    scalar::Scalar,
    source::Sources,
    tree::{Node, Origin, Via},
};

/// How deep variables may be in variables.
const MAX_DEPTH: usize = 8;

/// Words are looked up no more often than this for one file.
const MAX_WORK: usize = 200_000;

/// Longer texts are not put together.
const MAX_TEXT: usize = 1 << 20;

/// How many words one may come to.
const MAX_ARGUMENTS: usize = 1_000;

/// Stands for the directory of the script at the start of a path.
pub(super) const HERE: char = '\u{1}';

/// Stands for the root of the repository at the start of a path.
pub(super) const ROOT: char = '\u{2}';

/// What is set in a file, by name: `None` what is set more than once.
#[derive(Debug, Default)]
pub(super) struct ShellVariables(BTreeMap<String, Option<(Node, Word)>>, Cell<usize>);

impl ShellVariables {
    /// Whether words were looked up so often that their values must grow with each other.
    fn is_endless(&self) -> bool {
        self.1.set(self.1.get() + 1);
        self.1.get() > MAX_WORK
    }

    /// Notes that `name` is set to `word` of `code`, or to something that nobody can tell.
    pub(super) fn set(&mut self, name: &str, value: Option<(&Node, Word)>) {
        let value = value.map(|(code, word)| (code.clone(), word));
        let is_same = |known: &Option<(Node, Word)>| {
            matches!((known, &value), (Some((_, a)), Some((_, b)))
                if a.literal().is_some() && a.literal() == b.literal())
        };
        match self.0.get_mut(name) {
            None => drop(self.0.insert(name.to_owned(), value)),
            Some(known) if is_same(known) => {}
            Some(known) => *known = None,
        }
    }

    /// Notes what `commands` of `code` set.
    pub(super) fn read(&mut self, code: &Node, commands: &[ShellCommand]) {
        const DECLARE: [&str; 6] = ["export", "local", "readonly", "declare", "typeset", "env"];
        for command in commands {
            let first = command.words.first().and_then(Word::literal).unwrap_or_default();
            let names = match first {
                "for" => command.words.get(1).and_then(Word::literal),
                "read" => command.words.last().and_then(Word::literal),
                _ => None,
            };
            if let Some(name) = names {
                let one = command.words.get(3).filter(|_| command.words.len() == 4);
                self.set(name, one.map(|it| (code, it.clone())));
            }
            let declares = DECLARE.contains(&first);
            for word in command.words.iter().skip(usize::from(declares)) {
                match word.assignment() {
                    Some((name, adds, value)) => {
                        // What stands under a condition may be what it was before.
                        let is_sure = command.branch.is_empty();
                        let is_literal = is_sure && !adds && !value.refers_to(name);
                        self.set(name, is_literal.then_some((code, value)));
                    }
                    None if declares => {}
                    None => break,
                }
            }
        }
    }
}

impl Word {
    /// Whether it takes what `name` was before, unless that is what it is when it was nothing.
    fn refers_to(&self, name: &str) -> bool {
        self.pieces
            .iter()
            .any(|(it, _)| matches!(it, WordPiece::Variable(own, None) if own == name))
    }
}

/// A word of a command as the program is given it.
#[derive(Debug, Clone)]
pub(super) struct ShellArgument {
    /// Its text, unless nobody can tell it.
    pub text: Option<String>,
    /// What of it comes before the first part that nobody can tell.
    pub head: String,
    /// What stands there.
    pub raw: String,
    /// Whether it may be any number of words.
    pub wild: bool,
    /// Where it is written.
    pub origin: Origin,
    /// The code and the range of it that is the text as it is.
    pub(super) place: Option<(Node, Range<usize>)>,
}

impl ShellArgument {
    /// One that is `text`, as something at `origin` says.
    pub(super) fn plain(text: &str, origin: &Origin) -> Self {
        let (text, origin) = (text.to_owned(), origin.clone());
        let (head, raw) = (text.clone(), text.clone());
        Self { text: Some(text), head, raw, wild: false, origin, place: None }
    }

    /// Its text, if that is no path in a place that is known only where the program runs.
    pub(super) fn text(&self) -> Option<&str> {
        self.text.as_deref().filter(|it| !it.starts_with([HERE, ROOT]))
    }

    /// The same without its first `length` bytes.
    pub(super) fn after(&self, sources: &Sources, length: usize) -> Self {
        let place = self.place.clone().map(|(code, it)| (code, it.start + length..it.end));
        let origin = match &place {
            Some((code, range)) => parse::part(sources, code, range.clone()),
            None => self.origin.clone(),
        };
        let cut = |it: &str| it.get(length..).unwrap_or_default().to_owned();
        let text = self.text.as_deref().map(cut);
        Self { text, head: cut(&self.head), raw: String::new(), wild: false, origin, place }
    }

    /// It as a value.
    pub(super) fn node(&self) -> Node {
        match &self.text {
            Some(text) => Node::new(Scalar::string(text.as_str()), self.origin.clone()),
            None => Node::unknown_value("this is filled in when the command runs", &self.origin),
        }
    }
}

/// What words are read with.
#[derive(Clone, Copy)]
pub(super) struct ShellScope<'a> {
    pub sources: &'a Sources,
    pub variables: &'a ShellVariables,
}

impl ShellScope<'_> {
    /// What the words of `command`, which is of `code`, come to.
    pub(super) fn arguments(&self, code: &Node, command: &ShellCommand) -> Vec<ShellArgument> {
        let mut found = Vec::new();
        for word in &command.words {
            self.expand(code, word, 0, &mut found);
        }
        found
    }

    /// What one word comes to.
    pub(super) fn argument(&self, code: &Node, word: &Word) -> ShellArgument {
        let mut found = Vec::new();
        self.expand(code, &Word { quoted: true, ..word.clone() }, 0, &mut found);
        found.pop().unwrap_or_else(|| self.join(code, word, 0))
    }

    fn expand(&self, code: &Node, word: &Word, depth: usize, found: &mut Vec<ShellArgument>) {
        if found.len() > MAX_ARGUMENTS || self.variables.is_endless() {
            return;
        }
        let [(WordPiece::Variable(name, default), _)] = &*word.pieces else {
            return found.push(self.join(code, word, depth));
        };
        let known = self.variables.0.get(name.as_str()).filter(|_| depth < MAX_DEPTH);
        let start = found.len();
        let via = self.place(code, word);
        match (known, default) {
            (Some(Some((code, inner))), _) if inner.items.is_some() => {
                for item in inner.items.iter().flatten() {
                    self.expand(code, item, depth + 1, found);
                }
            }
            (Some(Some((inner_code, inner))), _) if !word.quoted => {
                let value = self.join(inner_code, inner, depth + 1);
                match value.text.as_deref().filter(|it| it.contains([' ', '\n', '"', '\''])) {
                    Some(text) => self.split(text, &value.origin, found),
                    None => found.push(value),
                }
            }
            (None, Some(default)) if !word.quoted => self.split(default, &via, found),
            _ => {
                let joined = self.join(code, word, depth);
                let wild = joined.text.is_none() && !word.quoted;
                found.push(ShellArgument { wild, ..joined });
            }
        }
        for argument in &mut found[start..] {
            argument.origin = argument.origin.over(Via::Values, &via);
        }
    }

    /// The words of `text`, which is filled in.
    fn split(&self, text: &str, at: &Origin, found: &mut Vec<ShellArgument>) {
        for word in shell::words(text) {
            let joined = self.join(&Node::new(Scalar::string(text), at.clone()), &word, MAX_DEPTH);
            found.push(ShellArgument { origin: at.clone(), place: None, ..joined });
        }
    }

    /// The place of `word` in `code`.
    fn place(&self, code: &Node, word: &Word) -> Origin {
        parse::part(self.sources, code, word.range.clone())
    }

    /// The text of a word, all its parts together.
    fn join(&self, code: &Node, word: &Word, depth: usize) -> ShellArgument {
        let origin = self.place(code, word);
        let slice = code.as_scalar().and_then(|it| it.text.get(word.range.clone()));
        let raw = slice.unwrap_or_default().to_owned();
        if let Some(text) = word.literal() {
            let place = (slice == Some(text)).then(|| (code.clone(), word.range.clone()));
            return ShellArgument { raw, place, ..ShellArgument::plain(text, &origin) };
        }
        let (mut text, mut from) = (Some(String::new()), None);
        let mut head = String::new();
        for (piece, _) in &word.pieces {
            let part = self.piece(piece, depth).filter(|_| head.len() < MAX_TEXT);
            let Some((part, place)) = part.filter(|_| !self.variables.is_endless()) else {
                text = None;
                break;
            };
            head += &part;
            from = from.or(place);
        }
        if let Some(text) = &mut text {
            text.clone_from(&head);
        }
        let origin = from.map_or(origin.clone(), |it| it.over(Via::Values, &origin));
        ShellArgument { text, head, raw, wild: false, origin, place: None }
    }

    /// What a part of a word comes to, and where that is written if it is filled in.
    pub(super) fn piece(
        &self,
        piece: &WordPiece,
        depth: usize,
    ) -> Option<(String, Option<Origin>)> {
        let (name, default) = match piece {
            WordPiece::Text(text) => return Some((text.clone(), None)),
            WordPiece::Computed(command) => return Some((computed(command)?, None)),
            WordPiece::Variable(name, default) => (name.as_str(), default),
        };
        let known = self.variables.0.get(name).filter(|_| depth < MAX_DEPTH);
        match (known, default) {
            (Some(Some((code, word))), _) => {
                let value = self.join(code, word, depth + 1);
                Some((value.text.filter(|_| word.items.is_none())?, Some(value.origin)))
            }
            (None, Some(default)) => {
                let word = shell::words(&format!("\"{default}\"")).into_iter().next()?;
                let parts = word.pieces.iter().map(|(it, _)| self.piece(it, depth + 1));
                Some((parts.map(|it| Some(it?.0)).collect::<Option<String>>()?, None))
            }
            (None, None) => Some((place(name)?.to_string(), None)),
            (Some(None), _) => None,
        }
    }
}

/// The directory that every shell or pipeline calls `name`.
fn place(name: &str) -> Option<char> {
    match name {
        "PWD" | "role_path" | "playbook_dir" => Some('.'),
        "GITHUB_WORKSPACE" | "CI_PROJECT_DIR" | "ROOT_DIR" | "WORKSPACE" => Some(ROOT),
        "CURDIR" | "TASKFILE_DIR" => Some(HERE),
        _ => None,
    }
}

/// The directory that `command` prints: that of the script, or the root of the repository.
fn computed(command: &str) -> Option<String> {
    let of_script = ["$0", "BASH_SOURCE", "MAKEFILE_LIST", "justfile_directory", "path.module"];
    if command.contains("rev-parse --show-toplevel") || command == "github.workspace" {
        return Some(ROOT.to_string());
    }
    if command.trim() == "pwd" {
        return Some(".".to_owned());
    }
    let is_directory = ["dirname", "%/*", "dir ", "_directory", "path.module"];
    let is_it = of_script.iter().any(|it| command.contains(it))
        && is_directory.iter().any(|it| command.contains(it));
    let up = "/..".repeat(command.matches("/..").count());
    is_it.then(|| format!("{HERE}{up}"))
}
