//! What several possible versions of a chart have in common.

use semver::Version;

use crate::{
    resolve::helm::object::identity_only,
    tree::{Node, Reason, ReasonKind, join},
};

/// The objects on which all `renderings` agree; where they do not, a value is unknown.
///
/// The renderings are those of rising versions; the last one's places are kept.
pub(super) fn common(renderings: Vec<(&Version, Vec<Node>)>) -> Vec<Node> {
    let mut renderings = renderings.into_iter().rev();
    let Some((newest, mut objects)) = renderings.next() else { return Vec::new() };
    for (version, others) in renderings {
        let why = Reason::from(format!("it differs between chart versions {version} and {newest}"));
        objects = join_objects(&objects, &others, &why.of_kind(ReasonKind::Version));
    }
    objects
}

fn join_objects(newer: &[Node], older: &[Node], why: &Reason) -> Vec<Node> {
    let same = |a: &Node, b: &Node| {
        ["kind", "metadata.name"].iter().all(|path| a.str_at(path) == b.str_at(path))
    };
    let mut objects: Vec<Node> = (newer.iter())
        .map(|object| match older.iter().find(|other| same(object, other)) {
            Some(other) => join(object, other, why),
            None => identity_only(object, why, None),
        })
        .collect();
    let missing = older.iter().filter(|other| !newer.iter().any(|object| same(object, other)));
    objects.extend(missing.map(|other| identity_only(other, why, None)));
    objects
}
