"""What deploy/kubernetes says, as Kubernetes would get it, and a judge of it that knows the schemas. Run by the Python of an environment that has
kubernetes-validate, it judges the documents of standard input and prints one line for each fault."""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
OWN = pathlib.Path(__file__).resolve().parent / "custom_resources"
VERSIONS = ("1.29", "1.33", "1.37")   # Of Kubernetes: what people still run, to the newest that is known here.


def render(components=()):
    """By kubectl's kustomize, with components as somebody would name them in kustomization.yaml."""
    with tempfile.TemporaryDirectory() as place:
        copy = shutil.copytree(FOLDER, pathlib.Path(place) / "kubernetes")
        head = (copy / "kustomization.yaml").read_text()
        assert "components: []" in head
        (copy / "kustomization.yaml").write_text(head.replace("components: []", "components: " + json.dumps(list(components))))
        built = subprocess.run(["kubectl", "kustomize", str(copy)], capture_output=True, text=True, timeout=120)
    assert built.returncode == 0, built.stderr
    return list(yaml.safe_load_all(built.stdout))


def alerts():
    printed = subprocess.run([str(FOLDER / "monitoring" / "rules.sh")], capture_output=True, text=True, timeout=300)
    assert printed.returncode == 0, printed.stderr
    return yaml.safe_load(printed.stdout)


def closed(schema):
    """As a server with strict validation: a field that the definition does not name is a fault."""
    if isinstance(schema, list):
        return [closed(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: {name: closed(member) for name, member in value.items()} if key == "properties" else closed(value) for key, value in schema.items()}
    if made.pop("nullable", False) and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    if made.pop("x-kubernetes-int-or-string", False):
        made.pop("type", None)
        made.setdefault("anyOf", [{"type": "integer"}, {"type": "string"}])
    if "properties" in made and "additionalProperties" not in made and not made.get("x-kubernetes-preserve-unknown-fields"):
        made["additionalProperties"] = False
    return made


def faults_of(document):
    import jsonschema
    import kubernetes_validate
    group, _, version = document["apiVersion"].rpartition("/")
    name = f"{document['kind']} {document['metadata']['name']}"
    own = OWN / f"{document['kind']}.{group}_{version}.json"
    if own.exists():
        schema = closed(json.loads(own.read_text()))
        # What every object may have; the definition leaves it open.
        schema["properties"]["metadata"] = {"type": "object"}
        for error in jsonschema.Draft202012Validator(schema).iter_errors(document):
            yield f"{name}: {error.json_path}: {error.message[:300]}"
        return
    for kubernetes in VERSIONS:
        try:
            kubernetes_validate.validate(document, kubernetes, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{name} in Kubernetes {kubernetes}: {'.'.join(map(str, error.path))}: {error.message[:300]}"
        except kubernetes_validate.SchemaNotFoundError:
            yield f"{name} in Kubernetes {kubernetes}: there is no schema for {document['apiVersion']}"


def main():
    for document in json.load(sys.stdin):
        for fault in faults_of(document):
            print(fault)


if __name__ == "__main__":
    main()
