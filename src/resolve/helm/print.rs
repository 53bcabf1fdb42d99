//! Values as Go prints them: `{{ . }}`, `printf`, `int`, `toYaml`.

use crate::{
    resolve::gotemplate::GoValue,
    scalar::{self, Dialect, Scalar, Style, Value},
    tree::{Node, Reason},
};

/// The value as `toYaml` writes it and every reader reads it: what Helm makes of values is JSON.
pub(super) fn typed(node: &Node) -> Node {
    node.rewrite_scalars(|scalar| {
        Some(match scalar::sigs(scalar) {
            Value::Null => Scalar::null().into(),
            Value::Bool(it) => it.into(),
            Value::Int(it) => Scalar::plain(it.to_string()).into(),
            Value::Float(it) => Scalar::plain(scalar::json_float(it)).into(),
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

/// The same, where null is `<nil>` as in a list.
fn inner_text(node: &Node) -> Result<String, Reason> {
    let printed = GoValue::of(node).printed(true);
    match printed.unknown_part() {
        Some(why) => Err(why.clone()),
        None => Ok(printed.as_str().to_owned()),
    }
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
