//! `urlParse` and `urlJoin`: Go's `net/url`, for what is plain in it; anything else is unknown.

use super::{Evaluated, FunctionCall, GoData, GoMap, GoValue};

/// The parts of a URL, as Sprig names them.
#[derive(Debug, Default)]
struct GoUrl {
    scheme: String,
    opaque: String,
    userinfo: Option<String>,
    host: String,
    path: String,
    query: String,
    fragment: String,
}

/// Whether it stands for itself in every part of a URL.
fn is_plain(it: char) -> bool {
    it.is_ascii_alphanumeric() || "-_.~$&+,:;=@!*'()".contains(it)
}

impl GoUrl {
    /// `url.Parse`; nothing of what is escaped, or of what may be refused.
    fn read(text: &str) -> Option<Self> {
        let mut url = Self::default();
        let rest = match text.split_once('#') {
            Some((rest, fragment)) => {
                fragment.clone_into(&mut url.fragment);
                rest
            }
            None => text,
        };
        let is_scheme = |it: &str| {
            it.starts_with(|it: char| it.is_ascii_alphabetic())
                && it.chars().all(|it| it.is_ascii_alphanumeric() || "+-.".contains(it))
        };
        let rest = match rest.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => {
                url.scheme = scheme.to_lowercase();
                rest
            }
            // What has a colon in its first part, and no scheme, is none.
            Some((first, _)) if !first.contains(['/', '?']) => return None,
            _ => rest,
        };
        let rest = match rest.split_once('?') {
            Some((rest, query)) => {
                query.clone_into(&mut url.query);
                rest
            }
            None => rest,
        };
        if !url.scheme.is_empty() && !rest.starts_with('/') {
            rest.clone_into(&mut url.opaque);
            return url.checked();
        }
        if url.scheme.is_empty() && rest.starts_with("///") {
            return None;
        }
        let Some(after) = rest.strip_prefix("//") else {
            rest.clone_into(&mut url.path);
            return url.checked();
        };
        let (authority, path) = after.split_at(after.find('/').unwrap_or(after.len()));
        path.clone_into(&mut url.path);
        url.host = match authority.rsplit_once('@') {
            Some((user, host)) => {
                url.userinfo = Some(user.to_owned());
                host.to_owned()
            }
            None => authority.to_owned(),
        };
        let (name, port) = split_host(&url.host)?;
        let is_name = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
        let is_address = |it: char| it.is_ascii_hexdigit() || matches!(it, ':' | '.');
        let is_host = match name.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            Some(address) => address.chars().all(is_address),
            None => name.chars().all(is_name),
        };
        let is_port = port.is_none_or(|it| it.bytes().all(|it| it.is_ascii_digit()));
        let is_user =
            |it: &String| it.chars().all(|it| it.is_ascii_alphanumeric() || "-_.~:".contains(it));
        let is_plain = is_host && is_port && url.userinfo.iter().all(is_user);
        if is_plain { url.checked() } else { None }
    }

    /// It, where each part of it is written as it is.
    fn checked(self) -> Option<Self> {
        let path = self.path.chars().chain(self.opaque.chars()).all(|it| is_plain(it) || it == '/');
        let rest = self.query.chars().chain(self.fragment.chars());
        (path && rest.into_iter().all(|it| is_plain(it) || "/?".contains(it))).then_some(self)
    }

    fn printed(&self) -> String {
        let mut text = String::new();
        if !self.scheme.is_empty() {
            text += &format!("{}:", self.scheme);
        }
        if self.opaque.is_empty() {
            let user = self.userinfo.as_ref().map(|it| format!("{it}@")).unwrap_or_default();
            if !self.scheme.is_empty() || !self.host.is_empty() || !user.is_empty() {
                // A path alone follows a scheme without them.
                if !self.host.is_empty() || !self.path.is_empty() || !user.is_empty() {
                    text += "//";
                }
                text += &(user + &self.host);
            }
            if !self.path.is_empty() && !self.path.starts_with('/') && !self.host.is_empty() {
                text.push('/');
            }
            text += &self.path;
        } else {
            text += &self.opaque;
        }
        if !self.query.is_empty() {
            text += &format!("?{}", self.query);
        }
        if !self.fragment.is_empty() {
            text += &format!("#{}", self.fragment);
        }
        text
    }
}

/// A host and its port; nothing where brackets are not closed.
fn split_host(host: &str) -> Option<(&str, Option<&str>)> {
    let after = host.rfind(']').map_or(0, |at| at + 1);
    match host[after..].rfind(':') {
        Some(at) => Some((&host[..after + at], Some(&host[after + at + 1..]))),
        None if host.starts_with('[') && after == 0 => None,
        None => Some((host, None)),
    }
}

fn odd(call: &FunctionCall<'_>) -> GoValue {
    GoValue::unknown("this form of a URL is not evaluated", call.at)
}

pub(super) fn parsed(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let Some(url) = GoUrl::read(call.str(0)?) else { return Ok(odd(call)) };
    let name = split_host(&url.host).map_or("", |it| it.0);
    let mut map = GoMap::default();
    for (key, part) in [
        ("scheme", &*url.scheme),
        ("host", &url.host),
        ("hostname", name.trim_start_matches('[').trim_end_matches(']')),
        ("path", &url.path),
        ("query", &url.query),
        ("opaque", &url.opaque),
        ("fragment", &url.fragment),
        ("userinfo", url.userinfo.as_deref().unwrap_or_default()),
    ] {
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
    let url = || {
        Some(GoUrl {
            scheme: part("scheme")?,
            opaque: part("opaque")?,
            userinfo: Some(part("userinfo")?).filter(|it| !it.is_empty()),
            host: part("host")?,
            path: part("path")?,
            query: part("query")?,
            fragment: part("fragment")?,
        })
    };
    // What is read as the same has nothing that is escaped; a host may have a slash before its path.
    let is_read = |url: &GoUrl, text: &str| {
        let read = GoUrl::read(text)?;
        (read.printed() == text && read.host == url.host && read.path.ends_with(&url.path))
            .then_some(())
    };
    match url().map(|it| (it.printed(), it)).filter(|(text, it)| is_read(it, text).is_some()) {
        Some((text, _)) => call.string(text),
        None => Ok(odd(call)),
    }
}
