//! Properties of every rendering: nothing panics, and what is said although something is unknown
//! holds whatever it turns out to be.

use proptest::{prelude::*, sample::Index, test_runner::RngSeed};
use semver::Version;
use serde_json::{Value as Json, json};

use super::{
    helm::{in_directory, whole},
    nowhere, with,
};
use crate::{
    data::{
        Family,
        charts::{self, ValueKey},
        version::Constraint,
    },
    resolve::{
        environment::Release,
        helm::{Rendered, install, merge},
    },
    scalar::Scalar,
    source::Sources,
    tree::{Kind, Map, Node},
};

fn rendering(family: Family, version: &str, values: Node) -> Rendered {
    let sources = Sources::in_memory([("a.yaml", "")]);
    let version = Node::new(Scalar::string(version), nowhere());
    let release =
        Release { family: Some(family), version: Some(version), values, ..in_directory(None) };
    with(&sources, |context| whole(install(context, release)))
}

/// Every key of a chart that is not a map of keys, as paths.
fn paths(key: &ValueKey, at: &[String], into: &mut Vec<(Vec<String>, ValueKey)>) {
    match key {
        ValueKey::Map(keys) => {
            for (name, key) in keys.iter().filter(|(name, _)| *name != "global") {
                let at: Vec<_> = at.iter().chain([name]).cloned().collect();
                paths(key, &at, into);
            }
        }
        key => into.push((at.to_vec(), key.clone())),
    }
}

fn leaves(family: Family, version: &str) -> Vec<(Vec<String>, ValueKey)> {
    let version = Version::parse(version).expect("a version");
    let mut all = Vec::new();
    paths(&charts::chart(family).keys(&version), &[], &mut all);
    all.retain(|(path, _)| !path[0].ends_with("Override"));
    all
}

/// A value that fits a key, or now and then does not.
fn value(key: &ValueKey) -> BoxedStrategy<Json> {
    let odd = prop_oneof![
        Just(Json::Null),
        Just(json!("")),
        Just(json!({})),
        Just(json!([])),
        Just(json!("text")),
        Just(json!("a: b")),
        Just(json!(0)),
        Just(json!(1.5)),
        Just(json!("false")),
    ];
    let fits = match key {
        ValueKey::Bool => any::<bool>().prop_map(Json::from).boxed(),
        ValueKey::Number => (0..20_000_i64).prop_map(Json::from).boxed(),
        ValueKey::Text | ValueKey::Any => {
            prop_oneof![Just(json!("helm")), Just(json!("1")), Just(json!("x-y")), Just(json!(2))]
                .boxed()
        }
        ValueKey::List => {
            let item = prop_oneof![
                Just(json!("--kubelet-insecure-tls")),
                Just(json!("--metric-resolution=30s")),
                Just(json!({"name": "x"})),
                Just(json!(3)),
            ];
            proptest::collection::vec(item, 0..3).prop_map(Json::from).boxed()
        }
        ValueKey::Open | ValueKey::Map(_) => {
            let value = prop_oneof![Just(json!("1")), Just(json!({"cpu": "1"})), Just(Json::Null)];
            proptest::collection::btree_map("limits|requests|type|a", value, 0..3)
                .prop_map(|map| Json::Object(map.into_iter().collect()))
                .boxed()
        }
    };
    prop_oneof![4 => fits, 1 => odd].boxed()
}

/// Values for some of the keys of a chart.
fn some_values(
    leaves: Vec<(Vec<String>, ValueKey)>,
) -> impl Strategy<Value = Vec<(Vec<String>, Json)>> {
    let chosen = proptest::sample::subsequence(leaves, 0..8);
    chosen.prop_flat_map(|chosen| {
        chosen
            .into_iter()
            .map(|(path, key)| value(&key).prop_map(move |value| (path.clone(), value)))
            .collect::<Vec<_>>()
    })
}

