//! YAML as `sigs.k8s.io/yaml` writes it.

use std::ops::Range;

use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::Value as Json;

use super::{nowhere, roots, unindented};
use crate::{
    data::charts,
    emit::{Parts, emit, yaml},
    scalar::Dialect,
    source::Sources,
};

fn again(text: &str) -> String {
    let sources = Sources::in_memory([("a.yaml", unindented(text))]);
    yaml(&roots(&sources, "a.yaml")[0])
}

#[test]
fn as_go_yaml_writes_it() {
    assert_snapshot!(again(r#"
        nested: [x, {c: 2, d: }, [1, 2], []]
        empty: {}
        quotes: ['x', "y", '1', '- x', '#', 'a: b', "t\tb"]
        variables:
          - ${X}
          - '${X}: y'
        lines: {keep: "  x\n\n", one: "x\n", strip: "x\ny"}
        numbers: [1e3, 1.50, 1234567.5]
        dates: [2001-01-01, '1:30']
        keys: {a10: 1, a2: 2, a-b: 3, a: 4}
    "#), @r#"
    dates:
    - "2001-01-01"
    - "1:30"
    empty: {}
    keys:
      a: 4
      a-b: 3
      a2: 2
      a10: 1
    lines:
      keep: |2+
          x

      one: |
        x
      strip: |-
        x
        y
    nested:
    - x
    - c: 2
      d: null
    - - 1
      - 2
    - []
    numbers:
    - 1000
    - 1.5
    - 1.2345675e+06
    quotes:
    - x
    - "y"
    - "1"
    - '- x'
    - '#'
    - 'a: b'
    - "t\tb"
    variables:
    - ${X}
    - '${X}: y'
    "#);
}

#[test]
fn long_plain_text_is_folded_after_the_eightieth_column() {
    let words = "word ".repeat(40);
    let text = again(&format!("key: {{inner: {words}}}"));
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[1].len() > 80 && lines[1].len() < 90, "{text}");
    assert!(lines[2].starts_with("    word"), "{text}");
}

#[test]
fn a_value_is_where_its_piece_says() {
    let sources = Sources::in_memory([("a.yaml", r#"a: {b: 'x: y', c: [1, "l1\nl2"]}"#)]);
    let root = &roots(&sources, "a.yaml")[0];
    let emitted = emit(root);
    let Parts::Entries(entries) = &emitted.root.parts else { panic!("a mapping") };
    let Parts::Entries(inner) = &entries[0].value.parts else { panic!("a mapping") };
    let slice = |range: &Range<usize>| &emitted.text[range.clone()];
    assert_eq!(slice(&inner[0].range), "b");
    assert_eq!(slice(&inner[0].value.range), "'x: y'");
    let Parts::Items(items) = &inner[1].value.parts else { panic!("a list") };
    assert_eq!(slice(&items[0].range), "1");
    assert_eq!(slice(&items[1].range), "|-\n    l1\n    l2");
}

/// Text of what YAML finds hard, so that short strings are often special. Without the breaks
/// that YAML 1.2 no longer knows, which our parser reads as text.
fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[a-c01 ]{0,3}",
        proptest::sample::select(vec![
            ": ",
            " #",
            "- ",
            "\n",
            "\t",
            "'",
            "\"",
            "\\",
            "${X}",
            "yes",
            "null",
            "~",
            "0x1",
            "1e3",
            "2001-01-01",
            "1:30",
            "---",
            "|",
            ">",
            "%",
            "@",
            "[",
            "{",
            "&a",
            "*a",
            "?",
            "\u{e9}",
            "\u{1f600}",
            "\u{feff}",
            "  ",
        ])
        .prop_map(str::to_owned),
    ];
    proptest::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

fn value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        text().prop_map(Json::from),
        "[a-z ]{60,200}".prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            proptest::collection::btree_map(text(), inner, 0..4)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_the_same(value in value()) {
        let node = charts::from_json(&value, &nowhere());
        let text = yaml(&node);
        let sources = Sources::in_memory([("a.yaml", text.as_str())]);
        let file = sources.find("a.yaml").expect("it is there");
        let documents = sources.documents(file, Dialect::Sigs);
        let root = documents.list.first().map(|it| it.root.clone());
        let root = root.expect("a document");
        prop_assert!(root.is_ok(), "{text}: {root:?}");
        prop_assert_eq!(root.expect("YAML").to_json(), value, "{}", text);
    }
}
