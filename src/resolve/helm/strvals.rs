//! Helm's notation for single values, `a.b[0]=x,c={1,2}`: `--set`, Flux's `targetPath`, Argo CD's
//! parameters. As `pkg/strvals/parser.go` of Helm reads it.

use std::{str::Chars, sync::Arc};

use serde_json::Value as Json;

use crate::{
    data::charts,
    scalar::Scalar,
    tree::{Entry, Kind, MAX_DEPTH, Map, Node, Origin, Via},
};

/// Helm allows no greater index.
const MAX_INDEX: usize = 65_536;

/// How many nulls are put before an item: no list that people write has them, and each may ask for more.
const MAX_GAP: usize = 1_000;

/// Helm allows no more keys in one another.
const MAX_KEYS: usize = 30;

/// One value and where it goes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Assignment {
    /// From the outside to the inside; never empty.
    pub path: Vec<KeyStep>,
    /// A scalar, or a list of scalars.
    pub value: Node,
}

/// A part of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyStep {
    /// A key of a mapping.
    Key(String),
    /// An index of a list.
    Index(usize),
}

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notation {
    /// As for `--set`.
    Typed,
    /// As for `--set-string`: no value is anything but text.
    Strings,
    /// As for `--set-json`.
    Json,
    /// As for `--set-literal`: all behind the first `=`.
    Literal,
}

impl Notation {
    /// That of `--set-string` where it is for `strings`, else of `--set`.
    pub(crate) fn of(strings: bool) -> Self {
        if strings { Self::Strings } else { Self::Typed }
    }
}

/// Sets in `values`, a mapping, what `text` says; every value is written at `origin`.
///
/// # Errors
/// What Helm refuses: text that is not in the notation, or a path through a value of another kind.
pub(crate) fn set(
    values: &mut Node,
    text: &str,
    notation: Notation,
    origin: &Origin,
) -> Result<(), String> {
    for assignment in parse(text, notation, origin)? {
        assign(values, &assignment.path, assignment.value)?;
    }
    Ok(())
}

/// The assignments of `text`, in order.
///
/// # Errors
/// What is wrong, in words.
pub(crate) fn parse(
    text: &str,
    notation: Notation,
    origin: &Origin,
) -> Result<Vec<Assignment>, String> {
    let mut reader = Reader { rest: text.chars(), notation, origin };
    let mut assignments = Vec::new();
    while let Some(assignment) = reader.assignment()? {
        let is_empty = |it: &KeyStep| matches!(it, KeyStep::Key(key) if key.is_empty());
        match &assignment.path[..] {
            // What has no name is read, and then dropped.
            [first, rest @ ..] if is_empty(first) => {
                if rest.iter().any(is_empty) {
                    return Err("a name in its path is empty".to_owned());
                }
            }
            _ => assignments.push(assignment),
        }
    }
    Ok(assignments)
}

/// Sets `value` at `path` below `node`.
///
/// What cannot be told is whatever the path goes through, and holds more than is set: a map that is
/// open, or a list with one unknown item before those that are set. Wherever the others really
/// stand, an argument that is set is the one that people see there.
///
/// # Errors
/// Helm refuses a path through something that is no mapping, or no list.
pub(crate) fn assign(node: &mut Node, path: &[KeyStep], value: Node) -> Result<(), String> {
    let Some((step, rest)) = path.split_first() else {
        let old = std::mem::replace(node, value);
        node.origin = node.origin.over(Via::Overridden, &old.origin);
        return Ok(());
    };
    if let Some(why) = node.unknown().cloned() {
        node.kind = match step {
            KeyStep::Key(_) => Map::open(Some(why)).into(),
            KeyStep::Index(_) => vec![Node::unknown_value(why, &node.origin)].into(),
        };
    }
    let (origin, around) = (value.origin.clone(), node.origin.clone());
    match step {
        // It is dropped as well.
        KeyStep::Key(key) if key.is_empty() => Ok(()),
        KeyStep::Key(key) => {
            let Some(map) = node.as_map_mut() else {
                return Err(format!("`{key}` is looked for in something that is no mapping"));
            };
            if let Some(inner) = map.get_mut(key) {
                return assign(inner, rest, value);
            }
            let mut inner = match &map.open {
                _ if rest.is_empty() => value.clone(),
                Some(why) => Node::unknown_value(why.clone(), &around),
                None => empty(rest, &origin),
            };
            if !rest.is_empty() {
                assign(&mut inner, rest, value)?;
                if inner.as_map().is_some_and(|it| it.is_empty() && it.open.is_none()) {
                    return Err(format!("`{key}` has no value"));
                }
            }
            map.insert(key.as_str(), Entry { key: None, value: inner });
            Ok(())
        }
        KeyStep::Index(index) => {
            let others = usize::from(holds_others(node));
            let Some(list) = node.as_list_mut() else {
                return Err(format!("index {index} is looked for in something that is no list"));
            };
            let index = index + others;
            if index.saturating_sub(list.len()) > MAX_GAP {
                let why = format!("index {index} is far behind the end of this list");
                *node = Node::unknown_value(why, &origin);
                return Ok(());
            }
            while list.len() <= index {
                list.push(Node::new(Scalar::null(), origin.clone()));
            }
            let Some(item) = list.get_mut(index) else { return Ok(()) };
            let fits = match rest.first() {
                _ if item.unknown().is_some() => true,
                Some(KeyStep::Key(_)) => item.as_map().is_some(),
                Some(KeyStep::Index(_)) => !item.is_null(),
                None => true,
            };
            if !fits {
                *item = empty(rest, &origin);
            }
            assign(item, rest, value)
        }
    }
}

