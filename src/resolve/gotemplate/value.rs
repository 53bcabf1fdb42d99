//! Values as Go templates see them: typed, with maps that functions may change.

use std::{cell::RefCell, ops::Deref, rc::Rc, sync::Arc};

use indexmap::IndexMap;

use super::{MissingKey, text::MarkedText};
use crate::{
    emit,
    scalar::{self, Scalar, Value},
    source::Span,
    tree::{Entry, Kind, Map, Node, Origin, Reason},
};

/// What Go prints for a value that is not there; Helm takes it out at the end.
pub(super) const NO_VALUE: &str = "<no value>";

/// A value and where it came from.
#[derive(Debug, Clone)]
pub(crate) struct GoValue {
    pub data: GoData,
    pub origin: Origin,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(crate) enum GoData {
    /// `nil`, and what is not there.
    Nil,
    Bool(bool),
    /// `int`: what templates count.
    Int(i64),
    /// `int64`: what Sprig counts.
    Int64(i64),
    /// `float64`: every number of YAML and JSON.
    Float(f64),
    /// A text, some of which may be unknown.
    Text(Arc<MarkedText>),
    List(Rc<GoList>),
    /// Shared: what `set` changes, everyone sees who has it.
    Map(Rc<RefCell<GoMap>>),
    /// Something with methods: `.Files`, `.Capabilities.APIVersions`.
    Object(Rc<dyn GoObject>),
    /// Nobody can tell.
    Unknown(Reason),
}

/// A list of any values.
#[derive(Debug, Clone, Default)]
pub(crate) struct GoList {
    pub items: Vec<GoValue>,
    /// Whether it is a `[]string`.
    pub of_texts: bool,
    /// Whether they stand in the order of a map's keys, of which Go has none.
    pub is_shuffled: bool,
    /// Whether it is Go's nil of a list, which is null where it is written out.
    pub is_nil: bool,
}

impl Deref for GoList {
    type Target = [GoValue];

    fn deref(&self) -> &[GoValue] {
        &self.items
    }
}

/// A map of any values.
#[derive(Debug, Clone, Default)]
pub(crate) struct GoMap {
    pub entries: IndexMap<Arc<str>, (Option<Span>, GoValue)>,
    /// What took keys away.
    pub removed: Vec<(Arc<str>, Origin)>,
    /// When set, keys that are not present are unknown, not absent.
    pub open: Option<Reason>,
    /// Whether it holds texts alone: then one that is not there is empty.
    pub of_texts: bool,
    /// Whether it is Go's nil of a map: it has no keys, and is null where it is written out.
    pub is_nil: bool,
}

/// A value with methods.
pub(crate) trait GoObject: std::fmt::Debug {
    /// A field, or a method called with `arguments`; nothing when it has none of that name.
    fn field(&self, name: &str, arguments: &[GoValue]) -> Option<GoValue>;

    /// What it prints as.
    fn printed(&self) -> Option<String> {
        None
    }

    /// What `typeOf` and `kindOf` say.
    fn type_and_kind(&self) -> (&'static str, &'static str);

    /// The map that it is, if it is a map of any values that has methods.
    fn map(&self) -> Option<GoValue> {
        None
    }

    /// What stands in it, if it is a map of its own type that has methods, in the order of the keys.
    fn entries(&self) -> Option<Vec<(Arc<str>, GoValue)>> {
        None
    }

    /// What stands in it, if it is a list that has methods.
    fn items(&self) -> Option<Result<Vec<GoValue>, Reason>> {
        None
    }
}

impl dyn GoObject {
    /// Whether it is the same as the list or the map that it is, but for its methods.
    pub(super) fn is_open(&self) -> bool {
        self.items().is_some() || self.map().is_some()
    }
}

impl GoValue {
    pub(crate) fn new(data: GoData, origin: &Origin) -> Self {
        Self { data, origin: origin.clone() }
    }

    pub(crate) fn unknown(why: impl Into<Reason>, origin: &Origin) -> Self {
        Self::new(GoData::Unknown(why.into()), origin)
    }

    pub(crate) fn nil(origin: &Origin) -> Self {
        Self::new(GoData::Nil, origin)
    }

    /// A text that is all from `origin`.
    pub(crate) fn string(text: impl Into<String>, origin: &Origin) -> Self {
        Self::text(MarkedText::value(text, origin), origin)
    }

