"""What is decided is what is committed: rights, settings and keys are taken away while a request is held open; one header or URL is used for another purpose."""
import base64
import concurrent.futures
import hashlib
import json
import random
import socket
import urllib.parse

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config

import raw
import signing
from attackers import Hold
from boto3_cases import refused
from cluster import Cluster, wait_for
from test_access import Party

CONFIG = {"retries": {"max_attempts": 1}, "connect_timeout": 300, "read_timeout": 300}
LIFECYCLE = (b'<LifecycleConfiguration><Rule><ID>r</ID><Filter><Prefix></Prefix></Filter><Status>Enabled</Status>'
             b'<Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>')


@pytest.fixture(scope="module")
def own():
    made = Cluster(options=["s3.signature_v2=true"])
    started = made.up()
    assert started.returncode == 0, started.stdout + started.stderr
    yield made
    made.wipe()


@pytest.fixture(scope="module")
def parties(own):
    nobody = boto3.client("s3", endpoint_url=own.endpoint, region_name="us-east-1", config=Config(signature_version=UNSIGNED, **CONFIG))
    return Party(own, "alice"), Party(own, "bob"), nobody


@pytest.fixture
def box(parties):
    """Alice's, with ACLs, an object, and everything allowed to bob."""
    alice, bob, _ = parties
    name = "decided-%08x" % random.getrandbits(32)
    alice.s3.create_bucket(Bucket=name, ObjectOwnership="ObjectWriter")
    alice.s3.put_object(Bucket=name, Key="k", Body=b"kept")
    alice.s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": bob.id}, "Action": "s3:*", "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]}]}))
    return name


