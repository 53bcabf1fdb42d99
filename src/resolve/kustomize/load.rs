//! Paths in kustomization files: what they lead to, and what may be read.

use std::{cell::Cell, rc::Rc, sync::Arc};

use crate::{
    nearest::nearest,
    problem::Problem,
    resolve::{
        context::Context,
        kustomize::{
            BuildOptions, Extent, file,
            resource::objects,
            value::{Outcome, is_text, no_such, not_yaml, refusal, text, unresolved},
        },
        prepared,
    },
    scalar::Dialect,
    source::{FileId, Skip, Sources, Span, Text, join},
    tree::{Node, Origin},
};

/// Bases may stand this deep in one another.
pub(super) const MAX_DEPTH: usize = 128;

/// Reads for the kustomization in one directory.
#[derive(Clone)]
pub(super) struct Loader<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) options: &'a BuildOptions,
    /// The directory, symbolic links resolved; `""` is the root.
    pub(super) dir: Arc<str>,
    /// The directories that led here, this one last.
    pub(super) chain: Arc<Chain>,
    /// Whether the build's root wants to know where objects come from (`buildMetadata`).
    pub(super) annotate: bool,
    /// The namespace of charts that have none of their own: that of the nearest kustomization on the
    /// way that has one.
    pub(super) chart_namespace: Option<Arc<str>>,
    /// How many layers of this build hold a cycle: these are built again on every way to them.
    pub(super) cyclic: Rc<Cell<usize>>,
}

/// A build with more layers that hold cycles is not followed further.
const MAX_CYCLIC: usize = 100;

/// Directories on the way from the build's root, the innermost first.
#[derive(Debug)]
pub(super) struct Chain {
    dir: Arc<str>,
    next: Option<Arc<Chain>>,
}

/// What an entry of `resources` leads to.
pub(super) enum Target {
    File(FileId),
    Directory(Arc<str>),
    /// Something outside the repository.
    Remote,
    Missing,
}

impl Chain {
    fn iter(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(self), |it| it.next.as_deref()).map(|it| &*it.dir)
    }

    /// Whether including `dir` would go in a circle: kustomize refuses what includes any directory
    /// on the way, itself included.
    pub(super) fn closes(&self, dir: &str) -> bool {
        self.iter().any(|visited| contains(dir, visited))
    }
}

