//! What goes over collections: `for_each`, `count`, `dynamic` and `for`.

use hcl_edit::{
    Span as _,
    expr::{Expression, ForExpr},
};

use super::evaluate::{TerraformScope, written};
use crate::{
    scalar::Scalar,
    source::FileId,
    tree::{Entry, Map, Node, Origin, Reason},
};

/// How many instances of one block are looked at.
const MAX_COUNT: i128 = 100;

/// One step of a loop.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) key: Node,
    pub(super) value: Node,
    /// Why nobody can tell whether there is such a step, if so.
    pub(super) perhaps: Option<Reason>,
}

impl Item {
    /// What `name` is in the step: `each`, or what a dynamic block is called.
    pub(super) fn named(self, name: &str) -> Node {
        let at = self.value.origin.clone();
        let each = Node::new([("key", self.key), ("value", self.value)], at.clone());
        Node::new([(name, each)], at)
    }
}

/// The steps of a loop over a list, whose keys are numbers, or over a map, in the order of its keys.
/// What may be there or not is a step that may be, and of what is not known one with any value.
pub(super) fn items_of(over: &Node) -> Vec<Item> {
    let item = |key: Node, value: &Node| match (value.unknown(), value.if_there()) {
        (Some(why), Some(there)) => Item { key, value: there, perhaps: Some(why.clone()) },
        _ => Item { key, value: value.clone(), perhaps: None },
    };
    let any = |why: &Reason, at: &Origin| {
        let unknown = Node::unknown_value(why.clone(), at);
        Item { key: unknown.clone(), value: unknown, perhaps: Some(why.clone()) }
    };
    if let Some(why) = over.unknown() {
        return vec![over.if_there().map_or_else(
            || any(why, &over.origin),
            |it| Item { key: it.clone(), value: it, perhaps: Some(why.clone()) },
        )];
    }
    let Some(map) = over.as_map() else {
        let items = over.items().iter().enumerate().map(|(index, it)| match it.unknown() {
            // It stands for any number of items.
            Some(why) if it.if_there().is_none() => any(why, &it.origin),
            _ => item(Node::new(Scalar::plain(index.to_string()), it.origin.clone()), it),
        });
        return items.collect();
    };
    let mut items: Vec<(&str, Item)> = map
        .iter()
        .map(|(key, Entry { key: place, value })| {
            let at = place.map_or_else(|| value.origin.clone(), Origin::written);
            (key, item(Node::new(key, at), value))
        })
        .collect();
    items.sort_by_key(|(key, _)| *key);
    let more = map.open.iter().map(|why| any(why, &over.origin));
    items.into_iter().map(|(_, it)| it).chain(more).collect()
}

impl TerraformScope<'_> {
    /// The instances of what has `for_each` or `count`: what `each` or `count` is in each, and why
    /// nobody can tell whether there is one, if so.
    pub(super) fn instances(
        &self,
        file: FileId,
        body: &hcl_edit::structure::Body,
    ) -> Vec<(Node, Option<Reason>)> {
        let value = |name: &str| {
            let attribute = body.get_attribute(name)?;
            Some(self.value(file, &attribute.value, 0))
        };
        if let Some(over) = value("for_each") {
            // The keys of a set are its items.
            let is_set = over.as_map().is_none();
            let key = |it: Item| if is_set { Item { key: it.value.clone(), ..it } } else { it };
            let items = items_of(&over).into_iter().map(key);
            return items.map(|it| (it.clone().named("each"), it.perhaps)).collect();
        }
        let at = written(file, body.span());
        let Some(count) = value("count") else {
            return vec![(Node::new(Map::default(), at), None)];
        };
        let indexed = |index: i128| {
            let index = Node::new(Scalar::plain(index.to_string()), count.origin.clone());
            let count = Node::new([("index", index)], count.origin.clone());
            Node::new([("count", count)], at.clone())
        };
        match (count.as_int(), count.unknown()) {
            (Some(count), _) => (0..count.min(MAX_COUNT)).map(|it| (indexed(it), None)).collect(),
            (None, why) => {
                let why = why.cloned().unwrap_or_else(|| "it is computed".into());
                vec![(indexed(0), Some(why))]
            }
        }
    }

    /// `[for a in b : c if d]`, `{for a, b in c : d => e}`
    pub(super) fn for_each(&self, file: FileId, it: &ForExpr, at: &Origin, depth: usize) -> Node {
        let over = self.value(file, &it.intro.collection_expr, depth + 1);
        let mut list = Vec::new();
        let mut map = Map::default();
        for item in items_of(&over) {
            let mut names = vec![(it.intro.value_var.as_str(), item.value)];
            names.extend(it.intro.key_var.as_ref().map(|name| (name.as_str(), item.key)));
            let names: Map = names.into_iter().collect();
            let (key, value, condition) =
                self.with(Node::new(names, over.origin.clone()), |scope| {
                    let of = |it: &Expression| scope.value(file, it, depth + 1);
                    let condition = it.cond.as_ref().map(|it| scope.holds(file, &it.expr, depth));
                    (it.key_expr.as_ref().map(of), of(&it.value_expr), condition)
                });
            let perhaps = match condition {
                Some(Ok(false)) => continue,
                Some(Err(why)) => Some(why),
                _ => item.perhaps,
            };
            let value = perhaps.map_or(value.clone(), |why| value.perhaps(why, false));
            match key {
                None => list.push(value),
                Some(key) => match key.as_scalar().filter(|_| !it.grouping) {
                    Some(key) => map.set(&*key.text, value),
                    None => map.open = Some("one of its keys is computed".into()),
                },
            }
        }
        match it.key_expr {
            Some(_) => Node::new(map, at.clone()),
            None => Node::new(list, at.clone()),
        }
    }
}