fn tree(values: &[(Vec<String>, Json)], hidden: Option<usize>) -> Node {
    let written = nowhere();
    let mut root = Node::new(Map::default(), written.clone());
    for (index, (path, value)) in values.iter().enumerate() {
        let value = match hidden == Some(index) {
            true => Node::unknown_value("hidden", &written),
            false => charts::from_json(value, &written),
        };
        let leaf = path.iter().rev().fold(value, |value, key| {
            Node::new([(key.clone(), value)].into_iter().collect::<Map>(), written.clone())
        });
        root = merge(&root, &leaf);
    }
    root
}

/// Whether what `said` claims holds for `is`.
fn holds(said: &Node, is: &Node) -> Result<(), String> {
    match (&said.kind, &is.kind) {
        (Kind::Unknown(_), _) | (_, Kind::Unknown(_)) => Ok(()),
        (Kind::Map(a), Kind::Map(b)) => {
            for (key, entry) in a.iter() {
                match b.get(key) {
                    Some(other) => {
                        holds(&entry.value, other).map_err(|it| format!("{key}.{it}"))?;
                    }
                    None if entry.value.unknown().is_some() || entry.value.is_null() => {}
                    None if b.open.is_some() => {}
                    None => return Err(format!("{key}: said {:?}", entry.value.to_json())),
                }
            }
            let missing = b.iter().find(|(key, entry)| {
                a.get(key).is_none() && !entry.value.is_null() && entry.value.unknown().is_none()
            });
            match missing {
                Some((key, entry)) if a.open.is_none() => {
                    Err(format!("{key}: not said {:?}", entry.value.to_json()))
                }
                _ => Ok(()),
            }
        }
        (Kind::List(a), Kind::List(b)) => match items_hold(a, b) {
            true => Ok(()),
            false => Err(format!("said {:?}, is {:?}", said.to_json(), is.to_json())),
        },
        _ if said.to_json() == is.to_json() => Ok(()),
        _ => Err(format!("said {:?}, is {:?}", said.to_json(), is.to_json())),
    }
}

/// An unknown item stands for any number of them.
fn items_hold(said: &[Node], is: &[Node]) -> bool {
    match (said, is) {
        ([], []) => true,
        ([first, rest @ ..], _) if first.unknown().is_some() => {
            (0..=is.len()).any(|skip| items_hold(rest, &is[skip..]))
        }
        (_, [first, rest @ ..]) if first.unknown().is_some() => {
            (0..=said.len()).any(|skip| items_hold(&said[skip..], rest))
        }
        ([a, said @ ..], [b, is @ ..]) => holds(a, b).is_ok() && items_hold(said, is),
        _ => false,
    }
}

/// Whether all that `said` claims holds for `is`.
fn all_hold(said: &Rendered, is: &Rendered) -> Result<(), TestCaseError> {
    if is.objects.is_empty() {
        return Ok(());
    }
    prop_assert!(!said.objects.is_empty(), "it is not refused: {:?}", said.problems);
    let id = |object: &Node| {
        let text = |path| object.str_at(path).unwrap_or_default().to_owned();
        (text("kind"), text("metadata.name"))
    };
    for object in &is.objects {
        // A name that depends on what is unknown cannot be compared.
        let Some(other) = said.objects.iter().find(|it| id(it) == id(object)) else {
            let named = said.objects.iter().filter(|it| id(it).0 == id(object).0);
            prop_assert!(
                named.into_iter().any(|it| it.look("metadata.name").is_err()),
                "{:?} is not said",
                id(object)
            );
            continue;
        };
        if let Err(difference) = holds(other, object) {
            return Err(TestCaseError::fail(format!("{}.{difference}", id(object).0)));
        }
    }
    Ok(())
}

