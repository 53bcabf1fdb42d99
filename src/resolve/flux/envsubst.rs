//! The language of `postBuild` substitution, exactly as `fluxcd/pkg/envsubst` reads it.
//!
//! It looks like a shell's but is not: `:=`, `:-`, `:?`, `:+` and `=` all mean "or else", `${a.b}`
//! and `${a-b}` are errors, `$$` is a dollar sign everywhere outside an expression.

mod glob;
mod scan;

use std::{borrow::Cow, ops::Range};

use indexmap::IndexMap;

use scan::{Call, ExpressionPart, Operation};

/// Text larger than this is refused; no object that a cluster takes is. What is made on the way to
/// it, too, may not come to more.
const MAX_OUTPUT: usize = 8 * 1024 * 1024;

const TOO_LARGE: Error = Error { message: "the result is too large", at: 0 };

/// The result of a substitution.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Output {
    /// The text with every expression replaced.
    pub text: String,
    /// The expressions outside other expressions, in order.
    pub filled: Vec<Filled>,
}

/// An expression that was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filled {
    /// Its bytes in the template, from `$` to the closing brace.
    pub input: Range<usize>,
    /// The bytes in the output that took its place.
    pub output: Range<usize>,
    /// The variables that it names, those of nested expressions included.
    pub names: Vec<String>,
    /// The variable whose value, or a part of it, took its place; `None` for a default.
    pub from: Option<String>,
    /// The variables that it needs and that nothing defines: an error to a strict controller,
    /// nothing at all to a lenient one.
    pub missing: Vec<String>,
}

/// Why a template cannot be substituted, each the same to a lenient and a strict controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Error {
    /// What is wrong, in upstream's words.
    pub message: &'static str,
    /// The byte at which the expression starts.
    pub at: usize,
}

/// Replaces the expressions in `template` by the values of `variables`.
///
/// # Errors
/// The first expression that is not one.
pub(crate) fn substitute<V: AsRef<str>>(
    template: &str,
    variables: &IndexMap<String, V>,
) -> Result<Output, Error> {
    let mut text = Vec::new();
    let mut filled = Vec::new();
    let mut room = MAX_OUTPUT;
    for piece in scan::parse(template)? {
        match piece {
            ExpressionPart::Text(literal) => text.extend_from_slice(literal.as_bytes()),
            ExpressionPart::Call(call) => {
                let start = text.len();
                let mut used = Filled { input: call.range.clone(), ..Filled::at(start..start) };
                text.extend_from_slice(&value(&call, variables, &mut used, &mut room)?);
                used.output.end = text.len();
                filled.push(used);
            }
        }
        if text.len() > MAX_OUTPUT {
            return Err(TOO_LARGE);
        }
    }
    let text = text_of(&text, &mut filled);
    Ok(Output { text, filled })
}

/// The text of `bytes`, in which what is `filled` in comes to stand at other bytes where one before it is
/// no character: a cut through one leaves what Go would leave too, and YAML would refuse.
fn text_of(bytes: &[u8], filled: &mut [Filled]) -> String {
    let places = filled.iter_mut().flat_map(|it| {
        let Range { start, end } = &mut it.output;
        [start, end]
    });
    let (mut places, mut text, mut read) = (places.peekable(), String::new(), 0);
    for chunk in bytes.utf8_chunks() {
        let end = read + chunk.valid().len() + chunk.invalid().len();
        while let Some(place) = places.next_if(|it| **it < end) {
            *place = text.len() + chunk.valid().floor_char_boundary(*place - read);
        }
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
        read = end;
    }
    for place in places {
        *place = text.len();
    }
    text
}

impl Filled {
    fn at(output: Range<usize>) -> Self {
        Self { input: 0..0, output, names: Vec::new(), from: None, missing: Vec::new() }
    }
}

