//! What differs between two trees in what every environment would run.

mod objects;

pub(crate) use objects::objects_that_differ;

use std::collections::{BTreeMap, BTreeSet};

use indexmap::{IndexMap, IndexSet};
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use crate::{
    finding::Finding,
    model::{Datum, Fact, Meaning},
    settings::{FactRole, FactSubject, NamedFact, SubjectKind},
    source::{self, Sources, Span},
    tree::Via,
};

/// A tree, as far as its environments are compared.
#[derive(Debug)]
pub(crate) struct ComparedTree {
    /// Its files.
    pub sources: Sources,
    /// Its environments, each with what is in it.
    pub environments: Vec<NamedSubjects>,
}

/// An environment's name, and what it comes to.
pub(crate) type NamedSubjects = (String, Vec<FactSubject>);

/// What differs.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    /// The environments of both trees, under their new names.
    pub environments: Vec<String>,
    /// The environments that come, go, or are called otherwise.
    pub names: Vec<EnvironmentChange>,
    /// What comes and goes in environments that stay.
    pub subjects: Vec<SubjectChange>,
    /// The settings that change.
    pub settings: Vec<SettingChange>,
    /// The findings that only the new tree has.
    pub appear: Vec<Finding>,
    /// The findings that only the old tree has.
    pub disappear: Vec<Finding>,
    /// How many files differ; only told when nothing else does.
    pub files: Option<usize>,
    /// Where nothing of that differs, the objects that differ all the same, in what is not judged.
    pub others: Vec<String>,
}

/// Which tree something stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum TreeSide {
    /// The old one.
    Base,
    /// The new one.
    Head,
}

/// An environment that is not in both trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EnvironmentChange {
    /// Its name; the new one, if it has two.
    pub name: String,
    /// What becomes of it.
    pub change: NameChange,
    /// What of our subject is in it.
    pub holds: Vec<String>,
}

/// What becomes of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NameChange {
    /// It is new.
    Appears,
    /// It is there no more.
    Disappears,
    /// It was called this, and all in it is the same.
    WasCalled(String),
    /// It was called this as far as anybody can tell: most of what somebody wrote is the same, and no
    /// other environment comes close.
    ProbablyWas(String),
}

/// Something that is only in one of the trees.
#[derive(Debug, Clone)]
pub(crate) struct SubjectChange {
    /// The environments in which that is so.
    pub environments: Vec<String>,
    /// What it is.
    pub kind: SubjectKind,
    /// What it is called.
    pub name: String,
    /// Which tree it is in.
    pub side: TreeSide,
    /// Where it stands there.
    pub at: Option<Span>,
}

/// A setting that has another value.
#[derive(Debug, Clone)]
pub(crate) struct SettingChange {
    /// The environments in which it changes so.
    pub environments: Vec<String>,
    /// What it is a setting of.
    pub kind: SubjectKind,
    /// What that is called.
    pub subject: String,
    /// What it is called.
    pub name: String,
    /// The old value, which stands in the old tree.
    pub old: Fact<Datum>,
    /// The new value, which stands in the new tree.
    pub new: Fact<Datum>,
    /// The line that changes it: in the new tree where it is written now, or in the old one where it
    /// was written.
    pub cause: Option<(TreeSide, Span)>,
    /// Whether it is a default that follows from what changes at that line.
    pub follows: bool,
}

/// What a setting comes to, whatever the reason and the place.
#[derive(Debug, Clone, PartialEq, Eq)]
enum FactState {
    Known(Meaning),
    Absent,
    Unknown,
    Invalid(String),
}

impl FactState {
    fn of(fact: &Fact<Datum>) -> Self {
        match fact {
            Fact::Known(value, _) => Self::Known(value.meaning()),
            Fact::Absent(_) => Self::Absent,
            Fact::Unknown(..) => Self::Unknown,
            Fact::Invalid { text, .. } => Self::Invalid(text.clone()),
        }
    }
}

/// What differs between `base` and `head`, but for findings.
pub(crate) fn compare(base: &[NamedSubjects], head: &[NamedSubjects]) -> Comparison {
    let mut found = Comparison::default();
    let renamed = found.name_changes(base, head);
    found.environments = head.iter().map(|(name, _)| name.clone()).collect();
    let now = by_name(head);
    for (name, subjects) in base {
        let name = renamed.get(&**name).map_or(&**name, |it| it);
        match now.get(name) {
            Some(now) => found.environment(name, subjects, now),
            None => found.environments.push(name.to_owned()),
        }
    }
    found
}

impl Comparison {
    /// Whether nothing differs that is judged.
    pub(crate) fn is_empty(&self) -> bool {
        self.changes_nothing() && self.appear.is_empty() && self.disappear.is_empty()
    }

