//! Environments side by side: the rows that somebody wrote or that differ, and what is left out.

use indexmap::{IndexMap, IndexSet};

use super::{Shown, one_line, value};
use crate::{
    model::Fact,
    settings::{FactRole, FactSubject, NamedFact, SubjectKind, subjects, words},
    source::Span,
    tree::Origin,
};

/// Environments that have the same metrics-servers, as a table.
#[derive(Debug)]
pub(super) struct Overview {
    /// The names of the environments of each column: those with the same values share one.
    pub columns: Vec<Vec<String>>,
    /// The rows of the cluster, then those of each metrics-server.
    pub sections: Vec<TableSection>,
    /// How many settings are left out that have a default.
    pub defaults: usize,
    /// How many that are not set.
    pub unset: usize,
    /// Names of settings that nobody can tell, by the reason and the environments that this is so in;
    /// no environment is all.
    pub unknown: Vec<(String, Vec<String>, Vec<String>)>,
}

/// Rows below a heading.
#[derive(Debug)]
pub(super) struct TableSection {
    /// What they are of; nothing for the cluster.
    pub heading: String,
    /// The rows.
    pub rows: Vec<SettingRow>,
}

/// One setting in each column.
#[derive(Debug)]
pub(super) struct SettingRow {
    pub name: String,
    pub cells: Vec<Cell>,
}

/// A setting in one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    /// The value in words.
    pub text: String,
    /// Whether it is `not set`, or nobody knows the value or takes it.
    pub state: CellState,
    /// Whether nobody wrote it.
    pub is_default: bool,
    /// Where it comes from, and what else is to be said.
    pub notes: Vec<CellNote>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellState {
    Told,
    Unset,
    Odd,
}

/// A place, with words unless it is just where the value is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CellNote {
    pub words: String,
    pub at: Option<Span>,
}

/// The environments of one table, each with what is in it.
type Members<'a> = Vec<(&'a str, Vec<FactSubject>)>;

/// `environments` as tables, one for all that have the same metrics-servers.
pub(super) fn overviews(environments: &[&Shown]) -> Vec<Overview> {
    let mut groups: IndexMap<Vec<String>, Members<'_>> = IndexMap::new();
    for (environment, cluster) in environments {
        let subjects = subjects(environment, cluster);
        let heads = servers(&subjects).map(heading).collect();
        groups.entry(heads).or_default().push((&environment.name, subjects));
    }
    groups.into_iter().map(|(heads, members)| overview(heads, &members)).collect()
}

fn servers(subjects: &[FactSubject]) -> impl Iterator<Item = &FactSubject> {
    subjects.iter().filter(|it| it.kind == SubjectKind::MetricsServer)
}

/// `kube-system/metrics-server (helm release, chart metrics-server)`
fn heading(server: &FactSubject) -> String {
    let of = |name: &str| {
        let setting = server.settings.iter().find(|it| it.name == name)?;
        setting.fact.value().map(ToString::to_string)
    };
    let how = of("installed_by").unwrap_or_default();
    let chart = of("chart").map_or_else(String::new, |it| format!(", chart {it}"));
    one_line(&format!("{} ({how}{chart})", server.name))
}

fn overview(heads: Vec<String>, members: &Members<'_>) -> Overview {
    let clusters: Vec<&FactSubject> = members.iter().filter_map(|(_, it)| it.first()).collect();
    let mut table = Overview {
        columns: members.iter().map(|(name, _)| vec![(*name).to_owned()]).collect(),
        sections: vec![TableSection { heading: String::new(), rows: Vec::new() }],
        defaults: 0,
        unset: 0,
        unknown: Vec::new(),
    };
    let is_shown = |all: &[Option<&NamedFact>]| {
        let mut told = all.iter().flatten();
        told.any(|it| matches!(&*it.name, "nodes" | "serving_certificates") || !it.fact.is_absent())
    };
    table.sections[0].rows = rows(&clusters, is_shown).map(|(row, _)| row).collect();
    for (index, heading) in heads.into_iter().enumerate() {
        let servers: Vec<&FactSubject> =
            members.iter().filter_map(|(_, it)| servers(it).nth(index)).collect();
        let rows = table.server(&servers);
        table.sections.push(TableSection { heading, rows });
    }
    table.share_columns();
    table
}

