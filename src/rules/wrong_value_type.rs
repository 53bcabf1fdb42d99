use serde_json::{Value, json};

use crate::{
    finding::{ANY_SETTING, Change, Findings},
    model::{Cluster, Fact, MetricsServer, NotText, NotTextCause, WrongValue, WrongValueEffect},
};

/// Settings whose type Kubernetes checks, by the names of their facts, and what they are called.
/// Amounts and flags have rules of their own.
const SETTINGS: &[(&str, &str)] = &[
    ("container_port", "a port"),
    ("host_network", "hostNetwork"),
    ("pdb_max_unavailable", "maxUnavailable"),
    ("pdb_min_available", "minAvailable"),
    ("priority_class", "priorityClassName"),
    ("replicas", "replicas"),
    ("strategy_max_surge", "maxSurge"),
    ("strategy_max_unavailable", "maxUnavailable"),
];

/// Values whose items are objects with a name and nothing else.
const NAMES: [&str; 2] = ["imagePullSecrets", "serviceAccount.secrets"];

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for chart in &cluster.charts {
        for WrongValue { path, text, effect, origin } in &chart.wrong_values {
            let (variant, message, help) = match effect {
                WrongValueEffect::WantsMap => (
                    "map",
                    format!("`{path}` takes a map, not `{text}`: Kubernetes refuses it"),
                    format!("write what belongs to {path} below it, each with its key"),
                ),
                WrongValueEffect::WantsList => (
                    "list",
                    format!("`{path}` takes a list, not `{text}`: Kubernetes refuses it"),
                    format!("write each item of {path} after `- `"),
                ),
                WrongValueEffect::WantsMaps => (
                    "maps",
                    format!("`{path}` takes a list of maps, not `{text}`: Kubernetes refuses it"),
                    match &**path {
                        path if NAMES.contains(&path) => format!("write {{name: {text}}}"),
                        _ => "write its fields, each with its key".to_owned(),
                    },
                ),
                WrongValueEffect::TextIsTrue => (
                    "text",
                    format!(
                        "`{path}` is `{text}` in quotes, a text, which the chart takes for true"
                    ),
                    "write false, without quotes".to_owned(),
                ),
                WrongValueEffect::FalseIsTrue => (
                    "false",
                    format!("`{path}` comes to true: the chart takes {text} for nothing given"),
                    "write \"false\", in quotes".to_owned(),
                ),
            };
            let subject = format!("{}/{} {path}", chart.namespace, chart.name);
            let finding = findings.at(origin, &subject, message);
            finding.variant(variant).help(help);
            match effect {
                WrongValueEffect::WantsMaps if NAMES.contains(&&**path) => {
                    let name = Change::scalar(origin, json!({ "name": text }));
                    finding.safe_fix(&[], [name]);
                }
                WrongValueEffect::TextIsTrue => {
                    finding.unsafe_fix(&[ANY_SETTING], [Change::scalar(origin, false)]);
                }
                WrongValueEffect::FalseIsTrue => {
                    finding.unsafe_fix(
                        &["api_service_insecure_skip_tls_verify", "insecure_skip_tls_verify"],
                        [Change::scalar(origin, "false")],
                    );
                }
                _ => {}
            }
        }
    }
    for server in &cluster.metrics_servers {
        not_texts(server, findings);
        for (name, fact) in server.facts() {
            let Some((_, called)) = SETTINGS.iter().find(|(it, _)| *it == name) else { continue };
            let Fact::Invalid { text, why, origin } = fact else { continue };
            let message = format!("Kubernetes refuses `{text}` as {called}: {why}");
            let finding = findings
                .at(&origin.or(&server.anchor), &format!("{} {called}", server.subject()), message)
                .variant("setting")
                .help(match *called {
                    "hostNetwork" => "write true or false, without quotes",
                    "priorityClassName" => "write the name of a class",
                    "maxSurge" | "maxUnavailable" | "minAvailable" => {
                        "write a number, or a percentage such as 50%"
                    }
                    _ => "write a number, without quotes",
                });
            // What stands in quotes means the same without them.
            let meant: Option<Value> = match *called {
                "hostNetwork" => text.parse::<bool>().ok().map(Into::into),
                "replicas" | "a port" => text.parse::<u16>().ok().map(Into::into),
                _ => None,
            };
            if let Some(meant) = meant {
                finding.safe_fix(&[name], [Change::scalar(&origin, meant)]);
            }
        }
    }
}

/// What stands where Kubernetes takes texts alone.
fn not_texts(server: &MetricsServer, findings: &mut Findings) {
    for NotText { path, text, cause, origin } in &server.not_texts {
        let message = format!("`{path}` takes a text, not `{text}`: Kubernetes refuses it");
        let subject = format!("{} {path}", server.subject());
        let finding = findings.at(&origin.or(&server.anchor), &subject, message);
        finding.variant("text-field").help(match cause {
            NotTextCause::Plain => format!("write \"{text}\", in quotes"),
            NotTextCause::Substituted => {
                "write it without a variable, in quotes: Flux takes those around a variable away"
                    .into()
            }
            NotTextCause::Set => {
                "set it as a text: with --set-string, type = \"string\", or forceString: true"
                    .into()
            }
        });
        if *cause == NotTextCause::Plain {
            finding.safe_fix(&[ANY_SETTING], [Change::scalar(origin, &**text)]);
        }
    }
}
