//! The objects of an environment by what is asked of them, so that no question goes through all.

use std::{
    cell::{OnceCell, RefCell},
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    data::kinds::{AUTOSCALERS, WORKLOADS},
    model::{
        Access, Service, access, budget, lower,
        lower::namespace_of,
        mesh, policy, release, selector, service,
        workload::{self, in_pods, pod_labels},
    },
    resolve::environment::{Environment, Object},
    tree::Node,
};

/// The objects of an environment; all answers are in their order.
pub(super) struct ObjectIndex<'a> {
    pub environment: &'a Environment,
    kinds: BTreeMap<&'a str, Vec<&'a Object>>,
    names: BTreeMap<[&'a str; 3], Vec<&'a Object>>,
    pods: OnceCell<Words<MadePods<'a>>>,
    services: OnceCell<Words<&'a Object>>,
    budgets: OnceCell<Words<&'a Object>>,
    bindings: OnceCell<Words<&'a Object>>,
    scalers: OnceCell<Words<&'a Object>>,
    policies: OnceCell<Words<&'a Object>>,
    other_policies: OnceCell<bool>,
    verticals: OnceCell<Words<&'a Object>>,
    limit_ranges: OnceCell<Words<&'a Object>>,
    secrets: OnceCell<Words<&'a Object>>,
    peer_authentications: OnceCell<Words<&'a Object>>,
    groups: OnceCell<BTreeSet<&'a str>>,
    accesses: RefCell<BTreeMap<[String; 2], Arc<Access>>>,
    found_services: RefCell<BTreeMap<Vec<String>, Arc<[Service]>>>,
}

/// The pods that an object is, or makes.
pub(super) struct MadePods<'a> {
    /// The object.
    pub object: &'a Object,
    /// Their labels, unknown where nobody can tell whether there are any.
    pub labels: Option<Node>,
    /// Whether it is of a kind that we know to make pods.
    pub is_workload: bool,
    /// Whether a metrics-server runs in them.
    pub is_server: bool,
}

/// Words by which something is asked for, one of which an answer has; `None` where it may be any.
pub(super) type Asked = Option<Vec<String>>;

impl<'a> ObjectIndex<'a> {
    pub(super) fn new(environment: &'a Environment) -> Self {
        let mut index = Self {
            environment,
            kinds: BTreeMap::new(),
            names: BTreeMap::new(),
            pods: OnceCell::new(),
            services: OnceCell::new(),
            budgets: OnceCell::new(),
            bindings: OnceCell::new(),
            scalers: OnceCell::new(),
            policies: OnceCell::new(),
            other_policies: OnceCell::new(),
            verticals: OnceCell::new(),
            limit_ranges: OnceCell::new(),
            secrets: OnceCell::new(),
            peer_authentications: OnceCell::new(),
            groups: OnceCell::new(),
            accesses: RefCell::default(),
            found_services: RefCell::default(),
        };
        for object in &environment.objects {
            let kind = object.kind();
            index.kinds.entry(kind).or_default().push(object);
            let is_apart = matches!(kind, "ClusterRole" | "Namespace");
            let home = if is_apart { "" } else { namespace_of(object) };
            index.names.entry([kind, home, object.name()]).or_default().push(object);
        }
        index
    }

    pub(super) fn of_kind(&self, kind: &str) -> &[&'a Object] {
        self.kinds.get(kind).map(Vec::as_slice).unwrap_or_default()
    }

