//! Files as they lie on a node: systemd drop-ins, environment files for the kubelet, and what
//! cloud-init, Ignition or Cluster API write to a node's disk.

use base64::Engine as _;

use crate::{
    model::{
        Carrier, ClusterId, Fact,
        kubelet::{Flag, Settings},
        platform::{Input, InputDocument, Platform, kubeadm},
    },
    problem::Problem,
    source::{self, FileId, Span},
    tree::{Node, Origin, Via},
};

pub(super) fn carrier(input: &Input<'_>, platform: &mut Platform) {
    let plain = |file: &&FileId| !source::is_yaml(source::rendered(&input.sources[**file].path));
    for file in input.files.iter().filter(plain) {
        loose(input, *file, platform);
    }
    for document in &input.documents {
        let files = written(document.node);
        if files.is_empty() {
            continue;
        }
        on_node(input, document, &files, platform);
    }
}

/// A file of the repository that is meant for a node's disk.
fn loose(input: &Input<'_>, file: FileId, platform: &mut Platform) {
    let text = input.sources.text(file);
    let path = &input.sources[file].path;
    let unit = text.contains("[Service]");
    let at = |start: usize, end: usize| Origin::written(Span::new(file, start..end));
    let line = command_line(text, &at);
    let settings = Settings { layers: Vec::new(), flags: line.flags };
    // The whole command is known when it takes nothing from variables, and the settings are all
    // flags when it names no file.
    let whole = line.whole.filter(|_| settings.flags.iter().all(|it| it.name != "config"));
    if whole.is_none() && !settings.has_settings() {
        return;
    }
    let Some(anchor) = whole.clone().or_else(|| Some(settings.flags.first()?.value.origin.clone()))
    else {
        return;
    };
    let complete = whole.is_some();
    let mut facts = settings.facts();
    if complete {
        // Without a configuration file the defaults are those of old: `applyLegacyDefaults` in
        // `cmd/kubelet/app/options/options.go`.
        let default = Origin::at(Via::PlatformDefault, anchor.written_at());
        let or = |fact: Fact<bool>, it| fact.or_default(it, default.clone());
        facts.webhook_authentication = or(facts.webhook_authentication, false);
        facts.anonymous_authentication = or(facts.anonymous_authentication, true);
        facts.authorization_mode =
            facts.authorization_mode.or_default("AlwaysAllow".into(), default.clone());
        facts.read_only_port = facts.read_only_port.or_default(10255, default);
    }
    let cluster = ClusterId::named("kubelet", source::parent(path));
    let carrier = if unit { Carrier::SystemdUnit } else { Carrier::EnvironmentFile };
    let group = source::file_name(path);
    platform.kubelet(&cluster, group, carrier, &anchor, facts).complete = complete;
}

/// A file that something writes to a node's disk.
pub(super) struct WrittenFile<'a> {
    /// Where to.
    pub(super) path: &'a str,
    /// What, unless it comes from elsewhere.
    pub(super) content: Option<&'a Node>,
    /// Whether it is in base64.
    pub(super) encoded: bool,
}

/// The files that cloud-init's user data, or Butane for Ignition, writes.
fn written(node: &Node) -> Vec<WrittenFile<'_>> {
    let list = |path: &str| node.items_at(path);
    let mut files: Vec<_> = list("write_files").iter().filter_map(WrittenFile::from_node).collect();
    if node.get("variant").is_some() {
        files.extend(list("storage.files").iter().filter_map(|it| {
            let path = it.str_at("path")?;
            Some(WrittenFile { path, content: it.at("contents.inline"), encoded: false })
        }));
        for unit in list("systemd.units") {
            let dropins = unit.items_at("dropins");
            let own = unit.get("contents").into_iter();
            let contents = dropins.iter().filter_map(|it| it.get("contents")).chain(own);
            let path = unit.str_at("name").unwrap_or_default();
            files.extend(contents.map(|it| WrittenFile {
                path,
                content: Some(it),
                encoded: false,
            }));
        }
    }
    files
}

