"""What boto3 does to a bucket. Run by test_boto3.py with Debian's boto3 and with the newest one from PyPI."""
import base64
import datetime
import hashlib
import json
import os
import random
import sys
import urllib.error
import urllib.request
import zlib

MIB = 1 << 20


def refused(call, *codes, **arguments):
    from botocore.exceptions import ClientError
    try:
        call(**arguments)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        assert code in codes, f"{code} instead of {codes}"
        return error.response
    raise AssertionError(f"not refused: {codes}")


def objects_come_back(s3, bucket):
    for size in (0, 1, 4096, 65536, 262144, 262145, 8 * MIB, 8 * MIB + 1):
        body = random.randbytes(size)
        put = s3.put_object(Bucket=bucket, Key=f"size/{size}", Body=body)
        assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
        got = s3.get_object(Bucket=bucket, Key=f"size/{size}")
        assert got["Body"].read() == body
        assert got["ContentLength"] == size and got["ETag"] == put["ETag"]
        assert s3.head_object(Bucket=bucket, Key=f"size/{size}")["ContentLength"] == size


def keys_are_opaque(s3, bucket):
    keys = ["a", "a/b", "a//../b/", "a/./b", "sp ace+plus%25", "ünï/コード", "\u0001low", "q?x=1&y#z", "k" * 1024]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    for key in keys:
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    listed = [e["Key"] for e in s3.list_objects_v2(Bucket=bucket, EncodingType="url")["Contents"]]
    from urllib.parse import unquote_plus
    assert sorted(unquote_plus(k).encode() for k in listed) == sorted(k.encode() for k in keys)
    refused(s3.put_object, "KeyTooLongError", Bucket=bucket, Key="k" * 1025, Body=b"")


def headers_and_metadata(s3, bucket):
    expires = datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    s3.put_object(Bucket=bucket, Key="h", Body=b"x", ContentType="text/x-test", CacheControl="max-age=5",
                  ContentDisposition="attachment", ContentEncoding="gzip", ContentLanguage="de", Expires=expires,
                  Metadata={"one": "1", "two": "zwei"})
    head = s3.head_object(Bucket=bucket, Key="h")
    assert head["Metadata"] == {"one": "1", "two": "zwei"}
    assert (head["ContentType"], head["CacheControl"], head["ContentDisposition"], head["ContentEncoding"],
            head["ContentLanguage"]) == ("text/x-test", "max-age=5", "attachment", "gzip", "de")
    got = s3.get_object(Bucket=bucket, Key="h", ResponseContentType="application/override", ResponseCacheControl="no-store")
    assert (got["ContentType"], got["CacheControl"]) == ("application/override", "no-store")
    assert s3.put_object(Bucket=bucket, Key="plain", Body=b"") and \
        s3.head_object(Bucket=bucket, Key="plain")["ContentType"] == "binary/octet-stream"
    for sent, kept in (("deflate, gzip", "deflate, gzip"), ("deflate, gzip,aws-chunked", "deflate, gzip"), ("gzip, aws-chunked", "gzip"), ("aws-chunked, gzip", "gzip"), ("aws-chunked", None)):
        s3.put_object(Bucket=bucket, Key="coded", Body=b"", ContentEncoding=sent)
        assert s3.head_object(Bucket=bucket, Key="coded").get("ContentEncoding") == kept
    with_header(s3, "PutObject", "Transfer-Encoding", "chunked", lambda: s3.put_object(Bucket=bucket, Key="chunked", Body=b"of no length"))
    assert s3.get_object(Bucket=bucket, Key="chunked")["Body"].read() == b"of no length"
    refused(s3.put_object, "MetadataTooLarge", Bucket=bucket, Key="big", Body=b"", Metadata={"m": "x" * 3000})


