//! ytt: templates and overlays in the comments of YAML (<https://carvel.dev/ytt/docs/latest/>).
//!
//! Neither is evaluated. What a template line computes and what an overlay may touch is unknown.

use std::sync::LazyLock;

use regex::Regex;

use crate::{
    source::{FileId, Sources},
    tree::{Kind, Node, Origin},
};

/// Why a value cannot be told, and what is said of all of them.
pub(super) const WHY: &str =
    "what ytt's templates and overlays make of these manifests is not evaluated";

/// A document that is merged over others.
#[derive(Debug, Clone)]
pub(super) struct Overlay {
    /// Where it says which ones.
    pub at: Origin,
    /// What it says in the places that it touches; none when it only takes documents away.
    content: Option<Node>,
    /// The kinds and names of the documents that it matches; none where that is not written.
    kinds: Vec<String>,
    names: Vec<String>,
}

/// Where the first annotation or template line of `file` stands, if it has one.
pub(super) fn first_line(sources: &Sources, file: FileId) -> Option<Origin> {
    static LINE: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"(?m)(?:^|[ \t])(#@(?:[ \t]|[a-z]+/).*)$").ok());
    let text = sources.text(file);
    if !text.contains("#@") {
        return None;
    }
    let line = LINE.as_ref()?.captures(text)?.get(1)?;
    Some(written(file, line.start(), line.as_str().trim_end().len()))
}

fn written(file: FileId, start: usize, len: usize) -> Origin {
    Origin::written(crate::source::Span::new(file, start..start + len))
}

/// The overlays in `file`, whose documents are `roots`, each with the place of its document.
pub(super) fn overlays(sources: &Sources, file: FileId, roots: &[&Node]) -> Vec<Overlay> {
    let text = sources.text(file);
    let mut overlays = Vec::new();
    let mut matching: Option<(usize, &str)> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        if line.starts_with("#@overlay/match ") {
            matching = Some((start, line.trim_end()));
        } else if line.trim_end() == "---" {
            let Some((start, annotation)) = matching.take() else { continue };
            let end = text[at..].find("\n---").map_or(text.len(), |end| at + end);
            let inside = |node: &&&Node| start_of(node).is_some_and(|it| (at..end).contains(&it));
            overlays.push(Overlay {
                at: written(file, start, annotation.len()),
                content: roots.iter().find(inside).map(|it| (*it).clone()),
                kinds: literals(annotation, &["kind"]),
                names: literals(annotation, &["metadata", "name"]),
            });
        } else if !line.starts_with('#') && !line.trim().is_empty() {
            matching = None;
        }
    }
    overlays
}

/// The texts that an expression demands at the path `keys`; none where another one may do.
fn literals(expression: &str, keys: &[&str]) -> Vec<String> {
    static TOKEN: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r#"[{}]|"[^"]*"|'[^']*'"#).ok());
    // What makes of a demand something else, and whichever function that is not known.
    static WORD: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"\b(or|not|if|lambda)\b|\b(\w+)\s*\(").ok());
    let (Some(token), Some(word)) = (TOKEN.as_ref(), WORD.as_ref()) else { return Vec::new() };
    let code = token.replace_all(expression, " ");
    let demands = |it: &str| matches!(it, "subset" | "and_op");
    if word.captures_iter(&code).any(|it| it.get(2).is_none_or(|it| !demands(it.as_str()))) {
        return Vec::new();
    }
    let mut path: Vec<&str> = Vec::new();
    let mut found = Vec::new();
    for token in token.find_iter(expression) {
        let text = token.as_str().trim_matches(['"', '\'']);
        let next = expression[token.end()..].trim_start().chars().next();
        match (token.as_str(), next) {
            ("{", _) => path.push(""),
            ("}", _) => drop(path.pop()),
            (_, Some(':')) => {
                path.pop();
                path.push(text);
            }
            (_, Some(',' | '}')) if path == keys => found.push(text.to_owned()),
            _ => {}
        }
    }
    found
}

impl Overlay {
    /// Whether `node` is its document.
    pub(super) fn is(&self, node: &Node) -> bool {
        self.content.as_ref().is_some_and(|it| it.origin == node.origin)
    }

    /// Whether it may match `object`.
    pub(super) fn matches(&self, object: &Node) -> bool {
        let allows = |texts: &[String], path| match object.look(path) {
            Ok(text) => {
                let text = text.and_then(Node::as_str).unwrap_or_default();
                texts.is_empty() || texts.iter().any(|it| it == text)
            }
            Err(_) => true,
        };
        allows(&self.kinds, "kind") && allows(&self.names, "metadata.name")
    }

    /// What is left known of `object`, which it may match; nothing when it takes it away.
    pub(super) fn over(&self, sources: &Sources, object: &Node) -> Option<Node> {
        Some(touched(sources, object, self.content.as_ref()?))
    }
}

