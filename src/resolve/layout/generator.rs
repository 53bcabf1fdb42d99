//! `ArtifactGenerator`s of Flux' source-watcher: which directories of this repository they copy into
//! the artifacts that Kustomizations build from.
//!
//! As `applyCopyOperations` in `fluxcd/source-watcher` does it, which is like `cp -r`: `dir/**` is
//! what lies in a directory, `dir/` the directory itself.

use std::{collections::BTreeSet, sync::LazyLock};

use regex::Regex;

use crate::{
    source::{self, Sources},
    tree::{Node, Origin, Reason},
};

/// A directory of an artifact as a directory of this repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ArtifactPart {
    /// The directory; `""` is the root.
    pub dir: String,
    /// What the artifact leaves out of it, as lines of a `.gitignore` at the root.
    pub left_out: Vec<String>,
    /// Whether what lies beside the directory, here and in the artifact, is the same.
    pub certain: bool,
}

/// A copy operation.
struct CopyOperation {
    /// What the paths of its source begin with in this repository, unless it copies from elsewhere.
    root: Option<String>,
    /// The pattern or path that is copied.
    from: String,
    /// The directory that it is copied to.
    to: String,
    /// Whether `to` is said to be a directory.
    into: bool,
    merges: bool,
    exclude: Vec<String>,
}

/// The directory of this repository that is `path` in the artifact `name`, by the first of
/// `generators` that makes one of that name; `None` when none does. `own` says of an entry of
/// `spec.sources` which directory of this repository it is, if it is one.
///
/// # Errors
/// Why it is no directory of this repository, and the generator that says so.
pub(crate) fn locate<'n>(
    sources: &Sources,
    generators: impl IntoIterator<Item = &'n Node>,
    name: &str,
    path: &str,
    mut own: impl FnMut(&Node) -> Option<String>,
) -> Option<Result<ArtifactPart, (Reason, Origin)>> {
    let (generator, artifact, captures) = generators.into_iter().find_map(|generator| {
        let mut artifacts = generator.items_at("spec.artifacts").iter();
        artifacts.find_map(|it| Some((generator, it, captures(sources, generator, it, name)?)))
    })?;
    let copies: Option<Vec<CopyOperation>> = artifact
        .items_at("copy")
        .iter()
        .map(|copy| read(generator, copy, &captures, &mut own))
        .collect();
    let at = artifact.get("name").unwrap_or(artifact).origin.clone();
    let unknown =
        |why: &str| Some(Err((format!("the artifact `{name}` {why}").into(), at.clone())));
    let Some(copies) = copies else { return unknown("is copied from what cannot be read") };
    match part(sources, &copies, &cleaned(path)) {
        Some(part) => Some(Ok(part)),
        None if copies.iter().any(|it| it.root.is_none()) => {
            unknown("holds what is not in this repository")
        }
        None => unknown("is put together from several directories"),
    }
}

/// The captures with which `artifact` is called `name`: none unless the generator has a
/// `pathPattern`.
fn captures(
    sources: &Sources,
    generator: &Node,
    artifact: &Node,
    name: &str,
) -> Option<Vec<(String, String)>> {
    static CAPTURE: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"\\\{([a-zA-Z0-9_]+)\\\}").ok());
    let written = artifact.str_at("name")?;
    let Some(pattern) = generator.str_at("spec.pathPattern").filter(|it| !it.is_empty()) else {
        return (written == name).then(Vec::new);
    };
    let (_, pattern) = pattern.strip_prefix('@')?.split_once('/')?;
    let escaped = regex::escape(pattern);
    let groups = CAPTURE.as_ref()?.replace_all(&escaped, "(?P<$1>[^/]+)");
    let matcher = Regex::new(&format!("^{groups}$")).ok()?;
    sources.directories().find_map(|dir| {
        let found = matcher.captures(dir)?;
        let names = matcher.capture_names().flatten();
        let captures = names.map(|it| (format!("{{{it}}}"), found[it].to_owned()));
        let captures: Vec<_> = captures.collect();
        let lower: Vec<_> = captures.iter().map(|(k, v)| (k.clone(), v.to_lowercase())).collect();
        (filled(written, &lower) == name).then_some(captures)
    })
}

fn filled(text: &str, captures: &[(String, String)]) -> String {
    captures.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
}

