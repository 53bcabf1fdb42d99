//! The effective settings of every environment for programs: see `docs/json.md`.

use serde_json::{Map, Value as Json, json};

use super::apart;
use crate::{
    model::{
        ApiService, Approver, Autoscaler, Cluster, Count, Datum, Fact, Facts as _, Kubelet,
        MetricsServer,
    },
    problem::Problem,
    report::json::{self, object, place_json},
    resolve::environment::Environment,
    source::{Sources, Span},
    tree::Origin,
};

/// Everything that is known of `environments`, and the `problems` that are none of them, as JSON.
pub(crate) fn show_json(
    sources: &Sources,
    environments: &[(Environment, Cluster)],
    problems: &[Problem],
) -> String {
    json::pretty(&shown_json(sources, environments, problems))
}

/// The same before it is text.
pub(in crate::report) fn shown_json(
    sources: &Sources,
    environments: &[(Environment, Cluster)],
    problems: &[Problem],
) -> Json {
    let (scaled, shown) = apart(environments);
    let shown: Vec<_> = shown.into_iter().map(|it| environment_json(sources, it)).collect();
    let scaled = scaled.into_iter().map(|(environment, cluster)| {
        json!({ "name": environment.name, "autoscalers": autoscalers_json(sources, cluster) })
    });
    let scaled: Vec<_> = scaled.collect();
    let problems = problems_json(sources, problems);
    json!({
        "version": 1,
        "environments": shown,
        "autoscaled": scaled,
        "problems": problems,
    })
}

fn autoscalers_json(sources: &Sources, cluster: &Cluster) -> Json {
    let shown = |it: &Autoscaler| {
        let target = it.target.value().map(|it| json!({ "kind": it.kind, "name": it.name }));
        let needs = it.needs.iter().map(|need| {
            let container = need.container.as_ref().map(|(name, _)| name);
            object([
                json!({ "resource": need.resource.name(), "container": container }),
                place_json(sources, need.origin.written_at()),
            ])
        });
        object([
            json!({ "kind": it.kind, "namespace": it.namespace, "name": it.name }),
            place_json(sources, it.anchor.written_at()),
            json!({
                "target": target,
                "needs": needs.collect::<Json>(),
                "surroundings": facts_json(sources, it.surroundings()),
            }),
        ])
    };
    cluster.autoscalers.iter().map(shown).collect()
}

fn environment_json(sources: &Sources, (environment, cluster): &(Environment, Cluster)) -> Json {
    let entry = &environment.entry;
    let at = |origin: &Origin| place_json(sources, origin.written_at());
    let evidence = cluster.serving.evidence.iter();
    let evidence = evidence.map(|(text, origin)| object([json!({ "text": text }), at(origin)]));
    let local = cluster.local.as_ref().map(|(why, _)| why.clone());
    json!({
        "name": environment.name,
        "entry": object([json!({ "kind": entry.kind.id() }), at(&entry.origin)]),
        "local": local,
        "nodes": fact_json(sources, &cluster.nodes.map(|it| count_json(*it))),
        "pods_per_node": fact_json(sources, &cluster.pods_per_node.map(|it| count_json(*it))),
        "kubernetes": fact_json(sources, &cluster.kubernetes.map(|it| it.to_string().into())),
        "serving": {
            "state": cluster.serving.state.id(),
            "evidence": evidence.collect::<Json>(),
        },
        "metrics_servers":
            cluster.metrics_servers.iter().map(|it| server_json(sources, it)).collect::<Json>(),
        "kubelets": cluster.kubelets.iter().map(|it| kubelet_json(sources, it)).collect::<Json>(),
        "approvers":
            cluster.approvers.iter().map(|it| approver_json(sources, it)).collect::<Json>(),
        "api_services":
            cluster.api_services.iter().map(|it| api_service_json(sources, it)).collect::<Json>(),
        "autoscalers": autoscalers_json(sources, cluster),
        "problems": problems_json(sources, &environment.problems),
    })
}

fn server_json(sources: &Sources, server: &MetricsServer) -> Json {
    let chart = server.chart.as_ref();
    let chart = chart.map(|(name, version)| json!({ "name": name, "version": version.value() }));
    object([json!({
        "name": server.name,
        "namespace": (!server.is_anywhere).then_some(&server.namespace),
        "via": server.via,
        "chart": chart,
        "managed": server.managed,
        "facts": facts_json(sources, server.facts()),
        "surroundings": facts_json(sources, server.surroundings()),
    })])
}

