//! Expressions that are literal, or refer to what is.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use hcl_edit::{
    Span as _,
    expr::{Expression, FuncCall, ObjectKey, Traversal, TraversalOperator},
    structure::{Block, Structure},
    template::{Element, HeredocTemplate, Template},
};

use super::{Module, code, operators};
use crate::{
    parse,
    placeholder::Placeholder,
    resolve::{
        helm, install,
        template::{self, Hole},
    },
    scalar::{Dialect, Scalar, Style},
    source::{self, FileId, Sources, Span, Text},
    tree::{Entry, Kind, Map, Node, Origin, Reason, Via},
};

/// Starts a path below the root of the repository, where Terraform would have one below wherever
/// it runs: what `path.module` and `path.root` stand for.
pub(super) const MODULE: char = '\u{1}';

/// How deep expressions may refer to expressions; deeper ones refer to themselves.
const MAX_DEPTH: usize = 32;

/// How many expressions are evaluated for one module.
pub(crate) const MAX_WORK: usize = 200_000;

/// Where expressions are evaluated, and what for.
#[derive(Clone, Copy)]
pub(crate) struct TerraformScope<'a> {
    /// The files.
    pub(crate) sources: &'a Sources,
    /// The module whose expressions they are.
    pub(crate) module: &'a Module,
    /// The directory of the root module, in which Terraform runs.
    pub(crate) root: &'a str,
    /// What the module's variables are given; `None` where that is decided outside of the code.
    pub(crate) arguments: Option<&'a BTreeMap<String, Node>>,
    /// How many expressions may still be evaluated, so that locals that double each other end.
    pub(crate) work: &'a Cell<usize>,
    /// Whether a heredoc is its text with the holes in it, and what is encoded stays a tree, since
    /// the YAML is judged although Terraform fills in a part of it. Otherwise a hole that is not
    /// filled makes the text unknown.
    pub(crate) as_written: bool,
}

/// The origin of what stands at `range` of `file`; what has no range stands at its start.
pub(crate) fn written(file: FileId, range: Option<Range<usize>>) -> Origin {
    Origin::written(Span::new(file, range.unwrap_or_default()))
}

