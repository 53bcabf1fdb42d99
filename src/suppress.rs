//! Comments that say which findings are meant to be there.
//!
//! `# metrics-server-lint: ignore[rule-id, other-rule] reason` counts for its own line when
//! something stands before it there, else for the next line that is no comment. In env files and
//! units of systemd nothing behind a value is a comment, and nowhere what is in its quotes.

use std::collections::BTreeMap;

use crate::{
    finding::{Change, Edit, Finding, Findings, Severity},
    nearest::{BY_THEIR_IDS, nearest},
    parse::{self, env},
    resolve::layout,
    rules,
    source::{self, FileId, Relevance, Sources, Span},
    tree::Origin,
};

/// What a comment starts with that speaks to this program.
const MARK: &str = "metrics-server-lint:";

/// The extensions of files in which what stands behind a value is part of it.
const NO_COMMENTS: &[&str] = &["env", "properties", "service", "conf", "cfg"];

/// The rule that reports comments that suppress nothing, or that nobody can read.
pub(crate) const RULE: &str = "unused-suppression";

/// What is left of `findings` when what is meant to be there is taken out.
///
/// Comments that take nothing out are findings themselves.
pub(crate) fn apply(sources: &Sources, findings: Vec<Finding>) -> Applied {
    let mut unused = Findings::of(RULE, |_| Severity::Warning, None);
    let mut suppressions = Vec::new();
    for file in files(sources, &findings) {
        collect(sources, file, &mut suppressions, &mut unused);
    }
    // The first one for a rule and a line is the one that counts.
    let mut first: BTreeMap<_, usize> = BTreeMap::new();
    for (index, it) in suppressions.iter().enumerate() {
        first.entry((it.rule, it.at.file, it.line)).or_insert(index);
    }
    let mut applied = Applied::default();
    for finding in findings {
        let at = finding.primary().map(|it| it.span);
        let index = at.and_then(|at| first.get(&(finding.rule, at.file, sources.start(at).line)));
        if let Some(suppression) = index.and_then(|it| suppressions.get_mut(*it)) {
            suppression.used = true;
            applied.suppressed.push(finding);
        } else {
            applied.kept.push(finding);
        }
    }
    for it in suppressions.iter().filter(|it| !it.used) {
        let message = format!("there is no finding of `{}` here to ignore", it.rule);
        unused
            .at(&Origin::written(it.at), it.rule, message)
            .at_most(Severity::Note)
            .help("remove the comment, so that it does not hide a finding to come")
            .safe_fix(&[], [Some(Change::Comment(it.whole))]);
    }
    applied.kept.append(&mut unused.into_vec());
    applied
}

/// The findings of a run, apart from each other.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// What is reported.
    pub kept: Vec<Finding>,
    /// What a comment says is meant to be there.
    pub suppressed: Vec<Finding>,
}

/// One rule that one comment ignores.
struct Suppression {
    rule: &'static str,
    /// The rule's name in the comment.
    at: Span,
    /// What goes when it does: the comment, or its name with a comma.
    whole: Span,
    /// The line it counts for.
    line: u32,
    used: bool,
}

/// The files that may hold suppressions: the mark makes every file that is looked into a subject,
/// and a file that is read because something names it counts when something is found in it.
fn files(sources: &Sources, findings: &[Finding]) -> Vec<FileId> {
    let subjects = sources.iter().filter(|(_, it)| it.relevance == Relevance::Subject);
    let found = findings.iter().filter_map(Finding::primary).map(|it| it.span.file);
    let mut files: Vec<_> = subjects.map(|(file, _)| file).chain(found).collect();
    files.sort_unstable();
    files.dedup();
    files.retain(|file| {
        memchr::memmem::find(sources.text(*file).as_bytes(), MARK.as_bytes()).is_some()
    });
    files
}

