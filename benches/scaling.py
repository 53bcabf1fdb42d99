#!/usr/bin/env python3
"""Whether every kind of repository stays linear: CPU time of a check with N and with 2 N of a thing.

    benches/scaling.py [BIN] [--only NAME]... [--runs N] [--scale F] [--markdown]

Each shape is a repository made of N equal parts, in the way in which real ones grow. Prints for each the
CPU seconds for both sizes, without what a run over one part costs, and their ratio; exits 1 when twice the
input takes more than 2.2 times as long. A shape over the limit is measured again, since a shared
machine is noisy: what is quadratic stays so.
"""
import argparse, pathlib, sys, tempfile

from against_ripgrep import DEPLOYMENT, HELM_RELEASE, KUSTOMIZATION, METRICS_SERVER, binary, run

LIMIT = 2.2
# What is faster than this is not measured but guessed.
SHORTEST = 0.06

SHAPES = {}


def shape(size):
    """A kind of repository, of `size` parts in the smaller of two."""

    def register(make):
        SHAPES[make.__name__.replace("_", "-")] = (size, make)
        return make

    return register


def kustomization(*resources, more=""):
    return KUSTOMIZATION.format(resources="\n".join(f"  - {it}" for it in resources)) + more


def flux(name, path, more=""):
    return f"""apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: {name}, namespace: flux-system}}
spec:
  interval: 10m
  path: {path}
  prune: true
  sourceRef: {{kind: GitRepository, name: flux-system}}
{more}---
"""


def release(name, more=""):
    return HELM_RELEASE.format(name=name, team="team", replicas=3) + more


METRICS_RELEASE = METRICS_SERVER.format(memory=200)
PLAIN = DEPLOYMENT.format(name="metrics-server", team="kube-system", replicas=2).replace(
    "registry.example.com/kube-system/metrics-server:1.2.0", "registry.k8s.io/metrics-server/metrics-server:v0.7.2"
)


@shape(800)
def flux_applications(write, n):
    """The common layout: one Kustomization of the cluster over N applications, each with its own."""
    write("cluster/flux-system.yaml", flux("cluster", "./apps"))
    for i in range(n):
        name = "metrics-server" if i == 0 else f"app-{i}"
        dir = f"apps/group-{i % 40}/{name}"
        write(f"{dir}/ks.yaml", flux(name, f"./{dir}/app"))
        write(f"{dir}/app/kustomization.yaml", kustomization("./helmrelease.yaml"))
        write(f"{dir}/app/helmrelease.yaml", METRICS_RELEASE if i == 0 else release(name))
    for group in range(40):
        inside = [f"./{'metrics-server' if i == 0 else f'app-{i}'}/ks.yaml" for i in range(group, n, 40)]
        write(f"apps/group-{group}/kustomization.yaml", kustomization(*inside))


@shape(400)
def flux_everything(write, n):
    """N Kustomizations that all build the root of the repository."""
    for i in range(n):
        write(f"flux/{i}.yaml", flux(f"all-{i}", "./"))
    write("ms/metrics-server.yaml", METRICS_RELEASE)


@shape(800)
def flux_missing_paths(write, n):
    """N Kustomizations of paths that are not there, N that are, and N scripts."""
    for i in range(n):
        write(f"flux/{i}.yaml", flux(f"app-{i}", f"./deploy/app-{i}/gone") + flux(f"there-{i}", f"./apps/{i}"))
        write(f"apps/{i}/release.yaml", METRICS_RELEASE if i == 0 else release(f"app-{i}"))
        write(f"scripts/{i}.sh", f"#!/bin/sh\nmkdir -p out/{i}\ncp a.yaml out/{i}/gone.yaml\n" * 10)


@shape(200)
def flux_clusters(write, n):
    """N clusters, each with 20 applications."""
    for i in range(n):
        write(f"clusters/{i}/apps.yaml", flux(f"apps-{i}", f"./deploy/{i}"))
        write(f"deploy/{i}/kustomization.yaml", kustomization("../../apps", "ms.yaml"))
        write(f"deploy/{i}/ms.yaml", METRICS_RELEASE)
    for i in range(20):
        write(f"apps/{i}.yaml", release(f"app-{i}"))
    write("apps/kustomization.yaml", kustomization(*[f"{i}.yaml" for i in range(20)]))


