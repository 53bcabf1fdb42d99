//! Which files there are, and which of them can matter. The only module that reads the repository.

mod index;

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use ignore::{
    DirEntry, Match, WalkBuilder, WalkState,
    gitignore::{Gitignore, GitignoreBuilder},
};
use indexmap::IndexMap;

use crate::{
    config,
    relevance::{SCRIPT_EXTENSIONS, SCRIPT_NAMES, is_script, look},
    source::{self, FileId, FirstLook, MAX_FILE, Relevance, Skip, Source, Sources, Text},
};

/// The extensions of files that are looked into without anything naming them.
const EXTENSIONS: &[&str] = &[
    "yaml", "yml", "json", "env", "tf", "tfvars", "hcl", "conf", "service", "cfg", "toml",
    "gotmpl", "tpl", "sls",
];

/// The names of files without any of [`EXTENSIONS`] that are looked into all the same.
const NAMES: &[&str] = &["Kustomization", "kubelet", "user-data", "cloud-init"];

/// Whether the file at `path` is looked into without anything naming it.
pub(crate) fn is_candidate(path: &str) -> bool {
    let name = source::file_name(source::rendered(path));
    EXTENSIONS.contains(&source::extension(name)) || NAMES.contains(&name) || is_script(path)
}

/// Patterns for the paths of such files, and of scripts.
pub(crate) fn patterns() -> Vec<String> {
    let suffixes = source::SUFFIXES.map(|it| it.trim_start_matches('.')).join(",");
    let scripts = SCRIPT_EXTENSIONS.join(",");
    let extensions = format!("**/*.{{{},{suffixes},{scripts}}}", EXTENSIONS.join(","));
    vec![extensions, format!("**/{{{},{}}}", NAMES.join(","), SCRIPT_NAMES.join(","))]
}

/// Lists the repository at `root` and reads, in the walker's threads, what can matter.
///
/// What git ignores is not there. Hidden directories other than [`INSTALLING`] are listed, since
/// something may refer into them, but not looked into. So are other repositories inside of this one,
/// which have a `.git` of their own: what they deploy is not this one's, but a submodule may hold
/// what this one builds. Neither is so for what `named` names and what lies below that, paths
/// relative to the root. Symbolic links are never followed out of the root. What lies at the absolute
/// paths `apart` is no part of the repository, and neither is what [`config::BASELINE`] names.
///
/// # Errors
/// When `root` cannot be read.
pub(crate) fn open(
    root: &Path,
    named: &[String],
    apart: &[PathBuf],
    progress: &(dyn Fn() + Sync),
) -> io::Result<Sources> {
    open_with(root, named, false, apart, progress)
}

/// [`open`], with all that lies below what `named` names where that is `whole`: also what git ignores.
#[expect(clippy::disallowed_methods, reason = "this is the module that reads the repository")]
pub(crate) fn open_with(
    root: &Path,
    named: &[String],
    whole: bool,
    apart: &[PathBuf],
    progress: &(dyn Fn() + Sync),
) -> io::Result<Sources> {
    let root = root.canonicalize()?;
    fs::read_dir(&root)?;
    let found = Mutex::new(Found::default());
    let aside = Arc::new(Mutex::new(Aside::default()));
    let walk_all = || {
        let excluded = Patterns::excluded(&root, &aside);
        let all = (WalkBuilder::new(&root), excluded, apart);
        walk(all, &root, (named, whole), (&found, &aside), progress);
    };
    walk_all();
    if aside.lock().unwrap_or_else(PoisonError::into_inner).is_too_much() {
        *found.lock().unwrap_or_else(PoisonError::into_inner) = Found::default();
        let fresh = Aside { only_root: true, ..Aside::default() };
        *aside.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        walk_all();
    }
    let ignored = {
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        found.files.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let is_listed = |named: &String| {
            // What is below a directory need not come next to it: `a-b` is less than `a/b`.
            let below = if named.is_empty() { String::new() } else { format!("{named}/") };
            let next = |least: &String| found.files.partition_point(|(path, ..)| path < least);
            let at = |least| found.files.get(next(least)).map(|(path, ..)| &**path);
            at(named) == Some(named) || at(&below).is_some_and(|path| path.starts_with(&below))
        };
        let ignored = named.iter().filter(|it| !is_listed(it));
        ignored.map(|it| root.join(it)).collect::<Vec<_>>()
    };
    if let [first, others @ ..] = &*ignored {
        let mut builder = WalkBuilder::new(first);
        for other in others {
            builder.add(other);
        }
        let ignored = (builder, Gitignore::empty(), apart);
        walk(ignored, &root, (named, whole), (&found, &aside), progress);
    }
    let Found { mut files, links } = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut aside = aside.lock().unwrap_or_else(PoisonError::into_inner);
    let mut repositories: Vec<_> =
        aside.repositories.iter().filter_map(|it| relative(&root, it)).collect();
    repositories.retain(|dir| !named.iter().any(|it| source::is_within(it, dir)));
    repositories.sort();
    let is_inside = |path: &str| repositories.iter().any(|it| source::is_within(path, it));
    for (_, look, text) in files.iter_mut().filter(|(path, ..)| is_inside(path)) {
        (*look, *text) = (FirstLook::default(), None);
    }
    if let Some(path) = aside.of_many.take() {
        aside.unread.insert(path, Skip::Patterns);
    }
    files.retain(|(path, ..)| !aside.unread.contains_key(path));
    let unread = aside.unread.iter().map(|(path, skip)| (path.clone(), *skip));
    files.extend(
        unread.map(|(path, skip)| (path, Relevance::Subject.into(), Some(Text::Skipped(skip)))),
    );
    // What is named and ignored was found by several threads.
    files.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    bound(&mut files);
    let links: IndexMap<String, String> = links.into_iter().collect();
    let place = root.to_str().filter(|it| it.starts_with('/')).map(Into::into);
    let mut sources = Sources::new(files, links, Arc::new(move |path: &str| read(&root, path)));
    sources.root = place;
    sources.repositories = repositories;
    sources.left_out.clone_from(&aside.ignored);
    Ok(sources)
}

