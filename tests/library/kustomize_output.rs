//! What builds print, to the letter as `kubectl kustomize` 1.37.1 (kustomize 5.8.1) does.

use std::fs;

use insta::assert_snapshot;

use super::{fixture, with};
use crate::{
    discover, emit,
    problem::ProblemKind,
    resolve::kustomize::{BuildOptions, build},
};

/// The objects of a build, or why it is refused.
fn printed(files: &str) -> String {
    let sources = fixture(files);
    let build = with(&sources, |context| build(context, "", &BuildOptions::default()));
    let refused = build.problems.iter().map(|it| format!("refused: {}\n", it.message));
    let fails = build.problems.iter().any(|it| it.kind == ProblemKind::BuildFails);
    let objects = build.objects.iter().filter(|_| !fails);
    refused.chain(objects.map(emit::yaml)).collect::<Vec<_>>().join("---\n")
}

/// What a file holds that is no text goes elsewhere; what has NUL bytes is text.
#[test]
fn generators_put_bytes_that_are_no_text_into_binary_data() {
    let dir = tempfile::tempdir().unwrap();
    let generator = "[{name: a, options: {disableNameSuffixHash: true}, files: [key, nul, text]}]";
    let fields = format!("configMapGenerator: {generator}\nsecretGenerator: {generator}\n");
    let contents: [(&str, &[u8]); 4] = [
        ("kustomization.yaml", fields.as_bytes()),
        ("key", b"\xff\x00\x01"),
        ("nul", b"a\x00b"),
        ("text", b"c"),
    ];
    for (path, content) in contents {
        fs::write(dir.path().join(path), content).unwrap();
    }
    let sources = discover::open(dir.path(), &[], &[], &|| {}).unwrap();
    let build = with(&sources, |context| build(context, "", &BuildOptions::default()));
    let [map, secret] = &build.objects[..] else { panic!("two objects are made") };
    assert_eq!(map.at("binaryData").map(emit::yaml).as_deref(), Some("key: <unknown>\n"));
    assert_eq!(map.at("data").map(emit::yaml).as_deref(), Some("nul: <unknown>\ntext: c\n"));
    let data = secret.at("data").map(emit::yaml);
    assert_eq!(data.as_deref(), Some("key: <unknown>\nnul: <unknown>\ntext: Yw==\n"));
}

/// A build of `object` with the other `fields` of a kustomization.
fn one(fields: &str, object: &str) -> String {
    let files = "//- kustomization.yaml\n{resources: [o.yaml], FIELDS}\n//- o.yaml\nOBJECT\n";
    printed(&files.replace("FIELDS", fields).replace("OBJECT", object))
}