def ranges(s3, bucket):
    body = random.randbytes(9 * MIB)
    s3.put_object(Bucket=bucket, Key="r", Body=body)
    for text, want in (("bytes=0-0", body[:1]), ("bytes=5-99", body[5:100]), ("bytes=-7", body[-7:]),
                       (f"bytes={8 * MIB - 3}-{8 * MIB + 3}", body[8 * MIB - 3:8 * MIB + 4]),
                       (f"bytes={9 * MIB - 2}-", body[-2:]), ("bytes=100-999999999", body[100:])):
        got = s3.get_object(Bucket=bucket, Key="r", Range=text)
        assert got["Body"].read() == want, text
        assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert s3.get_object(Bucket=bucket, Key="r", Range="bytes=0-4")["ContentRange"] == f"bytes 0-4/{9 * MIB}"
    refused(s3.get_object, "InvalidRange", Bucket=bucket, Key="r", Range=f"bytes={9 * MIB}-")


def conditions(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="c", Body=b"one")["ETag"]
    old = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    new = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
    assert s3.get_object(Bucket=bucket, Key="c", IfMatch=etag)
    refused(s3.get_object, "PreconditionFailed", Bucket=bucket, Key="c", IfMatch='"no"')
    refused(s3.get_object, "304", "NotModified", Bucket=bucket, Key="c", IfNoneMatch=etag)
    refused(s3.get_object, "304", "NotModified", Bucket=bucket, Key="c", IfModifiedSince=new)
    refused(s3.get_object, "PreconditionFailed", Bucket=bucket, Key="c", IfUnmodifiedSince=old)
    refused(s3.head_object, "412", Bucket=bucket, Key="c", IfMatch='"no"')
    with_header(s3, "PutObject", "If-None-Match", "*",
                lambda: refused(s3.put_object, "PreconditionFailed", Bucket=bucket, Key="c", Body=b"two"))
    with_header(s3, "PutObject", "If-None-Match", "*", lambda: s3.put_object(Bucket=bucket, Key="fresh", Body=b"new"))
    with_header(s3, "PutObject", "If-Match", '"00000000000000000000000000000000"',
                lambda: refused(s3.put_object, "PreconditionFailed", Bucket=bucket, Key="c", Body=b"two"))
    with_header(s3, "PutObject", "If-Match", etag, lambda: s3.put_object(Bucket=bucket, Key="c", Body=b"two"))
    assert s3.get_object(Bucket=bucket, Key="c")["Body"].read() == b"two"


def with_header(s3, operation, name, value, action):
    """Sends a header that older botocores do not know as a parameter."""
    def add(request, **_):
        if "checksum" in name:   # In place of the one that newer botocores add.
            for other in [h for h in request.headers if "checksum" in h.lower()]:
                del request.headers[other]
        request.headers[name] = value
    event = f"before-sign.s3.{operation}"
    s3.meta.events.register(event, add)
    try:
        return action()
    finally:
        s3.meta.events.unregister(event, add)


def listings(s3, bucket):
    keys = sorted(f"{a}/{b:03d}" for a in ("x", "y", "z") for b in range(40)) + ["z-end"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 7})
    assert [e["Key"] for page in pages for e in page.get("Contents", [])] == sorted(keys)
    page = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert [p["Prefix"] for p in page["CommonPrefixes"]] == ["x/", "y/", "z/"]
    assert [e["Key"] for e in page["Contents"]] == ["z-end"] and page["KeyCount"] == 4
    page = s3.list_objects_v2(Bucket=bucket, Prefix="y/", StartAfter="y/030", MaxKeys=4)
    assert [e["Key"] for e in page["Contents"]] == ["y/031", "y/032", "y/033", "y/034"] and page["IsTruncated"]
    first = s3.list_objects(Bucket=bucket, Delimiter="/", MaxKeys=2)
    assert first["IsTruncated"] and first["NextMarker"] == "y/"
    second = s3.list_objects(Bucket=bucket, Delimiter="/", Marker=first["NextMarker"])
    assert [p["Prefix"] for p in second["CommonPrefixes"]] == ["z/"]
    # boto3 leaves the encoding of this name alone, as AWS sends it.
    assert urllib.parse.unquote(s3.list_objects(Bucket=bucket, Prefix="\n %+")["Prefix"]) == "\n %+"
    assert "Owner" in s3.list_objects_v2(Bucket=bucket, FetchOwner=True, MaxKeys=1)["Contents"][0]
    refused(s3.list_objects_v2, "InvalidArgument", Bucket=bucket, MaxKeys=-1)


