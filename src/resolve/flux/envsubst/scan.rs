//! From text to expressions, as the scanner and parser of `fluxcd/pkg/envsubst/parse` go about it.

use std::ops::Range;

use super::Error;

/// Expressions in expressions deeper than this are refused.
const MAX_DEPTH: usize = 100;

const BRACE: &str = "missing closing brace";
const NAME: &str = "unable to parse variable name";
const INNER: &str = "unable to parse substitution within function";
const BAD: &str = "bad substitution";

/// A part of a template.
#[derive(Debug)]
pub(super) enum ExpressionPart {
    /// What stands for itself, unescaped.
    Text(String),
    /// An expression.
    Call(Call),
}

/// `${name}` or `${name operator arguments}`.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) operator: Operation,
    pub(super) arguments: Vec<ExpressionPart>,
    pub(super) range: Range<usize>,
}

/// What an expression does with the variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// `:=`, `:-`, `:?`, `:+`, `=`: the arguments when the value is empty.
    Default,
    /// `${#name}`
    Length,
    Lower,
    Upper,
    LowerFirst,
    UpperFirst,
    /// `:offset` and `:offset:length`, or nothing at all, which leaves the value whole.
    Part,
    TrimPrefix {
        longest: bool,
    },
    TrimSuffix {
        longest: bool,
    },
    ReplaceFirst,
    ReplaceAll,
    ReplacePrefix,
    ReplaceSuffix,
}

