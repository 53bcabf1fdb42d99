//! What Bitnami's chart makes of its values: 7.4.13, its last version, as it is; 5 to 7 in what the
//! facts about a metrics-server need.
//!
//! The reference is `bitnami/metrics-server/templates` in the repository `bitnami/charts`, with the
//! library chart `common`.

mod around;

use serde_json::{Value as Json, json};

use crate::{
    data::kinds::is_cluster_scoped,
    placeholder::is_template,
    problem::Problem,
    resolve::helm::{
        object::{Condition, Object},
        print::{text, typed},
        template::{Field, Fields, Place, Rendering, Scope, image_of, items, map_text, truth},
    },
    tree::{Kind, Node, Why},
};

/// The objects of a release.
pub(super) fn render(scope: &Scope<'_>) -> Rendering<Vec<Node>> {
    let chart = Chart::new(scope)?;
    let account = Condition::all(scope, &["serviceAccount.create"])?;
    let mut objects = account.made(|| {
        let name = scope.service_account(&chart.full_name)?;
        let mounts = chart.printed("serviceAccount.automountServiceAccountToken")?;
        let account = chart.object("v1", "ServiceAccount", name);
        Ok(vec![account.set("automountServiceAccountToken", mounts).node()])
    })?;
    objects.extend(chart.roles()?);
    objects.extend(chart.network_policy()?);
    objects.extend(chart.pod_disruption_budget()?);
    objects.push(chart.service()?);
    objects.push(chart.deployment()?);
    objects.extend(chart.api_service()?);
    Ok(objects)
}

struct Chart<'a> {
    scope: &'a Scope<'a>,
    full_name: Node,
    namespace: Node,
    labels: Node,
    selector: Node,
    /// Why what is not modelled is unknown; nothing when all of it is modelled.
    gap: Option<Why>,
}

impl<'a> Chart<'a> {
    fn new(scope: &'a Scope<'a>) -> Rendering<Self> {
        let selector = Fields::new(&scope.own)
            .set("app.kubernetes.io/instance", scope.named(scope.release.name.clone()))
            .set("app.kubernetes.io/name", scope.short_name()?)
            .node();
        let labels = Fields::new(&scope.own)
            .all(&selector)
            .set("app.kubernetes.io/managed-by", scope.own("Helm"))
            .set("app.kubernetes.io/version", scope.app_version.clone())
            .set("helm.sh/chart", scope.chart_label())
            .all(&evaluated(&scope.whole("commonLabels")?));
        let namespace = scope.get("namespaceOverride")?;
        let namespace = match truth(&namespace) {
            Ok(true) => Scope::quote(&namespace),
            Ok(false) => scope.named(scope.release.namespace.clone()),
            Err(why) => Node::unknown_value(why, &namespace.origin),
        };
        let gap = scope.app_version.unknown().cloned();
        let full_name = scope.full_name()?;
        Ok(Self { scope, full_name, namespace, labels: labels.node(), selector, gap })
    }

    fn object(&self, api: &str, kind: &str, name: Node) -> Object {
        let object = Object::new(self.scope, api, kind, name).labels(&self.labels);
        if is_cluster_scoped(kind) {
            object
        } else {
            object.metadata("namespace", self.namespace.clone())
        }
    }

    /// A mapping of which the rest is unknown unless the version is known in full.
    fn fields(&self) -> Fields {
        let fields = Fields::new(&self.scope.own);
        match &self.gap {
            Some(why) => fields.open(why.clone()),
            None => fields,
        }
    }

    fn printed(&self, path: &str) -> Rendering<Field> {
        let node = self.scope.printed(path)?;
        Ok(if node.is_null() && self.gap.is_some() { Field::Not(None) } else { node.into() })
    }

    fn deployment(&self) -> Rendering<Node> {
        let scope = self.scope;
        let labels =
            Fields::new(&scope.own).all(&self.labels).all(&evaluated(&scope.whole("podLabels")?));
        let annotations = scope.whole("podAnnotations")?;
        let metadata = Fields::new(&scope.own)
            .set("labels", labels.node())
            .set("annotations", Field::when(&annotations, evaluated(&annotations)));
        let template =
            Fields::new(&scope.own).set("metadata", metadata.node()).set("spec", self.pod()?);
        let selector = Fields::new(&scope.own).set("matchLabels", self.selector.clone());
        let spec = self
            .fields()
            .set("replicas", self.printed("replicas")?)
            .set("strategy", scope.given("updateStrategy")?)
            .set("selector", selector.node())
            .set("template", template.node());
        let object = self.object("apps/v1", "Deployment", self.full_name.clone());
        Ok(object.set("spec", spec.node()).node())
    }

