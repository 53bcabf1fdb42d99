//! What differs between two trees, for a comment on a pull request or the summary of a pipeline.

use super::{ChangeGroup, Compared, name_change, values, why};
use crate::{
    compare::{SettingChange, TreeSide},
    report::{
        TOOL, count,
        markdown::{COMMENT, inline},
        show::{code, escaped, place, row},
    },
    settings::{SubjectKind, words},
};

/// What differs, as Markdown that fits into a comment.
pub(crate) fn diff_markdown(compared: &Compared<'_>) -> String {
    let mut out = format!("### {TOOL}: {}\n", inline(&compared.headline()));
    let mut left_out = 0;
    for part in parts(compared) {
        // What says that something is left out needs its place.
        if out.len() + part.len() + 200 > COMMENT {
            left_out += 1;
        } else {
            out.push('\n');
            out += &part;
        }
    }
    if left_out > 0 {
        let left_out = count(left_out, "more part");
        out += &format!(
            "\n_{left_out} would not fit into the {COMMENT} bytes of a comment: see `diff` without `--format`._\n"
        );
    }
    out
}

fn parts(compared: &Compared<'_>) -> Vec<String> {
    let mut parts = Vec::new();
    let names = compared.comparison.names.iter().map(|it| {
        let (mark, text) = name_change(it);
        format!("- {} {}\n", marked(mark), inline(&text))
    });
    parts.push(names.collect::<String>());
    for (environments, group) in compared.groups() {
        let heading = inline(&compared.names(environments));
        parts.extend(of_group(compared, &group).into_iter().enumerate().map(|(index, part)| {
            if index == 0 { format!("#### {heading}\n\n{part}") } else { part }
        }));
    }
    let findings = [
        ('+', &compared.comparison.appear, compared.head),
        ('-', &compared.comparison.disappear, compared.base),
    ];
    for (mark, findings, sources) in findings {
        let mut list = findings.iter().map(|it| {
            let at = it.primary().map_or_else(String::new, |it| {
                format!(" ({})", code(&place(sources, Some(it.span))))
            });
            let names: Vec<&str> = it.environments.iter().map(String::as_str).collect();
            let of =
                if names.is_empty() { String::new() } else { format!(", in {}", names.join(", ")) };
            let message = inline(&it.message);
            let what = code(&format!("{}[{}]", it.severity.id(), it.rule));
            format!("- {} {what} {message}{at}{}\n", marked(mark), inline(&of))
        });
        let first: Vec<String> = list.by_ref().take(1).collect();
        if !first.is_empty() {
            let heading = if mark == '+' { "that appear" } else { "that disappear" };
            parts.push(format!("#### Findings {heading}\n\n{}", first.concat()));
        }
        parts.extend(list);
    }
    parts.retain(|it| !it.is_empty());
    parts
}

/// A mark in words.
fn marked(mark: char) -> &'static str {
    match mark {
        '+' => "**new**",
        '-' => "**gone**",
        _ => "**renamed**",
    }
}

fn of_group(compared: &Compared<'_>, group: &ChangeGroup<'_>) -> Vec<String> {
    let subjects = group.subjects.iter().map(|it| {
        let mark = if it.side == TreeSide::Head { '+' } else { '-' };
        let at = it.at.map_or_else(String::new, |at| {
            format!(" ({})", code(&place(compared.of(it.side), Some(at))))
        });
        format!("- {} {} {}{at}\n", marked(mark), it.kind.words(), code(&it.name))
    });
    let mut parts = vec![subjects.collect::<String>()];
    for ((kind, subject), settings) in &group.settings {
        let subject = match kind {
            SubjectKind::Cluster => "the cluster".to_owned(),
            SubjectKind::MetricsServer => escaped(subject),
            kind => escaped(&format!("{} {subject}", kind.words())),
        };
        if !settings.own.is_empty() {
            parts.push(table(compared, &subject, &settings.own));
        }
        for ((why, cause), all) in &settings.unknown {
            let at = compared.cause(*cause);
            let at = if at.is_empty() { at } else { format!(" ({})", code(&at)) };
            let (count, names) = (count(all.len(), "setting"), super::names(all));
            let (why, names) = (inline(why), inline(&names));
            parts.push(format!("- {subject}: {count} become unknown: {why}{at}: {names}\n"));
        }
        let of = settings.own.iter().filter_map(|it| {
            Some((format!("the new {} changes", words(&it.name)), settings.following(it)?))
        });
        let others = settings.others().map(|(_, all)| ("in all,".to_owned(), all));
        for (lead, all) in of.chain(others) {
            let lead = escaped(&format!("{lead} {}", count(all.len(), "default")));
            let table = table(compared, &subject, all);
            parts.push(format!("<details><summary>{lead}</summary>\n\n{table}\n</details>\n"));
        }
    }
    parts.retain(|it| !it.is_empty());
    parts
}

fn table(compared: &Compared<'_>, subject: &str, changes: &[&SettingChange]) -> String {
    let heads = ["before", "after", "where"].map(str::to_owned);
    let mut out = row(subject, heads.into_iter());
    out += &row("---", ["---"; 3].map(str::to_owned).into_iter());
    for it in changes {
        let at = compared.cause(it.cause);
        let at = if at.is_empty() { at } else { code(&at) };
        let [old, new] = values(it).map(|it| code(&it));
        let new = match why(it) {
            Some(why) => format!("{new}<br>{}", escaped(&why)),
            None => new,
        };
        out += &row(&escaped(&words(&it.name)), [old, new, at].into_iter());
    }
    out
}
