//! What the templates in Helmfiles make, and what they may refer to.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc, sync::Arc};

use super::state::StateValues;
use crate::{
    placeholder::Placeholder,
    resolve::{
        context::Context,
        gotemplate::{
            FunctionCall, GoData, GoError, GoHost, GoMap, GoValue, MarkedText, MissingKey,
            TemplateSet, TemplateWork,
        },
    },
    source::{self, FileId, KeptByText, Sources},
    tree::{Entry, Map, Node, Origin, Reason, Via},
};

/// The files that templates read.
pub(super) type FilesRead = Rc<RefCell<BTreeSet<FileId>>>;

/// What a template of Helmfile is rendered with.
#[derive(Clone)]
pub(super) struct HelmfileTemplate<'a> {
    sources: &'a Sources,
    /// The directory that files are read from.
    dir: &'a str,
    /// What it may refer to.
    dot: Node,
    read: FilesRead,
    /// What was done before, also in other files.
    work: Rc<TemplateWork>,
}

impl<'a> HelmfileTemplate<'a> {
    /// One of which only what is written counts, whatever the environment is.
    pub(super) fn outline(context: &'a Context<'a>, dir: &'a str, work: &Rc<TemplateWork>) -> Self {
        let at = Origin::at(Via::Written, None);
        let dot = Node::unknown_value("it differs between environments", &at);
        let (sources, read) = (context.sources, FilesRead::default());
        Self { sources, dir, dot, read, work: work.clone() }
    }

    /// One of a state file.
    pub(super) fn state(
        context: &'a Context<'a>,
        dir: &'a str,
        environment: &Node,
        values: &StateValues,
        read: &FilesRead,
        work: &Rc<TemplateWork>,
    ) -> Self {
        let dot = dot(environment, values, values.all());
        Self { sources: context.sources, dir, dot, read: read.clone(), work: work.clone() }
    }

    /// The same for a file of environment values, which sees no `.Values`.
    pub(super) fn without_values(mut self) -> Self {
        let nothing = Node::new(Map::default(), self.dot.origin.clone());
        self.dot.set("Values", nothing.clone());
        self.dot.set("StateValues", nothing);
        self
    }

    /// The same, with more fields.
    pub(super) fn with(mut self, fields: impl IntoIterator<Item = (&'static str, Node)>) -> Self {
        fields.into_iter().for_each(|(name, value)| self.dot.set(name, value));
        self
    }

    /// The same, that reads files from another directory.
    pub(super) fn within<'t>(&self, dir: &'t str) -> HelmfileTemplate<'t>
    where
        'a: 't,
    {
        HelmfileTemplate { dir, ..self.clone() }
    }

    /// What a part of a state file says before its own environments are known: nothing where it has
    /// bases, which are not read for it.
    pub(super) fn first_pass(&self, text: &Node) -> Option<Node> {
        let unknown = Node::unknown_value("its environment is not read yet", &text.origin);
        let fields = ["Values", "StateValues"].map(|name| (name, unknown.clone()));
        let documents = self.clone().with(fields).yaml(text).ok()?;
        let has_bases = |it: &Node| it.get("bases").is_some_and(|it| !it.items().is_empty());
        documents.into_iter().next().filter(|it| !has_bases(it))
    }

    /// The documents that `text`, a string, makes.
    ///
    /// # Errors
    /// It cannot be rendered, or is not YAML then.
    pub(super) fn yaml(&self, text: &Node) -> Result<Vec<Node>, Reason> {
        let written = text.as_scalar().filter(|it| !is_template(&it.text));
        match (written, text.origin.written_at()) {
            // The same in every environment.
            (Some(scalar), Some(place)) => {
                let kept = self.sources.keep(|_| KeptByText::<Arc<_>>::default());
                let made = kept.get_or(place, &scalar.text, NODES, || Arc::new(self.printed(text)));
                (*made).clone()
            }
            _ => self.printed(text),
        }
    }

    fn printed(&self, text: &Node) -> Result<Vec<Node>, Reason> {
        let rendered = self.rendered(text)?;
        let documents = rendered.documents().into_iter().map(|document| {
            let why = |it| format!("it is not YAML once it is rendered: {it}").into();
            document.into_node().map_err(why)
        });
        documents.collect()
    }

