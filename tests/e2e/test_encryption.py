"""Server-side encryption on a cluster of its own: every mode on every operation, keys made, rotated and disabled by the command line."""
import base64
import hashlib
import itertools
import json
import random

import boto3
import botocore.config
import pytest

import raw
from boto3_cases import MIB, refused
from cluster import Cluster, wait_for

CUSTOMER_KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
MARK = b"a body of some length. " * 8


@pytest.fixture(scope="module")
def encrypting():
    cluster = Cluster(gateways=2, options=["s3.allow_sse_c_over_http=true", "gc.grace=2s", "gc.trash=1s"])
    started = cluster.up()
    assert started.returncode == 0, started.stdout + started.stderr
    for key in ("key-1", "key-2"):
        assert cluster.cli("kms", "--data", str(cluster.data), "create", key).returncode == 0
    yield cluster
    cluster.wipe()


@pytest.fixture
def s3(encrypting):
    return encrypting.boto3(boto3, signature_version="s3v4")


@pytest.fixture
def bucket(s3):
    name = "enc-%08x" % random.getrandbits(32)
    s3.create_bucket(Bucket=name)
    return name


def customer(key=CUSTOMER_KEY, prefix=""):
    return {prefix + "SSECustomerAlgorithm": "AES256", prefix + "SSECustomerKey": key}


def spelled(arguments):
    """Customer keys as GetObjectAttributes and CompleteMultipartUpload need them: there the SDK does not encode them itself."""
    key = arguments.get("SSECustomerKey")
    if key is None:
        return arguments
    return {**arguments, "SSECustomerKey": base64.b64encode(key).decode(), "SSECustomerKeyMD5": base64.b64encode(hashlib.md5(key).digest()).decode()}


def kms(key="key-1", **more):
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key, **more}


WRITE = {"plain": {}, "s3": {"ServerSideEncryption": "AES256"}, "kms": kms(), "bucket-key": kms(BucketKeyEnabled=True),
         "context": kms(SSEKMSEncryptionContext=base64.b64encode(b'{"team":"blue"}').decode()), "customer": customer()}
READ = {"customer": customer()}
SOURCE = {"customer": customer(prefix="CopySource")}


def check_headers(answer, mode):
    if mode == "plain":
        assert "ServerSideEncryption" not in answer and "SSECustomerAlgorithm" not in answer
    elif mode == "s3":
        assert answer["ServerSideEncryption"] == "AES256"
    elif mode == "customer":
        assert answer["SSECustomerAlgorithm"] == "AES256"
        assert answer["SSECustomerKeyMD5"] == base64.b64encode(hashlib.md5(CUSTOMER_KEY).digest()).decode()
    else:
        assert answer["ServerSideEncryption"] == "aws:kms" and answer["SSEKMSKeyId"] == "key-1"
        assert answer.get("BucketKeyEnabled", False) == (mode == "bucket-key")


