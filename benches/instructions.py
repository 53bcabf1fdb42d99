#!/usr/bin/env python3
"""Whether a change makes a check do more: instructions under valgrind, of a program before and after it.

    benches/instructions.py BEFORE AFTER [--tell]

Counts what each of two programs executes, on one thread, to check each scenario of testdata/ and a made repository of
1,000 files. Unlike times these hardly differ from run to run; both programs are to be built in the same way, and run
on the same machine, whose libraries they use. Exits 1 when one is over 5 % above what it was; with `--tell` that is
only told.
"""
import argparse, os, pathlib, re, shutil, subprocess, sys, tempfile

from against_ripgrep import REPOSITORY, make

MOST = 1.05


def instructions(program, root):
    """How many instructions a check of the repository takes."""
    with tempfile.TemporaryDirectory() as temporary:
        told = pathlib.Path(temporary) / "told"
        valgrind = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", f"--log-file={told}"]
        check = [program, "check", "--root", str(root), "--fail-on", "never", "--format", "sarif"]
        # The environment makes no difference.
        environment = {"PATH": os.environ["PATH"], "RAYON_NUM_THREADS": "1", "NO_COLOR": "1"}
        done = subprocess.run(valgrind + check, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        found = re.search(r"I +refs: +([\d,]+)", told.read_text())
        if done.returncode not in (0, 1) or not found:
            sys.exit(f"{root}: valgrind ended with {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
        return int(found[1].replace(",", ""))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=pathlib.Path)
    parser.add_argument("after", type=pathlib.Path)
    parser.add_argument("--tell", action="store_true")
    options = parser.parse_args()
    if not shutil.which("valgrind"):
        sys.exit("valgrind is not installed")
    over, scenarios = [], sorted(it for it in (REPOSITORY / "testdata").iterdir() if it.is_dir())
    with tempfile.TemporaryDirectory() as temporary:
        made = pathlib.Path(temporary) / "made"
        make(made, 1_000)
        for name, root in [("1,000 files", made)] + [(it.name, it) for it in scenarios]:
            before, after = (instructions(it.resolve(), root) for it in (options.before, options.after))
            is_over = after > MOST * before
            over += [name] if is_over else []
            change = f"{100 * after / before - 100:+.2f} %"
            print(f"{name:20} {before / 1e6:9.1f} M {after / 1e6:9.1f} M  {change}{'  OVER' if is_over else ''}", flush=True)
    print(f"{len(over)} of {1 + len(scenarios)} over {100 * MOST - 100:.0f} %: {', '.join(over) or 'none'}")
    sys.exit(bool(over) and not options.tell)


if __name__ == "__main__":
    main()
