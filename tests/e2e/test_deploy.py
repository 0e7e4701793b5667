"""deploy/: what monitoring says agrees with what is measured, and what containers are told with what the programs take."""
import json
import os
import re
import shutil
import subprocess

import pytest
import yaml

from cluster import BUILD, ROOT

MONITORING = ROOT / "deploy" / "monitoring"


def promtool(*words, **options):
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed")
    done = subprocess.run(["promtool", *words], capture_output=True, text=True, timeout=120, **options)
    assert done.returncode == 0, done.stdout + done.stderr


def dashboard_expressions():
    board = json.loads((MONITORING / "dashboard.json").read_text())
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"].replace("$__rate_interval", "5m")


def rules():
    return yaml.safe_load((MONITORING / "rules.yaml").read_text())["groups"][0]["rules"]


def test_alerts_fire_when_they_should():
    promtool("check", "config", "--syntax-only", "prometheus.yaml", cwd=MONITORING)
    promtool("check", "rules", "rules.yaml", cwd=MONITORING)
    promtool("test", "rules", "rules_test.yaml", cwd=MONITORING)


def test_every_alert_is_tested_both_ways_and_has_a_runbook():
    cases = yaml.safe_load((MONITORING / "rules_test.yaml").read_text())["tests"]
    fires = {(case["alert_rule_test"][0]["alertname"], bool(case["alert_rule_test"][0]["exp_alerts"])) for case in cases}
    runbooks = re.findall(r"^## (\w+)$", (MONITORING / "runbooks.md").read_text(), re.M)
    names = [rule["alert"] for rule in rules()]
    assert runbooks == names
    assert fires == {(name, expected) for name in names for expected in (True, False)}


def test_the_dashboard_parses(tmp_path):
    expressions = list(dashboard_expressions())
    assert len(expressions) > 30
    recording = [{"record": f"panel_{number}", "expr": expr} for number, expr in enumerate(expressions)]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": recording}]}))
    promtool("check", "rules", str(tmp_path / "rules.yaml"))


def test_what_is_watched_exists():
    documented = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "metrics.md").read_text(), re.M))
    for expression in [*dashboard_expressions(), *(rule["expr"] for rule in rules())]:
        for name in re.findall(r"\b(?:rondel|process)_\w+", re.sub(r'"[^"]*"', "", expression)):
            assert name in documented or re.sub(r"_(bucket|sum|count)$", "", name) in documented, name


def programs_and_settings():
    """(program, RONDEL_* variables) of every container in deploy."""
    compose = yaml.safe_load((ROOT / "deploy/docker/compose.yaml").read_text())
    for service in compose["services"].values():
        command = service.get("command")
        name = command if isinstance(command, str) else (command or [""])[0]
        if name in ("rondel-gateway", "rondel-node"):
            yield name, {key: str(value) for key, value in service["environment"].items()}
    for path in sorted((ROOT / "deploy/kubernetes").rglob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            spec = document.get("spec", {})
            for container in spec.get("template", {}).get("spec", {}).get("containers", []) if isinstance(spec, dict) else []:
                if container["command"][0] in ("rondel-gateway", "rondel-node"):
                    yield container["command"][0], {entry["name"]: entry.get("value", "from-the-pod") for entry in container["env"]}


def test_containers_are_told_what_the_programs_take():
    told = list(programs_and_settings())
    assert sorted(name for name, _ in told) == ["rondel-gateway"] * 2 + ["rondel-node"] * 4
    for program, variables in told:
        described = subprocess.run([BUILD / "bin" / program, "--describe-settings"], capture_output=True, text=True, timeout=30).stdout
        known = {"RONDEL_" + key.replace(".", "_").upper() for key in re.findall(r"^\| `([\w.]+)` \|", described, re.M)}
        rondel = {key for key in variables if key.startswith("RONDEL_")}
        assert rondel <= known, rondel - known
        checked = subprocess.run([BUILD / "bin" / program, "--check-settings"], capture_output=True, text=True, timeout=30,
                                 env={**os.environ, **variables})
        assert checked.returncode == 0, checked.stderr