def kms_cli(cluster, *words):
    done = cluster.cli("kms", "--data", str(cluster.data), *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def arn(key):
    return f"arn:aws:kms:us-east-1:000000000000:key/{key}"


@pytest.mark.parametrize("mode", WRITE)
def test_objects_and_ranges(s3, bucket, mode):
    for size in (0, 1, 65535, 65536, 65537, 3 * MIB + 17, 8 * MIB + 5):
        body = random.randbytes(size)
        key = f"o/{size}"
        put = s3.put_object(Bucket=bucket, Key=key, Body=body, **WRITE[mode])
        check_headers(put, mode)
        md5 = f'"{hashlib.md5(body).hexdigest()}"'
        assert (put["ETag"] == md5) == (mode in ("plain", "s3"))
        got = s3.get_object(Bucket=bucket, Key=key, **READ.get(mode, {}))
        assert got["Body"].read() == body and got["ContentLength"] == size and got["ETag"] == put["ETag"]
        check_headers(got, mode)
        head = s3.head_object(Bucket=bucket, Key=key, **READ.get(mode, {}))
        assert head["ContentLength"] == size
        check_headers(head, mode)
        attributes = s3.get_object_attributes(Bucket=bucket, Key=key, ObjectAttributes=["ETag", "ObjectSize"], **spelled(READ.get(mode, {})))
        assert attributes["ObjectSize"] == size
        for _ in range(12 if size > 1 else 0):
            first = random.randrange(size)
            last = random.randrange(first, size)
            part = s3.get_object(Bucket=bucket, Key=key, Range=f"bytes={first}-{last}", **READ.get(mode, {}))
            assert part["Body"].read() == body[first:last + 1], (size, first, last)
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["Size"] == 0


@pytest.mark.parametrize("mode", WRITE)
def test_multipart(s3, bucket, mode):
    parts = [random.randbytes(5 * MIB + 3), random.randbytes(5 * MIB), random.randbytes(70_001)]
    made = s3.create_multipart_upload(Bucket=bucket, Key="big", **WRITE[mode])
    check_headers(made, mode)
    done = []
    for number, body in enumerate(parts, 1):
        for attempt in (b"x" * len(body), body):  # The first is written over.
            part = s3.upload_part(Bucket=bucket, Key="big", UploadId=made["UploadId"], PartNumber=number, Body=attempt, **READ.get(mode, {}))
            check_headers(part, mode) if mode != "bucket-key" else None
        done.append({"PartNumber": number, "ETag": part["ETag"]})
    complete = s3.complete_multipart_upload(Bucket=bucket, Key="big", UploadId=made["UploadId"], MultipartUpload={"Parts": done})
    assert complete["ETag"].endswith('-3"')
    whole = b"".join(parts)
    got = s3.get_object(Bucket=bucket, Key="big", **READ.get(mode, {}))
    assert got["Body"].read() == whole
    check_headers(got, mode)
    second = s3.get_object(Bucket=bucket, Key="big", PartNumber=2, **READ.get(mode, {}))
    assert second["Body"].read() == parts[1]
    first = 5 * MIB - 10
    across = s3.get_object(Bucket=bucket, Key="big", Range=f"bytes={first}-{first + 5 * MIB + 99}", **READ.get(mode, {}))
    assert across["Body"].read() == whole[first:first + 5 * MIB + 100]


@pytest.mark.parametrize("source,target", itertools.product(["plain", "s3", "kms", "bucket-key", "customer"], repeat=2))
def test_copies(s3, bucket, source, target):
    body = random.randbytes(200_003)
    s3.put_object(Bucket=bucket, Key="from", Body=body, Metadata={"a": "b"}, **WRITE[source])
    other = bucket + "-other"
    s3.create_bucket(Bucket=other)
    where = {"Bucket": bucket, "Key": "from"}
    copied = s3.copy_object(Bucket=other, Key="to", CopySource=where, **WRITE[target], **SOURCE.get(source, {}))
    check_headers(copied, target)
    got = s3.get_object(Bucket=other, Key="to", **READ.get(target, {}))
    assert got["Body"].read() == body and got["Metadata"] == {"a": "b"}
    check_headers(got, target)
    made = s3.create_multipart_upload(Bucket=other, Key="parts", **WRITE[target])
    part = s3.upload_part_copy(Bucket=other, Key="parts", UploadId=made["UploadId"], PartNumber=1, CopySource=where, CopySourceRange="bytes=70000-170000",
                               **READ.get(target, {}), **SOURCE.get(source, {}))
    s3.complete_multipart_upload(Bucket=other, Key="parts", UploadId=made["UploadId"],
                                 MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}]})
    # The copy does not need its source.
    s3.delete_object(Bucket=bucket, Key="from")
    assert s3.get_object(Bucket=other, Key="parts", **READ.get(target, {}))["Body"].read() == body[70_000:170_001]
    assert s3.get_object(Bucket=other, Key="to", **READ.get(target, {}))["Body"].read() == body


