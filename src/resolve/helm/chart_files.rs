//! `.Files`: what else lies in a chart, as `pkg/engine/files.go` of Helm shows it to templates.

use std::{cell::RefCell, collections::BTreeMap, iter::Peekable, rc::Rc, str::Chars, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use regex::Regex;

use crate::{
    resolve::{
        gotemplate::{GoData, GoMap, GoObject, GoValue, MarkedText},
        helm::{package::Package, parsed::text_of},
    },
    source::Sources,
    tree::{Origin, Reason, Via},
};

/// The files of a chart that are no templates, or some of them.
#[derive(Debug, Default)]
pub(super) struct ChartFiles {
    files: Vec<ChartFile>,
    /// Those of the patterns that were asked for, which loops do over and over.
    matching: RefCell<BTreeMap<String, Rc<Self>>>,
}

#[derive(Debug, Clone)]
struct ChartFile {
    name: Arc<str>,
    text: Result<MarkedText, Reason>,
    bytes: Result<Arc<[u8]>, Reason>,
    at: Origin,
}

/// The files that so many patterns match are kept.
const MOST_PATTERNS: usize = 64;

impl ChartFiles {
    pub(super) fn of(sources: &Sources, package: &Package) -> Self {
        let files = package.files.iter().map(|it| ChartFile {
            name: it.name.as_str().into(),
            text: text_of(sources, it),
            bytes: it.bytes(sources),
            at: it.place(),
        });
        Self { files: files.collect(), ..Self::default() }
    }

    fn get(&self, name: &str) -> GoValue {
        match self.files.iter().find(|it| &*it.name == name) {
            Some(file) => file.value(),
            None => GoValue::string("", &nowhere()),
        }
    }

    fn matching(&self, pattern: &str) -> Rc<Self> {
        if let Some(files) = self.matching.borrow().get(pattern) {
            return Rc::clone(files);
        }
        // A pattern that is none matches everything.
        let glob = glob(pattern).and_then(|it| Regex::new(&it).ok());
        let matches = |it: &&ChartFile| glob.as_ref().is_none_or(|glob| glob.is_match(&it.name));
        let files = self.files.iter().filter(matches).cloned().collect();
        let files = Rc::new(Self { files, ..Self::default() });
        let mut known = self.matching.borrow_mut();
        if known.len() < MOST_PATTERNS {
            known.insert(pattern.to_owned(), Rc::clone(&files));
        }
        files
    }

    /// The files by their names without their directories.
    fn by_name(&self, value: impl Fn(&ChartFile) -> GoValue) -> GoValue {
        let mut map = GoMap::default();
        for file in &self.files {
            map.set(file.name.rsplit('/').next().unwrap_or_default(), value(file));
        }
        let at = self.files.first().map_or_else(nowhere, |it| it.at.clone());
        let text = MarkedText::yaml(&GoValue::map(map, &at).node());
        GoValue::text(if self.files.is_empty() { MarkedText::value("{}", &at) } else { text }, &at)
    }
}

/// A pattern as `github.com/gobwas/glob` reads it with `/` for a separator, as a regular expression;
/// nothing where it is none (`syntax/lexer/lexer.go`, `syntax/ast/parser.go`).
fn glob(pattern: &str) -> Option<String> {
    let (mut regex, mut depth) = ("(?s)^".to_owned(), 0);
    let mut chars = pattern.chars().peekable();
    while let Some(it) = chars.next() {
        match it {
            '*' if chars.next_if_eq(&'*').is_some() => regex.push_str(".*"),
            '*' => regex.push_str("[^/]*"),
            '?' => regex.push_str("[^/]"),
            '[' => regex.push_str(&characters(&mut chars)?),
            '{' => {
                depth += 1;
                regex.push_str("(?:");
            }
            ',' if depth > 0 => regex.push('|'),
            '}' if depth > 0 => {
                depth -= 1;
                regex.push(')');
            }
            '\\' => regex.extend(chars.next().map(|it| regex::escape(&it.to_string()))),
            it => regex.push_str(&regex::escape(&it.to_string())),
        }
    }
    // What is not closed ends with the pattern.
    Some(regex + &")".repeat(depth) + "$")
}

/// What stands in brackets: one range, or characters. Either may match a separator.
fn characters(chars: &mut Peekable<Chars<'_>>) -> Option<String> {
    let not = if chars.next_if_eq(&'!').is_some() { "^" } else { "" };
    let escaped = |it: char| regex::escape(&it.to_string());
    let (mut all, mut first) = (String::new(), true);
    loop {
        let mut it = chars.next()?;
        if it == ']' {
            return (!all.is_empty()).then(|| format!("[{not}{all}]"));
        }
        if first && chars.next_if_eq(&'-').is_some() {
            let high = chars.next().filter(|high| it <= *high)?;
            chars.next_if_eq(&']')?;
            return Some(format!("[{not}{}-{}]", escaped(it), escaped(high)));
        }
        if it == '\\' {
            it = chars.next()?;
        }
        all.push_str(&escaped(it));
        first = false;
    }
}

/// The text that a method is given, if it is given anything.
///
/// # Errors
/// What it gives where that is not known, and nothing where it is something else.
pub(super) fn asked(arguments: &[GoValue]) -> Result<Option<&str>, Option<GoValue>> {
    let [asked] = arguments else { return if arguments.is_empty() { Ok(None) } else { Err(None) } };
    let unknown = |why: &Reason| Err(Some(GoValue::unknown(why.clone(), &asked.origin)));
    match &asked.data {
        GoData::Text(text) => match text.unknown_part() {
            Some(why) => unknown(why),
            None => Ok(Some(text.as_str())),
        },
        GoData::Unknown(why) => unknown(why),
        _ => Err(None),
    }
}

impl ChartFile {
    fn value(&self) -> GoValue {
        match &self.text {
            Ok(text) => GoValue::text(text.clone(), &self.at),
            Err(why) => GoValue::unknown(why.clone(), &self.at),
        }
    }

    fn encoded(&self) -> GoValue {
        match &self.bytes {
            Ok(bytes) => GoValue::string(STANDARD.encode(bytes), &self.at),
            Err(why) => GoValue::unknown(why.clone(), &self.at),
        }
    }
}

impl GoObject for ChartFiles {
    fn type_and_kind(&self) -> (&'static str, &'static str) {
        ("engine.files", "map")
    }

    fn field(&self, name: &str, arguments: &[GoValue]) -> Option<GoValue> {
        let object = |files: Rc<Self>| {
            let at = files.files.first().map_or_else(nowhere, |it| it.at.clone());
            GoValue::new(GoData::Object(files), &at)
        };
        let asked = match asked(arguments) {
            Ok(asked) => asked,
            Err(value) => return value,
        };
        Some(match (name, asked) {
            ("Get" | "GetBytes", Some(name)) => self.get(name),
            ("Glob", Some(pattern)) => object(self.matching(pattern)),
            ("Lines", Some(name)) => {
                let value = self.get(name);
                let GoData::Text(text) = &value.data else { return Some(value) };
                let whole = text.as_str();
                let lines = match whole.strip_suffix('\n').unwrap_or(whole) {
                    "" if whole.is_empty() => Vec::new(),
                    all => text.part_of(all).split("\n"),
                };
                let lines = lines.into_iter().map(|it| GoValue::text(it, &value.origin));
                GoValue::list(lines.collect(), &value.origin)
            }
            ("AsConfig", None) => self.by_name(ChartFile::value),
            ("AsSecrets", None) => self.by_name(ChartFile::encoded),
            (name, None) => self.entries()?.into_iter().find(|(it, _)| **it == *name)?.1,
            _ => return None,
        })
    }

    fn entries(&self) -> Option<Vec<(Arc<str>, GoValue)>> {
        Some(self.files.iter().map(|it| (it.name.clone(), it.value())).collect())
    }
}

fn nowhere() -> Origin {
    Origin::at(Via::Written, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_gobwas() {
        let matches = |pattern: &str, name: &str| {
            let glob = glob(pattern).map(|it| Regex::new(&it).expect("it is one"));
            glob.is_none_or(|it| it.is_match(name))
        };
        for (pattern, yes, no) in [
            ("f***", "f/d/a.yaml", "g/f"),
            ("f**", "f/d/a.yaml", "g/f"),
            ("*", "a.txt", "f/a.txt"),
            ("f/**/*", "f/d/a.yaml", "f/a.yaml"),
            ("f?c.yml", "f-c.yml", "f/c.yml"),
            ("f[!a]c.yml", "f/c.yml", "fac.yml"),
            ("[a-c]b", "ab", "-b"),
            ("a[^x]b", "a^b", "ayb"),
            ("{f/d/*.yaml,*.md}", "f/d/a.yaml", "f/a.md"),
            ("a{,-}b", "ab", "a,b"),
            ("a,b}", "a,b}", "a"),
            (r"x\{y\}", "x{y}", "xy"),
            ("{ab", "ab", "{ab"),
        ] {
            assert!(matches(pattern, yes) && !matches(pattern, no), "{pattern}");
        }
        // What is no pattern matches everything.
        assert!(["[", "[]", "[a-c0]b", "a[b-a]b"].iter().all(|it| matches(it, "x/y")));
    }

    #[test]
    fn a_pattern_is_matched_once() {
        let files = ChartFiles::default();
        assert!(Rc::ptr_eq(&files.matching("f/*"), &files.matching("f/*")));
        assert!(!Rc::ptr_eq(&files.matching("f/*"), &files.matching("g/*")));
    }
}
