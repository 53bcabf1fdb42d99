use semver::Version;

use crate::{
    data::flags::{self, FlagKind},
    finding::{Change, Finding, Findings, Severity},
    model::{Arg, Argument, Cluster, Fact, MetricsServer, takes},
    tree::Origin,
};

/// The address types of a node (`NodeAddressType` of `k8s.io/api/core/v1`), which are compared as
/// they are written.
pub(super) const ADDRESS_TYPES: [&str; 5] =
    ["Hostname", "InternalDNS", "InternalIP", "ExternalDNS", "ExternalIP"];

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in &cluster.metrics_servers {
        for passed in server.arguments() {
            let Argument::Flag { name, value, arg } = passed else { continue };
            // `unknown-flag` says what there is to say of one that this version does not have.
            let has = |version: &Version| flags::accepts(version, name) != Some(false);
            let Some(kind) = flags::kind(name).filter(|_| server.versions.iter().all(has)) else {
                continue;
            };
            match value {
                // A `$(NAME)` that no variable of the container defines is somebody else's to fill in.
                Some((text, at)) if at.unknown.is_none() && !text.contains("$(") => {
                    value_of(server, name, kind, text, at, findings);
                }
                None if kind != FlagKind::Boolean => {
                    let message = format!("--{name} has no value: metrics-server does not start");
                    report(server, name, &arg.origin, message, findings)
                        .variant("none-given")
                        .help(format!("write --{name}= and a value"));
                }
                _ => {}
            }
        }
        effective(server, findings);
    }
}

/// Reports what is wrong with what `--name` is given.
fn report<'f>(
    server: &MetricsServer,
    name: &str,
    at: &Origin,
    message: String,
    findings: &'f mut Findings,
) -> &'f mut Finding {
    findings.at(&at.or(&server.anchor), &format!("{} --{name}", server.subject()), message)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit())
}

fn value_of(
    server: &MetricsServer,
    name: &str,
    kind: FlagKind,
    text: &str,
    at: &Arg,
    findings: &mut Findings,
) {
    let unquoted = text.trim_matches(['"', '\'']);
    let is_quoted = unquoted.len() + 2 <= text.len();
    if name == "kubelet-preferred-address-types" {
        return address_types(server, text, at, findings);
    }
    if !takes(kind, text) {
        let (wanted, example) = match kind {
            FlagKind::Boolean => ("true or false", meant_boolean(unquoted)),
            FlagKind::Duration => {
                let example =
                    if is_digits(unquoted) { format!("{unquoted}s") } else { "15s".to_owned() };
                ("a duration with a unit", is_quoted_value(kind, unquoted).unwrap_or(example))
            }
            _ => {
                let example = is_quoted_value(kind, unquoted);
                ("a whole number", example.unwrap_or_else(|| "a number".to_owned()))
            }
        };
        let message =
            format!("--{name} takes {wanted}, not `{text}`: metrics-server does not start");
        let finding = report(server, name, &at.origin, message, findings).variant("refused");
        finding.help(match &*example {
            "a number" => format!("give --{name} a number"),
            example => format!("write --{name}={example}"),
        });
        // Seconds are meant where they are as many as one would wait.
        if kind == FlagKind::Duration && is_digits(text) && text.len() <= 3 {
            finding.safe_fix(&[name], [Change::part(&at.origin, text, format!("{text}s"))]);
        } else if is_quoted && takes(kind, unquoted) {
            finding.safe_fix(&[name], [Change::part(&at.origin, text, unquoted)]);
        }
    } else if is_quoted && kind == FlagKind::Text {
        let message = format!("the quotes in `{text}` are a part of the value");
        report(server, name, &at.origin, message, findings)
            .variant("quotes")
            .at_most(Severity::Warning)
            .help(format!("write --{name}={unquoted}, with quotes around the whole item if any"))
            .safe_fix(&[name], [Change::part(&at.origin, text, unquoted)]);
    }
}

/// What is read, and then refused: `net.Listen` knows no such port, `Genericapiserver.New() called with config.LoopbackClientConfig ==
/// nil`, and since 0.7.0 `kubelet-request-timeout should be positive`
/// (`cmd/metrics-server/app/options/options.go`).
fn effective(server: &MetricsServer, findings: &mut Findings) {
    let port = match &server.secure_port {
        Fact::Known(0, at) => Some(("0", at)),
        Fact::Invalid { text, origin, .. } if takes(FlagKind::Integer, text) => {
            Some((&**text, origin))
        }
        _ => None,
    };
    if let Some((port, at)) = port {
        let message = match port {
            "0" => "--secure-port=0 leaves metrics-server without a port: it does not start".into(),
            _ => format!("--secure-port={port} is no port: metrics-server does not start"),
        };
        report(server, "secure-port", at, message, findings)
            .variant("no-port")
            .help("give the port that the container declares, such as --secure-port=10250");
    }
    let looks = server.versions.first().is_some_and(|it| *it >= Version::new(0, 7, 0));
    let timeout = server.kubelet_request_timeout.known().filter(|(it, _)| looks && it.nanos <= 0);
    if let Some((timeout, at)) = timeout {
        let message = format!(
            "--kubelet-request-timeout={timeout} is not above 0: metrics-server does not start"
        );
        report(server, "kubelet-request-timeout", at, message, findings)
            .variant("not-positive")
            .help("write --kubelet-request-timeout=10s, or remove it");
    }
}

/// What is left of a value when its quotes go, if the flag takes that.
fn is_quoted_value(kind: FlagKind, unquoted: &str) -> Option<String> {
    takes(kind, unquoted).then(|| unquoted.to_owned())
}

fn meant_boolean(text: &str) -> String {
    let no = ["no", "off", "n", "false", "disabled", "none"];
    if no.contains(&&*text.to_ascii_lowercase()) { "false" } else { "true" }.to_owned()
}

/// Lists of address types are not validated: a type that is none is passed over for every node.
fn address_types(server: &MetricsServer, text: &str, at: &Arg, findings: &mut Findings) {
    let wrong = || text.split(',').filter(|it| !it.is_empty() && !ADDRESS_TYPES.contains(it));
    let Some(first) = wrong().next() else { return };
    // Quotes make one type of the whole list; brackets belong to the first and the last.
    let all = text.trim_matches(['"', '\'', '[', ']']);
    let meant: Option<Vec<&str>> = all
        .split(',')
        .map(|it| {
            let it = it.trim().trim_matches(['"', '\'']);
            ADDRESS_TYPES.into_iter().find(|known| known.eq_ignore_ascii_case(it))
        })
        .collect();
    let effective = server.kubelet_preferred_address_types.value();
    let some = effective.is_some_and(|it| it.split(',').any(|it| ADDRESS_TYPES.contains(&it)));
    let (variant, message) = match some {
        true => (
            "passed-over",
            format!("`{first}` is no type of a node's addresses, so it is passed over"),
        ),
        false => (
            "none",
            format!("`{first}` is no type of a node's addresses: metrics-server reaches no node"),
        ),
    };
    let finding = report(server, "kubelet-preferred-address-types", &at.origin, message, findings);
    finding.variant(variant);
    if some {
        finding.at_most(Severity::Warning);
    }
    let Some(meant) = meant.map(|it| it.join(",")) else {
        finding.help(format!("use {}", ADDRESS_TYPES.join(", ")));
        return;
    };
    finding.help(format!("write --kubelet-preferred-address-types={meant}"));
    let change = Change::part(&at.origin, text, meant);
    finding.safe_fix(&["kubelet_preferred_address_types"], [change]);
}
