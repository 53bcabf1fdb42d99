//! That places are ones: bytes of files that are there, between characters.

use crate::{
    parse::Documents,
    source::{Sources, Span, Text},
    tree::{Node, Origin},
};

/// A place is in its file, and splits no character of it.
pub(super) fn assert_span(sources: &Sources, span: Span) {
    assert!(span.start <= span.end, "{span:?} ends before it starts");
    let path = &sources[span.file].path;
    if let Text::Utf8(text) = sources.load(span.file) {
        assert!(text.get(span.range()).is_some(), "{path}: {span:?} is no text of it");
    }
}

/// Every place of a way is in its file.
pub(super) fn assert_origin(sources: &Sources, origin: &Origin) {
    let ways = origin.parts();
    let ways = ways.iter().map(|(_, part)| &part.origin).chain([origin]);
    ways.flat_map(Origin::steps).filter_map(|it| it.span).for_each(|it| assert_span(sources, it));
}

/// Every place of a tree is in its file.
pub(super) fn assert_tree(sources: &Sources, node: &Node) {
    for it in node.walk() {
        assert_origin(sources, &it.origin);
        for key in it.entries().filter_map(|(_, it)| it.key) {
            assert_span(sources, key);
        }
    }
}

/// Every place of what was read is in its file, also that of a mistake.
pub(super) fn assert_documents(sources: &Sources, documents: &Documents) {
    for document in &documents.list {
        match &document.root {
            Ok(root) => assert_tree(sources, root),
            Err(error) => error.span.iter().for_each(|it| assert_span(sources, *it)),
        }
        document.repeated.iter().for_each(|it| assert_span(sources, *it));
    }
}
