//! From tokens to the tree of a Go template, as `text/template/parse` builds it.

use std::{ops::Range, sync::Arc};

use super::lex::{self, GoToken, LexError, TemplatePiece, Unescaped};

/// Deeper blocks and parentheses are refused.
const MAX_DEPTH: usize = 100;

/// The words that are no functions.
const KEYWORDS: [&str; 13] = [
    "block", "break", "continue", "define", "else", "end", "false", "if", "nil", "range",
    "template", "true", "with",
];

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

/// Parses the whole of a template.
pub(super) fn parse(text: &str) -> Result<Parsed, LexError> {
    let pieces = lex::pieces(text)?;
    let functions = pieces.iter().flat_map(functions).collect();
    let mut parser =
        Parser { text, pieces: pieces.into_iter(), defines: Vec::new(), depth: 0, loops: 0 };
    let (body, end) = parser.actions()?;
    match end {
        Stop::Text => Ok(Parsed { body, defines: parser.defines, functions }),
        Stop::Else(at, _) | Stop::End(at) => lex::refused("nothing is open here", at),
    }
}

/// The words of an action that name functions.
fn functions(piece: &TemplatePiece) -> impl Iterator<Item = (String, Range<usize>)> {
    let tokens = match piece {
        TemplatePiece::Action(_, tokens) => &tokens[..],
        TemplatePiece::Text(_) => &[],
    };
    let function = |(token, at): &(GoToken, Range<usize>)| match token {
        GoToken::Word(word) if !KEYWORDS.contains(&&**word) => Some((word.clone(), at.clone())),
        _ => None,
    };
    tokens.iter().filter_map(function)
}

/// Whether actions print nothing but white space: as in Go, such a template takes the place of none.
pub(super) fn is_blank(actions: &[Action], text: &str) -> bool {
    let blank = |it: &Action| match it {
        Action::Text(range) => text.get(range.clone()).unwrap_or_default().trim().is_empty(),
        _ => false,
    };
    actions.iter().all(blank)
}

struct Parser<'t> {
    text: &'t str,
    pieces: std::vec::IntoIter<TemplatePiece>,
    defines: Vec<(String, Vec<Action>)>,
    depth: usize,
    /// How many `range` are open here.
    loops: usize,
}

/// What ended a list of actions.
enum Stop {
    Text,
    End(Range<usize>),
    /// `else`, and what follows it in the same action.
    Else(Range<usize>, lex::Tokens),
}

