"""What failed uploads leave behind comes back, and nothing else goes."""
import random
import socket
import time
import urllib.parse

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cluster import running, wait_for
from database import measure, removed_everything, wait_past


@pytest.fixture(scope="module")
def forgetful():
    with running("garbage", options=[
            "gc.grace=1s", "gc.trash=1s", "gc.orphan_age=16s", "gc.orphan_scan_pause=2s"]) as cluster:
        yield cluster


def live(cluster):
    return sum(value for _, value in cluster.samples("rondel_node_live_bytes"))


def begin_put(cluster, key, body, sent):
    """A PUT whose body stops in the middle."""
    request = AWSRequest("PUT", f"{cluster.endpoint}/garbage/{key}", headers={"Content-Length": str(len(body))}, data=body)
    S3SigV4Auth(Credentials(cluster.env["AWS_ACCESS_KEY_ID"], cluster.env["AWS_SECRET_ACCESS_KEY"]), "s3", cluster.env["AWS_REGION"]).add_auth(request)
    address = urllib.parse.urlparse(cluster.endpoint)
    connection = socket.create_connection((address.hostname, address.port), timeout=300)
    head = f"PUT /garbage/{key} HTTP/1.1\r\nHost: {address.netloc}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in request.headers.items()) + "\r\n"
    connection.sendall(head.encode())
    connection.sendall(body[:sent])
    return connection


def test_a_gateway_that_dies_in_an_upload_leaves_nothing(forgetful):
    client = forgetful.boto3(boto3)
    kept = {f"kept/{n}": random.randbytes(300_000) for n in range(10)}
    for key, body in kept.items():
        client.put_object(Bucket="garbage", Key=key, Body=body)
    upload = client.create_multipart_upload(Bucket="garbage", Key="open")["UploadId"]
    client.upload_part(Bucket="garbage", Key="open", UploadId=upload, PartNumber=1, Body=random.randbytes(5 << 20))
    # The third copy may come after the answer.
    wait_for(lambda: live(forgetful) >= 3 * (10 * 300_000 + (5 << 20)), 60, "three copies of what is kept")
    before = live(forgetful)
    # One chunk of 8 MiB each, three times: more than 48 MiB are of all three uploads.
    connections = [begin_put(forgetful, f"lost/{n}", random.randbytes(64 << 20), 9 << 20) for n in range(3)]
    wait_for(lambda: live(forgetful) > before + (50 << 20), 60, "a chunk of each upload to reach the disks")
    forgetful.kill("gateway-1")
    for connection in connections:
        connection.close()
    assert forgetful.up().returncode == 0
    wait_for(lambda: live(forgetful) <= before + (1 << 20), 120, "live bytes to fall")
    assert sum(value for _, value in forgetful.samples("rondel_gc_orphan_streams_total")) >= 3
    client = forgetful.boto3(boto3)
    for key, body in kept.items():
        assert client.get_object(Bucket="garbage", Key=key)["Body"].read() == body
    part = client.list_parts(Bucket="garbage", Key="open", UploadId=upload)["Parts"][0]
    client.complete_multipart_upload(Bucket="garbage", Key="open", UploadId=upload,
                                     MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    assert len(client.get_object(Bucket="garbage", Key="open")["Body"].read()) == 5 << 20
    assert "running" in forgetful.cli("gc", "status").stdout


def test_too_many_orphans_halt_and_an_operator_resumes(forgetful):
    client = forgetful.boto3(boto3)
    for n in range(400):
        client.put_object(Bucket="garbage", Key=f"many/{n}", Body=random.randbytes(1000))
    # All of an age in the same pass, and nothing of earlier tests left to be removed.
    wait_past(time.monotonic() + 20)
    wait_for(lambda: removed_everything(forgetful) and measure(forgetful, "rondel_replication_lag_seconds") == 0, 60, "removals of earlier tests")
    before = live(forgetful)
    # Rows that vanish without a release, as from a database that lost some.
    forgetful.sql("delete from objects where convert_from(key, 'UTF8') like 'many/%'")
    halted = lambda: any(value == 1 for _, value in forgetful.samples("rondel_gc_halted"))
    wait_for(halted, 90, "the breaker to trip")
    time.sleep(5)
    assert live(forgetful) >= before, "nothing is removed"
    assert "halted" in forgetful.cli("gc", "status").stdout
    assert forgetful.cli("gc", "resume", "--blobs", "2000").returncode == 0
    wait_for(lambda: not halted(), 30, "garbage collection to go on")
    wait_for(lambda: live(forgetful) < before, 90, "live bytes to fall")


def test_bytes_older_than_half_the_orphan_age_are_not_committed(forgetful):
    client = forgetful.boto3(boto3)
    upload = client.create_multipart_upload(Bucket="garbage", Key="parts")["UploadId"]
    part = client.upload_part(Bucket="garbage", Key="parts", UploadId=upload, PartNumber=1, Body=random.randbytes(1000))
    client.put_object(Bucket="garbage", Key="source", Body=b"old")
    before = live(forgetful)
    # The cluster's alone: the gateway's own, which bounds bodies as well, stays 16 s. Half of it is what a request has that
    # must be in time.
    assert forgetful.cli("gc", "set", "--orphan-age", "12s").returncode == 0
    try:
        body = random.randbytes(9 << 20)
        connection = begin_put(forgetful, "slow", body, 17 << 19)
        wait_for(lambda: live(forgetful) >= before + (15 << 20), 60, "its first chunk to reach two disks")
        wait_past(time.monotonic() + 6.5)
        connection.sendall(body[17 << 19:])
        answer = b""
        while b"</Error>" not in answer and (more := connection.recv(65536)):
            answer += more
        connection.close()
        assert answer.startswith(b"HTTP/1.1 400 ") and b"<Code>RequestTimeout</Code>" in answer, answer
        with pytest.raises(client.exceptions.NoSuchKey):
            client.get_object(Bucket="garbage", Key="slow")
        # What rows refer to is older by now, and not asked.
        client.complete_multipart_upload(Bucket="garbage", Key="parts", UploadId=upload,
                                         MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
        client.copy_object(Bucket="garbage", Key="copy", CopySource={"Bucket": "garbage", "Key": "source"})
        client.put_object(Bucket="garbage", Key="quick", Body=random.randbytes(1000))
    finally:
        assert forgetful.cli("gc", "set", "--orphan-age", "16s").returncode == 0
    wait_for(lambda: live(forgetful) < before + (1 << 20), 60, "the bytes of the slow body to go")
