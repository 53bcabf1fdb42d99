//! Which requests `postfinance/kubelet-csr-approver` accepts, and whether that is too many.
//!
//! The names are those of the chart's values (`charts/kubelet-csr-approver/values.yaml`) and of the
//! environment variables that its template makes of them; the defaults are the program's
//! (`internal/cmd/cmd.go`).

use crate::{
    model::kubelet::loose_bool,
    tree::{Node, Origin},
};

type Weakness = (String, Origin);

/// The settings that decide; an error means that one cannot be told.
struct Policy<'a> {
    regex: Option<&'a Node>,
    prefixes: Option<&'a Node>,
    bypass_dns: Option<&'a Node>,
    bypass_hostname: Option<&'a Node>,
}

/// What is weak in the chart's values.
pub(in crate::model) fn of_values(values: &Node, anchor: &Origin) -> Vec<Weakness> {
    let look = |path| values.look(path).ok();
    let policy = || {
        Some(Policy {
            regex: look("providerRegex")?,
            prefixes: look("providerIpPrefixes")?,
            bypass_dns: look("bypassDnsResolution")?,
            bypass_hostname: look("bypassHostnameCheck")?,
        })
    };
    // `env` may set the same variables once more.
    match (look("env"), policy()) {
        (Some(None), Some(policy)) => policy.weaknesses("providerRegex", anchor),
        (Some(Some(env)), Some(policy)) if env.items().is_empty() => {
            policy.weaknesses("providerRegex", anchor)
        }
        _ => Vec::new(),
    }
}

/// What is weak in a container that runs the approver.
pub(super) fn of_container(container: &Node, anchor: &Origin) -> Vec<Weakness> {
    // Flags stand for the same settings; who uses them is not judged.
    let args = ["command", "args"].iter().filter_map(|it| container.get(it)).flat_map(Node::items);
    let flagged = args
        .filter_map(Node::as_str)
        .any(|it| it.contains("regex") || it.contains("prefixes") || it.contains("bypass"));
    if flagged || container.get("envFrom").is_some() {
        return Vec::new();
    }
    let env = container.get("env").map(Node::items).unwrap_or_default();
    let variable = |name: &str| env.iter().rfind(|it| it.str_at("name") == Some(name));
    let names = [
        "PROVIDER_REGEX",
        "PROVIDER_IP_PREFIXES",
        "BYPASS_DNS_RESOLUTION",
        "BYPASS_HOSTNAME_CHECK",
    ];
    if names.iter().filter_map(|it| variable(it)).any(|it| it.get("value").is_none()) {
        return Vec::new();
    }
    let [regex, prefixes, bypass_dns, bypass_hostname] =
        names.map(|name| variable(name).and_then(|it| it.get("value")));
    Policy { regex, prefixes, bypass_dns, bypass_hostname }.weaknesses("PROVIDER_REGEX", anchor)
}

/// What is weak in how an image is named.
pub(super) fn of_image(image: &Node) -> Vec<Weakness> {
    let Some(text) = image.as_str().filter(|it| !it.contains("${") && !it.contains('@')) else {
        return Vec::new();
    };
    let name = text.rsplit('/').next().unwrap_or(text);
    let says = match name.split_once(':') {
        None => format!("the image {name} has no tag, so it may change"),
        Some((_, tag)) if matches!(tag, "latest" | "main" | "master" | "edge") => {
            format!("the image's tag {tag} may change")
        }
        Some(_) => return Vec::new(),
    };
    vec![(says, image.origin.clone())]
}

impl Policy<'_> {
    fn weaknesses(&self, regex_name: &str, anchor: &Origin) -> Vec<Weakness> {
        let mut found = Vec::new();
        let text =
            |node: Option<&Node>| node.and_then(Node::as_scalar).map(|it| it.text.to_string());
        let at =
            |node: Option<&Node>| node.map_or_else(|| anchor.clone(), |it| it.origin.or(anchor));
        match text(self.regex).as_deref() {
            None | Some("" | "null" | "~") => {
                found.push((
                    format!("{regex_name} is not set, so every host name is accepted"),
                    at(self.regex),
                ));
            }
            Some(".*" | "^.*$" | ".+" | "^.+$") => {
                found.push((format!("{regex_name} accepts every host name"), at(self.regex)));
            }
            Some(regex) if regex.contains("${") || regex.contains("{{") => {}
            // Go's `MatchString` looks for a match anywhere in the name.
            Some(regex)
                if !(regex.starts_with('^') || regex.starts_with("\\A"))
                    || !(regex.ends_with('$') || regex.ends_with("\\z")) =>
            {
                found.push((
                    format!("{regex_name} is not anchored with ^ and $, so it also accepts longer host names"),
                    at(self.regex),
                ));
            }
            Some(_) => {}
        }
        let on = |node: Option<&Node>| node.and_then(loose_bool) == Some(true);
        if on(self.bypass_dns) && self.any_address() {
            found.push((
                "IP addresses are not checked: DNS is bypassed and no prefixes are set".into(),
                at(self.bypass_dns),
            ));
        }
        if on(self.bypass_hostname) {
            found.push((
                "the host name need not be that of the node that asks".into(),
                at(self.bypass_hostname),
            ));
        }
        found
    }

    /// Whether the prefixes, a list or a text with commas, let every address pass.
    fn any_address(&self) -> bool {
        let Some(prefixes) = self.prefixes else { return true };
        let texts: Vec<&str> = match prefixes.as_list() {
            Some(items) => items.iter().filter_map(Node::as_str).collect(),
            None => prefixes.as_str().unwrap_or_default().split(',').collect(),
        };
        let texts: Vec<&str> =
            texts.into_iter().map(str::trim).filter(|it| !it.is_empty()).collect();
        texts.is_empty() || texts.iter().any(|it| it.ends_with("/0"))
    }
}
