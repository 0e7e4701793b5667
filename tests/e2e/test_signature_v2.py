"""The older signature: refused by default, taken with s3.signature_v2."""
import random
import shutil
import subprocess

import boto3
import botocore.auth
import pytest

import boto3_cases
import raw
from cluster import Cluster


@pytest.fixture(scope="module")
def older():
    cluster = Cluster(options=["s3.signature_v2=true"])
    started = cluster.up()
    assert started.returncode == 0, started.stdout + started.stderr
    yield cluster
    cluster.wipe()


def test_refused_by_default(cluster, bucket):
    boto3_cases.refused(cluster.boto3(boto3, signature_version="s3").list_objects_v2, "InvalidRequest", Bucket=bucket)


def signs_rightly(s3):
    """Debian's botocore signs the query of an operation's path twice (CreateMultipartUpload, ListObjectsV2): later ones take it off the path first."""
    def mend(request, **_):
        request.auth_path = request.auth_path.split("?")[0]
    s3.meta.events.register("before-sign.s3", mend)
    return s3


def test_cases(older, monkeypatch):
    s3 = signs_rightly(older.boto3(boto3, signature_version="s3"))
    # botocore's list of what it signs was made before this sub-resource: unsigned it is refused.
    s3.create_bucket(Bucket="unsigned")
    s3.put_object(Bucket="unsigned", Key="k", Body=b"x")
    boto3_cases.refused(s3.get_object_attributes, "SignatureDoesNotMatch",
                        Bucket="unsigned", Key="k", ObjectAttributes=["ETag"])
    signed = [*botocore.auth.HmacV1Auth.QSAOfInterest, "attributes"]
    monkeypatch.setattr(botocore.auth.HmacV1Auth, "QSAOfInterest", signed)
    for case in (boto3_cases.objects_come_back, boto3_cases.headers_and_metadata, boto3_cases.multipart, boto3_cases.copies):
        name = case.__name__.replace("_", "-")
        s3.create_bucket(Bucket=name)
        case(s3, name)
    assert len(s3.list_objects_v2(Bucket="objects-come-back", Prefix="size/", MaxKeys=5)["Contents"]) == 5


@pytest.mark.skipif(not shutil.which("s3cmd"), reason="s3cmd is not installed")
def test_multipart_of_s3cmd(older, tmp_path):
    older.boto3(boto3).create_bucket(Bucket="s3cmd")
    big = tmp_path / "big.bin"
    big.write_bytes(random.randbytes(11 << 20))
    host = older.endpoint.removeprefix("http://")
    config = tmp_path / "s3cfg"
    config.write_text(f"[default]\naccess_key = {older.env['AWS_ACCESS_KEY_ID']}\nsecret_key = {older.env['AWS_SECRET_ACCESS_KEY']}\n"
                      f"host_base = {host}\nhost_bucket = {host}\nuse_https = False\nsignature_v2 = True\n")
    def s3cmd(*words):
        done = subprocess.run(["s3cmd", "-c", config, "--no-progress", *words], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
    s3cmd("put", "--multipart-chunk-size-mb=5", big, "s3://s3cmd/big")
    s3cmd("get", "s3://s3cmd/big", tmp_path / "back.bin")
    assert (tmp_path / "back.bin").read_bytes() == big.read_bytes()


def test_presigned(older):
    s3 = older.boto3(boto3, signature_version="s3")
    s3.create_bucket(Bucket="presigned")
    s3.put_object(Bucket="presigned", Key="k", Body=b"older")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "presigned", "Key": "k", "ResponseContentType": "a/b c"}, ExpiresIn=60)
    assert "AWSAccessKeyId=" in url
    path = url[len(older.endpoint):]
    answer = raw.send(older.endpoint, "GET", path)
    assert answer.status == 200 and answer.body == b"older" and answer.headers["content-type"] == "a/b c"
    assert raw.send(older.endpoint, "GET", path.replace("/k?", "/j?")).code() == "SignatureDoesNotMatch"
    assert raw.send(older.endpoint, "PUT", path, body=b"").code() == "SignatureDoesNotMatch"
    expired = s3.generate_presigned_url("get_object", Params={"Bucket": "presigned", "Key": "k"}, ExpiresIn=-10)
    assert raw.send(older.endpoint, "GET", expired[len(older.endpoint):]).code() == "AccessDenied"


def test_both_signatures_live_together(older):
    boto3_cases.refused(older.boto3(boto3, signature_version="s3v4").head_bucket, "404", Bucket="no-such-bucket-here")
    s3 = older.boto3(boto3, signature_version="s3")
    s3.create_bucket(Bucket="wrong")
    wrong = boto3.client("s3", endpoint_url=older.endpoint, aws_access_key_id=older.env["AWS_ACCESS_KEY_ID"], aws_secret_access_key="wrong", region_name="us-east-1",
                         config=boto3.session.Config(signature_version="s3"))
    boto3_cases.refused(wrong.put_object, "SignatureDoesNotMatch", Bucket="wrong", Key="k", Body=b"x")


@pytest.mark.parametrize("added", ["x-amz-copy-source=/secret/k", "x-amz-acl=public-read", "x-amz-meta-who=me", "x-amz-bypass-governance-retention=true"])
@pytest.mark.parametrize("also", ["X-Amz-Signature=1", "X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Credential=a", ""])
def test_what_nobody_signed_is_no_header(older, added, also):
    """Version 2 signs no parameter but those that select an operation."""
    s3 = older.boto3(boto3, signature_version="s3")
    for bucket in ("secret", "given"):
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket="secret", Key="k", Body=b"secret")
    url = s3.generate_presigned_url("put_object", Params={"Bucket": "given", "Key": "k"}, ExpiresIn=600)
    answer = raw.send(older.endpoint, "PUT", "&".join(filter(None, [url[len(older.endpoint):], added, also])), body=b"mine")
    if also:
        assert answer.status == 400 and b"Only one auth mechanism" in answer.body
    elif "copy-source" in added:
        assert answer.code() == "SignatureDoesNotMatch", "it selects an operation"
    else:
        assert answer.status == 200, answer.body
        got = s3.get_object(Bucket="given", Key="k")
        assert got["Body"].read() == b"mine" and not got["Metadata"]
    s3.delete_object(Bucket="given", Key="k")
