//! The command line: what may be typed, and what it means.

mod parsers;
mod shells;

pub(crate) use shells::{completions, manual, page};

use std::path::PathBuf;

use self::parsers::{CommandParser, OutputParser, RuleParser, SeverityParser};
use clap::{
    Arg, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum,
    error::ErrorKind,
};
use clap_complete::Shell;
use semver::Version;

use crate::{data::version, finding::Severity, selection::RuleSelector, settings};

/// What the user asked for.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// What to do.
    pub command: Command,
    /// What is written where; at least one, and at most one that goes to standard output.
    pub outputs: Vec<OutputTarget>,
    /// Whether to use colors.
    pub color: Color,
    /// `--output`
    pub output: Option<PathBuf>,
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--root`
    pub root: Option<PathBuf>,
    /// From which severity on findings make the exit status 1; `None` is never.
    pub fail_on: Option<Severity>,
    /// How much to say.
    pub detail: Verbosity,
    /// Whether to show also what nobody has to mend.
    pub pedantic: bool,
}

/// A form of the output, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OutputTarget {
    /// The form; always one that the command has.
    pub format: Format,
    /// Where it goes, unless to standard output.
    pub file: Option<PathBuf>,
}

impl Options {
    /// Whether something is written in that form.
    pub(crate) fn has(&self, format: Format) -> bool {
        self.outputs.iter().any(|it| it.format == format)
    }

    /// Whether standard output gets nothing.
    pub(crate) fn only_files(&self) -> bool {
        self.outputs.iter().all(|it| it.file.is_some())
    }
}

/// What can be done.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Report what is wrong, at the line to edit
    ///
    /// Reads the whole repository around PATHS, works out what every environment in it would run,
    /// and reports findings that have a place in PATHS. What is wrong in an overlay may be so in its
    /// base: --environment reports all of an environment.
    Check(CheckOptions),
    /// Show the effective settings of every environment, and where each comes from
    ///
    /// Environments stand side by side, with what somebody wrote and what differs; -v shows
    /// everything that is known of each.
    Show {
        /// What to show: directories or files, environments, or the name of a setting, such as
        /// memory-limit, which is told with every place on its way [default: .]
        #[arg(value_name = "PATH|ENVIRONMENT|SETTING")]
        what: Vec<PathBuf>,
        /// Only this environment: its name, else its last directories, or a pattern; may be given
        /// several times
        #[arg(long, value_name = "NAME")]
        environment: Vec<String>,
    },
    /// Show what differs between two trees in what every environment would run
    ///
    /// Compares the effective settings and the findings, not the files: what changes, where, and
    /// in which environments.
    Diff {
        /// The directory of the tree as it was, such as a checkout of the base branch
        base: PathBuf,
        /// The directory of the tree as it is [default: the repository around .]
        head: Option<PathBuf>,
    },
    /// Print what a public issue needs, without private words
    ///
    /// Tells what `show` and `check` say as JSON, in which only words stay that everybody in the field
    /// uses, and amounts; every other one is replaced by the same stand-in everywhere, such as dir-1.
    /// Read it before you post it.
    Report {
        /// What to report: directories or files [default: .]
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// Only this environment: its name, else its last directories, or a pattern; may be given
        /// several times
        #[arg(long, value_name = "NAME")]
        environment: Vec<String>,
        /// A word that is not private; may be given several times
        #[arg(long, value_name = "WORD")]
        keep: Vec<String>,
    },
    /// Print the objects of a kustomization, a chart or an environment, as built
    Render {
        /// The directory of the kustomization, as for `kubectl kustomize`, or the directory or
        /// archive of a chart, as for `helm template` [default: .]
        path: Option<PathBuf>,
        /// Print the objects of this environment instead: its name, else its last directories, or a
        /// pattern
        #[arg(long, value_name = "NAME")]
        environment: Option<String>,
        /// Which files a kustomization may name: root-only (those in and below its directory) or
        /// none (any)
        #[arg(
            long,
            value_name = "WHICH",
            default_value = "root-only",
            hide_possible_values = true
        )]
        load_restrictor: LoadRestrictor,
        /// Add the file and line of every value that comes from somewhere else
        #[arg(long)]
        origins: bool,
        #[command(flatten)]
        chart: ChartOptions,
    },
    /// Write a configuration with the environments that are found, to be filled in
    ///
    /// Writes `.metrics-server-lint.yaml` in the root, or the file that --output names (`-` prints
    /// it). A file that is there stays as it is.
    Init,
    /// Speak with an editor, as a language server on standard input and output
    Lsp,
    /// Explain a rule: what is wrong, why it matters, what to do
    ///
    /// At a terminal, and with --root, it says also where the rule finds something here.
    Explain {
        /// The rule's id, as in `error[kubelet-insecure-tls]`; a category lists its rules
        #[arg(value_name = "RULE", value_parser = RuleParser, hide_possible_values = true)]
        what: RuleSelector,
    },
    /// List the rules
    Rules,
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page of the program, or of one of its commands
    ///
    /// At a terminal it is the text; elsewhere, as in `man check | man -l -`, it is what `man` reads.
    Man {
        /// The command
        #[arg(value_parser = CommandParser, hide_possible_values = true)]
        command: Option<String>,
    },
}

/// What is checked, and what is said of it.
#[derive(Debug, Clone, Args)]
pub(crate) struct CheckOptions {
    /// Files or directories whose findings count, or `-` for manifests from standard input
    /// [default: .]
    ///
    /// What is hidden, ignored by git or excluded by the configuration is looked into when it
    /// is named here.
    pub paths: Vec<PathBuf>,
    /// Exit with 1 also when there is no environment to check
    #[arg(long)]
    pub fail_on_empty: bool,
    /// Leave out what is hidden, ignored or excluded also when it is named
    #[arg(long)]
    pub force_exclude: bool,
    /// Only these rules: ids, categories or `pedantic`, with commas between them
    ///
    /// What cannot be read is reported all the same.
    #[arg(
        long,
        value_name = "RULES",
        value_delimiter = ',',
        value_parser = RuleParser,
        hide_possible_values = true
    )]
    pub select: Vec<RuleSelector>,
    /// All but these rules
    #[arg(
        long,
        value_name = "RULES",
        value_delimiter = ',',
        value_parser = RuleParser,
        hide_possible_values = true
    )]
    pub ignore: Vec<RuleSelector>,
    /// Only findings of this environment: its name, else its last directories, or a pattern; may be
    /// given several times
    #[arg(long, value_name = "NAME")]
    pub environment: Vec<String>,
    /// Show only what is at least this bad: error, warning or note
    ///
    /// What is not shown is counted, and fails all the same: see --fail-on.
    #[arg(
        long,
        value_name = "SEVERITY",
        default_value = "note",
        value_parser = SeverityParser,
        hide_possible_values = true
    )]
    pub min_severity: Severity,
    /// Print which files are looked into, each with the reason, and check nothing
    #[arg(long, conflicts_with = "write_baseline")]
    pub list_files: bool,
    #[command(flatten)]
    pub fixes: FixOptions,
    #[command(flatten)]
    pub known: KnownOptions,
}

/// Which findings are mended.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options for fixes")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch that somebody types")]
pub(crate) struct FixOptions {
    /// Mend what can be mended without changing anything else, and report what is left
    ///
    /// An edit is made only when the repository, resolved with it, has the finding no more, has no
    /// new one, and no other setting of any environment is changed.
    #[arg(long, conflicts_with_all = ["list_files", "write_baseline"])]
    pub fix: bool,
    /// Mend also what a person has to look at; with --fix or --diff
    #[arg(long, conflicts_with_all = ["list_files", "write_baseline"])]
    pub unsafe_fixes: bool,
    /// Show with each finding what would mend it, in text and JSON; SARIF and rdjson always do
    #[arg(long, conflicts_with = "list_files")]
    pub show_fixes: bool,
    /// Print what --fix would change as a patch, and change nothing
    #[arg(long, conflicts_with_all = ["list_files", "write_baseline"])]
    pub diff: bool,
}

impl FixOptions {
    /// Whether something is to be mended, in the files or as a patch.
    pub(crate) fn mends(&self) -> bool {
        self.fix || self.diff
    }
}

/// Which findings are known already, and not reported.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options for old findings")]
pub(crate) struct KnownOptions {
    /// Only findings that this file does not list
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Write all findings to the file of --baseline first
    #[arg(
        long,
        requires = "baseline",
        conflicts_with_all = ["select", "ignore", "environment", "since"]
    )]
    pub write_baseline: bool,
    /// Only findings that the tree in DIR, such as a checkout of the base branch, does not have
    #[arg(long, value_name = "DIR")]
    pub since: Option<PathBuf>,
}

/// How a chart is rendered, as `helm template` has it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options for charts")]
pub(crate) struct ChartOptions {
    /// Values for the chart; later files win
    #[arg(long, short = 'f', value_name = "FILE")]
    pub values: Vec<PathBuf>,
    /// A value for the chart, `a.b=x`; wins over files
    #[arg(long, value_name = "K=V")]
    pub set: Vec<String>,
    /// The name of the release [default: release-name]
    #[arg(long, value_name = "NAME")]
    pub release_name: Option<String>,
    /// The namespace of the release [default: default]
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// The version of Kubernetes; what depends on it is unknown otherwise
    #[arg(long, value_name = "VERSION", value_parser = kube_version)]
    pub kube_version: Option<Version>,
    /// Print also what lies in `crds/`
    #[arg(long)]
    pub include_crds: bool,
}

impl ChartOptions {
    /// Whether nothing is said that only charts have.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { values, set, release_name, namespace, kube_version, include_crds } = self;
        values.is_empty()
            && set.is_empty()
            && release_name.is_none()
            && namespace.is_none()
            && kube_version.is_none()
            && !include_crds
    }
}

/// The forms of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For people, in three lines: what, where, and what to do
    Concise,
    /// For programs
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Annotations of GitHub Actions, and what the log and the step's summary show
    Github,
    /// Code Quality of GitLab
    Gitlab,
    /// `JUnit`, for what shows the results of tests
    Junit,
    /// The format of reviewdog
    Rdjson,
    /// For a summary or a comment
    Markdown,
    /// Kubernetes manifests
    Yaml,
}

impl Format {
    /// Those in which findings are told.
    pub(crate) const OF_FINDINGS: [Self; 9] = [
        Self::Text,
        Self::Concise,
        Self::Json,
        Self::Sarif,
        Self::Github,
        Self::Gitlab,
        Self::Junit,
        Self::Rdjson,
        Self::Markdown,
    ];

    /// Whether it tells how findings can be mended; what reads SARIF and rdjson offers it unasked.
    pub(crate) fn shows_fixes(self, asked: bool) -> bool {
        match self {
            Self::Sarif | Self::Rdjson => true,
            Self::Text | Self::Json => asked,
            _ => false,
        }
    }
}

/// When to use colors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Also in a pipe
    Always,
    /// Not at all
    Never,
}

/// Which files a kustomization may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LoadRestrictor {
    /// Only those in and below its own directory
    RootOnly,
    /// Any
    None,
}

/// How much to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    /// `-q`: one line a finding, nothing else.
    Quiet,
    /// Every finding with its places, and a summary.
    Normal,
    /// `-v`: also what could not be read, and why; of a metrics-server also what stands around its settings.
    Verbose,
}

/// What is typed, before it is given a meaning.
#[derive(Debug, Parser)]
#[command(
    name = "metrics-server-lint",
    version,
    about = "Find what breaks `kubectl top` and autoscaling before it is deployed",
    long_about = "Judges metrics-server, its APIService, the kubelets' serving certificates, their \
                  approver and the sizes of all of them, in a GitOps repository, offline, for every \
                  environment.",
    after_help = "Exit status: 0 nothing found, 1 findings (see --fail-on), 2 it could not be done.",
    max_term_width = 80,
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Typed {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    global: Global,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// Write in this form, to standard output or to FILE; may be given several times
    #[arg(
        long,
        global = true,
        value_name = "FORMAT[:FILE]",
        value_parser = OutputParser(Format::value_variants()),
        hide_possible_values = true
    )]
    format: Vec<OutputTarget>,
    /// Write to FILE instead of standard output
    #[arg(long, short, global = true, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Use colors: auto, always or never
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true
    )]
    color: Color,
    /// The configuration [default: .metrics-server-lint.yaml in the root]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The repository [default: what holds .metrics-server-lint.yaml or .git]
    #[arg(long, global = true, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Exit with 1 from error, warning or note on, or never [default: warning;
    /// with SARIF: never]
    #[arg(long, global = true, value_name = "SEVERITY", hide_possible_values = true)]
    fail_on: Option<FailOn>,
    /// Show also notes that nobody has to act on
    #[arg(long, global = true)]
    pedantic: bool,
    /// Print one line a finding
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say also what could not be read, and why; `show`: everything that is known
    #[arg(long, short, global = true)]
    verbose: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    Error,
    Warning,
    Note,
    Never,
}

/// The commands that write something of their own, and not what an editor asks for.
const WRITING: &[&str] = &[
    "check",
    "show",
    "diff",
    "report",
    "render",
    "init",
    "explain",
    "rules",
    "completions",
    "man",
];

/// The global options that say nothing to some commands, each with those whose help shows it.
const SCOPED: [(&str, &[&str]); 9] = [
    ("format", &["check", "show", "diff", "render", "rules"]),
    ("output", WRITING),
    ("color", WRITING),
    ("config", &["check", "show", "diff", "report", "render", "explain", "lsp"]),
    ("root", &["check", "show", "diff", "report", "render", "init", "explain", "lsp"]),
    ("fail_on", &["check", "diff"]),
    ("pedantic", &["check", "diff", "lsp"]),
    ("quiet", &["check", "show", "diff", "render"]),
    ("verbose", &["check", "show", "diff", "render"]),
];

/// The formats of the command of that name, its own first.
fn formats(command: &str) -> &'static [Format] {
    match command {
        "check" => &Format::OF_FINDINGS,
        "render" => &[Format::Yaml, Format::Json],
        "report" => &[Format::Json],
        "show" | "diff" => &[Format::Text, Format::Json, Format::Markdown],
        "rules" => &[Format::Text, Format::Json],
        _ => &[Format::Text],
    }
}

/// The names of `formats`, as a list in a sentence.
fn names(formats: &[Format]) -> String {
    let names = formats.iter().filter_map(ValueEnum::to_possible_value);
    names.map(|it| it.get_name().to_owned()).collect::<Vec<_>>().join(", ")
}

/// The definition of what may be typed. The help of a command shows the options that it has.
fn definition() -> clap::Command {
    let definition = Typed::command();
    let globals: Vec<Arg> =
        definition.get_arguments().filter(|it| it.is_global_set()).cloned().collect();
    // A command gets those global options that it has not itself.
    definition.mut_subcommands(|command| {
        let name = command.get_name().to_owned();
        let scoped = SCOPED.iter().filter(|(_, all)| !all.contains(&&*name));
        let (own, names) = (formats(&name), names(formats(&name)));
        let default = self::names(&own[..1]);
        let several = if name == "check" { "; with :FILE several" } else { "" };
        let format = format!("{names}{several} [default: {default}]");
        let command = match &*name {
            "show" => command.after_long_help(settings_help()),
            _ => command,
        };
        command.args(globals.iter().filter_map(|it| match it.get_id().as_str() {
            id if scoped.clone().any(|(scoped, _)| *scoped == id) => Some(it.clone().hide(true)),
            "format" => Some(it.clone().help(&format).value_parser(OutputParser(own))),
            "quiet" if name != "check" => Some(it.clone().help("Tell no notes on the side")),
            "fail_on" if name == "diff" => Some(it.clone().help(
                "Exit with 1 when an error, warning or note appears, or never [default: never]",
            )),
            _ => None,
        }))
    })
}

/// The settings that `show` knows by name.
fn settings_help() -> String {
    let mut lines = vec!["Settings:".to_owned()];
    for name in settings::names() {
        match lines.last_mut() {
            Some(line) if lines_fit(line, &name) => *line += &format!(" {name}"),
            _ => lines.push(format!("  {name}")),
        }
    }
    lines.push("  and the flags that are passed, such as v".to_owned());
    lines.join("\n")
}

/// Whether `name` has room in `line`.
fn lines_fit(line: &str, name: &str) -> bool {
    line.starts_with(' ') && line.len() + 1 + name.len() <= 80
}

/// What the arguments of this process mean.
///
/// # Errors
/// Help that was asked for, and arguments that make no sense; the error knows how to print itself
/// and which exit status it has.
pub(crate) fn parse<I>(arguments: I) -> Result<Options, clap::Error>
where
    I: IntoIterator<Item: Into<std::ffi::OsString> + Clone>,
{
    let mut definition = definition();
    let matches = definition.try_get_matches_from_mut(arguments)?;
    let Typed { command, global } = Typed::from_arg_matches(&matches)?;
    let name = matches.subcommand_name().unwrap_or_default();
    let outputs = outputs(name, global.format, global.output.clone())
        .map_err(|message| definition.error(ErrorKind::InvalidValue, message))?;
    if let Command::Check(CheckOptions { list_files: true, .. }) = command
        && outputs.iter().any(|it| it.format != Format::Text)
    {
        let message = "--list-files writes text";
        return Err(definition.error(ErrorKind::ArgumentConflict, message));
    }
    let fail_on = match global.fail_on {
        // The step that uploads a SARIF file comes after this one and must still run.
        None if outputs.iter().all(|it| it.format == Format::Sarif) => None,
        // What changes is no fault.
        None if name == "diff" => None,
        None | Some(FailOn::Warning) => Some(Severity::Warning),
        Some(FailOn::Error) => Some(Severity::Error),
        Some(FailOn::Note) => Some(Severity::Note),
        Some(FailOn::Never) => None,
    };
    let detail = match (global.quiet, global.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    };
    let Global { output, color, config, root, pedantic, .. } = global;
    Ok(Options { command, outputs, color, output, config, root, fail_on, detail, pedantic })
}

/// What the command of that name writes where: `file` is for what names none.
fn outputs(
    command: &str,
    mut asked: Vec<OutputTarget>,
    file: Option<PathBuf>,
) -> Result<Vec<OutputTarget>, String> {
    let own = formats(command);
    if asked.iter().any(|it| !own.contains(&it.format)) {
        return Err(format!("`{command}` has no such format; it has: {}", names(own)));
    }
    if asked.is_empty() {
        asked.push(OutputTarget { format: own[0], file: None });
    }
    let files: Vec<_> = asked.iter().filter_map(|it| it.file.as_deref()).collect();
    if let Some(twice) = files.iter().enumerate().find(|(at, it)| files[..*at].contains(it)) {
        return Err(format!("two formats go to `{}`", twice.1.display()));
    }
    let mut elsewhere = asked.iter_mut().filter(|it| it.file.is_none());
    match (elsewhere.next(), elsewhere.next()) {
        (Some(_), Some(other)) => {
            let name = names(&[other.format]);
            let hint = format!("write the others to files: `--format {name}:FILE`");
            Err(format!("only one format goes to standard output or --output; {hint}"))
        }
        (Some(one), None) => {
            one.file = file.filter(|it| it.as_os_str() != "-");
            Ok(asked)
        }
        (None, _) if file.is_some() => {
            Err("--output is for a format without a file, and all have one".to_owned())
        }
        (None, _) => Ok(asked),
    }
}

/// A version as people write it: `1.33`, `v1.33.2`.
fn kube_version(text: &str) -> Result<Version, String> {
    version::lenient(text).ok_or_else(|| "it is no version, such as 1.33".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Result<Options, clap::Error> {
        parse(line.split(' '))
    }

    #[test]
    fn the_definition_is_sound() {
        definition().debug_assert();
    }

    #[test]
    fn options_stand_before_and_after_the_command() {
        for line in [
            "x --config c --format json render d --root r --load-restrictor none",
            "x render d --root r --format json --config c --load-restrictor none",
            "x --root r render --load-restrictor none --config c d --format json",
        ] {
            let options = options(line).expect(line);
            assert_eq!(options.root, Some("r".into()), "{line}");
            assert_eq!(options.config, Some("c".into()), "{line}");
            assert!(options.has(Format::Json), "{line}");
        }
    }

    #[test]
    fn sarif_never_fails_unless_asked() {
        let fail_on = |line| options(line).expect(line).fail_on;
        assert_eq!(fail_on("x check"), Some(Severity::Warning));
        assert_eq!(fail_on("x check --format sarif"), None);
        assert_eq!(fail_on("x check --format sarif --fail-on note"), Some(Severity::Note));
        assert_eq!(fail_on("x --fail-on never check"), None);
    }

    #[test]
    fn a_command_has_its_own_formats() {
        assert!(options("x render").expect("render").has(Format::Yaml));
        let error = options("x show --format sarif").expect_err("show has no SARIF");
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("it has: text, json"), "{error}");
        let error = options("x render --format bogus").expect_err("there is none");
        assert!(error.to_string().contains("[possible values: yaml, json]"), "{error}");
    }

    #[test]
    fn several_formats_go_to_several_places() {
        let outputs = |line| options(line).expect(line).outputs;
        let to = |format, file: &str| {
            let file = Some(file.into()).filter(|it: &PathBuf| it.as_os_str() != "");
            OutputTarget { format, file }
        };
        let line = "x check --format text --format sarif:a.sarif --format json:c:d.json";
        let expected =
            [to(Format::Text, ""), to(Format::Sarif, "a.sarif"), to(Format::Json, "c:d.json")];
        assert_eq!(outputs(line), expected);
        let line = "x check --format sarif -o b --format json:-";
        assert!(options(line).is_err_and(|it| it.to_string().contains("only one format")));
        assert_eq!(outputs("x check --format sarif -o b"), [to(Format::Sarif, "b")]);
        assert_eq!(outputs("x check --format sarif -o -"), [to(Format::Sarif, "")]);
        let error = options("x check --format sarif:a --format json:a").expect_err("one file");
        assert!(error.to_string().contains("two formats go to `a`"), "{error}");
        let error = options("x check --format sarif:a -o b").expect_err("nothing is left for b");
        assert!(error.to_string().contains("all have one"), "{error}");
        let line = "x check --format sarif --format json:a.json";
        assert_eq!(options(line).expect(line).fail_on, Some(Severity::Warning));
    }

    #[test]
    fn help_shows_the_options_that_a_command_has() {
        let mut definition = definition();
        definition.build();
        let mut help = |name: &str| {
            let command = definition.find_subcommand_mut(name).expect(name);
            command.render_long_help().to_string()
        };
        assert!(help("check").contains("--fail-on"));
        assert!(!help("show").contains("--fail-on"));
        assert!(!help("rules").contains("--root"));
        assert!(!help("lsp").contains("--output") && help("lsp").contains("--root"));
        assert!(help("check").contains("one line a finding"));
        assert!(!help("show").contains("one line a finding"));
        assert!(help("show").contains("text, json, markdown [default: text]"));
    }

    #[test]
    fn help_fits_a_terminal() {
        let mut command = definition();
        command.build();
        let mut texts = vec![command.render_long_help().to_string()];
        texts.extend(command.get_subcommands_mut().map(|it| it.render_long_help().to_string()));
        for line in texts.iter().flat_map(|it| it.lines()) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
