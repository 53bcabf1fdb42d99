//! `postBuild` on one object: to text, through [`envsubst`], and back to a tree.
//!
//! Flux substitutes in the text of the built object, not in its values, so that a value's type
//! follows from the text that a variable leaves: `"${N}"` becomes a number, `${EMPTY}` a null.

use std::{cell::RefCell, collections::BTreeSet, ops::Range};

use indexmap::IndexMap;

use super::{
    envsubst::{self, Filled},
    variables::Variables,
};
use crate::{
    emit::{self, Pair, Parts, Piece},
    parse::{self, env},
    problem::{Problem, ProblemKind},
    resolve::context::{Context, Purpose},
    scalar::{self, Dialect, Scalar, Style, Value},
    source::{self, FileId},
    tree::{Entry, Kind, Map, Node, Origin, Reason, Via},
};

/// The label or annotation that keeps an object out of substitution.
const OPT_OUT: &str = "kustomize.toolkit.fluxcd.io/substitute";

/// How many bytes all that substitution makes in an environment may take.
pub(super) const MAX_SUBSTITUTED: usize = 64 << 20;

/// `object` with its variables substituted, for which so many bytes are `left`; every value that no expression touches is untouched.
///
/// # Errors
/// What fails the whole Kustomization: an expression that is none, a result that is not YAML.
pub(super) fn substitute(
    context: &Context<'_>,
    object: &Node,
    variables: &Variables,
    left: &mut usize,
    problems: &mut Vec<Problem>,
) -> Result<Node, Problem> {
    if !has_dollar(object) || is_disabled(object) {
        return Ok(object.clone());
    }
    let Some(file) = any_file(object).or_else(|| context.sources.iter().next().map(|it| it.0))
    else {
        return Ok(object.clone());
    };
    let too_much = || {
        let why = "what is substituted is more than is read: what comes of it is not known";
        Problem::unresolved(&object.origin, why)
    };
    if *left == 0 {
        return Err(too_much());
    }
    let emitted = emit::emit(object);
    let values: IndexMap<String, String> = variables
        .known
        .iter()
        .map(|(name, value)| {
            // What is unknown gets a text that leaves the document as it is.
            let text = value.as_str().map_or("unknown".into(), envsubst::one_line);
            (name.clone(), text.into_owned())
        })
        .collect();
    let template = Template {
        context,
        object,
        variables,
        values,
        text: &emitted.text,
        leaves: leaves(&emitted.root),
        filled: Vec::new(),
        reported: RefCell::default(),
        kept: RefCell::default(),
    };
    let output = envsubst::substitute(&emitted.text, &template.values)
        .map_err(|error| template.refused(error.at, error.message))?;
    *left = left.saturating_sub(output.text.len());
    if *left == 0 {
        return Err(too_much());
    }
    let template = Template { filled: output.filled, ..template };
    let documents = parse::documents(&output.text, file, Dialect::Sigs);
    let root = match documents.list.into_iter().next().map(|it| it.root) {
        Some(Ok(root)) => root,
        Some(Err(error)) => {
            let at = error.span.map_or(0, |span| span.start as usize);
            return Err(template.broken(at, &error.message));
        }
        None => return Ok(object.clone()),
    };
    if let Some(at) = not_json(&root) {
        return Err(template.broken(at, "JSON has neither infinity nor NaN"));
    }
    let node = template.rebuild(root, &emitted.root);
    problems.extend(template.undefined());
    problems.append(&mut template.kept.borrow_mut());
    // What no expression asks for hides nothing, and no one need hear of it.
    if variables
        .is_unsure_of(template.filled.iter().flat_map(|it| it.names.iter().chain(&it.missing)))
    {
        problems.extend(variables.unsure.iter().cloned());
    }
    Ok(node)
}

/// `object` when what substitution would make of it is not known: whatever may have an expression in
/// it is unknown.
pub(super) fn hidden(object: &Node, why: &Reason) -> Node {
    object.rewrite_scalars(|it| it.text.contains('$').then(|| Kind::Unknown(why.clone())))
}

