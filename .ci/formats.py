#!/usr/bin/env python3
"""Every format of every scenario against whoever else knows the format.

    .ci/formats.py PROGRAM

XML and JSON are read with what python3 has. The validators of others are asked when they are there:
sarif-multitool (npm @microsoft/sarif-multitool-linux, or SARIF_MULTITOOL), rdformat-validator (npm
@umbrelladocs/rdformat-validator), junitparser and check-jsonschema (PyPI): .ci/tools installs them.
The last line is "N passed, N failed, N skipped".
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FORMATS = ["json", "sarif", "github", "gitlab", "junit", "rdjson", "markdown"]
GITLAB_SEVERITIES = {"info", "minor", "major", "critical", "blocker"}


def scenarios():
    groups = {ROOT / "testdata" / it for it in ["argo-cd", "kubeadm", "platforms"]}
    for directory in sorted((ROOT / "testdata").iterdir()):
        inside = sorted(directory.iterdir()) if directory in groups else [directory]
        yield from (it for it in inside if it.is_dir())


def rules_of_gitlab(text):
    issues = json.loads(text)
    fingerprints = [it["fingerprint"] for it in issues]
    assert len(set(fingerprints)) == len(issues), "a fingerprint is there twice"
    for it in issues:
        assert it["description"] and it["check_name"] and it["severity"] in GITLAB_SEVERITIES, it
        path, lines = it["location"]["path"], it["location"]["lines"]
        assert not path.startswith(("/", "./")) and 1 <= lines["begin"], it
    return len(issues)


def rules_of_junit(text):
    suites = ElementTree.fromstring(text)
    assert suites.tag == "testsuites"
    cases = suites.findall("testsuite/testcase")
    assert cases, "no test case at all"
    for parent in [suites, *suites.findall("testsuite")]:
        inside = parent.findall(".//testcase")
        assert int(parent.get("tests")) == len(inside)
        for outcome, attribute in [("failure", "failures"), ("error", "errors"), ("skipped", "skipped")]:
            count = sum(it.find(outcome) is not None for it in inside)
            assert int(parent.get(attribute)) == count, attribute


def rules_of_rdjson(text):
    diagnostics = json.loads(text)["diagnostics"]
    for it in diagnostics:
        assert it["message"] and it["severity"] in {"ERROR", "WARNING", "INFO"}, it
        for place in [it["location"], *(it["location"] for it in it.get("related_locations", []))]:
            span = place.get("range")
            if span and "end" in span:
                ends = [(span[it]["line"], span[it]["column"]) for it in ("start", "end")]
                assert ends[0] < ends[1], it
    return len(diagnostics)


def rules_of_github(text):
    commands = [it for it in text.splitlines() if it.startswith("::")]
    form = re.compile(r"::(error|warning|notice) (\w+=[^,:]*)(,\w+=[^,:]*)*::.+")
    for it in commands:
        assert form.fullmatch(it), it
    for kind in ["error", "warning", "notice"]:
        assert sum(it.startswith(f"::{kind} ") for it in commands) <= 10, kind


def rules_of_markdown(text):
    assert len(text.encode()) <= 65536
    rows = [it for it in text.splitlines() if it.startswith("|")]
    for it in rows:
        assert len(re.findall(r"(?<!\\)\|", it)) == 4, it


def same(texts):
    """One run tells every format the same: how many, and of which rules."""
    rules = sorted(it["rule"] for it in json.loads(texts["json"])["findings"])
    assert rules == sorted(it["check_name"] for it in json.loads(texts["gitlab"]))
    assert rules == sorted(it["code"]["value"] for it in json.loads(texts["rdjson"])["diagnostics"])
    assert set(rules) == {it["ruleId"] for it in json.loads(texts["sarif"])["runs"][0]["results"]}
    named = re.findall(r"<br>\[?`([a-z-]+)`", texts["markdown"])
    assert sorted(named) == rules, "markdown"
    cases = ElementTree.fromstring(texts["junit"]).findall("testsuite/testcase")
    assert {it.get("name") for it in cases} - {"metrics-server-lint"} == set(rules), "junit"


def multitool():
    package = "tools/node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool"
    places = [os.environ.get("SARIF_MULTITOOL"), shutil.which("Sarif.Multitool"), ROOT / "target" / package]
    return next((str(it) for it in places if it and os.access(it, os.X_OK)), None)


# What the multitool notes and is left so on purpose: docs/formats.md says why.
NOTED = {"SARIF2002", "SARIF2003", "SARIF2006", "SARIF2009", "SARIF2010", "SARIF2011"}


def validate_sarif(tool, files, work):
    out = work / "validated"
    run = subprocess.run(
        [tool, "validate", *map(str, files), "--rule-kind", "Sarif;Ghas", "--level", "Error;Warning;Note", "-o", out],
        capture_output=True, text=True,
    )
    assert out.exists(), run.stdout + run.stderr
    found = [it for run in json.loads(out.read_text())["runs"] for it in run.get("results", [])]
    found = [it for it in found if it["ruleId"] not in NOTED]
    told = [f"{it['ruleId']}: {it['locations'][0]['physicalLocation']['artifactLocation'].get('uri')}" for it in found]
    assert not found, "\n".join(told[:20])


def asks(*command, stdin=None):
    run = subprocess.run([*map(str, command)], stdin=stdin, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def main(program):
    passed, failed, skipped = 0, 0, 0

    def check(name, judge, *arguments):
        nonlocal passed, failed
        try:
            judge(*arguments)
            passed += 1
        except (AssertionError, ValueError, KeyError, ElementTree.ParseError) as error:
            failed += 1
            print(f"failed {name}: {error}")

    own = {name: globals()[f"rules_of_{name}"] for name in ["gitlab", "junit", "rdjson", "github", "markdown"]}
    work = Path(tempfile.mkdtemp())
    files = {it: [] for it in FORMATS}
    broken = work / "broken"
    broken.mkdir()
    (broken / ".metrics-server-lint.yaml").write_text("rulez: {}\n")
    for scenario in [*scenarios(), broken]:
        name = "-".join(scenario.parts[-2:])
        paths = {it: work / f"{name}.{it}" for it in FORMATS}
        formats = [f"--format={it}:{path}" for it, path in paths.items()]
        run = subprocess.run([program, "check", "--root", scenario, "--pedantic", *formats], capture_output=True)
        texts = {it: path.read_text() for it, path in paths.items()}
        for it in FORMATS:
            files[it].append(paths[it])
        for it, judge in own.items():
            check(f"{it} of {name}", judge, texts[it])
        if run.returncode != 2:
            check(f"the same in all of {name}", same, texts)

    def validator(name, found, judge, *arguments):
        nonlocal skipped
        if found:
            check(name, judge, *arguments)
        else:
            skipped += 1
            print(f"skipped: there is no {name}")

    validator("sarif-multitool", multitool(), validate_sarif, multitool(), files["sarif"], work)
    reviewdog = shutil.which("rdformat-validator")
    for path in files["rdjson"] if reviewdog else files["rdjson"][:1]:
        validator("rdformat-validator", reviewdog, asks, reviewdog, "--strict", path)
    try:
        from junitparser import JUnitXml

        for path in files["junit"]:
            check("junitparser", JUnitXml.fromfile, str(path))
    except ImportError:
        validator("junitparser", None, None)
    schemas = shutil.which("check-jsonschema")
    report = (schemas, "--schemafile", ROOT / "schema/report.schema.json", *files["json"])
    validator("check-jsonschema", schemas, asks, *report)
    schema = ROOT / "schema/config.schema.json"
    validator("check-jsonschema", schemas, asks, schemas, "--check-metaschema", schema)
    written = sorted(ROOT.glob("testdata/**/.metrics-server-lint.yaml"))
    validator("check-jsonschema", schemas, asks, schemas, "--schemafile", schema, *written)
    shutil.rmtree(work)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
