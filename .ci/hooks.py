#!/usr/bin/env python3
"""The hooks as the real pre-commit runs them, from a local mirror of this repository.

    .ci/hooks.py WHEELS PROGRAM

WHEELS is a directory with the wheel of this version, PROGRAM what the hook `-system` finds on its PATH. pre-commit
is the one on the PATH. Prints what the first run takes. The last line is "N passed, N failed, N skipped".
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text("utf-8"))["package"]["version"]
BASELINE = ".metrics-server-lint-baseline.json"


def run(*command, **options):
    done = subprocess.run([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    return done.returncode, done.stdout


def must(*command, **options):
    status, said = run(*command, **options)
    if status:
        sys.exit(f"{' '.join(map(str, command))}: {status}\n{said}")
    return said


def commit(repository, message):
    must("git", "add", "--all", "--force", cwd=repository)
    name = ["-c", "user.name=Tester", "-c", "user.email=tester@example.org"]
    must("git", *name, "commit", "--quiet", "--no-verify", "--message", message, cwd=repository)


def mirror(place):
    """This repository with what is not committed yet, at the tag of its version."""
    for name in must("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", cwd=ROOT).split("\0"):
        if name and (ROOT / name).is_file() and not (ROOT / name).is_symlink():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, place / name)
    must("git", "init", "--quiet", cwd=place)
    commit(place, "All of it")
    must("git", "tag", f"v{VERSION}", cwd=place)


class Repository:
    """A copy of a scenario whose findings are known, with one of the hooks."""

    def __init__(self, place, scenario, hook, source, program):
        self.place, self.hook = place, hook
        shutil.copytree(ROOT / "testdata" / scenario, place)
        must("git", "init", "--quiet", cwd=place)
        must(program, "check", "--baseline", BASELINE, "--write-baseline", cwd=place)
        (place / ".pre-commit-config.yaml").write_text(
            f"repos:\n- repo: file://{source}\n  rev: v{VERSION}\n  hooks:\n"
            f"  - id: {hook}\n    args: [--baseline={BASELINE}]\n"
        )
        commit(place, "Begin")

    def staged(self, change):
        """Status and output of a commit's hook after `change`, which is undone."""
        change(self.place)
        must("git", "add", "--all", cwd=self.place)
        outcome = run("pre-commit", "run", "--color=never", cwd=self.place)
        must("git", "reset", "--quiet", "--hard", cwd=self.place)
        return outcome


def replaced(path, old, new):
    def change(place):
        text = (place / path).read_text()
        assert old in text, f"{path} has no {old}"
        (place / path).write_text(text.replace(old, new))

    return change


def written(path, text):
    return lambda place: (place / path).write_text(text)


# What is staged, in which scenario, whether the hook lets it pass, and what it says.
COMMITS = [
    ("flux-platform", written("NOTES.md", "text\n"), True, ""),
    (
        "flux-platform",
        replaced("clusters/stages/prod/services/environment.env", "=256Mi", "=64Mi"),
        False,
        "environment.env:7",
    ),
    ("clean", lambda place: (place / "infrastructure/kubelet-csr-approver.yaml").unlink(), False, "kubelet-csr-approver.yaml"),
    ("helmfile", replaced("values/metrics-server.yaml.gotmpl", "200Mi", "20Mi"), False, "metrics-server.yaml.gotmpl:4"),
]


def main(wheels, program):
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        source, home, on_path = folder / "mirror", folder / "home", folder / "bin"
        for place in [source, on_path]:
            place.mkdir()
        mirror(source)
        shutil.copy(program, on_path / "metrics-server-lint")
        os.environ |= {
            "PRE_COMMIT_HOME": str(home),
            "PIP_FIND_LINKS": str(Path(wheels).resolve()),
            "PIP_CACHE_DIR": str(folder / "pip"),
            "PATH": f"{on_path}{os.pathsep}{os.environ['PATH']}",
        }
        for hook in ["metrics-server-lint", "metrics-server-lint-system"]:
            for number, (scenario, change, passes, says) in enumerate(COMMITS):
                repository = Repository(folder / f"{hook}-{number}", scenario, hook, source, Path(program).resolve())
                began = time.monotonic()
                status, said = repository.staged(change)
                if number == 0:
                    size = sum(it.lstat().st_size for it in home.rglob("*")) / 1e6
                    print(f"{hook}: {time.monotonic() - began:.1f} s for the first run, {size:.1f} MB in all")
                good = (status == 0) == passes and says in said and "Skipped" not in said
                outcomes.append(good)
                if not good:
                    print(f"{hook}, commit {number} of {scenario}: status {status}\n{said}")
    print(f"{sum(outcomes)} passed, {outcomes.count(False)} failed, 0 skipped")
    return not all(outcomes)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip())
    sys.exit(main(*sys.argv[1:]))
