//! The settings of a kubelet: layers of KubeletConfiguration, and flags, which beat them all.
//!
//! Precedence is that of `cmd/kubelet/app/server.go` in `kubernetes/kubernetes`: the file given with
//! `--config`, then its drop-in directory, then flags.

use crate::{
    model::{
        Duration, Fact, KubeletFacts,
        fact::has_hole,
        workload::{
            flag::{self, go_bool},
            number,
        },
    },
    placeholder::has_placeholder,
    scalar::Value,
    tree::{Entry, Kind, Node, Origin, Via},
};

/// What one group of kubelets is started with.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    /// KubeletConfigurations or parts of one, the later over the earlier. An unknown one makes all
    /// that no later one sets unknown.
    pub(super) layers: Vec<Node>,
    /// Flags, of which the last of a name counts.
    pub(super) flags: Vec<Flag>,
}

/// A flag that is passed to a kubelet.
#[derive(Debug, Clone)]
pub(super) struct Flag {
    /// Its name, without dashes.
    pub(super) name: String,
    /// Its value; `true` when it is passed without one.
    pub(super) value: Node,
}

/// The name of a flag that may be any.
const ANY: &str = "*";

impl Settings {
    /// Nothing but `layers`.
    pub(super) fn from_layers(layers: Vec<Node>) -> Self {
        Self { layers, flags: Vec::new() }
    }

    /// Whether anything that concerns serving certificates or access is set, or may be.
    pub(super) fn has_settings(&self) -> bool {
        let facts = self.facts();
        !(facts.server_tls_bootstrap.is_absent()
            && facts.tls_cert_file.is_absent()
            && facts.webhook_authentication.is_absent()
            && facts.anonymous_authentication.is_absent()
            && facts.authorization_mode.is_absent()
            && facts.read_only_port.is_absent()
            && facts.rotation_gate.is_absent())
    }

    /// What they come to.
    pub(super) fn facts(&self) -> KubeletFacts {
        let gate = "RotateKubeletServerCertificate";
        KubeletFacts {
            server_tls_bootstrap: self.bool("serverTLSBootstrap", "rotate-server-certificates"),
            tls_cert_file: self.text("tlsCertFile", "tls-cert-file"),
            webhook_authentication: self
                .bool("authentication.webhook.enabled", "authentication-token-webhook"),
            anonymous_authentication: self
                .bool("authentication.anonymous.enabled", "anonymous-auth"),
            authorization_mode: self.text("authorization.mode", "authorization-mode"),
            read_only_port: self.port("readOnlyPort", "read-only-port"),
            address: self.text("address", "address"),
            port: self.port("port", "port"),
            enable_server: self.bool("enableServer", "enable-server"),
            max_pods: self.count("maxPods", "max-pods"),
            // No configuration has it, but what hides all settings hides it, too.
            housekeeping_interval: self.fact(
                "housekeepingInterval",
                "housekeeping-interval",
                |_| None,
                |text| Duration::parse(text.trim()).into(),
            ),
            rotation_gate: self.fact(
                &format!("featureGates.{gate}"),
                "feature-gates",
                Node::as_bool,
                |text| {
                    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
                    pairs.rev().find(|(name, _)| name.trim() == gate).map_or(
                        Reading::Nothing,
                        |(_, value)| match go_bool(value.trim()) {
                            Some(it) => Reading::Value(it),
                            None => Reading::Wrong,
                        },
                    )
                },
            ),
        }
    }

    fn bool(&self, path: &str, flag: &str) -> Fact<bool> {
        self.fact(path, flag, Node::as_bool, |text| go_bool(text).into())
    }

    /// An empty text is what the kubelet takes for "not set".
    fn text(&self, path: &str, flag: &str) -> Fact<String> {
        let filled = |text: &str| (!has_placeholder(text)).then(|| text.into());
        let fact = self.fact(
            path,
            flag,
            |node| node.as_str().and_then(filled),
            |text| filled(text).into(),
        );
        match fact {
            Fact::Known(text, origin) if String::is_empty(&text) => Fact::Absent(Some(origin)),
            fact => fact,
        }
    }

