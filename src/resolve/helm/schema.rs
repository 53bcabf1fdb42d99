//! `values.schema.json`: what a chart allows its values to be.
//!
//! JSON Schema as `santhosh-tekuri/jsonschema` reads it for Helm 4; what this does not follow
//! (`format`, references to elsewhere, `unevaluatedProperties`) refuses nothing here.

mod json;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
};

use regex::{Regex, RegexBuilder};
use serde_json::{Map as JsonMap, Value as Json};

use self::json::{equal, inner, is_known, size, type_of, with_article};
use crate::{
    problem::Problem,
    resolve::helm::package::Package,
    scalar::{Scalar, Value},
    source::Sources,
    tree::{Node, Origin},
};

/// Schemas that refer to one another are followed as far.
const MAX_DEPTH: usize = 64;

/// Schemas that are held against values in one chart.
const MAX_STEPS: u32 = 200_000;

/// What a pattern may take compiled, in bytes, and as how many schemas compiling one counts.
const MAX_PATTERN: usize = 1 << 20;
const PATTERN_STEPS: u32 = 100;

/// Values that are compared with others count as one schema.
const COMPARED: usize = 100;

/// What the schemas of `package` and of the charts in it refuse of `values`, which are complete
/// (`ValidateAgainstSchema`); `at` is what names the release.
pub(super) fn check(
    sources: &Sources,
    package: &Package,
    values: &Node,
    at: &Origin,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    charts(sources, package, values, "", &mut problems);
    for problem in problems.iter_mut().filter(|it| it.at.written_at().is_none()) {
        // Nobody wrote any values, or somebody did on a command line.
        problem.at = if at.written_at().is_some() { at } else { &package.metadata.origin }.clone();
    }
    problems
}

fn charts(
    sources: &Sources,
    package: &Package,
    values: &Node,
    path: &str,
    problems: &mut Vec<Problem>,
) {
    let schema = package.schema.as_ref().and_then(|it| Some((it.text(sources).ok()?, it)));
    match schema.map(|(text, file)| (serde_json::from_str(text), file)) {
        Some((Ok(root), _)) => problems.extend(refused(&root, values, path, &package.name)),
        Some((Err(_), file)) => {
            let message = "Helm refuses the chart: its `values.schema.json` is not JSON";
            problems.push(Problem::refused(&file.place(), message));
        }
        None => {}
    }
    // What may be switched off refuses nothing for sure.
    for chart in package.charts.iter().filter(|it| it.perhaps.is_none()) {
        if let Some(values) = values.get(&chart.name) {
            charts(sources, chart, values, &format!("{path}{}.", chart.name), problems);
        }
    }
}

/// What the schema `root` of a chart refuses of its values, which the user knows at `path`.
fn refused(root: &Json, values: &Node, path: &str, chart: &str) -> Vec<Problem> {
    let Some(draft) = Draft::of(root) else { return Vec::new() };
    let schema = ValuesSchema {
        root,
        draft,
        moves: inner(root).any(|it| it.get("$id").is_some_and(Json::is_string)),
        steps: Cell::new(MAX_STEPS),
        patterns: RefCell::default(),
    };
    let judgement = schema.judge(root, values, path.trim_end_matches('.'), MAX_DEPTH);
    let problems = judgement.refusals.into_iter().map(|Refusal { path, at, why }| {
        let what = if path.is_empty() { "what is set".to_owned() } else { format!("`{path}`") };
        let message = format!("{what} {why}, which `values.schema.json` of `{chart}` refuses");
        Problem::refused(&at, message).about(path)
    });
    problems.collect()
}

/// A version of JSON Schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Draft {
    Four,
    Six,
    Seven,
    Of2019,
    Of2020,
}

impl Draft {
    /// What `draftFromURL` knows; of anything else there is a schema elsewhere.
    fn of(root: &Json) -> Option<Self> {
        let Some(named) = root.get("$schema") else { return Some(Self::Of2020) };
        let (scheme, url) = named.as_str()?.split_once("://json-schema.org/")?;
        let name = url.split('#').next().filter(|_| matches!(scheme, "http" | "https"))?;
        Some(match name {
            "draft-04/schema" => Self::Four,
            "draft-06/schema" => Self::Six,
            "draft-07/schema" => Self::Seven,
            "draft/2019-09/schema" => Self::Of2019,
            "draft/2020-12/schema" | "schema" => Self::Of2020,
            _ => return None,
        })
    }
}

