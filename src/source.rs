//! Source files, spans into them, and lines and columns.

mod git;
mod kept;
mod lines;
mod links;
mod makejinja;
mod paths;
pub(crate) mod pattern;
mod saying;
mod shared;

pub(crate) use kept::{KeptByFile, KeptByText};
use paths::template_of;
pub(crate) use paths::{
    SUFFIXES, extension, file_name, inside, is_list_of_patterns, is_prose, is_within, is_yaml,
    join, parent, rendered,
};

use std::{
    collections::BTreeSet,
    fmt,
    io::ErrorKind,
    num::NonZeroU32,
    ops::Range,
    sync::{Arc, OnceLock},
};

use foldhash::fast::RandomState;
use ignore::gitignore::Gitignore;
use indexmap::{IndexMap, IndexSet};

use shared::SharedSource;

use crate::{
    parse::{self, Documents},
    scalar::Dialect,
};

/// Every file of one repository, in path order, read when something first asks for it.
///
/// Paths are relative to the root, separated by `/`, without `.` and `..`. The order of the paths
/// is the order of the [`FileId`]s, so that nothing depends on which thread read a file first.
pub(crate) struct Sources {
    files: IndexSet<SharedSource, RandomState>,
    /// Symbolic links inside the root and the path, also inside it, that each resolves to, in order.
    links: IndexMap<String, String>,
    /// Those of [`SUFFIXES`] that files of YAML have.
    suffixes: Vec<&'static str>,
    /// The directory that paths start from, where it is one on a disk and its name starts with `/`.
    pub root: Option<String>,
    /// The way from the root of Git, which pipelines know files by, to that of the paths: empty, or with
    /// `/` at its end.
    pub below_git: String,
    /// The directories of other repositories inside of this one, in order.
    pub repositories: Vec<String>,
    /// What git ignores, as far as the walk saw it; directories end in `/`.
    pub left_out: Vec<String>,
    load: Arc<Load>,
    ignored: OnceLock<Gitignore>,
    makejinja: OnceLock<Vec<makejinja::RenderedInput>>,
    /// Every directory with files somewhere below it, but for the root.
    directories: OnceLock<Arc<Directories>>,
    kept: kept::Kept,
}

/// Directories in order, each with which of the files is the first below it.
type Directories = IndexMap<Box<str>, usize, RandomState>;

/// Reads the bytes of one file, given its path relative to the root.
pub(crate) type Load = dyn Fn(&str) -> Result<Vec<u8>, Skip> + Send + Sync;

/// One file.
pub(crate) struct Source {
    /// Relative to the root, separated by `/`.
    pub path: String,
    /// Whether the first look at its bytes says that it can matter.
    pub relevance: Relevance,
    /// As [`FirstLook::is_silent`].
    is_silent: bool,
    text: OnceLock<Text>,
    asked: OnceLock<()>,
    lines: OnceLock<Vec<u32>>,
    /// As `lines::characters`, of a file with long lines.
    characters: OnceLock<Vec<u32>>,
    documents: [OnceLock<Documents>; 2],
    outline: OnceLock<Option<Documents>>,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Text {
    /// Text, byte for byte as on the disk: a byte order mark stays, so that offsets are right.
    Utf8(String),
    /// Something else, and what.
    Skipped(Skip),
}

/// Why a file is not read as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Skip {
    /// Invalid UTF-8.
    Binary,
    /// UTF-8 with NUL bytes, which YAML does not allow.
    Nul,
    /// Encrypted by git-crypt. What SOPS encrypts is still text.
    Encrypted,
    /// Over [`MAX_FILE`] bytes.
    TooLarge,
    /// In UTF-16, which YAML allows.
    Utf16,
    /// In UTF-32, which YAML allows, but Go's readers do not.
    Utf32,
    /// A symbolic link where Git follows none, or where one may lead out of the root.
    Link,
    /// A list of patterns that is longer than any is.
    Patterns,
    /// One of more files than are read.
    TooMany,
    /// The disk refused.
    Unreadable(ErrorKind),
}

