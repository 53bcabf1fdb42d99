//! The releases of a Helmfile: which chart, and its layers of values.

use super::{
    HelmfileRun,
    render::HelmfileTemplate,
    state::{Merging, Selectors, State, merged},
    values::{ENCRYPTED, LayersFrom, without_references},
};
use crate::{
    data::subject::is_named_in,
    problem::Problem,
    resolve::{
        environment::{RemoteCluster, Unit},
        helm::{self, strvals},
        install,
    },
    scalar::Scalar,
    source,
    tree::{Map, Node, Origin, Reason},
};

/// How often the expressions of a release are evaluated, each time with what they made of it
/// (`ExecuteTemplates` of `pkg/state/state_exec_tmpl.go`).
const MAX_PASSES: usize = 6;

/// How deep templates may inherit each other.
const MAX_TEMPLATES: usize = 16;

/// The fields of a release whose text is a template, wherever it stands in them.
const TEMPLATES: [&str; 9] = [
    "name",
    "chart",
    "namespace",
    "version",
    "labels",
    "installedTemplate",
    "valuesTemplate",
    "setTemplate",
    "needs",
];

impl<'a> HelmfileRun<'a> {
    pub(super) fn release(&mut self, written: &Node, state: &State, selectors: &Selectors) {
        // Whether it is there at all may not be known.
        let (there, mut unsure) = match (written.unknown(), written.if_there()) {
            (Some(why), None) => return self.unresolved(&written.origin, why),
            (why, there) => (there.unwrap_or_else(|| written.clone()), why.cloned()),
        };
        let mut release = inherited(&there, &state.spec, &mut Vec::new());
        let labels = state.spec.get("commonLabels");
        let own = release.get("labels").cloned();
        if let Some(labels) = own.iter().chain(labels).cloned().reduce(|a, b| helm::merge(&a, &b)) {
            release.set("labels", labels);
        }
        let root = state.spec.get("namespace").filter(|it| !install::is_blank(it));
        let mut release = self.evaluated(&release, state);
        // Of what may not be there at all the rest counts where it is ours to judge.
        if let Some(why) = &unsure
            && !release.str_at("chart").is_some_and(is_named_in)
        {
            return self.unresolved(&release.origin, why);
        }
        if let Some(namespace) = root {
            release.set("namespace", namespace.clone());
        }
        for picked in [
            selectors.pick(&labels_of(&release)),
            condition(&release, &state.values.all()),
            installed(&release),
        ] {
            match picked {
                Ok(true) => {}
                Ok(false) => return,
                Err(why) => unsure = Some(why),
            }
        }
        let Some(chart) = release.get("chart").or_else(|| release.get("directory")) else { return };
        if let Some(why) = chart.unknown() {
            return self.unresolved(&chart.origin, why);
        }
        let start = self.environment.begin();
        let values = match self.environment.is_full() {
            true => Node::unknown_value("too much is installed before it", &chart.origin),
            false => self.values(&release, state),
        };
        let text = |key: &str| release.str_at(key).unwrap_or_default();
        let (name, namespace) = (text("name"), text("namespace"));
        let version = release.get("version").filter(|it| !install::is_blank(it));
        let locked = self.locked(state, chart, version);
        let version = locked.as_ref().or(version);
        let mut unit = Unit::of("release", namespace, name).release();
        let given = |it: &&Node| !install::is_blank(it);
        // `kubeConnectionFlags` of Helmfile's `pkg/state/state.go`.
        let of_environment = || state.spec.get("environments")?.get(&self.name)?.get("kubeContext");
        let of_all = || state.spec.at("helmDefaults.kubeContext").filter(given);
        let context = release.get("kubeContext").filter(given);
        let context = context.or_else(|| of_environment().filter(given)).or_else(of_all);
        unit.cluster = context.and_then(Node::as_str).map(RemoteCluster::called);
        unit.after.extend(release.items_at("needs").iter().filter_map(|it| {
            let mut parts = it.as_str()?.rsplit('/');
            let name = parts.next()?;
            Some(Unit::of("release", parts.next().unwrap_or(namespace), name).id)
        }));
        let place = InstalledAs { name, namespace, is_suspended: unsure.is_some() };
        self.install(state, &release, chart, version, values, &place);
        self.environment.end(start, unit);
    }

