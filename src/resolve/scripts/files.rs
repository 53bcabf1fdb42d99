//! What the files and directories are that commands name.

use regex::Regex;

use super::{
    Choice, CommandOutput, Session,
    argument::{HOLE, ShellArgument},
    values,
};
use crate::{
    parse,
    problem::Problem,
    resolve::{install, layout, names::environment_of},
    source::{self, FileId},
    tree::{Map, Node},
};

/// Words in the names of variables that say which environment it is.
const ENVIRONMENTS: [&str; 9] =
    ["env", "stage", "cluster", "region", "tier", "target", "site", "profile", "workspace"];

/// Why the values of a file are not known.
const UNREAD: &str = "these values are not read";

/// What matches the paths that `shape` may be, whose holes are `names`: those of one directory or part
/// of a name each. `None` where nothing else of it says that it is about environments.
fn pattern(shape: &str, names: &[String]) -> Option<Regex> {
    let start = shape.find(HOLE)?;
    let (before, after) = (&shape[..start], &shape[start + HOLE.len_utf8()..]);
    let (beside, is_file) = after.split_once('/').map_or((after, true), |(it, _)| (it, false));
    let beside = beside.trim_end_matches(".yaml").trim_end_matches(".yml");
    let is_part = !(before.is_empty() || before.ends_with('/')) || !beside.is_empty();
    let of_name =
        |it: &String| ENVIRONMENTS.iter().any(|word| it.to_ascii_lowercase().contains(word));
    // `values-X.yaml` and `values/X.yaml`, but `X/values.yaml` only where X is an environment.
    let is_choice = is_part
        || is_file && !before.is_empty()
        || names.iter().any(of_name)
        || environment_of(&shape.replace(HOLE, "x")).is_some();
    if !is_choice {
        return None;
    }
    let pattern = regex::escape(shape).replace(HOLE, "([^/]+)");
    Regex::new(&format!("^{pattern}$")).ok()
}

/// `node`, which stands behind what nobody can tell.
fn opened(node: &Node) -> Option<Node> {
    let mut map = Map::clone(node.as_map()?);
    map.open = Some("it is added to what is there already".into());
    Some(Node::new(map, node.origin.clone()))
}

