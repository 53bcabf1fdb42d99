//! What RBAC lets a metrics-server do, as far as its environment shows.

use std::sync::Arc;

use crate::{
    data::subject::is_server_named_in,
    model::{
        Fact,
        fact::has_hole,
        index::{Asked, ObjectIndex},
        workload::{self, fact},
    },
    resolve::environment::{Environment, Object},
    tree::{Node, Origin, Reason},
};

/// The Role that lets an extension API server read how requests are authenticated. It is in
/// kube-system alone: `plugin/pkg/auth/authorizer/rbac/bootstrappolicy/namespace_policy.go`.
const READER: &str = "extension-apiserver-authentication-reader";

/// The `ConfigMap` that it is about.
const SETTINGS: &str = "extension-apiserver-authentication";

/// What a `metrics-server`'s account may do.
#[derive(Debug, Default)]
pub(crate) struct Access {
    /// The `RoleBindings` of the account to the Role that reads authentication settings.
    pub auth_readers: Vec<AuthReader>,
    /// The `ClusterRoleBindings` of the account: the role, and where the binding is.
    pub bindings: Vec<(String, Origin)>,
    /// What its `ClusterRoles` let it get or create, in the core group as `nodes/stats`, in others
    /// as `tokenreviews.authentication.k8s.io`, each with its place.
    pub resources: Vec<(String, Origin)>,
    /// Every resource that its `ClusterRoles` name, with the verbs: `pods (get, list, watch)`.
    pub rights: Vec<(String, Origin)>,
    /// Why it may have more.
    pub open: Option<Reason>,
}

/// A `RoleBinding` to the Role that reads authentication settings.
#[derive(Debug, Clone)]
pub(crate) struct AuthReader {
    /// Its name.
    pub name: String,
    /// Where it takes effect; unknown where whoever applies it decides.
    pub namespace: Fact<String>,
    /// Its name in the file.
    pub anchor: Origin,
    /// Where the namespace is decided: a field, or the version of a chart.
    pub decided: Origin,
}

impl Access {
    /// Whether a role lets it use `resource`.
    pub(crate) fn may_use(&self, resource: &str) -> bool {
        self.place_of(resource).is_some()
    }

    /// Where a role names `resource`, or all.
    pub(crate) fn place_of(&self, resource: &str) -> Option<&Origin> {
        let names = |name: &str| name == resource || name.contains('*');
        self.resources.iter().find(|(name, _)| names(name)).map(|(_, at)| at)
    }
}

/// The name of the account that the pods of `workload` have; it is in their namespace.
pub(super) fn account(workload: &Object) -> Fact<String> {
    let named = |field: &str| {
        let path = workload::in_pods(&workload.node, &format!("spec.{field}"));
        fact(&workload.node, &path, workload::text)
    };
    let account = match named("serviceAccountName") {
        Fact::Absent(_) => named("serviceAccount"),
        account => account,
    };
    account.or_default("default".to_owned(), workload.anchor())
}

/// What `account` of `namespace` may do.
pub(super) fn of(index: &ObjectIndex<'_>, namespace: &str, account: &Fact<String>) -> Arc<Access> {
    let untold = || Access { open: Some("its account is unknown".into()), ..Access::default() };
    account.value().map_or_else(|| untold().into(), |it| index.access(namespace, it))
}

/// What the account of that name may do.
pub(super) fn of_account(index: &ObjectIndex<'_>, namespace: &str, account: &str) -> Access {
    let environment = index.environment;
    let mut access = Access::default();
    let mut roles = Vec::new();
    let own = names_of(namespace, account);
    for object in index.bindings(own.clone()) {
        match is_bound(&object.node, &own) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(why) => {
                access.open.get_or_insert(why);
                continue;
            }
        }
        let role = object.node.str_at("roleRef.name").unwrap_or_default();
        let is_role = object.node.str_at("roleRef.kind") == Some("Role");
        if role.is_empty() || has_hole(role) {
            access.open.get_or_insert("the role of a binding is unknown".into());
        } else if object.kind() == "ClusterRoleBinding" {
            access.bindings.push((role.to_owned(), object.anchor()));
            roles.push(role);
        } else if is_role && role == READER {
            access.auth_readers.push(auth_reader(environment, object));
        } else if object.namespace() == "kube-system" {
            access.open.get_or_insert("another role in kube-system may let it read them".into());
        }
    }
    if roles.is_empty() && access.open.is_none() {
        // Whatever binds it lies elsewhere.
        let named = index.of_kind("ClusterRole").iter().map(|it| it.name());
        roles.extend(named.filter(|it| is_server_named_in(it)));
    }
    for role in roles {
        grant(index, role, &mut access);
    }
    access
}

fn auth_reader(environment: &Environment, object: &Object) -> AuthReader {
    let release = environment.release_of(object);
    let namespace = fact(&object.node, "metadata.namespace", workload::text);
    let namespace = match namespace {
        Fact::Absent(by) => Fact::Unknown("whoever applies it chooses the namespace".into(), by),
        namespace => namespace,
    };
    let written = namespace.origin().cloned().unwrap_or_else(|| object.anchor());
    AuthReader {
        name: object.name().to_owned(),
        namespace,
        anchor: object.anchor(),
        decided: release.map_or(written, |it| it.anchor.clone()),
    }
}

