//! Which requests `postfinance/kubelet-csr-approver` accepts, and whether that is too many.
//!
//! The names are those of the chart's values (`charts/kubelet-csr-approver/values.yaml`) and of the
//! environment variables that its template makes of them; the defaults are the program's
//! (`internal/cmd/cmd.go`).

use std::fmt;

use crate::{
    model::kubelet::loose_bool,
    placeholder::{Placeholder, has_placeholder},
    tree::{Node, Origin},
};

/// What makes an approver approve more than it should, or differently tomorrow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Weakness {
    /// The image of that name has no tag.
    NoTag(String),
    /// The image has that tag, which moves.
    MovingTag(String),
    /// Its manifests come from a branch.
    Branch,
    /// Nobody maintains it.
    Unmaintained,
    /// It looks at no request.
    Blind,
    /// The setting of that name, a pattern of host names, is missing.
    NoPattern(&'static str),
    /// The pattern of that name matches everything.
    AnyName(&'static str),
    /// The pattern of that name matches a part of a host name.
    PartOfName(&'static str),
    /// It checks no address.
    AnyAddress,
    /// It lets a node ask for the name of another.
    OtherNode,
}

impl Weakness {
    /// The name that tells it from the others, whatever the words for it are.
    pub(crate) fn id(&self) -> &'static str {
        match self {
            Self::NoTag(_) => "no-tag",
            Self::MovingTag(_) => "moving-tag",
            Self::Branch => "branch",
            Self::Unmaintained => "unmaintained",
            Self::Blind => "blind",
            Self::NoPattern(_) => "no-pattern",
            Self::AnyName(_) => "any-name",
            Self::PartOfName(_) => "part-of-name",
            Self::AnyAddress => "any-address",
            Self::OtherNode => "other-node",
        }
    }
}

/// A clause.
impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTag(image) => write!(f, "the image {image} has no tag, so it may change"),
            Self::MovingTag(tag) => write!(f, "the image's tag {tag} may change"),
            Self::Branch => f.write_str("it comes from a branch, which may change"),
            Self::Unmaintained => f.write_str("it is not maintained any more"),
            Self::Blind => f.write_str(
                "`kubectl certificate approve` accepts every request without a look at it",
            ),
            Self::NoPattern(name) => {
                write!(f, "{name} is not set, so every host name is accepted")
            }
            Self::AnyName(name) => write!(f, "{name} accepts every host name"),
            Self::PartOfName(name) => write!(
                f,
                "{name} is not anchored with ^ and $, so it also accepts longer host names"
            ),
            Self::AnyAddress => {
                f.write_str("IP addresses are not checked: DNS is bypassed and no prefixes are set")
            }
            Self::OtherNode => f.write_str("the host name need not be that of the node that asks"),
        }
    }
}

/// The settings that decide; an error means that one cannot be told.
struct Policy<'a> {
    regex: Option<&'a Node>,
    prefixes: Option<&'a Node>,
    bypass_dns: Option<&'a Node>,
    bypass_hostname: Option<&'a Node>,
}