impl Parser<'_> {
    fn actions(&mut self) -> Result<(Vec<Action>, Stop), LexError> {
        let mut actions = Vec::new();
        while let Some(piece) = self.pieces.next() {
            let (at, tokens) = match piece {
                TemplatePiece::Text(range) => {
                    actions.push(Action::Text(range));
                    continue;
                }
                TemplatePiece::Action(at, tokens) => (at, tokens),
            };
            let mut tokens = Cursor { all: tokens, next: 0, at: at.clone(), depth: self.depth };
            tokens.space();
            let keyword = match tokens.peek() {
                None => return lex::refused("there is nothing in this action", at),
                Some(GoToken::Word(word)) => word.clone(),
                Some(_) => String::new(),
            };
            match &*keyword {
                "end" => return Ok((actions, Stop::End(at))),
                "else" => {
                    tokens.next += 1;
                    tokens.space();
                    return Ok((actions, Stop::Else(at, tokens.rest())));
                }
                "break" | "continue" if self.loops == 0 => {
                    return lex::refused(format!("`{keyword}` is in no `range`"), at);
                }
                "break" => actions.push(Action::Break),
                "continue" => actions.push(Action::Continue),
                "if" | "with" | "range" => {
                    tokens.next += 1;
                    actions.push(self.block(&keyword, tokens)?);
                }
                "define" | "block" => {
                    tokens.next += 1;
                    let name = tokens.name()?;
                    tokens.space();
                    if keyword == "block" {
                        let dot = Some(tokens.pipeline()?);
                        actions.push(Action::Template { name: name.clone(), dot, at: at.clone() });
                    } else if self.depth > 0 || tokens.peek().is_some() {
                        return lex::refused("`define` stands by itself", at);
                    }
                    self.deeper(&at)?;
                    let loops = std::mem::take(&mut self.loops);
                    let (body, end) = self.actions()?;
                    self.loops = loops;
                    self.depth -= 1;
                    let Stop::End(_) = end else { return Err(not_ended(&keyword, at)) };
                    let is_set = |it: &[Action]| !is_blank(it, self.text);
                    if is_set(&body) && self.defines.iter().any(|it| it.0 == name && is_set(&it.1))
                    {
                        return lex::refused(format!("`{name}` is defined twice"), at);
                    }
                    self.defines.push((name, body));
                }
                "template" => {
                    tokens.next += 1;
                    let name = tokens.name()?;
                    tokens.space();
                    let dot = match tokens.peek() {
                        None => None,
                        Some(_) => Some(tokens.pipeline()?),
                    };
                    actions.push(Action::Template { name, dot, at });
                }
                _ => {
                    let printed = tokens.pipeline()?;
                    if printed.variables.len() > 1 {
                        return lex::refused("only `range` declares two variables", at);
                    }
                    actions.push(Action::Print(printed));
                }
            }
        }
        Ok((actions, Stop::Text))
    }

    fn deeper(&mut self, at: &Range<usize>) -> Result<(), LexError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(LexError::bound("its blocks nest too deeply", at.clone()));
        }
        Ok(())
    }

    /// `if`, `with` or `range`, whose condition `tokens` are.
    fn block(&mut self, keyword: &str, mut tokens: Cursor) -> Result<Action, LexError> {
        let at = tokens.at.clone();
        let condition = tokens.pipeline()?;
        self.deeper(&at)?;
        let is_loop = usize::from(keyword == "range");
        self.loops += is_loop;
        let (then, end) = self.actions()?;
        self.loops -= is_loop;
        let other = match end {
            Stop::Text => return Err(not_ended(keyword, at)),
            Stop::End(_) => Vec::new(),
            Stop::Else(at, tokens) => self.other(keyword, at, tokens)?,
        };
        self.depth -= 1;
        Ok(match keyword {
            "range" => Action::Range { over: condition, body: then, other },
            _ => Action::Branch { with: keyword == "with", condition, then, other },
        })
    }

    /// What comes after `else`, to its `end`.
    fn other(
        &mut self,
        keyword: &str,
        at: Range<usize>,
        tokens: lex::Tokens,
    ) -> Result<Vec<Action>, LexError> {
        let mut tokens = Cursor { all: tokens, next: 0, at: at.clone(), depth: self.depth };
        match tokens.peek().cloned() {
            None => match self.actions()? {
                (other, Stop::End(_)) => Ok(other),
                (_, Stop::Else(at, _)) => lex::refused("there was an `else` already", at),
                (_, Stop::Text) => Err(not_ended(keyword, at)),
            },
            // The `end` is that of both.
            Some(GoToken::Word(word)) if word == keyword && word != "range" => {
                tokens.next += 1;
                Ok(vec![self.block(&word, tokens)?])
            }
            Some(_) => lex::refused("`else` is followed by something else than `if`", at),
        }
    }
}

fn not_ended(keyword: &str, at: Range<usize>) -> LexError {
    LexError::new(format!("`{keyword}` has no `end`"), at)
}

struct Cursor {
    all: lex::Tokens,
    next: usize,
    /// The action.
    at: Range<usize>,
    depth: usize,
}

impl Cursor {
    fn peek(&self) -> Option<&GoToken> {
        self.all.get(self.next).map(|(token, _)| token)
    }

    fn space(&mut self) {
        while self.peek() == Some(&GoToken::Space) {
            self.next += 1;
        }
    }

    fn rest(mut self) -> lex::Tokens {
        self.all.split_off(self.next.min(self.all.len()))
    }

    /// The place of the next token, or of the end of the action.
    fn here(&self) -> Range<usize> {
        self.all.get(self.next).map_or_else(|| self.at.clone(), |(_, range)| range.clone())
    }

