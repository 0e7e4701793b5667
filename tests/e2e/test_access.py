"""Who may do what, seen by two accounts and by nobody: policies, ACLs, ownership, the block on public access."""
import json
import random
import urllib.error
import urllib.parse
import urllib.request

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from boto3_cases import refused
from cluster import wait_for

CONFIG = {"retries": {"max_attempts": 1}, "connect_timeout": 300, "read_timeout": 300}


class Party:
    """An account: its client, ids, and what it can do to somebody else's bucket."""

    def __init__(self, cluster, name):
        self.key, self.secret = "KEY" + name.upper(), "secret-of-" + name
        made = cluster.cli("account", "create", "--name", name, "--display-name", name.title(), "--email", name + "@example.test",
                           "--access-key", self.key, environment={"RONDEL_SECRET_KEY": self.secret})
        assert made.returncode == 0, made.stderr
        fields = {line[:14].strip(): line[14:].strip() for line in made.stdout.splitlines()}
        self.name, self.id, self.canonical_id = name, fields["account"], fields["canonical id"]
        self.s3 = boto3.client("s3", endpoint_url=cluster.endpoint, aws_access_key_id=self.key, aws_secret_access_key=self.secret,
                               region_name="us-east-1", config=Config(signature_version="s3v4", **CONFIG))


@pytest.fixture(scope="module")
def parties(cluster):
    suffix = "%06x" % random.getrandbits(24)
    nobody = boto3.client("s3", endpoint_url=cluster.endpoint, region_name="us-east-1", config=Config(signature_version=UNSIGNED, **CONFIG))
    return Party(cluster, "owner" + suffix), Party(cluster, "guest" + suffix), nobody


@pytest.fixture
def box(parties):
    """A bucket of the first account with ACLs, and one object."""
    yield from made_bucket(parties[0], ObjectOwnership="ObjectWriter")


@pytest.fixture
def modern(parties):
    """A bucket as it is made by default: without ACLs."""
    yield from made_bucket(parties[0])


def made_bucket(owner, **arguments):
    name = "access-%08x" % random.getrandbits(32)
    owner.s3.create_bucket(Bucket=name, **arguments)
    owner.s3.put_object(Bucket=name, Key="k", Body=b"kept")
    yield name
    owner.s3.delete_bucket_policy(Bucket=name)
    listed = owner.s3.list_object_versions(Bucket=name)
    for version in listed.get("Versions", []) + listed.get("DeleteMarkers", []):
        owner.s3.delete_object(Bucket=name, Key=version["Key"], VersionId=version["VersionId"])
    for upload in owner.s3.list_multipart_uploads(Bucket=name).get("Uploads", []):
        owner.s3.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
    owner.s3.delete_bucket(Bucket=name)


def allow(bucket, action, resource="/*", principal="*", effect="Allow", **more):
    return {"Effect": effect, "Principal": principal, "Action": action, "Resource": f"arn:aws:s3:::{bucket}{resource}", **more}


def put_policy(party, bucket, *statements):
    party.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))


