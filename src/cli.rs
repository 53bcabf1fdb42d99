//! The command line: what may be typed, and what it means.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use semver::Version;

use crate::{data::version, finding::Severity, selection::RuleSelector};

/// What the user asked for.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// What to do.
    pub command: Command,
    /// The form of the output; always one that the command has.
    pub format: Format,
    /// Where the output goes, unless to standard output.
    pub output: Option<PathBuf>,
    /// Whether to use colors.
    pub color: Color,
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

/// What can be done.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Report what is wrong, at the line to edit
    ///
    /// Reads the whole repository around PATHS, works out what every environment in it would run,
    /// and reports findings that touch PATHS: what is wrong in an overlay may be caused by a base.
    Check {
        /// Files or directories whose findings count [default: .]
        ///
        /// What is hidden, ignored by git or excluded by the configuration is looked into when it
        /// is named here.
        paths: Vec<PathBuf>,
        /// Exit with 1 also when there is no environment to check
        #[arg(long)]
        fail_on_empty: bool,
        /// Leave out what is hidden, ignored or excluded also when it is named
        #[arg(long)]
        force_exclude: bool,
        /// Only these rules: ids, categories or `pedantic`, with commas between them
        ///
        /// What cannot be read is reported all the same.
        #[arg(long, value_name = "RULES", value_delimiter = ',', value_parser = RuleSelector::parse)]
        select: Vec<RuleSelector>,
        /// All but these rules
        #[arg(long, value_name = "RULES", value_delimiter = ',', value_parser = RuleSelector::parse)]
        ignore: Vec<RuleSelector>,
    },
    /// Show the effective settings of every environment, and where each comes from
    Show {
        /// Directories or files whose environments to show [default: .]
        paths: Vec<PathBuf>,
    },
    /// Print the objects of a kustomization, a chart or an environment, as built
    Render {
        /// The directory of the kustomization, as for `kubectl kustomize`, or the directory or
        /// archive of a chart, as for `helm template` [default: .]
        path: Option<PathBuf>,
        /// Print the objects of this environment instead
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
    /// Explain a rule: what is wrong, why it matters, what to do
    Explain {
        /// The rule's id, as in `error[kubelet-insecure-tls]`
        rule: String,
    },
    /// List the rules
    Rules,
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
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
    /// SARIF 2.1.0, for code scanning (check)
    Sarif,
    /// For programs (check, show, render)
    Json,
    /// Kubernetes manifests (render)
    Yaml,
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
    /// `-v`: also what was skipped, and why; of a metrics-server also what stands around its settings.
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
    /// text, sarif (check), json or yaml (render) [default: text; render: yaml]
    #[arg(long, global = true, value_name = "FORMAT", hide_possible_values = true)]
    format: Option<Format>,
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
    /// Say also what was skipped, and why; `show`: also the pods, Services and rights
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

/// What the arguments of this process mean.
///
/// # Errors
/// Help that was asked for, and arguments that make no sense; the error knows how to print itself
/// and which exit status it has.
pub(crate) fn parse<I>(arguments: I) -> Result<Options, clap::Error>
where
    I: IntoIterator<Item = std::ffi::OsString>,
{
    let Typed { command, global } = Typed::try_parse_from(arguments)?;
    let format = format(&command, global.format)?;
    let fail_on = match global.fail_on {
        // The step that uploads a SARIF file comes after this one and must still run.
        None if format == Format::Sarif => None,
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
    Ok(Options { command, format, output, color, config, root, fail_on, detail, pedantic })
}

/// A version as people write it: `1.33`, `v1.33.2`.
fn kube_version(text: &str) -> Result<Version, String> {
    version::lenient(text).ok_or_else(|| "it is no version, such as 1.33".to_owned())
}

/// The format for `command`, which has not all of them.
fn format(command: &Command, asked: Option<Format>) -> Result<Format, clap::Error> {
    let (name, formats): (_, &[Format]) = match command {
        Command::Check { .. } => ("check", &[Format::Text, Format::Sarif, Format::Json]),
        Command::Show { .. } => ("show", &[Format::Text, Format::Json]),
        Command::Render { .. } => ("render", &[Format::Yaml, Format::Json]),
        Command::Explain { .. } => ("explain", &[Format::Text]),
        Command::Rules => ("rules", &[Format::Text, Format::Json]),
        Command::Completions { .. } => ("completions", &[Format::Text]),
    };
    match asked {
        None => Ok(formats[0]),
        Some(asked) if formats.contains(&asked) => Ok(asked),
        Some(_) => {
            let names: Vec<_> = formats
                .iter()
                .filter_map(ValueEnum::to_possible_value)
                .map(|it| it.get_name().to_owned())
                .collect();
            Err(Typed::command().error(
                clap::error::ErrorKind::InvalidValue,
                format!("`{name}` has no such format; it has: {}", names.join(", ")),
            ))
        }
    }
}

/// The completion script for `shell`.
pub(crate) fn completions(shell: Shell) -> Vec<u8> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Typed::command(), "metrics-server-lint", &mut out);
    // For bash the labels of a program with a hyphen in its name are not those that it looks for
    // (clap-rs/clap#6421).
    let script = String::from_utf8_lossy(&out);
    let name = "metrics__server__lint";
    script.replace("metrics__subcmd__server__subcmd__lint", name).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Result<Options, clap::Error> {
        parse(line.split(' ').map(Into::into))
    }

    #[test]
    fn the_definition_is_sound() {
        Typed::command().debug_assert();
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
            assert_eq!(options.format, Format::Json, "{line}");
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
        assert_eq!(options("x render").expect("render").format, Format::Yaml);
        let error = options("x show --format sarif").expect_err("show has no SARIF");
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("it has: text, json"), "{error}");
    }

    #[test]
    fn help_fits_a_terminal() {
        let mut command = Typed::command();
        command.build();
        let mut texts = vec![command.render_long_help().to_string()];
        texts.extend(command.get_subcommands_mut().map(|it| it.render_long_help().to_string()));
        for line in texts.iter().flat_map(|it| it.lines()) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