    /// Whether every environment comes to the same.
    pub(crate) fn changes_nothing(&self) -> bool {
        self.settings.is_empty() && self.subjects.is_empty() && self.names.is_empty()
    }

    /// Finds environments that are not in both trees; the new names of those that have another one, by
    /// the old ones.
    fn name_changes<'a>(
        &mut self,
        base: &'a [NamedSubjects],
        head: &'a [NamedSubjects],
    ) -> BTreeMap<&'a str, &'a str> {
        let (was, now) = (by_name(base), by_name(head));
        let only = |all: &'a [NamedSubjects], other: &BTreeMap<&str, &[FactSubject]>| -> Vec<_> {
            let all = all.iter().filter(|(name, _)| !other.contains_key(&**name));
            all.map(|(name, subjects)| LoneEnvironment::new(name, subjects)).collect()
        };
        let (gone, new) = (only(base, &now), only(head, &was));
        let pairs = LoneEnvironment::pairs(&gone, &new);
        let mut renamed = BTreeMap::new();
        for (index, it) in gone.iter().enumerate() {
            let Some((at, same)) = pairs.get(&index) else {
                self.name(it.name, NameChange::Disappears, it.subjects);
                continue;
            };
            let was = it.name.to_owned();
            let change =
                if *same { NameChange::WasCalled(was) } else { NameChange::ProbablyWas(was) };
            self.name(new[*at].name, change, new[*at].subjects);
            renamed.insert(it.name, new[*at].name);
        }
        for (_, it) in left(&new, pairs.values().map(|(at, _)| *at)) {
            self.name(it.name, NameChange::Appears, it.subjects);
        }
        renamed
    }

    fn name(&mut self, name: &str, change: NameChange, subjects: &[FactSubject]) {
        let holds = subjects.iter().filter(|it| it.kind != SubjectKind::Cluster);
        let mut holds: Vec<String> = holds.map(FactSubject::words).collect();
        holds.dedup();
        self.names.push(EnvironmentChange { name: name.to_owned(), change, holds });
    }

    /// Compares what an environment has.
    fn environment(&mut self, name: &str, base: &[FactSubject], head: &[FactSubject]) {
        let (pairs, old, new) = matched(base, head);
        for (old, new) in pairs {
            self.subject(name, old, new);
        }
        let old = old.into_iter().map(|it| (TreeSide::Base, it));
        for (side, it) in old.chain(new.into_iter().map(|it| (TreeSide::Head, it))) {
            let same = |other: &&mut SubjectChange| {
                (other.kind, &other.name, other.side) == (it.kind, &it.name, side)
            };
            match self.subjects.iter_mut().find(same) {
                Some(known) => add(&mut known.environments, name),
                None => self.subjects.push(SubjectChange {
                    environments: vec![name.to_owned()],
                    kind: it.kind,
                    name: it.name.clone(),
                    side,
                    at: it.anchor.written_at(),
                }),
            }
        }
    }

    /// Compares the settings of one thing.
    fn subject(&mut self, environment: &str, old: &FactSubject, new: &FactSubject) {
        let settings = old.settings.iter().chain(&new.settings).filter(|it| is_compared(it));
        let names: IndexSet<&str> = settings.map(|it| &*it.name).collect();
        let fact = |subject: &FactSubject, name: &str| {
            let setting = subject.settings.iter().find(|it| it.name == name);
            setting.map_or(Fact::Absent(None), |it| it.fact.clone())
        };
        // What defaults follow from: the chart's version, else the image.
        let release = ["chart_version", "image"].iter().find_map(|name| {
            let (old, new) = (fact(old, name), fact(new, name));
            let (at, follows) = cause(&old, &new, None);
            at.filter(|_| !follows && FactState::of(&old) != FactState::of(&new))
        });
        let mut changes: Vec<(&str, Fact<Datum>, Fact<Datum>)> = Vec::new();
        let name = |it: &FactSubject| Fact::Known(Datum::Text(it.name.clone()), it.anchor.clone());
        if old.kind == SubjectKind::MetricsServer && old.is_named() && new.is_named() {
            changes.push(("name", name(old), name(new)));
        }
        changes.extend(names.into_iter().map(|it| (it, fact(old, it), fact(new, it))));
        for (name, was, now) in changes {
            let states = (FactState::of(&was), FactState::of(&now));
            if states.0 == states.1 {
                continue;
            }
            let (cause, follows) = cause(&was, &now, release);
            let same = |it: &&mut SettingChange| {
                (it.kind, &*it.subject, &*it.name) == (new.kind, &*new.name, name)
                    && (it.cause, it.follows) == (cause, follows)
                    && (FactState::of(&it.old), FactState::of(&it.new)) == states
            };
            match self.settings.iter_mut().find(same) {
                Some(known) => add(&mut known.environments, environment),
                None => self.settings.push(SettingChange {
                    environments: vec![environment.to_owned()],
                    kind: new.kind,
                    subject: new.name.clone(),
                    name: name.to_owned(),
                    old: was,
                    new: now,
                    cause,
                    follows,
                }),
            }
        }
    }
}

