//! Quantities of Kubernetes, durations of Go, and numbers that may be percentages.

use std::fmt;

use crate::model::Datum;

/// An amount of memory, in bytes, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Bytes, rounded up.
    pub bytes: u64,
    text: String,
}

/// An amount of CPU, in thousandths of a core, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cpu {
    /// Thousandths of a core, rounded up.
    pub millis: u64,
    text: String,
}

/// A duration as Go's `time.ParseDuration` reads it, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Duration {
    /// Nanoseconds.
    pub nanos: i128,
    text: String,
}

/// A number of pods, or a share of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IntOrPercent {
    /// That many.
    Int(i64),
    /// That many of a hundred.
    Percent(u32),
}

/// What one mebibyte is.
pub(crate) const MI: u64 = 1024 * 1024;

impl Memory {
    /// `256Mi`, `0.5Gi`, `1e9`, `128974848`; `None` for what Kubernetes refuses.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(Self { bytes: amount(text, NANO)?, text: text.to_owned() })
    }

    /// Whether it is so few bytes, and no more than a number, that somebody forgot the unit: no program
    /// runs in that. Nothing at all is another matter.
    pub(crate) fn lacks_unit(&self) -> bool {
        (1..64 * 1024).contains(&self.bytes) && self.text.bytes().all(|it| it.is_ascii_digit())
    }

    /// That many mebibytes.
    pub(crate) fn mebibytes(count: u64) -> Self {
        Self { bytes: count * MI, text: format!("{count}Mi") }
    }
}

impl Cpu {
    /// `100m`, `0.1`, `2`; `None` for what Kubernetes refuses.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(Self { millis: amount(text, NANO / 1000)?, text: text.to_owned() })
    }
}

/// Quantities are counted in billionths, the smallest unit that Kubernetes has.
const NANO: i128 = 1_000_000_000;

/// A quantity in units of that many billionths, rounded up; none may be negative.
fn amount(text: &str, unit: i128) -> Option<u64> {
    let nanos = nanos(text)?;
    let amount = nanos.div_euclid(unit) + i128::from(nanos.rem_euclid(unit) > 0);
    (amount >= 0).then(|| u64::try_from(amount).unwrap_or(u64::MAX))
}

/// `resource.ParseQuantity` of `k8s.io/apimachinery`: a sign, digits with at most one point, and a
/// suffix of powers of 1024, of 1000, or an exponent. What is too large is the largest.
fn nanos(text: &str) -> Option<i128> {
    let (negative, rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let end = rest.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(rest.len());
    let (number, suffix) = rest.split_at(end);
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && part.is_empty()) || part.contains('.') {
        return None;
    }
    let (scale, binary): (i32, Option<u32>) = match suffix {
        "n" => (-9, None),
        "u" => (-6, None),
        "m" => (-3, None),
        "" => (0, None),
        "k" => (3, None),
        "M" => (6, None),
        "G" => (9, None),
        "T" => (12, None),
        "P" => (15, None),
        "E" => (18, None),
        "Ki" => (0, Some(10)),
        "Mi" => (0, Some(20)),
        "Gi" => (0, Some(30)),
        "Ti" => (0, Some(40)),
        "Pi" => (0, Some(50)),
        "Ei" => (0, Some(60)),
        _ => {
            let exponent: i64 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            (i32::try_from(exponent.clamp(-1000, 1000)).ok()?, None)
        }
    };
    // Digits after the point beyond what a billionth can hold are cut, then rounded up below.
    let part = &part[..part.len().min(18)];
    let digits: i128 = format!("{whole}{part}").parse().unwrap_or(i128::MAX);
    let exponent = scale + 9 - i32::try_from(part.len()).ok()?;
    let shifted = digits.saturating_mul(1 << binary.unwrap_or(0));
    let power = 10_i128.saturating_pow(exponent.unsigned_abs());
    let value = if exponent >= 0 {
        shifted.saturating_mul(power)
    } else {
        shifted.div_euclid(power) + i128::from(shifted.rem_euclid(power) > 0)
    };
    Some(if negative { -value } else { value })
}

impl Duration {
    /// `15s`, `1m30s`, `1.5h`, `0`; `None` for what Go refuses.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let negative = text.starts_with('-');
        let mut rest = unsigned;
        let mut nanos = 0_i128;
        if rest == "0" {
            return Some(Self { nanos: 0, text: text.to_owned() });
        }
        if rest.is_empty() {
            return None;
        }
        while !rest.is_empty() {
            let end =
                rest.find(|it: char| !it.is_ascii_digit() && it != '.').filter(|end| *end > 0)?;
            let (number, after) = rest.split_at(end);
            let end =
                after.find(|it: char| it.is_ascii_digit() || it == '.').unwrap_or(after.len());
            let (unit, after) = after.split_at(end);
            let unit = match unit {
                "ns" => 1,
                "us" | "µs" | "μs" => 1_000,
                "ms" => 1_000_000,
                "s" => NANO,
                "m" => 60 * NANO,
                "h" => 3600 * NANO,
                _ => return None,
            };
            let (whole, part) = number.split_once('.').unwrap_or((number, ""));
            if (whole.is_empty() && part.is_empty()) || part.contains('.') || whole.len() > 24 {
                return None;
            }
            let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
            nanos = nanos.checked_add(whole.checked_mul(unit)?)?;
            if !part.is_empty() {
                let part = &part[..part.len().min(15)];
                let scale = 10_i128.pow(u32::try_from(part.len()).ok()?);
                nanos += part.parse::<i128>().ok()? * unit / scale;
            }
            rest = after;
        }
        if nanos > i128::from(i64::MAX) {
            return None;
        }
        Some(Self { nanos: if negative { -nanos } else { nanos }, text: text.to_owned() })
    }

    /// That many seconds.
    pub(crate) fn seconds(count: u32) -> Self {
        Self { nanos: i128::from(count) * NANO, text: format!("{count}s") }
    }
}

