//! The functions of Go templates, Sprig and Helm.
//!
//! As `text/template/funcs.go` of Go 1.24, Sprig 3.3 and `pkg/engine/funcs.go` of Helm 4 have them.
//! A function that is not here makes what it would give unknown.

mod choice;
mod encode;
mod lists;
mod maps;
mod numbers;
mod texts;

use std::{rc::Rc, sync::Arc};

use super::{
    eval::{self, Evaluated, Execution, GoError},
    parse,
    text::MarkedText,
    value::{GoData, GoMap, GoValue},
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

/// What a function gives; nothing when it is none of the list that was asked.
type Called = Option<Evaluated<GoValue>>;

/// The two that do not only say more than their twins.
const MUST: [&str; 2] = ["mustFromJson", "mustRegexMatch"];

/// Those that do not look into what is in their arguments.
const SHALLOW: [&str; 32] = [
    "append", "coalesce", "concat", "default", "dict", "empty", "first", "get", "hasKey", "index",
    "initial", "keys", "kindIs", "kindOf", "last", "len", "list", "lookup", "not", "omit", "pick",
    "prepend", "push", "required", "rest", "reverse", "set", "ternary", "tuple", "typeIs",
    "typeOf", "unset",
];

/// The parameters of a function of Go's templates, Sprig or Helm: a text, an int, a bool, a map or
/// any value, and `*` behind the last one where it may be there any number of times.
#[rustfmt::skip]
fn parameters(name: &str) -> Option<&'static str> {
    Some(match name {
        "now" | "uuidv4" | "hello" => "",
        "mustFromJson" | "adler32sum" | "atoi" | "bcrypt" | "b32dec" | "b32enc" | "b64dec" | "b64enc" | "base" | "camelcase" | "clean"
        | "dir" | "ext" | "fail" | "fromJson" | "fromJsonArray" | "fromToml" | "fromYaml" | "fromYamlArray"
        | "genPrivateKey" | "getHostByName" | "initials" | "isAbs" | "kebabcase" | "lower"
        | "nospace" | "osBase" | "osClean" | "osDir" | "osExt" | "osIsAbs" | "regexQuoteMeta" | "semver"
        | "sha1sum" | "sha256sum" | "sha512sum" | "shuffle" | "snakecase" | "swapcase" | "title" | "trim"
        | "untitle" | "upper" | "urlParse" => "s",
        "randAlpha" | "randAlphaNum" | "randAscii" | "randBytes" | "randNumeric" | "until" => "i",
        "urlJoin" | "values" => "m",
        "add1" | "add1f" | "ago" | "ceil" | "compact" | "deepCopy" | "duration" | "durationRound" | "empty"
        | "first" | "float64" | "floor" | "htmlDate" | "initial" | "int" | "int64" | "kindOf" | "last" | "len"
        | "not" | "rest" | "reverse" | "sortAlpha" | "toDecimal" | "toJson" | "toPrettyJson" | "toRawJson" | "toString"
        | "toStrings" | "toToml" | "toYaml" | "toYamlPretty" | "typeOf" | "uniq" | "unixEpoch" => "a",
        "contains" | "mustRegexMatch" | "decryptAES" | "encryptAES" | "hasPrefix" | "hasSuffix" | "htpasswd"
        | "regexFind" | "regexMatch" | "semverCompare" | "split" | "splitList"
        | "toDate" | "trimAll" | "trimPrefix" | "trimSuffix" | "trimall" | "buildCustomCert" => "ss",
        "abbrev" | "indent" | "nindent" | "repeat" | "trunc" | "wrap" => "is",
        "randInt" => "ii",
        "genCA" => "si",
        "get" | "hasKey" | "unset" => "ms",
        "chunk" => "ia",
        "date" | "dateModify" | "date_modify" | "include" | "join" | "kindIs"
        | "required" | "tpl" | "typeIs" | "typeIsLike" => "sa",
        "htmlDateInZone" => "as",
        "append" | "deepEqual" | "div" | "ge" | "gt" | "has" | "le" | "lt" | "mod"
        | "ne" | "prepend" | "push" | "sub" => "aa",
        "dateInZone" | "date_in_zone" => "sas",
        "plural" | "regexFindAll" | "regexSplit" => "ssi",
        "regexReplaceAll" | "regexReplaceAllLiteral"
        | "replace" => "sss",
        "set" => "msa",
        "genCAWithKey" | "splitn" => "sis",
        "abbrevboth" | "substr" => "iis",
        "ternary" => "aab",
        "untilStep" => "iii",
        "wrapWith" => "iss",
        "genSelfSignedCert" => "saai",
        "genSelfSignedCertWithKey" | "genSignedCert" => "saaia",
        "genSignedCertWithKey" => "saaias",
        "derivePassword" => "issss",
        "lookup" => "ssss",
        "seq" => "i*",
        "keys" => "m*",
        "merge" | "mergeOverwrite" => "mm*",
        "omit" | "pick" => "ms*",
        "pluck" => "sm*",
        "printf" => "sa*",
        "round" => "aia*",
        "eq" | "max" | "maxf" | "min" | "minf" | "biggest" | "default" | "divf" | "index" | "mul" | "mulf"
        | "slice" | "subf" | "without" | "call" | "and" | "or" => "aa*",
        "add" | "addf" | "all" | "any" | "cat" | "coalesce" | "concat" | "dict" | "dig" | "html" | "js" | "list"
        | "print" | "println" | "quote" | "squote" | "tuple" | "urlquery" => "a*",
        _ => return None,
    })
}

