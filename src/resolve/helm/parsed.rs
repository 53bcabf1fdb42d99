//! The templates of charts, parsed once for all releases of a chart.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use crate::{
    problem::Problem,
    resolve::{
        gotemplate::{MarkedText, ParsedTemplate},
        helm::package::{Packed, PackedContent},
    },
    source::{FileId, Sources},
    tree::Reason,
};

/// What is kept of the templates of charts, which are installed again and again: by environments, and
/// beside each other.
#[derive(Default)]
struct KeptTemplates(Mutex<(BTreeMap<FileId, ParsedTemplate>, usize)>);

/// So many bytes of them are kept.
const MOST_KEPT: usize = 8 << 20;

/// A template of a chart.
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
    let kept = sources.keep(|_| KeptTemplates::default());
    let lock = || kept.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = lock().0.get(&id) {
        return Ok(Ok(known.clone()));
    }
    let text = text_of(sources, file)?;
    let size = text.as_str().len();
    let parsed = ParsedTemplate::new(text);
    if let Ok(parsed) = &parsed {
        let (known, bytes) = &mut *lock();
        *bytes += size;
        if *bytes <= MOST_KEPT {
            known.insert(id, parsed.clone());
        }
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