    /// A text; its own origin counts before `origin`.
    pub(crate) fn text(text: MarkedText, origin: &Origin) -> Self {
        let own = text.origin_of(0..text.len());
        Self { data: GoData::Text(Arc::new(text)), origin: own.unwrap_or_else(|| origin.clone()) }
    }

    pub(crate) fn list(items: Vec<Self>, origin: &Origin) -> Self {
        Self::of_list(GoList { items, ..GoList::default() }, origin)
    }

    pub(super) fn of_list(list: GoList, origin: &Origin) -> Self {
        Self::new(GoData::List(Rc::new(list)), origin)
    }

    /// The same list, in the order of a map's keys.
    pub(super) fn shuffled(self) -> Self {
        match &self.data {
            GoData::List(items) if items.len() > 1 => {
                let list = GoList { is_shuffled: true, ..GoList::clone(items) };
                Self::of_list(list, &self.origin)
            }
            _ => self,
        }
    }

    /// Why nobody can tell in which order its items stand.
    pub(super) fn disorder(&self) -> Option<Reason> {
        let is_shuffled = matches!(&self.data, GoData::List(items) if items.is_shuffled);
        is_shuffled.then(|| "the keys of a map have another order each time".into())
    }

    pub(crate) fn map(map: GoMap, origin: &Origin) -> Self {
        Self::new(GoData::Map(Rc::new(RefCell::new(map))), origin)
    }

    /// What YAML and JSON say: every number is a `float64`.
    pub(crate) fn of(node: &Node) -> Self {
        Self::read(node, false)
    }

    /// The same as go-yaml reads it: whole numbers are `int`.
    pub(crate) fn with_integers(node: &Node) -> Self {
        Self::read(node, true)
    }

    fn read(node: &Node, integers: bool) -> Self {
        let data = match &node.kind {
            Kind::Unknown(why) => GoData::Unknown(why.clone()),
            Kind::List(items) => {
                let items = items.iter().map(|it| Self::read(it, integers)).collect();
                return Self::list(items, &node.origin);
            }
            Kind::Map(map) => {
                let entry = |(key, (_, entry)): (&Arc<str>, (&str, &Entry))| {
                    (key.clone(), (entry.key, Self::read(&entry.value, integers)))
                };
                let entries = map.keys().zip(map.iter()).map(entry).collect();
                let removed = map.all_removed().to_vec();
                let open = map.open.clone();
                let map = GoMap { entries, removed, open, ..GoMap::default() };
                GoData::Map(Rc::new(RefCell::new(map)))
            }
            Kind::Scalar(scalar) => match scalar::sigs(scalar) {
                Value::Null => GoData::Nil,
                Value::Bool(it) => GoData::Bool(it),
                Value::Int(it) => match i64::try_from(it) {
                    Ok(it) if integers => GoData::Int(it),
                    #[expect(clippy::cast_precision_loss, reason = "Helm reads a float64")]
                    _ => GoData::Float(it as f64),
                },
                Value::Float(it) => GoData::Float(it),
                Value::Str(text) => GoData::Text(Arc::new(MarkedText::value(text, &node.origin))),
            },
        };
        Self::new(data, &node.origin)
    }

    /// The value as a tree.
    pub(crate) fn node(&self) -> Node {
        self.tree(false)
    }

    /// The value as a tree to be printed: what an open map lacks is a key of its own.
    pub(crate) fn printed_node(&self) -> Node {
        self.tree(true)
    }

