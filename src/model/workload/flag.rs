//! metrics-server's flags, as cobra and pflag parse them.
//!
//! The last of a repeated flag wins, but a list gets longer with each.

use std::slice;

use indexmap::IndexSet;
use semver::Version;

use crate::{
    data::flags::{self, FlagKind},
    model::{Arg, Datum, Duration, Fact},
    tree::{Node, Origin, Reason, Via},
};

/// A container's arguments, to look flags up in.
pub(crate) struct Flags<'a> {
    args: &'a Fact<Vec<Arg>>,
}

/// The origin of a flag's own default.
pub(crate) fn default_origin() -> Origin {
    Origin::at(Via::FlagDefault, None)
}

impl<'a> Flags<'a> {
    pub(crate) fn new(args: &'a Fact<Vec<Arg>>) -> Self {
        Self { args }
    }

    /// A flag with a value: `--name=value`, or `--name` and the value as the next item.
    pub(crate) fn text(&self, name: &str) -> Fact<String> {
        self.args.and_then(|args, _| given(args, name, None).pop().unwrap_or_default())
    }

    /// A flag with a list that counts in its order: each item once, where it comes first. As with
    /// pflag's `StringSlice`, the first flag takes the place of the default, and all others append.
    pub(crate) fn order(&self, name: &str) -> Fact<String> {
        self.args.and_then(|args, _| {
            let given = given(args, name, None);
            if let Some(untold) = given.iter().rfind(|it| it.untold().is_some()) {
                return untold.clone();
            }
            let lists: Vec<_> = given.iter().filter_map(Fact::known).collect();
            let Some((_, last)) = lists.last() else { return Fact::Absent(None) };
            let items: IndexSet<&str> =
                lists.iter().flat_map(|(list, _)| list.split(',')).collect();
            let items: Vec<_> = items.into_iter().filter(|it| !it.is_empty()).collect();
            let parts = lists.iter().map(|(list, at)| ("", Node::new(&***list, (*at).clone())));
            Fact::Known(items.join(","), last.joined(parts))
        })
    }

    /// A flag without a value, or with one that `strconv.ParseBool` takes.
    pub(crate) fn boolean(&self, name: &str, default: bool) -> Fact<bool> {
        let text =
            self.args.and_then(|args, _| given(args, name, Some("true")).pop().unwrap_or_default());
        parse(&text, go_bool).or_default(default, default_origin())
    }

    /// A flag with a duration; `default` in seconds.
    pub(crate) fn duration(&self, name: &str, default: Option<u32>) -> Fact<Duration> {
        let fact = parse(&self.text(name), Duration::parse);
        match default {
            Some(default) => fact.or_default(Duration::seconds(default), default_origin()),
            None => fact,
        }
    }

    /// A flag with the number of a port.
    pub(crate) fn port(&self, name: &str, default: i128) -> Fact<i128> {
        let port = |text: &str| integer(text).filter(|it| (0..=65535).contains(it));
        parse(&self.text(name), port).or_default(default, default_origin())
    }

    /// `--kubelet-request-timeout`, which exists since v0.7.0; before, it has no default.
    pub(crate) fn request_timeout(&self, version: &Fact<Version>) -> Fact<Duration> {
        let old = version.value().is_some_and(|it| *it < Version::new(0, 7, 0));
        self.duration("kubelet-request-timeout", (!old).then_some(10))
    }
}

/// What pflag takes one or two items of a container's arguments for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Argument<'a> {
    /// `--name`, with its value if it has one.
    Flag {
        /// Without dashes, and in full: `v` of `-v2`.
        name: &'a str,
        /// What stands behind `=` or in the next item, and that item.
        value: Option<(&'a str, &'a Arg)>,
        /// The item with the name.
        arg: &'a Arg,
    },
    /// What is no flag, and no value of one.
    Word(&'a Arg),
    /// What nobody can tell.
    Untold(&'a Arg),
}

/// What `args` are to pflag, up to `--`.
pub(crate) fn arguments(args: &[Arg]) -> Vec<Argument<'_>> {
    let mut passed = Vec::new();
    let mut items = args.iter();
    while let Some(arg) = items.next() {
        if arg.unknown.is_some() {
            passed.push(Argument::Untold(arg));
            continue;
        }
        let long = arg.text.strip_prefix("--");
        let named = match long {
            Some("") => break,
            Some(flag) => Some(match flag.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (flag, None),
            }),
            None => shorthand(&arg.text),
        };
        let Some((name, value)) = named else {
            passed.push(Argument::Word(arg));
            continue;
        };
        let value = value.map(|value| (value, arg)).or_else(|| next_item(name, &mut items));
        passed.push(Argument::Flag { name, value, arg });
    }
    passed
}