# Name -> what a client does to (bucket, key "k"); the HTTP status says whether it may.
CALLS = {
    "ListObjectsV2": lambda s3, b: s3.list_objects_v2(Bucket=b),
    "ListObjectVersions": lambda s3, b: s3.list_object_versions(Bucket=b),
    "HeadBucket": lambda s3, b: s3.head_bucket(Bucket=b),
    "GetBucketLocation": lambda s3, b: s3.get_bucket_location(Bucket=b),
    "GetBucketAcl": lambda s3, b: s3.get_bucket_acl(Bucket=b),
    "GetBucketPolicy": lambda s3, b: s3.get_bucket_policy(Bucket=b),
    "GetBucketPolicyStatus": lambda s3, b: s3.get_bucket_policy_status(Bucket=b),
    "GetPublicAccessBlock": lambda s3, b: s3.get_public_access_block(Bucket=b),
    "PutBucketVersioning": lambda s3, b: s3.put_bucket_versioning(Bucket=b, VersioningConfiguration={"Status": "Suspended"}),
    "GetObject": lambda s3, b: s3.get_object(Bucket=b, Key="k"),
    "HeadObject": lambda s3, b: s3.head_object(Bucket=b, Key="k"),
    "GetObjectAttributes": lambda s3, b: s3.get_object_attributes(Bucket=b, Key="k", ObjectAttributes=["ETag"]),
    "GetObjectAcl": lambda s3, b: s3.get_object_acl(Bucket=b, Key="k"),
    "GetObjectTagging": lambda s3, b: s3.get_object_tagging(Bucket=b, Key="k"),
    "PutObjectTagging": lambda s3, b: s3.put_object_tagging(Bucket=b, Key="k", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}),
    "DeleteObjectTagging": lambda s3, b: s3.delete_object_tagging(Bucket=b, Key="k"),
    "CopyObject": lambda s3, b: s3.copy_object(Bucket=b, Key="copy", CopySource={"Bucket": b, "Key": "k"}),
    "CreateMultipartUpload": lambda s3, b: s3.create_multipart_upload(Bucket=b, Key="upload"),
    "PutObject": lambda s3, b: s3.put_object(Bucket=b, Key="new", Body=b""),
    "DeleteObject": lambda s3, b: s3.delete_object(Bucket=b, Key="new"),
    "DeleteBucket": lambda s3, b: s3.delete_bucket(Bucket=b),
}
# What answers to who may is not success all the same.
FAILS_ANYHOW = {"GetBucketPolicy": "NoSuchBucketPolicy", "GetPublicAccessBlock": "NoSuchPublicAccessBlockConfiguration", "DeleteBucket": "BucketNotEmpty"}


def allowed(s3, bucket):
    may = set()
    for name, call in CALLS.items():
        try:
            call(s3, bucket)
            may.add(name)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 403:
                assert error.response["Error"]["Code"] == FAILS_ANYHOW.get(name), (name, error)
                may.add(name)
    return may


READS = {"ListObjectsV2", "ListObjectVersions", "HeadBucket"}


def test_matrix(parties, box):
    owner, guest, nobody = parties
    assert allowed(owner.s3, box) == set(CALLS)
    assert allowed(guest.s3, box) == set()
    assert allowed(nobody, box) == set()
    # By ACL.
    owner.s3.put_bucket_acl(Bucket=box, ACL="public-read")
    assert allowed(guest.s3, box) == allowed(nobody, box) == READS
    owner.s3.put_bucket_acl(Bucket=box, ACL="authenticated-read")
    assert (allowed(guest.s3, box), allowed(nobody, box)) == (READS, set())
    owner.s3.put_bucket_acl(Bucket=box, GrantReadACP=f'id="{guest.canonical_id}"')
    assert (allowed(guest.s3, box), allowed(nobody, box)) == ({"GetBucketAcl"}, set())
    owner.s3.put_bucket_acl(Bucket=box, ACL="private")
    owner.s3.put_object_acl(Bucket=box, Key="k", ACL="public-read")
    assert allowed(guest.s3, box) == allowed(nobody, box) == {"GetObject", "HeadObject", "GetObjectAttributes"}
    owner.s3.put_object_acl(Bucket=box, Key="k", GrantFullControl=f'emailAddress="{guest.name}@example.test"')
    assert allowed(guest.s3, box) == {"GetObject", "HeadObject", "GetObjectAttributes", "GetObjectAcl"}
    owner.s3.put_object_acl(Bucket=box, Key="k", ACL="private")
    # By policy.
    put_policy(owner, box, allow(box, "s3:*", principal={"AWS": guest.id}), allow(box, "s3:ListBucket", "", principal={"CanonicalUser": guest.canonical_id}))
    on_objects = {"GetObject", "HeadObject", "GetObjectAttributes", "GetObjectAcl", "GetObjectTagging", "PutObjectTagging", "DeleteObjectTagging",
                  "CopyObject", "CreateMultipartUpload", "PutObject", "DeleteObject"}
    assert allowed(guest.s3, box) == on_objects | {"ListObjectsV2", "HeadBucket"}
    assert allowed(nobody, box) == set()
    put_policy(owner, box, allow(box, "s3:GetObject"))
    assert allowed(nobody, box) == {"GetObject", "HeadObject"}
    # Denied by policy: the owner too, but for the policy itself.
    put_policy(owner, box, allow(box, "s3:*", effect="Deny"), allow(box, "s3:*", "", effect="Deny"))
    assert allowed(owner.s3, box) == {"GetBucketPolicy"}
    owner.s3.delete_bucket_policy(Bucket=box)
    # By the block on public access.
    put_policy(owner, box, allow(box, ["s3:GetObject", "s3:PutObject"]))
    owner.s3.put_public_access_block(Bucket=box, PublicAccessBlockConfiguration={"RestrictPublicBuckets": True})
    assert allowed(guest.s3, box) == allowed(nobody, box) == set()
    assert allowed(owner.s3, box) == set(CALLS)


