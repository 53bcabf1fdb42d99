//! Runs pipelines: calls, chains of fields, `and` and `or`.

use super::{
    super::{
        functions,
        parse::{Operand, OperandKind, PipedCommand, Pipeline},
        value::{GoData, GoValue},
    },
    Evaluated, Execution, fail,
};
use crate::tree::Reason;

impl Execution<'_> {
    /// The value of a pipeline, which its variables take.
    pub(super) fn pipeline(&mut self, pipeline: &Pipeline) -> Evaluated<GoValue> {
        let value = self.commands(pipeline)?;
        for name in &pipeline.variables {
            self.bind(pipeline, name, &value)?;
        }
        Ok(value)
    }

    /// Gives a variable of `pipeline` its value, which is unknown where that may not be run.
    pub(super) fn bind(
        &mut self,
        pipeline: &Pipeline,
        name: &str,
        value: &GoValue,
    ) -> Evaluated<()> {
        if pipeline.declares {
            self.frame.variables.push((name.to_owned(), value.clone()));
            return Ok(());
        }
        *self.frame.variable(name, &pipeline.at)? = match &self.uncertain {
            Some(why) => GoValue::unknown(why.clone(), &value.origin),
            None => value.clone(),
        };
        Ok(())
    }

    pub(super) fn commands(&mut self, pipeline: &Pipeline) -> Evaluated<GoValue> {
        let mut last = None;
        for command in &pipeline.commands {
            last = Some(self.command(command, last)?);
        }
        Ok(last.unwrap_or_else(|| GoValue::nil(&self.frame.origin(&pipeline.at))))
    }

    fn command(&mut self, command: &PipedCommand, last: Option<GoValue>) -> Evaluated<GoValue> {
        self.step(&command.at)?;
        let Some((first, arguments)) = command.operands.split_first() else {
            return Ok(GoValue::nil(&self.frame.origin(&command.at)));
        };
        let function = match &first.what {
            OperandKind::Nil => return fail("nil is not a command", &self.frame.origin(&first.at)),
            OperandKind::Function(name) => &**name,
            _ => "",
        };
        if let "and" | "or" = function {
            let value = self.shorted(function == "and", arguments, last)?;
            return self.fields(value, first, &[]);
        }
        let mut values = Vec::with_capacity(arguments.len() + 1);
        for (index, argument) in arguments.iter().enumerate() {
            let value = self.operand(argument, &[])?;
            let is_group = matches!(argument.what, OperandKind::Group(_));
            let is_field = !is_group && !argument.fields.is_empty();
            let value = functions::written(function, index, is_field, value);
            values.push(value.or_else(|it| fail(it, &self.frame.origin(&argument.at)))?);
        }
        values.extend(last);
        if !function.is_empty() {
            let value = self.called(function, values, &self.frame.origin(&command.at))?;
            return self.fields(value, first, &[]);
        }
        if !values.is_empty() && first.fields.is_empty() {
            return fail("this is no function", &self.frame.origin(&first.at));
        }
        self.operand(first, &values)
    }

    /// `and` and `or`, which look at no more than they need.
    fn shorted(
        &mut self,
        and: bool,
        arguments: &[Operand],
        mut last: Option<GoValue>,
    ) -> Evaluated<GoValue> {
        if arguments.is_empty() && last.is_none() {
            return fail("it has too few arguments", &self.frame.dot.origin);
        }
        let (mut unknown, mut value): (Option<GoValue>, _) = (None, None);
        for argument in arguments.iter().map(Some).chain([None]) {
            let next = match argument {
                Some(it) => self.operand(it, &[]),
                None => match last.take() {
                    Some(last) => Ok(last),
                    None => break,
                },
            };
            let next = match next {
                // An argument that follows an unknown one may not be looked at.
                Err(error) if unknown.is_some() && !error.bound => continue,
                next => next?,
            };
            match next.truth() {
                Ok(truth) if truth != and => {
                    // `false and unknown` is false for every condition, whichever of them is printed.
                    return Ok(match unknown {
                        Some(it) if !and => it.or_surely(next),
                        _ => next,
                    });
                }
                Ok(_) => value = Some(next),
                Err(_) => {
                    unknown.get_or_insert(next);
                }
            }
        }
        Ok(unknown.or(value).unwrap_or_else(|| GoValue::nil(&self.frame.dot.origin)))
    }

    fn operand(&mut self, operand: &Operand, arguments: &[GoValue]) -> Evaluated<GoValue> {
        let literal = |data| GoValue::new(data, &self.frame.origin(&operand.at));
        let value = match &operand.what {
            OperandKind::Dot => self.frame.dot.clone(),
            OperandKind::Nil => literal(GoData::Nil),
            OperandKind::Bool(it) => literal(GoData::Bool(*it)),
            OperandKind::Int(it) => literal(GoData::Int(*it)),
            OperandKind::Float(it) => literal(GoData::Float(*it)),
            OperandKind::Text(text) => GoValue::string(&**text, &self.frame.origin(&operand.at)),
            OperandKind::Odd(what) => literal(GoData::Unknown((*what).into())),
            OperandKind::Variable(name) => self.frame.variable(name, &operand.at)?.clone(),
            OperandKind::Function(name) => {
                self.called(name, Vec::new(), &self.frame.origin(&operand.at))?
            }
            OperandKind::Group(pipeline) => {
                let at = self.frame.dot.origin.clone();
                self.deeper(&at)?;
                let value = self.pipeline(pipeline)?;
                self.depth -= 1;
                value
            }
        };
        self.fields(value, operand, arguments)
    }

    /// The value of a chain of fields, the last of which may be a method that takes `arguments`.
    fn fields(
        &self,
        mut value: GoValue,
        operand: &Operand,
        arguments: &[GoValue],
    ) -> Evaluated<GoValue> {
        // Go fails at a field of nothing only where that is a field itself.
        let quiet = value.is_nil();
        for (index, name) in operand.fields.iter().enumerate() {
            let arguments = if index + 1 == operand.fields.len() { arguments } else { &[] };
            let fail = |message: String| fail(message, &self.frame.origin(&operand.at));
            value = match &value.data {
                // What it would be if it is there tells nothing of what is in it.
                GoData::Unknown(why) => GoValue::unknown(why.clone(), &value.origin.whole()),
                GoData::Object(object) => match object.field(name, arguments) {
                    Some(value) => value,
                    None if arguments.is_empty() => {
                        return fail(format!("there is no field or method `{name}`"));
                    }
                    None => return fail(format!("`{name}` has nothing for what it is given")),
                },
                GoData::Map(_) if !arguments.is_empty() => {
                    return fail(format!("`{name}` is no method but has arguments"));
                }
                GoData::Map(_) => {
                    value.field(name, self.host.missing(), &self.frame.origin(&operand.at))
                }
                GoData::Nil if quiet => value.clone(),
                GoData::Nil => return fail(format!("nil has no field `{name}`")),
                _ => return fail(format!("a {} has no field `{name}`", value.type_name())),
            };
        }
        Ok(value)
    }

    /// Whether what is run now may not be run at all.
    pub(in crate::resolve::gotemplate) fn uncertain(&self) -> Option<&Reason> {
        self.uncertain.as_ref()
    }
}

impl GoValue {
    /// An unknown value of `or`, or the one after it that certainly holds: a condition holds.
    fn or_surely(self, other: Self) -> Self {
        match (&other.data, self.unknown_part()) {
            (GoData::Bool(true), _) | (_, None) => other,
            (_, Some(why)) => Self::unknown(why, &self.origin),
        }
    }
}