/// The value of `name` that stands in the next of `items`, unless it needs none.
fn next_item<'a>(name: &str, items: &mut slice::Iter<'a, Arg>) -> Option<(&'a str, &'a Arg)> {
    let takes = flags::kind(name).is_some_and(|kind| kind != FlagKind::Boolean);
    let next = items.as_slice().first().filter(|_| takes)?;
    // What nobody can tell may be a flag for itself as well; both look at it.
    if next.unknown.is_none() {
        items.next();
    }
    Some((&next.text, next))
}

/// The flag that is passed with one dash, and what is written with it: these are all that there are.
fn shorthand(text: &str) -> Option<(&'static str, Option<&str>)> {
    let short = text.strip_prefix('-')?;
    let (name, value) = [("v", "v"), ("l", "node-selector"), ("h", "help")]
        .into_iter()
        .find_map(|(letter, name)| Some((name, short.strip_prefix(letter)?)))?;
    let value = value.strip_prefix('=').unwrap_or(value);
    Some((name, Some(value).filter(|it| !it.is_empty())))
}

/// What the flag is given, in order, each time that it is passed or may be: unless it has a value
/// of its own it is `alone`.
fn given(args: &[Arg], name: &str, alone: Option<&str>) -> Vec<Fact<String>> {
    let untold = |arg: &Arg, why: &Reason| Fact::Unknown(why.clone(), Some(arg.origin.clone()));
    let of = |passed| match passed {
        Argument::Untold(arg) => {
            // It may be this flag unless it is known to be another.
            let other = arg.text.strip_prefix("--").and_then(|it| it.strip_suffix('='));
            let why = arg.unknown.as_ref().filter(|_| other.is_none_or(|other| other == name))?;
            Some(untold(arg, why))
        }
        Argument::Flag { name: its, value, arg } if its == name => match value {
            Some((text, at)) => Some(match &at.unknown {
                Some(why) => untold(at, why),
                None => Fact::Known(text.to_owned(), at.origin.clone()),
            }),
            None => Some(Fact::Known(alone?.to_owned(), arg.origin.clone())),
        },
        _ => None,
    };
    arguments(args).into_iter().filter_map(of).collect()
}

/// `strconv.ParseInt` with a base of 0, as pflag calls it: `0x` and the like choose another than 10.
pub(crate) fn integer(text: &str) -> Option<i128> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (radix, digits) = match unsigned.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &unsigned[2..]),
        [b'0', b'o' | b'O', ..] => (8, &unsigned[2..]),
        [b'0', b'b' | b'B', ..] => (2, &unsigned[2..]),
        [b'0', _, ..] => (8, &unsigned[1..]),
        _ => (10, unsigned),
    };
    let digits = digits.replace('_', "");
    let number = i128::from_str_radix(&digits, radix).ok().filter(|it| *it >= 0)?;
    Some(if text.starts_with('-') { -number } else { number })
}

fn parse<T>(text: &Fact<String>, read: impl FnOnce(&str) -> Option<T>) -> Fact<T> {
    text.and_then(|text, origin| match read(text) {
        Some(value) => Fact::Known(value, origin.clone()),
        None => {
            let why = format!("metrics-server does not take `{text}` for this flag");
            Fact::refused(&Node::new(&**text, origin.clone()), why)
        }
    })
}

/// Whether a flag of that kind takes `value`.
pub(crate) fn takes(kind: FlagKind, value: &str) -> bool {
    matches!(kind, FlagKind::Text | FlagKind::List) || worth(kind, value).is_some()
}

/// What `flag` makes of `value`.
pub(crate) fn datum(flag: &str, value: &str) -> Datum {
    let worth = flags::kind(flag).and_then(|kind| worth(kind, value));
    match worth {
        Some(worth) => Datum::Amount(value.to_owned(), worth),
        None => Datum::Text(value.to_owned()),
    }
}