/// Walks as `builder` says where to start, without what is `excluded` or lies `apart`, and finds the
/// repositories inside of this one.
fn walk(
    (mut builder, excluded, apart): (WalkBuilder, Gitignore, &[PathBuf]),
    root: &Path,
    (named, whole): (&[String], bool),
    (found, aside): (&Mutex<Found>, &Arc<Mutex<Aside>>),
    progress: &(dyn Fn() + Sync),
) {
    let patterns = Patterns {
        aside: Arc::clone(aside),
        excluded,
        by_dir: Mutex::default(),
        tracked: OnceLock::new(),
        partly: Mutex::default(),
        whole: named.iter().filter(|_| whole).map(|it| root.join(it)).collect(),
        root: root.to_owned(),
    };
    let (aside, top, apart) = (Arc::clone(aside), root.to_owned(), apart.to_owned());
    builder
        .standard_filters(false)
        .threads(std::thread::available_parallelism().map_or(2, usize::from).min(8))
        .filter_entry(move |entry| {
            let is_apart =
                entry.file_name() == config::BASELINE || apart.iter().any(|it| it == entry.path());
            if is_apart {
                return false;
            }
            let is_git = entry.file_name() == ".git";
            if let Some(dir) = entry.path().parent().filter(|dir| is_git && *dir != top) {
                let mut aside = aside.lock().unwrap_or_else(PoisonError::into_inner);
                aside.repositories.push(dir.to_owned());
            }
            let is_left_out = !is_git && patterns.leave_out(entry);
            if is_left_out && let Some(mut path) = relative(&top, entry.path()) {
                path += if entry.file_type().is_some_and(|it| it.is_dir()) { "/" } else { "" };
                let mut aside = aside.lock().unwrap_or_else(PoisonError::into_inner);
                aside.ignored.push(path);
            }
            !is_git && !is_left_out
        });
    let kept = &AtomicUsize::new(0);
    builder.build_parallel().run(|| {
        let own = Found::default();
        let mut worker = Worker { root, named, found, own, buffer: Vec::new(), kept };
        Box::new(move |entry| {
            match entry {
                Ok(entry) => worker.visit(&entry),
                Err(error) => worker.fail(&error),
            }
            progress();
            WalkState::Continue
        })
    });
}

/// What git leaves out of a walk.
///
/// The walker could read these files itself, but opens whatever has their name: a link out of the
/// root, which git does not follow either, or a pipe that nobody writes to.
struct Patterns {
    aside: Arc<Mutex<Aside>>,
    /// `.git/info/exclude`, which counts least.
    excluded: Gitignore,
    by_dir: Mutex<IndexMap<OsString, Arc<Below>>>,
    /// The files that git tracks, and with that does not ignore; read when something is ignored.
    tracked: OnceLock<BTreeSet<String>>,
    /// Ignored directories with tracked files in them: of the others git sees none.
    partly: Mutex<BTreeSet<PathBuf>>,
    /// Where nothing is left out.
    whole: Vec<PathBuf>,
    root: PathBuf,
}

/// The patterns for what lies in a directory, its own and those of the directories around it.
struct Below {
    own: Gitignore,
    outer: Option<Arc<Below>>,
}

impl Patterns {
    /// What `.git/info/exclude` says.
    fn excluded(root: &Path, aside: &Mutex<Aside>) -> Gitignore {
        read_patterns(&[".git", "info", "exclude"], root, root, aside)
    }

