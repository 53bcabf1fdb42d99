//! Which values templates read, without running them.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    MarkedText, ParsedTemplate, TemplateSet,
    parse::{self, Action, Operand, OperandKind, Parsed, PipedCommand, Pipeline},
};
use crate::{
    data::charts::ValueKey,
    tree::{MAX_DEPTH, Origin, Via},
};

/// Where the values stand that templates see.
const VALUES: &str = "Values";

impl TemplateSet {
    /// The values that the templates read, by the `.Values` in them: [`ValueKey::Any`] where one of
    /// them is handed on as a whole, so that nobody can tell what of it is read.
    pub(crate) fn reads(&self) -> ValueKey {
        let (mut keys, mut seen) = (empty(), BTreeSet::new());
        for (template, _) in self.templates.values() {
            if seen.insert(Arc::as_ptr(&template.0)) {
                both(&mut keys, template.reads().clone());
            }
        }
        keys
    }
}

impl ParsedTemplate {
    fn reads(&self) -> &ValueKey {
        self.0.reads.get_or_init(|| of(&self.0.parsed))
    }
}

/// The values that a text reads which is a template itself; nothing when it is none.
pub(crate) fn reads_of(text: &str) -> Option<ValueKey> {
    let nowhere = Origin::at(Via::Written, None);
    let parsed = parse::parse(&MarkedText::made_of(text), &nowhere).ok()?;
    Some(of(&parsed))
}

fn of(parsed: &Parsed) -> ValueKey {
    let mut reads = Reads(empty());
    parsed.defines.iter().for_each(|(_, body)| reads.actions(body, None));
    reads.actions(&parsed.body, None);
    reads.0
}

fn empty() -> ValueKey {
    ValueKey::Map(indexmap::IndexMap::new())
}

/// What either of two readers reads.
pub(crate) fn both(into: &mut ValueKey, other: ValueKey) {
    match (&mut *into, other) {
        (ValueKey::Map(keys), ValueKey::Map(others)) => {
            for (name, other) in others {
                match keys.get_mut(&name) {
                    Some(key) => both(key, other),
                    None => {
                        keys.insert(name, other);
                    }
                }
            }
        }
        (into @ ValueKey::Map(_), other) => *into = other,
        _ => {}
    }
}

/// The functions that look at their arguments, not at all that is in them.
const PLAIN: &str = "add and b64enc contains default dig div empty eq float64 ge get gt hasKey hasPrefix \
    hasSuffix index int int64 kindIs le len lower lt mul ne not or print printf quote replace required \
    semverCompare squote sub toString trim trimSuffix trunc upper";

/// What is read; where `.` is a value, `dot` is its path.
struct Reads(ValueKey);

impl Reads {
    fn read(&mut self, mut path: Vec<String>, whole: bool) {
        // Of what is deeper, all is read.
        let whole = whole || path.len() > MAX_DEPTH;
        path.truncate(MAX_DEPTH);
        let end = if whole { ValueKey::Any } else { empty() };
        let below = |key, name| ValueKey::Map([(name, key)].into_iter().collect());
        both(&mut self.0, path.into_iter().rev().fold(end, below));
    }

    fn actions(&mut self, actions: &[Action], dot: Option<&[String]>) {
        for action in actions {
            match action {
                Action::Text(_) | Action::Break | Action::Continue => {}
                Action::Print(it) => self.pipeline(it, dot, !it.variables.is_empty()),
                Action::Branch { with, condition, then, other } => {
                    let inner = only(condition).and_then(|it| path_of(it, dot));
                    // What is no path is not followed into the body.
                    let is_kept = !condition.variables.is_empty() || *with && inner.is_none();
                    self.pipeline(condition, dot, is_kept);
                    self.actions(then, if *with { inner.as_deref() } else { dot });
                    self.actions(other, dot);
                }
                Action::Range { over, body, other } => {
                    self.pipeline(over, dot, true);
                    self.actions(body, None);
                    self.actions(other, dot);
                }
                Action::Template { dot: argument, .. } => {
                    if let Some(it) = argument {
                        self.pipeline(it, dot, true);
                    }
                }
            }
        }
    }

    /// `whole` is whether what it gives is used by something that may read all of it.
    fn pipeline(&mut self, pipeline: &Pipeline, dot: Option<&[String]>, mut whole: bool) {
        for command in pipeline.commands.iter().rev() {
            self.command(command, dot, whole);
            // What a pipe passes on is an argument.
            whole = uses_whole(function(command), whole);
        }
    }

    fn command(&mut self, command: &PipedCommand, dot: Option<&[String]>, whole: bool) {
        let name = function(command);
        if let Some((path, is_all)) = name.and_then(|it| looked_up(it, command, dot)) {
            self.read(path, whole || !is_all);
        }
        let is_value = command.operands.len() == 1 && name.is_none();
        let whole = if is_value { whole } else { uses_whole(name, whole) };
        for operand in &command.operands {
            match (path_of(operand, dot), &operand.what) {
                (Some(path), _) => self.read(path, whole),
                (None, OperandKind::Group(inner)) => {
                    // Which of it `.field` is of is not followed.
                    self.pipeline(inner, dot, whole || !operand.fields.is_empty());
                }
                _ => {}
            }
        }
    }
}

/// The only operand of a pipeline.
fn only(pipeline: &Pipeline) -> Option<&Operand> {
    let [command] = &pipeline.commands[..] else { return None };
    let [operand] = &command.operands[..] else { return None };
    Some(operand)
}

fn function(command: &PipedCommand) -> Option<&str> {
    let OperandKind::Function(name) = &command.operands.first()?.what else { return None };
    Some(name)
}

/// Whether all of an argument may be read by a function, or by who uses `whole` of what it gives.
fn uses_whole(function: Option<&str>, whole: bool) -> bool {
    let Some(function) = function else { return true };
    let gives_an_argument = ["and", "default", "or", "required"];
    let is_plain = PLAIN.split(' ').any(|it| it == function);
    !is_plain || whole && gives_an_argument.contains(&function)
}

/// The path of the value that an operand is, when it is one; of one that is too deep, more of it than is
/// followed.
fn path_of(operand: &Operand, dot: Option<&[String]>) -> Option<Vec<String>> {
    let fields = &operand.fields;
    let (start, fields) = match (&operand.what, fields.iter().position(|it| it == VALUES)) {
        (OperandKind::Dot | OperandKind::Variable(_), Some(at)) => (vec![], &fields[at + 1..]),
        (OperandKind::Dot, None) => (dot?.to_vec(), &fields[..]),
        (OperandKind::Group(inner), _) => (path_of(only(inner)?, dot)?, &fields[..]),
        _ => return None,
    };
    Some(start.iter().chain(fields).take(MAX_DEPTH + 1).cloned().collect())
}

/// The path that `index`, `get`, `hasKey` and `dig` look up, as far as its keys are written there, and
/// whether they all are.
fn looked_up(
    name: &str,
    command: &PipedCommand,
    dot: Option<&[String]>,
) -> Option<(Vec<String>, bool)> {
    let (("index" | "get" | "hasKey", [map, keys @ ..]) | ("dig", [keys @ .., _, map])) =
        (name, &command.operands[1..])
    else {
        return None;
    };
    let written = keys.iter().map_while(|it| match &it.what {
        OperandKind::Text(text) => Some(text.to_string()),
        _ => None,
    });
    let (above, written): (_, Vec<String>) = (path_of(map, dot)?, written.collect());
    let is_all = written.len() == keys.len();
    Some(([above, written].concat(), is_all))
}
