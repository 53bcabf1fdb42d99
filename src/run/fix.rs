//! `check --fix` and `check --diff`: what can be mended, in the files or as a patch.

use std::{
    collections::BTreeSet,
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

use similar::TextDiff;

use crate::{
    cli::CheckOptions,
    config::Config,
    discover,
    finding::{Applicability, Edit, Finding, Fix},
    fix,
    report::FixedFinding,
    settle::{Scope, Settled},
    source::{FileId, Sources},
};

use super::{Failure, check::Seen};

/// How often what is left is looked at again, since one edit may make another one possible.
const MOST_ROUNDS: usize = 10;

/// What was mended, in memory.
pub(super) struct Mended {
    /// The repository as it was.
    before: Sources,
    /// Each finding that is mended, in order.
    pub(super) all: Vec<FixedFinding>,
    rounds: usize,
}

impl Mended {
    pub(super) fn new(sources: &Sources) -> Self {
        Self { before: sources.with([]), all: Vec::new(), rounds: 0 }
    }

    /// The repository in which as much more as possible is mended; nothing when nothing more is.
    pub(super) fn mend(
        &mut self,
        check: &CheckOptions,
        sources: &Sources,
        config: &Config,
        scope: &Scope,
        seen: &Seen,
        settled: &Settled,
    ) -> Option<Sources> {
        let is_named = |edit: &Edit| scope.covers(&sources[edit.span.file].path);
        let least = match check.fixes.unsafe_fixes {
            true => Applicability::Unsafe,
            false => Applicability::Safe,
        };
        let wanted =
            |_: &Finding, fix: &Fix| fix.applicability >= least && fix.edits.iter().all(is_named);
        self.rounds += 1;
        if self.rounds > MOST_ROUNDS {
            return None;
        }
        let judged = fix::Prover::new(sources, config, &seen.environments, &seen.clusters);
        let (edits, mended) = judged.edits(&settled.findings, wanted);
        self.all.extend(mended.iter().map(|it| FixedFinding::of(sources, it)));
        (!mended.is_empty()).then(|| discover::edited(sources, fix::texts(sources, &edits)))
    }

    /// The files that are others in `now`.
    fn files<'a>(&'a self, now: &'a Sources) -> impl Iterator<Item = (FileId, &'a str, &'a str)> {
        let loaded = now.iter().filter(|(_, it)| it.is_loaded()).map(|(file, _)| file);
        let texts = loaded.map(|file| (file, self.before.text(file), now.text(file)));
        texts.filter(|(_, was, is)| was != is)
    }

    /// What is mended as a patch that `git apply` and `patch -p1` take.
    pub(super) fn patch(&self, now: &Sources) -> String {
        let mut all = String::new();
        for (file, was, is) in self.files(now) {
            let path = &now[file].path;
            let (old, new) = (quoted(&format!("a/{path}")), quoted(&format!("b/{path}")));
            // Git and patch end lines at nothing else.
            let [was, is] = [was, is].map(|it| it.split_inclusive('\n').collect::<Vec<_>>());
            let diff = TextDiff::configure().newline_terminated(true).diff_slices(&was, &is);
            let mut unified = diff.unified_diff();
            all.extend(["diff --git ", &*old, " ", &*new, "\n"]);
            all.push_str(&unified.header(&old, &new).context_radius(3).to_string());
        }
        all
    }

    /// Writes what is mended.
    ///
    /// # Errors
    /// What could not be written, and why; a report of what is left would not tell what is still there.
    pub(super) fn write(&self, root: &Path, now: &Sources) -> Result<(), String> {
        let written = |(file, was, is): (FileId, &str, &str)| {
            let path = &now[file].path;
            replace(root, &root.join(path), was, is).err().map(|why| format!("`{path}` {why}"))
        };
        let unwritten: Vec<String> = self.files(now).filter_map(written).collect();
        if unwritten.is_empty() { Ok(()) } else { Err(unwritten.join("\n       ")) }
    }
}

/// The files outside of what `scope` covers that the fixes of `findings` would edit, where something is
/// mended.
pub(super) fn elsewhere(
    mended: Option<&Mended>,
    sources: &Sources,
    scope: &Scope,
    findings: &[Finding],
) -> BTreeSet<String> {
    let fixes = findings.iter().filter(|_| mended.is_some()).filter_map(|it| it.fix.as_ref());
    let paths = fixes.flat_map(|it| &it.edits).map(|it| &sources[it.span.file].path);
    paths.filter(|it| !scope.covers(it)).cloned().collect()
}