    fn leave_out(&self, entry: &DirEntry) -> bool {
        let (path, depth) = (entry.path(), entry.depth());
        let Some(dir) = path.parent().filter(|_| depth > 0) else { return false };
        if self.whole.iter().any(|it| path.starts_with(it)) {
            return false;
        }
        let is_dir = entry.file_type().is_some_and(|it| it.is_dir());
        let innermost = self.below(dir, depth);
        let below = std::iter::successors(Some(&*innermost), |it| it.outer.as_deref());
        let mut patterns = below.map(|it| &it.own).chain([&self.excluded]);
        let matched = patterns.find_map(|it| match it.matched(path, is_dir) {
            Match::None => None,
            matched => Some(matched.is_ignore()),
        });
        let partly = || self.partly.lock().unwrap_or_else(PoisonError::into_inner);
        if !matched.unwrap_or_default() && !partly().contains(dir) {
            return false;
        }
        let tracked = self.tracked.get_or_init(|| tracked(&self.root));
        let Some(mut inner) = relative(&self.root, path) else { return true };
        if !is_dir {
            return !tracked.contains(&inner);
        }
        inner.push('/');
        let is_tracked =
            tracked.range(inner.clone()..).next().is_some_and(|it| it.starts_with(&inner));
        if is_tracked {
            partly().insert(path.to_owned());
        }
        !is_tracked
    }

    /// The patterns for what lies in `dir`, itself less than `depth` levels below the start.
    fn below(&self, dir: &Path, depth: usize) -> Arc<Below> {
        let known = || self.by_dir.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known().get(dir.as_os_str()) {
            return Arc::clone(known);
        }
        let outer = dir.parent().filter(|_| depth > 1).map(|it| self.below(it, depth - 1));
        let own = read_patterns(&[".gitignore"], dir, &self.root, &self.aside);
        let below = match outer {
            Some(outer) if own.is_empty() => outer,
            outer => Arc::new(Below { own, outer }),
        };
        known().insert(dir.into(), Arc::clone(&below));
        below
    }
}

/// The files that git tracks at `root`; none when its index is none that we read.
#[expect(clippy::disallowed_methods, reason = "this is the module that reads the repository")]
fn tracked(root: &Path) -> BTreeSet<String> {
    const MAX_INDEX: u64 = 64 << 20;
    let dir = root.join(".git");
    let file = dir.join("index");
    let is_there = dir.symlink_metadata().is_ok_and(|it| it.is_dir())
        && file.symlink_metadata().is_ok_and(|it| it.is_file() && it.len() <= MAX_INDEX);
    if !is_there {
        return BTreeSet::new();
    }
    let mut bytes = Vec::new();
    let read = fs::File::open(file).and_then(|it| it.take(MAX_INDEX).read_to_end(&mut bytes));
    read.ok().and_then(|_| index::names(&bytes)).unwrap_or_default()
}

