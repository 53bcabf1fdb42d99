//! PodDisruptionBudgets, and whose pods they are for.

use crate::{
    data::subject::is_server_named_in,
    model::{
        Fact, IntOrPercent,
        index::{Asked, ObjectIndex},
        selector::{self, selects},
        workload::{self, fact, in_pods, pod_labels},
    },
    resolve::environment::Object,
    tree::{Node, Origin, Reason},
};

use super::lower::namespace_of;

/// A PodDisruptionBudget for metrics-server, or meant for it.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    /// Its name.
    pub name: String,
    /// Its namespace; `default` when nothing says otherwise.
    pub namespace: String,
    /// Whether it selects pods of the environment.
    pub selects: Fact<bool>,
    /// `minAvailable`
    pub min_available: Fact<IntOrPercent>,
    /// `maxUnavailable`
    pub max_unavailable: Fact<IntOrPercent>,
    /// What asks for it: its name, or the chart's setting.
    pub anchor: Origin,
}

impl Budget {
    /// `kube-system/metrics-server`
    pub(crate) fn subject(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// The budgets of `environment` that select pods of a metrics-server, or are called after one.
pub(super) fn all(index: &ObjectIndex<'_>) -> Vec<Budget> {
    let budgets = index.of_kind("PodDisruptionBudget");
    budgets.iter().filter_map(|it| budget(index, it)).collect()
}

fn budget(index: &ObjectIndex<'_>, object: &Object) -> Option<Budget> {
    let pods = index.pods(Some(namespace_of(object)), asked(object));
    let (mut selects, mut is_ours) = (Fact::Absent(None), is_meant(object));
    for pods in pods.map(|it| it.object) {
        let Some(labels) = labels(&pods.node) else { continue };
        match selected(&object.node, labels) {
            Err((why, at)) if selects.is_absent() => selects = Fact::Unknown(why, Some(at)),
            Ok(false) | Err(_) => {}
            Ok(true) => {
                selects = Fact::Known(true, object.anchor());
                is_ours |= workload::container(&pods.node).is_some();
            }
        }
        if is_ours && selects.value().is_some() {
            break;
        }
    }
    let release = index.environment.release_of(object);
    let asks = |path: &&str| {
        let it = release?.values.at(path)?;
        it.origin.written_at().map(|_| it.origin.clone())
    };
    let paths = ["podDisruptionBudget.enabled", "pdb.create"];
    let asked = paths.iter().find_map(asks).or_else(|| Some(release?.anchor.clone()));
    is_ours.then(|| Budget {
        name: object.name().to_owned(),
        namespace: namespace_of(object).to_owned(),
        selects: selects.or_default(false, object.anchor()),
        min_available: fact(&object.node, "spec.minAvailable", workload::int_or_part),
        max_unavailable: fact(&object.node, "spec.maxUnavailable", workload::int_or_part),
        anchor: asked.unwrap_or_else(|| object.anchor()),
    })
}

/// The budget whose selector matches the pods of `workload`.
///
/// # Errors
/// No selector is known to match, and this one may: why it cannot be told, and where that is.
pub(super) fn of<'a>(
    index: &ObjectIndex<'a>,
    namespace: &str,
    workload: &Node,
) -> Result<Option<&'a Node>, (Reason, Origin)> {
    let mut unknown = None;
    let own = pod_labels(workload);
    for object in index.budgets(namespace, own.as_ref()) {
        match labels(workload).map(|it| selected(&object.node, it)) {
            Some(Ok(true)) => return Ok(Some(&object.node)),
            Some(Err(found)) => _ = unknown.get_or_insert(found),
            Some(Ok(false)) | None => {}
        }
    }
    unknown.map_or(Ok(None), Err)
}

/// The labels one of which all pods have that `budget` selects, or may.
pub(super) fn asked(budget: &Object) -> Asked {
    selector::certain_pairs(budget.node.look("spec.selector").ok()??)
}

/// Whether a budget is called after metrics-server, or selects what is.
fn is_meant(object: &Object) -> bool {
    let labels = object.node.at("spec.selector.matchLabels");
    let mut labels = labels.into_iter().flat_map(Node::entries);
    is_server_named_in(object.name())
        || labels.any(|(_, it)| it.value.as_str().is_some_and(is_server_named_in))
}

/// What holds the labels of the pods that `node` is, or makes.
fn labels(node: &Node) -> Option<&Node> {
    node.at(&in_pods(node, "metadata"))
}

/// Whether `budget` selects pods with these `metadata`.
///
/// As `LabelSelectorAsSelector` of `k8s.io/apimachinery` has it: a missing selector selects nothing,
/// an empty one everything, but nothing in `policy/v1beta1`.
///
/// # Errors
/// Why nobody can tell, and where that is.
fn selected(budget: &Node, metadata: &Node) -> Result<bool, (Reason, Origin)> {
    let Some(selector) = budget.look("spec.selector")?.filter(|it| !it.is_null()) else {
        return Ok(false);
    };
    let has = |field| selector.look(field).map(|it| it.is_some_and(|it| !is_empty(it)));
    // What `policy/v1beta1` had an empty one mean.
    if budget.str_at("apiVersion") == Some("policy/v1beta1")
        && !has("matchLabels")?
        && !has("matchExpressions")?
    {
        return Ok(false);
    }
    selects(selector, metadata.look("labels")?)
}

fn is_empty(node: &Node) -> bool {
    node.entries().next().is_none() && node.items().is_empty()
}