const CHARTS: [(Family, &str); 16] = [
    (Family::KubernetesSigs, "3.5.0"),
    (Family::KubernetesSigs, "3.9.0"),
    (Family::KubernetesSigs, "3.12.2"),
    (Family::KubernetesSigs, "3.13.0"),
    (Family::KubernetesSigs, "3.14.0"),
    (Family::Bitnami, "0.0.3"),
    (Family::Bitnami, "2.2.0"),
    (Family::Bitnami, "3.0.2"),
    (Family::Bitnami, "4.5.1"),
    (Family::Bitnami, "5.11.9"),
    (Family::Bitnami, "6.10.0"),
    (Family::Bitnami, "7.4.13"),
    (Family::Stable, "1.1.0"),
    (Family::Stable, "2.5.1"),
    (Family::Stable, "2.8.0"),
    (Family::Stable, "2.11.4"),
];

fn chart_and_values() -> impl Strategy<Value = (usize, Vec<(Vec<String>, Json)>)> {
    (0..CHARTS.len()).prop_flat_map(|index| {
        let (family, version) = CHARTS[index];
        (Just(index), some_values(leaves(family, version)))
    })
}

/// A range of versions, and values for its newest one.
fn range_and_values() -> impl Strategy<Value = (Family, &'static str, Vec<(Vec<String>, Json)>)> {
    let of = |family, range, newest| {
        some_values(leaves(family, newest)).prop_map(move |values| (family, range, values)).boxed()
    };
    let [sigs, bitnami, stable] = [Family::KubernetesSigs, Family::Bitnami, Family::Stable];
    prop_oneof![
        of(sigs, "3.12.x", "3.13.0"),
        of(sigs, "3.9 - 3.12", "3.13.0"),
        of(sigs, "3.13.x || 3.5.0", "3.13.0"),
        of(bitnami, "<2.4", "2.3.10"),
        of(bitnami, "3.2.7 - 4.1.0", "4.1.0"),
        of(bitnami, "5.10 - 6.0", "6.0.0"),
        of(bitnami, "6.9 - 7.1", "7.1.0"),
        of(stable, "<2.3", "2.2.0"),
        of(stable, "2.5 - 2.10", "2.10.0"),
    ]
}

/// The same cases in every run: a failure is a change of ours.
fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20_261_121),
        ..ProptestConfig::with_cases(64)
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_value_that_is_not_known_makes_nothing_wrong(
        (index, values) in chart_and_values(),
        hidden in any::<Index>(),
    ) {
        prop_assume!(!values.is_empty());
        let (family, version) = CHARTS[index];
        let known = rendering(family, version, tree(&values, None));
        let said = rendering(family, version, tree(&values, Some(hidden.index(values.len()))));
        all_hold(&said, &known)?;
    }

    #[test]
    fn what_is_said_of_a_range_holds_for_each_of_its_versions(
        (family, range, values) in range_and_values(),
    ) {
        let said = rendering(family, range, tree(&values, None));
        let constraint = Constraint::parse(range).expect("a range");
        for version in charts::chart(family).versions().filter(|it| constraint.holds(it)) {
            let one = rendering(family, &version.to_string(), tree(&values, None));
            all_hold(&said, &one)?;
        }
    }

    #[test]
    fn every_version_takes_the_values_of_any_other(
        (index, values) in chart_and_values(),
        at in any::<Index>(),
    ) {
        let (family, _) = CHARTS[index];
        let versions: Vec<_> = charts::chart(family).versions().collect();
        let rendered = rendering(family, &at.get(&versions).to_string(), tree(&values, None));
        prop_assert!(!rendered.objects.is_empty() || !rendered.problems.is_empty());
    }

    #[test]
    fn what_is_said_of_a_newer_chart_holds_for_the_newest(
        values in some_values(leaves(Family::KubernetesSigs, "3.14.0")),
    ) {
        let family = Family::KubernetesSigs;
        let said = rendering(family, "3.99.0", tree(&values, None));
        let known = rendering(family, "3.14.0", tree(&values, None));
        all_hold(&said, &known)?;
    }
}
