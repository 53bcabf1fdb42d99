//! Which repository this is, as far as the addresses say that clusters are synced from.

use std::collections::{BTreeMap, BTreeSet};

use super::sync;
use crate::{placeholder::Placeholder, tree::Node};

/// The name of the source that `flux bootstrap` and the operator of Flux make of this repository.
const BOOTSTRAPPED: &str = "flux-system";

/// The addresses of this repository, and of what sources are called.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    /// More than one where clusters read it in several ways, or mirrors of it.
    ours: BTreeSet<String>,
    /// Those of the `GitRepository`s of each name; `None` where one is not written literally.
    named: BTreeMap<String, Option<BTreeSet<String>>>,
}

impl Addresses {
    /// Adds what an object says.
    pub(super) fn add(&mut self, node: &Node) {
        if let Some(sync) = sync(node) {
            let is_git = sync.str_at("kind").is_none_or(|it| it == "GitRepository");
            self.ours.extend(sync.get("url").filter(|_| is_git).and_then(literal));
        } else if node.object_kind() == "GitRepository" {
            let url = node.at("spec.url").and_then(literal);
            if node.object_name() == BOOTSTRAPPED {
                self.ours.extend(url);
                return;
            }
            let known = self.named.entry(node.object_name().to_owned());
            let known = known.or_insert_with(|| Some(BTreeSet::new()));
            match (known.as_mut(), url) {
                (Some(known), Some(url)) => known.extend([url]),
                _ => *known = None,
            }
        }
    }

    /// Whether `url` is certainly one of another repository.
    pub(crate) fn excludes(&self, url: &str) -> bool {
        !self.ours.is_empty() && self.ours.iter().all(|it| is_another(it, url))
    }

    /// Whether `reference`, to whatever namespace, is certainly to another repository.
    pub(crate) fn is_elsewhere(&self, reference: &Node) -> bool {
        let is_git = reference.str_at("kind").is_none_or(|it| it == "GitRepository");
        let name = reference.str_at("name").filter(|it| is_git && *it != BOOTSTRAPPED);
        let known = name.and_then(|it| self.named.get(it)?.as_ref());
        known.is_some_and(|it| it.iter().all(|url| self.excludes(url)))
    }
}

/// Whether two addresses are certainly of two repositories: who moves or mirrors one mostly keeps its name.
pub(crate) fn is_another(one: &str, other: &str) -> bool {
    let [one, other] = [one, other].map(normal);
    one.rsplit('/').next() != other.rsplit('/').next()
}

fn literal(url: &Node) -> Option<String> {
    let text = url.as_str()?;
    let is_open = [Placeholder::Dollar, Placeholder::Braces, Placeholder::HashBraces];
    (!is_open.iter().any(|it| it.is_in(text))).then(|| normal(text))
}

/// A repository's URL without what does not tell repositories apart.
pub(crate) fn normal(url: &str) -> String {
    let url = url.split_once("://").map_or(url, |(_, rest)| rest);
    let url = url.split_once('@').map_or(url, |(_, rest)| rest);
    let url = url.trim_end_matches('/');
    url.strip_suffix(".git").unwrap_or(url).replace(':', "/").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{fixture, roots};

    #[test]
    fn one_repository_has_many_urls() {
        let expected = "github.com/acme/fleet";
        for url in [
            "https://github.com/acme/fleet",
            "ssh://git@github.com/acme/fleet.git",
            "git@github.com:acme/fleet.git",
            "https://GitHub.com/acme/fleet/",
        ] {
            assert_eq!(normal(url), expected, "{url}");
        }
        assert_ne!(normal("https://github.com/acme/apps"), expected);
    }

    #[test]
    fn another_address_is_another_repository_where_one_is_known() {
        let other = "kind: GitRepository\nmetadata: {name: x}\nspec: {url: 'https://h/acme/x'}\n";
        let is_elsewhere = |more: &str| {
            let sources = fixture(&format!(
                "//- a.yaml\n{other}---\n{more}\n//- b.yaml\n{{kind: GitRepository, name: x}}"
            ));
            let mut addresses = Addresses::default();
            for node in &roots(&sources, "a.yaml") {
                addresses.add(node);
            }
            addresses.is_elsewhere(&roots(&sources, "b.yaml")[0])
        };
        let bootstrapped = "kind: GitRepository\nmetadata: {name: flux-system}\nspec:";
        let instance = "apiVersion: fluxcd.controlplane.io/v1\nkind: FluxInstance\nspec:";
        let release = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease
metadata: {name: flux}\nspec: {chartRef: {kind: OCIRepository, name: flux-instance}, values: ";
        for (more, expected) in [
            ("", false),
            (&*format!("{bootstrapped} {{url: 'ssh://git@h/acme/fleet'}}"), true),
            (&format!("{bootstrapped} {{url: 'https://h/${{OWNER}}/fleet'}}"), false),
            // It may be a mirror, or have had another owner.
            (&format!("{bootstrapped} {{url: 'https://mirror/other/x.git'}}"), false),
            (&format!("{instance} {{sync: {{url: 'https://h/acme/fleet', path: a}}}}"), true),
            (&format!("{instance} {{sync: {{kind: OCIRepository, url: 'oci://h/a'}}}}"), false),
            (&format!("{release}{{instance: {{sync: {{url: 'https://h/acme/a'}}}}}}}}"), true),
            ("kind: GitRepository\nmetadata: {name: x}\nspec: {url: '${URL}'}", false),
        ] {
            assert_eq!(is_elsewhere(more), expected, "{more}");
        }
    }
}
