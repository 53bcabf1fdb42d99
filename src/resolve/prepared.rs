//! What programs of the repository make before anything is built: files that are not in it, and that
//! are there when they are needed.

use std::sync::LazyLock;

use indexmap::IndexMap;
use regex::Regex;

use crate::{
    ascii,
    problem::Problem,
    relevance::is_script,
    resolve::command,
    source::{self, FileId, Sources},
    tree::{Origin, Reason},
};

/// That `path`, which something at `at` names, leads nowhere, as `why` says. What a template names is
/// made with what the template makes, and what a program writes is made before the build.
pub(crate) fn leads_nowhere(
    sources: &Sources,
    at: &Origin,
    path: &str,
    why: impl Into<Reason>,
) -> Problem {
    let file = at.written_at().map(|it| it.file);
    if file.is_some_and(|it| sources.is_template(it)) {
        return Problem::unresolved(at, why);
    }
    match maker(sources, path) {
        Some(maker) => {
            let maker = &sources[maker].path;
            Problem::unresolved(at, format!("{path} is not in the repository: {maker} makes it"))
        }
        None => Problem::refused(at, why),
    }
}

/// The program that makes the file or directory `path`, or a directory that it would lie in.
pub(crate) fn maker(sources: &Sources, path: &str) -> Option<FileId> {
    if path.is_empty() {
        return None;
    }
    let written = sources.keep(Written::of);
    let outer = std::iter::successors(Some(path), |it| Some(source::parent(it)));
    let outer = outer.skip(1).take_while(|it| !it.is_empty() && !sources.is_dir(it));
    std::iter::once(path).chain(outer).filter_map(|it| written.by(it)).min()
}

/// What the programs of a repository write, by the last of its names.
struct Written(IndexMap<Box<str>, Vec<(Box<str>, FileId)>>);

impl Written {
    fn of(sources: &Sources) -> Self {
        let mut all = IndexMap::<Box<str>, Vec<_>>::new();
        for (file, it) in sources.iter().filter(|(_, it)| runs_commands(&it.path)) {
            for word in written(sources.text(file), &it.path) {
                let Some(name) = names(&word).next().map(Box::from) else { continue };
                all.entry(name).or_default().push((word.into(), file));
            }
        }
        all.values_mut().for_each(Vec::dedup);
        Self(all)
    }

    /// The first program that writes `path`.
    fn by(&self, path: &str) -> Option<FileId> {
        let words = self.0.get(source::file_name(path))?;
        words.iter().find(|(word, _)| means(word, path)).map(|(_, file)| *file)
    }
}

/// Whether the file at `path` is a script, or a pipeline with commands in it.
pub(crate) fn runs_commands(path: &str) -> bool {
    let name = source::file_name(path);
    let in_pipelines = [
        ".github/",
        ".circleci/",
        ".gitlab/",
        ".buildkite/",
        ".woodpecker/",
        ".azure-pipelines/",
        ".tekton/",
    ];
    let stem = name.trim_start_matches('.').split('.').next().unwrap_or_default();
    let pipelines = ["gitlab-ci", "travis", "drone", "woodpecker", "cloudbuild", "buildspec"];
    is_script(path)
        || in_pipelines.iter().any(|it| path.starts_with(it))
        || pipelines.contains(&stem)
        || stem.ends_with("-pipelines")
        || matches!(
            stem,
            "Taskfile" | "taskfile" | "Dockerfile" | "Containerfile" | "Earthfile" | "action"
        )
        || matches!(name, "mise.toml" | ".mise.toml" | "package.json")
}

/// A word of a shell that may be a path, with what stands for other text in it.
const WORD: &str = r#"((?:\$\([^)]*\)|\$?\{\{[^}]*\}\}|[^\s"'`;|&<>()])+)"#;

/// What stands before the name of what a command writes.
static OUTPUT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let before = [
        r">{1,2}\|?",
        r"\btee\s(?:\s*-a\s)?",
        r"\s(?:-o|-O|-d|-C|--(?:output|output-dir|output-document|dest|destination|directory|untardir|prefix))[\s=]",
        // A target of make, and where a pipeline puts another repository.
        r"(?m:^)\s*path:",
    ];
    ascii::pattern(&format!(r#"(?:{})\s*["']?{WORD}"#, before.join("|")))
});

/// Commands that write what their last words name, copies by the names of what is copied too.
static LAST: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let names = r"cp|mv|ln|install|rsync|mkdir|touch|git\s+clone|Copy-Item|Move-Item|New-Item";
    let before = r"(?:(?:[-@!({]+|\$\(|sudo|run:|RUN|cmd:|then|do)\s*)*";
    ascii::pattern(&format!(r"^\s*{before}(?:{names})\s+(.*)"))
});