/// Whether `inner` is `dir` or lies below it.
fn contains(dir: &str, inner: &str) -> bool {
    dir.is_empty()
        || inner.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl<'a> Loader<'a> {
    /// For a build that starts at `dir`.
    pub(super) fn new(context: &'a Context<'a>, options: &'a BuildOptions, dir: &str) -> Self {
        let dir: Arc<str> = real(context.sources, dir).into();
        let chain = Arc::new(Chain { dir: dir.clone(), next: None });
        let cyclic = Rc::default();
        Self { context, options, dir, chain, annotate: false, chart_namespace: None, cyclic }
    }

    /// For the directory `dir`, which this kustomization includes at `at`.
    ///
    /// # Errors
    /// A cycle, or too many directories in one another.
    pub(super) fn enter(&self, dir: &Arc<str>, at: &Origin) -> Outcome<Self> {
        if self.chain.closes(dir) {
            let message = format!("{} includes itself in a cycle", shown(dir));
            return Err(refusal(at, message));
        }
        let beyond = if self.depth() >= MAX_DEPTH {
            format!("no more than {MAX_DEPTH} kustomizations in one another are followed")
        } else if self.cyclic.get() > MAX_CYCLIC {
            format!(
                "no more than {MAX_CYCLIC} ways of kustomizations that include one another are followed"
            )
        } else {
            String::new()
        };
        // The bound is ours: kustomize goes on.
        if !beyond.is_empty() {
            return Err(Box::new(Problem::unresolved(at, beyond).hiding_objects()));
        }
        let chain = Arc::new(Chain { dir: dir.clone(), next: Some(self.chain.clone()) });
        Ok(Self { dir: dir.clone(), chain, ..self.clone() })
    }

    /// How many kustomizations led here, this one included.
    pub(super) fn depth(&self) -> usize {
        self.chain.iter().count()
    }

    /// What the entry `path` leads to.
    pub(super) fn target(&self, path: &Node) -> Target {
        let sources = self.context.sources;
        let written = text(Some(path));
        if is_remote(written) {
            return Target::Remote;
        }
        let path = join(&self.dir, written).filter(|it| self.is_there(it));
        let Some(path) = path else { return Target::Missing };
        if let Some(file) = sources.find(&path) {
            return Target::File(file);
        }
        let dir = real(sources, &path);
        if sources.is_dir(&dir) { Target::Directory(dir.into()) } else { Target::Missing }
    }

    /// The file at `path`, which must lie in this directory unless the build is unrestricted.
    ///
    /// # Errors
    /// When there is none, or it may not be read; `Unresolved` when kustomize finds one elsewhere.
    pub(super) fn file(&self, path: &Node) -> Outcome<FileId> {
        let sources = self.context.sources;
        let written = text(Some(path));
        if written.is_empty() {
            return Err(refusal(&path.origin, "this path is empty"));
        }
        if is_url(written) {
            return Err(unresolved(&path.origin, format!("{written} is not in the repository")));
        }
        let there = join(&self.dir, written).filter(|it| self.is_there(it));
        let found = there.and_then(|it| sources.find(&it));
        let file = found.ok_or_else(|| self.missing(path, "file "))?;
        self.permit(file, &path.origin)?;
        Ok(file)
    }

    /// That nothing is at `path`; what git ignores is made before the build.
    #[expect(clippy::unnecessary_box_returns, reason = "an error that is passed on all the way")]
    pub(super) fn missing(&self, path: &Node, what: &str) -> Box<Problem> {
        let written = text(Some(path));
        let Some(resolved) = join(&self.dir, written) else {
            let message = format!("{written} lies outside the repository");
            return self.leads_nowhere(path, "", message);
        };
        if self.context.sources.is_ignored(&resolved) {
            let why = format!("{resolved} is not in the repository: .gitignore leaves it out");
            return unresolved(&path.origin, why);
        }
        if let Some(problem) = self.left_out(path, &resolved) {
            return problem;
        }
        let mut problem = self.leads_nowhere(
            path,
            &resolved,
            format!("there is no {what}{resolved} in the repository"),
        );
        if problem.is_refusal() {
            problem.help = self.near(written).map(|it| format!("write `{it}`").into());
        }
        problem
    }

    /// That Flux leaves what the repository has at `resolved` out of what it builds from: by a pattern, or
    /// because it is reached through a symbolic link.
    fn left_out(&self, path: &Node, resolved: &str) -> Option<Box<Problem>> {
        let (sources, artifact) = (self.context.sources, self.options.artifact.as_ref()?);
        let real = sources.follow(resolved)?;
        if sources.find(&real).is_none() && !sources.is_dir(&real) {
            return None;
        }
        let Some((pattern, file)) = artifact.pattern(resolved) else {
            let message =
                format!("`{resolved}` leads through a symbolic link, which Flux leaves out");
            return (real != resolved).then(|| refusal(&path.origin, message));
        };
        let (message, help) = match file {
            Some(file) => (
                format!("Flux leaves {resolved} out of what it builds from, as {file} says"),
                Some(format!("take the pattern for it out of {file}")),
            ),
            // What an ArtifactGenerator excludes.
            None if !artifact.id.is_empty() => {
                (format!("Flux leaves {resolved} out of what it builds from, by `{pattern}`"), None)
            }
            None => (
                format!("source-controller leaves {resolved} out by default, by `{pattern}`"),
                // What .sourceignore says counts more.
                Some(format!(
                    "add the line `!/{resolved}` to .sourceignore, or give it another ending"
                ))
                .filter(|_| pattern.starts_with("*.")),
            ),
        };
        let mut problem = refusal(&path.origin, message);
        problem.help = help.map(Into::into);
        Some(problem)
    }

    /// That `path` leads nowhere, unless something has yet to fill it in, or to make what it names.
    #[expect(clippy::unnecessary_box_returns, reason = "an error that is passed on all the way")]
    fn leads_nowhere(&self, path: &Node, resolved: &str, message: String) -> Box<Problem> {
        let problem = no_such(path, message);
        if !problem.is_refusal() {
            return problem;
        }
        let sources = self.context.sources;
        Box::new(prepared::leads_nowhere(sources, &path.origin, resolved, &*problem.message))
    }

    /// The path that was probably meant by `written`, which leads nowhere: the same from a directory
    /// further up or down, or nearly the same name.
    fn near(&self, written: &str) -> Option<String> {
        let sources = self.context.sources;
        let inner = written.trim_start_matches("./").trim_start_matches("../");
        let ups = written.matches("../").count();
        let mut levels: Vec<usize> = (0..=self.dir.split('/').count()).collect();
        levels.sort_by_key(|it| it.abs_diff(ups));
        let moved = levels.into_iter().map(|it| format!("{}{inner}", "../".repeat(it)));
        // Of a name, what is before its ending: `.yaml` is no likeness.
        let stem = |name| -> &str { str::rsplit_once(name, '.').map_or(name, |(stem, _)| stem) };
        let (dir, name) = written.rsplit_once('/').unwrap_or((".", written));
        let beside = join(&self.dir, dir)?;
        let near = nearest(stem(name), sources.names_in(&beside).map(stem));
        let near = sources.names_in(&beside).filter(|it| Some(stem(it)) == near);
        let near = near.map(|it| written.strip_suffix(name).unwrap_or_default().to_owned() + it);
        let leads = |it: &String| {
            let Some(path) = join(&self.dir, it).filter(|it| self.is_there(it)) else {
                return false;
            };
            match sources.find(&path) {
                Some(_) => self.options.unrestricted || contains(&self.dir, &path),
                None => sources.is_dir(&path) && !contains(&path, &self.dir),
            }
        };
        moved.chain(near).filter(|it| !inner.is_empty() && it != written).find(leads)
    }

    /// Whether the tree that is built from has what the repository has at `path`.
    pub(super) fn is_there(&self, path: &str) -> bool {
        let Some(artifact) = &self.options.artifact else { return true };
        !artifact.leaves_out(path)
            && self.context.sources.follow(path).is_some_and(|real| real == path)
    }

    /// Refuses a file outside this directory.
    pub(super) fn permit(&self, file: FileId, at: &Origin) -> Outcome<()> {
        let path = &self.context.sources[file].path;
        if self.options.unrestricted || contains(&self.dir, path) {
            return Ok(());
        }
        let help = "move the file, make a base of it, or build with --load-restrictor \
                    LoadRestrictionsNone";
        let message = format!("{path} lies outside {}", shown(&self.dir));
        Err(refusal(at, message).help(help).into())
    }

    /// The objects in `file`, and what is none.
    ///
    /// # Errors
    /// A file that holds no text.
    pub(super) fn objects(&self, file: FileId, at: &Origin) -> Outcome<Vec<Outcome<Node>>> {
        self.readable(file, at)?;
        let whole = Origin::start_of(file);
        let sources = self.context.sources;
        let documents = match self.options.extent {
            Extent::Outline => sources.outline(file),
            Extent::Whole => sources.documents(file, Dialect::Kyaml),
        };
        let mut objects = objects(documents, &whole);
        // There may be more than are written.
        objects.extend(documents.template.iter().map(|it| Err(Problem::template(it).into())));
        Ok(objects)
    }

    /// That the file at `path` is a template.
    pub(super) fn template(&self, path: &Node) -> Option<Problem> {
        let file = self.file(path).ok()?;
        let documents = self.context.sources.documents(file, Dialect::Kyaml);
        documents.template.as_ref().map(Problem::template)
    }

    /// Refuses keys that are not strings, which kustomize cannot write as JSON. That happens at the
    /// end of a build: what a patch merges into keeps its own key.
    pub(super) fn check_keys(&self, object: &Node) -> Outcome<()> {
        for (key, entry) in object.walk().flat_map(Node::entries) {
            if is_text(key) {
                continue;
            }
            let Some(span) = entry.key else { continue };
            if self.context.sources.slice(span) == key && !self.is_tagged(span) {
                let message = format!("the key {key} is not a string; put it in quotes");
                return Err(refusal(&Origin::written(span), message));
            }
        }
        Ok(())
    }

    /// Whether a tag says of the key at `span` that it is a string.
    fn is_tagged(&self, span: Span) -> bool {
        let text = self.context.sources.text(span.file);
        let line = text[..span.range().start].lines().next_back().unwrap_or_default();
        let before = line.split_whitespace().rev().map(|it| it.trim_start_matches(['{', ',']));
        let mut properties = before.take_while(|it| it.starts_with(['!', '&']));
        properties.any(|it| matches!(it, "!!str" | "!<tag:yaml.org,2002:str>"))
    }

    /// Refuses a file that holds no text. Of what only we do not read, nobody knows.
    pub(super) fn readable(&self, file: FileId, at: &Origin) -> Outcome<()> {
        let path = &self.context.sources[file].path;
        match self.context.sources.load(file) {
            Text::Utf8(_) | Text::Skipped(Skip::Encrypted) => Ok(()),
            Text::Skipped(Skip::Binary | Skip::Nul) => {
                Err(refusal(at, format!("{path} cannot be read as text")))
            }
            Text::Skipped(skip) => Err(Box::new(Problem::unresolved(at, format!("{path} {skip}")))),
        }
    }

    /// The YAML value in the file at `path`, as `sigs.k8s.io/yaml` reads it.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn value(&self, path: &Node) -> Outcome<Node> {
        let file = self.file(path)?;
        let documents = self.context.sources.documents(file, Dialect::Sigs);
        match documents.list.first().map(|it| &it.root) {
            Some(Ok(root)) => Ok(root.clone()),
            Some(Err(error)) => {
                let at = error.span.map_or_else(|| path.origin.clone(), Origin::written);
                Err(not_yaml("this", error, &at))
            }
            None => Ok(Node::new(crate::scalar::Scalar::null(), path.origin.clone())),
        }
    }

    /// Where `part`, the end of the scalar `whole`, is written.
    pub(super) fn part_of(&self, whole: &Node, part: &str) -> Origin {
        let Some(span) = whole.origin.written_at() else { return whole.origin.clone() };
        let slice = self.context.sources.slice(span);
        let Some(at) = slice.rfind(part).filter(|_| !part.is_empty()) else {
            return whole.origin.clone();
        };
        whole.origin.moved(span.part(at..at + part.len()))
    }

    /// Whether the directory has a kustomization file.
    pub(super) fn is_kustomization(&self, dir: &str, at: &Origin) -> Outcome<Option<FileId>> {
        let found = file::find(self.context.sources, dir, at)?;
        Ok(found.filter(|file| self.is_there(&self.context.sources[*file].path)))
    }
}

/// `path` with its symbolic links resolved.
fn real(sources: &Sources, path: &str) -> String {
    sources.follow(path).unwrap_or_else(|| path.to_owned())
}

/// A directory as a person calls it.
pub(super) fn shown(dir: &str) -> &str {
    if dir.is_empty() { "the root of the repository" } else { dir }
}

/// Whether kustomize fetches a file of that name (`loader/fileloader.go`).
fn is_url(path: &str) -> bool {
    path.starts_with("http://") || path.starts_with("https://")
}

/// Whether kustomize would fetch `entry` from elsewhere (`repospec.go`).
fn is_remote(entry: &str) -> bool {
    let lower = entry.to_ascii_lowercase();
    [
        "http://",
        "https://",
        "ssh://",
        "git::",
        "git@",
        "file://",
        "gh:",
        "github.com/",
        "github.com:",
    ]
    .iter()
    .any(|start| lower.starts_with(start))
        || entry.contains("://")
        || entry.split_once('@').is_some_and(|(user, rest)| {
            !user.contains('/') && rest.split_once(':').is_some_and(|(host, _)| host.contains('.'))
        })
}
