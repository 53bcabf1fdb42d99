//! metrics-server's flags, as cobra and pflag parse them.
//!
//! The last of a repeated flag wins. A list flag that is repeated appends to the first in the
//! program; what is reported is what the last one says, which is what its author meant.

use semver::Version;

use crate::{
    model::{Arg, Duration, Fact, kubelet::go_bool},
    tree::{Node, Origin, Via},
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
        self.last(name, |value, next| match (value, next) {
            (Some(value), _) => Some((value.to_owned(), None)),
            (None, Some(next)) => Some((next.text.clone(), Some(next.origin.clone()))),
            (None, None) => None,
        })
    }

    /// A flag without a value, or with one that `strconv.ParseBool` takes.
    pub(crate) fn boolean(&self, name: &str, default: bool) -> Fact<bool> {
        let text = self.last(name, |value, _| Some((value.unwrap_or("true").to_owned(), None)));
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

    /// A flag with a whole number.
    pub(crate) fn number(&self, name: &str, default: i128) -> Fact<i128> {
        parse(&self.text(name), integer).or_default(default, default_origin())
    }

    /// `--kubelet-request-timeout`, which exists since v0.7.0; before, it has no default.
    pub(crate) fn request_timeout(&self, version: &Fact<Version>) -> Fact<Duration> {
        let old = version.value().is_some_and(|it| *it < Version::new(0, 7, 0));
        self.duration("kubelet-request-timeout", (!old).then_some(10))
    }

    fn last(
        &self,
        name: &str,
        value: impl Fn(Option<&str>, Option<&Arg>) -> Option<(String, Option<Origin>)>,
    ) -> Fact<String> {
        let Some(args) = self.args.value() else { return self.args.map(|_| String::new()) };
        for (index, arg) in args.iter().enumerate().rev() {
            if let Some(why) = &arg.unknown {
                // It may be this flag unless it is known to be another.
                let other = arg.text.strip_prefix("--").and_then(|it| it.strip_suffix('='));
                if other.is_none_or(|other| other == name) {
                    return Fact::Unknown(why.clone(), Some(arg.origin.clone()));
                }
                continue;
            }
            let Some(rest) = arg.text.strip_prefix("--").and_then(|it| it.strip_prefix(name))
            else {
                continue;
            };
            let given = match rest.strip_prefix('=') {
                Some(given) => Some(given),
                None if rest.is_empty() => None,
                None => continue,
            };
            if let Some((text, origin)) = value(given, args.get(index + 1)) {
                return Fact::Known(text, origin.unwrap_or_else(|| arg.origin.clone()));
            }
        }
        Fact::Absent(None)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn arg(text: &str, unknown: bool) -> Arg {
        let origin = Origin::at(Via::Written, None);
        Arg { text: text.into(), origin, unknown: unknown.then(|| "nobody knows".into()) }
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
            invalid(Flags::new(&args(texts)).number("secure-port", 443).map(ToString::to_string))
        };
        assert_eq!(port(&["--secure-port", "https"]).as_deref(), Some("https"));
        assert_eq!(port(&["--secure-port=10250"]), None);
        assert_eq!(
            ["0x1F90", "0b11", "010", "-1_0", "0", "1.5"].map(integer),
            [Some(8080), Some(3), Some(8), Some(-10), Some(0), None]
        );
    }
}