/// What a flag of that kind makes of `value`, as a number; `None` where it stays text or is refused.
fn worth(kind: FlagKind, value: &str) -> Option<i128> {
    match kind {
        FlagKind::Text | FlagKind::List => None,
        FlagKind::Boolean => go_bool(value).map(i128::from),
        FlagKind::Duration => Duration::parse(value).map(|it| it.nanos),
        FlagKind::Integer => integer(value),
    }
}

/// `strconv.ParseBool`
pub(in crate::model) fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arg(text: &str, unknown: bool) -> Arg {
        let origin = Origin::at(Via::Written, None);
        let unknown = unknown.then(|| "nobody knows".into());
        Arg { text: text.into(), origin, unknown, perhaps: false, is_text: true }
    }

    #[test]
    fn an_item_that_cannot_be_told_hides_what_it_may_be() {
        let of = |args: Vec<Arg>| {
            let args = Fact::Known(args, Origin::at(Via::Written, None));
            Flags::new(&args).boolean("kubelet-insecure-tls", false)
        };
        let flag = || arg("--kubelet-insecure-tls", false);
        assert_eq!(of(vec![arg("", true), flag()]).value(), Some(&true));
        assert_eq!(of(vec![flag(), arg("--metric-resolution=", true)]).value(), Some(&true));
        assert!(of(vec![flag(), arg("--kubelet-insecure-tls=", true)]).is_unknown());
        assert!(of(vec![flag(), arg("", true)]).is_unknown());
    }

    #[test]
    fn what_may_be_one_more_item_of_a_list_hides_the_list() {
        let of = |args: Vec<Arg>| {
            let args = Fact::Known(args, Origin::at(Via::Written, None));
            Flags::new(&args).order("kubelet-preferred-address-types")
        };
        let name = "--kubelet-preferred-address-types";
        let flag = |value: &str| arg(&format!("{name}={value}"), false);
        let list = |args: Vec<Arg>| of(args).value().cloned();
        assert_eq!(list(vec![flag("a,b"), flag("c"), flag("a")]).as_deref(), Some("a,b,c"));
        assert_eq!(list(vec![flag("a,b"), flag("b,a")]).as_deref(), Some("a,b"));
        assert_eq!(list(vec![flag("")]).as_deref(), Some(""));
        assert_eq!(list(vec![flag("a"), arg("--v=", true), flag("b")]).as_deref(), Some("a,b"));
        assert!(of(vec![arg("", true), flag("a")]).is_unknown());
        assert!(of(vec![flag("a"), arg(&format!("{name}="), true), flag("b")]).is_unknown());
        assert!(of(vec![arg("--v=2", false)]).is_absent());
        assert!(of(vec![arg(name, false), arg("", true)]).is_unknown());
    }

    #[test]
    fn a_value_that_the_program_does_not_take_is_invalid() {
        let args = |texts: &[&str]| {
            let args = texts.iter().map(|it| arg(it, false)).collect();
            Fact::Known(args, Origin::at(Via::Written, None))
        };
        let invalid = |fact: Fact<String>| match fact {
            Fact::Invalid { text, .. } => Some(text),
            _ => None,
        };
        let insecure = |texts: &[&str]| {
            let fact = Flags::new(&args(texts)).boolean("kubelet-insecure-tls", false);
            invalid(fact.map(ToString::to_string))
        };
        assert_eq!(insecure(&["--kubelet-insecure-tls=yes"]).as_deref(), Some("yes"));
        assert_eq!(insecure(&["--kubelet-insecure-tls="]).as_deref(), Some(""));
        assert_eq!(insecure(&["--kubelet-insecure-tls=yes", "--kubelet-insecure-tls"]), None);
        assert_eq!(insecure(&["--kubelet-insecure-tls={{ insecure }}"]), None);
        let port = |texts: &[&str]| {
            invalid(Flags::new(&args(texts)).port("secure-port", 443).map(ToString::to_string))
        };
        assert_eq!(port(&["--secure-port=-1"]).as_deref(), Some("-1"));
        assert_eq!(port(&["--secure-port=65536"]).as_deref(), Some("65536"));
        assert_eq!(port(&["--secure-port", "https"]).as_deref(), Some("https"));
        assert_eq!(port(&["--secure-port=10250"]), None);
        assert_eq!(
            ["0x1F90", "0b11", "010", "-1_0", "0", "1.5"].map(integer),
            [Some(8080), Some(3), Some(8), Some(-10), Some(0), None]
        );
    }
}
