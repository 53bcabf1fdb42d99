//! Whether labels are among those that something selects.

use crate::{
    model::{fact::has_hole, index::Asked},
    tree::{Node, Origin, Reason},
};

/// An answer, or why nobody can tell, and where that is.
type Matched<T> = Result<T, (Reason, Origin)>;

/// Whether what has `labels` is among what a map of labels asks for.
///
/// # Errors
/// Why nobody can tell, and where that is; what certainly differs decides all the same.
pub(super) fn has_all(wanted: &Node, labels: Option<&Node>) -> Matched<bool> {
    let each = wanted.entries().map(|(key, it)| Ok(text(&it.value)? == label(labels, key)?));
    all(each.chain([closed(wanted).map(|()| true)]))
}

/// Whether what has `labels` is among what a `LabelSelector` asks for.
///
/// As `LabelSelectorAsSelector` of `k8s.io/apimachinery` has it: an empty one asks for all.
///
/// # Errors
/// As those of [`has_all`].
pub(super) fn selects(selector: &Node, labels: Option<&Node>) -> Matched<bool> {
    let by_labels = selector.look("matchLabels").and_then(|wanted| match wanted {
        Some(wanted) if !wanted.is_null() => has_all(wanted, labels),
        _ => Ok(true),
    });
    let by_expressions = selector.look("matchExpressions").and_then(|expressions| {
        let expressions = expressions.map(Node::items).unwrap_or_default();
        all(expressions.iter().map(|it| fits(it, labels)))
    });
    closed(selector)?;
    all([by_labels, by_expressions].into_iter())
}

/// The labels of pods as `key=value`; `None` where nobody can tell all of them.
pub(super) fn pairs(labels: Option<&Node>) -> Asked {
    let Some(labels) = labels.filter(|it| !it.is_null()) else { return Some(Vec::new()) };
    closed(labels).ok()?;
    let value = |it| Some(text(it).ok()?.unwrap_or_default());
    labels.entries().map(|(key, it)| Some(pair(key, value(&it.value)?))).collect()
}

/// A label that a map of labels certainly asks for.
pub(super) fn certain_pair(wanted: &Node) -> Option<String> {
    wanted.entries().find_map(|(key, it)| Some(pair(key, text(&it.value).ok()??)))
}

/// Labels one of which everything has that a `LabelSelector` selects, or may; `None` where it may be
/// any.
pub(super) fn certain_pairs(selector: &Node) -> Asked {
    closed(selector).ok()?;
    let one_of = |it: &Node| {
        let key = it.str_at("key").filter(|it| !has_hole(it))?;
        let value = |it| text(it).ok()?.map(|it| pair(key, it));
        let is_in = it.str_at("operator") == Some("In");
        let values = || it.look("values").ok().flatten().map(Node::items);
        values().filter(|_| is_in)?.iter().map(value).collect()
    };
    let by_label = selector.get("matchLabels").and_then(certain_pair).map(|it| vec![it]);
    by_label.or_else(|| selector.items_at("matchExpressions").iter().find_map(one_of))
}

fn pair(key: &str, value: &str) -> String {
    format!("{key}={value}")
}

/// Whether all are true; what is false decides, even next to what nobody can tell.
fn all(each: impl Iterator<Item = Matched<bool>>) -> Matched<bool> {
    let mut untold = None;
    for it in each {
        match it {
            Ok(false) => return Ok(false),
            Ok(true) => {}
            Err(why) => _ = untold.get_or_insert(why),
        }
    }
    untold.map_or(Ok(true), Err)
}

/// Whether one of `matchExpressions` asks for `labels`.
fn fits(expression: &Node, labels: Option<&Node>) -> Matched<bool> {
    let word = |field| Ok(expression.look(field)?.and_then(Node::as_str).unwrap_or_default());
    let (found, operator) = (label(labels, word("key")?)?, word("operator")?);
    let values = expression.look("values")?.map(Node::items).unwrap_or_default();
    let among = || {
        let mut untold = None;
        for value in values {
            match text(value) {
                Ok(value) if found.is_some() && value == found => return Ok(true),
                Ok(_) => {}
                Err(why) => _ = untold.get_or_insert(why),
            }
        }
        untold.map_or(Ok(false), Err)
    };
    match operator {
        "In" => among(),
        "NotIn" => among().map(|among| !among),
        "Exists" => Ok(found.is_some()),
        "DoesNotExist" => Ok(found.is_none()),
        _ => Err(("this operator is none".into(), expression.origin.clone())),
    }
}

/// The value of a label, if there is one.
fn label<'a>(labels: Option<&'a Node>, key: &str) -> Matched<Option<&'a str>> {
    let Some(labels) = labels.filter(|it| !it.is_null()) else { return Ok(None) };
    match labels.get(key) {
        Some(value) => text(value),
        None => closed(labels).map(|()| None),
    }
}

/// That a node is a map, and holds nothing but what is known of it.
fn closed(node: &Node) -> Matched<()> {
    let why = match (node.unknown(), node.as_map()) {
        (Some(why), _) => why.clone(),
        (None, None) => "this is no mapping".into(),
        (None, Some(map)) => match &map.open {
            Some(why) => why.clone(),
            None => return Ok(()),
        },
    };
    Err((why, node.origin.clone()))
}

/// The text of a label; what has yet to be filled in nobody can tell.
fn text(node: &Node) -> Matched<Option<&str>> {
    if let Some(why) = node.unknown() {
        return Err((why.clone(), node.origin.clone()));
    }
    match node.as_str() {
        Some(text) if !has_hole(text) => Ok(Some(text)),
        Some(text) => Err((format!("nothing fills in `{text}`").into(), node.origin.clone())),
        None => Err(("this is not text".into(), node.origin.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{fixture, roots};

    #[test]
    fn what_certainly_differs_decides() {
        let of = |selector: &str, labels: &str| {
            let text = format!(
                "
                //- a.yaml
                {selector}
                ---
                {labels}
            "
            );
            let nodes = roots(&fixture(&text), "a.yaml");
            selects(&nodes[0], Some(&nodes[1])).ok()
        };
        assert_eq!(of("{matchLabels: {a: b}}", "{a: b, c: d}"), Some(true));
        assert_eq!(of("{}", "{a: b}"), Some(true));
        assert_eq!(of("{matchLabels: {a: b, c: '{{ d }}'}}", "{a: b, c: d}"), None);
        assert_eq!(of("{matchLabels: {c: '{{ d }}', a: b}}", "{a: x, c: d}"), Some(false));
        let expression = |it: &str, labels| of(&format!("{{matchExpressions: [{it}]}}"), labels);
        assert_eq!(
            expression("{key: a, operator: In, values: [b, '{{ c }}']}", "{a: b}"),
            Some(true)
        );
        assert_eq!(expression("{key: a, operator: In, values: ['{{ c }}']}", "{a: b}"), None);
        assert_eq!(expression("{key: a, operator: NotIn, values: [b]}", "{c: d}"), Some(true));
        assert_eq!(expression("{key: a, operator: DoesNotExist}", "{a: b}"), Some(false));
        assert_eq!(expression("{key: a, operator: Like}", "{a: b}"), None);
    }
}
