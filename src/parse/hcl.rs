//! Terraform's language, as trees. What only Terraform can compute is unknown.
//!
//! This is the reader of what defines clusters: one file, and heredocs as they are written, since
//! the YAML in them is judged although a part of it may be filled in. `resolve::terraform` evaluates
//! whole modules, for values that a chart gets; what both make of literals is here.

use std::ops::Range;

use hcl_edit::{
    Span as _,
    expr::{Expression, ObjectKey, Traversal, TraversalOperator},
    structure::{Body, Structure},
};

use crate::{
    parse::SyntaxError,
    scalar::{Scalar, Style},
    source::{FileId, Span},
    tree::{Entry, Kind, Map, Node, Origin, Via},
};

/// A block: `resource "aws_eks_cluster" "this" { … }`.
#[derive(Debug, Clone)]
pub struct Block {
    /// Its type and its labels: `["resource", "aws_eks_cluster", "this"]`.
    pub labels: Vec<String>,
    /// What is in it: attributes by name, and the inner blocks of each type as a list.
    pub body: Node,
    /// Where its type and labels are.
    pub origin: Origin,
}

/// The blocks and the attributes at the top of a file. `look` knows the values of `var.name` and
/// `local.name`.
///
/// # Errors
/// When the text is not HCL.
pub fn parse(
    text: &str,
    file: FileId,
    look: &dyn Fn(&str) -> Option<Node>,
) -> Result<(Vec<Block>, Map), SyntaxError> {
    let body = hcl_edit::parser::parse_body(text).map_err(|error| {
        let message = error.message().to_owned();
        let line = error.location().line().saturating_sub(1);
        let start = text.split_inclusive('\n').take(line).map(str::len).sum::<usize>();
        let end = start + text[start..].lines().next().map_or(0, str::len);
        SyntaxError { message, span: Some(span(file, &(start..end))) }
    })?;
    let reader = Reader { text, file, look };
    let mut blocks = Vec::new();
    let mut attributes = Map::default();
    for structure in &body {
        match structure {
            Structure::Attribute(attribute) => {
                reader.attribute(attribute.key.as_str(), &attribute.value, &mut attributes);
            }
            Structure::Block(block) => {
                let labels = block.labels.iter().map(|it| it.as_str().to_owned());
                let first = block.ident.span().unwrap_or_default();
                let last = block.labels.last().and_then(hcl_edit::Span::span);
                let end = last.map_or(first.end, |it| it.end);
                blocks.push(Block {
                    labels: [block.ident.as_str().to_owned()].into_iter().chain(labels).collect(),
                    body: reader.body(&block.body, &first),
                    origin: Origin::written(span(file, &(first.start..end))),
                });
            }
        }
    }
    Ok((blocks, attributes))
}

/// The origin of what stands at `range` of `file`; what has no range stands at its start.
pub fn written(file: FileId, range: Option<Range<usize>>) -> Origin {
    Origin::written(span(file, &range.unwrap_or_default()))
}

/// What a literal without parts is, if `expression` is one.
pub fn literal(expression: &Expression) -> Option<Kind> {
    match expression {
        Expression::Null(_) => Some(Scalar::null().into()),
        Expression::Bool(it) => Some((*it.value()).into()),
        Expression::Number(it) => Some(Scalar::plain(it.value().to_string()).into()),
        Expression::String(it) => Some(it.value().as_str().into()),
        _ => None,
    }
}

struct Reader<'a> {
    text: &'a str,
    file: FileId,
    look: &'a dyn Fn(&str) -> Option<Node>,
}

