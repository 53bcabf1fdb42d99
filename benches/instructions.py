#!/usr/bin/env python3
"""Whether a change makes a check do more: instructions under valgrind, against those that are recorded.

    benches/instructions.py [BIN] [--record]

Counts what BIN (default: target/release/metrics-server-lint, built when missing) executes, on one thread, to check
each scenario of testdata/ and a made repository of 1,000 files. Unlike times these are the same on every machine
with the same compiler. Exits 1 when one is over 5 % above benches/instructions.json; `--record` writes that anew, in
the commit that means to change it.
"""
import argparse, json, os, pathlib, re, shutil, subprocess, sys, tempfile

from against_ripgrep import REPOSITORY, binary, make

RECORD = REPOSITORY / "benches/instructions.json"
MOST = 1.05


def instructions(program, root):
    """How many instructions a check of the repository takes."""
    with tempfile.TemporaryDirectory() as temporary:
        told = pathlib.Path(temporary) / "told"
        valgrind = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", f"--log-file={told}"]
        check = [program, "check", "--root", str(root), "--fail-on", "never"]
        # Hashes and the environment make no difference.
        environment = {"PATH": os.environ["PATH"], "RAYON_NUM_THREADS": "1", "NO_COLOR": "1"}
        done = subprocess.run(valgrind + check, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        found = re.search(r"I +refs: +([\d,]+)", told.read_text())
        if done.returncode not in (0, 1) or not found:
            sys.exit(f"{root}: valgrind ended with {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
        return int(found[1].replace(",", ""))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bin", nargs="?")
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    if not shutil.which("valgrind"):
        sys.exit("valgrind is not installed")
    program = binary(options.bin)
    known = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    counted, over = {}, []
    with tempfile.TemporaryDirectory() as temporary:
        made = pathlib.Path(temporary) / "made"
        make(made, 1_000)
        scenarios = sorted(it for it in (REPOSITORY / "testdata").iterdir() if it.is_dir())
        for name, root in [("1,000 files", made)] + [(it.name, it) for it in scenarios]:
            counted[name] = count = instructions(program, root)
            before = known.get(name)
            change = "new" if before is None else f"{100 * count / before - 100:+.1f} %"
            if before is not None and count > MOST * before:
                over.append(name)
                change += "  OVER"
            print(f"{name:20} {count / 1e6:9.1f} M  {change}", flush=True)
    if options.record:
        RECORD.write_text(json.dumps(counted, indent=2) + "\n")
    elif set(counted) != set(known):
        sys.exit("benches/instructions.json has other scenarios: run this with --record")
    print(f"{len(over)} of {len(counted)} over {100 * MOST - 100:.0f} %: {', '.join(over) or 'none'}")
    sys.exit(bool(over) and not options.record)


if __name__ == "__main__":
    main()
