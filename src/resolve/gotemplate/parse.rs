//! From the text of a Go template to its tree, as `text/template/parse` of Go 1.24 builds it; what would
//! be an error there is one here.

use std::{fmt::Display, ops::Range, sync::Arc};

use super::{
    MarkedText,
    eval::{Evaluated, GoError},
};
use crate::tree::Origin;

/// Deeper blocks and parentheses are refused.
const MAX_DEPTH: usize = 100;

/// What a template does, in order.
#[derive(Debug, Clone)]
pub(super) enum Action {
    /// Prints a part of the template.
    Text(Range<usize>),
    /// Prints a value, or declares a variable.
    Print(Pipeline),
    /// `if` and `with`.
    Branch { with: bool, condition: Pipeline, then: Vec<Action>, other: Vec<Action> },
    /// `range`.
    Range { over: Pipeline, body: Vec<Action>, other: Vec<Action> },
    /// `template` and `block`.
    Template { name: String, dot: Option<Pipeline>, at: Range<usize> },
    /// `break`
    Break,
    /// `continue`
    Continue,
}

/// Commands, each of which gets what the one before it made.
#[derive(Debug, Clone)]
pub(super) struct Pipeline {
    /// The variables that take the result, and whether they are declared here.
    pub variables: Vec<String>,
    pub declares: bool,
    pub commands: Vec<PipedCommand>,
    pub at: Range<usize>,
}

/// A function and its arguments, or a value.
#[derive(Debug, Clone)]
pub(super) struct PipedCommand {
    pub operands: Vec<Operand>,
    pub at: Range<usize>,
}

#[derive(Debug, Clone)]
pub(super) struct Operand {
    pub what: OperandKind,
    /// The fields that are looked up in it.
    pub fields: Vec<String>,
    pub at: Range<usize>,
}

#[derive(Debug, Clone)]
pub(super) enum OperandKind {
    Dot,
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Arc<str>),
    /// What is not evaluated.
    Odd(&'static str),
    Variable(String),
    Function(String),
    Group(Box<Pipeline>),
}

/// A parsed template and those that it defines.
#[derive(Debug, Clone, Default)]
pub(super) struct Parsed {
    pub body: Vec<Action>,
    /// What `define` and `block` name.
    pub defines: Vec<(String, Vec<Action>)>,
    /// The functions that it calls, each with where.
    pub functions: Vec<(String, Range<usize>)>,
}

/// Parses the whole of a template, which stands at `nowhere` where it is not written itself.
///
/// # Errors
/// Go refuses it.
pub(super) fn parse(text: &MarkedText, nowhere: &Origin) -> Evaluated<Parsed> {
    let mut parser = Parser {
        marked: text,
        text: text.as_str(),
        nowhere,
        at: 0,
        action: 0,
        depth: 0,
        loops: 0,
        parsed: Parsed::default(),
    };
    match parser.actions()? {
        (body, Stop::Text) => Ok(Parsed { body, ..parser.parsed }),
        _ => parser.refused("nothing is open here"),
    }
}

/// Whether actions print nothing but white space: as in Go, such a template takes the place of none.
pub(super) fn is_blank(actions: &[Action], text: &str) -> bool {
    let blank = |it: &Action| match it {
        Action::Text(range) => text.get(range.clone()).unwrap_or_default().trim().is_empty(),
        _ => false,
    };
    actions.iter().all(blank)
}

/// What reads a template, and is at a byte of its text.
struct Parser<'t> {
    marked: &'t MarkedText,
    text: &'t str,
    nowhere: &'t Origin,
    at: usize,
    /// Where the action begins that is read.
    action: usize,
    depth: usize,
    /// How many `range` are open here.
    loops: usize,
    parsed: Parsed,
}

/// What ended a list of actions.
#[derive(PartialEq)]
enum Stop {
    Text,
    End,
    /// `else`, whose action is not read to its end.
    Else,
}

fn is_space(it: char) -> bool {
    matches!(it, ' ' | '\t' | '\r' | '\n')
}