impl Text {
    /// Text, or why not.
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        if bytes.starts_with(b"\0GITCRYPT\0") {
            return Self::Skipped(Skip::Encrypted);
        }
        // One is the beginning of the other.
        if bytes.starts_with(b"\xff\xfe\0\0") || bytes.starts_with(b"\0\0\xfe\xff") {
            return Self::Skipped(Skip::Utf32);
        }
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            return Self::Skipped(Skip::Utf16);
        }
        match String::from_utf8(bytes) {
            Ok(text) if text.contains('\0') => Self::Skipped(Skip::Nul),
            Ok(text) => Self::Utf8(text),
            Err(_) => Self::Skipped(Skip::Binary),
        }
    }
}

impl fmt::Display for Skip {
    /// As what a file is said to be: "`a.yaml` is encrypted".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Binary => "is not text in UTF-8",
            Self::Nul => "holds NUL bytes",
            Self::Encrypted => "is encrypted",
            Self::TooLarge => "is larger than 8 MiB",
            Self::Utf16 => "is in UTF-16, not in UTF-8",
            Self::Utf32 => "is in UTF-32, not in UTF-8",
            Self::Link => "is a symbolic link, which is not followed",
            Self::Patterns => "is one of too many or too long lists of patterns",
            Self::TooMany => "is more than is read of all files that may matter",
            Self::Unreadable(ErrorKind::InvalidFilename) => "has too long a path to be read",
            Self::Unreadable(ErrorKind::PermissionDenied) => "may not be read by you",
            Self::Unreadable(_) => "cannot be read",
        })
    }
}

/// Files larger than this are not read; no configuration is.
pub(crate) const MAX_FILE: u64 = 8 * 1024 * 1024;

/// What people are shown as the path of what is read from standard input, which is YAML.
pub(crate) const STDIN: &str = "<stdin>";

/// How a file can matter, judged by its bytes before any parsing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Relevance {
    /// Read only when something names it.
    #[default]
    None,
    /// A program or a build file that speaks of our subject: it may install it.
    Script,
    /// It may connect others: a kustomization, a Flux or Argo CD object.
    Plumbing,
    /// It scales workloads, which are judged with what reaches it; nothing else belongs to it.
    Scaling,
    /// It speaks of metrics-server, the Metrics API, or kubelet serving certificates.
    Subject,
}

/// What a first look at a file's bytes says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct FirstLook {
    pub relevance: Relevance,
    /// Whether it is known that it holds none of the words that [`Sources::saying`] is asked for.
    pub is_silent: bool,
}

impl From<Relevance> for FirstLook {
    fn from(relevance: Relevance) -> Self {
        Self { relevance, is_silent: false }
    }
}

/// A file's place in [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FileId(NonZeroU32);

/// A byte range in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Span {
    /// The file.
    pub file: FileId,
    /// The first byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

/// A line and a column, both from 1; the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// From 1.
    pub line: u32,
    /// From 1, in Unicode scalar values.
    pub column: u32,
}

impl Sources {
    /// No files, where there is no repository.
    pub(crate) fn none() -> Self {
        Self::new(
            Vec::new(),
            IndexMap::new(),
            Arc::new(|_| Err(Skip::Unreadable(ErrorKind::NotFound))),
        )
    }

    /// The files that `listing` names. `links` maps symbolic links to what they resolve to.
    pub(crate) fn new(
        mut listing: Vec<(String, FirstLook, Option<Text>)>,
        mut links: IndexMap<String, String>,
        load: Arc<Load>,
    ) -> Self {
        links.sort_unstable_keys();
        listing.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        listing.dedup_by(|a, b| a.0 == b.0);
        let is_listed = |path: &str| listing.binary_search_by(|it| it.0.as_str().cmp(path)).is_ok();
        // Where what a template makes is there, that counts.
        let made = |path: &str| rendered(path) != path && is_listed(rendered(path));
        let made: Vec<bool> = listing.iter().map(|(path, ..)| made(path)).collect();
        for ((_, look, _), _) in listing.iter_mut().zip(made).filter(|(_, made)| *made) {
            look.relevance = Relevance::None;
        }
        let moved = makejinja::made(&listing, &*load);
        for ((_, look, _), _) in listing.iter_mut().zip(moved).filter(|(_, made)| *made) {
            look.relevance = Relevance::None;
        }
        let found: BTreeSet<&str> =
            listing.iter().filter_map(|(path, ..)| Some(template_of(path)?.1)).collect();
        let suffixes = SUFFIXES.into_iter().filter(|it| found.contains(it)).collect();
        let files = listing
            .into_iter()
            .map(|(path, look, text)| SharedSource::new(path, look, text))
            .collect();
        let (repositories, left_out) = (Vec::new(), Vec::new());
        let (ignored, makejinja, directories) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Self {
            files,
            links,
            suffixes,
            root: None,
            below_git: String::new(),
            repositories,
            left_out,
            load,
            ignored,
            makejinja,
            directories,
            kept: kept::Kept::default(),
        }
    }

