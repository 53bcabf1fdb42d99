//! How much environments may come to, so that a repository made to exhaust who checks it ends.

use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use crate::{
    problem::Problem,
    resolve::environment::{EntryKind, Environment, Object, Release, UnitStart},
    tree::Origin,
};

/// So many values and fields may one environment hold before no more charts are rendered in it, and the
/// environments that one tool starts before no more are resolved; what is shared counts as one value.
/// 50,000 files of real repositories come to half of it, and it is some 200 MB.
const MOST_HELD: usize = 600_000;

/// What templates do in the time that is spent on a field.
const WORK_OF_A_FIELD: usize = 5_000;

/// How many environments are worked on at once.
pub(crate) const TOGETHER: usize = 32;

/// How many environments are worked on at once of which none is known to fit: they are in memory together,
/// and what of them is beyond the limit was made for nothing.
const AHEAD: usize = 8;

/// What was resolved so far, in values and fields.
#[derive(Debug, Default)]
pub(crate) struct Held(usize);

impl Held {
    /// What `resolve` makes of each of `starts`, at the same time; once its `environments` hold too much,
    /// what `leave_out` makes of the rest.
    pub(crate) fn each<T: Sync, R: Send>(
        starts: &[T],
        resolve: impl Fn(&T) -> R + Sync,
        leave_out: impl Fn(&T) -> R,
        environments: impl Fn(&R) -> Vec<&Environment> + Sync,
    ) -> Vec<R> {
        let resolve = |start: &T| {
            let (made, mut held) = (resolve(start), Self::default());
            for environment in environments(&made) {
                held.add(environment);
            }
            (made, held)
        };
        let mut made = Self::until_full(starts, resolve);
        made.extend(starts.iter().skip(made.len()).map(leave_out));
        made
    }

    /// What `install` says of each of `environments`, to which it adds; of none once they hold too much.
    pub(crate) fn each_of<R: Send>(
        environments: &mut [Environment],
        install: impl Fn(&mut Environment) -> R + Sync,
    ) -> Vec<R> {
        let install = |before: &Environment| {
            // What is beyond the limit stays as it is.
            let (mut environment, mut held) = (before.clone(), Self::default());
            let said = install(&mut environment);
            held.add_since(&environment, before.begin());
            ((environment, said), held)
        };
        let made = Self::until_full(environments, install);
        for left_out in environments.iter_mut().skip(made.len()) {
            left_out.problems.push(Self::problem(&left_out.entry.origin));
        }
        let environments = environments.iter_mut().zip(made);
        let take = environments.map(|(place, (environment, said))| {
            *place = environment;
            said
        });
        take.collect()
    }

    /// What `make` makes of the first of `starts`, and how much that is, until that is too much together.
    ///
    /// Threads take them up in their order. None is taken up once those that are done are too much, which
    /// are before it; and of those that are done by then, what is beyond the limit is dropped. So where it
    /// ends depends on neither the number of threads nor on which is faster.
    fn until_full<T: Sync, R: Send>(starts: &[T], work: impl Fn(&T) -> (R, Self) + Sync) -> Vec<R> {
        let queue = Mutex::new((Vec::new(), Self::default()));
        let queue = || queue.lock().unwrap_or_else(PoisonError::into_inner);
        let take = || {
            let (taken, held) = &mut *queue();
            let start = starts.get(taken.len()).filter(|_| !held.is_full())?;
            taken.push(None);
            Some((taken.len() - 1, start))
        };
        (0..AHEAD).into_par_iter().with_max_len(1).for_each(|_| {
            while let Some((index, start)) = take() {
                let (made, its) = work(start);
                let (taken, held) = &mut *queue();
                held.0 = held.0.saturating_add(its.0);
                taken[index] = Some((made, its));
            }
        });
        let (taken, mut held) = (std::mem::take(&mut queue().0), Self::default());
        let within = taken.into_iter().flatten().take_while(|(_, its)| {
            let fits = !held.is_full();
            held.0 = held.0.saturating_add(its.0);
            fits
        });
        within.map(|(made, _)| made).collect()
    }

    /// Adds an environment.
    pub(crate) fn add(&mut self, environment: &Environment) {
        self.add_since(environment, UnitStart::default());
        self.0 += environment.work / WORK_OF_A_FIELD;
    }