fn value<V: AsRef<str>>(
    call: &Call,
    variables: &IndexMap<String, V>,
    used: &mut Filled,
    room: &mut usize,
) -> Result<Vec<u8>, Error> {
    let outer = used.from.take();
    let mut arguments: Vec<Vec<u8>> = Vec::new();
    for argument in &call.arguments {
        arguments.push(match argument {
            ExpressionPart::Text(text) => text.as_bytes().to_vec(),
            ExpressionPart::Call(call) => value(call, variables, used, room)?,
        });
    }
    let inner = std::mem::replace(&mut used.from, outer);
    let variable = variables.get(&call.name).map(AsRef::as_ref);
    used.names.push(call.name.clone());
    if variable.is_none() && call.operator != Operation::Default {
        used.missing.push(call.name.clone());
    }
    let text = variable.unwrap_or_default().as_bytes();
    if call.operator == Operation::Default && text.is_empty() {
        used.from = inner;
        return Ok(arguments.concat());
    }
    used.from = variable.map(|_| call.name.clone());
    let made = text.len().saturating_add(growth(call.operator, text, &arguments));
    *room = room.checked_sub(made).ok_or(TOO_LARGE)?;
    Ok(apply(call.operator, text, &arguments))
}

/// How many bytes `operator` may add to `text`.
fn growth(operator: Operation, text: &[u8], arguments: &[Vec<u8>]) -> usize {
    let (Operation::ReplaceAll, [from, to, ..]) = (operator, arguments) else { return 0 };
    let places = match from.is_empty() {
        true => text.len() + 1,
        false => memchr::memmem::find_iter(text, from).count(),
    };
    places.saturating_mul(to.len())
}

/// What `operator` makes of a value; bytes, as Go's strings are.
fn apply(operator: Operation, text: &[u8], arguments: &[Vec<u8>]) -> Vec<u8> {
    let first = arguments.first().map(Vec::as_slice).unwrap_or_default();
    let second = arguments.get(1).map(Vec::as_slice).unwrap_or_default();
    let whole = String::from_utf8_lossy(text);
    match operator {
        Operation::Length => text.len().to_string().into_bytes(),
        Operation::Lower => whole.to_lowercase().into_bytes(),
        Operation::Upper => whole.to_uppercase().into_bytes(),
        Operation::LowerFirst => first_changed(&whole, |it| single(it, it.to_lowercase())),
        Operation::UpperFirst => first_changed(&whole, |it| single(it, it.to_uppercase())),
        Operation::Part => part(text, arguments).to_vec(),
        Operation::TrimPrefix { longest } => glob::trim_prefix(text, first, longest).to_vec(),
        Operation::TrimSuffix { longest } => {
            let trimmed = glob::trim_prefix(&reversed(text), &reversed(first), longest).to_vec();
            reversed(&trimmed)
        }
        Operation::ReplaceFirst => replace(text, first, second, 1),
        Operation::ReplaceAll => replace(text, first, second, usize::MAX),
        Operation::ReplacePrefix if arguments.len() == 2 && text.starts_with(first) => {
            replace(text, first, second, 1)
        }
        Operation::ReplaceSuffix if arguments.len() == 2 => match text.strip_suffix(first) {
            Some(rest) => [rest, second].concat(),
            None => text.to_vec(),
        },
        Operation::Default | Operation::ReplacePrefix | Operation::ReplaceSuffix => text.to_vec(),
    }
}

fn first_changed(text: &str, change: impl Fn(char) -> char) -> Vec<u8> {
    let mut chars = text.chars();
    let first = chars.next().map(change);
    first.into_iter().chain(chars).collect::<String>().into_bytes()
}

/// Go maps a character to one character; where Unicode has several it stays as it is.
fn single(char: char, mut mapped: impl Iterator<Item = char>) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => char,
    }
}

fn reversed(text: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(text).chars().rev().collect::<String>().into_bytes()
}

