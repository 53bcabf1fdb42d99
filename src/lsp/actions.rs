//! What an editor offers to do about a finding: its fix, a comment that says that it is meant to be
//! there, and its page.

use lsp_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, Command, DocumentChanges, OneOf,
    OptionalVersionedTextDocumentIdentifier, TextDocumentEdit, TextEdit, WorkspaceEdit,
};

use super::{
    EXPLAIN,
    analysis::{Analysis, EditorOptions},
};
use crate::{
    finding::{Applicability, Edit, Finding, disturbs},
    fix::{MOST_MADE, Prover},
    source::{FileId, Span},
    suppress,
};

/// What all fixes of a file at once are called among actions.
pub(super) fn fix_all() -> CodeActionKind {
    CodeActionKind::from(format!(
        "{}.{}",
        CodeActionKind::SOURCE_FIX_ALL.as_str(),
        env!("CARGO_PKG_NAME")
    ))
}

/// What can be done about the findings that `within` touches; `only` holds the kinds that are asked for,
/// if some are.
///
/// Resolves the repository again for each fix, and for each comment; no comment is tried any more once
/// nobody waits for it: `is_wanted`.
pub(super) fn actions(
    analysis: &Analysis,
    options: &EditorOptions,
    within: Span,
    only: Option<&[CodeActionKind]>,
    is_wanted: impl Fn() -> bool,
) -> Vec<CodeActionOrCommand> {
    let is_asked = |kind: &CodeActionKind| {
        let below = |it: &CodeActionKind| {
            let rest = kind.as_str().strip_prefix(it.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        only.is_none_or(|only| only.iter().any(below))
    };
    let mut all = Vec::new();
    if !is_wanted() {
        return all;
    }
    if only.is_some() && is_asked(&fix_all()) {
        all.extend(all_safe(analysis, within.file));
    }
    if !is_asked(&CodeActionKind::QUICKFIX) {
        return all;
    }
    let line = |byte| analysis.files().position(within.file, byte).line;
    let lines = line(within.start)..=line(within.end);
    let touched = |it: &&Finding| {
        let primary = it.primary().map(|it| it.span).filter(|it| it.file == within.file);
        primary.is_some_and(|it| line(it.start) <= *lines.end() && *lines.start() <= line(it.end))
    };
    let mut findings: Vec<Finding> = analysis.findings.iter().filter(touched).cloned().collect();
    if findings.iter().any(|it| it.proposal.is_some()) {
        prover(analysis).offer(&mut findings, MOST_MADE);
    }
    for finding in &findings {
        all.extend(of_fix(analysis, finding));
    }
    for finding in findings.iter().take_while(|_| is_wanted()) {
        all.extend(of_comment(analysis, options, finding));
        all.push(of_page(finding));
    }
    all
}

fn prover(analysis: &Analysis) -> Prover<'_> {
    let Analysis { sources, config, environments, clusters, .. } = analysis;
    Prover::new(sources, config, environments, clusters)
}

/// All safe fixes of what is found in `file`, at once.
fn all_safe(analysis: &Analysis, file: FileId) -> Option<CodeActionOrCommand> {
    let is_here = |it: &Finding| it.primary().is_some_and(|it| it.span.file == file);
    let wanted = |it: &Finding, fix: &crate::finding::Fix| {
        is_here(it)
            && fix.applicability == Applicability::Safe
            && fix.edits.iter().all(|it| it.span.file == file)
    };
    let (edits, mended) = prover(analysis).edits(&analysis.findings, wanted);
    let edit = workspace_edit(analysis, &edits)?;
    Some(CodeActionOrCommand::CodeAction(CodeAction {
        title: match mended.len() {
            1 => "Fix what is safe to fix".to_owned(),
            count => format!("Fix all {count} that are safe to fix"),
        },
        kind: Some(fix_all()),
        edit: Some(edit),
        ..CodeAction::default()
    }))
}

fn of_fix(analysis: &Analysis, finding: &Finding) -> Option<CodeActionOrCommand> {
    let fix = finding.fix.as_ref()?;
    let is_safe = fix.applicability == Applicability::Safe;
    let mark = if is_safe { "" } else { " (unsafe: look at it)" };
    Some(CodeActionOrCommand::CodeAction(CodeAction {
        title: format!("{}{mark}", title(analysis, &fix.edits)),
        kind: Some(CodeActionKind::QUICKFIX),
        diagnostics: analysis.diagnostic_of(finding).map(|it| vec![it]),
        edit: Some(workspace_edit(analysis, &fix.edits)?),
        is_preferred: Some(is_safe),
        ..CodeAction::default()
    }))
}

/// A comment that takes the finding away, if there is a place for one.
fn of_comment(
    analysis: &Analysis,
    options: &EditorOptions,
    finding: &Finding,
) -> Option<CodeActionOrCommand> {
    let span = finding.primary()?.span;
    let same = |it: &&Finding| (it.rule, &it.subject) == (finding.rule, &finding.subject);
    let count = |analysis: &Analysis| analysis.findings.iter().filter(same).count();
    let holds = |edit: &Edit| {
        let then = analysis.with(std::slice::from_ref(edit), options);
        count(&then) < count(analysis) && then.findings.len() < analysis.findings.len()
    };
    let edit = suppress::comments(&analysis.sources, span, finding.rule).into_iter().find(holds)?;
    Some(CodeActionOrCommand::CodeAction(CodeAction {
        title: format!("Ignore {} here", finding.rule),
        kind: Some(CodeActionKind::QUICKFIX),
        diagnostics: analysis.diagnostic_of(finding).map(|it| vec![it]),
        edit: Some(workspace_edit(analysis, &[edit])?),
        is_preferred: Some(false),
        ..CodeAction::default()
    }))
}

fn of_page(finding: &Finding) -> CodeActionOrCommand {
    let title = format!("Explain {}", finding.rule);
    CodeActionOrCommand::CodeAction(CodeAction {
        title: title.clone(),
        kind: Some(CodeActionKind::QUICKFIX),
        command: Some(Command {
            title,
            command: EXPLAIN.to_owned(),
            arguments: Some(vec![finding.rule.into()]),
        }),
        is_preferred: Some(false),
        ..CodeAction::default()
    })
}

/// `edits` as editors make them; nothing where there are none.
fn workspace_edit(analysis: &Analysis, edits: &[Edit]) -> Option<WorkspaceEdit> {
    let of_file = |edits: &[Edit]| {
        let file = edits.first()?.span.file;
        let edits = edits.iter().map(|it| {
            OneOf::Left(TextEdit {
                range: analysis.files().range(it.span),
                new_text: it.text.clone(),
            })
        });
        let path = &*analysis.sources[file].path;
        let (uri, version) = (analysis.files().uri(path)?, analysis.version(path));
        Some(TextDocumentEdit {
            text_document: OptionalVersionedTextDocumentIdentifier { uri, version },
            edits: edits.collect(),
        })
    };
    let files = edits.chunk_by(|one, next| one.span.file == next.span.file);
    let files: Vec<TextDocumentEdit> = files.map(of_file).collect::<Option<_>>()?;
    let changes = (!files.is_empty()).then_some(DocumentChanges::Edits(files));
    changes.map(|it| WorkspaceEdit { document_changes: Some(it), ..WorkspaceEdit::default() })
}

/// Takes the versions out of an edit, for editors that know none.
pub(super) fn without_versions(action: &mut CodeActionOrCommand) {
    let CodeActionOrCommand::CodeAction(CodeAction { edit: Some(edit), .. }) = action else {
        return;
    };
    let Some(DocumentChanges::Edits(files)) = edit.document_changes.take() else { return };
    let plain = |it: TextDocumentEdit| {
        let edits = it.edits.into_iter().map(|it| match it {
            OneOf::Left(edit) => edit,
            OneOf::Right(annotated) => annotated.text_edit,
        });
        (it.text_document.uri, edits.collect())
    };
    edit.changes = Some(files.into_iter().map(plain).collect());
}

/// What edits do, whatever the help says besides: "Replace `5s` with `15s`".
fn title(analysis: &Analysis, edits: &[Edit]) -> String {
    const LONGEST: usize = 40;
    let shown = |text: &str| {
        let line = text.trim().lines().next().unwrap_or_default().trim_end();
        let short: String = line.chars().take(LONGEST).collect();
        let is_whole = short.len() == text.trim().len();
        format!("`{}{}`", harmless(&short), if is_whole { "" } else { "…" })
    };
    let [edit] = edits else { return format!("Edit {} places", edits.len()) };
    let old = analysis.sources.slice(edit.span);
    match (old.trim().is_empty(), edit.text.trim().is_empty()) {
        (true, _) => format!("Insert {}", shown(&edit.text)),
        (false, true) => format!("Remove {}", shown(old)),
        (false, false) => format!("Replace {} with {}", shown(old), shown(&edit.text)),
    }
}

/// `text` without what does more than appear.
fn harmless(text: &str) -> String {
    text.replace(disturbs, " ")
}
