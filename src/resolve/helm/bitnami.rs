//! What Bitnami's chart makes of its values: 7.4.13, its last version, as it is; 5 to 7 in what the
//! facts about a metrics-server need.
//!
//! The reference is `bitnami/metrics-server/templates` in the repository `bitnami/charts`, with the
//! library chart `common`.

mod around;

use serde_json::{Value as Json, json};

use crate::{
    data::charts,
    placeholder::is_template,
    problem::Problem,
    resolve::helm::{
        chart,
        print::go_text,
        template::{
            Fields, HelmScope, Rendering, TemplateField, TextPlace, either, image_of, items,
            map_text, truth,
        },
    },
    scalar::Scalar,
    tree::{Entry, Kind, Node},
};

/// The objects of a release.
pub(super) fn render(scope: &HelmScope<'_>) -> Rendering<Vec<Node>> {
    let chart = BitnamiChart::new(scope)?;
    let mut objects = chart.service_account(|account| {
        let mounts = chart.printed_or_gap("serviceAccount.automountServiceAccountToken")?;
        Ok(account.set("automountServiceAccountToken", mounts))
    })?;
    objects.extend(chart.roles()?);
    objects.extend(chart.network_policy()?);
    objects.extend(chart.pod_disruption_budget()?);
    objects.push(chart.service()?);
    objects.push(chart.deployment()?);
    objects.extend(chart.api_service()?);
    Ok(objects)
}

type BitnamiChart<'a> = chart::FamilyChart<'a, Bitnami>;

struct Bitnami;

impl<'a> BitnamiChart<'a> {
    fn new(scope: &'a HelmScope<'a>) -> Rendering<Self> {
        let selector = Fields::of(scope)
            .set("app.kubernetes.io/instance", scope.named(scope.release.name.clone()))
            .set("app.kubernetes.io/name", scope.short_name()?)
            .node();
        let labels = Fields::of(scope)
            .all(&selector)
            .set("app.kubernetes.io/managed-by", "Helm")
            .set("app.kubernetes.io/version", scope.app_version.clone())
            .set("helm.sh/chart", scope.chart_label())
            .all(&evaluated(&scope.whole("commonLabels")?));
        let namespace = scope.get("namespaceOverride")?;
        let namespace = either(
            &namespace,
            || Ok(HelmScope::quote(&namespace)),
            || Ok(scope.named(scope.release.namespace.clone())),
        )?;
        Ok(Self {
            scope,
            full_name: scope.full_name()?,
            namespace,
            namespaced: true,
            labels: labels.node(),
            selector,
            gap: scope.app_version.unknown().cloned(),
            family: Bitnami,
        })
    }

    /// `{{ .Values.a.b }}`; a null is not one of every version that is not known in full.
    fn printed_or_gap(&self, path: &str) -> Rendering<TemplateField> {
        let node = self.printed(path)?;
        Ok(if node.is_null() && self.gap.is_some() {
            TemplateField::Not(None)
        } else {
            node.into()
        })
    }

    /// `{{ include "common.tplvalues.render" .Values.a.b }}`
    fn rendered(&self, path: &str) -> Rendering<Node> {
        Ok(evaluated(&self.whole(path)?))
    }

    /// The same, if it is there.
    fn given_rendered(&self, path: &str) -> Rendering<TemplateField> {
        let value = self.whole(path)?;
        Ok(TemplateField::when(&value, evaluated(&value)))
    }

    fn deployment(&self) -> Rendering<Node> {
        let labels = Fields::of(self).all(&self.labels).all(&self.rendered("podLabels")?);
        let annotations = self.given_rendered("podAnnotations")?;
        let pod = self.pod()?;
        let spec = self
            .part()
            .set("replicas", self.printed_or_gap("replicas")?)
            .set("strategy", self.given("updateStrategy")?);
        Ok(self.deployment_of(spec, labels, annotations, pod).node())
    }

