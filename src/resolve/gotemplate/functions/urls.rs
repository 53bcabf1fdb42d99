//! `urlParse` and `urlJoin`: Go's `net/url`, for `scheme://host/path?query#fragment` in which nothing is
//! escaped; anything else is unknown.

use super::{Evaluated, FunctionCall, GoData, GoMap, GoValue};

/// The parts of a URL, as Sprig names them: those that may stand in it, and then those that do not.
const PARTS: [&str; 8] =
    ["scheme", "host", "path", "query", "fragment", "hostname", "opaque", "userinfo"];

/// Whether it stands for itself in every part of a URL.
fn is_plain(it: char) -> bool {
    it.is_ascii_alphanumeric() || "-_.~$&+,:;=@!*'()/".contains(it)
}

/// What `url.Parse` reads: the parts that may stand in it.
fn read(text: &str) -> Option<[&str; 5]> {
    let (scheme, rest) = text.split_once("://")?;
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (name, port) = host.split_once(':').unwrap_or((host, "0"));
    let is_port = port.bytes().all(|it| it.is_ascii_digit());
    let is_scheme = scheme.starts_with(|it: char| it.is_ascii_lowercase())
        && scheme.chars().all(|it| matches!(it, 'a'..='z' | '0'..='9' | '+' | '-' | '.'));
    let is_host = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
    let is_named = !name.is_empty() && name.chars().all(is_host) && is_port;
    let is_rest = |it: char| is_plain(it) || it == '?';
    let parts = [scheme, host, path, query, fragment];
    let is_all = is_scheme
        && is_named
        && path.chars().all(is_plain)
        && query.chars().chain(fragment.chars()).all(is_rest);
    // A mark without what follows is lost.
    (is_all && printed(parts) == text).then_some(parts)
}

fn printed([scheme, host, path, query, fragment]: [&str; 5]) -> String {
    let marked = |mark: &str, part: &str| match part.is_empty() {
        true => String::new(),
        false => format!("{mark}{part}"),
    };
    format!("{scheme}://{host}{path}{}{}", marked("?", query), marked("#", fragment))
}

fn odd(call: &FunctionCall<'_>) -> GoValue {
    GoValue::unknown("this form of a URL is not evaluated", call.at)
}

pub(super) fn parsed(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let Some(parts) = read(call.str(0)?) else { return Ok(odd(call)) };
    let name = parts[1].split(':').next().unwrap_or_default();
    let mut map = GoMap::default();
    for (key, part) in PARTS.into_iter().zip(parts.into_iter().chain([name, "", ""])) {
        map.set(key, GoValue::string(part, &call.source()));
    }
    Ok(GoValue::map(map, &call.source()))
}

pub(super) fn joined(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let GoData::Map(map) = &call.value(0)?.data else { return Ok(odd(call)) };
    let map = map.borrow();
    let part = |key: &str| match map.entries.get(key).map(|it| &it.1.data) {
        None => Some(String::new()),
        Some(GoData::Text(text)) => Some(text.as_str().to_owned()),
        // What is no text is refused.
        Some(_) => None,
    };
    let [Some(scheme), Some(host), Some(path), Some(query), Some(fragment), Some(_), opaque, user] =
        PARTS.map(part)
    else {
        return Ok(odd(call));
    };
    if ![opaque, user].iter().all(|it| it.as_deref() == Some("")) {
        return Ok(odd(call));
    }
    let slash = if path.is_empty() || path.starts_with('/') { "" } else { "/" };
    let path = format!("{slash}{path}");
    let parts = [&*scheme, &host, &path, &query, &fragment];
    // What is read as the same has nothing that is escaped.
    match printed(parts) {
        text if read(&text) == Some(parts) => call.string(text),
        _ => Ok(odd(call)),
    }
}
