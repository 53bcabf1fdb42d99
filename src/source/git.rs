//! What git knows of the files of a repository.

use std::borrow::Cow;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::{FileId, Sources, file_name, parent};

impl Sources {
    /// Whether a `.gitignore` leaves `path` out, so that it may be there all the same.
    pub(crate) fn is_ignored(&self, path: &str) -> bool {
        let ignored = self.ignored.get_or_init(|| self.patterns(&[], ".gitignore"));
        ignored.matched_path_or_any_parents(path, false).is_ignore()
    }

    /// The patterns `first`, then those in all files of that name, each for what lies beside it.
    pub(crate) fn patterns(&self, first: &[&str], name: &str) -> Gitignore {
        let mut builder = GitignoreBuilder::new("");
        let mut add = |from: Option<&str>, line: &str| {
            // A malformed pattern matches nothing, to Git and Flux too.
            let _ = builder.add_line(from.map(Into::into), line);
        };
        for line in first {
            add(None, line);
        }
        for (file, source) in self.iter().filter(|(_, it)| file_name(&it.path) == name) {
            let dir = parent(&source.path);
            let lines = self.text(file).lines();
            lines.for_each(|line| add(Some(&source.path), &pattern_below(dir, line)));
        }
        builder.build().unwrap_or_else(|_| Gitignore::empty())
    }

    /// The path of `file` from the root of Git, where the repository is a part of that.
    pub(crate) fn path_in_git(&self, file: FileId) -> Cow<'_, str> {
        let path = &*self[file].path;
        // What lies outside is shown by all of its path.
        if self.below_git.is_empty() || path.starts_with('/') {
            return path.into();
        }
        format!("{}{path}", self.below_git).into()
    }
}

/// A line of an ignore file in `dir`, as it would stand at the root.
fn pattern_below(dir: &str, line: &str) -> String {
    let pattern = line.trim_end();
    if dir.is_empty() || pattern.is_empty() || pattern.starts_with('#') {
        return pattern.to_owned();
    }
    let (sign, pattern) = match pattern.strip_prefix('!') {
        Some(pattern) => ("!", pattern),
        None => ("", pattern),
    };
    let anywhere = !pattern.trim_end_matches('/').contains('/');
    let between = if anywhere { "**/" } else { "" };
    format!("{sign}/{dir}/{between}{}", pattern.trim_start_matches('/'))
}
