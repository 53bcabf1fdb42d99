//! What a module is given.

use std::{cell::RefCell, collections::BTreeMap};

use hcl_edit::{
    Span as _,
    expr::{Expression, ObjectKey},
    structure::Block,
};

use super::evaluate::{TerraformScope, written};
use crate::{
    scalar::Scalar,
    source::FileId,
    tree::{self, Map, Node},
};

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

impl TerraformScope<'_> {
    /// What a variable is; `None` where that is decided outside of the code.
    pub(super) fn argument(&self, name: &str, depth: usize) -> Option<Node> {
        let declared = self.module.variable(name);
        let value = match self.arguments.given.get(name) {
            // A null is the default where the variable says that it is none.
            Some(it) if it.is_null() && declared.is_some_and(|(_, it)| !is_nullable(it)) => {
                self.default_of(name, depth).unwrap_or_else(|| it.clone())
            }
            Some(it) => it.clone(),
            None if self.arguments.defaults => self.default_of(name, depth)?,
            None => return None,
        };
        let kind = declared.and_then(|(file, it)| Some((file, it.body.get_attribute("type")?)));
        Some(match kind {
            Some((file, kind)) => self.completed(value, file, &kind.value, depth),
            None => value,
        })
    }

    /// What stands as the default of a variable.
    fn default_of(&self, name: &str, depth: usize) -> Option<Node> {
        let (file, default) = self.module.default(name)?;
        Some(self.value(file, default, depth + 1))
    }

    /// `value`, what is given or the default, with the attributes that its type says are optional,
    /// where they are not there or null: `Defaults.Apply` of hashicorp/hcl,
    /// `ext/typeexpr/defaults.go`.
    fn completed(&self, mut value: Node, file: FileId, kind: &Expression, depth: usize) -> Node {
        let Expression::FuncCall(call) = kind else { return value };
        let (name, Some(inner)) = (call.name.name.as_str(), call.args.get(0)) else {
            return value;
        };
        if let (Some(why), Some(there)) = (value.unknown(), value.if_there()) {
            return self.completed(there, file, kind, depth).perhaps(why.clone(), false);
        }
        let complete = |it: &mut Node, kind: &Expression| {
            *it = self.completed(it.clone(), file, kind, depth + 1);
        };
        match (name, inner) {
            ("object", Expression::Object(object)) => {
                let Some(map) = value.as_map_mut() else { return value };
                for (key, kind) in object {
                    let (ObjectKey::Ident(key), kind) = (key, kind.expr()) else { continue };
                    let optional = || self.optional(file, kind, depth);
                    let given = map.get(key.as_str());
                    let perhaps = given.and_then(|it| it.unknown().zip(it.if_there()));
                    let attribute = match (given, perhaps) {
                        (_, Some((why, there))) => {
                            let there = self.completed(there, file, kind, depth + 1);
                            optional().map(|default| tree::join(&there, &default, why))
                        }
                        (Some(it), _) if !it.is_null() => {
                            Some(self.completed(it.clone(), file, kind, depth + 1))
                        }
                        (None, _) if map.open.is_some() => None,
                        _ => optional(),
                    };
                    if let Some(it) = attribute {
                        map.set(key.as_str(), it);
                    }
                }
            }
            ("tuple", Expression::Array(kinds)) => {
                let items = value.as_list_mut().into_iter().flatten();
                items.zip(kinds).for_each(|(it, kind)| complete(it, kind));
            }
            ("map", _) => {
                let entries = value.as_map_mut().into_iter().flat_map(Map::iter_mut);
                entries.for_each(|(_, entry)| complete(&mut entry.value, inner));
            }
            ("list" | "set", _) => {
                let items = value.as_list_mut().into_iter().flatten();
                items.for_each(|it| complete(it, inner));
            }
            ("optional", _) => return self.completed(value, file, inner, depth + 1),
            _ => {}
        }
        value
    }

    /// What an attribute of type `kind` is that is not given, if it need not be.
    fn optional(&self, file: FileId, kind: &Expression, depth: usize) -> Option<Node> {
        let Expression::FuncCall(call) = kind else { return None };
        let (is_optional, inner) = (call.name.name.as_str() == "optional", call.args.get(0)?);
        let default = call.args.get(1).filter(|_| is_optional);
        let default = default.map(|it| self.value(file, it, depth + 1));
        let null = || Node::new(Scalar::null(), written(file, kind.span()));
        is_optional
            .then(|| default.map_or_else(null, |it| self.completed(it, file, inner, depth + 1)))
    }
}

/// Whether a variable may be null.
fn is_nullable(variable: &Block) -> bool {
    let nullable = variable.body.get_attribute("nullable");
    nullable.is_none_or(|it| !matches!(&it.value, Expression::Bool(it) if !*it.value()))
}
