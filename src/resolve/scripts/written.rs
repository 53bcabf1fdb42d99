//! What commands write into files, one after the other and in branches.

use std::{ops::Range, sync::OnceLock};

use super::{CommandOutput, Session, argument::ShellArgument};
use crate::{
    parse,
    resolve::{
        shell::{Word, WordPiece},
        template::{self, Hole},
    },
    scalar::{Scalar, Style},
    source::{FileId, Sources, Span},
    tree::{Node, Origin, Reason, Via},
};

/// How many branches are told apart in which one thing is set.
const MAX_BRANCHES: usize = 50;

/// Longer texts are not put together.
const MAX_TEXT: usize = 1 << 20;

/// The arms of conditions around a place.
pub(super) type BranchPath = Vec<(usize, usize)>;

/// Why it cannot be told what fills a part of a text.
const UNTOLD: &str = "this is filled in when the command runs";

/// What something was set to, in the order of the commands that did, each with its branch.
#[derive(Debug, Clone)]
pub(super) struct BranchedValue<T>(Vec<(BranchPath, T)>);

impl<T> Default for BranchedValue<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> BranchedValue<T> {
    /// All that it was set to and that may still count, each with its branch.
    pub(super) fn all(&self) -> &[(BranchPath, T)] {
        &self.0
    }

    /// Sets it in `branch`: whoever gets there has nothing of what was set in there before.
    pub(super) fn set(&mut self, branch: &[(usize, usize)], value: T) {
        self.0.retain(|(it, _)| !it.starts_with(branch));
        if self.0.len() < MAX_BRANCHES {
            self.0.push((branch.to_vec(), value));
        }
    }

    /// What it may be in `branch`, the latest first, and whether it is certainly one of these.
    pub(super) fn at(&self, branch: &[(usize, usize)]) -> (Vec<&T>, bool) {
        let is_sure = |own: &BranchPath| branch.starts_with(own) && self.0.len() < MAX_BRANCHES;
        let mut found = Vec::new();
        for (own, value) in self.0.iter().rev() {
            found.push(value);
            if is_sure(own) {
                return (found, true);
            }
        }
        (found, false)
    }
}

/// A text that commands print or write.
#[derive(Debug, Default)]
pub(super) struct WrittenText {
    text: String,
    /// Its parts, each with its place.
    parts: Vec<Node>,
    holes: Vec<Hole>,
    /// The files of the repository that are in it.
    pub files: Vec<FileId>,
    /// Whether it stands behind something that nobody can tell.
    pub is_open: bool,
    parsed: OnceLock<Vec<Node>>,
}

impl WrittenText {
    /// The text of a file of the repository.
    fn of_file(sources: &Sources, file: FileId) -> Self {
        let mut written = Self { files: vec![file], ..Self::default() };
        written.push_lines(sources, &parse::whole(sources, file));
        written
    }

    fn push(&mut self, text: &str, origin: Origin) {
        if !text.is_empty() {
            self.text += text;
            self.parts.push(Node::new(Scalar::string(text), origin));
        }
    }

    /// Adds the text of `node`, each line with its place.
    fn push_lines(&mut self, sources: &Sources, node: &Node) {
        let text = node.as_scalar().map_or("", |it| &*it.text);
        for line in parse::lines(text, text, 0, &parse::parts(sources, node)) {
            self.text += line.as_str().unwrap_or_default();
            self.parts.push(line);
        }
    }

    /// Adds what `text` stands for, with room for the mask of a hole.
    fn push_hole(&mut self, text: &str, origin: Origin, fill: Result<Node, Reason>) {
        let mask = format!("{text:3}");
        let start = self.text.len();
        self.holes.push(Hole { range: start..start + mask.len(), fill });
        self.push(&mask, origin);
    }

    /// Adds `other` behind it.
    fn append(&mut self, other: &Self) {
        let shift = self.text.len();
        let moved = |it: &Hole| {
            let range = it.range.start + shift..it.range.end + shift;
            Hole { range, ..it.clone() }
        };
        self.text += &other.text;
        self.holes.extend(other.holes.iter().map(moved));
        self.parts.extend(other.parts.iter().cloned());
        self.files.extend(&other.files);
        self.is_open |= other.is_open;
    }

    /// It behind something that nobody can tell: that goes on where its first line is below another.
    fn opened(&self) -> Option<Self> {
        let is_below = self.text.starts_with([' ', '-', '\t']);
        let mut opened = Self { is_open: true, ..Self::default() };
        opened.append(self);
        Some(opened).filter(|_| !is_below)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty() && !self.is_open
    }

    /// The documents of the text; none where it is no YAML.
    pub(super) fn documents(&self, sources: &Sources) -> &[Node] {
        self.parsed.get_or_init(|| {
            let Some(first) = self.parts.first() else { return Vec::new() };
            let scalar = Scalar { text: (&*self.text).into(), style: Style::Literal, tag: None };
            let node = Node::new(scalar, first.origin.of_texts(self.parts.iter().cloned()));
            template::fill_yaml(sources, &node, &self.holes).unwrap_or_default()
        })
    }
}

