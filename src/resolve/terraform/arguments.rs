//! What a module is given.

use std::{cell::RefCell, collections::BTreeMap};

use crate::tree::Node;

/// What the variables of a module are.
#[derive(Debug, Default, Clone)]
pub(crate) struct Arguments {
    /// What is passed, or stands in a file of variables.
    pub(crate) given: BTreeMap<String, Node>,
    /// Whether others have their defaults, since nothing outside of the code can decide.
    pub(crate) defaults: bool,
    /// What the module's locals are that were evaluated: many places refer to one, and each takes all
    /// of it.
    locals: RefCell<BTreeMap<String, (Node, [usize; 2])>>,
}

impl Arguments {
    pub(crate) fn new(given: BTreeMap<String, Node>, defaults: bool) -> Self {
        Self { given, defaults, locals: RefCell::default() }
    }

    /// What a local is with these, if it was evaluated, and how many expressions and values of files
    /// that took.
    pub(super) fn local(&self, name: &str) -> Option<(Node, [usize; 2])> {
        self.locals.borrow().get(name).cloned()
    }

    /// Takes note of what a local is, and of what that took.
    pub(super) fn keep(&self, name: &str, value: &Node, took: [usize; 2]) {
        self.locals.borrow_mut().insert(name.to_owned(), (value.clone(), took));
    }
}