    fn pod(&self) -> Rendering<Node> {
        let priority = self.get("priorityClassName")?;
        let mut containers = vec![self.container()?];
        containers.extend(items(&self.rendered("sidecars")?));
        let mut pod = self
            .part()
            .set("serviceAccountName", self.account()?)
            .set("priorityClassName", TemplateField::when(&priority, HelmScope::quote(&priority)))
            .set("hostNetwork", self.when("hostNetwork", true)?)
            .set("containers", containers);
        for key in [
            "nodeSelector",
            "tolerations",
            "topologySpreadConstraints",
            "initContainers",
            "hostAliases",
        ] {
            pod = pod.set(key, self.given_rendered(key)?);
        }
        if self.gap.is_some() {
            return Ok(pod.node());
        }
        let mut volumes = vec![self.own(json!({"name": "empty-dir", "emptyDir": {}}))];
        volumes.extend(items(&self.rendered("extraVolumes")?));
        let pull = self.whole("image.pullSecrets")?;
        let pull_secrets = pull.items().iter().map(|it| match it.as_map() {
            Some(_) => it.clone(),
            None => Fields::of(self).at(&it.origin).set("name", it.clone()).node(),
        });
        let pull_secrets = Node::new(pull_secrets.collect::<Vec<_>>(), pull.origin.clone());
        for key in ["dnsPolicy", "schedulerName", "terminationGracePeriodSeconds"] {
            pod = pod.set(key, self.given_text(key)?);
        }
        Ok(pod
            .set("imagePullSecrets", TemplateField::when(&pull, pull_secrets))
            .set("affinity", self.affinity()?)
            .set("automountServiceAccountToken", self.printed("automountServiceAccountToken")?)
            .set("securityContext", self.security_context("podSecurityContext")?)
            .set("volumes", volumes)
            .node())
    }

    fn container(&self) -> Rendering<Node> {
        let policy = self.get("image.pullPolicy")?;
        let port =
            Fields::of(self).set("name", "https").set("containerPort", self.printed(self.port())?);
        let (command, args) = self.command()?;
        let container = self
            .part()
            .set("name", "metrics-server")
            .set("image", self.image()?)
            .set("imagePullPolicy", HelmScope::quote(&policy))
            .set("command", command)
            .set("args", args)
            .set("resources", self.resources()?)
            .set("ports", vec![port.node()]);
        if self.gap.is_some() {
            return Ok(container.node());
        }
        let mut mounts = vec![
            self.own(json!({"name": "empty-dir", "mountPath": "/tmp", "subPath": "tmp-dir"})),
            self.own(json!({"name": "empty-dir", "subPath": "app-tmp-dir",
                "mountPath": "/opt/bitnami/metrics-server/apiserver.local.config"})),
        ];
        mounts.extend(items(&self.rendered("extraVolumeMounts")?));
        Ok(container
            .set("securityContext", self.security_context("containerSecurityContext")?)
            .set("env", null_or(self.rendered("extraEnvVars")?))
            .set("envFrom", self.env_from()?)
            .set("livenessProbe", self.probe("livenessProbe", "customLivenessProbe", "/livez")?)
            .set("readinessProbe", self.probe("readinessProbe", "customReadinessProbe", "/readyz")?)
            .set("volumeMounts", mounts)
            .node())
    }

