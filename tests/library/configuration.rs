//! The configuration file: what may be written, and what is said of the rest.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{config_in, fixture, unindented};
use crate::{
    config::{Config, FILE, Level, parse},
    finding::Severity,
    pipeline::analyze,
    rules,
    settle::unmatched,
    source::Sources,
    tree::Via,
};

const RULES: [(&str, &str); 3] = [
    ("kubelet-insecure-tls", "kubelet-insecure-tls"),
    ("memory-limit-too-low", "memory-limit-too-low"),
    ("memory-too-low", "memory-limit-too-low"),
];

fn sources(text: &str) -> Sources {
    Sources::in_memory([(FILE, &*unindented(text)), ("clusters/prod/a.yaml", "")])
}

fn config(text: &str) -> Config {
    let sources = sources(text);
    parse(&sources, sources.find(FILE).expect("the file"), &RULES).expect(text)
}

/// The place of each error with its message and its help, a line each.
fn errors(text: &str) -> String {
    let sources = sources(text);
    let errors = parse(&sources, sources.find(FILE).expect("the file"), &RULES).expect_err(text);
    let lines = errors.iter().map(|it| {
        let at = sources.start(it.primary().expect("a label").span);
        let help = it.help.as_deref().unwrap_or("-");
        format!("{}:{} {}; {help}\n", at.line, at.column, it.message)
    });
    lines.collect()
}

#[test]
fn everything_at_once() {
    let config = config(
        "
        environments:
          prod: &prod
            match: clusters/prod*
            entry: ./clusters/prod
            kubelets: talos
            nodes: 300
            pods-per-node: 60
            kubernetes: 1.30
            rules: {memory-limit-too-low: off}
          dev: {<<: *prod, local: yes, kubernetes: v1.31.2}
        rules: {kubelet-insecure-tls: off, memory-limit-too-low: error}
        overrides:
        - files: [lab, '*.lab.yaml']
          rules: {memory-limit-too-low: note}
        exclude: [vendor/, '*.tmpl.yaml']
        ",
    );
    let [prod, dev] = &*config.environments else { panic!("two environments") };
    assert_eq!(prod.name, "prod");
    assert!(prod.globs.is_match("clusters/prod-eu") && !prod.globs.is_match("prod"));
    assert_eq!(prod.entry.as_ref().map(|it| &*it.0), Some("clusters/prod"));
    assert!(prod.kubelets.is_match("talos/a.yaml") && dev.kubelets.is_match("talos"));
    assert_eq!(prod.nodes.as_ref().map(|it| it.0), Some(300));
    assert_eq!(prod.kubernetes.as_ref().map(|it| it.0.to_string()), Some("1.30.0".into()));
    assert_eq!(dev.nodes.as_ref().map(|it| it.0), Some(300));
    assert_eq!(dev.local.as_ref().map(|it| it.0), Some(true));
    assert_eq!(dev.kubernetes.as_ref().map(|it| it.0.to_string()), Some("1.31.2".into()));
    let level = |rule: &str, severity| Level { rule: rule.into(), severity };
    let error = level("memory-limit-too-low", Some(Severity::Error));
    assert_eq!(config.rules, [level("kubelet-insecure-tls", None), error]);
    assert_eq!(prod.rules, [level("memory-limit-too-low", None)]);
    let [lab] = &*config.overrides else { panic!("one override") };
    assert_eq!(lab.rules, [level("memory-limit-too-low", Some(Severity::Note))]);
    assert!(lab.files.is_match("lab/a.yaml") && lab.files.is_match("b.lab.yaml"));
    assert!(config.is_excluded("vendor/a/b.yaml") && config.is_excluded("a/x.tmpl.yaml"));
    assert!(!config.is_excluded("x.yaml") && !config.is_excluded("a/vendor/b.yaml"));
}

#[test]
fn a_setting_says_where_it_is() {
    let sources = sources("environments: {prod: {nodes: 300}}");
    let config =
        parse(&sources, sources.find(FILE).expect("the file"), &RULES).expect("it is valid");
    let (_, origin) = config.environments[0].nodes.as_ref().expect("nodes");
    assert_eq!(origin.step.via, Via::Configured);
    assert_eq!(sources.slice(origin.written_at().expect("a span")), "300");
}

