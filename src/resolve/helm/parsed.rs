//! The templates of charts, parsed once for all releases of a chart.

use crate::{
    problem::Problem,
    resolve::{
        gotemplate::{MarkedText, ParsedTemplate},
        helm::package::{Packed, PackedContent},
    },
    source::{KeptByFile, Sources},
    tree::Reason,
};

/// A template of a chart, which is kept: charts are installed again and again, by environments, and beside
/// each other.
///
/// # Errors
/// The outer ones: the file cannot be read. The inner ones: it is no template.
pub(super) fn template(
    sources: &Sources,
    file: &Packed,
) -> Result<Result<ParsedTemplate, Problem>, Reason> {
    let PackedContent::File(id) = file.content else {
        return Ok(ParsedTemplate::new(text_of(sources, file)?));
    };
    let kept = sources.keep(|_| KeptByFile::<ParsedTemplate>::default());
    if let Some(known) = kept.get(&id) {
        return Ok(Ok(known));
    }
    let text = text_of(sources, file)?;
    let size = text.as_str().len();
    let parsed = ParsedTemplate::new(text);
    if let Ok(parsed) = &parsed {
        kept.put(id, size, parsed);
    }
    Ok(parsed)
}

/// The text of a file with where it stands.
pub(super) fn text_of(sources: &Sources, file: &Packed) -> Result<MarkedText, Reason> {
    let text = file.text(sources)?;
    Ok(match &file.content {
        // With the byte order mark that its text is given without.
        PackedContent::File(file) => MarkedText::file(sources.text(*file), *file),
        PackedContent::Packed(_, place) => MarkedText::value(text, place),
    })
}
