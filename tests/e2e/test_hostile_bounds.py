"""What one caller makes up (patterns, names, fields, keys by the thousand) costs nobody else his service or his memory."""
import contextlib
import re
import socket
import threading
import time

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from attackers import (CORS_OF_MANY_NAMES, PATTERNS, THOUSAND_KEYS, form_of_file_names, large_delete_policy, policy, preflight_fields,
                       side_by_side, statement, unknown_key_fields)
from raw import send

PATIENCE = 100   # Seconds in which a victim's request is answered, however slow the machine is that runs this.


def of_stranger(cluster):
    return boto3.client("s3", endpoint_url=cluster.endpoint, region_name="us-east-1",
                        config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}))


class Victim(threading.Thread):
    """Reads his own object all the time, and tells how often and how slowly."""

    def __init__(self, cluster, bucket):
        super().__init__(daemon=True)
        self.client, self.bucket = cluster.boto3(boto3, retries={"total_max_attempts": 1}), bucket
        self.client.put_object(Bucket=bucket, Key="mine", Body=b"mine")
        self.done, self.seconds, self.errors = threading.Event(), [], []

    def run(self):
        while not self.done.is_set():
            begin = time.monotonic()
            try:
                assert self.client.get_object(Bucket=self.bucket, Key="mine")["Body"].read() == b"mine"
            except Exception as error:
                self.errors.append(error)
            self.seconds.append(time.monotonic() - begin)


@contextlib.contextmanager
def victim(cluster, bucket, what):
    one = Victim(cluster, bucket)
    one.start()
    try:
        yield one
    finally:
        one.done.set()
        one.join()
    print(f"{what}: a victim's {len(one.seconds)} reads took at most {max(one.seconds) * 1000:.0f} ms")
    assert not one.errors, one.errors[:3]
    assert max(one.seconds) < PATIENCE


@pytest.fixture
def hostile(cluster):
    """A bucket that its attacker owns."""
    client = cluster.boto3(boto3)
    client.create_bucket(Bucket="hostile-bounds")
    client.delete_public_access_block(Bucket="hostile-bounds")
    yield "hostile-bounds"
    client.delete_object(Bucket="hostile-bounds", Key="k")
    for kind in ("policy", "cors"):
        getattr(client, f"delete_bucket_{kind}")(Bucket="hostile-bounds")
    client.delete_bucket(Bucket="hostile-bounds")


def rss_mib(cluster):
    name = next(name for name in cluster.processes() if name.startswith("gateway"))
    with open(f"/proc/{cluster.processes()[name]}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) / 1024


def put_policy(cluster, bucket, *statements):
    cluster.boto3(boto3).put_bucket_policy(Bucket=bucket, Policy=policy(*statements))


def test_a_form_full_of_file_names(cluster, bucket):
    def form():
        answer = send(cluster.endpoint, "POST", f"/{bucket}", {"Content-Type": "multipart/form-data; boundary=b"}, form_of_file_names())
        assert (answer.status, answer.code()) == (400, "KeyTooLongError"), answer.text[:300]

    with victim(cluster, bucket, "forms"):
        side_by_side(lambda: [form() for _ in range(10)], 4)


@pytest.mark.parametrize("pattern, agent", PATTERNS)
def test_a_pattern_and_a_text_made_for_it(cluster, bucket, hostile, pattern, agent):
    objects = f"arn:aws:s3:::{hostile}/*"
    agents = {"StringLike": {"aws:UserAgent": [pattern, "*denied*"]}}
    put_policy(cluster, hostile, statement("Allow", "s3:GetObject", objects), statement("Deny", "s3:GetObject", objects, agents))

    cluster.boto3(boto3).put_object(Bucket=hostile, Key="k", Body=b"k")

    def get(text):
        return send(cluster.endpoint, "GET", f"/{hostile}/k", {"User-Agent": text}).code()

    with victim(cluster, bucket, "patterns"):
        side_by_side(lambda: [get(agent) for _ in range(25)], 4)
    assert get(agent) == ""
    # Nothing is cut before it is matched.
    for size in (10, 2_047, 4_096, 7_000):
        assert get("a" * size + "denied") == get("denied" + "a" * size) == "AccessDenied"


def test_a_preflight_of_many_names(cluster, bucket, hostile):
    client = cluster.boto3(boto3)
    client.put_bucket_cors(Bucket=hostile, CORSConfiguration=CORS_OF_MANY_NAMES)

    def preflight(names):
        return send(cluster.endpoint, "OPTIONS", f"/{hostile}/k", preflight_fields(names)).status

    with victim(cluster, bucket, "preflights"):
        side_by_side(lambda: [preflight(["x-a"] * 1_400 + ["y"]) for _ in range(50)], 4)
    assert preflight(["x-a", "x-b"]) == 200
    assert preflight(["x-a", "y"]) == 403
    assert preflight(["x-a"] * 100) == 200
    assert preflight(["x-a"] * 101) == 403


def test_a_thousand_keys_under_a_large_policy(cluster, bucket, hostile):
    cluster.boto3(boto3).put_bucket_policy(Bucket=hostile, Policy=large_delete_policy(hostile))
    stranger = of_stranger(cluster)

    def delete():
        answer = stranger.delete_objects(Bucket=hostile, Delete={"Objects": THOUSAND_KEYS})
        # AWS says no to each that ends as a denied one does.
        assert len(answer.get("Deleted", [])) + len(answer.get("Errors", [])) == 1_000

    with victim(cluster, bucket, "DeleteObjects"):
        side_by_side(delete, 4)


def test_names_by_the_thousand(cluster, bucket):
    def ask(lines):
        with socket.create_connection(("127.0.0.1", cluster.port), timeout=300) as connection:
            for line in lines:
                with contextlib.suppress(OSError):
                    connection.sendall(line)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1 << 16):
                pass

    def preflights():
        host = b" HTTP/1.1\r\nHost: h\r\nOrigin: http://a\r\nAccess-Control-Request-Method: GET\r\n\r\n"
        ask(b"OPTIONS /" + str(i).encode() + b"n" * 6_000 + host for i in range(250))

    def keys():
        for i in range(100):
            answer = send(cluster.endpoint, "GET", "/", unknown_key_fields(i, 5_000))
            assert answer.code() == "InvalidAccessKeyId"

    before = rss_mib(cluster)
    with victim(cluster, bucket, "names"):
        side_by_side(preflights, 4)
        side_by_side(keys, 4)
    grown = rss_mib(cluster) - before
    held = sum(value for labels, value in cluster.samples("rondel_cache_bytes"))
    print(f"names: {grown:.0f} MiB more, caches hold {held / 1024:.0f} KiB")
    assert held < 16 << 20


def test_no_raw_bytes_come_back(cluster, bucket):
    for path in (b"/%ff%fe", b"/a%00b", b"/%c0%80/k", f"/{bucket}/%ff".encode(), f"/{bucket}?prefix=%ff%00%01".encode(), b"/\xff\xfe", b"/a?x=\x01\xff"):
        with socket.create_connection(("127.0.0.1", cluster.port), timeout=300) as connection:
            connection.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
        head, _, body = answer.partition(b"\r\n\r\n")
        assert not head.split(b" ")[1].startswith(b"5"), (path, head)
        assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", body.replace(b"\r\n", b"")), (path, body)
        body.decode()