#[test]
fn annotations_become_strings_of_their_source() {
    let object = "{apiVersion: v1, kind: Secret, metadata: {name: a, annotations: {a: 0x10, b: 1.0,
        c: no, d: {x: y}}, labels: {e: 1.0}}}";
    assert_snapshot!(one("", object), @r#"
    apiVersion: v1
    kind: Secret
    metadata:
      annotations:
        a: "0x10"
        b: "1.0"
        c: "no"
        d: ""
      labels:
        e: 1
      name: a
    "#);
    // A JSON patch takes the object through JSON first.
    let patch =
        "patches: [{target: {kind: Secret}, patch: '[{op: remove, path: /metadata/labels}]'}]";
    let patch = patch.replace(
        "[{op: remove, path: /metadata/labels}]",
        "- {op: remove, path: /metadata/labels}",
    );
    assert_snapshot!(one(&patch, &object.replace("0x10", "1000000")), @r#"
    apiVersion: v1
    kind: Secret
    metadata:
      annotations:
        a: "1e+06"
        b: "1"
        c: "no"
        d: ""
      name: a
    "#);
}

#[test]
fn folded_blocks_change_where_lines_are_indented() {
    assert_snapshot!(printed("
        //- kustomization.yaml
        resources: [o.yaml]
        //- o.yaml
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: a}
        data:
          text: >
            one
            word
              two

              three
            four
          quoted: >
            … a character that
              no block may hold 😀
    "), @r#"
    apiVersion: v1
    data:
      quoted: "… a character that\n  no block may hold \U0001F600\n"
      text: |
        one word

          two

          three
        four
    kind: ConfigMap
    metadata:
      name: a
    "#);
}

#[test]
fn kinds_that_end_in_list_are_lists_when_they_have_items() {
    assert_snapshot!(printed("
        //- kustomization.yaml
        {resources: [o.yaml], namePrefix: p-}
        //- o.yaml
        {apiVersion: example.org/v1, kind: DenyList, spec: [1]}
        ---
        {apiVersion: v1, kind: SecretList, items: [
          {apiVersion: v1, kind: Secret, metadata: {name: a, annotations: {a: 1.50}}}, null]}
        ---
        {apiVersion: v1, kind: ServiceList, items: null}
    "), @r#"
    apiVersion: v1
    kind: Secret
    metadata:
      annotations:
        a: "1.5"
      name: p-a
    ---
    apiVersion: example.org/v1
    kind: DenyList
    metadata: {}
    spec:
    - 1
    "#);
}

#[test]
fn empty_items_stay() {
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [null, {args: [~, x]}]}}";
    assert_snapshot!(one("", pod), @"
    apiVersion: v1
    kind: Pod
    metadata:
      name: a
    spec:
      containers:
      - null
      - args:
        - null
        - x
    ");
}

#[test]
fn keys_must_be_strings_at_the_end() {
    let secret = "{apiVersion: v1, kind: Secret, metadata: {name: a}, data: DATA}";
    let patched = |patch: &str, data: &str| {
        let patch = secret.replace("DATA", patch);
        one(&format!("patches: [{{patch: '{patch}'}}]"), &secret.replace("DATA", data))
    };
    for data in ["{80: b}", "{true: b}", "{~: b}", "{2001-01-01: b}", "{1.5: b}"] {
        assert!(one("", &secret.replace("DATA", data)).starts_with("refused: the key "), "{data}");
    }
    assert!(patched("{\"80\": c}", "{80: b}").starts_with("refused: the key 80"));
    assert!(patched("{81: c}", "{80: b}").starts_with("refused: the key "));
    assert_snapshot!(patched("{80: c}", "{\"80\": b}"), @r#"
    apiVersion: v1
    data:
      "80": c
    kind: Secret
    metadata:
      name: a
    "#);
    assert_snapshot!(patched("null", "{80: b}"), @"
    apiVersion: v1
    kind: Secret
    metadata:
      name: a
    ");
    // In a JSON patch keys are strings.
    let patch =
        "patches: [{target: {kind: Secret}, patch: '- {op: add, path: /data, value: {80: x}}'}]";
    assert_snapshot!(one(patch, &secret.replace("DATA", "{}")), @r#"
    apiVersion: v1
    data:
      "80": x
    kind: Secret
    metadata:
      name: a
    "#);
}

#[test]
fn empty_patches_change_nothing() {
    let secret = "{apiVersion: v1, kind: Secret, metadata: {name: a}}";
    let plain = one("", secret);
    for patch in ["'# nothing'", "'[]'", "'{}'", "'null'"] {
        assert_eq!(one(&format!("patches: [{{patch: {patch}}}]"), secret), plain);
        let target = "target: {kind: Secret}";
        assert_eq!(one(&format!("patches: [{{patch: {patch}, {target}}}]"), secret), plain);
    }
    assert_snapshot!(one("patches: [{patch: ' '}]", secret), @"refused: this has neither patch nor path");
    assert_snapshot!(one("patchesStrategicMerge: ['']", secret), @"refused: these patches are empty");
}

#[test]
fn configurations_take_the_place_of_wildcards() {
    let files = "
        //- kustomization.yaml
        {resources: [o.yaml], configurations: [c.yaml], namePrefix: p-, labels: [{pairs: {a: b}}]}
        //- c.yaml
        CONFIGURATION
        //- o.yaml
        {apiVersion: v1, kind: Secret, metadata: {name: a}}
        ---
        {apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: w}}
    ";
    let configured = |text: &str| printed(&files.replace("CONFIGURATION", text));
    assert_snapshot!(configured("{namePrefix: [{path: metadata/name, kind: Secret}]}"), @"
    apiVersion: v1
    kind: Secret
    metadata:
      labels:
        a: b
      name: p-a
    ---
    apiVersion: admissionregistration.k8s.io/v1
    kind: ValidatingWebhookConfiguration
    metadata:
      labels:
        a: b
      name: w
    ");
    // What is sorted after the wildcard stands beside it.
    assert_snapshot!(configured("{namePrefix: [{path: metadata/name, kind: ValidatingWebhookConfiguration}]}"), @"
    apiVersion: v1
    kind: Secret
    metadata:
      labels:
        a: b
      name: p-a
    ---
    apiVersion: admissionregistration.k8s.io/v1
    kind: ValidatingWebhookConfiguration
    metadata:
      labels:
        a: b
      name: p-p-w
    ");
    assert_snapshot!(configured("{namePrefix: [{path: spec/x, kind: Secret, create: true}],
        labels: [{path: spec/labels, kind: Secret, create: true}]}"), @"
    apiVersion: v1
    kind: Secret
    metadata:
      labels:
        a: b
      name: p-a
    spec:
      labels:
        a: b
      x: p-
    ---
    apiVersion: admissionregistration.k8s.io/v1
    kind: ValidatingWebhookConfiguration
    metadata:
      labels:
        a: b
      name: p-w
    ");
    assert_snapshot!(configured("labels: [{path: metadata/labels}]"), @"refused: two rules for metadata/labels disagree about create");
    assert_snapshot!(configured("kind: Config"), @"refused: kustomize knows no field `kind` here");
}

#[test]
fn one_transformer_adds_prefix_and_suffix() {
    let transformer = |fields: &str| {
        let kind = "apiVersion: builtin, kind: PrefixSuffixTransformer";
        let text = format!("{{{kind}, metadata: {{name: \"yes\", namespace: \"1\"}}, {fields}}}");
        let fields = format!("transformers: ['{text}'], buildMetadata: [transformerAnnotations]");
        one(&fields, "{apiVersion: v1, kind: Secret, metadata: {name: a}}")
    };
    assert_snapshot!(transformer("prefix: p-, suffix: -s, fieldSpecs: [{path: metadata/name}]"), @r#"
    apiVersion: v1
    kind: Secret
    metadata:
      annotations:
        alpha.config.kubernetes.io/transformations: |
          - configuredIn: kustomization.yaml
            configuredBy:
              apiVersion: builtin
              kind: PrefixSuffixTransformer
              name: "yes"
              namespace: "1"
      name: p-a-s
    "#);
    assert_snapshot!(transformer("prefix: p-"), @"refused: this PrefixSuffixTransformer has no fieldSpecs");
}

#[test]
fn one_schema_is_built_in() {
    let secret = "{apiVersion: v1, kind: Secret, metadata: {name: a}}";
    assert!(!one("openapi: {version: v1.21.2}", secret).contains("refused"));
    assert_snapshot!(one("openapi: {version: v1.30.0}", secret), @"refused: kustomize has the OpenAPI version v1.21.2 only");
}

/// Compared with kustomize 5.8.1.
#[test]
fn the_schema_of_a_base_counts_where_none_was_before() {
    let top = "//- kustomization.yaml\nresources: [base]\nopenapi: {version: v1.21.2}\n";
    let base = "//- base/kustomization.yaml\nresources: [r.yaml]\nopenapi: {version: v1.19.0}\n";
    let object = "//- base/r.yaml\n{apiVersion: v1, kind: Secret, metadata: {name: a}}\n";
    let sources = fixture(&format!("{top}{base}{object}"));
    let build = with(&sources, |context| build(context, "", &BuildOptions::default()));
    assert_eq!((build.objects.len(), build.problems), (1, Vec::new()));
}

#[test]
fn a_string_that_yaml_1_1_reads_otherwise_keeps_quotes_once_it_was_walked_over() {
    let patches = "patches: [
        {patch: '{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {y: 1}}'},
        {patch: '{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {x: 010}}'}]";
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {x: yes}}";
    assert_snapshot!(one(patches, pod), @r#"
    apiVersion: v1
    kind: Pod
    metadata:
      name: a
    spec:
      x: "010"
      "y": 1
    "#);
}

#[test]
fn replacements_select_by_patterns() {
    let replacement = "replacements: [{sourceValue: v, targets: [{select: {kind: 'Sec.*|Pod'},
        reject: [{name: b.d}], fieldPaths: [metadata.labels.x], options: {create: true}}]}]";
    let objects = "{apiVersion: v1, kind: Secret, metadata: {name: good}}\n---\n\
                   {apiVersion: v1, kind: Secret, metadata: {name: bad}}";
    assert_snapshot!(one(replacement, objects), @"
    apiVersion: v1
    kind: Secret
    metadata:
      name: bad
    ---
    apiVersion: v1
    kind: Secret
    metadata:
      labels:
        x: v
      name: good
    ");
}

#[test]
fn paths_of_replacements_may_begin_with_a_dot() {
    let copied = |path: &str| {
        let replacement = "replacements: [{source: {kind: Secret, fieldPath: .stringData.k},
            targets: [{select: {kind: Secret}, fieldPaths: [PATH], options: {create: true}}]}]";
        let secret =
            "{apiVersion: v1, kind: Secret, metadata: {name: a}, stringData: {k: v, n: null}}";
        one(&replacement.replace("PATH", path), secret)
    };
    for (path, expected) in [
        ("'.metadata.annotations.[a.b/c]'", "  annotations:\n    a.b/c: v\n  name: a\n"),
        ("'.metadata.annotations.[a.b[c]]'", "  annotations:\n    a.b[c: v\n  name: a\n"),
        (".stringData.n.", "  \"n\": \"\"\n"),
        // A part that is empty elsewhere is what it stands in, which has to be a scalar.
        ("'..metadata.labels.x'", "refused: a part of this path is empty"),
        ("metadata.labels.x.", "refused: a part of this path is empty"),
        ("'.metadata.annotations.[x]'", "refused: `[x]` must be [key=value]"),
    ] {
        let copied = copied(path);
        assert!(copied.contains(expected), "{path}: {copied}");
    }
}

#[test]
fn replacements_reach_into_text() {
    let replaced = |text: &str| {
        let files = "
            //- kustomization.yaml
            resources: [o.yaml]
            replacements:
            - sourceValue: <new>
              targets: [{select: {kind: ConfigMap}, fieldPaths: [data.file.list.0.key]}]
            //- o.yaml
            apiVersion: v1
            kind: ConfigMap
            metadata: {name: a}
            data:
              file: TEXT
        ";
        printed(&files.replace("TEXT", text))
    };
    assert_snapshot!(replaced(r#"'{"z": 1e3, "list": [{"key": "old"}]}'"#), @r#"
    apiVersion: v1
    data:
      file: '{"list":[{"key":"\u003cnew\u003e"}],"z":1000}'
    kind: ConfigMap
    metadata:
      name: a
    "#);
    assert_snapshot!(replaced("'list: [{key: old}]'"), @"
    refused: how kustomize writes YAML inside text again is not known
    ---
    apiVersion: v1
    data:
      file: <unknown>
    kind: ConfigMap
    metadata:
      name: a
    ");
    assert_snapshot!(replaced("'{}'"), @"refused: `list` wants a mapping, but there is none");
    assert_snapshot!(replaced("words"), @"refused: `list` wants a mapping, but there is none");
}

#[test]
fn an_empty_string_can_be_copied() {
    let replacement = "replacements: [{source: {kind: Secret, fieldPath: stringData.a},
        targets: [{select: {kind: Secret}, fieldPaths: [stringData.b]}]}]";
    let secret = "{apiVersion: v1, kind: Secret, metadata: {name: a}, stringData: {a: '', b: x}}";
    assert_snapshot!(one(replacement, secret), @r#"
    apiVersion: v1
    kind: Secret
    metadata:
      name: a
    stringData:
      a: ""
      b: ""
    "#);
}

#[test]
fn a_patch_with_a_target_sets_labels_and_annotations_as_strings() {
    let secret =
        "{apiVersion: v1, kind: Secret, metadata: {name: a, labels: {b: c}, annotations: {d: e}}}";
    let patch =
        "{apiVersion: v1, kind: Secret, metadata: {name: a, labels: null, annotations: {d: null}}}";
    assert_snapshot!(one(&format!("patches: [{{patch: '{patch}', target: {{kind: Secret}}}}]"), secret), @r#"
    apiVersion: v1
    kind: Secret
    metadata:
      annotations:
        d: "null"
      labels:
        b: c
      name: a
    "#);
    assert_snapshot!(one(&format!("patches: [{{patch: '{patch}'}}]"), secret), @"
    apiVersion: v1
    kind: Secret
    metadata:
      name: a
    ");
}

#[test]
fn a_generated_secret_has_data() {
    assert_snapshot!(printed("
        //- kustomization.yaml
        secretGenerator: [{name: a}]
    "), @"
    apiVersion: v1
    data: {}
    kind: Secret
    metadata:
      name: a-46f8b28mk5
    type: Opaque
    ");
}

#[test]
fn a_merge_key_may_have_its_tag() {
    assert_snapshot!(printed("
        //- kustomization.yaml
        resources: [o.yaml]
        //- o.yaml
        apiVersion: v1
        kind: Secret
        metadata: {name: a}
        stringData: &data {a: b}
        data:
          !!merge <<: *data
          c: d
    "), @"
    apiVersion: v1
    data:
      a: b
      c: d
    kind: Secret
    metadata:
      name: a
    stringData:
      a: b
    ");
}

#[test]
fn a_binding_of_a_policy_follows_its_name() {
    assert_snapshot!(printed("
        //- kustomization.yaml
        {resources: [o.yaml], namePrefix: p-}
        //- o.yaml
        {apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicy,
          metadata: {name: a}}
        ---
        {apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicyBinding,
          metadata: {name: b}, spec: {policyName: a}}
    "), @"
    apiVersion: admissionregistration.k8s.io/v1
    kind: ValidatingAdmissionPolicy
    metadata:
      name: p-a
    ---
    apiVersion: admissionregistration.k8s.io/v1
    kind: ValidatingAdmissionPolicyBinding
    metadata:
      name: p-b
    spec:
      policyName: p-a
    ");
}

#[test]
fn what_is_unknown_is_not_printed_as_null() {
    let object = "{apiVersion: v1, kind: Secret, metadata: {name: a}}";
    assert_snapshot!(one("buildMetadata: [managedByLabel]", object), @"
    apiVersion: v1
    kind: Secret
    metadata:
      labels:
        app.kubernetes.io/managed-by: <unknown>
      name: a
    ");
}

/// kyaml keeps the notation of what is patched: that a tag is written, but not which one.
#[test]
fn a_patch_keeps_that_a_tag_is_written() {
    let patched = |old: &str, patches: &[&str]| {
        let head = "apiVersion: a/v1, kind: A, metadata: {name: a}";
        let patch = |it: &&str| format!("{{patch: '{{{head}, spec: {it}}}'}}");
        let patches: Vec<String> = patches.iter().map(patch).collect();
        let fields = format!("patches: [{}]", patches.join(", "));
        let built = one(&fields, &format!("{{{head}, spec: {{k: {old}}}}}"));
        built.lines().find_map(|it| it.strip_prefix("  k: ")).unwrap_or_default().to_owned()
    };
    for (old, patches, expected) in [
        ("!!str 3", &["{}", "{k: 010}"][..], "8"),
        ("!!str \"3\"", &["{k: 010}"], "8"),
        ("!!int \"3\"", &["{k: true}"], "true"),
        ("!!str 3", &["{k: 2001-01-01}"], "\"2001-01-01T00:00:00Z\""),
        ("\"3\"", &["{k: !!int \"4\"}"], "\"4\""),
        // Quotes that were lost come back once somebody looks at the field.
        ("3", &["{k: \"7\"}", "{k: 010}"], "8"),
        ("3", &["{k: \"7\"}", "{}", "{k: 010}"], "\"010\""),
    ] {
        assert_eq!(patched(old, patches), expected, "{old} {patches:?}");
    }
}