def test_an_object_is_encrypted_anew_in_place(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=MARK)
    where = {"Bucket": bucket, "Key": "k"}
    refused(s3.copy_object, "InvalidRequest", Bucket=bucket, Key="k", CopySource=where)
    for mode in ("s3", "kms", "s3"):
        check_headers(s3.copy_object(Bucket=bucket, Key="k", CopySource=where, **WRITE[mode]), mode)
        assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == MARK
    # Without a word about the target: what the bucket gives differs from what the object has.
    for mode, more in (("kms", {}), ("customer", customer(prefix="CopySource"))):
        s3.put_object(Bucket=bucket, Key="k", Body=MARK, **WRITE[mode])
        check_headers(s3.copy_object(Bucket=bucket, Key="k", CopySource=where, **more), "plain")
        assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == MARK
    refused(s3.copy_object, "InvalidRequest", Bucket=bucket, Key="k", CopySource=where)
    s3.copy_object(Bucket=bucket, Key="k", CopySource=where, StorageClass="STANDARD")
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]})
    for _ in range(2):
        check_headers(s3.copy_object(Bucket=bucket, Key="k", CopySource=where), "s3")


@pytest.mark.parametrize("mode", WRITE)
def test_append(s3, bucket, mode):
    def append(offset, body, **more):
        def add(request, **_):
            request.headers["x-amz-write-offset-bytes"] = str(offset)
        s3.meta.events.register("before-sign.s3.PutObject", add)
        try:
            return s3.put_object(Bucket=bucket, Key="log", Body=body, **more)
        finally:
            s3.meta.events.unregister("before-sign.s3.PutObject", add)

    append(0, b"one,", **WRITE[mode])
    append(4, b"two," * 30_000, **READ.get(mode, {}))
    append(4 + 120_000, b"three", **READ.get(mode, {}))
    got = s3.get_object(Bucket=bucket, Key="log", **READ.get(mode, {}))
    assert got["Body"].read() == b"one," + b"two," * 30_000 + b"three"
    check_headers(got, mode)
    other = WRITE["s3" if mode != "s3" else "kms"]
    refused(append, "InvalidRequest", offset=120_009, body=b"x", **{**other, **READ.get(mode, {})} if mode != "customer" else {})


@pytest.mark.parametrize("mode", ["plain", "s3", "kms", "bucket-key"])
def test_rename(s3, bucket, mode):
    def rename(source, target):
        def turn(request, **_):
            request.headers["x-amz-rename-source"] = source
            request.url += "?renameObject"
        s3.meta.events.register("before-sign.s3.PutObject", turn)
        try:
            return s3.put_object(Bucket=bucket, Key=target)
        finally:
            s3.meta.events.unregister("before-sign.s3.PutObject", turn)

    s3.put_object(Bucket=bucket, Key="before", Body=MARK, **WRITE[mode])
    rename("before", "after")
    assert s3.get_object(Bucket=bucket, Key="after")["Body"].read() == MARK
    refused(s3.get_object, "NoSuchKey", Bucket=bucket, Key="before")


