#!/usr/bin/env python3
"""kubectl as deploy/kubernetes/upgrade.sh calls it, for tests: plays a cluster of pods that a file describes, and writes down every call.

STAND_IN names a folder: `state.json` has the StatefulSets and the pods, `calls.jsonl` gets one line a call. A pod has either `metrics`, the text
that it answers, or `url` and `pid_file`, a node of a cluster on this machine: to delete it ends that process, and `again` starts what is missing.
"""
import fcntl
import json
import os
import pathlib
import re
import sys
import time

FOLDER = pathlib.Path(os.environ["STAND_IN"])


def jsonpath(template, document):
    """As much of kubectl's JSONPath as one range over items with fields needs."""
    whole = re.fullmatch(r"jsonpath=\{range \.items\[\*\]\}(.*)\{end\}", template, re.S)
    assert whole, template
    parts = re.findall(r'\{"((?:[^"\\]|\\.)*)"\}|\{(\.[^}]+)\}', whole.group(1))
    assert "".join('{"%s"}' % text if text else "{%s}" % path for text, path in parts) == whole.group(1), template
    return "".join("".join(json.loads('"%s"' % text) if text else value_of(path, item) for text, path in parts) for item in document["items"])


def value_of(path, item):
    for name, index, field, wanted in re.findall(r'\.([\w-]+)(?:\[(?:(\d+)|\?\(@\.(\w+)=="(\w+)"\))\])?', path):
        item = item.get(name)
        if item is not None and index:
            item = item[int(index)] if len(item) > int(index) else None
        elif item is not None and field:
            item = next((entry for entry in item if entry[field] == wanted), None)
        if item is None:
            return ""
    return str(item)


def answers(url, path):
    import urllib.request   # Here: most calls do without, and hundreds are made.
    try:
        with urllib.request.urlopen(url + path, timeout=300) as answer:
            return answer.read().decode()
    except OSError:
        return None


def stateful_set(name, about):
    return {"metadata": {"name": name, "generation": about.get("generation", 1)},
            "spec": {"replicas": about["replicas"], "updateStrategy": {"type": about.get("strategy", "OnDelete")}},
            "status": {"updateRevision": about["revision"], "observedGeneration": about.get("seen", about.get("generation", 1))}}


def is_ready(pod):
    return answers(pod["url"], "/health/ready") is not None if "url" in pod else pod.get("ready", True)


def pod_document(name, pod):
    metadata = {"name": name, "labels": {"controller-revision-hash": pod["revision"]}, "ownerReferences": [{"name": pod["set"]}]}
    if pod.get("ending"):
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return {"metadata": metadata, "status": {"conditions": [{"type": "PodScheduled", "status": "True"},
                                                            {"type": "Ready", "status": str(bool(is_ready(pod)))}]}}


def get(state, words):
    kind, output = words[1], words[words.index("--output") + 1]
    assert words[words.index("--selector") + 1] == "app=rondel-node"
    if kind == "statefulsets":
        items = [stateful_set(name, about) for name, about in sorted(state["sets"].items())]
    else:
        items = [pod_document(name, pod) for name, pod in sorted(state["pods"].items())]
    sys.stdout.write(jsonpath(output, {"items": items}))
    return 0


def run_in_pod(state, words):
    pod = state["pods"][words[1]]
    assert words[2:] == ["--container", "node", "--", "curl", "-fsS", "--max-time", "5", "http://127.0.0.1:9300/metrics"]
    text = answers(pod["url"], "/metrics") if "url" in pod else pod.get("metrics")
    sys.stdout.write(text or "")
    return 0 if text else 7


def is_running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (OSError, IndexError):   # It has gone, or goes while it is looked at.
        return False


def delete_pod(state, words):
    pod = state["pods"][words[2]]
    pod["revision"] = state["sets"][pod["set"]]["revision"]
    if "pid_file" in pod:
        import signal
        import subprocess
        pid = int(pathlib.Path(pod["pid_file"]).read_text().split()[0])
        os.kill(pid, signal.SIGTERM)
        while is_running(pid):
            time.sleep(0.02)
        with open(FOLDER / "again.log", "a") as log:
            subprocess.Popen(state["again"], stdout=log, stderr=log, start_new_session=True)
    return 0


def main():
    words = sys.argv[1:]
    assert words[:2] == ["--namespace", "rondel"], words
    words = words[2:]
    with open(FOLDER / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state = json.loads((FOLDER / "state.json").read_text())
        # Who is not ready just now, as a judge of their own at each call that changes something.
        call = {"words": words}
        if words[0] not in ("get", "exec"):
            call["not_ready"] = sorted(name for name, pod in state["pods"].items() if not is_ready(pod))
        with open(FOLDER / "calls.jsonl", "a") as calls:
            calls.write(json.dumps(call) + "\n")
        if " ".join(words[:2]) in state.get("fails", []):
            print("stand-in: told to fail", file=sys.stderr)
            return 1
        if words[0] == "get":
            return get(state, words)
        if words[0] == "exec":
            return run_in_pod(state, words)
        if words[:2] == ["delete", "pod"]:
            status = delete_pod(state, words)
        elif words[0] == "apply" and "--selector" not in words:
            for about in state["sets"].values():
                about["revision"] = state["applied"]
            status = 0
        else:
            status = 0
        (FOLDER / "state.json").write_text(json.dumps(state))
        return status


if __name__ == "__main__":
    sys.exit(main())