#[test]
fn an_empty_file_is_a_configuration() {
    assert!(config("# nothing yet\n").environments.is_empty());
    let text = "
        environments:
        rules:
    ";
    assert!(config(text).environments.is_empty());
}

#[test]
fn the_schema_has_the_settings_that_there_are() {
    let schema = schema();
    let keys = |properties: &Value| -> Vec<String> {
        properties.as_object().expect("properties").keys().cloned().collect()
    };
    let top = &schema["properties"];
    let environment = &top["environments"]["additionalProperties"]["properties"];
    assert_eq!(keys(top), ["environments", "rules", "overrides", "exclude", "pedantic"]);
    let settings = keys(environment).join(": [1], ");
    // Each is known, and none of them is a list of numbers.
    let errors = errors(&format!("environments: {{prod: {{{settings}: [1]}}}}"));
    assert_eq!(errors.lines().count(), 8, "{errors}");
    assert!(errors.lines().all(|it| it.contains("expected")), "{errors}");
    let override_of = &top["overrides"]["items"];
    assert_eq!(keys(&override_of["properties"]), ["files", "rules"]);
    for rules in [&environment["rules"], &override_of["properties"]["rules"], &top["rules"]] {
        assert_eq!(rules["allOf"][0]["$ref"], "#/definitions/rules");
    }
}

/// Editors that know only draft 7 know it too; a reference there has nothing beside it.
#[test]
fn the_schema_is_one_of_draft_7_that_describes_everything() {
    fn all<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
        found.push(value);
        let entries = value.as_object().into_iter().flat_map(|it| it.values());
        entries.chain(value.as_array().into_iter().flatten()).for_each(|it| all(it, found));
    }
    let schema = schema();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    let id = concat!(env!("CARGO_PKG_REPOSITORY"), "/raw/main/schema/config.schema.json");
    assert_eq!(schema["$id"], id);
    let mut found = Vec::new();
    all(&schema, &mut found);
    for it in found {
        let keys = || it.as_object().into_iter().flat_map(|it| it.keys());
        assert!(it.get("$ref").is_none_or(|it| !it.is_string()) || keys().count() == 1, "{it}");
        assert!(keys().all(|it| it != "$defs"), "{it}");
        let properties = it["properties"].as_object().into_iter().flatten();
        for (name, property) in properties {
            assert!(property["description"].is_string(), "`{name}` is not described");
        }
    }
}

/// `UPDATE=1` writes them.
#[test]
fn the_schema_has_the_rules_that_there_are() {
    let severity = json!([{"$ref": "#/definitions/severity"}]);
    let rules = rules::RULES.iter().flat_map(|rule| {
        let said = format!("{}. By itself: {}.", rule.title, rule.severity.id());
        let former = rule.aliases.iter().map(|it| (&**it, format!("Now called `{}`.", rule.id)));
        std::iter::once((rule.id, said)).chain(former)
    });
    let rules: serde_json::Map<String, Value> = rules
        .map(|(id, said)| (id.to_owned(), json!({"description": said, "allOf": severity})))
        .collect();
    let mut schema = schema();
    let written = &mut schema["definitions"]["rules"]["properties"];
    if *written == Value::Object(rules.clone()) {
        return;
    }
    assert!(std::env::var_os("UPDATE").is_some(), "the rules changed; `UPDATE=1` writes them");
    *written = rules.into();
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/config.schema.json");
    std::fs::write(path, text).unwrap();
}

fn schema() -> Value {
    serde_json::from_str(include_str!("../../schema/config.schema.json")).expect("JSON")
}