/// A path as Git writes it in the head of a patch: in quotes, where anything in it is special.
fn quoted(path: &str) -> String {
    if path.bytes().all(|it| it.is_ascii_graphic() && !matches!(it, b'"' | b'\\') || it == b' ') {
        return path.to_owned();
    }
    let mut quoted = String::from('"');
    for byte in path.bytes() {
        match byte {
            b'"' | b'\\' => quoted.extend(['\\', byte as char]),
            b' '..=b'~' => quoted.push(byte as char),
            _ => quoted.push_str(&format!("\\{byte:03o}")),
        }
    }
    quoted + "\""
}

/// Writes `text` in the place of what `file` holds, if that is still `was`: all of it or nothing, with
/// the same rights and owner.
///
/// # Errors
/// Why the file is left alone, as what is said of it.
pub(crate) fn replace(root: &Path, file: &Path, was: &str, text: &str) -> Result<(), String> {
    let failed = |error: io::Error| format!("cannot be written: {error}");
    let real = file.canonicalize().map_err(failed)?;
    if !real.starts_with(root) {
        return Err("is left alone: it lies outside of the repository".to_owned());
    }
    if fs::read(&real).map_err(failed)? != was.as_bytes() {
        return Err("is left alone: it changed meanwhile".to_owned());
    }
    let metadata = fs::metadata(&real).map_err(failed)?;
    if has_other_names(&metadata) {
        return Err("is left alone: it has other names, which would keep what it was".to_owned());
    }
    if metadata.permissions().readonly() {
        return Err("is left alone: it may not be written".to_owned());
    }
    swap(&real, text.as_bytes(), Some(&metadata)).map_err(|it| failed(it.error))
}

/// Writes `bytes` to `file`, which may be no file that is kept: a link stays one, a device or a pipe is
/// written to. Of a file that is there nothing is lost before all of them are written.
///
/// # Errors
/// They cannot be written.
pub(super) fn write_whole(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_or_swap(file, bytes)
        .map_err(|error| Failure::Plain(format!("cannot write `{}`: {error}", file.display())))
}

fn write_or_swap(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let real = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let old = fs::metadata(&real).ok();
    let is_kept = |it: &Metadata| it.is_file() && !has_other_names(it);
    // A link to nothing, too, is written through.
    let is_link = real.symlink_metadata().is_ok_and(|it| it.is_symlink());
    if is_link || old.as_ref().is_some_and(|it| !is_kept(it) || it.permissions().readonly()) {
        return fs::write(file, bytes);
    }
    match swap(&real, bytes, old.as_ref()) {
        // Where a directory takes no other file, the file itself may be written.
        Err(SwapError { before_any: true, .. }) => fs::write(file, bytes),
        Err(SwapError { error, .. }) => Err(error),
        Ok(()) => Ok(()),
    }
}

/// Why a file is still what it was.
struct SwapError {
    error: io::Error,
    /// Whether no byte could be the reason: the directory or its file system does not let it be done so.
    before_any: bool,
}

/// Gives `real`, which is `old`, what `bytes` say: they are written beside it, which then takes its name.
fn swap(real: &Path, bytes: &[u8], old: Option<&Metadata>) -> Result<(), SwapError> {
    let name = real.file_name().unwrap_or_default().to_string_lossy();
    let beside = real.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let open = OpenOptions::new().write(true).create_new(true).open(&beside);
    let mut new = open.map_err(|error| SwapError { error, before_any: true })?;
    let fail = |error, before_any| {
        let _ = fs::remove_file(&beside);
        SwapError { error, before_any }
    };
    if let Some(old) = old {
        if keep_owner(&new, old).is_err() {
            return Err(fail(io::Error::other("it belongs to somebody else"), true));
        }
        new.set_permissions(old.permissions()).map_err(|it| fail(it, true))?;
    }
    new.write_all(bytes).and_then(|()| new.sync_all()).map_err(|it| fail(it, false))?;
    fs::rename(&beside, real).map_err(|it| fail(it, true))
}

/// Whether a file has several names (hard links).
#[cfg(unix)]
fn has_other_names(metadata: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(metadata) > 1
}

#[cfg(not(unix))]
fn has_other_names(_: &Metadata) -> bool {
    false
}

/// Gives `new` to whom the file belongs that it takes the place of.
#[cfg(unix)]
fn keep_owner(new: &File, old: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let is = new.metadata()?;
    if (is.uid(), is.gid()) == (old.uid(), old.gid()) {
        return Ok(());
    }
    fchown(new, Some(old.uid()), Some(old.gid()))
}

#[cfg(not(unix))]
fn keep_owner(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}