/// A copy operation; `None` when it is not written as one.
fn read(
    generator: &Node,
    copy: &Node,
    captures: &[(String, String)],
    own: &mut impl FnMut(&Node) -> Option<String>,
) -> Option<CopyOperation> {
    let from = filled(copy.str_at("from")?, captures);
    let to = filled(copy.str_at("to")?, captures);
    let (alias, from) = from.strip_prefix('@')?.split_once('/')?;
    let to = to.strip_prefix("@artifact")?;
    let mut all = generator.items_at("spec.sources").iter();
    let entry = all.find(|it| it.str_at("alias") == Some(alias))?;
    let exclude = copy.items_at("exclude").iter().filter_map(Node::as_str);
    let root = own(entry).map(|it| source::inside(&it));
    Some(CopyOperation {
        from: cleaned(&format!("{}{from}", root.as_deref().unwrap_or_default())),
        root,
        into: to.ends_with('/'),
        to: cleaned(to),
        merges: matches!(copy.str_at("strategy"), Some("Merge" | "Extract")),
        exclude: exclude.map(|it| filled(it, captures)).collect(),
    })
}

fn cleaned(path: &str) -> String {
    let parts = path.split('/').filter(|it| !matches!(*it, "" | "."));
    parts.collect::<Vec<_>>().join("/")
}

/// What lies below a directory of the artifact: from where, to where.
type Mount = (String, String);

impl CopyOperation {
    /// The directories that it copies with all that is in them. Somebody who writes `dir/` often
    /// means what lies in it, which `loose` takes it for.
    fn mount(&self, sources: &Sources, loose: bool) -> Option<Mount> {
        let is_glob = |it: &str| it.contains(['*', '?', '[', ']']);
        if let Some(prefix) = self.from.strip_suffix("**") {
            let prefix = prefix.trim_end_matches('/');
            return (!is_glob(prefix)).then(|| (prefix.to_owned(), self.to.clone()));
        }
        if is_glob(&self.from) {
            // The whole path of what matches is kept.
            return Some((String::new(), self.to.clone()));
        }
        if sources.find(&self.from).is_some_and(|_| !self.from.is_empty()) {
            let file = source::file_name(&self.from);
            let same = self.into || source::file_name(&self.to) == file;
            let to = if self.into { &*self.to } else { source::parent(&self.to) };
            return same.then(|| (source::parent(&self.from).to_owned(), to.to_owned()));
        }
        let to = match loose {
            true => Some(self.to.clone()),
            false => source::join(&self.to, source::file_name(&self.from)),
        };
        Some((self.from.clone(), to?))
    }

    /// What it copies, as a pattern at the root.
    fn selection(&self) -> &str {
        let from = self.from.strip_suffix("**").unwrap_or(&self.from);
        from.trim_end_matches('/')
    }
}

/// The directory of this repository that is `path` in what `copies` make.
fn part(sources: &Sources, copies: &[CopyOperation], path: &str) -> Option<ArtifactPart> {
    [false, true].into_iter().find_map(|loose| {
        let mounts: Vec<Option<Mount>> = copies.iter().map(|it| it.mount(sources, loose)).collect();
        // All that is copied keeps its place in the repository, below one directory.
        let roots = copies.iter().zip(&mounts).map(|(copy, mount)| {
            let (from, to) = mount.as_ref().filter(|_| copy.root.is_some() && !copy.merges)?;
            let root = from.strip_suffix(to.as_str())?;
            let whole = to.is_empty() || root.is_empty() || root.ends_with('/');
            whole.then(|| root.trim_end_matches('/'))
        });
        let roots: Option<BTreeSet<&str>> = roots.collect();
        if let Some(root) = roots.filter(|it| it.len() == 1).and_then(|mut it| it.pop_first()) {
            let dir = source::join(root, path).filter(|it| sources.is_dir(it))?;
            let mut left_out = Vec::new();
            if !copies.iter().any(|it| inside(it.selection(), &dir).is_some()) {
                left_out.push("/**".to_owned());
                let selections = copies.iter().map(CopyOperation::selection);
                left_out
                    .extend(selections.flat_map(|it| [format!("!/{it}"), format!("!/{it}/**")]));
            }
            left_out.extend(copies.iter().flat_map(excluded));
            return Some(ArtifactPart { dir, left_out, certain: true });
        }
        // What is above the only directory has nothing else in it.
        if let ([copy], [Some((from, to))]) = (copies, &mounts[..])
            && copy.root.is_some()
            && inside(path, to).is_some()
            && sources.is_dir(from)
        {
            return Some(ArtifactPart {
                dir: from.clone(),
                left_out: excluded(copy),
                certain: true,
            });
        }
        // Later copies lie over earlier ones.
        let all = || copies.iter().zip(&mounts).rev();
        let (copy, dir) = all().find_map(|(copy, mount)| {
            let (from, to) = mount.as_ref().filter(|_| copy.root.is_some())?;
            let rest = inside(to, path)?;
            let dir = source::join(from, rest).filter(|it| sources.is_dir(it))?;
            Some((copy, dir))
        })?;
        let alone = all().all(|(it, mount)| {
            std::ptr::eq(it, copy)
                || mount.as_ref().is_some_and(|(_, to)| inside(path, to).is_none())
        });
        alone.then(|| ArtifactPart { dir, left_out: excluded(copy), certain: copies.len() == 1 })
    })
}

