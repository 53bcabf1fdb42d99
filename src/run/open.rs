//! From paths on the command line to the repository that they are of.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Read as _},
    path::{Component, Path, PathBuf},
};

use globset::Glob;

use super::{Failure, one_line};
use crate::{
    cli::{CheckOptions, Command, Options},
    config::{self, Config},
    discover,
    nearest::nearest,
    report::Progress,
    resolve::names::in_brackets,
    rules,
    scalar::Dialect,
    selection::Selection,
    settle::Scope,
    source::{self, MAX_FILE, Relevance, STDIN, Skip, Sources, Text},
    tree::Node,
};

/// The repository, its configuration, and which part of it the user is interested in.
pub(super) struct Opened {
    pub(super) root: PathBuf,
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
    open_with(options, paths, false, progress)
}

/// Reads the repository around the chart at `path`, whose files are those that lie there: Helm knows
/// `.helmignore`, and nothing of what git ignores.
///
/// # Errors
/// As [`open`].
pub(super) fn open_chart(
    options: &Options,
    path: &Path,
    progress: &Progress,
) -> Result<Opened, Failure> {
    open_with(options, &[path.to_owned()], true, progress)
}

fn open_with(
    options: &Options,
    paths: &[PathBuf],
    whole: bool,
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
    let (mut skip, mut apart) = (false, Vec::new());
    if let Command::Check(check) = &options.command {
        skip = check.force_exclude;
        narrow(&mut scope, check);
        apart.extend(check.known.since.as_deref().map(there).transpose()?);
        apart.extend(check.known.baseline.as_deref().and_then(|it| real(it).ok()));
    }
    let named = if skip { &[][..] } else { &scope.paths };
    let sources = discover::open_with(&root, named, whole, &apart, &|| progress.file())
        .map_err(|error| Failure::Plain(format!("cannot read `{}`: {error}", root.display())))?;
    let (sources, mut config) = configured(sources, &root, options.config.as_deref())?;
    // What somebody names, and would see nothing of, is looked into.
    let is_excluded = |path: &&String| {
        let mut files = sources.below(path).map(|it| &sources[it].path);
        !path.is_empty() && files.all(|it| config.exclude.is_match(it))
    };
    config.included = named.iter().filter(is_excluded).cloned().collect();
    config.named = named.to_vec();
    config.pedantic |= options.pedantic;
    Ok(Opened { root, sources, config, scope })
}

/// Leaves in `scope` what the options of `check` are about.
fn narrow(scope: &mut Scope, check: &CheckOptions) {
    scope.least = check.min_severity;
    scope.rules = Selection { select: check.select.clone(), ignore: check.ignore.clone() };
}

/// What standard input holds as the only file, with the configuration of the repository around.
///
/// # Errors
/// That it cannot be read, and what is wrong with the configuration.
pub(super) fn open_stdin(options: &Options) -> Result<Opened, Failure> {
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::Plain(format!("cannot read standard input: {error}")))?;
    let text = match u64::try_from(bytes.len()) {
        Ok(length) if length <= MAX_FILE => Text::of(bytes),
        _ => Text::Skipped(Skip::TooLarge),
    };
    let root = root_here(options)?;
    let file = root.join(config::FILE);
    let config = options.config.clone().or_else(|| file.exists().then_some(file));
    let sources = Sources::of_one(STDIN, text);
    // Nobody can tell what that would have been about.
    let unreadable = sources.iter().find(|(_, it)| it.relevance == Relevance::None);
    let error = unreadable.and_then(|(file, _)| sources.documents(file, Dialect::Sigs).error());
    if let Some(error) = error {
        return Err(Failure::Plain(format!("standard input cannot be read: {}", error.message)));
    }
    let (sources, mut config) = configured(sources, &root, config.as_deref())?;
    let roots = |it| sources.documents(it, Dialect::Sigs).roots();
    let is_kustomization = |it: &Node| it.api_group() == "kustomize.config.k8s.io";
    if sources.find(STDIN).is_some_and(|it| roots(it).any(is_kustomization)) {
        let what = "standard input is a kustomization, and what it names is not there";
        let message = format!("{what}: pipe what `kubectl kustomize` prints");
        return Err(Failure::Plain(message));
    }
    config.pedantic |= options.pedantic;
    let mut scope = Scope::all();
    if let Command::Check(check) = &options.command {
        narrow(&mut scope, check);
    }
    Ok(Opened { root, sources, config, scope })
}