def test_customer_keys_are_asked_for(s3, bucket):
    s3.put_object(Bucket=bucket, Key="c", Body=MARK, **customer())
    s3.put_object(Bucket=bucket, Key="p", Body=MARK)
    where = {"Bucket": bucket, "Key": "c"}
    for call, more in ((s3.get_object, {}), (s3.get_object_attributes, {"ObjectAttributes": ["ETag"]})):
        refused(call, "InvalidRequest", Bucket=bucket, Key="c", **more)
        refused(call, "AccessDenied", Bucket=bucket, Key="c", **spelled(customer(OTHER_KEY)), **more)
        refused(call, "InvalidRequest", Bucket=bucket, Key="p", **spelled(customer()), **more)
    assert refused(s3.head_object, "400", Bucket=bucket, Key="c")["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert refused(s3.head_object, "403", Bucket=bucket, Key="c", **customer(OTHER_KEY))["ResponseMetadata"]["HTTPStatusCode"] == 403
    refused(s3.copy_object, "InvalidRequest", Bucket=bucket, Key="d", CopySource=where)
    refused(s3.copy_object, "AccessDenied", Bucket=bucket, Key="d", CopySource=where, **customer(OTHER_KEY, "CopySource"))
    refused(s3.put_object, "InvalidArgument", Bucket=bucket, Key="d", **customer(b"short"))
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m", **customer())["UploadId"]
    arguments = {"Bucket": bucket, "Key": "m", "UploadId": upload, "PartNumber": 1, "Body": b"x"}
    refused(s3.upload_part, "InvalidRequest", **arguments)
    refused(s3.upload_part, "InvalidRequest", **arguments, **customer(OTHER_KEY))
    s3.abort_multipart_upload(Bucket=bucket, Key="m", UploadId=upload)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    refused(s3.upload_part, "InvalidRequest", **{**arguments, "UploadId": upload}, **customer())
    refused(s3.get_object, "NoSuchKey", Bucket=bucket, Key="d")


@pytest.mark.parametrize("created", [{}, {"ChecksumAlgorithm": "CRC32"}], ids=["plain", "with-algorithm"])
@pytest.mark.parametrize("sent", [{}, {"ChecksumAlgorithm": "CRC32"}], ids=["part", "part-with-checksum"])
def test_customer_keys_at_complete(s3, bucket, created, sent):
    sent = created or sent
    upload = {"Bucket": bucket, "Key": "m", "UploadId": s3.create_multipart_upload(Bucket=bucket, Key="m", **created, **customer())["UploadId"]}
    part = s3.upload_part(**upload, PartNumber=1, Body=MARK, **sent, **customer())
    done = {"Parts": [{"PartNumber": 1, **{k: v for k, v in part.items() if k in ("ETag", "ChecksumCRC32")}}]}
    refused(s3.complete_multipart_upload, "InvalidRequest", **upload, MultipartUpload=done, **spelled(customer(OTHER_KEY)))
    if sent:
        refused(s3.complete_multipart_upload, "InvalidRequest", **upload, MultipartUpload=done)
    s3.complete_multipart_upload(**upload, MultipartUpload=done, **(spelled(customer()) if sent else {}))
    assert s3.get_object(Bucket=bucket, Key="m", **customer())["Body"].read() == MARK


def test_headers_that_are_refused(s3, bucket):
    put = {"Bucket": bucket, "Key": "x", "Body": b"x"}
    refused(s3.put_object, "KMS.NotFoundException", **put, **kms("absent"))
    refused(s3.put_object, "KMS.NotFoundException", **put, **kms("rondel/sse-s3"))
    refused(s3.put_object, "NotImplemented", **put, ServerSideEncryption="aws:kms:dsse")
    refused(s3.put_object, "InvalidArgument", **put, ServerSideEncryption="AES128")
    refused(s3.put_object, "InvalidArgument", **put, SSEKMSKeyId="key-1")
    refused(s3.put_object, "InvalidArgument", **put, ServerSideEncryption="AES256", **customer())
    refused(s3.create_multipart_upload, "KMS.NotFoundException", Bucket=bucket, Key="x", **kms("absent"))
    refused(s3.get_object, "NoSuchKey", Bucket=bucket, Key="x")


def test_bucket_default(s3, bucket):
    refused(s3.get_bucket_encryption, "ServerSideEncryptionConfigurationNotFoundError", Bucket=bucket)
    check_headers(s3.put_object(Bucket=bucket, Key="before", Body=MARK), "plain")

    def default(algorithm, **more):
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm, **more}}
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [{**rule, "BucketKeyEnabled": "KMSMasterKeyID" in more}]})
        answered = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        assert answered == [{**rule, "BucketKeyEnabled": "KMSMasterKeyID" in more}]

    default("AES256")
    check_headers(s3.put_object(Bucket=bucket, Key="s3", Body=MARK), "s3")
    check_headers(s3.put_object(Bucket=bucket, Key="asked", Body=MARK, **customer()), "customer")
    default("aws:kms", KMSMasterKeyID="key-1")
    check_headers(s3.put_object(Bucket=bucket, Key="kms", Body=MARK), "bucket-key")
    check_headers(s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "before"}), "bucket-key")
    check_headers(s3.create_multipart_upload(Bucket=bucket, Key="m"), "bucket-key")
    default("aws:kms")
    assert s3.put_object(Bucket=bucket, Key="own", Body=MARK)["SSEKMSKeyId"].endswith(":alias/aws/s3")
    s3.delete_bucket_encryption(Bucket=bucket)
    refused(s3.get_bucket_encryption, "ServerSideEncryptionConfigurationNotFoundError", Bucket=bucket)
    check_headers(s3.put_object(Bucket=bucket, Key="after", Body=MARK), "plain")
    for key in ("before", "s3", "kms", "copy", "own", "after"):
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == MARK