    /// Adds what came to an environment since then.
    pub(crate) fn add_since(&mut self, environment: &Environment, start: UnitStart) {
        let UnitStart([objects, releases, _]) = start;
        let objects = environment.objects.iter().skip(objects).map(|it| it.node.held());
        let releases = environment.releases.iter().skip(releases);
        let releases = releases.map(|it| it.values.held() + it.work / WORK_OF_A_FIELD);
        self.0 += objects.chain(releases).sum::<usize>();
    }

    /// Whether nothing more is to be resolved.
    pub(crate) fn is_full(&self) -> bool {
        self.0 > MOST_HELD
    }

    /// That what is at `at` is not resolved, since this is full.
    pub(crate) fn problem(at: &Origin) -> Problem {
        let message = format!(
            "what is resolved before this has more than {MOST_HELD} values and fields, or takes as long \
             to make: it is not resolved"
        );
        // One cause, in however many environments.
        Problem::unresolved(at, message).about("too much before it").hiding_all()
    }

    /// What stands for an environment that is not resolved.
    pub(crate) fn left_out(name: &str, kind: EntryKind, origin: &Origin) -> Environment {
        let mut environment = Environment::new(name, kind, origin.clone());
        environment.problems.push(Self::problem(origin));
        environment
    }
}

impl Environment {
    /// Notes what these objects hold, which something installs.
    pub(super) fn hold(&mut self, objects: &[Object]) {
        self.held += objects.iter().map(|it| it.node.held()).sum::<usize>();
    }

    /// Notes what a release takes beside its objects.
    pub(super) fn hold_release(&mut self, release: &Release) {
        self.held += release.values.held() + release.work / WORK_OF_A_FIELD;
    }

    /// What it takes to make it once more, in values and fields: unlike what it holds, what it shares with
    /// others is in it.
    pub(crate) fn weight(&self) -> usize {
        let objects = self.objects.iter().map(|it| it.node.walk().count());
        let release = |it: &Release| it.values.walk().count() + it.work / WORK_OF_A_FIELD;
        let releases = self.releases.iter().map(release);
        objects.chain(releases).sum::<usize>() + self.work / WORK_OF_A_FIELD
    }

    /// Whether no more charts are rendered in it.
    pub(super) fn is_full(&self) -> bool {
        self.held > MOST_HELD
    }

    /// That what `name` installs, which is at `at`, is not looked at, since this is full.
    pub(super) fn too_full(name: &str, at: &Origin) -> Problem {
        let message = format!(
            "what is installed before `{name}` has more than {MOST_HELD} values and fields, or takes as \
             long to make: it is not looked at"
        );
        Problem::unresolved(at, message).about("too much installed before it").hiding_all()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// The first of so large ones that are kept, in so many threads, and how many were made.
    fn kept(sizes: &[usize], threads: usize) -> (Vec<usize>, usize) {
        let count = AtomicUsize::new(0);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let make = |size: &usize| {
            count.fetch_add(1, Ordering::Relaxed);
            (*size, Held(*size))
        };
        (pool.install(|| Held::until_full(sizes, make)), count.into_inner())
    }

    #[test]
    fn threads_do_not_decide_where_it_ends() {
        let tenth = MOST_HELD / 10;
        for threads in [1, 2, 8] {
            let (some, made) = kept(&vec![tenth; 100], threads);
            assert_eq!(some, vec![tenth; 11], "{threads} threads");
            assert!(made < 11 + AHEAD, "{made} are made");
            // Large ones wherever they are.
            let (some, _) = kept(&[1, MOST_HELD, 1, MOST_HELD, 1], threads);
            assert_eq!(some, [1, MOST_HELD], "{threads} threads");
            assert_eq!(kept(&[1; 100], threads), (vec![1; 100], 100), "{threads} threads");
        }
    }

    #[test]
    fn what_templates_do_counts() {
        let at = crate::source::Sources::in_memory([("a", "")]).iter().next().unwrap().0;
        let mut environment = Environment::new("x", EntryKind::Other, Origin::start_of(at));
        let mut held = Held::default();
        held.add(&environment);
        assert!(!held.is_full());
        environment.work = WORK_OF_A_FIELD * (MOST_HELD + 1);
        held.add(&environment);
        assert!(held.is_full());
    }
}
