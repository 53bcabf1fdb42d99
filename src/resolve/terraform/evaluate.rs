//! Expressions that are literal, or refer to what is.
//!
//! A text that is YAML or JSON and whose parts are known one by one is the tree that it reads as:
//! what is encoded, what a file holds, what fills a template.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    ops::Range,
};

use hcl_edit::{
    Span as _,
    expr::{Expression, FuncCall, Object, ObjectKey, Traversal, TraversalOperator},
    structure::{Block, Structure},
};

use super::{
    arguments::Arguments, code, functions, iterate::items_of, label, module::Module, operators,
};
use crate::{
    resolve::template,
    scalar::Scalar,
    source::{self, FileId, Sources, Span},
    tree::{self, Entry, Kind, Map, Node, Origin, Reason, ReasonKind, Via},
};

/// Starts a path below the root of the repository, where Terraform would have one below wherever
/// it runs: what `path.module` and `path.root` stand for.
pub(super) const MODULE: char = '\u{1}';

/// How deep expressions may refer to expressions; deeper ones refer to themselves.
const MAX_DEPTH: usize = 32;

/// How many expressions are evaluated for one module.
const MAX_WORK: usize = 200_000;

/// How many values are read from files for one module: each reference reads them again.
const MAX_READ: usize = 1_500_000;

/// Longer texts are not put together.
pub(super) const MAX_TEXT: usize = 4 << 20;

/// What evaluating takes, and what it reads.
#[derive(Debug)]
pub(crate) struct Work {
    /// How many expressions may still be evaluated, so that locals that double each other end.
    left: Cell<usize>,
    /// How many values may still be read from files.
    unread: Cell<usize>,
    /// How many expressions were not evaluated.
    refused: Cell<usize>,
    /// The files whose content is used.
    pub(super) read: RefCell<BTreeSet<FileId>>,
}

impl Default for Work {
    fn default() -> Self {
        let (left, unread) = (Cell::new(MAX_WORK), Cell::new(MAX_READ));
        Self { left, unread, refused: Cell::default(), read: RefCell::default() }
    }
}

/// Names that an expression may use besides those of its module: `each`, `count`, those of a `for`.
#[derive(Debug)]
pub(super) struct NameFrame<'a> {
    /// Their values, a map.
    names: Node,
    /// Those around it.
    outer: Option<&'a NameFrame<'a>>,
}

/// Where expressions are evaluated, and what for.
#[derive(Clone, Copy)]
pub(crate) struct TerraformScope<'a> {
    /// The files.
    pub(super) sources: &'a Sources,
    /// The module whose expressions they are.
    pub(super) module: &'a Module,
    /// The directory of the root module, in which Terraform runs.
    pub(super) root: &'a str,
    /// What the module's variables are.
    pub(super) arguments: &'a Arguments,
    /// What it takes.
    pub(super) work: &'a Work,
    /// What else has a name.
    pub(super) frame: Option<&'a NameFrame<'a>>,
    /// Whether a heredoc is its text with the holes in it, since the YAML is judged although
    /// Terraform fills in a part of it. Otherwise a hole that is not filled makes unknown what it
    /// touches.
    pub(super) as_written: bool,
}

/// The origin of what stands at `range` of `file`; what has no range stands at its start.
pub(crate) fn written(file: FileId, range: Option<Range<usize>>) -> Origin {
    Origin::written(Span::new(file, range.unwrap_or_default()))
}

impl<'a> TerraformScope<'a> {
    /// What `module` is with these `arguments` where Terraform runs in `root`.
    pub(crate) fn new(
        sources: &'a Sources,
        module: &'a Module,
        root: &'a str,
        arguments: &'a Arguments,
        work: &'a Work,
    ) -> Self {
        Self { sources, module, root, arguments, work, frame: None, as_written: false }
    }

    /// The same with heredocs as they are written.
    pub(crate) fn as_written(self) -> Self {
        Self { as_written: true, ..self }
    }
}

