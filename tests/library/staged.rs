//! Who asks about some files is told of these what is told of them among all, without the environments that
//! have nothing to do with them.

use std::collections::BTreeSet;

use super::{config_in, fixture_with, robustness::DEPLOYMENT, scenarios::scenarios, written::read};
use crate::{
    config::Config,
    pipeline::{self, analyze},
    settle::{Scope, judge, select},
    source::{FileId, Sources},
};

/// What is found that touches a file: of everything, or of what is resolved for it, if that is less.
fn found(sources: &Sources, config: &Config, file: FileId, less: bool) -> Option<Vec<String>> {
    let scope = Scope::of(vec![sources[file].path.clone()]);
    let ((environments, clusters), some) = match less {
        true => pipeline::analyze_for(sources, config, &BTreeSet::from([file])),
        false => (analyze(sources, config), true),
    };
    let judged = judge(sources, config, &environments, pipeline::found(sources, &clusters));
    let settled = select(sources, config, &environments, judged, &scope, &mut []);
    let words = settled.findings.iter().map(|it| format!("{} {}", it.rule, it.message));
    some.then(|| words.collect())
}

#[test]
fn of_files_that_few_environments_reach_the_same_is_found() {
    let (mut less, mut all) = (0, 0);
    for scenario in scenarios() {
        let (sources, _) = read(&scenario.dir);
        let config = Config { pedantic: true, ..config_in(&sources) };
        for (file, _) in sources.iter() {
            all += 1;
            if let Some(some) = found(&sources, &config, file, true) {
                less += 1;
                let whole = found(&sources, &config, file, false);
                assert_eq!(Some(some), whole, "{}", sources[file].path);
            }
        }
    }
    assert!(less > all / 10, "{less} of {all}");
}

#[test]
fn environments_that_do_not_reach_what_is_named_are_not_resolved() {
    let sources = fixture_with(
        &[("DEPLOYMENT", DEPLOYMENT)],
        "
        //- clusters/a/kustomization.yaml
        resources: [../../apps/ms, ../../apps/web]
        //- clusters/b/kustomization.yaml
        resources: [../../apps/ms]
        //- apps/ms/kustomization.yaml
        resources: [ms.yaml]
        //- apps/ms/ms.yaml
        DEPLOYMENT
        //- apps/web/kustomization.yaml
        resources: [web.yaml]
        //- apps/web/web.yaml
        {apiVersion: v1, kind: Service, metadata: {name: web}}
        //- apps/other.yaml
        {apiVersion: v1, kind: Service, metadata: {name: other}}
    ",
    );
    let config = Config::default();
    let names = |path: &str| {
        let files = BTreeSet::from([sources.find(path).expect(path)]);
        let ((environments, _), _) = pipeline::analyze_for(&sources, &config, &files);
        environments.into_iter().map(|it| it.name).collect::<Vec<_>>()
    };
    assert_eq!(names("apps/ms/ms.yaml"), ["clusters/a", "clusters/b"]);
    assert_eq!(names("apps/web/web.yaml"), ["clusters/a"]);
    assert_eq!(names("apps/other.yaml"), Vec::<String>::new());
}
