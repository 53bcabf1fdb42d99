//! What the words of a command come to.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::Arc,
};

use super::{
    added::AddedValue,
    argument::{AWAY, CURRENT, HERE, HOLE, ROOT, ShellArgument},
    written::{BranchPath, BranchedValue},
};
use crate::{
    parse,
    resolve::shell::{self, ShellCommand, Word, WordPiece},
    scalar::Scalar,
    source::{self, Sources},
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

/// What is set, by name: `None` what is set more than once.
pub(super) type SetVariables = BTreeMap<String, Option<(Node, Word)>>;

/// What is set in a file, or by the commands of one shell.
#[derive(Debug, Default)]
pub(super) struct ShellVariables {
    set: SetVariables,
    /// What is set around it, for what it does not set.
    around: Arc<SetVariables>,
    /// Whether what is set here as well may be either.
    is_shell: bool,
    /// Whether something that is not there may have set anything around it to something else.
    is_doubtful: bool,
    /// The only ones of those around it that it takes over, if not all.
    taken: Option<Rc<BTreeSet<String>>>,
    /// Those that callers may set to something else.
    defaults: Arc<BTreeSet<String>>,
    /// Those to which something is added, so that what they are depends on the place.
    added: BTreeSet<String>,
    /// Those that something changes which is not an assignment.
    changed: BTreeSet<String>,
    /// Whether not all that sets them was read.
    is_lost: bool,
    work: Rc<Cell<usize>>,
}

/// What nobody can tell.
const UNTOLD: &Option<(Node, Word)> = &None;

impl ShellVariables {
    /// Where nothing is set but what is `around`.
    pub(super) fn inside(around: Arc<SetVariables>) -> Self {
        Self { around, ..Self::default() }
    }

    /// What is set here alone.
    pub(super) fn into_set(self) -> SetVariables {
        self.set
    }

    /// What is set here as what is around others.
    pub(super) fn around(self) -> Self {
        let around = Arc::new(self.set);
        Self { around, set: SetVariables::new(), is_doubtful: false, ..self }
    }

    /// Those of a shell with what is around them: what its commands set, others do not have.
    pub(super) fn shell(&self) -> Self {
        Self {
            around: Arc::clone(&self.around),
            is_shell: true,
            defaults: Arc::clone(&self.defaults),
            work: Rc::clone(&self.work),
            ..Self::default()
        }
    }

    /// Notes that it takes over no more of what is around it than those in `taken`.
    pub(super) fn take_over(&mut self, taken: Option<Rc<BTreeSet<String>>>) {
        self.taken = taken;
    }

    fn takes(&self, name: &str) -> bool {
        self.taken.as_ref().is_none_or(|it| it.contains(name))
    }

    fn get(&self, name: &str) -> Option<&Option<(Node, Word)>> {
        let is_sure = || !self.is_doubtful && self.takes(name);
        let around = || self.around.get(name).map(|it| if is_sure() { it } else { UNTOLD });
        if self.is_lost { Some(UNTOLD) } else { self.set.get(name).or_else(around) }
    }

    /// Notes that what `name` is set to is only what it is by default.
    pub(super) fn note_default(&mut self, name: &str) {
        Arc::make_mut(&mut self.defaults).insert(name.to_owned());
    }

    /// Notes that something that is not there may have set anything that was set until now.
    pub(super) fn doubt(&mut self) {
        self.set.values_mut().for_each(|it| *it = None);
        self.is_doubtful = true;
    }

    /// Whether something adds to `name`.
    pub(super) fn is_added(&self, name: &str) -> bool {
        self.added.contains(name)
    }

    /// Whether a command changes `name` that does not assign to it.
    pub(super) fn is_changed(&self, name: &str) -> bool {
        self.changed.contains(name)
    }

    fn is_default(&self, name: &str) -> bool {
        self.defaults.contains(name)
    }

    /// Whether words were looked up so often that their values must grow with each other.
    fn is_endless(&self) -> bool {
        self.work.set(self.work.get() + 1);
        self.work.get() > MAX_WORK
    }

    /// Notes that there is more that sets variables than was read: any may be something else.
    pub(super) fn lose(&mut self) {
        self.is_lost = true;
    }

    /// Notes that `name` is set to `word` of `code`, or to something that nobody can tell.
    pub(super) fn set(&mut self, name: &str, value: Option<(&Node, Word)>) {
        let value = value.map(|(code, word)| (code.clone(), word));
        let is_same = |known: &Option<(Node, Word)>| {
            // What is the same text comes to the same, each time it is asked for.
            let is_same = |(a, b): (&WordPiece, &WordPiece)| a == b;
            matches!((known, &value), (Some((_, a)), Some((_, b)))
                if a.pieces.len() == b.pieces.len() && a.items == b.items && a.items.is_none()
                    && a.pieces.iter().map(|it| &it.0).zip(b.pieces.iter().map(|it| &it.0)).all(is_same))
        };
        let around = || self.around.get(name).filter(|_| self.is_shell && self.takes(name));
        let value = match self.set.get(name).or_else(around) {
            None => value,
            Some(known) if is_same(known) => return,
            Some(_) => None,
        };
        self.set.insert(name.to_owned(), value);
    }

    /// Notes that `name` is set to `word` of `code` now, whatever it was before.
    pub(super) fn replace(&mut self, name: &str, code: &Node, word: Word) {
        self.set.insert(name.to_owned(), Some((code.clone(), word)));
    }

    /// Notes what `command` of `code` sets, which is gone behind it if it runs `apart`.
    pub(super) fn read(&mut self, code: &Node, command: &ShellCommand, apart: bool) {
        let first = command.words.first().and_then(Word::literal).unwrap_or_default();
        if let ("for", Some(name)) = (first, command.words.get(1).and_then(Word::literal)) {
            let one = command.words.get(3).filter(|_| command.words.len() == 4);
            self.set(name, one.map(|it| (code, it.clone())));
            self.changed.insert(name.to_owned());
        }
        // What is read in is known only where the program runs; `IFS=` may come before it.
        let mut words = command.words.iter().skip_while(|it| it.assignment().is_some());
        let program = words.next().and_then(Word::literal).unwrap_or_default();
        if CHANGING.contains(&program) {
            let names = words.filter_map(Word::literal).filter(|it| !it.starts_with('-'));
            for name in names.filter(|_| program != "printf" || first_option(command) == "-v") {
                self.changed.insert(name.to_owned());
                if program == "read" || program == "unset" {
                    self.set(name, None);
                }
            }
        }
        for (name, adds, value) in command.assigned().0 {
            // What stands under a condition may be what it was before.
            let is_sure = command.is_sure() && !apart && !command.is_apart();
            let is_literal = is_sure && !adds && !value.refers_to(name);
            if adds {
                self.added.insert(name.to_owned());
            }
            self.set(name, is_literal.then_some((code, value)));
        }
    }
}

/// What changes the variables that it names (`Bash Builtins` of bash's manual).
const CHANGING: [&str; 6] = ["read", "unset", "printf", "mapfile", "readarray", "getopts"];

fn first_option(command: &ShellCommand) -> &str {
    let mut words = command.words.iter().filter_map(Word::literal);
    words.find(|it| it.starts_with('-')).unwrap_or_default()
}

impl Word {
    /// Whether it takes what `name` was before, unless that is what it is when it was nothing.
    fn refers_to(&self, name: &str) -> bool {
        self.pieces
            .iter()
            .any(|(it, _)| matches!(it, WordPiece::Variable(own, None) if own == name))
    }
}

/// What is filled in while commands run.
#[derive(Debug, Clone, Default)]
pub(super) struct ShellFrame {
    /// What is added to, as it is by now.
    pub added: BTreeMap<String, BranchedValue<AddedValue>>,
    /// What these were outside of the function that runs.
    pub outer: Vec<(String, Option<BranchedValue<AddedValue>>)>,
    /// The branch of the command that runs.
    pub branch: BranchPath,
    /// By name: the item of a loop, what a possible environment has.
    pub named: BTreeMap<String, ShellArgument>,
    /// The branches in which a file was taken in that sets some of these.
    pub branched: BTreeMap<String, BranchPath>,
    /// Whether a function runs that nothing calls: what it is for nobody can tell.
    pub is_uncalled: bool,
    /// What a function was called with.
    pub positional: Option<Vec<ShellArgument>>,
}

impl ShellFrame {
    /// What `name` is by now, if something is added to it: what all have in common that it may be, and
    /// any more.
    pub(super) fn added(&self, name: &str) -> Option<AddedValue> {
        let (found, is_sure) = self.added.get(name)?.at(&self.branch);
        let (last, others) = found.split_first()?;
        if others.is_empty() && is_sure {
            return Some(Clone::clone(last));
        }
        let is_same = |a: &ShellArgument, b: &ShellArgument| {
            a.text.is_some() && a.text == b.text && a.origin.written_at() == b.origin.written_at()
        };
        let common = |it: &AddedValue| {
            last.parts.iter().zip(&it.parts).take_while(|(a, b)| is_same(a, b)).count()
        };
        let length = others.iter().map(|it| common(it)).min().filter(|_| is_sure).unwrap_or(0);
        let mut value = Clone::clone(*last);
        let nowhere = Origin::at(Via::Written, None);
        let origin = last.parts.last().map_or(nowhere, |it| it.origin.clone());
        value.parts.truncate(length);
        value.parts.extend(AddedValue::unknown(name, &origin).parts);
        Some(value)
    }

    /// What `name` is.
    fn get(&self, name: &str) -> Option<ShellArgument> {
        if let Some(arguments) = &self.positional
            && let Ok(index @ 1..) = name.parse::<usize>()
        {
            let none = || ShellArgument::plain("", &Origin::at(Via::Written, None));
            return Some(arguments.get(index - 1).cloned().unwrap_or_else(none));
        }
        self.named.get(name).cloned()
    }
}

/// What words are read with.
pub(super) struct ShellScope<'a> {
    pub sources: &'a Sources,
    pub variables: &'a ShellVariables,
    pub frame: ShellFrame,
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
        let (name, default) = match (&*word.pieces, &self.frame.positional) {
            ([(WordPiece::Variable(name, default), _)], _) => (name.as_str(), default),
            ([(WordPiece::Computed(all), _)], arguments) if all == "@" || all == "*" => {
                return match arguments {
                    Some(arguments) => found.extend(arguments.iter().cloned()),
                    None => {
                        let wild = !self.frame.is_uncalled;
                        found.push(ShellArgument { wild, ..self.join(code, word, depth) });
                    }
                };
            }
            _ => return found.push(self.join(code, word, depth)),
        };
        let known = self.variables.get(name).filter(|_| depth < MAX_DEPTH);
        let start = found.len();
        let via = self.place(code, word);
        // Without it, it is the first word of a list (`Arrays` of bash's manual).
        let text = code.as_scalar().and_then(|it| it.text.get(word.pieces[0].1.clone()));
        let all = if text.is_some_and(|it| it.contains(['@', '*'])) { MAX_ARGUMENTS } else { 1 };
        let filled = self.filled(name).filter(|it| default.is_none() || !it.head.is_empty());
        let added = self.frame.added(name).filter(|it| default.is_none() || !it.parts.is_empty());
        if let Some(added) = added {
            match added.whole().filter(|_| word.quoted) {
                Some(whole) => found.push(whole),
                None if added.is_list => found.extend(added.parts.into_iter().take(all)),
                None => added.parts.into_iter().for_each(|it| self.fill(it, word.quoted, found)),
            }
        } else if let Some(filled) = filled {
            self.fill(filled, word.quoted, found);
        } else {
            match (known, default) {
                (Some(Some((code, inner))), _) if inner.items.is_some() => {
                    for item in inner.items.iter().flatten().take(all) {
                        self.expand(code, item, depth + 1, found);
                    }
                }
                (Some(Some((inner_code, inner))), _) if !word.quoted => {
                    let value = self.join(inner_code, inner, depth + 1);
                    match value.text.as_deref().filter(|it| it.contains([' ', '\n', '"', '\''])) {
                        Some(_) => self.split(&value, found),
                        // What is more than one word may be any number of them.
                        None => {
                            let wild = value.text.is_none() && value.shape.0.contains(' ');
                            found.push(ShellArgument { wild, ..value });
                        }
                    }
                }
                (None, Some(default))
                    if !word.quoted && (default.is_empty() || default.contains(' ')) =>
                {
                    self.split(&ShellArgument::plain(default, &via), found);
                }
                _ => {
                    let joined = self.join(code, word, depth);
                    let is_list = joined.raw.contains("[@]");
                    let wild = joined.text.is_none() && (is_list || !word.quoted);
                    found.push(ShellArgument { wild, ..joined });
                }
            }
        }
        for argument in &mut found[start..] {
            argument.origin = match argument.origin.written_at() {
                Some(_) => argument.origin.over(Via::Values, &via),
                None => via.clone(),
            };
        }
    }

    /// What `name` is by now: what a branch took in may be something else outside of it, unless that is the
    /// only one that sets it.
    fn filled(&self, name: &str) -> Option<ShellArgument> {
        let found = self.frame.get(name)?;
        let is_sure =
            self.frame.branched.get(name).is_none_or(|it| self.frame.branch.starts_with(it));
        match (is_sure, self.variables.get(name)) {
            (true, _) => Some(found),
            (false, Some(_)) => None,
            (false, None) => Some(ShellArgument::unknown(name, &found.origin)),
        }
    }

    /// Adds what is filled in, which is one word if it is `quoted`.
    fn fill(&self, filled: ShellArgument, quoted: bool, found: &mut Vec<ShellArgument>) {
        match filled.text.as_deref() {
            Some(text) if !quoted && (text.is_empty() || text.contains(' ')) => {
                self.split(&filled, found);
            }
            _ => {
                let wild = filled.wild && !quoted;
                found.push(ShellArgument { place: None, wild, ..filled });
            }
        }
    }

    /// The words of the text that `filled` is.
    fn split(&self, filled: &ShellArgument, found: &mut Vec<ShellArgument>) {
        let (text, at) = (filled.text.as_deref().unwrap_or_default(), &filled.origin);
        let code = Node::new(Scalar::string(text), at.clone());
        for word in shell::words(text) {
            let joined = self.join(&code, &word, MAX_DEPTH);
            let origin = match &filled.place {
                Some((code, all)) => {
                    let range = all.start + word.range.start..all.start + word.range.end;
                    parse::part(self.sources, code, range)
                }
                None => at.clone(),
            };
            found.push(ShellArgument { origin, place: None, ..joined });
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
        let (mut head, mut shape) = (String::new(), (String::new(), Vec::new()));
        for (piece, _) in &word.pieces {
            let part = self.piece(piece, depth);
            shape.0 += &part.shape.0;
            shape.1.extend(part.shape.1);
            if shape.0.len() > MAX_TEXT || self.variables.is_endless() {
                text = None;
                break;
            }
            if text.is_some() {
                head += &part.head;
            }
            text = text.zip(part.text).map(|(text, more)| text + &more);
            from = from.or(part.from);
        }
        let origin = from.map_or(origin.clone(), |it| it.over(Via::Values, &origin));
        ShellArgument { text, head, shape, raw, wild: false, origin, place: None }
    }

    /// What a part of a word comes to.
    pub(super) fn piece(&self, piece: &WordPiece, depth: usize) -> FilledPiece {
        let (name, default) = match piece {
            WordPiece::Text(text) => return FilledPiece::plain(text.clone()),
            WordPiece::Computed(command) => (command.as_str(), &None),
            WordPiece::Variable(name, default) => (name.as_str(), default),
        };
        if let Some(added) = self.frame.added(name) {
            let Some(whole) = added.whole() else { return FilledPiece::hole(name) };
            let from = whole.origin.written_at().is_some().then_some(whole.origin);
            return FilledPiece { from, ..FilledPiece::plain(whole.text.unwrap_or_default()) };
        }
        if let Some(filled) =
            self.filled(name).filter(|it| default.is_none() || !it.head.is_empty())
        {
            let ShellArgument { text, head, shape, origin, .. } = filled;
            let from = origin.written_at().is_some().then_some(origin);
            return FilledPiece { text, head, shape, from };
        }
        if let WordPiece::Computed(command) = piece {
            return computed(command).map_or_else(|| FilledPiece::hole(name), FilledPiece::plain);
        }
        let known = self.variables.get(name).filter(|_| depth < MAX_DEPTH);
        match (known, default) {
            (Some(Some((code, word))), _) => {
                let ShellArgument { text, head, shape, origin, .. } =
                    self.join(code, word, depth + 1);
                let text = text.filter(|_| word.items.is_none());
                // What has no text of its own is known by the outermost name.
                let is_whole = shape.0.chars().all(|it| it == HOLE) && !shape.1.is_empty();
                let soft = self.variables.is_default(name);
                let shape = match is_whole || soft || text.is_none() && shape.1.is_empty() {
                    true => FilledPiece::hole(name).shape,
                    false => shape,
                };
                FilledPiece { text, head, shape, from: Some(origin) }
            }
            (None, Some(default)) => {
                let word = shell::words(&format!("\"{default}\"")).into_iter().next();
                let nothing = Node::new(Scalar::string(""), Origin::at(Via::Written, None));
                let joined = word.map(|it| self.join(&nothing, &it, depth + 1));
                let FilledPiece { shape, .. } = FilledPiece::hole(name);
                let (text, head) = joined.map_or_else(Default::default, |it| (it.text, it.head));
                FilledPiece { text, head, shape, from: None }
            }
            (None, None) => match place(name) {
                Some(place) => FilledPiece::plain(place.to_string()),
                None => FilledPiece::hole(name),
            },
            (Some(None), _) => FilledPiece::hole(name),
        }
    }
}

