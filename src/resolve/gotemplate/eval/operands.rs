//! Runs pipelines: calls, chains of fields, `and` and `or`.

use super::{
    super::{
        functions,
        parse::{Operand, OperandKind, PipedCommand, Pipeline},
        value::{GoData, GoValue},
    },
    Evaluated, Execution, GoVariables, Place, fail,
};
use crate::tree::Reason;

impl Execution<'_> {
    /// The value of a pipeline, which its variables take.
    pub(super) fn pipeline(
        &mut self,
        pipeline: &Pipeline,
        place: Place<'_>,
        dot: &GoValue,
        variables: &mut GoVariables,
    ) -> Evaluated<GoValue> {
        let value = self.operands_of(pipeline, place, dot, variables)?;
        for name in &pipeline.variables {
            self.bind(pipeline, name, &value, place, variables)?;
        }
        Ok(value)
    }

    /// Gives a variable of `pipeline` its value, which is unknown where that may not be run.
    pub(super) fn bind(
        &self,
        pipeline: &Pipeline,
        name: &str,
        value: &GoValue,
        place: Place<'_>,
        variables: &mut GoVariables,
    ) -> Evaluated<()> {
        if pipeline.declares {
            variables.0.push((name.to_owned(), value.clone()));
            return Ok(());
        }
        let Some((_, old)) = variables.0.iter_mut().rev().find(|(it, _)| it == name) else {
            let message = format!("the variable `{name}` is not defined");
            return fail(message, &place.origin(&pipeline.at));
        };
        *old = match &self.uncertain {
            Some(why) => GoValue::unknown(why.clone(), &value.origin),
            None => value.clone(),
        };
        Ok(())
    }

    pub(super) fn operands_of(
        &mut self,
        pipeline: &Pipeline,
        place: Place<'_>,
        dot: &GoValue,
        variables: &mut GoVariables,
    ) -> Evaluated<GoValue> {
        let mut last = None;
        for command in &pipeline.commands {
            last = Some(self.command(command, place, dot, variables, last)?);
        }
        Ok(last.unwrap_or_else(|| GoValue::nil(&place.origin(&pipeline.at))))
    }

    fn command(
        &mut self,
        command: &PipedCommand,
        place: Place<'_>,
        dot: &GoValue,
        variables: &mut GoVariables,
        last: Option<GoValue>,
    ) -> Evaluated<GoValue> {
        self.step(place, &command.at)?;
        let Some((first, arguments)) = command.operands.split_first() else {
            return Ok(GoValue::nil(&place.origin(&command.at)));
        };
        let is_call = !arguments.is_empty() || last.is_some();
        if matches!(first.what, OperandKind::Nil) {
            return fail("nil is not a command", &place.origin(&first.at));
        }
        if let OperandKind::Function(name) = &first.what {
            let value = match &**name {
                "and" | "or" => {
                    self.shorted(name == "and", arguments, place, dot, variables, last.as_ref())?
                }
                _ => {
                    let mut values = Vec::with_capacity(arguments.len() + 1);
                    for (index, argument) in arguments.iter().enumerate() {
                        let value = self.operand(argument, place, dot, variables, &[])?;
                        let is_group = matches!(argument.what, OperandKind::Group(_));
                        let is_field = !is_group && !argument.fields.is_empty();
                        let value = functions::written(name, index, is_field, value);
                        values.push(value.or_else(|it| fail(it, &place.origin(&argument.at)))?);
                    }
                    values.extend(last);
                    self.called(name, values, &place.origin(&command.at))?
                }
            };
            return self.fields(value, &first.fields, place, first, &[]);
        }
        let mut values = Vec::new();
        for argument in arguments {
            values.push(self.operand(argument, place, dot, variables, &[])?);
        }
        values.extend(last);
        if is_call && first.fields.is_empty() {
            return fail("this is no function", &place.origin(&first.at));
        }
        self.operand(first, place, dot, variables, &values)
    }

    /// `and` and `or`, which look at no more than they need.
    fn shorted(
        &mut self,
        and: bool,
        arguments: &[Operand],
        place: Place<'_>,
        dot: &GoValue,
        variables: &mut GoVariables,
        last: Option<&GoValue>,
    ) -> Evaluated<GoValue> {
        if arguments.is_empty() && last.is_none() {
            return fail("it has too few arguments", &dot.origin);
        }
        let mut unknown: Option<GoValue> = None;
        let mut value = None;
        for index in 0..=arguments.len() {
            let next = match arguments.get(index) {
                // An argument that follows an unknown one may not be looked at.
                Some(it) if unknown.is_some() => {
                    match self.operand(it, place, dot, variables, &[]) {
                        Ok(next) => next,
                        Err(error) if error.bound => return Err(error),
                        Err(_) => continue,
                    }
                }
                Some(it) => self.operand(it, place, dot, variables, &[])?,
                None => match last {
                    Some(last) => last.clone(),
                    None => break,
                },
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
        Ok(unknown.or(value).unwrap_or_else(|| GoValue::nil(&dot.origin)))
    }

    fn operand(
        &mut self,
        operand: &Operand,
        place: Place<'_>,
        dot: &GoValue,
        variables: &mut GoVariables,
        arguments: &[GoValue],
    ) -> Evaluated<GoValue> {
        let origin = || place.origin(&operand.at);
        let literal = |data| GoValue::new(data, &origin());
        let value = match &operand.what {
            OperandKind::Dot => dot.clone(),
            OperandKind::Nil => literal(GoData::Nil),
            OperandKind::Bool(it) => literal(GoData::Bool(*it)),
            OperandKind::Int(it) => literal(GoData::Int(*it)),
            OperandKind::Float(it) => literal(GoData::Float(*it)),
            OperandKind::Text(text) => GoValue::string(&**text, &origin()),
            OperandKind::Odd(what) => GoValue::unknown(*what, &origin()),
            OperandKind::Variable(name) => {
                match variables.0.iter().rev().find(|(it, _)| it == name) {
                    Some((_, value)) => value.clone(),
                    None => {
                        let message = format!("the variable `{name}` is not defined");
                        return fail(message, &origin());
                    }
                }
            }
            OperandKind::Function(name) => self.called(name, Vec::new(), &origin())?,
            OperandKind::Group(pipeline) => {
                self.deeper(&dot.origin)?;
                let value = self.pipeline(pipeline, place, dot, variables)?;
                self.depth -= 1;
                value
            }
        };
        self.fields(value, &operand.fields, place, operand, arguments)
    }

    /// The value of a chain of fields, the last of which may be a method that takes `arguments`.
    fn fields(
        &self,
        mut value: GoValue,
        fields: &[String],
        place: Place<'_>,
        operand: &Operand,
        arguments: &[GoValue],
    ) -> Evaluated<GoValue> {
        // Go fails at a field of nothing only where that is a field itself.
        let quiet = value.is_nil();
        for (index, name) in fields.iter().enumerate() {
            let arguments = if index + 1 == fields.len() { arguments } else { &[] };
            let fail = |message: String| fail(message, &place.origin(&operand.at));
            value = match &value.data {
                GoData::Unknown(why) => {
                    let why = why.clone();
                    // What it would be if it is there tells nothing of what is in it.
                    GoValue::unknown(why, &value.origin.whole())
                }
                GoData::Object(object) => match object.field(name, arguments) {
                    Some(value) => value,
                    None => return fail(format!("there is no field or method `{name}`")),
                },
                GoData::Map(_) if !arguments.is_empty() => {
                    return fail(format!("`{name}` is no method but has arguments"));
                }
                GoData::Map(_) => {
                    value.field(name, self.host.missing(), &place.origin(&operand.at))
                }
                GoData::Nil if quiet => value.clone(),
                GoData::Nil => return fail(format!("nil has no field `{name}`")),
                _ => return fail(format!("a {} has no field `{name}`", value.type_name())),
            };
        }
        Ok(value)
    }

    /// Sets a key of a map, as `set` does.
    pub(in crate::resolve::gotemplate) fn set_key(&self, map: &GoValue, key: &str, value: GoValue) {
        let GoData::Map(map) = &map.data else { return };
        let mut map = map.borrow_mut();
        match &self.uncertain {
            None => map.set(key, value),
            Some(why) if map.entries.contains_key(key) => {
                map.set(key, GoValue::unknown(why.clone(), &value.origin));
            }
            Some(why) => drop(map.open.get_or_insert_with(|| why.clone())),
        }
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