impl<'a> WrittenFile<'a> {
    /// `{path, content, encoding}`, as in cloud-init and Cluster API.
    pub(super) fn from_node(node: &'a Node) -> Option<Self> {
        let encoding = node.str_at("encoding").unwrap_or_default();
        Some(Self {
            path: node.str_at("path")?,
            content: node.get("content"),
            encoded: matches!(encoding, "b64" | "base64"),
        })
    }

    /// What it says of the kubelet on its node.
    pub(super) fn settings(&self, input: &Input<'_>, problems: &mut Vec<Problem>) -> Settings {
        let Some(content) = self.content else { return Settings::default() };
        let concerns = |text: &str| text.contains("kubelet") || text.contains("Kubelet");
        let decoded = self.encoded.then(|| Self::decoded(content)).flatten();
        let content = decoded.as_ref().unwrap_or(content);
        let text = content.as_scalar().map_or("", |it| &it.text);
        if !concerns(self.path) && !concerns(text) && !text.contains("serverTLSBootstrap") {
            return Settings::default();
        }
        if let (Some(_), true) = (content.unknown(), concerns(self.path)) {
            return Settings::from_layers(vec![content.clone()]);
        }
        if is_configuration(self.path) || text.contains("kind: KubeletConfiguration") {
            let layers = input.embedded(content, problems);
            let is_config = |it: &Node| {
                it.object_kind() == "KubeletConfiguration"
                    || it.unknown().is_some()
                    || kubeadm::is_patch(self.path)
            };
            return Settings::from_layers(layers.into_iter().filter(is_config).collect());
        }
        let at = |_, _| content.origin.clone();
        Settings { layers: Vec::new(), flags: command_line(text, &at).flags }
    }

    fn decoded(content: &Node) -> Option<Node> {
        let text = content.as_scalar()?.text.split_whitespace().collect::<String>();
        let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
        Some(Node::new(String::from_utf8(bytes).ok()?, content.origin.clone()))
    }
}

/// A file whose content is, or is a patch to, a KubeletConfiguration.
fn is_configuration(path: &str) -> bool {
    kubeadm::is_patch(path) || (path.contains("kubelet") && source::extension(path) == "yaml")
}