    fn unexpected(&self) -> LexError {
        match self.all.get(self.next) {
            Some((token, at)) => LexError::new(format!("unexpected {}", token.said()), at.clone()),
            None => LexError::new("the action ends too early", self.at.clone()),
        }
    }

    /// The name of a template.
    fn name(&mut self) -> Result<String, LexError> {
        self.space();
        match self.peek() {
            Some(GoToken::Text(name)) => {
                let name = name.clone();
                self.next += 1;
                Ok(name)
            }
            _ => Err(self.unexpected()),
        }
    }

    /// All that is left of the action.
    fn pipeline(&mut self) -> Result<Pipeline, LexError> {
        let pipeline = self.inner_pipeline()?;
        if self.peek().is_some() { Err(self.unexpected()) } else { Ok(pipeline) }
    }

    /// The same up to the parenthesis that closes.
    fn inner_pipeline(&mut self) -> Result<Pipeline, LexError> {
        self.space();
        let start = self.here().start;
        let (variables, declares) = self.declaration();
        let mut commands = Vec::new();
        loop {
            commands.push(self.command()?);
            match self.peek() {
                Some(GoToken::Mark("|")) => {
                    self.next += 1;
                    self.space();
                    // Go lets a bar stand before the end.
                    if matches!(self.peek(), None | Some(GoToken::Mark(")"))) {
                        break;
                    }
                }
                None | Some(GoToken::Mark(")")) => break,
                Some(_) => return Err(self.unexpected()),
            }
        }
        let end = commands.last().map_or(start, |it| it.at.end);
        Ok(Pipeline { variables, declares, commands, at: start..end.max(start) })
    }

    /// `$x :=`, `$x =`, `$i, $x :=`.
    fn declaration(&mut self) -> (Vec<String>, bool) {
        let start = self.next;
        let mut variables = Vec::new();
        while let Some(GoToken::Variable(name)) = self.peek() {
            variables.push(name.clone());
            self.next += 1;
            self.space();
            match self.peek() {
                Some(GoToken::Mark(",")) if variables.len() == 1 => {
                    self.next += 1;
                    self.space();
                }
                Some(GoToken::Mark(mark @ (":=" | "="))) => {
                    let declares = *mark == ":=";
                    self.next += 1;
                    return (variables, declares);
                }
                _ => break,
            }
        }
        self.next = start;
        (Vec::new(), false)
    }

    fn command(&mut self) -> Result<PipedCommand, LexError> {
        self.space();
        let start = self.here().start;
        let mut operands = Vec::new();
        while let Some(token) = self.peek() {
            if matches!(token, GoToken::Mark("|" | ")")) {
                break;
            }
            operands.push(self.operand()?);
            match self.peek() {
                Some(GoToken::Space) => self.space(),
                None | Some(GoToken::Mark("|" | ")")) => {}
                Some(_) => return Err(self.unexpected()),
            }
        }
        let Some(last) = operands.last() else { return Err(self.unexpected()) };
        Ok(PipedCommand { at: start..last.at.end, operands })
    }

    fn operand(&mut self) -> Result<Operand, LexError> {
        let Some((token, at)) = self.all.get(self.next).cloned() else {
            return Err(self.unexpected());
        };
        let mut fields = Vec::new();
        let what = match token {
            GoToken::Dot => OperandKind::Dot,
            GoToken::Field(name) => {
                fields.push(name);
                OperandKind::Dot
            }
            GoToken::Variable(name) => OperandKind::Variable(name),
            GoToken::Text(text) => OperandKind::Text(text.into()),
            GoToken::Bytes => OperandKind::Odd("this text is not UTF-8"),
            GoToken::Number(text) => {
                let none = || LexError::new(format!("`{text}` is no number"), at.clone());
                number(&text).ok_or_else(none)?
            }
            GoToken::Word(word) => match &*word {
                "nil" => OperandKind::Nil,
                "true" => OperandKind::Bool(true),
                "false" => OperandKind::Bool(false),
                _ => OperandKind::Function(word),
            },
            GoToken::Mark("(") => {
                self.next += 1;
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err(LexError::bound("its parentheses nest too deeply", at));
                }
                let inner = self.inner_pipeline()?;
                self.depth -= 1;
                self.space();
                if self.peek() != Some(&GoToken::Mark(")")) {
                    return lex::refused("the parenthesis is not closed", at);
                }
                OperandKind::Group(Box::new(inner))
            }
            GoToken::Mark(_) | GoToken::Space => return Err(self.unexpected()),
        };
        let mut end = self.here().end;
        self.next += 1;
        while let Some((GoToken::Field(name), range)) = self.all.get(self.next) {
            fields.push(name.clone());
            end = range.end;
            self.next += 1;
        }
        Ok(Operand { what, fields, at: at.start..end })
    }
}