impl Reader<'_> {
    fn body(&self, body: &Body, at: &Range<usize>) -> Node {
        let mut map = Map::default();
        for structure in body {
            match structure {
                Structure::Attribute(it) => {
                    self.attribute(it.key.as_str(), &it.value, &mut map);
                }
                Structure::Block(block) => {
                    let range = block.ident.span().unwrap_or_default();
                    let inner = self.body(&block.body, &range);
                    let name = block.ident.as_str();
                    match map.get_mut(name).and_then(Node::as_list_mut) {
                        Some(list) => list.push(inner),
                        None => map.set(name, Node::new(vec![inner], self.written(&range))),
                    }
                }
            }
        }
        Node::new(map, self.written(at))
    }

    fn attribute(&self, name: &str, value: &Expression, map: &mut Map) {
        let value = self.value(value);
        let key = value.origin.written_at();
        map.insert(name, Entry { key, value });
    }

    fn written(&self, range: &Range<usize>) -> Origin {
        Origin::written(span(self.file, range))
    }

    fn value(&self, expression: &Expression) -> Node {
        let range = expression.span().unwrap_or_default();
        let origin = self.written(&range);
        let source = self.text.get(range.clone()).unwrap_or_default();
        let unknown = || {
            let why = format!("Terraform computes `{}`", source.lines().next().unwrap_or_default());
            Kind::Unknown(why.into())
        };
        let kind = match expression {
            Expression::Array(items) => {
                items.iter().map(|it| self.value(it)).collect::<Vec<_>>().into()
            }
            Expression::Object(object) => {
                let mut map = Map::default();
                for (key, value) in object {
                    let name = match key {
                        ObjectKey::Ident(it) => Some(it.as_str()),
                        ObjectKey::Expression(it) => it.as_str(),
                    };
                    match name {
                        Some(name) => self.attribute(name, value.expr(), &mut map),
                        None => map.open = Some("Terraform computes a key".into()),
                    }
                }
                map.into()
            }
            Expression::Parenthesis(inner) => return self.value(inner.inner()),
            Expression::HeredocTemplate(_) => return self.heredoc(source, range.start),
            Expression::FuncCall(call)
                if matches!(
                    call.name.name.as_str(),
                    "yamlencode" | "jsonencode" | "tolist" | "toset"
                ) && call.args.len() == 1 =>
            {
                match call.args.iter().next() {
                    Some(inner) => return self.value(inner),
                    None => unknown(),
                }
            }
            Expression::Traversal(traversal) => {
                let known = reference(traversal).and_then(|name| (self.look)(&name));
                return match known {
                    Some(node) => {
                        let origin = node.origin.through(Via::Values, origin.written_at());
                        Node { origin, ..node }
                    }
                    None => Node::new(unknown(), origin),
                };
            }
            other => literal(other).unwrap_or_else(unknown),
        };
        Node::new(kind, origin)
    }

    /// The text between `<<EOT` and `EOT`; `<<-EOT` takes the common indentation away. What is to be
    /// filled in stays as it is written.
    fn heredoc(&self, source: &str, start: usize) -> Node {
        let body = source.find('\n').map_or(source.len(), |at| at + 1);
        let end = source.trim_end().rfind('\n').map_or(body, |at| (at + 1).max(body));
        let inner = source.get(body..end).unwrap_or_default();
        let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
        let lines = inner.lines().filter(|it| source.starts_with("<<-") && !it.trim().is_empty());
        let common = lines.map(indent).min().unwrap_or(0);
        let text: String = inner
            .split_inclusive('\n')
            .map(|line| line.get(common..).unwrap_or_else(|| line.trim_start_matches(' ')))
            .collect();
        let scalar = Scalar { text: text.into(), style: Style::Literal, tag: None };
        Node::new(scalar, self.written(&(start + body..start + end)))
    }
}

/// `var.name`, `local.name`.
fn reference(traversal: &Traversal) -> Option<String> {
    let root = traversal.expr.as_variable()?;
    let [operator] = &traversal.operators[..] else { return None };
    let TraversalOperator::GetAttr(name) = operator.value() else { return None };
    matches!(root.as_str(), "var" | "local").then(|| format!("{}.{}", root.as_str(), name.as_str()))
}

fn span(file: FileId, range: &Range<usize>) -> Span {
    let byte = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
    Span { file, start: byte(range.start), end: byte(range.end) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{parse::embedded, scalar::Dialect, source::Sources};

    fn blocks(text: &str) -> (Sources, Vec<Block>) {
        let sources = Sources::in_memory([("main.tf", text)]);
        let file = sources.find("main.tf").expect("it is there");
        let look = |name: &str| {
            let origin = Origin::at(Via::Written, None);
            (name == "var.size").then(|| Node::new(Scalar::plain("5"), origin))
        };
        let (blocks, _) = parse(text, file, &look).expect("it is HCL");
        (sources, blocks)
    }

    #[test]
    fn attributes_and_blocks() {
        let text = "resource \"a\" \"b\" {\n  size = var.size\n  other = var.other\n  pool {\n    max = 3\n  }\n  tags = { x = \"y\" }\n}\n";
        let (sources, blocks) = blocks(text);
        assert_eq!(blocks[0].labels, ["resource", "a", "b"]);
        let body = &blocks[0].body;
        assert_eq!(body.get("size").and_then(Node::as_int), Some(5));
        assert!(body.get("other").is_some_and(|it| it.unknown().is_some()));
        let max = body.get("pool").and_then(|it| it.items()[0].get("max")).expect("an inner block");
        assert_eq!(max.as_int(), Some(3));
        assert_eq!(sources.slice(max.origin.written_at().expect("written")), "3");
        assert_eq!(body.str_at("tags.x"), Some("y"));
        assert_eq!(
            sources.slice(blocks[0].origin.written_at().expect("written")),
            "resource \"a\" \"b\""
        );
    }

    #[test]
    fn yaml_in_a_heredoc_keeps_its_places() {
        let text =
            "data \"x\" \"y\" {\n  patch = <<-EOT\n    machine:\n      type: worker\n  EOT\n}\n";
        let (sources, blocks) = blocks(text);
        let patch = blocks[0].body.get("patch").expect("the attribute");
        let documents = embedded(&sources, patch, Dialect::Sigs);
        let root = documents.roots().next().expect("a document");
        let value = root.at("machine.type").expect("the key");
        assert_eq!(sources.slice(value.origin.written_at().expect("written")), "worker");
    }

    #[test]
    fn what_is_not_hcl() {
        let sources = Sources::in_memory([("main.tf", "a = \nb {")]);
        let file = sources.find("main.tf").expect("it is there");
        assert!(parse(sources.text(file), file, &|_| None).is_err());
    }
}
