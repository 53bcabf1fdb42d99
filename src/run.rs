//! The commands: from arguments to bytes and an exit status.

#![expect(
    clippy::disallowed_methods,
    reason = "commands read the configuration and write the output"
)]

mod chart;
mod check;
mod diff;
mod explain;
pub(crate) mod fix;
mod init;
mod issue;
mod lsp;
mod open;
mod render;
mod show;

use std::{
    ffi::OsString,
    fs::{self, OpenOptions},
    io::{self, IsTerminal, Write},
    path::Path,
};

use crate::{
    cli::{self, Color, Command, Format, LoadRestrictor, Options, OutputTarget, Verbosity},
    config,
    finding::{Finding, disturbs},
    report::{self, Progress, Report, Screen, TerminalOptions, Workflow},
    source::Sources,
};

/// Where a run writes.
pub struct Streams<'a> {
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    out_screen: Screen,
    err_screen: Screen,
    workflow: Workflow,
}

impl<'a> Streams<'a> {
    /// Those of a process: what they can show is what they and the environment variables say.
    pub fn standard<O, E>(out: &'a mut O, err: &'a mut E) -> Self
    where
        O: Write + IsTerminal,
        E: Write + IsTerminal,
    {
        let (out_screen, err_screen) = (Screen::of(out), Screen::of(err));
        Self { out, err, out_screen, err_screen, workflow: Workflow::here() }
    }

    /// Plain text, whatever the surroundings.
    pub fn plain(out: &'a mut dyn Write, err: &'a mut dyn Write) -> Self {
        let [out_screen, err_screen] = [Screen::NONE; 2];
        Self { out, err, out_screen, err_screen, workflow: Workflow::default() }
    }
}

/// Does what `arguments` say, the first of which is the program's name; the exit status.
pub fn run(arguments: impl IntoIterator<Item = OsString>, streams: &mut Streams<'_>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let options = match cli::parse(&arguments) {
        Ok(options) => options,
        Err(error) => return usage(&error, streams),
    };
    if let Some(file) = twice(&options.outputs) {
        let message = format!("error: two formats go to `{}`\n", file.display());
        // Nothing can be said any more when the terminal is gone.
        let _ = streams.err.write_all(message.as_bytes());
        return 2;
    }
    let mut run = Run { options: &options, arguments: &arguments, streams };
    run.command().unwrap_or_else(|failure| {
        run.fail(failure);
        2
    })
}

/// A file to which two of them go, by whatever names.
fn twice(outputs: &[OutputTarget]) -> Option<&Path> {
    let real = |file: &Path| {
        let (dir, name) = (file.parent()?, file.file_name()?);
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        file.canonicalize().or_else(|_| dir.canonicalize().map(|it| it.join(name))).ok()
    };
    let files: Vec<&Path> = outputs.iter().filter_map(|it| it.file.as_deref()).collect();
    let places: Vec<_> = files.iter().map(|it| real(it)).collect();
    let again = |at: usize| places[at].is_some() && places[..at].contains(&places[at]);
    // Devices such as /dev/stderr take what several write.
    (1..files.len()).find(|at| again(*at) && !files[*at].starts_with("/dev")).map(|at| files[at])
}

/// `text` without what does more to a terminal than appear.
fn shown(text: &str) -> String {
    let shown = |it: char| match it {
        '\n' => it.to_string(),
        it if disturbs(it) => it.escape_default().to_string(),
        it => it.to_string(),
    };
    text.chars().map(shown).collect()
}

/// Prints the help that was asked for, or what is wrong with the arguments.
fn usage(error: &clap::Error, streams: &mut Streams<'_>) -> u8 {
    let (stream, screen) = match error.use_stderr() {
        true => (&mut *streams.err, streams.err_screen),
        false => (&mut *streams.out, streams.out_screen),
    };
    let text = error.render();
    let (styled, plain) = (text.ansi().to_string(), shown(&text.to_string()));
    // What was typed may hold more than characters that appear.
    let is_plain = plain == text.to_string();
    // Nothing can be said any more when the terminal is gone.
    let _ = match screen.look(Color::Auto).color && is_plain {
        true => stream.write_all(styled.as_bytes()),
        false => stream.write_all(plain.as_bytes()),
    };
    u8::try_from(error.exit_code()).unwrap_or(2)
}

