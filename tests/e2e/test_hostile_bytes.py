"""Every operation that there is, with bytes that are no text in every header and parameter that any operation knows: an answer that is no 5xx, and nobody else's request fails."""
import base64
import hashlib
import os
import pathlib
import random
import re

from test_bad_bytes import DOCUMENTS, ENCODED, VALUES, expect_no_fault, neighbours, send, target  # noqa: F401

LIST = pathlib.Path(__file__).parents[2] / "gateway" / "s3" / "operation_list.h"
HEADERS = [
    "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "Range", "Content-MD5", "Content-Type", "Content-Encoding", "Content-Language", "Expires", "Origin",
    "Referer", "User-Agent", "X-Forwarded-For", "x-amz-acl", "x-amz-grant-full-control", "x-amz-tagging", "x-amz-tagging-directive", "x-amz-metadata-directive", "x-amz-copy-source",
    "x-amz-copy-source-if-match", "x-amz-copy-source-if-modified-since", "x-amz-copy-source-range", "x-amz-rename-source", "x-amz-rename-source-if-match",
    "x-amz-rename-source-if-unmodified-since", "x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner", "x-amz-request-payer", "x-amz-mfa", "x-amz-if-match-size",
    "x-amz-if-match-last-modified-time", "x-amz-write-offset-bytes", "x-amz-server-side-encryption", "x-amz-server-side-encryption-context",
    "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-server-side-encryption-customer-key", "x-amz-server-side-encryption-bucket-key-enabled", "x-amz-object-lock-mode",
    "x-amz-object-lock-retain-until-date", "x-amz-object-lock-legal-hold", "x-amz-bypass-governance-retention", "x-amz-object-ownership", "x-amz-bucket-object-lock-enabled",
    "x-amz-object-attributes", "x-amz-max-parts", "x-amz-part-number-marker", "x-amz-checksum-algorithm", "x-amz-checksum-type", "x-amz-checksum-crc64nvme", "x-amz-checksum-mode",
    "x-amz-sdk-checksum-algorithm", "x-amz-mp-object-size", "x-amz-website-redirect-location", "x-amz-security-token", "x-amz-optional-object-attributes", "x-amz-meta-a",
    "x-amz-storage-class", "x-amz-decoded-content-length", "x-amz-trailer"]
PARAMETERS = [
    "prefix", "delimiter", "marker", "key-marker", "version-id-marker", "upload-id-marker", "start-after", "continuation-token", "encoding-type", "max-keys", "max-uploads", "max-parts",
    "max-buckets", "part-number-marker", "bucket-region", "fetch-owner", "versionId", "uploadId", "partNumber", "id", "select-type", "response-content-type",
    "response-content-disposition", "response-expires", "x-id", "key", "any"]
DOCUMENT = (b"<Tagging><TagSet><Tag><Key>%s</Key></Tag></TagSet></Tagging>", b"<AccessControlPolicy><Owner><ID>%s</ID></Owner></AccessControlPolicy>", b"%s",
            b"<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>%s</RetainUntilDate></Retention>", b'{"Statement":[{"Effect":"Allow","Principal":"%s","Action":"%s","Resource":"%s"}]}',
            b"<CreateBucketConfiguration><LocationConstraint>%s</LocationConstraint></CreateBucketConfiguration>", b"<LegalHold><Status>%s</Status></LegalHold>",
            b"<ObjectLockConfiguration><ObjectLockEnabled>%s</ObjectLockEnabled></ObjectLockConfiguration>",
            b"<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>%s</AllowedOrigin><AllowedHeader>%s</AllowedHeader></CORSRule></CORSConfiguration>",
            b"<VersioningConfiguration><Status>%s</Status></VersioningConfiguration>")
BLANKS = {"empty": b"", "blank": b" ", "tab": b"\t"}
REQUESTS = int(os.environ.get("RONDEL_TEST_REQUESTS", "600"))


def operations():
    """Name, method, level and selector of each."""
    found = re.findall(r'RONDEL_S3_OPERATION\((\w+), "(\w+)", (\w+),\s*"([\w-]*)"', LIST.read_text())
    assert len(found) > 90, "the table has another form now"
    return found


def test_every_operation(cluster, target, neighbours):  # noqa: F811
    seed = random.getrandbits(32)
    print("seed", seed)
    dice = random.Random(seed)
    every = operations()
    places = [("header", name) for name in HEADERS] + [("parameter", name) for name in PARAMETERS] + [("document", text) for text in DOCUMENT]
    for number in range(REQUESTS):
        name, method, level, selector = every[number % len(every)]
        if name == "DeleteBucket":
            continue
        place, field = dice.choice(places)
        path = {"kService": b"/", "kBucket": b"/" + target["bucket"].encode()}.get(level, b"/" + target["bucket"].encode() + b"/" + dice.choice([b"there", b"parts", b"absent"]))
        headers, query, body = {}, [], b""
        if selector.startswith("x-amz-"):
            headers[selector] = b"/" + target["bucket"].encode() + b"/there"
        elif selector == "uploadId":
            query = [(b"uploadId", target["upload"].encode()), (b"partNumber", b"1")]
        elif selector:
            query = [(selector.encode(), b"2" if selector == "list-type" else b"")]
        if name == "UploadPartCopy":
            headers["x-amz-copy-source"] = b"/" + target["bucket"].encode() + b"/there"
        if name == "RenameObject":
            headers["x-amz-rename-source"] = b"/" + target["bucket"].encode() + b"/away"
        value, data = dice.choice(list({"header": VALUES | BLANKS, "parameter": ENCODED | BLANKS, "document": DOCUMENTS | BLANKS}[place].items()))
        if place == "header":
            headers[field] = data
        elif place == "parameter":
            query = [one for one in query if one[0] != field.encode()] + [(field.encode(), data)]
        else:
            body = field.replace(b"%s", data)
            headers["content-md5"] = base64.b64encode(hashlib.md5(body).digest())
        answer = send(cluster, method, path, query, headers, body)
        expect_no_fault(answer, (seed, number, name, place, field, value))