/// What a copy leaves out, as lines of a `.gitignore` at the root: patterns are relative to the source
/// or to the part of `from` before its first pattern.
fn excluded(copy: &CopyOperation) -> Vec<String> {
    let mut lines = Vec::new();
    for pattern in &copy.exclude {
        if !pattern.contains('/') {
            lines.push(pattern.clone());
            continue;
        }
        lines.push(format!("/{}{pattern}", copy.root.as_deref().unwrap_or_default()));
        lines.push(format!("/{}/{pattern}", copy.selection()));
    }
    lines
}

/// The rest of `path` below `dir`.
fn inside<'p>(dir: &str, path: &'p str) -> Option<&'p str> {
    if dir.is_empty() {
        return Some(path);
    }
    let rest = path.strip_prefix(dir)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{fixture, roots};

    const FILES: &str = "\
//- apps/a/base/x.yaml
//- apps/a/prod/x.yaml
//- apps/b/prod/x.yaml
//- env.yaml
";

    /// Where `path` of the artifact is that `copies` of `@repo` make.
    fn located(copies: &str, path: &str) -> String {
        let generator = format!(
            "//- g.yaml\nspec:\n  sources: [{{alias: repo, name: own}}, {{alias: other}}]\n  \
             artifacts: [{{name: x, copy: [{copies}]}}]\n"
        );
        describe(&generator, "x", path)
    }

    fn describe(generator: &str, name: &str, path: &str) -> String {
        let sources = fixture(&format!("{FILES}{generator}"));
        let generators = roots(&sources, "g.yaml");
        let own = |it: &Node| (it.str_at("name") == Some("own")).then(String::new);
        match locate(&sources, &generators, name, path, own) {
            None => "no such artifact".into(),
            Some(Err((why, _))) => why.to_string(),
            Some(Ok(part)) => {
                let doubt = if part.certain { "" } else { " perhaps" };
                format!("{}{doubt} {}", part.dir, part.left_out.join(" ")).trim().to_owned()
            }
        }
    }

    #[test]
    fn directories_are_copied_as_cp_does() {
        let all = "{from: '@repo/apps/a/**', to: '@artifact/'}";
        assert_eq!(located(all, "./prod"), "apps/a/prod");
        assert_eq!(located(all, "./"), "apps/a");
        let itself = "{from: '@repo/apps/a', to: '@artifact/c/'}";
        assert_eq!(located(itself, "c/a/prod"), "apps/a/prod");
        // What was meant is clear, too.
        assert_eq!(located(itself, "c/prod"), "apps/a/prod");
        assert_eq!(located("{from: '@repo/', to: '@artifact/'}", "apps/b"), "apps/b");
        assert_eq!(located("{from: '@repo/**', to: '@artifact/'}", "apps/b"), "apps/b");
    }

    #[test]
    fn what_is_left_out_is_not_built() {
        let copy = "{from: '@repo/apps/**', to: '@artifact/', exclude: ['*.md', 'a/prod/**']}";
        assert_eq!(located(copy, "a"), "apps/a *.md /a/prod/** /apps/a/prod/**");
        let copies = "{from: '@repo/apps/a/prod/**', to: '@artifact/apps/a/prod'}, \
             {from: '@repo/apps/b/prod/**', to: '@artifact/apps/b/prod'}";
        assert_eq!(
            located(copies, "apps"),
            "apps /** !/apps/a/prod !/apps/a/prod/** !/apps/b/prod !/apps/b/prod/**"
        );
    }

    #[test]
    fn several_sources() {
        let apart = "{from: '@repo/apps/a/prod/**', to: '@artifact/x'}, \
             {from: '@repo/apps/b/prod/**', to: '@artifact/y'}";
        assert_eq!(located(apart, "x"), "apps/a/prod perhaps");
        assert_eq!(
            located(apart, "."),
            "the artifact `x` is put together from several directories"
        );
        let other = "{from: '@other/**', to: '@artifact/'}";
        assert_eq!(located(other, "x"), "the artifact `x` holds what is not in this repository");
    }

    #[test]
    fn a_pattern_makes_an_artifact_of_each_directory() {
        let generator = "\
//- g.yaml
spec:
  sources: [{alias: repo, name: own}]
  pathPattern: '@repo/apps/{app}/prod'
  artifacts: [{name: 'all-{app}', copy: [{from: '@repo/apps/{app}/prod/**', to: '@artifact/'}]}]
";
        assert_eq!(describe(generator, "all-b", "."), "apps/b/prod");
        assert_eq!(describe(generator, "all-c", "."), "no such artifact");
    }
}
