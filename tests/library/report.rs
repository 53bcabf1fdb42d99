//! Reports of the same findings for people and for programs.

use std::path::Path;

use unicode_width::UnicodeWidthStr as _;

use super::{config_in, fixture_with, place, scenarios::scenarios};
use crate::{
    cli::Verbosity,
    discover,
    finding::{Applicability, Edit, Finding, Findings, Fix, Severity, disturbs},
    model::{Cluster, unjudged},
    pipeline::{self, analyze},
    report::{
        FixedFinding, Report, TerminalOptions, concise, json, sarif, show, show_json, summary, text,
    },
    resolve::environment::Environment,
    rules::problems,
    settle::{Scope, settle},
    source::{Sources, Span},
    tree::{Origin, Via},
};

const FILES: &str = "
//- clusters/prod/environment.env
# sizes
METRICS_SERVER_MEMORY_LIMIT=256Mi
PASSWORD=hush
//- apps/base/metrics-server/helmrelease.yaml
kind: HelmRelease
spec:
  values:
    resources:
      limits:
        memory: ${METRICS_SERVER_MEMORY_LIMIT}
//- .metrics-server-lint.yaml
environments:
  prod:
    nodes: 300
//- odd: names/ß.yaml
ODD
//- secret.yaml
kind: Secret
stringData:
  limit: hush
//- kustomization.yaml
namespace: x
";

/// Line breaks, a tab, wide characters and an escape.
const ODD: &str =
    "args:\r\n\t- 'größe 広い' # \u{1b}[31m\r\n- --kubelet-insecure-tls\r\nlimit:\r\n";

fn repository() -> Sources {
    fixture_with(&[("ODD", ODD)], FILES)
}

/// One finding of each kind that is hard to show.
fn findings(sources: &Sources) -> Vec<Finding> {
    let at = |path, text| place(sources, path, text);
    let variable = at("clusters/prod/environment.env", "256Mi");
    let template =
        at("apps/base/metrics-server/helmrelease.yaml", "${METRICS_SERVER_MEMORY_LIMIT}");
    let mut all = Vec::new();

    let mut errors = Findings::of("too-low", |_| Severity::Error, Some("prod-eu"));
    let finding = errors
        .at(
            &template.filled(Via::Substituted, &variable),
            "kube-system/metrics-server memory_limit",
            "metrics-server needs about 600Mi for 300 nodes, but its limit is 256Mi",
        )
        .also(&at(".metrics-server-lint.yaml", "300"), "the cluster's size")
        .help("set METRICS_SERVER_MEMORY_LIMIT to 600Mi or more");
    finding.environments.insert("prod-us".into());
    all.append(&mut errors.into_vec());

    let mut warnings = Findings::of("not-verified", |_| Severity::Warning, Some("dev"));
    warnings
        .at(&at("odd: names/ß.yaml", "--kubelet-insecure-tls"), "", "nobody verifies the kubelets")
        .also(&at("odd: names/ß.yaml", "広い"), "wide");
    let mut broken = at("odd: names/ß.yaml", "limit:").step.span.expect("a span");
    broken.start = broken.end;
    warnings.at(&Origin::written(broken), "", "nothing stands here").label("here");
    all.append(&mut warnings.into_vec());

    let mut notes = Findings::of("hidden", |_| Severity::Note, None);
    notes.at(&at("secret.yaml", "hush"), "", "a secret").label("not told");
    all.append(&mut notes.into_vec());
    all
}

fn report(sources: &Sources) -> Report<'_> {
    Report {
        findings: findings(sources),
        environments: ["dev", "prod-eu", "prod-us"].map(Into::into).into(),
        suppressed: 1,
        pedantic: 2,
        baseline: Some(3),
        since: Some(0),
        ..Report::of(sources)
    }
}

fn shown(look: TerminalOptions) -> String {
    let sources = repository();
    let report = report(&sources);
    text(&report, look, Verbosity::Normal) + &summary(&report, look)
}