/// Why the tool could not do its job.
enum Failure {
    /// For a reason that has no place in a file.
    Plain(String),
    /// For reasons that stand in files: what cannot be done because of them, as a sentence.
    Found(Box<Sources>, String, Vec<Finding>),
}

/// The exit status.
type CommandResult = Result<u8, Failure>;

/// A name from the repository, as a part of a line.
fn one_line(name: &str) -> String {
    shown(&name.replace('\n', "\\n"))
}

/// What was asked for, and where the answer goes.
struct Run<'a, 'b> {
    options: &'a Options,
    /// What was typed, the program's name first.
    arguments: &'a [OsString],
    streams: &'a mut Streams<'b>,
}

impl Run<'_, '_> {
    fn command(&mut self) -> CommandResult {
        match &self.options.command {
            Command::Check(check) => self.check(check),
            Command::Show { what, environment } => self.show(what, environment),
            Command::Diff { base, head } => self.diff(base, head.as_deref()),
            Command::Report { paths, environment, keep } => self.issue(paths, environment, keep),
            Command::Render { path, environment, load_restrictor, origins, chart } => {
                let unrestricted = *load_restrictor == LoadRestrictor::None;
                match (environment, path.as_deref()) {
                    (Some(_), Some(path)) => Err(Failure::Plain(format!(
                        "an environment is more than `{}`: name one of them",
                        path.display()
                    ))),
                    (Some(_), None) if !chart.is_empty() => {
                        let why = "an environment has the values of its own charts: leave options for charts out";
                        Err(Failure::Plain(why.to_owned()))
                    }
                    (Some(name), None) => self.render_environment(name, *origins),
                    (None, Some(path)) if chart::is_chart(path, chart) => {
                        self.render_chart(path, chart, *origins)
                    }
                    (None, path) if !chart.is_empty() => {
                        let path = path.unwrap_or(Path::new(".")).display();
                        Err(Failure::Plain(format!(
                            "`{path}` is no chart: values, a release and a version of Kubernetes are \
                             for charts"
                        )))
                    }
                    (None, path) => self.render_kustomization(path, unrestricted, *origins),
                }
            }
            Command::Init => self.init(),
            Command::Lsp => Ok(lsp::lsp(self.options)),
            Command::Explain { what } => self.explain(*what),
            Command::Rules => {
                let terminal = self.streams.out_screen.terminal;
                self.write(|format, look| match format {
                    Format::Json => report::rules_json().into(),
                    _ if terminal => report::rules(look, |_| true).into(),
                    _ => report::rules(look.unbroken(), |_| true).into(),
                })
            }
            Command::Completions { shell } => self.write(|_, _| cli::completions(*shell)),
            Command::Man { command } => {
                let command = command.as_deref();
                // Nobody reads the language of `man`.
                if self.streams.out_screen.terminal && !self.options.only_files() {
                    let page = cli::page(command).map_err(Failure::Plain)?;
                    return self.write(|_, look| match look.color {
                        true => page.ansi().to_string().into(),
                        false => page.to_string().into(),
                    });
                }
                let page = cli::manual(command).map_err(Failure::Plain)?;
                self.write(|_, _| page.clone())
            }
        }
    }

    fn progress(&self) -> Progress {
        Progress::start(self.streams.err_screen.watched)
    }

    /// Writes the answer, which `form` gives, in each form where it is wanted.
    fn write(&mut self, mut form: impl FnMut(Format, TerminalOptions) -> Vec<u8>) -> CommandResult {
        let options = self.options;
        for target in &options.outputs {
            let look = match target.file {
                Some(_) => TerminalOptions::PLAIN,
                None => self.streams.out_screen.look(options.color),
            };
            self.write_to(target, &form(target.format, look))?;
        }
        Ok(0)
    }