    fn port(&self, path: &str, flag: &str) -> Fact<i128> {
        let port = |it: &i128| (0..=65535).contains(it);
        self.fact(
            path,
            flag,
            |it| number(it).ok().filter(port),
            |text| flag::integer(text.trim()).filter(port).into(),
        )
    }

    fn count(&self, path: &str, flag: &str) -> Fact<i128> {
        let count = |it: &i128| *it >= 0;
        self.fact(
            path,
            flag,
            |it| number(it).ok().filter(count),
            |text| flag::integer(text.trim()).filter(count).into(),
        )
    }

    /// What holds of the layers and flags in the end, and what it took the place of.
    fn fact<T>(
        &self,
        path: &str,
        flag: &str,
        from_config: impl Fn(&Node) -> Option<T>,
        from_flag: impl Fn(&str) -> Reading<T>,
    ) -> Fact<T> {
        let mut fact = Fact::Absent(None);
        for layer in &self.layers {
            match layer.look(path) {
                Err((why, origin)) => fact = Fact::Unknown(why, Some(origin)),
                Ok(Some(node)) if !node.is_null() => {
                    fact = over(from_config(node).into(), node, &fact).unwrap_or(fact);
                }
                Ok(_) => {}
            }
        }
        for Flag { value, .. } in self.flags.iter().filter(|it| it.name == flag || it.name == ANY) {
            let reading = match &value.kind {
                Kind::Scalar(scalar) => from_flag(&scalar.text),
                _ => Reading::Wrong,
            };
            fact = over(reading, value, &fact).unwrap_or(fact);
        }
        fact
    }
}

/// What one place says of a setting.
enum Reading<T> {
    /// Nothing about this one.
    Nothing,
    /// Something that is not a value of its type: a template, or what the kubelet refuses.
    Wrong,
    /// This.
    Value(T),
}

impl<T> From<Option<T>> for Reading<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Wrong, Self::Value)
    }
}

/// The fact that `reading` of `node` makes over `old`, unless it says nothing.
fn over<T>(reading: Reading<T>, node: &Node, old: &Fact<T>) -> Option<Fact<T>> {
    let origin = match old {
        Fact::Known(_, old) => node.origin.over(Via::Overridden, old),
        _ => node.origin.clone(),
    };
    match (reading, node.unknown()) {
        (Reading::Nothing, _) => None,
        (Reading::Value(value), _) => Some(Fact::Known(value, origin)),
        (Reading::Wrong, Some(why)) => Some(Fact::Unknown(why.clone(), Some(origin))),
        (Reading::Wrong, None) => {
            let hole = node.as_scalar().is_some_and(|it| has_hole(&it.text));
            let why =
                if hole { "a template fills it in" } else { "it is not a value of the right type" };
            Some(Fact::refused(&Node { origin, ..node.clone() }, why))
        }
    }
}

impl Flag {
    /// Flags in any of the notations that installers use: a map `name: value`, a list of
    /// `{name, value}`, or a list of `name=value`, `--name=value` and `--name`.
    pub(super) fn all(node: &Node) -> Vec<Self> {
        match &node.kind {
            // A list as a value is the same flag several times.
            Kind::Map(map) => map
                .iter()
                .flat_map(|(name, Entry { value, .. })| {
                    let values = value.as_list().unwrap_or(std::slice::from_ref(value));
                    values.iter().map(move |value| Self::new(name, value.clone()))
                })
                .collect(),
            Kind::List(items) => items.iter().filter_map(Self::one).collect(),
            Kind::Scalar(_) => Self::one(node).into_iter().collect(),
            Kind::Unknown(why) => match node.if_there() {
                Some(flags) => {
                    let unknown = |it: &Node| Node::unknown_value(why.clone(), &it.origin);
                    let flags = Self::all(&flags).into_iter();
                    flags.map(|it| Self { value: unknown(&it.value), ..it }).collect()
                }
                None => vec![Self::new(ANY, node.clone())],
            },
        }
    }

