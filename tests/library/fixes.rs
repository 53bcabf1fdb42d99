//! What a fix does to the files, and when there is none.

use std::fs;

use insta::assert_snapshot;

use super::fixture;
use crate::{
    config::Config,
    discover,
    finding::{Applicability, Finding},
    fix, pipeline, run,
    settle::{self, Scope},
    source::Sources,
};

/// What is found, with the fixes of what can be mended.
fn found(sources: &Sources) -> Vec<Finding> {
    let config = Config::default();
    let (environments, clusters) = pipeline::analyze(sources, &config);
    let found = pipeline::found(sources, &clusters);
    let scope = Scope::all();
    let mut findings = settle::settle(sources, &config, &environments, found, &scope).findings;
    fix::Prover::new(sources, &config, &environments, &clusters)
        .offer(&mut findings, fix::MOST_MADE);
    findings
}

/// The lines that change when everything that can be mended is: `-` and `+`, with the files, rules and
/// whether a person has to look.
fn mended(text: &str) -> String {
    let sources = fixture(text);
    let (config, mut out) = (Config::default(), String::new());
    let (environments, clusters) = pipeline::analyze(&sources, &config);
    let findings = found(&sources);
    for it in findings.iter().filter(|it| it.fix.is_some()) {
        let applicability = it.fix.as_ref().map(|it| it.applicability);
        let unsafely = applicability == Some(Applicability::Unsafe);
        out += &format!("{}{}\n", it.rule, if unsafely { " (unsafe)" } else { "" });
    }
    let judged = fix::Prover::new(&sources, &config, &environments, &clusters);
    let (edits, _) = judged.edits(&findings, |_, _| true);
    let now = discover::edited(&sources, fix::texts(&sources, &edits));
    for (file, it) in sources.iter() {
        let diff = similar::TextDiff::from_lines(sources.text(file), now.text(file));
        let changes = diff.iter_all_changes().filter(|it| it.tag() != similar::ChangeTag::Equal);
        for change in changes {
            let line =
                change.value().escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'");
            out += &format!("{} {} {}\n", it.path, change.tag(), line);
        }
    }
    out
}

/// A Deployment with these arguments, and lines of its container.
fn deployment(args: &str, more: &str) -> String {
    let args = args.trim_matches('\n');
    format!(
        "//- metrics-server.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: metrics-server
  namespace: kube-system
spec:
  selector:
    matchLabels:
      k8s-app: metrics-server
  template:
    metadata:
      labels:
        k8s-app: metrics-server
    spec:
      priorityClassName: system-cluster-critical
      containers:
      - name: metrics-server
        image: registry.k8s.io/metrics-server/metrics-server:v0.7.2
{args}
{more}"
    )
}

