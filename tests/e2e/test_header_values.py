"""What documents, rows and clients say never ends a line of an answer's head."""
import socket
import struct

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import raw
from boto3_cases import refused

INJECTED = "x\r\nSet-Cookie: stolen=1\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello"


@pytest.fixture
def s3(cluster):
    return cluster.boto3(boto3, signature_version="s3v4")


def answers(cluster, head):
    """Everything that comes back on one connection for one request."""
    with socket.create_connection(("127.0.0.1", cluster.port), timeout=300) as connection:
        connection.sendall(head.encode() + b"Connection: close\r\n\r\n")
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


def one_whole_answer(text):
    assert text.count(b"HTTP/1.1 ") == 1 and text.startswith(b"HTTP/1.1 "), text
    assert b"Set-Cookie" not in text and b"hello" not in text, text


def reference(text):
    return "".join(f"&#{ord(c)};" if ord(c) < 32 else c for c in text)


def cors(inside):
    return f"<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>{inside}</CORSRule></CORSConfiguration>"


def put_signed(cluster, path, body):
    """A document as no SDK writes it."""
    request = AWSRequest(method="PUT", url=cluster.endpoint + path, data=body.encode())
    keys = Credentials(cluster.env["AWS_ACCESS_KEY_ID"], cluster.env["AWS_SECRET_ACCESS_KEY"])
    S3SigV4Auth(keys, "s3", "us-east-1").add_auth(request)
    return raw.send(cluster.endpoint, "PUT", path, dict(request.headers.items()), body.encode())


def test_a_cors_rule_splits_no_answer(cluster, s3, bucket):
    for element in ("ExposeHeader", "AllowedHeader", "AllowedOrigin", "ID"):
        answer = put_signed(cluster, f"/{bucket}?cors", cors(f"<{element}>{reference(INJECTED)}</{element}>"))
        assert answer.status == 400 and answer.code() == "InvalidRequest", (element, answer.status, answer.text)
    refused(s3.get_bucket_cors, "NoSuchCORSConfiguration", Bucket=bucket)
    # As if it had been stored before such rules were refused.
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [{"AllowedOrigins": ["*"], "AllowedMethods": ["GET"], "ExposeHeaders": ["ETag"]}]})
    document = cors(f"<ExposeHeader>{reference(INJECTED)}</ExposeHeader>").encode().hex()
    cluster.sql(f"update bucket_settings set document = '\\x{document}' where bucket_id = (select id from buckets where name = '{bucket}')"
                " and position('CORSRule'::bytea in document) > 0")
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})   # The settings are read again.
    for method in ("GET", "OPTIONS"):
        one_whole_answer(answers(cluster, f"{method} /{bucket}/k HTTP/1.1\r\nHost: h\r\nOrigin: http://o\r\nAccess-Control-Request-Method: GET\r\n"))


def test_a_stored_header_splits_no_answer(cluster, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"body", Metadata={"a": "b"}, ContentType="text/plain")
    before = sum(value for _, value in cluster.samples("rondel_http_fields_left_out_total"))
    packed = b""
    for name, value in (("content-type", "text/plain"), ("x-amz-meta-a", INJECTED), ("x-amz-meta-b\r\nset-cookie", "c"), ("x-amz-meta-kept", "yes")):
        packed += struct.pack(">HH", len(name), len(value)) + name.encode() + value.encode()
    cluster.sql(f"update objects set headers = '\\x{packed.hex()}' where key = 'k'::bytea and bucket_id = (select id from buckets where name = '{bucket}')")
    path = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=60)[len(cluster.endpoint):]
    text = answers(cluster, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{cluster.port}\r\n")
    one_whole_answer(text)
    assert text.startswith(b"HTTP/1.1 200 ") and b"\r\nx-amz-meta-kept: yes\r\n" in text and text.endswith(b"\r\n\r\nbody"), text
    assert sum(value for _, value in cluster.samples("rondel_http_fields_left_out_total")) == before + 2


def test_overrides_and_key_names_are_refused(cluster, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"body")
    for parameter in ("ContentType", "CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage"):
        for text in (INJECTED, "a\tb", "a\x00b", "a\x0bb", "a\x7fb"):
            refused(s3.get_object, "InvalidArgument", Bucket=bucket, Key="k", **{"Response" + parameter: text})
    document = ("<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm>"
                f"<KMSMasterKeyID>{reference(INJECTED)}</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>")
    answer = put_signed(cluster, f"/{bucket}?encryption", document)
    assert answer.status == 400 and answer.code() == "InvalidArgument", answer.text
    arn = f"arn:aws:kms:us-east-1:123456789012:key/{reference(INJECTED)}"
    answer = put_signed(cluster, f"/{bucket}/k?encryption", f"<ObjectEncryption><SSEKMS><KMSKeyArn>{arn}</KMSKeyArn></SSEKMS></ObjectEncryption>")
    assert answer.status == 400 and answer.code() == "InvalidArgument", answer.text


def test_a_rule_of_very_many_days_keeps_everything(cluster, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"body")
    for days in (106_751_992, 999_999_999, 2_147_483_647):
        s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [
            {"ID": "never", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": days},
             "NoncurrentVersionExpiration": {"NoncurrentDays": days}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": days}}]})
        told = s3.head_object(Bucket=bucket, Key="k")["Expiration"]
        assert told == 'expiry-date="Fri, 31 Dec 9999 00:00:00 GMT", rule-id="never"'
    s3.delete_bucket_lifecycle(Bucket=bucket)