    /// `release` with what its expressions make.
    fn evaluated(&self, release: &Node, state: &State) -> Node {
        let mut before = release.clone();
        for _ in 0..MAX_PASSES {
            let template = self.release_template(&before, state);
            let mut after = release.clone();
            for key in TEMPLATES {
                if let Some(value) = release.get(key) {
                    after.set(key, template.strings(value));
                }
            }
            for key in ["values", "secrets"] {
                let Some(list) = release.get(key).filter(|it| it.as_list().is_some()) else {
                    continue;
                };
                let mut list = list.clone();
                for item in list.as_list_mut().into_iter().flatten() {
                    if item.as_scalar().is_some() {
                        *item = template.strings(item);
                    }
                }
                after.set(key, list);
            }
            if after == before {
                break;
            }
            before = after;
        }
        before
    }

    /// What templates of `release` may refer to.
    pub(super) fn release_template<'t>(
        &self,
        release: &Node,
        state: &'t State,
    ) -> HelmfileTemplate<'t>
    where
        'a: 't,
    {
        let field = |key: &str| {
            let nothing = || Node::new("", release.origin.clone());
            release.get(key).filter(|it| !it.is_null()).cloned().unwrap_or_else(nothing)
        };
        let labels = release.get("labels").cloned();
        let labels = labels.unwrap_or_else(|| Node::new(Map::default(), release.origin.clone()));
        let fields = [
            ("Name", field("name")),
            ("Namespace", field("namespace")),
            ("Labels", labels),
            ("Chart", field("chart")),
            ("KubeContext", field("kubeContext")),
        ];
        let nothing = Node::new("", release.origin.clone());
        self.state_template(&state.dir, &state.values).with([
            ("Release", Node::new(fields, release.origin.clone())),
            ("Namespace", state.spec.get("namespace").cloned().unwrap_or_else(|| nothing.clone())),
            ("Chart", nothing.clone()),
            ("KubeContext", nothing),
        ])
    }

    /// `valuesTemplate` and `values` in order, then `secrets`, then `setTemplate` and `set`.
    fn values(&mut self, release: &Node, state: &State) -> Node {
        let template = self.release_template(release, state);
        let missing = release.get("missingFileHandler");
        let from = LayersFrom { dir: &state.dir, missing, template: &template };
        let prefix = release.str_at("valuesPathPrefix").unwrap_or_default();
        let mut values = Node::new(Map::default(), release.origin.clone());
        for key in ["valuesTemplate", "values"] {
            let Some(list) = release.get(key).filter(|it| !it.is_null()) else { continue };
            let list = prefixed(list, prefix);
            values = helm::merge(&values, &without_references(&self.layers(&list, &from)));
        }
        let is_some = |it: &&Node| it.unknown().is_some() || !it.items().is_empty();
        if let Some(secrets) = release.get("secrets").filter(is_some) {
            self.unresolved(&secrets.origin, ENCRYPTED);
            let secrets = prefixed(secrets, prefix);
            values = helm::merge(&values, &self.decrypted(&state.dir, &secrets, missing));
        }
        for key in ["setTemplate", "set"] {
            for setting in release.items_at(key) {
                let problem = self.set(&mut values, setting, &state.dir).err();
                self.environment.problems.extend(problem);
            }
        }
        for setting in release.items_at("env") {
            let Some(name) = setting.get("name").and_then(Node::as_str) else { continue };
            let why = "an environment variable of whoever runs Helmfile sets it";
            let value = Node::unknown_value(why, &setting.origin);
            self.environment.problems.extend(install::set(&mut values, name, &value, false).err());
        }
        values
    }

    /// An entry of `set`: `--set`, `--set-file`, or `--set` with a list.
    ///
    /// # Errors
    /// What Helm refuses.
    fn set(&self, values: &mut Node, setting: &Node, dir: &str) -> Result<(), Problem> {
        let Some(name) = setting.str_at("name") else { return Ok(()) };
        let name = escaped(name);
        let is_given = |it: &&Node| it.unknown().is_some() || !install::is_blank(it);
        let value = if let Some(value) = setting.get("value").filter(is_given) {
            typed(&without_references(value))
        } else if let Some(path) = setting.get("file").filter(is_given) {
            let file = path.as_str().and_then(|it| self.context.sources.find_from(dir, it));
            let why = "it is the content of a file";
            file.map_or_else(
                || Node::unknown_value(why, &path.origin),
                |file| Node::new(self.context.sources.text(file), Origin::start_of(file)),
            )
        } else {
            let items = setting.items_at("values");
            let Some(list) = setting.get("values").filter(|_| !items.is_empty()) else {
                return Ok(());
            };
            let items = items.iter().map(|it| typed(&without_references(it)));
            Node::new(items.collect::<Vec<_>>(), list.origin.clone())
        };
        install::put(values, &name, &value)
    }
}

