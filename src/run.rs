//! The commands: from arguments to bytes and an exit status.

#![expect(
    clippy::disallowed_methods,
    reason = "commands read the configuration and write the output"
)]

mod chart;

use std::{
    ffi::OsString,
    fs,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
};

use crate::{
    cli::{self, Color, Command, Format, LoadRestrictor, Options, Verbosity},
    config::{self, Config},
    discover,
    finding::Finding,
    model::{self, Cluster},
    nearest::nearest,
    pipeline::{analyze, is_ours, survey},
    problem::Problem,
    report::{self, Progress, Report, Screen, TerminalOptions},
    resolve::{
        self,
        context::{Context, Purpose},
        environment::Environment,
        kustomize,
        layout::Layout,
    },
    rules,
    selection::Selection,
    settle::{self, Scope},
    source::{Relevance, Sources, Text},
    tree::{Node, Origin},
};

/// Where a run writes.
pub struct Streams<'a> {
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    out_screen: Screen,
    err_screen: Screen,
}

impl<'a> Streams<'a> {
    /// Those of a process: what they can show is what they and the environment variables say.
    pub fn standard<O, E>(out: &'a mut O, err: &'a mut E) -> Self
    where
        O: Write + IsTerminal,
        E: Write + IsTerminal,
    {
        let (out_screen, err_screen) = (Screen::of(out), Screen::of(err));
        Self { out, err, out_screen, err_screen }
    }

    /// Plain text, whatever the surroundings.
    pub fn plain(out: &'a mut dyn Write, err: &'a mut dyn Write) -> Self {
        Self { out, err, out_screen: Screen::NONE, err_screen: Screen::NONE }
    }
}

/// Does what `arguments` say, the first of which is the program's name; the exit status.
pub fn run(arguments: impl IntoIterator<Item = OsString>, streams: &mut Streams<'_>) -> u8 {
    let options = match cli::parse(arguments) {
        Ok(options) => options,
        Err(error) => return usage(&error, streams),
    };
    let mut run = Run { options: &options, streams };
    run.command().unwrap_or_else(|failure| {
        run.fail(failure);
        2
    })
}

/// Prints the help that was asked for, or what is wrong with the arguments.
fn usage(error: &clap::Error, streams: &mut Streams<'_>) -> u8 {
    let (stream, screen) = match error.use_stderr() {
        true => (&mut *streams.err, streams.err_screen),
        false => (&mut *streams.out, streams.out_screen),
    };
    let text = error.render();
    // Nothing can be said any more when the terminal is gone.
    let _ = match screen.look(Color::Auto).color {
        true => write!(stream, "{}", text.ansi()),
        false => write!(stream, "{text}"),
    };
    u8::try_from(error.exit_code()).unwrap_or(2)
}

/// Why the tool could not do its job.
enum Failure {
    /// For a reason that has no place in a file.
    Plain(String),
    /// For reasons that stand in files.
    Found(Box<Sources>, Vec<Finding>),
}

/// The exit status.
type CommandResult = Result<u8, Failure>;

/// What was asked for, and where the answer goes.
struct Run<'a, 'b> {
    options: &'a Options,
    streams: &'a mut Streams<'b>,
}

impl Run<'_, '_> {
    fn command(&mut self) -> CommandResult {
        match &self.options.command {
            Command::Check { paths, fail_on_empty, force_exclude, .. } => {
                self.check(paths, *fail_on_empty, *force_exclude)
            }
            Command::Show { paths } => self.show(paths),
            Command::Render { path, environment, load_restrictor, origins, chart } => {
                let unrestricted = *load_restrictor == LoadRestrictor::None;
                match (environment, path.as_deref()) {
                    (Some(name), _) => self.render_environment(name, *origins),
                    (None, Some(path)) if chart::is_chart(path, chart) => {
                        self.render_chart(path, chart, *origins)
                    }
                    (None, path) => self.render_kustomization(path, unrestricted, *origins),
                }
            }
            Command::Explain { rule } => {
                let Some(rule) = rules::find(rule) else {
                    let near = nearest(rule, rules::ids());
                    let near =
                        near.map_or_else(String::new, |it| format!("; did you mean `{it}`?"));
                    return Err(Failure::Plain(format!("there is no rule `{rule}`{near}")));
                };
                self.write(report::explain(rule, self.look()).as_bytes())
            }
            Command::Rules if self.options.format == Format::Json => {
                self.write(report::rules_json().as_bytes())
            }
            Command::Rules => self.write(report::rules(self.look()).as_bytes()),
            Command::Completions { shell } => self.write(&cli::completions(*shell)),
        }
    }