/// The settings of `subjects`, one for each column, that are to be shown, as rows.
fn rows<'a>(
    subjects: &'a [&'a FactSubject],
    is_shown: impl Fn(&[Option<&NamedFact>]) -> bool,
) -> impl Iterator<Item = (SettingRow, &'a str)> {
    by_name(subjects).into_iter().filter(move |(_, all)| is_shown(all)).map(|(name, all)| {
        let cells = all.into_iter().map(|it| it.map_or_else(Cell::unset, Cell::of)).collect();
        (SettingRow { name: one_line(&words(name)), cells }, name)
    })
}

/// The settings that count by themselves, by their names, in each of `subjects`.
fn by_name<'a>(subjects: &'a [&'a FactSubject]) -> IndexMap<&'a str, Vec<Option<&'a NamedFact>>> {
    let mut found: IndexMap<&str, Vec<Option<&NamedFact>>> = IndexMap::new();
    for (column, subject) in subjects.iter().enumerate() {
        for it in subject
            .settings
            .iter()
            .filter(|it| matches!(it.role, FactRole::Main | FactRole::Summary))
        {
            let cells = found.entry(&it.name).or_insert_with(|| vec![None; subjects.len()]);
            if let Some(cell) = cells.get_mut(column) {
                *cell = Some(it);
            }
        }
    }
    found
}

impl Overview {
    /// The rows of a metrics-server, which is one of `servers` in each column; counts what it leaves out.
    fn server(&mut self, servers: &[&FactSubject]) -> Vec<SettingRow> {
        let is_shown = |all: &[Option<&NamedFact>]| {
            let mut named = all.iter().zip(servers);
            let is_written = named.any(|(it, server)| {
                let is_version =
                    |it: &NamedFact| it.name == "chart_version" && !it.fact.is_absent();
                it.is_some_and(|it| is_version(it) || it.is_written(&server.anchor))
            });
            let told = all.iter().filter(|it| it.is_none_or(|it| !it.fact.is_unknown()));
            let values: IndexSet<String> =
                told.map(|it| it.map_or_else(Cell::unset, Cell::of).text).collect();
            let name = all.iter().flatten().next().map_or("", |it| &*it.name);
            !matches!(name, "installed_by" | "chart") && (is_written || values.len() > 1)
        };
        let mut shown = IndexSet::new();
        let rows = rows(servers, is_shown).map(|(row, name)| {
            shown.insert(name.to_owned());
            row
        });
        let rows: Vec<SettingRow> = rows.collect();
        let mut unknown: IndexMap<(String, String), Vec<String>> = IndexMap::new();
        for (name, all) in by_name(servers) {
            if shown.contains(name) || matches!(name, "installed_by" | "chart") {
                continue;
            }
            let told = |is: fn(&Fact<_>) -> bool| all.iter().flatten().any(|it| is(&it.fact));
            if told(|it| it.value().is_some()) {
                self.defaults += 1;
            } else if !told(Fact::is_unknown) {
                self.unset += 1;
            }
            for (setting, column) in all.iter().zip(&self.columns) {
                if let Some(Fact::Unknown(why, _)) = setting.map(|it| &it.fact) {
                    let key = (one_line(&words(name)), why.to_string());
                    unknown.entry(key).or_default().extend(column.iter().cloned());
                }
            }
        }
        let mut reasons: IndexMap<(String, Vec<String>), Vec<String>> = IndexMap::new();
        for ((name, why), mut environments) in unknown {
            if environments.len() == self.columns.len() {
                environments.clear();
            }
            reasons.entry((why, environments)).or_default().push(name);
        }
        let reasons = reasons.into_iter();
        self.unknown.extend(reasons.map(|((why, environments), names)| (why, environments, names)));
        rows
    }

