#!/usr/bin/env python3
"""How long a check of a large repository takes, against ripgrep searching the same files.

    benches/against_ripgrep.py [BIN] [--pairs N] [--files N] [--tree made|copies|scenarios] [--keep DIR]

Makes a GitOps repository of 10,000 YAML files, runs BIN (default: target/release/metrics-server-lint, built
when missing) and `rg metrics-server` over it in turn, and prints the median of the ratios and our peak
memory. Exits 1 when the ratio is over 3 or the memory over 60 MB. The goal is a ratio of 1.2; walking and
reading alone is about 0.92.

`made`: applications of a dozen files, of which 1 % concern metrics-server. `copies`: the scenarios of testdata/ and
applications side by side, with the paths of Flux and Argo CD made to lead into each copy; nearly everything has to be
resolved. `scenarios`: each scenario by itself among 400 files of applications; prints the ratio of the sums.
"""
import argparse, os, pathlib, random, re, shutil, statistics, subprocess, sys, tempfile, time

RATIO_LIMIT, MEMORY_LIMIT_MB = 3.0, 60.0
REPOSITORY = pathlib.Path(__file__).resolve().parent.parent

DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  namespace: {team}
  labels: &labels
    app.kubernetes.io/name: {name}
    app.kubernetes.io/part-of: {team}
spec:
  replicas: {replicas}
  selector:
    matchLabels:
      app.kubernetes.io/name: {name}
  template:
    metadata:
      labels: *labels
    spec:
      serviceAccountName: {name}
      containers:
        - name: {name}
          image: registry.example.com/{team}/{name}:1.{replicas}.0
          ports:
            - {{name: http, containerPort: 8080}}
          env:
            - name: LOG_LEVEL
              value: info
            - name: DATABASE_URL
              valueFrom: {{secretKeyRef: {{name: {name}, key: url}}}}
          readinessProbe:
            httpGet: {{path: /ready, port: http}}
          resources:
            requests: {{cpu: 100m, memory: 128Mi}}
            limits: {{memory: 256Mi}}
"""

SERVICE = """apiVersion: v1
kind: Service
metadata:
  name: {name}
  namespace: {team}
spec:
  selector:
    app.kubernetes.io/name: {name}
  ports:
    - {{name: http, port: 80, targetPort: http}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {name}
  namespace: {team}
spec:
  rules:
    - host: {name}.example.com
      http:
        paths:
          - path: /
            pathType: Prefix
            backend: {{service: {{name: {name}, port: {{name: http}}}}}}
"""

AUTOSCALER = """apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {name}
  namespace: {team}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: {name}}}
  minReplicas: {replicas}
  maxReplicas: 20
  metrics:
    - type: Resource
      resource: {{name: cpu, target: {{type: Utilization, averageUtilization: 75}}}}
"""

CONFIGURATION = """apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}
  namespace: {team}
data:
  application.yaml: |
    server: {{port: 8080, timeout: {replicas}s}}
    features:
      - search
      - export
"""

NETWORK_POLICY = """apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {name}
  namespace: {team}
spec:
  podSelector: {{matchLabels: {{app.kubernetes.io/name: {name}}}}}
  policyTypes: [Ingress]
  ingress:
    - from: [{{namespaceSelector: {{matchLabels: {{team: {team}}}}}}}]
      ports: [{{port: 8080}}]
"""

CRON_JOB = """apiVersion: batch/v1
kind: CronJob
metadata:
  name: {name}-cleanup
  namespace: {team}
spec:
  schedule: "{replicas} 3 * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: cleanup
              image: registry.example.com/{team}/{name}:1.{replicas}.0
              args: [cleanup, --older-than=30d]
"""

BUDGET = """apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {name}
  namespace: {team}
spec:
  minAvailable: 1
  selector: {{matchLabels: {{app.kubernetes.io/name: {name}}}}}
"""

HELM_RELEASE = """apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: {name}-cache
  namespace: {team}