def multipart(s3, bucket):
    parts = [random.randbytes(5 * MIB), random.randbytes(5 * MIB), random.randbytes(1000)]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m", Metadata={"k": "v"}, ContentType="a/b")["UploadId"]
    etags = []
    for number, part in enumerate(parts, 1):
        etags.append(s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=number, Body=part)["ETag"])
    listed = s3.list_parts(Bucket=bucket, Key="m", UploadId=upload)
    assert [(p["PartNumber"], p["ETag"], p["Size"]) for p in listed["Parts"]] == \
        [(n, e, len(p)) for n, (e, p) in enumerate(zip(etags, parts), 1)]
    assert [u["UploadId"] for u in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload]
    complete = {"Parts": [{"PartNumber": n, "ETag": e} for n, e in enumerate(etags, 1)]}
    wrong = {"Parts": [{"PartNumber": 1, "ETag": '"%s"' % ("0" * 32)}]}
    refused(s3.complete_multipart_upload, "InvalidPart", Bucket=bucket, Key="m", UploadId=upload, MultipartUpload=wrong)
    backwards = {"Parts": complete["Parts"][::-1]}
    refused(s3.complete_multipart_upload, "InvalidPartOrder", Bucket=bucket, Key="m", UploadId=upload,
            MultipartUpload=backwards)
    done = s3.complete_multipart_upload(Bucket=bucket, Key="m", UploadId=upload, MultipartUpload=complete)
    digest = hashlib.md5(b"".join(hashlib.md5(p).digest() for p in parts)).hexdigest()
    assert done["ETag"] == f'"{digest}-3"'
    again = s3.complete_multipart_upload(Bucket=bucket, Key="m", UploadId=upload, MultipartUpload=complete)
    assert again["ETag"] == done["ETag"]
    got = s3.get_object(Bucket=bucket, Key="m")
    assert got["Body"].read() == b"".join(parts) and got["Metadata"] == {"k": "v"} and got["ContentType"] == "a/b"
    part = s3.get_object(Bucket=bucket, Key="m", PartNumber=3)
    assert part["Body"].read() == parts[2] and part["PartsCount"] == 3
    attributes = s3.get_object_attributes(Bucket=bucket, Key="m", ObjectAttributes=["ETag", "ObjectSize", "ObjectParts"])
    assert attributes["ObjectSize"] == sum(map(len, parts)) and attributes["ObjectParts"]["TotalPartsCount"] == 3
    small = s3.create_multipart_upload(Bucket=bucket, Key="s")["UploadId"]
    small_etags = [s3.upload_part(Bucket=bucket, Key="s", UploadId=small, PartNumber=n, Body=b"x")["ETag"] for n in (1, 2)]
    refused(s3.complete_multipart_upload, "EntityTooSmall", Bucket=bucket, Key="s", UploadId=small, MultipartUpload={
        "Parts": [{"PartNumber": n, "ETag": e} for n, e in enumerate(small_etags, 1)]})
    s3.abort_multipart_upload(Bucket=bucket, Key="s", UploadId=small)
    refused(s3.list_parts, "NoSuchUpload", Bucket=bucket, Key="s", UploadId=small)
    refused(s3.get_object, "NoSuchKey", Bucket=bucket, Key="s")