    /// How text may look where the answer goes.
    fn look(&self) -> TerminalOptions {
        match self.options.output {
            Some(_) => TerminalOptions::PLAIN,
            None => self.streams.out_screen.look(self.options.color),
        }
    }

    fn progress(&self) -> Progress {
        Progress::start(self.streams.err_screen.watched)
    }

    fn check(
        &mut self,
        paths: &[PathBuf],
        fail_on_empty: bool,
        force_exclude: bool,
    ) -> CommandResult {
        let options = self.options;
        let progress = self.progress();
        let Opened { sources, config, scope } = open(options, paths, &progress)?;
        progress.stage("resolving the environments");
        let (environments, clusters) = analyze(&sources, &config);
        progress.stage("checking");
        let mut findings = crate::pipeline::check(&clusters);
        findings.extend(rules::problems(&model::unjudged(&sources, &clusters), None));
        findings.extend(settle::unmatched(&sources, &config, &environments));
        let settled = settle::settle(&sources, &config, &environments, findings, &scope);
        let elapsed = progress.finish();
        // One that only scales workloads counts where something is found in it.
        let counts = |(environment, cluster): &(&Environment, &Cluster)| {
            let mut found = settled.findings.iter();
            is_ours(environment, cluster)
                && (!cluster.only_scales()
                    || cluster.autoscalers.is_empty()
                    || found.any(|it| it.environments.contains(&environment.name)))
        };
        let report = Report {
            sources: &sources,
            environments: environments
                .iter()
                .zip(&clusters)
                .filter(counts)
                .map(|(environment, _)| environment.name.clone())
                .collect(),
            findings: settled.findings,
            suppressed: settled.suppressed,
            pedantic: settled.pedantic,
        };
        let is_empty = report.environments.is_empty();
        let text = match options.format {
            Format::Sarif => report::sarif(&report),
            Format::Json => report::json(&report),
            Format::Text | Format::Yaml => {
                report::text(&report, self.look(), options.detail, (!is_empty).then_some(elapsed))
            }
        };
        self.write(text.as_bytes())?;
        // That nothing was there to check is told to everybody.
        if is_empty || options.output.is_some() && options.detail > Verbosity::Quiet {
            let look = self.streams.err_screen.look(options.color);
            self.say(&report::summary(&report, look, elapsed));
        }
        self.tell_mistaken(report.sources);
        let mut unread = false;
        for path in not_looked_into(report.sources, &scope) {
            self.say(&format!(
                "`{path}` is not looked into: nothing says what kind of file it is\n"
            ));
            // Who names files one by one is told; a hook names all that changed.
            unread = !force_exclude;
        }
        if unread {
            return Ok(2);
        }
        let fails = |it: &Finding| options.fail_on.is_some_and(|least| it.severity >= least);
        Ok(u8::from(report.findings.iter().any(fails) || is_empty && fail_on_empty))
    }

    fn show(&mut self, paths: &[PathBuf]) -> CommandResult {
        let progress = self.progress();
        let Opened { sources, config, scope } = open(self.options, paths, &progress)?;
        progress.stage("resolving the environments");
        let (environments, clusters) = survey(&sources, &config);
        progress.finish();
        let mut problems = model::unjudged(&sources, &clusters);
        let (mut shown, others): (Vec<_>, Vec<_>) = environments
            .into_iter()
            .zip(clusters)
            .partition(|(environment, cluster)| is_ours(environment, cluster));
        // What is not shown may be our subject, and not be understood.
        let others = others.into_iter().flat_map(|(_, cluster)| cluster.problems);
        problems.extend(others.filter(|it| it.concerns));
        let in_scope =
            |at: &Origin| at.written_at().is_none_or(|span| scope.covers(&sources[span.file].path));
        shown.retain(|(environment, _)| in_scope(&environment.entry.origin));
        problems.retain(|it| in_scope(&it.at));
        let text = match self.options.format {
            Format::Json => report::show_json(&sources, &shown, &problems),
            // Nothing breaks the lines of a table that is piped.
            _ if !self.streams.out_screen.terminal || self.options.output.is_some() => {
                let look = TerminalOptions { width: 120, ..self.look() };
                report::show(&sources, &shown, &problems, look, self.options.detail)
            }
            _ => report::show(&sources, &shown, &problems, self.look(), self.options.detail),
        };
        self.tell_repositories(&sources);
        self.tell_mistaken(&sources);
        self.write(text.as_bytes())
    }

