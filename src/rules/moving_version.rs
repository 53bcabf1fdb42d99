use crate::{
    finding::{Findings, Severity},
    model::{Cluster, Moves, MovingVersion},
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for MovingVersion { subject, moves, text, origin } in &cluster.moving_versions {
        let (variant, message) = match (moves, &**text) {
            (Moves::AnyChart, "") => {
                ("chart", "no version of the chart is named: the newest is installed".to_owned())
            }
            (Moves::AnyChart, text) => {
                ("chart", format!("`{text}` is whatever version of the chart is newest"))
            }
            (Moves::Chart, text) => {
                ("range", format!("`{text}` is another version of the chart from time to time"))
            }
            (Moves::Patch, text) => {
                ("patch", format!("`{text}` is the newest of these versions of the chart"))
            }
            (Moves::Tag, text) => {
                ("tag", format!("the tag `{text}` is another image from time to time"))
            }
            (Moves::Branch, text) => {
                ("branch", format!("the branch `{text}` changes with every commit"))
            }
        };
        let finding = findings.at(origin, subject, message).variant(variant);
        finding.help(match moves {
            Moves::AnyChart | Moves::Chart | Moves::Patch => "name one version of the chart",
            Moves::Tag => "use the tag of a release, such as v0.8.1, or a digest",
            Moves::Branch => "name the tag of a release, such as v0.8.1",
        });
        match moves {
            Moves::Patch => _ = finding.pedantic(),
            Moves::Chart => _ = finding.at_most(Severity::Note),
            Moves::AnyChart | Moves::Tag | Moves::Branch => {}
        }
    }
}
