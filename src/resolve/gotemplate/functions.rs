//! The functions of Go templates, Sprig and Helm.
//!
//! As `text/template/funcs.go` of Go 1.24, Sprig 3.3 and `pkg/engine/funcs.go` of Helm 4 have them.
//! A function that is not here makes what it would give unknown.

mod choice;
mod encode;
mod lists;
mod maps;
mod numbers;
mod printf;
mod texts;
mod urls;

use std::{
    collections::BTreeMap,
    rc::Rc,
    sync::{Arc, LazyLock},
};

use super::{
    eval::{self, Evaluated, Execution, GoError, STEP},
    parse,
    text::MarkedText,
    value::{GoData, GoList, GoMap, GoValue},
};
use crate::{
    scalar::{self, Dialect, Value},
    tree::{Origin, Reason},
};

/// A call: the name, the arguments, and where it is written.
pub(crate) struct FunctionCall<'c> {
    pub(crate) name: &'c str,
    pub(crate) values: Vec<GoValue>,
    pub(crate) at: &'c Origin,
}

/// How a function treats arguments that are unknown, or in which something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// It needs to know all of what is in them.
    Inside,
    /// It needs to know what they are, and what a list or a map has, not the values in it.
    Outside,
    /// It passes on values that it does not look at; texts and numbers it needs to know.
    Passes,
    /// It looks through all of them and marks itself what it does not know.
    Prints,
}

