//! Functions that encode and decode: YAML, JSON, base64, digests, paths.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};

use super::{Called, Evaluated, FunctionCall, GoData, GoValue, MarkedText};
use crate::{
    resolve::gotemplate::value::GoMap,
    tree::{Node, Origin},
};

/// Those that write what they do not know as such.
pub(super) fn lenient(call: &FunctionCall<'_>) -> Called {
    Some(match (call.name, &call.values[..]) {
        ("toYaml" | "toYamlPretty", [value]) => {
            call.marked(MarkedText::yaml(&value.printed_node()))
        }
        ("fromYaml", [value]) => match &value.data {
            GoData::Text(text) => Ok(from_yaml(call, text, false)),
            _ => return None,
        },
        ("fromYamlArray", [value]) => match &value.data {
            GoData::Text(text) => Ok(from_yaml(call, text, true)),
            _ => return None,
        },
        _ => return None,
    })
}

pub(super) fn strict(call: &FunctionCall<'_>) -> Called {
    let values = &call.values;
    let text = |f: &dyn Fn(&str) -> String| -> Evaluated<GoValue> {
        let text = call.text(0)?;
        call.marked(text.made(f(text.as_str())))
    };
    Some(match (call.name, &values[..]) {
        ("b64enc", [_]) => text(&|it| STANDARD.encode(it)),
        ("b64dec", [_]) => call.str(0).and_then(|it| {
            let decoded = STANDARD.decode(it.replace(['\r', '\n'], "")).ok();
            match decoded.and_then(|it| String::from_utf8(it).ok()) {
                Some(decoded) => call.marked(call.text(0)?.made(decoded)),
                None => Ok(GoValue::unknown("what is no text in base64", &call.origin(0))),
            }
        }),
        ("sha1sum", [_]) => text(&|it| hex(&Sha1::digest(it))),
        ("sha512sum", [_]) => text(&|it| hex(&Sha512::digest(it))),
        ("adler32sum", [_]) => text(&|it| adler32(it).to_string()),
        ("isAbs" | "osIsAbs", [_]) => call.bool(call.str(0).is_ok_and(|it| it.starts_with('/'))),
        ("sha256sum", [_]) => text(&|it| hex(&Sha256::digest(it))),
        ("toJson", [value]) => call.string(json(&value.node(), true)),
        ("toRawJson", [value]) => call.string(json(&value.node(), false)),
        ("toPrettyJson", [value]) => {
            let json = value.node().to_json();
            let pretty = serde_json::to_string_pretty(&sorted(json)).unwrap_or_default();
            call.string(escaped(&pretty))
        }
        ("fromJson" | "mustFromJson" | "fromJsonArray", [_]) => match call.text(0) {
            Ok(text) if serde_json::from_str::<serde::de::IgnoredAny>(text.as_str()).is_err() => {
                match call.name {
                    "mustFromJson" => call.fail("this is no JSON"),
                    _ => Ok(from_failed(
                        "this is no JSON",
                        call.name == "fromJsonArray",
                        &call.origin(0),
                    )),
                }
            }
            Ok(text) => Ok(from_yaml(call, text, call.name == "fromJsonArray")),
            Err(error) => Err(error),
        },
        ("base" | "osBase", [_]) => call.text(0).and_then(|path| {
            let trimmed = path.as_str().trim_end_matches('/');
            match trimmed.rsplit('/').next() {
                Some("") if path.len() > 0 => call.string("/"),
                Some("") | None => call.string("."),
                Some(name) => call.marked(path.part_of(name)),
            }
        }),
        ("dir" | "osDir", [_]) => {
            call.str(0).and_then(|it| call.string(clean(it.rfind('/').map_or("", |at| &it[..=at]))))
        }
        ("clean" | "osClean", [_]) => call.str(0).and_then(|it| call.string(clean(it))),
        ("ext" | "osExt", [_]) => call.str(0).and_then(|path| {
            let name = path.rsplit('/').next().unwrap_or_default();
            call.string(name.rfind('.').map_or("", |at| &name[at..]))
        }),
        ("html", _) => {
            let printed = super::texts::print(values);
            let html = printed.as_str().replace('&', "&amp;").replace('<', "&lt;");
            let html = html.replace('>', "&gt;").replace('"', "&#34;").replace('\'', "&#39;");
            call.marked(printed.made(html))
        }
        ("urlquery", _) => {
            let printed = super::texts::print(values);
            let bytes = printed.as_str().bytes();
            let query = bytes
                .map(|byte| match byte {
                    b' ' => "+".to_owned(),
                    it if it.is_ascii_alphanumeric() || b"-_.~".contains(&it) => {
                        char::from(it).into()
                    }
                    it => format!("%{it:02X}"),
                })
                .collect();
            call.marked(printed.made(query))
        }
        _ => return None,
    })
}

/// `path.Clean`: the shortest path that leads to the same.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|it| *it != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    let cleaned = parts.join("/");
    match (rooted, cleaned.is_empty()) {
        (true, _) => format!("/{cleaned}"),
        (false, true) => ".".to_owned(),
        (false, false) => cleaned,
    }
}

/// RFC 1950
fn adler32(text: &str) -> u32 {
    let (a, b) = text.bytes().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    (b << 16) | a
}

/// Bytes in hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// What the text of YAML or JSON holds; as Helm has it, a map that says what is wrong with it.
fn from_yaml(call: &FunctionCall<'_>, text: &MarkedText, list: bool) -> GoValue {
    let origin = text.origin_of(0..text.len()).unwrap_or_else(|| call.at.clone());
    let documents = text.documents();
    let empty = || match list {
        true => GoValue::list(Vec::new(), &origin),
        false => GoValue::map(GoMap::default(), &origin),
    };
    let Some(first) = documents.into_iter().next() else {
        return match text.unknown_part() {
            Some(why) => GoValue::unknown(why.clone(), &origin),
            None => empty(),
        };
    };
    if let Some(why) = first.perhaps {
        return GoValue::unknown(why, &origin);
    }
    let failed = |message: &str| match text.unknown_part() {
        Some(why) => GoValue::unknown(why.clone(), &origin),
        None => from_failed(message, list, &origin),
    };
    match first.root {
        Ok(node) if node.unknown().is_some() => GoValue::of(&node),
        Ok(node) if node.as_list().is_some() == list && (list || node.as_map().is_some()) => {
            GoValue::of(&node)
        }
        // Sprig's takes any value.
        Ok(node) if call.name == "mustFromJson" => GoValue::of(&node),
        Ok(_) => failed("it is of another type"),
        Err((error, _)) => failed(&error.message),
    }
}

/// What Helm makes of a text that it cannot read.
fn from_failed(message: &str, list: bool, origin: &Origin) -> GoValue {
    let message = GoValue::string(message, origin);
    if list {
        return GoValue::list(vec![message], origin);
    }
    let mut map = GoMap::default();
    map.set("Error", message);
    GoValue::map(map, origin)
}

/// Go's JSON: keys sorted, and what HTML would read as its own escaped.
fn json(node: &Node, html: bool) -> String {
    let text = serde_json::to_string(&sorted(node.to_json())).unwrap_or_default();
    if html { escaped(&text) } else { text }
}

fn escaped(json: &str) -> String {
    let json = json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    json.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

fn sorted(json: serde_json::Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match json {
        Json::Object(map) => {
            let mut entries: Vec<_> = map.into_iter().map(|(key, it)| (key, sorted(it))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            entries.into_iter().collect()
        }
        Json::Array(items) => items.into_iter().map(sorted).collect(),
        other => other,
    }
}