    /// Adds a file that is not listed, before any [`FileId`] is given out: one outside of the root, one
    /// that is not saved yet. `path` is what people are shown.
    pub(crate) fn add(&mut self, path: String, text: Text) {
        self.directories = OnceLock::new();
        self.files.shift_take(&*path);
        if let Some((_, suffix)) = template_of(&path).filter(|(_, it)| !self.suffixes.contains(it))
        {
            self.suffixes.push(suffix);
        }
        // It counts, and no template that makes it.
        let templates = self.suffixes.iter().map(|it| format!("{path}{it}"));
        let templates = templates.filter(|it| is_yaml(&path) && self.files.contains(it.as_str()));
        for template in templates.collect::<Vec<_>>() {
            self.files.replace(SharedSource::new(template, FirstLook::default(), None));
        }
        let at = self.files.partition_point(|file| file.0.path < path);
        self.files.shift_insert(at, SharedSource::new(path, FirstLook::default(), Some(text)));
    }

    /// The same repository with other texts in these files: every [`FileId`] stays what it is.
    pub(crate) fn with(
        &self,
        texts: impl IntoIterator<Item = (FileId, FirstLook, String)>,
    ) -> Self {
        let mut files = self.files.clone();
        for (file, look, text) in texts {
            let (path, text) = (self[file].path.clone(), Some(Text::Utf8(text)));
            files.replace(SharedSource::new(path, look, text));
        }
        Self {
            files,
            links: self.links.clone(),
            suffixes: self.suffixes.clone(),
            root: self.root.clone(),
            below_git: self.below_git.clone(),
            repositories: self.repositories.clone(),
            left_out: self.left_out.clone(),
            load: Arc::clone(&self.load),
            directories: self.directories.clone(),
            ignored: OnceLock::new(),
            makejinja: OnceLock::new(),
            kept: kept::Kept::default(),
        }
    }

    /// The file at `path`, which may lead through symbolic links; where there is none, the template
    /// that makes it.
    pub(crate) fn find(&self, path: &str) -> Option<FileId> {
        let template = |suffix: &&str| self.written(&format!("{path}{suffix}"));
        let is_made = || !self.suffixes.is_empty() && is_yaml(path);
        self.written(path)
            .or_else(|| is_made().then(|| self.suffixes.iter().find_map(template)).flatten())
    }

    /// The file at `path`, which may lead through symbolic links.
    pub(crate) fn written(&self, path: &str) -> Option<FileId> {
        match self.exact(path) {
            None if !self.links.is_empty() => self.exact(&self.follow(path)?),
            found => found,
        }
    }

    fn exact(&self, path: &str) -> Option<FileId> {
        self.files.get_index_of(path).and_then(FileId::new)
    }

    /// The file at `path` as seen from `dir`, as [`join`] puts them together.
    pub(crate) fn find_from(&self, dir: &str, path: &str) -> Option<FileId> {
        self.find(&join(dir, path)?)
    }

    /// Whether `dir` holds a Helm chart.
    pub(crate) fn is_chart(&self, dir: &str) -> bool {
        self.find_from(dir, "Chart.yaml").is_some()
    }

    /// Whether any file lies below `dir`; `""` is the root.
    pub(crate) fn is_dir(&self, dir: &str) -> bool {
        let is_one = |dir: &str| dir.is_empty() || self.first_files().contains_key(dir);
        is_one(dir) || !self.links.is_empty() && self.follow(dir).is_some_and(|it| is_one(&it))
    }

