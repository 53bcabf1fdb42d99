//! YAML as it is read: its places, its dialects, and what is broken.

use super::{fixture, roots, unindented};
use crate::{
    parse,
    scalar::{Dialect, Style},
    source::Sources,
    tree::Node,
};

fn leaves<'a>(node: &'a Node, into: &mut Vec<&'a Node>) {
    match node.as_scalar() {
        Some(_) => into.push(node),
        None => {
            node.items().iter().for_each(|it| leaves(it, into));
            node.entries().for_each(|(_, it)| leaves(&it.value, into));
        }
    }
}

#[test]
fn spans_are_byte_exact() {
    let text = r#"
        ä: [ö, 'x y', "z"]
        b:
          - c: d # e
            f: |
              g: h
    "#;
    let text = format!("\u{feff}{}", unindented(text).replace('\n', "\r\n"));
    let sources = Sources::in_memory([("a.yaml", text)]);
    let root = &roots(&sources, "a.yaml")[0];
    let mut all = Vec::new();
    leaves(root, &mut all);
    let slices: Vec<_> =
        all.iter().filter_map(|it| it.origin.written_at()).map(|it| sources.slice(it)).collect();
    assert_eq!(slices, ["ö", "'x y'", "\"z\"", "d", "g: h"]);
    let list = root.get("b").and_then(|it| it.origin.written_at()).expect("a span");
    assert!(sources.slice(list).starts_with("- c: d"));
}

#[test]
fn embedded_yaml_points_into_the_outer_file() {
    let sources = fixture(
        "
        //- a.yaml
        data:
          kubelet: |
            # hello
            a: 1

            b:
              - two
          quoted: 'c: 3'
          kept: |+
            d: 4

            e: 5


        last: 0
        ",
    );
    let root = &roots(&sources, "a.yaml")[0];
    for (key, expected) in
        [("kubelet", vec!["1", "two"]), ("quoted", vec!["3"]), ("kept", vec!["4", "5"])]
    {
        let outer = root.at("data").and_then(|it| it.get(key)).expect("a key");
        let inner = parse::embedded(&sources, outer, Dialect::Sigs);
        let mut all = Vec::new();
        leaves(inner.roots().next().expect("one document"), &mut all);
        let slices: Vec<_> = all
            .iter()
            .filter_map(|it| it.origin.written_at())
            .map(|it| sources.slice(it))
            .collect();
        assert_eq!(slices, expected, "{key}");
    }
}