class Held:
    """A request whose head and half of whose body are sent."""

    def __init__(self, cluster, party, method, path, query=(), headers=None, body=b""):
        url = urllib.parse.urlsplit(cluster.endpoint)
        env = {"AWS_ACCESS_KEY_ID": party.key, "AWS_SECRET_ACCESS_KEY": party.secret, "AWS_REGION": "us-east-1"}
        signed = signing.sign(env, method, path, list(query), {"host": url.netloc.encode(), **(headers or {})}, body)
        self.rest = body[len(body) // 2:]
        self.socket = socket.create_connection((url.hostname, url.port), timeout=300)
        target = signing.encode_path(path) + ("?" + signing.encode_query(query) if query else "")
        head = f"{method} {target} HTTP/1.1\r\n".encode()
        head += b"".join(name.encode() + b": " + value + b"\r\n" for name, value in signed.items())
        self.socket.sendall(head + b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body) + body[:len(body) // 2])

    def end(self):
        self.socket.sendall(self.rest)
        answer = b""
        while part := self.socket.recv(65536):
            answer += part
        self.socket.close()
        status = int(answer.split(b" ", 2)[1])
        code = answer.partition(b"<Code>")[2].partition(b"</Code>")[0].decode()
        return status, code


def switch(own, party, word):
    done = own.cli("account", "key", word, party.key, *(["--force"] if word == "disable" else []))
    assert done.returncode == 0, done.stderr


def test_nothing_becomes_public_behind_a_block(own, parties, box):
    alice, _, nobody = parties
    public = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{box}/*"}]})
    acl = (f'<AccessControlPolicy><Owner><ID>{alice.canonical_id}</ID></Owner><AccessControlList><Grant>'
           '<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group"><URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee>'
           '<Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>').encode()
    held = [Held(own, alice, "PUT", f"/{box}", [(b"policy", b"")], body=public.encode()),
            Held(own, alice, "PUT", f"/{box}", [(b"acl", b"")], body=acl),
            Held(own, alice, "PUT", f"/{box}/k", [(b"acl", b"")], body=acl),
            Held(own, alice, "PUT", f"/{box}/public", headers={"x-amz-acl": b"public-read"}, body=b"everybody's")]
    alice.s3.put_public_access_block(Bucket=box, PublicAccessBlockConfiguration={"BlockPublicAcls": True, "BlockPublicPolicy": True})
    assert [one.end() for one in held] == [(403, "AccessDenied")] * 4
    alice.s3.delete_public_access_block(Bucket=box)
    refused(nobody.get_object, "AccessDenied", Bucket=box, Key="k")
    refused(nobody.list_objects_v2, "AccessDenied", Bucket=box)
    refused(alice.s3.get_object, "NoSuchKey", Bucket=box, Key="public")


def test_a_disabled_key_finishes_nothing(own, parties, box):
    alice, bob, _ = parties
    upload = bob.s3.create_multipart_upload(Bucket=box, Key="up")["UploadId"]
    part = bob.s3.upload_part(Bucket=box, Key="up", UploadId=upload, PartNumber=1, Body=b"part")["ETag"]
    complete = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{part}</ETag></Part></CompleteMultipartUpload>".encode()
    batch = b"<Delete><Object><Key>k</Key></Object></Delete>"
    digest = {"content-md5": base64.b64encode(hashlib.md5(batch).digest())}
    held = [Held(own, bob, "PUT", f"/{box}", [(b"lifecycle", b"")], body=LIFECYCLE),
            Held(own, bob, "PUT", f"/{box}/new", body=b"x" * 100_000),
            Held(own, bob, "POST", f"/{box}/up", [(b"uploadId", upload.encode())], body=complete),
            Held(own, bob, "POST", f"/{box}", [(b"delete", b"")], headers=digest, body=batch),
            Held(own, bob, "PUT", f"/{box}/up", [(b"partNumber", b"2"), (b"uploadId", upload.encode())], body=b"y" * 100_000)]
    switch(own, bob, "disable")
    try:
        assert [one.end() for one in held] == [(403, "InvalidAccessKeyId")] * 5
    finally:
        switch(own, bob, "enable")
    refused(alice.s3.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration", Bucket=box)
    assert [one["Key"] for one in alice.s3.list_objects_v2(Bucket=box)["Contents"]] == ["k"]
    assert len(bob.s3.list_parts(Bucket=box, Key="up", UploadId=upload)["Parts"]) == 1


def test_a_right_that_was_taken_away_finishes_nothing(own, parties, box):
    alice, bob, _ = parties
    held = [Held(own, bob, "PUT", f"/{box}", [(b"lifecycle", b"")], body=LIFECYCLE), Held(own, bob, "PUT", f"/{box}/new", body=b"x" * 100_000)]
    alice.s3.delete_bucket_policy(Bucket=box)
    assert [one.end() for one in held] == [(403, "AccessDenied")] * 2
    assert [one["Key"] for one in alice.s3.list_objects_v2(Bucket=box)["Contents"]] == ["k"]


def part_of(bob, bucket, **sealed):
    upload = bob.s3.create_multipart_upload(Bucket=bucket, Key="n", **sealed)["UploadId"]
    return lambda box: bob.s3.upload_part_copy(Bucket=bucket, Key="n", UploadId=upload, PartNumber=1, CopySource={"Bucket": box, "Key": "k"})


def renamed(bob, box):
    def name(request, **_):
        request.headers["x-amz-rename-source"] = f"/{box}/k"
        request.url += "?renameObject"

    bob.s3.meta.events.register("before-sign.s3.PutObject", name)
    try:
        bob.s3.put_object(Bucket=box, Key="n")
    finally:
        bob.s3.meta.events.unregister("before-sign.s3.PutObject", name)


# What bob may do because of what alice's object says of him: given his own bucket, what he asks of hers.
BY_THE_OBJECT = {
    "copy": lambda bob, own: lambda box: bob.s3.copy_object(Bucket=own, Key="n", CopySource={"Bucket": box, "Key": "k"}, TaggingDirective="REPLACE"),
    "copy under another key": lambda bob, own: lambda box: bob.s3.copy_object(Bucket=own, Key="n", CopySource={"Bucket": box, "Key": "k"},
                                                                             TaggingDirective="REPLACE", ServerSideEncryption="AES256"),
    "part copy": part_of,
    "part copy under another key": lambda bob, own: part_of(bob, own, ServerSideEncryption="AES256"),
    "rename": lambda bob, own: lambda box: renamed(bob, box),
    "acl": lambda bob, own: lambda box: bob.s3.put_object_acl(Bucket=box, Key="k", ACL="public-read"),
    "tags": lambda bob, own: lambda box: bob.s3.put_object_tagging(Bucket=box, Key="k", Tagging={"TagSet": [{"Key": "for", "Value": "all"}]}),
}


@pytest.mark.parametrize("name", BY_THE_OBJECT)
def test_what_an_object_allowed_ends_with_its_acl_and_tags(own, parties, box, name):
    alice, bob, _ = parties
    alice.s3.put_bucket_policy(Bucket=box, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": bob.id}, "Action": ["s3:PutObject", "s3:DeleteObject"], "Resource": f"arn:aws:s3:::{box}/*"},
        {"Effect": "Allow", "Principal": {"AWS": bob.id}, "Action": "s3:PutObjectTagging", "Resource": f"arn:aws:s3:::{box}/*",
         "Condition": {"StringEquals": {"s3:ExistingObjectTag/for": "bob"}}}]}))
    mine = "bobs-%08x" % random.getrandbits(32)
    bob.s3.create_bucket(Bucket=mine)
    bucket_id = own.sql(f"select id from buckets where name = '{box}'")
    change = f"update objects set attributes.acl = null, attributes.tags = null where bucket_id = {bucket_id} and key = 'k'"
    for ends, word in (("rollback", "OK"), ("commit", "AccessDenied")):
        alice.s3.put_object(Bucket=box, Key="k", Body=b"kept", Tagging="for=bob", GrantRead=f"id={bob.canonical_id}",
                            GrantWriteACP=f"id={bob.canonical_id}")
        act = BY_THE_OBJECT[name](bob, mine)
        hold = Hold(own, change)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            asked = pool.submit(act, box) if word == "OK" else pool.submit(refused, lambda: act(box), word)
            wait_for(lambda: own.sql("select count(*) from pg_locks where not granted") != "0", 20, "nobody waits for the row")
            hold.let_go(ends)
            asked.result(timeout=300)


@pytest.mark.parametrize("name", [name for name in BY_THE_OBJECT if "copy" in name])
def test_a_copy_is_of_one_version_of_its_source(own, parties, box, name):
    """What is written over between the look at it and the commit is looked at again: a client that set no condition is told of none."""
    alice, bob, _ = parties
    alice.s3.put_object(Bucket=box, Key="k", Body=b"kept", GrantRead=f"id={bob.canonical_id}")
    mine = "bobs-%08x" % random.getrandbits(32)
    bob.s3.create_bucket(Bucket=mine)
    bucket_id = own.sql(f"select id from buckets where name = '{box}'")
    act = BY_THE_OBJECT[name](bob, mine)
    hold = Hold(own, f"update objects set etag = 'another' where bucket_id = {bucket_id} and key = 'k'")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(act, box)
        wait_for(lambda: own.sql("select count(*) from pg_locks where not granted") != "0", 20, "nobody waits for the row")
        hold.let_go("commit")
        assert asked.result(timeout=300)["ResponseMetadata"]["HTTPStatusCode"] == 200


def lines(own, path, fields, method="PUT", party=None):
    """A signed request whose fields may come in several lines."""
    url = urllib.parse.urlsplit(own.endpoint)
    joined = {}
    for name, value in fields:
        joined[name] = joined[name] + b"," + value if name in joined else value
    env = {"AWS_ACCESS_KEY_ID": party.key, "AWS_SECRET_ACCESS_KEY": party.secret, "AWS_REGION": "us-east-1"}
    signed = signing.sign(env, method, path, [], {"host": url.netloc.encode(), **joined})
    head = f"{method} {path} HTTP/1.1\r\n".encode()
    head += b"".join(name.encode() + b": " + value + b"\r\n" for name, value in [*((n, v) for n, v in signed.items() if n not in joined), *fields])
    with socket.create_connection((url.hostname, url.port), timeout=300) as connection:
        connection.sendall(head + b"content-length: 0\r\nconnection: close\r\n\r\n")
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return int(answer.split(b" ", 2)[1]), answer.partition(b"<Code>")[2].partition(b"</Code>")[0].decode()


def test_a_denial_by_a_header_is_not_evaded_by_repeating_it(own, parties, box):
    alice, bob, nobody = parties
    alice.s3.put_bucket_policy(Bucket=box, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": bob.id}, "Action": "s3:*", "Resource": f"arn:aws:s3:::{box}/*"},
        {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{box}/*",
         "Condition": {"StringLike": {"s3:x-amz-grant-read": "*AllUsers*"}}},
        {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{box}/*", "Condition": {"StringEquals": {"s3:x-amz-acl": "public-read"}}}]}))
    everybody = b'uri="http://acs.amazonaws.com/groups/global/AllUsers"'
    somebody = b'id="%s"' % bob.canonical_id.encode()
    for grants in ([somebody, everybody], [everybody, somebody], [everybody]):
        assert lines(own, f"/{box}/evaded", [("x-amz-grant-read", one) for one in grants], party=bob) == (403, "AccessDenied")
    assert lines(own, f"/{box}/evaded", [("x-amz-acl", b"private"), ("x-amz-acl", b"public-read")], party=bob) == (400, "InvalidArgument")
    refused(nobody.get_object, "AccessDenied", Bucket=box, Key="evaded")
    assert lines(own, f"/{box}/meta", [("x-amz-meta-a", b"1"), ("x-amz-meta-a", b"2")], party=bob) == (200, "")
    assert bob.s3.head_object(Bucket=box, Key="meta")["Metadata"] == {"a": "1,2"}


def test_a_denial_by_a_date_is_not_evaded_by_its_form(own, parties):
    alice, bob, _ = parties
    name = "locked-%08x" % random.getrandbits(32)
    alice.s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    alice.s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": bob.id}, "Action": "s3:*", "Resource": f"arn:aws:s3:::{name}/*"},
        {"Effect": "Deny", "Principal": "*", "Action": ["s3:PutObject", "s3:PutObjectRetention"], "Resource": f"arn:aws:s3:::{name}/*",
         "Condition": {"NumericGreaterThan": {"s3:object-lock-remaining-retention-days": "30"}}}]}))
    for text in (b"2046-01-01T00:00:00Z", b"2046-01-01T00:00:00.000Z", b"2046-01-01T02:00:00+02:00", b"2046-01-01", b"20460101T000000Z",
                 b"Mon, 01 Jan 2046 00:00:00 GMT", b"Monday, 01-Jan-46 00:00:00 GMT", b"Mon Jan  1 00:00:00 2046", b"2398377600", b"tomorrow"):
        status, _ = lines(own, f"/{name}/k", [("content-md5", b"1B2M2Y8AsgTpgAmY7PhCfg=="), ("x-amz-object-lock-mode", b"COMPLIANCE"),
                                              ("x-amz-object-lock-retain-until-date", text)], party=bob)
        assert status in (400, 403), text
    assert alice.s3.list_object_versions(Bucket=name).get("Versions", []) == []


def test_an_older_signature_is_good_for_one_operation(own, parties, box):
    alice, _, _ = parties
    older = boto3.client("s3", endpoint_url=own.endpoint, aws_access_key_id=alice.key, aws_secret_access_key=alice.secret, region_name="us-east-1",
                         config=Config(signature_version="s3", s3={"addressing_style": "path"}, **CONFIG))
    selectors = ["acl", "policy", "policyStatus", "encryption", "publicAccessBlock", "ownershipControls", "tagging", "versioning", "lifecycle", "cors", "object-lock", "requestPayment",
                 "retention", "legal-hold", "attributes", "renameObject", "uploads", "delete", "abac", "metadataTable", "intelligent-tiering", "notification", "location"]
    for method, operation, arguments in (("GET", "get_object", {"Key": "k"}), ("PUT", "put_object", {"Key": "k"}), ("DELETE", "delete_object", {"Key": "k"}),
                                         ("GET", "list_objects", {}), ("DELETE", "delete_bucket", {}), ("PUT", "create_bucket", {})):
        url = older.generate_presigned_url(operation, Params={"Bucket": box, **arguments}, ExpiresIn=60)[len(own.endpoint):]
        for selector in selectors:
            answer = raw.send(own.endpoint, method, url + "&" + selector, body=None if method == "GET" else b"")
            assert answer.status in (400, 403, 405), (operation, selector, answer.status)
        assert raw.send(own.endpoint, method, url + "&response-content-type=a", body=None if method == "GET" else b"").code() == "SignatureDoesNotMatch"
    assert alice.s3.get_object(Bucket=box, Key="k")["Body"].read() == b"kept"


def test_a_key_of_another_account_encrypts_and_opens_nothing(own, parties, box):
    alice, bob, _ = parties
    def kms(*words):
        done = own.cli("kms", "--data", str(own.data), *words)
        assert done.returncode == 0, done.stderr
    key = "alices-%08x" % random.getrandbits(32)
    kms("create", key, "--account", "alice")
    alice.s3.put_object(Bucket=box, Key="sealed", Body=b"secret", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    alice.s3.put_object(Bucket=box, Key="bucket-key", Body=b"secret", ServerSideEncryption="aws:kms", SSEKMSKeyId=key, BucketKeyEnabled=True)
    for name in (key, "alias/" + key, f"arn:aws:kms:us-east-1:{bob.id}:key/{key}"):
        under = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": name}
        refused(bob.s3.put_object, "AccessDenied", Bucket=box, Key="n", Body=b"x", **under)
        refused(bob.s3.put_object, "AccessDenied", Bucket=box, Key="n", Body=b"x", BucketKeyEnabled=True, **under)
        refused(bob.s3.create_multipart_upload, "AccessDenied", Bucket=box, Key="n", **under)
        refused(bob.s3.copy_object, "AccessDenied", Bucket=box, Key="n", CopySource={"Bucket": box, "Key": "k"}, **under)
        refused(bob.s3.put_bucket_encryption, "AccessDenied", Bucket=box, ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": name}}]})
    for sealed in ("sealed", "bucket-key"):
        refused(bob.s3.get_object, "AccessDenied", Bucket=box, Key=sealed)
        refused(bob.s3.copy_object, "AccessDenied", Bucket=box, Key="n", CopySource={"Bucket": box, "Key": sealed})
    alice.s3.put_bucket_encryption(Bucket=box, ServerSideEncryptionConfiguration={
        "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}]})
    refused(bob.s3.put_object, "AccessDenied", Bucket=box, Key="n", Body=b"x")
    kms("grant", key, "bob", "--operations", "generate-data-key")
    bob.s3.put_object(Bucket=box, Key="granted", Body=b"x")
    refused(bob.s3.get_object, "AccessDenied", Bucket=box, Key="granted")
    held = Held(own, bob, "PUT", f"/{box}/revoked", body=b"x" * 100_000)
    kms("revoke", key, "bob")
    assert held.end() == (403, "AccessDenied")
    kms("grant", key, "bob", "--operations", "decrypt")
    assert bob.s3.get_object(Bucket=box, Key="sealed")["Body"].read() == b"secret"
    refused(alice.s3.get_object, "NoSuchKey", Bucket=box, Key="revoked")


def test_a_name_is_no_principal(parties, box):
    alice, bob, _ = parties
    def policy(effect, principal):
        return json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": effect, "Principal": {"AWS": principal}, "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{box}/*"}]})

    for effect, principal in (("Allow", "bob"), ("Deny", "bob"), ("Deny", "arn:aws:iam::bob:root")):
        refused(alice.s3.put_bucket_policy, "MalformedPolicy", Bucket=box, Policy=policy(effect, principal))
    alice.s3.put_bucket_policy(Bucket=box, Policy=policy("Allow", "arn:aws:iam::bob:root"))
    refused(bob.s3.get_object, "AccessDenied", Bucket=box, Key="k")