#[test]
fn text_for_a_pipe() {
    insta::assert_snapshot!(shown(TerminalOptions::PLAIN));
}

#[test]
fn text_at_three_widths() {
    for width in [60, 80, 120] {
        for unicode in [true, false] {
            let plain = TerminalOptions { unicode, width, ..TerminalOptions::PLAIN };
            let text = shown(plain);
            let colored = shown(TerminalOptions { color: true, ..plain });
            assert_eq!(without_escapes(&colored), text, "colors are all that colors change");
            if unicode {
                insta::assert_snapshot!(format!("{width}_columns"), text);
                let visible = colored.replace(ESCAPE, "<ESC>");
                insta::assert_snapshot!(format!("{width}_columns_in_colors"), visible);
            }
            let linked = shown(TerminalOptions { color: true, links: Some("here"), ..plain });
            assert_eq!(without_escapes(&linked), text, "links are all that links change");
            // What is not ASCII comes from the file.
            let ours = |it: &&str| !it.contains("größe") && !it.contains("odd: names");
            assert!(unicode || text.lines().filter(ours).all(str::is_ascii), "{text}");
        }
    }
}

/// `text` without colors and links.
fn without_escapes(text: &str) -> String {
    let escapes = regex::Regex::new("\x1b(\\[[0-9;]*m|\\]8;;[^\x1b]*\x1b\\\\)").expect("a pattern");
    escapes.replace_all(text, "").into_owned()
}

#[test]
fn rules_and_paths_are_links() {
    let mut sources = repository();
    sources.root = Some("/repos/a b".into());
    let mut report = report(&sources);
    report.findings.truncate(1);
    report.findings[0].rule = "memory-limit-too-low";
    let look = TerminalOptions { color: true, links: Some("here"), ..TerminalOptions::PLAIN };
    let text = text(&report, look, Verbosity::Normal);
    let page = concat!(env!("CARGO_PKG_HOMEPAGE"), "rules/memory-limit-too-low.html");
    assert!(text.contains(&format!("{ESCAPE}]8;;{page}{ESCAPE}\\memory-limit-too-low")), "{text}");
    let file = "file://here/repos/a%20b/clusters/prod/environment.env";
    assert!(text.contains(&format!("{ESCAPE}]8;;{file}{ESCAPE}\\clusters/prod/")), "{text}");
}

#[test]
fn concise_is_three_lines_each() {
    let sources = repository();
    insta::assert_snapshot!(concise(&report(&sources), TerminalOptions::PLAIN));
}

/// What `check` finds below `dir`, of which every line must be fit for a terminal.
fn looked_at(dir: &Path) {
    let sources = discover::open(dir, &[], &[], &|| ()).expect("a directory");
    let config = config_in(&sources);
    let (environments, clusters) = analyze(&sources, &config);
    let mut findings = pipeline::check(&clusters);
    findings.extend(problems(&unjudged(&sources, &clusters), None));
    let findings = settle(&sources, &config, &environments, findings, &Scope::all()).findings;
    let environments = environments.into_iter().map(|it| it.name).collect();
    let mut report = Report { findings, environments, ..Report::of(&sources) };
    for width in [60, 80, 120] {
        for unicode in [true, false] {
            let look = TerminalOptions { unicode, width, ..TerminalOptions::PLAIN };
            is_fit(&text(&report, look, Verbosity::Normal), width);
            is_fit(&concise(&report, look), width);
        }
    }
    let all = std::mem::take(&mut report.findings);
    for finding in all {
        let is_simple = finding.labels.len() == 1 && finding.notes.is_empty();
        report.findings = vec![finding];
        if is_simple {
            let names = std::mem::take(&mut report.findings[0].environments);
            let look = TerminalOptions { width: 100, ..TerminalOptions::PLAIN };
            let text = text(&report, look, Verbosity::Normal);
            assert!(text.trim_end().lines().count() <= 8, "{text}");
            report.findings[0].environments = names;
        }
        // Where nothing has to be broken.
        let look = TerminalOptions { width: 1000, ..TerminalOptions::PLAIN };
        let text = text(&report, look, Verbosity::Normal);
        let place = text.lines().find_map(|it| it.trim_start().strip_prefix("--> "));
        let path = &sources[report.findings[0].labels[0].span.file].path;
        assert!(place.is_some_and(|it| it.starts_with(&**path)), "{text}");
    }
}