/// What a part of a word comes to, as in [`ShellArgument`].
pub(super) struct FilledPiece {
    pub text: Option<String>,
    head: String,
    shape: (String, Vec<String>),
    /// Where it is written, if it is filled in.
    pub from: Option<Origin>,
}

impl FilledPiece {
    fn plain(text: String) -> Self {
        let (head, shape) = (text.clone(), (text.clone(), Vec::new()));
        Self { text: Some(text), head, shape, from: None }
    }

    fn hole(name: &str) -> Self {
        let shape = (HOLE.to_string(), vec![name.to_owned()]);
        Self { text: None, head: String::new(), shape, from: None }
    }
}

/// The paths of the repository that `text` may mean in a file in `own` whose commands run in one of
/// `dirs`, the likeliest first.
pub(super) fn paths(own: &str, dirs: &[String], text: Option<&str>) -> Vec<String> {
    let Some(text) = text.filter(|it| !it.is_empty()) else { return Vec::new() };
    let here = [own.to_owned()];
    let (dirs, text) = match text.chars().next() {
        Some(HERE) => (&here[..], &text[HERE.len_utf8()..]),
        Some(ROOT) => (&[String::new()][..], &text[ROOT.len_utf8()..]),
        Some(CURRENT) => (dirs, &text[CURRENT.len_utf8()..]),
        _ if text.starts_with('/') => return Vec::new(),
        _ => (dirs, text),
    };
    let rest = text.trim_start_matches('/');
    // What lies above a directory that is elsewhere is so, too.
    let is_there = |dir: &String, it: &String| !dir.starts_with(AWAY) || it.starts_with(AWAY);
    unique(dirs.iter().filter_map(|dir| {
        let path = source::join(dir, if rest.is_empty() { "." } else { rest });
        path.filter(|it| is_there(dir, it))
    }))
}

fn unique(paths: impl Iterator<Item = String>) -> Vec<String> {
    let mut paths: Vec<String> = paths.collect();
    paths.dedup();
    paths
}

/// The directory that every shell or pipeline calls `name`.
fn place(name: &str) -> Option<char> {
    match name {
        "PWD" | "role_path" | "playbook_dir" => Some(CURRENT),
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
        return Some(CURRENT.to_string());
    }
    let is_directory = ["dirname", "%/*", "dir ", "_directory", "path.module"];
    let is_it = of_script.iter().any(|it| command.contains(it))
        && is_directory.iter().any(|it| command.contains(it));
    let up = "/..".repeat(command.matches("/..").count());
    is_it.then(|| format!("{HERE}{up}"))
}
