#!/usr/bin/env python3
"""Makes the schemas in tests/e2e/custom_resources of the definitions (CRDs) that other projects publish: without descriptions, so that what
a server checks is left.

    custom_resources.py FILE.yaml ...      (needs python3-yaml)
"""
import json
import pathlib
import sys

import yaml

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "tests" / "e2e" / "custom_resources"


def checks_of(schema):
    """A property may be called "description": only the keyword of that name is text."""
    if isinstance(schema, list):
        return [checks_of(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {}
    for key, value in schema.items():
        if key == "properties":
            kept[key] = {name: checks_of(member) for name, member in value.items()}
        elif key not in ("description", "example", "x-kubernetes-validations") and value != {}:
            kept[key] = checks_of(value)
    return kept


def main():
    for path in sys.argv[1:]:
        definition = yaml.safe_load(pathlib.Path(path).read_text())
        spec = definition["spec"]
        for version in spec["versions"]:
            if version["served"]:
                name = f"{spec['names']['kind']}.{spec['group']}_{version['name']}.json"
                schema = checks_of(version["schema"]["openAPIV3Schema"])
                schema["properties"].pop("status", None)
                (FOLDER / name).write_text(json.dumps(schema, sort_keys=True, separators=(",", ":")) + "\n")


main()
