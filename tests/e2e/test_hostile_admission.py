"""What one client sends and lets hang, and what another sees meanwhile: uploads, forms, documents and answers that come to a halt."""
import json
import random
import resource

import boto3
import pytest

import raw
from attackers import FORM, MIB, document_that_stops, hanging, make_attacker, signed, strangers_document
from cluster import running, wait_for


@pytest.fixture(scope="module")
def hostile():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    # Who hangs is let go by nobody: a victim that waited for that would wait longer than it does.
    with running("victims", options=["gateway.head_timeout=1h", "gateway.document_timeout=1h", "gateway.rate_grace=1h", "gateway.idle_timeout=1h"]) as cluster:
        make_attacker(cluster)
        owner = client(cluster, cluster.attacker)
        owner.create_bucket(Bucket="attackers")
        owner.put_object(Bucket="attackers", Key="large", Body=random.randbytes(16 * MIB))
        victim = client(cluster, cluster.env)
        victim.put_object(Bucket="victims", Key="small", Body=b"s" * 5000)
        victim.put_object(Bucket="victims", Key="large", Body=random.randbytes(9 * MIB))
        yield cluster
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def client(cluster, env):
    from botocore.config import Config
    return boto3.client("s3", endpoint_url=cluster.endpoint, aws_access_key_id=env["AWS_ACCESS_KEY_ID"], aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
                        region_name=env["AWS_REGION"], config=Config(retries={"max_attempts": 1}, connect_timeout=300, read_timeout=300, max_pool_connections=4))


def in_use(cluster, bound):
    return sum(value for labels, value in cluster.samples("rondel_admission_in_use") if f'"{bound}"' in labels)


def victim_works(cluster, rounds=5, size=MIB):
    """A victim does what victims do; anything but success is raised."""
    victim = client(cluster, cluster.env)
    body = random.randbytes(size)
    for number in range(rounds):
        victim.put_object(Bucket="victims", Key=f"k{number}", Body=body)
        assert victim.get_object(Bucket="victims", Key=f"k{number}")["Body"].read() == body
        assert victim.get_object(Bucket="victims", Key="small")["Body"].read() == b"s" * 5000
        victim.put_object(Bucket="victims", Key="little", Body=b"x" * 100)
        victim.delete_objects(Bucket="victims", Delete={"Objects": [{"Key": f"k{number}"}]})
    assert len(victim.get_object(Bucket="victims", Key="large")["Body"].read()) == 9 * MIB


def test_half_sent_forms(hostile):
    with hanging(hostile, 2048, FORM, b"-"):
        victim_works(hostile)
        assert in_use(hostile, "requests") <= 520, "strangers hold a quarter at most"


def test_large_uploads_of_one_byte(hostile):
    with hanging(hostile, 48, signed(hostile, "PUT", "/attackers/slow", length=1 << 30)):
        wait_for(lambda: in_use(hostile, "requests") >= 48, 10, "the uploads to begin")
        assert in_use(hostile, "write_bytes") <= 48 * 16 * 1024, "memory is taken as bytes come"
        victim_works(hostile)


def test_large_uploads_that_stop_in_the_middle(hostile):
    with hanging(hostile, 40, signed(hostile, "PUT", "/attackers/slow", length=1 << 30), b"x" * (MIB + 1)):
        victim_works(hostile, size=9 * MIB, rounds=2)


def test_small_uploads_of_one_byte(hostile):
    with hanging(hostile, 250, signed(hostile, "PUT", "/attackers/slow", length=250_000)):
        wait_for(lambda: in_use(hostile, "requests") >= 250, 10, "the uploads to begin")
        victim_works(hostile)


@pytest.mark.parametrize("path", ["/attackers?delete", "/victims?delete", "/victims/small?tagging", "/victims?lifecycle", "/victims?policy", "/victims/k?uploadId=" + "a" * 32])
def test_documents_of_strangers_are_not_read(hostile, path):
    method = "POST" if "delete" in path or "uploadId" in path else "PUT"
    with hanging(hostile, 150 if path == "/victims?delete" else 2, strangers_document(path, method)) as peers:
        for peer in peers:
            assert peer.recv(100).startswith(b"HTTP/1.1 403"), path
        assert in_use(hostile, "document_bytes") == 0
        victim_works(hostile, rounds=1)


def test_documents_of_a_bucket_that_lets_strangers_delete_one_key(hostile):
    owner = client(hostile, hostile.attacker)
    owner.put_object(Bucket="attackers", Key="free", Body=b"x")
    owner.put_bucket_policy(Bucket="attackers", Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::attackers/free"}]}))
    body = b"<Delete><Object><Key>free</Key></Object><Object><Key>large</Key></Object></Delete>"
    import base64
    import hashlib
    answer = raw.send(hostile.endpoint, "POST", "/attackers?delete", {"Content-MD5": base64.b64encode(hashlib.md5(body).digest()).decode()}, body)
    owner.delete_bucket_policy(Bucket="attackers")
    assert answer.status == 200 and "<Deleted><Key>free</Key></Deleted>" in answer.text and "AccessDenied" in answer.text


def test_documents_that_stop_in_the_middle(hostile):
    with hanging(hostile, 150, document_that_stops(hostile), b"<Delete>" + b" " * 200_000):
        wait_for(lambda: in_use(hostile, "document_bytes") >= 2 * MIB, 10, "documents to be read")
        victim_works(hostile)


def test_answers_that_nobody_reads(hostile):
    with hanging(hostile, 150, signed(hostile, "GET", "/attackers/large"), b"", receive=4096):
        wait_for(lambda: in_use(hostile, "read_bytes") > 60 * MIB, 10, "the answers to stand still")
        victim_works(hostile)


def test_listings_that_nobody_reads(hostile):
    owner = client(hostile, hostile.attacker)
    for number in range(200):
        owner.put_object(Bucket="attackers", Key="l" * 900 + f"{number}", Body=b"")
    path = signed(hostile, "GET", "/attackers", [(b"list-type", b"2"), (b"prefix", b"l" * 900)])
    with hanging(hostile, 600, path, b"", receive=4096):
        victim_works(hostile)
        assert in_use(hostile, "document_bytes") <= 48 * MIB


def test_requests_of_one_account_above_its_share(hostile):
    with hanging(hostile, 2200, signed(hostile, "PUT", "/attackers/slow", length=1000)):
        wait_for(lambda: in_use(hostile, "requests") >= 1600, 20, "the uploads to begin")
        victim_works(hostile)
        # Who is beyond the share waits for a second before.
        wait_for(lambda: refused_of_accounts(hostile) > 0, 20, "what is beyond the share to be refused")


def refused_of_accounts(cluster):
    return sum(value for labels, value in cluster.samples("rondel_admission_refused_total") if '"requests"' in labels and '"account"' in labels)


def test_connections_of_one_address(hostile):
    with hanging(hostile, 3000, b"GET /victims/small HTT", b""):
        victim_works(hostile)
