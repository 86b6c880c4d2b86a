#!/usr/bin/env python3
"""Puts bugs into the program, one at a time, and asks whether the run under faults finds them.

Usage: mutations.py [--check] [--records N] [--seed N] [--tries N] [--target FOLDER] [NAME …]

Each bug is a patch of .ci/mutations: a sentence, a line `Found-by:` with the counts by which the run should find it, the
change. All is done in a work tree of HEAD's own, which is removed in the end. First the program without a bug must pass.
A bug that depends on the moment is looked for in as many runs as --tries says, with the next seed each. Prints the table of
the guide; exits 0 if the program passed and each bug was found. With --check it only tells whether the patches still apply
to what is in this folder, and builds nothing. NAME is that of a patch without its ending; without names it is all of them.
"""

import argparse
import contextlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PATCHES = ROOT / ".ci/mutations"
COUNTS = ("lost", "labelled twice", "with another text's label", "asked twice", "dead letters left")


class Mutation:
    """A bug as a patch says it."""

    def __init__(self, path):
        text = path.read_text()
        head = text.split("\ndiff --git ", 1)[0]
        self.path, self.name = path, path.stem
        found_by = re.search(r"^Found-by: (.+)$", head, re.MULTILINE)
        assert found_by, f"{path} has no line Found-by:"
        self.bug = " ".join(head[:found_by.start()].split()).rstrip(".")
        self.found_by = found_by[1].split(", ")
        unknown = set(self.found_by) - set(COUNTS)
        assert not unknown, f"{path}: {unknown} is none of {COUNTS}"


def git(*arguments, cwd=ROOT, check=True):
    run = subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, text=True)
    assert not check or run.returncode == 0, f"git {' '.join(map(str, arguments))}: {run.stderr}"
    return run


@contextlib.contextmanager
def work_tree(folder):
    tree = folder / "tree"
    git("worktree", "add", "--quiet", "--detach", tree, "HEAD")
    try:
        yield tree
    finally:
        git("worktree", "remove", "--force", tree, check=False)


def build(tree, target):
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target)}
    command = ["cargo", "build", "--release", "--locked", "--quiet"]
    built = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    assert built.returncode == 0, f"it does not build:\n{built.stderr[-4000:]}"
    return target / "release/active-learning"


def run_under_faults(program, tree, state, records, seed):
    """Returns the exit code, and what the run counted."""
    command = [program, "--state-dir", state, "fault-run", "--records", str(records), "--seed", str(seed)]
    run = subprocess.run(command, cwd=tree, capture_output=True, text=True)
    counts = {name: re.search(rf"^ +{name} +(\d+)$", run.stdout + run.stderr, re.MULTILINE) for name in COUNTS}
    assert run.returncode in (0, 1) and all(counts.values()), \
        f"the run ended with {run.returncode}, without a table:\n{(run.stdout + run.stderr)[-2000:]}"
    return run.returncode, {name: int(count[1]) for name, count in counts.items()}


def said(counts):
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "nothing"


def look_for(mutation, program, tree, folder, options):
    """Returns whether a run finds the bug, and what the last run counted."""
    for number in range(options.tries):
        state = folder / f"{mutation.name if mutation else 'without'}-{number}"
        code, counts = run_under_faults(program, tree, state, options.records, options.seed + number)
        expected = mutation.found_by if mutation else COUNTS
        if code != 0 and any(counts[name] for name in expected):
            return True, counts
        if not mutation:
            return code != 0, counts
    return False, counts


def check_all(mutations):
    failed = 0
    for mutation in mutations:
        applied = git("apply", "--check", mutation.path, check=False)
        failed += applied.returncode != 0
        print(f"{'ok   ' if applied.returncode == 0 else 'FAIL '} {mutation.name}: {mutation.bug}")
        if applied.returncode != 0:
            print(f"      {applied.stderr.strip()}")
    return 1 if failed else 0


def try_all(mutations, options):
    missed = []
    with tempfile.TemporaryDirectory() as name, work_tree(pathlib.Path(name)) as tree:
        folder = pathlib.Path(name)
        target = options.target or folder / "target"
        print(f"Each run has {options.records:,} texts, from seed {options.seed} on. Without a bug:", flush=True)
        is_found, counts = look_for(None, build(tree, target), tree, folder, options)
        print(f"it counted {said(counts)}\n", flush=True)
        if is_found:
            print("The program fails without a bug: nothing can be told of the others")
            return 1

        print("| bug | what the run counted |\n|---|---|", flush=True)
        for mutation in mutations:
            git("apply", mutation.path, cwd=tree)
            is_found, counts = look_for(mutation, build(tree, target), tree, folder, options)
            git("checkout", "--quiet", "--", ".", cwd=tree)
            missed += [] if is_found else [mutation.name]
            print(f"| {mutation.bug} | {said(counts)}{'' if is_found else ': **not found**'} |", flush=True)
    print(f"\n{len(mutations) - len(missed)} of {len(mutations)} were found" + (f"; not {', '.join(missed)}" if missed else ""))
    return 1 if missed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--records", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--tries", type=int, default=3)
    parser.add_argument("--target", type=pathlib.Path, help="folder for what is built; kept, so that the next time is quicker")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    known = {path.stem: path for path in sorted(PATCHES.glob("*.patch"))}
    unknown = set(options.names) - set(known)
    if unknown:
        parser.error(f"there is no patch {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    mutations = [Mutation(known[name]) for name in options.names or known]
    return check_all(mutations) if options.check else try_all(mutations, options)


if __name__ == "__main__":
    sys.exit(main())