/// The patterns in the file at `path` in `dir`, for what lies below `dir`; none where a part of the
/// path is a link, or the file none that is read. That is noted.
#[expect(clippy::disallowed_methods, reason = "this is the module that reads the repository")]
fn read_patterns(path: &[&str], dir: &Path, root: &Path, aside: &Mutex<Aside>) -> Gitignore {
    let mut file = dir.to_owned();
    for name in path {
        file.push(name);
        let Ok(metadata) = file.symlink_metadata() else { return Gitignore::empty() };
        let skip = if metadata.is_symlink() {
            Skip::Link
        } else if !metadata.is_dir() && !metadata.is_file() {
            Skip::Unreadable(io::ErrorKind::Other)
        } else if metadata.is_file() && metadata.len() > MAX_PATTERNS {
            Skip::Patterns
        } else {
            continue;
        };
        aside.lock().unwrap_or_else(PoisonError::into_inner).leave_unread(root, &file, skip);
        return Gitignore::empty();
    }
    let mut bytes = Vec::new();
    let read = read_into(&file, &mut bytes);
    let mut aside = aside.lock().unwrap_or_else(PoisonError::into_inner);
    match read {
        Err(Skip::Unreadable(io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)) => {
            return Gitignore::empty();
        }
        Err(skip) => {
            aside.leave_unread(root, &file, skip);
            return Gitignore::empty();
        }
        Ok(()) if aside.only_root && dir != root => {
            aside.leave_out_of_many(root, &file);
            return Gitignore::empty();
        }
        Ok(()) => {}
    }
    aside.patterns += bytes.len();
    if aside.is_too_much() {
        return Gitignore::empty();
    }
    drop(aside);
    let mut builder = GitignoreBuilder::new(dir);
    for line in String::from_utf8_lossy(&bytes).trim_start_matches('\u{feff}').lines() {
        // A malformed pattern matches nothing, to git too.
        let _ = builder.add_line(None, line);
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

/// A list of patterns that is longer is not read: each pattern takes hundreds of times its length.
const MAX_PATTERNS: u64 = 256 << 10;

/// Where all lists together are longer, that of the root is read and no other.
const MAX_ALL_PATTERNS: usize = 768 << 10;

impl Aside {
    fn is_too_much(&self) -> bool {
        !self.only_root && self.patterns > MAX_ALL_PATTERNS
    }

    fn leave_unread(&mut self, root: &Path, file: &Path, skip: Skip) {
        if let Some(path) = relative(root, file) {
            self.unread.insert(path, skip);
        }
    }

    /// Notes the first of the lists that are too many: one tells it of all.
    fn leave_out_of_many(&mut self, root: &Path, file: &Path) {
        let Some(path) = relative(root, file) else { return };
        let known = self.of_many.take().filter(|it| *it < path);
        self.of_many = known.or(Some(path));
    }
}

/// How much of the text of files that may matter is read: so many separators. Each makes a node or two.
const MAX_SEPARATORS: usize = 2_000_000;

/// Leaves the last of `files` unread where those that may matter are too much together.
fn bound(files: &mut [Listed]) {
    let mut left = MAX_SEPARATORS;
    for (_, look, text) in files {
        let matters = look.relevance > Relevance::None;
        let Some(Text::Utf8(it)) = text.as_ref().filter(|_| matters) else {
            continue;
        };
        let count = separators(it.as_bytes());
        match left.checked_sub(count) {
            Some(rest) => left = rest,
            None => *text = Some(Text::Skipped(Skip::TooMany)),
        }
    }
}

/// How many bytes of `text` separate its parts; counted in chunks whose count fits into a byte, as
/// processors count fastest.
fn separators(text: &[u8]) -> usize {
    let of = |chunk: &[u8]| -> u8 {
        chunk.iter().map(|it| u8::from(matches!(it, b'\n' | b',' | b':'))).sum()
    };
    text.chunks(usize::from(u8::MAX)).map(|it| usize::from(of(it))).sum()
}

/// One thread of the walk.
struct Worker<'a> {
    root: &'a Path,
    named: &'a [String],
    found: &'a Mutex<Found>,
    own: Found,
    buffer: Vec<u8>,
    /// How many bytes of files that need not matter all threads have kept.
    kept: &'a AtomicUsize,
}

/// What a walk finds.
#[derive(Default)]
struct Found {
    files: Vec<Listed>,
    links: Vec<Link>,
}

/// What a walk does not go into.
#[derive(Default)]
struct Aside {
    /// The directories of other repositories.
    repositories: Vec<PathBuf>,
    /// What git ignores.
    ignored: Vec<String>,
    /// Lists of patterns that are not read, and why.
    unread: BTreeMap<String, Skip>,
    /// The first of those that are too many together.
    of_many: Option<String>,
    /// How long the lists are that were met.
    patterns: usize,
    /// Whether that of the root is the only one to be read.
    only_root: bool,
}

/// A file's path, how it can matter, and its text if that was read.
type Listed = (String, FirstLook, Option<Text>);

/// A symbolic link's path and what it resolves to.
type Link = (String, String);

impl Worker<'_> {
    fn visit(&mut self, entry: &DirEntry) {
        let Some(path) = relative(self.root, entry.path()) else { return };
        let Some(kind) = entry.file_type() else { return };
        if kind.is_symlink() {
            if let Some(target) = resolve_link(self.root, entry.path()) {
                self.own.links.push((path, target));
            }
        } else if kind.is_file() {
            let (look, text) = self.look(entry.path(), &path);
            self.own.files.push((path, look, text));
        }
    }

    /// Lists what cannot be listed, a directory mostly, as a file that cannot be read.
    fn fail(&mut self, error: &ignore::Error) {
        let kind = error.io_error().map_or(io::ErrorKind::Other, io::Error::kind);
        let path = path_of(error).and_then(|it| relative(self.root, it));
        let Some(path) = path.filter(|_| kind != io::ErrorKind::NotFound) else { return };
        let hidden = self.is_hidden(&format!("{path}/"));
        let relevance = if hidden { Relevance::None } else { Relevance::Subject };
        self.own.files.push((path, relevance.into(), Some(Text::Skipped(Skip::Unreadable(kind)))));
    }

    /// Whether nobody looks into the directory of `path`.
    fn is_hidden(&self, path: &str) -> bool {
        let is_named = |it: &String| source::is_within(path, it);
        is_hidden(path) && !self.named.iter().any(|it| is_named(it) && is_hidden_itself(it))
    }

    fn look(&mut self, file: &Path, path: &str) -> (FirstLook, Option<Text>) {
        if !is_candidate(path) || self.is_hidden(path) {
            return (FirstLook::default(), None);
        }
        let look = match read_into(file, &mut self.buffer) {
            Ok(()) => look(path, &self.buffer),
            Err(skip) => {
                let relevance = match skip {
                    _ if is_script(path) => Relevance::None,
                    Skip::TooLarge => relevance_of_large(file, path, &mut self.buffer),
                    _ => Relevance::Subject,
                };
                return (relevance.into(), Some(Text::Skipped(skip)));
            }
        };
        let matters = look.relevance > Relevance::None;
        let text = (matters || self.keeps()).then(|| Text::of(self.buffer.clone()));
        // Who asks for what is no text is told so.
        let is_text = match &text {
            Some(text) => matches!(text, Text::Utf8(_)),
            None => str::from_utf8(&self.buffer).is_ok(),
        };
        let is_silent = look.is_silent && is_text;
        (FirstLook { is_silent, ..look }, text.filter(|_| matters || is_text))
    }

    /// Whether what was read is kept although nothing in it matters by itself: what is built may name
    /// it, and to open a small file again takes longer than to copy it.
    fn keeps(&self) -> bool {
        const SMALL: usize = 16 << 10;
        const MOST: usize = 16 << 20;
        let length = self.buffer.len();
        length <= SMALL && self.kept.fetch_add(length, Relaxed) < MOST
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.files.append(&mut self.own.files);
        found.links.append(&mut self.own.links);
    }
}

