"""What a peer of a storage node, or another user of its machine, can take from others."""
import random
import stat

import boto3
import pytest

from attackers import DeafStream, gets
from cluster import running, wait_for

BUFFER = 32 << 20
PIECE = 256 << 10


@pytest.fixture(scope="module")
def hostile():
    with running("victims", options=[f"node.buffer_size={BUFFER >> 20}MiB"]) as cluster:
        yield cluster


def value(cluster, name):
    return max((v for _, v in cluster.samples(name)), default=0)


def test_streams_that_take_no_answers_hold_what_the_node_may_and_others_are_served(hostile):
    s3 = hostile.boto3(boto3)
    body = random.randbytes(1 << 20)
    s3.put_object(Bucket="victims", Key="wanted", Body=body)
    stream = bytes.fromhex(hostile.sql("select encode(stream, 'hex') from objects where stream is not null limit 1"))
    nodes = [line.split("|") for line in hostile.sql("select address, d->>'id' from nodes, jsonb_array_elements(disks) d").splitlines()]
    blob = stream + bytes(16 - len(stream))
    deaf = []
    for address, disk in nodes:
        message = gets(bytes.fromhex(disk), blob, 500)
        deaf += [DeafStream(address, message) for _ in range(40)]
    try:
        # Each of 40 streams would have 8 MiB and more: 320 MiB a node.
        wait_for(lambda: value(hostile, "rondel_node_buffer_bytes") > BUFFER // 2, 20, "the memory to be in use")
        for number in range(30):
            s3.put_object(Bucket="victims", Key=f"small-{number}", Body=body[:5000])
            assert s3.get_object(Bucket="victims", Key=f"small-{number}")["Body"].read() == body[:5000]
            s3.put_object(Bucket="victims", Key=f"large-{number}", Body=body)
            assert s3.get_object(Bucket="victims", Key="wanted")["Body"].read() == body
        # Whatever the memory, a stream has its open downloads (1 KiB each) and two pieces on their way.
        assert value(hostile, "rondel_node_buffer_bytes") <= BUFFER + 40 * (2 * PIECE + 500 * 1024)
    finally:
        for connection in deaf:
            connection.close()
    wait_for(lambda: value(hostile, "rondel_node_buffer_bytes") < BUFFER // 4, 40, "the memory to be given back")


def test_a_peer_has_a_bound_of_streams(hostile):
    address = hostile.sql("select address from nodes limit 1")
    deaf = [DeafStream(address, b"") for _ in range(200)]
    try:
        wait_for(lambda: value(hostile, "rondel_node_buffer_refused_total") > 0, 20, "streams to be refused")
        assert value(hostile, "rondel_node_streams") <= 128
        hostile.boto3(boto3).put_object(Bucket="victims", Key="beside", Body=b"x")
    finally:
        for connection in deaf:
            connection.close()


def test_what_is_kept_is_for_its_user_alone(hostile):
    """Data, logs, settings, the database: nobody else of the machine reads or enters any of it."""
    seen = 0
    for path in hostile.data.rglob("*"):
        try:
            status = path.lstat()
        except FileNotFoundError:
            continue
        if stat.S_ISLNK(status.st_mode) or stat.S_ISSOCK(status.st_mode):
            continue
        seen += 1
        # PostgreSQL's user gets through this one to the folder of its socket, and lists nothing.
        if path == hostile.data / "run":
            assert status.st_mode & 0o066 == 0
            continue
        assert status.st_mode & 0o077 == 0, f"{path} {stat.filemode(status.st_mode)}"
    assert seen > 100
    # PostgreSQL's user gets through it to its own folder.
    assert hostile.data.stat().st_mode & 0o066 == 0