fn is_name(it: char) -> bool {
    it.is_alphanumeric() || it == '_'
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn eat(&mut self, text: &str) -> bool {
        let is_next = self.rest().starts_with(text);
        self.at += if is_next { text.len() } else { 0 };
        is_next
    }

    fn eat_while(&mut self, f: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let read = &rest[..rest.len() - rest.trim_start_matches(f).len()];
        self.at += read.len();
        read
    }

    fn space(&mut self) {
        self.eat_while(is_space);
    }

    fn error(&self, message: impl Display, at: Range<usize>) -> GoError {
        let at = self.marked.origin_of(at).unwrap_or_else(|| self.nowhere.clone());
        GoError::new(format!("the template is none: {message}"), &at)
    }

    /// Refuses what is read now.
    fn refused<T>(&self, message: impl Display) -> Evaluated<T> {
        Err(Box::new(self.error(message, self.action..self.at)))
    }

    fn unexpected<T>(&self) -> Evaluated<T> {
        match self.rest().chars().next() {
            None => self.refused("the action is not closed"),
            Some(_) if self.is_end() => self.refused("the action ends too early"),
            Some(it) => {
                let at = self.at..self.at + it.len_utf8();
                Err(Box::new(self.error(format!("unexpected `{it}`"), at)))
            }
        }
    }

    fn deeper(&mut self) -> Evaluated<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let error = self.error("it nests too deeply", self.action..self.at);
            return Err(Box::new(GoError { bound: true, ..error }));
        }
        Ok(())
    }

    /// Whether the action ends here, or behind white space.
    fn is_end(&self) -> bool {
        let bare = self.rest().trim_start_matches(is_space);
        let before = &self.text[..self.text.len() - bare.len()];
        bare.starts_with("}}") || (before.ends_with(is_space) && bare.starts_with("-}}"))
    }

    /// Reads the end of the action, and the white space that it takes away; gives the action's place.
    fn end(&mut self) -> Evaluated<Range<usize>> {
        if !self.is_end() {
            self.space();
            return self.unexpected();
        }
        self.space();
        let trims = self.eat("-");
        self.at += "}}".len();
        let at = self.action..self.at;
        if trims {
            self.space();
        }
        Ok(at)
    }

    /// Reads the text before the next action, and that action's start; nothing when there is none.
    fn start(&mut self, actions: &mut Vec<Action>) -> Option<()> {
        let (start, rest) = (self.at, self.rest());
        let (mut text, inner) = rest.split_once("{{").unwrap_or((rest, ""));
        self.action = start + text.len();
        let trims = inner.strip_prefix('-').is_some_and(|it| it.starts_with(is_space));
        if trims {
            text = text.trim_end_matches(is_space);
        }
        if !text.is_empty() {
            actions.push(Action::Text(start..start + text.len()));
        }
        self.at = self.action;
        self.eat("{{").then(|| {
            if trims {
                self.at += 1;
                self.space();
            }
        })
    }

    /// Reads a comment, if there is one.
    fn comment(&mut self) -> Evaluated<bool> {
        if !self.rest().starts_with("/*") {
            return Ok(false);
        }
        let end = self.rest().find("*/").map(|it| &self.rest()[it + 2..]);
        let closes = |it: &&str| {
            it.starts_with("}}")
                || it.strip_prefix(is_space).is_some_and(|it| it.starts_with("-}}"))
        };
        match end.filter(closes) {
            Some(rest) => self.at = self.text.len() - rest.len(),
            None => return self.refused("the comment is not closed"),
        }
        self.end().map(|_| true)
    }

    fn actions(&mut self) -> Evaluated<(Vec<Action>, Stop)> {
        let mut actions = Vec::new();
        while self.start(&mut actions).is_some() {
            if self.comment()? {
                continue;
            }
            if self.is_end() {
                return self.refused("there is nothing in this action");
            }
            self.space();
            let start = self.at;
            let keyword = self.eat_while(is_name);
            match keyword {
                "end" => {
                    self.end()?;
                    return Ok((actions, Stop::End));
                }
                "else" => return Ok((actions, Stop::Else)),
                "break" | "continue" => {
                    self.end()?;
                    if self.loops == 0 {
                        return self.refused(format!("`{keyword}` is in no `range`"));
                    }
                    actions.push(if keyword == "break" { Action::Break } else { Action::Continue });
                }
                "if" | "with" | "range" => actions.push(self.block(keyword)?),
                "define" => {
                    let name = self.name()?;
                    let at = self.end()?;
                    if self.depth > 0 {
                        return self.refused("`define` stands by itself");
                    }
                    self.define(keyword, name, at)?;
                }
                "block" => {
                    let name = self.name()?;
                    let dot = Some(self.pipeline()?);
                    let at = self.end()?;
                    actions.push(Action::Template { name: name.clone(), dot, at: at.clone() });
                    self.define(keyword, name, at)?;
                }
                "template" => {
                    let name = self.name()?;
                    let dot = if self.is_end() { None } else { Some(self.pipeline()?) };
                    actions.push(Action::Template { name, dot, at: self.end()? });
                }
                _ => {
                    self.at = start;
                    let printed = self.pipeline()?;
                    self.end()?;
                    if printed.variables.len() > 1 {
                        return self.refused("only `range` declares two variables");
                    }
                    actions.push(Action::Print(printed));
                }
            }
        }
        Ok((actions, Stop::Text))
    }

    /// The body of `define` or `block`.
    fn define(&mut self, keyword: &str, name: String, at: Range<usize>) -> Evaluated<()> {
        self.deeper()?;
        let loops = std::mem::take(&mut self.loops);
        let (body, end) = self.actions()?;
        self.loops = loops;
        self.depth -= 1;
        if end != Stop::End {
            return self.not_ended(keyword, at);
        }
        let is_set = |it: &[Action]| !is_blank(it, self.text);
        let mut defines = self.parsed.defines.iter();
        if is_set(&body) && defines.any(|it| it.0 == name && is_set(&it.1)) {
            return Err(Box::new(self.error(format!("`{name}` is defined twice"), at)));
        }
        self.parsed.defines.push((name, body));
        Ok(())
    }

    /// `if`, `with` or `range`.
    fn block(&mut self, keyword: &str) -> Evaluated<Action> {
        let condition = self.pipeline()?;
        let at = self.end()?;
        self.deeper()?;
        let is_loop = usize::from(keyword == "range");
        self.loops += is_loop;
        let (then, end) = self.actions()?;
        self.loops -= is_loop;
        let other = match end {
            Stop::Text => return self.not_ended(keyword, at),
            Stop::End => Vec::new(),
            Stop::Else => self.other(keyword)?,
        };
        self.depth -= 1;
        Ok(match keyword {
            "range" => Action::Range { over: condition, body: then, other },
            _ => Action::Branch { with: keyword == "with", condition, then, other },
        })
    }

    /// What comes after `else`, to its `end`.
    fn other(&mut self, keyword: &str) -> Evaluated<Vec<Action>> {
        self.space();
        match self.eat_while(is_name) {
            "" => {}
            // The `end` is that of both.
            word if word == keyword && word != "range" => return Ok(vec![self.block(word)?]),
            _ => return self.refused("`else` is followed by something else than `if`"),
        }
        let at = self.end()?;
        match self.actions()? {
            (other, Stop::End) => Ok(other),
            (_, Stop::Else) => self.refused("there was an `else` already"),
            (_, Stop::Text) => self.not_ended(keyword, at),
        }
    }

    fn not_ended<T>(&self, keyword: &str, at: Range<usize>) -> Evaluated<T> {
        Err(Box::new(self.error(format!("`{keyword}` has no `end`"), at)))
    }

    /// The name of a template.
    fn name(&mut self) -> Evaluated<String> {
        self.space();
        match self.operand()?.what {
            OperandKind::Text(name) => Ok(name.to_string()),
            _ => self.refused("the name is no text"),
        }
    }

    fn pipeline(&mut self) -> Evaluated<Pipeline> {
        self.space();
        let start = self.at;
        let (variables, declares) = self.declaration();
        let mut commands = vec![self.command()?];
        while self.eat("|") {
            self.space();
            // Go lets a bar stand before the end.
            if self.is_end() || self.rest().starts_with(')') {
                break;
            }
            commands.push(self.command()?);
        }
        let end = commands.last().map_or(start, |it| it.at.end);
        Ok(Pipeline { variables, declares, commands, at: start..end })
    }

    /// `$x :=`, `$x =`, `$i, $x :=`.
    fn declaration(&mut self) -> (Vec<String>, bool) {
        let start = self.at;
        let mut variables = Vec::new();
        while self.rest().starts_with('$') {
            variables.push(self.variable());
            self.space();
            let declares = self.eat(":=");
            if declares || self.eat("=") {
                return (variables, declares);
            }
            if variables.len() > 1 || !self.eat(",") {
                break;
            }
            self.space();
        }
        self.at = start;
        (Vec::new(), false)
    }

    fn variable(&mut self) -> String {
        self.at += 1;
        format!("${}", self.eat_while(is_name))
    }

    fn command(&mut self) -> Evaluated<PipedCommand> {
        self.space();
        let start = self.at;
        let mut operands = Vec::new();
        loop {
            operands.push(self.operand()?);
            let end = self.at;
            self.space();
            if self.is_end() || self.rest().starts_with(['|', ')']) {
                return Ok(PipedCommand { operands, at: start..end });
            }
            if self.at == end {
                return self.unexpected();
            }
        }
    }

    fn operand(&mut self) -> Evaluated<Operand> {
        let (start, rest) = (self.at, self.rest());
        let is_number = |it: char| it.is_ascii_alphanumeric() || "._+-".contains(it);
        let what = match rest.chars().next() {
            Some('$') => OperandKind::Variable(self.variable()),
            Some(mark @ ('"' | '\'')) => {
                let Some((bytes, length)) = quoted(rest, mark) else {
                    return self.refused("the text is not closed");
                };
                self.at += length;
                match String::from_utf8(bytes) {
                    _ if mark == '\'' => OperandKind::Odd("a character is not evaluated"),
                    Ok(text) => OperandKind::Text(text.into()),
                    Err(_) => OperandKind::Odd("this text is not UTF-8"),
                }
            }
            Some('`') => {
                let Some((text, after)) = rest[1..].split_once('`') else {
                    return self.refused("the text is not closed");
                };
                self.at = self.text.len() - after.len();
                OperandKind::Text(text.into())
            }
            Some('(') => {
                self.at += 1;
                self.deeper()?;
                let inner = self.pipeline()?;
                self.depth -= 1;
                if !self.eat(")") {
                    return Err(Box::new(self.error("it is not closed", start..start + 1)));
                }
                OperandKind::Group(Box::new(inner))
            }
            Some('.') if !rest[1..].starts_with(|it: char| it.is_ascii_digit()) => {
                self.at += usize::from(!rest[1..].starts_with(is_name));
                OperandKind::Dot
            }
            Some('0'..='9' | '+' | '-' | '.') => {
                let text = self.eat_while(is_number);
                match number(text) {
                    Some(number) => number,
                    None => return self.refused(format!("`{text}` is no number")),
                }
            }
            Some(it) if is_name(it) => match self.eat_while(is_name) {
                "nil" => OperandKind::Nil,
                "true" => OperandKind::Bool(true),
                "false" => OperandKind::Bool(false),
                word => {
                    self.parsed.functions.push((word.to_owned(), start..self.at));
                    OperandKind::Function(word.to_owned())
                }
            },
            _ => return self.unexpected(),
        };
        let mut fields = Vec::new();
        while let Some(name) = self.rest().strip_prefix('.')
            && name.starts_with(|it: char| is_name(it) && !it.is_ascii_digit())
        {
            self.at += 1;
            fields.push(self.eat_while(is_name).to_owned());
        }
        Ok(Operand { what, fields, at: start..self.at })
    }
}