def test_a_bucket_without_acls(parties, modern):
    owner, guest, nobody = parties
    assert owner.s3.get_bucket_ownership_controls(Bucket=modern)["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    for call in (lambda: owner.s3.put_bucket_acl(Bucket=modern, ACL="public-read"), lambda: owner.s3.put_object_acl(Bucket=modern, Key="k", ACL="private"),
                 lambda: owner.s3.put_object(Bucket=modern, Key="x", ACL="public-read"), lambda: owner.s3.create_multipart_upload(Bucket=modern, Key="x", ACL="authenticated-read"),
                 lambda: owner.s3.put_object(Bucket=modern, Key="x", GrantRead=f'id="{guest.canonical_id}"')):
        refused(call, "AccessControlListNotSupported")
    owner.s3.put_object(Bucket=modern, Key="x", ACL="bucket-owner-full-control")
    refused(owner.s3.create_bucket, "InvalidBucketAclWithObjectOwnership", Bucket=modern + "-x", ACL="public-read")
    # What others write is the bucket owner's.
    put_policy(owner, modern, allow(modern, "s3:PutObject", principal={"AWS": f"arn:aws:iam::{guest.id}:root"}))
    guest.s3.put_object(Bucket=modern, Key="from-guest", Body=b"gift")
    # "private" means its sender: fine of the bucket's owner, of others it is an ACL.
    owner.s3.put_object(Bucket=modern, Key="x", ACL="private")
    refused(guest.s3.put_object, "AccessControlListNotSupported", Bucket=modern, Key="x", ACL="private")
    assert owner.s3.get_object(Bucket=modern, Key="from-guest")["Body"].read() == b"gift"
    refused(guest.s3.get_object, "AccessDenied", Bucket=modern, Key="from-guest")
    assert owner.s3.get_object_acl(Bucket=modern, Key="from-guest")["Owner"]["ID"] == owner.canonical_id