spec:
  interval: 30m
  chart:
    spec:
      chart: redis
      version: 20.{replicas}.0
      sourceRef: {{kind: HelmRepository, name: bitnami, namespace: flux-system}}
  values:
    architecture: replication
    auth: {{enabled: true, existingSecret: {name}-cache}}
    master:
      persistence: {{size: {replicas}Gi}}
      resources:
        requests: {{cpu: 50m, memory: 64Mi}}
"""

KUSTOMIZATION = """apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
{resources}
"""

OVERLAY = """apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - ../../base
images:
  - name: registry.example.com/{team}/{name}
    newTag: 1.{replicas}.1
patches:
  - target: {{kind: Deployment, name: {name}}}
    patch: |
      - op: replace
        path: /spec/replicas
        value: {replicas}
"""

METRICS_SERVER = """apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: metrics-server
  namespace: kube-system
spec:
  interval: 30m
  chart:
    spec:
      chart: metrics-server
      version: 3.12.2
      sourceRef: {{kind: HelmRepository, name: metrics-server, namespace: flux-system}}
  values:
    replicas: 2
    args: [--kubelet-insecure-tls, --metric-resolution=15s]
    resources:
      limits: {{memory: {memory}Mi}}
"""


def make(root, wanted):
    """A repository: teams with applications of a dozen files, and clusters that install metrics-server."""
    random.seed(20260101)
    count = 0

    def write(path, text):
        nonlocal count
        path = root / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        count += 1

    subject = wanted // 100
    for cluster in range(subject // 2):
        base = f"clusters/cluster-{cluster:03}/metrics-server"
        write(f"{base}/helmrelease.yaml", METRICS_SERVER.format(memory=random.choice([64, 200, 400])))
        write(f"{base}/kustomization.yaml", KUSTOMIZATION.format(resources="  - helmrelease.yaml"))
        write(f"{base}/README.yaml", "# metrics-server of this cluster\nowner: platform\n")
    application = 0
    while count < wanted:
        team, name = f"team-{application % 40:02}", f"service-{application:04}"
        values = {"team": team, "name": name, "replicas": random.randint(1, 9)}
        folder = f"apps/{team}/{name}"
        parts = {
            "deployment": DEPLOYMENT, "service": SERVICE, "hpa": AUTOSCALER, "cache": HELM_RELEASE,
            "configuration": CONFIGURATION, "network-policy": NETWORK_POLICY, "cleanup": CRON_JOB,
            "budget": BUDGET,
        }
        for part, text in parts.items():
            write(f"{folder}/base/{part}.yaml", text.format(**values))
        resources = "\n".join(f"  - {part}.yaml" for part in parts)
        write(f"{folder}/base/kustomization.yaml", KUSTOMIZATION.format(resources=resources))
        for stage in ["dev", "staging", "prod"]:
            write(f"{folder}/overlays/{stage}/kustomization.yaml", OVERLAY.format(**values))
        write(f"{folder}/dashboards/overview.yaml", "panels:\n" + f"  - title: {name}\n    query: up\n" * 60)
        application += 1
    return count


def others(root, wanted, prefix=""):
    """Applications that have nothing to do with it, of `wanted` files."""
    count = application = 0
    while count < wanted:
        team, name = f"team-{application % 40:02}", f"{prefix}service-{application:04}"
        folder = root / f"apps/{team}/{name}"
        folder.mkdir(parents=True)
        parts = {"deployment": DEPLOYMENT, "service": SERVICE, "network-policy": NETWORK_POLICY, "cache": HELM_RELEASE}
        for part, text in parts.items():
            (folder / f"{part}.yaml").write_text(text.format(team=team, name=name, replicas=application % 9 + 1))
        resources = "\n".join(f"  - {part}.yaml" for part in parts)
        (folder / "kustomization.yaml").write_text(KUSTOMIZATION.format(resources=resources))
        count += len(parts) + 1
        application += 1
    return count


def scenarios():
    return sorted(it for it in (REPOSITORY / "testdata").iterdir() if it.is_dir() and it.name != "broken")


def copies(root, wanted):
    """Scenarios and applications side by side, each copy with paths that lead into it."""
    known, count, number = scenarios(), 0, 0
    while count < wanted:
        scenario = known[number % len(known)]
        home = root / f"copies/{number:04}"
        shutil.copytree(scenario, home, symlinks=True)
        into = f"./copies/{number:04}/"
        for file in home.rglob("*"):
            if file.suffix in (".yaml", ".yml") and file.is_file():
                count += 1
                text = file.read_bytes()
                leads = lambda it: it[1] + into.encode() + it[2] if (scenario / it[2].decode()).is_dir() else it[0]
                moved = re.sub(rb"(?m)^(\s*(?:- )?path: +)(?:\./)?([\w][\w./-]*)", leads, text)
                if moved != text:
                    file.write_bytes(moved)
        count += others(home, 40, prefix=f"c{number}-")
        number += 1
    return count


def against_each(ours, theirs, pairs):
    """The sums of the least times over all scenarios, each among 400 files."""
    sums = [0.0, 0.0]
    for scenario in scenarios():
        with tempfile.TemporaryDirectory() as temporary:
            root = pathlib.Path(temporary) / "repository"
            shutil.copytree(scenario, root, symlinks=True)
            others(root, 400)
            best = [min(run(command, root)[0] for _ in range(pairs)) for command in (theirs, ours)]
            sums = [one + more for one, more in zip(sums, best)]
            print(f"{scenario.name:20} {best[1] * 1000:6.1f} ms, ripgrep {best[0] * 1000:6.1f} ms")
    print(f"ratio of the sums: {sums[1] / sums[0]:.2f}")


def run(command, root):
    """Seconds of wall time, peak memory in MB and seconds of the processors of one run."""
    before = time.perf_counter()
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - before
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        sys.exit(f"{command[0]} failed with {process.returncode}")
    return seconds, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime


def binary(given):
    """The program to measure, built if it is the default and is not there."""
    path = pathlib.Path(given).resolve() if given else REPOSITORY / "target/release/metrics-server-lint"
    if not path.exists():
        subprocess.run(["cargo", "build", "--release", "--locked"], cwd=REPOSITORY, check=True)
    return str(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bin", nargs="?")
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--tree", choices=["made", "copies", "scenarios"], default="made")
    parser.add_argument("--keep", help="make the tree there and leave it")
    options = parser.parse_args()
    if not shutil.which("rg"):
        sys.exit("ripgrep is not installed")
    program = binary(options.bin)

    with tempfile.TemporaryDirectory() as temporary:
        root = pathlib.Path(options.keep or temporary)
        ours = [program, "check", "--root", ".", "--fail-on", "never"]
        theirs = ["rg", "--hidden", "-g", "*.{yaml,yml}", "metrics-server", "."]
        if options.tree == "scenarios":
            return against_each(ours, theirs, options.pairs)
        files = (make if options.tree == "made" else copies)(root, options.files)
        run(ours, root), run(theirs, root)  # the first runs fill the cache
        ratios, our_times, their_times, memory = [], [], [], 0.0
        for _ in range(options.pairs):
            their_seconds, *_ = run(theirs, root)
            our_seconds, megabytes, _ = run(ours, root)
            ratios.append(our_seconds / their_seconds)
            our_times.append(our_seconds)
            their_times.append(their_seconds)
            memory = max(memory, megabytes)

    ratio = statistics.median(ratios)
    print(f"{files} files, {options.pairs} pairs")
    print(f"metrics-server-lint {statistics.median(our_times) * 1000:.0f} ms, ripgrep {statistics.median(their_times) * 1000:.0f} ms")
    print(f"ratio: median {ratio:.2f}, from {min(ratios):.2f} to {max(ratios):.2f} (limit {RATIO_LIMIT})")
    print(f"peak memory: {memory:.1f} MB (limit {MEMORY_LIMIT_MB:.0f} MB)")
    sys.exit(ratio > RATIO_LIMIT or memory > MEMORY_LIMIT_MB)


if __name__ == "__main__":
    main()
