//! What differs between two trees, for people.

mod json;
mod markdown;

pub(crate) use json::diff_json;
pub(crate) use markdown::diff_markdown;

use std::collections::BTreeSet;

use indexmap::IndexMap;
use unicode_width::UnicodeWidthStr as _;

use crate::{
    cli::Verbosity,
    compare::{Comparison, EnvironmentChange, NameChange, SettingChange, SubjectChange, TreeSide},
    finding::Finding,
    model::Fact,
    report::{
        TerminalOptions, count, filled,
        show::{one_line, place, value},
    },
    settings::{SubjectKind, words},
    source::{Sources, Span},
};

/// Two trees and what differs between them.
pub(crate) struct Compared<'a> {
    /// The files of the old tree.
    pub base: &'a Sources,
    /// The files of the new tree.
    pub head: &'a Sources,
    /// What differs.
    pub comparison: Comparison,
}

/// The line that changes something, and the tree that it is in.
type Cause = Option<(TreeSide, Span)>;

/// What changes in the same environments.
#[derive(Default)]
struct ChangeGroup<'a> {
    subjects: Vec<&'a SubjectChange>,
    /// By what they are settings of.
    settings: IndexMap<(SubjectKind, &'a str), SettingGroup<'a>>,
}

/// The settings of one thing that change: by themselves, and those that follow from one line.
#[derive(Default)]
struct SettingGroup<'a> {
    own: Vec<&'a SettingChange>,
    /// Several that nobody can tell any more, by the reason and the line.
    unknown: IndexMap<(String, Cause), Vec<&'a SettingChange>>,
    following: IndexMap<Cause, Vec<&'a SettingChange>>,
}

impl Compared<'_> {
    /// The files of a tree.
    fn of(&self, side: TreeSide) -> &Sources {
        match side {
            TreeSide::Base => self.base,
            TreeSide::Head => self.head,
        }
    }

    /// What changes, by the environments in which it does.
    fn groups(&self) -> IndexMap<&[String], ChangeGroup<'_>> {
        let mut groups: IndexMap<&[String], ChangeGroup<'_>> = IndexMap::new();
        for it in &self.comparison.subjects {
            groups.entry(&it.environments).or_default().subjects.push(it);
        }
        for it in &self.comparison.settings {
            let group = groups.entry(&it.environments).or_default();
            let group = group.settings.entry((it.kind, &it.subject)).or_default();
            match &it.new {
                Fact::Unknown(why, _) if !it.old.is_unknown() => {
                    group.unknown.entry((one_line(why), it.cause)).or_default().push(it);
                }
                _ if it.follows => group.following.entry(it.cause).or_default().push(it),
                _ => group.own.push(it),
            }
        }
        for group in groups.values_mut().flat_map(|it| it.settings.values_mut()) {
            let few = group.unknown.extract_if(.., |_, all| all.len() < SEVERAL);
            group.own.extend(few.flat_map(|(_, all)| all).collect::<Vec<_>>());
        }
        groups
    }

    /// `2 settings change in 1 of 3 environments; 1 finding appears`
    fn headline(&self) -> String {
        let Comparison { names, subjects, settings, appear, disappear, files, .. } =
            &self.comparison;
        let verb = |number: usize, one: &str, verb: &str| {
            let s = if number == 1 { "s" } else { "" };
            (number > 0).then(|| format!("{} {verb}{s}", count(number, one)))
        };
        let named =
            |change: fn(&NameChange) -> bool| names.iter().filter(|it| change(&it.change)).count();
        let mut parts: Vec<String> = Vec::new();
        match self.comparison.others.len() {
            _ if !self.comparison.changes_nothing() => {}
            0 => parts.push("no effective setting changes".to_owned()),
            others => {
                let others = verb(others, "object", "differ").unwrap_or_default();
                parts.push(format!("what is judged stays the same; {others} otherwise"));
            }
        }
        parts.extend(verb(named(|it| *it == NameChange::Appears), "environment", "appear"));
        parts.extend(verb(named(|it| *it == NameChange::Disappears), "environment", "disappear"));
        let renamed = named(|it| matches!(it, NameChange::WasCalled(_)));
        if renamed > 0 {
            let s = if renamed == 1 { "is" } else { "are" };
            parts.push(format!("{} {s} renamed and nothing else", count(renamed, "environment")));
        }
        let renamed = named(|it| matches!(it, NameChange::ProbablyWas(_)));
        if renamed > 0 {
            let s = if renamed == 1 { "is" } else { "are" };
            parts.push(format!("{} {s} renamed and changed", count(renamed, "environment")));
        }
        for kind in KINDS {
            for (side, what) in [(TreeSide::Head, "appear"), (TreeSide::Base, "disappear")] {
                let number =
                    subjects.iter().filter(|it| (it.kind, it.side) == (kind, side)).count();
                parts.extend(match kind {
                    SubjectKind::Kubelets => verb(number, "group", &format!("of kubelets {what}")),
                    kind => verb(number, kind.words(), what),
                });
            }
        }
        if !settings.is_empty() {
            let own = settings.iter().filter(|it| !it.follows).count();
            let following = settings.len() - own;
            let environments: BTreeSet<&String> =
                settings.iter().flat_map(|it| &it.environments).collect();
            let what = match (verb(own, "setting", "change"), following) {
                (Some(own), 0) => own,
                (Some(own), following) => format!("{own} with {}", count(following, "default")),
                (None, _) => verb(following, "default", "change").unwrap_or_default(),
            };
            parts.push(format!("{what} {}", self.among(environments.len())));
        }
        parts.extend(verb(appear.len(), "finding", "appear"));
        parts.extend(verb(disappear.len(), "finding", "disappear"));
        if let Some(files) = files {
            parts.push(match verb(*files, "file", "differ") {
                Some(files) => files,
                None => "the trees are the same".to_owned(),
            });
        }
        let text = parts.join("; ");
        let mut characters = text.chars();
        let first = characters.next().map(|it| it.to_ascii_uppercase());
        first.into_iter().chain(characters).collect()
    }

    /// `in 1 of 3 environments`
    fn among(&self, number: usize) -> String {
        match self.comparison.environments.len() {
            1 => "in the only environment".to_owned(),
            2 if number == 2 => "in both environments".to_owned(),
            all if all == number => format!("in all {all} environments"),
            all => format!("in {number} of {all} environments"),
        }
    }

    /// `dev, prod`, and whether these are all.
    fn names(&self, environments: &[String]) -> String {
        let all = self.comparison.environments.len();
        let names = environments.iter().map(|it| one_line(it)).collect::<Vec<_>>().join(", ");
        if environments.len() == all && all > 1 {
            format!("all environments: {names}")
        } else {
            names
        }
    }

    /// Where it is written now, or where it was.
    fn cause(&self, cause: Cause) -> String {
        match cause {
            Some((TreeSide::Head, at)) => place(self.head, Some(at)),
            Some((TreeSide::Base, at)) => format!("was at {}", place(self.base, Some(at))),
            None => String::new(),
        }
    }
}