def copies(s3, bucket):
    body = random.randbytes(6 * MIB)
    s3.put_object(Bucket=bucket, Key="src /ü", Body=body, Metadata={"a": "b"}, ContentType="x/y")
    source = {"Bucket": bucket, "Key": "src /ü"}
    s3.copy_object(Bucket=bucket, Key="dst", CopySource=source)
    got = s3.get_object(Bucket=bucket, Key="dst")
    assert got["Body"].read() == body and got["Metadata"] == {"a": "b"} and got["ContentType"] == "x/y"
    s3.copy_object(Bucket=bucket, Key="dst2", CopySource=source, MetadataDirective="REPLACE", Metadata={"n": "1"})
    assert s3.head_object(Bucket=bucket, Key="dst2")["Metadata"] == {"n": "1"}
    refused(s3.copy_object, "InvalidRequest", Bucket=bucket, Key="dst", CopySource={"Bucket": bucket, "Key": "dst"})
    refused(s3.copy_object, "NoSuchKey", Bucket=bucket, Key="dst", CopySource={"Bucket": bucket, "Key": "absent"})
    refused(s3.copy_object, "PreconditionFailed", Bucket=bucket, Key="dst", CopySource=source, CopySourceIfMatch='"x"')
    s3.delete_object(Bucket=bucket, Key="src /ü")
    assert s3.get_object(Bucket=bucket, Key="dst")["Body"].read() == body
    upload = s3.create_multipart_upload(Bucket=bucket, Key="pc")["UploadId"]
    one = s3.upload_part_copy(Bucket=bucket, Key="pc", UploadId=upload, PartNumber=1,
                              CopySource={"Bucket": bucket, "Key": "dst"}, CopySourceRange=f"bytes=0-{5 * MIB - 1}")
    for range_, code in ((f"bytes=0-{6 * MIB}", "InvalidRange"), ("0-4", "InvalidArgument"), ("bytes=0-", "InvalidArgument")):
        refused(s3.upload_part_copy, code, Bucket=bucket, Key="pc", UploadId=upload, PartNumber=2, CopySource={"Bucket": bucket, "Key": "dst"}, CopySourceRange=range_)
    two = s3.upload_part_copy(Bucket=bucket, Key="pc", UploadId=upload, PartNumber=2,
                              CopySource={"Bucket": bucket, "Key": "dst"}, CopySourceRange="bytes=10-19")
    s3.complete_multipart_upload(Bucket=bucket, Key="pc", UploadId=upload, MultipartUpload={"Parts": [
        {"PartNumber": 1, "ETag": one["CopyPartResult"]["ETag"]}, {"PartNumber": 2, "ETag": two["CopyPartResult"]["ETag"]}]})
    assert s3.get_object(Bucket=bucket, Key="pc")["Body"].read() == body[:5 * MIB] + body[10:20]


def deletes(s3, bucket):
    for n in range(5):
        s3.put_object(Bucket=bucket, Key=f"d{n}", Body=b"x")
    s3.delete_object(Bucket=bucket, Key="d0")
    s3.delete_object(Bucket=bucket, Key="d0")
    refused(s3.head_object, "404", Bucket=bucket, Key="d0")
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": f"d{n}"} for n in range(1, 5)] + [{"Key": "none"}]})
    assert len(answer["Deleted"]) == 5
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def checksums(s3, bucket):
    body = b"checksum me"
    sha = base64.b64encode(hashlib.sha256(body).digest()).decode()
    put = s3.put_object(Bucket=bucket, Key="ck", Body=body, ChecksumSHA256=sha)
    assert put["ChecksumSHA256"] == sha
    assert s3.head_object(Bucket=bucket, Key="ck", ChecksumMode="ENABLED")["ChecksumSHA256"] == sha
    wrong = base64.b64encode(bytes(32)).decode()
    refused(s3.put_object, "BadDigest", "XAmzContentChecksumMismatch", Bucket=bucket, Key="bad", Body=body,
            ChecksumSHA256=wrong)
    refused(s3.put_object, "BadDigest", Bucket=bucket, Key="bad", Body=body,
            ContentMD5=base64.b64encode(bytes(16)).decode())
    refused(s3.put_object, "InvalidDigest", Bucket=bucket, Key="bad", Body=body, ContentMD5="nonsense")
    refused(s3.head_object, "404", Bucket=bucket, Key="bad")
    for algorithm in ("CRC32", "SHA1", "SHA256"):
        answer = s3.put_object(Bucket=bucket, Key=f"ck-{algorithm}", Body=body, ChecksumAlgorithm=algorithm)
        assert answer[f"Checksum{algorithm}"]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts", ChecksumAlgorithm="SHA256")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=body, ChecksumAlgorithm="SHA256")
    s3.complete_multipart_upload(Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload={"Parts": [
        {"PartNumber": 1, "ETag": part["ETag"], "ChecksumSHA256": sha}]})
    whole = base64.b64encode(hashlib.sha256(hashlib.sha256(body).digest()).digest()).decode() + "-1"
    for more, want in (({}, whole), ({"PartNumber": 1}, sha)):
        head = s3.head_object(Bucket=bucket, Key="parts", ChecksumMode="ENABLED", **more)
        assert head["ChecksumSHA256"] == want and head["ResponseMetadata"]["HTTPHeaders"]["x-amz-checksum-type"] == "COMPOSITE"
    # A copy is not made of parts, so neither is its checksum: read, or put together out of those of the parts.
    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "parts"})["CopyObjectResult"]
    assert copied["ChecksumSHA256"] == sha and copied["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    halves = [random.randbytes(5 * MIB), random.randbytes(1000)]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="halves", ChecksumAlgorithm="CRC32")["UploadId"]
    done = []
    for number, half in enumerate(halves, 1):
        part = s3.upload_part(Bucket=bucket, Key="halves", UploadId=upload, PartNumber=number, Body=half, ChecksumAlgorithm="CRC32")
        done.append({"PartNumber": number, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]})
    s3.complete_multipart_upload(Bucket=bucket, Key="halves", UploadId=upload, MultipartUpload={"Parts": done})
    assert s3.head_object(Bucket=bucket, Key="halves", ChecksumMode="ENABLED")["ChecksumCRC32"].endswith("-2")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "halves"})
    head = s3.head_object(Bucket=bucket, Key="copy", ChecksumMode="ENABLED")
    assert head["ChecksumCRC32"] == base64.b64encode(zlib.crc32(b"".join(halves)).to_bytes(4, "big")).decode()
    assert head["ResponseMetadata"]["HTTPHeaders"]["x-amz-checksum-type"] == "FULL_OBJECT"
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"".join(halves)


