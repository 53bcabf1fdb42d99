//! What the files and directories are that commands name.

use super::{
    CommandOutput, Session,
    values::{HERE, ROOT, ShellArgument},
};
use crate::{
    parse,
    problem::Problem,
    resolve::{
        install, layout,
        shell::{Word, WordPiece},
        template::{self, Hole},
    },
    scalar::Scalar,
    source::{self, FileId},
    tree::{Node, Origin, Via},
};

impl Session<'_> {
    /// The paths of the repository that `argument` may mean, the likeliest first.
    pub(super) fn paths(&self, argument: &ShellArgument) -> Vec<String> {
        let text = argument.text.as_deref().unwrap_or_default();
        let own = source::parent(&self.context.sources[self.file].path);
        if let Some(rest) = text.strip_prefix(HERE) {
            return source::join(own, rest.trim_start_matches('/')).into_iter().collect();
        }
        if let Some(rest) = text.strip_prefix(ROOT) {
            return source::join("", rest.trim_start_matches('/')).into_iter().collect();
        }
        if text.is_empty() {
            return Vec::new();
        }
        let mut paths: Vec<String> =
            self.dirs.iter().filter_map(|it| source::join(it, text)).collect();
        paths.dedup();
        paths
    }

    pub(super) fn enter(&mut self, dir: &ShellArgument) {
        let paths = self.paths(dir).into_iter();
        self.dirs = paths.filter(|it| self.context.sources.is_dir(it)).collect();
    }

    /// What a file is called that commands write.
    pub(super) fn key(&self, file: &ShellArgument) -> Option<String> {
        if file.text.is_none() {
            // Whatever it is, it is what is called the same elsewhere.
            return (!file.raw.is_empty()).then(|| file.raw.replace(' ', ""));
        }
        self.paths(file).into_iter().next().or_else(|| file.text.clone())
    }

    pub(super) fn write(&mut self, file: &ShellArgument, content: CommandOutput) {
        if let Some(key) = self.key(file) {
            self.made.insert(key, (content, self.at.clone()));
        }
    }

    /// What a file or an address holds that the command that runs takes, with what made it.
    pub(super) fn taken(&mut self, place: &ShellArgument) -> CommandOutput {
        let made = self.key(place).and_then(|it| self.made.get(&it));
        self.at.extend(made.into_iter().flat_map(|(_, at)| at));
        self.content(place)
    }

    /// Notes that a command that is not understood may change the file or directory it names.
    pub(super) fn touch(&mut self, file: &ShellArgument) {
        let sources = self.context.sources;
        let known = |it: &str| self.made.contains_key(it) || sources.find(it).is_some();
        if self.key(file).is_some_and(|it| known(&it)) {
            self.write(file, CommandOutput::Unknown);
        }
    }

    /// What a file, a directory or an address holds.
    pub(super) fn content(&self, place: &ShellArgument) -> CommandOutput {
        if place.head.contains("://") {
            return CommandOutput::Url(place.clone());
        }
        match self.key(place).and_then(|it| self.made.get(&it)) {
            Some((content, _)) => content.clone(),
            None => CommandOutput::Path(place.clone()),
        }
    }

    /// The values that `file` holds.
    pub(super) fn values_of(&mut self, file: &ShellArgument) -> Result<Node, Problem> {
        let sources = self.context.sources;
        let untold = |why: &str| Err(Problem::unresolved(&file.origin, why));
        match self.content(file) {
            CommandOutput::Path(_) => {}
            CommandOutput::Objects(objects) => {
                return match &*objects {
                    [one] => Ok(one.clone()),
                    _ => untold("these values are not read"),
                };
            }
            _ => return untold("the commands before this make these values"),
        }
        let Some(found) = self.paths(file).iter().find_map(|it| sources.find(it)) else {
            return untold(match file.text {
                Some(_) => "these values are not in the repository",
                None => "which values these are is decided when the command runs",
            });
        };
        self.reached.files.insert(found);
        install::read_values(sources, found, &file.origin)
    }

    /// The text of a file of the repository.
    pub(super) fn text_of(&self, file: &ShellArgument) -> Option<Node> {
        let sources = self.context.sources;
        let CommandOutput::Path(_) = self.content(file) else { return None };
        let found = self.paths(file).iter().find_map(|it| sources.find(it))?;
        Some(parse::whole(sources, found))
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

    /// Whether a file whose name is filled in is one of several of the repository.
    pub(super) fn covers_any(&self, file: &ShellArgument) -> bool {
        let dir = source::parent(&file.head);
        self.dirs.iter().filter_map(|it| source::join(it, dir)).any(|dir| {
            let name = source::file_name(&file.head);
            let files = self.context.sources.below(&dir).map(|it| &*self.context.sources[it].path);
            let mut inside = files
                .filter(|it| layout::is_yaml(it) && (!name.is_empty() || !file.head.is_empty()));
            inside.any(|it| it[dir.len()..].trim_start_matches('/').starts_with(name))
        })
    }

    /// The objects in a here-document, with what is filled in.
    pub(super) fn document(&self, code: &Node, document: &Word, filled: bool) -> CommandOutput {
        let sources = self.context.sources;
        let Some(code_text) = code.as_scalar() else { return CommandOutput::Unknown };
        let text = code_text.text.get(document.range.clone()).unwrap_or_default();
        let origin = parse::part(sources, code, document.range.clone());
        let node = Node::new(Scalar { text: text.into(), ..code_text.clone() }, origin);
        let start = document.range.start;
        let holes =
            document.pieces.iter().filter(|(it, _)| filled && !matches!(it, WordPiece::Text(_)));
        let holes = holes.map(|(piece, range)| {
            let fill = self.scope.piece(piece, 0).map(|(text, at)| {
                Node::new(Scalar::plain(text), at.unwrap_or_else(|| Origin::at(Via::Written, None)))
            });
            let range = range.start - start..range.end - start;
            Hole {
                range,
                fill: fill.ok_or_else(|| "this is filled in when the command runs".into()),
            }
        });
        let holes: Vec<Hole> = holes.collect();
        match template::fill_yaml(sources, &node, &holes) {
            Ok(objects) if !objects.is_empty() => CommandOutput::Objects(objects),
            _ => CommandOutput::Unknown,
        }
    }
}
