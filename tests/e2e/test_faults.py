"""Nodes die, everything dies, bytes rot: what was acknowledged stays."""
import os
import random
import signal
import time

import boto3
import pytest

import load
from cluster import running, wait_for
from database import removed_everything

SECONDS_OF_LOAD = float(os.environ.get("RONDEL_FAULT_SECONDS", "6"))


# A request that waited for the node that is away would wait until its end: read_timeout. What other nodes serve takes far less,
# however busy the machine is.
SERVED_BY_OTHERS_SECONDS = 60
PATIENT_CLIENT = {"read_timeout": 2 * SERVED_BY_OTHERS_SECONDS}


@pytest.fixture(scope="module")
def breakable():
    with running("faults", options=["gc.grace=1s", "gc.trash=1s"]) as cluster:
        yield cluster


def lag(cluster):
    return max((value for _, value in cluster.samples("rondel_replication_lag_seconds")), default=0.0)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_one_node_away(breakable, number):
    client = breakable.boto3(boto3, **PATIENT_CLIENT)
    before = {f"before/{n}": random.randbytes(50_000) for n in range(40)}
    for key, body in before.items():
        client.put_object(Bucket="faults", Key=key, Body=body)
    wait_for(lambda: lag(breakable) == 0, 60, "copies to be complete")
    victim = breakable.processes()["node-2"]
    os.kill(victim, number)
    try:
        writers = load.Writers(lambda: breakable.boto3(boto3, **PATIENT_CLIENT), "faults", threads=3)
        for key, body in before.items():
            began = time.monotonic()
            assert client.get_object(Bucket="faults", Key=key)["Body"].read() == body
            assert time.monotonic() - began < SERVED_BY_OTHERS_SECONDS
        wait_for(lambda: lag(breakable) > 0, 60, "the lag metric to rise")
        time.sleep(SECONDS_OF_LOAD)
        writers.wait_for_more(3)
        history = writers.stop()
        assert history.failed == 0
        assert writers.longest < SERVED_BY_OTHERS_SECONDS
    finally:
        if number == signal.SIGSTOP:
            os.kill(victim, signal.SIGCONT)
    again = breakable.up()
    assert again.returncode == 0, again.stdout + again.stderr
    wait_for(lambda: lag(breakable) == 0, 120, "the lag metric to return to 0")
    assert load.check(client, "faults", history) > 0


def test_everything_killed_under_load(breakable):
    writers = load.Writers(lambda: breakable.boto3(boto3, read_timeout=20), "faults", threads=4, overwrite=True)
    for _ in range(2):
        time.sleep(SECONDS_OF_LOAD)
        writers.wait_for_more(10)
        breakable.kill_everything()
        again = breakable.up()
        assert again.returncode == 0, again.stdout + again.stderr
    writers.wait_for_more(4)
    history = writers.stop()
    client = breakable.boto3(boto3)
    checked = load.check(client, "faults", history)
    print(f"{history.acknowledged} acknowledged, {checked} keys read back")
    assert checked >= len(history.acknowledged_keys())


def test_down_and_up_keeps_everything(breakable):
    client = breakable.boto3(boto3)
    body = random.randbytes(9 << 20)
    client.put_object(Bucket="faults", Key="kept", Body=body)
    keys = dict(breakable.env)
    assert breakable.down().returncode == 0
    started = breakable.up()
    assert started.returncode == 0, started.stdout + started.stderr
    assert breakable.env == keys
    assert breakable.boto3(boto3).get_object(Bucket="faults", Key="kept")["Body"].read() == body


def test_rotten_bytes_are_never_served_and_mended(breakable):
    client = breakable.boto3(boto3)
    marker = random.randbytes(64)
    body = marker * 3000
    for n in range(8):
        client.put_object(Bucket="faults", Key=f"rot/{n}", Body=body)
    wait_for(lambda: lag(breakable) == 0, 60, "copies to be complete")
    assert breakable.down().returncode == 0
    damaged = 0
    for path in (breakable.data / "node-1").rglob("*"):
        if not path.is_file() or path.stat().st_size < 1 << 20:
            continue
        with open(path, "r+b") as file:
            content = file.read(64 << 20)
            at = content.find(marker)
            while at >= 0:
                file.seek(at + 7)
                file.write(bytes([content[at + 7] ^ 0xFF]))
                damaged += 1
                at = content.find(marker, at + 60_000)
    assert damaged > 0
    started = breakable.up()
    assert started.returncode == 0, started.stdout + started.stderr
    client = breakable.boto3(boto3)

    def were_met():
        for n in range(8):
            assert client.get_object(Bucket="faults", Key=f"rot/{n}")["Body"].read() == body
        names = ["rondel_node_corrupt_reads_total", "rondel_gateway_corrupt_reads_total"]
        return sum(value for name in names for _, value in breakable.samples(name)) > 0
    for _ in range(6):
        were_met()
    wait_for(were_met, 30, "damaged copies to be met")


def test_space_comes_back(breakable):
    client = breakable.boto3(boto3)

    def live():
        return sum(value for _, value in breakable.samples("rondel_node_live_bytes"))

    def at_rest():
        return lag(breakable) == 0 and removed_everything(breakable)
    wait_for(at_rest, 120, "what earlier tests left behind to be gone")
    before = live()
    for n in range(12):
        client.put_object(Bucket="faults", Key=f"space/{n}", Body=random.randbytes(2 << 20))
    upload = client.create_multipart_upload(Bucket="faults", Key="space/upload")["UploadId"]
    client.upload_part(Bucket="faults", Key="space/upload", UploadId=upload, PartNumber=1, Body=random.randbytes(2 << 20))
    client.abort_multipart_upload(Bucket="faults", Key="space/upload", UploadId=upload)
    wait_for(lambda: live() > before + 3 * (24 << 20) * 0.9, 30, "live bytes to rise")
    client.put_object(Bucket="faults", Key="space/0", Body=b"small")
    for n in range(1, 12):
        client.delete_object(Bucket="faults", Key=f"space/{n}")
    wait_for(lambda: live() < before + (8 << 20), 90, "live bytes to fall")
