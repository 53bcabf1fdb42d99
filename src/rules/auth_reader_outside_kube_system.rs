use crate::{
    finding::{ANY_SETTING, Change, Findings, Severity},
    model::{Cluster, Fact},
    tree::Via,
};

const HOME: &str = "kube-system";

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in cluster.metrics_servers.iter().filter(|it| !it.managed) {
        let access = &server.access;
        let elsewhere =
            access.auth_readers.iter().all(|it| it.namespace.value().is_some_and(|it| it != HOME));
        if access.open.is_some() || cluster.unseen.is_some() || !elsewhere {
            continue;
        }
        let Some(reader) = access.auth_readers.first() else { continue };
        let Some(namespace) = reader.namespace.value() else { continue };
        let reads_anyway = access.place_of("configmaps");
        let message = if reads_anyway.is_some() {
            format!(
                "the RoleBinding {} has no effect in {namespace}: its Role is in kube-system",
                reader.name
            )
        } else {
            format!(
                "metrics-server cannot read its authentication settings: the RoleBinding {} has \
                 to be in kube-system, not {namespace}",
                reader.name
            )
        };
        let by_chart = server.chart.is_some();
        let moved = reader.decided.steps().any(|it| it.via == Via::Transformed);
        let finding = findings.at(&reader.decided.or(&server.anchor), &server.subject(), message);
        if reader.anchor.written_at() != reader.decided.written_at() && !by_chart {
            finding.also(&reader.anchor, "the RoleBinding");
        }
        finding.help(if by_chart {
            "use version 3.10.0 of the chart or a newer one"
        } else if moved {
            "move the RoleBinding back to kube-system with a transformer: `namespace` comes after patches"
        } else {
            "set the namespace of the RoleBinding to kube-system"
        });
        if let Some((_, Fact::Known(_, written))) = &server.chart {
            // Another version has other defaults.
            finding.unsafe_fix(&[ANY_SETTING], [Change::value(written, "3.10.0")]);
        }
        let Some(role) = reads_anyway else {
            if !by_chart {
                // What moves everything is not to move everything back.
                let change = match moved {
                    true => {
                        Change::beside(&reader.decided, 1, "transformers", vec![back(&reader.name)])
                    }
                    false => Change::value(&reader.decided, HOME),
                };
                finding.unsafe_fix(&["auth_readers"], [change]);
            }
            continue;
        };
        finding.also(role, "this lets metrics-server read every ConfigMap, these settings too");
        // Whoever writes such a role by hand means it. That charts did so was a mistake, which
        // nobody should rely on: kubernetes-sigs/metrics-server#1231.
        if !by_chart {
            finding.variant("idle").at_most(Severity::Note);
        }
    }
}

/// The transformer that moves a `RoleBinding` back: those of a kustomization's fields come before its
/// namespace.
fn back(name: &str) -> String {
    format!(
        "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {{name: auth-reader-in-{HOME}}}\n\
         target: {{kind: RoleBinding, name: {name}}}\npatch: |\n  \
         - {{op: replace, path: /metadata/namespace, value: {HOME}}}\n"
    )
}