/// `${name:offset}` and `${name:offset:length}`; what is no number leaves the value whole.
fn part<'t>(text: &'t [u8], arguments: &[Vec<u8>]) -> &'t [u8] {
    let number =
        |at: usize| -> Option<isize> { std::str::from_utf8(arguments.get(at)?).ok()?.parse().ok() };
    let Some(offset) = number(0) else { return text };
    let start = match usize::try_from(offset) {
        Ok(start) => start,
        Err(_) => text.len().saturating_sub(offset.unsigned_abs()),
    };
    let end = if arguments.len() == 1 {
        text.len()
    } else {
        let Some(length) = number(1) else { return text };
        match usize::try_from(length) {
            Ok(length) => start.saturating_add(length).min(text.len()),
            Err(_) => text.len().saturating_sub(length.unsigned_abs()),
        }
    };
    text.get(start..end).unwrap_or_default()
}

/// Go's `strings.Replace`: an empty pattern matches before every character and at the end.
fn replace(text: &[u8], from: &[u8], to: &[u8], at_most: usize) -> Vec<u8> {
    if from.is_empty() {
        let text = String::from_utf8_lossy(text);
        let to = String::from_utf8_lossy(to);
        return text.replacen("", &to, at_most).into_bytes();
    }
    let mut result = Vec::new();
    let mut rest = text;
    for _ in 0..at_most {
        let Some(at) = memchr::memmem::find(rest, from) else { break };
        result.extend_from_slice(&rest[..at]);
        result.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    result.extend_from_slice(rest);
    result
}

/// Whether `name` can be a variable: one that cannot fails the whole Kustomization.
pub(crate) fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|it| it == b'_' || it.is_ascii_alphabetic())
        && bytes.all(|it| it == b'_' || it.is_ascii_alphanumeric())
}