    fn pod(&self) -> Rendering<Node> {
        let scope = self.scope;
        let priority = scope.get("priorityClassName")?;
        let mut containers = vec![self.container()?];
        containers.extend(items(&evaluated(&scope.whole("sidecars")?)));
        let pod = self
            .fields()
            .set("serviceAccountName", scope.service_account(&self.full_name)?)
            .set("priorityClassName", Field::when(&priority, Scope::quote(&priority)))
            .set("hostNetwork", scope.when("hostNetwork", true)?)
            .set("containers", Node::new(containers, scope.own.clone()));
        let pod = [
            "nodeSelector",
            "tolerations",
            "topologySpreadConstraints",
            "initContainers",
            "hostAliases",
        ]
        .iter()
        .try_fold(pod, |pod, key| {
            let value = scope.whole(key)?;
            Ok(pod.set(key, Field::when(&value, evaluated(&value))))
        })?;
        if self.gap.is_some() {
            return Ok(pod.node());
        }
        let volume = scope.own(json!({"name": "empty-dir", "emptyDir": {}}));
        let mut volumes = vec![volume];
        volumes.extend(items(&evaluated(&scope.whole("extraVolumes")?)));
        let pull = scope.whole("image.pullSecrets")?;
        let pull_secrets = pull.items().iter().map(|it| match it.as_map() {
            Some(_) => it.clone(),
            None => Fields::new(&it.origin).set("name", it.clone()).node(),
        });
        let pull_secrets = Node::new(pull_secrets.collect::<Vec<_>>(), pull.origin.clone());
        Ok(pod
            .set("imagePullSecrets", Field::when(&pull, pull_secrets))
            .set("affinity", self.affinity()?)
            .set("automountServiceAccountToken", scope.printed("automountServiceAccountToken")?)
            .set("securityContext", self.security_context("podSecurityContext")?)
            .set("dnsPolicy", scope.given_text("dnsPolicy")?)
            .set("schedulerName", scope.given_text("schedulerName")?)
            .set(
                "terminationGracePeriodSeconds",
                scope.given_text("terminationGracePeriodSeconds")?,
            )
            .set("volumes", Node::new(volumes, scope.own.clone()))
            .node())
    }

    fn container(&self) -> Rendering<Node> {
        let scope = self.scope;
        let policy = scope.get("image.pullPolicy")?;
        let port = Fields::new(&scope.own)
            .set("name", scope.own("https"))
            .set("containerPort", scope.printed(self.port())?);
        let (command, args) = self.command()?;
        let container = self
            .fields()
            .set("name", scope.own("metrics-server"))
            .set("image", self.image()?)
            .set("imagePullPolicy", Scope::quote(&policy))
            .set("command", command)
            .set("args", args)
            .set("resources", self.resources()?)
            .set("ports", Node::new(vec![port.node()], scope.own.clone()));
        if self.gap.is_some() {
            return Ok(container.node());
        }
        let mut mounts = vec![
            scope.own(json!({"name": "empty-dir", "mountPath": "/tmp", "subPath": "tmp-dir"})),
            scope.own(json!({"name": "empty-dir", "subPath": "app-tmp-dir",
                "mountPath": "/opt/bitnami/metrics-server/apiserver.local.config"})),
        ];
        mounts.extend(items(&evaluated(&scope.whole("extraVolumeMounts")?)));
        Ok(container
            .set("securityContext", self.security_context("containerSecurityContext")?)
            .set("env", null_or(evaluated(&scope.whole("extraEnvVars")?)))
            .set("envFrom", self.env_from()?)
            .set("livenessProbe", self.probe("livenessProbe", "customLivenessProbe", "/livez")?)
            .set("readinessProbe", self.probe("readinessProbe", "customReadinessProbe", "/readyz")?)
            .set("volumeMounts", Node::new(mounts, scope.own.clone()))
            .node())
    }

