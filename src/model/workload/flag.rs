//! metrics-server's flags, as cobra and pflag parse them.
//!
//! The last of a repeated flag wins. A list flag that is repeated appends to the first in the
//! program; what is reported is what the last one says, which is what its author meant.

use semver::Version;

use crate::{
    model::{Arg, Duration, Fact},
    tree::{Origin, Via},
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
        parse(&text, |text| match text {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
            _ => None,
        })
        .or_default(default, default_origin())
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
        parse(&self.text(name), |text| text.parse().ok()).or_default(default, default_origin())
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
        let args = match self.args {
            Fact::Known(args, _) => args,
            Fact::Absent(by) => return Fact::Absent(by.clone()),
            Fact::Unknown(why, origin) => return Fact::Unknown(why.clone(), origin.clone()),
        };
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

fn parse<T>(text: &Fact<String>, read: impl FnOnce(&str) -> Option<T>) -> Fact<T> {
    text.read(|text| {
        read(text).ok_or_else(|| format!("metrics-server does not take `{text}` for this flag"))
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
}
