//! A `helm_release`, or what a module makes one of.

use super::evaluate::{MODULE, TerraformScope};
use crate::{
    data::subject::is_named_in,
    problem::{Problem, ProblemKind},
    resolve::{
        environment::Release,
        helm::{self, strvals},
        install,
    },
    scalar::Scalar,
    tree::{Kind, Map, Node, Origin, Reason},
};

/// Why nothing is evaluated any more.
pub(super) const TOO_LONG: &str = "it takes too long to evaluate";

/// The release that has the arguments `body` of a `helm_release`, which is at `at`; `otherwise` is
/// its name where none is known.
pub(super) fn release(
    scope: &TerraformScope<'_>,
    body: &Node,
    otherwise: &str,
    at: &Origin,
) -> (Release, Vec<Problem>) {
    let text = |name: &str| body.str_at(name).map(ToOwned::to_owned);
    let chart = body.get("chart").cloned();
    let chart_node = chart.unwrap_or_else(|| Node::unknown_value("no chart is named", at));
    let chart = chart_node.as_str().unwrap_or_default();
    let directory = match scope.path(chart) {
        Some(dir) if is_path(chart) => Some(dir),
        _ => None,
    };
    let version = body.get("version").filter(|it| !it.is_null() && it.as_str() != Some(""));
    let mut problems = Vec::new();
    let values = values(scope, body, at, &mut problems);
    let reference = install::ChartReference {
        name: chart,
        repository: body.get("repository"),
        directory: directory.as_deref(),
        version: version.cloned(),
    };
    let name = text("name").unwrap_or_else(|| otherwise.to_owned());
    let release = reference.release("terraform", name, "", values, &chart_node.origin);
    let release = install::in_namespace(body.get("namespace"), release);
    // What other charts get that cannot be told is not our concern.
    let concerns = release.family.is_some()
        || release.directory.is_some()
        || chart_node.as_str().is_none()
        || is_named_in(&release.chart);
    problems.retain(|it| concerns || it.kind != ProblemKind::Unresolved);
    (release, problems)
}

/// Whether a chart is a directory of the repository: the provider says so of what starts with `.`.
fn is_path(chart: &str) -> bool {
    chart.starts_with('.') || chart.starts_with(MODULE)
}

/// `values` in order, then `set`, `set_list` and `set_sensitive`, blocks or lists.
fn values(
    scope: &TerraformScope<'_>,
    body: &Node,
    at: &Origin,
    problems: &mut Vec<Problem>,
) -> Node {
    let mut values = Node::new(Map::default(), at.clone());
    let layers = body.get("values").filter(|it| !it.is_null());
    if let Some(why) = layers.and_then(Node::unknown) {
        let at = layers.map_or(at, |it| &it.origin);
        problems.push(untold(at, why));
        values = Node::unknown_value(why.clone(), at);
    }
    let (layers, unread) = install::layers(layers.map(Node::items).unwrap_or_default(), problems);
    values = unread.unwrap_or(values);
    for layer in layers {
        let layer = scope.yaml(layer);
        if let Some(why) = layer.unknown() {
            problems.push(untold(&layer.origin, why));
        }
        values = helm::merge(&values, &layer);
    }
    for kind in ["set", "set_list", "set_sensitive"] {
        let Some(list) = body.get(kind).filter(|it| !it.is_null()) else { continue };
        let entries = list.items().iter().chain(list.unknown().map(|_| list));
        for setting in entries.map(Setting::new) {
            problems.extend(setting.apply(&mut values).err());
        }
    }
    values
}

/// That nobody can tell the values at `at`. Where too much is evaluated, that is one cause for all of them.
fn untold(at: &Origin, why: &Reason) -> Problem {
    let problem = Problem::unresolved(at, why.clone());
    if &**why == TOO_LONG { problem.about(TOO_LONG) } else { problem }
}

/// One entry of `set`.
struct Setting {
    name: Node,
    value: Node,
    kind: Node,
}

impl Setting {
    fn new(entry: &Node) -> Self {
        let at = &entry.origin;
        // One that may be there or not.
        if let (Some(why), Some(there)) = (entry.unknown(), entry.if_there()) {
            let setting = Self::new(&there);
            return Self { value: setting.value.perhaps(why.clone(), false), ..setting };
        }
        let get = |key: &str| entry.get(key).cloned();
        let nothing = || Node::new(Scalar::null(), at.clone());
        let nameless = || Node::unknown_value("it has no name", at);
        let unknown = || entry.unknown().map(|_| entry.clone());
        Self {
            name: get("name").or_else(unknown).unwrap_or_else(nameless),
            value: get("value").unwrap_or_else(nothing),
            kind: get("type").unwrap_or_else(nothing),
        }
    }

    fn apply(&self, values: &mut Node) -> Result<(), Problem> {
        let Some(name) = self.name.as_str() else {
            // It may set anything.
            let why: Reason = "a name that is set is not known".into();
            *values = helm::merge(values, &Node::unknown_value(why, &self.name.origin));
            return Ok(());
        };
        let strings = self.kind.as_str() == Some("string");
        let value = match (&self.value.kind, self.kind.as_str()) {
            (_, Some("literal")) => Node::unknown_value("it is read as JSON", &self.value.origin),
            (Kind::List(items), _) => {
                Node::new(in_braces(items, strings), self.value.origin.clone())
            }
            _ => self.value.clone(),
        };
        install::set(values, name, &value, strings)
    }
}

/// What Helm reads in the items of a `set_list`, each where it is written. The provider puts them in
/// braces with commas between them (`getListValue` of `helm/resource_helm_release.go`), so that one
/// with a comma in it is two.
fn in_braces(items: &[Node], strings: bool) -> Kind {
    let texts = items.iter().map(|it| it.as_scalar().map(|it| &*it.text));
    let alone = |item: &Node| match item.as_scalar() {
        Some(scalar) => {
            let assignment = format!("x={{{}}}", scalar.text);
            let read =
                strvals::parse(&assignment, strvals::Notation::of(strings), &item.origin).ok()?;
            let [only] = read.as_slice() else { return None };
            Some(only.value.items().to_vec())
        }
        None => Some(vec![item.clone()]),
    };
    match (items.iter().map(alone).collect::<Option<Vec<_>>>(), texts.collect::<Option<Vec<_>>>()) {
        (Some(read), _) if !items.is_empty() => read.concat().into(),
        // One ends the list, or takes the comma behind it for its own.
        (_, Some(texts)) => format!("{{{}}}", texts.join(",")).into(),
        (_, None) => Kind::Unknown("it is read together with what is not known".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::nowhere;

    #[test]
    fn what_is_not_evaluated_any_more_has_one_cause() {
        let subject = |why: &str| untold(&nowhere(), &why.into()).subject;
        assert_eq!(&*subject(TOO_LONG), TOO_LONG);
        assert_eq!(&*subject("it is computed"), "");
    }
}