    fn tree(&self, printed: bool) -> Node {
        let kind = match &self.data {
            GoData::Nil => Scalar::null().into(),
            GoData::Bool(it) => (*it).into(),
            GoData::Int(it) | GoData::Int64(it) => (*it).into(),
            GoData::Float(it) => Scalar::plain(scalar::json_float(*it)).into(),
            GoData::Text(text) => match text.unknown_part() {
                Some(why) => Kind::Unknown(why.clone()),
                None => text.as_str().into(),
            },
            GoData::List(list) if list.is_nil => Scalar::null().into(),
            GoData::List(items) => match self.disorder() {
                Some(why) => Kind::Unknown(why),
                None => items.iter().map(|it| it.tree(printed)).collect::<Vec<_>>().into(),
            },
            GoData::Map(map) => {
                let map = map.borrow();
                if map.is_nil {
                    return Node::new(Scalar::null(), self.origin.clone());
                }
                let mut tree = Map::open(map.open.clone().filter(|_| !printed));
                for (key, (place, value)) in &map.entries {
                    let value = value.tree(printed);
                    tree.insert(key.clone(), Entry { key: *place, value });
                }
                for (key, by) in &map.removed {
                    tree.note_removed(key.clone(), by.clone());
                }
                if let Some(why) = map.open.clone().filter(|_| printed) {
                    tree.set(emit::UNKNOWN, Node::unknown_value(why, &self.origin));
                }
                tree.into()
            }
            GoData::Object(object) if object.is_open() => {
                return self.clone().opened().tree(printed);
            }
            GoData::Object(_) => Map::default().into(),
            GoData::Unknown(why) => Kind::Unknown(why.clone()),
        };
        Node::new(kind, self.origin.clone())
    }

    /// Why it, or what stands in it, cannot be told.
    pub(super) fn unknown_part(&self) -> Option<Reason> {
        match &self.data {
            GoData::Unknown(why) => Some(why.clone()),
            GoData::Text(text) => text.unknown_part().cloned(),
            GoData::List(items) => {
                self.disorder().or_else(|| items.iter().find_map(Self::unknown_part))
            }
            GoData::Map(map) => {
                let map = map.borrow();
                map.open.clone().or_else(|| map.entries.values().find_map(|it| it.1.unknown_part()))
            }
            GoData::Object(object) => object.map()?.unknown_part(),
            _ => None,
        }
    }

    pub(crate) fn is_nil(&self) -> bool {
        matches!(self.data, GoData::Nil)
    }

    /// The field `name` of a map, which is looked at `at` that place.
    pub(super) fn field(&self, name: &str, missing: MissingKey, at: &Origin) -> Self {
        match self.key(name) {
            Some(it) if it.is_nil() && missing == MissingKey::Unknown && !self.has(name) => {
                Self::unknown(format!("nothing in the repository gives `{name}`"), at)
            }
            found => found.unwrap_or_else(|| Self::nil(&self.origin)),
        }
    }

    /// Whether a map has `key`.
    pub(crate) fn has(&self, key: &str) -> bool {
        matches!(&self.data, GoData::Map(map) if map.borrow().entries.contains_key(key))
    }

    /// Why it cannot be told what it is, or how many it holds.
    pub(super) fn unknown_outside(&self) -> Option<Reason> {
        match &self.data {
            GoData::List(items) => items.iter().find_map(Self::is_perhaps),
            GoData::Map(map) => map.borrow().open.clone(),
            _ => self.unknown_part(),
        }
    }

    /// The value at `key`; nil where there is none.
    pub(crate) fn key(&self, key: &str) -> Option<Self> {
        let GoData::Map(map) = &self.data else { return None };
        let map = map.borrow();
        if let Some((_, value)) = map.entries.get(key) {
            return Some(value.clone());
        }
        if let Some(why) = &map.open {
            return Some(Self::unknown(why.clone(), &self.origin));
        }
        if map.of_texts {
            return Some(Self::string("", &self.origin));
        }
        let by = map.removed.iter().rev().find(|(name, _)| &**name == key).map(|(_, by)| by);
        Some(Self::nil(by.unwrap_or(&self.origin)))
    }

    /// The value; of an object that is a map or a list, the map or the list; nothing that is known of a
    /// list whose order is not.
    pub(crate) fn opened(self) -> Self {
        if let Some(why) = self.disorder() {
            return Self::unknown(why, &self.origin);
        }
        let GoData::Object(object) = &self.data else { return self };
        match (object.items(), object.map()) {
            (Some(Ok(items)), _) => return Self::list(items, &self.origin),
            (Some(Err(why)), _) => return Self::unknown(why, &self.origin),
            (None, Some(map)) => return map,
            (None, None) => {}
        }
        let Some(entries) = object.entries() else { return self };
        let mut map = GoMap::default();
        for (key, value) in entries {
            map.set(key, value);
        }
        Self::map(map, &self.origin)
    }