    /// Every directory with files somewhere below it, but for the root, in order.
    pub(crate) fn directories(&self) -> impl Iterator<Item = &str> {
        self.directories_below("")
    }

    /// Those of them that lie in `dir`; `""` is the root.
    pub(crate) fn directories_below(&self, dir: &str) -> impl Iterator<Item = &str> + use<'_> {
        let prefix = inside(dir);
        let all = self.first_files();
        let start = all.partition_point(|it, _| **it < *prefix);
        let from = all[start..].keys().map(|it| &**it);
        from.take_while(move |it| it.starts_with(&prefix))
    }

    fn first_files(&self) -> &Directories {
        self.directories.get_or_init(|| {
            let mut all = Directories::default();
            for (at, source) in self.files.iter().enumerate() {
                let mut dir = parent(&source.0.path);
                while !dir.is_empty() && !all.contains_key(dir) {
                    all.insert(dir.into(), at);
                    dir = parent(dir);
                }
            }
            all.sort_unstable_keys();
            Arc::new(all)
        })
    }

    /// The files below `dir`, at any depth, in path order; `""` is the root.
    pub(crate) fn below<'a>(&'a self, dir: &str) -> impl Iterator<Item = FileId> + use<'a> {
        let prefix = inside(dir);
        let first = match dir {
            "" => Some(&0),
            dir => self.first_files().get(dir),
        };
        let start = first.copied().unwrap_or(self.files.len());
        self.files[start..]
            .iter()
            .take_while(move |file| file.0.path.starts_with(&prefix))
            .zip(start..)
            .filter_map(|(_, at)| FileId::new(at))
    }

    /// The names in `dir`, of files and of directories, in order; `""` is the root. What is deeper is
    /// skipped, not read.
    pub(crate) fn names_in(&self, dir: &str) -> impl Iterator<Item = &str> {
        let prefix = inside(dir);
        let mut at = self.files.partition_point(|file| file.0.path.as_str() < prefix.as_str());
        std::iter::from_fn(move || {
            let path = &self.files.get_index(at)?.0.path;
            let rest = path.strip_prefix(&*prefix)?;
            let Some((name, _)) = rest.split_once('/') else {
                at += 1;
                return Some(rest);
            };
            let inside = &path[..=prefix.len() + name.len()];
            at += self.files[at..].partition_point(|file| file.0.path.starts_with(inside));
            Some(name)
        })
    }

    /// The files in `dir`, not deeper, in order.
    pub(crate) fn files_in<'a>(&'a self, dir: &'a str) -> impl Iterator<Item = FileId> + 'a {
        let prefix = inside(dir);
        self.names_in(dir).filter_map(move |it| self.exact(&format!("{prefix}{it}")))
    }

    /// Every file, in path order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (FileId, &Source)> {
        (0..).map_while(FileId::new).zip(self.files.iter().map(|it| &*it.0))
    }

    /// What the file holds, read on the first call.
    pub(crate) fn load(&self, file: FileId) -> &Text {
        let source = &self[file];
        source.asked.get_or_init(|| ());
        source.text.get_or_init(|| match (self.load)(&source.path) {
            Ok(bytes) => Text::of(bytes),
            Err(skip) => Text::Skipped(skip),
        })
    }

    /// The file's bytes, read anew unless they are text that was read before.
    ///
    /// # Errors
    /// Why they cannot be read.
    pub(crate) fn bytes(&self, file: FileId) -> Result<Vec<u8>, Skip> {
        let source = &self[file];
        match source.text.get() {
            Some(Text::Utf8(text)) => Ok(text.clone().into_bytes()),
            _ => (self.load)(&source.path),
        }
    }

    /// The file's text, or `""` when it has none.
    pub(crate) fn text(&self, file: FileId) -> &str {
        #[cfg(test)]
        work::count();
        match self.load(file) {
            Text::Utf8(text) => text,
            Text::Skipped(_) => "",
        }
    }

    /// The file's YAML documents as `dialect` reads them, parsed on the first call.
    pub(crate) fn documents(&self, file: FileId, dialect: Dialect) -> &Documents {
        let source = &self[file];
        source.documents[dialect as usize]
            .get_or_init(|| parse::file(&source.path, self.text(file), file, dialect))
    }

    /// Its documents without the schemas of custom resources: see [`parse::outline`].
    pub(crate) fn outline(&self, file: FileId) -> &Documents {
        let (source, dialect) = (&self[file], Dialect::Kyaml);
        let outline = || parse::outline(&source.path, self.text(file), file, dialect);
        let outline = source.outline.get_or_init(outline).as_ref();
        outline.unwrap_or_else(|| self.documents(file, dialect))
    }

    /// Whether `file` is a template of YAML, by its name or by what is in it.
    pub(crate) fn is_template(&self, file: FileId) -> bool {
        let path = &self[file].path;
        let made = rendered(path);
        made != path || is_yaml(made) && self.documents(file, Dialect::Sigs).template.is_some()
    }

    /// The text that `span` covers.
    pub(crate) fn slice(&self, span: Span) -> &str {
        self.text(span.file).get(span.range()).unwrap_or_default()
    }
}