impl Session<'_> {
    /// The paths of the repository that `argument` may mean, the likeliest first.
    pub(super) fn paths(&self, argument: &ShellArgument) -> Vec<String> {
        self.paths_of(argument.text.as_deref().unwrap_or_default())
    }

    fn paths_of(&self, text: &str) -> Vec<String> {
        let own = source::parent(&self.context.sources[self.file].path);
        values::paths(own, &self.dirs, Some(text))
    }

    /// What a file is called that commands write.
    pub(super) fn key(&self, file: &ShellArgument) -> Option<String> {
        if file.text.is_none() {
            // Whatever it is, it is what is called the same elsewhere.
            return (!file.raw.is_empty()).then(|| file.raw.replace(' ', ""));
        }
        self.paths(file).into_iter().next().or_else(|| file.text.clone())
    }

    /// What a file or an address holds that the command that runs takes, with what made it.
    pub(super) fn taken(&mut self, place: &ShellArgument) -> CommandOutput {
        let made = self.key(place).and_then(|it| self.made(&it));
        self.at.extend(made.into_iter().flat_map(|(_, at)| at));
        self.content(place)
    }

    /// Notes that a command that is not understood may change the file or directory it names.
    pub(super) fn touch(&mut self, file: &ShellArgument) {
        let sources = self.context.sources;
        let known = |it: &str| self.made.contains_key(it) || sources.find(it).is_some();
        if self.key(file).is_some_and(|it| known(&it)) {
            self.write(file, CommandOutput::Unknown, false);
        }
    }

    /// What a file, a directory or an address holds.
    pub(super) fn content(&self, place: &ShellArgument) -> CommandOutput {
        if place.head.contains("://") {
            return CommandOutput::Url(place.clone());
        }
        match self.key(place).and_then(|it| self.made(&it)) {
            Some((content, _)) => content,
            None => CommandOutput::Path(place.clone()),
        }
    }

    /// The values that `file` holds, for a program that reads `input`.
    pub(super) fn values_of(
        &mut self,
        file: &ShellArgument,
        input: &CommandOutput,
    ) -> Result<Node, Problem> {
        let sources = self.context.sources;
        if self.choices.is_empty() {
            self.choices = self.choices_of(file);
        }
        let untold = |why: &str| Err(Problem::unresolved(&file.origin, why));
        // `ReadFile` of `pkg/cli/values` of Helm.
        let content = match file.text() {
            Some("-") => input.clone(),
            _ => self.content(file),
        };
        let place = match content {
            CommandOutput::Path(place) => place,
            CommandOutput::Objects(objects) => {
                return match &*objects {
                    [one] => Ok(one.clone()),
                    _ => untold(UNREAD),
                };
            }
            CommandOutput::Text(text) => {
                self.reads(text.files.iter().copied());
                return match text.documents(sources) {
                    [one] if text.is_open => opened(one).map_or_else(|| untold(UNREAD), Ok),
                    [one] => Ok(one.clone()),
                    [] => untold("the commands before this make these values"),
                    _ => untold(UNREAD),
                };
            }
            _ => return untold("the commands before this make these values"),
        };
        let Some(found) = self.found(&place) else {
            return untold(match place.text {
                Some(_) => "these values are not in the repository",
                None => "which values these are is decided when the command runs",
            });
        };
        self.reads([found]);
        install::read_values(sources, found, &file.origin)
    }

    /// Notes values files of the command that runs.
    pub(super) fn reads(&mut self, files: impl IntoIterator<Item = FileId>) {
        for file in files {
            self.reached.files.insert(file);
            self.read.insert(file);
        }
    }

    /// The text of a file of the repository.
    pub(super) fn text_of(&self, file: &ShellArgument) -> Option<Node> {
        let sources = self.context.sources;
        let CommandOutput::Path(_) = self.content(file) else { return None };
        Some(parse::whole(sources, self.found(file)?))
    }

    /// The file of the repository that `place` means.
    pub(super) fn found(&self, place: &ShellArgument) -> Option<FileId> {
        self.paths(place).iter().find_map(|it| self.context.sources.find(it))
    }

    /// The files with manifests that `kubectl apply -f` takes from `place`.
    pub(super) fn manifests(&self, place: &ShellArgument) -> Vec<FileId> {
        let sources = self.context.sources;
        for path in self.paths(place) {
            if let Some(file) = sources.find(&path) {
                return vec![file];
            }
            let inside = |it: &FileId| {
                let path_of = &sources[*it].path;
                source::parent(path_of) == path && layout::is_yaml(path_of)
            };
            let files: Vec<FileId> = sources.below(&path).filter(inside).collect();
            if !files.is_empty() {
                return files;
            }
        }
        Vec::new()
    }

    /// What the variables in the name of `file` may be, by the files that are there; nothing where it is
    /// one.
    fn choices_of(&self, file: &ShellArgument) -> Vec<Choice> {
        let (shape, names) = &file.shape;
        if names.is_empty() {
            return Vec::new();
        }
        let sources = self.context.sources;
        for shape in self.paths_of(shape) {
            let Some(pattern) = pattern(&shape, names) else { continue };
            let dir = source::parent(shape.split(HOLE).next().unwrap_or_default());
            let matches = |it: FileId| {
                let path = &*sources[it].path;
                let is_values = layout::is_yaml(path) && !sources.is_chart(source::parent(path));
                let found = pattern.captures(path).filter(|_| is_values)?;
                let mut choice = Choice::new();
                for (name, value) in names.iter().zip(found.iter().skip(1).flatten()) {
                    let value = value.as_str();
                    if choice.insert(name.clone(), value.to_owned()).is_some_and(|it| it != value) {
                        return None;
                    }
                }
                Some(choice)
            };
            // What is passed for all of them is none of them.
            let files = sources.below(dir).filter(|it| !self.reached.files.contains(it));
            let found: Vec<Choice> = files.filter_map(matches).collect();
            match found.len() {
                0 => {}
                1 if file.text.is_some() => return Vec::new(),
                _ => return found,
            }
        }
        Vec::new()
    }
}
