//! Functions of numbers and versions.

use semver::Version;

use super::{
    Evaluated, FunctionCall, GoData, GoValue,
    Look::Inside,
    Row,
    Run::{Call, Floats, Ints},
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
    ("atoi", "s", Inside, Call(|it| Ok(it.made(GoData::Int(it.int(0)?))))),
    ("int64", "a", Inside, Ints(|_, it| Some(it))),
    ("float64", "a", Inside, Floats(|_, it| Some(it))),
    ("toDecimal", "a", Inside, Call(octal)),
    ("add", "a*", Inside, Ints(|all, it| Some(all.unwrap_or(0).wrapping_add(it)))),
    ("add1", "a", Inside, Ints(|_, it| Some(it.wrapping_add(1)))),
    ("sub", "aa", Inside, Ints(|all, it| Some(all.map_or(it, |all| all.wrapping_sub(it))))),
    ("mul", "aa*", Inside, Ints(|all, it| Some(all.unwrap_or(1).wrapping_mul(it)))),
    ("div", "aa", Inside, Ints(|all, it| all.map_or(Some(it), |all| all.checked_div(it)))),
    ("mod", "aa", Inside, Ints(|all, it| all.map_or(Some(it), |all| all.checked_rem(it)))),
    ("max biggest", "aa*", Inside, Ints(|all, it| Some(all.unwrap_or(it).max(it)))),
    ("min", "aa*", Inside, Ints(|all, it| Some(all.unwrap_or(it).min(it)))),
    ("maxf", "aa*", Inside, Floats(|all, it| Some(all.unwrap_or(it).max(it)))),
    ("minf", "aa*", Inside, Floats(|all, it| Some(all.unwrap_or(it).min(it)))),
    ("floor", "a", Inside, Floats(|_, it| Some(it.floor()))),
    ("ceil", "a", Inside, Floats(|_, it| Some(it.ceil()))),
    ("round", "aia*", Inside, Call(round)),
    ("add1f", "a", Inside, Call(|it| decimal(it, Some((1, 0)), add))),
    ("addf", "a*", Inside, Call(|it| decimal(it, None, add))),
    ("subf", "aa*", Inside, Call(|it| decimal(it, None, |a, (b, scale)| add(a, (-b, scale))))),
    ("mulf", "aa*", Inside, Call(|it| decimal(it, None, multiply))),
    ("divf", "aa*", Inside, Call(|it| decimal(it, None, divide))),
    ("semver", "s", Inside, Call(semver)),
    ("semverCompare", "ss", Inside, Call(compare)),
];

fn octal(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    call.number(i64::from_str_radix(call.value(0)?.printed(true).as_str(), 8).unwrap_or(0))
}

/// Half away from zero, or at another fraction.
fn round(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let (number, places) = (to_float(call.value(0)?), call.int(1)?);
    let half = call.values.get(2).map_or(0.5, to_float);
    let scale = 10_f64.powi(i32::try_from(places).unwrap_or(0));
    let scaled = number * scale;
    let up = scaled.fract().abs() >= half;
    let rounded = if up { scaled.trunc() + scaled.signum() } else { scaled.trunc() };
    Ok(call.made(GoData::Float(rounded / scale)))
}

/// A number without its point, and how many digits follow that.
type Decimal = (i128, u32);

/// Sprig counts fractions in base ten (`shopspring/decimal`).
fn decimal(
    call: &FunctionCall<'_>,
    first: Option<Decimal>,
    f: fn(Decimal, Decimal) -> Option<Decimal>,
) -> Evaluated<GoValue> {
    let mut all = first;
    for value in &call.values {
        let text = to_float(value).to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let scale = u32::try_from(fraction.len()).unwrap_or(u32::MAX);
        let number = format!("{whole}{fraction}").parse().ok().map(|it| (it, scale));
        let next = number.and_then(|next| all.map_or(Some(next), |all| f(all, next)));
        let Some(next) = next else {
            return match to_float(value) == 0.0 {
                true => call.fail("it divides by zero"),
                false => Ok(GoValue::unknown("the numbers are too long", call.at)),
            };
        };
        all = Some(next);
    }
    let (digits, scale) = all.unwrap_or((0, 0));
    let result = format!("{digits}e-{scale}").parse().unwrap_or(0.0);
    Ok(call.made(GoData::Float(result)))
}

fn add(first: Decimal, second: Decimal) -> Option<Decimal> {
    let scale = first.1.max(second.1);
    let at = |(digits, own): Decimal| 10_i128.checked_pow(scale - own)?.checked_mul(digits);
    Some((at(first)?.checked_add(at(second)?)?, scale))
}

fn multiply(first: Decimal, second: Decimal) -> Option<Decimal> {
    Some((first.0.checked_mul(second.0)?, first.1.checked_add(second.1)?))
}

/// To sixteen digits behind the point.
fn divide(first: Decimal, second: Decimal) -> Option<Decimal> {
    const DIGITS: u32 = 16;
    let shift = (DIGITS + second.1).checked_sub(first.1)?;
    let (dividend, divisor) = (first.0.checked_mul(10_i128.checked_pow(shift)?)?, second.0);
    let (quotient, rest) = (dividend.checked_div(divisor)?, dividend.checked_rem(divisor)?);
    let up = rest.abs().checked_mul(2)? >= divisor.abs();
    let away = if (dividend < 0) == (divisor < 0) { 1 } else { -1 };
    Some((if up { quotient + away } else { quotient }, DIGITS))
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
