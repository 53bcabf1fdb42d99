//! Which files there are, and which of them can matter. The only module that reads the repository.

use std::{
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use ignore::{DirEntry, WalkBuilder, WalkState};
use indexmap::IndexMap;

use crate::{
    relevance::relevance,
    source::{self, MAX_FILE, Relevance, Skip, Sources, Text},
};

/// The extensions of files that are looked into without anything naming them.
const EXTENSIONS: &[&str] = &[
    "yaml", "yml", "json", "env", "tf", "tfvars", "hcl", "conf", "service", "cfg", "toml",
    "gotmpl", "tpl",
];

/// The names of files without any of [`EXTENSIONS`] that are looked into all the same.
const NAMES: &[&str] = &["Kustomization", "kubelet", "user-data", "cloud-init"];

/// Whether files of that name are looked into without anything naming them.
fn is_candidate(name: &str) -> bool {
    EXTENSIONS.contains(&source::extension(name)) || NAMES.contains(&name)
}

/// Lists the repository at `root` and reads, in the walker's threads, what can matter.
///
/// What git ignores is not there. Hidden directories other than `.github` are listed, since
/// something may refer into them, but not looked into. Symbolic links are never followed out of
/// the root.
///
/// # Errors
/// When `root` cannot be read.
#[expect(clippy::disallowed_methods, reason = "this is the module that reads the repository")]
pub(crate) fn open(root: &Path, progress: &(dyn Fn() + Sync)) -> io::Result<Sources> {
    let root = root.canonicalize()?;
    fs::read_dir(&root)?;
    let found = Mutex::new((Vec::new(), Vec::new()));
    let walk = WalkBuilder::new(&root)
        .hidden(false)
        .parents(false)
        .ignore(false)
        .git_global(false)
        .require_git(false)
        .threads(std::thread::available_parallelism().map_or(2, usize::from).min(8))
        .filter_entry(|entry| entry.file_name() != ".git")
        .build_parallel();
    walk.run(|| {
        let mut worker = Worker {
            root: &root,
            found: &found,
            files: Vec::new(),
            links: Vec::new(),
            buffer: Vec::new(),
        };
        Box::new(move |entry| {
            // An unreadable directory hides only itself; a reference into it says so.
            if let Ok(entry) = entry {
                worker.visit(&entry);
                progress();
            }
            WalkState::Continue
        })
    });
    let (files, mut links) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    links.sort();
    let links: IndexMap<String, String> = links.into_iter().collect();
    Ok(Sources::new(files, links, Box::new(move |path| read(&root, path))))
}

/// One thread of the walk.
struct Worker<'a> {
    root: &'a Path,
    found: &'a Mutex<(Vec<Listed>, Vec<Link>)>,
    files: Vec<Listed>,
    links: Vec<Link>,
    buffer: Vec<u8>,
}

/// A file's path, how it can matter, and its text if that was read.
type Listed = (String, Relevance, Option<Text>);

/// A symbolic link's path and what it resolves to.
type Link = (String, String);

impl Worker<'_> {
    fn visit(&mut self, entry: &DirEntry) {
        let Some(path) = relative(self.root, entry.path()) else { return };
        let Some(kind) = entry.file_type() else { return };
        if kind.is_symlink() {
            if let Some(target) = resolve_link(self.root, entry.path()) {
                self.links.push((path, target));
            }
        } else if kind.is_file() {
            let (relevance, text) = self.look(entry.path(), &path);
            self.files.push((path, relevance, text));
        }
    }

    fn look(&mut self, file: &Path, path: &str) -> (Relevance, Option<Text>) {
        let name = source::file_name(path);
        if is_hidden(path) || !is_candidate(name) {
            return (Relevance::None, None);
        }
        if let Err(skip) = read_into(file, &mut self.buffer) {
            return (Relevance::None, Some(Text::Skipped(skip)));
        }
        let relevance = relevance(path, &self.buffer);
        let text = (relevance > Relevance::None).then(|| classify(&self.buffer));
        (relevance, text)
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.0.append(&mut self.files);
        found.1.append(&mut self.links);
    }
}

/// Whether a path leads through a hidden directory other than `.github`.
fn is_hidden(path: &str) -> bool {
    source::parent(path).split('/').any(|it| it.starts_with('.') && it != ".github")
}

fn relative(root: &Path, path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> =
        path.strip_prefix(root).ok()?.components().map(|it| it.as_os_str().to_str()).collect();
    parts.map(|parts| parts.join("/"))
}

/// What a symbolic link resolves to, when that exists and lies inside the root.
#[expect(clippy::disallowed_methods, reason = "this is the module that reads the repository")]
fn resolve_link(root: &Path, link: &Path) -> Option<String> {
    relative(root, &link.canonicalize().ok()?)
}