/// The path that a walk could not go on with.
fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            path_of(err)
        }
        _ => None,
    }
}

/// Hidden directories that may install something: those of pipelines, and where werf has its chart.
const INSTALLING: [&str; 7] =
    [".github", ".circleci", ".gitlab", ".buildkite", ".woodpecker", ".azure-pipelines", ".helm"];

/// Whether a path leads through a hidden directory other than [`INSTALLING`].
pub(crate) fn is_hidden(path: &str) -> bool {
    source::parent(path).split('/').any(|it| it.starts_with('.') && !INSTALLING.contains(&it))
}

/// Whether a directory or file is hidden, or lies in what is.
fn is_hidden_itself(path: &str) -> bool {
    is_hidden(&format!("{path}/"))
}

/// `path` seen from `root`. A name that is not UTF-8 reads as people are shown it.
pub(crate) fn relative(root: &Path, path: &Path) -> Option<String> {
    let inner = path.strip_prefix(root).ok()?.to_string_lossy();
    Some(inner.replace(std::path::MAIN_SEPARATOR, "/"))
}

/// What a symbolic link resolves to, when that exists and lies inside the root.
#[expect(clippy::disallowed_methods, reason = "this is the module that reads the repository")]
fn resolve_link(root: &Path, link: &Path) -> Option<String> {
    relative(root, &link.canonicalize().ok()?)
}

#[expect(clippy::disallowed_methods, reason = "this is the module that reads the repository")]
fn read_into(file: &Path, buffer: &mut Vec<u8>) -> Result<(), Skip> {
    let unreadable = |error: io::Error| Skip::Unreadable(error.kind());
    buffer.clear();
    let open = fs::File::open(file).map_err(unreadable)?;
    let metadata = open.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(Skip::Unreadable(io::ErrorKind::Other));
    }
    if metadata.len() > MAX_FILE {
        return Err(Skip::TooLarge);
    }
    // Without a limit the length would be asked for once more.
    open.take(MAX_FILE).read_to_end(buffer).map(|_| ()).map_err(unreadable)
}

/// How a file over [`MAX_FILE`] can matter, by up to 256 MiB of it, a piece at a time.
#[expect(clippy::disallowed_methods, reason = "this is the module that reads the repository")]
fn relevance_of_large(file: &Path, path: &str, buffer: &mut Vec<u8>) -> Relevance {
    const PIECE: u64 = 1 << 20;
    /// More than the longest word that is searched for, which may be cut in two.
    const OVERLAP: usize = 256;
    let mut most = Relevance::None;
    let Ok(mut open) = fs::File::open(file) else { return most };
    buffer.clear();
    for _ in 0..256 {
        buffer.drain(..buffer.len().saturating_sub(OVERLAP));
        if !open.by_ref().take(PIECE).read_to_end(buffer).is_ok_and(|read| read > 0) {
            break;
        }
        most = most.max(look(path, buffer).relevance);
    }
    most
}

/// Reads one file that something refers to.
#[expect(clippy::disallowed_methods, reason = "this is the module that reads the repository")]
fn read(root: &Path, path: &str) -> Result<Vec<u8>, Skip> {
    let file: PathBuf = root.join(path);
    // The listing holds no links, but a directory may have become one since.
    let inside = file.canonicalize().is_ok_and(|real| real.starts_with(root));
    let mut buffer = Vec::new();
    if !inside {
        return Err(Skip::Unreadable(io::ErrorKind::NotFound));
    }
    read_into(&file, &mut buffer).map(|()| buffer)
}