#[test]
fn a_broken_document_hides_no_other() {
    let sources = fixture(
        "
        //- a.yaml
        a: 1
        ---
        b: [
        ---
        c: 3
        ",
    );
    let file = sources.find("a.yaml").expect("it is there");
    let documents = sources.documents(file, Dialect::Sigs);
    assert_eq!(documents.roots().count(), 2);
    assert!(documents.error().is_some());
}

#[test]
fn merge_keys_differ_between_the_dialects() {
    let sources = fixture(
        "
        //- a.yaml
        a: &x {k: 1, l: 1}
        b: {k: 2, <<: *x}
        ",
    );
    let file = sources.find("a.yaml").expect("it is there");
    let k = |dialect| {
        let root = sources.documents(file, dialect).roots().next()?;
        root.at("b.k")?.as_int()
    };
    assert_eq!(k(Dialect::Sigs), Some(1));
    assert_eq!(k(Dialect::Kyaml), Some(2));
}

#[test]
fn the_colon_after_an_alias_is_of_the_key() {
    let read = |text: &str| {
        let sources = Sources::in_memory([("a.yaml", text)]);
        let file = sources.find("a.yaml").expect("it is there");
        match sources.documents(file, Dialect::Kyaml).list.first().map(|it| &it.root) {
            Some(Ok(root)) => root.to_json().to_string(),
            Some(Err(error)) => error.message.clone(),
            None => String::new(),
        }
    };
    for (text, as_json) in [
        ("a: &app x\n*app: 1\n", r#"{"a":"x","x":1}"#),
        ("a: &app !!str x\nb: {*app: 1}\n", r#"{"a":"x","b":{"x":1}}"#),
        (
            "a: [&a-1 x, &b_2 z]\nb:\n- *a-1:\n    *b_2:\n",
            r#"{"a":["x","z"],"b":[{"x":{"z":null}}]}"#,
        ),
        // Text is what it was.
        (
            "a: &app x~^\n*app: |\n  *app: ~\nb: '*app: ^'\n",
            r#"{"a":"x~^","x~^":"*app: ~\n","b":"*app: ^"}"#,
        ),
        ("a: &x {k: 1}\n*y: 1\n", "there is no anchor `&y` before this alias"),
    ] {
        assert_eq!(read(text), as_json, "{text}");
    }
}

#[test]
fn quoted_lines_may_be_indented_as_go_yaml_has_them() {
    let text = "\
a:
  - b: \"x
y
\\\"  z

- it's: ok'
\"
    c: '\"one\"
 two'' '
  - - \"deep
  er\"
    - d: \"e \\
f\"
---
e: \"\\'q\\' \\\\\"
f: \"
g\"
";
    let sources = Sources::in_memory([("a.yaml", text)]);
    let roots = roots(&sources, "a.yaml");
    assert_eq!(
        roots[0].to_json().to_string(),
        r#"{"a":[{"b":"x y \"  z\n- it's: ok' ","c":"\"one\" two' "},["deep er",{"d":"e f"}]]}"#
    );
    assert_eq!(roots[1].to_json().to_string(), r#"{"e":"'q' \\","f":" g"}"#);
    // Each has its own bytes, however it was read.
    let mut found = Vec::new();
    for root in &roots {
        leaves(root, &mut found);
    }
    for node in found {
        let written = node.origin.written_at().map(|it| sources.slice(it)).unwrap_or_default();
        assert!(written.starts_with(['"', '\'']) && written.ends_with(['"', '\'']), "{written}");
    }
    // Of one that is long each line may hold the other mark.
    let lines = "\"k\": \"it''s\",\n".repeat(2000);
    let long = format!("a:\n  b: '{{\n{lines}}}'\n  c: d\n");
    let sources = Sources::in_memory([("a.yaml", long)]);
    assert_eq!(self::roots(&sources, "a.yaml")[0].str_at("a.c"), Some("d"));
    // What the text lacks before may be found after what it lacks behind.
    let text = "a:\n  b: \"\\'\nx\\'\ny \\' z\"\n  c: \"d\"\n";
    let sources = Sources::in_memory([("a.yaml", text)]);
    let root = self::roots(&sources, "a.yaml")[0].clone();
    assert_eq!(root.to_json().to_string(), r#"{"a":{"b":"' x' y ' z","c":"d"}}"#);
    let written = |path: &str| root.at(path).and_then(|it| it.origin.written_at());
    assert_eq!(written("a.b").map(|it| sources.slice(it)), Some("\"\\'\nx\\'\ny \\' z\""));
    assert_eq!(written("a.c").map(|it| sources.slice(it)), Some("\"d\""));
    let broken = Sources::in_memory([("a.yaml", "a:\n  b: \"x\n y\"\n  c: \"\\q\"\n")]);
    let file = broken.find("a.yaml").expect("it is there");
    let error = broken.documents(file, Dialect::Sigs).error().cloned().expect("no escape");
    assert_eq!(error.span.map(|it| it.start), Some(20));
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let inner = format!("*a{}", level - 1);
        let items = vec![inner; 9].join(", ");
        text += &format!("a{level}: &a{level} [{items}]\n");
    }
    let sources = Sources::in_memory([("a.yaml", text)]);
    let file = sources.find("a.yaml").expect("it is there");
    assert!(sources.documents(file, Dialect::Sigs).error().is_some());
}

#[test]
fn nothing_is_not_a_tilde() {
    let sources = fixture(
        "
        //- a.yaml
        a:
        b: ~
        c: |-
          x
        ",
    );
    let file = sources.find("a.yaml").expect("it is there");
    let root = sources.documents(file, Dialect::Kyaml).roots().next().expect("one document");
    let text = |key| root.get(key).and_then(Node::as_scalar).map(|it| (&*it.text, it.style));
    assert_eq!(text("a"), Some(("", Style::Plain)));
    assert_eq!(text("b"), Some(("~", Style::Plain)));
    assert_eq!(text("c"), Some(("x", Style::Literal)));
}