fn is_disabled(object: &Node) -> bool {
    ["metadata.labels", "metadata.annotations"].into_iter().any(|path| {
        object.at(path).and_then(|map| map.get(OPT_OUT)).and_then(Node::as_str) == Some("disabled")
    })
}

/// Whether any key or value holds a dollar sign: without one there is nothing to do.
pub(super) fn has_dollar(node: &Node) -> bool {
    node.walk().any(|node| {
        node.as_scalar().is_some_and(|it| it.text.contains('$'))
            || node.entries().any(|(key, _)| key.contains('$'))
    })
}

fn any_file(node: &Node) -> Option<FileId> {
    node.walk().find_map(|it| it.origin.written_at()).map(|span| span.file)
}

/// Where in the text a number stands that JSON cannot hold.
fn not_json(node: &Node) -> Option<usize> {
    let found =
        node.walk().find(|it| matches!(it.value(), Some(Value::Float(it)) if !it.is_finite()))?;
    Some(found.origin.written_at().map_or(0, |span| span.start as usize))
}

/// A key or a scalar in the text.
struct Leaf<'a> {
    range: Range<usize>,
    text: &'a str,
    /// The scalar, or the mapping whose key it is.
    node: &'a Node,
    key: bool,
}

/// The keys and scalars of `piece`, in the order of the text.
fn leaves<'a>(piece: &Piece<'a>) -> Vec<Leaf<'a>> {
    let mut leaves = Vec::new();
    collect(piece, &mut leaves);
    leaves
}

fn collect<'a>(piece: &Piece<'a>, into: &mut Vec<Leaf<'a>>) {
    match &piece.parts {
        Parts::None => {
            let text = piece.node.as_scalar().map_or("", |scalar| &*scalar.text);
            into.push(Leaf { range: piece.range.clone(), text, node: piece.node, key: false });
        }
        Parts::Items(items) => items.iter().for_each(|item| collect(item, into)),
        Parts::Entries(pairs) => {
            for pair in pairs {
                let range = pair.range.clone();
                into.push(Leaf { range, text: pair.key, node: piece.node, key: true });
                collect(&pair.value, into);
            }
        }
    }
}

/// An object's text with the expressions in it.
struct Template<'a> {
    context: &'a Context<'a>,
    object: &'a Node,
    variables: &'a Variables,
    /// The variables' texts.
    values: IndexMap<String, String>,
    text: &'a str,
    leaves: Vec<Leaf<'a>>,
    filled: Vec<Filled>,
    /// The expressions whose undefined variables were met, as indices.
    reported: RefCell<BTreeSet<usize>>,
    /// What is wrong with values that came to be a part of a text.
    kept: RefCell<Vec<Problem>>,
}