#[test]
fn what_is_wrong_is_said_where_it_is() {
    assert_snapshot!(errors("enviroments: {}"), @"1:1 there is no setting `enviroments` here; write `environments`");
    assert_snapshot!(errors("
        environments:
          prod:
            node: 3
            colour: red
    "), @"
    3:5 there is no setting `node` here; write `nodes`
    4:5 there is no setting `colour` here; use `match`, `entry`, `kubelets`, `nodes`, `pods-per-node`, `kubernetes`, `local` or `rules`
    ");
    assert_snapshot!(errors("environments: {a: {nodes: many, kubernetes: new, local: 1, entry: nowhere}}"), @"
    1:27 expected a whole number above 0, found `many`; -
    1:45 expected a version of Kubernetes such as `1.31`, found `new`; -
    1:57 expected `true` or `false`, found `1`; -
    1:67 there is no directory `nowhere`; -
    ");
    assert_snapshot!(errors("environments: {a: {nodes: \"3\", local: 'true'}}"), @"
    1:27 expected a whole number above 0, found `3` in quotes, which is a text; write it without quotes
    1:39 expected `true` or `false`, found `true` in quotes, which is a text; write it without quotes
    ");
    assert_snapshot!(errors("rules: {kubelet-insecure-tsl: note, kubelet-insecure-tls: fatal}"), @"
    1:9 there is no rule `kubelet-insecure-tsl`; write `kubelet-insecure-tls`
    1:59 expected `error`, `warning`, `note` or `off`, found `fatal`; -
    ");
    assert_snapshot!(errors("rules: {kubelet-insecure-tls: warn, memory-limit-too-low: Error}"), @"
    1:31 expected `error`, `warning`, `note` or `off`, found `warn`; write `warning`
    1:59 expected `error`, `warning`, `note` or `off`, found `Error`; write `error`
    ");
    assert_snapshot!(errors("environments: {prod: {rules: {memory-limit-to-low: info}}}"), @"1:31 there is no rule `memory-limit-to-low`; write `memory-limit-too-low`");
    assert_snapshot!(errors("
        overrides:
        - files: [a]
          rule: {}
        - a
        - files: '[a'
          rules: [kubelet-insecure-tls]
    "), @"
    3:3 there is no setting `rule` here; write `rules`
    2:3 `rules` is missing here; -
    4:3 expected a mapping with the keys `files` or `rules`, found `a`; -
    5:10 `[a` is not a pattern; -
    6:10 expected a mapping from rules to severities, found a list; -
    ");
    assert_snapshot!(errors("overrides: {files: a, rules: {}}"), @"1:12 expected a list of mappings with `files` and `rules`, found a mapping; -");
    assert_snapshot!(errors("- a"), @"1:1 expected a mapping with the keys `environments`, `rules`, `overrides`, `exclude` or `pedantic`, found a list; -");
    assert_snapshot!(errors("exclude: '[a'"), @"1:10 `[a` is not a pattern; -");
    assert_snapshot!(errors("
        exclude: a
        exclude: b
    "), @"2:1 `exclude` is set before; -");
    assert_snapshot!(errors("environments: ["), @"1:15 `[` is never closed; -");
    assert_snapshot!(errors("environments: {a: {entry: ../b}}"), @"1:27 `../b` leads out of the repository; -");
}

#[test]
fn a_configuration_without_end_is_not_read() {
    let many = |count: usize, entry: &dyn Fn(usize) -> String| -> String {
        (0..count).map(entry).collect::<Vec<_>>().join("\n")
    };
    let environments = |count| {
        errors(&format!("environments:\n{}", many(count, &|it| format!("  e{it}: {{nodes: 1}}"))))
    };
    assert_snapshot!(environments(2_100), @"2002:3 only the first 2000 environments are read; -");
    let overrides = many(2_100, &|it| format!("- {{files: f{it}, rules: {{}}}}"));
    assert_snapshot!(errors(&format!("overrides:\n{overrides}")), @"2002:3 only the first 2000 overrides are read; -");
    let patterns = many(400, &|it| format!("- '{}{it}'", "*a".repeat(50)));
    assert_snapshot!(errors(&format!("exclude:\n{patterns}")), @"202:3 only the first 10000 wildcards are read; -");
}

#[test]
fn a_rule_may_be_called_what_it_was_called() {
    let level = |rule: &str| Level { rule: rule.into(), severity: Some(Severity::Note) };
    assert_eq!(config("rules: {memory-too-low: note}").rules, [level("memory-limit-too-low")]);
}

/// Values files of commands are entry paths, each of the environment that it is read for.
#[test]
fn what_is_said_of_a_values_file_is_of_the_environment_that_reads_it() {
    let helm =
        "helm upgrade -i metrics-server ms/metrics-server --version 3.12.2 -n kube-system -f";
    let script = format!(
        "//- up.sh\n{helm} v/dev.yaml --kube-context a\n{helm} v/prod.yaml --kube-context b\n"
    );
    let job = "parallel: {matrix: [{C: [dev, prod]}]}\n  environment: $C\n  script:";
    let pipeline =
        format!("//- .gitlab-ci.yml\nup:\n  {job}\n  - {helm} v/$CI_ENVIRONMENT_NAME.yaml\n");
    let nodes = |commands: &str| {
        let sources = fixture(&format!(
            "
//- .metrics-server-lint.yaml
environments: {{of-prod: {{match: v/prod.yaml, nodes: 9}}, of-dev: {{match: v/dev.yaml, nodes: 5}}}}
//- v/dev.yaml
replicas: 1
//- v/prod.yaml
replicas: 2
{commands}"
        ));
        let (environments, clusters) = analyze(&sources, &config_in(&sources));
        let told = environments.iter().zip(&clusters).map(|(environment, cluster)| {
            let nodes = cluster.nodes.value().map_or_else(String::new, ToString::to_string);
            format!("{} {nodes}", environment.name)
        });
        told.collect::<Vec<_>>()
    };
    assert_eq!(nodes(&script), ["up.sh (a) 5", "up.sh (b) 9"]);
    assert_eq!(nodes(&pipeline), [".gitlab-ci.yml (dev) 5", ".gitlab-ci.yml (prod) 9"]);
}

/// Directories do not always tell whose kubelets are set up in them.
#[test]
fn kubelets_are_those_of_the_environments_that_say_so() {
    let states = |environments: &str| {
        let sources = fixture(
            &"
            //- .metrics-server-lint.yaml
            environments: ENVIRONMENTS
            //- clusters/prod-eu/kustomization.yaml
            resources: [../../apps]
            //- clusters/prod-us/kustomization.yaml
            resources: [../../apps]
            //- clusters/lab/kustomization.yaml
            resources: [../../apps]
            //- apps/kustomization.yaml
            helmCharts: [{name: metrics-server, repo: https://kubernetes-sigs.github.io/metrics-server/}]
            //- talos/kubelet.yaml
            machine: {kubelet: {extraArgs: {rotate-server-certificates: true}}}
            "
            .replace("ENVIRONMENTS", environments),
        );
        let config = config_in(&sources);
        let (environments, clusters) = analyze(&sources, &config);
        let mut said = String::new();
        for (environment, cluster) in environments.iter().zip(&clusters) {
            said += &format!("{}: {}\n", environment.name, cluster.serving.state.id());
        }
        for finding in unmatched(&sources, &config, &environments) {
            said += &format!("{}\n", finding.message);
        }
        said
    };
    assert_snapshot!(states("{}"), @r"
    clusters/lab: unknown
    clusters/prod-eu: unknown
    clusters/prod-us: unknown
    default: bootstrapped-without-approver
    ");
    assert_snapshot!(states("{prod: {match: 'clusters/prod-*', kubelets: talos}}"), @r"
    clusters/lab: unknown
    clusters/prod-eu: bootstrapped-without-approver
    clusters/prod-us: bootstrapped-without-approver
    ");
    let two = "{lab: {kubelets: talos/kubelet.yaml}, prod-eu: {kubelets: [talos/*, kubeadm]}}";
    assert_snapshot!(states(two), @r"
    clusters/lab: bootstrapped-without-approver
    clusters/prod-eu: bootstrapped-without-approver
    clusters/prod-us: unknown
    `kubeadm` matches no file of the repository
    ");
    // Nobody's are those of who is not there.
    assert_snapshot!(states("{gone: {kubelets: talos}}"), @r"
    clusters/lab: unknown
    clusters/prod-eu: unknown
    clusters/prod-us: unknown
    default: bootstrapped-without-approver
    no environment is called `gone`, so this counts nowhere
    ");
}