/// Whether the first item of a list stands for all that were not set: no item that is written
/// stands where its list does.
fn holds_others(list: &Node) -> bool {
    let first = list.items().first();
    first.is_some_and(|it| it.unknown().is_some() && it.origin == list.origin)
}

/// What the first step of `path` can be set in.
fn empty(path: &[KeyStep], origin: &Origin) -> Node {
    let kind = match path.first() {
        Some(KeyStep::Index(_)) => Kind::List(Arc::default()),
        Some(KeyStep::Key(_)) => Map::default().into(),
        None => Scalar::null().into(),
    };
    Node::new(kind, origin.clone())
}

struct Reader<'t> {
    rest: Chars<'t>,
    notation: Notation,
    origin: &'t Origin,
}

impl Reader<'_> {
    /// The next assignment; `None` at the end of the text.
    fn assignment(&mut self) -> Result<Option<Assignment>, String> {
        let (mut path, mut keys) = (Vec::new(), 0);
        loop {
            let (key, end) = match self.notation {
                Notation::Literal => self.until(&['=', '[', '.']),
                _ => self.until(&['=', '[', '.', ',']),
            };
            let Some(end) = end else {
                return if key.is_empty() {
                    Ok(None)
                } else {
                    Err(format!("`{key}` has no value"))
                };
            };
            if end == ',' {
                return Err(format!("`{key}` has no value"));
            }
            path.push(KeyStep::Key(key));
            keys += 1;
            if keys > MAX_KEYS {
                return Err("the name is nested too deeply".to_owned());
            }
            let mut end = end;
            while end == '[' {
                // A bracket that is not closed ends the text.
                let Some(index) = self.index()? else { return Ok(None) };
                path.push(index);
                let (more, next) = self.until(&['[', '.', '=']);
                if !more.is_empty() {
                    return Err(format!("`{more}` follows an index"));
                }
                let Some(next) = next else { return Ok(None) };
                end = next;
            }
            if end == '=' {
                let mut value = self.value()?;
                if path.len() > MAX_DEPTH {
                    // Helm counts the keys, but no indexes.
                    path.truncate(MAX_DEPTH);
                    value = Node::unknown_value("it is nested too deeply", self.origin);
                }
                return Ok(Some(Assignment { path, value }));
            }
        }
    }

    fn index(&mut self) -> Result<Option<KeyStep>, String> {
        let (text, Some(_)) = self.until(&[']']) else { return Ok(None) };
        let index = text.parse().ok().filter(|it| *it <= MAX_INDEX);
        index.map(|it| Some(KeyStep::Index(it))).ok_or_else(|| format!("`{text}` is no index"))
    }

    /// Whether `mark` is next, which is consumed then.
    fn skips(&mut self, mark: char) -> bool {
        let rest = self.rest.as_str().strip_prefix(mark);
        self.rest = rest.unwrap_or(self.rest.as_str()).chars();
        rest.is_some()
    }

    /// The next JSON value, null where there is none, and the comma behind it.
    fn json(&mut self) -> Result<Node, String> {
        let mut text = self.rest.as_str().trim_start();
        let mut json = Json::Null;
        if !(text.is_empty() || text.starts_with(',')) {
            let is_scalar = |it: char| it.is_ascii_alphanumeric() || matches!(it, '+' | '-' | '.');
            let length = if text.starts_with(is_scalar) {
                text.find(|it| !is_scalar(it)).unwrap_or(text.len())
            } else {
                text.len()
            };
            let mut values = serde_json::Deserializer::from_str(&text[..length]).into_iter();
            json = match values.next() {
                Some(Ok(json)) => json,
                _ => return Err("its value is no JSON".to_owned()),
            };
            text = text[values.byte_offset()..].trim_start();
        }
        self.rest = text.strip_prefix(',').unwrap_or(text).chars();
        Ok(charts::from_json(&json, self.origin))
    }

    fn value(&mut self) -> Result<Node, String> {
        match self.notation {
            Notation::Json => return self.json(),
            Notation::Literal => {
                let text = self.rest.as_str();
                self.rest = "".chars();
                return Ok(self.typed(text));
            }
            Notation::Typed | Notation::Strings => {}
        }
        if !self.skips('{') {
            let (text, _) = self.until(&[',']);
            return Ok(self.typed(&text));
        }
        let mut items = Vec::new();
        loop {
            let (text, end) = self.until(&[',', '}']);
            let Some(end) = end else { return Err("a list must end with `}`".to_owned()) };
            items.push(self.typed(&text));
            if end == '}' {
                self.skips(',');
                return Ok(Node::new(items, self.origin.clone()));
            }
        }
    }

    fn typed(&self, text: &str) -> Node {
        let number = || text.parse::<i64>().ok().filter(|_| text == "0" || !text.starts_with('0'));
        let kind = if self.notation != Notation::Typed {
            Kind::from(text)
        } else if text.eq_ignore_ascii_case("true") {
            true.into()
        } else if text.eq_ignore_ascii_case("false") {
            false.into()
        } else if text.eq_ignore_ascii_case("null") {
            Scalar::null().into()
        } else if let Some(number) = number() {
            number.into()
        } else {
            text.into()
        };
        Node::new(kind, self.origin.clone())
    }

    /// Text up to one of `stops`, which is consumed; a backslash takes the next character as it is.
    fn until(&mut self, stops: &[char]) -> (String, Option<char>) {
        let mut text = String::new();
        while let Some(char) = self.rest.next() {
            if stops.contains(&char) {
                return (text, Some(char));
            }
            if char == '\\' && self.notation != Notation::Literal {
                text.extend(self.rest.next());
            } else {
                text.push(char);
            }
        }
        (text, None)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{source::Span, tests::fixture};

    fn over(base: &Json, text: &str, notation: Notation) -> Result<Json, String> {
        let origin = Origin::at(Via::Written, None);
        let mut values = charts::from_json(base, &origin);
        set(&mut values, text, notation, &origin)?;
        Ok(values.to_json())
    }

    #[test]
    fn as_helm_sets_it() {
        let base = json!({"a": {"b": 1}, "l": [1, {"k": 2}]});
        for (text, expected) in [
            ("a.c=x", json!({"a": {"b": 1, "c": "x"}, "l": [1, {"k": 2}]})),
            ("l[0]=7,l[1].m=true", json!({"a": {"b": 1}, "l": [7, {"k": 2, "m": true}]})),
            ("l={x,2}", json!({"a": {"b": 1}, "l": ["x", 2]})),
            ("n[2]=x", json!({"a": {"b": 1}, "l": [1, {"k": 2}], "n": [null, null, "x"]})),
            (
                "x\\.y/z=007,e=,n=null,o=0,m=-3",
                json!({"a": {"b": 1}, "l": [1, {"k": 2}], "x.y/z": "007", "e": "", "n": null,
                    "o": 0, "m": -3}),
            ),
            ("a=x\\,y", json!({"a": "x,y", "l": [1, {"k": 2}]})),
            ("l[0].k=1", json!({"a": {"b": 1}, "l": [{"k": 1}, {"k": 2}]})),
            ("", base.clone()),
        ] {
            assert_eq!(over(&base, text, Notation::Typed), Ok(expected), "{text}");
        }
        assert_eq!(
            over(&json!({}), "a=true,b=1", Notation::Strings),
            Ok(json!({"a": "true", "b": "1"}))
        );
    }

    #[test]
    fn what_cannot_be_told_is_whatever_the_path_goes_through() {
        let file = fixture("//- a.tf\n").find("a.tf").expect("the file");
        let at = |column| Origin::written(Span::new(file, column..column + 1));
        let mut values = Node::unknown_value("`var.x` is set outside", &at(0));
        for (text, column) in [("args[1]=--b", 1), ("args[0]=--a", 2), ("a.b=1", 3), ("l={x}", 4)] {
            set(&mut values, text, Notation::Typed, &at(column)).expect("no refusal");
        }
        set(&mut values, "a.b.c=1", Notation::Typed, &at(5)).expect_err("text is no mapping");
        let args = values.at("args").expect("it is set");
        let texts: Vec<_> = args.items().iter().map(Node::as_str).collect();
        assert_eq!(texts, [None, Some("--a"), Some("--b")]);
        assert_eq!(args.items()[0].origin, at(0));
        assert!(values.look("a.c").is_err() && values.look("d").is_err());
        assert_eq!(values.at("a.b").map(|it| &it.origin), Some(&at(3)));
        assert_eq!(values.items_at("l").len(), 1, "a list takes the place of all of one");
    }

    #[test]
    fn an_index_far_behind_a_list_makes_no_list() {
        let nowhere = Origin::at(Via::Written, None);
        let mut values = charts::from_json(&json!({"l": [1]}), &nowhere);
        set(&mut values, "l[1000]=x,m[65000]=x", Notation::Typed, &nowhere).expect("no refusal");
        assert_eq!(values.items_at("l").len(), 1_001);
        assert!(values.at("m").is_some_and(|it| it.unknown().is_some()));
    }

    #[test]
    fn indexes_without_number_make_no_tree_of_their_depth() {
        let nowhere = Origin::at(Via::Written, None);
        let text = |count| format!("a{}.b=x", "[0]".repeat(count));
        let mut values = charts::from_json(&json!({}), &nowhere);
        set(&mut values, &text(40), Notation::Typed, &nowhere).expect("Helm counts keys only");
        assert_eq!(values.walk().last().and_then(Node::as_str), Some("x"));
        let mut values = charts::from_json(&json!({}), &nowhere);
        for _ in 0..2 {
            set(&mut values, &text(100_000), Notation::Typed, &nowhere).expect("no refusal");
        }
        assert!(values.depth() <= MAX_DEPTH + 2);
        assert!(values.walk().last().is_some_and(|it| it.unknown().is_some()));
    }

    #[test]
    fn json_and_literals_are_read_as_helm_reads_them() {
        let set = |text: &str, notation| over(&json!({}), text, notation);
        for (text, expected) in [
            (
                "a={\"b\":[1,null]},c= \"x,y\" ,d=1",
                json!({"a": {"b": [1, null]}, "c": "x,y", "d": 1}),
            ),
            ("a=,b=true", json!({"a": null, "b": true})),
            ("a[1]=-2.5", json!({"a": [null, -2.5]})),
        ] {
            assert_eq!(set(text, Notation::Json), Ok(expected), "{text}");
        }
        for text in ["a=x", "a=00", "a={b: 1}", "a=1 2", "a={\"b\":1}}", "a='x'", "a"] {
            assert!(set(text, Notation::Json).is_err(), "{text}");
        }
        let literal = json!({"a,b": {"c\\": "{1},d=\\,"}});
        assert_eq!(set("a,b.c\\={1},d=\\,", Notation::Literal), Ok(literal));
    }

    #[test]
    fn names_that_lack_a_part() {
        let base = json!({"a": {"b": 1}});
        for text in ["=1", ".x=1", "a.=1", "a..b=2", "l[=1", "l[0=1"] {
            assert_eq!(over(&base, text, Notation::Typed), Ok(base.clone()), "{text}");
        }
        for text in ["x.=1", "x..b=1", ".=1"] {
            assert!(over(&base, text, Notation::Typed).is_err(), "{text}");
        }
    }

    #[test]
    fn what_helm_refuses() {
        let base = json!({"a": 1});
        let deep = format!("{}x=1", "a.".repeat(40));
        for text in ["a", "b,c=1", "a.b=1", "a[0]=1", "b[x]=1", "b[99999999]=1", "b={1", &deep] {
            assert!(over(&base, text, Notation::Typed).is_err(), "{text}");
        }
    }
}