@shape(1000)
def flux_depends_on(write, n):
    """A chain of N Kustomizations, each of which depends on the one before and is applied by it."""
    for i in range(n):
        needs = f"  dependsOn: [{{name: app-{i - 1}}}]\n" if i else ""
        write(f"apps/{i}/ks.yaml", flux(f"app-{i}", f"./apps/{i + 1}", needs))
    write(f"apps/{n}/release.yaml", METRICS_RELEASE)


@shape(1000)
def chain(write, n):
    """A chain of N kustomizations."""
    write("layer-0/kustomization.yaml", kustomization("ms.yaml"))
    write("layer-0/ms.yaml", PLAIN)
    for i in range(1, n):
        write(f"layer-{i}/kustomization.yaml", kustomization(f"../layer-{i - 1}"))


@shape(600)
def overlays(write, n):
    """N overlays over one base of 20 objects."""
    for i in range(20):
        write(f"base/{i}.yaml", PLAIN if i == 0 else DEPLOYMENT.format(name=f"app-{i}", team="t", replicas=2))
    write("base/kustomization.yaml", kustomization(*[f"{i}.yaml" for i in range(20)]))
    for i in range(n):
        write(f"overlays/{i}/kustomization.yaml", kustomization("../../base", more=f"namePrefix: p{i}-\n"))


@shape(100)
def diamonds(write, n):
    """N levels of two kustomizations that both have the two below them as components."""
    for side in "ab":
        write(f"0{side}/kustomization.yaml", "kind: Component\napiVersion: kustomize.config.k8s.io/v1alpha1\n")
    for i in range(1, n):
        for side in "ab":
            both = f"components: [../{i - 1}a, ../{i - 1}b]\n" if side == "a" else f"components: [../{i - 1}b]\n"
            write(f"{i}{side}/kustomization.yaml", "kind: Component\napiVersion: kustomize.config.k8s.io/v1alpha1\n" + both)
    write("top/kustomization.yaml", kustomization("ms.yaml", more=f"components: [../{n - 1}b]\n"))
    write("top/ms.yaml", PLAIN)


@shape(300)
def configured_environments(write, n):
    """A configuration with N environments, and as many overlays."""
    write("base/ms.yaml", PLAIN)
    write("base/kustomization.yaml", kustomization("ms.yaml"))
    for i in range(n):
        write(f"overlays/{i}/kustomization.yaml", kustomization("../../base"))
    entries = "".join(f"  stage-{i}: {{match: ['overlays/{i}/**'], nodes: {100 + i}}}\n" for i in range(n))
    write(".metrics-server-lint.yaml", f"environments:\n{entries}")


@shape(800)
def argo_applications(write, n):
    """N Applications, each of a directory."""
    for i in range(n):
        write(
            f"argo/{i}.yaml",
            f"""apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: app-{i}, namespace: argocd}}
spec:
  destination: {{server: https://cluster-{i % 30}.example.com, namespace: kube-system}}
  source: {{repoURL: https://git.example.com/own.git, path: deploy/{i}, targetRevision: HEAD}}
""",
        )
        write(f"deploy/{i}/ms.yaml", PLAIN if i % 10 == 0 else DEPLOYMENT.format(name="app", team="t", replicas=2))


@shape(400)
def argo_generators(write, n):
    """N ApplicationSets, each over the directories of its own team, and files of which they have two."""
    for i in range(n):
        for kind, pattern in [("directories", f"teams/{i}/*"), ("files", f"teams/{i}/**/config.json")]:
            path = "{{path}}"
            write(
                f"argo/{i}-{kind}.yaml",
                f"""apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {{name: {kind}-{i}, namespace: argocd}}
spec:
  generators:
    - git:
        repoURL: https://git.example.com/own.git
        revision: HEAD
        {kind}: [{{path: "{pattern}"}}]
  template:
    metadata: {{name: "{kind}-{i}-{{{{path.basename}}}}"}}
    spec:
      destination: {{server: https://kubernetes.default.svc, namespace: kube-system}}
      source: {{repoURL: https://git.example.com/own.git, path: "{path}", targetRevision: HEAD}}
""",
            )
        for app in ["metrics-server", "other"]:
            write(f"teams/{i}/{app}/config.json", f'{{"name": "{app}"}}')
            write(f"teams/{i}/{app}/app.yaml", PLAIN if i % 10 == 0 and app != "other" else release(f"a-{i}"))


