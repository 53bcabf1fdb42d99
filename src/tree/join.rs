//! What two readings of one value have in common.

use crate::tree::{Kind, Map, Node, Origin, Reason};

/// Lists with more pairs of items than this are not compared.
const MAX_PAIRS: usize = 10_000;

/// What two readings of a value have in common; the places are those of `newer`.
pub(crate) fn join(newer: &Node, older: &Node, why: &Reason) -> Node {
    let unknown = || Node::unknown_value(why.clone(), &newer.origin);
    let flag = flag_of(newer).filter(|_| !same_value(newer, older) && alike(newer, older));
    if let Some(flag) = flag {
        return of_flag(flag, newer, (kept(newer, older), unknown()), why);
    }
    let mut joined = match (&newer.kind, &older.kind) {
        (Kind::Unknown(_), _) => newer.clone(),
        (_, Kind::Unknown(_)) => older.clone(),
        (Kind::Scalar(_), Kind::Scalar(_)) if newer.value() == older.value() => newer.clone(),
        (Kind::List(a), Kind::List(b)) if a.len() * b.len() <= MAX_PAIRS => {
            Node::new(join_lists(a, b, why, newer), newer.origin.clone())
        }
        (Kind::Map(a), Kind::Map(b)) => {
            let mut map = Map::clone(a);
            for (key, entry) in map.iter_mut() {
                match b.get(key) {
                    Some(other) => entry.value = join(&entry.value, other, why),
                    None if entry.value.is_null() => {}
                    None => {
                        let origin = entry.value.origin.clone();
                        entry.value = Node::unknown_value(why.clone(), &origin);
                    }
                }
            }
            for (key, entry) in b.iter() {
                if a.get(key).is_none() && !entry.value.is_null() {
                    let origin = entry.value.origin.clone();
                    map.set(key, Node::unknown_value(why.clone(), &origin));
                }
            }
            map.open = map.open.or_else(|| b.open.clone());
            Node::new(map, newer.origin.clone())
        }
        _ => unknown(),
    };
    if joined.unknown().is_some() {
        joined.origin = of_parts(&joined.origin, newer, older, why);
    }
    joined
}

/// `argument`, of which nobody knows more than `flag` and `rest`.
fn of_flag(flag: String, argument: &Node, rest: (&'static str, Node), why: &Reason) -> Node {
    let flag = Node::new(flag, argument.origin.clone());
    Node::unknown_value(why.clone(), &argument.origin.joined([("", flag), rest]))
}

/// What the part of an unknown value is called that may be there as a whole.
const PERHAPS: &str = "perhaps";

/// What the part of an argument is called that is all that is not known of it.
const VALUE: &str = "value";

/// What the unknown part of an argument is called that both readings have: whether it is there, and
/// once, they tell no better together than alone.
fn kept(newer: &Node, older: &Node) -> &'static str {
    let of = |it: &Node| match it.unknown() {
        Some(_) => it.origin.parts().get(1).map_or("", |(name, _)| *name),
        None => VALUE,
    };
    match (of(newer), of(older)) {
        (VALUE, VALUE) => VALUE,
        (PERHAPS, _) | (_, PERHAPS) => PERHAPS,
        _ => "",
    }
}

impl Node {
    /// Whether this item of a list is exactly one: an unknown one may stand for any number of items,
    /// unless only the value of a flag is unknown.
    pub(crate) fn is_one_item(&self) -> bool {
        self.unknown().is_none() || self.origin.parts().iter().any(|(name, _)| *name == VALUE)
    }

    /// This value, if it is there at all: unknown, because of `why`. With an `alternative` it is
    /// not told what it would be.
    pub(crate) fn perhaps(self, why: Reason, alternative: bool) -> Self {
        let flag = self.as_str().filter(|it| it.starts_with("--")).map(|it| {
            let name = it.split_once('=').map_or(it, |(name, _)| name);
            format!("{name}=")
        });
        let is_name =
            |it: &str| it.bytes().all(|it| it.is_ascii_alphanumeric() || b"-=".contains(&it));
        let at = self.origin.clone();
        if let Some(flag) = flag.filter(|it| is_name(it)) {
            let unknown = || Self::unknown_value(why.clone(), &at);
            let there = if alternative { unknown() } else { self.clone() };
            return of_flag(flag, &self, (PERHAPS, there), &why);
        }
        match alternative {
            true => Self::unknown_value(why, &at),
            false => Self::unknown_value(why, &at.joined([(PERHAPS, self)])),
        }
    }

    /// What an unknown value is if it is there at all, and if that is known.
    pub(crate) fn if_there(&self) -> Option<Self> {
        self.unknown()?;
        let mut parts = self.origin.parts().into_iter();
        parts.find(|(name, _)| *name == PERHAPS).map(|(_, part)| part)
    }
}

/// `origin` with what the parts of both values have in common: one may be known without the whole.
fn of_parts(origin: &Origin, newer: &Node, older: &Node, why: &Reason) -> Origin {
    let (parts, others) = (newer.origin.parts(), older.origin.parts());
    if parts.is_empty() && others.is_empty() {
        return origin.clone();
    }
    origin.joined(parts.into_iter().map(|(name, part)| {
        let other = others.iter().find(|(it, _)| *it == name);
        let unknown = || Node::new(Kind::Unknown(why.clone()), part.origin.clone());
        (name, other.map_or_else(unknown, |(_, other)| join(&part, other, why)))
    }))
}

