//! Words of commands as programs are given them.

use std::ops::Range;

use crate::{
    parse,
    scalar::Scalar,
    source::{self, Sources},
    tree::{Node, Origin, Reason},
};

/// Stands for the directory of the script at the start of a path.
pub(super) const HERE: char = '\u{1}';

/// Stands for the root of the repository at the start of a path.
pub(super) const ROOT: char = '\u{2}';

/// Stands for the directory in which a command runs at the start of a path.
pub(super) const CURRENT: char = '\u{3}';

/// Stands for a directory that is not in the repository, with more of its name below it.
pub(super) const AWAY: char = '\u{5}';

/// What is a path where the program runs, and nothing else anywhere.
const PLACES: [char; 3] = [HERE, ROOT, CURRENT];

/// Stands for what may be something else each time.
pub(super) const HOLE: char = '\u{4}';

/// A word of a command as the program is given it.
#[derive(Debug, Clone)]
pub(super) struct ShellArgument {
    /// Its text, unless nobody can tell it.
    pub text: Option<String>,
    /// What of it comes before the first part that nobody can tell.
    pub head: String,
    /// It with [`HOLE`]s where something else may stand each time, and the names of those.
    pub shape: (String, Vec<String>),
    /// What stands there.
    pub raw: String,
    /// Whether it may be any number of words.
    pub wild: bool,
    /// Where it is written.
    pub origin: Origin,
    /// The code and the range of it that is the text as it is.
    pub(super) place: Option<(Node, Range<usize>)>,
}

/// What variables of scripts and Makefiles are called after.
const TOOLS: [&str; 3] = ["helm", "kubectl", "kustomize"];

impl ShellArgument {
    /// One that is `text`, as something at `origin` says.
    pub(super) fn plain(text: &str, origin: &Origin) -> Self {
        let (text, origin) = (text.to_owned(), origin.clone());
        let (head, raw, shape) = (text.clone(), text.clone(), (text.clone(), Vec::new()));
        Self { text: Some(text), head, shape, raw, wild: false, origin, place: None }
    }

    /// One of which nobody can tell what it is, in the place of `name`.
    pub(super) fn unknown(name: &str, origin: &Origin) -> Self {
        let shape = (HOLE.to_string(), vec![name.to_owned()]);
        Self { text: None, shape, ..Self::plain("", origin) }
    }

    /// Its text, if that has no path in a place that is known only where the program runs.
    pub(super) fn text(&self) -> Option<&str> {
        self.text.as_deref().filter(|it| !it.contains(PLACES))
    }

    /// The program that it names, by the last part of its path; a variable that nothing here sets is
    /// called after its program: `$(KUBECTL)`, `$HELM_BIN`.
    pub(super) fn program(&self) -> Option<&str> {
        let path = self.text.as_deref().unwrap_or(&self.shape.0);
        // What starts a recipe's line says how make runs it.
        let name = source::file_name(path.trim_start_matches(['@', '-', '+']));
        if !name.contains([HOLE]) && !name.contains(PLACES) {
            return Some(name);
        }
        let variable = self.shape.1.last().filter(|_| name.chars().eq([HOLE]))?.to_lowercase();
        let is_of = |it: &&&str| {
            let rest = variable.strip_prefix(**it).map(|it| it.trim_start_matches('_'));
            rest.is_some_and(|it| matches!(it, "" | "bin" | "binary" | "cmd" | "command" | "exe"))
        };
        TOOLS.iter().find(is_of).copied()
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
        let shape = (cut(&self.shape.0), self.shape.1.clone());
        Self { text, head: cut(&self.head), shape, raw: String::new(), wild: false, origin, place }
    }

    /// The same behind `text`.
    pub(super) fn behind(self, text: &str) -> Self {
        let with = |it: &str| format!("{text}{it}");
        let shape = (with(&self.shape.0), self.shape.1);
        Self {
            text: self.text.as_deref().map(with),
            head: with(&self.head),
            shape,
            place: None,
            ..self
        }
    }

    /// The parts between commas.
    pub(super) fn parts(&self, sources: &Sources) -> Vec<Self> {
        if !self.shape.0.contains(',') {
            return vec![self.clone()];
        }
        let (mut start, mut holes) = (0, self.shape.1.iter());
        let part = |it: &str| {
            let names: Vec<String> =
                holes.by_ref().take(it.matches(HOLE).count()).cloned().collect();
            let rest = match &self.text {
                Some(_) if self.shape.1.is_empty() => self.after(sources, start),
                _ => self.clone(),
            };
            start += it.len() + 1;
            let text = names.is_empty().then(|| it.to_owned());
            let head = it.split(HOLE).next().unwrap_or_default().to_owned();
            Self { text, head, shape: (it.to_owned(), names), ..rest }
        };
        self.shape.0.split(',').map(part).collect()
    }

    /// It as a value.
    pub(super) fn node(&self) -> Node {
        match self.text() {
            Some(text) => Node::new(Scalar::string(text), self.origin.clone()),
            None => Node::unknown_value(self.untold(), &self.origin),
        }
    }

    /// Why nobody can tell what it is, with the variable that a person would look for.
    pub(super) fn untold(&self) -> Reason {
        let is_name = |it: &&String| {
            !it.is_empty() && it.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_')
        };
        match self.shape.1.iter().find(is_name) {
            Some(name) => format!("`${name}` is filled in when the command runs").into(),
            None => "this is filled in when the command runs".into(),
        }
    }
}
