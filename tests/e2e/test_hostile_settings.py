"""A bucket that is written without pause, through all gateways at once, is still its owner's: changes of its settings end."""
import contextlib
import json
import threading
import time

import boto3
import pytest
from botocore.config import Config

from attackers import Busy, make_attacker
from cluster import Cluster, wait_for

GATEWAYS = 3
WRITERS = 12   # Of each gateway: its batches overlap, and those of the gateways do.


@pytest.fixture(scope="module")
def three():
    # Longer than the writers write: a change that waited for their end would end with an error.
    cluster = Cluster(gateways=GATEWAYS, options=["metadata.timeout=60s"])
    started = cluster.up()
    assert started.returncode == 0, started.stdout + started.stderr
    make_attacker(cluster)
    client_of(cluster, 0).create_bucket(Bucket="busy")
    yield cluster
    cluster.wipe()


def client_of(cluster, gateway):
    env = cluster.env
    return boto3.client("s3", endpoint_url=f"http://127.0.0.1:{cluster.port + gateway}", region_name=env["AWS_REGION"],
                        aws_access_key_id=env["AWS_ACCESS_KEY_ID"], aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
                        config=Config(retries={"total_max_attempts": 1}, connect_timeout=300, read_timeout=300, max_pool_connections=WRITERS))


@contextlib.contextmanager
def writers_at_every_gateway(cluster, bucket):
    """Each writes keys of its own, so that nothing but the bucket is what they share."""
    names, lock = iter(range(1 << 60)), threading.Lock()

    def put(client):
        with lock:
            name = next(names)
        client.put_object(Bucket=bucket, Key=f"k{name % 5000}", Body=b"x")
        return "stored"

    with contextlib.ExitStack() as stack:
        crowds = []
        for gateway in range(GATEWAYS):
            client = client_of(cluster, gateway)
            crowds.append(stack.enter_context(Busy(lambda client=client: put(client), WRITERS)))
        wait_for(lambda: all(crowd.outcomes["stored"] > 20 for crowd in crowds), 30, "the writers to be at it")
        yield crowds


def document(number):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Sid": f"n{number}", "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::busy/none"}]})


CHANGES = {
    "policy": lambda client, n: client.put_bucket_policy(Bucket="busy", Policy=document(n)),
    "versioning": lambda client, n: client.put_bucket_versioning(Bucket="busy", VersioningConfiguration={"Status": "Suspended" if n % 2 else "Enabled"}),
    "tags": lambda client, n: client.put_bucket_tagging(Bucket="busy", Tagging={"TagSet": [{"Key": "n", "Value": f"{n}"}]}),
}


def test_settings_of_a_bucket_under_load_change(three):
    took = {}
    with writers_at_every_gateway(three, "busy") as crowds:
        client = client_of(three, 1)
        for name, change in CHANGES.items():
            for number in range(4):
                begin = time.monotonic()
                change(client, number)
                took[f"{name} {number}"] = time.monotonic() - begin
        print({name: f"{seconds * 1000:.0f} ms" for name, seconds in took.items()}, [crowd.got() for crowd in crowds])
    others = {outcome for crowd in crowds for outcome in crowd.outcomes}
    assert others == {"stored"}, f"a writer saw a change: {[crowd.got() for crowd in crowds]}"
