"""Lifecycle rules on a cluster whose rule days last two seconds; two gateways, of which one coordinates."""
import datetime
import random

import boto3
import pytest

from boto3_cases import refused
from cluster import Cluster, wait_for


@pytest.fixture(scope="module")
def aging():
    cluster = Cluster(gateways=2, options=["lifecycle.day_length=2s", "gc.grace=1s", "gc.trash=1s"])
    started = cluster.up()
    assert started.returncode == 0, started.stdout + started.stderr
    yield cluster
    cluster.wipe()


@pytest.fixture
def s3(aging):
    return aging.boto3(boto3)


@pytest.fixture
def bucket(s3):
    name = "aging-%08x" % random.getrandbits(32)
    s3.create_bucket(Bucket=name)
    return name


def rule(name, prefix="", **actions):
    return {"ID": name, "Status": "Enabled", "Filter": {"Prefix": prefix}, **actions}


def set_rules(s3, bucket, *rules):
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": list(rules)})


def keys(s3, bucket):
    return {entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])}


def versions(s3, bucket):
    page = s3.list_object_versions(Bucket=bucket)
    return len(page.get("Versions", [])), len(page.get("DeleteMarkers", []))


def test_expired_objects_go_with_their_bytes_and_others_stay(aging, s3, bucket):
    """Seen through the gateway that does not coordinate as well; the disabled rule does nothing."""
    for name in ("old/1", "old/2", "kept/1", "off/1"):
        s3.put_object(Bucket=bucket, Key=name, Body=name.encode() * 5000)
    set_rules(s3, bucket, rule("go", "old/", Expiration={"Days": 1}),
              {**rule("off", "off/", Expiration={"Days": 1}), "Status": "Disabled"})
    for gateway in (1, 2):
        client = aging.boto3(boto3, gateway=gateway)
        wait_for(lambda: keys(client, bucket) == {"kept/1", "off/1"}, 60, "the objects below old/ to expire")
    refused(s3.get_object, "NoSuchKey", Bucket=bucket, Key="old/1")
    # A later pass has been over all of them.
    s3.put_object(Bucket=bucket, Key="old/3", Body=b"x")
    wait_for(lambda: "old/3" not in keys(s3, bucket), 60, "an object put after the first pass to expire")
    assert keys(s3, bucket) == {"kept/1", "off/1"}
    assert s3.get_object(Bucket=bucket, Key="kept/1")["Body"].read() == b"kept/1" * 5000


def test_filters_by_size_and_tag(s3, bucket):
    wanted = {"And": {"Prefix": "f/", "Tags": [{"Key": "temporary", "Value": "yes"}], "ObjectSizeGreaterThan": 10, "ObjectSizeLessThan": 100}}
    tagged = {"Tagging": "temporary=yes"}
    s3.put_object(Bucket=bucket, Key="f/fits", Body=bytes(50), **tagged)
    s3.put_object(Bucket=bucket, Key="f/small", Body=bytes(10), **tagged)
    s3.put_object(Bucket=bucket, Key="f/large", Body=bytes(100), **tagged)
    s3.put_object(Bucket=bucket, Key="f/untagged", Body=bytes(50))
    s3.put_object(Bucket=bucket, Key="elsewhere", Body=bytes(50), **tagged)
    set_rules(s3, bucket, {"ID": "and", "Status": "Enabled", "Filter": wanted, "Expiration": {"Days": 1}})
    rest = {"f/small", "f/large", "f/untagged", "elsewhere"}
    wait_for(lambda: keys(s3, bucket) == rest, 60, "the one that fits to expire")
    # The rule reaches what it passed over once its tags fit.
    s3.put_object_tagging(Bucket=bucket, Key="f/untagged", Tagging={"TagSet": [{"Key": "temporary", "Value": "yes"}]})
    wait_for(lambda: "f/untagged" not in keys(s3, bucket), 60, "the object that was tagged later to expire")
    assert keys(s3, bucket) == rest - {"f/untagged"}


def test_versions_markers_and_uploads(s3, bucket):
    """Newest noncurrent ones are kept; what a current version leaves is a marker, which goes when it is alone."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    newest = None
    for number in range(5):
        newest = s3.put_object(Bucket=bucket, Key="stack/k", Body=str(number).encode())["VersionId"]
    s3.put_object(Bucket=bucket, Key="gone/k", Body=b"x")
    s3.delete_object(Bucket=bucket, Key="gone/k")
    s3.create_multipart_upload(Bucket=bucket, Key="up/aborted")
    kept = s3.create_multipart_upload(Bucket=bucket, Key="kept/upload")["UploadId"]
    set_rules(s3, bucket,
              rule("stack", "stack/", NoncurrentVersionExpiration={"NoncurrentDays": 1, "NewerNoncurrentVersions": 2}),
              rule("gone", "gone/", NoncurrentVersionExpiration={"NoncurrentDays": 1}, Expiration={"ExpiredObjectDeleteMarker": True}),
              rule("up", "up/", AbortIncompleteMultipartUpload={"DaysAfterInitiation": 1}))
    wait_for(lambda: versions(s3, bucket) == (3, 0), 60, "three versions of stack/k and nothing else")
    assert s3.head_object(Bucket=bucket, Key="stack/k")["VersionId"] == newest
    wait_for(lambda: [u["UploadId"] for u in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])] == [kept], 60, "one upload")
    set_rules(s3, bucket, rule("stack", "stack/", Expiration={"Days": 1}))
    wait_for(lambda: versions(s3, bucket) == (3, 1), 60, "the current version to be hidden by a marker")
    refused(s3.get_object, "NoSuchKey", Bucket=bucket, Key="stack/k")
    assert s3.get_object(Bucket=bucket, Key="stack/k", VersionId=newest)["Body"].read() == b"4"


def test_a_locked_version_outlives_its_rule(s3):
    name = "locked-%08x" % random.getrandbits(32)
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    held = s3.put_object(Bucket=name, Key="k", Body=b"held", ObjectLockLegalHoldStatus="ON")["VersionId"]
    s3.put_object(Bucket=name, Key="k", Body=b"free")
    s3.put_object(Bucket=name, Key="k", Body=b"new")
    set_rules(s3, name, rule("all", NoncurrentVersionExpiration={"NoncurrentDays": 1}))
    wait_for(lambda: versions(s3, name) == (2, 0), 60, "the version that nothing holds to go")
    assert s3.get_object(Bucket=name, Key="k", VersionId=held)["Body"].read() == b"held"
    s3.put_object_legal_hold(Bucket=name, Key="k", VersionId=held, LegalHold={"Status": "OFF"})
    wait_for(lambda: versions(s3, name) == (1, 0), 60, "the version that was held to go")


def test_the_header_tells_real_days(s3, bucket):
    """Short rule days do not shrink it."""
    set_rules(s3, bucket, rule("later", "h/", Expiration={"Days": 400}))
    answers = [s3.put_object(Bucket=bucket, Key="h/k", Body=b"x"), s3.head_object(Bucket=bucket, Key="h/k")]
    today = datetime.datetime.now(datetime.timezone.utc).date()
    for answer in answers:
        date, name = answer["Expiration"].split(", rule-id=")
        assert name == '"later"'
        expiry = datetime.datetime.strptime(date, 'expiry-date="%a, %d %b %Y %H:%M:%S GMT"')
        assert expiry.time() == datetime.time(0, 0)
        assert (expiry.date() - today).days in (400, 401)
    s3.put_object(Bucket=bucket, Key="other", Body=b"x")
    assert "Expiration" not in s3.head_object(Bucket=bucket, Key="other")