/// Where a release is installed.
pub(super) struct InstalledAs<'r> {
    pub name: &'r str,
    pub namespace: &'r str,
    /// Whether it is installed at all cannot be told.
    pub is_suspended: bool,
}

/// What `--set` reads in a value that Helmfile escapes: one scalar.
fn typed(value: &Node) -> Node {
    let Some(scalar) = value.as_scalar() else { return value.clone() };
    let assignment = format!("x={}", escaped(&scalar.text));
    let read =
        strvals::parse(&assignment, strvals::Notation::Typed, &value.origin).unwrap_or_default();
    read.into_iter().next().map_or_else(|| value.clone(), |it| it.value)
}

/// `escape` of `pkg/state/state.go`.
fn escaped(text: &str) -> String {
    text.replace('{', "\\{").replace('}', "\\}").replace(',', "\\,")
}

/// The paths in a list with `prefix` before them.
fn prefixed(list: &Node, prefix: &str) -> Node {
    let mut list = list.clone();
    for item in list.as_list_mut().into_iter().flatten().filter(|_| !prefix.is_empty()) {
        if let Some(path) = item.as_str() {
            *item = Node::new(Scalar::string(format!("{prefix}{path}")), item.origin.clone());
        }
    }
    list
}

/// The labels that selectors look at.
fn labels_of(release: &Node) -> Node {
    let own = release.get("labels").cloned();
    let mut labels = own.unwrap_or_else(|| Node::new(Map::default(), release.origin.clone()));
    for key in ["name", "namespace"] {
        let nothing = || Node::new("", release.origin.clone());
        labels.set(key, release.get(key).cloned().unwrap_or_else(nothing));
    }
    if let Some(chart) = release.get("chart") {
        let name = chart.as_str().map(|it| Node::new(source::file_name(it), chart.origin.clone()));
        labels.set("chart", name.unwrap_or_else(|| chart.clone()));
    }
    labels
}

/// Whether the value that `condition` names is true.
fn condition(release: &Node, values: &Node) -> Result<bool, Reason> {
    let Some(condition) = release.get("condition").filter(|it| !install::is_blank(it)) else {
        return Ok(true);
    };
    if let Some(why) = condition.unknown() {
        return Err(why.clone());
    }
    let Some(path) = condition.as_str() else { return Ok(condition.as_bool() == Some(true)) };
    let value = values.look(path).map_err(|(why, _)| why)?;
    Ok(value.and_then(Node::as_bool) == Some(true))
}

/// Whether a release is to be installed.
fn installed(release: &Node) -> Result<bool, Reason> {
    let of = |key: &str| release.get(key).filter(|it| !install::is_blank(it));
    let Some(installed) = of("installedTemplate").or_else(|| of("installed")) else {
        return Ok(true);
    };
    match (installed.unknown(), installed.as_scalar()) {
        (Some(why), _) => Err(why.clone()),
        (None, Some(scalar)) => {
            Ok(Node::new(Scalar::plain(scalar.text.trim()), installed.origin.clone()).as_bool()
                != Some(false))
        }
        (None, None) => Ok(true),
    }
}

/// A release over the `templates` that it inherits, those that are `open` being read.
fn inherited(release: &Node, spec: &Node, open: &mut Vec<String>) -> Node {
    let Some(inherit) = release.get("inherit") else { return release.clone() };
    let one = [inherit.clone()];
    let all = inherit.as_list().unwrap_or(&one);
    let mut whole: Option<Node> = None;
    for item in all {
        let Some(name) = item.str_at("template") else { continue };
        let template = spec.get("templates").and_then(|it| it.get(name));
        let Some(template) = template.filter(|_| open.len() < MAX_TEMPLATES) else { continue };
        if open.iter().any(|it| it == name) {
            continue;
        }
        open.push(name.to_owned());
        let mut template = inherited(template, spec, open);
        open.pop();
        for key in item.items_at("except").iter().filter_map(Node::as_str) {
            if let Some(map) = template.as_map_mut() {
                map.remove(key);
            }
        }
        whole = Some(match whole {
            Some(whole) => merged(&whole, &template, Merging::Inherit),
            None => template,
        });
    }
    whole.map_or_else(|| release.clone(), |it| merged(&it, release, Merging::Inherit))
}
