#!/usr/bin/env python3
"""Whether kustomize stays linear: time per overlay with 200 and with 2,000 overlays over one base.

    benches/overlays.py [BIN] [--runs N]

The base holds 50 objects, metrics-server among them; every overlay patches two of them. Prints the
time per overlay for both sizes, without what a run over one overlay costs, and their ratio; exits 1
when it is over 1.3.
"""
import argparse, pathlib, statistics, sys, tempfile

from against_ripgrep import DEPLOYMENT, KUSTOMIZATION, binary, run

LIMIT = 1.3
SIZES = (200, 2_000)

METRICS_SERVER = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: metrics-server
  namespace: kube-system
spec:
  replicas: 2
  selector: {matchLabels: {k8s-app: metrics-server}}
  template:
    metadata: {labels: {k8s-app: metrics-server}}
    spec:
      priorityClassName: system-cluster-critical
      containers:
        - name: metrics-server
          image: registry.k8s.io/metrics-server/metrics-server:v0.7.2
          args: [--cert-dir=/tmp, --secure-port=10250, --metric-resolution=15s]
          resources: {requests: {cpu: 100m, memory: 200Mi}}
"""

OVERLAY = """apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - ../../base
labels:
  - pairs: {{cluster: cluster-{number:04}}}
patches:
  - target: {{kind: Deployment, name: metrics-server}}
    patch: |
      - op: add
        path: /spec/template/spec/containers/0/args/-
        value: --v={number}
  - patch: |
      apiVersion: apps/v1
      kind: Deployment
      metadata: {{name: service-0007, namespace: team}}
      spec: {{replicas: {number}}}
"""


def make(root, overlays):
    """The base, and that many overlays over it."""
    base = root / "base"
    base.mkdir(parents=True)
    names = ["metrics-server.yaml"]
    (base / names[0]).write_text(METRICS_SERVER)
    for number in range(49):
        name = f"service-{number:04}"
        (base / f"{name}.yaml").write_text(DEPLOYMENT.format(name=name, team="team", replicas=2))
        names.append(f"{name}.yaml")
    resources = "\n".join(f"  - {name}" for name in names)
    (base / "kustomization.yaml").write_text(KUSTOMIZATION.format(resources=resources))
    for number in range(overlays):
        folder = root / "overlays" / f"cluster-{number:04}"
        folder.mkdir(parents=True)
        (folder / "kustomization.yaml").write_text(OVERLAY.format(number=number))


def seconds(program, overlays, runs):
    """The median time of a check of that many overlays."""
    with tempfile.TemporaryDirectory() as temporary:
        root = pathlib.Path(temporary)
        make(root, overlays)
        command = [program, "check", "--root", ".", "--fail-on", "never"]
        run(command, root)
        return statistics.median(run(command, root)[0] for _ in range(runs))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bin", nargs="?")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    program = binary(options.bin)
    start = seconds(program, 1, options.runs)
    each = []
    for size in SIZES:
        took = seconds(program, size, options.runs)
        each.append((took - start) / (size - 1))
        print(f"{size:5} overlays: {took * 1000:7.1f} ms, {each[-1] * 1e6:6.1f} µs each")
    ratio = each[1] / each[0]
    print(f"ratio: {ratio:.2f} (limit {LIMIT})")
    sys.exit(ratio > LIMIT)


if __name__ == "__main__":
    main()
