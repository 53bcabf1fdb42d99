//! The commands: from options to bytes and an exit status.

#![expect(clippy::disallowed_methods, reason = "this is the part of `main` that touches the world")]

use std::{
    fs,
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use metrics_server_lint::{
    analyze,
    cli::{self, Command, Detail, Format, LoadRestrictor, Options},
    config::{self, Config},
    discover,
    finding::Finding,
    nearest::nearest,
    problem::{Problem, ProblemKind},
    report::{self, Look, Progress, Report},
    resolve::{
        self,
        context::{Context, Purpose},
        environment::Environment,
        kustomize,
    },
    rules,
    settle::{self, Scope},
    source::{Sources, Text},
    tree::Node,
};

/// Does what `options` say.
pub(crate) fn run(options: &Options) -> ExitCode {
    match command(options) {
        Ok(code) => code,
        Err(failure) => {
            failure.tell(options);
            ExitCode::from(2)
        }
    }
}

/// Why the tool could not do its job.
enum Failure {
    /// For a reason that has no place in a file.
    Plain(String),
    /// For reasons that stand in files.
    Found(Box<Sources>, Vec<Finding>),
}

type Outcome = Result<ExitCode, Failure>;

fn command(options: &Options) -> Outcome {
    let look = Look::of(&io::stdout(), options.color);
    let look = if options.output.is_some() { Look { color: false, ..Look::PLAIN } } else { look };
    match &options.command {
        Command::Check { paths } => check(options, paths, look),
        Command::Show { paths } => show(options, paths, look),
        Command::Render { path, environment, load_restrictor, origins } => {
            let unrestricted = *load_restrictor == LoadRestrictor::None;
            match environment {
                Some(name) => render_environment(options, name, *origins),
                None => render_kustomization(options, path.as_deref(), unrestricted, *origins),
            }
        }
        Command::Explain { rule } => {
            let Some(rule) = rules::find(rule) else {
                let near = nearest(rule, rules::ids());
                let near = near.map_or_else(String::new, |it| format!("; did you mean `{it}`?"));
                return Err(Failure::Plain(format!("there is no rule `{rule}`{near}")));
            };
            write(options, report::explain(rule, look).as_bytes())
        }
        Command::Rules if options.format == Format::Json => {
            write(options, report::rules_json().as_bytes())
        }
        Command::Rules => write(options, report::rules(look).as_bytes()),
        Command::Completions { shell } => write(options, &cli::completions(*shell)),
    }
}

fn check(options: &Options, paths: &[PathBuf], look: Look) -> Outcome {
    let progress = Progress::start();
    let Opened { sources, config, scope } = open(options, paths, &progress)?;
    progress.stage("resolving the environments");
    let (environments, clusters) = analyze(&sources, &config);
    progress.stage("checking");
    let mut findings = metrics_server_lint::check(&clusters);
    findings.extend(settle::unmatched(&config, &environments));
    let settled = settle::settle(&sources, &config, findings, &scope);
    let elapsed = progress.finish();
    let report = Report {
        sources: &sources,
        environments: environments.into_iter().map(|it| it.name).collect(),
        findings: settled.findings,
        suppressed: settled.suppressed,
    };
    let text = match options.format {
        Format::Sarif => report::sarif(&report),
        Format::Json => report::json(&report),
        Format::Text | Format::Yaml => report::text(&report, look, options.detail, Some(elapsed)),
    };
    write(options, text.as_bytes())?;
    if options.output.is_some() && options.detail > Detail::Quiet {
        let look = Look::of(&io::stderr(), options.color);
        let _ = io::stderr().write_all(report::summary(&report, look, elapsed).as_bytes());
    }
    let fails = |it: &Finding| options.fail_on.is_some_and(|least| it.severity >= least);
    Ok(ExitCode::from(u8::from(report.findings.iter().any(fails))))
}

fn show(options: &Options, paths: &[PathBuf], look: Look) -> Outcome {
    let progress = Progress::start();
    let Opened { sources, config, scope } = open(options, paths, &progress)?;
    progress.stage("resolving the environments");
    let (environments, clusters) = analyze(&sources, &config);
    progress.finish();
    let mut shown: Vec<_> = environments.into_iter().zip(clusters).collect();
    shown.retain(|(environment, _)| {
        let entry = environment.entry.origin.written_at();
        entry.is_none_or(|span| scope.covers(&sources[span.file].path))
    });
    let text = match options.format {
        Format::Json => report::show_json(&sources, &shown),
        // Nothing breaks the lines of a table that is piped.
        _ if !io::stdout().is_terminal() || options.output.is_some() => {
            report::show(&sources, &shown, Look { width: 120, ..look })
        }
        _ => report::show(&sources, &shown, look),
    };
    write(options, text.as_bytes())
}

fn render_kustomization(
    options: &Options,
    path: Option<&Path>,
    unrestricted: bool,
    origins: bool,
) -> Outcome {
    let paths = path.map(Path::to_owned);
    let progress = Progress::start();
    let Opened { sources, config, scope } = open(options, paths.as_slice(), &progress)?;
    progress.stage("building");
    let dir = scope.0.first().cloned().unwrap_or_default();
    if !sources.is_dir(&dir) {
        return Err(Failure::Plain(format!("`{dir}` is not a directory with files in it")));
    }
    let context = Context::new(&sources, &config, Purpose::Render);
    let how = kustomize::Options { unrestricted, ..kustomize::Options::default() };
    let build = kustomize::build(&context, &dir, &how);
    drop(progress);
    let objects: Vec<&Node> = build.objects.iter().collect();
    let text = rendered(options, &sources, &objects, &build.problems, origins);
    finish_render(options, sources, &build.problems, &text)
}

fn render_environment(options: &Options, name: &str, origins: bool) -> Outcome {
    let progress = Progress::start();
    let Opened { sources, config, .. } = open(options, &[], &progress)?;
    progress.stage("resolving the environments");
    let context = Context::new(&sources, &config, Purpose::Render);
    let environments = resolve::resolve(&context);
    drop(progress);
    let Environment { objects, problems, .. } = named(&environments, name)?;
    let objects: Vec<&Node> = objects
        .iter()
        .filter(|it| it.release.is_none() && !it.suspended)
        .map(|it| &it.node)
        .collect();
    let text = rendered(options, &sources, &objects, problems, origins);
    let problems = problems.clone();
    finish_render(options, sources, &problems, &text)
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

fn rendered(
    options: &Options,
    sources: &Sources,
    objects: &[&Node],
    problems: &[Problem],
    origins: bool,
) -> String {
    match options.format {
        Format::Json => report::render_json(sources, objects, problems, origins),
        _ => report::render_yaml(sources, objects, origins),
    }
}

/// Writes `text`, unless the real tool would have refused; other problems are told on the side.
fn finish_render(options: &Options, sources: Sources, problems: &[Problem], text: &str) -> Outcome {
    let refused = problems.iter().any(|it| it.kind == ProblemKind::BuildFails);
    if refused {
        let problems: Vec<_> =
            problems.iter().filter(|it| it.kind == ProblemKind::BuildFails).cloned().collect();
        return Err(Failure::Found(Box::new(sources), rules::problems(&problems, None)));
    }
    if options.format != Format::Json && options.detail > Detail::Quiet && !problems.is_empty() {
        tell(&sources, rules::problems(problems, None), options);
    }
    write(options, text.as_bytes())
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
    let scope = match &*paths {
        [] => Scope::all(),
        paths => Scope(paths.iter().map(|it| within(&root, it)).collect::<Result<_, _>>()?),
    };
    let mut sources = discover::open(&root, &|| progress.file())
        .map_err(|error| Failure::Plain(format!("cannot read `{}`: {error}", root.display())))?;
    let file = match &options.config {
        None => sources.find(config::FILE),
        Some(path) => add_config(&mut sources, &root, path)?,
    };
    match file.map(|file| config::read(&sources, file, &rules::ids())) {
        None => Ok(Opened { sources, config: Config::default(), scope }),
        Some(Ok(config)) => Ok(Opened { sources, config, scope }),
        Some(Err(findings)) => Err(Failure::Found(Box::new(sources), findings)),
    }
}

/// The configuration at `path` as one of the sources, also when it lies outside the root.
fn add_config(
    sources: &mut Sources,
    root: &Path,
    path: &Path,
) -> Result<Option<metrics_server_lint::source::FileId>, Failure> {
    let place = real(path)?;
    let text = fs::read_to_string(&place)
        .map_err(|error| Failure::Plain(format!("cannot read `{}`: {error}", path.display())))?;
    let shown = within(root, &place).unwrap_or_else(|_| place.display().to_string());
    if sources.find(&shown).is_none() {
        sources.add(shown.clone(), Text::Utf8(text));
    }
    Ok(sources.find(&shown))
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

fn write(options: &Options, bytes: &[u8]) -> Outcome {
    let written = match &options.output {
        Some(file) => fs::write(file, bytes)
            .map_err(|error| Failure::Plain(format!("cannot write `{}`: {error}", file.display()))),
        None => match io::stdout().write_all(bytes).and_then(|()| io::stdout().flush()) {
            // Whoever reads has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result.map_err(|error| Failure::Plain(format!("cannot write: {error}"))),
        },
    };
    written.map(|()| ExitCode::SUCCESS)
}

/// Says on standard error what is wrong.
fn tell(sources: &Sources, findings: Vec<Finding>, options: &Options) {
    let report = Report { sources, findings, environments: Vec::new(), suppressed: 0 };
    let look = Look::of(&io::stderr(), options.color);
    let text = report::text(&report, look, options.detail, None);
    let _ = io::stderr().write_all(text.as_bytes());
}

impl Failure {
    fn tell(self, options: &Options) {
        let is_sarif = options.format == Format::Sarif;
        match self {
            Self::Plain(message) => {
                if is_sarif {
                    let _ = write(options, report::sarif_failure(None, &message, &[]).as_bytes());
                }
                let _ = writeln!(io::stderr(), "error: {message}");
            }
            Self::Found(sources, findings) => {
                if is_sarif {
                    let log = report::sarif_failure(Some(&sources), "", &findings);
                    let _ = write(options, log.as_bytes());
                }
                tell(&sources, findings, options);
            }
        }
    }
}