fn collect(
    sources: &Sources,
    file: FileId,
    suppressions: &mut Vec<Suppression>,
    unused: &mut Findings,
) {
    let is_yaml = layout::is_yaml(&sources[file].path);
    let mut comments = parse::comments(sources.text(file), file, is_yaml);
    let own_line = |span: Span| {
        let line = sources.start(span).line;
        sources.line(file, line).trim_start().starts_with(['#', '/']).then_some(line)
    };
    if is_yaml {
        for span in parse::in_quotes(sources.text(file), file, MARK) {
            unused
                .at(&Origin::written(span), "", "the comment is part of the value")
                .help("write it behind the quotes");
        }
    } else {
        let path = &sources[file].path;
        for span in behind(sources, file) {
            if own_line(span).is_none() && NO_COMMENTS.contains(&source::extension(path)) {
                unused
                    .at(&Origin::written(span), "", "the comment is part of the value")
                    .help("write it alone on the line above");
            } else if !comments.contains(&span) {
                comments.push(span);
            }
        }
    }
    let next_lines = after(comments.iter().filter_map(|it| own_line(*it)).collect());
    for comment in comments {
        let text = sources.slice(comment);
        let body = text.trim_start_matches(['#', '/', ' ', '\t']);
        let Some(rest) = body.strip_prefix(MARK) else { continue };
        let line = match own_line(comment) {
            None => sources.start(comment).line,
            // Comments in a row all count for what follows them.
            Some(own) => next_lines.get(&own).copied().unwrap_or(own),
        };
        let Some(ids) = ids(rest) else {
            unused
                .at(&Origin::written(comment), "", "this comment cannot be understood")
                .help(format!("write `# {MARK} ignore[rule-id] reason`"));
            continue;
        };
        let places: Vec<Span> = ids.iter().map(|id| place_in(comment, text, id)).collect();
        for (index, id) in ids.iter().enumerate() {
            let at = places[index];
            let whole = match (places.get(index + 1), index.checked_sub(1).map(|it| places[it])) {
                (None, None) => comment,
                (Some(next), _) => Span { end: next.start, ..at },
                (None, Some(last)) => Span { start: last.end, ..at },
            };
            if let Some(rule) = rules::find(id) {
                suppressions.push(Suppression { rule: rule.id, at, whole, line, used: false });
                continue;
            }
            let finding =
                unused.at(&Origin::written(at), id, format!("there is no rule `{id}` to ignore"));
            match nearest(id, rules::ids()) {
                Some(near) => finding.help(format!("write `{near}`")),
                None => finding.help(BY_THEIR_IDS),
            };
        }
    }
}

/// Of a value in a file where nothing behind it is a comment, what stands before a `#`: YAML into which such a
/// value is filled reads no further.
pub(crate) fn before_comment(sources: &Sources, value: Span) -> Span {
    if !NO_COMMENTS.contains(&source::extension(&sources[value.file].path)) {
        return value;
    }
    value.part(0..env::before_comment(sources.slice(value)).len())
}

/// The edits that put a comment for `rule` where it may take a finding at `at` out, the best one first.
/// Whether it does is to be tried: the line may be one of a text.
pub(crate) fn comments(sources: &Sources, at: Span, rule: &str) -> Vec<Edit> {
    let path = &*sources[at.file].path;
    let extension = source::extension(path);
    if extension == "json" {
        return Vec::new();
    }
    let number = sources.start(at).line;
    let line = |number: u32| {
        let range = sources.line_range(at.file, number);
        let text = sources.line(at.file, number);
        (range.start, text)
    };
    let put =
        |at_byte: usize, text: String| Edit { span: Span::new(at.file, at_byte..at_byte), text };
    let mut edits = Vec::new();
    // One that is there is for this rule, too.
    for number in [number, number.saturating_sub(1)] {
        let (start, text) = line(number);
        let own = number > 0 && text.trim_start().starts_with('#');
        let known = text.split_once(MARK).and_then(|(before, rest)| {
            ids(rest)?;
            Some(before.len() + MARK.len() + rest.find(']')?)
        });
        let counts = number == sources.start(at).line || own;
        edits.extend(known.filter(|_| counts).map(|at| put(start + at, format!(", {rule}"))));
    }
    let comment = format!("# {MARK} ignore[{rule}]");
    let (start, text) = line(number);
    if !NO_COMMENTS.contains(&extension) {
        edits.push(put(start + text.trim_end().len(), format!(" {comment}")));
    }
    let blanks = &text[..text.len() - text.trim_start().len()];
    let end = if sources.text(at.file).contains("\r\n") { "\r\n" } else { "\n" };
    edits.push(put(start, format!("{blanks}{comment}{end}")));
    edits
}

/// What speaks to this program in a file that is not YAML, from the `#` or `//` before it to the end of
/// the line.
fn behind(sources: &Sources, file: FileId) -> impl Iterator<Item = Span> {
    let text = sources.text(file);
    source::lines(text).filter_map(move |(at, line)| {
        let (before, _) = line.split_once(MARK)?;
        let before = before.trim_end();
        let value = before.trim_end_matches('#');
        let value = if value == before { before.strip_suffix("//")? } else { value };
        Some(Span::new(file, at + value.len()..at + line.trim_end().len()))
    })
}

/// For each of `lines`, in order, the first line below it that is none of them.
fn after(lines: Vec<u32>) -> BTreeMap<u32, u32> {
    let mut next = BTreeMap::new();
    for line in lines.into_iter().rev() {
        let below = next.get(&(line + 1)).copied().unwrap_or(line + 1);
        next.insert(line, below);
    }
    next
}

/// The names between the brackets of ` ignore[a, b] reason`, or `None` when it is not like that.
fn ids(text: &str) -> Option<Vec<&str>> {
    let (names, _) = text.trim_start().strip_prefix("ignore[")?.split_once(']')?;
    let names: Vec<_> = names.split(',').map(str::trim).collect();
    (!names.contains(&"")).then_some(names)
}