/// Whether Go, Sprig or Helm have that function.
pub(super) fn has(name: &str) -> bool {
    parameters(name).is_some() || without_must(name).is_some_and(|it| parameters(&it).is_some())
}

pub(super) fn none<T>(name: &str, at: &Origin) -> Evaluated<T> {
    eval::fail(format!("there is no function `{name}`"), at)
}

/// Sprig has most functions a second time, which says what is wrong: both end the template.
fn without_must(name: &str) -> Option<String> {
    let rest =
        name.strip_prefix("must").filter(|it| it.starts_with(|it: char| it.is_ascii_uppercase()));
    let rest = rest.filter(|_| !MUST.contains(&name))?;
    Some(rest[..1].to_lowercase() + &rest[1..])
}

/// What one of the functions of this module gives.
fn of_list(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let Some(parameters) = parameters(call.name) else {
        return none(call.name, call.at);
    };
    call.check(parameters)?;
    // These look at what they need themselves.
    let lenient = choice::lenient(call)
        .or_else(|| lists::lenient(call))
        .or_else(|| maps::lenient(call))
        .or_else(|| texts::lenient(call))
        .or_else(|| encode::lenient(call));
    if let Some(result) = lenient {
        return result;
    }
    let unknown = match SHALLOW.contains(&call.name) {
        true => call.unknown_outside(),
        false => call.unknown(),
    };
    if let Some((why, origin)) = unknown {
        return Ok(GoValue::unknown(why, &origin));
    }
    let strict = choice::strict(call)
        .or_else(|| texts::strict(call))
        .or_else(|| lists::strict(call))
        .or_else(|| maps::strict(call))
        .or_else(|| numbers::strict(call))
        .or_else(|| encode::strict(call));
    strict.unwrap_or_else(|| Ok(not_evaluated(call)))
}

fn not_evaluated(call: &FunctionCall<'_>) -> GoValue {
    GoValue::unknown(format!("the function `{}` is not evaluated", call.name), call.at)
}

