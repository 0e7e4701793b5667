"""deploy/kubernetes/upgrade.sh: in which order it does what, what it waits for, and a real cluster whose nodes it replaces under load."""
import json
import os
import subprocess
import sys

import boto3
import pytest

from cluster import ROOT, Cluster
from load import Writers, check

UPGRADE = ROOT / "deploy" / "kubernetes" / "upgrade.sh"

WHOLE = """# TYPE rondel_ring_epoch gauge
rondel_ring_epoch 3
rondel_node_ring_contact 1
rondel_node_disks_unusable 0
rondel_node_disk_state{disk="d",state="online"} 1
rondel_node_disk_state{disk="d",state="failed"} 0
rondel_repair_comparisons_due{disk="d"} 0
rondel_repair_wanted_full{disk="d"} 0
rondel_replication_lag_seconds{disk="d",seen_by="itself"} 0
"""


class StandIn:
    def __init__(self, folder, state):
        self.folder = folder
        (folder / "bin").mkdir()
        program = folder / "bin" / "kubectl"
        program.write_text(f"#!/bin/sh\nexec {sys.executable} -SI {ROOT}/tests/e2e/kubectl_stand_in.py \"$@\"\n")
        program.chmod(0o755)
        self.write(state)

    def write(self, state):
        (self.folder / "state.json").write_text(json.dumps(state))

    def state(self):
        return json.loads((self.folder / "state.json").read_text())

    def calls(self):
        """Those that change something."""
        path = self.folder / "calls.jsonl"
        calls = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [call for call in calls if call["words"][0] not in ("get", "exec")]

    def upgrade(self, *words, patience=0):
        environment = {**os.environ, "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "STAND_IN": str(self.folder)}
        return subprocess.run([str(UPGRADE), "--patience", str(patience), "--pause", "0", *words], capture_output=True, text=True, timeout=1200,
                              env=environment)


def two_each(**changed):
    sets = {f"rondel-node-{zone}": {"replicas": 2, "revision": "old"} for zone in "abc"}
    pods = {f"rondel-node-{zone}-{number}": {"set": f"rondel-node-{zone}", "revision": "old", "metrics": WHOLE} for zone in "abc" for number in (0, 1)}
    return {"sets": sets, "pods": pods, "applied": "new", **changed}


def deleted(calls):
    return [call["words"][2] for call in calls if call["words"][:2] == ["delete", "pod"]]


def test_schema_then_gateways_then_one_zone_after_another(tmp_path):
    kubectl = StandIn(tmp_path, two_each())
    done = kubectl.upgrade("--patience", "60")
    assert done.returncode == 0, done.stdout + done.stderr
    calls = [" ".join(call["words"]) for call in kubectl.calls()]
    folder = ROOT / "deploy" / "kubernetes"
    assert calls[:6] == ["delete jobs --selector app=rondel-migrate --ignore-not-found",
                         f"apply --kustomize {folder} --selector app=rondel-migrate",
                         "wait --for=condition=Complete jobs --selector app=rondel-migrate --timeout 60s",
                         f"apply --kustomize {folder}",
                         "rollout status deployment/rondel-gateway --timeout 60s",
                         "wait --for=condition=Ready clusters.postgresql.cnpg.io/rondel-postgresql --timeout 60s"]
    pods = [f"rondel-node-{zone}-{number}" for zone in "abc" for number in (0, 1)]
    assert calls[6:] == [f"delete pod {pod} --wait=true --timeout 60s" for pod in pods]
    assert {pod["revision"] for pod in kubectl.state()["pods"].values()} == {"new"}
    # Again: the manifests are applied, and no pod is touched.
    before = len(kubectl.calls())
    assert kubectl.upgrade().returncode == 0
    assert deleted(kubectl.calls()[before:]) == []


def with_metrics(old, new):
    assert old in WHOLE
    return lambda state: state["pods"]["rondel-node-c-1"].update(metrics=WHOLE.replace(old, new))


def pod(**changed):
    return lambda state: state["pods"]["rondel-node-c-1"].update(changed)


def of_set(**changed):
    return lambda state: state["sets"]["rondel-node-c"].update(changed)


HELD_BACK = {
    "no contact": (with_metrics("ring_contact 1", "ring_contact 0"), "rondel-node-c-1 has no contact to the ring"),
    "lag": (with_metrics('itself"} 0', 'itself"} 0.25'), "lacks what is 0.25 s old"),
    "lag seen by a peer": (with_metrics('itself"} 0', 'itself"} 0\nrondel_replication_lag_seconds{disk="e",seen_by="peer"} 7'), "lacks what is 7 s old"),
    "unusable disk": (with_metrics("unusable 0", "unusable 1"), "has not opened all"),
    "failed disk": (with_metrics('"failed"} 0', '"failed"} 1'), "a disk that is not online"),
    "comparison": (with_metrics('due{disk="d"} 0', 'due{disk="d"} 2'), "still compares"),
    "list full": (with_metrics('full{disk="d"} 0', 'full{disk="d"} 1'), "more than its list"),
    "another epoch": (with_metrics("epoch 3", "epoch 4"), "another epoch"),
    "no such metric": (with_metrics('rondel_replication_lag_seconds{disk="d",seen_by="itself"} 0\n', ""), "does not tell its rondel_replication_lag"),
    "silent": (pod(metrics=None), "does not tell its"),
    "not ready": (pod(ready=False), "rondel-node-c-1 is not ready"),
    "ending": (pod(ending=True), "rondel-node-c-1 is ending"),
    "missing": (lambda state: state["pods"].pop("rondel-node-c-1"), "has 1 of 2 pods"),
    "unseen": (of_set(generation=2, seen=1), "has not seen the newest"),
    "rolls by itself": (of_set(strategy="RollingUpdate"), "updateStrategy RollingUpdate"),
    "nothing there": (lambda state: state.update(sets={}, pods={}), "no StatefulSet"),
    "API away": (lambda state: state.update(fails=["get pods"]), "kubectl does not answer"),
}


@pytest.mark.parametrize("case", HELD_BACK, ids=str)
def test_no_pod_goes_while_something_is_wrong(tmp_path, case):
    change, expected = HELD_BACK[case]
    state = two_each()
    state["sets"]["rondel-node-a"]["revision"] = "new"   # A pod of another zone would be next.
    change(state)
    kubectl = StandIn(tmp_path, state)
    done = kubectl.upgrade()
    assert done.returncode == 1 and expected in done.stderr, done.stdout + done.stderr
    assert kubectl.calls() == []


def test_a_lag_that_is_allowed_holds_nothing_back(tmp_path):
    state = two_each()
    with_metrics('itself"} 0', 'itself"} 4')(state)
    kubectl = StandIn(tmp_path, state)
    assert kubectl.upgrade("--check", "--lag", "3").returncode == 1
    assert kubectl.upgrade("--check", "--lag", "4").returncode == 0


@pytest.mark.parametrize("fails, allowed", [("delete jobs", 1), ("apply --kustomize", 2), ("wait --for=condition=Complete", 3), ("rollout status", 5),
                                            ("delete pod", 7)])
def test_a_step_that_fails_is_the_last(tmp_path, fails, allowed):
    kubectl = StandIn(tmp_path, two_each(fails=[fails]))
    done = kubectl.upgrade(patience=60)
    assert done.returncode == 1 and f"kubectl {fails}" in done.stderr, done.stderr
    assert len(kubectl.calls()) == allowed


def test_what_ended_half_way_goes_on_there(tmp_path):
    state = two_each()
    for about in state["sets"].values():
        about["revision"] = "new"
    for name in ("rondel-node-a-0", "rondel-node-a-1", "rondel-node-b-1"):
        state["pods"][name]["revision"] = "new"
    kubectl = StandIn(tmp_path, state)
    assert kubectl.upgrade("--nodes-only", patience=60).returncode == 0
    assert deleted(kubectl.calls()) == ["rondel-node-b-0", "rondel-node-c-0", "rondel-node-c-1"]


def test_nodes_of_a_real_cluster_are_replaced_under_load(tmp_path):
    cluster = Cluster(nodes=4)
    try:
        started = cluster.up("--zones", "3")
        assert started.returncode == 0, started.stdout + started.stderr
        cluster.boto3(boto3).create_bucket(Bucket="upgraded")
        urls = [url.removesuffix("/metrics") for url in cluster.metric_urls()]
        nodes = [url for url in urls if "rondel_node_ring_contact" in cluster.metrics(url + "/metrics")]
        zones = [1, 2, 3, 1]
        pods = {f"rondel-node-{zone}-{number}": {"set": f"rondel-node-{zone}", "revision": "old", "url": url,
                                                 "pid_file": str(cluster.data / "run" / f"node-{number}.pid")}
                for number, (zone, url) in enumerate(zip(zones, nodes), start=1)}
        again = [str(ROOT / "deploy/local/up.sh"), "--bin", str(os.environ.get("RONDEL_BUILD", ROOT / "build/dev")), "--no-install", "--data",
                 str(cluster.data)]
        kubectl = StandIn(tmp_path, {"sets": {f"rondel-node-{zone}": {"replicas": zones.count(zone), "revision": "new"} for zone in (1, 2, 3)},
                                     "pods": pods, "again": again})
        pids = cluster.processes()
        load = Writers(lambda: cluster.boto3(boto3), "upgraded", threads=2)
        done = kubectl.upgrade("--nodes-only", "--lag", "5", patience=600)
        load.stop()
        assert done.returncode == 0, done.stdout + done.stderr + (tmp_path / "again.log").read_text()

        # Zone by zone, and whenever one went all others were there.
        assert deleted(kubectl.calls()) == ["rondel-node-1-1", "rondel-node-1-4", "rondel-node-2-2", "rondel-node-3-3"]
        assert all(call["not_ready"] == [] for call in kubectl.calls())
        now = cluster.processes()
        assert all(now[f"node-{number}"] != pids[f"node-{number}"] for number in range(1, 5))
        assert load.history.acknowledged > 20 and load.history.failed == 0
        check(cluster.boto3(boto3), "upgraded", load.history)
    finally:
        cluster.wipe()