def test_objects_belong_to_who_writes_them(parties, box):
    owner, guest, nobody = parties
    owner.s3.put_bucket_acl(Bucket=box, ACL="public-read-write")
    guest.s3.put_object(Bucket=box, Key="theirs", Body=b"guest")
    nobody.put_object(Bucket=box, Key="nobodys", Body=b"anonymous")
    owners = {e["Key"]: e["Owner"] for e in owner.s3.list_objects_v2(Bucket=box, FetchOwner=True)["Contents"]}
    assert owners["k"]["ID"] == owner.canonical_id
    assert owners["theirs"] == {"ID": guest.canonical_id, "DisplayName": guest.name.title()}
    assert owners["nobodys"]["ID"] == "65a011a29cdf8ec533ec3d1ccaae921c"
    refused(owner.s3.get_object, "AccessDenied", Bucket=box, Key="theirs")
    assert guest.s3.get_object(Bucket=box, Key="theirs")["Body"].read() == b"guest"
    guest.s3.put_object_acl(Bucket=box, Key="theirs", ACL="bucket-owner-read")
    assert owner.s3.get_object(Bucket=box, Key="theirs")["Body"].read() == b"guest"
    upload = guest.s3.create_multipart_upload(Bucket=box, Key="parts", ACL="bucket-owner-full-control")["UploadId"]
    part = guest.s3.upload_part(Bucket=box, Key="parts", UploadId=upload, PartNumber=1, Body=b"part")
    assert guest.s3.list_parts(Bucket=box, Key="parts", UploadId=upload)["Owner"]["ID"] == guest.canonical_id
    refused(nobody.list_parts, "AccessDenied", Bucket=box, Key="parts", UploadId=upload)
    guest.s3.complete_multipart_upload(Bucket=box, Key="parts", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    assert owner.s3.get_object(Bucket=box, Key="parts")["Body"].read() == b"part"
    owner.s3.delete_bucket_ownership_controls(Bucket=box)
    refused(owner.s3.get_bucket_ownership_controls, "OwnershipControlsNotFoundError", Bucket=box)
    guest.s3.put_object(Bucket=box, Key="still-theirs", Body=b"guest")
    refused(owner.s3.get_object, "AccessDenied", Bucket=box, Key="still-theirs")
    owner.s3.put_bucket_ownership_controls(Bucket=box, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]})
    guest.s3.put_object(Bucket=box, Key="given", Body=b"", ACL="bucket-owner-full-control")
    assert owner.s3.get_object_acl(Bucket=box, Key="given")["Owner"]["ID"] == owner.canonical_id


def test_deletes_are_decided_key_by_key(parties, box):
    owner, guest, _ = parties
    for key in ("open/1", "closed/1"):
        owner.s3.put_object(Bucket=box, Key=key, Body=b"")
    put_policy(owner, box, allow(box, "s3:DeleteObject", "/open/*", principal={"AWS": guest.id}))
    answer = guest.s3.delete_objects(Bucket=box, Delete={"Objects": [{"Key": "open/1"}, {"Key": "closed/1"}, {"Key": "open/1", "VersionId": "null"}]})
    assert [d["Key"] for d in answer["Deleted"]] == ["open/1"]
    assert {(e["Key"], e["Code"]) for e in answer["Errors"]} == {("closed/1", "AccessDenied"), ("open/1", "AccessDenied")}
    assert owner.s3.head_object(Bucket=box, Key="closed/1")