impl TerraformScope<'_> {
    /// The same where `names`, a map, have values, too.
    pub(super) fn with<T>(
        &self,
        names: Node,
        evaluate: impl FnOnce(&TerraformScope<'_>) -> T,
    ) -> T {
        let frame = NameFrame { names, outer: self.frame };
        evaluate(&TerraformScope { frame: Some(&frame), ..*self })
    }

    /// What `name` is, if it is none of its module's.
    fn named(&self, name: &str) -> Option<Node> {
        let mut frame = self.frame;
        while let Some(it) = frame {
            match it.names.look(name) {
                Ok(Some(value)) => return Some(value.clone()),
                Ok(None) => frame = it.outer,
                Err((why, at)) => {
                    let value = it.names.get(name).cloned();
                    return Some(value.unwrap_or_else(|| Node::unknown_value(why, &at)));
                }
            }
        }
        None
    }

    /// A block as a map: attributes by name, and the inner blocks of each type as a list. A dynamic
    /// block is as many as it goes over.
    pub(crate) fn block(&self, file: FileId, block: &Block) -> Node {
        let mut map = Map::default();
        let mut add = |name: &str, inner: Node| match map_list(&mut map, name) {
            Some(list) => list.push(inner),
            None => {
                let origin = inner.origin.clone();
                map.set(name, Node::new(vec![inner], origin));
            }
        };
        for structure in &block.body {
            let Structure::Block(inner) = structure else { continue };
            match label(inner, 0).filter(|_| inner.ident.as_str() == "dynamic") {
                Some(name) => {
                    for it in self.dynamic(file, inner, name) {
                        add(name, it);
                    }
                }
                None => add(inner.ident.as_str(), self.block(file, inner)),
            }
        }
        for attribute in block.body.attributes() {
            let key = written(file, attribute.key.span()).written_at();
            let value = self.value(file, &attribute.value, 0);
            map.insert(attribute.key.as_str(), Entry { key, value });
        }
        Node::new(map, written(file, block.ident.span()))
    }

    /// [`TerraformScope::block`], with the defaults of variables for what says which chart is
    /// installed: who sets another repository takes the same chart from it.
    pub(super) fn identified(&self, file: FileId, block: &Block) -> Node {
        let mut body = self.block(file, block);
        let arguments = Arguments::new(self.arguments.given.clone(), true);
        let scope = TerraformScope { arguments: &arguments, ..*self };
        for name in ["chart", "repository"] {
            let unknown = body.get(name).is_some_and(|it| it.unknown().is_some());
            if let Some(attribute) = block.body.get_attribute(name).filter(|_| unknown) {
                body.set(name, scope.value(file, &attribute.value, 0));
            }
        }
        body
    }

    /// A block as many times as it is repeated.
    pub(crate) fn repeated(&self, file: FileId, block: &Block) -> Vec<Node> {
        let repeated = self.instances(file, &block.body).into_iter();
        repeated.map(|(names, _)| self.with(names, |it| it.block(file, block))).collect()
    }

    /// Whether `block` is certainly repeated no time at all: `count = 0`.
    pub(crate) fn makes_none(&self, file: FileId, block: &Block) -> bool {
        self.instances(file, &block.body).is_empty()
    }

    /// The blocks that a dynamic one makes.
    fn dynamic(&self, file: FileId, block: &Block, name: &str) -> Vec<Node> {
        let Some(content) = block.body.get_blocks("content").next() else { return Vec::new() };
        let iterator = block.body.get_attribute("iterator").map(|it| it.value.to_string());
        let iterator = iterator.as_deref().map_or(name, str::trim);
        let Some(over) = block.body.get_attribute("for_each") else { return Vec::new() };
        let over = self.value(file, &over.value, 0);
        let make = |it: super::iterate::Item| {
            let perhaps = it.perhaps.clone();
            let made = self.with(it.named(iterator), |scope| scope.block(file, content));
            perhaps.map_or(made.clone(), |why| made.perhaps(why, false))
        };
        items_of(&over).into_iter().map(make).collect()
    }

    /// Takes note of one more expression; why it is not evaluated, if so.
    fn too_much(&self, depth: usize) -> Option<&'static str> {
        let left = self.work.left.get().checked_sub(1);
        self.work.left.set(left.unwrap_or_default());
        match left {
            _ if depth > MAX_DEPTH => Some("it refers to itself"),
            Some(_) => None,
            None => Some(super::release::TOO_LONG),
        }
    }

    /// Takes note of a file of so many values that is read; nothing more is evaluated after too many.
    pub(super) fn reads(&self, values: usize) {
        let unread = self.work.unread.get().checked_sub(values);
        self.work.unread.set(unread.unwrap_or_default());
        if unread.is_none() {
            self.work.left.set(0);
        }
    }

    /// What `expression` in `file` is.
    pub(crate) fn value(&self, file: FileId, expression: &Expression, depth: usize) -> Node {
        let at = written(file, expression.span());
        if let Some(why) = self.too_much(depth) {
            self.work.refused.update(|it| it + 1);
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
            Expression::Object(object) => literal(self.object(file, object, depth).into()),
            Expression::Parenthesis(it) => return next(it.inner()),
            Expression::StringTemplate(it) => self.text(file, it, &at, depth),
            Expression::HeredocTemplate(it) => self.heredoc(file, it, depth),
            Expression::Variable(it) => self.named(it.as_str()).unwrap_or_else(|| {
                Node::unknown_value(format!("`{}` is not evaluated", it.as_str()), &at)
            }),
            Expression::Traversal(it) => self.reference(file, it, depth),
            Expression::FuncCall(call) => self.call(file, call, &at, depth),
            Expression::Conditional(it) => {
                let (yes, no) = (next(&it.true_expr), next(&it.false_expr));
                // Texts have the same type, whatever they read as.
                let trees = yes.as_scalar().is_none() && no.as_scalar().is_none();
                let texts = trees && self.is_text(&it.true_expr, 0);
                match self.holds(file, &it.cond_expr, depth) {
                    Ok(true) if texts => yes,
                    Ok(false) if texts => no,
                    Ok(true) => operators::unified(&yes, &no),
                    Ok(false) => operators::unified(&no, &yes),
                    Err(why) => self.either(&yes, &no, &why),
                }
            }
            Expression::UnaryOp(it) => self.unary(file, it, &at, depth),
            Expression::BinaryOp(it) => self.binary(file, it, &at, depth),
            Expression::ForExpr(it) => self.for_each(file, it, &at, depth),
        };
        if self.as_written && node.unknown().is_some() && !is_absent(&node) {
            let line = at.written_at().and_then(|it| self.sources.slice(it).lines().next());
            let why = format!("Terraform computes `{}`", line.unwrap_or_default());
            return Node::unknown_value(why, &at);
        }
        node
    }

    /// Whether what `expression` gives is certainly a text.
    fn is_text(&self, expression: &Expression, depth: usize) -> bool {
        const TEXTS: [&str; 5] = ["file", "indent", "jsonencode", "templatefile", "yamlencode"];
        let inner = |it: &Expression| self.too_much(depth).is_none() && self.is_text(it, depth + 1);
        match expression {
            Expression::String(_)
            | Expression::StringTemplate(_)
            | Expression::HeredocTemplate(_) => true,
            Expression::FuncCall(it) => TEXTS.contains(&it.name.name.as_str()),
            Expression::Parenthesis(it) => inner(it.inner()),
            Expression::Conditional(it) => inner(&it.true_expr) || inner(&it.false_expr),
            Expression::Traversal(it) => code::local_name(it)
                .and_then(|name| self.module.local(name))
                .is_some_and(|(_, it)| inner(it)),
            _ => false,
        }
    }

    fn object(&self, file: FileId, object: &Object, depth: usize) -> Map {
        let mut map = Map::default();
        for (key, value) in object {
            let expression = value.expr();
            let value = self.value(file, expression, depth + 1);
            let place = code::key_before(self.sources.text(file), expression)
                .map(|range| Span::new(file, range));
            let text = place.map(|it| self.sources.slice(it)).unwrap_or_default();
            let name = match key {
                ObjectKey::Expression(it) if !matches!(it, Expression::String(_)) => {
                    let name = self.value(file, it, depth + 1);
                    name.as_scalar().map(|it| it.text.to_string())
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
        map
    }

    /// `name(…)`
    fn call(&self, file: FileId, call: &FuncCall, at: &Origin, depth: usize) -> Node {
        let name = call.name.name.as_str();
        match (name, call.args.get(0)) {
            ("templatefile", Some(path)) => {
                let variables = call.args.get(1).map(|it| self.value(file, it, depth + 1));
                let path = self.value(file, path, depth + 1);
                return self.file(&path, variables.as_ref(), at, depth);
            }
            ("file", Some(path)) => {
                return self.file(&self.value(file, path, depth + 1), None, at, depth);
            }
            _ => {}
        }
        let mut arguments: Vec<Node> =
            call.args.iter().map(|it| self.value(file, it, depth + 1)).collect();
        if name == "try" {
            // What is merely taken is there as a whole, whatever is in it.
            let is_taken = |it| matches!(it, &Expression::Traversal(_) | &Expression::Variable(_));
            let taken: Vec<bool> = call.args.iter().map(is_taken).collect();
            return functions::tried(&arguments, &taken, at);
        }
        if call.args.expand_final()
            && let Some(last) = arguments.pop()
        {
            arguments.extend(functions::items(&last));
        }
        self.function(name, &arguments, at)
            .unwrap_or_else(|| Node::unknown_value(format!("`{name}()` is not evaluated"), at))
    }

    /// `local.x`, `var.x`, `path.module`, `each.value.x`
    fn reference(&self, file: FileId, traversal: &Traversal, depth: usize) -> Node {
        let at = written(file, traversal.span());
        let mut operators = traversal.operators.iter().map(hcl_edit::Decorated::value);
        let Expression::Variable(base) = &traversal.expr else {
            let base = self.value(file, &traversal.expr, depth + 1);
            return self.accessed(file, base, operators, &at, depth);
        };
        let base = base.as_str();
        if let Some(value) = self.named(base) {
            let value = self.accessed(file, value, operators, &at, depth);
            return value.through(Via::Values, at.written_at());
        }
        let first = match operators.next() {
            Some(TraversalOperator::GetAttr(name)) => name.as_str(),
            Some(TraversalOperator::Index(Expression::String(name))) => name.value().as_str(),
            _ => return Node::unknown_value("it is computed", &at),
        };
        // What a module defines knows nothing of what is around an expression.
        let module = TerraformScope { frame: None, ..*self };
        let value = match base {
            "path" => match first {
                "module" => return Node::new(below(&self.module.dir), at),
                _ => return Node::new(below(self.root), at),
            },
            "local" => match module.local(first, depth) {
                Some(value) => value,
                None => {
                    let why = format!("`local.{first}` is not defined here");
                    return Node::unknown_value(why, &at);
                }
            },
            "var" => match module.argument(first, depth) {
                Some(value) => value,
                None => {
                    let why = format!("`var.{first}` is set outside of the code");
                    return Node::unknown_value(why, &at);
                }
            },
            base => match module.configured(base, first, &mut operators, depth) {
                Some(value) => value,
                None => {
                    let why = format!("`{base}.{first}` is known only to Terraform");
                    return Node::unknown_value(why, &at);
                }
            },
        };
        let value = self.accessed(file, value, operators, &at, depth);
        value.through(Via::Values, at.written_at())
    }

    /// What the code says of an attribute of a resource: a provider has to preserve that, see
    /// `docs/resource-instance-change-lifecycle.md` of hashicorp/terraform.
    fn configured<'t>(
        &self,
        kind: &str,
        name: &str,
        operators: &mut impl Iterator<Item = &'t TraversalOperator>,
        depth: usize,
    ) -> Option<Node> {
        let is_it = |it: &Block| label(it, 0) == Some(kind) && label(it, 1) == Some(name);
        let (file, block) = self.module.blocks("resource").find(|(_, it)| is_it(it))?;
        let mut body = &block.body;
        let may_differ = |it: &str| body.has_attribute(it) || body.has_blocks(it);
        if ["count", "for_each", "lifecycle"].into_iter().any(may_differ) {
            return None;
        }
        loop {
            let TraversalOperator::GetAttr(name) = operators.next()? else { return None };
            if let Some(attribute) = body.get_attribute(name) {
                return Some(self.value(file, &attribute.value, depth + 1));
            }
            let TraversalOperator::Index(Expression::Number(index)) = operators.next()? else {
                return None;
            };
            let index = usize::try_from(index.value().as_u64()?).ok()?;
            body = &body.get_blocks(name).nth(index)?.body;
        }
    }

    /// What `.name`, `[index]` and `[*]` take of `value`.
    fn accessed<'t>(
        &self,
        file: FileId,
        mut value: Node,
        operators: impl Iterator<Item = &'t TraversalOperator>,
        at: &Origin,
        depth: usize,
    ) -> Node {
        let mut operators = operators.peekable();
        while let Some(operator) = operators.next() {
            if value.unknown().is_some() {
                return value;
            }
            let key = match operator {
                TraversalOperator::GetAttr(name) => Node::new(name.as_str(), at.clone()),
                TraversalOperator::LegacyIndex(index) => {
                    Node::new(Scalar::plain(index.value().to_string()), at.clone())
                }
                TraversalOperator::Index(it) => self.value(file, it, depth + 1),
                TraversalOperator::AttrSplat(_) | TraversalOperator::FullSplat(_) => {
                    // `.*` is for attributes only: an index after it is one of what comes of them.
                    let full = matches!(operator, TraversalOperator::FullSplat(_));
                    let is_its = |it: &&TraversalOperator| {
                        full || matches!(it, TraversalOperator::GetAttr(_))
                    };
                    let mut its: Vec<&TraversalOperator> = Vec::new();
                    while let Some(it) = operators.next_if(is_its) {
                        its.push(it);
                    }
                    let all = if value.is_null() { Vec::new() } else { splat(&value) };
                    let of = |it: &Node| {
                        self.accessed(file, it.clone(), its.iter().copied(), at, depth + 1)
                    };
                    value = Node::new(all.iter().map(of).collect::<Vec<_>>(), at.clone());
                    continue;
                }
            };
            value = element(&value, &key, at);
        }
        value
    }

    /// What a local is; `None` where the module has none of that name. To take it again takes as much
    /// as to evaluate it: what doubles is as large.
    fn local(&self, name: &str, depth: usize) -> Option<Node> {
        let Work { left, unread, refused, .. } = self.work;
        let known = self.arguments.local(name);
        if let Some((value, [work, reads])) = known
            && let Some(rest) = left.get().checked_sub(work)
            && let Some(unread_rest) = unread.get().checked_sub(reads)
        {
            left.set(rest);
            unread.set(unread_rest);
            return Some(value);
        }
        let before = (left.get(), unread.get(), refused.get());
        let (file, expression) = self.module.local(name)?;
        let value = self.value(file, expression, depth + 1);
        // What is too deep here need not be so elsewhere.
        if refused.get() == before.2 {
            self.arguments.keep(name, &value, [before.0 - left.get(), before.1 - unread.get()]);
        }
        Some(value)
    }

    /// What there is in both cases; what there is in one of them may be there. A text beside a tree
    /// is one that can be read as such.
    pub(super) fn either(&self, yes: &Node, no: &Node, why: &Reason) -> Node {
        let is_text = |it: &Node| it.as_str().is_some();
        let is_tree = |it: &Node| it.as_map().is_some();
        let read = |it: &Node| if is_text(it) { self.yaml(it) } else { it.clone() };
        let texts = is_text(yes) && is_text(no) && yes.value() != no.value();
        let (first, last) = match (is_tree(yes), is_tree(no)) {
            (true, false) if is_text(no) => (yes.clone(), read(no)),
            (false, true) if is_text(yes) => (read(yes), no.clone()),
            (false, false) if texts => (read(yes), read(no)),
            _ => (yes.clone(), no.clone()),
        };
        let trees = is_tree(&first) && is_tree(&last);
        let (first, last) = if trees { (&first, &last) } else { (yes, no) };
        template::either(first, last, why, &|it| it.clone().perhaps(why.clone(), false))
    }

    /// The path in the repository of what Terraform finds at `path`.
    pub(super) fn path(&self, path: &str) -> Option<String> {
        match path.strip_prefix(MODULE) {
            Some(path) => source::join("", path),
            None => source::join(self.root, path),
        }
    }
}