    /// `node` with every string in it rendered.
    pub(super) fn strings(&self, node: &Node) -> Node {
        node.rewrite(&mut |node| {
            if let Some(scalar) = node.as_scalar() {
                return is_template(&scalar.text).then(|| self.string(node));
            }
            let map = node.as_map().filter(|it| it.keys().any(|it| is_template(it)))?;
            let mut rendered = Map::open(map.open.clone());
            for (key, entry) in map.iter() {
                let name = self.string(&Node::new(key, entry.origin()));
                let value = self.strings(&entry.value);
                match name.as_str() {
                    Some(name) => {
                        rendered.insert(name, Entry { key: entry.key, value });
                    }
                    None => rendered.open = name.unknown().cloned(),
                }
            }
            Some(Node::new(rendered, node.origin.clone()))
        })
    }

    fn string(&self, node: &Node) -> Node {
        match self.rendered(node) {
            Ok(text) => GoValue::text(text, &node.origin).node(),
            Err(why) => Node::unknown_value(why, &node.origin),
        }
    }

    fn rendered(&self, text: &Node) -> Result<MarkedText, Reason> {
        let written = MarkedText::of_template(self.sources, text);
        if !is_template(written.as_str()) {
            return Ok(written);
        }
        let mut set = TemplateSet::default();
        let add = |set: &mut TemplateSet, name: &str, text| {
            set.add(name, text).map_err(|it| Reason::from(&*it.message))
        };
        // `helperTPLs` of `pkg/tmpl/context_tmpl.go`.
        for (path, file) in self.sources.seen_in(self.dir) {
            let name = source::file_name(&path);
            if name.starts_with('_') && source::extension(name) == "tpl" {
                add(&mut set, &path, MarkedText::file(self.sources.text(file), file))?;
            }
        }
        add(&mut set, "", written)?;
        let dot = GoValue::with_integers(&self.dot);
        set.execute_after(&self.work, &dot, self)
    }

    /// The file that a template names.
    fn find(&self, path: &str) -> Option<FileId> {
        let file = self.sources.find_from(self.dir, path)?;
        self.read.borrow_mut().insert(file);
        Some(file)
    }
}

/// How many bytes the nodes of a byte of YAML take, about.
const NODES: usize = 16;

fn is_template(text: &str) -> bool {
    Placeholder::Braces.is_in(text)
}

/// The functions that Helmfile adds to those of Sprig (`pkg/tmpl/context_funcs.go`).
const FUNCTIONS: &[&str] = &[
    "env",
    "envExec",
    "exec",
    "expandSecretRefs",
    "expandenv",
    "fetchSecretValue",
    "getOrNil",
    "isDir",
    "isFile",
    "readDir",
    "readDirEntries",
    "readFile",
    "requiredEnv",
    "setValueAtPath",
    "sprigGet",
];

impl GoHost for HelmfileTemplate<'_> {
    fn function(&self, call: &FunctionCall<'_>) -> Option<Result<GoValue, Box<GoError>>> {
        let unknown = |why: String| Ok(GoValue::unknown(why, call.at));
        Some(match (call.name, &call.values[..]) {
            (
                "env" | "expandenv" | "requiredEnv" | "exec" | "envExec" | "fetchSecretValue"
                | "expandSecretRefs",
                _,
            ) => unknown(format!("`{}` asks whoever runs Helmfile", call.name)),
            ("get" | "getOrNil", [path, default @ .., object]) => get(call, path, default, object),
            ("sprigGet", [object, key]) => get(call, key, &[], object),
            ("toYaml", [value]) => {
                let mut text = MarkedText::yaml(&value.printed_node());
                text.push_made("\n");
                Ok(GoValue::text(text, &value.origin))
            }
            ("fromYaml", [text]) => match &text.data {
                GoData::Text(text) => from_yaml(call, text),
                _ => return None,
            },
            ("readFile" | "readDir" | "isFile", [_]) => {
                if let Some((why, origin)) = call.unknown() {
                    return Some(Ok(GoValue::unknown(why, &origin)));
                }
                let path = match call.text(0) {
                    Ok(path) => path.as_str(),
                    Err(error) => return Some(Err(error)),
                };
                self.files(call, path)
            }
            _ => return None,
        })
    }

    fn has(&self, function: &str) -> bool {
        FUNCTIONS.contains(&function)
    }

    fn missing(&self) -> MissingKey {
        MissingKey::Unknown
    }
}

