//! The language server, as an editor speaks with it: over standard input and output.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use super::{process::output, repository};
use crate::common;

/// An editor with the server that it started.
struct Editor {
    root: PathBuf,
    server: Child,
    said: ChildStdin,
    heard: mpsc::Receiver<Value>,
    asked: i64,
    /// What the server says unasked.
    others: Vec<Value>,
}

/// No answer comes later than this, even on a machine that does much else.
const LONGEST: Duration = Duration::from_mins(2);

impl Editor {
    /// An editor with nothing opened, which said nothing yet.
    fn silent(root: &Path) -> Self {
        Self::start(root, &["--root", "."])
    }

    fn start(root: &Path, options: &[&str]) -> Self {
        let mut server = Command::new(env!("CARGO_BIN_EXE_metrics-server-lint"))
            .arg("lsp")
            .args(options)
            .current_dir(root)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = server.stdin.take().unwrap();
        let mut out = BufReader::new(server.stdout.take().unwrap());
        let (tell, heard) = mpsc::channel();
        thread::spawn(move || {
            loop {
                let mut length = 0;
                loop {
                    let mut line = String::new();
                    if out.read_line(&mut line).unwrap_or(0) == 0 {
                        return;
                    }
                    match line.trim() {
                        "" => break,
                        line => {
                            let value = line.strip_prefix("Content-Length: ");
                            length = value.map_or(length, |it| it.parse().unwrap());
                        }
                    }
                }
                let mut body = vec![0; length];
                out.read_exact(&mut body).unwrap();
                if tell.send(serde_json::from_slice(&body).unwrap()).is_err() {
                    return;
                }
            }
        });
        Self { root: root.to_owned(), server, said, heard, asked: 0, others: Vec::new() }
    }

    /// An editor that works in `root`.
    fn open(root: &Path) -> Self {
        let mut editor = Self::silent(root);
        editor.initialize(&json!({
            "workspace": {
                "didChangeWatchedFiles": {"dynamicRegistration": true},
                "workspaceEdit": {"documentChanges": true},
                "inlayHint": {"refreshSupport": true},
            },
            "window": {"showDocument": {"support": true}},
        }));
        editor
    }

    fn initialize(&mut self, capabilities: &Value) {
        let editor = self;
        let root = editor.uri("");
        let params = json!({"processId": null, "rootUri": root, "capabilities": capabilities});
        let answer = editor.ask("initialize", &params);
        assert_eq!(answer["result"]["capabilities"]["positionEncoding"], "utf-16", "{answer}");
        editor.tell("initialized", &json!({}));
    }

    fn uri(&self, path: &str) -> String {
        let place = self.root.join(path).to_str().unwrap().replace('\\', "/");
        let place = place.trim_start_matches("//?").trim_end_matches('/');
        // A drive comes after a slash, and its colon is written as editors do.
        format!("file:///{}", place.trim_start_matches('/').replace(':', "%3A"))
    }