/// The items that both lists have, in their order: what only one of them has is one unknown item,
/// which stands for any number of items.
fn join_lists(newer: &[Node], older: &[Node], why: &Reason, list: &Node) -> Vec<Node> {
    // How many items the rests of the lists have in common, from each pair of items on.
    let width = older.len() + 1;
    let mut common = vec![0_usize; (newer.len() + 1) * width];
    for (i, a) in newer.iter().enumerate().rev() {
        for (j, b) in older.iter().enumerate().rev() {
            common[i * width + j] = if alike(a, b) {
                common[(i + 1) * width + j + 1] + 1
            } else {
                common[(i + 1) * width + j].max(common[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut gap: Vec<&Node> = Vec::new();
    let mut items = Vec::new();
    let close = |gap: &mut Vec<&Node>, items: &mut Vec<Node>| {
        let gap = std::mem::take(gap);
        match gap.iter().all(|it| it.as_str().is_some_and(|it| it.starts_with("--"))) {
            // Flags say which ones they are.
            true => items.extend(gap.into_iter().map(|it| it.clone().perhaps(why.clone(), true))),
            false => items.push(Node::unknown_value(why.clone(), &list.origin)),
        }
    };
    while let (Some(a), Some(b)) = (newer.get(i), older.get(j)) {
        if alike(a, b) {
            close(&mut gap, &mut items);
            items.push(join(a, b, why));
            (i, j) = (i + 1, j + 1);
        } else if common[(i + 1) * width + j] >= common[i * width + j + 1] {
            gap.push(a);
            i += 1;
        } else {
            gap.push(b);
            j += 1;
        }
    }
    gap.extend(newer.iter().skip(i).chain(older.iter().skip(j)));
    close(&mut gap, &mut items);
    items
}

/// Whether two items are the same one: equal, mappings of one name, or values of one flag.
fn alike(a: &Node, b: &Node) -> bool {
    match (a.get("name"), b.get("name")) {
        (Some(a), Some(b)) => a.value() == b.value(),
        _ => same_value(a, b) || flag_of(a).is_some_and(|flag| flag_of(b) == Some(flag)),
    }
}

fn same_value(a: &Node, b: &Node) -> bool {
    a.unknown().is_none() && b.unknown().is_none() && a.to_json() == b.to_json()
}

/// The `--flag=` that an argument starts with; of one whose value is unknown the first of its parts.
pub(crate) fn flag_of(item: &Node) -> Option<String> {
    let written = match item.unknown() {
        Some(_) => item.origin.parts().into_iter().next()?.1,
        None => item.clone(),
    };
    let text = written.as_str().filter(|it| it.starts_with("--"))?;
    Some(text.get(..=text.find('=')?)?.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{data::charts, tree::Via};

    #[test]
    fn lists_keep_what_they_share() {
        let node = |value| charts::from_json(&value, &Origin::at(Via::ChartDefault, None));
        let joined = |a, b| {
            let joined = join(&node(a), &node(b), &"it differs".into());
            let items = joined.items().iter();
            items.map(|it| if it.unknown().is_some() { json!("?") } else { it.to_json() }).collect()
        };
        let list: Vec<_> = joined(json!(["a", "b", "c", "d"]), json!(["a", "c", "x", "d"]));
        assert_eq!(list, [json!("a"), json!("?"), json!("c"), json!("?"), json!("d")]);
        let list: Vec<_> = joined(json!(["a", "b"]), json!(["a", "b"]));
        assert_eq!(list, [json!("a"), json!("b")]);
        let list: Vec<_> = joined(json!([]), json!(["a"]));
        assert_eq!(list, [json!("?")]);
        let list: Vec<_> =
            joined(json!([{"name": "m", "a": 1}]), json!([{"name": "m", "a": 1}, 2]));
        assert_eq!(list, [json!({"name": "m", "a": 1}), json!("?")]);
    }

    #[test]
    fn an_argument_that_all_readings_have_is_one_item() {
        let read = |value| charts::from_json(&value, &Origin::at(Via::ChartDefault, None));
        let all = |lists: &[serde_json::Value]| {
            let lists = lists.iter().map(|it| read(it.clone()));
            let joined = lists.reduce(|a, b| join(&a, &b, &"it differs".into()));
            let joined = joined.expect("one at least");
            let items = joined.items().iter();
            let said = items.map(|it| (flag_of(it), it.is_one_item(), it.if_there().is_some()));
            said.collect::<Vec<_>>()
        };
        let port = |one, perhaps| vec![(Some("--port=".to_owned()), one, perhaps)];
        let [one, two, three, without] =
            [json!(["--port=1"]), json!(["--port=2"]), json!(["--port=3"]), json!([])];
        assert_eq!(all(&[one.clone(), two.clone(), three]), port(true, false));
        assert_eq!(all(&[one.clone(), without.clone()]), port(false, true));
        // One that some have and that differs is no more certain for it.
        assert_eq!(all(&[one.clone(), without, two]), port(false, true));
        assert_eq!(all(&[one, json!(["x"])]), [(None, false, false)]);
    }
}
