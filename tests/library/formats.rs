//! The formats that programs read: all of them tell the same findings, and none is read as "clean"
//! where nothing was judged.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use super::{
    common::{Output, program},
    directory,
};

/// Findings of every severity, two of one rule in one file, a chain through three files, and names
/// and values that every format has to escape.
const FILES: &str = "
//- .metrics-server-lint.yaml
environments:
  prod: {nodes: 300, kubernetes: '1.33'}
  'a|b, 50%: <c>': {nodes: 1}
//- apps/release.yaml
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: metrics-server, namespace: kube-system}
spec:
  chart: {spec: {chart: metrics-server, version: 3.12.2, sourceRef: {kind: HelmRepository, name: x}}}
  values:
    args: ['--kubelet-insecure-tls', '--größe=&lt;1', '--größere=\"x\"']
    resources: {limits: {memory: '${LIMIT}'}, requests: {memory: 50Mi}}
//- apps/kustomization.yaml
resources: [release.yaml]
//- prod/sync.yaml
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: prod, namespace: flux-system}
spec:
  path: ./apps
  sourceRef: {kind: GitRepository, name: flux-system}
  postBuild: {substituteFrom: [{kind: ConfigMap, name: sizes}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: sizes, namespace: flux-system}
data: {LIMIT: 60Mi}
//- a|b, 50%: <c>/values.yaml
image: {repository: registry.k8s.io/metrics-server/metrics-server, tag: v0.7.1}
args: [--kubelet-insecure-tls]
";

const FORMATS: [&str; 7] = ["json", "sarif", "github", "gitlab", "junit", "rdjson", "markdown"];

/// What one run writes in every format: the formats' names and texts.
fn written(dir: &Path, config: &str) -> (Output, Vec<(&'static str, String)>) {
    let out = tempfile::tempdir().unwrap();
    let file = |format: &str| out.path().join(format);
    let formats = FORMATS.map(|it| format!("--format {it}:{}", file(it).display())).join(" ");
    let run = program(&format!("check --pedantic --format text {formats} {config}"), &[dir]);
    let texts = FORMATS.map(|it| (it, fs::read_to_string(file(it)).unwrap()));
    (run, texts.into())
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

/// Rule, path and line of what a format tells.
type Told = BTreeSet<(String, String, u64)>;

fn told(format: &str, text: &str) -> Told {
    let one = |rule: &Value, path: &Value, line: &Value| {
        let text = |it: &Value| it.as_str().unwrap().to_owned();
        (text(rule), text(path), line.as_u64().unwrap())
    };
    match format {
        "json" => {
            let findings = &json(text)["findings"];
            let of = |it: &Value| {
                let label = &it["labels"][0];
                one(&it["rule"], &label["file"], &label["start"]["line"])
            };
            list(findings).iter().map(of).collect()
        }
        "sarif" => {
            let results = &json(text)["runs"][0]["results"];
            let of = |it: &Value| {
                let place = &it["locations"][0]["physicalLocation"];
                let (rule, path, line) = one(
                    &it["ruleId"],
                    &place["artifactLocation"]["uri"],
                    &place["region"]["startLine"],
                );
                (rule, decoded(&path), line)
            };
            list(results).iter().map(of).collect()
        }
        "gitlab" => {
            let of = |it: &Value| {
                let place = &it["location"];
                one(&it["check_name"], &place["path"], &place["lines"]["begin"])
            };
            list(&json(text)).iter().map(of).collect()
        }
        "rdjson" => {
            let of = |it: &Value| {
                let place = &it["location"];
                one(&it["code"]["value"], &place["path"], &place["range"]["start"]["line"])
            };
            list(&json(text)["diagnostics"]).iter().map(of).collect()
        }
        "github" => {
            let form = regex::Regex::new(
                "(?m)^::(?:error|warning|notice) file=([^,]*),line=([0-9]+),.*,title=([a-z-]+)::",
            );
            let all = form.unwrap();
            let of = |it: regex::Captures<'_>| {
                (it[3].to_owned(), decoded(&it[1]), it[2].parse().unwrap())
            };
            all.captures_iter(text).map(of).collect()
        }
        "junit" => {
            let form =
                regex::Regex::new("(?m)^(?:.*>)?(\\S.*):([0-9]+):[0-9]+: (?:error|warning|note): ");
            let all = form.unwrap();
            let rules = text.split("<testcase name=\"").skip(1);
            let mut told = Told::new();
            for case in rules {
                let rule = case.split('"').next().unwrap();
                told.extend(all.captures_iter(case).map(|it| {
                    let path = it[1].replace("&lt;", "<").replace("&gt;", ">");
                    (rule.to_owned(), path, it[2].parse().unwrap())
                }));
            }
            told
        }
        "markdown" => {
            let form =
                regex::Regex::new("<br>\\[`([a-z-]+)`\\].* \\| \\[[^\\]]*\\]\\(<([^#]*)#L([0-9]+)");
            let all = form.unwrap();
            let of = |it: regex::Captures<'_>| {
                (it[1].to_owned(), decoded(&it[2]), it[3].parse().unwrap())
            };
            all.captures_iter(text).map(of).collect()
        }
        other => panic!("no format {other}"),
    }
}

/// `text` without the escapes of an address.
fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.strip_prefix("./").unwrap_or(text).bytes());
    while let Some(it) = rest.next() {
        if it == b'%' {
            let digits: Vec<u8> = rest.by_ref().take(2).collect();
            let digits = std::str::from_utf8(&digits).unwrap();
            bytes.push(u8::from_str_radix(digits, 16).unwrap());
        } else {
            bytes.push(it);
        }
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
#[cfg_attr(windows, ignore = "no file of Windows has a colon in its name")]
fn one_run_tells_every_format_the_same() {
    let dir = directory(FILES);
    let (run, texts) = written(dir.path(), "");
    assert_eq!((run.status, &*run.err), (1, ""));
    let expected = told("json", &texts[0].1);
    assert!(expected.len() > 4, "{expected:?}");
    assert!(expected.iter().any(|(_, path, _)| path.contains('|')), "{expected:?}");
    for (format, text) in &texts {
        assert_eq!(told(format, text), expected, "{format}:\n{text}");
        let alone = program(&format!("check --pedantic --format {format}"), &[dir.path()]).out;
        let fixed = |text: &str| match *format {
            // What the log says before has the time that it took.
            "github" => text.split_at(text.find("\n::").unwrap()).1.to_owned(),
            _ => text.to_owned(),
        };
        assert_eq!(fixed(&alone), fixed(text), "{format}");
    }
    let findings = list(&json(&texts[0].1)["findings"]).len();
    let count = |text: &str, what: &str| text.matches(what).count();
    let of = |format: &str| &*texts.iter().find(|(it, _)| *it == format).unwrap().1;
    assert_eq!(list(&json(of("gitlab"))).len(), findings);
    assert_eq!(list(&json(of("rdjson"))["diagnostics"]).len(), findings);
    assert_eq!(count(of("github"), "\n::"), findings, "{}", of("github"));
    assert_eq!(count(of("markdown"), "\n| ") - 1, findings, "{}", of("markdown"));
}

#[test]
fn what_is_broken_is_not_clean_in_any_format() {
    let dir = directory(
        "
        //- .metrics-server-lint.yaml
        rules: {kubelet-insecure-tsl: 'off'}
        //- a.yaml
        a: 1
        ",
    );
    let nowhere = dir.path().join("nowhere");
    for (path, said) in
        [(dir.path(), "there is no rule `kubelet-insecure-tsl`"), (&*nowhere, "cannot read")]
    {
        let (run, texts) = written(path, "");
        assert_eq!(run.status, 2);
        assert_eq!(run.out, "");
        assert!(run.err.contains(said), "{}", run.err);
        for (format, text) in &texts {
            assert!(text.contains(said), "{format}:\n{text}");
            let alone = program(&format!("check --format {format}"), &[path]).out;
            assert!(alone.contains(said), "{format}:\n{alone}");
            match *format {
                "json" => {
                    assert_eq!(json(text).get("findings"), None);
                    assert!(json(text)["error"]["message"].is_string());
                }
                "gitlab" => assert_eq!(json(text)[0]["severity"], "blocker"),
                "rdjson" => assert_eq!(json(text)["diagnostics"][0]["severity"], "ERROR"),
                "junit" => assert!(text.contains("errors=\"1\""), "{text}"),
                "github" => assert!(text.starts_with("::error "), "{text}"),
                _ => {}
            }
        }
        let show = program("show --format json", &[path]).out;
        assert!(json(&show)["error"]["message"].is_string(), "{show}");
    }
}

#[test]
#[cfg_attr(windows, ignore = "no file of Windows has a colon in its name")]
fn a_file_says_what_became_of_this_run() {
    let dir = directory(FILES);
    let out = dir.path().join("out.txt");
    fs::write(&out, "nothing found").unwrap();
    let arguments = format!("check --config nowhere --output {}", out.display());
    assert_eq!(program(&arguments, &[dir.path()]).status, 2);
    assert_eq!(
        fs::read_to_string(&out).unwrap(),
        "error: cannot read `nowhere`: No such file or directory (os error 2)\n"
    );
    // One that cannot be written takes nothing from the others.
    let arguments = "check --format sarif:/no/such/dir/x --format json";
    let run = program(arguments, &[dir.path()]);
    assert_eq!(run.status, 2);
    assert!(json(&run.out)["error"]["message"].as_str().unwrap().contains("cannot write"));
}

#[test]
fn junit_names_the_environments_in_which_nothing_is_wrong() {
    let dir = directory(&flagged(["a", "b"].map(Into::into).into_iter()));
    let of = |arguments: &str, dir: &Path| {
        program(&format!("check --format junit {arguments}"), &[dir]).out
    };
    let text = of("--select kubelet-insecure-tls", dir.path());
    assert!(text.contains(r#"tests="2" failures="2" errors="0" skipped="0""#), "{text}");
    let text = of("--select unknown-flag", dir.path());
    assert!(text.contains(r#"tests="2" failures="0" errors="0" skipped="0""#), "{text}");
    assert!(
        text.contains(r#"<testcase name="metrics-server-lint" classname="a/values.yaml"/>"#),
        "{text}"
    );
    let text = of("", directory("//- a.yaml\na: 1\n").path());
    assert!(text.contains(r#"tests="1" failures="0" errors="0" skipped="1""#), "{text}");
}

/// A values file that turns verification off in each of the directories `names`.
fn flagged(names: impl Iterator<Item = String>) -> String {
    let manifest = |name: String| {
        format!(
            "//- {name}/values.yaml\nimage: {{repository: registry.k8s.io/metrics-server/metrics-server, tag: v0.8.0}}\nargs: [--kubelet-insecure-tls]\n"
        )
    };
    names.map(manifest).collect()
}

#[test]
fn ten_annotations_and_how_many_more() {
    let dir = directory(&flagged((0..13).map(|it| format!("site-{it}"))));
    let (_, texts) = written(dir.path(), "--select kubelet-insecure-tls");
    let (_, text) = texts.iter().find(|(it, _)| *it == "github").unwrap();
    assert_eq!(text.matches("::warning ").count(), 10, "{text}");
    let last = "::notice title=metrics-server-lint::3 more findings without an annotation: \
                the log and the summary have all";
    assert_eq!(text.lines().last(), Some(last));
}

#[test]
fn markdown_says_what_finds_no_room_in_a_comment() {
    let dir = directory(&flagged((0..200).map(|it| format!("site-{it}"))));
    let text = program("check --format markdown --select kubelet-insecure-tls", &[dir.path()]).out;
    assert!((60_000..=65_536).contains(&text.len()), "{}", text.len());
    let rows = text.matches("\n| warning |").count();
    let last = format!("\n{} more findings not shown: this may be 64 KiB at most.\n", 200 - rows);
    assert!(text.ends_with(&last), "{}", text.lines().last().unwrap());
}

#[test]
fn fingerprints_of_gitlab_stay_where_lines_move_and_are_all_different() {
    let of = |text: &str| -> Vec<String> {
        let dir = directory(&format!("//- a.yaml\n{text}"));
        let issues = json(&program("check --format gitlab", &[dir.path()]).out);
        let issues = list(&issues).iter();
        issues.map(|it| it["fingerprint"].as_str().unwrap().to_owned()).collect()
    };
    let manifest = |args: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: metrics-server, namespace: kube-system}}\n\
             spec:\n  template:\n    spec:\n      containers:\n      - name: metrics-server\n        \
             image: registry.k8s.io/metrics-server/metrics-server:v0.7.2\n        args:\n{args}"
        )
    };
    let twice = manifest("        - --nonsense=1\n        - --nonsense=1\n");
    let before = of(&twice);
    assert_eq!(before.iter().collect::<BTreeSet<_>>().len(), before.len());
    assert!(before.iter().all(|it| it.len() == 64));
    assert_eq!(of(&format!("# a line more\n\n{twice}")), before);
    assert_ne!(of(&twice.replace("nonsense", "sense")), before);
}

#[test]
#[cfg_attr(windows, ignore = "no file of Windows has a colon in its name")]
fn columns_of_reviewdog_are_bytes() {
    let dir = directory(FILES);
    let text = program("check --format rdjson --select unknown-flag", &[dir.path()]).out;
    let diagnostics = &json(&text)["diagnostics"];
    let line = fs::read_to_string(dir.path().join("apps/release.yaml")).unwrap();
    let line = line.lines().nth(6).unwrap();
    let quoted: Vec<&str> = list(diagnostics)
        .iter()
        .map(|it| {
            let column = |end: &str| {
                usize::try_from(it["location"]["range"][end]["column"].as_u64().unwrap()).unwrap()
            };
            &line[column("start") - 1..column("end") - 1]
        })
        .collect();
    assert_eq!(quoted, ["'--größe=&lt;1'", "'--größere=\"x\"'"], "{text}");
}

#[test]
#[cfg_attr(windows, ignore = "no file of Windows has a colon in its name")]
fn what_is_told_in_each_format() {
    let dir = directory(FILES);
    for format in ["github", "gitlab", "junit", "rdjson", "markdown"] {
        let out = tempfile::NamedTempFile::new().unwrap();
        let arguments = format!(
            "check -q --select memory-limit-too-low,unknown-flag --format {format}:{}",
            out.path().display()
        );
        program(&arguments, &[dir.path()]);
        let text = fs::read_to_string(out.path()).unwrap();
        insta::assert_snapshot!(format, text);
    }
}
