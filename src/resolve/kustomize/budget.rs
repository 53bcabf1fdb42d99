//! What a build may take: a few lines can ask for more than there is time or room for.

use crate::{
    resolve::kustomize::value::{Outcome, text, too_deep, unresolved},
    tree::{MAX_DEPTH, Node, Origin},
};

/// What an object may come to, in bytes: no API server takes half as much (etcd's
/// `--max-request-bytes`).
pub(super) const MAX_OBJECT: usize = 4 << 20;

/// How many steps a layer and those in it may take, beside the objects that are taken in. A build of a
/// thousand objects with a hundred patches takes a tenth of it, and what is made with all of it about
/// 100 MB.
const MAX_STEPS: usize = 6_000_000;

/// The steps of seeing whether an entry is for an object.
pub(super) const LOOK: usize = 4;

/// The steps of changing an object, whatever it holds.
const CHANGE: usize = 20;

/// The steps of looking for images in an object.
pub(super) const WALK: usize = 20;

/// The steps of making a node, which takes room until all is judged.
pub(super) const MAKE: usize = 20;

/// How many bytes of text are copied in a step.
const TEXT: usize = 8;

/// The steps that were taken. What sees to an object is counted apart: also when nothing may be changed
/// any more it says which objects are unknown because of that.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BuildBudget {
    looks: usize,
    changes: usize,
}

impl BuildBudget {
    /// Takes the steps of seeing to objects.
    ///
    /// # Errors
    /// They are too many.
    pub(super) fn look(&mut self, steps: usize, at: &Origin) -> Outcome<()> {
        self.looks = self.looks.saturating_add(steps);
        within(self.looks, at)
    }

    /// Whether anything may still be changed.
    ///
    /// # Errors
    /// Nothing may.
    pub(super) fn may_change(&self, at: &Origin) -> Outcome<()> {
        within(self.changes, at)
    }

    /// Takes what changing `object` takes.
    ///
    /// # Errors
    /// It is too much.
    pub(super) fn change(&mut self, object: &Node, at: &Origin) -> Outcome<()> {
        self.take(at, || CHANGE + object.walk().take(MAX_STEPS).count())
    }

    /// Takes what a copy of `node` takes.
    ///
    /// # Errors
    /// It is too much.
    pub(super) fn make(&mut self, node: &Node, at: &Origin) -> Outcome<()> {
        self.take(at, || TreeSize::of(node).steps())
    }

    fn take(&mut self, at: &Origin, steps: impl FnOnce() -> usize) -> Outcome<()> {
        self.may_change(at)?;
        self.changes = self.changes.saturating_add(steps());
        self.may_change(at)
    }

    /// Takes what was taken for a layer that is included.
    pub(super) fn include(&mut self, base: Self) {
        self.looks = self.looks.saturating_add(base.looks);
        self.changes = self.changes.saturating_add(base.changes);
    }
}

fn within(steps: usize, at: &Origin) -> Outcome<()> {
    if steps <= MAX_STEPS {
        return Ok(());
    }
    Err(unresolved(at, "too much is changed here: what that comes to is not known"))
}

/// How much may still be copied into an object.
pub(super) struct Room<'b> {
    left: usize,
    budget: &'b mut BuildBudget,
}

impl<'b> Room<'b> {
    pub(super) fn of(object: &Node, budget: &'b mut BuildBudget) -> Self {
        Self { left: MAX_OBJECT.saturating_sub(TreeSize::of(object).bytes()), budget }
    }

    /// Takes the room for a copy of `node`.
    ///
    /// # Errors
    /// There is too little.
    pub(super) fn take(&mut self, node: &Node, at: &Origin) -> Outcome<()> {
        let size = TreeSize::of(node);
        self.take_bytes(size.bytes(), at)?;
        self.budget.take(at, || size.steps())
    }

    /// Sees whether `node` may stand below `above` other values.
    ///
    /// # Errors
    /// It would be too deep.
    pub(super) fn admits(&mut self, node: &Node, above: usize, at: &Origin) -> Outcome<()> {
        self.budget.take(at, || node.walk().take(MAX_STEPS).count())?;
        match above + node.depth() > MAX_DEPTH {
            true => Err(too_deep(at)),
            false => Ok(()),
        }
    }

    /// Takes the room for so many bytes, or the effort of moving them.
    ///
    /// # Errors
    /// There is too little.
    pub(super) fn take_bytes(&mut self, bytes: usize, at: &Origin) -> Outcome<()> {
        let left = self.left.checked_sub(bytes);
        self.left =
            left.ok_or_else(|| unresolved(at, "what is copied here is larger than an object"))?;
        Ok(())
    }
}

/// How large a tree is; of one that is too large a part of it.
#[derive(Default)]
struct TreeSize {
    nodes: usize,
    text: usize,
}

impl TreeSize {
    fn of(node: &Node) -> Self {
        let mut size = Self::default();
        let nodes = node.walk().take_while(|it| {
            size.nodes += 1;
            size.text += text(Some(it)).len();
            size.bytes() <= MAX_OBJECT
        });
        let _ = nodes.count();
        size
    }

    /// About how many bytes it is printed as.
    fn bytes(&self) -> usize {
        16 * self.nodes + self.text
    }

    fn steps(&self) -> usize {
        MAKE * self.nodes + self.text / TEXT
    }
}