impl Template<'_> {
    /// The indices of the expressions that overlap `range`.
    fn expressions(&self, range: &Range<usize>) -> Range<usize> {
        let start = self.filled.partition_point(|it| it.input.end <= range.start);
        let end = self.filled.partition_point(|it| it.input.start < range.end);
        start..end.max(start)
    }

    /// The new value at the place of `piece`, where `out` was read.
    fn rebuild(&self, out: Node, piece: &Piece<'_>) -> Node {
        let expressions = self.expressions(&piece.range);
        let text = self.text.get(piece.range.clone()).unwrap_or_default();
        if expressions.is_empty() && !text.contains("$$") {
            return piece.node.clone();
        }
        match (out.kind, &piece.parts) {
            (Kind::Map(out), Parts::Entries(pairs)) => self.rebuild_map(&out, piece.node, pairs),
            (Kind::List(out), Parts::Items(items)) if out.len() == items.len() => {
                let items = out.iter().zip(items);
                let items: Vec<_> =
                    items.map(|(out, item)| self.rebuild(out.clone(), item)).collect();
                Node::new(items, piece.node.origin.clone())
            }
            (kind, Parts::None) => self.scalar(kind, piece.node, expressions),
            (kind, _) => place(&Node::new(kind, out.origin), &piece.node.origin),
        }
    }

    fn rebuild_map(&self, out: &Map, node: &Node, pairs: &[Pair<'_>]) -> Node {
        // What was removed from the mapping and whether it is open stays.
        let mut map = node.as_map().cloned().unwrap_or_default();
        let keys: Vec<_> = map.iter().map(|(key, entry)| (key.to_owned(), entry.key)).collect();
        map.retain(|_, _| false);
        let parallel = out.len() == pairs.len();
        for (index, (name, entry)) in out.iter().enumerate() {
            let pair = match pairs.get(index) {
                Some(pair) if parallel => Some(pair),
                _ => pairs.iter().find(|pair| pair.key == name),
            };
            let Some(pair) = pair else {
                let value = place(&entry.value, &node.origin);
                map.insert(name, Entry { key: None, value });
                continue;
            };
            if let Some(why) = self.unknown(self.expressions(&pair.range)) {
                map.open = Some(why);
                continue;
            }
            let key = keys.iter().find(|(key, _)| key == pair.key).and_then(|(_, span)| *span);
            let value = self.rebuild(entry.value.clone(), &pair.value);
            map.insert(name, Entry { key, value });
        }
        Node::new(map, node.origin.clone())
    }

    /// What a scalar became: another scalar, or a list or mapping that a value injected.
    fn scalar(&self, out: Kind, node: &Node, expressions: Range<usize>) -> Node {
        let from = self.filled.get(expressions.clone()).unwrap_or_default();
        let variable = from.iter().find_map(|it| self.variables.known.get(it.from.as_ref()?));
        let origin = match variable {
            Some(variable) => node.origin.filled(Via::Substituted, &variable.origin),
            None => node.origin.clone(),
        };
        if let (Some(variable), Kind::Scalar(scalar)) = (variable, &out) {
            let name = from.iter().find_map(|it| it.from.as_deref()).unwrap_or_default();
            self.kept.borrow_mut().extend(self.kept_in(&scalar.text, node, name, variable));
        }
        let origin = match &out {
            Kind::Scalar(it) if it.text.contains('\n') => self.of_lines(&it.text, node, origin),
            _ => origin,
        };
        if let Some(why) = self.unknown(expressions) {
            return Node::unknown_value(why, &origin);
        }
        place(&Node::new(out, origin.clone()), &origin)
    }

    /// `origin` of `text`, which `node` became and something may read line by line: what stands in it is
    /// written where the line is, or where what is filled in comes from.
    fn of_lines(&self, text: &str, node: &Node, origin: Origin) -> Origin {
        let old = node.as_scalar().map_or("", |it| &*it.text);
        let Some(output) =
            envsubst::substitute(old, &self.values).ok().filter(|it| it.text == text)
        else {
            return origin;
        };
        let part = parse::parts(self.context.sources, node);
        let mut texts: Vec<Node> = Vec::new();
        let (mut read, mut written) = (0, 0);
        let beyond = (old.len()..old.len(), text.len()..text.len(), None);
        let filled = output.filled.iter().map(|it| (it.input.clone(), it.output.clone(), Some(it)));
        for (input, output, filled) in filled.chain([beyond]) {
            let (was, is) = (&old[read..input.start], &text[written..output.start]);
            // What is written `$$` is shorter than it was, and on the line where it was.
            texts.extend(parse::lines(is, was, read, &part));
            let place = part(input.clone());
            let variable = filled.and_then(|it| self.variables.known.get(it.from.as_ref()?));
            let way = variable.map(|it| place.filled(Via::Substituted, &it.origin));
            let way = way.unwrap_or(place);
            texts.push(match filled.and_then(|it| self.why_unknown(it)) {
                Some(why) => Node::unknown_value(why, &way),
                None => Node::new(Scalar::string(&text[output.clone()]), way),
            });
            (read, written) = (input.end, output.end);
        }
        origin.of_texts(texts)
    }

    /// That `text`, which `node` became, has the quotes with which an env file defines `variable`, or
    /// has lost what follows its comment: kustomize takes all of a line for the value. YAML takes both
    /// away from a value that nothing stands beside, and so does what reads a longer text as YAML.
    fn kept_in(&self, text: &str, node: &Node, name: &str, variable: &Node) -> Option<Problem> {
        let value = variable.as_str()?.trim();
        let path = &self.context.sources[variable.origin.written_at()?.file].path;
        if source::is_yaml(path) || text.contains('\n') {
            return None;
        }
        let quoted = |quote| value.len() > 1 && value.starts_with(quote) && value.ends_with(quote);
        let stays = text.contains(value);
        let has_comment = env::before_comment(value).len() < value.len();
        let (kind, what, help) = if !has_comment && (quoted('"') || quoted('\'')) {
            let help = "remove the quotes: an env file has none";
            stays.then_some((ProblemKind::KeepsQuotes, "its quotes", help))?
        } else {
            let cuts = !node.as_str()?.trim_end().ends_with('}');
            let help = "move the comment to the line above";
            let keeps = has_comment && (stays || cuts);
            keeps.then_some((ProblemKind::KeepsComment, "the comment after it", help))?
        };
        let message = format!("the value of `{name}` keeps {what}");
        let problem = Problem::new(kind, &variable.origin, message).about(name);
        let problem = problem.also(&node.origin, "it becomes a part of this").help(help);
        Some(Problem { tolerated: true, ..problem })
    }

    /// Why the text of some expressions cannot be told, if that is so.
    fn unknown(&self, expressions: Range<usize>) -> Option<Reason> {
        let mut found = None;
        for index in expressions {
            let Some(filled) = self.filled.get(index) else { continue };
            if self.hidden(filled).is_none() && !filled.missing.is_empty() {
                self.reported.borrow_mut().insert(index);
            }
            found = found.or_else(|| self.why_unknown(filled));
        }
        found
    }

    /// Why a variable that an expression names is unknown, if one is.
    fn hidden(&self, filled: &Filled) -> Option<&Reason> {
        let variables = self.variables;
        filled.names.iter().find_map(|name| match variables.known.get(name) {
            Some(value) => value.unknown(),
            None => variables.open.as_ref(),
        })
    }

    /// Why the text of an expression cannot be told, if that is so.
    fn why_unknown(&self, filled: &Filled) -> Option<Reason> {
        // Where nobody can tell, what is printed is what the lenient ones apply.
        let untold = || match self.context.purpose {
            Purpose::Judge => !self.variables.controller.is_lenient(),
            Purpose::Render => self.variables.controller.is_strict(),
        };
        let undefined = || {
            let name = filled.missing.first().filter(|_| untold())?;
            Some(format!("nothing defines the variable `{name}`").into())
        };
        self.hidden(filled).cloned().or_else(undefined)
    }

    /// A problem for every expression whose variable nothing defines.
    fn undefined(&self) -> Vec<Problem> {
        let controller = &self.variables.controller;
        let mut problems = Vec::new();
        for index in self.reported.borrow().iter() {
            let Some(filled) = self.filled.get(*index) else { continue };
            let at = self.expression(filled.input.start);
            for name in &filled.missing {
                let undefined = format!("no substitution source defines `{name}`");
                let mut problem = match controller.told() {
                    None => Problem::new(ProblemKind::EnvVarUndefined, &at, undefined),
                    Some(told) => {
                        let does = match controller.is_lenient() {
                            true => format!("puts nothing there in {}", self.named()),
                            false => "refuses that".to_owned(),
                        };
                        let message = format!("{undefined}, and {} {does}", told.what);
                        Problem::new(ProblemKind::EnvVarUndefined, &at, message)
                            .also(&told.at, "this is what substitutes")
                    }
                };
                problem.tolerated = !controller.is_strict();
                for (place, label) in &self.variables.searched {
                    problem = problem.also(place, label.clone());
                }
                problems.push(
                    problem.about(name.as_str()).help(format!(
                        "define `{name}`, or give it a default here: `${{{name}:=…}}`"
                    )),
                );
            }
        }
        problems
    }

    /// `HelmRelease metrics-server`
    fn named(&self) -> String {
        format!("{} {}", self.object.object_kind(), self.object.object_name()).trim_end().to_owned()
    }

    /// A malformed expression at `start`.
    fn refused(&self, start: usize, message: &str) -> Problem {
        let at = self.expression(start);
        Problem::refused(&at,
            format!("Flux cannot substitute this expression: {message}"),
        )
        .help(format!(
            "write `$$` for a dollar sign, or put the annotation `{OPT_OUT}: disabled` on the object"
        ))
    }

    /// A result that cannot be read at the byte `at`.
    fn broken(&self, at: usize, message: &str) -> Problem {
        let after = self.filled.partition_point(|it| it.output.start <= at);
        let culprit = after.checked_sub(1).and_then(|index| self.filled.get(index));
        let place = match culprit {
            Some(filled) => self.expression(filled.input.start),
            None => self.object.object_anchor().clone(),
        };
        let message = format!("what the substitution here leaves cannot be read: {message}");
        let problem = Problem::refused(&place, message);
        let variable = culprit.and_then(|it| self.variables.known.get(it.from.as_ref()?));
        match variable {
            Some(variable) => problem.also(&variable.origin, "this value is put there"),
            None => problem,
        }
    }

    /// Where the expression that starts at the byte `start` is written.
    fn expression(&self, start: usize) -> Origin {
        let after = self.leaves.partition_point(|leaf| leaf.range.start <= start);
        let Some(leaf) = after.checked_sub(1).and_then(|index| self.leaves.get(index)) else {
            return self.object.origin.clone();
        };
        if leaf.key {
            let key = leaf.node.as_map().and_then(|map| map.entry(leaf.text)?.key);
            return key.map_or_else(|| leaf.node.origin.clone(), Origin::written);
        }
        // Folding may have moved the text: the same expression is looked for in the scalar.
        let before = self.text.get(leaf.range.start..start).unwrap_or_default();
        let rest = self.text.get(start..leaf.range.end).unwrap_or_default();
        let end = self.filled.iter().find(|it| it.input.start == start).map(|it| it.input.end);
        let end =
            end.map_or_else(|| rest.find('}').map_or(rest.len(), |at| at + 1), |it| it - start);
        let written = rest.get(..end).unwrap_or(rest);
        let nth = before.matches(written).count();
        match leaf.text.match_indices(written).nth(nth) {
            Some((at, _)) => parse::part(self.context.sources, leaf.node, at..at + written.len()),
            None => leaf.node.origin.clone(),
        }
    }
}

/// `node`, all of which is written at `origin`.
fn place(node: &Node, origin: &Origin) -> Node {
    node.rewrite_scalars(|it| Some(settled(it).into())).relocated(origin)
}

/// A scalar as every reader takes it, once go-yaml v2 has read it.
fn settled(scalar: &Scalar) -> Scalar {
    match scalar::sigs(scalar) {
        Value::Null => Scalar::null(),
        Value::Bool(it) => Scalar::plain(if it { "true" } else { "false" }),
        Value::Int(it) => Scalar::plain(it.to_string()),
        Value::Float(it) => Scalar::plain(it.to_string()),
        Value::Str(text) => {
            let plain = scalar.style == Style::Plain
                && scalar.tag.is_none()
                && matches!(scalar::plain(text, Dialect::Kyaml), Value::Str(_))
                && !scalar::is_timestamp(text);
            if plain { scalar.clone() } else { Scalar { tag: None, ..quoted(scalar) } }
        }
    }
}

fn quoted(scalar: &Scalar) -> Scalar {
    let style = if scalar.style == Style::Plain { Style::DoubleQuoted } else { scalar.style };
    Scalar { style, ..scalar.clone() }
}
