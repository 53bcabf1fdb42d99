//! Files without the schemas of custom resources, which are most of the bytes of many repositories.

use memchr::memmem;

use super::{Documents, template, yaml};
use crate::{
    scalar::Dialect,
    source::{self, FileId, Span},
    tree::{Node, Origin},
};

/// What is said of a schema.
const WHY: &str = "the schemas of custom resources are not read";

const KIND: &str = "CustomResourceDefinition";

/// The documents of the file at `path` in which the `spec` of each `CustomResourceDefinition` is
/// unknown; `None` when there is none to leave out, or the rest cannot be read without it.
pub(crate) fn outline(path: &str, text: &str, file: FileId, dialect: Dialect) -> Option<Documents> {
    let specs = specs(text);
    if specs.is_empty() || template::is_named(path) || template::is_hidden(path, text) {
        return None;
    }
    // What is left, and where each part of it starts, in it and in the file.
    let (mut left, mut starts, mut from) = (String::new(), Vec::new(), 0);
    for [start, end] in specs.into_iter().chain([[text.len(); 2]]) {
        starts.push((u32::try_from(left.len()).ok()?, u32::try_from(from).ok()?));
        left.push_str(text.get(from..start)?);
        from = end;
    }
    let whole = Origin::written(Span::new(file, 0..text.len()));
    let place = yaml::ScalarPlace::new(whole, yaml::Offsets::Lines(starts.into()));
    let mut documents = yaml::parse(&left, place, dialect);
    if documents.error().is_some() {
        return None;
    }
    let roots = documents.list.iter_mut().filter_map(|it| it.root.as_mut().ok());
    for root in roots.filter(|it| it.object_kind() == KIND) {
        let spec = root.get("spec").filter(|it| it.is_null()).map(|it| it.origin.clone());
        if let (Some(at), Some(map)) = (spec, root.as_map_mut()) {
            map.set("spec", Node::unknown_value(WHY, &at));
        }
    }
    Some(documents)
}

/// Where the lines below `spec:` of definitions of custom resources start and end.
fn specs(text: &str) -> Vec<[usize; 2]> {
    let bytes = text.as_bytes();
    let mut specs: Vec<[usize; 2]> = Vec::new();
    for at in memmem::find_iter(bytes, &format!("\nkind: {KIND}\n")) {
        let rest = &text[at..];
        let ends = [&b"\n---"[..], b"\n..."].map(|it| memmem::find(rest.as_bytes(), it));
        let end = ends.into_iter().flatten().min().unwrap_or(rest.len());
        let document = &rest[..end];
        let Some(spec) = memmem::find(document.as_bytes(), b"\nspec:\n") else { continue };
        let start = spec + "\nspec:\n".len();
        let is_below = |line: &str| line.starts_with([' ', '#', '\n', '\r']);
        let below: usize = source::lines(document.get(start..).unwrap_or_default())
            .map(|(_, line)| line)
            .take_while(|it| is_below(it))
            .map(str::len)
            .sum();
        if specs.last().is_none_or(|[_, end]| *end <= at + start) {
            specs.push([at + start, at + start + below]);
        }
    }
    specs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    const TEXT: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: first}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: a.example.com
spec:
  group: example.com
# A comment.

  versions:
  - name: v1
status:
  conditions: []
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: b.example.com
spec:
  group: example.com
---
kind: Namespace
metadata: {name: last}
";

    #[test]
    fn all_but_the_specs_of_definitions_is_what_it_is_and_where_it_is() {
        let sources = Sources::in_memory([("a.yaml", TEXT)]);
        let file = sources.find("a.yaml").expect("it is there");
        let outline = sources.outline(file);
        let whole = sources.documents(file, Dialect::Kyaml);
        let places = |node: &Node| -> Vec<_> { node.walk().map(|it| it.origin.clone()).collect() };
        assert_eq!(outline.list.len(), 4);
        for (one, other) in outline.roots().zip(whole.roots()) {
            for (key, entry) in other.entries() {
                let its = one.get(key).expect("it is there, too");
                let is_left_out = key == "spec";
                assert_eq!(its.unknown().is_some(), is_left_out, "{key}");
                assert_eq!(places(its) == places(&entry.value), !is_left_out, "{key}");
            }
        }
    }

    #[test]
    fn a_document_also_ends_without_another_one() {
        let text = "\nkind: CustomResourceDefinition\n...\nkind: Application\nspec:\n  a: 1\n";
        let sources = Sources::in_memory([("a.yaml", text)]);
        let file = sources.find("a.yaml").expect("it is there");
        assert_eq!(sources.outline(file).roots().filter(|it| it.at("spec.a").is_some()).count(), 1);
    }

    #[test]
    fn what_cannot_be_read_without_them_is_read_with_them() {
        for text in [
            "\nkind: CustomResourceDefinition\nspec:\n  a: &a 1\nstatus: *a\n",
            "\nkind: ConfigMap\nspec:\n  a: 1\n",
            "kind: CustomResourceDefinition\nspec: {a: 1}\n",
        ] {
            let sources = Sources::in_memory([("a.yaml", text)]);
            let file = sources.find("a.yaml").expect("it is there");
            let root = sources.outline(file).roots().next().expect("it is YAML");
            assert!(root.at("spec.a").is_some(), "{text}");
        }
    }
}
