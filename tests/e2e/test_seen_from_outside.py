import json
import re
import shutil
import subprocess
import urllib.request

import boto3
import pytest

from cluster import ROOT, wait_for


def test_metrics_are_well_formed(cluster, bucket):
    cluster.boto3(boto3).put_object(Bucket=bucket, Key="k", Body=b"x" * 5000)
    assert len(cluster.metric_urls()) == 5
    for url in cluster.metric_urls():
        text = cluster.metrics(url)
        assert "rondel_build_info" in text and "process_resident_memory_bytes" in text
        if shutil.which("promtool"):
            checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=300)
            assert checked.returncode == 0, url + "\n" + checked.stdout + checked.stderr


@pytest.mark.parametrize("name", [
    "rondel_requests_total", "rondel_request_seconds_count", "rondel_requests_in_flight", "rondel_request_bytes_total",
    "rondel_response_bytes_total", "rondel_metadata_batch_size_count", "rondel_ring_epoch", "rondel_replication_lag_seconds",
    "rondel_replication_lag_bytes", "rondel_node_live_bytes", "rondel_node_dead_bytes", "rondel_node_free_bytes",
    "rondel_node_flush_seconds_count", "rondel_node_corrupt_reads_total",
])
def test_metric_is_there(cluster, bucket, name):
    cluster.boto3(boto3).put_object(Bucket=bucket, Key="k", Body=b"x")
    assert cluster.samples(name), name


def test_requests_are_counted_by_operation_and_code(cluster, bucket):
    client = cluster.boto3(boto3)
    with pytest.raises(Exception):
        client.get_object(Bucket=bucket, Key="absent")
    found = [value for labels, value in cluster.samples("rondel_requests_total")
             if 'operation="GetObject"' in labels and "NoSuchKey" in labels]
    assert sum(found) >= 1


def test_health(cluster):
    for url in cluster.metric_urls():
        for path in ("live", "ready"):
            assert urllib.request.urlopen(url.replace("/metrics", f"/health/{path}"), timeout=300).status == 200


def test_status(cluster):
    text = cluster.cli("status").stdout
    assert "epoch 1" in text and "4 (0 down)" in text
    document = json.loads(cluster.cli("status", "--json").stdout)
    assert len(document["nodes"]) == 4 and all(node["alive"] for node in document["nodes"])


def test_one_json_line_a_request(cluster, bucket):
    cluster.boto3(boto3).put_object(Bucket=bucket, Key="logged-key", Body=b"x")
    wait_for(lambda: cluster.requests_logged('"key":"logged-key"'), 20, "the line")
    mine = [line for line in cluster.requests_logged('"key":"logged-key"') if line["operation"] == "PutObject"]
    assert len(mine) == 1 and mine[0]["status"] == 200 and mine[0]["request_id"]
    assert cluster.env["AWS_SECRET_ACCESS_KEY"] not in "\n".join(cluster.log_lines("*.log"))


def test_every_metric_is_documented_with_its_type(cluster, bucket):
    cluster.boto3(boto3).put_object(Bucket=bucket, Key="k", Body=b"x")
    page = (ROOT / "docs" / "metrics.md").read_text()
    documented = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", page, re.M))
    for url in cluster.metric_urls():
        for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", cluster.metrics(url), re.M):
            assert documented.get(name) == kind, name
