#!/usr/bin/env python3
"""Whether anything makes the program fall over: thousands of damaged repositories, three commands.

    benches/mutate.py [BIN] [--trees N] [--seed S] [--jobs N] [--keep DIR] [DIR ...]

Every tree is a directory of testdata/, or one of DIR, with some of its files damaged: lines gone or
twice, values that are none, tokens of the languages that are read where they do not belong, files cut
off, moved, linked in circles or of other bytes than text. Over each BIN (default:
target/release/metrics-server-lint, built when missing) runs `check` in every format, `show` and
`render`. The same seed gives the same trees, and tree N of it is the same however many there are.

Fails, with exit status 1, what panics, ends with another status than 0, 1 or 2, takes more than 5 s of
processor time or 500 MB, or writes what is not JSON for programs; --keep keeps these trees. --only N
runs over one tree, and prints where it is.
"""
import argparse, collections, concurrent.futures, json, os, pathlib, random, re, resource, shutil, signal
import subprocess, sys, tempfile

from against_ripgrep import REPOSITORY, binary

SECONDS, MEGABYTES = 5, 500
# What ends a run that does not end by itself.
PATIENCE = 20
# Larger directories are taken apart.
LARGEST = 200_000

FORMATS = ["json", "sarif", "gitlab", "rdjson", "github", "junit", "markdown", "concise"]
OF_JSON = ["json", "sarif", "gitlab", "rdjson"]

VALUES = [
    "", "null", "~", "[]", "{}", "[[[]]]", "{a: {b: {c: []}}}", "true", "no", "0", "-1", "99999999999999999999", "1e400",
    "0x1F", ".nan", "200Mi", "1e3Ki", "-5s", "v0.7.2", "'", '"', "'x'", '"\\u0000\\x1b"', "!!binary aGk=", "!x y", "&a [*a]",
    "*missing", "|\n    x\n  y", ">-", "x: y: z", "${X}", "${X:-${Y}}", "$(X)", "{{ .Values.x }}", "{{ fail `x` }}", "{% if x %}",
    "../../..", "/etc", "./", "a/b/../c", "ENC[AES256_GCM,data:x]", "--kubelet-insecure-tls", "\u202e\u00e4\u20ac\U0001f600", "x" * 5000,
]


def tokens():
    """Those of the fuzzer's dictionaries, by what they are of."""
    found = []
    for path in sorted((REPOSITORY / "fuzz/dictionaries").glob("*.dict")):
        for line in path.read_text().splitlines():
            if line.startswith('"'):
                escaped = re.sub(rb"\\x([0-9a-f]{2})", lambda it: bytes([int(it[1], 16)]), line[1:-1].encode())
                found.append(escaped.replace(b"\n//-\n", b"\n---\n"))
    return found


def seeds(directories):
    """The directories that trees are made of, each as its files."""

    def of(directory):
        paths = [it for it in sorted(directory.rglob("*")) if it.is_file() and ".git" not in it.parts]
        if 0 < sum(it.stat().st_size for it in paths) <= LARGEST:
            yield {it.relative_to(directory).as_posix(): it.read_bytes() for it in paths}
        else:
            for inner in sorted(it for it in directory.iterdir() if it.is_dir()):
                yield from of(inner)

    testdata = REPOSITORY / "testdata"
    inner = [*sorted(testdata.iterdir()), *sorted(testdata.glob("*/*"))]
    for directory in [it for it in inner if it.is_dir()] + [pathlib.Path(it) for it in directories]:
        yield from of(directory)


