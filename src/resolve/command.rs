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

/// How a word may mean a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Means {
    /// It is that path.
    Exactly,
    /// It is with something filled in.
    Perhaps,
}

/// How a word of `text`, a command or a file in `dir`, may mean `path`.
pub(crate) fn means_any(dir: &str, text: &str, path: &str) -> Option<Means> {
    words(text).filter_map(|word| means(dir, word, path)).max()
}

/// The words of a command or of code that may be paths.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|it: char| it.is_whitespace() || "\"'=,()[]:".contains(it))
}

/// How a word in a file in `dir` may mean `path`: exactly, or with something filled in.
fn means(dir: &str, word: &str, path: &str) -> Option<Means> {
    let word = word.trim_start_matches("${path.module}/").trim_start_matches("$values/");
    let end = ["{{", "[[", "$", "*"].iter().filter_map(|it| word.find(it)).min();
    let literal = &word[..end.unwrap_or(word.len())];
    let is_path = literal.contains('/') || (end.is_none() && literal.contains('.'));
    if !is_path {
        return None;
    }
    let from = |dir: &str| source::join(dir, literal).filter(|it| !it.is_empty());
    let names = [from(""), from(dir)];
    let mut names = names.iter().flatten();
    match end {
        None => {
            // The command may run in some other directory.
            let inner = |it: &str| path.strip_suffix(it).is_some_and(|it| it.ends_with('/'));
            let is_it = |it: &String| it == path || (literal.contains('/') && inner(it));
            names.any(is_it).then_some(Means::Exactly)
        }
        Some(_) => {
            let covers = |it: &String| path.starts_with(&**it);
            names.any(covers).then_some(Means::Perhaps)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_means_a_path_from_the_root_or_from_its_file_or_with_something_filled_in() {
        let of = |word| means("deploy", word, "charts/ms/values.yaml");
        for word in [
            "charts/ms/values.yaml",
            "../charts/ms/values.yaml",
            "./ms/values.yaml",
            "$values/charts/ms/values.yaml",
        ] {
            assert_eq!(of(word), Some(Means::Exactly), "{word}");
        }
        for word in ["charts/{{", "../charts/${NAME}/values.yaml", "charts/*"] {
            assert_eq!(of(word), Some(Means::Perhaps), "{word}");
        }
        for word in ["", "values.yaml", "ms", "{{", "charts", "./", "charts/other/values.yaml"] {
            assert_eq!(of(word), None, "{word}");
        }
    }
}