/// No line of `text` is wider than `width` unless a path or a word is, and nothing in it does
/// anything to a terminal.
fn is_fit(text: &str, width: usize) {
    for line in text.lines() {
        assert!(!line.contains(disturbs), "{line:?}");
        let place = ["-->", ":::"].iter().any(|it| line.trim_start().starts_with(it));
        let is_word = line.trim().rsplit(' ').next().is_some_and(|it| it.width() + 24 > width);
        assert!(line.width() <= width || place || is_word, "{} > {width}: {line}", line.width());
    }
}

#[test]
fn every_finding_fits_every_terminal() {
    for scenario in scenarios() {
        looked_at(&scenario.dir);
    }
}

#[test]
fn marks_of_every_kind() {
    let file = "\
\u{feff}first: 1\r
- [one, two, three]
\ttabs:\there
wide: 広い🦀 after
block:
  over: several
  lines: of
nothing:
";
    let sources = Sources::in_memory([("a.yaml", file), ("b.yaml", "x: 1\n")]);
    let at = |text| place(&sources, "a.yaml", text);
    let mut found = Findings::of("marks", |_| Severity::Warning, None);
    found.at(&at("first"), "", "one after a byte order mark");
    found
        .at(&at("two"), "", "several in one line, and more beside it")
        .label("the one")
        .also(&at("one"), "before it")
        .also(&at("[one, two, three]"), "around it")
        .also(&at("first"), "near it")
        .also(&at("nothing"), "far from it")
        .also(&place(&sources, "b.yaml", "1"), "in another file");
    found.at(&at("here"), "", "one after tabs");
    found.at(&at("after"), "", "one after wide characters");
    found.at(&at("over: several\n  lines: of"), "", "one over several lines").label("all of it");
    let mut empty = at("nothing:").step.span.expect("a span");
    empty.start = empty.end;
    found.at(&Origin::written(empty), "", "one of nothing").note("that is not there").help("help");
    let report = Report { findings: found.into_vec(), ..Report::of(&sources) };
    insta::assert_snapshot!(text(&report, TerminalOptions::PLAIN, Verbosity::Normal));
}

#[test]
fn what_nobody_wrote_or_does_not_count_is_a_note() {
    let sources = repository();
    let limit = place(&sources, "clusters/prod/environment.env", "256Mi");
    let old = place(&sources, ".metrics-server-lint.yaml", "300");
    let mut found = Findings::of("notes", |_| Severity::Error, None);
    let default = Origin::at(Via::ChartDefault, limit.step.span);
    found.at(&limit.over(Via::Patched, &old), "", "wrong").also(&default, "the request is 200Mi");
    let findings = found.into_vec();
    let report = Report { findings, ..Report::of(&sources) };
    let text = text(&report, TerminalOptions::PLAIN, Verbosity::Normal);
    let notes: Vec<&str> = text.lines().filter(|it| it.contains("= note")).collect();
    let expected = [
        "  = note: overrides 300 in .metrics-server-lint.yaml:3",
        "  = note: the request is 200Mi, the chart's default",
    ];
    assert_eq!(notes, expected, "{text}");
}

#[test]
fn quiet_is_one_line_each() {
    let sources = repository();
    insta::assert_snapshot!(text(&report(&sources), TerminalOptions::PLAIN, Verbosity::Quiet));
}

