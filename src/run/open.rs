//! From paths on the command line to the repository that they are of.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::Failure;
use crate::{
    cli::{Command, Options},
    config::{self, Config},
    discover,
    report::Progress,
    rules,
    selection::Selection,
    settle::Scope,
    source::{Sources, Text},
};

/// The repository, its configuration, and which part of it the user is interested in.
pub(super) struct Opened {
    pub(super) sources: Sources,
    pub(super) config: Config,
    pub(super) scope: Scope,
}

/// Reads the repository around `paths`.
///
/// # Errors
/// Paths that cannot be read, and what is wrong with the configuration.
pub(super) fn open(
    options: &Options,
    paths: &[PathBuf],
    progress: &Progress,
) -> Result<Opened, Failure> {
    let here = [PathBuf::from(".")];
    let paths = if paths.is_empty() && options.root.is_none() { &here } else { paths };
    let paths: Vec<PathBuf> = paths.iter().map(|it| real(it)).collect::<Result<_, _>>()?;
    let root = match (&options.root, paths.first()) {
        (Some(root), _) => real(root)?,
        (None, Some(path)) => root_of(path),
        (None, None) => real(Path::new("."))?,
    };
    if !root.is_dir() {
        return Err(Failure::Plain(format!("`{}` is not a directory", root.display())));
    }
    let mut scope = match &*paths {
        [] => Scope::all(),
        paths => Scope::of(paths.iter().map(|it| within(&root, it)).collect::<Result<_, _>>()?),
    };
    let is_gits = |it: &&String| it.split('/').any(|part| part == ".git");
    if let Some(path) = scope.paths.iter().find(is_gits) {
        return Err(Failure::Plain(format!("`{path}` is git's own, and is not read")));
    }
    let mut skip = false;
    if let Command::Check { force_exclude, select, ignore, .. } = &options.command {
        skip = *force_exclude;
        scope.rules = Selection { select: select.clone(), ignore: ignore.clone() };
    }
    let named = if skip { &[][..] } else { &scope.paths };
    let mut sources = discover::open(&root, named, &|| progress.file())
        .map_err(|error| Failure::Plain(format!("cannot read `{}`: {error}", root.display())))?;
    let file = match &options.config {
        None => sources.find(config::FILE),
        Some(path) => {
            let shown = add_file(&mut sources, &root, path)?;
            sources.find(&shown)
        }
    };
    let mut config = match file.map(|file| config::parse(&sources, file, &rules::names())) {
        None => Config::default(),
        Some(Ok(config)) => config,
        Some(Err(findings)) => return Err(Failure::Found(Box::new(sources), findings)),
    };
    // What somebody names, and would see nothing of, is looked into.
    let is_excluded = |path: &&String| {
        let mut files = sources.below(path).map(|it| &sources[it].path);
        !path.is_empty() && files.all(|it| config.exclude.is_match(it))
    };
    config.included = named.iter().filter(is_excluded).cloned().collect();
    config.named = named.to_vec();
    config.pedantic |= options.pedantic;
    Ok(Opened { sources, config, scope })
}

/// The file at `path` as one of the sources, also when it lies outside the root; its path there.
pub(super) fn add_file(sources: &mut Sources, root: &Path, path: &Path) -> Result<String, Failure> {
    let place = real(path)?;
    let shown = within(root, &place).unwrap_or_else(|_| place.display().to_string());
    if sources.find(&shown).is_none() {
        let text = fs::read(&place).map_err(|error| {
            Failure::Plain(format!("cannot read `{}`: {error}", path.display()))
        })?;
        sources.add(shown.clone(), Text::of(text));
    }
    Ok(shown)
}

/// The nearest directory around `path`, itself included, that looks like a repository's root.
pub(super) fn root_of(path: &Path) -> PathBuf {
    let dir = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    let is_root = |dir: &&Path| dir.join(config::FILE).exists() || dir.join(".git").exists();
    dir.ancestors().find(is_root).unwrap_or(dir).to_owned()
}

pub(super) fn real(path: &Path) -> Result<PathBuf, Failure> {
    path.canonicalize()
        .map_err(|error| Failure::Plain(format!("cannot read `{}`: {error}", path.display())))
}

/// `path` relative to `root`, with `/` between its parts.
fn within(root: &Path, path: &Path) -> Result<String, Failure> {
    let outside = || {
        let (path, root) = (path.display(), root.display());
        Failure::Plain(format!("`{path}` lies outside the repository `{root}`"))
    };
    let relative = path.strip_prefix(root).map_err(|_| outside())?;
    let parts: Option<Vec<&str>> =
        relative.components().map(|it| it.as_os_str().to_str()).collect();
    parts.map(|it| it.join("/")).ok_or_else(outside)
}