    fn write_to(&mut self, target: &OutputTarget, bytes: &[u8]) -> Result<(), Failure> {
        if let Some(file) = &target.file {
            return fix::write_whole(file, bytes);
        }
        let bytes = match self.streams.workflow.listens {
            true => report::as_log(target.format, bytes),
            false => bytes.into(),
        };
        let out = &mut self.streams.out;
        match out.write_all(&bytes).and_then(|()| out.flush()) {
            // Whoever reads has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result.map_err(|error| Failure::Plain(format!("cannot write: {error}"))),
        }
    }

    /// Adds the findings to the page of the run, which has no limits on how many it shows.
    fn summarize(&mut self, report: &Report<'_>, failure: Option<&str>) {
        let Workflow { summary: Some(file), files, .. } = &self.streams.workflow else { return };
        if !self.options.has(Format::Github) {
            return;
        }
        let size = fs::metadata(file).map_or(0, |it| usize::try_from(it.len()).unwrap_or(0));
        let most = report::STEP_SUMMARY.saturating_sub(size);
        let text = report::markdown(report, failure, files.as_deref(), most);
        let file = OpenOptions::new().append(true).create(true).open(file);
        if let Err(error) = file.and_then(|mut it| it.write_all(text.as_bytes())) {
            self.say(&format!("warning: the summary of the step is not written: {error}\n"));
        }
    }

    /// Says on the side which repositories inside of this one are not looked into.
    fn tell_repositories(&mut self, sources: &Sources) {
        let options = self.options;
        let tells = (options.has(Format::Text) || options.has(Format::Concise))
            && options.detail > Verbosity::Quiet;
        if tells && !sources.repositories.is_empty() {
            let inner = sources.repositories.join(", ");
            self.say(&format!(
                "note: repositories of their own are not looked into, see --root: {inner}\n"
            ));
        }
    }

    /// Says how to find out why nothing was there to check.
    fn tell_where_to_look(&mut self, sources: &Sources) {
        let tells = self.options.has(Format::Text) && self.options.detail > Verbosity::Quiet;
        if tells && sources.iter().next().is_some() {
            self.say("note: --list-files says which files are looked into, and why or why not\n");
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
        let report = Report { findings, ..Report::of(sources) };
        let look = self.streams.err_screen.look(self.options.color);
        self.say(&report::text(&report, look, self.options.detail));
    }

    /// Says it on the side, where nobody may be.
    fn say(&mut self, text: &str) {
        let text = match self.streams.workflow.listens {
            true => &report::without_commands(text),
            false => text,
        };
        let _ = self.streams.err.write_all(text.as_bytes());
    }

    /// Tells why it could not be done.
    fn fail(&mut self, failure: Failure) {
        let options = self.options;
        let (sources, message, findings) = match failure {
            Failure::Plain(message) => (Sources::none(), message, Vec::new()),
            Failure::Found(sources, message, findings) => (*sources, message, findings),
        };
        let report = Report { findings, ..Report::of(&sources) };
        let error = Some(&*message);
        let told = |look| match &*report.findings {
            [] => format!("error: {}\n", shown(&message)),
            _ => report::text(&report, look, options.detail),
        };
        // What `init` writes is no report, and what is there is to stay.
        let is_init = matches!(options.command, Command::Init);
        let is_issue = matches!(options.command, Command::Report { .. });
        for target in options.outputs.iter().filter(|_| !is_init) {
            let text = match (target.format, &target.file) {
                // People are told on the side.
                (Format::Text | Format::Concise | Format::Yaml, None) => continue,
                // What is left of another run would be taken for the answer.
                (Format::Text | Format::Concise | Format::Yaml, Some(_)) => {
                    told(TerminalOptions::PLAIN)
                }
                (format, _) => report::for_programs(format, &report, error, None),
            };
            let text = if is_issue { report::struck_out(&text) } else { text };
            // The reason may be that nothing can be written there.
            let _ = self.write_to(target, text.as_bytes());
        }
        self.summarize(&report, error);
        let look = self.streams.err_screen.look(options.color);
        self.say(&told(look));
    }
}