/// The parts of `text`.
pub(super) fn parse(text: &str) -> Result<Vec<ExpressionPart>, Error> {
    let mut scanner = Scanner { text, at: 0, depth: 0 };
    let mut pieces = Vec::new();
    loop {
        let start = scanner.at;
        if scanner.eat("${") {
            let call = scanner.call(start);
            pieces
                .push(ExpressionPart::Call(call.map_err(|message| Error { message, at: start })?));
        } else {
            match scanner.until(|_| false, &['$']) {
                text if text.is_empty() => return Ok(pieces),
                text => pieces.push(ExpressionPart::Text(text)),
            }
        }
    }
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl Scanner<'_> {
    /// The next character; upstream takes a NUL for the end of the text.
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next().filter(|it| *it != '\0')
    }

    fn eat(&mut self, token: &str) -> bool {
        let there = self.text[self.at..].starts_with(token);
        self.at += if there { token.len() } else { 0 };
        there
    }

    fn while_accepted(&mut self, accept: impl Fn(char) -> bool) -> &str {
        let start = self.at;
        while let Some(char) = self.peek().filter(|it| accept(*it)) {
            self.at += char.len_utf8();
        }
        &self.text[start..self.at]
    }

    /// Text up to an expression or the first character that `ends` it. A dollar sign escapes a
    /// dollar sign and a backslash a slash or a backslash, where `escapes` names them.
    fn until(&mut self, ends: impl Fn(char) -> bool, escapes: &[char]) -> String {
        let mut text = String::new();
        while let Some(char) = self.peek() {
            let rest = &self.text[self.at + char.len_utf8()..];
            if char == '$' && rest.starts_with('{') {
                break;
            }
            let stands_for = match char {
                '$' if rest.starts_with('$') => Some('$'),
                '\\' => rest.chars().next().filter(|it| matches!(it, '/' | '\\')),
                _ => None,
            };
            if let Some(literal) = stands_for.filter(|_| escapes.contains(&char)) {
                text.push(literal);
                self.at += 2;
            } else if ends(char) {
                break;
            } else {
                text.push(char);
                self.at += char.len_utf8();
            }
        }
        text
    }

    /// What follows `${` at `start`.
    fn call(&mut self, start: usize) -> Result<Call, &'static str> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("expressions are nested too deeply");
        }
        // Upstream accepts every Unicode letter and digit, though none can be defined.
        let letter = |it: char| it == '_' || it.is_alphanumeric();
        let mut arguments = Vec::new();
        let (name, operator) = if self.eat("#") {
            let name = self.while_accepted(letter).to_owned();
            if name.is_empty() {
                return Err(BAD);
            }
            self.close(BAD)?;
            (name, Operation::Length)
        } else {
            let name = self.while_accepted(letter).to_owned();
            if name.is_empty() {
                return Err(NAME);
            }
            (name, self.operation(&mut arguments)?)
        };
        self.depth -= 1;
        Ok(Call { name, operator, arguments, range: start..self.at })
    }

    fn close(&mut self, message: &'static str) -> Result<(), &'static str> {
        if self.eat("}") { Ok(()) } else { Err(message) }
    }

    /// The operator, its arguments and the closing brace.
    fn operation(
        &mut self,
        arguments: &mut Vec<ExpressionPart>,
    ) -> Result<Operation, &'static str> {
        match self.peek() {
            Some(':') => {
                if [":=", ":-", ":?", ":+"].iter().any(|token| self.eat(token)) {
                    return self.default(arguments);
                }
                self.eat(":");
                arguments.push(self.argument(|it| matches!(it, ':' | '}'), &[])?);
                if self.eat("}") {
                    return Ok(Operation::Part);
                }
                if self.while_accepted(|it| it == ':').is_empty() {
                    return Err(BAD);
                }
                arguments.push(self.argument(|it| it == '}', &[])?);
                self.close(BAD)?;
                Ok(Operation::Part)
            }
            Some('=') => {
                self.eat("=");
                self.default(arguments)
            }
            Some(',' | '^') => {
                let operator = match () {
                    () if self.eat(",,") => Operation::Lower,
                    () if self.eat("^^") => Operation::Upper,
                    // Upstream falls back to "or else" without an argument, the value itself.
                    () if self.eat(",^") || self.eat("^,") => Operation::Part,
                    () if self.eat(",") => Operation::LowerFirst,
                    () => {
                        self.eat("^");
                        Operation::UpperFirst
                    }
                };
                self.close(BAD)?;
                Ok(operator)
            }
            Some('/') => self.replacement(arguments),
            Some(sign @ ('#' | '%')) => {
                let longest = self.eat("##") || self.eat("%%");
                if !longest {
                    self.at += 1;
                }
                arguments.push(self.argument(|it| it == '}', &[])?);
                self.close(BAD)?;
                Ok(match sign {
                    '#' => Operation::TrimPrefix { longest },
                    _ => Operation::TrimSuffix { longest },
                })
            }
            _ => {
                self.close(BRACE)?;
                Ok(Operation::Part)
            }
        }
    }

    fn default(&mut self, arguments: &mut Vec<ExpressionPart>) -> Result<Operation, &'static str> {
        while !self.eat("}") {
            arguments.push(self.argument(|it| it == '}', &[])?);
        }
        Ok(Operation::Default)
    }

    fn replacement(
        &mut self,
        arguments: &mut Vec<ExpressionPart>,
    ) -> Result<Operation, &'static str> {
        let operator = match () {
            () if self.eat("//") => Operation::ReplaceAll,
            () if self.eat("/#") => Operation::ReplacePrefix,
            () if self.eat("/%") => Operation::ReplaceSuffix,
            () => {
                self.eat("/");
                Operation::ReplaceFirst
            }
        };
        arguments.push(self.argument(|it| it == '/', &['$', '\\'])?);
        if self.while_accepted(|it| it == '/').is_empty() {
            return Err(BAD);
        }
        if !self.eat("}") {
            arguments.push(self.argument(|it| it == '}', &['$', '\\'])?);
            self.close(BAD)?;
        }
        Ok(operator)
    }

    /// One argument: an expression, or text that must not be empty.
    fn argument(
        &mut self,
        ends: impl Fn(char) -> bool,
        escapes: &[char],
    ) -> Result<ExpressionPart, &'static str> {
        let start = self.at;
        if self.eat("${") {
            return Ok(ExpressionPart::Call(self.call(start)?));
        }
        match self.until(ends, escapes) {
            text if text.is_empty() => Err(INNER),
            text => Ok(ExpressionPart::Text(text)),
        }
    }
}