impl<'a> SettingGroup<'a> {
    /// The defaults that follow from `change`: no other setting has its line and has any.
    fn following(&self, change: &SettingChange) -> Option<&[&'a SettingChange]> {
        let first = self.own.iter().find(|it| it.cause == change.cause)?;
        let all = self.following.get(&change.cause).filter(|_| change.cause.is_some())?;
        (first.name == change.name).then_some(all)
    }

    /// The defaults that follow from something else, each time with its line.
    fn others(&self) -> impl Iterator<Item = (Cause, &[&'a SettingChange])> {
        let is_own =
            |cause: &Cause| cause.is_some() && self.own.iter().any(|it| it.cause == *cause);
        let others = self.following.iter().filter(move |(cause, _)| !is_own(cause));
        others.map(|(cause, all)| (*cause, &**all))
    }
}

/// So many settings that become unknown for one reason are told together.
const SEVERAL: usize = 3;

const KINDS: [SubjectKind; 5] = [
    SubjectKind::MetricsServer,
    SubjectKind::Kubelets,
    SubjectKind::Approver,
    SubjectKind::ApiService,
    SubjectKind::Autoscaler,
];

/// The old and the new value in words. One that nobody wrote beside one that somebody did is marked.
fn values(change: &SettingChange) -> [String; 2] {
    [&change.old, &change.new].map(|fact| match fact {
        Fact::Known(_, origin) if origin.is_default() && !change.follows => {
            format!("{} (default)", value(fact))
        }
        fact => value(fact),
    })
}

/// The names of the settings, of many the first ones.
fn names(all: &[&SettingChange]) -> String {
    const NAMED: usize = 12;
    let names = all.iter().take(NAMED).map(|it| words(&it.name)).collect::<Vec<_>>().join(", ");
    if all.len() > NAMED { format!("{names}, +{}", all.len() - NAMED) } else { names }
}

/// Why nobody can tell the new value, or takes it.
fn why(change: &SettingChange) -> Option<String> {
    change.new.untold().map(|(why, _)| one_line(why))
}

/// What becomes of an environment, in words.
fn name_change(change: &EnvironmentChange) -> (char, String) {
    let name = one_line(&change.name);
    let holds = change.holds.iter().map(|it| one_line(it)).collect::<Vec<_>>().join(", ");
    let holds = if holds.is_empty() { holds } else { format!(" with {holds}") };
    match &change.change {
        NameChange::Appears => ('+', format!("environment {name}{holds}")),
        NameChange::Disappears => ('-', format!("environment {name}{holds}")),
        NameChange::WasCalled(old) => {
            let old = one_line(old);
            ('~', format!("environment {name} was called {old}; all in it is the same"))
        }
        NameChange::ProbablyWas(old) => {
            ('~', format!("environment {name} was probably called {}", one_line(old)))
        }
    }
}

/// What differs, as text.
pub(crate) fn diff(compared: &Compared<'_>, look: TerminalOptions, detail: Verbosity) -> String {
    let page = Page { compared, look };
    let mut out = look.paint("1", &page.filled("", &compared.headline()));
    out.push('\n');
    if detail == Verbosity::Quiet {
        return out;
    }
    let mut parts: Vec<String> = Vec::new();
    let names = compared.comparison.names.iter().map(|it| {
        let (mark, text) = name_change(it);
        page.item("", mark, &text)
    });
    parts.push(names.collect());
    for (environments, group) in compared.groups() {
        let mut text = look.paint("1", &page.filled("", &compared.names(environments)));
        text.push('\n');
        for it in group.subjects {
            let (mark, sources) = match it.side {
                TreeSide::Base => ('-', compared.base),
                TreeSide::Head => ('+', compared.head),
            };
            let at = it.at.map_or_else(String::new, |at| format!("  {}", place(sources, Some(at))));
            let what = format!("{} {}{at}", it.kind.words(), one_line(&it.name));
            text += &page.item("  ", mark, &what);
        }
        for ((kind, subject), settings) in &group.settings {
            text += &page.settings(*kind, subject, settings);
        }
        parts.push(text);
    }
    let findings = [
        ('+', "findings that appear", &compared.comparison.appear, compared.head),
        ('-', "findings that disappear", &compared.comparison.disappear, compared.base),
    ];
    for (mark, heading, findings, sources) in findings.into_iter().filter(|it| !it.2.is_empty()) {
        let told = findings.iter().map(|it| page.item("  ", mark, &told(sources, it)));
        parts.push(look.paint("1", heading) + "\n" + &told.collect::<String>());
    }
    let others = compared.comparison.others.iter().map(|it| page.item("  ", '~', &one_line(it)));
    parts.push(others.collect());
    for part in parts.iter().filter(|it| !it.is_empty()) {
        out.push('\n');
        out += part;
    }
    out
}

/// `error[rule]: sentence (path:7), in prod`
fn told(sources: &Sources, finding: &Finding) -> String {
    let Finding { severity, rule, message, environments, .. } = finding;
    let at = finding
        .primary()
        .map_or_else(String::new, |it| format!("\n{}", place(sources, Some(it.span))));
    let names = environments.iter().map(|it| one_line(it)).collect::<Vec<_>>().join(", ");
    let of = if names.is_empty() { names } else { format!("\nin {names}") };
    format!("{}[{rule}]: {message}{at}{of}", severity.id())
}

/// Text that is as wide as the terminal.
struct Page<'a> {
    compared: &'a Compared<'a>,
    look: TerminalOptions,
}