/// The list at `name`, to add to it.
fn map_list<'m>(map: &'m mut Map, name: &str) -> Option<&'m mut Vec<Node>> {
    map.get_mut(name).and_then(Node::as_list_mut)
}

/// What `[*]` goes over.
fn splat(value: &Node) -> Vec<Node> {
    value.as_list().map_or_else(|| vec![value.clone()], <[Node]>::to_vec)
}

/// `value[key]`
pub(super) fn element(value: &Node, key: &Node, at: &Origin) -> Node {
    let unknown = |why: Reason| Node::unknown_value(why, at);
    if let Some(why) = key.unknown() {
        // It is one of them.
        let all = value.entries().map(|(_, it)| it.value.clone()).chain(value.items().to_vec());
        let is_open = value.as_map().is_some_and(|it| it.open.is_some());
        let any = all.reduce(|any, it| tree::join(&any, &it, why)).filter(|_| !is_open);
        return any.unwrap_or_else(|| unknown(why.clone()));
    }
    let text = key.as_scalar().map_or("", |it| &*it.text);
    match &value.kind {
        Kind::Map(map) => match (map.get(text), &map.open) {
            (Some(found), _) => found.clone(),
            (None, Some(why)) => unknown(why.clone()),
            (None, None) => unknown(absent()),
        },
        Kind::List(items) => {
            let uncertain = items.iter().find_map(|it| it.if_there().and(it.unknown()));
            match (text.parse::<usize>().ok().and_then(|it| items.get(it)), uncertain) {
                (_, Some(why)) => unknown(why.clone()),
                (Some(found), None) => found.clone(),
                (None, None) => unknown(absent()),
            }
        }
        Kind::Unknown(why) => unknown(why.clone()),
        Kind::Scalar(_) => unknown(absent()),
    }
}

/// Why what is certainly not there has no value.
pub(super) fn absent() -> Reason {
    Reason::from("there is no such key").of_kind(ReasonKind::NoSuchKey)
}

/// Whether `node` is what is certainly not there.
pub(super) fn is_absent(node: &Node) -> bool {
    node.unknown().is_some_and(|it| it.kind() == ReasonKind::NoSuchKey)
}

/// What `path.module` stands for in `dir`: something that may be followed by a slash.
fn below(dir: &str) -> String {
    format!("{MODULE}{}", if dir.is_empty() { "." } else { dir })
}