@shape(400)
def charts(write, n):
    """N charts of the repository, each with a template and installed by a release."""
    for i in range(n):
        dir = f"charts/app-{i}"
        write(f"{dir}/Chart.yaml", f"apiVersion: v2\nname: app-{i}\nversion: 1.0.0\n")
        write(f"{dir}/values.yaml", "replicas: 2\nargs: [--kubelet-insecure-tls]\nfeatures:\n" + "  - a\n" * 20)
        write(f"{dir}/templates/deployment.yaml", PLAIN.replace("replicas: 2", "replicas: {{ .Values.replicas }}"))


@shape(300)
def umbrella_charts(write, n):
    """N charts that have metrics-server's as a dependency."""
    for i in range(n):
        dir = f"charts/app-{i}"
        write(
            f"{dir}/Chart.yaml",
            f"""apiVersion: v2
name: app-{i}
version: 1.0.0
dependencies:
  - {{name: metrics-server, version: 3.12.2, repository: https://kubernetes-sigs.github.io/metrics-server/}}
""",
        )
        write(f"{dir}/values.yaml", "metrics-server:\n  args: [--kubelet-insecure-tls]\n")


@shape(500)
def values_files(write, n):
    """N values files that nothing names."""
    for i in range(n):
        write(f"values/{i}/metrics-server-values.yaml", "args: [--kubelet-insecure-tls]\nreplicas: 2\nmetrics: {enabled: true}\n")


@shape(800)
def releases(write, n):
    """N HelmReleases of metrics-server, each a cluster's."""
    for i in range(n):
        write(f"clusters/{i}/metrics-server.yaml", METRICS_RELEASE)


@shape(200)
def helmfiles(write, n):
    """N helmfiles with a release each, and values by environment."""
    for i in range(n):
        write(
            f"apps/{i}/helmfile.yaml",
            """repositories: [{name: ms, url: https://kubernetes-sigs.github.io/metrics-server/}]
environments: {dev: {values: [dev.yaml]}, prod: {values: [prod.yaml]}}
---
releases:
  - {name: metrics-server, namespace: kube-system, chart: ms/metrics-server, version: 3.12.2, values: [values/*.yaml]}
""",
        )
        write(f"apps/{i}/dev.yaml", "a: 1\n")
        write(f"apps/{i}/prod.yaml", "a: 2\n")
        write(f"apps/{i}/values/a.yaml", "args: [--kubelet-insecure-tls]\n")


@shape(200)
def terraform(write, n):
    """N modules that install the chart, with values in a file."""
    for i in range(n):
        write(
            f"modules/{i}/main.tf",
            """variable "replicas" { default = 2 }
resource "helm_release" "metrics_server" {
  name       = "metrics-server"
  namespace  = "kube-system"
  repository = "https://kubernetes-sigs.github.io/metrics-server/"
  chart      = "metrics-server"
  version    = "3.12.2"
  values     = [file("${path.module}/values.yaml")]
  set {
    name  = "replicas"
    value = var.replicas
  }
}
""",
        )
        write(f"modules/{i}/values.yaml", "args: [--kubelet-insecure-tls]\n")


@shape(400)
def scripts(write, n):
    """N scripts that install it."""
    for i in range(n):
        write(
            f"scripts/{i}/install.sh",
            "#!/bin/sh\nset -e\nVERSION=3.12.2\nhelm upgrade --install metrics-server metrics-server/metrics-server "
            '--version "$VERSION" -n kube-system -f values.yaml --set replicas=2\n',
        )
        write(f"scripts/{i}/values.yaml", "args: [--kubelet-insecure-tls]\n")


@shape(300)
def fleet(write, n):
    """N bundles of Fleet."""
    for i in range(n):
        write(
            f"bundles/{i}/fleet.yaml",
            """defaultNamespace: kube-system
helm:
  releaseName: metrics-server
  chart: metrics-server
  repo: https://kubernetes-sigs.github.io/metrics-server/
  version: 3.12.2
  values: {args: [--kubelet-insecure-tls]}
""",
        )


@shape(600)
def loose_manifests(write, n):
    """N directories of manifests that nothing builds."""
    for i in range(n):
        write(f"deploy/{i}/metrics-server.yaml", PLAIN)
        write(f"deploy/{i}/other.yaml", DEPLOYMENT.format(name="a", team="t", replicas=1))


