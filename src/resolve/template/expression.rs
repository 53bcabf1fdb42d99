//! Expressions between `{{` and `}}`, as far as they need no engine.
//!
//! Without `goTemplate`, an ApplicationSet's `{{name}}` is a parameter and nothing else. Otherwise a
//! subset of Go templates: fields, `index`, and functions of one text. What is beyond that is
//! unknown.

use std::ops::Range;

use crate::{
    placeholder::Placeholder,
    resolve::template::{self, Hole},
    scalar::Scalar,
    source::Sources,
    tree::{Kind, Map, Node, Origin, Reason, Via},
};

/// What expressions may refer to, and how they are written.
#[derive(Debug, Clone)]
pub(crate) struct TemplateScope<'a> {
    /// The files.
    pub sources: &'a Sources,
    /// A map. An open one lacks what only a cluster can tell.
    pub params: Node,
    /// Whether they are Go templates.
    pub go: bool,
    /// Whether what is missing fails (`missingkey=error`), so that no default takes its place.
    pub strict: bool,
}

/// Longer expressions are not evaluated, which also bounds how deep they nest.
const MAX_EXPRESSION: usize = 1_000;

/// Starts the reason why what nothing defines is unknown.
const NOTHING: &str = "nothing in the repository gives";

impl TemplateScope<'_> {
    /// `node` with every string in it rendered. The text of Helm values becomes the values.
    pub(crate) fn render(&self, node: &Node) -> Node {
        node.rewrite(&mut |node| match &node.kind {
            Kind::Scalar(scalar) if Placeholder::Braces.is_in(&scalar.text) => {
                Some(self.text(node, scalar))
            }
            Kind::Map(map) => Some(Node::new(self.map(map), node.origin.clone())),
            _ => None,
        })
    }

    fn map(&self, map: &Map) -> Map {
        let mut rendered = Map::open(map.open.clone());
        for (key, entry) in map.iter() {
            let mut entry = entry.clone();
            entry.value = match (key, entry.value.get("values")) {
                ("helm", Some(values)) if values.as_scalar().is_some() => {
                    let mut helm = self.render(&entry.value);
                    helm.set("values", self.values(values));
                    helm
                }
                _ => self.render(&entry.value),
            };
            let name = Node::new(Scalar::string(key), entry.value.origin.clone());
            let name = if Placeholder::Braces.is_in(key) { self.render(&name) } else { name };
            match name.as_str() {
                Some(name) => {
                    rendered.insert(name, entry);
                }
                None => rendered.open = name.unknown().cloned(),
            }
        }
        rendered
    }

    fn text(&self, node: &Node, scalar: &Scalar) -> Node {
        match self.holes(&scalar.text) {
            Ok(holes) => template::fill(node, &holes),
            Err(why) => Node::unknown_value(why, &node.origin),
        }
    }

    /// What the text of `helm.values` reads as.
    fn values(&self, node: &Node) -> Node {
        let Some(scalar) = node.as_scalar().filter(|it| Placeholder::Braces.is_in(&it.text)) else {
            return node.clone();
        };
        let unknown = |why| Node::unknown_value(why, &node.origin);
        let text = &*scalar.text;
        // `{{ toYaml .values }}` is the values themselves.
        if let [range] = &template::between(text, "{{", "}}")[..]
            && text.trim().len() == range.len()
            && let Ok(value) = self.evaluate(template::expression_of(&text[range.clone()]))
            && value.as_scalar().is_none()
        {
            return value.through(Via::Templated, node.origin.written_at());
        }
        let documents = template::fill_go(self.sources, node, |text| self.holes(text));
        match documents.as_deref() {
            Ok([values]) => values.clone(),
            Ok([]) => Node::new(Map::default(), node.origin.clone()),
            Ok(_) => unknown("it has several documents".into()),
            Err(why) => unknown(why.clone()),
        }
    }

    /// The holes of `text` with what fills them.
    ///
    /// # Errors
    /// It has expressions that are no values.
    pub(crate) fn holes(&self, text: &str) -> Result<Vec<Hole>, Reason> {
        let fill = |expression: &str| {
            let last = split(expression, '|').last().map(|it| it.trim());
            let quoted = self.go && matches!(last, Some("quote" | "squote" | "toJson"));
            let value = self.evaluate(expression)?;
            match template::printed(&value) {
                Some(text) if quoted => Ok(Node::new(Scalar::string(text), value.origin)),
                Some(text) => Ok(Node::new(Scalar::plain(text), value.origin)),
                None => Err(format!("`{expression}` is more than one value").into()),
            }
        };
        if self.go {
            return template::go_holes(text, fill);
        }
        let ranges = template::between(text, "{{", "}}").into_iter();
        let hole = |range: Range<usize>| Hole {
            fill: fill(template::expression_of(&text[range.clone()])),
            range,
        };
        Ok(ranges.map(hole).collect())
    }

    fn evaluate(&self, expression: &str) -> Result<Node, Reason> {
        if expression.len() > MAX_EXPRESSION {
            return Err("an expression of its template is too long".into());
        }
        if self.go { self.pipeline(expression) } else { self.parameter(expression) }
    }

    /// A parameter by its full name.
    fn parameter(&self, name: &str) -> Result<Node, Reason> {
        if let Some(value) = self.params.get(name) {
            return Ok(value.clone());
        }
        let mut node = &self.params;
        for key in name.split('.') {
            let index = || node.items().get(key.parse::<usize>().ok()?);
            match node.get(key).or_else(index) {
                Some(value) => node = value,
                None => return Err(self.missing(name)),
            }
        }
        match node.unknown() {
            Some(why) => Err(why.clone()),
            None => Ok(node.clone()),
        }
    }

    fn missing(&self, name: &str) -> Reason {
        let open = self.params.as_map().and_then(|it| it.open.clone());
        open.unwrap_or_else(|| format!("{NOTHING} `{name}`").into())
    }

    fn pipeline(&self, text: &str) -> Result<Node, Reason> {
        let mut last: Option<Result<Node, Reason>> = None;
        for command in split(text, '|') {
            let mut words = split(command.trim(), ' ');
            words.retain(|word| !word.trim().is_empty());
            let Some((name, arguments)) = words.split_first() else {
                return Err(format!("`{text}` is not evaluated").into());
            };
            let mut values =
                arguments.iter().map(|it| self.operand(it)).collect::<Vec<Result<Node, Reason>>>();
            values.extend(last.take());
            last = Some(if values.is_empty() {
                self.operand(name)
            } else {
                self.call(name.trim(), values, text)
            });
        }
        last.unwrap_or_else(|| Err(format!("`{text}` is not evaluated").into()))
    }

    /// A function, whose last argument is what a pipe passes.
    fn call(
        &self,
        name: &str,
        mut values: Vec<Result<Node, Reason>>,
        whole: &str,
    ) -> Result<Node, Reason> {
        if name != "default" {
            return call(name, values, whole);
        }
        // What is missing is empty, and only what nobody gives is missing.
        match (values.pop(), values.pop()) {
            (Some(Ok(value)), Some(default)) => {
                if is_empty(&value) {
                    default
                } else {
                    Ok(value)
                }
            }
            (Some(Err(why)), Some(default)) if why.starts_with(NOTHING) && !self.strict => default,
            (Some(Err(why)), _) => Err(why),
            _ => Err(format!("`{whole}` of its template is not evaluated").into()),
        }
    }

    fn operand(&self, word: &str) -> Result<Node, Reason> {
        let word = word.trim();
        // A literal stands in the template itself.
        let here = || Origin::at(Via::Written, None);
        if let Some(inner) = word.strip_prefix('(').and_then(|it| it.strip_suffix(')')) {
            return self.pipeline(inner);
        }
        if let Some(path) = word.strip_prefix('.') {
            if path.is_empty() {
                return Ok(self.params.clone());
            }
            return self.parameter(path);
        }
        for quote in ['"', '`'] {
            let inner = word.strip_prefix(quote).and_then(|it| it.strip_suffix(quote));
            if let Some(inner) = inner.filter(|it| !it.contains('\\')) {
                return Ok(Node::new(Scalar::string(inner), here()));
            }
        }
        if word.parse::<i64>().is_ok() {
            return Ok(Node::new(Scalar::plain(word), here()));
        }
        Err(format!("`{word}` of its template is not evaluated").into())
    }
}