    fn one(item: &Node) -> Option<Self> {
        if let Some(name) = item.str_at("name") {
            let value = item.get("value").cloned();
            return Some(Self::new(name, value.unwrap_or_else(|| truth(&item.origin))));
        }
        if item.unknown().is_some() {
            let known = item.if_there().and_then(|it| Self::one(&it));
            let name = known.map_or_else(|| ANY.to_owned(), |it| it.name);
            return Some(Self::new(&name, item.clone()));
        }
        Some(Self::parse(&item.as_scalar()?.text, &item.origin))
    }

    /// `--name=value`, `name=value` or `--name`.
    pub(super) fn parse(text: &str, origin: &Origin) -> Self {
        match text.split_once('=') {
            Some((name, value)) => Self::new(name, Node::new(value, origin.clone())),
            None => Self::new(text, truth(origin)),
        }
    }

    /// The flags in the words of a command line; `--name value` is one.
    pub(super) fn words<'a>(words: impl IntoIterator<Item = (&'a str, Origin)>) -> Vec<Self> {
        let mut flags = Vec::new();
        let mut words = words.into_iter().peekable();
        while let Some((word, origin)) = words.next() {
            if !word.starts_with('-') {
                continue;
            }
            let value = words.next_if(|(next, _)| {
                !word.contains('=') && !next.starts_with('-') && !is_boolean(word)
            });
            flags.push(match value {
                Some((value, at)) => Self::new(word, Node::new(value, at)),
                None => Self::parse(word, &origin),
            });
        }
        flags
    }

    /// The flag `name` with `value`, whatever else is said there.
    pub(super) fn named(name: &str, value: &Node) -> Self {
        Self::new(name, value.clone())
    }

    fn new(name: &str, value: Node) -> Self {
        if has_placeholder(name) {
            let why = Kind::Unknown("a template fills it in".into());
            return Self { name: ANY.to_owned(), value: Node::new(why, value.origin) };
        }
        Self { name: name.trim().trim_start_matches('-').replace('_', "-"), value }
    }
}

/// Flags that take no word after them: pflag's booleans need a `=`.
fn is_boolean(word: &str) -> bool {
    matches!(
        word.trim_start_matches('-'),
        "rotate-server-certificates"
            | "rotate-certificates"
            | "anonymous-auth"
            | "authentication-token-webhook"
            | "enable-server"
            | "fail-swap-on"
    )
}

fn truth(origin: &Origin) -> Node {
    Node::new(true, origin.clone())
}