    fn say(&mut self, message: &Value) {
        let body = message.to_string();
        write!(self.said, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        self.said.flush().unwrap();
    }

    fn tell(&mut self, method: &str, params: &Value) {
        self.say(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Asks, and waits for nothing.
    fn request(&mut self, method: &str, params: &Value) -> i64 {
        self.asked += 1;
        let id = self.asked;
        self.say(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    fn answer(&mut self, id: i64) -> Value {
        loop {
            let message = self.heard.recv_timeout(LONGEST).expect("the server answers");
            if message["id"] == id && message.get("method").is_none() {
                return message;
            }
            self.others.push(message);
        }
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        let id = self.request(method, params);
        self.answer(id)
    }

    /// The answer to a question about a place of a file: line and character from 0, in units of UTF-16.
    fn ask_at(&mut self, method: &str, path: &str, (line, character): (usize, usize)) -> Value {
        let uri = self.uri(path);
        let mut params = json!({
            "textDocument": {"uri": uri},
            "position": {"line": line, "character": character},
        });
        if method == "textDocument/references" {
            params["context"] = json!({"includeDeclaration": true});
        }
        self.ask(method, &params)["result"].take()
    }

    fn type_into(&mut self, path: &str, text: &str) {
        let uri = self.uri(path);
        let document = json!({"uri": uri, "languageId": "yaml", "version": 1, "text": text});
        self.tell("textDocument/didOpen", &json!({"textDocument": document}));
    }

    fn change(&mut self, path: &str, text: &str) {
        let document = json!({"uri": self.uri(path), "version": 2});
        let change = json!({"textDocument": document, "contentChanges": [{"text": text}]});
        self.tell("textDocument/didChange", &change);
    }

    /// What the editor shows now: file, line from 1, rule. All that was said before is taken in.
    fn shown(&mut self) -> BTreeSet<(String, u64, String)> {
        // It is answered when everything before is resolved.
        let uri = self.uri("x.yaml");
        let params = json!({"textDocument": {"uri": uri}, "position": {"line": 0, "character": 0}});
        self.ask("textDocument/hover", &params);
        let mut by_file = std::collections::BTreeMap::new();
        for it in self.others.iter().filter(|it| it["method"] == "textDocument/publishDiagnostics")
        {
            by_file.insert(it["params"]["uri"].as_str().unwrap(), &it["params"]["diagnostics"]);
        }
        let start = self.uri("") + "/";
        let of = |(uri, found): (&str, &Value)| {
            let path = uri.strip_prefix(&start).unwrap().to_owned();
            let one = |it: &Value| {
                let line = it["range"]["start"]["line"].as_u64().unwrap() + 1;
                (path.clone(), line, it["code"].as_str().unwrap().to_owned())
            };
            found.as_array().unwrap().iter().map(one).collect::<Vec<_>>()
        };
        by_file.into_iter().flat_map(of).collect()
    }

    /// What can be done about a line from 0: the title, and the file with its edits.
    fn actions(
        &mut self,
        path: &str,
        line: usize,
        only: Option<&str>,
    ) -> Vec<(String, Option<String>)> {
        let uri = self.uri(path);
        let place = json!({"line": line, "character": 0});
        let context = match only {
            Some(kind) => json!({"diagnostics": [], "only": [kind]}),
            None => json!({"diagnostics": []}),
        };
        let params = json!({
            "textDocument": {"uri": uri},
            "range": {"start": place, "end": place},
            "context": context,
        });
        let answer = self.ask("textDocument/codeAction", &params);
        let text = fs::read_to_string(self.root.join(path)).unwrap();
        let all = answer["result"].as_array().unwrap_or_else(|| panic!("{answer}"));
        let of = |it: &Value| {
            let edits = it["edit"]["documentChanges"].as_array();
            let edited = edits.map(|it| edited(&text, it[0]["edits"].as_array().unwrap()));
            (it["title"].as_str().unwrap().to_owned(), edited)
        };
        all.iter().map(of).collect()
    }

    /// Ends as editors do; the exit status.
    fn close(mut self) -> Option<i32> {
        let answer = self.ask("shutdown", &Value::Null);
        assert_eq!(answer["result"], Value::Null);
        self.tell("exit", &Value::Null);
        self.wait()
    }

    fn wait(mut self) -> Option<i32> {
        drop(self.said);
        self.server.wait().unwrap().code()
    }
}

/// `text`, which is ASCII, with edits as an editor makes them.
fn edited(text: &str, edits: &[Value]) -> String {
    let starts: Vec<usize> =
        std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let at = |it: &Value| {
        let number = |name: &str| usize::try_from(it[name].as_u64().unwrap()).unwrap();
        starts[number("line")] + number("character")
    };
    let mut text = text.to_owned();
    for it in edits.iter().rev() {
        let range = at(&it["range"]["start"])..at(&it["range"]["end"]);
        text.replace_range(range, it["newText"].as_str().unwrap());
    }
    text
}

fn scenario(name: &str) -> PathBuf {
    common::repository().join("testdata").join(name)
}

/// Where `what` first stands in the text of a file, as line and character from 0.
fn place(text: &str, what: &str) -> (usize, usize) {
    let at = text.find(what).unwrap_or_else(|| panic!("no {what}"));
    let line = text[..at].matches('\n').count();
    let start = text[..at].rfind('\n').map_or(0, |it| it + 1);
    (line, text[start..at].encode_utf16().count())
}

#[test]
fn an_editor_shows_what_check_finds() {
    for name in ["flux-platform", "argo-cd/sites", "kustomize-overlay", "broken", "terraform"] {
        let root = scenario(name);
        let report = output(&root, "check --root . --format json").stdout;
        let report: Value = serde_json::from_slice(&report).unwrap();
        let found = report["findings"].as_array().unwrap_or_else(|| panic!("{name}: {report}"));
        let expected: BTreeSet<_> = found
            .iter()
            .map(|it| {
                let at = &it["labels"][0];
                let file = at["file"].as_str().unwrap().to_owned();
                (
                    file,
                    at["start"]["line"].as_u64().unwrap(),
                    it["rule"].as_str().unwrap().to_owned(),
                )
            })
            .collect();
        assert!(!expected.is_empty(), "{name}");
        let mut editor = Editor::open(&root);
        assert_eq!(editor.shown(), expected, "{name}");
        assert_eq!(editor.close(), Some(0));
    }
}

const RELEASE: &str = "apps/base/metrics-server/helmrelease.yaml";

#[test]
fn what_is_typed_counts_before_it_is_saved() {
    let root = scenario("flux-platform");
    let mut editor = Editor::open(&root);
    let before = editor.shown();
    let text = fs::read_to_string(root.join(RELEASE)).unwrap();
    editor.type_into(RELEASE, &text);
    assert_eq!(editor.shown(), before);
    editor.change(RELEASE, &text.replace("metric-resolution=15s", "metric-resolution=5s"));
    let then = editor.shown();
    let new: Vec<_> = then.difference(&before).map(|it| &*it.2).collect();
    assert_eq!(new, ["metric-resolution-too-small"]);
    // Half a line is no reason to say nothing, or to end.
    editor.change(RELEASE, &text.replace("  values:\n", "  values: [\n"));
    assert!(editor.shown().iter().any(|it| it.2 == "build-fails"), "{:?}", editor.shown());
    // What sizes the cluster is in another file, and in the configuration.
    editor.change(RELEASE, &text);
    let env = "clusters/stages/prod/services/environment.env";
    let sizes = fs::read_to_string(root.join(env)).unwrap().replace("256Mi", "2Gi");
    editor.type_into(env, &sizes);
    assert!(!editor.shown().iter().any(|it| it.2 == "memory-limit-too-low"));
    editor.type_into(".metrics-server-lint.yaml", "rulez: 1\n");
    assert!(editor.shown().iter().any(|it| it.0 == ".metrics-server-lint.yaml"));
    for path in [RELEASE, env, ".metrics-server-lint.yaml"] {
        let uri = editor.uri(path);
        editor.tell("textDocument/didClose", &json!({"textDocument": {"uri": uri}}));
    }
    assert_eq!(editor.shown(), before);
    assert_eq!(editor.close(), Some(0));
}

#[test]
fn a_line_tells_what_it_comes_to_everywhere() {
    let root = scenario("flux-platform");
    let mut editor = Editor::open(&root);
    let text = fs::read_to_string(root.join(RELEASE)).unwrap();
    let at = place(&text, "${METRICS_SERVER_CPU_LIMIT}");
    let hover = editor.ask_at("textDocument/hover", RELEASE, at);
    let hover = hover["contents"]["value"].as_str().unwrap().replace(&editor.uri(""), "file://");
    insta::assert_snapshot!(hover, @"
    **cpu limit of kube-system/metrics-server**

    - `100m` in clusters/stages/dev
      - written here: [`clusters/stages/dev/services/environment.env:4`](file:///clusters/stages/dev/services/environment.env#L4)
      - this is overridden: [`base/services/environment.env:18`](file:///base/services/environment.env#L18)
      - substituted here by Flux: [`apps/base/metrics-server/helmrelease.yaml:41`](file:///apps/base/metrics-server/helmrelease.yaml#L41)
    - `500m` in clusters/stages/prod
      - written here: [`clusters/stages/prod/services/environment.env:6`](file:///clusters/stages/prod/services/environment.env#L6)
      - this is overridden: [`base/services/environment.env:18`](file:///base/services/environment.env#L18)
      - substituted here by Flux: [`apps/base/metrics-server/helmrelease.yaml:41`](file:///apps/base/metrics-server/helmrelease.yaml#L41)
    ");
    let flag = editor.ask_at("textDocument/hover", RELEASE, place(&text, "kubelet-insecure-tls"));
    insta::assert_snapshot!(flag["contents"]["value"].as_str().unwrap(), @"
    `--kubelet-insecure-tls`, true or false: the kubelets' serving certificates are not verified at all

    metrics-server 0.3.0 and newer

    **kubelet insecure tls of kube-system/metrics-server**

    - `true` in clusters/stages/dev, clusters/stages/prod
    ");
    let start = editor.uri("") + "/";
    let places = |answer: Value| -> Vec<String> {
        let all = answer.as_array().unwrap().iter();
        let told = all.map(|it| {
            let path = it["uri"].as_str().unwrap().strip_prefix(&start).unwrap();
            format!("{path}:{}", it["range"]["start"]["line"].as_u64().unwrap() + 1)
        });
        told.collect()
    };
    let (dev, prod) = (
        "clusters/stages/dev/services/environment.env",
        "clusters/stages/prod/services/environment.env",
    );
    let written = [format!("{dev}:4"), format!("{prod}:6")];
    let definition = editor.ask_at("textDocument/definition", RELEASE, at);
    assert_eq!(places(definition), written);
    // And back from there.
    let references = editor.ask_at("textDocument/references", dev, (3, 26));
    let line = at.0 + 1;
    let way = [
        format!("{RELEASE}:{line}"),
        "base/services/environment.env:18".into(),
        format!("{dev}:4"),
    ];
    assert_eq!(places(references), way);
    let range = json!({
        "start": {"line": at.0, "character": 0}, "end": {"line": at.0, "character": 99},
    });
    let params = json!({"textDocument": {"uri": editor.uri(RELEASE)}, "range": range});
    let hints = editor.ask("textDocument/inlayHint", &params);
    assert_eq!(hints["result"][0]["label"], "= dev: 100m, prod: 500m", "{hints}");
    assert_eq!(editor.close(), Some(0));
}

#[test]
fn what_may_be_written_is_offered() {
    let root = scenario("flux-platform");
    let mut editor = Editor::open(&root);
    let text = fs::read_to_string(root.join(RELEASE)).unwrap();
    let mut labels = |text: &str, place: (usize, usize)| -> Vec<String> {
        editor.type_into(RELEASE, text);
        let answer = editor.ask_at("textDocument/completion", RELEASE, place);
        let all = answer.as_array().unwrap().iter();
        all.map(|it| it["label"].as_str().unwrap().to_owned()).collect()
    };
    // Half a key is no YAML.
    let half = text.replace("    resources:\n", "    up\n    resources:\n");
    let keys = labels(&half, {
        let (line, column) = place(&half, "    up\n");
        (line, column + 6)
    });
    assert!(keys.iter().any(|it| it == "updateStrategy"), "{keys:?}");
    assert!(!keys.iter().any(|it| it == "deploymentStrategy"), "{keys:?}");
    let below = text.replace("    apiService:\n", "    apiService:\n      \n");
    let (line, _) = place(&below, "      \n");
    assert_eq!(
        labels(&below, (line, 6)),
        ["create", "annotations", "insecureSkipTLSVerify", "caBundle"],
    );
    let flag = text.replace("    args:\n", "    args:\n      - --metric\n");
    let (line, column) = place(&flag, "--metric\n");
    let flags = labels(&flag, (line, column + 8));
    assert!(flags.iter().any(|it| it == "--metric-resolution"), "{flags:?}");
    let ignore = text.replace("replicas: ", "# metrics-server-lint: ignore[me\n    replicas: ");
    let (line, column) = place(&ignore, "me\n    replicas");
    let rules = labels(&ignore, (line, column + 2));
    assert!(rules.iter().any(|it| it == "memory-limit-too-low"), "{rules:?}");
    // Elsewhere nothing is.
    assert_eq!(labels(&text, place(&text, "30m")), [""; 0]);
    assert_eq!(editor.close(), Some(0));
}

#[test]
fn what_can_be_done_about_a_finding_is_offered() {
    let dir = repository(
        "
        //- a.yaml
        apiVersion: source.toolkit.fluxcd.io/v1
        kind: HelmRepository
        metadata: {name: metrics-server, namespace: kube-system}
        spec: {url: 'https://kubernetes-sigs.github.io/metrics-server/'}
        ---
        apiVersion: helm.toolkit.fluxcd.io/v2
        kind: HelmRelease
        metadata: {name: metrics-server, namespace: kube-system}
        spec:
          chart:
            spec:
              chart: metrics-server
              version: 3.12.2
              sourceRef: {kind: HelmRepository, name: metrics-server}
          values:
            args:
              - --metric-resolution=5s # often
            podLabel: {team: a}
        ",
    );
    let root = dir.path().canonicalize().unwrap();
    let text = fs::read_to_string(root.join("a.yaml")).unwrap();
    let mut editor = Editor::open(&root);
    let (line, _) = place(&text, "--metric");
    let actions = editor.actions("a.yaml", line, None);
    let titles: Vec<&str> = actions.iter().map(|it| &*it.0).collect();
    let rule = "metric-resolution-too-small";
    assert_eq!(
        titles,
        ["Replace `5s` with `15s`", &format!("Ignore {rule} here"), &format!("Explain {rule}")],
    );
    let fixed = text.replace("resolution=5s", "resolution=15s");
    assert_eq!(actions[0].1.as_ref(), Some(&fixed));
    // What stands behind another comment is a part of it, so that it is written above.
    let above = text.replace(
        "      - --metric",
        &format!("      # metrics-server-lint: ignore[{rule}]\n      - --metric"),
    );
    assert_eq!(actions[1].1, Some(above));
    let all = editor.actions("a.yaml", 0, Some("source.fixAll"));
    assert_eq!(all, [("Fix what is safe to fix".to_owned(), Some(fixed))]);
    let unsafe_fix = editor.actions("a.yaml", line + 1, None);
    assert!(unsafe_fix[0].0.ends_with("(unsafe: look at it)"), "{unsafe_fix:?}");
    let command = json!({"command": "metrics-server-lint.explain", "arguments": [rule]});
    assert_eq!(editor.ask("workspace/executeCommand", &command)["result"], Value::Null);
    let shown = editor.others.iter().find(|it| it["method"] == "window/showDocument").unwrap();
    assert_eq!(
        shown["params"]["uri"],
        concat!(env!("CARGO_PKG_HOMEPAGE"), "rules/metric-resolution-too-small.html"),
    );
    // What is saved meanwhile is read again.
    fs::write(root.join("b.yaml"), text.replace("name: metrics-server, ", "name: other, "))
        .unwrap();
    let uri = editor.uri("b.yaml");
    editor.tell("workspace/didChangeWatchedFiles", &json!({"changes": [{"uri": uri, "type": 1}]}));
    assert!(editor.shown().iter().any(|it| it.0 == "b.yaml"));
    assert_eq!(editor.close(), Some(0));
}

#[test]
fn a_file_may_become_what_matters_while_it_is_typed() {
    let dir = repository(
        "
        //- server.yaml
        a: 1
        //- .hidden/server.yaml
        a: 1
        //- .git/x
        ",
    );
    let root = dir.path().canonicalize().unwrap();
    let mut editor = Editor::open(&root);
    assert!(editor.shown().is_empty());
    let server = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: metrics-server, namespace: kube-system}\n\
                  spec:\n  template:\n    spec:\n      containers:\n        - name: metrics-server\n          \
                  image: registry.k8s.io/metrics-server/metrics-server:v0.8.0\n          \
                  args: [--kubelet-insecure-tls]\n";
    for path in [".hidden/server.yaml", "server.yaml"] {
        editor.type_into(path, server);
    }
    let found = editor.shown();
    assert!(found.iter().any(|it| it.2 == "kubelet-insecure-tls"), "{found:?}");
    assert!(found.iter().all(|it| it.0 == "server.yaml"), "{found:?}");
    // Who shuts down is told what becomes of what was asked.
    editor.change("server.yaml", "a: 2\n");
    let uri = editor.uri("server.yaml");
    let place = json!({"textDocument": {"uri": uri}, "position": {"line": 0, "character": 0}});
    let asked = editor.request("textDocument/hover", &place);
    let end = editor.request("shutdown", &Value::Null);
    assert!(editor.answer(asked).get("id").is_some());
    assert_eq!(editor.answer(end)["result"], Value::Null);
    editor.tell("exit", &Value::Null);
    assert_eq!(editor.wait(), Some(0));
}

#[test]
fn columns_are_those_of_the_editor() {
    let dir = repository(
        "
        //- a.yaml
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: metrics-server, namespace: kube-system, annotations: {a: '🦀é'}, labels: {b: c}}
        spec:
          template:
            spec:
              containers:
                - {name: metrics-server, env: [{name: A, value: '🦀🦀'}], args: [--kubelet-insecure-tls]}
        ",
    );
    let root = dir.path().canonicalize().unwrap();
    let text = fs::read_to_string(root.join("a.yaml")).unwrap();
    let mut editor = Editor::open(&root);
    editor.shown();
    let found = editor.others.iter().filter_map(|it| it["params"]["diagnostics"].as_array());
    let found: Vec<&Value> =
        found.flatten().filter(|it| it["code"] == "kubelet-insecure-tls").collect();
    let (line, character) = place(&text, "--kubelet");
    assert_eq!(found[0]["range"]["start"], json!({"line": line, "character": character}));
    assert_eq!(editor.close(), Some(0));
}

#[test]
fn what_no_editor_should_say_ends_nothing() {
    let root = scenario("kustomize-overlay");
    let mut editor = Editor::silent(&root);
    let code = |it: Value| it["error"]["code"].as_i64();
    assert_eq!(code(editor.ask("textDocument/hover", &json!({}))), Some(-32002));
    let params = json!({"rootUri": editor.uri(""), "capabilities": {}});
    assert!(editor.ask("initialize", &params)["result"].is_object());
    assert_eq!(code(editor.ask("initialize", &params)), Some(-32600));
    assert_eq!(code(editor.ask("textDocument/rename", &json!({}))), Some(-32601));
    assert_eq!(code(editor.ask("textDocument/hover", &json!({"x": 1}))), Some(-32602));
    assert_eq!(
        code(editor.ask("workspace/executeCommand", &json!({"command": "rm"}))),
        Some(-32602)
    );
    editor.tell("textDocument/didChange", &json!({"nonsense": true}));
    editor.tell(
        "textDocument/didOpen",
        &json!({"textDocument": {
            "uri": "untitled:1", "languageId": "yaml", "version": 1, "text": "a",
        }}),
    );
    editor.tell("$/cancelRequest", &json!({"id": "none"}));
    editor.tell("$/unknown", &json!({}));
    assert!(!editor.shown().is_empty());
    // Many edits in a row, with a question that nobody waits for.
    let uri = editor.uri("x.yaml");
    for version in 0..50 {
        editor.type_into("x.yaml", &format!("a: {version}\n"));
    }
    let place = json!({"textDocument": {"uri": uri}, "position": {"line": 9, "character": 9}});
    let id = editor.request("textDocument/hover", &place);
    editor.tell("$/cancelRequest", &json!({"id": id}));
    let answer = editor.answer(id);
    assert!(code(answer.clone()) == Some(-32800) || answer["result"].is_null(), "{answer}");
    assert_eq!(editor.ask("shutdown", &Value::Null)["result"], Value::Null);
    assert_eq!(code(editor.ask("textDocument/hover", &place)), Some(-32600));
    editor.tell("exit", &Value::Null);
    assert_eq!(editor.wait(), Some(0));
}

#[test]
fn an_editor_that_goes_takes_the_server_with_it() {
    let root = scenario("kustomize-overlay");
    let gone = Editor::open(&root);
    assert_eq!(gone.wait(), Some(1), "nobody said that it is the end");
    let mut hasty = Editor::open(&root);
    hasty.tell("exit", &Value::Null);
    assert_eq!(hasty.wait(), Some(1));
    for (nonsense, why) in [
        ("nonsense\r\n\r\n", "`nonsense` is no header"),
        ("X: y\r\n\r\n", "it says no length"),
        ("Content-Length: 99\r\n\r\n{}", "unexpected end of file"),
        ("Content-Length: 18446744073709551616\r\n\r\n{}", "no length of a message"),
        ("Content-Length: 99999999999999\r\n\r\n{}", "passed over: it has 99999999999999 bytes"),
    ] {
        let mut odd = Editor::open(&root);
        odd.said.write_all(nonsense.as_bytes()).unwrap();
        let mut errors = odd.server.stderr.take().unwrap();
        assert_eq!(odd.wait(), Some(1), "{nonsense}");
        let mut said = String::new();
        errors.read_to_string(&mut said).unwrap();
        assert!(said.contains(why) && said.matches('\n').count() == 1, "{said}");
    }
}

#[test]
fn what_is_no_message_is_passed_over() {
    let mut editor = Editor::open(&scenario("kustomize-overlay"));
    let nested = "[".repeat(100_000);
    for body in ["{]}", "[]", "\"\u{1f980}\"", &nested] {
        write!(editor.said, "content-length: {}\r\n\r\n{body}", body.len()).unwrap();
    }
    editor.said.write_all(b"Content-Length: 2\r\nContent-Type: x\r\n\r\n\xff\xfe").unwrap();
    assert!(!editor.shown().is_empty());
    let mut errors = editor.server.stderr.take().unwrap();
    assert_eq!(editor.close(), Some(0));
    let mut said = String::new();
    errors.read_to_string(&mut said).unwrap();
    assert_eq!(said.matches("the editor's message is not one of JSON-RPC").count(), 5, "{said}");
}

#[test]
fn a_repository_stays_until_the_last_of_it_is_closed() {
    let dir = repository(
        "//- .git/x\n//- a/kubelet.yaml\nkind: KubeletConfiguration\n\
        apiVersion: kubelet.config.k8s.io/v1beta1\nserverTLSBootstrap: true\n//- b/x.yaml\na: 1\n",
    );
    let root = dir.path().canonicalize().unwrap();
    let mut editor = Editor::start(&root, &[]);
    editor.initialize(&json!({}));
    let change = |editor: &mut Editor, added: &[&str], removed: &[&str]| {
        let folder = |it: &&str| json!({"uri": editor.uri(it), "name": it});
        let added: Vec<Value> = added.iter().map(folder).collect();
        let removed: Vec<Value> = removed.iter().map(folder).collect();
        let event = json!({"event": {"added": added, "removed": removed}});
        editor.tell("workspace/didChangeWorkspaceFolders", &event);
        !editor.shown().is_empty()
    };
    assert!(change(&mut editor, &["a", "b"], &[]));
    assert!(change(&mut editor, &[], &["b"]));
    assert!(change(&mut editor, &[], &["b", ""]), "it was closed before");
    assert!(!change(&mut editor, &[], &["a"]));
    assert!(change(&mut editor, &["a"], &[]));
    editor.type_into("b/x.yaml", "a: 2\n");
    assert!(change(&mut editor, &[], &["a"]), "a file of it is open");
    let uri = editor.uri("b/x.yaml");
    editor.tell("textDocument/didClose", &json!({"textDocument": {"uri": uri}}));
    assert!(editor.shown().is_empty(), "nothing of it is open");
    assert_eq!(editor.close(), Some(0));
}

#[test]
fn a_file_counts_while_it_is_open_whether_it_is_on_the_disk_or_not() {
    let kubelet = "kind: KubeletConfiguration\napiVersion: kubelet.config.k8s.io/v1beta1\n\
                   serverTLSBootstrap: true\n";
    let dir =
        repository("//- .git/x\n//- .gitignore\nout/\n//- here.yaml\na: 1\n//- out/a.yaml\na: 1\n");
    let root = dir.path().canonicalize().unwrap();
    let mut editor = Editor::open(&root);
    let files = |editor: &mut Editor| {
        let shown = editor.shown().into_iter();
        shown.map(|(path, ..)| path).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    };
    assert!(files(&mut editor).is_empty());
    for path in ["new.yaml", "out/new.yaml", "out/a.yaml", ".hidden/new.yaml"] {
        editor.type_into(path, kubelet);
    }
    assert_eq!(files(&mut editor), ["new.yaml"], "what Git leaves out is not looked at");
    // What is found is of the version that the editor has, also where it is the same.
    editor.change("new.yaml", &format!("{kubelet}# b\n"));
    editor.shown();
    let last = editor.others.iter().rfind(|it| it["params"]["uri"] == editor.uri("new.yaml"));
    assert_eq!(last.unwrap()["params"]["version"], 2);
    editor.change("new.yaml", "a: 1\n");
    assert!(files(&mut editor).is_empty());
    editor.change("new.yaml", kubelet);
    assert_eq!(files(&mut editor), ["new.yaml"]);
    let uri = editor.uri("new.yaml");
    editor.tell("textDocument/didClose", &json!({"textDocument": {"uri": uri}}));
    assert!(files(&mut editor).is_empty(), "it was never saved");
    // A file is not the template that makes it.
    let template = kubelet.replace("kubelet.config", "{{ x }}kubelet.config");
    fs::write(root.join("made.yaml.j2"), template).unwrap();
    editor.type_into("made.yaml", kubelet);
    assert_eq!(files(&mut editor), ["made.yaml"]);
    let uri = editor.uri("made.yaml");
    editor.tell("textDocument/didClose", &json!({"textDocument": {"uri": uri}}));
    editor.type_into("here.yaml", kubelet);
    fs::remove_file(root.join("here.yaml")).unwrap();
    let change = json!({"changes": [{"uri": editor.uri("here.yaml"), "type": 3}]});
    editor.tell("workspace/didChangeWatchedFiles", &change);
    assert_eq!(files(&mut editor), ["here.yaml"]);
    assert_eq!(editor.close(), Some(0));
}

#[test]
fn actions_say_of_which_version_they_are_to_who_knows_versions() {
    let dir = repository("//- a.yaml\na: 1\n");
    let root = dir.path().canonicalize().unwrap();
    let text = "apiVersion: apps/v1\nkind: Deployment\n\
                metadata: {name: metrics-server, namespace: kube-system}\nspec:\n  template:\n    \
                spec:\n      containers:\n        - image: a/metrics-server:v0.7.2\n          \
                args: [--metric-resolution=5s]\n";
    for knows in [true, false] {
        let mut editor = Editor::silent(&root);
        editor.initialize(&json!({"workspace": {"workspaceEdit": {"documentChanges": knows}}}));
        editor.type_into("a.yaml", "a: 2\n");
        editor.change("a.yaml", text);
        let uri = editor.uri("a.yaml");
        let place = json!({"line": 8, "character": 0});
        let params = json!({
            "textDocument": {"uri": uri},
            "range": {"start": place, "end": place},
            "context": {"diagnostics": []},
        });
        let answer = editor.ask("textDocument/codeAction", &params);
        let edit = &answer["result"][0]["edit"];
        let (versioned, plain) = (&edit["documentChanges"][0], &edit["changes"][&uri]);
        assert_eq!(versioned["textDocument"]["version"] == 2, knows, "{answer}");
        let edits = if knows { &versioned["edits"] } else { plain };
        assert_eq!(edits[0]["newText"], "15s", "{answer}");
        // A name that is free again is of what was asked last.
        let ask = |editor: &mut Editor, line: usize| {
            let mut params = params.clone();
            params["range"] = json!({"start": {"line": line, "character": 0}, "end": {"line": line, "character": 0}});
            editor.say(&json!({"jsonrpc": "2.0", "id": 7777, "method": "textDocument/codeAction", "params": params}));
        };
        ask(&mut editor, 8);
        editor.tell("$/cancelRequest", &json!({"id": 7777}));
        ask(&mut editor, 0);
        let answers = [editor.answer(7777), editor.answer(7777)];
        let is_of_args = |it: &Value| it["result"][0]["edit"].is_object();
        let done = answers.iter().filter(|it| is_of_args(it)).count();
        let cancelled = answers.iter().filter(|it| it["error"]["code"] == -32800).count();
        assert_eq!(done + cancelled, 1, "{answers:?}");
        // Each is answered, whether it is done or not.
        let many: Vec<i64> =
            (0..40).map(|_| editor.request("textDocument/codeAction", &params)).collect();
        for id in &many[1..] {
            editor.tell("$/cancelRequest", &json!({"id": id}));
        }
        assert!(editor.answer(many[0])["result"].is_array());
        assert_eq!(editor.ask("shutdown", &Value::Null)["result"], Value::Null);
        let answered = |id: &&i64| {
            let mut all = editor.others.iter();
            all.any(|it| it["id"] == **id && it["error"]["code"] == -32800)
        };
        assert!(many[1..].iter().any(|it| answered(&it)), "{:?}", editor.others);
        let is_answered =
            |id: &i64| editor.others.iter().any(|it| it["id"] == *id && it.get("method").is_none());
        assert!(many[1..].iter().all(is_answered));
        editor.tell("exit", &Value::Null);
        assert_eq!(editor.wait(), Some(0));
    }
}