impl Sources {
    /// The only file of a repository.
    pub(crate) fn of_one(path: &str, text: Text) -> Self {
        let look = match &text {
            Text::Utf8(text) => look(path, text.as_bytes()),
            Text::Skipped(_) => Relevance::Subject.into(),
        };
        let missing = Skip::Unreadable(io::ErrorKind::NotFound);
        let files = vec![(path.to_owned(), look, Some(text))];
        Self::new(files, IndexMap::new(), Arc::new(move |_: &str| Err(missing)))
    }
}

/// The same repository with other texts in these files.
pub(crate) fn edited(
    sources: &Sources,
    texts: impl IntoIterator<Item = (FileId, String)>,
) -> Sources {
    sources.with(texts.into_iter().map(|(file, text)| {
        let source = &sources[file];
        // Nobody looks into a file for what is written into it; one that is looked into is judged as
        // the next run will judge it.
        let look = match source.relevance {
            Relevance::None => FirstLook::default(),
            _ => look(&source.path, text.as_bytes()),
        };
        (file, look, text)
    }))
}

/// The same repository with what an editor holds in these files, as it will be once that is saved: also one
/// whose saved text is of nothing may matter then, unless it is hidden or another repository's.
pub(crate) fn typed(
    sources: &Sources,
    texts: impl IntoIterator<Item = (FileId, String)>,
) -> Sources {
    let is_apart = |path: &str| {
        source::parent(path).split('/').any(|it| it.starts_with('.'))
            || sources.repositories.iter().any(|it| source::is_within(path, it))
    };
    sources.with(texts.into_iter().map(|(file, text)| {
        let Source { path, relevance: saved, .. } = &sources[file];
        let is_out = *saved == Relevance::None && (is_apart(path) || !is_candidate(path));
        let own = if is_out { FirstLook::default() } else { look(path, text.as_bytes()) };
        (file, own, text)
    }))
}

#[cfg(test)]
impl Sources {
    /// Files that exist only in memory: examples in rule pages, tests.
    pub(crate) fn in_memory<P: Into<String>, T: Into<String>>(
        files: impl IntoIterator<Item = (P, T)>,
    ) -> Self {
        Self::of_bytes(files, Vec::new())
    }

    /// The same with symbolic links, each with what it resolves to.
    pub(crate) fn linked(self, links: &[(&str, &str)]) -> Self {
        let links = links.iter().map(|(link, target)| ((*link).into(), (*target).into()));
        let files = self.iter().map(|(file, it)| {
            let look = look(&it.path, self.text(file).as_bytes());
            (it.path.clone(), look, Some(self.load(file).clone()))
        });
        let missing = Skip::Unreadable(io::ErrorKind::NotFound);
        Self::new(files.collect(), links.collect(), Arc::new(move |_: &str| Err(missing)))
    }

