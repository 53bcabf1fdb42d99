//! What scales workloads by what their pods use, and the requests that this is measured against.
//!
//! A share of a request needs one in every container that counts: without it the controller computes
//! nothing (`calculatePodRequests` of `pkg/controller/podautoscaler/replica_calculator.go` in
//! Kubernetes: "missing request for cpu in container …").

mod metric;
mod request;
mod search;

pub(super) use search::{elsewhere, find};

use crate::{
    model::{
        Container, Fact, Resources,
        workload::{self, fact},
    },
    resolve::environment::Object,
    tree::{Node, Origin},
};

/// A `HorizontalPodAutoscaler`, or a `ScaledObject` of KEDA, which makes one.
#[derive(Debug, Clone)]
pub(crate) struct Autoscaler {
    /// `HorizontalPodAutoscaler` or `ScaledObject`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The namespace that it and its target are in.
    pub namespace: String,
    /// Its name in the file.
    pub anchor: Origin,
    /// Whether what applies it is suspended.
    pub suspended: bool,
    /// What it says that it scales.
    pub target: Fact<TargetRef>,
    /// That workload; absent where the environment certainly has none, unknown where it is not seen
    /// as a whole or its requests do not count.
    pub workload: Fact<Workload>,
    /// The metrics that are shares of requests.
    pub needs: Vec<Need>,
    /// `behavior`, or `advanced` of a `ScaledObject`, as JSON.
    pub behavior: Fact<String>,
    /// All that it measures, as JSON.
    pub measures: Fact<String>,
    /// `minReplicas`, or `minReplicaCount` of a `ScaledObject`.
    pub min_replicas: Fact<i128>,
    /// `maxReplicas`, or `maxReplicaCount` of a `ScaledObject`.
    pub max_replicas: Fact<i128>,
}

/// `scaleTargetRef` and `targetRef`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TargetRef {
    /// The group of its `apiVersion`; none when that is not said.
    pub group: Option<String>,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// A metric that is a share of what containers request.
#[derive(Debug, Clone)]
pub(crate) struct Need {
    /// Of what.
    pub resource: Measured,
    /// The only container that counts, where the metric names one.
    pub container: Option<(String, Origin)>,
    /// The share in percent, as written.
    pub percent: Option<String>,
    /// Where the metric is, or what it is the default of.
    pub origin: Origin,
    /// Whether Kubernetes fills it in, since there is no metric.
    pub is_default: bool,
}

/// What a container can request, of what metrics-server measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measured {
    /// `cpu`
    Cpu,
    /// `memory`
    Memory,
}

/// What an autoscaler scales.
#[derive(Debug, Clone)]
pub(crate) struct Workload {
    /// The containers that count, as the cluster would get them: what a limit or a `LimitRange`
    /// makes of a request that is missing is one.
    pub containers: Vec<Container>,
    /// Whether something adds containers to its pods in the cluster.
    pub injected: bool,
    /// What rewrites their requests.
    pub vertical: Vec<VerticalAutoscaler>,
}

/// A `VerticalPodAutoscaler` that does not only recommend, or may not.
#[derive(Debug, Clone)]
pub(crate) struct VerticalAutoscaler {
    /// Its name.
    pub name: String,
    /// `updateMode`, else its name.
    pub anchor: Origin,
    /// What it certainly sets: of which containers, and what.
    pub sets: Vec<(String, Measured)>,
}

impl Autoscaler {
    /// `apps/web`
    pub(crate) fn subject(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// `the autoscaler web`, `the ScaledObject web`
    pub(crate) fn words(&self) -> String {
        let kind = if self.kind == "ScaledObject" { &*self.kind } else { "autoscaler" };
        format!("the {kind} {}", self.name)
    }
}

impl Need {
    /// `70 % of the CPU request`
    pub(crate) fn words(&self) -> String {
        let resource = self.resource.words();
        match &self.percent {
            Some(percent) => format!("{percent} % of the {resource} request"),
            None => format!("a share of the {resource} request"),
        }
    }

    /// Whether what `container` requests counts.
    pub(crate) fn counts(&self, container: &Container) -> bool {
        self.container.as_ref().is_none_or(|(name, _)| *name == container.name)
    }
}

impl TargetRef {
    fn read(node: &Node, path: &str, kind: Option<&str>) -> Fact<Self> {
        let name = fact(node, &format!("{path}.name"), workload::text);
        let its_kind = fact(node, &format!("{path}.kind"), workload::text);
        let its_kind = match (its_kind, kind) {
            (Fact::Absent(_), Some(kind)) => kind.to_owned(),
            (Fact::Known(kind, _), _) => kind,
            (other, _) => return other.and_then(|_, _| Fact::Absent(None)),
        };
        let version = fact(node, &format!("{path}.apiVersion"), workload::text);
        if let Some((why, at)) = version.untold() {
            return Fact::Unknown(why.clone(), at.cloned());
        }
        let group = version.value().map(|it| it.split_once('/').map_or("", |(group, _)| group));
        let group = group.map(str::to_owned);
        name.map(|name| Self { group, kind: its_kind, name: name.clone() })
    }

    /// Whether `object` is what is meant.
    fn is(&self, object: &Object) -> bool {
        let same_group = self.group.as_deref().is_none_or(|group| {
            // The group that workloads were in before 1.16.
            group == object.group() || group == "extensions" && object.group() == "apps"
        });
        same_group && object.kind() == self.kind && object.name() == self.name
    }

    /// Whether it has no `scale`, so that nothing can scale it.
    pub(crate) fn has_no_scale(&self) -> bool {
        match self.group.as_deref() {
            Some("apps" | "extensions") => self.kind == "DaemonSet",
            Some("batch") => matches!(&*self.kind, "Job" | "CronJob"),
            Some("") => self.kind == "Pod",
            _ => false,
        }
    }
}

impl Measured {
    fn parse(name: &str) -> Option<Self> {
        [Self::Cpu, Self::Memory].into_iter().find(|it| it.name() == name)
    }

    /// The key under `requests`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
        }
    }

    /// What people call it.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::Memory => "memory",
        }
    }
}

impl Container {
    /// Where it should have a request of `resource`, when it certainly has none.
    pub(crate) fn lacks(&self, resource: Measured) -> Option<&Origin> {
        let Resources { cpu_request, memory_request, .. } = &self.resources;
        let ((Measured::Cpu, Fact::Absent(by), _) | (Measured::Memory, _, Fact::Absent(by))) =
            (resource, cpu_request, memory_request)
        else {
            return None;
        };
        Some(by.as_ref().filter(|it| it.written_at().is_some()).unwrap_or(&self.anchor))
    }

    /// Where its request of `resource` is, when that is certainly of nothing.
    pub(crate) fn requests_nothing(&self, resource: Measured) -> Option<&Origin> {
        let Resources { cpu_request, memory_request, .. } = &self.resources;
        let (is_zero, at) = match resource {
            Measured::Cpu => cpu_request.known().map(|(it, at)| (it.millis == 0, at)),
            Measured::Memory => memory_request.known().map(|(it, at)| (it.bytes == 0, at)),
        }?;
        is_zero.then_some(at)
    }
}