    /// Puts environments with the same values into one column.
    fn share_columns(&mut self) {
        let mut kept: Vec<usize> = Vec::new();
        let rows = |it: &mut Self| -> Vec<Vec<String>> {
            let rows = it.sections.iter().flat_map(|it| &it.rows);
            rows.map(|it| it.cells.iter().map(|it| it.text.clone()).collect()).collect()
        };
        let texts = rows(self);
        let same = |a: usize, b: usize| texts.iter().all(|row| row.get(a) == row.get(b));
        for column in 0..self.columns.len() {
            let Some(first) = kept.iter().copied().find(|it| same(*it, column)) else {
                kept.push(column);
                continue;
            };
            let names = self.columns[column].clone();
            self.columns[first].extend(names);
            for row in self.sections.iter_mut().flat_map(|it| &mut it.rows) {
                let notes = row.cells[column].notes.clone();
                row.cells[first].add(notes);
            }
        }
        let take = |all: &mut Vec<Cell>| {
            *all = kept.iter().filter_map(|it| all.get(*it).cloned()).collect();
        };
        self.sections.iter_mut().flat_map(|it| &mut it.rows).for_each(|it| take(&mut it.cells));
        self.columns = kept.iter().filter_map(|it| self.columns.get(*it).cloned()).collect();
    }

    /// What the rows do not tell, as sentences.
    pub(super) fn rest(&self) -> Vec<String> {
        let mut rest: Vec<String> = self
            .unknown
            .iter()
            .map(|(why, environments, names)| {
                const NAMED: usize = 8;
                let of = match environments.as_slice() {
                    [] => String::new(),
                    some => format!(" in {}", some.join(", ")),
                };
                let mut list = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
                if names.len() > NAMED {
                    list = format!("{list}, +{}", names.len() - NAMED);
                }
                format!("unknown{of}, since {why}: {list}")
            })
            .collect();
        let of = |count: usize, what: &str| (count > 0).then(|| format!("{count} {what}"));
        let more = "more are defaults of the chart, the manifest, the program or Kubernetes";
        let counts: Vec<String> = [of(self.defaults, more), of(self.unset, "are not set")]
            .into_iter()
            .flatten()
            .collect();
        if !counts.is_empty() {
            rest.push(format!("{} (-v)", counts.join(", ")));
        }
        rest
    }
}

impl Cell {
    fn new(text: String, state: CellState) -> Self {
        Self { text, state, is_default: false, notes: Vec::new() }
    }

    fn unset() -> Self {
        Self::new(value(&Fact::Absent(None)), CellState::Unset)
    }

    fn of(setting: &NamedFact) -> Self {
        let (state, is_default) = match &setting.fact {
            Fact::Known(_, origin) => {
                (CellState::Told, origin.is_default() && setting.remarks.is_empty())
            }
            Fact::Absent(_) => (CellState::Unset, false),
            Fact::Unknown(..) | Fact::Invalid { .. } => (CellState::Odd, false),
        };
        let mut cell = Self { is_default, ..Self::new(value(&setting.fact), state) };
        let note = |words: &str, at: Option<Span>| CellNote { words: one_line(words), at };
        let remarks = setting.remarks.iter().map(|(words, at)| note(words, at.written_at()));
        let mut notes: Vec<CellNote> = remarks.collect();
        match &setting.fact {
            _ if !notes.is_empty() => {}
            Fact::Known(_, origin) => {
                let ways = std::iter::once(origin.clone()).chain(origin.also());
                let written = ways.filter(|it| !it.is_default());
                notes.extend(written.map(|it| note("", it.written_at())));
            }
            Fact::Absent(None) => {}
            Fact::Absent(Some(by)) => notes.push(note("taken away", by.written_at())),
            Fact::Unknown(why, at) => {
                notes.push(note(why, at.as_ref().and_then(Origin::written_at)));
            }
            Fact::Invalid { why, origin, .. } => notes.push(note(why, origin.written_at())),
        }
        notes.retain(|it| !it.words.is_empty() || it.at.is_some());
        cell.add(notes);
        cell
    }

    fn add(&mut self, notes: Vec<CellNote>) {
        for note in notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }

    /// Whether it says the same.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        (&self.text, self.state) == (&other.text, other.state)
    }
}
