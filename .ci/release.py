#!/usr/bin/env python3
"""Makes the files of a release of what is built, and checks them: packages, what each is made of, sums, size.

Usage: release.py FOLDER. Prints a line for each check; exits 0 if all passed.
"""

import hashlib
import io
import json
import pathlib
import re
import subprocess
import sys
import zipfile

import stack
from stack import check, equal

ROOT = pathlib.Path(__file__).resolve().parent.parent
FUNCTIONS = ROOT / "target/functions"
PROGRAM = ROOT / "target/release/active-learning"
# Most bytes of the largest package: 25 MB as AWS counts them. Lambda's own limit is twice that.
LARGEST, MOST_BYTES = "text-classifier", 25 * 1024 * 1024


def functions():
    return sorted(path.parent.name for path in FUNCTIONS.glob("*/bootstrap"))


@check("release.sh makes the files of a release of what is built")
def made(folder):
    run = subprocess.run([ROOT / "infra/release.sh", "--skip-build", "--output", folder], capture_output=True, text=True)
    assert run.returncode == 0, f"it ended with {run.returncode}:\n{run.stdout[-2000:]}{run.stderr[-2000:]}"
    released = [*functions(), PROGRAM.name]
    expected = {"LICENSE", "SHA256SUMS", "template.yaml", PROGRAM.name, *(f"{name}.zip" for name in functions()),
                *(f"{name}.cdx.json" for name in released)}
    equal({path.name for path in folder.iterdir()}, expected, "files")
    equal(sorted(ROOT.glob("crates/*/sbom.json")), [], "files left in the source")


@check("each package is the function that was built, and the template names it")
def packages(folder):
    named = re.findall(r"^ +Code: (\S+)$", (folder / "template.yaml").read_text(), re.MULTILINE)
    assert named and all(re.fullmatch(r"[a-z0-9-]+\.zip", name) for name in named), named
    for name in functions():
        assert f"{name}.zip" in named, f"the template does not name {name}.zip"
        with zipfile.ZipFile(folder / f"{name}.zip") as package:
            equal(package.namelist(), ["bootstrap"], f"files of {name}.zip")
            equal(package.read("bootstrap"), (FUNCTIONS / name / "bootstrap").read_bytes(), f"bootstrap of {name}.zip")
            mode = package.getinfo("bootstrap").external_attr >> 16
            equal(mode & 0o111, 0o111, f"right to run the bootstrap of {name}.zip")


@check("each bill of materials names components with their versions, and nothing of this machine")
def bills(folder):
    # A home of `/` says nothing: addresses have `//`.
    of_machine = {ROOT, pathlib.Path.home()} - {pathlib.Path("/")}
    for name in [*functions(), PROGRAM.name]:
        text = (folder / f"{name}.cdx.json").read_text()
        bill = json.loads(text)
        equal((bill["bomFormat"], bill["specVersion"]), ("CycloneDX", "1.5"), name)
        equal(bill["metadata"]["component"]["name"], {PROGRAM.name: "active-learning-cli"}.get(name, name), "what the bill is of")
        components = {component["name"] for component in bill["components"]}
        missing = {"tokio", "serde", "active-learning-core"} - components
        assert len(components) > 50 and not missing, f"{name} has {len(components)} components, and not {missing}"
        nameless = [found for found in bill["components"] if not found.get("version") or not found.get("purl")]
        equal(nameless, [], f"components of {name} without version or address")
        assert not any(f"{place}/" in text for place in of_machine), f"{name}.cdx.json names a folder of this machine"


@check("SHA256SUMS names every file but itself, and all of them verify")
def sums(folder):
    lines = [line.split("  ", 1) for line in (folder / "SHA256SUMS").read_text().splitlines()]
    equal({name for _, name in lines}, {path.name for path in folder.iterdir()} - {"SHA256SUMS"}, "files with a sum")
    wrong = [name for digest, name in lines if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest]
    equal(wrong, [], "files whose sum is another")
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, check=True)


@check(f"the package of {LARGEST} has {MOST_BYTES:,} bytes at most")
def size(folder):
    # `aws cloudformation package` compresses as this library does, a little less than `zip`.
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as package:
        package.write(FUNCTIONS / LARGEST / "bootstrap", "bootstrap")
    released, deployed = (folder / f"{LARGEST}.zip").stat().st_size, len(packed.getvalue())
    print(f"      {released:,} bytes as released, {deployed:,} as deployed")
    assert max(released, deployed) <= MOST_BYTES, f"{max(released, deployed) - MOST_BYTES:,} bytes too many"


def main():
    return stack.run_checks(pathlib.Path(sys.argv[1]).resolve())


if __name__ == "__main__":
    sys.exit(main())
