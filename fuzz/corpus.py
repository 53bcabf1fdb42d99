#!/usr/bin/env python3
"""Fills fuzz/corpus/<target>/ with what testdata/, the rules' pages and tests hold, as each target reads it.

    fuzz/corpus.py [TARGET ...]

What is there stays: what a fuzzer found on its way is worth more than what it started from. Lines
`//- path` start the files of a repository, a line `//-` stands between the halves of other inputs.
"""
import hashlib, pathlib, re, sys, textwrap

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
# Larger inputs are mutated no better, and take longer.
LARGEST = 24_000
BETWEEN = "//-\n"

DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: metrics-server, namespace: kube-system, labels: {a/b: c}}
spec:
  replicas: 1
  template:
    spec:
      containers:
      - name: metrics-server
        image: registry.k8s.io/metrics-server/metrics-server:v0.7.2
        args: [--cert-dir=/tmp, --kubelet-insecure-tls]
        ports: [{name: https, containerPort: 10250, protocol: TCP}]
      volumes: [{name: tmp, emptyDir: {}}]
"""

PATCHES = [
    "[{op: add, path: /spec/template/spec/containers/0/args/-, value: --v=2}]",
    '[{"op": "replace", "path": "/metadata/labels/a~1b", "value": {"c": [1, null]}}]',
    "- {op: test, path: /spec/replicas, value: 1}\n- {op: remove, path: /spec/replicas}",
    "- {op: copy, from: /spec, path: /metadata/spec}\n- {op: move, from: /metadata/spec/replicas, path: /x~0}",
    "- {op: add, path: /spec/template/spec/containers/-1, value: 3}\n- {op: add, path: '', value: []}",
    "spec: {template: {spec: {containers: [{name: metrics-server, args: null, image: x}]}}}",
    "spec: {template: {spec: {containers: [{name: metrics-server, $patch: delete}]}}}",
    "spec: {template: {spec: {$retainKeys: [containers], containers: [{name: other}]}}}",
    "spec: {template: {spec: {$setElementOrder/containers: [{name: a}, {name: metrics-server}]}}}",
    "spec: {template: {spec: {containers: [{name: metrics-server, $deleteFromPrimitiveList/args: [--cert-dir=/tmp]}]}}}",
    "$patch: replace\nkind: Deployment\nspec: {volumes: [{name: tmp, $patch: merge}]}",
]

SETS = [
    "replicas=2\nargs={--kubelet-insecure-tls,--v=2}\nimage.tag=v0.7.2",
    "a.b[0].c=1,a.b[1]=null,a\\.b=x\\,y\nlist[2]={1,{2}}",
    "args[0]=\nx=,y={},z=0123,t=true,n=null,f=1e3\nnodeSelector.kubernetes\\.io/role=master",
    "a[0][1][2]=b\na[0]=c\na.b=d\n=x\na[-1]=y\na[=]={",
]

EXPRESSIONS = [
    "a: ${A}\nb: ${A:-x} ${B:=${A}} $${C} ${#A} ${A^^} ${A,,} ${A^} ${A,}",
    "${A:2} ${A:1:2} ${A:-1} ${A#a*} ${A##*b} ${A%?} ${A%%[a-c]} ${A/a/b} ${A//a/${B}} ${A/#a/b} ${A/%a/b}",
    "${A=x} ${A:?x} ${A:+x} ${a.b} ${} ${A ${ $A $ {A} ${A:-${B:-${C:-d}}}",
]

ENVS = [
    "A=1\nB = 2\nexport C=3\n# comment\nD\n=x\nE='a' # b\nF=\"x=y\"\r\n\tG=\u00e9\n",
    "\ufeffMETRICS_SERVER_MEMORY_LIMIT=200Mi\nX=",
]

WORDS = [
    "256Mi is too little for 300 nodes\nthe limit `a|b` <c> & 50% \"quotes\" 'x'\n::error::x\n##[command]x",
    "\x1b[31mred\x1b]8;;http://x\x07\n\u202ereversed\u0000\u0085\u2028\ufffe\n%0A::warning::x\r::notice::y\n\tTab",
    "]]> --> *bold* [a](b) ```x``` \\ {\\rtf} $(x) `x` | a | b |",
]


def texts(*patterns):
    for pattern in patterns:
        for path in sorted((ROOT / "testdata").rglob(pattern)):
            if path.is_file() and path.stat().st_size <= LARGEST:
                yield path, path.read_bytes().decode("utf-8", "replace")


def archive(files):
    return "".join(f"//- {path}\n{text if text.endswith(chr(10)) else text + chr(10)}" for path, text in files)


def repositories():
    """Directories of testdata as large as they may be, the examples of the rules' pages, and those of tests."""

    def of(directory):
        paths = [it for it in sorted(directory.rglob("*")) if it.is_file()]
        if sum(it.stat().st_size for it in paths) <= LARGEST:
            files = ((it.relative_to(directory).as_posix(), it.read_bytes().decode("utf-8", "replace")) for it in paths)
            yield archive(files)
        else:
            for inner in sorted(it for it in directory.iterdir() if it.is_dir()):
                yield from of(inner)

    yield from of(ROOT / "testdata")
    block = re.compile(r"^```\w* file=(\S+)[^\n]*\n(.*?)^```$", re.M | re.S)
    for page in sorted((ROOT / "rules").glob("*.md")):
        for section in page.read_text().split("\n## "):
            files = block.findall(section)
            if files:
                yield archive(files)
    yield from fixtures()


