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


def rendered(divide):
    return subprocess.run(["/usr/bin/python3", str(MONITORING / "render.py"), "--divide", str(divide)], capture_output=True, text=True, check=True,
                          timeout=300).stdout


def test_the_rules_are_the_rendered_template():
    assert rendered(1) == (MONITORING / "rules.yaml").read_text()


def test_the_drill_has_the_same_rules_faster(tmp_path):
    """Every duration, window and threshold in seconds is a parameter: nothing else differs, and none is left behind."""
    (tmp_path / "rules.yaml").write_text(rendered(60))
    promtool("check", "rules", str(tmp_path / "rules.yaml"))
    faster = yaml.safe_load(rendered(60))["groups"][0]["rules"]
    assert [rule["alert"] for rule in faster] == [rule["alert"] for rule in rules()]
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}

    def seconds(text):
        count, unit = re.fullmatch(r"(\d+)(ms|[smhd])", text).groups()
        return int(count) * units[unit]

    for slow, fast in zip(rules(), faster):
        assert {**slow, "expr": "", "for": ""} == {**fast, "expr": "", "for": ""}
        if "for" in slow:
            assert seconds(fast["for"]) == pytest.approx(seconds(slow["for"]) / 60, abs=0.001), slow["alert"]
        windows = [[seconds(window) for window in re.findall(r"\[(\w+)\]", rule["expr"])] for rule in (slow, fast)]
        assert windows[1] == pytest.approx([window / 60 for window in windows[0]], abs=0.001), slow["alert"]
        compared = [[float(number) for number in re.findall(r"[<>]=? ([\d.]+)", rule["expr"])] for rule in (slow, fast)]
        states = [re.findall(r"[!=]= ([\d.]+)", rule["expr"]) for rule in (slow, fast)]
        assert states[0] == states[1], slow["alert"]
        scale = 60 if re.search(r"_seconds|time\(\)", slow["expr"]) else 1
        assert compared[1] == pytest.approx([number / scale for number in compared[0]], rel=1e-4), slow["alert"]


def test_the_drill_pulls_every_alert():
    """What no fault can pull says why, and has its promtool tests like any other."""
    told = subprocess.run([str(MONITORING / "drill.sh"), "--list"], capture_output=True, text=True, check=True, timeout=300).stdout
    pulled, excused = set(), set()
    for line in told.splitlines():
        fault, alerts = line.split(": ", 1)
        if fault == "(none)":
            name, why = alerts.split(": ", 1)
            assert len(why) > 20
            excused.add(name)
        else:
            pulled |= set(alerts.split(", "))
    assert pulled | excused == {rule["alert"] for rule in rules()}
    assert not pulled & excused


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
        described = subprocess.run([BUILD / "bin" / program, "--describe-settings"], capture_output=True, text=True, timeout=300).stdout
        known = {"RONDEL_" + key.replace(".", "_").upper() for key in re.findall(r"^\| `([\w.]+)` \|", described, re.M)}
        rondel = {key for key in variables if key.startswith("RONDEL_")}
        assert rondel <= known, rondel - known
        checked = subprocess.run([BUILD / "bin" / program, "--check-settings"], capture_output=True, text=True, timeout=300,
                                 env={**os.environ, **variables})
        assert checked.returncode == 0, checked.stderr
