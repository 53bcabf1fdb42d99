//! Functions of numbers and versions.

use super::{Called, Evaluated, FunctionCall, GoData, GoValue, to_float, to_int};
use crate::data::version::{self, Constraint};

pub(super) fn strict(call: &FunctionCall<'_>) -> Called {
    let values = &call.values;
    let ints = || values.iter().map(to_int);
    let floats = || values.iter().map(to_float);
    let checked = |result: Option<i64>| match result {
        Some(it) => call.number(it),
        None => call.fail("the numbers are too large, or zero"),
    };
    Some(match (call.name, &values[..]) {
        ("int" | "atoi", [value]) => Ok(call.made(GoData::Int(to_int(value)))),
        ("int64", [value]) => call.number(to_int(value)),
        ("float64", [value]) => Ok(call.made(GoData::Float(to_float(value)))),
        ("toDecimal", [value]) => {
            call.number(i64::from_str_radix(value.printed(true).as_str(), 8).unwrap_or(0))
        }
        ("add", _) => call.number(ints().fold(0, i64::wrapping_add)),
        ("add1", [value]) => call.number(to_int(value).wrapping_add(1)),
        ("sub", [a, b]) => call.number(to_int(a).wrapping_sub(to_int(b))),
        ("mul", _) => call.number(ints().fold(1, i64::wrapping_mul)),
        ("div", [a, b]) => checked(to_int(a).checked_div(to_int(b))),
        ("mod", [a, b]) => checked(to_int(a).checked_rem(to_int(b))),
        ("max" | "biggest", _) => call.number(ints().max().unwrap_or(0)),
        ("min", _) => call.number(ints().min().unwrap_or(0)),
        ("addf", _) => Ok(float(call, floats().sum())),
        ("subf", [a, rest @ ..]) => {
            Ok(float(call, rest.iter().fold(to_float(a), |all, it| all - to_float(it))))
        }
        ("maxf", _) => Ok(float(call, floats().fold(f64::MIN, f64::max))),
        ("minf", _) => Ok(float(call, floats().fold(f64::MAX, f64::min))),
        ("mulf", _) => Ok(float(call, floats().product())),
        ("divf", [a, rest @ ..]) => {
            Ok(float(call, rest.iter().fold(to_float(a), |all, it| all / to_float(it))))
        }
        ("floor", [value]) => Ok(float(call, to_float(value).floor())),
        ("ceil", [value]) => Ok(float(call, to_float(value).ceil())),
        ("round", [value, _]) => {
            let scale = 10_f64.powi(i32::try_from(call.int(1).unwrap_or(0)).unwrap_or(0));
            Ok(float(call, (to_float(value) * scale).round() / scale))
        }
        ("semverCompare", [_, _]) => compare(call),
        ("semver", [_]) => semver(call),
        _ => return None,
    })
}

fn float(call: &FunctionCall<'_>, it: f64) -> GoValue {
    call.made(GoData::Float(it))
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
    let Some(version) = version::lenient(call.str(0)?) else {
        return call.fail("this is no version");
    };
    let mut map = super::super::value::GoMap::default();
    let number =
        |it: u64| GoValue::new(GoData::Int(i64::try_from(it).unwrap_or(i64::MAX)), &call.source());
    map.set("Major", number(version.major));
    map.set("Minor", number(version.minor));
    map.set("Patch", number(version.patch));
    map.set("Prerelease", GoValue::string(version.pre.as_str(), &call.source()));
    map.set("Metadata", GoValue::string(version.build.as_str(), &call.source()));
    map.set("Original", GoValue::string(call.str(0)?, &call.source()));
    Ok(GoValue::map(map, &call.source()))
}