impl IntOrPercent {
    /// `25%`, as `IsValidPercent` of `k8s.io/apimachinery` has it.
    pub(crate) fn share(text: &str) -> Option<Self> {
        let share = text.strip_suffix('%')?;
        let digits = share.bytes().all(|it| it.is_ascii_digit());
        share.parse().ok().filter(|_| digits).map(Self::Percent)
    }

    /// How many of `replicas` that is, rounded up or down when it is a share.
    pub(crate) fn of(self, replicas: i128, up: bool) -> i128 {
        match self {
            Self::Int(count) => count.into(),
            Self::Percent(share) => {
                let hundredths = replicas * i128::from(share);
                if up { (hundredths + 99).div_euclid(100) } else { hundredths.div_euclid(100) }
            }
        }
    }
}

/// Amounts compare by what they are worth and are shown as they are written.
macro_rules! amounts {
    ($($amount:ident by $worth:ident),*) => {$(
        impl PartialOrd for $amount {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.$worth.cmp(&other.$worth))
            }
        }

        impl fmt::Display for $amount {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.text)
            }
        }

        impl From<$amount> for Datum {
            fn from(it: $amount) -> Self {
                Self::Amount(it.text, it.$worth.into())
            }
        }
    )*};
}

amounts!(Memory by bytes, Cpu by millis, Duration by nanos);

impl fmt::Display for IntOrPercent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(count) => write!(f, "{count}"),
            Self::Percent(share) => write!(f, "{share}%"),
        }
    }
}

impl From<IntOrPercent> for Datum {
    fn from(it: IntOrPercent) -> Self {
        match it {
            IntOrPercent::Int(count) => Self::Int(count.into()),
            IntOrPercent::Percent(_) => Self::Text(it.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities() {
        let bytes = |text| Memory::parse(text).map(|it| it.bytes);
        assert_eq!(bytes("64Mi"), Some(64 * MI));
        assert_eq!(bytes("0.5Gi"), Some(512 * MI));
        assert_eq!(bytes("1e3"), Some(1000));
        assert_eq!(bytes("1E"), Some(1_000_000_000_000_000_000));
        assert_eq!(bytes("100m"), Some(1));
        assert_eq!(bytes("64MB"), None);
        assert_eq!(bytes("64 Mi"), None);
        assert_eq!(bytes(""), None);
        assert_eq!(bytes("-1"), None);
        assert_eq!(bytes("9223372036854775808Ei"), Some(u64::MAX));
        assert_eq!(bytes(&format!("0.{}Ki", "5".repeat(60))), Some(569));
        let millis = |text| Cpu::parse(text).map(|it| it.millis);
        assert_eq!(millis("100m"), Some(100));
        assert_eq!(millis(".1"), Some(100));
        assert_eq!(millis("2"), Some(2000));
        assert_eq!(millis("1e999"), Some(u64::MAX));
        assert_eq!(millis("1e-999"), Some(1));
        assert_eq!(millis("1e"), None);
    }

    #[test]
    fn durations() {
        let nanos = |text| Duration::parse(text).map(|it| it.nanos);
        assert_eq!(nanos("15s"), Some(15 * NANO));
        assert_eq!(nanos("1m30s"), Some(90 * NANO));
        assert_eq!(nanos("1.5h"), Some(5400 * NANO));
        assert_eq!(nanos("15"), None);
        assert_eq!(nanos("s"), None);
        assert_eq!(nanos("2562047h"), Some(2_562_047 * 3600 * NANO));
        assert_eq!(nanos("2562048h"), None, "Go counts in 64 bits");
        assert_eq!(nanos("0"), Some(0));
        assert_eq!(nanos("-1s"), Some(-NANO));
    }

    #[test]
    fn shares() {
        assert_eq!(IntOrPercent::Percent(25).of(1, false), 0);
        assert_eq!(IntOrPercent::Percent(25).of(1, true), 1);
        assert_eq!(IntOrPercent::share("25%"), Some(IntOrPercent::Percent(25)));
        assert_eq!(["x%", "+5%", "1", "%"].map(IntOrPercent::share), [None; 4]);
    }
}