impl HelmfileTemplate<'_> {
    fn files(&self, call: &FunctionCall<'_>, path: &str) -> Result<GoValue, Box<GoError>> {
        let place = source::join(self.dir, path);
        let may_be_there = || place.as_deref().is_none_or(|it| self.sources.is_ignored(it));
        let missing = || {
            let why = format!("`{path}` does not exist in the repository");
            Ok(GoValue::unknown(why, call.at))
        };
        match (call.name, &place) {
            ("readFile", _) => self.find(path).map_or_else(missing, |file| {
                let text = MarkedText::file(self.sources.text(file), file);
                Ok(GoValue::text(text, call.at))
            }),
            ("readDir", Some(place)) if self.sources.is_dir(place) => {
                let path = path.trim_start_matches("./").trim_end_matches('/');
                let names = self.sources.seen_in(place).into_iter().map(|(it, file)| {
                    let name = source::file_name(&it);
                    GoValue::string(format!("{path}/{name}"), &Origin::start_of(file))
                });
                Ok(GoValue::list(names.collect(), call.at))
            }
            ("isFile", Some(place)) if self.sources.find(place).is_some() => {
                Ok(GoValue::new(GoData::Bool(true), call.at))
            }
            ("isFile", _) if !may_be_there() => Ok(GoValue::new(GoData::Bool(false), call.at)),
            _ => missing(),
        }
    }
}

/// The value at a path of keys in `object`, else the default; without one nobody can tell what
/// Helmfile would go on with.
fn get(
    call: &FunctionCall<'_>,
    path: &GoValue,
    default: &[GoValue],
    object: &GoValue,
) -> Result<GoValue, Box<GoError>> {
    let path = match &path.data {
        GoData::Text(path) => path,
        GoData::Unknown(why) => return Ok(GoValue::unknown(why.clone(), &path.origin)),
        _ => return call.fail("it takes a path of keys"),
    };
    let mut value = object.clone();
    for key in path.as_str().split('.').filter(|it| !it.is_empty()) {
        let found = match &value.data {
            GoData::Unknown(_) => return Ok(value),
            GoData::Map(_) => value.key(key).filter(|it| value.has(key) || !it.is_nil()),
            _ => None,
        };
        match (found, default) {
            (Some(found), _) => value = found,
            (None, [default]) => return Ok(default.clone()),
            (None, _) if call.name == "getOrNil" => return Ok(GoValue::nil(call.at)),
            (None, _) => {
                let why = format!("nothing in the repository gives `{}`", path.as_str());
                return Ok(GoValue::unknown(why, call.at));
            }
        }
    }
    Ok(value)
}

fn from_yaml(call: &FunctionCall<'_>, text: &MarkedText) -> Result<GoValue, Box<GoError>> {
    match text.documents().into_iter().next().map(|it| it.root) {
        None => Ok(GoValue::map(GoMap::default(), call.at)),
        Some(Ok(root)) => Ok(GoValue::with_integers(&root)),
        Some(Err((error, _))) => call.fail(error.message),
    }
}

/// `EnvironmentTemplateData` of `pkg/state/types.go`.
fn dot(name: &Node, values: &StateValues, all: Node) -> Node {
    let here = || Origin::at(Via::Written, None);
    let environment = [
        ("Name", name.clone()),
        ("KubeContext", Node::new("", here())),
        ("Values", values.own.clone()),
        ("Defaults", values.defaults.clone()),
    ];
    let fields = [
        ("Environment", Node::new(environment, here())),
        ("Namespace", Node::new("", here())),
        ("Values", all.clone()),
        ("StateValues", all),
    ];
    Node::new(fields, here())
}