/// The parts of `text` between `separator`s outside quotes and parentheses.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut depth, mut quote) = (0, 0_usize, None);
    for (at, it) in text.char_indices() {
        if let Some(open) = quote {
            quote = (it != open).then_some(open);
            continue;
        }
        match it {
            '"' | '`' => quote = Some(it),
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            it if it == separator && depth == 0 => {
                parts.push(&text[start..at]);
                start = at + it.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// A function of Go templates, Sprig or Helmfile. The last argument is the one that a pipe passes.
fn call(name: &str, values: Vec<Result<Node, Reason>>, whole: &str) -> Result<Node, Reason> {
    let beyond = || -> Reason { format!("`{whole}` of its template is not evaluated").into() };
    let values = values.into_iter().collect::<Result<Vec<Node>, Reason>>()?;
    if name == "get" {
        // Helmfile's way to a key that may be missing.
        let [key, default @ .., map] = &values[..] else { return Err(beyond()) };
        let found = map.look(key.as_str().ok_or_else(beyond)?);
        return match (found.map_err(|(why, _)| why)?, default) {
            (Some(value), _) => Ok(value.clone()),
            (None, [default]) => Ok(default.clone()),
            (None, _) => Err(beyond()),
        };
    }
    if name == "index" {
        let mut values = values.into_iter();
        let mut node = values.next().ok_or_else(beyond)?;
        for key in values {
            let found = match key.as_int() {
                Some(index) => {
                    usize::try_from(index).ok().and_then(|index| node.items().get(index)).cloned()
                }
                None => key.as_str().and_then(|key| node.get(key)).cloned(),
            };
            node = found.ok_or_else(beyond)?;
        }
        return Ok(node);
    }
    let [arguments @ .., value] = &values[..] else { return Err(beyond()) };
    if matches!(name, "toYaml" | "toJson" | "nindent" | "indent") {
        return Ok(value.clone());
    }
    let text = template::printed(value).ok_or_else(beyond)?;
    let texts = arguments.iter().map(template::printed).collect::<Option<Vec<_>>>();
    let texts = texts.ok_or_else(beyond)?;
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let text = match (name, &texts[..]) {
        ("lower", []) => text.to_lowercase(),
        ("upper", []) => text.to_uppercase(),
        ("trim", []) => text.trim().to_owned(),
        ("trimPrefix", [prefix]) => text.strip_prefix(prefix).unwrap_or(&text).to_owned(),
        ("trimSuffix", [suffix]) => text.strip_suffix(suffix).unwrap_or(&text).to_owned(),
        ("replace", [old, new]) => text.replace(old, new),
        ("toString" | "print" | "quote" | "squote", []) => text,
        ("normalize", []) => normalized(&text),
        ("printf", [format]) if format.matches('%').count() == 1 && format.contains("%s") => {
            format.replacen("%s", &text, 1)
        }
        ("printf", [format, first]) if format.matches("%s").count() == 2 => {
            if format.matches('%').count() != 2 {
                return Err(beyond());
            }
            format.replacen("%s", first, 1).replacen("%s", &text, 1)
        }
        _ => return Err(beyond()),
    };
    Ok(Node::new(Scalar::string(text), value.origin.clone()))
}

fn is_empty(node: &Node) -> bool {
    match &node.kind {
        Kind::Scalar(_) => {
            node.is_null()
                || node.as_str() == Some("")
                || node.as_bool() == Some(false)
                || node.as_int() == Some(0)
        }
        Kind::List(items) => items.is_empty(),
        Kind::Map(map) => map.is_empty(),
        Kind::Unknown(_) => false,
    }
}

/// A name that DNS allows, as Argo CD makes it from a file name.
pub(crate) fn normalized(text: &str) -> String {
    let keep = |it: char| if it.is_ascii_alphanumeric() { it.to_ascii_lowercase() } else { '-' };
    text.chars().map(keep).collect()
}
