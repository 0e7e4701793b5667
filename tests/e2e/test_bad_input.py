"""Garbage at every surface: an exact refusal, nothing changed, server alive."""
import random
import socket
import urllib.error
import urllib.request

import boto3
import pytest

from boto3_cases import refused


def raw(cluster, data, port=None):
    with socket.create_connection(("127.0.0.1", port or cluster.port), timeout=300) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
        return answer


def alive(cluster):
    return cluster.boto3(boto3).list_buckets()["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.parametrize("request_bytes, status", [
    (b"GARBAGE\r\n\r\n", b"400"),
    (b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", b"505"),
    (b"GET / HTTP/1.1\r\n\r\n", b"400"),
    (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 40_000 + b"\r\n\r\n", b"400"),
    (b"PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", b"400"),
    (b"PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: -3\r\n\r\n", b"400"),
    (b"PUT /b/k HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", b"501"),
    (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"403"),
    (b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
])
def test_http(cluster, request_bytes, status):
    answer = raw(cluster, request_bytes)
    assert answer.split(b" ")[1] == status, answer[:300]
    assert alive(cluster)


def test_random_bytes(cluster):
    seed = random.randrange(1 << 32)
    dice = random.Random(seed)
    print("seed", seed)
    for _ in range(40):
        for port in (cluster.port, cluster.port + 100, cluster.port + 200, cluster.port + 300, cluster.port + 400):
            try:
                raw(cluster, dice.randbytes(dice.randrange(1, 3000)), port)
            except OSError:
                pass
    assert alive(cluster)


def test_signatures(cluster, bucket):
    wrong = boto3.client("s3", endpoint_url=cluster.endpoint, aws_access_key_id=cluster.env["AWS_ACCESS_KEY_ID"],
                         aws_secret_access_key="wrong", region_name="us-east-1")
    refused(wrong.list_buckets, "SignatureDoesNotMatch")
    unknown = boto3.client("s3", endpoint_url=cluster.endpoint, aws_access_key_id="NOSUCHKEY", aws_secret_access_key="x",
                           region_name="us-east-1")
    refused(unknown.list_buckets, "InvalidAccessKeyId")
    region = boto3.client("s3", endpoint_url=cluster.endpoint, aws_access_key_id=cluster.env["AWS_ACCESS_KEY_ID"],
                          aws_secret_access_key=cluster.env["AWS_SECRET_ACCESS_KEY"], region_name="eu-west-1")
    refused(region.list_buckets, "AuthorizationHeaderMalformed")
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(f"{cluster.endpoint}/{bucket}", timeout=300)
    assert error.value.code == 403


@pytest.mark.parametrize("body", ids=["empty", "text", "cut", "entity", "deep", "nothing", "too-many"], argvalues=[
    b"", b"not xml", b"<Delete>", b"<!DOCTYPE a [<!ENTITY x 'y'>]><Delete><Object><Key>&x;</Key></Object></Delete>",
    b"<Delete>" + b"<a>" * 5000 + b"</Delete>", b"<Delete></Delete>",
    b"<Delete>" + b"<Object><Key>k</Key></Object>" * 1001 + b"</Delete>",
])
def test_xml(cluster, bucket, body):
    import base64
    import hashlib
    client = cluster.boto3(boto3, signature_version="s3v4")
    client.put_object(Bucket=bucket, Key="k", Body=b"stays")

    def replace(request, **_):
        request.data = body
        replaced = ("x-amz-checksum-", "x-amz-sdk-checksum", "content-md5", "content-length")
        for name in {n for n in request.headers if n.lower().startswith(replaced)}:
            del request.headers[name]
        request.headers["Content-MD5"] = base64.b64encode(hashlib.md5(body).digest()).decode()
        request.headers["Content-Length"] = str(len(body))
    client.meta.events.register("before-sign.s3.DeleteObjects", replace)
    refused(client.delete_objects, "MalformedXML", "MissingRequestBodyError", Bucket=bucket, Delete={"Objects": [{"Key": "k"}]})
    client.meta.events.unregister("before-sign.s3.DeleteObjects", replace)
    assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == b"stays"


def test_a_body_cut_off_is_no_object(cluster, bucket):
    client = cluster.boto3(boto3, signature_version="s3v4")
    url = client.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "cut"}, ExpiresIn=60)
    path = url.removeprefix(cluster.endpoint)
    raw(cluster, f"PUT {path} HTTP/1.1\r\nHost: 127.0.0.1:{cluster.port}\r\nContent-Length: 100000\r\n\r\n".encode() + b"x" * 5000)
    refused(client.head_object, "404", Bucket=bucket, Key="cut")
    assert alive(cluster)
