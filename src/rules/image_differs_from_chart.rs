use semver::Version;

use crate::{
    data::flags,
    finding::{Findings, Severity},
    model::{Argument, Cluster, MetricsServer},
};

/// The first version that reads `/metrics/resource` of the kubelets in place of `/stats/summary`.
const METRICS: Version = Version::new(0, 6, 0);

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in &cluster.metrics_servers {
        let Some((made_for, image)) = server.differs_from_chart() else { continue };
        let Some(at) = server.image_tag.origin() else { continue };
        let chart = format!("the chart is made for metrics-server {made_for}");
        let breaks = breaks(server, made_for, image);
        let (variant, message) = match &breaks {
            Some((variant, how)) => (*variant, format!("{chart}, {how}")),
            None => ("", format!("{chart}, and the image is {image}")),
        };
        let finding = findings.at(&at.or(&server.anchor), &server.subject(), message);
        finding
            .variant(variant)
            .also(&server.anchor, format!("the chart, which installs {made_for} by itself"))
            .help(format!("remove image.tag, or use a version of the chart that installs {image}"));
        if breaks.is_none() {
            finding.at_most(Severity::Warning);
        }
    }
}

/// What the `image` does not get along with in a chart that is `made_for` another version.
fn breaks(
    server: &MetricsServer,
    made_for: &Version,
    image: &Version,
) -> Option<(&'static str, String)> {
    let arguments = server.arguments();
    let refused = arguments.iter().find_map(|it| match it {
        Argument::Flag { name, arg, .. } => {
            (arg.origin.is_default() && flags::accepts(image, name) == Some(false)).then_some(name)
        }
        _ => None,
    });
    if let Some(flag) = refused {
        return Some(("flag", format!("and passes --{flag}: {image} has no such flag")));
    }
    let reads = |it: &Version| if *it >= METRICS { "nodes/metrics" } else { "nodes/stats" };
    let (granted, read) = (reads(made_for), reads(image));
    let access = &server.access;
    let lacks = granted != read
        && access.open.is_none()
        && access.place_of(granted).is_some()
        && !access.may_use(read);
    let how = || format!("and its role grants {granted}: {image} reads {read}, and is refused");
    lacks.then(|| ("role", how()))
}
