//! Conditions and operators.
//!
//! Where nobody can tell which side of a condition counts, what both sides have in common is known.

use hcl_edit::expr::{BinaryOp, BinaryOperator, Expression, UnaryOp, UnaryOperator};

use super::evaluate::TerraformScope;
use crate::{
    scalar::{Scalar, Value},
    source::FileId,
    tree::{Kind, Map, Node, Origin, Reason},
};

impl TerraformScope<'_> {
    /// Whether `condition` holds.
    ///
    /// # Errors
    /// Why nobody can tell.
    pub(super) fn holds(
        &self,
        file: FileId,
        condition: &Expression,
        depth: usize,
    ) -> Result<bool, Reason> {
        truth(&self.value(file, condition, depth + 1))
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
pub(super) fn equal(left: &Node, right: &Node) -> Result<bool, Reason> {
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

pub(super) fn why_unknown(nodes: &[&Node]) -> Reason {
    let why = nodes.iter().find_map(|it| it.unknown().cloned());
    why.unwrap_or_else(|| "it is computed".into())
}
