//! How long each stage takes, over scenarios of `testdata/`: `cargo bench --features internals --bench stages`.
//!
//! Each number is one pass over a whole repository, on all threads; files are read before.

#![expect(clippy::disallowed_methods, reason = "it reads the scenarios")]
#![expect(clippy::unwrap_used, reason = "a scenario that cannot be read cannot be timed")]

use std::{hint::black_box, time::Duration};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use metrics_server_lint::internals::{Archive, StagedRepository};
use walkdir::WalkDir;

/// What these hold: a Flux tree, overlays of kustomize, Argo CD with Helm, a chart with parts.
const SCENARIOS: [&str; 4] = ["flux-platform", "kustomize-overlay", "argo-cd", "umbrella-chart"];

/// A scenario and the directory of a chart in it.
const CHART: (&str, &str) = ("own-charts", "charts/monitoring");

fn files(scenario: &str) -> Archive {
    let root = format!("{}/testdata/{scenario}", env!("CARGO_MANIFEST_DIR"));
    let entries = WalkDir::new(&root).sort_by_file_name().into_iter().map(Result::unwrap);
    let files = entries.filter(|it| it.file_type().is_file()).map(|it| {
        let path = it.path().strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        (path, std::fs::read(it.path()).unwrap())
    });
    Archive(files.collect())
}

fn repository(scenario: &str) -> StagedRepository {
    StagedRepository::new(files(scenario))
}

fn stages(criterion: &mut Criterion) {
    for scenario in SCENARIOS {
        let mut group = criterion.benchmark_group(scenario);
        let parsed = repository(scenario);
        group.bench_function("parse", |it| it.iter(|| black_box(parsed.parse())));
        // What one resolution has read, the next one would find.
        group.bench_function("resolve", |it| {
            let fresh = || repository(scenario);
            it.iter_batched_ref(fresh, |it| black_box(it.resolve().count()), BatchSize::SmallInput);
        });
        group.bench_function("check", |it| {
            let resolved = || parsed.resolve();
            it.iter_batched(resolved, |it| black_box(it.check().count()), BatchSize::SmallInput);
        });
        let judged = parsed.resolve().check();
        assert!(judged.count() > 0, "{scenario} has findings");
        for format in ["sarif", "text"] {
            group.bench_function(format!("write {format}"), |it| {
                it.iter(|| black_box(judged.write(format)));
            });
        }
        group.finish();
    }
}

fn chart(criterion: &mut Criterion) {
    let (scenario, dir) = CHART;
    let repository = repository(scenario);
    assert!(repository.render_chart(dir) > 0, "{dir} makes objects");
    criterion.bench_function("render a chart", |it| {
        it.iter(|| black_box(repository.render_chart(dir)));
    });
}

criterion_group! {
    name = all;
    config = Criterion::default()
        .sample_size(20)
        .nresamples(10_000)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(250));
    targets = stages, chart
}
criterion_main!(all);