    /// Whether a condition holds for it, as `text/template`'s `IsTrue` says.
    ///
    /// # Errors
    /// Nobody can tell, and why.
    pub(super) fn truth(&self) -> Result<bool, Reason> {
        Ok(match &self.data {
            GoData::Nil => false,
            GoData::Bool(it) => *it,
            GoData::Int(it) | GoData::Int64(it) => *it != 0,
            GoData::Float(it) => *it != 0.0,
            GoData::Text(text) => match text.unknown_part() {
                Some(why) if !text.is_surely_something() => return Err(why.clone()),
                _ => text.len() > 0,
            },
            GoData::List(items) => match items.first().and_then(Self::is_perhaps) {
                Some(why) if items.iter().all(|it| it.is_perhaps().is_some()) => return Err(why),
                _ => !items.is_empty(),
            },
            GoData::Map(map) => {
                let map = map.borrow();
                match &map.open {
                    Some(why) if map.entries.is_empty() => return Err(why.clone()),
                    _ => !map.entries.is_empty(),
                }
            }
            GoData::Object(object) => match object.map() {
                Some(map) => return map.truth(),
                None => object.entries().is_none_or(|it| !it.is_empty()),
            },
            GoData::Unknown(why) => return Err(why.clone()),
        })
    }

    /// Why it may not be there at all, of an item of a list.
    pub(super) fn is_perhaps(&self) -> Option<Reason> {
        match &self.data {
            GoData::Unknown(why) => Some(why.clone()),
            _ => None,
        }
    }

    /// What Go's `%v` prints; what is unknown is marked. `inner` is for what stands in something.
    pub(crate) fn printed(&self, inner: bool) -> MarkedText {
        let made = |text: &str| MarkedText::value(text, &self.origin);
        match &self.data {
            GoData::Nil => made(if inner { "<nil>" } else { NO_VALUE }),
            GoData::Bool(it) => made(if *it { "true" } else { "false" }),
            GoData::Int(it) | GoData::Int64(it) => made(&it.to_string()),
            GoData::Float(it) => made(&scalar::printed_float(*it)),
            GoData::Text(text) => MarkedText::clone(text),
            GoData::Unknown(why) => MarkedText::unknown(why, &self.origin),
            GoData::Object(object) if object.is_open() => self.clone().opened().printed(inner),
            GoData::Object(object) => made(&object.printed().unwrap_or_default()),
            GoData::List(items) => match self.disorder() {
                Some(why) => MarkedText::unknown(&why, &self.origin),
                None => self.in_brackets("[", items.iter().map(|it| it.printed(true))),
            },
            GoData::Map(map) => {
                let map = map.borrow();
                if let Some(why) = &map.open {
                    return MarkedText::unknown(why, &self.origin);
                }
                let entries = map.sorted().into_iter().map(|key| {
                    let mut entry = MarkedText::made_of(&format!("{key}:"));
                    entry.push(&map.entries[&key].1.printed(true));
                    entry
                });
                self.in_brackets("map[", entries)
            }
        }
    }

    /// What stands in it, as Go prints that.
    pub(super) fn in_brackets(
        &self,
        open: &str,
        parts: impl IntoIterator<Item = MarkedText>,
    ) -> MarkedText {
        let mut text = MarkedText::value(open, &self.origin);
        text.push(&MarkedText::joined(parts, &MarkedText::made_of(" ")));
        text.push_made("]");
        text
    }

    /// Go's JSON: keys sorted, with `html`, what that would read as its own escaped, and, when it is
    /// `pretty`, every part in a line of its own.
    pub(crate) fn json(&self, html: bool, pretty: bool) -> MarkedText {
        let mut text = MarkedText::default();
        self.write_json(html, pretty.then_some(1), &mut text);
        text
    }