    /// The objects of that kind, namespace and name; what is in no namespace is in `""`.
    pub(super) fn named(&self, kind: &str, namespace: &str, name: &str) -> Vec<&'a Object> {
        self.names.get(&[kind, namespace, name]).cloned().unwrap_or_default()
    }

    /// What makes pods that may have one of these labels, or has one of these names, in a namespace or
    /// in all.
    pub(super) fn pods(
        &self,
        namespace: Option<&str>,
        asked: Asked,
    ) -> impl Iterator<Item = &MadePods<'a>> {
        let pods = || self.environment.objects.iter().filter_map(made_pods);
        let labels_of = |it: &MadePods<'a>| {
            let words = selector::pairs(it.labels.as_ref());
            let name = it.object.name().to_owned();
            (it.object, words.map(|it| it.into_iter().chain([name]).collect()))
        };
        let words = self.pods.get_or_init(|| Words::new(pods(), labels_of));
        words.find(namespace.unwrap_or(EVERYWHERE), asked)
    }

    /// The Services that may select pods with these labels, in their namespace.
    pub(super) fn services(&self, namespace: &str, labels: Option<&Node>) -> Vec<&'a Object> {
        let asked = selector::pairs(labels);
        self.find(&self.services, &["Service"], service::asked, namespace, asked)
    }

    /// The PodDisruptionBudgets that may select pods with these labels, in their namespace.
    pub(super) fn budgets(&self, namespace: &str, labels: Option<&Node>) -> Vec<&'a Object> {
        let asked = selector::pairs(labels);
        self.find(&self.budgets, &["PodDisruptionBudget"], budget::asked, namespace, asked)
    }

    /// What binds roles to one of these subjects, or may.
    pub(super) fn bindings(&self, subjects: Vec<String>) -> Vec<&'a Object> {
        let kinds = ["RoleBinding", "ClusterRoleBinding"];
        self.find(&self.bindings, &kinds, access::subjects, EVERYWHERE, Some(subjects))
    }

    /// What `find` says of the Services of pods that have all in common which `key` says.
    pub(super) fn services_of(
        &self,
        key: Vec<String>,
        find: impl FnOnce() -> Arc<[Service]>,
    ) -> Arc<[Service]> {
        found_once(&self.found_services, key, find)
    }

    /// What an account of a namespace may do; many workloads may have one.
    pub(super) fn access(&self, namespace: &str, account: &str) -> Arc<Access> {
        let key = [namespace.to_owned(), account.to_owned()];
        found_once(&self.accesses, key, || access::of_account(self, namespace, account).into())
    }

    /// What scales a workload of that name in its namespace, or may.
    pub(super) fn scalers(&self, namespace: &str, name: &str) -> Vec<&'a Object> {
        let target = |it: &Object| target_name(it, "spec.scaleTargetRef.name");
        self.find(&self.scalers, AUTOSCALERS, target, namespace, Some(vec![name.to_owned()]))
    }

    /// The `VerticalPodAutoscalers` of a workload of that name in its namespace, or that may be.
    pub(super) fn verticals(&self, namespace: &str, name: &str) -> Vec<&'a Object> {
        let target = |it: &Object| target_name(it, "spec.targetRef.name");
        let asked = Some(vec![name.to_owned()]);
        self.find(&self.verticals, &["VerticalPodAutoscaler"], target, namespace, asked)
    }

    /// The `NetworkPolicies` that may select pods with these labels, in their namespace.
    pub(super) fn policies(&self, namespace: &str, labels: Option<&Node>) -> Vec<&'a Object> {
        let asked = selector::pairs(labels);
        self.find(&self.policies, &["NetworkPolicy"], policy::asked, namespace, asked)
    }

    /// Whether there are policies of other kinds.
    pub(super) fn has_other_policies(&self) -> bool {
        let found = || self.environment.objects.iter().any(policy::is_other);
        *self.other_policies.get_or_init(found)
    }

    /// What is a Secret of that name, or makes one, in its namespace.
    pub(super) fn secrets(&self, namespace: &str, name: &str) -> Vec<&'a Object> {
        let kinds = self.kinds.keys().copied();
        let kinds: Vec<&str> =
            kinds.filter(|it| it.contains("Secret") || *it == "Certificate").collect();
        let asked = Some(vec![name.to_owned()]);
        self.find(&self.secrets, &kinds, |it| Some(release::secrets(it)), namespace, asked)
    }

    /// The `PeerAuthentications` of a namespace that may select pods with these labels.
    pub(super) fn peer_authentications(
        &self,
        namespace: &str,
        labels: Option<&Node>,
    ) -> Vec<&'a Object> {
        let (kinds, asked) = (["PeerAuthentication"], selector::pairs(labels));
        self.find(&self.peer_authentications, &kinds, mesh::asked, namespace, asked)
    }

    /// Whether there is an object of that API group.
    pub(super) fn has_group(&self, group: &str) -> bool {
        let groups = || self.environment.objects.iter().map(Object::group).collect();
        self.groups.get_or_init(groups).contains(group)
    }

    pub(super) fn limit_ranges(&self, namespace: &str) -> Vec<&'a Object> {
        self.find(&self.limit_ranges, &["LimitRange"], |_| None, namespace, None)
    }

    fn find(
        &self,
        words: &OnceCell<Words<&'a Object>>,
        kinds: &[&str],
        read: impl Fn(&Object) -> Asked,
        namespace: &str,
        asked: Asked,
    ) -> Vec<&'a Object> {
        let objects = self.environment.objects.iter().filter(|it| kinds.contains(&it.kind()));
        let words = words.get_or_init(|| Words::new(objects, |it| (it, read(it))));
        words.find(namespace, asked).copied().collect()
    }
}