/// `path`, if there is something.
pub(super) fn there(path: &Path) -> Result<PathBuf, Failure> {
    if path.exists() {
        return real(path);
    }
    let shown = path.display().to_string();
    let help = match shown.starts_with(['.', '/']) {
        true => String::new(),
        false => format!(
            "; a revision of Git is to be checked out first: `git worktree add ../base {shown}`"
        ),
    };
    Err(Failure::Plain(format!("there is no directory `{shown}`{help}")))
}

/// The tree in `dir`, in which another version of the repository at `root` lies, with its own
/// configuration unless one is named.
///
/// # Errors
/// That there is no such tree, and what is wrong with its configuration.
pub(super) fn open_tree(
    options: &Options,
    dir: &Path,
    root: &Path,
    progress: &Progress,
) -> Result<(Sources, Config), Failure> {
    let real = there(dir)?;
    let wrong = |what| Failure::Plain(format!("`{}` {what}", dir.display()));
    if !real.is_dir() {
        return Err(wrong("is not a directory"));
    }
    if real == root {
        return Err(wrong("is the repository itself"));
    }
    let sources = discover::open(&real, &[], &[root.to_owned()], &|| progress.file())
        .map_err(|error| Failure::Plain(format!("cannot read `{}`: {error}", dir.display())))?;
    if sources.iter().next().is_none() {
        return Err(wrong("holds no files: check out the base there"));
    }
    configured(sources, &real, options.config.as_deref()).map_err(|failure| match failure {
        Failure::Found(sources, _, found) => {
            let first = found.first().and_then(|it| Some((it, it.primary()?)));
            let at = first.map(|(finding, label)| {
                let (path, line) = (&sources[label.span.file].path, sources.start(label.span).line);
                format!("{path}:{line}: {}", finding.message)
            });
            Failure::Plain(format!("in `{}`: {}", dir.display(), at.unwrap_or_default()))
        }
        plain @ Failure::Plain(_) => plain,
    })
}

/// The way from the root of Git to `root`, with `/` at its end; empty where they are the same.
pub(super) fn below_git(root: &Path) -> String {
    let git = root.ancestors().find(|it| has_git(it));
    let below = git.and_then(|git| discover::relative(git, root)).filter(|it| !it.is_empty());
    below.map_or_else(String::new, |it| it + "/")
}

/// Whether `dir` is the root of a repository of Git.
fn has_git(dir: &Path) -> bool {
    dir.join(".git").exists()
}

/// Refuses the tree in `dir` where it is a part of the repository at `root`, whose files are `sources`:
/// nothing in it would be checked. What is hidden, ignored by git or a repository of its own is no part.
pub(super) fn refuse_part(sources: &Sources, root: &Path, dir: &Path) -> Result<(), Failure> {
    let real = there(dir)?;
    let part = within(root, &real).unwrap_or_default();
    let is_apart = part.split('/').any(|it| it.starts_with('.'))
        || real.ancestors().take_while(|it| *it != root).any(has_git)
        // A pattern for directories is one for what lies in them.
        || sources.is_ignored(&format!("{part}/-"));
    if part.is_empty() || is_apart || !real.is_dir() {
        return Ok(());
    }
    Err(Failure::Plain(format!(
        "`{}` is a part of the repository, which would not be checked; --since is for another version of \
         all of it: `git worktree add ../base origin/main`",
        dir.display()
    )))
}

/// `sources` with what the configuration of the repository at `root` says: that in the file `named`, or
/// in its own.
fn configured(
    mut sources: Sources,
    root: &Path,
    named: Option<&Path>,
) -> Result<(Sources, Config), Failure> {
    let file = match named {
        None => sources.find(config::FILE),
        Some(path) => {
            let shown = add_file(&mut sources, root, path)?;
            sources.find(&shown)
        }
    };
    match file.map(|file| config::parse(&sources, file, &rules::names())) {
        None => Ok((sources, Config::default())),
        Some(Ok(config)) => Ok((sources, config)),
        Some(Err(findings)) => {
            let what = "the configuration cannot be used".to_owned();
            Err(Failure::Found(Box::new(sources), what, findings))
        }
    }
}