/// What stands in quotes at the start of `text`, and how long that is with them.
fn quoted(text: &str, mark: char) -> Option<(Vec<u8>, usize)> {
    let mut bytes = Vec::new();
    let mut chars = text.char_indices().skip(1);
    loop {
        let (at, it) = chars.next()?;
        let escaped = if it == '\\' { Some(chars.next()?.1) } else { None };
        let mut digits = |first: &str, count: usize, radix: u32| {
            let rest = chars.by_ref().take(count).map(|it| it.1);
            u32::from_str_radix(&first.chars().chain(rest).collect::<String>(), radix).ok()
        };
        let char = match escaped {
            None if it == '\n' => return None,
            None if it == mark => return Some((bytes, at + 1)),
            None => it,
            Some('x') => {
                bytes.push(u8::try_from(digits("", 2, 16)?).ok()?);
                continue;
            }
            Some(it @ '0'..='7') => {
                bytes.push(u8::try_from(digits(&it.to_string(), 2, 8)?).ok()?);
                continue;
            }
            Some('u') => char::from_u32(digits("", 4, 16)?)?,
            Some('U') => char::from_u32(digits("", 8, 16)?)?,
            Some(it @ ('\\' | '"' | '\'')) => it,
            // In the order of their codes.
            Some(it) => char::from(7 + u8::try_from("abtnvfr".find(it)?).ok()?),
        };
        bytes.extend(char.to_string().bytes());
    }
}

