//! What ConfigMaps and Secrets hold.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use indexmap::IndexMap;

use crate::{
    parse,
    placeholder::Placeholder,
    scalar::Scalar,
    tree::{Kind, Node, Reason},
};

/// What a ConfigMap or Secret holds, as far as the repository tells.
#[derive(Debug, Default, Clone)]
pub(crate) struct Data {
    /// Scalars, or what is unknown and why.
    pub entries: IndexMap<String, Node>,
    /// Why it may hold more.
    pub open: Option<Reason>,
}

/// What `object`, a ConfigMap or Secret, holds.
pub(crate) fn of(object: &Node) -> Data {
    let (kind, name) = (object.object_kind(), object.object_name());
    let encrypted: Reason = format!("the {kind} `{name}` is encrypted").into();
    let mut data = Data::default();
    if parse::is_sops(object) {
        data.hide(object.get("data"), &encrypted);
        data.hide(object.get("stringData"), &encrypted);
        return data;
    }
    if kind == "Secret" {
        data.read(object.get("data"), |value| decoded(value, name));
        data.read(object.get("stringData"), Node::clone);
    } else {
        data.read(object.get("data"), Node::clone);
    }
    for value in data.entries.values_mut() {
        if value.as_str().is_some_and(|it| Placeholder::Encrypted.is_in(it)) {
            value.kind = Kind::Unknown(encrypted.clone());
        }
    }
    data
}

/// The text of a value of the Secret `name`, whose lines may be broken.
fn decoded(value: &Node, name: &str) -> Node {
    let text = value.as_str().map(|it| it.split_whitespace().collect::<String>());
    let bytes = text.and_then(|it| STANDARD.decode(it).ok());
    let kind = match bytes.and_then(|it| String::from_utf8(it).ok()) {
        Some(text) => Scalar::string(text).into(),
        None => Kind::Unknown(format!("the Secret `{name}` is not text in base64").into()),
    };
    Node::new(kind, value.origin.clone())
}

impl Data {
    fn read(&mut self, map: Option<&Node>, value: impl Fn(&Node) -> Node) {
        let Some(map) = map else { return };
        self.open = match &map.kind {
            Kind::Unknown(why) => Some(why.clone()),
            Kind::Map(map) => map.open.clone(),
            _ => None,
        }
        .or(self.open.take());
        for (key, entry) in map.entries() {
            let node = match &entry.value.kind {
                Kind::Unknown(_) => entry.value.clone(),
                Kind::Scalar(_) => value(&entry.value),
                _ => {
                    let why = Kind::Unknown(format!("`{key}` is not text").into());
                    Node::new(why, entry.value.origin.clone())
                }
            };
            self.entries.insert(key.to_owned(), node);
        }
    }

    /// The keys of `map`, every value unknown.
    pub(crate) fn hide(&mut self, map: Option<&Node>, why: &Reason) {
        for (key, entry) in map.into_iter().flat_map(Node::entries) {
            let hidden = Node::unknown_value(why.clone(), &entry.value.origin);
            self.entries.insert(key.to_owned(), hidden);
        }
    }
}
