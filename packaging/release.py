#!/usr/bin/env python3
"""Makes what a release consists of, from programs that are built already. The version is that of Cargo.toml.

    packaging/release.py version [--tag TAG]         prints it; with --tag, refuses a tag of another one
    packaging/release.py notes                       prints what the changelog says of it
    packaging/release.py documents PROGRAM DIR       shell completions and manual pages, into DIR
    packaging/release.py archive TARGET PROGRAM DIR OUT
                                                     the archive of a target with the documents of DIR, into OUT
    packaging/release.py finish OUT                  the formula, the krew manifest and SHA256SUMS of what is in OUT

The same input gives the same bytes: times are SOURCE_DATE_EPOCH, or that of the last commit.
"""

import gzip
import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAME = "metrics-server-lint"
PACKAGE = tomllib.loads((ROOT / "Cargo.toml").read_text("utf-8"))["package"]
VERSION = PACKAGE["version"]
SHELLS = {"bash": f"{NAME}.bash", "zsh": f"_{NAME}", "fish": f"{NAME}.fish", "powershell": f"{NAME}.ps1"}


def refuse(why):
    sys.exit(f"release.py: {why}")


def stem(target):
    """What an archive is called, without its ending, and the one directory in it."""
    return f"{NAME}-v{VERSION}-{target}"


def time():
    """Seconds since 1970 that every file in an archive has."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    return int(given or subprocess.check_output(["git", "log", "-1", "--format=%ct"], cwd=ROOT))


def version(tag=None):
    if tag is not None and tag != f"v{VERSION}":
        refuse(f"the tag {tag} is not v{VERSION}, the version in Cargo.toml")
    if tag is not None and not dated():
        refuse(f"the changelog has no date for {VERSION}: `## {VERSION} - 2026-12-31`")
    if tag is not None and "not published yet" in (ROOT / "README.md").read_text("utf-8"):
        refuse("README.md says that nothing is published yet")
    print(VERSION)


def dated():
    """Whether the changelog says on which day this version comes out, and anything of it."""
    day = re.fullmatch(r" - (\d{4}-\d\d-\d\d)\n", section()[0])
    try:
        return bool(day and datetime.fromisoformat(day[1]) and section()[1].strip())
    except ValueError:
        return False


def section():
    """The head and the text of the changelog's section about this version."""
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    found = re.search(rf"^## {re.escape(VERSION)}(.*\n)((?:(?!## ).*\n?)*)", changelog, re.MULTILINE)
    return found.groups() if found else refuse(f"the changelog has no section `## {VERSION}`")


def notes():
    print(section()[1].strip())


def documents(program, directory):
    completions, pages = directory / "completions", directory / "man"
    for folder in [completions, pages]:
        folder.mkdir(parents=True, exist_ok=True)

    def said(*arguments):
        return subprocess.check_output([program, *arguments])

    for shell, name in SHELLS.items():
        (completions / name).write_bytes(said("completions", shell))
    (pages / f"{NAME}.1").write_bytes(said("man"))
    commands = re.search(rb"^\.SH SUBCOMMANDS\n(.*?)^\.SH", said("man"), re.MULTILINE | re.DOTALL)
    for name in re.findall(rf"^{NAME}-([a-z-]+)\(1\)".replace("-", r"\\-").encode(), commands[1], re.MULTILINE):
        name = name.decode().replace("\\-", "-")
        (pages / f"{NAME}-{name}.1").write_bytes(said("man", name))


def content(target, program, directory):
    """Pairs of a name in the archive and its bytes, the program first."""
    ending = ".exe" if "-windows-" in target else ""
    yield f"{NAME}{ending}", program.read_bytes()
    for name in ["LICENSE", "README.md", "CHANGELOG.md"]:
        yield name, (ROOT / name).read_bytes()
    for path in sorted(it for it in directory.rglob("*") if it.is_file()):
        yield path.relative_to(directory).as_posix(), path.read_bytes()


def archive(target, program, directory, out):
    if not (directory / "man").is_dir():
        refuse(f"{directory} has no documents: `release.py documents` makes them")
    out.mkdir(parents=True, exist_ok=True)
    files = content(target, program, directory)
    when = time()
    if "-windows-" in target:
        path = out / f"{stem(target)}.zip"
        date = datetime.fromtimestamp(when, timezone.utc).timetuple()[:6]
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
            for name, data in files:
                entry = zipfile.ZipInfo(f"{stem(target)}/{name}", date)
                # As on Unix, wherever this runs.
                entry.create_system, entry.external_attr = 3, (0o755 if name.endswith(".exe") else 0o644) << 16
                packed.writestr(entry, data, zipfile.ZIP_DEFLATED, 9)
    else:
        path = out / f"{stem(target)}.tar.gz"
        plain = io.BytesIO()
        with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as packed:
            for name, data in files:
                entry = tarfile.TarInfo(f"{stem(target)}/{name}")
                entry.size, entry.mtime = len(data), when
                entry.mode = 0o755 if name == NAME else 0o644
                packed.addfile(entry, io.BytesIO(data))
        path.write_bytes(gzip.compress(plain.getvalue(), 9, mtime=0))
    print(path)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def finish(out):
    """Fills `@VERSION@` and `@SHA256 target@` in the templates, and sums up everything."""

    def checksum(found):
        archives = [it for end in ["tar.gz", "zip"] for it in out.glob(f"{stem(found[1])}.{end}")]
        return sha256(archives[0]) if archives else refuse(f"there is no archive of {found[1]}")

    for template in sorted((ROOT / "packaging").glob("*/*.in")):
        text = template.read_text("utf-8").replace("@VERSION@", VERSION)
        text = re.sub(r"@SHA256 ([a-z0-9_-]+)@", checksum, text)
        (out / template.stem).write_text(text, "utf-8")
    sums = out / "SHA256SUMS"
    sums.unlink(missing_ok=True)
    files = sorted(it for it in out.iterdir() if it.is_file())
    sums.write_text("".join(f"{sha256(it)}  {it.name}\n" for it in files), "utf-8")
    print(sums)


def main(command=None, *arguments):
    match command, arguments:
        case "version", []:
            version()
        case "version", ["--tag", tag]:
            version(tag)
        case "notes", []:
            notes()
        case "documents", [program, directory]:
            documents(program, Path(directory))
        case "archive", [target, program, directory, out]:
            archive(target, Path(program), Path(directory), Path(out))
        case "finish", [out]:
            finish(Path(out))
        case _:
            sys.exit(__doc__.strip())


if __name__ == "__main__":
    main(*sys.argv[1:])
