//! The releases of a Helmfile: which chart, and its layers of values.

use super::{HelmfileRun, State, holes, locate};
use crate::{
    problem::Problem,
    resolve::{environment::Unit, helm, install, template},
    scalar::Scalar,
    source::{self, FileId, Span, Text},
    tree::{Kind, Map, Node, Origin},
};

impl HelmfileRun<'_> {
    pub(super) fn release(&mut self, file: FileId, written: &Node, state: &State) {
        let release = &inherited(written, state);
        let text = |key: &str| release.str_at(key).filter(|it| !it.is_empty());
        let installed = release.get("installed");
        if installed.and_then(Node::as_bool) == Some(false) {
            return;
        }
        let condition = match text("condition").map(|path| state.values.look(path)) {
            Some(Ok(Some(value))) => value.as_bool(),
            Some(Ok(None)) => Some(false),
            Some(Err(_)) => None,
            None => Some(true),
        };
        if condition == Some(false) {
            return;
        }
        let Some(chart_node) = release.get("chart") else { return };
        if let Some(why) = chart_node.unknown() {
            return self.unresolved(&chart_node.origin, why);
        }
        let chart = chart_node.as_str().unwrap_or_default();
        let dir = source::parent(&self.context.sources[file].path);
        let local = source::join(dir, chart);
        let local = local.filter(|it| !it.is_empty() && self.context.sources.is_dir(it));
        let (repository, name) = match chart.split_once('/') {
            Some((name, rest)) if !chart.contains("://") => {
                let url = state.repositories.get(name).cloned();
                (Some(url.unwrap_or_else(|| Node::new(name, chart_node.origin.clone()))), rest)
            }
            _ => (None, chart),
        };
        let version = release.get("version").filter(|it| !it.is_null()).cloned();
        let start = self.environment.begin();
        let values = self.values(file, release, state);
        let mut release = install::ChartReference {
            name: local.as_deref().unwrap_or(name),
            repository: repository.as_ref(),
            directory: local.as_deref(),
            version,
        }
        .release(
            "helmfile",
            text("name").unwrap_or(name),
            text("namespace").unwrap_or_default(),
            values,
            &chart_node.origin,
        );
        // Whether it is installed at all cannot be told.
        release.suspended =
            condition.is_none() || installed.is_some_and(|it| it.as_bool().is_none());
        let unit = Unit::of("release", &release.namespace, &release.name).release();
        self.environment.install(self.context, release);
        self.environment.end(start, unit);
    }

    /// `values` in order, then `secrets`, then `set`.
    fn values(&mut self, file: FileId, release: &Node, state: &State) -> Node {
        let mut values = Node::new(Map::default(), release.origin.clone());
        for key in ["values", "valuesTemplate"] {
            if let Some(list) = release.get(key) {
                values = helm::merge(&values, &self.layers(file, list, &state.values));
            }
        }
        let why = "values may come from encrypted files";
        let hidden = install::hide(&mut values, release.get("secrets"), why);
        self.environment.problems.extend(hidden);
        for (key, strings) in [("set", false), ("setString", true), ("setTemplate", false)] {
            for setting in release.items_at(key) {
                let Some(name) = setting.str_at("name") else { continue };
                let value = match (setting.get("value"), setting.get("values")) {
                    (Some(value), _) => install::escaped(value),
                    (None, Some(list)) => {
                        let texts = list.items().iter().filter_map(template::printed);
                        let text = format!("{{{}}}", texts.collect::<Vec<_>>().join(","));
                        Node::new(Scalar::string(text), list.origin.clone())
                    }
                    (None, None) => {
                        let why = "it is the content of a file";
                        Node::unknown_value(why, &setting.origin)
                    }
                };
                let problem = install::set(&mut values, name, &value, strings).err();
                self.environment.problems.extend(problem);
            }
        }
        values
    }

    /// A list of paths and inline maps, merged in order.
    pub(super) fn layers(&mut self, file: FileId, list: &Node, params: &Node) -> Node {
        if list.unknown().is_some() {
            return list.clone();
        }
        let mut values = Node::new(Map::default(), list.origin.clone());
        for item in list.items() {
            let layer = match &item.kind {
                Kind::Map(_) | Kind::Unknown(_) => item.clone(),
                _ => self.file(file, item, params),
            };
            values = helm::merge(&values, &layer);
        }
        values
    }

    /// The values in a file; a template's are filled from the environment's values.
    fn file(&mut self, file: FileId, item: &Node, params: &Node) -> Node {
        let context = self.context;
        let unknown = |why: &str| Node::unknown_value(why, &item.origin);
        let path = item.as_str().unwrap_or_default();
        let Some(target) = locate(context, file, path) else {
            let message = if path.contains("://") {
                format!("`{path}` is not in the repository")
            } else {
                format!("`{path}` does not exist in the repository")
            };
            self.unresolved(&item.origin, &message);
            return unknown(&message);
        };
        self.read.insert(target);
        let result = match context.sources.load(target) {
            Text::Utf8(text) if path.ends_with(".gotmpl") => {
                let whole = Origin::written(Span::new(target, 0..text.len()));
                let params = self.params(params);
                holes(context, text, Some(&params))
                    .and_then(|holes| template::fill_file(context.sources, target, &holes))
                    .map(|documents| {
                        let empty = Node::new(Map::default(), whole);
                        documents.iter().fold(empty, |values, it| helm::merge(&values, it))
                    })
                    .map_err(|why| Problem::unresolved(&item.origin, &*why))
            }
            _ => install::read_values(context.sources, target, &item.origin),
        };
        install::layer(result, &item.origin, &mut self.environment.problems)
    }
}

/// A release over the `templates` that it inherits.
fn inherited(release: &Node, state: &State) -> Node {
    let items = release.items_at("inherit");
    let mut whole: Option<Node> = None;
    for name in items.iter().filter_map(|it| it.str_at("template")) {
        if let Some(template) = state.templates.as_ref().and_then(|it| it.get(name)) {
            whole = Some(match whole {
                Some(whole) => helm::merge(&whole, template),
                None => template.clone(),
            });
        }
    }
    whole.map_or_else(|| release.clone(), |whole| helm::merge(&whole, release))
}