impl GoToken {
    fn said(&self) -> String {
        match self {
            Self::Field(name) => format!("`.{name}`"),
            Self::Variable(it) | Self::Word(it) | Self::Number(it) => format!("`{it}`"),
            Self::Text(it) => format!("\"{it}\""),
            Self::Bytes => "a text".to_owned(),
            Self::Dot => "`.`".to_owned(),
            Self::Mark(it) => format!("`{it}`"),
            Self::Space => "white space".to_owned(),
        }
    }
}

/// `0x1p60`: a fraction in base 16, and the power of two that it is multiplied by.
fn hexadecimal(text: &str) -> Option<f64> {
    let (digits, power) = text.strip_prefix("0x")?.split_once('p')?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mantissa = i64::from_str_radix(&format!("{whole}{fraction}"), 16).ok()?;
    let power = power.parse::<i32>().ok()?.checked_sub(4 * i32::try_from(fraction.len()).ok()?)?;
    #[expect(clippy::cast_precision_loss, reason = "as Go reads it")]
    Some(mantissa as f64 * 2_f64.powi(power))
}

/// A number as Go's parser reads it: with a base, with underscores, a character.
fn number(text: &str) -> Option<OperandKind> {
    if let Some(inner) = text.strip_prefix('\'').and_then(|it| it.strip_suffix('\'')) {
        let mut chars = inner.chars();
        let char = match chars.next()? {
            '\\' => match lex::unescaped(chars.next()?, &mut chars)? {
                Unescaped::Byte(it) => u32::from(it),
                Unescaped::Char(it) => u32::from(it),
            },
            it => u32::from(it),
        };
        return chars.next().is_none().then_some(OperandKind::Int(char.into()));
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let bare = digits.replace('_', "").to_ascii_lowercase();
    let signed = |it: &str| it.starts_with(['+', '-']);
    if signed(&bare) || bare.get(2..).is_some_and(signed) && bare.starts_with('0') {
        return None;
    }
    if digits.contains("__") || digits.ends_with('_') {
        return None;
    }
    if bare.strip_suffix('i').is_some_and(|it| it.parse::<f64>().is_ok()) {
        return Some(OperandKind::Odd("a complex number"));
    }
    let (whole, radix) = match bare.get(..2) {
        Some("0x") => (&bare[2..], 16),
        Some("0o") => (&bare[2..], 8),
        Some("0b") => (&bare[2..], 2),
        _ if bare.len() > 1
            && bare.bytes().all(|it| it.is_ascii_digit())
            && bare.starts_with('0') =>
        {
            (&bare[1..], 8)
        }
        _ => (&*bare, 10),
    };
    let minus = if sign < 0 { "-" } else { "" };
    if let Ok(int) = i64::from_str_radix(&format!("{minus}{whole}"), radix) {
        return Some(OperandKind::Int(int));
    }
    // As Go has it, `08` is no number, and what is too long for an int is none either.
    if !bare.contains(['.', 'e', 'p']) {
        return None;
    }
    let float: f64 = hexadecimal(&bare).or_else(|| bare.parse().ok())?;
    float.is_finite().then_some(OperandKind::Float(if sign < 0 { -float } else { float }))
}
