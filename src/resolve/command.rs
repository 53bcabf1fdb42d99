//! Commands that install something, in scripts, build files and pipelines.

use std::sync::LazyLock;

use regex::Regex;

use crate::source;

/// Programs, and what they are told when they install what they name.
const INSTALL: &[(&str, &str)] = &[
    ("helm[23]?", r#"[\s"',](?:upgrade|install|template)[\s"',]"#),
    ("kubectl|oc|kubecolor", r#"[\s"',](?:apply|create|replace|patch|set)[\s"',]"#),
    ("minikube", r"addons\s+enable\s|--addons[\s=]"),
    (r"microk8s", r"\senable\s"),
    (r"microk8s\.enable", r"\s"),
    ("eksctl|aws", r"\s(?:create|update)[-\s]addon\s"),
    ("flux|argocd", r"\screate\s(?:\s*(?:helmrelease|hr|kustomization)\s)?"),
    ("arkade|tanzu", r"\sinstall\s"),
    ("curl|wget|Invoke-WebRequest", r"metrics-server\S*\.ya?ml\b"),
];

/// What may stand before a command on its line where not all is commands: keys, assignments, words
/// of a shell.
const BEFORE_COMMAND: &str = r#"^\s*(?:(?:-|!|@|sudo|then|do|else|if|while|until|time|exec|[\w.]+\s*:?=\s*\S*|[\w. -]+:(?:\s*[|>]-?)?|\$\(|["'`({\[])\s*)*$"#;

static COMMANDS: LazyLock<Vec<(Regex, Regex)>> = LazyLock::new(|| {
    let pair = |(program, told): &(&str, &str)| {
        let program = Regex::new(&format!(r#"(?:^|[\s"'`(@/=\[,])({program})[\s"',]"#)).ok()?;
        Some((program, Regex::new(told).ok()?))
    };
    INSTALL.iter().filter_map(pair).collect()
});

static BEFORE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(BEFORE_COMMAND).ok());

/// The commands in a line that install something, each with where it starts. Where not `all` lines
/// are commands, one is where a command begins.
pub(super) fn installing(line: &str, all: bool) -> impl Iterator<Item = (usize, &str)> {
    COMMANDS.iter().flat_map(move |(program, told)| {
        program.captures_iter(line).filter_map(move |found| {
            let at = found.get(1)?.start();
            let begins = line[..at].rfind([';', '|', '&']).map_or(0, |it| it + 1);
            let before = &line[begins..at];
            let command = &line[at..];
            let ends = command.find([';', '|']).into_iter().chain(command.find("&&")).min();
            let command = &command[..ends.unwrap_or(command.len())];
            let is_run = match all {
                true => !is_said(before),
                false => BEFORE.as_ref().is_some_and(|it| it.is_match(before)),
            };
            (told.is_match(command) && is_run).then_some((at, command))
        })
    })
}

/// Whether a command only shows the rest to a person.
pub(super) fn is_said(before: &str) -> bool {
    let words =
        ["echo", "printf", "print", "log", "info", "warn", "error", "usage", "say", "Write-Host"];
    let mut said = before.split(|it: char| !it.is_alphanumeric() && it != '-');
    said.any(|it| words.contains(&it)) && !before.contains('>') && !before.contains("tee ")
}

/// The lines of `text` that are no comments, each with where it starts: together with those that a
/// backslash continues, or that begin with an option, as in a folded block of YAML.
pub(super) fn lines(text: &str) -> Vec<(usize, &str)> {
    let mut lines: Vec<(usize, &str)> = Vec::new();
    let mut open = None;
    for (at, line) in source::lines(text) {
        let mut first = line.trim_start().chars();
        let is_option =
            first.next() == Some('-') && first.next().is_some_and(|it| !it.is_whitespace());
        if is_option && open.is_none() {
            open = lines.pop().map(|(start, _)| start);
        }
        let start = open.unwrap_or(at);
        // Nothing continues a comment.
        let ends = is_comment(&text[start..]) || !line.trim_end().ends_with(['\\', '`']);
        open = (!ends).then_some(start);
        if open.is_none() {
            lines.push((start, &text[start..at + line.len()]));
        }
    }
    lines.extend(open.map(|start| (start, &text[start..])));
    lines.retain(|(_, line)| !is_comment(line));
    lines
}

fn is_comment(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with(['#', ';']) || line.starts_with("//")
}