#[expect(clippy::disallowed_methods, reason = "this is the module that reads the repository")]
fn read_into(file: &Path, buffer: &mut Vec<u8>) -> Result<(), Skip> {
    buffer.clear();
    let mut open = fs::File::open(file).map_err(|_| Skip::Unreadable)?;
    let metadata = open.metadata().map_err(|_| Skip::Unreadable)?;
    if !metadata.is_file() {
        return Err(Skip::Unreadable);
    }
    if metadata.len() > MAX_FILE {
        return Err(Skip::TooLarge);
    }
    open.read_to_end(buffer).map(|_| ()).map_err(|_| Skip::Unreadable)
}

/// Reads one file that something refers to.
#[expect(clippy::disallowed_methods, reason = "this is the module that reads the repository")]
fn read(root: &Path, path: &str) -> Text {
    let file: PathBuf = root.join(path);
    // The listing holds no links, but a directory may have become one since.
    let inside = file.canonicalize().is_ok_and(|real| real.starts_with(root));
    let mut buffer = Vec::new();
    if !inside {
        return Text::Skipped(Skip::Unreadable);
    }
    match read_into(&file, &mut buffer) {
        Ok(()) => classify(&buffer),
        Err(skip) => Text::Skipped(skip),
    }
}

/// Text, or why not.
fn classify(bytes: &[u8]) -> Text {
    if bytes.starts_with(b"\0GITCRYPT\0") {
        return Text::Skipped(Skip::Encrypted);
    }
    if memchr::memchr(0, bytes).is_some() {
        return Text::Skipped(Skip::Binary);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Text::Utf8(text.to_owned()),
        Err(_) => Text::Skipped(Skip::Binary),
    }
}

#[cfg(test)]
impl Sources {
    /// Files that exist only in memory: examples in rule pages, tests.
    pub(crate) fn in_memory<P: Into<String>, T: Into<String>>(
        files: impl IntoIterator<Item = (P, T)>,
    ) -> Self {
        let listing = files.into_iter().map(|(path, text)| {
            let (path, text) = (path.into(), text.into());
            let relevance = relevance(&path, text.as_bytes());
            (path, relevance, Some(Text::Utf8(text)))
        });
        let load = Box::new(|_: &str| Text::Skipped(Skip::Unreadable));
        Self::new(listing.collect(), IndexMap::new(), load)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make the directories that are walked")]
mod tests {
    use super::*;
    use crate::tests::directory;

    #[test]
    fn the_hook_starts_for_every_file_that_is_looked_into() {
        let hooks: serde_yaml::Value =
            serde_yaml::from_str(include_str!("../.pre-commit-hooks.yaml")).unwrap();
        for hook in hooks.as_sequence().unwrap() {
            let pattern = regex::Regex::new(hook["files"].as_str().unwrap()).unwrap();
            let by_extension = EXTENSIONS.iter().map(|it| format!("a/b.{it}"));
            for path in by_extension.chain(NAMES.iter().map(|it| format!("a/{it}"))) {
                assert!(pattern.is_match(&path), "{}: {path}", hook["id"].as_str().unwrap());
            }
        }
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
            //- b.yaml
            metrics-server
            //- c.yaml
            nothing
            ",
        );
        fs::write(dir.path().join("d.yaml"), "metrics-server \0").unwrap();
        #[cfg(unix)]
        for (link, target) in [("in.yaml", "b.yaml"), ("out", "/etc"), ("loop", "loop")] {
            std::os::unix::fs::symlink(target, dir.path().join(link)).unwrap();
        }
        let sources = open(dir.path(), &|| {}).unwrap();
        let listed: Vec<_> =
            sources.iter().map(|(_, it)| (it.path.as_str(), it.relevance)).collect();
        assert_eq!(
            listed,
            [
                (".github/a.yaml", Relevance::Subject),
                (".gitignore", Relevance::None),
                (".hidden/a.yaml", Relevance::None),
                ("b.yaml", Relevance::Subject),
                ("c.yaml", Relevance::None),
                ("d.yaml", Relevance::Subject),
            ]
        );
        let text = |path| sources.find(path).map(|file| sources.load(file).clone());
        assert_eq!(text("c.yaml"), Some(Text::Utf8("nothing\n".into())));
        assert_eq!(text("d.yaml"), Some(Text::Skipped(Skip::Binary)));
        assert_eq!(text("out/passwd"), None);
        assert_eq!(text("ignored/a.yaml"), None);
        #[cfg(unix)]
        assert_eq!(text("in.yaml"), Some(Text::Utf8("metrics-server\n".into())));
    }
}