    fn render_kustomization(
        &mut self,
        path: Option<&Path>,
        unrestricted: bool,
        origins: bool,
    ) -> CommandResult {
        let options = self.options;
        let paths = path.map(Path::to_owned);
        let progress = self.progress();
        let Opened { sources, config, scope } = open(options, paths.as_slice(), &progress)?;
        progress.stage("building");
        let dir = scope.paths.first().cloned().unwrap_or_default();
        if !sources.is_dir(&dir) {
            return Err(Failure::Plain(format!("`{dir}` is not a directory with files in it")));
        }
        let layout = Layout::new(&sources, &config);
        if !layout.has_kustomization(&dir) {
            return Err(no_kustomization(options, path, &layout, &dir));
        }
        let context = Context::new(&sources, &config, Purpose::Render);
        let how = kustomize::BuildOptions { unrestricted, ..kustomize::BuildOptions::default() };
        let build = kustomize::build(&context, &dir, &how);
        drop(progress);
        let objects: Vec<&Node> = build.objects.iter().collect();
        // kustomize prints all or nothing.
        let refused = build.problems.iter().any(Problem::is_refusal);
        let objects = if refused { &[] } else { &objects[..] };
        self.finish_render(sources, objects, &build.problems, origins)
    }

    fn render_environment(&mut self, name: &str, origins: bool) -> CommandResult {
        let progress = self.progress();
        let Opened { sources, config, .. } = open(self.options, &[], &progress)?;
        progress.stage("resolving the environments");
        let context = Context::new(&sources, &config, Purpose::Render);
        let environments = resolve::resolve(&context);
        drop(progress);
        let environment = named(&environments, name)?;
        let Environment { objects, problems, .. } = environment;
        let objects: Vec<&Node> = objects
            .iter()
            .filter(|it| it.release.is_none() && !it.suspended)
            .map(|it| &it.node)
            .collect();
        let status = self.finish_render(sources, &objects, problems, origins)?;
        // A release that is refused is refused where it is installed; what applies it is built.
        let is_release = |it: &Problem| environment.unit_of(it).is_some_and(|it| it.release);
        let builds = problems.iter().filter(|it| it.is_refusal()).all(is_release);
        Ok(if builds { status } else { 2 })
    }

    /// Writes what was built, and tells on the side what was not; exit status 1 when the real tool
    /// would have refused a part.
    ///
    /// # Errors
    /// Why nothing was built.
    fn finish_render(
        &mut self,
        sources: Sources,
        objects: &[&Node],
        problems: &[Problem],
        origins: bool,
    ) -> CommandResult {
        let refused = problems.iter().filter(|it| it.is_refusal());
        let refused: Vec<Problem> = refused.cloned().collect();
        if !refused.is_empty() && objects.is_empty() {
            return Err(Failure::Found(Box::new(sources), rules::problems(&refused, None)));
        }
        let Options { format, detail, .. } = *self.options;
        let told = if detail > Verbosity::Quiet { problems } else { &refused };
        if format != Format::Json && !told.is_empty() {
            self.tell(&sources, rules::problems(told, None));
        }
        let text = match format {
            Format::Json => report::render_json(&sources, objects, problems, origins),
            _ => report::render_yaml(&sources, objects, origins),
        };
        self.write(text.as_bytes())?;
        Ok(u8::from(!refused.is_empty()))
    }

    fn write(&mut self, bytes: &[u8]) -> CommandResult {
        let out = &mut self.streams.out;
        let written = match &self.options.output {
            Some(file) => fs::write(file, bytes).map_err(|error| {
                Failure::Plain(format!("cannot write `{}`: {error}", file.display()))
            }),
            None => match out.write_all(bytes).and_then(|()| out.flush()) {
                // Whoever reads has seen enough.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                result => result.map_err(|error| Failure::Plain(format!("cannot write: {error}"))),
            },
        };
        written.map(|()| 0)
    }

