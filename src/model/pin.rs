//! Versions that change without a change in the repository.

use crate::{
    data::version::Constraint,
    model::{MetricsServer, Moves, MovingVersion},
    resolve::environment::{Environment, Object, Release},
    source,
    tree::{Node, Origin},
};

/// What people call the newest there is, as a tag of an image or a branch.
const NEWEST: [&str; 5] = ["latest", "master", "main", "HEAD", "edge"];

/// What may be another version tomorrow, of the charts, images and sources of metrics-server.
pub(super) fn moving(environment: &Environment, servers: &[MetricsServer]) -> Vec<MovingVersion> {
    let charts = environment.releases.iter().filter_map(chart);
    let images = servers.iter().filter(|it| !it.managed).filter_map(image);
    let sources = environment.objects.iter().flat_map(sources);
    charts.chain(images).chain(sources).collect()
}

fn chart(release: &Release) -> Option<MovingVersion> {
    // What a distribution brings along is called after it.
    let is_ours = release.family.is_some() || source::file_name(&release.chart) == "metrics-server";
    if !is_ours || release.directory.is_some() {
        return None;
    }
    let moving = |moves, text: &str, origin: &Origin| MovingVersion {
        subject: format!("{}/{}", release.namespace, release.name),
        moves,
        text: text.to_owned(),
        origin: origin.or(&release.anchor),
    };
    let Some(version) = &release.version else {
        // Of a file of values nothing says who installs what with it.
        let is_told = release.via != "values-file";
        return is_told.then(|| moving(Moves::AnyChart, "", &release.anchor));
    };
    let text = &*version.as_scalar()?.text;
    if NEWEST.contains(&text) {
        // Of an OCI artifact it is a tag.
        let moves = if text == "latest" { Moves::AnyChart } else { Moves::Branch };
        return Some(moving(moves, text, &version.origin));
    }
    let range = Constraint::parse(text).filter(|it| it.exact().is_none())?;
    let moves = match (range.is_open(), range.is_narrow()) {
        (true, _) => Moves::AnyChart,
        (false, true) => Moves::Patch,
        (false, false) => Moves::Chart,
    };
    Some(moving(moves, text, &version.origin))
}

fn image(server: &MetricsServer) -> Option<MovingVersion> {
    let (tag, origin) = server.image_tag.known()?;
    let is_digest = server.image.value().is_some_and(|it| it.contains('@'));
    (NEWEST.contains(&&**tag) && !is_digest).then(|| MovingVersion {
        subject: server.subject(),
        moves: Moves::Tag,
        text: tag.clone(),
        origin: origin.or(&server.anchor),
    })
}

/// Where an object takes something from the repository of metrics-server itself.
fn sources(object: &Object) -> Vec<MovingVersion> {
    let from = |source: &Node, url: &str, revision: &[&str]| {
        let url = source.get(url)?;
        if source.get("chart").is_some()
            || !url.as_str()?.contains("kubernetes-sigs/metrics-server")
        {
            return None;
        }
        let named = revision.iter().find_map(|path| source.at(path));
        let text = match named {
            Some(named) => &*named.as_scalar()?.text,
            None => "HEAD",
        };
        NEWEST.contains(&text).then(|| MovingVersion {
            subject: format!("{} {}", object.kind(), object.name()),
            moves: Moves::Branch,
            text: text.to_owned(),
            origin: named.unwrap_or(url).origin.clone(),
        })
    };
    let node = &object.node;
    match (object.group(), object.kind()) {
        ("argoproj.io", "Application") => {
            let one = node.at("spec.source").into_iter();
            let all = one.chain(node.items_at("spec.sources"));
            all.filter_map(|it| from(it, "repoURL", &["targetRevision"])).collect()
        }
        ("source.toolkit.fluxcd.io", "GitRepository") => {
            let revision = ["ref.commit", "ref.semver", "ref.tag", "ref.name", "ref.branch"];
            node.at("spec").and_then(|it| from(it, "url", &revision)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}
