"""Bytes that are no text, in every place of a request that a client fills: an answer that is no 5xx, and nobody else's request fails for it."""
import base64
import hashlib
import threading

import boto3
import pytest

from signing import encode_path, encode_query, sign
from test_bad_input import raw

# A head is bounded and has no NUL: those come in paths, queries and documents.
VALUES = {"0xff": b"\xff", "cut": b"caf\xc3", "surrogate": b"\xed\xa0\x80", "overlong": b"\xc0\x80", "separator": b"e\x1f*", "long": b"x" * 20_000}
ENCODED = VALUES | {"nul": b"a\0b", "only nul": b"\0"}
DOCUMENTS = ENCODED | {"64k": b"x" * 65_536, "64k of 0xff": b"\xff" * 65_536}
COPY = {"x-amz-copy-source": b"/{bucket}/there"}

HEADERS = [
    *[("PUT", "new", [], {}, name) for name in ("If-Match", "If-None-Match", "Content-Type", "Cache-Control", "x-amz-meta-a", "x-amz-acl", "x-amz-grant-read",
                                               "x-amz-tagging", "x-amz-expected-bucket-owner", "x-amz-storage-class", "x-amz-website-redirect-location",
                                               "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-object-lock-mode",
                                               "x-amz-object-lock-retain-until-date", "x-amz-checksum-crc32", "x-amz-write-offset-bytes")],
    *[("DELETE", "gone", [], {}, name) for name in ("If-Match", "x-amz-if-match-size", "x-amz-if-match-last-modified-time", "x-amz-mfa")],
    *[(method, "there", [], {}, name) for method in ("GET", "HEAD") for name in ("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "Range")],
    *[("PUT", "copy", [], COPY, name) for name in ("If-Match", "If-None-Match", "x-amz-copy-source-if-match", "x-amz-copy-source-if-none-match",
                                                  "x-amz-copy-source-if-modified-since", "x-amz-source-expected-bucket-owner")],
    ("PUT", "copy", [], {}, "x-amz-copy-source"),
    *[("PUT", "parts", [(b"partNumber", b"1"), (b"uploadId", b"{upload}")], COPY, name)
      for name in ("x-amz-copy-source-if-match", "x-amz-copy-source-if-none-match", "x-amz-copy-source-range")],
    ("PUT", "parts", [(b"partNumber", b"1"), (b"uploadId", b"{upload}")], {}, "x-amz-copy-source"),
    ("POST", "parts", [(b"uploadId", b"{upload}")], {}, "If-Match"),
    ("POST", "parts", [(b"uploadId", b"{upload}")], {}, "If-None-Match"),
    ("PUT", "there", [], {"x-amz-write-offset-bytes": b"5"}, "If-Match"),
    *[("PUT", "renamed", [(b"renameObject", b"")], {"x-amz-rename-source": b"/{bucket}/away"}, name)
      for name in ("x-amz-rename-source-if-match", "x-amz-rename-source-if-none-match", "If-Match", "If-None-Match")],
    ("PUT", "renamed", [(b"renameObject", b"")], {}, "x-amz-rename-source"),
    ("GET", None, [(b"list-type", b"2")], {}, "x-amz-expected-bucket-owner"),
]
QUERIES = [
    *[("GET", None, [(b"list-type", b"2")], name) for name in ("prefix", "delimiter", "start-after", "continuation-token", "encoding-type", "max-keys")],
    *[("GET", None, [], name) for name in ("prefix", "delimiter", "marker", "max-keys")],
    *[("GET", None, [(b"versions", b"")], name) for name in ("prefix", "delimiter", "key-marker", "version-id-marker")],
    ("GET", None, [(b"versions", b""), (b"key-marker", b"k")], "version-id-marker"),
    *[("GET", None, [(b"uploads", b"")], name) for name in ("prefix", "delimiter", "key-marker", "upload-id-marker")],
    ("GET", None, [(b"uploads", b""), (b"key-marker", b"k")], "upload-id-marker"),
    ("GET", "parts", [(b"uploadId", b"{upload}")], "part-number-marker"),
    *[("", "", [], name) for name in ("prefix", "continuation-token", "bucket-region", "max-buckets")],
    *[(method, "there", [], "versionId") for method in ("GET", "HEAD", "DELETE")],
    *[(method, "parts", [], "uploadId") for method in ("GET", "DELETE", "POST")],
    ("PUT", "parts", [(b"partNumber", b"1")], "uploadId"),
    ("PUT", "parts", [(b"uploadId", b"{upload}")], "partNumber"),
    ("GET", "there", [], "partNumber"),
    ("GET", "there", [(b"attributes", b"")], "versionId"),
    ("PUT", "there", [(b"tagging", b"")], "versionId"),
    *[("GET", "there", [], name) for name in ("response-content-type", "response-cache-control", "x-id")],
]
BODIES = [
    ([(b"delete", b"")], None, b"<Delete><Object><Key>%s</Key></Object></Delete>"),
    ([(b"delete", b"")], None, b"<Delete><Object><Key>gone</Key><ETag>%s</ETag></Object></Delete>"),
    ([(b"delete", b"")], None, b"<Delete><Object><Key>gone</Key><VersionId>%s</VersionId></Object></Delete>"),
    ([(b"uploadId", b"{upload}")], "parts", b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>%s</ETag></Part></CompleteMultipartUpload>"),
    ([(b"tagging", b"")], "there", b"<Tagging><TagSet><Tag><Key>%s</Key><Value>v</Value></Tag></TagSet></Tagging>"),
    ([(b"acl", b"")], "there", b"<AccessControlPolicy><Owner><ID>%s</ID></Owner><AccessControlList/></AccessControlPolicy>"),
    ([(b"lifecycle", b"")], None, b"<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status><Filter><Prefix>%s</Prefix></Filter><Expiration><Days>99"
                                  b"</Days></Expiration></Rule></LifecycleConfiguration>"),
]


class Neighbour(threading.Thread):
    """Somebody else, who puts, finds and deletes all the time in a bucket of his own, and never sees an error."""

    def __init__(self, cluster, bucket):
        super().__init__(daemon=True)
        self.client, self.bucket = cluster.boto3(boto3, retries={"total_max_attempts": 1}), bucket
        self.done, self.requests, self.errors = threading.Event(), 0, []

    def run(self):
        while not self.done.is_set():
            try:
                for ask in (self.client.put_object, self.client.head_object, self.client.delete_object):
                    ask(Bucket=self.bucket, Key=f"neighbour-{threading.get_ident()}")
                    self.requests += 1
            except Exception as error:  # Whatever it is, it is not his fault.
                self.errors.append(error)


@pytest.fixture
def neighbours(cluster, bucket):
    all_of_them = [Neighbour(cluster, bucket) for _ in range(4)]
    for one in all_of_them:
        one.start()
    yield
    for one in all_of_them:
        one.done.set()
    for one in all_of_them:
        one.join()
        assert not one.errors, one.errors[:3]
        assert one.requests > 0


@pytest.fixture
def target(cluster):
    client = cluster.boto3(boto3)
    name = "bad-bytes"
    client.create_bucket(Bucket=name)
    for key in ("there", "away"):
        client.put_object(Bucket=name, Key=key, Body=b"bytes")
    yield {"bucket": name, "upload": client.create_multipart_upload(Bucket=name, Key="parts")["UploadId"]}
    for upload in client.list_multipart_uploads(Bucket=name).get("Uploads", []):
        client.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
    for entry in client.list_objects_v2(Bucket=name).get("Contents", []):
        client.delete_object(Bucket=name, Key=entry["Key"])
    client.delete_bucket(Bucket=name)


def fill(value, target):
    return value.replace(b"{bucket}", target["bucket"].encode()).replace(b"{upload}", target["upload"].encode())


def send(cluster, method, path, query, headers, body=b"", signed=True):
    headers = {"host": f"127.0.0.1:{cluster.port}".encode(), **headers}
    if signed:
        headers = sign(cluster.env, method, path, query, headers, body)
    headers["content-length"] = str(len(body)).encode()
    line = f"{method} {encode_path(path)}{'?' if query else ''}{encode_query(query)} HTTP/1.1\r\n".encode()
    return raw(cluster, line + b"".join(name.encode() + b": " + value + b"\r\n" for name, value in headers.items()) + b"\r\n" + body)


def expect_no_fault(answer, what):
    status = answer.split(b" ")[1:2]
    assert status and status[0].isdigit(), (what, answer[:200])
    assert not status[0].startswith(b"5") or status[0] == b"501", (what, answer[:600])


def path_of(target, key):
    if key == "":
        return b"/"
    return b"/" + target["bucket"].encode() + (b"" if key is None else b"/" + key.encode())


def test_headers(cluster, target, neighbours):
    signatures = 0
    for method, key, query, headers, name in HEADERS:
        query = [(field, fill(value, target)) for field, value in query]
        for value in VALUES:
            filled = {field: fill(own, target) for field, own in headers.items()} | {name: VALUES[value]}
            answer = send(cluster, method, path_of(target, key), query, filled, b"body" if method == "PUT" and "x-amz-copy-source" not in filled else b"")
            expect_no_fault(answer, (method, key, name, value))
            signatures += b"SignatureDoesNotMatch" in answer
    assert signatures == 0, "what is refused for its signature tests nothing"


def test_queries(cluster, target, neighbours):
    for method, key, query, name in QUERIES:
        for value, data in ENCODED.items():
            asked = [(field, fill(own, target)) for field, own in query] + [(name.encode(), data)]
            answer = send(cluster, method or "GET", path_of(target, key), asked, {})
            expect_no_fault(answer, (method, key, name, value))
            assert b"SignatureDoesNotMatch" not in answer, (method, name, value)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "POST"])
def test_paths(cluster, target, neighbours, method):
    cors = {"origin": b"http://example.com", "access-control-request-method": b"GET"} if method == "OPTIONS" else {}
    for value, data in ENCODED.items():
        for path in (b"/" + data, b"/" + data + b"/key", path_of(target, None) + b"/" + data):
            for signed in (True, False):
                expect_no_fault(send(cluster, method, path, [], cors, signed=signed), (method, value, path[:80], signed))


@pytest.mark.parametrize("place", ["access key", "host", "presigned key"])
def test_names_before_anybody_is_known(cluster, target, neighbours, place):
    for value, data in VALUES.items():
        if place == "access key":
            headers = {"authorization": b"AWS4-HMAC-SHA256 Credential=" + data + b"/20240101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=" + b"0" * 64,
                       "x-amz-date": b"20240101T000000Z"}
            answer = send(cluster, "GET", b"/", [], headers, signed=False)
        elif place == "host":
            answer = raw(cluster, b"OPTIONS /key HTTP/1.1\r\nHost: " + data + b".localhost\r\nOrigin: http://x\r\nAccess-Control-Request-Method: GET\r\n\r\n")
        else:
            answer = send(cluster, "GET", path_of(target, "there"), [(b"AWSAccessKeyId", data), (b"Expires", b"9999999999"), (b"Signature", b"x")], {}, signed=False)
        expect_no_fault(answer, (place, value))


def test_documents(cluster, target, neighbours):
    for query, key, document in BODIES:
        asked = [(field, fill(own, target)) for field, own in query]
        method = "POST" if query[0][0] in (b"delete", b"uploadId") else "PUT"
        for value, data in DOCUMENTS.items():
            for form in (data, b"".join(b"&#%d;" % byte for byte in data[:2000])):
                body = document.replace(b"%s", form)
                headers = {"content-md5": base64.b64encode(hashlib.md5(body).digest())}
                answer = send(cluster, method, path_of(target, key), asked, headers, body)
                expect_no_fault(answer, (query, value))
