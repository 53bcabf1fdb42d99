use crate::{
    data::flags,
    finding::{Change, Finding, Findings, Severity},
    model::{Arg, Argument, Cluster, MetricsServer},
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in &cluster.metrics_servers {
        for arg in server.args.value().into_iter().flatten().filter(|it| !it.is_text) {
            refused(server, arg, findings);
        }
        for passed in server.arguments() {
            if let Argument::Word(arg) = passed
                && arg.is_text
                && !arg.text.contains("$(")
            {
                word(server, arg, findings);
            }
        }
    }
}

/// The API server does not take anything but text.
fn refused(server: &MetricsServer, arg: &Arg, findings: &mut Findings) {
    let message = format!("`{}` is not text: Kubernetes refuses it as an argument", arg.text);
    let help = match arg.text.starts_with(['[', '{']) {
        true => "write one text for each argument: `- --flag=value`",
        false => "write a flag with its value as one text: `- --flag=value`",
    };
    findings
        .at(&arg.origin.or(&server.anchor), &subject(server, arg), message)
        .variant("refused")
        .help(help);
}

/// Cobra's root command takes any positional arguments (`legacyArgs`), and metrics-server reads none.
fn word(server: &MetricsServer, arg: &Arg, findings: &mut Findings) {
    let at = arg.origin.or(&server.anchor);
    let text = &*arg.text;
    let name = text.trim_start_matches('-').split(['=', ' ']).next().unwrap_or_default();
    let known = flags::kind(name).is_some();
    let subject = subject(server, arg);
    if text.len() > 1 && text.starts_with('-') {
        let message =
            format!("`{text}` has one dash: metrics-server does not know it, and does not start");
        let help = match known {
            true => format!("write -{text}"),
            false => "remove it: flags have two dashes".to_owned(),
        };
        let finding = findings.at(&at, &subject, message);
        finding.variant("one-dash").help(help);
        if known {
            spell(finding, arg, name);
        }
        return;
    }
    let (variant, message, help) = if text.starts_with("map[") {
        (
            "map",
            format!("the chart makes `{text}` of a mapping, and metrics-server ignores it"),
            "write one text: `- --flag=value`, without a colon".to_owned(),
        )
    } else if text.is_empty() {
        let message = "metrics-server ignores an empty argument".to_owned();
        ("empty", message, "remove it".to_owned())
    } else {
        let help = if known { format!("write --{text}") } else { "remove it".to_owned() };
        ("word", format!("`{text}` is not a flag: metrics-server ignores it"), help)
    };
    let finding = findings.at(&at, &subject, message);
    finding.variant(variant).at_most(Severity::Warning).help(help);
    if known && variant == "word" {
        spell(finding, arg, name);
    }
    if let Some((name, value)) = entry(text) {
        let flag = Change::scalar(&arg.origin, format!("--{name}={value}"));
        finding.unsafe_fix(&[name, text], [flag]);
    }
}

/// The flag and the value of the only entry of what a chart makes of a mapping: of `map[--v:2]`, `v` and
/// `2`; not of the one that takes security away when it is passed.
fn entry(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.strip_prefix("map[")?.strip_suffix(']')?.split_once(':')?;
    let name = name.trim_start_matches('-');
    let is_plain = !value.is_empty() && !value.contains([' ', ':', '[']);
    (is_plain && name != "kubelet-insecure-tls" && flags::kind(name).is_some())
        .then_some((name, value))
}

/// Proposes the flag `name` with two dashes; not the one that takes security away when it is passed.
fn spell(finding: &mut Finding, arg: &Arg, name: &str) {
    if name != "kubelet-insecure-tls" {
        let (old, new) = (&*arg.text, format!("--{}", arg.text.trim_start_matches('-')));
        // What was no flag is a setting by its own words until then.
        finding.safe_fix(&[name, old], [Change::part(&arg.origin, old, new)]);
    }
}

fn subject(server: &MetricsServer, arg: &Arg) -> String {
    format!("{} {}", server.subject(), arg.text)
}
