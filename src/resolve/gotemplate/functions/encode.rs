//! Functions that encode and decode: YAML, JSON, base64, digests, paths.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};

use super::{Called, Evaluated, FunctionCall, GoData, GoValue, MarkedText};
use crate::{resolve::gotemplate::value::GoMap, tree::Node};

/// Those that write what they do not know as such.
pub(super) fn lenient(call: &FunctionCall<'_>) -> Called {
    Some(match (call.name, &call.values[..]) {
        ("toYaml" | "mustToYaml" | "toYamlPretty", [value]) => {
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
        ("b64dec", [_]) => text(&|it| match STANDARD.decode(it) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => error.to_string(),
        }),
        ("sha1sum", [_]) => text(&|it| hex(&Sha1::digest(it))),
        ("sha512sum", [_]) => text(&|it| hex(&Sha512::digest(it))),
        ("adler32sum", [_]) => text(&|it| adler32(it).to_string()),
        ("sha256sum", [_]) => text(&|it| hex(&Sha256::digest(it))),
        ("toJson" | "mustToJson", [value]) => call.string(json(&value.node(), true)),
        ("toRawJson" | "mustToRawJson", [value]) => call.string(json(&value.node(), false)),
        ("toPrettyJson" | "mustToPrettyJson", [value]) => {
            let json = value.node().to_json();
            let pretty = serde_json::to_string_pretty(&sorted(json)).unwrap_or_default();
            call.string(escaped(&pretty))
        }
        ("fromJson" | "mustFromJson" | "fromJsonArray", [_]) => match call.text(0) {
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
        ("dir" | "osDir", [_]) => call.str(0).and_then(|path| {
            call.string(match path.rsplit_once('/') {
                Some(("", _)) => "/",
                Some((dir, _)) => dir,
                None => ".",
            })
        }),
        ("clean" | "osClean", [_]) => call.str(0).and_then(|path| call.string(clean(path))),
        ("ext" | "osExt", [_]) => call.str(0).and_then(|path| {
            let name = path.rsplit('/').next().unwrap_or_default();
            call.string(name.rfind('.').map_or("", |at| &name[at..]))
        }),
        ("urlquery", [_]) => text(&|it| {
            it.bytes()
                .map(|byte| match byte {
                    b' ' => "+".to_owned(),
                    it if it.is_ascii_alphanumeric() || b"-_.~".contains(&it) => {
                        char::from(it).into()
                    }
                    it => format!("%{it:02X}"),
                })
                .collect()
        }),
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
    let failed = |message: String| match (list, text.unknown_part()) {
        (_, Some(why)) => GoValue::unknown(why.clone(), &origin),
        (true, None) => GoValue::list(vec![GoValue::string(message, &origin)], &origin),
        (false, None) => {
            let mut map = GoMap::default();
            map.set("Error", GoValue::string(message, &origin));
            GoValue::map(map, &origin)
        }
    };
    match first.root {
        Ok(node) if node.unknown().is_some() => GoValue::of(&node),
        Ok(node) if node.as_list().is_some() == list && (list || node.as_map().is_some()) => {
            GoValue::of(&node)
        }
        // `fromJson` and Sprig's take any value.
        Ok(node) if call.name.ends_with("Json") => GoValue::of(&node),
        Ok(_) => failed("it is of another type".to_owned()),
        Err((error, _)) => failed(error.message),
    }
}

/// Go's JSON: keys sorted, and what HTML would read as its own escaped.
fn json(node: &Node, html: bool) -> String {
    let text = serde_json::to_string(&sorted(node.to_json())).unwrap_or_default();
    if html { escaped(&text) } else { text }
}

fn escaped(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
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