/// The arguments of the function `name`: nothing in a variable is a map without keys, and what Go
/// refuses where it is written out is not worth being told apart.
fn with_maps(name: &str, mut values: Vec<GoValue>) -> Vec<GoValue> {
    let all = parameters(name).unwrap_or_default();
    for (value, wanted) in values.iter_mut().zip(all.chars()) {
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
        let short = without_must(name);
        let name = short.as_deref().unwrap_or(name);
        let call = FunctionCall { name, values: with_maps(name, values), at };
        let result = match call.name {
            "include" => self.include(&call),
            "tpl" => self.tpl(&call),
            _ => self.charged(&call),
        };
        match result {
            // What fails where nobody can tell whether it is run does not fail.
            Err(error) if self.uncertain().is_some() && !error.bound && name != "fail" => {
                Ok(GoValue::unknown(error.message, at))
            }
            result => result,
        }
    }

    /// What a function gives that runs no template.
    fn charged(&mut self, call: &FunctionCall<'_>) -> Evaluated<GoValue> {
        let size = match call.values.first().map(|it| &it.data) {
            Some(GoData::List(items)) => items.len(),
            Some(GoData::Map(map)) => map.borrow().entries.len(),
            Some(GoData::Text(text)) => text.len(),
            _ => 0,
        };
        let looks = match call.name {
            it if SHALLOW.contains(&it) => 0,
            // What copies takes more than what looks.
            "merge" | "mergeOverwrite" | "deepCopy" => 4,
            _ => 1,
        };
        for _ in 0..looks {
            call.values.iter().try_for_each(|it| self.weigh(it, call.at))?;
        }
        let cost = match call.name {
            "keys" | "omit" | "pick" => 100 * size,
            "fromYaml" | "fromYamlArray" | "fromJson" | "fromJsonArray" => 5000 + 100 * size,
            "uniq" => size.saturating_mul(size),
            it if it.contains("egex") => 300_000,
            "append" | "prepend" | "index" => size,
            _ => 0,
        };
        self.work(300 + cost, call.at)?;
        if let (Some(why), Some(GoData::Map(map))) =
            (self.uncertain(), call.values.first().map(|it| &it.data))
            && let "unset" | "merge" | "mergeOverwrite" = call.name
        {
            // What it leaves cannot be told.
            let mut map = map.borrow_mut();
            map.open.get_or_insert_with(|| why.clone());
            let key = call.str(1).ok();
            for (_, (_, value)) in
                map.entries.iter_mut().filter(|it| key.is_none_or(|key| **it.0 == *key))
            {
                *value = GoValue::unknown(why.clone(), &value.origin);
            }
            return Ok(call.values[0].clone());
        }
        let value = match self.host.function(call) {
            Some(result) => result?,
            None if call.name == "set" => call.check("msa").and_then(|()| self.set(call))?,
            None if parameters(call.name).is_none() && self.host.has(call.name) => {
                not_evaluated(call)
            }
            None => of_list(call)?,
        };
        self.made(&value, call.at)?;
        Ok(value)
    }

    fn set(&self, call: &FunctionCall<'_>) -> Evaluated<GoValue> {
        let key = call.text(1)?.as_str();
        let (map, value) = (call.value(0)?, call.value(2)?);
        self.set_key(map, key, value.clone());
        Ok(map.clone())
    }

    fn include(&mut self, call: &FunctionCall<'_>) -> Evaluated<GoValue> {
        if let Some(GoData::Unknown(why)) = call.values.first().map(|it| &it.data) {
            return Ok(GoValue::unknown(why.clone(), &call.origin(0)));
        }
        let name = call.text(0)?;
        if let Some(why) = name.unknown_part() {
            return Ok(GoValue::unknown(why.clone(), call.at));
        }
        let nil = GoValue::nil(call.at);
        let dot = call.values.get(1).unwrap_or(&nil);
        let text = self.template(name.as_str(), dot, call.at)?;
        self.work(text.cost(), call.at)?;
        Ok(GoValue::text(text, call.at))
    }

    /// A text that is a template itself.
    fn tpl(&mut self, call: &FunctionCall<'_>) -> Evaluated<GoValue> {
        if let Some(GoData::Unknown(why)) = call.values.first().map(|it| &it.data) {
            return Ok(GoValue::unknown(why.clone(), &call.origin(0)));
        }
        let text = Arc::clone(call.text(0)?);
        if let Some(why) = text.unknown_part() {
            return Ok(GoValue::unknown(why.clone(), &call.origin(0)));
        }
        if !text.as_str().contains("{{") {
            return Ok(call.values[0].clone());
        }
        self.work(20 * text.len(), call.at)?;
        let parsed =
            parse::parse(text.as_str()).map_err(|it| Box::new(it.error(&text, call.at)))?;
        if let Some((name, at)) =
            parsed.functions.iter().find(|(name, _)| !has(name) && !self.host.has(name))
        {
            return none(name, &text.origin_of(at.clone()).unwrap_or_else(|| call.at.clone()));
        }
        let nil = GoValue::nil(call.at);
        let dot = call.values.get(1).unwrap_or(&nil).clone();
        let local = Rc::new((parsed, MarkedText::clone(&text)));
        self.local.push(Rc::clone(&local));
        let printed = self.body(&local.0.body, &text, "tpl", &dot, call.at);
        self.local.pop();
        let printed = printed?;
        Ok(GoValue::text(printed.without_no_value(), call.at))
    }
}

#[expect(clippy::unnecessary_wraps, reason = "what functions give may fail")]
impl FunctionCall<'_> {
    /// Why an argument cannot be told, and where it came from.
    pub(crate) fn unknown(&self) -> Option<(Reason, Origin)> {
        let found = self.values.iter().find_map(|it| Some((it.unknown_part()?, it)));
        found.map(|(why, value)| (why, value.origin.clone()))
    }

    /// The same, when what is deeper in an argument does not matter.
    fn unknown_outside(&self) -> Option<(Reason, Origin)> {
        let found = self.values.iter().find_map(|it| Some((it.unknown_outside()?, it)));
        found.map(|(why, value)| (why, value.origin.clone()))
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
        let (all, most) = match parameters.strip_suffix('*') {
            Some(all) => (all, usize::MAX),
            None => (parameters, parameters.len()),
        };
        let least =
            parameters.len().min(most).saturating_sub(if most == usize::MAX { 2 } else { 0 });
        let (given, name) = (self.values.len(), self.name);
        if !(least..=most).contains(&given) {
            return eval::fail(format!("`{name}` takes {least} arguments, not {given}"), self.at);
        }
        let repeated = all.chars().last().into_iter().cycle();
        for (value, wanted) in self.values.iter().zip(all.chars().chain(repeated)) {
            let wanted = match (wanted, &value.data) {
                (_, GoData::Unknown(_))
                | ('s', GoData::Text(_))
                | ('i', GoData::Int(_))
                | ('b', GoData::Bool(_))
                | ('m', GoData::Map(_)) => continue,
                ('s', _) => "string",
                ('i', _) => "int",
                ('b', _) => "bool",
                ('m', _) => "map",
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
        GoData::Text(text) => text.as_str().trim().parse().unwrap_or(0.0),
        #[expect(clippy::cast_precision_loss, reason = "as Go converts")]
        _ => to_int(value) as f64,
    }
}
