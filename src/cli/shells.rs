//! What shells and `man` are told of the command line.

use clap::{
    Arg,
    builder::{PossibleValue, StyledStr},
};
use clap_complete::Shell;

use super::definition;
use crate::nearest::nearest;

/// The completion script for `shell`.
pub(crate) fn completions(shell: Shell) -> Vec<u8> {
    let mut out = Vec::new();
    let mut definition = shown();
    clap_complete::generate(shell, &mut definition, "metrics-server-lint", &mut out);
    // For bash the labels of a program with a hyphen in its name are not those that it looks for
    // (clap-rs/clap#6421).
    let script = String::from_utf8_lossy(&out);
    let name = "metrics__server__lint";
    let mut script = script.replace("metrics__subcmd__server__subcmd__lint", name);
    if shell == Shell::Fish {
        // What has no option before it is left out for fish.
        script.extend(definition.get_subcommands().map(words_for_fish));
    }
    script.into_bytes()
}

/// What may be typed, without what commands take and do not show: shells offer all that they are told.
fn shown() -> clap::Command {
    let whole = definition();
    let globals: Vec<&Arg> = whole.get_arguments().collect();
    let plain = |it: &Arg| match it.get_id().as_str() {
        // The colon would end what zsh is told of it.
        "format" => it.clone().global(false).value_name("FORMAT"),
        _ => it.clone().global(false),
    };
    let command = |it: &clap::Command| {
        let is_other =
            |global: &&Arg| it.get_arguments().all(|own| own.get_id() != global.get_id());
        let all = it.get_arguments().chain(globals.iter().copied().filter(is_other));
        let args: Vec<Arg> = all.filter(|it| !it.is_hide_set()).map(plain).collect();
        let about = it.get_about().cloned().unwrap_or_default();
        clap::Command::new(it.get_name().to_owned()).about(about).args(args)
    };
    clap::Command::new(whole.get_name().to_owned())
        .version(env!("CARGO_PKG_VERSION"))
        .args(whole.get_arguments().map(plain))
        .subcommands(whole.get_subcommands().map(command))
}

/// A line of a script for fish: what the arguments of `command` may be, each with what it is.
fn words_for_fish(command: &clap::Command) -> String {
    let values = command.get_positionals().flat_map(Arg::get_possible_values);
    let word = |it: PossibleValue| {
        let help = it.get_help().map(ToString::to_string).unwrap_or_default();
        format!("{}\t'{}'", it.get_name(), help.replace('\'', "\\'"))
    };
    let words: Vec<String> = values.map(word).collect();
    if words.is_empty() {
        return String::new();
    }
    let name = command.get_name();
    let words = words.join("\n").replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$");
    let condition = format!("__fish_metrics_server_lint_using_subcommand {name}");
    format!("complete -c metrics-server-lint -n \"{condition}\" -f -a \"{words}\"\n")
}

/// The manual page of the program, or of one of its commands, in the language of `man`.
///
/// # Errors
/// That there is no such command.
pub(crate) fn manual(command: Option<&str>) -> Result<Vec<u8>, String> {
    let described = described(command)?.version(env!("CARGO_PKG_VERSION"));
    let page = clap_mangen::Man::new(described).manual("metrics-server-lint");
    let mut out = Vec::new();
    page.render(&mut out).map(|()| out).map_err(|error| error.to_string())
}

/// What that page says as text.
///
/// # Errors
/// That there is no such command.
pub(crate) fn page(command: Option<&str>) -> Result<StyledStr, String> {
    described(command).map(|mut it| it.render_long_help())
}

/// The program, or the command of that name.
fn described(command: Option<&str>) -> Result<clap::Command, String> {
    let mut definition = definition();
    definition.build();
    let Some(name) = command else { return Ok(definition) };
    if let Some(command) = definition.find_subcommand(name) {
        return Ok(command.clone());
    }
    let near = nearest(name, definition.get_subcommands().map(clap::Command::get_name));
    let near = near.map_or_else(String::new, |it| format!("; did you mean `{it}`?"));
    Err(format!("there is no command `{name}`{near}"))
}
