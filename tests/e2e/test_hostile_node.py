"""What a peer of a storage node, or another user of its machine, can take from others."""
import random
import socket
import stat
import struct

import boto3
import pytest

from cluster import running, wait_for

BUFFER = 32 << 20
PIECE = 256 << 10


@pytest.fixture(scope="module")
def hostile():
    with running("victims", port=17300, options=[f"node.buffer_size={BUFFER >> 20}MiB"]) as cluster:
        yield cluster


def frame(kind, body=b"", flags=0, stream=0):
    return struct.pack(">I", len(body))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + body


def field(name, value):
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def gets(disk, blob, count):
    """Frames of the Exchange stream, in one gRPC message: each asks for a piece."""
    frames = b""
    for request in range(1, count + 1):
        meta = disk + blob + struct.pack("<QQ", 0, PIECE)
        frames += struct.pack("<BBHIIIQQ", 6, 0, 0, len(meta), 0, 0, request, 0) + meta
    return b"\x00" + struct.pack(">I", len(frames)) + frames


class DeafStream:
    """One Exchange stream on a connection of its own, whose peer gives no window for answers."""

    def __init__(self, address, message):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=20)
        head = (field(b":method", b"POST") + field(b":scheme", b"http") + field(b":authority", b"node")
                + field(b":path", b"/rondel.storage.v1.Storage/Exchange") + field(b"content-type", b"application/grpc")
                + field(b"te", b"trailers"))
        settings = struct.pack(">HI", 4, 0)   # No window of a stream.
        data = b"".join(frame(0, message[at:at + 16384], stream=1) for at in range(0, len(message), 16384))
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, settings) + frame(1, head, 4, 1) + data)

    def close(self):
        self.socket.close()


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
