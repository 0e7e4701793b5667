import base64
import datetime
import hashlib
import hmac
import json

import boto3
import pytest

import raw

BOUNDARY = "----form0123456789"


@pytest.fixture
def s3(cluster):
    return cluster.boto3(boto3, signature_version="s3v4")


def form(fields, file=b"content", file_name="a.txt"):
    out = b""
    for name, value in fields.items():
        out += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    if file is not None:
        out += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{file_name}"\r\n'.encode()
        out += b"Content-Type: text/plain\r\n\r\n" + file + b"\r\n"
    return out + f"--{BOUNDARY}--\r\n".encode()


def post(cluster, bucket, fields, file=b"content", file_name="a.txt", headers=None, body=None):
    return raw.send(cluster.endpoint, "POST", f"/{bucket}",
                    {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", **(headers or {})},
                    form(fields, file, file_name) if body is None else body)


def signed(cluster, bucket, fields, conditions, seconds=600, document=None, empty=False):
    """Fields with a policy signed in the older way."""
    expiration = (datetime.datetime.utcnow() + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    policy = base64.b64encode(json.dumps(document or {"expiration": expiration, "conditions": [{"bucket": bucket}, *conditions]}).encode())
    if empty:
        policy = b""
    signature = base64.b64encode(hmac.new(cluster.env["AWS_SECRET_ACCESS_KEY"].encode(), policy, hashlib.sha1).digest()).decode()
    return {**fields, "policy": policy.decode(), "AWSAccessKeyId": cluster.env["AWS_ACCESS_KEY_ID"], "signature": signature}


def test_presigned_post(cluster, s3, bucket):
    made = s3.generate_presigned_post(bucket, "up/${filename}", Fields={"Content-Type": "image/x", "x-amz-meta-a": "b ü", "Cache-Control": "no-store"},
                                      Conditions=[["starts-with", "$Content-Type", "image/"], {"x-amz-meta-a": "b ü"}, {"Cache-Control": "no-store"},
                                                  ["content-length-range", 1, 3_000_000]])
    body = bytes(range(256)) * 8192
    answer = post(cluster, bucket, made["fields"], body, "folder\\pic \"1.png".replace('"', "%22"))
    assert answer.status == 204 and answer.body == b"", answer.text
    assert answer.headers["etag"] == f'"{hashlib.md5(body).hexdigest()}"'
    got = s3.get_object(Bucket=bucket, Key="up/pic %221.png")
    assert got["Body"].read() == body and got["ContentType"] == "image/x" and got["CacheControl"] == "no-store"
    assert answer.headers["location"] == f"{cluster.endpoint}/{bucket}/up%2Fpic%20%25221.png"
    tampered = {**made["fields"], "x-amz-signature": made["fields"]["x-amz-signature"][:-1] + "0"}
    if tampered != made["fields"]:
        assert post(cluster, bucket, tampered).code() == "SignatureDoesNotMatch"
    assert post(cluster, bucket, {**made["fields"], "x-amz-meta-more": "x"}).code() == "AccessDenied"
    assert "Extra input fields: x-amz-meta-more" in post(cluster, bucket, {**made["fields"], "x-amz-meta-more": "x"}).text


def test_statuses_and_redirect(cluster, s3, bucket):
    free = [["starts-with", "$key", ""], ["starts-with", "$success_action_status", ""], ["starts-with", "$success_action_redirect", ""]]
    for asked, status in (("200", 200), ("201", 201), ("204", 204), ("404", 204)):
        answer = post(cluster, bucket, signed(cluster, bucket, {"key": "a b", "success_action_status": asked}, free))
        assert answer.status == status, answer.text
    answer = post(cluster, bucket, signed(cluster, bucket, {"key": "a b", "success_action_status": "201"}, free))
    etag = hashlib.md5(b"content").hexdigest()
    assert f"<PostResponse><Location>{cluster.endpoint}/{bucket}/a%20b</Location><Bucket>{bucket}</Bucket><Key>a b</Key>" in answer.text
    assert f"<ETag>&quot;{etag}&quot;</ETag>" in answer.text
    answer = post(cluster, bucket, signed(cluster, bucket, {"key": "k/1", "success_action_redirect": "http://x.example/done?a=1"}, free))
    assert answer.status == 303 and answer.headers["location"] == f"http://x.example/done?a=1&bucket={bucket}&key=k%2F1&etag=%22{etag}%22"
    answer = post(cluster, bucket, signed(cluster, bucket, {"key": "k/1", "success_action_redirect": "not an address"}, free))
    assert answer.status == 204


def test_size_range(cluster, s3, bucket):
    fields = signed(cluster, bucket, {"key": "r"}, [{"key": "r"}, ["content-length-range", 3, 5]])
    assert post(cluster, bucket, fields, b"ab").code() == "EntityTooSmall"
    assert post(cluster, bucket, fields, b"abcdef").code() == "EntityTooLarge"
    assert post(cluster, bucket, fields, b"x" * 600_000).code() == "EntityTooLarge"
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    assert post(cluster, bucket, fields, b"abcde").status == 204


def test_checksums(cluster, s3, bucket):
    conditions = [{"key": "c"}, ["starts-with", "$x-amz-checksum-sha256", ""], ["starts-with", "$content-md5", ""]]
    good = base64.b64encode(hashlib.sha256(b"content").digest()).decode()
    answer = post(cluster, bucket, signed(cluster, bucket, {"key": "c", "x-amz-checksum-sha256": good}, conditions))
    assert answer.status == 204 and answer.headers["x-amz-checksum-sha256"] == good
    answer = post(cluster, bucket, signed(cluster, bucket, {"key": "c", "x-amz-checksum-sha256": base64.b64encode(bytes(32)).decode()}, conditions))
    assert answer.status == 400 and answer.code() == "BadDigest"
    answer = post(cluster, bucket, signed(cluster, bucket, {"key": "c", "Content-MD5": base64.b64encode(bytes(16)).decode()}, conditions))
    assert answer.status == 400 and answer.code() == "BadDigest"


def test_refusals(cluster, s3, bucket):
    key = [["starts-with", "$key", ""]]
    good = signed(cluster, bucket, {"key": "k"}, key)
    expected = [
        (post(cluster, bucket, good, headers={"Content-Type": "application/json"}), 412, "PreconditionFailed"),
        (post(cluster, bucket, good, headers={"Content-Type": "multipart/form-data"}), 400, "MalformedPOSTRequest"),
        (post(cluster, bucket, good, body=b"nonsense"), 400, "MalformedPOSTRequest"),
        (post(cluster, bucket, good, body=form(good)[:-40]), 400, "MalformedPOSTRequest"),
        (post(cluster, bucket, good, None), 400, "IncorrectNumberOfFilesInPostRequest"),
        (post(cluster, bucket, {**good, "key": ""}), 400, "InvalidArgument"),
        (post(cluster, bucket, {n: v for n, v in good.items() if n != "key"}), 400, "InvalidArgument"),
        (post(cluster, bucket, {"key": "k", **signed(cluster, bucket, {}, [], empty=True)}), 400, "InvalidPolicyDocument"),
        (post(cluster, bucket, {**good, "key": "k" * 1025}), 400, "KeyTooLongError"),
        (post(cluster, bucket, {**good, "x-ignore-big": "x" * 21000}), 400, "MaxPostPreDataLengthExceededError"),
        (post(cluster, bucket, {**good, "signature": "AAAA"}), 403, "SignatureDoesNotMatch"),
        (post(cluster, bucket, {**good, "AWSAccessKeyId": "nobody"}), 403, "InvalidAccessKeyId"),
        (post(cluster, bucket, {n: v for n, v in good.items() if n != "signature"}), 400, "InvalidArgument"),
        (post(cluster, bucket, {n: v for n, v in good.items() if n != "policy"}), 400, "InvalidArgument"),
        (post(cluster, bucket, {"key": "k"}), 403, "AccessDenied"),
        (post(cluster, bucket, signed(cluster, bucket, {"key": "k"}, key, seconds=-5)), 403, "AccessDenied"),
        (post(cluster, bucket, signed(cluster, "another-bucket", {"key": "k"}, key)), 403, "AccessDenied"),
        (post(cluster, bucket, signed(cluster, bucket, {"key": "k"}, [{"key": "other"}])), 403, "AccessDenied"),
        (post(cluster, bucket, signed(cluster, bucket, {"key": "k"}, [], document={"conditions": []})), 400, "InvalidPolicyDocument"),
        (post(cluster, bucket, signed(cluster, bucket, {"key": "k", "x-amz-meta-a": "one\r\ntwo"}, key + [["starts-with", "$x-amz-meta-a", ""]])), 400, "InvalidArgument"),
        (post(cluster, bucket, signed(cluster, bucket, {"key": "k", "x-amz-write-offset-bytes": "0"}, key)), 501, "NotImplemented"),
        (post(cluster, "no-such-bucket-here", signed(cluster, "no-such-bucket-here", {"key": "k"}, key)), 404, "NoSuchBucket"),
    ]
    for number, (answer, status, code) in enumerate(expected):
        assert (answer.status, answer.code()) == (status, code), (number, answer.text)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    assert post(cluster, bucket, good).status == 204
