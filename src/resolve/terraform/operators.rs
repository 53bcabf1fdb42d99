//! Conditions, operators, and functions that choose among values or put them together.
//!
//! Where nobody can tell which side of a condition counts, what both sides have in common is known.

use hcl_edit::expr::{BinaryOp, BinaryOperator, Conditional, FuncCall, UnaryOp, UnaryOperator};

use super::evaluate::TerraformScope;
use crate::{
    resolve::{install::is_blank, template},
    scalar::{Scalar, Value},
    source::FileId,
    tree::{self, Entry, Kind, Map, Node, Origin, Reason},
};

impl TerraformScope<'_> {
    /// Whether the condition of `a ? b : c` holds.
    ///
    /// # Errors
    /// Why nobody can tell.
    pub(super) fn holds(
        &self,
        file: FileId,
        it: &Conditional,
        depth: usize,
    ) -> Result<bool, Reason> {
        truth(&self.value(file, &it.cond_expr, depth + 1))
    }

    /// `!a`
    pub(super) fn unary(&self, file: FileId, it: &UnaryOp, at: &Origin, depth: usize) -> Node {
        let value = self.value(file, &it.expr, depth + 1);
        match (it.operator.value(), truth(&value), value.as_scalar()) {
            (UnaryOperator::Not, Ok(it), _) => Node::new(!it, at.clone()),
            (UnaryOperator::Not, Err(why), _) => Node::unknown_value(why, at),
            (UnaryOperator::Neg, _, Some(it)) => {
                Node::new(Scalar::plain(format!("-{}", it.text)), at.clone())
            }
            _ => Node::unknown_value("it is computed", at),
        }
    }

    /// `a == b`, `a && b`, `a > b`
    pub(super) fn binary(&self, file: FileId, it: &BinaryOp, at: &Origin, depth: usize) -> Node {
        use BinaryOperator as Is;
        let left = self.value(file, &it.lhs_expr, depth + 1);
        let right = self.value(file, &it.rhs_expr, depth + 1);
        // Either side alone may decide.
        let decides = |truth_of: bool| match (truth(&left), truth(&right)) {
            (Ok(it), _) | (_, Ok(it)) if it == truth_of => Ok(it),
            (Ok(_), Ok(it)) => Ok(it),
            (Err(why), _) | (_, Err(why)) => Err(why),
        };
        let compare = |is: fn(&i128, &i128) -> bool| match (left.as_int(), right.as_int()) {
            (Some(left), Some(right)) => Ok(is(&left, &right)),
            _ => Err(why_unknown(&[&left, &right])),
        };
        let result = match it.operator.value() {
            Is::And => decides(false),
            Is::Or => decides(true),
            Is::Eq => equal(&left, &right),
            Is::NotEq => equal(&left, &right).map(|it| !it),
            Is::Less => compare(i128::lt),
            Is::LessEq => compare(i128::le),
            Is::Greater => compare(i128::gt),
            Is::GreaterEq => compare(i128::ge),
            _ => Err("it is computed".into()),
        };
        match result {
            Ok(it) => Node::new(it, at.clone()),
            Err(why) => Node::unknown_value(why, at),
        }
    }

    /// `name(a, b)`; `None` where it is no function that is evaluated here.
    pub(super) fn function(
        &self,
        file: FileId,
        call: &FuncCall,
        at: &Origin,
        depth: usize,
    ) -> Option<Node> {
        let name = call.name.name.as_str();
        if !["coalesce", "compact", "concat", "lookup", "merge", "try"].contains(&name)
            || call.args.expand_final()
        {
            return None;
        }
        let arguments = call.args.iter().map(|it| self.value(file, it, depth + 1));
        let arguments: Vec<Node> = arguments.collect();
        Some(match (name, &arguments[..]) {
            ("merge", _) => merged(&arguments, at),
            ("concat", _) => {
                Node::new(arguments.iter().flat_map(items).collect::<Vec<_>>(), at.clone())
            }
            ("compact", [list]) => {
                let mut kept = items(list);
                // What has no text is passed over.
                kept.retain(|it| !is_blank(it));
                Node::new(kept, at.clone())
            }
            ("coalesce", _) => first(&arguments, at, |it| match it.unknown() {
                Some(_) => None,
                None => Some(!is_blank(it)),
            }),
            // What is unknown may be one of the errors that it passes over.
            ("try", _) => first(&arguments, at, |it| (!has_unknown(it)).then_some(true)),
            ("lookup", [map, key, rest @ ..]) => match (map.as_map(), key.as_str(), rest.first()) {
                (Some(map), Some(key), default) => match (map.get(key), &map.open, default) {
                    (Some(found), ..) => found.clone(),
                    (None, None, Some(default)) => default.clone(),
                    (None, why, _) => {
                        let why = why.clone().unwrap_or_else(|| "it has no such key".into());
                        Node::unknown_value(why, at)
                    }
                },
                _ => Node::unknown_value(why_unknown(&[map, key]), at),
            },
            _ => return None,
        })
    }
}

/// What there is in both cases; what there is in one of them may be there.
pub(super) fn either(yes: &Node, no: &Node, why: &Reason) -> Node {
    template::either(yes, no, why, &|it| it.clone().perhaps(why.clone(), false))
}

