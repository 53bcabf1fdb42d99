//! How much environments may come to, so that a repository made to exhaust who checks it ends.

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

/// How many environments are worked on at once, before what they come to is looked at: where that ends
/// does not depend on how many threads there are.
pub(crate) const TOGETHER: usize = 32;

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
        environments: impl Fn(&R) -> Vec<&Environment>,
    ) -> Vec<R> {
        let (mut made, mut held) = (Vec::with_capacity(starts.len()), Self::default());
        for together in starts.chunks(TOGETHER) {
            if held.is_full() {
                made.extend(together.iter().map(&leave_out));
                continue;
            }
            let some: Vec<R> = together.par_iter().map(&resolve).collect();
            some.iter().flat_map(&environments).for_each(|it| held.add(it));
            made.extend(some);
        }
        made
    }

    /// What `install` says of each of `environments`, to which it adds; of none once they hold too much.
    pub(crate) fn each_of<R: Send>(
        environments: &mut [Environment],
        install: impl Fn(&mut Environment) -> R + Sync,
    ) -> Vec<R> {
        let (mut said, mut held) = (Vec::new(), Self::default());
        for together in environments.chunks_mut(TOGETHER) {
            if held.is_full() {
                for it in together {
                    it.problems.push(Self::problem(&it.entry.origin));
                }
                continue;
            }
            let starts: Vec<UnitStart> = together.iter().map(Environment::begin).collect();
            said.extend(together.par_iter_mut().map(&install).collect::<Vec<_>>());
            together.iter().zip(starts).for_each(|(it, start)| held.add_since(it, start));
        }
        said
    }

    /// Adds an environment.
    pub(crate) fn add(&mut self, environment: &Environment) {
        self.add_since(environment, UnitStart::default());
    }

    /// Adds what came to an environment since then.
    pub(crate) fn add_since(&mut self, environment: &Environment, start: UnitStart) {
        let UnitStart([objects, releases, _]) = start;
        let objects = environment.objects.iter().skip(objects).map(|it| it.node.held());
        let values = environment.releases.iter().skip(releases).map(|it| it.values.held());
        self.0 += objects.chain(values).sum::<usize>();
    }

    /// Whether nothing more is to be resolved.
    pub(crate) fn is_full(&self) -> bool {
        self.0 > MOST_HELD
    }

    /// That what is at `at` is not resolved, since this is full.
    pub(crate) fn problem(at: &Origin) -> Problem {
        let message = format!(
            "what is resolved before this has more than {MOST_HELD} values and fields: it is not resolved"
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

    /// Whether no more charts are rendered in it.
    pub(super) fn is_full(&self) -> bool {
        self.held > MOST_HELD
    }

    /// That what `name` installs, which is at `at`, is not looked at, since this is full.
    pub(super) fn too_full(name: &str, at: &Origin) -> Problem {
        let message = format!(
            "what is installed before `{name}` has more than {MOST_HELD} values and fields: it is not \
             looked at"
        );
        Problem::unresolved(at, message).about("too much installed before it").hiding_all()
    }
}