#[test]
fn a_value_keeps_its_quotes_and_its_comment() {
    let lists = [
        "        args:\n        - --cert-dir=/tmp\n        - --metric-resolution=5s # often",
        "        args: [--cert-dir=/tmp, '--metric-resolution=5s'] # often",
        "        args: [\"--cert-dir=/tmp\", \"--metric-resolution=5s\"]\r",
        "        args:\n        - --cert-dir=/tmp\n        - >-\n          --metric-resolution=5s",
        "        args:\n        - --cert-dir=/tmp\n        - --metric-resolution\n        - 5s",
    ];
    assert_snapshot!(lists.map(|it| mended(&deployment(it, ""))).join("\n"), @r#"
    metric-resolution-too-small
    metrics-server.yaml -         - --metric-resolution=5s # often\n
    metrics-server.yaml +         - --metric-resolution=15s # often\n

    metric-resolution-too-small
    metrics-server.yaml -         args: [--cert-dir=/tmp, '--metric-resolution=5s'] # often\n
    metrics-server.yaml +         args: [--cert-dir=/tmp, '--metric-resolution=15s'] # often\n

    metric-resolution-too-small
    metrics-server.yaml -         args: ["--cert-dir=/tmp", "--metric-resolution=5s"]\r\n
    metrics-server.yaml +         args: ["--cert-dir=/tmp", "--metric-resolution=15s"]\r\n

    metric-resolution-too-small
    metrics-server.yaml -           --metric-resolution=5s\n
    metrics-server.yaml +           --metric-resolution=15s\n

    metric-resolution-too-small
    metrics-server.yaml -         - 5s\n
    metrics-server.yaml +         - 15s\n
    "#);
}

#[test]
fn an_item_goes_with_its_comment_and_no_other() {
    let lists = [
        "        args:\n        # first\n        - --cert-dir=/tmp # a\n        # old\n        - --logtostderr # b\n        # last\n        - --v=2",
        "        args: [--cert-dir=/tmp, --logtostderr, --v=2] # c",
        "        args: [--cert-dir=/tmp, --logtostderr]",
        "        args: [--logtostderr, --cert-dir=/tmp]",
        "        args:\n        - --cert-dir=/tmp\n        - --logtostderr",
    ];
    assert_snapshot!(lists.map(|it| mended(&deployment(it, ""))).join("\n"), @r#"
    unknown-flag
    metrics-server.yaml -         - --logtostderr # b\n

    unknown-flag
    metrics-server.yaml -         args: [--cert-dir=/tmp, --logtostderr, --v=2] # c\n
    metrics-server.yaml +         args: [--cert-dir=/tmp, --v=2] # c\n

    unknown-flag
    metrics-server.yaml -         args: [--cert-dir=/tmp, --logtostderr]\n
    metrics-server.yaml +         args: [--cert-dir=/tmp]\n

    unknown-flag
    metrics-server.yaml -         args: [--logtostderr, --cert-dir=/tmp]\n
    metrics-server.yaml +         args: [--cert-dir=/tmp]\n

    unknown-flag
    metrics-server.yaml -         - --logtostderr\n
    "#);
}

/// In brackets over several lines, and in a list that goes as a whole, it cannot be told whose a comment
/// is; without comments it goes as everywhere.
#[test]
fn what_is_said_in_a_list_stays() {
    let removed = |args: &str| mended(&deployment(args, ""));
    for said in [
        "        args: [\n          --cert-dir=/tmp, # a\n          # old\n          --logtostderr # b\n        ]",
        "        args: [\n          --cert-dir=/tmp,\n          --logtostderr # b\n        ]",
        "        args: [ --logtostderr,\n          # a\n          --cert-dir=/tmp,\n        ]",
        "        args: [\n          # keep\n          --logtostderr # why\n          # - --v=2\n        ]",
        "        args: [\n          # about it\n          --logtostderr,\n          --v=2\n        ]",
        "        args:\n        # - --v=2\n        - --logtostderr",
        "        args: # why\n        # - --v=2\n        - --logtostderr # b",
    ] {
        assert_eq!(removed(said), "", "{said}");
    }
    for (free, left) in [
        ("        args: [\n          --cert-dir=/tmp,\n          --logtostderr\n        ]", 4),
        ("        args: # why\n        - --logtostderr # b", 3),
        ("        # before\n        args:\n        - --logtostderr\n        # after", 3),
    ] {
        let removed = removed(free);
        assert_eq!(removed.lines().count(), left, "{removed}");
    }
}

/// What an insertion stands in the way of may be read as something else: the empty lines of a text
/// that keeps them.
#[test]
fn what_stands_beside_an_insertion_is_read_as_before() {
    let text = deployment(
        "        args: [--cert-dir=/tmp]",
        "        env:\n        - name: A\n          value: |+\n            x\n\n\n---\n# y\n",
    );
    let text = text.replace("      priorityClassName: system-cluster-critical\n", "");
    assert_eq!(mended(&text), "");
    let other = text.replace("|+", "|");
    assert_eq!(
        mended(&other),
        "priority-class-not-critical\n\
         metrics-server.yaml +       priorityClassName: system-cluster-critical\\n\n"
    );
}

/// The owner of a file stays, and a file with several names is one.
#[test]
#[cfg(unix)]
fn what_cannot_be_written_back_is_left_alone() {
    use std::os::unix::fs::MetadataExt as _;
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().canonicalize().expect("it is there");
    let (file, other) = (root.join("a.yaml"), root.join("b.yaml"));
    fs::write(&file, "a: 1\n").expect("written");
    fs::hard_link(&file, &other).expect("linked");
    let why = run::fix::replace(&root, &file, "a: 1\n", "a: 2\n").expect_err("it has two names");
    assert_eq!(why, "is left alone: it has other names, which would keep what it was");
    fs::remove_file(&other).expect("removed");
    let owner = |file| fs::metadata(file).map(|it| (it.uid(), it.gid())).expect("it is there");
    // Only an administrator gives files away.
    let given = std::os::unix::fs::chown(&file, Some(1000), Some(1000)).is_ok();
    let was = owner(&file);
    run::fix::replace(&root, &file, "a: 1\n", "a: 2\n").expect("it has one name");
    assert_eq!(owner(&file), was);
    assert!(!given || was == (1000, 1000));
}

#[test]
fn what_others_share_is_left_alone() {
    let anchored = "        args: &args\n        - --cert-dir=/tmp\n        - --metric-resolution=5s\n        env:\n        - name: A\n          value: b\n        command: *args\n";
    assert_snapshot!(mended(&deployment(anchored, "")), @"");
}

#[test]
fn a_tag_gets_the_v_that_all_have() {
    let text = deployment("        args: [--cert-dir=/tmp]", "").replace("server:v0", "server:0");
    let unknown = text.replace("0.7.2", "0.7.99");
    assert_snapshot!([text, unknown].map(|it| mended(&it)).join("\n"), @r"
    image-does-not-exist
    metrics-server.yaml -         image: registry.k8s.io/metrics-server/metrics-server:0.7.2\n
    metrics-server.yaml +         image: registry.k8s.io/metrics-server/metrics-server:v0.7.2\n
    ");
}

#[test]
fn what_means_a_flag_gets_its_dashes() {
    let lists = [
        "        args: [--cert-dir=/tmp, metric-resolution=15s]",
        "        args:\n        - --cert-dir=/tmp\n        - '-metric-resolution=15s' # one",
        "        args: [--cert-dir=/tmp, kubelet-insecure-tls, tmp]",
    ];
    assert_snapshot!(lists.map(|it| mended(&deployment(it, ""))).join("\n"), @r"
    argument-is-not-a-flag
    metrics-server.yaml -         args: [--cert-dir=/tmp, metric-resolution=15s]\n
    metrics-server.yaml +         args: [--cert-dir=/tmp, --metric-resolution=15s]\n

    argument-is-not-a-flag
    metrics-server.yaml -         - '-metric-resolution=15s' # one\n
    metrics-server.yaml +         - '--metric-resolution=15s' # one\n
    ");
}

#[test]
fn a_duration_gets_its_unit() {
    let lists = [
        "        args: [--cert-dir=/tmp, --metric-resolution=15]",
        "        args:\n        - --cert-dir=/tmp\n        - --metric-resolution\n        - \"20\" # seconds",
        "        args: [--cert-dir=/tmp, --metric-resolution=fast]",
        "        args: [--cert-dir=/tmp, --metric-resolution=15000]",
    ];
    assert_snapshot!(lists.map(|it| mended(&deployment(it, ""))).join("\n"), @r#"
    invalid-flag-value
    metrics-server.yaml -         args: [--cert-dir=/tmp, --metric-resolution=15]\n
    metrics-server.yaml +         args: [--cert-dir=/tmp, --metric-resolution=15s]\n

    invalid-flag-value
    metrics-server.yaml -         - "20" # seconds\n
    metrics-server.yaml +         - "20s" # seconds\n
    "#);
}

/// One of two keys would count for nothing, so the second one waits for a person.
#[test]
fn no_key_stands_twice() {
    let values =
        |text: &str| mended(&format!("//- metrics-server/values.yaml\nargs: [--v=2]\n{text}"));
    let all = [
        "deploymentStrategy: {rollingUpdate: {maxUnavailable: 0}}\nupdateStrategy: {}\n",
        "deploymentStrategy: {rollingUpdate: {maxUnavailable: 0}}\nstrategy: {rollingUpdate: {maxUnavailable: 0}}\n",
    ];
    assert_snapshot!(all.map(values).join("\n"), @r"
    unknown-values-key (unsafe)
    unknown-values-key (unsafe)
    metrics-server/values.yaml - deploymentStrategy: {rollingUpdate: {maxUnavailable: 0}}\n
    metrics-server/values.yaml + updateStrategy: {rollingUpdate: {maxUnavailable: 0}}\n
    ");
}

/// A Deployment whose spec begins with `text`, in a file that goes on with `rest`.
fn of_spec(text: &str, rest: &str) -> String {
    let whole = deployment("        args: [--cert-dir=/tmp]", "");
    whole.replacen("spec:\n", &format!("spec:\n{text}\n"), 1) + rest
}

#[test]
fn a_value_of_another_type_has_no_quotes() {
    let specs = [
        "  strategy: {rollingUpdate: {maxUnavailable: \"100%\"}} # all",
        "  strategy:\n    rollingUpdate:\n      maxUnavailable: '100%' # all\n      maxSurge: 0",
        "  replicas: \"1\" # one",
    ];
    assert_snapshot!(specs.map(|it| mended(&of_spec(it, ""))).join("\n"), @r#"
    rollout-may-interrupt-metrics (unsafe)
    metrics-server.yaml -   strategy: {rollingUpdate: {maxUnavailable: "100%"}} # all\n
    metrics-server.yaml +   strategy: {rollingUpdate: {maxUnavailable: 0}} # all\n

    rollout-may-interrupt-metrics (unsafe)
    metrics-server.yaml -       maxUnavailable: '100%' # all\n
    metrics-server.yaml -       maxSurge: 0\n
    metrics-server.yaml +       maxUnavailable: 0 # all\n
    metrics-server.yaml +       maxSurge: 1\n

    wrong-value-type
    metrics-server.yaml -   replicas: "1" # one\n
    metrics-server.yaml +   replicas: 1 # one\n
    "#);
}

#[test]
fn an_entry_becomes_another_one() {
    let budget = |text: &str| {
        let labels = "selector: {matchLabels: {k8s-app: metrics-server}}";
        let metadata = "metadata: {name: metrics-server, namespace: kube-system}";
        format!("---\napiVersion: policy/v1\nkind: PodDisruptionBudget\n{metadata}\n{text}\n")
            .replace("LABELS", labels)
    };
    let budgets = [
        "spec:\n  # at least\n  minAvailable: 1 # one\n  LABELS",
        "spec: {\"minAvailable\": \"100%\", LABELS}",
        "spec:\n  minAvailable:\n    1\n  LABELS",
    ];
    let all = budgets.map(|it| mended(&of_spec("  replicas: 1", &budget(it))));
    assert_snapshot!(all.join("\n"), @r#"
    pdb-blocks-drains (unsafe)
    metrics-server.yaml -   minAvailable: 1 # one\n
    metrics-server.yaml +   maxUnavailable: 1 # one\n

    pdb-blocks-drains (unsafe)
    metrics-server.yaml - spec: {"minAvailable": "100%", selector: {matchLabels: {k8s-app: metrics-server}}}\n
    metrics-server.yaml + spec: {maxUnavailable: 1, selector: {matchLabels: {k8s-app: metrics-server}}}\n
    "#);
}

/// What is offered for one finding holds when that alone is made: the dash alone would make two flags
/// that differ; with the other's unit they are the same.
#[test]
fn what_holds_only_with_others_is_not_offered() {
    let list = "args: [--cert-dir=/tmp, -metric-resolution=20s, --metric-resolution=20]";
    assert_snapshot!(mended(&deployment(&format!("        {list}"), "")), @r"
    invalid-flag-value
    metrics-server.yaml -         args: [--cert-dir=/tmp, -metric-resolution=20s, --metric-resolution=20]\n
    metrics-server.yaml +         args: [--cert-dir=/tmp, --metric-resolution=20s, --metric-resolution=20s]\n
    ");
}

/// One that does not hold takes away none of another environment, which is proved along with it.
#[test]
fn what_does_not_hold_says_nothing_of_other_environments() {
    let of = |cluster: &str, args: &str| {
        let list = format!("        args: [--cert-dir=/tmp, {args}]");
        deployment(&list, "").replace("//- ", &format!("//- clusters/{cluster}/"))
    };
    let files = of("a", "-metric-resolution=20s, --metric-resolution=20")
        + &of("b", "-metric-resolution=20s")
        + &of("c", "-metric-resolution=20s");
    let found = found(&fixture(&files));
    let said: Vec<String> = found
        .iter()
        .filter(|it| it.proposal.is_some())
        .flat_map(|it| it.environments.iter().map(move |name| (it, name)))
        .map(|(it, name)| format!("{name} {} {}", it.rule, it.fix.is_some()))
        .collect();
    assert_snapshot!(said.join("\n"), @"
    clusters/a argument-is-not-a-flag false
    clusters/a invalid-flag-value true
    clusters/b argument-is-not-a-flag true
    clusters/c argument-is-not-a-flag true
    ");
}

/// A list in brackets has its items where they stand, unless one of them is an alias.
#[test]
fn what_stands_beside_an_alias_stays() {
    let lists = [
        "        command: [&dir --cert-dir=/tmp]\n        args: [--logtostderr, *dir]",
        "        command: [&dir --cert-dir=/tmp]\n        args: [*dir, --logtostderr]",
        "        command:\n        - &dir --cert-dir=/tmp\n        args:\n        - --logtostderr # a\n        - *dir",
    ];
    assert_snapshot!(lists.map(|it| mended(&deployment(it, ""))).join("\n"), @r"


    unknown-flag
    metrics-server.yaml -         - --logtostderr # a\n
    ");
}

/// A comment to us makes a file one that we look into, so what it does without it is another question.
#[test]
fn a_file_is_judged_as_the_next_run_does() {
    let text = "# metrics-server-lint: ignore[unknown-flag]\na: 1\n";
    let sources = Sources::in_memory([("a.yaml", text)]);
    let file = sources.find("a.yaml").unwrap();
    let edited = discover::edited(&sources, [(file, "a: 1\n".to_owned())]);
    let fresh = Sources::in_memory([("a.yaml", "a: 1\n")]);
    assert_ne!(sources[file].relevance, fresh[file].relevance);
    assert_eq!(edited[file].relevance, fresh[file].relevance);
}

/// The only item goes with its key, which would be null; one in a patch would let the base's list count.
#[test]
fn the_last_item_goes_with_its_list() {
    let lists = [
        "        args:\n        - --logtostderr # all\n        env: []",
        "        args: [--logtostderr]\n        env: []",
    ];
    let base = deployment("        args: [--cert-dir=/tmp, --v=4]", "");
    let base = base.replace("//- metrics", "//- base/metrics");
    let patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: metrics-server, namespace: kube-system}\nspec: {template: {spec: {containers: [{name: metrics-server, args: [--logtostderr]}]}}}";
    let overlay = format!(
        "{base}//- base/kustomization.yaml\nresources: [metrics-server.yaml]\n//- a/kustomization.yaml\nresources: [../base]\npatches: [{{path: patch.yaml}}]\n//- a/patch.yaml\n{patch}\n"
    );
    assert_snapshot!(mended(&overlay), @"");
    assert_snapshot!(lists.map(|it| mended(&deployment(it, ""))).join("\n"), @r"
    unknown-flag
    metrics-server.yaml -         args:\n
    metrics-server.yaml -         - --logtostderr # all\n

    unknown-flag
    metrics-server.yaml -         args: [--logtostderr]\n
    ");
}

/// A patch at an index of a list is about another item when one before it goes.
#[test]
fn an_index_is_not_shifted() {
    let overlay = |at: usize| {
        let patch = format!(
            "[{{op: replace, path: /spec/template/spec/containers/0/args/{at}, value: --v=4}}]"
        );
        let base = deployment("        args: [--cert-dir=/tmp, --logtostderr, --v=2]", "");
        let base = base.replace("//- metrics-server.yaml", "//- base/metrics-server.yaml");
        format!(
            "{base}//- base/kustomization.yaml\nresources: [metrics-server.yaml]\n//- a/kustomization.yaml\nresources: [../base]\npatches:\n- target: {{kind: Deployment}}\n  patch: '{patch}'\n"
        )
    };
    assert_snapshot!([0, 2].map(|it| mended(&overlay(it))).join("\n"), @"");
}

/// Lines of their own above an item stay, be they to us or not.
#[test]
fn a_comment_above_an_item_stays() {
    let lists = [
        "        args:\n        - --cert-dir=/tmp\n        # as once\n        - --logtostderr\n        - --v=2",
        "        args:\n        - --cert-dir=/tmp\n        # metrics-server-lint: ignore[unknown-flag]\n        - --logtostderr",
        "        args:\n        - --cert-dir=/tmp # metrics-server-lint: ignore[unknown-flag]\n        - --logtostderr",
    ];
    assert_snapshot!(lists.map(|it| mended(&deployment(it, ""))).join("\n"), @r"
    unknown-flag
    metrics-server.yaml -         - --logtostderr\n


    unknown-flag
    unused-suppression
    metrics-server.yaml -         - --cert-dir=/tmp # metrics-server-lint: ignore[unknown-flag]\n
    metrics-server.yaml -         - --logtostderr\n
    metrics-server.yaml +         - --cert-dir=/tmp\n
    ");
}

/// What an anchor, an alias or a merge key brings elsewhere is no edit's matter.
#[test]
fn anchors_aliases_and_merges_are_left_alone() {
    let lists = [
        "        args:\n        - --cert-dir=/tmp\n        - &often --metric-resolution=5s\n        command: [/metrics-server, *often]",
        "        env: [{name: A, value: &often --metric-resolution=5s}]\n        args: [--cert-dir=/tmp, *often]",
        "        <<: {args: [--cert-dir=/tmp, --metric-resolution=5s]}",
    ];
    let merged = deployment("        args: [--cert-dir=/tmp]", "");
    let merged = merged.replace(
        "    spec:\n      priorityClassName: system-cluster-critical",
        "    spec:\n      <<: &pod\n        priorityClassName: ''",
    );
    let all = lists.map(|it| mended(&deployment(it, ""))).join("\n") + "\n" + &mended(&merged);
    assert_snapshot!(all, @r"
    metric-resolution-too-small
    metrics-server.yaml -         <<: {args: [--cert-dir=/tmp, --metric-resolution=5s]}\n
    metrics-server.yaml +         <<: {args: [--cert-dir=/tmp, --metric-resolution=15s]}\n
    ");
}

/// Where a variable is defined, that is what is edited; its default only where it is not.
#[test]
fn a_default_is_edited_where_it_counts() {
    let args = "        args: [--cert-dir=/tmp, '--metric-resolution=${RESOLUTION:-5s}']";
    let base = deployment(args, "").replace("//- metrics", "//- apps/metrics");
    let flux = |define: &str| {
        format!(
            "{base}//- clusters/a/sync.yaml\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: apps, namespace: flux-system}}\nspec:\n  path: ./apps\n  sourceRef: {{kind: GitRepository, name: flux-system}}\n  postBuild: {{substitute: {{{define}}}}}\n"
        )
    };
    let all = ["OTHER: a", "RESOLUTION: 5s"].map(|it| mended(&flux(it)));
    assert_snapshot!(all.join("\n"), @r"
    metric-resolution-too-small
    apps/metrics-server.yaml -         args: [--cert-dir=/tmp, '--metric-resolution=${RESOLUTION:-5s}']\n
    apps/metrics-server.yaml +         args: [--cert-dir=/tmp, '--metric-resolution=${RESOLUTION:-15s}']\n

    metric-resolution-too-small
    clusters/a/sync.yaml -   postBuild: {substitute: {RESOLUTION: 5s}}\n
    clusters/a/sync.yaml +   postBuild: {substitute: {RESOLUTION: 15s}}\n
    ");
}

/// What is in a text is edited there, and keeps the text's indentation; what is encrypted, or a copy of
/// what others write, is never edited.
#[test]
fn texts_secrets_and_copies() {
    let release = |kind: &str, key: &str, text: &str, more: &str| {
        format!(
            "//- release.yaml\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: metrics-server, namespace: kube-system}}\nspec:\n  chart: {{spec: {{chart: metrics-server, version: 3.12.2, sourceRef: {{kind: HelmRepository, name: metrics-server}}}}}}\n  valuesFrom: [{{kind: {kind}, name: values}}]\n---\napiVersion: v1\nkind: {kind}\nmetadata: {{name: values, namespace: kube-system}}\n{key}:\n  values.yaml: |\n{text}{more}"
        )
    };
    let text = "    args:\n      - --metric-resolution=5s # often\n";
    let sops = "sops: {mac: 'ENC[AES256_GCM,data:x]', version: 3.8.1}\n";
    let server = deployment("        args: [--cert-dir=/tmp, --metric-resolution=5s]", "");
    let kustomization = "//- kustomization.yaml\nresources: [vendor/metrics-server.yaml]\n";
    let vendored = server.replace("//- metrics", "//- vendor/metrics") + kustomization;
    let all = [
        release("ConfigMap", "data", text, ""),
        release("Secret", "stringData", text, sops),
        release("SealedSecret", "encryptedData", text, ""),
        vendored,
    ];
    assert_snapshot!(all.map(|it| mended(&it)).join("\n"), @r"
    metric-resolution-too-small
    release.yaml -       - --metric-resolution=5s # often\n
    release.yaml +       - --metric-resolution=15s # often\n
    ");
}

/// Several edits of one file are made together; of two that are about the same bytes, one after the
/// other.
#[test]
fn edits_of_one_file_do_not_disturb_each_other() {
    let lists = [
        "        args:\n        - --metric-resolution=5s\n        - --logtostderr\n        - --cert-dir=/tmp",
        "        args: [--cert-dir=/tmp, --logtostderr, --alsologtostderr]",
    ];
    assert_snapshot!(lists.map(|it| mended(&deployment(it, ""))).join("\n"), @r"
    metric-resolution-too-small
    unknown-flag
    metrics-server.yaml -         - --metric-resolution=5s\n
    metrics-server.yaml -         - --logtostderr\n
    metrics-server.yaml +         - --metric-resolution=15s\n

    unknown-flag
    unknown-flag
    metrics-server.yaml -         args: [--cert-dir=/tmp, --logtostderr, --alsologtostderr]\n
    metrics-server.yaml +         args: [--cert-dir=/tmp, --alsologtostderr]\n
    ");
}

/// Each fix is proved by itself, which takes its time: of many findings some are not tried, and it is said
/// of how many.
#[test]
fn not_everything_is_tried_where_there_is_too_much() {
    let all: String = (0..66)
        .map(|it| {
            deployment("        args: [--metric-resolution=5s]", "---\n").replace(
                "name: metrics-server\n  namespace: kube-system",
                &format!("name: metrics-server\n  namespace: of-{it}"),
            )
        })
        .map(|it| it.replace("//- metrics-server.yaml\n", ""))
        .collect();
    let sources = fixture(&format!("//- all.yaml\n{all}"));
    let (config, scope) = (Config::default(), Scope::all());
    let (environments, clusters) = pipeline::analyze(&sources, &config);
    let found = pipeline::found(&sources, &clusters);
    let mut findings = settle::settle(&sources, &config, &environments, found, &scope).findings;
    findings.retain(|it| it.rule == "metric-resolution-too-small");
    assert_eq!(findings.len(), 66);
    let prover = fix::Prover::new(&sources, &config, &environments, &clusters);
    let offered = |most, threads| {
        let mut findings = findings.clone();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let untried = pool.install(|| prover.offer(&mut findings, most));
        (untried, findings.iter().filter(|it| it.fix.is_some()).count())
    };
    assert_eq!(offered(fix::MOST_MADE, 1), (2, 64));
    // Each of these takes the whole repository, which may be made again once.
    assert_eq!(offered(1, 1), (65, 1));
    assert_eq!(offered(1, 4), (65, 1));
}

/// A file is written over only while it is what was read; nothing is left beside it.
#[test]
fn what_changed_meanwhile_is_left_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().canonicalize().expect("it is there");
    let file = root.join("a.yaml");
    fs::write(&file, "a: 2\n").expect("written");
    let why = run::fix::replace(&root, &file, "a: 1\n", "a: 3\n").expect_err("it changed");
    assert_eq!(why, "is left alone: it changed meanwhile");
    assert_eq!(fs::read_to_string(&file).expect("text"), "a: 2\n");
    run::fix::replace(&root, &file, "a: 2\n", "a: 3\n").expect("it is what was read");
    assert_eq!(fs::read_to_string(&file).expect("text"), "a: 3\n");
    assert_eq!(fs::read_dir(&root).expect("a directory").count(), 1);
    let why = run::fix::replace(&root.join("b"), &file, "a: 3\n", "").expect_err("it is elsewhere");
    assert_eq!(why, "is left alone: it lies outside of the repository");
}

/// What code says is put together by it: an edit is somebody's who reads it.
#[test]
fn code_is_not_edited() {
    let sources = fixture(
        r#"
        //- main.tf
        resource "helm_release" "metrics_server" {
          name       = "metrics-server"
          repository = "https://kubernetes-sigs.github.io/metrics-server/"
          chart      = "metrics-server"
          version    = "3.12.2"
          namespace  = "kube-system"
          set {
            name  = "args[0]"
            value = "--metric-resolution=5s"
          }
        }
        //- deploy/deploy.sh
        helm upgrade metrics-server metrics-server --namespace kube-system --version 3.12.2 \
          --repo https://kubernetes-sigs.github.io/metrics-server/ --set "args={--metric-resolution=5s}"
        "#,
    );
    let found = found(&sources);
    let resolution: Vec<_> =
        found.iter().filter(|it| it.rule == "metric-resolution-too-small").collect();
    assert_eq!(resolution.len(), 2);
    assert!(resolution.iter().all(|it| it.proposal.is_some() && it.fix.is_none()));
}