    /// `indent` is how deep the value stands where its parts have lines of their own.
    fn write_json(&self, html: bool, indent: Option<usize>, text: &mut MarkedText) {
        if text.is_cut {
            return;
        }
        let (inner, depth) = (indent.map(|it| it + 1), indent.unwrap_or(1));
        let line =
            |depth: usize| indent.map_or(String::new(), |_| format!("\n{:1$}", "", 2 * depth));
        let open = |index: usize, bracket: &str| match index {
            0 => bracket.to_owned() + &line(depth),
            _ => ",".to_owned() + &line(depth),
        };
        let printed = match &self.data {
            GoData::List(items) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    text.push_made(&open(index, "["));
                    item.write_json(html, inner, text);
                }
                return text.push_made(&(line(depth - 1) + "]"));
            }
            GoData::Map(map) if !map.borrow().entries.is_empty() => {
                let map = map.borrow();
                for (index, key) in map.sorted().iter().enumerate() {
                    text.push_made(&open(index, "{"));
                    let (place, value) = &map.entries[key];
                    let origin = place.map_or_else(|| value.origin.clone(), Origin::written);
                    let key = json_escaped(&serde_json::Value::from(&**key).to_string(), html);
                    text.push(&MarkedText::value(key, &origin));
                    text.push_made(if indent.is_some() { ": " } else { ":" });
                    value.write_json(html, inner, text);
                }
                return text.push_made(&(line(depth - 1) + "}"));
            }
            GoData::Float(it) => scalar::json_float(*it).replace("e-0", "e-"),
            GoData::Object(object) if object.is_open() => {
                return self.clone().opened().write_json(html, indent, text);
            }
            _ => json_escaped(&self.node().to_json().to_string(), html),
        };
        text.push(&MarkedText::value(printed, &self.origin));
    }

    /// What `kindOf` says.
    pub(super) fn kind(&self) -> &'static str {
        match &self.data {
            GoData::Nil => "invalid",
            GoData::Bool(_) => "bool",
            GoData::Int(_) => "int",
            GoData::Int64(_) => "int64",
            GoData::Float(_) => "float64",
            GoData::Text(_) => "string",
            GoData::List(_) => "slice",
            GoData::Map(_) | GoData::Unknown(_) => "map",
            GoData::Object(object) => object.type_and_kind().1,
        }
    }

    /// What `typeOf` and `%T` say.
    pub(super) fn type_name(&self) -> &'static str {
        match &self.data {
            GoData::Nil => "<nil>",
            GoData::List(items) if items.of_texts => "[]string",
            GoData::List(_) => "[]interface {}",
            GoData::Map(map) if map.borrow().of_texts => "map[string]string",
            GoData::Map(_) => "map[string]interface {}",
            GoData::Object(object) => object.type_and_kind().0,
            _ => self.kind(),
        }
    }

    /// The same value, a map whose entries can be changed without changing this one's.
    pub(crate) fn copied(&self) -> Self {
        let data = match &self.data {
            GoData::List(list) => {
                let items = list.iter().map(Self::copied).collect();
                GoData::List(Rc::new(GoList { items, ..**list }))
            }
            GoData::Map(map) => {
                let mut map = map.borrow().clone();
                map.entries.values_mut().for_each(|(_, it)| *it = it.copied());
                GoData::Map(Rc::new(RefCell::new(map)))
            }
            data => data.clone(),
        };
        Self { data, origin: self.origin.clone() }
    }
}

/// What `encoding/json` escapes in a text, with `html` or without.
fn json_escaped(text: &str, html: bool) -> String {
    let mut text = text.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
    if html {
        text = text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    }
    text
}

impl Drop for GoValue {
    /// Ends what it holds one after another: in one another, that could take too much of the stack.
    fn drop(&mut self) {
        let mut values = Vec::new();
        self.data.emptied(&mut values);
        while let Some(mut value) = values.pop() {
            value.data.emptied(&mut values);
        }
    }
}

impl GoData {
    /// Moves what nobody else holds of it to `values`.
    fn emptied(&mut self, values: &mut Vec<GoValue>) {
        match self {
            Self::List(items) => {
                if let Some(list) = Rc::get_mut(items) {
                    values.append(&mut list.items);
                }
            }
            Self::Map(map) => {
                let entries = Rc::get_mut(map).map(|it| it.get_mut().entries.drain(..));
                values.extend(entries.into_iter().flatten().map(|(_, (_, it))| it));
            }
            _ => {}
        }
    }
}

impl GoMap {
    /// The keys in Go's order.
    pub(super) fn sorted(&self) -> Vec<Arc<str>> {
        let mut keys: Vec<_> = self.entries.keys().cloned().collect();
        keys.sort();
        keys
    }

    pub(crate) fn set(&mut self, key: impl Into<Arc<str>>, value: GoValue) {
        let key = key.into();
        let place = self.entries.get(&key).and_then(|it| it.0);
        self.entries.insert(key, (place, value));
    }
}
