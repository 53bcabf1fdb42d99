//! The metrics of autoscalers that are shares of requests.

use crate::{
    model::{
        autoscaler::{Measured, Need},
        workload,
    },
    resolve::environment::Object,
    tree::Node,
};

/// The metrics of a `HorizontalPodAutoscaler` that are shares of requests.
///
/// Without any metric it has one, 80 % of the CPU (`SetDefaults_HorizontalPodAutoscaler` of
/// `pkg/apis/autoscaling/v2`); that of version 1 is a field of its own, others are an annotation.
pub(super) fn of_horizontal(object: &Object) -> Vec<Need> {
    let node = &object.node;
    let version = node.str_at("apiVersion").and_then(|it| it.split_once('/')).map(|(_, it)| it);
    let by_default = || Need {
        resource: Measured::Cpu,
        container: None,
        percent: Some("80".to_owned()),
        origin: object.anchor(),
        is_default: true,
    };
    let Some("v2" | "v2beta1" | "v2beta2") = version else {
        let annotations = node.look("metadata.annotations").ok().flatten();
        let more = annotations
            .is_some_and(|it| it.get("autoscaling.alpha.kubernetes.io/metrics").is_some());
        return match node.look("spec.targetCPUUtilizationPercentage") {
            Ok(Some(percent)) if !percent.is_null() => vec![Need {
                percent: written(percent),
                origin: percent.origin.clone(),
                is_default: false,
                ..by_default()
            }],
            // What version 1 does not know is refused, or ignored, as the server is asked to.
            Ok(_) if version == Some("v1") && !more && node.at("spec.metrics").is_none() => {
                vec![by_default()]
            }
            _ => Vec::new(),
        };
    };
    let metrics = match node.look("spec.metrics") {
        Ok(Some(metrics)) if !metrics.items().is_empty() => metrics.items(),
        Ok(None) => return vec![by_default()],
        Ok(Some(metrics)) if metrics.is_null() || metrics.as_list().is_some() => {
            return vec![by_default()];
        }
        _ => return Vec::new(),
    };
    metrics.iter().filter_map(need_of_metric).collect()
}

/// What a metric of a `HorizontalPodAutoscaler` needs, if it is a share of a request.
fn need_of_metric(metric: &Node) -> Option<Need> {
    let (source, of_one) = match metric.str_at("type")? {
        "Resource" => (metric.get("resource")?, false),
        "ContainerResource" => (metric.get("containerResource")?, true),
        _ => return None,
    };
    let percent = match source.get("targetAverageUtilization") {
        Some(percent) => Some(percent),
        None if source.str_at("target.type")? == "Utilization" => {
            source.at("target.averageUtilization")
        }
        None => return None,
    };
    let container = source.get("container").filter(|_| of_one);
    Some(Need {
        resource: Measured::parse(source.str_at("name")?)?,
        // One that is not told may be any.
        container: match of_one {
            true => Some((container?.as_str()?.to_owned(), container?.origin.clone())),
            false => None,
        },
        percent: percent.and_then(written),
        origin: percent.map_or_else(|| source.origin.clone(), |it| it.origin.clone()),
        is_default: false,
    })
}

/// The triggers of a `ScaledObject` that are shares of requests; none while it is paused.
///
/// `pkg/scalers/cpu_memory_scaler.go` of KEDA: `metricType`, formerly `metadata.type`, has no
/// default.
pub(super) fn of_scaled_object(object: &Object) -> Vec<Need> {
    let annotations = object.node.look("metadata.annotations");
    let is_paused = annotations.map_or(true, |it| {
        it.is_some_and(|it| {
            it.entries().any(|(key, _)| key.starts_with("autoscaling.keda.sh/paused"))
        })
    });
    let of_trigger = |trigger: &Node| {
        let resource = Measured::parse(trigger.str_at("type")?)?;
        let metric = trigger.get("metricType").or_else(|| trigger.at("metadata.type"))?;
        let container = trigger.at("metadata.containerName");
        let percent = trigger.at("metadata.value");
        let container = match container {
            Some(it) => Some((it.as_str()?.to_owned(), it.origin.clone())),
            None => None,
        };
        (metric.as_str()? == "Utilization").then(|| Need {
            resource,
            container,
            percent: percent.and_then(written),
            origin: percent.unwrap_or(metric).origin.clone(),
            is_default: false,
        })
    };
    let triggers = object.node.look("spec.triggers").ok().flatten().map(Node::items);
    let triggers = triggers.filter(|_| !is_paused).unwrap_or_default();
    triggers.iter().filter_map(of_trigger).collect()
}

/// The text of a number that nothing has yet to fill in.
fn written(node: &Node) -> Option<String> {
    node.as_scalar().filter(|_| !workload::is_yet_to_fill_in(node)).map(|it| it.text.to_string())
}
