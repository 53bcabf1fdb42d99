//! The effective settings of every environment, and where each comes from.

use std::fmt::Write as _;

use indexmap::IndexMap;
use serde_json::{Map, Value as Json, json};

use crate::{
    cli::Verbosity,
    model::{
        ApiService, Approver, Autoscaler, Cluster, Count, Datum, Fact, Facts as _, Kubelet,
        MetricsServer,
    },
    problem::Problem,
    report::{
        Place, TerminalOptions,
        excerpt::harmless,
        filled,
        json::{self, object, place_json},
    },
    resolve::environment::Environment,
    source::{Sources, Span},
    tree::{Origin, Step, Via},
};

/// Everything that is known of `environments`, and the `problems` that are none of them, as JSON.
pub(crate) fn show_json(
    sources: &Sources,
    environments: &[(Environment, Cluster)],
    problems: &[Problem],
) -> String {
    let (scaled, shown) = apart(environments);
    let shown: Vec<_> = shown.into_iter().map(|it| environment_json(sources, it)).collect();
    let scaled = scaled.into_iter().map(|(environment, cluster)| {
        json!({ "name": environment.name, "autoscalers": autoscalers_json(sources, cluster) })
    });
    let scaled: Vec<_> = scaled.collect();
    let problems = problems_json(sources, problems);
    json::pretty(&json!({
        "version": 1,
        "environments": shown,
        "autoscaled": scaled,
        "problems": problems,
    }))
}

type Shown = (Environment, Cluster);