@shape(1500)
def objects(write, n):
    """One kustomization of N objects."""
    write("app/ms.yaml", PLAIN)
    all = [DEPLOYMENT.format(name=f"app-{i}", team="t", replicas=2) for i in range(n)]
    write("app/all.yaml", "---\n".join(all))
    write("app/kustomization.yaml", kustomization("ms.yaml", "all.yaml", more="namespace: kube-system\ncommonAnnotations: {a: b}\n"))


@shape(600)
def patches(write, n):
    """One kustomization of N objects, each with a patch of its own."""
    write("app/ms.yaml", PLAIN)
    write("app/all.yaml", "---\n".join(DEPLOYMENT.format(name=f"app-{i}", team="t", replicas=2) for i in range(n)))
    each = "".join(
        f"  - patch: |\n      apiVersion: apps/v1\n      kind: Deployment\n      metadata: {{name: app-{i}, namespace: t}}\n"
        f"      spec: {{replicas: {i}}}\n"
        for i in range(n)
    )
    write("app/kustomization.yaml", kustomization("ms.yaml", "all.yaml", more=f"patches:\n{each}"))


@shape(600)
def name_references(write, n):
    """N generated ConfigMaps, each with a Deployment that mounts it."""
    mounts = "      volumes: [{{name: c, configMap: {{name: config-{i}}}}}]\n"
    write("app/all.yaml", "---\n".join([PLAIN] + [DEPLOYMENT.format(name=f"app-{i}", team="t", replicas=2) + mounts.format(i=i) for i in range(n)]))
    each = "".join(f"  - {{name: config-{i}, namespace: t, literals: [a={i}]}}\n" for i in range(n))
    write("app/kustomization.yaml", kustomization("all.yaml", more=f"configMapGenerator:\n{each}"))


@shape(400)
def substitutions(write, n):
    """A Kustomization with N variables, all of which are used."""
    write("flux/ks.yaml", flux("app", "./app", "  postBuild:\n    substitute:\n" + "".join(f"      var_{i}: 'v{i}'\n" for i in range(n))))
    uses = "".join(f"    key-{i}: ${{var_{i}}}\n" for i in range(n))
    write("app/ms.yaml", METRICS_RELEASE + uses)
    write("app/more.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n" + uses)


@shape(20_000)
def env_lines(write, n):
    """An env file of N lines behind a generator."""
    write("app/environment.env", "".join(f"KEY_{i}=value {i}\n" for i in range(n)))
    write("app/ms.yaml", PLAIN)
    write("app/kustomization.yaml", kustomization("ms.yaml", more="configMapGenerator:\n  - {name: env, envs: [environment.env]}\n"))


@shape(1000)
def autoscalers(write, n):
    """N workloads, each with an autoscaler."""
    write("ms/ms.yaml", PLAIN)
    for i in range(n):
        write(
            f"apps/{i}.yaml",
            DEPLOYMENT.format(name=f"app-{i}", team="t", replicas=2)
            + f"""---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: app-{i}, namespace: t}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: app-{i}}}
  minReplicas: 1
  maxReplicas: 20
  metrics: [{{type: Resource, resource: {{name: cpu, target: {{type: Utilization, averageUtilization: 75}}}}}}]
""",
        )


@shape(3000)
def other_files(write, n):
    """N files that have nothing to do with it."""
    write("ms/ms.yaml", PLAIN)
    for i in range(n):
        write(f"apps/{i % 50}/{i}.yaml", DEPLOYMENT.format(name=f"app-{i}", team="t", replicas=2))


@shape(1500)
def flux_in_one_file(write, n):
    """N Kustomizations in one file, each of a directory."""
    paths = [f"./apps/{i}" for i in range(n)]
    write("clusters/a/apps.yaml", "".join(flux(f"app-{i}", it) for i, it in enumerate(paths)))
    for i in range(n):
        write(f"apps/{i}/app.yaml", DEPLOYMENT.format(name=f"app-{i}", team="t", replicas=2))
    write("apps/0/ms.yaml", PLAIN)