/// A variable's value as Flux reads it: without line breaks, in values of several lines too.
pub(crate) fn one_line(value: &str) -> Cow<'_, str> {
    if value.contains('\n') { value.replace('\n', "").into() } else { value.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(template: &str) -> Result<String, &'static str> {
        let variables: IndexMap<String, &str> = [
            ("A", "x1"),
            ("EMPTY", ""),
            ("N", "2"),
            ("PATH", "a/b/c.yaml"),
            ("MEM", "64Mi"),
            ("WORD", "\u{e9}t\u{e9}"),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        substitute(template, &variables).map(|it| it.text).map_err(|it| it.message)
    }

    #[test]
    fn values_and_defaults() {
        for (template, expected) in [
            ("a ${A} b", "a x1 b"),
            ("${NONE}", ""),
            ("${NONE:=d}${NONE:-e}${NONE=f}", "def"),
            ("${EMPTY:=d}${EMPTY=d}", "dd"),
            ("${NONE:?stop}", "stop"),
            ("${NONE:+alt}${A:+alt}", "altx1"),
            ("${NONE:=a${N}b${NONE:=c}}", "a2bc"),
            ("${NONE:=a}b}", "ab}"),
            ("${NONE:=}", ""),
            ("$${A} $$$${A} $$A $A $(A) $", "${A} $${A} $A $A $(A) $"),
            ("${NONE:-$${A}}", "$x1"),
        ] {
            assert_eq!(run(template).as_deref(), Ok(expected), "{template}");
        }
    }

    #[test]
    fn what_is_filled_in_stands_where_it_says() {
        let variables = [("A", "\u{e9}"), ("B", "b")].map(|(name, value)| (name.to_owned(), value));
        let output = substitute("${A:1} ${B} ${A:0:1}${A:1}", &variables.into()).unwrap();
        assert_eq!(output.text, "\u{fffd} b \u{e9}");
        let texts = output.filled.iter().map(|it| &output.text[it.output.clone()]);
        assert_eq!(texts.collect::<Vec<_>>(), ["\u{fffd}", "b", "", "\u{e9}"]);
    }

    #[test]
    fn operators() {
        for (template, expected) in [
            ("${#A} ${#WORD} ${#NONE}", "2 5 0"),
            ("${A^}${A^^}${WORD^}", "X1X1\u{c9}t\u{e9}"),
            ("${MEM,}${MEM,,}", "64Mi64mi"),
            ("${MEM:2}|${MEM:0:2}|${MEM: -2}|${MEM:x}|${MEM:9}|${MEM:1:-1}", "Mi|64|64Mi|64Mi||4M"),
            ("${MEM:-2}", "64Mi"),
            ("${MEM%Mi}${MEM#6}${MEM##*M}${PATH%%.*}", "644Miia/b/c"),
            ("${PATH#*/}|${PATH##*/}|${PATH%/*}|${PATH%%/*}", "b/c.yaml|c.yaml|a/b|a"),
            ("${PATH#[a-z]*}|${PATH#?}|${PATH#[^b]/}", "/b/c.yaml|/b/c.yaml|b/c.yaml"),
            ("${PATH/\\//-}|${PATH//\\//-}", "a-b/c.yaml|a-b-c.yaml"),
            ("${PATH/#a/z}|${PATH/%yaml/yml}|${PATH/#b/z}", "z/b/c.yaml|a/b/c.yml|a/b/c.yaml"),
            ("${A/x/}|${A//x/}|${A/x/${N}}", "1|1|21"),
        ] {
            assert_eq!(run(template).as_deref(), Ok(expected), "{template}");
        }
    }

    #[test]
    fn what_fails_the_whole_kustomization() {
        let (brace, name) = ("missing closing brace", "unable to parse variable name");
        let (inner, bad) = ("unable to parse substitution within function", "bad substitution");
        for (template, expected) in [
            ("${A", brace),
            ("${A-d}", brace),
            ("${A+d}", brace),
            ("${a.b}", brace),
            ("${A[0]}", brace),
            ("${}", name),
            ("${ A }", name),
            ("${{ A }}", name),
            ("${!A}", name),
            ("${A#}", inner),
            ("${A:}", inner),
            ("${A/b}", bad),
            ("${A,,x}", bad),
            ("${NONE:=abc", inner),
        ] {
            assert_eq!(run(template), Err(expected), "{template}");
        }
        let deep = "${A:=".repeat(10_000);
        assert!(run(&deep).is_err());
    }

    #[test]
    fn what_grows_beyond_measure_is_refused() {
        let long = "a".repeat(100_000);
        let variables: IndexMap<String, &str> = [("A".to_owned(), &*long)].into();
        let many = "${A}".repeat(100);
        for template in ["${A//a/${A}}", "${A//${NONE}/${A}}", &many, &format!("${{X:={many}}}")] {
            let result = substitute(template, &variables);
            assert_eq!(result.map_err(|it| it.message), Err("the result is too large"));
        }
        let output = substitute("${A//a/${A/a/b}}", &[("A".to_owned(), "aa")].into());
        assert_eq!(output.map(|it| it.text).as_deref(), Ok("baba"));
    }

    #[test]
    fn where_the_parts_come_from() {
        let variables: IndexMap<String, &str> =
            [("A".to_owned(), "x"), ("E".to_owned(), "")].into();
        let template = "k: ${A} ${NONE} ${E:=${A}} ${NONE:=d} ${NONE^^}";
        let output = substitute(template, &variables).expect("a template");
        let got: Vec<_> = output
            .filled
            .iter()
            .map(|it| {
                let (input, text) = (&template[it.input.clone()], &output.text[it.output.clone()]);
                (input, text, it.from.as_deref(), it.missing.len())
            })
            .collect();
        assert_eq!(
            got,
            [
                ("${A}", "x", Some("A"), 0),
                ("${NONE}", "", None, 1),
                ("${E:=${A}}", "x", Some("A"), 0),
                ("${NONE:=d}", "d", None, 0),
                ("${NONE^^}", "", None, 1),
            ]
        );
    }
}
