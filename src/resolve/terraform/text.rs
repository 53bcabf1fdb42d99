//! Texts with expressions in them: strings, heredocs, and the files that functions read.

use std::ops::Range;

use hcl_edit::{
    Span as _,
    expr::Expression,
    parser,
    template::{Directive, Element, HeredocTemplate, Template},
};

use super::{
    evaluate::{TerraformScope, written},
    functions,
    iterate::items_of,
    literals::{TemplateLiterals, TemplateNotation},
};
use crate::{
    parse,
    resolve::{
        gotemplate::{GoValue, MarkedText, PrintedDocument},
        helm, install,
        template::{self, Hole},
    },
    scalar::{Dialect, Scalar, Style},
    source::{self, FileId, Span, Text},
    tree::{Map, Node, Origin, Reason, ReasonKind, Via},
};

/// Texts that are indented deeper are none that anybody writes.
const MAX_INDENT: usize = 200;

/// What the expressions and directives of a template come to.
#[derive(Default)]
struct TemplateParts {
    holes: Vec<Hole>,
    /// What is not there when conditions hold that nobody can tell, and what when they do not.
    cut: [Vec<Range<usize>>; 2],
    /// Why nobody can tell whether they do.
    why: Option<Reason>,
}

impl TerraformScope<'_> {
    /// `"…${…}…"`
    pub(super) fn text(&self, file: FileId, it: &Template, at: &Origin, depth: usize) -> Node {
        if let Some(Element::Interpolation(only)) = it.as_single_element() {
            return self.value(file, &only.expr, depth + 1);
        }
        let literals = TemplateLiterals::new(self.sources, file, it, TemplateNotation::Quoted);
        let mut text = MarkedText::default();
        match self.print(file, it, &literals, depth, &mut text) {
            Ok(()) => {
                let first = text.values().next();
                let origin = first.map_or_else(|| at.clone(), |it| at.filled(Via::Values, it));
                Node::new(Scalar::string(text.as_str()), origin)
            }
            Err(why) => Node::unknown_value(why, at),
        }
    }

    /// Adds what a template prints.
    ///
    /// # Errors
    /// Why nobody can tell all of it.
    fn print(
        &self,
        file: FileId,
        template: &Template,
        literals: &TemplateLiterals,
        depth: usize,
        into: &mut MarkedText,
    ) -> Result<(), Reason> {
        for element in template {
            match element {
                Element::Literal(_) => {
                    if let Some(text) = literals.text(element) {
                        into.push(text);
                    }
                }
                Element::Interpolation(it) => {
                    let hole = it.span().filter(|_| !literals.is_quoted);
                    let hole = hole.map(|it| Span::new(file, it));
                    match self.interpolated(file, &it.expr, hole, depth + 1) {
                        Err(why) if literals.with_holes => {
                            let at = written(file, it.span());
                            into.push(&MarkedText::unknown(&why, &at));
                        }
                        text => into.push(&text?),
                    }
                }
                Element::Directive(it) => self.directive(file, it, literals, depth, into)?,
            }
            if into.is_cut {
                return Err("the text is too long".into());
            }
        }
        Ok(())
    }

    /// Adds what `%{ if … }` or `%{ for … }` prints.
    fn directive(
        &self,
        file: FileId,
        directive: &Directive,
        literals: &TemplateLiterals,
        depth: usize,
        into: &mut MarkedText,
    ) -> Result<(), Reason> {
        match directive {
            Directive::If(it) => {
                let holds = self.holds(file, &it.if_expr.cond_expr, depth);
                let other = it.else_expr.as_ref().map(|it| &it.template);
                let sides = [(Some(&it.if_expr.template), true), (other, false)];
                for (side, then) in sides {
                    let start = into.len();
                    match (side, &holds) {
                        (Some(shown), Ok(holds)) if *holds == then => {
                            self.print(file, shown, literals, depth + 1, into)?;
                        }
                        (Some(shown), Err(why)) if literals.with_holes => {
                            self.print(file, shown, literals, depth + 1, into)?;
                            into.perhaps_from(start, why, then);
                        }
                        (_, Err(why)) if !literals.with_holes => return Err(why.clone()),
                        _ => {}
                    }
                }
                Ok(())
            }
            Directive::For(it) => {
                let it = &it.for_expr;
                let over = self.value(file, &it.collection_expr, depth + 1);
                for item in items_of(&over) {
                    let start = into.len();
                    let perhaps = item.perhaps;
                    if let Some(why) = perhaps.as_ref().filter(|_| !literals.with_holes) {
                        return Err(why.clone());
                    }
                    let mut names = vec![(it.value_var.as_str(), item.value)];
                    names.extend(it.key_var.as_ref().map(|it| (it.as_str(), item.key)));
                    let names = Node::new(names.into_iter().collect::<Map>(), over.origin.clone());
                    self.with(names, |scope| {
                        scope.print(file, &it.template, literals, depth + 1, into)
                    })?;
                    if let Some(why) = &perhaps {
                        into.perhaps_from(start, why, true);
                    }
                }
                Ok(())
            }
        }
    }

    /// What an expression prints at `hole`, if that is a place of its own.
    fn interpolated(
        &self,
        file: FileId,
        expression: &Expression,
        hole: Option<Span>,
        depth: usize,
    ) -> Result<MarkedText, Reason> {
        let known = |it: &Expression| {
            let value = self.value(file, it, depth + 1);
            match functions::unknown_in(&value) {
                Some(why) => Err(why),
                None => Ok(value.map_origins(&|it| match (hole, it.written_at()) {
                    (Some(_), Some(_)) => it.through(Via::Templated, hole),
                    (Some(hole), None) => Origin::written(hole),
                    (None, _) => it.clone(),
                })),
            }
        };
        let text = |it: &Node| plain(it).map(|it| MarkedText::of_node(&it));
        let call = match expression {
            Expression::FuncCall(it) => &**it,
            _ => return text(&known(expression)?),
        };
        let arguments: Vec<&Expression> = call.args.iter().collect();
        match (call.name.name.as_str(), &arguments[..]) {
            // Of one in quotes only the first place counts.
            ("join", [separator, list]) if hole.is_some() && !call.args.expand_final() => {
                let (separator, list) = (text(&known(separator)?)?, known(list)?);
                let items = list.items().iter().map(text).collect::<Result<Vec<_>, _>>()?;
                Ok(MarkedText::joined(items, &separator))
            }
            ("indent", [spaces, inner]) if encodes(inner) => {
                let spaces = usize::try_from(known(spaces)?.as_int().unwrap_or(-1));
                let Ok(spaces @ 0..=MAX_INDENT) = spaces else {
                    return Err("it is computed".into());
                };
                let mut line = MarkedText::default();
                line.push_made(&format!("\n{}", " ".repeat(spaces)));
                Ok(self.interpolated(file, inner, hole, depth + 1)?.replaced("\n", &line))
            }
            (name @ ("jsonencode" | "yamlencode"), [it]) => {
                let value = known(it)?;
                if name == "jsonencode" || value.as_scalar().is_some() {
                    return Ok(GoValue::of(&value).json(true, false));
                }
                let mut text = MarkedText::yaml(&value);
                text.push_made("\n");
                Ok(text)
            }
            _ => text(&known(expression)?),
        }
    }

    /// The text of a heredoc, without the indentation that `<<-` takes away, or what it reads as
    /// when it has holes.
    pub(super) fn heredoc(&self, file: FileId, heredoc: &HeredocTemplate, depth: usize) -> Node {
        let range = heredoc.template.span().unwrap_or_default();
        let source = self.sources.text(file).get(range.clone()).unwrap_or_default();
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
        let scalar = Scalar { text: text.into(), style: Style::Literal, tag: None };
        let node = Node::new(scalar, written(file, Some(range.clone())));
        if self.as_written {
            return node;
        }
        let notation =
            heredoc.indent().map_or(TemplateNotation::Lines, |_| TemplateNotation::Indented);
        self.filled(file, &heredoc.template, &node, &inner, notation, depth)
    }

    /// `node`, the text of a template of `file`, once it is filled: what it reads as, where that is a
    /// map, else the text. `inner` says where in the text an offset of the file is.
    fn filled(
        &self,
        file: FileId,
        template: &Template,
        node: &Node,
        inner: &impl Fn(usize) -> Option<usize>,
        notation: TemplateNotation,
        depth: usize,
    ) -> Node {
        let escaped = node.as_scalar().is_some_and(|it| it.text.contains("$${"));
        if template.iter().all(Element::is_literal) && !escaped {
            return node.clone();
        }
        let mut parts = TemplateParts::default();
        let read = self.parts(file, template, inner, depth, &mut parts);
        parts.holes.extend(escapes(node));
        parts.holes.sort_by_key(|it| it.range.start);
        let tree = match read.and_then(|()| self.read(node, &parts)) {
            Ok(tree) if tree.as_map().is_some() => Ok(tree),
            Ok(_) => Err("it is no mapping".into()),
            Err(why) => Err(why),
        };
        let mut literals = TemplateLiterals::new(self.sources, file, template, notation);
        if let Ok(tree) = &tree
            && !literals.trims
            && functions::unknown_in(tree).is_none()
        {
            return tree.clone();
        }
        // What repeats lines, trims some or changes the YAML around it is known as a whole only.
        let mut text = MarkedText::default();
        if let Ok(()) = self.print(file, template, &literals, depth, &mut text) {
            return of_text(&text, &node.origin);
        }
        tree.unwrap_or_else(|why| {
            literals.with_holes = true;
            let mut text = MarkedText::default();
            let printed = self.print(file, template, &literals, depth, &mut text);
            let tree = printed.ok().and_then(|()| tree_of(&text));
            tree.unwrap_or_else(|| Node::unknown_value(why, &node.origin))
        })
    }

    /// What the text of a template reads as, with what is in conditions that nobody can tell as
    /// something that may be there.
    fn read(&self, node: &Node, parts: &TemplateParts) -> Result<Node, Reason> {
        let read = |cut: &[Range<usize>]| {
            let mut text = node.as_scalar().map_or("", |it| &*it.text).to_owned();
            for range in cut {
                let Some(gone) = text.get(range.clone()) else {
                    return Err("it is computed".into());
                };
                let spaces = gone.bytes().map(|it| if it == b'\n' { '\n' } else { ' ' });
                let spaces: String = spaces.collect();
                text.replace_range(range.clone(), &spaces);
            }
            let inside = |it: &&Hole| !cut.iter().any(|cut| cut.contains(&it.range.start));
            let holes: Vec<Hole> = parts.holes.iter().filter(inside).cloned().collect();
            match &template::fill_text_as_yaml(self.sources, node, &text, &holes)?[..] {
                [values] => Ok(values.clone()),
                [] => Ok(Node::new(Map::default(), node.origin.clone())),
                _ => Err("its values are not one mapping".into()),
            }
        };
        let [first, last] = &parts.cut;
        match &parts.why {
            None => read(first),
            Some(why) => Ok(self.either(&read(first)?, &read(last)?, why)),
        }
    }

    /// The holes of a template, and what of it is cut out.
    fn parts(
        &self,
        file: FileId,
        template: &Template,
        inner: &impl Fn(usize) -> Option<usize>,
        depth: usize,
        parts: &mut TemplateParts,
    ) -> Result<(), Reason> {
        let place = |span: Option<Range<usize>>| {
            let span = span.unwrap_or_default();
            let range = inner(span.start).zip(inner(span.end));
            range.map(|(start, end)| start..end).ok_or_else(|| Reason::from("it is computed"))
        };
        for element in template {
            match element {
                Element::Literal(_) => {}
                Element::Interpolation(it) => {
                    let value = self.value(file, &it.expr, depth + 1);
                    let its_value = if encodes(&it.expr) && value.unknown().is_none() {
                        Ok(value)
                    } else {
                        plain(&value)
                    };
                    parts.holes.push(Hole { range: place(it.span())?, fill: its_value });
                }
                Element::Directive(it) => {
                    let Directive::If(directive) = &**it else {
                        return Err("a loop of its template is not evaluated".into());
                    };
                    let whole = place(it.span().or_else(|| directive.span()))?;
                    let first = &directive.if_expr;
                    let last = directive.else_expr.as_ref().map(|it| &it.template);
                    let yes = place(first.template.span())?;
                    let no = match last {
                        Some(it) => place(it.span())?,
                        None => yes.end..yes.end,
                    };
                    let holds = self.holds(file, &first.cond_expr, depth);
                    // The directives themselves print nothing.
                    let frame = [whole.start..yes.start, yes.end..no.start, no.end..whole.end];
                    for (index, cut) in parts.cut.iter_mut().enumerate() {
                        cut.extend(frame.clone());
                        let shown = holds.as_ref().map_or(index == 0, |it| *it);
                        cut.push(if shown { no.clone() } else { yes.clone() });
                    }
                    parts.why = parts.why.take().or(holds.err());
                    self.parts(file, &first.template, inner, depth + 1, parts)?;
                    last.map_or(Ok(()), |it| self.parts(file, it, inner, depth + 1, parts))?;
                }
            }
        }
        Ok(())
    }

    /// What the file at `path` holds, a template when it is given `variables`: what it reads as, or
    /// its text.
    pub(super) fn file(
        &self,
        path: &Node,
        variables: Option<&Node>,
        at: &Origin,
        depth: usize,
    ) -> Node {
        if let Some(why) = path.unknown() {
            return Node::unknown_value(why.clone(), at);
        }
        let found = path.as_str().and_then(|it| self.path(it));
        // Outside of the repository there may be one.
        let kind = found.as_ref().map_or(ReasonKind::Other, |_| ReasonKind::NoSuchKey);
        let Some(target) = found.and_then(|path| self.sources.find(&path)) else {
            let why = Reason::from("the file that it reads is not in the repository");
            return Node::unknown_value(why.of_kind(kind), at);
        };
        self.work.read.borrow_mut().insert(target);
        let Text::Utf8(content) = self.sources.load(target) else {
            return Node::unknown_value("the file that it reads is not text", at);
        };
        let whole = parse::whole(self.sources, target);
        let node = match variables {
            Some(variables) => match parser::parse_template(content) {
                Ok(template) => self.with(variables.clone(), |scope| {
                    let text = whole.clone();
                    match scope.filled(
                        target,
                        &template,
                        &text,
                        &Some,
                        TemplateNotation::Lines,
                        depth + 1,
                    ) {
                        text if text == whole => scope.yaml(&text),
                        filled => filled,
                    }
                }),
                Err(error) => {
                    let why = format!("its template cannot be read: {}", error.message());
                    Node::unknown_value(why, at)
                }
            },
            None => self.content(target, at),
        };
        let node = node.through(Via::Values, at.written_at());
        self.reads(node.held());
        node
    }

    /// What a file holds: a tree when it is YAML or JSON, else its text.
    fn content(&self, file: FileId, at: &Origin) -> Node {
        match install::read_values(self.sources, file, at) {
            Ok(values) => values,
            Err(problem) => {
                let documents = self.sources.documents(file, Dialect::Sigs);
                match &documents.roots().collect::<Vec<_>>()[..] {
                    [list] if list.as_list().is_some() => Node::clone(list),
                    [text] if text.as_scalar().is_some() => parse::whole(self.sources, file),
                    _ => Node::unknown_value(problem.message, at),
                }
            }
        }
    }

    /// Text as values.
    pub(super) fn yaml(&self, node: &Node) -> Node {
        if let (Some(why), Some(there)) = (node.unknown(), node.if_there()) {
            let nothing = Node::new(Map::default(), node.origin.clone());
            return self.either(&self.yaml(&there), &nothing, why);
        }
        if node.unknown().is_some() || node.as_map().is_some() {
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

    /// Text as any value: `yamldecode`, `jsondecode`.
    pub(super) fn decoded(&self, node: &Node) -> Node {
        if node.as_str().is_none() {
            return node.clone();
        }
        let documents = parse::embedded(self.sources, node, Dialect::Sigs);
        match &documents.roots().collect::<Vec<_>>()[..] {
            [one] => Node::clone(one),
            _ => self.yaml(node),
        }
    }
}

/// What a text that is printed reads as, where that is a map, else the text.
fn of_text(text: &MarkedText, origin: &Origin) -> Node {
    let text_itself = || Node::new(Scalar::string(text.as_str()), origin.clone());
    tree_of(text).unwrap_or_else(text_itself)
}

/// The map that a text that is printed reads as.
fn tree_of(text: &MarkedText) -> Option<Node> {
    let documents = text.documents().into_iter().map(PrintedDocument::into_node);
    match &documents.collect::<Result<Vec<_>, _>>().unwrap_or_default()[..] {
        [tree] if tree.as_map().is_some_and(|it| !it.is_empty()) => Some(tree.clone()),
        _ => None,
    }
}

/// What is written `$${…}` in a text, for what is `${…}` in what it makes.
fn escapes(node: &Node) -> Vec<Hole> {
    let text = node.as_scalar().map_or("", |it| &*it.text);
    let escape = |range: Range<usize>| {
        let literal = text.get(range.start + 1..range.end).unwrap_or_default();
        Hole { fill: Ok(Node::new(Scalar::string(literal), node.origin.clone())), range }
    };
    template::between(text, "$${", "}").into_iter().map(escape).collect()
}

/// Whether an expression makes a text of a value of any form.
fn encodes(expression: &Expression) -> bool {
    match expression {
        Expression::FuncCall(it) => match it.name.name.as_str() {
            "yamlencode" | "jsonencode" => true,
            "indent" => it.args.get(1).is_some_and(encodes),
            _ => false,
        },
        _ => false,
    }
}

/// What fills a hole of a template: the text of a scalar.
fn plain(value: &Node) -> Result<Node, Reason> {
    match (value.unknown(), template::printed(value)) {
        (Some(why), _) => Err(why.clone()),
        (None, Some(text)) => Ok(Node::new(Scalar::plain(text), value.origin.clone())),
        (None, None) => Err("it is no text".into()),
    }
}