# Of b"checksum me". The SDKs' own names; an older boto3 knows five of them, so they are sent as headers.
OF_CHECKSUM_ME = {
    "md5": base64.b64encode(hashlib.md5(b"checksum me").digest()).decode(),
    "sha1": base64.b64encode(hashlib.sha1(b"checksum me").digest()).decode(),
    "sha256": base64.b64encode(hashlib.sha256(b"checksum me").digest()).decode(),
    "sha512": base64.b64encode(hashlib.sha512(b"checksum me").digest()).decode(),
    "xxhash64": "pKA6PNPzyiE=", "xxhash3": "pYZwNTjAeHA=", "xxhash128": "03P7fPHWunAaSttSuLB3RA==",
}


def every_checksum(s3, bucket):
    def headers_of(answer):
        return answer["ResponseMetadata"]["HTTPHeaders"]
    for name, value in OF_CHECKSUM_ME.items():
        header = f"x-amz-checksum-{name}"
        put = with_header(s3, "PutObject", header, value, lambda: s3.put_object(Bucket=bucket, Key=name, Body=b"checksum me"))
        assert headers_of(put)[header] == value
        head = s3.head_object(Bucket=bucket, Key=name, ChecksumMode="ENABLED")
        assert headers_of(head)[header] == value and headers_of(head)["x-amz-checksum-type"] == "FULL_OBJECT"
        with_header(s3, "PutObject", header, value,
                    lambda: refused(s3.put_object, "BadDigest", Bucket=bucket, Key="bad", Body=b"another"))
        with_header(s3, "PutObject", header, value[4:],
                    lambda: refused(s3.put_object, "BadDigest", Bucket=bucket, Key="bad", Body=b"checksum me"))
    with_header(s3, "PutObject", "x-amz-sdk-checksum-algorithm", "SHA3",
                lambda: refused(s3.put_object, "InvalidRequest", Bucket=bucket, Key="bad", Body=b"x"))
    refused(s3.head_object, "404", Bucket=bucket, Key="bad")


