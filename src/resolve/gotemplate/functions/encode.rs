//! Functions that encode and decode: YAML, JSON, base64, digests, paths.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};

use super::{
    Evaluated, FunctionCall, GoData, GoMap, GoValue,
    Look::{Inside, Prints},
    MarkedText, Row,
    Run::{Call, NotEvaluated, Text},
    printf::{hex, print},
    urls,
};
use crate::tree::Origin;

#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Row] = &[
    ("sha1sum", "s", Inside, Text(|it| hex(&Sha1::digest(it)))),
    ("sha256sum", "s", Inside, Text(|it| hex(&Sha256::digest(it)))),
    ("sha512sum", "s", Inside, Text(|it| hex(&Sha512::digest(it)))),
    ("b64enc", "s", Inside, Text(|it| STANDARD.encode(it))),
    ("b64dec", "s", Inside, Call(decoded)),
    ("base osBase", "s", Inside, Call(base)),
    ("clean osClean", "s", Inside, Text(clean)),
    ("dir osDir", "s", Inside, Text(|it| clean(it.rfind('/').map_or("", |at| &it[..=at])))),
    ("ext osExt", "s", Inside, Text(|it| {
        let name = it.rsplit('/').next().unwrap_or_default();
        name.rfind('.').map_or("", |at| &name[at..]).to_owned()
    })),
    ("isAbs osIsAbs", "s", Inside, Call(|it| it.bool(it.str(0)?.starts_with('/')))),
    ("fromJson", "s", Inside, Call(|it| from_json(it, false))),
    ("mustFromJson", "s", Inside, Call(from_any_json)),
    ("fromJsonArray", "s", Inside, Call(|it| from_json(it, true))),
    ("fromYaml", "s", Prints, Call(|it| from_yaml(it, false))),
    ("fromYamlArray", "s", Prints, Call(|it| from_yaml(it, true))),
    ("toJson mustToJson", "a", Inside, Call(|it| it.marked(it.value(0)?.json(true, false)))),
    ("toRawJson mustToRawJson", "a", Inside, Call(|it| it.marked(it.value(0)?.json(false, false)))),
    ("toPrettyJson mustToPrettyJson", "a", Inside, Call(|it| it.marked(it.value(0)?.json(true, true)))),
    ("toYaml mustToYaml toYamlPretty", "a", Prints, Call(to_yaml)),
    ("urlquery", "a*", Inside, Call(in_url)),
    ("adler32sum b32dec b32enc fromToml bcrypt", "s", Inside, NotEvaluated),
    ("genPrivateKey getHostByName", "s", Inside, NotEvaluated),
    ("html js", "a*", Inside, NotEvaluated),
    ("urlJoin", "m", Inside, Call(urls::joined)),
    ("urlParse", "s", Inside, Call(urls::parsed)),
    ("buildCustomCert decryptAES encryptAES htpasswd", "ss", Inside, NotEvaluated),
    ("genCA", "si", Inside, NotEvaluated),
    ("genCAWithKey", "sis", Inside, NotEvaluated),
    ("genSelfSignedCert", "saai", Inside, NotEvaluated),
    ("genSelfSignedCertWithKey genSignedCert", "saaia", Inside, NotEvaluated),
    ("genSignedCertWithKey", "saaias", Inside, NotEvaluated),
    ("derivePassword", "issss", Inside, NotEvaluated),
    ("now uuidv4", "", Inside, NotEvaluated),
    ("randAlpha randAlphaNum randAscii randBytes randNumeric", "i", Inside, NotEvaluated),
    ("randInt", "ii", Inside, NotEvaluated),
    ("ago duration durationRound htmlDate mustToDuration mustToToml toToml unixEpoch", "a", Inside, NotEvaluated),
    ("date dateModify date_modify mustDateModify must_date_modify", "sa", Inside, NotEvaluated),
    ("dateInZone date_in_zone", "sas", Inside, NotEvaluated),
    ("htmlDateInZone", "as", Inside, NotEvaluated),
    ("toDate mustToDate", "ss", Inside, NotEvaluated),
];

fn decoded(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let text = call.text(0)?;
    let decoded = STANDARD.decode(text.as_str().replace(['\r', '\n'], "")).ok();
    match decoded.and_then(|it| String::from_utf8(it).ok()) {
        Some(decoded) => call.marked(text.made(decoded)),
        None => Ok(GoValue::unknown("what is no text in base64", &call.origin(0))),
    }
}

fn base(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let path = call.text(0)?;
    match path.as_str().trim_end_matches('/').rsplit('/').next() {
        Some("") if path.len() > 0 => call.string("/"),
        Some("") | None => call.string("."),
        Some(name) => call.marked(path.part_of(name)),
    }
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

/// `url.QueryEscape`
fn in_url(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let printed = match &call.values[..] {
        [one] => one.printed(false),
        all => print(all),
    };
    let escaped = printed.as_str().bytes().map(|byte| match byte {
        b' ' => "+".to_owned(),
        _ if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) => char::from(byte).into(),
        _ => format!("%{byte:02X}"),
    });
    call.marked(printed.made(escaped.collect()))
}

fn to_yaml(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    call.marked(MarkedText::yaml(&call.value(0)?.printed_node()))
}

fn is_json(text: &str) -> bool {
    // Like Go's, this refuses numbers that are too large.
    serde_json::from_str::<serde_json::Value>(text).is_ok()
}

fn from_json(call: &FunctionCall<'_>, list: bool) -> Evaluated<GoValue> {
    match is_json(call.str(0)?) {
        true => from_yaml(call, list),
        false => Ok(from_failed("this is no JSON", list, &call.origin(0))),
    }
}

/// Sprig's takes any value.
fn from_any_json(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let text = call.text(0)?;
    let document = text.documents().into_iter().next().filter(|_| is_json(text.as_str()));
    match document.and_then(|it| it.root.ok()) {
        Some(root) => Ok(GoValue::of(&root)),
        None => call.fail("this is no JSON"),
    }
}

/// What the text of YAML or JSON holds; as Helm has it, a map that says what is wrong with it.
fn from_yaml(call: &FunctionCall<'_>, list: bool) -> Evaluated<GoValue> {
    let GoData::Text(text) = &call.value(0)?.data else { return Ok(call.value(0)?.clone()) };
    let origin = text.origin_of(0..text.len()).unwrap_or_else(|| call.at.clone());
    let unknown = text.unknown_part().map(|why| GoValue::unknown(why.clone(), &origin));
    let empty = || match list {
        true => GoValue::list(Vec::new(), &origin),
        false => GoValue::map(GoMap::default(), &origin),
    };
    let Some(first) = text.documents().into_iter().next() else {
        return Ok(unknown.unwrap_or_else(empty));
    };
    if let Some(why) = first.perhaps {
        return Ok(GoValue::unknown(why, &origin));
    }
    let failed = |message: &str| unknown.unwrap_or_else(|| from_failed(message, list, &origin));
    Ok(match first.root {
        Ok(node) if node.unknown().is_some() => GoValue::of(&node),
        Ok(node) if node.as_list().is_some() == list && (list || node.as_map().is_some()) => {
            GoValue::of(&node)
        }
        Ok(_) => failed("it is of another type"),
        Err((error, _)) => failed(&error.message),
    })
}

/// What Helm makes of a text that it cannot read; how it says that is not told.
fn from_failed(message: &str, list: bool, origin: &Origin) -> GoValue {
    let message = GoValue::unknown(format!("how Helm says that {message}"), origin);
    if list {
        return GoValue::list(vec![message], origin);
    }
    let mut map = GoMap::default();
    map.set("Error", message);
    GoValue::map(map, origin)
}
