//! Patterns of paths, which look no further than their first names allow.

use std::collections::BTreeSet;

use globset::{GlobBuilder, GlobMatcher};

use super::{FileId, Sources, is_within, parent};

/// A pattern of paths from the root.
#[derive(Debug, Clone)]
pub(crate) struct PathPattern {
    /// The directory that all it matches lies in: the names before the first that is a pattern.
    dir: String,
    glob: GlobMatcher,
}

impl PathPattern {
    /// One whose `*` stays within one directory; `None` for what is no pattern.
    pub(crate) fn new(text: &str) -> Option<Self> {
        Self::of(text.trim_start_matches("./").trim_matches('/'), true)
    }

    /// One as `git ls-files` takes it: its `*` matches directories, too.
    pub(crate) fn of_git(text: &str) -> Option<Self> {
        let text = text.trim_start_matches("./").trim_matches('/').replace("**", "*");
        Self::of(&text, false)
    }

    fn of(text: &str, separates: bool) -> Option<Self> {
        let glob = GlobBuilder::new(text).literal_separator(separates).build().ok()?;
        let literal = text.find(['*', '?', '[', '{', '\\']).map_or(text, |end| &text[..end]);
        Some(Self { dir: parent(literal).to_owned(), glob: glob.compile_matcher() })
    }

    /// Whether it matches `path`.
    pub(crate) fn is_match(&self, path: &str) -> bool {
        is_within(path, &self.dir) && self.glob.is_match(path)
    }

    /// The files that may match, those that templates make by the names of these.
    pub(crate) fn candidates<'a>(
        &self,
        sources: &'a Sources,
    ) -> impl Iterator<Item = FileId> + use<'a> {
        // What makejinja makes may be anywhere.
        sources.below(if sources.moves_files() { "" } else { &self.dir })
    }

    /// The files that match, in path order.
    pub(crate) fn files<'a>(&self, sources: &'a Sources) -> impl Iterator<Item = FileId> + use<'a> {
        let glob = self.glob.clone();
        sources.below(&self.dir).filter(move |it| glob.is_match(&sources[*it].path))
    }

    /// The files that match by the paths that programs know them by which follow symbolic links.
    pub(crate) fn seen_files(&self, sources: &Sources) -> Vec<FileId> {
        let seen = sources.seen_below(&self.dir).into_iter();
        seen.filter(|(path, _)| self.glob.is_match(path)).map(|(_, file)| file).collect()
    }

    /// The directories that may match, in order.
    pub(crate) fn candidate_dirs<'a>(&self, sources: &'a Sources) -> impl Iterator<Item = &'a str> {
        sources.directories_below(if sources.moves_files() { "" } else { &self.dir })
    }

    /// The directories that match, in order.
    pub(crate) fn directories<'a>(&self, sources: &'a Sources) -> impl Iterator<Item = &'a str> {
        sources.directories_below(&self.dir).filter(|it| self.glob.is_match(it))
    }
}

/// Each of what any of `patterns` gives, once and in order.
pub(crate) fn of_any<'p, I: IntoIterator<Item: Ord>>(
    patterns: impl IntoIterator<Item = &'p PathPattern>,
    given: impl Fn(&'p PathPattern) -> I,
) -> BTreeSet<I::Item> {
    patterns.into_iter().flat_map(given).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixture;

    #[test]
    fn only_what_the_first_names_allow_is_looked_at() {
        let sources = fixture(
            "
            //- a.yaml
            //- apps/one/x.yaml
            //- apps/one/in/x.yaml
            //- apps/two/y.json
            //- apps2/one/x.yaml
            //- other/x.yaml
            ",
        );
        let all = |pattern: Option<PathPattern>| {
            let pattern = pattern.expect("a pattern");
            let files = pattern.files(&sources).map(|it| &*sources[it].path);
            let all: Vec<&str> = files.chain(pattern.directories(&sources)).collect();
            (all.join(" "), pattern.candidates(&sources).count())
        };
        for (text, matching, looked_at) in [
            ("apps/*", "apps/one apps/two", 3),
            ("./apps/**/x.yaml", "apps/one/in/x.yaml apps/one/x.yaml", 3),
            ("apps/one/", "apps/one", 3),
            ("apps/{one,two}/*.json", "apps/two/y.json", 3),
            ("*/one", "apps/one apps2/one", 6),
            ("*.yaml", "a.yaml", 6),
            ("app?/one", "apps/one", 6),
            ("gone/*", "", 0),
        ] {
            assert_eq!(all(PathPattern::new(text)), (matching.to_owned(), looked_at), "{text}");
        }
        assert_eq!(all(PathPattern::of_git("apps/*.yaml")).0, "apps/one/in/x.yaml apps/one/x.yaml");
        assert!(PathPattern::new("a[").is_none());
    }
}