def malformed_versions(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"kept")
    calls = [(s3.get_object, {}), (s3.get_object_acl, {}), (s3.put_object_acl, {"ACL": "private"}), (s3.get_object_tagging, {}),
             (s3.put_object_tagging, {"Tagging": {"TagSet": []}}), (s3.delete_object_tagging, {}), (s3.get_object_attributes, {"ObjectAttributes": ["ETag"]}),
             (s3.delete_object, {})]
    for version, message in (("nonsense", "Invalid version id specified"), ("", "Version id cannot be the empty string")):
        for call, more in calls:
            error = refused(call, "InvalidArgument", Bucket=bucket, Key="k", VersionId=version, **more)["Error"]
            assert error["Message"] == message and error["ArgumentName"] == "versionId", call
        refused(s3.head_object, "400", Bucket=bucket, Key="k", VersionId=version)
    refused(s3.copy_object, "InvalidArgument", Bucket=bucket, Key="c", CopySource=f"{bucket}/k?versionId=nonsense")
    def add_version(request, **_):
        request.url += "?versionId=null"
    s3.meta.events.register("before-sign.s3.PutObject", add_version)
    refused(s3.put_object, "InvalidArgument", Bucket=bucket, Key="k", Body=b"another")
    s3.meta.events.unregister("before-sign.s3.PutObject", add_version)
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "VersionId": "nonsense"}]})
    assert [(e["Key"], e["VersionId"], e["Code"]) for e in answer["Errors"]] == [("k", "nonsense", "NoSuchVersion")]
    refused(s3.get_object, "NoSuchVersion", Bucket=bucket, Key="k", VersionId="0" * 32)
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"kept"


def buckets(s3, bucket):
    assert bucket in [b["Name"] for b in s3.list_buckets()["Buckets"]]
    assert s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None
    s3.create_bucket(Bucket=bucket)
    refused(s3.head_bucket, "404", Bucket="no-such-bucket-here")
    refused(s3.create_bucket, "InvalidBucketName", Bucket="UPPER_case")
    refused(s3.list_objects_v2, "NoSuchBucket", Bucket="no-such-bucket-here")
    refused(s3.put_object, "NoSuchBucket", Bucket="no-such-bucket-here", Key="k", Body=b"")
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    refused(s3.delete_bucket, "BucketNotEmpty", Bucket=bucket)


def nothing_is_set(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    grants = s3.get_bucket_acl(Bucket=bucket)["Grants"]
    assert [g["Permission"] for g in grants] == ["FULL_CONTROL"]
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []
    refused(s3.get_bucket_policy, "NoSuchBucketPolicy", Bucket=bucket)
    refused(s3.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration", Bucket=bucket)
    refused(s3.get_bucket_cors, "NoSuchCORSConfiguration", Bucket=bucket)
    refused(s3.get_bucket_tagging, "NoSuchTagSet", Bucket=bucket)
    refused(s3.put_bucket_website, "NotImplemented", Bucket=bucket, WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}})
    refused(s3.put_bucket_policy, "MalformedPolicy", Bucket=bucket, Policy=json.dumps({}))


def presigned(s3, bucket):
    s3.put_object(Bucket=bucket, Key="p", Body=b"presigned")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "p"}, ExpiresIn=60)
    assert urllib.request.urlopen(url, timeout=300).read() == b"presigned"
    put = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "up"}, ExpiresIn=60)
    urllib.request.urlopen(urllib.request.Request(put, data=b"uploaded", method="PUT"), timeout=300)
    assert s3.get_object(Bucket=bucket, Key="up")["Body"].read() == b"uploaded"
    try:
        urllib.request.urlopen(url[:-1] + ("0" if url[-1] != "0" else "1"), timeout=300)
        raise AssertionError("a wrong signature was accepted")
    except urllib.error.HTTPError as error:
        assert error.code == 403


CASES = [objects_come_back, keys_are_opaque, headers_and_metadata, ranges, conditions, listings, multipart, copies, deletes,
         checksums, every_checksum, malformed_versions, buckets, nothing_is_set, presigned]


def main():
    """Runs every case on buckets of their own; for another boto3 than the one of the test runner."""
    import boto3
    from botocore.config import Config
    s3 = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"], config=Config(
        retries={"max_attempts": 1}, signature_version="s3v4", request_checksum_calculation="when_supported"))
    print("boto3", boto3.__version__)
    for case in CASES:
        bucket = "case-%08x" % random.getrandbits(32)
        s3.create_bucket(Bucket=bucket)
        case(s3, bucket)
        print("passed", case.__name__)


if __name__ == "__main__":
    sys.exit(main())