    /// The path of the port's value.
    fn port(&self) -> &'static str {
        if self.since(6, 0, 0) { "containerPorts.https" } else { "securePort" }
    }

    /// `command` and `args`. Before 6.0.0 the flags stood in the former, and `extraArgs` was a map.
    fn command(&self) -> Rendering<(Node, TemplateField)> {
        let list = |items: Vec<Node>| Node::new(items, self.own.clone());
        let port = map_text(&self.get(self.port())?, |it| format!("--secure-port={it}"));
        if !self.since(6, 0, 0) {
            let mut command = vec![self.own("metrics-server"), port];
            command.extend(self.mapped_args()?);
            return Ok((list(command), TemplateField::Not(None)));
        }
        let diagnosed = self.get("diagnosticMode.enabled")?;
        match truth(&diagnosed) {
            Ok(true) => {
                let command = self.rendered("diagnosticMode.command")?;
                return Ok((command, self.rendered("diagnosticMode.args")?.into()));
            }
            Ok(false) => {}
            Err(why) => {
                let unknown = Node::unknown_value(why, &diagnosed.origin);
                return Ok((unknown.clone(), unknown.into()));
            }
        }
        let command = self.get("command")?;
        let program = || Ok(list(vec![self.own("metrics-server")]));
        let command = either(&command, || self.rendered("command"), program)?;
        let args = self.get("args")?;
        let flags = || {
            let extra = self.get("extraArgs")?;
            let mut args = vec![port];
            match &extra.kind {
                Kind::Unknown(_) => args.push(extra),
                Kind::List(_) => args.extend_from_slice(self.rendered("extraArgs")?.items()),
                _ if truth(&extra) == Ok(false) => {}
                // The chart writes it after the first item of a list.
                _ => return Err(Problem::refused(&extra.origin, "`extraArgs` must be a list")),
            }
            Ok(list(args))
        };
        Ok((command, either(&args, || self.rendered("args"), flags)?.into()))
    }

    /// `{{ range $key, $value := .Values.extraArgs }}--{{ $key }}={{ $value }}{{ end }}`
    fn mapped_args(&self) -> Rendering<Vec<Node>> {
        let extra = self.get("extraArgs")?;
        match &extra.kind {
            Kind::Unknown(_) => Ok(vec![extra]),
            Kind::Map(map) => {
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_by_key(|(key, _)| *key);
                let flag = |(key, entry): (&str, &Entry)| {
                    self.print_at(TextPlace::Item, &format!("--{key}="), &entry.value)
                };
                entries.into_iter().map(flag).collect()
            }
            Kind::List(items) => {
                let flag = |(index, value)| map_text(value, |text| format!("--{index}={text}"));
                Ok(items.iter().enumerate().map(flag).collect())
            }
            Kind::Scalar(_) if truth(&extra) == Ok(false) => Ok(Vec::new()),
            Kind::Scalar(_) => {
                Err(Problem::refused(&extra.origin, "`extraArgs` must be a map").about("map"))
            }
        }
    }

    /// `common.images.image`
    fn image(&self) -> Rendering<Node> {
        let scope = self.scope;
        let global = scope.get("global.imageRegistry");
        let registry = match global {
            Ok(global) if truth(&global) != Ok(false) => global,
            _ => scope.get("image.registry")?,
        };
        let repository = scope.get("image.repository")?;
        let digest = if scope.since(6, 0, 0) { scope.get("image.digest")? } else { scope.own("") };
        let tag = scope.get("image.tag")?;
        let (sign, version) = match (truth(&digest), truth(&tag)) {
            (Ok(true), _) => ('@', digest),
            (Ok(false), Ok(true)) => (':', tag),
            (Ok(false), Ok(false)) => (':', scope.app_version.clone()),
            (Err(why), _) | (_, Err(why)) => (':', Node::unknown_value(why, &tag.origin)),
        };
        let name = match (go_text(&registry), go_text(&repository)) {
            (Ok(registry), Ok(name)) if registry.is_empty() => name.into(),
            (Ok(registry), Ok(name)) => format!("{registry}/{name}").into(),
            (Err(why), _) | (_, Err(why)) => Kind::Unknown(why),
        };
        let by_registry = repository.origin.is_default() && !registry.origin.is_default();
        let main = if by_registry { &registry.origin } else { &repository.origin };
        let main =
            main.joined([("registry", registry.clone()), ("repository", repository.clone())]);
        Ok(image_of(&Node::new(name, main), sign, &HelmScope::quote(&version), &version.origin))
    }

    /// `resources`, else those of `resourcesPreset`.
    fn resources(&self) -> Rendering<TemplateField> {
        let given = self.given("resources")?;
        if !self.since(7, 0, 0) || matches!(given, TemplateField::Is(_)) {
            return Ok(given);
        }
        let preset = self.get("resourcesPreset")?;
        let name = match go_text(&preset) {
            Ok(name) => name,
            Err(why) => return Ok(Node::unknown_value(why, &preset.origin).into()),
        };
        // `_resources.tpl` of the library chart `common`, requests and limits.
        let amounts = match name.as_str() {
            "none" => return Ok(TemplateField::Not(Some(preset.origin))),
            "nano" => ["100m", "128Mi", "150m", "192Mi"],
            "micro" => ["250m", "256Mi", "375m", "384Mi"],
            "small" => ["500m", "512Mi", "750m", "768Mi"],
            "medium" => ["500m", "1024Mi", "750m", "1536Mi"],
            "large" => ["1.0", "2048Mi", "1.5", "3072Mi"],
            "xlarge" | "2xlarge" if self.gap.is_some() => {
                let why = "the preset is not the same in all versions of the chart";
                return Ok(Node::unknown_value(why, &preset.origin).into());
            }
            "xlarge" => ["1.0", "3072Mi", "3.0", "6144Mi"],
            "2xlarge" => ["1.0", "3072Mi", "6.0", "12288Mi"],
            _ => {
                let message = format!("the chart has no resources preset `{name}`");
                return Err(Problem::refused(&preset.origin, message));
            }
        };
        let [cpu, memory, most_cpu, most_memory] = amounts;
        let mut preset_is = json!({"requests": {"cpu": cpu, "memory": memory},
            "limits": {"cpu": most_cpu, "memory": most_memory}});
        if self.gap.is_none() {
            preset_is["requests"]["ephemeral-storage"] = "50Mi".into();
            preset_is["limits"]["ephemeral-storage"] = "2Gi".into();
        }
        Ok(charts::from_json(&preset_is, &preset.origin).into())
    }

    fn security_context(&self, path: &str) -> Rendering<TemplateField> {
        let enabled = self.get(&format!("{path}.enabled"))?;
        let mut context = self.whole(path)?;
        if let Some(map) = context.as_map_mut() {
            map.remove("enabled");
            if path == "containerSecurityContext" {
                // What is rendered only for OpenShift's sake stays as it is elsewhere.
                map.open = None;
            }
        }
        Ok(TemplateField::when(&enabled, context))
    }

    fn probe(&self, path: &str, custom: &str, url: &str) -> Rendering<TemplateField> {
        let custom = self.given_rendered(custom)?;
        if matches!(custom, TemplateField::Is(_)) {
            return Ok(custom);
        }
        let enabled = self.get(&format!("{path}.enabled"))?;
        let mut probe = self.whole(path)?;
        if let Some(map) = probe.as_map_mut() {
            map.remove("enabled");
            let get = json!({"path": url, "port": "https", "scheme": "HTTPS"});
            map.set("httpGet", self.own(get));
        }
        Ok(TemplateField::when(&enabled, probe))
    }

    fn env_from(&self) -> Rendering<Node> {
        let mut sources = Vec::new();
        for (path, kind) in
            [("extraEnvVarsCM", "configMapRef"), ("extraEnvVarsSecret", "secretRef")]
        {
            let name = self.whole(path)?;
            let fields = || Fields::of(self).at(&name.origin);
            let source = fields().set(kind, fields().set("name", evaluated(&name))).node();
            match TemplateField::when(&name, source) {
                // Without any source the chart writes a null, so that not even the list is known.
                TemplateField::Is(source) if source.unknown().is_some() => return Ok(source),
                TemplateField::Is(source) => sources.push(source),
                TemplateField::Own(_) | TemplateField::Not(_) => {}
            }
        }
        Ok(null_or(Node::new(sources, self.own.clone())))
    }

    /// `affinity`, else what the presets make: by default, apart from each other if possible.
    fn affinity(&self) -> Rendering<Node> {
        let affinity = self.whole("affinity")?;
        if truth(&affinity) != Ok(false) {
            return Ok(evaluated(&affinity));
        }
        let usual = [
            ("podAffinityPreset", ""),
            ("podAntiAffinityPreset", "soft"),
            ("nodeAffinityPreset.type", ""),
        ];
        for (path, preset) in usual {
            let given = self.get(path)?;
            if go_text(&given).as_deref() != Ok(preset) {
                let why = format!("what `{path}` makes is not modelled");
                return Ok(Node::unknown_value(why, &given.origin));
            }
        }
        let term = Fields::of(self)
            .set("labelSelector", self.match_labels())
            .set("topologyKey", "kubernetes.io/hostname");
        let weighted = Fields::of(self).set("podAffinityTerm", term).set("weight", self.own(1));
        let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
        let apart = Fields::of(self).set(preferred, vec![weighted.node()]);
        Ok(Fields::of(self)
            .set("podAffinity", self.own(Json::Null))
            .set("podAntiAffinity", apart)
            .set("nodeAffinity", self.own(Json::Null))
            .node())
    }
}

/// What is empty as the null that the chart writes then.
fn null_or(list: Node) -> Node {
    let empty = list.as_list().is_some_and(<[Node]>::is_empty);
    if empty { Node::new(Scalar::null(), list.origin) } else { list }
}

/// `common.tplvalues.render`: text may hold templates, which are not evaluated here.
fn evaluated(node: &Node) -> Node {
    let why = || Kind::Unknown("it holds a template".into());
    node.rewrite_scalars(|scalar| is_template(&scalar.text).then(why))
}
