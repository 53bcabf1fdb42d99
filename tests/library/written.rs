//! The effective settings that somebody wrote, as a table for a person who compares it with the
//! files: what `show` tells, without the defaults.

use std::{fmt::Write as _, path::Path};

use indexmap::IndexMap;

use super::config_in;
use crate::{
    discover,
    model::{Cluster, Datum, Fact, Facts as _, MetricsServer},
    pipeline::analyze,
    resolve::environment::Environment,
    source::{Sources, Span},
    tree::{Origin, Via},
};

/// The repository at `dir` and what every environment in it would run.
pub(crate) fn read(dir: &Path) -> (Sources, Vec<(Environment, Cluster)>) {
    let sources = discover::open(dir, &[], &[], &|| ()).unwrap();
    let (environments, clusters) = analyze(&sources, &config_in(&sources));
    (sources, environments.into_iter().zip(clusters).collect())
}

/// One line a thing: `name  value  place`; of more places the first is where the value takes effect
/// and the last where it is written: `base.yaml:3:5 patched < overlay.yaml:7:9`.
pub(crate) fn describe(
    sources: &Sources,
    (environment, cluster): &(Environment, Cluster),
) -> String {
    let mut table = Table { sources, text: String::new() };
    let entry = &environment.entry;
    let kind = entry.kind.id();
    table.line(0, &[&format!("environment {}", environment.name), kind], Some(&entry.origin));
    table.line(1, &["serving", cluster.serving.state.id()], None);
    for (says, origin) in &cluster.serving.evidence {
        table.line(2, &[says], Some(origin));
    }
    if let Some((why, origin)) = &cluster.local {
        table.line(1, &["local", why], Some(origin));
    }
    table.fact(1, "nodes", &cluster.nodes.map(ToString::to_string));
    table.fact(1, "pods_per_node", &cluster.pods_per_node.map(ToString::to_string));
    table.fact(1, "kubernetes", &cluster.kubernetes.map(ToString::to_string));
    for kubelet in &cluster.kubelets {
        let name = format!("kubelet {} / {}", kubelet.cluster, kubelet.group);
        table.line(1, &[&name, kubelet.carrier.words()], Some(&kubelet.anchor));
        table.facts(kubelet.facts());
    }
    for approver in &cluster.approvers {
        let certain = if approver.certain { "" } else { "perhaps " };
        table.line(1, &[&format!("{certain}approver {}", approver.name)], Some(&approver.origin));
        for (weakness, origin) in &approver.weaknesses {
            table.line(2, &[&weakness.to_string()], Some(origin));
        }
    }
    for server in &cluster.metrics_servers {
        table.server(server);
    }
    for service in &cluster.api_services {
        table.line(1, &[&format!("APIService {}", service.name)], Some(&service.anchor));
        table.facts(vec![
            ("service", service.service.datum()),
            ("insecure_skip_tls_verify", service.insecure_skip_tls_verify.datum()),
            ("ca_bundle", service.ca_bundle.datum()),
        ]);
    }
    for problem in &cluster.problems {
        let name = format!("{}: {}", problem.kind.rule(), problem.message);
        table.line(1, &[&name], Some(&problem.at));
    }
    table.text
}

/// `path:line:column`
pub(crate) fn place(sources: &Sources, span: Span) -> String {
    let start = sources.start(span);
    format!("{}:{}:{}", sources[span.file].path, start.line, start.column)
}

struct Table<'a> {
    sources: &'a Sources,
    text: String,
}

impl Table<'_> {
    fn line(&mut self, level: usize, cells: &[&str], origin: Option<&Origin>) {
        let way = origin.map(|it| self.way(it)).filter(|it| !it.is_empty());
        let cells = cells.iter().map(|it| if it.is_empty() { "\"\"" } else { it });
        let cells = cells.chain(way.as_deref());
        let line = cells.collect::<Vec<_>>().join("  ").replace('\n', "\\n");
        _ = writeln!(self.text, "{}{line}", "  ".repeat(level));
    }

    /// How the installation got there, and its settings.
    fn server(&mut self, server: &MetricsServer) {
        let name = format!("metrics-server {}", server.subject());
        let mut how = vec![server.via];
        how.extend(server.managed.then_some("managed"));
        how.extend(server.suspended.then_some("suspended"));
        self.line(1, &[&name, &how.join(", ")], Some(&server.anchor));
        if let Some((name, version)) = &server.chart {
            self.fact(2, &format!("chart {name}"), version);
        }
        for arg in server.args.value().into_iter().flatten() {
            match &arg.unknown {
                None if arg.origin.is_default() => {}
                None => self.line(2, &["arg", &arg.text], Some(&arg.origin)),
                Some(why) => {
                    let what = format!("{} unknown: {why}", arg.text);
                    self.line(2, &["arg", what.trim_start()], Some(&arg.origin));
                }
            }
        }
        let mut facts = server.facts();
        facts.retain(|(name, fact)| *name != "args" || fact.is_unknown());
        self.facts(facts);
    }

    /// What is written, and what is unknown, each reason once.
    fn facts(&mut self, facts: Vec<(&'static str, Fact<Datum>)>) {
        let all: Vec<&str> = facts.iter().map(|(name, _)| *name).collect();
        let mut unknown: IndexMap<_, Vec<&str>> = IndexMap::new();
        for (name, fact) in facts {
            match fact {
                Fact::Unknown(why, at) => {
                    let at = at.map(|it| format!("  {}", self.way(&it))).unwrap_or_default();
                    let why = format!("unknown: {why}{at}");
                    unknown.entry(why).or_default().push(name);
                }
                Fact::Known(_, origin) if origin.is_default() => {}
                fact => self.fact(2, name, &fact.map(ToString::to_string)),
            }
        }
        for (why, names) in unknown {
            let others = all.iter().filter(|it| !names.contains(it)).copied();
            let names = match names.len() {
                most if most == all.len() => "all".to_owned(),
                most if most > 10 => format!("all but {}", others.collect::<Vec<_>>().join(" ")),
                _ => names.join(" "),
            };
            self.line(2, &[&names, &why], None);
        }
    }

    fn fact(&mut self, level: usize, name: &str, fact: &Fact<String>) {
        match fact {
            Fact::Known(value, origin) => self.line(level, &[name, value], Some(origin)),
            Fact::Absent(Some(by)) => self.line(level, &[name, "taken away"], Some(by)),
            Fact::Absent(None) => {}
            Fact::Unknown(why, at) => {
                self.line(level, &[name, &format!("unknown: {why}")], at.as_ref());
            }
            Fact::Invalid { text, why, origin } => {
                self.line(level, &[name, &format!("invalid {text}: {why}")], Some(origin));
            }
        }
    }

    fn way(&self, origin: &Origin) -> String {
        let step = |via: Via, span: Option<Span>| {
            let place = span.map(|it| place(self.sources, it));
            let how = (via != Via::Written).then(|| via.id().to_owned());
            place.into_iter().chain(how).collect::<Vec<_>>().join(" ")
        };
        let chain = |origin: &Origin| {
            let steps = origin.steps().map(|it| step(it.via, it.span));
            steps.filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" < ")
        };
        // What it is put together from is written in more than one place.
        let parts = origin.also().into_iter().map(|it| chain(&it));
        std::iter::once(chain(origin)).chain(parts).collect::<Vec<_>>().join(" + ")
    }
}