impl TerraformScope<'_> {
    /// A block as a map: attributes by name, and the inner blocks of each type as a list.
    pub(crate) fn block(&self, file: FileId, block: &Block) -> Node {
        let mut map = Map::default();
        for structure in &block.body {
            match structure {
                Structure::Attribute(it) => {
                    let key = written(file, it.key.span()).written_at();
                    let value = self.value(file, &it.value, 0);
                    map.insert(it.key.as_str(), Entry { key, value });
                }
                Structure::Block(block) => {
                    let inner = self.block(file, block);
                    let name = block.ident.as_str();
                    match map.get_mut(name).and_then(Node::as_list_mut) {
                        Some(list) => list.push(inner),
                        None => {
                            let origin = inner.origin.clone();
                            map.set(name, Node::new(vec![inner], origin));
                        }
                    }
                }
            }
        }
        Node::new(map, written(file, block.ident.span()))
    }

    /// Takes note of one more expression; why it is not evaluated, if so.
    fn too_much(&self, depth: usize) -> Option<&'static str> {
        let left = self.work.get().checked_sub(1);
        self.work.set(left.unwrap_or_default());
        match left {
            _ if depth > MAX_DEPTH => Some("it refers to itself"),
            Some(_) => None,
            None => Some("it takes too long to evaluate"),
        }
    }

    /// What `expression` in `file` is.
    pub(crate) fn value(&self, file: FileId, expression: &Expression, depth: usize) -> Node {
        let at = written(file, expression.span());
        if let Some(why) = self.too_much(depth) {
            return Node::unknown_value(why, &at);
        }
        let next = |it: &Expression| self.value(file, it, depth + 1);
        let literal = |kind: Kind| Node::new(kind, at.clone());
        let node = match expression {
            Expression::Null(_) => literal(Scalar::null().into()),
            Expression::Bool(it) => literal((*it.value()).into()),
            Expression::Number(it) => literal(Scalar::plain(it.value().to_string()).into()),
            Expression::String(it) => literal(it.value().as_str().into()),
            Expression::Array(items) => literal(items.iter().map(next).collect::<Vec<_>>().into()),
            Expression::Object(object) => {
                let mut map = Map::default();
                for (key, value) in object {
                    let (expression, value) = (value.expr(), next(value.expr()));
                    let place = code::key_before(self.sources.text(file), expression)
                        .map(|range| Span::new(file, range));
                    let text = place.map(|it| self.sources.slice(it)).unwrap_or_default();
                    let name = match key {
                        ObjectKey::Expression(it) if !matches!(it, Expression::String(_)) => {
                            next(it).as_scalar().map(|it| it.text.to_string())
                        }
                        _ => Some(code::name(key, text).to_owned()),
                    };
                    match name {
                        Some(name) => {
                            map.insert(name, Entry { key: place, value });
                        }
                        None => map.open = Some("one of its keys is computed".into()),
                    }
                }
                literal(map.into())
            }
            Expression::Parenthesis(it) => return next(it.inner()),
            Expression::StringTemplate(it) => self.text(file, it, &at, depth),
            Expression::HeredocTemplate(it) => match self.heredoc(file, it, depth) {
                Ok((node, holes)) => template::fill(&node, &holes),
                Err(why) => Node::unknown_value(why, &at),
            },
            Expression::Traversal(it) => self.reference(file, it, depth),
            Expression::FuncCall(call) => match (call.name.name.as_str(), call.args.get(0)) {
                (
                    "tostring" | "tonumber" | "tobool" | "tolist" | "toset" | "trimspace"
                    | "abspath",
                    Some(it),
                ) => return next(it),
                ("yamlencode" | "jsonencode", Some(it)) if self.as_written => return next(it),
                (name, _) => self.function(file, call, &at, depth).unwrap_or_else(|| {
                    Node::unknown_value(format!("`{name}()` is not evaluated"), &at)
                }),
            },
            Expression::Conditional(it) => {
                let (yes, no) = (next(&it.true_expr), next(&it.false_expr));
                match self.holds(file, it, depth) {
                    Ok(true) => operators::unified(&yes, &no),
                    Ok(false) => operators::unified(&no, &yes),
                    Err(why) => operators::either(&yes, &no, &why),
                }
            }
            Expression::UnaryOp(it) => self.unary(file, it, &at, depth),
            Expression::BinaryOp(it) => self.binary(file, it, &at, depth),
            _ => Node::unknown_value("it is computed", &at),
        };
        if self.as_written && node.unknown().is_some() {
            let line = at.written_at().and_then(|it| self.sources.slice(it).lines().next());
            let why = format!("Terraform computes `{}`", line.unwrap_or_default());
            return Node::unknown_value(why, &at);
        }
        node
    }

    /// `"…${…}…"`
    fn text(&self, file: FileId, template: &Template, at: &Origin, depth: usize) -> Node {
        if let Some(Element::Interpolation(only)) = template.as_single_element() {
            return self.value(file, &only.expr, depth + 1);
        }
        let mut text = String::new();
        let mut origin = at.clone();
        for element in template {
            match element {
                Element::Literal(it) => text += it.as_str(),
                Element::Interpolation(it) => {
                    let value = self.value(file, &it.expr, depth + 1);
                    match (&value.kind, value.as_scalar()) {
                        (Kind::Unknown(why), _) => return Node::unknown_value(why.clone(), at),
                        (_, Some(scalar)) => text += &scalar.text,
                        _ => return Node::unknown_value("it is computed", at),
                    }
                    if origin == *at {
                        origin = at.filled(Via::Values, &value.origin);
                    }
                }
                Element::Directive(_) => {
                    return Node::unknown_value("a directive is not evaluated", at);
                }
            }
        }
        Node::new(Scalar::string(text), origin)
    }

    /// The text of a heredoc, without the indentation that `<<-` takes away, and its holes.
    fn heredoc(
        &self,
        file: FileId,
        heredoc: &HeredocTemplate,
        depth: usize,
    ) -> Result<(Node, Vec<Hole>), Reason> {
        let range = heredoc.template.span().unwrap_or_default();
        let source = self.sources.text(file).get(range.clone()).unwrap_or_default();
        if !self.as_written && (source.contains("$${") || source.contains("%%{")) {
            return Err("escapes in a heredoc are not evaluated".into());
        }
        let indent = heredoc.indent().unwrap_or(0);
        let mut text = String::new();
        // Where each line starts in the source, and how much more of it is taken away.
        let mut lines = Vec::new();
        for (at, line) in source::lines(source) {
            let spaces = line.len() - line.trim_start_matches([' ', '\t']).len();
            let cut = indent.min(spaces);
            lines.push((at + cut, text.len()));
            text += line.get(cut..).unwrap_or_default();
        }
        let inner = |offset: usize| {
            let offset = offset.saturating_sub(range.start);
            let line = lines.partition_point(|(start, _)| *start <= offset).checked_sub(1)?;
            lines.get(line).map(|(start, inner)| inner + (offset - start))
        };
        let mut holes = Vec::new();
        for element in heredoc.template.iter().filter(|_| !self.as_written) {
            match element {
                Element::Literal(_) => {}
                Element::Directive(_) => return Err("a directive is not evaluated".into()),
                Element::Interpolation(it) => {
                    let span = it.span().unwrap_or_default();
                    let (Some(start), Some(end)) = (inner(span.start), inner(span.end)) else {
                        return Err("it is computed".into());
                    };
                    let value = self.value(file, &it.expr, depth + 1);
                    holes.push(Hole { range: start..end, fill: plain(&value) });
                }
            }
        }
        let scalar = Scalar { text: text.into(), style: Style::Literal, tag: None };
        Ok((Node::new(scalar, written(file, Some(range))), holes))
    }

    /// `local.x`, `var.x`, `path.module`
    fn reference(&self, file: FileId, traversal: &Traversal, depth: usize) -> Node {
        let at = written(file, traversal.span());
        let Expression::Variable(base) = &traversal.expr else {
            return Node::unknown_value("it is computed", &at);
        };
        let mut names = traversal.operators.iter().map(|it| match it.value() {
            TraversalOperator::GetAttr(name) => Some(name.as_str()),
            TraversalOperator::Index(Expression::String(name)) => Some(name.value().as_str()),
            _ => None,
        });
        let Some(Some(first)) = names.next() else {
            return Node::unknown_value("it is computed", &at);
        };
        let through = |value: Node| value.through(Via::Values, at.written_at());
        let mut value = match base.as_str() {
            "path" => match first {
                "module" => Node::new(below(&self.module.dir), at.clone()),
                _ => Node::new(below(self.root), at.clone()),
            },
            "local" => match self.module.local(first) {
                Some((file, expression)) => through(self.value(file, expression, depth + 1)),
                None => Node::unknown_value(format!("`local.{first}` is not defined here"), &at),
            },
            "var" => match self.argument(first, depth) {
                Some(value) => through(value),
                None => {
                    Node::unknown_value(format!("`var.{first}` is set outside of the code"), &at)
                }
            },
            base => {
                Node::unknown_value(format!("`{base}.{first}` is known only to Terraform"), &at)
            }
        };
        for name in names {
            if value.unknown().is_some() {
                return value;
            }
            let found = name.and_then(|name| value.get(name)).cloned();
            value = found.unwrap_or_else(|| Node::unknown_value("it is computed", &at));
        }
        value
    }

    /// What a child module's variable is; `None` in a root module.
    fn argument(&self, name: &str, depth: usize) -> Option<Node> {
        if let Some(value) = self.arguments?.get(name) {
            return Some(value.clone());
        }
        let (file, default) = self.module.default(name)?;
        Some(self.value(file, default, depth + 1))
    }

    /// The layers of `values`, a list of texts that are YAML.
    ///
    /// # Errors
    /// Why nobody can tell how many there are.
    pub(super) fn layers(
        &self,
        file: FileId,
        expression: &Expression,
        depth: usize,
        read: &mut BTreeSet<FileId>,
    ) -> Result<Vec<Node>, Reason> {
        let computed = || Err("its values are computed".into());
        if let Some(why) = self.too_much(depth) {
            return Err(why.into());
        }
        match expression {
            Expression::Array(items) => {
                Ok(items.iter().map(|it| self.layer(file, it, depth, read)).collect())
            }
            Expression::Parenthesis(it) => self.layers(file, it.inner(), depth + 1, read),
            Expression::FuncCall(call)
                if ["concat", "compact"].contains(&call.name.name.as_str())
                    && !call.args.expand_final() =>
            {
                let lists = call.args.iter().map(|it| self.layers(file, it, depth + 1, read));
                Ok(lists.collect::<Result<Vec<_>, _>>()?.concat())
            }
            Expression::Conditional(it) => {
                let mut side = |it| self.layers(file, it, depth + 1, read);
                let why = match self.holds(file, it, depth) {
                    Ok(holds) => return side(if holds { &it.true_expr } else { &it.false_expr }),
                    Err(why) => why,
                };
                let nothing = Node::new(Map::default(), written(file, expression.span()));
                let mut side = |it| -> Result<Node, Reason> {
                    let layers = side(it)?;
                    Ok(layers.iter().fold(nothing.clone(), |all, it| helm::merge(&all, it)))
                };
                Ok(vec![operators::either(&side(&it.true_expr)?, &side(&it.false_expr)?, &why)])
            }
            Expression::Traversal(it) => {
                if let Some(name) = local_name(it) {
                    return match self.module.local(name) {
                        Some((file, expression)) => self.layers(file, expression, depth + 1, read),
                        None => Err(format!("`local.{name}` is not defined here").into()),
                    };
                }
                // What the caller passes.
                let list = self.value(file, expression, depth + 1);
                let Some(items) = list.as_list() else { return computed() };
                Ok(items.iter().map(|it| self.yaml(it)).collect())
            }
            _ => computed(),
        }
    }

    /// What a module's caller passes. Texts in a list that are values of a chart are read where they
    /// are known to be YAML.
    pub(super) fn passed(
        &self,
        file: FileId,
        expression: &Expression,
        read: &mut BTreeSet<FileId>,
    ) -> Node {
        const TEXTS: [&str; 4] = ["file", "templatefile", "yamlencode", "jsonencode"];
        let items = match expression {
            Expression::Array(items) => items,
            Expression::Conditional(it) => {
                let mut side = |it| self.passed(file, it, read);
                let (yes, no) = (side(&it.true_expr), side(&it.false_expr));
                return match self.holds(file, it, 0) {
                    Ok(true) => yes,
                    Ok(false) => no,
                    Err(why) => operators::either(&yes, &no, &why),
                };
            }
            _ => return self.value(file, expression, 0),
        };
        let items = items.iter().map(|item| match item {
            Expression::FuncCall(it) if TEXTS.contains(&it.name.name.as_str()) => {
                self.layer(file, item, 0, read)
            }
            _ => self.value(file, item, 0),
        });
        Node::new(items.collect::<Vec<_>>(), written(file, expression.span()))
    }

    /// What an item of `values`, text that is YAML, reads as: a map, or unknown.
    pub(super) fn layer(
        &self,
        file: FileId,
        expression: &Expression,
        depth: usize,
        read: &mut BTreeSet<FileId>,
    ) -> Node {
        let at = written(file, expression.span());
        if let Some(why) = self.too_much(depth) {
            return Node::unknown_value(why, &at);
        }
        match expression {
            Expression::FuncCall(call) => self.call(file, call, &at, depth, read),
            Expression::Conditional(it) => {
                let mut side = |it| self.layer(file, it, depth + 1, read);
                match self.holds(file, it, depth) {
                    Ok(true) => side(&it.true_expr),
                    Ok(false) => side(&it.false_expr),
                    Err(why) => {
                        operators::either(&side(&it.true_expr), &side(&it.false_expr), &why)
                    }
                }
            }
            Expression::Parenthesis(it) => self.layer(file, it.inner(), depth + 1, read),
            Expression::HeredocTemplate(it) => match self.heredoc(file, it, depth) {
                Ok((node, holes)) => self.filled(&node, &holes),
                Err(why) => Node::unknown_value(why, &at),
            },
            Expression::StringTemplate(it) => match it.as_single_element() {
                Some(Element::Interpolation(only)) => self.layer(file, &only.expr, depth + 1, read),
                _ => self.yaml(&self.value(file, expression, depth)),
            },
            Expression::Traversal(it) => {
                let local = local_name(it).and_then(|name| self.module.local(name));
                match local {
                    Some((file, expression)) => self
                        .layer(file, expression, depth + 1, read)
                        .through(Via::Values, at.written_at()),
                    None => self.yaml(&self.value(file, expression, depth)),
                }
            }
            _ => self.yaml(&self.value(file, expression, depth)),
        }
    }

    fn call(
        &self,
        file: FileId,
        call: &FuncCall,
        at: &Origin,
        depth: usize,
        read: &mut BTreeSet<FileId>,
    ) -> Node {
        let name = call.name.name.as_str();
        let Some(first) = call.args.get(0) else {
            return Node::unknown_value("it is computed", at);
        };
        match name {
            "yamlencode" | "jsonencode" => {
                let value = self.value(file, first, depth + 1);
                if value.as_map().is_some() || value.unknown().is_some() {
                    value
                } else {
                    Node::unknown_value("it encodes something that is no object", at)
                }
            }
            "trimspace" | "tostring" => self.layer(file, first, depth + 1, read),
            "file" | "templatefile" => {
                let path = self.value(file, first, depth + 1);
                if let Some(why) = path.unknown() {
                    return Node::unknown_value(why.clone(), at);
                }
                let found = path.as_str().and_then(|it| self.path(it));
                let found = found.and_then(|path| self.sources.find(&path));
                let Some(target) = found else {
                    return Node::unknown_value(
                        "the file that it reads is not in the repository",
                        at,
                    );
                };
                read.insert(target);
                let arguments = call.args.get(1).filter(|_| name == "templatefile");
                let layer = match arguments {
                    Some(it) => self.template_file(target, &self.value(file, it, depth + 1), at),
                    None => match install::read_values(self.sources, target, at) {
                        Ok(values) => values,
                        Err(problem) => Node::unknown_value(problem.message, at),
                    },
                };
                layer.through(Via::Values, at.written_at())
            }
            _ => Node::unknown_value(format!("`{name}()` is not evaluated"), at),
        }
    }

    /// A template file with `${name}` filled from `variables`.
    fn template_file(&self, file: FileId, variables: &Node, at: &Origin) -> Node {
        let sources = self.sources;
        let Text::Utf8(content) = sources.load(file) else {
            return Node::unknown_value("the file that it reads is not text", at);
        };
        if Placeholder::Directive.is_in(content) || content.contains("$${") {
            return Node::unknown_value("directives of the file's template are not evaluated", at);
        }
        let holes = template::between(content, "${", "}").into_iter().map(|range| {
            let name = content[range.clone()].trim_matches(['$', '{', '}']).trim();
            let known = match variables.look(name) {
                Ok(Some(value)) => plain(value),
                Ok(None) => Err(format!("`{name}` is not evaluated").into()),
                Err((why, _)) => Err(why),
            };
            Hole { range, fill: known }
        });
        let holes: Vec<Hole> = holes.collect();
        self.filled(&parse::whole(sources, file), &holes)
    }

    /// Text with holes as values.
    fn filled(&self, node: &Node, holes: &[Hole]) -> Node {
        if holes.is_empty() {
            return self.yaml(node);
        }
        match template::fill_yaml(self.sources, node, holes).as_deref() {
            Ok([values]) if values.as_map().is_some() || values.unknown().is_some() => {
                values.clone()
            }
            Ok([]) => Node::new(Map::default(), node.origin.clone()),
            Ok(_) => Node::unknown_value("its values are not one mapping", &node.origin),
            Err(why) => Node::unknown_value(why.clone(), &node.origin),
        }
    }

    /// Text as values.
    fn yaml(&self, node: &Node) -> Node {
        if let Some(why) = node.unknown() {
            return Node::unknown_value(why.clone(), &node.origin);
        }
        if node.as_map().is_some() {
            return node.clone();
        }
        // The provider passes over a null.
        if node.is_null() {
            return Node::new(Map::default(), node.origin.clone());
        }
        if node.as_str().is_none() {
            return Node::unknown_value("its values are not text", &node.origin);
        }
        let documents = parse::embedded(self.sources, node, Dialect::Sigs);
        match helm::layer(&documents, &node.origin) {
            Ok(values) => values,
            Err(problem) => Node::unknown_value(problem.message, &node.origin),
        }
    }

    /// The path in the repository of what Terraform finds at `path`.
    pub(super) fn path(&self, path: &str) -> Option<String> {
        match path.strip_prefix(MODULE) {
            Some(path) => source::join("", path),
            None => source::join(self.root, path),
        }
    }
}

/// What `path.module` stands for in `dir`: something that may be followed by a slash.
fn below(dir: &str) -> String {
    format!("{MODULE}{}", if dir.is_empty() { "." } else { dir })
}

/// What fills a hole of a template: the text of a scalar.
fn plain(value: &Node) -> Result<Node, Reason> {
    match (value.unknown(), template::printed(value)) {
        (Some(why), _) => Err(why.clone()),
        (None, Some(text)) => Ok(Node::new(Scalar::plain(text), value.origin.clone())),
        (None, None) => Err("it is no text".into()),
    }
}

/// The name of `local.name`, without anything after it.
fn local_name(traversal: &Traversal) -> Option<&str> {
    let local = matches!(&traversal.expr, Expression::Variable(it) if it.as_str() == "local");
    match traversal.operators.first().map(hcl_edit::Decorated::value) {
        Some(TraversalOperator::GetAttr(name)) if local && traversal.operators.len() == 1 => {
            Some(name.as_str())
        }
        _ => None,
    }
}