/// `target` with all unknown that `overlay` may change.
fn touched(sources: &Sources, target: &Node, overlay: &Node) -> Node {
    let unknown = || Node::unknown_value(WHY, &overlay.origin);
    let mut node = target.clone();
    match (&mut node.kind, &overlay.kind) {
        (Kind::Map(_), Kind::Map(changes)) => {
            for (key, change) in changes.iter() {
                let at = change.key.map(|it| it.start as usize);
                let replaced = annotations(sources, overlay, at)
                    .any(|it| it.contains("overlay/replace") || it.contains("overlay/remove"));
                let value = match target.get(key).filter(|_| !replaced) {
                    Some(value) => touched(sources, value, &change.value),
                    None => Node::unknown_value(WHY, &change.value.origin),
                };
                node.set(key, value);
            }
        }
        (Kind::List(_), Kind::List(changes)) if changes.iter().all(|it| it.as_map().is_some()) => {
            for change in changes.iter() {
                let by_name = annotations(sources, change, start_of(change))
                    .all(|it| !it.contains("overlay/match") || it.contains(r#"by="name""#));
                let name = change.str_at("name").filter(|_| by_name);
                let mut found = false;
                for item in node.as_list_mut().into_iter().flatten() {
                    if name.is_none_or(|name| item.str_at("name") == Some(name)) {
                        *item = touched(sources, item, change);
                        found = true;
                    }
                }
                if !found && let Some(items) = node.as_list_mut() {
                    items.push(Node::unknown_value(WHY, &change.origin));
                }
            }
        }
        _ => return unknown(),
    }
    node
}

/// The annotations above what starts at byte `at` of the file that holds `node`, the nearest first.
fn annotations<'a>(
    sources: &'a Sources,
    node: &Node,
    at: Option<usize>,
) -> impl Iterator<Item = &'a str> + use<'a> {
    let file = node.origin.written_at().map(|it| it.file);
    let before = file.zip(at).and_then(|(file, at)| sources.text(file).get(..at));
    let lines = before.unwrap_or_default().lines().rev().skip(1);
    lines.map(str::trim_start).take_while(|it| it.starts_with('#'))
}

fn start_of(node: &Node) -> Option<usize> {
    node.origin.written_at().map(|it| it.start as usize)
}

/// A document of `file` with all unknown that a template line computes or may leave out.
pub(super) fn computed(sources: &Sources, file: FileId, root: &Node) -> Node {
    let text = sources.text(file);
    let blocks = blocks(text);
    let is_computed = |node: &Node| {
        let Some(span) = node.origin.written_at() else { return false };
        let (start, end) = (span.start as usize, span.end as usize);
        let conditional = blocks.iter().any(|it| it.start <= start && end <= it.end);
        let scalar = node.as_scalar();
        // A value that is not there is placed behind its key, or behind the comment.
        let rest = text.get(start..).and_then(|it| it.lines().next()).unwrap_or_default();
        let before = text.get(..start).and_then(|it| it.trim_end().lines().next_back());
        let around = [before.unwrap_or_default(), rest];
        let expression = |it: &str| it.is_empty() && around.iter().any(|it| it.contains("#@"));
        conditional || scalar.is_some_and(|it| expression(&it.text) || it.text.contains("(@"))
    };
    let origin = &root.origin;
    root.rewrite(&mut |node| {
        let inner = node.origin != *origin;
        (inner && is_computed(node)).then(|| Node::unknown_value(WHY, &node.origin))
    })
}

/// The bytes between `#@ if`, `#@ for` and the like, and their `#@ end`.
fn blocks(text: &str) -> Vec<std::ops::Range<usize>> {
    let (mut blocks, mut open, mut at) = (Vec::new(), Vec::new(), 0);
    for line in text.split_inclusive('\n') {
        if let Some(code) = line.trim().strip_prefix("#@ ").map(str::trim) {
            let word = code.split([' ', ':', '(', '/']).next().unwrap_or_default();
            match word {
                "if" | "for" | "while" | "def" => open.push(at),
                "end" => blocks.extend(open.pop().map(|start| start..at)),
                _ => {}
            }
        }
        at += line.len();
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::literals;
    use crate::{
        config::Config,
        pipeline::analyze,
        problem::ProblemKind::Unresolved,
        tests::{fixture, unindented},
    };

    const UPSTREAM: &str = "
        //- config/upstream/ms.yaml
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: metrics-server, namespace: kube-system}
        spec:
          replicas: 2
          template:
            spec:
              priorityClassName: system-cluster-critical
              containers:
              - name: metrics-server
                image: registry.k8s.io/metrics-server/metrics-server:v0.7.2
                args: [--secure-port=10250]
    ";

    /// What is known with another file beside the manifest: replicas, tag, port, class; and how many
    /// notes there are.
    fn known(more: &str) -> (String, usize) {
        let [upstream, more] = [UPSTREAM, more].map(unindented);
        let files = if more.contains("upstream/") { more } else { upstream + &more };
        let (_, clusters) = analyze(&fixture(&files), &Config::default());
        let problems = clusters.iter().flat_map(|it| &it.problems);
        let notes = problems.filter(|it| it.concerns && it.kind == Unresolved).count();
        let server = clusters.iter().find_map(|it| it.metrics_servers.first());
        let server = server.expect("a metrics-server");
        let show = |it: Option<String>| it.unwrap_or_else(|| "?".to_owned());
        let facts = [
            show(server.replicas.value().map(ToString::to_string)),
            show(server.image_tag.value().cloned()),
            show(server.secure_port.value().map(ToString::to_string)),
            show(server.priority_class.value().cloned()),
        ];
        (facts.join(" "), notes)
    }

    #[test]
    fn an_overlay_makes_unknown_what_it_touches() {
        let all = "2 v0.7.2 10250 system-cluster-critical";
        assert_eq!(known(""), (all.into(), 0));
        let overlay = |by: &str, spec: &str| {
            known(&format!(
                "
                //- config/overlays/any.yaml
                #@ load(\"@ytt:overlay\", \"overlay\")
                #@overlay/match by={by}
                ---
                spec:
                  {spec}
                "
            ))
        };
        let deployment = "overlay.subset({\"kind\": \"Deployment\"}),expects=\"1+\"";
        let replicas = "replicas: 3";
        assert_eq!(overlay(deployment, replicas).0, "? v0.7.2 10250 system-cluster-critical");
        assert_eq!(overlay(deployment, replicas).1, 1);
        assert_eq!(overlay("overlay.all", replicas).0, "? v0.7.2 10250 system-cluster-critical");
        assert_eq!(overlay("ours", replicas).0, "? v0.7.2 10250 system-cluster-critical");
        let other = "overlay.subset({\"kind\": \"Service\"})";
        assert_eq!(overlay(other, replicas), (all.into(), 0));
        let service = "overlay.and_op(overlay.subset({'kind': 'Service'}), ours)";
        assert_eq!(overlay(service, replicas), (all.into(), 0));
        let container = |name: &str| {
            let item = format!("{{name: {name}, args: [--secure-port=4443]}}");
            overlay(deployment, &format!("template: {{spec: {{containers: [{item}]}}}}")).0
        };
        assert_eq!(container("metrics-server"), "2 v0.7.2 ? system-cluster-critical");
        assert_eq!(container("sidecar"), all);
    }

    #[test]
    fn an_overlay_may_match_what_its_expression_does_not_exclude() {
        let demands = |expression: &str| {
            [&["kind"][..], &["metadata", "name"]].map(|it| literals(expression, it).join(" "))
        };
        let both = r#"subset({"kind": "Deployment", "metadata": {"name": "a", "namespace": ns}})"#;
        assert_eq!(demands(both), ["Deployment", "a"]);
        let apart = r#"overlay.and_op(overlay.subset({"metadata": {"labels": {}, 'name': "a"}}),
            overlay.subset({"kind": "Deployment"})), expects="1 or 2 (if)""#;
        assert_eq!(demands(apart), ["Deployment", "a"]);
        for either in [
            r#"or_op(subset({"kind": "Deployment"}), subset({"metadata": {"name": "other"}}))"#,
            r#"overlay.not_op(overlay.subset({"kind": "Deployment"}))"#,
            r#"unlike({"kind": "Deployment"})"#,
            r#"lambda i, l, r: l == {"kind": "Deployment"}"#,
            r#"subset({"kind": "Service"}) if prod else subset({"kind": "Deployment"})"#,
            r#"subset({"kind": kind, "metadata": {"name": "metrics-" + name}})"#,
            r#"subset({"spec": {"ref": {"kind": "Deployment", "name": "a"}, "name": "b"}})"#,
            r#"subset({"metadata": {"labels": {"name": "a", "kind": "b"}}, "name": "c"})"#,
        ] {
            assert_eq!(demands(either), ["", ""], "{either}");
        }
    }

    #[test]
    fn an_overlay_is_for_what_lies_elsewhere_when_it_matches_nothing_beside_it() {
        let overlay = "
            //- config/environments/prod/ms.yaml
            #@overlay/match by=overlay.subset({\"kind\": \"Deployment\"})
            ---
            spec: {replicas: 3}
        ";
        assert_eq!(known(overlay).0, "? v0.7.2 10250 system-cluster-critical");
        let beside = "
            //- config/environments/prod/other.yaml
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: other, labels: {for: metrics-server}}
        ";
        assert_eq!(
            known(&format!("{overlay}{beside}")).0,
            "2 v0.7.2 10250 system-cluster-critical"
        );
    }

    #[test]
    fn a_template_makes_unknown_what_it_computes() {
        let (known, notes) = known(
            "
            //- config/upstream/ms.yaml
            #@ load(\"@ytt:data\", \"data\")
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: metrics-server, namespace: kube-system}
            spec:
              replicas: #@ data.values.replicas
              template:
                spec:
                  #@ if data.values.critical:
                  priorityClassName: system-cluster-critical
                  #@ end
                  containers:
                  - name: metrics-server
                    image: registry.k8s.io/metrics-server/metrics-server:v0.7.2
                    args:
                    - --v=2
                    - #@ \"--secure-port=\" + data.values.port
            ",
        );
        assert_eq!((known.as_str(), notes), ("? v0.7.2 ? ?", 1));
    }
}