def fixtures():
    """The repositories that tests hold as text."""
    text = re.compile(r'"(?:\\)?\n( *//- (?:[^"\\]|\\.)*)"')
    raw = re.compile(r'r#"\n( *//- .*?)"#', re.S)
    for path in sorted([*(ROOT / "tests/library").rglob("*.rs"), *(ROOT / "src").rglob("*.rs")]):
        rust = path.read_text()
        plain = [it.replace('\\"', '"').replace("\\\\", "\\") for it in text.findall(rust)]
        for found in plain + raw.findall(rust):
            found = re.sub(r"^ *[A-Z]+$", lambda _: DEPLOYMENT, textwrap.dedent(found), flags=re.M)
            if len(found) <= LARGEST:
                yield found


def parts(ending):
    """The files with this ending of the repositories in tests."""
    for found in fixtures():
        for file in re.split(r"^//- ", found, flags=re.M)[1:]:
            path, _, text = file.partition("\n")
            if path.endswith(ending):
                yield text


def yaml():
    yield from (text for _, text in texts("*.yaml", "*.yml", "*.json", "*.tpl", "*.gotmpl"))
    yield from parts("l")


def env():
    yield from ENVS
    yield from (text for _, text in texts("*.env", "*.conf", "*.ini", "*.service"))
    yield from parts(".env")


def envsubst():
    variables = "A=abcabc\nB=b\nC=\n"
    templates = EXPRESSIONS + [text for _, text in texts("*.yaml") if "${" in text]
    templates += [text for text in parts(".yaml") if "${" in text]
    for text in templates:
        names = sorted(set(re.findall(r"\$\{#?(\w+)", text)))
        yield variables + "".join(f"{name}=value\n" for name in names) + BETWEEN + text


def strvals():
    for text in SETS:
        yield text
        yield "image: {tag: x}\nargs: [a]\na: {b: [1]}\n" + BETWEEN + text
    everywhere = [text for _, text in texts("*")] + [it for it in fixtures()]
    sets = [it for text in everywhere for it in re.findall(r"--set(?:-string)?[ =](\S+)", text)]
    yield "\n".join(sets)


def hcl():
    for path, text in texts("*.tf", "*.hcl", "*.tftpl"):
        variables = "".join(it.read_text() for it in sorted(path.parent.glob("*.tfvars")))
        yield variables + BETWEEN + text
    yield from parts(".tf")


def patch():
    inline = re.compile(r"^( *)(?:- )?patch: \|[-+]?\n((?:\1 +.*\n|\n)+)", re.M)
    found = [body for _, text in texts("*.yaml", "*.yml") for _, body in inline.findall(text)]
    found += [body for text in parts(".yaml") for _, body in inline.findall(text)]
    for text in PATCHES + found:
        yield DEPLOYMENT + BETWEEN + text


def template():
    values = (ROOT / "tests/library/gotemplate/values.yaml").read_text()
    lines = (ROOT / "tests/library/gotemplate/expressions.txt").read_text().splitlines()
    expressions = [it.rpartition(" => ")[0] for it in lines if it.startswith("{{")]
    for at in range(0, len(expressions), 8):
        yield values + BETWEEN + "\n".join(expressions[at : at + 8])
    for path, text in texts("*.yaml", "*.tpl", "*.gotmpl"):
        if "{{" in text:
            beside = [it for it in (path.parent / "values.yaml", path.parent.parent / "values.yaml") if it.is_file()]
            yield (beside[0].read_text() if beside else "") + BETWEEN + text


def writers():
    for repository in list(repositories())[::7]:
        for words in WORDS:
            yield repository + BETWEEN + words


TARGETS = {
    "env": env,
    "envsubst": envsubst,
    "fixes": repositories,
    "hcl": hcl,
    "patch": patch,
    "repository": repositories,
    "strvals": strvals,
    "template": template,
    "writers": writers,
    "yaml": yaml,
}


def main(targets):
    for target in targets or TARGETS:
        into = HERE / "corpus" / target
        into.mkdir(parents=True, exist_ok=True)
        for text in TARGETS[target]():
            data = text.encode()
            (into / hashlib.sha1(data).hexdigest()).write_bytes(data)
        print(f"{target}: {len(list(into.iterdir()))} inputs")


if __name__ == "__main__":
    main(sys.argv[1:])
