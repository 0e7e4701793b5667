"""Requests whose parts do not fit together, and URLs that somebody else was given: what they do is what their signer meant."""
import urllib.parse
import urllib.request

import boto3
import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import raw
import signing

ORIGIN = "http://page.example"


@pytest.fixture
def s3(cluster, bucket):
    client = cluster.boto3(boto3)
    client.put_object(Bucket=bucket, Key="k", Body=b"kept")
    return client


def presigned(cluster, method, path, query):
    """As SDKs for JavaScript make them: headers stand in the query, `host` alone is signed beside."""
    env = cluster.env
    request = AWSRequest(method=method, url=cluster.endpoint + signing.encode_path(path), params=dict(query))
    S3SigV4QueryAuth(Credentials(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]), "s3", "us-east-1", expires=60).add_auth(request)
    return urllib.parse.urlsplit(request.url)


def ask(cluster, url, method, body=None, headers=None):
    return raw.send(cluster.endpoint, method, url.path + "?" + url.query, headers=headers, body=body)


def signed(cluster, method, path, query=(), headers=None, body=b""):
    headers = {"host": urllib.parse.urlsplit(cluster.endpoint).netloc.encode(), **(headers or {})}
    all_headers = signing.sign(cluster.env, method, path, list(query), headers, body)
    target = signing.encode_path(path) + ("?" + signing.encode_query(query) if query else "")
    return raw.send(cluster.endpoint, method, target, headers={n: v.decode("latin-1") for n, v in all_headers.items() if n != "host"},
                    body=body if method in ("PUT", "POST") else None)


def test_a_page_of_another_origin_puts_by_a_presigned_url_with_metadata(cluster, bucket, s3):
    """A browser: preflight, then a PUT whose metadata the URL carries, and an answer that the page may read."""
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [
        {"AllowedOrigins": [ORIGIN], "AllowedMethods": ["PUT"], "AllowedHeaders": ["*"], "ExposeHeaders": ["ETag"]}]})
    url = presigned(cluster, "PUT", f"/{bucket}/page", {"x-amz-meta-colour": "blue", "x-amz-tagging": "a=1", "x-amz-acl": "private",
                                                       "x-amz-checksum-crc32": "AAAAAA==", "x-amz-sdk-checksum-algorithm": "CRC32"})
    preflight = ask(cluster, url, "OPTIONS", headers={"Origin": ORIGIN, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type"})
    assert (preflight.status, preflight.headers["access-control-allow-origin"]) == (200, ORIGIN)
    put = ask(cluster, url, "PUT", b"from a page", {"Origin": ORIGIN, "Content-Type": "text/plain"})
    assert (put.status, put.headers["access-control-allow-origin"]) == (200, ORIGIN), put.text
    got = s3.get_object(Bucket=bucket, Key="page")
    assert (got["Body"].read(), got["Metadata"], got["TagCount"]) == (b"from a page", {"colour": "blue"}, 1)
    s3.delete_bucket_cors(Bucket=bucket)


def test_who_was_given_a_url_cannot_do_more_than_its_signer_said(cluster, bucket, s3):
    """The owner's check in the URL holds, and nothing can be added to it."""
    guarded = presigned(cluster, "PUT", f"/{bucket}/k", {"x-amz-expected-bucket-owner": "999999999999"})
    assert ask(cluster, guarded, "PUT", b"new").code() == "AccessDenied"
    plain = presigned(cluster, "PUT", f"/{bucket}/k", {})
    added = plain._replace(query=plain.query + "&x-amz-acl=public-read")
    assert ask(cluster, added, "PUT", b"new").code() == "SignatureDoesNotMatch"
    assert ask(cluster, plain, "PUT", b"new", {"x-amz-copy-source": f"{bucket}/other"}).code() in ("AccessDenied", "InvalidArgument")
    assert ask(cluster, presigned(cluster, "PUT", f"/{bucket}/k", {"x-amz-server-side-encryption": "AES256"}), "PUT", b"new").code() == "NotImplemented"
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"kept"


def test_a_source_of_a_copy_deletes_and_overwrites_nothing(cluster, bucket, s3):
    source = {"x-amz-copy-source": f"{bucket}/other".encode()}
    for method, path, query in (("DELETE", f"/{bucket}/k", ()), ("DELETE", f"/{bucket}", ()), ("PUT", f"/{bucket}/k", ((b"tagging", b""),)),
                                ("PUT", f"/{bucket}/k", ((b"acl", b""),)), ("GET", f"/{bucket}/k", ()), ("POST", f"/{bucket}", ((b"delete", b""),))):
        answer = signed(cluster, method, path, query, source, b"<Delete><Object><Key>k</Key></Object></Delete>" if method == "POST" else b"")
        assert (answer.status, answer.code()) == (400, "InvalidArgument"), (method, path, answer.text)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"kept"


def test_a_document_for_the_bucket_does_not_become_the_object(cluster, bucket, s3):
    for name in (b"versioning", b"lifecycle", b"cors", b"policy", b"website", b"versions"):
        for method in ("PUT", "GET", "DELETE"):
            answer = signed(cluster, method, f"/{bucket}/k", ((name, b""),), body=b"<x/>" if method == "PUT" else b"")
            assert (answer.status, answer.code()) == (400, "InvalidRequest"), (method, name, answer.text)
    assert signed(cluster, "DELETE", f"/{bucket}", ((b"uploadId", b"x"),)).status == 405
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"kept"


def test_no_key_climbs_above_its_bucket(cluster, bucket):
    for key in ("../x", "a/../../b", ".."):
        answer = signed(cluster, "PUT", f"/{bucket}/{key}", body=b"x")
        assert (answer.status, answer.code()) == (400, "InvalidURI"), key


def test_metadata_comes_back_as_it_can_be_read(cluster, bucket, s3):
    """In UTF-8 as an encoded word; other bytes as they came."""
    for sent, told in (("grün".encode(), "=?UTF-8?B?Z3LDvG4=?="), (b"gr\xfcn", "gr\xfcn")):
        assert signed(cluster, "PUT", f"/{bucket}/k", headers={"x-amz-meta-a": sent}, body=b"x").status == 200
        head = signed(cluster, "HEAD", f"/{bucket}/k")
        assert head.headers["x-amz-meta-a"] == told


def test_a_browser_is_told_what_it_found(cluster):
    answer = raw.send(cluster.endpoint, "GET", "/", headers={"Accept": "text/html,*/*"})
    assert answer.headers["content-type"] == "text/html; charset=utf-8" and answer.text.count("\n") == 1
    assert raw.send(cluster.endpoint, "GET", "/").code() == "AccessDenied"


def test_region_is_told_to_whoever_asks(cluster, bucket):
    for path in (f"/{bucket}", f"/{bucket}/k"):
        assert raw.send(cluster.endpoint, "HEAD", path).headers["x-amz-bucket-region"] == "us-east-1"


def test_a_put_without_length_stores_nothing(cluster, bucket, s3):
    url = presigned(cluster, "PUT", f"/{bucket}/k", {})
    assert (raw.send(cluster.endpoint, "PUT", url.path + "?" + url.query).status) == 411
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"kept"
