"""The database goes away in every way it can: writes are refused before their bytes, and nothing is left behind."""
import os
import signal
import socket
import time
import urllib.parse

import boto3
import pytest

import load
from cluster import running, wait_for
from database import measure

SECONDS_OF_SILENCE = float(os.environ.get("RONDEL_SILENCE_SECONDS", "2"))
SECONDS_OF_OUTAGE = float(os.environ.get("RONDEL_OUTAGE_SECONDS", "10"))
GIB = 1 << 30
DATABASE_SECONDS = 5   # metadata.timeout: what a request waits for its answer.
THREADS = 8


@pytest.fixture(scope="module")
def lonely():
    with running("lonely", options=[
            "gc.grace=1s", "gc.trash=1s", "gc.orphan_age=16s", "gc.orphan_scan_pause=2s"]) as cluster:
        yield cluster


def signal_database(cluster, number):
    for pid in cluster.pids_of("postgresql"):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


class Stopped:
    def begin(self, cluster):
        os.kill(cluster.processes()["postgresql"], signal.SIGINT)

    def end(self, cluster):
        again = cluster.up()
        assert again.returncode == 0, again.stdout + again.stderr


class Frozen:
    def begin(self, cluster):
        signal_database(cluster, signal.SIGSTOP)

    def end(self, cluster):
        signal_database(cluster, signal.SIGCONT)


def send_head(cluster, key, length):
    """A PUT that waits for 100 Continue: its head alone. The connection, and what came."""
    client = cluster.boto3(boto3)
    url = urllib.parse.urlsplit(client.generate_presigned_url("put_object", Params={"Bucket": "lonely", "Key": key}))
    connection = socket.create_connection((url.hostname, url.port), timeout=300)
    head = (f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: {length}\r\n"
            "Expect: 100-continue\r\n\r\n")
    connection.sendall(head.encode())
    return connection, connection.recv(65536).decode()


def refuses(cluster):
    connection, answer = send_head(cluster, "probe", 1)
    connection.close()
    return answer.startswith("HTTP/1.1 503")


def accepts(cluster):
    try:
        cluster.boto3(boto3).put_object(Bucket="lonely", Key="probe", Body=b"")
        return True
    except Exception:
        return False


@pytest.mark.parametrize("fault", [Stopped(), Frozen()], ids=["stopped", "frozen"])
def test_a_large_put_is_refused_with_no_byte_read(lonely, fault):
    wait_for(lambda: accepts(lonely), 60, "the database to be there")
    fault.begin(lonely)
    try:
        time.sleep(SECONDS_OF_SILENCE)   # Nobody asks anything meanwhile.
        wait_for(lambda: measure(lonely, "rondel_metadata_connected") == 0, 10, "the idle gateway to notice")
        began = time.monotonic()
        connection, answer = send_head(lonely, "large", GIB)
        assert answer.startswith("HTTP/1.1 503 "), answer
        assert "100 Continue" not in answer and "Retry-After: 1" in answer
        assert "<Code>ServiceUnavailable</Code>" in answer
        assert time.monotonic() - began < DATABASE_SECONDS, "nobody asked the database"
        connection.close()
        assert "ServiceUnavailable" in str(pytest.raises(Exception, lonely.boto3(boto3).delete_object, Bucket="lonely", Key="probe").value)
    finally:
        fault.end(lonely)
    wait_for(lambda: accepts(lonely), 60, "writes to go on")


@pytest.mark.parametrize("fault", [Stopped(), Frozen()], ids=["stopped", "frozen"])
def test_an_outage_under_load_leaves_no_more_than_was_under_way(lonely, fault):
    wait_for(lambda: accepts(lonely), 60, "the database to be there")
    def total(name):
        return sum(value for _, value in lonely.samples(name))
    # A bucket of its own, and each key once: nothing is released here but what failed.
    bucket = f"lonely-{type(fault).__name__.lower()}"
    lonely.boto3(boto3).create_bucket(Bucket=bucket)
    before = total("rondel_gc_orphan_streams_total")
    writers = load.Writers(lambda: lonely.boto3(boto3), bucket, threads=THREADS, sizes=(4096, 70_000), overwrite=False)
    wait_for(lambda: writers.history.acknowledged > 50, 60, "load")
    fault.begin(lonely)
    try:
        wait_for(lambda: refuses(lonely), 30, "the outage to be noticed")
        writers.wait_until_all_fail()
        written = total("rondel_gateway_written_bytes_total")
        failed = writers.history.failed
        time.sleep(SECONDS_OF_OUTAGE)
        wait_for(lambda: writers.history.failed > failed, 10, "load to go on")
        assert total("rondel_gateway_written_bytes_total") == written, "nothing is written for nothing"
    finally:
        fault.end(lonely)
    wait_for(lambda: accepts(lonely), 60, "writes to go on")
    acknowledged = writers.history.acknowledged
    wait_for(lambda: writers.history.acknowledged > acknowledged + 50, 60, "load to go on")
    history = writers.stop()
    wait_for(lambda: total("rondel_streams_unreleased") == 0, 30, "what did not happen to be given up")
    # Orphans of the outage are old enough after 16 s: two whole passes later none can be left.
    time.sleep(16)
    passes = total("rondel_gc_passes_total")
    wait_for(lambda: total("rondel_gc_passes_total") >= passes + 2, 120, "passes of the reconcile scan")
    assert total("rondel_gc_orphan_streams_total") - before <= THREADS, "no more than was under way"
    assert total("rondel_gc_halted") == 0
    assert load.check(lonely.boto3(boto3), bucket, history) > 0