@shape(150)
def helmfile_environments(write, n):
    """One helmfile with N environments."""
    environments = "".join(f"  e{i}: {{values: [{{replicas: {i}}}]}}\n" for i in range(n))
    release = "{name: metrics-server, namespace: kube-system, chart: metrics-server/metrics-server, version: 3.12.2, "
    release += "values: [{replicas: '{{ .Values.replicas }}'}]}"
    write("helmfile.yaml", f"environments:\n{environments}---\nreleases:\n  - {release}\n")


@shape(1000)
def variables(write, n):
    """One kustomization of N ConfigMaps and as many variables of kustomize that are taken from them."""
    config = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{0}, annotations: {{a: $(V{0})}}}}\ndata: {{a: b}}\n"
    variable = "  - {{name: V{0}, objref: {{apiVersion: v1, kind: ConfigMap, name: c{0}}}}}\n"
    write("ms.yaml", PLAIN)
    write("all.yaml", "".join(config.format(i) for i in range(n)))
    every = "".join(variable.format(i) for i in range(n))
    write("kustomization.yaml", kustomization("ms.yaml", "all.yaml", more=f"vars:\n{every}"))


@shape(1000)
def kubelets(write, n):
    """N files for kubelets, in directories of their own."""
    for i in range(n):
        write(f"nodes/{i}/kubelet.yaml", "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n")


@shape(700)
def commands(write, n):
    """A workflow with one step of N commands."""
    commands = "".join(f"          helm upgrade --install r{i} oci://example.com/c{i} --set a.b={i}\n" for i in range(n))
    head = "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: |\n"
    last = "          helm upgrade --install metrics-server metrics-server/metrics-server --version 3.12.2\n"
    write(".github/workflows/deploy.yaml", head + commands + last)


@shape(600)
def suppressions(write, n):
    """N files with a comment that suppresses a finding, and N with one that suppresses nothing."""
    for i in range(n):
        write(f"clusters/{i}/ms.yaml", METRICS_RELEASE.replace("    args:", "    # metrics-server-lint: ignore[kubelet-insecure-tls] -- lab\n    args:"))


def make(name, n, root):
    def write(path, text):
        path = root / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    SHAPES[name][1](write, n)


def seconds(program, root, runs):
    """The least CPU time of a check, and the most memory in MB."""
    best, memory = float("inf"), 0.0
    for _ in range(runs):
        _, megabytes, took = run([program, "check", "--root", ".", "--fail-on", "never"], root)
        best, memory = min(best, took), max(memory, megabytes)
        if best > 3:
            break
    return best, memory


def measure(program, name, scale, runs):
    """Seconds for both sizes, their ratio, and megabytes of the larger."""
    size = max(2, int(SHAPES[name][0] * scale))
    took = []
    for n in (1, size, 2 * size):
        with tempfile.TemporaryDirectory() as temporary:
            root = pathlib.Path(temporary)
            make(name, n, root)
            took.append(seconds(program, root, runs))
    start, once, twice = (it[0] for it in took)
    ratio = max(twice - start, 1e-9) / max(once - start, 1e-9)
    return size, once, twice, ratio, took[2][1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bin", nargs="?")
    parser.add_argument("--only", action="append", choices=sorted(SHAPES))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--markdown", action="store_true", help="a table for docs/performance.md")
    options = parser.parse_args()
    program = binary(options.bin)
    failed = []
    if options.markdown:
        print("| shape | N | s | 2 N: s | ratio | MB |\n|---|---|---|---|---|---|")
    for name in options.only or SHAPES:
        size, once, twice, ratio, memory = measure(program, name, options.scale, options.runs)
        if ratio > LIMIT and twice > SHORTEST:
            again = measure(program, name, options.scale, 2 * options.runs + 1)
            if again[3] < ratio:
                size, once, twice, ratio, memory = again
        over = ratio > LIMIT and twice > SHORTEST
        if over:
            failed.append(name)
        cells = [name, str(size), f"{once:.2f}", f"{twice:.2f}", f"{ratio:.2f}", f"{memory:.0f}"]
        if options.markdown:
            print(f"| {' | '.join(cells)} |", flush=True)
        else:
            print(f"{cells[0]:24} {cells[1]:>6}: {cells[2]:>6} s, {cells[3]:>6} s, ratio {cells[4]:>5}, {cells[5]:>4} MB" + ("  OVER" if over else ""), flush=True)
    print(f"{len(failed)} of {len(options.only or SHAPES)} over {LIMIT}: {', '.join(failed) or 'none'}")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