/// What `text`, a program at `at`, writes: words that may be paths.
fn written(text: &str, at: &str) -> Vec<String> {
    let (Some(output), Some(last)) = (&*OUTPUT, &*LAST) else { return Vec::new() };
    let is_make = source::extension(at) == "mk" || source::file_name(at).ends_with("akefile");
    let mut all = Vec::new();
    for (_, line) in command::lines(text) {
        let target = line.split_once(':').filter(|(it, _)| is_make && !it.starts_with('\t'));
        let targets = target.into_iter().flat_map(|(it, _)| it.split_whitespace());
        let outputs = output.captures_iter(line).filter_map(|it| it.get(1));
        all.extend(targets.map(str::to_owned));
        all.extend(outputs.map(|it| bare(it.as_str()).to_owned()));
        for command in line.split([';', '|', '&']) {
            let words = last.captures(command).and_then(|it| it.get(1));
            let words = words.map_or("", |it| it.as_str()).split_whitespace();
            let words: Vec<&str> = words.filter(|it| !it.starts_with('-')).map(bare).collect();
            let Some((into, from)) = words.split_last() else { continue };
            all.extend(from.iter().map(|it| format!("{into}/{}", source::file_name(it))));
            all.extend(from.iter().skip(1).chain([into]).map(|it| (*it).to_owned()));
        }
    }
    all
}

/// A word without quotes.
fn bare(word: &str) -> &str {
    word.trim_matches(['"', '\'', '`', '{', '}', ')'])
}

/// Whether `word` may mean `path`, in whatever directory it is run: the names from the last one on
/// are the same, as far as both go.
fn means(word: &str, path: &str) -> bool {
    let (mut words, mut of_path) = (names(word), path.rsplit('/'));
    let is_absolute = word.starts_with('/');
    let is_last = words.next() == of_path.next();
    is_last
        && !is_absolute
        && words
            .take_while(|it| *it != "..")
            .zip(of_path)
            .all(|(word, name)| word == name || word.contains(['$', '{', '}', '*', '(']))
}

/// The names in a word that may be a path, from the last one.
fn names(word: &str) -> impl Iterator<Item = &str> {
    word.trim_end_matches('/').rsplit('/').filter(|it| !matches!(*it, "" | "."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixture;

    /// Whether a script with that line makes `deploy/ms/gen/values.yaml`.
    fn makes(at: &str, line: &str) -> bool {
        let files = format!("\n//- deploy/ms/kustomization.yaml\na: 1\n//- {at}\n{line}\n");
        maker(&fixture(&files), "deploy/ms/gen/values.yaml").is_some()
    }

    #[test]
    fn what_a_command_writes_is_made() {
        for line in [
            "sed s/a/b/ in.yaml > deploy/ms/gen/values.yaml",
            "envsubst < a.tpl > \"$DIR/gen/values.yaml\"",
            "cat <<EOF >gen/values.yaml",
            "cat > values.yaml <<'EOF'",
            "helm template x | tee gen/values.yaml",
            "curl -sSL -o gen/values.yaml https://example.com/v.yaml",
            "curl -sSL https://example.com/v.yaml --output=./gen/values.yaml",
            "cp template/values.yaml deploy/ms/gen/",
            "cp \"$src/values.yaml\" \"$dst\"",
            "cd deploy && mv a.yaml ${ROOT}/gen/values.yaml",
            "mkdir -p deploy/ms/gen",
            "git clone https://example.com/x deploy/ms/gen",
            "helm pull x --untar --untardir deploy/ms/gen",
            "ln -s ../values.yaml gen/values.yaml",
        ] {
            assert!(makes("scripts/build.sh", line), "{line}");
        }
        assert!(makes("Makefile", "deploy/ms/gen/values.yaml: template.yaml"));
        assert!(makes(".github/workflows/ci.yaml", "run: sed s/a/b/ a.yaml > gen/values.yaml"));
        assert!(makes(".github/workflows/ci.yaml", "  path: deploy/ms/gen"));
        assert!(makes("Taskfile.yml", "- touch deploy/ms/gen/values.yaml"));
    }

    #[test]
    fn what_a_command_reads_is_not_made() {
        for line in [
            "kubectl apply -f deploy/ms/gen/values.yaml",
            "helm install x -f gen/values.yaml > out.log",
            "cp deploy/ms/gen/values.yaml /tmp/x.yaml",
            "sed s/a/b/ x > other/values.yaml",
            "cat x > /tmp/values.yaml",
            "mkdir -p deploy/ms",
            "# cat x > deploy/ms/gen/values.yaml",
        ] {
            assert!(!makes("scripts/build.sh", line), "{line}");
        }
        assert!(!makes("README.md", "cat x > deploy/ms/gen/values.yaml"));
    }
}