/// A number as Go's parser reads it, with a base or with underscores.
fn number(text: &str) -> Option<OperandKind> {
    let (minus, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let bare = digits.replace('_', "").to_ascii_lowercase();
    let octal = bare.strip_prefix('0').filter(|it| !it.is_empty() && !it.contains(['.', 'e']));
    let (whole, radix) = match bare.get(..2) {
        Some("0x") => (&bare[2..], 16),
        Some("0o") => (&bare[2..], 8),
        Some("0b") => (&bare[2..], 2),
        _ => octal.map_or((&*bare, 10), |it| (it, 8)),
    };
    if whole.starts_with(['+', '-']) || digits.contains("__") || digits.ends_with('_') {
        return None;
    }
    if let Ok(int) = i64::from_str_radix(&format!("{minus}{whole}"), radix) {
        return Some(OperandKind::Int(int));
    }
    if let Some((mantissa, power)) = whole.split_once('p').filter(|_| radix == 16) {
        // `0x1p20`
        let mantissa = i32::from_str_radix(&format!("{minus}{mantissa}"), 16).ok().map(f64::from);
        let odd = OperandKind::Odd("a fraction in base 16");
        let power: i32 = power.parse().ok()?;
        return Some(mantissa.map_or(odd, |it| OperandKind::Float(it * 2_f64.powi(power))));
    }
    if bare.ends_with('i') {
        return Some(OperandKind::Odd("a complex number"));
    }
    // As Go has it, `08` is no number, and what is too long for an int is none either.
    let float: f64 = format!("{minus}{bare}").parse().ok().filter(|_| bare.contains(['.', 'e']))?;
    float.is_finite().then_some(OperandKind::Float(float))
}