/// What the environments of `tree` come to, by their names.
fn by_name(all: &[NamedSubjects]) -> BTreeMap<&str, &[FactSubject]> {
    all.iter().map(|(name, subjects)| (&**name, &**subjects)).collect()
}

/// An environment whose name is only in one of the trees.
struct LoneEnvironment<'a> {
    name: &'a str,
    subjects: &'a [FactSubject],
    /// All that it comes to, as one text.
    content: String,
    /// What somebody wrote: the setting, and what it comes to.
    written: BTreeMap<String, String>,
}

impl<'a> LoneEnvironment<'a> {
    fn new(name: &'a str, subjects: &'a [FactSubject]) -> Self {
        let mut written = BTreeMap::new();
        for subject in subjects {
            let of = label(subject);
            let settings = subject.settings.iter().filter(|it| is_compared(it));
            for it in settings.filter(|it| it.is_written(&subject.anchor)) {
                let state = format!("{:?}", FactState::of(&it.fact));
                written.insert(format!("{} {of} {}", subject.kind.words(), it.name), state);
            }
        }
        Self { name, subjects, content: format!("{:?}", content(subjects)), written }
    }

    /// Those of `gone` that are in `new` under another name, by their indices, and whether all in it is
    /// the same.
    fn pairs(gone: &[Self], new: &[Self]) -> BTreeMap<usize, (usize, bool)> {
        let mut by_content: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, it) in new.iter().enumerate().rev().filter(|(_, it)| it.subjects.len() > 1) {
            by_content.entry(&it.content).or_default().push(index);
        }
        let mut pairs = BTreeMap::new();
        for (index, it) in gone.iter().enumerate() {
            let same = by_content.get_mut(&*it.content).and_then(Vec::pop);
            pairs.extend(same.map(|at| (index, (at, true))));
        }
        // Only those are looked at that share what few have, so that not every two are compared.
        let of_gone = Self::index(left(gone, pairs.keys().copied()));
        let of_new = Self::index(left(new, pairs.values().map(|(at, _)| *at)));
        let candidates: BTreeSet<(usize, usize)> = of_gone
            .iter()
            .filter_map(|(key, gone)| Some((gone, of_new.get(key)?)))
            .filter(|(gone, new)| gone.len().max(new.len()) <= FEW)
            .flat_map(|(gone, new)| {
                gone.iter().flat_map(move |it| new.iter().map(move |at| (*it, *at)))
            })
            .filter(|(it, at)| gone[*it].is_like(&new[*at]))
            .collect();
        let (mut of_each_gone, mut of_each_new) = (vec![0; gone.len()], vec![0; new.len()]);
        for (it, at) in &candidates {
            of_each_gone[*it] += 1;
            of_each_new[*at] += 1;
        }
        let likely = candidates
            .into_iter()
            .filter(|(it, at)| (of_each_gone[*it], of_each_new[*at]) == (1, 1));
        pairs.extend(likely.map(|(it, at)| (it, (at, false))));
        pairs
    }

    /// What is written in each environment and the parts of its name, with the environments that have it.
    fn index<'b>(all: impl Iterator<Item = (usize, &'b Self)>) -> BTreeMap<String, Vec<usize>>
    where
        Self: 'b,
    {
        let mut found: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, it) in all {
            let written = it.written.iter().map(|(name, state)| format!("{name} {state}"));
            let parts: BTreeSet<&str> = it.name.split('/').collect();
            for key in written.chain(parts.into_iter().map(str::to_owned)) {
                found.entry(key).or_default().push(index);
            }
        }
        found
    }

    /// Whether three quarters of what somebody wrote in either is the same in both, and enough of it.
    fn is_like(&self, other: &Self) -> bool {
        let same = |(name, state): &(&String, &String)| other.written.get(*name) == Some(*state);
        let shared = self.written.iter().filter(same).count();
        let names: BTreeSet<&String> = self.written.keys().chain(other.written.keys()).collect();
        shared >= 3 && shared * 4 >= names.len() * 3
    }
}

/// What more environments share says nothing of which is which.
const FEW: usize = 4;

/// Those of `all` that are not among `taken`, with their indices.
fn left<T>(all: &[T], taken: impl Iterator<Item = usize>) -> impl Iterator<Item = (usize, &T)> {
    let taken: BTreeSet<usize> = taken.collect();
    all.iter().enumerate().filter(move |(index, _)| !taken.contains(index))
}