/// Where `part`, a slice of `text`, stands, given that `text` stands at `whole`.
fn place_in(whole: Span, text: &str, part: &str) -> Span {
    let offset = part.as_ptr() as usize - text.as_ptr() as usize;
    whole.part(offset..offset + part.len())
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::tests::fixture;

    /// Finds `BAD` wherever it stands and says what is left: `line rule`, or `line message; help`.
    fn left(file: &str) -> String {
        let sources = fixture(file);
        let (file, _) = sources.iter().next().expect("a file");
        let mut findings = Findings::of("kubelet-insecure-tls", |_| Severity::Error, None);
        for (at, _) in sources.text(file).match_indices("BAD") {
            let start = u32::try_from(at).expect("a short text");
            findings.at(&Origin::written(Span { file, start, end: start + 3 }), "", "");
        }
        let kept = apply(&sources, findings.into_vec()).kept;
        let lines = kept.into_iter().map(|it| {
            let line = sources.start(it.primary().expect("a label").span).line;
            match it.rule {
                RULE => format!("{line} {}; {}\n", it.message, it.help.unwrap_or_default()),
                rule => format!("{line} {rule}\n"),
            }
        });
        lines.collect()
    }

    #[test]
    fn on_the_line_and_above_it() {
        assert_snapshot!(left("
            //- a.yaml
            a: BAD # metrics-server-lint: ignore[kubelet-insecure-tls] as agreed
            # metrics-server-lint: ignore[kubelet-insecure-tls]
            # as agreed
            b: BAD
            c: BAD
        "), @"5 kubelet-insecure-tls");
    }

    #[test]
    fn one_of_several_for_a_line_counts() {
        assert_snapshot!(left("
            //- a.yaml
            # metrics-server-lint: ignore[kubelet-insecure-tls]
            # metrics-server-lint: ignore[kubelet-insecure-tls]
            a: BAD BAD
        "), @"2 there is no finding of `kubelet-insecure-tls` here to ignore; remove the comment, so that it does not hide a finding to come");
    }

    #[test]
    fn in_env_files_and_in_blocks() {
        assert_snapshot!(left("
            //- a.env
            # metrics-server-lint: ignore[kubelet-insecure-tls]
            A=BAD
            B=BAD
        "), @"3 kubelet-insecure-tls");
        // There it is part of the value.
        assert_snapshot!(left("
            //- a.env
            A=BAD # metrics-server-lint: ignore[kubelet-insecure-tls] as agreed
        "), @"
        1 kubelet-insecure-tls
        1 the comment is part of the value; write it alone on the line above
        ");
        assert_snapshot!(left("
            //- a.tf
            a = BAD # metrics-server-lint: ignore[kubelet-insecure-tls]
            // metrics-server-lint: ignore[kubelet-insecure-tls]
            b = BAD
        "), @"");
        assert_snapshot!(left("
            //- a.yaml
            data:
              x: |
                # metrics-server-lint: ignore[kubelet-insecure-tls]
                a: BAD
        "), @"");
    }

    #[test]
    fn what_counts_of_a_value_stands_before_a_comment() {
        let sources = fixture(
            "
            //- a.env
            A=BAD # metrics-server-lint: ignore[kubelet-insecure-tls]
            //- b.yaml
            b: BAD # more
        ",
        );
        for (path, start) in [("a.env", 2), ("b.yaml", 3)] {
            let file = sources.find(path).expect("it is there");
            let whole = Span::new(file, start..sources.line(file, 1).len());
            let part = before_comment(&sources, whole);
            let expected = if path == "a.env" { "BAD" } else { "BAD # more" };
            assert_eq!(sources.slice(part), expected);
        }
    }

    #[test]
    fn a_string_suppresses_nothing() {
        assert_snapshot!(left("
            //- a.yaml
            a: [BAD, '# metrics-server-lint: ignore[kubelet-insecure-tls]']
        "), @"1 kubelet-insecure-tls");
    }

    #[test]
    fn a_comment_in_the_quotes_of_a_value_is_found() {
        assert_snapshot!(left("
            //- a.yaml
            a: [\"BAD # metrics-server-lint: ignore[kubelet-insecure-tls] as agreed\"]
        "), @"
        1 kubelet-insecure-tls
        1 the comment is part of the value; write it behind the quotes
        ");
    }

    #[test]
    fn what_suppresses_nothing_is_found() {
        assert_snapshot!(left("
            //- a.yaml
            a: 1 # metrics-server-lint: ignore[kubelet-insecure-tls]
            b: 1 # metrics-server-lint: ignore[kubelet-insecure-tsl]
            c: 1 # metrics-server-lint: disable
        "), @"
        2 there is no rule `kubelet-insecure-tsl` to ignore; write `kubelet-insecure-tls`
        3 this comment cannot be understood; write `# metrics-server-lint: ignore[rule-id] reason`
        1 there is no finding of `kubelet-insecure-tls` here to ignore; remove the comment, so that it does not hide a finding to come
        ");
    }
}