/// The kubelet of a node that is made from `document`.
fn on_node(
    input: &Input<'_>,
    document: &InputDocument<'_>,
    files: &[WrittenFile<'_>],
    platform: &mut Platform,
) {
    let cluster = ClusterId::named("nodes", source::parent(document.path));
    let name = source::file_name(document.path);
    let of_rancher = files.iter().find(|it| {
        it.path.starts_with("/etc/rancher/k3s/") || it.path.starts_with("/etc/rancher/rke2/")
    });
    if let Some(file) = of_rancher {
        let anchor = file.content.map_or_else(|| document.anchor(), |it| it.origin.clone());
        platform.signed(&cluster, "k3s or RKE2 on a node", &anchor).group = name.into();
        return;
    }
    let mut settings = Settings::default();
    for file in files {
        let more = file.settings(input, &mut platform.problems);
        settings.layers.extend(more.layers);
        settings.flags.extend(more.flags);
    }
    if !settings.has_settings() {
        return;
    }
    let anchor = settings
        .layers
        .first()
        .map(super::anchor)
        .or_else(|| Some(settings.flags.first()?.value.origin.clone()));
    let anchor = anchor.unwrap_or_else(|| document.anchor());
    let facts = settings.facts();
    platform.kubelet(&cluster, name, Carrier::NodeFiles, &anchor, facts).complete = false;
}

/// The flags for a kubelet in a unit or an environment file.
struct CommandLine {
    flags: Vec<Flag>,
    /// The `ExecStart` line, if it starts a kubelet and takes nothing from variables.
    whole: Option<Origin>,
}

/// Reads `ExecStart=…kubelet …`, `Environment="KUBELET_…_ARGS=…"` and `KUBELET_…_ARGS=…`, lines that
/// end with a backslash included. `at` gives the origin of a range of bytes.
fn command_line(text: &str, at: &dyn Fn(usize, usize) -> Origin) -> CommandLine {
    let mut found = CommandLine { flags: Vec::new(), whole: None };
    let mut logical = None;
    for (start, line) in source::lines(text) {
        let begin = logical.take().unwrap_or(start);
        let trimmed = line.trim_end();
        if trimmed.ends_with('\\') {
            logical = Some(begin);
        } else {
            logical_line(text, begin, start + trimmed.len(), at, &mut found);
        }
    }
    if let Some(begin) = logical {
        logical_line(text, begin, text.len(), at, &mut found);
    }
    found
}

fn logical_line(
    text: &str,
    start: usize,
    end: usize,
    at: &dyn Fn(usize, usize) -> Origin,
    found: &mut CommandLine,
) {
    let Some(line) = text.get(start..end) else { return };
    let bare = line.trim_start();
    let Some((key, _)) = bare.split_once('=') else { return };
    let key = key.trim();
    let exec = key == "ExecStart" && bare.contains("kubelet");
    let variable = |name: &str| name.starts_with("KUBELET_") && name.ends_with("ARGS");
    let quoted = |it: char| matches!(it, '"' | '\'');
    let value_at = if exec || variable(key.trim_start_matches("export ")) {
        line.find('=').map(|it| it + 1)
    } else if key == "Environment" {
        // Environment="KUBELET_EXTRA_ARGS=--a --b"
        let inner = line.find('=').map_or(line.len(), |it| it + 1);
        let rest = &line[inner..];
        let name = rest.trim_start_matches(quoted).split('=').next().unwrap_or_default();
        variable(name.trim()).then(|| rest.find('=').map(|it| inner + it + 1)).flatten()
    } else {
        None
    };
    let Some(value_at) = value_at else { return };
    let value = &line[value_at..];
    let mut words = Vec::new();
    let mut from = 0;
    let breaks = |it: char| it.is_whitespace() || quoted(it) || it == '\\';
    for piece in value.split_inclusive(breaks) {
        let word = piece.trim_end_matches(breaks);
        if !word.is_empty() {
            let begin = start + value_at + from;
            words.push((word, at(begin, begin + word.len())));
        }
        from += piece.len();
    }
    if exec && words.len() > 1 && !value.contains('$') {
        found.whole = words.first().map(|(_, origin)| origin.clone());
    }
    found.flags.extend(Flag::words(words));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{nowhere, unindented};

    fn flags(text: &str) -> Vec<(String, String)> {
        let line = command_line(&unindented(text), &|_, _| nowhere());
        let text = |it: &Node| it.as_scalar().map(|it| it.text.to_string()).unwrap_or_default();
        line.flags.iter().map(|it| (it.name.clone(), text(&it.value))).collect()
    }

    #[test]
    fn variables_and_units() {
        let rotate = [("rotate-server-certificates".to_owned(), "true".to_owned())];
        for text in [
            "KUBELET_EXTRA_ARGS=--rotate-server-certificates=true",
            r#"KUBELET_EXTRA_ARGS="--rotate-server-certificates=true""#,
            r#"
            [Service]
            Environment="KUBELET_EXTRA_ARGS=--rotate-server-certificates=true"
            "#,
            "
            [Service]
            Environment='KUBELET_CERT_ARGS=--rotate-server-certificates'
            ",
            r"
            [Service]
            ExecStart=
            ExecStart=/usr/bin/kubelet \
              --rotate-server-certificates=true
            ",
        ] {
            assert_eq!(flags(text), rotate, "{text}");
        }
        let others = "
            # KUBELET_EXTRA_ARGS=--anonymous-auth
            OTHER_ARGS=--anonymous-auth
        ";
        assert!(flags(others).is_empty());
    }
}
