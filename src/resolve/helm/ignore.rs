//! `.helmignore`: `pkg/ignore` of Helm, whose patterns are not those of git.

use globset::{GlobBuilder, GlobMatcher};

/// What a chart leaves out of itself.
#[derive(Debug, Default)]
pub(crate) struct HelmIgnore {
    patterns: Vec<IgnorePattern>,
}

#[derive(Debug)]
struct IgnorePattern {
    glob: GlobMatcher,
    negated: bool,
    directory: bool,
    /// Whether it is about names, not paths.
    name: bool,
}

impl HelmIgnore {
    /// The patterns of a file.
    ///
    /// # Errors
    /// Helm refuses a pattern.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
        let lines = lines.filter(|it| !it.is_empty() && !it.starts_with('#'));
        Ok(Self { patterns: lines.map(pattern).collect::<Result<_, _>>()? })
    }

    /// Whether the file at `path`, seen from the chart, is left out, or a directory around it.
    pub(crate) fn ignores(&self, path: &str) -> bool {
        // What begins with a dot is no template.
        let hidden = path.strip_prefix("templates/").is_some_and(|it| it.starts_with('.'));
        let outer = path.match_indices('/').map(|(end, _)| &path[..end]);
        hidden || outer.into_iter().any(|it| self.is_out(it, true)) || self.is_out(path, false)
    }

    fn is_out(&self, path: &str, is_dir: bool) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        self.patterns.iter().any(|it| {
            let matches = it.glob.is_match(if it.name { name } else { path });
            // What an exception does not match is left out.
            if it.negated {
                it.directory && !is_dir || !matches
            } else {
                (is_dir || !it.directory) && matches
            }
        })
    }
}

fn pattern(line: &str) -> Result<IgnorePattern, String> {
    if line.contains("**") {
        return Err(format!("`{line}` has `**`, which it does not know"));
    }
    let negated = line.starts_with('!');
    let rule = line.strip_prefix('!').unwrap_or(line);
    let directory = rule.ends_with('/');
    let rule = rule.strip_suffix('/').unwrap_or(rule);
    let name = !rule.contains('/');
    let rule = rule.strip_prefix('/').unwrap_or(rule);
    // Braces mean nothing to `filepath.Match`.
    let escaped = rule.replace('{', "[{]").replace('}', "[}]");
    let glob = GlobBuilder::new(&escaped).literal_separator(true).backslash_escape(true).build();
    let glob = glob.map_err(|_| format!("`{line}` is no pattern"))?.compile_matcher();
    Ok(IgnorePattern { glob, negated, directory, name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_helm_does() {
        let ignores =
            |rules: &str, path: &str| HelmIgnore::parse(rules).expect(rules).ignores(path);
        for (rules, yes, no) in [
            ("*.md", "docs/a.md", "a.mdx"),
            ("ci/", "ci/a.yaml", "xci/a.yaml"),
            ("/a.txt", "a.txt", "b/a.txt"),
            ("docs/*.txt", "docs/a.txt", "docs/b/a.txt"),
            ("docs", "x/docs/a", "x/docs2"),
            ("!keep.txt", "a.txt", "keep.txt"),
            ("[a-c]x", "bx", "dx"),
            ("{a,b}", "{a,b}", "a"),
            ("# *\n\n  *.bak ", "x.bak", "x"),
            ("", "templates/.hidden.yaml", "templates/a/.hidden.yaml"),
        ] {
            assert!(ignores(rules, yes), "{rules} leaves {yes} out");
            assert!(!ignores(rules, no), "{rules} leaves {no} in");
        }
        assert!(HelmIgnore::parse("a/**/b").is_err());
    }
}
