import boto3
import pytest

import boto3_cases
import raw

RULES = {"CORSRules": [
    {"ID": "app", "AllowedOrigins": ["https://*.example.com"], "AllowedMethods": ["GET", "PUT"], "AllowedHeaders": ["x-amz-*", "Content-Type"],
     "ExposeHeaders": ["ETag", "x-amz-request-id"], "MaxAgeSeconds": 600},
    {"AllowedOrigins": ["*"], "AllowedMethods": ["HEAD"]}]}
VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"


@pytest.fixture
def s3(cluster):
    return cluster.boto3(boto3, signature_version="s3v4")


def preflight(cluster, path, origin=None, method=None, headers=None):
    fields = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    return raw.send(cluster.endpoint, "OPTIONS", path, {name: value for name, value in fields.items() if value})


def test_rules_come_back_and_go(s3, bucket):
    boto3_cases.refused(s3.get_bucket_cors, "NoSuchCORSConfiguration", Bucket=bucket)
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration=RULES)
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == RULES["CORSRules"]
    bad = {"CORSRules": [{"AllowedOrigins": ["*"], "AllowedMethods": ["PATCH"]}]}
    boto3_cases.refused(s3.put_bucket_cors, "InvalidRequest", Bucket=bucket, CORSConfiguration=bad)
    boto3_cases.refused(s3.put_bucket_cors, "MalformedXML", Bucket=bucket, CORSConfiguration={"CORSRules": []})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == RULES["CORSRules"]
    s3.delete_bucket_cors(Bucket=bucket)
    s3.delete_bucket_cors(Bucket=bucket)
    boto3_cases.refused(s3.get_bucket_cors, "NoSuchCORSConfiguration", Bucket=bucket)


def test_preflight(cluster, s3, bucket):
    path = f"/{bucket}/some/key"
    answer = preflight(cluster, path, "https://a.example.com", "GET")
    assert answer.status == 403 and answer.code() == "AccessForbidden" and "CORS is not enabled for this bucket" in answer.text
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration=RULES)
    answer = preflight(cluster, path, "https://a.example.com", "PUT", "X-Amz-Meta-A, content-type")
    assert answer.status == 200 and answer.body == b""
    assert answer.headers["access-control-allow-origin"] == "https://a.example.com"
    assert answer.headers["access-control-allow-methods"] == "GET, PUT"
    assert answer.headers["access-control-allow-headers"] == "x-amz-meta-a, content-type"
    assert answer.headers["access-control-expose-headers"] == "ETag, x-amz-request-id"
    assert answer.headers["access-control-max-age"] == "600"
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["vary"] == VARY
    for origin, method, headers in (("https://example.org", "GET", None), ("https://a.example.com", "DELETE", None),
                                    ("https://a.example.com", "GET", "authorization")):
        answer = preflight(cluster, path, origin, method, headers)
        assert answer.status == 403 and answer.code() == "AccessForbidden" and "This CORS request is not allowed" in answer.text
        assert "access-control-allow-origin" not in answer.headers
    assert preflight(cluster, path, None, "GET").code() == "BadRequest"
    assert preflight(cluster, path, "https://a.example.com").code() == "BadRequest"
    assert preflight(cluster, path, "https://a.example.com", "PATCH").code() == "BadRequest"
    assert preflight(cluster, "/no-such-bucket-here/k", "https://a.example.com", "GET").code() == "AccessForbidden"
    assert preflight(cluster, "/", "https://a.example.com", "GET").code() == "AccessForbidden"


def test_answers_carry_the_fields(cluster, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration=RULES)
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=60)
    path = url[len(cluster.endpoint):]
    answer = raw.send(cluster.endpoint, "GET", path, {"Origin": "https://a.example.com"})
    assert answer.status == 200 and answer.headers["access-control-allow-origin"] == "https://a.example.com"
    assert answer.headers["access-control-expose-headers"] == "ETag, x-amz-request-id" and answer.headers["vary"] == VARY
    answer = raw.send(cluster.endpoint, "GET", path, {"Origin": "https://a.example.org"})
    assert answer.status == 200 and "access-control-allow-origin" not in answer.headers and answer.headers["vary"] == VARY
    answer = raw.send(cluster.endpoint, "GET", f"/{bucket}/k", {"Origin": "https://a.example.com"})
    assert answer.status == 403 and answer.headers["access-control-allow-origin"] == "https://a.example.com"
    answer = raw.send(cluster.endpoint, "HEAD", f"/{bucket}/k", {"Origin": "https://elsewhere"})
    assert answer.status == 403 and answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    assert "access-control-allow-origin" not in raw.send(cluster.endpoint, "GET", f"/{bucket}/k").headers
