//! Values as Go prints them: `{{ . }}`, `printf`, `int`, `toYaml`.

use crate::{
    scalar::{self, Dialect, Scalar, Style, Value},
    tree::{Kind, Node, Reason},
};

/// The value as `toYaml` writes it and every reader reads it: what Helm makes of values is JSON.
pub(super) fn typed(node: &Node) -> Node {
    node.rewrite_scalars(|scalar| {
        Some(match scalar::sigs(scalar) {
            Value::Null => Scalar::null().into(),
            Value::Bool(it) => it.into(),
            Value::Int(it) => Scalar::plain(it.to_string()).into(),
            Value::Float(it) => Scalar::plain(json_float(it)).into(),
            Value::Str(text) => {
                let first = text.bytes().next();
                let dated = first.is_some_and(|it| it.is_ascii_digit());
                let style = match scalar.style {
                    Style::Plain if !dated && scalar.tag.is_none() => Style::Plain,
                    Style::Plain => Style::DoubleQuoted,
                    style => style,
                };
                Scalar { text: scalar.text.clone(), style, tag: None }.into()
            }
        })
    })
}

/// What Go's `fmt` prints for a value at `{{ . }}`: numbers are `float64`, null is nothing.
pub(super) fn go_text(node: &Node) -> Result<String, Reason> {
    if node.is_null() { Ok(String::new()) } else { inner_text(node) }
}

fn inner_text(node: &Node) -> Result<String, Reason> {
    Ok(match &node.kind {
        Kind::Unknown(why) => return Err(why.clone()),
        Kind::List(items) => {
            let items = items.iter().map(inner_text).collect::<Result<Vec<_>, _>>()?;
            format!("[{}]", items.join(" "))
        }
        Kind::Map(map) => {
            if let Some(why) = &map.open {
                return Err(why.clone());
            }
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            let entries = entries
                .into_iter()
                .map(|(key, entry)| Ok(format!("{key}:{}", inner_text(&entry.value)?)))
                .collect::<Result<Vec<_>, Reason>>()?;
            format!("map[{}]", entries.join(" "))
        }
        Kind::Scalar(scalar) => match scalar::sigs(scalar) {
            Value::Null => "<nil>".to_owned(),
            Value::Bool(it) => it.to_string(),
            #[expect(clippy::cast_precision_loss, reason = "Helm reads numbers as float64")]
            Value::Int(it) => go_float(it as f64),
            Value::Float(it) => go_float(it),
            Value::Str(text) => text.to_owned(),
        },
    })
}

/// What `printf "%s"` prints, which is meant for text.
pub(super) fn format_text(node: &Node) -> Result<String, Reason> {
    let printed = inner_text(node)?;
    Ok(match node.value() {
        Some(Value::Null) => "%!s(<nil>)".to_owned(),
        Some(Value::Bool(_)) => format!("%!s(bool={printed})"),
        Some(Value::Int(_) | Value::Float(_)) => format!("%!s(float64={printed})"),
        Some(Value::Str(_)) | None => printed,
    })
}

/// Sprig's `int`: what is no number is zero.
pub(super) fn int(node: &Node) -> Result<i64, Reason> {
    if let Some(why) = node.unknown() {
        return Err(why.clone());
    }
    Ok(match node.value() {
        Some(Value::Bool(it)) => it.into(),
        Some(Value::Int(it)) => i64::try_from(it).unwrap_or(0),
        Some(Value::Float(it)) if it.abs() >= 9_223_372_036_854_775_808.0 => i64::MIN,
        #[expect(clippy::cast_possible_truncation, reason = "as Go converts")]
        Some(Value::Float(it)) => it as i64,
        // Go reads `0x1F` and `1_000` in text, too.
        Some(Value::Str(text)) => match scalar::plain(text, Dialect::Sigs) {
            Value::Int(it) => i64::try_from(it).unwrap_or(0),
            _ => 0,
        },
        Some(Value::Null) | None => 0,
    })
}

/// Go's `%v` of a `float64`: with an exponent from 10⁶ on and below 10⁻⁴.
fn go_float(value: f64) -> String {
    scalar::go_float(value, -4..6)
}

/// A number in Go's JSON: with an exponent from 10²¹ on and below 10⁻⁶.
fn json_float(value: f64) -> String {
    scalar::go_float(value, -6..21)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_as_go_prints_them() {
        for (value, go, json) in [
            (1.0, "1", "1"),
            (10250.0, "10250", "10250"),
            (1_000_000.0, "1e+06", "1000000"),
            (1_234_567.0, "1.234567e+06", "1234567"),
            (0.7, "0.7", "0.7"),
            (0.000_01, "1e-05", "0.00001"),
            (-2.5, "-2.5", "-2.5"),
            (1e21, "1e+21", "1e+21"),
        ] {
            assert_eq!(go_float(value), go);
            assert_eq!(json_float(value), json);
        }
    }
}