/// What is weak in the chart's values.
pub(in crate::model) fn of_values(values: &Node, anchor: &Origin) -> Vec<(Weakness, Origin)> {
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
pub(super) fn of_container(container: &Node, anchor: &Origin) -> Vec<(Weakness, Origin)> {
    // Flags stand for the same settings; who uses them is not judged.
    let args = ["command", "args"].into_iter().flat_map(|it| container.items_at(it));
    let flagged = args
        .filter_map(Node::as_str)
        .any(|it| it.contains("regex") || it.contains("prefixes") || it.contains("bypass"));
    if flagged || container.get("envFrom").is_some() {
        return Vec::new();
    }
    let env = container.items_at("env");
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

/// The version that denies every request when it is told to resolve no names: it compares the
/// addresses with what it did not resolve (its issue 253; 1.2.1 does not).
const DENIES_ALL: &str = "1.2.0";

/// What makes the chart at `version`, whose program is of the same one, deny every request.
pub(super) fn denies_all_by(values: &Node, version: Option<&str>) -> Option<Origin> {
    let tag = values.look("image.tag").ok()?.and_then(Node::as_str).filter(|it| !it.is_empty());
    let bypass = values.look("bypassDnsResolution").ok()??;
    let denies = is_denying(tag.or(version)?) && loose_bool(bypass) == Some(true);
    denies.then(|| bypass.origin.clone())
}

/// What makes the program in `container` deny every request.
pub(super) fn denies_all(container: &Node) -> Option<Origin> {
    let image = container.str_at("image")?;
    let (_, tag) = image.rsplit('/').next()?.split_once(':')?;
    let args = ["command", "args"].into_iter().flat_map(|it| container.items_at(it));
    let mut flag = args.filter(|it| {
        matches!(
            it.as_str().map(|it| it.trim_start_matches('-')),
            Some("bypass-dns-resolution" | "bypass-dns-resolution=true")
        )
    });
    let variable = container.items_at("env").iter().rfind(|it| {
        it.str_at("name") == Some("BYPASS_DNS_RESOLUTION")
            && it.get("value").and_then(loose_bool) == Some(true)
    });
    let bypass = flag.next_back().or_else(|| variable?.get("value"));
    bypass.filter(|_| is_denying(tag)).map(|it| it.origin.clone())
}

fn is_denying(version: &str) -> bool {
    version.strip_prefix('v').unwrap_or(version) == DENIES_ALL
}

/// What is weak in how an image is named.
pub(super) fn of_image(image: &Node) -> Vec<(Weakness, Origin)> {
    let Some(text) =
        image.as_str().filter(|it| !Placeholder::Dollar.is_in(it) && !it.contains('@'))
    else {
        return Vec::new();
    };
    let name = text.rsplit('/').next().unwrap_or(text);
    let weakness = match name.split_once(':') {
        None => Weakness::NoTag(name.to_owned()),
        Some((_, tag)) if matches!(tag, "latest" | "main" | "master" | "edge") => {
            Weakness::MovingTag(tag.to_owned())
        }
        Some(_) => return Vec::new(),
    };
    vec![(weakness, image.origin.clone())]
}

impl Policy<'_> {
    fn weaknesses(&self, regex_name: &'static str, anchor: &Origin) -> Vec<(Weakness, Origin)> {
        let mut found = Vec::new();
        // The chart prints its values as plain scalars, which have no space around them, and a
        // pattern that wants a line's end matches no host name.
        let text = |node: Option<&Node>| Some(node?.as_scalar()?.text.trim().to_owned());
        let at =
            |node: Option<&Node>| node.map_or_else(|| anchor.clone(), |it| it.origin.or(anchor));
        match text(self.regex).as_deref() {
            None | Some("" | "null" | "~") => {
                found.push((Weakness::NoPattern(regex_name), at(self.regex)));
            }
            Some(".*" | "^.*$" | ".+" | "^.+$") => {
                found.push((Weakness::AnyName(regex_name), at(self.regex)));
            }
            Some(regex) if has_placeholder(regex) => {}
            Some(regex) if may_match_a_part(regex) => {
                found.push((Weakness::PartOfName(regex_name), at(self.regex)));
            }
            Some(_) => {}
        }
        let on = |node: Option<&Node>| node.and_then(loose_bool) == Some(true);
        if on(self.bypass_dns) && self.any_address() {
            found.push((Weakness::AnyAddress, at(self.bypass_dns)));
        }
        if on(self.bypass_hostname) {
            found.push((Weakness::OtherNode, at(self.bypass_hostname)));
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

/// Whether `regex` matches names that are longer than it: Go's `MatchString` looks for a match
/// anywhere in the name. What is no regular expression here matches nothing that can be told.
fn may_match_a_part(regex: &str) -> bool {
    let Ok(parsed) = regex_syntax::parse(regex) else { return false };
    let properties = parsed.properties();
    let (before, after) = (properties.look_set_prefix(), properties.look_set_suffix());
    !(before.contains_anchor() && after.contains_anchor())
}

#[cfg(test)]
mod tests {
    use super::may_match_a_part;

    #[test]
    fn an_expression_is_anchored_on_all_of_its_ways() {
        for whole in ["^a$", r"\Aa\z", "(^a$|^b$)", "^(a|b)$", "(?i)^a$", "^a$|^b$", r"^a\.b$"] {
            assert!(!may_match_a_part(whole), "{whole}");
        }
        for part in ["a", "^a", "a$", "^a|b$", "^(a)", r"^a\$", "(^a|b)$"] {
            assert!(may_match_a_part(part), "{part}");
        }
        assert!(!may_match_a_part("(^a"), "Go refuses it");
    }
}