/// Something that is certainly refused.
#[derive(Debug)]
struct Refusal {
    /// Where it is among the values, as `--set` names it.
    path: String,
    at: Origin,
    /// What is wrong with it, after its path.
    why: String,
}

/// What a schema says of a value: without refusals it allows what it is sure of.
#[derive(Debug, Default)]
struct Judgement {
    refusals: Vec<Refusal>,
    /// Whether something may be refused all the same.
    unsure: bool,
}

impl Judgement {
    fn unsure() -> Self {
        Self { unsure: true, ..Self::default() }
    }

    fn allows(&self) -> bool {
        self.refusals.is_empty() && !self.unsure
    }

    fn and(&mut self, other: Self) {
        self.refusals.extend(other.refusals);
        self.unsure |= other.unsure;
    }
}

struct ValuesSchema<'a> {
    root: &'a Json,
    draft: Draft,
    /// Whether parts have addresses of their own, of which a fragment may be one.
    moves: bool,
    /// The schemas that may still be held against values.
    steps: Cell<u32>,
    /// The patterns that were compiled; nothing for what is none or too large.
    patterns: RefCell<BTreeMap<String, Option<Regex>>>,
}

impl ValuesSchema<'_> {
    /// Counts what takes as long as `steps` schemas; nothing where that is too much.
    fn spend(&self, steps: u32) -> Option<()> {
        let left = self.steps.get().checked_sub(steps);
        self.steps.set(left.unwrap_or(0));
        left.map(|_| ())
    }

    fn pattern(&self, pattern: &str) -> Option<Regex> {
        if let Some(known) = self.patterns.borrow().get(pattern) {
            return known.clone();
        }
        self.spend(PATTERN_STEPS)?;
        let compiled = RegexBuilder::new(pattern).size_limit(MAX_PATTERN).build().ok();
        self.patterns.borrow_mut().insert(pattern.to_owned(), compiled.clone());
        compiled
    }

    /// What `schema` says of `node`, which is at `path`.
    fn judge(&self, schema: &Json, node: &Node, path: &str, depth: usize) -> Judgement {
        let map = match schema {
            Json::Bool(true) => return Judgement::default(),
            Json::Object(map) if map.is_empty() => return Judgement::default(),
            Json::Object(map) => map,
            Json::Bool(false) => {
                let mut found = Judgement::default();
                found.refusals.push(refusal(node, path, "is not allowed".to_owned()));
                return found;
            }
            _ => return Judgement::unsure(),
        };
        let depth = depth.checked_sub(1).filter(|_| node.unknown().is_none());
        let (Some(depth), Some(())) = (depth, self.spend(1)) else {
            return Judgement::unsure();
        };
        let judging = Judging { schema: self, map, node, path, depth };
        let mut found = Judgement::default();
        if let Some(reference) = map.get("$ref") {
            found.and(judging.reference(reference));
            if self.draft <= Draft::Seven {
                return found;
            }
        }
        for (keyword, argument) in map {
            found.and(judging.keyword(keyword, argument));
        }
        found
    }
}

fn refusal(node: &Node, path: &str, why: String) -> Refusal {
    Refusal { path: path.to_owned(), at: node.origin.clone(), why }
}

/// A schema that is held against a value.
struct Judging<'s> {
    schema: &'s ValuesSchema<'s>,
    map: &'s JsonMap<String, Json>,
    node: &'s Node,
    path: &'s str,
    depth: usize,
}