def test_a_new_default_holds_from_its_answer_on(encrypting, s3, bucket):
    """Also at a gateway that has not heard of it yet: it refuses (503) rather than keep bytes as the old default wanted."""
    other = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{encrypting.port + 1}", aws_access_key_id=encrypting.env["AWS_ACCESS_KEY_ID"],
                         aws_secret_access_key=encrypting.env["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1",
                         config=botocore.config.Config(signature_version="s3v4", retries={"max_attempts": 0}))
    for n in range(12):
        other.head_bucket(Bucket=bucket)   # Known there.
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
        while True:
            try:
                put = other.put_object(Bucket=bucket, Key=f"k{n}", Body=MARK)
                break
            except other.exceptions.ClientError as error:
                assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 503, error
        check_headers(put, "s3")
        check_headers(s3.head_object(Bucket=bucket, Key=f"k{n}"), "s3")
        s3.delete_bucket_encryption(Bucket=bucket)


def test_post_forms(encrypting, s3, bucket):
    def post(key, **fields):
        made = s3.generate_presigned_post(bucket, key, Fields=dict(fields), Conditions=[{name: value} for name, value in fields.items()])
        boundary = "----form0123456789"
        body = "".join(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in made["fields"].items()).encode()
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'.encode() + MARK + f"\r\n--{boundary}--\r\n".encode()
        return raw.send(encrypting.endpoint, "POST", f"/{bucket}", {"Content-Type": f"multipart/form-data; boundary={boundary}"}, body)

    head = "x-amz-server-side-encryption"
    key = base64.b64encode(CUSTOMER_KEY).decode()
    md5 = base64.b64encode(hashlib.md5(CUSTOMER_KEY).digest()).decode()
    forms = {"plain": {}, "s3": {head: "AES256"}, "kms": {head: "aws:kms", head + "-aws-kms-key-id": "key-1"},
             "bucket-key": {head: "aws:kms", head + "-aws-kms-key-id": "key-1", head + "-bucket-key-enabled": "true"},
             "customer": {head + "-customer-algorithm": "AES256", head + "-customer-key": key, head + "-customer-key-MD5": md5}}
    for mode, fields in forms.items():
        answer = post(mode, **fields)
        assert answer.status == 204, answer.text
        got = s3.get_object(Bucket=bucket, Key=mode, **READ.get(mode, {}))
        assert got["Body"].read() == MARK
        check_headers(got, mode)
    refusals = {"InvalidArgument": {head: "AES128"}, "KMS.NotFoundException": {head: "aws:kms", head + "-aws-kms-key-id": "absent"}}
    for code, fields in refusals.items():
        answer = post("refused", **fields)
        assert answer.status == 400 and f"<Code>{code}</Code>" in answer.text, answer.text
    refused(s3.get_object, "NoSuchKey", Bucket=bucket, Key="refused")


def test_rotation_and_disabled_keys(encrypting, s3, bucket):
    kms_cli(encrypting, "create", "turning")
    s3.put_object(Bucket=bucket, Key="old", Body=MARK, **kms("turning"))
    kms_cli(encrypting, "rotate", "turning")
    s3.put_object(Bucket=bucket, Key="new", Body=MARK, **kms("turning"))
    assert "version 2" in kms_cli(encrypting, "list")
    for key in ("old", "new"):
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == MARK

    def is_disabled(call, **arguments):
        try:
            call(Bucket=bucket, **arguments)
        except s3.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "KMS.DisabledException", error
            return True
        return False

    # Each gateway hears of it by itself.
    both = [encrypting.boto3(boto3, gateway=number, signature_version="s3v4") for number in (1, 2)]
    kms_cli(encrypting, "disable", "turning")
    for one in both:
        wait_for(lambda: is_disabled(one.get_object, Key="old"), 10, "a disabled key to open nothing")
        wait_for(lambda: is_disabled(one.put_object, Key="n", Body=b"x", **kms("turning")), 10, "a disabled key to seal nothing")
    kms_cli(encrypting, "enable", "turning")
    for one in both:
        wait_for(lambda: not is_disabled(one.get_object, Key="old"), 10, "an enabled key to open what it sealed")
        assert one.get_object(Bucket=bucket, Key="old")["Body"].read() == MARK


