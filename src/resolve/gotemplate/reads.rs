//! Which values templates read, without running them.

use super::{
    TemplateSet,
    parse::{self, Action, Operand, OperandKind, PipedCommand, Pipeline},
};
use crate::data::charts::ValueKey;

/// Where the values stand that templates see.
const VALUES: &str = "Values";

impl TemplateSet {
    /// The values that the templates read, by the `.Values` in them: [`ValueKey::Any`] where one of
    /// them is handed on as a whole, so that nobody can tell what of it is read.
    pub(crate) fn reads(&self) -> ValueKey {
        let mut reads = Reads { all: empty() };
        for (body, _) in self.templates.values() {
            reads.actions(body, None);
        }
        reads.all
    }
}

/// The values that a text reads which is a template itself; nothing when it is none.
pub(crate) fn reads_of(text: &str) -> Option<ValueKey> {
    let parsed = parse::parse(text).ok()?;
    let mut reads = Reads { all: empty() };
    parsed.defines.iter().for_each(|(_, body)| reads.actions(body, None));
    reads.actions(&parsed.body, None);
    Some(reads.all)
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

/// The search through templates.
struct Reads {
    all: ValueKey,
}

/// How a value is used.
#[derive(Clone, Copy, PartialEq)]
enum Use {
    /// Whether there is one, or what it prints: nothing below it.
    Itself,
    /// By something that may read all of it.
    Whole,
}

impl Reads {
    fn read(&mut self, path: &[String], how: Use) {
        let mut key = match how {
            Use::Whole => ValueKey::Any,
            Use::Itself => empty(),
        };
        for name in path.iter().rev() {
            key = ValueKey::Map([(name.clone(), key)].into_iter().collect());
        }
        both(&mut self.all, key);
    }

    /// `dot` is the path of the value that `.` is, where it is one.
    fn actions(&mut self, actions: &[Action], dot: Option<&[String]>) {
        for action in actions {
            match action {
                Action::Text(_) | Action::Break | Action::Continue => {}
                Action::Print(pipeline) => {
                    let how = if pipeline.variables.is_empty() { Use::Itself } else { Use::Whole };
                    self.pipeline(pipeline, dot, how);
                }
                Action::Branch { with, condition, then, other } => {
                    let how = if condition.variables.is_empty() { Use::Itself } else { Use::Whole };
                    self.pipeline(condition, dot, how);
                    let inner = only(condition).and_then(|it| path_of(it, dot));
                    match (*with, inner) {
                        (true, Some(path)) => self.actions(then, Some(&path)),
                        (true, None) => self.actions(then, None),
                        (false, _) => self.actions(then, dot),
                    }
                    self.actions(other, dot);
                }
                Action::Range { over, body, other } => {
                    self.pipeline(over, dot, Use::Whole);
                    self.actions(body, None);
                    self.actions(other, dot);
                }
                Action::Template { dot: argument, .. } => {
                    if let Some(argument) = argument {
                        self.pipeline(argument, dot, Use::Whole);
                    }
                }
            }
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline, dot: Option<&[String]>, how: Use) {
        for (index, command) in pipeline.commands.iter().enumerate() {
            // What a pipe passes on is an argument.
            let last = index + 1 == pipeline.commands.len();
            self.command(command, dot, if last { how } else { Self::passed(pipeline, index) });
        }
    }

    /// How the result of a command is used that a pipe passes to the next one.
    fn passed(pipeline: &Pipeline, index: usize) -> Use {
        pipeline.commands.get(index + 1).map_or(Use::Whole, |it| used_by(function(it)))
    }

    fn command(&mut self, command: &PipedCommand, dot: Option<&[String]>, how: Use) {
        let name = function(command);
        if let Some(path) = looked_up(name, command, dot) {
            self.read(&path, how);
        }
        let single = command.operands.len() == 1;
        for operand in &command.operands {
            let how = match (single, name) {
                (true, None) => how,
                (_, Some("default" | "coalesce" | "ternary")) if how == Use::Whole => how,
                _ => used_by(name),
            };
            self.operand(operand, dot, how);
        }
    }

    fn operand(&mut self, operand: &Operand, dot: Option<&[String]>, how: Use) {
        if let Some(path) = path_of(operand, dot) {
            self.read(&path, how);
        } else if let OperandKind::Group(pipeline) = &operand.what {
            let how = if operand.fields.is_empty() { how } else { Use::Itself };
            // `(.Values.a).b` reads `a.b`.
            match only(pipeline).and_then(|it| path_of(it, dot)) {
                Some(mut path) if !operand.fields.is_empty() => {
                    path.extend(operand.fields.iter().cloned());
                    self.read(&path, how);
                }
                _ => self.pipeline(pipeline, dot, how),
            }
        }
    }
}

/// The only operand of a pipeline.
fn only(pipeline: &Pipeline) -> Option<&Operand> {
    match &pipeline.commands[..] {
        [command] => match &command.operands[..] {
            [operand] => Some(operand),
            _ => None,
        },
        _ => None,
    }
}

fn function(command: &PipedCommand) -> Option<&str> {
    match &command.operands.first()?.what {
        OperandKind::Function(name) => Some(name),
        _ => None,
    }
}

/// How a function uses its arguments.
fn used_by(function: Option<&str>) -> Use {
    const PLAIN: &[&str] = &[
        "and",
        "or",
        "not",
        "eq",
        "ne",
        "lt",
        "le",
        "gt",
        "ge",
        "empty",
        "len",
        "quote",
        "squote",
        "print",
        "printf",
        "int",
        "int64",
        "float64",
        "toString",
        "trunc",
        "trimSuffix",
        "trim",
        "lower",
        "upper",
        "replace",
        "contains",
        "hasPrefix",
        "hasSuffix",
        "default",
        "b64enc",
        "kindIs",
        "hasKey",
        "dig",
        "index",
        "get",
        "required",
        "semverCompare",
        "add",
        "mul",
        "sub",
        "div",
    ];
    if function.is_some_and(|it| PLAIN.contains(&it)) { Use::Itself } else { Use::Whole }
}

/// The path of the value that an operand is, when it is one.
fn path_of(operand: &Operand, dot: Option<&[String]>) -> Option<Vec<String>> {
    let is_field = matches!(operand.what, OperandKind::Dot | OperandKind::Variable(_));
    if !is_field {
        return None;
    }
    if let Some(at) = operand.fields.iter().position(|it| it == VALUES) {
        return Some(operand.fields[at + 1..].to_vec());
    }
    match (&operand.what, dot) {
        (OperandKind::Dot, Some(dot)) => Some(dot.iter().chain(&operand.fields).cloned().collect()),
        _ => None,
    }
}

/// The path that `index`, `get`, `hasKey` and `dig` look up with keys that are written there.
fn looked_up(
    name: Option<&str>,
    command: &PipedCommand,
    dot: Option<&[String]>,
) -> Option<Vec<String>> {
    let (map, keys): (&Operand, Vec<&Operand>) = match (name?, &command.operands[1..]) {
        ("index" | "get" | "hasKey", [map, keys @ ..]) | ("dig", [keys @ .., _, map]) => {
            (map, keys.iter().collect())
        }
        _ => return None,
    };
    let mut path = path_of(map, dot)?;
    for key in keys {
        match &key.what {
            OperandKind::Text(text) => path.push(text.to_string()),
            _ => break,
        }
    }
    Some(path)
}