/// The name of what `object` refers to at `path`; `None` where it may be any.
fn target_name(object: &Object, path: &str) -> Asked {
    let name = object.node.look(path).ok()?.filter(|it| !workload::is_yet_to_fill_in(it));
    Some(vec![name?.as_str()?.to_owned()])
}

fn made_pods(object: &Object) -> Option<MadePods<'_>> {
    let (node, kind) = (&object.node, object.kind());
    let is_workload = WORKLOADS.contains(&kind) || kind == "Job";
    let is_server = lower::runs_metrics_server(object).is_some();
    if !is_workload && !is_server && node.at(&in_pods(node, "metadata")).is_none() {
        return None;
    }
    let labels = pod_labels(node);
    Some(MadePods { object, labels, is_workload, is_server })
}

/// What is `known` for `key`, which `find` says the first time; it may ask the index itself.
fn found_once<K: Ord, T: ?Sized>(
    known: &RefCell<BTreeMap<K, Arc<T>>>,
    key: K,
    find: impl FnOnce() -> Arc<T>,
) -> Arc<T> {
    let found = known.borrow().get(&key).cloned();
    found.unwrap_or_else(|| {
        let found = find();
        known.borrow_mut().insert(key, Arc::clone(&found));
        found
    })
}

/// Things by namespace and word.
struct Words<T> {
    things: Vec<T>,
    places: BTreeMap<[String; 2], Vec<usize>>,
}

/// The namespace of what is asked for in all of them.
const EVERYWHERE: &str = "";
/// The word of everything.
const ALL: &str = "";
/// The word of what may have any.
const UNTOLD: &str = "*";

impl<T> Words<T> {
    fn new<'a>(things: impl Iterator<Item = T>, read: impl Fn(&T) -> (&'a Object, Asked)) -> Self {
        let mut index = Self { things: things.collect(), places: BTreeMap::new() };
        for (at, thing) in index.things.iter().enumerate() {
            let (object, words) = read(thing);
            let words = words.unwrap_or_else(|| vec![UNTOLD.to_owned()]);
            for word in words.into_iter().chain([ALL.to_owned()]) {
                for namespace in [namespace_of(object), EVERYWHERE] {
                    let place = [namespace.to_owned(), word.clone()];
                    index.places.entry(place).or_default().push(at);
                }
            }
        }
        index
    }

    /// What has one of the words, or may.
    fn find(&self, namespace: &str, words: Asked) -> impl Iterator<Item = &T> {
        let words = match words {
            Some(words) => words.into_iter().chain([UNTOLD.to_owned()]).collect(),
            None => vec![ALL.to_owned()],
        };
        let of_word = |word| self.places.get(&[namespace.to_owned(), word]);
        let lists = words.into_iter().filter_map(of_word).filter_map(|it| it.split_first());
        // Each is in order; who looks for the first one does not pay for all.
        let mut heads: BTreeSet<(usize, &[usize])> =
            lists.map(|(first, rest)| (*first, rest)).collect();
        let mut last = None;
        std::iter::from_fn(move || {
            loop {
                let (next, rest) = heads.pop_first()?;
                heads.extend(rest.split_first().map(|(first, rest)| (*first, rest)));
                if last.replace(next) != Some(next) {
                    return self.things.get(next);
                }
            }
        })
    }
}
