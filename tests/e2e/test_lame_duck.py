"""SIGTERM: who balances requests hears of it before a listener closes, and no client is refused meanwhile."""
import http.client
import os
import signal
import urllib.error
import urllib.request

import boto3
import pytest

from cluster import is_running, running, wait_for


@pytest.fixture(scope="module")
def ducks():
    """Longer than any test: what ends it is a second signal, never the time."""
    with running("duck", nodes=3, options=["gateway.lame_duck=1h", "node.lame_duck=1h", "gateway.idle_timeout=1h"]) as cluster:
        yield cluster
        for name, pid in cluster.processes().items():   # A lame duck waits for its second signal, which ends it at the wipe.
            if name != "postgresql" and is_running(pid):
                os.kill(pid, signal.SIGTERM)


def health(url, path):
    try:
        with urllib.request.urlopen(url + path, timeout=300) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return None, ""


def operations_of(cluster, name):
    metric = "rondel_coordinator_leader" if name.startswith("gateway") else "rondel_node_ring_contact"
    urls = [url.removesuffix("/metrics") for url in cluster.metric_urls() if metric in cluster.metrics(url)]
    return urls[int(name.rpartition("-")[2]) - 1]


@pytest.mark.parametrize("name", ["node-2", "gateway-1"])
def test_a_process_that_ends_serves_until_its_time_is_over(ducks, name):
    client = ducks.boto3(boto3)
    client.put_object(Bucket="duck", Key="before", Body=b"before")
    url, pid = operations_of(ducks, name), ducks.processes()[name]
    assert health(url, "/health/serving") == (200, "listeners: ok\nnot draining: ok\n")
    kept = http.client.HTTPConnection("127.0.0.1", ducks.port, timeout=300)
    kept.request("GET", "/")
    kept.getresponse().read()

    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: health(url, "/health/serving")[0] == 503, 20, "balancers to be told")
    assert "not draining: the process is ending" in health(url, "/health/serving")[1]
    assert health(url, "/health/ready")[0] == 503
    assert health(url, "/health/live")[0] == 200

    # New connections and old ones are served; the ones to a gateway hear that they end.
    for number in range(5):
        ducks.boto3(boto3).put_object(Bucket="duck", Key=f"{name}/{number}", Body=b"x" * 100_000)
    assert client.get_object(Bucket="duck", Key="before")["Body"].read() == b"before"
    kept.request("GET", "/")
    answer = kept.getresponse()
    answer.read()
    assert (answer.getheader("Connection") == "close") == name.startswith("gateway")

    # Certificates and log are read again meanwhile, and that ends nothing.
    os.kill(pid, signal.SIGHUP)
    assert health(url, "/health/live")[0] == 200 and is_running(pid)
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not is_running(pid), 40, name + " to end")
    assert ducks.up().returncode == 0
    assert health(operations_of(ducks, name), "/health/serving")[0] == 200


def test_a_gateway_without_its_database_stays_with_its_balancer(ducks):
    url = operations_of(ducks, "gateway-1")
    ducks.kill_together(["postgresql"])
    wait_for(lambda: health(url, "/health/ready")[0] == 503, 30, "the database to be missed")
    assert health(url, "/health/serving")[0] == 200
    assert ducks.up().returncode == 0
    assert health(url, "/health/ready")[0] == 200