/// Those of `all` environments that are called by one of `names`: the name, else its last directories,
/// what stands in brackets behind it, or a pattern over one of the first two.
///
/// # Errors
/// A name that is of none of them, and which there are.
pub(super) fn chosen<'a>(
    names: &[String],
    all: impl Iterator<Item = &'a str>,
) -> Result<BTreeSet<String>, Failure> {
    let all: Vec<&str> = all.collect();
    let mut chosen = BTreeSet::new();
    for name in names {
        let ends = Glob::new(&format!("{{,**/}}{name}")).map(|it| it.compile_matcher());
        let is_exact = all.contains(&name.as_str());
        let is_called = |it: &&str| match it.strip_suffix(name.as_str()) {
            _ if is_exact => *it == name,
            Some(before) if before.ends_with('/') => true,
            _ if in_brackets(it) == Some(name) => true,
            _ => ends.as_ref().is_ok_and(|ends| ends.is_match(it)),
        };
        let mut called = all.iter().copied().filter(is_called).peekable();
        if called.peek().is_none() {
            let last = all.iter().map(|it| source::file_name(it));
            let near = nearest(name, all.iter().copied().chain(last));
            let near = near.map_or_else(String::new, |it| format!("; did you mean `{it}`?"));
            let all = if all.is_empty() { "none".to_owned() } else { one_line(&all.join(", ")) };
            return Err(Failure::Plain(format!(
                "there is no environment `{name}`; there are: {all}{near}"
            )));
        }
        chosen.extend(called.map(str::to_owned));
    }
    Ok(chosen)
}

/// The file at `path` as one of the sources, also when it lies outside the root; its path there.
pub(super) fn add_file(sources: &mut Sources, root: &Path, path: &Path) -> Result<String, Failure> {
    let place = followed(root, path)?;
    let shown = within(root, &place).unwrap_or_else(|_| place.display().to_string());
    if sources.find(&shown).is_none() {
        sources.add(shown.clone(), read_named(root, path)?);
    }
    Ok(shown)
}

/// What the file at `path` holds, which somebody names.
///
/// # Errors
/// It is no regular file, too large, or a link of the repository at `root` that leads out of it.
pub(super) fn read_named(root: &Path, path: &Path) -> Result<Text, Failure> {
    let failed = |what: String| Failure::Plain(format!("cannot read `{}`: {what}", path.display()));
    let unreadable = |error: io::Error| failed(error.to_string());
    let place = followed(root, path)?;
    // To open another one may wait for somebody who writes to it.
    if !place.starts_with(OF_THE_SHELL) && !fs::metadata(&place).map_err(unreadable)?.is_file() {
        return Err(failed("it is no regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(&place).map_err(unreadable)?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    match u64::try_from(bytes.len()) {
        Ok(length) if length <= MAX_FILE => Ok(Text::of(bytes)),
        _ => Err(failed(format!("it {}", Skip::TooLarge))),
    }
}

/// Where a shell has what another program prints, of `--values <(sops decrypt values.yaml)`.
const OF_THE_SHELL: &str = "/dev/fd";

/// Where `path` really is. Somebody may name what lies outside of the repository at `root`, but what
/// lies in it was put there by others: no link there leads out.
pub(super) fn followed(root: &Path, path: &Path) -> Result<PathBuf, Failure> {
    let failed = |error| Failure::Plain(format!("cannot read `{}`: {error}", path.display()));
    if path.starts_with(OF_THE_SHELL) {
        return Ok(path.to_owned());
    }
    let mut place = PathBuf::new();
    for part in std::path::absolute(path).map_err(failed)?.components() {
        match part {
            Component::Normal(name) => {
                let next = place.join(name).canonicalize().map_err(failed)?;
                if place.starts_with(root) && !next.starts_with(root) {
                    let what = "is a link that leads out of the repository, and is not read";
                    return Err(Failure::Plain(format!("`{}` {what}", path.display())));
                }
                place = next;
            }
            Component::ParentDir => {
                place.pop();
            }
            other => place.push(other),
        }
    }
    Ok(place)
}

/// Whether somebody works in the directory as in a repository.
pub(super) fn is_repository(dir: &Path) -> bool {
    dir.join(config::FILE).exists() || has_git(dir)
}

/// The nearest directory around `path`, itself included, that looks like a repository's root.
pub(super) fn root_of(path: &Path) -> PathBuf {
    let dir = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    dir.ancestors().find(|it| is_repository(it)).unwrap_or(dir).to_owned()
}

/// The root that is named, else that of the repository around the current directory.
pub(super) fn root_here(options: &Options) -> Result<PathBuf, Failure> {
    match &options.root {
        Some(root) => real(root),
        None => Ok(root_of(&real(Path::new("."))?)),
    }
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