impl Judging<'_> {
    /// What the schema itself says of the value.
    fn same(&self, schema: &Json) -> Judgement {
        self.schema.judge(schema, self.node, self.path, self.depth)
    }

    /// What a schema says of the value at a key.
    fn below(&self, schema: &Json, key: &str, node: &Node) -> Judgement {
        self.schema.judge(schema, node, &joined(self.path, key), self.depth)
    }

    fn refuse(&self, why: impl Into<String>) -> Judgement {
        Judgement { refusals: vec![refusal(self.node, self.path, why.into())], unsure: false }
    }

    fn refuse_if(&self, refused: bool, why: impl FnOnce() -> String) -> Judgement {
        if refused { self.refuse(why()) } else { Judgement::default() }
    }

    fn reference(&self, reference: &Json) -> Judgement {
        let pointer = reference.as_str().and_then(|it| it.strip_prefix('#'));
        let target =
            pointer.filter(|it| !it.contains('%')).and_then(|it| self.schema.root.pointer(it));
        match target {
            Some(target) if !self.schema.moves => self.same(target),
            _ => Judgement::unsure(),
        }
    }

    fn keyword(&self, keyword: &str, argument: &Json) -> Judgement {
        let draft = self.schema.draft;
        let since = match keyword {
            "const" | "contains" | "propertyNames" => Draft::Six,
            "if" => Draft::Seven,
            "dependentRequired" | "dependentSchemas" => Draft::Of2019,
            "prefixItems" => Draft::Of2020,
            _ => Draft::Four,
        };
        if draft < since {
            return Judgement::unsure();
        }
        let judged = match keyword {
            "type" => self.types(argument),
            "enum" | "const" => self.values(argument, keyword == "const"),
            "allOf" | "anyOf" | "oneOf" => self.combined(keyword, argument),
            "not" => Some({
                let inner = self.same(argument);
                match inner.refusals.is_empty() {
                    true if inner.unsure => Judgement::unsure(),
                    allowed => self.refuse_if(allowed, || "is what `not` forbids".to_owned()),
                }
            }),
            "if" => Some(self.conditional(argument)),
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => {
                self.number(keyword, argument)
            }
            "minLength" | "maxLength" | "pattern" => self.text(keyword, argument),
            "items" | "prefixItems" | "contains" | "minItems" | "maxItems" | "uniqueItems" => {
                self.list(keyword, argument)
            }
            "properties"
            | "patternProperties"
            | "additionalProperties"
            | "propertyNames"
            | "required"
            | "minProperties"
            | "maxProperties"
            | "dependencies"
            | "dependentRequired"
            | "dependentSchemas" => self.object(keyword, argument),
            "format"
            | "unevaluatedProperties"
            | "unevaluatedItems"
            | "$dynamicRef"
            | "$recursiveRef"
            | "minContains"
            | "maxContains"
            | "additionalItems" => None,
            // What nobody knows is no keyword.
            _ => Some(Judgement::default()),
        };
        judged.unwrap_or_else(Judgement::unsure)
    }

    fn types(&self, argument: &Json) -> Option<Judgement> {
        let wanted: Vec<&str> = match argument {
            Json::Array(all) => all.iter().map(Json::as_str).collect::<Option<_>>()?,
            one => vec![one.as_str()?],
        };
        let got = type_of(self.node)?;
        let fits = |it: &&str| **it == *got || (**it == *"number" && got == "integer");
        let names: Vec<&str> = wanted.iter().map(|it| with_article(it)).collect();
        let why = || format!("is {}, not {}", with_article(got), names.join(" or "));
        Some(self.refuse_if(!wanted.iter().any(fits), why))
    }

    fn values(&self, argument: &Json, one: bool) -> Option<Judgement> {
        let all = if one { std::slice::from_ref(argument) } else { argument.as_array()? };
        if !is_known(self.node) {
            return None;
        }
        let value = self.node.to_json();
        let names: Vec<String> = all
            .iter()
            .map(|it| it.as_str().map_or_else(|| format!("`{it}`"), |it| format!("`{it}`")))
            .collect();
        let why = || format!("is none of {}", names.join(", "));
        Some(self.refuse_if(!all.iter().any(|it| equal(it, &value)), why))
    }

    fn combined(&self, keyword: &str, argument: &Json) -> Option<Judgement> {
        let parts = argument.as_array()?.iter().map(|it| self.same(it));
        if keyword == "allOf" {
            return Some(parts.fold(Judgement::default(), |mut all, it| {
                all.and(it);
                all
            }));
        }
        let parts: Vec<Judgement> = parts.collect();
        let allowed = parts.iter().filter(|it| it.allows()).count();
        let refused = parts.iter().filter(|it| !it.refusals.is_empty()).count();
        if refused == parts.len() {
            let whys = parts.iter().flat_map(|it| &it.refusals);
            let mut own: BTreeSet<&str> = BTreeSet::new();
            let whys = whys.filter(|it| it.path == self.path && own.insert(&it.why));
            let whys: Vec<&str> = whys.map(|it| &*it.why).collect();
            return Some(match whys.is_empty() {
                true => self.refuse(format!("is not what `{keyword}` allows")),
                false => self.refuse(whys.join(" and ")),
            });
        }
        if keyword == "oneOf" && allowed > 1 {
            return Some(self.refuse("is allowed by more than one part of `oneOf`"));
        }
        let sure = allowed > 0 && (keyword == "anyOf" || allowed + refused == parts.len());
        Some(Judgement { unsure: !sure, ..Judgement::default() })
    }

    fn conditional(&self, condition: &Json) -> Judgement {
        let judged = self.same(condition);
        let branch = match (judged.refusals.is_empty(), judged.unsure) {
            (false, _) => "else",
            (true, false) => "then",
            (true, true) => return Judgement::unsure(),
        };
        self.map.get(branch).map_or_else(Judgement::default, |it| self.same(it))
    }

    fn number(&self, keyword: &str, argument: &Json) -> Option<Judgement> {
        #[expect(clippy::cast_precision_loss, reason = "as JSON has numbers")]
        let value = match self.node.value() {
            Some(Value::Int(it)) => it as f64,
            Some(Value::Float(it)) => it,
            _ => return Some(Judgement::default()),
        };
        let excludes = |it: &str| self.map.get(it) == Some(&Json::Bool(true));
        let is_flag = keyword.starts_with("exclusive") && argument.is_boolean();
        if is_flag && self.schema.draft == Draft::Four {
            return Some(Judgement::default());
        }
        let limit = argument.as_f64()?;
        let (refused, why) = match keyword {
            "minimum" if excludes("exclusiveMinimum") => (value <= limit, "is not more than"),
            "minimum" => (value < limit, "is less than"),
            "maximum" if excludes("exclusiveMaximum") => (value >= limit, "is not less than"),
            "maximum" => (value > limit, "is more than"),
            "exclusiveMinimum" => (value <= limit, "is not more than"),
            "exclusiveMaximum" => (value >= limit, "is not less than"),
            // Of fractions only decimal numbers would tell.
            _ if value.fract() == 0.0 && limit.fract() == 0.0 && limit > 0.0 => {
                (value % limit != 0.0, "is no multiple of")
            }
            _ => return None,
        };
        Some(self.refuse_if(refused, || format!("{why} {argument}")))
    }

    fn text(&self, keyword: &str, argument: &Json) -> Option<Judgement> {
        let Some(Value::Str(text)) = self.node.value() else { return Some(Judgement::default()) };
        if keyword == "pattern" {
            let pattern = argument.as_str()?;
            let matches = self.schema.pattern(pattern)?.is_match(text);
            return Some(self.refuse_if(!matches, || format!("does not match `{pattern}`")));
        }
        let (length, limit) = (text.chars().count(), size(argument)?);
        let (refused, why) = match keyword {
            "minLength" if length == 0 => (limit > 0, "is empty".to_owned()),
            "minLength" => (length < limit, format!("is shorter than {limit} characters")),
            _ => (length > limit, format!("is longer than {limit} characters")),
        };
        Some(self.refuse_if(refused, || why))
    }

    fn list(&self, keyword: &str, argument: &Json) -> Option<Judgement> {
        let Some(items) = self.node.as_list() else { return Some(Judgement::default()) };
        // One that is not known stands for any number of items.
        let whole = items.iter().all(|it| it.unknown().is_none());
        let at = |index: usize, schema: &Json| {
            self.schema.judge(schema, &items[index], &format!("{}[{index}]", self.path), self.depth)
        };
        let all = |judgements: &mut dyn Iterator<Item = Judgement>| {
            judgements.fold(Judgement { unsure: !whole, ..Judgement::default() }, |mut all, it| {
                all.and(it);
                all
            })
        };
        Some(match keyword {
            "items" if argument.is_array() => match self.schema.draft {
                Draft::Of2020 => return None,
                _ if whole => {
                    let schemas = argument.as_array()?;
                    all(&mut (0..items.len().min(schemas.len())).map(|it| at(it, &schemas[it])))
                }
                _ => return None,
            },
            "items" => {
                let first =
                    self.map.get("prefixItems").and_then(Json::as_array).map_or(0, Vec::len);
                if first > 0 && !whole {
                    return None;
                }
                all(&mut (first..items.len()).map(|it| at(it, argument)))
            }
            "prefixItems" if whole => {
                let schemas = argument.as_array()?;
                all(&mut (0..items.len().min(schemas.len())).map(|it| at(it, &schemas[it])))
            }
            "contains" if whole && !self.map.contains_key("minContains") => {
                let judged: Vec<Judgement> = (0..items.len()).map(|it| at(it, argument)).collect();
                if judged.iter().any(Judgement::allows) {
                    Judgement::default()
                } else if judged.iter().any(|it| it.refusals.is_empty()) {
                    return None;
                } else {
                    self.refuse("has no item that `contains` asks for")
                }
            }
            "minItems" if whole => {
                let limit = size(argument)?;
                self.refuse_if(items.len() < limit, || format!("has fewer than {limit} items"))
            }
            "maxItems" => {
                let limit = size(argument)?;
                let known = items.iter().filter(|it| it.unknown().is_none()).count();
                let mut judged =
                    self.refuse_if(known > limit, || format!("has more than {limit} items"));
                judged.unsure |= !whole;
                judged
            }
            "uniqueItems" if argument == &Json::Bool(true) => {
                let compared = items.len().saturating_mul(self.node.walk().count());
                self.schema.spend(u32::try_from(compared / COMPARED).unwrap_or(u32::MAX))?;
                let known: Vec<Json> =
                    items.iter().filter(|it| is_known(it)).map(Node::to_json).collect();
                let twice =
                    |(index, it): (usize, &Json)| known[..index].iter().any(|o| equal(o, it));
                let mut judged = self.refuse_if(known.iter().enumerate().any(twice), || {
                    "has two items that are equal".to_owned()
                });
                judged.unsure |= known.len() != items.len();
                judged
            }
            "uniqueItems" => Judgement::default(),
            _ => return None,
        })
    }

    fn object(&self, keyword: &str, argument: &Json) -> Option<Judgement> {
        let Some(object) = self.node.as_map() else { return Some(Judgement::default()) };
        let open = object.open.is_some();
        // What may not be there at all.
        let perhaps = object.iter().any(|(_, it)| it.value.unknown().is_some());
        let mut found = Judgement::default();
        match keyword {
            "properties" => {
                for (key, schema) in argument.as_object()? {
                    match object.get(key) {
                        Some(value) => found.and(self.below(schema, key, value)),
                        None => found.unsure |= open,
                    }
                }
            }
            "patternProperties" => {
                for (pattern, schema) in argument.as_object()? {
                    let pattern = self.schema.pattern(pattern)?;
                    for (key, entry) in object.iter().filter(|(key, _)| pattern.is_match(key)) {
                        found.and(self.below(schema, key, &entry.value));
                    }
                }
                found.unsure |= open;
            }
            "additionalProperties" => {
                let known = self.map.get("properties").and_then(Json::as_object);
                let patterns = self.map.get("patternProperties").and_then(Json::as_object);
                let patterns = patterns.into_iter().flat_map(JsonMap::keys);
                let patterns: Vec<Regex> =
                    patterns.map(|it| self.schema.pattern(it)).collect::<Option<_>>()?;
                for (key, entry) in object.iter() {
                    if known.is_some_and(|it| it.contains_key(key))
                        || patterns.iter().any(|it| it.is_match(key))
                    {
                        continue;
                    }
                    if argument == &Json::Bool(false) {
                        let at = entry.origin();
                        let why = "is not among the keys that are allowed".to_owned();
                        let path = joined(self.path, key);
                        match entry.value.unknown() {
                            Some(_) => found.unsure = true,
                            None => found.refusals.push(Refusal { path, at, why }),
                        }
                    } else {
                        found.and(self.below(argument, key, &entry.value));
                    }
                }
                found.unsure |= open;
            }
            "propertyNames" => {
                for (key, entry) in object.iter() {
                    let name = Node::new(Scalar::string(key), entry.origin());
                    found.and(self.below(argument, key, &name));
                }
                found.unsure |= open || perhaps;
            }
            "required" => found.and(self.required(argument, None)?),
            "minProperties" | "maxProperties" => {
                let (limit, few) = (size(argument)?, keyword == "minProperties");
                if open || perhaps {
                    return None;
                }
                let refused = if few { object.len() < limit } else { object.len() > limit };
                let what = if few { "fewer" } else { "more" };
                found.and(self.refuse_if(refused, || format!("has {what} than {limit} keys")));
            }
            _ => {
                for (key, then) in argument.as_object()? {
                    match object.get(key) {
                        Some(it) if it.unknown().is_some() => found.unsure = true,
                        Some(_) if then.is_array() => found.and(self.required(then, Some(key))?),
                        Some(_) => found.and(self.same(then)),
                        None => found.unsure |= open,
                    }
                }
            }
        }
        Some(found)
    }

    /// That keys are there, which have to be beside `other`.
    fn required(&self, keys: &Json, other: Option<&str>) -> Option<Judgement> {
        let object = self.node.as_map()?;
        let mut found = Judgement::default();
        let beside = other.map(|it| format!(" beside `{it}`")).unwrap_or_default();
        for key in keys.as_array()?.iter().filter_map(Json::as_str) {
            match object.get(key) {
                Some(it) => found.unsure |= it.unknown().is_some(),
                None if object.open.is_some() => found.unsure = true,
                None => {
                    let at = object.removed(key).unwrap_or(&self.node.origin).clone();
                    let path = joined(self.path, key);
                    found.refusals.push(Refusal { path, at, why: format!("is missing{beside}") });
                }
            }
        }
        Some(found)
    }
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::tests::{fixture, roots};

    /// What a schema refuses of values in which `'?'` stands for what nobody knows.
    fn told(schema: &str, values: &str) -> String {
        let sources = fixture(&format!("//- values.yaml\n{values}\n"));
        let values = roots(&sources, "values.yaml").remove(0).rewrite(&mut |it| {
            (it.as_str() == Some("?")).then(|| Node::unknown_value("nobody knows", &it.origin))
        });
        let root = serde_json::from_str(schema).expect("a schema");
        let problems = refused(&root, &values, "", "x");
        let told = problems.iter().map(|it| {
            let at = it.at.written_at().map_or("", |span| sources.slice(span));
            let why = it.message.strip_suffix(", which `values.schema.json` of `x` refuses");
            format!("{} <{}>", why.unwrap_or_default(), at.lines().next().unwrap_or_default())
        });
        told.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn drafts_are_known_by_their_whole_names() {
        let judged = |named: &str| {
            let schema =
                format!(r#"{{"$schema": "{named}", "properties": {{"a": {{"type": "string"}}}}}}"#);
            !told(&schema, "a: 1").is_empty()
        };
        for known in
            ["http://json-schema.org/draft-07/schema", "https://json-schema.org/draft-04/schema#"]
        {
            assert!(judged(known) && judged("http://json-schema.org/schema#"), "{known}");
        }
        for elsewhere in [
            "https://example.com/draft-07/schema#",
            "draft-07",
            "https://json-schema.org/draft-03/schema#",
        ] {
            assert!(!judged(elsewhere), "{elsewhere}");
        }
    }

    #[test]
    fn what_is_refused_is_told_at_its_value() {
        assert_snapshot!(told(
            r##"{"required": ["name"], "$defs": {"port": {"type": "integer", "maximum": 65535}},
                "properties": {
                    "tag": {"type": "string", "pattern": "^v"},
                    "policy": {"enum": ["Always", 3]},
                    "port": {"$ref": "#/$defs/port"},
                    "ports": {"items": {"$ref": "#/$defs/port"}, "minItems": 3},
                    "either": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                    "empty": {"minLength": 1},
                    "closed": {"properties": {"a": {}}, "additionalProperties": false},
                    "tls": {"if": {"properties": {"on": {"const": true}}}, "then": {"required": ["key"]}}
                }}"##,
            "tag: 1.10\npolicy: Sometimes\nport: 70000\nports: [1, x]\neither: 3\nempty: ''
closed: {a: 1, b: 2}\ntls: {on: true}",
        ), @"
        `name` is missing <tag: 1.10>
        `tag` is a number, not a string <1.10>
        `policy` is none of `Always`, `3` <Sometimes>
        `port` is more than 65535 <70000>
        `ports[1]` is a string, not an integer <x>
        `ports` has fewer than 3 items <[1, x]>
        `either` is an integer, not a string and is an integer, not null <3>
        `empty` is empty <''>
        `closed.b` is not among the keys that are allowed <b>
        `tls.key` is missing <{on: true}>
        ");
    }

    /// Integers that are the same as floats are not the same.
    #[test]
    fn items_are_equal_as_numbers_are() {
        let schema = r#"{"properties": {"a": {"uniqueItems": true}}}"#;
        assert_eq!(told(schema, "a: [9007199254740993, 9007199254740992]"), "");
        assert_eq!(told(schema, "a: [1, 1.0]"), "`a` has two items that are equal <[1, 1.0]>");
    }

    /// What would take too long refuses nothing, nor does what comes after it.
    #[test]
    fn schemas_without_measure_end() {
        let large = r#"{"propertyNames": {"pattern": "((a{100}){100}){5}"}}"#;
        assert_eq!(told(large, "a: 1"), "");
        let items = (0..6_000).map(|it| format!("x{it}")).collect::<Vec<_>>().join(", ");
        let unique = r#"{"properties": {"a": {"uniqueItems": true}}}"#;
        assert_eq!(told(unique, &format!("a: [{items}, x1]")), "");
        let few = (0..1_000).map(|it| format!("x{it}")).collect::<Vec<_>>().join(", ");
        assert_ne!(told(unique, &format!("a: [{few}, x1]")), "");
        // Each reference into a large schema, and each value of a pattern.
        let listed = vec![r##"{"$ref": "#/$defs/x"}"##; 20_000].join(",");
        let many = format!(
            r#"{{"$defs": {{"x": {{"properties": {{"b": {{"pattern": "^\\w{{1,63}}$"}}}}}}}},
                "properties": {{"a": {{"allOf": [{listed}]}}}}}}"#
        );
        assert_eq!(told(&many, "a: {b: c}"), "");
    }

    /// A schema is not held against what nobody knows, nor what depends on it.
    #[test]
    fn what_is_unknown_is_not_refused() {
        for (schema, values) in [
            (r#"{"properties": {"a": {"type": "string"}}}"#, "a: '?'"),
            (r#"{"properties": {"a": {"required": ["b"]}}}"#, "a: '?'"),
            (r#"{"anyOf": [{"required": ["b"]}, {"properties": {"a": {"const": 1}}}]}"#, "a: '?'"),
            (
                r#"{"oneOf": [{"required": ["a"]}, {"properties": {"b": {"const": 1}}}]}"#,
                "{a: 1, b: '?'}",
            ),
            (r#"{"not": {"properties": {"a": {"const": 1}}}}"#, "a: '?'"),
            (
                r#"{"if": {"properties": {"a": {"const": 1}}}, "then": false, "else": false}"#,
                "a: '?'",
            ),
            (r#"{"properties": {"a": {"minItems": 2}}}"#, "a: ['?']"),
            (r#"{"properties": {"a": {"enum": [[1]]}}}"#, "a: ['?']"),
            (r#"{"properties": {"a": {"contains": {"const": 1}}}}"#, "a: ['?']"),
            (r#"{"minProperties": 2}"#, "a: '?'"),
            // What is not followed, and what Helm 4 and 3 read otherwise.
            (r#"{"properties": {"a": {"$ref": "https://example.com/a.json"}}}"#, "a: 1"),
            (r#"{"not": {"properties": {"a": {"format": "ipv4"}}}}"#, "a: x"),
            (r#"{"$schema": "https://example.com/own", "type": "string"}"#, "a: x"),
            (r##"{"$ref": "#"}"##, "a: x"),
        ] {
            assert_eq!(told(schema, values), "", "{schema} of {values}");
        }
        let known = told(r#"{"properties": {"a": {"maxItems": 1}}}"#, "a: [1, 2, '?']");
        assert_eq!(known, "`a` has more than 1 items <[1, 2, '?']>");
    }
}