def test_copies_ask_both_sides(parties, box):
    owner, guest, _ = parties
    mine = next(iter(target := made_bucket(guest)))
    source = {"Bucket": box, "Key": "k"}
    refused(guest.s3.copy_object, "AccessDenied", Bucket=mine, Key="copied", CopySource=source)
    put_policy(owner, box, allow(box, "s3:GetObject", principal={"AWS": guest.id}))
    guest.s3.copy_object(Bucket=mine, Key="copied", CopySource=source)
    assert guest.s3.get_object(Bucket=mine, Key="copied")["Body"].read() == b"kept"
    # Nothing there: said only to who may list.
    refused(guest.s3.copy_object, "AccessDenied", Bucket=mine, Key="copied", CopySource={"Bucket": box, "Key": "absent"})
    # Tags are read with a permission of their own.
    owner.s3.put_object_tagging(Bucket=box, Key="k", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    refused(guest.s3.copy_object, "AccessDenied", Bucket=mine, Key="copied", CopySource=source)
    guest.s3.copy_object(Bucket=mine, Key="copied", CopySource=source, TaggingDirective="REPLACE")
    upload = guest.s3.create_multipart_upload(Bucket=mine, Key="parts")["UploadId"]
    guest.s3.upload_part_copy(Bucket=mine, Key="parts", UploadId=upload, PartNumber=1, CopySource=source)
    refused(guest.s3.upload_part_copy, "AccessDenied", Bucket=mine, Key="parts", UploadId=upload, PartNumber=1, CopySource={"Bucket": box, "Key": "other"})
    refused(guest.s3.copy_object, "AccessDenied", Bucket=box, Key="back", CopySource={"Bucket": mine, "Key": "copied"})
    next(target, None)


def test_absence_is_told_to_who_may_list(parties, box):
    owner, guest, nobody = parties
    put_policy(owner, box, allow(box, "s3:GetObject"))
    assert refused(nobody.get_object, "AccessDenied", Bucket=box, Key="absent")
    put_policy(owner, box, allow(box, "s3:ListBucket", "", Condition={"StringLike": {"s3:prefix": "open/*"}}))
    refused(nobody.get_object, "NoSuchKey", Bucket=box, Key="open/absent")
    refused(nobody.get_object, "AccessDenied", Bucket=box, Key="closed/absent")
    refused(nobody.get_object, "AccessDenied", Bucket=box, Key="k")


def test_conditions_of_the_request(parties, box, cluster):
    owner, guest, nobody = parties
    put_policy(owner, box, allow(box, "s3:GetObject", Condition={"StringLike": {"aws:Referer": "http://good.example/*"}}))
    url = f"{cluster.endpoint}/{box}/k"
    def status(**headers):
        try:
            return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=300).status
        except urllib.error.HTTPError as error:
            return error.code
    assert (status(), status(Referer="http://good.example/page"), status(Referer="http://evil.example/")) == (403, 200, 403)
    put_policy(owner, box, allow(box, "s3:GetObject", Condition={"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}, "Bool": {"aws:SecureTransport": "false"}}))
    assert status() == 200
    put_policy(owner, box, allow(box, "s3:GetObject", Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}))
    assert status() == 403
    # Tags of the object that is there, and of the one that comes.
    put_policy(owner, box, allow(box, "s3:GetObject", Condition={"StringEquals": {"s3:ExistingObjectTag/open": "yes"}}),
               allow(box, ["s3:PutObject", "s3:PutObjectTagging"], principal={"AWS": guest.id}, Condition={"StringEquals": {"s3:RequestObjectTag/team": "guest"}}))
    assert status() == 403
    owner.s3.put_object_tagging(Bucket=box, Key="k", Tagging={"TagSet": [{"Key": "open", "Value": "yes"}]})
    assert status() == 200
    refused(guest.s3.put_object, "AccessDenied", Bucket=box, Key="t", Body=b"")
    guest.s3.put_object(Bucket=box, Key="t", Body=b"", Tagging="team=guest")
    refused(guest.s3.put_object_tagging, "AccessDenied", Bucket=box, Key="k", Tagging={"TagSet": [{"Key": "team", "Value": "other"}]})
    guest.s3.put_object_tagging(Bucket=box, Key="k", Tagging={"TagSet": [{"Key": "team", "Value": "guest"}]})


def test_policies_are_checked_before_they_are_kept(parties, box):
    owner, _, _ = parties
    def put(text):
        owner.s3.put_bucket_policy(Bucket=box, Policy=text)
    for text, message in (("[]", "first byte must be"), ("{", "invalid Json"), (json.dumps({"Statement": allow("other-box", "s3:GetObject")}), "invalid resource"),
                          (json.dumps({"Statement": allow(box, "s3:Frobnicate")}), "invalid action"),
                          (json.dumps({"Statement": allow(box, "s3:GetObject", principal={"AWS": "000000000000"})}), "Invalid principal"),
                          ("{" + " " * (20 << 10) + "}", "maximum allowed document size")):
        answer = refused(lambda text=text: put(text), "MalformedPolicy")
        assert message in answer["Error"]["Message"], answer["Error"]
    refused(owner.s3.get_bucket_policy, "NoSuchBucketPolicy", Bucket=box)
    text = json.dumps({"Version": "2012-10-17", "Statement": allow(box, "s3:GetObject")}, indent=1)
    put(text)
    assert owner.s3.get_bucket_policy(Bucket=box)["Policy"] == text
    assert owner.s3.get_bucket_policy_status(Bucket=box)["PolicyStatus"]["IsPublic"] is True


def test_acls_are_checked_before_they_are_kept(parties, box):
    owner, guest, _ = parties
    acl = owner.s3.get_bucket_acl(Bucket=box)
    def put(owner_id=owner.canonical_id, **grantee):
        owner.s3.put_bucket_acl(Bucket=box, AccessControlPolicy={"Owner": {"ID": owner_id}, "Grants": [{"Grantee": grantee, "Permission": "READ"}]})
    refused(lambda: put(Type="CanonicalUser", ID="nobody"), "InvalidArgument")
    refused(lambda: put(Type="AmazonCustomerByEmail", EmailAddress="nobody@example.test"), "UnresolvableGrantByEmailAddress")
    refused(lambda: put(Type="Group", URI="http://example.test/all"), "InvalidArgument")
    refused(lambda: put(owner_id=guest.canonical_id, Type="CanonicalUser", ID=guest.canonical_id), "AccessDenied")
    refused(owner.s3.put_bucket_acl, "InvalidRequest", Bucket=box, ACL="private", GrantRead=f'id="{guest.canonical_id}"')
    refused(owner.s3.put_bucket_acl, "InvalidArgument", Bucket=box, ACL="perhaps")
    assert owner.s3.get_bucket_acl(Bucket=box)["Grants"] == acl["Grants"]
    put(Type="CanonicalUser", ID=guest.canonical_id)
    assert owner.s3.get_bucket_acl(Bucket=box)["Grants"] == [
        {"Grantee": {"ID": guest.canonical_id, "DisplayName": guest.name.title(), "Type": "CanonicalUser"}, "Permission": "READ"}]
    owner.s3.put_bucket_acl(Bucket=box, ACL="private")


def test_public_access_block_of_bucket_and_account(parties, box, cluster):
    owner, guest, nobody = parties
    refused(owner.s3.get_public_access_block, "NoSuchPublicAccessBlockConfiguration", Bucket=box)
    owner.s3.put_public_access_block(Bucket=box, PublicAccessBlockConfiguration={"BlockPublicAcls": True, "BlockPublicPolicy": True})
    refused(owner.s3.put_bucket_acl, "AccessDenied", Bucket=box, ACL="public-read")
    refused(owner.s3.put_object, "AccessDenied", Bucket=box, Key="x", Body=b"", ACL="authenticated-read")
    refused(lambda: put_policy(owner, box, allow(box, "s3:GetObject")), "AccessDenied")
    put_policy(owner, box, allow(box, "s3:GetObject", principal={"AWS": guest.id}))
    owner.s3.delete_public_access_block(Bucket=box)
    owner.s3.put_object(Bucket=box, Key="open", Body=b"", ACL="public-read")
    assert nobody.head_object(Bucket=box, Key="open")
    said = cluster.cli("account", "public-access-block", owner.name, "--ignore-public-acls", "true", "--block-public-acls", "true")
    assert said.returncode == 0 and "ignore-public-acls       on" in said.stdout, said.stdout + said.stderr
    def is_refused():
        try:
            nobody.head_object(Bucket=box, Key="open")
        except ClientError:
            return True
    wait_for(is_refused, 5, "the account's block to be known")
    refused(owner.s3.create_bucket, "AccessDenied", Bucket=box + "-pub", ACL="public-read", ObjectOwnership="ObjectWriter")
    assert cluster.cli("account", "public-access-block", owner.name, "--ignore-public-acls", "false", "--block-public-acls", "false").returncode == 0


def test_accounts_see_their_own_buckets(parties, box):
    owner, guest, nobody = parties
    assert box in [b["Name"] for b in owner.s3.list_buckets()["Buckets"]]
    assert box not in [b["Name"] for b in guest.s3.list_buckets()["Buckets"]]
    refused(nobody.list_buckets, "AccessDenied")
    refused(nobody.create_bucket, "AccessDenied", Bucket="nobodys-bucket")
    refused(guest.s3.create_bucket, "BucketAlreadyExists", Bucket=box)