    /// The path of the port's value.
    fn port(&self) -> &'static str {
        if self.scope.since(6, 0, 0) { "containerPorts.https" } else { "securePort" }
    }

    /// `command` and `args`. Before 6.0.0 the flags stood in the former, and `extraArgs` was a map.
    fn command(&self) -> Rendering<(Node, Field)> {
        let scope = self.scope;
        let port = map_text(&scope.get(self.port())?, |it| format!("--secure-port={it}"));
        if !scope.since(6, 0, 0) {
            let mut command = vec![scope.own("metrics-server"), port];
            let extra = scope.get("extraArgs")?;
            match &extra.kind {
                Kind::Unknown(_) => command.push(extra),
                Kind::Map(map) => {
                    let mut entries: Vec<_> = map.iter().collect();
                    entries.sort_by_key(|(key, _)| *key);
                    for (key, entry) in entries {
                        let value = &entry.value;
                        command.push(match text(value) {
                            Ok(text) => scope.read(
                                Place::Item,
                                &format!("--{key}={text}"),
                                &value.origin,
                            )?,
                            Err(why) => Node::unknown_value(why, &value.origin),
                        });
                    }
                }
                Kind::List(items) => {
                    for (index, value) in items.iter().enumerate() {
                        command.push(map_text(value, |text| format!("--{index}={text}")));
                    }
                }
                Kind::Scalar(_) if truth(&extra) == Ok(false) => {}
                Kind::Scalar(_) => {
                    let message = "`extraArgs` must be a map";
                    return Err(Problem::refused(&extra.origin, message).about("map"));
                }
            }
            return Ok((Node::new(command, scope.own.clone()), Field::Not(None)));
        }
        let diagnosed = scope.get("diagnosticMode.enabled")?;
        match truth(&diagnosed) {
            Ok(true) => {
                let command = scope.whole("diagnosticMode.command")?;
                return Ok((
                    evaluated(&command),
                    evaluated(&scope.whole("diagnosticMode.args")?).into(),
                ));
            }
            Ok(false) => {}
            Err(why) => {
                let unknown = Node::unknown_value(why, &diagnosed.origin);
                return Ok((unknown.clone(), unknown.into()));
            }
        }
        let list = |node: Node| evaluated(&typed(&node));
        let command = scope.get("command")?;
        let command = match truth(&command) {
            Ok(false) => Node::new(vec![scope.own("metrics-server")], scope.own.clone()),
            Ok(true) => list(command),
            Err(why) => Node::unknown_value(why, &command.origin),
        };
        let args = scope.get("args")?;
        let args = match truth(&args) {
            Ok(true) => list(args),
            Err(why) => Node::unknown_value(why, &args.origin),
            Ok(false) => {
                let extra = scope.get("extraArgs")?;
                let mut args = vec![port];
                match &extra.kind {
                    Kind::Unknown(_) => args.push(extra),
                    Kind::List(_) => args.extend_from_slice(list(extra).items()),
                    _ if truth(&extra) == Ok(false) => {}
                    // The chart writes it after the first item of a list.
                    _ => {
                        return Err(Problem::refused(&extra.origin, "`extraArgs` must be a list"));
                    }
                }
                Node::new(args, scope.own.clone())
            }
        };
        Ok((command, args.into()))
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
        let name = match (text(&registry), text(&repository)) {
            (Ok(registry), Ok(name)) if registry.is_empty() => name.into(),
            (Ok(registry), Ok(name)) => format!("{registry}/{name}").into(),
            (Err(why), _) | (_, Err(why)) => Kind::Unknown(why),
        };
        let by_registry = repository.origin.is_default() && !registry.origin.is_default();
        let main = if by_registry { &registry.origin } else { &repository.origin };
        let main =
            main.joined([("registry", registry.clone()), ("repository", repository.clone())]);
        Ok(image_of(&Node::new(name, main), sign, &Scope::quote(&version), &version.origin))
    }

    /// `resources`, else those of `resourcesPreset`.
    fn resources(&self) -> Rendering<Field> {
        let scope = self.scope;
        let given = scope.given("resources")?;
        if !scope.since(7, 0, 0) || matches!(given, Field::Is(_)) {
            return Ok(given);
        }
        let preset = scope.get("resourcesPreset")?;
        let name = match text(&preset) {
            Ok(name) => name,
            Err(why) => return Ok(Node::unknown_value(why, &preset.origin).into()),
        };
        // `_resources.tpl` of the library chart `common`, requests and limits.
        let amounts = match name.as_str() {
            "none" => return Ok(Field::Not(Some(preset.origin))),
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
        Ok(crate::data::charts::from_json(&preset_is, &preset.origin).into())
    }

    fn security_context(&self, path: &str) -> Rendering<Field> {
        let enabled = self.scope.get(&format!("{path}.enabled"))?;
        let mut context = self.scope.whole(path)?;
        if let Some(map) = context.as_map_mut() {
            map.remove("enabled");
            if path == "containerSecurityContext" {
                // What is rendered only for OpenShift's sake stays as it is elsewhere.
                map.open = None;
            }
        }
        Ok(Field::when(&enabled, context))
    }

    fn probe(&self, path: &str, custom: &str, url: &str) -> Rendering<Field> {
        let custom = self.scope.whole(custom)?;
        match truth(&custom) {
            Ok(false) => {}
            Ok(true) => return Ok(evaluated(&custom).into()),
            Err(why) => return Ok(Node::unknown_value(why, &custom.origin).into()),
        }
        let enabled = self.scope.get(&format!("{path}.enabled"))?;
        let mut probe = self.scope.whole(path)?;
        if let Some(map) = probe.as_map_mut() {
            map.remove("enabled");
            let get = json!({"path": url, "port": "https", "scheme": "HTTPS"});
            map.set("httpGet", self.scope.own(get));
        }
        Ok(Field::when(&enabled, probe))
    }

    fn env_from(&self) -> Rendering<Node> {
        let mut sources = Vec::new();
        for (path, kind) in
            [("extraEnvVarsCM", "configMapRef"), ("extraEnvVarsSecret", "secretRef")]
        {
            let name = self.scope.whole(path)?;
            let reference = Fields::new(&name.origin).set("name", evaluated(&name)).node();
            let source = Fields::new(&name.origin).set(kind, reference).node();
            match Field::when(&name, source) {
                // Without any source the chart writes a null, so that not even the list is known.
                Field::Is(source) if source.unknown().is_some() => return Ok(source),
                Field::Is(source) => sources.push(source),
                Field::Not(_) => {}
            }
        }
        Ok(null_or(Node::new(sources, self.scope.own.clone())))
    }

    /// `affinity`, else what the presets make: by default, apart from each other if possible.
    fn affinity(&self) -> Rendering<Node> {
        let scope = self.scope;
        let affinity = scope.whole("affinity")?;
        if truth(&affinity) != Ok(false) {
            return Ok(evaluated(&affinity));
        }
        let usual = [
            ("podAffinityPreset", ""),
            ("podAntiAffinityPreset", "soft"),
            ("nodeAffinityPreset.type", ""),
        ];
        for (path, preset) in usual {
            let given = scope.get(path)?;
            if text(&given).as_deref() != Ok(preset) {
                let why = format!("what `{path}` makes is not modelled");
                return Ok(Node::unknown_value(why, &given.origin));
            }
        }
        let labels = Fields::new(&scope.own).set("matchLabels", self.selector.clone()).node();
        let term = Fields::new(&scope.own)
            .set("labelSelector", labels)
            .set("topologyKey", scope.own("kubernetes.io/hostname"))
            .node();
        let weighted =
            Fields::new(&scope.own).set("podAffinityTerm", term).set("weight", scope.own(1)).node();
        let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
        let apart = Fields::new(&scope.own)
            .set(preferred, Node::new(vec![weighted], scope.own.clone()))
            .node();
        Ok(Fields::new(&scope.own)
            .set("podAffinity", scope.own(Json::Null))
            .set("podAntiAffinity", apart)
            .set("nodeAffinity", scope.own(Json::Null))
            .node())
    }
}

/// What is empty as the null that the chart writes then.
fn null_or(list: Node) -> Node {
    let empty = list.as_list().is_some_and(<[Node]>::is_empty);
    if empty { Node::new(crate::scalar::Scalar::null(), list.origin) } else { list }
}

/// `common.tplvalues.render`: text may hold templates, which are not evaluated here.
fn evaluated(node: &Node) -> Node {
    let why = || Kind::Unknown("it holds a template".into());
    node.rewrite_scalars(|scalar| is_template(&scalar.text).then(why))
}
