import random

import pytest

from cluster import Cluster


@pytest.fixture(scope="session")
def cluster():
    """One cluster for every test that leaves it as it was."""
    shared = Cluster(options=["gc.grace=2s", "gc.trash=1s"])
    started = shared.up()
    assert started.returncode == 0, started.stdout + started.stderr
    yield shared
    shared.wipe()


@pytest.fixture
def bucket(cluster):
    import boto3
    client = cluster.boto3(boto3)
    name = "e2e-%08x" % random.getrandbits(32)
    client.create_bucket(Bucket=name)
    yield name
    while True:
        page = client.list_objects_v2(Bucket=name)
        for entry in page.get("Contents", []):
            client.delete_object(Bucket=name, Key=entry["Key"])
        if not page.get("IsTruncated"):
            break
    for upload in client.list_multipart_uploads(Bucket=name).get("Uploads", []):
        client.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
    client.delete_bucket(Bucket=name)