    /// The same with files that are no text.
    pub(crate) fn of_bytes<P: Into<String>, T: Into<String>>(
        files: impl IntoIterator<Item = (P, T)>,
        blobs: Vec<(String, Vec<u8>)>,
    ) -> Self {
        let texts = files.into_iter().map(|(path, text)| {
            let (path, text) = (path.into(), text.into());
            let look = look(&path, text.as_bytes());
            (path, look, Some(Text::Utf8(text)))
        });
        let binary = blobs.iter().map(|(path, _)| (path.clone(), FirstLook::default(), None));
        let listing = texts.chain(binary).collect();
        let missing = Skip::Unreadable(io::ErrorKind::NotFound);
        let load = move |path: &str| {
            let found = blobs.iter().find(|(it, _)| it == path);
            found.map(|(_, bytes)| bytes.clone()).ok_or(missing)
        };
        Self::new(listing, IndexMap::new(), Arc::new(load))
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make the directories that are walked")]
mod tests {
    use super::*;
    use crate::tests::directory;

    #[test]
    fn separators_are_counted_in_chunks() {
        for length in [0, 1, 254, 255, 256, 511, 2_000] {
            let text = "\n".repeat(length);
            assert_eq!(separators(text.as_bytes()), length);
            assert_eq!(separators(format!("a{text}b: c, d").as_bytes()), length + 2);
        }
    }

    #[test]
    fn a_directory_that_is_named_is_not_ignored_because_of_its_neighbours_name() {
        let dir = directory(
            "
            //- .gitignore
            secret.yaml
            //- a/x.yaml
            a: 1
            //- a/secret.yaml
            a: 1
            //- a-b/x.yaml
            a: 1
            ",
        );
        let paths = |named: &str| {
            let sources = open(dir.path(), &[named.to_owned()], &[], &|| {}).unwrap();
            sources.iter().filter(|(_, it)| it.path.ends_with("secret.yaml")).count()
        };
        assert_eq!(paths("a"), 0);
        assert_eq!(paths("a/secret.yaml"), 1);
    }

    #[test]
    fn git_leaves_nothing_out_of_what_is_read_whole() {
        let dir = directory(
            "
            //- .gitignore
            charts/
            built/
            *.txt
            //- a/Chart.yaml
            x
            //- a/charts/b.yaml
            x
            //- a/b.txt
            x
            //- built/c/.gitignore
            *
            //- built/c/d.yaml
            x
            //- other/e.txt
            x
            ",
        );
        let paths = |named: &str, whole: bool| -> Vec<String> {
            let named = [named.to_owned()];
            let sources = open_with(dir.path(), &named, whole, &[], &|| {}).unwrap();
            sources.iter().map(|(_, it)| it.path.clone()).collect()
        };
        assert_eq!(paths("a", false), [".gitignore", "a/Chart.yaml"]);
        let all = [".gitignore", "a/Chart.yaml", "a/b.txt", "a/charts/b.yaml"];
        assert_eq!(paths("a", true), all);
        let built = [".gitignore", "a/Chart.yaml", "built/c/.gitignore", "built/c/d.yaml"];
        assert_eq!(paths("built/c", true), built);
    }

    /// What `open` lists, or nothing when it hangs.
    #[cfg(unix)]
    fn listed(dir: &Path) -> Option<Vec<String>> {
        let (sender, receiver) = std::sync::mpsc::channel();
        let dir = dir.to_owned();
        std::thread::spawn(move || {
            let sources = open(&dir, &[], &[], &|| {}).unwrap();
            sender.send(sources.iter().map(|(_, it)| it.path.clone()).collect())
        });
        receiver.recv_timeout(std::time::Duration::from_mins(1)).ok()
    }

    #[cfg(unix)]
    fn pipe(path: &Path) {
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    }

    #[test]
    fn an_editor_tells_of_all_files_that_are_looked_into() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/editors/vscode/src/server.ts");
        let text = fs::read_to_string(path).unwrap();
        let braces = text.split(['{', '}']).filter(|it| it.contains(','));
        let told: Vec<&str> = braces.flat_map(|it| it.split(',')).collect();
        let suffixes = source::SUFFIXES.map(|it| it.trim_start_matches('.'));
        for name in EXTENSIONS.iter().chain(&suffixes).chain(NAMES) {
            assert!(told.contains(name), "{name} is not in {path}");
        }
        let watched = patterns().concat();
        assert!(["jinja", "Makefile", "sh"].iter().all(|it| watched.contains(it)), "{watched}");
    }

    #[test]
    #[cfg(unix)]
    fn patterns_are_read_from_files_of_the_repository_alone() {
        let outside = directory("//- patterns\na.yaml\n");
        let dir = directory(
            "
            //- a.yaml
            x
            //- excluded.yaml
            x
            //- pipe/a.yaml
            x
            //- own/.gitignore
            *.yaml
            !b.yaml
            //- own/inner/a.yaml
            x
            //- own/inner/b.yaml
            x
            //- own/inner/c.yml
            x
            //- own/inner/.gitignore
            !a.yaml
            c.yml
            //- own/c.yaml
            x
            //- .git/info/exclude
            excluded.yaml
            !c.yaml
            ",
        );
        let at = |path: &str| dir.path().join(path);
        std::os::unix::fs::symlink(outside.path().join("patterns"), at(".gitignore")).unwrap();
        pipe(&at("pipe/.gitignore"));
        let files = [
            ".gitignore",
            "a.yaml",
            "own/.gitignore",
            "own/inner/.gitignore",
            "own/inner/a.yaml",
            "own/inner/b.yaml",
            "pipe/.gitignore",
            "pipe/a.yaml",
        ];
        assert_eq!(listed(dir.path()).unwrap(), files);
        fs::remove_file(at(".git/info/exclude")).unwrap();
        pipe(&at(".git/info/exclude"));
        assert!(listed(dir.path()).unwrap().contains(&"excluded.yaml".to_owned()));
    }

    #[test]
    #[cfg(unix)]
    fn lists_of_patterns_without_measure_are_not_read() {
        let dir = directory("//- a.yaml\nx\n//- b/c.yaml\nx\n//- d/.gitignore\nc.yaml\n");
        let write = |path: &str, text: &str| fs::write(dir.path().join(path), text).unwrap();
        let skipped = || {
            let sources = open(dir.path(), &[], &[], &|| {}).unwrap();
            let skipped =
                sources.iter().filter_map(|(_, it)| Some((it.path.clone(), it.skipped()?)));
            (sources.find("b/c.yaml").is_some(), skipped.collect::<Vec<_>>())
        };
        assert_eq!(skipped(), (true, vec![]));
        let long = "c.yaml\n".repeat(40_000);
        write("b/.gitignore", &long);
        assert_eq!(skipped(), (true, vec![("b/.gitignore".into(), Skip::Patterns)]));
        let line = "c.yaml\n".repeat(30_000);
        write("b/.gitignore", &line);
        assert_eq!(skipped(), (false, vec![]));
        for at in 0..4 {
            fs::create_dir(dir.path().join(format!("x{at}"))).unwrap();
            write(&format!("x{at}/.gitignore"), &line);
        }
        assert_eq!(skipped(), (true, vec![("b/.gitignore".into(), Skip::Patterns)]));
    }

    #[test]
    fn files_that_may_matter_are_read_up_to_a_limit() {
        let large = format!("# metrics-server\n{}", "a:\n".repeat(600_000));
        let dir = directory("//- d.yaml\nx: metrics-server\n");
        for name in ["a.yaml", "b.yaml", "c.yaml"] {
            fs::write(dir.path().join(name), &large).unwrap();
        }
        let sources = open(dir.path(), &[], &[], &|| {}).unwrap();
        let skipped: Vec<_> = sources.iter().map(|(_, it)| it.skipped()).collect();
        assert_eq!(skipped, [None, Some(Skip::TooMany), Some(Skip::TooMany), None]);
    }

    #[test]
    fn what_git_tracks_is_there_although_a_pattern_matches_it() {
        let dir = directory(
            "
            //- .gitignore
            *.yaml
            gen/
            //- a.yaml
            x
            //- b.yaml
            x
            //- gen/deep/a.txt
            x
            //- gen/deep/b.txt
            x
            //- gen/other/c.txt
            x
            //- .git/HEAD
            ref: refs/heads/main
            ",
        );
        let paths = || -> Vec<String> {
            let sources = open(dir.path(), &[], &[], &|| {}).unwrap();
            sources.iter().map(|(_, it)| it.path.clone()).collect()
        };
        assert_eq!(paths(), [".gitignore"]);
        fs::write(
            dir.path().join(".git/index"),
            index::tests::index(2, &["a.yaml", "gen/deep/a.txt"]),
        )
        .unwrap();
        assert_eq!(paths(), [".gitignore", "a.yaml", "gen/deep/a.txt"]);
        fs::write(dir.path().join(".git/index"), "no index").unwrap();
        assert_eq!(paths(), [".gitignore"]);
    }

    #[test]
    fn the_walk() {
        let dir = directory(
            "
            //- .gitignore
            ignored/
            //- ignored/a.yaml
            metrics-server
            //- .hidden/a.yaml
            metrics-server
            //- .github/a.yaml
            metrics-server
            //- .helm/a.yaml
            metrics-server
            //- b.yaml
            metrics-server
            //- c.yaml
            nothing
            //- inner/.git
            gitdir: ../.git/modules/inner
            //- inner/deep/a.yaml
            metrics-server
            //- inner-not/a.yaml
            metrics-server
            ",
        );
        fs::write(dir.path().join("d.yaml"), "metrics-server \0").unwrap();
        #[cfg(unix)]
        for (link, target) in [("in.yaml", "b.yaml"), ("out", "/etc"), ("loop", "loop")] {
            std::os::unix::fs::symlink(target, dir.path().join(link)).unwrap();
        }
        let sources = open(dir.path(), &[], &[], &|| {}).unwrap();
        let listed: Vec<_> =
            sources.iter().map(|(_, it)| (it.path.as_str(), it.relevance)).collect();
        assert_eq!(
            listed,
            [
                (".github/a.yaml", Relevance::Subject),
                (".gitignore", Relevance::None),
                (".helm/a.yaml", Relevance::Subject),
                (".hidden/a.yaml", Relevance::None),
                ("b.yaml", Relevance::Subject),
                ("c.yaml", Relevance::None),
                ("d.yaml", Relevance::Subject),
                ("inner-not/a.yaml", Relevance::Subject),
                ("inner/deep/a.yaml", Relevance::None),
            ]
        );
        let text = |path| sources.find(path).map(|file| sources.load(file).clone());
        assert_eq!(sources.repositories, ["inner"]);
        assert_eq!(text("inner/deep/a.yaml"), Some(Text::Utf8("metrics-server\n".into())));
        let named = open(dir.path(), &["inner/deep".to_owned()], &[], &|| {}).unwrap();
        assert!(named.repositories.is_empty());
        assert_eq!(text("c.yaml"), Some(Text::Utf8("nothing\n".into())));
        assert_eq!(text("d.yaml"), Some(Text::Skipped(Skip::Nul)));
        assert_eq!(text("out/passwd"), None);
        assert_eq!(text("ignored/a.yaml"), None);
        let named = ["ignored/a.yaml", ".hidden"].map(str::to_owned);
        let sources = open(dir.path(), &named, &[], &|| {}).unwrap();
        for path in ["ignored/a.yaml", ".hidden/a.yaml"] {
            let file = sources.find(path).map(|it| sources[it].relevance);
            assert_eq!(file, Some(Relevance::Subject), "{path}");
        }
        #[cfg(unix)]
        assert_eq!(text("in.yaml"), Some(Text::Utf8("metrics-server\n".into())));
    }
}