class Damage:
    """What is done to a tree, which is a dictionary of paths and bytes; `None` is a link to itself."""

    def __init__(self, rng, others, words):
        self.rng, self.others, self.words = rng, others, words

    def of(self, files):
        # The configuration says what else is read: it is damaged less often.
        for _ in range(self.rng.choice([1, 1, 2, 3, 5, 9])):
            paths = sorted(path for path, data in files.items() if isinstance(data, bytes))
            if not paths:
                break
            path = self.rng.choice(paths)
            if path == ".metrics-server-lint.yaml" and self.rng.random() < 0.7:
                continue
            if self.rng.random() < 0.2:
                self.rng.choice([self.gone, self.moved, self.twice, self.linked, self.foreign, self.directory])(files, path)
            else:
                how = [self.line, self.value, self.value, self.token, self.token, self.indented, self.spliced, self.bytes]
                files[path] = self.rng.choice(how)(files[path])
        return files

    def lines(self, data):
        lines = data.splitlines(keepends=True) or [b""]
        start = self.rng.randrange(len(lines))
        return lines, start, min(len(lines), start + self.rng.choice([1, 1, 2, 5, 20]))

    def line(self, data):
        lines, start, end = self.lines(data)
        block = lines[start:end]
        return b"".join(
            self.rng.choice(
                [
                    lambda: lines[:start] + lines[end:],
                    lambda: lines[:end] + block + lines[end:],
                    lambda: lines[:start],
                    lambda: lines[:start] + lines[end:] + block,
                    lambda: lines[:start] + block * self.rng.choice([3, 50]) + lines[end:],
                    lambda: lines[:start] + block[::-1] + lines[end:],
                    lambda: lines[:start] + [b"---\n"] + lines[start:],
                    lambda: lines[:start] + [b"# " + it for it in block] + lines[end:],
                ]
            )()
        )

    def value(self, data):
        """Another value behind one of the keys or dashes."""
        lines, start, _ = self.lines(data)
        value = self.rng.choice(VALUES).encode()
        found = re.match(rb"(\s*(?:- )?[\w./$-]+(?::|\s*=)[ ]?|\s*- )(.*?)(\r?\n?)$", lines[start], re.S)
        lines[start] = found[1] + value + found[3] if found else lines[start] + value + b"\n"
        return b"".join(lines)

    def token(self, data):
        at = self.rng.randrange(len(data) + 1)
        return data[:at] + self.rng.choice(self.words) * self.rng.choice([1, 1, 1, 2, 200]) + data[at:]

    def indented(self, data):
        lines, start, end = self.lines(data)
        change = self.rng.choice([lambda it: b"  " + it, lambda it: it[2:], lambda it: b"\t" + it, lambda it: b" " * 300 + it])
        return b"".join(lines[:start] + [change(it) for it in lines[start:end]] + lines[end:])

    def spliced(self, data):
        """Lines of another repository, in any place."""
        other = self.rng.choice(self.others)
        lines, start, end = self.lines(other[self.rng.choice(sorted(other))])
        mine, at, _ = self.lines(data)
        return b"".join(mine[:at] + lines[start:end] + mine[at:])

    def bytes(self, data):
        at = self.rng.randrange(len(data) + 1)
        return self.rng.choice(
            [
                lambda: data[:at],
                lambda: b"",
                lambda: data[:at] + bytes([self.rng.randrange(256)]) + data[at + 1 :],
                lambda: data.replace(b"\n", b"\r\n"),
                lambda: b"\xef\xbb\xbf" + data,
                lambda: data[:at] + b"\0" + data[at:],
                lambda: data.decode("utf-8", "replace").encode("utf-16"),
                lambda: data[:at] + b"[" * 3000 + data[at:],
                lambda: data[:at] + b"\n" + b"".join(b" " * it + b"a:\n" for it in range(200)) + data[at:],
                lambda: data[:at] + b"x" * 100_000 + data[at:],
                lambda: data[at:] + data[:at],
            ]
        )()

    def gone(self, files, path):
        del files[path]

    def moved(self, files, path):
        name = self.rng.choice(sorted(files) + ["kustomization.yaml", "values.yaml", "Chart.yaml", "a b/%25.yaml", "x.env", "main.tf"])
        files[name] = files.pop(path)

    def twice(self, files, path):
        files["again/" + path] = files[path]

    def linked(self, files, path):
        files[path] = self.rng.choice([path.rsplit("/", 1)[-1], ".", "..", "missing", "/etc/passwd", "/dev/zero"])

    def foreign(self, files, path):
        other = self.rng.choice(self.others)
        files[path] = other[self.rng.choice(sorted(other))]

    def directory(self, files, path):
        files[path + "/inside.yaml"] = files.pop(path)


def write(root, files):
    """Writes what can be: a file may stand where another one needs a directory."""
    for path, data in files.items():
        path = root / path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(data, bytes):
                path.write_bytes(data)
            else:
                path.symlink_to(data)
        except OSError:
            pass


def environments(shown):
    try:
        # Where nothing could be resolved it says why.
        return [it["name"] for it in json.loads(shown.read_text()).get("environments", [])]
    except (OSError, ValueError):
        return []