    /// Says on the side which repositories inside of this one are not looked into.
    fn tell_repositories(&mut self, sources: &Sources) {
        let Options { format, detail, .. } = self.options;
        if *format == Format::Text && *detail > Verbosity::Quiet && !sources.repositories.is_empty()
        {
            let inner = sources.repositories.join(", ");
            self.say(&format!(
                "note: repositories of their own are not looked into, see --root: {inner}\n"
            ));
        }
    }

    /// Says which files are no configuration although they may look like it.
    fn tell_mistaken(&mut self, sources: &Sources) {
        if self.options.config.is_none() {
            let name = config::FILE;
            let told = config::mistaken(sources).map(|it| {
                format!("warning: `{it}` is not read: the configuration is `{name}` in the root\n")
            });
            self.say(&told.collect::<String>());
        }
    }

    /// Says on the side what stands in files.
    fn tell(&mut self, sources: &Sources, findings: Vec<Finding>) {
        let report =
            Report { sources, findings, environments: Vec::new(), suppressed: 0, pedantic: 0 };
        let look = self.streams.err_screen.look(self.options.color);
        self.say(&report::text(&report, look, self.options.detail, None));
    }

    /// Says it on the side, where nobody may be.
    fn say(&mut self, text: &str) {
        let _ = self.streams.err.write_all(text.as_bytes());
    }

    /// Tells why it could not be done.
    fn fail(&mut self, failure: Failure) {
        if self.options.format == Format::Sarif {
            let log = match &failure {
                Failure::Plain(message) => report::sarif_failure(None, message, &[]),
                Failure::Found(sources, all) => report::sarif_failure(Some(sources), "", all),
            };
            let _ = self.write(log.as_bytes());
        }
        match failure {
            Failure::Plain(message) => self.say(&format!("error: {message}\n")),
            Failure::Found(sources, findings) => self.tell(&sources, findings),
        }
    }
}

/// The files that the user names and that nobody looked into: there is no telling what they are.
fn not_looked_into<'a>(sources: &Sources, scope: &'a Scope) -> impl Iterator<Item = &'a String> {
    scope.paths.iter().filter(|path| {
        let file = sources.find(path).filter(|it| sources[*it].relevance == Relevance::None);
        file.is_some_and(|it| !sources[it].is_loaded() && !discover::is_candidate(path))
    })
}

/// That `dir`, which was called `path`, has no kustomization, and which directories in it have one
/// that nothing includes.
fn no_kustomization(
    options: &Options,
    path: Option<&Path>,
    layout: &Layout<'_>,
    dir: &str,
) -> Failure {
    let called = path.or(options.root.as_deref()).unwrap_or(Path::new("."));
    let included = layout.included_dirs();
    let others = layout.roots().filter(|it| !included.contains(it));
    let others = others.filter_map(|it| it.strip_prefix(dir)).map(|it| {
        let below = it.trim_start_matches('/');
        let path = if called == Path::new(".") { below.into() } else { called.join(below) };
        format!("`render {}`", path.display())
    });
    let others: Vec<String> = others.take(3).collect();
    let hint = if others.is_empty() { "" } else { ": try " };
    let (called, others) = (called.display(), others.join(" or "));
    Failure::Plain(format!("there is no kustomization file in {called}{hint}{others}"))
}

/// The environment of that name, or the only one whose last directories are that.
fn named<'a>(environments: &'a [Environment], name: &str) -> Result<&'a Environment, Failure> {
    let below = format!("/{name}");
    let exact = environments.iter().find(|it| it.name == name);
    let mut ending = environments.iter().filter(|it| it.name.ends_with(&below));
    let found = exact.or_else(|| ending.next().filter(|_| ending.next().is_none()));
    found.ok_or_else(|| {
        let names: Vec<&str> = environments.iter().map(|it| it.name.as_str()).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        Failure::Plain(format!("there is no environment `{name}`; there are: {names}"))
    })
}

/// The repository, its configuration, and which part of it the user is interested in.
struct Opened {
    sources: Sources,
    config: Config,
    scope: Scope,
}

fn open(options: &Options, paths: &[PathBuf], progress: &Progress) -> Result<Opened, Failure> {
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
fn add_file(sources: &mut Sources, root: &Path, path: &Path) -> Result<String, Failure> {
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
fn root_of(path: &Path) -> PathBuf {
    let dir = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    let is_root = |dir: &&Path| dir.join(config::FILE).exists() || dir.join(".git").exists();
    dir.ancestors().find(is_root).unwrap_or(dir).to_owned()
}

fn real(path: &Path) -> Result<PathBuf, Failure> {
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
