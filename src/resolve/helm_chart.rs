//! `HelmChart` and `HelmChartConfig` of k3s and RKE2 (`k3s-io/helm-controller`).

use crate::{
    problem::Problem,
    resolve::{
        context::Context,
        environment::{Environment, Object, Release, Unit},
        helm, install,
        template::{self, Hole},
    },
    scalar::Value,
    tree::{Map, Node},
};

/// Turns the `HelmChart`s among the environment's objects into releases and what they render.
///
/// A `HelmChartConfig` without its chart changes one that the distribution brings along.
pub(crate) fn releases(context: &Context<'_>, environment: &mut Environment) {
    let of = |kind: &str| -> Vec<Object> {
        let objects = environment.objects.iter();
        let ours = objects.filter(|it| it.group() == "helm.cattle.io" && it.kind() == kind);
        ours.cloned().collect()
    };
    let (charts, mut configs) = (of("HelmChart"), of("HelmChartConfig"));
    for chart in charts {
        let same = |it: &Object| it.namespace() == chart.namespace() && it.name() == chart.name();
        let own = configs.iter().position(same);
        let config = own.map(|index| configs.remove(index));
        let start = environment.begin();
        let config = config.as_ref().map(|it| &it.node);
        let release = release(context, &chart.node, config, &mut environment.problems);
        environment.install(context, release);
        let mut unit = Unit::of_object(&chart.node).release();
        unit.after.extend(environment.applies(&chart));
        environment.end(start, unit);
    }
    for config in configs {
        // What the distribution's own chart makes of it is for the model of the distribution.
        let release = release(context, &config.node, None, &mut environment.problems);
        environment.releases.push(release);
    }
}

fn release(
    context: &Context<'_>,
    node: &Node,
    config: Option<&Node>,
    problems: &mut Vec<Problem>,
) -> Release {
    let text = |path: &str| node.str_at(path).filter(|it| !it.is_empty());
    let chart = match text("spec.chart") {
        Some(chart) => chart,
        None if node.at("spec.chartContent").is_some() => "chartContent",
        // What a distribution brings along is called like its chart.
        None => node.object_name(),
    };
    let version = node.at("spec.version").filter(|it| it.as_str() != Some("")).cloned();
    let namespace = text("spec.targetNamespace").unwrap_or(node.object_namespace());
    let anchor = node.at("spec.chart").map_or(node.object_anchor(), |it| &it.origin);
    let values = values(context, node, config, problems);
    install::ChartReference {
        name: chart,
        repository: node.at("spec.repo"),
        directory: None,
        version,
    }
    .release("helm-chart", node.object_name(), namespace, values, anchor)
}

/// The layers: the chart's own content, then the config's, then `set`.
fn values(
    context: &Context<'_>,
    chart: &Node,
    config: Option<&Node>,
    problems: &mut Vec<Problem>,
) -> Node {
    let mut values = Node::new(Map::default(), chart.origin.clone());
    for node in [Some(chart), config].into_iter().flatten() {
        if let Some(content) = node.at("spec.valuesContent") {
            values = helm::merge(&values, &read(context, content, problems));
        }
        if let Some(inline) = node.at("spec.values").filter(|it| !it.is_null()) {
            values = helm::merge(&values, inline);
        }
        let secrets = node.at("spec.valuesSecrets");
        problems.extend(install::hide(&mut values, secrets, "values come from a Secret"));
    }
    for strings in [false, true] {
        for (name, entry) in chart.at("spec.set").into_iter().flat_map(Node::entries) {
            // Whole numbers, and text that says a boolean or null, keep their type.
            let typed = match entry.value.value() {
                Some(Value::Str(it)) => {
                    matches!(it.to_lowercase().as_str(), "true" | "false" | "null")
                }
                Some(it) => matches!(it, Value::Int(_) | Value::Bool(_)),
                None => false,
            };
            if typed != strings {
                let escaped = install::escaped(&entry.value);
                problems.extend(install::set(&mut values, name, &escaped, strings).err());
            }
        }
    }
    values
}

/// What `valuesContent` reads as. Its `%{KUBERNETES_API}%` and the like are filled in by the
/// cluster.
fn read(context: &Context<'_>, text: &Node, problems: &mut Vec<Problem>) -> Node {
    let unknown = |why: &str| Node::unknown_value(why, &text.origin);
    // What encodes them for Terraform gives what they read as.
    if text.as_map().is_some() {
        return text.clone();
    }
    let Some(inner) = text.as_scalar().map(|it| &*it.text) else {
        return match text.unknown() {
            Some(_) => install::values_text(context.sources, text, problems),
            None => unknown("the values are not text"),
        };
    };
    let holes: Vec<Hole> = template::between(inner, "%{", "}%")
        .into_iter()
        .map(|range| Hole { range, fill: Err("the cluster fills it in".into()) })
        .collect();
    if !holes.is_empty() {
        return match template::fill_yaml(context.sources, text, &holes).as_deref() {
            Ok([values]) => values.clone(),
            Ok(_) => unknown("the values are not one document"),
            Err(why) => unknown(why),
        };
    }
    install::values_text(context.sources, text, problems)
}