def commands(rng, files, out):
    """The three commands, each with the files of JSON that it writes."""
    paths = sorted(path for path, data in files.items() if isinstance(data, bytes))
    built = [it.rpartition("/")[0] or "." for it in paths if re.search(r"(^|/)(kustomization.ya?ml|Kustomization|Chart.yaml)$", it)]
    check = ["check", "--root", ".", "--pedantic", "--format", "text"]
    for name in FORMATS:
        check += ["--format", f"{name}:{out / name}"]
    if rng.random() < 0.2:
        check += ["--diff"] if rng.random() < 0.3 else ["--show-fixes"]
    yield check, [] if "--diff" in check else [out / it for it in OF_JSON]
    yield ["show", "--root", ".", *rng.choice([[], ["-v"]]), "--format", "text", "--format", f"json:{out / 'show'}"], [out / "show"]
    # What `show` showed, which is there by now.
    names = environments(out / "show")
    what = ["--environment", rng.choice(names)] if names and (not built or rng.random() < 0.5) else [rng.choice(built or ["."])]
    render = ["render", "--root", ".", *what]
    yield [*render, *rng.choice([[], ["--origins"]]), "--format", "yaml", "--format", f"json:{out / 'render'}"], [out / "render"]


def limited():
    resource.setrlimit(resource.RLIMIT_CPU, (PATIENCE, PATIENCE))
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run(program, arguments, root, out):
    """Its status, processor time in s, memory in MB, and what it says."""
    with open(out / "stdout", "wb") as stdout, open(out / "stderr", "wb") as stderr:
        environment = {**os.environ, "NO_COLOR": "1", "RAYON_NUM_THREADS": "2"}
        process = subprocess.Popen(
            [program, *arguments], cwd=root, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=environment, preexec_fn=limited
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    said = (out / "stderr").read_bytes().decode("utf-8", "replace")
    # Linux counts in KiB, macOS in bytes.
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return process.returncode, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit, said


def wrong(status, seconds, megabytes, said, written):
    """What must not be, in words."""
    if status not in (0, 1, 2):
        yield f"ended with {signal.Signals(-status).name if status < 0 else status}"
    if "panicked" in said:
        yield "panicked: " + next(it for it in said.splitlines() if "panicked" in it)
    if seconds > SECONDS:
        yield f"took {seconds:.1f} s"
    if megabytes > MEGABYTES:
        yield f"took {megabytes:.0f} MB"
    for path in written:
        try:
            json.loads(path.read_text())
        except FileNotFoundError:
            # Nobody can be told where the arguments are wrong.
            if status in (0, 1):
                yield f"{path.name} is not written"
        except ValueError as error:
            yield f"{path.name} is not JSON: {error}"


def tree(program, seed, number, all_seeds, words, keep):
    """Runs the commands over one tree."""
    rng = random.Random(f"{seed}/{number}")
    files = Damage(rng, all_seeds, words).of(dict(rng.choice(all_seeds)))
    results = []
    with tempfile.TemporaryDirectory() as directory:
        root, out = pathlib.Path(directory) / "tree", pathlib.Path(directory) / "out"
        root.mkdir()
        out.mkdir()
        write(root, files)
        for arguments, written in commands(rng, files, out):
            ended = run(program, arguments, root, out)
            found = list(wrong(*ended, written))
            results.append((number, arguments, ended[:3], found))
            if found and keep:
                kept = pathlib.Path(keep) / str(number)
                shutil.copytree(root, kept, symlinks=True, dirs_exist_ok=True)
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", nargs="?", metavar="BIN")
    parser.add_argument("directories", nargs="*", metavar="DIR")
    parser.add_argument("--trees", type=int, default=4_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--keep", metavar="DIR")
    parser.add_argument("--only", type=int, metavar="N")
    arguments = parser.parse_args()
    program, words, all_seeds = binary(arguments.binary), tokens(), list(seeds(arguments.directories))
    numbers = range(arguments.trees)
    if arguments.only is not None:
        numbers, arguments.keep = [arguments.only], arguments.keep or tempfile.mkdtemp()
        print(f"{arguments.keep}/{arguments.only}")
    statuses, failed, slowest, largest = collections.Counter(), 0, (0, ""), (0, "")
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        one = lambda number: tree(program, arguments.seed, number, all_seeds, words, arguments.keep)
        for results in pool.map(one, numbers):
            for number, command, (status, seconds, megabytes), found in results:
                statuses[command[0], status] += 1
                what = f"tree {number}, {command[0]}"
                slowest, largest = max(slowest, (seconds, what)), max(largest, (megabytes, what))
                for it in found:
                    failed += 1
                    print(f"{what}: {it}: {' '.join(command)}", flush=True)
    print(f"{len(numbers)} trees of {len(all_seeds)} repositories, {sum(statuses.values())} runs")
    for (command, status), count in sorted(statuses.items()):
        print(f"{command} ended {count} times with {status}")
    print(f"at most {slowest[0]:.2f} s of processor time ({slowest[1]}), {largest[0]:.0f} MB ({largest[1]})")
    print(f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