fn kubelet_json(sources: &Sources, kubelet: &Kubelet) -> Json {
    object([
        json!({ "group": kubelet.group, "carrier": kubelet.carrier.words() }),
        place_json(sources, kubelet.anchor.written_at()),
        facts_json(sources, kubelet.facts()),
    ])
}

fn facts_json(sources: &Sources, facts: Vec<(&'static str, Fact<Datum>)>) -> Json {
    let facts = facts.into_iter();
    facts.map(|(name, fact)| (name, fact_json(sources, &fact.map(datum_json)))).collect()
}

fn approver_json(sources: &Sources, approver: &Approver) -> Json {
    let place = place_json(sources, approver.origin.written_at());
    object([json!({ "name": approver.name }), place])
}

fn api_service_json(sources: &Sources, service: &ApiService) -> Json {
    let text = |fact: &Fact<String>| fact_json(sources, &fact.map(|it| it.clone().into()));
    let skip = service.insecure_skip_tls_verify.map(|it| Json::from(*it));
    object([
        json!({ "name": service.name }),
        place_json(sources, service.anchor.written_at()),
        json!({
            "service": text(&service.service),
            "insecure_skip_tls_verify": fact_json(sources, &skip),
            "ca_bundle": text(&service.ca_bundle),
        }),
    ])
}

/// Problems in the form that `show` and `render` share.
pub(in crate::report) fn problems_json(sources: &Sources, problems: &[Problem]) -> Json {
    let problems = problems.iter().map(|problem| {
        object([
            json!({ "rule": problem.kind.rule(), "message": *problem.message }),
            place_json(sources, problem.at.written_at()),
            json!({ "help": problem.help }),
        ])
    });
    problems.collect()
}

/// What is known of a setting, and where it comes from.
pub(in crate::report) fn fact_json(sources: &Sources, fact: &Fact<Json>) -> Json {
    let mut shown = Map::new();
    let (state, origin) = match fact {
        Fact::Known(_, origin) => ("known", Some(origin)),
        Fact::Absent(by) => ("absent", by.as_ref()),
        Fact::Unknown(_, origin) => ("unknown", origin.as_ref()),
        Fact::Invalid { origin, .. } => ("invalid", Some(origin)),
    };
    shown.insert("state".into(), state.into());
    match fact {
        Fact::Known(value, _) => _ = shown.insert("value".into(), value.clone()),
        Fact::Invalid { text, .. } => _ = shown.insert("value".into(), text.clone().into()),
        Fact::Unknown(..) | Fact::Absent(_) => {}
    }
    if let Some((why, _)) = fact.untold() {
        shown.insert("why".into(), (**why).into());
    }
    if let Some(origin) = origin {
        shown.insert("origin".into(), origin_json(sources, origin));
        let also: Vec<Json> = origin.also().iter().map(|it| origin_json(sources, it)).collect();
        if !also.is_empty() {
            shown.insert("also".into(), also.into());
        }
    }
    Json::Object(shown)
}

/// The steps of an origin, from where the value takes effect to where it is written.
pub(in crate::report) fn origin_json(sources: &Sources, origin: &Origin) -> Json {
    let steps = origin.steps().map(|step| {
        let mut shown = Map::new();
        shown.insert("via".into(), step.via.id().into());
        add_place(&mut shown, sources, step.span);
        Json::Object(shown)
    });
    steps.collect()
}

fn add_place(shown: &mut Map<String, Json>, sources: &Sources, span: Option<Span>) {
    let place = place_json(sources, span);
    shown.extend(place.as_object().cloned().unwrap_or_default());
}

/// A value as JSON.
pub(in crate::report) fn datum_json(datum: &Datum) -> Json {
    match datum {
        Datum::Bool(it) => (*it).into(),
        Datum::Int(it) => i64::try_from(*it).map_or_else(|_| it.to_string().into(), Json::from),
        Datum::Text(it) | Datum::Amount(it, _) => it.clone().into(),
        Datum::List(items) => items.clone().into(),
    }
}

fn count_json(count: Count) -> Json {
    json!({ "min": count.min, "max": count.max })
}