impl Source {
    fn new(path: String, look: FirstLook, text: Option<Text>) -> Self {
        Self {
            path,
            relevance: look.relevance,
            is_silent: look.is_silent,
            text: text.map_or_else(OnceLock::new, OnceLock::from),
            asked: OnceLock::new(),
            lines: OnceLock::new(),
            characters: OnceLock::new(),
            documents: [OnceLock::new(), OnceLock::new()],
            outline: OnceLock::new(),
        }
    }

    /// Whether anything asked for what the file holds, after the first look.
    pub(crate) fn is_loaded(&self) -> bool {
        self.asked.get().is_some()
    }

    /// Why the file was not read as text, when something asked for it and it was not.
    pub(crate) fn skipped(&self) -> Option<Skip> {
        match self.text.get()? {
            Text::Skipped(skip) => Some(*skip),
            Text::Utf8(_) => None,
        }
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.files.iter().map(|file| &file.0.path)).finish()
    }
}

impl std::ops::Index<FileId> for Sources {
    type Output = Source;

    fn index(&self, file: FileId) -> &Source {
        &self.files[file.index()].0
    }
}

impl FileId {
    fn index(self) -> usize {
        self.0.get() as usize - 1
    }

    /// Of a text that stands in no file: no file has it.
    pub(crate) const NONE: Self = Self(NonZeroU32::MAX);

    fn new(index: usize) -> Option<Self> {
        NonZeroU32::new(u32::try_from(index).ok()?.checked_add(1)?).map(Self)
    }
}

impl Span {
    /// That range of bytes in `file`, which [`MAX_FILE`] keeps below 2^32.
    pub(crate) fn new(file: FileId, range: Range<usize>) -> Self {
        let [start, end] = [range.start, range.end].map(|it| u32::try_from(it).unwrap_or(u32::MAX));
        Self { file, start, end }
    }

    /// The part of it at `range` bytes from its start.
    #[must_use]
    pub(crate) fn part(self, range: Range<usize>) -> Self {
        let start = self.start as usize;
        Self::new(self.file, start + range.start..start + range.end)
    }

    /// The start of `file`: the place of what concerns all of it.
    pub(crate) fn start_of(file: FileId) -> Self {
        Self { file, start: 0, end: 0 }
    }

    /// The bytes.
    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// The lines of `text` with what ends them, each with where it starts.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_inclusive('\n').scan(0, |next, line| {
        let start = *next;
        *next += line.len();
        Some((start, line))
    })
}

/// How much is done, for tests of how it grows: how often a value of a mapping, or the text of a
/// file, is asked for.
#[cfg(test)]
pub(crate) mod work {
    use std::cell::Cell;

    thread_local! {
        static DONE: Cell<u64> = const { Cell::new(0) };
    }

    pub(crate) fn count() {
        DONE.set(done() + 1);
    }

    /// What this thread has done.
    pub(crate) fn done() -> u64 {
        DONE.get()
    }
}