/// Whether a condition holds.
///
/// # Errors
/// Why nobody can tell.
fn truth(condition: &Node) -> Result<bool, Reason> {
    match (condition.value(), condition.as_str()) {
        (Some(Value::Bool(it)), _) => Ok(it),
        (_, Some("true")) => Ok(true),
        (_, Some("false")) => Ok(false),
        _ => Err(why_unknown(&[condition])),
    }
}

/// `chosen` in the type that it has in common with the side that is not taken: Terraform makes
/// texts of numbers and truth values where the other is a text, and of objects and tuples of unlike
/// form maps and lists, all of whose items have one type.
pub(super) fn unified(chosen: &Node, other: &Node) -> Node {
    let as_text = |it: &Node| match it.as_scalar() {
        Some(scalar) if !it.is_null() => Node::new(&*scalar.text, it.origin.clone()),
        _ => it.clone(),
    };
    let inner = |node: &Node| match &node.kind {
        Kind::Map(map) => map.iter().map(|(_, it)| it.value.clone()).collect(),
        _ => node.items().to_vec(),
    };
    let texts = || inner(chosen).iter().chain(&inner(other)).any(|it| it.as_str().is_some());
    match (&chosen.kind, &other.kind) {
        (Kind::Scalar(_), Kind::Scalar(_)) if other.as_str().is_some() => as_text(chosen),
        (Kind::Map(map), Kind::Map(others)) => {
            let alike = map.keys().eq(others.keys());
            let all_texts = !alike && texts();
            let mut map = Map::clone(map);
            for (key, entry) in map.iter_mut() {
                match others.get(key) {
                    Some(other) if alike => entry.value = unified(&entry.value, other),
                    _ if all_texts => entry.value = as_text(&entry.value),
                    _ => {}
                }
            }
            Node::new(map, chosen.origin.clone())
        }
        (Kind::List(items), Kind::List(others)) => {
            let items: Vec<Node> = match items.len() == others.len() {
                true => {
                    items.iter().zip(others.iter()).map(|(it, other)| unified(it, other)).collect()
                }
                false if texts() => items.iter().map(as_text).collect(),
                false => return chosen.clone(),
            };
            Node::new(items, chosen.origin.clone())
        }
        _ => chosen.clone(),
    }
}

/// Whether two values are equal, which those of unlike types never are.
fn equal(left: &Node, right: &Node) -> Result<bool, Reason> {
    if left.unknown().is_some() || right.unknown().is_some() {
        return Err(why_unknown(&[left, right]));
    }
    match (left.value(), right.value()) {
        (Some(left), Some(right)) => Ok(left == right),
        _ if left.is_null() || right.is_null() => Ok(false),
        // Types of lists and maps count, which nothing here knows.
        _ => Err("it is computed".into()),
    }
}

fn why_unknown(nodes: &[&Node]) -> Reason {
    let why = nodes.iter().find_map(|it| it.unknown().cloned());
    why.unwrap_or_else(|| "it is computed".into())
}

fn has_unknown(node: &Node) -> bool {
    node.walk().any(|it| it.unknown().is_some() || it.as_map().is_some_and(|it| it.open.is_some()))
}

/// The first of `arguments` that `is_it`; of those that may be it what they have in common with it.
fn first(arguments: &[Node], at: &Origin, is_it: impl Fn(&Node) -> Option<bool>) -> Node {
    let mut found: Option<Node> = None;
    for argument in arguments.iter().filter(|it| is_it(it) != Some(false)) {
        found = Some(match &found {
            Some(before) => tree::join(before, argument, &"it is computed".into()),
            None => argument.clone(),
        });
        if is_it(argument) == Some(true) {
            break;
        }
    }
    found.unwrap_or_else(|| Node::unknown_value("none of its arguments counts", at))
}

/// The items of a list; of an unknown one an unknown item, which stands for any number.
fn items(list: &Node) -> Vec<Node> {
    match list.as_list() {
        Some(items) => items.to_vec(),
        None => vec![Node::unknown_value(why_unknown(&[list]), &list.origin)],
    }
}

/// `merge(a, b)`: the entries of all, the later ones for the earlier ones.
fn merged(maps: &[Node], at: &Origin) -> Node {
    let mut all = Map::default();
    for node in maps.iter().filter(|it| !it.is_null()) {
        let map = node.as_map();
        let open = match map {
            Some(map) => map.open.clone(),
            None => Some(why_unknown(&[node])),
        };
        if let Some(why) = open {
            let hidden =
                all.iter_mut().filter(|(key, _)| map.is_none_or(|it| it.get(key).is_none()));
            hidden.for_each(|(_, it)| it.value = Node::unknown_value(why.clone(), &node.origin));
            all.open = Some(why);
        }
        for (key, entry) in node.entries() {
            // One that may be there or not leaves what was there before possible.
            let value = match (all.get(key), entry.value.if_there(), entry.value.unknown()) {
                (Some(before), Some(there), Some(why)) => tree::join(&there, before, why),
                _ => entry.value.clone(),
            };
            all.insert(key, Entry { key: entry.key, value });
        }
    }
    Node::new(all, at.clone())
}