/// What an account is as the subject of a binding: itself, and the groups that it is in.
pub(super) fn names_of(namespace: &str, account: &str) -> Vec<String> {
    vec![
        format!("User system:serviceaccount:{namespace}:{account}"),
        "Group system:serviceaccounts".to_owned(),
        "Group system:authenticated".to_owned(),
        format!("Group system:serviceaccounts:{namespace}"),
    ]
}

/// The subjects of a binding, as [`names_of`] has them; `None` where nobody can tell one of them.
pub(super) fn subjects(binding: &Object) -> Asked {
    let subjects = binding.node.look("subjects").ok()?.map(Node::items).unwrap_or_default();
    subjects.iter().map(|it| subject(it).ok()).collect()
}

fn subject(subject: &Node) -> Result<String, Reason> {
    let field = |name| match subject.look(name) {
        Ok(field) => Ok(field.and_then(Node::as_str).unwrap_or_default()),
        Err((why, _)) => Err(why),
    };
    let (kind, name, at) = (field("kind")?, field("name")?, field("namespace")?);
    if has_hole(name) || has_hole(at) {
        return Err("the subject of a binding is unknown".into());
    }
    Ok(match kind {
        "ServiceAccount" => format!("User system:serviceaccount:{at}:{name}"),
        kind => format!("{kind} {name}"),
    })
}

/// Whether a binding is for what has one of `names`, by itself or with others.
///
/// # Errors
/// Why nobody can tell.
fn is_bound(binding: &Node, names: &[String]) -> Result<bool, Reason> {
    let subjects = match binding.look("subjects") {
        Ok(subjects) => subjects.map(Node::items).unwrap_or_default(),
        Err((why, _)) => return Err(why),
    };
    let mut untold = None;
    for it in subjects {
        match subject(it) {
            Ok(it) if names.contains(&it) => return Ok(true),
            Ok(_) => {}
            Err(why) => _ = untold.get_or_insert(why),
        }
    }
    untold.map_or(Ok(false), Err)
}

/// Adds what the `ClusterRole` `name` grants.
fn grant(index: &ObjectIndex<'_>, name: &str, access: &mut Access) {
    let found = index.named("ClusterRole", "", name);
    let Some(role) = found.first() else {
        // `bootstrappolicy/policy.go` has these two rules.
        let reviews = ["tokenreviews.authentication.k8s.io", SUBJECT_ACCESS_REVIEWS];
        let binding = access.bindings.iter().find(|(role, _)| role == name);
        match binding.filter(|_| name == "system:auth-delegator").map(|(_, at)| at.clone()) {
            Some(at) => {
                access.resources.extend(reviews.map(|it| (it.to_owned(), at.clone())));
                access.rights.extend(reviews.map(|it| (format!("{it} (create)"), at.clone())));
            }
            None => _ = access.open.get_or_insert(format!("it has the role {name}, too").into()),
        }
        return;
    };
    let rules = role.node.look("rules");
    let is_known = |rule: &Node| {
        let open = |it: &Node| it.as_map().is_some_and(|map| map.open.is_some());
        rule.walk().all(|it| it.unknown().is_none() && !open(it))
    };
    let rules = rules.map(|it| it.map(Node::items).unwrap_or_default()).unwrap_or_default();
    if role.node.look("rules").is_err()
        || role.node.get("aggregationRule").is_some()
        || !rules.iter().all(is_known)
    {
        access.open.get_or_insert(format!("what {name} grants is unknown").into());
    }
    for rule in rules {
        let has = |field, words: &[&str]| {
            rule.items_at(field).iter().filter_map(Node::as_str).any(|it| words.contains(&it))
        };
        let only = rule.items_at("resourceNames");
        access.rights.extend(named(rule));
        if !has("verbs", &["get", "create", "*"])
            || !only.is_empty() && !has("resourceNames", &[SETTINGS])
        {
            continue;
        }
        for group in rule.items_at("apiGroups").iter().filter_map(Node::as_str) {
            for resource in rule.items_at("resources") {
                let Some(name) = resource.as_str() else { continue };
                let full = if group.is_empty() || group == "*" {
                    name.to_owned()
                } else {
                    format!("{name}.{group}")
                };
                access.resources.push((full, resource.origin.clone()));
            }
        }
    }
}

/// The resources that a rule names, with what it lets do with them.
fn named(rule: &Node) -> impl Iterator<Item = (String, Origin)> {
    let texts = |field: &str| rule.items_at(field).iter().filter_map(Node::as_str);
    let mut verbs: Vec<&str> = texts("verbs").collect();
    verbs.sort_unstable();
    let mut what = verbs.join(", ");
    let names = texts("resourceNames").collect::<Vec<_>>().join(", ");
    if !names.is_empty() {
        what += &format!(" of {names}");
    }
    let mut all = Vec::new();
    for group in texts("apiGroups") {
        for resource in rule.items_at("resources") {
            let Some(name) = resource.as_str() else { continue };
            let dot = if group.is_empty() { "" } else { "." };
            all.push((format!("{name}{dot}{group} ({what})"), resource.origin.clone()));
        }
    }
    all.into_iter()
}

/// What authorizes a request to the Metrics API.
pub(crate) const SUBJECT_ACCESS_REVIEWS: &str = "subjectaccessreviews.authorization.k8s.io";
