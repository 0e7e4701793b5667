"""A cluster whose disks are full: what needs bytes is told so, what needs none goes on, and a delete ends it."""
import boto3
import pytest
from botocore.exceptions import ClientError

from cluster import Cluster, wait_for

PIECE = b"f" * (4 << 20)


@pytest.fixture(scope="module")
def small():
    cluster = Cluster(options=["engine.segment_size=64MiB", "gc.grace=1s", "gc.trash=1s"])
    cluster.options.append(f"node.disks=[{{path: {cluster.data}/{{name}}/disk-1, capacity: 384MiB}}]")
    started = cluster.up()
    assert started.returncode == 0, started.stdout + started.stderr
    yield cluster
    cluster.wipe()


def code_of(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"], \
            error.response["Error"]["Message"], "retry-after" in error.response["ResponseMetadata"]["HTTPHeaders"]
    return 200, "", "", False


def test_a_full_cluster_says_so_and_serves_what_needs_no_space(small):
    s3 = small.boto3(boto3)
    s3.create_bucket(Bucket="full")
    s3.put_object(Bucket="full", Key="small", Body=b"kept")
    upload = s3.create_multipart_upload(Bucket="full", Key="parts")["UploadId"]
    written = 0
    while (answer := code_of(s3.put_object, Bucket="full", Key=f"large/{written}", Body=PIECE))[0] == 200:
        written += 1
        assert written < 300, "it is never full"
    full = (507, "InsufficientStorage", "The storage is full.", False)
    assert answer == full
    assert written > 20
    assert code_of(s3.upload_part, Bucket="full", Key="parts", UploadId=upload, PartNumber=1, Body=PIECE) == full
    assert s3.get_object(Bucket="full", Key="small")["Body"].read() == b"kept"
    assert code_of(s3.copy_object, Bucket="full", Key="copy", CopySource="full/large/0")[0] == 200
    s3.abort_multipart_upload(Bucket="full", Key="parts", UploadId=upload)
    for number in range(written):
        s3.delete_object(Bucket="full", Key=f"large/{number}")
    s3.delete_object(Bucket="full", Key="copy")
    wait_for(lambda: code_of(s3.put_object, Bucket="full", Key="again", Body=PIECE)[0] == 200, 120, "room after the deletes")