impl Session<'_> {
    /// What a here-document is, with what is filled in.
    pub(super) fn document(&self, code: &Node, document: &Word, filled: bool) -> CommandOutput {
        let sources = self.context.sources;
        let Some(code_text) = code.as_scalar() else { return CommandOutput::Unknown };
        let part = parse::parts(sources, code);
        let mut written = WrittenText::default();
        let lines = |range: Range<usize>| {
            let text = code_text.text.get(range.clone()).unwrap_or_default();
            let scalar = Scalar { text: text.into(), style: code_text.style, tag: code_text.tag };
            Node::new(scalar, part(range))
        };
        let mut at = document.range.start;
        let holes =
            document.pieces.iter().filter(|(it, _)| filled && !matches!(it, WordPiece::Text(_)));
        for (piece, range) in holes {
            written.push_lines(sources, &lines(at..range.start));
            let text = code_text.text.get(range.clone()).unwrap_or_default();
            written.push_hole(text, part(range.clone()), self.fill_of(piece));
            at = range.end;
        }
        written.push_lines(sources, &lines(at..document.range.end));
        CommandOutput::Text(written.into())
    }

    /// What fills the place of `piece`.
    fn fill_of(&self, piece: &WordPiece) -> Result<Node, Reason> {
        let piece = self.scope.piece(piece, 0);
        let at = piece.from.unwrap_or_else(|| Origin::at(Via::Written, None));
        piece.text.map(|text| Node::new(Scalar::plain(text), at)).ok_or_else(|| UNTOLD.into())
    }

    /// What `echo` prints of `words`, which are of `code`: a backslash means something else to each shell.
    pub(super) fn echoed(&self, code: &Node, words: &[Word]) -> CommandOutput {
        let part = parse::parts(self.context.sources, code);
        let mut written = WrittenText::default();
        let is_option = |it: &&Word| matches!(it.literal(), Some("-n" | "-e" | "-ne" | "-en"));
        let (options, words) = words.split_at(words.iter().take_while(is_option).count());
        for (index, word) in words.iter().enumerate() {
            let whole = part(word.range.clone());
            if index > 0 {
                written.push(" ", whole.clone());
            }
            for (piece, place) in &word.pieces {
                let slice = code.as_scalar().and_then(|it| it.text.get(place.clone()));
                let WordPiece::Text(text) = piece else {
                    let text = slice.unwrap_or_default();
                    written.push_hole(text, part(place.clone()), self.fill_of(piece));
                    continue;
                };
                if text.contains('\\') {
                    return CommandOutput::Unknown;
                }
                let is_exact = slice == Some(text);
                written.push(text, if is_exact { part(place.clone()) } else { whole.clone() });
            }
        }
        if !options.iter().any(|it| it.literal().is_some_and(|it| it.contains('n'))) {
            let place = written.parts.last().map_or_else(|| self.here(), |it| it.origin.clone());
            written.push("\n", place);
        }
        CommandOutput::Text(written.into())
    }

    /// Writes `content` into `file`, behind what it has if that `appends`.
    pub(super) fn write(&mut self, file: &ShellArgument, content: CommandOutput, appends: bool) {
        let Some(key) = self.key(file) else { return };
        let (mut content, mut at) = (content, self.at.clone());
        if appends {
            let before = self.made(&key);
            at.splice(0..0, before.as_ref().map_or(&[][..], |it| &it.1).iter().copied());
            let before = before.map(|it| it.0).or_else(|| match self.content(file) {
                CommandOutput::Path(place) => {
                    self.found(&place).map(|_| CommandOutput::Path(place))
                }
                _ => None,
            });
            content = match (before, content) {
                (Some(before), content) if before.is_nothing() => content,
                (Some(before), content) => self.joined(&[before, content]),
                // It may be there when the commands run.
                (None, CommandOutput::Text(text)) => match text.opened() {
                    Some(text) => CommandOutput::Text(text.into()),
                    None => CommandOutput::Unknown,
                },
                (None, _) => CommandOutput::Unknown,
            };
        }
        self.made.entry(key).or_default().set(&self.branch, (content, at));
    }

    /// What is written into the file that is called `key`.
    pub(super) fn made(&self, key: &str) -> Option<(CommandOutput, Vec<Span>)> {
        let (found, is_sure) = self.made.get(key)?.at(&self.branch);
        match &*found {
            [] => None,
            [one] if is_sure => Some(Clone::clone(one)),
            // Whether a branch wrote it nobody can tell.
            [(_, at), ..] => Some((CommandOutput::Unknown, at.clone())),
        }
    }

    /// `contents` one behind the other, as far as these are texts.
    pub(super) fn joined(&self, contents: &[CommandOutput]) -> CommandOutput {
        let sources = self.context.sources;
        let mut all = WrittenText::default();
        if let [one] = contents {
            return one.clone();
        }
        for content in contents {
            match content {
                CommandOutput::Text(text) => all.append(text),
                CommandOutput::Path(place) => match self.found(place) {
                    Some(file) => all.append(&WrittenText::of_file(sources, file)),
                    None => return CommandOutput::Unknown,
                },
                _ => return CommandOutput::Unknown,
            }
            if all.text.len() > MAX_TEXT {
                return CommandOutput::Unknown;
            }
        }
        CommandOutput::Text(all.into())
    }
}
