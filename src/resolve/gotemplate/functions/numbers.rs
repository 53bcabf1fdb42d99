//! Functions of numbers and versions.

use semver::Version;

use super::{
    Evaluated, FunctionCall, GoData, GoValue,
    Look::Inside,
    Row,
    Run::{Call, Floats, Ints, NotEvaluated, Value},
    to_float,
};
use crate::{
    data::version::{self, Constraint},
    resolve::gotemplate::GoObject,
    tree::Origin,
};

#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Row] = &[
    ("int", "a", Inside, Call(|it| Ok(it.made(GoData::Int(it.int(0)?))))),
    ("atoi", "s", Inside, Call(|it| Ok(it.made(GoData::Int(atoi(it.str(0)?)))))),
    ("int64", "a", Inside, Ints(|_, it| Some(it))),
    ("float64", "a", Inside, Floats(|_, it| Some(it))),
    // What no chart was seen to call is not evaluated.
    ("add1f toDecimal", "a", Inside, NotEvaluated),
    ("addf", "a*", Inside, NotEvaluated),
    ("subf", "aa*", Inside, NotEvaluated),
    ("round", "aia*", Inside, NotEvaluated),
    ("add", "a*", Inside, Ints(|all, it| Some(all.unwrap_or(0).wrapping_add(it)))),
    ("add1", "a", Inside, Ints(|_, it| Some(it.wrapping_add(1)))),
    ("sub", "aa", Inside, Ints(|all, it| Some(all.map_or(it, |all| all.wrapping_sub(it))))),
    ("mul", "aa*", Inside, Ints(|all, it| Some(all.unwrap_or(1).wrapping_mul(it)))),
    ("div", "aa", Inside, Ints(|all, it| all.map_or(Some(it), |all| div(all, it)))),
    ("mod", "aa", Inside, Ints(|all, it| all.map_or(Some(it), |all| rem(all, it)))),
    ("max biggest", "aa*", Inside, Ints(|all, it| Some(all.unwrap_or(it).max(it)))),
    ("min", "aa*", Inside, Ints(|all, it| Some(all.unwrap_or(it).min(it)))),
    ("maxf", "aa*", Inside, Floats(|all, it| Some(all.unwrap_or(it).max(it)))),
    ("minf", "aa*", Inside, Floats(|all, it| Some(all.unwrap_or(it).min(it)))),
    ("floor", "a", Inside, Floats(|_, it| Some(it.floor()))),
    ("ceil", "a", Inside, Floats(|_, it| Some(it.ceil()))),
    ("mulf", "aa*", Inside, Value(|it| decimal(it, |a, b| Some((a.0.checked_mul(b.0)?, a.1 + b.1))))),
    ("divf", "aa*", Inside, Value(|it| decimal(it, quotient))),
    ("semver", "s", Inside, Call(semver)),
    ("semverCompare", "ss", Inside, Call(compare)),
];

/// `strconv.Atoi`, whose error Sprig drops: of what is too large the nearest, of what is no number zero.
fn atoi(text: &str) -> i64 {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    match text.parse() {
        Ok(number) => number,
        Err(_) if digits.is_empty() || !digits.bytes().all(|it| it.is_ascii_digit()) => 0,
        Err(_) if text.starts_with('-') => i64::MIN,
        Err(_) => i64::MAX,
    }
}

/// A quotient as Go has it: that of the smallest number by -1 is the smallest number.
fn div(all: i64, by: i64) -> Option<i64> {
    (by != 0).then(|| all.wrapping_div(by))
}

fn rem(all: i64, by: i64) -> Option<i64> {
    (by != 0).then(|| all.wrapping_rem(by))
}

/// A number without its point, and how many digits follow that.
type Decimal = (i128, u32);

/// Sprig counts fractions in base ten (`shopspring/decimal`).
fn decimal(call: &FunctionCall<'_>, f: fn(Decimal, Decimal) -> Option<Decimal>) -> GoValue {
    let read = |value: &GoValue| -> Option<Decimal> {
        let text = to_float(value).to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        Some((format!("{whole}{fraction}").parse().ok()?, u32::try_from(fraction.len()).ok()?))
    };
    let all = call.values.iter().map(read).reduce(|all, it| f(all?, it?)).flatten();
    match all.and_then(|(digits, places)| format!("{digits}e-{places}").parse().ok()) {
        Some(number) => call.made(GoData::Float(number)),
        None => GoValue::unknown("the numbers are too long, or zero", call.at),
    }
}

/// To sixteen digits behind the point, half away from zero.
fn quotient((dividend, own): Decimal, (divisor, others): Decimal) -> Option<Decimal> {
    let shift = (16 + others).checked_sub(own)?;
    let twice = dividend.checked_mul(10_i128.checked_pow(shift)?)?.checked_mul(2)?;
    let half = if (dividend < 0) == (divisor < 0) { divisor } else { -divisor };
    Some((twice.checked_add(half)?.checked_div(divisor.checked_mul(2)?)?, 16))
}

fn compare(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let (constraint, version) = (call.str(0)?, call.str(1)?);
    let Some(constraint) = Constraint::parse(constraint).filter(|_| !constraint.is_empty()) else {
        return call.fail("the range of versions is none");
    };
    let Some(version) = version::lenient(version) else {
        return call.fail("this is no version");
    };
    call.bool(constraint.holds(&version))
}

fn semver(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let text = call.str(0)?;
    let Some(version) = version::lenient(text) else {
        return call.fail("this is no version");
    };
    let (original, at) = (text.to_owned(), call.source());
    let version = GoVersion { version, original, at: at.clone() };
    Ok(GoValue::new(GoData::Object(std::rc::Rc::new(version)), &at))
}

/// `*semver.Version`
#[derive(Debug)]
struct GoVersion {
    version: Version,
    original: String,
    at: Origin,
}

impl GoObject for GoVersion {
    fn type_and_kind(&self) -> (&'static str, &'static str) {
        ("*semver.Version", "ptr")
    }

    fn field(&self, name: &str, _: &[GoValue]) -> Option<GoValue> {
        let number = |it: u64| {
            let number = GoData::Int64(i64::try_from(it).unwrap_or(i64::MAX));
            Some(GoValue::new(number, &self.at))
        };
        let text = match name {
            "Major" => return number(self.version.major),
            "Minor" => return number(self.version.minor),
            "Patch" => return number(self.version.patch),
            "Prerelease" => self.version.pre.as_str(),
            "Metadata" => self.original.split_once('+').map_or("", |it| it.1),
            "Original" => &self.original,
            "String" => return self.printed().map(|it| GoValue::string(it, &self.at)),
            _ => return Some(GoValue::unknown(format!("`{name}` is not evaluated"), &self.at)),
        };
        Some(GoValue::string(text, &self.at))
    }

    fn printed(&self) -> Option<String> {
        let metadata = self.original.split_once('+').map(|it| format!("+{}", it.1));
        let version = Version { build: semver::BuildMetadata::EMPTY, ..self.version.clone() };
        Some(format!("{version}{}", metadata.unwrap_or_default()))
    }
}
