//! What Bitnami's chart makes of its values.
//!
//! The reference is `bitnami/metrics-server/templates` in the repository `bitnami/charts`, with the
//! library chart `common`.

mod around;

use serde_json::{Value as Json, json};

use crate::{
    data::charts::{self, Behaviour},
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
        let mounts = match chart.get("serviceAccount.automountServiceAccountToken")? {
            mounts if mounts.is_null() => TemplateField::Not(None),
            mounts => chart.print(&mounts)?.into(),
        };
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

struct Bitnami {
    /// The labels that pods have whatever the user wants.
    pod_labels: Node,
}

impl<'a> BitnamiChart<'a> {
    fn new(scope: &'a HelmScope<'a>) -> Rendering<Self> {
        let old = scope.does(Behaviour::OldLabels);
        let [name, instance] = match old {
            true => ["app", "release"],
            false => ["app.kubernetes.io/name", "app.kubernetes.io/instance"],
        };
        let selector = Fields::of(scope)
            .set(instance, scope.named(scope.release.name.clone()))
            .set(name, scope.short_name()?)
            .node();
        let [by, chart] = match old {
            true => ["heritage", "chart"],
            false => ["app.kubernetes.io/managed-by", "helm.sh/chart"],
        };
        let mut labels = Fields::of(scope).all(&selector);
        if !old || scope.does(Behaviour::ChartOnPods) {
            labels = labels.set(chart, scope.chart_label());
        }
        let mut pod_labels = labels;
        if !old {
            pod_labels = pod_labels.set(by, "Helm");
        }
        if scope.does(Behaviour::VersionLabel) {
            pod_labels = pod_labels.set("app.kubernetes.io/version", scope.app_version.clone());
        }
        let mut pod_labels = pod_labels.node();
        let labels = Fields::of(scope).all(&pod_labels).set(by, "Helm");
        let labels = labels.set(chart, scope.chart_label());
        let labels = labels.all(&evaluated(&scope.whole("commonLabels")?)).node();
        if scope.does(Behaviour::CommonLabelsOnPods) {
            pod_labels.clone_from(&labels);
        }
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
            namespaced: scope.does(Behaviour::Namespaced),
            labels,
            selector,
            gap: scope.app_version.unknown().cloned(),
            family: Bitnami { pod_labels },
        })
    }

    /// `{{ .Values.a.b }}`, if it is read; a null is not one of a version that is not known.
    fn printed_or_gap(&self, path: &str) -> Rendering<TemplateField> {
        match self.printed_if_read(path)? {
            TemplateField::Is(node) if node.is_null() && self.gap.is_some() => {
                Ok(TemplateField::Not(None))
            }
            field => Ok(field),
        }
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
        let labels =
            Fields::of(self).all(&self.family.pod_labels).all(&self.rendered("podLabels")?);
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
        let mut containers = items(&self.rendered("extraContainers")?);
        containers.push(self.container()?);
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
        let extra = self.get("extraVolumes")?;
        if truth(&extra) == Ok(true) && truth(&self.get("extraVolumeMounts")?) == Ok(false) {
            let message = "the chart wants `extraVolumeMounts` for `extraVolumes`";
            return Err(Problem::refused(&extra.origin, message));
        }
        let volumes =
            self.behind_own("extraVolumes", &[json!({"name": "empty-dir", "emptyDir": {}})])?;
        let global = self.get("global.imagePullSecrets").ok().filter(|it| truth(it) != Ok(false));
        if self.reads("metrics") && global.is_none() {
            // A chart that was copied from another reads what only that one has.
            self.get("metrics.image.pullSecrets")?;
        }
        let pull = self.whole("image.pullSecrets")?;
        let pull_secrets = pull.items().iter().map(|it| match it.as_map() {
            Some(_) => it.clone(),
            None => Fields::of(self).at(&it.origin).set("name", it.clone()).node(),
        });
        let pull_secrets = Node::new(pull_secrets.collect::<Vec<_>>(), pull.origin.clone());
        let pull_secrets = match global {
            Some(global) => {
                let why = "global secrets for images are not modelled";
                Node::unknown_value(why, &global.origin).into()
            }
            None => TemplateField::when(&pull, pull_secrets),
        };
        for key in ["dnsPolicy", "schedulerName", "terminationGracePeriodSeconds"] {
            pod = pod.set(key, self.given_text(key)?);
        }
        Ok(pod
            .set("imagePullSecrets", pull_secrets)
            .set("affinity", self.affinity()?)
            .set(
                "automountServiceAccountToken",
                self.printed_if_read("automountServiceAccountToken")?,
            )
            .set("securityContext", self.security_context("podSecurityContext")?)
            .set("volumes", volumes)
            .node())
    }

    /// The list at `path`, in newer versions behind the chart's `own` items.
    fn behind_own(&self, path: &str, own: &[Json]) -> Rendering<TemplateField> {
        if !self.does(Behaviour::TemporaryDirectory) {
            return self.given_rendered(path);
        }
        let own = own.iter().map(|it| self.own(it.clone()));
        Ok(own.chain(items(&self.rendered(path)?)).collect::<Vec<_>>().into())
    }

    fn container(&self) -> Rendering<Node> {
        let policy = self.get("image.pullPolicy")?;
        let port =
            Fields::of(self).set("name", "https").set("containerPort", self.printed(self.port())?);
        let (command, args) = self.command()?;
        let mut container = self
            .part()
            .set("name", "metrics-server")
            .set("image", self.image()?)
            .set("imagePullPolicy", HelmScope::quote(&policy))
            .set("command", command)
            .set("args", args)
            .set("resources", self.resources()?);
        if self.reads(self.port()) {
            container = container.set("ports", vec![port.node()]);
        }
        if self.gap.is_some() {
            return Ok(container.node());
        }
        if self.reads("extraEnvVars") {
            container = container
                .set("env", null_or(self.rendered("extraEnvVars")?))
                .set("envFrom", self.env_from()?);
        }
        let mounts = [
            json!({"name": "empty-dir", "mountPath": "/tmp", "subPath": "tmp-dir"}),
            json!({"name": "empty-dir", "subPath": "app-tmp-dir",
                "mountPath": "/opt/bitnami/metrics-server/apiserver.local.config"}),
        ];
        Ok(container
            .set("securityContext", self.security_context("containerSecurityContext")?)
            .set("livenessProbe", self.probe("livenessProbe", "customLivenessProbe", "/livez")?)
            .set("readinessProbe", self.probe("readinessProbe", "customReadinessProbe", "/readyz")?)
            .set("volumeMounts", self.behind_own("extraVolumeMounts", &mounts)?)
            .node())
    }

    /// The path of the port's value.
    fn port(&self) -> &'static str {
        let newer = "containerPorts.https";
        if self.reads(newer) { newer } else { "securePort" }
    }

    /// `command` and `args`.
    fn command(&self) -> Rendering<(TemplateField, TemplateField)> {
        let diagnosed = self.get("diagnosticMode.enabled")?;
        match truth(&diagnosed) {
            Ok(true) => {
                let command = self.rendered("diagnosticMode.command")?;
                return Ok((command.into(), self.rendered("diagnosticMode.args")?.into()));
            }
            Ok(false) => {}
            Err(why) => {
                let unknown = Node::unknown_value(why, &diagnosed.origin);
                return Ok((unknown.clone().into(), unknown.into()));
            }
        }
        let list = |items: Vec<Node>| Node::new(items, self.own.clone());
        let program = self.own("metrics-server");
        if self.does(Behaviour::FlagsInCommand) {
            let command = [vec![program], self.flags()?].concat();
            return Ok((list(command).into(), self.no_args()));
        }
        let args = self.get("args")?;
        let args = either(&args, || self.rendered("args"), || Ok(list(self.flags()?)))?;
        // Before 6.0.0 an empty one left it to the image, whose program is the same.
        let command = self.get("command")?;
        let command =
            either(&command, || self.rendered("command"), || Ok(list(vec![program])))?.into();
        Ok((command, args.into()))
    }

    /// The flags of the chart, then the user's.
    fn flags(&self) -> Rendering<Vec<Node>> {
        let mut flags = Vec::new();
        if self.does(Behaviour::SourceFlag) {
            flags.push(self.own("--source=kubernetes.summary_api:''"));
        }
        if self.reads(self.port()) {
            let port = self.get(self.port())?;
            flags.push(map_text(&port, |it| format!("--secure-port={it}")));
        }
        if self.does(Behaviour::MappedArgs) {
            flags.extend(self.mapped_args()?);
            return Ok(flags);
        }
        let older = "extraArguments";
        let path = if self.reads(older) { older } else { "extraArgs" };
        let extra = self.get(path)?;
        match &extra.kind {
            Kind::Unknown(_) => flags.push(extra),
            Kind::List(_) => flags.extend_from_slice(self.rendered(path)?.items()),
            _ if truth(&extra) == Ok(false) => {}
            // The chart writes it after the first item of a list.
            _ => {
                let message = format!("`{path}` must be a list");
                return Err(Problem::wrong_type(&extra.origin, message));
            }
        }
        Ok(flags)
    }

    /// `{{ range $key, $value := .Values.extraArgs }}--{{ $key }}={{ $value }}{{ end }}`
    fn mapped_args(&self) -> Rendering<Vec<Node>> {
        let extra = self.get("extraArgs")?;
        match &extra.kind {
            Kind::Unknown(_) => Ok(vec![extra]),
            Kind::Map(map) => {
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_by_key(|(key, _)| *key);
                let bare = self.does(Behaviour::BareFlags);
                let flag = |(key, entry): (&str, &Entry)| {
                    let value = &entry.value;
                    let whole = || self.print_at(TextPlace::Item, &format!("--{key}="), value);
                    let name = || Ok(Node::new(format!("--{key}"), value.origin.clone()));
                    if bare { either(value, whole, name) } else { whole() }
                };
                entries.into_iter().map(flag).collect()
            }
            Kind::List(items) => {
                let flag = |(index, value)| map_text(value, |text| format!("--{index}={text}"));
                Ok(items.iter().enumerate().map(flag).collect())
            }
            Kind::Scalar(_) if truth(&extra) == Ok(false) => Ok(Vec::new()),
            Kind::Scalar(_) => {
                Err(Problem::wrong_type(&extra.origin, "`extraArgs` must be a map").about("map"))
            }
        }
    }

    /// `common.images.image`
    fn image(&self) -> Rendering<Node> {
        let scope = self.scope;
        let global = scope.get("global.imageRegistry");
        let registry = match global {
            Ok(global) if truth(&global) != Ok(false) && self.does(Behaviour::GlobalRegistry) => {
                global
            }
            _ => scope.get("image.registry")?,
        };
        let optional = self.does(Behaviour::OptionalRegistry) || !self.reads("image.registry");
        let repository = scope.get("image.repository")?;
        let digest = scope.get("image.digest")?;
        let tag = scope.get("image.tag")?;
        let (sign, version) = match (truth(&digest), truth(&tag)) {
            (Ok(true), _) => ('@', digest),
            (Ok(false), Ok(false)) if self.reads("image.registry") => {
                let message = "the chart prints an image without a tag, unquoted: not YAML";
                return Err(Problem::refused(&tag.origin, message));
            }
            (Ok(false), Ok(_)) => (':', tag),
            (Err(why), _) | (_, Err(why)) => (':', Node::unknown_value(why, &tag.origin)),
        };
        let name = match (go_text(&registry), go_text(&repository)) {
            (Ok(registry), Ok(name)) if registry.is_empty() && optional => name.into(),
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
        if !self.reads("resourcesPreset") || matches!(given, TemplateField::Is(_)) {
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
            "xlarge" | "2xlarge" => {
                let double = name.starts_with('2');
                let capped = self.does(Behaviour::OneAndAHalfCores);
                let [cpu, memory] = match (self.does(Behaviour::TwoOrFourCores), double) {
                    (true, false) => ["2.0", "4096Mi"],
                    (true, true) => ["4.0", "8192Mi"],
                    (false, _) if capped => ["1.5", "4096Mi"],
                    (false, _) => ["1.0", "3072Mi"],
                };
                let most = if double { ["6.0", "12288Mi"] } else { ["3.0", "6144Mi"] };
                [cpu, memory, most[0], most[1]]
            }
            _ => {
                let message = format!("the chart has no resources preset `{name}`");
                return Err(Problem::refused(&preset.origin, message));
            }
        };
        let [cpu, memory, most_cpu, most_memory] = amounts;
        let mut preset_is = json!({"requests": {"cpu": cpu, "memory": memory},
            "limits": {"cpu": most_cpu, "memory": most_memory}});
        let [one, two] = [Behaviour::StorageOfOneGibibyte, Behaviour::StorageOfTwoGibibytes];
        if self.gap.is_none() && (self.does(one) || self.does(two)) {
            preset_is["requests"]["ephemeral-storage"] = "50Mi".into();
            let most = if self.does(one) { "1024Mi" } else { "2Gi" };
            preset_is["limits"]["ephemeral-storage"] = most.into();
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
        if truth(&self.get("diagnosticMode.enabled")?) == Ok(true) {
            return Ok(TemplateField::Not(None));
        }
        let custom = self.given_rendered(custom)?;
        let first = self.does(Behaviour::CustomProbeFirst);
        if first && matches!(custom, TemplateField::Is(_)) {
            return Ok(custom);
        }
        let enabled = self.get(&format!("{path}.enabled"))?;
        if !first && truth(&enabled) == Ok(false) {
            return Ok(custom);
        }
        let mut probe = self.whole(path)?;
        if let Some(map) = probe.as_map_mut() {
            map.remove("enabled");
            if !self.reads(&format!("{path}.httpGet.path")) {
                let get = json!({"path": url, "port": "https", "scheme": "HTTPS"});
                map.set("httpGet", self.own(get));
            }
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
    fn affinity(&self) -> Rendering<TemplateField> {
        let affinity = self.whole("affinity")?;
        if truth(&affinity) != Ok(false) || !self.reads("podAntiAffinityPreset") {
            return Ok(TemplateField::when(&affinity, evaluated(&affinity)));
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
                return Ok(Node::unknown_value(why, &given.origin).into());
            }
        }
        let mut term = Fields::of(self)
            .set("labelSelector", self.match_labels())
            .set("topologyKey", "kubernetes.io/hostname");
        if self.does(Behaviour::AffinityNamespaces) {
            term = term.set("namespaces", vec![self.namespace.clone()]);
        }
        let weighted = Fields::of(self).set("podAffinityTerm", term).set("weight", self.own(1));
        let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
        let apart = Fields::of(self).set(preferred, vec![weighted.node()]);
        Ok(Fields::of(self)
            .set("podAffinity", self.own(Json::Null))
            .set("podAntiAffinity", apart)
            .set("nodeAffinity", self.own(Json::Null))
            .into())
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
