#!/usr/bin/env python3
"""Extracts what the service authorization reference says of the actions in infra/template.yaml.

Usage: extract.py [--check], with the package `parliament` installed: its iam_definition.json is the reference of AWS
(https://docs.aws.amazon.com/service-authorization/latest/reference/) as data. Writes reference.json beside this file;
with --check it only says whether that is up to date.
"""

import importlib.metadata
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
TEMPLATE = HERE.parents[3] / "infra/template.yaml"
TARGET = HERE / "reference.json"


def extract():
    # Not imported: the package itself wants more than its data.
    package = importlib.metadata.distribution("parliament")
    reference = json.loads(pathlib.Path(package.locate_file("parliament/iam_definition.json")).read_text())
    used = set(re.findall(r"\b([a-z0-9-]+):([A-Z][A-Za-z0-9]+)\b", TEMPLATE.read_text()))
    actions, wanted = {}, set()
    for service in reference:
        for privilege in service["privileges"]:
            if (service["prefix"], privilege["privilege"]) in used:
                # An empty type lists the condition keys of the action; a star marks the types that a call always has.
                types = {found["resource_type"].rstrip("*") for found in privilege["resource_types"]} - {""}
                actions[f"{service['prefix']}:{privilege['privilege']}"] = sorted(types)
                wanted |= {(service["prefix"], name) for name in types}
    resources = {
        f"{service['prefix']}:{resource['resource']}": resource["arn"]
        for service in reference for resource in service["resources"]
        if (service["prefix"], resource["resource"]) in wanted
    }
    return {
        "source": f"iam_definition.json of PyPI parliament {package.version} (BSD 3-Clause), made by extract.py",
        "actions": dict(sorted(actions.items())), "resources": dict(sorted(resources.items())),
    }


def main():
    text = json.dumps(extract(), indent=2) + "\n"
    if "--check" in sys.argv:
        if TARGET.read_text() != text:
            sys.exit(f"{TARGET} is not what the template and the reference make: run {pathlib.Path(__file__).name}")
    else:
        TARGET.write_text(text)


if __name__ == "__main__":
    main()