#[test]
fn long_lines_are_cut_around_the_label() {
    let line = format!("{{{} bad {}}}", "a: b, ".repeat(60), "c: d, ".repeat(60));
    let sources = Sources::in_memory([("long.json", line)]);
    let mut found = Findings::of("syntax", |_| Severity::Error, None);
    found.at(&place(&sources, "long.json", "bad"), "", "this is bad");
    let report = Report { findings: found.into_vec(), ..Report::of(&sources) };
    let text = text(&report, TerminalOptions::PLAIN, Verbosity::Normal);
    assert!(text.lines().all(|it| it.chars().count() <= 100), "{text}");
    assert!(text.contains("bad"), "{text}");
}

#[test]
fn sarif_for_code_scanning() {
    let sources = repository();
    let mut log: serde_json::Value =
        serde_json::from_str(&sarif(&report(&sources), None)).expect("it is JSON");
    // The rules have pages of their own.
    let driver = &mut log["runs"][0]["tool"]["driver"];
    driver["rules"] = Vec::<u8>::new().into();
    // A release changes one number in one place.
    for version in ["version", "semanticVersion"] {
        assert_eq!(driver[version].take(), env!("CARGO_PKG_VERSION"));
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&log).expect("it is JSON"));
}

#[test]
fn json_for_programs() {
    let sources = repository();
    insta::assert_snapshot!(json(&report(&sources)));
}

#[test]
fn the_schema_has_the_fields_that_there_are() {
    let sources = repository();
    let mut report = report(&sources);
    let span = report.findings[0].labels[0].span;
    let edits = vec![Edit { span, text: "512Mi".to_owned() }];
    let applicability = Applicability::Safe;
    report.findings[0].fix = Some(Fix { edits, applicability });
    report.fixed = Some(vec![FixedFinding::of(&sources, &report.findings[0])]);
    let json: serde_json::Value = serde_json::from_str(&json(&report)).expect("JSON");
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../../schema/report.schema.json")).expect("JSON");
    let finding = &json["findings"][0];
    let label = &finding["labels"][1];
    let types = &schema["$defs"];
    for (value, schema) in [
        (&json, &schema),
        (&json["summary"], &schema["properties"]["summary"]),
        (finding, &types["finding"]),
        (label, &types["label"]),
        (&label["start"], &types["position"]),
        (&finding["fix"], &types["fix"]),
        (&finding["fix"]["edits"][0], &types["edit"]),
    ] {
        let value = value.as_object().expect("a mapping");
        let known = schema["properties"].as_object().expect("properties");
        // This finding has everything that a finding can have.
        assert!(value.keys().eq(known.keys()), "{value:?} {known:?}");
    }
}

#[test]
fn names_of_environments() {
    let sources = repository();
    let mut report = report(&sources);
    report.findings.truncate(1);
    report.environments = (1..=9).map(|it| format!("e{it}")).collect();
    let mut told = |names: usize, width: usize| {
        report.findings[0].environments = report.environments.iter().take(names).cloned().collect();
        let look = TerminalOptions { width, ..TerminalOptions::PLAIN };
        let text = text(&report, look, Verbosity::Normal);
        let line = text.lines().find(|it| it.contains("environments"));
        line.map(|it| it.trim_start_matches([' ', '|', '^']).to_owned())
    };
    assert_eq!(told(0, 100), None);
    assert_eq!(told(2, 100).as_deref(), Some("in 2 of 9 environments: e1, e2"));
    assert_eq!(
        told(7, 60).as_deref(),
        Some("= note: in 7 of 9 environments: e1, e2, e3, e4, e5, +2"),
        "no room beside the mark"
    );
    assert_eq!(told(9, 100).as_deref(), Some("in all 9 environments"));
}

const MANIFEST: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: metrics-server, namespace: kube-system}
spec:
  selector: {matchLabels: {k8s-app: metrics-server}}
  template:
    metadata: {labels: {k8s-app: metrics-server}}
    spec:
      containers:
        - name: metrics-server
          image: registry.k8s.io/metrics-server/metrics-server:v0.7.2
          args: [--metric-resolution=15s]
          resources: {limits: {memory: 256Mi}}
";