def test_update_object_encryption(encrypting, s3, bucket):
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials
    import urllib.error
    import urllib.request

    def update(key, document):
        url = f"{encrypting.endpoint}/{bucket}/{key}?encryption="
        request = botocore.awsrequest.AWSRequest("PUT", url, data=document)
        credentials = botocore.credentials.Credentials(encrypting.env["AWS_ACCESS_KEY_ID"], encrypting.env["AWS_SECRET_ACCESS_KEY"])
        botocore.auth.S3SigV4Auth(credentials, "s3", "us-east-1").add_auth(request)
        try:
            return urllib.request.urlopen(urllib.request.Request(url, data=document, headers=dict(request.headers), method="PUT"), timeout=300).status
        except urllib.error.HTTPError as error:
            return error.read().decode()

    def document(key, bucket_key="false"):
        return f"<ObjectEncryption><SSEKMS><KMSKeyArn>{arn(key)}</KMSKeyArn><BucketKeyEnabled>{bucket_key}</BucketKeyEnabled></SSEKMS></ObjectEncryption>".encode()

    def stream():
        return encrypting.sql(f"select o.stream from objects o join buckets b on b.id = o.bucket_id where b.name = '{bucket}' and o.key = 'o'")

    before = s3.put_object(Bucket=bucket, Key="o", Body=MARK, **WRITE["s3"])
    bytes_of = stream()
    assert bytes_of
    modified = s3.head_object(Bucket=bucket, Key="o")["LastModified"]
    for key, flag in (("key-1", "false"), ("key-2", "true"), ("key-2", "false"), ("key-2", "false")):
        assert update("o", document(key, flag)) == 200
        got = s3.get_object(Bucket=bucket, Key="o")
        assert got["Body"].read() == MARK and got["SSEKMSKeyId"] == arn(key) and got.get("BucketKeyEnabled", False) == (flag == "true")
        assert got["ETag"] == before["ETag"] and got["LastModified"] == modified
        assert stream() == bytes_of  # No byte was moved.
    s3.put_object(Bucket=bucket, Key="plain", Body=MARK)
    s3.put_object(Bucket=bucket, Key="c", Body=MARK, **customer())
    assert "<Code>InvalidRequest</Code>" in update("plain", document("key-1"))
    assert "<Code>InvalidRequest</Code>" in update("c", document("key-1"))
    assert "<Code>NoSuchKey</Code>" in update("absent", document("key-1"))
    assert "<Code>KMS.NotFoundException</Code>" in update("o", document("absent"))
    assert "<Code>MalformedXML</Code>" in update("o", b"<ObjectEncryption/>")
    assert s3.get_object(Bucket=bucket, Key="o")["Body"].read() == MARK


def test_nothing_in_the_clear_on_disk_or_in_logs(encrypting, s3, bucket):
    mark = random.randbytes(32).hex().encode()
    body = mark * 4000
    for mode in ("s3", "kms", "bucket-key", "customer"):
        s3.put_object(Bucket=bucket, Key=mode, Body=body, **WRITE[mode])
        assert s3.get_object(Bucket=bucket, Key=mode, **READ.get(mode, {}))["Body"].read() == body
    master = bytes.fromhex((encrypting.data / "keys" / "master.key").read_text().strip())
    hidden = [mark, CUSTOMER_KEY, base64.b64encode(CUSTOMER_KEY), CUSTOMER_KEY.hex().encode(), master, base64.b64encode(master)]
    assert encrypting.down().returncode == 0  # Everything is flushed to files.
    try:
        looked_at = 0
        for path in encrypting.data.rglob("*"):
            if not path.is_file() or path.is_symlink() or path.parent.name in ("keys", "bin"):
                continue
            content = path.read_bytes()
            looked_at += len(content)
            for secret in hidden:
                assert secret not in content, path
        assert looked_at > len(body)
    finally:
        started = encrypting.up()
        assert started.returncode == 0, started.stdout + started.stderr
    again = encrypting.boto3(boto3, signature_version="s3v4")
    for mode in ("s3", "kms", "bucket-key", "customer"):
        assert again.get_object(Bucket=bucket, Key=mode, **READ.get(mode, {}))["Body"].read() == body