fn add(names: &mut Vec<String>, name: &str) {
    // One environment is compared after the other.
    if names.last().is_none_or(|it| it != name) {
        names.push(name.to_owned());
    }
}

/// Whether a setting is compared: parts are told by what they are parts of, summaries by what they list.
pub(crate) fn is_compared(setting: &NamedFact) -> bool {
    matches!(setting.role, FactRole::Main | FactRole::Surrounding)
}

/// What the settings of something come to, by their names.
type States<'a> = Vec<(&'a str, FactState)>;

/// All that an environment comes to.
fn content(subjects: &[FactSubject]) -> Vec<(SubjectKind, &str, States<'_>)> {
    subjects.iter().map(|it| (it.kind, label(it), states(&it.settings))).collect()
}

/// What something is called, without the path of a file that may be a part of what kubelets are called.
fn label(subject: &FactSubject) -> &str {
    if subject.kind == SubjectKind::Kubelets { "" } else { &subject.name }
}

fn states(settings: &[NamedFact]) -> States<'_> {
    settings
        .iter()
        .filter(|it| is_compared(it))
        .map(|it| (&*it.name, FactState::of(&it.fact)))
        .collect()
}

/// Pairs of what is the same thing in both, what only the first has, and what only the second has.
type Matched<'a> =
    (Vec<(&'a FactSubject, &'a FactSubject)>, Vec<&'a FactSubject>, Vec<&'a FactSubject>);

fn matched<'a>(base: &'a [FactSubject], head: &'a [FactSubject]) -> Matched<'a> {
    let mut new: Vec<&FactSubject> = head.iter().collect();
    let (mut pairs, mut old) = (Vec::new(), Vec::new());
    let by_name = |a: &FactSubject, b: &FactSubject| (a.kind, &a.name) == (b.kind, &b.name);
    for it in base {
        match new.iter().position(|other| by_name(it, other)) {
            Some(at) => pairs.push((it, new.remove(at))),
            None => old.push(it),
        }
    }
    // What is called otherwise is the same thing where it is the only one, or where all of it is the same.
    let is_only = |all: &[&FactSubject]| {
        all.iter().filter(|it| it.kind == SubjectKind::MetricsServer).count() == 1
    };
    let only = is_only(&old) && is_only(&new);
    old.retain(|it| {
        let is_same = |other: &&FactSubject| match (it.kind, other.kind) {
            (SubjectKind::MetricsServer, SubjectKind::MetricsServer) => only,
            (SubjectKind::Kubelets, SubjectKind::Kubelets) => {
                states(&it.settings) == states(&other.settings)
            }
            _ => false,
        };
        let at = new.iter().position(is_same);
        if let Some(at) = at {
            pairs.push((it, new.remove(at)));
        }
        at.is_none()
    });
    (pairs, old, new)
}

/// The line that changes a setting, and whether its values are defaults that follow from what changes
/// there: that is `release`, if it is known.
fn cause(
    old: &Fact<Datum>,
    new: &Fact<Datum>,
    release: Option<(TreeSide, Span)>,
) -> (Option<(TreeSide, Span)>, bool) {
    let old_at = old.place().map(|it| (TreeSide::Base, it));
    let new_at = new.place().map(|it| (TreeSide::Head, it));
    match (is_implied(old), is_implied(new)) {
        (true, true) => (release.or(new_at), true),
        (false, true) => (old_at, false),
        (_, false) => (new_at.or(old_at), false),
    }
}

/// Whether nobody wrote the value by itself.
fn is_implied(fact: &Fact<Datum>) -> bool {
    match fact {
        Fact::Known(_, at) => at.is_default() || at.last().via == Via::UpstreamManifest,
        Fact::Absent(by) => by.is_none(),
        Fact::Unknown(..) | Fact::Invalid { .. } => false,
    }
}

/// How many files are only in one of the trees, or not the same in both.
pub(crate) fn files_that_differ(base: &Sources, head: &Sources) -> usize {
    let mut files: IndexMap<&str, [Option<source::FileId>; 2]> = IndexMap::new();
    for (side, sources) in [base, head].into_iter().enumerate() {
        let inner = |path: &str| sources.repositories.iter().any(|it| source::is_within(path, it));
        for (file, it) in sources.iter().filter(|(_, it)| !inner(&it.path)) {
            files.entry(&it.path).or_default()[side] = Some(file);
        }
    }
    let differ = files.into_values().collect::<Vec<_>>().into_par_iter().filter(|it| match it {
        [Some(old), Some(new)] => base.bytes(*old).ok() != head.bytes(*new).ok(),
        _ => true,
    });
    differ.count()
}