/// What a boolean is in formats that take `true` and `"true"` alike.
pub(super) fn loose_bool(node: &Node) -> Option<bool> {
    match node.value()? {
        Value::Bool(it) => Some(it),
        Value::Str(text) => go_bool(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{scalar::Dialect, source::Sources};

    fn kubelet(config: &[&str], flags: &str) -> KubeletFacts {
        let files = config.iter().chain([&flags]).enumerate();
        let sources = Sources::in_memory(files.map(|(at, text)| (format!("{at}.yaml"), *text)));
        let mut roots: Vec<Node> = sources
            .iter()
            .filter_map(|(file, _)| sources.documents(file, Dialect::Sigs).roots().next().cloned())
            .collect();
        let flags =
            if flags.is_empty() { Vec::new() } else { Flag::all(&roots.pop().expect("flags")) };
        Settings { layers: roots, flags }.facts()
    }

    #[test]
    fn later_layers_and_flags_win() {
        let on = "serverTLSBootstrap: true";
        let off = "serverTLSBootstrap: false";
        assert_eq!(kubelet(&[on], "").server_tls_bootstrap.value(), Some(&true));
        assert_eq!(kubelet(&[on, off], "").server_tls_bootstrap.value(), Some(&false));
        let both = kubelet(&[off], "rotate-server-certificates: \"true\"");
        assert_eq!(both.server_tls_bootstrap.value(), Some(&true));
        let origin = both.server_tls_bootstrap.origin().expect("known");
        assert_eq!(origin.steps().count(), 2, "what it overrides stays on the way");
    }

    #[test]
    fn every_notation_of_flags() {
        for flags in [
            "rotate-server-certificates: \"true\"",
            "rotate-server-certificates: true",
            "[{name: rotate-server-certificates, value: \"true\"}]",
            "[rotate-server-certificates=true]",
            "[\"--rotate-server-certificates=T\"]",
            "[--rotate-server-certificates]",
            "--rotate-server-certificates",
        ] {
            assert_eq!(kubelet(&[], flags).server_tls_bootstrap.value(), Some(&true), "{flags}");
        }
    }

    #[test]
    fn what_is_not_a_value_is_unknown() {
        assert!(
            kubelet(&["serverTLSBootstrap: ${BOOTSTRAP}"], "").server_tls_bootstrap.is_unknown()
        );
        assert!(kubelet(&["serverTLSBootstrap: null"], "").server_tls_bootstrap.is_absent());
        assert!(kubelet(&["tlsCertFile: \"\""], "").tls_cert_file.is_absent());
    }

    #[test]
    fn what_the_kubelet_refuses_is_invalid() {
        let on = "serverTLSBootstrap: true";
        for (config, flags, written) in [
            (&["serverTLSBootstrap: \"true\""][..], "", "true"),
            (&["serverTLSBootstrap: {enabled: true}"], "", r#"{"enabled":true}"#),
            (&[on, "serverTLSBootstrap: 1"], "", "1"),
            (&[on], "[rotate-server-certificates=yes]", "yes"),
        ] {
            let Fact::Invalid { text, origin, .. } = kubelet(config, flags).server_tls_bootstrap
            else {
                panic!("{config:?} {flags}");
            };
            assert_eq!(text, written);
            assert_eq!(origin.steps().count(), if config.contains(&on) { 2 } else { 1 });
        }
        let later = kubelet(&["serverTLSBootstrap: maybe", on], "");
        assert_eq!(later.server_tls_bootstrap.value(), Some(&true), "the later one holds");
    }

    #[test]
    fn flags_that_nobody_can_tell_may_be_any() {
        let why = || Kind::Unknown("a template".into());
        let unknown = || Node::new(why(), Origin::at(Via::Written, None));
        let item = Node::new(vec![unknown()], Origin::at(Via::Written, None));
        for node in [unknown(), item] {
            let settings = Settings { layers: Vec::new(), flags: Flag::all(&node) };
            assert!(settings.has_settings());
            assert!(settings.bool("serverTLSBootstrap", "rotate-server-certificates").is_unknown());
        }
    }

    #[test]
    fn the_gate_stands_among_others() {
        let gates = |flags| kubelet(&[], flags).rotation_gate;
        let off = gates("[\"feature-gates=A=true,RotateKubeletServerCertificate=false\"]");
        assert_eq!(off.value(), Some(&false));
        assert!(gates("[feature-gates=A=true]").is_absent());
    }

    #[test]
    fn words_of_a_command_line() {
        let origin = Origin::at(Via::Written, None);
        let line = "kubelet --config /etc/kubelet.yaml --anonymous-auth --tls-cert-file=/a --v 2";
        let flags = Flag::words(line.split(' ').map(|word| (word, origin.clone())));
        let pairs: Vec<_> = flags
            .iter()
            .map(|it| (&*it.name, it.value.as_scalar().map_or("", |it| &it.text)))
            .collect();
        assert_eq!(
            pairs,
            [
                ("config", "/etc/kubelet.yaml"),
                ("anonymous-auth", "true"),
                ("tls-cert-file", "/a"),
                ("v", "2")
            ]
        );
    }
}
