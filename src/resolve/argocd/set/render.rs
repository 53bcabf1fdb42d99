//! What ApplicationSets fill into their templates: parameters by name, or Go templates.

use crate::{
    parse,
    placeholder::Placeholder,
    resolve::{
        gotemplate::{
            FunctionCall, GoError, GoHost, GoValue, MarkedText, MissingKey, TemplateSet,
            TemplateWork,
        },
        template,
    },
    source::Sources,
    tree::{Map, Node, Reason, Via},
};

/// What the templates of an ApplicationSet may refer to, and how they are written.
#[derive(Debug, Clone)]
pub(super) struct SetTemplate<'a> {
    /// The files.
    pub sources: &'a Sources,
    /// A map. An open one lacks what only a cluster can tell.
    pub params: Node,
    /// Whether they are Go templates.
    pub go: bool,
    /// Whether what is missing fails (`missingkey=error`).
    pub strict: bool,
    /// What was done for other instances, also of other sets.
    pub work: &'a TemplateWork,
}

impl SetTemplate<'_> {
    /// `node` with every string in it rendered. The text of Helm values becomes the values.
    pub(super) fn render(&self, node: &Node) -> Node {
        node.rewrite(&mut |node| match (node.as_scalar(), node.as_map()) {
            (Some(scalar), _) => is_template(&scalar.text).then(|| self.string(node)),
            (None, Some(map)) => Some(Node::new(self.map(map), node.origin.clone())),
            (None, None) => None,
        })
    }

    fn map(&self, map: &Map) -> Map {
        let mut rendered = Map::open(map.open.clone());
        for (key, entry) in map.iter() {
            let mut entry = entry.clone();
            entry.value = match (key, entry.value.get("values")) {
                ("helm", Some(values)) if values.as_scalar().is_some() => {
                    let mut helm = self.render(&entry.value);
                    helm.set("values", self.yaml(values));
                    helm
                }
                _ => self.render(&entry.value),
            };
            if !is_template(key) {
                rendered.insert(key, entry);
                continue;
            }
            let name = self.string(&Node::new(key, entry.value.origin.clone()));
            match name.as_str() {
                Some(name) => {
                    rendered.insert(name, entry);
                }
                None => rendered.open = name.unknown().cloned(),
            }
        }
        rendered
    }

    fn string(&self, node: &Node) -> Node {
        match self.text(node) {
            Ok(text) => GoValue::text(text, &node.origin).node(),
            Err(why) => Node::unknown_value(why, &node.origin),
        }
    }

    /// What the text of `node` reads as once it is rendered; text that is no template stays one.
    pub(super) fn yaml(&self, node: &Node) -> Node {
        let unknown = |why: &str| Node::unknown_value(why, &node.origin);
        if !node.as_scalar().is_some_and(|it| is_template(&it.text)) {
            return node.clone();
        }
        let text = match self.text(node) {
            Ok(text) => text,
            Err(why) => return unknown(&why),
        };
        let mut documents = text.documents().into_iter();
        match (documents.next(), documents.next()) {
            (None, _) => Node::new(Map::default(), node.origin.clone()),
            (Some(document), None) => document.into_node().unwrap_or_else(|it| {
                unknown(&format!("it is not YAML around its placeholders: {it}"))
            }),
            (Some(_), Some(_)) => unknown("it has several documents"),
        }
    }

    fn text(&self, node: &Node) -> Result<MarkedText, Reason> {
        let written = MarkedText::of_template(self.sources, node);
        if !self.go {
            return Ok(self.filled(node, &written));
        }
        let mut set = TemplateSet::default();
        set.add("", written).map_err(|it| Reason::from(&*it.message))?;
        set.execute_after(self.work, &GoValue::of(&self.params), self)
    }

    /// The text with each parameter in its place; a name that is none stays as it is.
    fn filled(&self, node: &Node, written: &MarkedText) -> MarkedText {
        let mut text = MarkedText::default();
        let mut at = 0;
        for range in template::between(written.as_str(), "{{", "}}") {
            let name = &written.as_str()[range.start + 2..range.end - 2];
            let Some(value) = self.parameter(name.trim()) else { continue };
            text.push_part(written, at..range.start);
            at = range.end;
            let hole = parse::part(self.sources, node, range);
            let origin = value.origin.through(Via::Templated, hole.written_at());
            text.push(&match (value.unknown(), template::printed(&value)) {
                (Some(why), _) => MarkedText::unknown(why, &hole),
                (None, Some(text)) => MarkedText::value(text, &origin),
                (None, None) => {
                    let why = format!("`{}` is more than one value", name.trim());
                    MarkedText::unknown(&why.into(), &hole)
                }
            });
        }
        text.push_part(written, at..written.as_str().len());
        text
    }

    /// A parameter by its full name; unknown where only a cluster can tell it.
    fn parameter(&self, name: &str) -> Option<Node> {
        if let Some(value) = self.params.get(name) {
            return Some(value.clone());
        }
        let mut node = &self.params;
        for key in name.split('.') {
            let index = || node.items().get(key.parse::<usize>().ok()?);
            match node.get(key).or_else(index) {
                Some(value) => node = value,
                None => {
                    let open = self.params.as_map().and_then(|it| it.open.as_ref())?;
                    return Some(Node::unknown_value(open.clone(), &self.params.origin));
                }
            }
        }
        Some(node.clone())
    }
}

/// Sprig without what asks the machine, and what Argo CD adds
/// (`applicationset/utils/template_functions.go`).
impl GoHost for SetTemplate<'_> {
    fn function(&self, call: &FunctionCall<'_>) -> Option<Result<GoValue, Box<GoError>>> {
        if call.name != "normalize" {
            return None;
        }
        if let Some((why, origin)) = call.unknown() {
            return Some(Ok(GoValue::unknown(why, &origin)));
        }
        Some(call.str(0).and_then(|text| call.string(normalized(text))))
    }

    fn has(&self, function: &str) -> bool {
        matches!(function, "normalize" | "slugify")
    }

    fn missing(&self) -> MissingKey {
        if self.strict { MissingKey::Unknown } else { MissingKey::NoValue }
    }
}

fn is_template(text: &str) -> bool {
    Placeholder::Braces.is_in(text)
}

/// A name that DNS allows (`SanitizeName`).
pub(super) fn normalized(text: &str) -> String {
    let keep = |it: char| match it.to_ascii_lowercase() {
        it @ ('a'..='z' | '0'..='9' | '-' | '.') => it,
        _ => '-',
    };
    let kept: String = text.chars().map(keep).take(253).collect();
    kept.trim_matches(['-', '.']).to_owned()
}