/// What a function does.
#[derive(Clone, Copy)]
enum Run {
    Call(fn(&FunctionCall<'_>) -> Evaluated<GoValue>),
    /// The same, which does not fail.
    Value(fn(&FunctionCall<'_>) -> GoValue),
    /// A text made of the last argument.
    Text(fn(&str) -> String),
    /// A part of the last argument.
    Part(for<'t> fn(&'t str, &str) -> &'t str),
    /// Whether the last argument is so.
    Test(fn(&str, &str) -> bool),
    /// Other items for the list that comes first.
    Items(fn(&FunctionCall<'_>, &[GoValue]) -> Vec<GoValue>),
    /// All numbers together, one after another; nothing where it cannot be.
    Ints(fn(Option<i64>, i64) -> Option<i64>),
    Floats(fn(Option<f64>, f64) -> Option<f64>),
    /// What it would give is unknown.
    NotEvaluated,
}

/// A function of Go's templates, Sprig or Helm: its names, its parameters, how it looks at them, and
/// what it does. A parameter is a text, an int, a bool, a map, a list or any value; `*` stands behind
/// the last one where it may be there any number of times.
type Row = (&'static str, &'static str, Look, Run);

/// The functions by name.
static FUNCTIONS: LazyLock<BTreeMap<&str, &Row>> = LazyLock::new(|| {
    let tables = [
        choice::FUNCTIONS,
        encode::FUNCTIONS,
        lists::FUNCTIONS,
        maps::FUNCTIONS,
        numbers::FUNCTIONS,
        texts::FUNCTIONS,
    ];
    let rows = tables.into_iter().flatten();
    rows.flat_map(|row| row.0.split(' ').map(move |name| (name, row))).collect()
});

/// What a function is called here: `merge`, which is `mustMerge` as well.
fn first_name(row: &Row) -> &'static str {
    row.0.split(' ').next().unwrap_or(row.0)
}

/// Whether Go, Sprig or Helm have that function.
pub(super) fn has(name: &str) -> bool {
    FUNCTIONS.contains_key(name)
}

pub(super) fn none<T>(name: &str, at: &Origin) -> Evaluated<T> {
    eval::fail(format!("there is no function `{name}`"), at)
}

/// The parameters of a function one after another, the last one as often as it may be there.
fn letters(parameters: &str) -> impl Iterator<Item = char> {
    let last = parameters.strip_suffix('*').and_then(|it| it.chars().last());
    parameters.chars().filter(|it| *it != '*').chain(last.into_iter().cycle())
}

/// An argument as Go takes it that is written in the call itself: a field that is not there is no
/// map, and a number without a fraction is an int.
pub(super) fn written(
    function: &str,
    index: usize,
    is_field: bool,
    value: GoValue,
) -> Result<GoValue, String> {
    let letter = FUNCTIONS.get(function).and_then(|it| letters(it.1).nth(index));
    match (letter, &value.data) {
        (Some('m'), GoData::Nil) if is_field => Err(format!("`{function}` takes a map")),
        (Some('i'), GoData::Float(it)) if !is_field && it.fract() == 0.0 => {
            Ok(GoValue::new(GoData::Int(to_int(&value)), &value.origin))
        }
        _ => Ok(value),
    }
}

/// What one of the functions of the table gives.
fn of_table(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let Some((_, parameters, look, run)) = FUNCTIONS.get(call.name) else {
        return none(call.name, call.at);
    };
    call.check(parameters)?;
    let mut arguments = call.values.iter().zip(letters(parameters));
    let unknown = arguments.find_map(|(value, letter)| Some((look.unknown(value, letter)?, value)));
    if let Some((why, value)) = unknown {
        return Ok(GoValue::unknown(why, &value.origin));
    }
    let last = call.values.len().saturating_sub(1);
    match run {
        Run::Call(f) => f(call),
        Run::Value(f) => Ok(f(call)),
        Run::Text(f) => {
            let text = call.text(last)?;
            call.marked(text.made(f(text.as_str())))
        }
        Run::Part(f) => {
            let text = call.text(last)?;
            call.marked(text.part_of(f(text.as_str(), call.str(0)?)))
        }
        Run::Test(f) => call.bool(f(call.str(last)?, call.str(0)?)),
        Run::Items(f) => Ok(GoValue::list(f(call, call.list(0)?), &call.origin(0))),
        Run::Ints(f) => call.number(call.folded(to_int, *f)?.unwrap_or(0)),
        Run::Floats(f) => {
            let all = call.folded(to_float, *f)?.unwrap_or(0.0);
            Ok(call.made(GoData::Float(all)))
        }
        Run::NotEvaluated => Ok(not_evaluated(call)),
    }
}

impl Look {
    /// Why an argument for such a parameter makes unknown what the function gives.
    fn unknown(self, value: &GoValue, letter: char) -> Option<Reason> {
        match (self, letter) {
            (Self::Inside, _) => value.unknown_part(),
            (Self::Outside, _) | (Self::Passes, 's' | 'i' | 'b') => value.unknown_outside(),
            (Self::Passes, 'm' | 'l') => value.is_perhaps(),
            (Self::Passes | Self::Prints, _) => None,
        }
    }
}

fn not_evaluated(call: &FunctionCall<'_>) -> GoValue {
    GoValue::unknown(format!("the function `{}` is not evaluated", call.name), call.at)
}

/// Functions that give the same whatever the order is of the items in a list.
const ORDERLESS: [&str; 5] = ["has", "kindOf", "len", "sortAlpha", "typeOf"];

/// Functions that give a list in the order in which the items stand in those that they are given.
const ORDERED: [&str; 7] =
    ["append", "compact", "concat", "prepend", "toStrings", "uniq", "without"];

/// The arguments of a function as it looks at them, and whether what it gives has no order: a list
/// or a map with methods is that, and a list in which nobody can tell what comes first is unknown to those to
/// whom that matters.
fn with_lists(row: Option<&Row>, mut values: Vec<GoValue>) -> (Vec<GoValue>, bool) {
    let Some((_, parameters, look, _)) = row else { return (values, false) };
    let name = row.map_or("", first_name);
    let (keeps, mut is_shuffled) = (ORDERED.contains(&name), false);
    // What a value is called is not that of the list.
    let is_name = matches!(name, "kindOf" | "typeOf" | "printf");
    let looks = *look != Look::Passes && !is_name || matches!(name, "index" | "concat");
    for (value, wanted) in values.iter_mut().zip(letters(parameters)) {
        let is_list = match &value.data {
            GoData::Object(object) => object.is_open(),
            GoData::List(items) => items.is_shuffled,
            _ => false,
        };
        if !is_list || !(looks || matches!(wanted, 'l' | 'm')) {
            continue;
        }
        *value = match &value.data {
            GoData::List(items) if keeps || ORDERLESS.contains(&name) => {
                is_shuffled |= keeps;
                let list = GoList { is_shuffled: false, ..GoList::clone(items) };
                GoValue::of_list(list, &value.origin)
            }
            _ => value.clone().opened(),
        };
    }
    (values, is_shuffled)
}

/// The arguments of a function: nothing in a variable is a map without keys, in which nothing can be
/// set.
fn with_maps(row: Option<&Row>, mut values: Vec<GoValue>) -> Vec<GoValue> {
    let parameters = row.filter(|it| it.0 != "set").map_or("", |it| it.1);
    for (value, wanted) in values.iter_mut().zip(letters(parameters)) {
        if wanted == 'm' && value.is_nil() {
            *value = GoValue::map(GoMap::default(), &value.origin.clone());
        }
    }
    values
}

impl Execution<'_> {
    /// What the function `name` makes of `values`.
    pub(super) fn called(
        &mut self,
        name: &str,
        values: Vec<GoValue>,
        at: &Origin,
    ) -> Evaluated<GoValue> {
        let row = FUNCTIONS.get(name).copied();
        let (values, is_shuffled) = with_lists(row, values);
        let call = FunctionCall { name, values: with_maps(row, values), at };
        let is_template = matches!(name, "include" | "tpl");
        let result = if is_template { self.printed(&call) } else { self.charged(row, &call) };
        let result = if is_shuffled { result.map(GoValue::shuffled) } else { result };
        match result {
            // What fails where nobody can tell whether it is run does not fail.
            Err(error) if self.uncertain().is_some() && !error.bound && name != "fail" => {
                Ok(GoValue::unknown(error.message, at))
            }
            result => result,
        }
    }

    /// What a function gives that runs no template.
    fn charged(&mut self, row: Option<&Row>, call: &FunctionCall<'_>) -> Evaluated<GoValue> {
        // `mustMerge` is `merge` here.
        let name = row.map_or(call.name, |it| first_name(it));
        let looks = match (name, row.map(|it| it.2)) {
            (_, Some(Look::Passes | Look::Outside)) => 0,
            // What copies takes more than what looks.
            ("merge" | "mergeOverwrite" | "deepCopy", _) => 4,
            _ => 1,
        };
        let weight = self.weight(call, looks)?;
        self.work(300 + call.cost(name, row.map(|it| it.3), weight), call.at)?;
        if let (Some(why), Some(GoData::Map(map))) =
            (self.uncertain(), call.values.first().map(|it| &it.data))
            && let "unset" | "merge" | "mergeOverwrite" = name
        {
            // What it leaves cannot be told.
            maps::opened(map, why, |it| call.str(1).map_or(true, |key| it == key));
            return Ok(call.values[0].clone());
        }
        let value = match self.host.function(call) {
            Some(result) => result?,
            None if row.is_none() && self.host.has(call.name) => not_evaluated(call),
            None => of_table(call)?,
        };
        if let ("set", [map, key, value]) = (name, &call.values[..]) {
            self.set(map, key, value);
        }
        self.made(&value, call.at)?;
        // How many values a text makes nobody knows before.
        if let "fromYaml" | "fromYamlArray" | "fromJson" | "fromJsonArray" = name {
            self.weigh(&value, 0, call.at)?;
        }
        // Each part of a text is one with places of its own.
        if let "split" | "splitn" | "splitList" | "regexSplit" | "sortAlpha" | "toStrings" = name {
            self.work(200 * items_of(&value), call.at)?;
        }
        Ok(value)
    }

    /// Counts what is in the arguments, as often as the function looks through it; how much that is.
    fn weight(&mut self, call: &FunctionCall<'_>, looks: usize) -> Evaluated<usize> {
        let mut weight = 0;
        for _ in 0..looks {
            let before = self.worked();
            call.values.iter().try_for_each(|it| self.weigh(it, 0, call.at))?;
            weight = (self.worked() - before) / STEP;
        }
        Ok(weight)
    }

    /// `set`, which may be run where nobody can tell whether it is.
    fn set(&self, map: &GoValue, key: &GoValue, value: &GoValue) {
        let GoData::Map(map) = &map.data else { return };
        match (key.unknown_part(), &key.data, self.uncertain()) {
            (Some(why), ..) => maps::opened(map, &why, |_| true),
            (_, GoData::Text(key), None) => map.borrow_mut().set(key.as_str(), value.clone()),
            (_, GoData::Text(key), Some(why))
                if map.borrow().entries.contains_key(key.as_str()) =>
            {
                let unknown = GoValue::unknown(why.clone(), &value.origin);
                map.borrow_mut().set(key.as_str(), unknown);
            }
            (_, _, why) => why.into_iter().for_each(|it| maps::opened(map, it, |_| false)),
        }
    }

    /// `include` and `tpl`, whose text is a template itself.
    fn printed(&mut self, call: &FunctionCall<'_>) -> Evaluated<GoValue> {
        call.check("sa")?;
        let (first, dot) = (call.value(0)?, call.value(1)?);
        if let Some(why) = first.unknown_part() {
            return Ok(GoValue::unknown(why, &first.origin));
        }
        let text = Arc::clone(call.text(0)?);
        if call.name == "include" {
            let text = self.template(text.as_str(), dot, call.at)?;
            self.work(text.cost(), call.at)?;
            return Ok(GoValue::text(text, call.at));
        }
        if !text.as_str().contains("{{") {
            return Ok(first.clone());
        }
        self.work(20 * text.len(), call.at)?;
        let parsed = parse::parse(&text, call.at)?;
        if let Some((name, at)) =
            parsed.functions.iter().find(|(name, _)| !has(name) && !self.host.has(name))
        {
            return none(name, &text.origin_of(at.clone()).unwrap_or_else(|| call.at.clone()));
        }
        let local = Rc::new((parsed, Arc::clone(&text)));
        self.local.push(Rc::clone(&local));
        let printed = self.body(&local.0.body, &text, "tpl", dot, call.at);
        self.local.pop();
        let printed = printed?;
        Ok(GoValue::text(printed.without_no_value(), call.at))
    }
}

/// What goes through the items of the first argument, and not through what is in them.
const GO_THROUGH: &[&str] = &[
    "append", "prepend", "index", "initial", "rest", "reverse", "values", "len", "kindOf", "typeOf",
];

/// How many items, fields or bytes a value has itself.
fn items_of(value: &GoValue) -> usize {
    match &value.data {
        GoData::List(items) => items.len(),
        GoData::Map(map) => map.borrow().entries.len(),
        GoData::Text(text) => text.len(),
        _ => 0,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "what functions give may fail")]
impl FunctionCall<'_> {
    /// What it takes beside looking through its arguments, which weigh so much, and making what it gives.
    fn cost(&self, name: &str, run: Option<Run>, weight: usize) -> usize {
        let size = self.values.first().map_or(0, items_of);
        let all: usize = self.values.iter().map(items_of).sum();
        match (name, run) {
            ("keys" | "omit" | "pick", _) => 100 * all + 100 * self.values.len(),
            ("fromYaml" | "fromYamlArray" | "fromJson" | "fromJsonArray" | "mustFromJson", _) => {
                5000 + 10 * size
            }
            // Each item is compared with each.
            ("uniq", _) => size.saturating_mul(weight),
            ("without", _) => self.values.len().saturating_mul(weight),
            // Such patterns become large programs.
            (it, _) if it.contains("egex") => match self.str(0) {
                Ok(pattern) if ["{", "(?i", "\\p"].iter().any(|it| pattern.contains(it)) => 600_000,
                _ => 300_000,
            },
            (it, _) if GO_THROUGH.contains(&it) => size,
            ("semverCompare" | "urlquery" | "quote" | "squote" | "clean" | "b64dec", _) => 10 * all,
            (_, Some(Run::Text(_) | Run::Ints(_) | Run::Floats(_))) => 5 * all,
            _ => 0,
        }
    }

    /// Why an argument cannot be told, and where it came from.
    pub(crate) fn unknown(&self) -> Option<(Reason, Origin)> {
        let found = self.values.iter().find_map(|it| Some((it.unknown_part()?, it)));
        found.map(|(why, value)| (why, value.origin.clone()))
    }

    /// All arguments taken together.
    fn folded<T>(
        &self,
        read: fn(&GoValue) -> T,
        f: fn(Option<T>, T) -> Option<T>,
    ) -> Evaluated<Option<T>> {
        let mut all = None;
        for value in &self.values {
            all = f(all, read(value));
            if all.is_none() {
                return self.fail("the numbers are too large, or zero");
            }
        }
        Ok(all)
    }

    /// The place of an argument.
    pub(crate) fn origin(&self, index: usize) -> Origin {
        self.values.get(index).map_or_else(|| self.at.clone(), |it| it.origin.clone())
    }

    /// Where the result came from: the last argument that is not written in the call itself.
    pub(crate) fn source(&self) -> Origin {
        let call = self.at.written_at();
        let elsewhere = |it: &&GoValue| match (it.origin.written_at(), call) {
            (Some(span), Some(call)) => {
                span.file != call.file || span.start < call.start || call.end < span.end
            }
            (written, _) => written.is_some(),
        };
        let last = self.values.iter().rev().find(elsewhere);
        last.map_or_else(|| self.at.clone(), |it| it.origin.clone())
    }

    pub(crate) fn fail<T>(&self, message: impl std::fmt::Display) -> Evaluated<T> {
        let at = self.source();
        let at = if at.written_at().is_some() { &at } else { self.at };
        eval::fail(format!("`{}` fails: {message}", self.name), at)
    }

    /// Go refuses a call whose arguments are of other types, and of other numbers, than it takes.
    fn check(&self, parameters: &str) -> Evaluated<()> {
        // The last one may be missing where there may be many of it.
        let (least, most) = match parameters.strip_suffix('*') {
            Some(all) => (all.len() - 1, usize::MAX),
            None => (parameters.len(), parameters.len()),
        };
        let (given, name) = (self.values.len(), self.name);
        if !(least..=most).contains(&given) {
            return eval::fail(format!("`{name}` takes {least} arguments, not {given}"), self.at);
        }
        for (value, wanted) in self.values.iter().zip(letters(parameters)) {
            let wanted = match (wanted, &value.data) {
                (_, GoData::Unknown(_))
                | ('s', GoData::Text(_))
                | ('i', GoData::Int(_))
                | ('b', GoData::Bool(_))
                | ('l', GoData::List(_)) => continue,
                // Go takes no `map[string]string` for a map of anything.
                ('m', GoData::Map(map)) if !map.borrow().of_texts => continue,
                ('s', _) => "string",
                ('i', _) => "int",
                ('b', _) => "bool",
                ('m', _) => "map",
                ('l', _) => "list",
                _ => continue,
            };
            return self.fail(format!("it takes a {wanted}, and this is a {}", value.type_name()));
        }
        Ok(())
    }

    pub(crate) fn value(&self, index: usize) -> Evaluated<&GoValue> {
        match self.values.get(index) {
            Some(value) => Ok(value),
            None => self.fail("it has too few arguments"),
        }
    }

    /// An argument that has to be a text.
    pub(crate) fn text(&self, index: usize) -> Evaluated<&Arc<MarkedText>> {
        let value = self.value(index)?;
        match &value.data {
            GoData::Text(text) => Ok(text),
            GoData::Unknown(_) => self.fail("it cannot be told"),
            _ => self.fail(format!("it takes a text, and this is a {}", value.type_name())),
        }
    }

    pub(crate) fn str(&self, index: usize) -> Evaluated<&str> {
        self.text(index).map(|it| it.as_str())
    }

    /// An argument as a whole number, as `cast.ToInt64` reads any value.
    pub(crate) fn int(&self, index: usize) -> Evaluated<i64> {
        self.value(index).map(to_int)
    }

    pub(crate) fn size(&self, index: usize) -> Evaluated<usize> {
        self.int(index).map(|it| usize::try_from(it).unwrap_or(0))
    }

    /// An argument that has to be a list.
    pub(crate) fn list(&self, index: usize) -> Evaluated<&[GoValue]> {
        let value = self.value(index)?;
        match &value.data {
            GoData::List(items) => Ok(items),
            _ => self.fail(format!("it takes a list, and this is a {}", value.type_name())),
        }
    }

    pub(crate) fn made(&self, data: GoData) -> GoValue {
        GoValue::new(data, &self.source())
    }

    pub(crate) fn bool(&self, it: bool) -> Evaluated<GoValue> {
        Ok(self.made(GoData::Bool(it)))
    }

    pub(crate) fn number(&self, it: i64) -> Evaluated<GoValue> {
        Ok(self.made(GoData::Int64(it)))
    }

    fn texts(&self, texts: impl IntoIterator<Item = MarkedText>) -> Evaluated<GoValue> {
        let items = texts.into_iter().map(|it| GoValue::text(it, self.at)).collect();
        let list = GoList { items, of_texts: true, ..GoList::default() };
        Ok(GoValue::of_list(list, &self.source()))
    }

    /// A list of texts, nil where there is none.
    fn texts_or_nil(&self, texts: impl IntoIterator<Item = MarkedText>) -> Evaluated<GoValue> {
        let texts = self.texts(texts)?;
        let is_nil = !texts.truth().unwrap_or(true);
        Ok(match &texts.data {
            GoData::List(items) => {
                GoValue::of_list(GoList { is_nil, ..GoList::clone(items) }, &texts.origin)
            }
            _ => texts,
        })
    }

    pub(crate) fn marked(&self, text: MarkedText) -> Evaluated<GoValue> {
        Ok(GoValue::text(text, &self.source()))
    }

    /// A text that is made of all arguments.
    pub(crate) fn string(&self, text: impl Into<String>) -> Evaluated<GoValue> {
        Ok(GoValue::string(text, &self.source()))
    }
}

/// `cast.ToInt64`: what is no number is zero.
pub(super) fn to_int(value: &GoValue) -> i64 {
    match &value.data {
        GoData::Int(it) | GoData::Int64(it) => *it,
        // What is too large becomes the smallest, as it does in Go on most machines.
        GoData::Float(it) if it.is_nan() || it.abs() >= 9_223_372_036_854_775_808.0 => i64::MIN,
        #[expect(clippy::cast_possible_truncation, reason = "as Go converts")]
        GoData::Float(it) => *it as i64,
        GoData::Bool(it) => i64::from(*it),
        GoData::Text(text) => match scalar::plain(text.as_str(), Dialect::Sigs) {
            Value::Int(it) => i64::try_from(it).unwrap_or(0),
            _ => 0,
        },
        _ => 0,
    }
}

/// `cast.ToFloat64`
pub(super) fn to_float(value: &GoValue) -> f64 {
    match &value.data {
        GoData::Float(it) => *it,
        GoData::Text(text) => {
            let number: f64 = text.as_str().parse().unwrap_or(0.0);
            // To Go, unlike to Rust, a number that is too large is an error.
            let is_too_large =
                number.is_infinite() && text.as_str().contains(|it: char| it.is_ascii_digit());
            if is_too_large { 0.0 } else { number }
        }
        #[expect(clippy::cast_precision_loss, reason = "as Go converts")]
        _ => to_int(value) as f64,
    }
}