impl Page<'_> {
    /// `text` below `indent`, broken between words.
    fn filled(&self, indent: &str, text: &str) -> String {
        let rest = format!("\n{indent}");
        let text = filled(text, indent.width(), indent.width(), self.look.width);
        format!("{indent}{}", text.replace('\n', &rest))
    }

    /// A line with a mark that says what becomes of it, in the mark's colour.
    fn item(&self, indent: &str, mark: char, text: &str) -> String {
        let code = match mark {
            '+' => "32",
            '-' => "31",
            _ => "33",
        };
        let lines = self.filled(&format!("{indent}  "), text);
        let mut lines = lines.split('\n');
        let first = lines.next().unwrap_or_default().trim_start().to_owned();
        let mut out = format!("{indent}{} {first}\n", self.look.paint(code, &mark.to_string()));
        for line in lines {
            out += &self.look.paint("2", line);
            out.push('\n');
        }
        out
    }

    fn settings(&self, kind: SubjectKind, subject: &str, group: &SettingGroup<'_>) -> String {
        let heading = match kind {
            SubjectKind::Cluster => "the cluster".to_owned(),
            SubjectKind::MetricsServer => one_line(subject),
            kind => format!("{} {}", kind.words(), one_line(subject)),
        };
        let mut out = format!("  {heading}\n");
        let width = |all: &[&SettingChange]| {
            let widths = all.iter().map(|it| words(&it.name).width());
            widths.filter(|it| *it <= 34).max().unwrap_or(0)
        };
        let following = |out: &mut String, indent: &str, all: &[&SettingChange]| {
            for it in all {
                *out += &self.setting(indent, it, width(all), false);
            }
        };
        for it in &group.own {
            out += &self.setting("    ", it, width(&group.own), true);
            if let Some(all) = group.following(it) {
                out += &format!("      and with it {}\n", count(all.len(), "default"));
                following(&mut out, "      ", all);
            }
        }
        for ((why, cause), all) in &group.unknown {
            let at = self.compared.cause(*cause);
            let lead = format!("{} become unknown: {why}", count(all.len(), "setting"));
            out += &self.beside("    ~ ", &lead, &at);
            out += &self.below("    ", &names(all));
        }
        for (cause, all) in group.others() {
            let at = self.compared.cause(cause);
            out += &self.beside("    ~ ", &format!("{} change", count(all.len(), "default")), &at);
            following(&mut out, "      ", all);
        }
        out
    }

    /// `~ memory limit  256Mi → 512Mi  path:7`, on more lines where it is too long.
    fn setting(&self, indent: &str, change: &SettingChange, names: usize, placed: bool) -> String {
        let look = self.look;
        let [old, new] = values(change);
        let mark = match (&change.old, &change.new) {
            (Fact::Absent(_), _) => look.paint("32", "+"),
            (_, Fact::Absent(_)) => look.paint("31", "-"),
            _ => look.paint("33", "~"),
        };
        let arrow = if look.unicode { "→" } else { "->" };
        let name = one_line(&words(&change.name));
        let gap = " ".repeat(names.saturating_sub(name.width()) + 2);
        let lead = indent.width() + 2 + name.width() + gap.width();
        let at = if placed { self.compared.cause(change.cause) } else { String::new() };
        let at = match why(change) {
            Some(why) if at.is_empty() => why,
            Some(why) => format!("{why}\n{at}"),
            None => at,
        };
        let painted = [("31", &old), ("32", &new)].map(|(code, it)| look.paint(code, it));
        let used = lead + old.width() + new.width() + arrow.width() + 2;
        if used <= look.width {
            let line = format!("{indent}{mark} {name}{gap}{} {arrow} {}", painted[0], painted[1]);
            if !at.contains('\n') && used + 2 + at.width() <= look.width {
                return (line + "  " + &look.paint("2", &at)).trim_end().to_owned() + "\n";
            }
            return line + "\n" + &self.below(indent, &at);
        }
        let mut out = format!("{indent}{mark} {name}\n");
        for (code, mark, text) in [("31", "-", old), ("32", "+", new)] {
            let text = self.filled(&format!("{indent}      "), &text);
            out += &format!(
                "{indent}    {} {}\n",
                look.paint(code, mark),
                look.paint(code, text.trim_start())
            );
        }
        out + &self.below(indent, &at)
    }

    fn below(&self, indent: &str, text: &str) -> String {
        let lines = self.filled(&format!("{indent}    "), text);
        let lines = lines.split('\n').filter(|it| !it.trim().is_empty());
        lines.map(|it| self.look.paint("2", it) + "\n").collect()
    }

    /// `lead  at`, on two lines where it is too long.
    fn beside(&self, indent: &str, lead: &str, at: &str) -> String {
        let used = indent.width() + lead.width() + 2 + at.width();
        if used <= self.look.width || at.is_empty() {
            return format!("{indent}{lead}  {}", self.look.paint("2", at)).trim_end().to_owned()
                + "\n";
        }
        let lead = self.filled(&" ".repeat(indent.width()), lead);
        format!("{indent}{}\n{}", lead.trim_start(), self.below(&" ".repeat(indent.len() - 2), at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_an_environment_held_is_named() {
        let holds: Vec<String> = (0..20).map(|it| format!("kubelets talos pool-{it}")).collect();
        let change = NameChange::Disappears;
        let change = EnvironmentChange { name: "prod\u{1b}".to_owned(), change, holds };
        let (mark, text) = name_change(&change);
        assert!(mark == '-' && text.ends_with("pool-19") && !text.contains('\u{1b}'), "{text}");
    }
}
