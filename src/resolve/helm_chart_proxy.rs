//! `HelmChartProxy` of the Cluster API add-on provider for Helm.

use crate::{
    placeholder::Placeholder,
    problem::Problem,
    resolve::{
        context::Context,
        environment::{Environment, Object, Unit},
        gotemplate::{self, MarkedText},
        install,
    },
    tree::{Map, Node},
};

/// Turns the `HelmChartProxy`s among the environment's objects into releases and what they render.
///
/// They install in the clusters that they select, which the same environment declares.
pub(crate) fn releases(context: &Context<'_>, environment: &mut Environment) {
    let objects = environment.objects.iter();
    let proxies: Vec<Object> = objects
        .filter(|it| it.group() == "addons.cluster.x-k8s.io" && it.kind() == "HelmChartProxy")
        .cloned()
        .collect();
    for proxy in proxies {
        let node = &proxy.node;
        let text = |path: &str| node.str_at(path).filter(|it| !it.is_empty());
        let Some(chart) = text("spec.chartName") else { continue };
        let start = environment.begin();
        let version = node.at("spec.version").filter(|it| it.as_str() != Some("")).cloned();
        let anchor = node.at("spec.chartName").map_or(node.object_anchor(), |it| &it.origin);
        let values = match node.at("spec.valuesTemplate").filter(|it| !it.is_null()) {
            Some(template) => values(context, template, &mut environment.problems),
            None => Node::new(Map::default(), node.origin.clone()),
        };
        let chart = install::ChartReference {
            name: chart,
            repository: node.at("spec.repoURL"),
            directory: None,
            version,
        };
        let name = text("spec.releaseName").unwrap_or(chart.name);
        let namespace = text("spec.namespace").unwrap_or_default();
        let release = chart.release("helm-chart-proxy", name, namespace, values, anchor);
        environment.install(context, release);
        let mut unit = Unit::of_object(node).release();
        unit.after.extend(environment.applies(&proxy));
        environment.end(start, unit);
    }
}

/// What a template of values reads as; what it takes from a cluster is unknown.
fn values(context: &Context<'_>, node: &Node, problems: &mut Vec<Problem>) -> Node {
    let unknown = |why: &str, problems: &mut Vec<Problem>| {
        problems.push(Problem::unresolved(&node.origin, why));
        Node::unknown_value(why, &node.origin)
    };
    let Some(scalar) = node.as_scalar() else {
        return unknown("valuesTemplate is not text: the values are unknown", problems);
    };
    if !Placeholder::Braces.is_in(&scalar.text) {
        return install::values_text(context.sources, node, problems);
    }
    let text = MarkedText::of_template(context.sources, node);
    let values = gotemplate::of_unknown(text, "it is filled in for each cluster");
    match values.as_deref() {
        Ok([values]) if values.as_map().is_some() => values.clone(),
        Ok(_) => unknown("valuesTemplate is not a mapping: the values are unknown", problems),
        Err(why) => unknown(why, problems),
    }
}