/// The environments that only scale workloads, of which there may be one for each program, and all
/// others.
fn apart(environments: &[Shown]) -> (Vec<&Shown>, Vec<&Shown>) {
    environments.iter().partition(|(_, it)| it.only_scales() && !it.autoscalers.is_empty())
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
            json!({ "target": target, "needs": needs.collect::<Json>() }),
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
        "namespace": server.namespace,
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
pub(super) fn problems_json(sources: &Sources, problems: &[Problem]) -> Json {
    let problems = problems.iter().map(|problem| {
        object([
            json!({ "rule": problem.kind.rule(), "message": problem.message }),
            place_json(sources, problem.at.written_at()),
            json!({ "help": problem.help }),
        ])
    });
    problems.collect()
}

fn fact_json(sources: &Sources, fact: &Fact<Json>) -> Json {
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
pub(super) fn origin_json(sources: &Sources, origin: &Origin) -> Json {
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

fn datum_json(datum: &Datum) -> Json {
    match datum {
        Datum::Bool(it) => (*it).into(),
        Datum::Int(it) => i64::try_from(*it).map_or_else(|_| it.to_string().into(), Json::from),
        Datum::Text(it) => it.clone().into(),
        Datum::List(items) => items.clone().into(),
    }
}

fn count_json(count: Count) -> Json {
    json!({ "min": count.min, "max": count.max })
}

/// Everything that is known of `environments`, as tables, and the `problems` that are none of them.
pub(crate) fn show(
    sources: &Sources,
    environments: &[(Environment, Cluster)],
    problems: &[Problem],
    look: TerminalOptions,
    detail: Verbosity,
) -> String {
    let (scaled, shown) = apart(environments);
    let mut shown: Vec<String> =
        shown.into_iter().map(|it| environment(sources, it, look, detail)).collect();
    if shown.is_empty() {
        let none = "no environment with metrics-server, kubelet configuration or approvers\n";
        shown.push(none.to_owned());
    }
    if !scaled.is_empty() {
        let names = scaled.iter().map(|(it, _)| &*it.name).collect::<Vec<_>>().join(", ");
        shown.push(wrapped("only autoscalers: ", &names, look));
    }
    if !problems.is_empty() {
        let told = problems.iter().map(|it| problem_line("", sources, it, look));
        shown.push(told.collect());
    }
    shown.join("\n")
}

/// `unresolved: metrics-server is installed by a script in a way that is not read (up.sh:3)`
fn problem_line(
    indent: &str,
    sources: &Sources,
    problem: &Problem,
    look: TerminalOptions,
) -> String {
    let at = place(sources, problem.at.written_at());
    let lead = format!("{indent}{}: ", problem.kind.rule());
    wrapped(&lead, &format!("{} ({at})", problem.message), look)
}

fn environment(
    sources: &Sources,
    (environment, cluster): &(Environment, Cluster),
    look: TerminalOptions,
    detail: Verbosity,
) -> String {
    let entry = &environment.entry;
    let start = place(sources, entry.origin.written_at());
    let mut out = look.paint("1", &environment.name);
    let _ = writeln!(out, "  ({} {start})", entry.kind.id().replace('-', " "));
    let mut table = Table::default();
    if let Some((why, origin)) = &cluster.local {
        table.row("local", "yes", &format!("{why}, {}", place(sources, origin.written_at())));
    }
    table.fact("nodes", &cluster.nodes.map(|it| count_text(*it)), sources);
    if !cluster.pods_per_node.is_absent() {
        table.fact("pods per node", &cluster.pods_per_node.map(|it| count_text(*it)), sources);
    }
    if !cluster.kubernetes.is_absent() {
        table.fact("Kubernetes", &cluster.kubernetes.map(ToString::to_string), sources);
    }
    let state = cluster.serving.state.id().replace('-', " ");
    table.row("serving certificates", &state, "");
    for (text, origin) in &cluster.serving.evidence {
        table.remark(&format!("{text}, {}", place(sources, origin.written_at())));
    }
    for approver in &cluster.approvers {
        table.row("approver", &approver.name, &place(sources, approver.origin.written_at()));
    }
    for it in &cluster.removed_api_versions {
        let what = format!("{} {}", it.api_version, it.kind);
        table.row("removed API version", &what, &place(sources, it.origin.written_at()));
    }
    for it in &cluster.api_servers {
        if !it.aggregator_routing.is_absent() {
            table.fact("aggregator routing", &it.aggregator_routing.map(bool::to_string), sources);
        }
    }
    for it in cluster.charts.iter().flat_map(|it| &it.drifts) {
        let what = format!("{} of the {}", it.field, it.kind);
        table.row("never in sync", &what, &place(sources, it.origin.written_at()));
    }
    for it in &cluster.moving_versions {
        let text = if it.text.is_empty() { "none" } else { &it.text };
        table.row("moving version", text, &place(sources, it.origin.written_at()));
    }
    for variable in &cluster.variables {
        table.fact(&variable.name, &variable.value, sources);
        let what = match (variable.is_used, &variable.overridden) {
            (Some(false), _) => ", which nothing uses",
            (_, Some(_)) => ", which another definition overrides",
            _ => "",
        };
        table.remark(&format!("a variable of the {}{what}", variable.source));
    }
    if !cluster.autoscalers.is_empty() {
        let names: Vec<String> = cluster.autoscalers.iter().map(Autoscaler::subject).collect();
        table.row("autoscalers", &names.len().to_string(), &names.join(", "));
    }
    out += &table.print(look);
    for server in &cluster.metrics_servers {
        let name = if server.name.is_empty() {
            format!("{}, name unknown", server.namespace)
        } else {
            server.subject()
        };
        let _ = writeln!(out, "\n  {} ({})", look.paint("1", &name), how(sources, server));
        let mut table = Table::default();
        let mut rest: IndexMap<String, Vec<String>> = IndexMap::new();
        let mut facts = server.facts();
        if detail == Verbosity::Verbose {
            facts.extend(server.surroundings());
        }
        for (name, fact) in facts {
            let name = name.replace('_', " ");
            match fact {
                Fact::Absent(None) => rest.entry("not set".into()).or_default().push(name),
                // What is unknown for one reason is told once.
                Fact::Unknown(why, _) => {
                    rest.entry(format!("unknown, since {why}")).or_default().push(name);
                }
                _ if name == "args" => table.args(server, sources),
                fact => table.fact(&name, &fact.map(ToString::to_string), sources),
            }
        }
        out += &table.print(look);
        for (state, names) in &rest {
            // A name is not broken between its words.
            let names = names.join(", ").replace(' ', "\u{a0}").replace(",\u{a0}", ", ");
            out += &wrapped(&format!("    {state}: "), &names, look).replace('\u{a0}', " ");
        }
    }
    for problem in &environment.problems {
        out += &problem_line("  ", sources, problem, look);
    }
    out
}

/// `helm release, chart metrics-server 3.12.2, version from apps/helmrelease.yaml:12`
fn how(sources: &Sources, server: &MetricsServer) -> String {
    let mut how = server.via.replace('-', " ");
    if let Some((name, version)) = &server.chart {
        let _ = write!(how, ", chart {name}");
        match version.known() {
            Some((version, origin)) => {
                let from = place(sources, origin.written_at());
                let _ = write!(how, " {version}, version from {from}");
            }
            None => how += ", version unknown",
        }
    }
    how
}

/// Rows of a name, a value, and where it comes from.
#[derive(Default)]
struct Table {
    rows: Vec<Row>,
}

struct Row {
    name: String,
    value: String,
    /// The places on the value's way, what a person edits first; or a remark.
    from: Vec<String>,
}

impl Table {
    fn row(&mut self, name: &str, value: &str, from: &str) {
        let from = Some(from.to_owned()).filter(|it| !it.is_empty());
        self.came(name, value, from.as_slice());
    }

    fn came(&mut self, name: &str, value: &str, from: &[String]) {
        let from = from.iter().map(|it| harmless(it)).collect();
        self.rows.push(Row { name: name.to_owned(), value: harmless(value), from });
    }

    /// More about the row before.
    fn remark(&mut self, text: &str) {
        self.row("", "", text);
    }

    fn fact(&mut self, name: &str, fact: &Fact<String>, sources: &Sources) {
        match fact {
            Fact::Known(value, origin) => self.came(name, value, &way(sources, origin)),
            Fact::Absent(None) => self.row(name, "not set", ""),
            Fact::Absent(Some(by)) => {
                let by = place(sources, by.written_at());
                self.row(name, "not set", &format!("taken away at {by}"));
            }
            Fact::Unknown(why, _) => self.row(name, "unknown", why),
            Fact::Invalid { text, why, origin } => {
                self.came(name, &format!("invalid  {text}"), &way(sources, origin));
                self.remark(why);
            }
        }
    }

    /// Each argument with where it comes from: patches and values add them one by one.
    fn args(&mut self, server: &MetricsServer, sources: &Sources) {
        for (index, arg) in server.args.value().into_iter().flatten().enumerate() {
            let name = if index == 0 { "args" } else { "" };
            match &arg.unknown {
                None => self.came(name, &arg.text, &way(sources, &arg.origin)),
                // Why is told with the other unknown facts, which depend on it.
                Some(_) => self.row(name, "unknown", ""),
            }
        }
    }

    fn print(&self, look: TerminalOptions) -> String {
        // A few long texts must not push everything else to the right.
        let width = |text: fn(&Row) -> &str, most: usize| {
            let widths = self.rows.iter().map(|row| text(row).chars().count());
            widths.filter(|it| *it <= most).max().unwrap_or(0)
        };
        let (name_width, value_width) = (width(|it| &it.name, 31), width(|it| &it.value, 24));
        let mut out = String::new();
        for Row { name, value, from } in &self.rows {
            if name.is_empty() && value.is_empty() {
                out += &wrapped("      ", &from.concat(), look);
                continue;
            }
            let lead = format!("    {name:name_width$}  ");
            let value = format!("{value:value_width$}");
            let used = lead.chars().count() + value.chars().count() + 2;
            let line = format!("{lead}{}", look.paint(value_color(&value), &value));
            let on_one_line = from.join(", ");
            if from.is_empty() {
                out += line.trim_end();
                out.push('\n');
            } else if used + on_one_line.chars().count() <= look.width {
                let _ = writeln!(out, "{line}  {}", look.paint("2", &on_one_line));
            } else {
                let _ = writeln!(out, "{}", line.trim_end());
                let below = " ".repeat(4 + name_width + 4);
                for step in from {
                    out += &look.paint("2", wrapped(&below, step, look).trim_end());
                    out.push('\n');
                }
            }
        }
        out
    }
}

fn value_color(value: &str) -> &'static str {
    if value.trim_end() == "unknown" || value.starts_with("invalid  ") { "33" } else { "" }
}

/// Where a value is written and then through what it comes to count, for people.
fn way(sources: &Sources, origin: &Origin) -> Vec<String> {
    let mut steps: Vec<Step> = origin.steps().collect();
    let Some(last) = steps.pop() else { return Vec::new() };
    let written = match (last.via, last.span) {
        (Via::Written | Via::Configured, span) => place(sources, span),
        // The chart's version is told once, with the chart.
        (Via::ChartDefault, _) => {
            steps.clear();
            via_text(last.via)
        }
        (via, None) => via_text(via),
        (via, span) => format!("{}, {}", via_text(via), place(sources, span)),
    };
    let through = steps.iter().rev().filter(|it| it.span.is_some()).map(|step| {
        let how = match step.via {
            Via::Patched | Via::Overridden | Via::Transformed => "over".to_owned(),
            Via::Values => "through".to_owned(),
            via => format!("{} at", via_text(via)),
        };
        format!("{how} {}", place(sources, step.span))
    });
    let also = origin.also().into_iter().filter_map(|it| way(sources, &it).into_iter().next());
    let also = also.map(|it| format!("and {it}"));
    std::iter::once(written).chain(through).chain(also).collect()
}

fn via_text(via: Via) -> String {
    via.id().replace('-', " ").replace("kubernetes", "Kubernetes")
}

fn place(sources: &Sources, span: Option<Span>) -> String {
    span.map_or_else(
        || "built in".to_owned(),
        |span| {
            let Place { path, start, .. } = Place::of(sources, span);
            format!("{path}:{}", start.line)
        },
    )
}

fn count_text(count: Count) -> String {
    match count.max {
        Some(max) if max == count.min => max.to_string(),
        Some(max) => format!("{} to {max}", count.min),
        None => format!("{} or more", count.min),
    }
}

/// `text` after `lead`, broken between words, the rest indented below.
fn wrapped(lead: &str, text: &str, look: TerminalOptions) -> String {
    let indent = lead.chars().take_while(|it| *it == ' ').count() + 2;
    let rest = " ".repeat(indent);
    let text = filled(&harmless(text), lead.chars().count(), indent, look.width);
    format!("{lead}{}\n", text.replace('\n', &format!("\n{rest}")))
}