const API_SERVICE: &str = "\
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.metrics.k8s.io}
spec:
  group: metrics.k8s.io
  service: {name: metrics-server, namespace: kube-system}
  insecureSkipTLSVerify: true
";

fn analyzed(sources: &Sources) -> Vec<(Environment, Cluster)> {
    let (environments, clusters) = analyze(sources, &config_in(sources));
    environments.into_iter().zip(clusters).collect()
}

#[test]
fn show_for_programs() {
    let sources = Sources::in_memory([("a.yaml", MANIFEST)]);
    let shown = show_json(&sources, &analyzed(&sources), &[]);
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("it is JSON");
    assert_eq!(shown["version"], 1);
    let environment = &shown["environments"][0];
    assert_eq!(environment["entry"]["file"], "a.yaml");
    let server = &environment["metrics_servers"][0];
    assert_eq!(server["name"], "metrics-server");
    let fact = |name: &str| server["facts"][name].clone();
    let written = |column: u32, line: u32| serde_json::json!([{"via": "written", "file": "a.yaml", "line": line, "column": column}]);
    assert_eq!(
        fact("memory_limit"),
        serde_json::json!({"state": "known", "value": "256Mi", "origin": written(40, 13)})
    );
    assert_eq!(
        fact("args"),
        serde_json::json!(
            {"state": "known", "value": ["--metric-resolution=15s"], "origin": written(17, 12)}
        )
    );
    assert_eq!(fact("cpu_limit"), serde_json::json!({"state": "absent"}));
    assert_eq!(
        fact("replicas"),
        serde_json::json!(
            {"state": "known", "value": 1, "origin": [{"via": "kubernetes-default"}]}
        )
    );
    let names: Vec<_> = server["facts"].as_object().expect("facts").keys().cloned().collect();
    insta::assert_snapshot!(names.join("\n"), @"
    kind
    image
    image_repository
    image_tag
    args
    kubelet_insecure_tls
    kubelet_certificate_authority
    kubelet_client_certificate
    kubelet_client_key
    kubelet_completely_insecure
    kubelet_port
    kubelet_preferred_address_types
    kubelet_use_node_status_port
    kubelet_request_timeout
    metric_resolution
    secure_port
    container_port
    host_network
    replicas
    strategy_type
    strategy_max_unavailable
    strategy_max_surge
    pdb_min_available
    pdb_max_unavailable
    resource_quota
    priority_class
    cpu_request
    cpu_limit
    memory_request
    memory_limit
    tls_cert_file
    tls_private_key_file
    cert_dir
    api_service_insecure_skip_tls_verify
    api_service_ca_bundle
    read_only_root_filesystem
    run_as_non_root
    run_as_user
    allow_privilege_escalation
    privileged
    seccomp_profile
    capabilities_added
    capabilities_dropped
    first_unprivileged_port
    ");
}

#[test]
fn show_for_programs_beside_the_facts_of_metrics_server() {
    let approver = MANIFEST.replace("metrics-server", "kubelet-csr-approver");
    let sources = fixture_with(
        &[("MANIFEST", MANIFEST), ("API_SERVICE", API_SERVICE), ("APPROVER", &approver)],
        "
        //- .metrics-server-lint.yaml
        environments: {default: {nodes: 3, kubernetes: '1.31'}}
        //- a.yaml
        MANIFEST
        //- api.yaml
        API_SERVICE
        //- kubelet.yaml
        apiVersion: kubelet.config.k8s.io/v1beta1
        kind: KubeletConfiguration
        serverTLSBootstrap: true
        //- approver.yaml
        APPROVER
        //- broken.yaml
        metrics-server: [
        ",
    );
    let shown = show_json(&sources, &analyzed(&sources), &[]);
    let mut shown: serde_json::Value = serde_json::from_str(&shown).expect("it is JSON");
    let server = &mut shown["environments"][0]["metrics_servers"][0];
    server["facts"].take();
    server["surroundings"].take();
    insta::assert_snapshot!(serde_json::to_string_pretty(&shown).expect("it is JSON"));
}

#[test]
fn show_for_people() {
    let sources = Sources::in_memory([("a.yaml", MANIFEST)]);
    let shown =
        show(&sources, &analyzed(&sources), &[], TerminalOptions::PLAIN, Verbosity::Verbose);
    let line = |start: &str| {
        let mut lines = shown.lines();
        let line = lines.find(|it| it.trim_start().starts_with(start)).unwrap_or(&shown);
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("memory limit"), "memory limit 256Mi a.yaml:13");
    assert_eq!(line("args"), "args --metric-resolution=15s a.yaml:12");
    assert_eq!(line("replicas"), "replicas 1 Kubernetes default");
    assert!(shown.contains("not set:") && shown.contains(" cpu limit,"), "{shown}");
    let colored = show(
        &sources,
        &analyzed(&sources),
        &[],
        TerminalOptions { color: true, ..TerminalOptions::PLAIN },
        Verbosity::Verbose,
    );
    let escapes = regex::Regex::new("\x1b\\[[0-9;]*m").expect("a pattern");
    assert_eq!(escapes.replace_all(&colored, ""), shown);
}

#[test]
fn what_stands_around_a_metrics_server_is_shown_when_asked_for() {
    let more = "
---
apiVersion: v1
kind: Service
metadata: {name: ms, namespace: kube-system}
spec: {selector: {app: ms}, ports: [{port: 443}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: metrics-server, namespace: kube-system}
spec:
  template:
    metadata: {labels: {app: ms}}
    spec:
      serviceAccountName: reader
      containers:
        - name: metrics-server
          image: registry.k8s.io/metrics-server/metrics-server:v0.8.0
          ports: [{name: https, containerPort: 10250}]
          readinessProbe: {httpGet: {path: /readyz, port: https}}
          volumeMounts: [{name: tmp, mountPath: /tmp}]
      volumes: [{name: tmp, emptyDir: {}}]
";
    let sources = Sources::in_memory([("a.yaml", more)]);
    let plain = TerminalOptions::PLAIN;
    let shown = |detail| show(&sources, &analyzed(&sources), &[], plain, detail);
    let verbose = shown(Verbosity::Verbose);
    let rows = verbose.lines().map(|it| it.split_whitespace().collect::<Vec<_>>().join(" "));
    let rows: Vec<String> = rows.collect();
    for row in [
        "pod labels app: ms a.yaml:13",
        "ports https:10250 a.yaml:17",
        "readiness port https a.yaml:20",
        "mounts /tmp a.yaml:17",
        "services kube-system/ms (app: ms; 443 to 443) a.yaml:5",
        "service account reader a.yaml:15",
    ] {
        assert!(rows.iter().any(|it| it == row), "no {row} in\n{verbose}");
    }
    assert!(!shown(Verbosity::Normal).contains("mounts"));
    let json = show_json(&sources, &analyzed(&sources), &[]);
    assert!(json.contains("\"surroundings\""), "{json}");
}

#[test]
fn all_places_of_a_value_that_is_put_together_are_shown() {
    let flag = "--kubelet-preferred-address-types";
    let twice = format!("[\n{flag}=InternalIP,\n{flag}=Hostname]");
    let manifest = MANIFEST.replace("[--metric-resolution=15s]", &twice);
    let sources = Sources::in_memory([("a.yaml", manifest)]);
    let shown =
        show(&sources, &analyzed(&sources), &[], TerminalOptions::PLAIN, Verbosity::Verbose);
    let words: Vec<_> = shown.split_whitespace().collect();
    let words = words.join(" ");
    let row = "kubelet preferred address types InternalIP,Hostname a.yaml:14, and a.yaml:13";
    assert!(words.contains(row), "{shown}");
    let shown = show_json(&sources, &analyzed(&sources), &[]);
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("it is JSON");
    let facts = &shown["environments"][0]["metrics_servers"][0]["facts"];
    let written = |line: u32| serde_json::json!([{"via": "written", "file": "a.yaml", "line": line, "column": 1}]);
    assert_eq!(facts["kubelet_preferred_address_types"]["origin"], written(14));
    assert_eq!(facts["kubelet_preferred_address_types"]["also"], serde_json::json!([written(13)]));
    assert_eq!(facts["image"].get("also"), None);
}

#[test]
fn what_is_refused_is_shown_as_it_is_written() {
    let manifest =
        MANIFEST.replace("256Mi", "256MB").replace("  selector", "  replicas: [2]\n  selector");
    let sources = Sources::in_memory([("a.yaml", manifest)]);
    let shown =
        show(&sources, &analyzed(&sources), &[], TerminalOptions::PLAIN, Verbosity::Verbose);
    let words: Vec<_> = shown.split_whitespace().collect();
    let words = words.join(" ");
    let memory = "memory limit invalid 256MB a.yaml:14 `256MB` is not an amount of memory";
    assert!(words.contains(memory), "{shown}");
    assert!(words.contains("replicas invalid [2] a.yaml:5 this is not a whole number"), "{shown}");
    let shown = show_json(&sources, &analyzed(&sources), &[]);
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("it is JSON");
    assert_eq!(
        shown["environments"][0]["metrics_servers"][0]["facts"]["replicas"],
        serde_json::json!({
            "state": "invalid",
            "value": "[2]",
            "why": "this is not a whole number",
            "origin": [{"via": "written", "file": "a.yaml", "line": 5, "column": 13}],
        })
    );
}

#[test]
fn what_a_file_says_does_nothing_to_the_terminal() {
    let manifest = MANIFEST.replace("[--metric-resolution=15s]", r#"["--x=\e[31m", "\u202e"]"#);
    let sources = Sources::in_memory([("a.yaml", manifest)]);
    let shown =
        show(&sources, &analyzed(&sources), &[], TerminalOptions::PLAIN, Verbosity::Verbose);
    assert!(shown.contains("--x="), "{shown}");
    assert!(!shown.contains([ESCAPE, '\u{202e}']), "{shown}");
}

const ESCAPE: char = '\u{1b}';

proptest::proptest! {
    /// Whatever a file holds and wherever labels stand, drawing them ends, and stays in its width.
    #[test]
    fn any_label_can_be_drawn(
        text in "[ab\\u{0}\\u{1b}\\t\\r\\n \\u{feff}é広\\u{301}\\u{202e}🦀#:]{0,300}",
        places in proptest::collection::vec((0.0..1.0_f64, 0.0..1.0_f64), 1..5),
        width in 60..120_usize,
        unicode: bool,
    ) {
        let sources = Sources::in_memory([("a.yaml", text.clone())]);
        let file = sources.find("a.yaml").expect("it is there");
        let boundaries: Vec<usize> =
            text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a share of a short list")]
        let boundary = |share: f64| {
            boundaries[(share * (boundaries.len() - 1) as f64) as usize] as u32
        };
        let labels = places.into_iter().map(|(one, other)| {
            let (one, other) = (boundary(one), boundary(other));
            let span = Span { file, start: one.min(other), end: one.max(other) };
            crate::finding::Label { span, text: "a label".into(), via: None }
        });
        let mut all = findings(&repository());
        all.truncate(1);
        all[0].labels = labels.collect();
        let report = Report { findings: all, ..Report::of(&sources) };
        let drawn = crate::report::text(
            &report,
            TerminalOptions { unicode, width, ..TerminalOptions::PLAIN },
            Verbosity::Normal,
        );
        proptest::prop_assert!(drawn.contains("a label"), "{drawn}");
        is_fit(&drawn, width);
        let log: serde_json::Value = serde_json::from_str(&sarif(&report, None)).expect("it is JSON");
        let region = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"];
        for field in ["startLine", "startColumn", "endLine", "endColumn"] {
            proptest::prop_assert!(region[field].as_u64().is_some_and(|it| it > 0));
        }
        proptest::prop_assert!(region["endColumn"].as_u64() >= region["startColumn"].as_u64());
    }
}
